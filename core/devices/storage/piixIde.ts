// PIIX3 IDE: one channel with its bus master, and the PCI function that holds both (Intel 82371SB 3.3; SFF-8038i).
import type { Device, Line, Mapping, PortHandler, ResetKind, Wiring } from '../../bus/device.ts';
import { configurationBytes, PCI, PCI_COMMAND, PciConfiguration } from '../../bus/pciConfiguration.ts';
import type { AccessSize } from '../../bus/portMap.ts';
import { flag, integer, record, recordCodec, u8, u32 } from '../../bus/savedState.ts';
import { BM, BM_COMMAND, BM_STATUS, COMMAND, CONTROL, DEVICE, PRD_END, REG, STATUS } from './ata.registers.ts';
import type { IdeBus, IdeDrive } from './ideDrive.ts';

export interface IdeChannelState {
  /** Device control register. */
  control: number;
  /** Device register's DEV bit. */
  selected: number;
  bmCommand: number;
  bmStatus: number;
  /** Descriptor table pointer. */
  table: number;
  /** Next descriptor, and what is left of the current one. */
  next: number;
  address: number;
  left: number;
  last: boolean;
}

const shape = record<IdeChannelState>({
  control: u8,
  selected: integer(0, 1),
  bmCommand: u8,
  bmStatus: u8,
  table: u32,
  next: u32,
  address: u32,
  left: integer(0, 65536),
  last: flag,
});

const powerOn = (): IdeChannelState => ({
  control: 0,
  selected: 0,
  bmCommand: 0,
  bmStatus: 0,
  table: 0,
  next: 0,
  address: 0,
  left: 0,
  last: false,
});

export class IdeChannel implements Device<IdeChannelState>, IdeBus, PortHandler {
  // wiring
  readonly id: string;
  readonly #wiring: Wiring;
  readonly #irq: Line;
  readonly #drives: readonly [IdeDrive | null, IdeDrive | null];

  // guest-visible state
  #r = powerOn();

