import { describe, expect, it } from 'vitest';
import { testBoard } from './testWiring.ts';

describe('i440FX board', () => {
  it('delivers a timer interrupt through the PIC with the vector the guest programmed', () => {
    const { host, board } = testBoard();
    for (const [port, value] of [[0x20, 0x11], [0x21, 0x08], [0x21, 0x04], [0x21, 0x01], [0x21, 0xfe]] as const) board.ioWrite(port, value, 1);
    board.ioWrite(0x43, 0x34, 1);
    board.ioWrite(0x40, 0xa9, 1);
    board.ioWrite(0x40, 0x04, 1);
    if (board.interruptPending) board.acknowledgeInterrupt(), board.ioWrite(0x20, 0x20, 1); // OUT rose with the control word
    host.clock.advance(1_010_000);
    expect(host.intr.level).toBe(true);
    expect(board.acknowledgeInterrupt()).toBe(0x08);
    expect(host.intr.level).toBe(false);
  });

  it('answers PCI configuration reads of the host bridge and floats for absent devices', () => {
    const { board } = testBoard();
    board.ioWrite(0xcf8, 0x80000000, 4);
    expect(board.ioRead(0xcfc, 4)).toBe(0x12378086);
    expect(board.ioRead(0xcfe, 2)).toBe(0x1237);
    board.ioWrite(0xcf8, 0x80000800, 4);
    expect(board.ioRead(0xcfc, 4)).toBe(0x70008086);
    board.ioWrite(0xcf8, 0x8000f800, 4);
    expect(board.ioRead(0xcfc, 4)).toBe(0xffffffff);
  });

  it('reports shadow RAM changes per stretch', () => {
    const { host, board } = testBoard();
    expect(host.rom.get(0xf0000)).toEqual({ read: 'rom', write: 'rom' });
    board.ioWrite(0xcf8, 0x80000058, 4);
    board.ioWrite(0xcfd, 0x30, 1);
    expect(host.rom.get(0xf0000)).toEqual({ read: 'ram', write: 'ram' });
    board.reset('hard');
    expect(host.rom.get(0xf0000)).toEqual({ read: 'rom', write: 'rom' });
  });

  it('powers off by SLP_TYP 0, raises SCI for the power button, resets by CF9h and port 92h', () => {
    const { host, board } = testBoard();
    board.ioWrite(0xcf8, 0x80000b40, 4);
    board.ioWrite(0xcfc, 0x601, 4);
    board.ioWrite(0xcf8, 0x80000b80, 4);
    board.ioWrite(0xcfc, 1, 1);
    board.ioWrite(0xb2, 0xf1, 1);
    expect(board.ioRead(0x604, 2) & 1).toBe(1);
    for (const base of [0x20, 0xa0]) for (const value of [0x11, base === 0x20 ? 8 : 0x70, base === 0x20 ? 4 : 2, 1, 0]) board.ioWrite(base + (value === 0x11 ? 0 : 1), value, 1);
    board.ioWrite(0x602, 0x100, 2);
    board.ioWrite(0x4d1, 0x02, 1);
    board.powerButton();
    expect(board.interruptPending).toBe(true);
    expect(board.acknowledgeInterrupt()).toBe(0x71);
    board.ioWrite(0x600, 0x100, 2);
    board.ioWrite(0x604, 0x2000, 2);
    expect(host.poweredOff).toBe(1);
    board.ioWrite(0xcf9, 0x06, 1);
    board.ioWrite(0x92, 0x03, 1);
    expect(host.resets).toEqual(['hard', 'soft']);
  });

  it('passes debug ports to the host', () => {
    const { host, board } = testBoard();
    for (const letter of 'hi') board.ioWrite(0xe9, letter.charCodeAt(0), 1);
    board.ioWrite(0xf4, 5, 4);
    board.ioWrite(0x80, 0x42, 1);
    expect([host.debug, host.exits, host.postCodes, board.ioRead(0xe9, 1)]).toEqual(['hi', [5], [0x42], 0xe9]);
    expect(board.ioRead(0x1234, 4)).toBe(0xffffffff);
    expect(host.unclaimed).toEqual([0x1234]);
  });

  it('keeps two boards in one process apart', () => {
    const one = testBoard();
    const two = testBoard();
    one.board.ioWrite(0x3ff, 0x5a, 1);
    expect(two.board.ioRead(0x3ff, 1)).toBe(0);
    expect(one.board.ioRead(0x3ff, 1)).toBe(0x5a);
  });
});
