// Vector instructions: MMX, SSE and what follows (SDM 2D A.3 to A.4), and those on general registers that came with them,
// some under a VEX prefix.
//
// Where we depart from the manual: mandatory prefixes that it leaves undefined are #UD, as on silicon.
import { i32 } from '../emit/expressions.ts';
import { i16x8, i32x4, i64x2, i8x16, v128, type V128 } from '../emit/vectors.ts';
import type { Semantics } from '../semantics/context.ts';
import * as arithmetic from '../semantics/sse/arithmetic.ts';
import { compareToFlags, comparePacked, compareScalar } from '../semantics/sse/compare.ts';
import { type File, packed } from '../semantics/sse/context.ts';
import * as convert from '../semantics/sse/convert.ts';
import * as general from '../semantics/sse/general.ts';
import * as integer from '../semantics/sse/integer.ts';
import * as move from '../semantics/sse/move.ts';
import { loadControl, storeControl } from '../semantics/sse/mxcsr.ts';
import type { Feature } from '../state/cpuModels.ts';
import { choice, helper, row, type Entry, type Opcode, type Prefixed, type Row, type RowAttributes } from './row.ts';

export interface OpcodeMaps {
  readonly twoByte: Entry[];
  readonly map38: Entry[];
  readonly map3A: Entry[];
  readonly vex38: Entry[];
  readonly vex3A: Entry[];
}
type Prefix = 'none' | 'p66' | 'f3' | 'f2';

/** Puts a row under an opcode and a mandatory prefix; other prefixes leave the opcode undefined. */
function put(map: Entry[], opcode: number, prefix: Prefix, entry: Opcode): void {
  const before = (map[opcode] ?? {}) as Prefixed;
  map[opcode] = { none: null, p66: null, f3: null, f2: null, ...before, [prefix]: entry };
}
const vectorRow = (mnemonic: string, operands: string, semantics: Semantics, feature: Feature, options: RowAttributes & { name?: string } = {}): Row => {
  const { name, ...attributes } = options;
  return row(mnemonic, operands, `SSE_${name ?? mnemonic}`, semantics, { cold: true, feature, ...attributes });
};
/** In the dispatch loop, being frequent. */
const HOT = { cold: false } as const;

/** Puts rows into one map. */
function definer(map: Entry[]) {
  return (
    opcode: number, prefix: Prefix, mnemonic: string, operands: string, semantics: Semantics, feature: Feature,
    options: RowAttributes & { name?: string } = {},
  ): void => put(map, opcode, prefix, vectorRow(mnemonic, operands, semantics, feature, options));
}

type Build = (file: File) => integer.Combine;
type PackedRow = readonly [opcode: number, mnemonic: string, build: Build | integer.Combine, mmx?: Feature | undefined, xmm?: Feature];
const both = (combine: (a: V128, b: V128) => V128): integer.Combine => combine;
const byFile = (build: Build): Build => build;

