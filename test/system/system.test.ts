// System-mode behaviour as the SDM describes it, one small program a case.
import { describe, expect, it } from 'vitest';
import { counterCases } from './counterCases.ts';
import { debugCases } from './debugCases.ts';
import { interruptCases } from './interruptCases.ts';
import { modeCases } from './modeCases.ts';
import { pagingCases } from './pagingCases.ts';
import { segmentCases } from './segmentCases.ts';
import { selfModifyingCases } from './selfModifyingCases.ts';
import type { SystemCase } from './systemCase.ts';
import { runProgram, translations } from './systemHarness.ts';
import { virtualFlagCases } from './virtualFlagCases.ts';

const words = (values: readonly number[]): string[] => values.map((value) => value.toString(16));

const groups: readonly (readonly [string, readonly SystemCase[]])[] = [
  ['interrupts, privilege and tasks', interruptCases],
  ['segments', segmentCases],
  ['paging', pagingCases],
  ['debugging', debugCases],
  ['self-modifying code', selfModifyingCases],
  ['modes and models', modeCases],
  ['virtual interrupt flag', virtualFlagCases],
  ['counters and machine checks', counterCases],
];

describe.each(groups)('%s', (_group, cases) => {
  it.each(cases)('$name', (one) => {
    const outcome = runProgram(one.text, one);
    expect(words(outcome.log)).toEqual(words(one.log));
    expect(outcome.activity).toBe(one.activity ?? 'halted');
  });
});

it('the programs ran in regions, and regions were dropped with their code', () => {
  expect(translations.compiled).toBeGreaterThan(100);
  expect(translations.dropped).toBeGreaterThan(5);
});
