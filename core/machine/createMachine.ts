// Builds a machine from its configuration: board, firmware and hypervisor around the media that the host opens.
import { Emitter } from '../base/emitter.ts';
import { I440fxBoard } from '../chipset/i440fxBoard.ts';
import type { BoardHost } from '../chipset/boardHost.ts';
import { Bios } from '../firmware/bios/bios.ts';
import { diskGeometry } from '../firmware/bios/disk/drives.ts';
import { trapPort } from '../firmware/board.ts';
import { firmwareFiles } from '../firmware/foreign/firmwareFiles.ts';
import { loadKernel } from '../firmware/kernel/loadKernel.ts';
import type { KernelPlan } from '../firmware/kernel/kernelPlan.ts';
import { buildRom } from '../firmware/rom/buildRom.ts';
import { cpuidLeaf, hasFeature, modified, type CpuModel } from '../cpu/state/cpuModels.ts';
import type { EngineName } from '../cpu/state/engines.ts';
import type { BlockStore } from '../host/blockStore.ts';
import type { StateFile } from '../host/stateFile.ts';
import { Hypervisor } from '../hypervisor/hypervisor.ts';
import type { InspectableMachine, MachineInspection, UnclaimedAccess } from './inspection.ts';
import type { MachineInput, ReplayLog, StampedInput } from '../hypervisor/replayLog.ts';
import type { MachineConfiguration } from './configuration.ts';
import { createFirmwareContext } from './firmwareContext.ts';
import type { Machine, MachineHost, MachineStatistics, StopReason } from './machine.ts';
import { FlashFile } from './flashFile.ts';
import { DISPLAY_BYTES, RomSpace, romBytesFor } from './romSpace.ts';
import { deviceText, hashMachine } from './stateHash.ts';

const MEBIBYTE = 1 << 20;
const MAXIMUM_KERNEL_BYTES = 512 * MEBIBYTE;
const MAXIMUM_ROM_BYTES = 16 * MEBIBYTE;
const FLASH_BLOCK_BYTES = 4096;
/** Different ports and addresses that nobody answers: more than any system probes. */
const UNCLAIMED_KEPT = 1024;

export interface MachineOptions {
  /** Keeps what comes from outside in `recording`. */
  readonly record?: boolean;
  /** Runs a recording again; live inputs are ignored. */
  readonly replay?: ReplayLog;
  readonly engine?: EngineName;
}

export interface RecordedMachine extends InspectableMachine {
  readonly recording: readonly StampedInput[];
  /** Starts or continues, and pauses at the first repeatable point at or after `instructions` since power-on. */
  runUntil(instructions: number): void;
}

interface Media {
  readonly disks: readonly BlockStore[];
  readonly cdrom: BlockStore | null;
  readonly floppy: BlockStore | null;
  /** UEFI variables. */
  readonly variables: StateFile | null;
}

/** Throws an Error that names the file and what is wrong with it; nothing stays open then. */
export function createMachine(
  configuration: MachineConfiguration,
  host: MachineHost,
  options: MachineOptions = {},
): RecordedMachine {
  const opened: { close(): void }[] = [];
  const open = (path: string, readOnly: boolean, sectorBytes: 512 | 2048): BlockStore => {
    const store = host.openBlockStore(path, { readOnly, sectorBytes });
    opened.push(store);
    return store;
  };
  try {
    const media: Media = {
      disks: configuration.disks.map((disk) => open(disk.path, disk.readOnly, 512)),
      cdrom: configuration.cdrom === null ? null : open(configuration.cdrom, true, 2048),
      variables: openVariables(configuration, host, opened),
      floppy: configuration.floppy === null ? null : open(configuration.floppy.path, configuration.floppy.readOnly, 512),
    };
    const kernel = readKernel(configuration, host);
    return new PcMachine(configuration, host, media, kernel, options);
  } catch (error) {
    for (const store of opened) store.close();
    throw error;
  }
}

