// Semantics with operands known while emitting: what makes code of a region. General registers and flags are in locals. What an
// instruction cannot do here (a fault, a device, an access across pages, a write to code) is left to the interpreter before
// anything of it has happened.
import {
  add, and, constant, eqz, extendU, gtS, i32, i64, type I32, type I64, load64, or, shl, shrU, sub, wrap,
} from '../emit/expressions.ts';
import type { FunctionBuilder, Local } from '../emit/functionBuilder.ts';
import type { FunctionReference } from '../emit/wasmEncoder.ts';
import { store128, type V128 } from '../emit/vectors.ts';
import type { HandlerSpecification } from '../decode/row.ts';
import type { Address } from '../interpreter/dynamicContext.ts';
import type { MemoryFunctions } from '../interpreter/memoryFunctions.ts';
import { DynamicVectorContext } from '../interpreter/vectorContext.ts';
import { type Operand, type OperandSize, type SharedCall, type Size, unsignedWide, type Value } from '../semantics/context.ts';
import { FIELD, REGISTER_BYTES, SLOT } from '../state/layout.ts';

/** A decoded instruction of a region; the fields are those of its record. */
export interface Instruction {
  /** Address of the record that the interpreter executes it by. */
  readonly record: number;
  readonly offset: number;
  readonly length: number;
  readonly specification: HandlerSpecification;
  readonly a: number;
  readonly b: number;
  readonly index: number;
  readonly slot: number;
  readonly disp: number;
  readonly imm: number;
}

/** Flags that wait: computed only where something asks for them. Null: they are in their local. */
export interface PendingFlags {
  readonly result: I64 | null;
  readonly carry: I32 | null;
}
export const SETTLED: PendingFlags = { result: null, carry: null };

/** What an instruction does, found by emitting it once. */
export interface Effects {
  readsFlags: boolean;
  /** Both words of the flags are set whatever happens. */
  setsResult: boolean;
  setsCarry: boolean;
  /** Flags are set on one path and not on another. */
  setsSometimes: boolean;
  /** It may be left to the interpreter. */
  mayLeave: boolean;
  /** It may be left when part of it has happened: it cannot be in a region. */
  leavesLate: boolean;
  branches: 'no' | 'conditional' | 'always';
  readonly registers: Set<number>;
  readonly written: Set<number>;
}
export const noEffects = (): Effects => ({
  readsFlags: false, setsResult: false, setsCarry: false, setsSometimes: false, mayLeave: false, leavesLate: false, branches: 'no',
  registers: new Set(), written: new Set(),
});

export interface RegionFrame {
  readonly f: FunctionBuilder;
  readonly cpu: I32;
  /** 64-bit code holds registers in i64, other code in i32: there their upper halves are zero. */
  readonly isWide: boolean;
  readonly registers: readonly Local[];
  readonly flagResult: Local<'i64'>;
  readonly flagCarry: Local<'i32'>;
  readonly tlbBase: I32;
  readonly pageRip: I64;
  readonly call: SharedCall;
  readonly reachRead: FunctionReference;
  readonly reachWrite: FunctionReference;
}

/** How one instruction leaves; `flags` are those at that point. */
export interface RegionExits {
  leave(flags: PendingFlags): void;
  branchRelative(condition: I32 | undefined, flags: PendingFlags): void;
  branchTo(rip: I64, flags: PendingFlags): void;
}

const NO_MEMORY = {} as MemoryFunctions;
/** Addresses of 16, 32 and 64 bits wrap here. */
const ADDRESS_MASKS = [0xffffn, 0xffffffffn, -1n] as const;
/** Instructions whose flags are expressions over locals alone, which may wait. */
const WAITING: ReadonlySet<string> = new Set(['ADD', 'SUB', 'CMP', 'AND', 'OR', 'XOR', 'TEST', 'INC', 'DEC', 'NEG', 'ADC', 'SBB', 'SHL', 'SHR', 'SAR']);

export class StaticContext extends DynamicVectorContext {
  readonly effects: Effects;
  readonly #frame: RegionFrame;
  readonly #instruction: Instruction;
  readonly #exits: RegionExits;
  readonly #before: PendingFlags;
  readonly #base: number;
  readonly #mayWait: boolean;
  #pendingResult: I64 | null;
  #pendingCarry: I32 | null;

  constructor(frame: RegionFrame, instruction: Instruction, exits: RegionExits, before: PendingFlags, isEager: boolean, effects: Effects) {
    const refuse = (): never => {
      throw new Error(`${instruction.specification.row.mnemonic} left its region in an unknown way`);
    };
    super(
      {
        f: frame.f, cpu: frame.cpu, record: i32(instruction.record), memory: NO_MEMORY, call: frame.call, firstRamAddress: 0,
        exits: { fault: refuse, branchRelative: refuse, branchTo: refuse },
      },
      instruction.specification.size,
      instruction.specification.flat ? (frame.isWide ? 64 : 32) : 0,
    );
    this.#frame = frame;
    this.#instruction = instruction;
    this.#exits = exits;
    this.#before = before;
    this.#pendingResult = before.result;
    this.#pendingCarry = before.carry;
    this.#base = frame.f.depth;
    this.#mayWait = !isEager && WAITING.has(instruction.specification.row.name);
    this.effects = effects;
  }

