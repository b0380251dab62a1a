// Selectors, descriptors and the loading of segment registers (SDM 3A chapters 3 and 5).
import type { Cpu } from '../cpu.ts';
import { raise, VECTOR } from './faults.ts';
import { CS, FIELD, LDTR, SEGMENT, SS } from '../state/layout.ts';

export interface Descriptor {
  readonly selector: number;
  /** Linear address of its 8 bytes. */
  readonly address: number;
  readonly low: number;
  readonly high: number;
}

/** Attribute bits as the segment caches hold them. */
export const attributesOf = (d: Descriptor): number => (d.high >>> 8) & 0xf0ff;
export const typeOf = (d: Descriptor): number => (d.high >>> 8) & 15;
export const isSystem = (d: Descriptor): boolean => (d.high & 0x1000) === 0;
export const isCode = (d: Descriptor): boolean => (d.high & 0x1800) === 0x1800;
export const isConforming = (d: Descriptor): boolean => (d.high & 0x400) !== 0;
export const isPresent = (d: Descriptor): boolean => (d.high & 0x8000) !== 0;
export const dplOf = (d: Descriptor): number => (d.high >>> 13) & 3;
export const baseOf = (d: Descriptor): number =>
  ((d.low >>> 16) | ((d.high & 0xff) << 16) | (d.high & 0xff000000)) >>> 0;
export function limitOf(d: Descriptor): number {
  const limit = (d.low & 0xffff) | (d.high & 0xf0000);
  return (d.high & 0x800000) !== 0 ? ((limit << 12) | 0xfff) >>> 0 : limit;
}

export const isNull = (selector: number): boolean => (selector & 0xfffc) === 0;

/** The descriptor that a selector names, or null where its table ends or does not exist. */
export function findDescriptor(cpu: Cpu, selector: number): Descriptor | null {
  const offset = selector & 0xfff8;
  let base: number, limit: number;
  if ((selector & 4) !== 0) {
    if ((cpu.segmentField(LDTR, SEGMENT.attributes) & 0x80) === 0 || isNull(cpu.selector(LDTR))) return null;
    base = cpu.segmentBase(LDTR);
    limit = cpu.segmentField(LDTR, SEGMENT.limit);
  } else {
    base = cpu.getWide(FIELD.gdtrBase);
    limit = cpu.get32(FIELD.gdtrLimit);
  }
  if (offset + 7 > limit) return null;
  const address = cpu.isLong ? base + offset : (base + offset) >>> 0;
  return { selector, address, low: cpu.readLinear(address, 4), high: cpu.readLinear(address + 4, 4) };
}

/** As findDescriptor; a missing one faults. */
export function readDescriptor(cpu: Cpu, selector: number, vector: number = VECTOR.GP): Descriptor {
  return findDescriptor(cpu, selector) ?? raise(vector, selector & 0xfffc);
}

/** Sets the accessed bit in memory, as loading a code or data segment does. */
export function markAccessed(cpu: Cpu, d: Descriptor): void {
  if ((d.high & 0x100) === 0) cpu.writeLinear(d.address + 5, ((d.high >>> 8) & 0xff) | 1, 1);
}

/** Fills a segment cache from a descriptor. */
export function installSegment(cpu: Cpu, segment: number, selector: number, d: Descriptor): void {
  cpu.setSegment(segment, selector, baseOf(d), limitOf(d), attributesOf(d) | 1);
}

/** Real-address and virtual-8086 mode: the base follows the selector; the rest stays, but in virtual-8086 mode. */
export function loadRealSegment(cpu: Cpu, segment: number, selector: number): void {
  if (cpu.isVirtual8086) {
    cpu.setSegment(segment, selector, selector << 4, 0xffff, 0xf3);
    return;
  }
  const limit = cpu.segmentField(segment, SEGMENT.limit);
  const attributes = segment === CS ? 0x93 | (cpu.segmentField(CS, SEGMENT.attributes) & 0x4000) : 0x93;
  const kept = segment === CS ? attributes : cpu.segmentField(segment, SEGMENT.attributes) | 0x93;
  cpu.setSegment(segment, selector, selector << 4, limit, segment === CS ? attributes : kept);
}

/** MOV, POP and Lxx to a data segment register (SDM 2B MOV); a task switch faults with #TS (SDM 3A table 7-1). */
export function loadSegment(cpu: Cpu, segment: number, selector: number, vector: number = VECTOR.GP): void {
  if (!cpu.usesDescriptors) {
    loadRealSegment(cpu, segment, selector);
    return;
  }
  if (segment === SS) loadStackSegment(cpu, selector);
  else loadDataSegment(cpu, segment, selector, vector);
}

function loadDataSegment(cpu: Cpu, segment: number, selector: number, vector: number): void {
  if (isNull(selector)) {
    cpu.setSegment(segment, selector, 0, 0, 0);
    return;
  }
  const d = readDescriptor(cpu, selector, vector);
  const readable = !isSystem(d) && (!isCode(d) || (typeOf(d) & 2) !== 0);
  if (!readable) raise(vector, selector & 0xfffc);
  const conforming = isCode(d) && isConforming(d);
  if (!conforming && ((selector & 3) > dplOf(d) || cpu.cpl > dplOf(d))) raise(vector, selector & 0xfffc);
  if (!isPresent(d)) raise(VECTOR.NP, selector & 0xfffc);
  markAccessed(cpu, d);
  installSegment(cpu, segment, selector, d);
}

function loadStackSegment(cpu: Cpu, selector: number): void {
  if (isNull(selector) && cpu.is64 && cpu.cpl !== 3 && (selector & 3) === cpu.cpl) {
    cpu.setSegment(SS, selector, 0, 0, 0);
    return;
  }
  if (isNull(selector)) raise(VECTOR.GP, 0);
  const d = checkStackSegment(cpu, selector, cpu.cpl, VECTOR.GP);
  markAccessed(cpu, d);
  installSegment(cpu, SS, selector, d);
}

/** A stack segment for a privilege level: writable data with RPL = DPL = that level. */
export function checkStackSegment(cpu: Cpu, selector: number, cpl: number, vector: number): Descriptor {
  const d = readDescriptor(cpu, selector, vector);
  const writable = !isSystem(d) && !isCode(d) && (typeOf(d) & 2) !== 0;
  if ((selector & 3) !== cpl || !writable || dplOf(d) !== cpl) raise(vector, selector & 0xfffc);
  if (!isPresent(d)) raise(VECTOR.SS, selector & 0xfffc);
  return d;
}

/** On a return to an outer level: data segments that it may not see become null (SDM 2B RET). */
export function dropInnerSegments(cpu: Cpu): void {
  for (const segment of [0, 3, 4, 5]) {
    const attributes = cpu.segmentField(segment, SEGMENT.attributes);
    const conforming = (attributes & 0x1c) === 0x1c;
    if ((attributes & 0x10) !== 0 && !conforming && ((attributes >>> 5) & 3) < cpu.cpl) {
      cpu.setSegment(segment, 0, 0, 0, 0);
    }
  }
}
