// Garbage, half packets and clients that vanish, at the GDB port of the real debugger over the tour guest.
import net from 'node:net';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { gdbConversation } from '../support/gdbFuzz.ts';
import { DebuggedGuest, runGdb, sleep, tourConfiguration } from './debuggedGuest.ts';

const SECONDS = Number(process.env['TRAPEZE_FUZZ_SECONDS'] ?? 60);

/** One client that says all its pieces and goes, politely or not. */
function converse(port: number, pieces: readonly Uint8Array[], politely: boolean): Promise<void> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      for (const bytes of pieces) socket.write(bytes);
      if (politely) setTimeout(() => socket.end(), 5);
      else setTimeout(() => socket.resetAndDestroy(), 3);
    });
    socket.on('data', () => {});
    socket.on('error', () => {});
    socket.on('close', () => resolve());
  });
}

it(`leaves the service whole after ${SECONDS} s of it`, { timeout: SECONDS * 1000 + 120_000 }, async () => {
  const end = performance.now() + SECONDS * 1000;
  let conversations = 0, guests = 0;
  const seed = 20_261;
  for (let round = 0; performance.now() < end; round++) {
    using guest = new DebuggedGuest(tourConfiguration);
    guests++;
    guest.guest.machine.start();
    await guest.guest.waitForScreen('chapter 1 of 7', 20);
    const address = await guest.listen();
    const port = Number(address.slice(address.lastIndexOf(':') + 1));
    const until = Math.min(end, performance.now() + 10_000);
    for (let group = 0; performance.now() < until && guest.guest.machine.state === 'running'; group++) {
      for (const pieces of fc.sample(gdbConversation, { numRuns: 10, seed: seed + round * 1000 + group })) {
        await converse(port, pieces, conversations % 3 !== 0);
        conversations++;
        for (let wait = 0; wait < 200 && (await guest.status()).gdb?.client != null; wait++) await sleep(10);
        const status = await guest.status();
        expect(status.gdb?.client, 'a client that has gone is still served').toBeNull();
        expect(await guest.breakpoints()).toEqual([]);
        // A write into a register or memory may crash the guest, as in any debugger; only that ends it.
        if (status.state === 'halted') break;
        expect(status.state, JSON.stringify(status.stop)).toBe('running');
      }
    }
  }
  expect(conversations).toBeGreaterThan(SECONDS);
  expect(guests).toBeGreaterThan(0);
});

it('serves a real client and leaves the guest running after garbage that changes nothing', async () => {
  using guest = new DebuggedGuest(tourConfiguration);
  guest.guest.machine.start();
  await guest.guest.waitForScreen('chapter 1 of 7', 20);
  const address = await guest.listen();
  const port = Number(address.slice(address.lastIndexOf(':') + 1));
  const harmless = fc.sample(fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 10 }), { numRuns: 50, seed: 7 });
  for (const [index, pieces] of harmless.entries()) await converse(port, pieces, index % 2 === 0);
  await sleep(100);
  expect((await guest.status()).state).toBe('running');
  expect(await guest.breakpoints()).toEqual([]);
  const output = await runGdb(address, ['break *0x103bb', 'continue', 'printf "at %x\\n", $pc', 'detach']);
  expect(output).toContain('at 103bb');
  guest.guest.type('4');
  await guest.guest.waitForScreen(/chapter 4/, 10);
});
