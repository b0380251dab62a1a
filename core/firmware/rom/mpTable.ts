// MultiProcessor Specification 1.4 tables, for systems that do not read ACPI: floating pointer (4.1) and configuration table.
import { ioApicBase, ioApicId, localApicBase, pirqInput, pirqOf, sciIrq, timerInput } from '../board.ts';
import { checksum } from './pirqTable.ts';

export interface MpOptions {
  /** CPUID.1:EAX and EDX. */
  readonly signature: number;
  readonly features: number;
}

const pointerBytes = 16;
const headerBytes = 44;
const buses = { pci: 0, isa: 1 } as const;
const interrupts = { vectored: 0, nmi: 1, external: 3 } as const;
/** Polarity and trigger mode (4.3.4): as the bus has it; active high and level; active low and level. */
const conforming = 0x00;
const activeHighLevel = 0x0d;
const activeLowLevel = 0x0f;

const word = (value: number): number[] => [value & 0xff, (value >> 8) & 0xff];
const double = (value: number): number[] => [...word(value & 0xffff), ...word(value >>> 16)];
const characters = (value: string, length: number): number[] =>
  [...value.padEnd(length)].map((character) => character.charCodeAt(0));

const ioInterrupt = (type: number, flags: number, bus: number, source: number, input: number): number[] => [
  3, type, ...word(flags), bus, source, ioApicId, input,
];

function entries({ signature, features }: MpOptions): number[][] {
  const list = [
    // Enabled, bootstrap processor.
    [0, 0, 0x14, 3, ...double(signature), ...double(features), ...double(0), ...double(0)],
    [1, buses.pci, ...characters('PCI', 6)],
    [1, buses.isa, ...characters('ISA', 6)],
    [2, ioApicId, 0x11, 1, ...double(ioApicBase)],
    ioInterrupt(interrupts.external, conforming, buses.isa, 0, 0),
  ];
  for (let irq = 0; irq < 16; irq++) {
    if (irq === 2) continue;
    const flags = irq === sciIrq ? activeHighLevel : conforming;
    list.push(ioInterrupt(interrupts.vectored, flags, buses.isa, irq, irq === 0 ? timerInput : irq));
  }
  for (let slot = 1; slot < 32; slot++) {
    for (let pin = 0; pin < 4; pin++) {
      list.push(ioInterrupt(interrupts.vectored, activeLowLevel, buses.pci, (slot << 2) | pin, pirqInput + pirqOf(slot, pin)));
    }
  }
  const local = (type: number, lint: number): number[] => [4, type, ...word(conforming), buses.isa, 0, 0xff, lint];
  list.push(local(interrupts.external, 0), local(interrupts.nmi, 1));
  return list;
}

/** Pointer and table for physical `address`, which is 16-byte aligned. Interrupts start in virtual wire mode: there is no IMCR. */
export function buildMpTables(address: number, options: MpOptions): Uint8Array {
  const list = entries(options);
  const content = list.flat();
  const table = Uint8Array.from([
    ...characters('PCMP', 4), ...word(headerBytes + content.length), 4, 0, ...characters('TRAPEZE', 8), ...characters('PC', 12),
    ...double(0), ...word(0), ...word(list.length), ...double(localApicBase), ...word(0), 0, 0, ...content,
  ]);
  table[7] = checksum(table);
  const pointer = Uint8Array.from([...characters('_MP_', 4), ...double(address + pointerBytes), 1, 4, 0, 0, 0, 0, 0, 0]);
  pointer[10] = checksum(pointer);
  const bytes = new Uint8Array(pointerBytes + table.length);
  bytes.set(pointer);
  bytes.set(table, pointerBytes);
  return bytes;
}
