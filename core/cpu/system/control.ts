// Control registers, model-specific registers, and what follows from changing them (SDM 3A chapter 2, SDM 4).
import type { Cpu } from '../cpu.ts';
import { raise, VECTOR } from './faults.ts';
import { fromHalves } from '../state/addresses.ts';
import { CR4, cr4Mask, type Feature, hasFeature, PHYSICAL_BITS } from '../state/cpuModels.ts';
import { CS, EFER, FIELD, FS, GS, SEGMENT, TR } from '../state/layout.ts';
import { breakpointsChanged, reportDebug } from './debugRegisters.ts';

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
  if (!paging && (cpu.is64 || (cpu.cr4 & CR4.PCIDE) !== 0)) raise(VECTOR.GP, 0);
  if (paging && (changed & CR0.PG) !== 0) startPaging(cpu);
  if (!paging) cpu.set32(FIELD.efer, cpu.get32(FIELD.efer) & ~EFER.LMA);
  cpu.set32(FIELD.cr0, next);
  if ((changed & (CR0.PG | CR0.WP | CR0.PE)) !== 0) cpu.flushTlb(false);
  // Type checks exist in protected mode only.
  if ((changed & CR0.PE) !== 0) for (let segment = 0; segment < 6; segment++) cpu.refreshSlots(segment);
  else if ((changed & CR0.PG) !== 0) cpu.refreshSlots(CS);
}

/** With EFER.LME, paging activates IA-32e mode (SDM 3A 9.8.5). */
function startPaging(cpu: Cpu): void {
  const efer = cpu.get32(FIELD.efer), isPae = (cpu.cr4 & CR4.PAE) !== 0;
  if ((efer & EFER.LME) === 0) {
    if (isPae) loadPdptes(cpu, cpu.get32(FIELD.cr3));
    return;
  }
  const code64 = (cpu.segmentField(CS, SEGMENT.attributes) & 0x2000) !== 0;
  if (!isPae || code64 || (cpu.segmentField(TR, SEGMENT.attributes) & 8) === 0) raise(VECTOR.GP, 0);
  cpu.set32(FIELD.efer, efer | EFER.LMA);
}

/** `value` has up to 52 bits; bit 63 (keep translations of this PCID) is taken off already: keeping them is optional. */
export function loadCr3(cpu: Cpu, value: number): void {
  if (value >= 2 ** PHYSICAL_BITS) raise(VECTOR.GP, 0);
  if (!cpu.isLong && (cpu.cr4 & CR4.PAE) !== 0 && (cpu.cr0 & CR0.PG) !== 0) loadPdptes(cpu, value);
  cpu.setWideSigned(FIELD.cr3, value);
  cpu.flushTlb((cpu.cr4 & CR4.PGE) !== 0);
}

