// A record's operands as helpers see them.
import type { Cpu } from '../cpu.ts';
import type { HandlerSpecification } from '../decode/row.ts';
import { fromHalves } from '../state/addresses.ts';
import { CODE_MODE, FIELD, RECORD } from '../state/layout.ts';

/** Reads a record's fields. One per CPU; `at` points it to the current record. */
export class Operands {
  readonly #cpu: Cpu;
  #record = 0;
  specification!: HandlerSpecification;

  constructor(cpu: Cpu) {
    this.#cpu = cpu;
  }

  at(record: number, specification: HandlerSpecification): this {
    this.#record = record;
    this.specification = specification;
    return this;
  }

  /** Operand size in bytes, 2 or 4: for what has no form of 64 bits, or takes it for 4. */
  get size(): 2 | 4 {
    return this.specification.size === 16 ? 2 : 4;
  }
  /** Operand size in bytes. */
  get width(): 2 | 4 | 8 {
    return this.specification.size === 64 ? 8 : this.size;
  }
  get length(): number {
    return this.#cpu.u16[(this.#record + RECORD.place) >>> 1] & 15;
  }
  /** Address of the next instruction, wrapped to the code segment's width. */
  get next(): number {
    const cpu = this.#cpu;
    const sum = cpu.wrapLinear(cpu.rip + this.length);
    return cpu.get32(FIELD.codeMode) === CODE_MODE.code16 ? sum & 0xffff : sum;
  }
  get imm(): number {
    return this.#cpu.i32[(this.#record + RECORD.imm) >>> 2];
  }
  get disp(): number {
    return this.#cpu.i32[(this.#record + RECORD.disp) >>> 2];
  }
  /** State offsets of the register operands. */
  get a(): number {
    return this.#cpu.u8[this.#record + RECORD.a];
  }
  get b(): number {
    return this.#cpu.u8[this.#record + RECORD.b];
  }
  /** Number in ModRM.reg. */
  get reg(): number {
    return this.a >>> 3;
  }
  get #slot(): number {
    return this.#cpu.u8[this.#record + RECORD.slot];
  }
  get segment(): number {
    return Math.floor((this.#slot & 63) / 3);
  }
  /** Address size in bytes. */
  get addressSize(): 2 | 4 | 8 {
    return ([2, 4, 8] as const)[(this.#slot & 63) % 3];
  }
  /** Effective address, wrapped to the address size; of 64 bits a signed number. */
  get address(): number {
    if (this.addressSize === 8) return this.#wideAddress;
    const { u32, u8, word } = this.#cpu;
    const base = u32[word + (this.b >>> 2)];
    const index = u32[word + (u8[this.#record + RECORD.index] >>> 2)];
    return this.wrap(base + (index << (this.#slot >>> 6)) + this.disp);
  }
  wrap(address: number): number {
    if (this.addressSize === 8) return address;
    return this.addressSize === 2 ? address & 0xffff : address >>> 0;
  }
  get #wideAddress(): number {
    const cpu = this.#cpu, at = cpu.u8[this.#record + RECORD.index];
    const base = cpu.getWide(this.b), index = cpu.getWide(at), scale = this.#slot >>> 6;
    if (Math.abs(base) < 2 ** 50 && Math.abs(index) < 2 ** 47) return base + index * 2 ** scale + this.disp;
    // Registers that are no addresses may add up to one.
    const { view } = cpu;
    const sum = view.getBigInt64(cpu.base + this.b, true) + (view.getBigInt64(cpu.base + at, true) << BigInt(scale)) + BigInt(this.disp);
    return Number(BigInt.asIntN(64, sum));
  }

  /** Reads the E operand: memory or the register in ModRM.rm. */
  readE(size: 1 | 2 | 4): number {
    if (this.specification.memory) return this.#cpu.readSegment(this.segment, this.address, size);
    return this.register(this.b, size);
  }
  writeE(value: number, size: 1 | 2 | 4): void {
    if (this.specification.memory) this.#cpu.writeSegment(this.segment, this.address, value, size);
    else this.setRegister(this.b, value, size);
  }
  /** Memory at an offset from the effective address. */
  readM(offset: number, size: 1 | 2 | 4): number {
    return this.#cpu.readSegment(this.segment, this.wrap(this.address + offset), size);
  }
  /** Eight bytes at an offset, as a signed number. */
  readWide(offset: number): number {
    const cpu = this.#cpu;
    const [low, high] = cpu.readWide(cpu.linearAddress(this.segment, this.wrap(this.address + offset), 8, false), cpu.userAccess);
    return fromHalves(low, high);
  }
  /** 2, 4 or 8 bytes as [low, high]. */
  readWords(offset: number, size: 2 | 4 | 8): readonly [number, number] {
    if (size !== 8) return [this.readM(offset, size), 0];
    const cpu = this.#cpu;
    return cpu.readWide(cpu.linearAddress(this.segment, this.wrap(this.address + offset), 8, false), cpu.userAccess);
  }
  setWords(register: number, [low, high]: readonly [number, number], size: 2 | 4 | 8): void {
    if (size !== 8) {
      this.setRegister(register, low, size);
      return;
    }
    this.#cpu.set32(register, low);
    this.#cpu.set32(register + 4, high);
  }
  /** Writes the E operand. */
  writeWords(low: number, high: number, size: 2 | 4 | 8): void {
    const cpu = this.#cpu;
    if (!this.specification.memory) this.setWords(this.b, [low, high], size);
    else cpu.writeWords(this.linear(size, true), size, low, high, cpu.userAccess);
  }
  /** Checked linear address of the memory operand. */
  linear(size: number, write: boolean): number {
    return this.#cpu.linearAddress(this.segment, this.address, size, write);
  }
  writeM(offset: number, value: number, size: 1 | 2 | 4): void {
    this.#cpu.writeSegment(this.segment, this.wrap(this.address + offset), value, size);
  }

  /** A register; of 64 bits a signed number, exact below 2^53. */
  register(offset: number, size: 1 | 2 | 4 | 8): number {
    const at = this.#cpu.base + offset;
    if (size === 8) return this.#cpu.getWide(offset);
    if (size === 4) return this.#cpu.u32[at >>> 2];
    return size === 2 ? this.#cpu.u16[at >>> 1] : this.#cpu.u8[at];
  }
  setRegister(offset: number, value: number, size: 1 | 2 | 4 | 8): void {
    const at = this.#cpu.base + offset;
    if (size === 8) {
      this.#cpu.setWideSigned(offset, value);
      return;
    }
    if (size === 4) {
      this.#cpu.u32[at >>> 2] = value;
      this.#cpu.u32[(at >>> 2) + 1] = 0;
    } else if (size === 2) this.#cpu.u16[at >>> 1] = value;
    else this.#cpu.u8[at] = value;
  }
}
