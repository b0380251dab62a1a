// Interrupt and exception delivery, INT n and IRET (SDM 3A chapter 6, SDM 2A INT n, IRET).
import type { Cpu } from '../cpu.ts';
import { GuestFault, raise, VECTOR } from './faults.ts';
import { CS, FIELD, FLAG, RSP, SEGMENT, SS, TR } from '../state/layout.ts';
import {
  attributesOf, baseOf, checkStackSegment, type Descriptor, dplOf, dropInnerSegments, installSegment, isCode, isConforming,
  isNull, isPresent, limitOf, markAccessed, readDescriptor,
} from './descriptors.ts';
import { endBranchSteps } from './control.ts';
import { deliverLong, returnLong } from './longMode.ts';
import { checkReturnCode, mergeFlags, returnedFlags } from './returns.ts';
import { Stack } from './stack.ts';
import { switchTask } from './tasks.ts';
import { mergeVirtual, redirectInterrupt, usesExtensions } from './virtualFlags.ts';

/** Vectors that push an error code. */
const WITH_ERROR = new Set<number>([VECTOR.DF, VECTOR.TS, VECTOR.NP, VECTOR.SS, VECTOR.GP, VECTOR.PF, VECTOR.AC]);
/** Contributory exceptions (SDM 3A table 6-5). */
const CONTRIBUTORY = new Set<number>([VECTOR.DE, VECTOR.TS, VECTOR.NP, VECTOR.SS, VECTOR.GP]);
/** Error codes that name a selector and have an EXT bit. */
const SELECTOR_ERROR = new Set<number>([VECTOR.TS, VECTOR.NP, VECTOR.SS, VECTOR.GP]);
/** EXT bit of error codes: the event was not a software interrupt. */
const EXTERNAL = 1;

/**
 * `fault`: by the CPU itself, on an instruction; `trap`: behind one; `software`: INT n; `breakpoint`: INT3 and INTO, which
 * virtual-8086 mode lets through; `external`: by the interrupt controller or NMI.
 */
type Origin = 'fault' | 'trap' | 'software' | 'breakpoint' | 'external';
const isSoftware = (origin: Origin): boolean => origin === 'software' || origin === 'breakpoint';

/** DR6: an access to debug registers was detected. */
const DR6_BD = 1 << 13;

/** Delivers a fault of the instruction at `rip`; faults on the way become double fault and shutdown. */
export function deliverFault(cpu: Cpu, vector: number, errorCode: number, isTrap = false): void {
  let current = vector, error = errorCode;
  for (let attempt = 0; attempt < 4; attempt++) {
    const rip = cpu.rip;
    // Faults push RF set, but for those of instruction breakpoints: their handlers set it (SDM 3B 17.3.1.1).
    const isBreakpoint = current === VECTOR.DB && (cpu.get32(FIELD.dr + 6 * 8) & DR6_BD) === 0;
    if (current === VECTOR.DB) endBranchSteps(cpu);
    const second = attemptDelivery(cpu, current, error, (isTrap && attempt === 0) || isBreakpoint ? 'trap' : 'fault');
    if (second === null) return;
    cpu.rip = rip;
    if (current === VECTOR.DF) break;
    const escalates =
      (CONTRIBUTORY.has(current) && CONTRIBUTORY.has(second.vector)) ||
      (current === VECTOR.PF && (second.vector === VECTOR.PF || CONTRIBUTORY.has(second.vector)));
    current = escalates ? VECTOR.DF : second.vector;
    error = escalates ? 0 : second.errorCode;
  }
  cpu.shutdownDetail = `exception ${vector} at ${cpu.selector(CS).toString(16)}:${cpu.rip.toString(16)}`;
  cpu.activity = 'shutdown';
}

function attemptDelivery(
  cpu: Cpu, vector: number, errorCode: number, origin: Origin,
): { vector: number; errorCode: number } | null {
  try {
    // Faults set RF in the pushed EFLAGS (SDM 3B 17.3.1.1); debug traps do not.
    deliver(cpu, vector, origin, WITH_ERROR.has(vector) ? errorCode : null, cpu.rip);
    return null;
  } catch (error) {
    if (!(error instanceof GuestFault)) throw error;
    return { vector: error.vector, errorCode: error.errorCode };
  }
}

/** INT n: `next` is the address behind the instruction. Faults by throwing. */
export function softwareInterrupt(cpu: Cpu, vector: number, next: number, origin: 'software' | 'breakpoint'): void {
  cpu.host.exit('software-interrupt', vector, 0, next);
  deliver(cpu, vector, origin, null, next);
}