/** Packed integers that exist for MMX and XMM registers alike. */
const PACKED: readonly PackedRow[] = [
  [0x63, 'PACKSSWB', byFile((file) => integer.pack(i8x16.narrowS, file))], [0x64, 'PCMPGTB', both(i8x16.gtS)], [0x65, 'PCMPGTW', both(i16x8.gtS)],
  [0x66, 'PCMPGTD', both(i32x4.gtS)], [0x67, 'PACKUSWB', byFile((file) => integer.pack(i8x16.narrowU, file))],
  [0x68, 'PUNPCKHBW', byFile((file) => integer.unpackHigh(1, file))], [0x69, 'PUNPCKHWD', byFile((file) => integer.unpackHigh(2, file))],
  [0x6a, 'PUNPCKHDQ', byFile((file) => integer.unpackHigh(4, file))], [0x6b, 'PACKSSDW', byFile((file) => integer.pack(i16x8.narrowS, file))],
  [0x74, 'PCMPEQB', both(i8x16.eq)], [0x75, 'PCMPEQW', both(i16x8.eq)], [0x76, 'PCMPEQD', both(i32x4.eq)],
  [0xd4, 'PADDQ', both(i64x2.add), 'SSE2'], [0xd5, 'PMULLW', both(i16x8.mul)], [0xd8, 'PSUBUSB', both(i8x16.subSatU)],
  [0xd9, 'PSUBUSW', both(i16x8.subSatU)], [0xda, 'PMINUB', both(i8x16.minU), 'SSE'], [0xdb, 'PAND', both(v128.and)],
  [0xdc, 'PADDUSB', both(i8x16.addSatU)], [0xdd, 'PADDUSW', both(i16x8.addSatU)], [0xde, 'PMAXUB', both(i8x16.maxU), 'SSE'],
  [0xdf, 'PANDN', both((a, b) => v128.andnot(b, a))], [0xe0, 'PAVGB', both(i8x16.avgrU), 'SSE'], [0xe3, 'PAVGW', both(i16x8.avgrU), 'SSE'],
  [0xe4, 'PMULHUW', integer.multiplyHighUnsigned, 'SSE'], [0xe5, 'PMULHW', integer.multiplyHigh], [0xe8, 'PSUBSB', both(i8x16.subSatS)],
  [0xe9, 'PSUBSW', both(i16x8.subSatS)], [0xea, 'PMINSW', both(i16x8.minS), 'SSE'], [0xeb, 'POR', both(v128.or)],
  [0xec, 'PADDSB', both(i8x16.addSatS)], [0xed, 'PADDSW', both(i16x8.addSatS)], [0xee, 'PMAXSW', both(i16x8.maxS), 'SSE'],
  [0xef, 'PXOR', both(v128.xor)], [0xf4, 'PMULUDQ', integer.multiplyEven, 'SSE2'], [0xf5, 'PMADDWD', both(i32x4.dot)],
  [0xf6, 'PSADBW', integer.sumDifferences, 'SSE'], [0xf8, 'PSUBB', both(i8x16.sub)], [0xf9, 'PSUBW', both(i16x8.sub)],
  [0xfa, 'PSUBD', both(i32x4.sub)], [0xfb, 'PSUBQ', both(i64x2.sub), 'SSE2'], [0xfc, 'PADDB', both(i8x16.add)],
  [0xfd, 'PADDW', both(i16x8.add)], [0xfe, 'PADDD', both(i32x4.add)],
];
const horizontal = (bytes: number, combine: (a: V128, b: V128) => V128): Build => (file) => integer.horizontalInteger(bytes, combine, file);
/** The same in the map 0F 38. */
const PACKED_38: readonly PackedRow[] = [
  [0x00, 'PSHUFB', byFile(integer.shuffleBytes)], [0x01, 'PHADDW', horizontal(2, i16x8.add)], [0x02, 'PHADDD', horizontal(4, i32x4.add)],
  [0x03, 'PHADDSW', horizontal(2, i16x8.addSatS)], [0x04, 'PMADDUBSW', integer.multiplyAddBytes], [0x05, 'PHSUBW', horizontal(2, i16x8.sub)],
  [0x06, 'PHSUBD', horizontal(4, i32x4.sub)], [0x07, 'PHSUBSW', horizontal(2, i16x8.subSatS)], [0x08, 'PSIGNB', integer.applySign(i8x16, 8)],
  [0x09, 'PSIGNW', integer.applySign(i16x8, 16)], [0x0a, 'PSIGND', integer.applySign(i32x4, 32)], [0x0b, 'PMULHRSW', integer.multiplyHighRounded],
  [0x1c, 'PABSB', both((_a, b) => i8x16.abs(b))], [0x1d, 'PABSW', both((_a, b) => i16x8.abs(b))], [0x1e, 'PABSD', both((_a, b) => i32x4.abs(b))],
];
/** For XMM registers only. */
const XMM_38: readonly PackedRow[] = [
  [0x28, 'PMULDQ', integer.multiplyEvenSigned], [0x29, 'PCMPEQQ', both(i64x2.eq)], [0x2b, 'PACKUSDW', both(i16x8.narrowU)],
  [0x37, 'PCMPGTQ', both(i64x2.gtS), undefined, 'SSE42'], [0x38, 'PMINSB', both(i8x16.minS)], [0x39, 'PMINSD', both(i32x4.minS)],
  [0x3a, 'PMINUW', both(i16x8.minU)], [0x3b, 'PMINUD', both(i32x4.minU)], [0x3c, 'PMAXSB', both(i8x16.maxS)], [0x3d, 'PMAXSD', both(i32x4.maxS)],
  [0x3e, 'PMAXUW', both(i16x8.maxU)], [0x3f, 'PMAXUD', both(i32x4.maxU)], [0x40, 'PMULLD', both(i32x4.mul)],
];
/** `Build` takes one argument, `Combine` three or two. */
const combineOf = (given: Build | integer.Combine, file: File): integer.Combine =>
  given.length === 1 ? (given as Build)(file) : (given as integer.Combine);

function defineInteger(maps: OpcodeMaps): void {
  const add = definer(maps.twoByte), add38 = definer(maps.map38);
  const shared = { PXOR: 'XOR', PAND: 'AND', POR: 'OR', PANDN: 'ANDN' } as const;
  for (const [opcode, mnemonic, build, mmx = 'MMX'] of PACKED) {
    add(opcode, 'none', mnemonic, 'Pq Qq', packed(combineOf(build, 'mmx'), 'mmx'), mmx, { name: `${mnemonic}_MMX` });
    const logic = (shared as Readonly<Record<string, string>>)[mnemonic];
    const options = logic === undefined ? {} : { name: logic, ...(logic === 'XOR' || logic === 'AND' ? HOT : {}) };
    add(opcode, 'p66', mnemonic, 'Vx Wx', packed(combineOf(build, 'xmm')), 'SSE2', options);
  }
  for (const [opcode, mnemonic, bytes] of [[0x60, 'PUNPCKLBW', 1], [0x61, 'PUNPCKLWD', 2], [0x62, 'PUNPCKLDQ', 4]] as const) {
    add(opcode, 'none', mnemonic, 'Pq Qd', packed(integer.unpackLow(bytes), 'mmx', 4), 'MMX', { name: `${mnemonic}_MMX` });
    add(opcode, 'p66', mnemonic, 'Vx Wx', packed(integer.unpackLow(bytes)), 'SSE2');
  }
  add(0x6c, 'p66', 'PUNPCKLQDQ', 'Vx Wx', packed(integer.unpackLow(8)), 'SSE2', { name: 'UNPCKLPD' });
  add(0x6d, 'p66', 'PUNPCKHQDQ', 'Vx Wx', packed(integer.unpackHigh(8, 'xmm')), 'SSE2', { name: 'UNPCKHPD' });
  for (const [opcode, mnemonic, build] of PACKED_38) {
    add38(opcode, 'none', mnemonic, 'Pq Qq', packed(combineOf(build, 'mmx'), 'mmx'), 'SSSE3', { name: `${mnemonic}_MMX` });
    add38(opcode, 'p66', mnemonic, 'Vx Wx', packed(combineOf(build, 'xmm')), 'SSSE3');
  }
  for (const [opcode, mnemonic, build, , feature = 'SSE41'] of XMM_38) {
    add38(opcode, 'p66', mnemonic, 'Vx Wx', packed(combineOf(build, 'xmm')), feature);
  }
  defineShifts(maps);
  defineExtensions(maps);
}

