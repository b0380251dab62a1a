// INT 13h: disk services (IBM PC/AT Technical Reference; Phoenix EDD 3.0; El Torito 1.0).
import { romOffsets } from '../../rom/romLayout.ts';
import { bda } from '../biosData.ts';
import type { Registers } from '../registers.ts';
import { diskGeometry, driveCount, findDrive, floppyGeometry, readStore, writeStore } from './drives.ts';
import type { Drive, DriveBay, Emulation, Task } from './drives.ts';

/** INT 13h AH=01h values. */
const status = {
  ok: 0x00,
  invalid: 0x01,
  writeProtected: 0x03,
  notFound: 0x04,
  boundary: 0x09,
  controller: 0x20,
  notReady: 0x80,
  locked: 0xb1,
} as const;

const floppyStatus = 0x441;

export interface DiskState {
  readonly bay: DriveBay;
  emulation: Emulation | null;
}

export function* diskService(registers: Registers, state: DiskState): Task<void> {
  const drive = findDrive(state.bay, state.emulation, registers.dl);
  const code = yield* dispatch(registers, state, drive);
  if (code === null) return;
  const memory = registers.context.physical;
  if (registers.ah !== 0x01) memory.write8(registers.dl < 0x80 ? floppyStatus : bda.diskStatus, code);
  registers.ah = code;
  registers.carry = code !== status.ok;
}

/** The status for AH and CF, or null if the function set its registers itself. */
function* dispatch(registers: Registers, state: DiskState, drive: Drive | null): Task<number | null> {
  const { ah } = registers;
  if (ah === 0x4b) return emulationStatus(registers, state);
  if (ah === 0x08) return driveParameters(registers, state, drive);
  if (ah === 0x15) return driveType(registers, drive);
  if (ah === 0x00 || ah === 0x0d) return drive || registers.dl < 2 ? status.ok : status.invalid;
  if (ah === 0x01) {
    return registers.context.physical.read8(registers.dl < 0x80 ? floppyStatus : bda.diskStatus);
  }
  if (!drive) return registers.dl < 0x80 ? status.notReady : status.invalid;
  switch (ah) {
    case 0x02:
    case 0x03:
    case 0x04:
      return yield* transferByGeometry(registers, drive, ah);
    case 0x09: case 0x0c: case 0x10: case 0x11: case 0x14: case 0x47:
      return status.ok;
    case 0x16:
      return status.ok;
    case 0x17:
    case 0x18:
      if (drive.kind !== 'floppy') return status.invalid;
      registers.es = 0xf000;
      registers.di = romOffsets.disketteParameters;
      return status.ok;
    case 0x41:
      return extensionsPresent(registers, drive);
    case 0x42: case 0x43: case 0x44:
      return yield* transferByPacket(registers, drive, ah);
    case 0x45:
      registers.al = 0;
      return drive.kind === 'cdrom' ? status.ok : status.invalid;
    case 0x46:
      return drive.kind === 'cdrom' ? status.locked : status.invalid;
    case 0x48:
      return extendedParameters(registers, drive);
    case 0x49:
      return 0x06;
    case 0x4e:
      return status.ok;
    default:
      return status.invalid;
  }
}

/** AH=02h read, 03h write, 04h verify by cylinder, head and sector. */
function* transferByGeometry(registers: Registers, drive: Drive, ah: number): Task<number> {
  const { geometry } = drive;
  const count = registers.al;
  const sector = registers.cl & 0x3f;
  const cylinder = registers.ch | ((registers.cl & 0xc0) << 2);
  if (geometry.heads === 0 || count === 0 || sector === 0) return status.invalid;
  if (registers.dh >= geometry.heads || sector > geometry.sectors) return status.notFound;
  const block = (cylinder * geometry.heads + registers.dh) * geometry.sectors + sector - 1;
  const address = registers.esBase + registers.bx;
  const code = yield* transfer(registers, drive, ah & 3, block, count, address, false);
  if (code !== status.ok) registers.al = 0;
  return code;
}

/** AH=42h-44h with the disk address packet at DS:SI (EDD 3.0, 8.3). */
function* transferByPacket(registers: Registers, drive: Drive, ah: number): Task<number> {
  const memory = registers.context.linear;
  const packet = (registers.dsBase + registers.si) >>> 0;
  const size = memory.read8(packet);
  if (size < 0x10) return status.invalid;
  const count = memory.read16(packet + 2);
  const pointer = memory.read32(packet + 4);
  const block = memory.read32(packet + 8) + memory.read32(packet + 12) * 0x1_0000_0000;
  const flat = pointer === 0xffff_ffff && size >= 0x18;
  const address = flat ? memory.read32(packet + 16) : (pointer >>> 16) * 16 + (pointer & 0xffff);
  const code = yield* transfer(registers, drive, ah - 0x40, block, count, address, flat);
  if (code !== status.ok) memory.write16(packet + 2, 0);
  return code;
}

/** `operation`: 2 read, 3 write, 0 verify or seek. */
function* transfer(
  registers: Registers,
  drive: Drive,
  operation: number,
  block: number,
  count: number,
  address: number,
  flat: boolean,
): Task<number> {
  const length = count * drive.sectorBytes;
  const offset = block * drive.sectorBytes;
  if (offset + length > Math.floor(drive.sizeBytes / drive.sectorBytes) * drive.sectorBytes) return status.notFound;
  const memory = flat ? registers.context.physical : registers.context.linear;
  if (operation === 2) {
    const bytes = yield* readStore(drive.store, drive.offset + offset, length);
    if (!bytes) return status.controller;
    memory.write(address >>> 0, bytes);
  } else if (operation === 3) {
    if (drive.readOnly) return status.writeProtected;
    const bytes = new Uint8Array(length);
    memory.read(address >>> 0, bytes);
    if (!(yield* writeStore(drive.store, drive.offset + offset, bytes))) return status.controller;
  }
  return status.ok;
}

