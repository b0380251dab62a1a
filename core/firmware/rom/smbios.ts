// System Management BIOS 2.4 (DMTF DSP0134): entry point and the few structures that software asks for.
import { checksum } from './pirqTable.ts';

export interface SmbiosOptions {
  readonly memoryBytes: number;
  readonly cpuName: string;
}

const encode = (text: string): number[] => [...text].map((character) => character.charCodeAt(0) & 0x7f);

/** A structure: formatted area after the four header bytes, then its strings. */
function structure(type: number, handle: number, fields: readonly number[], strings: readonly string[]): number[] {
  const texts = strings.length === 0 ? [0, 0] : [...strings.flatMap((text) => [...encode(text), 0]), 0];
  return [type, fields.length + 4, handle & 0xff, handle >> 8, ...fields, ...texts];
}

const word = (value: number): number[] => [value & 0xff, (value >>> 8) & 0xff];
const double = (value: number): number[] => [...word(value & 0xffff), ...word(value >>> 16)];

function structures({ memoryBytes, cpuName }: SmbiosOptions): number[][] {
  const megabytes = Math.floor(memoryBytes / 0x10_0000);
  const kibibytes = Math.floor(memoryBytes / 1024);
  return [
    // BIOS: PCI, bootable CD, selectable boot, EDD; ACPI.
    structure(0, 0x0000, [1, 2, ...word(0xf000), 3, 0, ...double(0x0001_8080 | (1 << 19)), 0, 0, 0, 0, 1, 0, 0, 1, 0xff, 0xff],
      ['Trapeze', '0.1', '11/23/2026']),
    structure(1, 0x0100, [1, 2, 3, 0, ...new Array<number>(16).fill(0), 6, 0, 0], ['Trapeze', 'Trapeze PC', '1']),
    // Enclosure: other, states safe.
    structure(3, 0x0300, [1, 1, 0, 0, 0, 3, 3, 3, 2], ['Trapeze']),
    // Processor: central, populated and enabled; no cache structures.
    structure(4, 0x0400, [1, 3, 1, 2, ...new Array<number>(8).fill(0), 0, 0, ...word(0), ...word(0), ...word(0), 0x41, 1,
      ...word(0xffff), ...word(0xffff), ...word(0xffff), 0, 0, 0], ['CPU 0', 'Trapeze', cpuName]),
    structure(16, 0x1000, [1, 3, 3, ...double(kibibytes), ...word(0xfffe), ...word(1)], []),
    structure(17, 0x1100, [...word(0x1000), ...word(0xfffe), ...word(64), ...word(64), ...word(megabytes), 9, 0, 1, 0, 7,
      ...word(0), ...word(0), 0, 0, 0, 0], ['DIMM 0']),
    structure(19, 0x1300, [...double(0), ...double(kibibytes - 1), ...word(0x1000), 1], []),
    structure(32, 0x2000, [0, 0, 0, 0, 0, 0, 0], []),
    structure(127, 0x7f00, [], []),
  ];
}

/** Entry point and structures, to lie at `address` on a 16-byte boundary. */
export function buildSmbios(address: number, options: SmbiosOptions): Uint8Array {
  const list = structures(options);
  const table = list.flat();
  const bytes = new Uint8Array(32 + table.length);
  const view = new DataView(bytes.buffer);
  bytes.set(encode('_SM_'));
  bytes[5] = 31;
  bytes.set([2, 4], 6);
  view.setUint16(8, Math.max(...list.map((item) => item.length)), true);
  bytes.set(encode('_DMI_'), 16);
  view.setUint16(22, table.length, true);
  view.setUint32(24, address + 32, true);
  view.setUint16(28, list.length, true);
  bytes[30] = 0x24;
  bytes[21] = checksum(bytes.subarray(16, 31));
  bytes[4] = checksum(bytes.subarray(0, 31));
  bytes.set(table, 32);
  return bytes;
}
