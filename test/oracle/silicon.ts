// Builds the harness and runs cases on the processor at hand.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bitness, CASE_BYTES, type OracleCase, type OracleResult, RESULT } from './caseFormat.ts';

/** Cases per run of the harness. */
const BATCH = 20_000;
let directory = '';
const built = new Map<Bitness, string>();

function harness(bitness: Bitness): string {
  const known = built.get(bitness);
  if (known !== undefined) return known;
  directory ||= mkdtempSync(join(tmpdir(), 'oracle-'));
  const program = join(directory, `harness${bitness}`);
  const flags = ['-O1', '-static', '-no-pie', '-fno-pie', '-fno-stack-protector', '-fcf-protection=none', '-Wall'];
  execFileSync('gcc', [`-m${bitness}`, ...flags, '-o', program, join(import.meta.dirname, 'harness.c')], { stdio: 'inherit' });
  built.set(bitness, program);
  return program;
}

/** What the processor is called, and whether a CPUID feature is there. */
export function processorName(): string {
  const info = readFileSync('/proc/cpuinfo', 'latin1');
  const field = (name: string): string => new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(info)?.[1] ?? '?';
  return `${field('model name')} (family ${field('cpu family')}, model ${field('model')}, stepping ${field('stepping')})`;
}

/** CPUID leaves 1, 7 and 80000001h: EAX, EBX, ECX, EDX each. */
export function processorFeatures(): readonly (readonly number[])[] {
  const text = execFileSync(harness(64), ['cpuid'], { encoding: 'latin1' });
  return text.trim().split('\n').map((line) => line.split(' ').map(Number));
}

export function* runOnSilicon(cases: readonly OracleCase[], bitness: Bitness): Iterable<OracleResult> {
  const program = harness(bitness);
  for (let first = 0; first < cases.length; first += BATCH) {
    const batch = cases.slice(first, first + BATCH);
    const input = Buffer.alloc(batch.length * CASE_BYTES);
    batch.forEach((one, index) => input.set(one.bytes, index * CASE_BYTES));
    const { stdout, status, signal } = spawnSync(program, [], {
      input, maxBuffer: 1 << 30, env: { ...process.env, CASES: String(batch.length) },
    });
    if (status !== 0) throw new Error(`the harness ended with ${status ?? signal} in a batch from case ${first}`);
    let at = 0;
    for (let index = 0; index < batch.length; index++) {
      const count = stdout.readUInt32LE(at + RESULT.changes);
      const bytes = new Uint8Array(stdout.subarray(at, at + RESULT.bytes));
      const changes = Uint32Array.from({ length: count }, (_, change) => stdout.readUInt32LE(at + RESULT.bytes + change * 4));
      yield { bytes, changes };
      at += (RESULT.bytes + count * 4 + 7) & ~7;
    }
  }
}
