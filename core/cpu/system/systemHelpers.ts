// Control and debug registers, MSRs, CPUID, HLT and the rest.
import type { Cpu } from '../cpu.ts';
import { raise, VECTOR } from './faults.ts';
import { CR4, cpuidLeaf, hasFeature } from '../state/cpuModels.ts';
import { FIELD, FLAG, HELPER, RAX, RBX, RCX, RDX } from '../state/layout.ts';
import { CR0, loadCr0, readControl, readDebug, readMsr, readPerformanceCounter, timestampWords, writeControl, writeDebug, writeMsr } from './control.ts';
import type { HelperBody } from './helpers.ts';
import { requireTrusted } from './segmentHelpers.ts';

function requireKernel(cpu: Cpu): void {
  if (cpu.cpl !== 0) raise(VECTOR.GP, 0);
}

const moveFromControl: HelperBody = (cpu, o) => {
  requireKernel(cpu);
  const value = readControl(cpu, o.reg);
  cpu.host.exit('control-register', o.reg, value, 0, 0);
  o.setRegister(o.b, value, 4);
};

/** Paging and mode may have changed: go on by looking the next address up. */
const moveToControl: HelperBody = (cpu, o) => {
  requireKernel(cpu);
  cpu.host.exit('control-register', o.reg, o.register(o.b, 4), 0, 1);
  const next = o.next;
  writeControl(cpu, o.reg, o.register(o.b, 4));
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

const writeMsrHelper: HelperBody = (cpu) => {
  requireKernel(cpu);
  cpu.host.exit('msr', cpu.reg32(RCX), cpu.reg32(RAX), cpu.reg32(RDX), 1);
  writeMsr(cpu, cpu.reg32(RCX), cpu.reg32(RAX), cpu.reg32(RDX));
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
  const [eax, ebx, ecx, edx] = cpuidLeaf(cpu.model, cpu.reg32(RAX));
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

/** SDM 2A CMPXCHG8B: the operand is written in either case. */
const compareExchange8: HelperBody = (cpu, o) => {
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

export const systemHelpers: Readonly<Record<string, HelperBody>> = {
  moveFromControl,
  moveToControl,
  moveFromDebug: (cpu, o) => {
    requireKernel(cpu);
    const value = readDebug(cpu, o.reg);
    cpu.host.exit('debug-register', o.reg, value, 0, 0);
    o.setRegister(o.b, value, 4);
  },
  moveToDebug: (cpu, o) => {
    requireKernel(cpu);
    cpu.host.exit('debug-register', o.reg, o.register(o.b, 4), 0, 1);
    writeDebug(cpu, o.reg, o.register(o.b, 4));
    cpu.rip = o.next;
    return HELPER.jump;
  },
  loadMachineStatus,
  storeMachineStatus: (cpu, o) => {
    requireTrusted(cpu);
    cpu.host.exit('control-register', 0, cpu.cr0, 0, 0);
    o.writeE(cpu.cr0, o.specification.memory ? 2 : o.size);
  },
  clearTaskSwitched: (cpu) => {
    requireKernel(cpu);
    cpu.host.exit('control-register', 0, cpu.cr0 & ~CR0.TS, 0, 1);
    cpu.set32(FIELD.cr0, cpu.cr0 & ~CR0.TS);
  },
  invalidatePage: (cpu, o) => {
    requireKernel(cpu);
    cpu.host.exit('tlb', (cpu.segmentBase(o.segment) + o.address) >>> 0);
    cpu.flushPage((cpu.segmentBase(o.segment) + o.address) >>> 0);
    cpu.rip = o.next;
    return HELPER.jump;
  },
  invalidateCaches: (cpu) => requireKernel(cpu),
  writeMsr: writeMsrHelper,
  readMsr: readMsrHelper,
  readTimestamp,
  /** No performance counters are offered. */
  readPerformanceCounter: (cpu) => {
    const [low, high] = readPerformanceCounter(cpu, cpu.reg32(RCX));
    cpu.setReg32(RAX, low);
    cpu.setReg32(RDX, high);
  },
  cpuid,
  halt,
  compareExchange8,
  undefined: () => raise(VECTOR.UD),
  tooLong: () => raise(VECTOR.GP, 0),
};