/** AH=08h. */
function driveParameters(registers: Registers, state: DiskState, drive: Drive | null): number {
  const floppy = registers.dl < 0x80;
  const count = driveCount(state.bay, state.emulation, floppy ? 'floppy' : 'disk');
  if (!drive || drive.kind === 'cdrom') {
    if (floppy) {
      registers.dl = count;
      registers.cx = 0;
      registers.dh = 0;
      registers.bx = 0;
    }
    return floppy ? status.ok : 0x07;
  }
  const { cylinders, heads, sectors } = drive.geometry;
  const last = cylinders - 1;
  registers.ch = last & 0xff;
  registers.cl = sectors | ((last >> 2) & 0xc0);
  registers.dh = heads - 1;
  registers.dl = count;
  registers.al = 0;
  if (floppy) {
    registers.bx = floppyGeometry(drive.sizeBytes).type;
    registers.es = 0xf000;
    registers.di = romOffsets.disketteParameters;
  }
  return status.ok;
}

/** AH=15h: AH is the type, not a status. */
function driveType(registers: Registers, drive: Drive | null): null {
  registers.carry = false;
  if (!drive || drive.kind === 'cdrom') {
    registers.ah = 0;
    registers.carry = drive !== null || registers.dl >= 0x80;
  } else if (drive.kind === 'floppy') {
    registers.ah = 1;
  } else {
    const total = Math.floor(drive.sizeBytes / 512);
    registers.ah = 3;
    registers.cx = (total >>> 16) & 0xffff;
    registers.dx = total & 0xffff;
  }
  return null;
}

/** AH=41h: EDD 1.1 with fixed disk access, drive locking for CDs and EDD parameters. */
function extensionsPresent(registers: Registers, drive: Drive): number | null {
  if (registers.bx !== 0x55aa || drive.kind === 'floppy') return status.invalid;
  registers.bx = 0xaa55;
  registers.ah = 0x21;
  registers.cx = drive.kind === 'cdrom' ? 7 : 5;
  registers.carry = false;
  return null;
}

/** AH=48h: result buffer at DS:SI (EDD 1.1: 26 bytes, EDD 2.0: 30). */
function extendedParameters(registers: Registers, drive: Drive): number {
  const memory = registers.context.linear;
  const buffer = (registers.dsBase + registers.si) >>> 0;
  const room = memory.read16(buffer);
  if (room < 26) return status.invalid;
  const total = Math.floor(drive.sizeBytes / drive.sectorBytes);
  const bytes = new Uint8Array(room >= 30 ? 30 : 26);
  const view = new DataView(bytes.buffer);
  const geometry = drive.kind === 'cdrom' ? null : physicalGeometry(drive);
  view.setUint16(0, bytes.length, true);
  view.setUint16(2, geometry ? 0x0002 : 0x0074, true);
  view.setUint32(4, geometry?.cylinders ?? 0xffff_ffff, true);
  view.setUint32(8, geometry?.heads ?? 0xffff_ffff, true);
  view.setUint32(12, geometry?.sectors ?? 0xffff_ffff, true);
  view.setBigUint64(16, BigInt(total), true);
  view.setUint16(24, drive.sectorBytes, true);
  if (bytes.length === 30) view.setUint32(26, 0xffff_ffff, true);
  memory.write(buffer, bytes);
  return status.ok;
}

/** EDD reports the drive's own geometry, not the translated one. */
function physicalGeometry(drive: Drive): { cylinders: number; heads: number; sectors: number } {
  if (drive.kind === 'floppy') return drive.geometry;
  const total = Math.floor(drive.sizeBytes / 512);
  if (total > 16383 * 16 * 63) return { cylinders: 16383, heads: 16, sectors: 63 };
  return { ...diskGeometry(drive.sizeBytes), heads: 16, cylinders: Math.max(1, Math.floor(total / (16 * 63))) };
}

/** AH=4Bh: AL=00h ends emulation and describes it, AL=01h only describes it (El Torito 1.0, 5.0). */
function emulationStatus(registers: Registers, state: DiskState): number {
  if (registers.al > 1) return status.invalid;
  const { emulation } = state;
  if (!emulation || (registers.dl !== emulation.drive && registers.dl !== 0x7f)) return status.invalid;
  const packet = new Uint8Array(0x13);
  const view = new DataView(packet.buffer);
  const geometry = emulation.drive < 0x80 ? floppyGeometry(emulation.sizeBytes) : diskGeometry(emulation.sizeBytes);
  packet[0] = 0x13;
  packet[1] = emulation.mediaType;
  packet[2] = emulation.drive;
  view.setUint32(4, emulation.imageBlock, true);
  view.setUint16(12, emulation.loadSegment, true);
  view.setUint16(14, emulation.sectorCount, true);
  packet[16] = (geometry.cylinders - 1) & 0xff;
  packet[17] = geometry.sectors | (((geometry.cylinders - 1) >> 2) & 0xc0);
  packet[18] = geometry.heads - 1;
  registers.context.linear.write((registers.dsBase + registers.si) >>> 0, packet);
  // Without emulation the CD stays drive E0h: there is nothing to end.
  if (registers.al === 0 && emulation.mediaType !== 0) state.emulation = null;
  return status.ok;
}
