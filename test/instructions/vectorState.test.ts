// Faults, memory and state of vector instructions: engines that must pass: interpreter. Expected values: SDM 1 chapters 9 to
// 13, SDM 3A 2.5, 12 and 13.
import { beforeEach, describe, expect, test } from 'vitest';
import { FIELD } from '../../core/cpu/state/layout.ts';
import { CR4, VectorMachine } from './vectorMachine.ts';
import { DATA, X87Machine } from './x87Machine.ts';

const UD = 6, NM = 7, GP = 13, PF = 14, MF = 16, XM = 19;
const CR0 = { EM: 4, TS: 8 } as const;
const code = (hex: string): number[] => [...Buffer.from(hex, 'hex')];
/** Instructions with memory at [ESI] or [RSI]. */
const PADDB_MMX = '0ffc06', PADDB = '660ffc06', ADDPS = '0f5806', MOVAPS_STORE = '0f2906', MOVUPS_STORE = '0f1106', MOVUPS = '0f1006';
const SQRTSD = 'f20f51c0', DIVSD = 'f20f5ec1', POPCNT = 'f30fb8c1', PCMPISTRI = '660f3a630600', FXSAVE = '0fae06', FXRSTOR = '0fae0e';
const XSAVE = '0fae26', XRSTOR = '0fae2e', STMXCSR = '0fae1e', LDMXCSR = '0fae16', MOVQ_MMX = '0f6f06', EMMS = '0f77', LFENCE = '0faee8';

