// What vector semantics are written against, and the state they share (SDM 1 9, 10, 13.5; SDM 3A 13.1).
import { add, and, i32, type I32, or, shl, store16, store32, xor } from '../../emit/expressions.ts';
import { i32x4, i64x2, load128, load32Zero, load64Zero, store128, store64Lane, type V128 } from '../../emit/vectors.ts';
import { FIELD } from '../../state/layout.ts';
import type { Operand, Semantics, SemanticsContext } from '../context.ts';
import { raisePending, SW } from '../x87/state.ts';

export interface VectorContext extends SemanticsContext {
  /** Eight times the number of a register operand. */
  registerOffset(operand: Operand): I32;
  /** Host address to read so many bytes of the memory operand from; #GP(0) if they must be aligned and are not. */
  hostRead(bytes: number, isAligned: boolean): I32;
  /** Stores 16 bytes in the memory operand. */
  write128(value: V128, isAligned: boolean): void;
}
export type VectorSemantics = (x: VectorContext, ...operands: readonly Operand[]) => void;
/** Rows hold plain semantics; the interpreter gives all of them a context that has more. */
export const vectorial = (semantics: VectorSemantics): Semantics => semantics as Semantics;

const UD = 6, NM = 7, XM = 19;
const CR0 = { EM: 4, TS: 8 } as const;
const CR4 = { OSFXSR: 0x200, OSXMMEXCPT: 0x400 } as const;

/** Faults of SSE instructions: #UD by CR0.EM or without CR4.OSFXSR, #NM by CR0.TS (SDM 3A table 2-2, 13.1). */
export function requireSse(x: SemanticsContext): void {
  const off = and(xor(x.field32(FIELD.cr4), i32(-1)), i32(CR4.OSFXSR));
  x.f.if(or(and(x.field32(FIELD.cr0), i32(CR0.EM | CR0.TS)), off), () => {
    x.raiseIf(or(and(x.field32(FIELD.cr0), i32(CR0.EM)), off), UD);
    x.raiseIf(i32(1), NM);
  });
}
/** Faults of MMX instructions (SDM 3A table 12-1). */
export function requireMmx(x: SemanticsContext): void {
  const pending = x.f.let(and(x.field32(FIELD.fpStatus), i32(SW.ES)));
  x.f.if(or(and(x.field32(FIELD.cr0), i32(CR0.EM | CR0.TS)), pending), () => {
    x.raiseIf(and(x.field32(FIELD.cr0), i32(CR0.EM)), UD);
    x.raiseIf(and(x.field32(FIELD.cr0), i32(CR0.TS)), NM);
    x.f.if(pending, () => raisePending(x));
  });
}
/** Both, for instructions that go between the register files. */
export function requireBoth(x: SemanticsContext): void {
  requireSse(x);
  requireMmx(x);
}
/** MMX instructions but EMMS leave TOP 0 and all registers full (SDM 1 9.5.1); nothing may fault any more. */
export function enterMmx(x: SemanticsContext): void {
  x.setField32(FIELD.fpStatus, and(x.field32(FIELD.fpStatus), i32(~0x3800)));
  x.setField32(FIELD.fpTags, i32(0xff));
}
/** #XM, or #UD when the system does not expect it. */
export function raiseFloating(x: SemanticsContext, stopped: I32): void {
  x.f.if(stopped, () => {
    x.raiseIf(and(x.field32(FIELD.cr4), i32(CR4.OSXMMEXCPT)), XM);
    x.raiseIf(i32(1), UD);
  });
}

/** Which registers an operand names. */
export type File = 'xmm' | 'mmx';

/** Address of a register, its field left to the offset of the access. */
export const registerAt = (x: VectorContext, operand: Operand, file: File): I32 =>
  x.f.let(add(x.cpu, shl(x.registerOffset(operand), file === 'xmm' ? 3 : 1)));
export const fieldOf = (file: File): number => (file === 'xmm' ? FIELD.xmm : FIELD.fpr);

const loadOf = (bytes: number): typeof load128 => (bytes === 16 ? load128 : bytes === 8 ? load64Zero : load32Zero);

/** The low 4, 8 or 16 bytes of a register or memory operand, zeros above; memory of 16 bytes is aligned unless said. */
export function readVector(x: VectorContext, operand: Operand, file: File, bytes = file === 'xmm' ? 16 : 8, isAligned = true): V128 {
  const load = loadOf(bytes);
  if (operand.kind === 'memory') return x.f.let(load(x.hostRead(bytes, isAligned && bytes === 16)));
  return x.f.let(load(registerAt(x, operand, file), fieldOf(file)));
}

/** Writes a whole register; the bits above an MMX register become ones, as those of a NaN. */
export function writeRegister(x: VectorContext, operand: Operand, file: File, value: V128): void {
  const at = registerAt(x, operand, file);
  if (file === 'xmm') {
    x.f.do(store128(at, value, FIELD.xmm));
    return;
  }
  x.f.do(store64Lane(at, value, 0, FIELD.fpr));
  x.f.do(store16(at, i32(0xffff), FIELD.fpr + 8));
}
/** Writes the low 4 or 8 bytes of a register or memory operand, or all 16. */
export function writeVector(x: VectorContext, operand: Operand, file: File, value: V128, bytes: number, isAligned = true): void {
  if (operand.kind !== 'memory') {
    const at = registerAt(x, operand, file);
    if (bytes === 16) x.f.do(store128(at, value, FIELD.xmm));
    else if (bytes === 8) x.f.do(store64Lane(at, value, 0, fieldOf(file)));
    else x.f.do(store32(at, i32x4.extract(value, 0), fieldOf(file)));
    return;
  }
  if (bytes === 16) x.write128(value, isAligned);
  else if (bytes === 8) x.write({ kind: 'memory', size: 64 }, i64x2.extract(value, 0));
  else x.write({ kind: 'memory', size: 32 }, i32x4.extract(value, 0));
}

/** `a = operation(a, b)` on whole registers. */
export const packed =
  (operation: (a: V128, b: V128, x: VectorContext) => V128, file: File = 'xmm', bytes?: number): Semantics =>
  vectorial((x, dst, src) => {
    if (file === 'xmm') requireSse(x);
    else requireMmx(x);
    const b = readVector(x, src, file, bytes);
    const a = readVector(x, dst, file);
    if (file === 'mmx') enterMmx(x);
    writeRegister(x, dst, file, operation(a, b, x));
  });
