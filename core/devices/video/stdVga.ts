// QEMU's standard VGA (docs/specs/standard-vga): a VGA with the Bochs display interface, display memory in BAR0, registers in
// BAR2. Guests write display memory as they write RAM; the board is told where it lies.
import type { Device, Mapping, MmioHandler, ResetKind, Wiring } from '../../bus/device.ts';
import { configurationBytes, PCI, PCI_COMMAND, PciConfiguration } from '../../bus/pciConfiguration.ts';
import { bytes, record, recordCodec } from '../../bus/savedState.ts';
import type { DisplayMode, DisplayRectangle, DisplaySource } from '../../host/display.ts';
import { Dispi, dispiAtPowerOn, dispiShape, type DispiState } from './dispi.ts';
import { DISPI_REGISTERS } from './dispi.registers.ts';
import { buildEdid } from './edid.ts';
import { LinearRenderer } from './linearRenderer.ts';
import type { Vga } from './vga.ts';

export interface StdVgaState {
  config: Uint8Array;
  dispi: DispiState;
  memory: Uint8Array;
}

export interface StdVgaOptions {
  readonly device: number;
  readonly vga: Vga;
  /** Display memory: a power of two of bytes. */
  readonly memory: Uint8Array;
  /** Display memory appears at `base`, or nowhere. */
  readonly onPlacement: (base: number | null) => void;
  /** Display memory was changed by the device itself. */
  readonly onWritten: (offset: number, length: number) => void;
}

const INDEX_PORT = 0x1ce;
const REGISTER_BYTES = 4096;
/** Parts of BAR2. */
const VGA_REGISTERS = 0x400, DISPI_AT = 0x500, EXTENDED = 0x600;
const VGA_PORTS = 0x3c0, VGA_PORT_COUNT = 32;
/** The extended registers: their length, and the byte order. */
const EXTENDED_BYTES = 8, LITTLE_ENDIAN = 0x1e1e1e1e;
const BAR2 = PCI.BAR0 + 8;
const PREFETCHABLE = 8;
const BANK_BYTES = 0x10000;

export class StdVga implements Device<StdVgaState>, DisplaySource, MmioHandler {
  // wiring
  readonly id = 'stdvga0';
  readonly pci: PciConfiguration;
  readonly #wiring: Wiring;
  readonly #vga: Vga;
  readonly #memory: Uint8Array;
  readonly #options: StdVgaOptions;
  readonly #edid = buildEdid();
  readonly #renderer: LinearRenderer;

  // guest-visible state, with the configuration space and display memory
  readonly #dispi: Dispi;

  // derived from it
  #placed: number | null = null;
  #registers: { readonly base: number; readonly mapping: Mapping } | null = null;
  readonly #sources = new WeakMap<object, 'linear' | 'vga'>();
  #shown: 'linear' | 'vga' = 'vga';

  readonly state;

