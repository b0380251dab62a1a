// What can be said of a machine's processor before there is one: its features in words, which needs which, what CPUID answers,
// and what is wrong with a configuration.
import { cpuidLeaf, cpuModels, FEATURE, featureNames, modified, type CpuModel, type Feature } from '../cpu/state/cpuModels.ts';
import type { MachineConfiguration } from './configuration.ts';

export type CpuFeature = Feature;
export type CpuConfiguration = MachineConfiguration['cpu'];

export interface FeatureFacts {
  readonly name: CpuFeature;
  readonly title: string;
  readonly group: FeatureGroup;
  /** Where CPUID tells of it: `1 ECX 20`. */
  readonly place: string;
  readonly needs: readonly CpuFeature[];
}

export const featureGroups = ['Basics', 'Memory and protection', '64 bit', 'Vectors', 'Bits, hashes and ciphers', 'Time and virtualization'] as const;
export type FeatureGroup = (typeof featureGroups)[number];

type Row = readonly [title: string, group: 0 | 1 | 2 | 3 | 4 | 5, ...needs: CpuFeature[]];

/** SDM 1 5, 10 to 14 and SDM 2A CPUID: what a feature is, and the features without which it would mean nothing. */
const ROWS: Readonly<Record<CpuFeature, Row>> = {
  FPU: ['x87 floating point', 0],
  VME: ['Virtual-8086 interrupts', 0],
  DE: ['I/O breakpoints', 0],
  TSC: ['Time-stamp counter (RDTSC)', 5],
  MSR: ['Model-specific registers (RDMSR, WRMSR)', 0],
  CX8: ['Exchange of 8 bytes (CMPXCHG8B)', 0],
  APIC: ['Local APIC, I/O APIC and HPET', 5],
  SEP: ['SYSENTER and SYSEXIT', 0, 'MSR'],
  CMOV: ['Conditional moves (CMOVcc)', 0],
  CLFSH: ['Flush of a cache line (CLFLUSH)', 0],
  MCE: ['Machine-check exception', 0],
  MCA: ['Machine-check registers', 0, 'MCE', 'MSR'],
  PSE: ['4 MiB pages', 1],
  PAE: ['Physical address extension', 1],
  PGE: ['Global pages', 1],
  PAT: ['Page attribute table', 1, 'MSR'],
  PSE36: ['36-bit 4 MiB pages', 1, 'PSE'],
  MTRR: ['Memory type ranges', 1, 'MSR'],
  NX: ['No-execute pages', 1, 'PAE'],
  SMEP: ['Supervisor execution prevention', 1],
  SMAP: ['Supervisor access prevention', 1],
  UMIP: ['User-mode instruction prevention', 1],
  PCID: ['Process-context identifiers', 1, 'LM'],
  INVPCID: ['Invalidation by context (INVPCID)', 1],
  PDPE1GB: ['1 GiB pages', 1, 'LM'],
  LM: ['64-bit mode', 2, 'PAE', 'MSR', 'SSE2'],
  SYSCALL: ['SYSCALL and SYSRET', 2, 'MSR'],
  LAHF: ['LAHF and SAHF in 64-bit mode', 2, 'LM'],
  CX16: ['Exchange of 16 bytes (CMPXCHG16B)', 2, 'CX8', 'LM'],
  FSGSBASE: ['RDFSBASE, WRGSBASE and kin', 2, 'LM'],
  MMX: ['Integers in 64-bit vectors', 3, 'FPU'],
  FXSR: ['FXSAVE and FXRSTOR', 3, 'FPU'],
  SSE: ['Single-precision vectors', 3, 'FXSR'],
  SSE2: ['Double-precision and integer vectors', 3, 'SSE'],
  SSE3: ['Horizontal addition, MOVDDUP', 3, 'SSE2'],
  SSSE3: ['Byte shuffle, absolute values', 3, 'SSE3'],
  SSE41: ['SSE4.1: rounding, blending, dot product', 3, 'SSSE3'],
  SSE42: ['SSE4.2: string comparison, CRC32', 3, 'SSE41'],
  XSAVE: ['XSAVE and XRSTOR', 3, 'FXSR'],
  POPCNT: ['Count of one bits', 4],
  LZCNT: ['Count of leading zeros', 4],
  BMI1: ['Bit manipulation 1 (ANDN, TZCNT)', 4],
  BMI2: ['Bit manipulation 2 (PDEP, MULX)', 4],
  ADX: ['Additions with two carries (ADCX, ADOX)', 4],
  MOVBE: ['Moves with bytes swapped', 4],
  AES: ['AES rounds (AES-NI)', 4, 'SSE2'],
  PCLMULQDQ: ['Carry-less multiplication', 4, 'SSE2'],
  SHA: ['SHA-1 and SHA-256', 4, 'SSE2'],
  TSC_DEADLINE: ['APIC timer by TSC deadline', 5, 'APIC', 'TSC'],
  RDTSCP: ['Time stamp with processor number', 5, 'TSC'],
  INVARIANT_TSC: ['TSC of constant rate', 5, 'TSC'],
  HYPERVISOR: ["KVM's clock and leaves", 5, 'MSR', 'TSC'],
  ARCH_CAPABILITIES: ['Not affected by known flaws', 5, 'MSR'],
};

