// The opcode maps (SDM 2D appendix A). What 64-bit mode changes is said by the rows (`in64`) and by `oneByte64`.
//
// Where we depart from the manual: opcodes that it leaves undefined but all silicon executes are here too (SALC D6,
// ICEBP F1, SHL as /6 of group 2, TEST as /1 of group 3, UD1 0F B9).
import * as arithmetic from '../semantics/arithmetic.ts';
import * as bit from '../semantics/bit.ts';
import * as branch from '../semantics/branch.ts';
import * as move from '../semantics/move.ts';
import * as shift from '../semantics/shift.ts';
import type { Semantics } from '../semantics/context.ts';
import { choice, type Entry, helper, row, type Row } from './row.ts';
import { stringRows } from './stringRows.ts';
import { defineVectorRows } from './vectorRows.ts';
import { x87Row, x87Rows } from './x87Rows.ts';

export const oneByte: Entry[] = new Array<Entry>(256).fill(null);
export const twoByte: Entry[] = new Array<Entry>(256).fill(null);
/** 0F 38 and 0F 3A, and what of them exists under a VEX prefix. */
export const map38: Entry[] = new Array<Entry>(256).fill(null);
export const map3A: Entry[] = new Array<Entry>(256).fill(null);
export const vex38: Entry[] = new Array<Entry>(256).fill(null);
export const vex3A: Entry[] = new Array<Entry>(256).fill(null);

const CONDITIONS = ['O', 'NO', 'B', 'AE', 'E', 'NE', 'BE', 'A', 'S', 'NS', 'P', 'NP', 'L', 'GE', 'LE', 'G'];
const LOCK = { lock: true } as const;
const END = { ends: true } as const;
const NOT_64 = { in64: 'undefined' } as const;
const DEFAULT_64 = { in64: 'default64' } as const;
const ALWAYS_64 = { in64: 'always64' } as const;
const PENTIUM_PRO = { feature: 'CMOV' } as const;
const SEGMENT_NAMES = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'];

const ALU: readonly [string, Semantics][] = [
  ['ADD', arithmetic.addition],
  ['OR', arithmetic.logicalOr],
  ['ADC', arithmetic.addWithCarry],
  ['SBB', arithmetic.subtractWithBorrow],
  ['AND', arithmetic.logicalAnd],
  ['SUB', arithmetic.subtract],
  ['XOR', arithmetic.logicalXor],
  ['CMP', arithmetic.compare],
];

const SHIFTS: readonly [string, Semantics][] = [
  ['ROL', shift.rotateLeft],
  ['ROR', shift.rotateRight],
  ['RCL', shift.rotateCarryLeft],
  ['RCR', shift.rotateCarryRight],
  ['SHL', shift.shiftLeft],
  ['SHR', shift.shiftRight],
  ['SHL', shift.shiftLeft],
  ['SAR', shift.shiftArithmeticRight],
];

function defineAlu(): void {
  ALU.forEach(([mnemonic, semantics], index) => {
    const base = index * 8;
    const lock = mnemonic === 'CMP' ? {} : LOCK;
    oneByte[base] = row(mnemonic, 'Eb Gb', mnemonic, semantics, lock);
    oneByte[base + 1] = row(mnemonic, 'Ev Gv', mnemonic, semantics, lock);
    oneByte[base + 2] = row(mnemonic, 'Gb Eb', mnemonic, semantics);
    oneByte[base + 3] = row(mnemonic, 'Gv Ev', mnemonic, semantics);
    oneByte[base + 4] = row(mnemonic, 'bAL Ib', mnemonic, semantics);
    oneByte[base + 5] = row(mnemonic, 'bAX Iz', mnemonic, semantics);
  });
  const group = (operands: string): Row[] =>
    ALU.map(([mnemonic, semantics]) => row(mnemonic, operands, mnemonic, semantics, mnemonic === 'CMP' ? {} : LOCK));
  oneByte[0x80] = oneByte[0x82] = group('Eb Ib');
  oneByte[0x81] = group('Ev Iz');
  oneByte[0x83] = group('Ev Is');
}