function readKernel(configuration: MachineConfiguration, host: MachineHost): KernelPlan | null {
  const { kernel } = configuration;
  if (kernel === null) return null;
  const read = (path: string): Uint8Array<ArrayBuffer> => host.readFile(path, MAXIMUM_KERNEL_BYTES);
  const files = {
    kernel: read(kernel.path),
    initrd: kernel.initrd === null ? null : read(kernel.initrd),
    modules: kernel.modules.map((path) => ({ bytes: read(path), commandLine: path })),
    commandLine: kernel.commandLine,
    memoryBytes: configuration.memoryMiB * MEBIBYTE,
    longMode: hasFeature(cpuModelOf(configuration.cpu), 'LM'),
  };
  try {
    return loadKernel(files);
  } catch (error) {
    throw new Error(`${kernel.path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

class PcMachine implements RecordedMachine {
  readonly #hypervisor: Hypervisor;
  readonly #board: I440fxBoard;
  readonly #media: Media;
  readonly #serial = new Emitter<{ port: number; bytes: Uint8Array }>();
  readonly #debug = new Emitter<Uint8Array>();
  readonly #guestErrors = new Emitter<{ source: string; what: string; detail: string }>();
  readonly #bios: Bios | null;
  readonly #unclaimed = new Map<string, UnclaimedAccess>();
  readonly #resets = new Emitter<void>();
  readonly inspection: MachineInspection;
  readonly onState: Machine['onState'];
  readonly onSerialOutput = this.#serial.event;
  readonly onDebugOutput = this.#debug.event;
  readonly onGuestError = this.#guestErrors.event;

  constructor(
    configuration: MachineConfiguration,
    host: MachineHost,
    media: Media,
    kernel: KernelPlan | null,
    options: MachineOptions,
  ) {
    const memoryBytes = configuration.memoryMiB * MEBIBYTE;
    const model = cpuModelOf(configuration.cpu);
    const apic = hasFeature(model, 'APIC');
    this.#media = media;
    const biosImage = readRom(configuration.firmware.bios, host);
    const variables = media.variables?.content ?? null;
    const hypervisor = new Hypervisor({
      ramBytes: memoryBytes,
      romBytes: biosImage
        ? romBytesFor(biosImage.length, variables?.length ?? 0, DISPLAY_BYTES)
        : MEBIBYTE,
      cpuModel: model,
      clock: configuration.clock,
      host: host.clock,
      ...(options.replay ? { replay: options.replay } : {}),
      ...(options.engine ? { engine: options.engine } : {}),
    });
    hypervisor.recordInputs = options.record ?? false;
    this.#hypervisor = hypervisor;
    this.onState = hypervisor.onState;
    hypervisor.onGuestError = (what, detail) => this.#guestError('cpu', what, detail);

    const space = new RomSpace(hypervisor, memoryBytes);
    const rom = biosImage ?? buildRom({
      memoryBytes,
      disks: media.disks.map((disk) => diskGeometry(disk.sizeBytes)),
      cpuName: configuration.cpu.model,
      apic,
      signature: model.signature,
      features: cpuidLeaf(model, 1, 0, { cr4: 0, xcr0: 1 })[3],
    });
    const biosBase = space.installBios(rom);
    const vgaRom = readRom(configuration.firmware.vgaBios, host);
    if (vgaRom) space.installOption(0xc0000, vgaRom);

    this.#board = new I440fxBoard(this.#boardHost(space), {
      memoryBytes,
      disks: media.disks,
      cdrom: media.cdrom,
      debugExit: configuration.debugExit,
      apic,
      tscDeadline: hasFeature(model, 'TSC_DEADLINE'),
      kvmClock: hasFeature(model, 'HYPERVISOR'),
      firmwareFiles: biosImage
        ? (board) => firmwareFiles({ memoryBytes, apic, bootOrder: configuration.bootOrder, vgaBios: vgaRom, ...board })
        : null,
      flash: variables && media.variables
        ? new FlashFile(space.installFlash(biosBase, variables), media.variables, (error) => this.#storeFailed(error)).options
        : null,
      displayMemory: biosImage ? space.installDisplay() : null,
      rtcStart: configuration.rtcStart ?? Math.floor(host.clock.wallMs() / 1000),
    });
    this.#bios = biosImage ? null : new Bios({
      rom, bay: media, bootOrder: configuration.bootOrder, memoryBytes, kernel, apic,
    });
    if (biosImage) this.#describeMemory(memoryBytes);
    this.#attachBoard(space);
    space.overlay(this.#board.mmioRanges());
    this.#board.onMmioChange(() => space.overlay(this.#board.mmioRanges()));
    this.inspection = this.#inspection(configuration);
  }

  #storeFailed(error: Error): void {
    this.#guestErrors.fire({ source: 'flash0', what: 'the UEFI variables could not be written', detail: error.message });
  }

  /** CMOS registers by which a foreign BIOS learns the memory's size (RBIL CMOS 17h, 30h, 34h). Our own sets them itself. */
  #describeMemory(memoryBytes: number): void {
    const extendedKb = Math.min(Math.max(0, (memoryBytes - MEBIBYTE) >>> 10), 0xffff);
    const above16 = Math.min(Math.max(0, Math.floor((memoryBytes - 16 * MEBIBYTE) / 0x10000)), 0xffff);
    const words: readonly (readonly [number, number])[] = [[0x15, 640], [0x17, extendedKb], [0x30, extendedKb], [0x34, above16]];
    for (const [index, value] of words) {
      this.#board.rtc.setNvram(index, value & 0xff);
      this.#board.rtc.setNvram(index + 1, value >> 8);
    }
  }

  get recording(): readonly StampedInput[] {
    return this.#hypervisor.recording;
  }
  get state(): Machine['state'] {
    return this.#hypervisor.state;
  }
  get stopReason(): StopReason | null {
    return this.#hypervisor.haltReason;
  }
  get display(): Machine['display'] {
    return this.#board.display;
  }

  start(): void {
    this.#hypervisor.start();
  }
  startPaused(): void {
    this.#hypervisor.startPaused();
  }
  runUntil(instructions: number): void {
    this.#hypervisor.runUntil(instructions);
  }
  pause(): void {
    this.#hypervisor.pause();
  }
  reset(): void {
    this.#hypervisor.reset();
  }
  powerOff(): void {
    this.#hypervisor.stop({ kind: 'power-off' });
  }
  pressPowerButton(): void {
    this.#hypervisor.inject({ kind: 'power-button' });
  }
  dispose(): void {
    this.powerOff();
    for (const store of [...this.#media.disks, this.#media.cdrom, this.#media.floppy, this.#media.variables]) {
      store?.close();
    }
  }

  keyboard(scanCodes: readonly number[]): void {
    this.#hypervisor.inject({ kind: 'keyboard', scanCodes: [...scanCodes] });
  }
  mouse(dx: number, dy: number, wheel: number, buttons: number): void {
    this.#hypervisor.inject({ kind: 'mouse', dx, dy, wheel, buttons });
  }
  serialInput(port: number, bytes: Uint8Array): void {
    this.#hypervisor.inject({ kind: 'serial', port, bytes: [...bytes] });
  }

  statistics(): MachineStatistics {
    const hypervisor = this.#hypervisor;
    const disk = this.#board.diskBytes;
    return {
      instructions: hypervisor.cpu.instructionCount,
      guestNs: hypervisor.now(),
      mips: hypervisor.meter.mips,
      busy: hypervisor.meter.busy,
      exits: hypervisor.exits.get(),
      diskReadBytes: disk.read,
      diskWrittenBytes: disk.written,
      guestErrors: hypervisor.guestErrors,
    };
  }

  stateHash(): string {
    const devices = [...this.#board.devices, ...(this.#bios ? [this.#bios] : [])];
    return hashMachine(this.#hypervisor, devices);
  }

  /** Probing for what is not there is what every system does: the first places are kept for people, nothing is reported. */
  #countUnclaimed(space: 'port' | 'memory', kind: 'read' | 'write', address: number): void {
    const key = `${space} ${address}`;
    let access = this.#unclaimed.get(key);
    if (access === undefined) {
      if (this.#unclaimed.size >= UNCLAIMED_KEPT) return;
      this.#unclaimed.set(key, (access = { kind: space, address, reads: 0, writes: 0 }));
    }
    if (kind === 'read') access.reads++;
    else access.writes++;
  }

  #inspection(configuration: MachineConfiguration): MachineInspection {
    const board = this.#board;
    return {
      hypervisor: this.#hypervisor,
      devices: [...board.devices, ...(this.#bios ? [this.#bios] : [])],
      deviceText,
      portOwner: (port) => (port === trapPort && this.#bios ? 'firmware' : board.portOwner(port)),
      mmioOwner: (address) => board.mmioOwner(address),
      mmioRanges: () => board.mmioClaims(),
      cpuModel: configuration.cpu.model,
      policy: configuration.exitPolicy,
      symbols: configuration.symbols,
      unclaimed: () => [...this.#unclaimed.values()],
      onReset: this.#resets.event,
    };
  }

  #boardHost(space: RomSpace): BoardHost {
    const hypervisor = this.#hypervisor;
    return {
      now: () => hypervisor.now(),
      timer: (onExpire) => hypervisor.timer(onExpire),
      memory: hypervisor.ram,
      guestError: (source, what, detail) => this.#guestError(source, what, detail ?? {}),
      unclaimedAccess: (space, kind, address) => this.#countUnclaimed(space, kind, address),
      cpu: {
        intr: { set: (level) => hypervisor.setInterruptLine(level) },
        nmi: { set: (level) => { if (level) hypervisor.raiseNmi(); } },
        timestampOffset: () => hypervisor.timestampOffset,
        a20: { set: (level) => hypervisor.setA20(level) },
        ignne: { set: (level) => hypervisor.setIgnoreErrors(level) },
        reset: (kind) => hypervisor.requestReset(kind),
      },
      powerOff: () => hypervisor.requestStop({ kind: 'guest-power-off' }),
      debugExit: (value) => hypervisor.requestStop({ kind: 'debug-exit', value }),
      debugOutput: (byte) => this.#debug.fire(Uint8Array.of(byte)),
      serialOutput: (port, byte) => this.#serial.fire({ port, bytes: Uint8Array.of(byte) }),
      postCode: () => {},
      romMapping: (base, length, backing) => space.map(base, length, backing),
    };
  }

  #attachBoard(space: RomSpace): void {
    const hypervisor = this.#hypervisor, board = this.#board, bios = this.#bios;
    const context = createFirmwareContext(hypervisor);
    hypervisor.attach({
      ioRead: (port, size) => board.ioRead(port, size),
      ioWrite: (port, value, size) => {
        if (port === trapPort && bios?.trap(context, hypervisor.cpu.codeAddress)) return;
        board.ioWrite(port, value, size);
      },
      mmioRead: (address, size) => board.mmioRead(address, size),
      mmioWrite: (address, value, size) => {
        if (!space.writeBehindRom(address, value, size)) board.mmioWrite(address, value, size);
      },
      acknowledgeInterrupt: () => board.acknowledgeInterrupt(),
      get taskPriority() {
        return board.taskPriority;
      },
      set taskPriority(value: number) {
        board.taskPriority = value;
      },
      timestampChanged: () => board.timestampChanged(),
      performanceInterrupt: () => board.performanceInterrupt(),
      floatingError: (level) => board.ferr.set(level),
      readMsr: (index) => board.readMsr(index),
      writeMsr: (index, low, high) => board.writeMsr(index, low, high),
      reset: (kind) => {
        board.reset(kind);
        bios?.reset(kind);
        this.#resets.fire();
      },
      input: (input) => this.#input(input),
    });
  }

  #input(input: MachineInput): void {
    const board = this.#board;
    if (input.kind === 'keyboard') board.keyboard.input(input.scanCodes);
    else if (input.kind === 'mouse') board.mouse.input(input.dx, input.dy, input.wheel, input.buttons);
    else if (input.kind === 'serial') board.serial[input.port]?.input(Uint8Array.from(input.bytes));
    else if (input.kind === 'power-button') board.powerButton();
  }

  #guestError(source: string, what: string, detail: Readonly<Record<string, number | string>>): void {
    const text = Object.entries(detail).map(([name, value]) => `${name}=${typeof value === 'number' ? `0x${value.toString(16)}` : value}`).join(' ');
    if (source !== 'cpu') this.#hypervisor.guestErrors++;
    this.#guestErrors.fire({ source, what, detail: text });
  }
}

function readRom(path: string | null, host: MachineHost): Uint8Array | null {
  if (path === null) return null;
  const image = host.readFile(path, MAXIMUM_ROM_BYTES);
  if (image.length === 0 || image.length % 512 !== 0) {
    throw new Error(`${path}: a ROM image has a multiple of 512 bytes, up to 16 MiB; this file has ${image.length}`);
  }
  return image;
}

/** The flash memory for UEFI variables; it belongs to a foreign firmware and is made of whole blocks. */
function openVariables({ firmware }: MachineConfiguration, host: MachineHost, opened: { close(): void }[]): StateFile | null {
  const { variables, bios } = firmware;
  if (variables === null) return null;
  if (bios === null) throw new Error(`${variables}: UEFI variables belong to a foreign firmware; this machine has none`);
  const file = host.openStateFile(variables, MAXIMUM_ROM_BYTES);
  opened.push(file);
  const { length } = file.content;
  if (length === 0 || length % FLASH_BLOCK_BYTES !== 0) {
    throw new Error(`${variables}: a variable store has a multiple of 4096 bytes; this file has ${length}`);
  }
  return file;
}

/** The processor that a configuration describes. */
function cpuModelOf({ model, enable, disable, cpuid }: MachineConfiguration['cpu']): CpuModel {
  const word = (text: string | undefined): number | null => (text === undefined ? null : parseInt(text, 16));
  const overrides = cpuid.map(({ leaf, subLeaf, eax, ebx, ecx, edx }) => ({
    leaf: parseInt(leaf, 16), subLeaf: parseInt(subLeaf, 16), registers: [eax, ebx, ecx, edx].map(word),
  }));
  return modified(model, enable, disable, overrides);
}
