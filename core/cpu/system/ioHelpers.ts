// Port input and output (SDM 1 chapter 19).
import type { Cpu } from '../cpu.ts';
import { raise, VECTOR } from './faults.ts';
import { FIELD, FLAG, HELPER, RAX, RCX, RDI, RDX, RSI, SEGMENT, TR } from '../state/layout.ts';
import { checkPortBreakpoints } from './debugRegisters.ts';
import type { HelperBody } from './helpers.ts';
import type { Operands } from './operands.ts';

type Size = 1 | 2 | 4;

/** IOPL, then the TSS's I/O permission bitmap (SDM 1 19.5). */
export function checkPort(cpu: Cpu, port: number, size: Size): void {
  checkPortBreakpoints(cpu, port, size);
  if (!cpu.isProtected || (cpu.cpl <= cpu.iopl && !cpu.isVirtual8086)) return;
  const base = cpu.segmentBase(TR), limit = cpu.segmentField(TR, SEGMENT.limit);
  const wide = (cpu.segmentField(TR, SEGMENT.attributes) & 0x88) === 0x88;
  if (!wide || limit < 103) raise(VECTOR.GP, 0);
  const at = cpu.readLinear(base + 102, 2) + (port >>> 3);
  if (at + 1 > limit) raise(VECTOR.GP, 0);
  const bits = cpu.readLinear(base + at, 2) >>> (port & 7);
  if ((bits & ((1 << size) - 1)) !== 0) raise(VECTOR.GP, 0);
}

/** After a device access: leave if it raised an interrupt, stopped or reset the machine. */
function afterAccess(cpu: Cpu, o: Operands, port: number, value: number, size: Size, write: 0 | 1): number {
  cpu.host.exit('port', port, value, size, write);
  if (cpu.jumpRequested) {
    cpu.jumpRequested = false;
    return HELPER.exit;
  }
  const interrupt = cpu.get32(FIELD.interruptPending) !== 0 && (cpu.get32(FIELD.eflags) & FLAG.IF) !== 0;
  if (!interrupt && !cpu.leaveRequested && cpu.get32(FIELD.pendingDebug) === 0) return HELPER.next;
  cpu.rip = o.next;
  return HELPER.exit;
}

const widthOf = (o: Operands): Size => (o.specification.row.operands[0].endsWith('AL') || o.specification.size === 8 ? 1 : o.size);

function input(cpu: Cpu, o: Operands, port: number): number {
  const size = widthOf(o);
  checkPort(cpu, port, size);
  const value = cpu.host.portRead(port, size);
  o.setRegister(RAX * 8, value >>> 0, size);
  return afterAccess(cpu, o, port, value >>> 0, size, 0);
}

function output(cpu: Cpu, o: Operands, port: number): number {
  const size = widthOf(o);
  checkPort(cpu, port, size);
  const value = o.register(RAX * 8, size);
  cpu.host.portWrite(port, value, size);
  return afterAccess(cpu, o, port, value, size, 1);
}

const step = (cpu: Cpu, size: Size): number => ((cpu.get32(FIELD.eflags) & FLAG.DF) !== 0 ? -size : size);

function advance(o: Operands, index: number, by: number): void {
  const size = o.addressSize;
  const sum = o.register(index * 8, size) + by;
  o.setRegister(index * 8, size === 8 ? sum : sum >>> 0, size);
}

/** INS: the destination is checked before the device is read. */
function inputElement(cpu: Cpu, o: Operands): number {
  const size = widthOf(o), port = cpu.reg16(RDX);
  checkPort(cpu, port, size);
  const target = cpu.linearAddress(0, o.register(RDI * 8, o.addressSize), size, true);
  cpu.probeWrite(target, size);
  const value = cpu.host.portRead(port, size);
  cpu.writeLinear(target, value, size, cpu.userAccess);
  advance(o, RDI, step(cpu, size));
  return value;
}

function outputElement(cpu: Cpu, o: Operands): number {
  const size = widthOf(o), port = cpu.reg16(RDX);
  checkPort(cpu, port, size);
  const value = cpu.readSegment(o.segment, o.register(RSI * 8, o.addressSize), size);
  cpu.host.portWrite(port, value, size);
  advance(o, RSI, step(cpu, size));
  return value;
}

/** Elements before the loop is left to look for interrupts. */
const ELEMENTS_PER_TURN = 1024;

type Element = (cpu: Cpu, o: Operands) => number;

function single(cpu: Cpu, o: Operands, element: Element, write: 0 | 1): number {
  return afterAccess(cpu, o, cpu.reg16(RDX), element(cpu, o), widthOf(o), write);
}

function repeated(cpu: Cpu, o: Operands, element: Element, write: 0 | 1): number {
  let value = 0;
  // The permission counts even where no element does.
  checkPort(cpu, cpu.reg16(RDX), widthOf(o));
  const traps = (cpu.get32(FIELD.eflags) & FLAG.TF) !== 0 || (cpu.get32(FIELD.dr + 7 * 8) & 0xff) !== 0;
  const turns = traps ? 1 : ELEMENTS_PER_TURN;
  for (let turn = 0; turn < turns; turn++) {
    const count = o.register(RCX * 8, o.addressSize);
    if (count === 0) return afterAccess(cpu, o, cpu.reg16(RDX), value, widthOf(o), write);
    value = element(cpu, o);
    o.setRegister(RCX * 8, count - 1, o.addressSize);
  }
  cpu.host.exit('port', cpu.reg16(RDX), value, widthOf(o), write);
  return o.register(RCX * 8, o.addressSize) === 0 ? HELPER.next : HELPER.exit;
}

export const ioHelpers: Readonly<Record<string, HelperBody>> = {
  inImmediate: (cpu, o) => input(cpu, o, o.imm & 0xff),
  outImmediate: (cpu, o) => output(cpu, o, o.imm & 0xff),
  inDx: (cpu, o) => input(cpu, o, cpu.reg16(RDX)),
  outDx: (cpu, o) => output(cpu, o, cpu.reg16(RDX)),
  inString: (cpu, o) => single(cpu, o, inputElement, 0),
  outString: (cpu, o) => single(cpu, o, outputElement, 1),
  inStringRepeated: (cpu, o) => repeated(cpu, o, inputElement, 0),
  outStringRepeated: (cpu, o) => repeated(cpu, o, outputElement, 1),
};
