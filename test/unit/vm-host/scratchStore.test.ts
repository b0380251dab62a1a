import { describe, expect, it } from 'vitest';
import { BlockError, type BlockStore } from '../../../core/host/blockStore.ts';
import { ScratchStore } from '../../../src-main/vm-host/scratchStore.ts';

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

describe('a scratch store', () => {
  it('keeps what is written, of any length and place, and leaves the file alone', () => {
    const { store, bytes } = fixedStore();
    const scratch = new ScratchStore(store);
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
    const scratch = new ScratchStore(fixedStore(true).store);
    const errors: (string | undefined)[] = [];
    scratch.read(0, new Uint8Array(512), (error) => errors.push(error?.message));
    scratch.write(0, new Uint8Array(512), (error) => errors.push(error?.message));
    expect(errors).toEqual(['the file: it cannot be read', 'the file: it cannot be read']);
  });
});
