// The CPU as the debugger sees it: memory past page tables, registers by name, nothing disturbed.
import { expect, test } from 'vitest';
import { CpuTarget } from '../../../core/debugger/cpuTarget.ts';
import { CS, DS, FIELD, SEGMENT } from '../../../core/cpu/state/layout.ts';
import { ACCESS } from '../../../core/cpu/interpreter/memoryFunctions.ts';
import { runProgram } from '../../system/systemHarness.ts';
import { PhysicalMap } from '../../../core/mmu/physicalMap.ts';
import { CODE, DATA, DIRECTORY, flatMode, GDT, pagedMode, realMode, snapshot, TABLE } from './cpuFixture.ts';

test('reading through page tables changes nothing and touches no device', () => {
  const fixture = pagedMode();
  const { target, write32, mmio } = fixture;
  write32(0x3000, 0x12345678);
  write32(DIRECTORY + 4, 0xf0000007);
  write32(TABLE + 5 * 4, 0xe0000007);
  const before = snapshot(fixture);
  expect(target.memory.read('linear', 0x3000n, 4)).toEqual(Uint8Array.of(0x78, 0x56, 0x34, 0x12));
  expect(target.memory.translate(0x3004n)).toBe(0x3004n);
  // A table outside of memory, a page that is a device, an entry that is not present.
  expect(target.memory.translate(0x400000n)).toBeNull();
  expect(target.memory.read('linear', 0x5000n, 4)).toBeNull();
  expect(target.memory.read('linear', 0xc0000000n, 4)).toBeNull();
  expect(target.memory.readPartly('linear', 0x4ffen, 8).unmapped).toEqual([{ from: 2, to: 8 }]);
  expect(target.memory.read('physical', 0xf0000000n, 16)).toBeNull();
  expect(snapshot(fixture)).toBe(before);
  expect(mmio).toEqual([]);
});

test('translation agrees with the CPU in all kinds of paging', () => {
  const agree = (fixture: ReturnType<typeof pagedMode>, addresses: readonly number[]): void => {
    const { cpu, target } = fixture;
    for (const address of addresses) {
      const known = target.memory.translate(BigInt(address));
      cpu.flushTlb(false);
      const host = cpu.translate(address, 0);
      const physical = host === 0 ? null : BigInt(cpu.get32(FIELD.mmioAddress)) | (BigInt(cpu.get32(FIELD.mmioAddress + 4)) << 32n);
      expect(known, address.toString(16)).toBe(physical);
    }
  };
  const samples = [0, 0x1234, 0x3ff000, 0x400123, 0x7fffff, 0x800000, 0xbfffffff, 0xc0000000, 0xc0123456, 0xc0400000, 0xffffffff];
  const legacy = pagedMode();
  legacy.cpu.debugAccess.setControl(4, 0x10);
  legacy.write32(DIRECTORY + 4, 0x00800087);
  legacy.write32(DIRECTORY + 0x300 * 4, 0x00400083);
  legacy.write32(DIRECTORY + 0x301 * 4, 0x00400000 | (5 << 13) | 0x83);
  agree(legacy, samples);
  legacy.cpu.debugAccess.setControl(4, 0);
  agree(legacy, samples);
  legacy.cpu.setA20(false);
  agree(legacy, [0x100123, 0x200456, 0x300789]);

  const pae = flatMode();
  pae.write32(0x8000, 0x9001);
  pae.write32(0x8018, 0xa001);
  pae.write32(0x9000, 0xb003);
  pae.write32(0x9008, 0x00400083);
  pae.write32(0xa000, 0x00600083);
  pae.write32(0xa00c, 0x80000000);
  pae.write32(0xb000, 0x00001003);
  pae.write32(0xb008, 0x00002003);
  pae.write32(0xb00c, 0x1);
  pae.cpu.debugAccess.setControl(4, 0x20);
  pae.cpu.debugAccess.setControl(3, 0x8000);
  expect(pae.cpu.debugAccess.setControl(0, 0x80000011)).toBe(true);
  expect(pae.target.pages.paging().kind).toBe('PAE');
  agree(pae, [0x123, 0x1123, 0x2000, 0x200123, 0x3ff000, 0xc0000456, 0xc01fffff, 0xc0200000, 0x40000000]);
  // The CPU goes by the pointers that it loaded.
  pae.write32(0x8000, 0);
  agree(pae, [0x123]);
});