function defineShifts({ twoByte }: OpcodeMaps): void {
  const add = definer(twoByte);
  const shifts = [
    ['PSRLW', 0xd1, 0x71, 2, i16x8.shrU, 16, false], ['PSRLD', 0xd2, 0x72, 2, i32x4.shrU, 32, false], ['PSRLQ', 0xd3, 0x73, 2, i64x2.shrU, 64, false],
    ['PSRAW', 0xe1, 0x71, 4, i16x8.shrS, 16, true], ['PSRAD', 0xe2, 0x72, 4, i32x4.shrS, 32, true],
    ['PSLLW', 0xf1, 0x71, 6, i16x8.shl, 16, false], ['PSLLD', 0xf2, 0x72, 6, i32x4.shl, 32, false], ['PSLLQ', 0xf3, 0x73, 6, i64x2.shl, 64, false],
  ] as const;
  const groups = new Map<string, (Row | null)[]>();
  const groupOf = (opcode: number, prefix: Prefix): (Row | null)[] => {
    const key = `${opcode} ${prefix}`;
    const group = groups.get(key) ?? new Array<Row | null>(8).fill(null);
    groups.set(key, group);
    return group;
  };
  for (const [mnemonic, opcode, group, reg, shift, bits, isArithmetic] of shifts) {
    for (const [prefix, file, feature] of [['none', 'mmx', 'MMX'], ['p66', 'xmm', 'SSE2']] as const) {
      const isMmx = file === 'mmx', suffix = isMmx ? '_MMX' : '';
      const byVector = integer.shiftByVector(shift, bits, isArithmetic, file);
      add(opcode, prefix, mnemonic, isMmx ? 'Pq Qq' : 'Vx Wx', byVector, feature, { name: mnemonic + suffix });
      const byImmediate = integer.shiftByImmediate(shift, bits, isArithmetic, file);
      const name = `${mnemonic}_I${suffix}`;
      groupOf(group, prefix)[reg] = vectorRow(mnemonic, isMmx ? 'Nq Ib' : 'Ux Ib', byImmediate, feature, { name });
    }
  }
  const wide = groupOf(0x73, 'p66');
  wide[3] = vectorRow('PSRLDQ', 'Ux Ib', move.shiftBytes(false), 'SSE2');
  wide[7] = vectorRow('PSLLDQ', 'Ux Ib', move.shiftBytes(true), 'SSE2');
  for (const [key, group] of groups) {
    const [opcode, prefix] = key.split(' ');
    put(twoByte, Number(opcode), prefix as Prefix, group);
  }
}

function defineExtensions({ map38 }: OpcodeMaps): void {
  const add = definer(map38);
  const steps = {
    S: [i16x8.extendLowS, i32x4.extendLowS, i64x2.extendLowS], Z: [i16x8.extendLowU, i32x4.extendLowU, i64x2.extendLowU],
  } as const;
  for (const [kind, base] of [['S', 0x20], ['Z', 0x30]] as const) {
    const [toWord, toDoubleword, toQuadword] = steps[kind];
    const name = `PMOV${kind}X`;
    add(base, 'p66', `${name}BW`, 'Vx Wq', integer.extend([toWord], 8), 'SSE41');
    add(base + 1, 'p66', `${name}BD`, 'Vx Wd', integer.extend([toWord, toDoubleword], 4), 'SSE41');
    add(base + 2, 'p66', `${name}BQ`, 'Vx Ww', integer.extendWord([toWord, toDoubleword, toQuadword]), 'SSE41');
    add(base + 3, 'p66', `${name}WD`, 'Vx Wq', integer.extend([toDoubleword], 8), 'SSE41');
    add(base + 4, 'p66', `${name}WQ`, 'Vx Wd', integer.extend([toDoubleword, toQuadword], 4), 'SSE41');
    add(base + 5, 'p66', `${name}DQ`, 'Vx Wq', integer.extend([toQuadword], 8), 'SSE41');
  }
}

