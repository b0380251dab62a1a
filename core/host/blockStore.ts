/** An I/O error of the host's file, with the file named. */
export class BlockError extends Error {
  override readonly name = 'BlockError';
}

/**
 * A disk's bytes. Offsets and lengths are in bytes and lie inside `sizeBytes` (the caller checks).
 * `done` is called once: at once, or later on the machine's own thread between two slices.
 * The machine stamps late completions, so devices need not care which it was.
 */
export interface BlockStore {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  read(offset: number, into: Uint8Array, done: (error?: BlockError) => void): void;
  write(offset: number, from: Uint8Array, done: (error?: BlockError) => void): void;
  /** Everything written so far is on the medium when `done` is called. */
  flush(done: (error?: BlockError) => void): void;
  close(): void;
}
