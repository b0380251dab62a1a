// A machine without a CPU for BIOS services: flat memory, recorded ports, a hand-set interrupt frame.
import type { GuestMemory } from '../../../core/bus/device.ts';
import type { BlockStore } from '../../../core/host/blockStore.ts';
import { BlockError } from '../../../core/host/blockStore.ts';
import { Bios } from '../../../core/firmware/bios/bios.ts';
import type { BiosOptions } from '../../../core/firmware/bios/bios.ts';
import { gpr } from '../../../core/firmware/bios/context.ts';
import type { FirmwareContext, GprIndex } from '../../../core/firmware/bios/context.ts';
import { Registers } from '../../../core/firmware/bios/registers.ts';
import type { KernelCpuState } from '../../../core/firmware/kernel/kernelPlan.ts';
import { buildRom } from '../../../core/firmware/rom/buildRom.ts';

export const mib = 0x10_0000;

class FlatMemory implements GuestMemory {
  readonly bytes: Uint8Array;
  readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
  }

  read8 = (address: number): number => this.bytes[address] ?? 0xff;
  read16 = (address: number): number => this.read8(address) | (this.read8(address + 1) << 8);
  read32 = (address: number): number => (this.read16(address) | (this.read16(address + 2) << 16)) >>> 0;
  write8 = (address: number, value: number): void => void (this.bytes[address] = value);
  write16 = (address: number, value: number): void => {
    this.write8(address, value & 0xff);
    this.write8(address + 1, (value >> 8) & 0xff);
  };
  write32 = (address: number, value: number): void => {
    this.write16(address, value & 0xffff);
    this.write16(address + 2, value >>> 16);
  };
  read = (address: number, into: Uint8Array): void => {
    for (let index = 0; index < into.length; index++) into[index] = this.read8(address + index);
  };
  write = (address: number, from: Uint8Array): void => void this.bytes.set(from, address);
}

/** A store in memory. `late`: completions wait in `pending`. */
export class MemoryStore implements BlockStore {
  readonly bytes: Uint8Array;
  readonly readOnly: boolean;
  readonly late: boolean;
  readonly pending: (() => void)[] = [];
  broken = false;

  constructor(bytes: Uint8Array, options: { readOnly?: boolean; late?: boolean } = {}) {
    this.bytes = bytes;
    this.readOnly = options.readOnly ?? false;
    this.late = options.late ?? false;
  }

  get sizeBytes(): number {
    return this.bytes.length;
  }

  read(offset: number, into: Uint8Array, done: (error?: BlockError) => void): void {
    this.#finish(() => into.set(this.bytes.subarray(offset, offset + into.length)), done);
  }

  write(offset: number, from: Uint8Array, done: (error?: BlockError) => void): void {
    this.#finish(() => this.bytes.set(from, offset), done);
  }

  flush(done: (error?: BlockError) => void): void {
    done();
  }

  close(): void {}

  #finish(act: () => void, done: (error?: BlockError) => void): void {
    const complete = (): void => {
      if (this.broken) return done(new BlockError('broken'));
      act();
      done();
    };
    if (this.late) this.pending.push(complete);
    else complete();
  }
}

export interface PortWrite {
  readonly port: number;
  readonly value: number;
}

export class FakeMachine {
  readonly memory: FlatMemory;
  readonly bios: Bios;
  readonly rom: Uint8Array;
  readonly writes: PortWrite[] = [];
  readonly cmos = new Uint8Array(128);
  readonly indexed = new Map<string, number>();
  readonly pci = new Map<number, Uint8Array>();
  registers: Registers;
  carry = false;
  zero = false;
  now = 0;
  startedKernel: KernelCpuState | null = null;
  readonly #gprs = new Uint32Array(8);
  readonly #segments = { es: 0, cs: 0xf000, ss: 0x1000, ds: 0 };
  #cmosIndex = 0;
  #pciAddress = 0;
  readonly #indices = new Map<number, number>();
  readonly #plain = new Map<number, number>();

  constructor(options: Partial<Omit<BiosOptions, 'rom'>> = {}) {
    const memoryBytes = options.memoryBytes ?? 8 * mib;
    this.memory = new FlatMemory(new Uint8Array(memoryBytes));
    this.rom = buildRom({ memoryBytes, disks: [], cpuName: 'test', apic: false, signature: 0x673, features: 0 });
    this.memory.bytes.set(this.rom, 0xf0000);
    this.bios = new Bios({
      rom: this.rom,
      bay: { disks: [], cdrom: null, floppy: null },
      bootOrder: ['disk', 'cdrom', 'floppy'],
      memoryBytes,
      kernel: null,
      apic: false,
      ...options,
    });
    this.registers = new Registers(this.context);
  }

