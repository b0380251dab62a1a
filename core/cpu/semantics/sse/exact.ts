// Exact floating point in the 32- and 64-bit formats, for what WebAssembly's arithmetic does not show: exception flags,
// directed rounding, flushing to zero, x86's NaNs (SDM 1 4.8, 11.5). Values are their bits as i64. Flags are gathered.
import {
  add, and, clz, divU, eq, eqz, extendU, geS, gtS, gtU, i32, i64, type I32, type I64, ltS, ltU, ne, or, remU, select, shl, shrU, sub, wrap, xor,
} from '../../emit/expressions.ts';
import { bitsOfF64, f64FromBits, fsqrt } from '../../emit/vectors.ts';
import type { FunctionBuilder, Local } from '../../emit/functionBuilder.ts';
import type { SharedCall, SharedFunction } from '../context.ts';
import { multiplyWide } from '../x87/arithmetic.ts';
import { roundsAwayBy, shiftOut } from '../x87/convert.ts';
import { gather, isMasked, mxcsr, MXCSR, roundingMode } from './mxcsr.ts';

export interface Format {
  readonly bits: 32 | 64;
  readonly fraction: number;
  readonly bias: number;
  readonly maximum: number;
  readonly sign: bigint;
  readonly infinity: bigint;
  readonly quiet: bigint;
}
const format = (bits: 32 | 64, fraction: number): Format => {
  const maximum = 2 ** (bits - 1 - fraction) - 1, wide = BigInt(fraction);
  return {
    bits, fraction, bias: maximum >> 1, maximum, sign: 1n << BigInt(bits - 1), infinity: BigInt(maximum) << wide, quiet: 1n << (wide - 1n),
  };
};
export const single: Format = format(32, 23);
export const double: Format = format(64, 52);
const INTEGER_BIT = i64(1n << 63n);

const magnitude = (t: Format, a: I64): I64 => and(a, i64(t.sign - 1n));
export const isNan = (t: Format, a: I64): I32 => gtU(magnitude(t, a), i64(t.infinity));
export const isSignalling = (t: Format, a: I64): I32 => and(isNan(t, a), eqz(and(a, i64(t.quiet))));
const isInfinite = (t: Format, a: I64): I32 => eq(magnitude(t, a), i64(t.infinity));
const isZero = (t: Format, a: I64): I32 => eqz(magnitude(t, a));
/** Zero is none: it wraps. */
const isDenormal = (t: Format, a: I64): I32 =>
  ltU(sub(magnitude(t, a), i64(1)), i64((1n << BigInt(t.fraction)) - 1n));
const signOf = (t: Format, a: I64): I32 => wrap(and(shrU(a, t.bits - 1), i64(1)));
const indefinite = (t: Format): I64 => i64(t.sign | t.infinity | t.quiet);
const withSign = (t: Format, sign: I32, rest: I64): I64 => or(shl(extendU(sign), t.bits - 1), rest);

/** DAZ: denormals become zeros. */
function flushOperand(f: FunctionBuilder, cpu: I32, t: Format, a: Local<'i64'>): void {
  f.if(and(mxcsr(cpu), i32(MXCSR.DAZ)), () => f.if(isDenormal(t, a), () => f.set(a, and(a, i64(t.sign)))));
}
const invalid = (f: FunctionBuilder, cpu: I32, t: Format): void => {
  gather(f, cpu, i32(MXCSR.IE));
  f.return(indefinite(t));
};

/** Returns the NaN that results when an operand is one: the first operand's, made quiet (SDM 1 table 4-7). */
function sortNans(f: FunctionBuilder, cpu: I32, t: Format, a: I64, b: I64): void {
  const aNan = f.let(isNan(t, a));
  f.if(or(aNan, isNan(t, b)), () => {
    gather(f, cpu, or(isSignalling(t, a), isSignalling(t, b)));
    f.return(or(select(aNan, a, b), i64(t.quiet)));
  });
}
function noteDenormals(f: FunctionBuilder, cpu: I32, t: Format, a: I64, b: I64): void {
  f.if(or(isDenormal(t, a), isDenormal(t, b)), () => gather(f, cpu, i32(MXCSR.DE)));
}