/** A hardware interrupt or NMI, between instructions. */
export function deliverExternal(cpu: Cpu, vector: number): void {
  cpu.host.exitBegins();
  cpu.host.exit('interrupt', vector, 0, cpu.rip);
  try {
    deliver(cpu, vector, 'external', null, cpu.rip);
  } catch (error) {
    if (!(error instanceof GuestFault)) throw error;
    deliverFault(cpu, error.vector, error.errorCode);
  } finally {
    cpu.host.exitEnds();
  }
}

function deliver(cpu: Cpu, vector: number, origin: Origin, errorCode: number | null, rip: number): void {
  cpu.activity = 'running';
  cpu.trapSuppressed = true;
  if (!cpu.isProtected) {
    deliverReal(cpu, vector, rip);
    return;
  }
  try {
    deliverProtected(cpu, vector, origin, errorCode, rip);
  } catch (error) {
    // EXT tells that the event was not the program's own (SDM 3A 6.13).
    if (error instanceof GuestFault && !isSoftware(origin) && SELECTOR_ERROR.has(error.vector)) error.errorCode |= EXTERNAL;
    throw error;
  }
}

function deliverReal(cpu: Cpu, vector: number, rip: number): void {
  const entry = vector * 4;
  if (entry + 3 > cpu.get32(FIELD.idtrLimit)) raise(VECTOR.GP, vector * 8 + 2);
  const base = cpu.get32(FIELD.idtrBase);
  const offset = cpu.readLinear(base + entry, 2), selector = cpu.readLinear(base + entry + 2, 2);
  const stack = Stack.current(cpu);
  stack.push(cpu.eflags & 0xffff, 2);
  stack.push(cpu.selector(CS), 2);
  stack.push(rip & 0xffff, 2);
  stack.commit();
  cpu.set32(FIELD.eflags, cpu.get32(FIELD.eflags) & ~(FLAG.IF | FLAG.TF | FLAG.AC | FLAG.RF));
  cpu.setSegment(CS, selector, selector << 4, 0xffff, 0x9b & ~8 | 3);
  cpu.rip = offset;
}

function deliverProtected(cpu: Cpu, vector: number, origin: Origin, errorCode: number | null, rip: number): void {
  if (origin === 'software' && cpu.isVirtual8086) {
    if (redirectInterrupt(cpu, vector, rip)) return;
    if (cpu.iopl < 3) raise(VECTOR.GP, 0);
  }
  if (cpu.isLong) {
    const flags = pushedFlags(cpu, origin);
    deliverLong(cpu, vector, isSoftware(origin), flags, errorCode, rip);
    return;
  }
  const idtError = vector * 8 + 2;
  if (vector * 8 + 7 > cpu.get32(FIELD.idtrLimit)) raise(VECTOR.GP, idtError);
  const address = (cpu.get32(FIELD.idtrBase) + vector * 8) >>> 0;
  const low = cpu.readLinear(address, 4), high = cpu.readLinear(address + 4, 4);
  const type = (high >>> 8) & 0x1f;
  const isGate = type === 5 || type === 6 || type === 7 || type === 14 || type === 15;
  if (!isGate) raise(VECTOR.GP, idtError);
  if (isSoftware(origin) && ((high >>> 13) & 3) < cpu.cpl) raise(VECTOR.GP, idtError);
  if ((high & 0x8000) === 0) raise(VECTOR.NP, idtError);
  if (type === 5) {
    switchTask(cpu, low >>> 16, 'interrupt', errorCode, rip);
    return;
  }
  enterGate(cpu, { low, high, type }, origin, errorCode, rip);
}

interface Gate {
  readonly low: number;
  readonly high: number;
  readonly type: number;
}

/** RF is kept where an instruction breakpoint may be about to be passed; it has no other meaning. */
function pushedFlags(cpu: Cpu, origin: Origin): number {
  const flags = cpu.eflags;
  if (origin === 'fault') return flags | FLAG.RF;
  return (cpu.get32(FIELD.dr + 7 * 8) & 0xff) === 0 ? flags & ~FLAG.RF : flags;
}

