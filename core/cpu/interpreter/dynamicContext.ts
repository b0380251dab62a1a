// Semantics with operands found in the record at run time: what makes a handler of the interpreter.
import {
  add, and, eq, eqz, extendU, i32, i64, type I32, type I64, leS, load16U, load32, load32Sto64, load64, load8U, ltU, mul,
  or, shl, shrU, store16, store32, store64, store8, wrap, xor,
} from '../emit/expressions.ts';
import type { FunctionBuilder } from '../emit/functionBuilder.ts';
import { type Operand, type SemanticsContext, type SharedCall, type Size, unsignedWide, type Value } from '../semantics/context.ts';
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

export interface Address {
  /** Effective address, wrapped to the address size. */
  readonly effective: I64;
  /** vCPU base + slot number * SLOT.bytes; SLOT fields are at FIELD.slots from it. */
  readonly slot: I32;
}

export class DynamicContext implements SemanticsContext {
  readonly f: FunctionBuilder;
  readonly size: Size;
  readonly cpu: I32;
  readonly record: I32;
  readonly call: SharedCall;
  readonly frame: HandlerFrame;
  #address: Address | null = null;
  /** Host address of the operand that `update` read. */
  #updated: I32 | null = null;

  constructor(frame: HandlerFrame, size: Size) {
    this.f = frame.f;
    this.frame = frame;
    this.cpu = frame.cpu;
    this.record = frame.record;
    this.call = frame.call;
    this.size = size;
  }

