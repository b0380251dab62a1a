// Bit manipulation on general registers: POPCNT, LZCNT, TZCNT, CRC32, MOVBE, BMI1, BMI2, ADX (SDM 2A to 2D).
import {
  add, and, clz, ctz, eqz, extendU, geU, gtU, i32, type I32, i64, type I64, load32, load64, ltU, mul, ne, not, or, popcnt, rotr, select, shl, shrS, shrU, store64, sub, wrap, xor,
} from '../../emit/expressions.ts';
import { RDX } from '../../state/layout.ts';
import { literal, type Semantics, type SemanticsContext, type SharedFunction, type Size, unsignedWide, type Value } from '../context.ts';
import { carryFlag, overflowFlag, setCarryOverflow } from '../flags.ts';
import { multiplyWide } from '../x87/arithmetic.ts';

/** The register in VEX.vvvv, whose offset the immediate is. */
const third = (x: SemanticsContext): Value => {
  const at = add(x.cpu, x.immediate());
  return x.f.let(x.size === 64 ? load64(at) : load32(at));
};
const setThird = (x: SemanticsContext, value: Value): void => {
  x.f.do(store64(add(x.cpu, x.immediate()), unsignedWide(value, x.size)));
};

/** SDM 2B POPCNT: ZF from the source, the others cleared. */
export const countOnes: Semantics = (x, dst, src) => {
  const value = x.read(src);
  const count = x.f.let(popcnt(value));
  x.write(dst, count);
  // A zero result would show PF: bit 62 turns it.
  x.setFlagResult(select(eqz(value), i64(1n << 62n), i64(1)));
  x.setFlagCarry(i32(0));
};

/** ZF and SF from a result, CF as given; OF is cleared, and so are PF and AF on silicon, which the manual leaves undefined. */
function resultFlags(x: SemanticsContext, result: Value, carry: I32): void {
  const zero = eqz(result);
  const negative = x.size === 64 ? wrap(shrU(result as I64, 63)) : shrU(result as I32, x.size - 1);
  // Bit 62 of a zero result turns PF; a negative one has both upper bits.
  x.setFlagResult(select(zero, i64(1n << 62n), select(negative, i64((-1n << 62n) | 1n), i64(1))));
  x.setFlagCarry(select(carry, i32(0xc0000000 | 0), i32(0)));
}

/** LZCNT, TZCNT: CF when the source is zero, ZF when the count is. */
const countZeros =
  (count: (value: Value, size: Size) => Value): Semantics =>
  (x, dst, src) => {
    const value = x.read(src);
    const result = x.f.let(count(value, src.size));
    x.write(dst, result);
    resultFlags(x, result, eqz(value));
  };
/** SDM 2A LZCNT. */
export const countLeading: Semantics = countZeros((value, size) =>
  size === 16 ? sub(clz(value as I32), i32(16)) : clz(value),
);
/** SDM 2B TZCNT. */
export const countTrailing: Semantics = countZeros((value, size) =>
  size === 16 ? ctz(or(value as I32, i32(0x10000))) : ctz(value),
);

const swapped = (x: SemanticsContext, value: Value, size: Size): Value => {
  if (size === 16) return or(shrU(value as I32, 8), shl(and(value as I32, i32(0xff)), 8));
  if (size === 32) {
    const word = value as I32;
    return or(and(rotr(word, 8), i32(0xff00ff00 | 0)), and(rotr(word, 24), i32(0x00ff00ff)));
  }
  const wide = value as I64;
  const half = (word: I32): I64 => extendU(x.f.let(swapped(x, x.f.let(word), 32)) as I32);
  return or(shl(half(wrap(wide)), 32), half(wrap(shrU(wide, 32))));
};
/** SDM 2B MOVBE. */
export const moveSwapped: Semantics = (x, dst, src) => x.write(dst, x.f.let(swapped(x, x.read(src), dst.size)));

