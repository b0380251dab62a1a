// Disassembly through iced-x86: text, labels, targets, instructions before an address, operand notes, Popek-Goldberg marks.
import { describe, expect, it } from 'vitest';
import { classifyInstruction } from '../../../core/debugger/classifyInstruction.ts';
import { disassemble, type DisassemblyView } from '../../../core/debugger/disassembly.ts';
import { SymbolTable } from '../../../core/debugger/symbols/symbolTable.ts';
import { createIcedDisassembler } from '../../../src-main/vm-host/icedDisassembler.ts';
import { fakeTarget, type FakeMachine } from './fakeTarget.ts';

const disassembler = createIcedDisassembler();
const CODE = [
  0x55, // 1000 trap: push ebp
  0x89, 0xe5, // mov ebp,esp
  0x8b, 0x45, 0x08, // 1003 mov eax,[ebp+8]
  0x83, 0xf8, 0x40, // 1006 cmp eax,40h
  0x75, 0x05, // 1009 jne 1010
  0xe8, 0xf0, 0xff, 0xff, 0xff, // 100b call trap
  0x0f, 0x01, 0x15, 0x00, 0x20, 0x00, 0x00, // 1010 lgdt [2000h]
  0x9c, // 1017 pushf
  0xf4, // 1018 hlt
  0xc9, // 1019 leave
  0xc3, // 101a ret
];
const symbols = new SymbolTable();
symbols.load('System.map', new TextEncoder().encode('00001000 T trap\n0000101b T next\n00002000 D gdt\n'), 0n);

const view = (target: FakeMachine, table: SymbolTable = symbols): DisassemblyView => ({ target, symbols: table, disassembler, breakpoint: () => null });
const machine = (registers: Record<string, number> = {}): FakeMachine => {
  const target = fakeTarget({ registers: { eip: 0x1003, 'cs.base': 0, 'ss.base': 0, 'ds.base': 0, ebp: 0x5000, esp: 0x4ff0, eflags: 0x246, eax: 0x40, ...registers } });
  target.put(0x1000n, CODE);
  target.put32(0x4ff0n, 0x100b, 0, 0, 0, 0x4ff8, 0x1010, 0x40);
  return target;
};
const text = (line: { parts: readonly { text: string }[] }): string => line.parts.map((part) => part.text).join('');

describe('disassembly', () => {
  it('shows text, labels, bytes, targets and the current line', () => {
    const lines = disassemble(view(machine()), 0x1000n, 0, 11);
    expect(lines.map(text)).toEqual([
      'push ebp', 'mov ebp,esp', 'mov eax,[ebp+8]', 'cmp eax,40h', 'jne trap+10h', 'call trap', 'lgdt [gdt]', 'pushf', 'hlt', 'leave', 'ret',
    ]);
    expect(lines[0]).toMatchObject({ address: '1000', label: 'trap', current: false, bytes: Uint8Array.of(0x55) });
    expect(lines[2]).toMatchObject({ current: true, note: '[5008] = 40' });
    expect(lines[4].target).toEqual({ address: '1010', symbol: 'trap+10h', source: null });
    expect(lines.map(({ sensitive }) => sensitive)).toEqual([null, null, null, null, null, null, 'control', 'behaviour', 'control', null, null]);
    expect(lines.map(({ privileged }) => privileged)).toEqual([false, false, false, false, false, false, true, false, true, false, false]);
    expect(lines[2].parts.map(({ kind }) => kind)).toEqual(['mnemonic', 'text', 'register', 'punctuation', 'punctuation', 'register', 'punctuation', 'number', 'punctuation']);
  });

  it.each([
    [0x1006, {}, 'eax = 40h'], [0x1009, {}, 'ZF=1: not taken'], [0x1009, { eflags: 0x202 }, 'ZF=0: taken'], [0x101a, {}, 'to 100b (trap+bh)'], [0x1010, {}, '[2000] is not mapped'],
  ])('notes at %s', (eip, registers, note) => {
    const target = machine({ ...registers, eip });
    expect(disassemble(view(target), BigInt(eip), 0, 1)[0].note).toBe(note);
  });

  it('finds the instructions before an address from the nearest symbol', () => {
    const lines = disassemble(view(machine()), 0x1010n, 3, 1);
    expect(lines.map(({ address }) => address)).toEqual(['1006', '1009', '100b', '1010']);
    expect(disassemble(view(machine()), 0x1010n, 100, 1).map(({ address }) => address)).toEqual(['1000', '1001', '1003', '1006', '1009', '100b', '1010']);
  });

  it('finds them without symbols by decoding until it synchronises', () => {
    const lines = disassemble(view(machine(), new SymbolTable()), 0x1018n, 4, 1);
    expect(lines.map(({ address }) => address)).toEqual(['1009', '100b', '1010', '1017', '1018']);
  });

  it('shows unmapped memory as one line a page and bad bytes as such', () => {
    const lines = disassemble(view(machine()), 0x7ff0n, 0, 3);
    expect(lines.map(({ address, bytes }) => [address, bytes])).toEqual([['7ff0', null], ['8000', null], ['9000', null]]);
    const target = machine();
    target.put(0x6ffen, [0xff, 0xff]);
    expect(disassemble(view(target), 0x6ffen, 0, 1)[0].parts).toEqual([{ text: '(bad)', kind: 'text' }]);
  });

  it('wraps 16-bit code in its segment', () => {
    const target = fakeTarget({ bits: 16, registers: { 'cs.base': 0xf0000, eip: 0xfffe, ip: 0xfffe } });
    target.put(0xffffen, [0xeb, 0x10]);
    target.put(0xfff0n, []);
    const [line] = disassemble(view(target, new SymbolTable()), 0xffffen, 0, 1);
    expect(text(line)).toBe('jmp 10h');
    expect(line.target?.address).toBe('f0010');
    expect(line.current).toBe(true);
  });

  it('decodes 64-bit code', () => {
    const target = fakeTarget({ bits: 64, registers: { rip: 0x1000 } });
    target.put(0x1000n, [0x48, 0x8b, 0x05, 0xf9, 0x0f, 0x00, 0x00, 0x0f, 0x05, 0x0f, 0x01, 0xf8]);
    expect(disassemble(view(target), 0x1000n, 0, 3).map(text)).toEqual(['mov rax,[rel gdt]', 'syscall', 'swapgs']);
  });
});

