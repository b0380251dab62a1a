// What far returns, IRET and POPF have in common (SDM 2A IRET, SDM 2B POPF, RET).
import type { Cpu } from '../cpu.ts';
import { FLAG } from '../state/layout.ts';
import { type Descriptor, dplOf, isCode, isConforming, isPresent } from './descriptors.ts';
import { raise, VECTOR } from './faults.ts';

const REAL_FLAGS_16 = 0x7fd5;
const FLAGS_32 = 0x257fd5;

/** EFLAGS after IRET or POPF: which bits the privilege level lets change (SDM 2A IRET, SDM 2B POPF). */
export function mergeFlags(cpu: Cpu, value: number, size: 2 | 4, cpl: number): number {
  let mask = size === 2 ? REAL_FLAGS_16 : FLAGS_32;
  if (cpl > 0) mask &= ~FLAG.IOPL;
  if (cpl > cpu.iopl) mask &= ~FLAG.IF;
  return (cpu.eflags & ~mask) | (value & mask) | 2;
}

/** EFLAGS after IRET in protected mode: of 32 bits and in ring 0 it sets VIF and VIP too (SDM 2A IRET). */
export function returnedFlags(cpu: Cpu, value: number, size: 2 | 4): number {
  const mask = size === 4 && cpu.cpl === 0 ? FLAG.VIF | FLAG.VIP : 0;
  return (mergeFlags(cpu, value, size, cpu.cpl) & ~mask) | (value & mask);
}

/** The code segment of a far return or IRET (SDM 2B RET). */
export function checkReturnCode(cpu: Cpu, code: Descriptor, selector: number): void {
  const rpl = selector & 3;
  const bad =
    !isCode(code) || rpl < cpu.cpl || (isConforming(code) ? dplOf(code) > rpl : dplOf(code) !== rpl);
  if (bad) raise(VECTOR.GP, selector & 0xfffc);
  if (!isPresent(code)) raise(VECTOR.NP, selector & 0xfffc);
}
