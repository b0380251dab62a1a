// SSE conversions (SDM 1 11.4.1.6, SDM 2A CVTxx2xx, SDM 2B ROUNDxx).
import { and, extendS, extendU, i32, type I32, type I64, or, select, shrU, wrap } from '../../emit/expressions.ts';
import {
  bitsOfF32, bitsOfF64, demote, f32, type F32, f64, type F64, f64FromI32, f64FromI64, fabs, feq, fge, flt, i32x4, i64x2, promote, storeF64, truncToI64, type V128,
  zeroVector,
} from '../../emit/vectors.ts';
import { FIELD } from '../../state/layout.ts';
import type { Semantics, SharedFunction } from '../context.ts';
import { bitsOf, exactOf, readFloat, storeBits, type Width } from './arithmetic.ts';
import {
  enterMmx, raiseFloating, readVector, registerAt, requireMmx, requireSse, vectorial, type VectorContext, writeRegister, writeVector,
} from './context.ts';
import { doubleToSingle, singleToDouble } from './exact.ts';
import { isUsual, mxcsr, roundingMode, settle, startGathering, stopping } from './mxcsr.ts';

/** (cpu, bits, 32 or 64, rounding mode) -> integer; `stopping` tells whether it counts. */
const toInteger = (width: Width): SharedFunction<'i64'> => ({
  name: `sseToInteger${width}`,
  parameters: ['i32', 'i64', 'i32', 'i32'],
  result: 'i64',
  emit: (f, call) => {
    const cpu = f.parameter<'i32'>(0);
    startGathering(f, cpu);
    const value = f.let(call(exactOf(width).toInteger, cpu, f.parameter<'i64'>(1), f.parameter<'i32'>(2), f.parameter<'i32'>(3)));
    f.drop(call(settle, cpu));
    f.return(value);
  },
});
const singleToInteger = toInteger(32), doubleToInteger = toInteger(64);
const TRUNCATE = 3;

/** CVTSD2SI, CVTTSD2SI and their single forms. */
export const scalarToInteger = (width: Width, isTruncated: boolean): Semantics =>
  vectorial((x, dst, src) => {
    const { f, cpu } = x;
    requireSse(x);
    const value = readFloat(x, src, width);
    const result = f.local('i64');
    const slow = (): void => {
      const mode = isTruncated ? i32(TRUNCATE) : roundingMode(cpu);
      f.set(result, x.call(width === 32 ? singleToInteger : doubleToInteger, cpu, bitsOf(value), i32(dst.size), mode));
      raiseFloating(x, stopping(cpu));
    };
    // Truncated values of which nothing is lost, or whose loss is masked and shows already, raise nothing.
    if (isTruncated) {
      const wide = value.type === 'f32' ? f.let(promote(value as F32)) : (value as F64);
      const limit = dst.size === 64 ? 2 ** 63 : 2 ** 31;
      const whole = f.let(truncToI64(wide));
      const shows = and(and(shrU(mxcsr(cpu), 5), shrU(mxcsr(cpu), 12)), i32(1));
      const quiet = or(feq(f64FromI64(whole), wide), shows);
      f.if(and(flt(fabs(wide), f64(limit)), quiet), () => f.set(result, whole), slow);
    } else slow();
    x.write(dst, dst.size === 64 ? result : wrap(result));
  });

/** (cpu, address of the destination register, integer) -> whether an exception stops it; else the result is stored. */
const storeInteger = (width: Width): SharedFunction<'i32'> => ({
  name: `sseStoreInteger${width}`,
  parameters: ['i32', 'i32', 'i64'],
  result: 'i32',
  emit: (f, call) => {
    const cpu = f.parameter<'i32'>(0);
    startGathering(f, cpu);
    const bits = f.let(call(exactOf(width).fromInteger, cpu, f.parameter<'i64'>(2)));
    f.if(call(settle, cpu), () => f.return(i32(1)));
    storeBits(f, f.parameter<'i32'>(1), width, bits, FIELD.xmm);
    f.return(i32(0));
  },
});
const storeIntegerSingle = storeInteger(32), storeIntegerDouble = storeInteger(64);
/** CVTSI2SD, CVTSI2SS. */
export const integerToScalar = (width: Width): Semantics =>
  vectorial((x, dst, src) => {
    const { f } = x;
    requireSse(x);
    const value = x.read(src), target = registerAt(x, dst, 'xmm');
    if (width === 64 && src.size === 32) {
      f.do(storeF64(target, f64FromI32(value as I32), FIELD.xmm));
      return;
    }
    const wide = src.size === 64 ? (value as I64) : extendS(value as I32);
    raiseFloating(x, x.call(width === 32 ? storeIntegerSingle : storeIntegerDouble, x.cpu, target, wide));
  });

