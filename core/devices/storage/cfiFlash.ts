// Parallel NOR flash with Intel's command set (JESD68 CFI, command set 0001h; Intel 28F): the variable store of UEFI firmware.
import type { Device, MmioHandler, ResetKind, Wiring } from '../../bus/device.ts';
import type { AccessSize } from '../../bus/portMap.ts';
import { integer, record, recordCodec, u8 } from '../../bus/savedState.ts';
import { bytes } from '../../bus/savedState.ts';

export interface CfiFlashState {
  /** Command whose second cycle is awaited, or what reads show: one of COMMAND. */
  mode: number;
  status: number;
  /** Buffered program: bytes still to come, and the block that was named. */
  bufferLeft: number;
  content: Uint8Array;
}

export interface CfiFlashOptions {
  readonly id: string;
  readonly base: number;
  /** The array's memory: a page-aligned length; the processor reads it directly in array mode. */
  readonly content: Uint8Array;
  /** Reads come from the array, or from here. */
  readonly onArrayMode: (array: boolean) => void;
  /** Bytes of the array changed. */
  readonly onChange: (offset: number, length: number) => void;
}

const BLOCK = 4096;
/** Bytes of the write buffer. */
const BUFFER = 32;

const COMMAND = {
  READ_ARRAY: 0xff, PROGRAM: 0x40, PROGRAM_ALTERNATE: 0x10, ERASE: 0x20, CONFIRM: 0xd0, CLEAR_STATUS: 0x50, READ_STATUS: 0x70,
  READ_ID: 0x90, CFI_QUERY: 0x98, BUFFER: 0xe8, LOCK: 0x60,
} as const;
/** Between the cycles of a buffered program: the count, the data, the confirmation. */
const PHASE = { BUFFER_DATA: 0x100, BUFFER_CONFIRM: 0x101 } as const;
const STATUS = { READY: 0x80, ERASE_ERROR: 0x20, PROGRAM_ERROR: 0x10 } as const;
const MANUFACTURER = 0x89, DEVICE = 0x18;

export class CfiFlash implements Device<CfiFlashState>, MmioHandler {
  // wiring
  readonly id: string;
  readonly #options: CfiFlashOptions;
  readonly #wiring: Wiring;
  readonly #cfi: Uint8Array;

  // guest-visible state, with the array in `options.content`
  #r: Omit<CfiFlashState, 'content'> = powerOn();

  readonly state;

