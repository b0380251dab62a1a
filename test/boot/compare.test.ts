// The divergence finder: nothing between sound engines, the very instruction in an unsound one.
import { describe, expect, it } from 'vitest';
import { compareEngines, type CompareOptions, type CompareResult } from '../../core/debugger/compare/compareEngines.ts';
import { divergenceText } from '../../core/debugger/compare/divergenceText.ts';
import { machineConfigurationSchema } from '../../core/machine/configuration.ts';
import { createMachine, type RecordedMachine } from '../../core/machine/createMachine.ts';
import { createIcedDisassembler } from '../../src-main/vm-host/icedDisassembler.ts';
import { createNodeHost } from '../../src-main/vm-host/nodeHost.ts';
import { type Configuration, guestFile, guests, linuxKernel } from './bootMachine.ts';
import { tourConfiguration } from './debuggedGuest.ts';

const ENGINES = ['interpreter', 'interpreter-uncached'] as const;

interface Comparison extends Partial<CompareOptions> {
  readonly configuration: Configuration;
  /** Does something to each new machine of the second engine. */
  readonly spoil?: (machine: RecordedMachine) => void;
  /** Breaths until it is cancelled. */
  readonly breaths?: number;
}

async function compare({ configuration, spoil, breaths = Infinity, ...options }: Comparison): Promise<CompareResult> {
  const host = createNodeHost({ log: { write: () => {} }, holder: 'comparison test' });
  const parsed = machineConfigurationSchema.parse({ rtcStart: 1_700_000_000, ...configuration, clock: 'virtual' });
  let breath = 0;
  try {
    return await compareEngines(
      { engines: ENGINES, instructions: 300_000, from: 0, every: 50_000, ...options },
      {
        createMachine: (clock, which) => {
          const machine = createMachine(parsed, { ...host, clock });
          if (which === 1) spoil?.(machine);
          return machine;
        },
        disassembler: createIcedDisassembler(),
        progress: () => {},
        breathe: () => new Promise((resolve) => setImmediate(() => resolve(++breath < breaths))),
      },
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

describe('an unsound engine', () => {
  it('is caught at the first instruction that goes wrong, with what it changed and what led there', async () => {
    const counts: number[] = [];
    const result = await compare({
      configuration: tourConfiguration, instructions: 3_000_000, every: 250_000, spoil: wrongInput(300_000, counts),
    });
    if (result.kind !== 'differs') throw new Error(`found ${result.kind}`);
    const { divergence } = result;
    expect(divergence.until).toBeNull();
    expect(divergence.instruction.number).toBe(Math.min(...counts));
    expect(divergence.instruction.text).toMatch(/^in a[lx]/);
    expect(divergence.before.length).toBeGreaterThan(0);
    const [first] = divergence.differences;
    expect(first.name).toMatch(/^[re]ax$/);
    const [right, wrong] = first.values.map((value) => parseInt(value, 16));
    expect(right ^ wrong).toBe(0x80);
    expect(divergenceText(divergence, ENGINES).filter((line) => line.startsWith('>'))).toHaveLength(1);
  });
});

describe('sound engines', () => {
  it('agree over the tour, to its timer interrupts and devices', async () => {
    expect(await compare({ configuration: tourConfiguration, instructions: 1_000_000, every: 100_000 })).toMatchObject({ kind: 'equal' });
  });

  it.each([
    ['i386', linuxKernel()],
    ['amd64', { path: guestFile('kernel64'), initrd: guestFile('initramfs64'), commandLine: guests.commandLine }],
  ] as const)('agree over a stretch of a Linux boot (%s)', async (_name, kernel) => {
    const from = 200_000_000;
    const result = await compare({ configuration: { memoryMiB: 128, kernel }, from, instructions: from + 1_500_000, every: 500_000 });
    expect(result).toMatchObject({ kind: 'equal' });
  }, 180_000);

  it('can be left', async () => {
    const result = await compare({ configuration: tourConfiguration, instructions: 50_000_000, breaths: 4 });
    expect(result.kind).toBe('cancelled');
  });
});
