// 82093AA I/O APIC with 24 inputs (Intel 290566): redirection of edges and levels to messages for local APICs.
import type { Device, Line, ResetKind, Wiring } from '../../bus/device.ts';
import type { AccessSize } from '../../bus/portMap.ts';
import { integer, list, record, recordCodec, u32, u8 } from '../../bus/savedState.ts';

export interface IoApicState {
  /** Index register, IOREGSEL. */
  select: number;
  id: number;
  /** Redirection table, low and high words alternately. */
  table: number[];
  /** Electrical levels of the inputs. */
  levels: number;
}

const PINS = 24;
const shape = record<IoApicState>({
  select: u8,
  id: integer(0, 15),
  table: list(u32, PINS * 2, PINS * 2),
  levels: integer(0, 0xffffff),
});

/** Memory window: index and data (3.1). */
const WINDOW = { SELECT: 0x00, DATA: 0x10 } as const;
/** Registers behind it (3.2). */
const INDEX = { ID: 0, VERSION: 1, ARBITRATION: 2, TABLE: 0x10 } as const;
/** Version 11h, highest entry 23. */
const VERSION = 0x00170011;

/** Redirection entry, low word (3.2.4). */
const ENTRY = { LOGICAL: 1 << 11, ACTIVE_LOW: 1 << 13, REMOTE_IRR: 1 << 14, LEVEL: 1 << 15, MASKED: 1 << 16, WRITABLE: 0x1afff } as const;
const EXTINT = 7;

export interface IoApicMessage {
  readonly vector: number;
  readonly mode: number;
  readonly level: boolean;
  readonly destination: number;
  readonly logical: boolean;
}

export interface IoApicOptions {
  readonly base: number;
  /** Inputs that rest high: active-low lines. */
  readonly restHigh: number;
  /** False: no processor took it. */
  readonly deliver: (message: IoApicMessage) => boolean;
  /** An input in ExtINT mode: the 8259s' request goes to the processor with its level. */
  readonly setExternalRequest: (level: boolean) => void;
}

export class IoApic implements Device<IoApicState> {
  // wiring
  readonly id = 'ioapic0';
  readonly #options: IoApicOptions;
  readonly #wiring: Wiring;
  #external = false;

  // guest-visible state
  #r: IoApicState;