const SINGLE = { operand: 'd', width: 32, prefix: 'f3', feature: 'SSE', letter: 'SS' } as const;
const DOUBLE = { operand: 'q', width: 64, prefix: 'f2', feature: 'SSE2', letter: 'SD' } as const;

function defineFloating({ twoByte }: OpcodeMaps): void {
  const add = definer(twoByte);
  const operations = [
    [0x51, 'SQRT', arithmetic.ROOT], [0x58, 'ADD', arithmetic.ADD], [0x59, 'MUL', arithmetic.MULTIPLY], [0x5c, 'SUB', arithmetic.SUBTRACT],
    [0x5d, 'MIN', arithmetic.MINIMUM], [0x5e, 'DIV', arithmetic.DIVIDE], [0x5f, 'MAX', arithmetic.MAXIMUM],
  ] as const;
  for (const [opcode, name, operation] of operations) {
    add(opcode, 'none', `${name}PS`, 'Vx Wx', arithmetic.packedArithmetic(operation, 32), 'SSE');
    add(opcode, 'p66', `${name}PD`, 'Vx Wx', arithmetic.packedArithmetic(operation, 64), 'SSE2');
    const hot = ['ADD', 'MUL', 'SUB', 'DIV'].includes(name) ? HOT : {};
    for (const { operand, width, prefix, feature, letter } of [SINGLE, DOUBLE]) {
      add(opcode, prefix, name + letter, `V${operand} W${operand}`, arithmetic.scalar(operation, width), feature, hot);
    }
  }
  for (const [opcode, name, isRoot] of [[0x52, 'RSQRT', true], [0x53, 'RCP', false]] as const) {
    add(opcode, 'none', `${name}PS`, 'Vx Wx', arithmetic.approximate(isRoot, false), 'SSE');
    add(opcode, 'f3', `${name}SS`, 'Vd Wd', arithmetic.approximate(isRoot, true), 'SSE');
  }
  const logic = [[0x54, 'AND', v128.and], [0x55, 'ANDN', (a: V128, b: V128) => v128.andnot(b, a)], [0x56, 'OR', v128.or], [0x57, 'XOR', v128.xor]] as const;
  for (const [opcode, name, operation] of logic) {
    const options = { name, ...(name === 'XOR' || name === 'AND' ? HOT : {}) };
    add(opcode, 'none', `${name}PS`, 'Vx Wx', packed(operation), 'SSE', options);
    add(opcode, 'p66', `${name}PD`, 'Vx Wx', packed(operation), 'SSE2', options);
  }
  for (const [prefix, letters, width, feature] of [['none', 'PS', 32, 'SSE'], ['p66', 'PD', 64, 'SSE2']] as const) {
    add(0x14, prefix, `UNPCKL${letters}`, 'Vx Wx', packed(integer.unpackLow(width / 8)), feature);
    add(0x15, prefix, `UNPCKH${letters}`, 'Vx Wx', packed(integer.unpackHigh(width / 8, 'xmm')), feature);
    add(0xc2, prefix, `CMP${letters}`, 'Vx Wx Ib', comparePacked(width), feature);
    add(0xc6, prefix, `SHUF${letters}`, 'Vx Wx Ib', width === 32 ? move.shuffleSingles : move.shuffleDoubles, feature);
    const operand = width === 32 ? 'd' : 'q', scalar = width === 32 ? 'SS' : 'SD';
    add(0x2e, prefix, `UCOMI${scalar}`, `V${operand} W${operand}`, compareToFlags(width, false), feature, HOT);
    add(0x2f, prefix, `COMI${scalar}`, `V${operand} W${operand}`, compareToFlags(width, true), feature, HOT);
  }
  for (const { operand, width, prefix, feature, letter } of [SINGLE, DOUBLE]) {
    add(0xc2, prefix, `CMP${letter}`, `V${operand} W${operand} Ib`, compareScalar(width), feature);
  }
  for (const [prefix, letters, width] of [['f2', 'PS', 32], ['p66', 'PD', 64]] as const) {
    add(0x7c, prefix, `HADD${letters}`, 'Vx Wx', arithmetic.horizontal(arithmetic.ADD, width), 'SSE3');
    add(0x7d, prefix, `HSUB${letters}`, 'Vx Wx', arithmetic.horizontal(arithmetic.SUBTRACT, width), 'SSE3');
    add(0xd0, prefix, `ADDSUB${letters}`, 'Vx Wx', arithmetic.addSubtract(width), 'SSE3');
  }
  defineConversions(twoByte);
}

