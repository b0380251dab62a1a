import { beforeEach, describe, expect, it } from 'vitest';
import type { I440fxBoard } from '../../core/chipset/i440fxBoard.ts';
import { MemoryBlockStore } from '../../core/storage/memoryBlockStore.ts';
import { DelayedStore, failingStore, testBoard, type TestBoardHost } from './testWiring.ts';

const SECTORS = 4096;
const BM = 0xc000;

const patterned = (bytes: number): Uint8Array => Uint8Array.from({ length: bytes }, (_, index) => (index * 7 + (index >> 9) * 13) & 0xff);

let host: TestBoardHost;
let board: I440fxBoard;
const out = (port: number, value: number, size: 1 | 2 | 4 = 1): void => board.ioWrite(port, value, size);
const inp = (port: number, size: 1 | 2 | 4 = 1): number => board.ioRead(port, size);

function enableBusMaster(): void {
  out(0xcf8, 0x80000920, 4);
  out(0xcfc, BM | 1, 4);
  out(0xcf8, 0x80000904, 4);
  out(0xcfc, 0x0005, 2);
}

function command(base: number, code: number, lba: number, count: number, device = 0xe0): void {
  out(base + 6, device | ((lba >> 24) & 15));
  out(base + 2, count);
  out(base + 3, lba & 0xff);
  out(base + 4, (lba >> 8) & 0xff);
  out(base + 5, (lba >> 16) & 0xff);
  out(base + 7, code);
}

/** Comparison of long arrays element by element is slow. */
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

const readWords = (base: number, bytes: number): Uint8Array => {
  const data = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 2) {
    const word = inp(base, 2);
    data[at] = word & 0xff;
    data[at + 1] = word >> 8;
  }
  return data;
};

const writeWords = (base: number, data: Uint8Array): void => {
  for (let at = 0; at < data.length; at += 2) out(base, data[at]! | (data[at + 1]! << 8), 2);
};

/** Descriptors at 1000h, data at the given places. */
function prd(entries: readonly (readonly [address: number, length: number])[]): void {
  entries.forEach(([address, length], index) => {
    host.memory.write32(0x1000 + index * 8, address);
    host.memory.write32(0x1004 + index * 8, ((length & 0xffff) | (index === entries.length - 1 ? 0x80000000 : 0)) >>> 0);
  });
}

