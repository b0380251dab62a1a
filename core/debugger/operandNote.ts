// What the operands of the current instruction hold and where it will go, in words: `ZF=1: taken`, `[8dffefa0] = 40h`.
import type { InstructionText } from '../host/disassembler.ts';
import { littleEndian } from './littleEndian.ts';
import type { DebugTarget, SymbolSource } from './target.ts';

/** An address this far above the stack pointer is called stack. */
const STACK_REACH = 0x4000n;
const MAX_REGISTERS = 3;
const ADDRESS_REGISTERS = /^([er]?sp|[er]?ip|[cdefgs]s|[er]?flags)$/;
const STACK_USERS = /^(push|pop|call|ret|leave|enter)/;

export function operandNote(text: InstructionText, target: DebugTarget, symbols: SymbolSource, bits: 16 | 32 | 64): string {
  const notes = [branchNote(text, target), returnNote(text, target, symbols, bits), ...memoryNotes(text, target, symbols, bits), ...registerNotes(text, target)];
  return notes.filter((note) => note !== '').join(', ');
}

const hex = (value: bigint): string => (value < 10n ? value.toString() : `${value.toString(16)}h`);

/** SDM 1 table B-1 by the mnemonic's condition. */
const CONDITIONS: Readonly<Record<string, readonly [flags: string, holds: (flag: (name: string) => boolean) => boolean]>> = {
  o: ['OF', (f) => f('of')], no: ['OF', (f) => !f('of')],
  b: ['CF', (f) => f('cf')], c: ['CF', (f) => f('cf')], nae: ['CF', (f) => f('cf')],
  ae: ['CF', (f) => !f('cf')], nb: ['CF', (f) => !f('cf')], nc: ['CF', (f) => !f('cf')],
  e: ['ZF', (f) => f('zf')], z: ['ZF', (f) => f('zf')], ne: ['ZF', (f) => !f('zf')], nz: ['ZF', (f) => !f('zf')],
  be: ['CF ZF', (f) => f('cf') || f('zf')], na: ['CF ZF', (f) => f('cf') || f('zf')],
  a: ['CF ZF', (f) => !f('cf') && !f('zf')], nbe: ['CF ZF', (f) => !f('cf') && !f('zf')],
  s: ['SF', (f) => f('sf')], ns: ['SF', (f) => !f('sf')],
  p: ['PF', (f) => f('pf')], pe: ['PF', (f) => f('pf')], np: ['PF', (f) => !f('pf')], po: ['PF', (f) => !f('pf')],
  l: ['SF OF', (f) => f('sf') !== f('of')], nge: ['SF OF', (f) => f('sf') !== f('of')],
  ge: ['SF OF', (f) => f('sf') === f('of')], nl: ['SF OF', (f) => f('sf') === f('of')],
  le: ['ZF SF OF', (f) => f('zf') || f('sf') !== f('of')], ng: ['ZF SF OF', (f) => f('zf') || f('sf') !== f('of')],
  g: ['ZF SF OF', (f) => !f('zf') && f('sf') === f('of')], nle: ['ZF SF OF', (f) => !f('zf') && f('sf') === f('of')],
};
const FLAG_BITS: Readonly<Record<string, bigint>> = { cf: 0n, pf: 2n, zf: 6n, sf: 7n, of: 11n };

function branchNote(text: InstructionText, target: DebugTarget): string {
  const flags = target.registers.get('eflags') ?? 0n;
  const flag = (name: string): boolean => ((flags >> FLAG_BITS[name]) & 1n) !== 0n;
  const shown = (names: string): string => names.split(' ').map((name) => `${name}=${flag(name.toLowerCase()) ? 1 : 0}`).join(' ');
  const mnemonic = text.mnemonic.toLowerCase();
  const counter = /^j([er]?cx)z$/.exec(mnemonic)?.[1];
  if (counter !== undefined) {
    const value = target.registers.get(counter) ?? 0n;
    return `${counter}=${hex(value)}: ${value === 0n ? 'taken' : 'not taken'}`;
  }
  if (mnemonic.startsWith('loop')) return loopNote(text, target, mnemonic, flag);
  const match = /^(j|set|cmov)([a-z]+)$/.exec(mnemonic);
  const condition = match === null ? undefined : CONDITIONS[match[2]];
  if (match === null || condition === undefined || (match[1] === 'j' && text.flow !== 'conditional')) return '';
  const holds = condition[1](flag);
  const words = match[1] === 'j' ? ['taken', 'not taken'] : match[1] === 'set' ? ['1', '0'] : ['moves', 'does not move'];
  return `${shown(condition[0])}: ${holds ? words[0] : words[1]}`;
}

