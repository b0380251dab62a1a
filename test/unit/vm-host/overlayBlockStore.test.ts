import { describe, expect, it } from 'vitest';
import { BlockError, type BlockStore } from '../../../core/host/blockStore.ts';
import { OverlayBlockStore } from '../../../src-main/vm-host/overlayBlockStore.ts';

const SIZE = 3 * 4096 + 512;

function fixedStore(broken = false): { store: BlockStore; bytes: Uint8Array } {
  const bytes = Uint8Array.from({ length: SIZE }, (_, index) => index % 251);
  const store: BlockStore = {
    sizeBytes: SIZE,
    readOnly: true,
    read(offset, into, done) {
      if (!broken) into.set(bytes.subarray(offset, offset + into.length));
      done(broken ? new BlockError('the file: it cannot be read') : undefined);
    },
    write: () => expect.unreachable('the file below is written'),
    flush: (done) => done(),
    close: () => undefined,
  };
  return { store, bytes };
}

const readAll = (store: BlockStore): Uint8Array => {
  const into = new Uint8Array(SIZE);
  store.read(0, into, (error) => expect(error).toBeUndefined());
  return into;
};

describe('an overlay over a block store', () => {
  it('keeps what is written, of any length and place, and leaves the file alone', () => {
    const { store, bytes } = fixedStore();
    const scratch = new OverlayBlockStore(store, false);
    const before = bytes.slice(),
      expected = bytes.slice();
    for (const [offset, length] of [
      [4000, 200],
      [0, 1],
      [4096, 4096],
      [3 * 4096 - 10, 522],
    ] as const) {
      const written = Uint8Array.from({ length }, (_, index) => 255 - (index % 200));
      scratch.write(offset, written, (error) => expect(error).toBeUndefined());
      expected.set(written, offset);
    }
    expect(readAll(scratch)).toEqual(expected);
    expect(bytes).toEqual(before);
  });

  it('passes errors of the file on', () => {
    const scratch = new OverlayBlockStore(fixedStore(true).store, false);
    const errors: (string | undefined)[] = [];
    scratch.read(0, new Uint8Array(512), (error) => errors.push(error?.message));
    scratch.write(0, new Uint8Array(512), (error) => errors.push(error?.message));
    expect(errors).toEqual(['the file: it cannot be read', 'the file: it cannot be read']);
  });

  it('waits for what the file gives later, and keeps both of two writes that meet in a block', () => {
    const { store, bytes } = fixedStore();
    const later: (() => void)[] = [];
    const slow: BlockStore = { ...store, read: (...request) => void later.push(() => store.read(...request)) };
    const overlay = new OverlayBlockStore(slow, false);
    const expected = bytes.slice();
    let written = 0;
    for (const offset of [100, 300]) {
      overlay.write(offset, Uint8Array.of(1, 2, 3), (error) => {
        expect(error).toBeUndefined();
        written++;
      });
      expected.set([1, 2, 3], offset);
    }
    expect(written).toBe(0);
    for (const serve of later.splice(0)) serve();
    expect(written).toBe(2);
    const into = new Uint8Array(SIZE);
    overlay.read(0, into, () => undefined);
    for (const serve of later.splice(0)) serve();
    expect(into).toEqual(expected);
  });
});
