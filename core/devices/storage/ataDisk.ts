// ATA hard disk (ATA/ATAPI-6, T13 1410D clause 8).
import type { Device, ResetKind, Wiring } from '../../bus/device.ts';
import { flag, integer, record, recordCodec, u8 } from '../../bus/savedState.ts';
import type { BlockStore } from '../../host/blockStore.ts';
import { COMMAND, DEVICE, ERROR, STATUS } from './ata.registers.ts';
import { identifyDisk } from './ataIdentify.ts';
import { IdeDrive, ideDriveShape, type IdeDriveState } from './ideDrive.ts';

export interface AtaDiskState {
  drive: IdeDriveState;
  /** Sectors of a block of READ/WRITE MULTIPLE; 0: not set. */
  multiple: number;
  /** Geometry in force (INITIALIZE DEVICE PARAMETERS). */
  heads: number;
  sectors: number;
  /** SET FEATURES 03h: transfer mode as the host set it. */
  transferMode: number;
  writeCache: boolean;
  lookAhead: boolean;
}

const MAX_MULTIPLE = 128;

const shape = record<AtaDiskState>({
  drive: record(ideDriveShape),
  multiple: integer(0, MAX_MULTIPLE),
  heads: integer(1, 16),
  sectors: integer(1, 255),
  transferMode: u8,
  writeCache: flag,
  lookAhead: flag,
});


const SECTOR = 512;
const LBA28_SECTORS = 2 ** 28;

/** Subcommands of SET FEATURES that are accepted without effect, for nothing visible depends on them. */
const ACCEPTED_FEATURES = new Set([0x05, 0x42, 0x66, 0x85, 0xc2, 0xcc]);

export class AtaDisk extends IdeDrive implements Device<AtaDiskState> {
  readonly id: string;
  override readonly isPacketDevice = false;
  protected override readonly sectorBytes = SECTOR;
  readonly #store: BlockStore;
  readonly #serial: string;

  // guest-visible state, with the task file in `r`
  #d = this.#defaults();

