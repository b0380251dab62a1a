// Cases of single vector instructions as test/oracle/vectorOracle.c takes and gives them, and running one on our CPU.
import { FIELD } from '../../core/cpu/state/layout.ts';
import type { VectorMachine } from './vectorMachine.ts';
import { DATA } from './x87Machine.ts';

/** Offsets in a state. */
export const STATE = { mxcsr: 0, flags: 4, general: 8, control: 72, status: 74, tags: 76, st: 80, xmm: 208, data: 464, bytes: 528 } as const;
/** A case: length of the code, the code, its state; a result: the vector or -1, its state. */
export const CODE_BYTES = 16, CASE_BYTES = CODE_BYTES + STATE.bytes, RESULT_BYTES = 4 + STATE.bytes;
/** Encodings of the general registers in a state: RAX to RBX, R8 to R11. */
const GENERAL = [0, 1, 2, 3, 8, 9, 10, 11];
const ARITHMETIC = 0x8d5;

/** Physical x87 register of ST(i). */
const physical = (status: number, i: number): number => ((status >> 11) + i) & 7;

function load({ cpu, ram }: VectorMachine, state: Buffer): void {
  const copy = (from: number, bytes: number, to: number): void => cpu.u8.set(state.subarray(from, from + bytes), cpu.base + to);
  cpu.set32(FIELD.mxcsr, state.readUInt32LE(STATE.mxcsr));
  cpu.eflags = state.readUInt32LE(STATE.flags) | 2;
  GENERAL.forEach((register, index) => copy(STATE.general + index * 8, 8, register * 8));
  cpu.setReg32(6, DATA);
  cpu.setReg32(7, DATA);
  const status = state.readUInt16LE(STATE.status);
  cpu.set32(FIELD.fpControl, state.readUInt16LE(STATE.control));
  cpu.set32(FIELD.fpStatus, status);
  cpu.set32(FIELD.fpTags, state.readUInt16LE(STATE.tags));
  for (let i = 0; i < 8; i++) copy(STATE.st + i * 16, 10, FIELD.fpr + physical(status, i) * 16);
  for (let i = 0; i < 16; i++) copy(STATE.xmm + i * 16, 16, FIELD.xmm + i * 64);
  ram.fill(0, DATA, DATA + 4096);
  ram.set(state.subarray(STATE.data, STATE.bytes), DATA);
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** What differs from the recorded result, for people; empty when nothing does. 32-bit mode has eight XMM registers and half of the others. */
export function differences(machine: VectorMachine, input: Buffer, result: Buffer, wide: boolean): string {
  const { cpu, ram } = machine;
  load(machine, input.subarray(CODE_BYTES));
  const vector = machine.run([...input.subarray(1, 1 + input[0])]), expected = result.readInt32LE(0);
  if (vector !== expected) return `vector ${vector} instead of ${expected}`;
  const state = result.subarray(4), found: string[] = [];
  const compare = (name: string, actual: Uint8Array | number, from: number, bytes: number): void => {
    const wanted = hex(state.subarray(from, from + bytes));
    const given = typeof actual === 'number' ? hex(new Uint8Array(new Uint32Array([actual]).buffer).subarray(0, bytes)) : hex(actual.subarray(0, bytes));
    if (given !== wanted) found.push(`${name} ${given} instead of ${wanted}`);
  };
  const at = (field: number): Uint8Array => cpu.u8.subarray(cpu.base + field, cpu.base + field + 16);
  compare('MXCSR', cpu.get32(FIELD.mxcsr), STATE.mxcsr, 4);
  // A fault leaves its handler's flags.
  if (vector < 0) compare('flags', cpu.eflags & ARITHMETIC, STATE.flags, 4);
  GENERAL.slice(0, wide ? 8 : 4).forEach((register, index) => compare(`GPR${register}`, at(register * 8), STATE.general + index * 8, wide ? 8 : 4));
  compare('status', cpu.get32(FIELD.fpStatus), STATE.status, 2);
  compare('tags', cpu.get32(FIELD.fpTags), STATE.tags, 2);
  const status = state.readUInt16LE(STATE.status);
  for (let i = 0; i < 8; i++) compare(`R${physical(status, i)}`, at(FIELD.fpr + physical(status, i) * 16), STATE.st + i * 16, 10);
  for (let i = 0; i < (wide ? 16 : 8); i++) compare(`XMM${i}`, at(FIELD.xmm + i * 64), STATE.xmm + i * 16, 16);
  compare('memory', ram.subarray(DATA, DATA + 64), STATE.data, 64);
  return found.join('; ');
}

/** A file of cases: per case a flag (1: the code means the same in 32-bit mode), the case, and its result less the input. */
export interface RecordedCase {
  readonly portable: boolean;
  readonly input: Buffer;
  readonly result: Buffer;
}
export function packCases(cases: readonly RecordedCase[]): Buffer {
  return Buffer.concat(
    cases.map(({ portable, input, result }) => {
      const changed = Buffer.from(result);
      for (let index = 0; index < STATE.bytes; index++) changed[4 + index] ^= input[CODE_BYTES + index];
      return Buffer.concat([Buffer.of(portable ? 1 : 0), input, changed]);
    }),
  );
}
export function* unpackCases(file: Buffer): Iterable<RecordedCase> {
  for (let at = 0; at < file.length; at += 1 + CASE_BYTES + RESULT_BYTES) {
    const input = file.subarray(at + 1, at + 1 + CASE_BYTES);
    const result = Buffer.from(file.subarray(at + 1 + CASE_BYTES, at + 1 + CASE_BYTES + RESULT_BYTES));
    for (let index = 0; index < STATE.bytes; index++) result[4 + index] ^= input[CODE_BYTES + index];
    yield { portable: file[at] === 1, input, result };
  }
}
