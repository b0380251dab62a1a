// The divergence finder finds exactly the instruction that was made to go wrong, and nothing in a sound engine.
import { describe, expect, it } from 'vitest';
import { compareEngines, type CompareOptions, type CompareResult } from '../../core/debugger/compare/compareEngines.ts';
import { divergenceText } from '../../core/debugger/compare/divergenceText.ts';
import { FIELD } from '../../core/cpu/state/layout.ts';
import type { Cpu } from '../../core/cpu/cpu.ts';
import type { TranslatorCounts } from '../../core/cpu/translator/translator.ts';
import { machineConfigurationSchema } from '../../core/machine/configuration.ts';
import { createMachine, type RecordedMachine } from '../../core/machine/createMachine.ts';
import { createIcedDisassembler } from '../../src-main/vm-host/icedDisassembler.ts';
import { createNodeHost } from '../../src-main/vm-host/nodeHost.ts';
import { linuxKernel, guestFile, guests, type Configuration } from './bootMachine.ts';
import { tourConfiguration } from './debuggedGuest.ts';

const EBX = 3;
/** Lasts: no 32-bit code changes it. */
const R15 = FIELD.gpr + 15 * 8;
const ENGINES = ['interpreter', 'interpreter-uncached'] as const;

interface Comparison extends Partial<CompareOptions> {
  readonly configuration: Configuration;
  /** Does something to each new machine of the one or the other engine. */
  readonly spoil?: (machine: RecordedMachine, which: 0 | 1) => void;
  /** Breaths until it is cancelled. */
  readonly breaths?: number;
}

