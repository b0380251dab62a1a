// CPU models: what CPUID tells and what may be used. Each exposes just what works.

/** Where CPUID tells of a feature: leaf (7: sub-leaf 0; D1h: leaf Dh, sub-leaf 1), register, bit (SDM 2A CPUID). */
type Place = readonly [leaf: number, register: 'eax' | 'ebx' | 'ecx' | 'edx', bit: number];

export const FEATURE = {
  FPU: [1, 'edx', 0], VME: [1, 'edx', 1], DE: [1, 'edx', 2], PSE: [1, 'edx', 3], TSC: [1, 'edx', 4], MSR: [1, 'edx', 5],
  PAE: [1, 'edx', 6], MCE: [1, 'edx', 7], CX8: [1, 'edx', 8], APIC: [1, 'edx', 9], SEP: [1, 'edx', 11], MTRR: [1, 'edx', 12],
  PGE: [1, 'edx', 13], MCA: [1, 'edx', 14], CMOV: [1, 'edx', 15], PAT: [1, 'edx', 16], PSE36: [1, 'edx', 17],
  CLFSH: [1, 'edx', 19], MMX: [1, 'edx', 23], FXSR: [1, 'edx', 24], SSE: [1, 'edx', 25], SSE2: [1, 'edx', 26],
  SSE3: [1, 'ecx', 0], PCLMULQDQ: [1, 'ecx', 1], SSSE3: [1, 'ecx', 9], CX16: [1, 'ecx', 13], PCID: [1, 'ecx', 17],
  SSE41: [1, 'ecx', 19], SSE42: [1, 'ecx', 20], MOVBE: [1, 'ecx', 22], POPCNT: [1, 'ecx', 23], TSC_DEADLINE: [1, 'ecx', 24],
  AES: [1, 'ecx', 25], XSAVE: [1, 'ecx', 26], HYPERVISOR: [1, 'ecx', 31],
  FSGSBASE: [7, 'ebx', 0], BMI1: [7, 'ebx', 3], SMEP: [7, 'ebx', 7], BMI2: [7, 'ebx', 8], INVPCID: [7, 'ebx', 10],
  ADX: [7, 'ebx', 19], SMAP: [7, 'ebx', 20], SHA: [7, 'ebx', 29], UMIP: [7, 'ecx', 2], ARCH_CAPABILITIES: [7, 'edx', 29],
  LAHF: [0x80000001, 'ecx', 0], LZCNT: [0x80000001, 'ecx', 5], SYSCALL: [0x80000001, 'edx', 11], NX: [0x80000001, 'edx', 20],
  PDPE1GB: [0x80000001, 'edx', 26], RDTSCP: [0x80000001, 'edx', 27], LM: [0x80000001, 'edx', 29],
  INVARIANT_TSC: [0x80000007, 'edx', 8],
} as const satisfies Record<string, Place>;
export type Feature = keyof typeof FEATURE;
export const featureNames = Object.keys(FEATURE) as [Feature, ...Feature[]];

export interface CpuModel {
  /** EDX after reset and CPUID.1:EAX: family, model, stepping. */
  readonly signature: number;
  readonly vendor: string;
  readonly brand: string;
  readonly features: ReadonlySet<Feature>;
  /** Highest basic leaf, and highest extended one (0: none). */
  readonly maxLeaf: number;
  readonly maxExtendedLeaf: number;
  /** What CPUID answers instead. */
  readonly overrides: readonly CpuidOverride[];
}

export const CR4 = {
  VME: 1 << 0, PVI: 1 << 1, TSD: 1 << 2, DE: 1 << 3, PSE: 1 << 4, PAE: 1 << 5, MCE: 1 << 6, PGE: 1 << 7, PCE: 1 << 8,
  OSFXSR: 1 << 9, OSXMMEXCPT: 1 << 10, UMIP: 1 << 11, FSGSBASE: 1 << 16, PCIDE: 1 << 17, OSXSAVE: 1 << 18, SMEP: 1 << 20,
  SMAP: 1 << 21,
} as const;

/** The feature that makes a CR4 bit settable. */
const CR4_FEATURES: Readonly<Record<keyof typeof CR4, Feature>> = {
  VME: 'VME', PVI: 'VME', TSD: 'TSC', DE: 'DE', PSE: 'PSE', PAE: 'PAE', MCE: 'MCE', PGE: 'PGE', PCE: 'CMOV', OSFXSR: 'FXSR',
  OSXMMEXCPT: 'SSE', UMIP: 'UMIP', FSGSBASE: 'FSGSBASE', PCIDE: 'PCID', OSXSAVE: 'XSAVE', SMEP: 'SMEP', SMAP: 'SMAP',
};

