// The divergence finder: nothing between equal engines, the very instruction between unequal ones.
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { compareMachines, type CompareOptions, type CompareOutcome } from '../../core/debugger/compareMachines.ts';
import { machineConfigurationSchema } from '../../core/machine/configuration.ts';
import { createMachine, type RecordedMachine } from '../../core/machine/createMachine.ts';
import { createIcedDisassembler } from '../../src-main/vm-host/icedDisassembler.ts';
import { createNodeHost } from '../../src-main/vm-host/nodeHost.ts';
import { type Configuration, guestFile, linuxKernel } from './bootMachine.ts';

const RTC_START = 1_700_000_000;
const tour = fileURLToPath(new URL('../../assets/guests/tour/tour.img', import.meta.url));
const tourConfiguration: Configuration = { memoryMiB: 16, disks: [{ path: tour, readOnly: true }] };

async function compare(
  configuration: Configuration, range: Pick<CompareOptions, 'from' | 'until' | 'every'>,
  spoil: (machine: RecordedMachine) => void = () => {},
): Promise<CompareOutcome> {
  const host = createNodeHost({ log: { write: () => {} }, holder: 'compare test' });
  const create = (): RecordedMachine =>
    createMachine(machineConfigurationSchema.parse({ ...configuration, clock: 'virtual', rtcStart: RTC_START }), host);
  try {
    return await compareMachines(
      {
        ...range,
        machines: [
          { engine: 'interpreter', create },
          { engine: 'uncached', create: () => { const machine = create(); spoil(machine); return machine; } },
        ],
        disassembler: createIcedDisassembler(), onProgress: () => {}, isCancelled: () => false,
      },
      (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    );
  } finally {
    host.closeFiles();
  }
}

/** From the count on, what is read from a port has a bit the other way round: an engine that does IN wrongly. */
const wrongInput = (from: number, counts: number[]) => (machine: RecordedMachine): void => {
  const { hypervisor } = machine.inspection;
  const read = hypervisor.portRead.bind(hypervisor);
  hypervisor.portRead = (port, size) => {
    const value = read(port, size);
    if (hypervisor.cpu.instructionCount < from) return value;
    counts.push(hypervisor.cpu.instructionCount);
    return value ^ 0x80;
  };
};

describe('trapeze compare', () => {
  it('finds the tour equal with and without code caches', async () => {
    const outcome = await compare(tourConfiguration, { from: 0, until: 1_500_000, every: 500_000 });
    expect(outcome).toMatchObject({ kind: 'equal', ended: false });
    expect(outcome.kind === 'equal' && outcome.instructions).toBeGreaterThanOrEqual(1_500_000);
  });

  it.each([['i386', linuxKernel()], ['amd64', { path: guestFile('kernel64'), initrd: guestFile('initramfs64'), commandLine: 'console=ttyS0' }]] as const)(
    'finds a stretch of a Linux boot equal (%s)', async (_name, kernel) => {
      const range = { from: 200_000_000, until: 203_000_000, every: 1_000_000 };
      const outcome = await compare({ memoryMiB: 256, kernel }, range);
      expect(outcome).toMatchObject({ kind: 'equal', ended: false });
    }, 120_000,
  );

  it('names the first instruction that goes wrong, and what it changed', async () => {
    const counts: number[] = [];
    const outcome = await compare(tourConfiguration, { from: 0, until: 3_000_000, every: 250_000 }, wrongInput(300_000, counts));
    if (outcome.kind !== 'differs') throw new Error(`found ${JSON.stringify(outcome)}`);
    const { divergence } = outcome;
    expect(divergence.count).toBe(Math.min(...counts));
    expect(divergence.instruction?.text).toMatch(/^in a[lx]/);
    const [first] = divergence.differences;
    expect(first.what).toBe('eax');
    const [right, wrong] = first.values.map((value) => parseInt(value, 16));
    expect(right ^ wrong).toBe(0x80);
  });
});
