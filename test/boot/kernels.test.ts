// Kernels of our own by each boot protocol: what the loader promised, as the kernel sees it.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { BootMachine, type Configuration } from './bootMachine.ts';
import { buildKernel } from './kernelPrograms.ts';

async function outputOf(configuration: Configuration): Promise<string[]> {
  using guest = BootMachine.start({ memoryMiB: 32, debugExit: true, ...configuration });
  await guest.waitForState('stopped', 20).catch((error: unknown) => {
    if (guest.machine.stopReason?.kind !== 'debug-exit') throw error;
  });
  expect(guest.machine.stopReason).toMatchObject({ kind: 'debug-exit' });
  return guest.serial.trim().split('\n').map((line) => line.trim());
}

it.each([32, 64] as const)('Multiboot 2, ELF of %i bits: registers, command line, modules, memory map, screen, symbols, RSDP', async (bits) => {
  const kernel = buildKernel('multiboot2', bits);
  try {
    const modules = ['first', 'second'].map((name) => path.join(kernel.folder, name));
    modules.forEach((file, index) => writeFileSync(file, `content ${index}\0`));
    const lines = await outputOf({ kernel: { path: kernel.path, modules, commandLine: 'quiet root=/dev/ram' } });
    expect(lines[0]).toBe('36D76289 00000001');
    expect(lines).toContain('S00000001 quiet root=/dev/ram');
    expect(lines).toContain('S00000002 Trapeze');
    const moduleLines = lines.filter((line) => line.startsWith('M'));
    expect(moduleLines).toEqual([
      expect.stringMatching(/^M.*\/first [0-9A-F]{5}000 content 0$/), expect.stringMatching(/^M.*\/second [0-9A-F]{5}000 content 1$/),
    ]);
    expect(lines).toContain(`L0000027F ${(31 * 1024).toString(16).toUpperCase().padStart(8, '0')}`);
    expect(lines).toContain(`K${(31 * 1024 + 639).toString(16).toUpperCase().padStart(8, '0')}`);
    expect(lines).toContain('F000B8000 00000050 00000019');
    if (bits === 32) expect(lines.find((line) => line.startsWith('E'))).toMatch(/^E0000000[4-9] \.symtab$/);
    expect(lines.find((line) => line.startsWith('S0000000E'))).toContain('RSD PTR ');
  } finally {
    kernel.remove();
  }
});

it.each([32, 64] as const)('PVH, ELF of %i bits: start information, initial RAM disk, memory map, RSDP', async (bits) => {
  const kernel = buildKernel('pvh', bits);
  try {
    const initrd = path.join(kernel.folder, 'initrd');
    writeFileSync(initrd, 'ramdisk\0');
    const lines = await outputOf({ kernel: { path: kernel.path, initrd, commandLine: 'console=hvc0' } });
    expect(lines).toEqual([
      '336EC578 00000001 00000001', 'console=hvc0', '00000001 ramdisk 00000008',
      (31 * 1024 + 639).toString(16).toUpperCase().padStart(8, '0'), 'RSD PTR',
    ]);
  } finally {
    kernel.remove();
  }
});
