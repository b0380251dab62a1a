// x87 comparison: FCOM, FUCOM, FCOMI, FUCOMI, FTST, FXAM (SDM 1 8.3.6).
import {
  and, eq, eqz, i32, i64, type I32, type I64, load32, load64, ltU, ne, or, select, shl, shrU, store32, xor,
} from '../../emit/expressions.ts';
import { FIELD } from '../../state/layout.ts';
import type { Semantics, SemanticsContext, SharedFunction } from '../context.ts';
import { writeArithmeticFlags } from '../flags.ts';
import { isDenormal, isNan, isUnsupported } from './arithmetic.ts';
import {
  exponentAt, isFull, note, pop, QUIET_BIT, raiseFlags, registerAt, SCRATCH, significandAt, STACK_UNDERFLOW, status, SW,
  top, wait,
} from './state.ts';
import { type Format, readNumber, stackOperand } from './transfer.ts';

const CONDITIONS = SW.C0 | SW.C2 | SW.C3;
const STOPPED = 1;

/** (cpu, a, b, flags, quiet) -> C0, C2, C3 of the comparison, and STOPPED when an exception is not masked. */
const compareValues: SharedFunction<'i32'> = {
  name: 'x87Compare',
  parameters: ['i32', 'i32', 'i64', 'i32', 'i64', 'i32', 'i32'],
  result: 'i32',
  emit: (f, call) => {
    const cpu = f.parameter<'i32'>(0), aw = f.parameter<'i32'>(1), a = f.parameter<'i64'>(2);
    const bw = f.parameter<'i32'>(3), b = f.parameter<'i64'>(4), flags = f.parameter<'i32'>(5), quiet = f.parameter<'i32'>(6);
    const exponent = (word: I32): I32 => and(word, i32(0x7fff));
    const result = f.local('i32');
    const odd = or(or(isUnsupported(aw, a), isUnsupported(bw, b)), or(isNan(aw, a), isNan(bw, b)));
    f.if(odd, () => {
      const signals = (word: I32, value: I64): I32 => and(isNan(word, value), eqz(and(value, i64(QUIET_BIT))));
      const unsupported = or(isUnsupported(aw, a), isUnsupported(bw, b));
      const invalid = or(xor(quiet, i32(1)), or(unsupported, or(signals(aw, a), signals(bw, b))));
      f.return(or(i32(CONDITIONS), ne(call(raiseFlags, cpu, invalid), i32(0))));
    });
    f.set(flags, or(flags, shl(or(isDenormal(aw, a), isDenormal(bw, b)), 1)));
    const stopped = f.let(ne(call(raiseFlags, cpu, flags), i32(0)));
    // Denormals and pseudo-denormals have the exponent 1.
    const aExponent = f.let(or(exponent(aw), eqz(exponent(aw)))), bExponent = f.let(or(exponent(bw), eqz(exponent(bw))));
    f.if(eqz(or(a, b)), () => f.return(or(i32(SW.C3), stopped)));
    f.if(
      ne(shrU(aw, 15), shrU(bw, 15)),
      () => f.set(result, shl(shrU(aw, 15), 8)),
      () => {
        f.if(and(eq(aExponent, bExponent), eq(a, b)), () => f.return(or(i32(SW.C3), stopped)));
        // Zero has the least significand at the least exponent.
        const less = or(ltU(aExponent, bExponent), and(eq(aExponent, bExponent), ltU(a, b)));
        f.set(result, shl(xor(less, shrU(aw, 15)), 8));
      },
    );
    f.return(or(result, stopped));
  },
};

/** Puts the outcome into the status word, or into ZF, PF and CF. What is not masked keeps from popping alone. */
function conclude(x: SemanticsContext, outcome: I32, where: 'status' | 'eflags', pops: number): void {
  const { f, cpu } = x;
  const result = f.let(outcome);
  const conditions = and(result, i32(CONDITIONS));
  if (where === 'status') f.do(store32(cpu, or(and(status(cpu), i32(~CONDITIONS)), conditions), FIELD.fpStatus));
  // C0, C2 and C3 are where SAHF wants them: CF, PF and ZF in bits 0, 2 and 6 of the upper byte.
  else writeArithmeticFlags(x, f.let(shrU(conditions, 8)), true);
  if (pops === 0) return;
  f.if(eqz(and(result, i32(STOPPED))), () => {
    for (let count = 0; count < pops; count++) pop(f, cpu);
  });
}

