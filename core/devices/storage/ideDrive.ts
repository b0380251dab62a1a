// What disks and CD-ROM drives share: the task file and the engine that moves data between store, PIO and DMA (ATA/ATAPI-6 9).
import type { Timer, Wiring } from '../../bus/device.ts';
import type { BlockError, BlockStore } from '../../host/blockStore.ts';
import { bytes, count, flag, integer, oneOf, type Shape, u16, u8 } from '../../bus/savedState.ts';
import { DEVICE, REG, STATUS } from './ata.registers.ts';

/** The channel as its drives see it. */
export interface IdeBus {
  /** INTRQ rose: the bus master notes it. */
  interrupt(): void;
  /** Outputs of the drive changed. */
  changed(): void;
  /** The bus master runs in this direction for the selected drive. */
  dmaRunning(toMemory: boolean): boolean;
  /** Moves buffer[start..end) through the descriptor table; gives the bytes moved, fewer when the table ends. */
  dmaMove(buffer: Uint8Array, start: number, end: number, toMemory: boolean): number;
}

/** Bytes of store that one request moves at most. */
export const CHUNK_BYTES = 128 * 1024;

const PHASES = ['idle', 'storeRead', 'storeWrite', 'flush', 'pioIn', 'pioOut', 'packet', 'dmaIn', 'dmaOut'] as const;
export type Phase = (typeof PHASES)[number];

export interface IdeDriveState {
  features: number;
  error: number;
  /** Count and LBA registers: the newest byte low, the previous one high (ATA/ATAPI-6 6.20). */
  count: number;
  lbaLow: number;
  lbaMid: number;
  lbaHigh: number;
  device: number;
  status: number;
  intrq: boolean;
  phase: Phase;
  /** Data of the chunk under way, in the first `end` bytes. */
  buffer: Uint8Array<ArrayBuffer>;
  position: number;
  blockEnd: number;
  end: number;
  /** Where the chunk under way begins on the medium, and sectors of the command from there on. */
  sector: number;
  remaining: number;
  usesDma: boolean;
  /** Bytes of a data block between interrupts. */
  blockBytes: number;
}

export const ideDriveShape: Shape<IdeDriveState> = {
  features: u8,
  error: u8,
  count: u16,
  lbaLow: u16,
  lbaMid: u16,
  lbaHigh: u16,
  device: u8,
  status: u8,
  intrq: flag,
  phase: oneOf(...PHASES),
  buffer: bytes(CHUNK_BYTES, true),
  position: integer(0, CHUNK_BYTES),
  blockEnd: integer(0, CHUNK_BYTES),
  end: integer(0, CHUNK_BYTES),
  sector: count,
  remaining: integer(0, 65536),
  usesDma: flag,
  blockBytes: integer(1, CHUNK_BYTES),
};

const NO_BUS: IdeBus = { interrupt() {}, changed() {}, dmaRunning: () => false, dmaMove: () => 0 };

export abstract class IdeDrive {
  protected bus: IdeBus = NO_BUS;
  protected readonly wiring: Wiring;
  protected r: IdeDriveState;
  /** Guest transfers in bytes since power-on. */
  bytesRead = 0;
  bytesWritten = 0;
  readonly #resume: Timer;
  /** Store requests under way carry the number that was current; a reset makes them strangers. */
  #generation = 0;

  constructor(wiring: Wiring) {
    this.wiring = wiring;
    this.r = this.powerOn();
    this.#resume = wiring.timer(() => this.#resumeStore());
  }

  attach(bus: IdeBus): void {
    this.bus = bus;
  }

  /** Speaks packets: DEVICE RESET applies. */
  abstract readonly isPacketDevice: boolean;
  protected abstract readonly sectorBytes: number;
  protected abstract get store(): BlockStore | null;
  protected abstract execute(command: number): void;
  /** Count and LBA registers as a reset leaves them, by which hosts tell disks from packet devices. */
  abstract signature(): void;
  /** The data of the command has passed: set status and interrupt. `wasPioIn`: the host took the last block itself. */
  protected abstract complete(wasPioIn: boolean): void;
  /** A data block is about to be offered. */
  protected abstract announceBlock(blockBytes: number, toHost: boolean): void;
  /** The store failed at `r.sector`. */
  protected abstract storeFailed(writing: boolean): void;
  /** A command packet is complete in the buffer. */
  protected abstract packet(): void;

