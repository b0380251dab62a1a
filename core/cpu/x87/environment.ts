// Environment, state and control instructions of the x87: FLDENV, FNSTENV, FRSTOR, FNSAVE, FXSAVE, FXRSTOR and the rest
// (SDM 1 8.1.10, 10.5; SDM 2A).
//
// Where we depart from the manual: with CR0.NE clear, FERR# is asserted by the next waiting instruction on every model, as the
// P6 family does (SDM 1 D.2.1.3); older ones asserted it with the exception itself in some cases.
import { PHYSICAL_CODE } from '../../mmu/physicalMap.ts';
import type { Cpu } from '../cpu.ts';
import { ACCESS, NOT_RAM } from '../interpreter/memoryFunctions.ts';
import { CR4, hasFeature } from '../state/cpuModels.ts';
import { CODE_MODE, CS, FIELD, FLOATING_ERROR, RAX, SEGMENT } from '../state/layout.ts';
import { raise, VECTOR } from '../system/faults.ts';
import type { HelperBody } from '../system/helpers.ts';
import type { Operands } from '../system/operands.ts';

const CR0 = { MP: 2, EM: 4, TS: 8, NE: 0x20 } as const;
const ES_B = 0x8080;
/** Bits of the control word that exist; bit 6 reads as 1. */
const CONTROL_BITS = 0x1f3f;

