// Which encodings are compared with silicon, and what of a result is not: what the manual leaves undefined.
import * as iced from 'iced-x86';
import { type Bitness, READ_ONLY, RESULT, STATE } from './caseFormat.ts';
import type { Decoded } from './generator.ts';

const { CpuidFeature, MemorySizeExt, OpKind, RegisterExt } = iced;

const features = (...names: (keyof typeof CpuidFeature)[]): ReadonlySet<number> => new Set(names.map((name) => CpuidFeature[name] as number));
/** Features that our fullest model has; others are skipped: silicon would execute what is undefined here. */
const OURS = features(
  'INTEL8086', 'INTEL8086_ONLY', 'INTEL186', 'INTEL286', 'INTEL386', 'INTEL486', 'X64', 'ADX', 'AES', 'BMI1', 'BMI2', 'CLFSH', 'CMOV',
  'CMPXCHG16B', 'CX8', 'FPU', 'FPU287', 'FPU387', 'FSGSBASE', 'FXSR', 'LZCNT', 'MMX', 'MOVBE', 'MSR', 'MULTIBYTENOP', 'PAUSE',
  'PCLMULQDQ', 'POPCNT', 'PREFETCHW', 'SHA', 'SSE', 'SSE2', 'SSE3', 'SSE4_1', 'SSE4_2', 'SSSE3', 'XSAVE',
);
/** What depends on the operating system's tables or is emulated by it, does not return, or reads counters. */
const SKIPPED: ReadonlySet<string> = new Set([
  'Sgdt', 'Sidt', 'Sldt', 'Str', 'Smsw', 'Lmsw', 'Xgetbv', 'Xsetbv', 'Cpuid', 'Rdtsc', 'Rdtscp', 'Rdpmc', 'Syscall', 'Sysenter',
  'Sysexit', 'Sysret', 'Sysexitq', 'Sysretq', 'Iretq', 'Loadall', 'Umov', 'Rsm', 'Loadall286', 'Loadallreset286', 'Storeall', 'Ibts', 'Xbts',
]);

/** `place`: map, opcode, ModRM byte and prefix. */
export function isComparable(
  instruction: iced.Instruction, mnemonic: string, bitness: Bitness, valid: boolean, place: readonly number[],
): boolean {
  const [map, opcode, modRm, prefix] = place;
  if (!valid) return isUndefinedOnBoth(map, opcode, modRm, prefix);
  if (SKIPPED.has(mnemonic)) return false;
  if (!instruction.cpuidFeatures().every((feature) => OURS.has(feature))) return false;
  // IRET in 64-bit mode takes a stack segment too.
  if (bitness === 64 && mnemonic.startsWith('Iret')) return false;
  if (mnemonic === 'Int' && instruction.immediate8 === 0x80) return false;
  return bitness === 32 || !loadsSegment(instruction, mnemonic);
}

/** Far JMP, CALL and RET, and IRET. */
export function isFar(instruction: iced.Instruction, mnemonic: string): boolean {
  if (mnemonic === 'Retf' || mnemonic.startsWith('Iret')) return true;
  if (mnemonic !== 'Jmp' && mnemonic !== 'Call') return false;
  const kind = instruction.op0Kind;
  return kind === OpKind.FarBranch16 || kind === OpKind.FarBranch32 || instruction.isJmpFarIndirect || instruction.isCallFarIndirect;
}

/** MOV and POP to a segment register, LDS and its like: in 64-bit mode the system keeps FS and GS for itself. */
export function loadsSegment(instruction: iced.Instruction, mnemonic: string): boolean {
  if (/^L[defgs]s$/.test(mnemonic)) return true;
  return mnemonic !== 'Push' && instruction.op0Kind === OpKind.Register && RegisterExt.isSegmentRegister(instruction.op0Register);
}

/** Encodings that are undefined here and on newer processors alike. */
function isUndefinedOnBoth(map: number, opcode: number, _modRm: number, _prefix: number): boolean {
  if (map === 0) return opcode !== 0xc4 && opcode !== 0xc5 && opcode !== 0x62 && opcode !== 0xc6 && opcode !== 0xc7;
  // VMX, SMX, SVM, CET, RAO-INT and whatever else the groups of system instructions have grown.
  if (map === 1) return ![0x00, 0x01, 0x0a, 0x0e, 0x0f, 0x36, 0x37, 0x78, 0x79, 0x1a, 0x1b, 0x1e, 0xae, 0xc7, 0xa6, 0xa7].includes(opcode);
  return map === 3 || ((opcode & 0xf0) !== 0x80 && opcode < 0xd8);
}

