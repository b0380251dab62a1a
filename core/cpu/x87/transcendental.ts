// F2XM1, FYL2X, FYL2XP1, FSIN, FCOS, FSINCOS, FPTAN, FPATAN (SDM 1 8.3.7 to 8.3.10): computed with some 190 bits and
// rounded once. Arguments of FSIN and its kin are reduced by a pi of 66 bits, as silicon does (SDM 1 8.3.8).
//
// Where we depart from silicon: its own results are within one unit in the last place; ours are the correctly rounded
// ones, which agree bit for bit in most cases (counted in test/instructions/x87.test.ts).
import type { Cpu } from '../cpu.ts';
import { FIELD } from '../state/layout.ts';
import type { HelperBody } from '../system/helpers.ts';
import { noteInstruction, requireIdle } from './environment.ts';
import { arctangent, expFactor, F, LN2, logFactor, ONE, PI, sineFactor, cosine } from './series.ts';
import {
  bitLength, denormalFlag, give, giveInfinity, giveInvalid, giveNan, giveRounded, giveZero, isFull, pop, pushEmpty, readReal, setConditions,
  stackNumber, stopsAtDenormal, SW, underflow, UNIT_EXPONENT, type Real,
} from './operand.ts';
import { invalidPair } from './remainders.ts';

/** pi/2 to 66 bits, times 2^67. */
const HALF_PI_66 = 0xc90fdaa22168c234cn;

interface Angle {
  /** The reduced angle is value * 2^-scale, at most pi/4 by magnitude. */
  readonly value: bigint;
  readonly scale: number;
  readonly quadrant: number;
}

function reduceAngle(a: Real): Angle {
  const scale = Math.max(68, UNIT_EXPONENT - a.exponent);
  const magnitude = a.normal << BigInt(scale - (UNIT_EXPONENT - a.exponent));
  const half = HALF_PI_66 << BigInt(scale - 67);
  // Rounded to the nearest multiple.
  const turns = (2n * magnitude + half) / (2n * half);
  const rest = magnitude - turns * half;
  const quarter = Number(turns & 3n);
  return a.negative ? { value: -rest, scale, quadrant: (4 - quarter) & 3 } : { value: rest, scale, quadrant: quarter };
}

/** The square as a fixed-point number of F bits. */
function squared({ value, scale }: Angle): bigint {
  const shift = 2 * scale - F;
  const square = value * value;
  return shift >= 0 ? square >> BigInt(shift) : square << BigInt(-shift);
}

interface Value {
  readonly magnitude: bigint;
  readonly scale: number;
  readonly negative: boolean;
  /** Rounded as if exact, whatever the rounding control. */
  readonly exact?: boolean;
}
const signed = (value: bigint, scale: number): Value => ({ magnitude: value < 0n ? -value : value, scale, negative: value < 0n });

function sineOf(angle: Angle, quadrant: number): Value {
  const square = squared(angle);
  const sign = quadrant >= 2 ? -1n : 1n;
  // Of a tiny angle silicon gives the angle itself, or 1.
  const exact = square === 0n;
  if ((quadrant & 1) !== 0) return { ...signed(sign * cosine(square), F), exact };
  return { ...signed(sign * angle.value * sineFactor(square), angle.scale + F), exact };
}

function tangentOf(angle: Angle): Value {
  const square = squared(angle);
  const sine = sineFactor(square), cos = cosine(square);
  // The quotient of the factors is a little above what a small angle shows.
  if ((angle.quadrant & 1) === 0) return signed(angle.value * (((sine << BigInt(F)) / cos) + (square === 0n ? 1n : 0n)), angle.scale + F);
  const magnitude = angle.value < 0n ? -angle.value : angle.value;
  const quotient = (cos << BigInt(2 * F + angle.scale)) / (magnitude * sine);
  return signed(angle.value < 0n ? quotient : -quotient, 2 * F);
}

function deliver(cpu: Cpu, number: number, { magnitude, scale, negative, exact }: Value, flags: number): void {
  giveRounded(cpu, number, negative, magnitude, scale, exact !== true, flags);
}

/** 2^63 and beyond are not reduced: C2. */
const isTooLarge = (a: Real): boolean => a.kind === 'finite' && a.exponent >= 16383 + 63;

