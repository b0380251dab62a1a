// Typed expressions over WebAssembly. An expression is its code; using it twice evaluates it twice, so name what is used
// twice with FunctionBuilder.let. Knows no x86.
import { sleb32, sleb64, uleb, type ValueType } from './wasmEncoder.ts';

export interface Expression<T extends ValueType = ValueType> {
  readonly type: T;
  readonly code: readonly number[];
  /** The value, if it is known while emitting. */
  readonly constant?: T extends 'i64' ? bigint : number;
}

export type I32 = Expression<'i32'>;
export type I64 = Expression<'i64'>;

function make<T extends ValueType>(type: T, ...parts: readonly (readonly number[] | number)[]): Expression<T> {
  const code: number[] = [];
  for (const part of parts) {
    if (typeof part === 'number') code.push(part);
    else for (let index = 0; index < part.length; index++) code.push(part[index]);
  }
  return { type, code };
}

export function i32(value: number): I32 {
  return { type: 'i32', code: [0x41, ...sleb32(value)], constant: value | 0 };
}

export function i64(value: bigint | number): I64 {
  const wide = BigInt.asIntN(64, BigInt(value));
  return { type: 'i64', code: [0x42, ...sleb64(wide)], constant: wide };
}

/** A constant of either type. */
export function constant<T extends ValueType>(type: T, value: number): Expression<T> {
  return (type === 'i32' ? i32(value) : i64(value)) as unknown as Expression<T>;
}

type BinaryOperator =
  | 'add' | 'sub' | 'mul' | 'div_s' | 'div_u' | 'rem_s' | 'rem_u'
  | 'and' | 'or' | 'xor' | 'shl' | 'shr_s' | 'shr_u' | 'rotl' | 'rotr';
type Comparison = 'eq' | 'ne' | 'lt_s' | 'lt_u' | 'gt_s' | 'gt_u' | 'le_s' | 'le_u' | 'ge_s' | 'ge_u';

const BINARY: readonly BinaryOperator[] = [
  'add', 'sub', 'mul', 'div_s', 'div_u', 'rem_s', 'rem_u',
  'and', 'or', 'xor', 'shl', 'shr_s', 'shr_u', 'rotl', 'rotr',
];
const COMPARISONS: readonly Comparison[] = [
  'eq', 'ne', 'lt_s', 'lt_u', 'gt_s', 'gt_u', 'le_s', 'le_u', 'ge_s', 'ge_u',
];

/** Operators whose results are computed while emitting when both operands are known. */
const FOLDED: Partial<Record<BinaryOperator, (a: bigint, b: bigint, bits: bigint) => bigint>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b, bits) => a << (b & (bits - 1n)),
  shr_u: (a, b, bits) => BigInt.asUintN(Number(bits), a) >> (b & (bits - 1n)),
};

function binary<T extends ValueType>(operator: BinaryOperator, a: Expression<T>, b: Expression<T>): Expression<T> {
  const fold = FOLDED[operator];
  if (fold !== undefined && a.constant !== undefined && b.constant !== undefined) {
    const value = fold(BigInt(a.constant), BigInt(b.constant), a.type === 'i64' ? 64n : 32n);
    return (a.type === 'i64' ? i64(value) : i32(Number(BigInt.asIntN(32, value)))) as unknown as Expression<T>;
  }
  const base = a.type === 'i32' ? 0x6a : 0x7c;
  return make(a.type, a.code, b.code, base + BINARY.indexOf(operator));
}

function compare<T extends ValueType>(operator: Comparison, a: Expression<T>, b: Expression<T>): I32 {
  const base = a.type === 'i32' ? 0x46 : 0x51;
  return make('i32', a.code, b.code, base + COMPARISONS.indexOf(operator));
}

function isConstant(expression: Expression, value: number): boolean {
  return expression.constant !== undefined && Number(expression.constant) === value;
}

