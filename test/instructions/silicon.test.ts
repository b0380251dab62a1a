// Every recorded case of the silicon oracle (test/oracle) on our CPU: zero differences outside what the manual leaves undefined.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { expansionChecksum, readFixtureHeader, unpackFixture } from '../oracle/caseFormat.ts';
import { bitnessOf, describeCase, difference } from '../oracle/compare.ts';
import { type Mode, OracleEngine } from '../oracle/engine.ts';

const load = (name: string, bitness: 32 | 64): Uint8Array =>
  brotliDecompressSync(readFileSync(join(import.meta.dirname, 'fixtures', 'silicon', `${name}.${bitness}.br`)));

/** `system`: what looks at descriptors, loads segments, leaves them by far transfers or saves extended state. */
const FIXTURES = { cases: { 32: 100_000, 64: 150_000 }, system: { 32: 16_000, 64: 16_000 } } as const;

/** To make a region of a case takes longer than to run it. */
const TRANSLATED_EVERY = 8;

describe.each([['protected'], ['compatibility'], ['64-bit']] as readonly (readonly [Mode])[])('%s mode', (mode) => {
  it.each(['cases', 'system'] as const)('does what silicon did: %s', (name) => {
    const bitness = bitnessOf(mode), bytes = load(name, bitness), header = readFixtureHeader(bytes);
    expect(header.expansion).toBe(expansionChecksum());
    expect(header.count).toBeGreaterThanOrEqual(FIXTURES[name][bitness]);
    const engine = new OracleEngine(mode);
    const wrong: string[] = [];
    let count = 0;
    // Compatibility mode differs from protected mode in little but how it is entered and left.
    const every = mode === 'compatibility' && name === 'cases' ? 4 : 1;
    for (const one of unpackFixture(bytes)) {
      if (count++ % every !== 0) continue;
      const found = difference(engine, one, count % TRANSLATED_EVERY === 0);
      if (found !== null) wrong.push(`${describeCase(one.input.bytes, bitness)}\n    ${found.join('\n    ')}`);
    }
    expect(count).toBe(header.count);
    expect(wrong.length, wrong.slice(0, 8).join('\n')).toBe(0);
  });
});