const placeOf = (name: CpuFeature): string => {
  const [leaf, register, bit] = FEATURE[name];
  const number = leaf >= 0x80000000 ? `${leaf.toString(16)}h` : String(leaf);
  return `${number} ${register.toUpperCase()} ${bit}`;
};

/** All features, group by group. */
export const features: readonly FeatureFacts[] = featureNames
  .map((name) => {
    const [title, group, ...needs] = ROWS[name];
    return { name, title, group: featureGroups[group], place: placeOf(name), needs };
  })
  .sort((a, b) => featureGroups.indexOf(a.group) - featureGroups.indexOf(b.group));

export const modelHas = (model: CpuConfiguration['model'], feature: CpuFeature): boolean => {
  const { features: given }: CpuModel = cpuModels[model];
  return given.has(feature);
};

/** With the changes, whether or not they fit together. */
export const processorHas = (cpu: CpuConfiguration, feature: CpuFeature): boolean =>
  !cpu.disable.includes(feature) && (cpu.enable.includes(feature) || modelHas(cpu.model, feature));

/** The features that `feature` needs and this processor does not have, the first that must be there in front. */
export function missingFor(cpu: CpuConfiguration, feature: CpuFeature): CpuFeature[] {
  const missing: CpuFeature[] = [];
  const visit = (name: CpuFeature): void => {
    for (const needed of ROWS[name].slice(2) as CpuFeature[]) {
      if (missing.includes(needed)) continue;
      visit(needed);
      if (!processorHas(cpu, needed)) missing.push(needed);
    }
  };
  visit(feature);
  return missing;
}

export interface ProcessorProblem {
  /** The feature or the place in `cpuid` that it is about. */
  readonly feature: CpuFeature | null;
  readonly answer: number | null;
  readonly message: string;
}

/** What keeps a processor from being one; empty: nothing. */
export function processorProblems(cpu: CpuConfiguration): ProcessorProblem[] {
  const problems: ProcessorProblem[] = [];
  for (const { name } of features) {
    if (cpu.enable.includes(name) && cpu.disable.includes(name)) {
      problems.push({ feature: name, answer: null, message: `${name} is both on and off.` });
      continue;
    }
    if (!processorHas(cpu, name)) continue;
    const missing = missingFor(cpu, name);
    if (missing.length > 0) problems.push({ feature: name, answer: null, message: `${name} needs ${listText(missing)}.` });
  }
  cpu.cpuid.forEach((_, index) => {
    const message = answerProblem(cpu, index);
    if (message !== null) problems.push({ feature: null, answer: index, message });
  });
  return problems;
}

const WORD = /^[0-9a-f]{1,8}$/i;
const REGISTERS = ['eax', 'ebx', 'ecx', 'edx'] as const;

function answerProblem(cpu: CpuConfiguration, index: number): string | null {
  const { leaf, subLeaf } = cpu.cpuid[index];
  if (!WORD.test(leaf)) return 'The leaf must be one to eight hexadecimal digits.';
  if (!WORD.test(subLeaf)) return 'The subleaf must be one to eight hexadecimal digits.';
  const given = REGISTERS.map((name) => cpu.cpuid[index][name]);
  const wrong = REGISTERS.find((_, register) => given[register] !== undefined && !WORD.test(given[register]));
  if (wrong !== undefined) return `${wrong.toUpperCase()} must be one to eight hexadecimal digits, or empty.`;
  if (given.every((word) => word === undefined)) return 'No register is given: this changes nothing.';
  const same = (word: string, other: string): boolean => parseInt(word, 16) === parseInt(other, 16);
  const first = cpu.cpuid.findIndex((other) => same(other.leaf, leaf) && same(other.subLeaf, subLeaf));
  return first < index ? 'This leaf and subleaf is in the list already.' : null;
}

/** What CPUID answers without overrides, as eight digits each; null: the leaf is not a number. */
export function modelAnswer(cpu: CpuConfiguration, leaf: string, subLeaf: string): readonly string[] | null {
  if (!WORD.test(leaf) || !WORD.test(subLeaf)) return null;
  const model = modified(cpu.model, cpu.enable, cpu.disable);
  return cpuidLeaf(model, parseInt(leaf, 16), parseInt(subLeaf, 16), { cr4: 0, xcr0: 1 }).map((word) => (word >>> 0).toString(16).padStart(8, '0'));
}

const listText = (names: readonly string[]): string =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
