// The BIOS: dispatches the ROM's traps to services and keeps what outlives a call.
import { SnapshotError } from '../../bus/device.ts';
import type { Device, ResetKind, StateCodec } from '../../bus/device.ts';
import type { KernelPlan } from '../kernel/kernelPlan.ts';
import { romBase, romLength } from '../memoryMap.ts';
import { bda } from './biosData.ts';
import type { FirmwareContext } from './context.ts';
import { findBootTarget } from './disk/boot.ts';
import type { BootOutcome, BootSource } from './disk/boot.ts';
import type { DriveBay, Emulation, Task } from './disk/drives.ts';
import { diskService } from './disk/int13.ts';
import { dropKey, keyboardService, keyPressed, peekKey } from './input/keyboard.ts';
import { mouseInterrupt } from './input/mouse.ts';
import { powerOnSelfTest } from './post.ts';
import { Registers } from './registers.ts';
import { services } from './services.ts';
import type { ServiceResult } from './services.ts';
import { pciService } from './system/pciBios.ts';
import { printerService, serialService } from './system/serialPrinter.ts';
import { systemService } from './system/system.ts';
import { rtcInterrupt, timeService } from './system/time.ts';
import { teletype, videoService } from './video/video.ts';

export interface BiosOptions {
  /** As `buildRom` made it: traps are told apart by its bytes. */
  readonly rom: Uint8Array;
  readonly bay: DriveBay;
  readonly bootOrder: readonly BootSource[];
  readonly memoryBytes: number;
  /** There are APICs, to be set up as a plain PC's interrupt wiring. */
  readonly apic: boolean;
  /** Started instead of booting a medium. */
  readonly kernel: KernelPlan | null;
}

interface SavedBios {
  readonly emulation: Emulation | null;
  readonly waitUntilNs: number | null;
  readonly bootFailed: boolean;
}

export class Bios implements Device<SavedBios> {
  readonly id = 'bios';
  readonly #options: BiosOptions;

  // State that outlives a call.
  emulation: Emulation | null = null;
  waitUntilNs: number | null = null;
  /** The message that nothing boots is on the screen; a key tries again. */
  #bootFailed = false;

  /** Services that wait for the host. Not saved: a repeated call starts them again. */
  readonly #tasks = new Map<number, Task<unknown>>();

  constructor(options: BiosOptions) {
    this.#options = options;
  }

  get bay(): DriveBay {
    return this.#options.bay;
  }

  get memoryBytes(): number {
    return this.#options.memoryBytes;
  }

  readonly state: StateCodec<SavedBios> = {
    version: 1,
    save: () => {
      const { emulation, waitUntilNs } = this;
      return { emulation, waitUntilNs, bootFailed: this.#bootFailed };
    },
    restore: (saved, version) => {
      const { emulation, waitUntilNs, bootFailed } = checkSaved(saved, version);
      this.emulation = emulation;
      this.waitUntilNs = waitUntilNs;
      this.#bootFailed = bootFailed;
      this.#tasks.clear();
    },
  };

  reset(_kind: ResetKind): void {
    this.emulation = null;
    this.waitUntilNs = null;
    this.#bootFailed = false;
    this.#tasks.clear();
  }

  /**
   * An OUT to the trap port at `physicalAddress` (of the instruction's first byte, below 1 MiB or in the alias
   * below 4 GiB). False: it was not one of our stubs and nothing happened.
   */
  trap(context: FirmwareContext, physicalAddress: number): boolean {
    const service = this.#serviceAt(physicalAddress);
    if (service === null) return false;
    const result = this.#serve(service, new Registers(context));
    if (result === null) return true;
    context.setCarry(result !== 'done');
    context.setZero(result === 'sleep');
    return true;
  }

  /** A stub reads OUT EAh,AL; JMP SHORT +1; DB service. */
  #serviceAt(physicalAddress: number): number | null {
    const address = physicalAddress >= 0xffff_0000 ? physicalAddress - 0xffff_0000 : physicalAddress - romBase;
    if (address < 0 || address + 5 > romLength) return null;
    const code = this.#options.rom.subarray(address, address + 5);
    return code[0] === 0xe6 && code[1] === 0xea && code[2] === 0xeb && code[3] === 1 ? code[4] : null;
  }

