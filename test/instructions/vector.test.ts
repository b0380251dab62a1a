// Vector instructions and bit manipulation against silicon: engines that must pass: interpreter. Expected values: recorded
// by test/oracle/vectorRecord.ts.
import { readFileSync } from 'node:fs';
import { brotliDecompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { differences, unpackCases } from './vectorCases.ts';
import { VectorMachine } from './vectorMachine.ts';

test('vector instructions do what silicon does, in 32- and 64-bit mode', { timeout: 60_000 }, () => {
  const cases = [...unpackCases(brotliDecompressSync(readFileSync(new URL('./fixtures/vector.bin.br', import.meta.url))))];
  expect(cases.length).toBeGreaterThan(3600);
  const narrow = new VectorMachine(false), wide = new VectorMachine(true);
  const wrong = cases.flatMap(({ portable, input, result }) => {
    const found = differences(wide, input, result, true) || (portable ? differences(narrow, input, result, false) : '');
    return found === '' ? [] : [`${input.subarray(1, 1 + input[0]).toString('hex')}: ${found}`];
  });
  expect(wrong).toEqual([]);
});