interface Unpacked {
  readonly exponent: Local<'i32'>;
  /** Bit 63 is the integer bit. */
  readonly significand: Local<'i64'>;
}
/** A finite number that is not zero. */
function unpack(f: FunctionBuilder, t: Format, a: I64): Unpacked {
  const exponent = f.local('i32'), significand = f.local('i64');
  f.set(exponent, wrap(shrU(magnitude(t, a), t.fraction)));
  f.set(significand, shl(a, 63 - t.fraction));
  f.if(
    exponent,
    () => f.set(significand, or(significand, INTEGER_BIT)),
    () => {
      f.set(significand, shl(a, 64 - t.fraction));
      const zeros = f.let(clz(significand));
      f.set(exponent, sub(i32(0), wrap(zeros)));
      f.set(significand, shl(significand, zeros));
    },
  );
  return { exponent, significand };
}

/** (cpu, sign, exponent, significand with bit 63 set, whether there is more below it) -> bits (SDM 1 4.9.1.4 to 4.9.1.6). */
function defineRound(t: Format): SharedFunction<'i64'> {
  const dropped = 63 - t.fraction;
  const hidden = 1n << BigInt(t.fraction);
  return {
    name: `sseRound${t.bits}`,
    parameters: ['i32', 'i32', 'i32', 'i64', 'i32'],
    result: 'i64',
    emit: (f) => {
      const cpu = f.parameter<'i32'>(0), sign = f.parameter<'i32'>(1), exponent = f.parameter<'i32'>(2);
      const significand = f.parameter<'i64'>(3), more = f.parameter<'i32'>(4);
      const kept = f.local('i64'), rest = f.local('i64');
      const mode = f.let(roundingMode(cpu));
      f.set(kept, shrU(significand, dropped));
      f.set(rest, or(shl(significand, 64 - dropped), extendU(more)));
      const away = f.local('i32');
      f.set(away, roundsAwayBy(f, mode, sign, wrap(and(kept, i64(1))), rest));
      const carries = and(away, eq(kept, i64(2n * hidden - 1n)));
      // Tiny: below the smallest normal number after rounding to any exponent.
      f.if(ltS(add(exponent, carries), i32(1)), () => {
        f.if(eqz(isMasked(cpu, MXCSR.UE)), () => {
          gather(f, cpu, or(i32(MXCSR.UE), shl(ne(rest, i64(0)), 5)));
          f.return(i64(0));
        });
        f.if(and(mxcsr(cpu), i32(MXCSR.FTZ)), () => {
          gather(f, cpu, i32(MXCSR.UE | MXCSR.PE));
          f.return(withSign(t, sign, i64(0)));
        });
        shiftOut(f, significand, f.let(sub(i32(dropped + 1), exponent)), kept, rest);
        f.set(rest, or(rest, extendU(more)));
        f.set(away, roundsAwayBy(f, mode, sign, wrap(and(kept, i64(1))), rest));
        f.if(ne(rest, i64(0)), () => gather(f, cpu, i32(MXCSR.UE | MXCSR.PE)));
        f.return(withSign(t, sign, add(kept, extendU(away))));
      });
      f.set(kept, add(kept, extendU(away)));
      f.if(eq(kept, i64(2n * hidden)), () => {
        f.set(kept, i64(hidden));
        f.set(exponent, add(exponent, i32(1)));
      });
      f.if(geS(exponent, i32(t.maximum)), () => {
        const inexact = or(isMasked(cpu, MXCSR.OE), ne(rest, i64(0)));
        gather(f, cpu, or(i32(MXCSR.OE), shl(inexact, 5)));
        const infinite = roundsAwayBy(f, mode, sign, i32(1), i64(-1));
        f.return(withSign(t, sign, sub(i64(t.infinity), extendU(xor(infinite, i32(1))))));
      });
      f.if(ne(rest, i64(0)), () => gather(f, cpu, i32(MXCSR.PE)));
      f.return(withSign(t, sign, add(shl(extendU(sub(exponent, i32(1))), t.fraction), kept)));
    },
  };
}

type Core = (f: FunctionBuilder, call: SharedCall, t: Format, round: SharedFunction<'i64'>, cpu: I32, a: Local<'i64'>, b: Local<'i64'>) => void;

/** (cpu, a, b) -> bits of an operation on two numbers whose NaNs and denormals are sorted out already. */
const binary = (name: string, core: Core) => (t: Format, round: SharedFunction<'i64'>): SharedFunction<'i64'> => ({
  name: `sse${name}${t.bits}`,
  parameters: ['i32', 'i64', 'i64'],
  result: 'i64',
  emit: (f, call) => {
    const cpu = f.parameter<'i32'>(0), a = f.parameter<'i64'>(1), b = f.parameter<'i64'>(2);
    flushOperand(f, cpu, t, a);
    flushOperand(f, cpu, t, b);
    sortNans(f, cpu, t, a, b);
    core(f, call, t, round, cpu, a, b);
  },
});

