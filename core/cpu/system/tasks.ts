// Hardware task switching (SDM 3A 7.3) between 32-bit and 16-bit task-state segments.
import type { Cpu } from '../cpu.ts';
import { raise, VECTOR } from './faults.ts';
import { CS, FIELD, FLAG, LDTR, SEGMENT, SS, TR } from '../state/layout.ts';
import {
  attributesOf, baseOf, checkStackSegment, type Descriptor, findDescriptor, installSegment, isCode, isNull, isPresent, isSystem,
  limitOf, loadSegment, markAccessed, readDescriptor, typeOf, isConforming, dplOf,
} from './descriptors.ts';
import { Stack } from './stack.ts';
import { loadCr3 } from './control.ts';

/** What caused the switch: it decides about the busy flags, NT and the back link. */
export type TaskSwitch = 'jump' | 'call' | 'interrupt' | 'return';

/** Minimum limits of 16- and 32-bit TSSs. */
const MINIMUM = { narrow: 0x2b, wide: 0x67 } as const;
const BUSY = 2;

/** Order of the segment selectors in a TSS. */
const TSS_SEGMENTS = [0, CS, SS, 3, 4, 5];

interface TaskState {
  readonly cr3: number | null;
  readonly rip: number;
  readonly eflags: number;
  readonly registers: readonly number[];
  readonly selectors: readonly number[];
  readonly ldt: number;
}

/** Switches to the task whose TSS `selector` names; the old one continues at `rip` later. Until the switch faults name the instruction. */
export function switchTask(cpu: Cpu, selector: number, kind: TaskSwitch, errorCode: number | null, rip: number): void {
  const vector = kind === 'return' ? VECTOR.TS : VECTOR.GP;
  if ((selector & 4) !== 0 || isNull(selector)) raise(vector, selector & 0xfffc);
  const tss = readDescriptor(cpu, selector, vector);
  const type = typeOf(tss);
  const expected = kind === 'return' ? [3, 11] : [1, 9];
  if (!isSystem(tss) || !expected.includes(type)) raise(vector, selector & 0xfffc);
  if (!isPresent(tss)) raise(VECTOR.NP, selector & 0xfffc);
  const wide = (type & 8) !== 0;
  if (limitOf(tss) < (wide ? MINIMUM.wide : MINIMUM.narrow)) raise(VECTOR.TS, selector & 0xfffc);
  const oldTss = cpu.selector(TR), base = baseOf(tss);
  const next = readTask(cpu, base, wide);
  saveTask(cpu, kind, rip);
  if (kind === 'jump' || kind === 'return') setBusy(cpu, oldTss, false);
  if (kind !== 'return') cpu.writeLinear(tss.address + 5, ((tss.high >>> 8) & 0xff) | BUSY, 1);
  if (kind === 'call' || kind === 'interrupt') cpu.writeLinear(base, oldTss, 2);
  cpu.setSegment(TR, selector, base, limitOf(tss), attributesOf(tss) | BUSY);
  cpu.set32(FIELD.cr0, cpu.cr0 | 8);
  loadTask(cpu, next, kind);
  if (errorCode !== null) {
    const stack = Stack.current(cpu);
    stack.push(errorCode, wide ? 4 : 2);
    stack.commit();
  }
  if (wide && (cpu.readLinear(base + 100, 2) & 1) !== 0) {
    cpu.set32(FIELD.pendingDebug, cpu.get32(FIELD.pendingDebug) | 0x8000);
  }
}

function setBusy(cpu: Cpu, selector: number, busy: boolean): void {
  const d = findDescriptor(cpu, selector);
  if (d === null) return;
  const access = (d.high >>> 8) & 0xff;
  cpu.writeLinear(d.address + 5, busy ? access | BUSY : access & ~BUSY, 1);
}

