// From planes and registers to RGBA: text cells and graphics lines, redrawn only where something changed.
import { FrameBuffer } from './frameBuffer.ts';
import { planeOffset, type VgaGeometry } from './vgaGeometry.ts';
import { DIRTY_SHIFT, type VgaMemory } from './vgaMemory.ts';
import { AR, AR_MODE, CLOCKING, CR, CURSOR_OFF, PALETTE_SOURCE, SEQ, UNDERLINE_DWORD } from './vga.registers.ts';
import type { VgaRegisters } from './vgaGeometry.ts';

export interface VgaPicture extends VgaRegisters {
  attributeIndex: number;
  dac: Uint8Array;
  pelMask: number;
}

/** Character generator tables by the sequencer's 3-bit selectors, as offsets into plane 2. */
const FONT_OFFSETS = [0x0000, 0x4000, 0x8000, 0xc000, 0x2000, 0x6000, 0xa000, 0xe000] as const;

const CURSOR_BIT = 1 << 16;
const HIDDEN_BIT = 1 << 17;

/** Blink phases by frames: the cursor toggles every 8, attributes every 16 (IBM VGA reference 2-93). */
export interface Blink {
  readonly cursor: boolean;
  readonly text: boolean;
}

export class VgaRenderer {
  readonly frame = new FrameBuffer();
  /** Registers changed: draw everything anew. */
  stale = true;
  #geometry: VgaGeometry | null = null;
  #cells = new Int32Array(0);
  #line = new Uint32Array(0);
  readonly #palette = new Uint32Array(16);
  readonly #colors = new Uint32Array(256);
  #blank = false;
  #cursor = -1;
  #blink: Blink = { cursor: true, text: true };

  refresh(memory: VgaMemory, picture: VgaPicture, geometry: VgaGeometry, blink: Blink): void {
    const frame = this.frame;
    this.#resize(geometry);
    const cursor = this.#cursorCounter(picture);
    const blinked = geometry.text && (blink.cursor !== this.#blink.cursor || blink.text !== this.#blink.text);
    if (!this.stale && !memory.anyDirty && !blinked && cursor === this.#cursor) return;
    this.#blink = blink;
    this.#cursor = cursor;
    frame.begin();
    if (this.stale) this.#loadPalette(picture);
    if (this.#blank) this.#fillBlank();
    else if (geometry.text) this.#text(memory, picture, geometry, this.stale || memory.plane2Dirty);
    else this.#graphics(memory, picture, geometry);
    this.stale = false;
    memory.dirty.fill(0);
    memory.anyDirty = false;
    memory.plane2Dirty = false;
  }

  #resize(g: VgaGeometry): void {
    const old = this.#geometry;
    if (old === g) return;
    this.#geometry = g;
    this.stale = true;
    if (old && old.text === g.text && old.width === g.width && old.height === g.height && old.cellHeight === g.cellHeight) return;
    const mode = g.text
      ? { width: g.width, height: g.height, text: { columns: g.columns, rows: g.rows } }
      : { width: g.width, height: g.height };
    this.frame.resize(mode, g.text ? g.cellHeight : 1);
    this.#cells = new Int32Array(g.columns * g.rows).fill(-1);
    this.#line = new Uint32Array(g.width + 16);
  }

  #loadPalette(p: VgaPicture): void {
    this.#blank = (p.seq[SEQ.CLOCKING]! & CLOCKING.SCREEN_OFF) !== 0 || (p.attributeIndex & PALETTE_SOURCE) === 0;
    loadColors(this.#colors, p.dac, p.pelMask, false);
    const select = p.attribute[AR.COLOR_SELECT]!;
    for (let index = 0; index < 16; index++) {
      const entry = p.attribute[index & p.attribute[AR.PLANE_ENABLE]!]! & 0x3f;
      const low = p.attribute[AR.MODE]! & AR_MODE.P54_SELECT ? (entry & 15) | ((select & 3) << 4) : entry;
      this.#palette[index] = this.#colors[low | ((select & 12) << 4)]!;
    }
  }

  #fillBlank(): void {
    const frame = this.frame;
    frame.pixels.fill(0xff000000);
    this.#cells.fill(-1);
    for (let band = 0; band * frame.bandHeight < frame.height; band++) frame.touch(band, 0, frame.width);
  }

  #cursorCounter(p: VgaPicture): number {
    const crtc = p.crtc;
    if (crtc[CR.CURSOR_START]! & CURSOR_OFF) return -1;
    if ((crtc[CR.CURSOR_START]! & 31) > (crtc[CR.CURSOR_END]! & 31)) return -1;
    return (crtc[CR.CURSOR_HIGH]! << 8) | crtc[CR.CURSOR_LOW]!;
  }

