// FPREM, FPREM1, FSCALE, FXTRACT, FBLD and FBSTP (SDM 2A).
import type { Cpu } from '../cpu.ts';
import { FIELD } from '../state/layout.ts';
import type { HelperBody } from '../system/helpers.ts';
import { noteInstruction, requireIdle } from './environment.ts';
import {
  denormalFlag, fill, give, giveInfinity, giveInvalid, giveNan, giveRounded, giveZero, INDEFINITE, isFull, pop, pushEmpty, readReal,
  setConditions, stackNumber, stopsAtDenormal, SW, underflow, UNIT_EXPONENT, type Real,
} from './operand.ts';

const CONDITIONS = SW.C0 | SW.C1 | SW.C2 | SW.C3;

/** C0, C3, C1: bits 2, 1, 0 of the quotient. */
const quotientBits = (quotient: bigint): number =>
  ((quotient & 4n) !== 0n ? SW.C0 : 0) | ((quotient & 2n) !== 0n ? SW.C3 : 0) | ((quotient & 1n) !== 0n ? SW.C1 : 0);

/** Finite operands: puts a's remainder by b into the register; returns the condition codes. */
function reduce(cpu: Cpu, number: number, a: Real, b: Real, isNearest: boolean, flags: number): number {
  const distance = a.exponent - b.exponent;
  // Far apart: a part of the quotient, leaving C2 set (32 to 63 bits, as silicon chooses them).
  const isPartial = distance >= 64;
  const kept = isPartial ? (distance & 31) | 32 : distance;
  const dropped = isPartial ? distance - kept : 0;
  const low = Math.min(0, distance);
  const numerator = a.normal << BigInt(Math.max(0, distance - dropped)), divisor = b.normal << BigInt(-low);
  let quotient = numerator / divisor, rest = numerator % divisor, negative = a.negative;
  if (isNearest && !isPartial) {
    const twice = rest * 2n;
    if (twice > divisor || (twice === divisor && (quotient & 1n) !== 0n)) {
      quotient += 1n;
      rest = divisor - rest;
      negative = !negative;
    }
  }
  const scale = UNIT_EXPONENT - (b.exponent + low) - dropped;
  if (rest === 0n) giveZero(cpu, number, a.negative, flags);
  else giveRounded(cpu, number, negative, rest, scale, false, flags);
  return isPartial ? SW.C2 : quotientBits(quotient);
}

const remainder =
  (isNearest: boolean): HelperBody =>
  (cpu, o) => {
    requireIdle(cpu);
    noteInstruction(cpu, o, 0xd9, false);
    const zero = stackNumber(cpu, 0), one = stackNumber(cpu, 1);
    setConditions(cpu, SW.C1 | SW.C2, 0);
    if (!isFull(cpu, zero) || !isFull(cpu, one)) return void underflow(cpu, zero);
    const a = readReal(cpu, zero), b = readReal(cpu, one);
    if (giveNan(cpu, zero, a, b) !== null) return;
    if (a.kind === 'infinity' || b.kind === 'zero') return void giveInvalid(cpu, zero);
    const flags = denormalFlag(a, b);
    if (stopsAtDenormal(cpu, flags)) return;
    if (a.kind === 'zero') {
      give(cpu, zero, a.word, a.significand, flags);
      setConditions(cpu, CONDITIONS, 0);
      return;
    }
    if (b.kind === 'infinity' || a.exponent - b.exponent < -1) {
      giveRounded(cpu, zero, a.negative, a.normal, UNIT_EXPONENT - a.exponent, false, flags);
      setConditions(cpu, CONDITIONS, 0);
      return;
    }
    const conditions = reduce(cpu, zero, a, b, isNearest, flags);
    setConditions(cpu, CONDITIONS, conditions);
  };

/** SDM 2A FSCALE: ST(1) is cut to an integer. */
const scale: HelperBody = (cpu, o) => {
  requireIdle(cpu);
  noteInstruction(cpu, o, 0xd9, false);
  const zero = stackNumber(cpu, 0), one = stackNumber(cpu, 1);
  if (!isFull(cpu, zero) || !isFull(cpu, one)) return void underflow(cpu, zero);
  const a = readReal(cpu, zero), b = readReal(cpu, one);
  if (giveNan(cpu, zero, a, b) !== null) return;
  const flags = denormalFlag(a, b);
  if (b.kind === 'infinity') {
    if (a.kind === (b.negative ? 'infinity' : 'zero')) return void giveInvalid(cpu, zero);
    if (b.negative) giveZero(cpu, zero, a.negative, flags);
    else giveInfinity(cpu, zero, a.negative, flags);
    return;
  }
  if (a.kind !== 'finite') return void give(cpu, zero, a.word, a.significand, flags);
  if (stopsAtDenormal(cpu, flags)) return;
  const shift = UNIT_EXPONENT - b.exponent;
  let by = 0;
  if (b.kind === 'finite' && shift < 64) by = shift < 40 ? 0x20000 : Math.min(0x20000, Number(b.normal >> BigInt(shift)));
  giveRounded(cpu, zero, a.negative, a.normal, UNIT_EXPONENT - a.exponent - (b.negative ? -by : by), false, flags);
};

