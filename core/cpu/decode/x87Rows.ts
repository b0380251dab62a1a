// The x87 escape opcodes D8..DF (SDM 2D A.5).
//
// Where we depart from the manual: encodings that it leaves undefined but all silicon executes are here too: FCOM as DC
// D0, FCOMP as DC D8 and DE D0, FXCH as DD C8 and DF C8, FSTP as D9 D8, DF D0 and DF D8, FFREEP as DF C0; FENI, FDISI and
// FSETPM of older units do nothing.
import * as arithmetic from '../semantics/x87/arithmetic.ts';
import * as comparison from '../semantics/x87/compare.ts';
import * as transfer from '../semantics/x87/transfer.ts';
import type { Semantics } from '../semantics/context.ts';
import { helper, row, type Row, type RowAttributes } from './row.ts';

type Group = (Row | null)[];
const WARM = { warm: true } as const;
const empty = (): Group => new Array<Row | null>(8).fill(null);

/** By opcode & 7 and ModRM.reg. */
const memoryRows: Group[] = Array.from({ length: 8 }, empty);
/** By opcode & 7, ModRM.reg and ModRM.rm. */
const registerRows: Group[][] = Array.from({ length: 8 }, () => Array.from({ length: 8 }, empty));

const code = (opcode: number, reg: number): string => `${opcode.toString(16)}/${reg}`;

/** A memory form. */
function memory(mnemonic: string, opcode: number, reg: number, semantics: Semantics, attributes: RowAttributes = {}): void {
  memoryRows[opcode & 7][reg] = row(mnemonic, 'Mf', `${mnemonic}_${code(opcode, reg)}m`, semantics, { ...WARM, ...attributes });
}
function memoryHelper(mnemonic: string, opcode: number, reg: number, name: string, letters: 'M' | 'Mf'): void {
  memoryRows[opcode & 7][reg] = helper(mnemonic, letters, name);
}
/** A form whose ModRM.rm is ST(i). */
function stack(mnemonic: string, opcode: number, reg: number, semantics: Semantics): void {
  registerRows[opcode & 7][reg].fill(row(mnemonic, 'Ti', `${mnemonic}_${code(opcode, reg)}r`, semantics, WARM));
}
/** A form whose whole ModRM byte is opcode. */
function single(mnemonic: string, opcode: number, modRm: number, semantics: Semantics): void {
  const name = `${mnemonic}_${opcode.toString(16)}${modRm.toString(16)}`;
  registerRows[opcode & 7][(modRm >> 3) & 7][modRm & 7] = row(mnemonic, 'Ti', name, semantics, WARM);
}
function singleHelper(mnemonic: string, opcode: number, modRm: number, name: string): void {
  registerRows[opcode & 7][(modRm >> 3) & 7][modRm & 7] = helper(mnemonic, 'Ti', name);
}

