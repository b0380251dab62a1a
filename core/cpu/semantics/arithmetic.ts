// Integer arithmetic and logic.
//
// Where we depart from the manual: flags that it leaves undefined take the values that recent Intel silicon gives where
// they are simple (AND/OR/XOR clear AF; MUL and IMUL set SF and PF from the low half, clear ZF and AF).
import {
  add, and, divS, divU, eq, eqz, extendU, gtU, i32, i64, type I32, type I64, mul, ne, neg, not, or, remS,
  remU, select, shl, shrS, shrU, signExtend, sub, wrap, xor,
} from '../emit/expressions.ts';
import { RAX, RDX } from '../state/layout.ts';
import {
  literal, type Operand, type Semantics, type SemanticsContext, signedWide, type Size, truncate, unsignedWide, type Value,
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
  x.setFlagResult(select(eqz(wide), i64(0x300), wide));
  x.setFlagCarry(shl(overflow, 31));
}

/** SDM 2B MUL. */
export const multiply: Semantics = (x, src) => {
  const size = src.size;
  const b = x.read(src);
  const product = x.f.let(mul(unsignedWide(x.register(RAX, size), size), unsignedWide(b, size)));
  setDouble(x, size, product);
  productFlags(x, truncate(wrap(product), size), size, ne(shrU(product, size), i64(0)));
};

/** SDM 2A IMUL, one operand. */
export const multiplySigned: Semantics = (x, src) => {
  const size = src.size;
  const b = x.read(src);
  const product = x.f.let(mul(signedWide(x.register(RAX, size), size), signedWide(b, size)));
  setDouble(x, size, product);
  productFlags(x, truncate(wrap(product), size), size, ne(product, signExtend(product, size)));
};

function multiplyInto(x: SemanticsContext, dst: Operand, a: Value, b: Value): void {
  const size = dst.size;
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

/** SDM 2A DIV. Flags stay as they are. */
export const divide: Semantics = (x, src) => {
  const size = src.size;
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
  const divisor = x.f.let(signedWide(x.read(src), size));
  x.raiseIf(eqz(divisor), 0);
  const value = dividend(x, size, true);
  // -2^63 / -1 would trap in WebAssembly; its quotient is out of range for every operand size.
  x.raiseIf(and(eq(value, i64(-(2n ** 63n))), eq(divisor, i64(-1))), 0);
  const quotient = x.f.let(divS(value, divisor));
  x.raiseIf(ne(quotient, signExtend(quotient, size)), 0);
  setQuotient(x, size, quotient, x.f.let(remS(value, divisor)));
};

/** SDM 2A CBW/CWDE. */
export const extendAccumulator: Semantics = (x) => {
  const half = x.size === 16 ? 8 : 16;
  x.setRegister(RAX, x.size, truncate(signExtend(x.register(RAX, half) as I32, half), x.size));
};

/** SDM 2A CWD/CDQ. */
export const spreadSign: Semantics = (x) => {
  const signed = signExtend(x.register(RAX, x.size) as I32, x.size === 16 ? 16 : 32);
  x.setRegister(RDX, x.size, truncate(shrS(signed, 31), x.size));
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
  x.write(dst, select(equal, b, a));
  x.f.if(eqz(equal), () => x.setRegister(RAX, dst.size, a));
  const difference = x.f.let(truncate(sub(accumulator, a), dst.size));
  subFlags(x, accumulator, a, difference, dst.size);
};