/** (cpu, bits) -> bits of the other width; `stopping` tells whether it counts. */
const otherWidth = (from: Width): SharedFunction<'i64'> => ({
  name: `sseOtherWidth${from}`,
  parameters: ['i32', 'i64'],
  result: 'i64',
  emit: (f, call) => {
    const cpu = f.parameter<'i32'>(0);
    startGathering(f, cpu);
    const bits = f.let(call(from === 32 ? singleToDouble : doubleToSingle, cpu, f.parameter<'i64'>(1)));
    f.drop(call(settle, cpu));
    f.return(bits);
  },
});
const fromSingle = otherWidth(32), fromDouble = otherWidth(64);
/** CVTSS2SD, CVTSD2SS. */
export const scalarToOther = (from: Width): Semantics =>
  vectorial((x, dst, src) => {
    const { f, cpu } = x;
    requireSse(x);
    const value = readFloat(x, src, from), target = registerAt(x, dst, 'xmm');
    const bits = f.local('i64');
    let ordinary: I32, fast: I64;
    if (from === 32) {
      // Normal numbers widen exactly.
      ordinary = and(fge(fabs(value as F32), f32(2 ** -126)), flt(fabs(value as F32), f32(Infinity)));
      fast = bitsOfF64(promote(value as F32));
    } else {
      const narrow = f.let(demote(value as F64));
      ordinary = and(isUsual(cpu), and(fge(fabs(narrow), f32(2 ** -125)), flt(fabs(narrow), f32(Infinity))));
      fast = extendU(bitsOfF32(narrow));
    }
    f.if(
      ordinary,
      () => f.set(bits, fast),
      () => {
        f.set(bits, x.call(from === 32 ? fromSingle : fromDouble, cpu, bitsOf(value)));
        raiseFloating(x, stopping(cpu));
      },
    );
    storeBits(f, target, from === 32 ? 64 : 32, bits, FIELD.xmm);
  });

/** What converts each lane, from bits to bits. */
type LaneKind = 'single' | 'double' | 'integer';
const laneOf = (kind: LaneKind, value: V128, lane: number): I64 => {
  if (kind === 'double') return i64x2.extract(value, lane);
  const word = i32x4.extract(value, lane);
  return kind === 'integer' ? extendS(word) : extendU(word);
};
/** (cpu, source, rounding mode) -> lanes; `stopping` tells whether they count. */
function lanesFunction(from: LaneKind, to: LaneKind, count: 2 | 4): SharedFunction<'v128'> {
  return {
    name: `sseLanes_${from}_${to}_${count}`,
    parameters: ['i32', 'v128', 'i32'],
    result: 'v128',
    emit: (f, call) => {
      const cpu = f.parameter<'i32'>(0), source = f.parameter<'v128'>(1), mode = f.parameter<'i32'>(2);
      startGathering(f, cpu);
      const result = f.local('v128');
      f.set(result, zeroVector);
      for (let lane = 0; lane < count; lane++) {
        const bits = laneOf(from, source, lane);
        let value: I64;
        if (from === 'integer') value = call(exactOf(to === 'double' ? 64 : 32).fromInteger, cpu, bits);
        else if (to === 'integer') value = call(exactOf(from === 'double' ? 64 : 32).toInteger, cpu, bits, i32(32), mode);
        else value = call(from === 'single' ? singleToDouble : doubleToSingle, cpu, bits);
        f.set(result, to === 'double' ? i64x2.replace(result, lane, value) : i32x4.replace(result, lane, wrap(value)));
      }
      f.drop(call(settle, cpu));
      f.return(result);
    },
  };
}
const laneFunctions = new Map<string, SharedFunction<'v128'>>();
function lanesOf(from: LaneKind, to: LaneKind, count: 2 | 4): SharedFunction<'v128'> {
  const key = `${from} ${to} ${count}`;
  let found = laneFunctions.get(key);
  if (found === undefined) laneFunctions.set(key, (found = lanesFunction(from, to, count)));
  return found;
}
function convertLanes(x: VectorContext, from: LaneKind, to: LaneKind, count: 2 | 4, isTruncated: boolean, source: V128): V128 {
  const mode = isTruncated ? i32(TRUNCATE) : roundingMode(x.cpu);
  const result = x.f.let(x.call(lanesOf(from, to, count), x.cpu, source, mode));
  raiseFloating(x, stopping(x.cpu));
  return result;
}
/** CVTPS2PD, CVTPD2DQ, CVTDQ2PS and the other packed ones between XMM registers; two results clear the upper half. */
export const convertPacked = (from: LaneKind, to: LaneKind, count: 2 | 4, isTruncated = false): Semantics =>
  vectorial((x, dst, src) => {
    requireSse(x);
    const isNarrow = count === 2 && from !== 'double';
    const source = readVector(x, src, 'xmm', isNarrow ? 8 : 16);
    writeRegister(x, dst, 'xmm', convertLanes(x, from, to, count, isTruncated, source));
  });
