// Regenerates test/instructions/fixtures from the host's processor: `node24 test/oracle/record.ts [family...]`.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { allFamilies } from './families.ts';
import { DATA_BASE, FLAG_MASK, formatFixture, type InstructionCase, type InstructionResult } from '../instructions/fixture.ts';

const HERE = import.meta.dirname;
const FIXTURES = join(HERE, '../instructions/fixtures');
const CODE_BYTES = 64;
const CASE_BYTES = 13 * 4 + CODE_BYTES + 32;
const RESULT_BYTES = 14 * 4;

/** Builds the harness, or says what is missing. */
function build(directory: string): string {
  const program = join(directory, 'oracle');
  try {
    execFileSync('gcc', ['-m32', '-O1', '-Wall', '-Werror', '-o', program, join(HERE, 'oracle.c')], { stdio: 'pipe' });
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new Error(`The oracle needs an x86 host with gcc and its 32-bit libraries (Debian: gcc-multilib).\n${detail}`);
  }
  return program;
}

function encode(cases: readonly InstructionCase[]): Buffer {
  const buffer = Buffer.alloc(cases.length * CASE_BYTES);
  cases.forEach((input, index) => {
    const at = index * CASE_BYTES;
    if (input.code.length > CODE_BYTES) throw new Error('the code of a case is too long');
    input.registers.forEach((register, number) => buffer.writeUInt32LE(register >>> 0, at + number * 4));
    const words = [input.flags, input.at, input.code.length, input.memory?.at ?? 0, input.memory?.bytes.length ?? 0];
    words.forEach((word, number) => buffer.writeUInt32LE(word >>> 0, at + 32 + number * 4));
    buffer.set(input.code, at + 52);
    if (input.memory) buffer.set(input.memory.bytes, at + 52 + CODE_BYTES);
  });
  return buffer;
}

function decode(buffer: Buffer, cases: readonly InstructionCase[]): InstructionResult[] {
  let at = 0;
  return cases.map((input) => {
    const word = (number: number): number => buffer.readUInt32LE(at + number * 4);
    const count = word(13), eip = word(9), vector = word(10);
    // The HLT behind the instruction, or where it branched to, ends the case.
    const halted = vector === 13 && (eip < input.at || eip >= input.at + input.code.length);
    const changes = Array.from({ length: count }, (_, index) => {
      const change = buffer.readUInt32LE(at + RESULT_BYTES + index * 4);
      return [DATA_BASE + (change >>> 8), change & 0xff] as const;
    });
    const result: InstructionResult = {
      registers: Array.from({ length: 8 }, (_, number) => word(number)),
      flags: word(8) & FLAG_MASK,
      eip,
      vector: halted ? -1 : vector,
      // Without the fetch bit, which only processors with no-execute pages report.
      error: halted ? 0 : word(11) & ~0x10,
      cr2: halted ? 0 : word(12),
      changes,
    };
    at += RESULT_BYTES + count * 4;
    return result;
  });
}

function processorName(): string {
  const line = readFileSync('/proc/cpuinfo', 'utf8').split('\n').find((text) => text.startsWith('model name'));
  return line?.split(': ')[1] ?? 'unknown processor';
}

const directory = mkdtempSync(join(tmpdir(), 'oracle-'));
try {
  const program = build(directory);
  const expected = `silicon (${processorName()}, 32-bit user mode)`;
  const wanted = new Set(process.argv.slice(2));
  mkdirSync(FIXTURES, { recursive: true });
  let total = 0;
  for (const family of allFamilies) {
    if (wanted.size > 0 && !wanted.has(family.name)) continue;
    const cases = family.cases();
    const { stdout, status } = spawnSync(program, { input: encode(cases), maxBuffer: 1 << 28, timeout: 60_000 });
    if (status !== 0) throw new Error(`${family.name}: the harness ended with ${status}`);
    const results = decode(stdout, cases);
    const header = {
      instruction: family.name, engines: ['interpreter'], expected, fixed: family.fixed ?? false, notes: family.notes ?? [],
    };
    const recorded = cases.map((input, index) => ({ input, result: results[index] }));
    const kept = recorded.filter(({ result }) => family.keep?.(result) ?? true);
    const text = formatFixture({ header, cases: kept });
    writeFileSync(join(FIXTURES, `${family.name}.txt`), text);
    total += kept.length;
  }
  console.log(`${total} cases recorded`);
} finally {
  rmSync(directory, { recursive: true });
}
