// Everything that must hold before a change is taken: one command, from a bare checkout, under any Node from 20 on.
//   node scripts/test.mjs [--only NAME[,NAME...]] [--list]
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { enginePath, installModules, modulesAreCurrent, root } from './runtime.mjs';

/** Program that shows a Debian package is there (or a file of it), and the package. */
const TOOLS = [
  ['nasm', 'nasm'],
  ['chromium', 'chromium'],
  ['xorriso', 'xorriso'],
  ['mcopy', 'mtools'],
  ['iasl', 'acpica-tools'],
  ['gcc', 'gcc'],
  ['cpio', 'cpio'],
  ['xz', 'xz-utils'],
  ['gdb', 'gdb'],
  ['qemu-system-x86_64', 'qemu-system-x86'],
  ['bochs', 'bochs'],
  ['sfdisk', 'fdisk'],
  ['mkfs.ext4', 'e2fsprogs'],
];
const LIBRARIES = [
  ['/usr/lib/gcc/x86_64-linux-gnu/12/32', 'gcc-multilib'],
  ['/usr/share/seabios/bios.bin', 'seabios'],
  ['/usr/share/OVMF/OVMF_CODE.fd', 'ovmf'],
  ['/usr/lib/x86_64-linux-gnu/bochs/plugins/libbx_term_gui.so', 'bochs-term'],
  ['/usr/share/bochs/BIOS-bochs-latest', 'bochsbios'],
];
const REPORTS = path.join(root, 'test-results');

const argumentsOf = (name) => {
  const index = process.argv.indexOf(name);
  return index === -1 ? null : (process.argv[index + 1] ?? '').split(',');
};
const only = argumentsOf('--only');
const totals = { passed: 0, failed: 0 };
const failures = [];

const say = (text) => console.log(text);
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

function run(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], ...options });
    child.on('error', (error) => {
      say(`${command}: ${error.message}`);
      resolve(1);
    });
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

const hasProgram = (name) =>
  ['/usr/bin', '/usr/sbin', '/bin', '/sbin'].some((folder) => fs.existsSync(path.join(folder, name)));

/** Debian packages that a part of the tests needs. Without root they are named and left to the person. */
async function installTools() {
  const missing = TOOLS.filter(([program]) => !hasProgram(program)).map(([, name]) => name);
  for (const [file, name] of LIBRARIES) if (!fs.existsSync(file) && process.arch === 'x64') missing.push(name);
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0 || !hasProgram('apt-get')) {
    say(`missing tools, install them as root: apt-get install ${missing.join(' ')}`);
    return;
  }
  say(`installing ${missing.join(' ')}`);
  const environment = {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'ignore', 'inherit'],
  };
  await run('apt-get', ['update', '-qq'], environment);
  // One by one: a package that an archive lacks must not keep the others out.
  for (const name of missing)
    await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', name], environment);
}

async function setUp() {
  const started = performance.now();
  if (!modulesAreCurrent()) {
    say('installing packages');
    if (!installModules()) fail('set-up: packages');
  }
  if (only === null || only.some((name) => ['boot', 'devices', 'instructions', 'ui', 'unit'].includes(name)))
    await installTools();
  const node = enginePath();
  if (node === null) throw new Error('Node 24 is missing although packages are installed');
  fs.mkdirSync(REPORTS, { recursive: true });
  say(`set-up done in ${seconds(started)}`);
  return node;
}

function fail(name, count = 1) {
  totals.failed += count;
  failures.push(name);
}

/** A check that passes or fails as a whole. */
const check = (name, script, ...args) => ({
  name,
  async run(node) {
    if ((await run(node, [script, ...args])) === 0) totals.passed++;
    else fail(name);
  },
});

const vitest = (project, ...folders) => ({
  name: project,
  async run(node) {
    if (!folders.some((folder) => fs.existsSync(path.join(root, folder)))) {
      say(`${project}: there are no tests`);
      return;
    }
    const report = path.join(REPORTS, `${project}.json`);
    fs.rmSync(report, { force: true });
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const code = await run(node, ['node_modules/vitest/vitest.mjs', 'run', '--project', project, ...reporters]);
    count(project, code, () => {
      const { numPassedTests, numFailedTests, numFailedTestSuites } = JSON.parse(fs.readFileSync(report, 'utf8'));
      return { passed: numPassedTests, failed: Math.max(numFailedTests, numFailedTestSuites === 0 ? 0 : 1) };
    });
  },
});

