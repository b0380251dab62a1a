// Integer arithmetic and logic.
//
// Where we depart from the manual: flags that it leaves undefined take the values that recent Intel silicon gives where
// they are simple (AND/OR/XOR clear AF; MUL and IMUL set SF and PF from the low half, clear ZF and AF).
import {
  add, and, divS, divU, eq, eqz, extendU, geU, gtU, i32, i64, type I32, type I64, load64, mul, ne, neg, not, or, remS,
  remU, select, shl, shrS, shrU, signExtend, store64, sub, wrap, xor,
} from '../emit/expressions.ts';
import { FIELD, RAX, RDX } from '../state/layout.ts';
import {
  literal, narrow, type Operand, type Semantics, type SemanticsContext, type SharedFunction, signedWide, type Size, truncate,
  unsignedWide, type Value,
} from './context.ts';
import { addFlags, carryFlag, keepCarry, logicFlags, subFlags } from './flags.ts';

const carryIn = (x: SemanticsContext, size: Size): Value => {
  const carry = carryFlag(x);
  return size === 64 ? extendU(carry) : carry;
};

/** SDM 2A ADD. */
export const addition: Semantics = (x, dst, src) => {
  const b = x.read(src), a = x.update(dst);
  const sum = x.f.let(truncate(add(a, b), dst.size));
  x.write(dst, sum);
  addFlags(x, a, b, sum, dst.size);
};

/** SDM 2A ADC. */
export const addWithCarry: Semantics = (x, dst, src) => {
  const b = x.read(src), a = x.update(dst);
  const sum = x.f.let(truncate(add(add(a, b), carryIn(x, dst.size)), dst.size));
  x.write(dst, sum);
  addFlags(x, a, b, sum, dst.size);
};

/** SDM 2B SUB. */
export const subtract: Semantics = (x, dst, src) => {
  const b = x.read(src), a = x.update(dst);
  const difference = x.f.let(truncate(sub(a, b), dst.size));
  x.write(dst, difference);
  subFlags(x, a, b, difference, dst.size);
};

/** SDM 2B SBB. */
export const subtractWithBorrow: Semantics = (x, dst, src) => {
  const b = x.read(src), a = x.update(dst);
  const difference = x.f.let(truncate(sub(sub(a, b), carryIn(x, dst.size)), dst.size));
  x.write(dst, difference);
  subFlags(x, a, b, difference, dst.size);
};

/** SDM 2A CMP. */
export const compare: Semantics = (x, dst, src) => {
  const b = x.read(src), a = x.read(dst);
  const difference = x.f.let(truncate(sub(a, b), dst.size));
  subFlags(x, a, b, difference, dst.size);
};

const logic =
  (operation: (a: Value, b: Value) => Value): Semantics =>
  (x, dst, src) => {
    const b = x.read(src), a = x.update(dst);
    const result = x.f.let(operation(a, b));
    x.write(dst, result);
    logicFlags(x, result, dst.size);
  };
/** SDM 2A AND. */
export const logicalAnd: Semantics = logic(and);
/** SDM 2B OR. */
export const logicalOr: Semantics = logic(or);
/** SDM 2D XOR. */
export const logicalXor: Semantics = logic(xor);

/** SDM 2B TEST. */
export const test: Semantics = (x, dst, src) => {
  const b = x.read(src), a = x.read(dst);
  logicFlags(x, x.f.let(and(a, b)), dst.size);
};

/** SDM 2A INC. */
export const increment: Semantics = (x, dst) => {
  const a = x.update(dst);
  const sum = x.f.let(truncate(add(a, literal(dst.size, 1)), dst.size));
  x.write(dst, sum);
  keepCarry(x, () => addFlags(x, a, literal(dst.size, 1), sum, dst.size));
};

/** SDM 2A DEC. */
export const decrement: Semantics = (x, dst) => {
  const a = x.update(dst);
  const difference = x.f.let(truncate(sub(a, literal(dst.size, 1)), dst.size));
  x.write(dst, difference);
  keepCarry(x, () => subFlags(x, a, literal(dst.size, 1), difference, dst.size));
};

/** SDM 2B NEG. */
export const negate: Semantics = (x, dst) => {
  const a = x.update(dst);
  const result = x.f.let(truncate(neg(a), dst.size));
  x.write(dst, result);
  subFlags(x, literal(dst.size, 0), a, result, dst.size);
};

