// A function's 256 bytes of configuration space with writable and write-one-to-clear bits (PCI 2.1 chapter 6).
import { bytes } from './savedState.ts';
import type { PciFunction } from './pci.ts';
import type { AccessSize } from './portMap.ts';

export const PCI = {
  VENDOR: 0x00,
  DEVICE: 0x02,
  COMMAND: 0x04,
  STATUS: 0x06,
  REVISION: 0x08,
  PROGRAMMING: 0x09,
  SUBCLASS: 0x0a,
  CLASS: 0x0b,
  HEADER_TYPE: 0x0e,
  BAR0: 0x10,
  BAR4: 0x20,
  INTERRUPT_LINE: 0x3c,
  INTERRUPT_PIN: 0x3d,
} as const;

export const PCI_COMMAND = { IO: 0x01, MEMORY: 0x02, MASTER: 0x04 } as const;

export interface PciIdentity {
  readonly device: number;
  readonly function: number;
  readonly vendorId: number;
  readonly deviceId: number;
  readonly revision?: number;
  /** Base class, subclass and programming interface as one 24-bit number. */
  readonly classCode: number;
  readonly multiFunction?: boolean;
  /** Writable bits of the command register. */
  readonly command?: number;
  /** Command register at reset. */
  readonly commandReset?: number;
  readonly status?: number;
}

export const configurationBytes = bytes(256);

export class PciConfiguration implements PciFunction {
  readonly device: number;
  readonly function: number;
  /** Content; owners read it directly. */
  bytes = new Uint8Array(256);
  readonly #initial = new Uint8Array(256);
  readonly #writable = new Uint8Array(256);
  readonly #clearable = new Uint8Array(256);
  readonly #onWrite: (register: number) => void;

  /** `onWrite` is called once for each access, after the bytes have changed, with the first register written. */
  constructor(identity: PciIdentity, onWrite: (register: number) => void = () => {}) {
    this.device = identity.device;
    this.function = identity.function;
    this.#onWrite = onWrite;
    this.define(PCI.VENDOR, 2, identity.vendorId);
    this.define(PCI.DEVICE, 2, identity.deviceId);
    this.define(PCI.COMMAND, 2, identity.commandReset ?? 0, identity.command ?? 0);
    this.define(PCI.STATUS, 2, identity.status ?? 0x0280);
    this.#clearable[PCI.STATUS + 1] = 0xf9;
    this.define(PCI.REVISION, 1, identity.revision ?? 0);
    this.define(PCI.PROGRAMMING, 1, identity.classCode & 0xff);
    this.define(PCI.SUBCLASS, 1, (identity.classCode >> 8) & 0xff);
    this.define(PCI.CLASS, 1, identity.classCode >> 16);
    this.define(PCI.HEADER_TYPE, 1, identity.multiFunction ? 0x80 : 0);
    this.define(PCI.INTERRUPT_LINE, 1, 0, 0xff);
  }

  /** Gives a register of `size` bytes its reset value and its writable bits. */
  define(register: number, size: AccessSize, initial: number, writable = 0): void {
    for (let index = 0; index < size; index++) {
      this.#initial[register + index] = initial >>> (8 * index);
      this.#writable[register + index] = writable >>> (8 * index);
      this.bytes[register + index] = initial >>> (8 * index);
    }
  }

  reset(): void {
    this.bytes.set(this.#initial);
  }

  /** Takes saved content; bits that cannot be written keep their fixed values. */
  restore(saved: Uint8Array): void {
    for (let index = 0; index < 256; index++) {
      const changeable = this.#writable[index]! | this.#clearable[index]!;
      this.bytes[index] = (saved[index]! & changeable) | (this.#initial[index]! & ~changeable);
    }
  }

  get16(register: number): number {
    return this.bytes[register]! | (this.bytes[register + 1]! << 8);
  }

  get32(register: number): number {
    return (this.get16(register) | (this.get16(register + 2) << 16)) >>> 0;
  }

  configRead(register: number, size: AccessSize): number {
    let value = 0;
    for (let index = size - 1; index >= 0; index--) value = value * 256 + this.bytes[(register + index) & 0xff]!;
    return value;
  }

  configWrite(register: number, value: number, size: AccessSize): void {
    for (let index = 0; index < size; index++) {
      const at = (register + index) & 0xff;
      const byte = (value >>> (8 * index)) & 0xff;
      const writable = this.#writable[at]!;
      this.bytes[at] = ((this.bytes[at]! & ~writable) | (byte & writable)) & ~(byte & this.#clearable[at]!);
    }
    this.#onWrite(register);
  }
}
