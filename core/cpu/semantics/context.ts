// What a semantics function writes its instruction against. The interpreter implements it with operands found in the
// record; a translator may implement it with operands known while emitting.
import { and, constant, type Expression, extendS, extendU, type I32, type I64, signExtend, wrap } from '../emit/expressions.ts';
import type { FunctionBuilder } from '../emit/functionBuilder.ts';
import type { ValueType } from '../emit/wasmEncoder.ts';

export type Size = 8 | 16 | 32 | 64;
/** Vector operands may be wider; their semantics know by themselves. */
export type OperandSize = Size | 128;

/** i32 for operands of 8, 16 and 32 bits, i64 for 64; zero-extended to the type. */
export type Value = Expression<ValueType>;

/**
 * `a`: the register in ModRM.reg or a fixed one; `b`: the register in ModRM.rm, the opcode or a fixed one;
 * `memory`: the address in ModRM.rm; `immediate`: sign-extended to 32 bits.
 */
export type OperandKind = 'a' | 'b' | 'memory' | 'immediate';

export interface Operand {
  readonly kind: OperandKind;
  readonly size: Size;
}

/** A function that meanings share; it is put into the module when something first calls it. */
export interface SharedFunction<T extends ValueType = ValueType> {
  readonly name: string;
  readonly parameters: readonly ValueType[];
  readonly result: T;
  /** TypeScript may call it too, under its name. */
  readonly exported?: boolean;
  readonly emit: (f: FunctionBuilder, call: SharedCall) => void;
}
export type SharedCall = <T extends ValueType>(callee: SharedFunction<T>, ...values: readonly Expression[]) => Expression<T>;

export interface SemanticsContext {
  readonly f: FunctionBuilder;
  /** Address of the vCPU's state. */
  readonly cpu: I32;
  readonly call: SharedCall;
  /** Operand size of the instruction. */
  readonly size: Size;

  /** Reads an operand once. */
  read(operand: Operand): Value;
  /** Reads an operand that is going to be written: faults as a write does. */
  update(operand: Operand): Value;
  /** Writes; a memory operand that `update` read cannot fault any more. */
  write(operand: Operand, value: Value): void;
  /** The effective address of a memory operand, wrapped to the address size. */
  effectiveAddress(): I64;
  /** Memory at an effective address in the operand's segment, for operands with a displacement of their own. */
  readAt(address: I64, size: Size): Value;
  updateAt(address: I64, size: Size): Value;
  writeAt(address: I64, size: Size, value: Value): void;
  /** Faults as a write would, and changes nothing. */
  probeWrite(address: I64, size: Size): void;
  immediate(): I32;
  /** The 64 bits of an Iq operand. */
  wideImmediate(): I64;

  register(index: number, size: Size): Value;
  setRegister(index: number, size: Size, value: Value): void;
  /** AH, CH, DH or BH. */
  highByte(index: number): I32;
  setHighByte(index: number, value: I32): void;

  /** Pushes; ESP changes only when the write did not fault. */
  push(value: Value, size: Size): void;
  /** Reads at an offset in the stack segment, wrapped to the stack's address size. */
  readStack(address: I64, size: Size): Value;
  /** Sets the stack pointer within the stack's address size. */
  setStackPointer(value: I64): void;

  /** Low half of the lazy result, and its upper half. */
  flagResult(): I32;
  flagSign(): I32;
  flagCarry(): I32;
  setFlagResult(value: I64): void;
  setFlagCarry(value: I32): void;
  eflags(): I32;
  setEflags(value: I32): void;

  /** A field of the vCPU's state. */
  field32(offset: number): I32;
  setField32(offset: number, value: I32): void;

  /** Raises an exception on this instruction when the condition holds. */
  raiseIf(condition: I32, vector: number, errorCode?: number): void;

  /** Address of this instruction. */
  ownRip(): I64;
  /** Selector of the memory operand's segment. */
  operandSelector(): I32;
  /** Address of the next instruction. */
  nextRip(): I64;
  /** Branches to the record's target when the condition holds; without one, always. */
  branchRelative(condition?: I32): void;
  /** In 64-bit code a branch to a non-canonical address faults, before anything has changed. */
  checkTarget(rip: I64): void;
  /** Branches to an address in the current code segment, wrapped to the operand size. */
  branchTo(rip: I64): void;
}

export type Semantics = (x: SemanticsContext, ...operands: readonly Operand[]) => void;

export const typeOf = (size: Size): ValueType => (size === 64 ? 'i64' : 'i32');

/** A constant of the type that values of this size have. */
export const literal = (size: Size, value: number): Value => constant(typeOf(size), value);

/** Cuts a value off at the size, zero-extending. */
export function truncate(value: Value, size: Size): Value {
  return size === 8 || size === 16 ? and(value as I32, constant('i32', size === 8 ? 0xff : 0xffff)) : value;
}

/** The value as i64, sign-extended from its size. */
export function signedWide(value: Value, size: Size): I64 {
  return size === 64 ? (value as I64) : extendS(signExtend(value as I32, size));
}

/** The value as i64, zero-extended. */
export function unsignedWide(value: Value, size: Size): I64 {
  return size === 64 ? (value as I64) : extendU(value as I32);
}

/** An i64 cut down to the type of the size (not masked to 8 or 16 bits). */
export function narrow(value: I64, size: Size): Value {
  return size === 64 ? value : wrap(value);
}
