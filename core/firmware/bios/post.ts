// Power-on: vectors, data areas and devices as software of the PC expects them.
import {
  ioApicBase, ioApicId, localApicBase, pciIds, pciIoBase, pciMemoryBase, pirqIrqs, pirqOf, pmBase, pmBlocks, sciIrq,
} from '../board.ts';
import { buildFacs } from '../acpi/facs.ts';
import { ebdaBase, ebdaLength, extendedMemoryBytes } from '../memoryMap.ts';
import { romOffsets } from '../rom/romLayout.ts';
import { bda, ebda, vectorAddress } from './biosData.ts';
import type { FirmwareContext } from './context.ts';
import { diskGeometry, floppyGeometry } from './disk/drives.ts';
import type { DriveBay } from './disk/drives.ts';
import { pciFunctions, readPci, writePci } from './system/pciBios.ts';
import { readCmos, ticksOfDay, writeCmos } from './system/time.ts';
import { installVideoTables, setMode } from './video/video.ts';

/** CMOS 0Fh: why the CPU was reset (PC/AT). */
const shutdownStatus = 0x0f;
const shutdown = { jumpWithEoi: 0x05, jump: 0x0a } as const;

/** Memory-type range registers (SDM 4). */
const MTRR = {
  PHYSBASE0: 0x200, PHYSMASK0: 0x201, FIX64K_00000: 0x250, FIX16K_80000: 0x258, FIX16K_A0000: 0x259, FIX4K_C0000: 0x268, DEF_TYPE: 0x2ff,
} as const;
const UNCACHED = 0, WRITE_PROTECTED = 5, WRITE_BACK = 6;

/** True if the stub shall jump through 40:67 instead of booting. */
export function powerOnSelfTest(
  context: FirmwareContext,
  bay: DriveBay,
  { memoryBytes, apic }: { readonly memoryBytes: number; readonly apic: boolean },
): boolean {
  if (apic) initializeApics(context);
  const reason = readCmos(context, shutdownStatus);
  writeCmos(context, shutdownStatus, 0);
  if (reason === shutdown.jumpWithEoi || reason === shutdown.jump) {
    if (reason === shutdown.jumpWithEoi) context.writePort(0x20, 0x20, 1);
    return true;
  }
  // A20 open.
  context.writePort(0x92, (context.readPort(0x92, 1) & ~1) | 2, 1);
  installVectors(context);
  initializeDataAreas(context, bay);
  initializeInterrupts(context);
  initializeMemoryTypes(context);
  initializeTimer(context);
  initializeKeyboard(context);
  initializePci(context);
  initializePower(context);
  initializeClock(context, bay, memoryBytes);
  detectSerialPorts(context);
  installVideoTables(context);
  setMode(context, 3);
  context.physical.write(ebda.facs, buildFacs());
  return false;
}

function installVectors(context: FirmwareContext): void {
  const memory = context.physical;
  const stub = (index: number): number => memory.read16(0xf0000 + romOffsets.vectors + index * 2);
  const set = (vector: number, offset: number): void => memory.write32(vectorAddress(vector), ((0xf000 << 16) | offset) >>> 0);
  for (let vector = 0; vector < 0x78; vector++) set(vector, stub(0));
  for (let vector = 0; vector < 0x20; vector++) set(vector, stub(vector));
  for (let index = 0; index < 8; index++) set(0x70 + index, stub(0x20 + index));
  set(0x40, stub(0x13));
  set(0x42, stub(0x10));
  set(0x41, romOffsets.diskParameters);
  set(0x46, romOffsets.diskParameters2);
  // Left for programs.
  for (let vector = 0x60; vector < 0x68; vector++) memory.write32(vectorAddress(vector), 0);
}

function initializeDataAreas(context: FirmwareContext, bay: DriveBay): void {
  const memory = context.physical;
  const warm = memory.read16(bda.resetFlag);
  memory.write(0x400, new Uint8Array(0x100));
  memory.write(ebdaBase, new Uint8Array(ebdaLength));
  memory.write8(ebdaBase, 1);
  memory.write16(bda.resetFlag, warm);
  memory.write16(bda.ebdaSegment, ebdaBase >> 4);
  memory.write16(bda.memoryKb, ebdaBase >> 10);
  memory.write16(bda.equipment, equipment(bay, 0));
  memory.write8(bda.diskCount, bay.disks.length);
  memory.write16(bda.keyBufferStart, 0x1e);
  memory.write16(bda.keyBufferEnd, 0x3e);
  memory.write16(bda.keyHead, 0x1e);
  memory.write16(bda.keyTail, 0x1e);
  memory.write8(bda.keyFlags3, 0x10);
  for (let port = 0; port < 4; port++) {
    memory.write8(bda.parallelTimeouts + port, 20);
    memory.write8(bda.serialTimeouts + port, 1);
  }
}

