// The GDT, LDT and IDT, the real-mode vector table and the current TSS (SDM 3A 3.5, 6.10, 7.2; SDM 3A 20.1.4).
import type { DescriptorTable } from '../api/debug.ts';
import type { ResponseOf } from '../api/definition.ts';
import type { debugMethods } from '../api/debug.ts';
import { FIELD, LDTR, SEGMENT, TR } from '../cpu/state/layout.ts';
import type { CpuTarget } from './cpuTarget.ts';
import { attributesText, descriptorType, isGate } from './descriptorText.ts';
import { hexOf, unsignedAddress } from './numberText.ts';
import type { AddressNamer } from './registerView.ts';

export type TaskState = ResponseOf<(typeof debugMethods)['debug.taskState']>;
type Entry = DescriptorTable['entries'][number];

const DESCRIPTORS = 8192;
const VECTORS = 256;
const EFER_LMA = 0x400;

export const exceptionNames = [
  '#DE divide error', '#DB debug', 'NMI', '#BP breakpoint', '#OF overflow', '#BR bound range', '#UD invalid opcode', '#NM no x87',
  '#DF double fault', 'x87 segment overrun', '#TS invalid TSS', '#NP segment not present', '#SS stack fault', '#GP general protection',
  '#PF page fault', 'reserved', '#MF x87 error', '#AC alignment', '#MC machine check', '#XM SIMD error',
] as const;

interface Table {
  readonly base: bigint;
  readonly limit: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly problems: string[];
  /** Entries that are there as a whole. */
  readonly count: number;
  isMapped(offset: number, length: number): boolean;
}

function readTable(target: CpuTarget, base: bigint, limit: number, entryBytes: number, most: number): Table {
  const problems: string[] = [];
  const whole = Math.floor((limit + 1) / entryBytes);
  const count = Math.min(whole, most);
  if (limit + 1 < entryBytes) problems.push('the limit leaves room for no entry');
  else if ((limit + 1) % entryBytes !== 0) problems.push(`the limit cuts the last entry short (${(limit + 1) % entryBytes} of ${entryBytes} bytes)`);
  if (whole > most) problems.push(`the limit leaves room for ${whole} entries, the CPU uses ${most}`);
  const length = count * entryBytes;
  const { bytes, unmapped } = target.memory.readPartly('linear', base, length);
  if (unmapped.length > 0) {
    const missing = unmapped.reduce((sum, { from, to }) => sum + to - from, 0);
    problems.push(missing === length ? 'the table is not in memory' : `${missing} bytes of the table are not in memory`);
  }
  const isMapped = (offset: number, size: number): boolean => !unmapped.some(({ from, to }) => offset < to && offset + size > from);
  return { base, limit, bytes, view: new DataView(bytes.buffer), problems, count, isMapped };
}

/** `debug.descriptors`. Empty entries are left out, but the GDT's null descriptor. */
export function descriptorTable(target: CpuTarget, table: 'gdt' | 'ldt' | 'idt', symbol: AddressNamer): DescriptorTable {
  if (table === 'idt') return target.cpu.isProtected ? gateTable(target, symbol) : vectorTable(target, symbol);
  const { cpu } = target;
  const isGlobal = table === 'gdt';
  if (!isGlobal && ((cpu.segmentField(LDTR, SEGMENT.attributes) & 0x80) === 0 || (cpu.selector(LDTR) & 0xfffc) === 0)) {
    return { table, base: '0', limit: '0', entries: [], problem: 'there is no LDT: LDTR is null' };
  }
  const base = unsignedAddress(isGlobal ? cpu.getWide(FIELD.gdtrBase) : cpu.segmentBase(LDTR));
  const limit = isGlobal ? cpu.get32(FIELD.gdtrLimit) & 0xffff : cpu.segmentField(LDTR, SEGMENT.limit);
  const read = readTable(target, base, limit, 8, DESCRIPTORS);
  const entries: Entry[] = [];
  const long = (cpu.get32(FIELD.efer) & EFER_LMA) !== 0;
  for (let index = 0; index < read.count; index++) {
    const entry = descriptorEntry(target, read, index, isGlobal, long, symbol);
    if (entry === null) continue;
    entries.push(entry);
    // In long mode LDT, TSS and gate descriptors take two places.
    if (long && entry.raw.length === 32) index++;
  }
  return tableView(table, read, entries);
}

const tableView = (table: DescriptorTable['table'], read: Table, entries: Entry[]): DescriptorTable => ({
  table, base: hexOf(read.base, 8), limit: hexOf(read.limit, 4), entries, problem: read.problems.join('; ') || null,
});