/** Shifts by an immediate count that is zero after masking: the operand is accessed, nothing changes. */
const zeroShifts = new Map<Row, Row>();
export const zeroShift = (shifted: Row): Row => zeroShifts.get(shifted) ?? shifted;
export const zeroShiftRows = (): Iterable<Row> => zeroShifts.values();

function immediateShift(mnemonic: string, operands: string, semantics: Semantics, warm: boolean): Row {
  const made = row(mnemonic, operands, mnemonic, semantics, { warm });
  zeroShifts.set(made, row(mnemonic, operands, 'SHIFT_0', shift.shiftByZero, { warm: true }));
  return made;
}

function defineShifts(): void {
  const group = (operands: string): Row[] =>
    SHIFTS.map(([mnemonic, semantics]) => {
      const warm = mnemonic.startsWith('R') || operands.startsWith('Eb');
      if (operands.includes(' ')) return immediateShift(mnemonic, operands, semantics, warm);
      return row(mnemonic, operands, `${mnemonic}_CL`, semantics, { warm });
    });
  oneByte[0xc0] = group('Eb Ib');
  oneByte[0xc1] = group('Ev Ib');
  oneByte[0xd0] = group('Eb 1');
  oneByte[0xd1] = group('Ev 1');
  oneByte[0xd2] = group('Eb');
  oneByte[0xd3] = group('Ev');
  const warm = { warm: true } as const;
  twoByte[0xa4] = immediateShift('SHLD', 'Ev Gv Ib', shift.doubleShiftLeft, true);
  twoByte[0xa5] = row('SHLD', 'Ev Gv', 'SHLD_CL', shift.doubleShiftLeft, warm);
  twoByte[0xac] = immediateShift('SHRD', 'Ev Gv Ib', shift.doubleShiftRight, true);
  twoByte[0xad] = row('SHRD', 'Ev Gv', 'SHRD_CL', shift.doubleShiftRight, warm);
}

