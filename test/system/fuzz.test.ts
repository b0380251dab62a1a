// Random bytes as code in every mode: the CPU never throws, never hangs, never leaves its state invalid.
import { describe, expect, it } from 'vitest';
import type { Cpu } from '../../core/cpu/cpu.ts';
import { CODE_MODE, CS, DS, EFER, ES, FIELD, FLAG, FS, GS, SEGMENT, SS, TR } from '../../core/cpu/state/layout.ts';
import { deliverExternal } from '../../core/cpu/system/interrupts.ts';
import { Random } from '../oracle/forms.ts';
import { bareCpu } from './systemHarness.ts';

/** FUZZ_SECONDS: for each mode, where a longer run is wanted. */
const SECONDS_PER_MODE = Number(process.env.FUZZ_SECONDS ?? 7.5);
const CODE = 0x10000, CODE_BYTES = 0x3000;
const GDT = 0x1000, IDT = 0x2000, TSS = 0x3000, DIRECTORY = 0x4000, TABLE = 0x5000;
const PML4 = 0x6000, POINTERS = 0x7000, WIDE_DIRECTORY = 0xa000, WIDE_TABLE = 0xb000, IDT64 = 0xc000;
const SLICE = 200, SLICES = 6;
/** A slice ends at a taken branch or where execution runs on into another page. */
const SLICE_SLACK = 2 * 4096;
const MODES_OF_CODE: readonly number[] = [CODE_MODE.code16, CODE_MODE.code32, CODE_MODE.flat32, CODE_MODE.code64];

const MODES = [
  'real', 'protected 16-bit', 'protected 32-bit', 'user with paging', 'virtual-8086', '64-bit', '64-bit user', 'compatibility',
] as const;
type Mode = (typeof MODES)[number];
const LONG: readonly Mode[] = ['64-bit', '64-bit user', 'compatibility'];

/** Opcodes that random bytes rarely combine: prefixes, two-byte opcodes, far transfers, system instructions. */
const SPICE: readonly (readonly number[])[] = [
  [0x66], [0x67], [0xf3], [0xf2], [0xf0], [0x2e], [0x0f], [0x0f, 0x01], [0x0f, 0x00], [0x0f, 0x20], [0x0f, 0x22], [0x0f, 0x23],
  [0xf3, 0xa4], [0xf3, 0xab], [0xf2, 0xae], [0x9d], [0xcf], [0xcb], [0x8e], [0xc8], [0xcd], [0xff], [0xd9], [0xdd], [0xdb], [0x0f, 0xae],
  [0x0f, 0xc7], [0x0f, 0x30], [0x0f, 0x34], [0x0f, 0x35], [0xf4], [0xe8, 0, 0], [0xeb, 0xfe], [0xe2, 0xf0], [0x6c], [0xf3, 0x6f],
  [0x48], [0x41], [0x4c], [0x0f, 0x38], [0x0f, 0x3a], [0xc4, 0xe2], [0xc5], [0x0f, 0x05], [0x48, 0x0f, 0x07], [0x0f, 0x01, 0xf8], [0x48, 0xcf],
  [0x48, 0xf7], [0x66, 0x0f], [0xf2, 0x0f], [0xf3, 0x0f], [0x48, 0xb8], [0x48, 0xff], [0x65, 0x48], [0x0f, 0x01, 0xcb], [0x66, 0x0f, 0x38],
];

function writeDescriptor(cpu: Cpu, table: number, index: number, low: number, high: number): void {
  cpu.view.setUint32(cpu.map.ram + table + index * 8, low >>> 0, true);
  cpu.view.setUint32(cpu.map.ram + table + index * 8 + 4, high >>> 0, true);
}

