// The system-mode cases on QEMU's TCG: it agrees, or the manual says why not. SECOND_OPINIONS=1 runs all, else one in six;
// `node test/system/opinions.ts bochs` asks Bochs.
import { describe, expect, it } from 'vitest';
import { debugCases } from './debugCases.ts';
import { explanationOf } from './explainedDifferences.ts';
import { interruptCases } from './interruptCases.ts';
import { modeCases } from './modeCases.ts';
import { pagingCases } from './pagingCases.ts';
import { isInstalled, logOf, needsHarness } from './secondOpinion.ts';
import { segmentCases } from './segmentCases.ts';
import { selfModifyingCases } from './selfModifyingCases.ts';

const every = process.env.SECOND_OPINIONS === '1' ? 1 : 6;
const agreeing = [...interruptCases, ...segmentCases, ...pagingCases, ...debugCases, ...selfModifyingCases, ...modeCases].filter(
  (one) => !needsHarness(one) && explanationOf(one.name, 'qemu') === null,
);

describe.skipIf(!isInstalled('qemu'))('QEMU agrees', () => {
  it.each(agreeing.filter((_, index) => index % every === 0))('$name', async (one) => {
    expect(await logOf(one, 'qemu')).toEqual(one.log);
  });
});
