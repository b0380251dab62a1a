// What the views show of a CPU: registers by field, page tables, descriptor tables, devices, memory searches.
import { expect, test } from 'vitest';
import type { Device } from '../../../core/bus/device.ts';
import { CS, DS, ES, FIELD, LDTR, SS, TR } from '../../../core/cpu/state/layout.ts';
import { descriptorTable, taskState } from '../../../core/debugger/descriptorTables.ts';
import { deviceStates, stateTree } from '../../../core/debugger/deviceState.ts';
import { compilePattern, MemorySearch, type SearchPiece } from '../../../core/debugger/memorySearch.ts';
import { extendedText } from '../../../core/debugger/numberText.ts';
import { addressSpace, pageWalk, tlbEntries } from '../../../core/debugger/pageWalk.ts';
import { physicalRanges } from '../../../core/debugger/physicalMap.ts';
import { registerView } from '../../../core/debugger/registerView.ts';
import {
  addressRangeSchema, debugMethods, descriptorTableSchema, pageWalkSchema, physicalRangeSchema, tlbEntrySchema, type MemoryPattern, type StateNode,
} from '../../../core/api/debug.ts';
import { z } from 'zod';
import { runProgram } from '../../system/systemHarness.ts';
import { PhysicalMap } from '../../../core/mmu/physicalMap.ts';
import { CpuTarget } from '../../../core/debugger/cpuTarget.ts';
import { DIRECTORY, flatMode, GDT, IDT, pagedMode, realMode, snapshot, TABLE } from './cpuFixture.ts';

const noSymbol = (): null => null;
const named = (name: string, address: bigint) => (at: bigint): string | null => (at >= address && at < address + 0x100n ? `${name}+${(at - address).toString(16)}h` : null);

const device = (id: string, state: unknown): Device => ({ id, state: { version: 1, save: () => state, restore: () => {} }, reset: () => {} });
const pic = (id: string, base: number, change: object): Device =>
  device(id, { lines: 0, edges: 0, imr: 0xff, isr: 0, elcr: 0, base, ...change });

test('registers are decoded by field and fit the contract', () => {
  const fixture = pagedMode();
  const { cpu, target } = fixture;
  cpu.eflags = 0x3246;
  cpu.setReg32(3, 0x2010);
  cpu.setReg32(4, 0x7000);
  cpu.setReg32(6, 0x7010);
  target.registers.set('dr7', 0x00020403n);
  target.registers.set('st0', 0x4000c90fdaa22168c235n);
  const pics = [pic('pic0', 0x20, { edges: 1, imr: 0xfe, isr: 4 }), device('other', { imr: 1 }), pic('pic1', 0x28, { lines: 0x20, elcr: 0x20, imr: 0 })];
  const before = snapshot(fixture);
  const view = registerView(target, pics, named('table', 0x2000n));
  expect(snapshot(fixture)).toBe(before);
  expect(debugMethods['debug.registers'].response.parse(view)).toEqual(view);
  expect(view.groups.map(({ id }) => id)).toEqual(['general', 'flags', 'control', 'segments', 'tables', 'debug', 'x87', 'sse', 'msr', 'interrupts']);
  const register = (name: string) => view.groups.flatMap((group) => group.registers).find((one) => one.name === name)!;
  expect(register('ebx').note).toBe('table+10h');
  expect(register('esi').note).toBe('stack');
  expect(register('eflags').note).toBe('PF ZF IF');
  expect(register('eflags').fields.find(({ name }) => name === 'IOPL')).toMatchObject({ bits: '13:12', value: '3', meaning: expect.stringContaining('ring 0 to 3') });
  expect(register('cr0').fields.find(({ name }) => name === 'PG')!.meaning).toBe('Paging on');
  expect(register('dr7').fields.find(({ name }) => name === 'R/W0')!.meaning).toBe('breakpoint 0: on I/O');
  expect(register('st0').note).toBe('3.141592653589793239');
  expect(register('pic0.irr')).toMatchObject({ value: '01', note: 'IRQ0', editable: false });
  expect(register('pic0.isr').note).toBe('IRQ2');
  expect(register('pic1.irr').note).toBe('IRQ13');
  expect(register('pic1.base').note).toBe('vectors 28h to 2fh');
  expect(view.segments.find(({ name }) => name === 'cs')).toEqual({
    name: 'cs', selector: '0008', base: '00000000', limit: 'ffffffff', type: '32-bit code, readable', privilege: 0, present: true,
  });
  // What is shown as editable can be set, but for reserved bits of its own value.
  for (const one of view.groups.flatMap((group) => group.registers)) {
    expect(one.value.length, one.name).toBe(Math.ceil(one.width / 4));
    if (one.editable && !['ldtr', 'tr'].includes(one.name)) expect(target.registers.set(one.name, BigInt(`0x${one.value}`)), one.name).toBe(true);
  }
});

