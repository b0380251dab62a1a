// RSDP, RSDT, FADT and DSDT (ACPI 2.0, chapter 5). They lie in the ROM; the FACS, which the OS writes, in the EBDA.
import { ebda } from '../bios/biosData.ts';
import {
  hpetBase, ioApicBase, ioApicId, localApicBase, pciMemoryBase, pirqIrqs, pmBase, pmBlocks, resetPort, resetValue, sciIrq, smiCommand,
  timerInput,
} from '../board.ts';
import { checksum } from '../rom/pirqTable.ts';
import { dsdtBody } from './dsdt.ts';
import type { DsdtOptions } from './dsdt.ts';

const headerBytes = 36;
const fadtBytes = 244;
/** Of the RSDT behind the pointer. */
const rsdtOffset = 32;
/** FADT flags (table 5-6): WBINVD works, C1 works, no sleep button, RTC wake not in fixed registers, reset register. */
const fadtFlags = (1 << 0) | (1 << 2) | (1 << 5) | (1 << 6) | (1 << 10);
/** Boot architecture flags: legacy devices, 8042. */
const bootArchitecture = 0x0003;

const text = (bytes: Uint8Array, at: number, value: string): void => {
  for (let index = 0; index < value.length; index++) bytes[at + index] = value.charCodeAt(index);
};

function table(signature: string, revision: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(headerBytes + body.length);
  text(bytes, 0, signature);
  new DataView(bytes.buffer).setUint32(4, bytes.length, true);
  bytes[8] = revision;
  text(bytes, 10, 'TRAPEZ');
  text(bytes, 16, 'TRAPEZE ');
  bytes[24] = 1;
  text(bytes, 28, 'TRPZ');
  bytes[32] = 1;
  bytes.set(body, headerBytes);
  bytes[9] = checksum(bytes);
  return bytes;
}

/** Generic address structure in I/O space (5.2.3.1). */
function ioAddress(view: DataView, at: number, port: number, bits: number): void {
  view.setUint8(at, 1);
  view.setUint8(at + 1, bits);
  view.setUint32(at + 4, port, true);
}

/**
 * 5.2.8. With our own firmware SMI_CMD is zero: the machine is in ACPI mode from POST on, SCI_EN stays set. A foreign one
 * leaves that to the system.
 */
function fadt(dsdtAddress: number, { facs, pmBase, smiEnables }: BoardFacts): Uint8Array {
  const body = new Uint8Array(fadtBytes - headerBytes);
  const view = new DataView(body.buffer);
  const at = (offset: number): number => offset - headerBytes;
  const event = pmBase + pmBlocks.event;
  const control = pmBase + pmBlocks.control;
  const timer = pmBase + pmBlocks.timer;
  const general = pmBase + pmBlocks.generalEvents;
  view.setUint32(at(36), facs, true);
  view.setUint32(at(40), dsdtAddress, true);
  view.setUint16(at(46), sciIrq, true);
  if (smiEnables) {
    view.setUint32(at(48), smiCommand.port, true);
    body.set([smiCommand.acpiEnable, smiCommand.acpiDisable], at(52));
  }
  view.setUint32(at(56), event, true);
  view.setUint32(at(64), control, true);
  view.setUint32(at(76), timer, true);
  view.setUint32(at(80), general, true);
  body.set([4, 2, 0, 4, 4, 0, 0], at(88));
  // C2 and C3 are not there: latencies beyond their limits.
  view.setUint16(at(96), 0xffff, true);
  view.setUint16(at(98), 0xffff, true);
  body[at(108)] = 0x32;
  view.setUint16(at(109), bootArchitecture, true);
  view.setUint32(at(112), fadtFlags, true);
  ioAddress(view, at(116), resetPort, 8);
  body[at(128)] = resetValue;
  view.setUint32(at(132), facs, true);
  view.setUint32(at(140), dsdtAddress, true);
  ioAddress(view, at(148), event, 32);
  ioAddress(view, at(172), control, 16);
  ioAddress(view, at(208), timer, 32);
  ioAddress(view, at(220), general, 32);
  return table('FACP', 3, body);
}

/** The pointer that lies at the tables' `address` (5.2.5.3): kernels that are loaded directly get it by hand. */
export function buildRsdp(address: number): Uint8Array {
  const bytes = new Uint8Array(20);
  text(bytes, 0, 'RSD PTR ');
  text(bytes, 9, 'TRAPEZ');
  new DataView(bytes.buffer).setUint32(16, address + rsdtOffset, true);
  bytes[8] = checksum(bytes);
  return bytes;
}