const sumCore: Core = (f, call, t, round, cpu, a, b) => {
  const aSign = f.let(signOf(t, a)), bSign = f.let(signOf(t, b));
  f.if(isInfinite(t, a), () => {
    f.if(and(isInfinite(t, b), xor(aSign, bSign)), () => invalid(f, cpu, t));
    noteDenormals(f, cpu, t, b, b);
    f.return(a);
  });
  noteDenormals(f, cpu, t, a, b);
  f.if(isInfinite(t, b), () => f.return(b));
  // Of opposite zeros, or equal numbers of opposite signs, the sum is +0, rounding down -0.
  const cancelled = (): void => f.return(withSign(t, eq(roundingMode(cpu), i32(1)), i64(0)));
  f.if(isZero(t, a), () => {
    f.if(isZero(t, b), () => {
      f.if(xor(aSign, bSign), cancelled);
      f.return(a);
    });
    const only = unpack(f, t, b);
    f.return(call(round, cpu, bSign, only.exponent, only.significand, i32(0)));
  });
  f.if(isZero(t, b), () => {
    const only = unpack(f, t, a);
    f.return(call(round, cpu, aSign, only.exponent, only.significand, i32(0)));
  });
  // The larger magnitude first.
  const swapped = f.let(gtU(magnitude(t, b), magnitude(t, a)));
  const large = unpack(f, t, f.let(select(swapped, b, a))), small = unpack(f, t, f.let(select(swapped, a, b)));
  const sign = f.let(select(swapped, bSign, aSign));
  const kept = f.local('i64'), rest = f.local('i64'), total = f.local('i64');
  shiftOut(f, f.let(shrU(small.significand, 1)), f.let(sub(large.exponent, small.exponent)), kept, rest);
  const more = f.let(extendU(ne(rest, i64(0))));
  f.if(
    xor(aSign, bSign),
    () => f.set(total, sub(shrU(large.significand, 1), add(kept, more))),
    () => f.set(total, add(shrU(large.significand, 1), kept)),
  );
  f.if(eqz(total), cancelled);
  f.set(total, or(total, more));
  const zeros = f.let(clz(total));
  f.return(call(round, cpu, sign, add(large.exponent, sub(i32(1), wrap(zeros))), shl(total, zeros), i32(0)));
};

const productCore: Core = (f, call, t, round, cpu, a, b) => {
  const sign = f.let(xor(signOf(t, a), signOf(t, b)));
  const infinite = f.let(or(isInfinite(t, a), isInfinite(t, b))), zero = f.let(or(isZero(t, a), isZero(t, b)));
  f.if(and(infinite, zero), () => invalid(f, cpu, t));
  noteDenormals(f, cpu, t, a, b);
  f.if(infinite, () => f.return(withSign(t, sign, i64(t.infinity))));
  f.if(zero, () => f.return(withSign(t, sign, i64(0))));
  const x = unpack(f, t, a), y = unpack(f, t, b);
  const high = f.local('i64'), low = f.local('i64'), exponent = f.local('i32');
  multiplyWide(f, x.significand, y.significand, high, low);
  f.set(exponent, add(add(x.exponent, y.exponent), i32(1 - t.bias)));
  f.if(geS(high, i64(0)), () => {
    f.set(high, or(shl(high, 1), shrU(low, 63)));
    f.set(low, shl(low, 1));
    f.set(exponent, sub(exponent, i32(1)));
  });
  f.return(call(round, cpu, sign, exponent, high, ne(low, i64(0))));
};

