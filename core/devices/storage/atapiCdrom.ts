// ATAPI CD-ROM drive (SFF-8020i; MMC-3; ATA/ATAPI-6 9.7, 9.8).
import type { Device, ResetKind, Wiring } from '../../bus/device.ts';
import { flag, list, oneOf, record, recordCodec, u8 } from '../../bus/savedState.ts';
import type { BlockStore } from '../../host/blockStore.ts';
import { COMMAND, ERROR, REASON, STATUS } from './ata.registers.ts';
import { identifyCdrom } from './ataIdentify.ts';
import { IdeDrive, ideDriveShape, type IdeDriveState } from './ideDrive.ts';
import * as replies from './atapiReplies.ts';
import { be16, be32 } from './atapiReplies.ts';
import { CD_SECTOR, PACKET, SENSE, type Sense } from './scsi.registers.ts';

export interface AtapiCdromState {
  drive: IdeDriveState;
  sense: number[];
  /** Unit attention to report before the next command: sense code, 0 for none. */
  attention: number;
  /** Media event for GET EVENT STATUS: 0 none, 1 eject request, 2 new medium, 3 removed. */
  mediaEvent: number;
  locked: boolean;
  /** The guest opened the tray. */
  ejected: boolean;
  transferMode: number;
  /** A packet command is under way, not an ATA one. */
  inPacket: boolean;
}

const shape = record<AtapiCdromState>({
  drive: record(ideDriveShape),
  sense: list(u8, 3, 3),
  attention: oneOf(0, 0x28, 0x29),
  mediaEvent: u8,
  locked: flag,
  ejected: flag,
  transferMode: u8,
  inPacket: flag,
});

const PACKET_BYTES = 12;
/** Longest data block of a PIO transfer when the host sets no limit (SFF-8020i 5.8). */
const MAX_BYTE_COUNT = 0xfffe;

/** Commands that work, and leave a unit attention standing, whatever the state of the medium (SPC-2 5.6). */
const ALWAYS: ReadonlySet<number> = new Set([PACKET.INQUIRY, PACKET.REQUEST_SENSE, PACKET.GET_CONFIGURATION, PACKET.GET_EVENT_STATUS]);
const NEEDS_MEDIUM: ReadonlySet<number> = new Set([
  PACKET.TEST_UNIT_READY,
  PACKET.READ_CAPACITY,
  PACKET.READ_10,
  PACKET.READ_12,
  PACKET.READ_CD,
  PACKET.READ_TOC,
  PACKET.READ_DISC_INFORMATION,
  PACKET.SEEK_10,
  PACKET.READ_SUBCHANNEL,
]);

export class AtapiCdrom extends IdeDrive implements Device<AtapiCdromState> {
  readonly id: string;
  override readonly isPacketDevice = true;
  protected override readonly sectorBytes = CD_SECTOR;
  readonly #serial: string;
  #medium: BlockStore | null;

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

  constructor(wiring: Wiring, options: { id: string; medium: BlockStore | null; serial: string }) {
    super(wiring);
    this.id = options.id;
    this.#medium = options.medium;
    this.#serial = options.serial;
    this.resetDrive();
  }

  reset(kind: ResetKind): void {
    if (kind === 'soft') return;
    this.#d = this.#defaults();
    this.resetDrive();
  }

  /** A person changes the disc; null takes it out. */
  setMedium(medium: BlockStore | null): void {
    this.#medium = medium;
    this.#d.ejected = false;
    if (medium) this.#d.attention = SENSE.MEDIUM_CHANGED[1];
    this.#d.mediaEvent = medium ? 2 : 3;
  }

  get locked(): boolean {
    return this.#d.locked;
  }

  override signature(): void {
    Object.assign(this.r, { count: 1, lbaLow: 1, lbaMid: 0x14, lbaHigh: 0xeb, status: 0 });
  }

  protected override get store(): BlockStore | null {
    return this.#d.ejected ? null : this.#medium;
  }

