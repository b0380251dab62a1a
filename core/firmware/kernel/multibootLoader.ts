// Multiboot Specification version 0.6.96: ELF32 and a.out-kludge kernels.
import { extendedMemoryBytes, memoryKinds, memoryMap } from '../memoryMap.ts';
import { asciiZ, infoAddress, infoLimit, informedPlan, KernelImageError, viewOf } from './kernelPlan.ts';
import type { KernelPlan, MemoryWrite } from './kernelPlan.ts';
import { isElf, placeSegment, readElf, topOf } from './elfProgram.ts';
import type { Program } from './elfProgram.ts';
import { placeModules } from './kernelModules.ts';
import type { KernelModule, PlacedModule } from './kernelModules.ts';

export interface MultibootImage {
  readonly kernel: Uint8Array;
  readonly modules: readonly KernelModule[];
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

interface Header {
  readonly offset: number;
  readonly flags: number;
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
  const program = header.flags & flagKludge ? readKludge(image.kernel, header.offset) : readProgram(image.kernel);
  const writes: MemoryWrite[] = [];
  for (const segment of program.segments) placeSegment(segment, image.memoryBytes, infoAddress, writes);
  const modules = placeModules(image.modules, topOf(program.segments), image.memoryBytes, writes);
  const information = buildInformation(image, modules);
  return informedPlan('Multiboot kernel', writes, information, { eip: program.entry, eax: bootMagic });
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

/** ELF, 32-bit, EM_386. */
function readProgram(kernel: Uint8Array): Program {
  if (!isElf(kernel)) {
    throw new KernelImageError('the Multiboot kernel is neither an ELF file nor does its header name load addresses');
  }
  return readElf(kernel, 'Multiboot', false);
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