describe('ATA disk on the PIIX3', () => {
  let image: Uint8Array;
  beforeEach(() => {
    image = patterned(SECTORS * 512);
    ({ host, board } = testBoard({ disks: [new MemoryBlockStore(image)] }));
    enableBusMaster();
  });

  it('identifies itself with its size, and the absent slave with nothing', () => {
    command(0x1f0, 0xec, 0, 0, 0xa0);
    expect(inp(0x1f7)).toBe(0x58);
    const words = new Uint16Array(readWords(0x1f0, 512).buffer);
    expect(words[60]! | (words[61]! << 16)).toBe(SECTORS);
    expect(words[100]).toBe(SECTORS);
    const model = Array.from(words.slice(27, 47), (word) => String.fromCharCode(word >> 8, word & 0xff)).join('');
    expect(model.trim()).toBe('TRAPEZE HARD DISK');
    expect(inp(0x1f7)).toBe(0x50);
    out(0x1f6, 0xb0);
    expect(inp(0x1f7)).toBe(0);
  });

  it('reads sectors by PIO with an interrupt for each, by LBA and CHS', () => {
    command(0x1f0, 0x20, 5, 2);
    expect(inp(0x1f7) & 0x88).toBe(0x08);
    expect(readWords(0x1f0, 1024)).toEqual(image.slice(5 * 512, 7 * 512));
    expect(inp(0x1f7)).toBe(0x50);
    command(0x1f0, 0x20, (1 << 8) | 3, 1, 0xa2); // cylinder 1, head 2, sector 3
    expect(readWords(0x1f0, 512)).toEqual(image.slice((1 * 16 * 63 + 2 * 63 + 2) * 512).slice(0, 512));
    expect(board.diskBytes.read).toBe(1536);
  });

  it('reads with 32-bit accesses and in blocks of READ MULTIPLE', () => {
    command(0x1f0, 0xc6, 0, 8);
    command(0x1f0, 0xc4, 100, 10);
    const data = new Uint32Array((10 * 512) / 4).map(() => inp(0x1f0, 4));
    expect(new Uint8Array(data.buffer)).toEqual(image.slice(100 * 512, 110 * 512));
    expect(inp(0x1f7)).toBe(0x50);
  });

  it('writes by PIO and by WRITE MULTIPLE, 48-bit too', () => {
    const data = patterned(3 * 512).reverse();
    command(0x1f0, 0x30, 9, 3);
    writeWords(0x1f0, data);
    expect(inp(0x1f7)).toBe(0x50);
    expect(image.slice(9 * 512, 12 * 512)).toEqual(data);
    for (const [port, value] of [[2, 0], [3, 0], [4, 0], [5, 0], [2, 3], [3, 0x40], [4, 0], [5, 0], [6, 0xe0], [7, 0x39]] as const) out(0x1f0 + port, value);
    writeWords(0x1f0, data);
    expect(inp(0x1f7)).toBe(0x50);
    expect(image.slice(0x40 * 512, 0x43 * 512)).toEqual(data);
  });

  it('moves data by bus-master DMA through several descriptors', () => {
    prd([[0x20000, 1024], [0x30000, 512], [0x28000, 2560]]);
    out(BM + 4, 0x1000, 4);
    out(BM + 0, 0x08);
    command(0x1f0, 0xc8, 20, 8);
    out(BM + 0, 0x09);
    expect(inp(BM + 2) & 0x07).toBe(0x04);
    expect(inp(0x1f7)).toBe(0x50);
    expect(host.memory.bytes.slice(0x20000, 0x20400)).toEqual(image.slice(20 * 512, 22 * 512));
    expect(host.memory.bytes.slice(0x30000, 0x30200)).toEqual(image.slice(22 * 512, 23 * 512));
    expect(host.memory.bytes.slice(0x28000, 0x28a00)).toEqual(image.slice(23 * 512, 28 * 512));
    out(BM + 0, 0);
    out(BM + 2, 0x04);
    out(BM + 0, 0x01);
    command(0x1f0, 0xca, 1000, 8);
    expect(image.slice(1000 * 512, 1002 * 512)).toEqual(image.slice(20 * 512, 22 * 512));
    expect(board.diskBytes).toEqual({ read: 4096, written: 4096 });
  });

  it('waits when the descriptor table is shorter than the transfer', () => {
    prd([[0x20000, 512]]);
    out(BM + 4, 0x1000, 4);
    command(0x1f0, 0xc8, 0, 2);
    out(BM + 0, 0x09);
    expect(inp(BM + 2) & 0x05).toBe(0);
    expect(inp(0x3f6) & 0x08).toBe(0x08);
    out(0x3f6, 0x04);
    out(0x3f6, 0x00);
    expect(inp(0x1f7)).toBe(0x50);
  });

  it('raises IRQ 14, which the status register takes back and nIEN holds off', () => {
    for (const value of [[0xa0, 0x11], [0xa1, 0x70], [0xa1, 2], [0xa1, 1], [0xa1, 0], [0x20, 0x11], [0x21, 8], [0x21, 4], [0x21, 1], [0x21, 0]] as const) out(value[0], value[1]);
    command(0x1f0, 0xe7, 0, 0);
    expect(board.interruptPending).toBe(true);
    expect(inp(0x3f6)).toBe(0x50);
    expect(board.interruptPending).toBe(true);
    inp(0x1f7);
    expect(board.interruptPending).toBe(false);
    out(0x3f6, 0x02);
    command(0x1f0, 0xe7, 0, 0);
    expect(board.interruptPending).toBe(false);
    out(0x3f6, 0x00);
    expect(board.interruptPending).toBe(true);
    expect(board.acknowledgeInterrupt()).toBe(0x76);
  });

  it('refuses addresses outside the disk and unknown commands', () => {
    command(0x1f0, 0x20, SECTORS - 1, 2);
    expect([inp(0x1f7) & 0x89, inp(0x1f1)]).toEqual([0x01, 0x10]);
    command(0x1f0, 0xb0, 0, 0);
    expect([inp(0x1f7) & 0x89, inp(0x1f1)]).toEqual([0x01, 0x04]);
    command(0x1f0, 0xf8, 0, 0);
    expect(inp(0x1f3) | (inp(0x1f4) << 8)).toBe(SECTORS - 1);
  });

  it('shows the disk signature after a software reset and diagnostics', () => {
    out(0x1f2, 0x55);
    out(0x3f6, 0x04);
    expect(inp(0x3f6)).toBe(0x80);
    out(0x3f6, 0x00);
    expect([inp(0x1f1), inp(0x1f2), inp(0x1f3), inp(0x1f4), inp(0x1f5)]).toEqual([1, 1, 1, 0, 0]);
    out(0x1f7, 0x90);
    expect(inp(0x1f1)).toBe(1);
  });

  it('write-protects a read-only store and reports a failing one', () => {
    ({ host, board } = testBoard({ disks: [new MemoryBlockStore(image, { readOnly: true }), failingStore(1 << 20)] }));
    command(0x1f0, 0x30, 0, 1);
    expect(inp(0x1f7) & 0x09).toBe(0x01);
    command(0x1f0, 0x20, 3, 1, 0xf0);
    expect([inp(0x1f7) & 0x09, inp(0x1f1), inp(0x1f3)]).toEqual([0x01, 0x40, 3]);
    command(0x1f0, 0x30, 3, 1, 0xf0);
    writeWords(0x1f0, new Uint8Array(512));
    expect(inp(0x1f7) & 0x09).toBe(0x01);
  });
});