test('x87 values in decimal', () => {
  const cases: [bigint, string][] = [
    [0n, '0'], [0x80000000000000000000n, '-0'], [0x3fff8000000000000000n, '1'], [0xbfff8000000000000000n, '-1'],
    [0x7fff8000000000000000n, 'infinity'], [0xffffc000000000000000n, 'indefinite'], [0x7fffa000000000000000n, 'signalling NaN'],
    [0x3fff0000000000000000n, 'unsupported'], [0x3ffecccccccccccccccdn, '0.8'], [0x400ec350000000000000n, '50000'],
    [0x1n, '3.645199531882474603e-4951'], [0x7ffeffffffffffffffffn, '1.189731495357231765e+4932'],
  ];
  for (const [value, text] of cases) expect(extendedText(value)).toBe(text);
  expect(extendedText(0x403ade0b6b3a76400000n)).toBe('1000000000000000000');
  expect(extendedText(0x3ff1d1b71758e219652cn)).toMatch(/^9\.99999999999999999\de-5$|^0\.0001$/);
});

test('a page walk explains each level, and the fold finds what the walk finds', () => {
  const fixture = pagedMode();
  const { target, write32 } = fixture;
  write32(TABLE + 5 * 4, 0x5005);
  write32(TABLE + 6 * 4, 0);
  write32(TABLE + 7 * 4, 0xb8000 | 7);
  write32(DIRECTORY + 8, 0xf0000007);
  const before = snapshot(fixture);
  const devices = [{ from: 0xb8000, length: 0x8000, name: 'VGA' }];
  const read = pageWalk(target, devices, 0x5123n);
  expect(pageWalkSchema.parse(read)).toEqual(read);
  expect(read).toMatchObject({ physical: '00005123', rights: 'user r-x', target: 'RAM', pageBytes: 4096, inTlb: false, problem: null });
  expect(read.levels.map(({ name, index, entryAddress }) => [name, index, entryAddress])).toEqual([['PDE', 0, '00001000'], ['PTE', 5, '00002014']]);
  expect(read.levels[1].bits.find(({ name }) => name === 'R/W')).toMatchObject({ set: false, meaning: 'read-only' });
  expect(pageWalk(target, devices, 0x6000n)).toMatchObject({ physical: null, problem: 'PTE 6 is not present', target: 'nothing' });
  expect(pageWalk(target, devices, 0x800000n).problem).toContain('is not in memory');
  expect(pageWalk(target, devices, 0x40000000n).problem).toBe('PDE 256 is not present');
  const space = addressSpace(target, noSymbol);
  expect(snapshot(fixture)).toBe(before);
  expect(z.array(addressRangeSchema).parse(space.ranges)).toEqual(space.ranges);
  expect(space.ranges).toEqual([
    { from: '00000000', to: '00004fff', physical: '00000000', rights: 'user rwx', pages: 5, symbol: null },
    { from: '00005000', to: '00005fff', physical: '00005000', rights: 'user r-x', pages: 1, symbol: null },
    { from: '00007000', to: '00007fff', physical: '000b8000', rights: 'user rwx', pages: 1, symbol: null },
    { from: '00008000', to: '003fffff', physical: '00008000', rights: 'user rwx', pages: 0x3f8, symbol: null },
  ]);
  fixture.cpu.translate(0x5123, 0);
  expect(pageWalk(target, devices, 0x5123n).inTlb).toBe(true);
  const tlb = tlbEntries(target);
  expect(z.array(tlbEntrySchema).parse(tlb)).toEqual(tlb);
  expect(tlb).toContainEqual({ linear: '00005000', physical: '00005000', privilege: 'supervisor', readable: true, writable: false, global: false, code: false });
});

