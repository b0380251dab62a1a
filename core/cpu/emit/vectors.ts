// Expressions of 32- and 64-bit floating point and of 128-bit vectors (WebAssembly Core Specification 2.0, 5.4.7 and 5.4.8).
import type { Expression, I32, I64, Statement } from './expressions.ts';
import { uleb, type ValueType } from './wasmEncoder.ts';

export type F32 = Expression<'f32'>;
export type F64 = Expression<'f64'>;
export type V128 = Expression<'v128'>;
export type Float = F32 | F64;

function make<T extends ValueType>(type: T, ...parts: readonly (readonly number[])[]): Expression<T> {
  const code: number[] = [];
  for (const part of parts) for (let index = 0; index < part.length; index++) code.push(part[index]);
  return { type, code };
}
/** A SIMD instruction's opcode. */
const simd = (opcode: number): number[] => [0xfd, ...uleb(opcode)];

// Memory. All accesses are declared unaligned.
const loadV = (opcode: number) => (address: I32, offset = 0): V128 => make('v128', address.code, simd(opcode), [0, ...uleb(offset)]);
export const load128 = loadV(0);
/** The value in the low lane, zeros above. */
export const load32Zero = loadV(92);
export const load64Zero = loadV(93);
const storeV = (opcode: number) => (address: I32, value: V128, offset = 0): Statement => ({
  code: make('v128', address.code, value.code, simd(opcode), [0, ...uleb(offset)]).code,
});
export const store128 = storeV(11);
const storeLane = (opcode: number) => (address: I32, value: V128, lane: number, offset = 0): Statement => ({
  code: make('v128', address.code, value.code, simd(opcode), [0, ...uleb(offset), lane]).code,
});
export const store32Lane = storeLane(90);
export const store64Lane = storeLane(91);
const loadLane = (opcode: number) => (address: I32, value: V128, lane: number, offset = 0): V128 =>
  make('v128', address.code, value.code, simd(opcode), [0, ...uleb(offset), lane]);
export const load16Lane = loadLane(85);
export const load32Lane = loadLane(86);
export const load64Lane = loadLane(87);
export const loadF32 = (address: I32, offset = 0): F32 => make('f32', address.code, [0x2a, 0, ...uleb(offset)]);
export const loadF64 = (address: I32, offset = 0): F64 => make('f64', address.code, [0x2b, 0, ...uleb(offset)]);
export const storeF32 = (address: I32, value: F32, offset = 0): Statement => ({
  code: make('i32', address.code, value.code, [0x38, 0, ...uleb(offset)]).code,
});
export const storeF64 = (address: I32, value: F64, offset = 0): Statement => ({
  code: make('i32', address.code, value.code, [0x39, 0, ...uleb(offset)]).code,
});

/** Of 16 bytes, the lowest first. */
export const vector = (bytes: readonly number[]): V128 => make('v128', simd(12), bytes.map((byte) => byte & 0xff));
/** The same lane of 1, 2, 4 or 8 bytes repeated. */
export function repeated(laneBytes: number, value: bigint | number): V128 {
  const wide = BigInt.asUintN(64, BigInt(value));
  return vector(Array.from({ length: 16 }, (_, index) => Number((wide >> BigInt((index % laneBytes) * 8)) & 0xffn)));
}
export const zeroVector: V128 = vector(new Array<number>(16).fill(0));

/** Bytes of a (0..15) and b (16..31) in any order. */
export const shuffle = (a: V128, b: V128, lanes: readonly number[]): V128 => make('v128', a.code, b.code, simd(13), lanes);

