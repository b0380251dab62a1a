// The life of one machine: its VM process from start to end, however it ends.
import type { DebugStatus } from '../../core/api/debug.ts';
import type { FailureRecord } from '../../core/api/failure.ts';
import { Failure, toFailureRecord } from '../../core/api/failure.ts';
import type { LogEntry, MachineLifeState, MachineRecord, MachineSummary, Statistics } from '../../core/api/machines.ts';
import type { StopReasonRecord, VmMessage } from '../../core/api/vmProcess.ts';
import { monitorPath } from './monitorPath.ts';
import type { VmSpawner } from '../vm-host/spawn.ts';
import { ByteHistory } from './byteHistory.ts';
import { checkConfiguration } from './configurationCheck.ts';
import { MACHINE_TAG, MachineLog } from './machineLog.ts';
import { VmConnection } from './vmConnection.ts';

export interface RuntimeEvents {
  changed(): void;
  statistics(statistics: Statistics): void;
  logged(entry: LogEntry): void;
  serial(port: number, bytes: Uint8Array, end: number): void;
  picture(png: Uint8Array): Promise<void>;
  debugChanged(status: DebugStatus): void;
  debugLogged(text: string): void;
}

const SERIAL_KEPT = 256 * 1024;
/** A text screen keeps its sharpness; larger ones are shrunk. */
const PICTURE_WIDTH = 800;
const PICTURE_INTERVAL_MS = 10_000;
/** A guest that is stepped is paused a hundred times a second: only one that stays so is pictured. */
const PAUSED_PICTURE_MS = 500;
const END_TIMEOUT_MS = 3000;

export class MachineRuntime {
  readonly log: MachineLog;
  readonly #folder: string;
  readonly #spawner: VmSpawner;
  readonly #events: RuntimeEvents;
  readonly #serial = new Map<number, ByteHistory>();
  #state: MachineLifeState = 'stopped';
  #failure: FailureRecord | null = null;
  #startedAt: number | null = null;
  #connection: VmConnection | null = null;
  /** The process is meant to end: its exit is no crash. */
  #ending = false;
  #pictureTimer: NodeJS.Timeout | undefined;
  #pausedTimer: NodeJS.Timeout | undefined;
  #pictureVersion = 0;

  constructor(folder: string, spawner: VmSpawner, events: RuntimeEvents) {
    this.#folder = folder;
    this.#spawner = spawner;
    this.#events = events;
    this.log = new MachineLog(folder, (entry) => events.logged(entry));
  }

  get state(): MachineLifeState {
    return this.#state;
  }

  get isOff(): boolean {
    return this.#state === 'stopped' || this.#state === 'crashed';
  }

  summary(record: MachineRecord): MachineSummary {
    return {
      ...record,
      state: this.#state,
      startedAt: this.#startedAt,
      failure: this.#failure,
      processId: this.#connection?.processId ?? null,
      pictureVersion: this.#pictureVersion,
    };
  }

