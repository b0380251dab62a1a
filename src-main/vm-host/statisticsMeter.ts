// Turns a machine's running totals into the rates a person reads.
import type { Statistics } from '../../core/api/machines.ts';
import type { Machine } from '../../core/machine/machine.ts';
import { modeRecord } from './screenReader.ts';

interface Totals {
  readonly atMs: number;
  readonly exits: number;
  readonly diskRead: number;
  readonly diskWritten: number;
}

export class StatisticsMeter {
  readonly #machine: Machine;
  #previous: Totals;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#previous = this.#totals();
  }

  sample(): Statistics {
    const statistics = this.#machine.statistics();
    const before = this.#previous;
    const now = this.#totals();
    this.#previous = now;
    const seconds = Math.max(0.001, (now.atMs - before.atMs) / 1000);
    // A reset may set counters back; a rate is never negative.
    const rate = (from: number, to: number): number => Math.max(0, to - from) / seconds;
    return {
      at: Date.now(),
      mips: statistics.mips,
      busy: statistics.busy,
      instructions: statistics.instructions,
      guestNs: statistics.guestNs,
      exitsPerSecond: rate(before.exits, now.exits),
      diskReadPerSecond: rate(before.diskRead, now.diskRead),
      diskWrittenPerSecond: rate(before.diskWritten, now.diskWritten),
      diskReadBytes: statistics.diskReadBytes,
      diskWrittenBytes: statistics.diskWrittenBytes,
      guestErrors: statistics.guestErrors,
      processBytes: process.memoryUsage.rss(),
      display: modeRecord(this.#machine.display.mode()),
    };
  }

  #totals(): Totals {
    const statistics = this.#machine.statistics();
    const exits = Object.values(statistics.exits).reduce((sum, { count }) => sum + count, 0);
    return {
      atMs: performance.now(),
      exits,
      diskRead: statistics.diskReadBytes,
      diskWritten: statistics.diskWrittenBytes,
    };
  }
}
