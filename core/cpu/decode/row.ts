// Rows of the decode tables and what they are made into.
import type { OperandKind, OperandSize, Semantics, Size } from '../semantics/context.ts';
import type { Feature } from '../state/cpuModels.ts';

/**
 * Operands in the SDM's letters (SDM 2D A.2), the first letter being where, the second how wide:
 * E: ModRM.rm; G: ModRM.reg; I: immediate; J: branch displacement; M: memory only; O: offset without ModRM; S: segment
 * register in ModRM.reg; Z: register in the opcode's low bits; X: none, carries only the size.
 * b: byte, w: word, d: doubleword, q: quadword, v: by operand size, z: as v (immediates sign-extend), s: byte sign-extended.
 * aAX, bAX, bAL, aAL: the accumulator as operand a or b; 1: the constant one; Bx: memory at (E)BX.
 * x87: Mf: memory whose width the row's meaning knows; Ti: ST(i), i being ModRM.rm. Both leave the ModRM byte in the immediate.
 * y: doubleword, or quadword with REX.W (an operand-size prefix does not count). Iq: 64 bits, its low half in the record's
 * displacement and its high half in the immediate.
 * Vectors: V: XMM register in ModRM.reg; W: XMM register or memory in ModRM.rm; U: XMM register in ModRM.rm only; P, Q, N:
 * the same for MMX; x: 128 bits. B: general register in VEX.vvvv, its state offset in the immediate. Records hold vector
 * registers as their number * 8. Edb, Edw: a general register of 32 bits, or a byte or word of memory.
 */
export type OperandLetters =
  | 'Eb' | 'Ew' | 'Ed' | 'Ev' | 'Gb' | 'Gw' | 'Gd' | 'Gv' | 'Ib' | 'Iw' | 'Iz' | 'Is' | 'Jb' | 'Jz'
  | 'Ey' | 'Gy' | 'By' | 'Iq' | 'Vx' | 'Vq' | 'Vd' | 'Wx' | 'Wq' | 'Wd' | 'Ww' | 'Ux' | 'Uq' | 'Pq' | 'Pd' | 'Qq' | 'Qd' | 'Nq'
  | 'Mx' | 'Mq' | 'Md' | 'Mw' | 'Mb' | 'My' | 'Mv' | 'Edb' | 'Edw' | 'Ud'
  | 'M' | 'Ob' | 'Ov' | 'Sw' | 'Zb' | 'Zv' | 'Xb' | 'Xv' | 'aAX' | 'bAX' | 'aAL' | 'bAL' | '1' | 'Ap' | 'Rd' | 'Bx' | 'Mf' | 'Ti';

/** Popek and Goldberg: control-sensitive changes or reads the machine's resources; behaviour-sensitive depends on them. */
export type Sensitivity = 'control' | 'behaviour';

export interface RowAttributes {
  /** LOCK may precede it when the destination is memory. */
  readonly lock?: boolean;
  /** The interpreter keeps it in a function of its own instead of the dispatch loop. */
  readonly warm?: boolean;
  /** It is in a function of its own that is found in a table: costs the dispatch loop nothing. */
  readonly cold?: boolean;
  readonly sensitive?: Sensitivity;
  /** Traps when executed at CPL 3. */
  readonly privileged?: boolean;
  /** CPUID feature without which it is undefined (CMOV stands for all that came with the Pentium Pro). */
  readonly feature?: Feature;
  /** Without the feature, its prefix has no meaning. */
  readonly fallsBack?: boolean;
  /** Execution does not fall through to the next record. */
  readonly ends?: boolean;
  /** In 64-bit mode: undefined; 64-bit operands by default (a prefix makes them 16); or 64-bit operands always (SDM 1 3.6.1). */
  readonly in64?: 'undefined' | 'default64' | 'always64';
}

export interface Row extends RowAttributes {
  readonly mnemonic: string;
  readonly operands: readonly OperandLetters[];
  /** Names the meaning: rows with the same name, size and operand kinds share a handler. */
  readonly name: string;
  /** Null: a helper in TypeScript of this name does it. */
  readonly semantics: Semantics | null;
}

export function row(
  mnemonic: string,
  operands: string,
  name: string,
  semantics: Semantics | null,
  attributes: RowAttributes = {},
): Row {
  const letters = operands === '' ? [] : (operands.split(' ') as OperandLetters[]);
  return { mnemonic, operands: letters, name, semantics, ...attributes };
}

/** A row whose meaning is a TypeScript helper of the same name. */
export const helper = (mnemonic: string, operands: string, name: string, attributes: RowAttributes = {}): Row =>
  row(mnemonic, operands, name, null, attributes);

/** A choice by the whole ModRM byte. */
export interface Choice {
  readonly byModRm: (modRm: number) => Row | null;
  readonly rows: readonly Row[];
}
export const choice = (byModRm: Choice['byModRm'], rows: readonly (Row | null)[]): Choice => ({
  byModRm,
  rows: rows.filter((found) => found !== null),
});
/** An opcode's entry under one mandatory prefix: one row, eight by ModRM.reg, or a choice. */
export type Opcode = Row | readonly (Row | null)[] | Choice | null;
/** Entries by mandatory prefix (SDM 2A 2.1.2); F3 and F2 go before 66. */
export interface Prefixed {
  readonly none?: Opcode;
  readonly p66?: Opcode;
  readonly f3?: Opcode;
  readonly f2?: Opcode;
}
/** Of a Row an opcode has one meaning whatever the prefixes. */
export type Entry = Opcode | Prefixed;

/** What one handler does: a row at one operand size and with its ModRM form settled. */
export interface HandlerSpecification {
  readonly index: number;
  readonly row: Row;
  readonly size: Size;
  readonly operands: readonly { readonly kind: OperandKind; readonly size: OperandSize }[];
  /** ModRM names memory (null: the row has no ModRM operand). */
  readonly memory: boolean | null;
  /** Memory and stack are reached through flat segments: no base, no limit, no wrap. */
  readonly flat: boolean;
  readonly tier: 'hot' | 'warm' | 'cold' | 'helper';
}