describe('the disassembler port', () => {
  const decode = (bytes: number[], bits: 16 | 32 | 64 = 32) => disassembler.decode(Uint8Array.from(bytes), 0x1000n, bits, () => null);
  it.each([
    [[0xe8, 0, 0, 0, 0], 'call'], [[0xeb, 0], 'branch'], [[0x74, 0], 'conditional'], [[0xff, 0xe0], 'indirect'], [[0xff, 0xd0], 'indirect-call'], [[0xc3], 'return'],
    [[0xcf], 'return'], [[0xcd, 0x80], 'interrupt'], [[0x90], 'next'], [[0xff, 0xff], 'invalid'], [[0xe2, 0], 'conditional'], [[], 'invalid'],
  ] as const)('flow of %j', (bytes, flow) => expect(decode([...bytes]).flow).toBe(flow));

  it('names registers and memory operands', () => {
    expect(decode([0x89, 0x44, 0x8b, 0xfc])).toMatchObject({
      length: 4, registersRead: ['ds', 'ebx', 'ecx', 'eax'], registersWritten: [],
      memory: [{ segment: 'ds', base: 'ebx', index: 'ecx', scale: 4, displacement: -4n, size: 4, write: true }],
    });
    expect(decode([0x8d, 0x45, 0xf0]).memory).toEqual([{ segment: 'ss', base: 'ebp', index: null, scale: 1, displacement: -16n, size: 0, write: false }]);
    expect(decode([0xf3, 0xa5]).parts.map(({ text, kind }) => [text, kind])).toEqual([['rep', 'prefix'], [' ', 'text'], ['movsd', 'mnemonic']]);
    expect(decode([0x26, 0x8a, 0x07], 16).memory[0]).toMatchObject({ segment: 'es', base: 'bx', size: 1 });
  });
});

describe('marks', () => {
  it.each([
    [[0x0f, 0x22, 0xc0], 32, 'control', true], [[0x66, 0x9d], 32, 'control', false], [[0x0f, 0x01, 0xe0], 32, 'behaviour', false], [[0xe6, 0x80], 16, 'control', true],
    [[0x48, 0xcf], 64, 'control', false], [[0x0f, 0x01, 0xf8], 64, 'control', true],
  ] as const)('%j in %i-bit code', (bytes, bits, sensitive, privileged) => {
    expect(classifyInstruction(Uint8Array.from(bytes), bits)).toMatchObject({ sensitive, privileged });
  });
  it('finds nothing in innocuous ones', () => {
    for (const bytes of [[0x90], [0x01, 0xd8], [0x0f, 0xaf, 0xc3], [], [0x0f]]) expect(classifyInstruction(Uint8Array.from(bytes), 32)).toBeNull();
    expect(classifyInstruction(Uint8Array.of(0x63, 0xc0), 64)).toBeNull();
  });
});
