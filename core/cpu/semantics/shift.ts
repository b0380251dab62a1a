// Shifts and rotates (SDM 2B RCL/RCR/ROL/ROR, SAL/SAR/SHL/SHR, SHLD, SHRD).
//
// Where we depart from the manual: OF, which it leaves undefined for counts other than 1, follows silicon: the rule for
// one-bit shifts applied to the last step. SHLD and SHRD of 16-bit operands by more than 16 continue with the destination.
import {
  and, extendU, i32, i64, type I32, type I64, or, remU, rotl, rotr, shl, shrS, shrU, sub,
  wrap, xor,
} from '../emit/expressions.ts';
import { RCX } from '../state/layout.ts';
import {
  narrow, type Operand, type Semantics, type SemanticsContext, signedWide, type Size, truncate, unsignedWide, type Value,
} from './context.ts';
import { bitAt, carryFlag, setCarryOverflow, shiftFlags } from './flags.ts';

/** Where the count comes from: an immediate operand, or CL. Masked to 5 bits (6 for 64-bit operands). */
function shiftCount(x: SemanticsContext, size: Size, source: Operand | undefined): I32 {
  const raw = source ? x.immediate() : (x.register(RCX, 8) as I32);
  return x.f.let(and(raw, i32(size === 64 ? 63 : 31)));
}

const typed = (value: I64, size: Size): Value => truncate(narrow(value, size), size);

/**
 * Runs `body` unless the count is zero, when neither operand nor flags change (but the access is still made). The decoder
 * takes immediate counts of zero elsewhere.
 */
function unlessZero(
  x: SemanticsContext,
  dst: Operand,
  source: Operand | undefined,
  body: (value: Value, count: I32) => void,
): void {
  const count = shiftCount(x, dst.size, source);
  const value = x.update(dst);
  if (source) {
    body(value, count);
    return;
  }
  x.f.if(
    count,
    () => body(value, count),
    () => x.write(dst, value),
  );
}

/** A shift by an immediate zero. */
export const shiftByZero: Semantics = (x, dst) => x.write(dst, x.update(dst));

/** Carry and overflow as i32 bits from the last bit shifted out and the result. */
const topBit = (value: Value, size: Size): I32 => wrapShift(value, size - 1);
const wrapShift = (value: Value, by: number): I32 =>
  value.type === 'i64' ? and(wrap(shrU(value as I64, by)), i32(1)) : and(shrU(value as I32, by), i32(1));

/** SDM 2B SHL. */
export const shiftLeft: Semantics = (x, dst, source) => {
  const size = dst.size;
  unlessZero(x, dst, source, (value, count) => {
    if (size === 64) {
      const before = x.f.let(shl(value as I64, sub(extendU(count), i64(1))));
      const shifted = x.f.let(shl(before, 1));
      x.write(dst, shifted);
      const last = x.f.let(wrap(shrU(before, 63)));
      shiftFlags(x, shifted, size, last, xor(last, topBit(shifted, size)));
      return;
    }
    // One i64 shift gives result and carry alike for operands up to 32 bits.
    const wide = x.f.let(shl(unsignedWide(value, size), extendU(count)));
    const result = x.f.let(typed(wide, size));
    x.write(dst, result);
    const carry = x.f.let(and(wrap(shrU(wide, size)), i32(1)));
    shiftFlags(x, result, size, carry, xor(carry, topBit(result, size)));
  });
};

/** SDM 2B SHR. OF is the top bit of the value before the last step. */
export const shiftRight: Semantics = (x, dst, source) => {
  const size = dst.size;
  unlessZero(x, dst, source, (value, count) => {
    const wide = x.f.let(unsignedWide(value, size));
    const before = x.f.let(shrU(wide, sub(extendU(count), i64(1))));
    const result = x.f.let(typed(shrU(before, 1), size));
    x.write(dst, result);
    shiftFlags(x, result, size, and(wrap(before), i32(1)), bitAt(before, i64(size - 1)));
  });
};

