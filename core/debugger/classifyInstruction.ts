// Popek and Goldberg's marks of an instruction, from the decode tables that execute it.
import { Decoder } from '../cpu/decode/decoder.ts';
import type { Sensitivity } from '../cpu/decode/row.ts';
import { cpuModels } from '../cpu/state/cpuModels.ts';
import { CODE_MODE } from '../cpu/state/layout.ts';

export interface InstructionClass {
  readonly mnemonic: string;
  readonly sensitive: Sensitivity | null;
  readonly privileged: boolean;
}

const MODES = { 16: CODE_MODE.code16, 32: CODE_MODE.code32, 64: CODE_MODE.code64 } as const;
const decoder = new Decoder(cpuModels.max);

/** Null: innocuous, or no instruction at all. `bytes` begins at the instruction and holds the whole of it. */
export function classifyInstruction(bytes: Uint8Array, bits: 16 | 32 | 64): InstructionClass | null {
  if (decoder.decode(bytes, 0, bytes.length, MODES[bits], 0) !== 'ok') return null;
  const { row } = decoder.specification;
  if (row.sensitive === undefined && row.privileged !== true) return null;
  return { mnemonic: row.mnemonic.replace(/^REP /, ''), sensitive: row.sensitive ?? null, privileged: row.privileged === true };
}
