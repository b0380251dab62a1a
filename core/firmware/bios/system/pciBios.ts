// INT 1Ah AH=B1h and the 32-bit entry: PCI BIOS Specification 2.1.
import { pirqIrqs } from '../../board.ts';
import { pirqSlots } from '../../rom/pirqTable.ts';
import type { FirmwareContext } from '../context.ts';
import type { Registers } from '../registers.ts';

const addressPort = 0xcf8;
const dataPort = 0xcfc;

const status = { ok: 0x00, unsupported: 0x81, badVendor: 0x83, notFound: 0x86, badRegister: 0x87, small: 0x89 } as const;

/** Bus 0 only. `devfn` is device * 8 + function. */
function select(context: FirmwareContext, devfn: number, register: number): void {
  context.writePort(addressPort, (0x8000_0000 | (devfn << 8) | (register & 0xfc)) >>> 0, 4);
}

export function readPci(context: FirmwareContext, devfn: number, register: number, size: 1 | 2 | 4): number {
  select(context, devfn, register);
  return context.readPort(dataPort + (register & 3), size);
}

export function writePci(context: FirmwareContext, devfn: number, register: number, value: number, size: 1 | 2 | 4): void {
  select(context, devfn, register);
  context.writePort(dataPort + (register & 3), value, size);
}

/** All functions present on bus 0, in order. */
export function pciFunctions(context: FirmwareContext): number[] {
  const found: number[] = [];
  for (let device = 0; device < 32; device++) {
    if (readPci(context, device << 3, 0, 2) === 0xffff) continue;
    const functions = readPci(context, device << 3, 0x0e, 1) & 0x80 ? 8 : 1;
    for (let index = 0; index < functions; index++) {
      const devfn = (device << 3) | index;
      if (readPci(context, devfn, 0, 2) !== 0xffff) found.push(devfn);
    }
  }
  return found;
}

export function pciService(registers: Registers, setCarry: (value: boolean) => void): void {
  const code = dispatch(registers);
  registers.ah = code;
  setCarry(code !== status.ok);
}

function dispatch(registers: Registers): number {
  const { context } = registers;
  switch (registers.al & 0x7f) {
    case 0x01:
      registers.edx = 0x2049_4350;
      registers.al = 0x01;
      registers.bx = 0x0210;
      registers.cl = 0;
      return status.ok;
    case 0x02: return findDevice(registers);
    case 0x03: return findClass(registers);
    case 0x08: case 0x09: case 0x0a: case 0x0b: case 0x0c: case 0x0d:
      return configuration(registers);
    case 0x0e: return routingOptions(registers);
    case 0x0f: return setRouting(context, registers);
    default: return status.unsupported;
  }
}

function findDevice(registers: Registers): number {
  if (registers.dx === 0xffff) return status.badVendor;
  const wanted = ((registers.cx << 16) | registers.dx) >>> 0;
  return findNth(registers, (devfn) => readPci(registers.context, devfn, 0, 4) === wanted);
}

function findClass(registers: Registers): number {
  const wanted = registers.ecx & 0xff_ffff;
  return findNth(registers, (devfn) => readPci(registers.context, devfn, 8, 4) >>> 8 === wanted);
}

function findNth(registers: Registers, matches: (devfn: number) => boolean): number {
  const found = pciFunctions(registers.context).filter(matches)[registers.si];
  if (found === undefined) return status.notFound;
  registers.bx = found;
  return status.ok;
}

/** AL=08h-0Ah read, 0Bh-0Dh write; BH bus, BL devfn, DI register. */
function configuration(registers: Registers): number {
  const { context, bl } = registers;
  const operation = (registers.al & 0x7f) - 8;
  const size = ([1, 2, 4] as const)[operation % 3];
  const register = registers.di;
  if (register > 0xff || register % size !== 0) return status.badRegister;
  const present = registers.bh === 0;
  if (operation < 3) {
    const value = present ? readPci(context, bl, register, size) : 0xffff_ffff;
    if (size === 1) registers.cl = value;
    else if (size === 2) registers.cx = value;
    else registers.ecx = value;
  } else if (present) {
    writePci(context, bl, register, size === 1 ? registers.cl : size === 2 ? registers.cx : registers.ecx, size);
  }
  return status.ok;
}

/** AL=0Eh: ES:(E)DI points to {length, far pointer to the buffer}. */
function routingOptions(registers: Registers): number {
  const { context } = registers;
  const memory = context.linear;
  const wide = context.protectedMode;
  const header = (registers.esBase + (wide ? registers.edi : registers.di)) >>> 0;
  const table = pirqSlots();
  const room = memory.read16(header);
  memory.write16(header, table.length);
  registers.bx = pirqIrqs.reduce<number>((mask, irq) => mask | (1 << irq), 0);
  if (room < table.length) return status.small;
  // A 32-bit caller gives offset and selector; its selectors are flat in practice, as ES is.
  const buffer = wide
    ? registers.esBase + memory.read32(header + 2)
    : memory.read16(header + 4) * 16 + memory.read16(header + 2);
  memory.write(buffer >>> 0, table);
  return status.ok;
}

/** AL=0Fh: CH IRQ, CL pin (0Ah-0Dh), BX bus and devfn. */
function setRouting(context: FirmwareContext, registers: Registers): number {
  const pin = registers.cl - 0x0a;
  if (pin < 0 || pin > 3 || registers.bh !== 0) return status.unsupported;
  const link = ((registers.bl >> 3) - 1 + pin) & 3;
  writePci(context, 1 << 3, 0x60 + link, registers.ch & 15, 1);
  return status.ok;
}
