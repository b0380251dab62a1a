// VGA (IBM VGA Technical Reference, 1992): sequencer, CRT controller, graphics and attribute controllers, DAC.
import type { Device, MmioHandler, ResetKind, Wiring } from '../../bus/device.ts';
import { bytePorts } from '../../bus/portMap.ts';
import { bytes, flag, integer, record, recordCodec, u8 } from '../../bus/savedState.ts';
import type { DisplayMode, DisplayRectangle, DisplaySource } from '../../host/display.ts';
import { CODE_PAGE_437 } from './codePage437.ts';
import { CR, CURSOR_OFF, GC_MASK, MISC, PROTECT, SEQ_MASK, STATUS1 } from './vga.registers.ts';
import { geometryOf, planeOffset, timingOf, type VgaGeometry, type VgaTiming } from './vgaGeometry.ts';
import { VgaMemory } from './vgaMemory.ts';
import { loadColors, VgaRenderer, type VgaPicture } from './vgaRenderer.ts';

export interface VgaState extends VgaPicture {
  seqIndex: number;
  gcIndex: number;
  crtcIndex: number;
  feature: number;
  enable: number;
  /** The next write to 3C0h is data. */
  attributeData: boolean;
  dacWrite: number;
  dacRead: number;
  /** Component under way, 0..2. */
  dacStep: number;
  dacReading: boolean;
  latch: number;
  memory: Uint8Array;
}

const shape = record<VgaState>({
  misc: u8,
  seq: bytes(8),
  gc: bytes(16),
  crtc: bytes(256),
  attribute: bytes(32),
  attributeIndex: u8,
  dac: bytes(768),
  pelMask: u8,
  seqIndex: u8,
  gcIndex: u8,
  crtcIndex: u8,
  feature: u8,
  enable: u8,
  attributeData: flag,
  dacWrite: u8,
  dacRead: u8,
  dacStep: integer(0, 2),
  dacReading: flag,
  latch: integer(-(2 ** 31), 2 ** 31 - 1),
  memory: bytes(0x40000),
});

type Registers = Omit<VgaState, 'latch' | 'memory'>;

const powerOn = (): Registers => ({
  misc: 0,
  seq: new Uint8Array(8),
  gc: new Uint8Array(16),
  crtc: new Uint8Array(256),
  attribute: new Uint8Array(32),
  attributeIndex: 0,
  dac: new Uint8Array(768),
  pelMask: 0xff,
  seqIndex: 0,
  gcIndex: 0,
  crtcIndex: 0,
  feature: 0,
  enable: 1,
  attributeData: false,
  dacWrite: 0,
  dacRead: 0,
  dacStep: 0,
  dacReading: false,
});

/** What an adapter around the VGA makes of it (QEMU's standard VGA). */
export interface VgaExtension {
  /** 64 KiB of linear display memory at A0000h instead of the planes; null: the planes. */
  readonly window: Uint8Array | null;
  readonly onWritten: (offset: number) => void;
  /** The DAC has 8 bits of each colour. */
  readonly wideDac: boolean;
}

const CRTC_REGISTERS = 0x19;
const ATTRIBUTE_REGISTERS = 0x15;
const WINDOW_BASE = 0xa0000;
const WINDOW_LENGTH = 0x20000;
/** Vertical retraces between changes of the blinking cursor; attributes blink half as fast. */
const CURSOR_FRAMES = 16;

export class Vga implements Device<VgaState>, DisplaySource, MmioHandler {
  // wiring
  readonly id = 'vga';
  readonly #wiring: Wiring;
  readonly #memory = new VgaMemory();
  readonly #renderer = new VgaRenderer();

  // guest-visible state, with the planes and the latch in `#memory`
  #r = powerOn();

  // derived from it
  #geometry: VgaGeometry | null = null;
  #timing: VgaTiming | null = null;

  #extension: VgaExtension = { window: null, onWritten: () => {}, wideDac: false };
  readonly #colors = new Uint32Array(256);
  #colorsStale = true;

