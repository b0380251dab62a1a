// How fast and how much the guest runs, over about the last second.

const WINDOW_MS = 1000;

export class RunMeter {
  readonly #nowMs: () => number;
  #windowStart: number;
  #instructions = 0;
  #busyMs = 0;
  #mips = 0;
  #busy = 0;
  /** Host ms spent executing since the meter began. */
  totalMs = 0;
  /** Smoothed speed of execution; starts at a guess of 200 MIPS. */
  instructionsPerMs = 200_000;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#windowStart = nowMs();
  }

  /** A slice of `instructions` took `ms` of host time. */
  add(instructions: number, ms: number): void {
    this.#roll();
    this.#instructions += instructions;
    this.#busyMs += ms;
    this.totalMs += ms;
    if (ms > 0.5 && instructions > 1000) this.instructionsPerMs += (instructions / ms - this.instructionsPerMs) * 0.1;
  }

  /** Million instructions per second of execution. */
  get mips(): number {
    this.#roll();
    return this.#mips;
  }
  /** Share of time spent executing, 0..1. */
  get busy(): number {
    this.#roll();
    return this.#busy;
  }

  #roll(): void {
    const now = this.#nowMs();
    const elapsed = now - this.#windowStart;
    if (elapsed < WINDOW_MS) return;
    this.#mips = this.#busyMs > 0 ? this.#instructions / this.#busyMs / 1000 : 0;
    this.#busy = Math.min(1, this.#busyMs / elapsed);
    this.#instructions = this.#busyMs = 0;
    this.#windowStart = now;
  }
}
