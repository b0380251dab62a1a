// Near branches, calls and loops.
import { add, and, eq, eqz, extendU, i32, i64, type I32, type I64, ne, sub } from '../emit/expressions.ts';
import { RCX, RSP } from '../state/layout.ts';
import { literal, narrow, type Semantics, type SemanticsContext, truncate, unsignedWide, type Value } from './context.ts';
import { condition, zeroFlag } from './flags.ts';

/** SDM 2A Jcc. */
export const jumpConditional =
  (code: number): Semantics =>
  (x) =>
    x.branchRelative(condition(x, code));

/** SDM 2A JMP rel. */
export const jumpRelative: Semantics = (x) => x.branchRelative();

/** SDM 2A JMP r/m. */
export const jumpIndirect: Semantics = (x, target) => {
  const to = x.f.let(unsignedWide(x.read(target), x.size));
  x.checkTarget(to);
  x.branchTo(to);
};

/** The return address, cut to the operand size. */
const returnAddress = (x: SemanticsContext): Value => x.f.let(truncate(narrow(x.nextRip(), x.size), x.size));

/** SDM 2A CALL rel. */
export const callRelative: Semantics = (x) => {
  x.push(returnAddress(x), x.size);
  x.branchRelative();
};

/** SDM 2A CALL r/m. */
export const callIndirect: Semantics = (x, target) => {
  const to = x.f.let(unsignedWide(x.read(target), x.size));
  x.checkTarget(to);
  x.push(returnAddress(x), x.size);
  x.branchTo(to);
};

/** SDM 2B RET: `extra` bytes of arguments are released too. */
export const returnNear: Semantics = (x, extra) => {
  const top = x.f.let(x.register(RSP, 64) as I64);
  const target = x.f.let(unsignedWide(x.readStack(top, x.size), x.size));
  x.checkTarget(target);
  const release = extra ? add(i64(x.size / 8), extendU(and(x.immediate(), i32(0xffff)))) : i64(x.size / 8);
  x.setStackPointer(add(top, release));
  x.branchTo(target);
};

/** Address size of the counter: `x.size` is the operand size, so each width is its own instruction. */
type CounterSize = 16 | 32 | 64;

/** Counts down; whether something is left. */
function decrementCounter(x: SemanticsContext, size: CounterSize): I32 {
  const count = x.f.let(truncate(sub(x.register(RCX, size), literal(size, 1)), size));
  x.setRegister(RCX, size, count);
  return ne(count, literal(size, 0));
}

/** SDM 2A LOOP. */
export const loop =
  (size: CounterSize): Semantics =>
  (x) =>
    x.branchRelative(decrementCounter(x, size));

/** SDM 2A LOOPE/LOOPNE. */
export const loopWhile =
  (size: CounterSize, zero: 0 | 1): Semantics =>
  (x) =>
    x.branchRelative(and(decrementCounter(x, size), eq(zeroFlag(x), i32(zero))));

/** SDM 2A JCXZ/JECXZ. */
export const jumpCounterZero =
  (size: CounterSize): Semantics =>
  (x) =>
    x.branchRelative(eqz(x.register(RCX, size)));

