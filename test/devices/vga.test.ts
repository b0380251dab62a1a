import { beforeEach, describe, expect, it } from 'vitest';
import { Vga } from '../../core/devices/video/vga.ts';
import { TestWiring } from './testWiring.ts';

interface ModeTable {
  misc: number;
  seq: readonly number[];
  crtc: readonly number[];
  gc: readonly number[];
  attributeMode: number;
}

// Standard parameters (IBM VGA reference, video mode tables).
const TEXT: ModeTable = {
  misc: 0x67,
  seq: [3, 0, 3, 0, 2],
  crtc: [0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff],
  gc: [0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff],
  attributeMode: 0x0c,
};
const MODE_12: ModeTable = {
  misc: 0xe3,
  seq: [3, 1, 15, 0, 6],
  crtc: [0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0, 0x40, 0x20, 0, 0, 0, 0, 0, 0xea, 0x8c, 0xdf, 0x28, 0, 0xe7, 0x04, 0xe3, 0xff],
  gc: [0, 0, 0, 0, 0, 0, 5, 15, 0xff],
  attributeMode: 0x01,
};
const MODE_13: ModeTable = {
  misc: 0x63,
  seq: [3, 1, 15, 0, 0x0e],
  crtc: [0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0, 0x41, 0x20, 0, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff],
  gc: [0, 0, 0, 0, 0, 0x40, 5, 15, 0xff],
  attributeMode: 0x41,
};
const MODE_4: ModeTable = {
  misc: 0x63,
  seq: [3, 9, 3, 0, 2],
  crtc: [0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0, 0xc1, 0x20, 0, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x14, 0, 0x96, 0xb9, 0xa2, 0xff],
  gc: [0, 0, 0, 0, 0, 0x30, 0x0f, 0, 0xff],
  attributeMode: 0x01,
};

