// Folders of the computer that runs the machines, for the browser shell's file chooser.
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Response } from '../../core/api/contract.ts';
import type { FolderEntry } from '../../core/api/media.ts';
import { fileFailure } from '../vm-host/fileProblem.ts';

const SHOWN_ENTRIES = 2000;

export async function viewFolder(folder: string, mediaFolder: string): Promise<Response<'media.browse'>> {
  const resolved = path.resolve(folder);
  let names: string[];
  try {
    names = await fs.readdir(resolved);
  } catch (error) {
    throw fileFailure(resolved, 'a folder', error);
  }
  const visible = names.filter((name) => !name.startsWith('.'));
  const entries = (await Promise.all(visible.map((name) => entryOf(resolved, name)))).filter((entry) => entry !== null);
  entries.sort((a, b) => Number(b.folder) - Number(a.folder) || a.name.localeCompare(b.name, 'en', { numeric: true }));
  const parent = path.dirname(resolved);
  return {
    folder: resolved,
    parent: parent === resolved ? null : parent,
    entries: entries.slice(0, SHOWN_ENTRIES),
    leftOut: Math.max(0, entries.length - SHOWN_ENTRIES),
    places: [
      { name: 'Home', path: os.homedir() },
      { name: 'Library', path: mediaFolder },
      { name: 'Computer', path: path.parse(resolved).root },
    ],
  };
}

async function entryOf(folder: string, name: string): Promise<FolderEntry | null> {
  const full = path.join(folder, name);
  try {
    const status = await fs.stat(full);
    if (!status.isDirectory() && !status.isFile()) return null;
    return { name, path: full, folder: status.isDirectory(), sizeBytes: status.size, modifiedAt: status.mtimeMs };
  } catch {
    return null;
  }
}