function defineConversions(twoByte: Entry[]): void {
  const add = definer(twoByte);
  add(0x2a, 'none', 'CVTPI2PS', 'Vq Qq', convert.convertFromMmx('single'), 'SSE');
  add(0x2a, 'p66', 'CVTPI2PD', 'Vx Qq', convert.convertFromMmx('double'), 'SSE2');
  add(0x2a, 'f3', 'CVTSI2SS', 'Vd Ey', convert.integerToScalar(32), 'SSE');
  add(0x2a, 'f2', 'CVTSI2SD', 'Vq Ey', convert.integerToScalar(64), 'SSE2', HOT);
  for (const [opcode, letter, isTruncated] of [[0x2c, 'T', true], [0x2d, '', false]] as const) {
    add(opcode, 'none', `CVT${letter}PS2PI`, 'Pq Wq', convert.convertToMmx('single', isTruncated), 'SSE');
    add(opcode, 'p66', `CVT${letter}PD2PI`, 'Pq Wx', convert.convertToMmx('double', isTruncated), 'SSE2');
    add(opcode, 'f3', `CVT${letter}SS2SI`, 'Gy Wd', convert.scalarToInteger(32, isTruncated), 'SSE');
    add(opcode, 'f2', `CVT${letter}SD2SI`, 'Gy Wq', convert.scalarToInteger(64, isTruncated), 'SSE2', isTruncated ? HOT : {});
  }
  add(0x5a, 'none', 'CVTPS2PD', 'Vx Wq', convert.convertPacked('single', 'double', 2), 'SSE2');
  add(0x5a, 'p66', 'CVTPD2PS', 'Vx Wx', convert.convertPacked('double', 'single', 2), 'SSE2');
  add(0x5a, 'f3', 'CVTSS2SD', 'Vq Wd', convert.scalarToOther(32), 'SSE2');
  add(0x5a, 'f2', 'CVTSD2SS', 'Vd Wq', convert.scalarToOther(64), 'SSE2');
  add(0x5b, 'none', 'CVTDQ2PS', 'Vx Wx', convert.convertPacked('integer', 'single', 4), 'SSE2');
  add(0x5b, 'p66', 'CVTPS2DQ', 'Vx Wx', convert.convertPacked('single', 'integer', 4), 'SSE2');
  add(0x5b, 'f3', 'CVTTPS2DQ', 'Vx Wx', convert.convertPacked('single', 'integer', 4, true), 'SSE2');
  add(0xe6, 'p66', 'CVTTPD2DQ', 'Vx Wx', convert.convertPacked('double', 'integer', 2, true), 'SSE2');
  add(0xe6, 'f3', 'CVTDQ2PD', 'Vx Wq', convert.convertPacked('integer', 'double', 2), 'SSE2');
  add(0xe6, 'f2', 'CVTPD2DQ', 'Vx Wx', convert.convertPacked('double', 'integer', 2), 'SSE2');
}

