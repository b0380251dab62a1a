// ELF files, 32 and 64 bits, little-endian (Tool Interface Standard ELF 1.2; System V gABI 4.1 for 64 bits).
import { DebugError } from '../target.ts';
import { ByteReader, textAt } from './byteReader.ts';
import type { RawSymbol, SymbolKind } from './symbolFile.ts';

const EM_386 = 3;
const EM_IAMCU = 6;
const EM_X86_64 = 62;
const ET_REL = 1;
const TYPE_NAMES = ['no type', 'relocatable', 'executable', 'shared', 'core'];

const SHT_SYMTAB = 2;
const SHT_RELA = 4;
const SHT_NOBITS = 8;
const SHT_REL = 9;
const SHT_DYNSYM = 11;
const SHT_SYMTAB_SHNDX = 18;
const SHF_ALLOC = 2;
const SHF_COMPRESSED = 0x800;
const SHN_UNDEF = 0;
const SHN_ABS = 0xfff1;
const SHN_LORESERVE = 0xff00;
const SHN_XINDEX = 0xffff;

const STT_OBJECT = 1;
const STT_FUNC = 2;
const STT_SECTION = 3;
const STT_FILE = 4;
const STT_TLS = 6;
const STT_GNU_IFUNC = 10;
const STB_LOCAL = 0;

const MAX_SECTIONS = 100_000;
const MAX_SEGMENTS = 10_000;
const MAX_SYMBOLS = 4_000_000;
const MAX_NAME = 1024;

export interface ElfSection {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: bigint;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly entryBytes: number;
}

export interface ElfSegment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly virtualAddress: bigint;
  readonly physicalAddress: bigint;
  readonly fileBytes: number;
  readonly memoryBytes: bigint;
}

export interface ElfFile {
  readonly path: string;
  readonly bits: 32 | 64;
  readonly relocatable: boolean;
  /** `ELF32 executable`. */
  readonly kind: string;
  readonly entry: bigint;
  readonly sections: readonly ElfSection[];
  readonly segments: readonly ElfSegment[];
  readonly symbols: readonly RawSymbol[];
  /** What could not be read although the rest could. */
  readonly warnings: readonly string[];
  /** Content of a section (relocated, in a relocatable file); null: there is none that can be read. */
  section(name: string): { readonly bytes: Uint8Array; readonly address: bigint } | null;
}

export const isElf = (bytes: Uint8Array): boolean =>
  bytes.length >= 4 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;

interface Header {
  readonly bits: 32 | 64;
  readonly type: number;
  readonly entry: bigint;
  readonly sectionOffset: number;
  readonly segmentOffset: number;
  readonly sectionBytes: number;
  readonly segmentBytes: number;
  readonly sectionCount: number;
  readonly segmentCount: number;
  readonly nameSection: number;
}

/** Throws a DebugError that names the file, what was expected and what was found. */
export function parseElf(path: string, bytes: Uint8Array): ElfFile {
  const header = readHeader(path, bytes);
  const warnings: string[] = [];
  const sections = readSections(path, bytes, header);
  const segments = readSegments(path, bytes, header);
  const content = (section: ElfSection): Uint8Array => contentOf(path, bytes, section);
  const symbols = readSymbols(path, header, sections, content, warnings);
  for (const { name, flags } of sections) {
    if ((flags & SHF_COMPRESSED) !== 0 && name.startsWith('.debug_')) {
      warnings.push(`${path}: section ${name} is compressed and is not read; objcopy --decompress-debug-sections helps`);
    }
  }
  return {
    path,
    bits: header.bits,
    relocatable: header.type === ET_REL,
    kind: `ELF${header.bits} ${TYPE_NAMES[header.type] ?? `type ${header.type}`}`,
    entry: header.entry,
    sections,
    segments,
    symbols,
    warnings,
    section(name) {
      const index = sections.findIndex((section) => section.name === name && section.type !== SHT_NOBITS);
      if (index < 0 || (sections[index].flags & SHF_COMPRESSED) !== 0) return null;
      const plain = content(sections[index]);
      const readable = header.type === ET_REL ? relocated(path, header, sections, index, plain, content) : plain;
      return { bytes: readable, address: sections[index].address };
    },
  };
}