/** (crc, value, bits) -> CRC-32C, polynomial 11EDC6F41h, bits reflected. */
const crcOf: SharedFunction<'i32'> = {
  name: 'crc32c',
  parameters: ['i32', 'i64', 'i32'],
  result: 'i32',
  emit: (f) => {
    const crc = f.parameter<'i32'>(0), value = f.parameter<'i64'>(1), bits = f.parameter<'i32'>(2);
    f.loop((again) => {
      f.set(crc, xor(crc, and(wrap(value), i32(0xff))));
      for (let bit = 0; bit < 8; bit++) f.set(crc, xor(shrU(crc, 1), and(i32(0x82f63b78 | 0), sub(i32(0), and(crc, i32(1))))));
      f.set(value, shrU(value, 8));
      f.set(bits, sub(bits, i32(8)));
      f.brIf(again, bits);
    });
    f.return(crc);
  },
};
/** SDM 2A CRC32. */
export const crc32: Semantics = (x, dst, src) => {
  const value = unsignedWide(x.read(src), src.size);
  const before = x.read({ kind: dst.kind, size: 32 }) as I32;
  x.write({ kind: dst.kind, size: 32 }, x.call(crcOf, before, value, i32(src.size)));
};

/** SDM 2A ANDN. */
export const andNot: Semantics = (x, dst, src) => {
  const b = x.read(src);
  const result = x.f.let(and(not(third(x)), b));
  x.write(dst, result);
  resultFlags(x, result, i32(0));
};
/** BLSR, BLSMSK, BLSI: the destination is VEX.vvvv. */
const lowestBit =
  (operation: (value: Value, size: Size) => Value, carry: (value: Value) => I32): Semantics =>
  (x, src) => {
    const value = x.read(src);
    const result = x.f.let(operation(value, x.size));
    setThird(x, result);
    resultFlags(x, result, carry(value));
  };
/** SDM 2A BLSR. */
export const resetLowest: Semantics = lowestBit((v, size) => and(v, sub(v, literal(size, 1))), (v) => eqz(v));
/** SDM 2A BLSMSK. */
export const maskLowest: Semantics = lowestBit((v, size) => xor(v, sub(v, literal(size, 1))), (v) => eqz(v));
/** SDM 2A BLSI. */
export const isolateLowest: Semantics = lowestBit((v, size) => and(v, sub(literal(size, 0), v)), (v) => eqz(eqz(v)));

/** The low byte of VEX.vvvv as a count. */
const controlByte = (x: SemanticsContext, shift: number): I32 => {
  const control = third(x);
  const word = x.size === 64 ? wrap(control as I64) : (control as I32);
  return x.f.let(and(shrU(word, shift), i32(0xff)));
};
const countOf = (x: SemanticsContext, count: I32): Value => (x.size === 64 ? extendU(count) : count);
/** Ones in the low `count` bits, all from the size on. */
const lowMask = (x: SemanticsContext, count: I32): Value =>
  select(geU(count, i32(x.size)), literal(x.size, -1), sub(shl(literal(x.size, 1), countOf(x, count)), literal(x.size, 1)));
