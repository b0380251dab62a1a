// What a foreign firmware reads of this machine through fw_cfg (SeaBIOS src/fw/paravirt.c and OVMF's platform code ask for these).
import { acpiLayout, buildAcpi, buildRsdp } from '../acpi/acpiTables.ts';
import { buildFacs } from '../acpi/facs.ts';
import type { BootSource } from '../bios/disk/boot.ts';
import { TableLoader, zones } from './tableLoader.ts';

export interface FirmwareFile {
  readonly name: string;
  readonly content: () => Uint8Array;
}

export interface FirmwareFacts {
  readonly memoryBytes: number;
  readonly apic: boolean;
  readonly bootOrder: readonly BootSource[];
  /** A video BIOS to be run, or null. */
  readonly vgaBios: Uint8Array | null;
  /** Where the firmware has put the power management block. */
  readonly pmBase: () => number;
}

const usable = 1;
const rsdpFile = 'etc/acpi/rsdp';
const tablesFile = 'etc/acpi/tables';
/** What both firmwares program into the PIRQ routing registers. */
const foreignPirqIrqs = [10, 10, 11, 11] as const;
const defaultPmBase = 0x600;
const gibibyte = 0x4000_0000;

/** Open Firmware paths of the drives on the PIIX's channels. */
const bootPaths: Readonly<Record<BootSource, readonly string[]>> = {
  disk: ['/pci@i0cf8/ide@1,1/drive@0/disk@0', '/pci@i0cf8/ide@1,1/drive@0/disk@1'],
  cdrom: ['/pci@i0cf8/ide@1,1/drive@1/disk@0'],
  floppy: ['/pci@i0cf8/isa@1/fdc@03f0/floppy@0'],
};

export function firmwareFiles(facts: FirmwareFacts): FirmwareFile[] {
  const { vgaBios } = facts;
  const order = facts.bootOrder.flatMap((source) => bootPaths[source]).join('\n');
  return [
    { name: 'bootorder', content: () => text(order) },
    { name: 'etc/e820', content: () => usableMemory(facts.memoryBytes) },
    { name: rsdpFile, content: rsdp },
    { name: tablesFile, content: () => tables(facts) },
    { name: 'etc/table-loader', content: () => loaderScript(facts) },
    ...(vgaBios === null ? [] : [{ name: 'vgaroms/vgabios.bin', content: () => vgaBios }]),
  ];
}

function text(value: string): Uint8Array {
  const bytes = new Uint8Array(value.length + 1);
  for (let index = 0; index < value.length; index++) bytes[index] = value.charCodeAt(index);
  return bytes;
}

/** RAM from zero up, as QEMU tells of it: the firmware cuts its holes itself. */
function usableMemory(memoryBytes: number): Uint8Array {
  const bytes = new Uint8Array(20);
  const view = new DataView(bytes.buffer);
  view.setUint32(8, memoryBytes, true);
  view.setUint32(16, usable, true);
  return bytes;
}

/** Sums are zero until the script computes them: some firmware adds the old ones in. */
function rsdp(): Uint8Array {
  const bytes = buildRsdp(buildFacs().length);
  bytes[8] = 0;
  return bytes;
}

/** The tables for address zero with the FACS in front of them, 64-byte aligned. */
function tables(facts: FirmwareFacts): Uint8Array {
  const facs = buildFacs();
  const rest = buildAcpi(facs.length, options(facts));
  const bytes = new Uint8Array(facs.length + rest.length);
  bytes.set(facs);
  bytes.set(rest, facs.length);
  for (const { start } of acpiLayout(rest, facs.length).tables) bytes[start + 9] = 0;
  return bytes;
}

const options = ({ apic, memoryBytes, pmBase }: FirmwareFacts): Parameters<typeof buildAcpi>[1] => ({
  apic,
  facs: 0,
  pmBase: pmBase() || defaultPmBase,
  pirqIrqs: foreignPirqIrqs,
  pciMemoryBase: memoryBytes <= 2 * gibibyte ? 2 * gibibyte : 3 * gibibyte,
  smiEnables: true,
});

function loaderScript(facts: FirmwareFacts): Uint8Array {
  const loader = new TableLoader();
  const first = buildFacs().length;
  const layout = acpiLayout(buildAcpi(first, options(facts)), first);
  loader.allocate(rsdpFile, 16, zones.low);
  loader.allocate(tablesFile, 64, zones.high);
  for (const { offset, size } of layout.pointers) loader.addPointer(tablesFile, tablesFile, offset, size);
  for (const { start, length } of layout.tables) loader.addChecksum(tablesFile, start + 9, start, length);
  loader.addPointer(rsdpFile, tablesFile, 16, 4);
  loader.addChecksum(rsdpFile, 8, 0, 20);
  return loader.bytes;
}
