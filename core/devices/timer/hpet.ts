// High precision event timer with three comparators (IA-PC HPET 1.0a): 100 MHz on guest time, nothing runs between accesses.
import type { Device, Line, ResetKind, Timer, Wiring } from '../../bus/device.ts';
import type { AccessSize } from '../../bus/portMap.ts';
import { count, flag, integer, list, record, recordCodec, u32 } from '../../bus/savedState.ts';
import {
  CAPABILITIES, COMPARATORS, CONFIGURATION, PERIOD_FS, REGISTER, ROUTES, TICK_NS, TIMER, TIMER_CONFIGURATION as CONF,
} from './hpet.registers.ts';

export interface HpetTimerState {
  configuration: number;
  comparatorLow: number;
  comparatorHigh: number;
  /** Period of a periodic timer, as last written. */
  periodLow: number;
  periodHigh: number;
  /** The low half of a comparator came with SET_VALUE: the high half of the same write counts too. */
  highFollows: boolean;
  /** Level of its output. */
  output: boolean;
}

export interface HpetState {
  configuration: number;
  status: number;
  /** Main counter at tick `startTick`, or where it stands while it is stopped. */
  counterLow: number;
  counterHigh: number;
  startTick: number;
  timers: HpetTimerState[];
}

const shape = record<HpetState>({
  configuration: integer(0, 3),
  status: integer(0, 7),
  counterLow: u32,
  counterHigh: u32,
  startTick: count,
  timers: list(
    record<HpetTimerState>({
      configuration: u32,
      comparatorLow: u32,
      comparatorHigh: u32,
      periodLow: u32,
      periodHigh: u32,
      highFollows: flag,
      output: flag,
    }),
    COMPARATORS,
    COMPARATORS,
  ),
});

const WORD = 1n << 32n;
const MASK_32 = WORD - 1n;
const MASK_64 = (1n << 64n) - 1n;
const wide = (low: number, high: number): bigint => (BigInt(high) << 32n) | BigInt(low);
const lowOf = (value: bigint): number => Number(value & MASK_32);
const highOf = (value: bigint): number => Number((value >> 32n) & MASK_32);
/** A periodic comparator never asks for more than one interrupt in this time. */
const SHORTEST_TICKS = 200;

export interface HpetOptions {
  readonly base: number;
  /** Legacy replacement: timers 0 and 1 stand for the PIT and the RTC, whose own interrupts are cut off (2.3.5). */
  readonly onLegacy: (enabled: boolean) => void;
  /** A timer's driver of an I/O APIC input. */
  readonly route: (timer: number, input: number) => Line;
}

export class Hpet implements Device<HpetState> {
  // wiring
  readonly id = 'hpet0';
  readonly #options: HpetOptions;
  readonly #wiring: Wiring;
  readonly #legacy: readonly Line[];
  readonly #clocks: readonly Timer[];
  /** Lines that timers hold up, by timer. */
  readonly #driven: (Line | null)[] = new Array<Line | null>(COMPARATORS).fill(null);

  // guest-visible state
  #r = powerOn();

