// MXCSR and the exceptions of SSE floating point (SDM 1 10.2.3, 11.5).
import { and, eq, i32, type I32, load32, or, shrU, store32, xor } from '../../emit/expressions.ts';
import type { FunctionBuilder } from '../../emit/functionBuilder.ts';
import { FIELD } from '../../state/layout.ts';
import type { Semantics, SharedFunction } from '../context.ts';
import { requireSse } from './context.ts';

export const MXCSR = {
  IE: 1, DE: 2, ZE: 4, OE: 8, UE: 0x10, PE: 0x20, DAZ: 0x40, masks: 0x1f80, UM: 0x800, OM: 0x400, RC: 0x6000, FTZ: 0x8000,
} as const;
/** Detected before an operation begins. */
const BEFORE = MXCSR.IE | MXCSR.DE | MXCSR.ZE;

/** Flags that the exact functions have gathered for the current instruction, behind what the x87 uses of the scratch. */
const GATHERED = FIELD.fpScratch + 40;
/** Those of them that are not masked. */
const STOPPING = FIELD.fpScratch + 44;

export const mxcsr = (cpu: I32): I32 => load32(cpu, FIELD.mxcsr);

/** Nearest rounding, no FTZ or DAZ, all masked and PE set: ordinary results change nothing but the destination. */
export const isUsual = (cpu: I32): I32 =>
  eq(and(mxcsr(cpu), i32(MXCSR.RC | MXCSR.FTZ | MXCSR.DAZ | MXCSR.masks | MXCSR.PE)), i32(MXCSR.masks | MXCSR.PE));
/** The same without PE, for operations that are always exact. */
export const isUsualExact = (cpu: I32): I32 =>
  eq(and(mxcsr(cpu), i32(MXCSR.RC | MXCSR.FTZ | MXCSR.DAZ | MXCSR.masks)), i32(MXCSR.masks));

export function gather(f: FunctionBuilder, cpu: I32, flags: I32): void {
  f.do(store32(cpu, or(load32(cpu, GATHERED), flags), GATHERED));
}
export function startGathering(f: FunctionBuilder, cpu: I32): void {
  f.do(store32(cpu, i32(0), GATHERED));
}

/**
 * (cpu) -> the gathered exceptions that are not masked. Sets the sticky flags. When one that is found before the operation
 * is not masked, nothing is computed and the later ones do not show (SDM 1 11.5.2).
 */
export const settle: SharedFunction<'i32'> = {
  name: 'sseSettle',
  parameters: ['i32'],
  result: 'i32',
  emit: (f) => {
    const cpu = f.parameter<'i32'>(0);
    const flags = f.local('i32');
    f.set(flags, load32(cpu, GATHERED));
    const unmasked = f.let(xor(and(shrU(mxcsr(cpu), 7), i32(0x3f)), i32(0x3f)));
    f.if(and(and(flags, unmasked), i32(BEFORE)), () => f.set(flags, and(flags, i32(BEFORE))));
    f.do(store32(cpu, or(mxcsr(cpu), flags), FIELD.mxcsr));
    f.do(store32(cpu, and(flags, unmasked), STOPPING));
    f.return(and(flags, unmasked));
  },
};
export const stopping = (cpu: I32): I32 => load32(cpu, STOPPING);
/** Whether a mask bit, one of MXCSR's exception flags, is set. */
export const isMasked = (cpu: I32, flag: number): I32 => and(shrU(mxcsr(cpu), 7 + Math.log2(flag)), i32(1));
/** 0: nearest, 1: down, 2: up, 3: toward zero. */
export const roundingMode = (cpu: I32): I32 => and(shrU(mxcsr(cpu), 13), i32(3));

/** Bits 16 to 31 are reserved (SDM 1 10.2.3). */
const RESERVED = 0xffff0000 | 0;
/** SDM 2A LDMXCSR. */
export const loadControl: Semantics = (x) => {
  requireSse(x);
  const value = x.read({ kind: 'memory', size: 32 }) as I32;
  x.raiseIf(and(value, or(x.field32(FIELD.mxcsrReserved), i32(RESERVED))), 13);
  x.setField32(FIELD.mxcsr, value);
};
/** SDM 2B STMXCSR. */
export const storeControl: Semantics = (x) => {
  requireSse(x);
  x.write({ kind: 'memory', size: 32 }, x.field32(FIELD.mxcsr));
};