/** INT 11h: floppy, coprocessor, mouse, 80x25 colour, serial ports. */
function equipment(bay: DriveBay, serialPorts: number): number {
  return (bay.floppy ? 0x01 : 0) | 0x02 | 0x04 | 0x20 | (serialPorts << 9);
}

/** 8259A: IRQ 0-7 at 08h, IRQ 8-15 at 70h; PIIX edge/level registers for PCI. */
function initializeInterrupts(context: FirmwareContext): void {
  const out = (port: number, value: number): void => context.writePort(port, value, 1);
  for (const [base, vector, cascade] of [[0x20, 0x08, 0x04], [0xa0, 0x70, 0x02]]) {
    out(base, 0x11);
    out(base + 1, vector);
    out(base + 1, cascade);
    out(base + 1, 0x01);
  }
  out(0x21, 0xf8);
  out(0xa1, 0xff);
  const level = pirqIrqs.reduce<number>((mask, irq) => mask | (1 << irq), 1 << sciIrq);
  out(0x4d0, level & 0xff);
  out(0x4d1, level >> 8);
}

/** Virtual wire mode (MP 3.6.2.2): the 8259s' interrupts pass through the local APIC's LINT0, NMI through LINT1. */
function initializeApics(context: FirmwareContext): void {
  const memory = context.physical;
  memory.write32(localApicBase + 0xf0, 0x1ff);
  memory.write32(localApicBase + 0x350, 0x700);
  memory.write32(localApicBase + 0x360, 0x400);
  memory.write32(ioApicBase, 0);
  memory.write32(ioApicBase + 0x10, ioApicId << 24);
}

/** SDM 3A 11.11: RAM is write-back, the video memory below 1 MiB and devices above 3 GiB are not cached. */
function initializeMemoryTypes(context: FirmwareContext): void {
  const all = (type: number): number => type * 0x01010101;
  const fixed = (index: number, type: number): void => context.writeMsr(index, all(type), all(type));
  fixed(MTRR.FIX64K_00000, WRITE_BACK);
  fixed(MTRR.FIX16K_80000, WRITE_BACK);
  fixed(MTRR.FIX16K_A0000, UNCACHED);
  for (let index = 0; index < 8; index++) fixed(MTRR.FIX4K_C0000 + index, WRITE_PROTECTED);
  context.writeMsr(MTRR.PHYSBASE0, 0xc0000000, 0);
  context.writeMsr(MTRR.PHYSMASK0, 0xc0000800, 0xff);
  context.writeMsr(MTRR.DEF_TYPE, 0xc00 | WRITE_BACK, 0);
}

/** 8254: counter 0 at 18.2 Hz, 1 refresh, 2 speaker. */
function initializeTimer(context: FirmwareContext): void {
  const out = (port: number, value: number): void => context.writePort(port, value, 1);
  out(0x43, 0x34);
  out(0x40, 0);
  out(0x40, 0);
  out(0x43, 0x54);
  out(0x41, 0x12);
  out(0x43, 0xb6);
  out(0x42, 0x33);
  out(0x42, 0x05);
}

/** 8042: self-test, keyboard interface on with IRQ 1 and translation, mouse interface off. */
function initializeKeyboard(context: FirmwareContext): void {
  const command = (value: number): void => context.writePort(0x64, value, 1);
  const drain = (): void => {
    for (let count = 0; count < 64 && context.readPort(0x64, 1) & 1; count++) context.readPort(0x60, 1);
  };
  drain();
  command(0xaa);
  drain();
  command(0x60);
  context.writePort(0x60, 0x65, 1);
  command(0xae);
  // Scanning on; the answer is drained so that IRQ 1 has nothing to tell.
  context.writePort(0x60, 0xf4, 1);
  drain();
}

function initializeClock(context: FirmwareContext, bay: DriveBay, memoryBytes: number): void {
  writeCmos(context, 0x0a, 0x26);
  writeCmos(context, 0x0b, 0x02);
  readCmos(context, 0x0c);
  readCmos(context, 0x0d);
  const extendedKb = Math.min(Math.floor(extendedMemoryBytes(memoryBytes) / 1024), 0xffff);
  const above16 = Math.min(Math.max(0, Math.floor((memoryBytes - 0x100_0000) / 0x1_0000)), 0xffff);
  const disk = (index: number): number => (bay.disks[index] ? 0x0f : 0);
  const values: readonly (readonly [number, number])[] = [
    [0x0e, 0], [0x10, bay.floppy ? floppyGeometry(bay.floppy.sizeBytes).type << 4 : 0],
    [0x12, (disk(0) << 4) | disk(1)], [0x14, equipment(bay, 0) & 0xff],
    [0x15, 0x80], [0x16, 0x02], [0x17, extendedKb & 0xff], [0x18, extendedKb >> 8],
    [0x19, bay.disks[0] ? 47 : 0], [0x1a, bay.disks[1] ? 47 : 0],
    [0x30, extendedKb & 0xff], [0x31, extendedKb >> 8], [0x34, above16 & 0xff], [0x35, above16 >> 8],
  ];
  for (const [register, value] of values) writeCmos(context, register, value);
  writeCmosGeometry(context, bay);
  let sum = 0;
  for (let register = 0x10; register <= 0x2d; register++) sum += readCmos(context, register);
  writeCmos(context, 0x2e, (sum >> 8) & 0xff);
  writeCmos(context, 0x2f, sum & 0xff);
  context.physical.write32(bda.ticks, ticksOfDay(context));
}

