// MC146818A real-time clock and CMOS RAM (Motorola data sheet; PIIX3 3.6). Time is a function of guest time.
import type { Device, Line, ResetKind, Timer, Wiring } from '../../bus/device.ts';
import { nsOfTick, ticksAt } from '../../bus/guestTicks.ts';
import { bytePorts } from '../../bus/portMap.ts';
import { bytes, count, integer, record, recordCodec, u8 } from '../../bus/savedState.ts';
import { A, ALARM_ANY, B, C, D_VRT, RTC, UIP_NS } from './rtcCmos.registers.ts';

export interface RtcCmosState {
  /** Registers and RAM; the time registers hold the time only while it stands still (SET, divider held). */
  cmos: Uint8Array;
  /** Index register, port 70h; bit 7 masks the NMI. */
  index: number;
  /** Seconds since 1970 at `baseNs`. */
  baseSeconds: number;
  baseNs: number;
  /** Flags of register C found so far. */
  flags: number;
  /** Guest time up to which flags were looked for. */
  checkedNs: number;
}

const shape = record<RtcCmosState>({
  cmos: bytes(128),
  index: u8,
  baseSeconds: integer(-(2 ** 40), 2 ** 40),
  baseNs: integer(-1e9, Number.MAX_SAFE_INTEGER),
  flags: u8,
  checkedNs: count,
});

const SECOND = 1e9;
const CRYSTAL = 32768;
const isTime = (register: number): boolean => register <= RTC.YEAR || register === RTC.CENTURY;
const isAlarm = (register: number): boolean =>
  register === RTC.SECONDS_ALARM || register === RTC.MINUTES_ALARM || register === RTC.HOURS_ALARM;

export class RtcCmos implements Device<RtcCmosState> {
  // wiring
  readonly id = 'rtc0';
  readonly #wiring: Wiring;
  readonly #irq: Line;
  readonly #timer: Timer;

  // guest-visible state
  #r: RtcCmosState;

  readonly state = recordCodec(
    1,
    shape,
    () => {
      this.#look();
      return this.#r;
    },
    (saved) => {
      this.#r = saved;
      this.#syncOutputs();
    },
  );

  /** `startSeconds`: seconds since 1970 that the clock shows at guest time 0. */
  constructor(wiring: Wiring, startSeconds: number) {
    this.#wiring = wiring;
    this.#irq = wiring.irq('irq');
    this.#timer = wiring.timer(() => this.#syncOutputs());
    this.#r = { cmos: new Uint8Array(128), index: 0, baseSeconds: startSeconds, baseNs: 0, flags: 0, checkedNs: 0 };
    this.#r.cmos[RTC.A] = A.DIVIDER_RUN | 6;
    this.#r.cmos[RTC.B] = B.HOURS_24;
    this.#r.cmos[RTC.D] = D_VRT;
    wiring.ports(this.id, 0x70, 2, bytePorts(this));
  }

  /** MC146818A p.10: RESET clears the interrupt enables and flags; time and RAM live on the battery. */
  reset(kind: ResetKind): void {
    if (kind === 'soft') return;
    this.#r.index = 0;
    this.#r.cmos[RTC.B]! &= ~(B.PIE | B.AIE | B.UIE | B.SQWE);
    this.#r.flags = 0;
    this.#r.checkedNs = this.#wiring.now();
    this.#syncOutputs();
  }

  /** CMOS RAM as firmware finds it; the clock's registers 00h-0Dh are left alone. */
  setNvram(index: number, value: number): void {
    if (index > RTC.D && index < 128) this.#r.cmos[index] = value;
  }

  nvram(index: number): number {
    return this.#r.cmos[index & 0x7f]!;
  }

