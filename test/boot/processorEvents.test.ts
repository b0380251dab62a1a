// What reaches the processor's pins and the local APIC from its own units: x87 errors by FERR#, performance counters.
import { expect, it } from 'vitest';
import { BootMachine } from './bootMachine.ts';
import { buildKernel } from './kernelPrograms.ts';

const linesOf = (text: string): string[] => text.replaceAll('\r', '').trim().split('\n').map((line) => line.trim());

async function outputOf(path: string, model: 'pentium' | 'pentium3' | 'core2' | 'x86-64-v2'): Promise<string[]> {
  using guest = BootMachine.start({ memoryMiB: 32, debugExit: true, cpu: { model }, kernel: { path } });
  await guest.waitForState('stopped', 20).catch((error: unknown) => {
    if (guest.machine.stopReason?.kind !== 'debug-exit') throw error;
  });
  return linesOf(guest.serial);
}

/** Vector and status word, by the handler. (No opinion of QEMU's: TCG 7.2 ends with a failed assertion at the first FERR#.) */
const FLOATING = ['0000002D 00008084', '0000002D 00008084 00000002 00008084', '0000002D 00008084', '00000010 00008084'];

it('reports x87 errors by IRQ13 without CR0.NE, and lets port F0h ignore them', { timeout: 60_000 }, async () => {
  const kernel = buildKernel('floatingErrors');
  try {
    for (const model of ['pentium', 'x86-64-v2'] as const) expect(await outputOf(kernel.path, model)).toEqual(FLOATING);
  } finally {
    kernel.remove();
  }
});

it('interrupts when a performance counter overflows, by vector and as NMI; cycles stand still in HLT', { timeout: 60_000 }, async () => {
  const kernel = buildKernel('counters');
  try {
    // Vector, the entry (masked by the interrupt), the two halves of the status.
    const expected = [
      '00000040 00010040 00000001 00000000', 'FFFFFFFF 00000002 00010400 00000000 00000001',
      '00000050 00010400 00000000 00000000 00000000 FFFFFFFF',
    ];
    for (const model of ['core2', 'x86-64-v2'] as const) expect(await outputOf(kernel.path, model)).toEqual(expected);
  } finally {
    kernel.remove();
  }
});
