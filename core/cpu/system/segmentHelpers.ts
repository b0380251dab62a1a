// Segment registers, descriptor tables and the instructions that look at descriptors.
import type { Cpu } from '../cpu.ts';
import { raise, VECTOR } from './faults.ts';
import { fromHalves } from '../state/addresses.ts';
import { CR4 } from '../state/cpuModels.ts';
import { CS, FIELD, FLAG, HELPER, LDTR, SS, TR } from '../state/layout.ts';
import {
  attributesOf, baseOf, dplOf, findDescriptor, isCode, isConforming, isNull, isPresent, isSystem, limitOf, loadSegment,
  readDescriptor, typeOf, type Descriptor,
} from './descriptors.ts';
import type { HelperBody } from './helpers.ts';
import { upperDescriptor } from './longMode.ts';
import type { Operands } from './operands.ts';
import { Stack } from './stack.ts';

function requireDescriptors(cpu: Cpu): void {
  if (!cpu.usesDescriptors) raise(VECTOR.UD);
}
/** A policy may keep tables and machine status from user mode, as CR4.UMIP does (SDM 3A 2.5). */
export function requireTrusted(cpu: Cpu): void {
  if (cpu.cpl === 3 && (cpu.strictUserMode || (cpu.cr4 & CR4.UMIP) !== 0)) raise(VECTOR.GP, 0);
}
function requireKernel(cpu: Cpu): void {
  if (cpu.cpl !== 0) raise(VECTOR.GP, 0);
}

/** Loading SS holds interrupts off for one instruction (SDM 2B MOV). */
function afterLoad(cpu: Cpu, o: Operands, segment: number): number {
  cpu.host.exit('segment', cpu.selector(segment), segment);
  if (segment !== SS) return HELPER.next;
  cpu.trapSuppressed = true;
  cpu.shadowAt = o.next;
  cpu.debugShadow = (cpu.get32(FIELD.dr + 7 * 8) & 0xff) !== 0;
  if (cpu.get32(FIELD.interruptPending) === 0 && !cpu.debugShadow) return HELPER.next;
  cpu.interruptShadow = true;
  cpu.rip = o.next;
  return HELPER.exit;
}

const moveToSegment: HelperBody = (cpu, o) => {
  const segment = o.reg;
  if (segment === CS || segment > 5) raise(VECTOR.UD);
  loadSegment(cpu, segment, o.readE(2));
  return afterLoad(cpu, o, segment);
};

function storeSelectorValue(o: Operands, value: number): void {
  if (o.specification.memory) o.writeE(value, 2);
  else o.setRegister(o.b, value, o.width);
}

/** To memory always 16 bits; to a register zero-extended. */
const moveFromSegment: HelperBody = (cpu, o) => {
  if (o.reg > 5) raise(VECTOR.UD);
  storeSelectorValue(o, cpu.selector(o.reg));
};

const pushSegment =
  (segment: number): HelperBody =>
  (cpu, o) => {
    const stack = Stack.current(cpu);
    if (o.width !== 4) stack.push(cpu.selector(segment), o.width);
    else {
      // Silicon writes the low half of the doubleword only.
      stack.skip(-4);
      const probe = Stack.current(cpu);
      probe.pointer = stack.pointer + 2;
      probe.push(cpu.selector(segment), 2);
    }
    stack.commit();
  };

const popSegment =
  (segment: number): HelperBody =>
  (cpu, o) => {
    const stack = Stack.current(cpu);
    const selector = stack.peek(0, 2);
    stack.skip(o.width);
    const before = Stack.current(cpu);
    stack.commit();
    try {
      loadSegment(cpu, segment, selector);
    } catch (error) {
      before.commit();
      throw error;
    }
    return afterLoad(cpu, o, segment);
  };

/** POP to memory: the address is computed with the stack pointer already moved (SDM 2B POP). */
const popMemory: HelperBody = (cpu, o) => {
  const stack = Stack.current(cpu), before = Stack.current(cpu);
  const [low, high] = stack.popWords(o.width);
  stack.commit();
  try {
    o.writeWords(low, high, o.width);
  } catch (error) {
    before.commit();
    throw error;
  }
};

