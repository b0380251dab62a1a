// Faults and images of the x87 that user-mode silicon can't show (SDM 3A 2.5, 6.15; SDM 2A FXSAVE).
import { beforeEach, expect, test } from 'vitest';
import { FIELD } from '../../../core/cpu/state/layout.ts';
import { DATA, X87Machine } from '../../instructions/x87Machine.ts';

const FNINIT = [0xdb, 0xe3], FLD1 = [0xd9, 0xe8], FLDZ = [0xd9, 0xee], FDIVP = [0xde, 0xf9], WAIT = [0x9b], FNCLEX = [0xdb, 0xe2];
const FNSTSW_AX = [0xdf, 0xe0];
const address = (value: number): number[] => [value & 255, (value >> 8) & 255, value >> 16, 0];
const FLDCW = [0xd9, 0x2d, ...address(DATA)], FXSAVE = [0x0f, 0xae, 0x05, ...address(DATA + 0x200)];
const FXRSTOR = [0x0f, 0xae, 0x0d, ...address(DATA + 0x200)];
const NM = 7, MF = 16, GP = 13, UD = 6;

let machine: X87Machine;
beforeEach(() => {
  machine = new X87Machine();
  machine.write32(DATA, 0x37b);
});
const setCr0 = (value: number): void => machine.cpu.set32(FIELD.cr0, value);

test('an exception that is not masked faults at the next waiting instruction', () => {
  const divide = [...FNINIT, ...FLDCW, ...FLD1, ...FLDZ, ...FDIVP];
  expect(machine.run(divide)).toBe(-1);
  expect(machine.run(WAIT)).toBe(MF);
  expect(machine.run(FLD1)).toBe(MF);
  expect(machine.run(FNSTSW_AX)).toBe(-1);
  expect(machine.cpu.reg16(0) & 0x8084).toBe(0x8084);
  expect(machine.run([...FNCLEX, ...WAIT])).toBe(-1);
});

test('without CR0.NE the exception does not fault', () => {
  setCr0(0x11);
  expect(machine.run([...FNINIT, ...FLDCW, ...FLD1, ...FLDZ, ...FDIVP, ...WAIT, ...FLD1])).toBe(-1);
});

test('CR0.TS and CR0.EM raise #NM; WAIT obeys TS with MP', () => {
  setCr0(0x39);
  for (const code of [FLD1, FNINIT, FNSTSW_AX, FXSAVE, FXRSTOR, FDIVP]) expect(machine.run(code)).toBe(NM);
  expect(machine.run(WAIT)).toBe(-1);
  setCr0(0x3b);
  expect(machine.run(WAIT)).toBe(NM);
  setCr0(0x35);
  expect(machine.run(FLD1)).toBe(NM);
  expect(machine.run(WAIT)).toBe(-1);
});

test('FXSAVE and FXRSTOR carry the whole state and want alignment', () => {
  expect(machine.run([...FNINIT, ...FLD1, ...FLDZ, ...FXSAVE, ...FNINIT])).toBe(-1);
  expect(machine.read32(DATA + 0x200)).toBe(0x3000037f);
  expect(machine.read32(DATA + 0x204) & 0xffff).toBe(0xc0);
  expect(machine.read32(DATA + 0x204) >>> 16).toBe(0x1ee);
  expect(machine.read32(DATA + 0x200 + 48 + 8)).toBe(0x3fff);
  expect(machine.run([...FXRSTOR, ...FNSTSW_AX])).toBe(-1);
  expect(machine.cpu.reg16(0)).toBe(0x3000);
  expect(machine.cpu.get32(FIELD.fpTags)).toBe(0xc0);
  expect(machine.run([0x0f, 0xae, 0x05, ...address(DATA + 0x208)])).toBe(GP);
});

test('FXRSTOR refuses reserved MXCSR bits once the system uses them', () => {
  machine.run([...FNINIT, ...FXSAVE]);
  machine.write32(DATA + 0x218, 0x1f80 | 0x40);
  expect(machine.run(FXRSTOR)).toBe(-1);
  machine.cpu.set32(FIELD.cr4, 0x200);
  expect(machine.run(FXRSTOR)).toBe(GP);
});

test('FISTTP is undefined', () => {
  for (const opcode of [0xdb, 0xdd, 0xdf]) expect(machine.run([opcode, 0x0d, ...address(DATA)])).toBe(UD);
});
