// Packed integers of MMX and SSE2 to SSE4.2 (SDM 2A, 2B). MMX values lie in the low half of a vector, zeros above.
import { and, extendU, gtU, i32, i64, type I32, type I64, or, select, shl, shrU, wrap } from '../../emit/expressions.ts';
import { i16x8, i32x4, i64x2, i8x16, load128, repeated, shuffle, v128, type V128, vector, zeroVector } from '../../emit/vectors.ts';
import type { FunctionBuilder } from '../../emit/functionBuilder.ts';
import { FIELD } from '../../state/layout.ts';
import type { Semantics, SharedFunction } from '../context.ts';
import {
  enterMmx, type File, packed, readVector, requireMmx, requireSse, vectorial, type VectorContext, writeRegister,
} from './context.ts';

export type Combine = (a: V128, b: V128, x: VectorContext) => V128;

const LOW = 0, HIGH = 8;
/** The low halves side by side. */
const joined = (a: V128, b: V128): V128 => shuffle(a, b, [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);

/** Elements of the halves that begin at `from`, one of a, one of b in turn. */
const interleave = (bytes: number, from: number): Combine => {
  const lanes = Array.from({ length: 16 }, (_, index) => {
    const element = Math.floor(index / bytes);
    return (element & 1) * 16 + from + (element >> 1) * bytes + (index % bytes);
  });
  return (a, b) => shuffle(a, b, lanes);
};

/** SDM 2B PUNPCKL: of MMX registers the low halves of 8 bytes, which are the low quarter's worth of the same shuffle. */
export const unpackLow = (bytes: number): Combine => interleave(bytes, LOW);
export const unpackHigh = (bytes: number, file: File): Combine =>
  file === 'xmm' ? interleave(bytes, HIGH) : (a, b, x) => upperHalf(x.f.let(interleave(bytes, LOW)(a, b, x)));
const upperHalf = (a: V128): V128 => shuffle(a, zeroVector, [8, 9, 10, 11, 12, 13, 14, 15, 16, 16, 16, 16, 16, 16, 16, 16]);

/** SDM 2B PACKSSWB and its kin. */
export const pack = (narrow: (a: V128, b: V128) => V128, file: File): Combine =>
  file === 'xmm' ? narrow : (a, b, x) => {
    const both = x.f.let(joined(a, b));
    return narrow(both, both);
  };

/** Even and odd elements of a, then of b, combined: PHADD, PHSUB. */
export const horizontalInteger = (bytes: number, combine: (a: V128, b: V128) => V128, file: File): Combine => {
  const lanes = (odd: number): number[] =>
    Array.from({ length: 16 }, (_, index) => (Math.floor(index / bytes) * 2 + odd) * bytes + (index % bytes));
  return (a, b, x) => {
    const first = file === 'xmm' ? a : x.f.let(joined(a, b)), second = file === 'xmm' ? b : first;
    return combine(shuffle(first, second, lanes(0)), shuffle(first, second, lanes(1)));
  };
};

/** The upper halves of four 32-bit products of each vector. */
const upperWords = (low: V128, high: V128): V128 => shuffle(low, high, [2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31]);
export const multiplyHigh: Combine = (a, b) => upperWords(i32x4.extmulLowS(a, b), i32x4.extmulHighS(a, b));
export const multiplyHighUnsigned: Combine = (a, b) => upperWords(i32x4.extmulLowU(a, b), i32x4.extmulHighU(a, b));
/** SDM 2B PMULHRSW: only -1 * -1 does not saturate. */
export const multiplyHighRounded: Combine = (a, b) => {
  const least = repeated(2, 0x8000);
  return v128.xor(i16x8.q15mulr(a, b), v128.and(i16x8.eq(a, least), i16x8.eq(b, least)));
};
const LOW_DOUBLEWORDS = repeated(8, 0xffffffffn);
export const multiplyEven: Combine = (a, b) => i64x2.mul(v128.and(a, LOW_DOUBLEWORDS), v128.and(b, LOW_DOUBLEWORDS));
export const multiplyEvenSigned: Combine = (a, b) => {
  const extended = (value: V128): V128 => i64x2.shrS(i64x2.shl(value, i32(32)), i32(32));
  return i64x2.mul(extended(a), extended(b));
};
/** SDM 2B PMADDUBSW: unsigned bytes of a times signed ones of b. */
export const multiplyAddBytes: Combine = (a, b) => {
  const even = i16x8.mul(v128.and(a, repeated(2, 0xff)), i16x8.shrS(i16x8.shl(b, i32(8)), i32(8)));
  const odd = i16x8.mul(i16x8.shrU(a, i32(8)), i16x8.shrS(b, i32(8)));
  return i16x8.addSatS(even, odd);
};
/** SDM 2B PSADBW. */
export const sumDifferences: Combine = (a, b, x) => {
  const words = i16x8.extaddU(v128.or(i8x16.subSatU(a, b), i8x16.subSatU(b, a)));
  const doublewords = x.f.let(i32x4.extaddU(words));
  return i64x2.add(v128.and(doublewords, LOW_DOUBLEWORDS), i64x2.shrU(doublewords, i32(32)));
};

interface Signed {
  readonly shrS: (a: V128, count: I32) => V128;
  readonly sub: (a: V128, b: V128) => V128;
  readonly eq: (a: V128, b: V128) => V128;
}
/** SDM 2B PSIGNB: a negated, kept or cleared by the sign of b. */
export const applySign = (lanes: Signed, bits: number): Combine => (a, b, x) => {
  const sign = x.f.let(lanes.shrS(b, i32(bits - 1)));
  return v128.andnot(lanes.sub(v128.xor(a, sign), sign), lanes.eq(b, zeroVector));
};

/** SDM 2B PSHUFB. */
export const shuffleBytes = (file: File): Combine => (a, b) => v128.swizzle(a, v128.and(b, repeated(1, file === 'xmm' ? 0x8f : 0x87)));

type ShiftLanes = (a: V128, count: I32) => V128;
/** A shift whose count of 64 bits may be too large: then zero, or all signs. */
function shifted(f: FunctionBuilder, shift: ShiftLanes, bits: number, isArithmetic: boolean, value: V128, count: I64): V128 {
  const wide = f.let(count);
  const tooLarge = f.let(gtU(wide, i64(bits - 1)));
  const low = wrap(wide);
  if (isArithmetic) return shift(value, select(tooLarge, i32(bits - 1), low));
  return v128.andnot(shift(value, low), i64x2.splat(select(tooLarge, i64(-1), i64(0))));
}
/** PSLLW xmm, xmm/m128 and its kin: the count is the low quadword of the source. */
export const shiftByVector = (shift: ShiftLanes, bits: number, isArithmetic: boolean, file: File): Semantics =>
  packed((a, b, x) => shifted(x.f, shift, bits, isArithmetic, a, i64x2.extract(b, 0)), file);
/** The same by an immediate byte; the register is ModRM.rm. */
export const shiftByImmediate = (shift: ShiftLanes, bits: number, isArithmetic: boolean, file: File): Semantics =>
  vectorial((x, dst) => {
    if (file === 'xmm') requireSse(x);
    else requireMmx(x);
    const a = readVector(x, dst, file);
    if (file === 'mmx') enterMmx(x);
    writeRegister(x, dst, file, shifted(x.f, shift, bits, isArithmetic, a, extendU(and(x.immediate(), i32(0xff)))));
  });

/** SDM 2B PMOVSXBW and its kin: the low elements of the source, wider step by step. */
export const extend = (steps: readonly ((a: V128) => V128)[], bytes: 4 | 8): Semantics =>
  packed((_a, b) => steps.reduce((value, step) => step(value), b), 'xmm', bytes);
/** The same from two bytes. */
export const extendWord = (steps: readonly ((a: V128) => V128)[]): Semantics =>
  vectorial((x, dst, src) => {
    requireSse(x);
    const low = src.kind === 'memory' ? (x.read({ kind: 'memory', size: 16 }) as I32) : i32x4.extract(readVector(x, src, 'xmm'), 0);
    writeRegister(x, dst, 'xmm', steps.reduce((value, step) => step(value), i32x4.replace(zeroVector, 0, low)));
  });

/** SDM 2B PTEST: ZF, CF from the bits of b that a has, and has not. */
export const test: Semantics = vectorial((x, dst, src) => {
  requireSse(x);
  const b = readVector(x, src, 'xmm'), a = readVector(x, dst, 'xmm');
  const some = x.f.let(v128.anyTrue(v128.and(a, b))), others = x.f.let(v128.anyTrue(v128.andnot(b, a)));
  // ZF alone, with PF clear: bit 62 of a zero result turns PF.
  x.setFlagResult(select(some, i64(1), i64(1n << 62n)));
  x.setFlagCarry(select(others, i32(0), i32(0xc0000000 | 0)));
});

/** PMOVMSKB, MOVMSKPS, MOVMSKPD: sign bits to a general register. */
export const moveMask = (mask: (a: V128) => I32, file: File): Semantics =>
  vectorial((x, dst, src) => {
    if (file === 'xmm') requireSse(x);
    else requireMmx(x);
    const value = x.f.let(mask(readVector(x, src, file)));
    if (file === 'mmx') enterMmx(x);
    x.write(dst, file === 'mmx' ? and(value, i32(0xff)) : value);
  });

/** (a) -> SDM 2B PHMINPOSUW: the smallest word and its place. */
const smallestWord: SharedFunction<'i32'> = {
  name: 'sseSmallestWord',
  parameters: ['v128'],
  result: 'i32',
  emit: (f) => {
    const a = f.parameter<'v128'>(0);
    // The place below the value: the first of equals is the smallest.
    const best = f.local('i32');
    f.set(best, shl(i16x8.extract(a, 0), 3));
    for (let lane = 1; lane < 8; lane++) {
      const next = f.let(or(shl(i16x8.extract(a, lane), 3), i32(lane)));
      f.if(gtU(best, next), () => f.set(best, next));
    }
    f.return(or(shrU(best, 3), shl(and(best, i32(7)), 16)));
  },
};
export const minimumPosition: Semantics = packed((_a, b, x) => i32x4.replace(zeroVector, 0, x.call(smallestWord, b)));

/** (a, b, immediate) -> SDM 2B MPSADBW: eight sums of four differences. */
const sumsOfFour: SharedFunction<'v128'> = {
  name: 'sseSumsOfFour',
  parameters: ['v128', 'v128', 'i32'],
  result: 'v128',
  emit: (f) => {
    const a = f.parameter<'v128'>(0), b = f.parameter<'v128'>(1), which = f.parameter<'i32'>(2);
    const result = f.local('v128');
    // Eleven bytes of a from 0 or 4, four of b.
    f.if(and(which, i32(4)), () => f.set(a, shuffle(a, a, [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 0, 0, 0])));
    f.set(b, i32x4.splat(select(and(which, i32(2)), select(and(which, i32(1)), i32x4.extract(b, 3), i32x4.extract(b, 2)),
      select(and(which, i32(1)), i32x4.extract(b, 1), i32x4.extract(b, 0)))));
    f.set(result, zeroVector);
    for (let byte = 0; byte < 4; byte++) {
      const window = i16x8.extendLowU(shuffle(a, a, Array.from({ length: 16 }, (_, index) => (index + byte) & 15)));
      const block = i16x8.extendLowU(shuffle(b, b, new Array<number>(16).fill(byte)));
      f.set(result, i16x8.add(result, i16x8.abs(i16x8.sub(window, block))));
    }
    f.return(result);
  },
};
export const multipleDifferences: Semantics = packed((a, b, x) => x.call(sumsOfFour, a, b, x.immediate()));

/** SDM 2B PBLENDVB, BLENDVPS, BLENDVPD: by the sign bits in XMM0. */
export const blendByXmm0 = (spread: (mask: V128) => V128): Semantics =>
  packed((a, b, x) => v128.bitselect(b, a, spread(firstRegister(x))));
const firstRegister = (x: VectorContext): V128 => load128(x.cpu, FIELD.xmm);
/** PBLENDW, BLENDPS, BLENDPD: by immediate bits. */
export const blendByImmediate = (bytes: number): Semantics =>
  packed((a, b, x) => {
    const bits = shuffledBits(bytes);
    return v128.bitselect(b, a, i8x16.eq(v128.and(i8x16.splat(x.immediate()), bits), bits));
  });
/** In each byte of element n the bit n. */
const shuffledBits = (bytes: number): V128 => vector(Array.from({ length: 16 }, (_, index) => 1 << Math.floor(index / bytes)));
