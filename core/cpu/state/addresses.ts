// Linear addresses in TypeScript: numbers; canonical ones of the upper half of the 64-bit space are negative (48 bits,
// sign-extended, so exact).

/** Canonical addresses are in [-2^47, 2^47) (SDM 1 3.3.7.1). */
export const CANONICAL = 2 ** 47;
/** The upper 32 bits of an address. */
export const upperHalf = (address: number): number => Math.floor(address / 2 ** 32);
/** Linear page number; negative in the upper half. */
export const pageOf = (linear: number): number => Math.floor(linear / 4096);
/** An address from its two halves. */
export const fromHalves = (low: number, high: number): number => (high | 0) * 2 ** 32 + (low >>> 0);
