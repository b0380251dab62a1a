// A block store in memory: small images and tests.
import { BlockError, type BlockStore } from '../host/blockStore.ts';
import { checkBounds } from './bounds.ts';

export class MemoryBlockStore implements BlockStore {
  readonly readOnly: boolean;
  readonly bytes: Uint8Array;
  readonly #name: string;

  constructor(bytes: Uint8Array, options: { readOnly?: boolean; name?: string } = {}) {
    this.bytes = bytes;
    this.readOnly = options.readOnly ?? false;
    this.#name = options.name ?? 'memory';
  }

  get sizeBytes(): number {
    return this.bytes.length;
  }

  read(offset: number, into: Uint8Array, done: (error?: BlockError) => void): void {
    const error = checkBounds(this.#name, this.sizeBytes, offset, into.length);
    if (!error) into.set(this.bytes.subarray(offset, offset + into.length));
    done(error);
  }

  write(offset: number, from: Uint8Array, done: (error?: BlockError) => void): void {
    const error = this.readOnly
      ? new BlockError(`${this.#name}: is read-only`)
      : checkBounds(this.#name, this.sizeBytes, offset, from.length);
    if (!error) this.bytes.set(from, offset);
    done(error);
  }

  flush(done: (error?: BlockError) => void): void {
    done();
  }

  close(): void {}
}
