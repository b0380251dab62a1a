// The application: what the product does, behind the contract. Shells only carry it.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import type { Disposable } from '../../core/base/disposable.ts';
import { Emitter } from '../../core/base/emitter.ts';
import type { ApplicationHandlers, EventName, EventOf } from '../../core/api/contract.ts';
import { debugMethodNames, defaultExitPolicy, exitClasses, withoutMachine } from '../../core/api/debug.ts';
import { validationMessage } from '../../core/api/dispatch.ts';
import { Failure } from '../../core/api/failure.ts';
import { machineRecordSchema } from '../../core/api/machines.ts';
import type { CreateRequest, MachineRecord, MachineSummary, Statistics } from '../../core/api/machines.ts';
import { settingsSchema } from '../../core/api/system.ts';
import type { Settings } from '../../core/api/system.ts';
import type { VmSpawner } from '../vm-host/spawn.ts';
import { attachmentsOf } from './attachments.ts';
import { checkConfiguration } from './configurationCheck.ts';
import { viewFolder } from './folderView.ts';
import { writeJson } from './jsonFile.ts';
import { Library, filesOf } from './library.ts';
import { MachineRuntime } from './machineRuntime.ts';
import { MACHINE_TAG } from './machineLog.ts';
import { detectMedia } from './mediaDetection.ts';
import { discardVariables, withOwnVariables } from './uefiVariables.ts';
import { Uploads } from './uploads.ts';

/** As the configuration allows. */
const MAX_SYMBOL_FILES = 16;

export interface ApplicationOptions {
  readonly libraryFolder: string;
  readonly spawner: VmSpawner;
  readonly version: string;
  readonly shell: 'electron' | 'server';
  /** The bundled tour's disk image, if it is there. */
  readonly tourImage: string | null;
}

export interface ApplicationEvent {
  readonly name: EventName;
  readonly data: unknown;
}

export class Application {
  readonly handlers: ApplicationHandlers;
  readonly library: Library;
  readonly uploads: Uploads;
  readonly #options: ApplicationOptions;
  readonly #runtimes = new Map<string, MachineRuntime>();
  readonly #events = new Emitter<ApplicationEvent>();
  readonly #settingsFile: string;
  #settings: Settings = settingsSchema.parse({});

  constructor(options: ApplicationOptions) {
    this.#options = options;
    this.library = new Library(options.libraryFolder);
    this.uploads = new Uploads(this.library.mediaFolder);
    this.#settingsFile = path.join(this.library.folder, 'settings.json');
    this.handlers = this.#createHandlers();
  }

  readonly onEvent = (listener: (event: ApplicationEvent) => void): Disposable => this.#events.event(listener);

  async open(): Promise<void> {
    await this.library.open();
    this.uploads.removePartial();
    this.#settings = readSettings(this.#settingsFile);
    await this.#addTour();
  }

  /** Ends all machines. */
  async close(): Promise<void> {
    const on = [...this.#runtimes.values()].filter((runtime) => !runtime.isOff);
    await Promise.allSettled(on.map((runtime) => runtime.powerOff()));
  }

  async receiveUpload(source: Readable, fileName: string, bytes: number): Promise<string> {
    return this.uploads.receive(source, fileName, bytes);
  }

  openFiles(paths: string[]): void {
    this.#emit('system.openFiles', { paths });
  }

  #emit<E extends EventName>(name: E, data: EventOf<E>): void {
    this.#events.fire({ name, data });
  }

