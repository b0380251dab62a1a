// Bit tests, scans and byte swaps (SDM 2A BT/BTS/BTR/BTC, BSF, BSR, BSWAP).
//
// Where we depart from the manual: BSF and BSR of zero leave the destination as it is, as silicon does; flags that the
// manual leaves undefined stay as they are except those of the scans: PF is the index's, SF/AF/CF/OF are cleared.
import {
  add, and, clz, ctz, eqz, i32, i64, type I32, type I64, not, or, rotl, select, shl, shrS, shrU, sub, wrap, xor,
} from '../emit/expressions.ts';
import { literal, type Operand, type Semantics, type SemanticsContext, signedWide, type Size, unsignedWide, type Value } from './context.ts';
import { overflowFlag, setCarryOverflow } from './flags.ts';

type Change = 'none' | 'set' | 'reset' | 'complement';

function changed(value: Value, mask: Value, change: Change): Value {
  switch (change) {
    case 'set':
      return or(value, mask);
    case 'reset':
      return and(value, not(mask));
    case 'complement':
      return xor(value, mask);
    default:
      return value;
  }
}

function carryFromBit(x: SemanticsContext, value: Value, position: Value): void {
  const shifted = shrU(value, position);
  const bit = and(shifted.type === 'i64' ? wrap(shifted as I64) : (shifted as I32), i32(1));
  setCarryOverflow(x, bit, x.f.let(overflowFlag(x)));
}

/** Bit operation with the offset taken modulo the size: registers, and any destination with an immediate. */
function testWithin(x: SemanticsContext, dst: Operand, offset: Value, change: Change): void {
  const position = x.f.let(and(offset, literal(dst.size, dst.size - 1)));
  const value = change === 'none' ? x.read(dst) : x.update(dst);
  const bit = x.f.let(shl(literal(dst.size, 1), position));
  if (change !== 'none') x.write(dst, changed(value, bit, change));
  carryFromBit(x, value, position);
}

/** A memory bit string addressed by a register: the offset is signed and reaches beyond the operand. */
function testString(x: SemanticsContext, size: Size, offset: Value, change: Change): void {
  const unit = size === 16 ? 4 : size === 32 ? 5 : 6;
  const units = shrS(signedWide(offset, size), unit);
  const address = x.f.let(add(x.effectiveAddress(), shl(units, unit - 3)));
  const position = x.f.let(and(offset, literal(size, size - 1)));
  const value = change === 'none' ? x.readAt(address, size) : x.updateAt(address, size);
  if (change !== 'none') x.writeAt(address, size, changed(value, x.f.let(shl(literal(size, 1), position)), change));
  carryFromBit(x, value, position);
}

const bitTest =
  (change: Change): Semantics =>
  (x, dst, src) => {
    const offset = x.read(src);
    if (dst.kind === 'memory' && src.kind !== 'immediate') testString(x, dst.size, offset, change);
    else testWithin(x, dst, offset, change);
  };
/** SDM 2A BT. */
export const bitTestOnly: Semantics = bitTest('none');
/** SDM 2A BTS. */
export const bitTestSet: Semantics = bitTest('set');
/** SDM 2A BTR. */
export const bitTestReset: Semantics = bitTest('reset');
/** SDM 2A BTC. */
export const bitTestComplement: Semantics = bitTest('complement');

const scan =
  (index: (value: Value, size: Size) => Value): Semantics =>
  (x, dst, src) => {
    const value = x.read(src);
    const found = x.f.let(index(value, dst.size));
    // Undefined in the manual: a source of zero leaves the destination as it is, on silicon its upper half too.
    x.f.if(eqz(eqz(value)), () => x.write(dst, found));
    // ZF is the source's; bit 8 keeps it clear while PF comes from the index.
    x.setFlagResult(select(eqz(value), i64(0), or(unsignedWide(found, dst.size), i64(0x100))));
    x.setFlagCarry(i32(0));
  };
/** SDM 2A BSF. */
export const scanForward: Semantics = scan((value) => ctz(value));
/** SDM 2A BSR. */
export const scanReverse: Semantics = scan((value) =>
  sub(value.type === 'i64' ? i64(63) : i32(31), clz(value)) as Value,
);

/** SDM 2A BSWAP. A 16-bit operand, undefined in the manual, becomes zero on silicon. */
export const byteSwap: Semantics = (x, dst) => {
  if (dst.size === 16) {
    x.write(dst, i32(0));
    return;
  }
  if (dst.size === 64) {
    const wide = x.f.let(x.read(dst)) as I64;
    const halves = x.f.let(rotl(wide, 32));
    const words = x.f.let(or(shl(and(halves, i64(0x0000ffff0000ffffn)), 16), and(shrU(halves, 16), i64(0x0000ffff0000ffffn))));
    x.write(dst, or(shl(and(words, i64(0x00ff00ff00ff00ffn)), 8), and(shrU(words, 8), i64(0x00ff00ff00ff00ffn))));
    return;
  }
  const value = x.f.let(x.read(dst)) as I32;
  const swapped = or(and(rotl(value, 8), i32(0x00ff00ff)), and(rotl(value, 24), i32(0xff00ff00 | 0)));
  x.write(dst, swapped);
};