export function add<T extends ValueType>(a: Expression<T>, b: Expression<T>): Expression<T> {
  if (isConstant(b, 0)) return a;
  return isConstant(a, 0) ? b : binary('add', a, b);
}
export const sub = <T extends ValueType>(a: Expression<T>, b: Expression<T>): Expression<T> =>
  isConstant(b, 0) ? a : binary('sub', a, b);
export const mul = <T extends ValueType>(a: Expression<T>, b: Expression<T>): Expression<T> => binary('mul', a, b);
export const divS = <T extends ValueType>(a: Expression<T>, b: Expression<T>): Expression<T> => binary('div_s', a, b);
export const divU = <T extends ValueType>(a: Expression<T>, b: Expression<T>): Expression<T> => binary('div_u', a, b);
export const remS = <T extends ValueType>(a: Expression<T>, b: Expression<T>): Expression<T> => binary('rem_s', a, b);
export const remU = <T extends ValueType>(a: Expression<T>, b: Expression<T>): Expression<T> => binary('rem_u', a, b);
export const and = <T extends ValueType>(a: Expression<T>, b: Expression<T>): Expression<T> =>
  isConstant(b, -1) ? a : binary('and', a, b);
export const or = <T extends ValueType>(a: Expression<T>, b: Expression<T>): Expression<T> => binary('or', a, b);
export const xor = <T extends ValueType>(a: Expression<T>, b: Expression<T>): Expression<T> => binary('xor', a, b);
const shift =
  (operator: 'shl' | 'shr_s' | 'shr_u' | 'rotl' | 'rotr') =>
  <T extends ValueType>(a: Expression<T>, b: Expression<T> | number): Expression<T> => {
    const count = typeof b === 'number' ? constant(a.type, b) : b;
    return isConstant(count, 0) ? a : binary(operator, a, count);
  };
export const shl = shift('shl');
export const shrS = shift('shr_s');
export const shrU = shift('shr_u');
export const rotl = shift('rotl');
export const rotr = shift('rotr');

export const eq = <T extends ValueType>(a: Expression<T>, b: Expression<T>): I32 =>
  isConstant(b, 0) ? eqz(a) : compare('eq', a, b);
export const ne = <T extends ValueType>(a: Expression<T>, b: Expression<T>): I32 => compare('ne', a, b);
export const ltS = <T extends ValueType>(a: Expression<T>, b: Expression<T>): I32 => compare('lt_s', a, b);
export const ltU = <T extends ValueType>(a: Expression<T>, b: Expression<T>): I32 => compare('lt_u', a, b);
export const gtS = <T extends ValueType>(a: Expression<T>, b: Expression<T>): I32 => compare('gt_s', a, b);
export const gtU = <T extends ValueType>(a: Expression<T>, b: Expression<T>): I32 => compare('gt_u', a, b);
export const leS = <T extends ValueType>(a: Expression<T>, b: Expression<T>): I32 => compare('le_s', a, b);
export const leU = <T extends ValueType>(a: Expression<T>, b: Expression<T>): I32 => compare('le_u', a, b);
export const geS = <T extends ValueType>(a: Expression<T>, b: Expression<T>): I32 => compare('ge_s', a, b);
export const geU = <T extends ValueType>(a: Expression<T>, b: Expression<T>): I32 => compare('ge_u', a, b);
export const eqz = (a: Expression): I32 => make('i32', a.code, a.type === 'i32' ? 0x45 : 0x50);

const unary = <T extends ValueType>(a: Expression<T>, op32: number, op64: number): Expression<T> =>
  make(a.type, a.code, a.type === 'i32' ? op32 : op64);
export const clz = <T extends ValueType>(a: Expression<T>): Expression<T> => unary(a, 0x67, 0x79);
export const ctz = <T extends ValueType>(a: Expression<T>): Expression<T> => unary(a, 0x68, 0x7a);
export const popcnt = <T extends ValueType>(a: Expression<T>): Expression<T> => unary(a, 0x69, 0x7b);

