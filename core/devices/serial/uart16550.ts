// 16550A UART (National PC16550D). The host's side is a byte stream with a queue that never overruns the guest.
import type { Device, Line, ResetKind, Timer, Wiring } from '../../bus/device.ts';
import { bytePorts } from '../../bus/portMap.ts';
import { count, flag, integer, list, record, recordCodec, u8 } from '../../bus/savedState.ts';
import { CHARACTER_NS, FCR, FIFO_SIZE, IER, IIR, LCR, LSR, MCR, MSR, REG, TRIGGER } from './uart16550.registers.ts';

export interface Uart16550State {
  ier: number;
  fcr: number;
  lcr: number;
  mcr: number;
  /** Error bits of LSR, cleared by reading it. */
  errors: number;
  msr: number;
  scr: number;
  divisor: number;
  /** Received and not yet read, oldest first. */
  receive: number[];
  /** The transmitter is empty from this guest time on. */
  emptyAtNs: number;
  /** The empty transmitter has not been reported yet. */
  transmitPending: boolean;
  /** Characters of the host that wait for room. */
  waiting: number[];
}

/** More than a person or a script pastes; the rest is refused, as the return value of `input` tells. */
const WAITING_LIMIT = 1 << 20;

const shape = record<Uart16550State>({
  ier: integer(0, 15),
  fcr: u8,
  lcr: u8,
  mcr: integer(0, 31),
  errors: u8,
  msr: u8,
  scr: u8,
  divisor: integer(0, 0xffff),
  receive: list(u8, FIFO_SIZE),
  emptyAtNs: count,
  transmitPending: flag,
  waiting: list(u8, WAITING_LIMIT),
});

const powerOn = (): Uart16550State => ({
  ier: 0,
  fcr: 0,
  lcr: 0,
  mcr: 0,
  errors: 0,
  msr: MSR.CTS | MSR.DSR | MSR.DCD,
  scr: 0,
  divisor: 12,
  receive: [],
  emptyAtNs: 0,
  transmitPending: false,
  waiting: [],
});

export class Uart16550 implements Device<Uart16550State> {
  // wiring
  readonly id: string;
  readonly #wiring: Wiring;
  readonly #irq: Line;
  readonly #timer: Timer;
  readonly #onOutput: (byte: number) => void;

  // guest-visible state
  #r = powerOn();
  /** Index of the first waiting character not yet taken: shifting a long array for each one is slow. */
  #taken = 0;

  readonly state = recordCodec(
    1,
    shape,
    () => ({ ...this.#r, waiting: this.#r.waiting.slice(this.#taken) }),
    (saved) => {
      this.#r = saved;
      this.#taken = 0;
      this.#syncOutputs();
    },
  );

  constructor(wiring: Wiring, options: { id: string; base: number; onOutput: (byte: number) => void }) {
    this.id = options.id;
    this.#wiring = wiring;
    this.#irq = wiring.irq('irq');
    this.#timer = wiring.timer(() => this.#syncOutputs());
    this.#onOutput = options.onOutput;
    wiring.ports(this.id, options.base, 8, bytePorts(this));
  }

  reset(kind: ResetKind): void {
    if (kind === 'soft') return;
    this.#r = powerOn();
    this.#taken = 0;
    this.#syncOutputs();
  }

  /** Characters from the host; gives how many were taken (the rest did not fit the bounded queue). */
  input(characters: Uint8Array): number {
    const room = WAITING_LIMIT - (this.#r.waiting.length - this.#taken);
    const taken = Math.min(room, characters.length);
    for (let index = 0; index < taken; index++) this.#r.waiting.push(characters[index]!);
    this.#syncOutputs();
    return taken;
  }

  read8(port: number): number {
    const r = this.#r;
    switch (port & 7) {
      case REG.DATA:
        return r.lcr & LCR.DLAB ? r.divisor & 0xff : this.#readData();
      case REG.IER:
        return r.lcr & LCR.DLAB ? r.divisor >> 8 : r.ier;
      case REG.IIR_FCR:
        return this.#readIir();
      case REG.LCR:
        return r.lcr;
      case REG.MCR:
        return r.mcr;
      case REG.LSR:
        return this.#readLsr();
      case REG.MSR:
        return this.#readMsr();
      default:
        return r.scr;
    }
  }

  write8(port: number, value: number): void {
    const r = this.#r;
    switch (port & 7) {
      case REG.DATA:
        if (r.lcr & LCR.DLAB) r.divisor = (r.divisor & 0xff00) | value;
        else this.#transmit(value);
        return;
      case REG.IER:
        if (r.lcr & LCR.DLAB) r.divisor = (r.divisor & 0xff) | (value << 8);
        else this.#writeIer(value & 0x0f);
        return;
      case REG.IIR_FCR:
        this.#writeFcr(value);
        return;
      case REG.LCR:
        r.lcr = value;
        return;
      case REG.MCR:
        this.#writeMcr(value & 0x1f);
        return;
      case REG.SCR:
        r.scr = value;
        return;
      default: // LSR and MSR are read-only in practice (PC16550D 8.6.3)
    }
  }

  #readData(): number {
    const value = this.#r.receive.shift() ?? 0;
    this.#syncOutputs();
    return value;
  }

  #transmit(value: number): void {
    const r = this.#r;
    const now = this.#wiring.now();
    r.emptyAtNs = Math.max(now, r.emptyAtNs) + CHARACTER_NS;
    r.transmitPending = true;
    if (!(r.mcr & MCR.LOOP)) this.#onOutput(value);
    else if (r.receive.length < this.#capacity()) r.receive.push(value);
    else r.errors |= LSR.OE;
    this.#syncOutputs();
  }

  #writeIer(value: number): void {
    const r = this.#r;
    // PC16550D 8.5: enabling THRI while the holding register is empty interrupts at once.
    if (value & ~r.ier & IER.THRI && this.#wiring.now() >= r.emptyAtNs) r.transmitPending = true;
    r.ier = value;
    this.#syncOutputs();
  }

  #writeFcr(value: number): void {
    const r = this.#r;
    const toggled = (value ^ r.fcr) & FCR.ENABLE;
    if (toggled || (value & FCR.ENABLE && value & FCR.CLEAR_RX)) r.receive.length = 0;
    r.fcr = value & FCR.ENABLE ? value & 0xc9 : 0;
    this.#syncOutputs();
  }

  #writeMcr(value: number): void {
    this.#r.mcr = value;
    this.#setModemLines(this.#modemLines());
    this.#syncOutputs();
  }