describe.each([['32-bit', false], ['64-bit', true]])('%s mode', (_name, wide) => {
  const machine = new VectorMachine(wide);
  const { cpu } = machine;
  const cr0 = cpu.cr0;
  const setXmm = (number: number, low: bigint, high = 0n): void => {
    cpu.view.setBigUint64(cpu.base + FIELD.xmm + number * 64, low, true);
    cpu.view.setBigUint64(cpu.base + FIELD.xmm + number * 64 + 8, high, true);
  };
  const xmm = (number: number): bigint => cpu.view.getBigUint64(cpu.base + FIELD.xmm + number * 64, true);
  const run = (hex: string): number => machine.run(code(hex));

  beforeEach(() => {
    cpu.set32(FIELD.cr0, cr0);
    cpu.set32(FIELD.cr4, machine.cr4);
    cpu.set32(FIELD.mxcsr, 0x1f80);
    cpu.set32(FIELD.fpControl, 0x37f);
    cpu.set32(FIELD.fpStatus, 0);
    cpu.set32(FIELD.fpTags, 0);
    cpu.setReg32(0, 0);
    cpu.setReg32(6, DATA);
    machine.ram.fill(0, DATA, DATA + 0x2000);
  });

  test('CR0.EM, CR0.TS and CR4.OSFXSR keep vector instructions away (SDM 3A 2.5, table 12-1)', () => {
    const vectors = (hex: string, bits: number, cr4 = machine.cr4): number => {
      cpu.set32(FIELD.cr0, cr0 | bits);
      cpu.set32(FIELD.cr4, cr4);
      return run(hex);
    };
    for (const hex of [PADDB, ADDPS, SQRTSD, PCMPISTRI, STMXCSR]) {
      expect(vectors(hex, 0), hex).toBe(-1);
      expect(vectors(hex, CR0.EM), hex).toBe(UD);
      expect(vectors(hex, CR0.TS), hex).toBe(NM);
      expect(vectors(hex, CR0.EM | CR0.TS), hex).toBe(UD);
      expect(vectors(hex, 0, machine.cr4 & ~0x200), hex).toBe(UD);
    }
    expect(vectors(PADDB_MMX, CR0.EM)).toBe(UD);
    expect(vectors(PADDB_MMX, CR0.TS)).toBe(NM);
    expect(vectors(PADDB_MMX, 0, machine.cr4 & ~0x200)).toBe(-1);
    expect(vectors(EMMS, CR0.TS)).toBe(NM);
    // Fences and those on general registers do not care.
    for (const hex of [LFENCE, POPCNT]) expect(vectors(hex, CR0.EM | CR0.TS, machine.cr4 & ~0x200), hex).toBe(-1);
  });

  test('a pending x87 exception stops MMX but not SSE instructions (SDM 1 9.4.1)', () => {
    cpu.set32(FIELD.fpControl, 0x37e);
    cpu.set32(FIELD.fpStatus, 0x8081);
    expect(run(PADDB_MMX)).toBe(MF);
    expect(run(EMMS)).toBe(MF);
    expect(run(PADDB)).toBe(-1);
  });

  test('MMX instructions set TOP to 0 and fill the tags, EMMS empties them (SDM 1 9.5.1)', () => {
    cpu.set32(FIELD.fpStatus, 0x3800);
    machine.ram.set([1, 2, 3, 4, 5, 6, 7, 8], DATA);
    expect(run(MOVQ_MMX)).toBe(-1);
    expect(cpu.get32(FIELD.fpStatus)).toBe(0);
    expect(cpu.get32(FIELD.fpTags)).toBe(0xff);
    expect(cpu.view.getBigUint64(cpu.base + FIELD.fpr, true)).toBe(0x0807060504030201n);
    expect(cpu.get32(FIELD.fpr + 8) & 0xffff).toBe(0xffff);
    expect(run(EMMS)).toBe(-1);
    expect(cpu.get32(FIELD.fpTags)).toBe(0);
  });

  test('memory of 16 bytes must be aligned, except where the instruction says otherwise (SDM 1 10.2)', () => {
    cpu.setReg32(6, DATA + 8);
    for (const hex of [PADDB, ADDPS, MOVAPS_STORE]) expect(run(hex), hex).toBe(GP);
    for (const hex of [MOVUPS, MOVUPS_STORE, PCMPISTRI, PADDB_MMX]) expect(run(hex), hex).toBe(-1);
  });

  test('unaligned accesses cross pages, and a fault on the second leaves the first', () => {
    setXmm(0, 0x1122334455667788n, 0x99aabbccddeeff00n);
    cpu.setReg32(6, DATA + 0x1000 - 5);
    expect(run(MOVUPS_STORE)).toBe(-1);
    expect(Buffer.from(machine.ram.subarray(DATA + 0xffb, DATA + 0x100b)).toString('hex')).toBe('887766554433221100ffeeddccbbaa99');
    setXmm(0, 0n, 0n);
    expect(run(MOVUPS)).toBe(-1);
    expect(xmm(0)).toBe(0x1122334455667788n);
    if (!wide) return;
    // The last bytes of the mapped 2 MiB.
    cpu.setReg32(6, 0x200000 - 8);
    expect(run(MOVUPS_STORE)).toBe(PF);
    expect(run(MOVUPS)).toBe(PF);
    expect(cpu.get32(FIELD.cr2)).toBe(0x200000);
  });

  test('an exception that MXCSR does not mask is #XM, or #UD when the system does not expect it (SDM 1 11.5)', () => {
    setXmm(0, 0x3ff0000000000000n);
    setXmm(1, 0n);
    cpu.set32(FIELD.mxcsr, 0x1f80 & ~0x200);
    expect(run(DIVSD)).toBe(XM);
    expect(cpu.get32(FIELD.mxcsr)).toBe(0x1d84);
    expect(xmm(0)).toBe(0x3ff0000000000000n);
    cpu.set32(FIELD.cr4, machine.cr4 & ~0x400);
    expect(run(DIVSD)).toBe(UD);
    cpu.set32(FIELD.mxcsr, 0x1f80);
    expect(run(DIVSD)).toBe(-1);
    expect(xmm(0)).toBe(0x7ff0000000000000n);
    expect(cpu.get32(FIELD.mxcsr)).toBe(0x1f84);
  });

  test('LDMXCSR refuses reserved bits', () => {
    machine.write32(DATA, 0x10000);
    expect(run(LDMXCSR)).toBe(GP);
    machine.write32(DATA, 0xffff);
    expect(run(LDMXCSR)).toBe(-1);
    expect(run(STMXCSR)).toBe(-1);
    expect(machine.read32(DATA)).toBe(0xffff);
  });

  test('FXSAVE and FXRSTOR carry x87, MXCSR and XMM registers (SDM 2A table 3-43 to 3-46)', () => {
    const count = wide ? 16 : 8;
    for (let number = 0; number < 16; number++) setXmm(number, BigInt(number + 1), BigInt(number + 101));
    cpu.set32(FIELD.fpStatus, 0x3000);
    cpu.set32(FIELD.fpTags, 0x40);
    cpu.view.setBigUint64(cpu.base + FIELD.fpr + 6 * 16, 0x123456789n, true);
    cpu.set32(FIELD.mxcsr, 0x1fbf);
    cpu.setWideSigned(FIELD.fpInstruction, 0x1234500000);
    expect(run(wide ? '480fae06' : FXSAVE)).toBe(-1);
    expect(machine.read32(DATA)).toBe(0x3000037f);
    expect(machine.read32(DATA + 4)).toBe(0x40);
    if (wide) expect(machine.read32(DATA + 12)).toBe(0x12);
    expect([machine.read32(DATA + 24), machine.read32(DATA + 28)]).toEqual([0x1fbf, 0xffff]);
    // ST(0) first.
    expect(machine.read32(DATA + 32)).toBe(0x23456789);
    expect(machine.read32(DATA + 160 + (count - 1) * 16)).toBe(count);
    expect(machine.read32(DATA + 160 + count * 16)).toBe(0);
    for (let number = 0; number < 16; number++) setXmm(number, 0n);
    for (const field of [FIELD.fpStatus, FIELD.fpTags, FIELD.mxcsr]) cpu.set32(field, 0);
    cpu.setWide(FIELD.fpInstruction, 0);
    expect(run(wide ? '480fae0e' : FXRSTOR)).toBe(-1);
    expect([FIELD.fpStatus, FIELD.fpTags, FIELD.mxcsr].map((field) => cpu.get32(field))).toEqual([0x3000, 0x40, 0x1fbf]);
    expect(Array.from({ length: 16 }, (_, number) => Number(xmm(number)))).toEqual(
      Array.from({ length: 16 }, (_, number) => (number < count ? number + 1 : 0)),
    );
    if (wide) expect(cpu.getWide(FIELD.fpInstruction)).toBe(0x1234500000);
    machine.write32(DATA + 24, 0x10000);
    expect(run(FXRSTOR)).toBe(GP);
    cpu.setReg32(6, DATA + 8);
    expect(run(FXSAVE)).toBe(GP);
  });

  test('XSAVE writes the components that are asked for and in use, XRSTOR brings the others to their beginnings (SDM 1 13.7, 13.8)', () => {
    for (let number = 0; number < 16; number++) setXmm(number, 7n, 9n);
    for (let number = 0; number < 8; number++) cpu.u8.fill(0, cpu.base + FIELD.fpr + number * 16, cpu.base + FIELD.fpr + number * 16 + 16);
    for (const field of [FIELD.fpOpcode, FIELD.fpInstructionSelector, FIELD.fpDataSelector]) cpu.set32(field, 0);
    for (const field of [FIELD.fpInstruction, FIELD.fpData]) cpu.setWide(field, 0);
    cpu.setReg32(0, 3);
    cpu.setReg32(2, 0);
    expect(run(XSAVE)).toBe(-1);
    // The x87 is as FNINIT leaves it.
    expect(machine.read32(DATA + 512)).toBe(2);
    expect(machine.read32(DATA + 160)).toBe(7);
    cpu.set32(FIELD.fpStatus, 0x4000);
    expect(run(XSAVE)).toBe(-1);
    expect(machine.read32(DATA + 512)).toBe(3);
    machine.write32(DATA + 512, 1);
    expect(run(XRSTOR)).toBe(-1);
    expect([xmm(0), cpu.get32(FIELD.fpStatus)]).toEqual([0n, 0x4000]);
    cpu.setReg32(0, 1);
    setXmm(0, 5n);
    machine.write32(DATA + 512, 2);
    expect(run(XRSTOR)).toBe(-1);
    expect([xmm(0), cpu.get32(FIELD.fpStatus), cpu.get32(FIELD.fpControl)]).toEqual([5n, 0, 0x37f]);
    machine.write32(DATA + 512, 4);
    expect(run(XRSTOR)).toBe(GP);
    machine.write32(DATA + 512, 0);
    machine.write32(DATA + 520, 1);
    expect(run(XRSTOR)).toBe(GP);
    cpu.setReg32(6, DATA + 16);
    expect(run(XSAVE)).toBe(GP);
    cpu.set32(FIELD.cr4, machine.cr4 & ~0x40000);
    expect(run(XSAVE)).toBe(UD);
  });

  test('MASKMOVDQU writes the bytes whose mask has its sign, in the segment that a prefix names', () => {
    cpu.setSegment(4, 0x10, 0x100, 0xffffffff, 0xc093);
    cpu.setReg32(7, DATA + 8);
    setXmm(0, 0x0807060504030201n, 0x100f0e0d0c0b0a09n);
    setXmm(1, 0x80000000000080ffn, 0x7fn);
    expect(run('660ff7c1')).toBe(-1);
    expect(Buffer.from(machine.ram.subarray(DATA + 8, DATA + 24)).toString('hex')).toBe('01020000000000080000000000000000');
    expect(run('64660ff7c1')).toBe(-1);
    const there = DATA + 8 + cpu.segmentBase(4);
    expect(there).toBe(DATA + 0x108);
    expect(Buffer.from(machine.ram.subarray(there, there + 8)).toString('hex')).toBe('0102000000000008');
  });

  test('AVX encodings are undefined', () => {
    for (const hex of ['c5fc58c1', 'c4e27d18c0', '62f17c4858c1']) expect(run(hex), hex).toBe(UD);
  });
});

