// Far JMP, CALL and RET, SYSENTER and SYSEXIT (SDM 2A CALL, JMP; SDM 2B RET, SYSENTER).
import type { Cpu } from '../cpu.ts';
import { raise, VECTOR } from './faults.ts';
import { CS, FIELD, FLAG, RCX, RDX, RSP, SEGMENT, SS } from '../state/layout.ts';
import {
  attributesOf, baseOf, checkStackSegment, type Descriptor, dplOf, installSegment, isCode, isConforming, isNull, isPresent,
  isSystem, limitOf, markAccessed, readDescriptor, typeOf,
} from './descriptors.ts';
import { innerStack, returnOuter } from './interrupts.ts';
import { checkReturnCode } from './returns.ts';
import { callLongGate, checkOffset, checkWidth, flatSegment, longGateTarget, returnFarLong } from './longMode.ts';
import { Stack } from './stack.ts';
import { switchTask } from './tasks.ts';

type Size = 2 | 4 | 8;

/** JMP ptr16:16/32. `next` is the address behind the instruction. */
export function jumpFar(cpu: Cpu, selector: number, offset: number, next: number): void {
  if (!cpu.usesDescriptors) {
    enterReal(cpu, selector, offset);
    return;
  }
  const d = farTarget(cpu, selector);
  if (isSystem(d) && cpu.isLong) {
    const target = longGateTarget(cpu, d, selector);
    if (!isConforming(target.code) && dplOf(target.code) !== cpu.cpl) raise(VECTOR.GP, target.selector & 0xfffc);
    enterCode(cpu, target.code, (target.selector & 0xfffc) | cpu.cpl, target.offset);
    return;
  }
  if (isSystem(d)) {
    jumpThroughGate(cpu, d, selector, next);
    return;
  }
  checkDirect(cpu, d, selector);
  enterCode(cpu, d, (selector & 0xfffc) | cpu.cpl, offset);
}

/** CALL ptr16:16/32. */
export function callFar(cpu: Cpu, selector: number, offset: number, size: Size, next: number): void {
  if (!cpu.usesDescriptors) {
    if (offset > 0xffff) raise(VECTOR.GP, 0);
    pushReturn(cpu, size, next);
    enterReal(cpu, selector, offset);
    return;
  }
  const d = farTarget(cpu, selector);
  if (isSystem(d) && cpu.isLong) {
    callLongGate(cpu, d, selector, next);
    return;
  }
  if (isSystem(d)) {
    callThroughGate(cpu, d, selector, next);
    return;
  }
  checkDirect(cpu, d, selector);
  checkOffset(cpu, d, offset);
  pushReturn(cpu, size, next);
  enterCode(cpu, d, (selector & 0xfffc) | cpu.cpl, offset);
}

function pushReturn(cpu: Cpu, size: Size, next: number): void {
  const stack = Stack.current(cpu);
  stack.push(cpu.selector(CS), size);
  stack.push(next, size);
  stack.commit();
}

function enterReal(cpu: Cpu, selector: number, offset: number): void {
  const limit = cpu.segmentField(CS, SEGMENT.limit);
  if (offset > limit) raise(VECTOR.GP, 0);
  const attributes = cpu.isVirtual8086 ? 0xf3 : (cpu.segmentField(CS, SEGMENT.attributes) & 0x4000) | 0x93;
  cpu.setSegment(CS, selector, selector << 4, limit, attributes);
  cpu.rip = offset;
}

function farTarget(cpu: Cpu, selector: number): Descriptor {
  if (isNull(selector)) raise(VECTOR.GP, 0);
  return readDescriptor(cpu, selector);
}

function checkDirect(cpu: Cpu, d: Descriptor, selector: number): void {
  const allowed = isConforming(d) ? dplOf(d) <= cpu.cpl : (selector & 3) <= cpu.cpl && dplOf(d) === cpu.cpl;
  if (!isCode(d) || !allowed) raise(VECTOR.GP, selector & 0xfffc);
  checkWidth(cpu, d, selector);
  if (!isPresent(d)) raise(VECTOR.NP, selector & 0xfffc);
}