function defineMoves({ twoByte, map38 }: OpcodeMaps): void {
  const add = definer(twoByte);
  const moves = [
    ['MOVUPS', 'none', 0x10, 0x11, false, 'SSE'], ['MOVUPD', 'p66', 0x10, 0x11, false, 'SSE2'], ['MOVAPS', 'none', 0x28, 0x29, true, 'SSE'],
    ['MOVAPD', 'p66', 0x28, 0x29, true, 'SSE2'], ['MOVDQA', 'p66', 0x6f, 0x7f, true, 'SSE2'], ['MOVDQU', 'f3', 0x6f, 0x7f, false, 'SSE2'],
  ] as const;
  for (const [mnemonic, prefix, load, store, isAligned, feature] of moves) {
    const name = isAligned ? 'MOVA' : 'MOVU';
    add(load, prefix, mnemonic, 'Vx Wx', move.move128(isAligned), feature, { name, ...HOT });
    add(store, prefix, mnemonic, 'Wx Vx', move.move128(isAligned), feature, { name, ...HOT });
  }
  for (const { operand, width, prefix, feature, letter } of [SINGLE, DOUBLE]) {
    const semantics = move.moveScalar((width / 8) as 4 | 8);
    // From memory the whole register is written, from a register its low lane.
    add(0x10, prefix, `MOV${letter}`, `Vx W${operand}`, semantics, feature, HOT);
    add(0x11, prefix, `MOV${letter}`, `W${operand} V${operand}`, semantics, feature, HOT);
  }
  for (const [prefix, letters, feature] of [['none', 'PS', 'SSE'], ['p66', 'PD', 'SSE2']] as const) {
    add(0x13, prefix, `MOVL${letters}`, 'Mq Vx', move.storeHalf(0), feature, { name: 'MOVLPS_S' });
    add(0x17, prefix, `MOVH${letters}`, 'Mq Vx', move.storeHalf(8), feature, { name: 'MOVHPS_S' });
    add(0x2b, prefix, `MOVNT${letters}`, 'Mx Vx', move.move128(true), feature, { name: 'MOVA' });
    add(0x50, prefix, `MOVMSK${letters}`, 'Gd Ux', integer.moveMask(letters === 'PS' ? i32x4.bitmask : i64x2.bitmask, 'xmm'), feature);
  }
  add(0x12, 'none', 'MOVLPS', 'Vx Wq', move.loadOrMoveHalf(0), 'SSE');
  add(0x16, 'none', 'MOVHPS', 'Vx Wq', move.loadOrMoveHalf(8), 'SSE');
  add(0x12, 'p66', 'MOVLPD', 'Vx Mq', move.loadHalf(0), 'SSE2');
  add(0x16, 'p66', 'MOVHPD', 'Vx Mq', move.loadHalf(8), 'SSE2');
  add(0x12, 'f3', 'MOVSLDUP', 'Vx Wx', move.rearrange([0, 1, 2, 3, 0, 1, 2, 3, 8, 9, 10, 11, 8, 9, 10, 11], 16), 'SSE3');
  add(0x16, 'f3', 'MOVSHDUP', 'Vx Wx', move.rearrange([4, 5, 6, 7, 4, 5, 6, 7, 12, 13, 14, 15, 12, 13, 14, 15], 16), 'SSE3');
  add(0x12, 'f2', 'MOVDDUP', 'Vx Wq', move.rearrange([0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7], 8), 'SSE3');
  add(0x6e, 'none', 'MOVD', 'Pq Ey', move.moveFromGeneral('mmx'), 'MMX', { name: 'MOVD_MMX' });
  add(0x7e, 'none', 'MOVD', 'Ey Pq', move.moveToGeneral('mmx'), 'MMX', { name: 'MOVD_MMX_S' });
  add(0x6e, 'p66', 'MOVD', 'Vx Ey', move.moveFromGeneral('xmm'), 'SSE2', HOT);
  add(0x7e, 'p66', 'MOVD', 'Ey Vx', move.moveToGeneral('xmm'), 'SSE2', { name: 'MOVD_S', ...HOT });
  add(0x6f, 'none', 'MOVQ', 'Pq Qq', move.moveMmx, 'MMX', { name: 'MOVQ_MMX' });
  add(0x7f, 'none', 'MOVQ', 'Qq Pq', move.moveMmx, 'MMX', { name: 'MOVQ_MMX' });
  add(0x7e, 'f3', 'MOVQ', 'Vx Wq', move.moveQuadword, 'SSE2', HOT);
  add(0xd6, 'p66', 'MOVQ', 'Wq Vx', move.moveQuadword, 'SSE2', { name: 'MOVQ_S', ...HOT });
  add(0xd6, 'f3', 'MOVQ2DQ', 'Vx Nq', move.moveFromMmx, 'SSE2');
  add(0xd6, 'f2', 'MOVDQ2Q', 'Pq Ux', move.moveToMmx, 'SSE2');
  add(0xe7, 'none', 'MOVNTQ', 'Mq Pq', move.moveMmx, 'SSE', { name: 'MOVQ_MMX' });
  add(0xe7, 'p66', 'MOVNTDQ', 'Mx Vx', move.move128(true), 'SSE2', { name: 'MOVA' });
  add(0xf0, 'f2', 'LDDQU', 'Vx Mx', move.move128(false), 'SSE3', { name: 'MOVU' });
  add(0xf7, 'none', 'MASKMOVQ', 'Pq Nq', move.maskedStore('mmx'), 'SSE');
  add(0xf7, 'p66', 'MASKMOVDQU', 'Vx Ux', move.maskedStore('xmm'), 'SSE2');
  add(0xd7, 'none', 'PMOVMSKB', 'Gd Nq', integer.moveMask(i8x16.bitmask, 'mmx'), 'SSE', { name: 'PMOVMSKB_MMX' });
  add(0xd7, 'p66', 'PMOVMSKB', 'Gd Ux', integer.moveMask(i8x16.bitmask, 'xmm'), 'SSE2');
  add(0xc3, 'none', 'MOVNTI', 'My Gy', move.moveGeneral, 'SSE2');
  add(0x77, 'none', 'EMMS', '', move.emptyMmx, 'MMX');
  definer(map38)(0x2a, 'p66', 'MOVNTDQA', 'Vx Mx', move.move128(true), 'SSE41', { name: 'MOVA' });
}