/** SDM 2B SAR. OF is cleared. */
export const shiftArithmeticRight: Semantics = (x, dst, source) => {
  const size = dst.size;
  unlessZero(x, dst, source, (value, count) => {
    const before = x.f.let(shrS(signedWide(value, size), sub(extendU(count), i64(1))));
    const result = x.f.let(typed(shrS(before, 1), size));
    x.write(dst, result);
    shiftFlags(x, result, size, and(wrap(before), i32(1)), i32(0));
  });
};

/** SDM 2B ROL: only CF and OF change. */
export const rotateLeft: Semantics = (x, dst, source) => {
  const size = dst.size;
  unlessZero(x, dst, source, (value, count) => {
    const by = extendU(and(count, i32(size - 1)));
    const wide = x.f.let(unsignedWide(value, size));
    const back = and(sub(i64(size), by), i64(size - 1));
    const turned = size === 64 ? rotl(wide, by) : or(shl(wide, by), shrU(wide, back));
    const result = x.f.let(typed(turned, size));
    x.write(dst, result);
    const carry = x.f.let(and(wrap(unsignedWide(result, size)), i32(1)));
    setCarryOverflow(x, carry, xor(carry, topBit(result, size)));
  });
};

/** SDM 2B ROR. */
export const rotateRight: Semantics = (x, dst, source) => {
  const size = dst.size;
  unlessZero(x, dst, source, (value, count) => {
    const by = extendU(and(count, i32(size - 1)));
    const wide = x.f.let(unsignedWide(value, size));
    const back = and(sub(i64(size), by), i64(size - 1));
    const turned = size === 64 ? rotr(wide, by) : or(shrU(wide, by), shl(wide, back));
    const result = x.f.let(typed(turned, size));
    x.write(dst, result);
    const carry = x.f.let(topBit(result, size));
    setCarryOverflow(x, carry, xor(carry, wrapShift(result, size - 2)));
  });
};

/** The count of a rotate through carry, modulo the operand size + 1 for 8 and 16 bits. */
function throughCarryCount(x: SemanticsContext, count: I32, size: Size): I32 {
  return size === 8 || size === 16 ? x.f.let(remU(count, i32(size + 1))) : count;
}

/** Rotates through carry by 1 to 63: 65 bits do not fit, so that each part is shifted for itself (by 64 as by 63 and 1). */
function rotateCarry64(x: SemanticsContext, dst: Operand, source: Operand | undefined, way: 'left' | 'right'): void {
  const [forth, back] = way === 'left' ? ([shl, shrU] as const) : ([shrU, shl] as const);
  unlessZero(x, dst, source, (given, count) => {
    const value = given as I64, by = x.f.let(extendU(count));
    const carryBefore = x.f.let(extendU(carryFlag(x)));
    // The carry goes in behind the bits that leave; what left before it comes back behind it.
    const carried = way === 'left' ? shl(carryBefore, sub(by, i64(1))) : shl(carryBefore, sub(i64(64), by));
    const around = back(back(value, sub(i64(64), by)), 1);
    const result = x.f.let(or(or(forth(value, by), carried), around));
    x.write(dst, result);
    const carry = x.f.let(way === 'left' ? bitAt(value, sub(i64(64), by)) : bitAt(value, sub(by, i64(1))));
    const other = way === 'left' ? carry : wrapShift(result, 62);
    setCarryOverflow(x, carry, xor(other, topBit(result, 64)));
  });
}

