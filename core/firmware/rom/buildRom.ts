// The 64 KiB system ROM: assembled stubs, fonts, and the tables that describe this machine.
import { buildAcpi } from '../acpi/acpiTables.ts';
import type { Geometry } from '../bios/disk/drives.ts';
import { romBase, romLength } from '../memoryMap.ts';
import { decodeBase64 } from './base64.ts';
import { buildMpTables } from './mpTable.ts';
import { checksum, pirqTable } from './pirqTable.ts';
import { biosCode, font14, font16, font8 } from './romData.ts';
import { romFonts, romOffsets } from './romLayout.ts';
import { buildSmbios } from './smbios.ts';

export interface RomOptions {
  readonly memoryBytes: number;
  /** Fixed disks 0 and 1, for INT 41h and 46h. */
  readonly disks: readonly Geometry[];
  /** CPU speed and family for SMBIOS come from the model's name. */
  readonly cpuName: string;
  /** The processor's APIC and what belongs to it are there; with the processor's signature and features for the MP table. */
  readonly apic: boolean;
  readonly signature: number;
  readonly features: number;
}

/** Mapped at F0000h and, as an alias, in the last 64 KiB below 4 GiB. */
export function buildRom(options: RomOptions): Uint8Array {
  const rom = new Uint8Array(romLength);
  rom.set(decodeBase64(biosCode), romOffsets.code);
  rom.set(decodeBase64(font16), romFonts.font16);
  rom.set(decodeBase64(font14), romFonts.font14);
  const small = decodeBase64(font8);
  rom.set(small, romFonts.font8);
  rom.set(small.subarray(0, 1024), romOffsets.smallFont);
  rom.set(staticFunctionality(), romFonts.staticFunctionality);
  rom.set(buildAcpi(romBase + romOffsets.tables, options), romOffsets.tables);
  rom.set(buildSmbios(romBase + romOffsets.smbiosTable, options), romOffsets.smbiosTable);
  rom.set(pirqTable(), romOffsets.pirqTable);
  if (options.apic) rom.set(buildMpTables(romBase + romOffsets.mpTable, options), romOffsets.mpTable);
  options.disks.slice(0, 2).forEach((geometry, index) => {
    rom.set(diskParameters(geometry), index === 0 ? romOffsets.diskParameters : romOffsets.diskParameters2);
  });
  signDirectory(rom);
  return rom;
}

/** BIOS32 service directory: the assembler can't sum. */
function signDirectory(rom: Uint8Array): void {
  for (let at = 0; at < romLength; at += 16) {
    if (rom[at] !== 0x5f || rom[at + 1] !== 0x33 || rom[at + 2] !== 0x32 || rom[at + 3] !== 0x5f) continue;
    rom[at + 10] = 0;
    rom[at + 10] = checksum(rom.subarray(at, at + 16));
  }
}

/** Fixed disk parameter table (PC/AT INT 41h). */
function diskParameters({ cylinders, heads, sectors }: Geometry): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes.set([cylinders & 0xff, cylinders >> 8, heads]);
  bytes.set([0xff, 0xff], 5);
  bytes[8] = heads > 8 ? 8 : 0;
  bytes.set([cylinders & 0xff, cylinders >> 8, sectors], 12);
  return bytes;
}

/** INT 10h AH=1Bh static functionality table: modes 00h-07h and 0Dh-13h, 200/350/400 scan lines. */
function staticFunctionality(): Uint8Array {
  return Uint8Array.from([0xff, 0xe0, 0x0f, 0, 0, 0, 0, 0x07, 2, 8, 0xff, 0x0e, 0, 0, 0x3f, 0]);
}
