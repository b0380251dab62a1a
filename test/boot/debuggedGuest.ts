// A guest under the debugger, as its own process has both, and Debian's gdb as a client.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { z } from 'zod';
import { createDebugService } from '../../core/api/engine.ts';
import { breakpointSpecificationSchema, type Breakpoint, type DebugControl, type DebugStatus } from '../../core/api/debug.ts';
import type { DebugService } from '../../core/api/debugService.ts';
import { createNodeDebugHost } from '../../src-main/vm-host/nodeDebugHost.ts';
import { BootMachine, type Configuration } from './bootMachine.ts';

const tourFolder = fileURLToPath(new URL('../../assets/guests/tour', import.meta.url));
export const tourElf = path.join(tourFolder, 'tour.elf');
export const tourImage = path.join(tourFolder, 'tour.img');
export const tourConfiguration: Configuration = { memoryMiB: 16, disks: [{ path: tourImage, readOnly: true }] };

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export class DebuggedGuest {
  readonly guest: BootMachine;
  readonly service: DebugService;
  readonly logs: string[] = [];

  /** The machine stands before its first instruction. */
  constructor(configuration: Configuration) {
    this.guest = new BootMachine(configuration);
    this.service = createDebugService(this.guest.machine, createNodeDebugHost());
    this.service.onLogged((text) => this.logs.push(text));
    this.guest.machine.startPaused();
  }

  [Symbol.dispose](): void {
    this.service.dispose();
    this.guest.dispose();
  }

  get handlers(): DebugService['handlers'] {
    return this.service.handlers;
  }
  get instructions(): number {
    return this.guest.machine.statistics().instructions;
  }

  async status(): Promise<DebugStatus> {
    return (await this.handlers['debug.status']({})) as DebugStatus;
  }

  async control(control: DebugControl, waitMs = 10_000): Promise<DebugStatus> {
    return (await this.handlers['debug.control']({ control, waitMs })) as DebugStatus;
  }

  step(count = 1): Promise<DebugStatus> {
    return this.control({ action: 'step-into', count });
  }

  /** Continues and waits for the next stop. */
  async continue(seconds = 30): Promise<DebugStatus> {
    await this.control({ action: 'continue' }, 0);
    const end = performance.now() + seconds * 1000;
    for (;;) {
      const status = await this.status();
      if (status.state !== 'running') return status;
      if (performance.now() > end) throw new Error(`still running after ${seconds} s at ${status.place.address}\n${this.guest.report()}`);
      await this.handlers['debug.wait']({ revision: status.revision, waitMs: 200 });
    }
  }

  async break(specification: z.input<typeof breakpointSpecificationSchema>): Promise<Breakpoint> {
    return (await this.handlers['debug.setBreakpoint']({ breakpoint: breakpointSpecificationSchema.parse(specification) })) as Breakpoint;
  }

  async breakpoints(): Promise<readonly Breakpoint[]> {
    return (await this.handlers['debug.breakpoints']({})).breakpoints as Breakpoint[];
  }

  async evaluate(expression: string): Promise<bigint> {
    return BigInt(`0x${(await this.handlers['debug.evaluate']({ expression })).value}`);
  }

  async monitor(line: string): Promise<string> {
    return (await this.handlers['debug.monitor']({ line })).output;
  }

  /** Listens for GDB; the address. */
  async listen(): Promise<string> {
    return (await this.handlers['debug.gdb']({ listen: { host: '127.0.0.1', port: 0 } })).address!;
  }
}

/** Runs gdb with a script against an address; all that it printed. */
export async function runGdb(address: string, commands: readonly string[], options: { file?: string; seconds?: number; architecture?: string } = {}): Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), 'gdb-'));
  const script = path.join(folder, 'script');
  const set = ['set pagination off', 'set confirm off', 'set width 0', 'set tcp connect-timeout 10', 'set remotetimeout 20'];
  const file = options.file === undefined ? [] : [`symbol-file ${options.file}`];
  writeFileSync(script, [...set, `set architecture ${options.architecture ?? 'i386'}`, ...file, `target remote ${address}`, ...commands, ''].join('\n'));
  try {
    return await new Promise<string>((resolve, reject) => {
      const child = spawn('gdb', ['-nx', '-q', '-batch', '-x', script], { stdio: ['ignore', 'pipe', 'pipe'] });
      let output = '', warnings = '';
      child.stdout.on('data', (data: Buffer) => (output += data.toString()));
      // Warnings come in between at any place: they are kept apart.
      child.stderr.on('data', (data: Buffer) => (warnings += data.toString()));
      const timer = setTimeout(() => {
        child.kill('SIGKILL');
        reject(new Error(`gdb hangs:\n${output}${warnings}`));
      }, (options.seconds ?? 60) * 1000);
      child.on('error', reject);
      child.on('exit', () => {
        clearTimeout(timer);
        resolve(`${output}\n${warnings}`);
      });
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Ctrl-C, pressed some time after the next command has begun. */
export const controlC = (seconds: number): string =>
  `python import threading, os, signal; threading.Timer(${seconds}, lambda: os.kill(os.getpid(), signal.SIGINT)).start()`;
