// A run under the debugger is the same run, to the last bit of the machine's state.
import { expect, it } from 'vitest';
import { linuxKernel, type Configuration } from './bootMachine.ts';
import { DebuggedGuest, tourConfiguration, tourElf } from './debuggedGuest.ts';

const RTC_START = 1_700_000_000;

interface Run {
  readonly hash: string;
  readonly instructions: number;
  readonly guestNs: number;
  readonly serial: string;
  /** What the audit counted. */
  readonly audit: readonly object[];
}

async function finish({ guest, handlers }: DebuggedGuest, end: number): Promise<Run> {
  guest.machine.runUntil(end);
  await guest.waitUntil(() => guest.machine.state === 'paused' && guest.machine.statistics().instructions >= end, 120, `reaching ${end}`);
  const { instructions, guestNs } = guest.machine.statistics();
  return { hash: guest.machine.stateHash(), instructions, guestNs, serial: guest.serial, audit: (await handlers['traps.audit']({})).rows };
}

async function run(configuration: Configuration, end: number, debug: (guest: DebuggedGuest) => Promise<void> = async () => {}): Promise<Run> {
  using guest = new DebuggedGuest({ clock: 'virtual', rtcStart: RTC_START, ...configuration });
  await debug(guest);
  expect(guest.instructions).toBeLessThan(end);
  return await finish(guest, end);
}

/** Continues `times` times up to a breakpoint, with some steps behind each stop. */
async function stopAndStep(guest: DebuggedGuest, times: number, steps: (time: number) => number): Promise<void> {
  for (let time = 0; time < times; time++) {
    const status = await guest.continue(20);
    expect(status.state, JSON.stringify(status.stop)).toBe('paused');
    expect(status.stop?.kind).toBe('breakpoint');
    const count = steps(time);
    if (count > 0) await guest.step(count);
  }
}

it('the tour with its interrupts, stopped and stepped in many places', async () => {
  const end = 400_000;
  const plain = await run(tourConfiguration, end);
  const debugged = await run(tourConfiguration, end, async (guest) => {
    await guest.step(20);
    await guest.break({ where: { kind: 'execute', at: '7c00' }, oneShot: true });
    await stopAndStep(guest, 1, () => 300);
    await guest.handlers['debug.loadSymbols']({ path: tourElf, offset: '0' });
    await guest.handlers['traps.record']({ on: true, keep: true });
    await guest.break({ where: { kind: 'execute', at: 'timer' } });
    await guest.break({ where: { kind: 'execute', at: 'serial_char' }, ignoreHits: 100 });
    await guest.break({ where: { kind: 'execute', at: 'text' }, condition: 'eax == 12345678h' });
    await guest.break({ where: { kind: 'port', from: 0x3f8, to: 0x3f8 }, condition: 'al == 0ffh' });
    await stopAndStep(guest, 60, (time) => time % 23);
    // A hit at each call and interrupt that is only logged.
    for (const { id } of await guest.breakpoints()) await guest.handlers['debug.removeBreakpoint']({ id });
    await guest.break({ where: { kind: 'execute', at: 'show_clock' }, log: 'tick {ticks}' });
    await guest.break({ where: { kind: 'interrupt', vector: 0x20 }, condition: 'eax == 12345678h' });
  });
  expect(debugged).toEqual(plain);
});

it('the start of Linux, stopped, stepped, logged and recorded', { timeout: 300_000 }, async () => {
  // The kernel is unpacked by then, sets itself up and takes its timer's interrupts.
  const start = 3_000_000_000, end = start + 150_000_000;
  const configuration: Configuration = { memoryMiB: 64, kernel: linuxKernel('console=ttyS0 earlyprintk=ttyS0 loglevel=7') };
  const plain = await run(configuration, end);
  expect(plain.serial.length).toBeGreaterThan(0);
  const debugged = await run(configuration, end, async (guest) => {
    await guest.step(5000);
    await guest.handlers['traps.record']({ on: true, keep: true });
    // Somewhere in the kernel: wherever it is after a while, again and again.
    for (const round of [1, 2, 3]) {
      guest.guest.machine.runUntil(start + round * 20_000_000);
      await guest.guest.waitForState('paused', 60);
      await guest.step(777);
      const { place } = await guest.status();
      const here = await guest.break({ where: { kind: 'execute', at: `0x${place.address}` }, condition: 'esp & 3' });
      const ports = await guest.break({ where: { kind: 'port', from: 0, to: 0xffff }, condition: 'al == 0 && ah == 0ffh && dl == 1', log: 'port' });
      const interrupt = await guest.break({ where: { kind: 'interrupt', vector: null }, ignoreHits: 2 });
      for (let stop = 0; stop < 5; stop++) {
        expect((await guest.continue(20)).stop?.breakpointId).toBe(interrupt.id);
        await guest.step(50);
        await guest.control({ action: 'step-over' });
      }
      for (const { id } of await guest.breakpoints()) if (id !== here.id && id !== ports.id) await guest.handlers['debug.removeBreakpoint']({ id });
    }
  });
  expect(debugged).toEqual(plain);
});