function readHeader(path: string, bytes: Uint8Array): Header {
  const reader = new ByteReader(bytes, `${path}: ELF header`);
  if (!isElf(bytes)) throw new DebugError(`${path}: expected an ELF file, found no ELF magic number`);
  reader.position = 4;
  const fileClass = reader.u8(), encoding = reader.u8(), version = reader.u8();
  if (fileClass !== 1 && fileClass !== 2) reader.fail('class 1 (32 bits) or 2 (64 bits)', `${fileClass}`);
  if (encoding !== 1) reader.fail('little-endian data (1)', `${encoding}`);
  if (version !== 1) reader.fail('version 1', `${version}`);
  const size = fileClass === 2 ? 8 : 4;
  reader.position = 16;
  const type = reader.u16(), machine = reader.u16();
  if (machine !== EM_386 && machine !== EM_X86_64 && machine !== EM_IAMCU) {
    reader.fail(`machine ${EM_386} (i386) or ${EM_X86_64} (x86-64)`, `${machine}`);
  }
  reader.skip(4);
  const entry = reader.word(size);
  const offset = (): number => Number(BigInt.asUintN(53, reader.word(size)));
  const segmentOffset = offset(), sectionOffset = offset();
  reader.skip(4 + 2);
  const segmentBytes = reader.u16(), segmentCount = reader.u16();
  const sectionBytes = reader.u16(), sectionCount = reader.u16(), nameSection = reader.u16();
  return {
    bits: fileClass === 2 ? 64 : 32,
    type, entry, segmentOffset, sectionOffset, segmentBytes, segmentCount, sectionBytes, sectionCount, nameSection,
  };
}

interface RawSection extends Omit<ElfSection, 'name'> {
  readonly nameOffset: number;
}

function readSection(reader: ByteReader, bits: 32 | 64): RawSection {
  const size = bits === 64 ? 8 : 4;
  const nameOffset = reader.u32(), type = reader.u32();
  const flags = Number(reader.word(size) & 0xffffffffn), address = reader.word(size);
  const offset = Number(reader.word(size)), length = Number(reader.word(size));
  const link = reader.u32(), info = reader.u32();
  reader.skip(size);
  return { nameOffset, type, flags, address, offset, size: length, link, info, entryBytes: Number(reader.word(size)) };
}

function readSections(path: string, bytes: Uint8Array, header: Header): ElfSection[] {
  const { bits, sectionOffset, sectionBytes } = header;
  if (sectionOffset === 0) return [];
  const reader = new ByteReader(bytes, `${path}: section headers`, sectionOffset);
  const least = bits === 64 ? 64 : 40;
  if (header.sectionCount > 0 && sectionBytes < least) reader.fail(`entries of ${least} bytes`, `${sectionBytes}`);
  let count = header.sectionCount, names = header.nameSection;
  if (count === 0 || names === SHN_XINDEX) {
    const first = readSection(reader, bits);
    if (count === 0) count = first.size;
    if (names === SHN_XINDEX) names = first.link;
  }
  if (count > MAX_SECTIONS) reader.fail(`at most ${MAX_SECTIONS} sections`, `${count}`);
  const raw: RawSection[] = [];
  for (let index = 0; index < count; index++) {
    reader.position = sectionOffset + index * sectionBytes;
    raw.push(readSection(reader, bits));
  }
  const nameSection = raw[names];
  const table = nameSection === undefined ? new Uint8Array(0) : contentOf(path, bytes, { ...nameSection, name: 'of names' });
  return raw.map(({ nameOffset, ...section }) => ({ ...section, name: textAt(table, nameOffset) }));
}