/** SDM 2B NOT: no flags. */
export const complement: Semantics = (x, dst) => {
  const a = x.update(dst);
  x.write(dst, truncate(not(a), dst.size));
};

/** Stores a double-width product or dividend part: AX for bytes, else (E)DX:(E)AX. */
function setDouble(x: SemanticsContext, size: Size, wide: I64): void {
  if (size === 8) {
    x.setRegister(RAX, 16, and(wrap(wide), i32(0xffff)));
    return;
  }
  const mask = size === 16 ? 0xffff : -1;
  x.setRegister(RAX, size, and(wrap(wide), i32(mask)));
  x.setRegister(RDX, size, and(wrap(shrU(wide, size)), i32(mask)));
}

function productFlags(x: SemanticsContext, low: Value, size: Size, overflow: I32): void {
  // Silicon clears ZF whatever the product: 300h shows SF = 0 and PF = 1 as a zero product would.
  const wide = x.f.let(signedWide(low, size));
  const shown = size === 64 ? or(and(wide, i64(0xff)), and(shrS(wide, 63), i64(-(2n ** 32n)))) : wide;
  x.setFlagResult(size === 64 ? or(shown, i64(0x100)) : select(eqz(wide), i64(0x300), shown));
  x.setFlagCarry(shl(overflow, 31));
}

/** (a, b) -> the upper half of the unsigned product. */
export const mulHigh: SharedFunction<'i64'> = {
  name: 'mulHigh',
  parameters: ['i64', 'i64'],
  result: 'i64',
  emit: (f) => {
    const a = f.parameter<'i64'>(0), b = f.parameter<'i64'>(1);
    const low = (value: I64): I64 => and(value, i64(0xffffffffn));
    const aLow = f.let(low(a)), aHigh = f.let(shrU(a, 32)), bLow = f.let(low(b)), bHigh = f.let(shrU(b, 32));
    const first = f.let(add(mul(aHigh, bLow), shrU(mul(aLow, bLow), 32)));
    const second = f.let(add(mul(aLow, bHigh), low(first)));
    f.return(add(mul(aHigh, bHigh), add(shrU(first, 32), shrU(second, 32))));
  },
};
/** (a, b) -> the upper half of the signed product. */
const mulHighSigned: SharedFunction<'i64'> = {
  name: 'mulHighSigned',
  parameters: ['i64', 'i64'],
  result: 'i64',
  emit: (f, call) => {
    const a = f.parameter<'i64'>(0), b = f.parameter<'i64'>(1);
    const correction = add(and(shrS(a, 63), b), and(shrS(b, 63), a));
    f.return(sub(call(mulHigh, a, b), correction));
  },
};

/** RDX:RAX = RAX * src. */
function multiplyWide(
  x: SemanticsContext, src: Operand, high: SharedFunction<'i64'>, overflows: (high: I64, low: I64) => I32,
): void {
  const b = x.f.let(x.read(src)) as I64, a = x.f.let(x.register(RAX, 64)) as I64;
  const upper = x.f.let(x.call(high, a, b)), low = x.f.let(mul(a, b));
  x.setRegister(RAX, 64, low);
  x.setRegister(RDX, 64, upper);
  productFlags(x, low, 64, overflows(upper, low));
}

/** SDM 2B MUL. */
export const multiply: Semantics = (x, src) => {
  const size = src.size;
  if (size === 64) {
    multiplyWide(x, src, mulHigh, (high) => ne(high, i64(0)));
    return;
  }
  const b = x.read(src);
  const product = x.f.let(mul(unsignedWide(x.register(RAX, size), size), unsignedWide(b, size)));
  setDouble(x, size, product);
  productFlags(x, truncate(wrap(product), size), size, ne(shrU(product, size), i64(0)));
};

/** SDM 2A IMUL, one operand. */
export const multiplySigned: Semantics = (x, src) => {
  const size = src.size;
  if (size === 64) {
    multiplyWide(x, src, mulHighSigned, (high, low) => ne(high, shrS(low, 63)));
    return;
  }
  const b = x.read(src);
  const product = x.f.let(mul(signedWide(x.register(RAX, size), size), signedWide(b, size)));
  setDouble(x, size, product);
  productFlags(x, truncate(wrap(product), size), size, ne(product, signExtend(product, size)));
};