/** Both results of an instruction that pushes are the default NaN. */
export function invalidPair(cpu: Cpu, zero: number, flags: number): void {
  if (!give(cpu, zero, INDEFINITE.word, INDEFINITE.significand, flags)) return;
  fill(cpu, zero);
  give(cpu, pushEmpty(cpu), INDEFINITE.word, INDEFINITE.significand, flags);
}

/** SDM 2A FXTRACT: ST(0) becomes the exponent, the significand is pushed. */
const extract: HelperBody = (cpu, o) => {
  requireIdle(cpu);
  noteInstruction(cpu, o, 0xd9, false);
  const zero = stackNumber(cpu, 0);
  if (!isFull(cpu, zero)) return invalidPair(cpu, zero, SW.IE | SW.SF);
  if (isFull(cpu, stackNumber(cpu, -1))) return invalidPair(cpu, zero, SW.IE | SW.SF | SW.C1);
  const a = readReal(cpu, zero);
  const nan = giveNan(cpu, zero, a, a);
  if (nan !== null) {
    if (!nan) return;
    // The NaN's flags are set by now: its copy adds none.
    const result = readReal(cpu, zero);
    give(cpu, pushEmpty(cpu), result.word, result.significand, 0);
    return;
  }
  if (a.kind === 'infinity') {
    giveInfinity(cpu, zero, false, 0);
    giveInfinity(cpu, pushEmpty(cpu), a.negative, 0);
    return;
  }
  if (a.kind === 'zero') {
    if (giveInfinity(cpu, zero, true, SW.ZE)) giveZero(cpu, pushEmpty(cpu), a.negative, SW.ZE);
    return;
  }
  const flags = denormalFlag(a);
  if (stopsAtDenormal(cpu, flags)) return;
  const exponent = a.exponent - 16383;
  if (exponent === 0) giveZero(cpu, zero, false, flags);
  else giveRounded(cpu, zero, exponent < 0, BigInt(Math.abs(exponent)), 0, false, flags);
  give(cpu, pushEmpty(cpu), 0x3fff | (a.negative ? 0x8000 : 0), a.normal, flags);
};

/** SDM 2A FBLD: digits beyond 9 count as what they are worth. */
const loadDecimal: HelperBody = (cpu, o) => {
  requireIdle(cpu);
  const bytes = Array.from({ length: 10 }, (_, index) => o.readM(index, 1));
  noteInstruction(cpu, o, 0xdf, true);
  let value = 0n;
  for (let index = 8; index >= 0; index--) value = value * 100n + BigInt((bytes[index] >> 4) * 10 + (bytes[index] & 15));
  const length = value === 0n ? 0 : value.toString(2).length;
  const word = (bytes[9] & 0x80) << 8 | (length === 0 ? 0 : 16383 + length - 1);
  cpu.x87.x87Push(cpu.base, word, BigInt.asIntN(64, value << BigInt(64 - length)), 0);
};

const DECIMAL_INDEFINITE = [0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff];

/** SDM 2A FBSTP. */
const storeDecimal: HelperBody = (cpu, o) => {
  requireIdle(cpu);
  const zero = stackNumber(cpu, 0);
  let bytes = DECIMAL_INDEFINITE, flags: number = SW.IE | SW.SF;
  if (isFull(cpu, zero)) {
    const a = readReal(cpu, zero);
    const signed = cpu.x87.x87ToInteger(cpu.base, a.word, BigInt.asIntN(64, a.significand), 64);
    flags = cpu.get32(FIELD.fpScratch + 16);
    let rest = signed < 0n ? -signed : signed;
    if (rest >= 10n ** 18n) flags = SW.IE;
    if ((flags & SW.IE) === 0) {
      bytes = Array.from({ length: 9 }, () => {
        const pair = Number(rest % 100n);
        rest /= 100n;
        return Math.floor(pair / 10) * 16 + (pair % 10);
      });
      bytes.push(a.negative ? 0x80 : 0);
    }
  }
  if ((flags & SW.IE & ~cpu.get32(FIELD.fpControl)) === 0) {
    cpu.probeWrite(cpu.linearAddress(o.segment, o.address, 10, true), 10);
    bytes.forEach((byte, index) => o.writeM(index, byte, 1));
  }
  noteInstruction(cpu, o, 0xdf, true);
  cpu.x87.x87RaiseFlags(cpu.base, flags);
  if ((flags & SW.IE & ~cpu.get32(FIELD.fpControl)) === 0) pop(cpu);
};

export const remainderHelpers: Readonly<Record<string, HelperBody>> = {
  fprem: remainder(false),
  fprem1: remainder(true),
  fscale: scale,
  fxtract: extract,
  fbld: loadDecimal,
  fbstp: storeDecimal,
};
