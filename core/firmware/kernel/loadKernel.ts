// Chooses the loader by the image's content.
import { KernelImageError } from './kernelPlan.ts';
import type { KernelPlan } from './kernelPlan.ts';
import type { KernelModule } from './kernelModules.ts';
import { isLinuxImage, loadLinux } from './linuxLoader.ts';
import { findMultiboot2Header, loadMultiboot2 } from './multiboot2Loader.ts';
import { findMultibootHeader, loadMultiboot } from './multibootLoader.ts';
import { isPvhKernel, loadPvh } from './pvhLoader.ts';

export interface KernelFiles {
  readonly kernel: Uint8Array;
  readonly initrd: Uint8Array | null;
  readonly modules: readonly KernelModule[];
  readonly commandLine: string;
  readonly memoryBytes: number;
  /** The processor knows 64-bit mode. */
  readonly longMode: boolean;
}

/** Throws KernelImageError with the reason if the image can't be loaded. */
export function loadKernel(files: KernelFiles): KernelPlan {
  const { kernel } = files;
  if (kernel.length === 0) throw new KernelImageError('the kernel image is empty');
  if (isLinuxImage(kernel)) {
    if (files.modules.length > 0) throw new KernelImageError('a Linux kernel takes an initrd, not Multiboot modules');
    return loadLinux(files);
  }
  if (findMultiboot2Header(kernel)) return withoutInitrd(files, loadMultiboot2);
  if (findMultibootHeader(kernel)) return withoutInitrd(files, loadMultiboot);
  if (isPvhKernel(kernel)) {
    const initrd = files.initrd === null ? [] : [{ bytes: files.initrd, commandLine: 'initrd' }];
    return loadPvh({ ...files, modules: [...initrd, ...files.modules] });
  }
  throw new KernelImageError(
    'neither a Linux bzImage ("HdrS" at 202h), nor a Multiboot kernel (header in the first 8 or 32 KiB), nor a PVH kernel (ELF note)',
  );
}

function withoutInitrd(files: KernelFiles, load: (files: KernelFiles) => KernelPlan): KernelPlan {
  if (files.initrd) throw new KernelImageError('a Multiboot kernel takes modules, not an initrd');
  return load(files);
}