describe('late completions', () => {
  it('stays busy until the store answers, then goes on by itself', () => {
    const image = patterned(SECTORS * 512);
    const store = new DelayedStore(new MemoryBlockStore(image));
    ({ host, board } = testBoard({ disks: [store] }));
    enableBusMaster();
    command(0x1f0, 0x20, 5, 1);
    expect(inp(0x1f7)).toBe(0x80);
    store.release();
    expect(readWords(0x1f0, 512)).toEqual(image.slice(5 * 512, 6 * 512));
    prd([[0x20000, 0], [0x30000, 0], [0x40000, 0], [0x50000, 0]]);
    out(BM + 4, 0x1000, 4);
    for (const register of [3, 4, 5]) out(0x1f0 + register, 0);
    out(0x1f2, 2); // 512 sectors
    command(0x1f0, 0x25, 0, 0);
    expect(inp(0x3f6)).toBe(0x80);
    out(BM + 2, 0x04);
    out(BM + 0, 0x09);
    expect(inp(BM + 2) & 0x05).toBe(0x01);
    store.release();
    expect(same(host.memory.bytes.slice(0x20000, 0x60000), image.slice(0, 0x40000))).toBe(true);
    expect(inp(0x1f7)).toBe(0x50);
  });

  it('ignores the answer to a command that a reset ended', () => {
    const image = patterned(SECTORS * 512);
    const store = new DelayedStore(new MemoryBlockStore(image));
    ({ host, board } = testBoard({ disks: [store] }));
    command(0x1f0, 0x20, 5, 1);
    out(0x3f6, 0x04);
    out(0x3f6, 0x00);
    command(0x1f0, 0x20, 9, 1);
    store.release();
    expect(readWords(0x1f0, 512)).toEqual(image.slice(9 * 512, 10 * 512));
    expect(inp(0x1f7)).toBe(0x50);
  });

  it('makes the request again after save and restore in the middle', () => {
    const image = patterned(SECTORS * 512);
    const store = new DelayedStore(new MemoryBlockStore(image));
    ({ host, board } = testBoard({ disks: [store] }));
    const data = patterned(512).reverse();
    command(0x1f0, 0x30, 7, 1);
    writeWords(0x1f0, data);
    const saved = board.devices.map((device) => device.state.save());
    const image2 = patterned(SECTORS * 512);
    const second = testBoard({ disks: [new MemoryBlockStore(image2)] });
    second.board.devices.forEach((device, index) => device.state.restore(saved[index], device.state.version));
    expect(second.board.ioRead(0x1f7, 1)).toBe(0x80);
    second.host.clock.advance(1);
    expect(second.board.ioRead(0x1f7, 1)).toBe(0x50);
    expect(image2.slice(7 * 512, 8 * 512)).toEqual(data);
  });
});

