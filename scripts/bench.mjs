// Measures the product's promises of speed and size, against v86 in the same run, round by round in turn.
//   node scripts/bench.mjs [--rounds N] [--idle SECONDS] [--only integer,wide,boot,debugger] [--against REVISION]
// `wide`: the integer loops in 64-bit mode beside those in 32-bit mode. --against: the interpreter beside an earlier one.
// Prints a table and writes test-results/bench.json. The targets hold on an otherwise idle machine.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { enginePath, installModules, modulesAreCurrent, root } from './runtime.mjs';

const MEMORY_MIB = 128;
/** Long enough that the optimiser's warm-up, well under a second, does not hide the speed that follows. */
const INTEGER_ROUNDS = 300;
/** Rounds ahead of the clock where speed without the warm-up is compared. */
const WARM_ROUNDS = 400;
const TASK_LIMIT_MS = 15 * 60_000;
/** As src-main/vm-host/spawn.ts starts a VM process. */
const VM_PROCESS_FLAGS = ['--wasm-tiering-budget=300000', '--disable-warning=ExperimentalWarning'];
const REPORT = path.join(root, 'test-results/bench.json');

const say = (text) => console.log(text);

function option(name, fallback) {
  const index = process.argv.indexOf(`--${name}`);
  return index === -1 ? fallback : process.argv[index + 1];
}

function number(name, fallback) {
  const value = Number(option(name, fallback));
  if (!Number.isInteger(value) || value < 1) stop(`--${name} needs a whole number from 1`, 2);
  return value;
}

function stop(reason, status = 1) {
  console.error(`bench: ${reason}`);
  process.exit(status);
}

// --- what is needed -------------------------------------------------------------------------------------------------

function prepare() {
  if (!modulesAreCurrent()) {
    say('installing packages');
    if (!installModules()) stop('the packages could not be installed');
  }
  const node = enginePath();
  if (node === null) stop('Node 24 is missing; run "npm install" first');
  // v86 has no firmware of its own.
  const missing = [
    ['/usr/bin/nasm', 'nasm'],
    ['/usr/share/seabios/vgabios.bin', 'seabios'],
  ].filter(([file]) => !fs.existsSync(file));
  if (missing.length > 0) {
    const names = missing.map(([, name]) => name);
    if (process.getuid?.() !== 0) stop(`missing, install as root: apt-get install ${names.join(' ')}`);
    say(`installing ${names.join(' ')}`);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const install = ['install', '-y', '-qq', '--no-install-recommends', ...names];
    spawnSync('apt-get', ['update', '-qq'], { stdio: 'ignore' });
    if (spawnSync('apt-get', install, { stdio: ['ignore', 'ignore', 'inherit'], env }).status !== 0)
      stop(`apt-get could not install ${names.join(' ')}`);
  }
  if (spawnSync(node, ['scripts/guests.mjs'], { cwd: root, stdio: 'inherit' }).status !== 0) stop('no guests');
  return node;
}

function assemble(name = 'integer', defines = []) {
  const folder = path.join(root, '.cache/bench');
  fs.mkdirSync(folder, { recursive: true });
  const output = path.join(folder, `${name}.elf`);
  const source = path.join(root, 'test/bench/payloads/integer.asm');
  execFileSync('nasm', ['-f', 'bin', '-w+error', `-DROUNDS=${INTEGER_ROUNDS}`, ...defines, '-o', output, source]);
  return output;
}