export function loadCr4(cpu: Cpu, value: number): void {
  if ((value & ~cr4Mask(cpu.model)) !== 0) raise(VECTOR.GP, 0);
  const changed = cpu.cr4 ^ value;
  if (cpu.isLong && (value & CR4.PAE) === 0) raise(VECTOR.GP, 0);
  // PCIDs come on in IA-32e mode with the current one zero (SDM 3A 4.10.1).
  const pcid = (value & CR4.PCIDE) !== 0;
  if ((changed & CR4.PCIDE) !== 0 && pcid && (!cpu.isLong || (cpu.get32(FIELD.cr3) & 0xfff) !== 0)) raise(VECTOR.GP, 0);
  if (!cpu.isLong && (changed & (CR4.PAE | CR4.PGE | CR4.PSE | CR4.SMEP)) !== 0 && (value & CR4.PAE) !== 0 && (cpu.cr0 & CR0.PG) !== 0) {
    loadPdptes(cpu, cpu.get32(FIELD.cr3));
  }
  cpu.set32(FIELD.cr4, value);
  if ((changed & (CR4.PAE | CR4.PSE | CR4.PGE | CR4.PCIDE | CR4.SMEP | CR4.SMAP)) !== 0) cpu.flushTlb(false);
  cpu.refreshTlbBase();
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

/** MOV from CRn, as a number below 2^53 (CR2 signed). */
export function readControl(cpu: Cpu, register: number): number {
  switch (register) {
    case 0:
      return cpu.cr0;
    case 2:
      return cpu.getWide(FIELD.cr2);
    case 3:
      return cpu.getWide(FIELD.cr3);
    case 4:
      return cpu.cr4;
    case 8:
      return cpu.host.readTaskPriority();
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
      cpu.setWideSigned(FIELD.cr2, value);
      return;
    case 3:
      loadCr3(cpu, value);
      return;
    case 4:
      loadCr4(cpu, value);
      return;
    case 8:
      if (value > 15) raise(VECTOR.GP, 0);
      cpu.host.writeTaskPriority(value);
      return;
    default:
      raise(VECTOR.UD);
  }
}

/** MOV CRn, r64: reserved upper halves must be clear; bit 63 of CR3 asks to keep translations. */
export function writeControlWide(cpu: Cpu, register: number, low: number, high: number): void {
  let upper = high;
  if (register === 3 && (cpu.cr4 & CR4.PCIDE) !== 0) upper &= 0x7fffffff;
  if (register === 2) upper |= 0;
  else if ((register !== 3 || upper < 0 || upper >= 2 ** (PHYSICAL_BITS - 32)) && upper !== 0) raise(VECTOR.GP, 0);
  writeControl(cpu, register, upper * 2 ** 32 + low);
}

/** DR4 and DR5 are DR6 and DR7 unless CR4.DE is set (SDM 3B 17.2.2). */
function debugRegister(cpu: Cpu, register: number): number {
  if (register !== 4 && register !== 5) return register;
  if ((cpu.cr4 & CR4.DE) !== 0) raise(VECTOR.UD);
  return register + 2;
}

/** Any access with DR7.GD set traps first (SDM 3B 17.2.4). */
function checkDebugAccess(cpu: Cpu): void {
  const dr7 = FIELD.dr + 7 * 8;
  if ((cpu.get32(dr7) & 0x2000) === 0) return;
  cpu.set32(dr7, cpu.get32(dr7) & ~0x2000);
  reportDebug(cpu, 0x2000);
  raise(VECTOR.DB);
}

export function readDebug(cpu: Cpu, register: number): number {
  const index = debugRegister(cpu, register);
  checkDebugAccess(cpu);
  return cpu.is64 ? cpu.getWide(FIELD.dr + index * 8) : cpu.get32(FIELD.dr + index * 8);
}

export function writeDebug(cpu: Cpu, register: number, value: number): void {
  const index = debugRegister(cpu, register);
  checkDebugAccess(cpu);
  storeDebug(cpu, index, value);
}

/** Sets a debug register with its fixed bits, past DR7.GD. */
export function storeDebug(cpu: Cpu, index: number, value: number): void {
  const fixed = index === 6 ? (value & 0xe00f) | 0xffff0ff0 : index === 7 ? (value & 0xffff2fff) | 0x400 : value;
  cpu.setWideSigned(FIELD.dr + index * 8, index >= 6 ? fixed >>> 0 : fixed);
  breakpointsChanged(cpu);
}

const MSR = {
  P5_MC_ADDR: 0x0, P5_MC_TYPE: 0x1, TSC: 0x10, PLATFORM_ID: 0x17, EBL_CR_POWERON: 0x2a, TSC_ADJUST: 0x3b, BIOS_UPDT_TRIG: 0x79,
  BIOS_SIGN_ID: 0x8b, MTRRCAP: 0xfe, ARCH_CAPABILITIES: 0x10a, BBL_CR_CTL3: 0x11e, SYSENTER_CS: 0x174,
  SYSENTER_ESP: 0x175, SYSENTER_EIP: 0x176, MCG_CAP: 0x179, MCG_STATUS: 0x17a, MISC_ENABLE: 0x1a0,
  DEBUGCTL: 0x1d9, PAT: 0x277, MTRR_DEF_TYPE: 0x2ff, MC0_CTL: 0x400, EFER: 0xc0000080, STAR: 0xc0000081, LSTAR: 0xc0000082,
  CSTAR: 0xc0000083, SFMASK: 0xc0000084, FS_BASE: 0xc0000100, GS_BASE: 0xc0000101, KERNEL_GS_BASE: 0xc0000102, TSC_AUX: 0xc0000103,
} as const;

/** Variable-range MTRRs, fixed-range ones, and machine-check banks (SDM 3A 11.11, SDM 3B 15.3). */
const VARIABLE_MTRRS = 8;
const FIXED_MTRRS = [0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f];
const BANKS = 4;
const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, index) => from + index);