const CF = 1, PF = 4, AF = 0x10, ZF = 0x40, SF = 0x80, OF = 0x800;
const ALL = CF | PF | AF | ZF | SF | OF;
const LOGIC = /^(And|Or|Xor|Test|Andn)$/;

/** Flags that the manual leaves undefined. */
export function undefinedFlags(mnemonic: string, count: number, size: number): number {
  // SDM 2A AND, 2B OR, 2D XOR, TEST: AF.
  if (LOGIC.test(mnemonic)) return mnemonic === 'Andn' ? AF | PF : AF;
  switch (mnemonic) {
    case 'Aaa': case 'Aas': // SDM 2A AAA, AAS.
      return OF | SF | ZF | PF;
    case 'Aad': case 'Aam': // SDM 2A AAD, AAM.
      return OF | AF | CF;
    case 'Daa': case 'Das': // SDM 2A DAA, DAS.
      return OF;
    case 'Mul': case 'Imul': // SDM 2B MUL, 2A IMUL.
      return SF | ZF | AF | PF;
    case 'Div': case 'Idiv': // SDM 2A DIV, IDIV.
      return ALL;
    case 'Bt': case 'Bts': case 'Btr': case 'Btc': // SDM 2A BT.
      return OF | SF | AF | PF;
    case 'Bsf': case 'Bsr': // SDM 2A BSF, BSR.
      return CF | OF | SF | AF | PF;
    case 'Lzcnt': case 'Tzcnt': // SDM 2B LZCNT, 2D TZCNT.
      return OF | SF | AF | PF;
    case 'Bextr': // SDM 2A BEXTR.
      return AF | SF | PF;
    case 'Blsi': case 'Blsr': case 'Blsmsk': case 'Bzhi': // SDM 2A BLSI, BZHI.
      return AF | PF;
    case 'Rol': case 'Ror': case 'Rcl': case 'Rcr': // SDM 2B RCL/RCR/ROL/ROR: OF but for 1-bit rotates.
      return count === 1 || count === 0 ? 0 : OF;
    case 'Shl': case 'Sal': case 'Shr': case 'Sar': // SDM 2B SAL/SAR/SHL/SHR: AF; OF but for 1-bit shifts; CF beyond the size.
      return count === 0 ? 0 : AF | (count === 1 ? 0 : OF) | (count >= size && mnemonic !== 'Sar' ? CF : 0);
    case 'Shld': case 'Shrd': // SDM 2B SHLD, SHRD.
      return count === 0 ? 0 : count > size ? ALL : AF | (count === 1 ? 0 : OF);
    default:
      return 0;
  }
}

/** What of a result is not compared. */
export interface Ignored {
  readonly flags: number;
  readonly status: number;
  readonly parts: ReadonlySet<string>;
  /** Ranges of data offsets. */
  readonly memory: readonly (readonly [number, number])[];
  /** Allowed distance of x87 registers. */
  readonly ulps: bigint;
}

const COUNTED = /^(Rol|Ror|Rcl|Rcr|Shl|Sal|Shr|Sar|Shld|Shrd)$/;

/** Shift count after masking, and the operand's size in bits. */
function shiftOf(found: Decoded, input: Uint8Array): readonly [number, number] {
  const { instruction } = found;
  const size = instruction.opKind(0) === OpKind.Memory
    ? MemorySizeExt.size(instruction.memorySize) * 8
    : RegisterExt.size(instruction.op0Register) * 8;
  const last = instruction.opCount - 1;
  const raw = instruction.opKind(last) === OpKind.Register ? input[STATE.gpr + 8] : instruction.immediate(last) & 0xffn;
  return [Number(raw) & (size === 64 ? 63 : 31), size];
}

