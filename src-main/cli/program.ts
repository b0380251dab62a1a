// The command line: what there is, and what each command does.
import { cpuModelSchema, engineSchema } from '../../core/machine/configuration.ts';
import path from 'node:path';
import { Command, CommanderError } from 'commander';
import { Failure, toFailureRecord } from '../../core/api/failure.ts';
import { createRequestSchema } from '../../core/api/machines.ts';
import type { MachineRecord } from '../../core/api/machines.ts';
import { Application } from '../application/application.ts';
import { Library } from '../application/library.ts';
import { detectMedia } from '../application/mediaDetection.ts';
import {
  defaultLibraryFolder,
  productVersion,
  rendererFolder,
  tourImage,
  vmProcessEntry,
} from '../application/productPaths.ts';
import { startServer } from '../server/server.ts';
import { nodeSpawner } from '../vm-host/spawn.ts';
import { monitorPath } from '../application/monitorPath.ts';
import { compareMachines } from './compareMachines.ts';
import { COMPARE_DEFAULTS, parseCompareOptions } from './compareOptions.ts';
import type { RawCompareOptions } from './compareOptions.ts';
import { EXIT, runMachine } from './runMachine.ts';
import { runMonitor } from './monitorClient.ts';
import type { Engine, Streams } from './runMachine.ts';
import { parseListen, parseMemory, parseRunOptions } from './runOptions.ts';
import type { RawRunOptions } from './runOptions.ts';

export interface CliEnvironment extends Streams {
  /** Loaded only where a machine runs in this process. */
  loadEngine(): Promise<Engine>;
}

/** Runs the command and resolves to the exit status. Says in one line what was wrong with it. */
export async function runCli(args: readonly string[], environment: CliEnvironment): Promise<number> {
  let status = 0;
  const program = buildProgram(environment, (value) => (status = value));
  try {
    await program.parseAsync([...args], { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT.badArguments;
    const { message, reason, code } = toFailureRecord(error);
    environment.errors.write(
      `trapeze: ${[message, reason]
        .filter(Boolean)
        .join('. ')
        .replace(/\s*\n\s*/g, ' ')}\n`,
    );
    if (code === 'internal') environment.errors.write(`${toFailureRecord(error).details}\n`);
    return code === 'internal' ? 1 : EXIT.badArguments;
  }
}

const collect = (value: string, previous: readonly string[] = []): string[] => [...previous, value];

function buildProgram(environment: CliEnvironment, finish: (status: number) => void): Command {
  const program = new Command('trapeze')
    .description('Virtual machines whose whole PC is written in TypeScript')
    .version(productVersion())
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void environment.output.write(text),
      writeErr: (text) => void environment.errors.write(text.replace(/^error: /, 'trapeze: ')),
    });
  addRun(program, environment, finish);
  addCompare(program, environment, finish);
  addServe(program, environment);
  addLibraryCommands(program, environment, finish);
  for (const command of program.commands) command.exitOverride().copyInheritedSettings(program);
  return program;
}

/** The options that describe a machine. */
function withMachine(command: Command): Command {
  return command
    .argument('[image...]', 'CD, disk or floppy images, a kernel and its initial RAM disk')
    .option('--memory <size>', 'guest memory, for example 256M or 1G')
    .option('--cpu <model>', `processor: ${cpuModelSchema.options.join(', ')}; with features as in max,-AES,+SHA`)
    .option('--kernel <file>', 'Linux bzImage, Multiboot 1 or 2, or PVH kernel, loaded directly')
    .option('--initrd <file>', 'initial RAM disk for --kernel')
    .option('--module <file>', 'Multiboot module, in order', collect)
    .option('--append <string>', 'kernel command line')
    .option('--cdrom <file>', 'CD image')
    .option('--disk <file[,readonly]>', 'raw disk image, up to two', collect)
    .option('--floppy <file>', 'floppy image')
    .option('--boot <order>', 'for example cdrom,disk or dca')
    .option('--bios <file>', 'foreign BIOS ROM')
    .option('--vga-bios <file>', 'foreign VGA BIOS ROM')
    .option(
      '--uefi-variables <file>',
      'flash memory below --bios; it is written: give each machine a copy of OVMF_VARS.fd',
    )
    .option('--debug-exit', 'port F4h ends the machine with status (value << 1) | 1');
}

