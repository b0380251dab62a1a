// The board's namespace: PCI bus with interrupt routing, legacy devices, soft off.
import {
  hpetBase, ioApicBase, localApicBase, pciMemoryEnd, pirqInput, pirqOf, softOffSleepType,
} from '../board.ts';
import {
  argument0, device, eisaId, fixedMemory, ifTrue, integer, ioPort, irq, memoryRange, method, name, nameString, packageOf, processor,
  resources, returned, scope, store, wordRange,
} from './aml.ts';
import type { Aml } from './aml.ts';

export interface DsdtOptions {
  readonly apic: boolean;
  readonly pmBase: number;
  /** What the PIRQ routing registers are set to. */
  readonly pirqIrqs: readonly number[];
  /** From here up to the I/O APIC lies PCI memory. */
  readonly pciMemoryBase: number;
}

const hardware = (id: string): Aml => name('_HID', eisaId(id));
const settings = (...descriptors: Aml[]): Aml => name('_CRS', resources(...descriptors));

/** Every device and pin of bus 0, hard-wired to an interrupt line or I/O APIC input, by PIRQ (6.2.8). */
function interruptRouting(lines: readonly number[]): Aml {
  const entries: Aml[] = [];
  for (let slot = 1; slot < 32; slot++) {
    for (let pin = 0; pin < 4; pin++) {
      const line = lines[pirqOf(slot, pin)]!;
      entries.push(packageOf(integer(((slot << 16) | 0xffff) >>> 0), integer(pin), integer(0), integer(line)));
    }
  }
  return packageOf(...entries);
}

/** The system says by _PIC whether it uses the 8259s or the I/O APIC (5.8.1). */
function interruptRoutings({ apic, pirqIrqs }: DsdtOptions): Aml[] {
  const pic = interruptRouting(pirqIrqs);
  if (!apic) return [name('_PRT', pic)];
  const inputs = [0, 1, 2, 3].map((pirq) => pirqInput + pirq);
  return [
    name('PRTP', pic),
    name('PRTA', interruptRouting(inputs)),
    method('_PRT', 0, ifTrue(nameString('\\PICF'), returned(nameString('PRTA'))), returned(nameString('PRTP'))),
  ];
}

function serialPort(path: string, unit: number, base: number, line: number): Aml {
  return device(path, hardware('PNP0501'), name('_UID', integer(unit)), settings(ioPort(base, 8), irq(line)));
}

/** Devices behind the PIIX3's ISA bridge. */
function isaBridge({ apic, pmBase }: DsdtOptions): Aml {
  return device(
    'ISA',
    name('_ADR', integer(0x0001_0000)),
    device('PIC', hardware('PNP0000'), settings(ioPort(0x20, 2), ioPort(0xa0, 2), irq(2))),
    device('TIMR', hardware('PNP0100'), settings(ioPort(0x40, 4), irq(0))),
    device('RTC', hardware('PNP0B00'), settings(ioPort(0x70, 2), irq(8))),
    device('KBD', hardware('PNP0303'), settings(ioPort(0x60, 1), ioPort(0x64, 1), irq(1))),
    device('MOU', hardware('PNP0F13'), settings(irq(12))),
    device('FPU', hardware('PNP0C04'), settings(ioPort(0xf0, 16), irq(13))),
    device('SPKR', hardware('PNP0800'), settings(ioPort(0x61, 1))),
    serialPort('COM1', 1, 0x3f8, 4),
    serialPort('COM2', 2, 0x2f8, 3),
    ...(apic ? [device('HPET', hardware('PNP0103'), settings(fixedMemory(hpetBase, 0x400)))] : []),
    device(
      'RSRC',
      hardware('PNP0C02'),
      settings(
        ioPort(pmBase, 0x40),
        ioPort(0x92, 1),
        ioPort(0xb2, 2),
        ioPort(0x4d0, 2),
        ...(apic ? [fixedMemory(ioApicBase, 0x1000), fixedMemory(localApicBase, 0x1000)] : []),
      ),
    ),
  );
}

function pciBus(options: DsdtOptions): Aml {
  const { pciMemoryBase } = options;
  return device(
    'PCI0',
    hardware('PNP0A03'),
    name('_UID', integer(0)),
    settings(
      wordRange(2, { first: 0, last: 0xff }),
      ioPort(0xcf8, 8),
      wordRange(1, { first: 0x0000, last: 0x0cf7 }),
      wordRange(1, { first: 0x0d00, last: 0xffff }),
      memoryRange({ first: 0xa_0000, last: 0xb_ffff }, true),
      memoryRange({ first: pciMemoryBase, last: pciMemoryEnd - 1 }, false),
    ),
    ...interruptRoutings(options),
    isaBridge(options),
  );
}

export function dsdtBody(options: DsdtOptions): Uint8Array {
  const sleep = name('\\_S5', packageOf(...[softOffSleepType, softOffSleepType, 0, 0].map(integer)));
  const modes = [
    ...name('PICF', integer(0)),
    ...method('\\_PIC', 1, store(argument0, nameString('\\PICF'))),
    ...scope('\\_PR', processor('CPU0', 0)),
  ];
  return Uint8Array.from([...(options.apic ? modes : []), ...scope('\\_SB', pciBus(options)), ...sleep]);
}