function defineMoves(): void {
  oneByte[0x84] = row('TEST', 'Eb Gb', 'TEST', arithmetic.test);
  oneByte[0x85] = row('TEST', 'Ev Gv', 'TEST', arithmetic.test);
  oneByte[0x86] = row('XCHG', 'Eb Gb', 'XCHG', move.exchange, LOCK);
  oneByte[0x87] = row('XCHG', 'Ev Gv', 'XCHG', move.exchange, LOCK);
  oneByte[0x88] = row('MOV', 'Eb Gb', 'MOV', move.move);
  oneByte[0x89] = row('MOV', 'Ev Gv', 'MOV', move.move);
  oneByte[0x8a] = row('MOV', 'Gb Eb', 'MOV', move.move);
  oneByte[0x8b] = row('MOV', 'Gv Ev', 'MOV', move.move);
  oneByte[0x8c] = helper('MOV', 'Ev Sw', 'moveFromSegment', { sensitive: 'behaviour' });
  oneByte[0x8d] = row('LEA', 'Gv M', 'LEA', move.loadEffectiveAddress);
  oneByte[0x8e] = helper('MOV', 'Sw Ew', 'moveToSegment', { sensitive: 'behaviour' });
  oneByte[0x8f] = [helper('POP', 'Ev', 'popMemory', DEFAULT_64), null, null, null, null, null, null, null];
  oneByte[0x90] = row('NOP', '', 'NOP', move.noOperation);
  for (let register = 1; register < 8; register++) {
    oneByte[0x90 + register] = row('XCHG', 'Zv aAX', 'XCHG', move.exchange);
  }
  oneByte[0x98] = row('CBW', 'Xv', 'CBW', arithmetic.extendAccumulator);
  oneByte[0x99] = row('CWD', 'Xv', 'CWD', arithmetic.spreadSign);
  oneByte[0xa0] = row('MOV', 'aAL Ob', 'MOV', move.move);
  oneByte[0xa1] = row('MOV', 'aAX Ov', 'MOV', move.move);
  oneByte[0xa2] = row('MOV', 'Ob aAL', 'MOV', move.move);
  oneByte[0xa3] = row('MOV', 'Ov aAX', 'MOV', move.move);
  oneByte[0xa8] = row('TEST', 'bAL Ib', 'TEST', arithmetic.test);
  oneByte[0xa9] = row('TEST', 'bAX Iz', 'TEST', arithmetic.test);
  for (let register = 0; register < 8; register++) {
    oneByte[0xb0 + register] = row('MOV', 'Zb Ib', 'MOV', move.move);
    oneByte[0xb8 + register] = row('MOV', 'Zv Iz', 'MOV', move.move);
    twoByte[0xc8 + register] = row('BSWAP', 'Zv', 'BSWAP', bit.byteSwap);
  }
  const only = (only: Row): (Row | null)[] => [only, null, null, null, null, null, null, null];
  oneByte[0xc6] = only(row('MOV', 'Eb Ib', 'MOV', move.move));
  oneByte[0xc7] = only(row('MOV', 'Ev Iz', 'MOV', move.move));
  oneByte[0xd7] = row('XLAT', 'Bx', 'XLAT', move.translateByte, { warm: true });
  twoByte[0xb6] = row('MOVZX', 'Gv Eb', 'MOVZX', move.moveZeroExtended);
  twoByte[0xb7] = row('MOVZX', 'Gv Ew', 'MOVZX', move.moveZeroExtended);
  twoByte[0xbe] = row('MOVSX', 'Gv Eb', 'MOVSX', move.moveSignExtended);
  twoByte[0xbf] = row('MOVSX', 'Gv Ew', 'MOVSX', move.moveSignExtended);
  CONDITIONS.forEach((condition, code) => {
    const name = `CMOV${condition}`;
    twoByte[0x40 + code] = row(name, 'Gv Ev', name, move.conditionalMove(code), PENTIUM_PRO);
    twoByte[0x90 + code] = row(`SET${condition}`, 'Eb', `SET${condition}`, move.setByte(code));
  });
  twoByte[0x0d] = row('PREFETCHW', 'Ev', 'NOP', move.noOperation, { warm: true, ...PENTIUM_PRO });
  for (let opcode = 0x18; opcode <= 0x1f; opcode++) twoByte[opcode] = row('NOP', 'Ev', 'NOP', move.noOperation, PENTIUM_PRO);
}

function defineStack(): void {
  for (let register = 0; register < 8; register++) {
    oneByte[0x50 + register] = row('PUSH', 'Zv', 'PUSH', move.push, DEFAULT_64);
    oneByte[0x58 + register] = row('POP', 'Zv', 'POP', move.popRegister, DEFAULT_64);
    oneByte[0x40 + register] = row('INC', 'Zv', 'INC', arithmetic.increment);
    oneByte[0x48 + register] = row('DEC', 'Zv', 'DEC', arithmetic.decrement);
  }
  SEGMENT_NAMES.slice(0, 4).forEach((name, index) => {
    oneByte[0x06 + index * 8] = helper(`PUSH ${name}`, 'Xv', `pushSegment${index}`, { sensitive: 'behaviour', ...NOT_64 });
    if (index !== 1) {
      oneByte[0x07 + index * 8] = helper(`POP ${name}`, 'Xv', `popSegment${index}`, { sensitive: 'behaviour', ...NOT_64 });
    }
  });
  twoByte[0xa0] = helper('PUSH FS', 'Xv', 'pushSegment4', { sensitive: 'behaviour', ...DEFAULT_64 });
  twoByte[0xa1] = helper('POP FS', 'Xv', 'popSegment4', { sensitive: 'behaviour', ...DEFAULT_64 });
  twoByte[0xa8] = helper('PUSH GS', 'Xv', 'pushSegment5', { sensitive: 'behaviour', ...DEFAULT_64 });
  twoByte[0xa9] = helper('POP GS', 'Xv', 'popSegment5', { sensitive: 'behaviour', ...DEFAULT_64 });
  oneByte[0x60] = helper('PUSHA', 'Xv', 'pushAll', NOT_64);
  oneByte[0x61] = helper('POPA', 'Xv', 'popAll', NOT_64);
  oneByte[0x68] = row('PUSH', 'Iz', 'PUSH', move.push, DEFAULT_64);
  oneByte[0x6a] = row('PUSH', 'Is', 'PUSH', move.push, DEFAULT_64);
  oneByte[0x9c] = helper('PUSHF', 'Xv', 'pushFlags', { sensitive: 'behaviour', ...DEFAULT_64 });
  oneByte[0x9d] = helper('POPF', 'Xv', 'popFlags', { sensitive: 'control', ...DEFAULT_64 });
  oneByte[0x9e] = row('SAHF', '', 'SAHF', move.storeAh);
  oneByte[0x9f] = row('LAHF', '', 'LAHF', move.loadAh);
  oneByte[0xc8] = helper('ENTER', 'Iw', 'enter', DEFAULT_64);
  oneByte[0xc9] = row('LEAVE', 'Xv', 'LEAVE', move.leave, DEFAULT_64);
}

