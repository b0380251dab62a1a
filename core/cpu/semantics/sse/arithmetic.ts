// SSE floating-point arithmetic: ADDPS and its kin (SDM 2A, 2B). WebAssembly does what is ordinary: nearest rounding, all
// exceptions masked, PE set already, and neither operands nor results that could raise anything else. The exact functions
// do the rest.
import { add, and, eqz, extendU, gtU, i32, i64, type I32, type I64, or, store32, store64, sub, wrap } from '../../emit/expressions.ts';
import {
  bitsOfF32, bitsOfF64, demote, f32, f32FromBits, f32x4, f64, f64FromBits, f64x2, fabs, fadd, fdiv, fge, flt, fmul, fsqrt, fsub, type Float, i32x4, i64x2, loadF32, loadF64,
  promote, repeated, shuffle, storeF32, storeF64, type F32, type F64, type V128,
} from '../../emit/vectors.ts';
import type { FunctionBuilder } from '../../emit/functionBuilder.ts';
import { FIELD } from '../../state/layout.ts';
import type { Operand, Semantics, SharedCall, SharedFunction } from '../context.ts';
import { fieldOf, raiseFloating, readVector, registerAt, requireSse, type VectorContext, vectorial, writeRegister } from './context.ts';
import { type Exact, exactDouble, exactSingle } from './exact.ts';
import { isUsual, settle, startGathering, stopping } from './mxcsr.ts';

export type Width = 32 | 64;
export const exactOf = (width: Width): Exact => (width === 32 ? exactSingle : exactDouble);

/** Twice the smallest normal number: results below may have been tiny before rounding. */
const LEAST = { 32: 2 ** -125, 64: 2 ** -1021 } as const;
/** The smallest normal number. */
const NORMAL = { 32: 2 ** -126, 64: 2 ** -1022 } as const;
const floatConstant = (width: Width, value: number): Float => (width === 32 ? f32(value) : f64(value));
const lanesConstant = (width: Width, value: number): V128 => {
  const bits = width === 32 ? new Uint32Array(new Float32Array([value]).buffer)[0] : new BigUint64Array(new Float64Array([value]).buffer)[0];
  return repeated(width / 8, bits);
};
const lanes = (width: Width): typeof f64x2 | typeof f32x4 => (width === 32 ? f32x4 : f64x2);
const all = (width: Width, mask: V128): I32 => (width === 32 ? i32x4.allTrue(mask) : i64x2.allTrue(mask));

export const bitsOf = (value: Float): I64 =>
  value.type === 'f32' ? extendU(bitsOfF32(value as F32)) : bitsOfF64(value as F64);
/** A scalar operand: the low lane of a register, or memory. */
export function readFloat(x: VectorContext, operand: Operand, width: Width): Float {
  const memory = operand.kind === 'memory';
  const at = memory ? x.hostRead(width / 8, false) : registerAt(x, operand, 'xmm');
  const field = memory ? 0 : fieldOf('xmm');
  return x.f.let(width === 32 ? loadF32(at, field) : loadF64(at, field)) as Float;
}
export function storeFloat(f: FunctionBuilder, at: I32, value: Float, field: number): void {
  f.do(value.type === 'f32' ? storeF32(at, value as F32, field) : storeF64(at, value as F64, field));
}
/** Stores a lane's bits. */
export function storeBits(f: FunctionBuilder, at: I32, width: Width, bits: I64, field: number): void {
  f.do(width === 32 ? store32(at, wrap(bits), field) : store64(at, bits, field));
}

type Same = (a: Float, b: Float) => Float;
interface Operation {
  readonly name: string;
  readonly scalar: Same;
  readonly packed: (width: Width, a: V128, b: V128) => V128;
  readonly exact: (exact: Exact) => SharedFunction<'i64'>;
  /** Results of operands that are numbers and no denormals are ordinary whatever MXCSR says, and raise nothing. */
  readonly isSelection?: boolean;
  readonly isUnary?: boolean;
}
const operation = (
  name: string, scalar: unknown, member: 'add' | 'sub' | 'mul' | 'div', exact: Operation['exact'],
): Operation => ({ name, scalar: scalar as Same, packed: (width, a, b) => lanes(width)[member](a, b), exact });