  /** Port 70h bit 7. */
  get nmiMasked(): boolean {
    return (this.#r.index & 0x80) !== 0;
  }

  read8(port: number): number {
    if (!(port & 1)) return 0xff; // the index register is write-only
    const register = this.#r.index & 0x7f;
    if (register === RTC.A) return this.#r.cmos[RTC.A]! | (this.#updateInProgress() ? A.UIP : 0);
    if (register === RTC.C) return this.#readC();
    if (isTime(register) && !isAlarm(register) && this.#ticking()) this.#showTime();
    return this.#r.cmos[register]!;
  }

  write8(port: number, value: number): void {
    if (!(port & 1)) {
      this.#r.index = value;
      return;
    }
    const register = this.#r.index & 0x7f;
    if (register === RTC.A || register === RTC.B) this.#writeControl(register, value);
    else if (register === RTC.C || register === RTC.D) return;
    else if (isAlarm(register)) {
      this.#look();
      this.#r.cmos[register] = value;
      this.#syncOutputs();
    } else if (isTime(register)) this.#writeTime(register, value);
    else this.#r.cmos[register] = value;
  }

  #writeControl(register: number, value: number): void {
    this.#look();
    const wasTicking = this.#ticking();
    if (wasTicking) this.#showTime();
    this.#r.cmos[register] = register === RTC.A ? value & ~A.UIP : value;
    if (register === RTC.B && value & B.SET) this.#r.cmos[RTC.B]! &= ~B.UIE; // MC146818A p.14
    if (!wasTicking && this.#ticking()) {
      // Starting the divider gives the first update half a second later (MC146818A p.13); leaving SET does not touch it.
      this.#takeTime(register === RTC.A ? SECOND / 2 : this.#wiring.now() % SECOND);
    }
    this.#syncOutputs();
  }

  #writeTime(register: number, value: number): void {
    const ticking = this.#ticking();
    if (ticking) this.#showTime();
    this.#r.cmos[register] = value;
    if (!ticking) return;
    this.#takeTime((this.#wiring.now() - this.#r.baseNs) % SECOND);
    this.#syncOutputs();
  }

  #readC(): number {
    this.#look();
    const flags = this.#r.flags;
    const value = flags | (this.#asserted() ? C.IRQF : 0);
    this.#r.flags = 0;
    this.#syncOutputs();
    return value;
  }

  #ticking(): boolean {
    const divider = this.#r.cmos[RTC.A]! & A.DIVIDER;
    return !(this.#r.cmos[RTC.B]! & B.SET) && divider < 0x60;
  }

  #updateInProgress(): boolean {
    if (!this.#ticking()) return false;
    return (this.#wiring.now() - this.#r.baseNs) % SECOND >= SECOND - UIP_NS;
  }

  #secondsAt(ns: number): number {
    return this.#r.baseSeconds + Math.floor((ns - this.#r.baseNs) / SECOND);
  }