/** Registers that exist by feature, read as they were written, and do nothing else: there are no caches and no errors. */
const STORED: ReadonlyMap<number, Feature> = new Map<number, Feature>([
  ...([MSR.EBL_CR_POWERON, MSR.BBL_CR_CTL3, MSR.DEBUGCTL, MSR.BIOS_UPDT_TRIG, MSR.BIOS_SIGN_ID] as const).map((index): [number, Feature] => [index, 'CMOV']),
  ...[...FIXED_MTRRS, ...range(0x200, 2 * VARIABLE_MTRRS), MSR.MTRR_DEF_TYPE].map((index): [number, Feature] => [index, 'MTRR']),
  ...[MSR.MCG_STATUS, ...range(MSR.MC0_CTL, 4 * BANKS)].map((index): [number, Feature] => [index, 'MCA']),
  [MSR.MISC_ENABLE, 'LM'],
]);
/** What registers hold after reset, if not zero: fast strings are on. */
const INITIAL: Readonly<Record<number, readonly [number, number]>> = { [MSR.MISC_ENABLE]: [1, 0] };
/** Registers that say what there is and cannot be written. */
const CONSTANT: Readonly<Record<number, readonly [Feature, readonly [number, number]]>> = {
  [MSR.P5_MC_ADDR]: ['MSR', [0, 0]], [MSR.P5_MC_TYPE]: ['MSR', [0, 0]], [MSR.PLATFORM_ID]: ['MSR', [0, 0]],
  // Write-combining is supported (bit 10), fixed ranges too (bit 8).
  [MSR.MTRRCAP]: ['MTRR', [0x500 | VARIABLE_MTRRS, 0]],
  [MSR.MCG_CAP]: ['MCA', [BANKS, 0]],
  // No speculation, so none of its faults: RDCL, L1DFL, SSB, MDS, PSCHANGE, TAA, SBDR, FBSDP, PSDP, BHI, PBRSB, GDS, RFDS.
  [MSR.ARCH_CAPABILITIES]: ['ARCH_CAPABILITIES', [0x0d10e179, 0]],
};
/** Fields of the state, and whether only canonical addresses may be written. */
const FIELDS: Readonly<Record<number, readonly [field: number, feature: Feature, address: boolean]>> = {
  [MSR.SYSENTER_CS]: [FIELD.sysenterCs, 'SEP', false],
  [MSR.SYSENTER_ESP]: [FIELD.sysenterEsp, 'SEP', true],
  [MSR.SYSENTER_EIP]: [FIELD.sysenterEip, 'SEP', true],
  [MSR.PAT]: [FIELD.pat, 'PAT', false],
  [MSR.STAR]: [FIELD.star, 'LM', false],
  [MSR.LSTAR]: [FIELD.lstar, 'LM', true],
  [MSR.CSTAR]: [FIELD.cstar, 'LM', true],
  [MSR.SFMASK]: [FIELD.sfmask, 'LM', false],
  [MSR.FS_BASE]: [FIELD.segments + FS * SEGMENT.bytes + SEGMENT.base, 'LM', true],
  [MSR.GS_BASE]: [FIELD.segments + GS * SEGMENT.bytes + SEGMENT.base, 'LM', true],
  [MSR.KERNEL_GS_BASE]: [FIELD.kernelGsBase, 'LM', true],
  [MSR.TSC_AUX]: [FIELD.tscAux, 'RDTSCP', false],
  [MSR.EFER]: [FIELD.efer, 'LM', false],
};

const fieldOf = (cpu: Cpu, index: number): readonly [number, Feature, boolean] | null => {
  const found = FIELDS[index];
  return found !== undefined && hasFeature(cpu.model, found[1]) ? found : null;
};

