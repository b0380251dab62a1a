// Multiboot Specification version 0.6.96: ELF32 and a.out-kludge kernels.
import { extendedMemoryBytes, memoryKinds, memoryMap } from '../memoryMap.ts';
import { asciiZ, flatCpuState, flatGdt, KernelImageError, viewOf } from './kernelPlan.ts';
import type { KernelPlan, MemoryWrite } from './kernelPlan.ts';

export interface MultibootModule {
  readonly bytes: Uint8Array;
  /** The module's own command line, by custom its file name and arguments. */
  readonly commandLine: string;
}

export interface MultibootImage {
  readonly kernel: Uint8Array;
  readonly modules: readonly MultibootModule[];
  readonly commandLine: string;
  readonly memoryBytes: number;
}

const headerMagic = 0x1bad_b002;
const bootMagic = 0x2bad_b002;
/** The header lies within the first 8192 bytes, on a 4-byte boundary (3.1). */
const headerSearchBytes = 8192;
const flagPageAlign = 1 << 0;
const flagMemoryInfo = 1 << 1;
const flagVideo = 1 << 2;
const flagKludge = 1 << 16;
/** Bits 0-15 are requirements: a loader that doesn't know one must fail (3.1.2). */
const knownRequirements = flagPageAlign | flagMemoryInfo | flagVideo;

/** Bits of the information structure's first word (3.3). */
const info = { memory: 1 << 0, commandLine: 1 << 2, modules: 1 << 3, memoryMap: 1 << 6, loaderName: 1 << 9 } as const;
const infoBytes = 120;
const loaderName = 'Trapeze';
const gdtAddress = 0x1000;
/** The information structure and its strings: conventional memory that no kernel is linked to. */
const infoAddress = 0x9_0000;
const infoLimit = 0x9_f000;
const pageBytes = 0x1000;

interface Header {
  readonly offset: number;
  readonly flags: number;
}

interface Segment {
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly memoryBytes: number;
}

interface Program {
  readonly segments: readonly Segment[];
  readonly entry: number;
}

/** Finds the Multiboot header, or null. */
export function findMultibootHeader(bytes: Uint8Array): Header | null {
  const view = viewOf(bytes);
  const end = Math.min(bytes.length, headerSearchBytes) - 12;
  for (let offset = 0; offset <= end; offset += 4) {
    if (view.getUint32(offset, true) !== headerMagic) continue;
    const flags = view.getUint32(offset + 4, true);
    const checksum = view.getUint32(offset + 8, true);
    if (((headerMagic + flags + checksum) & 0xffff_ffff) === 0) return { offset, flags };
  }
  return null;
}

/** Throws KernelImageError if `image.kernel` is not a Multiboot 1 kernel that fits this machine. */
export function loadMultiboot(image: MultibootImage): KernelPlan {
  if (image.kernel.length === 0) throw new KernelImageError('the kernel image is empty');
  const header = findMultibootHeader(image.kernel);
  if (!header) {
    throw new KernelImageError('this is not a Multiboot kernel: no valid header in its first 8 KiB');
  }
  if ((header.flags & 0xffff & ~knownRequirements) !== 0) {
    throw new KernelImageError(
      `the kernel requires Multiboot features that are not there (flags ${(header.flags >>> 0).toString(16)}h)`,
    );
  }
  const program = header.flags & flagKludge ? readKludge(image.kernel, header.offset) : readElf(image.kernel);
  const writes: MemoryWrite[] = [];
  let top = 0x10_0000;
  for (const segment of program.segments) {
    placeSegment(segment, image.memoryBytes, writes);
    top = Math.max(top, segment.address + segment.memoryBytes);
  }
  const modules = placeModules(image, top, writes);
  const information = buildInformation(image, modules);
  const gdt = flatGdt(0x08, 0x10);
  writes.push({ address: infoAddress, bytes: information }, { address: gdtAddress, bytes: gdt });
  return {
    description: 'Multiboot kernel',
    writes,
    cpu: flatCpuState({ base: gdtAddress, limit: gdt.length - 1 }, 0x08, 0x10, {
      eax: bootMagic,
      ebx: infoAddress,
      esp: infoAddress,
      eip: program.entry,
    }),
  };
}

/** The "a.out kludge": the header itself says what goes where (3.1.3). */
function readKludge(kernel: Uint8Array, offset: number): Program {
  if (offset + 32 > kernel.length) throw new KernelImageError('the kernel image is truncated inside its Multiboot header');
  const view = viewOf(kernel);
  const headerAddress = view.getUint32(offset + 12, true);
  const loadAddress = view.getUint32(offset + 16, true);
  const loadEnd = view.getUint32(offset + 20, true);
  const bssEnd = view.getUint32(offset + 24, true);
  const entry = view.getUint32(offset + 28, true);
  const start = offset - (headerAddress - loadAddress);
  if (headerAddress < loadAddress || start < 0) {
    throw new KernelImageError('the Multiboot header names a load address that lies after the header itself');
  }
  const length = loadEnd === 0 ? kernel.length - start : loadEnd - loadAddress;
  if (length < 0 || start + length > kernel.length) {
    throw new KernelImageError(
      `the kernel image is truncated: ${start + Math.max(length, 0)} bytes expected, ${kernel.length} found`,
    );
  }
  const memoryBytes = Math.max(length, bssEnd === 0 ? 0 : bssEnd - loadAddress);
  return { segments: [{ address: loadAddress, bytes: kernel.subarray(start, start + length), memoryBytes }], entry };
}

