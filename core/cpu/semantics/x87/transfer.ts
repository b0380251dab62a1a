// x87 data transfer and control: FLD, FST, FILD, FIST, FXCH, FCMOV, constants (SDM 1 8.3.3, 8.3.4).
import { add, and, eqz, i32, i64, type I32, type I64, load32, load64, or, select, shl, shrU, store16, store32, sub, wrap, xor } from '../../emit/expressions.ts';
import { FIELD } from '../../state/layout.ts';
import { signedWide, type Semantics, type SemanticsContext, type SharedFunction, type Size, unsignedWide, type Value } from '../context.ts';
import { condition } from '../flags.ts';
import { narrowDouble, narrowSingle, scratchFlags, toInteger, widenDouble, widenInteger, widenSingle } from './convert.ts';
import {
  clearC1, exponentAt, fill, INDEFINITE, isFull, note, physical, pop, push, raiseFlags, registerAt, SCRATCH, setTop,
  significandAt, STACK_UNDERFLOW, storeAt, SW, top, unmasked, wait,
} from './state.ts';

/** Memory formats of numbers. */
export type Format = 'single' | 'double' | 'word' | 'short' | 'long';
export const FORMAT_SIZE: Readonly<Record<Format, Size>> = { single: 32, double: 64, word: 16, short: 32, long: 64 };

/** ST(i) of a Ti operand. */
export const stackOperand = (x: SemanticsContext): I32 => x.f.let(physical(x.cpu, x.immediate()));

/** Reads a memory operand into scratch; returns its flags (IE: SNaN, DE: denormal). */
export function readNumber(x: SemanticsContext, format: Format): I32 {
  const size = FORMAT_SIZE[format];
  const value = x.readAt(x.effectiveAddress(), size);
  if (format === 'single') return x.f.let(x.call(widenSingle, x.cpu, unsignedWide(value, 32)));
  if (format === 'double') return x.f.let(x.call(widenDouble, x.cpu, value));
  return x.f.let(x.call(widenInteger, x.cpu, signedWide(value, size)));
}

/** SDM 2A FLD m32/m64, FILD. */
export const load =
  (opcode: number, format: Format): Semantics =>
  (x) => {
    wait(x);
    const flags = readNumber(x, format);
    note(x, opcode, true);
    x.f.drop(x.call(push, x.cpu, load32(x.cpu, SCRATCH.exponent), load64(x.cpu, SCRATCH.significand), flags));
  };

/** SDM 2A FLD m80: any bits are loaded as they are. */
export const loadExtended =
  (opcode: number): Semantics =>
  (x) => {
    wait(x);
    const significand = x.readAt(x.effectiveAddress(), 64) as I64;
    const exponent = x.readAt(add(x.effectiveAddress(), i64(8)), 16) as I32;
    note(x, opcode, true);
    x.f.drop(x.call(push, x.cpu, exponent, significand, i32(0)));
  };

/** SDM 2A FLD ST(i). */
export const loadRegister =
  (opcode: number): Semantics =>
  (x) => {
    const { f, cpu } = x;
    wait(x);
    note(x, opcode, false);
    const source = stackOperand(x), register = f.let(registerAt(cpu, source));
    f.if(
      isFull(cpu, source),
      () => f.drop(x.call(push, cpu, exponentAt(register), significandAt(register), i32(0))),
      () => {
        const target = f.let(and(sub(top(cpu), i32(1)), i32(7)));
        f.if(eqz(x.call(raiseFlags, cpu, i32(STACK_UNDERFLOW))), () => {
          setTop(f, cpu, target);
          fill(f, cpu, target);
          storeAt(f, f.let(registerAt(cpu, target)), i32(INDEFINITE.exponent), i64(INDEFINITE.significand));
        });
      },
    );
  };

/** Values of the constant instructions, each as exponent, significand and what nearest rounding adds to the truncated one. */
const CONSTANTS = [
  [0x3fff, 0x8000000000000000n, 0n, 0], // FLD1
  [0x4000, 0xd49a784bcd1b8afen, 0n, 1], // FLDL2T
  [0x3fff, 0xb8aa3b295c17f0bbn, 1n, 0], // FLDL2E
  [0x4000, 0xc90fdaa22168c234n, 1n, 0], // FLDPI
  [0x3ffd, 0x9a209a84fbcff798n, 1n, 0], // FLDLG2
  [0x3ffe, 0xb17217f7d1cf79abn, 1n, 0], // FLDLN2
  [0, 0n, 0n, 0], // FLDZ
] as const;

/** SDM 2A FLD1...FLDZ: rounded by RC from the exact value, without PE. */
export const loadConstant =
  (opcode: number, index: number): Semantics =>
  (x) => {
    const { f, cpu } = x;
    const [exponent, truncated, nearest, isShortened] = CONSTANTS[index];
    wait(x);
    note(x, opcode, false);
    const mode = f.let(and(shrU(load32(cpu, FIELD.fpControl), 10), i32(3)));
    let significand: I64 = i64(truncated);
    if (nearest !== 0n) significand = add(significand, select(or(eqz(mode), eqz(xor(mode, i32(2)))), i64(1), i64(0)));
    else if (isShortened !== 0) significand = add(significand, select(eqz(xor(mode, i32(2))), i64(1), i64(0)));
    f.drop(x.call(push, cpu, i32(exponent), significand, i32(0)));
  };

