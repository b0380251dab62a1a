// Guest time: a piecewise linear function of the instruction count, and the timers that wait for it.
import type { Timer } from '../bus/device.ts';

interface Entry {
  deadlineNs: number;
  readonly onExpire: () => void;
}

/**
 * Time advances by `nsPerInstruction` for every instruction. Changing the rate or skipping idle time starts a new piece;
 * both are done between slices only, so that a run with the same pieces is the same run.
 */
export class VirtualClock {
  readonly #instructionCount: () => number;
  readonly #timers: Entry[] = [];
  #baseNs = 0;
  #baseCount = 0;
  #nsPerInstruction: number;
  /** Idle time that was skipped. */
  #skippedNs = 0;
  /** Earliest deadline; Infinity when nothing is armed. */
  nextDeadlineNs = Infinity;

  constructor(instructionCount: () => number, nsPerInstruction: number) {
    this.#instructionCount = instructionCount;
    this.#nsPerInstruction = nsPerInstruction;
  }

  /** Whole nanoseconds: devices keep times in their saved state. */
  now(): number {
    return Math.floor(this.#exactNs());
  }

  /** Whole nanoseconds that the processor has executed. */
  running(): number {
    return Math.floor(this.#exactNs() - this.#skippedNs);
  }

  #exactNs(): number {
    return this.#baseNs + (this.#instructionCount() - this.#baseCount) * this.#nsPerInstruction;
  }

  get nsPerInstruction(): number {
    return this.#nsPerInstruction;
  }

  setRate(nsPerInstruction: number): void {
    this.#rebase(this.#exactNs());
    this.#nsPerInstruction = nsPerInstruction;
  }

  /** Skips idle time. Never goes back. */
  advanceTo(ns: number): void {
    const now = this.#exactNs();
    if (ns <= now) return;
    this.#skippedNs += ns - now;
    this.#rebase(ns);
  }

  /** Instruction count at which the next timer is due, Infinity if none is armed. */
  countAtNextDeadline(): number {
    if (this.nextDeadlineNs === Infinity) return Infinity;
    return this.#baseCount + Math.ceil((this.nextDeadlineNs - this.#baseNs) / this.#nsPerInstruction);
  }

  timer(onExpire: () => void): Timer {
    const entry: Entry = { deadlineNs: Infinity, onExpire };
    this.#timers.push(entry);
    return {
      armAt: (ns) => {
        entry.deadlineNs = ns;
        this.#findNext();
      },
      cancel: () => {
        entry.deadlineNs = Infinity;
        this.#findNext();
      },
    };
  }

  /** Called when a timer is armed earlier than all others: the running slice may have to end sooner. */
  onEarlier: () => void = () => {};

  /** Expires what is due, earliest first. */
  runDue(): void {
    const now = this.#exactNs();
    while (this.nextDeadlineNs <= now) {
      const due = this.#timers.find((entry) => entry.deadlineNs === this.nextDeadlineNs)!;
      due.deadlineNs = Infinity;
      this.#findNext();
      due.onExpire();
    }
  }

  /** The piece in force, for snapshots and state hashes. */
  save(): { readonly ns: number; readonly deadlines: readonly number[] } {
    return { ns: this.now(), deadlines: this.#timers.map((entry) => entry.deadlineNs) };
  }

  #rebase(ns: number): void {
    this.#baseNs = ns;
    this.#baseCount = this.#instructionCount();
  }

  #findNext(): void {
    const before = this.nextDeadlineNs;
    let next = Infinity;
    for (const entry of this.#timers) if (entry.deadlineNs < next) next = entry.deadlineNs;
    this.nextDeadlineNs = next;
    if (next < before) this.onEarlier();
  }
}
