// Conversions between the 80-bit format and memory formats (SDM 1 4.8, 8.5). Results with flags leave the flags in
// SCRATCH.flags; nothing is raised here, since a store may still fault.
import {
  add, and, clz, eq, eqz, extendU, geS, gtS, gtU, i32, i64, type I32, type I64, load32, ltS, ltU, ne, or, select, shl,
  shrU, store32, store64, sub, wrap, xor,
} from '../../emit/expressions.ts';
import type { FunctionBuilder, Local } from '../../emit/functionBuilder.ts';
import type { SharedFunction } from '../context.ts';
import { control, INTEGER_BIT, SCRATCH, SW, unmasked } from './state.ts';

function scratch(f: FunctionBuilder, cpu: I32, exponent: I32, significand: I64): void {
  f.do(store64(cpu, significand, SCRATCH.significand));
  f.do(store32(cpu, exponent, SCRATCH.exponent));
}

/** (cpu, bits) -> flags (IE for an SNaN, DE for a denormal): the value in scratch, NaNs not yet quiet. */
function widen(name: string, exponentBits: number, fractionBits: number): SharedFunction<'i32'> {
  const maximum = (1 << exponentBits) - 1, bias = maximum >> 1;
  return {
    name,
    parameters: ['i32', 'i64'],
    result: 'i32',
    emit: (f) => {
      const cpu = f.parameter<'i32'>(0), bits = f.parameter<'i64'>(1);
      const sign = f.let(shl(and(wrap(shrU(bits, exponentBits + fractionBits)), i32(1)), 15));
      const exponent = f.let(and(wrap(shrU(bits, fractionBits)), i32(maximum)));
      const fraction = f.let(shl(bits, 64 - fractionBits));
      f.if(ltU(sub(exponent, i32(1)), i32(maximum - 1)), () => {
        scratch(f, cpu, or(sign, add(exponent, i32(16383 - bias))), or(shrU(fraction, 1), i64(INTEGER_BIT)));
        f.return(i32(0));
      });
      f.if(exponent, () => {
        scratch(f, cpu, or(sign, i32(0x7fff)), or(shrU(fraction, 1), i64(INTEGER_BIT)));
        f.return(and(ne(fraction, i64(0)), xor(wrap(shrU(fraction, 63)), i32(1))));
      });
      f.if(eqz(fraction), () => {
        scratch(f, cpu, sign, i64(0));
        f.return(i32(0));
      });
      const zeros = f.let(clz(fraction));
      scratch(f, cpu, or(sign, sub(i32(16383 - bias), wrap(zeros))), shl(fraction, zeros));
      f.return(i32(SW.DE));
    },
  };
}
export const widenSingle = widen('x87WidenSingle', 8, 23);
export const widenDouble = widen('x87WidenDouble', 11, 52);

/** (cpu, value) -> 0: the value in scratch. */
export const widenInteger: SharedFunction<'i32'> = {
  name: 'x87WidenInteger',
  parameters: ['i32', 'i64'],
  result: 'i32',
  emit: (f) => {
    const cpu = f.parameter<'i32'>(0), value = f.parameter<'i64'>(1);
    f.if(eqz(value), () => {
      scratch(f, cpu, i32(0), i64(0));
      f.return(i32(0));
    });
    const negative = f.let(ltS(value, i64(0)));
    f.if(negative, () => f.set(value, sub(i64(0), value)));
    const zeros = f.let(clz(value));
    scratch(f, cpu, or(shl(negative, 15), sub(i32(16383 + 63), wrap(zeros))), shl(value, zeros));
    f.return(i32(0));
  },
};

/** As roundsAwayBy with the control word's RC. */
export function roundsAway(f: FunctionBuilder, cpu: I32, negative: I32, odd: I32, rest: I64): I32 {
  return roundsAwayBy(f, f.let(and(shrU(control(cpu), 10), i32(3))), negative, odd, rest);
}