test('a whole address space of single pages is folded fast, and hostile tables are cut', () => {
  const fixture = flatMode();
  const { cpu, target, write32 } = fixture;
  // One table that maps every other page, seen from all entries of the directory; and the directory as its own table.
  for (let index = 0; index < 1024; index++) {
    write32(TABLE + index * 4, ((index * 2) << 12) | 3);
    write32(DIRECTORY + index * 4, (index % 2 ? TABLE : DIRECTORY) | 7);
  }
  cpu.debugAccess.setControl(3, DIRECTORY);
  cpu.debugAccess.setControl(0, 0x80010011);
  const start = performance.now();
  const space = addressSpace(target, noSymbol, 5000);
  let pages = 0;
  target.pages.runs(0, 2 ** 32, (run) => (pages += run.length / 4096) > 0);
  expect(performance.now() - start).toBeLessThan(1000);
  expect(space.truncated).toBe(true);
  expect(space.ranges.length).toBe(5000);
  expect(pages).toBe(1 << 20);
});

test('without paging addresses are physical; A20 closed folds them', () => {
  const { cpu, target } = realMode();
  expect(pageWalk(target, [], 0x123456n)).toMatchObject({ paging: 'no paging', physical: '00123456', levels: [], rights: 'user rwx' });
  expect(addressSpace(target, noSymbol).ranges).toEqual([{ from: '00000000', to: 'ffffffff', physical: '00000000', rights: 'user rwx', pages: 1 << 20, symbol: null }]);
  cpu.setA20(false);
  expect(pageWalk(target, [], 0x123456n).physical).toBe('00023456');
  expect(addressSpace(target, noSymbol).ranges[1]).toMatchObject({ from: '00100000', physical: '00000000' });
});

test('PAE: pointers that changed after CR3 was loaded are told', () => {
  const fixture = flatMode();
  const { cpu, target, write32 } = fixture;
  write32(0x8000, 0x9001);
  write32(0x9000, 0x00200083);
  cpu.debugAccess.setControl(4, 0x20);
  cpu.debugAccess.setControl(3, 0x8000);
  cpu.debugAccess.setControl(0, 0x80000011);
  expect(pageWalk(target, [], 0x1234n)).toMatchObject({ physical: '00201234', pageBytes: 0x200000, problem: null, rights: 'supervisor rwx' });
  write32(0x8000, 0xa001);
  expect(pageWalk(target, [], 0x1234n).problem).toContain('changed after CR3 was loaded');
});

test('the GDT lists segments, system segments and gates', () => {
  const fixture = flatMode();
  const { cpu, target, write32 } = fixture;
  const put = (index: number, low: number, high: number): void => {
    write32(GDT + index * 8, low);
    write32(GDT + index * 8 + 4, high);
  };
  put(3, 0x60000067, 0x00008b00);
  put(4, 0x00081234, 0xc010ec03);
  const gdt = descriptorTable(target, 'gdt', named('entry', 0xc0101234n));
  expect(descriptorTableSchema.parse(gdt)).toEqual(gdt);
  expect(gdt.entries.map(({ index, type, target: to }) => [index, type, to])).toEqual([
    [0, 'null', null], [1, '32-bit code, readable', null], [2, '32-bit data, writable', null], [3, '32-bit TSS, busy', null],
    [4, '32-bit call gate', '0008:c0101234 entry+0h'],
  ]);
  expect(gdt.entries[4].flags).toContain('3 parameters');
  expect(descriptorTable(target, 'ldt', noSymbol)).toMatchObject({ entries: [], problem: expect.stringContaining('no LDT') });
  // An LDT of 4 GiB: no more than a selector can name.
  cpu.setSegment(LDTR, 0x30, 0, 0xffffffff, 0x8082);
  const ldt = descriptorTable(target, 'ldt', noSymbol);
  expect(ldt.problem).toContain('room for 536870912 entries, the CPU uses 8192');
  expect(ldt.entries.every(({ index }) => index < 8192)).toBe(true);
});

