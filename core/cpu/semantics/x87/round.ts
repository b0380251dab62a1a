// Rounding to the 80-bit format, with overflow, underflow and inexact results (SDM 1 4.8.4, 8.5.4 to 8.5.6).
import {
  add, and, eqz, extendU, geS, i32, i64, type I32, type I64, ltS, ne, or, select, shl, store32, sub,
} from '../../emit/expressions.ts';
import type { FunctionBuilder, Local } from '../../emit/functionBuilder.ts';
import { FIELD } from '../../state/layout.ts';
import type { SharedFunction } from '../context.ts';
import { roundsAway, shiftOut } from './convert.ts';
import { control, INTEGER_BIT, raiseFlags, status, storeAt, SW, unmasked } from './state.ts';

/** Unmasked overflow and underflow scale the exponent by this (SDM 1 8.5.4, 8.5.5). */
const SCALING = 24576;

/** Moves the bits below the precision control's from `kept` to `rest`. `unit` becomes the last kept place. */
function cutToPrecision(f: FunctionBuilder, cpu: I32, kept: Local<'i64'>, rest: Local<'i64'>, unit: Local<'i64'>): void {
  const precision = f.let(and(control(cpu), i32(0x300)));
  // 01 is reserved: it means full precision on silicon.
  f.if(eqz(and(precision, i32(0x100))), () => {
    const bits = f.let(select(precision, i64(11), i64(40)));
    f.set(rest, or(shl(kept, sub(i64(64), bits)), extendU(ne(rest, i64(0)))));
    f.set(unit, shl(i64(1), bits));
    f.set(kept, and(kept, sub(i64(0), unit)));
  });
}

function define(name: string, isControlled: boolean): SharedFunction<'i32'> {
  return {
    name,
    parameters: ['i32', 'i32', 'i32', 'i32', 'i64', 'i64', 'i32'],
    result: 'i32',
    exported: !isControlled,
    emit: (f, call) => {
      const cpu = f.parameter<'i32'>(0), target = f.parameter<'i32'>(1), sign = f.parameter<'i32'>(2);
      const exponent = f.parameter<'i32'>(3), high = f.parameter<'i64'>(4), low = f.parameter<'i64'>(5);
      const flags = f.parameter<'i32'>(6);
      const kept = f.local('i64'), rest = f.local('i64'), unit = f.local('i64'), away = f.local('i32');
      const negative = f.let(ne(sign, i32(0)));
      const round = (): void => {
        f.set(unit, i64(1));
        if (isControlled) cutToPrecision(f, cpu, kept, rest, unit);
        f.set(away, i32(0));
        f.if(ne(rest, i64(0)), () => f.set(away, roundsAway(f, cpu, negative, ne(and(kept, unit), i64(0)), rest)));
        f.if(away, () => f.set(kept, add(kept, unit)));
      };
      const give = (word: I32, significand: I64): void => {
        storeAt(f, target, or(sign, word), significand);
        f.if(
          flags,
          () => f.drop(call(raiseFlags, cpu, flags)),
          () => f.do(store32(cpu, and(status(cpu), i32(~SW.C1)), FIELD.fpStatus)),
        );
        f.return(i32(1));
      };
      f.set(kept, high);
      f.set(rest, low);
      round();
      const carried = f.local('i32');
      f.set(carried, add(exponent, eqz(kept)));
      f.if(ltS(carried, i32(1)), () =>
        f.if(
          unmasked(cpu, i32(SW.UE)),
          () => {
            f.set(flags, or(flags, i32(SW.UE)));
            f.set(carried, add(carried, i32(SCALING)));
            // FSCALE may reach beyond what scaling brings back.
            f.if(ltS(carried, i32(1)), () => {
              f.set(flags, or(flags, i32(SW.PE)));
              give(i32(0), i64(0));
            });
          },
          () => {
            // Rounded anew at the place where denormals end.
            shiftOut(f, high, f.let(sub(i32(1), exponent)), kept, rest);
            f.set(rest, or(rest, extendU(ne(low, i64(0)))));
            round();
            f.if(ne(rest, i64(0)), () => f.set(flags, or(or(flags, i32(SW.UE | SW.PE)), shl(away, 9))));
            give(ltS(kept, i64(0)), kept);
          },
        ),
      );
      f.if(eqz(kept), () => f.set(kept, i64(INTEGER_BIT)));
      f.set(exponent, carried);
      f.if(ne(rest, i64(0)), () => f.set(flags, or(or(flags, i32(SW.PE)), shl(away, 9))));
      f.if(geS(exponent, i32(0x7fff)), () => {
        f.set(flags, or(flags, i32(SW.OE)));
        f.if(
          unmasked(cpu, i32(SW.OE)),
          () => {
            f.set(exponent, sub(exponent, i32(SCALING)));
            f.if(geS(exponent, i32(0x7fff)), () => {
              f.set(flags, or(flags, i32(SW.PE | SW.C1)));
              give(i32(0x7fff), i64(INTEGER_BIT));
            });
          },
          () => {
            const infinite = f.let(roundsAway(f, cpu, negative, i32(1), i64(-1)));
            f.set(flags, or(or(and(flags, i32(~SW.C1)), i32(SW.PE)), shl(infinite, 9)));
            f.if(infinite, () => give(i32(0x7fff), i64(INTEGER_BIT)));
            give(i32(0x7ffe), sub(i64(0), unit));
          },
        );
      });
      give(exponent, kept);
    },
  };
}

/**
 * (cpu, register, sign 0 or 8000h, exponent, significand with bit 63 set, fraction below it, flags so far) -> 1. Rounds
 * by the precision control, stores, raises.
 */
export const roundStore = define('x87RoundStore', true);
/** The same at full precision: for what the precision control does not reach (SDM 1 8.1.5.2). */
export const roundStoreFull = define('x87RoundStoreFull', false);

/**
 * (cpu, register, sign and exponent, significand, flags) -> 1 when stored. Flags that are not masked keep the value out.
 */
export const give: SharedFunction<'i32'> = {
  name: 'x87Give',
  parameters: ['i32', 'i32', 'i32', 'i64', 'i32'],
  result: 'i32',
  exported: true,
  emit: (f, call) => {
    const cpu = f.parameter<'i32'>(0), target = f.parameter<'i32'>(1), word = f.parameter<'i32'>(2);
    const significand = f.parameter<'i64'>(3), flags = f.parameter<'i32'>(4);
    f.if(call(raiseFlags, cpu, flags), () => f.return(i32(0)));
    storeAt(f, target, word, significand);
    f.return(i32(1));
  },
};