/** Memory: random code; tables that are mostly sensible, so that execution gets somewhere. */
function fillMemory(cpu: Cpu, random: Random): void {
  const { ram } = cpu.map;
  for (let at = 0; at < CODE_BYTES; ) {
    const bytes = random.below(4) === 0 ? random.pick(SPICE) : [random.next() & 0xff];
    for (const byte of bytes) if (at < CODE_BYTES) cpu.u8[ram + CODE + at++] = byte;
  }
  const code = 0x00cf9b00, data = 0x00cf9300;
  const common = [[0, 0], [0xffff, code], [0xffff, data], [0xffff, code | 0x6000], [0xffff, data | 0x6000], [TSS << 16 | 0x67, 0x8900],
    [0xffff, 0x009b00], [0xffff, 0x009300], [CODE, 0x0008 << 16 | 0xec00]];
  common.push([0xffff, 0x00af9b00], [0xffff, 0x00affb00], [TSS << 16 | 0x67, 0x8900], [0, 0], [CODE, 0x48 << 16 | 0xec00], [0, 0]);
  common.forEach(([low, high], index) => writeDescriptor(cpu, GDT, index, low, high));
  for (let index = common.length; index < 64; index++) writeDescriptor(cpu, GDT, index, random.next(), random.next() | 0x8000);
  for (let vector = 0; vector < 256; vector++) {
    const offset = CODE + random.below(CODE_BYTES);
    if (random.below(8) === 0) writeDescriptor(cpu, IDT, vector, random.next(), random.next());
    else writeDescriptor(cpu, IDT, vector, (8 << 16) | (offset & 0xffff), (offset & 0xffff0000) | 0xee00 | (random.below(2) << 8));
    cpu.view.setUint32(ram + vector * 4, ((CODE >>> 4) << 16) | random.below(CODE_BYTES), true);
  }
  for (let at = 0; at < 0x80; at += 4) cpu.view.setUint32(ram + TSS + at, random.below(3) === 0 ? random.next() : at === 8 ? 0x10 : 0x9000, true);
  cpu.view.setUint32(ram + DIRECTORY, TABLE | 7, true);
  for (let page = 0; page < 1024; page++) {
    const rights = random.below(16) === 0 ? random.below(8) : 7;
    cpu.view.setUint32(ram + TABLE + page * 4, (random.below(16) === 0 ? random.below(1024) << 12 : page << 12) | rights, true);
  }
  const entry = (table: number, index: number, low: number, high = 0): void => writeDescriptor(cpu, table, index, low, high);
  entry(PML4, 0, POINTERS | 7);
  entry(PML4, 511, POINTERS | 7);
  entry(POINTERS, 0, WIDE_DIRECTORY | 7);
  entry(POINTERS, 510, WIDE_DIRECTORY | 7);
  entry(POINTERS, 1, 0x87);
  for (let index = 0; index < 512; index++) entry(WIDE_DIRECTORY, index, (index << 21) % 0x1000000 | 0x87);
  entry(WIDE_DIRECTORY, 0, WIDE_TABLE | 7);
  for (let page = 0; page < 512; page++) {
    const odd = random.below(16) === 0;
    entry(WIDE_TABLE, page, (page << 12) | (odd ? random.below(8) : 7), odd && random.below(2) === 0 ? random.next() : 0);
  }
  for (let vector = 0; vector < 256; vector++) {
    const offset = CODE + random.below(CODE_BYTES), high = random.below(4) === 0 ? -1 : 0;
    entry(IDT64, vector * 2, (0x48 << 16) | (offset & 0xffff), (high === 0 ? offset & 0xffff0000 : 0x80000000 | offset & 0xffff0000) | 0xee00 | random.below(8));
    entry(IDT64, vector * 2 + 1, high, 0);
  }
  cpu.code.written(0, 0x400000);
}

function enter(cpu: Cpu, mode: Mode, random: Random): void {
  cpu.reset();
  cpu.shutdownDetail = '';
  for (let register = 0; register < 8; register++) cpu.setReg32(register, random.below(2) === 0 ? random.below(0x20000) : random.next());
  cpu.setReg32(4, 0x8ff0);
  cpu.setWide(FIELD.gdtrBase, GDT);
  cpu.set32(FIELD.gdtrLimit, 0x1ff);
  if (LONG.includes(mode)) {
    enterLong(cpu, mode, random);
    return;
  }
  const isProtected = mode !== 'real';
  cpu.setWide(FIELD.idtrBase, isProtected ? IDT : 0);
  cpu.set32(FIELD.idtrLimit, isProtected ? 0x7ff : 0x3ff);
  cpu.setSegment(TR, 0x28, TSS, 0x67, 0x8b);
  cpu.rip = CODE + random.below(CODE_BYTES);
  if (isProtected) cpu.set32(FIELD.cr0, mode === 'user with paging' ? 0x80000011 : 0x11);
  cpu.setWide(FIELD.cr3, DIRECTORY);
  cpu.flushTlb(false);
  const dataSegments = [ES, SS, DS, FS, GS];
  if (mode === 'real' || mode === 'virtual-8086') {
    if (mode === 'virtual-8086') {
      cpu.set32(FIELD.eflags, FLAG.VM | 2 | (random.below(2) === 0 ? FLAG.IOPL : 0));
      cpu.setCpl(3);
    }
    const rights = mode === 'real' ? 0x93 : 0xf3;
    cpu.setSegment(CS, CODE >>> 4, CODE, 0xffff, rights);
    for (const segment of dataSegments) cpu.setSegment(segment, 0, 0, 0xffff, rights);
    cpu.rip = random.below(CODE_BYTES);
    return;
  }
  const wide = mode !== 'protected 16-bit', user = mode === 'user with paging';
  const level = user ? 0x60 : 0;
  if (user) cpu.setCpl(3);
  cpu.setSegment(CS, user ? 0x1b : wide ? 8 : 0x30, wide ? 0 : CODE, wide ? 0xffffffff : 0xffff, (wide ? 0xc09b : 0x9b) | level);
  for (const segment of dataSegments) {
    cpu.setSegment(segment, user ? 0x23 : wide ? 0x10 : 0x38, 0, wide ? 0xffffffff : 0xffff, (wide ? 0xc093 : 0x93) | level);
  }
  if (!wide) cpu.rip = random.below(CODE_BYTES);
}