const playwright = {
  name: 'ui',
  async run(node) {
    const { buildRenderer } = await import('./build.mjs');
    buildRenderer();
    const report = path.join(REPORTS, 'ui.json');
    fs.rmSync(report, { force: true });
    const code = await run(node, ['node_modules/@playwright/test/cli.js', 'test', '--reporter=list,json'], {
      env: { ...process.env, PLAYWRIGHT_JSON_OUTPUT_NAME: report },
    });
    count('ui', code, () => {
      const { expected, unexpected, flaky } = JSON.parse(fs.readFileSync(report, 'utf8')).stats;
      return { passed: expected + flaky, failed: unexpected };
    });
  },
};

/** A run that ends badly without a failed test (a crash, no report) is a failure too. */
function count(name, code, read) {
  let result;
  try {
    result = read();
  } catch {
    result = { passed: 0, failed: 1 };
  }
  totals.passed += result.passed;
  const failed = code !== 0 && result.failed === 0 ? 1 : result.failed;
  if (failed > 0) fail(name, failed);
}

const guests = {
  name: 'guests',
  async run(node) {
    if ((await run(node, ['scripts/guests.mjs'])) !== 0) fail('guests');
  },
};

const tsc = 'node_modules/typescript/bin/tsc';
const FORMATTED = [
  'core/api',
  'src-main',
  'src-renderer',
  'test/ui',
  'test/support',
  'scripts/{build,runtime,start,test,trapeze}.mjs',
  '*.{ts,mjs}',
];
const steps = [
  check('types-core', tsc, '-p', 'core/tsconfig.json'),
  check('types-main', tsc, '-p', 'src-main/tsconfig.json'),
  check('types-renderer', 'node_modules/vue-tsc/bin/vue-tsc.js', '-p', 'src-renderer/tsconfig.json'),
  check('types-test', tsc, '-p', 'test/tsconfig.json'),
  check('lint', 'node_modules/oxlint/bin/oxlint'),
  check('lint-vue', 'node_modules/eslint/bin/eslint.js', 'src-renderer'),
  check('format', 'node_modules/prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', ...FORMATTED),
  check(
    'layers',
    'node_modules/dependency-cruiser/bin/dependency-cruise.mjs',
    '--config',
    '.dependency-cruiser.mjs',
    'core',
    'src-main',
    'src-renderer',
  ),
  vitest('unit', 'test/unit'),
  vitest('devices', 'test/devices'),
  vitest('instructions', 'test/instructions'),
  guests,
  vitest('boot', 'test/boot'),
  vitest('electron', 'test/electron'),
  playwright,
];

if (process.argv.includes('--list')) {
  say(steps.map(({ name }) => name).join('\n'));
  process.exit(0);
}
const unknown = (only ?? []).filter((name) => !steps.some((step) => step.name === name));
if (unknown.length > 0) {
  say(`--only ${unknown.join(',')}: there are ${steps.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}

const begun = performance.now();
// Tools that linters start look for `node` themselves.
const node = await setUp();
process.env.PATH = `${path.dirname(node)}${path.delimiter}${process.env.PATH}`;
const chosen = steps.filter(({ name }) => only === null || only.includes(name));
for (const [index, step] of chosen.entries()) {
  const started = performance.now();
  say(`\n[${index + 1}/${chosen.length}] ${step.name}`);
  try {
    await step.run(node);
  } catch (error) {
    say(String(error?.stack ?? error));
    fail(step.name);
  }
  say(
    `[${index + 1}/${chosen.length}] ${step.name}: ${failures.includes(step.name) ? 'FAILED' : 'passed'} in ${seconds(started)}`,
  );
}
say('');
if (failures.length > 0) say(`failed: ${failures.join(', ')}`);
say(`total time ${seconds(begun)}`);
say(`${totals.passed} passed, ${totals.failed} failed`);
process.exit(totals.failed === 0 ? 0 : 1);
