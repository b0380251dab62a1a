// Records vector instructions on this machine's processor, or compares our CPU with it at once:
// `node24 test/oracle/vectorRecord.ts` writes test/instructions/fixtures/vector.bin.br,
// `node24 test/oracle/vectorRecord.ts compare SEED COUNT` makes COUNT fresh cases a row and prints what differs.
// Needs gcc and an x86-64 processor with all the sets.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';
import { differences, packCases, RESULT_BYTES, type RecordedCase } from '../instructions/vectorCases.ts';
import { VectorMachine } from '../instructions/vectorMachine.ts';
import { vectorCases } from './vectorForms.ts';

const SEED = 2026, COUNT = 10;

function record(seed: number, count: number): (RecordedCase & { mnemonic: string })[] {
  const program = join(mkdtempSync(join(tmpdir(), 'vector-oracle-')), 'oracle');
  execFileSync('gcc', ['-O1', '-w', '-o', program, new URL('vectorOracle.c', import.meta.url).pathname]);
  const cases = vectorCases(seed, count);
  const { stdout } = spawnSync(program, { input: Buffer.concat(cases.map(({ input }) => input)), maxBuffer: 2 ** 31 - 1 });
  if (stdout.length !== cases.length * RESULT_BYTES) throw new Error(`${stdout.length / RESULT_BYTES} results for ${cases.length} cases`);
  return cases.map((made, index) => ({ ...made, result: stdout.subarray(index * RESULT_BYTES, (index + 1) * RESULT_BYTES) }));
}

const [command, seed = String(SEED), count = String(COUNT)] = process.argv.slice(2);
const recorded = record(Number(seed), Number(count));
if (command === 'compare') {
  const narrow = new VectorMachine(false), wide = new VectorMachine(true);
  let wrong = 0;
  for (const { mnemonic, portable, input, result } of recorded) {
    const found = differences(wide, input, result, true) || (portable ? differences(narrow, input, result, false) : '');
    if (found === '') continue;
    wrong++;
    console.log(`${mnemonic} ${input.subarray(1, 1 + input[0]).toString('hex')}: ${found}`);
  }
  console.log(`${recorded.length} cases, ${wrong} differ`);
  process.exitCode = wrong === 0 ? 0 : 1;
} else {
  const packed = brotliCompressSync(packCases(recorded), { params: { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_LGWIN]: 24 } });
  writeFileSync(new URL('../instructions/fixtures/vector.bin.br', import.meta.url), packed);
  console.log(`${recorded.length} cases, ${packed.length} bytes`);
}
