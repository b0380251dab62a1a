// One writer per disk image: a lock file per real path, in a folder shared by all Trapeze processes of a user.
import { createHash, randomUUID } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { Failure } from '../../core/api/failure.ts';

const ownerSchema = z.object({
  processId: z.number().int().positive(),
  /** Start time of the process in clock ticks where the system tells it, so that a reused id is not mistaken. */
  processStart: z.string(),
  holder: z.string(),
  path: z.string(),
});
type Owner = z.output<typeof ownerSchema>;

export interface DiskLock {
  release(): void;
}

export function defaultLockFolder(): string {
  const user = typeof process.getuid === 'function' ? String(process.getuid()) : os.userInfo().username;
  return path.join(os.tmpdir(), `trapeze-locks-${user}`);
}

/** Field 22 of /proc/PID/stat (proc(5)); empty where there is no /proc. */
function processStart(processId: number): string {
  try {
    const text = fs.readFileSync(`/proc/${processId}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

function isAlive(owner: Owner): boolean {
  try {
    process.kill(owner.processId, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const start = processStart(owner.processId);
  return start === '' || owner.processStart === '' || start === owner.processStart;
}

function readOwner(file: string): { text: string; owner: Owner | null } | null {
  try {
    const text = fs.readFileSync(file, 'utf8');
    try {
      return { text, owner: ownerSchema.parse(JSON.parse(text)) };
    } catch {
      return { text, owner: null };
    }
  } catch {
    return null;
  }
}

/** Moves a dead owner's lock away, unless someone else replaced it meanwhile. */
function removeStale(file: string, staleText: string): void {
  const aside = `${file}.${randomUUID()}`;
  try {
    fs.renameSync(file, aside);
  } catch {
    return;
  }
  try {
    if (fs.readFileSync(aside, 'utf8') !== staleText) fs.linkSync(aside, file);
  } catch {
    // The place was taken again: the next attempt sees the new owner.
  }
  fs.rmSync(aside, { force: true });
}

/** Locks the image at `imagePath` for writing. Throws a `Failure` that names the file and who holds it. */
export function lockDisk(imagePath: string, holder: string, folder = defaultLockFolder()): DiskLock {
  const realPath = fs.realpathSync(imagePath);
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = path.join(folder, `${createHash('sha256').update(realPath).digest('hex').slice(0, 32)}.lock`);
  const mine: Owner = { processId: process.pid, processStart: processStart(process.pid), holder, path: realPath };
  const temporary = `${file}.${randomUUID()}`;
  fs.writeFileSync(temporary, JSON.stringify(mine), { flag: 'wx', mode: 0o600 });
  try {
    for (let attempt = 0; attempt < 8; attempt++) {
      try {
        // A link appears with its content, so that nobody reads half a lock.
        fs.linkSync(temporary, file);
        return { release: () => fs.rmSync(file, { force: true }) };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const found = readOwner(file);
      if (found === null) continue;
      if (found.owner !== null && isAlive(found.owner)) {
        throw new Failure('in-use', `${imagePath}: the disk is in use by "${found.owner.holder}"`, {
          reason: `Process ${found.owner.processId} writes to it. Two writers would destroy its file system.`,
          action: 'Power that machine off, or attach the disk read-only.',
        });
      }
      removeStale(file, found.text);
    }
    throw new Failure('in-use', `${imagePath}: the disk could not be locked`, { reason: 'Others keep locking it.' });
  } finally {
    fs.rmSync(temporary, { force: true });
  }
}
