// INT 19h: finds something to boot in the machine's order and loads it (PC/AT; El Torito 1.0).
import { cdromDrive } from '../../board.ts';
import type { BlockStore } from '../../../host/blockStore.ts';
import { readStore } from './drives.ts';
import type { DriveBay, Emulation, Task } from './drives.ts';

export type BootSource = 'disk' | 'cdrom' | 'floppy';

/** What to jump to. */
export interface BootTarget {
  readonly drive: number;
  readonly segment: number;
  readonly offset: number;
  /** Physical address of `bytes`. */
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly emulation: Emulation | null;
}

/** Why a source can't be booted. */
export interface BootFailure {
  readonly source: string;
  readonly reason: string;
}

export interface BootOutcome {
  readonly target: BootTarget | null;
  readonly source: string;
  readonly failures: readonly BootFailure[];
}

const names: Readonly<Record<BootSource, string>> = { disk: 'Hard disk', cdrom: 'CD-ROM', floppy: 'Floppy' };
const bootAddress = 0x7c00;

export function* findBootTarget(bay: DriveBay, order: readonly BootSource[]): Task<BootOutcome> {
  const failures: BootFailure[] = [];
  for (const source of order) {
    const result = yield* trySource(bay, source);
    if (typeof result !== 'string') return { target: result, source: names[source], failures };
    failures.push({ source: names[source], reason: result });
  }
  return { target: null, source: '', failures };
}

function* trySource(bay: DriveBay, source: BootSource): Task<BootTarget | string> {
  switch (source) {
    case 'disk':
      return bay.disks.length === 0 ? 'none attached' : yield* trySector(bay.disks[0], 0x80);
    case 'floppy':
      return bay.floppy ? yield* trySector(bay.floppy, 0x00) : 'no image inserted';
    case 'cdrom':
      return bay.cdrom ? yield* tryElTorito(bay.cdrom) : 'no disc inserted';
  }
}

function* trySector(store: BlockStore, drive: number): Task<BootTarget | string> {
  if (store.sizeBytes < 512) return `too small to hold a boot sector (${store.sizeBytes} bytes)`;
  const bytes = yield* readStore(store, 0, 512);
  if (!bytes) return 'its first sector cannot be read';
  if (bytes.every((byte) => byte === 0)) return 'empty: the first sector is blank';
  if (bytes[510] !== 0x55 || bytes[511] !== 0xaa) return 'not bootable: the first sector has no signature 55AAh';
  return { drive, segment: 0, offset: bootAddress, address: bootAddress, bytes, emulation: null };
}

const text = (bytes: Uint8Array, from: number, length: number): string =>
  String.fromCharCode(...bytes.subarray(from, from + length));

/** Boot record volume descriptor at block 17, then its catalog's default entry (El Torito 1.0, 2.0). */
function* tryElTorito(store: BlockStore): Task<BootTarget | string> {
  const descriptor = yield* readStore(store, 17 * 2048, 2048);
  if (!descriptor) return 'the disc is too small or cannot be read';
  if (text(descriptor, 1, 5) !== 'CD001') return 'not an ISO 9660 disc';
  if (descriptor[0] !== 0 || text(descriptor, 7, 23) !== 'EL TORITO SPECIFICATION') {
    return 'not bootable: no El Torito boot record';
  }
  const catalogBlock = new DataView(descriptor.buffer).getUint32(0x47, true);
  const catalog = yield* readStore(store, catalogBlock * 2048, 2048);
  if (!catalog) return 'its boot catalog lies outside the disc';
  const problem = catalogProblem(catalog);
  if (problem) return problem;
  return yield* loadEntry(store, catalog);
}

function catalogProblem(catalog: Uint8Array): string | null {
  const view = new DataView(catalog.buffer);
  let sum = 0;
  for (let at = 0; at < 32; at += 2) sum = (sum + view.getUint16(at, true)) & 0xffff;
  if (catalog[0] !== 1 || catalog[30] !== 0x55 || catalog[31] !== 0xaa || sum !== 0) return 'its boot catalog is damaged';
  if (catalog[1] !== 0) return 'its boot catalog is for another platform, not PC BIOS';
  if (catalog[32] !== 0x88) return 'its boot catalog marks the disc as not bootable';
  return null;
}

const mediaBytes = [0, 1200 * 1024, 1440 * 1024, 2880 * 1024];

function* loadEntry(store: BlockStore, catalog: Uint8Array): Task<BootTarget | string> {
  const view = new DataView(catalog.buffer);
  const mediaType = catalog[33] & 0x0f;
  if (mediaType > 4) return `its boot entry has the unknown media type ${mediaType}`;
  const loadSegment = view.getUint16(34, true) || bootAddress >> 4;
  const sectorCount = view.getUint16(38, true) || 1;
  const imageBlock = view.getUint32(40, true);
  const available = store.sizeBytes - imageBlock * 2048;
  // A sloppy master may claim more than the disc has, or more than fits below 640 KiB.
  const length = Math.min(sectorCount * 512, 0x9_fc00 - loadSegment * 16, available);
  if (length < 512) return 'its boot image lies outside the disc';
  const bytes = yield* readStore(store, imageBlock * 2048, length);
  if (!bytes) return 'its boot image cannot be read';
  const drive = mediaType === 0 ? cdromDrive : mediaType === 4 ? 0x80 : 0;
  const sizeBytes = mediaType === 0 ? length : mediaType === 4 ? available : mediaBytes[mediaType];
  return {
    drive,
    segment: loadSegment === bootAddress >> 4 ? 0 : loadSegment,
    offset: loadSegment === bootAddress >> 4 ? bootAddress : 0,
    address: loadSegment * 16,
    bytes,
    emulation: { mediaType, drive, imageBlock, loadSegment, sectorCount, sizeBytes },
  };
}
