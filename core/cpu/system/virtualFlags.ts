// The virtual interrupt flag: virtual-8086 mode extensions and protected-mode virtual interrupts (SDM 3B 21.3, 21.4).
import type { Cpu } from '../cpu.ts';
import { raise, VECTOR } from './faults.ts';
import { CR4 } from '../state/cpuModels.ts';
import { CS, FIELD, FLAG, SEGMENT, TR } from '../state/layout.ts';
import { Stack } from './stack.ts';

/** Bytes of the interrupt redirection bitmap, which ends where the TSS's I/O permission bitmap begins. */
const REDIRECTION_BYTES = 32;
/** Where the TSS names its I/O permission bitmap. */
const IO_MAP_BASE = 102;

/** In virtual-8086 mode with IOPL below 3: VME stands in; without it the instruction faults. */
export function usesExtensions(cpu: Cpu): boolean {
  if (!cpu.isVirtual8086 || cpu.iopl === 3) return false;
  if ((cpu.cr4 & CR4.VME) === 0) raise(VECTOR.GP, 0);
  return true;
}

/** CLI and STI: whether they act on VIF, of ring 3 with PVI too. Faults where they may do neither. */
export function actsOnVirtualFlag(cpu: Cpu): boolean {
  if (!cpu.isProtected || cpu.cpl <= cpu.iopl) return false;
  if (!hasVirtualFlag(cpu)) raise(VECTOR.GP, 0);
  return true;
}

/** With CPL above IOPL: whether CLI and STI have a flag to act on. */
const hasVirtualFlag = (cpu: Cpu): boolean => cpu.cpl === 3 && (cpu.cr4 & (cpu.isVirtual8086 ? CR4.VME : CR4.PVI)) !== 0;

/** Sets VIF; a virtual interrupt that waits for it faults, so that the monitor delivers it. */
export function setVirtualFlag(cpu: Cpu): void {
  const flags = cpu.get32(FIELD.eflags);
  if ((flags & FLAG.VIP) !== 0) raise(VECTOR.GP, 0);
  cpu.set32(FIELD.eflags, flags | FLAG.VIF);
}
export function clearVirtualFlag(cpu: Cpu): void {
  cpu.set32(FIELD.eflags, cpu.get32(FIELD.eflags) & ~FLAG.VIF);
}

/** FLAGS as PUSHF and INT n push them under VME: IOPL 3, and VIF in the place of IF. */
export function virtualImage(cpu: Cpu): number {
  const flags = cpu.eflags;
  return (flags & ~FLAG.IF) | FLAG.IOPL | ((flags & FLAG.VIF) !== 0 ? FLAG.IF : 0);
}

/** EFLAGS after POPF or IRET of 16 bits under VME: IF goes to VIF, IF and IOPL stay. */
export function mergeVirtual(cpu: Cpu, image: number): number {
  const enables = (image & FLAG.IF) !== 0;
  if ((image & FLAG.TF) !== 0 || (enables && (cpu.get32(FIELD.eflags) & FLAG.VIP) !== 0)) raise(VECTOR.GP, 0);
  const mask = 0x7fd5 & ~(FLAG.IF | FLAG.IOPL);
  return (cpu.eflags & ~(mask | FLAG.VIF)) | (image & mask) | (enables ? FLAG.VIF : 0);
}

/** INT n in virtual-8086 mode: true if the 8086 program's own handler was entered (SDM 3B table 21-2). */
export function redirectInterrupt(cpu: Cpu, vector: number, rip: number): boolean {
  if ((cpu.cr4 & CR4.VME) === 0 || !isRedirected(cpu, vector)) return false;
  const offset = cpu.readLinear(vector * 4, 2, cpu.userAccess), selector = cpu.readLinear(vector * 4 + 2, 2, cpu.userAccess);
  const own = cpu.iopl === 3;
  const stack = Stack.current(cpu);
  stack.push((own ? cpu.eflags : virtualImage(cpu)) & 0xffff, 2);
  stack.push(cpu.selector(CS), 2);
  stack.push(rip & 0xffff, 2);
  stack.commit();
  cpu.set32(FIELD.eflags, cpu.get32(FIELD.eflags) & ~(FLAG.TF | FLAG.RF | (own ? FLAG.IF : FLAG.VIF)));
  cpu.setSegment(CS, selector, selector << 4, 0xffff, 0xf3);
  cpu.rip = offset;
  return true;
}

/** A clear bit of the redirection bitmap sends the interrupt to the 8086 program. */
function isRedirected(cpu: Cpu, vector: number): boolean {
  const base = cpu.segmentBase(TR), limit = cpu.segmentField(TR, SEGMENT.limit);
  if (limit < IO_MAP_BASE + 1) raise(VECTOR.GP, 0);
  const at = cpu.readLinear(base + IO_MAP_BASE, 2) - REDIRECTION_BYTES + (vector >>> 3);
  if (at < 0 || at > limit) raise(VECTOR.GP, 0);
  return ((cpu.readLinear(base + at, 1) >>> (vector & 7)) & 1) === 0;
}