test('a write goes past protection, drops decoded code and reaches no ROM', () => {
  const { cpu, map, target } = pagedMode();
  const { ram, rom } = cpu.map;
  // mov al, 1; hlt
  cpu.u8.set([0xb0, 0x01, 0xf4], ram + 0x7c00);
  cpu.rip = 0x7c00;
  for (let turn = 0; turn < 4 && cpu.activity === 'running'; turn++) cpu.run(10);
  expect(cpu.reg32(0) & 0xff).toBe(1);
  // The page becomes read-only and the code under it changes.
  cpu.view.setUint32(ram + TABLE + 7 * 4, 0x7005, true);
  expect(target.memory.write('linear', 0x7c01n, Uint8Array.of(0x55))).toBe(true);
  expect(target.registers.set('eip', 0x7c00n)).toBe(true);
  expect(cpu.activity).toBe('running');
  for (let turn = 0; turn < 4 && cpu.activity === 'running'; turn++) cpu.run(10);
  expect(cpu.reg32(0) & 0xff).toBe(0x55);
  map.map(0xf0000, 0x10000, rom, false);
  expect(target.memory.write('physical', 0xf0000n, Uint8Array.of(1))).toBe(false);
  // All or nothing.
  expect(target.memory.write('physical', 0xefffen, Uint8Array.of(1, 2, 3, 4))).toBe(false);
  expect(cpu.u8[ram + 0xefffe]).toBe(0);
  // RAM that the guest may not write, as shadowed ROM is.
  map.map(0xe0000, 0x10000, ram + 0xe0000, false);
  expect(target.memory.write('physical', 0xe0000n, Uint8Array.of(9))).toBe(true);
  expect(cpu.u8[ram + 0xe0000]).toBe(9);
});

test('every register reads back what was set', () => {
  const { target } = flatMode();
  const { registers } = target;
  const fixed = new Set(['cpl', 'tsc', 'p5_mc_addr', 'p5_mc_type', 'platform_id', 'mcg_cap', 'efer']);
  for (const name of registers.names) {
    const value = registers.get(name)!;
    expect(typeof value, name).toBe('bigint');
    if (fixed.has(name)) continue;
    if (name === 'ldtr' || name === 'tr') continue;
    expect(registers.set(name, value), name).toBe(true);
    expect(registers.get(name), name).toBe(value);
  }
  const values: [string, bigint, bigint?][] = [
    ['eax', 0xdeadbeefn], ['ah', 0x12n], ['ax', 0x3456n], ['esp', 0x9000n], ['eip', 0x1234n], ['cr2', 0xabcdn], ['dr0', 0x77n],
    ['dr7', 0x1n, 0x401n], ['st3', 0x4000c90fdaa22168c235n], ['mm2', 0x1122334455667788n], ['xmm5', 0x0123456789abcdef0123456789abcdefn],
    ['mxcsr', 0x1fa0n], ['fctrl', 0x27fn], ['fop', 0x5ffn], ['sysenter_eip', 0xc0001234n], ['msr.174', 0x60n],
    ['gdtr.limit', 0x7fn], ['idtr.base', 0x123000n], ['es.base', 0x1000n], ['es.limit', 0xfffn], ['es.attributes', 0x4093n],
    ['eax', -1n, 0xffffffffn], ['al', -2n, 0xfen],
  ];
  for (const [name, value, expected = value] of values) {
    expect(registers.set(name, value), name).toBe(true);
    expect(registers.get(name), name).toBe(expected);
  }
  expect(registers.get('EAX')).toBe(0xfffffffen);
  expect(registers.get('nonsense')).toBeUndefined();
  expect(registers.set('nonsense', 1n)).toBe(false);
  expect(registers.set('al', 256n)).toBe(false);
  expect(registers.set('mxcsr', 0x80000000n)).toBe(false);
  expect(registers.set('msr.deadbeef', 0n)).toBe(false);
  expect(registers.set('cpl', 3n)).toBe(false);
});

test('flags are set with what is lazy about them', () => {
  const { cpu, target } = flatMode();
  // xor eax, eax leaves ZF and PF to be computed.
  cpu.u8.set([0x31, 0xc0, 0xf4], cpu.map.ram + 0x7c00);
  cpu.run(2);
  const { registers } = target;
  expect(registers.get('eflags.zf')).toBe(1n);
  expect(registers.set('eflags.zf', 0n)).toBe(true);
  expect(registers.set('eflags.cf', 1n)).toBe(true);
  expect(registers.get('eflags')! & 0x45n).toBe(0x05n);
  expect(registers.set('eflags.iopl', 3n)).toBe(true);
  expect(registers.get('eflags.iopl')).toBe(3n);
  expect(registers.set('eflags', 0xffffffffn)).toBe(false);
  expect(registers.set('eflags', 0x202n)).toBe(true);
  expect(cpu.eflags).toBe(0x202);
});

