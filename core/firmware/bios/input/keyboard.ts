// INT 09h and INT 16h: keyboard (IBM PC/AT Technical Reference, section 5, keyboard).
import type { GuestMemory } from '../../../bus/device.ts';
import { resetPort, resetValue } from '../../board.ts';
import { bda } from '../biosData.ts';
import type { Registers } from '../registers.ts';
import type { ServiceResult } from '../services.ts';
import { extendedKeys, plainKeys } from './keyMap.ts';
import type { KeyCodes } from './keyMap.ts';

/** 40:17h. */
const shiftFlag = { right: 1, left: 2, control: 4, alt: 8, scroll: 16, num: 32, caps: 64, insert: 128 } as const;
/** 40:18h. */
const held = { leftControl: 1, leftAlt: 2, scroll: 16, num: 32, caps: 64, insert: 128 } as const;
/** 40:96h. */
const prefix = { e1: 1, e0: 2, rightControl: 4, rightAlt: 8, enhanced: 16 } as const;

const toggles: Readonly<Record<number, keyof typeof shiftFlag & keyof typeof held>> = {
  0x3a: 'caps',
  0x45: 'num',
  0x46: 'scroll',
};

export type KeyEvent = 'none' | 'break' | 'print';

/** One byte of scan-code set 1, as INT 09h read it. */
export function keyPressed(registers: Registers): KeyEvent {
  const { context, al } = registers;
  const memory = context.physical;
  const flags3 = memory.read8(bda.keyFlags3);
  if (al === 0xe0 || al === 0xe1) {
    memory.write8(bda.keyFlags3, flags3 | (al === 0xe0 ? prefix.e0 : prefix.e1));
    return 'none';
  }
  if (flags3 & prefix.e1) {
    // Pause: E1 1D 45 E1 9D C5. The prefix ends with 45h or C5h.
    if ((al & 0x7f) === 0x45) memory.write8(bda.keyFlags3, flags3 & ~prefix.e1);
    return 'none';
  }
  const isExtended = (flags3 & prefix.e0) !== 0;
  memory.write8(bda.keyFlags3, flags3 & ~prefix.e0);
  const scan = al & 0x7f;
  const down = al < 0x80;
  if (trackShift(memory, scan, down, isExtended)) return 'none';
  if (!down) {
    if (scan === 0x52) setBit(memory, bda.shift2, held.insert, false);
    return 'none';
  }
  const shift = memory.read8(bda.shift);
  if ((shift & (shiftFlag.control | shiftFlag.alt)) === (shiftFlag.control | shiftFlag.alt) && scan === 0x53) {
    memory.write16(bda.resetFlag, 0x1234);
    context.writePort(resetPort, resetValue, 1);
    return 'none';
  }
  if (isExtended && scan === 0x46) {
    memory.write8(bda.breakFlag, 0x80);
    memory.write16(bda.keyHead, memory.read16(bda.keyBufferStart));
    memory.write16(bda.keyTail, memory.read16(bda.keyBufferStart));
    storeKey(memory, 0);
    return 'break';
  }
  if (isExtended && scan === 0x37) return 'print';
  if (scan === 0x52 && (memory.read8(bda.shift2) & held.insert) === 0) {
    setBit(memory, bda.shift2, held.insert, true);
    memory.write8(bda.shift, shift ^ shiftFlag.insert);
  }
  enterKey(memory, scan, isExtended, shift);
  return 'none';
}

/** True if the key is Shift, Ctrl, Alt or a lock. */
function trackShift(memory: GuestMemory, scan: number, down: boolean, isExtended: boolean): boolean {
  if (scan === 0x2a || scan === 0x36) {
    // E0 2A and E0 36 only frame grey keys.
    if (!isExtended) setBit(memory, bda.shift, scan === 0x2a ? shiftFlag.left : shiftFlag.right, down);
    return true;
  }
  if (scan === 0x1d || scan === 0x38) {
    const control = scan === 0x1d;
    if (isExtended) setBit(memory, bda.keyFlags3, control ? prefix.rightControl : prefix.rightAlt, down);
    else setBit(memory, bda.shift2, control ? held.leftControl : held.leftAlt, down);
    const left = memory.read8(bda.shift2) & (control ? held.leftControl : held.leftAlt);
    const right = memory.read8(bda.keyFlags3) & (control ? prefix.rightControl : prefix.rightAlt);
    setBit(memory, bda.shift, control ? shiftFlag.control : shiftFlag.alt, (left | right) !== 0);
    if (!control && !down) finishAltNumber(memory);
    return true;
  }
  const toggle = toggles[scan];
  if (!toggle || (isExtended && scan === 0x46)) return false;
  if (down && (memory.read8(bda.shift2) & held[toggle]) === 0) {
    memory.write8(bda.shift, memory.read8(bda.shift) ^ shiftFlag[toggle]);
  }
  setBit(memory, bda.shift2, held[toggle], down);
  return true;
}