test('hostile IDTs: odd limits, unmapped memory, no gates', () => {
  const fixture = pagedMode();
  const { cpu, target, write32 } = fixture;
  write32(IDT, 0x00087c00);
  write32(IDT + 4, 0x00008e00);
  write32(IDT + 8, 0xffffffff);
  write32(IDT + 12, 0xffffffff);
  write32(IDT + 14 * 8, 0x00101234);
  write32(IDT + 14 * 8 + 4, 0xc010ef00);
  const full = descriptorTable(target, 'idt', noSymbol);
  expect(descriptorTableSchema.parse(full)).toEqual(full);
  expect(full.entries.map(({ index, type }) => [index, type])).toEqual([
    [0, '32-bit interrupt gate'], [1, expect.stringContaining('its use faults')], [14, '32-bit trap gate'],
  ]);
  expect(full.entries[2].flags).toContain('#PF');
  const limit = (value: number): ReturnType<typeof descriptorTable> => {
    cpu.set32(FIELD.idtrLimit, value);
    return descriptorTable(target, 'idt', noSymbol);
  };
  expect(limit(0)).toMatchObject({ entries: [], problem: 'the limit leaves room for no entry' });
  expect(limit(11).problem).toContain('cuts the last entry short (4 of 8 bytes)');
  expect(limit(0xffff).problem).toContain('the CPU uses 256');
  cpu.setWide(FIELD.idtrBase, 0xfffff000);
  expect(limit(0x7ff)).toMatchObject({ entries: [], problem: 'the table is not in memory' });
  cpu.setWide(FIELD.idtrBase, 0x3ffff8);
  expect(limit(0x7ff).problem).toContain('2040 bytes of the table are not in memory');
});

test('real mode shows the vector table', () => {
  const { target, write32 } = realMode();
  write32(0x10 * 4, 0xf0001234);
  const ivt = descriptorTable(target, 'idt', named('video', 0xf1234n));
  expect(ivt).toMatchObject({ table: 'ivt', problem: null });
  expect(ivt.entries).toEqual([expect.objectContaining({ index: 0x10, raw: 'f0001234', target: 'f000:1234 video+0h' })]);
});

test('the TSS with its I/O bitmap', () => {
  const { cpu, target, write32, bytes } = flatMode();
  expect(taskState(target, noSymbol).problem).toContain('no task');
  cpu.setSegment(TR, 0x18, 0x6000, 0x68 + 128, 0x8b);
  write32(0x6004, 0x7000);
  write32(0x6008, 0x10);
  write32(0x6020, 0x7c00);
  write32(0x6064, 0x00680000);
  bytes(0x6068, ...Array.from({ length: 129 }, () => 0xff));
  bytes(0x6068 + 0x7f, 0x00);
  bytes(0x6068 + 0x0c, 0xfe);
  const tss = taskState(target, named('start', 0x7c00n));
  expect(debugMethods['debug.taskState'].response.parse(tss)).toEqual(tss);
  const field = (name: string) => tss.fields.find((one) => one.name === name)!;
  expect(field('esp0')).toMatchObject({ offset: 4, value: '00007000', note: 'stack for ring 0' });
  expect(field('ss0').note).toBe('GDT 2, ring 0');
  expect(field('eip').note).toBe('start+0h');
  expect(field('io map').note).toBe('1032 ports described, 9 allowed: 60h, 3f8h-3ffh');
  cpu.setSegment(TR, 0x18, 0x6000, 0x20, 0x83);
  expect(taskState(target, noSymbol).problem).toContain('below 2bh');
  cpu.setSegment(TR, 0x18, 0xff000000, 0x67, 0x8b);
  expect(taskState(target, noSymbol)).toMatchObject({ fields: [], problem: expect.stringContaining('not in memory') });
});

test('after a real switch to protected mode the views agree with the program', () => {
  const { cpu } = runProgram('test:\n cli\n hlt\n');
  const { physicalMap } = cpu.map;
  const target = new CpuTarget(cpu, new PhysicalMap(cpu.u32.subarray(physicalMap >>> 2, (physicalMap >>> 2) + (1 << 20))));
  expect(target.mode()).toMatchObject({ bits: 32, protectedMode: true, privilege: 0 });
  const gdt = descriptorTable(target, 'gdt', noSymbol), idt = descriptorTable(target, 'idt', noSymbol);
  const code = gdt.entries.find(({ selector }) => selector === cpu.selector(CS).toString(16).padStart(4, '0'))!;
  expect(code.type).toContain('32-bit code');
  expect(gdt.problem).toBeNull();
  expect(idt.entries.length).toBeGreaterThan(10);
  expect(idt.entries.filter((entry) => entry.present && entry.type.includes('32-bit interrupt gate')).length).toBeGreaterThan(10);
});