function multiplyInto(x: SemanticsContext, dst: Operand, a: Value, b: Value): void {
  const size = dst.size;
  if (size === 64) {
    const first = x.f.let(a) as I64, second = x.f.let(b) as I64;
    const whole = x.f.let(mul(first, second));
    x.write(dst, whole);
    productFlags(x, whole, 64, ne(x.call(mulHighSigned, first, second), shrS(whole, 63)));
    return;
  }
  const product = x.f.let(mul(signedWide(a, size), signedWide(b, size)));
  const low = x.f.let(truncate(wrap(product), size));
  x.write(dst, low);
  productFlags(x, low, size, ne(product, signExtend(product, size)));
}
/** SDM 2A IMUL r, r/m. */
export const multiplyTwo: Semantics = (x, dst, src) => {
  const b = x.read(src);
  multiplyInto(x, dst, x.read(dst), b);
};
/** SDM 2A IMUL r, r/m, imm. */
export const multiplyThree: Semantics = (x, dst, src, factor) => {
  const a = x.read(src);
  multiplyInto(x, dst, a, x.read(factor));
};

/** The dividend (E)DX:(E)AX or AX as i64. */
function dividend(x: SemanticsContext, size: Size, signed: boolean): I64 {
  if (size === 8) {
    const ax = x.register(RAX, 16);
    return x.f.let(signed ? signedWide(ax, 16) : unsignedWide(ax, 16));
  }
  const low = unsignedWide(x.register(RAX, size), size);
  const high = signed ? signedWide(x.register(RDX, size), size) : unsignedWide(x.register(RDX, size), size);
  return x.f.let(or(shl(high, size), low));
}

function setQuotient(x: SemanticsContext, size: Size, quotient: I64, remainder: I64): void {
  const mask = size === 16 ? 0xffff : -1;
  if (size === 8) {
    const bytes = or(and(wrap(quotient), i32(0xff)), shl(and(wrap(remainder), i32(0xff)), 8));
    x.setRegister(RAX, 16, bytes);
    return;
  }
  x.setRegister(RAX, size, and(wrap(quotient), i32(mask)));
  x.setRegister(RDX, size, and(wrap(remainder), i32(mask)));
}

/** Where divideWide leaves the remainder. */
const REMAINDER = FIELD.scratch + 48;

/** (cpu, high, low, divisor > high) -> quotient of a 128-bit dividend, by restoring division. */
const divideWide: SharedFunction<'i64'> = {
  name: 'divideWide',
  parameters: ['i32', 'i64', 'i64', 'i64'],
  result: 'i64',
  emit: (f) => {
    const cpu = f.parameter<'i32'>(0), divisor = f.parameter<'i64'>(3);
    const rest = f.local('i64'), bits = f.local('i64'), count = f.local('i32');
    f.set(rest, f.parameter<'i64'>(1));
    f.set(bits, f.parameter<'i64'>(2));
    f.if(eqz(rest), () => {
      f.do(store64(cpu, remU(bits, divisor), REMAINDER));
      f.return(divU(bits, divisor));
    });
    f.set(count, i32(64));
    f.loop((again) => {
      const carry = f.let(shrU(rest, 63));
      f.set(rest, or(shl(rest, 1), shrU(bits, 63)));
      f.set(bits, shl(bits, 1));
      f.if(or(wrap(carry), geU(rest, divisor)), () => {
        f.set(rest, sub(rest, divisor));
        f.set(bits, or(bits, i64(1)));
      });
      f.set(count, sub(count, i32(1)));
      f.brIf(again, count);
    });
    f.do(store64(cpu, rest, REMAINDER));
    f.return(bits);
  },
};

const setWideQuotient = (x: SemanticsContext, quotient: I64, remainder: I64): void => {
  x.setRegister(RDX, 64, remainder);
  x.setRegister(RAX, 64, quotient);
};

function divide64(x: SemanticsContext, src: Operand): void {
  const divisor = x.f.let(x.read(src)) as I64, high = x.f.let(x.register(RDX, 64)) as I64;
  x.raiseIf(geU(high, divisor), 0);
  const quotient = x.f.let(x.call(divideWide, x.cpu, high, x.register(RAX, 64), divisor));
  setWideQuotient(x, quotient, load64(x.cpu, REMAINDER));
}