function enterCode(cpu: Cpu, d: Descriptor, selector: number, offset: number): void {
  checkOffset(cpu, d, offset);
  markAccessed(cpu, d);
  installSegment(cpu, CS, selector, d);
  cpu.rip = offset;
}

const GATE = { callNarrow: 4, task: 5, callWide: 12 } as const;
const isTss = (d: Descriptor): boolean => typeOf(d) === 1 || typeOf(d) === 9;

/** Checks common to call gates and task gates: DPL against CPL and RPL, presence. */
function checkGate(cpu: Cpu, gate: Descriptor, selector: number): void {
  if (dplOf(gate) < cpu.cpl || dplOf(gate) < (selector & 3)) raise(VECTOR.GP, selector & 0xfffc);
  if (!isPresent(gate)) raise(VECTOR.NP, selector & 0xfffc);
}

function taskOf(cpu: Cpu, d: Descriptor, selector: number): number | null {
  if (isTss(d)) {
    if (dplOf(d) < cpu.cpl || dplOf(d) < (selector & 3)) raise(VECTOR.GP, selector & 0xfffc);
    return selector;
  }
  if (typeOf(d) !== GATE.task) return null;
  checkGate(cpu, d, selector);
  return d.low >>> 16;
}

interface GateTarget {
  readonly code: Descriptor;
  readonly selector: number;
  readonly offset: number;
  readonly size: 2 | 4;
}

function gateTarget(cpu: Cpu, gate: Descriptor, selector: number): GateTarget {
  const type = typeOf(gate);
  if (type !== GATE.callNarrow && type !== GATE.callWide) raise(VECTOR.GP, selector & 0xfffc);
  checkGate(cpu, gate, selector);
  const codeSelector = gate.low >>> 16;
  if (isNull(codeSelector)) raise(VECTOR.GP, 0);
  const code = readDescriptor(cpu, codeSelector);
  if (!isCode(code) || dplOf(code) > cpu.cpl) raise(VECTOR.GP, codeSelector & 0xfffc);
  if (!isPresent(code)) raise(VECTOR.NP, codeSelector & 0xfffc);
  const wide = type === GATE.callWide;
  const offset = wide ? ((gate.high & 0xffff0000) | (gate.low & 0xffff)) >>> 0 : gate.low & 0xffff;
  return { code, selector: codeSelector, offset, size: wide ? 4 : 2 };
}

function jumpThroughGate(cpu: Cpu, gate: Descriptor, selector: number, next: number): void {
  const task = taskOf(cpu, gate, selector);
  if (task !== null) {
    switchTask(cpu, task, 'jump', null, next);
    return;
  }
  const target = gateTarget(cpu, gate, selector);
  if (!isConforming(target.code) && dplOf(target.code) !== cpu.cpl) raise(VECTOR.GP, target.selector & 0xfffc);
  enterCode(cpu, target.code, (target.selector & 0xfffc) | cpu.cpl, target.offset);
}

function callThroughGate(cpu: Cpu, gate: Descriptor, selector: number, next: number): void {
  const task = taskOf(cpu, gate, selector);
  if (task !== null) {
    switchTask(cpu, task, 'call', null, next);
    return;
  }
  const target = gateTarget(cpu, gate, selector);
  if (target.offset > limitOf(target.code)) raise(VECTOR.GP, 0);
  const level = dplOf(target.code);
  if (isConforming(target.code) || level === cpu.cpl) {
    pushReturn(cpu, target.size, next);
    enterCode(cpu, target.code, (target.selector & 0xfffc) | cpu.cpl, target.offset);
    return;
  }
  callInner(cpu, target, level, gate.high & 31, next);
}

