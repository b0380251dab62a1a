// The Bochs display interface's registers (Bochs VBE_DISPI 0.B0C5): what picture display memory holds.
import { integer, record, recordCodec, u16 } from '../../bus/savedState.ts';
import { DISPI, DISPI_ENABLE, DISPI_ID, DISPI_REGISTERS } from './dispi.registers.ts';
import type { LinearPicture } from './linearRenderer.ts';

export interface DispiState {
  index: number;
  id: number;
  width: number;
  height: number;
  bits: number;
  enable: number;
  bank: number;
  virtualWidth: number;
  x: number;
  y: number;
}

export const dispiShape = record<DispiState>({
  index: u16, id: integer(DISPI_ID.OLDEST, DISPI_ID.NEWEST), width: u16, height: u16, bits: u16, enable: u16, bank: u16, virtualWidth: u16, x: u16, y: u16,
});

export const dispiAtPowerOn = (): DispiState => ({
  index: 0, id: DISPI_ID.NEWEST, width: 0, height: 0, bits: 0, enable: 0, bank: 0, virtualWidth: 0, x: 0, y: 0,
});

/** The largest picture, which CAPABILITIES tells. */
const MOST = { width: 2560, height: 1600, bits: 32 } as const;
const DEPTHS: readonly number[] = [8, 15, 16, 24, 32];
const SMALLEST = 8;

export class Dispi {
  /** Guest-visible state. */
  r = dispiAtPowerOn();
  readonly #memoryBytes: number;

  constructor(memoryBytes: number) {
    this.#memoryBytes = memoryBytes;
  }

  get enabled(): boolean {
    return (this.r.enable & DISPI_ENABLE.ENABLED) !== 0;
  }
  get wideDac(): boolean {
    return this.enabled && (this.r.enable & DISPI_ENABLE.DAC_8BIT) !== 0;
  }

  read(index: number): number {
    const r = this.r, most = (r.enable & DISPI_ENABLE.CAPABILITIES) !== 0;
    switch (index) {
      case DISPI.ID: return r.id;
      case DISPI.XRES: return most ? MOST.width : r.width;
      case DISPI.YRES: return most ? MOST.height : r.height;
      case DISPI.BPP: return most ? MOST.bits : r.bits;
      case DISPI.ENABLE: return r.enable;
      case DISPI.BANK: return r.bank;
      case DISPI.VIRT_WIDTH: return r.virtualWidth;
      case DISPI.VIRT_HEIGHT: return this.#lines();
      case DISPI.X_OFFSET: return r.x;
      case DISPI.Y_OFFSET: return r.y;
      case DISPI.MEMORY_64K: return this.#memoryBytes >>> 16;
      default: return 0;
    }
  }

  /** True: display memory is to be cleared. */
  write(index: number, value: number): boolean {
    const r = this.r;
    if (index >= DISPI_REGISTERS) return false;
    switch (index) {
      case DISPI.ID:
        if (value >= DISPI_ID.OLDEST && value <= DISPI_ID.NEWEST) r.id = value;
        break;
      // The size is fixed while there is a picture.
      case DISPI.XRES:
        if (!this.enabled) r.width = value;
        break;
      case DISPI.YRES:
        if (!this.enabled) r.height = value;
        break;
      case DISPI.BPP:
        if (!this.enabled) r.bits = value === 0 ? SMALLEST : value;
        break;
      case DISPI.ENABLE:
        return this.#enable(value);
      case DISPI.BANK:
        r.bank = value % Math.max(1, this.#memoryBytes >>> 16);
        break;
      case DISPI.VIRT_WIDTH:
        r.virtualWidth = Math.max(r.width, value);
        break;
      case DISPI.X_OFFSET:
        r.x = value;
        break;
      case DISPI.Y_OFFSET:
        r.y = value;
        break;
    }
    return false;
  }

  #enable(value: number): boolean {
    const r = this.r, was = this.enabled;
    r.enable = value & 0xe3;
    if (!this.enabled || was) return false;
    r.virtualWidth = r.width;
    r.x = r.y = r.bank = 0;
    return (value & DISPI_ENABLE.KEEP_MEMORY) === 0;
  }

  #lineBytes(): number {
    return this.r.virtualWidth * Math.ceil(this.r.bits / 8);
  }
  #lines(): number {
    const bytes = this.#lineBytes();
    return bytes === 0 ? 0 : Math.min(0xffff, Math.floor(this.#memoryBytes / bytes));
  }

  /** The picture, or null while the VGA shows its own or what is asked for is none. */
  picture(): LinearPicture | null {
    const { width, height, bits, x, y } = this.r;
    if (!this.enabled || width === 0 || height === 0 || width > MOST.width || height > MOST.height || !DEPTHS.includes(bits)) return null;
    const pixelBytes = Math.ceil(bits / 8), pitch = this.#lineBytes(), start = y * pitch + x * pixelBytes;
    if (start + (height - 1) * pitch + width * pixelBytes > this.#memoryBytes) return null;
    return { width, height, bits: bits as LinearPicture['bits'], pitch, start };
  }
}

export const dispiCodec = (dispi: Dispi, changed: () => void) =>
  recordCodec(1, dispiShape, () => dispi.r, (saved) => {
    dispi.r = saved;
    changed();
  });
