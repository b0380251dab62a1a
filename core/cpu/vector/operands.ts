// Vector operands as helpers see them.
import type { Cpu } from '../cpu.ts';
import { CR4 } from '../state/cpuModels.ts';
import { FIELD } from '../state/layout.ts';
import { raise, VECTOR } from '../system/faults.ts';
import type { Operands } from '../system/operands.ts';

const CR0_EM = 4, CR0_TS = 8;

/** Faults of SSE instructions: #UD by CR0.EM or without CR4.OSFXSR, #NM by CR0.TS (SDM 3A table 2-2, 13.1). */
export function requireSse(cpu: Cpu): void {
  if ((cpu.cr0 & CR0_EM) !== 0 || (cpu.cr4 & CR4.OSFXSR) === 0) raise(VECTOR.UD);
  if ((cpu.cr0 & CR0_TS) !== 0) raise(VECTOR.NM);
}

/** 16 bytes as four words, the lowest first. */
export type Words = readonly [number, number, number, number];

/** State offset of the XMM register in ModRM.reg. */
export const destination = (o: Operands): number => FIELD.xmm + o.a * 8;

export const readRegister = (cpu: Cpu, field: number): Words => [
  cpu.get32(field), cpu.get32(field + 4), cpu.get32(field + 8), cpu.get32(field + 12),
];
export function writeRegister(cpu: Cpu, field: number, words: readonly number[]): void {
  for (let index = 0; index < 4; index++) cpu.set32(field + index * 4, words[index]);
}

/** The register or memory operand in ModRM.rm; memory is aligned unless said (SDM 1 10.2). */
export function readSource(cpu: Cpu, o: Operands, isAligned = true): Words {
  if (!o.specification.memory) return readRegister(cpu, FIELD.xmm + o.b * 8);
  if (isAligned && ((cpu.segmentBase(o.segment) + o.address) & 15) !== 0) raise(VECTOR.GP, 0);
  return [o.readM(0, 4), o.readM(4, 4), o.readM(8, 4), o.readM(12, 4)];
}
