// SSE comparisons: CMPPS, COMISS and their kin (SDM 2A).
import { and, eqz, extendU, i32, type I32, i64, type I64, ltU, ne, or, select, shl, shrU, sub, xor } from '../../emit/expressions.ts';
import { f32x4, type F64, f64x2, feq, flt, i32x4, i64x2, loadF32, loadF64, repeated, v128, type V128 } from '../../emit/vectors.ts';
import { FIELD } from '../../state/layout.ts';
import type { Semantics, SharedFunction } from '../context.ts';
import { bitsOf, eachLane, exactOf, readFloat, storeBits, type Width } from './arithmetic.ts';
import { raiseFloating, readVector, registerAt, requireSse, vectorial, type VectorContext, writeRegister } from './context.ts';
import { RELATION } from './exact.ts';
import { settle, startGathering, stopping } from './mxcsr.ts';

/** RELATION bits for which a predicate's low two bits hold: EQ, LT, LE, UNORD; bit 2 negates. */
const HOLDS = RELATION.equal | (RELATION.less << 8) | ((RELATION.less | RELATION.equal) << 16) | (RELATION.unordered << 24);
/** (relation, predicate) -> whether it holds. */
const holds = (relation: I32, predicate: I32): I32 =>
  xor(ne(and(shrU(i32(HOLDS), shl(and(predicate, i32(3)), 3)), relation), i32(0)), and(shrU(predicate, 2), i32(1)));
/** LT, LE and their negations: a quiet NaN is invalid. */
const isStrict = (predicate: I32): I32 => xor(and(predicate, i32(1)), and(shrU(predicate, 1), i32(1)));

const laneBits = (width: Width, value: V128, lane: number): I64 =>
  width === 64 ? i64x2.extract(value, lane) : extendU(i32x4.extract(value, lane));

/** (cpu, a, b, predicate) -> masks of all lanes. */
const packedSlow = (width: Width): SharedFunction<'v128'> => ({
  name: `sseCompare${width}`,
  parameters: ['i32', 'v128', 'v128', 'i32'],
  result: 'v128',
  emit: (f, call) => {
    const cpu = f.parameter<'i32'>(0), a = f.parameter<'v128'>(1), b = f.parameter<'v128'>(2), predicate = f.parameter<'i32'>(3);
    startGathering(f, cpu);
    const result = eachLane(f, width, (lane) => {
      const relation = f.let(call(exactOf(width).relation, cpu, laneBits(width, a, lane), laneBits(width, b, lane), isStrict(predicate)));
      return sub(i64(0), extendU(holds(relation, predicate)));
    });
    f.drop(call(settle, cpu));
    f.return(result);
  },
});
const slowSingle = packedSlow(32), slowDouble = packedSlow(64);
const slowOf = (width: Width): SharedFunction<'v128'> => (width === 32 ? slowSingle : slowDouble);

/** All lanes normal numbers or infinities. */
function allNormal(width: Width, value: V128): I32 {
  if (width === 32) return i32x4.allTrue(f32x4.ge(f32x4.abs(value), repeated(4, 0x00800000)));
  return i64x2.allTrue(f64x2.ge(f64x2.abs(value), repeated(8, 0x0010000000000000n)));
}
/** Masks of all lanes for a predicate that is known at run time. */
function fastMasks(x: VectorContext, width: Width, a: V128, b: V128, predicate: I32): V128 {
  const by = width === 32 ? f32x4 : f64x2;
  const when = (condition: I32): V128 => i32x4.splat(sub(i32(0), ne(condition, i32(0))));
  const held = x.f.let(and(shrU(i32(HOLDS), shl(and(predicate, i32(3)), 3)), i32(0xff)));
  const ordered = v128.or(
    v128.and(by.lt(a, b), when(and(held, i32(RELATION.less)))),
    v128.and(by.eq(a, b), when(and(held, i32(RELATION.equal)))),
  );
  return v128.xor(ordered, when(and(predicate, i32(4))));
}

/** SDM 2A CMPPS, CMPPD. */
export const comparePacked = (width: Width): Semantics =>
  vectorial((x, dst, src) => {
    const { f } = x;
    requireSse(x);
    const b = readVector(x, src, 'xmm'), a = readVector(x, dst, 'xmm');
    const predicate = f.let(x.immediate());
    const result = f.local('v128');
    f.if(
      and(allNormal(width, a), allNormal(width, b)),
      () => f.set(result, fastMasks(x, width, a, b, predicate)),
      () => {
        f.set(result, x.call(slowOf(width), x.cpu, a, b, predicate));
        raiseFloating(x, stopping(x.cpu));
      },
    );
    writeRegister(x, dst, 'xmm', result);
  });

