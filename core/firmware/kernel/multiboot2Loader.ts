// Multiboot2 Specification 2.0: ELF kernels and kernels that name their addresses by tag.
import { buildRsdp } from '../acpi/acpiTables.ts';
import { extendedMemoryBytes, memoryMap, romBase } from '../memoryMap.ts';
import { romOffsets } from '../rom/romLayout.ts';
import { isElf, placeSegment, readElf, topOf } from './elfProgram.ts';
import type { ElfSections, Program } from './elfProgram.ts';
import { placeModules } from './kernelModules.ts';
import type { KernelModule, PlacedModule } from './kernelModules.ts';
import { asciiZ, infoAddress, infoLimit, informedPlan, KernelImageError, viewOf } from './kernelPlan.ts';
import type { KernelPlan, MemoryWrite } from './kernelPlan.ts';

export interface Multiboot2Image {
  readonly kernel: Uint8Array;
  readonly modules: readonly KernelModule[];
  readonly commandLine: string;
  readonly memoryBytes: number;
}

const headerMagic = 0xe852_50d6;
const bootMagic = 0x36d7_6289;
/** The header lies within the first 32768 bytes, on an 8-byte boundary (3.1). */
const headerSearchBytes = 32768;
const fixedBytes = 16;
const i386 = 0;

/** Header tags (3.1.3 and on). */
const tags = {
  end: 0, informationRequest: 1, address: 2, entry: 3, consoleFlags: 4, framebuffer: 5, moduleAlignment: 6, efiBootServices: 7,
  entryEfi32: 8, entryEfi64: 9, relocatable: 10,
} as const;
const optional = 1;

/** Tags of the boot information (3.6). */
const info = {
  end: 0, commandLine: 1, loaderName: 2, module: 3, memory: 4, memoryMap: 6, framebuffer: 8, elfSections: 9, rsdp: 14, loadBase: 21,
} as const;

const loaderName = 'Trapeze';
const textScreen = { address: 0xb_8000, pitch: 160, columns: 80, rows: 25, bitsPerCharacter: 16, kind: 2 } as const;
const sectionTypes = { noBits: 8 } as const;

interface Header {
  readonly offset: number;
  readonly length: number;
}

interface Requests {
  readonly addresses: { readonly header: number; readonly load: number; readonly loadEnd: number; readonly bssEnd: number } | null;
  readonly entry: number | null;
}

/** Finds the header, or null. A header that is none by its checksum is not one. */
export function findMultiboot2Header(bytes: Uint8Array): Header | null {
  const view = viewOf(bytes);
  const end = Math.min(bytes.length, headerSearchBytes) - fixedBytes;
  for (let offset = 0; offset <= end; offset += 8) {
    if (view.getUint32(offset, true) !== headerMagic) continue;
    const [architecture, length, checksum] = [4, 8, 12].map((at) => view.getUint32(offset + at, true));
    if (((headerMagic + architecture + length + checksum) & 0xffff_ffff) === 0) return { offset, length };
  }
  return null;
}

/** Throws KernelImageError if `image.kernel` is not a Multiboot2 kernel that fits this machine. */
export function loadMultiboot2(image: Multiboot2Image): KernelPlan {
  const header = findMultiboot2Header(image.kernel);
  if (!header) throw new KernelImageError('this is not a Multiboot2 kernel: no valid header in its first 32 KiB');
  const requests = readTags(image.kernel, header);
  const { program, sections } = readProgram(image.kernel, header, requests);
  const writes: MemoryWrite[] = [];
  for (const segment of program.segments) placeSegment(segment, image.memoryBytes, infoAddress, writes);
  const sectionsEnd = sections === null ? null : placeSections(image, sections, topOf(program.segments), writes);
  const modules = placeModules(image.modules, sectionsEnd ?? topOf(program.segments), image.memoryBytes, writes);
  const loadBase = program.segments.reduce((base, { address }) => Math.min(base, address), Infinity);
  const information = buildInformation(image, modules, sections, loadBase);
  return informedPlan('Multiboot2 kernel', writes, information, { eip: program.entry, eax: bootMagic });
}

/** Header tags: what is asked for, and a refusal of what cannot be given (3.1.3 flag bit 0: optional). */
function readTags(kernel: Uint8Array, header: Header): Requests {
  const view = viewOf(kernel);
  if (view.getUint32(header.offset + 4, true) !== i386) {
    throw new KernelImageError('the Multiboot2 kernel is for another processor architecture');
  }
  const end = header.offset + header.length;
  if (end > kernel.length) throw new KernelImageError('the kernel image is truncated inside its Multiboot2 header');
  let addresses: Requests['addresses'] = null;
  let entry: number | null = null;
  for (let at = header.offset + fixedBytes; at + 8 <= end; ) {
    const type = view.getUint16(at, true), size = view.getUint32(at + 4, true);
    const isRequired = (view.getUint16(at + 2, true) & optional) === 0;
    if (type === tags.end) return { addresses, entry };
    const smallest = type === tags.address ? 24 : type === tags.entry ? 12 : 8;
    if (size < smallest || at + size > end) throw new KernelImageError(`the Multiboot2 header is damaged: tag ${type} has ${size} bytes`);
    const field = (index: number): number => view.getUint32(at + 8 + index * 4, true);
    if (type === tags.address) addresses = { header: field(0), load: field(1), loadEnd: field(2), bssEnd: field(3) };
    else if (type === tags.entry) entry = field(0);
    else if (type === tags.informationRequest && isRequired) {
      checkInformation(Array.from({ length: (size - 8) >> 2 }, (_, index) => field(index)));
    } else if (type > tags.relocatable && isRequired) {
      throw new KernelImageError(`the kernel requires a Multiboot2 feature that is not there (header tag ${type})`);
    }
    at += (size + 7) & ~7;
  }
  throw new KernelImageError('the Multiboot2 header is damaged: its end tag is missing');
}

