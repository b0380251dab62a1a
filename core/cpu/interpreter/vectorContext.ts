// The context that vector semantics need: register offsets, and memory of 16 bytes.
import { add, and, i32, type I32, type I64, load64, load8U, store64, wrap } from '../emit/expressions.ts';
import { i64x2, store128, type V128 } from '../emit/vectors.ts';
import type { Operand, OperandSize } from '../semantics/context.ts';
import type { VectorContext } from '../semantics/sse/context.ts';
import { FIELD, RECORD, SLOT } from '../state/layout.ts';
import { type Address, DynamicContext } from './dynamicContext.ts';

const GP = 13;

export class DynamicVectorContext extends DynamicContext implements VectorContext {
  registerOffset(operand: Operand): I32 {
    return load8U(this.record, operand.kind === 'a' ? RECORD.a : RECORD.b);
  }

  hostRead(bytes: number, isAligned: boolean): I32 {
    const address = this.operandAddress();
    if (isAligned) this.requireAlignment(address, bytes);
    return this.reach(address, (bytes * 8) as OperandSize, false);
  }

  write128(value: V128, isAligned: boolean): void {
    const { f, cpu } = this;
    const address = this.operandAddress();
    if (isAligned) this.requireAlignment(address, 16);
    const named = f.let(value);
    const { hit, host } = this.probe(address, 128, true);
    f.if(
      hit,
      () => f.do(store128(f.let(host), named)),
      () => {
        // Where the slow path puts the lower half, less 8.
        f.do(store64(cpu, i64x2.extract(named, 1), FIELD.scratch + 40));
        f.if(this.slowWrite(address, 128, i64x2.extract(named, 0)), () => this.frame.exits.fault());
      },
    );
  }

  /** SDM 1 10.2: legacy SSE operands in memory are aligned. */
  protected requireAlignment(address: Address, bytes: number): void {
    this.raiseIf(and(this.#lowLinear(address), i32(bytes - 1)), GP);
  }

  #lowLinear(address: Address): I32 {
    if (!('linear' in address)) return add(wrap(address.effective), wrap(load64(address.slot, FIELD.slots + SLOT.base)));
    return address.linear.type === 'i64' ? wrap(address.linear as I64) : (address.linear as I32);
  }
}