function descriptorEntry(
  target: CpuTarget, table: Table, index: number, isGlobal: boolean, long: boolean, symbol: AddressNamer,
): Entry | null {
  const at = index * 8;
  if (!table.isMapped(at, 8)) return null;
  const low = table.view.getUint32(at, true), high = table.view.getUint32(at + 4, true);
  const isNull = isGlobal && index === 0;
  if (low === 0 && high === 0 && !isNull) return null;
  const attributes = (high >>> 8) & 0xf0ff;
  const common = {
    index, selector: hexOf(index * 8 + (isGlobal ? 0 : 4), 4), raw: hexOf((BigInt(high) << 32n) | BigInt(low), 16),
    present: (attributes & 0x80) !== 0, privilege: (attributes >>> 5) & 3,
  };
  if (isNull) return { ...common, type: 'null', base: null, limit: null, target: null, flags: '' };
  const isSystem = (attributes & 0x10) === 0;
  const wide = long && isSystem && at + 16 <= table.bytes.length && table.isMapped(at, 16);
  const upper = wide ? table.view.getUint32(at + 8, true) : 0;
  const raw = wide ? hexOf((BigInt(upper) << 64n) | BigInt(`0x${common.raw}`), 32) : common.raw;
  const type = descriptorType(attributes, long);
  if (isGate(attributes)) {
    const gate = gateTarget(target, low, high, upper, symbol);
    const parameters = [4, 12].includes(attributes & 15) && (high & 31) !== 0 ? `, ${high & 31} parameters` : '';
    return { ...common, raw, type, base: null, limit: null, target: gate, flags: attributesText(attributes) + parameters };
  }
  const base = BigInt(((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000)) >>> 0) | (BigInt(upper) << 32n);
  const short = (low & 0xffff) | (high & 0xf0000);
  const limit = (high & 0x800000) !== 0 ? ((short << 12) | 0xfff) >>> 0 : short;
  return { ...common, raw, type, base: hexOf(base, 8), limit: hexOf(limit, 8), target: null, flags: attributesText(attributes) };
}

/** `0060:c0101234 do_page_fault` for what a gate leads to. */
function gateTarget(target: CpuTarget, low: number, high: number, upper: number, symbol: AddressNamer): string {
  const selector = low >>> 16;
  const type = (high >>> 8) & 15;
  if (type === 5) return `task ${hexOf(selector, 4)}`;
  const narrow = type < 8;
  const offset = BigInt(narrow ? low & 0xffff : ((low & 0xffff) | (high & 0xffff0000)) >>> 0) | (BigInt(upper) << 32n);
  const base = codeBase(target, selector);
  const name = base === null ? null : symbol(upper === 0 ? BigInt.asUintN(32, base + offset) : base + offset);
  return `${hexOf(selector, 4)}:${hexOf(offset, narrow ? 4 : 8)}${name === null ? '' : ` ${name}`}`;
}

/** Base of the code segment that a selector names, without loading it. */
function codeBase(target: CpuTarget, selector: number): bigint | null {
  const { cpu } = target;
  const isLocal = (selector & 4) !== 0;
  const base = isLocal ? cpu.segmentBase(LDTR) : cpu.getWide(FIELD.gdtrBase);
  const limit = isLocal ? cpu.segmentField(LDTR, SEGMENT.limit) : cpu.get32(FIELD.gdtrLimit);
  const offset = selector & 0xfff8;
  if (offset + 7 > limit) return null;
  const bytes = target.memory.read('linear', unsignedAddress(base + offset), 8);
  if (bytes === null) return null;
  const view = new DataView(bytes.buffer);
  const low = view.getUint32(0, true), high = view.getUint32(4, true);
  return BigInt(((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000)) >>> 0);
}

const vectorName = (vector: number): string => exceptionNames[vector] ?? (vector < 32 ? 'reserved' : 'interrupt');

