// CPU models: what CPUID tells and what may be used. Each exposes just what works.

export interface CpuModel {
  /** EDX after reset and CPUID.1:EAX: family, model, stepping. */
  readonly signature: number;
  readonly vendor: string;
  readonly brand: string;
  /** CPUID.1:EDX. */
  readonly features: number;
  /** CR4 bits that may be set. */
  readonly cr4Mask: number;
  /** Highest basic leaf. */
  readonly maxLeaf: number;
}

const FEATURE = {
  FPU: 1 << 0, VME: 1 << 1, DE: 1 << 2, PSE: 1 << 3, TSC: 1 << 4, MSR: 1 << 5, PAE: 1 << 6, CX8: 1 << 8, APIC: 1 << 9, SEP: 1 << 11,
  PGE: 1 << 13, CMOV: 1 << 15, PSE36: 1 << 17, FXSR: 1 << 24,
} as const;

export const CR4 = {
  VME: 1 << 0, PVI: 1 << 1, TSD: 1 << 2, DE: 1 << 3, PSE: 1 << 4, PAE: 1 << 5, MCE: 1 << 6, PGE: 1 << 7, PCE: 1 << 8,
  OSFXSR: 1 << 9, OSXMMEXCPT: 1 << 10,
} as const;

const PENTIUM_FEATURES = FEATURE.FPU | FEATURE.DE | FEATURE.PSE | FEATURE.TSC | FEATURE.MSR | FEATURE.CX8 | FEATURE.APIC;
const PENTIUM_CR4 = CR4.TSD | CR4.DE | CR4.PSE;

export const cpuModels = {
  '486': { signature: 0x480, vendor: 'GenuineIntel', brand: '', features: FEATURE.FPU, cr4Mask: 0, maxLeaf: 1 },
  pentium: {
    signature: 0x543, vendor: 'GenuineIntel', brand: '', features: PENTIUM_FEATURES, cr4Mask: PENTIUM_CR4, maxLeaf: 1,
  },
  pentium3: {
    signature: 0x673,
    vendor: 'GenuineIntel',
    brand: 'Trapeze virtual Pentium III',
    features:
      PENTIUM_FEATURES | FEATURE.PAE | FEATURE.SEP | FEATURE.PGE | FEATURE.CMOV | FEATURE.PSE36 | FEATURE.FXSR,
    cr4Mask: PENTIUM_CR4 | CR4.PAE | CR4.PGE | CR4.PCE | CR4.OSFXSR,
    maxLeaf: 2,
  },
} as const satisfies Record<string, CpuModel>;

export type Feature = keyof typeof FEATURE;

/** Whether the model has a CPUID.1:EDX feature. */
export const hasFeature = (model: CpuModel, feature: Feature): boolean =>
  (model.features & FEATURE[feature]) !== 0;

/** CPUID's answer: EAX, EBX, ECX, EDX (SDM 2A CPUID). Leaves beyond the highest answer like it. */
export function cpuidLeaf(model: CpuModel, leaf: number): readonly [number, number, number, number] {
  const text = (string: string, at: number): number =>
    [0, 1, 2, 3].reduce((word, byte) => word | ((string.charCodeAt(at + byte) || 0) << (byte * 8)), 0) >>> 0;
  if (leaf >= 0x80000000) {
    if (model.brand === '') return [0, 0, 0, 0];
    if (leaf === 0x80000000) return [0x80000004, 0, 0, 0];
    if (leaf >= 0x80000002 && leaf <= 0x80000004) {
      const at = (leaf - 0x80000002) * 16;
      return [text(model.brand, at), text(model.brand, at + 4), text(model.brand, at + 8), text(model.brand, at + 12)];
    }
    return [0, 0, 0, 0];
  }
  switch (Math.min(leaf, model.maxLeaf)) {
    case 0:
      return [model.maxLeaf, text(model.vendor, 0), text(model.vendor, 8), text(model.vendor, 4)];
    case 1:
      return [model.signature, (model.features & FEATURE.APIC) !== 0 ? 1 << 16 : 0, 0, model.features >>> 0];
    default:
      // Cache and TLB descriptors (SDM 2A table 3-12): none named.
      return [1, 0, 0, 0];
  }
}
