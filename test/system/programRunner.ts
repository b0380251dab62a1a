// Runs the Multiboot programs of test/system/programs on our machine, on QEMU's TCG and on Bochs; what they say on COM1.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { machineConfigurationSchema } from '../../core/machine/configuration.ts';
import { createMachine } from '../../core/machine/createMachine.ts';
import { createNodeHost } from '../../src-main/vm-host/nodeHost.ts';
import type { Emulator } from './secondOpinion.ts';

const SOURCES = join(import.meta.dirname, 'programs');
const SECTOR = 512, HEADS = 16, TRACK = 63, CYLINDERS = 8;
const DISK_BYTES = SECTOR * HEADS * TRACK * CYLINDERS;
/** QUIET_MS: a program that goes astray is silent for so long. */
export const LONGEST_MS = 30_000, QUIET_MS = 2000;
const POLL_MS = 20;
const END = /^end\r?$/m;

/** Results by case, in the program's order. */
export type Results = ReadonlyMap<string, string>;

export interface Images {
  readonly names: readonly string[];
  /** `quietMs`: silence after which another emulator is given up. */
  run(name: string, on: 'ours' | Emulator, quietMs?: number): Promise<Results>;
  remove(): void;
}

/** The programs' names. */
export const programNames: readonly string[] = readdirSync(SOURCES)
  .filter((file) => file.endsWith('.asm') && file !== 'disk.asm')
  .map((file) => file.slice(0, -4));

function nasm(source: string, output: string, defines: readonly string[] = []): void {
  execFileSync('nasm', ['-w-all', '-fbin', `-i${SOURCES}/`, ...defines, '-o', output, join(SOURCES, `${source}.asm`)], { stdio: 'pipe' });
}

/** Assembles the programs into a temporary folder. */
export function buildImages(names: readonly string[] = programNames): Images {
  const folder = mkdtempSync(join(tmpdir(), 'programs-'));
  for (const name of names) nasm(name, join(folder, `${name}.bin`));
  return {
    names,
    run: async (name, on, quietMs = LONGEST_MS) =>
      resultsOf(name, on === 'ours' ? await ours(join(folder, `${name}.bin`)) : await elsewhere(folder, name, on, quietMs)),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** `program.case=result` lines; a program that does not come to its end says so in a case of its own. */
function resultsOf(name: string, text: string): Results {
  const results = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^([a-z0-9-]+)\.([a-z0-9-]+)=(.*)$/.exec(line.trim());
    if (match !== null && match[1] === name) results.set(match[2] ?? '', match[3] ?? '');
    else if (line.startsWith('panic=')) results.set('panic', line.slice(6).trim());
  }
  if (!END.test(text)) results.set('end', 'missing');
  return results;
}

async function ours(path: string): Promise<string> {
  const host = createNodeHost({ log: { write: () => {} }, holder: 'system programs' });
  const configuration = { memoryMiB: 32, debugExit: true, cpu: { model: 'max' }, kernel: { path } } as const;
  const machine = createMachine(machineConfigurationSchema.parse({ ...configuration, clock: 'virtual' }), host);
  let text = '';
  machine.onSerialOutput(({ port, bytes }) => {
    if (port === 0) text += Buffer.from(bytes).toString('latin1');
  });
  machine.start();
  const started = performance.now();
  while (machine.state === 'running' && performance.now() - started < LONGEST_MS) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  machine.dispose();
  host.closeFiles();
  return text;
}

/** A disk image with the program behind a boot sector, for a firmware without a Multiboot loader. */
function makeDisk(folder: string, name: string): string {
  const program = readFileSync(join(folder, `${name}.bin`));
  const sectors = Math.ceil(program.length / SECTOR), file = join(folder, `${name}.img`), sector = join(folder, `${name}.boot`);
  nasm('disk', sector, [`-dSECTORS=${sectors}`]);
  const disk = Buffer.alloc(DISK_BYTES);
  disk.set(readFileSync(sector));
  disk.set(program, SECTOR);
  writeFileSync(file, disk);
  return file;
}

function commandLine(folder: string, name: string, emulator: Emulator, output: string): readonly [string, readonly string[]] {
  if (emulator === 'qemu') {
    return ['qemu-system-x86_64', [
      '-accel', 'tcg', '-icount', 'shift=2,sleep=off', '-cpu', 'max,vendor=GenuineIntel', '-m', '64', '-display', 'none', '-monitor', 'none', '-net', 'none', '-no-reboot',
      '-serial', `file:${output}`, '-device', 'isa-debug-exit,iobase=0xf4,iosize=4', '-kernel', join(folder, `${name}.bin`),
    ]];
  }
  const lines = [
    'config_interface: textconfig', 'display_library: term', 'megs: 64', 'romimage: file=/usr/share/bochs/BIOS-bochs-latest',
    'vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest', 'ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14',
    `ata0-master: type=disk, path=${makeDisk(folder, name)}, mode=flat, cylinders=${CYLINDERS}, heads=${HEADS}, spt=${TRACK}`, 'boot: disk',
    'cpu: count=1, model=corei7_icelake_u, ips=50000000, reset_on_triple_fault=0, ignore_bad_msrs=0', 'clock: sync=none',
    `com1: enabled=1, mode=file, dev=${output}`, `log: ${join(folder, 'bochs.txt')}`, 'panic: action=fatal', 'error: action=ignore',
    'info: action=ignore', 'debug: action=ignore', 'mouse: enabled=0',
  ];
  writeFileSync(join(folder, `${name}.bochsrc`), `${lines.join('\n')}\n`);
  writeFileSync(join(folder, 'commands'), 'continue\nquit\n');
  return ['bochs', ['-q', '-f', join(folder, `${name}.bochsrc`), '-rc', join(folder, 'commands')]];
}

/** Runs an emulator until the program has ended, or it has itself, or too long. */
function elsewhere(folder: string, name: string, emulator: Emulator, quietMs: number): Promise<string> {
  const output = join(folder, `${name}.${emulator}.txt`);
  const [command, args] = commandLine(folder, name, emulator, output);
  const read = (): string => (existsSync(output) ? readFileSync(output, 'latin1') : '');
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'ignore', env: { ...process.env, TERM: 'xterm' } });
    const started = performance.now();
    let length = 0, changedAt = started;
    const timer = setInterval(() => {
      const text = read(), now = performance.now();
      if (text.length !== length) [length, changedAt] = [text.length, now];
      const silent = length > 0 && now - changedAt > quietMs;
      if (END.test(text) || silent || now - started > LONGEST_MS) child.kill('SIGKILL');
    }, 50);
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
