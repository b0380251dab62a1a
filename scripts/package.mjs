// Builds the program and packs it with electron-builder for this system, where Electron's binary can be had.
//   node scripts/package.mjs [electron-builder options, for example --linux deb or --dir]
import { spawnSync } from 'node:child_process';
import { enginePath, root } from './runtime.mjs';

const node = enginePath();
if (node === null) {
  console.error('package: Node 24 is missing; run "npm ci" first');
  process.exit(1);
}
const run = (...args) => {
  const { status } = spawnSync(node, args, { cwd: root, stdio: 'inherit' });
  return status ?? 1;
};
if (run('scripts/build.mjs', '--electron') !== 0) process.exit(1);
const status = run('node_modules/electron-builder/cli.js', '--publish', 'never', ...process.argv.slice(2));
if (status !== 0)
  console.error('package: electron-builder failed; it needs Electron’s binary, which it fetches from GitHub.');
process.exit(status);
