// `trapeze compare`: finds where two engines part.
import type {
  CompareEngine,
  CompareOutcome,
  ComparedMachine,
  compareMachines,
  RecordedMachine,
} from '../../core/api/engine.ts';
import { Failure } from '../../core/api/failure.ts';
import type { BlockStore } from '../../core/host/blockStore.ts';
import type { MachineConfiguration } from '../../core/machine/configuration.ts';
import type { MachineHost } from '../../core/machine/machine.ts';
import { checkConfiguration } from '../application/configurationCheck.ts';
import { createNodeDebugHost } from '../vm-host/nodeDebugHost.ts';
import { createNodeHost } from '../vm-host/nodeHost.ts';
import { ScratchStore } from '../vm-host/scratchStore.ts';
import type { Streams } from './runMachine.ts';
import type { RawRunOptions } from './runOptions.ts';
import { parseRunOptions } from './runOptions.ts';

export const COMPARE_EXIT = { equal: 0, differs: 1, cancelled: 130 } as const;

export interface RawCompareOptions extends RawRunOptions {
  readonly engines: string;
  readonly instructions: string;
  readonly from: string;
  readonly every: string;
}

/** What the engine module gives for it. */
export interface CompareEngineModule {
  readonly createMachine: (configuration: MachineConfiguration, host: MachineHost) => RecordedMachine;
  readonly compareMachines: typeof compareMachines;
  readonly compareEngines: readonly CompareEngine[];
}

/** Runs the comparison and prints what it finds. Resolves to the exit status; throws a `Failure` if it cannot start. */
export async function runComparison(
  images: readonly string[],
  raw: RawCompareOptions,
  module: CompareEngineModule,
  streams: Streams,
): Promise<number> {
  const { configuration } = parseRunOptions(images, raw);
  checkConfiguration(configuration);
  const engines = parseEngines(raw.engines, module.compareEngines);
  const range = {
    from: parseCount('--from', raw.from, 0),
    until: parseCount('--instructions', raw.instructions, 1),
    every: parseCount('--every', raw.every, 1),
  };
  // Guest time follows the instructions alone, and begins at the same moment in every machine.
  const same: MachineConfiguration = {
    ...configuration,
    clock: 'virtual',
    rtcStart: configuration.rtcStart ?? Math.floor(Date.now() / 1000),
  };
  const host = createNodeHost({ holder: `trapeze compare (process ${process.pid})`, log: { write: () => undefined } });
  const create = (): RecordedMachine => module.createMachine(same, unwritten(host));
  let isCancelled = false;
  const onSignal = (): void => void (isCancelled = true);
  process.on('SIGINT', onSignal);
  let shownAt = 0;
  try {
    const outcome = await module.compareMachines(
      {
        machines: engines.map((engine): ComparedMachine => ({ engine, create })) as [ComparedMachine, ComparedMachine],
        ...range,
        disassembler: await createNodeDebugHost().loadDisassembler(),
        isCancelled: () => isCancelled,
        onProgress: (count, narrowing) => {
          if (Date.now() - shownAt < 1000) return;
          shownAt = Date.now();
          streams.errors.write(`trapeze: ${narrowing ? 'narrowing down' : 'equal up to'} ${grouped(count)}\n`);
        },
      },
      (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    );
    for (const line of report(outcome, engines)) streams.output.write(`${line}\n`);
    if (outcome.kind === 'cancelled') return COMPARE_EXIT.cancelled;
    return outcome.kind === 'equal' ? COMPARE_EXIT.equal : COMPARE_EXIT.differs;
  } finally {
    process.off('SIGINT', onSignal);
    host.closeFiles();
  }
}

const grouped = (count: number): string => `${count.toLocaleString('en-US')} instructions`;

function parseEngines(text: string, known: readonly CompareEngine[]): [CompareEngine, CompareEngine] {
  const names = text.split(',').map((name) => known.find((engine) => engine === name.trim()));
  const [first, second] = names;
  if (names.length !== 2 || first === undefined || second === undefined)
    throw new Failure('bad-request', `--engines ${text}: expected two of ${known.join(', ')}, separated by a comma`);
  return [first, second];
}

/** `5000`, `20k`, `100M`, `2G`. */
export function parseCount(option: string, text: string, least: number): number {
  const match = /^(\d+)([kMG]?)$/.exec(text.trim());
  const count = Number(match?.[1]) * { '': 1, k: 1e3, M: 1e6, G: 1e9 }[(match?.[2] ?? '') as 'k'];
  if (match === null || count < least || !Number.isSafeInteger(count))
    throw new Failure('bad-request', `${option} ${text}: expected a number of instructions such as 5000 or 100M`);
  return count;
}

/** A host whose files stay as they are: what a machine writes is its own and gone with it. */
function unwritten(host: MachineHost): MachineHost {
  return {
    ...host,
    openBlockStore: (path, options): BlockStore => {
      const store = host.openBlockStore(path, { ...options, readOnly: true });
      return options.readOnly ? store : new ScratchStore(store);
    },
    openStateFile: (path, limitBytes) => ({
      content: host.readFile(path, limitBytes),
      replace: (_content, done) => done(),
      close: () => undefined,
    }),
  };
}

/** What was found, in lines of text. */
export function report(outcome: CompareOutcome, engines: readonly string[]): string[] {
  switch (outcome.kind) {
    case 'equal':
      return [`equal after ${grouped(outcome.instructions)}${outcome.ended ? ', where the guest ended' : ''}`];
    case 'cancelled':
      return [`cancelled; equal up to ${grouped(outcome.instructions)}`];
    case 'unrepeatable':
      return [
        `different between ${grouped(outcome.from)} and ${grouped(outcome.to)}, but not when run again:`,
        'something outside of the two machines decides, or their code caches did',
      ];
    case 'differs':
      break;
  }
  const { count, instruction, before, differences } = outcome.divergence;
  const line = ({ address, bytes, text }: NonNullable<typeof instruction>): string => {
    const hex = bytes === null ? '' : [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    return `${address.toString(16).padStart(8, '0')}  ${hex.padEnd(30)}  ${text}`;
  };
  const width = Math.max(0, ...differences.map(({ what }) => what.length));
  const values = Math.max(engines[0]?.length ?? 0, ...differences.map(({ values: [first] }) => first.length));
  return [
    `different after ${grouped(count + 1)}`,
    ...before.map((executed) => `  ${line(executed)}`),
    instruction === null ? '  (told apart only behind the whole run)' : `> ${line(instruction)}`,
    '',
    `  ${''.padEnd(width)}  ${(engines[0] ?? '').padEnd(values)}  ${engines[1] ?? ''}`,
    ...differences.map(
      ({ what, values: [first, second] }) => `  ${what.padEnd(width)}  ${first.padEnd(values)}  ${second}`,
    ),
  ];
}
