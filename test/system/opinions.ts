// ./node_modules/.bin/node test/system/opinions.ts qemu|bochs [name pattern]
// Runs the system-mode cases there and prints where they disagree with us.
import { counterCases } from './counterCases.ts';
import { debugCases } from './debugCases.ts';
import { interruptCases } from './interruptCases.ts';
import { modeCases } from './modeCases.ts';
import { pagingCases } from './pagingCases.ts';
import { explanationOf } from './explainedDifferences.ts';
import { type Emulator, logOf, needsHarness } from './secondOpinion.ts';
import { segmentCases } from './segmentCases.ts';
import { selfModifyingCases } from './selfModifyingCases.ts';
import { virtualFlagCases } from './virtualFlagCases.ts';

const emulator = (process.argv[2] ?? 'qemu') as Emulator;
const pattern = new RegExp(process.argv[3] ?? '', 'i');
const hex = (values: readonly number[]): string => values.map((value) => (value >>> 0).toString(16)).join(' ');

let same = 0, explained = 0, unexplained = 0, left = 0;
for (const one of [...interruptCases, ...segmentCases, ...pagingCases, ...debugCases, ...selfModifyingCases, ...modeCases, ...virtualFlagCases, ...counterCases]) {
  if (!pattern.test(one.name)) continue;
  if (needsHarness(one)) {
    left++;
    continue;
  }
  // A case that goes round and round elsewhere says enough in its first values.
  const log = hex((await logOf(one, emulator)).slice(0, one.log.length + 8)), expected = hex(one.log);
  if (log === expected) same++;
  else {
    const why = explanationOf(one.name, emulator);
    if (why === null) unexplained++;
    else explained++;
    console.log(`${one.name}\n  ours ${expected}\n  ${emulator} ${log}\n  ${why ?? 'NOT EXPLAINED'}`);
  }
}
console.log(`${emulator}: ${same} agree, ${explained} differ for a reason, ${unexplained} differ, ${left} need the harness's devices`);
process.exit(unexplained === 0 ? 0 : 1);