/** (cpu, destination register, a, b, predicate) -> whether an exception stops it; else the mask is stored. */
const scalarSlow = (width: Width): SharedFunction<'i32'> => ({
  name: `sseCompareScalar${width}`,
  parameters: ['i32', 'i32', 'i64', 'i64', 'i32'],
  result: 'i32',
  emit: (f, call) => {
    const cpu = f.parameter<'i32'>(0), target = f.parameter<'i32'>(1), predicate = f.parameter<'i32'>(4);
    startGathering(f, cpu);
    const relation = f.let(call(exactOf(width).relation, cpu, f.parameter<'i64'>(2), f.parameter<'i64'>(3), isStrict(predicate)));
    f.if(call(settle, cpu), () => f.return(i32(1)));
    storeBits(f, target, width, sub(i64(0), extendU(holds(relation, predicate))), FIELD.xmm);
    f.return(i32(0));
  },
});
const scalarSingle = scalarSlow(32), scalarDouble = scalarSlow(64);
/** SDM 2A CMPSS, CMPSD. */
export const compareScalar = (width: Width): Semantics =>
  vectorial((x, dst, src) => {
    requireSse(x);
    const b = readFloat(x, src, width), target = registerAt(x, dst, 'xmm');
    const a = width === 32 ? loadF32(target, FIELD.xmm) : loadF64(target, FIELD.xmm);
    raiseFloating(x, x.call(width === 32 ? scalarSingle : scalarDouble, x.cpu, target, bitsOf(a), bitsOf(b), x.immediate()));
  });

/** Both denormals and NaNs are out of the ordinary; zeros are not. */
const isDenormalBits = (bits: I64, width: Width): I32 => {
  const hidden = width === 32 ? 1n << 24n : 1n << 53n;
  const doubled = width === 32 ? and(shl(bits, 1), i64(0xffffffffn)) : shl(bits, 1);
  return ltU(sub(doubled, i64(1)), i64(hidden - 1n));
};

/** (cpu, a, b, whether quiet NaNs are invalid) -> RELATION, or 0 when an exception stops it. */
const relationSlow = (width: Width): SharedFunction<'i32'> => ({
  name: `sseOrder${width}`,
  parameters: ['i32', 'i64', 'i64', 'i32'],
  result: 'i32',
  emit: (f, call) => {
    const cpu = f.parameter<'i32'>(0);
    startGathering(f, cpu);
    const relation = f.let(call(exactOf(width).relation, cpu, f.parameter<'i64'>(1), f.parameter<'i64'>(2), f.parameter<'i32'>(3)));
    f.return(select(call(settle, cpu), i32(0), relation));
  },
});
const orderSingle = relationSlow(32), orderDouble = relationSlow(64);

/** SDM 2A COMISS, UCOMISS: ZF, PF, CF; OF, SF and AF are cleared. */
export const compareToFlags = (width: Width, strict: boolean): Semantics =>
  vectorial((x, dst, src) => {
    const { f, cpu } = x;
    requireSse(x);
    const b = readFloat(x, src, width) as F64, at = registerAt(x, dst, 'xmm');
    const a = f.let(width === 32 ? loadF32(at, FIELD.xmm) : loadF64(at, FIELD.xmm)) as F64;
    const less = f.let(flt(a, b)), equal = f.let(feq(a, b));
    const ordinary = and(or(or(less, equal), flt(b, a)), eqz(or(isDenormalBits(bitsOf(a), width), isDenormalBits(bitsOf(b), width))));
    const zero = f.local('i32'), carry = f.local('i32'), parity = f.local('i32');
    f.set(zero, equal);
    f.set(carry, less);
    f.set(parity, i32(0));
    f.if(eqz(ordinary), () => {
      const relation = f.let(x.call(width === 32 ? orderSingle : orderDouble, cpu, bitsOf(a), bitsOf(b), i32(strict ? 1 : 0)));
      raiseFloating(x, eqz(relation));
      const has = (bits: number): I32 => ne(and(relation, i32(bits)), i32(0));
      f.set(zero, has(RELATION.equal | RELATION.unordered));
      f.set(carry, has(RELATION.less | RELATION.unordered));
      f.set(parity, has(RELATION.unordered));
    });
    // Bit 62 of a zero result turns PF off; a result of 1 has none.
    x.setFlagResult(select(zero, select(parity, i64(0), i64(1n << 62n)), i64(1)));
    x.setFlagCarry(select(carry, i32(0xc0000000 | 0), i32(0)));
  });
