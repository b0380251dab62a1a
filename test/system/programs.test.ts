// The Multiboot programs: ours answers as the manual says, QEMU and Bochs too or programDifferences.ts tells why not.
import { afterAll, describe, expect, it } from 'vitest';
import { type Difference, differences } from './programDifferences.ts';
import { expectedResults } from './programResults.ts';
import { buildImages, LONGEST_MS, programNames, QUIET_MS, type Results } from './programRunner.ts';
import { type Emulator, isInstalled } from './secondOpinion.ts';

const images = buildImages();
afterAll(() => images.remove());

/** What an emulator says other than the manual, by case; `astray` is the case from which on it says nothing of use. */
function disagreements(expected: Readonly<Record<string, string>>, results: Results, astray: string | undefined): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(expected)) {
    if (name === astray) return found;
    const other = results.get(name) ?? 'missing';
    if (other !== value) found[name] = other;
  }
  return found;
}

it('has expected results for every program, and explains cases that exist', () => {
  expect(Object.keys(expectedResults).toSorted()).toEqual([...programNames].toSorted());
  for (const { program, case: name } of differences) expect(expectedResults[program], `${program}.${name}`).toHaveProperty([name]);
});

it.each(programNames)('%s: as the manual says', async (name) => {
  expect(Object.fromEntries(await images.run(name, 'ours'))).toEqual(expectedResults[name]);
});

describe.each(['qemu', 'bochs'] as const satisfies readonly Emulator[])('%s', (emulator) => {
  it.skipIf(!isInstalled(emulator)).each(programNames)('%s: agrees, or it is explained', async (name) => {
    const explained = differences.filter((one): one is Difference => one.program === name && one.emulator === emulator);
    const astray = explained.find(({ value }) => value === null)?.case;
    const results = await images.run(name, emulator, astray === undefined ? LONGEST_MS : QUIET_MS);
    if (astray !== undefined) expect(results.get('end'), `${astray} no longer leads it astray`).toBe('missing');
    const known = Object.fromEntries(explained.flatMap((one) => (one.value === null ? [] : [[one.case, one.value]])));
    expect(disagreements(expectedResults[name] ?? {}, results, astray)).toEqual(known);
  });
});
