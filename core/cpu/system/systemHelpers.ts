// Control and debug registers, MSRs, CPUID, HLT and the rest.
import type { Cpu } from '../cpu.ts';
import { raise, VECTOR } from './faults.ts';
import { CR4, cpuidLeaf, hasFeature, XCR0_MASK } from '../state/cpuModels.ts';
import { FIELD, FLAG, FS, GS, HELPER, RAX, RBX, RCX, RDX, SEGMENT } from '../state/layout.ts';
import { CR0, loadCr0, readControl, readDebug, readMsr, readPerformanceCounter, timestampWords, writeControl, writeControlWide, writeDebug, writeMsr } from './control.ts';
import type { HelperBody } from './helpers.ts';
import type { Operands } from './operands.ts';
import { requireTrusted } from './segmentHelpers.ts';

function requireKernel(cpu: Cpu): void {
  if (cpu.cpl !== 0) raise(VECTOR.GP, 0);
}

/** A register that does not exist is undefined before it is privileged. */
function requireRegister(cpu: Cpu, exists: boolean): void {
  if (!exists) raise(VECTOR.UD);
  requireKernel(cpu);
}
const isControl = (cpu: Cpu, register: number): boolean =>
  register === 0 || (register >= 2 && register <= 4) || (register === 8 && cpu.isLong);

const moveFromControl: HelperBody = (cpu, o) => {
  requireRegister(cpu, isControl(cpu, o.reg));
  const value = readControl(cpu, o.reg);
  cpu.host.exit('control-register', o.reg, value, 0, 0);
  o.setRegister(o.b, value, cpu.is64 ? 8 : 4);
};

/** Paging and mode may have changed: go on by looking the next address up. */
const moveToControl: HelperBody = (cpu, o) => {
  requireRegister(cpu, isControl(cpu, o.reg));
  const next = o.next, low = cpu.get32(o.b);
  cpu.host.exit('control-register', o.reg, cpu.is64 ? cpu.getWide(o.b) : low, 0, 1);
  if (cpu.is64) writeControlWide(cpu, o.reg, low, cpu.get32(o.b + 4));
  else writeControl(cpu, o.reg, low);
  cpu.rip = next;
  return HELPER.jump;
};

const loadMachineStatus: HelperBody = (cpu, o) => {
  requireKernel(cpu);
  const value = o.readE(2) & 15;
  cpu.host.exit('control-register', 0, value, 0, 1);
  // LMSW can set PE but not clear it.
  loadCr0(cpu, (cpu.cr0 & ~(CR0.MP | CR0.EM | CR0.TS)) | value);
  cpu.rip = o.next;
  return HELPER.jump;
};

const writeMsrHelper: HelperBody = (cpu, o) => {
  requireKernel(cpu);
  cpu.host.exit('msr', cpu.reg32(RCX), cpu.reg32(RAX), cpu.reg32(RDX), 1);
  writeMsr(cpu, cpu.reg32(RCX), cpu.reg32(RAX), cpu.reg32(RDX));
  if (!cpu.lastBranches.active) return HELPER.next;
  // From here on it runs one instruction at a time.
  cpu.rip = o.next;
  return HELPER.exit;
};

const readMsrHelper: HelperBody = (cpu) => {
  requireKernel(cpu);
  const [low, high] = readMsr(cpu, cpu.reg32(RCX));
  cpu.host.exit('msr', cpu.reg32(RCX), low, high, 0);
  cpu.setReg32(RAX, low);
  cpu.setReg32(RDX, high);
};

const readTimestamp: HelperBody = (cpu) => {
  if (!hasFeature(cpu.model, 'TSC')) raise(VECTOR.UD);
  if ((cpu.cr4 & CR4.TSD) !== 0 && cpu.cpl !== 0) raise(VECTOR.GP, 0);
  const [low, high] = timestampWords(cpu);
  cpu.host.exit('rdtsc', low, high);
  cpu.setReg32(RAX, low);
  cpu.setReg32(RDX, high);
};

const cpuid: HelperBody = (cpu) => {
  cpu.host.exit('cpuid', cpu.reg32(RAX), cpu.reg32(RCX));
  const [eax, ebx, ecx, edx] = cpuidLeaf(cpu.model, cpu.reg32(RAX), cpu.reg32(RCX), { cr4: cpu.cr4, xcr0: cpu.get32(FIELD.xcr0) });
  cpu.setReg32(RAX, eax);
  cpu.setReg32(RBX, ebx);
  cpu.setReg32(RCX, ecx);
  cpu.setReg32(RDX, edx);
};

const halt: HelperBody = (cpu, o) => {
  requireKernel(cpu);
  cpu.host.exit('hlt');
  cpu.activity = 'halted';
  cpu.rip = o.next;
  return HELPER.exit;
};