const PENTIUM = ['FPU', 'VME', 'DE', 'PSE', 'TSC', 'MSR', 'MCE', 'CX8', 'APIC', 'MMX'] as const;
const PENTIUM_3 = [...PENTIUM, 'PAE', 'SEP', 'PGE', 'MCA', 'CMOV', 'PSE36', 'FXSR', 'SSE'] as const;
const CORE_2 = [
  ...PENTIUM_3, 'MTRR', 'PAT', 'CLFSH', 'SSE2', 'SSE3', 'SSSE3', 'CX16', 'SYSCALL', 'NX', 'LM', 'LAHF',
] as const;
const X86_64_V2 = [
  ...CORE_2, 'SSE41', 'SSE42', 'POPCNT', 'PCID', 'RDTSCP', 'PDPE1GB', 'FSGSBASE', 'SMEP', 'SMAP', 'UMIP', 'INVPCID', 'INVARIANT_TSC',
  'ARCH_CAPABILITIES', 'TSC_DEADLINE', 'HYPERVISOR',
] as const;
const MAX = [...X86_64_V2, 'PCLMULQDQ', 'MOVBE', 'AES', 'XSAVE', 'BMI1', 'BMI2', 'LZCNT', 'SHA', 'ADX'] as const;

const model = (
  signature: number, brand: string, features: readonly Feature[], maxLeaf: number, maxExtendedLeaf: number,
): CpuModel => ({ signature, vendor: 'GenuineIntel', brand, features: new Set(features), maxLeaf, maxExtendedLeaf, overrides: [] });

export const cpuModels = {
  '486': model(0x480, '', ['FPU'], 1, 0),
  pentium: model(0x543, '', PENTIUM, 1, 0),
  pentium3: model(0x673, 'Trapeze virtual Pentium III', PENTIUM_3, 2, 0x80000004),
  core2: model(0x6fb, 'Trapeze virtual Core 2', CORE_2, 0xa, 0x80000008),
  'x86-64-v2': model(0x106a1, 'Trapeze virtual CPU (x86-64-v2)', X86_64_V2, 0x16, 0x80000008),
  max: model(0x106a1, 'Trapeze virtual CPU (all it has)', MAX, 0x16, 0x80000008),
} as const satisfies Record<string, CpuModel>;

/** Physical and linear address bits (CPUID.80000008h:EAX). */
export const PHYSICAL_BITS = 40;
const LINEAR_BITS = 48;

/** Counters of the P6 family before architectural performance monitoring (SDM 3B 19.6.3). */
export const P6_COUNTERS = { number: 2, width: 40 } as const;
/** General-purpose counters of architectural performance monitoring; 0: none. */
export const generalCounters = (given: CpuModel): number => (given.maxLeaf < 0xa ? 0 : given.maxLeaf === 0xa ? 2 : 4);
/** The Core 2 records its last branches; virtual processors do not, and systems ask those that say what they are. */
export const hasLastBranches = (given: CpuModel): boolean => generalCounters(given) === 2;
/** Version 2, width 48, seven events known, of which those below are unavailable: LLC references and misses, branches. */
const MONITORING = { version: 2, width: 48, events: 7, unavailable: 0x78, fixed: 3 } as const;

/** The time-stamp counter and the local APIC's timer run at 1 GHz; the core crystal too. */
const CLOCK_HERTZ = 1_000_000_000;
/** KVM's leaf 40000001h: clock sources, no delays for ports, and the clock is stable (Linux virt/kvm/x86/cpuid.rst). */
const KVM_FEATURES = (1 << 0) | (1 << 1) | (1 << 3) | (1 << 24);
const HYPERVISOR_LEAVES = 0x40000000;

export interface CpuidOverride {
  readonly leaf: number;
  readonly subLeaf: number;
  /** EAX, EBX, ECX, EDX; null: the model's. */
  readonly registers: readonly (number | null)[];
}

/** A model with more or fewer features. */
export function modified(
  name: keyof typeof cpuModels, enable: readonly Feature[], disable: readonly Feature[], overrides: readonly CpuidOverride[] = [],
): CpuModel {
  const base: CpuModel = cpuModels[name];
  const features = new Set([...base.features, ...enable].filter((feature) => !disable.includes(feature)));
  // A feature in an extended leaf needs that leaf.
  const isExtended = enable.some((feature) => FEATURE[feature][0] >= 0x80000000), isSeven = enable.some((feature) => FEATURE[feature][0] === 7);
  return {
    ...base, features, overrides, maxLeaf: Math.max(base.maxLeaf, isSeven ? 7 : 0),
    maxExtendedLeaf: Math.max(base.maxExtendedLeaf, isExtended ? 0x80000008 : 0),
  };
}

/** Whether the model has a feature. */
export const hasFeature = (given: CpuModel, feature: Feature): boolean => given.features.has(feature);

/** CR4 bits that may be set. */
export function cr4Mask(given: CpuModel): number {
  const names = Object.keys(CR4) as (keyof typeof CR4)[];
  return names.reduce((mask, name) => (hasFeature(given, CR4_FEATURES[name]) ? mask | CR4[name] : mask), 0);
}

export type CpuidRegisters = readonly [eax: number, ebx: number, ecx: number, edx: number];

/** What CPUID tells of the machine's state rather than of the model. */
export interface CpuidState {
  readonly cr4: number;
  readonly xcr0: number;
}