const loadFarPointer =
  (segment: number): HelperBody =>
  (cpu, o) => {
    const words = o.readWords(0, o.width), selector = o.readM(o.width, 2);
    loadSegment(cpu, segment, selector);
    o.setWords(o.a, words, o.width);
    return afterLoad(cpu, o, segment);
  };

function storeTable(cpu: Cpu, o: Operands, base: number, limit: number): void {
  requireTrusted(cpu);
  cpu.host.exit('descriptor-table', cpu.get32(base), cpu.get32(limit), base === FIELD.gdtrBase ? 0 : 1, 0);
  o.writeM(0, cpu.get32(limit) & 0xffff, 2);
  o.writeM(2, cpu.get32(base), 4);
  if (cpu.is64) o.writeM(6, cpu.get32(base + 4), 4);
}

function loadTable(cpu: Cpu, o: Operands, base: number, limit: number): void {
  requireKernel(cpu);
  const newLimit = o.readM(0, 2), newBase = cpu.is64 ? cpu.canonical(o.readWide(2), 1, false) : o.readM(2, 4);
  cpu.host.exit('descriptor-table', newBase, newLimit, base === FIELD.gdtrBase ? 0 : 1, 1);
  cpu.set32(limit, newLimit);
  cpu.setWideSigned(base, o.size === 2 && !cpu.is64 ? newBase & 0xffffff : newBase);
}

const loadLdtr: HelperBody = (cpu, o) => {
  requireDescriptors(cpu);
  requireKernel(cpu);
  const selector = o.readE(2);
  cpu.host.exit('descriptor-table', selector, 0, 2, 1);
  if (isNull(selector)) {
    cpu.setSegment(LDTR, selector, 0, 0, 0);
    return;
  }
  const d = tableDescriptor(cpu, selector);
  if (!isSystem(d) || typeOf(d) !== 2) raise(VECTOR.GP, selector & 0xfffc);
  if (!isPresent(d)) raise(VECTOR.NP, selector & 0xfffc);
  cpu.setSegment(LDTR, selector, systemBase(cpu, d), limitOf(d), attributesOf(d));
};

/** Base of an LDT or TSS: in IA-32e mode its descriptor has 16 bytes (SDM 3A 7.2.3). */
function systemBase(cpu: Cpu, d: Descriptor): number {
  if (!cpu.isLong) return baseOf(d);
  const [upper, type] = upperDescriptor(cpu, d, d.selector);
  if ((type & 0x1f00) !== 0) raise(VECTOR.GP, d.selector & 0xfffc);
  return cpu.canonical(fromHalves(baseOf(d), upper), 1, false);
}

/** LDTR and TR name the GDT only. */
function tableDescriptor(cpu: Cpu, selector: number): Descriptor {
  if ((selector & 4) !== 0) raise(VECTOR.GP, selector & 0xfffc);
  return readDescriptor(cpu, selector);
}

const loadTr: HelperBody = (cpu, o) => {
  requireDescriptors(cpu);
  requireKernel(cpu);
  const selector = o.readE(2);
  cpu.host.exit('descriptor-table', selector, 0, 3, 1);
  if (isNull(selector)) raise(VECTOR.GP, 0);
  const d = tableDescriptor(cpu, selector);
  if (!isSystem(d) || (typeOf(d) !== 9 && (typeOf(d) !== 1 || cpu.isLong))) raise(VECTOR.GP, selector & 0xfffc);
  if (!isPresent(d)) raise(VECTOR.NP, selector & 0xfffc);
  const base = systemBase(cpu, d);
  cpu.writeLinear(d.address + 5, ((d.high >>> 8) & 0xff) | 2, 1);
  cpu.setSegment(TR, selector, base, limitOf(d), attributesOf(d) | 2);
};

function setZero(cpu: Cpu, value: boolean): void {
  cpu.setArithmeticFlags(value ? cpu.eflags | FLAG.ZF : cpu.eflags & ~FLAG.ZF);
}