/** User drive type 47: cylinders, heads, precompensation, control, landing zone, sectors from 1Bh and 24h. */
function writeCmosGeometry(context: FirmwareContext, bay: DriveBay): void {
  bay.disks.slice(0, 2).forEach((store, index) => {
    const { cylinders, heads, sectors } = diskGeometry(store.sizeBytes);
    const bytes = [cylinders & 0xff, cylinders >> 8, heads, 0xff, 0xff, heads > 8 ? 8 : 0, cylinders & 0xff, cylinders >> 8, sectors];
    bytes.forEach((value, at) => writeCmos(context, 0x1b + index * 9 + at, value));
  });
}

/** PCI devices: base addresses, interrupt lines, PIRQ routing, decoding on. */
function initializePci(context: FirmwareContext): void {
  const bridge = devfnOf(pciIds.isaBridge);
  const functions = pciFunctions(context);
  if (functions.includes(bridge)) pirqIrqs.forEach((irq, link) => writePci(context, bridge, 0x60 + link, irq, 1));
  const next = { io: pciIoBase, memory: pciMemoryBase };
  for (const devfn of functions) {
    assignBars(context, devfn, next);
    const pin = readPci(context, devfn, 0x3d, 1);
    if (pin >= 1 && pin <= 4) {
      const irq = devfn === devfnOf(pciIds.powerManagement) ? sciIrq : pirqIrqs[pirqOf(devfn >> 3, pin - 1)];
      writePci(context, devfn, 0x3c, irq, 1);
    }
    writePci(context, devfn, 0x04, readPci(context, devfn, 0x04, 2) | 0x07, 2);
  }
  const ide = devfnOf(pciIds.ide);
  if (functions.includes(ide)) {
    // IDETIM: both channels decoded (82371SB 2.3.9).
    writePci(context, ide, 0x40, 0x8000, 2);
    writePci(context, ide, 0x42, 0x8000, 2);
  }
}

const devfnOf = ([device, index]: readonly [number, number]): number => (device << 3) | index;

/** Sizes each base address register by writing ones (PCI 2.1, 6.2.5.1) and gives it the next aligned range. */
function assignBars(context: FirmwareContext, devfn: number, next: { io: number; memory: number }): void {
  if ((readPci(context, devfn, 0x0e, 1) & 0x7f) !== 0) return;
  for (let register = 0x10; register < 0x28; register += 4) {
    const before = readPci(context, devfn, register, 4);
    writePci(context, devfn, register, 0xffff_ffff, 4);
    const answer = readPci(context, devfn, register, 4);
    writePci(context, devfn, register, before, 4);
    if (answer === 0) continue;
    const io = (answer & 1) !== 0;
    const size = io ? ((~(answer & 0xfffc) & 0xffff) + 1) & 0xffff : (~(answer & 0xffff_fff0) + 1) >>> 0;
    if (size === 0) continue;
    const kind = io ? 'io' : 'memory';
    const address = Math.ceil(next[kind] / size) * size;
    writePci(context, devfn, register, address, 4);
    next[kind] = address + size;
    if (!io && (answer & 6) === 4) {
      register += 4;
      writePci(context, devfn, register, 0, 4);
    }
  }
}

/** PIIX4 power management at its fixed base, ACPI mode for good: the FADT names no SMI command. */
function initializePower(context: FirmwareContext): void {
  const devfn = devfnOf(pciIds.powerManagement);
  if (readPci(context, devfn, 0, 2) === 0xffff) return;
  writePci(context, devfn, 0x40, pmBase | 1, 4);
  writePci(context, devfn, 0x80, readPci(context, devfn, 0x80, 1) | 1, 1);
  const control = pmBase + pmBlocks.control;
  context.writePort(control, context.readPort(control, 2) | 1, 2);
}

/** A port whose scratch register keeps what is written is there. */
function detectSerialPorts(context: FirmwareContext): void {
  const memory = context.physical;
  let count = 0;
  for (const base of [0x3f8, 0x2f8, 0x3e8, 0x2e8]) {
    context.writePort(base + 7, 0x5a, 1);
    if (context.readPort(base + 7, 1) !== 0x5a) continue;
    memory.write16(bda.serialPorts + count * 2, base);
    count++;
  }
  memory.write16(bda.equipment, memory.read16(bda.equipment) | (count << 9));
}