function defineArithmetic(): void {
  oneByte[0x27] = helper('DAA', '', 'decimalAdjustAdd', NOT_64);
  oneByte[0x2f] = helper('DAS', '', 'decimalAdjustSubtract', NOT_64);
  oneByte[0x37] = helper('AAA', '', 'asciiAdjustAdd', NOT_64);
  oneByte[0x3f] = helper('AAS', '', 'asciiAdjustSubtract', NOT_64);
  oneByte[0xd4] = helper('AAM', 'Ib', 'asciiAdjustMultiply', NOT_64);
  oneByte[0xd5] = helper('AAD', 'Ib', 'asciiAdjustDivide', NOT_64);
  oneByte[0xd6] = helper('SALC', '', 'setAlFromCarry', NOT_64);
  oneByte[0x69] = row('IMUL', 'Gv Ev Iz', 'IMUL3', arithmetic.multiplyThree);
  oneByte[0x6b] = row('IMUL', 'Gv Ev Is', 'IMUL3', arithmetic.multiplyThree);
  twoByte[0xaf] = row('IMUL', 'Gv Ev', 'IMUL2', arithmetic.multiplyTwo);
  const unary = (e: string, immediate: string): Row[] => [
    row('TEST', `${e} ${immediate}`, 'TEST', arithmetic.test),
    row('TEST', `${e} ${immediate}`, 'TEST', arithmetic.test),
    row('NOT', e, 'NOT', arithmetic.complement, LOCK),
    row('NEG', e, 'NEG', arithmetic.negate, LOCK),
    row('MUL', e, 'MUL', arithmetic.multiply),
    row('IMUL', e, 'IMUL', arithmetic.multiplySigned),
    row('DIV', e, 'DIV', arithmetic.divide),
    row('IDIV', e, 'IDIV', arithmetic.divideSigned),
  ];
  oneByte[0xf6] = unary('Eb', 'Ib');
  oneByte[0xf7] = unary('Ev', 'Iz');
  oneByte[0xfe] = [
    row('INC', 'Eb', 'INC', arithmetic.increment, LOCK),
    row('DEC', 'Eb', 'DEC', arithmetic.decrement, LOCK),
    null, null, null, null, null, null,
  ];
  const warmLock = { warm: true, lock: true } as const;
  twoByte[0xb0] = row('CMPXCHG', 'Eb Gb', 'CMPXCHG', arithmetic.compareExchange, warmLock);
  twoByte[0xb1] = row('CMPXCHG', 'Ev Gv', 'CMPXCHG', arithmetic.compareExchange, LOCK);
  twoByte[0xc0] = row('XADD', 'Eb Gb', 'XADD', arithmetic.exchangeAdd, warmLock);
  twoByte[0xc1] = row('XADD', 'Ev Gv', 'XADD', arithmetic.exchangeAdd, warmLock);
  twoByte[0xc7] = [null, helper('CMPXCHG8B', 'M', 'compareExchange8', { ...LOCK, feature: 'CX8' }), null, null, null, null, null, null];
}