/** SDM 2B RCL: the operand and CF as one number of size + 1 bits (operands up to 32 bits fit an i64). */
export const rotateCarryLeft: Semantics = (x, dst, source) => {
  const size = dst.size;
  if (size === 64) {
    rotateCarry64(x, dst, source, 'left');
    return;
  }
  unlessZero(x, dst, source, (value, count) => {
    const by = x.f.let(extendU(throughCarryCount(x, count, size)));
    const carryBefore = x.f.let(carryFlag(x));
    const wide = x.f.let(or(unsignedWide(value, size), shl(extendU(carryBefore), size)));
    const rotated = x.f.let(or(shl(wide, by), shrU(wide, sub(i64(size + 1), by))));
    const result = x.f.let(typed(rotated, size));
    x.write(dst, result);
    const carry = x.f.let(bitAt(rotated, i64(size)));
    setCarryOverflow(x, carry, xor(carry, topBit(result, size)));
  });
};

/** SDM 2B RCR. */
export const rotateCarryRight: Semantics = (x, dst, source) => {
  const size = dst.size;
  if (size === 64) {
    rotateCarry64(x, dst, source, 'right');
    return;
  }
  unlessZero(x, dst, source, (value, count) => {
    const by = x.f.let(extendU(throughCarryCount(x, count, size)));
    const carryBefore = x.f.let(carryFlag(x));
    const wide = x.f.let(or(unsignedWide(value, size), shl(extendU(carryBefore), size)));
    const rotated = x.f.let(or(shrU(wide, by), shl(wide, sub(i64(size + 1), by))));
    const result = x.f.let(typed(rotated, size));
    x.write(dst, result);
    setCarryOverflow(x, bitAt(rotated, i64(size)), xor(topBit(result, size), wrapShift(result, size - 2)));
  });
};

/** Shared part of SHLD and SHRD. */
function doubleShift(
  x: SemanticsContext,
  dst: Operand,
  source: Operand | undefined,
  body: (value: I64, count: I64) => { result: Value; carry: I32 },
): void {
  const size = dst.size;
  unlessZero(x, dst, source, (value, count) => {
    const { result, carry } = body(x.f.let(unsignedWide(value, size)), x.f.let(extendU(count)));
    const named = x.f.let(result), carryNamed = x.f.let(carry);
    x.write(dst, named);
    shiftFlags(x, named, size, carryNamed, xor(topBit(value, size), topBit(named, size)));
  });
}

/** SDM 2B SHLD. */
export const doubleShiftLeft: Semantics = (x, dst, src, source) => {
  const size = dst.size;
  const filler = x.f.let(unsignedWide(x.read(src), size));
  doubleShift(x, dst, source, (value, count) => {
    if (size === 64) {
      const shifted = or(shl(value, count), shrU(filler, sub(i64(64), count)));
      return { result: shifted, carry: bitAt(value, sub(i64(64), count)) };
    }
    if (size === 16) {
      // dst:src:dst in 48 bits, so that counts up to 31 shift in the destination again.
      const chain = x.f.let(or(or(shl(value, 32), shl(filler, 16)), value));
      const shifted = x.f.let(shl(chain, count));
      return { result: typed(shrU(shifted, 32), 16), carry: bitAt(shifted, i64(48)) };
    }
    const chain = or(shl(value, 32), filler);
    const before = x.f.let(shl(chain, sub(count, i64(1))));
    return { result: wrap(shrU(shl(before, 1), 32)), carry: bitAt(before, i64(63)) };
  });
};

/** SDM 2B SHRD. */
export const doubleShiftRight: Semantics = (x, dst, src, source) => {
  const size = dst.size;
  const filler = x.f.let(unsignedWide(x.read(src), size));
  doubleShift(x, dst, source, (value, count) => {
    if (size === 64) {
      const shifted = or(shrU(value, count), shl(filler, sub(i64(64), count)));
      return { result: shifted, carry: bitAt(value, sub(count, i64(1))) };
    }
    const chain = size === 16 ? or(or(shl(value, 32), shl(filler, 16)), value) : or(shl(filler, 32), value);
    const before = x.f.let(shrU(chain, sub(count, i64(1))));
    return { result: typed(shrU(before, 1), size), carry: and(wrap(before), i32(1)) };
  });
};

