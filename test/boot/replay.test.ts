// A run repeated from what came from outside is the same run, to the last bit.
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { ReplayLog } from '../../core/hypervisor/replayLog.ts';
import { BootMachine, linuxKernel, scanCodes } from './bootMachine.ts';
import type { Configuration } from './bootMachine.ts';

const RTC_START = 1_700_000_000;

interface Run {
  readonly hash: string;
  readonly instructions: number;
  readonly guestNs: number;
  readonly serial: string;
}

async function finish(guest: BootMachine, end: number): Promise<Run> {
  guest.machine.runUntil(end);
  await guest.waitForState('paused', 90);
  const { instructions, guestNs } = guest.machine.statistics();
  return { hash: guest.machine.stateHash(), instructions, guestNs, serial: guest.serial };
}

/** Runs, acts from outside, and stops `more` instructions behind that. */
async function record(
  configuration: Configuration,
  more: number,
  act: (guest: BootMachine) => Promise<void>,
): Promise<{ run: Run; log: ReplayLog; end: number }> {
  using guest = BootMachine.start({ rtcStart: RTC_START, ...configuration }, { record: true });
  await act(guest);
  const end = guest.machine.statistics().instructions + more;
  const run = await finish(guest, end);
  return { run, log: [...guest.machine.recording], end };
}

async function replay(configuration: Configuration, end: number, log: ReplayLog): Promise<Run> {
  using guest = new BootMachine({ rtcStart: RTC_START, ...configuration }, { replay: log });
  return await finish(guest, end);
}

async function pauseAt(guest: BootMachine, instructions: number): Promise<void> {
  guest.machine.runUntil(instructions);
  await guest.waitForState('paused', 60);
}

const kindsOf = (log: ReplayLog): string[] => log.map(({ input }) => input.kind).filter((kind) => kind !== 'rate');

describe('replay', () => {
  it('repeats a Linux boot to the shell with keys and serial input (virtual clock)', async () => {
    const configuration: Configuration = { memoryMiB: 64, clock: 'virtual', kernel: linuxKernel() };
    const { run, log, end } = await record(configuration, 5_000_000, async (guest) => {
      await guest.waitForShells(90);
      guest.type('echo $((20+3))\n');
      await guest.waitForScreen(/^23$/m, 20);
      expect(await guest.command('echo $((6*7))')).toBe('42');
    });
    expect(kindsOf(log)).toEqual(['keyboard', 'serial']);
    expect(await replay(configuration, end, log)).toEqual(run);
  });

  it('repeats the start of a Linux boot whose time follows the host (real clock)', async () => {
    const configuration: Configuration = { memoryMiB: 64, clock: 'real', kernel: linuxKernel() };
    const { run, log, end } = await record(configuration, 100_000_000, async (guest) => {
      await pauseAt(guest, 300_000_000);
      guest.type('early');
      guest.machine.mouse(5, -3, 0, 1);
      await pauseAt(guest, 500_000_000);
      guest.send('before anybody listens');
      guest.machine.pressPowerButton();
      await pauseAt(guest, 700_000_000);
    });
    expect(kindsOf(log)).toEqual(['keyboard', 'mouse', 'serial', 'power-button']);
    expect(log.length).toBeGreaterThan(10);
    expect(await replay(configuration, end, log)).toEqual(run);
  });

  it('repeats a guest that sleeps between its inputs (real clock)', async () => {
    const tour = fileURLToPath(new URL('../../assets/guests/tour/tour.img', import.meta.url));
    const configuration: Configuration = { memoryMiB: 16, clock: 'real', disks: [{ path: tour, readOnly: true }] };
    const { run, log, end } = await record(configuration, 1_000, async (guest) => {
      await guest.waitForScreen('chapter 1 of 7', 20);
      guest.type('4');
      await guest.waitForScreen(/chapter 4/, 10);
      guest.send('3');
      await guest.waitForScreen(/chapter 3/, 10);
    });
    expect(kindsOf(log)).toEqual(['keyboard', 'serial']);
    expect(await replay(configuration, end, log)).toEqual(run);
  });

  it('tells other inputs apart', async () => {
    const tour = fileURLToPath(new URL('../../assets/guests/tour/tour.img', import.meta.url));
    const configuration: Configuration = { memoryMiB: 16, clock: 'virtual', disks: [{ path: tour, readOnly: true }] };
    const { log, run, end } = await record(configuration, 1_000, async (guest) => {
      await guest.waitForScreen('chapter 1 of 7', 20);
      guest.type('3');
      await guest.waitForScreen(/chapter 3/, 10);
    });
    const other = log.map((stamped) =>
      stamped.input.kind === 'keyboard' ? { ...stamped, input: { ...stamped.input, scanCodes: scanCodes('2') } } : stamped,
    );
    expect((await replay(configuration, end, other)).hash).not.toBe(run.hash);
  });
});