function defineTransfers(): void {
  const formats = [[0xd9, 'single'], [0xdd, 'double'], [0xdf, 'word'], [0xdb, 'short']] as const;
  for (const [opcode, format] of formats) {
    const [load, store] = format === 'single' || format === 'double' ? ['FLD', 'FST'] : ['FILD', 'FIST'];
    memory(load, opcode, 0, transfer.load(opcode, format));
    memory(store, opcode, 2, transfer.store(opcode, format, false));
    memory(`${store}P`, opcode, 3, transfer.store(opcode, format, true));
  }
  for (const [opcode, format] of [[0xdb, 'short'], [0xdd, 'long'], [0xdf, 'word']] as const) {
    memory('FISTTP', opcode, 1, transfer.store(opcode, format, true, true), { feature: 'SSE3' });
  }
  memory('FLD', 0xdb, 5, transfer.loadExtended(0xdb));
  memory('FSTP', 0xdb, 7, transfer.storeExtended(0xdb));
  memory('FILD', 0xdf, 5, transfer.load(0xdf, 'long'));
  memory('FISTP', 0xdf, 7, transfer.store(0xdf, 'long', true));
  stack('FLD', 0xd9, 0, transfer.loadRegister(0xd9));
  stack('FXCH', 0xd9, 1, transfer.exchange(0xd9));
  stack('FXCH', 0xdd, 1, transfer.exchange(0xdd));
  stack('FXCH', 0xdf, 1, transfer.exchange(0xdf));
  stack('FST', 0xdd, 2, transfer.storeRegister(0xdd, false));
  for (const [opcode, reg] of [[0xdd, 3], [0xd9, 3], [0xdf, 2], [0xdf, 3]]) {
    stack('FSTP', opcode, reg, transfer.storeRegister(opcode, true, opcode !== 0xd9));
  }
  stack('FFREE', 0xdd, 0, transfer.free(0xdd, false));
  stack('FFREEP', 0xdf, 0, transfer.free(0xdf, true));
  ['B', 'E', 'BE', 'U'].forEach((condition, index) => {
    const number = [2, 4, 6, 10][index];
    stack(`FCMOV${condition}`, 0xda, index, transfer.conditionalMove(0xda, number));
    stack(`FCMOVN${condition}`, 0xdb, index, transfer.conditionalMove(0xdb, number + 1));
  });
  single('FNOP', 0xd9, 0xd0, transfer.noOperation(0xd9));
  single('FCHS', 0xd9, 0xe0, transfer.changeSign(0xd9, false));
  single('FABS', 0xd9, 0xe1, transfer.changeSign(0xd9, true));
  ['FLD1', 'FLDL2T', 'FLDL2E', 'FLDPI', 'FLDLG2', 'FLDLN2', 'FLDZ'].forEach((mnemonic, index) =>
    single(mnemonic, 0xd9, 0xe8 + index, transfer.loadConstant(0xd9, index)),
  );
  single('FDECSTP', 0xd9, 0xf6, transfer.rotate(0xd9, -1));
  single('FINCSTP', 0xd9, 0xf7, transfer.rotate(0xd9, 1));
}

function defineControl(): void {
  memoryHelper('FLDENV', 0xd9, 4, 'fldenv', 'M');
  memoryHelper('FLDCW', 0xd9, 5, 'fldcw', 'Mf');
  memoryHelper('FNSTENV', 0xd9, 6, 'fnstenv', 'M');
  memoryHelper('FNSTCW', 0xd9, 7, 'fnstcw', 'Mf');
  memoryHelper('FRSTOR', 0xdd, 4, 'frstor', 'M');
  memoryHelper('FNSAVE', 0xdd, 6, 'fnsave', 'M');
  memoryHelper('FNSTSW', 0xdd, 7, 'fnstsw', 'Mf');
  singleHelper('FENI', 0xdb, 0xe0, 'fnop');
  singleHelper('FDISI', 0xdb, 0xe1, 'fnop');
  singleHelper('FNCLEX', 0xdb, 0xe2, 'fnclex');
  singleHelper('FNINIT', 0xdb, 0xe3, 'fninit');
  singleHelper('FSETPM', 0xdb, 0xe4, 'fnop');
  singleHelper('FNSTSW', 0xdf, 0xe0, 'fnstswAx');
}

const MEMORY_FORMATS = [[0xd8, 'single', 'F'], [0xdc, 'double', 'F'], [0xda, 'short', 'FI'], [0xde, 'word', 'FI']] as const;
/** By ModRM.reg: mnemonic, operation, reversed. */
const ARITHMETIC = [
  [0, 'ADD', 'add', false], [1, 'MUL', 'multiply', false], [4, 'SUB', 'subtract', false], [5, 'SUBR', 'subtract', true],
  [6, 'DIV', 'divide', false], [7, 'DIVR', 'divide', true],
] as const;

