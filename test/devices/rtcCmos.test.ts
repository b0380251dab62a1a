import { beforeEach, describe, expect, it } from 'vitest';
import { RtcCmos } from '../../core/devices/timer/rtcCmos.ts';
import { TestWiring } from './testWiring.ts';

// 2024-02-29 23:59:50 UTC, a Thursday
const START = Date.UTC(2024, 1, 29, 23, 59, 50) / 1000;

describe('MC146818 RTC', () => {
  let wiring: TestWiring;
  let rtc: RtcCmos;
  const get = (register: number): number => {
    wiring.out(0x70, register);
    return wiring.in(0x71);
  };
  const set = (register: number, value: number): void => {
    wiring.out(0x70, register);
    wiring.out(0x71, value);
  };
  const time = (): number[] => [get(0x32), get(9), get(8), get(7), get(4), get(2), get(0)];

  beforeEach(() => {
    wiring = new TestWiring();
    rtc = new RtcCmos(wiring, START);
  });

  it('shows BCD time that follows guest time over the end of a leap February', () => {
    expect(time()).toEqual([0x20, 0x24, 0x02, 0x29, 0x23, 0x59, 0x50]);
    expect(get(6)).toBe(5);
    wiring.clock.advance(10e9);
    expect(time()).toEqual([0x20, 0x24, 0x03, 0x01, 0x00, 0x00, 0x00]);
  });

  it('shows binary and 12-hour time when asked', () => {
    set(0x0b, 0x04);
    expect([get(4), get(2), get(0)]).toEqual([11 | 0x80, 59, 50]);
  });

  it('stands still while SET, then goes on from what was written', () => {
    set(0x0b, 0x82);
    for (const [register, value] of [[0, 0x30], [2, 0x15], [4, 0x08], [7, 0x04], [8, 0x07], [9, 0x99], [0x32, 0x19]] as const) set(register, value);
    wiring.clock.advance(5e9);
    expect(get(0)).toBe(0x30);
    set(0x0b, 0x02);
    wiring.clock.advance(1e9);
    expect(time()).toEqual([0x19, 0x99, 0x07, 0x04, 0x08, 0x15, 0x31]);
  });

  it('raises UIP before each update and only then', () => {
    expect(get(0x0a) & 0x80).toBe(0);
    wiring.clock.advance(999_800_000);
    expect(get(0x0a) & 0x80).toBe(0x80);
    wiring.clock.advance(300_000);
    expect(get(0x0a) & 0x80).toBe(0);
  });

  it('arms nothing when no interrupt is enabled', () => {
    wiring.clock.advance(3e9);
    expect(wiring.clock.armed).toBe(0);
    expect(get(0x0c) & 0x50).toBe(0x50);
    expect(get(0x0c)).toBe(0);
  });

  it('interrupts periodically, one edge for each acknowledged tick', () => {
    set(0x0a, 0x26);
    set(0x0b, 0x42);
    let ticks = 0;
    for (let step = 0; step < 2000; step++) {
      wiring.clock.advance(500_000);
      if (wiring.irq('irq').level) {
        ticks++;
        expect(get(0x0c) & 0xc0).toBe(0xc0);
        expect(wiring.irq('irq').level).toBe(false);
      }
    }
    expect(ticks).toBeGreaterThanOrEqual(1023);
    expect(ticks).toBeLessThanOrEqual(1025);
  });

  it('interrupts at the alarm and at each update', () => {
    set(1, 0x05);
    set(3, 0x00);
    set(5, 0xff);
    set(0x0b, 0x22);
    wiring.clock.advance(14.9e9);
    expect(wiring.irq('irq').level).toBe(false);
    wiring.clock.advance(0.2e9);
    expect(wiring.irq('irq').level).toBe(true);
    expect(get(0x0c) & 0xa0).toBe(0xa0);
    set(0x0b, 0x12);
    wiring.clock.advance(1e9);
    expect(wiring.irq('irq').level).toBe(true);
    expect(get(0x0c) & 0x90).toBe(0x90);
  });

  it('keeps RAM over a reset and over save and restore', () => {
    rtc.setNvram(0x5b, 0x12);
    set(0x40, 0x34);
    rtc.reset('hard');
    expect([get(0x5b), get(0x40)]).toEqual([0x12, 0x34]);
    const other = new TestWiring();
    other.clock.ns = wiring.clock.ns;
    const copy = new RtcCmos(other, 0);
    copy.state.restore(rtc.state.save(), 1);
    expect(copy.state.save()).toEqual(rtc.state.save());
    other.out(0x70, 0x00);
    expect(other.in(0x71)).toBe(0x50);
  });

  it('survives nonsense dates', () => {
    for (let register = 0; register < 10; register++) set(register, 0xff);
    set(0x32, 0xff);
    wiring.clock.advance(2e9);
    expect(time().every((value) => value >= 0 && value <= 255)).toBe(true);
    expect(() => rtc.state.restore(rtc.state.save(), 1)).not.toThrow();
  });
});
