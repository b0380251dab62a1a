import { describe, expect, it } from 'vitest';
import { MemoryBlockStore } from '../../core/storage/memoryBlockStore.ts';
import { SnapshotError } from '../../core/bus/device.ts';
import { DelayedStore, randomSource, testBoard } from './testWiring.ts';

const SIZES = [1, 2, 4] as const;
/** Where devices are: random ports among 65536 would mostly hit nothing. */
const RANGES: readonly (readonly [number, number])[] = [
  [0x00, 0x100], [0x170, 8], [0x1f0, 8], [0x2f8, 8], [0x376, 1], [0x3b0, 0x30], [0x3f0, 16], [0x4d0, 2], [0xcf8, 8], [0xc000, 64], [0x600, 64],
];

/** The display's memory, or a register of the APICs and the HPET. */
function deviceMemory(random: () => number): number {
  const kind = random() & 3;
  if (kind === 0) return 0xa0000 + (random() & 0x1ffff);
  if (kind === 1) return 0xfec00000 + (random() & 0x10);
  return kind === 2 ? 0xfed00000 + (random() & 0x1fc) : 0xfee00000 + (random() & 0x3f0);
}

/** `expect` is too slow for each of many accesses. */
function inRange(value: number, size: 1 | 2 | 4): void {
  if (!(Number.isInteger(value) && value >= 0 && value < 2 ** (8 * size))) expect.fail(`${value} does not fit ${size} bytes`);
}

describe('nonsense from the guest', () => {
  for (const seed of [1, 2, 3, 4]) {
    it(`never throws, always answers in range, and saves and restores (seed ${seed})`, () => {
      const random = randomSource(seed * 7919);
      const disk = new DelayedStore(new MemoryBlockStore(new Uint8Array(1 << 20)));
      const { host, board } = testBoard({ apic: true, disks: [disk], cdrom: new MemoryBlockStore(new Uint8Array(1 << 19)) });
      board.ioWrite(0xcf8, 0x80000920, 4);
      board.ioWrite(0xcfc, 0xc001, 4);
      board.ioWrite(0xcf8, 0x80000904, 4);
      board.ioWrite(0xcfc, 5, 2);
      const consumer = {};
      for (let step = 0; step < 60_000; step++) {
        const [base, length] = RANGES[random() % RANGES.length]!;
        const port = base + (random() % length);
        const size = SIZES[random() % 3]!;
        const value = random() & 1 ? random() : random() & 0xff;
        const choice = random() % 16;
        if (choice < 8) board.ioWrite(port, size === 4 ? value : value & (size === 2 ? 0xffff : 0xff), size);
        else if (choice < 12) inRange(board.ioRead(port, size), size);
        else if (choice < 13) board.mmioWrite(deviceMemory(random), value, size);
        else if (choice < 14) inRange(board.mmioRead(deviceMemory(random), size), size);
        else if (choice < 15) host.clock.advance(random() % 100_000);
        else if (board.interruptPending) inRange(board.acknowledgeInterrupt(), 1);
        if (step % 61 === 0) board.writeMsr([0x1b, 0x6e0, 0x4b564d00, 0x4b564d01][random() & 3]!, (random() & 0xfee00fff) >>> 0, random() & 1);
        if (step % 97 === 0) disk.release(false);
        if (step % 1009 === 0) {
          board.keyboard.input([0x1e, 0x9e]);
          board.mouse.input((random() & 0xff) - 128, 3, 0, random() & 7);
          board.serial[0]!.input(new Uint8Array([1, 2, 3]));
        }
        if (step % 5003 === 0) {
          const { mode, rectangles } = board.vga.update(consumer);
          for (const { x, y, width, height, pixels } of rectangles) {
            expect(x >= 0 && y >= 0 && x + width <= mode.width && y + height <= mode.height).toBe(true);
            expect(pixels).toHaveLength(4 * width * height);
          }
          board.vga.text();
        }
      }
      const saved = board.devices.map((device) => device.state.save());
      const second = testBoard({ apic: true, disks: [new DelayedStore(new MemoryBlockStore(new Uint8Array(1 << 20)))], cdrom: new MemoryBlockStore(new Uint8Array(1 << 19)) });
      second.host.clock.ns = host.clock.ns;
      second.board.devices.forEach((device, index) => device.state.restore(saved[index], device.state.version));
      expect(second.board.devices.map((device) => device.state.save())).toEqual(saved);
      expect(second.board.interruptPending).toBe(board.interruptPending);
      board.reset('hard');
      expect(board.ioRead(0x1f7, 1) & 0x80).toBe(0);
    }, 60_000);
  }

  it('refuses hostile snapshots and changes nothing', () => {
    const { board } = testBoard({ apic: true, disks: [new MemoryBlockStore(new Uint8Array(1 << 20))] });
    for (const device of board.devices) {
      const saved = device.state.save() as Record<string, unknown>;
      for (const key of Object.keys(saved)) {
        for (const bad of [undefined, NaN, 1e300, -1e300, 'x', [1e9], {}]) {
          expect(() => device.state.restore({ ...saved, [key]: bad }, device.state.version), `${device.id}.${key}`).toThrow(SnapshotError);
        }
      }
      expect(device.state.save()).toEqual(saved);
    }
  });
});