type Binary = (a: V128, b: V128) => V128;
const binary = (opcode: number): Binary => (a, b) => make('v128', a.code, b.code, simd(opcode));
const unary = (opcode: number) => (a: V128): V128 => make('v128', a.code, simd(opcode));
const test = (opcode: number) => (a: V128): I32 => make('i32', a.code, simd(opcode));
const shift = (opcode: number) => (a: V128, count: I32): V128 => make('v128', a.code, count.code, simd(opcode));
const splat = (opcode: number) => (a: Expression): V128 => make('v128', a.code, simd(opcode));
const extract = <T extends ValueType>(type: T, opcode: number) => (a: V128, lane: number): Expression<T> =>
  make(type, a.code, simd(opcode), [lane]);
const replace = (opcode: number) => (a: V128, lane: number, value: Expression): V128 =>
  make('v128', a.code, value.code, simd(opcode), [lane]);

/** Lane-wise operations by the names of the specification. */
export const v128 = {
  swizzle: binary(14), not: unary(77), and: binary(78), andnot: binary(79), or: binary(80), xor: binary(81), anyTrue: test(83),
  /** Bits of a where the mask has ones, of b elsewhere. */
  bitselect: (a: V128, b: V128, mask: V128): V128 => make('v128', a.code, b.code, mask.code, simd(82)),
} as const;
export const i8x16 = {
  splat: splat(15), extract: extract('i32', 22), replace: replace(23), eq: binary(35), gtS: binary(39), abs: unary(96), neg: unary(97),
  bitmask: test(100), allTrue: test(99),
  narrowS: binary(101), narrowU: binary(102), shl: shift(107), shrS: shift(108), shrU: shift(109), add: binary(110),
  addSatS: binary(111), addSatU: binary(112), sub: binary(113), subSatS: binary(114), subSatU: binary(115), minS: binary(118),
  minU: binary(119), maxS: binary(120), maxU: binary(121), avgrU: binary(123), popcnt: unary(98),
} as const;
export const i16x8 = {
  splat: splat(16), extract: extract('i32', 25), replace: replace(26), eq: binary(45), gtS: binary(49), extaddU: unary(125), abs: unary(128), neg: unary(129),
  q15mulr: binary(130), bitmask: test(132), narrowS: binary(133), narrowU: binary(134), extendLowS: unary(135), extendHighS: unary(136),
  extendLowU: unary(137), extendHighU: unary(138), shl: shift(139), shrS: shift(140), shrU: shift(141), add: binary(142),
  addSatS: binary(143), addSatU: binary(144), sub: binary(145), subSatS: binary(146), subSatU: binary(147), mul: binary(149),
  minS: binary(150), minU: binary(151), maxS: binary(152), maxU: binary(153), avgrU: binary(155),
} as const;
export const i32x4 = {
  splat: splat(17), extract: extract('i32', 27), replace: replace(28), eq: binary(55), gtS: binary(59), extaddU: unary(127),
  abs: unary(160), neg: unary(161), allTrue: test(163), bitmask: test(164), extendLowS: unary(167), extendLowU: unary(169), shl: shift(171), shrS: shift(172),
  shrU: shift(173), add: binary(174), sub: binary(177), mul: binary(181), minS: binary(182), minU: binary(183), maxS: binary(184),
  maxU: binary(185), dot: binary(186), extmulLowS: binary(188), extmulHighS: binary(189), extmulLowU: binary(190),
  extmulHighU: binary(191), truncSatF32: unary(248), truncSatF64Zero: unary(252),
} as const;
export const i64x2 = {
  splat: splat(18), extract: extract('i64', 29), replace: replace(30), allTrue: test(195), bitmask: test(196), extendLowS: unary(199),
  extendLowU: unary(201), shl: shift(203), shrS: shift(204), shrU: shift(205), add: binary(206), sub: binary(209), mul: binary(213),
  eq: binary(214), gtS: binary(217), neg: unary(193),
} as const;
export const f32x4 = {
  splat: splat(19), extract: extract('f32', 31), replace: replace(32), eq: binary(65), ne: binary(66), lt: binary(67), le: binary(69), ge: binary(70),
  demoteF64: unary(94), ceil: unary(103), floor: unary(104), trunc: unary(105), nearest: unary(106), abs: unary(224),
  sqrt: unary(227), add: binary(228), sub: binary(229), mul: binary(230), div: binary(231), min: binary(232), max: binary(233), pmin: binary(234),
  pmax: binary(235), convertI32: unary(250),
} as const;
export const f64x2 = {
  splat: splat(20), extract: extract('f64', 33), replace: replace(34), eq: binary(71), ne: binary(72), lt: binary(73), le: binary(75), ge: binary(76),
  promoteLowF32: unary(95), ceil: unary(116), floor: unary(117), trunc: unary(122), nearest: unary(148), abs: unary(236),
  sqrt: unary(239), add: binary(240), sub: binary(241), mul: binary(242), div: binary(243), min: binary(244), max: binary(245), pmin: binary(246),
  pmax: binary(247), convertLowI32: unary(254),
} as const;