export const ADD = operation('Add', fadd, 'add', (e) => e.sum);
export const SUBTRACT = operation('Subtract', fsub, 'sub', (e) => e.difference);
export const MULTIPLY = operation('Multiply', fmul, 'mul', (e) => e.product);
export const DIVIDE = operation('Divide', fdiv, 'div', (e) => e.quotient);
export const MINIMUM: Operation = {
  name: 'Minimum', isSelection: true, exact: (e) => e.minimum, packed: (width, a, b) => lanes(width).pmin(b, a),
  scalar: (a, b) => ({ type: a.type, code: [...a.code, ...b.code, ...flt(a as F64, b as F64).code, 0x1b] }) as Float,
};
export const MAXIMUM: Operation = {
  name: 'Maximum', isSelection: true, exact: (e) => e.maximum, packed: (width, a, b) => lanes(width).pmax(b, a),
  scalar: (a, b) => ({ type: a.type, code: [...a.code, ...b.code, ...flt(b as F64, a as F64).code, 0x1b] }) as Float,
};
export const ROOT: Operation = {
  name: 'Root', isUnary: true, exact: (e) => e.root, scalar: (_a, b) => fsqrt(b as F64), packed: (width, _a, b) => lanes(width).sqrt(b),
};

/** Calls the exact function of an operation on a lane. */
function exactly(call: SharedCall, op: Operation, width: Width, cpu: I32, a: I64, b: I64): I64 {
  const callee = op.exact(exactOf(width));
  return op.isUnary ? call(callee, cpu, b) : call(callee, cpu, a, b);
}

/** (cpu, address of the destination register, a, b) -> whether an exception stops it; else the result is stored. */
function scalarSlow(op: Operation, width: Width): SharedFunction<'i32'> {
  return {
    name: `sseScalar${op.name}${width}`,
    parameters: ['i32', 'i32', 'i64', 'i64'],
    result: 'i32',
    emit: (f, call) => {
      const cpu = f.parameter<'i32'>(0), target = f.parameter<'i32'>(1);
      startGathering(f, cpu);
      const result = f.let(exactly(call, op, width, cpu, f.parameter<'i64'>(2), f.parameter<'i64'>(3)));
      f.if(call(settle, cpu), () => f.return(i32(1)));
      storeBits(f, target, width, result, FIELD.xmm);
      f.return(i32(0));
    },
  };
}

const laneBits = (width: Width, value: V128, lane: number): I64 =>
  width === 64 ? i64x2.extract(value, lane) : extendU(i32x4.extract(value, lane));
const withLane = (width: Width, value: V128, lane: number, bits: I64): V128 =>
  width === 64 ? i64x2.replace(value, lane, bits) : i32x4.replace(value, lane, wrap(bits));

/** Lane by lane by an exact function. `lane` gives the bits of a result. */
export function eachLane(
  f: FunctionBuilder, width: Width, lane: (index: number) => I64, count: number = 128 / width,
): V128 {
  const result = f.local('v128');
  f.set(result, repeated(8, 0));
  for (let index = 0; index < count; index++) f.set(result, withLane(width, result, index, lane(index)));
  return result;
}

/** (cpu, a, b) -> a packed result by exact arithmetic; `stopping` tells afterwards whether it counts. */
function packedSlow(op: Operation, width: Width): SharedFunction<'v128'> {
  return {
    name: `ssePacked${op.name}${width}`,
    parameters: ['i32', 'v128', 'v128'],
    result: 'v128',
    emit: (f, call) => {
      const cpu = f.parameter<'i32'>(0), a = f.parameter<'v128'>(1), b = f.parameter<'v128'>(2);
      startGathering(f, cpu);
      const result = eachLane(f, width, (lane) => exactly(call, op, width, cpu, laneBits(width, a, lane), laneBits(width, b, lane)));
      f.drop(call(settle, cpu));
      f.return(result);
    },
  };
}

const slowScalars = new Map<string, SharedFunction<'i32'>>();
const slowPacked = new Map<string, SharedFunction<'v128'>>();
function once<T>(known: Map<string, T>, key: string, make: () => T): T {
  let found = known.get(key);
  if (found === undefined) known.set(key, (found = make()));
  return found;
}
const scalarSlowOf = (op: Operation, width: Width): SharedFunction<'i32'> =>
  once(slowScalars, op.name + width, () => scalarSlow(op, width));
const packedSlowOf = (op: Operation, width: Width): SharedFunction<'v128'> =>
  once(slowPacked, op.name + width, () => packedSlow(op, width));

/** ADDSD and the like: the low lane of the destination. */
export const scalar = (op: Operation, width: Width): Semantics =>
  vectorial((x, dst, src) => {
    const { f, cpu } = x;
    requireSse(x);
    const b = readFloat(x, src, width), target = registerAt(x, dst, 'xmm');
    const a = op.isUnary ? b : (f.let(width === 32 ? loadF32(target, FIELD.xmm) : loadF64(target, FIELD.xmm)) as Float);
    const least = floatConstant(width, op.isSelection ? NORMAL[width] : LEAST[width]) as F64;
    const result = f.let(op.scalar(a, b)) as F64;
    let ordinary = fge(fabs(b as F64), least);
    if (!op.isUnary) ordinary = and(ordinary, fge(fabs(a as F64), least));
    if (!op.isSelection) {
      const finite = flt(fabs(result), floatConstant(width, Infinity) as F64);
      ordinary = and(and(isUsual(cpu), ordinary), and(finite, fge(fabs(result), least)));
    }
    f.if(
      ordinary,
      () => storeFloat(f, target, result, FIELD.xmm),
      () => raiseFloating(x, x.call(scalarSlowOf(op, width), cpu, target, bitsOf(a), bitsOf(b))),
    );
  });

