import { beforeEach, describe, expect, it } from 'vitest';
import { I8042 } from '../../core/devices/input/i8042.ts';
import { Ps2Keyboard } from '../../core/devices/input/ps2Keyboard.ts';
import { Ps2Mouse } from '../../core/devices/input/ps2Mouse.ts';
import { TestWiring } from './testWiring.ts';

describe('8042 with keyboard and mouse', () => {
  let wiring: TestWiring;
  let keyboard: Ps2Keyboard;
  let mouse: Ps2Mouse;
  let controller: I8042;
  let resets: number;
  const drain = (): number[] => {
    const bytes: number[] = [];
    for (;;) {
      while (wiring.in(0x64) & 1) bytes.push(wiring.in(0x60));
      if (wiring.clock.armed === 0) return bytes;
      wiring.clock.advance(300_000);
    }
  };
  const command = (value: number, data?: number): void => {
    wiring.out(0x64, value);
    if (data !== undefined) wiring.out(0x60, data);
  };
  const toMouse = (value: number): number[] => {
    command(0xd4, value);
    return drain();
  };

  beforeEach(() => {
    wiring = new TestWiring();
    keyboard = new Ps2Keyboard();
    mouse = new Ps2Mouse();
    resets = 0;
    controller = new I8042(wiring, { keyboard, mouse, onReset: () => resets++ });
  });

  it('passes its self-tests', () => {
    command(0xaa);
    command(0xab);
    command(0xa9);
    expect(drain()).toEqual([0x55, 0, 0]);
  });

  it('translates keys to set 1 and interrupts for each byte', () => {
    const keys = [0x1e, 0x9e, 0xe0, 0x48, 0xe0, 0xc8, 0x41, 0xc1, 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5];
    keyboard.input(keys);
    expect(wiring.irq('keyboard').level).toBe(true);
    expect(drain()).toEqual(keys);
    expect(wiring.irq('keyboard').rises).toBe(keys.length);
  });

  it('gives set 2 without translation, set 1 when the keyboard is told so', () => {
    command(0x60, 0x05);
    keyboard.input([0x1e, 0x9e]);
    expect(drain()).toEqual([0x1c, 0xf0, 0x1c]);
    wiring.out(0x60, 0xf0);
    wiring.out(0x60, 0x01);
    expect(drain()).toEqual([0xfa, 0xfa]);
    keyboard.input([0x1e, 0x9e]);
    expect(drain()).toEqual([0x1e, 0x9e]);
  });

  it('holds a byte until the wire could have brought the next', () => {
    keyboard.input([0x1e, 0x9e]);
    expect(wiring.in(0x60)).toBe(0x1e);
    expect(wiring.in(0x64) & 1).toBe(0);
    expect(wiring.in(0x60)).toBe(0x1e);
    wiring.clock.advance(300_000);
    expect(wiring.in(0x60)).toBe(0x9e);
  });

  it('answers keyboard commands: identity, LEDs, typematic, reset, unknown', () => {
    command(0x60, 0x05);
    wiring.out(0x60, 0xf2);
    expect(drain()).toEqual([0xfa, 0xab, 0x83]);
    wiring.out(0x60, 0xed);
    wiring.out(0x60, 0x07);
    expect(drain()).toEqual([0xfa, 0xfa]);
    expect(keyboard.leds).toBe(7);
    wiring.out(0x60, 0xf3);
    wiring.out(0x60, 0x20);
    expect(drain()).toEqual([0xfa, 0xfa]);
    wiring.out(0x60, 0xff);
    expect(drain()).toEqual([0xfa, 0xaa]);
    wiring.out(0x60, 0x77);
    expect(drain()).toEqual([0xfe]);
  });

  it('holds keys back while the keyboard interface is disabled, and bounds its queue', () => {
    command(0xad);
    keyboard.input([0x1e, 0x9e]);
    expect(wiring.in(0x64) & 1).toBe(0);
    let taken = 0;
    while (keyboard.input([0x1e, 0x9e]) && taken < 100_000) taken++;
    expect(taken).toBeLessThan(10_000);
    command(0xae);
    expect(wiring.in(0x60)).toBe(0x1e);
  });

  it('moves A20 and resets by output port and pulse', () => {
    command(0xd1, 0xdf);
    expect(wiring.irq('a20').level).toBe(true);
    command(0xd1, 0xdd);
    expect(wiring.irq('a20').level).toBe(false);
    command(0xd0);
    expect(drain()[0]! & 2).toBe(0);
    command(0xfe);
    expect(resets).toBe(1);
  });

  it('sends mouse packets with 9-bit motion, splitting what is too far', () => {
    expect(toMouse(0xff)).toEqual([0xfa, 0xaa, 0x00]);
    command(0x60, 0x47);
    expect(toMouse(0xf4)).toEqual([0xfa]);
    const before = wiring.irq('mouse').rises;
    mouse.input(300, -5, 0, 1);
    wiring.clock.advance(300_000);
    expect(wiring.in(0x64) & 0x21).toBe(0x21);
    expect(drain()).toEqual([0x09, 255, 5, 0x09, 45, 0]);
    expect(wiring.irq('mouse').rises - before).toBe(6);
    mouse.input(-1, 1, 0, 0);
    expect(drain()).toEqual([0x38, 0xff, 0xff]);
  });

  it('loses no click and turns the wheel on after the IntelliMouse knock', () => {
    for (const rate of [200, 100, 80]) {
      toMouse(0xf3);
      toMouse(rate);
    }
    expect(toMouse(0xf2)).toEqual([0xfa, 3]);
    toMouse(0xf4);
    mouse.input(0, 0, 0, 1);
    mouse.input(0, 0, 0, 0);
    mouse.input(0, 0, 1, 0);
    expect(drain()).toEqual([0x09, 0, 0, 0, 0x08, 0, 0, 1]);
    mouse.input(0, 0, -2, 0);
    expect(drain()).toEqual([0x08, 0, 0, 0xfe]);
  });

  it('keeps everything over save and restore', () => {
    keyboard.input([0x1e, 0x9e, 0x30]);
    toMouse(0xf4);
    mouse.input(1, 2, 0, 0);
    const other = new TestWiring();
    const keyboard2 = new Ps2Keyboard();
    const mouse2 = new Ps2Mouse();
    const controller2 = new I8042(other, { keyboard: keyboard2, mouse: mouse2, onReset() {} });
    other.clock.ns = wiring.clock.ns;
    controller2.state.restore(controller.state.save(), 1);
    keyboard2.state.restore(keyboard.state.save(), 1);
    mouse2.state.restore(mouse.state.save(), 1);
    const expected = drain();
    wiring = other;
    wiring.clock.advance(1);
    expect(drain()).toEqual(expected);
  });
});
