// PCI configuration mechanism 1, CF8h/CFCh, and bus 0 (82441FX 3.1; PCI 2.1 3.7.4.1).
import type { Device, PortHandler, ResetKind, Wiring } from '../bus/device.ts';
import type { PciFunction } from '../bus/pci.ts';
import { allOnes, type AccessSize } from '../bus/portMap.ts';
import { record, recordCodec, u32 } from '../bus/savedState.ts';

export interface PciHostState {
  /** CONFADD. */
  address: number;
}

const ADDRESS = 0xcf8;
const DATA = 0xcfc;
const RESET_CONTROL = 0xcf9;
const ENABLE = 0x80000000;

/** The byte register at CF9h, decoded only for byte accesses. */
export interface ByteRegister {
  read8(): number;
  write8(value: number): void;
}

export class PciHost implements Device<PciHostState>, PortHandler {
  readonly id = 'pciHost';
  readonly #resetControl: ByteRegister;
  readonly #functions = new Map<number, PciFunction>();

  // guest-visible state
  #r: PciHostState = { address: 0 };

  readonly state = recordCodec(1, record<PciHostState>({ address: u32 }), () => this.#r, (saved) => void (this.#r = saved));

  constructor(wiring: Wiring, resetControl: ByteRegister) {
    this.#resetControl = resetControl;
    wiring.ports(this.id, ADDRESS, 8, this);
  }

  attach(target: PciFunction): void {
    this.#functions.set((target.device << 3) | target.function, target);
  }

  reset(kind: ResetKind): void {
    if (kind !== 'soft') this.#r.address = 0;
  }

  read(port: number, size: AccessSize): number {
    if (port >= DATA) return this.#target()?.configRead((this.#r.address & 0xfc) | (port & 3), size) ?? allOnes(size);
    if (port === ADDRESS && size === 4) return this.#r.address;
    if (port === RESET_CONTROL && size === 1) return this.#resetControl.read8();
    return allOnes(size);
  }

  write(port: number, value: number, size: AccessSize): void {
    if (port >= DATA) this.#target()?.configWrite((this.#r.address & 0xfc) | (port & 3), value, size);
    else if (port === ADDRESS && size === 4) this.#r.address = (value & 0x80fffffc) >>> 0;
    else if (port === RESET_CONTROL && size === 1) this.#resetControl.write8(value);
  }

  #target(): PciFunction | null {
    const address = this.#r.address;
    if ((address & ENABLE) === 0 || (address >>> 16) & 0xff) return null; // only bus 0
    return this.#functions.get((address >>> 8) & 0xff) ?? null;
  }
}