/** The registers that this model has. */
export function knownMsrs(cpu: Cpu): readonly number[] {
  if (!hasFeature(cpu.model, 'MSR')) return [];
  const has = (feature: Feature): boolean => hasFeature(cpu.model, feature);
  return [
    MSR.TSC,
    ...cpu.performance.msrs, ...cpu.lastBranches.msrs,
    ...Object.keys(FIELDS).map(Number).filter((index) => fieldOf(cpu, index) !== null),
    ...Object.entries(CONSTANT).flatMap(([index, [feature]]) => (has(feature) ? [Number(index)] : [])),
    ...[...STORED].flatMap(([index, feature]) => (has(feature) ? [index] : [])),
  ];
}

/** RDMSR: [low, high]. Unknown registers fault, as on silicon. */
export function readMsr(cpu: Cpu, index: number): readonly [number, number] {
  if (!hasFeature(cpu.model, 'MSR')) raise(VECTOR.UD);
  if (index === MSR.TSC) return timestampWords(cpu);
  const field = fieldOf(cpu, index);
  if (field !== null) return [cpu.get32(field[0]), cpu.get32(field[0] + 4)];
  const constant = CONSTANT[index];
  if (constant !== undefined && hasFeature(cpu.model, constant[0])) return constant[1];
  const stored = STORED.get(index);
  if (stored !== undefined && hasFeature(cpu.model, stored)) return cpu.msrs.get(index) ?? INITIAL[index] ?? [0, 0];
  const platform = cpu.performance.read(index) ?? cpu.lastBranches.read(index) ?? cpu.host.readMsr(index);
  if (platform !== null) return platform;
  cpu.host.guestError('RDMSR of an unknown register', { msr: index });
  return raise(VECTOR.GP, 0);
}

/** RDPMC (SDM 2B): for user mode if CR4.PCE lets it. */
export function readPerformanceCounter(cpu: Cpu, index: number): readonly [number, number] {
  if (cpu.cpl !== 0 && (cpu.cr4 & CR4.PCE) === 0) raise(VECTOR.GP, 0);
  return cpu.performance.readCounter(index);
}

export function writeMsr(cpu: Cpu, index: number, low: number, high: number): void {
  if (!hasFeature(cpu.model, 'MSR')) raise(VECTOR.UD);
  if (index === MSR.TSC) {
    cpu.host.setTimestamp(high * 2 ** 32 + low);
    return;
  }
  const field = fieldOf(cpu, index);
  if (field !== null) {
    writeField(cpu, index, field, low, high);
    return;
  }
  if (index === MSR.P5_MC_ADDR || index === MSR.P5_MC_TYPE) return;
  const stored = STORED.get(index);
  if (stored !== undefined && hasFeature(cpu.model, stored)) {
    cpu.msrs.set(index, storable(cpu, index, low, high));
    return;
  }
  if (cpu.performance.write(index, low, high) || cpu.lastBranches.write(index, low, high) || cpu.host.writeMsr(index, low, high)) return;
  cpu.host.guestError('WRMSR of an unknown register', { msr: index });
  raise(VECTOR.GP, 0);
}

/** Memory types that MTRRs know (SDM 3A table 11-8). */
const isRangeType = (type: number): boolean => [0, 1, 4, 5, 6].includes(type & 0xff);

/** What an MTRR may hold (SDM 3A 11.11.2): types that exist, and no reserved bits in the default's. */
function isRange(index: number, low: number, high: number): boolean {
  if (index === MSR.MTRR_DEF_TYPE) return isRangeType(low) && (low & ~0xcff) === 0 && high === 0;
  if (FIXED_MTRRS.includes(index)) return [low, high].every((word) => [0, 8, 16, 24].every((shift) => isRangeType(word >>> shift)));
  return (index & 1) === 0 ? isRangeType(low) && (low & 0xf00) === 0 : (low & 0x7ff) === 0;
}

/** DEBUGCTL: last-branch records, single-stepping on branches; trace messages are not there, and read back clear. */
const DEBUGCTL = { LBR: 1, BTF: 2, KNOWN: 0x1fc7 } as const;
/** MCG_STATUS: RIPV, EIPV, MCIP (SDM 3B 15.3.1.2). */
const MCG_STATUS_BITS = 7;

