// x87 arithmetic: FADD, FSUB, FMUL, FDIV, FSQRT, FRNDINT (SDM 1 8.3.5, table 8-10 to 8-13; SDM 2A). Each operation has a
// core for finite non-zero operands, with exponents that denormals may bring below 1, and an entry that sorts out the rest.
import {
  add, and, clz, divU, eq, eqz, extendU, geS, geU, gtU, i32, i64, type I32, type I64, leU, load32, load64, ltS, ltU, mul, ne, or,
  select, shl, shrS, shrU, sqrtEstimate, sub, wrap, xor,
} from '../../emit/expressions.ts';
import type { FunctionBuilder, Local } from '../../emit/functionBuilder.ts';
import type { Semantics, SemanticsContext, SharedCall, SharedFunction } from '../context.ts';
import { roundsAway, shiftOut } from './convert.ts';
import { give, roundStore } from './round.ts';
import {
  control, exponentAt, fill, INDEFINITE, INTEGER_BIT, isFull, note, pop, QUIET_BIT, raiseFlags, registerAt, SCRATCH,
  significandAt, STACK_UNDERFLOW, storeAt, SW, top, wait,
} from './state.ts';
import { type Format, readNumber, stackOperand } from './transfer.ts';

const exponentOf = (word: I32): I32 => and(word, i32(0x7fff));
const signOf = (word: I32): I32 => and(word, i32(0x8000));
const isNormal = (word: I32, significand: I64): I32 =>
  and(ltU(sub(exponentOf(word), i32(1)), i32(0x7ffe)), ltS(significand, i64(0)));
export const isUnsupported = (word: I32, significand: I64): I32 =>
  and(ne(exponentOf(word), i32(0)), geS(significand, i64(0)));
export const isNan = (word: I32, significand: I64): I32 =>
  and(eq(exponentOf(word), i32(0x7fff)), ne(shl(significand, 1), i64(0)));
const isInfinity = (word: I32, significand: I64): I32 =>
  and(eq(exponentOf(word), i32(0x7fff)), eqz(shl(significand, 1)));
const isQuiet = (significand: I64): I32 => and(wrap(shrU(significand, 62)), i32(1));
export const isDenormal = (word: I32, significand: I64): I32 =>
  and(eqz(exponentOf(word)), ne(significand, i64(0)));
const isZeroNumber = (word: I32, significand: I64): I32 => eqz(or(extendU(exponentOf(word)), significand));

/**
 * (cpu, register, a, b, flags) -> 2 when neither operand is a NaN or unsupported; else the NaN that results is given:
 * 1 stored, 0 kept out by IE. Of two NaNs the larger significand wins, then the positive one; a quiet one beats an SNaN
 * (SDM 1 table 4-7).
 */
export const sortNans: SharedFunction<'i32'> = {
  name: 'x87SortNans',
  parameters: ['i32', 'i32', 'i32', 'i64', 'i32', 'i64'],
  result: 'i32',
  exported: true,
  emit: (f, call) => {
    const cpu = f.parameter<'i32'>(0), target = f.parameter<'i32'>(1);
    const aw = f.parameter<'i32'>(2), a = f.parameter<'i64'>(3), bw = f.parameter<'i32'>(4), b = f.parameter<'i64'>(5);
    f.if(or(isUnsupported(aw, a), isUnsupported(bw, b)), () =>
      f.return(call(give, cpu, target, i32(INDEFINITE.exponent), i64(INDEFINITE.significand), i32(SW.IE))),
    );
    const aNan = f.let(isNan(aw, a)), bNan = f.let(isNan(bw, b));
    f.if(eqz(or(aNan, bNan)), () => f.return(i32(2)));
    const aSignals = f.let(and(aNan, xor(isQuiet(a), i32(1)))), bSignals = f.let(and(bNan, xor(isQuiet(b), i32(1))));
    const larger = or(gtU(a, b), and(eq(a, b), leU(aw, bw)));
    const both = and(aNan, bNan), sameKind = eqz(xor(aSignals, bSignals));
    const takeA = f.let(select(both, select(sameKind, larger, bSignals), aNan));
    const significand = or(select(takeA, a, b), i64(QUIET_BIT));
    f.return(call(give, cpu, target, select(takeA, aw, bw), significand, or(aSignals, bSignals)));
  },
};

