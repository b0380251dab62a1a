// Semantics with operands found in the record at run time: what makes a handler of the interpreter.
import {
  add, and, constant, eq, eqz, type Expression, extendU, i32, i64, type I32, type I64, leS, load16U, load32, load32Sto64, load64, load8U, ltU, mul, ne,
  or, shrS, shl, shrU, store16, store32, store64, store8, wrap, xor,
} from '../emit/expressions.ts';
import type { FunctionBuilder } from '../emit/functionBuilder.ts';
import type { ValueType } from '../emit/wasmEncoder.ts';
import { type Operand, type OperandSize, type SemanticsContext, type SharedCall, type Size, unsignedWide, type Value } from '../semantics/context.ts';
import { FIELD, RECORD, REGISTER_BYTES, RSP, SEGMENT, SLOT, SS, TLB } from '../state/layout.ts';
import type { MemoryFunctions } from './memoryFunctions.ts';

/** How a handler leaves: the dispatch loop branches, a function of its own returns. */
export interface HandlerExits {
  fault(): void;
  branchRelative(condition?: I32): void;
  branchTo(rip: I64): void;
}

export interface HandlerFrame {
  readonly f: FunctionBuilder;
  readonly cpu: I32;
  readonly record: I32;
  readonly memory: MemoryFunctions;
  /** Host addresses below this are not guest RAM or ROM. */
  readonly firstRamAddress: number;
  readonly call: SharedCall;
  readonly exits: HandlerExits;
}

const STACK_SLOT = FIELD.slots + SS * 3 * SLOT.bytes;

/** An address in a segment that must be checked and added. */
export interface SegmentedAddress {
  /** Effective address, wrapped to the address size. */
  readonly effective: I64;
  /** vCPU base + slot number * SLOT.bytes; SLOT fields are at FIELD.slots from it. */
  readonly slot: I32;
}
/** An address in a flat segment: linear as it is, 32 or 64 bits wide. */
export interface FlatAddress {
  readonly linear: I32 | I64;
  /** Through the stack segment: 1, or a look at the record; for the exception that a non-canonical address raises. */
  readonly stack: I32;
}
export type Address = SegmentedAddress | FlatAddress;

const isWide = (linear: I32 | I64): linear is I64 => linear.type === 'i64';
/** Whether a record's address, of 64 bits, is in the stack segment. */
const throughStack = (slotByte: I32): I32 => eq(and(slotByte, i32(63)), i32(SS * 3 + 2));

export class DynamicContext implements SemanticsContext {
  readonly f: FunctionBuilder;
  readonly size: Size;
  readonly cpu: I32;
  readonly record: I32;
  readonly call: SharedCall;
  readonly frame: HandlerFrame;
  #address: Address | null = null;
  /** Lazy flags that this handler has set, while they are certain. */
  #result: I64 | null = null;
  #carry: I32 | null = null;
  #flagsUncertain = false;
  readonly #depth: number;
  protected readonly flat: 0 | 32 | 64;
  /** Host address of the operand that `update` read. */
  protected updated: I32 | null = null;

  constructor(frame: HandlerFrame, size: Size, flat: 0 | 32 | 64 = 0) {
    this.f = frame.f;
    this.flat = flat;
    this.#depth = frame.f.depth;
    this.frame = frame;
    this.cpu = frame.cpu;
    this.record = frame.record;
    this.call = frame.call;
    this.size = size;
  }

