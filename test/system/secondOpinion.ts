// Runs system-mode cases on other emulators: QEMU's TCG and Bochs boot the same image from a floppy, log through port E9h.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SystemCase } from './systemCase.ts';
import { assemble } from './systemHarness.ts';

const FLOPPY_BYTES = 1440 * 1024;
/** A case that does not end by itself (a halt, a shutdown) is over when it has been silent for so long. */
const QUIET_MS = 1500, LONGEST_MS = 20_000;

export type Emulator = 'qemu' | 'bochs';

export const isInstalled = (emulator: Emulator): boolean =>
  existsSync(emulator === 'qemu' ? '/usr/bin/qemu-system-x86_64' : '/usr/bin/bochs');

/** What the models are called elsewhere. */
const QEMU_MODELS: Readonly<Record<string, string>> = { '486': '486', pentium: 'pentium', pentium3: 'pentium3', core2: 'core2duo' };
const BOCHS_MODELS: Readonly<Record<string, string>> = {
  '486': 'i486dx4', pentium: 'pentium', pentium3: 'p3_katmai', core2: 'core2_penryn_t9600',
};

/** A device of the harness that nobody else has. */
export const needsHarness = (one: SystemCase): boolean => /\b0xea\b|raise/i.test(one.text);

function qemu(directory: string, model: string): readonly [string, readonly string[]] {
  return ['qemu-system-x86_64', [
    '-accel', 'tcg', '-display', 'none', '-monitor', 'none', '-serial', 'none', '-net', 'none', '-no-reboot', '-m', '32',
    '-cpu', QEMU_MODELS[model] ?? 'max', '-drive', `file=${join(directory, 'floppy.img')},if=floppy,format=raw`, '-boot', 'a',
    '-debugcon', `file:${join(directory, 'log')}`, '-device', 'isa-debug-exit,iobase=0xf4,iosize=4',
  ]];
}

function bochs(directory: string, model: string): readonly [string, readonly string[]] {
  const lines = [
    'config_interface: textconfig', 'display_library: term', 'megs: 32', 'romimage: file=/usr/share/bochs/BIOS-bochs-latest',
    'vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest', `floppya: 1_44=${join(directory, 'floppy.img')}, status=inserted`, 'boot: floppy',
    `cpu: count=1, model=${BOCHS_MODELS[model] ?? 'corei7_haswell_4770'}, ips=50000000, reset_on_triple_fault=0`, 'clock: sync=none',
    'port_e9_hack: enabled=1', `log: ${join(directory, 'bochs.txt')}`, 'panic: action=fatal', 'error: action=report', 'info: action=ignore',
    'debug: action=ignore', 'mouse: enabled=0',
  ];
  writeFileSync(join(directory, 'bochsrc'), `${lines.join('\n')}\n`);
  writeFileSync(join(directory, 'commands'), 'continue\nquit\n');
  return ['bochs', ['-q', '-f', join(directory, 'bochsrc'), '-rc', join(directory, 'commands')]];
}

/** What the case logs there: the values in front of whatever the firmware said. */
export async function logOf(one: SystemCase, emulator: Emulator): Promise<readonly number[]> {
  const directory = mkdtempSync(join(tmpdir(), 'opinion-'));
  try {
    const image = Buffer.alloc(FLOPPY_BYTES);
    image.set(assemble(one.text, ['BOOT', ...(one.real ? ['REAL'] : [])]));
    writeFileSync(join(directory, 'floppy.img'), image);
    const model = one.model ?? 'pentium3';
    const [command, args] = emulator === 'qemu' ? qemu(directory, model) : bochs(directory, model);
    const text = await outputOf(command, args, emulator === 'qemu' ? join(directory, 'log') : null);
    return text.split('\n').filter((line) => /^[0-9a-f]{1,8}$/.test(line.trim())).map((line) => parseInt(line, 16));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Runs until the program ends or is silent; its log is a file or its standard output. */
function outputOf(command: string, args: readonly string[], file: string | null): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, TERM: 'xterm' } });
    let text = '', last = '';
    const started = Date.now();
    let changedAt = started;
    child.stdout.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1');
    });
    const read = (): string => (file === null ? text : existsSync(file) ? readFileSync(file, 'latin1') : '');
    const timer = setInterval(() => {
      const now = read();
      if (now !== last) {
        last = now;
        changedAt = Date.now();
      }
      const silent = Date.now() - changedAt > QUIET_MS && last.includes('\n') && Date.now() - started > 3000;
      if (silent || Date.now() - started > LONGEST_MS) child.kill('SIGKILL');
    }, 100);
    child.on('error', (error) => {
      clearInterval(timer);
      reject(error);
    });
    child.on('close', () => {
      clearInterval(timer);
      resolve(read());
    });
  });
}