const sineLike =
  (isCosine: boolean): HelperBody =>
  (cpu, o) => {
    requireIdle(cpu);
    noteInstruction(cpu, o, 0xd9, false);
    const zero = stackNumber(cpu, 0);
    if (!isFull(cpu, zero)) {
      setConditions(cpu, SW.C2, 0);
      underflow(cpu, zero);
      return;
    }
    const a = readReal(cpu, zero);
    setConditions(cpu, SW.C1 | SW.C2, isTooLarge(a) ? SW.C2 : 0);
    if (isTooLarge(a) || giveNan(cpu, zero, a, a) !== null) return;
    if (a.kind === 'infinity') return void giveInvalid(cpu, zero);
    if (a.kind === 'zero') return void give(cpu, zero, isCosine ? 0x3fff : a.word, isCosine ? 1n << 63n : 0n, 0);
    const flags = denormalFlag(a);
    if (stopsAtDenormal(cpu, flags)) return;
    const angle = reduceAngle(a);
    deliver(cpu, zero, sineOf(angle, (angle.quadrant + (isCosine ? 1 : 0)) & 3), flags | SW.PE);
  };

/** FSINCOS and FPTAN: the first result replaces ST(0), the second is pushed. */
const pushing =
  (isTangent: boolean): HelperBody =>
  (cpu, o) => {
    requireIdle(cpu);
    noteInstruction(cpu, o, 0xd9, false);
    const zero = stackNumber(cpu, 0);
    setConditions(cpu, SW.C2, 0);
    if (!isFull(cpu, zero)) return invalidPair(cpu, zero, SW.IE | SW.SF);
    if (isFull(cpu, stackNumber(cpu, -1))) return invalidPair(cpu, zero, SW.IE | SW.SF | SW.C1);
    const a = readReal(cpu, zero);
    setConditions(cpu, SW.C1 | SW.C2, isTooLarge(a) ? SW.C2 : 0);
    if (isTooLarge(a)) return;
    const nan = giveNan(cpu, zero, a, a);
    if (nan !== null) {
      if (!nan) return;
      const result = readReal(cpu, zero);
      give(cpu, pushEmpty(cpu), result.word, result.significand, 0);
      return;
    }
    if (a.kind === 'infinity') return invalidPair(cpu, zero, SW.IE);
    if (a.kind === 'zero') return void give(cpu, pushEmpty(cpu), 0x3fff, 1n << 63n, 0);
    const flags = denormalFlag(a);
    if (stopsAtDenormal(cpu, flags)) return;
    const angle = reduceAngle(a);
    if (isTangent) {
      deliver(cpu, zero, tangentOf(angle), flags | SW.PE);
      const one = pushEmpty(cpu) * 16 + cpu.base;
      cpu.view.setBigUint64(one + FIELD.fpr, 1n << 63n, true);
      cpu.view.setUint16(one + FIELD.fpr + 8, 0x3fff, true);
      return;
    }
    deliver(cpu, zero, sineOf(angle, angle.quadrant), flags | SW.PE);
    deliver(cpu, pushEmpty(cpu), sineOf(angle, (angle.quadrant + 1) & 3), flags | SW.PE);
  };

/** SDM 2A F2XM1: 2^x - 1 for |x| <= 1; beyond, the argument is left as it is. */
const exponential: HelperBody = (cpu, o) => {
  requireIdle(cpu);
  noteInstruction(cpu, o, 0xd9, false);
  const zero = stackNumber(cpu, 0);
  if (!isFull(cpu, zero)) return void underflow(cpu, zero);
  const a = readReal(cpu, zero);
  if (giveNan(cpu, zero, a, a) !== null) return;
  if (a.kind === 'infinity') {
    if (a.negative) give(cpu, zero, 0xbfff, 1n << 63n, 0);
    else giveInfinity(cpu, zero, false, 0);
    return;
  }
  const flags = denormalFlag(a);
  if (stopsAtDenormal(cpu, flags)) return;
  if (a.kind === 'zero' || a.exponent > 16383 || (a.exponent === 16383 && a.normal !== 1n << 63n)) {
    give(cpu, zero, a.word, a.significand, a.kind === 'zero' ? 0 : flags | SW.PE);
    return;
  }
  if (a.exponent === 16383) {
    give(cpu, zero, a.negative ? 0xbffe : 0x3fff, 1n << 63n, flags);
    return;
  }
  const scale = UNIT_EXPONENT - a.exponent;
  const product = (a.negative ? -a.normal : a.normal) * LN2;
  const factor = expFactor(product >> BigInt(scale));
  deliver(cpu, zero, signed(product * factor, scale + 2 * F), flags | SW.PE);
};

