// The drives that INT 13h numbers, and their geometry.
import type { BlockError, BlockStore } from '../../../host/blockStore.ts';
import { cdromDrive } from '../../board.ts';

/** The machine's media as they are now; a CD may come and go. */
export interface DriveBay {
  readonly disks: readonly BlockStore[];
  readonly cdrom: BlockStore | null;
  readonly floppy: BlockStore | null;
}

export interface Geometry {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectors: number;
}

export interface Drive {
  readonly number: number;
  readonly kind: 'floppy' | 'disk' | 'cdrom';
  readonly store: BlockStore;
  /** Byte offset and length on the store: an emulated drive is an image inside a CD. */
  readonly offset: number;
  readonly sizeBytes: number;
  readonly sectorBytes: 512 | 2048;
  readonly geometry: Geometry;
  readonly readOnly: boolean;
}

/** A drive emulated from an El Torito image (El Torito 1.0, 4.0). Plain data: it is saved with the machine. */
export interface Emulation {
  readonly mediaType: number;
  readonly drive: number;
  readonly imageBlock: number;
  readonly loadSegment: number;
  readonly sectorCount: number;
  readonly sizeBytes: number;
}

/** KiB -> cylinders, heads, sectors, CMOS drive type. */
const floppyFormats: readonly (readonly [number, number, number, number, number])[] = [
  [160, 40, 1, 8, 1],
  [180, 40, 1, 9, 1],
  [320, 40, 2, 8, 1],
  [360, 40, 2, 9, 1],
  [720, 80, 2, 9, 3],
  [1200, 80, 2, 15, 2],
  [1440, 80, 2, 18, 4],
  [1680, 80, 2, 21, 4],
  [1722, 82, 2, 21, 4],
  [2880, 80, 2, 36, 5],
];

export function floppyGeometry(sizeBytes: number): Geometry & { type: number } {
  const fit = floppyFormats.find(([kib]) => kib * 1024 >= sizeBytes) ?? floppyFormats[floppyFormats.length - 1];
  return { cylinders: fit[1], heads: fit[2], sectors: fit[3], type: fit[4] };
}

/** LBA-assisted translation: 63 sectors, as few heads as keep the cylinders at 1024 (ATA-4 annex, Phoenix EDD 1.1). */
export function diskGeometry(sizeBytes: number): Geometry {
  const total = Math.floor(sizeBytes / 512);
  const heads = [16, 32, 64, 128].find((count) => total <= 1024 * count * 63) ?? 255;
  const cylinders = Math.min(1024, Math.max(1, Math.floor(total / (heads * 63))));
  return { cylinders, heads, sectors: 63 };
}

/** Without emulation (media type 0) the CD is just drive E0h and no other drive moves. */
const active = (emulation: Emulation | null): Emulation | null => (emulation?.mediaType ? emulation : null);

export function findDrive(bay: DriveBay, booted: Emulation | null, number: number): Drive | null {
  const emulation = active(booted);
  if (emulation && number === emulation.drive && bay.cdrom) return emulatedDrive(bay.cdrom, emulation);
  if (number === cdromDrive) return bay.cdrom ? cdromOf(bay.cdrom) : null;
  if (number < 0x80) {
    const unit = number - (emulation && emulation.drive < 0x80 ? 1 : 0);
    return unit === 0 && bay.floppy ? floppyOf(bay.floppy, number) : null;
  }
  const unit = number - 0x80 - (emulation && emulation.drive >= 0x80 ? 1 : 0);
  const store = bay.disks[unit];
  return store ? diskOf(store, number) : null;
}

export function driveCount(bay: DriveBay, booted: Emulation | null, kind: 'floppy' | 'disk'): number {
  const emulation = active(booted);
  if (kind === 'floppy') return (bay.floppy ? 1 : 0) + (emulation && emulation.drive < 0x80 ? 1 : 0);
  return bay.disks.length + (emulation && emulation.drive >= 0x80 ? 1 : 0);
}

function floppyOf(store: BlockStore, number: number): Drive {
  const { sizeBytes, readOnly } = store;
  return { number, kind: 'floppy', store, offset: 0, sizeBytes, sectorBytes: 512, geometry: floppyGeometry(sizeBytes), readOnly };
}

function diskOf(store: BlockStore, number: number): Drive {
  const { sizeBytes, readOnly } = store;
  return { number, kind: 'disk', store, offset: 0, sizeBytes, sectorBytes: 512, geometry: diskGeometry(sizeBytes), readOnly };
}

function cdromOf(store: BlockStore): Drive {
  const geometry = { cylinders: 0, heads: 0, sectors: 0 };
  const { sizeBytes } = store;
  return { number: cdromDrive, kind: 'cdrom', store, offset: 0, sizeBytes, sectorBytes: 2048, geometry, readOnly: true };
}

function emulatedDrive(store: BlockStore, emulation: Emulation): Drive {
  const offset = emulation.imageBlock * 2048;
  const sizeBytes = Math.max(0, Math.min(emulation.sizeBytes, store.sizeBytes - offset));
  const floppy = emulation.drive < 0x80;
  return {
    number: emulation.drive,
    kind: floppy ? 'floppy' : 'disk',
    store,
    offset,
    sizeBytes,
    sectorBytes: 512,
    geometry: floppy ? floppyGeometry(emulation.sizeBytes) : diskGeometry(sizeBytes),
    readOnly: true,
  };
}

/** A service that may have to wait for the host: each `yield` means not yet. */
export type Task<T> = Generator<void, T, void>;

/** Bytes of a store, or null if the host failed. */
export function* readStore(store: BlockStore, offset: number, length: number): Task<Uint8Array | null> {
  if (offset < 0 || length < 0 || offset + length > store.sizeBytes) return null;
  const bytes = new Uint8Array(length);
  return (yield* completion((done) => store.read(offset, bytes, done))) ? bytes : null;
}

/** True if the host wrote everything. */
export function* writeStore(store: BlockStore, offset: number, bytes: Uint8Array): Task<boolean> {
  return yield* completion((done) => store.write(offset, bytes, done));
}

function* completion(start: (done: (error?: BlockError) => void) => void): Task<boolean> {
  const outcome: { finished: boolean; error: BlockError | undefined } = { finished: false, error: undefined };
  start((error) => {
    outcome.finished = true;
    outcome.error = error;
  });
  while (!outcome.finished) yield;
  return outcome.error === undefined;
}
