// Host file errors in words: which file, what was expected, what was found.
import fs from 'node:fs';
import { Failure } from '../../core/api/failure.ts';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'it may not be read or written by this user',
  EPERM: 'the system does not permit it',
  EISDIR: 'it is a folder',
  EROFS: 'it lies on a read-only file system',
  ENOSPC: 'the disk of this computer is full',
  EIO: 'the disk of this computer reported an I/O error',
  ELOOP: 'its links lead in a circle',
  ENAMETOOLONG: 'its name is too long',
  ENOTDIR: 'a part of its path is not a folder',
  EMFILE: 'this process has too many open files',
  EBUSY: 'it is in use by another program',
};

export function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return REASONS[code] ?? (error instanceof Error ? error.message : String(error));
}

/** A `Failure` for an error of the host on `path`. */
export function fileFailure(path: string, expected: string, error: unknown): Failure {
  if (error instanceof Failure) return error;
  const code = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'not-found' : 'bad-input';
  return new Failure(code, `${path}: ${reasonOf(error)}`, {
    reason: `Expected ${expected}.`,
    details: error instanceof Error ? (error.stack ?? error.message) : String(error),
  });
}

/** The file's status if it is a file with content; throws a `Failure` otherwise. */
export function statFile(path: string, expected: string): fs.Stats {
  let status: fs.Stats;
  try {
    status = fs.statSync(path);
  } catch (error) {
    throw fileFailure(path, expected, error);
  }
  if (status.isDirectory()) {
    throw new Failure('bad-input', `${path}: it is a folder`, { reason: `Expected ${expected}.` });
  }
  if (!status.isFile() && !status.isBlockDevice()) {
    throw new Failure('bad-input', `${path}: it is not a regular file`, { reason: `Expected ${expected}.` });
  }
  if (status.isFile() && status.size === 0) {
    throw new Failure('bad-input', `${path}: the file is empty`, { reason: `Expected ${expected}.` });
  }
  return status;
}