function defineElements({ twoByte, map38, map3A }: OpcodeMaps): void {
  const add = definer(twoByte), add38 = definer(map38), add3A = definer(map3A);
  add(0x70, 'none', 'PSHUFW', 'Pq Qq Ib', move.shuffleWords(0, 'mmx'), 'SSE');
  add(0x70, 'p66', 'PSHUFD', 'Vx Wx Ib', move.shuffleDoublewords, 'SSE2');
  add(0x70, 'f3', 'PSHUFHW', 'Vx Wx Ib', move.shuffleWords(8, 'xmm'), 'SSE2');
  add(0x70, 'f2', 'PSHUFLW', 'Vx Wx Ib', move.shuffleWords(0, 'xmm'), 'SSE2');
  add(0xc4, 'none', 'PINSRW', 'Pq Edw Ib', move.insert(2, 'mmx'), 'SSE', { name: 'PINSRW_MMX' });
  add(0xc4, 'p66', 'PINSRW', 'Vx Edw Ib', move.insert(2, 'xmm'), 'SSE2');
  add(0xc5, 'none', 'PEXTRW', 'Gd Nq Ib', move.extract(2, 'mmx'), 'SSE', { name: 'PEXTRW_MMX' });
  add(0xc5, 'p66', 'PEXTRW', 'Gd Ux Ib', move.extract(2, 'xmm'), 'SSE2');
  add3A(0x0f, 'none', 'PALIGNR', 'Pq Qq Ib', move.alignRight('mmx'), 'SSSE3', { name: 'PALIGNR_MMX' });
  add3A(0x0f, 'p66', 'PALIGNR', 'Vx Wx Ib', move.alignRight('xmm'), 'SSSE3');
  add3A(0x14, 'p66', 'PEXTRB', 'Edb Vx Ib', move.extract(1, 'xmm'), 'SSE41');
  add3A(0x15, 'p66', 'PEXTRW', 'Edw Vx Ib', move.extract(2, 'xmm'), 'SSE41', { name: 'PEXTRW_S' });
  add3A(0x16, 'p66', 'PEXTRD', 'Ey Vx Ib', move.extract('y', 'xmm'), 'SSE41');
  add3A(0x17, 'p66', 'EXTRACTPS', 'Ed Vx Ib', move.extract(4, 'xmm'), 'SSE41');
  add3A(0x20, 'p66', 'PINSRB', 'Vx Edb Ib', move.insert(1, 'xmm'), 'SSE41');
  add3A(0x21, 'p66', 'INSERTPS', 'Vx Wd Ib', move.insertSingle, 'SSE41');
  add3A(0x22, 'p66', 'PINSRD', 'Vx Ey Ib', move.insert('y', 'xmm'), 'SSE41');
  const spread = { PBLENDVB: (m: V128) => i8x16.shrS(m, count7), BLENDVPS: (m: V128) => i32x4.shrS(m, count31), BLENDVPD: (m: V128) => i64x2.shrS(m, count63) };
  add38(0x10, 'p66', 'PBLENDVB', 'Vx Wx', integer.blendByXmm0(spread.PBLENDVB), 'SSE41');
  add38(0x14, 'p66', 'BLENDVPS', 'Vx Wx', integer.blendByXmm0(spread.BLENDVPS), 'SSE41');
  add38(0x15, 'p66', 'BLENDVPD', 'Vx Wx', integer.blendByXmm0(spread.BLENDVPD), 'SSE41');
  add3A(0x0c, 'p66', 'BLENDPS', 'Vx Wx Ib', integer.blendByImmediate(4), 'SSE41');
  add3A(0x0d, 'p66', 'BLENDPD', 'Vx Wx Ib', integer.blendByImmediate(8), 'SSE41');
  add3A(0x0e, 'p66', 'PBLENDW', 'Vx Wx Ib', integer.blendByImmediate(2), 'SSE41');
  add38(0x17, 'p66', 'PTEST', 'Vx Wx', integer.test, 'SSE41');
  add38(0x41, 'p66', 'PHMINPOSUW', 'Vx Wx', integer.minimumPosition, 'SSE41');
  add3A(0x42, 'p66', 'MPSADBW', 'Vx Wx Ib', integer.multipleDifferences, 'SSE41');
  add3A(0x08, 'p66', 'ROUNDPS', 'Vx Wx Ib', convert.roundIntegral(32, false), 'SSE41');
  add3A(0x09, 'p66', 'ROUNDPD', 'Vx Wx Ib', convert.roundIntegral(64, false), 'SSE41');
  add3A(0x0a, 'p66', 'ROUNDSS', 'Vd Wd Ib', convert.roundIntegral(32, true), 'SSE41');
  add3A(0x0b, 'p66', 'ROUNDSD', 'Vq Wq Ib', convert.roundIntegral(64, true), 'SSE41');
  add3A(0x40, 'p66', 'DPPS', 'Vx Wx Ib', arithmetic.dot(32), 'SSE41');
  add3A(0x41, 'p66', 'DPPD', 'Vx Wx Ib', arithmetic.dot(64), 'SSE41');
}
const count7 = i32(7), count31 = i32(31), count63 = i32(63);

/** Meanings in TypeScript (core/cpu/vector). */
function defineHelpers({ map38, map3A }: OpcodeMaps): void {
  const add = (map: Entry[], opcode: number, prefix: Prefix, mnemonic: string, operands: string, feature: Feature): void =>
    put(map, opcode, prefix, helper(mnemonic, operands, mnemonic.toLowerCase(), { feature }));
  for (const [index, name] of ['AESIMC', 'AESENC', 'AESENCLAST', 'AESDEC', 'AESDECLAST'].entries()) {
    add(map38, 0xdb + index, 'p66', name, 'Vx Wx', 'AES');
  }
  add(map3A, 0xdf, 'p66', 'AESKEYGENASSIST', 'Vx Wx Ib', 'AES');
  add(map3A, 0x44, 'p66', 'PCLMULQDQ', 'Vx Wx Ib', 'PCLMULQDQ');
  for (const [index, name] of ['SHA1NEXTE', 'SHA1MSG1', 'SHA1MSG2', 'SHA256RNDS2', 'SHA256MSG1', 'SHA256MSG2'].entries()) {
    add(map38, 0xc8 + index, 'none', name, 'Vx Wx', 'SHA');
  }
  add(map3A, 0xcc, 'none', 'SHA1RNDS4', 'Vx Wx Ib', 'SHA');
  for (const [index, name] of ['PCMPESTRM', 'PCMPESTRI', 'PCMPISTRM', 'PCMPISTRI'].entries()) {
    // The explicit lengths are 64 bits wide with REX.W.
    add(map3A, 0x60 + index, 'p66', name, index < 2 ? 'Vx Wx Ib Xv' : 'Vx Wx Ib', 'SSE42');
  }
}