/** System V ABI ELF, 32-bit little-endian, EM_386, PT_LOAD segments at their physical addresses. */
function readElf(kernel: Uint8Array): Program {
  const view = viewOf(kernel);
  if (kernel.length < 52 || view.getUint32(0, false) !== 0x7f45_4c46) {
    throw new KernelImageError('the Multiboot kernel is neither an ELF file nor does its header name load addresses');
  }
  if (kernel[4] !== 1 || kernel[5] !== 1 || view.getUint16(18, true) !== 3) {
    throw new KernelImageError('the Multiboot kernel is not a 32-bit x86 ELF file');
  }
  const entry = view.getUint32(24, true);
  const tableOffset = view.getUint32(28, true);
  const entryBytes = view.getUint16(42, true);
  const count = view.getUint16(44, true);
  if (count === 0 || entryBytes < 32 || tableOffset + count * entryBytes > kernel.length) {
    throw new KernelImageError('the kernel image is truncated: its ELF program headers lie outside the file');
  }
  const segments: Segment[] = [];
  let physicalEntry = entry;
  for (let index = 0; index < count; index++) {
    const at = tableOffset + index * entryBytes;
    if (view.getUint32(at, true) !== 1) continue;
    const offset = view.getUint32(at + 4, true);
    const virtual = view.getUint32(at + 8, true);
    const address = view.getUint32(at + 12, true);
    const fileBytes = view.getUint32(at + 16, true);
    const memoryBytes = view.getUint32(at + 20, true);
    if (fileBytes > memoryBytes || offset + fileBytes > kernel.length) {
      throw new KernelImageError(`the kernel image is truncated: ELF segment ${index} lies outside the file`);
    }
    if (memoryBytes === 0) continue;
    segments.push({ address, bytes: kernel.subarray(offset, offset + fileBytes), memoryBytes });
    // Kernels linked high name a virtual entry although they start without paging.
    if (virtual !== address && entry >= virtual && entry < virtual + memoryBytes) physicalEntry = entry - virtual + address;
  }
  if (segments.length === 0) throw new KernelImageError('the Multiboot kernel has no loadable ELF segment');
  return { segments, entry: physicalEntry };
}

function placeSegment(segment: Segment, memoryBytes: number, writes: MemoryWrite[]): void {
  const end = segment.address + segment.memoryBytes;
  if (segment.address < 0x10_0000 ? end > infoAddress || segment.address < 0x2000 : end > memoryBytes) {
    throw new KernelImageError(
      `the kernel wants to be loaded at ${segment.address.toString(16)}h-${end.toString(16)}h, where the machine has no free memory`,
    );
  }
  writes.push({ address: segment.address, bytes: segment.bytes });
  const blank = segment.memoryBytes - segment.bytes.length;
  if (blank > 0) writes.push({ address: segment.address + segment.bytes.length, bytes: new Uint8Array(blank) });
}

interface PlacedModule {
  readonly start: number;
  readonly end: number;
  readonly commandLine: string;
}

function placeModules(image: MultibootImage, kernelTop: number, writes: MemoryWrite[]): PlacedModule[] {
  let next = kernelTop;
  return image.modules.map((module, index) => {
    const start = Math.ceil(next / pageBytes) * pageBytes;
    const end = start + module.bytes.length;
    if (end > image.memoryBytes) {
      throw new KernelImageError(`module ${index + 1} (${module.commandLine}) does not fit into the machine's memory`);
    }
    writes.push({ address: start, bytes: module.bytes });
    next = end;
    return { start, end, commandLine: module.commandLine };
  });
}

/** The information structure with everything it points to (3.3). */
function buildInformation(image: MultibootImage, modules: readonly PlacedModule[]): Uint8Array {
  const bytes = new Uint8Array(infoLimit - infoAddress);
  const view = viewOf(bytes);
  let used = infoBytes;
  const place = (content: Uint8Array): number => {
    const at = (used + 3) & ~3;
    if (at + content.length > bytes.length) throw new KernelImageError('too many modules, or their command lines are too long');
    bytes.set(content, at);
    used = at + content.length;
    return infoAddress + at;
  };
  view.setUint32(0, info.memory | info.commandLine | info.modules | info.memoryMap | info.loaderName, true);
  view.setUint32(4, 639, true);
  view.setUint32(8, Math.floor(extendedMemoryBytes(image.memoryBytes) / 1024), true);
  view.setUint32(16, place(asciiZ(image.commandLine)), true);
  const table = new Uint8Array(modules.length * 16);
  const tableView = viewOf(table);
  modules.forEach((module, index) => {
    tableView.setUint32(index * 16, module.start, true);
    tableView.setUint32(index * 16 + 4, module.end, true);
    tableView.setUint32(index * 16 + 8, place(asciiZ(module.commandLine)), true);
  });
  view.setUint32(20, modules.length, true);
  view.setUint32(24, place(table), true);
  const map = buildMemoryMap(image.memoryBytes);
  view.setUint32(44, map.length, true);
  view.setUint32(48, place(map), true);
  view.setUint32(64, place(asciiZ(loaderName)), true);
  return bytes.subarray(0, used);
}

/** Entries of `size` (which does not count itself), base, length, type. */
function buildMemoryMap(memoryBytes: number): Uint8Array {
  const ranges = memoryMap(memoryBytes);
  const bytes = new Uint8Array(ranges.length * 24);
  const view = viewOf(bytes);
  ranges.forEach((range, index) => {
    const at = index * 24;
    view.setUint32(at, 20, true);
    view.setBigUint64(at + 4, BigInt(range.base), true);
    view.setBigUint64(at + 12, BigInt(range.length), true);
    view.setUint32(at + 20, range.kind === memoryKinds.usable ? 1 : range.kind, true);
  });
  return bytes;
}