test('physical memory: RAM, ROM and devices, without what memory hides', () => {
  const { cpu, map } = realMode();
  map.unmap(0xa0000, 0x20000);
  map.map(0xf0000, 0x10000, cpu.map.rom, false);
  map.map(0xe0000, 0x10000, cpu.map.ram + 0xe0000, false);
  const ranges = physicalRanges(cpu, map, [{ from: 0x90000, length: 0x20000, name: 'VGA' }, { from: 0xfec00000, length: 0x1000, name: 'I/O APIC' }]);
  expect(z.array(physicalRangeSchema).parse(ranges)).toEqual(ranges);
  expect(ranges.map(({ from, to, kind, name }) => `${from}-${to} ${kind} ${name}`)).toEqual([
    '00000000-0009ffff RAM RAM', '000a0000-000affff device VGA', '000c0000-000dffff RAM RAM', '000e0000-000effff RAM RAM, write-protected',
    '000f0000-000fffff ROM ROM', '00100000-00ffffff RAM RAM', 'fec00000-fec00fff device I/O APIC',
  ]);
});

test("a device's state misses nothing and abbreviates what is big", () => {
  const state = {
    base: 0x60, enabled: true, nothing: null, name: 'x', small: [1, 2, 3], big: Array.from({ length: 100 }, (_, n) => n),
    nested: { autoEoi: false, list: [{ a: 1 }, { a: 2 }] }, bytes: new Uint8Array(4096), some: Uint8Array.from({ length: 64 }, (_, n) => n),
    many: Array.from({ length: 70 }, (_, n) => ({ n })),
  };
  const tree = stateTree('dev', state);
  const child = (name: string): StateNode => tree.children.find((node) => node.name === name)!;
  expect(tree.children.map(({ name }) => name)).toEqual(['base', 'enabled', 'nothing', 'name', 'small', 'big', 'nested', 'bytes', 'some', 'many']);
  expect(child('base').value).toBe('60h (96)');
  expect(child('enabled').value).toBe('yes');
  expect(child('small').value).toBe('1 2 3');
  expect(child('big').value).toContain('100 bytes, 99 not zero');
  expect(child('bytes').value).toBe('4 KiB, all zero');
  expect(child('nested').children[0]).toEqual({ name: 'auto eoi', value: 'no', children: [] });
  expect(child('many').children).toHaveLength(65);
  expect(child('many').children.at(-1)!.value).toBe('6 more');
  const failing: Device = { ...device('bad', {}), state: { version: 1, save: () => { throw new Error('broken'); }, restore: () => {} } };
  expect(deviceStates([device('pic0', {}), failing]).map(({ title, state: { value } }) => [title, value])).toEqual([
    ['Interrupt controller 0 (8259A)', 'empty'], ['bad', 'cannot be shown: broken'],
  ]);
});

function searchAll(target: CpuTarget, space: 'linear' | 'physical', pattern: MemoryPattern, options: { from?: bigint; to?: bigint; limit?: number; value?: bigint } = {}): bigint[] {
  const search = new MemorySearch(target);
  const patterns = compilePattern(pattern, options.value ?? null, 4);
  const { from = 0n, to = 0xffffffffn, limit = 1000 } = options;
  const matches: bigint[] = [];
  let next: bigint | null = null, done = 0;
  for (let turn = 0; turn < 1000; turn++) {
    const piece: SearchPiece = search.piece({ space, from, to, patterns, limit, next });
    matches.push(...piece.matches);
    expect(piece.done).toBeGreaterThanOrEqual(done);
    done = piece.done;
    next = piece.next;
    if (next === null) return matches;
  }
  throw new Error('the search does not end');
}

