// The device contract: what a device offers and all that it may touch.

/** `power-on`: cold; `hard`: RESET# pin (port CF9h, reset button, triple fault); `soft`: INIT (port 92h, i8042). */
export type ResetKind = 'power-on' | 'hard' | 'soft';

export interface Device<S = unknown> {
  /** Stable: snapshot key and log tag, for example `pit0`. */
  readonly id: string;
  readonly state: StateCodec<S>;
  reset(kind: ResetKind): void;
}

export interface StateCodec<S> {
  readonly version: number;
  /** Plain JSON-like record (numbers, strings, booleans, arrays, Uint8Array) of the guest-visible state. */
  save(): S;
  /** `saved` is untrusted: throws SnapshotError and changes nothing when it does not fit. */
  restore(saved: unknown, version: number): void;
}

export class SnapshotError extends Error {
  override readonly name = 'SnapshotError';
}

/** A level on an interrupt or control line. */
export interface Line {
  set(level: boolean): void;
}

export interface Timer {
  /** Expires once when guest time reaches `ns` (at the next slice boundary); re-arming replaces the deadline. */
  armAt(ns: number): void;
  cancel(): void;
}

/** Handler of a range of I/O ports. `port` is the absolute port; `size` is 1, 2 or 4 bytes. */
export interface PortHandler {
  /** Value in the low `size` bytes, as an unsigned number. */
  read(port: number, size: 1 | 2 | 4): number;
  write(port: number, value: number, size: 1 | 2 | 4): void;
}

/** Handler of a range of physical memory. `offset` is relative to the range's base; never crosses its end. */
export interface MmioHandler {
  read(offset: number, size: 1 | 2 | 4): number;
  write(offset: number, value: number, size: 1 | 2 | 4): void;
}

/** Physical memory as bus masters see it (DMA). Reads outside RAM give FFh; writes there are dropped. */
export interface GuestMemory {
  read8(address: number): number;
  read16(address: number): number;
  read32(address: number): number;
  write8(address: number, value: number): void;
  write16(address: number, value: number): void;
  write32(address: number, value: number): void;
  /** Copies guest memory at `address` into `into`. */
  read(address: number, into: Uint8Array): void;
  write(address: number, from: Uint8Array): void;
}

/** A mapping that can be taken away again, for example when a PCI BAR moves. */
export interface Mapping {
  unmap(): void;
}

/** All that a device may touch. Handed in by the chipset, never imported. */
export interface Wiring {
  /** An output pin by name, for example `irq`; the chipset decides where it leads. */
  irq(pin: string): Line;
  timer(onExpire: () => void): Timer;
  /** Guest time in ns since power-on; stops while the machine is paused. */
  now(): number;
  /** Claims `length` I/O ports from `base`. A later claim of the same port wins until it is unmapped. */
  ports(name: string, base: number, length: number, handler: PortHandler): Mapping;
  mmio(name: string, base: number, length: number, handler: MmioHandler): Mapping;
  readonly memory: GuestMemory;
  /** The guest did what no working driver does. Rate-limited by the receiver. */
  guestError(what: string, detail?: Readonly<Record<string, number | string>>): void;
}
