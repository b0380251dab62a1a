// The classes of exits as people see them: six series, in the order of the colours.
import type { Trap, TrapSummary } from '../../core/api/debug.ts';

export type ExitClass = Trap['exitClass'];
export const EXIT_TITLES: Readonly<Record<ExitClass, string>> = {
  port: 'Port I/O',
  mmio: 'MMIO',
  hlt: 'HLT',
  cpuid: 'CPUID',
  msr: 'MSR',
  rdtsc: 'RDTSC, RDPMC',
  'control-register': 'Control registers',
  'debug-register': 'Debug registers',
  'descriptor-table': 'Descriptor tables',
  segment: 'Segment loads',
  'far-transfer': 'Far transfers',
  tlb: 'TLB flushes',
  exception: 'Exceptions',
  'page-fault': 'Page faults',
  interrupt: 'Interrupts',
  'software-interrupt': 'Software interrupts',
  flags: 'CLI, STI, PUSHF, POPF',
  other: 'Others',
};

export interface ExitGroup {
  readonly id: string;
  readonly title: string;
  readonly series: string;
  readonly classes: readonly ExitClass[];
}
export const EXIT_GROUPS: readonly ExitGroup[] = [
  { id: 'port', title: 'Port I/O', series: '--series-1', classes: ['port'] },
  { id: 'mmio', title: 'MMIO', series: '--series-2', classes: ['mmio'] },
  {
    id: 'interrupt',
    title: 'Interrupts',
    series: '--series-3',
    classes: ['interrupt', 'software-interrupt', 'exception'],
  },
  { id: 'page-fault', title: 'Page faults', series: '--series-4', classes: ['page-fault'] },
  {
    id: 'system',
    title: 'CR, MSR, tables',
    series: '--series-5',
    classes: [
      'control-register',
      'debug-register',
      'descriptor-table',
      'msr',
      'cpuid',
      'rdtsc',
      'segment',
      'far-transfer',
      'tlb',
      'flags',
      'other',
    ],
  },
  { id: 'hlt', title: 'HLT', series: '--series-6', classes: ['hlt'] },
];

export function groupOf(exitClass: ExitClass): ExitGroup {
  return EXIT_GROUPS.find(({ classes }) => classes.includes(exitClass)) ?? EXIT_GROUPS[4]!;
}

/** Exits so far by group, in the order of the groups. */
export function groupCounts(classes: TrapSummary['classes']): number[] {
  return EXIT_GROUPS.map((group) =>
    classes.reduce((sum, { exitClass, count }) => (group.classes.includes(exitClass) ? sum + count : sum), 0),
  );
}

export interface RateSample {
  /** Host time in ms. */
  readonly at: number;
  /** Exits per second since the sample before, by group. */
  readonly rates: readonly number[];
}

/** Turns counters into rates and keeps them: each second of the last five minutes, fewer of the time before. */
export class RateHistory {
  #last: { at: number; counts: readonly number[]; instructions: number } | null = null;
  readonly #fine: RateSample[] = [];
  #whole: RateSample[] = [];
  #every = 1;
  #pending: RateSample[] = [];

  add(at: number, summary: Pick<TrapSummary, 'classes' | 'instructions'>): void {
    const counts = groupCounts(summary.classes);
    // The counters began again: another start of the machine.
    if (this.#last !== null && summary.instructions < this.#last.instructions) this.clear();
    const last = this.#last;
    this.#last = { at, counts, instructions: summary.instructions };
    if (last === null || at <= last.at) return;
    const seconds = (at - last.at) / 1000;
    const sample = { at, rates: counts.map((count, index) => Math.max(0, (count - last.counts[index]!) / seconds)) };
    this.#fine.push(sample);
    if (this.#fine.length > FINE_KEPT) this.#fine.shift();
    this.#pending.push(sample);
    if (this.#pending.length < this.#every) return;
    this.#whole.push(mean(this.#pending));
    this.#pending = [];
    if (this.#whole.length < WHOLE_KEPT) return;
    const halved: RateSample[] = [];
    for (let index = 0; index + 1 < this.#whole.length; index += 2)
      halved.push(mean(this.#whole.slice(index, index + 2)));
    this.#whole = halved;
    this.#every *= 2;
  }

  /** Samples of the last `seconds`, or of everything. */
  samples(seconds: number | null): readonly RateSample[] {
    if (seconds === null) return [...this.#whole, ...this.#pending];
    const newest = this.#fine.at(-1)?.at ?? 0;
    return this.#fine.filter(({ at }) => at > newest - seconds * 1000);
  }

  clear(): void {
    this.#last = null;
    this.#fine.length = 0;
    this.#whole = [];
    this.#pending = [];
    this.#every = 1;
  }
}
const FINE_KEPT = 300;
const WHOLE_KEPT = 600;

function mean(samples: readonly RateSample[]): RateSample {
  const rates = EXIT_GROUPS.map(
    (_, index) => samples.reduce((sum, { rates: all }) => sum + all[index]!, 0) / samples.length,
  );
  return { at: samples.at(-1)!.at, rates };
}

/** Each series with those below it added, hidden ones left out; the last is the outline. */
export function stacked(samples: readonly RateSample[], hidden: ReadonlySet<string>): number[][] {
  const sums = samples.map(() => 0);
  return EXIT_GROUPS.map((group, index) =>
    samples.map(({ rates }, at) => {
      if (!hidden.has(group.id)) sums[at]! += rates[index]!;
      return sums[at]!;
    }),
  );
}
