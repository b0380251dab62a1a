// A device's surroundings for tests: a manual clock, real dispatch maps, RAM, and a record of lines and guest errors.
import type { BoardHost, Backing } from '../../core/chipset/boardHost.ts';
import { I440fxBoard, type I440fxBoardOptions } from '../../core/chipset/i440fxBoard.ts';
import type { GuestMemory, Line, ResetKind, Timer, Wiring } from '../../core/bus/device.ts';
import { MmioMap } from '../../core/bus/mmioMap.ts';
import { PortMap, type AccessSize } from '../../core/bus/portMap.ts';
import { BlockError, type BlockStore } from '../../core/host/blockStore.ts';

interface Deadline {
  at: number;
  onExpire: () => void;
}

export class ManualClock {
  ns = 0;
  readonly #armed = new Set<Deadline>();

  timer(onExpire: () => void): Timer {
    const deadline: Deadline = { at: Infinity, onExpire };
    return {
      armAt: (ns) => {
        deadline.at = ns;
        this.#armed.add(deadline);
      },
      cancel: () => void this.#armed.delete(deadline),
    };
  }

  /** Deadlines armed now: an idle device has none. */
  get armed(): number {
    return this.#armed.size;
  }

  advance(ns: number): void {
    const end = this.ns + ns;
    for (;;) {
      let next: Deadline | null = null;
      for (const deadline of this.#armed) if (next === null || deadline.at < next.at) next = deadline;
      if (next === null || next.at > end) break;
      this.ns = Math.max(this.ns, next.at);
      this.#armed.delete(next);
      next.onExpire();
    }
    this.ns = end;
  }
}

export class TestMemory implements GuestMemory {
  readonly bytes: Uint8Array;
  constructor(size: number) {
    this.bytes = new Uint8Array(size);
  }
  read8(address: number): number {
    return address < this.bytes.length ? this.bytes[address]! : 0xff;
  }
  read16(address: number): number {
    return this.read8(address) | (this.read8(address + 1) << 8);
  }
  read32(address: number): number {
    return (this.read16(address) | (this.read16(address + 2) << 16)) >>> 0;
  }
  write8(address: number, value: number): void {
    if (address < this.bytes.length) this.bytes[address] = value;
  }
  write16(address: number, value: number): void {
    this.write8(address, value & 0xff);
    this.write8(address + 1, (value >> 8) & 0xff);
  }
  write32(address: number, value: number): void {
    this.write16(address, value & 0xffff);
    this.write16(address + 2, value >>> 16);
  }
  read(address: number, into: Uint8Array): void {
    for (let index = 0; index < into.length; index++) into[index] = this.read8(address + index);
  }
  write(address: number, from: Uint8Array): void {
    for (let index = 0; index < from.length; index++) this.write8(address + index, from[index]!);
  }
}

/** A line that remembers its level and counts its rises. */
export class ProbeLine implements Line {
  level = false;
  rises = 0;
  set(level: boolean): void {
    if (level && !this.level) this.rises++;
    this.level = level;
  }
}

export class TestWiring implements Wiring {
  readonly clock = new ManualClock();
  readonly portMap = new PortMap();
  readonly mmioMap = new MmioMap();
  readonly memory = new TestMemory(1 << 20);
  readonly lines = new Map<string, ProbeLine>();
  readonly errors: string[] = [];

  irq(pin: string): ProbeLine {
    let line = this.lines.get(pin);
    if (!line) this.lines.set(pin, (line = new ProbeLine()));
    return line;
  }
  timer = (onExpire: () => void): Timer => this.clock.timer(onExpire);
  now = (): number => this.clock.ns;
  ports: Wiring['ports'] = (name, base, length, handler) => this.portMap.claim(name, base, length, handler);
  mmio: Wiring['mmio'] = (name, base, length, handler) => this.mmioMap.claim(name, base, length, handler);
  guestError = (what: string): void => void this.errors.push(what);