  read(operand: Operand): Value {
    switch (operand.kind) {
      case 'memory':
        return this.readMemory(this.#operandAddress(), operand.size);
      case 'immediate':
        return this.f.let(this.#typedImmediate(operand.size));
      default:
        return this.f.let(this.#load(this.#registerAddress(operand), 0, operand.size));
    }
  }

  update(operand: Operand): Value {
    if (operand.kind !== 'memory') return this.read(operand);
    return this.#updateMemory(this.#operandAddress(), operand.size);
  }

  write(operand: Operand, value: Value): void {
    if (operand.kind !== 'memory') {
      this.#storeRegister(this.#registerAddress(operand), 0, operand.size, value);
      return;
    }
    if (this.#updated !== null) this.#writeBack(operand.size, value);
    else this.writeMemory(this.#operandAddress(), operand.size, value);
  }

  effectiveAddress(): I64 {
    return this.#operandAddress().effective;
  }
  readAt(address: I64, size: Size): Value {
    return this.readMemory(this.#wrapped(address), size);
  }
  updateAt(address: I64, size: Size): Value {
    return this.#updateMemory(this.#wrapped(address), size);
  }
  writeAt(address: I64, size: Size, value: Value): void {
    if (this.#updated !== null) this.#writeBack(size, value);
    else this.writeMemory(this.#wrapped(address), size, value);
  }

  probeWrite(address: I64, size: Size): void {
    const updated = this.#updated;
    this.#updateMemory(this.#wrapped(address), size);
    this.#updated = updated;
  }

  immediate(): I32 {
    return load32(this.record, RECORD.imm);
  }

  register(index: number, size: Size): Value {
    return this.#load(this.cpu, FIELD.gpr + index * REGISTER_BYTES, size);
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
    const mask = this.f.let(load64(this.cpu, FIELD.stackMask));
    const top = this.register(RSP, 64) as I64;
    const address = this.f.let(and(add(top, i64(-size / 8)), mask));
    this.writeMemory({ effective: address, slot: this.#stackSlot() }, size, value);
    this.setStackPointer(address);
  }

  readStack(address: I64, size: Size): Value {
    const effective = this.f.let(and(address, load64(this.cpu, FIELD.stackMask)));
    return this.readMemory({ effective, slot: this.#stackSlot() }, size);
  }

  setStackPointer(value: I64): void {
    const mask = this.f.let(load64(this.cpu, FIELD.stackMask));
    const kept = and(this.register(RSP, 64) as I64, xor(mask, i64(-1)));
    this.setRegister(RSP, 64, or(kept, and(value, mask)));
  }

  flagResult(): I64 {
    return load64(this.cpu, FIELD.flagResult);
  }
  flagAux(): I32 {
    return load32(this.cpu, FIELD.flagAux);
  }
  flagCarry(): I32 {
    return load32(this.cpu, FIELD.flagCarry);
  }
  setFlagResult(value: I64): void {
    this.f.do(store64(this.cpu, value, FIELD.flagResult));
  }
  setFlagAux(value: I32): void {
    this.f.do(store32(this.cpu, value, FIELD.flagAux));
  }
  setFlagCarry(value: I32): void {
    this.f.do(store32(this.cpu, value, FIELD.flagCarry));
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

  #operandAddress(): Address {
    this.#address ??= this.#computeAddress();
    return this.#address;
  }

  #computeAddress(): Address {
    const bits = this.f.let(load8U(this.record, RECORD.slot));
    const slot = this.f.let(add(this.cpu, shl(and(bits, i32(63)), 5)));
    const base = load64(add(this.cpu, load8U(this.record, RECORD.b)));
    const index = load64(add(this.cpu, load8U(this.record, RECORD.index)));
    const sum = add(add(base, shl(index, extendU(shrU(bits, 6)))), load32Sto64(this.record, RECORD.disp));
    return { effective: this.f.let(and(sum, load64(slot, FIELD.slots + SLOT.mask))), slot };
  }

  #wrapped(address: I64): Address {
    const { slot } = this.#operandAddress();
    return { effective: this.f.let(and(address, load64(slot, FIELD.slots + SLOT.mask))), slot };
  }

  #stackSlot(): I32 {
    return this.f.let(add(this.cpu, i32(STACK_SLOT - FIELD.slots)));
  }

  /** The TLB entry for an address, and the condition under which it allows the access without a further look. */
  #probe(address: Address, size: Size, write: boolean): { entry: I32; hit: I32; linear: I64 } {
    const { f, cpu } = this;
    const base = load64(address.slot, FIELD.slots + SLOT.base);
    const linear = f.let(and(add(address.effective, base), load64(cpu, FIELD.linearMask)));
    const index = and(shrU(wrap(linear), 7), i32((TLB.entries - 1) * TLB.bytes));
    const entry = f.let(add(load32(cpu, FIELD.tlbBase), index));
    const last = size / 8 - 1;
    const limit = load64(address.slot, FIELD.slots + (write ? SLOT.writeLimit : SLOT.readLimit));
    const inLimit = leS(add(address.effective, i64(last)), limit);
    const tag = load64(entry, write ? TLB.writeTag : TLB.readTag);
    const tagged = eq(and(add(linear, i64(last)), i64(~0xfffn)), tag);
    return { entry, hit: and(inLimit, tagged), linear };
  }

  protected readMemory(address: Address, size: Size): Value {
    const { f } = this;
    const { entry, hit, linear } = this.#probe(address, size, false);
    const host = f.local('i32');
    f.if(
      hit,
      () => f.set(host, add(wrap(linear), load32(entry, TLB.addend))),
      () => {
        const { cpu, record } = this;
        f.set(host, f.call(this.frame.memory.slowRead, cpu, record, address.slot, address.effective, i32(size / 8)));
        f.if(eqz(host), () => this.frame.exits.fault());
      },
    );
    return f.let(this.#load(host, 0, size));
  }

  #updateMemory(address: Address, size: Size): Value {
    const { f } = this;
    const { entry, hit, linear } = this.#probe(address, size, true);
    const host = f.local('i32');
    f.if(
      hit,
      () => f.set(host, add(wrap(linear), load32(entry, TLB.addend))),
      () => {
        const { cpu, record } = this;
        f.set(host, f.call(this.frame.memory.slowUpdate, cpu, record, address.slot, address.effective, i32(size / 8)));
        f.if(eqz(host), () => this.frame.exits.fault());
      },
    );
    this.#updated = host;
    return f.let(this.#load(host, 0, size));
  }

  #writeBack(size: Size, value: Value): void {
    const host = this.#updated!;
    this.#store(host, size, value);
    this.f.if(ltU(host, i32(this.frame.firstRamAddress)), () =>
      this.f.callVoid(this.frame.memory.commitUpdate, this.cpu),
    );
  }

  protected writeMemory(address: Address, size: Size, value: Value): void {
    const { f } = this;
    const named = f.let(value);
    const { entry, hit, linear } = this.#probe(address, size, true);
    f.if(
      hit,
      () => this.#store(f.let(add(wrap(linear), load32(entry, TLB.addend))), size, named),
      () => {
        const failed = f.call<'i32'>(
          this.frame.memory.slowWrite, this.cpu, this.record, address.slot, address.effective, i32(size / 8),
          unsignedWide(named, size),
        );
        f.if(failed, () => this.frame.exits.fault());
      },
    );
  }

  #load(address: I32, offset: number, size: Size): Value {
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

  #store(address: I32, size: Size, value: Value): void {
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

