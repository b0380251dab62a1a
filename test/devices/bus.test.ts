import { describe, expect, it } from 'vitest';
import type { PortHandler } from '../../core/bus/device.ts';
import { nsOfTick, ticksAt } from '../../core/bus/guestTicks.ts';
import { MmioMap } from '../../core/bus/mmioMap.ts';
import { PortMap } from '../../core/bus/portMap.ts';
import { SharedLine } from '../../core/bus/sharedLine.ts';
import { ProbeLine } from './testWiring.ts';

const recorder = (log: string[], name: string, value = 0): PortHandler => ({
  read(port, size) {
    log.push(`${name} r${size} ${port.toString(16)}`);
    return value;
  },
  write(port, written, size) {
    log.push(`${name} w${size} ${port.toString(16)}=${written.toString(16)}`);
  },
});

describe('port map', () => {
  it('passes a wide access whole inside one claim and splits it across claims', () => {
    const log: string[] = [];
    const map = new PortMap();
    map.claim('a', 0x100, 4, recorder(log, 'a', 0x11));
    map.claim('b', 0x104, 4, recorder(log, 'b', 0x22));
    map.write(0x100, 0xdeadbeef, 4);
    expect(map.read(0x102, 4)).toBe(0x22221111);
    map.write(0x103, 0x1234, 2);
    expect(log).toEqual(['a w4 100=deadbeef', 'b r1 105', 'b r1 104', 'a r1 103', 'a r1 102', 'a w1 103=34', 'b w1 104=12']);
  });

  it('lets the later claim win and gives the port back when it goes', () => {
    const map = new PortMap();
    map.claim('old', 0x100, 8, { read: () => 1, write() {} });
    const mapping = map.claim('new', 0x102, 2, { read: () => 2, write() {} });
    expect([map.read(0x101, 1), map.read(0x102, 1), map.ownerOf(0x103)]).toEqual([1, 2, 'new']);
    mapping.unmap();
    mapping.unmap();
    expect(map.read(0x102, 1)).toBe(1);
  });

  it('floats and reports where nobody claims, wrapping at the last port', () => {
    const seen: number[] = [];
    const map = new PortMap((_kind, port, size) => seen.push(port, size));
    expect(map.read(0x10, 2)).toBe(0xffff);
    map.claim('last', 0xffff, 4, { read: () => 7, write() {} });
    expect(map.read(0xffff, 2)).toBe(0xff07);
    expect(seen).toEqual([0x10, 2, 0, 1]);
  });
});

describe('memory-mapped I/O', () => {
  it('dispatches by range, splits at ends, reports ranges and changes', () => {
    let changes = 0;
    const map = new MmioMap(undefined, () => changes++);
    map.claim('vga', 0xa0000, 0x20000, { read: (offset) => offset & 0xff, write() {} });
    const bar = map.claim('bar', 0xfebf0000, 0x1000, { read: () => 0x55, write() {} });
    expect(map.read(0xa0012, 1)).toBe(0x12);
    expect(map.read(0xbffff, 2)).toBe(0xffff);
    expect(map.read(0xfebf0ffe, 4)).toBe(0xffff5555);
    expect(map.ranges()).toEqual([{ base: 0xa0000, length: 0x20000 }, { base: 0xfebf0000, length: 0x1000 }]);
    bar.unmap();
    expect(map.read(0xfebf0000, 4)).toBe(0xffffffff);
    expect(changes).toBe(3);
  });

  it('overlays a later claim on an earlier one', () => {
    const map = new MmioMap();
    map.claim('under', 0x1000, 0x3000, { read: (offset) => offset >> 8, write() {} });
    map.claim('over', 0x2000, 0x1000, { read: () => 0xee, write() {} });
    expect([map.read(0x1f00, 1), map.read(0x2000, 1), map.read(0x3000, 1)]).toEqual([0x0f, 0xee, 0x20]);
  });
});

describe('guest ticks', () => {
  it('are exact after months and invert each other', () => {
    const month = 30 * 86400;
    expect(ticksAt(month * 1e9, 1193182)).toBe(month * 1193182);
    for (const tick of [0, 1, 17, 1193181, 1193182, 123456789012]) {
      const ns = nsOfTick(tick, 1193182);
      expect(ticksAt(ns, 1193182)).toBe(tick);
      if (ns > 0) expect(ticksAt(ns - 1, 1193182)).toBe(tick - 1);
    }
  });
});

describe('shared line', () => {
  it('is high while any driver is', () => {
    const probe = new ProbeLine();
    const shared = new SharedLine(probe);
    const a = shared.input();
    const b = shared.input();
    a.set(true);
    b.set(true);
    a.set(false);
    expect(probe.level).toBe(true);
    b.set(false);
    expect([probe.level, probe.rises]).toEqual([false, 1]);
  });
});
