// Modules of Multiboot and PVH kernels: files in memory behind the kernel, each on a page of its own.
import { KernelImageError } from './kernelPlan.ts';
import type { MemoryWrite } from './kernelPlan.ts';

export interface KernelModule {
  readonly bytes: Uint8Array;
  /** The module's own command line, by custom its file name and arguments. */
  readonly commandLine: string;
}

export interface PlacedModule {
  readonly start: number;
  readonly end: number;
  readonly commandLine: string;
}

const pageBytes = 0x1000;

export function placeModules(
  modules: readonly KernelModule[],
  kernelTop: number,
  memoryBytes: number,
  writes: MemoryWrite[],
): PlacedModule[] {
  let next = kernelTop;
  return modules.map((module, index) => {
    const start = Math.ceil(next / pageBytes) * pageBytes;
    const end = start + module.bytes.length;
    if (end > memoryBytes) {
      throw new KernelImageError(`module ${index + 1} (${module.commandLine}) does not fit into the machine's memory`);
    }
    writes.push({ address: start, bytes: module.bytes });
    next = end;
    return { start, end, commandLine: module.commandLine };
  });
}