/** Writes a converted value unless an exception forbids it; then raises, then pops. */
function deliver(x: SemanticsContext, opcode: number, flags: I32, size: Size, value: Value, pops: boolean): void {
  const { f, cpu } = x;
  // Inexact results are stored whether PE is masked or not.
  const stopped = f.let(unmasked(cpu, and(flags, i32(~SW.PE))));
  f.if(
    stopped,
    () => {
      note(x, opcode, true);
      f.drop(x.call(raiseFlags, cpu, flags));
    },
    () => {
      x.writeAt(x.effectiveAddress(), size, value);
      note(x, opcode, true);
      f.if(
        flags,
        () => f.drop(x.call(raiseFlags, cpu, flags)),
        () => clearC1(f, cpu),
      );
      if (pops) pop(f, cpu);
    },
  );
}

const INDEFINITE_BITS: Readonly<Record<Format, bigint>> = {
  single: 0xffc00000n, double: 0xfff8000000000000n, word: -0x8000n, short: -0x80000000n, long: -0x8000000000000000n,
};

/** RC for truncation. */
const TOWARD_ZERO = 0xc00;
/** SDM 2A FST m32/m64, FSTP, FIST, FISTP, FISTTP. */
export const store =
  (opcode: number, format: Format, pops: boolean, truncates = false): Semantics =>
  (x) => {
    const { f, cpu } = x;
    const size = FORMAT_SIZE[format];
    wait(x);
    // Found once, ahead of the branches that use it.
    x.effectiveAddress();
    const value = f.local('i64'), flags = f.local('i32');
    const source = f.let(top(cpu)), register = f.let(registerAt(cpu, source));
    f.if(
      isFull(cpu, source),
      () => {
        const word = exponentAt(register), significand = significandAt(register);
        if (format === 'single') f.set(value, x.call(narrowSingle, cpu, word, significand));
        else if (format === 'double') f.set(value, x.call(narrowDouble, cpu, word, significand));
        else {
          const before = f.let(load32(cpu, FIELD.fpControl));
          if (truncates) x.setField32(FIELD.fpControl, or(before, i32(TOWARD_ZERO)));
          f.set(value, x.call(toInteger, cpu, word, significand, i32(size)));
          if (truncates) x.setField32(FIELD.fpControl, before);
        }
        f.set(flags, scratchFlags(cpu));
      },
      () => {
        f.set(value, i64(INDEFINITE_BITS[format]));
        f.set(flags, i32(STACK_UNDERFLOW));
      },
    );
    const narrowed: Value = size === 64 ? value : f.let(and(wrap(value), i32(size === 16 ? 0xffff : -1)));
    deliver(x, opcode, flags, size, narrowed, pops);
  };

/** SDM 2A FSTP m80: stored as it is. */
export const storeExtended =
  (opcode: number): Semantics =>
  (x) => {
    const { f, cpu } = x;
    wait(x);
    x.effectiveAddress();
    const source = f.let(top(cpu)), register = f.let(registerAt(cpu, source));
    const flags = f.let(select(isFull(cpu, source), i32(0), i32(STACK_UNDERFLOW)));
    const significand = f.let(select(flags, i64(INDEFINITE.significand), significandAt(register)));
    const word = f.let(select(flags, i32(INDEFINITE.exponent), exponentAt(register)));
    f.if(
      unmasked(cpu, flags),
      () => {
        note(x, opcode, true);
        f.drop(x.call(raiseFlags, cpu, flags));
      },
      () => {
        // Neither part may be written unless both can be.
        x.probeWrite(x.effectiveAddress(), 64);
        x.probeWrite(f.let(add(x.effectiveAddress(), i64(8))), 16);
        x.writeAt(x.effectiveAddress(), 64, significand);
        x.writeAt(f.let(add(x.effectiveAddress(), i64(8))), 16, word);
        note(x, opcode, true);
        f.drop(x.call(raiseFlags, cpu, flags));
        pop(f, cpu);
      },
    );
  };

/** SDM 2A FST ST(i), FSTP ST(i). D9 D8 + i (FSTPNCE) pops an empty register without a fault. */
export const storeRegister =
  (opcode: number, pops: boolean, checks = true): Semantics =>
  (x) => {
    const { f, cpu } = x;
    wait(x);
    note(x, opcode, false);
    const source = f.let(top(cpu)), target = stackOperand(x);
    const from = f.let(registerAt(cpu, source)), to = f.let(registerAt(cpu, target));
    const finish = (word: I32, significand: I64): void => {
      storeAt(f, to, word, significand);
      fill(f, cpu, target);
      if (pops) pop(f, cpu);
    };
    f.if(
      isFull(cpu, source),
      () => {
        clearC1(f, cpu);
        finish(exponentAt(from), significandAt(from));
      },
      () => {
        if (!checks) {
          clearC1(f, cpu);
          pop(f, cpu);
          return;
        }
        f.if(eqz(x.call(raiseFlags, cpu, i32(STACK_UNDERFLOW))), () =>
          finish(i32(INDEFINITE.exponent), i64(INDEFINITE.significand)),
        );
      },
    );
  };