/** Faults of an instruction that does not wait. */
export function requireUnit(cpu: Cpu): void {
  if ((cpu.cr0 & (CR0.EM | CR0.TS)) !== 0) raise(VECTOR.NM);
}
/** Faults of an instruction that waits for pending exceptions. */
export function requireIdle(cpu: Cpu): void {
  requireUnit(cpu);
  requireReported(cpu);
}
/** A pending exception is reported now: by vector 16, or by FERR# unless IGNNE# is asserted (SDM 1 8.7). */
function requireReported(cpu: Cpu): void {
  if ((cpu.get32(FIELD.fpStatus) & 0x80) === 0) return;
  if ((cpu.cr0 & CR0.NE) !== 0) raise(VECTOR.MF);
  if (cpu.get32(FIELD.ignoreErrors) === 0) raise(FLOATING_ERROR);
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
  if (!pending) cpu.setFloatingError(false);
}
function initialise(cpu: Cpu): void {
  setControl(cpu, 0x37f);
  cpu.set32(FIELD.fpStatus, 0);
  cpu.setFloatingError(false);
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

function requireAligned(cpu: Cpu, o: Operands, bytes: number): void {
  // Silicon looks for a canonical address first: #SS if it is one of the stack's.
  if (cpu.is64) cpu.linearAddress(o.segment, o.address, 1, false);
  if (((cpu.segmentBase(o.segment) + o.address) & (bytes - 1)) !== 0) raise(VECTOR.GP, 0);
}
function requireFxsr(cpu: Cpu, o: Operands): void {
  if (!hasFeature(cpu.model, 'FXSR')) raise(VECTOR.UD);
  requireUnit(cpu);
  requireAligned(cpu, o, 16);
}
function requireXsave(cpu: Cpu, o: Operands): void {
  if ((cpu.cr4 & CR4.OSXSAVE) === 0) raise(VECTOR.UD);
  if ((cpu.cr0 & CR0.TS) !== 0) raise(VECTOR.NM);
  requireAligned(cpu, o, 64);
}

/** Whether the image of FXSAVE holds the XMM registers. */
const savesVectors = (cpu: Cpu): boolean => (cpu.cr4 & CR4.OSFXSR) !== 0;
const vectorCount = (cpu: Cpu): number => (cpu.get32(FIELD.codeMode) === CODE_MODE.code64 ? 16 : 8);
/** MXCSR bits that may be set; 0 in the image stands for FFBFh, the Pentium III's without DAZ (SDM 1 11.6.6). */
const controlMask = (cpu: Cpu): number => (cpu.get32(FIELD.mxcsrReserved) === 0 ? 0xffff : 0);
export const controlReserved = (cpu: Cpu): number => 0xffff0000 | cpu.get32(FIELD.mxcsrReserved);

/** The memory of an image, by words. */
interface Image {
  get(at: number): number;
  put(at: number, value: number): void;
}
/** Checked for writing as a whole, if so. Plain RAM within a page is reached at once, the rest word by word. */
function imageOf(cpu: Cpu, o: Operands, bytes: number, write: boolean): Image {
  const linear = cpu.linearAddress(o.segment, o.address, bytes, write);
  if (write) cpu.probeWrite(linear, bytes);
  const slow: Image = { get: (at) => o.readM(at, 4) >>> 0, put: (at, value) => o.writeM(at, value, 4) };
  if ((linear & 0xfff) + bytes > 4096 || cpu.get32(FIELD.breakpointsArmed) !== 0) return slow;
  const host = cpu.translate(linear, cpu.userAccess | (write ? ACCESS.write : 0));
  if (host <= NOT_RAM) return slow;
  const entry = cpu.u32[(cpu.map.physicalMap >>> 2) + (cpu.get32(FIELD.mmioAddress) >>> 12)];
  if (write && (entry & PHYSICAL_CODE) !== 0) return slow;
  const first = host >>> 2;
  return { get: (at) => cpu.u32[first + (at >>> 2)], put: (at, value) => void (cpu.u32[first + (at >>> 2)] = value) };
}

/** Bytes 0 to 23 and 32 to 159 of the image (SDM 2A table 3-43); with REX.W the pointers are 64 bits wide, without selectors. */
function saveX87(cpu: Cpu, o: Operands, image: Image): void {
  image.put(0, (cpu.get32(FIELD.fpControl) & 0xffff) | (cpu.get32(FIELD.fpStatus) << 16));
  image.put(4, (cpu.get32(FIELD.fpTags) & 0xff) | ((cpu.get32(FIELD.fpOpcode) & 0x7ff) << 16));
  const isWide = o.width === 8;
  [[8, FIELD.fpInstruction, FIELD.fpInstructionSelector], [16, FIELD.fpData, FIELD.fpDataSelector]].forEach(([at, pointer, selector]) => {
    image.put(at, cpu.get32(pointer));
    image.put(at + 4, isWide ? cpu.get32(pointer + 4) : cpu.get32(selector) & 0xffff);
  });
  for (let i = 0; i < 8; i++) {
    const at = stackRegister(cpu, i);
    const parts = [cpu.get32(at), cpu.get32(at + 4), cpu.get32(at + 8) & 0xffff, 0];
    parts.forEach((part, index) => image.put(32 + i * 16 + index * 4, part));
  }
}
function saveControl(cpu: Cpu, image: Image): void {
  image.put(24, cpu.get32(FIELD.mxcsr));
  image.put(28, controlMask(cpu));
}
function saveVectors(cpu: Cpu, image: Image): void {
  for (let word = 0; word < vectorCount(cpu) * 4; word++) image.put(160 + word * 4, cpu.get32(vectorWord(word)));
}
const vectorWord = (word: number): number => FIELD.xmm + (word >> 2) * 64 + (word & 3) * 4;

function restoreX87(cpu: Cpu, words: readonly number[], isWide: boolean): void {
  setControl(cpu, words[0] & 0xffff);
  setStatus(cpu, words[0] >>> 16);
  cpu.set32(FIELD.fpTags, words[1] & 0xff);
  cpu.set32(FIELD.fpOpcode, (words[1] >>> 16) & 0x7ff);
  [[2, FIELD.fpInstruction, FIELD.fpInstructionSelector], [4, FIELD.fpData, FIELD.fpDataSelector]].forEach(([at, pointer, selector]) => {
    cpu.set32(pointer, words[at]);
    cpu.set32(pointer + 4, isWide ? words[at + 1] : 0);
    cpu.set32(selector, isWide ? 0 : words[at + 1] & 0xffff);
  });
  for (let i = 0; i < 8; i++) {
    const at = stackRegister(cpu, i);
    for (let part = 0; part < 3; part++) cpu.set32(at + part * 4, words[8 + i * 4 + part] & (part === 2 ? 0xffff : -1));
  }
}
function restoreVectors(cpu: Cpu, words: readonly number[]): void {
  for (let word = 0; word < vectorCount(cpu) * 4; word++) cpu.set32(vectorWord(word), words[40 + word]);
}
/** The image's first 416 bytes; the rest of its 512 is touched. */
function readImage(image: Image): number[] {
  const words: number[] = [];
  for (let index = 0; index < 104; index++) words.push(image.get(index * 4));
  image.get(508);
  return words;
}

/** SDM 2A FXSAVE; reserved bytes stay as they are. */
const fxsave: HelperBody = (cpu, o) => {
  requireFxsr(cpu, o);
  const image = imageOf(cpu, o, 512, true);
  saveX87(cpu, o, image);
  saveControl(cpu, image);
  if (savesVectors(cpu)) saveVectors(cpu, image);
};

/** SDM 2A FXRSTOR. */
const fxrstor: HelperBody = (cpu, o) => {
  requireFxsr(cpu, o);
  const image = imageOf(cpu, o, 512, false);
  const words = readImage(image), vectors = savesVectors(cpu);
  if (vectors && (words[6] & controlReserved(cpu)) !== 0) raise(VECTOR.GP, 0);
  restoreX87(cpu, words, o.width === 8);
  if (!vectors) return;
  cpu.set32(FIELD.mxcsr, words[6]);
  restoreVectors(cpu, words);
};

/** Components of XCR0 and their state: x87, SSE (SDM 1 13.1). */
const COMPONENT = { x87: 1, sse: 2 } as const;
const HEADER = 512;
const requested = (cpu: Cpu): number => cpu.get32(FIELD.xcr0) & cpu.reg32(RAX);
/** XINUSE: components that are not in their initial configuration (SDM 1 13.6). */
function inUse(cpu: Cpu): number {
  const plain = [FIELD.fpStatus, FIELD.fpTags, FIELD.fpOpcode, FIELD.fpInstruction, FIELD.fpInstructionSelector, FIELD.fpData, FIELD.fpDataSelector];
  const x87 = cpu.get32(FIELD.fpControl) !== 0x37f || plain.some((field) => cpu.get32(field) !== 0) || hasContents(cpu);
  let sse = false;
  for (let word = 0; word < vectorCount(cpu) * 4 && !sse; word++) sse = cpu.get32(vectorWord(word)) !== 0;
  return (x87 ? COMPONENT.x87 : 0) | (sse ? COMPONENT.sse : 0);
}
function hasContents(cpu: Cpu): boolean {
  for (let number = 0; number < 8; number++) {
    for (let part = 0; part < 12; part += 4) if (cpu.get32(FIELD.fpr + number * 16 + part) !== 0) return true;
  }
  return false;
}

/** SDM 2D XSAVE, the standard form. */
const xsave: HelperBody = (cpu, o) => {
  requireXsave(cpu, o);
  const image = imageOf(cpu, o, HEADER + 64, true);
  const wanted = requested(cpu);
  const present = (image.get(HEADER) & ~wanted) | (wanted & inUse(cpu));
  if ((wanted & COMPONENT.x87) !== 0) saveX87(cpu, o, image);
  if ((wanted & COMPONENT.sse) !== 0) {
    saveControl(cpu, image);
    saveVectors(cpu, image);
  }
  image.put(HEADER, present);
};

/** SDM 2D XRSTOR: the compacted form is not offered. */
const xrstor: HelperBody = (cpu, o) => {
  requireXsave(cpu, o);
  const image = imageOf(cpu, o, HEADER + 64, false);
  const wanted = requested(cpu), words = readImage(image);
  const present = image.get(HEADER);
  let reserved = present & ~cpu.get32(FIELD.xcr0);
  for (let at = 4; at < 24; at += 4) reserved |= image.get(HEADER + at);
  if (reserved !== 0) raise(VECTOR.GP, 0);
  const sse = (wanted & COMPONENT.sse) !== 0;
  if (sse && (words[6] & controlReserved(cpu)) !== 0) raise(VECTOR.GP, 0);
  const zeros = new Array<number>(104).fill(0);
  if ((wanted & COMPONENT.x87) !== 0) {
    const isPresent = (present & COMPONENT.x87) !== 0;
    restoreX87(cpu, isPresent ? words : [0x37f, ...zeros], o.width === 8);
  }
  if (!sse) return;
  cpu.set32(FIELD.mxcsr, words[6]);
  restoreVectors(cpu, (present & COMPONENT.sse) !== 0 ? words : zeros);
};

export const environmentHelpers: Readonly<Record<string, HelperBody>> = {
  /** SDM 2D WAIT: CR0.MP makes TS count. */
  wait: (cpu) => {
    if ((cpu.cr0 & (CR0.MP | CR0.TS)) === (CR0.MP | CR0.TS)) raise(VECTOR.NM);
    requireReported(cpu);
  },
  fninit: (cpu) => {
    requireUnit(cpu);
    initialise(cpu);
  },
  fnclex: (cpu) => {
    requireUnit(cpu);
    cpu.set32(FIELD.fpStatus, cpu.get32(FIELD.fpStatus) & 0x7f00);
    cpu.setFloatingError(false);
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
  xsave,
  xrstor,
};