test('segments are loaded by the rules of the mode', () => {
  const real = realMode();
  expect(real.target.registers.set('ds', 0x1234n)).toBe(true);
  expect(real.cpu.segmentBase(DS)).toBe(0x12340);
  expect(real.target.mode()).toMatchObject({ name: 'real mode', bits: 16, protectedMode: false, addressBytes: 4 });

  const flat = flatMode();
  const { registers } = flat.target;
  const descriptor = (index: number, low: number, high: number): void => {
    flat.write32(GDT + index * 8, low);
    flat.write32(GDT + index * 8 + 4, high);
  };
  descriptor(3, 0x5000ffff, 0x0000f300); // 16-bit data, ring 3
  descriptor(4, 0x0000ffff, 0x00cf1b00); // code, not present
  descriptor(5, 0x0000ffff, 0x00cffa00); // code, ring 3, not accessed
  descriptor(6, 0x60000067, 0x00008900); // TSS
  const before = snapshot(flat);
  expect(registers.set('es', 0x20n)).toBe(false);
  expect(registers.set('es', 0x100n)).toBe(false);
  expect(registers.set('ss', BigInt(CODE))).toBe(false);
  expect(registers.set('ss', 0n)).toBe(false);
  expect(registers.set('cs', BigInt(DATA))).toBe(false);
  expect(registers.set('tr', BigInt(DATA))).toBe(false);
  expect(snapshot(flat)).toBe(before);
  expect(registers.set('es', 0x1bn)).toBe(true);
  expect(registers.get('es.base')).toBe(0x5000n);
  expect(registers.get('es.limit')).toBe(0xffffn);
  expect(registers.set('fs', 0n)).toBe(true);
  expect(flat.cpu.segmentField(4, SEGMENT.attributes)).toBe(0);
  expect(registers.set('tr', 0x30n)).toBe(true);
  expect(registers.get('tr.base')).toBe(0x6000n);
  expect(registers.set('cs', 0x2bn)).toBe(true);
  expect(flat.cpu.cpl).toBe(3);
  // No accessed bit was written.
  expect(flat.read32(GDT + 5 * 8 + 4)).toBe(0x00cffa00);
  expect(flat.read32(GDT + 6 * 8 + 4)).toBe(0x00008900);
});

test('control registers flush the TLB and refuse what would fault', () => {
  const { cpu, target, mmio, write32 } = pagedMode();
  expect(cpu.translate(0x3000, 0)).toBe(cpu.map.ram + 0x3000);
  write32(TABLE + 3 * 4, 0x9007);
  expect(cpu.readLinear(0x3000, 4)).toBe(cpu.view.getUint32(cpu.map.ram + 0x9000, true));
  expect(target.registers.set('cr0', 0x80000000n)).toBe(false);
  expect(target.registers.set('cr4', 0xffffffffn)).toBe(false);
  // Entries with reserved bits, then PAE with its pointers in a device.
  expect(target.registers.set('cr4', 0x20n)).toBe(false);
  write32(DIRECTORY, 0x2001);
  expect(target.registers.set('cr4', 0x20n)).toBe(true);
  expect(target.registers.set('cr3', 0xf0000000n)).toBe(false);
  expect(mmio).toEqual([]);
  expect(target.registers.set('cr4', 0n)).toBe(true);
  expect(target.registers.set('cr3', BigInt(DIRECTORY))).toBe(true);
  expect(cpu.u32[(cpu.base + 4096) >>> 2]).toBe(0xffffffff);
});

test('a machine that ran shows its state: virtual-8086 mode and real-mode addresses', () => {
  const { cpu } = runProgram('test:\n mov ax, 0x1200\n mov ds, ax\n mov ss, ax\n mov sp, 0x100\n jmp 0x100:(after - 0x1000)\nafter:\n cli\n hlt\n', { real: true });
  const { physicalMap } = cpu.map;
  const target = new CpuTarget(cpu, new PhysicalMap(cpu.u32.subarray(physicalMap >>> 2, (physicalMap >>> 2) + (1 << 20))));
  expect(target.registers.get('cs')).toBe(0x100n);
  expect(target.programCounter).toBe(0x1000n + target.registers.get('eip')!);
  expect(target.registers.set('pc', target.programCounter - 2n)).toBe(true);
  expect(target.memory.read('linear', target.programCounter, 2)).toEqual(Uint8Array.of(0xfa, 0xf4));
  expect(cpu.translate(Number(target.programCounter), ACCESS.fetch)).not.toBe(0);
  expect(cpu.segmentBase(CS)).toBe(0x1000);
});