function defineBits(): void {
  const tests: readonly [string, Semantics, object][] = [
    ['BT', bit.bitTestOnly, {}],
    ['BTS', bit.bitTestSet, LOCK],
    ['BTR', bit.bitTestReset, LOCK],
    ['BTC', bit.bitTestComplement, LOCK],
  ];
  tests.forEach(([name, semantics, lock], index) => {
    twoByte[0xa3 + index * 8] = row(name, 'Ev Gv', name, semantics, { ...lock, warm: true });
  });
  const immediates = tests.map(([name, semantics, lock]) => row(name, 'Ev Ib', name, semantics, { ...lock, warm: true }));
  twoByte[0xba] = [null, null, null, null, ...immediates];
  twoByte[0xbc] = row('BSF', 'Gv Ev', 'BSF', bit.scanForward);
  twoByte[0xbd] = row('BSR', 'Gv Ev', 'BSR', bit.scanReverse);
}

function defineBranches(): void {
  CONDITIONS.forEach((condition, code) => {
    const name = `J${condition}`;
    oneByte[0x70 + code] = row(name, 'Jb', name, branch.jumpConditional(code), ALWAYS_64);
    twoByte[0x80 + code] = row(name, 'Jz', name, branch.jumpConditional(code), ALWAYS_64);
  });
  oneByte[0xe8] = row('CALL', 'Jz', 'CALL', branch.callRelative, { ...END, ...ALWAYS_64 });
  oneByte[0xe9] = row('JMP', 'Jz', 'JMP', branch.jumpRelative, { ...END, ...ALWAYS_64 });
  oneByte[0xeb] = row('JMP', 'Jb', 'JMP', branch.jumpRelative, { ...END, ...ALWAYS_64 });
  oneByte[0xc2] = row('RET', 'Iw', 'RETI', branch.returnNear, { ...END, ...ALWAYS_64 });
  oneByte[0xc3] = row('RET', 'Xv', 'RET', branch.returnNear, { ...END, ...ALWAYS_64 });
  oneByte[0xe0] = loopEntry('LOOPNE', (size) => branch.loopWhile(size, 0));
  oneByte[0xe1] = loopEntry('LOOPE', (size) => branch.loopWhile(size, 1));
  oneByte[0xe2] = loopEntry('LOOP', branch.loop);
  oneByte[0xe3] = loopEntry('JCXZ', branch.jumpCounterZero);
  oneByte[0xff] = [
    row('INC', 'Ev', 'INC', arithmetic.increment, LOCK),
    row('DEC', 'Ev', 'DEC', arithmetic.decrement, LOCK),
    row('CALL', 'Ev', 'CALLI', branch.callIndirect, { ...END, ...ALWAYS_64 }),
    helper('CALLF', 'M', 'callFarIndirect', { ...END, sensitive: 'behaviour' }),
    row('JMP', 'Ev', 'JMPI', branch.jumpIndirect, { ...END, ...ALWAYS_64 }),
    helper('JMPF', 'M', 'jumpFarIndirect', { ...END, sensitive: 'behaviour' }),
    row('PUSH', 'Ev', 'PUSH', move.push, DEFAULT_64),
    null,
  ];
}

/** The counter's width is the address size: rows for 16 and 64 bits by the 32-bit row; the decoder chooses. */
const loops = new Map<Row, Readonly<Record<16 | 64, Row>>>();
function loopEntry(name: string, semantics: (size: 16 | 32 | 64) => Semantics): Row {
  const sized = (size: 16 | 32 | 64): Row => row(name, 'Jb', `${name}${size}`, semantics(size), ALWAYS_64);
  const made = sized(32);
  loops.set(made, { 16: sized(16), 64: sized(64) });
  return made;
}
/** The row for an address size of an instruction whose counter follows it. */
export const countedBy = (given: Row, addressSize: 16 | 32 | 64): Row =>
  addressSize === 32 ? given : (loops.get(given)?.[addressSize] ?? given);
