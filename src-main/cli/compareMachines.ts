// Two machines with two engines in this process, up to the first instruction that makes them differ.
import { divergenceText } from '../../core/api/compare.ts';
import type { CompareProgress, CompareResult } from '../../core/api/compare.ts';
import type { HostClock } from '../../core/host/clock.ts';
import type { MachineHost } from '../../core/machine/machine.ts';
import { checkConfiguration, checkMemory } from '../application/configurationCheck.ts';
import { createIcedDisassembler } from '../vm-host/icedDisassembler.ts';
import { createNodeHost } from '../vm-host/nodeHost.ts';
import type { NodeHost } from '../vm-host/nodeHost.ts';
import { OverlayBlockStore } from '../vm-host/overlayBlockStore.ts';
import type { ComparisonOptions } from './compareOptions.ts';
import { EXIT } from './runMachine.ts';
import type { Engine, Streams } from './runMachine.ts';

/** As diff has them. */
export const COMPARED = { equal: 0, differs: 1 } as const;

const PROGRESS_MS = 2000;
const STATE_LIMIT_BYTES = 16 << 20;

/** Runs until a difference, the end, or a signal. Throws a `Failure` if it cannot start. */
export async function compareMachines(
  options: ComparisonOptions,
  { createMachine, compareEngines }: Pick<Engine, 'createMachine' | 'compareEngines'>,
  streams: Streams,
): Promise<number> {
  checkConfiguration(options.configuration);
  checkMemory(options.configuration.memoryMiB * 2);
  const files = createNodeHost({ log: { write: () => undefined }, holder: `trapeze compare (process ${process.pid})` });
  let cancelled = false;
  const cancel = (): void => void (cancelled = true);
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, cancel);
  try {
    const result = await compareEngines(options, {
      createMachine: (clock) => createMachine(options.configuration, untouchedHost(files, clock)),
      disassembler: createIcedDisassembler(),
      progress: progressTo(streams.errors),
      breathe: () => new Promise((resolve) => setImmediate(() => resolve(!cancelled))),
    });
    return report(result, options, streams);
  } finally {
    for (const signal of signals) process.off(signal, cancel);
    files.closeFiles();
  }
}

/** What the machines write stays in memory: each new one finds the files as they are. */
function untouchedHost(files: NodeHost, clock: HostClock): MachineHost {
  return {
    clock,
    log: { write: () => undefined },
    openBlockStore: (path, { readOnly, sectorBytes }) =>
      new OverlayBlockStore(files.openBlockStore(path, { readOnly: true, sectorBytes }), readOnly),
    openStateFile: (path, limitBytes) => ({
      content: files.readFile(path, Math.min(limitBytes, STATE_LIMIT_BYTES)),
      replace: (_content, done) => done(),
      close: () => undefined,
    }),
    readFile: (path, limitBytes) => files.readFile(path, limitBytes),
  };
}

const PHASES: Readonly<Record<CompareProgress['phase'], string>> = {
  compare: 'compared',
  narrow: 'there is a difference; looking for its place, at',
  step: 'stepping, at',
};

function progressTo(errors: NodeJS.WritableStream): (done: CompareProgress) => void {
  let saidMs = performance.now();
  return ({ phase, count, until }) => {
    if (performance.now() - saidMs < PROGRESS_MS) return;
    saidMs = performance.now();
    const million = (value: number): string => (value / 1e6).toFixed(1);
    errors.write(`trapeze: ${PHASES[phase]} ${million(count)} of ${million(until)} million instructions\n`);
  };
}

function report(result: CompareResult, { engines }: ComparisonOptions, { output, errors }: Streams): number {
  switch (result.kind) {
    case 'equal': {
      const end = result.ended === null ? '' : ` Then ${result.ended}.`;
      output.write(`${engines.join(' and ')} agree in ${result.instructions} instructions.${end}\n`);
      return COMPARED.equal;
    }
    case 'differs':
      output.write(`${divergenceText(result.divergence, engines).join('\n')}\n`);
      return COMPARED.differs;
    case 'cancelled':
      errors.write(`trapeze: cancelled; equal up to instruction ${result.instructions}\n`);
      return EXIT.ended;
  }
}
