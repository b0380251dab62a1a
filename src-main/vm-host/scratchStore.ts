// A disk whose writes are kept in memory and forgotten: the file below is never changed.
import type { BlockError, BlockStore } from '../../core/host/blockStore.ts';

const BLOCK = 4096;

export class ScratchStore implements BlockStore {
  readonly sizeBytes: number;
  readonly readOnly = false;
  readonly #below: BlockStore;
  readonly #written = new Map<number, Uint8Array>();

  constructor(below: BlockStore) {
    this.#below = below;
    this.sizeBytes = below.sizeBytes;
  }

  read(offset: number, into: Uint8Array, done: (error?: BlockError) => void): void {
    this.#below.read(offset, into, (error) => {
      if (error === undefined) this.#overlay(offset, into);
      done(error);
    });
  }

  #overlay(offset: number, into: Uint8Array): void {
    for (let at = offset; at < offset + into.length;) {
      const block = Math.floor(at / BLOCK),
        within = at % BLOCK;
      const take = Math.min(BLOCK - within, offset + into.length - at);
      const bytes = this.#written.get(block);
      if (bytes !== undefined) into.set(bytes.subarray(within, within + take), at - offset);
      at += take;
    }
  }

  write(offset: number, from: Uint8Array, done: (error?: BlockError) => void): void {
    const bytes = Uint8Array.from(from);
    const first = Math.floor(offset / BLOCK),
      last = Math.floor((offset + bytes.length - 1) / BLOCK);
    const put = (block: number): void => {
      if (block > last) {
        done();
        return;
      }
      this.#block(block, (content, error) => {
        if (error !== undefined) {
          done(error);
          return;
        }
        const from0 = Math.max(offset, block * BLOCK),
          to = Math.min(offset + bytes.length, (block + 1) * BLOCK);
        content.set(bytes.subarray(from0 - offset, to - offset), from0 - block * BLOCK);
        put(block + 1);
      });
    };
    put(first);
  }

  /** The block's own copy, filled from below when it is first written. */
  #block(block: number, use: (content: Uint8Array, error?: BlockError) => void): void {
    const known = this.#written.get(block);
    if (known !== undefined) {
      use(known);
      return;
    }
    const content = new Uint8Array(BLOCK);
    const inside = Math.min(BLOCK, this.sizeBytes - block * BLOCK);
    this.#below.read(block * BLOCK, content.subarray(0, inside), (error) => {
      if (error === undefined) this.#written.set(block, content);
      use(content, error);
    });
  }

  flush(done: (error?: BlockError) => void): void {
    done();
  }
  close(): void {
    this.#below.close();
  }
}
