// Local APIC of the one processor (SDM 3A chapter 10), memory-mapped, with its timer in apicTimer.ts.
import type { Device, Line, Mapping, ResetKind, Wiring } from '../../bus/device.ts';
import type { AccessSize } from '../../bus/portMap.ts';
import { flag, integer, list, record, recordCodec, u32, u8 } from '../../bus/savedState.ts';
import { ApicTimer, apicTimerShape, type ApicTimerState } from './apicTimer.ts';
import { endOf, highestOf, newVectors, setVector, vectorsShape } from './apicVectors.ts';
import {
  APIC_BASE, DELIVERY, ERROR, ICR, LVT, LVT_ACTIVE_LOW, LVT_LEVEL, LVT_MASKED, LVT_REMOTE_IRR, LVT_WRITABLE, MSR, REGISTER, SHORTHAND,
  SVR_ENABLE, SVR_WRITABLE, TIMER_DEADLINE_MODE, VERSION,
} from './localApic.registers.ts';

export interface LocalApicState {
  /** IA32_APIC_BASE. */
  baseLow: number;
  baseHigh: number;
  id: number;
  taskPriority: number;
  logicalDestination: number;
  destinationFormat: number;
  spurious: number;
  isr: number[];
  tmr: number[];
  irr: number[];
  /** Errors since the last write to the ESR, and what the ESR shows. */
  errors: number;
  errorStatus: number;
  icrLow: number;
  icrHigh: number;
  lvt: number[];
  timer: ApicTimerState;
  /** Levels on LINT0 and LINT1. */
  lint0: boolean;
  lint1: boolean;
  /** An I/O APIC holds an ExtINT request up. */
  externalRequest: boolean;
}

const shape = record<LocalApicState>({
  baseLow: u32,
  baseHigh: u8,
  id: u8,
  taskPriority: u8,
  logicalDestination: u8,
  destinationFormat: integer(0, 15),
  spurious: integer(0, SVR_WRITABLE),
  isr: vectorsShape,
  tmr: vectorsShape,
  irr: vectorsShape,
  errors: u8,
  errorStatus: u8,
  icrLow: u32,
  icrHigh: u32,
  lvt: list(u32, 6, 6),
  timer: apicTimerShape,
  lint0: flag,
  lint1: flag,
  externalRequest: flag,
});

/** An interrupt message as an I/O APIC or an ICR sends it. */
export interface InterruptMessage {
  readonly vector: number;
  /** DELIVERY. */
  readonly mode: number;
  readonly level: boolean;
  readonly destination: number;
  readonly logical: boolean;
}

export interface LocalApicOptions {
  /** EOI of a level-triggered interrupt, broadcast to I/O APICs. */
  readonly onEoi: (vector: number) => void;
  /** INIT sent to this processor. */
  readonly onInit: () => void;
  /** The time-stamp counter at guest time 0. */
  readonly timestampOffset: () => number;
  /** There is IA32_TSC_DEADLINE and the timer's mode for it. */
  readonly tscDeadline: boolean;
}

export class LocalApic implements Device<LocalApicState> {
  // wiring
  readonly id = 'lapic0';
  readonly #wiring: Wiring;
  readonly #options: LocalApicOptions;
  readonly #intr: Line;
  readonly #nmi: Line;
  #mapping: Mapping | null = null;
  #mappedBase = -1;

  // guest-visible state
  readonly #timer: ApicTimer;
  #r: Omit<LocalApicState, 'timer'>;