function gateTable(target: CpuTarget, symbol: AddressNamer): DescriptorTable {
  const { cpu } = target;
  const long = (cpu.get32(FIELD.efer) & EFER_LMA) !== 0;
  const size = long ? 16 : 8;
  const read = readTable(target, unsignedAddress(cpu.getWide(FIELD.idtrBase)), cpu.get32(FIELD.idtrLimit) & 0xffff, size, VECTORS);
  const entries: Entry[] = [];
  for (let vector = 0; vector < read.count; vector++) {
    const at = vector * size;
    if (!read.isMapped(at, size)) continue;
    const low = read.view.getUint32(at, true), high = read.view.getUint32(at + 4, true);
    const upper = long ? read.view.getUint32(at + 8, true) : 0;
    if (low === 0 && high === 0) continue;
    const attributes = (high >>> 8) & 0xff;
    const valid = (attributes & 0x10) === 0 && [5, 6, 7, 14, 15].includes(attributes & 15);
    const wideRaw = (BigInt(upper) << 64n) | (BigInt(high) << 32n) | BigInt(low);
    entries.push({
      index: vector, selector: hexOf(low >>> 16, 4), raw: hexOf(wideRaw, size * 2),
      type: valid ? descriptorType(attributes, long) : `${descriptorType(attributes, long)}: no gate, its use faults`,
      present: (attributes & 0x80) !== 0, privilege: (attributes >>> 5) & 3, base: null, limit: null,
      target: isGate(attributes) ? gateTarget(target, low, high, upper, symbol) : null,
      flags: `${vectorName(vector)}; ${attributesText(attributes)}`,
    });
  }
  return tableView('idt', read, entries);
}

/** Real mode: four bytes a vector, offset and segment. */
function vectorTable(target: CpuTarget, symbol: AddressNamer): DescriptorTable {
  const { cpu } = target;
  const read = readTable(target, unsignedAddress(cpu.getWide(FIELD.idtrBase)), cpu.get32(FIELD.idtrLimit) & 0xffff, 4, VECTORS);
  const entries: Entry[] = [];
  for (let vector = 0; vector < read.count; vector++) {
    if (!read.isMapped(vector * 4, 4)) continue;
    const raw = read.view.getUint32(vector * 4, true);
    if (raw === 0) continue;
    const offset = raw & 0xffff, segment = raw >>> 16;
    const name = symbol(BigInt(segment * 16 + offset));
    entries.push({
      index: vector, selector: hexOf(segment, 4), raw: hexOf(raw, 8), type: 'real-mode vector', present: true, privilege: 0,
      base: null, limit: null, target: `${hexOf(segment, 4)}:${hexOf(offset, 4)}${name === null ? '' : ` ${name}`}`, flags: vectorName(vector),
    });
  }
  // The default limit of 64 KiB is no mistake here.
  const problems = read.problems.filter((problem) => !problem.startsWith('the limit leaves room for') || read.count === 0);
  return { ...tableView('ivt', read, entries), problem: problems.join('; ') || null };
}

type FieldSpec = readonly [name: string, offset: number, size: 2 | 4 | 8, kind: 'code' | 'selector' | 'stack' | 'plain'];

const general32: readonly FieldSpec[] = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'].map((name, n) => [name, 40 + n * 4, 4, 'plain']);
const segments32: readonly FieldSpec[] = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldt'].map((name, n) => [name, 72 + n * 4, 2, 'selector']);
const wideFields: readonly FieldSpec[] = [
  ['link', 0, 2, 'selector'],
  ['esp0', 4, 4, 'stack'], ['ss0', 8, 2, 'selector'], ['esp1', 12, 4, 'stack'], ['ss1', 16, 2, 'selector'],
  ['esp2', 20, 4, 'stack'], ['ss2', 24, 2, 'selector'], ['cr3', 28, 4, 'plain'], ['eip', 32, 4, 'code'], ['eflags', 36, 4, 'plain'],
  ...general32, ...segments32,
  ['trap', 100, 2, 'plain'], ['io map', 102, 2, 'plain'],
];
const narrowFields: readonly FieldSpec[] = [
  ['link', 0, 2, 'selector'],
  ['sp0', 2, 2, 'stack'], ['ss0', 4, 2, 'selector'], ['sp1', 6, 2, 'stack'], ['ss1', 8, 2, 'selector'], ['sp2', 10, 2, 'stack'],
  ['ss2', 12, 2, 'selector'], ['ip', 14, 2, 'code'], ['flags', 16, 2, 'plain'],
  ...['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'].map((name, n): FieldSpec => [name, 18 + n * 2, 2, 'plain']),
  ...['es', 'cs', 'ss', 'ds', 'ldt'].map((name, n): FieldSpec => [name, 34 + n * 2, 2, 'selector']),
];

/** Long mode: stack pointers only (SDM 3A 7.7). */
const longFields: readonly FieldSpec[] = [
  ...[0, 1, 2].map((n): FieldSpec => [`rsp${n}`, 4 + n * 8, 8, 'stack']),
  ...[1, 2, 3, 4, 5, 6, 7].map((n): FieldSpec => [`ist${n}`, 28 + n * 8, 8, 'plain']),
  ['io map', 102, 2, 'plain'],
];