  #text(memory: VgaMemory, p: VgaPicture, g: VgaGeometry, redraw: boolean): void {
    const blinking = (p.attribute[AR.MODE]! & AR_MODE.BLINK) !== 0;
    const { columns, rows } = g;
    const splitRow = Math.ceil((g.lineCompare + 1) / (g.cellHeight * g.repeat));
    for (let row = 0; row < rows; row++) {
      let counter = row < splitRow ? g.start + row * g.pitch : (row - splitRow) * g.pitch;
      for (let column = 0; column < columns; column++, counter++) {
        const word = memory.planes[planeOffset(g, counter & 0xffff, 0)]!;
        let key = word & 0xffff;
        if ((counter & 0xffff) === this.#cursor && this.#blink.cursor) key |= CURSOR_BIT;
        if (blinking && key & 0x8000 && !this.#blink.text) key |= HIDDEN_BIT;
        const cell = row * columns + column;
        if (!redraw && this.#cells[cell] === key) continue;
        this.#cells[cell] = key;
        this.#drawCell(memory, p, g, row, column, key, blinking);
      }
    }
  }

  #drawCell(memory: VgaMemory, p: VgaPicture, g: VgaGeometry, row: number, column: number, key: number, blinking: boolean): void {
    const character = key & 0xff;
    const attribute = (key >> 8) & 0xff;
    const background = this.#palette[blinking ? (attribute >> 4) & 7 : attribute >> 4]!;
    const foreground = key & HIDDEN_BIT ? background : this.#palette[attribute & 15]!;
    const map = p.seq[SEQ.CHARACTER_MAP]!;
    const selector = attribute & 8 ? ((map >> 2) & 3) | ((map >> 3) & 4) : (map & 3) | ((map >> 2) & 4);
    const font = FONT_OFFSETS[selector as 0]! + character * 32;
    const underline =
      p.attribute[AR.MODE]! & AR_MODE.MONO && (attribute & 0x77) === 1 ? p.crtc[CR.UNDERLINE]! & (UNDERLINE_DWORD - 1) & 31 : -1;
    const cursorTop = key & CURSOR_BIT ? p.crtc[CR.CURSOR_START]! & 31 : 32;
    const cursorBottom = p.crtc[CR.CURSOR_END]! & 31;
    const ninth = (p.attribute[AR.MODE]! & AR_MODE.LINE_GRAPHICS) !== 0 && character >= 0xc0 && character <= 0xdf;
    const { width, pixels } = this.frame;
    const { cellWidth, cellHeight } = g;
    for (let scan = 0; scan < cellHeight; scan++) {
      let bits = memory.bytes[((font + scan) & 0xffff) * 4 + 2]! << 1;
      if (ninth) bits |= (bits >> 1) & 1;
      if (scan === underline || (scan >= cursorTop && scan <= cursorBottom)) bits = 0x1ff;
      let at = (row * cellHeight + scan) * width + column * cellWidth;
      for (let dot = 0; dot < cellWidth; dot++, bits <<= 1) pixels[at++] = bits & 0x100 ? foreground : background;
    }
    this.frame.touch(row, column * cellWidth, (column + 1) * cellWidth);
  }

  #graphics(memory: VgaMemory, p: VgaPicture, g: VgaGeometry): void {
    const { width, pixels } = this.frame;
    const pan = g.pixels === 'packed' ? (p.attribute[AR.PAN]! & 7) >> 1 : p.attribute[AR.PAN]! & 7;
    const split = Math.floor(g.lineCompare / g.repeat) + 1;
    const line = this.#line;
    for (let y = 0; y < g.height; y++) {
      const from = y < split ? y : y - split;
      const base = (y < split ? g.start : 0) + Math.floor(from / g.banks) * g.pitch;
      const rowScan = from % g.banks;
      if (!this.stale && !this.#lineDirty(memory, g, base, rowScan)) continue;
      this.#drawLine(memory, g, base, rowScan);
      const shift = y < split ? pan : 0;
      const to = y * width;
      let left = 0;
      while (left < width && pixels[to + left] === line[left + shift]) left++;
      if (left === width) continue;
      let right = width;
      while (pixels[to + right - 1] === line[right - 1 + shift]) right--;
      pixels.set(line.subarray(left + shift, right + shift), to + left);
      this.frame.touch(y, left, right);
    }
  }

  #lineDirty(memory: VgaMemory, g: VgaGeometry, base: number, rowScan: number): boolean {
    const step = g.addressing === 'dword' ? 16 : g.addressing === 'word' ? 32 : 64; // address steps in a dirty block
    for (let counter = base; counter < base + g.columns + step; counter += step)
      if (memory.dirty[planeOffset(g, counter & 0xffff, rowScan) >> DIRTY_SHIFT]) return true;
    return memory.dirty[planeOffset(g, (base + g.columns) & 0xffff, rowScan) >> DIRTY_SHIFT] === 1;
  }

  /** One more character than is shown, for panning. */
  #drawLine(memory: VgaMemory, g: VgaGeometry, base: number, rowScan: number): void {
    const line = this.#line;
    const colors = this.#colors;
    const palette = this.#palette;
    let x = 0;
    for (let column = 0; column <= g.columns; column++) {
      const word = memory.planes[planeOffset(g, (base + column) & 0xffff, rowScan)]!;
      if (g.pixels === 'packed') {
        line[x++] = colors[word & 0xff]!;
        line[x++] = colors[(word >> 8) & 0xff]!;
        line[x++] = colors[(word >> 16) & 0xff]!;
        line[x++] = colors[word >>> 24]!;
      } else if (g.pixels === 'planar') {
        for (let dot = 7; dot >= 0; dot--)
          line[x++] =
            palette[((word >> dot) & 1) | ((word >> (dot + 7)) & 2) | ((word >> (dot + 14)) & 4) | ((word >>> (dot + 21)) & 8)]!;
      } else {
        for (let half = 0; half < 16; half += 8)
          for (let pair = 6; pair >= 0; pair -= 2)
            line[x++] = palette[((word >> (half + pair)) & 3) | (((word >>> (half + 16 + pair)) & 3) << 2)]!;
      }
    }
  }
}

/** The DAC's colours as RGBA, from 6 or 8 bits of each. */
export function loadColors(colors: Uint32Array, dac: Uint8Array, pelMask: number, wide: boolean): void {
  const channel = (value: number): number => (wide ? value : ((value & 63) << 2) | ((value & 63) >> 4));
  for (let index = 0; index < 256; index++) {
    const at = (index & pelMask) * 3;
    colors[index] = 0xff000000 | (channel(dac[at + 2]!) << 16) | (channel(dac[at + 1]!) << 8) | channel(dac[at]!);
  }
}
