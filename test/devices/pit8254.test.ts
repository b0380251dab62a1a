import { beforeEach, describe, expect, it } from 'vitest';
import { nsOfTick } from '../../core/bus/guestTicks.ts';
import { Pit8254 } from '../../core/devices/timer/pit8254.ts';
import { TestWiring } from './testWiring.ts';

const HERTZ = 1193182;

describe('8254', () => {
  let wiring: TestWiring;
  let pit: Pit8254;
  const toTick = (tick: number): void => wiring.clock.advance(nsOfTick(tick, HERTZ) - wiring.clock.ns);
  const program = (control: number, count: number): void => {
    wiring.out(0x43, control);
    wiring.out(0x40 + (control >> 6), count & 0xff);
    wiring.out(0x40 + (control >> 6), count >> 8);
  };
  const count = (channel: number): number => {
    wiring.out(0x43, channel << 6);
    return wiring.in(0x40 + channel) | (wiring.in(0x40 + channel) << 8);
  };
  const status = (channel: number): number => {
    wiring.out(0x43, 0xe0 | (2 << channel));
    return wiring.in(0x40 + channel);
  };

  beforeEach(() => {
    wiring = new TestWiring();
    pit = new Pit8254(wiring);
  });

  it('arms nothing until channel 0 is programmed', () => {
    expect(wiring.clock.armed).toBe(0);
    program(0xb6, 1000);
    expect(wiring.clock.armed).toBe(0);
    program(0x34, 1000);
    expect(wiring.clock.armed).toBe(1);
  });

  it('mode 2 ticks without drift over a long time', () => {
    program(0x34, 11932);
    const before = wiring.irq('irq').rises;
    wiring.clock.advance(10e9);
    expect(wiring.irq('irq').rises - before).toBe(Math.floor((10 * HERTZ - 1) / 11932));
  });

  it('mode 2 counts down from the reload value', () => {
    program(0x34, 1000);
    toTick(1 + 250);
    expect(count(0)).toBe(750);
    toTick(1 + 1000 + 10);
    expect(count(0)).toBe(990);
  });

  it('mode 3 steps by two and halves its output', () => {
    program(0xb6, 1000);
    wiring.out(0x61, 0x01); // the gate's rise starts it at the next tick
    toTick(1 + 100);
    expect(count(2)).toBe(800);
    expect(wiring.in(0x61) & 0x20).toBe(0x20);
    toTick(1 + 600);
    expect(count(2)).toBe(800);
    expect(wiring.in(0x61) & 0x20).toBe(0);
  });

  it('mode 0 raises OUT once and stops while the gate is low', () => {
    program(0x30, 100);
    expect(wiring.irq('irq').level).toBe(false);
    toTick(101);
    expect(wiring.irq('irq').level).toBe(true);
    expect(wiring.clock.armed).toBe(0);
    wiring.out(0x61, 1);
    program(0xb0, 1000);
    toTick(101 + 1 + 200);
    wiring.out(0x61, 0);
    toTick(900);
    expect(count(2)).toBe(800);
    wiring.out(0x61, 1);
    toTick(900 + 799);
    expect(wiring.in(0x61) & 0x20).toBe(0);
    toTick(900 + 801);
    expect(wiring.in(0x61) & 0x20).toBe(0x20);
  });

  it('mode 1 is a one-shot started by the gate, mode 4 strobes', () => {
    program(0xb2, 50);
    expect(wiring.in(0x61) & 0x20).toBe(0x20);
    wiring.out(0x61, 1);
    toTick(10);
    expect(wiring.in(0x61) & 0x20).toBe(0);
    toTick(60);
    expect(wiring.in(0x61) & 0x20).toBe(0x20);
    program(0x38, 100);
    const rises = wiring.irq('irq').rises;
    wiring.clock.advance(1e9);
    expect(wiring.irq('irq').rises).toBe(rises + 1);
  });

  it('takes a new count in mode 2 at the end of the period', () => {
    program(0x34, 1000);
    toTick(1 + 100);
    wiring.out(0x40, 500 & 0xff);
    wiring.out(0x40, 500 >> 8);
    expect(status(0) & 0x40).toBe(0x40);
    expect(count(0)).toBe(900);
    toTick(1 + 1000 + 100);
    expect(count(0)).toBe(400);
    expect(status(0) & 0x40).toBe(0);
  });

  it('latches once until read, reads back status before count, counts BCD', () => {
    program(0x34, 0);
    toTick(1 + 0x100);
    wiring.out(0x43, 0xc2); // status and count
    toTick(1 + 0x200);
    wiring.out(0x43, 0x00);
    expect(wiring.in(0x40)).toBe(0x80 | 0x34);
    expect(wiring.in(0x40) | (wiring.in(0x40) << 8)).toBe(0xff00);
    program(0x35, 0x1000);
    toTick(1 + 0x200 + 1);
    const value = count(0);
    expect(value & 0xf).toBeLessThan(10);
    expect([0x1000, 0x0999]).toContain(value);
  });

  it('toggles the refresh bit and keeps state over save and restore', () => {
    const seen = new Set<number>();
    for (let step = 0; step < 10; step++) {
      seen.add(wiring.in(0x61) & 0x10);
      wiring.clock.advance(16_000);
    }
    expect(seen.size).toBe(2);
    program(0x34, 777);
    wiring.out(0x43, 0x04);
    const saved = pit.state.save();
    const other = new TestWiring();
    other.clock.ns = wiring.clock.ns;
    const copy = new Pit8254(other);
    copy.state.restore(saved, 1);
    expect(copy.state.save()).toEqual(saved);
    const before = other.irq('irq').rises;
    other.clock.advance(nsOfTick(778, HERTZ) + 1000);
    expect(other.irq('irq').rises).toBe(before + 1);
  });
});
