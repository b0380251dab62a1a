// A raw image file as a disk. Reads and writes are positioned and synchronous: a page-cache hit costs less than
// a trip through the thread pool; flushing, which waits for the medium, is not.
import fs from 'node:fs';
import { BlockError } from '../../core/host/blockStore.ts';
import type { BlockStore } from '../../core/host/blockStore.ts';
import { lockDisk } from './diskLock.ts';
import type { DiskLock } from './diskLock.ts';
import { fileFailure, reasonOf, statFile } from './fileProblem.ts';

export interface FileBlockStoreOptions {
  readonly readOnly: boolean;
  readonly sectorBytes: 512 | 2048;
  /** Who opens it, for the message to the second one. */
  readonly holder: string;
  readonly lockFolder?: string;
}

export class FileBlockStore implements BlockStore {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  readonly #path: string;
  readonly #descriptor: number;
  readonly #lock: DiskLock | null;
  #dirty = false;
  #open = true;

  constructor(path: string, options: FileBlockStoreOptions) {
    const expected = options.sectorBytes === 2048 ? 'a CD image' : 'a raw disk image';
    const size = statFile(path, expected).size;
    this.#path = path;
    this.readOnly = options.readOnly;
    // A last sector that the file holds in part reads as zeros behind the file's end.
    this.sizeBytes = Math.ceil(size / options.sectorBytes) * options.sectorBytes;
    try {
      this.#lock = options.readOnly ? null : lockDisk(path, options.holder, options.lockFolder);
    } catch (error) {
      throw fileFailure(path, expected, error);
    }
    try {
      this.#descriptor = fs.openSync(path, options.readOnly ? 'r' : 'r+');
    } catch (error) {
      this.#lock?.release();
      throw fileFailure(path, options.readOnly ? expected : `${expected} that can be written`, error);
    }
  }

  read(offset: number, into: Uint8Array, done: (error?: BlockError) => void): void {
    try {
      let filled = 0;
      while (filled < into.length) {
        const count = fs.readSync(this.#descriptor, into, filled, into.length - filled, offset + filled);
        if (count === 0) break;
        filled += count;
      }
      into.fill(0, filled);
    } catch (error) {
      done(this.#failed('read', error));
      return;
    }
    done();
  }

  write(offset: number, from: Uint8Array, done: (error?: BlockError) => void): void {
    if (this.readOnly) {
      done(new BlockError(`${this.#path}: it is attached read-only`));
      return;
    }
    try {
      this.#dirty = true;
      let written = 0;
      while (written < from.length) {
        written += fs.writeSync(this.#descriptor, from, written, from.length - written, offset + written);
      }
    } catch (error) {
      done(this.#failed('written', error));
      return;
    }
    done();
  }

  flush(done: (error?: BlockError) => void): void {
    if (!this.#dirty || !this.#open) {
      done();
      return;
    }
    this.#dirty = false;
    fs.fdatasync(this.#descriptor, (error) => {
      if (error === null || !this.#open) done();
      else done(this.#failed('flushed', error));
    });
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    try {
      if (this.#dirty) fs.fdatasyncSync(this.#descriptor);
    } finally {
      fs.closeSync(this.#descriptor);
      this.#lock?.release();
    }
  }

  #failed(verb: string, error: unknown): BlockError {
    return new BlockError(`${this.#path}: it could not be ${verb}: ${reasonOf(error)}`);
  }
}
