// What one file is, told from its content alone.
import zlib from 'node:zlib';
import type { ImageReader } from './imageReader.ts';
import { readIso } from './iso9660.ts';
import { pvhEntry } from './pvhKernel.ts';

export type ImageKind =
  | { kind: 'iso'; volumeId: string; boot: 'none' | 'bios' | 'uefi-only'; evidence: string }
  | { kind: 'disk'; evidence: string }
  | { kind: 'floppy'; evidence: string }
  | { kind: 'linux'; version: string; sixtyFourBit: boolean; evidence: string }
  | { kind: 'multiboot'; evidence: string }
  | { kind: 'pvh'; evidence: string }
  | { kind: 'ramdisk'; evidence: string }
  | { kind: 'compressed'; format: string }
  | { kind: 'container'; format: string }
  | { kind: 'truncated'; format: string; detail: string }
  | { kind: 'unknown'; found: string };

type Probe = (image: ImageReader, head: Uint8Array<ArrayBuffer>) => ImageKind | null;

const HEAD_BYTES = 8192;

/** In this order: a hybrid ISO also has a partition table, a kernel also a boot sector. */
export function imageKind(image: ImageReader): ImageKind {
  const head = image.read(0, HEAD_BYTES);
  for (const probe of [container, iso, linux, multiboot, pvh, disk, ramdisk]) {
    const found = probe(image, head);
    if (found !== null) return found;
  }
  return { kind: 'unknown', found: describeUnknown(image, head) };
}