function defineArithmetic(): void {
  for (const [reg, mnemonic, operation, reversed] of ARITHMETIC) {
    for (const [opcode, format, prefix] of MEMORY_FORMATS) {
      memory(prefix + mnemonic, opcode, reg, arithmetic.binaryMemory(opcode, operation, format, reversed));
    }
    stack(`F${mnemonic}`, 0xd8, reg, arithmetic.binary(0xd8, operation, 'ST(0)', reversed, false));
    // With ST(i) as the destination /4 is FSUBR and /5 FSUB, /6 FDIVR and /7 FDIV.
    const place = reg < 4 ? reg : reg ^ 1;
    stack(`F${mnemonic}`, 0xdc, place, arithmetic.binary(0xdc, operation, 'ST(i)', reversed, false));
    stack(`F${mnemonic}P`, 0xde, place, arithmetic.binary(0xde, operation, 'ST(i)', reversed, true));
  }
  single('FSQRT', 0xd9, 0xfa, arithmetic.squareRoot);
  single('FRNDINT', 0xd9, 0xfc, arithmetic.roundInteger);
}

function defineComparisons(): void {
  for (const [opcode, format, prefix] of MEMORY_FORMATS) {
    memory(`${prefix}COM`, opcode, 2, comparison.compareMemory(opcode, format, 0));
    memory(`${prefix}COMP`, opcode, 3, comparison.compareMemory(opcode, format, 1));
  }
  const register = (mnemonic: string, opcode: number, reg: number, how: comparison.Comparison): void =>
    stack(mnemonic, opcode, reg, comparison.compare(opcode, how));
  const ordered = { quiet: false, where: 'status' } as const, unordered = { quiet: true, where: 'status' } as const;
  for (const opcode of [0xd8, 0xdc]) register('FCOM', opcode, 2, { ...ordered, pops: 0 });
  for (const [opcode, reg] of [[0xd8, 3], [0xdc, 3], [0xde, 2]]) register('FCOMP', opcode, reg, { ...ordered, pops: 1 });
  register('FUCOM', 0xdd, 4, { ...unordered, pops: 0 });
  register('FUCOMP', 0xdd, 5, { ...unordered, pops: 1 });
  single('FCOMPP', 0xde, 0xd9, comparison.compare(0xde, { ...ordered, pops: 2 }));
  single('FUCOMPP', 0xda, 0xe9, comparison.compare(0xda, { ...unordered, pops: 2 }));
  register('FCOMI', 0xdb, 6, { quiet: false, where: 'eflags', pops: 0 });
  register('FUCOMI', 0xdb, 5, { quiet: true, where: 'eflags', pops: 0 });
  register('FCOMIP', 0xdf, 6, { quiet: false, where: 'eflags', pops: 1 });
  register('FUCOMIP', 0xdf, 5, { quiet: true, where: 'eflags', pops: 1 });
  single('FTST', 0xd9, 0xe4, comparison.test);
  single('FXAM', 0xd9, 0xe5, comparison.examine);
}

function defineHelpers(): void {
  memoryHelper('FBLD', 0xdf, 4, 'fbld', 'Mf');
  memoryHelper('FBSTP', 0xdf, 6, 'fbstp', 'Mf');
  const names: readonly [number, string][] = [
    [0xf0, 'F2XM1'], [0xf1, 'FYL2X'], [0xf2, 'FPTAN'], [0xf3, 'FPATAN'], [0xf4, 'FXTRACT'], [0xf5, 'FPREM1'], [0xf8, 'FPREM'],
    [0xf9, 'FYL2XP1'], [0xfb, 'FSINCOS'], [0xfd, 'FSCALE'], [0xfe, 'FSIN'], [0xff, 'FCOS'],
  ];
  for (const [modRm, mnemonic] of names) singleHelper(mnemonic, 0xd9, modRm, mnemonic.toLowerCase());
}

defineTransfers();
defineControl();
defineHelpers();
defineArithmetic();
defineComparisons();

/** The row of an escape opcode and its ModRM byte, or null where the x87 leaves it undefined. */
export function x87Row(opcode: number, modRm: number): Row | null {
  const reg = (modRm >> 3) & 7;
  return modRm < 0xc0 ? memoryRows[opcode & 7][reg] : registerRows[opcode & 7][reg][modRm & 7];
}

/** Every row that x87Row may return for an opcode. */
export function x87Rows(opcode: number): Iterable<Row> {
  const rows = [...memoryRows[opcode & 7], ...registerRows[opcode & 7].flat()].filter((found) => found !== null);
  return new Set(rows);
}