/** 1 when a value is rounded away from zero: `rest` is the fraction below the kept bits, its top bit worth a half. */
export function roundsAwayBy(f: FunctionBuilder, mode: I32, negative: I32, odd: I32, rest: I64): I32 {
  const result = f.local('i32');
  f.if(
    eqz(mode),
    () => f.set(result, and(wrap(shrU(rest, 63)), or(odd, ne(shl(rest, 1), i64(0))))),
    // 1: down, 2: up, 3: toward zero.
    () => f.set(result, and(ne(rest, i64(0)), eq(mode, select(negative, i32(1), i32(2))))),
  );
  return result;
}

/** `value` shifted right by `count` >= 0: kept bits and the fraction below them, with lower bits gathered in bit 0. */
export function shiftOut(f: FunctionBuilder, value: I64, count: I32, kept: Local<'i64'>, rest: Local<'i64'>): void {
  f.if(
    eqz(count),
    () => {
      f.set(kept, value);
      f.set(rest, i64(0));
    },
    () =>
      f.if(
        ltU(count, i32(64)),
        () => {
          f.set(rest, shl(value, extendU(sub(i32(64), count))));
          f.set(kept, shrU(value, extendU(count)));
        },
        () => {
          const over = f.let(sub(count, i32(64)));
          const lost = select(over, shl(value, extendU(sub(i32(64), over))), i64(0));
          const near = or(shrU(value, extendU(over)), extendU(ne(lost, i64(0))));
          f.set(rest, select(ltU(over, i32(64)), near, extendU(ne(value, i64(0)))));
          f.set(kept, i64(0));
        },
      ),
  );
}

/** (cpu, sign and exponent, significand) -> bits; flags in scratch. OE and UE that are not masked come without PE. */
function narrow(name: string, exponentBits: number, fractionBits: number): SharedFunction<'i64'> {
  const maximum = (1 << exponentBits) - 1, bias = maximum >> 1;
  const dropped = 63 - fractionBits;
  const infinity = BigInt(maximum) << BigInt(fractionBits);
  const indefinite = (1n << BigInt(exponentBits + fractionBits)) | infinity | (1n << BigInt(fractionBits - 1));
  return {
    name,
    parameters: ['i32', 'i32', 'i64'],
    result: 'i64',
    emit: (f) => {
      const cpu = f.parameter<'i32'>(0), word = f.parameter<'i32'>(1), significand = f.parameter<'i64'>(2);
      const negative = f.let(shrU(word, 15));
      const sign = f.let(shl(extendU(negative), exponentBits + fractionBits));
      const exponent = f.let(and(word, i32(0x7fff)));
      const give = (bits: I64, flags: I32): void => {
        f.do(store32(cpu, flags, SCRATCH.flags));
        f.return(bits);
      };
      const kept = f.local('i64'), rest = f.local('i64'), target = f.local('i32'), away = f.local('i32');
      f.if(and(geS(significand, i64(0)), ne(exponent, i32(0))), () =>
        give(i64(indefinite), i32(SW.IE)),
      );
      f.if(eq(exponent, i32(0x7fff)), () => {
        const fraction = f.let(and(shrU(significand, dropped), i64((1n << BigInt(fractionBits)) - 1n)));
        f.if(eqz(shl(significand, 1)), () => give(or(sign, i64(infinity)), i32(0)));
        const quiet = i64(infinity | (1n << BigInt(fractionBits - 1)));
        give(or(or(sign, quiet), fraction), xor(wrap(and(shrU(significand, 62), i64(1))), i32(1)));
      });
      f.if(eqz(significand), () => give(sign, i32(0)));
      f.set(target, sub(exponent, i32(16383 - bias)));
      shiftOut(f, significand, i32(dropped), kept, rest);
      f.set(away, roundsAway(f, cpu, negative, wrap(and(kept, i64(1))), rest));
      const flags = f.local('i32');
      f.set(flags, i32(0));
      // Tiny after rounding: below the smallest normal number even if the rounded significand carries.
      const carries = and(away, eqz(add(kept, i64(1 - 2 ** (fractionBits + 1)))));
      f.if(ltS(add(target, carries), i32(1)), () => {
        f.set(flags, unmasked(cpu, i32(SW.UE)));
        f.if(flags, () => give(i64(0), flags));
        shiftOut(f, significand, f.let(add(i32(dropped + 1), sub(i32(0), target))), kept, rest);
        f.set(away, roundsAway(f, cpu, negative, wrap(and(kept, i64(1))), rest));
        f.if(ne(rest, i64(0)), () => f.set(flags, or(i32(SW.UE | SW.PE), shl(away, 9))));
        // A carry makes the smallest normal number by itself.
        give(or(sign, add(kept, extendU(away))), flags);
      });
      f.set(kept, add(kept, extendU(away)));
      f.if(ne(rest, i64(0)), () => f.set(flags, or(i32(SW.PE), shl(away, 9))));
      f.if(ne(shrU(kept, fractionBits + 1), i64(0)), () => {
        f.set(kept, shrU(kept, 1));
        f.set(target, add(target, i32(1)));
      });
      f.if(geS(target, i32(maximum)), () => {
        f.set(flags, unmasked(cpu, i32(SW.OE)));
        f.if(flags, () => give(i64(0), flags));
        f.set(away, roundsAway(f, cpu, negative, i32(1), i64(-1)));
        give(or(sign, sub(i64(infinity), extendU(xor(away, i32(1))))), or(i32(SW.OE | SW.PE), shl(away, 9)));
      });
      const biased = shl(extendU(target), fractionBits);
      give(or(or(sign, biased), and(kept, i64((1n << BigInt(fractionBits)) - 1n))), flags);
    },
  };
}
export const narrowSingle = narrow('x87NarrowSingle', 8, 23);
export const narrowDouble = narrow('x87NarrowDouble', 11, 52);

