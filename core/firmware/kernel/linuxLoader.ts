// Linux/x86 32-bit and 64-bit boot protocols (Documentation/arch/x86/boot.rst, protocol 2.06 and later; 64-bit from 2.12).
import { extendedMemoryBytes, memoryMap } from '../memoryMap.ts';
import { asciiZ, flatCpuState, flatGdt, identityPageTables, KernelImageError, longCpuState, longGdt, viewOf } from './kernelPlan.ts';
import type { KernelPlan, MemoryWrite } from './kernelPlan.ts';

export interface LinuxImage {
  readonly kernel: Uint8Array;
  readonly initrd: Uint8Array | null;
  readonly commandLine: string;
  readonly memoryBytes: number;
  /** The processor knows 64-bit mode. */
  readonly longMode: boolean;
}

/** Offsets into the image's first sectors and into the zero page alike (boot.rst, "The Real-Mode Kernel Header"). */
const header = {
  setupSectors: 0x1f1,
  systemSize: 0x1f4,
  bootFlag: 0x1fe,
  jumpLength: 0x201,
  magic: 0x202,
  version: 0x206,
  typeOfLoader: 0x210,
  loadFlags: 0x211,
  code32Start: 0x214,
  ramdiskImage: 0x218,
  ramdiskSize: 0x21c,
  heapEndPointer: 0x224,
  commandLinePointer: 0x228,
  initrdAddressMax: 0x22c,
  kernelAlignment: 0x230,
  relocatable: 0x234,
  extendedLoadFlags: 0x236,
  commandLineSize: 0x238,
  preferredAddress: 0x258,
  initSize: 0x260,
} as const;

/** Offsets into the zero page (arch/x86 boot protocol, zero-page.rst). */
const zeroPage = {
  cursorX: 0x00,
  cursorY: 0x01,
  extendedMemoryKb: 0x02,
  videoPage: 0x04,
  videoMode: 0x06,
  videoColumns: 0x07,
  videoEgaBx: 0x0a,
  videoRows: 0x0e,
  videoIsVga: 0x0f,
  videoPoints: 0x10,
  alternativeMemoryKb: 0x1e0,
  e820Entries: 0x1e8,
  e820Table: 0x2d0,
} as const;

const gdtAddress = 0x1000;
const stackTop = 0x9000;
const zeroPageAddress = 0x9_0000;
const commandLineAddress = 0x9_1000;
const pageBytes = 0x1000;
/** Identity map for the 64-bit entry, 24 KiB. */
const pageTablesAddress = 0x1_0000;
/** XLF_KERNEL_64: there is a 64-bit entry 200h bytes into the kernel. */
const kernel64 = 1 << 0;
const entry64 = 0x200;

export function isLinuxImage(bytes: Uint8Array): boolean {
  return bytes.length > 0x206 && viewOf(bytes).getUint32(header.magic, true) === 0x5372_6448;
}

/** Throws KernelImageError if `image.kernel` is not a bzImage that fits this machine. */
export function loadLinux(image: LinuxImage): KernelPlan {
  const { kernel } = image;
  const setup = readSetup(kernel);
  const commandLine = asciiZ(image.commandLine);
  if (commandLine.length - 1 > setup.commandLineMax) {
    throw new KernelImageError(
      `the command line is ${commandLine.length - 1} characters long, this kernel takes ${setup.commandLineMax}`,
    );
  }
  const body = kernel.subarray(setup.bodyOffset);
  const kernelEnd = Math.max(setup.loadAddress + body.length, setup.runAddress + setup.initSize);
  if (kernelEnd > image.memoryBytes) {
    throw new KernelImageError(
      `the kernel needs memory up to ${mebibytes(kernelEnd)}, the machine has ${mebibytes(image.memoryBytes)}`,
    );
  }
  const writes: MemoryWrite[] = [{ address: setup.loadAddress, bytes: body }];
  const page = buildZeroPage(image, setup);
  const pageView = viewOf(page);
  if (image.initrd && image.initrd.length > 0) {
    const address = placeInitrd(image.initrd.length, image.memoryBytes, setup.initrdAddressMax, kernelEnd);
    pageView.setUint32(header.ramdiskImage, address, true);
    pageView.setUint32(header.ramdiskSize, image.initrd.length, true);
    writes.push({ address, bytes: image.initrd });
  }
  const long = image.longMode && setup.has64BitEntry;
  const gdt = long ? longGdt(0x10, 0x18) : flatGdt(0x10, 0x18);
  if (long) writes.push({ address: pageTablesAddress, bytes: identityPageTables(pageTablesAddress) });
  const gdtr = { base: gdtAddress, limit: gdt.length - 1 };
  const registers = { eip: setup.loadAddress + (long ? entry64 : 0), esi: zeroPageAddress, esp: stackTop };
  writes.push(
    { address: gdtAddress, bytes: gdt },
    { address: zeroPageAddress, bytes: page },
    { address: commandLineAddress, bytes: commandLine },
  );
  return {
    description: `Linux ${setup.versionText}`.trim() + (long ? ', 64-bit entry' : ''),
    writes,
    cpu: long
      ? longCpuState(pageTablesAddress, gdtr, 0x10, 0x18, registers)
      : flatCpuState(gdtr, 0x10, 0x18, registers),
  };
}

interface Setup {
  readonly bodyOffset: number;
  readonly headerEnd: number;
  readonly loadAddress: number;
  /** Where the kernel unpacks itself and needs `initSize` bytes. */
  readonly runAddress: number;
  readonly initSize: number;
  readonly initrdAddressMax: number;
  readonly commandLineMax: number;
  readonly versionText: string;
  readonly has64BitEntry: boolean;
}

