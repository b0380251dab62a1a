// Control registers, model-specific registers, and what follows from changing them (SDM 3A chapter 2, SDM 4).
import type { Cpu } from '../cpu.ts';
import { raise, VECTOR } from './faults.ts';
import { CR4, hasFeature } from '../state/cpuModels.ts';
import { FIELD } from '../state/layout.ts';
import { breakpointsChanged } from './debugRegisters.ts';

export const CR0 = {
  PE: 1, MP: 2, EM: 4, TS: 8, ET: 0x10, NE: 0x20, WP: 0x10000, AM: 0x40000, NW: 0x20000000, CD: 0x40000000, PG: 0x80000000,
} as const;
const CR0_KNOWN = 0xe005003f;

/** MOV to CR0 and LMSW. */
export function loadCr0(cpu: Cpu, value: number): void {
  const next = ((value & CR0_KNOWN) | CR0.ET) >>> 0;
  const paging = (next & CR0.PG) !== 0;
  if (paging && (next & CR0.PE) === 0) raise(VECTOR.GP, 0);
  if ((next & CR0.NW) !== 0 && (next & CR0.CD) === 0) raise(VECTOR.GP, 0);
  const changed = (cpu.cr0 ^ next) >>> 0;
  if (paging && (changed & CR0.PG) !== 0 && (cpu.cr4 & CR4.PAE) !== 0) loadPdptes(cpu, cpu.get32(FIELD.cr3));
  cpu.set32(FIELD.cr0, next);
  if ((changed & (CR0.PG | CR0.WP | CR0.PE)) !== 0) cpu.flushTlb(false);
  // Type checks exist in protected mode only.
  if ((changed & CR0.PE) !== 0) for (let segment = 0; segment < 6; segment++) cpu.refreshSlots(segment);
}

export function loadCr3(cpu: Cpu, value: number): void {
  if ((cpu.cr4 & CR4.PAE) !== 0 && (cpu.cr0 & CR0.PG) !== 0) loadPdptes(cpu, value);
  cpu.setWide(FIELD.cr3, value);
  cpu.flushTlb((cpu.cr4 & CR4.PGE) !== 0);
}

export function loadCr4(cpu: Cpu, value: number): void {
  if ((value & ~cpu.model.cr4Mask) !== 0) raise(VECTOR.GP, 0);
  const changed = cpu.cr4 ^ value;
  if ((changed & CR4.PAE) !== 0 && (value & CR4.PAE) !== 0 && (cpu.cr0 & CR0.PG) !== 0) {
    loadPdptes(cpu, cpu.get32(FIELD.cr3));
  }
  cpu.set32(FIELD.cr4, value);
  if ((changed & (CR4.PAE | CR4.PSE | CR4.PGE)) !== 0) cpu.flushTlb(false);
}

/** Reads the four page-directory-pointer entries (SDM 3A 4.4.1). Reserved bits 1, 2 and 5..8 must be clear. */
function loadPdptes(cpu: Cpu, cr3: number): void {
  const words: number[] = [];
  for (let index = 0; index < 8; index++) words.push(cpu.readPhysical(((cr3 & ~31) >>> 0) + index * 4, 4));
  for (let index = 0; index < 8; index += 2) {
    if ((words[index] & 1) !== 0 && (words[index] & 0x1e6) !== 0) raise(VECTOR.GP, 0);
  }
  words.forEach((word, index) => cpu.set32(FIELD.pdptes + index * 4, word));
}

/** MOV from CRn. */
export function readControl(cpu: Cpu, register: number): number {
  switch (register) {
    case 0:
      return cpu.cr0;
    case 2:
      return cpu.get32(FIELD.cr2);
    case 3:
      return cpu.get32(FIELD.cr3);
    case 4:
      return cpu.cr4;
    default:
      return raise(VECTOR.UD);
  }
}

export function writeControl(cpu: Cpu, register: number, value: number): void {
  switch (register) {
    case 0:
      loadCr0(cpu, value);
      return;
    case 2:
      cpu.setWide(FIELD.cr2, value);
      return;
    case 3:
      loadCr3(cpu, value);
      return;
    case 4:
      loadCr4(cpu, value);
      return;
    default:
      raise(VECTOR.UD);
  }
}

/** DR4 and DR5 are DR6 and DR7 unless CR4.DE is set (SDM 3B 17.2.2). */
function debugRegister(cpu: Cpu, register: number): number {
  if (register !== 4 && register !== 5) return register;
  if ((cpu.cr4 & CR4.DE) !== 0) raise(VECTOR.UD);
  return register + 2;
}

/** Any access with DR7.GD set traps first (SDM 3B 17.2.4). */
function checkDebugAccess(cpu: Cpu): void {
  const dr7 = FIELD.dr + 7 * 8, dr6 = FIELD.dr + 6 * 8;
  if ((cpu.get32(dr7) & 0x2000) === 0) return;
  cpu.set32(dr7, cpu.get32(dr7) & ~0x2000);
  cpu.set32(dr6, cpu.get32(dr6) | 0x2000);
  raise(VECTOR.DB);
}

export function readDebug(cpu: Cpu, register: number): number {
  const index = debugRegister(cpu, register);
  checkDebugAccess(cpu);
  return cpu.get32(FIELD.dr + index * 8);
}

