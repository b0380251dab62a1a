// INT 1Ah and IRQ 8: time of day (IBM PC/AT Technical Reference; MC146818 data sheet).
import { bda } from '../biosData.ts';
import type { FirmwareContext } from '../context.ts';
import type { Registers } from '../registers.ts';
import { pciService } from './pciBios.ts';

/** MC146818 registers. */
const rtc = { seconds: 0, secondsAlarm: 1, minutes: 2, minutesAlarm: 3, hours: 4, hoursAlarm: 5, day: 7, month: 8, year: 9, a: 10, b: 11, c: 12, century: 0x32 } as const;

export function readCmos(context: FirmwareContext, register: number): number {
  context.writePort(0x70, register, 1);
  return context.readPort(0x71, 1);
}

export function writeCmos(context: FirmwareContext, register: number, value: number): void {
  context.writePort(0x70, register, 1);
  context.writePort(0x71, value, 1);
}

const fromBcd = (value: number): number => (value >> 4) * 10 + (value & 15);

/** Ticks since midnight by the RTC: 1193182 / 65536 a second. */
export function ticksOfDay(context: FirmwareContext): number {
  const seconds =
    (fromBcd(readCmos(context, rtc.hours) & 0x3f) * 60 + fromBcd(readCmos(context, rtc.minutes))) * 60 +
    fromBcd(readCmos(context, rtc.seconds));
  return Math.floor((seconds * 1193182) / 65536) % 0x1800b0;
}

export function timeService(registers: Registers): void {
  const { context } = registers;
  const memory = context.physical;
  if (registers.ah === 0xb1) {
    return pciService(registers, (value) => {
      registers.carry = value;
    });
  }
  registers.carry = false;
  switch (registers.ah) {
    case 0x00:
      registers.cx = memory.read16(bda.ticks + 2);
      registers.dx = memory.read16(bda.ticks);
      registers.al = memory.read8(bda.midnight);
      memory.write8(bda.midnight, 0);
      return;
    case 0x01:
      memory.write16(bda.ticks, registers.dx);
      memory.write16(bda.ticks + 2, registers.cx);
      memory.write8(bda.midnight, 0);
      return;
    case 0x02:
      registers.ch = readCmos(context, rtc.hours);
      registers.cl = readCmos(context, rtc.minutes);
      registers.dh = readCmos(context, rtc.seconds);
      registers.dl = readCmos(context, rtc.b) & 1;
      return;
    case 0x03:
      setWhileHalted(context, [[rtc.hours, registers.ch], [rtc.minutes, registers.cl], [rtc.seconds, registers.dh]]);
      return writeCmos(context, rtc.b, (readCmos(context, rtc.b) & 0x62) | 0x02 | (registers.dl & 1));
    case 0x04:
      registers.ch = readCmos(context, rtc.century);
      registers.cl = readCmos(context, rtc.year);
      registers.dh = readCmos(context, rtc.month);
      registers.dl = readCmos(context, rtc.day);
      return;
    case 0x05:
      return setWhileHalted(context, [
        [rtc.century, registers.ch], [rtc.year, registers.cl], [rtc.month, registers.dh], [rtc.day, registers.dl],
      ]);
    case 0x06: return setAlarm(registers);
    case 0x07:
      return writeCmos(context, rtc.b, readCmos(context, rtc.b) & ~0x20);
    default:
      registers.ah = 0x86;
      registers.carry = true;
  }
}

function setWhileHalted(context: FirmwareContext, values: readonly (readonly [number, number])[]): void {
  const control = readCmos(context, rtc.b);
  writeCmos(context, rtc.b, control | 0x80);
  for (const [register, value] of values) writeCmos(context, register, value);
  writeCmos(context, rtc.b, control & 0x7f);
}

function setAlarm(registers: Registers): void {
  const { context } = registers;
  const control = readCmos(context, rtc.b);
  if (control & 0x20) {
    registers.carry = true;
    return;
  }
  writeCmos(context, rtc.hoursAlarm, registers.ch);
  writeCmos(context, rtc.minutesAlarm, registers.cl);
  writeCmos(context, rtc.secondsAlarm, registers.dh);
  writeCmos(context, rtc.b, control | 0x20);
  context.writePort(0xa1, context.readPort(0xa1, 1) & ~1, 1);
  context.writePort(0x21, context.readPort(0x21, 1) & ~4, 1);
}

/** IRQ 8: true if the alarm rang (INT 4Ah). */
export function rtcInterrupt(registers: Registers): boolean {
  return (readCmos(registers.context, rtc.c) & 0x20) !== 0;
}