/** The descriptor if CPL and RPL may see it (LAR, LSL, VERR, VERW). */
function visibleDescriptor(cpu: Cpu, selector: number): Descriptor | null {
  if (isNull(selector)) return null;
  const d = findDescriptor(cpu, selector);
  if (d === null) return null;
  const conforming = isCode(d) && isConforming(d);
  return conforming || (dplOf(d) >= cpu.cpl && dplOf(d) >= (selector & 3)) ? d : null;
}

const verify =
  (write: boolean): HelperBody =>
  (cpu, o) => {
    requireDescriptors(cpu);
    const d = visibleDescriptor(cpu, o.readE(2));
    if (d === null || isSystem(d)) setZero(cpu, false);
    else if (write) setZero(cpu, !isCode(d) && (typeOf(d) & 2) !== 0);
    else setZero(cpu, !isCode(d) || (typeOf(d) & 2) !== 0);
  };

/** System types that LAR and LSL accept (SDM 2A LAR, LSL). */
const LAR_TYPES = new Set([1, 2, 3, 4, 5, 9, 11, 12]);
const LSL_TYPES = new Set([1, 2, 3, 9, 11]);
/** In IA-32e mode there are no 16-bit ones and no task gates (SDM 2A table 3-55). */
const LONG_LAR_TYPES = new Set([2, 9, 11, 12]);
const LONG_LSL_TYPES = new Set([2, 9, 11]);

const describe =
  (legacyTypes: ReadonlySet<number>, longTypes: ReadonlySet<number>, value: (d: Descriptor) => number): HelperBody =>
  (cpu, o) => {
    requireDescriptors(cpu);
    const d = visibleDescriptor(cpu, o.readE(2));
    const types = cpu.isLong ? longTypes : legacyTypes;
    const known = d !== null && (!isSystem(d) || types.has(typeOf(d)));
    if (known) o.setRegister(o.a, value(d), o.width);
    setZero(cpu, known);
  };

const adjustRpl: HelperBody = (cpu, o) => {
  requireDescriptors(cpu);
  const target = o.readE(2), source = o.register(o.a, 2);
  const raises = (target & 3) < (source & 3);
  // Silicon writes only then: a page that may not be written is no fault otherwise.
  if (raises) o.writeE((target & 0xfffc) | (source & 3), 2);
  setZero(cpu, raises);
};

const storeSelector =
  (segment: number): HelperBody =>
  (cpu, o) => {
    requireDescriptors(cpu);
    requireTrusted(cpu);
    cpu.host.exit('descriptor-table', cpu.selector(segment), 0, segment === LDTR ? 2 : 3, 0);
    storeSelectorValue(o, cpu.selector(segment));
  };

const perSegment = (name: string, make: (segment: number) => HelperBody): Record<string, HelperBody> =>
  Object.fromEntries([0, 1, 2, 3, 4, 5].map((segment) => [`${name}${segment}`, make(segment)]));

export const segmentHelpers: Readonly<Record<string, HelperBody>> = {
  moveToSegment,
  moveFromSegment,
  popMemory,
  ...perSegment('pushSegment', pushSegment),
  ...perSegment('popSegment', popSegment),
  ...perSegment('loadFarPointer', loadFarPointer),
  storeGdtr: (cpu, o) => storeTable(cpu, o, FIELD.gdtrBase, FIELD.gdtrLimit),
  storeIdtr: (cpu, o) => storeTable(cpu, o, FIELD.idtrBase, FIELD.idtrLimit),
  loadGdtr: (cpu, o) => loadTable(cpu, o, FIELD.gdtrBase, FIELD.gdtrLimit),
  loadIdtr: (cpu, o) => loadTable(cpu, o, FIELD.idtrBase, FIELD.idtrLimit),
  loadLdtr,
  loadTr,
  storeLdtr: storeSelector(LDTR),
  storeTr: storeSelector(TR),
  verifyRead: verify(false),
  verifyWrite: verify(true),
  /** Bits 16 to 19, undefined in the manual, follow silicon: those of the limit (SDM 2A LAR). */
  loadAccessRights: describe(LAR_TYPES, LONG_LAR_TYPES, (d) => d.high & 0x00ffff00),
  loadSegmentLimit: describe(LSL_TYPES, LONG_LSL_TYPES, limitOf),
  adjustRpl,
};