export function writeDebug(cpu: Cpu, register: number, value: number): void {
  const index = debugRegister(cpu, register);
  checkDebugAccess(cpu);
  storeDebug(cpu, index, value);
}

/** Sets a debug register with its fixed bits, past DR7.GD. */
export function storeDebug(cpu: Cpu, index: number, value: number): void {
  const fixed = index === 6 ? (value & 0xe00f) | 0xffff0ff0 : index === 7 ? (value & 0xffff2fff) | 0x400 : value;
  cpu.setWide(FIELD.dr + index * 8, fixed >>> 0);
  breakpointsChanged(cpu);
}

const MSR = {
  P5_MC_ADDR: 0x0, P5_MC_TYPE: 0x1, TSC: 0x10, PLATFORM_ID: 0x17, APIC_BASE: 0x1b, EBL_CR_POWERON: 0x2a, BIOS_UPDT_TRIG: 0x79,
  BIOS_SIGN_ID: 0x8b, BBL_CR_CTL3: 0x11e, SYSENTER_CS: 0x174, SYSENTER_ESP: 0x175, SYSENTER_EIP: 0x176,
  PERFCTR0: 0xc1, PERFCTR1: 0xc2, EVNTSEL0: 0x186, EVNTSEL1: 0x187, DEBUGCTL: 0x1d9,
} as const;

/** Registers that exist, read as they were written, and do nothing else. */
const STORED = new Set<number>([
  MSR.EBL_CR_POWERON, MSR.BBL_CR_CTL3, MSR.DEBUGCTL, MSR.BIOS_UPDT_TRIG, MSR.BIOS_SIGN_ID, MSR.PERFCTR0, MSR.PERFCTR1,
  MSR.EVNTSEL0, MSR.EVNTSEL1,
]);
const SYSENTER_FIELDS: Readonly<Record<number, number>> = {
  [MSR.SYSENTER_CS]: FIELD.sysenterCs, [MSR.SYSENTER_ESP]: FIELD.sysenterEsp, [MSR.SYSENTER_EIP]: FIELD.sysenterEip,
};

/** The registers that this model has. */
export function knownMsrs(cpu: Cpu): readonly number[] {
  if (!hasFeature(cpu.model, 'MSR')) return [];
  const sysenter = hasFeature(cpu.model, 'SEP') ? Object.keys(SYSENTER_FIELDS).map(Number) : [];
  return [MSR.TSC, ...sysenter, MSR.P5_MC_ADDR, MSR.P5_MC_TYPE, MSR.PLATFORM_ID, ...STORED];
}

/** RDMSR: [low, high]. Unknown registers fault, as on silicon. */
export function readMsr(cpu: Cpu, index: number): readonly [number, number] {
  if (!hasFeature(cpu.model, 'MSR')) raise(VECTOR.UD);
  if (index === MSR.TSC) return timestampWords(cpu);
  const field = SYSENTER_FIELDS[index];
  if (field !== undefined && hasFeature(cpu.model, 'SEP')) return [cpu.get32(field), cpu.get32(field + 4)];
  if (index === MSR.P5_MC_ADDR || index === MSR.P5_MC_TYPE || index === MSR.PLATFORM_ID) return [0, 0];
  if (STORED.has(index)) return cpu.msrs.get(index) ?? [0, 0];
  const platform = cpu.host.readMsr(index);
  if (platform !== null) return platform;
  cpu.host.guestError('RDMSR of an unknown register', { msr: index });
  return raise(VECTOR.GP, 0);
}

/** RDPMC: the two counters of the P6, 40 bits each (SDM 3B 19.7). They stand still: no event is ever counted. */
export function readPerformanceCounter(cpu: Cpu, index: number): readonly [number, number] {
  if (cpu.cpl !== 0 && (cpu.cr4 & CR4.PCE) === 0) raise(VECTOR.GP, 0);
  if (index > 1) raise(VECTOR.GP, 0);
  const [low, high] = cpu.msrs.get(MSR.PERFCTR0 + index) ?? [0, 0];
  return [low, high & 0xff];
}

export function writeMsr(cpu: Cpu, index: number, low: number, high: number): void {
  if (!hasFeature(cpu.model, 'MSR')) raise(VECTOR.UD);
  if (index === MSR.TSC) {
    cpu.host.setTimestamp(high * 2 ** 32 + low);
    return;
  }
  const field = SYSENTER_FIELDS[index];
  if (field !== undefined && hasFeature(cpu.model, 'SEP')) {
    cpu.set32(field, low);
    cpu.set32(field + 4, high);
    return;
  }
  if (index === MSR.P5_MC_ADDR || index === MSR.P5_MC_TYPE) return;
  if (STORED.has(index)) {
    cpu.msrs.set(index, [low, high]);
    return;
  }
  if (cpu.host.writeMsr(index, low, high)) return;
  cpu.host.guestError('WRMSR of an unknown register', { msr: index });
  raise(VECTOR.GP, 0);
}

/** The time-stamp counter as [low, high]. */
export function timestampWords(cpu: Cpu): readonly [number, number] {
  const now = cpu.host.timestamp();
  return [now >>> 0, Math.floor(now / 2 ** 32) >>> 0];
}