function checkInformation(wanted: readonly number[]): void {
  const given = Object.values(info) as number[];
  const missing = wanted.filter((type) => !given.includes(type));
  if (missing.length > 0) {
    throw new KernelImageError(`the kernel requires Multiboot2 information that is not there (type ${missing.join(', ')})`);
  }
}

function readProgram(kernel: Uint8Array, header: Header, { addresses, entry }: Requests): { program: Program; sections: ElfSections | null } {
  if (addresses === null) {
    if (!isElf(kernel)) throw new KernelImageError('the Multiboot2 kernel is neither an ELF file nor does its header name load addresses');
    const { segments, entry: own, sections } = readElf(kernel, 'Multiboot2', true);
    return { program: { segments, entry: entry ?? own }, sections: sections.count === 0 ? null : sections };
  }
  if (entry === null) throw new KernelImageError('the Multiboot2 header names load addresses but no entry address');
  const { load, loadEnd, bssEnd } = addresses;
  // FFFFFFFFh: the file is loaded from its beginning (3.1.5).
  const start = load === 0xffff_ffff ? 0 : header.offset - (addresses.header - load);
  const address = load === 0xffff_ffff ? addresses.header - header.offset : load;
  if (start < 0 || start > header.offset || address < 0) {
    throw new KernelImageError('the Multiboot2 header names a load address that lies after the header itself');
  }
  const length = loadEnd === 0 ? kernel.length - start : loadEnd - address;
  if (length < 0 || start + length > kernel.length) {
    throw new KernelImageError(`the kernel image is truncated: ${start + Math.max(length, 0)} bytes expected, ${kernel.length} found`);
  }
  const memoryBytes = Math.max(length, bssEnd === 0 ? 0 : bssEnd - address);
  return { program: { segments: [{ address, bytes: kernel.subarray(start, start + length), memoryBytes }], entry }, sections: null };
}

/** Sections that no segment loads (symbols, strings) go behind the kernel, and their headers say where. Returns the new top. */
function placeSections(image: Multiboot2Image, sections: ElfSections, top: number, writes: MemoryWrite[]): number {
  const view = viewOf(sections.headers);
  let next = top;
  const number = (at: number): number => view.getUint32(at, true) + (sections.wide ? view.getUint32(at + 4, true) * 2 ** 32 : 0);
  for (let index = 0; index < sections.count; index++) {
    const at = index * sections.entryBytes;
    const [addressAt, offset, size] = sections.wide ? [at + 16, number(at + 24), number(at + 32)] : [at + 12, number(at + 16), number(at + 20)];
    const type = view.getUint32(at + 4, true);
    if (type === 0 || type === sectionTypes.noBits || number(addressAt) !== 0 || size === 0) continue;
    const start = Math.ceil(next / 16) * 16;
    if (offset + size > image.kernel.length || start + size > image.memoryBytes) continue;
    writes.push({ address: start, bytes: image.kernel.subarray(offset, offset + size) });
    view.setUint32(addressAt, start, true);
    next = start + size;
  }
  return next;
}

/** Tags on 8-byte boundaries behind total size and a reserved word (3.6.1). */
function buildInformation(
  image: Multiboot2Image,
  modules: readonly PlacedModule[],
  sections: ElfSections | null,
  loadBase: number,
): Uint8Array {
  const bytes = new Uint8Array(infoLimit - infoAddress);
  const view = viewOf(bytes);
  let used = 8;
  const tag = (type: number, content: Uint8Array): void => {
    const size = 8 + content.length;
    if (used + size > bytes.length - 16) throw new KernelImageError('too many modules, or their command lines are too long');
    view.setUint32(used, type, true);
    view.setUint32(used + 4, size, true);
    bytes.set(content, used + 8);
    used = (used + size + 7) & ~7;
  };
  tag(info.commandLine, asciiZ(image.commandLine));
  tag(info.loaderName, asciiZ(loaderName));
  for (const { start, end, commandLine } of modules) tag(info.module, joined(words(start, end), asciiZ(commandLine)));
  tag(info.memory, words(639, Math.floor(extendedMemoryBytes(image.memoryBytes) / 1024)));
  tag(info.memoryMap, mapOf(image.memoryBytes));
  tag(info.framebuffer, framebuffer());
  if (sections !== null) tag(info.elfSections, joined(words(sections.count, sections.entryBytes, sections.names), sections.headers));
  tag(info.rsdp, buildRsdp(romBase + romOffsets.tables));
  tag(info.loadBase, words(loadBase));
  tag(info.end, new Uint8Array(0));
  view.setUint32(0, used, true);
  return bytes.subarray(0, used);
}

function mapOf(memoryBytes: number): Uint8Array {
  const entries = memoryMap(memoryBytes).map(({ base, length, kind }) => words(base, 0, length, 0, kind, 0));
  return joined(words(24, 0), ...entries);
}

/** The screen that POST leaves: 80x25 characters (3.6.12, type 2). */
function framebuffer(): Uint8Array {
  const { address, pitch, columns, rows, bitsPerCharacter, kind } = textScreen;
  return joined(words(address, 0, pitch, columns, rows), Uint8Array.of(bitsPerCharacter, kind, 0, 0));
}

function words(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = viewOf(bytes);
  values.forEach((value, index) => view.setUint32(index * 4, value, true));
  return bytes;
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