  /** The live process. Throws if the machine is off. */
  connection(): VmConnection {
    if (this.#connection === null)
      throw new Failure('wrong-state', 'The machine is off.', { action: 'Start it first.' });
    return this.#connection;
  }

  serialHistory(port: number): ByteHistory {
    const known = this.#serial.get(port);
    if (known !== undefined) return known;
    const history = new ByteHistory(SERIAL_KEPT);
    this.#serial.set(port, history);
    return history;
  }

  async start(record: MachineRecord, paused = false): Promise<void> {
    if (!this.isOff) throw new Failure('wrong-state', `"${record.name}" is on already.`);
    checkConfiguration(record.configuration);
    for (const history of this.#serial.values()) history.clear();
    this.#ending = false;
    this.#enter('starting', null);
    const connection = new VmConnection(this.#spawner.spawn(), {
      report: (message) => this.#report(message),
      exit: (how, lastWords) => this.#exited(how, lastWords),
    });
    this.#connection = connection;
    try {
      const monitor = monitorPath(this.#folder);
      await connection.call('configure', { holder: record.name, configuration: record.configuration, monitor });
      this.#startedAt = Date.now();
      await connection.call(paused ? 'startPaused' : 'start', {});
    } catch (error) {
      const failure = toFailureRecord(error);
      if (failure.code !== 'process-lost') {
        this.log.write('error', MACHINE_TAG, `Not started: ${failure.message}`);
        await this.#end();
      }
      throw error;
    }
    // The picture is kept for the list when the machine is off.
    clearInterval(this.#pictureTimer);
    this.#pictureTimer = setInterval(() => void this.keepPicture(), PICTURE_INTERVAL_MS);
  }

  async pause(): Promise<void> {
    this.#expect('running');
    await this.connection().call('pause', {});
  }

  async resume(): Promise<void> {
    this.#expect('paused');
    await this.connection().call('start', {});
  }

  async reset(): Promise<void> {
    this.#expect('running', 'paused', 'halted');
    await this.connection().call('reset', {});
    this.#failure = null;
    this.log.write('info', MACHINE_TAG, 'Reset');
  }

  async shutDown(): Promise<void> {
    this.#expect('running');
    await this.connection().call('pressPowerButton', {});
    this.log.write('info', MACHINE_TAG, 'Power button pressed: the guest decides');
  }

  async powerOff(): Promise<void> {
    if (this.isOff) throw new Failure('wrong-state', 'The machine is off already.');
    await this.keepPicture();
    this.log.write('info', MACHINE_TAG, 'Powered off');
    await this.#end();
  }

  /** Takes the picture that the list shows. */
  async keepPicture(): Promise<void> {
    try {
      const picture = await this.#connection?.call('screenshot', { maxWidth: PICTURE_WIDTH });
      if (picture === null || picture === undefined) return;
      await this.#events.picture(picture.png);
      this.#pictureVersion++;
    } catch {
      // A machine that is just ending has no picture.
    }
  }

  /** Ends the process, asked first, then by force. */
  async #end(): Promise<void> {
    const connection = this.#connection;
    if (connection === null) return;
    this.#ending = true;
    const timer = setTimeout(() => connection.kill(), END_TIMEOUT_MS);
    try {
      await connection.call('end', {});
    } catch {
      connection.kill();
    }
    while (this.#connection === connection) await new Promise((resolve) => setTimeout(resolve, 5));
    clearTimeout(timer);
  }

  #report(message: Parameters<ConstructorParameters<typeof VmConnection>[1]['report']>[0]): void {
    switch (message.kind) {
      case 'state':
        this.#stateReported(message.state, message.reason);
        return;
      case 'serial': {
        const history = this.serialHistory(message.port);
        history.append(message.bytes);
        this.#events.serial(message.port, message.bytes, history.end);
        return;
      }
      case 'log':
        this.log.write(message.level, message.tag, message.message);
        return;
      case 'statistics':
        this.#events.statistics(message.statistics);
        return;
      case 'debug-changed':
        this.#events.debugChanged(message.status);
        return;
      case 'debug-logged':
        this.#events.debugLogged(message.text);
    }
  }

  #stateReported(state: Extract<VmMessage, { kind: 'state' }>['state'], reason: StopReasonRecord | null): void {
    if (this.#ending) return;
    clearTimeout(this.#pausedTimer);
    if (state === 'running') {
      if (this.#state !== 'running')
        this.log.write('info', MACHINE_TAG, this.#state === 'paused' ? 'Continued' : 'Started');
      this.#enter('running', null);
    } else if (state === 'paused') {
      this.log.write('info', MACHINE_TAG, 'Paused');
      this.#enter('paused', null);
      this.#pausedTimer = setTimeout(() => void this.keepPicture(), PAUSED_PICTURE_MS);
    } else if (state === 'halted') {
      const detail = reason?.kind === 'triple-fault' ? reason.detail : '';
      const failure = new Failure('internal', 'The guest’s processor shut down (triple fault).', {
        reason: detail === '' ? 'It met an exception that it could not deliver.' : detail,
        action: 'Reset the machine, or power it off.',
      });
      this.log.write('error', MACHINE_TAG, `${failure.message} ${detail}`.trim());
      this.#enter('halted', failure.record);
    } else {
      this.log.write('info', MACHINE_TAG, stopText(reason));
      void this.keepPicture().then(() => this.#end());
    }
  }

  #exited(how: string, lastWords: string): void {
    clearInterval(this.#pictureTimer);
    clearTimeout(this.#pausedTimer);
    this.#connection = null;
    this.#startedAt = null;
    if (this.#ending) {
      this.#enter('stopped', null);
      return;
    }
    const failure = new Failure('process-lost', 'The machine crashed: its process ended.', {
      reason: `The VM process ended by itself (${how}). Other machines are not affected.`,
      action: 'Start it again. Its disks hold all that was written to them.',
      details: lastWords,
    });
    this.log.write('error', MACHINE_TAG, `Crashed: the VM process ended (${how})`);
    this.#enter('crashed', failure.record);
  }

  #expect(...states: MachineLifeState[]): void {
    if (states.includes(this.#state)) return;
    throw new Failure('wrong-state', `This needs a machine that is ${states.join(' or ')}; it is ${this.#state}.`);
  }

  #enter(state: MachineLifeState, failure: FailureRecord | null): void {
    this.#state = state;
    this.#failure = failure;
    this.#events.changed();
  }
}

function stopText(reason: StopReasonRecord | null): string {
  if (reason?.kind === 'guest-power-off') return 'The guest powered off';
  if (reason?.kind === 'debug-exit') return `The guest ended through the debug exit with ${reason.value}`;
  return 'Powered off';
}