/** Parameters of an operation's entry: (cpu, register, a, b, flags of a memory operand) -> 1 when stored. */
const BINARY = ['i32', 'i32', 'i32', 'i64', 'i32', 'i64', 'i32'] as const;
/** Of a core: (cpu, register, sign of a, exponent of a, significand of a, the same of b, flags). */
const CORE = ['i32', 'i32', 'i32', 'i32', 'i64', 'i32', 'i32', 'i64', 'i32'] as const;

interface Operands {
  readonly cpu: I32;
  readonly target: I32;
  readonly aw: Local<'i32'>;
  readonly a: Local<'i64'>;
  readonly bw: Local<'i32'>;
  readonly b: Local<'i64'>;
  readonly flags: Local<'i32'>;
}

const operandsOf = (f: FunctionBuilder): Operands => ({
  cpu: f.parameter<'i32'>(0), target: f.parameter<'i32'>(1), aw: f.parameter<'i32'>(2), a: f.parameter<'i64'>(3),
  bw: f.parameter<'i32'>(4), b: f.parameter<'i64'>(5), flags: f.parameter<'i32'>(6),
});

const invalid = (f: FunctionBuilder, call: SharedCall, o: Operands): void =>
  f.return(call(give, o.cpu, o.target, i32(INDEFINITE.exponent), i64(INDEFINITE.significand), i32(SW.IE)));

/** Exponent and normalised significand of a finite non-zero operand. */
function normalise(f: FunctionBuilder, word: I32, significand: Local<'i64'>): I32 {
  const exponent = f.local('i32');
  f.set(exponent, exponentOf(word));
  f.if(eqz(exponent), () => {
    const zeros = f.let(clz(significand));
    f.set(significand, shl(significand, zeros));
    f.set(exponent, sub(i32(1), wrap(zeros)));
  });
  return exponent;
}

/** An operation's entry; `special` returns for zeros and infinities, and falls through for what the core can do. */
function operation(
  name: string,
  core: SharedFunction<'i32'>,
  flips: boolean,
  special: (f: FunctionBuilder, call: SharedCall, o: Operands) => void,
): SharedFunction<'i32'> {
  const signOfB = (o: Operands): I32 => (flips ? xor(signOf(o.bw), i32(0x8000)) : signOf(o.bw));
  const slow: SharedFunction<'i32'> = {
    name: `${name}Special`,
    parameters: BINARY,
    result: 'i32',
    emit: (f, call) => {
      const o = operandsOf(f);
      const nan = f.let(call(sortNans, o.cpu, o.target, o.aw, o.a, o.bw, o.b));
      f.if(xor(nan, i32(2)), () => f.return(nan));
      const denormal = or(isDenormal(o.aw, o.a), isDenormal(o.bw, o.b));
      f.set(o.flags, or(o.flags, shl(denormal, 1)));
      if (flips) f.set(o.bw, xor(o.bw, i32(0x8000)));
      special(f, call, o);
      f.if(and(o.flags, xor(control(o.cpu), i32(-1))), () => {
        f.drop(call(raiseFlags, o.cpu, o.flags));
        f.return(i32(0));
      });
      const aExponent = normalise(f, o.aw, o.a), bExponent = normalise(f, o.bw, o.b);
      f.return(call(core, o.cpu, o.target, signOf(o.aw), aExponent, o.a, signOf(o.bw), bExponent, o.b, o.flags));
    },
  };
  return {
    name,
    parameters: BINARY,
    result: 'i32',
    emit: (f, call) => {
      const o = operandsOf(f);
      f.if(and(and(isNormal(o.aw, o.a), isNormal(o.bw, o.b)), eqz(o.flags)), () =>
        f.return(
          call(core, o.cpu, o.target, signOf(o.aw), exponentOf(o.aw), o.a, signOfB(o), exponentOf(o.bw), o.b, i32(0)),
        ),
      );
      f.return(call(slow, o.cpu, o.target, o.aw, o.a, o.bw, o.b, o.flags));
    },
  };
}

