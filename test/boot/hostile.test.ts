// Guests that do what no system does: the process goes on, the machine says what happened and can be reset.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BootMachine } from './bootMachine.ts';

const SECTOR = 512;
const SETTLE_MS = 1500;
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'trapeze-hostile-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** xorshift32: the same garbage in every run. */
function garbage(length: number, seed: number): Uint8Array {
  let word = seed;
  return Uint8Array.from({ length }, () => {
    word ^= word << 13;
    word ^= word >>> 17;
    word ^= word << 5;
    return word & 0xff;
  });
}

/** A disk whose boot sector starts with `code`; the rest is `filling`. */
function disk(name: string, code: readonly number[], filling: Uint8Array = new Uint8Array(64 * SECTOR)): string {
  const image = Uint8Array.from(filling);
  image.set(code);
  image.set([0x55, 0xaa], SECTOR - 2);
  const file = path.join(folder, name);
  writeFileSync(file, image);
  return file;
}

const settle = () => new Promise((resolve) => setTimeout(resolve, SETTLE_MS));

/** lidt [table]; int3, with an interrupt table of no length: int3, #GP and the double fault all find no gate. */
const TRIPLE_FAULT = [0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0x0f, 0x01, 0x1e, 0x0c, 0x7c, 0xcc, 0xf4, 0, 0, 0, 0, 0, 0];

/**
 * Random numbers to random ports for ever: a linear congruential generator in EAX, its upper half as the port. Ports that
 * reset the machine are as good as any other.
 */
const RANDOM_PORTS = [
  0xfa, // cli
  0x66, 0x69, 0xc0, 0x0d, 0x66, 0x19, 0x00, // imul eax, eax, 19660Dh
  0x66, 0x05, 0x5f, 0xf3, 0x6e, 0x3c, // add eax, 3C6EF35Fh
  0x66, 0x89, 0xc2, // mov edx, eax
  0x66, 0xc1, 0xea, 0x10, // shr edx, 16
  0x81, 0xe2, 0xff, 0x0f, // and dx, 0FFFh
  0xee, // out dx, al
  0xed, // in ax, dx
  0x66, 0xef, // out dx, eax
  0x66, 0x31, 0xc8, // xor eax, ecx
  0x66, 0x41, // inc ecx
  0xeb, 0xdc, // again: behind the cli
];

describe('hostile guests', () => {
  it('a triple fault halts the machine with its reason, and reset starts it again', async () => {
    using guest = BootMachine.start({ memoryMiB: 16, disks: [{ path: disk('triple.img', TRIPLE_FAULT) }] });
    await guest.waitForState('halted', 20);
    expect(guest.machine.stopReason?.kind).toBe('triple-fault');
    const { instructions } = guest.machine.statistics();
    guest.machine.reset();
    expect(guest.machine.state).toBe('running');
    await guest.waitForState('halted', 20);
    expect(guest.machine.stopReason?.kind).toBe('triple-fault');
    expect(guest.machine.statistics().instructions).toBeGreaterThan(instructions);
  });

  it.each([1, 2, 3, 4])('garbage in the boot sector (%i) leaves the machine in a state it can be reset from', async (seed) => {
    const file = disk(`garbage${seed}.img`, [], garbage(64 * SECTOR, seed * 0x9e3779b1));
    using guest = BootMachine.start({ memoryMiB: 16, disks: [{ path: file }] });
    await settle();
    expect(['running', 'halted', 'stopped']).toContain(guest.machine.state);
    expect(guest.machine.stateHash()).toMatch(/^[0-9a-f]{32}$/);
    if (guest.machine.state === 'stopped') guest.machine.start();
    else guest.machine.reset();
    await guest.waitUntil(() => guest.machine.statistics().instructions > 0, 10, 'waiting for the machine to run');
  });

  it.each([0x1234567, 0x89abcde, 0xfeedbee])('random values in random ports (%i) never stop the process', async (seed) => {
    const start = [0x66, 0xb8, seed & 0xff, (seed >> 8) & 0xff, (seed >> 16) & 0xff, (seed >>> 24) & 0xff];
    const file = disk(`ports${seed}.img`, [...start, ...RANDOM_PORTS]);
    using guest = BootMachine.start({ memoryMiB: 16, disks: [{ path: file }] });
    let accesses = 0;
    await guest.waitUntil(() => (accesses = guest.machine.statistics().exits.port?.count ?? 0) > 20_000, 20, 'waiting for many port accesses')
      // Some value in some port may well have switched the machine off: that is an end too.
      .catch((error: unknown) => {
        if (guest.machine.state === 'running') throw error;
      });
    expect(accesses).toBeGreaterThan(100);
    await settle();
    guest.machine.keyboard([0x1c, 0x9c]);
    guest.machine.mouse(1, 1, 0, 1);
    guest.machine.serialInput(0, Uint8Array.of(1, 2, 3));
    guest.machine.display.update({}, true);
    expect(guest.machine.stateHash()).toMatch(/^[0-9a-f]{32}$/);
  });
});
