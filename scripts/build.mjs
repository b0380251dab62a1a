// Builds what is shipped: the interface (vite) and, with `--electron`, the desktop shell (esbuild).
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { enginePath, root } from './runtime.mjs';

const node = enginePath();
if (node === null) throw new Error('Node 24 is missing; run "npm ci" first');

export function buildRenderer() {
  execFileSync(node, ['node_modules/vite/bin/vite.js', 'build', '--logLevel', 'warn'], { cwd: root, stdio: 'inherit' });
}

/** Newest modification under `folder`. */
function newest(folder) {
  let latest = 0;
  for (const entry of fs.readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) latest = Math.max(latest, fs.statSync(path.join(entry.parentPath, entry.name)).mtimeMs);
  }
  return latest;
}

export function rendererIsStale() {
  const page = path.join(root, 'dist/renderer/index.html');
  if (!fs.existsSync(page)) return true;
  const sources = ['src-renderer', 'core/api', 'core/machine'].map((folder) => newest(path.join(root, folder)));
  return fs.statSync(page).mtimeMs < Math.max(...sources, fs.statSync(path.join(root, 'package-lock.json')).mtimeMs);
}

export async function buildElectron() {
  const { build } = await import('esbuild');
  const common = {
    bundle: true,
    platform: 'node',
    target: 'node24',
    external: ['electron'],
    absWorkingDir: root,
    logLevel: 'warning',
  };
  // A bundle has no `require` and no `__dirname` of its own; packages written for CommonJS use them.
  const banner = {
    js: [
      "import { createRequire } from 'node:module';",
      'const require = createRequire(import.meta.url), __dirname = import.meta.dirname;',
    ].join(' '),
  };
  await build({
    ...common,
    entryPoints: ['src-main/electron/main.ts'],
    outfile: 'dist/main/main.mjs',
    format: 'esm',
    banner,
  });
  await build({
    ...common,
    entryPoints: ['src-main/vm-host/main.ts'],
    outfile: 'dist/main/vmProcess.mjs',
    format: 'esm',
    banner,
  });
  // The disassembler reads its WebAssembly from beside itself.
  const disassembler = path.join(root, 'node_modules/iced-x86/iced_x86_bg.wasm');
  fs.copyFileSync(disassembler, path.join(root, 'dist/main/iced_x86_bg.wasm'));
  await build({
    ...common,
    entryPoints: ['src-main/electron/preload.ts'],
    outfile: 'dist/main/preload.cjs',
    format: 'cjs',
  });
}

if (process.argv[1] !== undefined && path.resolve(process.argv[1]) === path.join(root, 'scripts/build.mjs')) {
  buildRenderer();
  if (process.argv.includes('--electron')) await buildElectron();
}
