// Debian's gdb against the stub, over a real socket, the real controller and a small program with symbols and lines.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { CpuTarget } from '../../../core/debugger/cpuTarget.ts';
import { Breakpoints } from '../../../core/debugger/breakpoints.ts';
import { Controller } from '../../../core/debugger/controller.ts';
import { GdbServer } from '../../../core/debugger/gdb/server.ts';
import type { GdbPorts } from '../../../core/debugger/gdb/session.ts';
import { physicalRanges } from '../../../core/debugger/physicalMap.ts';
import type { ByteConnection } from '../../../core/host/debugHost.ts';
import { cpuModels } from '../../../core/cpu/state/cpuModels.ts';
import { Hypervisor } from '../../../core/hypervisor/hypervisor.ts';
import { fuzzGdb } from '../../support/gdbFuzz.ts';
import { CS, DS, ES, SS } from '../../../core/cpu/state/layout.ts';

const PROGRAM = `
bits 32
global _start, work, counter
section .text
_start:
  mov esp, 0x9000
  mov dword [counter], 0
.again:
  mov eax, 5
  call work
  inc dword [counter]
  jmp .again
work:
  push ebp
  mov ebp, esp
  add eax, 2
  nop
  pop ebp
  ret
section .data
counter: dd 0
`;
const REAL_PROGRAM = `
bits 16
org 0x100
start:
  mov ax, 0x1234
  inc ax
  call near sub
again:
  jmp again
sub:
  mov bx, ax
  ret
`;

let folder: string;
const hasGdb = ((): boolean => {
  try {
    execFileSync('gdb', ['--version'], { stdio: 'pipe' });
    return true;
  } catch {
    console.log('skipped: gdb is not installed');
    return false;
  }
})();

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gdb-'));
  writeFileSync(join(folder, 'program.asm'), PROGRAM);
  execFileSync('nasm', ['-felf32', '-g', '-Fdwarf', '-o', join(folder, 'program.o'), join(folder, 'program.asm')]);
  execFileSync('ld', ['-melf_i386', '-Ttext=0x8000', '-Tdata=0xa000', '-o', join(folder, 'program.elf'), join(folder, 'program.o')]);
  execFileSync('objcopy', ['-Obinary', '-j.text', join(folder, 'program.elf'), join(folder, 'program.bin')]);
  writeFileSync(join(folder, 'real.asm'), REAL_PROGRAM);
  execFileSync('nasm', ['-fbin', '-o', join(folder, 'real.bin'), join(folder, 'real.asm')]);
  return () => rmSync(folder, { recursive: true });
});

interface Stage {
  readonly hypervisor: Hypervisor;
  readonly controller: Controller;
  readonly breakpoints: Breakpoints;
  readonly target: CpuTarget;
  readonly ports: GdbPorts;
  readonly port: number;
}
const servers: Server[] = [];
const machines: Hypervisor[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  for (const machine of machines.splice(0)) machine.stop({ kind: 'power-off' });
});

