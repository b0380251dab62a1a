import { beforeEach, describe, expect, it } from 'vitest';
import { SnapshotError } from '../../core/bus/device.ts';
import { CfiFlash } from '../../core/devices/storage/cfiFlash.ts';
import { TestWiring } from './testWiring.ts';

const BASE = 0xffe00000, BYTES = 0x20000;

describe('flash memory', () => {
  let wiring: TestWiring;
  let flash: CfiFlash;
  let content: Uint8Array;
  let array: boolean;
  let changes: [number, number][];
  const make = (on: TestWiring, bytes: Uint8Array): CfiFlash =>
    new CfiFlash(on, {
      id: 'flash0', base: BASE, content: bytes, onArrayMode: (direct) => (array = direct), onChange: (offset, length) => changes.push([offset, length]),
    });
  const read = (offset: number): number => wiring.mmioMap.read(BASE + offset, 1);
  const write = (offset: number, ...values: number[]): void => values.forEach((value) => wiring.mmioMap.write(BASE + offset, value, 1));

  beforeEach(() => {
    wiring = new TestWiring();
    content = new Uint8Array(BYTES).fill(0xff);
    array = true;
    changes = [];
    flash = make(wiring, content);
  });

  it('is told from ROM and RAM as OVMF does it', () => {
    content[0x10] = 0x5a;
    write(0x10, 0x50);
    expect(read(0x10)).toBe(0x5a);
    write(0x10, 0x70);
    expect([read(0x10), array]).toEqual([0x00, false]);
    write(0x10, 0xff);
    expect([read(0x10), array]).toEqual([0x5a, true]);
  });

  it('programs by clearing bits and erases whole blocks', () => {
    write(0x1234, 0x10, 0x3c);
    expect([read(0), changes]).toEqual([0x80, [[0x1234, 1]]]);
    write(0x1234, 0x40, 0xf0);
    write(0, 0xff);
    expect(read(0x1234)).toBe(0x30);
    write(0x1fff, 0x20, 0xd0);
    write(0, 0xff);
    expect([read(0x1234), changes.at(-1)]).toEqual([0xff, [0x1000, 0x1000]]);
  });

  it('reports an erase without confirmation and changes nothing', () => {
    write(0x2000, 0x10, 0x00);
    write(0x2000, 0x20, 0x11);
    expect(read(0x2000) & 0x30).toBe(0x30);
    write(0, 0x50);
    expect(read(0x2000)).toBe(0x00);
  });

  it('programs through its buffer', () => {
    write(0x3000, 0xe8);
    expect(read(0x3000) & 0x80).toBe(0x80);
    write(0x3000, 1); // two bytes
    write(0x3000, 0xab);
    write(0x3001, 0xcd);
    write(0x3000, 0xd0);
    write(0, 0xff);
    expect([read(0x3000), read(0x3001)]).toEqual([0xab, 0xcd]);
  });

  it('answers the CFI query: signature, size, blocks', () => {
    write(0x55, 0x98);
    expect(String.fromCharCode(read(0x10), read(0x11), read(0x12))).toBe('QRY');
    expect(2 ** read(0x27)).toBe(BYTES);
    expect(((read(0x2d) | (read(0x2e) << 8)) + 1) * ((read(0x2f) | (read(0x30) << 8)) * 256)).toBe(BYTES);
    write(0, 0x90);
    expect([read(0), read(1)]).toEqual([0x89, 0x18]);
  });

  it('saves and restores content and mode', () => {
    write(0x10, 0x10, 0x42);
    const saved = flash.state.save();
    const other = new Uint8Array(BYTES);
    const copy = make(new TestWiring(), other);
    copy.state.restore(saved, 1);
    expect([other[0x10], array]).toEqual([0x42, false]);
    expect(() => copy.state.restore({ ...saved, content: new Uint8Array(3) }, 1)).toThrow(SnapshotError);
  });
});
