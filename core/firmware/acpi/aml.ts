// A small builder of ACPI Machine Language (ACPI 2.0, chapter 17). Every function returns encoded bytes.

export type Aml = readonly number[];

/** PkgLength counts its own bytes (17.2.4). */
function packageLength(contentLength: number): number[] {
  if (contentLength + 1 < 0x40) return [contentLength + 1];
  for (let extra = 1; extra <= 3; extra++) {
    const total = contentLength + 1 + extra;
    if (total >= 1 << (4 + 8 * extra)) continue;
    const bytes = [(extra << 6) | (total & 0x0f)];
    for (let index = 0; index < extra; index++) bytes.push((total >> (4 + 8 * index)) & 0xff);
    return bytes;
  }
  throw new RangeError('AML package too long');
}

const sized = (opcode: readonly number[], content: readonly number[]): number[] => [
  ...opcode,
  ...packageLength(content.length),
  ...content,
];

const segment = (name: string): number[] => [...name.padEnd(4, '_')].map((character) => character.charCodeAt(0));

/** `\_SB.PCI0` and the like (17.2.1). */
export function nameString(path: string): number[] {
  const rooted = path.startsWith('\\');
  const parts = (rooted ? path.slice(1) : path).split('.').filter((part) => part !== '');
  const root = rooted ? [0x5c] : [];
  if (parts.length === 0) return [...root, 0];
  if (parts.length === 1) return [...root, ...segment(parts[0])];
  if (parts.length === 2) return [...root, 0x2e, ...parts.flatMap(segment)];
  return [...root, 0x2f, parts.length, ...parts.flatMap(segment)];
}

export function integer(value: number): number[] {
  if (value === 0) return [0x00];
  if (value === 1) return [0x01];
  if (value < 0x100) return [0x0a, value];
  if (value < 0x1_0000) return [0x0b, value & 0xff, value >> 8];
  return [0x0c, value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}

/** Compressed EISA identifier, for example `PNP0A03` (17.2.3). */
export function eisaId(id: string): number[] {
  const letter = (index: number): number => id.charCodeAt(index) - 0x40;
  const vendor = (letter(0) << 10) | (letter(1) << 5) | letter(2);
  const product = parseInt(id.slice(3), 16);
  return [0x0c, vendor >> 8, vendor & 0xff, product >> 8, product & 0xff];
}

export const name = (path: string, value: Aml): number[] => [0x08, ...nameString(path), ...value];
export const scope = (path: string, ...content: Aml[]): number[] => sized([0x10], [...nameString(path), ...content.flat()]);
export const device = (path: string, ...content: Aml[]): number[] =>
  sized([0x5b, 0x82], [...nameString(path), ...content.flat()]);
export const packageOf = (...elements: Aml[]): number[] => sized([0x12], [elements.length, ...elements.flat()]);
export const buffer = (bytes: readonly number[]): number[] => sized([0x11], [...integer(bytes.length), ...bytes]);

/** A method without synchronization (17.2.5.2). */
export const method = (path: string, parameters: number, ...content: Aml[]): number[] =>
  sized([0x14], [...nameString(path), parameters, ...content.flat()]);
export const ifTrue = (condition: Aml, ...content: Aml[]): number[] => sized([0xa0], [...condition, ...content.flat()]);
export const returned = (value: Aml): number[] => [0xa4, ...value];
export const store = (value: Aml, target: Aml): number[] => [0x70, ...value, ...target];
export const argument0: Aml = [0x68];
/** A processor without a register block (17.2.5.2). */
export const processor = (path: string, id: number): number[] => sized([0x5b, 0x83], [...nameString(path), id, 0, 0, 0, 0, 0]);

/** A resource template: descriptors with their end tag (6.4.2.8; checksum 0 means not computed). */
export const resources = (...descriptors: Aml[]): number[] => buffer([...descriptors.flat(), 0x79, 0x00]);

const word = (value: number): number[] => [value & 0xff, (value >> 8) & 0xff];
const double = (value: number): number[] => [...word(value & 0xffff), ...word(value >>> 16)];

/** 6.4.2.5, 16-bit decode. */
export const ioPort = (base: number, length: number): number[] => [0x47, 0x01, ...word(base), ...word(base), 0x01, length];
/** 6.4.2.1, edge-triggered and active high. */
export const irq = (line: number): number[] => [0x22, ...word(1 << line)];

/** 32-bit fixed memory range, read and write (6.4.3.4). */
export const fixedMemory = (base: number, length: number): number[] => [0x86, ...word(9), 0x01, ...double(base), ...double(length)];

interface AddressRange {
  readonly first: number;
  readonly last: number;
}

/** Word address space descriptor (6.4.3.5.3), fixed range, producer. `kind`: 1 I/O, 2 bus numbers. */
export const wordRange = (kind: 1 | 2, { first, last }: AddressRange): number[] => [
  0x88, ...word(13), kind, 0x0c, kind === 1 ? 0x03 : 0x00,
  ...word(0), ...word(first), ...word(last), ...word(0), ...word(last - first + 1),
];

/** Double word memory range (6.4.3.5.2), fixed, producer, read-write. */
export const memoryRange = ({ first, last }: AddressRange, cacheable: boolean): number[] => [
  0x87, ...word(23), 0x00, 0x0c, cacheable ? 0x03 : 0x01,
  ...double(0), ...double(first), ...double(last), ...double(0), ...double(last - first + 1),
];