  protected powerOn(): IdeDriveState {
    return {
      features: 0,
      error: 1,
      count: 1,
      lbaLow: 1,
      lbaMid: 0,
      lbaHigh: 0,
      device: 0,
      status: STATUS.DRDY | STATUS.DSC,
      intrq: false,
      phase: 'idle',
      buffer: new Uint8Array(CHUNK_BYTES),
      position: 0,
      blockEnd: 0,
      end: 0,
      sector: 0,
      remaining: 0,
      usesDma: false,
      blockBytes: 512,
    };
  }

  get intrq(): boolean {
    return this.r.intrq;
  }

  get status(): number {
    return this.r.status;
  }

  /** Reading the status register takes the interrupt back (ATA/ATAPI-6 7.15). */
  acknowledge(): number {
    if (this.r.intrq) {
      this.r.intrq = false;
      this.bus.changed();
    }
    return this.r.status;
  }

  readRegister(register: number, previous: boolean): number {
    const r = this.r;
    const pick = (value: number): number => (previous ? value >> 8 : value & 0xff);
    switch (register) {
      case REG.ERROR_FEATURES:
        return r.error;
      case REG.COUNT:
        return pick(r.count);
      case REG.LBA_LOW:
        return pick(r.lbaLow);
      case REG.LBA_MID:
        return pick(r.lbaMid);
      case REG.LBA_HIGH:
        return pick(r.lbaHigh);
      default:
        return r.device | 0xa0;
    }
  }

  writeRegister(register: number, value: number): void {
    const r = this.r;
    if (r.status & STATUS.BSY && register !== REG.DEVICE) return; // ATA/ATAPI-6 6.3: ignored while busy
    switch (register) {
      case REG.ERROR_FEATURES:
        r.features = value;
        return;
      case REG.COUNT:
        r.count = ((r.count & 0xff) << 8) | value;
        return;
      case REG.LBA_LOW:
        r.lbaLow = ((r.lbaLow & 0xff) << 8) | value;
        return;
      case REG.LBA_MID:
        r.lbaMid = ((r.lbaMid & 0xff) << 8) | value;
        return;
      case REG.LBA_HIGH:
        r.lbaHigh = ((r.lbaHigh & 0xff) << 8) | value;
        return;
      case REG.DEVICE:
        r.device = value;
        return;
      default:
    }
  }

  writeCommand(command: number): void {
    if (this.r.status & STATUS.BSY) {
      this.wiring.guestError('command written while the drive is busy', { command });
      return;
    }
    this.abandon();
    this.r.intrq = false;
    this.r.error = 0;
    this.r.status = STATUS.DRDY | STATUS.DSC;
    this.execute(command);
    this.bus.changed();
  }

  /** Power-on, SRST, DEVICE RESET and EXECUTE DEVICE DIAGNOSTIC end here. */
  resetDrive(): void {
    this.abandon();
    Object.assign(this.r, { intrq: false, error: 1, features: 0, status: STATUS.DRDY | STATUS.DSC, device: this.r.device & DEVICE.DEV });
    this.signature();
    this.bus.changed();
  }

  /** EXECUTE DEVICE DIAGNOSTIC has passed: after the reset, an interrupt. */
  diagnosed(): void {
    this.interrupt();
  }

  /** SRST is held: busy until it is released. */
  holdReset(): void {
    this.abandon();
    this.r.intrq = false;
    this.r.status = STATUS.BSY;
    this.bus.changed();
  }

  readData(size: 1 | 2 | 4): number {
    const r = this.r;
    if (r.phase !== 'pioIn') return 0;
    const buffer = r.buffer;
    const at = r.position;
    r.position = at + size;
    const value =
      size === 2
        ? buffer[at]! | (buffer[at + 1]! << 8)
        : size === 4
          ? (buffer[at]! | (buffer[at + 1]! << 8) | (buffer[at + 2]! << 16) | (buffer[at + 3]! << 24)) >>> 0
          : buffer[at]!;
    if (r.position >= r.blockEnd) this.#blockTaken();
    return value;
  }

