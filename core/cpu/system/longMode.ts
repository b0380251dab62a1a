// IA-32e mode: 64-bit gates, IRET, far transfers, SYSCALL and SYSRET (SDM 3A 5.8, 6.14, SDM 2).
import type { Cpu } from '../cpu.ts';
import { fromHalves } from '../state/addresses.ts';
import { CS, EFER, FIELD, FLAG, RCX, RSP, SEGMENT, SS, TR } from '../state/layout.ts';
import {
  checkStackSegment, type Descriptor, dplOf, dropInnerSegments, findDescriptor, installSegment, isCode, isConforming, isNull, isPresent,
  limitOf, markAccessed, readDescriptor, typeOf,
} from './descriptors.ts';
import { raise, VECTOR } from './faults.ts';
import { checkReturnCode, returnedFlags } from './returns.ts';
import { Stack } from './stack.ts';

export type Width = 2 | 4 | 8;

const L = 0x200000, D = 0x400000;
/** Code for 64-bit mode: L set, and D clear. */
export const isCode64 = (d: Descriptor): boolean => (d.high & L) !== 0;

/** A code segment that execution is about to enter in IA-32e mode: L and D exclude each other. */
export function checkWidth(cpu: Cpu, d: Descriptor, selector: number): void {
  if (cpu.isLong && (d.high & (L | D)) === (L | D)) raise(VECTOR.GP, selector & 0xfffc);
}

/** Where execution goes on: within the limit, or canonical in 64-bit code. */
export function checkOffset(cpu: Cpu, d: Descriptor, offset: number): void {
  if (cpu.isLong && isCode64(d)) cpu.canonical(offset, 1, false);
  else if (offset > limitOf(d)) raise(VECTOR.GP, 0);
}

/** A stack pointer from the TSS: RSP0..RSP2 at 4, IST1..IST7 at 24h (SDM 3A 7.7). */
function tssPointer(cpu: Cpu, at: number): number {
  if (at + 7 > cpu.segmentField(TR, SEGMENT.limit)) raise(VECTOR.TS, cpu.selector(TR) & 0xfffc);
  const [low, high] = cpu.readWide(cpu.segmentBase(TR) + at);
  return fromHalves(low, high);
}

interface LongGate {
  readonly selector: number;
  readonly offset: number;
  readonly clearsInterrupts: boolean;
  readonly stackTable: number;
}

function readGate(cpu: Cpu, vector: number, isSoftware: boolean): LongGate {
  const error = vector * 8 + 2;
  if (vector * 16 + 15 > cpu.get32(FIELD.idtrLimit)) raise(VECTOR.GP, error);
  const [low, high] = cpu.readWide(cpu.getWide(FIELD.idtrBase) + vector * 16);
  const [upper] = cpu.readWide(cpu.getWide(FIELD.idtrBase) + vector * 16 + 8);
  const type = (high >>> 8) & 0x1f;
  if (type !== 14 && type !== 15) raise(VECTOR.GP, error);
  if (isSoftware && ((high >>> 13) & 3) < cpu.cpl) raise(VECTOR.GP, error);
  if ((high & 0x8000) === 0) raise(VECTOR.NP, error);
  const offset = fromHalves((high & 0xffff0000) | (low & 0xffff), upper);
  return { selector: low >>> 16, offset, clearsInterrupts: type === 14, stackTable: high & 7 };
}

/** Interrupt and exception delivery through a 64-bit gate (SDM 3A 6.14): SS:RSP is always pushed, on a 16-byte boundary. */
export function deliverLong(
  cpu: Cpu, vector: number, isSoftware: boolean, flags: number, errorCode: number | null, rip: number,
): void {
  const gate = readGate(cpu, vector, isSoftware);
  if (isNull(gate.selector)) raise(VECTOR.GP, 0);
  const code = readDescriptor(cpu, gate.selector);
  if (!isCode(code) || dplOf(code) > cpu.cpl) raise(VECTOR.GP, gate.selector & 0xfffc);
  if (!isPresent(code)) raise(VECTOR.NP, gate.selector & 0xfffc);
  if (!isCode64(code) || (code.high & D) !== 0) raise(VECTOR.GP, gate.selector & 0xfffc);
  const cpl = cpu.cpl, level = isConforming(code) ? cpl : dplOf(code);
  const top =
    gate.stackTable !== 0 ? tssPointer(cpu, 0x1c + gate.stackTable * 8)
    : level < cpl ? tssPointer(cpu, 4 + level * 8)
    : cpu.getWide(FIELD.gpr + RSP * 8);
  cpu.canonical(gate.offset, 1, false);
  const stack = Stack.wide(cpu, Math.floor(top / 16) * 16, level);
  stack.push(cpu.selector(SS), 8);
  // Of compatibility mode's stack pointer silicon keeps 32 bits (SDM 1 3.4.1.1 leaves the others undefined).
  stack.pushWords(cpu.get32(FIELD.gpr + RSP * 8), cpu.is64 || cpu.cpl !== 3 ? cpu.get32(FIELD.gpr + RSP * 8 + 4) : 0);
  stack.push(flags, 8);
  stack.push(cpu.selector(CS), 8);
  stack.push(rip, 8);
  if (errorCode !== null) stack.push(errorCode, 8);
  const cleared = FLAG.TF | FLAG.NT | FLAG.RF | FLAG.VM | (gate.clearsInterrupts ? FLAG.IF : 0);
  cpu.set32(FIELD.eflags, cpu.get32(FIELD.eflags) & ~cleared);
  markAccessed(cpu, code);
  cpu.setCpl(level);
  installSegment(cpu, CS, (gate.selector & 0xfffc) | level, code);
  // An inner stack has a null selector with the new level.
  if (level < cpl) cpu.setSegment(SS, level, 0, 0, 0);
  stack.commit();
  cpu.rip = gate.offset;
}

