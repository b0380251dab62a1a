// The options of `trapeze compare`, checked.
import type { CompareOptions } from '../../core/api/compare.ts';
import type { MachineConfiguration } from '../../core/machine/configuration.ts';
import { bad, parseEngine, parseRunOptions } from './runOptions.ts';
import type { RawRunOptions } from './runOptions.ts';

/** As commander hands them over, beside those that describe the machine. */
export interface RawCompareOptions extends RawRunOptions {
  readonly engines?: string;
  readonly instructions?: string;
  readonly from?: string;
  readonly every?: string;
  readonly checkpoint?: string;
}

export interface ComparisonOptions extends CompareOptions {
  readonly configuration: MachineConfiguration;
}

export const COMPARE_DEFAULTS = {
  engines: 'interpreter,interpreter-uncached',
  instructions: '10M',
  from: '0',
  every: '100',
  checkpoint: '1M',
} as const;

/** The date of both machines: 2023-11-14. */
const RTC_START = 1_700_000_000;
const FACTORS: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9 };

/** `5000`, `250k`, `10M`, `3G`. */
export function parseCount(option: string, text: string, least: number): number {
  const match = /^(\d+)([kMG]?)$/i.exec(text.trim());
  const count = match === null ? NaN : Number(match[1]) * (FACTORS[match[2]?.toLowerCase() ?? ''] ?? NaN);
  if (Number.isSafeInteger(count) && count >= least) return count;
  throw bad(`--${option} ${text}: expected a number of instructions from ${least} on, such as 5000, 250k or 10M`);
}

/** Throws a `Failure` whose message is the one-line reason. */
export function parseCompareOptions(images: readonly string[], raw: RawCompareOptions): ComparisonOptions {
  const names = (raw.engines ?? COMPARE_DEFAULTS.engines).split(',');
  const [first, second] = names;
  if (names.length !== 2 || first === undefined || second === undefined) {
    throw bad(`--engines ${raw.engines ?? ''}: expected two engines, for example ${COMPARE_DEFAULTS.engines}`);
  }
  const count = (option: 'instructions' | 'from' | 'every' | 'checkpoint', least: number): number =>
    parseCount(option, raw[option] ?? COMPARE_DEFAULTS[option], least);
  const from = count('from', 0);
  const instructions = count('instructions', 1);
  const { configuration } = parseRunOptions(images, raw);
  return {
    // Time follows the instructions alone, and both machines have the same date.
    configuration: { ...configuration, clock: 'virtual', rtcStart: configuration.rtcStart ?? RTC_START },
    engines: [parseEngine('--engines', first), parseEngine('--engines', second)],
    from,
    instructions: from + instructions,
    every: count('every', 1),
    checkpoint: count('checkpoint', 1),
  };
}