const coreOperands = (f: FunctionBuilder) =>
  ({
    cpu: f.parameter<'i32'>(0), target: f.parameter<'i32'>(1), aSign: f.parameter<'i32'>(2), aExponent: f.parameter<'i32'>(3),
    a: f.parameter<'i64'>(4), bSign: f.parameter<'i32'>(5), bExponent: f.parameter<'i32'>(6), b: f.parameter<'i64'>(7),
    flags: f.parameter<'i32'>(8),
  }) as const;

/** The sign of an exact zero sum: minus when rounding down. */
const zeroSign = (cpu: I32): I32 => select(eq(and(control(cpu), i32(0xc00)), i32(0x400)), i32(0x8000), i32(0));

const addCore: SharedFunction<'i32'> = {
  name: 'x87AddCore',
  parameters: CORE,
  result: 'i32',
  emit: (f, call) => {
    const o = coreOperands(f);
    const { cpu, target, a, b, aExponent, bExponent } = o;
    const high = f.local('i64'), low = f.local('i64');
    const swap = or(ltS(aExponent, bExponent), and(eq(aExponent, bExponent), ltU(a, b)));
    f.if(swap, () => {
      const kept = f.local('i64'), word = f.local('i32');
      f.set(kept, a);
      f.set(a, b);
      f.set(b, kept);
      f.set(word, aExponent);
      f.set(aExponent, bExponent);
      f.set(bExponent, word);
      f.set(word, o.aSign);
      f.set(o.aSign, o.bSign);
      f.set(o.bSign, word);
    });
    shiftOut(f, b, f.let(sub(aExponent, bExponent)), high, low);
    f.if(
      eq(o.aSign, o.bSign),
      () => {
        f.set(high, add(high, a));
        f.if(ltU(high, a), () => {
          f.set(low, or(or(shrU(low, 1), and(low, i64(1))), shl(high, 63)));
          f.set(high, or(shrU(high, 1), i64(INTEGER_BIT)));
          f.set(aExponent, add(aExponent, i32(1)));
        });
      },
      () => {
        f.set(high, sub(sub(a, high), extendU(ne(low, i64(0)))));
        f.set(low, sub(i64(0), low));
        f.if(eqz(high), () => {
          f.if(eqz(low), () => f.return(call(give, cpu, target, zeroSign(cpu), i64(0), o.flags)));
          f.set(high, low);
          f.set(low, i64(0));
          f.set(aExponent, sub(aExponent, i32(64)));
        });
        const zeros = f.let(clz(high));
        f.if(ne(zeros, i64(0)), () => {
          f.set(high, or(shl(high, zeros), shrU(low, sub(i64(64), zeros))));
          f.set(low, shl(low, zeros));
          f.set(aExponent, sub(aExponent, wrap(zeros)));
        });
      },
    );
    f.return(call(roundStore, cpu, target, o.aSign, aExponent, high, low, o.flags));
  },
};

/** The 128-bit product: sets `high` and `low`. */
export function multiplyWide(f: FunctionBuilder, a: I64, b: I64, high: Local<'i64'>, low: Local<'i64'>): void {
  const mask = i64(0xffffffffn);
  const aLow = f.let(and(a, mask)), aHigh = f.let(shrU(a, 32)), bLow = f.let(and(b, mask)), bHigh = f.let(shrU(b, 32));
  const lowest = f.let(mul(aLow, bLow));
  const middle = f.let(add(mul(aHigh, bLow), shrU(lowest, 32)));
  const other = f.let(add(mul(aLow, bHigh), and(middle, mask)));
  f.set(low, or(shl(other, 32), and(lowest, mask)));
  f.set(high, add(add(mul(aHigh, bHigh), shrU(middle, 32)), shrU(other, 32)));
}

