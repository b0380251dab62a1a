// Counters of the exits by class, and an estimate of the host time they take.
import type { ExitKind } from '../cpu/cpu.ts';

/** Every this many exits one is timed and stands for all of them. */
const SAMPLE_INTERVAL = 64;

interface Counter {
  count: number;
  ms: number;
}

export class ExitStatistics {
  readonly #nowMs: () => number;
  readonly #counters = new Map<ExitKind, Counter>();
  #current: Counter = { count: 0, ms: 0 };
  #untilSample = SAMPLE_INTERVAL;
  #startedMs = -1;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** An exit of a class happens. */
  count(kind: ExitKind): void {
    let counter = this.#counters.get(kind);
    if (counter === undefined) {
      counter = { count: 0, ms: 0 };
      this.#counters.set(kind, counter);
    }
    counter.count++;
    this.#current = counter;
  }

  /** Work for an exit begins; its class is the next one counted. */
  begin(): void {
    if (--this.#untilSample > 0) return;
    this.#untilSample = SAMPLE_INTERVAL;
    this.#startedMs = this.#nowMs();
  }

  end(): void {
    if (this.#startedMs < 0) return;
    this.#current.ms += (this.#nowMs() - this.#startedMs) * SAMPLE_INTERVAL;
    this.#startedMs = -1;
  }

  get(): Record<string, { count: number; ms: number }> {
    return Object.fromEntries([...this.#counters].map(([kind, counter]) => [kind, { ...counter }]));
  }
}
