// INT 15h: system services (IBM PC/AT and PS/2 BIOS; ACPI 2.0 15.1 for E820h).
import { extendedMemoryBytes, memoryMap } from '../../memoryMap.ts';
import { romOffsets } from '../../rom/romLayout.ts';
import { bda } from '../biosData.ts';
import { mouseService } from '../input/mouse.ts';
import type { Registers } from '../registers.ts';
import type { ServiceResult } from '../services.ts';

const unsupported = 0x86;
const mapSignature = 0x534d_4150;
/** Longer waits sleep between timer ticks. */
const sleepNs = 60_000_000;

export interface SystemState {
  readonly memoryBytes: number;
  /** Guest time at which INT 15h AH=86h ends; null: none waits. */
  waitUntilNs: number | null;
}

export function systemService(registers: Registers, state: SystemState): ServiceResult {
  switch (registers.ah) {
    case 0x24: return done(a20Service(registers));
    // The key goes on unchanged: CF stays as INT 09h set it.
    case 0x4f: return 'done';
    case 0x86: return wait(registers, state);
    case 0x87: return done(blockMove(registers));
    case 0x88:
      registers.ax = Math.min(Math.floor(extendedMemoryBytes(state.memoryBytes) / 1024), 0xfc00);
      return done(succeed(registers));
    case 0x90: case 0x91:
      registers.ah = 0;
      return done(succeed(registers));
    case 0xc0:
      registers.es = 0xf000;
      registers.bx = romOffsets.biosConfiguration;
      registers.ah = 0;
      return done(succeed(registers));
    case 0xc1:
      registers.es = registers.context.physical.read16(bda.ebdaSegment);
      return done(succeed(registers));
    case 0xc2: return done(mouseService(registers));
    case 0xe8: return done(memoryService(registers, state.memoryBytes));
    default: return done(fail(registers));
  }
}

const done = (_: void): ServiceResult => 'done';

function succeed(registers: Registers): void {
  registers.carry = false;
}

function fail(registers: Registers): void {
  registers.ah = unsupported;
  registers.carry = true;
}

/** AH=24h: A20 gate through port 92h. */
function a20Service(registers: Registers): void {
  const { context, al } = registers;
  if (al > 3) return fail(registers);
  const value = context.readPort(0x92, 1);
  if (al < 2) context.writePort(0x92, (value & ~0x03) | (al << 1), 1);
  if (al === 2) registers.al = (value >> 1) & 1;
  if (al === 3) registers.bx = 3;
  registers.ah = 0;
  succeed(registers);
}

/** AH=86h: CX:DX microseconds. */
function wait(registers: Registers, state: SystemState): ServiceResult {
  const now = registers.context.now();
  state.waitUntilNs ??= now + ((registers.cx << 16 >>> 0) + registers.dx) * 1000;
  const left = state.waitUntilNs - now;
  if (left > 0) return left > sleepNs ? 'sleep' : 'retry';
  state.waitUntilNs = null;
  registers.ah = 0;
  registers.carry = false;
  return 'done';
}

/** AH=87h: CX words between the two descriptors at ES:SI+10h and +18h. */
function blockMove(registers: Registers): void {
  const { context } = registers;
  const table = registers.esBase + registers.si;
  const base = (at: number): number =>
    ((context.linear.read16(at + 2) | (context.linear.read8(at + 4) << 16)) + context.linear.read8(at + 7) * 0x100_0000) >>> 0;
  const bytes = new Uint8Array(registers.cx * 2);
  context.physical.read(base(table + 0x10), bytes);
  context.physical.write(base(table + 0x18), bytes);
  registers.ah = 0;
  registers.zero = true;
  succeed(registers);
}

function memoryService(registers: Registers, memoryBytes: number): void {
  if (registers.al === 0x20) return systemMap(registers, memoryBytes);
  if (registers.al !== 0x01 && registers.al !== 0x81) return fail(registers);
  const extended = extendedMemoryBytes(memoryBytes);
  const low = Math.min(extended, 0xf0_0000) / 1024;
  const high = Math.max(0, extended - 0xf0_0000) / 0x1_0000;
  if (registers.al === 0x01) {
    registers.ax = low;
    registers.bx = high;
    registers.cx = low;
    registers.dx = high;
  } else {
    registers.eax = low;
    registers.ebx = high;
    registers.ecx = low;
    registers.edx = high;
  }
  succeed(registers);
}

/** AX=E820h: one range a call, EBX continues. */
function systemMap(registers: Registers, memoryBytes: number): void {
  const ranges = memoryMap(memoryBytes);
  const index = registers.ebx;
  if (registers.edx !== mapSignature || registers.ecx < 20 || index >= ranges.length) return fail(registers);
  const { base, length, kind } = ranges[index];
  const bytes = new Uint8Array(20);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(base), true);
  view.setBigUint64(8, BigInt(length), true);
  view.setUint32(16, kind, true);
  registers.context.linear.write((registers.esBase + registers.di) >>> 0, bytes);
  registers.eax = mapSignature;
  registers.ebx = index + 1 < ranges.length ? index + 1 : 0;
  registers.ecx = 20;
  succeed(registers);
}