  readonly state = recordCodec(1, shape, () => this.#r, (saved) => {
    this.#r = saved;
    this.#syncOutputs();
  });

  constructor(wiring: Wiring, options: HpetOptions) {
    this.#wiring = wiring;
    this.#options = options;
    this.#legacy = [wiring.irq('pit'), wiring.irq('rtc')];
    this.#clocks = Array.from({ length: COMPARATORS }, (_, index) => wiring.timer(() => this.#expire(index)));
    wiring.mmio(this.id, options.base, 0x400, {
      read: (offset, size) => this.#read(offset, size),
      write: (offset, value, size) => this.#write(offset, value, size),
    });
  }

  reset(kind: ResetKind): void {
    if (kind === 'soft') return;
    this.#r = powerOn();
    this.#syncOutputs();
  }

  // --- counter ------------------------------------------------------------------------------------------------------

  get #isRunning(): boolean {
    return (this.#r.configuration & CONFIGURATION.ENABLE) !== 0;
  }

  #tick(): number {
    return Math.floor(this.#wiring.now() / TICK_NS);
  }

  #counter(): bigint {
    const r = this.#r;
    const start = wide(r.counterLow, r.counterHigh);
    return this.#isRunning ? (start + BigInt(this.#tick() - r.startTick)) & MASK_64 : start;
  }

  #setCounter(value: bigint): void {
    const r = this.#r;
    r.counterLow = lowOf(value);
    r.counterHigh = highOf(value);
    r.startTick = this.#tick();
  }

  // --- registers ----------------------------------------------------------------------------------------------------

  #read(offset: number, size: AccessSize): number {
    const byte = offset & 3;
    if (byte + size > 4) return 0;
    const value = this.#readWord(offset & ~3);
    return size === 4 ? value : (value >>> (8 * byte)) & (size === 2 ? 0xffff : 0xff);
  }

  #readWord(offset: number): number {
    const r = this.#r;
    const isHigh = (offset & 4) !== 0;
    const register = offset & ~7;
    if (register >= REGISTER.TIMERS) return this.#readTimer(register - REGISTER.TIMERS, isHigh);
    switch (register) {
      case REGISTER.CAPABILITIES:
        return isHigh ? PERIOD_FS : CAPABILITIES >>> 0;
      case REGISTER.CONFIGURATION:
        return isHigh ? 0 : r.configuration;
      case REGISTER.STATUS:
        return isHigh ? 0 : r.status;
      case REGISTER.COUNTER:
        return isHigh ? highOf(this.#counter()) : lowOf(this.#counter());
      default:
        return 0;
    }
  }

  #readTimer(offset: number, isHigh: boolean): number {
    const timer = this.#r.timers[offset >> 5];
    if (timer === undefined) return 0;
    switch (offset & 0x18) {
      case TIMER.CONFIGURATION:
        return isHigh ? ROUTES : timer.configuration | CONF.CAPABILITIES;
      case TIMER.COMPARATOR:
        return isHigh ? timer.comparatorHigh : timer.comparatorLow;
      default:
        return 0; // no FSB delivery
    }
  }

  #write(offset: number, value: number, size: AccessSize): void {
    if (size !== 4 || (offset & 3) !== 0) {
      this.#wiring.guestError('HPET register written in part', { offset, size });
      return;
    }
    const isHigh = (offset & 4) !== 0;
    const register = offset & ~7;
    if (register >= REGISTER.TIMERS) this.#writeTimer(register - REGISTER.TIMERS, isHigh, value);
    else if (register === REGISTER.CONFIGURATION && !isHigh) this.#configure(value & 3);
    else if (register === REGISTER.STATUS && !isHigh) this.#clearStatus(value);
    else if (register === REGISTER.COUNTER) this.#writeCounter(isHigh, value);
    this.#syncOutputs();
  }

  #configure(value: number): void {
    const counter = this.#counter();
    this.#r.configuration = value;
    this.#setCounter(counter);
  }

  #writeCounter(isHigh: boolean, value: number): void {
    const counter = this.#counter();
    this.#setCounter(isHigh ? wide(lowOf(counter), value) : wide(value, highOf(counter)));
  }

  #clearStatus(value: number): void {
    const r = this.#r;
    r.status &= ~value;
    r.timers.forEach((timer, index) => {
      if (timer.configuration & CONF.LEVEL && value & (1 << index)) timer.output = false;
    });
  }

  #writeTimer(offset: number, isHigh: boolean, value: number): void {
    const index = offset >> 5;
    const timer = this.#r.timers[index];
    if (timer === undefined) return;
    if ((offset & 0x18) === TIMER.CONFIGURATION && !isHigh) {
      timer.configuration = value & CONF.WRITABLE;
      if (!(value & CONF.ENABLE)) timer.output = false;
      if (value & CONF.WIDTH_32) timer.comparatorHigh = timer.periodHigh = 0;
    } else if ((offset & 0x18) === TIMER.COMPARATOR) this.#writeComparator(timer, isHigh, value);
  }

  /** 2.3.9.2: a periodic timer's comparator is written with SET_VALUE, its period without. */
  #writeComparator(timer: HpetTimerState, isHigh: boolean, value: number): void {
    const periodic = (timer.configuration & CONF.PERIODIC) !== 0;
    const narrow = (timer.configuration & CONF.WIDTH_32) !== 0;
    if (isHigh && narrow) return;
    const sets = (timer.configuration & CONF.SET_VALUE) !== 0 || (isHigh && timer.highFollows);
    if (!periodic || sets) {
      if (isHigh) timer.comparatorHigh = value;
      else timer.comparatorLow = value;
    }
    if (periodic && isHigh) timer.periodHigh = value;
    else if (periodic) timer.periodLow = value;
    timer.configuration &= ~CONF.SET_VALUE;
    timer.highFollows = sets && !isHigh && !narrow;
  }

  // --- comparators --------------------------------------------------------------------------------------------------

  /** The comparator's width as a mask. */
  #mask(timer: HpetTimerState): bigint {
    return timer.configuration & CONF.WIDTH_32 ? MASK_32 : MASK_64;
  }

  #expire(index: number): void {
    const timer = this.#r.timers[index]!;
    if (timer.configuration & CONF.PERIODIC) this.#nextPeriod(timer);
    if (timer.configuration & CONF.LEVEL) this.#r.status |= 1 << index;
    if (timer.configuration & CONF.ENABLE) {
      // An edge: the output falls only to rise again.
      if (!(timer.configuration & CONF.LEVEL)) this.#driven[index]?.set(false);
      timer.output = true;
    }
    this.#drive(index);
    this.#arm(index);
  }

  /** Moves the comparator behind the counter by whole periods; those that were missed are one interrupt. */
  #nextPeriod(timer: HpetTimerState): void {
    const period = wide(timer.periodLow, timer.periodHigh);
    if (period === 0n) return;
    const mask = this.#mask(timer);
    const comparator = wide(timer.comparatorLow, timer.comparatorHigh);
    const late = (this.#counter() - comparator) & mask;
    const steps = late > mask >> 1n ? 1n : late / period + 1n;
    const next = (comparator + steps * period) & mask;
    timer.comparatorLow = lowOf(next);
    timer.comparatorHigh = highOf(next);
  }

  /** The host timer of a comparator: when the counter meets it next. */
  #arm(index: number): void {
    const timer = this.#r.timers[index]!;
    const clock = this.#clocks[index]!;
    const wanted = timer.configuration & (CONF.ENABLE | CONF.LEVEL | CONF.PERIODIC);
    if (!this.#isRunning || wanted === 0) {
      clock.cancel();
      return;
    }
    const mask = this.#mask(timer);
    let distance = (wide(timer.comparatorLow, timer.comparatorHigh) - this.#counter()) & mask;
    if (distance === 0n) distance = mask + 1n; // this match is over
    const now = this.#tick();
    const ticks = Number(distance);
    if (now + ticks > Number.MAX_SAFE_INTEGER / TICK_NS) clock.cancel();
    else clock.armAt((now + (timer.configuration & CONF.PERIODIC ? Math.max(ticks, SHORTEST_TICKS) : ticks)) * TICK_NS);
  }

  /** Where a timer's output leads; null: nowhere. */
  #target(index: number): Line | null {
    if (this.#r.configuration & CONFIGURATION.LEGACY && index < 2) return this.#legacy[index]!;
    const route = (this.#r.timers[index]!.configuration >> CONF.ROUTE_SHIFT) & 31;
    return ROUTES & (1 << route) ? this.#options.route(index, route) : null;
  }

  #drive(index: number): void {
    const timer = this.#r.timers[index]!;
    const target = this.#target(index);
    const old = this.#driven[index] ?? null;
    if (old !== target) old?.set(false);
    this.#driven[index] = target;
    target?.set(timer.output && this.#isRunning);
  }

  #syncOutputs(): void {
    this.#options.onLegacy((this.#r.configuration & CONFIGURATION.LEGACY) !== 0);
    for (let index = 0; index < COMPARATORS; index++) {
      this.#drive(index);
      this.#arm(index);
    }
  }
}

function powerOn(): HpetState {
  return {
    configuration: 0,
    status: 0,
    counterLow: 0,
    counterHigh: 0,
    startTick: 0,
    timers: Array.from({ length: COMPARATORS }, () => ({
      configuration: 0,
      comparatorLow: 0xffffffff,
      comparatorHigh: 0xffffffff,
      periodLow: 0,
      periodHigh: 0,
      highFollows: false,
      output: false,
    })),
  };
}
