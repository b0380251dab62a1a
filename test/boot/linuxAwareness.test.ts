// What the debugger reads out of a running Linux's memory, without any symbol file, against what Linux itself says.
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CpuTarget } from '../../core/debugger/cpuTarget.ts';
import { LinuxAwareness } from '../../core/debugger/linux.ts';
import { readKernelTables, type KernelTables } from '../../core/debugger/symbols/kernelTables.ts';
import { SymbolTable } from '../../core/debugger/symbols/symbolTable.ts';
import { unwindStack } from '../../core/debugger/unwind.ts';
import { BootMachine, guestFile } from './bootMachine.ts';
import { extendedInitramfs, kernelModule } from './initramfs.ts';

const MEMORY_MIB = { i386: 128, amd64: 256 } as const;

describe.each([
  ['i386', ''],
  ['amd64', ''],
  ['amd64', 'nokaslr'],
] as const)('a running Linux for %s %s', (architecture, option) => {
  const wide = architecture === 'amd64';
  const RAM = MEMORY_MIB[architecture] << 20;
  let guest: BootMachine;
  let initramfs: ReturnType<typeof extendedInitramfs>;
  let target: CpuTarget;
  let tables: KernelTables;
  let searchMs: number;
  const symbols = new SymbolTable();
  /** Without symbols, so that everything must be found. */
  let linux: LinuxAwareness;

  const awareness = (table: SymbolTable): LinuxAwareness =>
    new LinuxAwareness(target, table, { ramBytes: RAM, instructions: () => guest.machine.statistics().instructions });

  beforeAll(async () => {
    initramfs = extendedInitramfs(
      { 'button.ko': kernelModule('button', architecture), 'evdev.ko': kernelModule('evdev', architecture) }, architecture,
    );
    const commandLine = `console=tty0 console=ttyS0 loglevel=7 ${option}`;
    const kernel = { path: guestFile(wide ? 'kernel64' : 'kernel'), initrd: initramfs.path, commandLine };
    guest = BootMachine.start({ memoryMiB: MEMORY_MIB[architecture], kernel });
    const { cpu, physical } = guest.machine.inspection.hypervisor;
    target = new CpuTarget(cpu, physical);
    linux = awareness(new SymbolTable());
    await guest.waitForShells(150);
    await guest.command('insmod /button.ko; insmod /evdev.ko; echo 0 > /proc/sys/kernel/kptr_restrict');
    const started = performance.now();
    tables = readKernelTables(target, RAM);
    searchMs = performance.now() - started;
    symbols.add('kernel memory', 'kernel memory', tables.symbols);
  });
  afterAll(() => {
    guest?.dispose();
    initramfs?.remove();
  });

  it('gives all of its symbols, as /proc/kallsyms has them', async () => {
    await guest.command("grep -v '\\[' /proc/kallsyms | cut -d' ' -f1,3 > /tmp/symbols", 120);
    const expected = await guest.command('md5sum /tmp/symbols', 60);
    const count = Number((await guest.command('wc -l /tmp/symbols', 60)).split(' ')[0]);
    expect(count).toBeGreaterThan(40_000);
    expect(tables.symbols.length).toBeGreaterThanOrEqual(count);
    // What the kernel's note adds comes last.
    const lines = tables.symbols.slice(0, count).map(({ name, address }) => `${address.toString(16).padStart(wide ? 16 : 8, '0')} ${name}\n`);
    expect(createHash('md5').update(lines.join('')).digest('hex')).toBe(expected.split(' ')[0]);
    expect(tables.release).toBe(await guest.command('uname -r'));
    expect(searchMs).toBeLessThan(5000);
  });

  it('shows its processes', async () => {
    const { tasks, problem } = linux.tasks();
    expect(problem).toBeNull();
    // Field 1 is the process, 2 its name in parentheses, 3 its state.
    const text = await guest.command('cat /proc/[0-9]*/stat', 60);
    const real = new Map([...text.matchAll(/^(\d+) \((.*)\) (\S)/gm)].map(([, pid, name, state]) => [Number(pid), { name, state }]));
    const found = new Map(tasks.map((task) => [task.pid, task]));
    expect(found.get(0)).toMatchObject({ name: 'swapper/0', state: 'running', addressSpace: '0' });
    expect(found.get(1)).toMatchObject({ name: 'init', state: 'sleeping' });
    const kernelThreads = [...real].filter(([, { name }]) => /^(kthreadd|ksoftirqd|kswapd|rcu_|kauditd|migration)/.test(name));
    expect(kernelThreads.length).toBeGreaterThan(6);
    for (const [pid, { name, state }] of kernelThreads) {
      const expected = { S: 'sleeping', I: 'idle', R: 'running', D: 'disk sleep', P: 'parked' }[state];
      // /proc has the names of kernel threads at full length.
      expect(found.get(pid), name).toMatchObject({ name: name.slice(0, 15), addressSpace: '0', state: expected });
    }
    expect(new Set(tasks.map(({ pid }) => pid)).size).toBe(tasks.length);
    expect(tasks.length).toBeGreaterThan(40);
    expect(tasks.filter(({ current }) => current)).toHaveLength(1);
    const processes = tasks.filter(({ addressSpace }) => addressSpace !== '0');
    expect(processes.map(({ name }) => name)).toContain('init');
    expect(new Set(processes.map(({ addressSpace }) => addressSpace)).size).toBe(processes.length);
  });

  it('shows its modules where Linux has them', async () => {
    const { modules, problem } = linux.modules();
    expect(problem).toBeNull();
    const real = (await guest.command('cat /proc/modules')).split('\n').map((line) => line.trim().split(' '));
    const rows = real.map(([name, size, , , state, base]) => ({ name, size: Number(size), state: state.toLowerCase(), base: BigInt(base).toString(16) }));
    expect(modules.toSorted((a, b) => (a.name < b.name ? -1 : 1))).toEqual(rows.toSorted((a, b) => (a.name < b.name ? -1 : 1)));
  });

  it('shows its log as dmesg does', async () => {
    const { text, problem } = linux.log();
    expect(problem).toBeNull();
    const expected = (await guest.command('dmesg', 60)).split('\n').map((line) => line.trimEnd());
    expect(expected.length).toBeGreaterThan(100);
    expect(text.split('\n').map((line) => line.trimEnd())).toEqual(expected);
    expect(awareness(symbols).log().text).toBe(text);
  });

  it('has a stack that leads back to where the kernel began', async () => {
    await guest.command('echo idle');
    // The shell waits: soon the processor idles.
    await guest.waitUntil(() => symbols.nearest(target.programCounter)?.name.match(/idle|halt/) != null, 20, 'waiting for the idle loop');
    const frames = unwindStack(target, symbols, 50);
    const names = frames.map(({ function: name }) => name);
    expect(names).toEqual(expect.arrayContaining(['do_idle', 'cpu_startup_entry', 'rest_init', 'start_kernel']));
    expect(names.indexOf('do_idle')).toBeLessThan(names.indexOf('start_kernel'));
    if (!wide) return;
    // ORC knows every frame: none is guessed and the kernel's first code is the last.
    const from = names.indexOf('do_idle');
    expect(names.slice(from)).toEqual([
      'do_idle', 'cpu_startup_entry', 'rest_init', 'arch_call_rest_init', 'start_kernel', 'secondary_startup_64_no_verify',
    ]);
    expect(new Set(frames.slice(1).map(({ how }) => how))).toEqual(new Set(['ORC']));
  });
});
