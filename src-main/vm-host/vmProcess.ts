// One machine behind a message port.
import type { DebugService, DebugServiceFactory } from '../../core/api/debugService.ts';
import { debugMethodNames } from '../../core/api/debug.ts';
import { dispatch } from '../../core/api/dispatch.ts';
import { Failure, toFailureRecord } from '../../core/api/failure.ts';
import { vmMethods, vmRequestSchema } from '../../core/api/vmProcess.ts';
import type { VmHandlers, VmMessage } from '../../core/api/vmProcess.ts';
import type { MachineConfiguration } from '../../core/machine/configuration.ts';
import type { MachineOptions } from '../../core/machine/createMachine.ts';
import type { Machine, MachineHost } from '../../core/machine/machine.ts';
import { createNodeDebugHost } from './nodeDebugHost.ts';
import { serveMonitor } from './monitorServer.ts';
import { createNodeHost } from './nodeHost.ts';
import type { NodeHost } from './nodeHost.ts';
import { ScreenReader } from './screenReader.ts';
import { StatisticsMeter } from './statisticsMeter.ts';

export type MachineFactory = (
  configuration: MachineConfiguration,
  host: MachineHost,
  options?: MachineOptions,
) => Machine;

/** The VM process's end of the wire to the application. */
export interface VmPort {
  send(message: VmMessage): void;
  onMessage(listener: (message: unknown) => void): void;
  /** Leaves the process once what was sent has gone out. */
  exit(): void;
}

interface Held {
  readonly machine: Machine;
  readonly host: NodeHost;
  readonly screen: ScreenReader;
  /** Made when a client first asks for it: a machine without one runs as if there were none. */
  debug: DebugService | null;
  monitor: { close(): void } | null;
  readonly states: StateReporter;
}

const STATISTICS_INTERVAL_MS = 1000;
/** A step is over well within. */
const STEP_MS = 25;
/** Serial bytes are gathered for a moment: a boot log of single bytes would be a message each. */
const SERIAL_GATHER_MS = 8;

export function runVmProcess(
  port: VmPort,
  createMachine: MachineFactory,
  createDebugService: DebugServiceFactory,
): void {
  let held: Held | null = null;
  const hold = (): Held => {
    if (held === null) throw new Failure('wrong-state', 'The machine is not configured yet.');
    return held;
  };

  const input = (act: (machine: Machine) => void): null => {
    const { machine, screen } = hold();
    act(machine);
    screen.expectChange();
    return null;
  };

  const debug = (): DebugService => {
    const { machine } = hold();
    if (held!.debug !== null) return held!.debug;
    const service = createDebugService(machine, createNodeDebugHost());
    service.onChanged((status) => port.send({ kind: 'debug-changed', status }));
    service.onLogged((text) => {
      port.send({ kind: 'debug-logged', text });
      port.send({ kind: 'log', level: 'info', tag: 'debugger', message: text });
    });
    return (held!.debug = service);
  };
  const debugHandlers = Object.fromEntries(
    debugMethodNames.map((name) => [name, (request: never) => debug().handlers[name](request)]),
  ) as DebugService['handlers'];

  const handlers: VmHandlers = {
    ...debugHandlers,
    configure({ holder, configuration, monitor }) {
      if (held !== null) throw new Failure('wrong-state', 'The machine is configured already.');
      held = build(port, createMachine, holder, configuration);
      if (monitor !== null) held.monitor = serveMonitor(monitor, debug);
      // A policy that differs from the default is the debugger's to keep.
      if (differs(configuration)) debug();
      return null;
    },
    start: () =>
      done(() => {
        hold().machine.start();
        hold().states.tell();
      }),
    startPaused: () => done(() => hold().machine.startPaused()),
    pause: () => done(() => hold().machine.pause()),
    reset: () => done(() => hold().machine.reset()),
    pressPowerButton: () => done(() => hold().machine.pressPowerButton()),
    end() {
      if (held !== null) release(held);
      held = null;
      // After the answer has left.
      setImmediate(() => port.exit());
      return null;
    },
    keys: ({ scanCodes }) => input((machine) => machine.keyboard(scanCodes)),
    mouse: ({ dx, dy, wheel, buttons }) => input((machine) => machine.mouse(dx, dy, wheel, buttons)),
    serialInput: ({ port: index, bytes }) => input((machine) => machine.serialInput(index, bytes)),
    frame: (request) => hold().screen.frame(request),
    screenshot: ({ maxWidth }) => hold().screen.screenshot(maxWidth),
    text: () => hold().screen.text(),
  };

  port.onMessage((message) => void serve(port, handlers, message));
  port.send({ kind: 'ready' });
}