describe('VGA', () => {
  let wiring: TestWiring;
  let vga: Vga;
  const indexed = (port: number, index: number, value: number): void => wiring.out(port, index | (value << 8), 2);
  const poke = (address: number, value: number, size: 1 | 2 | 4 = 1): void => wiring.mmioMap.write(address, value, size);
  const peek = (address: number, size: 1 | 2 | 4 = 1): number => wiring.mmioMap.read(address, size);

  function setMode(mode: ModeTable): void {
    wiring.out(0x3c2, mode.misc);
    mode.seq.forEach((value, index) => indexed(0x3c4, index, value));
    indexed(0x3d4, 0x11, 0);
    mode.crtc.forEach((value, index) => indexed(0x3d4, index, value));
    mode.gc.forEach((value, index) => indexed(0x3ce, index, value));
    wiring.in(0x3da);
    for (let index = 0; index < 0x15; index++) {
      wiring.out(0x3c0, index);
      wiring.out(0x3c0, index < 16 ? index : index === 0x10 ? mode.attributeMode : index === 0x12 ? 15 : 0);
    }
    wiring.out(0x3c0, 0x20);
    wiring.out(0x3c8, 0);
    for (let color = 0; color < 256; color++) for (const step of [1, 2, 3]) wiring.out(0x3c9, (color * step) & 0x3f);
  }

  const expand = (six: number): number => (six << 2) | (six >> 4);
  const rgb = (color: number): number[] => [1, 2, 3].map((step) => expand((color * step) & 0x3f));
  const picture = (): { width: number; height: number; at: (x: number, y: number) => number[] } => {
    const { mode, rectangles } = vga.update({}, true);
    const pixels = rectangles[0]!.pixels;
    return { ...mode, at: (x, y) => [...pixels.slice((y * mode.width + x) * 4, (y * mode.width + x) * 4 + 3)] };
  };

  function loadFont(character: number, rows: readonly number[]): void {
    indexed(0x3c4, 2, 4);
    indexed(0x3c4, 4, 6);
    indexed(0x3ce, 5, 0);
    indexed(0x3ce, 6, 4);
    rows.forEach((row, index) => poke(0xa0000 + character * 32 + index, row));
    indexed(0x3c4, 2, 3);
    indexed(0x3c4, 4, 2);
    indexed(0x3ce, 5, 0x10);
    indexed(0x3ce, 6, 0x0e);
  }

  beforeEach(() => {
    wiring = new TestWiring();
    vga = new Vga(wiring);
  });

  describe('text', () => {
    beforeEach(() => setMode(TEXT));

    it('reads the screen back as Unicode with the cursor', () => {
      [...'Hello \x01\xc9\xcd'].forEach((letter, index) => poke(0xb8000 + index * 2, 0x0700 | letter.charCodeAt(0), 2));
      indexed(0x3d4, 0x0f, 82);
      const text = vga.text()!;
      expect(text.lines).toHaveLength(25);
      expect(text.lines[0]!.startsWith('Hello ☺╔═')).toBe(true);
      expect(text.lines[0]).toHaveLength(80);
      expect(text.cursor).toEqual({ row: 1, column: 2 });
      expect(peek(0xb8000, 4)).toBe(0x07650748);
    });

    it('draws glyphs from plane 2 in 9-dot cells, repeating the last dot of line graphics', () => {
      loadFont(0x41, [0x81]);
      loadFont(0xc4, [0xff]);
      poke(0xb8000, 0x1e41, 2);
      poke(0xb8002, 0x1ec4, 2);
      const screen = picture();
      expect([screen.width, screen.height]).toEqual([720, 400]);
      expect(screen.at(0, 0)).toEqual(rgb(14));
      expect(screen.at(1, 0)).toEqual(rgb(1));
      expect(screen.at(7, 0)).toEqual(rgb(14));
      expect(screen.at(8, 0)).toEqual(rgb(1));
      expect(screen.at(17, 0)).toEqual(rgb(14));
    });

    it('reports only the cells that changed, to each consumer separately', () => {
      const one = {};
      const two = {};
      indexed(0x3d4, 0x0a, 0x20);
      vga.update(one);
      vga.update(two);
      expect(vga.update(one).rectangles).toEqual([]);
      poke(0xb8000 + 160 + 10, 0x2041, 2);
      const [rectangle] = vga.update(one).rectangles;
      expect(rectangle).toMatchObject({ x: 45, y: 16, width: 9, height: 16 });
      poke(0xb8000 + 320, 0x2041, 2);
      expect(vga.update(one).rectangles).toHaveLength(1);
      expect(vga.update(two).rectangles).toMatchObject([{ x: 0, y: 16, width: 54, height: 32 }]);
      expect(vga.update(two).rectangles).toEqual([]);
    });

    it('blinks the cursor and blinking text with guest time, scrolls by start address', () => {
      loadFont(0x41, new Array<number>(16).fill(0xff));
      poke(0xb8000 + 2, 0x8741, 2);
      const on = picture();
      expect(on.at(0, 14)).toEqual(rgb(0));
      expect(on.at(9, 0)).toEqual(rgb(7));
      poke(0xb8001, 0x07);
      expect(picture().at(0, 14)).toEqual(rgb(7)); // cursor in the colour of its cell
      wiring.clock.advance(14.27e6 * 33);
      const off = picture();
      expect(off.at(9, 0)).toEqual(rgb(0));
      indexed(0x3d4, 0x0d, 80);
      poke(0xb8000 + 160, 0x58);
      expect(vga.text()!.lines[0]![0]).toBe('X');
    });

    it('goes dark when the screen is off', () => {
      poke(0xb8000, 0x7020, 2);
      expect(picture().at(0, 0)).toEqual(rgb(7));
      indexed(0x3c4, 1, 0x20);
      expect(picture().at(0, 0)).toEqual([0, 0, 0]);
    });
  });

  describe('planar 16 colours', () => {
    beforeEach(() => setMode(MODE_12));
    const planes = (address: number): number[] =>
      [0, 1, 2, 3].map((plane) => {
        indexed(0x3ce, 4, plane);
        return peek(address);
      });

    it('write mode 0: map mask, rotate, set/reset, functions, bit mask', () => {
      indexed(0x3c4, 2, 5);
      poke(0xa0000, 0xc3);
      expect(planes(0xa0000)).toEqual([0xc3, 0, 0xc3, 0]);
      indexed(0x3c4, 2, 15);
      indexed(0x3ce, 3, 1); // rotate
      poke(0xa0001, 0x81);
      expect(planes(0xa0001)).toEqual([0xc0, 0xc0, 0xc0, 0xc0]);
      indexed(0x3ce, 3, 0);
      indexed(0x3ce, 0, 0x02);
      indexed(0x3ce, 1, 0x03);
      poke(0xa0002, 0x55);
      expect(planes(0xa0002)).toEqual([0, 0xff, 0x55, 0x55]);
      indexed(0x3ce, 1, 0);
      indexed(0x3ce, 8, 0x0f);
      peek(0xa0002);
      poke(0xa0002, 0x33);
      expect(planes(0xa0002)).toEqual([0x03, 0xf3, 0x53, 0x53]);
      indexed(0x3ce, 8, 0xff);
      indexed(0x3ce, 3, 0x18); // exclusive or
      peek(0xa0002);
      poke(0xa0002, 0xff);
      expect(planes(0xa0002)).toEqual([0xfc, 0x0c, 0xac, 0xac]);
    });

    it('write modes 1, 2 and 3', () => {
      indexed(0x3c4, 2, 9);
      poke(0xa0000, 0xa5);
      indexed(0x3c4, 2, 15);
      indexed(0x3ce, 5, 1);
      peek(0xa0000);
      poke(0xa0100, 0);
      expect(planes(0xa0100)).toEqual([0xa5, 0, 0, 0xa5]);
      indexed(0x3ce, 5, 2);
      indexed(0x3ce, 8, 0xf0);
      peek(0xa0100);
      poke(0xa0100, 0x06);
      expect(planes(0xa0100)).toEqual([0x05, 0xf0, 0xf0, 0x05]);
      indexed(0x3ce, 5, 3);
      indexed(0x3ce, 8, 0xff);
      indexed(0x3ce, 0, 0x0f);
      peek(0xa0100);
      poke(0xa0100, 0x0a);
      expect(planes(0xa0100)).toEqual([0x0f, 0xfa, 0xfa, 0x0f]);
    });

    it('read mode 1 compares colours', () => {
      indexed(0x3c4, 2, 6);
      poke(0xa0000, 0x3c);
      indexed(0x3ce, 5, 8);
      indexed(0x3ce, 2, 6);
      expect(peek(0xa0000)).toBe(0x3c);
      indexed(0x3ce, 7, 0x01);
      expect(peek(0xa0000)).toBe(0xff);
    });

    it('draws 640x480 and reports the smallest changed span', () => {
      const consumer = {};
      vga.update(consumer);
      indexed(0x3c4, 2, 5);
      poke(0xa0000 + 80 * 100 + 3, 0x40);
      const { mode, rectangles } = vga.update(consumer);
      expect(mode).toEqual({ width: 640, height: 480 });
      expect(rectangles).toHaveLength(1);
      expect(rectangles[0]).toMatchObject({ x: 25, y: 100, width: 1, height: 1 });
      expect([...rectangles[0]!.pixels.slice(0, 3)]).toEqual(rgb(5));
    });

    it('splits the screen at line compare', () => {
      indexed(0x3d4, 0x11, 0);
      indexed(0x3d4, 0x18, 99);
      indexed(0x3d4, 0x07, 0x2e);
      indexed(0x3d4, 0x09, 0x00);
      indexed(0x3d4, 0x0c, 0x20);
      poke(0xa0000, 0x80);
      const screen = picture();
      expect(screen.at(0, 100)).toEqual(rgb(15));
      expect(screen.at(0, 0)).toEqual(rgb(0));
    });
  });

  it('draws mode 13h, one byte a pixel', () => {
    setMode(MODE_13);
    poke(0xa0000 + 320 * 10 + 5, 0x04030201, 4);
    expect(peek(0xa0000 + 320 * 10 + 6, 2)).toBe(0x0302);
    const screen = picture();
    expect([screen.width, screen.height]).toEqual([320, 200]);
    expect([5, 6, 7, 8].map((x) => screen.at(x, 10))).toEqual([1, 2, 3, 4].map(rgb));
  });

  it('draws unchained mode X, four pixels an address', () => {
    setMode(MODE_13);
    indexed(0x3c4, 4, 6);
    indexed(0x3d4, 0x14, 0);
    indexed(0x3d4, 0x17, 0xe3);
    indexed(0x3c4, 2, 4);
    poke(0xa0000 + 80 * 199 + 79, 0x2a);
    expect(picture().at(318, 199)).toEqual(rgb(0x2a));
  });

  it('draws CGA mode 4 with its two banks', () => {
    setMode(MODE_4);
    poke(0xb8000, 0b00011011);
    poke(0xba001, 0b11000000);
    const screen = picture();
    expect([screen.width, screen.height]).toEqual([320, 200]);
    expect([0, 1, 2, 3].map((x) => screen.at(x, 0))).toEqual([0, 1, 2, 3].map(rgb));
    expect(screen.at(4, 1)).toEqual(rgb(3));
  });

  it('reads registers back, protects CR0-CR7, walks the DAC', () => {
    setMode(TEXT);
    wiring.out(0x3d4, 0x00);
    wiring.out(0x3d5, 0x11);
    expect(wiring.in(0x3d5)).toBe(0x5f);
    wiring.out(0x3c4, 0x02);
    expect(wiring.in(0x3c5)).toBe(3);
    expect(wiring.in(0x3cc)).toBe(0x67);
    wiring.out(0x3c7, 2);
    expect([wiring.in(0x3c9), wiring.in(0x3c9), wiring.in(0x3c9), wiring.in(0x3c9)]).toEqual([2, 4, 6, 3]);
    expect(wiring.in(0x3b5)).toBe(0xff);
    wiring.out(0x3c2, 0x66);
    expect(wiring.in(0x3b4)).toBe(0x00);
  });

  it('shows vertical retrace about 70 times a second of guest time', () => {
    setMode(TEXT);
    let retraces = 0;
    let was = 0;
    for (let step = 0; step < 50_000; step++) {
      wiring.clock.advance(20_000);
      const now = wiring.in(0x3da) & 8;
      if (now && !was) retraces++;
      was = now;
    }
    expect(retraces).toBeGreaterThanOrEqual(69);
    expect(retraces).toBeLessThanOrEqual(71);
  });

  it('keeps picture and registers over save and restore', () => {
    setMode(MODE_13);
    poke(0xa0000, 0x07);
    const other = new TestWiring();
    const copy = new Vga(other);
    copy.state.restore(vga.state.save(), 1);
    expect(copy.update({}).rectangles).toEqual(vga.update({}).rectangles);
    expect(copy.state.save()).toEqual(vga.state.save());
  });
});