  readonly state = recordCodec(
    1,
    shape,
    () => ({ ...this.#d, drive: this.savedDrive() }),
    (saved) => {
      const { drive, ...rest } = saved;
      this.#d = rest;
      this.restoreDrive(drive);
    },
  );

  constructor(wiring: Wiring, options: { id: string; store: BlockStore; serial: string }) {
    super(wiring);
    this.id = options.id;
    this.#store = options.store;
    this.#serial = options.serial;
  }

  reset(kind: ResetKind): void {
    if (kind === 'soft') return;
    this.#d = this.#defaults();
    this.resetDrive();
  }

  override signature(): void {
    Object.assign(this.r, { count: 1, lbaLow: 1, lbaMid: 0, lbaHigh: 0 });
  }

  protected override get store(): BlockStore {
    return this.#store;
  }

  get #totalSectors(): number {
    return Math.floor(this.#store.sizeBytes / SECTOR);
  }

  #defaults(): Omit<AtaDiskState, 'drive'> {
    return { multiple: 16, heads: 16, sectors: 63, transferMode: 0x0c, writeCache: true, lookAhead: true };
  }

  protected override execute(command: number): void {
    switch (command) {
      case COMMAND.READ:
      case COMMAND.READ_NO_RETRY:
        return this.#read(false, SECTOR, false);
      case COMMAND.READ_EXT:
        return this.#read(true, SECTOR, false);
      case COMMAND.READ_MULTIPLE:
        return this.#multiple(() => this.#read(false, this.#d.multiple * SECTOR, false));
      case COMMAND.READ_MULTIPLE_EXT:
        return this.#multiple(() => this.#read(true, this.#d.multiple * SECTOR, false));
      case COMMAND.READ_DMA:
      case COMMAND.READ_DMA_NO_RETRY:
        return this.#read(false, SECTOR, true);
      case COMMAND.READ_DMA_EXT:
        return this.#read(true, SECTOR, true);
      case COMMAND.WRITE:
      case COMMAND.WRITE_NO_RETRY:
        return this.#write(false, SECTOR, false);
      case COMMAND.WRITE_EXT:
        return this.#write(true, SECTOR, false);
      case COMMAND.WRITE_MULTIPLE:
        return this.#multiple(() => this.#write(false, this.#d.multiple * SECTOR, false));
      case COMMAND.WRITE_MULTIPLE_EXT:
        return this.#multiple(() => this.#write(true, this.#d.multiple * SECTOR, false));
      case COMMAND.WRITE_DMA:
      case COMMAND.WRITE_DMA_NO_RETRY:
        return this.#write(false, SECTOR, true);
      case COMMAND.WRITE_DMA_EXT:
        return this.#write(true, SECTOR, true);
      case COMMAND.VERIFY:
      case COMMAND.VERIFY_NO_RETRY:
        return this.#verify(false);
      case COMMAND.VERIFY_EXT:
        return this.#verify(true);
      case COMMAND.FLUSH:
      case COMMAND.FLUSH_EXT:
        return this.flushStore();
      case COMMAND.IDENTIFY:
        return this.#identify();
      default:
        return this.#executeOther(command);
    }
  }

  /** Commands that move no data. */
  #executeOther(command: number): void {
    switch (command) {
      case COMMAND.SET_FEATURES:
        return this.#setFeatures();
      case COMMAND.SET_MULTIPLE:
        return this.#setMultiple();
      case COMMAND.INITIALIZE_PARAMETERS:
        this.#d.heads = (this.r.device & 15) + 1;
        this.#d.sectors = (this.r.count & 0xff) || this.#d.sectors;
        return this.#succeed();
      case COMMAND.READ_NATIVE_MAX:
        this.#storeAddress(Math.min(this.#totalSectors, LBA28_SECTORS) - 1, false);
        return this.#succeed();
      case COMMAND.READ_NATIVE_MAX_EXT:
        this.#storeAddress(this.#totalSectors - 1, true);
        return this.#succeed();
      case COMMAND.CHECK_POWER:
      case 0x98:
        this.r.count = 0xff; // active or idle
        return this.#succeed();
      case COMMAND.SEEK:
        return this.#inRange(this.#address(false), 1) ? this.#succeed() : this.#fail(ERROR.IDNF);
      case COMMAND.STANDBY_IMMEDIATE:
      case COMMAND.IDLE_IMMEDIATE:
      case COMMAND.STANDBY:
      case COMMAND.IDLE:
      case COMMAND.SLEEP:
      case 0x94:
      case 0x95:
      case 0x96:
      case 0x97:
      case 0x99:
        return this.#succeed();
      default:
        if ((command & 0xf0) === COMMAND.RECALIBRATE) return this.#succeed();
        return this.#fail(ERROR.ABRT); // also NOP, DEVICE RESET and PACKET, as a disk must
    }
  }

