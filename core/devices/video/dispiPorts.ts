// The Bochs display interface's index and data ports (Bochs VBE_DISPI 0.6), as far as a video BIOS asks before it does anything:
// the version is there, display memory beyond the VGA's is not.
import type { Device, ResetKind, Wiring } from '../../bus/device.ts';
import { integer, record, recordCodec, u16 } from '../../bus/savedState.ts';

export interface DispiState {
  index: number;
  version: number;
}

const INDEX_PORT = 0x1ce;
const VERSION_INDEX = 0;
const OLDEST = 0xb0c0, NEWEST = 0xb0c5;

export class DispiPorts implements Device<DispiState> {
  readonly id = 'dispi0';
  #r: DispiState = { index: 0, version: NEWEST };

  readonly state = recordCodec(
    1,
    record<DispiState>({ index: u16, version: integer(OLDEST, NEWEST) }),
    () => this.#r,
    (saved) => void (this.#r = saved),
  );

  constructor(wiring: Wiring) {
    wiring.ports(this.id, INDEX_PORT, 2, {
      read: (port) => (port === INDEX_PORT ? this.#r.index : this.#r.index === VERSION_INDEX ? this.#r.version : 0),
      write: (port, value, size) => {
        if (size !== 2) return;
        if (port === INDEX_PORT) this.#r.index = value;
        else if (this.#r.index === VERSION_INDEX && value >= OLDEST && value <= NEWEST) this.#r.version = value;
      },
    });
  }

  reset(kind: ResetKind): void {
    if (kind !== 'soft') this.#r = { index: 0, version: NEWEST };
  }
}