const quotientCore: Core = (f, call, t, round, cpu, a, b) => {
  const sign = f.let(xor(signOf(t, a), signOf(t, b)));
  const aInfinite = f.let(isInfinite(t, a)), aZero = f.let(isZero(t, a)), bZero = f.let(isZero(t, b));
  f.if(or(and(aInfinite, isInfinite(t, b)), and(aZero, bZero)), () => invalid(f, cpu, t));
  f.if(aInfinite, () => {
    noteDenormals(f, cpu, t, b, b);
    f.return(withSign(t, sign, i64(t.infinity)));
  });
  f.if(bZero, () => {
    gather(f, cpu, i32(MXCSR.ZE));
    f.return(withSign(t, sign, i64(t.infinity)));
  });
  noteDenormals(f, cpu, t, a, b);
  f.if(or(aZero, isInfinite(t, b)), () => f.return(withSign(t, sign, i64(0))));
  const x = unpack(f, t, a), y = unpack(f, t, b);
  // Ten bits of the quotient a turn: significands have 53 at most.
  const rest = f.local('i64'), quotient = f.local('i64');
  const divisor = f.let(shrU(y.significand, 11));
  f.set(rest, shrU(x.significand, 11));
  f.set(quotient, divU(rest, divisor));
  f.set(rest, remU(rest, divisor));
  for (let turn = 0; turn < 6; turn++) {
    f.set(rest, shl(rest, 10));
    f.set(quotient, or(shl(quotient, 10), divU(rest, divisor)));
    f.set(rest, remU(rest, divisor));
  }
  const zeros = f.let(clz(quotient));
  const exponent = add(sub(x.exponent, y.exponent), sub(i32(t.bias + 3), wrap(zeros)));
  f.return(call(round, cpu, sign, exponent, shl(quotient, zeros), ne(rest, i64(0))));
};

const sumOf = binary('Sum', sumCore), productOf = binary('Product', productCore), quotientOf = binary('Quotient', quotientCore);

/** The sum with the second operand's sign turned: a NaN keeps its own. */
function differenceOf(t: Format, round: SharedFunction<'i64'>): SharedFunction<'i64'> {
  return binary('Difference', (f, call, _t, _round, cpu, a, b) => {
    f.set(b, xor(b, i64(t.sign)));
    sumCore(f, call, t, round, cpu, a, b);
  })(t, round);
}

/** (cpu, a) -> bits. */
function rootOf(t: Format, round: SharedFunction<'i64'>): SharedFunction<'i64'> {
  return {
    name: `sseRoot${t.bits}`,
    parameters: ['i32', 'i64'],
    result: 'i64',
    emit: (f, call) => {
      const cpu = f.parameter<'i32'>(0), a = f.parameter<'i64'>(1);
      flushOperand(f, cpu, t, a);
      sortNans(f, cpu, t, a, a);
      f.if(isZero(t, a), () => f.return(a));
      f.if(signOf(t, a), () => invalid(f, cpu, t));
      f.if(isInfinite(t, a), () => f.return(a));
      noteDenormals(f, cpu, t, a, a);
      const x = unpack(f, t, a);
      // A number in [1, 4), its root by WebAssembly, and whether that is too large or too small by an exact square.
      const isOdd = f.let(and(sub(x.exponent, i32(t.bias)), i32(1)));
      const top = f.let(shrU(x.significand, 11));
      const scaled = or(and(top, i64((1n << 52n) - 1n)), shl(extendU(add(i32(1023), isOdd)), 52));
      const bits = f.let(bitsOfF64(fsqrt(f64FromBits(scaled))));
      const root = f.let(or(and(bits, i64((1n << 52n) - 1n)), i64(1n << 52n)));
      const high = f.local('i64'), low = f.local('i64');
      multiplyWide(f, root, root, high, low);
      const wantHigh = f.let(shrU(top, extendU(sub(i32(12), isOdd)))), wantLow = f.let(shl(top, extendU(add(i32(52), isOdd))));
      const exact = f.let(and(eq(high, wantHigh), eq(low, wantLow)));
      const above = or(gtU(high, wantHigh), and(eq(high, wantHigh), gtU(low, wantLow)));
      const significand = sub(shl(root, 11), extendU(above));
      const biased = add(shrSigned(sub(sub(x.exponent, i32(t.bias)), isOdd)), i32(t.bias));
      f.return(call(round, cpu, i32(0), biased, f.let(significand), xor(exact, i32(1))));
    },
  };
}
/** Half of an even number. */
const shrSigned = (value: I32): I32 => sub(shrU(add(value, i32(0x10000)), 1), i32(0x8000));

/** What `relation` returns. */
export const RELATION = { less: 1, equal: 2, greater: 4, unordered: 8 } as const;

