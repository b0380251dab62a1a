// A record's operands as helpers see them.
import type { Cpu } from '../cpu.ts';
import type { HandlerSpecification } from '../decode/row.ts';
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

  /** Operand size in bytes, 2 or 4. */
  get size(): 2 | 4 {
    return this.specification.size === 16 ? 2 : 4;
  }
  get length(): number {
    return this.#cpu.u16[(this.#record + RECORD.place) >>> 1] & 15;
  }
  /** Address of the next instruction, wrapped to the code segment's width. */
  get next(): number {
    const cpu = this.#cpu;
    const sum = (cpu.rip + this.length) >>> 0;
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
  get addressSize(): 2 | 4 {
    return (this.#slot & 63) % 3 === 0 ? 2 : 4;
  }
  /** Effective address, wrapped to the address size. */
  get address(): number {
    const { u32, u8, word } = this.#cpu;
    const base = u32[word + (this.b >>> 2)];
    const index = u32[word + (u8[this.#record + RECORD.index] >>> 2)];
    return this.wrap(base + (index << (this.#slot >>> 6)) + this.disp);
  }
  wrap(address: number): number {
    return this.addressSize === 2 ? address & 0xffff : address >>> 0;
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
  writeM(offset: number, value: number, size: 1 | 2 | 4): void {
    this.#cpu.writeSegment(this.segment, this.wrap(this.address + offset), value, size);
  }

  register(offset: number, size: 1 | 2 | 4): number {
    const at = this.#cpu.base + offset;
    if (size === 4) return this.#cpu.u32[at >>> 2];
    return size === 2 ? this.#cpu.u16[at >>> 1] : this.#cpu.u8[at];
  }
  setRegister(offset: number, value: number, size: 1 | 2 | 4): void {
    const at = this.#cpu.base + offset;
    if (size === 4) {
      this.#cpu.u32[at >>> 2] = value;
      this.#cpu.u32[(at >>> 2) + 1] = 0;
    } else if (size === 2) this.#cpu.u16[at >>> 1] = value;
    else this.#cpu.u8[at] = value;
  }
}
