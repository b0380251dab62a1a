import { beforeEach, describe, expect, it } from 'vitest';
import { SnapshotError } from '../../core/bus/device.ts';
import { CoprocessorError } from '../../core/devices/interrupt/coprocessorError.ts';
import { TestWiring, testBoard } from './testWiring.ts';

describe('coprocessor errors', () => {
  let wiring: TestWiring;
  let device: CoprocessorError;
  const levels = (): boolean[] => [wiring.irq('irq').level, wiring.irq('ignne').level];

  beforeEach(() => {
    wiring = new TestWiring();
    device = new CoprocessorError(wiring);
  });

  it('latches the request until port F0h is written, which asserts IGNNE# as long as FERR# is', () => {
    device.ferr.set(true);
    expect(levels()).toEqual([true, false]);
    wiring.out(0xf0, 0);
    expect(levels()).toEqual([false, true]);
    device.ferr.set(false);
    expect(levels()).toEqual([false, false]);
    device.ferr.set(true);
    device.ferr.set(false);
    expect(levels()).toEqual([true, false]);
    wiring.out(0xf0, 0);
    expect([...levels(), wiring.in(0xf0)]).toEqual([false, false, 0xff]);
  });

  it('saves and restores, refuses nonsense and forgets on reset', () => {
    device.ferr.set(true);
    wiring.out(0xf0, 0);
    const saved = structuredClone(device.state.save());
    device.reset('hard');
    expect(levels()).toEqual([false, false]);
    device.state.restore(saved, 1);
    expect(levels()).toEqual([false, true]);
    expect(() => device.state.restore({ error: 1 }, 1)).toThrow(SnapshotError);
    expect(levels()).toEqual([false, true]);
  });

  it('is IRQ13 of the board', () => {
    const { host, board } = testBoard();
    for (const base of [0x20, 0xa0]) for (const value of [0x11, base === 0x20 ? 8 : 0x70, base === 0x20 ? 4 : 2, 1, 0]) board.ioWrite(base + (value === 0x11 ? 0 : 1), value, 1);
    board.ferr.set(true);
    expect([board.interruptPending, board.acknowledgeInterrupt(), host.ignne.level]).toEqual([true, 0x75, false]);
    board.ioWrite(0xf0, 0, 1);
    expect(host.ignne.level).toBe(true);
  });
});
