// QEMU's standard VGA: configuration space, the display interface's registers by port and by memory, pictures of each depth.
import { beforeEach, describe, expect, it } from 'vitest';
import { Vga } from '../../core/devices/video/vga.ts';
import { StdVga } from '../../core/devices/video/stdVga.ts';
import { DISPI, DISPI_ENABLE } from '../../core/devices/video/dispi.registers.ts';
import { PCI, PCI_COMMAND } from '../../core/bus/pciConfiguration.ts';
import { TestWiring } from './testWiring.ts';

const MEMORY = 1 << 20;
const BAR2 = 0x18;

describe('the standard VGA', () => {
  let host: TestWiring;
  let vga: Vga;
  let display: StdVga;
  let memory: Uint8Array;
  let placements: (number | null)[];
  let written: [number, number][];

  const dispi = (index: number, value: number): void => display.write(0x500 + index * 2, value, 2);
  const show = (width: number, height: number, bits: number, flags = 0): void => {
    dispi(DISPI.ENABLE, 0);
    dispi(DISPI.XRES, width);
    dispi(DISPI.YRES, height);
    dispi(DISPI.BPP, bits);
    dispi(DISPI.ENABLE, DISPI_ENABLE.ENABLED | DISPI_ENABLE.LINEAR | flags);
  };

  const make = (): void => {
    host = new TestWiring();
    vga = new Vga(host);
    memory = new Uint8Array(MEMORY);
    placements = [];
    written = [];
    display = new StdVga(host, {
      device: 2, vga, memory, onPlacement: (base) => placements.push(base), onWritten: (offset, length) => written.push([offset, length]),
    });
  };
  beforeEach(make);

  it('is found and placed through configuration space', () => {
    const { pci } = display;
    expect(pci.configRead(PCI.VENDOR, 4)).toBe(0x11111234);
    expect(pci.configRead(PCI.REVISION, 4)).toBe(0x03000002);
    pci.configWrite(PCI.BAR0, 0xffffffff, 4);
    expect(pci.configRead(PCI.BAR0, 4)).toBe((~(MEMORY - 1) | 8) >>> 0);
    pci.configWrite(BAR2, 0xffffffff, 4);
    expect(pci.configRead(BAR2, 4)).toBe(0xfffff000);
    pci.configWrite(PCI.BAR0, 0xe0000000, 4);
    pci.configWrite(BAR2, 0xe1000000, 4);
    expect(placements).toEqual([]);
    pci.configWrite(PCI.COMMAND, PCI_COMMAND.MEMORY | PCI_COMMAND.IO, 2);
    expect(placements).toEqual([0xe0000000]);
    expect(host.mmioMap.read(0xe1000500, 2)).toBe(0xb0c5);
    pci.configWrite(PCI.BAR0, 0xd0000000, 4);
    expect(placements.at(-1)).toBe(0xd0000000);
    pci.configWrite(PCI.COMMAND, 0, 2);
    expect(placements.at(-1)).toBeNull();
    expect(host.mmioMap.ownerOf(0xe1000500)).toBeNull();
  });

  it('has its registers at ports and in memory', () => {
    host.out(0x1ce, DISPI.XRES, 2);
    host.out(0x1cf, 640, 2);
    expect(display.read(0x502, 2)).toBe(640);
    host.out(0x1ce, DISPI.MEMORY_64K, 2);
    expect(host.in(0x1cf, 2)).toBe(MEMORY >> 16);
    dispi(DISPI.ID, 0xb0c2);
    expect(display.read(0x500, 2)).toBe(0xb0c2);
    dispi(DISPI.ID, 0x1234);
    expect(display.read(0x500, 2)).toBe(0xb0c2);
    dispi(DISPI.ENABLE, DISPI_ENABLE.CAPABILITIES);
    expect([display.read(0x502, 2), display.read(0x504, 2), display.read(0x506, 2)]).toEqual([2560, 1600, 32]);
    // The VGA's registers, and the byte order.
    display.write(0x402, 0x23, 1);
    expect(vga.read8(0x3cc)).toBe(0x23);
    expect(display.read(0x40c, 1)).toBe(0x23);
    expect(display.read(0x600, 4)).toBe(8);
    expect(display.read(0x604, 4)).toBe(0x1e1e1e1e);
  });

  it('tells what monitor there is', () => {
    const edid = Uint8Array.from({ length: 128 }, (_, index) => display.read(index, 1));
    expect([...edid.subarray(0, 8)]).toEqual([0, 255, 255, 255, 255, 255, 255, 0]);
    expect(edid.reduce((sum, byte) => sum + byte, 0) & 0xff).toBe(0);
    expect(edid[56]! | ((edid[58]! >> 4) << 8)).toBe(1280);
    expect(edid[59]! | ((edid[61]! >> 4) << 8)).toBe(800);
  });

  const pixel = (x: number, y: number): number[] => {
    const { mode, rectangles } = display.update({}, true);
    return [...rectangles[0]!.pixels.subarray((y * mode.width + x) * 4, (y * mode.width + x) * 4 + 4)];
  };

  it.each([
    [32, 4, [0x10, 0x20, 0x30, 0x00], [0x30, 0x20, 0x10, 255]],
    [24, 3, [0x10, 0x20, 0x30], [0x30, 0x20, 0x10, 255]],
    [16, 2, [0x1f, 0xf8], [255, 0, 255, 255]],
    [16, 2, [0xe0, 0x07], [0, 255, 0, 255]],
    [15, 2, [0xe0, 0x03], [0, 255, 0, 255]],
  ] as const)('shows %i bits a pixel', (bits, bytes, content, expected) => {
    show(160, 100, bits);
    expect(display.mode()).toEqual({ width: 160, height: 100 });
    memory.set(content, (3 * 160 + 5) * bytes);
    expect(pixel(5, 3)).toEqual(expected);
    expect(pixel(4, 3)).toEqual([0, 0, 0, 255]);
  });

  it('shows 8 bits a pixel through the DAC, with six or eight bits of a colour', () => {
    show(160, 100, 8);
    memory[0] = 9;
    const load = (red: number, green: number, blue: number): void => {
      vga.write8(0x3c8, 9);
      for (const value of [red, green, blue]) vga.write8(0x3c9, value);
    };
    load(63, 32, 0);
    expect(pixel(0, 0)).toEqual([255, 130, 0, 255]);
    show(160, 100, 8, DISPI_ENABLE.DAC_8BIT | DISPI_ENABLE.KEEP_MEMORY);
    load(200, 100, 7);
    expect(pixel(0, 0)).toEqual([200, 100, 7, 255]);
  });

  it('gives only what changed, to each who looks', () => {
    show(160, 100, 32);
    const first = {}, second = {};
    expect(display.update(first).rectangles).toHaveLength(1);
    expect(display.update(first).rectangles).toEqual([]);
    memory[(20 * 160 + 30) * 4] = 1;
    memory[(20 * 160 + 40) * 4] = 1;
    expect(display.update(first).rectangles.map(({ x, y, width, height }) => ({ x, y, width, height }))).toEqual([{ x: 30, y: 16, width: 11, height: 8 }]);
    expect(display.update(second).rectangles[0]).toMatchObject({ x: 0, y: 0, width: 160, height: 100 });
    // Back to the VGA and here again, everything is new.
    dispi(DISPI.ENABLE, 0);
    expect(display.update(first).rectangles).toHaveLength(1);
    show(160, 100, 32, DISPI_ENABLE.KEEP_MEMORY);
    expect(display.update(first).rectangles[0]).toMatchObject({ width: 160, height: 100 });
  });

  it('scrolls, has lines that are longer than the picture, and a bank at A0000h', () => {
    show(160, 100, 32);
    dispi(DISPI.VIRT_WIDTH, 256);
    expect(display.read(0x500 + DISPI.VIRT_HEIGHT * 2, 2)).toBe(1024);
    dispi(DISPI.Y_OFFSET, 64);
    dispi(DISPI.X_OFFSET, 2);
    memory.set([1, 2, 3], 64 * 1024 + 2 * 4);
    expect(pixel(0, 0)).toEqual([3, 2, 1, 255]);
    dispi(DISPI.BANK, 1);
    host.mmioMap.write(0xa0000 + 8, 0x40506070, 4);
    expect(written).toContainEqual([0x10008, 1]);
    expect(pixel(0, 0)).toEqual([0x50, 0x60, 0x70, 255]);
    expect(host.mmioMap.read(0xa0008, 4)).toBe(0x40506070);
  });

  it('clears display memory when it is switched on, unless it shall not', () => {
    memory.fill(7);
    show(160, 100, 32, DISPI_ENABLE.KEEP_MEMORY);
    expect(memory[99]).toBe(7);
    show(160, 100, 32);
    expect(memory.every((byte) => byte === 0)).toBe(true);
  });

  it.each([[0, 100, 32], [3000, 100, 32], [160, 100, 31], [2560, 1600, 32]])('shows the VGA when %i x %i at %i bits is no picture', (width, height, bits) => {
    show(width, height, bits);
    expect(display.mode()).toEqual(vga.mode());
    expect(() => display.update({})).not.toThrow();
  });

  it('survives a snapshot', () => {
    display.pci.configWrite(PCI.BAR0, 0xe0000000, 4);
    display.pci.configWrite(PCI.COMMAND, 2, 2);
    show(160, 100, 32);
    memory[77] = 5;
    const saved = display.state.save();
    make();
    display.state.restore(saved, display.state.version);
    expect(display.mode()).toEqual({ width: 160, height: 100 });
    expect(memory[77]).toBe(5);
    expect(placements.at(-1)).toBe(0xe0000000);
    expect(display.state.save()).toEqual(saved);
    expect(() => display.state.restore({ ...saved, dispi: { ...saved.dispi, id: 5 } }, 1)).toThrow(/does not fit/);
  });

  it('answers any access', () => {
    for (let offset = 0; offset < 4096; offset += 3) {
      for (const size of [1, 2, 4] as const) {
        display.write(offset, 0xa5a5a5a5 % 2 ** (8 * size), size);
        const value = display.read(offset, size);
        expect(value >= 0 && value < 2 ** (8 * size)).toBe(true);
      }
    }
    expect(() => display.update({})).not.toThrow();
  });
});