  get #sectors(): number {
    return Math.floor((this.store?.sizeBytes ?? 0) / CD_SECTOR);
  }

  #defaults(): Omit<AtapiCdromState, 'drive'> {
    return { sense: [...SENSE.NONE], attention: SENSE.POWER_ON[1], mediaEvent: 0, locked: false, ejected: false, transferMode: 0x0c, inPacket: false };
  }

  protected override execute(command: number): void {
    this.#d.inPacket = false;
    switch (command) {
      case COMMAND.PACKET:
        this.r.count = REASON.COMMAND;
        this.receivePacket(PACKET_BYTES);
        return;
      case COMMAND.IDENTIFY_PACKET:
        identifyCdrom(this.r.buffer, { serial: this.#serial, transferMode: this.#d.transferMode });
        this.sendBuffer(512, 512, false);
        return;
      case COMMAND.DEVICE_RESET:
        this.resetDrive();
        return;
      case COMMAND.SET_FEATURES:
        if (this.r.features === 3) this.#d.transferMode = this.r.count & 0xff;
        return this.#ataDone();
      case COMMAND.IDLE_IMMEDIATE:
      case COMMAND.STANDBY_IMMEDIATE:
      case COMMAND.SLEEP:
        return this.#ataDone();
      case COMMAND.CHECK_POWER:
        this.r.count = 0xff;
        return this.#ataDone();
      case COMMAND.IDENTIFY:
      case COMMAND.READ:
        this.signature(); // by which hosts see a packet device (ATA/ATAPI-6 8.15.5)
        return this.#ataFail();
      default:
        return this.#ataFail();
    }
  }

  #ataDone(): void {
    this.r.status = STATUS.DRDY | STATUS.DSC;
    this.interrupt();
  }

  #ataFail(): void {
    this.r.error = ERROR.ABRT;
    this.r.status = STATUS.DRDY | STATUS.ERR;
    this.interrupt();
  }

  protected override packet(): void {
    const packet = this.r.buffer.slice(0, PACKET_BYTES);
    const command = packet[0]!;
    this.#d.inPacket = true;
    if (!ALWAYS.has(command)) {
      if (this.#d.attention !== 0) {
        const code = this.#d.attention;
        this.#d.attention = 0;
        return this.#fail([6, code, 0]);
      }
      if (NEEDS_MEDIUM.has(command) && this.store === null) return this.#fail(SENSE.NO_MEDIUM);
    }
    if (command !== PACKET.REQUEST_SENSE) this.#d.sense = [...SENSE.NONE];
    this.#executePacket(command, packet);
  }

  #executePacket(command: number, packet: Uint8Array): void {
    switch (command) {
      case PACKET.TEST_UNIT_READY:
      case PACKET.SEEK_10:
      case PACKET.SET_CD_SPEED:
        return this.#good();
      case PACKET.READ_10:
        return this.#read(be32(packet, 2), be16(packet, 7));
      case PACKET.READ_12:
        return this.#read(be32(packet, 2), be32(packet, 6));
      case PACKET.READ_CD:
        return this.#readCd(packet);
      case PACKET.PREVENT_ALLOW:
        this.#d.locked = (packet[4]! & 1) !== 0;
        return this.#good();
      case PACKET.START_STOP:
        return this.#startStop(packet[4]!);
      case PACKET.REQUEST_SENSE:
        return this.#requestSense(packet[4]!);
      default:
        return this.#inform(command, packet);
    }
  }

  /** Commands that answer with a small table. */
  #inform(command: number, packet: Uint8Array): void {
    const present = this.store !== null;
    switch (command) {
      case PACKET.INQUIRY:
        if (packet[1]! & 1) return this.#fail(SENSE.INVALID_FIELD); // no vital product data
        return this.#reply(replies.inquiry(), packet[4]!);
      case PACKET.READ_CAPACITY:
        return this.#reply(replies.capacity(this.#sectors), 8);
      case PACKET.READ_TOC: {
        const format = packet[2]! & 15 || packet[9]! >> 6; // SFF-8020i hosts put it into the last byte
        return this.#replyOr(replies.tableOfContents(format, (packet[1]! & 2) !== 0, packet[6]!, this.#sectors), be16(packet, 7));
      }
      case PACKET.GET_CONFIGURATION:
        return this.#reply(replies.configuration(packet[1]! & 3, be16(packet, 2), this.#sectors), be16(packet, 7));
      case PACKET.GET_EVENT_STATUS:
        return this.#eventStatus(packet);
      case PACKET.READ_DISC_INFORMATION:
        return this.#reply(replies.discInformation(), be16(packet, 7));
      case PACKET.MECHANISM_STATUS:
        return this.#reply(replies.mechanismStatus(), be16(packet, 8));
      case PACKET.MODE_SENSE_6:
      case PACKET.MODE_SENSE_10: {
        const ten = command === PACKET.MODE_SENSE_10;
        if (packet[2]! >> 6 === 3) return this.#fail(SENSE.SAVING_NOT_SUPPORTED);
        const pages = replies.modePages(packet[2]! & 0x3f, this.#d.locked);
        return this.#replyOr(pages && replies.modeSense(ten, present, pages), ten ? be16(packet, 7) : packet[4]!);
      }
      default:
        return this.#fail(SENSE.INVALID_COMMAND);
    }
  }

  #eventStatus(packet: Uint8Array): void {
    if (!(packet[1]! & 1)) return this.#fail(SENSE.INVALID_FIELD); // only polled operation
    const wantsMedia = (packet[4]! & 0x10) !== 0;
    const event = this.#d.mediaEvent;
    if (wantsMedia) this.#d.mediaEvent = 0;
    this.#reply(replies.mediaEvent(wantsMedia, event, this.store !== null), be16(packet, 7));
  }

  #requestSense(allocation: number): void {
    let [key, code, qualifier] = this.#d.sense as [number, number, number];
    if (key === 0 && this.#d.attention !== 0) {
      [key, code, qualifier] = [6, this.#d.attention, 0];
      this.#d.attention = 0;
    }
    this.#d.sense = [...SENSE.NONE];
    this.#reply(replies.requestSense(key, code, qualifier), allocation);
  }

  #startStop(flags: number): void {
    if ((flags & 3) === 2) {
      if (this.#d.locked) return this.#fail(SENSE.REMOVAL_PREVENTED);
      if (!this.#d.ejected && this.#medium) this.#d.mediaEvent = 3;
      this.#d.ejected = true;
    } else if ((flags & 3) === 3 && this.#d.ejected) {
      this.#d.ejected = false;
      if (this.#medium) {
        this.#d.attention = SENSE.MEDIUM_CHANGED[1];
        this.#d.mediaEvent = 2;
      }
    }
    this.#good();
  }

  /** READ CD of data sectors: the user data alone (MMC-3 6.14), with which all drivers of data discs content themselves. */
  #readCd(packet: Uint8Array): void {
    const sectors = (packet[6]! << 16) | be16(packet, 7);
    const wanted = packet[9]! & 0xf8;
    if (wanted === 0) return this.#good();
    if (wanted !== 0x10 || packet[10]! & 7) return this.#fail(SENSE.INVALID_FIELD);
    this.#read(be32(packet, 2), sectors);
  }

  #read(sector: number, sectors: number): void {
    if (sector + sectors > this.#sectors) return this.#fail(SENSE.OUT_OF_RANGE);
    if (sectors === 0) return this.#good();
    if (sectors > 65536) return this.#fail(SENSE.INVALID_FIELD);
    this.readSectors(sector, sectors, this.#byteLimit(), this.#usesDma);
  }

  get #usesDma(): boolean {
    return (this.r.features & 1) !== 0;
  }

  /** The host's limit for a PIO block, in the LBA mid and high registers; even, so that words never straddle blocks. */
  #byteLimit(): number {
    const limit = (this.r.lbaMid & 0xff) | ((this.r.lbaHigh & 0xff) << 8);
    return Math.max(2, Math.min(limit === 0 ? MAX_BYTE_COUNT : limit, MAX_BYTE_COUNT) & ~1);
  }

  #replyOr(reply: number[] | null, allocation: number): void {
    if (reply) this.#reply(reply, allocation);
    else this.#fail(SENSE.INVALID_FIELD);
  }

  #reply(reply: readonly number[], allocation: number): void {
    const length = Math.min(reply.length, allocation);
    if (length === 0) return this.#good();
    this.r.buffer.set(reply.length > length ? reply.slice(0, length) : reply);
    this.sendBuffer(length, this.#byteLimit(), this.#usesDma);
  }

  #good(): void {
    this.r.status = STATUS.DRDY | STATUS.DSC;
    this.#statusPhase();
  }

  #fail(sense: Sense): void {
    this.#d.sense = [...sense];
    this.r.error = (sense[0] << 4) | ERROR.ABRT;
    this.r.status = STATUS.DRDY | STATUS.DSC | STATUS.ERR;
    this.#statusPhase();
  }

  #statusPhase(): void {
    this.r.count = REASON.COMMAND | REASON.TO_HOST;
    this.interrupt();
  }

  protected override complete(wasPioIn: boolean): void {
    this.r.status = STATUS.DRDY | STATUS.DSC;
    // IDENTIFY PACKET DEVICE ends like any PIO read; packet commands end with a status phase of their own.
    if (this.#d.inPacket) this.#statusPhase();
    else if (!wasPioIn) this.interrupt();
  }

  protected override announceBlock(blockBytes: number): void {
    if (!this.#d.inPacket) return;
    this.r.count = REASON.TO_HOST;
    this.r.lbaMid = blockBytes & 0xff;
    this.r.lbaHigh = blockBytes >> 8;
  }

  protected override storeFailed(): void {
    this.#fail(this.store === null ? SENSE.NO_MEDIUM : SENSE.READ_ERROR);
  }
}
