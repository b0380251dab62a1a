// The x87's registers, flags and exceptions as emitted code (SDM 1 chapter 8).
import {
  add, and, eqz, i32, i64, type I32, type I64, load16U, load32, load64, or, shl, shrU, store16, store32, store64, sub, xor,
} from '../../emit/expressions.ts';
import type { FunctionBuilder } from '../../emit/functionBuilder.ts';
import { CS, FIELD, FLOATING_ERROR, SEGMENT } from '../../state/layout.ts';
import type { SemanticsContext, SharedFunction } from '../context.ts';

/** Status word: exceptions, condition codes (SDM 1 8.1.3). */
export const SW = {
  IE: 1, DE: 2, ZE: 4, OE: 8, UE: 0x10, PE: 0x20, SF: 0x40, ES: 0x80, C0: 0x100, C1: 0x200, C2: 0x400, C3: 0x4000, B: 0x8000,
} as const;
export const STACK_OVERFLOW = SW.IE | SW.SF | SW.C1;
export const STACK_UNDERFLOW = SW.IE | SW.SF;

/** The default NaN, "real indefinite". */
export const INDEFINITE = { exponent: 0xffff, significand: 0xc000000000000000n } as const;
export const INTEGER_BIT = 0x8000000000000000n;
export const QUIET_BIT = 0x4000000000000000n;

/** Scratch of functions with several results. */
export const SCRATCH = {
  significand: FIELD.fpScratch,
  exponent: FIELD.fpScratch + 8,
  flags: FIELD.fpScratch + 16,
  /** A second significand, exponent. */
  significand2: FIELD.fpScratch + 24,
  exponent2: FIELD.fpScratch + 32,
} as const;

const NM = 7, MF = 16;
const CR0_TS_EM = 12, CR0_NE = 0x20;

/** Faults of an instruction that waits for pending exceptions (SDM 1 8.7): by vector 16, or by FERR# unless IGNNE# is asserted. */
export function wait(x: SemanticsContext): void {
  const pending = x.f.let(and(x.field32(FIELD.fpStatus), i32(SW.ES)));
  x.f.if(or(and(x.field32(FIELD.cr0), i32(CR0_TS_EM)), pending), () => {
    x.raiseIf(and(x.field32(FIELD.cr0), i32(CR0_TS_EM)), NM);
    raisePending(x);
  });
}
/** With an exception pending. */
export function raisePending(x: SemanticsContext): void {
  x.raiseIf(and(x.field32(FIELD.cr0), i32(CR0_NE)), MF);
  x.raiseIf(eqz(x.field32(FIELD.ignoreErrors)), FLOATING_ERROR);
}
/** Faults of an instruction that does not wait. */
export function noWait(x: SemanticsContext): void {
  x.raiseIf(and(x.field32(FIELD.cr0), i32(CR0_TS_EM)), NM);
}

/** Remembers the instruction for exception handlers (SDM 1 8.1.8); all its memory accesses are done. */
export function note(x: SemanticsContext, opcode: number, memory: boolean): void {
  const { f, cpu } = x;
  f.do(store64(cpu, x.ownRip(), FIELD.fpInstruction));
  f.do(store32(cpu, load32(cpu, FIELD.segments + CS * SEGMENT.bytes + SEGMENT.selector), FIELD.fpInstructionSelector));
  f.do(store32(cpu, or(x.immediate(), i32((opcode & 7) << 8)), FIELD.fpOpcode));
  if (!memory) return;
  f.do(store64(cpu, x.effectiveAddress(), FIELD.fpData));
  f.do(store32(cpu, x.operandSelector(), FIELD.fpDataSelector));
}

export const status = (cpu: I32): I32 => load32(cpu, FIELD.fpStatus);
export const control = (cpu: I32): I32 => load32(cpu, FIELD.fpControl);
export const top = (cpu: I32): I32 => and(shrU(status(cpu), 11), i32(7));
/** Physical number of ST(i). */
export const physical = (cpu: I32, i: I32): I32 => and(add(shrU(status(cpu), 11), i), i32(7));
/** Address of a physical register, less FIELD.fpr. */
export const registerAt = (cpu: I32, number: I32): I32 => add(cpu, shl(number, 4));
export const isFull = (cpu: I32, number: I32): I32 => and(shrU(load32(cpu, FIELD.fpTags), number), i32(1));
export const significandAt = (register: I32): I64 => load64(register, FIELD.fpr);
export const exponentAt = (register: I32): I32 => load16U(register, FIELD.fpr + 8);

