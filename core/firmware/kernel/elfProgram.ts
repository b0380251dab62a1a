// ELF kernels (System V ABI; gABI 4.1): loadable segments at their physical addresses, notes and section headers.
import { KernelImageError, viewOf } from './kernelPlan.ts';
import type { MemoryWrite } from './kernelPlan.ts';

export interface Segment {
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly memoryBytes: number;
}

export interface Program {
  readonly segments: readonly Segment[];
  readonly entry: number;
}

export interface ElfProgram extends Program {
  /** Contents of PT_NOTE segments. */
  readonly notes: readonly Uint8Array[];
  readonly sections: ElfSections;
}

export interface ElfSections {
  readonly count: number;
  readonly entryBytes: number;
  /** Index of the section names' section. */
  readonly names: number;
  /** A copy of the headers; empty if the file has none. */
  readonly headers: Uint8Array;
  readonly wide: boolean;
}

const types = { load: 1, note: 4 } as const;
const machines = { i386: 3, amd64: 62 } as const;

export const isElf = (bytes: Uint8Array): boolean => bytes.length >= 52 && viewOf(bytes).getUint32(0, false) === 0x7f45_4c46;

interface Fields {
  readonly entry: number;
  readonly tableOffset: number;
  readonly entryBytes: number;
  readonly count: number;
}

/** `kind` names the kernel in messages. 64-bit files only where `wide`. */
export function readElf(kernel: Uint8Array, kind: string, wide: boolean): ElfProgram {
  const view = viewOf(kernel);
  const is64 = kernel[4] === 2;
  const machine = view.getUint16(18, true);
  const fits = is64 ? wide && machine === machines.amd64 && kernel.length >= 64 : kernel[4] === 1 && machine === machines.i386;
  if (!fits || kernel[5] !== 1) {
    throw new KernelImageError(`the ${kind} kernel is not ${wide ? 'an x86' : 'a 32-bit x86'} ELF file`);
  }
  const fields: Fields = is64
    ? { entry: wideAt(view, 24), tableOffset: wideAt(view, 32), entryBytes: view.getUint16(54, true), count: view.getUint16(56, true) }
    : { entry: view.getUint32(24, true), tableOffset: view.getUint32(28, true), entryBytes: view.getUint16(42, true), count: view.getUint16(44, true) };
  const smallest = is64 ? 56 : 32;
  if (fields.count === 0 || fields.entryBytes < smallest || fields.tableOffset + fields.count * fields.entryBytes > kernel.length) {
    throw new KernelImageError('the kernel image is truncated: its ELF program headers lie outside the file');
  }
  return { ...readSegments(kernel, kind, is64, fields), sections: readSections(kernel, is64) };
}

/** A 64-bit field; beyond 2^53 it is nothing that fits anywhere. */
const wideAt = (view: DataView, at: number): number => view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;

function readSegments(kernel: Uint8Array, kind: string, is64: boolean, fields: Fields): Omit<ElfProgram, 'sections'> {
  const view = viewOf(kernel);
  const segments: Segment[] = [];
  const notes: Uint8Array[] = [];
  let entry = fields.entry;
  for (let index = 0; index < fields.count; index++) {
    const at = fields.tableOffset + index * fields.entryBytes;
    const type = view.getUint32(at, true);
    if (type !== types.load && type !== types.note) continue;
    const [offset, virtual, address, fileBytes, memoryBytes] = is64
      ? [8, 16, 24, 32, 40].map((field) => wideAt(view, at + field))
      : [4, 8, 12, 16, 20].map((field) => view.getUint32(at + field, true));
    if (offset + fileBytes > kernel.length || (type === types.load && fileBytes > memoryBytes)) {
      throw new KernelImageError(`the kernel image is truncated: ELF segment ${index} lies outside the file`);
    }
    const bytes = kernel.subarray(offset, offset + fileBytes);
    if (type === types.note) notes.push(bytes);
    if (type === types.note || memoryBytes === 0) continue;
    segments.push({ address, bytes, memoryBytes });
    // Kernels linked high name a virtual entry although they start without paging.
    if (virtual !== address && fields.entry >= virtual && fields.entry < virtual + memoryBytes) entry = fields.entry - virtual + address;
  }
  if (segments.length === 0) throw new KernelImageError(`the ${kind} kernel has no loadable ELF segment`);
  return { segments, entry, notes };
}

function readSections(kernel: Uint8Array, is64: boolean): ElfSections {
  const view = viewOf(kernel);
  const offset = is64 ? wideAt(view, 40) : view.getUint32(32, true);
  const at = is64 ? 58 : 46;
  const entryBytes = view.getUint16(at, true), count = view.getUint16(at + 2, true), names = view.getUint16(at + 4, true);
  const length = count * entryBytes;
  const exists = offset !== 0 && entryBytes >= (is64 ? 64 : 40) && offset + length <= kernel.length;
  if (!exists) return { count: 0, entryBytes, names: 0, headers: new Uint8Array(0), wide: is64 };
  return { count, entryBytes, names, headers: kernel.slice(offset, offset + length), wide: is64 };
}

/** Loads a segment into free memory below or above 1 MiB; `lowLimit`: where the loader's own data begins. */
export function placeSegment(segment: Segment, memoryBytes: number, lowLimit: number, writes: MemoryWrite[]): void {
  const end = segment.address + segment.memoryBytes;
  if (segment.address < 0x10_0000 ? end > lowLimit || segment.address < 0x2000 : end > memoryBytes) {
    throw new KernelImageError(
      `the kernel wants to be loaded at ${segment.address.toString(16)}h-${end.toString(16)}h, where the machine has no free memory`,
    );
  }
  writes.push({ address: segment.address, bytes: segment.bytes });
  const blank = segment.memoryBytes - segment.bytes.length;
  if (blank > 0) writes.push({ address: segment.address + segment.bytes.length, bytes: new Uint8Array(blank) });
}

/** The first address above 1 MiB that no segment uses. */
export function topOf(segments: readonly Segment[]): number {
  return segments.reduce((top, { address, memoryBytes }) => Math.max(top, address + memoryBytes), 0x10_0000);
}
