// The machine's memory as firmware reports it: E820, E801h, 88h, Multiboot, Linux boot_params (ACPI 2.0 15.1).

export const memoryKinds = { usable: 1, reserved: 2, acpi: 3, nvs: 4 } as const;
export type MemoryKind = (typeof memoryKinds)[keyof typeof memoryKinds];

export interface MemoryRange {
  readonly base: number;
  readonly length: number;
  readonly kind: MemoryKind;
}

/** The extended BIOS data area: the last KiB below 640 KiB. It holds the FACS too. */
export const ebdaBase = 0x9fc00;
export const ebdaLength = 0x400;
/** System ROM. */
export const romBase = 0xf0000;
export const romLength = 0x10000;
/** RAM above this would lie under PCI memory. */
export const lowMemoryLimit = 0xe000_0000;

/** All ranges in ascending order, without overlap. */
export function memoryMap(memoryBytes: number): MemoryRange[] {
  const ranges: MemoryRange[] = [
    { base: 0, length: ebdaBase, kind: memoryKinds.usable },
    { base: ebdaBase, length: ebdaLength, kind: memoryKinds.reserved },
    { base: romBase, length: romLength, kind: memoryKinds.reserved },
  ];
  const top = Math.min(memoryBytes, lowMemoryLimit);
  if (top > 0x10_0000) ranges.push({ base: 0x10_0000, length: top - 0x10_0000, kind: memoryKinds.usable });
  ranges.push({ base: 0xfffc_0000, length: 0x4_0000, kind: memoryKinds.reserved });
  return ranges;
}

/** RAM from 1 MiB up, in bytes. */
export function extendedMemoryBytes(memoryBytes: number): number {
  return Math.max(0, Math.min(memoryBytes, lowMemoryLimit) - 0x10_0000);
}