/** What a stored register keeps of a value; faults for what it does not take. */
function storable(cpu: Cpu, index: number, low: number, high: number): readonly [number, number] {
  const refuse = (isWrong: boolean): void => {
    if (isWrong) raise(VECTOR.GP, 0);
  };
  if (index === MSR.DEBUGCTL) {
    refuse(high !== 0 || (low & ~DEBUGCTL.KNOWN) !== 0);
    cpu.lastBranches.active = cpu.lastBranches.exists && (low & DEBUGCTL.LBR) !== 0;
    return [low & (DEBUGCTL.BTF | (cpu.lastBranches.exists ? DEBUGCTL.LBR : 0)), 0];
  }
  refuse(STORED.get(index) === 'MTRR' && !isRange(index, low, high));
  if (index === MSR.MCG_STATUS) refuse(high !== 0 || (low & ~MCG_STATUS_BITS) !== 0);
  // MCi_STATUS, ADDR and MISC are cleared by software, never set (SDM 3B 15.3.2.2 to 15.3.2.4); MCi_CTL takes all.
  const bank = index - MSR.MC0_CTL;
  if (bank >= 0 && bank < 4 * BANKS && (bank & 3) !== 0) refuse(low !== 0 || high !== 0);
  return [low, high];
}
/** Single-stepping traps behind taken branches only (SDM 3B 17.4.3). */
export const stepsOnBranches = (cpu: Cpu): boolean => ((cpu.msrs.get(MSR.DEBUGCTL)?.[0] ?? 0) & DEBUGCTL.BTF) !== 0;
/** A debug exception ends it, and the recording of branches (SDM 3B 17.4.1). */
export function endBranchSteps(cpu: Cpu): void {
  if (!stepsOnBranches(cpu) && !cpu.lastBranches.active) return;
  cpu.msrs.set(MSR.DEBUGCTL, [0, 0]);
  cpu.lastBranches.active = false;
}

/** Memory types that PAT knows (SDM 3A table 11-10): 2 and 3 are reserved. */
const isPat = (word: number): boolean =>
  [0, 8, 16, 24].every((shift) => ((word >>> shift) & 0xff) <= 7 && (((word >>> shift) & 0xff) >> 1) !== 1);

function writeField(
  cpu: Cpu, index: number, [field, , isAddress]: readonly [number, Feature, boolean], low: number, high: number,
): void {
  if (isAddress && hasFeature(cpu.model, 'LM')) cpu.canonical(fromHalves(low, high), 1, false);
  if (index === MSR.PAT && !(isPat(low) && isPat(high))) raise(VECTOR.GP, 0);
  if (index === MSR.EFER) {
    writeEfer(cpu, low, high);
    return;
  }
  if ((index === MSR.SFMASK || index === MSR.TSC_AUX) && high !== 0) raise(VECTOR.GP, 0);
  cpu.set32(field, low);
  cpu.set32(field + 4, high);
  if (index === MSR.FS_BASE) cpu.refreshSlots(FS);
  if (index === MSR.GS_BASE) cpu.refreshSlots(GS);
}

/** IA32_EFER: LMA follows LME and paging by itself; LME stays while paging is on (SDM 3A 2.2.1). */
function writeEfer(cpu: Cpu, low: number, high: number): void {
  const known = EFER.SCE | EFER.LME | EFER.LMA | (hasFeature(cpu.model, 'NX') ? EFER.NXE : 0);
  const before = cpu.get32(FIELD.efer);
  if (high !== 0 || (low & ~known) !== 0) raise(VECTOR.GP, 0);
  if (((before ^ low) & EFER.LME) !== 0 && (cpu.cr0 & CR0.PG) !== 0) raise(VECTOR.GP, 0);
  cpu.set32(FIELD.efer, (low & ~EFER.LMA) | (before & EFER.LMA));
  if (((before ^ low) & EFER.NXE) !== 0) cpu.flushTlb(false);
}

/** The time-stamp counter as [low, high]. */
export function timestampWords(cpu: Cpu): readonly [number, number] {
  const now = cpu.host.timestamp();
  return [now >>> 0, Math.floor(now / 2 ** 32) >>> 0];
}