async function compare({ configuration, spoil, breaths = Infinity, ...options }: Comparison): Promise<CompareResult> {
  const host = createNodeHost({ log: { write: () => {} }, holder: 'comparison test' });
  const parsed = machineConfigurationSchema.parse({ rtcStart: 1_700_000_000, ...configuration, clock: 'virtual' });
  let breath = 0;
  try {
    return await compareEngines(
      { engines: ENGINES, instructions: 300_000, from: 0, every: 100, checkpoint: 100_000, ...options },
      {
        createMachine: (clock, which) => {
          const machine = createMachine(parsed, { ...host, clock });
          spoil?.(machine, which);
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

/** Lets `fault` happen behind the instruction with this number, however the machine gets there. */
function afterInstruction(cpu: Cpu, number: number, fault: () => void): void {
  const run = cpu.run.bind(cpu);
  cpu.run = (budget, single) => {
    const before = cpu.instructionCount;
    const exit = run(budget, single);
    if (before === number && cpu.instructionCount === number + 1) fault();
    return exit;
  };
}

const cpuOf = (machine: RecordedMachine): Cpu => machine.inspection.hypervisor.cpu;

function divergenceOf(result: CompareResult): Extract<CompareResult, { kind: 'differs' }>['divergence'] {
  expect(result.kind).toBe('differs');
  if (result.kind !== 'differs') throw new Error('no divergence');
  return result.divergence;
}

describe('a fault in one engine', () => {
  it('in a register is found at its instruction, with what differs and what came before', async () => {
    const number = 123_457;
    let address = -1;
    const divergence = divergenceOf(await compare({
      configuration: tourConfiguration,
      every: 1,
      spoil: (machine, which) => {
        const cpu = cpuOf(machine);
        if (which === 1) afterInstruction(cpu, number, () => cpu.setReg32(EBX, (cpu.reg32(EBX) ^ 4) >>> 0));
        else {
          // Where the sound machine stands when the instruction is next and it is stepped.
          const run = cpu.run.bind(cpu);
          cpu.run = (budget, single) => {
            if (single && cpu.instructionCount === number) address = machine.inspection.hypervisor.linearPc;
            return run(budget, single);
          };
        }
      },
    }));
    expect(divergence.until).toBeNull();
    expect(divergence.instruction.number).toBe(number);
    expect(divergence.instruction.address).toBe(BigInt(address));
    expect(divergence.before.map((place) => place.number)).toEqual([8, 7, 6, 5, 4, 3, 2, 1].map((back) => number - back));
    expect(divergence.differences.map(({ name }) => name)).toEqual(['rbx']);
    const [{ values }] = divergence.differences;
    expect(parseInt(values[0], 16) ^ parseInt(values[1], 16)).toBe(4);
    const text = divergenceText(divergence, ENGINES);
    expect(text[0]).toBe(`The engines differ at instruction ${number}:`);
    expect(text.filter((line) => line.startsWith('>'))).toHaveLength(1);
  });

  it('in a flag, in memory that nobody reads, and in guest time, each at its instruction', async () => {
    const faults: readonly (readonly [number: number, name: string, fault: (machine: RecordedMachine) => void])[] = [
      [123_457, 'eflags', (machine) => void (cpuOf(machine).eflags ^= 1 << 21)],
      [200_001, 'memory 00ff1234h', (machine) => void (cpuOf(machine).u8[cpuOf(machine).map.ram + 0xff1234] ^= 0x80)],
      [123_457, 'guest time', ({ inspection: { hypervisor } }) => hypervisor.clock.advanceTo(hypervisor.now() + 50)],
    ];
    for (const [number, name, fault] of faults) {
      const result = await compare({
        configuration: tourConfiguration,
        every: 1,
        spoil: (machine, which) => {
          if (which === 1) afterInstruction(cpuOf(machine), number, () => fault(machine));
        },
      });
      expect(result, name).toMatchObject({ kind: 'differs', divergence: { until: null, instruction: { number } } });
      expect(divergenceOf(result).differences.map((difference) => difference.name)).toContain(name);
    }
  });

  it('in memory that is read long after is found where it came to be, though it is overwritten then', async () => {
    const number = 60_003;
    const at = 0xff1000;
    const divergence = divergenceOf(await compare({
      configuration: tourConfiguration,
      spoil: (machine, which) => {
        if (which !== 1) return;
        const cpu = cpuOf(machine);
        const flip = (): void => void (cpu.u8[cpu.map.ram + at] ^= 1);
        afterInstruction(cpu, number, flip);
        // The difference moves on into a register and is gone from memory before anybody compares that.
        afterInstruction(cpu, number + 20_000, () => {
          const wrong = cpu.u8[cpu.map.ram + at] !== 0;
          flip();
          if (wrong) cpu.set32(R15, 8);
        });
      },
    }));
    expect(divergence).toMatchObject({ until: null, instruction: { number } });
  });

  it('of cached code alone is narrowed to the piece that runs it', async () => {
    const number = 150_000;
    let spoiled = 0;
    const divergence = divergenceOf(await compare({
      configuration: tourConfiguration,
      spoil: (machine, which) => {
        if (which !== 0) return;
        const cpu = cpuOf(machine);
        const run = cpu.run.bind(cpu);
        // As records that outlived their code: a single step decodes anew and is right.
        cpu.run = (budget, single) => {
          if (single !== true && cpu.instructionCount >= number && cpu.instructionCount < number + 5000) {
            const exit = run(budget, single);
            spoiled++;
            cpu.set32(R15, 1);
            return exit;
          }
          return run(budget, single);
        };
      },
    }));
    expect(spoiled).toBeGreaterThan(0);
    expect(divergence.until).not.toBeNull();
    expect(divergence.instruction.number).toBeGreaterThanOrEqual(number - 100);
    expect(divergence.until! - divergence.instruction.number).toBeLessThan(2000);
    expect(divergence.differences.map(({ name }) => name)).toEqual(['r15']);
  });
});

describe('sound engines', () => {
  it('agree over the tour, to its timer interrupts and devices', async () => {
    expect(await compare({ configuration: tourConfiguration, instructions: 800_000 })).toMatchObject({
      kind: 'equal', ended: null,
    });
  });

  it('agree over the start of an i386 Linux and of an amd64 Linux', { timeout: 120_000 }, async () => {
    const wide = { path: guestFile('kernel64'), initrd: guestFile('initramfs64'), commandLine: guests.commandLine };
    for (const kernel of [linuxKernel(), wide]) {
      const result = await compare({ configuration: { memoryMiB: 96, kernel }, instructions: 1_500_000 });
      expect(result).toMatchObject({ kind: 'equal' });
    }
  });

  it('agree deep in the kernel, where the comparison begins late', { timeout: 120_000 }, async () => {
    const from = 250_000_000;
    const result = await compare({
      configuration: { memoryMiB: 64, kernel: linuxKernel() }, from, instructions: from + 1_000_000,
    });
    expect(result).toMatchObject({ kind: 'equal' });
  });

  it('agree when hot code is translated: the tour, an i386 Linux and an amd64 Linux', { timeout: 240_000 }, async () => {
    const wide = { path: guestFile('kernel64'), initrd: guestFile('initramfs64'), commandLine: guests.commandLine };
    const options = { engines: ['interpreter', 'translator'], every: 20_000, checkpoint: 100_000_000 } as const;
    for (const configuration of [tourConfiguration, ...[linuxKernel(), wide].map((kernel) => ({ memoryMiB: 96, kernel }))]) {
      let counts: TranslatorCounts | null = null;
      const result = await compare({
        ...options, configuration, instructions: configuration === tourConfiguration ? 20_000_000 : 600_000_000,
        spoil: (machine, which) => {
          if (which === 1) counts = cpuOf(machine).translator.counts;
        },
      });
      expect(result).toMatchObject({ kind: 'equal' });
      expect(counts!.compiled).toBeGreaterThan(2);
    }
  });

  it('can be left', async () => {
    const result = await compare({ configuration: tourConfiguration, instructions: 50_000_000, breaths: 3 });
    expect(result.kind).toBe('cancelled');
  });
});