/** Checks common to the two-operand functions whose result goes to ST(1); true: all is done. */
function binaryDone(cpu: Cpu, x: number, y: number): boolean {
  if (!isFull(cpu, x) || !isFull(cpu, y)) {
    if (underflow(cpu, y)) pop(cpu);
    return true;
  }
  const nan = giveNan(cpu, y, readReal(cpu, x), readReal(cpu, y));
  if (nan === true) pop(cpu);
  return nan !== null;
}

/** log2 of numerator * 2^-places: value * 2^-scale; exact for powers of two. */
function binaryLogarithm(numerator: bigint, places: number): { value: bigint; scale: number; exact: boolean } {
  const length = bitLength(numerator);
  let power = length - 1 - places, one = 1n << BigInt(length - 1);
  if (numerator === one) return { value: BigInt(power), scale: 0, exact: true };
  // Between 3/4 and 3/2.
  if (2n * numerator > 3n * one) {
    power += 1;
    one <<= 1n;
  }
  const wide = BigInt(F + 64);
  const z = ((numerator - one) << wide) / (numerator + one);
  const square = (z * z) >> BigInt(2 * (F + 64) - F);
  const logarithm = (2n * z * logFactor(square)) / LN2;
  return { value: (BigInt(power) << wide) + logarithm, scale: F + 64, exact: false };
}

/** SDM 2A FYL2X. */
const logarithm: HelperBody = (cpu, o) => {
  requireIdle(cpu);
  noteInstruction(cpu, o, 0xd9, false);
  const xNumber = stackNumber(cpu, 0), yNumber = stackNumber(cpu, 1);
  if (binaryDone(cpu, xNumber, yNumber)) return;
  const x = readReal(cpu, xNumber), y = readReal(cpu, yNumber);
  const flags = denormalFlag(x, y);
  const isOne = x.kind === 'finite' && x.exponent === 16383 && x.normal === 1n << 63n;
  const isBelowOne = x.kind === 'zero' || (x.kind === 'finite' && x.exponent < 16383);
  const negative = y.negative !== isBelowOne;
  const finish = (stored: boolean): void => {
    if (stored) pop(cpu);
  };
  if (x.negative && x.kind !== 'zero') return finish(giveInvalid(cpu, yNumber));
  if (x.kind === 'zero' && y.kind === 'zero') return finish(giveInvalid(cpu, yNumber));
  if (x.kind === 'infinity' && y.kind === 'zero') return finish(giveInvalid(cpu, yNumber));
  if (isOne && y.kind === 'infinity') return finish(giveInvalid(cpu, yNumber));
  if (x.kind === 'zero' && y.kind === 'finite') return finish(giveInfinity(cpu, yNumber, negative, SW.ZE));
  if (x.kind === 'infinity' || y.kind === 'infinity') return finish(giveInfinity(cpu, yNumber, negative, flags));
  if (stopsAtDenormal(cpu, flags)) return;
  if (isOne || y.kind === 'zero') return finish(giveZero(cpu, yNumber, negative, flags));
  const { value, scale, exact } = binaryLogarithm(x.normal, UNIT_EXPONENT - x.exponent);
  const result = signed((y.negative ? -value : value) * y.normal, scale + UNIT_EXPONENT - y.exponent);
  giveRounded(cpu, yNumber, result.negative, result.magnitude, result.scale, !exact, exact ? flags : flags | SW.PE);
  pop(cpu);
};

