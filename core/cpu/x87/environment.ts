// Environment, state and control instructions of the x87: FLDENV, FNSTENV, FRSTOR, FNSAVE, FXSAVE, FXRSTOR and the rest
// (SDM 1 8.1.10, 10.5; SDM 2A).
//
// Where we depart from the manual: without CR0.NE a pending exception is ignored as with IGNNE# asserted; FERR# has no pin.
import type { Cpu } from '../cpu.ts';
import { CR4, hasFeature } from '../state/cpuModels.ts';
import { CS, FIELD, RAX, SEGMENT } from '../state/layout.ts';
import { raise, VECTOR } from '../system/faults.ts';
import type { HelperBody } from '../system/helpers.ts';
import type { Operands } from '../system/operands.ts';

const CR0 = { MP: 2, EM: 4, TS: 8, NE: 0x20 } as const;
const ES_B = 0x8080;
/** Bits of the control word that exist; bit 6 reads as 1. */
const CONTROL_BITS = 0x1f3f;
/** MXCSR bits of the Pentium III: no DAZ. */
export const MXCSR_RESERVED = 0xffff0040;

/** Faults of an instruction that does not wait. */
export function requireUnit(cpu: Cpu): void {
  if ((cpu.cr0 & (CR0.EM | CR0.TS)) !== 0) raise(VECTOR.NM);
}
/** Faults of an instruction that waits for pending exceptions. */
export function requireIdle(cpu: Cpu): void {
  requireUnit(cpu);
  if ((cpu.get32(FIELD.fpStatus) & 0x80) !== 0 && (cpu.cr0 & CR0.NE) !== 0) raise(VECTOR.MF);
}

/** Remembers the instruction for exception handlers (SDM 1 8.1.8). */
export function noteInstruction(cpu: Cpu, o: Operands, opcode: number, memory: boolean): void {
  cpu.setWide(FIELD.fpInstruction, cpu.rip);
  cpu.set32(FIELD.fpInstructionSelector, cpu.selector(CS));
  cpu.set32(FIELD.fpOpcode, ((opcode & 7) << 8) | o.imm);
  if (!memory) return;
  cpu.setWide(FIELD.fpData, o.address);
  cpu.set32(FIELD.fpDataSelector, cpu.get32(FIELD.segments + o.segment * SEGMENT.bytes + SEGMENT.selector));
}

export function setControl(cpu: Cpu, value: number): void {
  cpu.set32(FIELD.fpControl, (value & CONTROL_BITS) | 0x40);
}
/** Sets the status word; ES and B follow from the exceptions that are not masked. */
export function setStatus(cpu: Cpu, value: number): void {
  const pending = (value & ~cpu.get32(FIELD.fpControl) & 0x3f) !== 0;
  cpu.set32(FIELD.fpStatus, (value & ~ES_B & 0xffff) | (pending ? ES_B : 0));
}
function initialise(cpu: Cpu): void {
  setControl(cpu, 0x37f);
  cpu.set32(FIELD.fpStatus, 0);
  cpu.set32(FIELD.fpTags, 0);
  cpu.set32(FIELD.fpOpcode, 0);
  cpu.setWide(FIELD.fpInstruction, 0);
  cpu.set32(FIELD.fpInstructionSelector, 0);
  cpu.setWide(FIELD.fpData, 0);
  cpu.set32(FIELD.fpDataSelector, 0);
}

/** The full tag word: 0 valid, 1 zero, 2 special, 3 empty, by physical register. */
export function fullTags(cpu: Cpu): number {
  let tags = 0;
  for (let number = 0; number < 8; number++) tags |= tagOf(cpu, number) << (number * 2);
  return tags;
}
function tagOf(cpu: Cpu, number: number): number {
  if (((cpu.get32(FIELD.fpTags) >>> number) & 1) === 0) return 3;
  const at = FIELD.fpr + number * 16;
  const low = cpu.get32(at), high = cpu.get32(at + 4), exponent = cpu.get32(at + 8) & 0x7fff;
  if (exponent === 0x7fff) return 2;
  if (exponent === 0) return low === 0 && high === 0 ? 1 : 2;
  return high >>> 31 === 0 ? 2 : 0;
}
export function setFullTags(cpu: Cpu, tags: number): void {
  let full = 0;
  for (let number = 0; number < 8; number++) if (((tags >>> (number * 2)) & 3) !== 3) full |= 1 << number;
  cpu.set32(FIELD.fpTags, full);
}

