// System control port A, 92h: fast A20 and fast reset (PIIX3 3.5.4). Holds the board's A20 gate.
import type { Device, Line, ResetKind, Wiring } from '../../bus/device.ts';
import { flag, integer, record, recordCodec } from '../../bus/savedState.ts';

export interface Port92State {
  a20: boolean;
  /** Bits 7-2, kept as written. */
  other: number;
}

const FAST_RESET = 0x01;
const A20 = 0x02;

export class Port92 implements Device<Port92State> {
  // wiring
  readonly id = 'port92';
  readonly #a20: Line;
  readonly #onReset: () => void;

  // guest-visible state
  #r: Port92State = { a20: true, other: 0 };

  readonly state = recordCodec(
    1,
    record<Port92State>({ a20: flag, other: integer(0, 0xfc) }),
    () => this.#r,
    (saved) => {
      this.#r = saved;
      this.#syncOutputs();
    },
  );

  /** The keyboard controller's A20 output. Whoever writes last decides, as on boards where one gate serves both. */
  readonly keyboardA20: Line = { set: (level) => this.#setA20(level) };

  constructor(wiring: Wiring, onReset: () => void) {
    this.#a20 = wiring.irq('a20');
    this.#onReset = onReset;
    wiring.ports(this.id, 0x92, 1, { read: () => this.#r.other | (this.#r.a20 ? A20 : 0), write: (_port, value) => this.#write(value) });
    this.#syncOutputs();
  }

  reset(kind: ResetKind): void {
    if (kind === 'soft') return;
    this.#r = { a20: true, other: 0 };
    this.#syncOutputs();
  }

  #write(value: number): void {
    this.#r.other = value & 0xfc;
    this.#setA20((value & A20) !== 0);
    if (value & FAST_RESET) this.#onReset();
  }

  #setA20(level: boolean): void {
    this.#r.a20 = level;
    this.#syncOutputs();
  }

  #syncOutputs(): void {
    this.#a20.set(this.#r.a20);
  }
}
