// The system-mode cases on QEMU's TCG: it agrees, or explainedDifferences.ts says why not with the manual's section.
// `node test/system/opinions.ts bochs` asks Bochs, `... qemu` shows the differences.
import { describe, expect, it } from 'vitest';
import { counterCases } from './counterCases.ts';
import { debugCases } from './debugCases.ts';
import { explanationOf } from './explainedDifferences.ts';
import { interruptCases } from './interruptCases.ts';
import { modeCases } from './modeCases.ts';
import { pagingCases } from './pagingCases.ts';
import { isInstalled, logOf, needsHarness } from './secondOpinion.ts';
import { segmentCases } from './segmentCases.ts';
import { selfModifyingCases } from './selfModifyingCases.ts';
import { virtualFlagCases } from './virtualFlagCases.ts';

const cases = [
  ...interruptCases, ...segmentCases, ...pagingCases, ...debugCases, ...selfModifyingCases, ...modeCases, ...virtualFlagCases, ...counterCases,
];
const agreeing = cases.filter(
  (one) => !needsHarness(one) && explanationOf(one.name, 'qemu') === null,
);

describe.skipIf(!isInstalled('qemu'))('QEMU agrees', () => {
  it.each(agreeing)('$name', async (one) => {
    expect(await logOf(one, 'qemu')).toEqual(one.log);
  });
});