/** Alt with digits of the key pad enters a character by its number when Alt is let go. */
function finishAltNumber(memory: GuestMemory): void {
  const number = memory.read8(bda.altNumber);
  memory.write8(bda.altNumber, 0);
  if (number !== 0) storeKey(memory, number);
}

function enterKey(memory: GuestMemory, scan: number, isExtended: boolean, shift: number): void {
  const key = (isExtended ? extendedKeys : plainKeys).get(scan);
  if (!key) return;
  if (shift & shiftFlag.alt && key.kind === 'pad') {
    const digit = (key.shift ?? 0) & 0xff;
    if (digit >= 0x30 && digit <= 0x39) {
      memory.write8(bda.altNumber, (memory.read8(bda.altNumber) * 10 + digit - 0x30) & 0xff);
    }
    return;
  }
  const value = selectCode(key, shift);
  if (value !== null) storeKey(memory, value);
}

function selectCode(key: KeyCodes, shift: number): number | null {
  if (shift & shiftFlag.alt) return key.alt;
  if (shift & shiftFlag.control) return key.control;
  const lock = key.kind === 'letter' ? shift & shiftFlag.caps : key.kind === 'pad' ? shift & shiftFlag.num : 0;
  const shifted = (shift & (shiftFlag.left | shiftFlag.right)) !== 0;
  return shifted !== (lock !== 0) ? key.shift : key.plain;
}

function setBit(memory: GuestMemory, address: number, bit: number, value: boolean): void {
  const old = memory.read8(address);
  memory.write8(address, value ? old | bit : old & ~bit);
}

/** False if the buffer is full. */
export function storeKey(memory: GuestMemory, value: number): boolean {
  const tail = memory.read16(bda.keyTail);
  const next = advance(memory, tail);
  if (next === memory.read16(bda.keyHead)) return false;
  memory.write16(0x400 + tail, value);
  memory.write16(bda.keyTail, next);
  return true;
}

/** The first key in the buffer, or null. */
export function peekKey(memory: GuestMemory): number | null {
  const head = memory.read16(bda.keyHead);
  return head === memory.read16(bda.keyTail) ? null : memory.read16(0x400 + head);
}

export function dropKey(memory: GuestMemory): void {
  memory.write16(bda.keyHead, advance(memory, memory.read16(bda.keyHead)));
}

function advance(memory: GuestMemory, pointer: number): number {
  const next = pointer + 2;
  return next >= memory.read16(bda.keyBufferEnd) ? memory.read16(bda.keyBufferStart) : next;
}

/** What a program that knows only 83 keys sees; null: the key does not exist for it. */
function forOldKeyboard(value: number): number | null {
  const scan = value >> 8;
  const character = value & 0xff;
  if (scan === 0xe0) return character === 0x2f ? 0x352f : 0x1c00 | character;
  if (character === 0xe0 && scan !== 0) return scan << 8;
  if (scan >= 0x85) return null;
  return value;
}

/** INT 16h. */
export function keyboardService(registers: Registers): ServiceResult {
  const memory = registers.context.physical;
  switch (registers.ah) {
    case 0x00:
    case 0x10: {
      const value = nextKey(memory, registers.ah === 0x10);
      if (value === null) return 'sleep';
      dropKey(memory);
      registers.ax = value;
      return 'done';
    }
    case 0x01:
    case 0x11: {
      const value = nextKey(memory, registers.ah === 0x11);
      registers.zero = value === null;
      if (value !== null) registers.ax = value;
      return 'done';
    }
    case 0x02:
      registers.al = memory.read8(bda.shift);
      return 'done';
    case 0x05:
      registers.al = storeKey(memory, registers.cx) ? 0 : 1;
      return 'done';
    case 0x09:
      registers.al = 0x20;
      return 'done';
    case 0x12: {
      const flags = memory.read8(bda.keyFlags3);
      const low = memory.read8(bda.shift2) & 0x73;
      registers.ax = (((low | (flags & 0x0c) | ((memory.read8(bda.shift2) & 4) << 5)) << 8) | memory.read8(bda.shift)) & 0xffff;
      return 'done';
    }
    default:
      return 'done';
  }
}

/** Drops keys on the way that the caller's kind of keyboard lacks. */
function nextKey(memory: GuestMemory, enhanced: boolean): number | null {
  for (;;) {
    const value = peekKey(memory);
    if (value === null || enhanced) return value;
    const old = forOldKeyboard(value);
    if (old !== null) return old;
    dropKey(memory);
  }
}