function readSegments(path: string, bytes: Uint8Array, header: Header): ElfSegment[] {
  const { bits, segmentOffset, segmentBytes, segmentCount } = header;
  const reader = new ByteReader(bytes, `${path}: program headers`, segmentOffset);
  const least = bits === 64 ? 56 : 32;
  if (segmentCount > 0 && segmentBytes < least) reader.fail(`entries of ${least} bytes`, `${segmentBytes}`);
  if (segmentCount > MAX_SEGMENTS) reader.fail(`at most ${MAX_SEGMENTS} segments`, `${segmentCount}`);
  const segments: ElfSegment[] = [];
  for (let index = 0; index < segmentCount; index++) {
    reader.position = segmentOffset + index * segmentBytes;
    const type = reader.u32();
    let flags = bits === 64 ? reader.u32() : 0;
    const size = bits === 64 ? 8 : 4;
    const offset = Number(reader.word(size)), virtualAddress = reader.word(size), physicalAddress = reader.word(size);
    const fileBytes = Number(reader.word(size)), memoryBytes = reader.word(size);
    if (bits === 32) flags = reader.u32();
    segments.push({ type, flags, offset, virtualAddress, physicalAddress, fileBytes, memoryBytes });
  }
  return segments;
}

function contentOf(path: string, bytes: Uint8Array, section: ElfSection): Uint8Array {
  if (section.type === SHT_NOBITS) return new Uint8Array(0);
  const { offset, size, name } = section;
  if (offset + size > bytes.length) {
    throw new DebugError(
      `${path}: section ${name}: expected ${size} bytes at offset ${offset}, found the end of the file at ${bytes.length}`,
    );
  }
  return bytes.subarray(offset, offset + size);
}

function readSymbols(
  path: string,
  header: Header,
  sections: readonly ElfSection[],
  content: (section: ElfSection) => Uint8Array,
  warnings: string[],
): RawSymbol[] {
  let index = sections.findIndex((section) => section.type === SHT_SYMTAB);
  if (index < 0) {
    index = sections.findIndex((section) => section.type === SHT_DYNSYM);
    warnings.push(index < 0 ? `${path}: it has no symbol table` : `${path}: it has no .symtab (stripped): exported names only`);
  }
  if (index < 0) return [];
  const table = sections[index];
  const strings = sections[table.link];
  if (strings === undefined) {
    throw new DebugError(`${path}: section ${table.name}: expected the number of a string table, found ${table.link}`);
  }
  const names = content(strings);
  const extended = sections.find((section) => section.type === SHT_SYMTAB_SHNDX && section.link === index);
  const indexes = extended === undefined ? null : content(extended);
  const bytes = content(table);
  const entryBytes = header.bits === 64 ? 24 : 16;
  const count = Math.floor(bytes.length / entryBytes);
  const reader = new ByteReader(bytes, `${path}: section ${table.name}`);
  if (count > MAX_SYMBOLS) reader.fail(`at most ${MAX_SYMBOLS} symbols`, `${count}`);
  const symbols: RawSymbol[] = [];
  for (let entry = 1; entry < count; entry++) {
    reader.position = entry * entryBytes;
    const symbol = readSymbol(reader, header, sections, names, indexes, entry);
    if (symbol !== null) symbols.push(symbol);
  }
  return symbols;
}

