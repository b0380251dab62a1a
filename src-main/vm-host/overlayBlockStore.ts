// A disk whose writes stay in memory: the store below is only read.
import type { BlockError, BlockStore } from '../../core/host/blockStore.ts';

const BLOCK_BYTES = 4096;

export class OverlayBlockStore implements BlockStore {
  readonly readOnly: boolean;
  readonly #below: BlockStore;
  readonly #written = new Map<number, Uint8Array>();

  constructor(below: BlockStore, readOnly: boolean) {
    this.#below = below;
    this.readOnly = readOnly;
  }

  get sizeBytes(): number {
    return this.#below.sizeBytes;
  }

  read(offset: number, into: Uint8Array, done: (error?: BlockError) => void): void {
    this.#below.read(offset, into, (error) => {
      if (error === undefined) this.#eachBlock(offset, into.length, (...part) => this.#copyWritten(into, ...part));
      done(error);
    });
  }

  write(offset: number, from: Uint8Array, done: (error?: BlockError) => void): void {
    let failure: BlockError | undefined;
    this.#eachBlock(offset, from.length, (block, start, at, length) => {
      let content = this.#written.get(block);
      if (content === undefined) {
        content = new Uint8Array(BLOCK_BYTES);
        const there = Math.min(BLOCK_BYTES, this.sizeBytes - block * BLOCK_BYTES);
        this.#below.read(block * BLOCK_BYTES, content.subarray(0, there), (error) => (failure ??= error));
        this.#written.set(block, content);
      }
      content.set(from.subarray(at, at + length), start);
    });
    done(failure);
  }

  flush(done: (error?: BlockError) => void): void {
    done();
  }

  close(): void {
    this.#below.close();
  }

  #copyWritten(into: Uint8Array, block: number, start: number, at: number, length: number): void {
    const content = this.#written.get(block);
    if (content !== undefined) into.set(content.subarray(start, start + length), at);
  }

  /** Calls back with the block, where in it the part begins, where in the access, and its length. */
  #eachBlock(
    offset: number,
    bytes: number,
    part: (block: number, start: number, at: number, length: number) => void,
  ): void {
    for (let at = 0; at < bytes;) {
      const block = Math.floor((offset + at) / BLOCK_BYTES);
      const start = offset + at - block * BLOCK_BYTES;
      const length = Math.min(BLOCK_BYTES - start, bytes - at);
      part(block, start, at, length);
      at += length;
    }
  }
}