async function stage(image: string, real: boolean): Promise<Stage> {
  const hypervisor = new Hypervisor({
    ramBytes: 4 << 20, cpuModel: cpuModels.pentium3, clock: 'virtual',
    host: {
      nowMs: () => performance.now(), wallMs: () => Date.now(),
      after: (ms, callback) => {
        const timer = setTimeout(callback, ms);
        return { cancel: () => clearTimeout(timer) };
      },
    },
  });
  machines.push(hypervisor);
  hypervisor.attach({
    ioRead: () => 0xff, ioWrite: () => {}, mmioRead: () => 0xff, mmioWrite: () => {}, acknowledgeInterrupt: () => 0, taskPriority: 0, timestampChanged: () => {}, performanceInterrupt: () => {}, floatingError: () => {}, readMsr: () => null, writeMsr: () => false, reset: () => {}, input: () => {},
  });
  const { cpu, physical } = hypervisor;
  physical.map(0, 4 << 20, cpu.map.ram, true);
  cpu.u8.set(readFileSync(join(folder, image)), cpu.map.ram + (real ? 0x10100 : 0x8000));
  if (real) {
    for (const segment of [CS, DS, ES, SS]) cpu.setSegment(segment, 0x1000, 0x10000, 0xffff, 0x93);
    cpu.rip = 0x100;
    cpu.setReg32(4, 0xff00);
  } else {
    cpu.debugAccess.setControl(0, 0x11);
    cpu.setSegment(CS, 8, 0, 0xffffffff, 0xc09b);
    for (const segment of [DS, ES, SS]) cpu.setSegment(segment, 16, 0, 0xffffffff, 0xc093);
    cpu.rip = 0x8000;
  }
  const target = new CpuTarget(cpu, physical);
  const evaluator = { evaluate: (text: string) => BigInt(text), format: (text: string) => text, check: () => {}, checkFormat: () => {} };
  const breakpoints: Breakpoints = new Breakpoints(cpu, evaluator, { onChange: () => controller.rearm(), onLog: () => {} });
  const controller: Controller = new Controller({
    hypervisor, target, breakpoints, evaluator, caller: () => null, policyStops: () => false,
    disassembler: () => {
      throw new Error('GDB steps by itself');
    },
  });
  const ports: GdbPorts = {
    target, controller, breakpoints, monitor: async (line) => `you said ${line}`, physicalRanges: () => physicalRanges(cpu, physical, []),
  };
  const gdb = new GdbServer(ports);
  const server = createServer((socket) => {
    socket.setNoDelay(true);
    socket.on('error', () => {});
    const connection: ByteConnection = {
      peer: `${socket.remoteAddress}`,
      send: (bytes) => void socket.write(bytes),
      close: () => socket.end(),
      onData: (listener) => void socket.on('data', listener),
      onClose: (listener) => void socket.on('close', listener),
    };
    gdb.accept(connection);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  hypervisor.start();
  return { hypervisor, controller, breakpoints, target, ports, port: (server.address() as AddressInfo).port };
}

/** Runs gdb with commands; all that it prints. */
function gdb({ port }: Stage, commands: readonly string[], file?: string): Promise<string> {
  const script = ['set pagination off', 'set confirm off', 'set tcp connect-timeout 5', 'set remotetimeout 5', ...(file === undefined ? [] : [`file ${join(folder, file)}`]), `target remote 127.0.0.1:${port}`, ...commands];
  return new Promise((resolve, reject) => {
    const child = spawn('gdb', ['-nx', '-q', '-batch', ...script.flatMap((command) => ['-ex', command])], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (data: Buffer) => (output += data.toString()));
    child.stderr.on('data', (data: Buffer) => (output += data.toString()));
    const timer = setTimeout(() => {
      child.kill();
      reject(new Error(`gdb hangs:\n${output}`));
    }, 15_000);
    child.on('exit', () => {
      clearTimeout(timer);
      resolve(output);
    });
  });
}

test.skipIf(!hasGdb)('protected mode: break, step, watch, change, look, detach', async () => {
  const machine = await stage('program.bin', false);
  const output = await gdb(machine, [
    'break work', 'continue', 'printf "at %x eax %d\\n", $pc, $eax', 'stepi', 'stepi', 'stepi', 'printf "ebp %x eax %d\\n", $ebp, $eax', 'backtrace', 'next', 'step',
    'info registers cr0 eflags cs_base gdtr_limit', 'delete', 'watch *(int *)&counter', 'continue', 'delete', 'set var $eax = 0x77', 'printf "eax %x\\n", $eax',
    'set {int}0xb000 = 0x12345678', 'x/xw 0xb000', 'p $xmm0', 'p $st0', 'hbreak work', 'continue', 'monitor hello', 'info threads', 'info mem', 'detach',
  ], 'program.elf');
  expect(output).toContain('at 8021 eax 5');
  expect(output).toMatch(/ebp 8ff8 eax 7/);
  expect(output).toMatch(/#0 .*work/);
  expect(output).toMatch(/cr0 +0x11 +\[ PE ET \]/);
  expect(output).toMatch(/Hardware watchpoint \d/);
  expect(output).toMatch(/Old value = \d+/);
  expect(output).toContain('eax 77');
  expect(output).toMatch(/0xb000:\s+0x12345678/);
  expect(output).toContain('you said hello');
  expect(output).toContain('32-bit protected mode, ring 0');
  expect(output).toMatch(/Inferior 1 .* detached/);
  expect(output).not.toMatch(/warning|Remote failure|Cannot access|Ignoring packet error|not supported/i);
  expect(machine.breakpoints.list()).toEqual([]);
  expect(machine.controller.state).toBe('running');
  const before = machine.hypervisor.cpu.instructionCount;
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(machine.hypervisor.cpu.instructionCount).toBeGreaterThan(before);
});

test.skipIf(!hasGdb)('Ctrl-C stops a running guest', async () => {
  const machine = await stage('program.bin', false);
  const output = await gdb(machine, ['python import threading, os, signal; threading.Timer(0.7, lambda: os.kill(os.getpid(), signal.SIGINT)).start()', 'continue', 'printf "stopped at %x\\n", $pc', 'detach'], 'program.elf');
  expect(output).toMatch(/SIGINT|SIGTRAP/);
  expect(output).toMatch(/stopped at 80/);
  expect(machine.controller.state).toBe('running');
});

test.skipIf(!hasGdb)('real mode: linear addresses, the 8086, and a way to the 386', async () => {
  const machine = await stage('real.bin', true);
  const output = await gdb(machine, [
    'show architecture', 'printf "pc %x ip %x cs %x\\n", $pc, $real_eip, $cs', 'set $pc = 0x10100', 'x/3i $pc', 'stepi', 'printf "eax %x\\n", $eax & 0xffff', 'break *0x10109', 'continue',
    'printf "in sub at %x\\n", $pc', 'x/1xh $ss_base + $sp', 'set architecture i386', 'printf "still %x\\n", $pc', 'stepi', 'printf "ebx %x\\n", $ebx & 0xffff', 'detach',
  ]);
  expect(output).toContain('i8086');
  expect(output).toContain('cs 1000');
  expect(output).toMatch(/=> 0x10100:\s+mov +\$0x1234,%ax/);
  expect(output).toContain('eax 1234');
  expect(output).toContain('in sub at 10109');
  expect(output).toMatch(/0x1fefe:\s+0x0107/);
  expect(output).toContain('still 10109');
  expect(output).toContain('ebx 1235');
  expect(output).not.toMatch(/OS ABI|Remote failure/i);
});

test.skipIf(!hasGdb)('gdb killed in the middle: the guest goes on without its breakpoints', async () => {
  const machine = await stage('program.bin', false);
  const output = await gdb(machine, ['break work', 'continue', 'python import os; os.kill(os.getpid(), 9)'], 'program.elf');
  expect(output).toContain('Breakpoint 1');
  for (let wait = 0; wait < 100 && machine.controller.state !== 'running'; wait++) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(machine.breakpoints.list()).toEqual([]);
  expect(machine.controller.state).toBe('running');
});

test('fuzzed clients leave a real machine running', async () => {
  let conversations = 0;
  // A conversation may well crash the guest, by a register or by memory: then there is a new one.
  for (let seed = 1; seed <= 6; seed++) {
    const machine = await stage('program.bin', false);
    const crashed = new Error('crashed');
    const round = fuzzGdb(machine.ports, 400, seed, () => {
      expect(machine.breakpoints.list()).toEqual([]);
      if (machine.controller.state === 'halted') throw crashed;
      expect(machine.controller.state).toBe('running');
      conversations++;
    });
    await round.catch((error: unknown) => {
      if (error !== crashed) throw error;
    });
  }
  expect(conversations).toBeGreaterThan(20);
});