/** SDM 2A BEXTR. */
export const extractBits: Semantics = (x, dst, src) => {
  const value = x.read(src);
  const start = controlByte(x, 0), length = controlByte(x, 8);
  const moved = select(geU(start, i32(x.size)), literal(x.size, 0), shrU(value, countOf(x, start)));
  const result = x.f.let(and(moved, lowMask(x, length)));
  x.write(dst, result);
  // SF, undefined, is cleared on silicon.
  x.setFlagResult(select(eqz(result), i64(1n << 62n), i64(1)));
  x.setFlagCarry(i32(0));
};
/** SDM 2A BZHI. */
export const zeroHigh: Semantics = (x, dst, src) => {
  const value = x.read(src);
  const count = controlByte(x, 0);
  const result = x.f.let(and(value, lowMask(x, count)));
  x.write(dst, result);
  resultFlags(x, result, gtU(count, i32(x.size - 1)));
};
/** SDM 2B MULX: the low half to VEX.vvvv, then the high half to the destination. */
export const multiplyNoFlags: Semantics = (x, dst, src) => {
  const { f } = x;
  const b = x.read(src), a = x.register(RDX, x.size);
  if (x.size === 32) {
    const product = f.let(mul(extendU(a as I32), extendU(b as I32)));
    setThird(x, wrap(product));
    x.write(dst, wrap(shrU(product, 32)));
    return;
  }
  const high = f.local('i64'), low = f.local('i64');
  multiplyWide(f, f.let(a) as I64, b as I64, high, low);
  setThird(x, low);
  x.write(dst, high);
};
/** SDM 2B RORX. */
export const rotateNoFlags: Semantics = (x, dst, src) => {
  const value = x.read(src);
  x.write(dst, rotr(value, countOf(x, and(x.immediate(), i32(x.size - 1)))));
};
const shiftNoFlags =
  (shift: (value: Value, count: Value) => Value): Semantics =>
  (x, dst, src) => {
    const value = x.read(src);
    x.write(dst, shift(value, third(x)));
  };
/** SDM 2B SARX, SHLX, SHRX: WebAssembly masks counts as x86 does. */
export const shiftLeftNoFlags: Semantics = shiftNoFlags((value, count) => shl(value, count));
export const shiftRightNoFlags: Semantics = shiftNoFlags((value, count) => shrU(value, count));
export const shiftSignedNoFlags: Semantics = shiftNoFlags((value, count) => shrS(value, count));

/** (source, mask) -> SDM 2B PDEP, PEXT: bits to the places of a mask, or from them. */
const spread = (name: string, isDeposit: boolean): SharedFunction<'i64'> => ({
  name,
  parameters: ['i64', 'i64'],
  result: 'i64',
  emit: (f) => {
    const source = f.parameter<'i64'>(0), mask = f.parameter<'i64'>(1);
    const result = f.local('i64'), bit = f.local('i64');
    f.set(result, i64(0));
    f.set(bit, i64(1));
    f.block((done) =>
      f.loop((again) => {
        f.brIf(done, eqz(mask));
        const lowest = f.let(and(mask, sub(i64(0), mask)));
        const taken = ne(and(source, isDeposit ? bit : lowest), i64(0));
        f.set(result, or(result, select(taken, isDeposit ? lowest : bit, i64(0))));
        f.set(bit, shl(bit, 1));
        f.set(mask, xor(mask, lowest));
        f.br(again);
      }),
    );
    f.return(result);
  },
});
const depositFunction = spread('depositBits', true), extractFunction = spread('extractBits', false);
const withMask =
  (callee: SharedFunction<'i64'>): Semantics =>
  (x, dst, src) => {
    const mask = unsignedWide(x.read(src), x.size), source = unsignedWide(third(x), x.size);
    const result = x.call(callee, source, mask);
    x.write(dst, x.size === 64 ? result : wrap(result));
  };
export const deposit: Semantics = withMask(depositFunction);
export const gatherBits: Semantics = withMask(extractFunction);

/** SDM 2A ADCX, ADOX: one carry chain each, the other flags stay. */
export const addChained =
  (usesOverflow: boolean): Semantics =>
  (x, dst, src) => {
    const { f } = x;
    const b = x.read(src), a = x.read(dst);
    const carryIn = f.let(carryFlag(x)), overflowIn = f.let(overflowFlag(x));
    const partial = f.let(add(a, b));
    const given = usesOverflow ? overflowIn : carryIn;
    const sum = f.let(add(partial, countOf(x, given)));
    const carryOut = f.let(or(ltU(partial, a), ltU(sum, partial)));
    x.write(dst, sum);
    if (usesOverflow) setCarryOverflow(x, carryIn, carryOut);
    else setCarryOverflow(x, carryOut, overflowIn);
  };