function enterGate(cpu: Cpu, gate: Gate, origin: Origin, errorCode: number | null, rip: number): void {
  const selector = gate.low >>> 16;
  const wide = (gate.type & 8) !== 0;
  const offset = wide ? ((gate.high & 0xffff0000) | (gate.low & 0xffff)) >>> 0 : gate.low & 0xffff;
  if (isNull(selector)) raise(VECTOR.GP, 0);
  const code = readGateCode(cpu, selector);
  if (offset > limitOf(code)) raise(VECTOR.GP, 0);
  const cpl = cpu.cpl;
  const level = isConforming(code) ? cpl : dplOf(code);
  if (cpu.isVirtual8086 && level !== 0) raise(VECTOR.GP, selector & 0xfffc);
  const size = wide ? 4 : 2;
  const flags = pushedFlags(cpu, origin);
  const fromVirtual = cpu.isVirtual8086;
  const frame = { flags, rip, size, errorCode } as const;
  if (level < cpl) pushInnerFrame(cpu, level, frame, fromVirtual);
  else {
    const stack = Stack.current(cpu);
    pushFrame(cpu, stack, frame);
    stack.commit();
  }
  const cleared = FLAG.TF | FLAG.NT | FLAG.RF | FLAG.VM | ((gate.type & 1) === 0 ? FLAG.IF : 0);
  cpu.set32(FIELD.eflags, cpu.get32(FIELD.eflags) & ~cleared);
  if (fromVirtual) for (const segment of [0, 3, 4, 5]) cpu.setSegment(segment, 0, 0, 0, 0);
  markAccessed(cpu, code);
  cpu.setCpl(level);
  installSegment(cpu, CS, (selector & 0xfffc) | level, code);
  if (level === cpl) cpu.refreshSlots(SS);
  cpu.rip = offset;
}

function readGateCode(cpu: Cpu, selector: number): Descriptor {
  const code = readDescriptor(cpu, selector);
  if (!isCode(code) || dplOf(code) > cpu.cpl) raise(VECTOR.GP, selector & 0xfffc);
  if (!isPresent(code)) raise(VECTOR.NP, selector & 0xfffc);
  return code;
}

interface Frame {
  readonly flags: number;
  readonly rip: number;
  readonly size: 2 | 4;
  readonly errorCode: number | null;
}

function pushFrame(cpu: Cpu, stack: Stack, frame: Frame): void {
  stack.push(frame.flags, frame.size);
  stack.push(cpu.selector(CS), frame.size);
  stack.push(frame.rip, frame.size);
  if (frame.errorCode !== null) stack.push(frame.errorCode, frame.size);
}

/** Stack pointer and selector for an inner level from the TSS (SDM 3A 5.8.5). */
export function innerStack(cpu: Cpu, level: number): { selector: number; pointer: number } {
  const base = cpu.segmentBase(TR), limit = cpu.segmentField(TR, SEGMENT.limit);
  const wide = (cpu.segmentField(TR, SEGMENT.attributes) & 8) !== 0;
  const at = wide ? 4 + level * 8 : 2 + level * 4;
  if (at + (wide ? 5 : 3) > limit) raise(VECTOR.TS, cpu.selector(TR) & 0xfffc);
  const pointer = cpu.readLinear(base + at, wide ? 4 : 2);
  const selector = cpu.readLinear(base + at + (wide ? 4 : 2), 2);
  return { selector, pointer };
}

function pushInnerFrame(cpu: Cpu, level: number, frame: Frame, fromVirtual: boolean): void {
  const { selector, pointer } = innerStack(cpu, level);
  if (isNull(selector)) raise(VECTOR.TS, 0);
  const d = checkStackSegment(cpu, selector, level, VECTOR.TS);
  const stack = Stack.inner(cpu, baseOf(d), limitOf(d), attributesOf(d), pointer, level === 3, selector);
  if (fromVirtual) for (const segment of [5, 4, 3, 0]) stack.push(cpu.selector(segment), frame.size);
  stack.push(cpu.selector(SS), frame.size);
  stack.push(cpu.reg32(RSP), frame.size);
  pushFrame(cpu, stack, frame);
  markAccessed(cpu, d);
  // The new stack's checks follow the new level and leave virtual-8086 mode.
  cpu.set32(FIELD.eflags, cpu.get32(FIELD.eflags) & ~FLAG.VM);
  installSegment(cpu, SS, selector, d);
  stack.commit();
}

/** IRET, with `next` the address behind it. Faults by throwing. */
export function interruptReturn(cpu: Cpu, width: 2 | 4 | 8, next: number): void {
  cpu.nmiBlocked = false;
  const size = width === 2 ? 2 : 4;
  if (cpu.isLong) returnLong(cpu, width);
  else if (!cpu.isProtected) returnReal(cpu, size);
  else if (cpu.isVirtual8086) returnVirtual(cpu, size);
  else if ((cpu.get32(FIELD.eflags) & FLAG.NT) !== 0) {
    switchTask(cpu, cpu.readLinear(cpu.segmentBase(TR), 2), 'return', null, next);
  } else returnProtected(cpu, size);
}