export const countedRows = (): Iterable<Row> => [...loops.values()].flatMap((sizes) => [sizes[16], sizes[64]]);

function defineFarTransfers(): void {
  const transfer = { ...END, sensitive: 'behaviour' } as const;
  oneByte[0x9a] = helper('CALLF', 'Ap', 'callFar', { ...transfer, ...NOT_64 });
  oneByte[0xea] = helper('JMPF', 'Ap', 'jumpFar', { ...transfer, ...NOT_64 });
  oneByte[0xca] = helper('RETF', 'Iw', 'returnFar', transfer);
  oneByte[0xcb] = helper('RETF', 'Xv', 'returnFar', transfer);
  oneByte[0xcc] = helper('INT3', '', 'breakpoint', END);
  oneByte[0xcd] = helper('INT', 'Ib', 'softwareInterrupt', transfer);
  oneByte[0xce] = helper('INTO', '', 'interruptOnOverflow', NOT_64);
  oneByte[0xcf] = helper('IRET', 'Xv', 'interruptReturn', { ...END, sensitive: 'control' });
  oneByte[0xf1] = helper('ICEBP', '', 'icebp', END);
  oneByte[0x62] = helper('BOUND', 'Gv M', 'bound', NOT_64);
  oneByte[0xc4] = helper('LES', 'Gv M', 'loadFarPointer0', { sensitive: 'behaviour', ...NOT_64 });
  oneByte[0xc5] = helper('LDS', 'Gv M', 'loadFarPointer3', { sensitive: 'behaviour', ...NOT_64 });
  twoByte[0xb2] = helper('LSS', 'Gv M', 'loadFarPointer2', { sensitive: 'behaviour' });
  twoByte[0xb4] = helper('LFS', 'Gv M', 'loadFarPointer4', { sensitive: 'behaviour' });
  twoByte[0xb5] = helper('LGS', 'Gv M', 'loadFarPointer5', { sensitive: 'behaviour' });
  twoByte[0x05] = helper('SYSCALL', '', 'syscall', { ...END, feature: 'SYSCALL' });
  twoByte[0x07] = helper('SYSRET', 'Xv', 'sysret', { ...END, privileged: true, feature: 'SYSCALL' });
  twoByte[0x34] = helper('SYSENTER', '', 'sysenter', { ...END, feature: 'SEP' });
  twoByte[0x35] = helper('SYSEXIT', 'Xv', 'sysexit', { ...END, privileged: true, feature: 'SEP' });
}

/** Exchanges GS.base with IA32_KERNEL_GS_BASE: 64-bit mode only (SDM 2B SWAPGS). */
const swapGs = helper('SWAPGS', '', 'swapGs', { sensitive: 'control', privileged: true, feature: 'LM', ...END });