  #runtime(id: string): MachineRuntime {
    this.library.get(id);
    const known = this.#runtimes.get(id);
    if (known !== undefined) return known;
    const runtime = new MachineRuntime(this.library.machineFolder(id), this.#options.spawner, {
      changed: () => this.#changed(id),
      statistics: (statistics) => this.#statistics(id, statistics),
      logged: (entry) => this.#emit('machines.logged', { id, entry }),
      serial: (port, bytes, end) =>
        this.#emit('serial.output', { id, port, bytes: bytes as Uint8Array<ArrayBuffer>, end }),
      picture: (png) => this.library.writePicture(id, png),
      debugChanged: (status) => this.#emit('debug.changed', { id, status }),
      debugLogged: (text) => this.#emit('debug.logged', { id, text }),
    });
    this.#runtimes.set(id, runtime);
    return runtime;
  }

  #summary(id: string): MachineSummary {
    return this.#runtime(id).summary(this.library.get(id));
  }

  #changed(id: string): void {
    if (this.library.records.some((record) => record.id === id)) this.#emit('machines.changed', this.#summary(id));
  }

  #statistics(id: string, statistics: Statistics): void {
    this.#emit('machines.statistics', { id, statistics });
    // A speed is only a measurement while the guest uses the whole core.
    const known = this.#settings.measuredMips ?? 0;
    if (statistics.busy > 0.9 && statistics.mips > known * 1.05) {
      void this.#saveSettings({ measuredMips: Math.round(statistics.mips) });
    }
  }

  #createHandlers(): ApplicationHandlers {
    return {
      ...this.#systemHandlers(),
      ...this.#libraryHandlers(),
      ...this.#lifeHandlers(),
      ...this.#guestHandlers(),
      ...this.#debugHandlers(),
    };
  }

  #systemHandlers() {
    return {
      'system.information': () => ({
        version: this.#options.version,
        shell: this.#options.shell,
        hostMemoryBytes: os.totalmem(),
        freeMemoryBytes: os.freemem(),
        processors: os.availableParallelism(),
        library: this.library.folder,
      }),
      'system.settings': () => this.#settings,
      'system.saveSettings': (changes) => this.#saveSettings(changes),
      'media.detect': ({ paths }) => {
        const detection = detectMedia(paths);
        const name = this.library.freeName(detection.proposal.name);
        return { ...detection, proposal: { ...detection.proposal, name } };
      },
      'media.browse': async ({ folder }) => {
        const view = await viewFolder(
          folder ?? this.#settings.lastFolder ?? os.homedir(),
          this.library.mediaFolder,
        ).catch((error: unknown) => {
          if (folder !== null) throw error;
          return viewFolder(os.homedir(), this.library.mediaFolder);
        });
        if (view.folder !== this.#settings.lastFolder) await this.#saveSettings({ lastFolder: view.folder });
        return view;
      },
      'media.discard': ({ paths }) => {
        for (const file of paths) this.#discardUnused(file);
        return null;
      },
    } satisfies Partial<ApplicationHandlers>;
  }

  #libraryHandlers() {
    return {
      'machines.list': () => ({
        machines: this.library.records.map((record) => this.#summary(record.id)),
        problems: [...this.library.problems],
      }),
      'machines.create': async (request) => {
        const record = await this.#create(request, null);
        this.#emit('machines.changed', this.#summary(record.id));
        return this.#summary(record.id);
      },
      'machines.update': async ({ id, name, notes, configuration }) => {
        const record = this.library.get(id);
        if (configuration !== null) {
          if (!this.#runtime(id).isOff) {
            throw new Failure('wrong-state', `"${record.name}" is on.`, {
              reason: 'Its hardware can only be changed while it is off.',
              action: 'Power it off first.',
            });
          }
          checkConfiguration(configuration);
        }
        if (name !== null && name !== record.name) this.#checkNameIsFree(name);
        const folder = this.library.machineFolder(id);
        await this.library.update({
          ...record,
          name: name ?? record.name,
          notes: notes ?? record.notes,
          configuration: configuration === null ? record.configuration : await withOwnVariables(configuration, folder),
        });
        if (configuration !== null) {
          await discardVariables(configuration, folder);
          if (configuration.firmware.variables !== null) this.#discardUnused(configuration.firmware.variables);
        }
        this.#changed(id);
        return this.#summary(id);
      },
      'machines.delete': async ({ id }) => {
        const record = this.library.get(id);
        if (!this.#runtime(id).isOff) {
          throw new Failure('wrong-state', `"${record.name}" is on.`, { action: 'Power it off first.' });
        }
        await this.library.remove(id);
        this.#runtimes.delete(id);
        for (const file of filesOf(record)) this.#discardUnused(file);
        if (record.bundled === 'tour') await this.#saveSettings({ tourRemoved: true });
        this.#emit('machines.removed', { id });
        return null;
      },
      'machines.attachments': ({ id }) => ({ attachments: attachmentsOf(this.library.get(id)) }),
      'machines.log': ({ id }) => ({ entries: [...this.#runtime(id).log.entries] }),
    } satisfies Partial<ApplicationHandlers>;
  }

  #lifeHandlers() {
    const act = async (id: string, action: (runtime: MachineRuntime) => Promise<void>): Promise<MachineSummary> => {
      await action(this.#runtime(id));
      return this.#summary(id);
    };
    return {
      'machines.start': ({ id, paused }) => act(id, (runtime) => runtime.start(this.library.get(id), paused)),
      'machines.pause': ({ id }) => act(id, (runtime) => runtime.pause()),
      'machines.resume': ({ id }) => act(id, (runtime) => runtime.resume()),
      'machines.reset': ({ id }) => act(id, (runtime) => runtime.reset()),
      'machines.shutDown': ({ id }) => act(id, (runtime) => runtime.shutDown()),
      'machines.powerOff': ({ id }) => act(id, (runtime) => runtime.powerOff()),
    } satisfies Partial<ApplicationHandlers>;
  }

  #guestHandlers() {
    const vm = (id: string) => this.#runtime(id).connection();
    return {
      'console.frame': ({ id, ...request }) => vm(id).call('frame', request),
      'console.keys': ({ id, scanCodes }) => vm(id).call('keys', { scanCodes }),
      'console.mouse': ({ id, ...movement }) => vm(id).call('mouse', movement),
      'console.screenshot': async ({ id, maxWidth }) => {
        if (!this.#runtime(id).isOff) return vm(id).call('screenshot', { maxWidth });
        const png = await this.library.readPicture(id);
        // IHDR holds width and height in the bytes after its name.
        if (png === null || png.length < 24) return null;
        const view = new DataView(png.buffer);
        return { png, width: view.getUint32(16), height: view.getUint32(20) };
      },
      'console.text': ({ id }) => vm(id).call('text', {}),
      'serial.history': ({ id, port }) => {
        const history = this.#runtime(id).serialHistory(port);
        return { bytes: history.bytes(), end: history.end };
      },
      'serial.input': ({ id, port, bytes }) => vm(id).call('serialInput', { port, bytes }),
    } satisfies Partial<ApplicationHandlers>;
  }

  /** The debugger lives in the VM process; the application passes its calls on. */
  #debugHandlers() {
    type Names = (typeof debugMethodNames)[number];
    const handlers = debugMethodNames.map((name) => [
      name,
      (request: { id: string }) =>
        this.#runtime(request.id)
          .connection()
          .call(name, withoutMachine(request) as never),
    ]);
    const passed = Object.fromEntries(handlers) as unknown as Pick<ApplicationHandlers, Names>;
    return { ...passed, ...this.#keptDebugHandlers(passed) };
  }

  /** What belongs to the machine rather than to the moment is kept with it: its exit policy and its symbol files. */
  #keptDebugHandlers(passed: Pick<ApplicationHandlers, (typeof debugMethodNames)[number]>) {
    const keep = async (id: string, changes: Partial<MachineRecord['configuration']>): Promise<void> => {
      const record = this.library.get(id);
      await this.library.update({ ...record, configuration: { ...record.configuration, ...changes } });
      this.#changed(id);
    };
    return {
      'traps.setPolicy': async (request) => {
        const policy = await passed['traps.setPolicy'](request);
        const classes = exitClasses
          .filter((kind) => policy.classes[kind] !== defaultExitPolicy(kind))
          .map((kind) => [kind, policy.classes[kind]]);
        await keep(request.id, {
          exitPolicy: { classes: Object.fromEntries(classes), strictUserMode: policy.strictUserMode },
        });
        return policy;
      },
      'debug.loadSymbols': async (request) => {
        const loaded = await passed['debug.loadSymbols'](request);
        const { path: file, offset, id } = request;
        const { symbols } = this.library.get(id).configuration;
        const isFile = !file.startsWith('kernel:');
        if (isFile && symbols.length < MAX_SYMBOL_FILES && !symbols.some((known) => known.path === file))
          await keep(id, { symbols: [...symbols, { path: file, offset }] });
        return loaded;
      },
      'debug.unloadSymbols': async (request) => {
        const { symbols: loaded } = await passed['debug.status']({ id: request.id });
        const file = loaded.find(({ id }) => id === request.number)?.path;
        const answer = await passed['debug.unloadSymbols'](request);
        const { symbols } = this.library.get(request.id).configuration;
        if (symbols.some((known) => known.path === file))
          await keep(request.id, { symbols: symbols.filter((known) => known.path !== file) });
        return answer;
      },
    } satisfies Partial<ApplicationHandlers>;
  }

  async #create(request: CreateRequest, bundled: MachineRecord['bundled']): Promise<MachineRecord> {
    this.#checkNameIsFree(request.name);
    checkConfiguration(request.configuration);
    if (request.newDiskBytes !== null && request.configuration.disks.length >= 2) {
      throw new Failure('bad-request', 'There is no place for a third disk.');
    }
    const id = await this.library.freeId(request.name);
    const newDisk = path.join(this.library.machineFolder(id), `${id}.img`);
    const disks = [...request.configuration.disks];
    if (request.newDiskBytes !== null) disks.push({ path: newDisk, readOnly: false });
    const parsed = machineRecordSchema.safeParse({
      id,
      name: request.name,
      system: request.system,
      bundled,
      createdAt: Date.now(),
      configuration: { ...request.configuration, disks },
    });
    if (!parsed.success)
      throw new Failure('bad-request', 'The machine was refused.', { reason: validationMessage(parsed.error) });
    const template = request.configuration.firmware.variables;
    const record = await this.library.add(parsed.data, async (folder) => {
      if (request.newDiskBytes !== null) createSparse(newDisk, request.newDiskBytes);
      return { ...parsed.data, configuration: await withOwnVariables(parsed.data.configuration, folder) };
    });
    if (template !== null) this.#discardUnused(template);
    this.#runtime(id).log.write('info', MACHINE_TAG, 'Created');
    return record;
  }

  #checkNameIsFree(name: string): void {
    if (!this.library.records.some((record) => record.name === name)) return;
    throw new Failure('bad-request', `There is a machine named "${name}" already.`, { action: 'Choose another name.' });
  }

  /** Deletes an uploaded file that no machine uses. */
  #discardUnused(file: string): void {
    const used = this.library.records.some((record) => filesOf(record).includes(file));
    if (!used) this.uploads.discard(file);
  }

  async #addTour(): Promise<void> {
    const { tourImage } = this.#options;
    const present = this.library.records.find((record) => record.bundled === 'tour');
    if (tourImage === null || this.#settings.tourRemoved) return;
    const configuration = machineRecordSchema.shape.configuration.parse({
      memoryMiB: 16,
      disks: [{ path: tourImage, readOnly: true }],
      symbols: [{ path: tourImage.replace(/\.img$/, '.elf') }],
    });
    if (present === undefined) {
      const name = this.library.freeName('Tour of virtualization');
      await this.#create({ name, system: 'Bundled guest', configuration, newDiskBytes: null }, 'tour');
    } else if (present.configuration.disks[0]?.path !== tourImage || present.configuration.symbols.length === 0) {
      // The program was moved or updated: the image moved with it.
      await this.library.update({ ...present, configuration });
    }
  }

  async #saveSettings(changes: { [K in keyof Settings]?: Settings[K] | undefined }): Promise<Settings> {
    this.#settings = settingsSchema.parse({ ...this.#settings, ...changes });
    await writeJson(this.#settingsFile, this.#settings);
    this.#emit('system.settingsChanged', this.#settings);
    return this.#settings;
  }
}

function createSparse(file: string, bytes: number): void {
  const descriptor = fs.openSync(file, 'wx');
  try {
    fs.ftruncateSync(descriptor, bytes);
  } finally {
    fs.closeSync(descriptor);
  }
}

function readSettings(file: string): Settings {
  try {
    return settingsSchema.parse(JSON.parse(fs.readFileSync(file, 'utf8')));
  } catch {
    return settingsSchema.parse({});
  }
}