  readonly state = recordCodec(
    1,
    shape,
    () => ({ ...this.#r, timer: this.#timer.state }),
    ({ timer, ...rest }) => {
      this.#r = rest;
      this.#timer.restore(timer);
      this.#map();
      this.#syncOutputs();
    },
  );

  constructor(wiring: Wiring, options: LocalApicOptions) {
    this.#wiring = wiring;
    this.#options = options;
    this.#intr = wiring.irq('intr');
    this.#nmi = wiring.irq('nmi');
    this.#timer = new ApicTimer(wiring, options.timestampOffset, () => this.#local(LVT.TIMER));
    this.#r = powerOn();
    this.#map();
  }

  reset(kind: ResetKind): void {
    const { lint0, lint1, externalRequest, baseLow, baseHigh, id } = this.#r;
    // INIT leaves the ID and IA32_APIC_BASE alone (10.4.7.3).
    this.#r = { ...powerOn(), lint0, lint1, externalRequest, ...(kind === 'soft' ? { baseLow, baseHigh, id } : {}) };
    this.#timer.reset();
    this.#map();
    this.#syncOutputs();
  }

  // --- pins and messages --------------------------------------------------------------------------------------------

  /** LINT0 carries INTR of the 8259s, LINT1 NMI; with the APIC switched off they are the processor's own pins. */
  readonly lint0: Line = { set: (level) => this.#pin('lint0', LVT.LINT0, level) };
  readonly lint1: Line = { set: (level) => this.#pin('lint1', LVT.LINT1, level) };

  /** An ExtINT request that an I/O APIC holds up: the vector comes from the 8259s as well. */
  setExternalRequest(level: boolean): void {
    this.#r.externalRequest = level;
    this.#syncOutputs();
  }

  /** A message on the APIC bus; false: no processor takes it. */
  deliver(message: InterruptMessage): boolean {
    if (!this.#isEnabled || !this.#isAddressed(message.destination, message.logical)) return false;
    return this.#take(message.mode, message.vector, message.level);
  }

  /** The next interrupt is one of the 8259s', which answer the INTA cycle. */
  get takesExternal(): boolean {
    return !this.#isEnabled || this.#hasExternal;
  }

  /** Level of INTR to the processor. */
  get interruptPending(): boolean {
    if (!this.#isEnabled) return this.#r.lint0;
    const vector = highestOf(this.#r.irr);
    return this.#hasExternal || (vector >= 0 && vector >> 4 > this.#processorPriority >> 4);
  }

  /** The processor takes the highest interrupt: its vector, the spurious one if there is none any more (10.9). */
  acknowledge(): number {
    const vector = highestOf(this.#r.irr);
    if (vector < 0 || vector >> 4 <= this.#processorPriority >> 4) return this.#r.spurious & 0xff;
    setVector(this.#r.irr, vector, false);
    setVector(this.#r.isr, vector, true);
    this.#syncOutputs();
    return vector;
  }

  /** CR8: bits 7:4 of the task priority (10.8.6.1). */
  get taskPriority(): number {
    return this.#r.taskPriority >> 4;
  }
  set taskPriority(value: number) {
    this.#r.taskPriority = (value & 15) << 4;
    this.#syncOutputs();
  }

  /** A performance counter has overflowed; its entry is masked until software has seen to it (SDM 3B 19.6.3.5, 10.5.1). */
  performanceInterrupt(): void {
    if (!this.#isEnabled) return;
    this.#local(LVT.PERFORMANCE);
    this.#r.lvt[LVT.PERFORMANCE]! |= LVT_MASKED;
  }

  /** The time-stamp counter was written: the deadline is at another guest time. */
  timestampChanged(): void {
    this.#timer.arm();
  }

  /** [low, high], or null for a register that is not here. */
  readMsr(index: number): readonly [number, number] | null {
    if (index === MSR.APIC_BASE) return [this.#r.baseLow, this.#r.baseHigh];
    return index === MSR.TSC_DEADLINE && this.#options.tscDeadline ? this.#timer.deadline : null;
  }

  /** False: no such register, or a reserved bit. */
  writeMsr(index: number, low: number, high: number): boolean {
    if (index === MSR.TSC_DEADLINE && this.#options.tscDeadline) {
      this.#timer.setDeadline(low, high);
      return true;
    }
    if (index !== MSR.APIC_BASE) return false;
    if ((low & 0x6ff) !== 0 && (low & 0x6ff) !== APIC_BASE.BSP) return false;
    if (high > 0xff) return false;
    const wasEnabled = this.#isEnabled;
    this.#r.baseLow = low >>> 0;
    this.#r.baseHigh = high;
    if (wasEnabled && !this.#isEnabled) this.#disable();
    this.#map();
    this.#syncOutputs();
    return true;
  }

  // --- registers ----------------------------------------------------------------------------------------------------

  /** Registers are the first four of each 16 bytes (10.4.1). */
  #read(offset: number, size: AccessSize): number {
    const byte = offset & 15;
    if (byte + size > 4) return 0;
    const value = this.#readRegister(offset & ~15);
    return size === 4 ? value : (value >>> (8 * byte)) & (size === 2 ? 0xffff : 0xff);
  }

  #readRegister(offset: number): number {
    const r = this.#r;
    if (offset >= REGISTER.ISR && offset < REGISTER.ESR) {
      const words = offset < REGISTER.TMR ? r.isr : offset < REGISTER.IRR ? r.tmr : r.irr;
      return words[(offset >> 4) & 7]!;
    }
    if (offset >= REGISTER.LVT_TIMER && offset <= REGISTER.LVT_ERROR) return r.lvt[(offset - REGISTER.LVT_TIMER) >> 4]!;
    switch (offset) {
      case REGISTER.ID:
        return (r.id << 24) >>> 0;
      case REGISTER.VERSION:
        return VERSION;
      case REGISTER.TPR:
        return r.taskPriority;
      case REGISTER.APR:
        return this.#arbitrationPriority;
      case REGISTER.PPR:
        return this.#processorPriority;
      case REGISTER.EOI:
      case REGISTER.RRD:
        return 0;
      case REGISTER.LDR:
        return (r.logicalDestination << 24) >>> 0;
      case REGISTER.DFR:
        return ((r.destinationFormat << 28) | 0x0fffffff) >>> 0;
      case REGISTER.SVR:
        return r.spurious;
      case REGISTER.ESR:
        return r.errorStatus;
      case REGISTER.ICR_LOW:
        return r.icrLow;
      case REGISTER.ICR_HIGH:
        return r.icrHigh;
      case REGISTER.INITIAL_COUNT:
        return this.#timer.initialCount;
      case REGISTER.CURRENT_COUNT:
        return this.#timer.currentCount;
      case REGISTER.DIVIDE:
        return this.#timer.divide;
      default:
        this.#error(ERROR.ILLEGAL_REGISTER);
        return 0;
    }
  }

  #write(offset: number, value: number, size: AccessSize): void {
    if (size !== 4 || (offset & 15) !== 0) {
      this.#wiring.guestError('APIC register written in part', { offset, size });
      return;
    }
    this.#writeRegister(offset, value);
    this.#syncOutputs();
  }

  #writeRegister(offset: number, value: number): void {
    const r = this.#r;
    if (offset >= REGISTER.LVT_TIMER && offset <= REGISTER.LVT_ERROR) {
      this.#writeLvt((offset - REGISTER.LVT_TIMER) >> 4, value);
      return;
    }
    switch (offset) {
      case REGISTER.ID:
        r.id = value >>> 24;
        return;
      case REGISTER.TPR:
        r.taskPriority = value & 0xff;
        return;
      case REGISTER.EOI:
        this.#endOfInterrupt();
        return;
      case REGISTER.LDR:
        r.logicalDestination = value >>> 24;
        return;
      case REGISTER.DFR:
        r.destinationFormat = value >>> 28;
        return;
      case REGISTER.SVR:
        r.spurious = value & SVR_WRITABLE;
        // 10.4.7.2: mask bits are set and stay so.
        if (!this.#isSoftwareEnabled) r.lvt = r.lvt.map((entry) => entry | LVT_MASKED);
        return;
      case REGISTER.ESR:
        r.errorStatus = r.errors;
        r.errors = 0;
        return;
      case REGISTER.ICR_HIGH:
        r.icrHigh = (value & 0xff000000) >>> 0;
        return;
      case REGISTER.ICR_LOW:
        r.icrLow = value & ICR.WRITABLE;
        this.#sendCommand();
        return;
      case REGISTER.INITIAL_COUNT:
        this.#timer.setInitialCount(value);
        return;
      case REGISTER.DIVIDE:
        this.#timer.setDivide(value);
        return;
      case REGISTER.VERSION:
      case REGISTER.APR:
      case REGISTER.PPR:
      case REGISTER.RRD:
      case REGISTER.CURRENT_COUNT:
        return;
      default:
        if (offset < REGISTER.ISR || offset >= REGISTER.ESR) this.#error(ERROR.ILLEGAL_REGISTER);
    }
  }

  #writeLvt(index: number, value: number): void {
    const r = this.#r;
    const writable = LVT_WRITABLE[index]! & (this.#options.tscDeadline ? ~0 : ~TIMER_DEADLINE_MODE);
    const masked = this.#isSoftwareEnabled ? 0 : LVT_MASKED;
    const kept = value & LVT_LEVEL ? r.lvt[index]! & LVT_REMOTE_IRR : 0;
    r.lvt[index] = (value & writable) | masked | kept;
    if (index === LVT.TIMER) this.#timer.setMode((r.lvt[index]! >> 17) & 3);
    // A level that is up already counts at once.
    if (index === LVT.LINT0 && this.#isActive(index, r.lint0)) this.#lintLevel(index);
    if (index === LVT.LINT1 && this.#isActive(index, r.lint1)) this.#lintLevel(index);
  }

  // --- acceptance ---------------------------------------------------------------------------------------------------

  get #isEnabled(): boolean {
    return (this.#r.baseLow & APIC_BASE.ENABLE) !== 0;
  }
  get #isSoftwareEnabled(): boolean {
    return (this.#r.spurious & SVR_ENABLE) !== 0;
  }

  /** 10.8.3.1. */
  get #processorPriority(): number {
    const served = Math.max(0, highestOf(this.#r.isr)) & 0xf0;
    const task = this.#r.taskPriority;
    return (task & 0xf0) >= served ? task : served;
  }

  /** 10.6.2.4. */
  get #arbitrationPriority(): number {
    const requested = Math.max(0, highestOf(this.#r.irr)) & 0xf0;
    const served = Math.max(0, highestOf(this.#r.isr)) & 0xf0;
    const task = this.#r.taskPriority;
    if ((task & 0xf0) >= requested && (task & 0xf0) > served) return task;
    return Math.max(task & 0xf0, served, requested);
  }

  /** 10.6.2: physical, or logical in the flat or the cluster model. */
  #isAddressed(destination: number, logical: boolean): boolean {
    const r = this.#r;
    if (destination === 0xff) return true;
    if (!logical) return destination === r.id;
    const own = r.logicalDestination;
    if (r.destinationFormat === 15) return (own & destination) !== 0;
    if (r.destinationFormat !== 0) return false;
    const cluster = destination >> 4;
    return (cluster === 15 || cluster === own >> 4) && (own & destination & 15) !== 0;
  }

  /** True: accepted. */
  #take(mode: number, vector: number, level: boolean): boolean {
    switch (mode) {
      case DELIVERY.FIXED:
      case DELIVERY.LOWEST:
        return this.#request(vector, level);
      case DELIVERY.NMI:
        this.#nmi.set(true);
        this.#nmi.set(false);
        return true;
      case DELIVERY.INIT:
        this.#options.onInit();
        return true;
      default:
        // SMI: there is no system management mode. Startup: this processor does not wait for one.
        return true;
    }
  }

  #request(vector: number, level: boolean): boolean {
    if (!this.#isSoftwareEnabled) return false;
    if (vector < 16) {
      this.#error(ERROR.RECEIVE_ILLEGAL);
      return false;
    }
    setVector(this.#r.irr, vector, true);
    setVector(this.#r.tmr, vector, level);
    this.#syncOutputs();
    return true;
  }

  #endOfInterrupt(): void {
    const r = this.#r;
    const vector = endOf(r.isr);
    if (vector < 0) return;
    for (const index of [LVT.LINT0, LVT.LINT1]) {
      const entry = r.lvt[index]!;
      if ((entry & LVT_REMOTE_IRR) === 0 || (entry & 0xff) !== vector) continue;
      r.lvt[index] = entry & ~LVT_REMOTE_IRR;
      if (this.#isActive(index, index === LVT.LINT0 ? r.lint0 : r.lint1)) this.#lintLevel(index);
    }
    if ((r.tmr[vector >> 5]! >>> (vector & 31)) & 1) this.#options.onEoi(vector);
  }

  /** ICR: to this processor; messages to others reach nobody (10.6.1). */
  #sendCommand(): void {
    const { icrLow, icrHigh } = this.#r;
    const mode = (icrLow >> 8) & 7, vector = icrLow & 0xff;
    const shorthand = (icrLow >> 18) & 3;
    const isFixed = mode === DELIVERY.FIXED || mode === DELIVERY.LOWEST;
    if (isFixed && vector < 16) {
      this.#error(ERROR.SEND_ILLEGAL);
      return;
    }
    if (shorthand === SHORTHAND.OTHERS) return;
    const addressed = shorthand !== SHORTHAND.NONE || this.#isAddressed(icrHigh >>> 24, (icrLow & ICR.LOGICAL) !== 0);
    // 10.6.1 table 10-3: "self" is for fixed interrupts; an INIT level de-assert only sets arbitration IDs.
    if (!addressed || (shorthand === SHORTHAND.SELF && mode !== DELIVERY.FIXED)) return;
    if (mode === DELIVERY.INIT && (icrLow & ICR.LEVEL) !== 0 && (icrLow & ICR.ASSERT) === 0) return;
    this.#take(mode, vector, false);
  }

  /** An interrupt of the local vector table. */
  #local(index: number): void {
    const entry = this.#r.lvt[index]!;
    if ((entry & LVT_MASKED) !== 0) return;
    const mode = index === LVT.TIMER || index === LVT.ERROR ? DELIVERY.FIXED : (entry >> 8) & 7;
    this.#take(mode, entry & 0xff, false);
  }

  /** Errors are shown at the next write to the ESR; a new one interrupts (10.5.3). */
  #error(bit: number): void {
    const isNew = (this.#r.errors & bit) === 0;
    this.#r.errors |= bit;
    const entry = this.#r.lvt[LVT.ERROR]!;
    if (isNew && (entry & LVT_MASKED) === 0 && (entry & 0xff) >= 16) this.#request(entry & 0xff, false);
  }

  // --- LINT pins ----------------------------------------------------------------------------------------------------

  #pin(pin: 'lint0' | 'lint1', index: number, level: boolean): void {
    const r = this.#r;
    if (r[pin] === level) return;
    const before = this.#isActive(index, r[pin]);
    r[pin] = level;
    const active = this.#isActive(index, level);
    if (!this.#isEnabled) {
      if (pin === 'lint1') this.#nmi.set(level);
    } else if (active && !before) this.#lintRise(index);
    this.#syncOutputs();
  }

  #isActive(index: number, level: boolean): boolean {
    return level !== ((this.#r.lvt[index]! & LVT_ACTIVE_LOW) !== 0);
  }

  #lintRise(index: number): void {
    const entry = this.#r.lvt[index]!;
    if (((entry >> 8) & 7) === DELIVERY.FIXED && (entry & LVT_LEVEL) !== 0) this.#lintLevel(index);
    else if (((entry >> 8) & 7) !== DELIVERY.EXTINT) this.#local(index);
  }

  /** A fixed, level-triggered pin is up. */
  #lintLevel(index: number): void {
    const entry = this.#r.lvt[index]!;
    const blocked = LVT_MASKED | LVT_REMOTE_IRR | 0x700;
    if ((entry & LVT_LEVEL) === 0 || (entry & blocked) !== 0) return;
    if (this.#request(entry & 0xff, true)) this.#r.lvt[index] = entry | LVT_REMOTE_IRR;
  }

  // --- outputs ------------------------------------------------------------------------------------------------------

  /** Switching the APIC off loses what it held; switched on again it is as after power-up (10.4.3). */
  #disable(): void {
    const { lint0, lint1, externalRequest, baseLow, baseHigh, id } = this.#r;
    this.#r = { ...powerOn(), lint0, lint1, externalRequest, baseLow, baseHigh, id };
    this.#timer.reset();
  }

  #map(): void {
    const { baseLow, baseHigh } = this.#r;
    const base = this.#isEnabled && baseHigh === 0 ? (baseLow & ~0xfff) >>> 0 : -1;
    if (base === this.#mappedBase) return;
    this.#mapping?.unmap();
    this.#mappedBase = base;
    this.#mapping =
      base < 0
        ? null
        : this.#wiring.mmio(this.id, base, 0x1000, {
            read: (offset, size) => this.#read(offset, size),
            write: (offset, value, size) => this.#write(offset, value, size),
          });
  }

  get #hasExternal(): boolean {
    const { lvt, lint0, externalRequest } = this.#r;
    const entry = lvt[LVT.LINT0]!;
    const throughPin = ((entry >> 8) & 7) === DELIVERY.EXTINT && (entry & LVT_MASKED) === 0 && lint0;
    return throughPin || externalRequest;
  }

  #syncOutputs(): void {
    this.#intr.set(this.interruptPending);
  }
}

function powerOn(): Omit<LocalApicState, 'timer'> {
  return {
    baseLow: (APIC_BASE.DEFAULT | APIC_BASE.ENABLE | APIC_BASE.BSP) >>> 0,
    baseHigh: 0,
    id: 0,
    taskPriority: 0,
    logicalDestination: 0,
    destinationFormat: 15,
    spurious: 0xff,
    isr: newVectors(),
    tmr: newVectors(),
    irr: newVectors(),
    errors: 0,
    errorStatus: 0,
    icrLow: 0,
    icrHigh: 0,
    lvt: new Array<number>(6).fill(LVT_MASKED),
    lint0: false,
    lint1: false,
    externalRequest: false,
  };
}
