// Debug registers (SDM 3B 17.2): data and I/O breakpoints as traps, instruction breakpoints as faults.
import type { Cpu } from '../cpu.ts';
import { ARMED, FIELD } from '../state/layout.ts';

const DR7 = FIELD.dr + 7 * 8;
/** R/W field of DR7. */
const KIND = { execute: 0, write: 1, io: 2, access: 3 } as const;

function enabled(cpu: Cpu, index: number): boolean {
  return ((cpu.get32(DR7) >>> (index * 2)) & 3) !== 0;
}
const kindOf = (cpu: Cpu, index: number): number => (cpu.get32(DR7) >>> (16 + index * 4)) & 3;
/** Length in bytes: encodings 0, 1, 2, 3 are 1, 2, 8, 4. */
const lengthOf = (cpu: Cpu, index: number): number => [1, 2, 8, 4][(cpu.get32(DR7) >>> (18 + index * 4)) & 3];

/** DR6 of a debug exception: B0 to B3 are its own, the others stay until software clears them (SDM 3B 17.2.3). */
export function reportDebug(cpu: Cpu, bits: number): void {
  const dr6 = FIELD.dr + 6 * 8;
  cpu.set32(dr6, (cpu.get32(dr6) & ~15) | bits);
}

/** To be called when DR7 or the debugger's watches change: pages with data breakpoints lose their TLB tags. */
export function breakpointsChanged(cpu: Cpu): void {
  let data = false;
  for (let index = 0; index < 4; index++) {
    if (enabled(cpu, index) && kindOf(cpu, index) !== KIND.execute && kindOf(cpu, index) !== KIND.io) data = true;
  }
  const kept = (cpu.get32(FIELD.breakpointsArmed) & ARMED.alignment) | (cpu.engine === 'interpreter-uncached' ? ARMED.uncached : 0);
  cpu.set32(FIELD.breakpointsArmed, (data || cpu.hasWatches ? ARMED.breakpoints : 0) | kept);
  cpu.flushTlb(false);
}

/** A breakpoint's address: of 64 bits in 64-bit code. */
const address = (cpu: Cpu, index: number): number =>
  cpu.is64 ? cpu.getWide(FIELD.dr + index * 8) : cpu.get32(FIELD.dr + index * 8);

function matches(cpu: Cpu, index: number, at: number, size: number): boolean {
  const length = lengthOf(cpu, index);
  const linear = address(cpu, index), start = linear - (((linear % length) + length) % length);
  return at < start + length && start < at + size;
}

/** Whether a data breakpoint of the guest's own lies on a linear page. */
export function pageHasBreakpoints(cpu: Cpu, page: number): boolean {
  for (let index = 0; index < 4; index++) {
    const kind = kindOf(cpu, index);
    if (!enabled(cpu, index) || kind === KIND.execute || kind === KIND.io) continue;
    if (matches(cpu, index, page * 4096, 4096)) return true;
  }
  return false;
}

/** Notes the data breakpoints that an access hits; the trap comes after the instruction. */
export function checkDataBreakpoints(cpu: Cpu, address: number, size: number, write: boolean): void {
  for (let index = 0; index < 4; index++) {
    const kind = kindOf(cpu, index);
    const wanted = kind === KIND.access || (kind === KIND.write && write);
    if (!wanted || !enabled(cpu, index) || !matches(cpu, index, address, size)) continue;
    cpu.set32(FIELD.pendingDebug, cpu.get32(FIELD.pendingDebug) | (1 << index));
  }
}

/** I/O breakpoints need CR4.DE. */
export function checkPortBreakpoints(cpu: Cpu, port: number, size: number): void {
  if ((cpu.get32(DR7) & 0xff) === 0 || (cpu.cr4 & 8) === 0) return;
  for (let index = 0; index < 4; index++) {
    if (kindOf(cpu, index) !== KIND.io || !enabled(cpu, index) || !matches(cpu, index, port, size)) continue;
    cpu.set32(FIELD.pendingDebug, cpu.get32(FIELD.pendingDebug) | (1 << index));
  }
}

/** DR6 bits of the instruction breakpoints at a linear address. */
export function instructionBreakpoints(cpu: Cpu, linear: number): number {
  let hits = 0;
  if ((cpu.get32(DR7) & 0xff) === 0) return 0;
  for (let index = 0; index < 4; index++) {
    if (kindOf(cpu, index) === KIND.execute && enabled(cpu, index) && address(cpu, index) === linear) {
      hits |= 1 << index;
    }
  }
  return hits;
}
