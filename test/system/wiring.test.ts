// What reaches the CPU from outside: the A20 gate, device memory, DMA into code, non-maskable interrupts.
import { describe, expect, it } from 'vitest';
import type { Cpu } from '../../core/cpu/cpu.ts';
import { CS, DS, FIELD } from '../../core/cpu/state/layout.ts';
import { bareCpu } from './systemHarness.ts';

/** Real-mode code at 10000h, ending with HLT. */
function start(cpu: Cpu, code: readonly number[], at = 0x10000): void {
  cpu.u8.set(code, cpu.map.ram + at);
  cpu.code.written(at, code.length);
  cpu.setSegment(CS, at >>> 4, at, 0xffff, 0x93);
  cpu.rip = 0;
}
function runToHalt(cpu: Cpu): void {
  for (let turn = 0; turn < 100 && cpu.activity === 'running'; turn++) cpu.run(100);
  expect(cpu.activity).toBe('halted');
  cpu.activity = 'running';
}

describe('the CPU and its surroundings', () => {
  it('wraps addresses at 1 MiB while A20 is closed', () => {
    const cpu = bareCpu('pentium3', {});
    cpu.setSegment(DS, 0xffff, 0xffff0, 0xffff, 0x93);
    cpu.u8[cpu.map.ram + 0x500] = 0x11;
    cpu.u8[cpu.map.ram + 0x100500] = 0x22;
    // mov al, [0510h]; hlt
    const code = [0xa0, 0x10, 0x05, 0xf4];
    cpu.setA20(false);
    start(cpu, code);
    runToHalt(cpu);
    expect(cpu.reg16(0) & 0xff).toBe(0x11);
    cpu.setA20(true);
    start(cpu, code);
    runToHalt(cpu);
    expect(cpu.reg16(0) & 0xff).toBe(0x22);
  });

  it('reads, writes, updates and executes device memory', () => {
    const device = new Uint8Array(0x1000);
    const log: string[] = [];
    const base = 0xe0000000;
    const cpu = bareCpu('pentium3', {
      mmioRead: (address, size) => {
        log.push(`r${size}`);
        let value = 0;
        for (let index = size - 1; index >= 0; index--) value = value * 256 + device[address - base + index];
        return value;
      },
      mmioWrite: (address, value, size) => {
        log.push(`w${size}`);
        for (let index = 0; index < size; index++) device[address - base + index] = (value >>> (index * 8)) & 0xff;
      },
    });
    cpu.setSegment(DS, 0, base, 0xffff, 0x93);
    // mov word [10h], 1234h; add dword [10h], 1; mov eax, [0eh]; hlt
    start(cpu, [0xc7, 0x06, 0x10, 0, 0x34, 0x12, 0x66, 0x83, 0x06, 0x10, 0, 1, 0x66, 0xa1, 0x0e, 0, 0xf4]);
    runToHalt(cpu);
    expect(cpu.reg32(0)).toBe(0x12350000);
    expect(log).toEqual(['w2', 'r4', 'w4', 'r2', 'r2']);
    // mov al, 77h; hlt, executed from the device
    device.set([0xb0, 0x77, 0xf4], 0x100);
    cpu.setSegment(CS, 0, base, 0xffff, 0x93);
    cpu.rip = 0x100;
    runToHalt(cpu);
    expect(cpu.reg16(0) & 0xff).toBe(0x77);
  });

  it('sees code that a device wrote', () => {
    const cpu = bareCpu('pentium3', {});
    start(cpu, [0xb0, 1, 0xf4]);
    runToHalt(cpu);
    expect(cpu.reg16(0) & 0xff).toBe(1);
    cpu.u8[cpu.map.ram + 0x10001] = 2;
    cpu.code.written(0x10001, 1);
    cpu.rip = 0;
    runToHalt(cpu);
    expect(cpu.reg16(0) & 0xff).toBe(2);
  });

  it('counts instructions exactly, whatever the slices', () => {
    // mov cx, 100; again: inc ax; loop again; hlt
    const code = [0xb9, 100, 0, 0x40, 0xe2, 0xfd, 0xf4];
    const counts = [1, 7, 50, 1000].map((slice) => {
      const cpu = bareCpu('pentium3', {});
      start(cpu, code);
      while (cpu.activity === 'running') cpu.run(slice);
      expect(cpu.get32(FIELD.budget)).toBe(0);
      return cpu.instructionCount;
    });
    expect(counts).toEqual([202, 202, 202, 202]);
  });
});
