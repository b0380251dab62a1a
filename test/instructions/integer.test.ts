// Every fixture on every engine that its header names, in all variants: what silicon did is what we do.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  DATA_BASE, FLAG_MASK, formatCase, formatResult, parseFixture, type InstructionCase, type InstructionResult,
} from './fixture.ts';
import { expectedData, InterpreterEngine, VARIANTS, type Variant } from './interpreterEngine.ts';

const FIXTURES = join(import.meta.dirname, 'fixtures');
const engine = new InterpreterEngine();

/** Differences in words; empty when the case passes. */
function difference(input: InstructionCase, expected: InstructionResult, variant: Variant): string {
  const actual = engine.run(input, variant);
  const data = engine.data, wanted = expectedData(input, expected);
  const flagsCompared = FLAG_MASK & ~input.undefinedFlags;
  const same =
    actual.eip === expected.eip && actual.vector === expected.vector && actual.error === expected.error &&
    actual.cr2 === expected.cr2 && (actual.flags & flagsCompared) === (expected.flags & flagsCompared) &&
    actual.registers.every((value, index) => value === expected.registers[index]);
  if (same && Buffer.compare(data, wanted) === 0) return '';
  const bytes: [number, number][] = [];
  data.forEach((value, offset) => {
    if (value !== wanted[offset]) bytes.push([DATA_BASE + offset, value]);
  });
  return `${variant}: ${formatCase(input, expected)}\n    got: ${formatResult(input, { ...actual, changes: bytes })}`;
}

/** A fault at the end of a segment is #GP or #SS instead of #PF. */
const comparable = (variant: Variant, fixed: boolean, { result }: { result: InstructionResult }): boolean =>
  variant === 'page-crossing' ? !fixed : variant === 'at-limit' || variant === 'slow-segments' ? result.vector !== 14 : true;

describe('integer instructions as silicon executes them', () => {
  for (const file of readdirSync(FIXTURES).filter((name) => name.endsWith('.txt') && !name.startsWith('x87'))) {
    const { header, cases } = parseFixture(readFileSync(join(FIXTURES, file), 'utf8'));
    if (!header.engines.includes('interpreter')) continue;
    it(`${header.instruction}: ${cases.length} cases`, () => {
      const wrong: string[] = [];
      for (const variant of VARIANTS) {
        for (const one of cases) {
          if (!comparable(variant, header.fixed, one)) continue;
          const text = difference(one.input, one.result, variant);
          if (text !== '') wrong.push(text);
        }
      }
      expect(wrong.length, wrong.slice(0, 12).join('\n')).toBe(0);
    });
  }
});
