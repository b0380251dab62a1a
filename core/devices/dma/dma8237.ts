// 8237A DMA controller at register level: programs probe and reset it; nothing on this board requests transfers (Intel 8237A).
import type { Device, ResetKind, Wiring } from '../../bus/device.ts';
import { bytePorts } from '../../bus/portMap.ts';
import { bytes, flag, list, record, recordCodec, u8, u16 } from '../../bus/savedState.ts';

export interface Dma8237State {
  address: number[];
  count: number[];
  mode: Uint8Array;
  command: number;
  request: number;
  mask: number;
  status: number;
  /** Byte pointer flip-flop: the high byte is next. */
  high: boolean;
}

const shape = record<Dma8237State>({
  address: list(u16, 4, 4),
  count: list(u16, 4, 4),
  mode: bytes(4),
  command: u8,
  request: u8,
  mask: u8,
  status: u8,
  high: flag,
});

const powerOn = (): Dma8237State => ({
  address: [0, 0, 0, 0],
  count: [0, 0, 0, 0],
  mode: new Uint8Array(4),
  command: 0,
  request: 0,
  mask: 0x0f,
  status: 0,
  high: false,
});

/** Registers 8..15 (8237A fig. 5). */
const REG = { COMMAND: 8, REQUEST: 9, MASK: 10, MODE: 11, CLEAR_POINTER: 12, MASTER_CLEAR: 13, CLEAR_MASK: 14, ALL_MASK: 15 } as const;

export class Dma8237 implements Device<Dma8237State> {
  // wiring
  readonly id: string;
  readonly #shift: number;

  // guest-visible state
  #r = powerOn();

  readonly state = recordCodec(1, shape, () => this.#r, (saved) => void (this.#r = saved));

  /** `spacing`: ports between registers, 1 for the byte controller and 2 for the word controller. */
  constructor(wiring: Wiring, options: { id: string; base: number; spacing: 1 | 2 }) {
    this.id = options.id;
    this.#shift = options.spacing - 1;
    wiring.ports(this.id, options.base, 16 * options.spacing, bytePorts(this));
  }

  reset(kind: ResetKind): void {
    if (kind !== 'soft') this.#r = powerOn();
  }

  read8(port: number): number {
    const r = this.#r;
    const register = (port >> this.#shift) & 15;
    if (register < 8) {
      const value = (register & 1 ? r.count : r.address)[register >> 1]!;
      r.high = !r.high;
      return r.high ? value & 0xff : value >> 8;
    }
    if (register === REG.COMMAND) {
      const status = r.status | (r.request << 4);
      r.status &= 0xf0;
      return status;
    }
    return register === REG.ALL_MASK ? r.mask | 0xf0 : 0;
  }

  write8(port: number, value: number): void {
    const r = this.#r;
    const register = (port >> this.#shift) & 15;
    const bit = 1 << (value & 3);
    switch (register) {
      case REG.COMMAND:
        r.command = value;
        return;
      case REG.REQUEST:
        r.request = value & 4 ? r.request | bit : r.request & ~bit;
        return;
      case REG.MASK:
        r.mask = value & 4 ? r.mask | bit : r.mask & ~bit;
        return;
      case REG.MODE:
        r.mode[value & 3] = value;
        return;
      case REG.CLEAR_POINTER:
        r.high = false;
        return;
      case REG.MASTER_CLEAR:
        Object.assign(r, { command: 0, request: 0, status: 0, mask: 0x0f, high: false });
        return;
      case REG.CLEAR_MASK:
        r.mask = 0;
        return;
      case REG.ALL_MASK:
        r.mask = value & 0x0f;
        return;
      default: {
        const target = register & 1 ? r.count : r.address;
        const old = target[register >> 1]!;
        target[register >> 1] = r.high ? (old & 0xff) | (value << 8) : (old & 0xff00) | value;
        r.high = !r.high;
      }
    }
  }
}
