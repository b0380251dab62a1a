import { beforeEach, describe, expect, it } from 'vitest';
import { SnapshotError } from '../../core/bus/device.ts';
import { Pic8259 } from '../../core/devices/interrupt/pic8259.ts';
import { TestWiring } from './testWiring.ts';

describe('8259A', () => {
  let wiring: TestWiring;
  let pic: Pic8259;
  const pulse = (input: number): void => {
    pic.input(input).set(false);
    pic.input(input).set(true);
  };
  const init = (icw4 = 0x01): void => {
    for (const [port, value] of [[0x20, 0x11], [0x21, 0x20], [0x21, 0x04], [0x21, icw4], [0x21, 0x00]] as const) wiring.out(port, value);
  };

  beforeEach(() => {
    wiring = new TestWiring();
    pic = new Pic8259(wiring, { id: 'pic0', base: 0x20, elcrPort: 0x4d0, elcrWritable: 0xf8, slaves: 4 });
    init();
  });

  it('serves the highest priority first and nests', () => {
    pulse(5);
    pulse(3);
    expect(wiring.irq('int').level).toBe(true);
    expect(pic.acknowledge()).toBe(3);
    expect(wiring.irq('int').level).toBe(false);
    pulse(1);
    expect(pic.acknowledge()).toBe(1);
    wiring.out(0x20, 0x0b);
    expect(wiring.in(0x20)).toBe(0x0a);
    wiring.out(0x20, 0x20);
    expect(pic.pending).toBe(false);
    wiring.out(0x20, 0x20);
    expect(pic.acknowledge()).toBe(5);
  });

  it('masks, and remembers the edge while masked', () => {
    wiring.out(0x21, 0xff);
    pulse(4);
    expect(pic.pending).toBe(false);
    wiring.out(0x20, 0x0a);
    expect(wiring.in(0x20)).toBe(0x10);
    wiring.out(0x21, 0xef);
    expect(pic.acknowledge()).toBe(4);
  });

  it('gives the default IR7 when the request has gone', () => {
    pulse(4);
    pic.input(4).set(false);
    expect(pic.acknowledge()).toBe(7);
    wiring.out(0x20, 0x0b);
    expect(wiring.in(0x20)).toBe(0);
  });

  it('asks again for a level input after EOI, and only once for an edge', () => {
    wiring.out(0x4d0, 0xff);
    expect(wiring.in(0x4d0)).toBe(0xf8);
    pulse(5);
    pic.acknowledge();
    wiring.out(0x20, 0x20);
    expect(pic.pending).toBe(true);
    pic.input(5).set(false);
    expect(pic.pending).toBe(false);
    pulse(1);
    pic.acknowledge();
    wiring.out(0x20, 0x20);
    expect(pic.pending).toBe(false);
  });

  it('rotates priorities on EOI and by command', () => {
    pulse(2);
    pic.acknowledge();
    wiring.out(0x20, 0xa0);
    pulse(2);
    pulse(3);
    expect(pic.acknowledge()).toBe(3);
    wiring.out(0x20, 0x63);
    wiring.out(0x20, 0xc4); // lowest is 4
    pulse(4);
    pulse(5);
    expect(pic.acknowledge()).toBe(5);
  });

  it('ends interrupts by itself with AEOI', () => {
    init(0x03);
    pulse(0);
    expect(pic.acknowledge()).toBe(0);
    wiring.out(0x20, 0x0b);
    expect(wiring.in(0x20)).toBe(0);
  });

  it('lets lower requests through in special mask mode', () => {
    pulse(1);
    pic.acknowledge();
    pulse(6);
    expect(pic.pending).toBe(false);
    wiring.out(0x21, 0x02);
    wiring.out(0x20, 0x68);
    expect(pic.acknowledge()).toBe(6);
  });

  it('answers a poll and acknowledges with it', () => {
    pulse(6);
    wiring.out(0x20, 0x0c);
    expect(wiring.in(0x20)).toBe(0x86);
    wiring.out(0x20, 0x0c);
    expect(wiring.in(0x20)).toBe(0);
  });

  it('keeps its state over save and restore, and refuses what does not fit', () => {
    pulse(3);
    wiring.out(0x4d0, 0x20);
    const saved = pic.state.save();
    const other = new TestWiring();
    const copy = new Pic8259(other, { id: 'pic0', base: 0x20, elcrPort: 0x4d0, elcrWritable: 0xf8, slaves: 4 });
    copy.state.restore(JSON.parse(JSON.stringify(saved)), 1);
    expect(other.irq('int').level).toBe(true);
    expect(copy.state.save()).toEqual(saved);
    for (const bad of [null, 5, {}, { ...saved, imr: 256 }, { ...saved, extra: 1 }, { ...saved, poll: 'yes' }]) {
      expect(() => copy.state.restore(bad, 1)).toThrow(SnapshotError);
    }
    expect(() => copy.state.restore(saved, 2)).toThrow(SnapshotError);
    expect(copy.state.save()).toEqual(saved);
  });
});