  #succeed(): void {
    this.r.status = STATUS.DRDY | STATUS.DSC;
    this.interrupt();
  }

  #fail(error: number): void {
    this.r.error = error;
    this.r.status = STATUS.DRDY | STATUS.DSC | STATUS.ERR;
    this.interrupt();
  }

  #multiple(go: () => void): void {
    if (this.#d.multiple === 0) this.#fail(ERROR.ABRT);
    else go();
  }

  #read(ext: boolean, blockBytes: number, usesDma: boolean): void {
    const sector = this.#address(ext);
    const sectors = this.#count(ext);
    if (!this.#inRange(sector, sectors)) this.#fail(ERROR.IDNF);
    else this.readSectors(sector, sectors, blockBytes, usesDma);
  }

  #write(ext: boolean, blockBytes: number, usesDma: boolean): void {
    const sector = this.#address(ext);
    const sectors = this.#count(ext);
    if (!this.#inRange(sector, sectors)) this.#fail(ERROR.IDNF);
    else if (this.#store.readOnly) this.#fail(ERROR.ABRT | ERROR.UNC); // 40h on a write: write-protected
    else this.writeSectors(sector, sectors, blockBytes, usesDma);
  }

  #verify(ext: boolean): void {
    if (this.#inRange(this.#address(ext), this.#count(ext))) this.#succeed();
    else this.#fail(ERROR.IDNF);
  }

  #count(ext: boolean): number {
    return ext ? this.r.count || 65536 : (this.r.count & 0xff) || 256;
  }

  /** The sector that the registers name; -1 for a CHS address that cannot be (ATA/ATAPI-4 8.1). */
  #address(ext: boolean): number {
    const { lbaLow, lbaMid, lbaHigh, device } = this.r;
    const low = (lbaLow & 0xff) + (lbaMid & 0xff) * 0x100 + (lbaHigh & 0xff) * 0x10000;
    if (ext) return low + (lbaLow >> 8) * 2 ** 24 + (lbaMid >> 8) * 2 ** 32 + (lbaHigh >> 8) * 2 ** 40;
    if (device & DEVICE.LBA) return low + (device & 15) * 2 ** 24;
    const sector = lbaLow & 0xff;
    const cylinder = (lbaMid & 0xff) | ((lbaHigh & 0xff) << 8);
    if (sector === 0 || sector > this.#d.sectors || (device & 15) >= this.#d.heads) return -1;
    return (cylinder * this.#d.heads + (device & 15)) * this.#d.sectors + sector - 1;
  }

  #storeAddress(sector: number, ext: boolean): void {
    const r = this.r;
    const byte = (index: number): number => Math.floor(sector / 2 ** (8 * index)) & 0xff;
    r.lbaLow = byte(0) | (ext ? byte(3) << 8 : 0);
    r.lbaMid = byte(1) | (ext ? byte(4) << 8 : 0);
    r.lbaHigh = byte(2) | (ext ? byte(5) << 8 : 0);
    if (!ext) r.device = (r.device & 0xf0) | (byte(3) & 15);
  }

  #inRange(sector: number, sectors: number): boolean {
    return sector >= 0 && sector + sectors <= this.#totalSectors;
  }

  #setMultiple(): void {
    const sectors = this.r.count & 0xff;
    if (sectors > MAX_MULTIPLE || (sectors & (sectors - 1)) !== 0) {
      this.#d.multiple = 0;
      this.#fail(ERROR.ABRT);
      return;
    }
    this.#d.multiple = sectors;
    this.#succeed();
  }

  #setFeatures(): void {
    const d = this.#d;
    switch (this.r.features) {
      case 0x02:
      case 0x82:
        d.writeCache = this.r.features === 0x02;
        return this.#succeed();
      case 0xaa:
      case 0x55:
        d.lookAhead = this.r.features === 0xaa;
        return this.#succeed();
      case 0x03:
        return this.#setTransferMode(this.r.count & 0xff);
      default:
        if (ACCEPTED_FEATURES.has(this.r.features)) this.#succeed();
        else this.#fail(ERROR.ABRT);
    }
  }

  /** ATA/ATAPI-6 table 44: PIO default and flow control 0-4, multiword DMA 0-2, Ultra DMA 0-5. */
  #setTransferMode(mode: number): void {
    const kind = mode >> 3;
    const number = mode & 7;
    const known = (kind === 0 && number <= 1) || (kind === 1 && number <= 4) || (kind === 4 && number <= 2) || (kind === 8 && number <= 5);
    if (!known) {
      this.#fail(ERROR.ABRT);
      return;
    }
    this.#d.transferMode = mode;
    this.#succeed();
  }

  #identify(): void {
    identifyDisk(this.r.buffer, {
      totalSectors: this.#totalSectors,
      serial: this.#serial,
      maxMultiple: MAX_MULTIPLE,
      ...this.#d,
    });
    this.sendBuffer(512, 512, false);
  }

  protected override complete(wasPioIn: boolean): void {
    this.r.status = STATUS.DRDY | STATUS.DSC;
    if (!wasPioIn) this.interrupt();
  }

  protected override announceBlock(): void {}

  protected override storeFailed(writing: boolean): void {
    this.#storeAddress(this.r.sector, false);
    this.#fail(writing ? ERROR.ABRT : ERROR.UNC);
  }

  protected override packet(): void {
    this.#fail(ERROR.ABRT);
  }
}
