// Positioned reads of an image's parts, for detection.
import fs from 'node:fs';
import path from 'node:path';
import { fileFailure, statFile } from '../vm-host/fileProblem.ts';

export class ImageReader {
  readonly path: string;
  readonly name: string;
  readonly sizeBytes: number;
  readonly #descriptor: number;

  /** Throws a `Failure` for what cannot be read or has no content. */
  constructor(file: string, expected: string) {
    this.path = file;
    this.name = path.basename(file);
    this.sizeBytes = statFile(file, expected).size;
    try {
      this.#descriptor = fs.openSync(file, 'r');
    } catch (error) {
      throw fileFailure(file, expected, error);
    }
  }

  /** Up to `length` bytes; fewer at the file's end. */
  read(offset: number, length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    if (offset < 0 || offset >= this.sizeBytes) return bytes.subarray(0, 0);
    return bytes.subarray(0, fs.readSync(this.#descriptor, bytes, 0, length, offset));
  }

  ascii(bytes: Uint8Array, offset: number, length: number): string {
    return String.fromCharCode(...bytes.subarray(offset, offset + length)).replace(/[^\x20-\x7e]/g, ' ');
  }

  close(): void {
    fs.closeSync(this.#descriptor);
  }
}
