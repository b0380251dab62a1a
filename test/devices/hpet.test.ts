import { beforeEach, describe, expect, it } from 'vitest';
import { Hpet } from '../../core/devices/timer/hpet.ts';
import { ProbeLine, TestWiring } from './testWiring.ts';

const BASE = 0xfed00000;

describe('HPET', () => {
  let wiring: TestWiring;
  let hpet: Hpet;
  let legacy: boolean;
  let routed: Map<string, ProbeLine>;
  const make = (on: TestWiring): Hpet =>
    new Hpet(on, {
      base: BASE,
      onLegacy: (enabled) => (legacy = enabled),
      route: (timer, input) => {
        const key = `${timer}:${input}`;
        if (!routed.has(key)) routed.set(key, new ProbeLine());
        return routed.get(key)!;
      },
    });
  const read = (register: number): number => wiring.mmioMap.read(BASE + register, 4);
  const write = (register: number, value: number): void => wiring.mmioMap.write(BASE + register, value >>> 0, 4);

  beforeEach(() => {
    wiring = new TestWiring();
    routed = new Map();
    legacy = false;
    hpet = make(wiring);
  });

  it('tells its capabilities', () => {
    expect([read(0), read(4)]).toEqual([0x8086a201, 10_000_000]);
    for (const timer of [0, 1, 2]) expect([read(0x100 + timer * 0x20), read(0x104 + timer * 0x20)]).toEqual([0x30, 0x00f00000]);
    expect(read(0x160)).toBe(0);
  });

  it('counts 10 ns while it is on, across 32 bits, and stands while it is off', () => {
    wiring.clock.advance(1000);
    expect(read(0xf0)).toBe(0);
    write(0xf0, 0xfffffff0);
    write(0xf4, 7);
    write(0x10, 1);
    wiring.clock.advance(320);
    expect([read(0xf0), read(0xf4)]).toEqual([16, 8]);
    write(0x10, 0);
    wiring.clock.advance(1000);
    expect([read(0xf0), read(0xf4)]).toEqual([16, 8]);
  });

  it('fires once at a comparator, as an edge on the routed input', () => {
    write(0x10, 1);
    write(0x100, 0x4 | (20 << 9));
    write(0x108, 500);
    write(0x10c, 0);
    wiring.clock.advance(4_999);
    expect(routed.get('0:20')!.rises).toBe(0);
    wiring.clock.advance(1);
    expect(routed.get('0:20')!.rises).toBe(1);
    expect(read(0x20)).toBe(0);
    wiring.clock.advance(1_000_000);
    expect(routed.get('0:20')!.rises).toBe(1);
  });

  it('holds a level until its status is cleared', () => {
    write(0x10, 1);
    write(0x140, 0x6 | 0x100 | (23 << 9));
    write(0x148, 100);
    wiring.clock.advance(1_000);
    expect([routed.get('2:23')!.level, read(0x20)]).toEqual([true, 4]);
    write(0x20, 3);
    expect(routed.get('2:23')!.level).toBe(true);
    write(0x20, 4);
    expect([routed.get('2:23')!.level, read(0x20)]).toEqual([false, 0]);
  });

  it('repeats by the period, as Linux sets it up: 32 bits, comparator, then period', () => {
    write(0x10, 3);
    expect(legacy).toBe(true);
    write(0x100, 0x4 | 0x8 | 0x40 | 0x100);
    write(0x108, 1_000);
    write(0x108, 400);
    expect([read(0x108), read(0x100) & 0x40]).toEqual([1_000, 0]);
    wiring.clock.advance(10_000);
    expect([wiring.irq('pit').rises, read(0x108)]).toEqual([1, 1_400]);
    wiring.clock.advance(3_990);
    expect(wiring.irq('pit').rises).toBe(1);
    wiring.clock.advance(10);
    expect([wiring.irq('pit').rises, read(0x108)]).toEqual([2, 1_800]);
    wiring.clock.advance(40_000);
    expect(wiring.irq('pit').rises).toBe(12);
    write(0x100, 0);
    wiring.clock.advance(40_000);
    expect([wiring.irq('pit').rises, wiring.clock.armed]).toEqual([12, 0]);
  });

  it('sets a 64-bit periodic comparator by one wide write', () => {
    write(0xf4, 2);
    write(0x10, 1);
    write(0x100, 0x4 | 0x8 | 0x40 | (20 << 9));
    write(0x108, 1_000);
    write(0x10c, 2);
    write(0x108, 500);
    write(0x10c, 0);
    expect([read(0x108), read(0x10c)]).toEqual([1_000, 2]);
    wiring.clock.advance(15_000);
    expect([routed.get('0:20')!.rises, read(0x108), read(0x10c)]).toEqual([2, 2_000, 2]);
  });

  it('wraps a 32-bit comparator', () => {
    write(0xf0, 0xffffff00);
    write(0x10, 1);
    write(0x120, 0x4 | 0x100 | (21 << 9));
    write(0x128, 0x100);
    wiring.clock.advance(0x1ff * 10);
    expect(routed.get('1:21')!.rises).toBe(0);
    wiring.clock.advance(10);
    expect(routed.get('1:21')!.rises).toBe(1);
  });

  it('asks for no host time while nothing waits', () => {
    write(0x10, 1);
    expect(wiring.clock.armed).toBe(0);
  });

  it('saves and restores in the middle of a period', () => {
    write(0x10, 3);
    write(0x100, 0x4 | 0x8 | 0x40 | 0x100);
    write(0x108, 1_000);
    write(0x108, 400);
    wiring.clock.advance(12_000);
    const saved = hpet.state.save();
    const other = new TestWiring();
    other.clock.ns = wiring.clock.ns;
    const copy = make(other);
    copy.state.restore(saved, 1);
    expect(copy.state.save()).toEqual(saved);
    const before = other.irq('pit').rises;
    other.clock.advance(2_000);
    expect(other.irq('pit').rises).toBe(before + 1);
  });
});