test('a Pentium III has SSE without DAZ and nothing of SSE2', () => {
  const machine = new X87Machine('pentium3');
  const { cpu } = machine;
  cpu.set32(FIELD.cr4, CR4.OSFXSR | CR4.OSXMMEXCPT);
  cpu.setReg32(6, DATA);
  expect(machine.run(code(ADDPS))).toBe(-1);
  expect(machine.run(code(PADDB))).toBe(UD);
  expect(machine.run(code(SQRTSD))).toBe(UD);
  machine.write32(DATA, 0x1fc0);
  expect(machine.run(code(LDMXCSR))).toBe(GP);
  machine.write32(DATA, 0xffbf);
  expect(machine.run(code(LDMXCSR))).toBe(-1);
  expect(machine.run(code(FXSAVE))).toBe(-1);
  expect([machine.read32(DATA + 24), machine.read32(DATA + 28)]).toEqual([0xffbf, 0]);
});

test('models without LZCNT and BMI1 execute BSR and BSF under their prefix', () => {
  const machine = new X87Machine('x86-64-v2');
  const { cpu } = machine;
  cpu.setReg32(1, 0x10000);
  expect(machine.run(code('f30fbdc1'))).toBe(-1);
  expect(cpu.reg32(0)).toBe(16);
  expect(machine.run(code('c4e278f2c1'))).toBe(UD);
});
