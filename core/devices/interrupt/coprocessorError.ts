// Coprocessor error logic of an AT: FERR# to IRQ13, port F0h to IGNNE# (Intel 82371SB 3.5.2, 82371AB 8.7; SDM 1 8.7.2).
import type { Device, Line, ResetKind, Wiring } from '../../bus/device.ts';
import { flag, record, recordCodec } from '../../bus/savedState.ts';

export interface CoprocessorErrorState {
  /** Level of FERR#, asserted. */
  error: boolean;
  /** The latched interrupt request. */
  request: boolean;
  /** IGNNE# is asserted: since port F0h was written with FERR# up, until FERR# goes. */
  ignore: boolean;
}

const PORT = 0xf0;
const powerOn = (): CoprocessorErrorState => ({ error: false, request: false, ignore: false });

export class CoprocessorError implements Device<CoprocessorErrorState> {
  // wiring
  readonly id = 'coprocessorError';
  readonly #irq: Line;
  readonly #ignne: Line;

  // guest-visible state
  #r = powerOn();

  readonly state = recordCodec(
    1,
    record<CoprocessorErrorState>({ error: flag, request: flag, ignore: flag }),
    () => this.#r,
    (saved) => {
      this.#r = saved;
      this.#syncOutputs();
    },
  );

  /** The processor's FERR#. */
  readonly ferr: Line = { set: (level) => this.#setError(level) };

  constructor(wiring: Wiring) {
    this.#irq = wiring.irq('irq');
    this.#ignne = wiring.irq('ignne');
    wiring.ports(this.id, PORT, 1, { read: () => 0xff, write: () => this.#acknowledge() });
  }

  reset(_kind: ResetKind): void {
    this.#r = powerOn();
    this.#syncOutputs();
  }

  #setError(level: boolean): void {
    const r = this.#r;
    if (level === r.error) return;
    r.error = level;
    if (level) r.request = true;
    else r.ignore = false;
    this.#syncOutputs();
  }

  #acknowledge(): void {
    this.#r.request = false;
    this.#r.ignore = this.#r.error;
    this.#syncOutputs();
  }

  #syncOutputs(): void {
    this.#irq.set(this.#r.request);
    this.#ignne.set(this.#r.ignore);
  }
}
