// Reset control register CF9h (PIIX3 3.5.6). The host bridge passes byte accesses on, for it owns CF8h-CFFh.
import type { Device, ResetKind } from '../../bus/device.ts';
import { record, recordCodec, u8 } from '../../bus/savedState.ts';

export interface ResetControlState {
  value: number;
}

/** Type of the reset: full (hard) rather than INIT. */
const SYSTEM_RESET = 0x02;
/** A rising edge resets. */
const RESET_CPU = 0x04;

export class ResetControl implements Device<ResetControlState> {
  readonly id = 'resetControl';
  readonly #onReset: (kind: ResetKind) => void;

  // guest-visible state
  #r: ResetControlState = { value: 0 };

  readonly state = recordCodec(1, record<ResetControlState>({ value: u8 }), () => this.#r, (saved) => void (this.#r = saved));

  constructor(onReset: (kind: ResetKind) => void) {
    this.#onReset = onReset;
  }

  reset(kind: ResetKind): void {
    if (kind !== 'soft') this.#r.value = 0;
  }

  read8(): number {
    return this.#r.value;
  }

  write8(value: number): void {
    const rises = (value & ~this.#r.value & RESET_CPU) !== 0;
    this.#r.value = value & (SYSTEM_RESET | RESET_CPU);
    if (rises) this.#onReset(value & SYSTEM_RESET ? 'hard' : 'soft');
  }
}
