// What a BIOS service may touch of the machine: the CPU that trapped, its memory and ports.
import type { GuestMemory } from '../../bus/device.ts';
import type { KernelCpuState } from '../kernel/kernelPlan.ts';

/** Encoding order of the general registers (SDM 2A 2.1.5). */
export const gpr = { eax: 0, ecx: 1, edx: 2, ebx: 3, esp: 4, ebp: 5, esi: 6, edi: 7 } as const;
export type GprIndex = (typeof gpr)[keyof typeof gpr];
export type SegmentName = 'es' | 'cs' | 'ss' | 'ds';

export interface FirmwareContext {
  /** Unsigned 32-bit value. */
  readGpr(index: GprIndex): number;
  /** Replaces all 32 bits; services keep the upper halves themselves. */
  writeGpr(index: GprIndex, value: number): void;
  readonly segmentSelector: (name: SegmentName) => number;
  readonly segmentBase: (name: SegmentName) => number;
  /** Loads a data segment register as real mode does: base = selector * 16. */
  loadRealSegment(name: 'es' | 'ds', selector: number): void;
  /** CR0.PE is set and EFLAGS.VM clear. */
  readonly protectedMode: boolean;
  /** The CPU's own EFLAGS bit 0, not the one in an interrupt frame. */
  setCarry(value: boolean): void;
  setZero(value: boolean): void;
  /** Memory as an unprivileged linear access would see it; addresses wrap at 4 GiB. */
  readonly linear: GuestMemory;
  /** Physical memory as the CPU sees it: RAM, ROM and MMIO (display memory). */
  readonly physical: GuestMemory;
  readPort(port: number, size: 1 | 2 | 4): number;
  writePort(port: number, value: number, size: 1 | 2 | 4): void;
  /** Guest time in ns. */
  now(): number;
  /** WRMSR; registers that the CPU does not have are left alone. */
  writeMsr(index: number, low: number, high: number): void;
  /** Puts the CPU into the state of a directly loaded kernel; it continues there. */
  startKernel(state: KernelCpuState): void;
}