/** IRET in IA-32e mode (SDM 2A IRET): from 64-bit code SS:RSP is always popped. */
export function returnLong(cpu: Cpu, size: Width): void {
  if ((cpu.get32(FIELD.eflags) & FLAG.NT) !== 0) raise(VECTOR.GP, 0);
  const stack = Stack.current(cpu);
  const rip = stack.pop(size), selector = stack.popWords(size)[0] & 0xffff, flags = stack.popWords(size)[0] | 0;
  if (isNull(selector)) raise(VECTOR.GP, 0);
  const code = readDescriptor(cpu, selector);
  checkReturnCode(cpu, code, selector);
  checkWidth(cpu, code, selector);
  checkOffset(cpu, code, rip);
  const level = selector & 3, outer = level > cpu.cpl;
  if (!outer && !cpu.is64) {
    stack.commit();
    cpu.eflags = returnedFlags(cpu, flags, size === 2 ? 2 : 4);
    markAccessed(cpu, code);
    installSegment(cpu, CS, selector, code);
    cpu.rip = rip;
    return;
  }
  const [pointer, pointerHigh] = stack.popWords(size);
  enterStack(cpu, { code, selector, rip, level, stackSelector: stack.popWords(size)[0] & 0xffff, pointer, pointerHigh }, () => {
    cpu.eflags = returnedFlags(cpu, flags, size === 2 ? 2 : 4);
  });
}

interface StackReturn {
  readonly code: Descriptor;
  readonly selector: number;
  readonly rip: number;
  readonly level: number;
  readonly stackSelector: number;
  readonly pointer: number;
  readonly pointerHigh: number;
}

/** Enters code with its own stack; a null SS is allowed for 64-bit code inside ring 3. */
function enterStack(cpu: Cpu, r: StackReturn, before: () => void): void {
  const { code, level, stackSelector } = r;
  const mayBeNull = isCode64(code) && level !== 3 && (stackSelector & 3) === level;
  let d: Descriptor | null = null;
  if (!isNull(stackSelector)) d = checkStackSegment(cpu, stackSelector, level, VECTOR.GP);
  else if (!mayBeNull) raise(VECTOR.GP, 0);
  before();
  const outer = level > cpu.cpl;
  markAccessed(cpu, code);
  if (d !== null) markAccessed(cpu, d);
  cpu.setCpl(level);
  installSegment(cpu, CS, r.selector, code);
  if (d !== null) installSegment(cpu, SS, stackSelector, d);
  else cpu.setSegment(SS, stackSelector, 0, 0, 0);
  const at = FIELD.gpr + RSP * 8;
  if (cpu.is64) {
    cpu.set32(at, r.pointer);
    cpu.set32(at + 4, r.pointerHigh);
  } else {
    const mask = cpu.get32(FIELD.stackMask);
    cpu.setReg32(RSP, ((cpu.reg32(RSP) & ~mask) | (r.pointer & mask)) >>> 0);
  }
  if (outer) dropInnerSegments(cpu);
  cpu.rip = r.rip;
}

/** RETF in IA-32e mode. */
export function returnFarLong(cpu: Cpu, size: Width, extra: number): void {
  const stack = Stack.current(cpu);
  const rip = stack.pop(size), selector = stack.popWords(size)[0] & 0xffff;
  if (isNull(selector)) raise(VECTOR.GP, 0);
  const code = readDescriptor(cpu, selector);
  checkReturnCode(cpu, code, selector);
  checkWidth(cpu, code, selector);
  checkOffset(cpu, code, rip);
  stack.skip(extra);
  if ((selector & 3) === cpu.cpl) {
    stack.commit();
    markAccessed(cpu, code);
    installSegment(cpu, CS, selector, code);
    cpu.rip = rip;
    return;
  }
  const pointer = stack.pop(size) + extra;
  const stackSelector = stack.popWords(size)[0] & 0xffff;
  const words = { pointer: pointer >>> 0, pointerHigh: Math.floor(pointer / 2 ** 32) };
  enterStack(cpu, { code, selector, rip, level: selector & 3, stackSelector, ...words }, () => {});
}