function defineGeneral(maps: OpcodeMaps): void {
  const { twoByte, map38, vex38, vex3A } = maps;
  const make = (mnemonic: string, operands: string, semantics: Semantics, feature: Feature, options: RowAttributes = {}): Row =>
    row(mnemonic, operands, mnemonic, semantics, { cold: true, feature, ...options });
  put(twoByte, 0xb8, 'f3', make('POPCNT', 'Gv Ev', general.countOnes, 'POPCNT'));
  const scan = (opcode: number, row: Row): void => {
    const plain = twoByte[opcode] as Opcode;
    twoByte[opcode] = { none: plain, f3: row, f2: plain };
  };
  scan(0xbc, make('TZCNT', 'Gv Ev', general.countTrailing, 'BMI1', { fallsBack: true }));
  scan(0xbd, make('LZCNT', 'Gv Ev', general.countLeading, 'LZCNT', { fallsBack: true }));
  map38[0xf0] = { none: make('MOVBE', 'Gv Mv', general.moveSwapped, 'MOVBE'), f2: make('CRC32', 'Gd Eb', general.crc32, 'SSE42') };
  map38[0xf1] = { none: make('MOVBE', 'Mv Gv', general.moveSwapped, 'MOVBE'), f2: make('CRC32', 'Gd Ev', general.crc32, 'SSE42') };
  put(map38, 0xf6, 'p66', make('ADCX', 'Gy Ey', general.addChained(false), 'ADX'));
  put(map38, 0xf6, 'f3', make('ADOX', 'Gy Ey', general.addChained(true), 'ADX'));
  put(vex38, 0xf2, 'none', make('ANDN', 'Gy By Ey', general.andNot, 'BMI1'));
  put(vex38, 0xf3, 'none', [
    null, make('BLSR', 'By Ey', general.resetLowest, 'BMI1'), make('BLSMSK', 'By Ey', general.maskLowest, 'BMI1'),
    make('BLSI', 'By Ey', general.isolateLowest, 'BMI1'), null, null, null, null,
  ]);
  put(vex38, 0xf5, 'none', make('BZHI', 'Gy Ey By', general.zeroHigh, 'BMI2'));
  put(vex38, 0xf5, 'f3', make('PEXT', 'Gy By Ey', general.gatherBits, 'BMI2'));
  put(vex38, 0xf5, 'f2', make('PDEP', 'Gy By Ey', general.deposit, 'BMI2'));
  put(vex38, 0xf6, 'f2', make('MULX', 'Gy By Ey', general.multiplyNoFlags, 'BMI2'));
  put(vex38, 0xf7, 'none', make('BEXTR', 'Gy Ey By', general.extractBits, 'BMI1'));
  put(vex38, 0xf7, 'p66', make('SHLX', 'Gy Ey By', general.shiftLeftNoFlags, 'BMI2'));
  put(vex38, 0xf7, 'f3', make('SARX', 'Gy Ey By', general.shiftSignedNoFlags, 'BMI2'));
  put(vex38, 0xf7, 'f2', make('SHRX', 'Gy Ey By', general.shiftRightNoFlags, 'BMI2'));
  put(vex3A, 0xf0, 'f2', make('RORX', 'Gy Ey Ib', general.rotateNoFlags, 'BMI2'));
}

/** 0F AE: states and fences (SDM 2D table A-6). */
function defineStates({ twoByte }: OpcodeMaps): void {
  const group = twoByte[0xae] as Prefixed;
  const [fxsave, fxrstor] = group.none as readonly (Row | null)[];
  const memory: readonly (Row | null)[] = [
    fxsave, fxrstor, vectorRow('LDMXCSR', 'Md', loadControl, 'SSE'), vectorRow('STMXCSR', 'Md', storeControl, 'SSE'),
    helper('XSAVE', 'M', 'xsave', { feature: 'XSAVE' }), helper('XRSTOR', 'M', 'xrstor', { feature: 'XSAVE' }), null,
    vectorRow('CLFLUSH', 'Mb', move.touch, 'CLFSH'),
  ];
  const fence = (name: string, feature: Feature): Row => vectorRow(name, 'Ti', move.fence, feature, { name: 'FENCE' });
  const registers = [null, null, null, null, null, fence('LFENCE', 'SSE2'), fence('MFENCE', 'SSE2'), fence('SFENCE', 'SSE')];
  twoByte[0xae] = {
    ...group,
    none: choice((modRm) => (modRm < 0xc0 ? memory : registers)[(modRm >> 3) & 7], [...memory, ...registers]),
    p66: null, f2: null,
  };
}

export function defineVectorRows(maps: OpcodeMaps): void {
  defineMoves(maps);
  defineInteger(maps);
  defineFloating(maps);
  defineElements(maps);
  defineHelpers(maps);
  defineGeneral(maps);
  defineStates(maps);
}