/** (cpu, number): puts the default NaN into a register if it is empty. */
export const fillEmpty: SharedFunction<'i32'> = {
  name: 'x87FillEmpty',
  parameters: ['i32', 'i32'],
  result: 'i32',
  emit: (f) => {
    const cpu = f.parameter<'i32'>(0), number = f.parameter<'i32'>(1);
    f.if(eqz(isFull(cpu, number)), () => {
      fill(f, cpu, number);
      storeAt(f, f.let(registerAt(cpu, number)), i32(INDEFINITE.exponent), i64(INDEFINITE.significand));
    });
    f.return(i32(0));
  },
};

/** SDM 2A FXCH. */
export const exchange =
  (opcode: number): Semantics =>
  (x) => {
    const { f, cpu } = x;
    wait(x);
    note(x, opcode, false);
    const a = f.let(top(cpu)), b = stackOperand(x);
    const ra = f.let(registerAt(cpu, a)), rb = f.let(registerAt(cpu, b));
    const swap = (): void => {
      const word = f.let(exponentAt(ra)), significand = f.let(significandAt(ra));
      storeAt(f, ra, exponentAt(rb), significandAt(rb));
      storeAt(f, rb, word, significand);
    };
    f.if(
      and(isFull(cpu, a), isFull(cpu, b)),
      () => {
        clearC1(f, cpu);
        swap();
      },
      () =>
        f.if(eqz(x.call(raiseFlags, cpu, i32(STACK_UNDERFLOW))), () => {
          f.drop(x.call(fillEmpty, cpu, a));
          f.drop(x.call(fillEmpty, cpu, b));
          swap();
        }),
    );
  };

/** SDM 2A FCMOVcc: an empty operand gives the default NaN whatever the condition. `code` is the condition as Jcc numbers it. */
export const conditionalMove =
  (opcode: number, code: number): Semantics =>
  (x) => {
    const { f, cpu } = x;
    wait(x);
    note(x, opcode, false);
    const target = f.let(top(cpu)), source = stackOperand(x);
    const to = f.let(registerAt(cpu, target)), from = f.let(registerAt(cpu, source));
    f.if(
      and(isFull(cpu, target), isFull(cpu, source)),
      () => f.if(condition(x, code), () => storeAt(f, to, exponentAt(from), significandAt(from))),
      () =>
        f.if(eqz(x.call(raiseFlags, cpu, i32(STACK_UNDERFLOW))), () => {
          fill(f, cpu, target);
          storeAt(f, to, i32(INDEFINITE.exponent), i64(INDEFINITE.significand));
        }),
    );
  };

/** SDM 2A FFREE, and FFREEP of all silicon. */
export const free =
  (opcode: number, pops: boolean): Semantics =>
  (x) => {
    const { f, cpu } = x;
    wait(x);
    note(x, opcode, false);
    const number = stackOperand(x);
    f.do(store32(cpu, and(load32(cpu, FIELD.fpTags), xor(shl(i32(1), number), i32(-1))), FIELD.fpTags));
    clearC1(f, cpu);
    if (pops) pop(f, cpu);
  };

/** SDM 2A FINCSTP, FDECSTP. */
export const rotate =
  (opcode: number, by: 1 | -1): Semantics =>
  (x) => {
    wait(x);
    note(x, opcode, false);
    setTop(x.f, x.cpu, x.f.let(and(add(top(x.cpu), i32(by)), i32(7))));
    clearC1(x.f, x.cpu);
  };

/** SDM 2A FNOP. */
export const noOperation =
  (opcode: number): Semantics =>
  (x) => {
    wait(x);
    note(x, opcode, false);
  };

/** SDM 2A FCHS, FABS: the sign alone. */
export const changeSign =
  (opcode: number, absolute: boolean): Semantics =>
  (x) => {
    const { f, cpu } = x;
    wait(x);
    note(x, opcode, false);
    const number = f.let(top(cpu)), register = f.let(registerAt(cpu, number));
    f.if(
      isFull(cpu, number),
      () => {
        const word = exponentAt(register);
        f.do(store16(register, absolute ? and(word, i32(0x7fff)) : xor(word, i32(0x8000)), FIELD.fpr + 8));
        clearC1(f, cpu);
      },
      () => f.if(eqz(x.call(raiseFlags, cpu, i32(STACK_UNDERFLOW))), () => f.drop(x.call(fillEmpty, cpu, number))),
    );
  };
