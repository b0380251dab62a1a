// Power series over fixed-point numbers of F fraction bits, for the transcendental functions.

/** Fraction bits. */
export const F = 192;
export const ONE = 1n << BigInt(F);
const shift = BigInt(F);

/** pi and ln 2 by series of their own: Machin's formula, and ln 2 = 2 artanh(1/3). */
function inverseArc(n: bigint, alternates: boolean): bigint {
  const guard = 32n;
  let power = (ONE << guard) / n, sum = 0n;
  for (let k = 1n; power !== 0n; k += 2n) {
    sum += (alternates && (k & 2n) !== 0n ? -power : power) / k;
    power /= n * n;
  }
  return sum >> guard;
}
export const PI = 4n * (4n * inverseArc(5n, true) - inverseArc(239n, true));
export const LN2 = 2n * inverseArc(3n, false);

/** sin(r) / r from r^2. */
export function sineFactor(square: bigint): bigint {
  let term = ONE, sum = ONE;
  for (let n = 2n; term !== 0n; n += 2n) {
    term = -((term * square) >> shift) / (n * (n + 1n));
    sum += term;
  }
  return sum;
}

/** cos(r) from r^2. */
export function cosine(square: bigint): bigint {
  let term = ONE, sum = ONE;
  for (let n = 1n; term !== 0n; n += 2n) {
    term = -((term * square) >> shift) / (n * (n + 1n));
    sum += term;
  }
  return sum;
}

/** (e^y - 1) / y. */
export function expFactor(y: bigint): bigint {
  let term = ONE, sum = ONE;
  for (let n = 2n; term !== 0n; n += 1n) {
    term = (term * y) / (ONE * n);
    sum += term;
  }
  return sum;
}

/** artanh(z) / z from z^2. */
export function logFactor(square: bigint): bigint {
  let power = ONE, sum = ONE;
  for (let n = 3n; power !== 0n; n += 2n) {
    power = (power * square) >> shift;
    sum += power / n;
  }
  return sum;
}

function squareRoot(value: bigint): bigint {
  let root = BigInt(Math.floor(Math.sqrt(Number(value))));
  for (;;) {
    const next = (root + value / root) >> 1n;
    const change = next - root;
    root = next;
    if (change >= -1n && change <= 1n) return root;
  }
}

/** arctan(q) / q for 0 <= q <= 1: halved until the series is short (tan(a/2) = q / (1 + sqrt(1 + q^2))). */
export function arctangent(q: bigint): bigint {
  let halved = q, doublings = 0n;
  while (halved > ONE >> 5n) {
    const root = squareRoot((ONE + ((halved * halved) >> shift)) << shift);
    halved = (halved << shift) / (ONE + root);
    doublings += 1n;
  }
  const square = (halved * halved) >> shift;
  let power = ONE, sum = ONE;
  for (let n = 3n, sign = -1n; power !== 0n; n += 2n, sign = -sign) {
    power = (power * square) >> shift;
    sum += (sign * power) / n;
  }
  if (doublings === 0n) return square === 0n ? ONE - 1n : sum;
  return (((halved * sum) >> shift) << (shift + doublings)) / q;
}
