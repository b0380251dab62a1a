// Characters on the screen in every mode: cells of text memory or pixels of a font.
import type { GuestMemory } from '../../../bus/device.ts';
import type { VgaPorts } from './vgaPorts.ts';
import type { VideoMode } from './videoModes.ts';

/** A rectangle of character cells, corners included. */
export interface CellArea {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

export interface CellScreen {
  readonly vga: VgaPorts;
  readonly memory: GuestMemory;
  readonly mode: VideoMode;
  readonly columns: number;
  readonly rows: number;
  /** Physical address of the page in display memory. */
  readonly pageAddress: number;
  readonly characterHeight: number;
  /** The glyph's rows, one byte each. */
  glyph(character: number): Uint8Array;
}

export function writeCell(screen: CellScreen, row: number, column: number, character: number, attribute: number | null): void {
  if (row >= screen.rows || column >= screen.columns) return;
  if (screen.mode.kind === 'text') {
    const address = textAddress(screen, row, column);
    screen.memory.write8(address, character);
    if (attribute !== null) screen.memory.write8(address + 1, attribute);
    return;
  }
  drawGlyph(screen, row, column, screen.glyph(character), attribute ?? 0x0f);
}

/** Character in the low byte, attribute in the high one. Graphics modes compare with the font. */
export function readCell(screen: CellScreen, row: number, column: number): number {
  if (screen.mode.kind === 'text') return screen.memory.read16(textAddress(screen, row, column));
  const seen = readGlyph(screen, row, column);
  for (let character = 0; character < 256; character++) {
    if (screen.glyph(character).every((bits, line) => bits === seen[line])) return character;
  }
  return 0;
}

/** INT 10h AH=06h/07h: positive `lines` scroll up, negative down, 0 clears. */
export function scrollCells(screen: CellScreen, area: CellArea, lines: number, attribute: number): void {
  const bottom = Math.min(area.bottom, screen.rows - 1);
  const right = Math.min(area.right, screen.columns - 1);
  if (area.top > bottom || area.left > right) return;
  const height = bottom - area.top + 1;
  const distance = Math.abs(lines);
  const moved = lines === 0 || distance >= height ? 0 : height - distance;
  const mover = rowMover(screen, area.left, right);
  for (let step = 0; step < moved; step++) {
    const to = lines > 0 ? area.top + step : bottom - step;
    mover.copy(lines > 0 ? to + distance : to - distance, to);
  }
  for (let step = moved; step < height; step++) mover.clear(lines >= 0 ? area.top + step : bottom - step, attribute);
  mover.done();
}

function textAddress(screen: CellScreen, row: number, column: number): number {
  return screen.pageAddress + (row * screen.columns + column) * 2;
}

interface RowMover {
  copy(from: number, to: number): void;
  clear(row: number, attribute: number): void;
  done(): void;
}

function rowMover(screen: CellScreen, left: number, right: number): RowMover {
  switch (screen.mode.kind) {
    case 'text':
      return textMover(screen, left, right);
    case 'planar':
      return planarMover(screen, left, right);
    default:
      return pixelMover(screen, left, right);
  }
}

function textMover(screen: CellScreen, left: number, right: number): RowMover {
  const cells = new Uint8Array((right - left + 1) * 2);
  return {
    copy(from, to) {
      screen.memory.read(textAddress(screen, from, left), cells);
      screen.memory.write(textAddress(screen, to, left), cells);
    },
    clear(row, attribute) {
      for (let at = 0; at < cells.length; at += 2) {
        cells[at] = 0x20;
        cells[at + 1] = attribute;
      }
      screen.memory.write(textAddress(screen, row, left), cells);
    },
    done: () => {},
  };
}

/** Write mode 1 copies all four planes through the latches. */
function planarMover(screen: CellScreen, left: number, right: number): RowMover {
  const { vga, memory, columns, characterHeight } = screen;
  const address = (row: number, line: number): number =>
    screen.pageAddress + (row * characterHeight + line) * columns + left;
  vga.setSequencer(2, 0x0f);
  return {
    copy(from, to) {
      vga.setGraphics(5, 1);
      for (let line = 0; line < characterHeight; line++) {
        for (let x = 0; x <= right - left; x++) {
          memory.read8(address(from, line) + x);
          memory.write8(address(to, line) + x, 0);
        }
      }
    },
    clear(row, attribute) {
      vga.setGraphics(5, 2);
      for (let line = 0; line < characterHeight; line++) {
        for (let x = 0; x <= right - left; x++) memory.write8(address(row, line) + x, attribute & 0x0f);
      }
    },
    done: () => vga.setGraphics(5, 0),
  };
}

/** CGA and 256-colour modes: bytes of pixels, `bytesPerCell` a character line. */
function pixelMover(screen: CellScreen, left: number, right: number): RowMover {
  const cell = bytesPerCell(screen.mode);
  const bytes = new Uint8Array((right - left + 1) * cell);
  const address = (row: number, line: number): number => lineAddress(screen, row, line) + left * cell;
  return {
    copy(from, to) {
      for (let line = 0; line < screen.characterHeight; line++) {
        screen.memory.read(address(from, line), bytes);
        screen.memory.write(address(to, line), bytes);
      }
    },
    clear(row, attribute) {
      bytes.fill(screen.mode.kind === 'linear' ? attribute : screen.mode.kind === 'cga4' ? (attribute & 3) * 0x55 : attribute & 1 ? 0xff : 0);
      for (let line = 0; line < screen.characterHeight; line++) screen.memory.write(address(row, line), bytes);
    },
    done: () => {},
  };
}

function bytesPerCell(mode: VideoMode): number {
  return mode.kind === 'linear' ? 8 : mode.kind === 'cga4' ? 2 : 1;
}

/** CGA memory interleaves even and odd lines in two banks of 8 KiB. */
function lineAddress(screen: CellScreen, row: number, line: number): number {
  const y = row * screen.characterHeight + line;
  if (screen.mode.kind === 'linear') return screen.pageAddress + y * 320;
  if (screen.mode.kind === 'planar') return screen.pageAddress + y * screen.columns;
  return screen.pageAddress + (y >> 1) * 80 + (y & 1) * 0x2000;
}

/** Attribute bit 7 draws by exclusive or, except in 256 colours. */
function drawGlyph(screen: CellScreen, row: number, column: number, glyph: Uint8Array, attribute: number): void {
  const { vga, memory, mode } = screen;
  const exclusive = mode.kind !== 'linear' && (attribute & 0x80) !== 0;
  if (mode.kind === 'planar') {
    vga.setSequencer(2, 0x0f);
    vga.setGraphics(5, 2);
    vga.setGraphics(3, exclusive ? 0x18 : 0);
  }
  for (let line = 0; line < screen.characterHeight; line++) {
    const bits = glyph[line];
    const address = lineAddress(screen, row, line) + column * bytesPerCell(mode);
    if (mode.kind === 'planar') drawPlanarLine(screen, address, bits, attribute & 0x0f, exclusive);
    else {
      const pixels = pixelBytes(mode, bits, attribute);
      pixels.forEach((value, index) => {
        memory.write8(address + index, exclusive ? memory.read8(address + index) ^ value : value);
      });
    }
  }
  if (mode.kind === 'planar') {
    vga.setGraphics(8, 0xff);
    vga.setGraphics(5, 0);
    vga.setGraphics(3, 0);
  }
}

function drawPlanarLine(screen: CellScreen, address: number, bits: number, colour: number, exclusive: boolean): void {
  const { vga, memory } = screen;
  if (!exclusive) {
    vga.setGraphics(8, ~bits & 0xff);
    memory.read8(address);
    memory.write8(address, 0);
  }
  vga.setGraphics(8, bits);
  memory.read8(address);
  memory.write8(address, colour);
}

function pixelBytes(mode: VideoMode, bits: number, attribute: number): number[] {
  if (mode.kind === 'linear') return [7, 6, 5, 4, 3, 2, 1, 0].map((bit) => ((bits >> bit) & 1 ? attribute : 0));
  if (mode.kind === 'cga2') return [attribute & 1 ? bits : 0];
  let word = 0;
  for (let bit = 7; bit >= 0; bit--) word = (word << 2) | ((bits >> bit) & 1 ? attribute & 3 : 0);
  return [word >> 8, word & 0xff];
}

function readGlyph(screen: CellScreen, row: number, column: number): number[] {
  const { vga, memory, mode } = screen;
  const cell = bytesPerCell(mode);
  const lines: number[] = [];
  if (mode.kind === 'planar') {
    // Read mode 1 with colour 0: a set bit is a background pixel.
    vga.setGraphics(5, 8);
    vga.setGraphics(2, 0);
    vga.setGraphics(7, 0x0f);
  }
  for (let line = 0; line < screen.characterHeight; line++) {
    const address = lineAddress(screen, row, line) + column * cell;
    let bits = 0;
    if (mode.kind === 'planar') bits = ~memory.read8(address) & 0xff;
    else if (mode.kind === 'cga2') bits = memory.read8(address);
    else if (mode.kind === 'linear') for (let x = 0; x < 8; x++) bits = (bits << 1) | (memory.read8(address + x) ? 1 : 0);
    else {
      const word = (memory.read8(address) << 8) | memory.read8(address + 1);
      for (let shift = 14; shift >= 0; shift -= 2) bits = (bits << 1) | ((word >> shift) & 3 ? 1 : 0);
    }
    lines.push(bits);
  }
  if (mode.kind === 'planar') vga.setGraphics(5, 0);
  return lines;
}

/** INT 10h AH=0Ch. */
export function writePixel(screen: CellScreen, x: number, y: number, colour: number): void {
  const { vga, memory, mode } = screen;
  const exclusive = (colour & 0x80) !== 0 && mode.kind !== 'linear';
  if (mode.kind === 'linear') {
    memory.write8(screen.pageAddress + y * 320 + x, colour);
  } else if (mode.kind === 'planar') {
    vga.setSequencer(2, 0x0f);
    vga.setGraphics(5, 2);
    vga.setGraphics(3, exclusive ? 0x18 : 0);
    vga.setGraphics(8, 0x80 >> (x & 7));
    const address = screen.pageAddress + y * screen.columns + (x >> 3);
    memory.read8(address);
    memory.write8(address, colour & 0x0f);
    vga.setGraphics(8, 0xff);
    vga.setGraphics(5, 0);
    vga.setGraphics(3, 0);
  } else if (mode.kind !== 'text') {
    const { address, shift, mask } = cgaPixel(screen, x, y);
    const old = memory.read8(address);
    const value = (colour & mask) << shift;
    memory.write8(address, exclusive ? old ^ value : (old & ~(mask << shift)) | value);
  }
}

/** INT 10h AH=0Dh. */
export function readPixel(screen: CellScreen, x: number, y: number): number {
  const { vga, memory, mode } = screen;
  if (mode.kind === 'linear') return memory.read8(screen.pageAddress + y * 320 + x);
  if (mode.kind === 'text') return 0;
  if (mode.kind !== 'planar') {
    const { address, shift, mask } = cgaPixel(screen, x, y);
    return (memory.read8(address) >> shift) & mask;
  }
  let colour = 0;
  for (let plane = 3; plane >= 0; plane--) {
    vga.setGraphics(4, plane);
    const bits = memory.read8(screen.pageAddress + y * screen.columns + (x >> 3));
    colour = (colour << 1) | ((bits >> (7 - (x & 7))) & 1);
  }
  vga.setGraphics(4, 0);
  return colour;
}

function cgaPixel(screen: CellScreen, x: number, y: number): { address: number; shift: number; mask: number } {
  const line = screen.pageAddress + (y >> 1) * 80 + (y & 1) * 0x2000;
  if (screen.mode.kind === 'cga2') return { address: line + (x >> 3), shift: 7 - (x & 7), mask: 1 };
  return { address: line + (x >> 2), shift: 6 - (x & 3) * 2, mask: 3 };
}
