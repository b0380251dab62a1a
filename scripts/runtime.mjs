// Finding the Node 24 that scripts run on, from any Node.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const REQUIRED_MAJOR = 24;

/** Path of a Node that runs the product, or null before `npm ci`. */
export function enginePath() {
  if (Number(process.versions.node.split('.')[0]) >= REQUIRED_MAJOR) return process.execPath;
  const name = process.platform === 'win32' ? 'node.exe' : 'node';
  const installed = path.join(root, 'node_modules/node/bin', name);
  return fs.existsSync(installed) ? installed : null;
}

/** Whether node_modules is there and as new as the lock file. */
export function modulesAreCurrent() {
  try {
    const installed = fs.statSync(path.join(root, 'node_modules/.package-lock.json')).mtimeMs;
    return installed >= fs.statSync(path.join(root, 'package-lock.json')).mtimeMs || sameLock();
  } catch {
    return false;
  }
}

/** npm writes what it installed; a newer time stamp alone (a checkout) changes nothing. */
function sameLock() {
  const wanted = JSON.parse(fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8')).packages;
  const present = JSON.parse(fs.readFileSync(path.join(root, 'node_modules/.package-lock.json'), 'utf8')).packages;
  return Object.entries(present).every(([name, { version }]) => wanted[name]?.version === version);
}

/**
 * Installs exactly what the lock file names. Not `npm ci`: it refuses a lock file without the optional packages of other
 * platforms, which is what a registry's incomplete mirror leaves. Electron's binary is not fetched here. True if it worked.
 */
export function installModules() {
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const { status } = spawnSync(npm, ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ELECTRON_SKIP_BINARY_DOWNLOAD: '1' },
    shell: process.platform === 'win32',
  });
  return status === 0;
}