function divideSigned64(x: SemanticsContext, src: Operand): void {
  const { f } = x;
  const value = f.let(x.read(src)) as I64;
  const low = f.let(x.register(RAX, 64)) as I64, high = f.let(x.register(RDX, 64)) as I64;
  const sign = f.let(shrS(high, 63)), divisorSign = f.let(shrS(value, 63));
  const divisor = f.let(sub(xor(value, divisorSign), divisorSign));
  // The dividend's magnitude: its low half's negation borrows unless it is zero.
  const lowPart = f.let(sub(xor(low, sign), sign));
  const borrow = and(extendU(ne(low, i64(0))), sign);
  const highPart = f.let(sub(sub(xor(high, sign), sign), and(borrow, i64(1))));
  x.raiseIf(geU(highPart, divisor), 0);
  const magnitude = f.let(x.call(divideWide, x.cpu, highPart, lowPart, divisor));
  const quotientSign = f.let(xor(sign, divisorSign));
  x.raiseIf(gtU(magnitude, sub(i64(2n ** 63n - 1n), quotientSign)), 0);
  const remainder = f.let(load64(x.cpu, REMAINDER));
  setWideQuotient(x, f.let(sub(xor(magnitude, quotientSign), quotientSign)), f.let(sub(xor(remainder, sign), sign)));
}

/** SDM 2A DIV. Flags stay as they are. */
export const divide: Semantics = (x, src) => {
  const size = src.size;
  if (size === 64) {
    divide64(x, src);
    return;
  }
  const divisor = x.f.let(unsignedWide(x.read(src), size));
  x.raiseIf(eqz(divisor), 0);
  const value = dividend(x, size, false);
  const quotient = x.f.let(divU(value, divisor));
  x.raiseIf(gtU(quotient, i64(2 ** size - 1)), 0);
  setQuotient(x, size, quotient, x.f.let(remU(value, divisor)));
};

/** SDM 2A IDIV. */
export const divideSigned: Semantics = (x, src) => {
  const size = src.size;
  if (size === 64) {
    divideSigned64(x, src);
    return;
  }
  const divisor = x.f.let(signedWide(x.read(src), size));
  x.raiseIf(eqz(divisor), 0);
  const value = dividend(x, size, true);
  // -2^63 / -1 would trap in WebAssembly; its quotient is out of range for every operand size.
  x.raiseIf(and(eq(value, i64(-(2n ** 63n))), eq(divisor, i64(-1))), 0);
  const quotient = x.f.let(divS(value, divisor));
  x.raiseIf(ne(quotient, signExtend(quotient, size)), 0);
  setQuotient(x, size, quotient, x.f.let(remS(value, divisor)));
};

/** SDM 2A CBW/CWDE/CDQE. */
export const extendAccumulator: Semantics = (x) => {
  const half = x.size === 16 ? 8 : x.size === 32 ? 16 : 32;
  x.setRegister(RAX, x.size, truncate(narrow(signedWide(x.register(RAX, half), half), x.size), x.size));
};

/** SDM 2A CWD/CDQ/CQO. */
export const spreadSign: Semantics = (x) => {
  const sign = shrS(signedWide(x.register(RAX, x.size), x.size), 63);
  x.setRegister(RDX, x.size, truncate(narrow(sign, x.size), x.size));
};

/** SDM 2D XADD. */
export const exchangeAdd: Semantics = (x, dst, src) => {
  const b = x.read(src), a = x.update(dst);
  const sum = x.f.let(truncate(add(a, b), dst.size));
  // The source first: XADD of a register with itself leaves the sum.
  x.write(src, a);
  x.write(dst, sum);
  addFlags(x, a, b, sum, dst.size);
};

/** SDM 2A CMPXCHG: the destination is written in either case. */
export const compareExchange: Semantics = (x, dst, src) => {
  const b = x.read(src), a = x.update(dst);
  const accumulator = x.f.let(x.register(RAX, dst.size));
  const equal = x.f.let(eq(accumulator, a));
  // Memory is always written; a register that differs keeps its upper half, as on silicon.
  if (dst.kind === 'memory') x.write(dst, select(equal, b, a));
  else x.f.if(equal, () => x.write(dst, b));
  // Equal, a 32-bit accumulator keeps its upper half (SDM 2A CMPXCHG).
  x.f.if(eqz(equal), () => x.setRegister(RAX, dst.size, a));
  const difference = x.f.let(truncate(sub(accumulator, a), dst.size));
  subFlags(x, accumulator, a, difference, dst.size);
};