const u16 = (bytes: Uint8Array, at: number): number => (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
const u32 = (bytes: Uint8Array, at: number): number => (u16(bytes, at) | (u16(bytes, at + 2) << 16)) >>> 0;

function startsWith(bytes: Uint8Array, signature: readonly number[], at = 0): boolean {
  return signature.every((byte, index) => bytes[at + index] === byte);
}

/** Disk containers of other programs, by their signatures. */
const container: Probe = (image, head) => {
  const found = (format: string): ImageKind => ({ kind: 'container', format });
  if (startsWith(head, [0x51, 0x46, 0x49, 0xfb])) return found('a qcow2 disk (QEMU)');
  if (u32(head, 0x40) === 0xbeda107f) return found('a VDI disk (VirtualBox)');
  const text = image.ascii(head, 0, 21);
  if (text.startsWith('KDMV') || text === '# Disk DescriptorFile') return found('a VMDK disk (VMware)');
  if (text.startsWith('vhdxfile')) return found('a VHDX disk (Hyper-V)');
  if (text.startsWith('conectix')) return found('a dynamic VHD disk');
  if (image.sizeBytes > 512 && image.ascii(image.read(image.sizeBytes - 512, 8), 0, 8) === 'conectix') {
    return found('a fixed VHD disk');
  }
  if (image.ascii(head, 257, 5) === 'ustar') return found('a tar archive (an OVA appliance is one)');
  return null;
};

const iso: Probe = (image) => {
  const volume = readIso(image);
  if (volume === null) return null;
  if (volume.sizeBytes > image.sizeBytes) {
    const detail = `its volume has ${volume.sizeBytes} bytes, the file only ${image.sizeBytes}`;
    return { kind: 'truncated', format: 'an ISO 9660 CD image', detail };
  }
  const boot = volume.boot === 'none' ? 'no El Torito boot record' : 'El Torito boot record';
  const label = volume.volumeId === '' ? 'no volume label' : `volume label "${volume.volumeId}"`;
  return { kind: 'iso', volumeId: volume.volumeId, boot: volume.boot, evidence: `ISO 9660, ${label}, ${boot}` };
};

/** The Linux/x86 boot protocol, "The real-mode kernel header". */
const linux: Probe = (image, head) => {
  if (image.ascii(head, 0x202, 4) !== 'HdrS' || u16(head, 0x1fe) !== 0xaa55) return null;
  const setupSectors = head[0x1f1] === 0 ? 4 : head[0x1f1]!;
  const expectedBytes = (setupSectors + 1) * 512 + u32(head, 0x1f4) * 16;
  if (image.sizeBytes < expectedBytes) {
    const detail = `its header asks for ${expectedBytes} bytes, the file has ${image.sizeBytes}`;
    return { kind: 'truncated', format: 'a Linux kernel (bzImage)', detail };
  }
  const pointer = u16(head, 0x20e);
  const text = pointer === 0 ? '' : image.ascii(image.read(pointer + 0x200, 128), 0, 128);
  const version = /^[\x21-\x7e]+/.exec(text)?.[0] ?? '';
  // xloadflags bit 0 (protocol 2.12): the kernel has a 64-bit entry point.
  const sixtyFourBit = u16(head, 0x206) >= 0x020c && (u16(head, 0x236) & 1) !== 0;
  const protocol = `${head[0x207]}.${String(head[0x206]).padStart(2, '0')}`;
  return {
    kind: 'linux',
    version,
    sixtyFourBit,
    evidence: `Linux boot protocol ${protocol}, version ${version || 'unnamed'}`,
  };
};

/** Multiboot 0.6.96 (then Multiboot2), 3.1: a header in the first 8192 bytes, aligned to 4, whose three fields add up to 0. */
const multiboot: Probe = (image, head) => {
  const format = startsWith(head, [0x7f, 0x45, 0x4c, 0x46]) ? 'ELF with a ' : '';
  for (let at = 0; at + 12 <= head.length; at += 4) {
    if (u32(head, at) !== 0x1badb002) continue;
    if (((u32(head, at) + u32(head, at + 4) + u32(head, at + 8)) & 0xffffffff) !== 0) continue;
    return { kind: 'multiboot', evidence: `${format}Multiboot 1 header at offset ${at}` };
  }
  // Multiboot2 2.0, 3.1: in the first 32768 bytes, aligned to 8, four fields that add up to 0.
  const start = image.read(0, Math.min(32768, image.sizeBytes));
  for (let at = 0; at + 16 <= start.length; at += 8) {
    if (u32(start, at) !== 0xe85250d6) continue;
    if (([0, 4, 8, 12].reduce((sum, field) => sum + u32(start, at + field), 0) & 0xffffffff) !== 0) continue;
    return { kind: 'multiboot', evidence: `${format}Multiboot 2 header at offset ${at}` };
  }
  return null;
};

/** What has a Multiboot header too is a Multiboot kernel, as the loader takes it. */
const pvh: Probe = (image) => {
  const entry = pvhEntry(image);
  return entry === null ? null : { kind: 'pvh', evidence: `ELF with a PVH entry at ${entry.toString(16)}h` };
};

const FLOPPY_SIZES: Readonly<Record<number, string>> = {
  163840: '160 KB',
  184320: '180 KB',
  327680: '320 KB',
  368640: '360 KB',
  737280: '720 KB',
  1228800: '1.2 MB',
  1474560: '1.44 MB',
  1720320: '1.68 MB',
  2949120: '2.88 MB',
};

interface Partition {
  readonly type: number;
  readonly first: number;
  readonly sectors: number;
}

/** The four entries at 1BEh, or null if they cannot be a partition table. */
function partitionTable(head: Uint8Array): Partition[] | null {
  const partitions: Partition[] = [];
  for (let at = 0x1be; at < 0x1fe; at += 16) {
    const flag = head[at];
    if (flag !== 0 && flag !== 0x80) return null;
    const partition = { type: head[at + 4]!, first: u32(head, at + 8), sectors: u32(head, at + 12) };
    if (partition.type === 0 || partition.sectors === 0) continue;
    if (partition.first === 0) return null;
    partitions.push(partition);
  }
  return partitions;
}

const disk: Probe = (image, head) => {
  const signature = u16(head, 510) === 0xaa55;
  const floppySize = FLOPPY_SIZES[image.sizeBytes];
  const jump = head[0] === 0xe9 || (head[0] === 0xeb && head[2] === 0x90);
  const partitions = signature ? partitionTable(head) : null;
  const partitioned = partitions !== null && partitions.length > 0;
  if (floppySize !== undefined && (signature || jump) && !partitioned) {
    return { kind: 'floppy', evidence: `${floppySize} floppy with a boot sector` };
  }
  if (!signature) return null;
  if (image.ascii(head, 512, 8) === 'EFI PART') {
    const lastSector = u32(head, 512 + 32) + u32(head, 512 + 36) * 2 ** 32;
    if ((lastSector + 1) * 512 > image.sizeBytes) return truncatedDisk(image, (lastSector + 1) * 512);
    return { kind: 'disk', evidence: 'GPT partition table' };
  }
  if (!partitioned) return { kind: 'disk', evidence: 'boot sector without a partition table' };
  const end = Math.max(
    ...partitions.map((partition) => (partition.type === 0xee ? 0 : partition.first + partition.sectors)),
  );
  if (end * 512 > image.sizeBytes) return truncatedDisk(image, end * 512);
  return { kind: 'disk', evidence: `MBR with ${partitions.length} partition${partitions.length === 1 ? '' : 's'}` };
};

function truncatedDisk(image: ImageReader, expectedBytes: number): ImageKind {
  const detail = `its partitions reach to byte ${expectedBytes}, the file has ${image.sizeBytes}`;
  return { kind: 'truncated', format: 'a raw disk image', detail };
}

const ramdisk: Probe = (image, head) => {
  if (isCpio(image, head)) return { kind: 'ramdisk', evidence: 'cpio archive' };
  if (startsWith(head, [0x1f, 0x8b])) {
    const inside = gunzipHead(head);
    if (inside !== null && isCpio(image, inside)) return { kind: 'ramdisk', evidence: 'cpio archive, gzip' };
    return { kind: 'compressed', format: 'gzip' };
  }
  if (startsWith(head, [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])) return { kind: 'compressed', format: 'xz' };
  if (startsWith(head, [0x28, 0xb5, 0x2f, 0xfd])) return { kind: 'compressed', format: 'zstd' };
  if (startsWith(head, [0x02, 0x21, 0x4c, 0x18])) return { kind: 'compressed', format: 'lz4' };
  if (startsWith(head, [0x42, 0x5a, 0x68])) return { kind: 'compressed', format: 'bzip2' };
  return null;
};

function isCpio(image: ImageReader, bytes: Uint8Array): boolean {
  return /^07070[127]/.test(image.ascii(bytes, 0, 6));
}

/** The first decompressed bytes of what may be only the beginning of a gzip file. */
function gunzipHead(head: Uint8Array): Uint8Array | null {
  try {
    return zlib.gunzipSync(head, { finishFlush: zlib.constants.Z_SYNC_FLUSH });
  } catch {
    return null;
  }
}

const KNOWN_OTHERS: readonly (readonly [string, string])[] = [
  ['%PDF', 'a PDF document'],
  ['PK\x03\x04', 'a ZIP archive'],
  ['\x89PNG', 'a PNG picture'],
  ['\xff\xd8\xff', 'a JPEG picture'],
  ['Rar!', 'a RAR archive'],
  ['7z\xbc\xaf', 'a 7-Zip archive'],
  ['MSWIM', 'a WIM archive'],
  ['#!', 'a script'],
  ['<!DOCTYPE', 'a web page'],
  ['<html', 'a web page'],
  ['MZ', 'a Windows or EFI program'],
];

function describeUnknown(image: ImageReader, head: Uint8Array): string {
  if (startsWith(head, [0x7f, 0x45, 0x4c, 0x46])) {
    return `an ELF file${head[4] === 2 ? ' for 64-bit' : ''} without a Multiboot header or a PVH note`;
  }
  for (const [text, name] of KNOWN_OTHERS) {
    if ([...text].every((character, index) => head[index] === character.charCodeAt(0))) return name;
  }
  if (image.sizeBytes < 512) return `only ${image.sizeBytes} bytes`;
  if (head.every((byte) => byte === 0)) return 'only zeros at its beginning (a blank disk, perhaps)';
  if (head.every((byte) => byte === 9 || byte === 10 || byte === 13 || byte >= 32)) return 'text';
  const bytes = [...head.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return `the bytes ${bytes} at its beginning and no boot signature`;
}