function returnReal(cpu: Cpu, size: 2 | 4): void {
  const stack = Stack.current(cpu);
  const rip = stack.pop(size), selector = stack.pop(size) & 0xffff, flags = stack.pop(size);
  if (rip > cpu.segmentField(CS, SEGMENT.limit)) raise(VECTOR.GP, 0);
  stack.commit();
  cpu.eflags = mergeFlags(cpu, flags, size, 0);
  const attributes = cpu.segmentField(CS, SEGMENT.attributes);
  cpu.setSegment(CS, selector, selector << 4, cpu.segmentField(CS, SEGMENT.limit), attributes);
  cpu.rip = rip;
}

function returnVirtual(cpu: Cpu, size: 2 | 4): void {
  const isVirtual = usesExtensions(cpu);
  if (isVirtual && size === 4) raise(VECTOR.GP, 0);
  const stack = Stack.current(cpu);
  const rip = stack.pop(size), selector = stack.pop(size) & 0xffff, flags = stack.pop(size);
  if (rip > 0xffff) raise(VECTOR.GP, 0);
  const merged = isVirtual ? mergeVirtual(cpu, flags) : mergeFlags(cpu, flags, size, 3);
  stack.commit();
  cpu.eflags = merged;
  cpu.setSegment(CS, selector, selector << 4, 0xffff, 0xf3);
  cpu.rip = rip;
}

function returnProtected(cpu: Cpu, size: 2 | 4): void {
  const stack = Stack.current(cpu);
  const rip = stack.pop(size), selector = stack.pop(size) & 0xffff, flags = stack.pop(size);
  if (size === 4 && (flags & FLAG.VM) !== 0 && cpu.cpl === 0) {
    returnToVirtual(cpu, stack, rip, selector, flags);
    return;
  }
  const rpl = selector & 3;
  if (isNull(selector)) raise(VECTOR.GP, 0);
  const code = readDescriptor(cpu, selector);
  checkReturnCode(cpu, code, selector);
  if (rip > limitOf(code)) raise(VECTOR.GP, 0);
  if (rpl === cpu.cpl) {
    stack.commit();
    cpu.eflags = returnedFlags(cpu, flags, size);
    markAccessed(cpu, code);
    installSegment(cpu, CS, selector, code);
    cpu.rip = rip;
    return;
  }
  const pointer = stack.pop(size), stackSelector = stack.pop(size) & 0xffff;
  if (isNull(stackSelector)) raise(VECTOR.GP, 0);
  const stackDescriptor = checkStackSegment(cpu, stackSelector, rpl, VECTOR.GP);
  cpu.eflags = returnedFlags(cpu, flags, size);
  returnOuter(cpu, { code, selector, rip, stackDescriptor, stackSelector, pointer });
}

interface OuterReturn {
  readonly code: Descriptor;
  readonly selector: number;
  readonly rip: number;
  readonly stackDescriptor: Descriptor;
  readonly stackSelector: number;
  readonly pointer: number;
}

/** Enters an outer level with its own stack. */
export function returnOuter(cpu: Cpu, r: OuterReturn): void {
  markAccessed(cpu, r.code);
  markAccessed(cpu, r.stackDescriptor);
  cpu.setCpl(r.selector & 3);
  installSegment(cpu, CS, r.selector, r.code);
  installSegment(cpu, SS, r.stackSelector, r.stackDescriptor);
  const mask = cpu.get32(FIELD.stackMask);
  cpu.setReg32(RSP, ((cpu.reg32(RSP) & ~mask) | (r.pointer & mask)) >>> 0);
  dropInnerSegments(cpu);
  cpu.rip = r.rip;
}

function returnToVirtual(cpu: Cpu, stack: Stack, rip: number, selector: number, flags: number): void {
  const pointer = stack.pop(4), stackSelector = stack.pop(4) & 0xffff;
  const es = stack.pop(4), ds = stack.pop(4), fs = stack.pop(4), gs = stack.pop(4);
  cpu.eflags = (flags & 0x3f7fd5) | 2;
  cpu.setCpl(3);
  const selectors = [es, selector, stackSelector, ds, fs, gs];
  selectors.forEach((value, segment) => {
    cpu.setSegment(segment, value & 0xffff, (value & 0xffff) << 4, 0xffff, 0xf3);
  });
  cpu.setReg32(RSP, pointer);
  cpu.rip = rip & 0xffff;
}
