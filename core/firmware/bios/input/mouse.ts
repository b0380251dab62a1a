// INT 15h AH=C2h and IRQ 12: pointing device (IBM PS/2 BIOS Interface Technical Reference).
import { ebda } from '../biosData.ts';
import type { FirmwareContext } from '../context.ts';
import type { Registers } from '../registers.ts';

const dataPort = 0x60;
const commandPort = 0x64;
const acknowledge = 0xfa;
const rates = [10, 20, 40, 60, 80, 100, 200];

/** INT 15h AH=C2h status codes. */
const status = { ok: 0, invalidFunction: 1, invalidInput: 2, interfaceError: 3, noHandler: 5 } as const;

export function mouseService(registers: Registers): void {
  const code = dispatch(registers);
  registers.ah = code;
  registers.carry = code !== status.ok;
}

function dispatch(registers: Registers): number {
  const { context, bh } = registers;
  const memory = context.physical;
  switch (registers.al) {
    case 0x00:
      if (bh > 1) return status.invalidInput;
      if (bh === 1 && (memory.read8(ebda.mouseFlags2) & 0x80) === 0) return status.noHandler;
      return enable(context, bh === 1);
    case 0x01: {
      const answer = send(context, [0xff], 2);
      if (!answer) return status.interfaceError;
      registers.bx = (answer[1] << 8) | answer[0];
      return status.ok;
    }
    case 0x02:
      return bh < rates.length ? outcome(send(context, [0xf3, rates[bh]], 0)) : status.invalidInput;
    case 0x03:
      return bh < 4 ? outcome(send(context, [0xe8, bh], 0)) : status.invalidInput;
    case 0x04: {
      const answer = send(context, [0xf2], 1);
      if (!answer) return status.interfaceError;
      registers.bh = answer[0];
      return status.ok;
    }
    case 0x05: {
      if (bh < 1 || bh > 8) return status.invalidInput;
      memory.write8(ebda.mouseFlags1, 0);
      memory.write8(ebda.mouseFlags2, (memory.read8(ebda.mouseFlags2) & 0x80) | (bh - 1));
      return outcome(send(context, [0xff], 2));
    }
    case 0x06:
      return extended(registers);
    case 0x07: {
      const pointer = (registers.es << 16) | registers.bx;
      memory.write32(ebda.mouseHandler, pointer >>> 0);
      const flags = memory.read8(ebda.mouseFlags2);
      memory.write8(ebda.mouseFlags2, pointer === 0 ? flags & 0x7f : flags | 0x80);
      return status.ok;
    }
    default:
      return status.invalidFunction;
  }
}

function extended(registers: Registers): number {
  const { context, bh } = registers;
  if (bh === 1 || bh === 2) return outcome(send(context, [bh === 1 ? 0xe6 : 0xe7], 0));
  if (bh !== 0) return status.invalidInput;
  const answer = send(context, [0xe9], 3);
  if (!answer) return status.interfaceError;
  registers.bl = answer[0];
  registers.cl = answer[1];
  registers.dl = answer[2];
  return status.ok;
}

const outcome = (answer: number[] | null): number => (answer ? status.ok : status.interfaceError);

/** Auxiliary interface and IRQ 12 on or off, then the device's own reporting. */
function enable(context: FirmwareContext, on: boolean): number {
  context.physical.write8(ebda.mouseFlags1, 0);
  const answer = send(context, [on ? 0xf4 : 0xf5], 0);
  setAuxiliaryInterrupt(context, on);
  return outcome(answer);
}

function setAuxiliaryInterrupt(context: FirmwareContext, on: boolean): void {
  context.writePort(commandPort, 0x20, 1);
  const configuration = readByte(context) ?? 0x45;
  context.writePort(commandPort, 0x60, 1);
  context.writePort(dataPort, on ? (configuration & ~0x20) | 2 : configuration & ~2, 1);
  const mask = context.readPort(0xa1, 1);
  context.writePort(0xa1, on ? mask & ~0x10 : mask | 0x10, 1);
  if (on) context.writePort(0x21, context.readPort(0x21, 1) & ~4, 1);
}

/** Sends bytes to the mouse and collects `length` answer bytes after the last acknowledgement. */
function send(context: FirmwareContext, bytes: readonly number[], length: number): number[] | null {
  // Silence IRQ 1 and 12 and the keyboard while answers are read here.
  context.writePort(commandPort, 0x20, 1);
  const configuration = readByte(context) ?? 0x45;
  context.writePort(commandPort, 0x60, 1);
  context.writePort(dataPort, (configuration & ~0x23) | 0x10, 1);
  let answer: number[] | null = [];
  for (const byte of bytes) {
    context.writePort(commandPort, 0xd4, 1);
    context.writePort(dataPort, byte, 1);
    if (readByte(context) !== acknowledge) answer = null;
  }
  for (let index = 0; answer && index < length; index++) {
    const byte = readByte(context);
    if (byte === null) answer = null;
    else answer.push(byte);
  }
  context.writePort(commandPort, 0x60, 1);
  context.writePort(dataPort, configuration, 1);
  return answer;
}

function readByte(context: FirmwareContext): number | null {
  for (let attempt = 0; attempt < 1000; attempt++) {
    if (context.readPort(commandPort, 1) & 1) return context.readPort(dataPort, 1);
  }
  return null;
}

/** IRQ 12: true when a packet is complete and its handler must be called with the registers set here. */
export function mouseInterrupt(registers: Registers): boolean {
  const { context } = registers;
  const memory = context.physical;
  if ((context.readPort(commandPort, 1) & 0x21) !== 0x21) return false;
  const byte = context.readPort(dataPort, 1);
  const flags2 = memory.read8(ebda.mouseFlags2);
  if ((flags2 & 0x80) === 0) return false;
  const count = memory.read8(ebda.mouseFlags1) & 7;
  memory.write8(ebda.mousePacket + count, byte);
  if (count < (flags2 & 7)) {
    memory.write8(ebda.mouseFlags1, count + 1);
    return false;
  }
  memory.write8(ebda.mouseFlags1, 0);
  const handler = memory.read32(ebda.mouseHandler);
  registers.ax = memory.read8(ebda.mousePacket);
  registers.bx = memory.read8(ebda.mousePacket + 1);
  registers.cx = memory.read8(ebda.mousePacket + 2);
  registers.si = handler & 0xffff;
  registers.di = handler >>> 16;
  return true;
}