/** To an inner level: its stack gets the outer one's pointer and a copy of `parameters` words (SDM 3A 5.8.5). */
function callInner(cpu: Cpu, target: GateTarget, level: number, parameters: number, next: number): void {
  const { selector, pointer } = innerStack(cpu, level);
  if (isNull(selector)) raise(VECTOR.TS, 0);
  const d = checkStackSegment(cpu, selector, level, VECTOR.TS);
  const outer = Stack.current(cpu);
  const copied = Array.from({ length: parameters }, (_, index) => outer.peek(index * target.size, target.size));
  const stack = Stack.inner(cpu, baseOf(d), limitOf(d), attributesOf(d), pointer, level === 3, selector);
  stack.push(cpu.selector(SS), target.size);
  stack.push(cpu.reg32(RSP), target.size);
  for (const value of copied.reverse()) stack.push(value, target.size);
  stack.push(cpu.selector(CS), target.size);
  stack.push(next, target.size);
  markAccessed(cpu, d);
  cpu.setCpl(level);
  installSegment(cpu, SS, selector, d);
  stack.commit();
  enterCode(cpu, target.code, (target.selector & 0xfffc) | level, target.offset);
}

/** RETF, releasing `extra` bytes of parameters on both stacks. */
export function returnFar(cpu: Cpu, size: Size, extra: number): void {
  if (cpu.isLong) {
    returnFarLong(cpu, size, extra);
    return;
  }
  const stack = Stack.current(cpu);
  const rip = stack.pop(size), selector = stack.popWords(size)[0] & 0xffff;
  if (!cpu.usesDescriptors) {
    stack.skip(extra);
    enterReal(cpu, selector, rip);
    stack.commit();
    return;
  }
  if (isNull(selector)) raise(VECTOR.GP, 0);
  const code = readDescriptor(cpu, selector);
  checkReturnCode(cpu, code, selector);
  if (rip > limitOf(code)) raise(VECTOR.GP, 0);
  stack.skip(extra);
  if ((selector & 3) === cpu.cpl) {
    stack.commit();
    enterCode(cpu, code, selector, rip);
    return;
  }
  const pointer = stack.pop(size), stackSelector = stack.popWords(size)[0] & 0xffff;
  if (isNull(stackSelector)) raise(VECTOR.GP, 0);
  const stackDescriptor = checkStackSegment(cpu, stackSelector, selector & 3, VECTOR.GP);
  returnOuter(cpu, { code, selector, rip, stackDescriptor, stackSelector, pointer: (pointer + extra) >>> 0 });
}

/** SDM 2B SYSENTER: in IA-32e mode it enters 64-bit code. */
export function sysenter(cpu: Cpu): void {
  const selector = cpu.get32(FIELD.sysenterCs) & 0xfffc;
  if (!cpu.isProtected || selector === 0) raise(VECTOR.GP, 0);
  cpu.set32(FIELD.eflags, cpu.get32(FIELD.eflags) & ~(FLAG.VM | FLAG.IF | FLAG.RF));
  const long = cpu.isLong;
  cpu.setCpl(0);
  flatSegment(cpu, CS, selector, 0, long);
  flatSegment(cpu, SS, selector + 8, 0, long);
  if (long) cpu.setWideSigned(FIELD.gpr + RSP * 8, cpu.getWide(FIELD.sysenterEsp));
  else cpu.setReg32(RSP, cpu.get32(FIELD.sysenterEsp));
  cpu.rip = long ? cpu.getWide(FIELD.sysenterEip) : cpu.get32(FIELD.sysenterEip);
}

/** SDM 2B SYSEXIT: with REX.W to 64-bit code. */
export function sysexit(cpu: Cpu, size: Size): void {
  const selector = cpu.get32(FIELD.sysenterCs) & 0xfffc;
  if (!cpu.isProtected || selector === 0 || cpu.cpl !== 0) raise(VECTOR.GP, 0);
  const to64 = size === 8;
  const stack = to64 ? cpu.canonical(cpu.registerWide(RCX), 1, false) : cpu.reg32(RCX);
  const target = to64 ? cpu.canonical(cpu.registerWide(RDX), 1, false) : cpu.reg32(RDX);
  cpu.setCpl(3);
  flatSegment(cpu, CS, (selector + (to64 ? 32 : 16)) | 3, 3, to64);
  flatSegment(cpu, SS, (selector + (to64 ? 40 : 24)) | 3, 3, to64);
  cpu.setRegisterWide(RSP, stack);
  cpu.rip = target;
}