const word = (value: number): number[] => [value & 0xff, (value >> 8) & 0xff];
const double = (value: number): number[] => [...word(value & 0xffff), ...word(value >>> 16)];

/** Multiple APIC description table (5.2.11.4): one processor, one I/O APIC, two ISA interrupts that are not as usual. */
function madt(): Uint8Array {
  const activeHighLevel = 0x0d;
  const override = (source: number, input: number, flags: number): number[] => [2, 10, 0, source, ...double(input), ...word(flags)];
  return table('APIC', 1, Uint8Array.from([
    ...double(localApicBase), ...double(1), // PC-compatible: 8259s are there too
    0, 8, 0, 0, ...double(1),
    1, 12, ioApicId, 0, ...double(ioApicBase), ...double(0),
    ...override(0, timerInput, 0),
    ...override(sciIrq, sciIrq, activeHighLevel),
    4, 6, 0xff, ...word(0), 1, // LINT1 is NMI
  ]));
}

/** HPET description table (IA-PC HPET 3.2.4): hardware ID as in GCAP_ID, memory space, smallest tick. */
function hpet(): Uint8Array {
  const space = [0, 64, 0, 0];
  return table('HPET', 1, Uint8Array.from([...double(0x8086a201), ...space, ...double(hpetBase), ...double(0), 0, ...word(100), 0]));
}

const align = (value: number): number => (value + 15) & ~15;

/** What depends on who has set the board up. */
interface BoardFacts {
  /** Address of the FACS. */
  readonly facs: number;
  readonly pmBase: number;
  /** The SMI command port hands the fixed hardware over. */
  readonly smiEnables: boolean;
}

export interface AcpiOptions extends Partial<BoardFacts>, Partial<DsdtOptions> {
  /** The machine has APICs and an HPET. */
  readonly apic: boolean;
}

/** All tables as one block for physical `address`, which is 16-byte aligned: the RSDP comes first. */
export function buildAcpi(address: number, options: AcpiOptions): Uint8Array {
  const { apic } = options;
  const facts = { facs: ebda.facs, pmBase, pirqIrqs, pciMemoryBase, smiEnables: false, ...options };
  const dsdt = table('DSDT', 1, dsdtBody(facts));
  const others = apic ? [madt(), hpet()] : [];
  const fadtOffset = align(rsdtOffset + headerBytes + 4 * (1 + others.length));
  const dsdtOffset = align(fadtOffset + fadtBytes);
  let end = dsdtOffset + dsdt.length;
  const offsets = [fadtOffset];
  for (const other of others) {
    offsets.push(align(end));
    end = align(end) + other.length;
  }
  const pointers = Uint8Array.from(offsets.flatMap((offset) => double(address + offset)));
  const bytes = new Uint8Array(end);
  others.forEach((other, index) => bytes.set(other, offsets[index + 1]));
  bytes.set(buildRsdp(address));
  bytes.set(table('RSDT', 1, pointers), rsdtOffset);
  bytes.set(fadt(address + dsdtOffset, facts), fadtOffset);
  bytes.set(dsdt, dsdtOffset);
  return bytes;
}

export interface AcpiLayout {
  /** Fields that hold addresses within the block, by their own address. */
  readonly pointers: readonly { readonly offset: number; readonly size: 4 | 8 }[];
  readonly tables: readonly { readonly start: number; readonly length: number }[];
}

/** Where a block built for `address` refers to itself and to a FACS: for those who move it. */
export function acpiLayout(block: Uint8Array, address: number): AcpiLayout {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  const tableAt = (start: number): AcpiLayout['tables'][number] => ({ start, length: view.getUint32(start - address + 4, true) });
  const rsdt = tableAt(address + rsdtOffset);
  const entries = Array.from({ length: (rsdt.length - headerBytes) / 4 }, (_, index) => rsdt.start + headerBytes + index * 4);
  const targets = entries.map((at) => view.getUint32(at - address, true));
  const fadtStart = targets[0];
  const dsdtStart = view.getUint32(fadtStart - address + 40, true);
  const pointer = (size: 4 | 8) => (offset: number) => ({ offset, size });
  return {
    pointers: [
      ...entries.map(pointer(4)),
      ...[36, 40].map((field) => fadtStart + field).map(pointer(4)),
      ...[132, 140].map((field) => fadtStart + field).map(pointer(8)),
    ],
    tables: [rsdt, ...targets.map(tableAt), tableAt(dsdtStart)],
  };
}
