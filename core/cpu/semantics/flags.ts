// Lazy flags. An operation leaves two words and no record of which operation it was, so that conditions are straight-line
// code: its result, sign-extended to 64 bits, gives ZF (low half zero), PF (low byte) and SF (top bit); the vector of
// carries out of each bit, aligned to the top, gives CF (bit 31), OF (bit 31 xor bit 30) and AF (bit 3). Flags that no
// result shows (POPF, SAHF) flip PF by making bit 62 of the result differ from bit 63.
import {
  and, eqz, extendU, geS, i32, i64, type I32, type I64, ltS, ne, not, or, popcnt, select, shl, shrU, wrap, xor,
} from '../emit/expressions.ts';
import { FLAG } from '../state/layout.ts';
import { signedWide, type SemanticsContext, type Size, type Value } from './context.ts';

const CARRY_BITS = 0xc0000000 | 0;
const AUX_BIT = 8;

/** Records a result for ZF, SF and PF. */
function setResult(x: SemanticsContext, result: Value, size: Size): void {
  if (size !== 64) {
    x.setFlagResult(signedWide(result, size));
    return;
  }
  // The low half stands for zero or not: bit 8 says that the upper half is not zero, the sign fills the rest.
  const wide = x.f.let(result as I64);
  const low = or(wrap(wide), shl(ne(shrU(wide, 32), i64(0)), 8));
  const sign = select(ltS(wide, i64(0)), i64(-(2n ** 32n)), i64(0));
  x.setFlagResult(or(sign, extendU(low)));
}

function setCarries(x: SemanticsContext, vector: Value, size: Size): void {
  if (size === 32) {
    x.setFlagCarry(vector as I32);
    return;
  }
  const named = x.f.let(vector);
  const low = size === 64 ? wrap(named as I64) : (named as I32);
  const top = size === 64 ? and(wrap(shrU(named as I64, 32)), i32(CARRY_BITS)) : shl(named as I32, 32 - size);
  x.setFlagCarry(or(top, and(low, i32(AUX_BIT))));
}

/** Flags of `sum = a + b (+ carry)`; SDM 1 3.4.3.1. */
export function addFlags(x: SemanticsContext, a: Value, b: Value, sum: Value, size: Size): void {
  setResult(x, sum, size);
  setCarries(x, or(and(a, b), and(or(a, b), not(sum))), size);
}

/** Flags of `difference = a - b (- borrow)`. */
export function subFlags(x: SemanticsContext, a: Value, b: Value, difference: Value, size: Size): void {
  setResult(x, difference, size);
  setCarries(x, or(and(not(a), b), and(or(not(a), b), difference)), size);
}

/** Flags of AND, OR, XOR and TEST: CF, OF and (on silicon) AF are cleared. */
export function logicFlags(x: SemanticsContext, result: Value, size: Size): void {
  setResult(x, result, size);
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
  x.setFlagCarry(or(and(after, i32(AUX_BIT)), or(carry, shrU(xor(carry, overflow), 1))));
}

/** Sets CF and OF, each 0 or 1, and leaves the others. */
export function setCarryOverflow(x: SemanticsContext, carry: I32, overflow: I32): void {
  const c = x.f.let(carry);
  x.setFlagCarry(or(and(x.flagCarry(), i32(AUX_BIT)), or(shl(c, 31), shl(xor(c, overflow), 30))));
}

/** Flags of a shift: those of the result, CF and OF, each 0 or 1, AF cleared. */
export function shiftFlags(x: SemanticsContext, result: Value, size: Size, carry: I32, overflow: I32): void {
  const c = x.f.let(carry);
  x.setFlagCarry(or(shl(c, 31), shl(xor(c, overflow), 30)));
  setResult(x, result, size);
}

export const carryFlag = (x: SemanticsContext): I32 => shrU(x.flagCarry(), 31);
export const zeroFlag = (x: SemanticsContext): I32 => eqz(x.flagResult());
export const auxFlag = (x: SemanticsContext): I32 => and(shrU(x.flagCarry(), 3), i32(1));
export const signFlag = (x: SemanticsContext): I32 => shrU(x.flagSign(), 31);

export function overflowFlag(x: SemanticsContext): I32 {
  return shrU(xor(x.flagCarry(), shl(x.flagCarry(), 1)), 31);
}

export function parityFlag(x: SemanticsContext): I32 {
  const odd = popcnt(and(x.flagResult(), i32(0xff)));
  const flip = shrU(xor(x.flagSign(), shl(x.flagSign(), 1)), 31);
  return and(xor(xor(odd, i32(1)), flip), i32(1));
}

/** Top bit set when SF differs from OF. */
const signNotOverflow = (x: SemanticsContext): I32 =>
  xor(x.flagSign(), xor(x.flagCarry(), shl(x.flagCarry(), 1)));

/** The condition that the low four bits of Jcc, SETcc and CMOVcc name (SDM 1 appendix B), 0 or 1. */
export function condition(x: SemanticsContext, code: number): I32 {
  const when = (code & 1) === 0;
  const negative = (word: I32): I32 => (when ? ltS(word, i32(0)) : geS(word, i32(0)));
  const truth = (bit: I32): I32 => (when ? bit : eqz(bit));
  switch (code >> 1) {
    case 0:
      return negative(xor(x.flagCarry(), shl(x.flagCarry(), 1)));
    case 1:
      return negative(x.flagCarry());
    case 2:
      return when ? zeroFlag(x) : ne(x.flagResult(), i32(0));
    case 3:
      return truth(or(zeroFlag(x), carryFlag(x)));
    case 4:
      return negative(x.flagSign());
    case 5:
      return truth(parityFlag(x));
    case 6:
      return negative(signNotOverflow(x));
    default:
      return truth(or(zeroFlag(x), ltS(signNotOverflow(x), i32(0))));
  }
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
  const carry = x.f.let(and(named, i32(FLAG.CF)));
  const aux = and(shrU(named, 1), i32(AUX_BIT));
  x.setFlagCarry(or(aux, or(shl(carry, 31), shl(xor(carry, overflow), 30))));
  const zero = x.f.let(and(shrU(named, 6), i32(1)));
  const sign = x.f.let(and(shrU(named, 7), i32(1)));
  const parity = x.f.let(and(shrU(named, 2), i32(1)));
  // 0 and 300h show PF = 1: bit 62 flips it where PF is to be 0.
  const low = select(zero, i32(0), i32(0x300));
  const high = or(shl(sign, 31), shl(xor(xor(sign, parity), i32(1)), 30));
  x.setFlagResult(or(shl(extendU(high), 32), extendU(low)));
}

/** The bit at `position` of a value, 0 or 1. */
export const bitAt = (value: I64, position: I64): I32 => and(wrap(shrU(value, position)), i32(1));