  writeData(value: number, size: 1 | 2 | 4): void {
    const r = this.r;
    if (r.phase !== 'pioOut' && r.phase !== 'packet') return;
    for (let index = 0; index < size && r.position < r.blockEnd; index++) r.buffer[r.position++] = value >>> (8 * index);
    if (r.position < r.blockEnd) return;
    if (r.phase === 'packet') {
      r.phase = 'idle';
      r.status = STATUS.BSY;
      this.packet();
      this.bus.changed();
    } else this.#blockGiven();
  }

  /** The bus master was started: data that waits for it can move. */
  dmaStarted(): void {
    if (this.r.phase === 'dmaIn') this.#dmaIn();
    else if (this.r.phase === 'dmaOut') this.#dmaOut();
  }

  protected interrupt(): void {
    this.r.intrq = true;
    this.bus.interrupt();
  }

  protected get idle(): boolean {
    return this.r.phase === 'idle';
  }

  /** Drops the data phase under way; completions still to come are ignored. */
  protected abandon(): void {
    // The store may still hold the buffer of a request under way: leave it to it.
    if (this.r.phase === 'storeRead' || this.r.phase === 'storeWrite') this.r.buffer = new Uint8Array(CHUNK_BYTES);
    this.#generation++;
    this.r.phase = 'idle';
    this.r.remaining = 0;
    this.#resume.cancel();
  }

  /** Sends `length` bytes of the buffer to the host. */
  protected sendBuffer(length: number, blockBytes: number, usesDma: boolean): void {
    Object.assign(this.r, { position: 0, end: length, remaining: 0, blockBytes, usesDma });
    if (usesDma) this.#dmaIn();
    else this.#offerIn();
  }

  protected readSectors(sector: number, sectors: number, blockBytes: number, usesDma: boolean): void {
    Object.assign(this.r, { sector, remaining: sectors, blockBytes, usesDma });
    this.#readChunk();
  }

  protected writeSectors(sector: number, sectors: number, blockBytes: number, usesDma: boolean): void {
    Object.assign(this.r, { sector, remaining: sectors, blockBytes, usesDma });
    this.#takeChunk(true);
  }

  /** Receives a command packet of `length` bytes. */
  protected receivePacket(length: number): void {
    Object.assign(this.r, { phase: 'packet', position: 0, end: length, blockEnd: length, status: STATUS.DRDY | STATUS.DRQ });
  }

  protected flushStore(): void {
    const store = this.store;
    if (store === null || store.readOnly) {
      this.complete(false);
      return;
    }
    this.r.phase = 'flush';
    this.r.status = STATUS.BSY;
    store.flush(this.#whenDone(() => this.#finish(false), true));
  }

  /** For the codec: a copy of the buffer only as far as it holds data. */
  protected savedDrive(): IdeDriveState {
    const holdsData = this.r.phase !== 'idle' && this.r.phase !== 'storeRead' && this.r.phase !== 'flush';
    return { ...this.r, buffer: this.r.buffer.subarray(0, holdsData ? this.r.end : 0) as Uint8Array<ArrayBuffer> };
  }

  /** Takes a checked state. A request that was under way is made again, at the next turn of the machine. */
  protected restoreDrive(saved: IdeDriveState): void {
    this.abandon();
    const buffer = new Uint8Array(CHUNK_BYTES);
    buffer.set(saved.buffer);
    this.r = { ...saved, buffer };
    if (saved.phase === 'storeRead' || saved.phase === 'storeWrite' || saved.phase === 'flush') this.#resume.armAt(this.wiring.now());
    this.bus.changed();
  }

  #resumeStore(): void {
    if (this.r.phase === 'storeRead') this.#readChunk();
    else if (this.r.phase === 'storeWrite') this.#writeChunk();
    else if (this.r.phase === 'flush') this.flushStore();
  }