/** The sources of another revision in a folder of their own, with this one's packages. */
function checkOut(revision) {
  const folder = path.join(root, '.cache/bench/against');
  const git = (...args) => execFileSync('git', args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  fs.rmSync(folder, { recursive: true, force: true });
  git('worktree', 'prune');
  git('worktree', 'add', '--detach', '--force', folder, revision);
  fs.symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  return {
    folder,
    remove: () => {
      fs.rmSync(folder, { recursive: true, force: true });
      git('worktree', 'prune');
    },
  };
}

// --- one measurement ------------------------------------------------------------------------------------------------

/** Runs `task` on one machine in a process of its own and resolves to what it printed last. */
function measure(node, runner, task, folder = root) {
  const flags = runner !== 'v86' ? VM_PROCESS_FLAGS : ['--disable-warning=ExperimentalWarning'];
  const script = path.join(folder, 'test/bench', `${runner}.ts`);
  return new Promise((resolve, reject) => {
    const child = spawn(node, [...flags, script, JSON.stringify(task)], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const limit = setTimeout(() => child.kill('SIGKILL'), TASK_LIMIT_MS);
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (errors = (errors + text).slice(-4000)));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(limit);
      const line = output.split('\n').findLast((text) => text.startsWith('{"seconds"'));
      if (line !== undefined) resolve(JSON.parse(line));
      else reject(new Error(`${runner} ended with ${signal ?? code} and no result\n${errors}`));
    });
  });
}

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};
const fixed = (value, digits = 2) => value.toFixed(digits);

/** Both machines in turn, `rounds` times; the order changes so that neither always runs on the warmer host. */
async function compare(node, name, rounds, task, v86Task) {
  const runs = [];
  for (let round = 1; round <= rounds; round++) {
    const result = {};
    const order = round % 2 === 1 ? ['trapeze', 'v86'] : ['v86', 'trapeze'];
    for (const runner of order) {
      result[runner] = await measure(node, runner, runner === 'v86' ? { ...task, ...v86Task } : task);
      say(`  ${name} ${round}/${rounds} ${runner}: ${describe(result[runner])}`);
    }
    runs.push(result);
  }
  return runs;
}

/** Two measurements in turn, `rounds` times, as [first, second]. */
async function pair(name, rounds, measureFirst, measureSecond) {
  const runs = [];
  for (let round = 1; round <= rounds; round++) {
    const result = [];
    for (const index of round % 2 === 1 ? [0, 1] : [1, 0])
      result[index] = await (index === 0 ? measureFirst : measureSecond)();
    say(`  ${name} ${round}/${rounds}: ${describe(result[0])}; ${describe(result[1])}`);
    runs.push(result);
  }
  return runs;
}

function describe({ seconds, instructions, residentMiB, idleShare }) {
  const speed = instructions === undefined ? '' : `, ${fixed(instructions / 1e6, 0)} M instructions`;
  const idle = idleShare === null ? '' : `, idle ${fixed(idleShare * 100)} %`;
  return `${fixed(seconds)} s${speed}, ${fixed(residentMiB, 0)} MiB resident${idle}`;
}

// --- report ---------------------------------------------------------------------------------------------------------

function integerRows(runs) {
  const ratio = median(runs.map(({ trapeze, v86 }) => v86.seconds / trapeze.seconds));
  return [
    {
      what: 'integer load, times as fast as v86 without its translator',
      trapeze: `${fixed(median(runs.map(({ trapeze }) => trapeze.seconds)))} s`,
      v86: `${fixed(median(runs.map(({ v86 }) => v86.seconds)))} s`,
      measured: ratio,
      shown: `${fixed(ratio, 1)} x`,
      target: '>= 5 x',
      met: ratio >= 5,
    },
  ];
}

/** The same loops, instruction by instruction, in 64-bit code and in 32-bit code. */
function wideRows(runs) {
  const ratio = median(runs.map(([narrow, wide]) => wide.seconds / narrow.seconds));
  return [
    {
      what: 'integer loops in 64-bit mode, times the time in 32-bit mode',
      trapeze: `${fixed(median(runs.map(([, wide]) => wide.seconds)))} s`,
      v86: '',
      measured: ratio,
      shown: `${fixed(ratio)} x`,
      target: '<= 1.2 x',
      met: ratio <= 1.2,
    },
  ];
}