/** The packed result of an operation; raises what is not masked. */
export function computePacked(x: VectorContext, op: Operation, width: Width, a: V128, b: V128): V128 {
  const { f, cpu } = x;
  const by = lanes(width);
  const least = lanesConstant(width, op.isSelection ? NORMAL[width] : LEAST[width]);
  const result = f.local('v128');
  f.set(result, op.packed(width, a, b));
  const operands = op.isUnary ? by.abs(b) : by.pmin(by.abs(a), by.abs(b));
  let ordinary: I32;
  if (op.isSelection) ordinary = and(all(width, by.ge(by.abs(a), least)), all(width, by.ge(by.abs(b), least)));
  else {
    const range = by.ge(by.pmin(operands, by.abs(result)), least);
    const finite = by.lt(by.abs(result), lanesConstant(width, Infinity));
    ordinary = and(isUsual(cpu), and(all(width, range), all(width, finite)));
  }
  f.if(eqz(ordinary), () => {
    f.set(result, x.call(packedSlowOf(op, width), cpu, a, b));
    raiseFloating(x, stopping(cpu));
  });
  return result;
}

/** ADDPD and the like. */
export const packedArithmetic = (op: Operation, width: Width): Semantics =>
  vectorial((x, dst, src) => {
    requireSse(x);
    const b = readVector(x, src, 'xmm'), a = readVector(x, dst, 'xmm');
    writeRegister(x, dst, 'xmm', computePacked(x, op, width, a, b));
  });

/** Even and odd lanes of a (the low half of the result) and b. */
const pairLanes = (width: Width, odd: 0 | 1): readonly number[] => {
  const bytes = width / 8;
  return Array.from({ length: 16 }, (_, index) => (Math.floor(index / bytes) * 2 + odd) * bytes + (index % bytes));
};
/** SDM 2A HADDPS, HSUBPS and their double forms. */
export const horizontal = (op: Operation, width: Width): Semantics =>
  vectorial((x, dst, src) => {
    requireSse(x);
    const b = readVector(x, src, 'xmm'), a = readVector(x, dst, 'xmm');
    const even = x.f.let(shuffle(a, b, pairLanes(width, 0))), odd = x.f.let(shuffle(a, b, pairLanes(width, 1)));
    writeRegister(x, dst, 'xmm', computePacked(x, op, width, even, odd));
  });

/** (cpu, a, b) -> even lanes subtracted, odd ones added. */
const alternating = (width: Width): SharedFunction<'v128'> => ({
  name: `sseAlternate${width}`,
  parameters: ['i32', 'v128', 'v128'],
  result: 'v128',
  emit: (f, call) => {
    const cpu = f.parameter<'i32'>(0), a = f.parameter<'v128'>(1), b = f.parameter<'v128'>(2);
    startGathering(f, cpu);
    const result = eachLane(f, width, (lane) =>
      exactly(call, lane % 2 === 0 ? SUBTRACT : ADD, width, cpu, laneBits(width, a, lane), laneBits(width, b, lane)),
    );
    f.drop(call(settle, cpu));
    f.return(result);
  },
});
const alternatingSingle = alternating(32), alternatingDouble = alternating(64);
/** SDM 2A ADDSUBPS, ADDSUBPD. */
export const addSubtract = (width: Width): Semantics =>
  vectorial((x, dst, src) => {
    requireSse(x);
    const b = readVector(x, src, 'xmm'), a = readVector(x, dst, 'xmm');
    const result = x.f.let(x.call(width === 32 ? alternatingSingle : alternatingDouble, x.cpu, a, b));
    raiseFloating(x, stopping(x.cpu));
    writeRegister(x, dst, 'xmm', result);
  });

/**
 * (cpu, a, b, immediate) -> SDM 2A DPPS, DPPD: products that the mask's upper half chooses, their sum where its lower half says.
 * Each step may stop it.
 */