  read(operand: Operand): Value {
    switch (operand.kind) {
      case 'memory':
        return this.readMemory(this.operandAddress(), operand.size);
      case 'immediate':
        return this.f.let(this.#typedImmediate(operand.size));
      default:
        return this.f.let(this.load(this.#registerAddress(operand), 0, operand.size));
    }
  }

  update(operand: Operand): Value {
    if (operand.kind !== 'memory') return this.read(operand);
    return this.updateMemory(this.operandAddress(), operand.size);
  }

  write(operand: Operand, value: Value): void {
    if (operand.kind !== 'memory') {
      this.#storeRegister(this.#registerAddress(operand), 0, operand.size, value);
      return;
    }
    if (this.updated !== null) this.writeBack(operand.size, value);
    else this.writeMemory(this.operandAddress(), operand.size, value);
  }

  effectiveAddress(): I64 {
    const address = this.operandAddress();
    if (!('linear' in address)) return address.effective;
    return isWide(address.linear) ? address.linear : extendU(address.linear);
  }

  /** Takes over what an instruction just before knows about the flags. */
  continueFrom(before: DynamicContext): void {
    this.#result = before.#result;
    this.#carry = before.#carry;
    this.#flagsUncertain = before.#flagsUncertain;
  }

  readAt(address: I64, size: Size): Value {
    return this.readMemory(this.wrapped(address), size);
  }
  updateAt(address: I64, size: Size): Value {
    return this.updateMemory(this.wrapped(address), size);
  }
  writeAt(address: I64, size: Size, value: Value): void {
    if (this.updated !== null) this.writeBack(size, value);
    else this.writeMemory(this.wrapped(address), size, value);
  }

  probeWrite(address: I64, size: Size): void {
    const updated = this.updated;
    this.updateMemory(this.wrapped(address), size);
    this.updated = updated;
  }

  immediate(): I32 {
    return load32(this.record, RECORD.imm);
  }
  wideImmediate(): I64 {
    return load64(this.record, RECORD.disp);
  }

  register(index: number, size: Size): Value {
    return this.load(this.cpu, FIELD.gpr + index * REGISTER_BYTES, size);
  }
  setRegister(index: number, size: Size, value: Value): void {
    this.#storeRegister(this.cpu, FIELD.gpr + index * REGISTER_BYTES, size, value);
  }
  highByte(index: number): I32 {
    return load8U(this.cpu, FIELD.gpr + index * REGISTER_BYTES + 1);
  }
  setHighByte(index: number, value: I32): void {
    this.f.do(store8(this.cpu, value, FIELD.gpr + index * REGISTER_BYTES + 1));
  }

  push(value: Value, size: Size): void {
    if (this.flat !== 0) {
      const top = this.register(RSP, this.flat);
      const linear = this.f.let(add(top, constant(top.type, -size / 8))) as I32 | I64;
      this.writeMemory({ linear, stack: i32(1) }, size, value);
      this.setRegister(RSP, this.flat, linear);
      return;
    }
    const mask = this.f.let(load64(this.cpu, FIELD.stackMask));
    const top = this.register(RSP, 64) as I64;
    const address = this.f.let(and(add(top, i64(-size / 8)), mask));
    this.writeMemory({ effective: address, slot: this.stackSlot() }, size, value);
    this.setStackPointer(address);
  }

  readStack(address: I64, size: Size): Value {
    if (this.flat !== 0) {
      const linear = this.flat === 64 ? address : this.f.let(wrap(address));
      return this.readMemory({ linear, stack: i32(1) }, size);
    }
    const effective = this.f.let(and(address, load64(this.cpu, FIELD.stackMask)));
    return this.readMemory({ effective, slot: this.stackSlot() }, size);
  }

  setStackPointer(value: I64): void {
    if (this.flat !== 0) {
      this.setRegister(RSP, this.flat, this.flat === 64 ? value : wrap(value));
      return;
    }
    const mask = this.f.let(load64(this.cpu, FIELD.stackMask));
    const kept = and(this.register(RSP, 64) as I64, xor(mask, i64(-1)));
    this.setRegister(RSP, 64, or(kept, and(value, mask)));
  }

  flagResult(): I32 {
    return this.#result === null ? load32(this.cpu, FIELD.flagResult) : wrap(this.#result);
  }
  flagSign(): I32 {
    return this.#result === null ? load32(this.cpu, FIELD.flagResult + 4) : wrap(shrU(this.#result, 32));
  }
  flagCarry(): I32 {
    return this.#carry ?? load32(this.cpu, FIELD.flagCarry);
  }
  setFlagResult(value: I64): void {
    this.f.do(store64(this.cpu, this.#keep(value, (kept) => (this.#result = kept)), FIELD.flagResult));
  }
  setFlagCarry(value: I32): void {
    this.f.do(store32(this.cpu, this.#keep(value, (kept) => (this.#carry = kept)), FIELD.flagCarry));
  }
  /** Flags set in straight-line code are known to what follows in the same handler; not so inside a branch. */
  #keep<T extends ValueType>(value: Expression<T>, remember: (kept: Expression<T> | null) => void): Expression<T> {
    if (this.f.depth !== this.#depth) {
      remember(null);
      this.#flagsUncertain = true;
      return value;
    }
    const kept = this.f.let(value);
    remember(this.#flagsUncertain ? null : kept);
    return kept;
  }
  eflags(): I32 {
    return load32(this.cpu, FIELD.eflags);
  }
  setEflags(value: I32): void {
    this.f.do(store32(this.cpu, value, FIELD.eflags));
  }
  field32(offset: number): I32 {
    return load32(this.cpu, offset);
  }
  setField32(offset: number, value: I32): void {
    this.f.do(store32(this.cpu, value, offset));
  }

  raiseIf(condition: I32, vector: number, errorCode = 0): void {
    this.f.if(condition, () => {
      this.f.do(store32(this.cpu, i32(vector), FIELD.faultVector));
      this.f.do(store32(this.cpu, i32(errorCode), FIELD.faultError));
      this.frame.exits.fault();
    });
  }

  ownRip(): I64 {
    return add(load64(this.cpu, FIELD.pageRip), extendU(shrU(load16U(this.record, RECORD.place), 4)));
  }
  operandSelector(): I32 {
    // Slot number / 3 is the segment: n * 86 >> 8 for n < 64.
    const slot = and(load8U(this.record, RECORD.slot), i32(63));
    const segment = shrU(mul(slot, i32(86)), 8);
    return load32(add(this.cpu, shl(segment, 5)), FIELD.segments + SEGMENT.selector);
  }
  nextRip(): I64 {
    const place = this.f.let(load16U(this.record, RECORD.place));
    const next = add(shrU(place, 4), and(place, i32(15)));
    return add(load64(this.cpu, FIELD.pageRip), extendU(next));
  }
  branchRelative(condition?: I32): void {
    this.frame.exits.branchRelative(condition);
  }
  checkTarget(rip: I64): void {
    // Operand sizes below 64 bits cut targets off; only 64-bit code has that size.
    if (this.size === 64) this.raiseIf(ne(shrS(shl(rip, 16), 16), rip), 13);
  }
  branchTo(rip: I64): void {
    const masks = FIELD.ipMasks + (this.size === 16 ? 0 : this.size === 32 ? 8 : 16);
    this.frame.exits.branchTo(and(rip, load64(this.cpu, masks)));
  }

  #registerAddress(operand: Operand): I32 {
    return add(this.cpu, load8U(this.record, operand.kind === 'a' ? RECORD.a : RECORD.b));
  }

  #typedImmediate(size: Size): Value {
    if (size === 64) return load32Sto64(this.record, RECORD.imm);
    if (size === 8) return load8U(this.record, RECORD.imm);
    return size === 16 ? load16U(this.record, RECORD.imm) : load32(this.record, RECORD.imm);
  }

  protected get tlbBase(): I32 {
    return load32(this.cpu, FIELD.tlbBase);
  }

  protected operandAddress(): Address {
    this.#address ??= this.computeAddress();
    return this.#address;
  }

  protected computeAddress(): Address {
    const bits = this.f.let(load8U(this.record, RECORD.slot));
    if (this.flat === 32) {
      const base = load32(add(this.cpu, load8U(this.record, RECORD.b)));
      const index = load32(add(this.cpu, load8U(this.record, RECORD.index)));
      const linear = this.f.let(add(add(base, shl(index, shrU(bits, 6))), load32(this.record, RECORD.disp)));
      return { linear, stack: i32(0) };
    }
    const base = load64(add(this.cpu, load8U(this.record, RECORD.b)));
    const index = load64(add(this.cpu, load8U(this.record, RECORD.index)));
    const sum = add(add(base, shl(index, extendU(shrU(bits, 6)))), load32Sto64(this.record, RECORD.disp));
    if (this.flat === 64) return { linear: this.f.let(sum), stack: throughStack(bits) };
    const slot = this.f.let(add(this.cpu, shl(and(bits, i32(63)), 5)));
    return { effective: this.f.let(and(sum, load64(slot, FIELD.slots + SLOT.mask))), slot };
  }

  protected wrapped(address: I64): Address {
    const operand = this.operandAddress();
    if ('linear' in operand) {
      return { linear: isWide(operand.linear) ? address : this.f.let(wrap(address)), stack: operand.stack };
    }
    const { slot } = operand;
    return { effective: this.f.let(and(address, load64(slot, FIELD.slots + SLOT.mask))), slot };
  }

  protected stackSlot(): I32 {
    return this.f.let(add(this.cpu, i32(STACK_SLOT - FIELD.slots)));
  }

  /** The TLB's answer for an address: whether it allows the access without a further look, and the host address then. */
  protected probe(address: Address, size: OperandSize, write: boolean): { hit: I32; host: I32 } {
    const { f, cpu } = this;
    const last = size / 8 - 1;
    const tagField = write ? TLB.writeTag : TLB.readTag;
    if ('linear' in address && isWide(address.linear)) {
      const { linear } = address;
      const low = wrap(linear);
      const entry = f.let(add(this.tlbBase, and(shrU(low, 7), i32((TLB.entries - 1) * TLB.bytes))));
      const hit = eq(and(add(linear, i64(last)), i64(~0xfffn)), load64(entry, tagField));
      return { hit, host: add(low, load32(entry, TLB.addend)) };
    }
    if ('linear' in address) {
      const { linear } = address as { linear: I32 };
      const index = and(shrU(linear, 7), i32((TLB.entries - 1) * TLB.bytes));
      const entry = f.let(add(this.tlbBase, index));
      // Tags of 32-bit linear addresses: their upper halves are zero, and an empty entry's lower half is no page.
      const hit = eq(and(add(linear, i32(last)), i32(~0xfff)), load32(entry, tagField));
      return { hit, host: add(linear, load32(entry, TLB.addend)) };
    }
    const base = load64(address.slot, FIELD.slots + SLOT.base);
    const linear = f.let(and(add(address.effective, base), load64(cpu, FIELD.linearMask)));
    const index = and(shrU(wrap(linear), 7), i32((TLB.entries - 1) * TLB.bytes));
    const entry = f.let(add(this.tlbBase, index));
    const limit = load64(address.slot, FIELD.slots + (write ? SLOT.writeLimit : SLOT.readLimit));
    const inLimit = leS(add(address.effective, i64(last)), limit);
    const tagged = eq(and(add(linear, i64(last)), i64(~0xfffn)), load64(entry, tagField));
    return { hit: and(inLimit, tagged), host: add(wrap(linear), load32(entry, TLB.addend)) };
  }

  /** Host address of an access, through the slow path if need be. */
  protected reach(address: Address, size: OperandSize, write: boolean): I32 {
    const { f, cpu, record } = this;
    const { memory } = this.frame;
    const { hit, host: fast } = this.probe(address, size, write);
    const host = f.local('i32');
    const bytes = i32(size / 8);
    const slow =
      'linear' in address
        ? isWide(address.linear)
          ? f.call<'i32'>(write ? memory.wideUpdate : memory.wideRead, cpu, record, address.linear, bytes, address.stack)
          : f.call<'i32'>(write ? memory.flatUpdate : memory.flatRead, cpu, record, address.linear, bytes)
        : f.call<'i32'>(write ? memory.slowUpdate : memory.slowRead, cpu, record, address.slot, address.effective, bytes);
    f.if(
      hit,
      () => f.set(host, fast),
      () => {
        f.set(host, slow);
        f.if(eqz(host), () => this.frame.exits.fault());
      },
    );
    return host;
  }

  protected readMemory(address: Address, size: Size): Value {
    return this.f.let(this.load(this.reach(address, size, false), 0, size));
  }

  protected updateMemory(address: Address, size: Size): Value {
    this.updated = this.reach(address, size, true);
    return this.f.let(this.load(this.updated, 0, size));
  }

  protected writeBack(size: Size, value: Value): void {
    const host = this.updated!;
    this.store(host, size, value);
    this.f.if(ltU(host, i32(this.frame.firstRamAddress)), () =>
      this.f.callVoid(this.frame.memory.commitUpdate, this.cpu),
    );
  }

  protected writeMemory(address: Address, size: Size, value: Value): void {
    const { f } = this;
    const named = f.let(value);
    const { hit, host } = this.probe(address, size, true);
    f.if(
      hit,
      () => this.store(f.let(host), size, named),
      () => f.if(this.slowWrite(address, size, unsignedWide(named, size)), () => this.frame.exits.fault()),
    );
  }

  /** Stores by the slow path: whether it faults. Of 16 bytes the upper half stands behind the bounce buffer's already. */
  protected slowWrite(address: Address, size: OperandSize, wide: I64): I32 {
    const { f, cpu, record } = this;
    const { memory } = this.frame;
    const bytes = i32(size / 8);
    return (
      'linear' in address
        ? isWide(address.linear)
          ? f.call<'i32'>(memory.wideWrite, cpu, record, address.linear, bytes, address.stack, wide)
          : f.call<'i32'>(memory.flatWrite, cpu, record, address.linear, bytes, wide)
        : f.call<'i32'>(memory.slowWrite, cpu, record, address.slot, address.effective, bytes, wide)
    );
  }

  protected load(address: I32, offset: number, size: Size): Value {
    switch (size) {
      case 8:
        return load8U(address, offset);
      case 16:
        return load16U(address, offset);
      case 32:
        return load32(address, offset);
      default:
        return load64(address, offset);
    }
  }

  protected store(address: I32, size: Size, value: Value): void {
    if (size === 8) this.f.do(store8(address, value as I32));
    else if (size === 16) this.f.do(store16(address, value as I32));
    else if (size === 32) this.f.do(store32(address, value as I32));
    else this.f.do(store64(address, value as I64));
  }

  /** 32-bit writes clear the upper half, 8- and 16-bit writes leave the rest (SDM 1 3.4.1.1). */
  #storeRegister(address: I32, offset: number, size: Size, value: Value): void {
    if (size === 8) this.f.do(store8(address, value as I32, offset));
    else if (size === 16) this.f.do(store16(address, value as I32, offset));
    else this.f.do(store64(address, unsignedWide(value, size), offset));
  }
}