function readSymbol(
  reader: ByteReader,
  header: Header,
  sections: readonly ElfSection[],
  names: Uint8Array,
  indexes: Uint8Array | null,
  entry: number,
): RawSymbol | null {
  const name = reader.u32();
  let value: bigint, size: bigint, info: number, section: number;
  if (header.bits === 64) {
    info = reader.u8();
    reader.skip(1);
    section = reader.u16();
    value = reader.u64();
    size = reader.u64();
  } else {
    value = BigInt(reader.u32());
    size = BigInt(reader.u32());
    info = reader.u8();
    reader.skip(1);
    section = reader.u16();
  }
  const type = info & 15, binding = info >> 4;
  if (section === SHN_UNDEF || type === STT_SECTION || type === STT_FILE || type === STT_TLS) return null;
  if (section === SHN_XINDEX && indexes !== null && entry * 4 + 4 <= indexes.length) {
    section = new ByteReader(indexes, reader.what, entry * 4).u32();
  } else if (section >= SHN_LORESERVE && section !== SHN_ABS) return null;
  const text = textAt(names, name);
  if (text === '' || text.length > MAX_NAME) return null;
  const place = section === SHN_ABS ? undefined : sections[section];
  if (section !== SHN_ABS && place === undefined) return null;
  // In a relocatable file addresses are offsets in .text, which is what a loader's base belongs to.
  if (header.type === ET_REL && place !== undefined && place.name !== '.text') return null;
  const kind = kindOf(type, place);
  const rank = (binding === STB_LOCAL ? 2 : 0) + (type === STT_FUNC || type === STT_OBJECT ? 0 : 1) + (/^[._$]/.test(text) ? 4 : 0) + (text.includes('.') ? 1 : 0);
  return { name: text, address: value, size: size > 0x7fffffffn ? 0 : Number(size), kind, rank };
}

function kindOf(type: number, section: ElfSection | undefined): SymbolKind {
  if (section === undefined || (section.flags & SHF_ALLOC) === 0) return 'absolute';
  if (type === STT_FUNC || type === STT_GNU_IFUNC) return 'function';
  return type === STT_OBJECT ? 'data' : 'label';
}

/** Content with its relocations done: only those that debug sections have (psABI i386 4.1, x86-64 4.4). */
function relocated(
  path: string,
  header: Header,
  sections: readonly ElfSection[],
  index: number,
  plain: Uint8Array,
  content: (section: ElfSection) => Uint8Array,
): Uint8Array {
  const relocation = sections.find(({ type, info }) => (type === SHT_REL || type === SHT_RELA) && info === index);
  const table = relocation === undefined ? undefined : sections[relocation.link];
  if (relocation === undefined || table === undefined) return plain;
  const bytes = plain.slice();
  const view = new DataView(bytes.buffer);
  const wide = header.bits === 64, addend = relocation.type === SHT_RELA;
  const symbols = content(table);
  const symbolReader = new ByteReader(symbols, `${path}: section ${table.name}`);
  const reader = new ByteReader(content(relocation), `${path}: section ${relocation.name}`);
  const entryBytes = (wide ? 16 : 8) + (addend ? (wide ? 8 : 4) : 0);
  while (reader.position + entryBytes <= reader.end) {
    const offset = Number(reader.word(wide ? 8 : 4)), info = reader.word(wide ? 8 : 4);
    const type = Number(wide ? info & 0xffffffffn : info & 0xffn), symbol = Number(wide ? info >> 32n : info >> 8n);
    const added = addend ? reader.word(wide ? 8 : 4) : null;
    symbolReader.position = symbol * (wide ? 24 : 16) + (wide ? 8 : 4);
    const value = symbolReader.word(wide ? 8 : 4);
    const size = relocationBytes(type, wide);
    if (size === 0 || offset + size > bytes.length) continue;
    const old = added ?? (size === 8 ? view.getBigUint64(offset, true) : BigInt(view.getUint32(offset, true)));
    if (size === 8) view.setBigUint64(offset, BigInt.asUintN(64, value + old), true);
    else view.setUint32(offset, Number(BigInt.asUintN(32, value + old)), true);
  }
  return bytes;
}

/** Absolute relocations only; the rest does not occur in what is read here. */
function relocationBytes(type: number, wide: boolean): 0 | 4 | 8 {
  if (!wide) return type === 1 ? 4 : 0;
  return type === 1 ? 8 : type === 10 || type === 11 ? 4 : 0;
}
