// Starts Trapeze from a checkout: the desktop program where Electron's binary can be had, a browser otherwise.
//   node scripts/start.mjs [--serve] [--port N]
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { enginePath, installModules, modulesAreCurrent, root } from './runtime.mjs';

const say = (text) => console.log(text);

function install() {
  if (modulesAreCurrent()) return;
  say('Installing packages…');
  if (!installModules()) process.exit(1);
}

/** Path of Electron's program, fetched once; null where it cannot be had. */
function electronProgram() {
  const folder = path.join(root, 'node_modules/electron');
  const pathFile = path.join(folder, 'path.txt');
  const find = () => {
    if (!fs.existsSync(pathFile)) return null;
    const program = path.join(folder, 'dist', fs.readFileSync(pathFile, 'utf8').trim());
    return fs.existsSync(program) ? program : null;
  };
  const present = find();
  if (present !== null || process.env.ELECTRON_SKIP_BINARY_DOWNLOAD) return present;
  const FETCH_MS = 120_000;
  spawnSync(process.execPath, [path.join(folder, 'install.js')], { stdio: 'ignore', timeout: FETCH_MS });
  return find();
}

const hasDisplay = () => process.platform !== 'linux' || Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY);

function openBrowser(address) {
  const [command, ...args] =
    process.platform === 'darwin' ? ['open'] : process.platform === 'win32' ? ['cmd', '/c', 'start', ''] : ['xdg-open'];
  const child = spawn(command, [...args, address], { stdio: 'ignore', detached: true });
  child.on('error', () => say(`Open ${address}`));
  child.unref();
}

function serve(node) {
  const index = process.argv.indexOf('--port');
  const port = index === -1 ? [] : ['--port', process.argv[index + 1] ?? ''];
  const entry = path.join(root, 'src-main/cli/main.ts');
  const child = spawn(node, ['--disable-warning=ExperimentalWarning', entry, 'serve', ...port], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let announced = false;
  child.stdout.setEncoding('utf8').on('data', (text) => {
    if (announced) return;
    announced = true;
    const address = text.trim();
    say(`Trapeze is at ${address}`);
    if (hasDisplay()) openBrowser(address);
  });
  process.on('SIGINT', () => child.kill('SIGINT'));
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('exit', (code) => process.exit(code ?? 1));
}

install();
const node = enginePath();
if (node === null) {
  say('Node 24 is missing although packages are installed; run "npm ci".');
  process.exit(1);
}
const { buildElectron, buildRenderer, rendererIsStale } = await import('./build.mjs');
if (rendererIsStale()) {
  say('Building the interface…');
  buildRenderer();
}
const electron = process.argv.includes('--serve') || !hasDisplay() ? null : electronProgram();
if (electron === null) {
  if (!process.argv.includes('--serve'))
    say(
      hasDisplay()
        ? 'Electron’s binary cannot be had here: serving to a browser.'
        : 'There is no display: serving to a browser.',
    );
  serve(node);
} else {
  await buildElectron();
  spawn(electron, [root], { cwd: root, stdio: 'inherit' }).on('exit', (code) => process.exit(code ?? 1));
}
