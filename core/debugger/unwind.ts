// The stack as frames. The caller of each is looked for in this order: call frame information; a Linux kernel's ORC; where the code has not set up
// its frame yet, or never does, the words on the stack; the chain of frame pointers; frames of interrupts and exceptions.
// Nothing here believes what it reads: addresses must be mapped, frames must go up, return addresses must follow a call.
import type { StackFrame } from '../api/debug.ts';
import { placeOf } from './disassembly.ts';
import { littleEndian } from './littleEndian.ts';
import type { UnwoundFrame } from './symbols/callFrames.ts';
import type { CallFrameSource } from './symbols/symbolTable.ts';
import type { DebugTarget, SymbolSource, TargetMode } from './target.ts';

export type UnwindSymbols = SymbolSource & Partial<CallFrameSource>;

const MAX_FRAMES = 1000;
/** Words of an unframed function's stack that are looked at. */
const SCAN_WORDS = 64;
/** Where the set-up of a frame is looked for. */
const PROLOGUE_BYTES = 48;
/** Distance between two frames that is still plausible. */
const MAX_FRAME_BYTES = 0x10_0000n;
const FLAGS_RESERVED = 0xffc0_802an;
const FLAGS_FIXED = 2n;

/** DWARF numbers (psABI). */
const NAMES_32 = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'];
const NAMES_64 = ['rax', 'rdx', 'rcx', 'rbx', 'rsi', 'rdi', 'rbp', 'rsp', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'];

interface Frame {
  /** Linear address of the next instruction. */
  readonly counter: bigint;
  /** Offsets in the stack segment. */
  readonly stack: bigint;
  readonly framePointer: bigint | undefined;
  readonly registers: readonly (bigint | undefined)[];
  /** `counter` follows a call, so the call itself is before it. */
  readonly afterCall: boolean;
  readonly how: string;
  /** Code segment, where it is known to be another one (real mode). */
  readonly codeBase: bigint;
}

interface Caller {
  readonly caller: Frame;
  /** Canonical frame address of the callee. */
  readonly frame: bigint;
}

/** At most `limit` frames, the innermost first. Throws nothing. */
export function unwindStack(target: DebugTarget, symbols: UnwindSymbols, limit: number): StackFrame[] {
  return new Unwinder(target, symbols).frames(Math.min(limit, MAX_FRAMES));
}

/** Return address and stack pointer behind the return of the current function, for stepping out; null: not known. */
export function callerOf(target: DebugTarget, symbols: UnwindSymbols): { address: bigint; frame: bigint; how: string } | null {
  const found = new Unwinder(target, symbols).innermostCaller();
  return found === null ? null : { address: found.caller.counter, frame: found.frame, how: found.caller.how };
}

class Unwinder {
  readonly #target: DebugTarget;
  readonly #symbols: UnwindSymbols;
  readonly #mode: TargetMode;
  /** Bytes of a word on the stack. */
  readonly #word: 2 | 4 | 8;
  readonly #stackBase: bigint;
  readonly #protectedCode: boolean;

  constructor(target: DebugTarget, symbols: UnwindSymbols) {
    this.#target = target;
    this.#symbols = symbols;
    this.#mode = target.mode();
    this.#word = (this.#mode.bits / 8) as 2 | 4 | 8;
    this.#stackBase = this.#word === 8 ? 0n : (target.registers.get('ss.base') ?? 0n);
    this.#protectedCode = this.#mode.protectedMode && !this.#mode.virtual8086;
  }

  frames(limit: number): StackFrame[] {
    const frames: StackFrame[] = [];
    const seen = new Set<string>();
    let current: Frame | null = this.#innermost();
    while (current !== null && frames.length < limit) {
      const key = `${current.counter} ${current.stack}`;
      if (seen.has(key)) break;
      seen.add(key);
      const found: Caller | null = this.#caller(current, frames.length === 0);
      frames.push(this.#describe(current, frames.length, found?.frame ?? current.stack));
      current = found === null || !this.#isMapped(found.caller.counter) ? null : found.caller;
    }
    return frames;
  }

  innermostCaller(): Caller | null {
    const found = this.#caller(this.#innermost(), true);
    return found !== null && this.#isMapped(found.caller.counter) ? found : null;
  }

  #innermost(): Frame {
    const { registers } = this.#target;
    const names = this.#word === 8 ? NAMES_64 : NAMES_32;
    const get = (wide: string, narrow: string): bigint => registers.get(this.#word === 2 ? narrow : wide) ?? 0n;
    return {
      counter: this.#target.programCounter,
      stack: this.#word === 8 ? (registers.get('rsp') ?? 0n) : get('esp', 'sp'),
      framePointer: this.#word === 8 ? registers.get('rbp') : get('ebp', 'bp'),
      registers: names.map((name) => registers.get(name)),
      afterCall: false,
      how: 'registers',
      codeBase: this.#word === 8 ? 0n : (registers.get('cs.base') ?? 0n),
    };
  }

  #describe(frame: Frame, index: number, address: bigint): StackFrame {
    const place = placeOf(this.#symbols, frame.counter);
    // A call that does not return may end its function: what called is before the return address.
    const lookUp = frame.afterCall ? frame.counter - 1n : frame.counter;
    const nearest = frame.counter > 0n ? this.#symbols.nearest(lookUp) : null;
    const source = frame.afterCall ? this.#symbols.line(lookUp) : place.source;
    return { index, place: { ...place, source }, frame: this.#linear(address).toString(16), function: nearest?.name ?? '', how: frame.how };
  }

  // --- memory -------------------------------------------------------------------------------------------------------

  #mask(value: bigint): bigint {
    return BigInt.asUintN(this.#word * 8, value);
  }
  /** Linear address of an offset in the stack segment. */
  #linear(offset: bigint): bigint {
    return BigInt.asUintN(this.#mode.addressBytes * 8, this.#stackBase + this.#mask(offset));
  }
  /** A word of the stack; null: not mapped. */
  #read(offset: bigint, bytes: number = this.#word): bigint | null {
    return this.#readLinear(this.#linear(offset), bytes);
  }
  #readLinear(address: bigint, bytes: number): bigint | null {
    const content = this.#target.memory.read('linear', address, bytes);
    return content === null ? null : littleEndian(content);
  }
  #isMapped(address: bigint): boolean {
    return this.#target.memory.read('linear', address, 1) !== null;
  }
  #code(offset: bigint, base: bigint): bigint {
    return BigInt.asUintN(this.#mode.addressBytes * 8, base + this.#mask(offset));
  }

  // --- callers ------------------------------------------------------------------------------------------------------

  #caller(frame: Frame, innermost: boolean): Caller | null {
    const described = this.#byCallFrames(frame) ?? this.#byKernelTables(frame);
    if (described !== null) return described === 'end' ? null : described;
    return (
      (innermost ? this.#byPrologue(frame) : null) ??
      this.#bySavedRegisters(frame) ??
      this.#byFramePointer(frame) ??
      this.#byScan(frame)
    );
  }

  readonly #flat = (at: bigint, bytes: 4 | 8): bigint | null => this.#readLinear(BigInt.asUintN(this.#mode.addressBytes * 8, at), bytes);

  /** Call frame information speaks of flat addresses: of protected mode with bases of zero. */
  #byCallFrames(frame: Frame): Caller | null {
    if (this.#word === 2 || this.#symbols.unwind === undefined || this.#stackBase !== 0n) return null;
    const address = frame.afterCall ? frame.counter - 1n : frame.counter;
    const found = this.#symbols.unwind(address, frame.registers, this.#flat);
    if (found === null || found.returnAddress === 0n || found.frame < frame.stack) return null;
    return this.#unwound(found, 'call frame information');
  }

  /** A kernel changes between stacks, so frames may lie anywhere. */
  #byKernelTables(frame: Frame): Caller | 'end' | null {
    if (this.#word !== 8 || this.#symbols.unwindKernel === undefined) return null;
    const address = frame.afterCall ? frame.counter - 1n : frame.counter;
    const found = this.#symbols.unwindKernel(address, frame.registers, this.#flat);
    if (found === null || found === 'end') return found;
    return found.signal || this.#isKnownCode(found.returnAddress) ? this.#unwound(found, 'ORC') : null;
  }

  #unwound(found: UnwoundFrame, how: string): Caller {
    const stackRegister = this.#word === 8 ? 7 : 4, frameRegister = this.#word === 8 ? 6 : 5;
    return {
      frame: found.frame,
      caller: {
        counter: found.returnAddress,
        stack: found.registers[stackRegister] ?? found.frame,
        framePointer: found.registers[frameRegister],
        registers: found.registers,
        afterCall: !found.signal,
        how: found.signal ? 'interrupt frame' : how,
        codeBase: 0n,
      },
    };
  }

  /** Before `push ebp`, between it and `mov ebp,esp`, and at a return: the return address is on top of the stack. */
  #byPrologue(frame: Frame): Caller | null {
    const code = this.#target.memory.read('linear', frame.counter, 1);
    if (code === null) return null;
    const isReturn = code[0] === 0xc3 || code[0] === 0xc2;
    if (isReturn || this.#atPush(frame.counter) || this.#symbols.nearest(frame.counter)?.offset === 0n) {
      return this.#returnAt(frame, frame.stack, 'stack pointer', isReturn);
    }
    const push = this.#target.memory.read('linear', frame.counter - 1n, 1);
    const word = BigInt(this.#word);
    if (push?.[0] === 0x55 && this.#isFrameMove(frame.counter)) return this.#returnAt(frame, frame.stack + word, 'stack pointer', false);
    return null;
  }

  #atPush(address: bigint): boolean {
    const code = this.#target.memory.read('linear', address, 1);
    return code?.[0] === 0x55 && this.#isFrameMove(address + 1n);
  }
  /** `mov ebp,esp` in both encodings, with or without REX.W. */
  #isFrameMove(address: bigint): boolean {
    const code = this.#target.memory.read('linear', address, 3);
    if (code === null) return false;
    const at = code[0] === 0x48 ? 1 : 0;
    return (code[at] === 0x89 && code[at + 1] === 0xe5) || (code[at] === 0x8b && code[at + 1] === 0xec);
  }

  /** The caller by its return address at `offset` of the stack; the frame pointer is still the caller's. */
  #returnAt(frame: Frame, offset: bigint, how: string, trusted: boolean): Caller | null {
    const value = this.#read(offset);
    if (value === null) return null;
    const counter = this.#code(value, frame.codeBase);
    if (!trusted && !this.#followsCall(counter)) return null;
    if (!this.#isMapped(counter)) return null;
    const stack = offset + BigInt(this.#word);
    return { frame: stack, caller: { ...frame, counter, stack, registers: this.#withStack(frame.registers, stack), afterCall: true, how } };
  }

  #withStack(registers: readonly (bigint | undefined)[], stack: bigint, framePointer?: bigint): (bigint | undefined)[] {
    const changed = [...registers];
    changed[this.#word === 8 ? 7 : 4] = stack;
    if (framePointer !== undefined) changed[this.#word === 8 ? 6 : 5] = framePointer;
    return changed;
  }

  #byFramePointer(frame: Frame): Caller | null {
    const { framePointer } = frame;
    if (framePointer === undefined || framePointer === 0n) return null;
    const word = BigInt(this.#word);
    if (framePointer < frame.stack || framePointer - frame.stack > MAX_FRAME_BYTES) return null;
    if (this.#word !== 2 && framePointer % 4n !== 0n) return null;
    // Without a frame of its own the frame pointer is a caller's, so there is a return address below it.
    if (framePointer > frame.stack && !this.#isFramed(frame.afterCall ? frame.counter - 1n : frame.counter)) {
      const scanned = this.#byScan(frame);
      if (scanned !== null) return scanned;
    }
    const saved = this.#read(framePointer), returnTo = this.#read(framePointer + word);
    if (saved === null || returnTo === null || returnTo === 0n) return null;
    const near = this.#code(returnTo, frame.codeBase);
    const stack = framePointer + 2n * word;
    const registers = this.#withStack(frame.registers, stack, saved);
    const caller: Caller = {
      frame: stack,
      caller: { ...frame, counter: near, stack, framePointer: saved, registers, afterCall: true, how: 'frame pointer' },
    };
    if (this.#followsCall(near)) return caller;
    return this.#farReturn(frame, framePointer, saved, returnTo)
      ?? this.#interruptAt(frame, framePointer + word, saved)
      ?? (this.#isGoneCode(near, framePointer, saved) ? caller : null);
  }

  /** Code that was discarded after use, as a kernel's start: its name is known and the chain goes on. */
  #isGoneCode(counter: bigint, framePointer: bigint, saved: bigint): boolean {
    if (!this.#isKnownCode(counter) || !this.#isMapped(counter)) return false;
    if (saved <= framePointer || saved - framePointer > MAX_FRAME_BYTES || saved % 4n !== 0n) return false;
    const next = this.#read(saved + BigInt(this.#word));
    return next !== null && this.#isKnownCode(this.#mask(next));
  }

  /** A far return: offset and segment. In real mode that is common; elsewhere it takes a descriptor to find the base. */
  #farReturn(frame: Frame, framePointer: bigint, saved: bigint, offset: bigint): Caller | null {
    if (this.#protectedCode) return null;
    const word = BigInt(this.#word);
    const segment = this.#read(framePointer + 2n * word, 2);
    if (segment === null) return null;
    const codeBase = segment * 16n, counter = this.#code(offset, codeBase);
    if (!this.#followsFarCall(counter)) return null;
    const stack = framePointer + 3n * word;
    const registers = this.#withStack(frame.registers, stack, saved);
    return { frame: stack, caller: { counter, stack, framePointer: saved, registers, afterCall: true, how: 'frame pointer', codeBase } };
  }

  /** Whether the function of an address begins by setting up a frame. Unknown functions may. */
  #isFramed(address: bigint): boolean {
    const nearest = this.#symbols.nearest(address);
    if (nearest === null) return true;
    const code = this.#target.memory.read('linear', nearest.address, PROLOGUE_BYTES);
    if (code === null) return true;
    const passed = address - nearest.address;
    // ENTER, or PUSH EBP and MOV EBP,ESP, maybe with something between them.
    if (code[0] === 0xc8) return passed > 0n;
    const push = code.indexOf(0x55);
    for (let at = push + 1; push >= 0 && at + 1 < code.length; at++) {
      const moves = (code[at] === 0x89 && code[at + 1] === 0xe5) || (code[at] === 0x8b && code[at + 1] === 0xec);
      if (moves) return passed > BigInt(at);
    }
    return false;
  }

  /** A return address, or an interrupt's frame, somewhere above the stack pointer. */
  #byScan(frame: Frame): Caller | null {
    const word = BigInt(this.#word);
    const framed = frame.framePointer !== undefined && frame.framePointer > frame.stack ? frame.framePointer : null;
    for (let index = 0n; index < BigInt(SCAN_WORDS); index++) {
      const offset = frame.stack + index * word;
      if (framed !== null && offset >= framed) break;
      const value = this.#read(offset);
      if (value === null) break;
      if (value === 0n) continue;
      const counter = this.#code(value, frame.codeBase);
      if (this.#isKnownCode(counter) && this.#followsCall(counter)) {
        const stack = offset + word;
        return { frame: stack, caller: { ...frame, counter, stack, registers: this.#withStack(frame.registers, stack), afterCall: true, how: 'scan' } };
      }
      const interrupt = this.#isKnownCode(counter) || !this.#protectedCode ? this.#interruptAt(frame, offset, frame.framePointer) : null;
      if (interrupt !== null) return interrupt;
    }
    return null;
  }

  /** Code that a symbol names: a scan must not take any number for an address. */
  #isKnownCode(address: bigint): boolean {
    return this.#symbols.nearest(address) !== null || this.#symbols.line(address) !== null;
  }

  // --- interrupts ---------------------------------------------------------------------------------------------------

  /** What an interrupt pushed, at `offset`: IP, CS, FLAGS and, from user mode and in long mode, SP and SS (SDM 3A 6.12.1). */
  #interruptAt(frame: Frame, offset: bigint, framePointer: bigint | undefined): Caller | null {
    const word = BigInt(this.#word);
    const ip = this.#read(offset), selector = this.#read(offset + word), flags = this.#read(offset + 2n * word);
    if (ip === null || selector === null || flags === null) return null;
    const current = this.#target.registers.get('cs') ?? 0n;
    const code = selector & 0xffffn;
    if (!this.#areFlags(flags)) return null;
    if (!this.#protectedCode) return this.#realInterrupt(frame, offset, framePointer, ip, code);
    const outer = (code & 3n) > (current & 3n);
    if (code === 0n || (code & ~3n) === 0n) return null;
    if (!outer && code !== current && this.#word !== 8) return null;
    if (this.#word !== 8 && selector >> 16n !== 0n && outer) return null;
    const switches = outer || this.#word === 8;
    const stack = switches ? this.#read(offset + 3n * word) : offset + 3n * word;
    if (stack === null) return null;
    const counter = this.#code(ip, outer ? 0n : frame.codeBase);
    if (!this.#isMapped(counter)) return null;
    const registers = this.#withStack(frame.registers.map(() => undefined), stack, framePointer);
    return {
      frame: offset + (switches ? 5n : 3n) * word,
      caller: { counter, stack, framePointer, registers, afterCall: false, how: 'interrupt frame', codeBase: outer ? 0n : frame.codeBase },
    };
  }

  #realInterrupt(frame: Frame, offset: bigint, framePointer: bigint | undefined, ip: bigint, segment: bigint): Caller | null {
    const codeBase = segment * 16n, counter = this.#code(ip, codeBase);
    // INT n stands before a software interrupt's return address; others may come anywhere, so their code must be plausible.
    const call = this.#target.memory.read('linear', counter - 2n, 2);
    if (call === null || (call[0] !== 0xcd && !this.#isKnownCode(counter))) return null;
    const stack = offset + 3n * BigInt(this.#word);
    const registers = this.#withStack(frame.registers.map(() => undefined), stack, framePointer);
    return { frame: stack, caller: { counter, stack, framePointer, registers, afterCall: false, how: 'interrupt frame', codeBase } };
  }

  /** SDM 1 3.4.3: bit 1 is one, reserved bits are zero. */
  #areFlags(value: bigint): boolean {
    return (value & (FLAGS_RESERVED & (this.#word === 2 ? 0xffffn : 0xffff_ffff_ffff_ffffn))) === FLAGS_FIXED && value >> 22n === 0n;
  }

  /** Linux marks a frame pointer that points at saved registers instead (arch/x86, encode_frame_pointer). */
  #bySavedRegisters(frame: Frame): Caller | null {
    const { framePointer } = frame;
    if (framePointer === undefined || !this.#protectedCode || this.#word === 2) return null;
    const wide = this.#word === 8;
    const marked = wide ? (framePointer & 1n) === 1n : framePointer < 0x8000_0000n && frame.stack >= 0x8000_0000n && framePointer !== 0n;
    if (!marked) return null;
    const base = wide ? framePointer - 1n : framePointer | 0x8000_0000n;
    if (base < frame.stack || base - frame.stack > MAX_FRAME_BYTES) return null;
    // struct pt_regs: BP is the fifth word in both; IP, CS, FLAGS, SP and SS end it.
    const saved = this.#read(base + (wide ? 32n : 20n));
    const at = base + (wide ? 128n : 48n), word = BigInt(this.#word);
    const ip = this.#read(at), selector = this.#read(at + word), flags = this.#read(at + 2n * word), stack = this.#read(at + 3n * word);
    if (saved === null || ip === null || selector === null || flags === null || stack === null || !this.#areFlags(flags)) return null;
    const outer = (selector & 3n) === 3n;
    const counter = this.#code(ip, 0n);
    if (!this.#isMapped(counter)) return null;
    const registers = this.#withStack(frame.registers.map(() => undefined), stack, saved);
    return {
      frame: at + 5n * word,
      caller: { counter, stack, framePointer: saved, registers, afterCall: false, how: 'interrupt frame', codeBase: outer ? 0n : frame.codeBase },
    };
  }

  // --- calls --------------------------------------------------------------------------------------------------------

  /** Whether a call ends right before an address. */
  #followsCall(address: bigint): boolean {
    if (address < 8n) return false;
    const code = this.#target.memory.read('linear', address - 7n, 7) ?? this.#codeBefore(address);
    if (code === null || !this.#isMapped(address)) return false;
    const at = (back: number): number => code[code.length - back] ?? -1;
    // CALL rel32 or rel16.
    if (at(this.#word === 2 ? 3 : 5) === 0xe8 || (this.#word === 2 && at(4) === 0x66 && at(5) === 0xe8)) return true;
    // CALL r/m: FF /2 with whatever its ModRM byte needs.
    for (let length = 2; length <= 7; length++) {
      if (at(length) === 0xff && ((at(length - 1) >> 3) & 7) === 2 && modRmBytes(code, code.length - length + 1, this.#word) === length - 1) return true;
    }
    return false;
  }

  #followsFarCall(address: bigint): boolean {
    if (address < 8n) return false;
    const code = this.#target.memory.read('linear', address - 7n, 7) ?? this.#codeBefore(address);
    if (code === null) return false;
    const at = (back: number): number => code[code.length - back] ?? -1;
    if (at(5) === 0x9a || at(7) === 0x9a) return true;
    for (let length = 2; length <= 7; length++) {
      if (at(length) === 0xff && ((at(length - 1) >> 3) & 7) === 3 && modRmBytes(code, code.length - length + 1, this.#word) === length - 1) return true;
    }
    return false;
  }

  /** Code at the very beginning of what is mapped. */
  #codeBefore(address: bigint): Uint8Array | null {
    for (let length = 6; length >= 2; length--) {
      const code = this.#target.memory.read('linear', address - BigInt(length), length);
      if (code !== null) return code;
    }
    return null;
  }
}

/** Bytes of ModRM, SIB and displacement (SDM 2A tables 2-1, 2-2). */
function modRmBytes(code: Uint8Array, at: number, word: 2 | 4 | 8): number {
  const modRm = code[at], mod = modRm >> 6, rm = modRm & 7;
  if (mod === 3) return 1;
  if (word === 2) return mod === 0 ? (rm === 6 ? 3 : 1) : mod === 1 ? 2 : 3;
  const sib = rm === 4 ? 1 : 0;
  if (mod === 0) return 1 + sib + (rm === 5 || (sib === 1 && (code[at + 1] & 7) === 5) ? 4 : 0);
  return 1 + sib + (mod === 1 ? 1 : 4);
}