const differs = ({ exitPolicy }: MachineConfiguration): boolean =>
  exitPolicy.strictUserMode || Object.keys(exitPolicy.classes).length > 0;

async function serve(port: VmPort, handlers: VmHandlers, message: unknown): Promise<void> {
  const parsed = vmRequestSchema.safeParse(message);
  if (!parsed.success) return;
  const { id, method, request } = parsed.data;
  try {
    port.send({ kind: 'response', id, response: await dispatch(vmMethods, handlers, method, request) });
  } catch (error) {
    port.send({ kind: 'failure', id, failure: toFailureRecord(error) });
  }
}

function done(action: () => void): null {
  action();
  return null;
}

function build(port: VmPort, createMachine: MachineFactory, holder: string, configuration: MachineConfiguration): Held {
  const host = createNodeHost({
    holder,
    log: { write: (level, tag, message) => port.send({ kind: 'log', level, tag, message }) },
  });
  let machine: Machine;
  try {
    machine = createMachine(configuration, host);
  } catch (error) {
    host.closeFiles();
    throw error;
  }
  const screen = new ScreenReader(machine.display);
  report(port, machine);
  return { machine, host, screen, debug: null, monitor: null, states: new StateReporter(port, machine) };
}

function release(held: Held): void {
  try {
    held.monitor?.close();
    held.debug?.dispose();
    held.machine.dispose();
  } finally {
    held.host.closeFiles();
  }
}

/**
 * Tells of the machine's states. A guest that is stepped runs for an instant and stands again: nobody but the debugger
 * needs to hear of that.
 */
class StateReporter {
  readonly #port: VmPort;
  readonly #machine: Machine;
  #told: Machine['state'];
  #timer: NodeJS.Timeout | undefined;

  constructor(port: VmPort, machine: Machine) {
    this.#port = port;
    this.#machine = machine;
    this.#told = machine.state;
    machine.onState((state) => {
      if (state === 'running' && this.#told === 'paused') this.#timer = setTimeout(() => this.tell(), STEP_MS);
      else this.tell();
    });
  }

  tell(): void {
    clearTimeout(this.#timer);
    const { state, stopReason } = this.#machine;
    if (state === this.#told) return;
    this.#told = state;
    this.#port.send({ kind: 'state', state, reason: stopReason });
  }
}

/** Sends what the machine does to the application, until the process ends. */
function report(port: VmPort, machine: Machine): void {
  const meter = new StatisticsMeter(machine);
  machine.onGuestError(({ source, what, detail }) =>
    port.send({ kind: 'log', level: 'warning', tag: source, message: detail === '' ? what : `${what} (${detail})` }),
  );
  reportSerial(port, machine);
  reportDebugLines(port, machine);
  setInterval(() => {
    if (machine.state === 'running') port.send({ kind: 'statistics', statistics: meter.sample() });
  }, STATISTICS_INTERVAL_MS);
}

function reportSerial(port: VmPort, machine: Machine): void {
  const pending = new Map<number, Uint8Array[]>();
  const flush = (): void => {
    for (const [index, parts] of pending) {
      port.send({ kind: 'serial', port: index, bytes: new Uint8Array(Buffer.concat(parts)) });
    }
    pending.clear();
  };
  machine.onSerialOutput(({ port: index, bytes }) => {
    if (pending.size === 0) setTimeout(flush, SERIAL_GATHER_MS);
    const parts = pending.get(index) ?? [];
    parts.push(bytes.slice());
    pending.set(index, parts);
  });
}

/** Text written to port E9h goes to the log, a line an entry. */
function reportDebugLines(port: VmPort, machine: Machine): void {
  const decoder = new TextDecoder();
  let rest = '';
  machine.onDebugOutput((bytes) => {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
    rest = (lines.pop() ?? '').slice(0, 2000);
    for (const line of lines) {
      if (line.trim() !== '') port.send({ kind: 'log', level: 'info', tag: 'port E9h', message: line.trimEnd() });
    }
  });
}
