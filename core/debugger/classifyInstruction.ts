// Popek and Goldberg's marks of an instruction, from the decode tables that execute it.
import { oneByte, twoByte, type Entry } from '../cpu/decode/tables.ts';
import type { Row, Sensitivity } from '../cpu/decode/row.ts';

export interface InstructionClass {
  readonly mnemonic: string;
  readonly sensitive: Sensitivity | null;
  readonly privileged: boolean;
}

const PREFIXES: ReadonlySet<number> = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);
const MAX_PREFIXES = 14;
/** One-byte opcodes that are no instruction, or another one, in 64-bit code (SDM 2D table A-2, i64 and VEX). */
const NOT_IN_64 = new Set([
  0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x60, 0x61, 0x62, 0x63, 0x82, 0x9a, 0xc4, 0xc5,
  0xce, 0xd4, 0xd5, 0xea,
]);
/** What 64-bit code adds (SDM 3A 5.9, 25.1): SYSCALL is a transfer as SYSENTER is, the others are privileged. */
const LONG_MODE_ROWS: readonly (readonly [opcode: number, modRm: number | null, InstructionClass])[] = [
  [0x05, null, { mnemonic: 'SYSCALL', sensitive: null, privileged: false }],
  [0x07, null, { mnemonic: 'SYSRET', sensitive: null, privileged: true }],
  [0x01, 0xf8, { mnemonic: 'SWAPGS', sensitive: 'control', privileged: true }],
  [0x01, 0xf9, { mnemonic: 'RDTSCP', sensitive: 'behaviour', privileged: false }],
];

/** Null: innocuous, or no instruction at all. `bytes` begins at the instruction. */
export function classifyInstruction(bytes: Uint8Array, bits: 16 | 32 | 64): InstructionClass | null {
  let at = 0;
  while (at < MAX_PREFIXES && PREFIXES.has(bytes[at])) at++;
  if (bits === 64 && (bytes[at] & 0xf0) === 0x40) at++;
  const opcode = bytes[at], next = bytes[at + 1];
  if (opcode === undefined) return null;
  if (opcode !== 0x0f) return bits === 64 && NOT_IN_64.has(opcode) ? null : classOf(rowOf(oneByte[opcode], next));
  if (next === undefined) return null;
  const modRm = bytes[at + 2];
  if (bits === 64) {
    const special = LONG_MODE_ROWS.find(([code, form]) => code === next && (form === null || form === modRm));
    if (special !== undefined) return special[2];
  }
  return classOf(rowOf(twoByte[next], modRm));
}

function rowOf(entry: Entry | undefined, modRm: number | undefined): Row | null {
  if (entry === null || entry === undefined) return null;
  if (typeof entry === 'function') return modRm === undefined ? null : entry(modRm);
  if (Array.isArray(entry)) return modRm === undefined ? null : ((entry as readonly (Row | null)[])[(modRm >> 3) & 7] ?? null);
  return entry as Row;
}

function classOf(row: Row | null): InstructionClass | null {
  if (row === null || (row.sensitive === undefined && row.privileged !== true)) return null;
  return { mnemonic: row.mnemonic, sensitive: row.sensitive ?? null, privileged: row.privileged === true };
}