  readonly state = recordCodec(1, shape, () => this.#r, (saved) => {
    this.#r = saved;
    this.changed();
  });

  constructor(
    wiring: Wiring,
    options: { id: string; commandBase: number; controlPort: number; drives: readonly [IdeDrive | null, IdeDrive | null] },
  ) {
    this.id = options.id;
    this.#wiring = wiring;
    this.#irq = wiring.irq('irq');
    this.#drives = options.drives;
    for (const drive of options.drives) drive?.attach(this);
    wiring.ports(this.id, options.commandBase, 8, this);
    wiring.ports(`${this.id}.control`, options.controlPort, 1, {
      read: () => this.#selected?.status ?? 0,
      write: (_port, value) => this.#writeControl(value),
    });
  }

  reset(kind: ResetKind): void {
    if (kind === 'soft') return;
    this.#r = powerOn();
    this.changed();
  }

  /** An empty position reads as zero, so that hosts find nothing there without a timeout. */
  read(port: number, size: AccessSize): number {
    const register = port & 7;
    const drive = this.#selected;
    if (register === REG.DATA) return drive === null ? 0 : drive.readData(size);
    if (size !== 1) return this.#split(port, size);
    if (drive === null) return 0;
    if (register === REG.STATUS_COMMAND) return drive.acknowledge();
    return drive.readRegister(register, (this.#r.control & CONTROL.HOB) !== 0);
  }

  write(port: number, value: number, size: AccessSize): void {
    const register = port & 7;
    if (register === REG.DATA) {
      this.#selected?.writeData(value, size);
      return;
    }
    if (size !== 1) {
      for (let index = 0; index < size; index++) this.write((port & ~7) | ((register + index) & 7), (value >>> (8 * index)) & 0xff, 1);
      return;
    }
    this.#r.control &= ~CONTROL.HOB;
    if (register === REG.STATUS_COMMAND) {
      this.#command(value);
      return;
    }
    if (register === REG.DEVICE) this.#r.selected = value & DEVICE.DEV ? 1 : 0;
    for (const drive of this.#drives) drive?.writeRegister(register, value);
    if (register === REG.DEVICE) this.changed();
  }

  // The drives' side

  interrupt(): void {
    this.#r.bmStatus |= BM_STATUS.INTERRUPT;
    this.changed();
  }

  /** INTRQ of the selected drive, unless nIEN holds it back. */
  changed(): void {
    this.#irq.set((this.#selected?.intrq ?? false) && !(this.#r.control & CONTROL.NIEN));
  }

  dmaRunning(toMemory: boolean): boolean {
    const r = this.#r;
    return (r.bmStatus & BM_STATUS.ACTIVE) !== 0 && ((r.bmCommand & BM_COMMAND.TO_MEMORY) !== 0) === toMemory;
  }

  dmaMove(buffer: Uint8Array, start: number, end: number, toMemory: boolean): number {
    const r = this.#r;
    const memory = this.#wiring.memory;
    let at = start;
    while (at < end) {
      if (r.left === 0 && !this.#nextDescriptor()) break;
      const length = Math.min(r.left, end - at);
      const part = buffer.subarray(at, at + length);
      if (toMemory) memory.write(r.address, part);
      else memory.read(r.address, part);
      r.address = (r.address + length) >>> 0;
      r.left -= length;
      at += length;
    }
    if (r.left === 0 && r.last) r.bmStatus &= ~BM_STATUS.ACTIVE;
    return at - start;
  }

  // The bus master's registers

  readBusMaster(register: number): number {
    const r = this.#r;
    if (register === BM.COMMAND) return r.bmCommand;
    if (register === BM.STATUS) return r.bmStatus;
    return register >= BM.TABLE ? (r.table >>> (8 * (register & 3))) & 0xff : 0;
  }

  writeBusMaster(register: number, value: number): void {
    const r = this.#r;
    if (register === BM.COMMAND) this.#startStop(value);
    else if (register === BM.STATUS)
      r.bmStatus = (value & BM_STATUS.CAPABLE) | (r.bmStatus & BM_STATUS.ACTIVE) | (r.bmStatus & ~value & (BM_STATUS.ERROR | BM_STATUS.INTERRUPT));
    else if (register >= BM.TABLE) {
      const shift = 8 * (register & 3);
      r.table = ((r.table & ~(0xff << shift)) | (value << shift)) >>> 0;
      r.table = (r.table & ~3) >>> 0;
    }
  }

  #startStop(value: number): void {
    const r = this.#r;
    const started = (value & ~r.bmCommand & BM_COMMAND.START) !== 0;
    r.bmCommand = value & (BM_COMMAND.START | BM_COMMAND.TO_MEMORY);
    if (!(value & BM_COMMAND.START)) {
      r.bmStatus &= ~BM_STATUS.ACTIVE;
      return;
    }
    if (!started) return;
    r.next = r.table;
    r.left = 0;
    r.last = false;
    r.bmStatus |= BM_STATUS.ACTIVE;
    this.#selected?.dmaStarted();
  }

  /** SFF-8038i 1.2: physical address, byte count (0 means 64 KiB), end-of-table bit. */
  #nextDescriptor(): boolean {
    const r = this.#r;
    if (r.last) return false;
    r.address = (this.#wiring.memory.read32(r.next) & ~1) >>> 0;
    const word = this.#wiring.memory.read32((r.next + 4) >>> 0);
    r.next = (r.next + 8) >>> 0;
    r.left = word & 0xfffe || 0x10000;
    r.last = (word & PRD_END) !== 0;
    return true;
  }

  get #selected(): IdeDrive | null {
    return this.#drives[this.#r.selected as 0 | 1];
  }

  #split(port: number, size: AccessSize): number {
    let value = 0;
    for (let index = 0; index < size; index++) value += this.read((port & ~7) | ((port + index) & 7), 1) * 2 ** (8 * index);
    return value;
  }

  #command(command: number): void {
    if (this.#r.control & CONTROL.SRST) return;
    if (command === COMMAND.DIAGNOSTIC) {
      this.#resetDrives();
      // Device 0 answers for both (ATA/ATAPI-6 8.11).
      if (this.#drives[0]) {
        this.#drives[0].diagnosed();
        this.changed();
      }
      return;
    }
    // DEVICE RESET works on a busy packet device (ATA/ATAPI-6 8.10); elsewhere it is an unknown command.
    const drive = this.#selected;
    if (command === COMMAND.DEVICE_RESET && drive !== null && drive.status & STATUS.BSY && drive.isPacketDevice) drive.resetDrive();
    else drive?.writeCommand(command);
  }

  #writeControl(value: number): void {
    const was = this.#r.control;
    this.#r.control = value & (CONTROL.NIEN | CONTROL.SRST | CONTROL.HOB);
    if (value & ~was & CONTROL.SRST) for (const drive of this.#drives) drive?.holdReset();
    if (was & ~value & CONTROL.SRST) this.#resetDrives();
    this.changed();
  }

  #resetDrives(): void {
    this.#r.selected = 0;
    for (const drive of this.#drives) drive?.resetDrive();
  }
}