function readSetup(kernel: Uint8Array): Setup {
  if (kernel.length === 0) throw new KernelImageError('the kernel image is empty');
  if (kernel.length < 0x260) {
    throw new KernelImageError(`the kernel image is truncated: ${kernel.length} bytes cannot hold its header`);
  }
  const view = viewOf(kernel);
  if (view.getUint16(header.bootFlag, true) !== 0xaa55 || !isLinuxImage(kernel)) {
    throw new KernelImageError('this is not a Linux bzImage: the signature "HdrS" at offset 202h is missing');
  }
  const version = view.getUint16(header.version, true);
  if (version < 0x206) {
    throw new KernelImageError(
      `the kernel speaks boot protocol ${version >> 8}.${String(version & 0xff).padStart(2, '0')}; 2.06 or later is needed`,
    );
  }
  if ((kernel[header.loadFlags] & 1) === 0) throw new KernelImageError('this is a zImage; only bzImage can be loaded');
  const bodyOffset = ((kernel[header.setupSectors] || 4) + 1) * 512;
  const bodyLength = view.getUint32(header.systemSize, true) * 16;
  // syssize counts 16-byte paragraphs, rounded up.
  if (kernel.length <= bodyOffset || kernel.length + 15 < bodyOffset + bodyLength) {
    throw new KernelImageError(
      `the kernel image is truncated: ${bodyOffset + bodyLength} bytes expected, ${kernel.length} found`,
    );
  }
  const headerEnd = Math.min(header.magic + kernel[header.jumpLength], kernel.length, 0x290);
  const initSize = version >= 0x20a && headerEnd >= header.initSize + 4 ? view.getUint32(header.initSize, true) : bodyLength;
  const address = loadAddress(view, version);
  const preferred = version >= 0x20a ? view.getUint32(header.preferredAddress, true) : 0;
  return {
    bodyOffset,
    headerEnd,
    loadAddress: address,
    runAddress: Math.max(address, preferred),
    initSize,
    initrdAddressMax: view.getUint32(header.initrdAddressMax, true) || 0x37ff_ffff,
    commandLineMax: view.getUint32(header.commandLineSize, true) || 255,
    versionText: versionText(kernel),
    has64BitEntry: version >= 0x20c && (view.getUint16(header.extendedLoadFlags, true) & kernel64) !== 0,
  };
}

/** A protected-mode kernel runs where `code32_start` says; 1 MiB for every bzImage seen so far. */
function loadAddress(view: DataView, version: number): number {
  const code32Start = view.getUint32(header.code32Start, true);
  const preferred = version >= 0x20a ? view.getUint32(header.preferredAddress, true) : 0;
  const relocatable = view.getUint8(header.relocatable) !== 0;
  const address = relocatable || preferred === 0 ? code32Start : preferred;
  if (address < 0x10_0000) {
    throw new KernelImageError(`the kernel asks to be loaded at ${address.toString(16)}h, below 1 MiB`);
  }
  return address;
}

function versionText(kernel: Uint8Array): string {
  const pointer = viewOf(kernel).getUint16(0x20e, true);
  if (pointer === 0) return '';
  let text = '';
  for (let at = pointer + 0x200; at < kernel.length && text.length < 60; at++) {
    const byte = kernel[at];
    if (byte < 0x21 || byte > 0x7e) break;
    text += String.fromCharCode(byte);
  }
  return text;
}

/** As high as the kernel allows, in RAM, on a page boundary. */
function placeInitrd(length: number, memoryBytes: number, addressMax: number, kernelEnd: number): number {
  const top = Math.min(memoryBytes, addressMax + 1);
  const address = Math.floor((top - length) / pageBytes) * pageBytes;
  if (address < kernelEnd) {
    throw new KernelImageError(
      `the initrd (${mebibytes(length)}) does not fit between the kernel and ${mebibytes(top)}; give the machine more memory`,
    );
  }
  return address;
}

function buildZeroPage(image: LinuxImage, setup: Setup): Uint8Array<ArrayBuffer> {
  const page = new Uint8Array(pageBytes);
  const view = viewOf(page);
  page.set(image.kernel.subarray(header.setupSectors, setup.headerEnd), header.setupSectors);
  page[header.typeOfLoader] = 0xff;
  // CAN_USE_HEAP off: no real-mode code runs.
  page[header.loadFlags] = page[header.loadFlags] & ~0x80;
  view.setUint32(header.code32Start, setup.loadAddress, true);
  view.setUint32(header.commandLinePointer, commandLineAddress, true);
  view.setUint32(header.ramdiskImage, 0, true);
  view.setUint32(header.ramdiskSize, 0, true);
  page[zeroPage.videoMode] = 3;
  page[zeroPage.videoColumns] = 80;
  page[zeroPage.videoRows] = 25;
  page[zeroPage.videoIsVga] = 1;
  page[zeroPage.cursorY] = 1;
  view.setUint16(zeroPage.videoEgaBx, 0x0003, true);
  view.setUint16(zeroPage.videoPoints, 16, true);
  const extendedKb = Math.floor(extendedMemoryBytes(image.memoryBytes) / 1024);
  view.setUint16(zeroPage.extendedMemoryKb, Math.min(extendedKb, 0xfc00), true);
  view.setUint32(zeroPage.alternativeMemoryKb, extendedKb, true);
  const ranges = memoryMap(image.memoryBytes);
  page[zeroPage.e820Entries] = ranges.length;
  ranges.forEach((range, index) => {
    const at = zeroPage.e820Table + index * 20;
    view.setBigUint64(at, BigInt(range.base), true);
    view.setBigUint64(at + 8, BigInt(range.length), true);
    view.setUint32(at + 16, range.kind, true);
  });
  return page;
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 0x10_0000)} MiB`;
}
