// 8259A programmable interrupt controller, one chip (Intel 231468), with the PIIX edge/level register (PIIX3 3.4.6).
import type { Device, Line, ResetKind, Wiring } from '../../bus/device.ts';
import { bytePorts } from '../../bus/portMap.ts';
import { flag, integer, record, recordCodec, u8 } from '../../bus/savedState.ts';
import { ICW1, ICW4, OCW2, OCW3, POLL_REQUEST } from './pic8259.registers.ts';

export interface Pic8259State {
  /** Levels on the inputs. */
  lines: number;
  /** Rising edges not yet acknowledged. */
  edges: number;
  imr: number;
  isr: number;
  /** ELCR: inputs that are level-triggered. */
  elcr: number;
  /** Which ICW the next write to A0=1 is: 2..4, or 0 when initialized. */
  nextIcw: number;
  expectIcw4: boolean;
  single: boolean;
  /** Vector of IR0 (ICW2). */
  base: number;
  /** ICW3 as written. */
  cascade: number;
  autoEoi: boolean;
  specialFullyNested: boolean;
  rotateOnAutoEoi: boolean;
  /** The input with the lowest priority; the next one has the highest. */
  lowest: number;
  specialMask: boolean;
  readIsr: boolean;
  poll: boolean;
}

const shape = record<Pic8259State>({
  lines: u8,
  edges: u8,
  imr: u8,
  isr: u8,
  elcr: u8,
  nextIcw: integer(0, 4),
  expectIcw4: flag,
  single: flag,
  base: u8,
  cascade: u8,
  autoEoi: flag,
  specialFullyNested: flag,
  rotateOnAutoEoi: flag,
  lowest: integer(0, 7),
  specialMask: flag,
  readIsr: flag,
  poll: flag,
});

const powerOn = (): Pic8259State => ({
  lines: 0,
  edges: 0,
  imr: 0xff,
  isr: 0,
  elcr: 0,
  nextIcw: 0,
  expectIcw4: false,
  single: false,
  base: 0,
  cascade: 0,
  autoEoi: false,
  specialFullyNested: false,
  rotateOnAutoEoi: false,
  lowest: 7,
  specialMask: false,
  readIsr: false,
  poll: false,
});

export interface Pic8259Options {
  readonly id: string;
  readonly base: number;
  readonly elcrPort: number;
  /** ELCR bits that can be set; the others are fixed to edge (PIIX3 3.4.6). */
  readonly elcrWritable: number;
  /** Inputs that a slave drives; 0 on a slave. */
  readonly slaves: number;
}

export class Pic8259 implements Device<Pic8259State> {
  // wiring
  readonly id: string;
  readonly #options: Pic8259Options;
  readonly #int: Line;
  readonly #wiring: Wiring;

  // guest-visible state
  #r = powerOn();