function againstRow(what, runs) {
  const ratio = median(runs.map(([now, before]) => before.seconds / now.seconds));
  const trapeze = `${fixed(median(runs.map(([now]) => now.seconds)))} s`;
  return {
    what,
    trapeze,
    v86: '',
    measured: ratio,
    shown: `${fixed(ratio)} x`,
    target: '>= 0.95 x',
    met: ratio >= 0.95,
  };
}

function bootRows(runs) {
  const ratio = median(runs.map(({ trapeze, v86 }) => trapeze.seconds / v86.seconds));
  const idle = median(runs.map(({ trapeze }) => trapeze.idleShare * 100));
  const above = median(runs.map(({ trapeze }) => trapeze.residentMiB)) - MEMORY_MIB;
  const ofV86 = (read, digits, unit) => `${fixed(median(runs.map(({ v86 }) => read(v86))), digits)} ${unit}`;
  return [
    {
      what: 'Linux to the shell, times the time of v86 with its translator',
      trapeze: `${fixed(median(runs.map(({ trapeze }) => trapeze.seconds)))} s`,
      v86: ofV86(({ seconds }) => seconds, 2, 's'),
      measured: ratio,
      shown: `${fixed(ratio)} x`,
      target: '<= 3 x',
      met: ratio <= 3,
    },
    {
      what: 'idle shell, share of one core',
      trapeze: `${fixed(idle)} %`,
      v86: ofV86(({ idleShare }) => idleShare * 100, 2, '%'),
      measured: idle,
      shown: `${fixed(idle)} %`,
      target: '< 3 %',
      met: idle < 3,
    },
    {
      what: `resident memory above the guest's ${MEMORY_MIB} MiB`,
      trapeze: `${fixed(above, 0)} MiB`,
      v86: ofV86(({ residentMiB }) => residentMiB - MEMORY_MIB, 0, 'MiB'),
      measured: above,
      shown: `${fixed(above, 0)} MiB`,
      target: '<= 250 MB',
      met: above * 2 ** 20 <= 250e6,
    },
  ];
}

/** Ratios to the same guest's speed without a debugger, in turn in one process; v86 has none to compare with. */
function debuggerRows({ closed, breakpoint, watches, recording, pauseMs, stepsMs, searchMs }) {
  const row = (what, measured, shown, target, met) => ({ what, trapeze: '', v86: '', measured, shown, target, met });
  const ratio = (what, measured, least) =>
    row(`debugger: ${what}`, measured, `${fixed(measured)} x`, `>= ${least} x`, measured >= least);
  return [
    ratio('closed again, times full speed', closed, 0.95),
    ratio('an execution breakpoint in another page', breakpoint, 0.95),
    ratio('four data watchpoints in busy pages', watches, 0.5),
    ratio('trap inspector open', recording, 0.95),
    row('debugger: longest of 30 pauses', pauseMs, `${fixed(pauseMs, 1)} ms`, '< 50 ms', pauseMs < 50),
    row('debugger: 1000 single steps', stepsMs, `${fixed(stepsMs, 0)} ms`, '< 2000 ms', stepsMs < 2000),
    row('debugger: text search through 512 MiB', searchMs, `${fixed(searchMs, 0)} ms`, '< 2000 ms', searchMs < 2000),
  ];
}

function printTable(rows) {
  const columns = [
    ['', ({ what }) => what],
    ['Trapeze', ({ trapeze }) => trapeze],
    ['v86', ({ v86 }) => v86],
    ['measured', ({ shown }) => shown],
    ['target', ({ target }) => target],
    ['', ({ met }) => (met ? 'met' : 'MISSED')],
  ].map(([title, read]) => [title, ...rows.map(read)]);
  const widths = columns.map((cells) => Math.max(...cells.map((cell) => cell.length)));
  for (let line = 0; line <= rows.length; line++)
    say(
      columns
        .map((cells, index) => cells[line].padEnd(widths[index]))
        .join('  ')
        .trimEnd(),
    );
}

function host() {
  const [cpu] = os.cpus();
  const load = os.loadavg()[0];
  return {
    cpu: cpu?.model ?? 'unknown',
    cores: os.cpus().length,
    loadBefore: load,
    platform: `${os.type()} ${os.release()}`,
  };
}