/** The environment as 7 words of the operand size (SDM 1 figures 8-9 to 8-12). */
function environment(cpu: Cpu, size: 2 | 4): number[] {
  const wide = size === 4;
  const reserved = wide ? 0xffff0000 : 0;
  const words = [FIELD.fpControl, FIELD.fpStatus].map((field) => (cpu.get32(field) | reserved) >>> 0);
  words.push((fullTags(cpu) | reserved) >>> 0);
  const ip = cpu.get32(FIELD.fpInstruction), ipSelector = cpu.get32(FIELD.fpInstructionSelector) & 0xffff;
  const data = cpu.get32(FIELD.fpData), dataSelector = cpu.get32(FIELD.fpDataSelector) & 0xffff;
  const opcode = cpu.get32(FIELD.fpOpcode) & 0x7ff;
  if (cpu.usesDescriptors) {
    words.push(ip, wide ? (ipSelector | (opcode << 16)) >>> 0 : ipSelector, data, (dataSelector | reserved) >>> 0);
    return words;
  }
  const linearIp = (ip + ipSelector * 16) >>> 0, linearData = (data + dataSelector * 16) >>> 0;
  const upper = (linear: number): number => (wide ? ((linear >>> 16) << 12) : (linear >>> 4) & 0xf000) >>> 0;
  words.push((linearIp & 0xffff) | reserved, upper(linearIp) | opcode, (linearData & 0xffff) | reserved, upper(linearData));
  return words;
}

function loadEnvironment(cpu: Cpu, words: readonly number[], size: 2 | 4): void {
  const wide = size === 4;
  setControl(cpu, words[0]);
  setStatus(cpu, words[1] & 0xffff);
  setFullTags(cpu, words[2]);
  if (cpu.usesDescriptors) {
    cpu.setWide(FIELD.fpInstruction, words[3]);
    cpu.set32(FIELD.fpInstructionSelector, words[4] & 0xffff);
    if (wide) cpu.set32(FIELD.fpOpcode, (words[4] >>> 16) & 0x7ff);
    cpu.setWide(FIELD.fpData, words[5]);
    cpu.set32(FIELD.fpDataSelector, words[6] & 0xffff);
    return;
  }
  const linear = (low: number, high: number): number => ((low & 0xffff) | (wide ? (high >>> 12) << 16 : (high & 0xf000) << 4)) >>> 0;
  cpu.setWide(FIELD.fpInstruction, linear(words[3], words[4]));
  cpu.set32(FIELD.fpInstructionSelector, 0);
  cpu.set32(FIELD.fpOpcode, words[4] & 0x7ff);
  cpu.setWide(FIELD.fpData, linear(words[5], words[6]));
  cpu.set32(FIELD.fpDataSelector, 0);
}

/** Faults as a write of the whole area does. */
function probe(cpu: Cpu, o: Operands, bytes: number): void {
  cpu.probeWrite(cpu.linearAddress(o.segment, o.address, bytes, true), bytes);
}

const storeEnvironment: HelperBody = (cpu, o) => {
  requireUnit(cpu);
  const { size } = o;
  probe(cpu, o, 7 * size);
  environment(cpu, size).forEach((word, index) => o.writeM(index * size, word, size));
  setControl(cpu, cpu.get32(FIELD.fpControl) | 0x3f);
  setStatus(cpu, cpu.get32(FIELD.fpStatus));
};

const readEnvironment = (o: Operands): number[] =>
  Array.from({ length: 7 }, (_, index) => o.readM(index * o.size, o.size));

const loadEnvironmentHelper: HelperBody = (cpu, o) => {
  requireIdle(cpu);
  loadEnvironment(cpu, readEnvironment(o), o.size);
};

/** State offset of ST(i), by the current TOP. */
const stackRegister = (cpu: Cpu, i: number): number => FIELD.fpr + (((cpu.get32(FIELD.fpStatus) >>> 11) + i) & 7) * 16;

const save: HelperBody = (cpu, o) => {
  requireUnit(cpu);
  const { size } = o;
  probe(cpu, o, 7 * size + 80);
  environment(cpu, size).forEach((word, index) => o.writeM(index * size, word, size));
  for (let i = 0; i < 8; i++) {
    const at = stackRegister(cpu, i), offset = 7 * size + i * 10;
    o.writeM(offset, cpu.get32(at), 4);
    o.writeM(offset + 4, cpu.get32(at + 4), 4);
    o.writeM(offset + 8, cpu.get32(at + 8) & 0xffff, 2);
  }
  initialise(cpu);
};

const restore: HelperBody = (cpu, o) => {
  requireIdle(cpu);
  const { size } = o;
  const words = readEnvironment(o);
  const registers = Array.from({ length: 8 }, (_, i) => {
    const offset = 7 * size + i * 10;
    return [o.readM(offset, 4), o.readM(offset + 4, 4), o.readM(offset + 8, 2)] as const;
  });
  loadEnvironment(cpu, words, size);
  registers.forEach((parts, i) => parts.forEach((part, index) => cpu.set32(stackRegister(cpu, i) + index * 4, part)));
};

function requireFxsr(cpu: Cpu, o: Operands): void {
  if (!hasFeature(cpu.model, 'FXSR')) raise(VECTOR.UD);
  requireUnit(cpu);
  if (((cpu.segmentBase(o.segment) + o.address) & 15) !== 0) raise(VECTOR.GP, 0);
}

/** Whether the image holds MXCSR and the XMM registers. */
const savesVectors = (cpu: Cpu): boolean => (cpu.cr4 & CR4.OSFXSR) !== 0;

