// KVM's paravirtual clock (Linux Documentation/virt/kvm/x86/msr.rst): guest time by the time-stamp counter, and the wall clock
// at power-on. Both structures are written when the guest names their place; they change with the counter's value only.
import type { Device, ResetKind, Wiring } from '../../bus/device.ts';
import { record, recordCodec, u32 } from '../../bus/savedState.ts';

export interface KvmClockState {
  /** MSR_KVM_SYSTEM_TIME_NEW: physical address, bit 0: on. */
  systemLow: number;
  systemHigh: number;
  /** MSR_KVM_WALL_CLOCK_NEW. */
  wallLow: number;
  wallHigh: number;
}

export const KVM_MSR = {
  WALL_CLOCK_OLD: 0x11,
  SYSTEM_TIME_OLD: 0x12,
  WALL_CLOCK: 0x4b564d00,
  SYSTEM_TIME: 0x4b564d01,
  /** Asynchronous page faults, steal time, end of interrupt: CPUID does not offer them; they can be off only. */
  ASYNC_PF: 0x4b564d02,
  STEAL_TIME: 0x4b564d03,
  PV_EOI: 0x4b564d04,
} as const;

const shape = record<KvmClockState>({ systemLow: u32, systemHigh: u32, wallLow: u32, wallHigh: u32 });

const ENABLE = 1;
/** PVCLOCK_TSC_STABLE_BIT: the same on all processors, never going back. */
const STABLE = 1;
/** nanoseconds = ((counter - then) << shift) * multiplier / 2^32: exactly one at 1 GHz. */
const MULTIPLIER = 0x80000000;
const SHIFT = 1;

const powerOn = (): KvmClockState => ({ systemLow: 0, systemHigh: 0, wallLow: 0, wallHigh: 0 });

export class KvmClock implements Device<KvmClockState> {
  // wiring
  readonly id = 'kvmClock0';
  readonly #wiring: Wiring;
  readonly #timestampOffset: () => number;
  readonly #wallStart: number;

  // guest-visible state
  #r = powerOn();

  /** The structures lie in the guest's memory: a restored machine has them. */
  readonly state = recordCodec(1, shape, () => this.#r, (saved) => void (this.#r = saved));

  /** `timestampOffset`: what the 1 GHz counter is ahead of guest time; `wallStart`: seconds since 1970 at guest time 0. */
  constructor(wiring: Wiring, timestampOffset: () => number, wallStart: number) {
    this.#wiring = wiring;
    this.#timestampOffset = timestampOffset;
    this.#wallStart = wallStart;
  }

  reset(_kind: ResetKind): void {
    this.#r = powerOn();
  }

  /** [low, high], or null for a register that is not here. */
  readMsr(index: number): readonly [number, number] | null {
    switch (index) {
      case KVM_MSR.SYSTEM_TIME:
      case KVM_MSR.SYSTEM_TIME_OLD:
        return [this.#r.systemLow, this.#r.systemHigh];
      case KVM_MSR.WALL_CLOCK:
      case KVM_MSR.WALL_CLOCK_OLD:
        return [this.#r.wallLow, this.#r.wallHigh];
      case KVM_MSR.ASYNC_PF:
      case KVM_MSR.STEAL_TIME:
      case KVM_MSR.PV_EOI:
        return [0, 0];
      default:
        return null;
    }
  }

  /** False: no such register, or a feature that is not offered. */
  writeMsr(index: number, low: number, high: number): boolean {
    switch (index) {
      case KVM_MSR.SYSTEM_TIME:
      case KVM_MSR.SYSTEM_TIME_OLD:
        this.#r.systemLow = low;
        this.#r.systemHigh = high;
        this.#writeSystemTime();
        return true;
      case KVM_MSR.WALL_CLOCK:
      case KVM_MSR.WALL_CLOCK_OLD:
        this.#r.wallLow = low;
        this.#r.wallHigh = high;
        this.#writeWallClock();
        return true;
      case KVM_MSR.ASYNC_PF:
      case KVM_MSR.STEAL_TIME:
      case KVM_MSR.PV_EOI:
        return (low & ENABLE) === 0;
      default:
        return false;
    }
  }

  /** The time-stamp counter was written. */
  timestampChanged(): void {
    this.#writeSystemTime();
  }

  /** struct pvclock_vcpu_time_info; the version is odd while it is written. */
  #writeSystemTime(): void {
    const { systemLow, systemHigh } = this.#r;
    if ((systemLow & ENABLE) === 0 || systemHigh !== 0) return;
    const { memory } = this.#wiring;
    const at = (systemLow & ~ENABLE) >>> 0;
    const version = ((memory.read32(at) | 1) + 2) >>> 0;
    memory.write32(at, version);
    const now = this.#wiring.now();
    this.#write64(at + 8, now + this.#timestampOffset());
    this.#write64(at + 16, now);
    memory.write32(at + 24, MULTIPLIER);
    memory.write32(at + 28, SHIFT | (STABLE << 8));
    memory.write32(at, (version + 1) >>> 0);
  }

  /** struct pvclock_wall_clock: the time of day at guest time 0. */
  #writeWallClock(): void {
    const { wallLow, wallHigh } = this.#r;
    if (wallHigh !== 0) return;
    const { memory } = this.#wiring;
    const version = ((memory.read32(wallLow) | 1) + 2) >>> 0;
    memory.write32(wallLow, version);
    memory.write32(wallLow + 4, this.#wallStart >>> 0);
    memory.write32(wallLow + 8, 0);
    memory.write32(wallLow, (version + 1) >>> 0);
  }

  #write64(address: number, value: number): void {
    const { memory } = this.#wiring;
    const high = Math.floor(value / 2 ** 32);
    memory.write32(address, value >>> 0);
    memory.write32(address + 4, high >>> 0);
  }
}