function whenEmpty(x: SemanticsContext): I32 {
  return or(i32(CONDITIONS), ne(x.call(raiseFlags, x.cpu, i32(STACK_UNDERFLOW)), i32(0)));
}

export interface Comparison {
  readonly quiet: boolean;
  readonly where: 'status' | 'eflags';
  readonly pops: 0 | 1 | 2;
}

/** SDM 2A FCOM, FUCOM, FCOMI, FUCOMI of ST(0) and ST(i). */
export const compare =
  (opcode: number, { quiet, where, pops }: Comparison): Semantics =>
  (x) => {
    const { f, cpu } = x;
    wait(x);
    note(x, opcode, false);
    const zero = f.let(top(cpu)), other = stackOperand(x);
    const a = f.let(registerAt(cpu, zero)), b = f.let(registerAt(cpu, other));
    const outcome = f.local('i32');
    const before = f.let(and(status(cpu), i32(where === 'eflags' ? SW.C1 : 0)));
    f.if(
      and(isFull(cpu, zero), isFull(cpu, other)),
      () => {
        f.set(
          outcome,
          x.call(
            compareValues, cpu, exponentAt(a), significandAt(a), exponentAt(b), significandAt(b), i32(0), i32(quiet ? 1 : 0),
          ),
        );
        // FCOMI leaves C1 alone.
        if (where === 'eflags') f.do(store32(cpu, or(status(cpu), before), FIELD.fpStatus));
      },
      () => f.set(outcome, whenEmpty(x)),
    );
    conclude(x, outcome, where, pops);
  };

/** SDM 2A FCOM, FICOM with memory. */
export const compareMemory =
  (opcode: number, format: Format, pops: 0 | 1): Semantics =>
  (x) => {
    const { f, cpu } = x;
    wait(x);
    const flags = readNumber(x, format);
    note(x, opcode, true);
    const zero = f.let(top(cpu)), a = f.let(registerAt(cpu, zero));
    const outcome = f.local('i32');
    f.if(
      isFull(cpu, zero),
      () =>
        f.set(
          outcome,
          x.call(
            compareValues, cpu, exponentAt(a), significandAt(a), load32(cpu, SCRATCH.exponent), load64(cpu, SCRATCH.significand),
            flags, i32(0),
          ),
        ),
      () => f.set(outcome, whenEmpty(x)),
    );
    conclude(x, outcome, 'status', pops);
  };

/** SDM 2A FTST. */
export const test: Semantics = (x) => {
  const { f, cpu } = x;
  wait(x);
  note(x, 0xd9, false);
  const zero = f.let(top(cpu)), a = f.let(registerAt(cpu, zero));
  const outcome = f.local('i32');
  f.if(
    isFull(cpu, zero),
    () => f.set(outcome, x.call(compareValues, cpu, exponentAt(a), significandAt(a), i32(0), i64(0), i32(0), i32(0))),
    () => f.set(outcome, whenEmpty(x)),
  );
  conclude(x, outcome, 'status', 0);
};

/** SDM 2A FXAM: C1 is the sign, even of an empty register. */
export const examine: Semantics = (x) => {
  const { f, cpu } = x;
  wait(x);
  note(x, 0xd9, false);
  const zero = f.let(top(cpu)), register = f.let(registerAt(cpu, zero));
  const word = f.let(exponentAt(register)), significand = f.let(significandAt(register));
  const nanOrInfinity = select(isNan(word, significand), i32(SW.C0), i32(SW.C0 | SW.C2));
  const special = select(eq(and(word, i32(0x7fff)), i32(0x7fff)), nanOrInfinity, i32(SW.C2));
  const supported = select(isUnsupported(word, significand), i32(0), special);
  const small = select(isDenormal(word, significand), i32(SW.C3 | SW.C2), i32(SW.C3));
  const kind = select(and(word, i32(0x7fff)), supported, small);
  const found = select(isFull(cpu, zero), kind, i32(SW.C3 | SW.C0));
  const conditions = or(found, shl(shrU(word, 15), 9));
  f.do(store32(cpu, or(and(status(cpu), i32(~(CONDITIONS | SW.C1))), conditions), FIELD.fpStatus));
};