describe('ATAPI CD-ROM', () => {
  let disc: Uint8Array;
  const packet = (bytes: readonly number[], options: { dma?: boolean; limit?: number } = {}): void => {
    const limit = options.limit ?? 0xfffe;
    out(0x176, 0xa0);
    out(0x171, options.dma ? 1 : 0);
    out(0x174, limit & 0xff);
    out(0x175, limit >> 8);
    out(0x177, 0xa0);
    expect(inp(0x376) & 0x88).toBe(0x08);
    expect(inp(0x172)).toBe(1);
    writeWords(0x170, Uint8Array.from({ length: 12 }, (_, index) => bytes[index] ?? 0));
  };
  const receive = (): number[] => {
    const data: number[] = [];
    while (inp(0x177) & 0x08) {
      const length = inp(0x174) | (inp(0x175) << 8);
      data.push(...readWords(0x170, (length + 1) & ~1).slice(0, length));
    }
    return data;
  };
  const sense = (): number[] => {
    packet([3, 0, 0, 0, 18]);
    const data = receive();
    return [data[2]!, data[12]!];
  };

  beforeEach(() => {
    disc = patterned(300 * 2048);
    ({ host, board } = testBoard({ cdrom: new MemoryBlockStore(disc, { readOnly: true }) }));
    enableBusMaster();
    out(0x176, 0xa0);
  });

  it('has the packet signature, refuses IDENTIFY DEVICE, answers IDENTIFY PACKET DEVICE', () => {
    expect([inp(0x174), inp(0x175)]).toEqual([0x14, 0xeb]);
    out(0x177, 0xec);
    expect([inp(0x177) & 1, inp(0x171), inp(0x174), inp(0x175)]).toEqual([1, 4, 0x14, 0xeb]);
    out(0x177, 0xa1);
    expect(readWords(0x170, 512)[1]! >> 6).toBe(2);
    expect(inp(0x177) & 0x89).toBe(0);
  });

  it('reports the power-on unit attention once', () => {
    packet([0]);
    expect([inp(0x177) & 1, inp(0x171) >> 4]).toEqual([1, 6]);
    packet([0]);
    expect(inp(0x177) & 1).toBe(0);
    expect(inp(0x172)).toBe(3);
  });

  it('reads sectors by PIO in blocks of the byte-count limit, and by DMA', () => {
    packet([0]);
    packet([0x28, 0, 0, 0, 0, 17, 0, 0, 3], { limit: 2048 });
    expect(inp(0x174) | (inp(0x175) << 8)).toBe(2048);
    expect(Uint8Array.from(receive())).toEqual(disc.slice(17 * 2048, 20 * 2048));
    expect(inp(0x172)).toBe(3);
    prd([[0x20000, 4096]]);
    out(BM + 12, 0x1000, 4);
    packet([0xa8, 0, 0, 0, 0, 2, 0, 0, 0, 2], { dma: true });
    out(BM + 8, 0x09);
    expect(inp(BM + 10) & 5).toBe(4);
    expect(host.memory.bytes.slice(0x20000, 0x21000)).toEqual(disc.slice(2 * 2048, 4 * 2048));
  });

  it('answers INQUIRY, READ CAPACITY, READ TOC, GET CONFIGURATION, MODE SENSE and the event poll', () => {
    packet([0]);
    packet([0x12, 0, 0, 0, 36]);
    const inquiry = receive();
    expect([inquiry.length, inquiry[0], inquiry[1]]).toEqual([36, 5, 0x80]);
    packet([0x25]);
    expect(receive()).toEqual([0, 0, 1, 43, 0, 0, 8, 0]);
    packet([0x43, 2, 0, 0, 0, 0, 0, 0, 20]);
    expect(receive()).toEqual([0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 2, 0, 0, 0x14, 0xaa, 0, 0, 0, 6, 0]);
    packet([0x46, 0, 0, 0, 0, 0, 0, 0, 8]);
    expect(receive().slice(6)).toEqual([0, 8]);
    packet([0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 100]);
    expect(receive()[8]).toBe(0x2a);
    packet([0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8]);
    expect(receive()).toEqual([0, 6, 4, 0x10, 0, 2, 0, 0]);
    packet([0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8]);
    expect(receive()).toHaveLength(8);
    packet([0x51, 0, 0, 0, 0, 0, 0, 0, 34]);
    expect(receive()[2]).toBe(0x0e);
  });

  it('fails with sense: unknown command, bad field, out of range, no medium', () => {
    packet([0]);
    packet([0x99]);
    expect(sense()).toEqual([5, 0x20]);
    packet([0x5a, 0, 0x15, 0, 0, 0, 0, 0, 100]);
    expect(sense()).toEqual([5, 0x24]);
    packet([0x28, 0, 0, 0, 1, 44, 0, 0, 1]);
    expect(sense()).toEqual([5, 0x21]);
    expect(sense()).toEqual([0, 0]);
    board.cdrom.setMedium(null);
    packet([0]);
    expect(sense()).toEqual([2, 0x3a]);
  });

  it('reports a changed disc, locks and ejects', () => {
    packet([0]);
    board.cdrom.setMedium(new MemoryBlockStore(patterned(10 * 2048)));
    packet([0x25]);
    expect(sense()).toEqual([6, 0x28]);
    packet([0x25]);
    expect(receive()[3]).toBe(9);
    packet([0x1e, 0, 0, 0, 1]);
    packet([0x1b, 0, 0, 0, 2]);
    expect(sense()).toEqual([5, 0x53]);
    packet([0x1e]);
    packet([0x1b, 0, 0, 0, 2]);
    packet([0]);
    expect(sense()).toEqual([2, 0x3a]);
    packet([0x1b, 0, 0, 0, 3]);
    packet([0]);
    expect(sense()).toEqual([6, 0x28]);
  });
});
