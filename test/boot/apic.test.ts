// The APICs in a whole machine: a small kernel that uses them and prints what it saw, with QEMU as a second opinion.
import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { BootMachine } from './bootMachine.ts';
import { buildKernel } from './kernelPrograms.ts';

const EXPECTED = [
  // IA32_APIC_BASE, ID, version, SVR.
  'FEE00900 00000000 00050014 000001FF',
  // ISR in the handler and behind it; the vector.
  '00000001 00000000 00000040',
  // IRR, PPR; then the vector (SDM 3A 10.8.3.1).
  '00000020 00000050 00000045',
  // SDM 3A 10.8.4: by vector, whatever came first.
  '00000061 00000043 00000041',
  '00000000 00000050',
  '00000051 00000051 00000051',
  '00170000 00000060 00000060 00000060',
  '00000020',
  '00000002',
];

const linesOf = (text: string): string[] => text.replaceAll('\r', '').trim().split('\n').map((line) => line.trim());

async function outputOf(path: string, model: 'pentium3' | 'x86-64-v2'): Promise<string[]> {
  using guest = BootMachine.start({ memoryMiB: 32, debugExit: true, cpu: { model }, kernel: { path } });
  await guest.waitForState('stopped', 20).catch((error: unknown) => {
    if (guest.machine.stopReason?.kind !== 'debug-exit') throw error;
  });
  expect(guest.machine.statistics().exits['mmio']!.count).toBeGreaterThan(50);
  return linesOf(guest.serial);
}

it('delivers by priority, timers, I/O APIC, virtual wire and NMI', { timeout: 60_000 }, async () => {
  const kernel = buildKernel('apic');
  try {
    const old = await outputOf(kernel.path, 'pentium3');
    expect(old).toEqual([...EXPECTED, 'D', 'M00050014 12345678']);
    const modern = await outputOf(kernel.path, 'x86-64-v2');
    expect(modern).toEqual([...EXPECTED, 'D00000000 00000052 00000052', 'M00050014 12345678']);
  } finally {
    kernel.remove();
  }
});

it.skipIf(spawnSync('qemu-system-i386', ['--version']).error !== undefined)('agrees with QEMU', { timeout: 60_000 }, () => {
  const kernel = buildKernel('apic');
  try {
    const options = ['-display', 'none', '-monitor', 'none', '-serial', 'stdio', '-device', 'isa-debug-exit,iobase=0xf4', '-m', '32'];
    const { stdout } = spawnSync('qemu-system-i386', [...options, '-kernel', kernel.path], { timeout: 30_000, encoding: 'utf8' });
    expect(linesOf(stdout).slice(0, EXPECTED.length)).toEqual(EXPECTED);
  } finally {
    kernel.remove();
  }
});