/** The low 32 bits. */
export const wrap = (a: I64): I32 => (a.constant === undefined ? make('i32', a.code, 0xa7) : i32(Number(BigInt.asIntN(32, a.constant))));
export const extendS = (a: I32): I64 => (a.constant === undefined ? make('i64', a.code, 0xac) : i64(a.constant));
export const extendU = (a: I32): I64 => (a.constant === undefined ? make('i64', a.code, 0xad) : i64(a.constant >>> 0));

/** Sign-extends the low `bits` of a value of the same type. */
export function signExtend<T extends ValueType>(a: Expression<T>, bits: 8 | 16 | 32 | 64): Expression<T> {
  if (a.type === 'i32') return bits === 8 ? make(a.type, a.code, 0xc0) : bits === 16 ? make(a.type, a.code, 0xc1) : a;
  if (bits === 64) return a;
  return make(a.type, a.code, bits === 8 ? 0xc2 : bits === 16 ? 0xc3 : 0xc4);
}

export const not = <T extends ValueType>(a: Expression<T>): Expression<T> => xor(a, constant(a.type, -1));
export const neg = <T extends ValueType>(a: Expression<T>): Expression<T> => sub2(constant(a.type, 0), a);
const sub2 = <T extends ValueType>(a: Expression<T>, b: Expression<T>): Expression<T> => binary('sub', a, b);

/** Root of an unsigned i64 by way of f64: right to about 2^-52 of itself. */
export const sqrtEstimate = (a: I64): I64 => make('i64', a.code, 0xba, 0x9f, 0xb1);

/** `condition ? a : b`, both evaluated. */
export const select = <T extends ValueType>(condition: I32, a: Expression<T>, b: Expression<T>): Expression<T> =>
  make(a.type, a.code, b.code, condition.code, 0x1b);

// Memory. Addresses are unsigned i32; `offset` is the immediate. All accesses are declared unaligned.
const load = <T extends ValueType>(type: T, opcode: number, address: I32, offset: number): Expression<T> =>
  make(type, address.code, opcode, 0, uleb(offset));
export const load8U = (address: I32, offset = 0): I32 => load('i32', 0x2d, address, offset);
export const load16U = (address: I32, offset = 0): I32 => load('i32', 0x2f, address, offset);
export const load32 = (address: I32, offset = 0): I32 => load('i32', 0x28, address, offset);
export const load64 = (address: I32, offset = 0): I64 => load('i64', 0x29, address, offset);
export const load32Uto64 = (address: I32, offset = 0): I64 => load('i64', 0x35, address, offset);
export const load32Sto64 = (address: I32, offset = 0): I64 => load('i64', 0x34, address, offset);

/** A statement: code that leaves nothing on the stack. */
export interface Statement {
  readonly code: readonly number[];
}
const store = (opcode: number, address: I32, value: Expression, offset: number): Statement => ({
  code: make('i32', address.code, value.code, opcode, 0, uleb(offset)).code,
});
export const store8 = (address: I32, value: I32, offset = 0): Statement => store(0x3a, address, value, offset);
export const store16 = (address: I32, value: I32, offset = 0): Statement => store(0x3b, address, value, offset);
export const store32 = (address: I32, value: I32, offset = 0): Statement => store(0x36, address, value, offset);
export const store64 = (address: I32, value: I64, offset = 0): Statement => store(0x37, address, value, offset);

/** `memory.copy`: `bytes` from `source` to `target`, as if through a buffer. */
export const copyMemory = (target: I32, source: I32, bytes: I32): Statement => ({
  code: [...target.code, ...source.code, ...bytes.code, 0xfc, 0x0a, 0x00, 0x00],
});
/** `memory.fill`. */
export const fillMemory = (target: I32, value: I32, bytes: I32): Statement => ({
  code: [...target.code, ...value.code, ...bytes.code, 0xfc, 0x0b, 0x00],
});