/** Data ranges that an image of the x87 or of FXSAVE leaves to the processor: offset in the image and length. */
const IMAGE_RANGES: Readonly<Record<string, readonly (readonly [number, number])[]>> = {
  // SDM 1 8.1.8: selectors of the last instruction and operand are deprecated: zero on newer processors.
  Fnstenv: [[16, 2], [24, 2]], Fstenv: [[16, 2], [24, 2]], Fnsave: [[16, 2], [24, 2]],
  // SDM 2A FXSAVE: selectors, and MXCSR_MASK, which tells of the model's MXCSR bits.
  Fxsave: [[12, 4], [20, 4], [28, 4]], Fxsave64: [[28, 4]], Xsave: [[12, 4], [20, 4], [28, 4]], Xsave64: [[28, 4]],
};
const TRANSCENDENTAL: ReadonlySet<string> = new Set(['F2xm1', 'Fyl2x', 'Fyl2xp1', 'Fpatan', 'Fptan', 'Fsin', 'Fcos', 'Fsincos']);
/** SUMMARY: ES and B. */
const C1 = 0x200, PE = 0x20, UE = 0x10, SUMMARY = 0x8080, TOP = 0x3800;

/** Where the memory operand lies among the data, if it does: x87 images. */
function imageRanges(found: Decoded, input: Uint8Array): (readonly [number, number])[] {
  const ranges = IMAGE_RANGES[found.mnemonic];
  if (ranges === undefined || input[STATE.pieces] === 0) return [];
  const start = new DataView(input.buffer, input.byteOffset).getUint32(STATE.bytes, true);
  const narrow = MemorySizeExt.size(found.instruction.memorySize) < 28;
  return narrow ? [[start + 8, start + 10], [start + 12, start + 14]] : ranges.map(([at, length]) => [start + at, start + at + length]);
}

export function ignoredOf(found: Decoded, input: Uint8Array, result: Uint8Array): Ignored {
  const { mnemonic, valid } = found;
  const [count, size] = valid && COUNTED.test(mnemonic) ? shiftOf(found, input) : [0, 0];
  const view = new DataView(result.buffer, result.byteOffset);
  // The HLT behind an instruction ends it with a fault too, but elsewhere.
  const faulted = view.getUint32(STATE.rip, true) === new DataView(input.buffer, input.byteOffset).getUint32(STATE.rip, true);
  const vector = faulted ? view.getUint32(RESULT.vector, true) : -1;
  const parts = new Set<string>();
  let status = 0;
  const isTranscendental = TRANSCENDENTAL.has(mnemonic);
  // The last bit of a transcendental function is the implementation's (SDM 1 8.3.10: an error of less than one unit), and with
  // it whether it was rounded up; silicon also calls results inexact that are exact, and tiny
  // ones then underflown.
  if (isTranscendental) status |= C1 | PE | UE | SUMMARY;
  // CALL through a bad stack to a bad target: which is seen first is the implementation's.
  if (mnemonic === 'Call' && (vector === 12 || vector === 13 || vector === 14)) for (const name of ['vector', 'error', 'cr2']) parts.add(name);
  // Whether a mask of zero asks for the memory is the implementation's too (SDM 2A MASKMOVDQU).
  if (vector === 14 && mnemonic.startsWith('Maskmov')) for (const name of ['vector', 'error', 'rip', 'flags']) parts.add(name);
  // Pages at the end of the lower half and in the upper one are the operating system's on the host, absent here.
  if (vector === 14 && view.getBigUint64(RESULT.cr2, true) >= 0x7fff00000000n) parts.add('error');
  // Silicon reads the selector before the offset.
  if (vector === 14 && /^(Retf|Iretd?)$/.test(mnemonic)) for (const name of ['cr2', 'error']) parts.add(name);
  // Which part of an image that crosses into a page that is not there is touched first, and what POPA has loaded by then, is the
  // implementation's.
  if (vector === 14 && (/^(F(xsave|xrstor|nsave|rstor|nstenv|ldenv)|X(save|rstor))/.test(mnemonic) || mnemonic.startsWith('Maskmov'))) for (const name of ['cr2', 'error']) parts.add(name);
  if (vector === 14 && mnemonic.startsWith('Popa')) for (const name of ['rax', 'rcx', 'rdx', 'rbx', 'rbp', 'rsi', 'rdi']) parts.add(name);
  // An MMX store that faults has already set TOP to zero on silicon; the manual has faulting instructions change nothing.
  if (faulted && usesMmx(found)) {
    status |= TOP;
    parts.add('ftw');
  }
  // So has a store of several parts that faults behind its first, and CALL to a bad address, or a far one across pages, its return address.
  const writesFirst = mnemonic === 'Call' && vector >= 12 && vector <= 14;
  const memory = writesFirst || (vector === 14 && /^(F(bstp|stp|nsave|xsave|nstenv)|Xsave)/.test(mnemonic)) ? [[0, READ_ONLY] as const] : imageRanges(found, input);
  return {
    flags: valid ? undefinedFlags(mnemonic, count, size) : 0, status, parts, memory, ulps: isTranscendental ? 1n : 0n,
  };
}