/** `debug.taskState`: the segment that TR names. */
export function taskState(target: CpuTarget, symbol: AddressNamer): TaskState {
  const { cpu } = target;
  const attributes = cpu.segmentField(TR, SEGMENT.attributes), limit = cpu.segmentField(TR, SEGMENT.limit);
  const base = cpu.segmentBase(TR);
  const head = { selector: hexOf(cpu.selector(TR) & 0xffff, 4), base: hexOf(base, 8), limit: hexOf(limit, 4), type: descriptorType(attributes) };
  const wide = (attributes & 8) !== 0;
  if (!cpu.isProtected || (cpu.selector(TR) & 0xfffc) === 0) {
    return { ...head, fields: [], problem: 'there is no task: TR has not been loaded' };
  }
  const specs = cpu.isLong ? longFields : wide ? wideFields : narrowFields;
  const problems: string[] = [];
  const needed = wide ? 0x67 : 0x2b;
  if (limit < needed) problems.push(`the limit is below ${hexOf(needed)}h: switching to this task faults`);
  const length = Math.min(limit + 1, needed + 1);
  const { bytes, unmapped } = target.memory.readPartly('linear', unsignedAddress(base), length);
  if (unmapped.length > 0) problems.push('a part of the TSS is not in memory');
  const view = new DataView(bytes.buffer);
  const fields: TaskState['fields'] = [];
  for (const [name, offset, size, kind] of specs) {
    const hidden = offset + size > length || unmapped.some(({ from, to }) => offset < to && offset + size > from);
    if (hidden) continue;
    if (size === 8) {
      const pointer = view.getBigUint64(offset, true);
      fields.push({ name, offset, value: hexOf(pointer, 16), note: kind === 'stack' ? `stack for ring ${name.at(-1)}` : `interrupt stack ${name.at(-1)}` });
      continue;
    }
    const value = size === 4 ? view.getUint32(offset, true) : view.getUint16(offset, true);
    fields.push({ name, offset, value: hexOf(value, size * 2), note: fieldNote(target, name, kind, value, symbol, base, limit) });
  }
  return { ...head, fields, problem: problems.join('; ') || null };
}

function fieldNote(
  target: CpuTarget, name: string, kind: FieldSpec[3], value: number, symbol: AddressNamer, base: number, limit: number,
): string {
  if (kind === 'code') return symbol(BigInt(value)) ?? '';
  if (kind === 'stack') return `stack for ring ${name.at(-1)}`;
  if (kind === 'selector') return value === 0 ? 'null' : `${(value & 4) !== 0 ? 'LDT' : 'GDT'} ${value >>> 3}, ring ${value & 3}`;
  if (name === 'io map') return ioMapText(target, base, limit, value);
  if (name === 'trap') return (value & 1) !== 0 ? 'switching to this task raises #DB' : '';
  return '';
}

/** Which ports ring 3 may use by the bitmap; a byte of ones must follow it (SDM 1 18.5.2). */
function ioMapText(target: CpuTarget, base: number, limit: number, offset: number): string {
  const last = Math.min(limit, offset + 8192);
  if (offset > limit) return 'beyond the limit: no ports without IOPL';
  const length = Math.min(last - offset + 1, 8192);
  const { bytes, unmapped } = target.memory.readPartly('linear', unsignedAddress(base + offset), length);
  if (unmapped.length > 0) return 'the bitmap is not in memory';
  const allowed: string[] = [];
  let ports = 0;
  for (let port = 0; port < length * 8; port++) {
    // The byte behind a port's own is read as well.
    const isOpen = ((bytes[port >>> 3] >>> (port & 7)) & 1) === 0 && offset + (port >>> 3) + 1 <= limit;
    if (!isOpen) continue;
    const first = port;
    while (port + 1 < length * 8 && ((bytes[(port + 1) >>> 3] >>> ((port + 1) & 7)) & 1) === 0 && offset + ((port + 1) >>> 3) + 1 <= limit) port++;
    ports += port - first + 1;
    if (allowed.length < 8) allowed.push(first === port ? `${hexOf(first)}h` : `${hexOf(first)}h-${hexOf(port)}h`);
    else if (allowed.length === 8) allowed.push('...');
  }
  if (ports === 0) return `${length * 8} ports described, none allowed`;
  return `${length * 8} ports described, ${ports} allowed: ${allowed.join(', ')}`;
}
