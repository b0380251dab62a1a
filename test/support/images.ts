// Small images made from their specifications, for tests of what looks at them.

/** A minimal ISO 9660 volume (ECMA-119 8.4), with an El Torito boot record unless told otherwise. */
export function isoImage(
  volumeId: string,
  options: { boot?: boolean; sectors?: number; platform?: number } = {},
): Buffer {
  const sectors = options.sectors ?? 24;
  const image = Buffer.alloc(sectors * 2048);
  const primary = image.subarray(16 * 2048, 17 * 2048);
  primary[0] = 1;
  primary.write('CD001', 1, 'latin1');
  primary[6] = 1;
  primary.write(volumeId.padEnd(32), 40, 'latin1');
  primary.writeUInt32LE(sectors, 80);
  primary.writeUInt16LE(2048, 128);
  let next = 17;
  if (options.boot !== false) {
    const record = image.subarray(17 * 2048, 18 * 2048);
    record.write('CD001', 1, 'latin1');
    record[6] = 1;
    record.write('EL TORITO SPECIFICATION', 7, 'latin1');
    record.writeUInt32LE(20, 0x47);
    const catalog = image.subarray(20 * 2048, 20 * 2048 + 64);
    catalog[0] = 1;
    catalog[1] = options.platform ?? 0;
    catalog[30] = 0x55;
    catalog[31] = 0xaa;
    catalog[32] = 0x88;
    next = 18;
  }
  image[next * 2048] = 255;
  image.write('CD001', next * 2048 + 1, 'latin1');
  return image;
}

/** A disk with one bootable partition. */
export function mbrDisk(sectors = 4096, partitionSectors = sectors - 63): Buffer {
  const image = Buffer.alloc(sectors * 512);
  image[0x1be] = 0x80;
  image[0x1be + 4] = 0x83;
  image.writeUInt32LE(63, 0x1be + 8);
  image.writeUInt32LE(partitionSectors, 0x1be + 12);
  image.writeUInt16LE(0xaa55, 510);
  return image;
}

export function gptDisk(sectors = 4096): Buffer {
  const image = Buffer.alloc(sectors * 512);
  image[0x1be + 4] = 0xee;
  image.writeUInt32LE(1, 0x1be + 8);
  image.writeUInt32LE(0xffffffff, 0x1be + 12);
  image.writeUInt16LE(0xaa55, 510);
  image.write('EFI PART', 512, 'latin1');
  image.writeBigUInt64LE(BigInt(sectors - 1), 512 + 32);
  return image;
}

export function floppyImage(): Buffer {
  const image = Buffer.alloc(1474560);
  image.set([0xeb, 0x3c, 0x90]);
  image.writeUInt16LE(0xaa55, 510);
  return image;
}

/** The setup header of a bzImage (Linux/x86 boot protocol). */
export function linuxKernel(version: string, options: { sixtyFourBit?: boolean } = {}): Buffer {
  const image = Buffer.alloc(5 * 512 + 64 * 16);
  image[0x1f1] = 4;
  image.writeUInt32LE(64, 0x1f4);
  image.writeUInt16LE(0xaa55, 0x1fe);
  image.write('HdrS', 0x202, 'latin1');
  image.writeUInt16LE(0x020f, 0x206);
  image.writeUInt16LE(0x300, 0x20e);
  if (options.sixtyFourBit === true) image.writeUInt16LE(1, 0x236);
  image.write(`${version} (builder@example) #1 SMP\0`, 0x500, 'latin1');
  return image;
}

/** A 64-bit ELF file with a note segment; `type` 18 of `Xen` makes it a PVH kernel. */
export function pvhKernel(type = 18, owner = 'Xen\0'): Buffer {
  const image = Buffer.alloc(4096);
  image.write('\x7fELF', 0, 'latin1');
  image.set([2, 1, 1], 4);
  image.writeUInt16LE(62, 18);
  image.writeBigUInt64LE(64n, 32);
  image.writeUInt16LE(56, 54);
  image.writeUInt16LE(2, 56);
  image.writeUInt32LE(1, 64);
  image.writeUInt32LE(4, 120);
  image.writeBigUInt64LE(512n, 128);
  image.writeBigUInt64LE(60n, 152);
  // Another note comes first.
  const notes = [
    { name: 'GNU\0', type: 3, content: Buffer.alloc(20) },
    { name: owner, type, content: Buffer.from([0, 0, 0x10, 0]) },
  ];
  let at = 512;
  for (const note of notes) {
    image.writeUInt32LE(note.name.length, at);
    image.writeUInt32LE(note.content.length, at + 4);
    image.writeUInt32LE(note.type, at + 8);
    image.write(note.name, at + 12, 'latin1');
    note.content.copy(image, at + 16);
    at += 16 + note.content.length;
  }
  return image;
}

/** An ELF head with a Multiboot 1 header at `offset`. */
export function multibootKernel(offset = 0x1000): Buffer {
  const image = Buffer.alloc(16384);
  image.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  image.writeUInt32LE(0x1badb002, offset);
  image.writeUInt32LE(3, offset + 4);
  image.writeUInt32LE((-(0x1badb002 + 3) & 0xffffffff) >>> 0, offset + 8);
  return image;
}

export function cpioArchive(): Buffer {
  return Buffer.from(`070701${'0'.repeat(104)}TRAILER!!!\0\0\0\0`.padEnd(512, '\0'), 'latin1');
}
