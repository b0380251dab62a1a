// Choices of a machine's hardware, in words.
import type { BootDevice, CpuModelName } from '../../core/machine/configuration.ts';

export const MAX_MEMORY_MIB = 3072;
export const MEMORY_STEPS: readonly number[] = [16, 32, 64, 128, 256, 384, 512, 768, 1024, 1536, 2048, 3072];

export const CPU_OPTIONS: readonly { value: CpuModelName; label: string }[] = [
  { value: 'x86-64-v2', label: '64-bit (x86-64-v2)' },
  { value: 'max', label: '64-bit, every instruction set' },
  { value: 'core2', label: 'Core 2' },
  { value: 'pentium3', label: 'Pentium III' },
  { value: 'pentium', label: 'Pentium' },
  { value: '486', label: '486' },
];

export const BOOT_OPTIONS: readonly { value: BootDevice; label: string }[] = [
  { value: 'disk', label: 'Hard disk first' },
  { value: 'cdrom', label: 'CD first' },
  { value: 'floppy', label: 'Floppy first' },
];

/** The rest follows in the usual order. */
export function bootOrderFrom(first: BootDevice): BootDevice[] {
  return [first, ...(['disk', 'cdrom', 'floppy'] as const).filter((device) => device !== first)];
}

export function bootOrderText(order: readonly BootDevice[]): string {
  return order.map((device) => ({ disk: 'disk', cdrom: 'CD', floppy: 'floppy' })[device]).join(', ');
}
