// One counter of an 8254: a function of the tick number, so that nothing runs between accesses (Intel 231164 p.8-17).
import { count, flag, integer, nullable, record, u8, u16 } from '../../bus/savedState.ts';

export interface PitChannelState {
  mode: number;
  bcd: boolean;
  /** 1 low byte, 2 high byte, 3 low then high. */
  access: number;
  gate: boolean;
  /** The count in force, 1..65536. */
  period: number;
  /** A control word or the like came, but no complete count yet. */
  loaded: boolean;
  /** Tick at which the count in force began; while `!running`, ticks already counted. */
  start: number;
  elapsed: number;
  running: boolean;
  /** A count for the next period (modes 2 and 3), and the tick at which it takes over. */
  nextPeriod: number;
  nextStart: number;
  /** Low byte of a half-written count. */
  writeLow: number | null;
  readHigh: boolean;
  latchedCount: number | null;
  latchedStatus: number | null;
}

export const pitChannelShape = record<PitChannelState>({
  mode: integer(0, 5),
  bcd: flag,
  access: integer(1, 3),
  gate: flag,
  period: integer(1, 65536),
  loaded: flag,
  start: count,
  elapsed: count,
  running: flag,
  nextPeriod: integer(0, 65536),
  nextStart: count,
  writeLow: nullable(u8),
  readHigh: flag,
  latchedCount: nullable(u16),
  latchedStatus: nullable(u8),
});

export const newPitChannel = (gate: boolean): PitChannelState => ({
  mode: 3,
  bcd: false,
  access: 3,
  gate,
  period: 65536,
  loaded: false,
  start: 0,
  elapsed: 0,
  running: false,
  nextPeriod: 0,
  nextStart: 0,
  writeLow: null,
  readHigh: false,
  latchedCount: null,
  latchedStatus: null,
});

const toBcd = (value: number): number =>
  (value % 10) | ((Math.floor(value / 10) % 10) << 4) | ((Math.floor(value / 100) % 10) << 8) | ((Math.floor(value / 1000) % 10) << 12);
const fromBcd = (value: number): number =>
  (value & 15) + ((value >> 4) & 15) * 10 + ((value >> 8) & 15) * 100 + ((value >> 12) & 15) * 1000;

const isPeriodic = (c: PitChannelState): boolean => c.mode === 2 || c.mode === 3;
/** Modes 1 and 5 start at a rising gate rather than at the load. */
const isTriggered = (c: PitChannelState): boolean => c.mode === 1 || c.mode === 5;

/** Lets a count that waits for the period's end take over once its tick has come. */
export function settle(c: PitChannelState, tick: number): void {
  if (c.nextPeriod === 0 || tick < c.nextStart) return;
  c.period = c.nextPeriod;
  c.start = c.nextStart;
  c.nextPeriod = 0;
}

function ticksCounted(c: PitChannelState, tick: number): number {
  return c.running ? Math.max(0, tick - c.start) : c.elapsed;
}

export function controlWord(c: PitChannelState, mode: number, access: number, bcd: boolean): void {
  c.mode = mode > 5 ? mode - 4 : mode; // modes 6 and 7 are 2 and 3
  c.access = access;
  c.bcd = bcd;
  c.loaded = false;
  c.running = false;
  c.elapsed = 0;
  c.nextPeriod = 0;
  c.writeLow = null;
  c.readHigh = false;
  c.latchedCount = null;
  c.latchedStatus = null;
}

/** A byte written to the counter's port; true when it completed a count. */
export function writeCount(c: PitChannelState, value: number, tick: number): boolean {
  if (c.access === 3 && c.writeLow === null) {
    c.writeLow = value;
    if (c.mode === 0) freeze(c, tick); // 8254 p.8: the first byte stops the counting
    return false;
  }
  const raw = c.access === 1 ? value : c.access === 2 ? value << 8 : (value << 8) | c.writeLow!;
  c.writeLow = null;
  const decoded = c.bcd ? fromBcd(raw) : raw;
  const period = decoded === 0 ? (c.bcd ? 10000 : 65536) : decoded;
  load(c, period, tick);
  return true;
}