/** (cpu, a, b, whether quiet NaNs are invalid) -> RELATION. */
function relationOf(t: Format): SharedFunction<'i32'> {
  return {
    name: `sseRelation${t.bits}`,
    parameters: ['i32', 'i64', 'i64', 'i32'],
    result: 'i32',
    emit: (f) => {
      const cpu = f.parameter<'i32'>(0), a = f.parameter<'i64'>(1), b = f.parameter<'i64'>(2), strict = f.parameter<'i32'>(3);
      flushOperand(f, cpu, t, a);
      flushOperand(f, cpu, t, b);
      f.if(or(isNan(t, a), isNan(t, b)), () => {
        gather(f, cpu, or(strict, or(isSignalling(t, a), isSignalling(t, b))));
        f.return(i32(RELATION.unordered));
      });
      noteDenormals(f, cpu, t, a, b);
      f.if(and(isZero(t, a), isZero(t, b)), () => f.return(i32(RELATION.equal)));
      f.if(eq(a, b), () => f.return(i32(RELATION.equal)));
      // As signed magnitudes.
      const ordinal = (v: I64): I64 => {
        const size = f.let(magnitude(t, v));
        return select(signOf(t, v), sub(i64(0), size), size);
      };
      const first = f.let(ordinal(a)), second = f.let(ordinal(b));
      f.return(select(gtS(first, second), i32(RELATION.greater), i32(RELATION.less)));
    },
  };
}

/** (cpu, a, b) -> bits: the second operand unless the first is beyond it (SDM 2B MINPS, MAXPS). */
function extremeOf(name: string, beyond: number, t: Format, relation: SharedFunction<'i32'>): SharedFunction<'i64'> {
  return {
    name: `sse${name}${t.bits}`,
    parameters: ['i32', 'i64', 'i64'],
    result: 'i64',
    emit: (f, call) => {
      const cpu = f.parameter<'i32'>(0), a = f.parameter<'i64'>(1), b = f.parameter<'i64'>(2);
      flushOperand(f, cpu, t, a);
      flushOperand(f, cpu, t, b);
      f.return(select(eq(call(relation, cpu, a, b, i32(1)), i32(beyond)), a, b));
    },
  };
}

/** (cpu, a, rounding mode, whether PE stays away) -> bits of an integral value (SDM 2B ROUNDPD). */
function integralOf(t: Format): SharedFunction<'i64'> {
  return {
    name: `sseIntegral${t.bits}`,
    parameters: ['i32', 'i64', 'i32', 'i32'],
    result: 'i64',
    emit: (f) => {
      const cpu = f.parameter<'i32'>(0), a = f.parameter<'i64'>(1), mode = f.parameter<'i32'>(2), silent = f.parameter<'i32'>(3);
      flushOperand(f, cpu, t, a);
      sortNans(f, cpu, t, a, a);
      f.if(isZero(t, a), () => f.return(a));
      const sign = f.let(signOf(t, a));
      const { exponent, significand } = unpack(f, t, a);
      f.if(geS(exponent, i32(t.bias + t.fraction)), () => f.return(a));
      const kept = f.local('i64'), rest = f.local('i64');
      shiftOut(f, significand, f.let(sub(i32(t.bias + 63), exponent)), kept, rest);
      const away = roundsAwayBy(f, mode, sign, wrap(and(kept, i64(1))), rest);
      f.if(and(ne(rest, i64(0)), xor(silent, i32(1))), () => gather(f, cpu, i32(MXCSR.PE)));
      f.set(kept, add(kept, extendU(away)));
      f.if(eqz(kept), () => f.return(withSign(t, sign, i64(0))));
      const zeros = f.let(clz(kept));
      const normal = shrU(shl(kept, zeros), 63 - t.fraction);
      const biased = sub(i32(t.bias + 62), wrap(zeros));
      f.return(withSign(t, sign, add(shl(extendU(biased), t.fraction), normal)));
    },
  };
}

/** (cpu, a, 32 or 64 bits, rounding mode) -> integer, or the integer indefinite (SDM 1 4.8.4, 11.5.2.1). */
function integerOf(t: Format): SharedFunction<'i64'> {
  return {
    name: `sseInteger${t.bits}`,
    parameters: ['i32', 'i64', 'i32', 'i32'],
    result: 'i64',
    emit: (f) => {
      const cpu = f.parameter<'i32'>(0), a = f.parameter<'i64'>(1), bits = f.parameter<'i32'>(2), mode = f.parameter<'i32'>(3);
      flushOperand(f, cpu, t, a);
      f.if(isZero(t, a), () => f.return(i64(0)));
      const limit = f.let(shl(i64(1), extendU(sub(bits, i32(1)))));
      const refuse = (): void => {
        gather(f, cpu, i32(MXCSR.IE));
        f.return(sub(i64(0), limit));
      };
      const sign = f.let(signOf(t, a));
      const { exponent, significand } = unpack(f, t, a);
      f.if(gtS(exponent, i32(t.bias + 63)), refuse);
      const kept = f.local('i64'), rest = f.local('i64');
      shiftOut(f, significand, f.let(sub(i32(t.bias + 63), exponent)), kept, rest);
      const away = roundsAwayBy(f, mode, sign, wrap(and(kept, i64(1))), rest);
      f.set(kept, add(kept, extendU(away)));
      f.if(gtU(kept, sub(limit, extendU(xor(sign, i32(1))))), refuse);
      f.if(ne(rest, i64(0)), () => gather(f, cpu, i32(MXCSR.PE)));
      f.return(select(sign, sub(i64(0), kept), kept));
    },
  };
}