function usesMmx({ instruction }: Decoded): boolean {
  for (let operand = 0; operand < instruction.opCount; operand++) {
    if (instruction.opKind(operand) === OpKind.Register && RegisterExt.isMM(instruction.opRegister(operand))) return true;
  }
  return false;
}

const AC = 0x40000;
const SEVERAL_PARTS = /^(Enter|F(n?save|rstor|n?stenv|ldenv|xsave|xrstor|bld|bstp|ld|stp).*|X(save|rstor).*|Pcmp[ei]str[im](64)?|Cmpxchg(8|16)b|Maskmov.*|Popa.*|Pusha.*)$/;

/** Arguments outside of what the manual defines: |x| > 1 for F2XM1, |x| > 1 - sqrt(2)/2 for FYL2XP1 (SDM 2A). */
export function isOutOfRange(mnemonic: string, input: Uint8Array): boolean {
  // With alignment checks on, operands of several parts fault for the part that silicon touches first (SDM 3A 6.15).
  const flags = new DataView(input.buffer, input.byteOffset).getUint32(STATE.flags, true);
  if ((flags & AC) !== 0 && SEVERAL_PARTS.test(mnemonic)) return true;
  // Misaligned and across the canonical end: which is seen first is the implementation's (SDM 3A table 6-2: one class).
  const stack = new DataView(input.buffer, input.byteOffset).getBigUint64(STATE.gpr + 4 * 8, true);
  if ((flags & AC) !== 0 && stack >> 4n === 0x80000000000n) return true;
  if (mnemonic !== 'F2xm1' && mnemonic !== 'Fyl2xp1') return false;
  const view = new DataView(input.buffer, input.byteOffset);
  const top = (view.getUint16(STATE.status, true) >> 11) & 7;
  const exponent = view.getUint16(STATE.st + top * 16 + 8, true) & 0x7fff;
  return exponent >= (mnemonic === 'F2xm1' ? 0x3fff : 0x3ffd);
}

/** Where CPUID tells of features: index of the leaf in 1, 7, 80000001h; register; bit. */
const CPUID_BITS: Readonly<Partial<Record<keyof typeof CpuidFeature, readonly [number, number, number]>>> = {
  CMOV: [0, 3, 15], MMX: [0, 3, 23], FXSR: [0, 3, 24], SSE: [0, 3, 25], SSE2: [0, 3, 26], SSE3: [0, 2, 0], PCLMULQDQ: [0, 2, 1],
  SSSE3: [0, 2, 9], CMPXCHG16B: [0, 2, 13], SSE4_1: [0, 2, 19], SSE4_2: [0, 2, 20], MOVBE: [0, 2, 22], POPCNT: [0, 2, 23], AES: [0, 2, 25], XSAVE: [0, 2, 27],
  FSGSBASE: [1, 1, 0], BMI1: [1, 1, 3], BMI2: [1, 1, 8], ADX: [1, 1, 19], SHA: [1, 1, 29], LZCNT: [2, 2, 5], PREFETCHW: [2, 2, 8],
};

/** Names of the features that the processor at hand lacks: their instructions cannot be compared. */
export function missingFeatures(leaves: readonly (readonly number[])[]): ReadonlySet<keyof typeof CpuidFeature> {
  const missing = new Set<keyof typeof CpuidFeature>();
  for (const [name, place] of Object.entries(CPUID_BITS)) {
    const [leaf, register, bit] = place;
    if (((leaves[leaf][register] >>> bit) & 1) === 0) missing.add(name as keyof typeof CpuidFeature);
  }
  return missing;
}