test('memory searches: wildcards, text, pointers, borders', () => {
  const { cpu, map, target, bytes, write32 } = realMode();
  bytes(0x8000, 0x55, 0x8b, 0xec, 0xc3, 0x55, 0x8b, 0x00, 0xc3);
  expect(searchAll(target, 'physical', { kind: 'bytes', value: '55 8b ?? c3' })).toEqual([0x8000n, 0x8004n]);
  expect(searchAll(target, 'physical', { kind: 'bytes', value: '558b00c3' }, { from: 0x8005n })).toEqual([]);
  expect(searchAll(target, 'physical', { kind: 'bytes', value: '55 8b' }, { to: 0x8003n })).toEqual([0x8000n]);
  bytes(0x9ffe, ...new TextEncoder().encode('LiNux'));
  bytes(0xb000, 0x6c, 0, 0x49, 0, 0x6e, 0, 0x75, 0, 0x78, 0);
  expect(searchAll(target, 'linear', { kind: 'text', value: 'linux', ignoreCase: true })).toEqual([0x9ffen, 0xb000n]);
  expect(searchAll(target, 'linear', { kind: 'text', value: 'linux', ignoreCase: false })).toEqual([]);
  write32(0xc001, 0xc0de1234);
  write32(0xc010, 0xc0de1240);
  expect(searchAll(target, 'physical', { kind: 'pointer', value: 'x', slack: 0 }, { value: 0xc0de1234n })).toEqual([0xc001n]);
  expect(searchAll(target, 'physical', { kind: 'pointer', value: 'x', slack: 16 }, { value: 0xc0de1234n })).toEqual([0xc001n, 0xc010n]);
  // Host memory is not contiguous where physical memory is.
  map.map(0x200000, 0x1000, cpu.map.ram + 0x300000, true);
  bytes(0x1fffff, 0xfa);
  bytes(0x300000, 0xce, 0xb0);
  expect(searchAll(target, 'physical', { kind: 'bytes', value: 'fa ce b0' })).toEqual([0x1fffffn]);
  // Many matches: no more than the limit a piece, none lost, none twice.
  cpu.u8.fill(0xab, cpu.map.ram + 0x400000, cpu.map.ram + 0x400400);
  expect(searchAll(target, 'physical', { kind: 'bytes', value: 'abab' }, { limit: 100 })).toHaveLength(0x3ff);
  expect(searchAll(target, 'physical', { kind: 'text', value: '\u00ab', ignoreCase: false }, { limit: 7 })).toEqual([0x4003ffn]);
});

test('linear searches find a page as often as it is mapped, and across scattered pages', () => {
  const { target, bytes, write32 } = pagedMode();
  write32(TABLE + 0x200 * 4, 0x8007);
  write32(TABLE + 0x201 * 4, 0x7007);
  bytes(0x8ffe, 1, 2);
  bytes(0x7000, 3, 4);
  bytes(0x8100, 0xca, 0xfe, 0xd0, 0x0d);
  expect(searchAll(target, 'linear', { kind: 'bytes', value: 'cafed00d' })).toEqual([0x8100n, 0x200100n]);
  expect(searchAll(target, 'linear', { kind: 'bytes', value: '01 02 03 04' })).toEqual([0x200ffen]);
});

test('patterns that make no sense are refused with a reason', () => {
  for (const value of ['', '5', 'xy', '5?', '?? ??', 'zz 55']) expect(() => compilePattern({ kind: 'bytes', value }, null, 4)).toThrow();
  const { target } = realMode();
  expect(() => new MemorySearch(target).piece({ space: 'linear', from: 5n, to: 4n, patterns: compilePattern({ kind: 'bytes', value: '55' }, null, 4), limit: 1, next: null })).toThrow('before its beginning');
});

test('views of a damaged state never throw', () => {
  const fixture = pagedMode();
  const { cpu, target } = fixture;
  let seed = 12345;
  const random = (): number => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0);
  for (let round = 0; round < 60; round++) {
    for (const field of [FIELD.gdtrBase, FIELD.gdtrLimit, FIELD.idtrBase, FIELD.idtrLimit, FIELD.cr3, FIELD.pdptes, FIELD.pdptes + 8, FIELD.fpStatus]) cpu.set32(field, random());
    cpu.set32(FIELD.cr4, random() & 0x30);
    for (const segment of [LDTR, TR, DS, SS, ES]) cpu.setSegment(segment, random() & 0xffff, random(), random(), random() & 0xf0ff);
    for (let word = 0; word < 512; word++) fixture.write32((random() & 0x7ffc) + 0x1000, random());
    for (const table of ['gdt', 'ldt', 'idt'] as const) descriptorTableSchema.parse(descriptorTable(target, table, noSymbol));
    debugMethods['debug.taskState'].response.parse(taskState(target, noSymbol));
    pageWalkSchema.parse(pageWalk(target, [], BigInt(random())));
    addressSpace(target, noSymbol, 100);
    debugMethods['debug.registers'].response.parse(registerView(target, [], noSymbol));
    tlbEntries(target);
  }
  expect(fixture.mmio).toEqual([]);
});
