// Pushes and pops of helpers: nothing moves until all accesses have been made.
import type { Cpu } from '../cpu.ts';
import { fromHalves, upperHalf } from '../state/addresses.ts';
import { raise, VECTOR } from './faults.ts';
import { FIELD, RSP, SEGMENT, SS } from '../state/layout.ts';

/** A view of a stack that can be pushed to and popped from, and whose pointer is stored at the end. */
export class Stack {
  readonly #cpu: Cpu;
  readonly #base: number;
  readonly #limit: number;
  readonly #attributes: number;
  readonly #access: number;
  readonly #mask: number;
  readonly #errorCode: number;
  /** In 64-bit mode: no segment, addresses must be canonical. */
  readonly #wide: boolean;
  pointer: number;

  private constructor(
    cpu: Cpu, base: number, limit: number, attributes: number, pointer: number, access: number, errorCode: number, wide = false,
  ) {
    this.#wide = wide;
    this.#cpu = cpu;
    this.#base = base;
    this.#limit = limit;
    this.#attributes = attributes;
    this.#access = access;
    this.#errorCode = errorCode;
    this.#mask = (attributes & 0x4000) !== 0 ? 0xffffffff : 0xffff;
    this.pointer = pointer;
  }

  /** The current stack. */
  static current(cpu: Cpu): Stack {
    if (cpu.is64) return new Stack(cpu, 0, 0, 0, cpu.getWide(FIELD.gpr + RSP * 8), cpu.userAccess, 0, true);
    return new Stack(
      cpu, cpu.segmentBase(SS), cpu.segmentField(SS, SEGMENT.limit), cpu.segmentField(SS, SEGMENT.attributes),
      cpu.reg32(RSP), cpu.userAccess, 0,
    );
  }

  /** A stack that is about to become current; faults name its selector. */
  static inner(
    cpu: Cpu, base: number, limit: number, attributes: number, pointer: number, user: boolean, selector: number,
  ): Stack {
    return new Stack(cpu, base, limit, attributes, pointer, user ? 2 : 0, selector & 0xfffc);
  }

  /** A 64-bit stack of a privilege level that is about to be entered. */
  static wide(cpu: Cpu, pointer: number, level: number): Stack {
    return new Stack(cpu, 0, 0, 0, pointer, level === 3 ? 2 : 0, 0, true);
  }

  /** Pushes; of 64 bits the value is a signed number. */
  push(value: number, size: 2 | 4 | 8): void {
    this.#pushWords(value, size === 8 ? upperHalf(value) : 0, size);
  }
  pushWords(low: number, high: number): void {
    this.#pushWords(low, high, 8);
  }
  #pushWords(low: number, high: number, size: 2 | 4 | 8): void {
    const next = this.#wrap(this.pointer - size);
    this.#cpu.writeWords(this.#linear(next, size, true), size, low, high, this.#access);
    this.#move(next);
  }

  /** Pops; of 64 bits a signed number, exact for canonical addresses. */
  pop(size: 2 | 4 | 8): number {
    const [low, high] = this.popWords(size);
    return size === 8 ? fromHalves(low, high) : low;
  }
  popWords(size: 2 | 4 | 8): readonly [low: number, high: number] {
    const top = this.#wrap(this.pointer), linear = this.#linear(top, size, false);
    const words =
      size === 8 ? this.#cpu.readWide(linear, this.#access) : ([this.#cpu.readLinear(linear, size, this.#access), 0] as const);
    this.#move(this.#wrap(top + size));
    return words;
  }

  /** The value `offset` bytes above the top. */
  peek(offset: number, size: 1 | 2 | 4): number {
    return this.#cpu.readLinear(this.#linear(this.#wrap(this.pointer + offset), size, false), size, this.#access);
  }

  skip(bytes: number): void {
    this.#move(this.#wrap(this.pointer + bytes));
  }

  #wrap(pointer: number): number {
    return this.#wide ? pointer : (pointer & this.#mask) >>> 0;
  }

  /** Makes the pointer the current stack pointer. */
  commit(): void {
    if (this.#wide) {
      this.#cpu.setWideSigned(FIELD.gpr + RSP * 8, this.pointer);
      return;
    }
    const stackMask = this.#cpu.get32(FIELD.stackMask);
    const kept = this.#cpu.reg32(RSP) & ~stackMask;
    this.#cpu.setReg32(RSP, (kept | (this.pointer & stackMask)) >>> 0);
  }

  #move(next: number): void {
    if (this.#wide) this.pointer = next;
    else this.pointer = ((this.pointer & ~this.#mask) | next) >>> 0;
  }

  #linear(offset: number, size: number, write: boolean): number {
    if (this.#wide) return this.#cpu.canonical(offset, size, true);
    if (!this.#cpu.segmentAllows(this.#attributes, this.#limit, offset, size, write)) raise(VECTOR.SS, this.#errorCode);
    return (this.#base + offset) >>> 0;
  }
}