function load(c: PitChannelState, period: number, tick: number): void {
  settle(c, tick);
  if (c.loaded && isPeriodic(c) && c.running) {
    c.nextPeriod = period;
    c.nextStart = c.start + (Math.floor(Math.max(0, tick - c.start) / c.period) + 1) * c.period;
    return;
  }
  const retriggerable = c.loaded && isTriggered(c);
  c.loaded = true;
  if (retriggerable && c.running) {
    // Modes 1 and 5: the new count waits for the next trigger; the shot under way keeps its end.
    c.nextPeriod = period;
    c.nextStart = Number.MAX_SAFE_INTEGER;
    return;
  }
  c.period = period;
  c.elapsed = 0;
  c.running = false;
  if (c.gate && !isTriggered(c)) run(c, tick + 1);
}

function run(c: PitChannelState, start: number): void {
  c.start = start;
  c.running = true;
}

function freeze(c: PitChannelState, tick: number): void {
  settle(c, tick);
  c.elapsed = ticksCounted(c, tick);
  c.running = false;
}

export function setGate(c: PitChannelState, level: boolean, tick: number): void {
  if (c.gate === level) return;
  settle(c, tick);
  c.gate = level;
  if (!c.loaded) return;
  if (isTriggered(c)) {
    if (!level) return;
    if (c.nextPeriod !== 0) c.period = c.nextPeriod;
    c.nextPeriod = 0;
    run(c, tick + 1);
  } else if (!level) {
    if (c.nextPeriod !== 0) c.period = c.nextPeriod;
    c.nextPeriod = 0;
    freeze(c, tick);
  } else if (isPeriodic(c)) {
    c.elapsed = 0;
    run(c, tick + 1); // reload on the rising edge
  } else {
    run(c, tick - c.elapsed < 0 ? 0 : tick - c.elapsed);
  }
}

/** The OUT pin. */
export function output(c: PitChannelState, tick: number): boolean {
  settle(c, tick);
  if (!c.loaded) return c.mode !== 0;
  const counted = ticksCounted(c, tick);
  switch (c.mode) {
    case 0:
      return counted >= c.period;
    case 1:
      return !c.running || counted >= c.period;
    case 2:
      return !c.gate || counted % c.period !== c.period - 1;
    case 3:
      return !c.gate || counted % c.period < Math.ceil(c.period / 2);
    default:
      return !c.running || counted !== c.period;
  }
}

/** The counting element as a program reads it, 16 bits. */
function countingElement(c: PitChannelState, tick: number): number {
  settle(c, tick);
  const counted = ticksCounted(c, tick);
  const modulus = c.bcd ? 10000 : 65536;
  let value: number;
  if (c.mode === 2) value = c.period - (counted % c.period);
  else if (c.mode === 3) {
    // Decrements by two, twice a period (8254 p.12).
    const half = Math.ceil(c.period / 2);
    const within = counted % c.period;
    value = (c.period & ~1) - 2 * (within < half ? within : within - half);
    if (value <= 0) value = c.period & ~1;
  } else value = (((c.period - counted) % modulus) + modulus) % modulus;
  value %= modulus;
  return c.bcd ? toBcd(value) : value & 0xffff;
}

export function latchCount(c: PitChannelState, tick: number): void {
  c.latchedCount ??= countingElement(c, tick);
}

export function latchStatus(c: PitChannelState, tick: number): void {
  c.latchedStatus ??=
    (output(c, tick) ? 0x80 : 0) |
    (!c.loaded || c.nextPeriod !== 0 || c.writeLow !== null ? 0x40 : 0) |
    (c.access << 4) |
    (c.mode << 1) |
    (c.bcd ? 1 : 0);
}

export function readCount(c: PitChannelState, tick: number): number {
  if (c.latchedStatus !== null) {
    const status = c.latchedStatus;
    c.latchedStatus = null;
    return status;
  }
  const value = c.latchedCount ?? countingElement(c, tick);
  if (c.access !== 3) {
    c.latchedCount = null;
    return c.access === 1 ? value & 0xff : value >> 8;
  }
  const high = c.readHigh;
  c.readHigh = !high;
  if (high) c.latchedCount = null;
  return high ? value >> 8 : value & 0xff;
}

/** The next tick after `tick` at which OUT rises, or -1 if it never does by itself. */
export function nextRise(c: PitChannelState, tick: number): number {
  settle(c, tick);
  if (!c.loaded || !c.running) return -1;
  if (isPeriodic(c)) {
    const counted = Math.max(0, tick - c.start);
    return c.start + (Math.floor(counted / c.period) + 1) * c.period;
  }
  const end = c.start + c.period + (c.mode >= 4 ? 1 : 0); // modes 4 and 5: OUT is low for one tick
  return end > tick ? end : -1;
}
