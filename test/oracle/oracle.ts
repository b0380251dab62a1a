// npm run oracle -- --seed N --count M [--only MNEMONIC] [--mode 32|64] [--show N] [--summary] [--write FILE]
//
// Makes fresh cases, runs them on the processor at hand and on our CPU, and prints each that differs.
import { writeFileSync } from 'node:fs';
import { constants, brotliCompressSync } from 'node:zlib';
import { parseArgs } from 'node:util';
import {
  type Bitness, expansionChecksum, type FixtureHeader, HANG, packFixture, RESULT, type OracleCase, type RecordedCase,
} from './caseFormat.ts';
import { bitnessOf, decodeCase, describeCase, difference } from './compare.ts';
import { type Mode, OracleEngine } from './engine.ts';
import { generate } from './generator.ts';
import { missingFeatures } from './policy.ts';
import { processorFeatures, processorName, runOnSilicon } from './silicon.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' }, count: { type: 'string', default: '20000' }, only: { type: 'string' }, mode: { type: 'string' },
    show: { type: 'string', default: '20' }, summary: { type: 'boolean', default: false }, write: { type: 'string' },
    alignment: { type: 'boolean', default: false },
  },
});
const seed = Number(values.seed), count = Number(values.count);
const modes: readonly Mode[] = values.mode === '32' ? ['protected', 'compatibility'] : values.mode === '64' ? ['64-bit'] : ['protected', 'compatibility', '64-bit'];

const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`;

/** Fresh cases with what silicon made of them; those that do not end are left out. */
function record(bitness: Bitness): RecordedCase[] {
  let started = performance.now();
  const skip = missingFeatures(processorFeatures());
  const only = values.only === undefined ? undefined : new RegExp(`^(${values.only})$`, 'i');
  const cases: OracleCase[] = generate({ seed, count, bitness, alignment: values.alignment, ...(only && { only }), skip });
  console.log(`${bitness}-bit: ${cases.length} cases made in ${seconds(started)}${skip.size > 0 ? `; not here: ${[...skip].join(' ')}` : ''}`);
  started = performance.now();
  const recorded: RecordedCase[] = [];
  let index = 0;
  for (const result of runOnSilicon(cases, bitness)) {
    const input = cases[index++];
    if (result.bytes[RESULT.vector] !== HANG) recorded.push({ input, result });
  }
  console.log(`${bitness}-bit: run on ${processorName()} in ${seconds(started)}`);
  return recorded;
}

function compareAll(mode: Mode, recorded: readonly RecordedCase[]): number {
  const started = performance.now();
  const engine = new OracleEngine(mode);
  const byMnemonic = new Map<string, { count: number; first: string }>();
  let wrong = 0;
  for (const one of recorded) {
    const found = difference(engine, one);
    if (found === null) continue;
    wrong++;
    const text = `${describeCase(one.input.bytes, bitnessOf(mode))}\n    ${found.join('\n    ')}`;
    if (!values.summary && wrong <= Number(values.show)) console.log(text);
    const decoded = decodeCase(one.input.bytes, bitnessOf(mode));
    const name = decoded.valid ? decoded.mnemonic : `undefined ${text.slice(text.indexOf('['), text.indexOf(']') + 1).slice(0, 12)}`;
    decoded.free();
    const known = byMnemonic.get(name);
    if (known) known.count++;
    else byMnemonic.set(name, { count: 1, first: text });
  }
  if (values.summary) for (const [name, { count: times, first }] of byMnemonic) console.log(`--- ${name}: ${times}\n${first}`);
  console.log(`${mode}: ${recorded.length} cases, ${wrong} differ, ${seconds(started)}`);
  if (wrong > 0) console.log(`  ${[...byMnemonic].map(([name, { count: times }]) => `${name} ${times}`).join(', ')}`);
  return wrong;
}

let wrong = 0;
for (const bitness of [32, 64] as const) {
  const chosen = modes.filter((mode) => bitnessOf(mode) === bitness);
  if (chosen.length === 0) continue;
  const recorded = record(bitness);
  if (values.write !== undefined) {
    const header: FixtureHeader = {
      bitness, processor: processorName(), generatorSeed: seed, count: recorded.length, expansion: expansionChecksum(),
    };
    const packed = packFixture(header, recorded);
    const file = `${values.write}.${bitness}.br`;
    writeFileSync(file, brotliCompressSync(packed, { params: { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_LGWIN]: 24 } }));
    console.log(`${file}: ${recorded.length} cases`);
  }
  for (const mode of chosen) wrong += compareAll(mode, recorded);
}
process.exit(wrong === 0 ? 0 : 1);
