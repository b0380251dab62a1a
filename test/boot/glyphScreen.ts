// Reads text off a graphical screen: a font's glyphs are learnt from lines whose text is known, everything else is read by them.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DisplaySource } from '../../core/host/display.ts';
import { encodePng } from '../../src-main/vm-host/png.ts';

const folder = fileURLToPath(new URL('../../test-results/screenshots', import.meta.url));

/** Keeps the picture, to be looked at. */
export function saveScreen(display: DisplaySource, name: string): void {
  const { mode, rectangles } = display.update({}, true);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, `${name}.png`), encodePng({ width: mode.width, height: mode.height, pixels: rectangles[0]!.pixels }));
}

export interface Cell {
  readonly width: number;
  readonly height: number;
}

export class GlyphReader {
  readonly #glyphs = new Map<string, string>();
  readonly #display: DisplaySource;
  readonly #cell: Cell;
  readonly #left: number;
  readonly #top: number;

  constructor(display: DisplaySource, cell: Cell, left: number, top: number) {
    this.#display = display;
    this.#cell = cell;
    this.#left = left;
    this.#top = top;
    this.#glyphs.set('0 '.repeat(cell.height), ' ');
  }

  /** Looks for a line that says `text` in cells of that size, wherever they begin, and learns its letters. */
  static find(display: DisplaySource, cell: Cell, text: string): GlyphReader {
    for (let top = 0; top < cell.height; top++) {
      for (let left = 0; left < cell.width; left++) {
        const reader = new GlyphReader(display, cell, left, top);
        if (reader.#learn(text)) return reader;
      }
    }
    throw new Error(`no line of the screen looks like ${JSON.stringify(text)}`);
  }

  learn(text: string): void {
    if (!this.#learn(text)) throw new Error(`no line of the screen looks like ${JSON.stringify(text)}`);
  }

  #learn(text: string): boolean {
    for (const row of this.#rows()) {
      for (let from = 0; from + text.length <= row.length; from++) {
        const cells = row.slice(from, from + text.length);
        if (!this.#fits(cells, text)) continue;
        [...text].forEach((character, index) => this.#glyphs.set(cells[index]!, character));
        return true;
      }
    }
    return false;
  }

  /** Equal letters have equal glyphs, different ones different, and what is known already stays. */
  #fits(cells: readonly string[], text: string): boolean {
    const glyphs = new Map<string, string>(), letters = new Map(this.#glyphs);
    return [...text].every((letter, index) => {
      const cell = cells[index]!;
      if ((glyphs.get(letter) ?? cell) !== cell || (letters.get(cell) ?? letter) !== letter) return false;
      glyphs.set(letter, cell);
      letters.set(cell, letter);
      return true;
    });
  }

  /** The lines; what was not learnt is `?`. */
  lines(): string[] {
    return this.#rows().map((row) => row.map((key) => this.#glyphs.get(key) ?? '?').join('').trimEnd());
  }

  #rows(): string[][] {
    const { mode, rectangles } = this.#display.update({}, true);
    const words = new Uint32Array(rectangles[0]!.pixels.buffer);
    const { width, height } = this.#cell;
    const rows: string[][] = [];
    for (let top = this.#top; top + height <= mode.height; top += height) {
      const row: string[] = [];
      for (let left = this.#left; left + width <= mode.width; left += width) row.push(keyAt(words, mode.width, left, top, this.#cell));
      rows.push(row);
    }
    return rows;
  }
}

/** Which pixels differ from the cell's first. */
function keyAt(words: Uint32Array, pitch: number, left: number, top: number, cell: Cell): string {
  let key = '';
  const background = words[top * pitch + left]!;
  for (let y = 0; y < cell.height; y++) {
    let bits = 0;
    for (let x = 0; x < cell.width; x++) bits = (bits << 1) | (words[(top + y) * pitch + left + x] === background ? 0 : 1);
    key += `${bits.toString(16)} `;
  }
  return key;
}
