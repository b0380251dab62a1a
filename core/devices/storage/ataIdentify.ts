// IDENTIFY DEVICE and IDENTIFY PACKET DEVICE data (ATA/ATAPI-6 8.15, 8.16).

export interface DiskIdentity {
  readonly totalSectors: number;
  readonly serial: string;
  readonly maxMultiple: number;
  readonly multiple: number;
  readonly heads: number;
  readonly sectors: number;
  readonly transferMode: number;
  readonly writeCache: boolean;
  readonly lookAhead: boolean;
}

const putWord = (into: Uint8Array, word: number, value: number): void => {
  into[word * 2] = value & 0xff;
  into[word * 2 + 1] = value >> 8;
};

/** ATA strings have the bytes of each word swapped and are padded with blanks. */
const putString = (into: Uint8Array, word: number, words: number, text: string): void => {
  for (let index = 0; index < words * 2; index++) into[(word * 2 + index) ^ 1] = text.charCodeAt(index) || 0x20;
};

/** Words 63 and 88: modes up to `highest` supported, the one that is set in the high byte. */
const dmaModes = (highest: number, base: number, mode: number): number =>
  ((2 << highest) - 1) | (mode >= base && mode <= base + highest ? 0x100 << (mode - base) : 0);

export function identifyDisk(into: Uint8Array, disk: DiskIdentity): void {
  into.fill(0, 0, 512);
  const word = (index: number, value: number): void => putWord(into, index, value & 0xffff);
  const double = (index: number, value: number): void => {
    word(index, value % 0x10000);
    word(index + 1, Math.floor(value / 0x10000) % 0x10000);
  };
  const cylinders = Math.min(16383, Math.floor(disk.totalSectors / (16 * 63)));
  const currentCylinders = Math.min(65535, Math.floor(disk.totalSectors / (disk.heads * disk.sectors)));
  word(0, 0x0040); // fixed drive
  word(1, cylinders);
  word(3, 16);
  word(6, 63);
  putString(into, 10, 10, disk.serial);
  word(20, 3);
  word(21, 512);
  putString(into, 23, 4, '1.0');
  putString(into, 27, 20, 'TRAPEZE HARD DISK');
  word(47, 0x8000 | disk.maxMultiple);
  word(48, 1);
  word(49, 0x0f00); // IORDY, LBA, DMA
  word(50, 0x4000);
  word(51, 0x0200);
  word(53, 0x0007);
  word(54, currentCylinders);
  word(55, disk.heads);
  word(56, disk.sectors);
  double(57, currentCylinders * disk.heads * disk.sectors);
  word(59, disk.multiple ? 0x0100 | disk.multiple : 0);
  double(60, Math.min(disk.totalSectors, 2 ** 28 - 1));
  word(63, dmaModes(2, 0x20, disk.transferMode));
  word(64, 0x0003);
  for (const cycle of [65, 66, 67, 68]) word(cycle, 120);
  word(80, 0x007e); // ATA-1 to ATA/ATAPI-6
  word(81, 0x0016);
  word(82, 0x4060); // NOP, write cache, look-ahead
  word(83, 0x7400); // 48-bit addresses, FLUSH CACHE and EXT
  word(84, 0x4000);
  word(85, 0x4000 | (disk.writeCache ? 0x20 : 0) | (disk.lookAhead ? 0x40 : 0));
  word(86, 0x3400);
  word(87, 0x4000);
  word(88, dmaModes(5, 0x40, disk.transferMode));
  word(93, 0x600b | 0x2000); // 80-conductor cable seen, device 0
  double(100, disk.totalSectors);
  word(102, Math.floor(disk.totalSectors / 2 ** 32) & 0xffff);
}

export function identifyCdrom(into: Uint8Array, drive: { serial: string; transferMode: number }): void {
  into.fill(0, 0, 512);
  const word = (index: number, value: number): void => putWord(into, index, value);
  word(0, 0x85c0); // ATAPI, CD-ROM, removable, DRQ within 50 us, 12-byte packets
  putString(into, 10, 10, drive.serial);
  putString(into, 23, 4, '1.0');
  putString(into, 27, 20, 'TRAPEZE CD-ROM');
  word(49, 0x0f00);
  word(50, 0x4000);
  word(51, 0x0200);
  word(53, 0x0006);
  word(63, dmaModes(2, 0x20, drive.transferMode));
  word(64, 0x0003);
  for (const cycle of [65, 66, 67, 68]) word(cycle, 120);
  word(80, 0x007e);
  word(81, 0x0016);
  word(82, 0x4210); // NOP, DEVICE RESET, PACKET
  word(83, 0x4000);
  word(84, 0x4000);
  word(85, 0x4210);
  word(87, 0x4000);
  word(88, dmaModes(5, 0x40, drive.transferMode));
  word(93, 0x600b);
}