  in(port: number, size: AccessSize = 1): number {
    return this.portMap.read(port, size);
  }
  out(port: number, value: number, size: AccessSize = 1): void {
    this.portMap.write(port, value, size);
  }
}

export class TestBoardHost implements BoardHost {
  readonly clock = new ManualClock();
  readonly memory = new TestMemory(1 << 20);
  readonly intr = new ProbeLine();
  readonly a20 = new ProbeLine();
  readonly ignne = new ProbeLine();
  readonly cpu: BoardHost['cpu'] = {
    intr: this.intr,
    nmi: new ProbeLine(),
    timestampOffset: () => this.timestampOffset,
    a20: this.a20,
    ignne: this.ignne,
    reset: (kind) => void this.resets.push(kind),
  };
  readonly resets: ResetKind[] = [];
  timestampOffset = 0;
  readonly errors: string[] = [];
  readonly unclaimed: number[] = [];
  readonly exits: number[] = [];
  readonly serial: [number[], number[]] = [[], []];
  readonly postCodes: number[] = [];
  readonly rom = new Map<number, { read: Backing; write: Backing }>();
  debug = '';
  poweredOff = 0;

  now(): number {
    return this.clock.ns;
  }
  timer(onExpire: () => void): Timer {
    return this.clock.timer(onExpire);
  }
  guestError(source: string, what: string): void {
    this.errors.push(`${source}: ${what}`);
  }
  unclaimedAccess(_space: string, _kind: string, address: number): void {
    this.unclaimed.push(address);
  }
  powerOff(): void {
    this.poweredOff++;
  }
  debugExit(value: number): void {
    this.exits.push(value);
  }
  debugOutput(byte: number): void {
    this.debug += String.fromCharCode(byte);
  }
  serialOutput(port: number, byte: number): void {
    this.serial[port as 0 | 1].push(byte);
  }
  postCode(code: number): void {
    this.postCodes.push(code);
  }
  romMapping(base: number, _length: number, backing: { read: Backing; write: Backing }): void {
    this.rom.set(base, backing);
  }
}

export function testBoard(options: Partial<I440fxBoardOptions> = {}): { host: TestBoardHost; board: I440fxBoard } {
  const host = new TestBoardHost();
  const board = new I440fxBoard(host, { memoryBytes: 16 << 20, disks: [], cdrom: null, debugExit: true, apic: false, tscDeadline: true, kvmClock: true, firmwareFiles: null, flash: null, displayMemory: null, rtcStart: 946684800, ...options });
  return { host, board };
}

/** A store whose callbacks wait until `release`, as a busy host's do. */
export class DelayedStore implements BlockStore {
  readonly #inner: BlockStore;
  readonly #waiting: (() => void)[] = [];
  constructor(inner: BlockStore) {
    this.#inner = inner;
  }
  get sizeBytes(): number {
    return this.#inner.sizeBytes;
  }
  get readOnly(): boolean {
    return this.#inner.readOnly;
  }
  get waiting(): number {
    return this.#waiting.length;
  }
  read(offset: number, into: Uint8Array, done: (error?: BlockError) => void): void {
    this.#waiting.push(() => this.#inner.read(offset, into, done));
  }
  write(offset: number, from: Uint8Array, done: (error?: BlockError) => void): void {
    this.#waiting.push(() => this.#inner.write(offset, from, done));
  }
  flush(done: (error?: BlockError) => void): void {
    this.#waiting.push(() => this.#inner.flush(done));
  }
  /** Completes what waits now; with `all`, also what that starts. */
  release(all = true): void {
    do for (const step of this.#waiting.splice(0)) step();
    while (all && this.#waiting.length > 0);
  }
  close(): void {}
}

/** A store on which everything fails. */
export function failingStore(sizeBytes: number): BlockStore {
  const fail = (done: (error?: BlockError) => void): void => done(new BlockError('disk.img: input/output error'));
  return { sizeBytes, readOnly: false, read: (_o, _b, done) => fail(done), write: (_o, _b, done) => fail(done), flush: fail, close() {} };
}

/** xorshift32: repeatable nonsense. */
export function randomSource(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>>= 0);
  };
}