// Scalar floating point: one function for both widths.
export function f32(value: number): F32 {
  return make('f32', [0x43, ...new Uint8Array(new Float32Array([value]).buffer)]);
}
export function f64(value: number): F64 {
  return make('f64', [0x44, ...new Uint8Array(new Float64Array([value]).buffer)]);
}
const floatUnary = (op32: number, op64: number) => <T extends 'f32' | 'f64'>(a: Expression<T>): Expression<T> =>
  make(a.type, a.code, [a.type === 'f32' ? op32 : op64]);
const floatBinary = (op32: number, op64: number) => <T extends 'f32' | 'f64'>(a: Expression<T>, b: Expression<T>): Expression<T> =>
  make(a.type, a.code, b.code, [a.type === 'f32' ? op32 : op64]);
const floatCompare = (op32: number, op64: number) => <T extends 'f32' | 'f64'>(a: Expression<T>, b: Expression<T>): I32 =>
  make('i32', a.code, b.code, [a.type === 'f32' ? op32 : op64]);
export const fabs = floatUnary(0x8b, 0x99);
export const fceil = floatUnary(0x8d, 0x9b);
export const ffloor = floatUnary(0x8e, 0x9c);
export const ftrunc = floatUnary(0x8f, 0x9d);
export const fnearest = floatUnary(0x90, 0x9e);
export const fsqrt = floatUnary(0x91, 0x9f);
export const fadd = floatBinary(0x92, 0xa0);
export const fsub = floatBinary(0x93, 0xa1);
export const fmul = floatBinary(0x94, 0xa2);
export const fdiv = floatBinary(0x95, 0xa3);
export const fmin = floatBinary(0x96, 0xa4);
export const feq = floatCompare(0x5b, 0x61);
export const fne = floatCompare(0x5c, 0x62);
export const flt = floatCompare(0x5d, 0x63);
export const fgt = floatCompare(0x5e, 0x64);
export const fle = floatCompare(0x5f, 0x65);
export const fge = floatCompare(0x60, 0x66);

export const demote = (a: F64): F32 => make('f32', a.code, [0xb6]);
export const promote = (a: F32): F64 => make('f64', a.code, [0xbb]);
export const f64FromI32 = (a: I32): F64 => make('f64', a.code, [0xb7]);
export const f64FromI64 = (a: I64): F64 => make('f64', a.code, [0xb9]);
export const bitsOfF32 = (a: F32): I32 => make('i32', a.code, [0xbc]);
export const bitsOfF64 = (a: F64): I64 => make('i64', a.code, [0xbd]);
export const f32FromBits = (a: I32): F32 => make('f32', a.code, [0xbe]);
export const f64FromBits = (a: I64): F64 => make('f64', a.code, [0xbf]);
/** Truncated and saturated. */
export const truncToI32 = (a: Float): I32 => make('i32', a.code, [0xfc, a.type === 'f32' ? 0 : 2]);
export const truncToI64 = (a: Float): I64 => make('i64', a.code, [0xfc, a.type === 'f32' ? 4 : 6]);