/** SDM 2A FXSAVE: the image of table 3-43; reserved bytes stay as they are. */
const fxsave: HelperBody = (cpu, o) => {
  requireFxsr(cpu, o);
  probe(cpu, o, 512);
  o.writeM(0, cpu.get32(FIELD.fpControl), 2);
  o.writeM(2, cpu.get32(FIELD.fpStatus), 2);
  o.writeM(4, cpu.get32(FIELD.fpTags) & 0xff, 2);
  o.writeM(6, cpu.get32(FIELD.fpOpcode) & 0x7ff, 2);
  o.writeM(8, cpu.get32(FIELD.fpInstruction), 4);
  o.writeM(12, cpu.get32(FIELD.fpInstructionSelector) & 0xffff, 4);
  o.writeM(16, cpu.get32(FIELD.fpData), 4);
  o.writeM(20, cpu.get32(FIELD.fpDataSelector) & 0xffff, 4);
  o.writeM(24, cpu.get32(FIELD.mxcsr), 4);
  // A Pentium III stores no mask: 0 stands for FFBFh (SDM 1 11.6.6).
  o.writeM(28, 0, 4);
  for (let i = 0; i < 8; i++) {
    const at = stackRegister(cpu, i);
    const parts = [cpu.get32(at), cpu.get32(at + 4), cpu.get32(at + 8) & 0xffff, 0];
    parts.forEach((part, index) => o.writeM(32 + i * 16 + index * 4, part, 4));
  }
  if (!savesVectors(cpu)) return;
  for (let word = 0; word < 32; word++) {
    o.writeM(160 + word * 4, cpu.get32(FIELD.xmm + (word >> 2) * 64 + (word & 3) * 4), 4);
  }
};

/** SDM 2A FXRSTOR. */
const fxrstor: HelperBody = (cpu, o) => {
  requireFxsr(cpu, o);
  const words = Array.from({ length: 72 }, (_, index) => o.readM(index * 4, 4));
  o.readM(508, 4);
  const vectors = savesVectors(cpu);
  if (vectors && (words[6] & MXCSR_RESERVED) !== 0) raise(VECTOR.GP, 0);
  setControl(cpu, words[0] & 0xffff);
  setStatus(cpu, words[0] >>> 16);
  cpu.set32(FIELD.fpTags, words[1] & 0xff);
  cpu.set32(FIELD.fpOpcode, (words[1] >>> 16) & 0x7ff);
  cpu.setWide(FIELD.fpInstruction, words[2]);
  cpu.set32(FIELD.fpInstructionSelector, words[3] & 0xffff);
  cpu.setWide(FIELD.fpData, words[4]);
  cpu.set32(FIELD.fpDataSelector, words[5] & 0xffff);
  for (let i = 0; i < 8; i++) {
    const at = stackRegister(cpu, i);
    for (let part = 0; part < 3; part++) cpu.set32(at + part * 4, words[8 + i * 4 + part] & (part === 2 ? 0xffff : -1));
  }
  if (!vectors) return;
  cpu.set32(FIELD.mxcsr, words[6]);
  for (let word = 0; word < 32; word++) cpu.set32(FIELD.xmm + (word >> 2) * 64 + (word & 3) * 4, words[40 + word]);
};

export const environmentHelpers: Readonly<Record<string, HelperBody>> = {
  /** SDM 2D WAIT: CR0.MP makes TS count. */
  wait: (cpu) => {
    if ((cpu.cr0 & (CR0.MP | CR0.TS)) === (CR0.MP | CR0.TS)) raise(VECTOR.NM);
    if ((cpu.get32(FIELD.fpStatus) & 0x80) !== 0 && (cpu.cr0 & CR0.NE) !== 0) raise(VECTOR.MF);
  },
  fninit: (cpu) => {
    requireUnit(cpu);
    initialise(cpu);
  },
  fnclex: (cpu) => {
    requireUnit(cpu);
    cpu.set32(FIELD.fpStatus, cpu.get32(FIELD.fpStatus) & 0x7f00);
  },
  fnstcw: (cpu, o) => {
    requireUnit(cpu);
    o.writeM(0, cpu.get32(FIELD.fpControl), 2);
  },
  fnstsw: (cpu, o) => {
    requireUnit(cpu);
    o.writeM(0, cpu.get32(FIELD.fpStatus), 2);
  },
  fnstswAx: (cpu) => {
    requireUnit(cpu);
    cpu.setReg16(RAX, cpu.get32(FIELD.fpStatus));
  },
  fldcw: (cpu, o) => {
    requireIdle(cpu);
    setControl(cpu, o.readM(0, 2));
    setStatus(cpu, cpu.get32(FIELD.fpStatus));
  },
  /** FNENI, FNDISI and FNSETPM of older units do nothing. */
  fnop: (cpu) => requireUnit(cpu),
  fldenv: loadEnvironmentHelper,
  fnstenv: storeEnvironment,
  fnsave: save,
  frstor: restore,
  fxsave,
  fxrstor,
};
