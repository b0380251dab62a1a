// CD images: ISO 9660 volume descriptors (ECMA-119 8.4) and the El Torito boot catalog (El Torito 1.0, 2.0-2.2).
import type { ImageReader } from './imageReader.ts';

export const CD_SECTOR = 2048;
const FIRST_DESCRIPTOR = 16;

export interface IsoVolume {
  readonly volumeId: string;
  /** Size of the file system, as the descriptor says. */
  readonly sizeBytes: number;
  readonly boot: 'none' | 'bios' | 'uefi-only';
}

/** The volume, or null if this is no ISO 9660 image. */
export function readIso(image: ImageReader): IsoVolume | null {
  let volumeId: string | null = null;
  let sizeBytes = 0;
  let boot: IsoVolume['boot'] = 'none';
  for (let sector = FIRST_DESCRIPTOR; sector < FIRST_DESCRIPTOR + 16; sector++) {
    const descriptor = image.read(sector * CD_SECTOR, CD_SECTOR);
    if (descriptor.length < CD_SECTOR || image.ascii(descriptor, 1, 5) !== 'CD001') break;
    const type = descriptor[0];
    const view = new DataView(descriptor.buffer, descriptor.byteOffset, descriptor.byteLength);
    if (type === 255) break;
    if (type === 1) {
      volumeId = image.ascii(descriptor, 40, 32).trim();
      sizeBytes = view.getUint32(80, true) * view.getUint16(128, true);
    } else if (type === 0 && image.ascii(descriptor, 7, 23) === 'EL TORITO SPECIFICATION') {
      boot = readCatalog(image, view.getUint32(0x47, true));
    }
  }
  return volumeId === null ? null : { volumeId, sizeBytes, boot };
}

function readCatalog(image: ImageReader, sector: number): IsoVolume['boot'] {
  const catalog = image.read(sector * CD_SECTOR, 64);
  // Validation entry: header 1, key bytes 55h AAh; then the initial entry with 88h if bootable.
  if (catalog.length < 64 || catalog[0] !== 1 || catalog[30] !== 0x55 || catalog[31] !== 0xaa) return 'none';
  if (catalog[32] !== 0x88) return 'none';
  return catalog[1] === 0xef ? 'uefi-only' : 'bios';
}