  /** CTS, DSR, RI, DCD: a peer that is always ready, or the loop-back of our own outputs (PC16550D 8.6.4). */
  #modemLines(): number {
    const mcr = this.#r.mcr;
    if (!(mcr & MCR.LOOP)) return MSR.CTS | MSR.DSR | MSR.DCD;
    return (
      (mcr & MCR.RTS ? MSR.CTS : 0) | (mcr & MCR.DTR ? MSR.DSR : 0) | (mcr & MCR.OUT1 ? MSR.RI : 0) | (mcr & MCR.OUT2 ? MSR.DCD : 0)
    );
  }

  #setModemLines(lines: number): void {
    const r = this.#r;
    const changed = (r.msr ^ lines) & 0xf0;
    let delta = changed >> 4;
    if (changed & MSR.RI && lines & MSR.RI) delta &= ~MSR.TERI; // only a trailing edge of RI counts
    r.msr = lines | (r.msr & 0x0f) | delta;
  }

  #readMsr(): number {
    const value = this.#r.msr;
    this.#r.msr &= 0xf0;
    this.#syncOutputs();
    return value;
  }

  #readLsr(): number {
    const r = this.#r;
    const empty = this.#wiring.now() >= r.emptyAtNs;
    const value = r.errors | (r.receive.length > 0 ? LSR.DR : 0) | (empty ? LSR.THRE | LSR.TEMT : 0);
    if (r.errors !== 0) {
      r.errors = 0;
      this.#syncOutputs();
    }
    return value;
  }

  #readIir(): number {
    const cause = this.#cause();
    if (cause === IIR.THRI) {
      this.#r.transmitPending = false;
      this.#syncOutputs();
    }
    return cause | (this.#r.fcr & FCR.ENABLE ? IIR.FIFO : 0);
  }

  #capacity(): number {
    return this.#r.fcr & FCR.ENABLE ? FIFO_SIZE : 1;
  }

  /** The interrupt of highest priority (PC16550D table 3). Below the trigger level the timeout is immediate. */
  #cause(): number {
    const r = this.#r;
    if (r.ier & IER.RLSI && r.errors !== 0) return IIR.RLSI;
    if (r.ier & IER.RDI && r.receive.length > 0) {
      if (!(r.fcr & FCR.ENABLE) || r.receive.length >= TRIGGER[(r.fcr >> FCR.TRIGGER_SHIFT) as 0 | 1 | 2 | 3]) return IIR.RDI;
      return IIR.TIMEOUT;
    }
    if (r.ier & IER.THRI && r.transmitPending && this.#wiring.now() >= r.emptyAtNs) return IIR.THRI;
    if (r.ier & IER.MSI && r.msr & 0x0f) return IIR.MSI;
    return IIR.NONE;
  }

  /** Moves waiting characters into the receiver as far as there is room: none is ever lost to an overrun. */
  #fill(): void {
    const r = this.#r;
    if (this.#taken === r.waiting.length || r.mcr & MCR.LOOP) return;
    const capacity = this.#capacity();
    while (r.receive.length < capacity && this.#taken < r.waiting.length) r.receive.push(r.waiting[this.#taken++]!);
    if (this.#taken === r.waiting.length || this.#taken >= 4096) {
      r.waiting.splice(0, this.#taken);
      this.#taken = 0;
    }
  }

  #syncOutputs(): void {
    const r = this.#r;
    this.#fill();
    const cause = this.#cause();
    // PC16550D 6.4 and PC convention: OUT2 gates the interrupt onto the bus.
    this.#irq.set(cause !== IIR.NONE && (r.mcr & (MCR.OUT2 | MCR.LOOP)) === MCR.OUT2);
    const waitsForEmpty = cause === IIR.NONE && r.ier & IER.THRI && r.transmitPending;
    if (waitsForEmpty) this.#timer.armAt(r.emptyAtNs);
    else this.#timer.cancel();
  }
}
