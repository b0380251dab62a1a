// Counters of the exits by class, and an estimate of the host time they take.
import type { ExitKind } from '../cpu/cpu.ts';

/** Latencies are counted in powers of two of a microsecond: under 1, 2, 4, ... and more than all. */
export const LATENCY_BINS = 16;

/** Every this many exits one is timed and stands for all of them. */
const SAMPLE_INTERVAL = 64;

interface Counter {
  count: number;
  ms: number;
}

export class ExitStatistics {
  readonly #nowMs: () => number;
  readonly #counters = new Map<ExitKind, Counter>();
  /** By vector. */
  readonly interrupts = new Float64Array(256);
  readonly exceptions = new Float64Array(256);
  readonly softwareInterrupts = new Float64Array(256);
  /** Interrupts by vector * LATENCY_BINS + bin: from the request to the delivery, in guest time. */
  readonly latencies = new Float64Array(256 * LATENCY_BINS);
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

  vector(kind: 'interrupt' | 'exception' | 'software-interrupt', vector: number): void {
    if (kind === 'exception') this.exceptions[vector]++;
    else if (kind === 'interrupt') this.interrupts[vector]++;
    else this.softwareInterrupts[vector]++;
  }

  latency(vector: number, ns: number): void {
    const bin = ns < 1000 ? 0 : Math.min(LATENCY_BINS - 1, Math.floor(Math.log2(ns / 1000)) + 1);
    this.latencies[vector * LATENCY_BINS + bin]++;
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