  #finish(wasPioIn: boolean): void {
    this.r.phase = 'idle';
    this.complete(wasPioIn);
    this.bus.changed();
  }

  #whenDone(next: () => void, writing: boolean): (error?: BlockError) => void {
    const generation = ++this.#generation;
    return (error) => {
      if (generation !== this.#generation) return;
      this.#generation++;
      if (!error) {
        next();
        return;
      }
      this.r.phase = 'idle';
      this.storeFailed(writing);
      this.bus.changed();
    };
  }

  #chunkSectors(): number {
    return Math.min(this.r.remaining, CHUNK_BYTES / this.sectorBytes);
  }

  #inside(): boolean {
    const store = this.store;
    return store !== null && (this.r.sector + this.#chunkSectors()) * this.sectorBytes <= store.sizeBytes;
  }

  #readChunk(): void {
    const r = this.r;
    const store = this.store;
    if (store === null || !this.#inside()) {
      r.phase = 'idle';
      this.storeFailed(false);
      this.bus.changed();
      return;
    }
    r.phase = 'storeRead';
    r.status = STATUS.BSY;
    const length = this.#chunkSectors() * this.sectorBytes;
    store.read(
      r.sector * this.sectorBytes,
      r.buffer.subarray(0, length),
      this.#whenDone(() => this.#chunkRead(length), false),
    );
  }

  #chunkRead(length: number): void {
    const r = this.r;
    const sectors = length / this.sectorBytes;
    r.sector += sectors;
    r.remaining -= sectors;
    r.position = 0;
    r.end = length;
    this.bytesRead += length;
    if (r.usesDma) this.#dmaIn();
    else this.#offerIn();
    this.bus.changed();
  }

  /** Offers the next block of the buffer for PIO. */
  #offerIn(): void {
    const r = this.r;
    r.phase = 'pioIn';
    r.blockEnd = Math.min(r.position + r.blockBytes, r.end);
    r.status = STATUS.DRDY | STATUS.DSC | STATUS.DRQ;
    this.announceBlock(r.blockEnd - r.position, true);
    this.interrupt();
  }

  #blockTaken(): void {
    const r = this.r;
    r.position = r.blockEnd; // a wide access may have gone past an odd end
    if (r.blockEnd < r.end) {
      this.#offerIn();
    } else if (r.remaining > 0) this.#readChunk();
    else this.#finish(true);
    this.bus.changed();
  }

  #dmaIn(): void {
    const r = this.r;
    r.phase = 'dmaIn';
    r.status = STATUS.DRDY | STATUS.DRQ;
    if (!this.bus.dmaRunning(true)) return;
    r.position += this.bus.dmaMove(r.buffer, r.position, r.end, true);
    if (r.position < r.end) return; // the table ended first: wait for another start
    if (r.remaining > 0) this.#readChunk();
    else this.#finish(false);
  }

  /** Asks the host for the next chunk. `first`: a PIO write starts without an interrupt (ATA/ATAPI-6 9.6). */
  #takeChunk(first: boolean): void {
    const r = this.r;
    r.position = 0;
    r.end = this.#chunkSectors() * this.sectorBytes;
    if (r.usesDma) {
      this.#dmaOut();
      return;
    }
    this.#offerOut(first);
  }

  #offerOut(first: boolean): void {
    const r = this.r;
    r.phase = 'pioOut';
    r.blockEnd = Math.min(r.position + r.blockBytes, r.end);
    r.status = STATUS.DRDY | STATUS.DSC | STATUS.DRQ;
    this.announceBlock(r.blockEnd - r.position, false);
    if (!first) this.interrupt();
  }

  #blockGiven(): void {
    if (this.r.position < this.r.end) this.#offerOut(false);
    else this.#writeChunk();
    this.bus.changed();
  }

  #dmaOut(): void {
    const r = this.r;
    r.phase = 'dmaOut';
    r.status = STATUS.DRDY | STATUS.DRQ;
    if (!this.bus.dmaRunning(false)) return;
    r.position += this.bus.dmaMove(r.buffer, r.position, r.end, false);
    if (r.position >= r.end) this.#writeChunk();
  }

  #writeChunk(): void {
    const r = this.r;
    const store = this.store;
    if (store === null || store.readOnly || !this.#inside()) {
      r.phase = 'idle';
      this.storeFailed(true);
      this.bus.changed();
      return;
    }
    r.phase = 'storeWrite';
    r.status = STATUS.BSY;
    store.write(
      r.sector * this.sectorBytes,
      r.buffer.subarray(0, r.end),
      this.#whenDone(() => this.#chunkWritten(), true),
    );
  }

  #chunkWritten(): void {
    const r = this.r;
    const sectors = r.end / this.sectorBytes;
    r.sector += sectors;
    r.remaining -= sectors;
    this.bytesWritten += r.end;
    if (r.remaining > 0) this.#takeChunk(false);
    else this.#finish(false);
    this.bus.changed();
  }
}