/** SDM 2A CMPXCHG16B: the operand must be aligned. */
function compareExchange16(cpu: Cpu, o: Operands): void {
  if (!hasFeature(cpu.model, 'CX16')) raise(VECTOR.UD);
  const linear = o.linear(16, true);
  if (linear % 16 !== 0) raise(VECTOR.GP, 0);
  cpu.probeWrite(linear, 16);
  const words = [...cpu.readWide(linear, cpu.userAccess), ...cpu.readWide(linear + 8, cpu.userAccess)];
  const at = (register: number): number[] => [cpu.get32(register * 8), cpu.get32(register * 8 + 4)];
  const equal = [...at(RAX), ...at(RDX)].every((word, index) => word === words[index]);
  const stored = equal ? [...at(RBX), ...at(RCX)] : words;
  cpu.writeWords(linear, 8, stored[0], stored[1], cpu.userAccess);
  cpu.writeWords(linear + 8, 8, stored[2], stored[3], cpu.userAccess);
  if (!equal) {
    o.setWords(RAX * 8, [words[0], words[1]], 8);
    o.setWords(RDX * 8, [words[2], words[3]], 8);
  }
  cpu.setArithmeticFlags(equal ? cpu.eflags | FLAG.ZF : cpu.eflags & ~FLAG.ZF);
}

/** SDM 2A CMPXCHG8B: the operand is written in either case. */
const compareExchange8: HelperBody = (cpu, o) => {
  if (o.width === 8) {
    compareExchange16(cpu, o);
    return;
  }
  const linear = cpu.linearAddress(o.segment, o.address, 8, true);
  cpu.probeWrite(linear, 8);
  const low = cpu.readLinear(linear, 4, cpu.userAccess), high = cpu.readLinear(linear + 4, 4, cpu.userAccess);
  const equal = low === cpu.reg32(RAX) && high === cpu.reg32(RDX);
  cpu.writeLinear(linear, equal ? cpu.reg32(RBX) : low, 4, cpu.userAccess);
  cpu.writeLinear(linear + 4, equal ? cpu.reg32(RCX) : high, 4, cpu.userAccess);
  if (!equal) {
    cpu.setReg32(RAX, low);
    cpu.setReg32(RDX, high);
  }
  cpu.setArithmeticFlags(equal ? cpu.eflags | FLAG.ZF : cpu.eflags & ~FLAG.ZF);
};

/** SDM 2B SWAPGS. */
const swapGs: HelperBody = (cpu, o) => {
  requireKernel(cpu);
  const base = FIELD.segments + GS * SEGMENT.bytes + SEGMENT.base;
  for (const half of [0, 4]) {
    const word = cpu.get32(base + half);
    cpu.set32(base + half, cpu.get32(FIELD.kernelGsBase + half));
    cpu.set32(FIELD.kernelGsBase + half, word);
  }
  cpu.refreshSlots(GS);
  cpu.rip = o.next;
  return HELPER.jump;
};

/** RDFSBASE and its like: in 64-bit mode with CR4.FSGSBASE (SDM 2B RDFSBASE). */
function requireBases(cpu: Cpu): void {
  if (!cpu.is64 || (cpu.cr4 & CR4.FSGSBASE) === 0) raise(VECTOR.UD);
}
const baseField = (segment: number): number => FIELD.segments + segment * SEGMENT.bytes + SEGMENT.base;
const readSegmentBase =
  (segment: number): HelperBody =>
  (cpu, o) => {
    requireBases(cpu);
    const at = baseField(segment);
    o.setWords(o.b, [cpu.get32(at), cpu.get32(at + 4)], o.width);
  };
const writeSegmentBase =
  (segment: number): HelperBody =>
  (cpu, o) => {
    requireBases(cpu);
    const base = o.register(o.b, o.width);
    cpu.setWideSigned(baseField(segment), cpu.canonical(base, 1, false));
    cpu.refreshSlots(segment);
  };

/** SDM 2A INVPCID: translations are not kept by PCID, so that each kind drops them all. */
const invalidateContext: HelperBody = (cpu, o) => {
  requireKernel(cpu);
  const kind = o.register(o.a, cpu.is64 ? 8 : 4);
  const [pcid, reserved] = o.readWords(0, 8);
  if (kind < 0 || kind > 3 || reserved !== 0 || pcid > 0xfff) raise(VECTOR.GP, 0);
  if (kind < 2 && pcid !== 0 && (cpu.cr4 & CR4.PCIDE) === 0) raise(VECTOR.GP, 0);
  if (kind === 0) cpu.canonical(o.readWide(8), 1, false);
  cpu.host.exit('tlb', kind === 0 ? o.readWide(8) : 0);
  cpu.flushTlb(false);
  cpu.rip = o.next;
  return HELPER.jump;
};

const setAccessCheckFlag =
  (set: boolean): HelperBody =>
  (cpu) => {
    if (cpu.cpl !== 0) raise(VECTOR.UD);
    const flags = cpu.get32(FIELD.eflags);
    cpu.set32(FIELD.eflags, set ? flags | FLAG.AC : flags & ~FLAG.AC);
    cpu.refreshTlbBase();
  };