  #encode(value: number): number {
    return this.#r.cmos[RTC.B]! & B.BINARY ? value : (Math.floor(value / 10) << 4) | (value % 10);
  }

  #decode(value: number): number {
    return this.#r.cmos[RTC.B]! & B.BINARY ? value : (value >> 4) * 10 + (value & 15);
  }

  #decodeHour(value: number): number {
    if (this.#r.cmos[RTC.B]! & B.HOURS_24) return this.#decode(value);
    return (this.#decode(value & 0x7f) % 12) + (value & 0x80 ? 12 : 0);
  }

  /** The current time into the registers. */
  #showTime(): void {
    const date = new Date(this.#secondsAt(this.#wiring.now()) * 1000);
    const cmos = this.#r.cmos;
    const hour = date.getUTCHours();
    cmos[RTC.SECONDS] = this.#encode(date.getUTCSeconds());
    cmos[RTC.MINUTES] = this.#encode(date.getUTCMinutes());
    cmos[RTC.HOURS] =
      cmos[RTC.B]! & B.HOURS_24 ? this.#encode(hour) : this.#encode(hour % 12 || 12) | (hour >= 12 ? 0x80 : 0);
    cmos[RTC.WEEKDAY] = date.getUTCDay() + 1;
    cmos[RTC.DAY] = this.#encode(date.getUTCDate());
    cmos[RTC.MONTH] = this.#encode(date.getUTCMonth() + 1);
    cmos[RTC.YEAR] = this.#encode(date.getUTCFullYear() % 100);
    cmos[RTC.CENTURY] = this.#encode(Math.floor(date.getUTCFullYear() / 100) % 100);
  }

  /** The registers become the current time, `phaseNs` into its second. Nonsense dates roll over as a calendar does. */
  #takeTime(phaseNs: number): void {
    const cmos = this.#r.cmos;
    const year = this.#decode(cmos[RTC.CENTURY]!) * 100 + this.#decode(cmos[RTC.YEAR]!);
    const date = new Date(0);
    date.setUTCFullYear(year, this.#decode(cmos[RTC.MONTH]!) - 1, this.#decode(cmos[RTC.DAY]!));
    const day = date.getTime() / 1000;
    this.#r.baseSeconds =
      day + this.#decodeHour(cmos[RTC.HOURS]!) * 3600 + this.#decode(cmos[RTC.MINUTES]!) * 60 + this.#decode(cmos[RTC.SECONDS]!);
    this.#r.baseNs = this.#wiring.now() - Math.floor(phaseNs);
  }

  /** Ticks of the crystal between periodic interrupts; 0 when off (MC146818A table 5). */
  #periodTicks(): number {
    const rate = this.#r.cmos[RTC.A]! & A.RATE;
    if (rate === 0 || (this.#r.cmos[RTC.A]! & A.DIVIDER) >= 0x60) return 0;
    return 1 << ((rate <= 2 ? rate + 7 : rate) - 1);
  }

  /** The first second after `second` that the alarm matches. */
  #nextAlarm(second: number): number {
    const cmos = this.#r.cmos;
    const field = (register: number): number => (cmos[register]! >= ALARM_ANY ? -1 : this.#decode(cmos[register]!));
    const hour = cmos[RTC.HOURS_ALARM]! >= ALARM_ANY ? -1 : this.#decodeHour(cmos[RTC.HOURS_ALARM]!);
    const minute = field(RTC.MINUTES_ALARM);
    const secondOf = field(RTC.SECONDS_ALARM);
    if (hour > 23 || minute > 59 || secondOf > 59) return Infinity;
    let at = second + 1;
    for (let step = 0; step < 200; step++) {
      const ofDay = ((at % 86400) + 86400) % 86400;
      if (hour >= 0 && Math.floor(ofDay / 3600) !== hour) at += 3600 - (ofDay % 3600);
      else if (minute >= 0 && Math.floor(ofDay / 60) % 60 !== minute) at += 60 - (ofDay % 60);
      else if (secondOf >= 0 && ofDay % 60 !== secondOf) at += 1;
      else return at;
    }
    return Infinity;
  }

  /** Sets the flags of what happened since the last look. */
  #look(): void {
    const r = this.#r;
    const now = this.#wiring.now();
    if (now <= r.checkedNs) return;
    const period = this.#periodTicks();
    if (period > 0 && Math.floor(ticksAt(now, CRYSTAL) / period) > Math.floor(ticksAt(r.checkedNs, CRYSTAL) / period))
      r.flags |= C.PF;
    if (this.#ticking()) {
      const before = this.#secondsAt(r.checkedNs);
      const after = this.#secondsAt(now);
      if (after > before) {
        r.flags |= C.UF;
        if (!(r.flags & C.AF) && this.#nextAlarm(before) <= after) r.flags |= C.AF;
      }
    }
    r.checkedNs = now;
  }

  #asserted(): boolean {
    return (this.#r.flags & this.#r.cmos[RTC.B]! & (C.PF | C.AF | C.UF)) !== 0;
  }

  /** Guest time of the next enabled event whose flag is not set yet, or Infinity: an idle clock arms nothing. */
  #nextEvent(): number {
    const r = this.#r;
    const wanted = r.cmos[RTC.B]! & ~r.flags;
    const now = this.#wiring.now();
    let next = Infinity;
    const period = this.#periodTicks();
    if (wanted & B.PIE && period > 0)
      next = nsOfTick((Math.floor(ticksAt(now, CRYSTAL) / period) + 1) * period, CRYSTAL);
    if (this.#ticking()) {
      const second = this.#secondsAt(now);
      const at = (seconds: number): number => r.baseNs + (seconds - r.baseSeconds) * SECOND;
      if (wanted & B.UIE) next = Math.min(next, at(second + 1));
      if (wanted & B.AIE) next = Math.min(next, at(this.#nextAlarm(second)));
    }
    return next;
  }

  #syncOutputs(): void {
    this.#look();
    const asserted = this.#asserted();
    this.#irq.set(asserted);
    // While the line is up nothing more can be seen: the next read of register C looks again.
    const next = asserted ? Infinity : this.#nextEvent();
    if (next === Infinity) this.#timer.cancel();
    else this.#timer.armAt(next);
  }
}