/** (cpu, signed integer) -> bits. */
function fromIntegerOf(t: Format, round: SharedFunction<'i64'>): SharedFunction<'i64'> {
  return {
    name: `sseFromInteger${t.bits}`,
    parameters: ['i32', 'i64'],
    result: 'i64',
    emit: (f, call) => {
      const cpu = f.parameter<'i32'>(0), value = f.parameter<'i64'>(1);
      f.if(eqz(value), () => f.return(i64(0)));
      const sign = f.let(ltS(value, i64(0)));
      f.if(sign, () => f.set(value, sub(i64(0), value)));
      const zeros = f.let(clz(value));
      f.return(call(round, cpu, sign, sub(i32(t.bias + 63), wrap(zeros)), shl(value, zeros), i32(0)));
    },
  };
}

/** (cpu, bits of one format) -> bits of the other. */
function convertOf(from: Format, to: Format, round: SharedFunction<'i64'>): SharedFunction<'i64'> {
  const moved = from.fraction - to.fraction;
  return {
    name: `sseConvert${from.bits}to${to.bits}`,
    parameters: ['i32', 'i64'],
    result: 'i64',
    emit: (f, call) => {
      const cpu = f.parameter<'i32'>(0), a = f.parameter<'i64'>(1);
      flushOperand(f, cpu, from, a);
      const sign = f.let(signOf(from, a));
      f.if(isNan(from, a), () => {
        gather(f, cpu, isSignalling(from, a));
        const fraction = f.let(and(a, i64((1n << BigInt(from.fraction)) - 1n)));
        const shifted = moved > 0 ? shrU(fraction, moved) : shl(fraction, -moved);
        f.return(withSign(to, sign, or(shifted, i64(to.infinity | to.quiet))));
      });
      f.if(isInfinite(from, a), () => f.return(withSign(to, sign, i64(to.infinity))));
      f.if(isZero(from, a), () => f.return(withSign(to, sign, i64(0))));
      noteDenormals(f, cpu, from, a, a);
      const { exponent, significand } = unpack(f, from, a);
      f.return(call(round, cpu, sign, add(exponent, i32(to.bias - from.bias)), significand, i32(0)));
    },
  };
}

/** The exact functions of one format. */
export interface Exact {
  readonly format: Format;
  readonly sum: SharedFunction<'i64'>;
  readonly difference: SharedFunction<'i64'>;
  readonly product: SharedFunction<'i64'>;
  readonly quotient: SharedFunction<'i64'>;
  readonly root: SharedFunction<'i64'>;
  readonly minimum: SharedFunction<'i64'>;
  readonly maximum: SharedFunction<'i64'>;
  readonly relation: SharedFunction<'i32'>;
  readonly integral: SharedFunction<'i64'>;
  readonly toInteger: SharedFunction<'i64'>;
  readonly fromInteger: SharedFunction<'i64'>;
}
function define(t: Format, round: SharedFunction<'i64'>): Exact {
  const relation = relationOf(t);
  return {
    format: t, sum: sumOf(t, round), difference: differenceOf(t, round), product: productOf(t, round), quotient: quotientOf(t, round),
    root: rootOf(t, round), minimum: extremeOf('Minimum', RELATION.less, t, relation),
    maximum: extremeOf('Maximum', RELATION.greater, t, relation), relation, integral: integralOf(t), toInteger: integerOf(t),
    fromInteger: fromIntegerOf(t, round),
  };
}
const roundSingle = defineRound(single), roundDouble = defineRound(double);
export const exactSingle: Exact = define(single, roundSingle);
export const exactDouble: Exact = define(double, roundDouble);
export const singleToDouble: SharedFunction<'i64'> = convertOf(single, double, roundDouble);
export const doubleToSingle: SharedFunction<'i64'> = convertOf(double, single, roundSingle);