  readonly context: FirmwareContext = {
    readGpr: (index: GprIndex) => this.#gprs[index],
    writeGpr: (index: GprIndex, value: number) => void (this.#gprs[index] = value),
    segmentSelector: (name) => this.#segments[name],
    segmentBase: (name) => this.#segments[name] * 16,
    loadRealSegment: (name, selector) => void (this.#segments[name] = selector),
    protectedMode: false,
    setCarry: (value) => void (this.carry = value),
    setZero: (value) => void (this.zero = value),
    linear: undefined as unknown as GuestMemory,
    physical: undefined as unknown as GuestMemory,
    readPort: (port, size) => this.#readPort(port, size),
    writePort: (port, value, size) => this.#writePort(port, value, size),
    now: () => this.now,
    writeMsr: () => {},
    startKernel: (state) => void (this.startedKernel = state),
  };

  /** Calls a service through its stub's address with a fresh interrupt frame. */
  call(service: number): void {
    Object.assign(this.context, { linear: this.memory, physical: this.memory });
    this.#gprs[gpr.esp] = 0x100;
    this.memory.write16(0x10104, 0x0202);
    if (!this.bios.trap(this.context, this.stub(service))) throw new Error(`service ${service} did not answer`);
  }

  stub(service: number): number {
    for (let at = 0xe000; at < 0xfffb; at++) {
      if (this.rom[at] === 0xe6 && this.rom[at + 1] === 0xea && this.rom[at + 2] === 0xeb && this.rom[at + 4] === service) return 0xf0000 + at;
    }
    throw new Error(`no stub for service ${service}`);
  }

  setDataSegment(selector: number): void {
    this.#segments.ds = selector;
  }

  get frameFlags(): number {
    return this.memory.read16(0x10104);
  }

  screen(row: number): string {
    let line = '';
    for (let column = 0; column < 80; column++) line += String.fromCharCode(this.memory.read8(0xb8000 + (row * 80 + column) * 2));
    return line.trimEnd();
  }

  addPci(devfn: number, vendor: number, device: number, barSizes: readonly number[] = [], io = false): void {
    const bytes = new Uint8Array(256);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, vendor, true);
    view.setUint16(2, device, true);
    bytes[0x0e] = 0x80;
    this.pci.set(devfn, bytes);
    barSizes.forEach((size, index) => this.barSizes.set(`${devfn}:${0x10 + index * 4}`, { size, io }));
  }

  readonly barSizes = new Map<string, { size: number; io: boolean }>();

  #readPort(port: number, size: number): number {
    if (port === 0x71) return this.cmos[this.#cmosIndex & 127];
    if (port >= 0xcfc && port <= 0xcff) {
      const bytes = this.pci.get((this.#pciAddress >> 8) & 0xff);
      if (!bytes) return size === 1 ? 0xff : size === 2 ? 0xffff : 0xffff_ffff;
      let value = 0;
      for (let index = size - 1; index >= 0; index--) value = value * 256 + bytes[((this.#pciAddress & 0xfc) | (port & 3)) + index];
      return value;
    }
    if (port === 0x64) return 0x1c;
    if (port === 0x3cc) return 1;
    if ([0x3c5, 0x3cf, 0x3d5].includes(port)) return this.indexed.get(`${port - 1}:${this.#indices.get(port - 1)}`) ?? 0;
    if (port === 0x3ff || port === 0x2ff) return this.#plain.get(port) ?? 0;
    if (port === 0x3fd) return 0x60;
    if (port === 0x92) return this.#plain.get(port) ?? 0;
    return 0xff;
  }

  #writePort(port: number, value: number, size: number): void {
    this.writes.push({ port, value });
    this.#plain.set(port, value);
    if (port === 0x70) this.#cmosIndex = value;
    if (port === 0x71) this.cmos[this.#cmosIndex & 127] = value;
    if (port === 0xcf8) this.#pciAddress = value;
    if ([0x3c4, 0x3ce, 0x3d4].includes(port)) this.#indices.set(port, value);
    if ([0x3c5, 0x3cf, 0x3d5].includes(port)) this.indexed.set(`${port - 1}:${this.#indices.get(port - 1)}`, value);
    if (port >= 0xcfc && port <= 0xcff) this.#writePci((this.#pciAddress & 0xfc) | (port & 3), value, size);
  }

  #writePci(register: number, value: number, size: number): void {
    const devfn = (this.#pciAddress >> 8) & 0xff;
    const bytes = this.pci.get(devfn);
    if (!bytes) return;
    const bar = this.barSizes.get(`${devfn}:${register}`);
    if (register >= 0x10 && register < 0x28) value = bar ? ((value & -bar.size) | (bar.io ? 1 : 0)) >>> 0 : 0;
    for (let index = 0; index < size; index++) bytes[register + index] = (value >>> (8 * index)) & 0xff;
  }
}