function loopNote(text: InstructionText, target: DebugTarget, mnemonic: string, flag: (name: string) => boolean): string {
  const counter = text.registersRead.find((name) => /^[er]?cx$/.test(name)) ?? 'ecx';
  const value = target.registers.get(counter) ?? 0n;
  const goes = value !== 1n && (mnemonic === 'loop' || flag('zf') === /^loop(e|z)$/.test(mnemonic));
  return `${counter}=${hex(value)}: ${goes ? 'taken' : 'not taken'}`;
}

/** Where RET goes. */
function returnNote(text: InstructionText, target: DebugTarget, symbols: SymbolSource, bits: 16 | 32 | 64): string {
  if (text.flow !== 'return' || !text.mnemonic.startsWith('ret')) return '';
  const { registers, memory } = target;
  const size = bits / 8;
  const stack = (registers.get('ss.base') ?? 0n) + (registers.get(bits === 64 ? 'rsp' : bits === 32 ? 'esp' : 'sp') ?? 0n);
  const bytes = memory.read('linear', stack, size);
  if (bytes === null) return `[${stack.toString(16)}] is not mapped`;
  const offset = littleEndian(bytes);
  const address = bits === 64 || text.mnemonic === 'retf' ? offset : BigInt.asUintN(32, offset + (registers.get('cs.base') ?? 0n));
  return `to ${offset.toString(16)}${named(symbols, address)}`;
}

function named(symbols: SymbolSource, address: bigint): string {
  const nearest = symbols.nearest(address);
  if (nearest === null) return '';
  return ` (${nearest.name}${nearest.offset === 0n ? '' : `+${nearest.offset.toString(16)}h`})`;
}

/** The stack, a symbol, or nothing to say. */
function meaning(value: bigint, target: DebugTarget, symbols: SymbolSource): string {
  const stack = (target.registers.get('ss.base') ?? 0n) + (target.registers.get(target.mode().bits === 64 ? 'rsp' : 'esp') ?? 0n);
  if (value >= stack - 0x100n && value < stack + STACK_REACH && value > 0x100n) return ' (stack)';
  return value < 0x100n ? '' : named(symbols, value);
}

function memoryNotes(text: InstructionText, target: DebugTarget, symbols: SymbolSource, bits: 16 | 32 | 64): string[] {
  const notes: string[] = [];
  for (const operand of text.memory) {
    const stack = operand.base !== null && /^[er]?sp$/.test(operand.base);
    if (stack && STACK_USERS.test(text.mnemonic) && operand.displacement <= 0n && operand.index === null) continue;
    if (text.flow === 'return') continue;
    const address = linearAddress(operand, target, bits);
    if (address === null) continue;
    const place = `[${address.toString(16)}]`;
    if (operand.size === 0) {
      notes.push(`address ${address.toString(16)}${meaning(address, target, symbols)}`);
      continue;
    }
    const bytes = operand.size > 16 ? null : target.memory.read('linear', address, operand.size);
    if (operand.size > 16) continue;
    if (bytes === null) notes.push(`${place} is not mapped`);
    else {
      const value = littleEndian(bytes);
      notes.push(`${place} = ${operand.size >= 4 ? `${value.toString(16)}${meaning(value, target, symbols)}` : hex(value)}`);
    }
  }
  return [...new Set(notes)];
}

function linearAddress(operand: InstructionText['memory'][number], target: DebugTarget, bits: 16 | 32 | 64): bigint | null {
  const read = (name: string | null): bigint | undefined => (name === null ? 0n : target.registers.get(name));
  const base = read(operand.base), index = read(operand.index);
  if (base === undefined || index === undefined) return null;
  // The address size shows in the registers: [bx+si] wraps at 64 KiB.
  const register = operand.base ?? operand.index;
  const width = register === null ? bits : register.startsWith('r') ? 64 : register.startsWith('e') ? 32 : 16;
  const offset = BigInt.asUintN(width, base + index * BigInt(operand.scale) + operand.displacement);
  const flat = bits === 64 && !/^[fg]s$/.test(operand.segment);
  const segment = flat ? 0n : (target.registers.get(`${operand.segment}.base`) ?? 0n);
  return BigInt.asUintN(bits === 64 ? 64 : 32, segment + offset);
}

/** Registers that are read as values, not as parts of an address. */
function registerNotes(text: InstructionText, target: DebugTarget): string[] {
  if (text.flow === 'conditional' || /^j|^call|^ret|^loop|^nop/.test(text.mnemonic)) return [];
  const inAddress = new Set(text.memory.flatMap(({ base, index }) => [base, index]));
  return text.registersRead
    .filter((name) => !ADDRESS_REGISTERS.test(name) && !inAddress.has(name))
    .slice(0, MAX_REGISTERS)
    .flatMap((name) => {
      const value = target.registers.get(name);
      return value === undefined ? [] : [`${name} = ${hex(value)}`];
    });
}