function defineSystem(): void {
  const control = { sensitive: 'control', privileged: true } as const;
  const behaviour = { sensitive: 'behaviour' } as const;
  oneByte[0x63] = helper('ARPL', 'Ew Gw', 'adjustRpl', behaviour);
  oneByte[0x9b] = helper('WAIT', '', 'wait');
  oneByte[0xf4] = helper('HLT', '', 'halt', control);
  oneByte[0xf5] = row('CMC', '', 'CMC', move.changeCarry('complement'));
  oneByte[0xf8] = row('CLC', '', 'CLC', move.changeCarry(0));
  oneByte[0xf9] = row('STC', '', 'STC', move.changeCarry(1));
  oneByte[0xfa] = row('CLI', '', 'CLI', move.clearInterruptFlag, { sensitive: 'control', privileged: true });
  oneByte[0xfb] = helper('STI', '', 'setInterruptFlag', control);
  oneByte[0xfc] = row('CLD', '', 'CLD', move.changeDirection(0));
  oneByte[0xfd] = row('STD', '', 'STD', move.changeDirection(1));
  const io = { sensitive: 'control', privileged: true } as const;
  oneByte[0xe4] = helper('IN', 'bAL Ib', 'inImmediate', io);
  oneByte[0xe5] = helper('IN', 'bAX Ib', 'inImmediate', io);
  oneByte[0xe6] = helper('OUT', 'bAL Ib', 'outImmediate', io);
  oneByte[0xe7] = helper('OUT', 'bAX Ib', 'outImmediate', io);
  oneByte[0xec] = helper('IN', 'bAL', 'inDx', io);
  oneByte[0xed] = helper('IN', 'bAX', 'inDx', io);
  oneByte[0xee] = helper('OUT', 'bAL', 'outDx', io);
  oneByte[0xef] = helper('OUT', 'bAX', 'outDx', io);
  twoByte[0x00] = [
    helper('SLDT', 'Ev', 'storeLdtr', behaviour),
    helper('STR', 'Ev', 'storeTr', behaviour),
    helper('LLDT', 'Ew', 'loadLdtr', control),
    helper('LTR', 'Ew', 'loadTr', control),
    helper('VERR', 'Ew', 'verifyRead', behaviour),
    helper('VERW', 'Ew', 'verifyWrite', behaviour),
    null,
    null,
  ];
  const group7: (Row | null)[] = [
    helper('SGDT', 'M', 'storeGdtr', behaviour),
    helper('SIDT', 'M', 'storeIdtr', behaviour),
    helper('LGDT', 'M', 'loadGdtr', control),
    helper('LIDT', 'M', 'loadIdtr', control),
    helper('SMSW', 'Ev', 'storeMachineStatus', behaviour),
    null,
    helper('LMSW', 'Ew', 'loadMachineStatus', control),
    helper('INVLPG', 'M', 'invalidatePage', control),
  ];
  // SMSW and LMSW take registers; the other memory forms do not.
  const byModRm: Readonly<Record<number, Row>> = {
    0xca: helper('CLAC', '', 'clearAccessCheck', { ...control, feature: 'SMAP' }),
    0xcb: helper('STAC', '', 'setAccessCheck', { ...control, feature: 'SMAP' }),
    0xd0: helper('XGETBV', '', 'readExtendedControl', { feature: 'XSAVE' }),
    0xd1: helper('XSETBV', '', 'writeExtendedControl', { ...control, feature: 'XSAVE' }),
    0xf8: swapGs,
    0xf9: helper('RDTSCP', '', 'readTimestampAndProcessor', { ...behaviour, feature: 'RDTSCP' }),
  };
  twoByte[0x01] = choice((modRm) => byModRm[modRm] ?? (modRm < 0xc0 || ((modRm >> 3) & 5) === 4 ? group7[(modRm >> 3) & 7] : null), [
    ...group7, ...Object.values(byModRm),
  ]);
  twoByte[0x02] = helper('LAR', 'Gv Ew', 'loadAccessRights', behaviour);
  twoByte[0x03] = helper('LSL', 'Gv Ew', 'loadSegmentLimit', behaviour);
  twoByte[0x06] = helper('CLTS', '', 'clearTaskSwitched', control);
  twoByte[0x08] = helper('INVD', '', 'invalidateCaches', control);
  twoByte[0x09] = helper('WBINVD', '', 'invalidateCaches', control);
  twoByte[0x0b] = helper('UD2', '', 'undefined', END);
  twoByte[0xb9] = helper('UD1', 'Gv Ev', 'undefined', END);
  twoByte[0xff] = helper('UD0', 'Gv Ev', 'undefined', END);
  twoByte[0x20] = helper('MOV', 'Rd Gd', 'moveFromControl', control);
  twoByte[0x21] = helper('MOV', 'Rd Gd', 'moveFromDebug', control);
  twoByte[0x22] = helper('MOV', 'Rd Gd', 'moveToControl', { ...control, ends: true });
  twoByte[0x23] = helper('MOV', 'Rd Gd', 'moveToDebug', control);
  twoByte[0x30] = helper('WRMSR', '', 'writeMsr', { ...control, feature: 'MSR' });
  twoByte[0x31] = helper('RDTSC', '', 'readTimestamp', { ...behaviour, feature: 'TSC' });
  twoByte[0x32] = helper('RDMSR', '', 'readMsr', { ...control, feature: 'MSR' });
  twoByte[0x33] = helper('RDPMC', '', 'readPerformanceCounter', { sensitive: 'behaviour', ...PENTIUM_PRO });
  const segmentBases = [
    helper('RDFSBASE', 'Ey', 'readSegmentBase4', { feature: 'FSGSBASE' }),
    helper('RDGSBASE', 'Ey', 'readSegmentBase5', { feature: 'FSGSBASE' }),
    helper('WRFSBASE', 'Ey', 'writeSegmentBase4', { feature: 'FSGSBASE' }),
    helper('WRGSBASE', 'Ey', 'writeSegmentBase5', { feature: 'FSGSBASE' }),
  ];
  map38[0x82] = { none: null, p66: helper('INVPCID', 'Gy M', 'invalidateContext', { ...control, feature: 'INVPCID' }), f3: null, f2: null };
  twoByte[0xa2] = helper('CPUID', '', 'cpuid', behaviour);
  twoByte[0xae] = {
    none: [
      helper('FXSAVE', 'M', 'fxsave', { feature: 'FXSR' }),
      helper('FXRSTOR', 'M', 'fxrstor', { feature: 'FXSR' }),
      null, null, null, null, null, null,
    ],
    f3: choice((modRm) => (modRm >= 0xc0 && modRm < 0xe0 ? segmentBases[(modRm >> 3) & 3] : null), segmentBases),
  };
}