/** CVTPI2PS, CVTPI2PD: the source is an MMX register or memory. */
export const convertFromMmx = (to: 'single' | 'double'): Semantics =>
  vectorial((x, dst, src) => {
    requireSse(x);
    const usesMmx = src.kind !== 'memory';
    if (usesMmx) requireMmx(x);
    const source = readVector(x, src, 'mmx');
    if (usesMmx) enterMmx(x);
    const result = convertLanes(x, 'integer', to, 2, false, source);
    writeVector(x, dst, 'xmm', result, to === 'single' ? 8 : 16);
  });
/** CVTPS2PI, CVTPD2PI and their truncating forms. */
export const convertToMmx = (from: 'single' | 'double', isTruncated: boolean): Semantics =>
  vectorial((x, dst, src) => {
    requireSse(x);
    requireMmx(x);
    const source = readVector(x, src, 'xmm', from === 'single' ? 8 : 16);
    // On silicon the registers are MMX's even when an exception stops the conversion.
    enterMmx(x);
    const result = convertLanes(x, from, 'integer', 2, isTruncated, source);
    writeRegister(x, dst, 'mmx', result);
  });

/** (cpu, bits, ROUNDxx immediate) -> bits, flags gathered. */
const integral = (width: Width): SharedFunction<'i64'> => ({
  name: `sseRoundImmediate${width}`,
  parameters: ['i32', 'i64', 'i32'],
  result: 'i64',
  emit: (f, call) => {
    const cpu = f.parameter<'i32'>(0), control = f.parameter<'i32'>(2);
    const mode = select(and(control, i32(4)), roundingMode(cpu), and(control, i32(3)));
    f.return(call(exactOf(width).integral, cpu, f.parameter<'i64'>(1), mode, and(shrU(control, 3), i32(1))));
  },
});
const integralSingle = integral(32), integralDouble = integral(64);
/** ROUNDPS, ROUNDPD, ROUNDSS, ROUNDSD. */
export const roundIntegral = (width: Width, isScalar: boolean): Semantics =>
  vectorial((x, dst, src) => {
    const { f, cpu } = x;
    requireSse(x);
    const source = readVector(x, src, 'xmm', isScalar ? ((width / 8) as 4 | 8) : 16);
    const result = f.local('v128');
    f.set(result, isScalar ? readVector(x, dst, 'xmm') : source);
    startGathering(f, cpu);
    for (let lane = 0; lane < (isScalar ? 1 : 128 / width); lane++) {
      const bits = x.call(width === 32 ? integralSingle : integralDouble, cpu, laneOf(width === 32 ? 'single' : 'double', source, lane), x.immediate());
      f.set(result, width === 64 ? i64x2.replace(result, lane, bits) : i32x4.replace(result, lane, wrap(bits)));
    }
    raiseFloating(x, x.call(settle, cpu));
    writeRegister(x, dst, 'xmm', result);
  });