  readonly state = recordCodec(
    1,
    shape,
    () => ({ ...this.#r, latch: this.#memory.latch, memory: this.#memory.bytes }),
    (saved) => {
      const { latch, memory, ...registers } = saved;
      this.#r = registers;
      this.#memory.bytes.set(memory);
      this.#memory.latch = latch;
      this.#syncOutputs();
    },
  );

  constructor(wiring: Wiring) {
    this.#wiring = wiring;
    const ports = bytePorts(this);
    wiring.ports(`${this.id}.mono`, 0x3b0, 12, ports);
    wiring.ports(this.id, 0x3c0, 32, ports);
    wiring.mmio(this.id, WINDOW_BASE, WINDOW_LENGTH, this);
    this.#syncOutputs();
  }

  reset(kind: ResetKind): void {
    if (kind === 'soft') return;
    this.#r = powerOn();
    if (kind === 'power-on') this.#memory.bytes.fill(0);
    this.#syncOutputs();
  }

  /** The adapter's state changed. */
  extend(extension: VgaExtension): void {
    if (extension.wideDac !== this.#extension.wideDac) this.#colorsStale = this.#renderer.stale = true;
    this.#extension = extension;
  }

  /** RGBA of the DAC's 256 entries, and whether they changed since the last call. */
  palette(): { colors: Uint32Array; changed: boolean } {
    const changed = this.#colorsStale;
    if (changed) loadColors(this.#colors, this.#r.dac, this.#r.pelMask, this.#extension.wideDac);
    this.#colorsStale = false;
    return { colors: this.#colors, changed };
  }

  // Memory window

  read(offset: number, size: 1 | 2 | 4): number {
    const { window } = this.#extension;
    if (window !== null) return readLinear(window, offset, size);
    const memory = this.#memory;
    if (size === 1) return memory.read8(offset);
    if (size === 2) return memory.read8(offset) | (memory.read8(offset + 1) << 8);
    return (
      (memory.read8(offset) | (memory.read8(offset + 1) << 8) | (memory.read8(offset + 2) << 16) | (memory.read8(offset + 3) << 24)) >>> 0
    );
  }

  write(offset: number, value: number, size: 1 | 2 | 4): void {
    const { window, onWritten } = this.#extension;
    if (window !== null) {
      for (let index = 0; index < size && offset + index < window.length; index++) {
        window[offset + index] = value >>> (8 * index);
        onWritten(offset + index);
      }
      return;
    }
    const memory = this.#memory;
    memory.write8(offset, value & 0xff);
    if (size === 1) return;
    memory.write8(offset + 1, (value >> 8) & 0xff);
    if (size === 2) return;
    memory.write8(offset + 2, (value >> 16) & 0xff);
    memory.write8(offset + 3, value >>> 24);
  }

  // Display

  mode(): DisplayMode {
    this.#refresh();
    return this.#renderer.frame.mode;
  }

  update(consumer: object, full = false): { mode: DisplayMode; rectangles: DisplayRectangle[] } {
    this.#refresh();
    return { mode: this.#renderer.frame.mode, rectangles: this.#renderer.frame.take(consumer, full) };
  }

  text(): { lines: string[]; cursor: { row: number; column: number } | null } | null {
    const g = this.#currentGeometry();
    if (!g.text) return null;
    const lines: string[] = [];
    const { crtc } = this.#r;
    const at = (crtc[CR.CURSOR_HIGH]! << 8) | crtc[CR.CURSOR_LOW]!;
    let cursor: { row: number; column: number } | null = null;
    for (let row = 0; row < g.rows; row++) {
      let line = '';
      for (let column = 0; column < g.columns; column++) {
        const counter = (g.start + row * g.pitch + column) & 0xffff;
        line += CODE_PAGE_437[this.#memory.planes[planeOffset(g, counter, 0)]! & 0xff]!;
        if (counter === at && !(crtc[CR.CURSOR_START]! & CURSOR_OFF)) cursor = { row, column };
      }
      lines.push(line);
    }
    return { lines, cursor };
  }

  #refresh(): void {
    const frames = this.#wiring.now() / this.#currentTiming().frameNs;
    const blink = { cursor: Math.floor(frames / CURSOR_FRAMES) % 2 === 0, text: Math.floor(frames / CURSOR_FRAMES / 2) % 2 === 0 };
    this.#renderer.refresh(this.#memory, this.#r, this.#currentGeometry(), blink);
  }

  #currentGeometry(): VgaGeometry {
    return (this.#geometry ??= geometryOf(this.#r));
  }

  #currentTiming(): VgaTiming {
    return (this.#timing ??= timingOf(this.#r));
  }

  // Registers

  read8(port: number): number {
    const r = this.#r;
    switch (port) {
      case 0x3c0:
        return r.attributeIndex;
      case 0x3c1:
        return (r.attributeIndex & 31) < ATTRIBUTE_REGISTERS ? r.attribute[r.attributeIndex & 31]! : 0;
      case 0x3c2:
        return 0x10; // switch sense: a colour monitor
      case 0x3c3:
        return r.enable;
      case 0x3c4:
        return r.seqIndex;
      case 0x3c5:
        return r.seqIndex < SEQ_MASK.length ? r.seq[r.seqIndex]! : 0;
      case 0x3c6:
        return r.pelMask;
      case 0x3c7:
        return r.dacReading ? 3 : 0;
      case 0x3c8:
        return r.dacWrite;
      case 0x3c9:
        return this.#readDac();
      case 0x3ca:
        return r.feature;
      case 0x3cc:
        return r.misc;
      case 0x3ce:
        return r.gcIndex;
      case 0x3cf:
        return r.gcIndex < GC_MASK.length ? r.gc[r.gcIndex]! : 0;
      default:
        return this.#readCrtcPort(port);
    }
  }

  write8(port: number, value: number): void {
    const r = this.#r;
    switch (port) {
      case 0x3c0:
        return this.#writeAttribute(value);
      case 0x3c2:
        r.misc = value;
        return this.#syncOutputs();
      case 0x3c3:
        r.enable = value & 1;
        return;
      case 0x3c4:
        r.seqIndex = value & 7;
        return;
      case 0x3c5:
        return this.#writeSequencer(value);
      case 0x3c6:
        r.pelMask = value;
        this.#renderer.stale = this.#colorsStale = true;
        return;
      case 0x3c7:
        r.dacRead = value;
        r.dacStep = 0;
        r.dacReading = true;
        return;
      case 0x3c8:
        r.dacWrite = value;
        r.dacStep = 0;
        r.dacReading = false;
        return;
      case 0x3c9:
        return this.#writeDac(value);
      case 0x3ce:
        r.gcIndex = value & 15;
        return;
      case 0x3cf:
        return this.#writeGraphics(value);
      default:
        this.#writeCrtcPort(port, value);
    }
  }

  /** CRTC and status ports exist at 3Bxh or 3Dxh by the miscellaneous register. */
  #selected(port: number): boolean {
    return (port & 0x3f0) === (this.#r.misc & MISC.COLOR_IO ? 0x3d0 : 0x3b0);
  }

  #readCrtcPort(port: number): number {
    if (!this.#selected(port)) return 0xff;
    const r = this.#r;
    switch (port & 15) {
      case 4:
        return r.crtcIndex;
      case 5:
        return r.crtcIndex < CRTC_REGISTERS ? r.crtc[r.crtcIndex]! : 0;
      case 10:
        r.attributeData = false;
        return this.#status1();
      default:
        return 0xff;
    }
  }

  #writeCrtcPort(port: number, value: number): void {
    if (!this.#selected(port)) return;
    if ((port & 15) === 4) this.#r.crtcIndex = value & 0x3f;
    else if ((port & 15) === 5) this.#writeCrtc(this.#r.crtcIndex, value);
    else if ((port & 15) === 10) this.#r.feature = value;
  }

  #writeCrtc(index: number, value: number): void {
    const crtc = this.#r.crtc;
    if (index >= CRTC_REGISTERS) return;
    let kept = value;
    if (index <= CR.OVERFLOW && crtc[CR.V_RETRACE_END]! & PROTECT) {
      if (index !== CR.OVERFLOW) return;
      kept = (crtc[index]! & ~0x10) | (value & 0x10); // line compare bit 8 is not protected
    }
    if (crtc[index] === kept) return;
    crtc[index] = kept;
    if (index === CR.CURSOR_HIGH || index === CR.CURSOR_LOW) return; // the renderer looks at these itself
    this.#geometry = null;
    this.#timing = null;
    this.#renderer.stale = true;
  }

  #writeSequencer(value: number): void {
    const { seq, seqIndex } = this.#r;
    if (seqIndex >= SEQ_MASK.length) return;
    const kept = value & SEQ_MASK[seqIndex as 0];
    if (seq[seqIndex] === kept) return;
    seq[seqIndex] = kept;
    this.#configureMemory();
    if (seqIndex !== 1 && seqIndex !== 3) return; // only clocking and fonts show
    this.#geometry = null;
    this.#timing = null;
    this.#renderer.stale = true;
  }

  #writeGraphics(value: number): void {
    const { gc, gcIndex } = this.#r;
    if (gcIndex >= GC_MASK.length) return;
    const kept = value & GC_MASK[gcIndex as 0];
    const changed = gc[gcIndex]! ^ kept;
    if (changed === 0) return;
    gc[gcIndex] = kept;
    this.#configureMemory();
    if (gcIndex !== 5 || !(changed & 0x60)) return; // only the shift mode shows
    this.#geometry = null;
    this.#renderer.stale = true;
  }

  #writeAttribute(value: number): void {
    const r = this.#r;
    const data = r.attributeData;
    r.attributeData = !data;
    if (!data) {
      if ((r.attributeIndex ^ value) & 0x20) this.#renderer.stale = true;
      r.attributeIndex = value & 0x3f;
      return;
    }
    const index = r.attributeIndex & 31;
    if (index >= ATTRIBUTE_REGISTERS || (index < 16 && r.attributeIndex & 0x20)) return; // the palette is in use
    if (r.attribute[index] === value) return;
    r.attribute[index] = value;
    this.#geometry = null;
    this.#renderer.stale = true;
  }

  #readDac(): number {
    const r = this.#r;
    const value = r.dac[r.dacRead * 3 + r.dacStep]!;
    if (++r.dacStep === 3) {
      r.dacStep = 0;
      r.dacRead = (r.dacRead + 1) & 0xff;
    }
    return value;
  }

  #writeDac(value: number): void {
    const r = this.#r;
    r.dac[r.dacWrite * 3 + r.dacStep] = this.#extension.wideDac ? value : value & 0x3f;
    if (++r.dacStep === 3) {
      r.dacStep = 0;
      r.dacWrite = (r.dacWrite + 1) & 0xff;
    }
    this.#renderer.stale = this.#colorsStale = true;
  }

  /** Where the beam is now. */
  #status1(): number {
    const t = this.#currentTiming();
    const within = this.#wiring.now() % t.frameNs;
    const line = Math.floor(within / t.lineNs);
    if (line >= t.retraceStart && line < t.retraceEnd) return STATUS1.DISPLAY_DISABLED | STATUS1.V_RETRACE;
    return line >= t.displayLines || within - line * t.lineNs >= t.displayNs ? STATUS1.DISPLAY_DISABLED : 0;
  }

  #configureMemory(): void {
    this.#memory.configure(this.#r.seq, this.#r.gc, (this.#r.misc & MISC.RAM_ENABLE) !== 0);
  }

  #syncOutputs(): void {
    this.#geometry = null;
    this.#timing = null;
    this.#configureMemory();
    this.#memory.markAll();
    this.#renderer.stale = this.#colorsStale = true;
  }
}

function readLinear(window: Uint8Array, offset: number, size: number): number {
  let value = 0;
  for (let index = size - 1; index >= 0; index--) value = value * 256 + (window[offset + index] ?? 0xff);
  return value;
}