const multiplyCore: SharedFunction<'i32'> = {
  name: 'x87MultiplyCore',
  parameters: CORE,
  result: 'i32',
  emit: (f, call) => {
    const o = coreOperands(f);
    const high = f.local('i64'), low = f.local('i64'), exponent = f.local('i32');
    multiplyWide(f, o.a, o.b, high, low);
    f.set(exponent, sub(add(o.aExponent, o.bExponent), i32(16382)));
    f.if(geS(high, i64(0)), () => {
      f.set(high, or(shl(high, 1), shrU(low, 63)));
      f.set(low, shl(low, 1));
      f.set(exponent, sub(exponent, i32(1)));
    });
    f.return(call(roundStore, o.cpu, o.target, xor(o.aSign, o.bSign), exponent, high, low, o.flags));
  },
};

/** One 32-bit digit of a quotient (Knuth, TAOCP 2 4.3.1 D): `high` becomes the remainder with `next` taken in. */
function quotientDigit(f: FunctionBuilder, high: Local<'i64'>, next: I64, divisor: I64, bHigh: I64, bLow: I64): I64 {
  const digit = f.local('i64'), rest = f.local('i64');
  f.set(digit, divU(high, bHigh));
  f.set(rest, sub(high, mul(digit, bHigh)));
  f.loop((again) => {
    const excess = gtU(mul(digit, bLow), or(shl(rest, 32), next));
    f.if(or(ne(shrU(digit, 32), i64(0)), excess), () => {
      f.set(digit, sub(digit, i64(1)));
      f.set(rest, add(rest, bHigh));
      f.brIf(again, eqz(shrU(rest, 32)));
    });
  });
  f.set(high, sub(or(shl(high, 32), next), mul(digit, divisor)));
  return digit;
}

const divideCore: SharedFunction<'i32'> = {
  name: 'x87DivideCore',
  parameters: CORE,
  result: 'i32',
  emit: (f, call) => {
    const o = coreOperands(f);
    const { a, b } = o;
    const exponent = f.local('i32'), next = f.local('i64');
    f.set(exponent, add(sub(o.aExponent, o.bExponent), i32(16382)));
    f.set(next, i64(0));
    f.if(geU(a, b), () => {
      f.set(next, shl(and(a, i64(1)), 31));
      f.set(a, shrU(a, 1));
      f.set(exponent, add(exponent, i32(1)));
    });
    const bHigh = f.let(shrU(b, 32)), bLow = f.let(and(b, i64(0xffffffffn)));
    const first = quotientDigit(f, a, next, b, bHigh, bLow);
    const second = quotientDigit(f, a, i64(0), b, bHigh, bLow);
    const quotient = or(shl(first, 32), second);
    // The remainder against half the divisor.
    const above = f.let(sub(b, a));
    const fraction = select(gtU(a, above), i64(-1), select(eq(a, above), i64(INTEGER_BIT), i64(1)));
    const rest = select(eqz(a), i64(0), fraction);
    f.return(call(roundStore, o.cpu, o.target, xor(o.aSign, o.bSign), exponent, quotient, rest, o.flags));
  },
};

/** Infinities and zeros of a sum; b has its effective sign. */
function specialSum(f: FunctionBuilder, call: SharedCall, o: Operands): void {
  const aInfinite = f.let(isInfinity(o.aw, o.a)), bInfinite = f.let(isInfinity(o.bw, o.b));
  f.if(and(and(aInfinite, bInfinite), ne(o.aw, o.bw)), () => invalid(f, call, o));
  f.if(aInfinite, () => f.return(call(give, o.cpu, o.target, o.aw, o.a, o.flags)));
  f.if(bInfinite, () => f.return(call(give, o.cpu, o.target, o.bw, o.b, o.flags)));
  const aZero = f.let(isZeroNumber(o.aw, o.a)), bZero = f.let(isZeroNumber(o.bw, o.b));
  f.if(and(aZero, bZero), () => {
    const sign = select(eq(o.aw, o.bw), o.aw, zeroSign(o.cpu));
    f.return(call(give, o.cpu, o.target, sign, i64(0), o.flags));
  });
  // A zero is what is left when its significand is shifted out: the other operand is rounded alone.
  f.if(or(aZero, bZero), () => {
    f.if(and(o.flags, xor(control(o.cpu), i32(-1))), () => {
      f.drop(call(raiseFlags, o.cpu, o.flags));
      f.return(i32(0));
    });
    f.if(aZero, () => {
      f.set(o.aw, o.bw);
      f.set(o.a, o.b);
    });
    const exponent = normalise(f, o.aw, o.a);
    f.return(call(roundStore, o.cpu, o.target, signOf(o.aw), exponent, o.a, i64(0), o.flags));
  });
}

