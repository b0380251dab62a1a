import { beforeEach, describe, expect, it } from 'vitest';
import { Uart16550 } from '../../core/devices/serial/uart16550.ts';
import { TestWiring } from './testWiring.ts';

describe('16550A', () => {
  let wiring: TestWiring;
  let uart: Uart16550;
  let sent: number[];
  const input = (text: string): number => uart.input(new TextEncoder().encode(text));

  beforeEach(() => {
    wiring = new TestWiring();
    sent = [];
    uart = new Uart16550(wiring, { id: 'com1', base: 0x3f8, onOutput: (byte) => sent.push(byte) });
    wiring.out(0x3fc, 0x0b);
  });

  it('sends, and is briefly busy', () => {
    wiring.out(0x3f8, 0x41);
    expect(sent).toEqual([0x41]);
    expect(wiring.in(0x3fd) & 0x60).toBe(0);
    wiring.clock.advance(1000);
    expect(wiring.in(0x3fd) & 0x60).toBe(0x60);
  });

  it('interrupts when the transmitter is empty; reading IIR takes it back', () => {
    wiring.out(0x3f9, 0x02);
    expect(wiring.in(0x3fa)).toBe(0x02);
    expect(wiring.irq('irq').level).toBe(false);
    wiring.out(0x3f8, 1);
    expect(wiring.clock.armed).toBe(1);
    wiring.clock.advance(1000);
    expect(wiring.irq('irq').level).toBe(true);
    expect(wiring.in(0x3fa)).toBe(0x02);
    expect(wiring.in(0x3fa)).toBe(0x01);
    expect(wiring.clock.armed).toBe(0);
  });

  it('feeds input through the FIFO without losing any, with trigger level and timeout', () => {
    wiring.out(0x3fa, 0x81);
    wiring.out(0x3f9, 0x01);
    const text = 'The quick brown fox jumps over the lazy dog';
    expect(input(text)).toBe(text.length);
    expect(wiring.in(0x3fa)).toBe(0xc4);
    let received = '';
    while (wiring.in(0x3fd) & 1) received += String.fromCharCode(wiring.in(0x3f8));
    expect(received).toBe(text);
    expect(wiring.irq('irq').level).toBe(false);
    input('x');
    expect(wiring.in(0x3fa)).toBe(0xcc);
  });

  it('loops back data and modem lines', () => {
    wiring.out(0x3fc, 0x1f);
    wiring.out(0x3f8, 0x55);
    expect(sent).toEqual([]);
    expect(wiring.in(0x3f8)).toBe(0x55);
    expect(wiring.in(0x3fe) & 0xf0).toBe(0xf0);
    wiring.out(0x3fc, 0x12);
    expect(wiring.in(0x3fe)).toBe(0x1e);
    wiring.out(0x3fc, 0x10);
    expect(wiring.in(0x3fe)).toBe(0x01);
  });

  it('reports an overrun only in loop-back, where no one waits', () => {
    wiring.out(0x3fc, 0x10);
    wiring.out(0x3f8, 1);
    wiring.out(0x3f8, 2);
    expect(wiring.in(0x3fd) & 0x02).toBe(0x02);
    expect(wiring.in(0x3fd) & 0x02).toBe(0);
  });

  it('keeps divisor, scratch and the FIFO bits that drivers probe', () => {
    wiring.out(0x3fb, 0x83);
    wiring.out(0x3f8, 0x34);
    wiring.out(0x3f9, 0x12);
    expect([wiring.in(0x3f8), wiring.in(0x3f9)]).toEqual([0x34, 0x12]);
    wiring.out(0x3fb, 0x03);
    wiring.out(0x3ff, 0xa5);
    expect([wiring.in(0x3f9), wiring.in(0x3ff)]).toEqual([0, 0xa5]);
    expect(wiring.in(0x3fa) & 0xc0).toBe(0);
    wiring.out(0x3fa, 0x07);
    expect(wiring.in(0x3fa) & 0xc0).toBe(0xc0);
  });

  it('keeps waiting input over save and restore', () => {
    input('hello');
    expect(wiring.in(0x3f8)).toBe(0x68);
    const other = new TestWiring();
    const copy = new Uart16550(other, { id: 'com1', base: 0x3f8, onOutput() {} });
    copy.state.restore(uart.state.save(), 1);
    let rest = '';
    while (other.in(0x3fd) & 1) rest += String.fromCharCode(other.in(0x3f8));
    expect(rest).toBe('ello');
  });
});
