// Chooses the loader by the image's content.
import { KernelImageError } from './kernelPlan.ts';
import type { KernelPlan } from './kernelPlan.ts';
import { isLinuxImage, loadLinux } from './linuxLoader.ts';
import { findMultibootHeader, loadMultiboot } from './multibootLoader.ts';
import type { MultibootModule } from './multibootLoader.ts';

export interface KernelFiles {
  readonly kernel: Uint8Array;
  readonly initrd: Uint8Array | null;
  readonly modules: readonly MultibootModule[];
  readonly commandLine: string;
  readonly memoryBytes: number;
}

/** Throws KernelImageError with the reason if the image can't be loaded. */
export function loadKernel(files: KernelFiles): KernelPlan {
  if (files.kernel.length === 0) throw new KernelImageError('the kernel image is empty');
  if (isLinuxImage(files.kernel)) {
    if (files.modules.length > 0) throw new KernelImageError('a Linux kernel takes an initrd, not Multiboot modules');
    return loadLinux(files);
  }
  if (findMultibootHeader(files.kernel)) {
    if (files.initrd) throw new KernelImageError('a Multiboot kernel takes modules, not an initrd');
    return loadMultiboot(files);
  }
  throw new KernelImageError('neither a Linux bzImage ("HdrS" at 202h) nor a Multiboot kernel (header in the first 8 KiB)');
}