/** (cpu, sign and exponent, significand, bits) -> integer, or the integer indefinite with IE; flags in scratch. */
export const toInteger: SharedFunction<'i64'> = {
  name: 'x87ToInteger',
  parameters: ['i32', 'i32', 'i64', 'i32'],
  result: 'i64',
  exported: true,
  emit: (f) => {
    const cpu = f.parameter<'i32'>(0), word = f.parameter<'i32'>(1), significand = f.parameter<'i64'>(2);
    const bits = f.parameter<'i32'>(3);
    const negative = f.let(shrU(word, 15)), exponent = f.let(and(word, i32(0x7fff)));
    const kept = f.local('i64'), rest = f.local('i64');
    const limit = f.let(shl(i64(1), extendU(sub(bits, i32(1)))));
    const give = (value: I64, flags: I32): void => {
      f.do(store32(cpu, flags, SCRATCH.flags));
      f.return(value);
    };
    const invalid = (): void => give(sub(i64(0), limit), i32(SW.IE));
    // Unnormals; and all from 2^64 on, infinities and NaNs.
    f.if(or(and(geS(significand, i64(0)), ne(exponent, i32(0))), gtS(exponent, i32(16383 + 63))), invalid);
    shiftOut(f, significand, f.let(sub(i32(16383 + 63), exponent)), kept, rest);
    const away = roundsAway(f, cpu, negative, wrap(and(kept, i64(1))), rest);
    f.set(kept, add(kept, extendU(away)));
    f.if(and(away, eqz(kept)), invalid);
    f.if(gtU(kept, sub(limit, extendU(xor(negative, i32(1))))), invalid);
    const flags = select(ne(rest, i64(0)), or(i32(SW.PE), shl(away, 9)), i32(0));
    give(select(negative, sub(i64(0), kept), kept), flags);
  },
};

export const scratchFlags = (cpu: I32): I32 => load32(cpu, SCRATCH.flags);
