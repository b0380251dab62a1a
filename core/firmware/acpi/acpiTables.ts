// RSDP, RSDT, FADT and DSDT (ACPI 2.0, chapter 5). They lie in the ROM; the FACS, which the OS writes, in the EBDA.
import { ebda } from '../bios/biosData.ts';
import { pmBase, pmBlocks, resetPort, resetValue, sciIrq } from '../board.ts';
import { checksum } from '../rom/pirqTable.ts';
import { dsdtBody } from './dsdt.ts';

const headerBytes = 36;
const fadtBytes = 244;
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

/** 5.2.8. SMI_CMD is zero: the machine is in ACPI mode from POST on, SCI_EN stays set. */
function fadt(dsdtAddress: number): Uint8Array {
  const body = new Uint8Array(fadtBytes - headerBytes);
  const view = new DataView(body.buffer);
  const at = (offset: number): number => offset - headerBytes;
  const event = pmBase + pmBlocks.event;
  const control = pmBase + pmBlocks.control;
  const timer = pmBase + pmBlocks.timer;
  const general = pmBase + pmBlocks.generalEvents;
  view.setUint32(at(36), ebda.facs, true);
  view.setUint32(at(40), dsdtAddress, true);
  view.setUint16(at(46), sciIrq, true);
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
  view.setUint32(at(132), ebda.facs, true);
  view.setUint32(at(140), dsdtAddress, true);
  ioAddress(view, at(148), event, 32);
  ioAddress(view, at(172), control, 16);
  ioAddress(view, at(208), timer, 32);
  ioAddress(view, at(220), general, 32);
  return table('FACP', 3, body);
}

function rsdp(rsdtAddress: number): Uint8Array {
  const bytes = new Uint8Array(20);
  text(bytes, 0, 'RSD PTR ');
  text(bytes, 9, 'TRAPEZ');
  new DataView(bytes.buffer).setUint32(16, rsdtAddress, true);
  bytes[8] = checksum(bytes);
  return bytes;
}

const align = (value: number): number => (value + 15) & ~15;

/** All tables as one block for physical `address`, which is 16-byte aligned: the RSDP comes first. */
export function buildAcpi(address: number): Uint8Array {
  const dsdt = table('DSDT', 1, dsdtBody());
  const rsdtOffset = 32;
  const fadtOffset = align(rsdtOffset + headerBytes + 4);
  const dsdtOffset = align(fadtOffset + fadtBytes);
  const pointers = new Uint8Array(4);
  new DataView(pointers.buffer).setUint32(0, address + fadtOffset, true);
  const bytes = new Uint8Array(dsdtOffset + dsdt.length);
  bytes.set(rsdp(address + rsdtOffset));
  bytes.set(table('RSDT', 1, pointers), rsdtOffset);
  bytes.set(fadt(address + dsdtOffset), fadtOffset);
  bytes.set(dsdt, dsdtOffset);
  return bytes;
}