defineAlu();
defineShifts();
defineMoves();
defineStack();
defineArithmetic();
defineBits();
defineBranches();
defineFarTransfers();
defineSystem();
for (const [opcode, entry] of stringRows) oneByte[opcode] = entry;
for (let opcode = 0xd8; opcode <= 0xdf; opcode++) oneByte[opcode] = choice((modRm) => x87Row(opcode, modRm), [...x87Rows(opcode)]);
defineVectorRows({ twoByte, map38, map3A, vex38, vex3A });

/** One-byte opcodes in 64-bit mode where they differ by more than `in64` says. */
export const oneByte64: Entry[] = [...oneByte];
defineWide();

/** CLI as a visible exit, for machines whose policy wants one. */
export const visibleCliRow: Row = helper('CLI', '', 'clearInterruptFlag', { sensitive: 'control', privileged: true });

function defineWide(): void {
  oneByte64.fill(null, 0x40, 0x50);
  oneByte64[0x63] = row('MOVSXD', 'Gv Ed', 'MOVSX', move.moveSignExtended);
  oneByte64[0x82] = null;
  oneByte64[0xa0] = helper('MOV', 'aAL Ob', 'loadAbsolute');
  oneByte64[0xa1] = helper('MOV', 'aAX Ov', 'loadAbsolute');
  oneByte64[0xa2] = helper('MOV', 'Ob aAL', 'storeAbsolute');
  oneByte64[0xa3] = helper('MOV', 'Ov aAX', 'storeAbsolute');
}

/** MOV r64, imm64: under REX.W in place of B8..BF. */
export const moveWideImmediate = row('MOV', 'Zv Iq', 'MOV_IQ', move.moveWideImmediate);
/** 90 under REX.B is no NOP (SDM 2B XCHG). */
/** MOVSXD of 16 bits reads no more than a word (SDM 2B MOVSXD). */
export const moveWord = row('MOVSXD', 'Gv Ev', 'MOV', move.move);
export const exchangeR8 = row('XCHG', 'Zv aAX', 'XCHG', move.exchange);

/** What stands in for every opcode that is not defined. */
export const undefinedRow: Row = helper('(undefined)', '', 'undefined', END);
/** An instruction of more than 15 bytes: #GP(0) (SDM 2A 2.3.11). */
export const tooLongRow: Row = helper('(too long)', '', 'tooLong', END);