  readonly state = recordCodec(1, shape, () => this.#r, (saved) => {
    this.#r = saved;
    this.#syncOutputs();
  });

  constructor(wiring: Wiring, options: Pic8259Options) {
    this.id = options.id;
    this.#options = options;
    this.#wiring = wiring;
    this.#int = wiring.irq('int');
    wiring.ports(options.id, options.base, 2, bytePorts(this));
    wiring.ports(`${options.id}.elcr`, options.elcrPort, 1, {
      read: () => this.#r.elcr,
      write: (_port, value) => {
        this.#r.elcr = value & options.elcrWritable;
        this.#r.edges &= ~this.#r.elcr;
        this.#syncOutputs();
      },
    });
  }

  reset(kind: ResetKind): void {
    if (kind === 'soft') return;
    this.#r = { ...powerOn(), lines: this.#r.lines };
    this.#syncOutputs();
  }

  /** Input `number` as a line for a device or a slave. */
  input(number: number): Line {
    const bit = 1 << number;
    return {
      set: (level) => {
        const r = this.#r;
        if ((r.lines & bit) !== 0 === level) return;
        r.lines ^= bit;
        // 8259A p.8: the request must stay high until acknowledged; a fall takes it back.
        if (!level) r.edges &= ~bit;
        else if (!(r.elcr & bit)) r.edges |= bit;
        this.#syncOutputs();
      },
    };
  }

  /** INT is asserted. */
  get pending(): boolean {
    return this.#pendingInput() >= 0;
  }

  /** Whether a slave drives this input. */
  isCascade(input: number): boolean {
    return !this.#r.single && (this.#options.slaves & (1 << input)) !== 0;
  }

  get vectorBase(): number {
    return this.#r.base;
  }

  /**
   * The INTA cycle: the input served, which becomes in service; 7 with nothing in service when no request is left
   * (8259A p.18, the default IR7).
   */
  acknowledge(): number {
    const input = this.#pendingInput();
    if (input < 0) return 7;
    const bit = 1 << input;
    const r = this.#r;
    r.edges &= ~bit;
    if (!r.autoEoi) r.isr |= bit;
    else if (r.rotateOnAutoEoi) r.lowest = input;
    this.#int.set(false); // INT falls with each INTA, so that a master sees an edge for what is left
    this.#syncOutputs();
    return input;
  }

  read8(port: number): number {
    const r = this.#r;
    if (r.poll) {
      r.poll = false;
      const waiting = this.#pendingInput() >= 0;
      const input = this.acknowledge();
      return waiting ? POLL_REQUEST | input : 0;
    }
    if (port & 1) return r.imr;
    return r.readIsr ? r.isr : this.#requests();
  }

  write8(port: number, value: number): void {
    if (port & 1) this.#writeData(value);
    else if (value & ICW1.SELECT) this.#writeIcw1(value);
    else if (value & OCW3.SELECT) this.#writeOcw3(value);
    else this.#writeOcw2(value);
    this.#syncOutputs();
  }

  /** 8259A p.11: edge sense, IMR, priorities, special mask and read-back are reset. */
  #writeIcw1(value: number): void {
    const { lines, elcr, base, cascade } = this.#r;
    this.#r = {
      ...powerOn(),
      lines,
      elcr,
      base,
      cascade,
      imr: 0,
      nextIcw: 2,
      expectIcw4: (value & ICW1.IC4) !== 0,
      single: (value & ICW1.SNGL) !== 0,
    };
  }

  #writeData(value: number): void {
    const r = this.#r;
    switch (r.nextIcw) {
      case 2:
        r.base = value & 0xf8;
        r.nextIcw = !r.single ? 3 : r.expectIcw4 ? 4 : 0;
        return;
      case 3:
        r.cascade = value;
        r.nextIcw = r.expectIcw4 ? 4 : 0;
        return;
      case 4:
        r.autoEoi = (value & ICW4.AEOI) !== 0;
        r.specialFullyNested = (value & ICW4.SFNM) !== 0;
        r.nextIcw = 0;
        if (!(value & 1)) this.#wiring.guestError('8080 mode requested from the interrupt controller', { icw4: value });
        return;
      default:
        r.imr = value;
    }
  }

  #writeOcw2(value: number): void {
    const r = this.#r;
    const level = value & 7;
    switch (value >> 5) {
      case OCW2.ROTATE_AEOI_CLEAR:
        r.rotateOnAutoEoi = false;
        return;
      case OCW2.ROTATE_AEOI_SET:
        r.rotateOnAutoEoi = true;
        return;
      case OCW2.EOI:
        this.#endOfInterrupt(this.#highestInService(), false);
        return;
      case OCW2.ROTATE_EOI:
        this.#endOfInterrupt(this.#highestInService(), true);
        return;
      case OCW2.SPECIFIC_EOI:
        this.#endOfInterrupt(level, false);
        return;
      case OCW2.ROTATE_SPECIFIC_EOI:
        this.#endOfInterrupt(level, true);
        return;
      case OCW2.SET_PRIORITY:
        r.lowest = level;
        return;
      default:
    }
  }

  #writeOcw3(value: number): void {
    const r = this.#r;
    if (value & OCW3.POLL) r.poll = true;
    else if (value & OCW3.RR) r.readIsr = (value & OCW3.RIS) !== 0;
    if (value & OCW3.ESMM) r.specialMask = (value & OCW3.SMM) !== 0;
  }

  #endOfInterrupt(input: number, rotate: boolean): void {
    if (input < 0) return;
    this.#r.isr &= ~(1 << input);
    if (rotate) this.#r.lowest = input;
  }

  /** IRR: latched edges, and levels of level-triggered inputs. */
  #requests(): number {
    const r = this.#r;
    return (r.edges & ~r.elcr) | (r.lines & r.elcr);
  }

  #highestInService(): number {
    const r = this.#r;
    const inService = r.specialMask ? r.isr & ~r.imr : r.isr; // 8259A p.15: masked IS bits are not cleared by EOI
    for (let step = 1; step <= 8; step++) {
      const input = (r.lowest + step) & 7;
      if (inService & (1 << input)) return input;
    }
    return -1;
  }

  /** The request that INT stands for: not masked and above all that is in service; -1 if none. */
  #pendingInput(): number {
    const r = this.#r;
    if (r.nextIcw !== 0) return -1;
    const requests = this.#requests() & ~r.imr;
    if (requests === 0) return -1;
    const blocking = r.specialMask ? r.isr & ~r.imr : r.isr;
    for (let step = 1; step <= 8; step++) {
      const input = (r.lowest + step) & 7;
      const bit = 1 << input;
      const nested = r.specialFullyNested && (this.#options.slaves & bit) !== 0;
      if (blocking & bit && !nested) return -1;
      if (requests & bit) return input;
      if (blocking & bit) return -1;
    }
    return -1;
  }

  #syncOutputs(): void {
    this.#int.set(this.#pendingInput() >= 0);
  }
}
