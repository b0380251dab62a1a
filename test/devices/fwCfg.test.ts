import { beforeEach, describe, expect, it } from 'vitest';
import { FwCfg } from '../../core/devices/firmware/fwCfg.ts';
import { TestWiring } from './testWiring.ts';

describe('fw_cfg', () => {
  let wiring: TestWiring;
  let device: FwCfg;
  let asked: number;
  const select = (item: number): void => wiring.out(0x510, item, 2);
  const take = (count: number): number[] => Array.from({ length: count }, () => wiring.in(0x511));
  const big32 = (at: number, value: number): void => new DataView(wiring.memory.bytes.buffer).setUint32(at, value);

  beforeEach(() => {
    wiring = new TestWiring();
    asked = 0;
    device = new FwCfg(wiring, {
      memoryBytes: 0x12345678,
      files: [
        { name: 'etc/zebra', content: () => Uint8Array.of(9, 8) },
        { name: 'bootorder', content: () => (asked++, Uint8Array.of(1, 2, 3, 4, 5)) },
      ],
    });
  });

  it('answers its signature, identification and the size of memory', () => {
    select(0);
    expect(String.fromCharCode(...take(4))).toBe('QEMU');
    expect(take(2)).toEqual([0, 0]); // behind the end
    select(1);
    expect(take(4)).toEqual([3, 0, 0, 0]);
    select(3);
    expect(take(8)).toEqual([0x78, 0x56, 0x34, 0x12, 0, 0, 0, 0]);
    select(0x7777);
    expect(take(4)).toEqual([0, 0, 0, 0]);
  });

  it('lists files by name and gives their content afresh after the list was read', () => {
    select(0x19);
    expect(take(4)).toEqual([0, 0, 0, 2]);
    const entry = take(64);
    expect(entry.slice(0, 8)).toEqual([0, 0, 0, 5, 0, 0x20, 0, 0]);
    expect(String.fromCharCode(...entry.slice(8, 18))).toBe('bootorder\0');
    const before = asked;
    select(0x20);
    expect(take(6)).toEqual([1, 2, 3, 4, 5, 0]);
    expect(asked).toBe(before + 1);
    select(0x21);
    expect(take(2)).toEqual([9, 8]);
  });

  it('copies by DMA: select, read, skip, and refuses to write', () => {
    expect([wiring.in(0x514, 4), wiring.in(0x518, 4)]).toEqual([0x554d4551, 0x47464320]);
    const command = (control: number, length: number, target: number): number => {
      [control, length, 0, target].forEach((value, index) => big32(0x100 + index * 4, value));
      wiring.out(0x514, 0, 4);
      wiring.out(0x518, 0x00010000, 4); // 100h, big-endian
      return new DataView(wiring.memory.bytes.buffer).getUint32(0x100);
    };
    expect(command(0x00200000 | 8 | 4, 1, 0)).toBe(0);
    expect(command(2, 6, 0x200)).toBe(0);
    expect([...wiring.memory.bytes.subarray(0x200, 0x206)]).toEqual([2, 3, 4, 5, 0, 0]);
    expect(command(0x00200000 | 8 | 16, 1, 0x300)).toBe(1);
    expect(command(0x00200000 | 8 | 2, 0xffffffff, 0x300)).toBe(1);
  });

  it('saves where it stands', () => {
    select(0x20);
    take(2);
    const copy = new FwCfg(new TestWiring(), { memoryBytes: 0, files: [] });
    copy.state.restore(device.state.save(), 1);
    expect(copy.state.save()).toEqual({ selector: 0x20, offset: 2, dmaHigh: 0 });
  });
});
