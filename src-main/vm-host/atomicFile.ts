// A file that is replaced as a whole: written beside, synced, renamed over.
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { Failure } from '../../core/api/failure.ts';
import type { StateFile } from '../../core/host/stateFile.ts';
import { lockDisk } from './diskLock.ts';
import type { DiskLock } from './diskLock.ts';
import { fileFailure, reasonOf, statFile } from './fileProblem.ts';

const EXPECTED = 'a file that can be written';

export interface AtomicFileOptions {
  readonly limitBytes: number;
  /** Who opens it, for the message to the second one. */
  readonly holder: string;
  readonly lockFolder?: string;
}

interface Replacement {
  readonly content: Uint8Array;
  readonly done: ((error?: Error) => void)[];
}

export class AtomicFile implements StateFile {
  readonly content: Uint8Array;
  readonly #path: string;
  readonly #lock: DiskLock;
  /** The newest content that is not written yet; while one is being written, those that follow wait here. */
  #waiting: Replacement | null = null;
  #writing: Replacement | null = null;
  #open = true;

  constructor(file: string, options: AtomicFileOptions) {
    const { size } = statFile(file, EXPECTED);
    if (size > options.limitBytes)
      throw new Failure('bad-input', `${file}: ${size} bytes are too many`, {
        reason: `At most ${options.limitBytes} bytes fit.`,
      });
    this.#path = file;
    try {
      fs.accessSync(file, fs.constants.W_OK);
      // Replacing a link would leave what it leads to as it was.
      this.#path = fs.realpathSync(file);
      this.#lock = lockDisk(file, options.holder, options.lockFolder);
    } catch (error) {
      throw fileFailure(file, EXPECTED, error);
    }
    try {
      this.content = new Uint8Array(fs.readFileSync(file));
    } catch (error) {
      this.#lock.release();
      throw fileFailure(file, EXPECTED, error);
    }
  }

  replace(content: Uint8Array, done: (error?: Error) => void): void {
    if (!this.#open) {
      done(new Error(`${this.#path}: it is closed`));
      return;
    }
    this.#waiting = { content: Uint8Array.from(content), done: [...(this.#waiting?.done ?? []), done] };
    if (this.#writing === null) void this.#write();
  }

  async #write(): Promise<void> {
    while (this.#waiting !== null && this.#open) {
      const replacement = (this.#writing = this.#waiting);
      this.#waiting = null;
      const temporary = this.#temporary();
      let problem: unknown = null;
      try {
        const handle = await fs.promises.open(temporary, 'wx');
        try {
          await handle.writeFile(replacement.content);
          await handle.sync();
        } finally {
          await handle.close();
        }
        // Closing wrote it at once: what is newer must stay.
        if (this.#open) fs.renameSync(temporary, this.#path);
        else fs.rmSync(temporary, { force: true });
      } catch (error) {
        problem = error;
        fs.rmSync(temporary, { force: true });
      }
      this.#writing = null;
      if (this.#open) this.#finish(replacement, problem);
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    const replacement = this.#waiting ?? this.#writing;
    const done = [...(this.#writing?.done ?? []), ...(this.#waiting?.done ?? [])];
    try {
      if (replacement !== null) this.#writeNow({ content: replacement.content, done });
    } finally {
      this.#lock.release();
    }
  }

  #writeNow(replacement: Replacement): void {
    const temporary = this.#temporary();
    let problem: unknown = null;
    try {
      const descriptor = fs.openSync(temporary, 'wx');
      try {
        fs.writeFileSync(descriptor, replacement.content);
        fs.fsyncSync(descriptor);
      } finally {
        fs.closeSync(descriptor);
      }
      fs.renameSync(temporary, this.#path);
    } catch (error) {
      problem = error;
      fs.rmSync(temporary, { force: true });
    }
    this.#finish(replacement, problem);
  }

  #finish({ done }: Replacement, problem: unknown): void {
    const error =
      problem === null ? undefined : new Error(`${this.#path}: it could not be written: ${reasonOf(problem)}`);
    for (const tell of done) tell(error);
  }

  #temporary(): string {
    return path.join(path.dirname(this.#path), `.${path.basename(this.#path)}.${randomUUID()}.tmp`);
  }
}
