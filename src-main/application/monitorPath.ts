// Where a machine's monitor listens: a local socket that only this user can reach.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** By the machine's folder. Unix sockets allow about 100 characters, so that the folder itself is no place. */
export function monitorPath(machineFolder: string): string {
  const name = createHash('sha256').update(path.resolve(machineFolder)).digest('hex').slice(0, 24);
  if (process.platform === 'win32') return `\\\\.\\pipe\\trapeze-${name}`;
  return path.join(privateFolder(), `${name}.sock`);
}

/** Throws an Error if the folder is somebody else's. */
function privateFolder(): string {
  const folder = path.join(os.tmpdir(), `trapeze-${process.getuid?.() ?? 0}`);
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const status = fs.lstatSync(folder);
  if (!status.isDirectory() || status.uid !== process.getuid?.() || (status.mode & 0o077) !== 0) {
    throw new Error(`${folder}: a folder of this user alone was expected`);
  }
  return folder;
}