function enterLong(cpu: Cpu, mode: Mode, random: Random): void {
  cpu.setWide(FIELD.idtrBase, IDT64);
  cpu.set32(FIELD.idtrLimit, 0xfff);
  cpu.setSegment(TR, 0x58, TSS, 0x67, 0x8b);
  cpu.setWide(FIELD.cr3, PML4);
  cpu.set32(FIELD.cr4, 0x6b0 | (random.below(2) === 0 ? 0x310000 : 0));
  cpu.set32(FIELD.efer, EFER.SCE | EFER.LME | EFER.LMA | EFER.NXE);
  cpu.set32(FIELD.cr0, 0x80010011);
  cpu.setWide(FIELD.lstar, CODE);
  cpu.setWideSigned(FIELD.star, 0x0048_0000 * 2 ** 16);
  const user = mode === '64-bit user', level = user ? 0x60 : 0;
  cpu.setCpl(user ? 3 : 0);
  if (mode === 'compatibility') cpu.setSegment(CS, 8, 0, 0xffffffff, 0xc09b);
  else cpu.setSegment(CS, user ? 0x53 : 0x48, 0, 0xffffffff, 0xa09b | level);
  for (const segment of [ES, SS, DS, FS, GS]) cpu.setSegment(segment, user ? 0x23 : 0x10, 0, 0xffffffff, 0xc093 | level);
  cpu.rip = CODE + random.below(CODE_BYTES) - (mode !== 'compatibility' && random.below(2) === 0 ? 0x80000000 : 0);
  for (let register = 8; register < 16; register++) cpu.setReg32(register, random.next());
  cpu.flushTlb(false);
}

function checkState(cpu: Cpu, what: string): void {
  expect([0, 1, 2, 3], what).toContain(cpu.cpl);
  expect(MODES_OF_CODE, what).toContain(cpu.get32(FIELD.codeMode));
  if (!cpu.isLong) expect(cpu.get32(FIELD.rip + 4), what).toBe(0);
  expect(Math.abs(cpu.rip), what).toBeLessThanOrEqual(2 ** 47);
  for (let segment = 0; segment < 6; segment++) {
    expect(cpu.segmentField(segment, SEGMENT.selector) >>> 16, what).toBe(0);
  }
}

describe('random bytes as code', () => {
  const cpu = bareCpu('max', { portRead: () => 0x55, timestamp: () => cpu.instructionCount, acknowledgeInterrupt: () => 0x21 });

  it.each(MODES)('%s', (mode) => {
    const end = Date.now() + SECONDS_PER_MODE * 1000;
    let executed = 0;
    for (let seed = 1; Date.now() < end; seed++) {
      const random = new Random(seed * 0x9e3779b1);
      if (seed % 20 === 1) fillMemory(cpu, random);
      enter(cpu, mode, random);
      const what = `${mode}, seed ${seed}`;
      for (let slice = 0; slice < SLICES && cpu.activity === 'running'; slice++) {
        const before = cpu.instructionCount;
        try {
          if (random.below(4) === 0) cpu.setInterruptLine(random.below(2) === 0);
          if (cpu.canTakeInterrupt) deliverExternal(cpu, 0x21);
          else cpu.run(SLICE);
        } catch (error) {
          throw new Error(`${what}: ${error instanceof Error ? error.stack : String(error)}`);
        }
        const ran = cpu.instructionCount - before;
        expect(ran, what).toBeLessThanOrEqual(SLICE + SLICE_SLACK);
        executed += ran;
      }
      checkState(cpu, what);
    }
    console.info(`${mode}: ${(executed / 1e6).toFixed(2)} M instructions`);
    expect(executed).toBeGreaterThan(1000);
  });
});
