// Debian's gdb, driven by scripts, against the tour guest and against Debian's kernel.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { linuxKernel } from './bootMachine.ts';
import { controlC, DebuggedGuest, runGdb, sleep, tourConfiguration, tourElf, tourImage } from './debuggedGuest.ts';

const TROUBLE = /Remote failure|Ignoring packet error|Cannot access|not supported|Remote communication error|Error in sourced|internal-error|Traceback/i;

/** No client, no breakpoints, and it runs. */
async function expectUndisturbed(guest: DebuggedGuest): Promise<void> {
  for (let wait = 0; wait < 100 && (await guest.status()).state !== 'running'; wait++) await sleep(20);
  expect((await guest.status()).state).toBe('running');
  expect(await guest.breakpoints()).toEqual([]);
  const before = guest.instructions;
  await sleep(150);
  expect(guest.instructions).toBeGreaterThan(before);
  expect((await guest.status()).gdb?.client).toBeNull();
}

describe('gdb and the tour', () => {
  it('meets the boot sector in real mode', async () => {
    using guest = new DebuggedGuest(tourConfiguration);
    const output = await runGdb(await guest.listen(), [
      'printf "reset at %x\\n", $pc',
      'break *0x7c00', 'continue',
      'set architecture i8086',
      'printf "sector at %x cs %x cr0 %x\\n", $pc, $cs, $cr0 & 1',
      'x/1i $pc', 'x/1xh 0x7dfe',
      'stepi', 'x/1i $pc', 'stepi', 'printf "cli: if %d\\n", ($eflags >> 9) & 1',
      'stepi', 'stepi', 'stepi', 'stepi', 'stepi', 'printf "sp %x ss %x\\n", (unsigned)$esp & 0xffff, $ss',
      'monitor status', 'delete', 'detach',
    ]);
    expect(output).not.toMatch(TROUBLE);
    expect(output).toContain('reset at fffffff0');
    expect(output).toContain('sector at 7c00 cs 0 cr0 0');
    expect(output).toMatch(/=> 0x7c00:\s+jmp +0x7c3e/);
    expect(output).toMatch(/0x7dfe:\s+0xaa55/);
    expect(output).toMatch(/=> 0x7c3e.*:\s+cli/);
    expect(output).toContain('cli: if 0');
    expect(output).toContain('sp 7c00 ss 0');
    expect(output).toMatch(/real mode/i);
    await expectUndisturbed(guest);
    await guest.guest.waitForScreen('chapter 1 of 7', 20);
  });

  it('breaks at a symbol, walks the stack, steps through an interrupt, watches, changes registers and leaves', async () => {
    using guest = new DebuggedGuest(tourConfiguration);
    guest.guest.machine.start();
    await guest.guest.waitForScreen('chapter 1 of 7', 20);
    const output = await runGdb(await guest.listen(), [
      'break timer', 'continue', 'printf "timer at %x\\n", $pc', 'info symbol $pc', 'info line', 'backtrace 3',
      // The stack of an interrupt: EIP, CS, EFLAGS of what was interrupted.
      'set $back = *(unsigned *)$esp', 'set $sp0 = $esp', 'set $eax0 = $eax',
      'printf "came from cs %x if %d\\n", *(unsigned *)($esp + 4), (*(unsigned *)($esp + 8) >> 9) & 1',
      'stepi', 'stepi', 'stepi', 'stepi', 'set $t0 = *(int *)&ticks', 'stepi', 'printf "ticked %d\\n", *(int *)&ticks - $t0',
      'x/5i $pc', 'stepi', 'stepi', 'stepi', 'stepi', 'x/1i $pc', 'stepi',
      'printf "back %d stack %d eax %d if %d\\n", $pc == $back, $esp - $sp0, $eax == $eax0, ($eflags >> 9) & 1',
      'delete',
      // Data breakpoints of three kinds.
      'watch *(int *)&ticks', 'continue', 'info symbol $pc', 'continue', 'delete',
      'rwatch *(char *)0x70000', 'delete', 'rwatch *(unsigned *)&text_panic', 'delete',
      'awatch *(char *)&key', 'continue', 'info symbol $pc', 'delete',
      // A register that the guest then uses: another port value is read out of AL.
      'tbreak serial_char', 'monitor status',
      'info registers eax cr0 cr3 cs_base gdtr_limit tr idtr_base',
      `monitor symbols load ${tourElf}`, 'monitor print [ticks]', 'monitor disassemble timer', 'monitor help step', 'monitor devices',
      'set {int}&ticks = 0x12345', 'printf "ticks %x\\n", *(int *)&ticks',
      'delete',
      controlC(0.5), 'continue', 'printf "after ctrl-c in %x\\n", $pc',
      'info breakpoints', 'detach',
    ], { file: tourElf });
    expect(output).not.toMatch(TROUBLE);
    expect(output).toContain('timer at 103bb');
    expect(output).toContain('timer in section .text');
    expect(output).toMatch(/Line \d+ of "kernel.inc" starts at address 0x103bb <timer>/);
    expect(output).not.toContain('not in symtab');
    expect(output).toMatch(/#0 .*timer/);
    expect(output).toContain('came from cs 8 if 1');
    expect(output).toContain('ticked 1');
    expect(output).toMatch(/=> 0x103cf.*:\s+iret/);
    expect(output).toContain('back 1 stack 12 eax 1 if 1');
    expect(output).toMatch(/Hardware watchpoint \d+: \*\(int \*\)&ticks\s+Old value = \d+\s+New value = \d+/);
    const values = [...output.matchAll(/Old value = (\d+)\s+New value = (\d+)/g)].map(([, from, to]) => Number(to) - Number(from));
    expect(values).toEqual([1, 1]);
    // Behind the instruction that wrote it.
    expect(output).toContain('timer + 14 in section .text');
    expect(output).toMatch(/Hardware access \(read\/write\) watchpoint \d+: \*\(char \*\)&key/);
    expect(output).toMatch(/wait_key \+ \d+ in section/);
    expect(output).toMatch(/cr0 +0xe0000011 +\[ PE ET NW CD PG \]/);
    expect(output).toMatch(/cr3 +0x30000/);
    expect(output).toMatch(/gdtr_limit +0x2f/);
    expect(output).toMatch(/tr +0x28/);
    expect(output).toMatch(/inc dword \[ticks\]/);
    expect(output).toContain('ticks 12345');
    expect(output).toContain('SIGINT');
    await expectUndisturbed(guest);
    guest.guest.type('4');
    await guest.guest.waitForScreen(/chapter 4/, 10);
  });

  it('changes a register and the guest goes on with it', async () => {
    using guest = new DebuggedGuest(tourConfiguration);
    guest.guest.machine.start();
    await guest.guest.waitForScreen('chapter 1 of 7', 20);
    const at = guest.guest.serial.length;
    // The shell of the tour asks the keyboard buffer: what it takes out is made a 3 before it is looked at.
    const output = await runGdb(await guest.listen(), [
      'break *(wait_key + 0x0e)', 'continue', 'x/2i $pc', 'set $eax = 0x33', 'printf "eax %x\\n", $eax', 'delete', 'detach',
    ], { file: tourElf });
    expect(output).not.toMatch(TROUBLE);
    expect(output).toMatch(/test +%al,%al\s+0x1046f/);
    expect(output).toContain('eax 33');
    await guest.guest.waitForScreen(/chapter 3/, 10);
    expect(guest.guest.serial.length).toBeGreaterThan(at);
    await expectUndisturbed(guest);
  });

  it('goes through ring 3 and its traps', async () => {
    using guest = new DebuggedGuest(tourConfiguration);
    guest.guest.machine.start();
    await guest.guest.waitForScreen('chapter 1 of 7', 20);
    const running = runGdb(await guest.listen(), [
      'break code_cli', 'continue',
      'printf "ring %d at %x\\n", $cs & 3, $pc', 'x/1i $pc', 'stepi', 'info symbol $pc', 'printf "ring %d error %x\\n", $cs & 3, *(unsigned *)$esp',
      'detach',
    ], { file: tourElf, seconds: 40 });
    for (let wait = 0; wait < 400 && (await guest.breakpoints()).length === 0; wait++) await sleep(20);
    guest.guest.machine.serialInput(0, Uint8Array.of(0x33));
    const output = await running;
    expect(output).toMatch(/ring 3 at 10b5c/);
    expect(output).toMatch(/=> 0x10b5c <code_cli\S*>:[^=]*\bcli\b/);
    expect(output).toContain('trap13 in section .text');
    expect(output).toContain('ring 0 error 0');
    await expectUndisturbed(guest);
    await guest.guest.waitForScreen(/TRAP {3}#GP\(0\)/, 10);
  });
});

describe('gdb and the command line', () => {
  it('finds a machine that waits before its first instruction', async () => {
    const program = fileURLToPath(new URL('../../src-main/cli/main.ts', import.meta.url));
    const child = spawn(process.execPath, [program, 'run', tourImage, '--gdb', '127.0.0.1:0', '--paused', '--timeout', '60'], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '', errors = '';
    child.stdout.on('data', (data: Buffer) => (output += data.toString('latin1')));
    child.stderr.on('data', (data: Buffer) => (errors += data.toString()));
    try {
      const address = (): string | undefined => /target remote (\S+)/.exec(errors)?.[1];
      for (let wait = 0; wait < 500 && address() === undefined && child.exitCode === null; wait++) await sleep(20);
      expect(address(), errors).toBeDefined();
      expect(output).toBe('');
      const session = await runGdb(address()!, ['printf "first %x\\n", $pc', 'hbreak *0x7c00', 'continue', 'printf "sector %x\\n", $pc', 'detach']);
      expect(session).toContain('first fffffff0');
      expect(session).toContain('sector 7c00');
      for (let wait = 0; wait < 500 && !output.includes('Tour of virtualization: ready'); wait++) await sleep(20);
      expect(output).toContain('Tour of virtualization: ready');
    } finally {
      child.kill('SIGTERM');
    }
  });
});

describe("gdb and Debian's kernel", () => {
  let guest: DebuggedGuest;
  beforeAll(async () => {
    guest = new DebuggedGuest({ memoryMiB: 128, kernel: linuxKernel() });
    guest.guest.machine.start();
    await guest.guest.waitForShells(90);
    expect(await guest.monitor('symbols load kernel:')).toMatch(/\d{5,} symbols/);
  });
  afterAll(() => guest?.[Symbol.dispose]());

  it('breaks in a kernel function, looks back, steps, watches, and the shell goes on', async () => {
    const address = await guest.evaluate('do_sys_openat2');
    const kernel = (value: bigint): string => `0x${value.toString(16)}`;
    // Names of variables are not in this kernel: a function that does nothing but give one tells its address (MOV EAX, moffs32).
    const { bytes } = await guest.handlers['debug.readMemory']({ space: 'linear', at: 'jiffies_read', length: 16 });
    const code = Buffer.from(bytes);
    const jiffies = BigInt(code.readUInt32LE(code.indexOf(0xa1) + 1));
    const running = runGdb(await guest.listen(), [
      'monitor symbols list',
      `hbreak *${kernel(address)}`, 'continue', 'printf "at %x\\n", $pc', 'printf "ring %d\\n", $cs & 3',
      'monitor backtrace', 'stepi', 'stepi', 'printf "moved %d\\n", $pc != ' + kernel(address),
      // Where it will return to.
      'monitor finish', 'maintenance flush register-cache',
      'delete',
      `watch *(int *)${kernel(jiffies)}`, 'continue', 'monitor status', 'continue', 'delete',
      'tbreak *' + kernel(address), 'continue', 'set $word = $esp', 'printf "again %x\\n", $pc',
      controlC(1), 'continue', 'printf "interrupted ring %d\\n", $cs & 3',
      'info registers cr0 cr3 cr4', 'detach',
    ], { seconds: 60 });
    let done = false;
    void running.finally(() => (done = true)).catch(() => {});
    // Something to read, again and again, as long as gdb looks.
    guest.guest.send('while ! test -e /tmp/enough; do cat /proc/version >/dev/null; sleep 0.1; done\n');
    const output = await running;
    expect(done).toBe(true);
    expect(output).not.toMatch(TROUBLE);
    expect(output).toContain(`at ${address.toString(16)}`);
    expect(output).toContain('ring 0');
    expect(output).toMatch(/do_sys_openat2[^]*(sys_open|syscall|entry)/);
    expect(output).toContain('moved 1');
    const values = [...output.matchAll(/Old value = (-?\d+)\s+New value = (-?\d+)/g)].map(([, from, to]) => Number(to) - Number(from));
    expect(values).toHaveLength(2);
    for (const difference of values) expect(difference).toBeGreaterThan(0);
    expect(output).toContain(`again ${address.toString(16)}`);
    expect(output).toMatch(/interrupted ring [03]/);
    expect(output).toMatch(/cr0 +0x80050033 +\[[^\]]* PG/);
    await expectUndisturbed(guest);
    const from = guest.guest.serial.length;
    guest.guest.type('touch /tmp/enough\n');
    await guest.guest.waitForSerial('trapeze#', 30, from);
    expect(await guest.guest.command('echo $((6*7))')).toContain('42');
    expect(await guest.guest.command('dmesg | grep -ciE "BUG:|Oops|stall"')).toBe('0');
  });
});
