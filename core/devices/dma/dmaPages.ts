// DMA page registers 80h-8Fh; 80h is also where POST codes go (PIIX3 3.3.2).
import type { Device, ResetKind, Wiring } from '../../bus/device.ts';
import { bytePorts } from '../../bus/portMap.ts';
import { bytes, record, recordCodec } from '../../bus/savedState.ts';

export interface DmaPagesState {
  pages: Uint8Array;
}

export class DmaPages implements Device<DmaPagesState> {
  readonly id = 'dmaPages';
  readonly #onPostCode: (code: number) => void;

  // guest-visible state
  #r: DmaPagesState = { pages: new Uint8Array(16) };

  readonly state = recordCodec(1, record<DmaPagesState>({ pages: bytes(16) }), () => this.#r, (saved) => void (this.#r = saved));

  constructor(wiring: Wiring, onPostCode: (code: number) => void) {
    this.#onPostCode = onPostCode;
    wiring.ports(this.id, 0x80, 16, bytePorts(this));
  }

  reset(kind: ResetKind): void {
    if (kind !== 'soft') this.#r.pages.fill(0);
  }

  read8(port: number): number {
    return this.#r.pages[port & 15]!;
  }

  write8(port: number, value: number): void {
    this.#r.pages[port & 15] = value;
    if ((port & 15) === 0) this.#onPostCode(value);
  }
}
