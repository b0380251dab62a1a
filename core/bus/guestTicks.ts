// Conversion between guest nanoseconds and ticks of a crystal, exact to the tick for months.

const SECOND = 1e9;

/** Whole ticks of a `hertz` clock at guest time `ns`. Split by seconds so that products stay below 2^53. */
export function ticksAt(ns: number, hertz: number): number {
  const seconds = Math.floor(ns / SECOND);
  return seconds * hertz + Math.floor(((ns - seconds * SECOND) * hertz) / SECOND);
}

/** The first nanosecond at which `ticksAt` gives at least `tick`. */
export function nsOfTick(tick: number, hertz: number): number {
  const seconds = Math.floor(tick / hertz);
  return seconds * SECOND + Math.ceil(((tick - seconds * hertz) * SECOND) / hertz);
}