/** This interpreter and another revision's in turn, on the integer loops and on a Linux boot. */
async function measureAgainst(node, revision, rounds, runs, linux) {
  const other = checkOut(revision);
  try {
    const integer = {
      kernel: assemble('integer32', [`-DWARM=${WARM_ROUNDS}`]),
      from: 'S',
      until: 'E',
      memoryMiB: MEMORY_MIB,
    };
    const rows = [];
    for (const [name, task] of [
      ['integer loops', integer],
      ['Linux to the shell', linux],
    ]) {
      const found = await pair(
        `${name}, now and before`,
        rounds,
        () => measure(node, 'trapeze', task),
        () => measure(node, 'trapeze', task, other.folder),
      );
      runs[`against ${revision}: ${name}`] = found;
      rows.push(againstRow(`${name}, times as fast as at ${revision.slice(0, 10)}`, found));
    }
    return rows;
  } finally {
    other.remove();
  }
}

async function main() {
  const rounds = number('rounds', '3');
  const idleSeconds = number('idle', '20');
  const only = option('only', option('against', null) === null ? 'integer,wide,boot,debugger' : '').split(',');
  const node = prepare();
  const measuredOn = { ...host(), node: execFileSync(node, ['--version']).toString().trim() };
  say(`${measuredOn.cpu}, ${measuredOn.cores} cores, load ${fixed(measuredOn.loadBefore)}, Node ${measuredOn.node}`);
  const guests = path.join(root, '.cache/guests');
  const { files, banner, commandLine } = JSON.parse(fs.readFileSync(path.join(guests, 'guests.json'), 'utf8'));
  const linux = {
    kernel: path.join(guests, files.kernel),
    initrd: path.join(guests, files.initramfs),
    commandLine,
    until: banner,
    memoryMiB: MEMORY_MIB,
  };
  const runs = {};
  const rows = [];
  if (only.includes('integer')) {
    const task = { kernel: assemble(), from: 'S', until: 'E', memoryMiB: MEMORY_MIB };
    runs.integer = await compare(node, 'integer', rounds, task, { disableJit: true });
    rows.push(...integerRows(runs.integer));
  }
  if (only.includes('wide')) {
    const task = { from: 'S', until: 'E', memoryMiB: MEMORY_MIB };
    const warm = [`-DWARM=${WARM_ROUNDS}`];
    runs.wide = await pair(
      'integer, 32 and 64 bits',
      rounds,
      () => measure(node, 'trapeze', { ...task, kernel: assemble('integer32', warm) }),
      () => measure(node, 'trapeze', { ...task, kernel: assemble('integer64', ['-DWIDE', ...warm]) }),
    );
    rows.push(...wideRows(runs.wide));
  }
  if (only.includes('boot')) {
    const task = {
      ...linux,
      idleSeconds,
    };
    runs.boot = await compare(node, 'boot', rounds, task, { disableJit: false });
    rows.push(...bootRows(runs.boot));
  }
  if (only.includes('debugger')) {
    const task = {
      ...linux,
      rounds: rounds * 2 + 1,
    };
    runs.debugger = await measure(node, 'debugger', task);
    rows.push(...debuggerRows(runs.debugger));
  }
  const revision = option('against', null);
  if (revision !== null) rows.push(...(await measureAgainst(node, revision, rounds, runs, linux)));
  if (rows.length === 0) stop('--only takes integer, wide, boot, debugger', 2);
  say('');
  printTable(rows);
  fs.mkdirSync(path.dirname(REPORT), { recursive: true });
  const report = { measuredOn, at: new Date().toISOString(), rounds, memoryMiB: MEMORY_MIB, results: rows, runs };
  fs.writeFileSync(REPORT, `${JSON.stringify(report, null, 2)}\n`);
  say(`\nwritten to ${path.relative(root, REPORT)}`);
  return rows.every(({ met }) => met) ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  stop(error.message);
}