  /** Null: the service left the CPU's flags as they must be. */
  #serve(service: number, registers: Registers): ServiceResult | null {
    const { context } = registers;
    switch (service) {
      case services.post: {
        this.reset('hard');
        return powerOnSelfTest(context, this.bay, this.#options) ? 'retry' : this.#greet(context);
      }
      case services.video: return finish(videoService(registers));
      case services.equip: return finish((registers.ax = context.physical.read16(bda.equipment)));
      case services.memory: return finish((registers.ax = context.physical.read16(bda.memoryKb)));
      case services.disk: return this.#run(service, () => diskService(registers, this));
      case services.serial: return finish(serialService(registers));
      case services.system: return systemService(registers, this);
      case services.keys: return keyboardService(registers);
      case services.print: return finish(printerService(registers));
      case services.boot: return this.#boot(registers);
      case services.noboot: return this.#noBoot(context);
      case services.time: return finish(timeService(registers));
      case services.pci32: {
        pciService(registers, (value) => context.setCarry(value));
        return null;
      }
      case services.key: {
        const event = keyPressed(registers);
        return event === 'none' ? 'done' : event === 'print' ? 'sleep' : 'retry';
      }
      case services.rtc: return rtcInterrupt(registers) ? 'retry' : 'done';
      case services.mouse: return mouseInterrupt(registers) ? 'retry' : 'done';
      default: return 'done';
    }
  }

  /** Continues the service's task, or starts it. */
  #run(service: number, start: () => Task<unknown>): ServiceResult {
    const task = this.#tasks.get(service) ?? start();
    if (task.next().done !== true) {
      this.#tasks.set(service, task);
      return 'retry';
    }
    this.#tasks.delete(service);
    return 'done';
  }

  #greet(context: FirmwareContext): ServiceResult {
    print(context, `Trapeze BIOS 0.1   ${Math.floor(this.memoryBytes / 0x10_0000)} MB memory\r\n`);
    return 'done';
  }

  /** INT 19h. */
  #boot(registers: Registers): ServiceResult | null {
    const { context } = registers;
    const { kernel } = this.#options;
    if (kernel) {
      for (const { address, bytes } of kernel.writes) context.physical.write(address, bytes);
      context.startKernel(kernel.cpu);
      return null;
    }
    if (this.#bootFailed) {
      if (peekKey(context.physical) === null) return 'sleep';
      dropKey(context.physical);
      this.#bootFailed = false;
    }
    return this.#run(services.boot, () => this.#bootTask(registers));
  }

  *#bootTask(registers: Registers): Task<void> {
    const outcome = yield* findBootTarget(this.bay, this.#options.bootOrder);
    const { target } = outcome;
    const { context } = registers;
    if (!target) return this.#reportFailure(registers, outcome);
    print(context, `Booting from ${outcome.source} ...\r\n\r\n`);
    this.emulation = target.emulation;
    context.physical.write(target.address, target.bytes);
    registers.ax = target.segment;
    registers.bx = target.offset;
    registers.dx = target.drive;
  }

  /** Sends the stub back to INT 19h, which then waits for a key. */
  #reportFailure(registers: Registers, outcome: BootOutcome): void {
    const { context } = registers;
    print(context, '\r\nNo bootable medium found.\r\n\r\n');
    for (const { source, reason } of outcome.failures) print(context, `  ${source.padEnd(10)}  ${reason}\r\n`);
    if (outcome.failures.length === 0) print(context, '  The boot order is empty.\r\n');
    print(context, '\r\nAttach a bootable disk or disc, then press a key to try again.\r\n');
    this.#bootFailed = true;
    registers.ax = 0xf000;
    registers.bx = (this.#options.rom[0xe6f3] + (this.#options.rom[0xe6f4] << 8) + 0xe6f5) & 0xffff;
  }

  /** INT 18h: a boot sector gave up. */
  #noBoot(context: FirmwareContext): ServiceResult {
    print(context, '\r\nThe boot program found nothing to start. Press a key to try again.\r\n');
    this.#bootFailed = true;
    return 'done';
  }
}

const finish = (_: unknown): ServiceResult => 'done';

export function print(context: FirmwareContext, text: string): void {
  const page = context.physical.read8(bda.videoPage);
  for (let index = 0; index < text.length; index++) teletype(context, page, text.charCodeAt(index), 0x07);
}

function checkSaved(saved: unknown, version: number): SavedBios {
  if (version !== 1) throw new SnapshotError(`bios: unknown version ${version}`);
  const record = saved as Partial<SavedBios> | null;
  const valid =
    typeof record === 'object' &&
    record !== null &&
    typeof record.bootFailed === 'boolean' &&
    (record.waitUntilNs === null || typeof record.waitUntilNs === 'number') &&
    (record.emulation === null || isEmulation(record.emulation));
  if (!valid) throw new SnapshotError('bios: damaged state');
  return record as SavedBios;
}

function isEmulation(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const record = value as Record<string, unknown>;
  const fields = ['mediaType', 'drive', 'imageBlock', 'loadSegment', 'sectorCount', 'sizeBytes'];
  return fields.every((name) => Number.isInteger(record[name]) && (record[name] as number) >= 0);
}