function addRun(program: Command, environment: CliEnvironment, finish: (status: number) => void): void {
  const command = program
    .command('run')
    .summary('run a machine in this process')
    .description(
      'Runs a machine in this process. Images are told to be CDs, disks, floppies or kernels by their content.',
    );
  withMachine(command)
    .option('--serial <where>', 'COM1: stdio, file:NAME or none (default: stdio)')
    .option('--debugcon <file>', 'what the guest writes to port E9h')
    .option('--screen-text <file>', 'at exit: the text screen')
    .option('--screenshot <file.png>', 'at exit: the screen')
    .option('--timeout <seconds>', 'end with status 124 after so long')
    .option('--engine <name>', engineSchema.options.join(' or '))
    .option('--clock <kind>', 'real: guest time follows the host; virtual: it counts instructions')
    .option('--stats <file.json>', 'at exit: counters')
    .option('--gdb <[host:]port>', 'listen for GDB; loopback unless a host is given')
    .option('--paused', 'power on without running: the debugger starts it')
    .option('--monitor <socket>', 'listen for `trapeze monitor`')
    .action(async (images: string[], raw: RawRunOptions) => {
      const options = parseRunOptions(images, raw);
      finish(await runMachine(options, await environment.loadEngine(), environment));
    });
}

function addCompare(program: Command, environment: CliEnvironment, finish: (status: number) => void): void {
  const command = program
    .command('compare')
    .summary('find the first instruction that two engines execute differently')
    .description(
      'Runs a machine twice, with two engines, and compares processor, memory, devices and guest time. ' +
        'Ends with 0: equal, 1: they differ, and where. Disks are not written.',
    );
  withMachine(command)
    .option(
      '--engines <A,B>',
      `two of ${engineSchema.options.join(', ')}; uncached: each instruction decoded anew, each access through the page tables`,
      COMPARE_DEFAULTS.engines,
    )
    .option('--instructions <count>', 'how many to compare, for example 250k, 10M, 3G', COMPARE_DEFAULTS.instructions)
    .option('--from <count>', 'begin here; both run at full speed until then', COMPARE_DEFAULTS.from)
    .option('--every <count>', 'instructions between two comparisons of the processors', COMPARE_DEFAULTS.every)
    .option('--checkpoint <count>', 'and of memory and devices too', COMPARE_DEFAULTS.checkpoint)
    .action(async (images: string[], raw: RawCompareOptions) => {
      const options = parseCompareOptions(images, raw);
      finish(await compareMachines(options, await environment.loadEngine(), environment));
    });
}

function addServe(program: Command, environment: CliEnvironment): void {
  program
    .command('serve')
    .summary('serve the manager to a browser on this computer')
    .description(
      'Serves the manager over HTTP. Loopback only unless --host says otherwise; the printed address carries the token.',
    )
    .option('--port <number>', 'port; 0 takes a free one', '0')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--library <folder>', 'where machines are kept', defaultLibraryFolder())
    .action(async ({ port, host, library }: { port: string; host: string; library: string }) => {
      if (!/^\d{1,5}$/.test(port) || Number(port) > 65535)
        throw new Failure('bad-request', `--port ${port}: expected a number up to 65535`);
      const application = new Application({
        libraryFolder: library,
        spawner: nodeSpawner(vmProcessEntry),
        version: productVersion(),
        shell: 'server',
        tourImage: tourImage(),
      });
      await application.open();
      const server = await startServer({ application, rendererFolder, host, port: Number(port) });
      environment.output.write(`${server.address}\n`);
      await new Promise<void>((resolve) => {
        for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
      });
      await server.close();
      await application.close();
    });
}

