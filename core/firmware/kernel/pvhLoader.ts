// PVH direct boot of ELF kernels (Xen docs/misc/pvh.pandoc; public/arch-x86/hvm/start_info.h, version 1).
import { memoryMap, romBase } from '../memoryMap.ts';
import { romOffsets } from '../rom/romLayout.ts';
import { isElf, placeSegment, readElf, topOf } from './elfProgram.ts';
import { placeModules } from './kernelModules.ts';
import type { KernelModule, PlacedModule } from './kernelModules.ts';
import { asciiZ, infoAddress, infoLimit, informedPlan, KernelImageError, viewOf } from './kernelPlan.ts';
import type { KernelPlan, MemoryWrite } from './kernelPlan.ts';

export interface PvhImage {
  readonly kernel: Uint8Array;
  /** The first module is the initial RAM disk of a Linux kernel. */
  readonly modules: readonly KernelModule[];
  readonly commandLine: string;
  readonly memoryBytes: number;
}

/** XEN_ELFNOTE_PHYS32_ENTRY. */
const physicalEntry = 18;
const startInfoMagic = 0x336e_c578;
const startInfoBytes = 56;
const moduleBytes = 32;
const rangeBytes = 24;

/** The entry that a note names, or null if there is none. */
function entryOf(notes: readonly Uint8Array[]): number | null {
  for (const bytes of notes) {
    const view = viewOf(bytes);
    for (let at = 0; at + 12 <= bytes.length; ) {
      const [nameBytes, length, type] = [0, 4, 8].map((field) => view.getUint32(at + field, true));
      const name = at + 12, content = name + Math.ceil(nameBytes / 4) * 4;
      if (content + length > bytes.length) break;
      const isXen = nameBytes === 4 && view.getUint32(name, false) === 0x58656e00;
      if (isXen && type === physicalEntry && length >= 4) return view.getUint32(content, true);
      at = content + Math.ceil(length / 4) * 4;
    }
  }
  return null;
}

/** An ELF file with the entry note. Damaged ones are not. */
export function isPvhKernel(kernel: Uint8Array): boolean {
  if (!isElf(kernel)) return false;
  try {
    return entryOf(readElf(kernel, 'PVH', true).notes) !== null;
  } catch (error) {
    if (error instanceof KernelImageError) return false;
    throw error;
  }
}

/** Throws KernelImageError if `image.kernel` is not a PVH kernel that fits this machine. */
export function loadPvh(image: PvhImage): KernelPlan {
  if (!isElf(image.kernel)) throw new KernelImageError('this is not a PVH kernel: it is no ELF file');
  const { segments, notes } = readElf(image.kernel, 'PVH', true);
  const entry = entryOf(notes);
  if (entry === null) throw new KernelImageError('this is not a PVH kernel: the ELF note with its entry address is missing');
  const writes: MemoryWrite[] = [];
  for (const segment of segments) placeSegment(segment, image.memoryBytes, infoAddress, writes);
  const modules = placeModules(image.modules, topOf(segments), image.memoryBytes, writes);
  return informedPlan('PVH kernel', writes, startInfo(image, modules), { eip: entry });
}

/** struct hvm_start_info with its lists and strings behind it. */
function startInfo(image: PvhImage, modules: readonly PlacedModule[]): Uint8Array {
  const bytes = new Uint8Array(infoLimit - infoAddress);
  const view = viewOf(bytes);
  let used = startInfoBytes;
  const place = (content: Uint8Array): number => {
    const at = (used + 7) & ~7;
    if (at + content.length > bytes.length) throw new KernelImageError('too many modules, or their command lines are too long');
    bytes.set(content, at);
    used = at + content.length;
    return infoAddress + at;
  };
  const table = new Uint8Array(modules.length * moduleBytes);
  modules.forEach(({ start, end, commandLine }, index) => {
    [start, end - start, place(asciiZ(commandLine))].forEach((value, field) =>
      viewOf(table).setUint32(index * moduleBytes + field * 8, value, true),
    );
  });
  const ranges = memoryMap(image.memoryBytes);
  const map = new Uint8Array(ranges.length * rangeBytes);
  ranges.forEach(({ base, length, kind }, index) => {
    viewOf(map).setUint32(index * rangeBytes, base, true);
    viewOf(map).setUint32(index * rangeBytes + 8, length, true);
    viewOf(map).setUint32(index * rangeBytes + 16, kind, true);
  });
  view.setUint32(0, startInfoMagic, true);
  view.setUint32(4, 1, true);
  view.setUint32(12, modules.length, true);
  view.setUint32(16, modules.length === 0 ? 0 : place(table), true);
  view.setUint32(24, place(asciiZ(image.commandLine)), true);
  view.setUint32(32, romBase + romOffsets.tables, true);
  view.setUint32(40, place(map), true);
  view.setUint32(48, ranges.length, true);
  return bytes.subarray(0, used);
}