  readonly state = recordCodec(1, shape, () => this.#r, (saved) => {
    this.#r = saved;
    this.#syncOutputs();
  });

  constructor(wiring: Wiring, options: IoApicOptions) {
    this.#wiring = wiring;
    this.#options = options;
    this.#r = { ...this.#powerOn(), levels: options.restHigh };
    wiring.mmio(this.id, options.base, 0x1000, {
      read: (offset, size) => this.#read(offset, size),
      write: (offset, value, size) => this.#write(offset, value, size),
    });
  }

  reset(kind: ResetKind): void {
    if (kind === 'soft') return;
    this.#r = { ...this.#powerOn(), levels: this.#r.levels };
    this.#syncOutputs();
  }

  /** Input `pin` with its electrical level. */
  input(pin: number): Line {
    const bit = 1 << pin;
    return {
      set: (level) => {
        const r = this.#r;
        if ((r.levels & bit) !== 0 === level) return;
        r.levels ^= bit;
        if (this.#isActive(pin)) this.#rise(pin);
        this.#syncExternal();
      },
    };
  }

  /** EOI broadcast by a local APIC: levels that are still up ask again (3.2.4, remote IRR). */
  endOfInterrupt(vector: number): void {
    const { table } = this.#r;
    for (let pin = 0; pin < PINS; pin++) {
      const entry = table[pin * 2]!;
      if ((entry & ENTRY.REMOTE_IRR) === 0 || (entry & 0xff) !== vector) continue;
      table[pin * 2] = (entry & ~ENTRY.REMOTE_IRR) >>> 0;
      this.#level(pin);
    }
  }

  #powerOn(): Omit<IoApicState, 'levels'> {
    return { select: 0, id: 0, table: Array.from({ length: PINS * 2 }, (_, index) => (index & 1 ? 0 : ENTRY.MASKED)) };
  }

  // --- registers ----------------------------------------------------------------------------------------------------

  #read(offset: number, size: AccessSize): number {
    const byte = offset & 3;
    if (byte + size > 4) return 0;
    const at = offset & ~3 & 0xff;
    const value = at === WINDOW.SELECT ? this.#r.select : at === WINDOW.DATA ? this.#readRegister(this.#r.select) : 0;
    return size === 4 ? value : (value >>> (8 * byte)) & (size === 2 ? 0xffff : 0xff);
  }

  #readRegister(index: number): number {
    if (index === INDEX.ID || index === INDEX.ARBITRATION) return this.#r.id << 24;
    if (index === INDEX.VERSION) return VERSION;
    return this.#r.table[index - INDEX.TABLE] ?? 0;
  }

  #write(offset: number, value: number, size: AccessSize): void {
    const at = offset & 0xff;
    if (at === WINDOW.SELECT) {
      this.#r.select = value & 0xff;
      return;
    }
    if (at !== WINDOW.DATA || size !== 4) {
      this.#wiring.guestError('I/O APIC written where no register is', { offset, size });
      return;
    }
    const { select } = this.#r;
    if (select === INDEX.ID) this.#r.id = (value >>> 24) & 15;
    else if (select >= INDEX.TABLE && select < INDEX.TABLE + PINS * 2) this.#writeTable(select - INDEX.TABLE, value);
  }

  #writeTable(index: number, value: number): void {
    const { table } = this.#r;
    if (index & 1) {
      table[index] = (value & 0xff000000) >>> 0;
      return;
    }
    // An entry that turns edge-triggered forgets that it waits for an EOI: how drivers clear a stuck one.
    const kept = value & ENTRY.LEVEL ? table[index]! & ENTRY.REMOTE_IRR : 0;
    table[index] = (value & ENTRY.WRITABLE) | kept;
    this.#level(index >> 1);
    this.#syncExternal();
  }

  // --- inputs -------------------------------------------------------------------------------------------------------

  #isActive(pin: number): boolean {
    const level = (this.#r.levels & (1 << pin)) !== 0;
    return level !== ((this.#r.table[pin * 2]! & ENTRY.ACTIVE_LOW) !== 0);
  }

  /** An edge at a masked input is lost (3.2.4, interrupt mask). */
  #rise(pin: number): void {
    const entry = this.#r.table[pin * 2]!;
    if (entry & ENTRY.LEVEL) this.#level(pin);
    else if ((entry & ENTRY.MASKED) === 0) this.#send(pin, entry);
  }

  /** A level-triggered input asks while it is up and no EOI is due. */
  #level(pin: number): void {
    const { table } = this.#r;
    const entry = table[pin * 2]!;
    const isWaiting = (entry & (ENTRY.MASKED | ENTRY.REMOTE_IRR)) !== 0;
    if ((entry & ENTRY.LEVEL) === 0 || isWaiting || !this.#isActive(pin)) return;
    // Set before: the processor may answer at once.
    table[pin * 2] = entry | ENTRY.REMOTE_IRR;
    if (!this.#send(pin, entry)) table[pin * 2] = entry;
  }

  #send(pin: number, entry: number): boolean {
    const mode = (entry >> 8) & 7;
    if (mode === EXTINT) return true;
    return this.#options.deliver({
      vector: entry & 0xff,
      mode,
      level: (entry & ENTRY.LEVEL) !== 0,
      destination: this.#r.table[pin * 2 + 1]! >>> 24,
      logical: (entry & ENTRY.LOGICAL) !== 0,
    });
  }

  #syncExternal(): void {
    const { table } = this.#r;
    let request = false;
    for (let pin = 0; pin < PINS; pin++) {
      const entry = table[pin * 2]!;
      if (((entry >> 8) & 7) === EXTINT && (entry & ENTRY.MASKED) === 0 && this.#isActive(pin)) request = true;
    }
    if (request === this.#external) return;
    this.#external = request;
    this.#options.setExternalRequest(request);
  }

  #syncOutputs(): void {
    for (let pin = 0; pin < PINS; pin++) this.#level(pin);
    this.#syncExternal();
  }
}