/** XGETBV, XSETBV (SDM 2D). */
const requireXsave = (cpu: Cpu): void => {
  if ((cpu.cr4 & CR4.OSXSAVE) === 0) raise(VECTOR.UD);
};
const writeExtendedControl: HelperBody = (cpu) => {
  requireXsave(cpu);
  requireKernel(cpu);
  const value = cpu.reg32(RAX);
  if (cpu.reg32(RCX) !== 0 || cpu.reg32(RDX) !== 0 || (value & 1) === 0 || (value & ~XCR0_MASK) !== 0) raise(VECTOR.GP, 0);
  cpu.set32(FIELD.xcr0, value);
};

/** MOV AL/AX/EAX/RAX, moffs with a 64-bit address: its low half is the displacement, its high half the immediate. */
function absolute(cpu: Cpu, o: Operands, size: 1 | 2 | 4 | 8, write: boolean): number {
  const offset = o.addressSize === 8 ? o.imm * 2 ** 32 + (o.disp >>> 0) : o.disp >>> 0;
  return cpu.linearAddress(o.segment, offset, size, write);
}
const absoluteSize = (o: Operands): 1 | 2 | 4 | 8 => (o.specification.size === 8 ? 1 : o.width);

export const systemHelpers: Readonly<Record<string, HelperBody>> = {
  moveFromControl,
  moveToControl,
  moveFromDebug: (cpu, o) => {
    requireRegister(cpu, o.reg < 8);
    const value = readDebug(cpu, o.reg);
    cpu.host.exit('debug-register', o.reg, value, 0, 0);
    o.setRegister(o.b, value, cpu.is64 ? 8 : 4);
  },
  moveToDebug: (cpu, o) => {
    requireRegister(cpu, o.reg < 8);
    const value = o.register(o.b, cpu.is64 ? 8 : 4);
    cpu.host.exit('debug-register', o.reg, value, 0, 1);
    // DR6 and DR7 have no upper half that may be set (SDM 3B 17.2.6).
    if (cpu.is64 && o.reg >= 4 && (value < 0 || value >= 2 ** 32)) raise(VECTOR.GP, 0);
    writeDebug(cpu, o.reg, value);
    cpu.rip = o.next;
    return HELPER.jump;
  },
  loadMachineStatus,
  storeMachineStatus: (cpu, o) => {
    requireTrusted(cpu);
    cpu.host.exit('control-register', 0, cpu.cr0, 0, 0);
    if (o.specification.memory) o.writeE(cpu.cr0, 2);
    else o.setRegister(o.b, cpu.cr0, o.width);
  },
  clearTaskSwitched: (cpu) => {
    requireKernel(cpu);
    cpu.host.exit('control-register', 0, cpu.cr0 & ~CR0.TS, 0, 1);
    cpu.set32(FIELD.cr0, cpu.cr0 & ~CR0.TS);
  },
  invalidatePage: (cpu, o) => {
    requireKernel(cpu);
    const linear = cpu.wrapLinear(cpu.segmentBase(o.segment) + o.address);
    cpu.host.exit('tlb', linear);
    cpu.flushPage(linear);
    cpu.rip = o.next;
    return HELPER.jump;
  },
  invalidateCaches: (cpu) => requireKernel(cpu),
  writeMsr: writeMsrHelper,
  readMsr: readMsrHelper,
  readTimestamp,
  readPerformanceCounter: (cpu) => {
    const [low, high] = readPerformanceCounter(cpu, cpu.reg32(RCX));
    cpu.setReg32(RAX, low);
    cpu.setReg32(RDX, high);
  },
  readTimestampAndProcessor: (cpu, o) => {
    const result = readTimestamp(cpu, o);
    cpu.setReg32(RCX, cpu.get32(FIELD.tscAux));
    return result;
  },
  swapGs,
  readSegmentBase4: readSegmentBase(FS),
  readSegmentBase5: readSegmentBase(GS),
  writeSegmentBase4: writeSegmentBase(FS),
  writeSegmentBase5: writeSegmentBase(GS),
  invalidateContext,
  setAccessCheck: setAccessCheckFlag(true),
  clearAccessCheck: setAccessCheckFlag(false),
  readExtendedControl: (cpu) => {
    requireXsave(cpu);
    if (cpu.reg32(RCX) !== 0) raise(VECTOR.GP, 0);
    cpu.setReg32(RAX, cpu.get32(FIELD.xcr0));
    cpu.setReg32(RDX, 0);
  },
  writeExtendedControl,
  loadAbsolute: (cpu, o) => {
    const size = absoluteSize(o), linear = absolute(cpu, o, size, false);
    if (size === 8) o.setWords(RAX * 8, cpu.readWide(linear, cpu.userAccess), 8);
    else o.setRegister(RAX * 8, cpu.readLinear(linear, size, cpu.userAccess), size);
  },
  storeAbsolute: (cpu, o) => {
    const size = absoluteSize(o), linear = absolute(cpu, o, size, true);
    cpu.writeWords(linear, size, cpu.get32(RAX * 8), cpu.get32(RAX * 8 + 4), cpu.userAccess);
  },
  cpuid,
  halt,
  compareExchange8,
  undefined: () => raise(VECTOR.UD),
  tooLong: () => raise(VECTOR.GP, 0),
};