function specialProduct(f: FunctionBuilder, call: SharedCall, o: Operands): void {
  const sign = f.let(signOf(xor(o.aw, o.bw)));
  const infinite = f.let(or(isInfinity(o.aw, o.a), isInfinity(o.bw, o.b)));
  const zero = f.let(or(isZeroNumber(o.aw, o.a), isZeroNumber(o.bw, o.b)));
  f.if(and(infinite, zero), () => invalid(f, call, o));
  f.if(infinite, () => f.return(call(give, o.cpu, o.target, or(sign, i32(0x7fff)), i64(INTEGER_BIT), o.flags)));
  f.if(zero, () => f.return(call(give, o.cpu, o.target, sign, i64(0), o.flags)));
}

function specialQuotient(f: FunctionBuilder, call: SharedCall, o: Operands): void {
  const sign = f.let(signOf(xor(o.aw, o.bw)));
  const aInfinite = f.let(isInfinity(o.aw, o.a)), bInfinite = f.let(isInfinity(o.bw, o.b));
  const aZero = f.let(isZeroNumber(o.aw, o.a)), bZero = f.let(isZeroNumber(o.bw, o.b));
  f.if(or(and(aInfinite, bInfinite), and(aZero, bZero)), () => invalid(f, call, o));
  f.if(aInfinite, () => f.return(call(give, o.cpu, o.target, or(sign, i32(0x7fff)), i64(INTEGER_BIT), o.flags)));
  f.if(bZero, () =>
    f.return(call(give, o.cpu, o.target, or(sign, i32(0x7fff)), i64(INTEGER_BIT), i32(SW.ZE))),
  );
  f.if(or(aZero, bInfinite), () => f.return(call(give, o.cpu, o.target, sign, i64(0), o.flags)));
}

export const OPERATIONS = {
  add: operation('x87Add', addCore, false, specialSum),
  subtract: operation('x87Subtract', addCore, true, specialSum),
  multiply: operation('x87Multiply', multiplyCore, false, specialProduct),
  divide: operation('x87Divide', divideCore, false, specialQuotient),
} as const;
export type Operation = keyof typeof OPERATIONS;

/** Puts the default NaN into the target after a stack underflow, unless IE is not masked. */
function underflow(x: SemanticsContext, number: I32, pops: boolean): void {
  const { f, cpu } = x;
  f.if(eqz(x.call(raiseFlags, cpu, i32(STACK_UNDERFLOW))), () => {
    fill(f, cpu, number);
    storeAt(f, f.let(registerAt(cpu, number)), i32(INDEFINITE.exponent), i64(INDEFINITE.significand));
    if (pops) pop(f, cpu);
  });
}

/** FADD, FSUB, FMUL, FDIV of ST(0) and ST(i). `reversed`: source op destination. */
export const binary =
  (opcode: number, name: Operation, target: 'ST(0)' | 'ST(i)', reversed: boolean, pops: boolean): Semantics =>
  (x) => {
    const { f, cpu } = x;
    wait(x);
    note(x, opcode, false);
    const zero = f.let(top(cpu)), other = stackOperand(x);
    const st0 = f.let(registerAt(cpu, zero)), sti = f.let(registerAt(cpu, other));
    const destination = target === 'ST(0)' ? st0 : sti, source = target === 'ST(0)' ? sti : st0;
    const [a, b] = reversed ? [source, destination] : [destination, source];
    f.if(
      and(isFull(cpu, zero), isFull(cpu, other)),
      () => {
        const stored = x.call(
          OPERATIONS[name], cpu, destination, exponentAt(a), significandAt(a), exponentAt(b), significandAt(b), i32(0),
        );
        if (pops) f.if(stored, () => pop(f, cpu));
        else f.drop(stored);
      },
      () => underflow(x, target === 'ST(0)' ? zero : other, pops),
    );
  };