/** Saves the dynamic fields of the current task (SDM 3A 7.2.1). */
function saveTask(cpu: Cpu, kind: TaskSwitch, rip: number): void {
  const base = cpu.segmentBase(TR);
  const wide = (cpu.segmentField(TR, SEGMENT.attributes) & 8) !== 0;
  const flags = kind === 'return' ? cpu.eflags & ~FLAG.NT : cpu.eflags;
  const size = wide ? 4 : 2;
  const first = wide ? 0x20 : 0x0e;
  cpu.writeLinear(base + first, rip, size);
  cpu.writeLinear(base + first + size, flags, size);
  for (let index = 0; index < 8; index++) cpu.writeLinear(base + first + size * (2 + index), cpu.reg32(index), size);
  const count = wide ? 6 : 4;
  for (let index = 0; index < count; index++) {
    cpu.writeLinear(base + first + size * (10 + index), cpu.selector(TSS_SEGMENTS[index]), 2);
  }
}

function readTask(cpu: Cpu, base: number, wide: boolean): TaskState {
  const size = wide ? 4 : 2;
  const first = wide ? 0x20 : 0x0e;
  const at = (index: number): number => cpu.readLinear(base + first + size * index, size);
  const selectors = [10, 11, 12, 13].map((index) => at(index) & 0xffff);
  if (wide) selectors.push(at(14) & 0xffff, at(15) & 0xffff);
  else selectors.push(0, 0);
  return {
    cr3: wide ? cpu.readLinear(base + 0x1c, 4) : null,
    rip: at(0),
    eflags: at(1),
    registers: [2, 3, 4, 5, 6, 7, 8, 9].map((index) => (wide ? at(index) : 0xffff0000 | at(index)) >>> 0),
    selectors,
    ldt: at(wide ? 16 : 14) & 0xffff,
  };
}

/** From here on faults belong to the new task. */
function loadTask(cpu: Cpu, next: TaskState, kind: TaskSwitch): void {
  if (next.cr3 !== null && (cpu.cr0 & 0x80000000) !== 0) loadCr3(cpu, next.cr3);
  cpu.rip = next.rip;
  const nested = kind === 'call' || kind === 'interrupt' ? FLAG.NT : 0;
  cpu.eflags = next.eflags | nested | 2;
  next.registers.forEach((value, index) => cpu.setReg32(index, value));
  for (let segment = 0; segment < 6; segment++) cpu.setSegment(segment, next.selectors[segment], 0, 0, 0);
  loadTaskLdt(cpu, next.ldt);
  if ((next.eflags & FLAG.VM) !== 0) {
    cpu.setCpl(3);
    next.selectors.forEach((selector, segment) => cpu.setSegment(segment, selector, selector << 4, 0xffff, 0xf3));
    return;
  }
  const codeSelector = next.selectors[CS];
  cpu.setCpl(codeSelector & 3);
  const stack = checkStackSegment(cpu, next.selectors[SS], codeSelector & 3, VECTOR.TS);
  installSegment(cpu, SS, next.selectors[SS], stack);
  const code = taskCode(cpu, codeSelector);
  markAccessed(cpu, code);
  installSegment(cpu, CS, codeSelector, code);
  for (const segment of [0, 3, 4, 5]) loadSegment(cpu, segment, next.selectors[segment], VECTOR.TS);
  if (next.rip > cpu.segmentField(CS, SEGMENT.limit)) raise(VECTOR.GP, 0);
}

function taskCode(cpu: Cpu, selector: number): Descriptor {
  const code = readDescriptor(cpu, selector, VECTOR.TS);
  const rpl = selector & 3;
  const bad = !isCode(code) || (isConforming(code) ? dplOf(code) > rpl : dplOf(code) !== rpl);
  if (bad) raise(VECTOR.TS, selector & 0xfffc);
  if (!isPresent(code)) raise(VECTOR.NP, selector & 0xfffc);
  return code;
}

function loadTaskLdt(cpu: Cpu, selector: number): void {
  if (isNull(selector)) {
    cpu.setSegment(LDTR, selector, 0, 0, 0);
    return;
  }
  const d = (selector & 4) === 0 ? findDescriptor(cpu, selector) : null;
  if (d === null || !isSystem(d) || typeOf(d) !== 2 || !isPresent(d)) return raise(VECTOR.TS, selector & 0xfffc);
  cpu.setSegment(LDTR, selector, baseOf(d), limitOf(d), attributesOf(d));
}
