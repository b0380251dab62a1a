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
    const bytes = Uint8Array.from(from);
    // What the store below reads may come later; until then nothing of the write is there.
    let waiting = 1;
    let failure: BlockError | undefined;
    const finish = (error?: BlockError): void => {
      failure ??= error;
      if (--waiting > 0) return;
      if (failure === undefined)
        this.#eachBlock(offset, bytes.length, (block, start, at, length) =>
          this.#written.get(block)!.set(bytes.subarray(at, at + length), start),
        );
      done(failure);
    };
    this.#eachBlock(offset, bytes.length, (block) => {
      if (this.#written.has(block)) return;
      const content = new Uint8Array(BLOCK_BYTES);
      const there = Math.min(BLOCK_BYTES, this.sizeBytes - block * BLOCK_BYTES);
      waiting++;
      this.#below.read(block * BLOCK_BYTES, content.subarray(0, there), (error) => {
        if (error === undefined && !this.#written.has(block)) this.#written.set(block, content);
        finish(error);
      });
    });
    finish();
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