/** FADD, FSUB, FMUL, FDIV of ST(0) and memory. */
export const binaryMemory =
  (opcode: number, name: Operation, format: Format, reversed: boolean): Semantics =>
  (x) => {
    const { f, cpu } = x;
    wait(x);
    const flags = readNumber(x, format);
    note(x, opcode, true);
    const zero = f.let(top(cpu)), st0 = f.let(registerAt(cpu, zero));
    f.if(
      isFull(cpu, zero),
      () => {
        const register = [exponentAt(st0), significandAt(st0)], memory = [load32(cpu, SCRATCH.exponent), load64(cpu, SCRATCH.significand)];
        const operands = reversed ? [...memory, ...register] : [...register, ...memory];
        f.drop(x.call(OPERATIONS[name], cpu, st0, ...operands, flags));
      },
      () => underflow(x, zero, false),
    );
  };

/** Sets `root` to the integer part of the root of high:low >= 2^126, and the remainder's flag (0: none, 1: above half, else less). */
const squareRootCore: SharedFunction<'i32'> = {
  name: 'x87SquareRootCore',
  parameters: ['i32', 'i32', 'i32', 'i64', 'i32'],
  result: 'i32',
  emit: (f, call) => {
    const cpu = f.parameter<'i32'>(0), target = f.parameter<'i32'>(1), exponent = f.parameter<'i32'>(2);
    const significand = f.parameter<'i64'>(3), flags = f.parameter<'i32'>(4);
    const high = f.local('i64'), low = f.local('i64');
    // An odd biased exponent is an even power of two: significand * 2^63, else * 2^64.
    const isEven = f.let(and(exponent, i32(1)));
    f.set(high, select(isEven, shrU(significand, 1), significand));
    f.set(low, select(isEven, shl(significand, 63), i64(0)));
    // The upper 32 bits of the root, then 32 more by division (Zimmermann, Karatsuba Square Root).
    const upper = f.local('i64'), rest = f.local('i64');
    f.set(upper, sqrtEstimate(high));
    f.if(gtU(upper, i64(0xffffffffn)), () => f.set(upper, i64(0xffffffffn)));
    f.loop((again) => {
      f.set(rest, sub(high, mul(upper, upper)));
      f.if(ltS(rest, i64(0)), () => {
        f.set(upper, sub(upper, i64(1)));
        f.br(again);
      });
    });
    const digit = f.local('i64'), root = f.local('i64');
    f.set(digit, divU(add(shl(rest, 31), shrU(low, 33)), upper));
    f.if(gtU(digit, i64(0xffffffffn)), () => f.set(digit, i64(0xffffffffn)));
    f.set(root, or(shl(upper, 32), digit));
    const squareHigh = f.local('i64'), squareLow = f.local('i64'), above = f.local('i64');
    f.loop((again) => {
      multiplyWide(f, root, root, squareHigh, squareLow);
      f.set(above, sub(sub(high, squareHigh), extendU(ltU(low, squareLow))));
      f.set(rest, sub(low, squareLow));
      f.if(ltS(above, i64(0)), () => {
        f.set(root, sub(root, i64(1)));
        f.br(again);
      });
    });
    const half = or(ne(above, i64(0)), gtU(rest, root));
    const fraction = select(half, i64(-1), extendU(ne(rest, i64(0))));
    // (exponent - 16383) / 2 + 16383, rounded down: exponents of denormals are above -64.
    const biased = add(shrS(add(exponent, i32(1)), 1), i32(8191));
    f.return(call(roundStore, cpu, target, i32(0), biased, root, fraction, flags));
  },
};