/** The target of a 64-bit call gate, which has 16 bytes (SDM 3A 5.8.3.1). */
export function longGateTarget(cpu: Cpu, gate: Descriptor, selector: number): { code: Descriptor; selector: number; offset: number } {
  if (typeOf(gate) !== 12) raise(VECTOR.GP, selector & 0xfffc);
  if (dplOf(gate) < cpu.cpl || dplOf(gate) < (selector & 3)) raise(VECTOR.GP, selector & 0xfffc);
  const [upper, type] = upperDescriptor(cpu, gate, selector);
  if ((type & 0x1f00) !== 0) raise(VECTOR.GP, selector & 0xfffc);
  if (!isPresent(gate)) raise(VECTOR.NP, selector & 0xfffc);
  const codeSelector = gate.low >>> 16;
  if (isNull(codeSelector)) raise(VECTOR.GP, 0);
  const code = readDescriptor(cpu, codeSelector);
  if (!isCode(code) || dplOf(code) > cpu.cpl || !isCode64(code) || (code.high & D) !== 0) raise(VECTOR.GP, codeSelector & 0xfffc);
  if (!isPresent(code)) raise(VECTOR.NP, codeSelector & 0xfffc);
  const offset = fromHalves((gate.high & 0xffff0000) | (gate.low & 0xffff), upper);
  cpu.canonical(offset, 1, false);
  return { code, selector: codeSelector, offset };
}

/** The second eight bytes of a system descriptor. */
export function upperDescriptor(cpu: Cpu, d: Descriptor, selector: number): readonly [number, number] {
  if (findDescriptor(cpu, (selector & 0xfffc) + 8) === null) raise(VECTOR.GP, selector & 0xfffc);
  return cpu.readWide(d.address + 8);
}

/** CALL through a 64-bit gate. `next` is the address behind the instruction. */
export function callLongGate(cpu: Cpu, gate: Descriptor, selector: number, next: number): void {
  const target = longGateTarget(cpu, gate, selector);
  const level = isConforming(target.code) ? cpu.cpl : dplOf(target.code);
  const inner = level < cpu.cpl;
  const stack = Stack.wide(cpu, inner ? tssPointer(cpu, 4 + level * 8) : cpu.getWide(FIELD.gpr + RSP * 8), level);
  if (inner) {
    stack.push(cpu.selector(SS), 8);
    stack.pushWords(cpu.get32(FIELD.gpr + RSP * 8), cpu.get32(FIELD.gpr + RSP * 8 + 4));
  }
  stack.push(cpu.selector(CS), 8);
  stack.push(next, 8);
  markAccessed(cpu, target.code);
  cpu.setCpl(level);
  installSegment(cpu, CS, (target.selector & 0xfffc) | level, target.code);
  if (inner) cpu.setSegment(SS, level, 0, 0, 0);
  stack.commit();
  cpu.rip = target.offset;
}

/** Flat segments of SYSCALL, SYSENTER and their returns: their caches do not come from a table (present, accessed, 4 GiB). */
export function flatSegment(cpu: Cpu, segment: number, selector: number, level: number, is64: boolean): void {
  const width = segment === CS && is64 ? 0xa000 : 0xc000;
  cpu.setSegment(segment, selector, 0, 0xffffffff, width | 0x80 | (segment === CS ? 0x1b : 0x13) | (level << 5));
}

/** SDM 2B SYSCALL. `next` is the address behind the instruction. */
export function syscall(cpu: Cpu, next: number): void {
  if (!cpu.is64 || (cpu.get32(FIELD.efer) & EFER.SCE) === 0) raise(VECTOR.UD);
  cpu.setRegisterWide(RCX, next);
  const r11 = FIELD.gpr + 11 * 8;
  cpu.set32(r11, cpu.eflags & ~FLAG.RF);
  cpu.set32(r11 + 4, 0);
  const selector = cpu.get32(FIELD.star + 4) & 0xfffc;
  cpu.eflags = cpu.eflags & ~(cpu.get32(FIELD.sfmask) | FLAG.RF);
  cpu.setCpl(0);
  flatSegment(cpu, CS, selector, 0, true);
  flatSegment(cpu, SS, selector + 8, 0, true);
  cpu.rip = cpu.getWide(FIELD.lstar);
}

/** SDM 2B SYSRET: to 64-bit code with REX.W, to 32-bit code without. */
export function sysret(cpu: Cpu, size: Width): void {
  if (!cpu.is64 || (cpu.get32(FIELD.efer) & EFER.SCE) === 0) raise(VECTOR.UD);
  if (cpu.cpl !== 0) raise(VECTOR.GP, 0);
  const to64 = size === 8;
  const target = to64 ? cpu.canonical(cpu.registerWide(RCX), 1, false) : cpu.reg32(RCX);
  const base = cpu.get32(FIELD.star + 4) >>> 16;
  const flags = cpu.get32(FIELD.gpr + 11 * 8);
  cpu.eflags = (flags & 0x3c7fd7) | 2;
  cpu.setCpl(3);
  flatSegment(cpu, CS, ((base + (to64 ? 16 : 0)) | 3) & 0xffff, 3, to64);
  flatSegment(cpu, SS, ((base + 8) | 3) & 0xffff, 3, to64);
  cpu.rip = target;
}
