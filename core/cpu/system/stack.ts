// Pushes and pops of helpers: nothing moves until all accesses have been made.
import type { Cpu } from '../cpu.ts';
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
  pointer: number;

  private constructor(
    cpu: Cpu, base: number, limit: number, attributes: number, pointer: number, access: number, errorCode: number,
  ) {
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

  push(value: number, size: 2 | 4): void {
    const next = (((this.pointer - size) & this.#mask) >>> 0);
    this.#cpu.writeLinear(this.#linear(next, size, true), value, size, this.#access);
    this.#move(next);
  }

  pop(size: 2 | 4): number {
    const top = (this.pointer & this.#mask) >>> 0;
    const value = this.#cpu.readLinear(this.#linear(top, size, false), size, this.#access);
    this.#move(((top + size) & this.#mask) >>> 0);
    return value;
  }

  /** The value `offset` bytes above the top. */
  peek(offset: number, size: 1 | 2 | 4): number {
    const at = ((this.pointer + offset) & this.#mask) >>> 0;
    return this.#cpu.readLinear(this.#linear(at, size, false), size, this.#access);
  }

  skip(bytes: number): void {
    this.#move(((this.pointer + bytes) & this.#mask) >>> 0);
  }

  /** Makes the pointer the current (E)SP. */
  commit(): void {
    const stackMask = this.#cpu.get32(FIELD.stackMask);
    const kept = this.#cpu.reg32(RSP) & ~stackMask;
    this.#cpu.setReg32(RSP, (kept | (this.pointer & stackMask)) >>> 0);
  }

  #move(next: number): void {
    this.pointer = ((this.pointer & ~this.#mask) | next) >>> 0;
  }

  #linear(offset: number, size: number, write: boolean): number {
    if (!this.#cpu.segmentAllows(this.#attributes, this.#limit, offset, size, write)) raise(VECTOR.SS, this.#errorCode);
    return (this.#base + offset) >>> 0;
  }
}