const squareRootOf: SharedFunction<'i32'> = {
  name: 'x87SquareRoot',
  parameters: ['i32', 'i32', 'i32', 'i64'],
  result: 'i32',
  emit: (f, call) => {
    const cpu = f.parameter<'i32'>(0), target = f.parameter<'i32'>(1), word = f.parameter<'i32'>(2);
    const significand = f.parameter<'i64'>(3);
    const nan = f.let(call(sortNans, cpu, target, word, significand, word, significand));
    f.if(xor(nan, i32(2)), () => f.return(nan));
    f.if(isZeroNumber(word, significand), () => f.return(call(give, cpu, target, word, significand, i32(0))));
    f.if(signOf(word), () =>
      f.return(call(give, cpu, target, i32(INDEFINITE.exponent), i64(INDEFINITE.significand), i32(SW.IE))),
    );
    f.if(isInfinity(word, significand), () => f.return(call(give, cpu, target, word, significand, i32(0))));
    const flags = f.let(shl(eqz(exponentOf(word)), 1));
    f.if(and(flags, xor(control(cpu), i32(-1))), () => {
      f.drop(call(raiseFlags, cpu, flags));
      f.return(i32(0));
    });
    const exponent = normalise(f, word, significand);
    f.return(call(squareRootCore, cpu, target, exponent, significand, flags));
  },
};

/** SDM 2A FRNDINT. */
const roundToInteger: SharedFunction<'i32'> = {
  name: 'x87RoundToInteger',
  parameters: ['i32', 'i32', 'i32', 'i64'],
  result: 'i32',
  emit: (f, call) => {
    const cpu = f.parameter<'i32'>(0), target = f.parameter<'i32'>(1), word = f.parameter<'i32'>(2);
    const significand = f.parameter<'i64'>(3);
    const nan = f.let(call(sortNans, cpu, target, word, significand, word, significand));
    f.if(xor(nan, i32(2)), () => f.return(nan));
    const exponent = f.let(exponentOf(word));
    f.if(or(geS(exponent, i32(16383 + 63)), isZeroNumber(word, significand)), () =>
      f.return(call(give, cpu, target, word, significand, i32(0))),
    );
    const flags = f.local('i32'), kept = f.local('i64'), rest = f.local('i64');
    f.set(flags, shl(isDenormal(word, significand), 1));
    f.if(and(flags, xor(control(cpu), i32(-1))), () => {
      f.drop(call(raiseFlags, cpu, flags));
      f.return(i32(0));
    });
    shiftOut(f, significand, f.let(sub(i32(16383 + 63), exponent)), kept, rest);
    const away = roundsAway(f, cpu, shrU(word, 15), wrap(and(kept, i64(1))), rest);
    f.set(kept, add(kept, extendU(away)));
    f.if(ne(rest, i64(0)), () => f.set(flags, or(or(flags, i32(SW.PE)), shl(away, 9))));
    f.set(rest, clz(kept));
    const biased = select(eqz(kept), i32(0), sub(i32(16383 + 63), wrap(rest)));
    const result = f.let(or(signOf(word), biased));
    storeAt(f, target, result, shl(kept, rest));
    f.drop(call(raiseFlags, cpu, flags));
    f.return(i32(1));
  },
};

const unary =
  (opcode: number, callee: SharedFunction<'i32'>): Semantics =>
  (x) => {
    const { f, cpu } = x;
    wait(x);
    note(x, opcode, false);
    const zero = f.let(top(cpu)), st0 = f.let(registerAt(cpu, zero));
    f.if(
      isFull(cpu, zero),
      () => f.drop(x.call(callee, cpu, st0, exponentAt(st0), significandAt(st0))),
      () => underflow(x, zero, false),
    );
  };

/** SDM 2A FSQRT. */
export const squareRoot: Semantics = unary(0xd9, squareRootOf);
/** SDM 2A FRNDINT. */
export const roundInteger: Semantics = unary(0xd9, roundToInteger);