  constructor(wiring: Wiring, options: CfiFlashOptions) {
    this.id = options.id;
    this.#options = options;
    this.#wiring = wiring;
    this.#cfi = cfiTable(options.content.length);
    this.state = recordCodec(
      1,
      record<CfiFlashState>({ mode: integer(0, 0x1ff), status: u8, bufferLeft: integer(0, BUFFER), content: bytes(options.content.length) }),
      () => ({ ...this.#r, content: options.content }),
      ({ content, ...rest }) => {
        this.#r = rest;
        options.content.set(content);
        options.onChange(0, content.length);
        this.#syncOutputs();
      },
    );
    wiring.mmio(options.id, options.base, options.content.length, this);
  }

  reset(kind: ResetKind): void {
    if (kind === 'soft') return;
    this.#r = powerOn();
    this.#syncOutputs();
  }

  read(offset: number, size: AccessSize): number {
    let value = 0;
    for (let index = size - 1; index >= 0; index--) value = value * 256 + this.#read8(offset + index);
    return value;
  }

  #read8(offset: number): number {
    switch (this.#r.mode) {
      case COMMAND.READ_ARRAY:
        return this.#options.content[offset]!;
      case COMMAND.READ_ID:
        return (offset & 0xff) === 0 ? MANUFACTURER : (offset & 0xff) === 1 ? DEVICE : 0;
      case COMMAND.CFI_QUERY:
        return this.#cfi[offset & 0xff] ?? 0;
      default:
        return this.#r.status;
    }
  }

  /** A command or a datum; wider accesses program bytes one after the other. */
  write(offset: number, value: number, size: AccessSize): void {
    const r = this.#r;
    const byte = value & 0xff;
    switch (r.mode) {
      case COMMAND.PROGRAM:
        this.#program(offset, value, size);
        this.#finish();
        return;
      case COMMAND.ERASE:
        if (byte === COMMAND.CONFIRM) this.#erase(offset);
        else r.status |= STATUS.ERASE_ERROR | STATUS.PROGRAM_ERROR;
        this.#finish();
        return;
      case COMMAND.LOCK:
        this.#finish(); // blocks are never locked
        return;
      case COMMAND.BUFFER:
        r.bufferLeft = Math.min(byte + 1, BUFFER);
        r.mode = PHASE.BUFFER_DATA;
        return;
      case PHASE.BUFFER_DATA:
        this.#program(offset, value, size);
        r.bufferLeft = Math.max(0, r.bufferLeft - size);
        if (r.bufferLeft === 0) r.mode = PHASE.BUFFER_CONFIRM;
        return;
      case PHASE.BUFFER_CONFIRM:
        if (byte !== COMMAND.CONFIRM) r.status |= STATUS.PROGRAM_ERROR;
        this.#finish();
        return;
      default:
        this.#command(byte);
        this.#syncOutputs();
    }
  }

  #command(byte: number): void {
    const r = this.#r;
    switch (byte) {
      case COMMAND.PROGRAM:
      case COMMAND.PROGRAM_ALTERNATE:
        r.mode = COMMAND.PROGRAM;
        return;
      case COMMAND.BUFFER:
        r.status |= STATUS.READY;
        r.mode = COMMAND.BUFFER;
        return;
      case COMMAND.ERASE:
      case COMMAND.LOCK:
      case COMMAND.READ_STATUS:
      case COMMAND.READ_ID:
      case COMMAND.CFI_QUERY:
        r.mode = byte;
        return;
      case COMMAND.CLEAR_STATUS:
        r.status = 0;
        r.mode = COMMAND.READ_ARRAY;
        return;
      default:
        if (byte !== COMMAND.READ_ARRAY && byte !== 0xf0 && byte !== 0) this.#wiring.guestError('unknown flash command', { command: byte });
        r.mode = COMMAND.READ_ARRAY;
    }
  }

  /** Programming clears bits; only an erase sets them. */
  #program(offset: number, value: number, size: AccessSize): void {
    const { content, onChange } = this.#options;
    const end = Math.min(offset + size, content.length);
    for (let at = offset; at < end; at++) content[at]! &= (value >>> (8 * (at - offset))) & 0xff;
    onChange(offset, end - offset);
  }

  #erase(offset: number): void {
    const start = offset - (offset % BLOCK);
    this.#options.content.fill(0xff, start, start + BLOCK);
    this.#options.onChange(start, BLOCK);
  }

  /** The operation is done; reads show its status. */
  #finish(): void {
    this.#r.status |= STATUS.READY;
    this.#r.mode = COMMAND.READ_STATUS;
    this.#syncOutputs();
  }

  #syncOutputs(): void {
    this.#options.onArrayMode(this.#r.mode === COMMAND.READ_ARRAY);
  }
}

const powerOn = (): Omit<CfiFlashState, 'content'> => ({ mode: COMMAND.READ_ARRAY, status: 0, bufferLeft: 0 });

/** The query structure (JESD68.01): one region of 4 KiB blocks, 8 bits wide. */
function cfiTable(size: number): Uint8Array {
  const table = new Uint8Array(0x60);
  const blocks = size / BLOCK - 1;
  table.set([0x51, 0x52, 0x59, 0x01, 0x00, 0x31, 0x00], 0x10);
  table.set([0x45, 0x55, 0x00, 0x00, 0x07, 0x07, 0x0a, 0x00, 0x04, 0x04, 0x04, 0x00], 0x1b);
  table.set([Math.ceil(Math.log2(size)), 0x00, 0x00, Math.log2(BUFFER), 0x00, 1], 0x27);
  table.set([blocks & 0xff, blocks >> 8, BLOCK >> 8, 0x00], 0x2d);
  table.set([0x50, 0x52, 0x49, 0x31, 0x30], 0x31);
  return table;
}