  constructor(wiring: Wiring, options: StdVgaOptions) {
    this.#wiring = wiring;
    this.#options = options;
    this.#vga = options.vga;
    this.#memory = options.memory;
    this.#dispi = new Dispi(options.memory.length);
    this.#renderer = new LinearRenderer(options.memory);
    this.pci = new PciConfiguration(
      {
        device: options.device, function: 0, vendorId: 0x1234, deviceId: 0x1111, revision: 2, classCode: 0x030000,
        command: PCI_COMMAND.IO | PCI_COMMAND.MEMORY,
      },
      () => this.#syncOutputs(),
    );
    this.pci.define(PCI.BAR0, 4, PREFETCHABLE, ~(options.memory.length - 1) >>> 0);
    this.pci.define(BAR2, 4, 0, ~(REGISTER_BYTES - 1) >>> 0);
    // Subsystem: what QEMU's virtual hardware has.
    this.pci.define(0x2c, 4, 0x11001af4);
    this.state = recordCodec<StdVgaState>(
      1,
      record<StdVgaState>({ config: configurationBytes, dispi: dispiShape, memory: bytes(options.memory.length) }),
      () => ({ config: this.pci.bytes, dispi: this.#dispi.r, memory: this.#memory }),
      (saved) => {
        this.pci.restore(saved.config);
        this.#dispi.r = saved.dispi;
        this.#memory.set(saved.memory);
        options.onWritten(0, this.#memory.length);
        this.#syncOutputs();
      },
    );
    // Two words at neighbouring ports: the second's upper byte takes a third port.
    wiring.ports('dispi0', INDEX_PORT, 3, {
      read: (port) => (port === INDEX_PORT ? this.#dispi.r.index : this.#dispi.read(this.#dispi.r.index)),
      write: (port, value, size) => {
        if (size !== 2) return;
        if (port === INDEX_PORT) this.#dispi.r.index = value;
        else if (port === INDEX_PORT + 1) this.#writeDispi(this.#dispi.r.index, value);
      },
    });
    this.#syncOutputs();
  }

  reset(kind: ResetKind): void {
    if (kind === 'soft') return;
    this.pci.reset();
    this.#dispi.r = dispiAtPowerOn();
    if (kind === 'power-on') this.#clear();
    this.#syncOutputs();
  }

  // Registers in device memory

  read(offset: number, size: 1 | 2 | 4): number {
    if (offset < this.#edid.length) return little(size, (index) => this.#edid[offset + index] ?? 0);
    if (offset >= VGA_REGISTERS && offset < VGA_REGISTERS + VGA_PORT_COUNT) {
      return little(size, (index) => this.#vga.read8(VGA_PORTS + offset - VGA_REGISTERS + index));
    }
    if (offset >= DISPI_AT && offset < DISPI_AT + DISPI_REGISTERS * 2) {
      const value = this.#dispi.read((offset - DISPI_AT) >> 1);
      return size === 1 ? (value >> (8 * (offset & 1))) & 0xff : value;
    }
    if (size === 4 && offset === EXTENDED) return EXTENDED_BYTES;
    return size === 4 && offset === EXTENDED + 4 ? LITTLE_ENDIAN : 0;
  }

  write(offset: number, value: number, size: 1 | 2 | 4): void {
    if (offset >= VGA_REGISTERS && offset < VGA_REGISTERS + VGA_PORT_COUNT) {
      for (let index = 0; index < size; index++) this.#vga.write8(VGA_PORTS + offset - VGA_REGISTERS + index, (value >>> (8 * index)) & 0xff);
    } else if (size === 2 && offset >= DISPI_AT && offset < DISPI_AT + DISPI_REGISTERS * 2) {
      this.#writeDispi((offset - DISPI_AT) >> 1, value);
    } else if (offset !== EXTENDED + 4) {
      this.#wiring.guestError('write to a register that the display does not have', { offset, value });
    }
  }

  #writeDispi(index: number, value: number): void {
    if (this.#dispi.write(index, value)) this.#clear();
    this.#syncPicture();
  }

  #clear(): void {
    this.#memory.fill(0);
    this.#options.onWritten(0, this.#memory.length);
  }

  // Display

  mode(): DisplayMode {
    const picture = this.#dispi.picture();
    return picture === null ? this.#vga.mode() : { width: picture.width, height: picture.height };
  }

  update(consumer: object, full = false): { mode: DisplayMode; rectangles: DisplayRectangle[] } {
    const picture = this.#dispi.picture();
    const source = picture === null ? 'vga' : 'linear';
    const whole = full || (this.#sources.get(consumer) ?? 'vga') !== source;
    this.#sources.set(consumer, source);
    if (source !== this.#shown) this.#renderer.forget();
    this.#shown = source;
    if (picture === null) return this.#vga.update(consumer, whole);
    const { colors, changed } = this.#vga.palette();
    this.#renderer.refresh(picture, colors, changed);
    return { mode: this.#renderer.frame.mode, rectangles: this.#renderer.frame.take(consumer, whole) };
  }

  text(): ReturnType<DisplaySource['text']> {
    return this.#dispi.picture() === null ? this.#vga.text() : null;
  }

  // Outputs

  #syncOutputs(): void {
    const decodes = (this.pci.get16(PCI.COMMAND) & PCI_COMMAND.MEMORY) !== 0;
    const base = (bar: number): number | null => {
      const address = (this.pci.get32(bar) & ~15) >>> 0;
      // While its size is asked for, a register holds all ones.
      return decodes && address !== 0 && address + (bar === BAR2 ? REGISTER_BYTES : this.#memory.length) < 2 ** 32 ? address : null;
    };
    const memory = base(PCI.BAR0), registers = base(BAR2);
    if (memory !== this.#placed) this.#options.onPlacement((this.#placed = memory));
    if (registers !== (this.#registers?.base ?? null)) {
      this.#registers?.mapping.unmap();
      this.#registers = registers === null ? null : { base: registers, mapping: this.#wiring.mmio(this.id, registers, REGISTER_BYTES, this) };
    }
    this.#syncPicture();
  }

  #syncPicture(): void {
    const { bank } = this.#dispi.r;
    const window = this.#dispi.enabled ? this.#memory.subarray(bank * BANK_BYTES, (bank + 1) * BANK_BYTES) : null;
    this.#vga.extend({ window, onWritten: (offset) => this.#options.onWritten(bank * BANK_BYTES + offset, 1), wideDac: this.#dispi.wideDac });
  }
}

/** A value of `size` bytes, the lowest first. */
function little(size: number, byte: (index: number) => number): number {
  let value = 0;
  for (let index = size - 1; index >= 0; index--) value = value * 256 + byte(index);
  return value;
}
