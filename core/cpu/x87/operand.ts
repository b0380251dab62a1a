// What the helpers of the x87 work with: registers as numbers of unlimited precision, and results rounded once by the
// emitted functions.
import type { Cpu } from '../cpu.ts';
import { FIELD } from '../state/layout.ts';

export const SW = { IE: 1, DE: 2, ZE: 4, PE: 0x20, SF: 0x40, C0: 0x100, C1: 0x200, C2: 0x400, C3: 0x4000 } as const;
export const INDEFINITE = { word: 0xffff, significand: 0xc000000000000000n } as const;
const INTEGER_BIT = 1n << 63n;
/** Exponents are relative to 2^-16446 as the weight of a significand's last bit at exponent 0. */
export const UNIT_EXPONENT = 16446;

export type Kind = 'zero' | 'finite' | 'infinity' | 'nan';

export interface Real {
  readonly kind: Kind;
  readonly word: number;
  readonly significand: bigint;
  readonly negative: boolean;
  /** Of the value significand * 2^(exponent - 16446), normalised so that bit 63 of `normal` is set. */
  readonly exponent: number;
  readonly normal: bigint;
  readonly isDenormal: boolean;
}

export function readReal(cpu: Cpu, number: number): Real {
  const at = cpu.base + FIELD.fpr + number * 16;
  const significand = cpu.view.getBigUint64(at, true), word = cpu.view.getUint16(at + 8, true);
  const biased = word & 0x7fff;
  const isUnsupported = biased !== 0 && (significand & INTEGER_BIT) === 0n;
  let kind: Kind = 'finite';
  if (isUnsupported) kind = 'nan';
  else if (biased === 0x7fff) kind = significand === INTEGER_BIT ? 'infinity' : 'nan';
  else if (significand === 0n) kind = 'zero';
  let normal = significand, exponent = biased || 1;
  if (kind === 'finite') {
    const zeros = 64 - bitLength(significand);
    normal <<= BigInt(zeros);
    exponent -= zeros;
  }
  const isDenormal = biased === 0 && significand !== 0n;
  return { kind, word, significand, negative: word >= 0x8000, exponent, normal, isDenormal };
}

export const bitLength = (value: bigint): number => value.toString(16).length * 4 - Math.clz32(Number.parseInt(value.toString(16)[0], 16)) + 28;

export const stackNumber = (cpu: Cpu, i: number): number => ((cpu.get32(FIELD.fpStatus) >>> 11) + i) & 7;
export const isFull = (cpu: Cpu, number: number): boolean => ((cpu.get32(FIELD.fpTags) >>> number) & 1) !== 0;
export const registerAt = (cpu: Cpu, number: number): number => cpu.base + number * 16;

export function setConditions(cpu: Cpu, mask: number, bits: number): void {
  cpu.set32(FIELD.fpStatus, (cpu.get32(FIELD.fpStatus) & ~mask) | bits);
}
export function fill(cpu: Cpu, number: number): void {
  cpu.set32(FIELD.fpTags, cpu.get32(FIELD.fpTags) | (1 << number));
}
export function pop(cpu: Cpu): void {
  const top = stackNumber(cpu, 0);
  cpu.set32(FIELD.fpTags, cpu.get32(FIELD.fpTags) & ~(1 << top));
  setConditions(cpu, 0x3800, ((top + 1) & 7) << 11);
}
/** Makes the register below the stack its top, full; returns its number. */
export function pushEmpty(cpu: Cpu): number {
  const top = stackNumber(cpu, -1);
  setConditions(cpu, 0x3800, top << 11);
  fill(cpu, top);
  return top;
}

export const give = (cpu: Cpu, number: number, word: number, significand: bigint, flags: number): boolean =>
  cpu.x87.x87Give(cpu.base, registerAt(cpu, number), word, BigInt.asIntN(64, significand), flags) !== 0;
export const giveZero = (cpu: Cpu, number: number, negative: boolean, flags: number): boolean =>
  give(cpu, number, negative ? 0x8000 : 0, 0n, flags);
export const giveInfinity = (cpu: Cpu, number: number, negative: boolean, flags: number): boolean =>
  give(cpu, number, negative ? 0xffff : 0x7fff, INTEGER_BIT, flags);
export const giveInvalid = (cpu: Cpu, number: number): boolean =>
  give(cpu, number, INDEFINITE.word, INDEFINITE.significand, SW.IE);

/** Raises a stack underflow; the masked response puts the default NaN into the register. Returns whether it did. */
export function underflow(cpu: Cpu, number: number): boolean {
  if (!give(cpu, number, INDEFINITE.word, INDEFINITE.significand, SW.IE | SW.SF)) return false;
  fill(cpu, number);
  return true;
}

/** Gives the NaN that results from NaN operands. Null: there is none; else whether it was stored. */
export function giveNan(cpu: Cpu, number: number, a: Real, b: Real): boolean | null {
  if (a.kind !== 'nan' && b.kind !== 'nan') return null;
  const outcome = cpu.x87.x87SortNans(
    cpu.base, registerAt(cpu, number), a.word, BigInt.asIntN(64, a.significand), b.word, BigInt.asIntN(64, b.significand),
  );
  return outcome !== 0;
}

/** DE when an operand is denormal. */
export const denormalFlag = (...operands: readonly Real[]): number => (operands.some((o) => o.isDenormal) ? SW.DE : 0);
/** Raises DE and stops when it is not masked. */
export function stopsAtDenormal(cpu: Cpu, flags: number): boolean {
  if ((flags & ~cpu.get32(FIELD.fpControl) & 0x3f) === 0) return false;
  cpu.x87.x87RaiseFlags(cpu.base, flags);
  return true;
}

/**
 * Rounds magnitude * 2^-scale into a register and raises what follows. `inexact`: the value lies a little above the
 * magnitude given.
 */
export function giveRounded(
  cpu: Cpu, number: number, negative: boolean, magnitude: bigint, scale: number, inexact: boolean, flags: number,
): void {
  const length = bitLength(magnitude);
  const shift = length - 128;
  let wide = shift >= 0 ? magnitude >> BigInt(shift) : magnitude << BigInt(-shift);
  if (inexact || (shift > 0 && wide << BigInt(shift) !== magnitude)) wide |= 1n;
  const exponent = Math.max(-40000, Math.min(60000, length - 1 - scale + 16383));
  cpu.x87.x87RoundStoreFull(
    cpu.base, registerAt(cpu, number), negative ? 0x8000 : 0, exponent, BigInt.asIntN(64, wide >> 64n), BigInt.asIntN(64, wide),
    flags,
  );
}
