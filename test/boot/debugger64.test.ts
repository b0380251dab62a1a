// The debugger and Debian's gdb on Debian's amd64 kernel.
import { expect, it } from 'vitest';
import { guestFile, guests } from './bootMachine.ts';
import { DebuggedGuest, runGdb } from './debuggedGuest.ts';

const TROUBLE =
  /Remote failure|Ignoring packet error|Cannot access|not supported|Remote communication error|Error in sourced|internal-error|Traceback/i;

it('gdb stops in the amd64 kernel, reads its registers and memory, steps and watches; the views agree', async () => {
  using guest = new DebuggedGuest({
    memoryMiB: 256,
    kernel: {
      path: guestFile('kernel64'),
      initrd: guestFile('initramfs64'),
      commandLine: `${guests.commandLine} nokaslr`,
    },
  });
  guest.guest.machine.start();
  await guest.guest.waitForShells(150);
  const symbols = await guest.guest.command("grep -E ' (jiffies_64|__x64_sys_getpid|linux_banner)$' /proc/kallsyms");
  const addressOf = (name: string): string => new RegExp(`([0-9a-f]{16}) . ${name}$`, 'm').exec(symbols)![1]!;
  // Another program each time: its number is asked for.
  guest.guest.send('while true; do sh -c "exit 3"; done\n');
  const getpid = addressOf('__x64_sys_getpid');
  const output = await runGdb(
    await guest.listen(),
    [
      `break *0x${getpid}`,
      'continue',
      'printf "at %lx cpl %d\\n", $rip, $cs & 3',
      'info registers rip rsp eflags r15 cr3 gs_base',
      'x/2i $pc',
      'stepi',
      'stepi',
      `printf "moved %d\\n", $pc != 0x${getpid}`,
      `x/1s 0x${addressOf('linux_banner')}`,
      'set $rax0 = $rax',
      'set $rax = 0x123456789abcdef0',
      'printf "rax %lx\\n", $rax',
      'set $rax = $rax0',
      'delete',
      `watch *(unsigned long *)0x${addressOf('jiffies_64')}`,
      'continue',
      'printf "watched in ring %d\\n", $cs & 3',
      'delete',
      'monitor status',
      'monitor registers',
      `monitor walk 0x${getpid}`,
      'monitor idt',
      'monitor tss',
      'detach',
    ],
    { architecture: 'i386:x86-64', seconds: 60 },
  );
  expect(output).not.toMatch(TROUBLE);
  expect(output).toContain(`at ${getpid} cpl 0`);
  expect(output).toContain('moved 1');
  expect(output).toContain('Linux version 6.1');
  expect(output).toContain('rax 123456789abcdef0');
  expect(output).toContain('watched in ring 0');
  expect(output).toMatch(/64-bit mode/);

  await guest.control({ action: 'pause' });
  const { groups } = await guest.handlers['debug.registers']({});
  const general = groups.find(({ id }) => id === 'general')!.registers.map(({ name }) => name);
  expect(general).toEqual(expect.arrayContaining(['rax', 'r15', 'rip']));
  const walk = await guest.handlers['debug.pageWalk']({ at: `0x${getpid}` });
  expect(walk.paging).toBe('4-level paging');
  expect(walk.physical).not.toBeNull();
  expect(walk.levels.map(({ name }) => name).slice(0, 3)).toEqual(['PML4E', 'PDPTE', 'PDE']);
  const { entries } = await guest.handlers['debug.descriptors']({ table: 'idt' });
  expect(entries.length).toBeGreaterThan(30);
  expect(entries[14]!.target).toMatch(/ffffffff[0-9a-f]{8}/);
});

it('the call stacks of an amd64 kernel are whole: in a system call, in an interrupt, in a fault', { timeout: 300_000 }, async () => {
  using guest = new DebuggedGuest({
    memoryMiB: 256,
    kernel: { path: guestFile('kernel64'), initrd: guestFile('initramfs64'), commandLine: guests.commandLine },
  });
  guest.guest.machine.start();
  await guest.guest.waitForShells(150);
  await guest.monitor('symbols load kernel:');
  guest.guest.send('while true; do sh -c "exit 3"; done\n');
  const stackAt = async (symbol: string): Promise<{ function: string; how: string }[]> => {
    const { id } = await guest.break({ where: { kind: 'execute', at: symbol } });
    await guest.continue(60);
    const { frames } = await guest.handlers['debug.stack']({ limit: 40 });
    await guest.handlers['debug.removeBreakpoint']({ id });
    return frames.map(({ function: name, how }) => ({ function: name, how }));
  };
  const names = (frames: readonly { function: string }[]): string[] => frames.map(({ function: name }) => name);

  const call = await stackAt('do_exit');
  expect(names(call).slice(0, 5)).toEqual(['do_exit', 'do_group_exit', '__x64_sys_exit_group', 'do_syscall_64', 'entry_SYSCALL_64_after_hwframe']);
  const fault = await stackAt('handle_mm_fault');
  expect(names(fault).slice(0, 4)).toEqual(['handle_mm_fault', 'do_user_addr_fault', 'exc_page_fault', 'asm_exc_page_fault']);
  const interrupt = await stackAt('update_process_times');
  expect(names(interrupt)).toEqual(expect.arrayContaining(['hrtimer_interrupt', '__sysvec_apic_timer_interrupt', 'sysvec_apic_timer_interrupt', 'asm_sysvec_apic_timer_interrupt']));
  // The interrupt came on a stack of its own; what it interrupted goes on behind it.
  const entry = names(interrupt).indexOf('asm_sysvec_apic_timer_interrupt');
  expect(interrupt.slice(1, entry + 1).every(({ how }) => how === 'ORC')).toBe(true);
  expect(interrupt[entry + 1]!.how).toBe('interrupt frame');
});
