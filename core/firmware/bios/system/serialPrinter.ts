// INT 14h serial port and INT 17h printer (IBM PC/AT Technical Reference).
import { bda } from '../biosData.ts';
import type { Registers } from '../registers.ts';

const divisors = [1047, 768, 384, 192, 96, 48, 24, 12];
/** Line status bits: data ready, transmitter empty; bit 7 of AH is the time-out. */
const dataReady = 0x01;
const transmitterEmpty = 0x20;
const timeout = 0x80;

export function serialService(registers: Registers): void {
  const { context } = registers;
  const base = registers.dx < 4 ? context.physical.read16(bda.serialPorts + registers.dx * 2) : 0;
  if (base === 0) {
    registers.ah = timeout;
    return;
  }
  const lineStatus = (): number => context.readPort(base + 5, 1);
  switch (registers.ah) {
    case 0x00: {
      const divisor = divisors[registers.al >> 5];
      context.writePort(base + 3, 0x80, 1);
      context.writePort(base, divisor & 0xff, 1);
      context.writePort(base + 1, divisor >> 8, 1);
      context.writePort(base + 3, registers.al & 0x1f, 1);
      context.writePort(base + 1, 0, 1);
      break;
    }
    case 0x01:
      context.writePort(base + 4, 3, 1);
      if (lineStatus() & transmitterEmpty) {
        context.writePort(base, registers.al, 1);
        registers.ah = lineStatus();
      } else {
        registers.ah = lineStatus() | timeout;
      }
      return;
    case 0x02:
      context.writePort(base + 4, 1, 1);
      if (lineStatus() & dataReady) {
        registers.ah = lineStatus() & 0x1e;
        registers.al = context.readPort(base, 1);
      } else {
        registers.ah = timeout;
      }
      return;
    case 0x03:
      break;
    default:
      return;
  }
  registers.ah = lineStatus();
  registers.al = context.readPort(base + 6, 1);
}

/** No printer is attached: time-out. */
export function printerService(registers: Registers): void {
  if (registers.ah <= 2) registers.ah = 0x01;
}
