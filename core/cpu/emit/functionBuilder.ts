// Statements, locals and control flow of one WebAssembly function.
import type { Expression, I32, Statement } from './expressions.ts';
import { appendAll, TYPE_BYTE, uleb, type FunctionReference, type FunctionType, type ValueType } from './wasmEncoder.ts';

export interface Local<T extends ValueType = ValueType> extends Expression<T> {
  readonly index: number;
}

/** A block or loop that can be branched to: the nesting depth at which it was opened. */
export interface Label {
  readonly depth: number;
}

export class FunctionBuilder {
  readonly #parameterCount: number;
  readonly #localTypes: ValueType[] = [];
  readonly #free: Record<ValueType, number[]> = { i32: [], i64: [], f32: [], f64: [], v128: [] };
  readonly #scopes: Local[][] = [];
  readonly #code: number[] = [];
  #depth = 0;

  constructor(type: FunctionType) {
    this.#parameterCount = type.parameters.length;
    this.#parameters = type.parameters;
  }
  readonly #parameters: readonly ValueType[];

  parameter<T extends ValueType>(index: number): Local<T> {
    return this.#local(this.#parameters[index] as T, index);
  }

  /** A local for the rest of the innermost scope (the whole function outside any). */
  local<T extends ValueType>(type: T): Local<T> {
    const reused = this.#free[type].pop();
    const index = reused ?? this.#parameterCount + this.#localTypes.push(type) - 1;
    const local = this.#local(type, index);
    this.#scopes.at(-1)?.push(local);
    return local;
  }

  /** Locals taken inside are free again afterwards. They keep old values: set before get. */
  scope(body: () => void): void {
    this.#scopes.push([]);
    body();
    for (const local of this.#scopes.pop()!) this.#free[local.type].push(local.index);
  }

  /** Evaluates once and names the value. Constants and locals are returned as they are. */
  let<T extends ValueType>(value: Expression<T>): Expression<T> {
    if (value.constant !== undefined) return value;
    const local = this.local(value.type);
    this.set(local, value);
    return local;
  }

  set<T extends ValueType>(local: Local<T>, value: Expression<T>): void {
    appendAll(this.#code, value.code);
    this.#code.push(0x21, ...uleb(local.index));
  }

  tee<T extends ValueType>(local: Local<T>, value: Expression<T>): Expression<T> {
    return { type: value.type, code: [...value.code, 0x22, ...uleb(local.index)] };
  }

  do(statement: Statement): void {
    appendAll(this.#code, statement.code);
  }

  /** Evaluates for its effects. */
  drop(value: Expression): void {
    appendAll(this.#code, value.code);
    this.#code.push(0x1a);
  }

  if(condition: I32, then: () => void, otherwise?: () => void): void {
    if (condition.constant !== undefined) {
      if (condition.constant !== 0) then();
      else otherwise?.();
      return;
    }
    appendAll(this.#code, condition.code);
    this.#open(0x04);
    then();
    if (otherwise) {
      this.#code.push(0x05);
      otherwise();
    }
    this.#close();
  }

  /** `body` may branch to the label, which leads behind the block. */
  block(body: (label: Label) => void): void {
    const label = this.#open(0x02);
    body(label);
    this.#close();
  }

  /** `body` may branch to the label, which leads back to its start; falling through leaves the loop. */
  loop(body: (label: Label) => void): void {
    const label = this.#open(0x03);
    body(label);
    this.#close();
  }

  br(label: Label): void {
    this.#code.push(0x0c, ...uleb(this.#depth - label.depth));
  }

  brIf(label: Label, condition: I32): void {
    appendAll(this.#code, condition.code);
    this.#code.push(0x0d, ...uleb(this.#depth - label.depth));
  }

  /** Branches to `labels[index]`, or to `otherwise` beyond them. */
  brTable(index: I32, labels: readonly Label[], otherwise: Label): void {
    appendAll(this.#code, index.code);
    this.#code.push(0x0e, ...uleb(labels.length));
    for (const label of labels) this.#code.push(...uleb(this.#depth - label.depth));
    this.#code.push(...uleb(this.#depth - otherwise.depth));
  }

  return(value?: Expression): void {
    if (value) appendAll(this.#code, value.code);
    this.#code.push(0x0f);
  }

  unreachable(): void {
    this.#code.push(0x00);
  }

  /** A call with one result. */
  call<T extends ValueType>(callee: FunctionReference, ...values: readonly Expression[]): Expression<T> {
    return callExpression(callee, values);
  }

  /** A call of the function with that number in the module's table. */
  callIndirect<T extends ValueType>(typeIndex: number, type: T, number: I32, ...values: readonly Expression[]): Expression<T> {
    const code = values.flatMap((value) => [...value.code]);
    return { type, code: [...code, ...number.code, 0x11, ...uleb(typeIndex), 0] };
  }

  /** A call without a result. */
  callVoid(callee: FunctionReference, ...values: readonly Expression[]): void {
    appendAll(this.#code, callCode(callee, values));
  }

  /** Opens a block by hand: for the dispatch loop, whose blocks nest as deep as there are handlers. */
  open(): Label {
    return this.#open(0x02);
  }
  close(): void {
    this.#close();
  }

  /** How many blocks are open. */
  get depth(): number {
    return this.#depth;
  }

  get size(): number {
    return this.#code.length;
  }

  /** Local declarations and code as ModuleBuilder wants them. */
  finish(): number[] {
    if (this.#depth !== 0) throw new Error('a block is still open');
    const runs: { type: ValueType; count: number }[] = [];
    for (const type of this.#localTypes) {
      const last = runs.at(-1);
      if (last?.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    const bytes = [...uleb(runs.length), ...runs.flatMap((run) => [...uleb(run.count), TYPE_BYTE[run.type]])];
    appendAll(bytes, this.#code);
    bytes.push(0x0b);
    return bytes;
  }

  #local<T extends ValueType>(type: T, index: number): Local<T> {
    return { type, code: [0x20, ...uleb(index)], index };
  }

  #open(opcode: number): Label {
    this.#code.push(opcode, 0x40);
    this.#depth++;
    return { depth: this.#depth };
  }

  #close(): void {
    this.#code.push(0x0b);
    this.#depth--;
  }
}

/** A call with one result. */
export function callExpression<T extends ValueType>(callee: FunctionReference, values: readonly Expression[]): Expression<T> {
  return { type: callee.type.results[0] as T, code: callCode(callee, values) };
}

function callCode(callee: FunctionReference, values: readonly Expression[]): number[] {
  const expected = callee.type.parameters;
  if (values.length !== expected.length || values.some((value, index) => value.type !== expected[index])) {
    throw new Error(`call of function ${callee.index} with (${values.map((v) => v.type).join()}) for (${expected.join()})`);
  }
  const code: number[] = [];
  for (const value of values) appendAll(code, value.code);
  code.push(0x10, ...uleb(callee.index));
  return code;
}