export function storeAt(f: FunctionBuilder, register: I32, exponent: I32, significand: I64): void {
  f.do(store64(register, significand, FIELD.fpr));
  f.do(store16(register, exponent, FIELD.fpr + 8));
}
export function fill(f: FunctionBuilder, cpu: I32, number: I32): void {
  f.do(store32(cpu, or(load32(cpu, FIELD.fpTags), shl(i32(1), number)), FIELD.fpTags));
}
export function setTop(f: FunctionBuilder, cpu: I32, number: I32): void {
  f.do(store32(cpu, or(and(status(cpu), i32(~0x3800)), shl(number, 11)), FIELD.fpStatus));
}
/** Empties ST(0) and increments TOP. */
export function pop(f: FunctionBuilder, cpu: I32): void {
  const old = f.let(top(cpu));
  f.do(store32(cpu, and(load32(cpu, FIELD.fpTags), xor(shl(i32(1), old), i32(-1))), FIELD.fpTags));
  setTop(f, cpu, and(add(old, i32(1)), i32(7)));
}
export function clearC1(f: FunctionBuilder, cpu: I32): void {
  f.do(store32(cpu, and(status(cpu), i32(~SW.C1)), FIELD.fpStatus));
}
/** Those of the exceptions that are not masked. */
export const unmasked = (cpu: I32, flags: I32): I32 => and(and(flags, i32(0x3f)), xor(control(cpu), i32(-1)));

/** (cpu, status bits) -> the exceptions among them that are not masked. Sets the bits, C1 as given, and ES and B. */
export const raiseFlags: SharedFunction<'i32'> = {
  name: 'x87RaiseFlags',
  parameters: ['i32', 'i32'],
  result: 'i32',
  exported: true,
  emit: (f) => {
    const cpu = f.parameter<'i32'>(0), flags = f.parameter<'i32'>(1);
    f.do(store32(cpu, or(and(status(cpu), i32(~SW.C1)), flags), FIELD.fpStatus));
    const stopped = f.let(unmasked(cpu, flags));
    f.if(stopped, () => f.do(store32(cpu, or(status(cpu), i32(SW.ES | SW.B)), FIELD.fpStatus)));
    f.return(stopped);
  },
};

/**
 * (cpu, sign and exponent, significand, flags): pushes, unless the stack overflows or an exception in `flags` is not
 * masked. IE in the flags says that the value is an SNaN: it becomes quiet.
 */
export const push: SharedFunction<'i32'> = {
  name: 'x87Push',
  parameters: ['i32', 'i32', 'i64', 'i32'],
  result: 'i32',
  exported: true,
  emit: (f, call) => {
    const cpu = f.parameter<'i32'>(0), exponent = f.parameter<'i32'>(1);
    const significand = f.parameter<'i64'>(2), flags = f.parameter<'i32'>(3);
    const target = f.let(and(sub(top(cpu), i32(1)), i32(7)));
    f.if(isFull(cpu, target), () => {
      f.set(exponent, i32(INDEFINITE.exponent));
      f.set(significand, i64(INDEFINITE.significand));
      f.set(flags, i32(STACK_OVERFLOW));
    });
    f.if(
      flags,
      () => {
        // A denormal is loaded even if DE is not masked.
        f.if(and(call(raiseFlags, cpu, flags), i32(SW.IE)), () => f.return(i32(0)));
        f.if(and(flags, i32(SW.IE)), () => f.set(significand, or(significand, i64(QUIET_BIT))));
      },
      () => clearC1(f, cpu),
    );
    setTop(f, cpu, target);
    fill(f, cpu, target);
    storeAt(f, registerAt(cpu, target), exponent, significand);
    f.return(i32(1));
  },
};

