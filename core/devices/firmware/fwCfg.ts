// QEMU's firmware configuration device (QEMU docs/specs/fw_cfg.rst): numbered items and named files, by port or DMA.
import type { Device, ResetKind, Wiring } from '../../bus/device.ts';
import type { AccessSize } from '../../bus/portMap.ts';
import { count, record, recordCodec, u16, u32 } from '../../bus/savedState.ts';

export interface FwCfgFile {
  readonly name: string;
  /** Asked for at the first read, always of the same length. */
  readonly content: () => Uint8Array;
}

export interface FwCfgOptions {
  readonly memoryBytes: number;
  readonly files: readonly FwCfgFile[];
}

export interface FwCfgState {
  selector: number;
  offset: number;
  /** Upper half of a DMA address, as written. */
  dmaHigh: number;
}

const PORT = { SELECTOR: 0x510, DATA: 0x511, DMA_HIGH: 0x514, DMA_LOW: 0x518 } as const;
const ITEM = { SIGNATURE: 0x00, ID: 0x01, UUID: 0x02, RAM_SIZE: 0x03, NO_GRAPHIC: 0x04, PROCESSORS: 0x05, MAX_PROCESSORS: 0x0f, DIRECTORY: 0x19, FILES: 0x20 } as const;
/** Traditional interface and DMA. */
const ID = 3;
const DMA = { ERROR: 1, READ: 2, SKIP: 4, SELECT: 8, WRITE: 16 } as const;
const DIRECTORY_ENTRY = 64;
const LONGEST_NAME = 55;
/** More than any item has: what lies behind it reads zero. */
const DMA_LIMIT = 0x100_0000;

const swapped = (value: number): number =>
  (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;

export class FwCfg implements Device<FwCfgState> {
  // wiring
  readonly id = 'fwCfg0';
  readonly #wiring: Wiring;
  readonly #options: FwCfgOptions;
  readonly #files: readonly FwCfgFile[];
  readonly #contents = new Map<number, Uint8Array>();

  // guest-visible state
  #r: FwCfgState = { selector: 0, offset: 0, dmaHigh: 0 };

  readonly state = recordCodec(
    1,
    record<FwCfgState>({ selector: u16, offset: count, dmaHigh: u32 }),
    () => this.#r,
    (saved) => void (this.#r = saved),
  );

  constructor(wiring: Wiring, options: FwCfgOptions) {
    this.#wiring = wiring;
    this.#options = options;
    this.#files = [...options.files].sort((a, b) => (a.name < b.name ? -1 : 1));
    wiring.ports(this.id, PORT.SELECTOR, 2, {
      read: (port, size) => (port === PORT.DATA ? this.#readData(size) : 0),
      write: (port, value, size) => {
        if (port === PORT.SELECTOR && size === 2) this.#select(value);
      },
    });
    wiring.ports(`${this.id}.dma`, PORT.DMA_HIGH, 8, {
      // "QEMU CFG" in memory order.
      read: (port, size) => (size !== 4 ? 0 : port === PORT.DMA_HIGH ? 0x554d4551 : 0x47464320),
      write: (port, value, size) => {
        if (size !== 4) return;
        if (port === PORT.DMA_HIGH) this.#r.dmaHigh = value;
        else if (port === PORT.DMA_LOW) this.#transfer(swapped(value));
      },
    });
  }

  reset(_kind: ResetKind): void {
    this.#r = { selector: 0, offset: 0, dmaHigh: 0 };
    this.#contents.clear();
  }

  #select(item: number): void {
    this.#r.selector = item;
    this.#r.offset = 0;
  }

  #readData(size: AccessSize): number {
    const content = this.#content(this.#r.selector);
    let value = 0;
    for (let index = 0; index < size; index++) value += (content[this.#r.offset++] ?? 0) * 2 ** (8 * index);
    return value;
  }

  /** Control, length and address, big-endian, at `address`. */
  #transfer(address: number): void {
    const { memory, guestError } = this.#wiring;
    if (this.#r.dmaHigh !== 0) {
      guestError('fw_cfg DMA above 4 GiB', { high: swapped(this.#r.dmaHigh) });
      return;
    }
    const [control, length, high, target] = [0, 4, 8, 12].map((field) => swapped(memory.read32(address + field)));
    if (control! & DMA.SELECT) this.#select(control! >>> 16);
    const fails = (control! & DMA.WRITE) !== 0 || length! > DMA_LIMIT || (high !== 0 && (control! & DMA.READ) !== 0);
    if (!fails && control! & (DMA.READ | DMA.SKIP)) {
      const { offset } = this.#r;
      if (control! & DMA.READ) {
        const bytes = new Uint8Array(length!);
        bytes.set(this.#content(this.#r.selector).subarray(offset, offset + length!));
        memory.write(target!, bytes);
      }
      this.#r.offset = offset + length!;
    }
    memory.write32(address, fails ? swapped(DMA.ERROR) : 0);
  }

  #content(item: number): Uint8Array {
    let content = this.#contents.get(item);
    if (content === undefined) this.#contents.set(item, (content = this.#make(item)));
    return content;
  }

  #make(item: number): Uint8Array {
    const file = this.#files[item - ITEM.FILES];
    if (file !== undefined) return file.content();
    switch (item) {
      case ITEM.SIGNATURE:
        return Uint8Array.of(0x51, 0x45, 0x4d, 0x55);
      case ITEM.ID:
        return Uint8Array.of(ID, 0, 0, 0);
      case ITEM.UUID:
        return new Uint8Array(16);
      case ITEM.RAM_SIZE: {
        const bytes = new Uint8Array(8);
        new DataView(bytes.buffer).setUint32(0, this.#options.memoryBytes, true);
        return bytes;
      }
      case ITEM.PROCESSORS:
      case ITEM.MAX_PROCESSORS:
        return Uint8Array.of(1, 0);
      case ITEM.DIRECTORY:
        return this.#directory();
      default:
        return new Uint8Array(0);
    }
  }

  /** Count, then size, selector and name of each file, big-endian. */
  #directory(): Uint8Array {
    const bytes = new Uint8Array(4 + this.#files.length * DIRECTORY_ENTRY);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, this.#files.length);
    this.#files.forEach(({ name }, index) => {
      const at = 4 + index * DIRECTORY_ENTRY;
      view.setUint32(at, this.#content(ITEM.FILES + index).length);
      view.setUint16(at + 4, ITEM.FILES + index);
      for (let character = 0; character < Math.min(name.length, LONGEST_NAME); character++) {
        bytes[at + 8 + character] = name.charCodeAt(character);
      }
    });
    // What the firmware programs before it reads a file may change the file's content.
    this.#contents.clear();
    return bytes;
  }
}