/** SDM 2A FYL2XP1. */
const logarithmPlusOne: HelperBody = (cpu, o) => {
  requireIdle(cpu);
  noteInstruction(cpu, o, 0xd9, false);
  const xNumber = stackNumber(cpu, 0), yNumber = stackNumber(cpu, 1);
  if (binaryDone(cpu, xNumber, yNumber)) return;
  const x = readReal(cpu, xNumber), y = readReal(cpu, yNumber);
  const flags = denormalFlag(x, y);
  const negative = x.negative !== y.negative;
  const finish = (stored: boolean): void => {
    if (stored) pop(cpu);
  };
  const isBeyond = x.negative && (x.kind === 'infinity' || (x.kind === 'finite' && x.exponent >= 16383));
  if (isBeyond || (x.kind === 'infinity' && y.kind === 'zero') || (x.kind === 'zero' && y.kind === 'infinity')) {
    return finish(giveInvalid(cpu, yNumber));
  }
  if (x.kind === 'infinity' || y.kind === 'infinity') return finish(giveInfinity(cpu, yNumber, negative, flags));
  if (stopsAtDenormal(cpu, flags)) return;
  if (x.kind === 'zero' || y.kind === 'zero') return finish(giveZero(cpu, yNumber, negative, flags));
  if (x.exponent >= 16382) {
    // Beyond the function's range, where the series is long.
    const places = UNIT_EXPONENT - x.exponent;
    const sum = places < -200 ? x.normal : (places > 0 ? 1n << BigInt(places) : 1n) + (x.negative ? -x.normal : x.normal << BigInt(Math.max(0, -places)));
    const { value, scale } = binaryLogarithm(sum, places < -200 ? places : Math.max(0, places));
    deliver(cpu, yNumber, signed(value * (y.negative ? -y.normal : y.normal), scale + UNIT_EXPONENT - y.exponent), flags | SW.PE);
    pop(cpu);
    return;
  }
  // ln(1 + x) = 2 z (1 + z^2/3 + ...), z = x / (2 + x).
  const scale = UNIT_EXPONENT - x.exponent;
  const argument = x.negative ? -x.normal : x.normal;
  const shift = F - scale;
  const fixed = shift >= 0 ? argument << BigInt(shift) : argument >> BigInt(-shift);
  const inverse = (ONE * ONE * 2n) / (2n * ONE + fixed);
  const z = (fixed * inverse) >> BigInt(F + 1);
  const factor = (inverse * logFactor((z * z) >> BigInt(F))) / LN2;
  const product = argument * factor * (y.negative ? -y.normal : y.normal);
  deliver(cpu, yNumber, signed(product, scale + F + UNIT_EXPONENT - y.exponent), flags | SW.PE);
  pop(cpu);
};

/** SDM 2A FPATAN: the angle of the point (ST(0), ST(1)). */
const arcTangent: HelperBody = (cpu, o) => {
  requireIdle(cpu);
  noteInstruction(cpu, o, 0xd9, false);
  const xNumber = stackNumber(cpu, 0), yNumber = stackNumber(cpu, 1);
  if (binaryDone(cpu, xNumber, yNumber)) return;
  const x = readReal(cpu, xNumber), y = readReal(cpu, yNumber);
  const flags = denormalFlag(x, y);
  if (stopsAtDenormal(cpu, flags)) return;
  const angle = (eighths: bigint): void =>
    deliver(cpu, yNumber, { magnitude: (PI * eighths) >> 2n, scale: F, negative: y.negative }, flags | SW.PE);
  if (y.kind === 'infinity') angle(x.kind === 'infinity' ? (x.negative ? 3n : 1n) : 2n);
  else if (y.kind === 'zero' || x.kind === 'infinity') {
    if (x.negative) angle(4n);
    else giveZero(cpu, yNumber, y.negative, flags);
  } else if (x.kind === 'zero') angle(2n);
  else angleOfPoint(cpu, yNumber, x, y, flags);
  pop(cpu);
};

function angleOfPoint(cpu: Cpu, number: number, x: Real, y: Real, flags: number): void {
  const distance = y.exponent - x.exponent;
  const isSteep = distance > 0 || (distance === 0 && y.normal > x.normal);
  const [top, bottom] = isSteep ? [x, y] : [y, x];
  const shift = Math.abs(distance);
  // The ratio is quotient * 2^-(F + 64 + shift), below or equal to 1.
  const quotient = (top.normal << BigInt(F + 64)) / bottom.normal;
  const isExact = (quotient * bottom.normal) === (top.normal << BigInt(F + 64));
  const fixed = shift > F + 64 ? 0n : quotient >> BigInt(64 + shift);
  if (!isSteep && !x.negative) {
    if (isExact && (quotient & (quotient - 1n)) === 0n && shift > F) {
      // A tiny ratio is its own angle, less next to nothing.
      deliver(cpu, number, { magnitude: (quotient << 64n) - 1n, scale: F + 128 + shift, negative: y.negative }, flags | SW.PE);
      return;
    }
    const factor = arctangent(fixed);
    deliver(cpu, number, { magnitude: quotient * factor, scale: 2 * F + 64 + shift, negative: y.negative }, flags | SW.PE);
    return;
  }
  const small = (fixed * arctangent(fixed)) >> BigInt(F);
  const turned = isSteep ? (x.negative ? PI / 2n + small : PI / 2n - small) : PI - small;
  deliver(cpu, number, { magnitude: turned, scale: F, negative: y.negative }, flags | SW.PE);
}

export const transcendentalHelpers: Readonly<Record<string, HelperBody>> = {
  fsin: sineLike(false),
  fcos: sineLike(true),
  fsincos: pushing(false),
  fptan: pushing(true),
  f2xm1: exponential,
  fyl2x: logarithm,
  fyl2xp1: logarithmPlusOne,
  fpatan: arcTangent,
};
