// Performance counters: those of the P6 family, and architectural performance monitoring version 2 (SDM 3B 19.2, 19.6.3).
//
// Two things are counted, both exactly: instructions retired, and core cycles. The core's clock is the time-stamp counter's,
// 1 GHz, and stands still in HLT; the reference clock is the same. CPUID leaf 0Ah calls all other events unavailable, and
// they count nothing. Where we depart from the manual: an event select with EDGE, INV or CMASK counts nothing.
import type { Cpu } from '../cpu.ts';
import { generalCounters, hasFeature, P6_COUNTERS } from '../state/cpuModels.ts';
import { raise, VECTOR } from './faults.ts';

export const PERFORMANCE_MSR = {
  PMC0: 0xc1, PERFEVTSEL0: 0x186, FIXED_CTR0: 0x309, FIXED_CTR_CTRL: 0x38d, GLOBAL_STATUS: 0x38e, GLOBAL_CTRL: 0x38f,
  GLOBAL_OVF_CTRL: 0x390,
} as const;

const SELECT = { USR: 1 << 16, OS: 1 << 17, INT: 1 << 20, ANY: 1 << 21, EN: 1 << 22, MODIFIERS: 0xff840000 } as const;
/** IA32_FIXED_CTR_CTRL, four bits a counter. */
const FIXED = { OS: 1, USR: 2, PMI: 8, COUNTERS: 3, WRITABLE: 0xbbb } as const;
/** Bits of the fixed counters in the upper halves of the global registers; OvfBuf and CondChgd there. */
const FIXED_BITS = 7, STATUS_BITS = 0xc0000000;
/** A slice is ended for a counter that starts to count with less than this to go. */
const NEAR = 200_000;

type Clock = 'instructions' | 'cycles';
/** UMASK and event (SDM 3B table 19-1); the P6 calls its cycles 79h (SDM 3B 19.6.3). */
const EVENTS: Readonly<Record<number, Clock>> = { 0x00c0: 'instructions', 0x003c: 'cycles', 0x013c: 'cycles' };
const P6_EVENTS: Readonly<Record<number, Clock>> = { 0x00c0: 'instructions', 0x0079: 'cycles' };

interface Counter {
  value: number;
  /** Status bit: of the lower half, or of the upper one for fixed counters. */
  readonly bit: number;
  readonly isFixed: boolean;
  /** What it counts now, in which rings, and whether it interrupts. */
  clock: Clock | null;
  kernel: boolean;
  user: boolean;
  interrupts: boolean;
}
const counter = (bit: number, isFixed: boolean): Counter =>
  ({ value: 0, bit, isFixed, clock: null, kernel: false, user: false, interrupts: false });

export class PerformanceCounters {
  readonly #cpu: Cpu;
  readonly #isP6: boolean;
  /** The counters wrap here. */
  readonly #modulus: number;
  readonly #general: readonly Counter[];
  readonly #fixed: readonly Counter[];
  #selects: number[] = [];
  #fixedControl = 0;
  #globalLow = 0;
  #globalHigh = 0;
  #statusLow = 0;
  #statusHigh = 0;
  /** Some counter counts. */
  active = false;
  /** The clocks when the counters were brought up to date. */
  #instructions = 0;
  #cycles = 0;

  constructor(cpu: Cpu) {
    this.#cpu = cpu;
    const general = generalCounters(cpu.model);
    this.#isP6 = general === 0 && hasFeature(cpu.model, 'CMOV');
    const count = this.#isP6 ? P6_COUNTERS.number : general;
    this.#modulus = 2 ** (this.#isP6 ? P6_COUNTERS.width : 48);
    this.#general = Array.from({ length: count }, (_, bit) => counter(bit, false));
    this.#fixed = Array.from({ length: general === 0 ? 0 : FIXED.COUNTERS }, (_, bit) => counter(bit, true));
    this.reset();
  }