/** CPUID's answer (SDM 2A CPUID). Leaves beyond the highest answer like it. */
export function cpuidLeaf(given: CpuModel, leaf: number, subLeaf: number, state: CpuidState): CpuidRegisters {
  const answer = modelLeaf(given, leaf, subLeaf, state);
  const override = given.overrides.find((found) => found.leaf === leaf && found.subLeaf === subLeaf);
  if (override === undefined) return answer;
  const [eax, ebx, ecx, edx] = answer.map((word, index) => override.registers[index] ?? word);
  return [eax, ebx, ecx, edx];
}

function modelLeaf(given: CpuModel, leaf: number, subLeaf: number, state: CpuidState): CpuidRegisters {
  const { vendor, brand, maxLeaf, maxExtendedLeaf } = given;
  const bits = (of: number, register: Place[1]): number => featureBits(given, of, register);
  if (leaf >= 0x80000000) {
    if (leaf > maxExtendedLeaf) return [0, 0, 0, 0];
    const at = (leaf - 0x80000002) * 16;
    switch (leaf) {
      case 0x80000000:
        return [maxExtendedLeaf, 0, 0, 0];
      case 0x80000001:
        return [0, 0, bits(leaf, 'ecx'), bits(leaf, 'edx')];
      case 0x80000002:
      case 0x80000003:
      case 0x80000004:
        return [text(brand, at), text(brand, at + 4), text(brand, at + 8), text(brand, at + 12)];
      case 0x80000007:
        return [0, 0, 0, bits(leaf, 'edx')];
      case 0x80000008:
        return [PHYSICAL_BITS | (LINEAR_BITS << 8), 0, 0, 0];
      default:
        return [0, 0, 0, 0];
    }
  }
  if (leaf >= HYPERVISOR_LEAVES && leaf <= HYPERVISOR_LEAVES + 0xff && hasFeature(given, 'HYPERVISOR')) return hypervisorLeaf(leaf);
  switch (Math.min(leaf, maxLeaf)) {
    case 0:
      return [maxLeaf, text(vendor, 0), text(vendor, 8), text(vendor, 4)];
    case 1: {
      const saves = (state.cr4 & CR4.OSXSAVE) !== 0 ? 1 << 27 : 0;
      const flushLine = hasFeature(given, 'CLFSH') ? 8 << 8 : 0;
      const processors = hasFeature(given, 'APIC') ? 1 << 16 : 0;
      return [given.signature, flushLine | processors, (bits(1, 'ecx') | saves) >>> 0, bits(1, 'edx')];
    }
    case 2:
      // Cache and TLB descriptors (SDM 2A table 3-12): none named.
      return [1, 0, 0, 0];
    case 7:
      return subLeaf === 0 ? [0, bits(7, 'ebx'), bits(7, 'ecx'), bits(7, 'edx')] : [0, 0, 0, 0];
    case 0xa: {
      const { version, width, events, unavailable, fixed } = MONITORING;
      return [version | (generalCounters(given) << 8) | (width << 16) | (events << 24), unavailable, 0, fixed | (width << 5)];
    }
    case 0x15:
      return [1, 1, CLOCK_HERTZ, 0];
    case 0x16:
      return [CLOCK_HERTZ / 1e6, CLOCK_HERTZ / 1e6, CLOCK_HERTZ / 1e6, 0];
    case 0xd:
      return extendedState(given, subLeaf, state);
    default:
      return [0, 0, 0, 0];
  }
}

/** What KVM tells its guests. */
function hypervisorLeaf(leaf: number): CpuidRegisters {
  switch (leaf - HYPERVISOR_LEAVES) {
    case 0:
      return [HYPERVISOR_LEAVES + 0x10, text('KVMK', 0), text('VMKV', 0), text('M', 0)];
    case 1:
      return [KVM_FEATURES, 0, 0, 0];
    case 0x10:
      return [CLOCK_HERTZ / 1000, CLOCK_HERTZ / 1000, 0, 0];
    default:
      return [0, 0, 0, 0];
  }
}

/** XSAVE's areas: the legacy one of 512 bytes and the header of 64 (SDM 1 13.4). */
const XSAVE_BYTES = 576;
/** XCR0: x87 and SSE state. */
export const XCR0_MASK = 3;

function extendedState(given: CpuModel, subLeaf: number, _state: CpuidState): CpuidRegisters {
  if (!hasFeature(given, 'XSAVE')) return [0, 0, 0, 0];
  return subLeaf === 0 ? [XCR0_MASK, XSAVE_BYTES, XSAVE_BYTES, 0] : [0, 0, 0, 0];
}

function featureBits(given: CpuModel, leaf: number, register: Place[1]): number {
  let word = 0;
  for (const feature of given.features) {
    const [place, at, bit] = FEATURE[feature];
    if (place === leaf && at === register) word |= 1 << bit;
  }
  return word >>> 0;
}

/** Four characters as CPUID puts them into a register. */
const text = (string: string, at: number): number =>
  [0, 1, 2, 3].reduce((word, byte) => word | ((string.charCodeAt(at + byte) || 0) << (byte * 8)), 0) >>> 0;