  /** The flags behind the instruction. */
  get flags(): PendingFlags {
    return { result: this.#pendingResult, carry: this.#pendingCarry };
  }

  // --- registers ------------------------------------------------------------------------------------------------------

  override read(operand: Operand): Value {
    if (operand.kind === 'memory') return this.readMemory(this.operandAddress(), operand.size);
    if (operand.kind === 'immediate') return this.#immediateOf(operand.size);
    const offset = this.#offsetOf(operand);
    return offset % REGISTER_BYTES === 1 ? this.highByte(offset >> 3) : this.register(offset >> 3, operand.size);
  }

  override write(operand: Operand, value: Value): void {
    if (operand.kind === 'memory') {
      super.write(operand, value);
      return;
    }
    const offset = this.#offsetOf(operand);
    if (offset % REGISTER_BYTES === 1) this.setHighByte(offset >> 3, value as I32);
    else this.setRegister(offset >> 3, operand.size, value);
  }

  override register(index: number, size: Size): Value {
    this.effects.registers.add(index);
    const local = this.#frame.registers[index];
    return this.f.let(this.#cut(local, size));
  }
  #cut(local: Local, size: Size): Value {
    if (size === 64) return this.#frame.isWide ? local : extendU(local as I32);
    const low = this.#frame.isWide ? wrap(local as unknown as I64) : (local as I32);
    return size === 32 ? low : and(low, i32(size === 8 ? 0xff : 0xffff));
  }

  override setRegister(index: number, size: Size, value: Value): void {
    this.#changed = true;
    this.effects.registers.add(index);
    this.effects.written.add(index);
    const local = this.#frame.registers[index];
    if (size >= 32) {
      const whole = this.#frame.isWide ? unsignedWide(value, size) : size === 64 ? wrap(value as I64) : value;
      this.f.set(local, whole);
      return;
    }
    const mask = size === 8 ? 0xff : 0xffff;
    this.#insert(local, ~mask, and(value as I32, i32(mask)));
  }
  override highByte(index: number): I32 {
    this.effects.registers.add(index);
    const low = this.#cut(this.#frame.registers[index], 32) as I32;
    return this.f.let(and(shrU(low, 8), i32(0xff)));
  }
  override setHighByte(index: number, value: I32): void {
    this.effects.registers.add(index);
    this.effects.written.add(index);
    this.#insert(this.#frame.registers[index], ~0xff00, shl(and(value, i32(0xff)), 8));
  }
  #insert(local: Local, kept: number, bits: I32): void {
    this.#changed = true;
    const inserted = this.#frame.isWide
      ? or(and(local as unknown as I64, i64(kept)), extendU(bits))
      : or(and(local as I32, i32(kept)), bits);
    this.f.set(local, inserted);
  }

