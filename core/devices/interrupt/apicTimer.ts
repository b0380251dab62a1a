// The local APIC's timer: one-shot, periodic and TSC deadline (SDM 3A 10.5.4). The bus clock is 1 GHz, one tick a nanosecond.
import type { Timer, Wiring } from '../../bus/device.ts';
import { count, flag, integer, record, u32 } from '../../bus/savedState.ts';
import { TIMER_MODE } from './localApic.registers.ts';

export interface ApicTimerState {
  mode: number;
  initialCount: number;
  /** Divide configuration register. */
  divide: number;
  counting: boolean;
  /** Guest time at which the count was `startCount`. */
  startNs: number;
  startCount: number;
  /** IA32_TSC_DEADLINE; zero: disarmed. */
  deadlineLow: number;
  deadlineHigh: number;
}

export const apicTimerShape = record<ApicTimerState>({
  mode: integer(0, 3),
  initialCount: u32,
  divide: integer(0, 11),
  counting: flag,
  startNs: count,
  startCount: u32,
  deadlineLow: u32,
  deadlineHigh: u32,
});

const powerOn = (): ApicTimerState => ({
  mode: TIMER_MODE.ONE_SHOT,
  initialCount: 0,
  divide: 0,
  counting: false,
  startNs: 0,
  startCount: 0,
  deadlineLow: 0,
  deadlineHigh: 0,
});

/** A periodic timer that asks for more is served at this pace, so that a guest cannot stand still in its own ticks. */
const SHORTEST_PERIOD_NS = 2000;

export class ApicTimer {
  readonly #timer: Timer;
  readonly #now: () => number;
  readonly #timestampOffset: () => number;
  readonly #onInterrupt: () => void;
  #r = powerOn();

  constructor(wiring: Wiring, timestampOffset: () => number, onInterrupt: () => void) {
    this.#now = wiring.now;
    this.#timer = wiring.timer(() => this.#expire());
    this.#timestampOffset = timestampOffset;
    this.#onInterrupt = onInterrupt;
  }

  get state(): ApicTimerState {
    return { ...this.#r };
  }
  restore(saved: ApicTimerState): void {
    this.#r = saved;
    this.arm();
  }
  reset(): void {
    this.#r = powerOn();
    this.arm();
  }

  get initialCount(): number {
    return this.#r.initialCount;
  }
  get divide(): number {
    return this.#r.divide;
  }
  get deadline(): readonly [number, number] {
    return [this.#r.deadlineLow, this.#r.deadlineHigh];
  }

  get currentCount(): number {
    const r = this.#r;
    if (!r.counting) return 0;
    const passed = Math.max(0, Math.floor((this.#now() - r.startNs) / this.#divisor));
    if (passed < r.startCount) return r.startCount - passed;
    return r.mode === TIMER_MODE.PERIODIC ? r.initialCount - ((passed - r.startCount) % r.initialCount) : 0;
  }

  setInitialCount(value: number): void {
    const r = this.#r;
    if (r.mode === TIMER_MODE.TSC_DEADLINE) return;
    r.initialCount = r.startCount = value;
    r.startNs = this.#now();
    r.counting = value !== 0;
    this.arm();
  }

  setDivide(value: number): void {
    this.#rebase();
    this.#r.divide = value & 0x0b;
    this.arm();
  }

  setMode(mode: number): void {
    const r = this.#r;
    if (mode === r.mode) return;
    // Leaving or entering deadline mode disarms the timer (10.5.4.1).
    if (mode === TIMER_MODE.TSC_DEADLINE || r.mode === TIMER_MODE.TSC_DEADLINE) {
      r.counting = false;
      r.initialCount = r.startCount = r.deadlineLow = r.deadlineHigh = 0;
    } else {
      this.#rebase();
      // A periodic count that had run out in one-shot mode starts again.
      if (mode === TIMER_MODE.PERIODIC && !r.counting && r.initialCount !== 0) {
        r.startCount = r.initialCount;
        r.startNs = this.#now();
        r.counting = true;
      }
    }
    r.mode = mode;
    this.arm();
  }

  setDeadline(low: number, high: number): void {
    if (this.#r.mode !== TIMER_MODE.TSC_DEADLINE) return;
    this.#r.deadlineLow = low;
    this.#r.deadlineHigh = high;
    this.arm();
  }

  /** Sets the host timer to the next expiry. */
  arm(): void {
    const r = this.#r;
    if (r.mode === TIMER_MODE.TSC_DEADLINE) {
      const deadline = r.deadlineHigh * 2 ** 32 + r.deadlineLow;
      if (deadline !== 0 && deadline <= Number.MAX_SAFE_INTEGER) this.#timer.armAt(Math.max(0, deadline - this.#timestampOffset()));
      else this.#timer.cancel();
    } else if (r.counting) this.#timer.armAt(r.startNs + r.startCount * this.#divisor);
    else this.#timer.cancel();
  }

  /** Divide by 2, 4 ... 128, 1 (figure 10-10). */
  get #divisor(): number {
    const { divide } = this.#r;
    const power = (divide & 3) | ((divide & 8) >> 1);
    return power === 7 ? 1 : 2 << power;
  }

  /** Makes now the start of what is left of the count. */
  #rebase(): void {
    const r = this.#r;
    if (!r.counting) return;
    const left = this.currentCount;
    r.startNs = this.#now();
    r.startCount = left;
    r.counting = left !== 0;
  }

  #expire(): void {
    const r = this.#r;
    if (r.mode === TIMER_MODE.TSC_DEADLINE) r.deadlineLow = r.deadlineHigh = 0;
    else if (r.mode === TIMER_MODE.PERIODIC && r.initialCount !== 0) {
      this.#nextPeriod();
      this.arm();
    } else r.counting = false;
    this.#onInterrupt();
  }

  /** Periods that have passed unseen are one interrupt: the request would be pending already. */
  #nextPeriod(): void {
    const r = this.#r;
    const period = r.initialCount * this.#divisor;
    const due = r.startNs + r.startCount * this.#divisor;
    const now = this.#now();
    const start = due + Math.floor(Math.max(0, now - due) / period) * period;
    r.startNs = Math.max(start, now + SHORTEST_PERIOD_NS - period);
    r.startCount = r.initialCount;
  }
}