  reset(): void {
    for (const one of this.#all) one.value = 0;
    this.#selects = this.#general.map(() => 0);
    this.#fixedControl = this.#globalHigh = this.#statusLow = this.#statusHigh = 0;
    // SDM 3A table 9-1: the general counters are enabled globally.
    this.#globalLow = this.#generalBits;
    this.#configure();
  }

  get #all(): readonly Counter[] {
    return [...this.#general, ...this.#fixed];
  }
  get #generalBits(): number {
    return 2 ** this.#general.length - 1;
  }
  get #isArchitectural(): boolean {
    return this.#fixed.length > 0;
  }

  /** All that the guest can see. */
  save(): readonly number[] {
    this.update();
    return [
      ...this.#all.map(({ value }) => value), ...this.#selects, this.#fixedControl, this.#globalLow, this.#globalHigh, this.#statusLow,
      this.#statusHigh,
    ];
  }

  // --- registers ----------------------------------------------------------------------------------------------------

  /** The registers that this model has. */
  get msrs(): readonly number[] {
    const general = this.#general.flatMap((_, index) => [PERFORMANCE_MSR.PMC0 + index, PERFORMANCE_MSR.PERFEVTSEL0 + index]);
    if (!this.#isArchitectural) return general;
    const { FIXED_CTR0, FIXED_CTR_CTRL, GLOBAL_STATUS, GLOBAL_CTRL, GLOBAL_OVF_CTRL } = PERFORMANCE_MSR;
    return [...general, ...this.#fixed.map((_, index) => FIXED_CTR0 + index), FIXED_CTR_CTRL, GLOBAL_STATUS, GLOBAL_CTRL, GLOBAL_OVF_CTRL];
  }

  /** RDMSR; null: no register of ours. */
  read(index: number): readonly [number, number] | null {
    const { PERFEVTSEL0, FIXED_CTR_CTRL, GLOBAL_STATUS, GLOBAL_CTRL, GLOBAL_OVF_CTRL } = PERFORMANCE_MSR;
    const found = this.#counterOf(index);
    if (found !== null) return this.#words(found);
    const select = this.#selects[index - PERFEVTSEL0];
    if (select !== undefined) return [select, 0];
    if (!this.#isArchitectural) return null;
    if (index === FIXED_CTR_CTRL) return [this.#fixedControl, 0];
    if (index === GLOBAL_CTRL) return [this.#globalLow, this.#globalHigh];
    if (index === GLOBAL_OVF_CTRL) return [0, 0];
    if (index !== GLOBAL_STATUS) return null;
    this.update();
    return [this.#statusLow, this.#statusHigh];
  }

  /** WRMSR; false: no register of ours. Faults for reserved bits. */
  write(index: number, low: number, high: number): boolean {
    const { PERFEVTSEL0, FIXED_CTR_CTRL, GLOBAL_STATUS, GLOBAL_CTRL, GLOBAL_OVF_CTRL } = PERFORMANCE_MSR;
    this.update();
    const found = this.#counterOf(index), select = index - PERFEVTSEL0;
    if (found !== null) this.#load(found, low, high);
    else if (select >= 0 && select < this.#selects.length) {
      if (this.#isArchitectural && (high !== 0 || (low & SELECT.ANY) !== 0)) raise(VECTOR.GP, 0);
      this.#selects[select] = low;
    } else if (!this.#isArchitectural) return false;
    else if (index === FIXED_CTR_CTRL) {
      if (high !== 0 || (low & ~FIXED.WRITABLE) !== 0) raise(VECTOR.GP, 0);
      this.#fixedControl = low;
    } else if (index === GLOBAL_CTRL) {
      this.#checkGlobal(low, high);
      this.#globalLow = low;
      this.#globalHigh = high;
    } else if (index === GLOBAL_OVF_CTRL) {
      this.#checkGlobal(low, high & ~STATUS_BITS);
      this.#statusLow &= ~low;
      this.#statusHigh &= ~high;
    } else if (index === GLOBAL_STATUS) raise(VECTOR.GP, 0);
    else return false;
    this.#configure();
    return true;
  }

  /** RDPMC (SDM 2B): bit 30 of the index asks for a fixed counter. */
  readCounter(index: number): readonly [number, number] {
    const bank = (index & 0x40000000) !== 0 ? this.#fixed : this.#general;
    const found = bank[(index & ~0x40000000) >>> 0];
    if (found === undefined) return raise(VECTOR.GP, 0);
    return this.#words(found);
  }

  #counterOf(index: number): Counter | null {
    return this.#general[index - PERFORMANCE_MSR.PMC0] ?? this.#fixed[index - PERFORMANCE_MSR.FIXED_CTR0] ?? null;
  }

  #words(found: Counter): readonly [number, number] {
    this.update();
    return [found.value >>> 0, Math.floor(found.value / 2 ** 32)];
  }

  /** General counters take 32 bits and extend their sign; fixed ones are as wide as they count (SDM 3B 19.2.2). */
  #load(found: Counter, low: number, high: number): void {
    const upper = this.#modulus / 2 ** 32 - 1;
    if (found.isFixed && high > upper) raise(VECTOR.GP, 0);
    found.value = low + (found.isFixed ? high : low >= 2 ** 31 ? upper : 0) * 2 ** 32;
  }

  #checkGlobal(low: number, high: number): void {
    if ((low & ~this.#generalBits) !== 0 || (high & ~FIXED_BITS) !== 0) raise(VECTOR.GP, 0);
  }

  /** What each counter counts, from the registers. */
  #configure(): void {
    this.#general.forEach((one, index) => {
      const select = this.#selects[index], clock = (this.#isP6 ? P6_EVENTS : EVENTS)[select & 0xffff] ?? null;
      // EN of the P6 is that of the first register for both.
      const enabled = this.#isP6
        ? (this.#selects[0] & SELECT.EN) !== 0
        : (select & SELECT.EN) !== 0 && ((this.#globalLow >>> index) & 1) !== 0;
      one.clock = enabled && (select & SELECT.MODIFIERS) === 0 ? clock : null;
      one.kernel = (select & SELECT.OS) !== 0;
      one.user = (select & SELECT.USR) !== 0;
      one.interrupts = (select & SELECT.INT) !== 0;
    });
    this.#fixed.forEach((one, index) => {
      const control = (this.#fixedControl >>> (index * 4)) & 15;
      one.clock = ((this.#globalHigh >>> index) & 1) === 0 ? null : index === 0 ? 'instructions' : 'cycles';
      one.kernel = (control & FIXED.OS) !== 0;
      one.user = (control & FIXED.USR) !== 0;
      one.interrupts = (control & FIXED.PMI) !== 0;
    });
    const wasActive = this.active;
    this.active = this.#all.some(({ clock, kernel, user }) => clock !== null && (kernel || user));
    if (this.active && !wasActive) this.#stamp();
    if (this.active) this.#endSliceIfNear();
  }

  // --- counting -----------------------------------------------------------------------------------------------------

  #stamp(): void {
    this.#instructions = this.#cpu.instructionCount;
    this.#cycles = this.#cpu.host.cycles();
  }

  #counts(one: Counter): boolean {
    return one.clock !== null && (this.#cpu.cpl === 0 ? one.kernel : one.user);
  }

  /** Brings the counters up to date. To be called before what they depend on changes, and after each run. */
  update(): void {
    if (!this.active) return;
    const instructions = this.#instructions, cycles = this.#cycles;
    this.#stamp();
    const passed = { instructions: this.#instructions - instructions, cycles: this.#cycles - cycles };
    let interrupts = false;
    for (const one of this.#all) {
      if (!this.#counts(one)) continue;
      one.value += passed[one.clock!];
      if (one.value < this.#modulus) continue;
      one.value %= this.#modulus;
      if (one.isFixed) this.#statusHigh |= 1 << one.bit;
      else if (this.#isArchitectural) this.#statusLow |= 1 << one.bit;
      interrupts ||= one.interrupts;
    }
    if (interrupts) this.#cpu.host.performanceInterrupt();
  }

  /** The privilege level has changed between the kernel's and others; `update` was called before. */
  levelChanged(): void {
    this.#endSliceIfNear();
  }

  /** The instruction count before which no counter interrupts; Infinity: none will. */
  countAtOverflow(nsPerInstruction: number): number {
    if (!this.active) return Infinity;
    let left = Infinity;
    for (const one of this.#all) {
      if (!one.interrupts || !this.#counts(one)) continue;
      left = Math.min(left, (this.#modulus - one.value) / (one.clock === 'cycles' ? nsPerInstruction : 1));
    }
    return this.#instructions + Math.ceil(left);
  }

  /** The slice in progress was measured for other counters: what is about to overflow ends it. */
  #endSliceIfNear(): void {
    if (this.#all.some((one) => one.interrupts && this.#counts(one) && this.#modulus - one.value < NEAR)) this.#cpu.endSlice();
  }
}