  #offsetOf(operand: Operand): number {
    return operand.kind === 'a' ? this.#instruction.a : this.#instruction.b;
  }
  override registerOffset(operand: Operand): I32 {
    return i32(this.#offsetOf(operand));
  }

  #immediateOf(size: Size): Value {
    const { imm } = this.#instruction;
    if (size === 64) return i64(imm);
    return i32(size === 8 ? imm & 0xff : size === 16 ? imm & 0xffff : imm);
  }
  override immediate(): I32 {
    return i32(this.#instruction.imm);
  }
  override wideImmediate(): I64 {
    return i64((BigInt(this.#instruction.imm) << 32n) | BigInt(this.#instruction.disp >>> 0));
  }

  // --- flags ----------------------------------------------------------------------------------------------------------

  override flagResult(): I32 {
    this.effects.readsFlags = true;
    return this.f.let(wrap(this.#pendingResult ?? this.#frame.flagResult));
  }
  override flagSign(): I32 {
    this.effects.readsFlags = true;
    return this.f.let(wrap(shrU(this.#pendingResult ?? this.#frame.flagResult, 32)));
  }
  override flagCarry(): I32 {
    this.effects.readsFlags = true;
    return this.f.let(this.#pendingCarry ?? this.#frame.flagCarry);
  }
  override setFlagResult(value: I64): void {
    this.#changed = true;
    if (this.f.depth !== this.#base) this.effects.setsSometimes = true;
    else this.effects.setsResult = true;
    if (this.#mayWait && this.f.depth === this.#base) this.#pendingResult = value;
    else {
      this.f.set(this.#frame.flagResult, value);
      this.#pendingResult = null;
    }
  }
  override setFlagCarry(value: I32): void {
    this.#changed = true;
    if (this.f.depth !== this.#base) this.effects.setsSometimes = true;
    else this.effects.setsCarry = true;
    if (this.#mayWait && this.f.depth === this.#base) this.#pendingCarry = value;
    else {
      this.f.set(this.#frame.flagCarry, value);
      this.#pendingCarry = null;
    }
  }

  // --- leaving --------------------------------------------------------------------------------------------------------

  #changed = false;
  #leave(): void {
    this.effects.mayLeave = true;
    this.effects.leavesLate ||= this.#changed;
    this.#exits.leave(this.#before);
  }
  override raiseIf(condition: I32): void {
    this.f.if(condition, () => this.#leave());
  }
  override branchRelative(condition?: I32): void {
    this.effects.branches = condition === undefined ? 'always' : 'conditional';
    this.#exits.branchRelative(condition, this.flags);
  }
  override branchTo(rip: I64): void {
    this.effects.branches = 'always';
    this.#exits.branchTo(and(rip, i64(ADDRESS_MASKS[this.size === 16 ? 0 : this.size === 32 ? 1 : 2])), this.flags);
  }

  override ownRip(): I64 {
    return add(this.#frame.pageRip, i64(this.#instruction.offset));
  }
  override nextRip(): I64 {
    return add(this.#frame.pageRip, i64(this.#instruction.offset + this.#instruction.length));
  }
  override operandSelector(): I32 {
    return this.field32(FIELD.segments + Math.floor((this.#instruction.slot & 63) / 3) * 32 + 16);
  }

  // --- memory ---------------------------------------------------------------------------------------------------------

  protected override get tlbBase(): I32 {
    return this.#frame.tlbBase;
  }

  protected override computeAddress(): Address {
    const { f } = this;
    const { b, index, slot, disp } = this.#instruction;
    const scale = slot >> 6, segment = slot & 63;
    const part = (offset: number): Value | null => {
      if (offset === FIELD.zero) return null;
      if (offset === FIELD.pageRip) return this.#frame.isWide ? this.#frame.pageRip : wrap(this.#frame.pageRip);
      this.effects.registers.add(offset >> 3);
      return this.#frame.registers[offset >> 3];
    };
    const type = this.#frame.isWide ? 'i64' : 'i32';
    const base = part(b), indexed = part(index);
    let sum: Value = constant(type, disp);
    if (indexed !== null) sum = add(shl(indexed, scale), sum);
    if (base !== null) sum = add(base, sum);
    if (this.flat === 32) return { linear: f.let(sum) as I32, stack: i32(0) };
    if (this.flat === 64) return { linear: f.let(sum) as I64, stack: i32(0) };
    const mask = ADDRESS_MASKS[segment % 3];
    const wide = this.#frame.isWide ? (sum as I64) : extendU(sum as I32);
    return { effective: f.let(and(wide, i64(mask))), slot: i32((this.cpu.constant as number) + segment * SLOT.bytes) };
  }

  /** Host address of an access; the interpreter does the instruction where the TLB cannot be made to know it. */
  protected override reach(address: Address, size: OperandSize, write: boolean): I32 {
    const { f } = this;
    const bytes = i32(size / 8);
    const { hit, host: fast } = this.probe(address, size, write);
    const host = f.local('i32');
    const callee = write ? this.#frame.reachWrite : this.#frame.reachRead;
    f.if(
      hit,
      () => f.set(host, fast),
      () => {
        if (!('linear' in address)) {
          const limit = load64(address.slot, FIELD.slots + (write ? SLOT.writeLimit : SLOT.readLimit));
          f.if(gtS(add(address.effective, i64(size / 8 - 1)), limit), () => this.#leave());
        }
        f.set(host, f.call<'i32'>(callee, this.#linearOf(address), bytes));
        f.if(eqz(host), () => this.#leave());
      },
    );
    return host;
  }
  #linearOf(address: Address): I64 {
    if ('linear' in address) return address.linear.type === 'i64' ? (address.linear as I64) : extendU(address.linear as I32);
    const sum = add(address.effective, load64(address.slot, FIELD.slots + SLOT.base));
    return this.#frame.isWide ? sum : and(sum, i64(0xffffffffn));
  }

  override setEflags(value: I32): void {
    this.#changed = true;
    super.setEflags(value);
  }
  override setField32(offset: number, value: I32): void {
    this.#changed = true;
    super.setField32(offset, value);
  }
  protected override store(address: I32, size: Size, value: Value): void {
    this.#changed = true;
    super.store(address, size, value);
  }

  protected override writeBack(size: Size, value: Value): void {
    this.store(this.updated!, size, value);
  }
  protected override writeMemory(address: Address, size: Size, value: Value): void {
    const named = this.f.let(value);
    this.store(this.reach(address, size, true), size, named);
  }
  override write128(value: V128, isAligned: boolean): void {
    const address = this.operandAddress();
    if (isAligned) this.requireAlignment(address, 16);
    const named = this.f.let(value);
    const host = this.reach(address, 128, true);
    this.#changed = true;
    this.f.do(store128(host, named));
  }
}

/** Puts waiting flags where they belong; both are computed before either is set. */
export function settle(frame: RegionFrame, { result, carry }: PendingFlags): PendingFlags {
  const { f } = frame;
  const named = carry !== null && result !== null ? f.let(carry) : carry;
  if (result !== null) f.set(frame.flagResult, result);
  if (named !== null) f.set(frame.flagCarry, named);
  return SETTLED;
}

/** Counts instructions down. */
export const countDown = (f: FunctionBuilder, left: Local<'i32'>, by: number): void => {
  if (by !== 0) f.set(left, sub(left, i32(by)));
};