export interface PiixIdeState {
  config: Uint8Array;
}

const BUS_MASTER_LENGTH = 16;

/** The PCI function: identity, timing registers, and the bus master block at BAR 4. */
export class PiixIde implements Device<PiixIdeState> {
  readonly id = 'ide';
  readonly pci: PciConfiguration;
  readonly #wiring: Wiring;
  readonly #channels: readonly [IdeChannel, IdeChannel];
  #mapping: Mapping | null = null;
  #mappedBase = 0;

  readonly state = recordCodec(1, record<PiixIdeState>({ config: configurationBytes }), () => ({ config: this.pci.bytes }), (saved) => {
    this.pci.restore(saved.config);
    this.#map();
  });

  constructor(wiring: Wiring, options: { device: number; function: number; channels: readonly [IdeChannel, IdeChannel] }) {
    this.#wiring = wiring;
    this.#channels = options.channels;
    this.pci = new PciConfiguration(
      {
        ...options,
        vendorId: 0x8086,
        deviceId: 0x7010,
        classCode: 0x010180,
        command: PCI_COMMAND.IO | PCI_COMMAND.MASTER,
      },
      () => this.#map(),
    );
    // The data sheet wires bits 16-31 to zero; they keep what is written, since SeaBIOS sizes the range by all 32.
    this.pci.define(PCI.BAR4, 4, 0x00000001, 0xfffffff0);
    // IDETIM: channels are decoded always; the bits read as enabled, for hosts that load kernels without firmware.
    this.pci.define(0x40, 2, 0x8000, 0xffff);
    this.pci.define(0x42, 2, 0x8000, 0xffff);
    this.pci.define(0x44, 1, 0, 0xff);
  }

  reset(kind: ResetKind): void {
    if (kind === 'soft') return;
    this.pci.reset();
    this.#map();
  }

  #map(): void {
    const base = this.pci.bytes[PCI.COMMAND]! & PCI_COMMAND.IO ? this.pci.get16(PCI.BAR4) & 0xfff0 : 0;
    if (base === this.#mappedBase) return;
    this.#mapping?.unmap();
    this.#mapping = null;
    this.#mappedBase = base;
    if (base === 0) return;
    this.#mapping = this.#wiring.ports(`${this.id}.busMaster`, base, BUS_MASTER_LENGTH, {
      read: (port, size) => {
        let value = 0;
        for (let index = size - 1; index >= 0; index--) {
          const offset = (port - base + index) & 15;
          value = value * 256 + this.#channels[(offset >> 3) as 0 | 1].readBusMaster(offset & 7);
        }
        return value;
      },
      write: (port, value, size) => {
        for (let index = 0; index < size; index++) {
          const offset = (port - base + index) & 15;
          this.#channels[(offset >> 3) as 0 | 1].writeBusMaster(offset & 7, (value >>> (8 * index)) & 0xff);
        }
      },
    });
  }
}
