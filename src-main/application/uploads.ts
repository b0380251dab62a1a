// Files that a browser hands over: streamed into the library, never half there.
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Failure } from '../../core/api/failure.ts';
import { fileFailure } from '../vm-host/fileProblem.ts';

const PARTIAL = '.part';
/** Left free on the host's disk whatever is uploaded. */
const RESERVE_BYTES = 64 * 1024 * 1024;

export class Uploads {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Removes what an interrupted run left unfinished. */
  removePartial(): void {
    for (const name of fs.readdirSync(this.#folder)) {
      if (name.endsWith(PARTIAL)) fs.rmSync(path.join(this.#folder, name), { force: true });
    }
  }

  /** Resolves to the file's path once all `expectedBytes` are on disk; leaves nothing otherwise. */
  async receive(source: Readable, fileName: string, expectedBytes: number): Promise<string> {
    const name = safeName(fileName);
    this.#checkSpace(name, expectedBytes);
    const partial = path.join(this.#folder, `${randomUUID()}${PARTIAL}`);
    try {
      await pipeline(source, fs.createWriteStream(partial, { flags: 'wx' }));
      const size = fs.statSync(partial).size;
      if (size !== expectedBytes) {
        throw new Failure('bad-input', `${name}: the upload was cut short`, {
          reason: `${size} of ${expectedBytes} bytes arrived.`,
        });
      }
      return this.#place(partial, name);
    } catch (error) {
      throw fileFailure(name, 'a file that fits into the library', error);
    } finally {
      fs.rmSync(partial, { force: true });
    }
  }

  /** Whether `file` is one of the uploaded files. */
  contains(file: string): boolean {
    return path.dirname(path.resolve(file)) === this.#folder;
  }

  discard(file: string): void {
    if (this.contains(file)) fs.rmSync(file, { force: true });
  }

  #checkSpace(name: string, bytes: number): void {
    const { bavail, bsize } = fs.statfsSync(this.#folder);
    if (bytes + RESERVE_BYTES <= bavail * bsize) return;
    throw new Failure('host-limit', `${name}: ${bytes} bytes do not fit`, {
      reason: `The library's disk has ${bavail * bsize} bytes free.`,
      action: 'Free some space, or choose the file from this computer’s own folders instead.',
    });
  }

  /** Links under a free name: an existing file is never replaced. */
  #place(partial: string, name: string): string {
    const { name: stem, ext } = path.parse(name);
    for (let number = 1; ; number++) {
      const target = path.join(this.#folder, number === 1 ? name : `${stem}-${number}${ext}`);
      try {
        fs.linkSync(partial, target);
        return target;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    }
  }
}

/** The last part of a client's file name, without what a file system might mistake. */
export function safeName(fileName: string): string {
  const last = fileName.split(/[\\/]/).pop() ?? '';
  const printable = [...last].map((character) => (character < ' ' || '<>:"|?*'.includes(character) ? '_' : character));
  const clean = printable.join('').replace(/^\.+/, '').slice(-200);
  return clean === '' || clean.endsWith(PARTIAL) ? `upload-${clean || 'file'}.bin` : clean;
}
