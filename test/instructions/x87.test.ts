// The x87 against silicon: engines that must pass: interpreter. Expected values: recorded by test/oracle/x87Record.sh.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { differences, type Outcome, parseCase, runCase } from './x87Cases.ts';
import { X87Machine } from './x87Machine.ts';

const machine = new X87Machine();

const casesOf = (group: string) =>
  readFileSync(new URL(`./fixtures/x87.${group}.txt`, import.meta.url), 'utf8').trimEnd().split('\n').map(parseCase);

test.each([['transfer', 4000], ['control', 2000], ['arithmetic', 4000], ['compare', 2000], ['remainder', 350]])(
  '%s instructions do what silicon does',
  (group, least) => {
    const cases = casesOf(group);
    expect(cases.length).toBeGreaterThan(least);
    const wrong = cases.flatMap((c) => {
      const found = differences(runCase(machine, c), c.expected);
      return found === '' ? [] : [`${c.line}\n  ${found}`];
    });
    expect(wrong).toEqual([]);
  },
);

/** One 80-bit value as a count of units in the last place. */
function ordinal(hex: string): bigint {
  const word = Number.parseInt(hex.slice(0, 4), 16);
  const magnitude = (BigInt(word & 0x7fff) << 63n) + (BigInt('0x' + hex.slice(4)) & ((1n << 63n) - 1n));
  return word >= 0x8000 ? -magnitude : magnitude;
}
const distance = (actual: Outcome, expected: Outcome): bigint =>
  actual.registers.reduce((most, value, n) => {
    const difference = ordinal(value) - ordinal(expected.registers[n]);
    const size = difference < 0n ? -difference : difference;
    return size > most ? size : most;
  }, 0n);

/** Arguments for which the manual defines a result. */
function isDefined(code: string, x: string): boolean {
  const exponent = Number.parseInt(x.slice(0, 4), 16) & 0x7fff;
  if (code === 'd9f0') return exponent < 0x3fff;
  return code !== 'd9f9' || exponent < 0x3ffd;
}

test('transcendental instructions are within one unit of silicon, and mostly equal', () => {
  const cases = casesOf('transcendental').filter((c) => isDefined(c.code, c.input[3]));
  let equal = 0;
  const wrong: string[] = [];
  for (const c of cases) {
    const actual = runCase(machine, c);
    const found = differences(actual, c.expected);
    if (found === '') equal++;
    else if (distance(actual, c.expected) > 1n || actual.tags !== c.expected.tags) wrong.push(`${c.line}\n  ${found}`);
  }
  expect(wrong).toEqual([]);
  expect(equal / cases.length).toBeGreaterThan(0.85);
});
