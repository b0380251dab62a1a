// One machine in this process, from power-on to an exit status.
import fs from 'node:fs';
import type { EngineComparer } from '../../core/api/compare.ts';
import type { DebugService, DebugServiceFactory } from '../../core/api/debugService.ts';
import type { Machine } from '../../core/machine/machine.ts';
import { checkConfiguration } from '../application/configurationCheck.ts';
import { createNodeHost } from '../vm-host/nodeHost.ts';
import { ScreenReader } from '../vm-host/screenReader.ts';
import { createNodeDebugHost } from '../vm-host/nodeDebugHost.ts';
import { serveMonitor } from '../vm-host/monitorServer.ts';
import type { MachineFactory } from '../vm-host/vmProcess.ts';
import type { RunOptions } from './runOptions.ts';
import { openSerialConsole } from './serialConsole.ts';
import type { SerialConsole } from './serialConsole.ts';

/** Odd statuses belong to the guest's debug exit, `(value << 1) | 1`. */
export const EXIT = {
  poweredOff: 0,
  badArguments: 2,
  /** The processor shut down: triple fault. */
  halted: 4,
  timeout: 124,
  /** The escape key or a signal ended it. */
  ended: 130,
} as const;

export interface Streams {
  readonly input: NodeJS.ReadStream | NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
  readonly errors: NodeJS.WritableStream;
}

export interface Engine {
  readonly createMachine: MachineFactory;
  readonly createDebugService: DebugServiceFactory;
  readonly compareEngines: EngineComparer;
}

/** Runs until the guest ends, the time is up or a person ends it. Throws a `Failure` if it cannot start. */
export async function runMachine(
  options: RunOptions,
  { createMachine, createDebugService }: Pick<Engine, 'createMachine' | 'createDebugService'>,
  streams: Streams,
): Promise<number> {
  checkConfiguration(options.configuration);
  const host = createNodeHost({
    holder: `trapeze run (process ${process.pid})`,
    log: {
      write(level, tag, message) {
        if (level === 'error' || level === 'warning') streams.errors.write(`trapeze: ${tag}: ${message}\n`);
      },
    },
  });
  let machine: Machine | undefined;
  let debug: DebugService | undefined;
  let monitor: { close(): void } | undefined;
  try {
    const made = (machine = createMachine(options.configuration, host, { engine: options.engine }));
    const service = (): DebugService => {
      if (debug !== undefined) return debug;
      debug = createDebugService(made, createNodeDebugHost());
      debug.onLogged((text) => streams.errors.write(`trapeze: ${text}\n`));
      return debug;
    };
    if (options.monitor !== null) monitor = serveMonitor(options.monitor, service);
    if (options.gdb !== null) await listenForGdb(service(), options, streams);
    const status = await runToEnd(machine, options, streams);
    writeResults(machine, options);
    return status;
  } finally {
    monitor?.close();
    debug?.dispose();
    machine?.dispose();
    host.closeFiles();
  }
}

async function listenForGdb(service: DebugService, { gdb }: RunOptions, streams: Streams): Promise<void> {
  const { address, warning } = await service.handlers['debug.gdb']({ listen: gdb });
  if (warning !== null) streams.errors.write(`trapeze: ${warning}\n`);
  streams.errors.write(`trapeze: GDB can connect: target remote ${address ?? ''}\n`);
}

async function runToEnd(machine: Machine, options: RunOptions, streams: Streams): Promise<number> {
  const debugFile = options.debugFile === null ? null : fs.openSync(options.debugFile, 'w');
  if (debugFile !== null) machine.onDebugOutput((bytes) => void fs.writeSync(debugFile, bytes));
  let timer: NodeJS.Timeout | undefined;
  let serial: SerialConsole | undefined;
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  let onSignal = (): void => undefined;
  try {
    return await new Promise<number>((resolve) => {
      onSignal = () => resolve(EXIT.ended);
      for (const signal of signals) process.on(signal, onSignal);
      serial = connectSerial(machine, options, streams, () => resolve(EXIT.ended));
      machine.onState(() => {
        const status = exitStatus(machine, streams);
        if (status !== null) resolve(status);
      });
      if (options.timeoutSeconds !== null) {
        timer = setTimeout(() => resolve(EXIT.timeout), options.timeoutSeconds * 1000);
      }
      if (options.paused) machine.startPaused();
      else machine.start();
    });
  } finally {
    clearTimeout(timer);
    for (const signal of signals) process.off(signal, onSignal);
    serial?.close();
    if (debugFile !== null) fs.closeSync(debugFile);
  }
}

function exitStatus(machine: Machine, streams: Streams): number | null {
  const reason = machine.stopReason;
  if (machine.state === 'halted') {
    const detail = reason?.kind === 'triple-fault' ? reason.detail : '';
    streams.errors.write(`trapeze: the guest's processor shut down (triple fault) ${detail}\n`);
    return EXIT.halted;
  }
  if (machine.state !== 'stopped') return null;
  return reason?.kind === 'debug-exit' ? ((reason.value << 1) | 1) & 0xff : EXIT.poweredOff;
}

function connectSerial(
  machine: Machine,
  { serial }: RunOptions,
  streams: Streams,
  escape: () => void,
): SerialConsole | undefined {
  if (serial.kind === 'none') return undefined;
  if (serial.kind === 'file') {
    const descriptor = fs.openSync(serial.path, 'w');
    machine.onSerialOutput(({ port, bytes }) => void (port === 0 && fs.writeSync(descriptor, bytes)));
    return { write: () => undefined, close: () => fs.closeSync(descriptor) };
  }
  const terminal = openSerialConsole({
    input: streams.input as NodeJS.ReadStream,
    output: streams.output as NodeJS.WriteStream,
    hint: streams.errors as NodeJS.WriteStream,
    send: (bytes) => machine.serialInput(0, bytes),
    escape,
  });
  machine.onSerialOutput(({ port, bytes }) => void (port === 0 && terminal.write(bytes.slice())));
  return terminal;
}

/** The files asked for, from the machine as it stands. */
function writeResults(machine: Machine, options: RunOptions): void {
  const screen = new ScreenReader(machine.display);
  if (options.screenTextFile !== null) {
    const lines = screen.text()?.lines ?? [];
    fs.writeFileSync(options.screenTextFile, lines.map((line) => `${line.trimEnd()}\n`).join(''));
  }
  if (options.screenshotFile !== null) {
    fs.writeFileSync(options.screenshotFile, screen.screenshot(null)?.png ?? new Uint8Array(0));
  }
  if (options.statisticsFile !== null) {
    const statistics = { ...machine.statistics(), state: machine.state, stopReason: machine.stopReason };
    fs.writeFileSync(options.statisticsFile, `${JSON.stringify(statistics, null, 2)}\n`);
  }
}