const dotProduct = (width: Width): SharedFunction<'v128'> => ({
  name: `sseDotProduct${width}`,
  parameters: ['i32', 'v128', 'v128', 'i32'],
  result: 'v128',
  emit: (f, call) => {
    const cpu = f.parameter<'i32'>(0), a = f.parameter<'v128'>(1), b = f.parameter<'v128'>(2), mask = f.parameter<'i32'>(3);
    const exact = exactOf(width), count = 128 / width;
    const settled = (): void => f.if(call(settle, cpu), () => f.return(a));
    startGathering(f, cpu);
    const products = Array.from({ length: count }, (_, lane) => {
      const product = f.local('i64');
      f.set(product, i64(0));
      f.if(and(mask, i32(16 << lane)), () => f.set(product, call(exact.product, cpu, laneBits(width, a, lane), laneBits(width, b, lane))));
      return product;
    });
    settled();
    const sum = (p: I64, q: I64): I64 => f.let(call(exact.sum, cpu, p, q));
    startGathering(f, cpu);
    // Which of two NaNs is the first operand's differs from lane to lane on silicon.
    let totals: readonly I64[];
    if (width === 64) totals = [sum(products[0], products[1]), sum(products[1], products[0])];
    else {
      const pairs = [[1, 0], [0, 1], [3, 2], [2, 3]].map(([first, second]) => sum(products[first], products[second]));
      settled();
      startGathering(f, cpu);
      totals = [0, 1, 2, 3].map((lane) => sum(pairs[lane], pairs[lane ^ 2]));
    }
    settled();
    const result = f.local('v128');
    f.set(result, repeated(8, 0));
    for (let lane = 0; lane < count; lane++) {
      f.if(and(mask, i32(1 << lane)), () => f.set(result, withLane(width, result, lane, totals[lane])));
    }
    f.return(result);
  },
});
const dotSingle = dotProduct(32), dotDouble = dotProduct(64);
export const dot = (width: Width): Semantics =>
  vectorial((x, dst, src) => {
    requireSse(x);
    const b = readVector(x, src, 'xmm'), a = readVector(x, dst, 'xmm');
    const result = x.f.let(x.call(width === 32 ? dotSingle : dotDouble, x.cpu, a, b, x.immediate()));
    raiseFloating(x, stopping(x.cpu));
    writeRegister(x, dst, 'xmm', result);
  });

/**
 * (bits) -> RCPSS: the reciprocal of the middle of 2048 intervals (RSQRTSS: 1024), rounded to 13 bits. That is what Intel's
 * processors give, bit for bit; the manual promises a relative error below 1.5 * 2^-12.
 */
function approximation(name: string, intervalBits: number, isRoot: boolean): SharedFunction<'i32'> {
  const half = 1 << (22 - intervalBits);
  return {
    name,
    parameters: ['i32'],
    result: 'i32',
    emit: (f) => {
      const bits = f.parameter<'i32'>(0);
      const sign = f.let(and(bits, i32(-0x80000000))), size = f.let(and(bits, i32(0x7fffffff)));
      const when = (condition: I32, value: I32): void => f.if(condition, () => f.return(value));
      when(gtUnsigned(size, 0x7f800000), or(bits, i32(0x400000)));
      when(gtUnsigned(i32(0x800000), size), or(sign, i32(0x7f800000)));
      if (isRoot) when(sign, i32(0xffc00000 | 0));
      when(eqz(sub32(size, 0x7f800000)), sign);
      if (!isRoot) when(gtUnsigned(size, 0x7e7fffff), sign);
      const middle = promoteBits(or(and(size, i32(-half * 2)), i32(half)));
      const value = fdiv(f64(1), isRoot ? fsqrt(middle) : middle);
      const rounded = f.let(and64(bitsOfF64(value), 1n << 39n, -(1n << 40n)));
      f.return(or(sign, bitsOfF32(demoteBits(rounded))));
    },
  };
}
const gtUnsigned = (a: I32, b: I32 | number): I32 => gtU(a, typeof b === 'number' ? i32(b) : b);
const sub32 = (a: I32, b: number): I32 => sub(a, i32(b));
const promoteBits = (bits: I32): F64 => promote(f32FromBits(bits));
const demoteBits = (bits: I64): F32 => demote(f64FromBits(bits));
const and64 = (bits: I64, plus: bigint, mask: bigint): I64 => and(add(bits, i64(plus)), i64(mask));

const reciprocal = approximation('sseReciprocal', 11, false), reciprocalRoot = approximation('sseReciprocalRoot', 10, true);
/** SDM 2B RCPPS, RSQRTPS. */
export const approximate = (isRoot: boolean, isScalar: boolean): Semantics =>
  vectorial((x, dst, src) => {
    const { f } = x;
    requireSse(x);
    const b = readVector(x, src, 'xmm', isScalar ? 4 : 16);
    const result = f.local('v128');
    f.set(result, isScalar ? readVector(x, dst, 'xmm') : b);
    for (let lane = 0; lane < (isScalar ? 1 : 4); lane++) {
      const value = x.call(isRoot ? reciprocalRoot : reciprocal, i32x4.extract(b, lane));
      f.set(result, i32x4.replace(result, lane, value));
    }
    writeRegister(x, dst, 'xmm', result);
  });
