// Lazy flags. An operation leaves its sign-extended result, from which ZF, SF and PF follow, and the vector of carries out
// of each bit: aligned to the top it gives CF (bit 31) and OF (bit 31 xor bit 30), its bit 3 is AF. This needs no record of
// which operation it was, so conditions are straight-line code.
import {
  and, eqz, geS, i32, i64, type I32, type I64, ltS, not, or, popcnt, select, shl, shrU, wrap, xor,
} from '../emit/expressions.ts';
import { FLAG } from '../state/layout.ts';
import { signedWide, type SemanticsContext, type Size, type Value } from './context.ts';

function setCarries(x: SemanticsContext, vector: Value, size: Size): void {
  if (size === 64) {
    const named = x.f.let(vector) as I64;
    x.setFlagCarry(wrap(shrU(named, 32)));
    x.setFlagAux(and(wrap(named), i32(8)));
    return;
  }
  const named = x.f.let(vector) as I32;
  x.setFlagCarry(shl(named, 32 - size));
  x.setFlagAux(and(named, i32(8)));
}

/** Flags of `sum = a + b (+ carry)`; SDM 1 3.4.3.1. */
export function addFlags(x: SemanticsContext, a: Value, b: Value, sum: Value, size: Size): void {
  x.setFlagResult(signedWide(sum, size));
  setCarries(x, or(and(a, b), and(or(a, b), not(sum))), size);
}

/** Flags of `difference = a - b (- borrow)`. */
export function subFlags(x: SemanticsContext, a: Value, b: Value, difference: Value, size: Size): void {
  x.setFlagResult(signedWide(difference, size));
  setCarries(x, or(and(not(a), b), and(or(not(a), b), difference)), size);
}

/** Flags of AND, OR, XOR and TEST: CF, OF and (on silicon) AF are cleared. */
export function logicFlags(x: SemanticsContext, result: Value, size: Size): void {
  x.setFlagResult(signedWide(result, size));
  x.setFlagAux(i32(0));
  x.setFlagCarry(i32(0));
}

/** As addFlags or subFlags, CF staying as it is (INC, DEC). */
export function keepCarry(x: SemanticsContext, setFlags: () => void): void {
  const before = x.f.let(x.flagCarry());
  setFlags();
  const after = x.f.let(x.flagCarry());
  // OF is bit 31 xor bit 30: put the old CF in bit 31 and keep the difference.
  const overflow = and(xor(after, shl(after, 1)), i32(1 << 31));
  const carry = and(before, i32(1 << 31));
  x.setFlagCarry(or(carry, shrU(xor(carry, overflow), 1)));
}

/** Sets CF and OF, each 0 or 1, and leaves the others. */
export function setCarryOverflow(x: SemanticsContext, carry: I32, overflow: I32): void {
  const c = x.f.let(carry);
  x.setFlagCarry(or(shl(c, 31), shl(xor(c, overflow), 30)));
}

/** ZF, SF and PF of a result, AF cleared. */
export function resultFlags(x: SemanticsContext, result: Value, size: Size): void {
  x.setFlagResult(signedWide(result, size));
  x.setFlagAux(i32(0));
}

export const carryFlag = (x: SemanticsContext): I32 => shrU(x.flagCarry(), 31);
export const zeroFlag = (x: SemanticsContext): I32 => eqz(x.flagResult());
export const auxFlag = (x: SemanticsContext): I32 => and(shrU(x.flagAux(), 3), i32(1));

export function overflowFlag(x: SemanticsContext): I32 {
  return shrU(xor(x.flagCarry(), shl(x.flagCarry(), 1)), 31);
}

export function signFlag(x: SemanticsContext): I32 {
  return and(xor(wrap(shrU(x.flagResult(), 63)), shrU(x.flagAux(), 17)), i32(1));
}

export function parityFlag(x: SemanticsContext): I32 {
  const odd = popcnt(and(wrap(x.flagResult()), i32(0xff)));
  return and(xor(xor(odd, i32(1)), shrU(x.flagAux(), 16)), i32(1));
}

/** The condition that the low four bits of Jcc, SETcc and CMOVcc name (SDM 1 appendix B), 0 or 1. */
export function condition(x: SemanticsContext, code: number): I32 {
  const positive = (): I32 => {
    switch (code >> 1) {
      case 0:
        return ltS(xor(x.flagCarry(), shl(x.flagCarry(), 1)), i32(0));
      case 1:
        return ltS(x.flagCarry(), i32(0));
      case 2:
        return zeroFlag(x);
      case 3:
        return or(zeroFlag(x), carryFlag(x));
      case 4:
        return signFlag(x);
      case 5:
        return parityFlag(x);
      case 6:
        return xor(signFlag(x), overflowFlag(x));
      default:
        return or(zeroFlag(x), xor(signFlag(x), overflowFlag(x)));
    }
  };
  if ((code & 1) === 0) return positive();
  if (code === 1) return geS(xor(x.flagCarry(), shl(x.flagCarry(), 1)), i32(0));
  return code === 3 ? geS(x.flagCarry(), i32(0)) : eqz(positive());
}

/** All of EFLAGS as PUSHF sees them. */
export function readEflags(x: SemanticsContext): I32 {
  const arithmetic = or(
    or(carryFlag(x), shl(parityFlag(x), 2)),
    or(or(shl(auxFlag(x), 4), shl(zeroFlag(x), 6)), or(shl(signFlag(x), 7), shl(overflowFlag(x), 11))),
  );
  return or(x.eflags(), arithmetic);
}

/** Sets CF, PF, AF, ZF, SF from the low byte of `flags`; OF from bit 11 or, for SAHF, left as it is. */
export function writeArithmeticFlags(x: SemanticsContext, flags: I32, withOverflow: boolean): void {
  const named = x.f.let(flags);
  const overflow = withOverflow ? and(shrU(named, 11), i32(1)) : x.f.let(overflowFlag(x));
  setCarryOverflow(x, and(named, i32(FLAG.CF)), overflow);
  const zero = and(named, i32(FLAG.ZF));
  const sign = x.f.let(and(shrU(named, 7), i32(1)));
  const parity = x.f.let(and(shrU(named, 2), i32(1)));
  const aux = and(shrU(named, 1), i32(8));
  // ZF set: the result 0 shows SF = 0 and PF = 1; ZF clear: 101h shows SF = 0 and PF = 0. Correct what differs.
  const shown = select(zero, i32(1), i32(0));
  x.setFlagResult(select(zero, i64(0), i64(0x101)));
  x.setFlagAux(or(aux, or(shl(xor(parity, shown), 16), shl(sign, 17))));
}

/** The bit at `position` of a value, 0 or 1. */
export const bitAt = (value: I64, position: I64): I32 => and(wrap(shrU(value, position)), i32(1));