function addLibraryCommands(program: Command, environment: CliEnvironment, finish: (status: number) => void): void {
  const withLibrary = (command: Command): Command =>
    command.option('--library <folder>', 'where machines are kept', defaultLibraryFolder());
  withLibrary(
    program.command('list').summary('list the machines').description('Lists the machines of the library.'),
  ).action(async ({ library }: { library: string }) => {
    const opened = await openLibrary(library);
    for (const { name, configuration, system } of opened.records) {
      environment.output.write(`${name}\t${configuration.memoryMiB} MiB\t${system}\n`);
    }
    for (const { file, message } of opened.problems) environment.errors.write(`trapeze: ${file}: ${message}\n`);
  });
  withLibrary(
    program
      .command('create')
      .summary('create a machine from images')
      .description('Creates a machine in the library from images, with what is proposed for them.')
      .argument('<image...>', 'CD, disk or floppy images, a kernel and its initial RAM disk')
      .option('--name <name>', 'name of the machine')
      .option('--memory <size>', 'guest memory, for example 256M or 1G')
      .option('--disk-size <size>', 'new disk, for example 8G; 0: none'),
  ).action((images: string[], options: CreateOptions) => createFromImages(images, options, environment));
  withLibrary(
    program
      .command('start')
      .summary('run a machine of the library in this process')
      .description('Runs a machine of the library in this process, COM1 on this terminal.')
      .argument('<name>', 'name or id of the machine')
      .option('--timeout <seconds>', 'end with status 124 after so long')
      .option('--gdb <[host:]port>', 'listen for GDB; loopback unless a host is given')
      .option('--paused', 'power on without running: the debugger starts it'),
  ).action(async (name: string, { library, timeout, gdb, paused }: StartOptions) => {
    const opened = await openLibrary(library);
    const record = findMachine(opened, name);
    const base = parseRunOptions([], { bios: '/', ...(timeout === undefined ? {} : { timeout }) });
    finish(
      await runMachine(
        {
          ...base,
          configuration: record.configuration,
          gdb: gdb === undefined ? null : parseListen(gdb),
          paused: paused ?? false,
          monitor: monitorPath(opened.machineFolder(record.id)),
        },
        await environment.loadEngine(),
        environment,
      ),
    );
  });
  withLibrary(
    program
      .command('monitor')
      .summary('talk to the monitor of a running machine')
      .description('Reads monitor commands and prints their answers; `help` lists them. On a terminal with completion.')
      .argument('<name>', 'name or id of the machine, or the socket of `trapeze run --monitor`'),
  ).action(async (name: string, { library }: { library: string }) => {
    const isSocket = name.includes('/') || name.includes('\\');
    const opened = await openLibrary(library);
    const socket = isSocket ? name : monitorPath(opened.machineFolder(findMachine(opened, name).id));
    finish(await runMonitor(socket, name, path.join(opened.folder, 'monitor-history'), environment));
  });
}

interface StartOptions {
  readonly library: string;
  readonly timeout?: string;
  readonly gdb?: string;
  readonly paused?: boolean;
}

function findMachine(library: Library, name: string): MachineRecord {
  const record = library.records.find((candidate) => candidate.id === name || candidate.name === name);
  if (record === undefined) throw new Failure('not-found', `There is no machine "${name}" in ${library.folder}`);
  return record;
}

interface CreateOptions {
  readonly library: string;
  readonly name?: string;
  readonly memory?: string;
  readonly diskSize?: string;
}

async function createFromImages(
  images: readonly string[],
  options: CreateOptions,
  environment: CliEnvironment,
): Promise<void> {
  const { proposal } = detectMedia(images);
  const application = new Application({
    libraryFolder: options.library,
    spawner: nodeSpawner(vmProcessEntry),
    version: productVersion(),
    shell: 'server',
    tourImage: null,
  });
  await application.open();
  const newDiskBytes =
    options.diskSize === undefined ? proposal.newDiskBytes : parseMemory(options.diskSize) * 1024 * 1024;
  const request = createRequestSchema.safeParse({
    ...proposal,
    name: options.name ?? application.library.freeName(proposal.name),
    newDiskBytes: newDiskBytes === 0 ? null : newDiskBytes,
    configuration: {
      ...proposal.configuration,
      memoryMiB: options.memory === undefined ? proposal.configuration.memoryMiB : parseMemory(options.memory),
    },
  });
  if (!request.success)
    throw new Failure('bad-request', `the machine is not possible: ${request.error.issues[0]?.message ?? ''}`);
  const machine = await application.handlers['machines.create'](request.data);
  environment.output.write(`${machine.name}\t${path.join(application.library.folder, 'machines', machine.id)}\n`);
}

async function openLibrary(folder: string): Promise<Library> {
  const library = new Library(folder);
  await library.open();
  return library;
}
