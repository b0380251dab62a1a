// The demo guest boots through our BIOS on the whole machine and answers on both consoles.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import type { Machine, MachineHost } from '../../core/machine/machine.ts';
import { machineConfigurationSchema } from '../../core/machine/configuration.ts';
import { createMachine } from '../../core/machine/createMachine.ts';
import { MemoryStore } from '../unit/firmware/fakeMachine.ts';

const image = fileURLToPath(new URL('../../assets/guests/tour/tour.img', import.meta.url));

const host: MachineHost = {
  clock: {
    nowMs: () => performance.now(),
    wallMs: () => Date.now(),
    after(ms, callback) {
      const timer = setTimeout(callback, ms);
      return { cancel: () => clearTimeout(timer) };
    },
  },
  log: { write: () => {} },
  openStateFile: () => { throw new Error('the tour has none'); },
  openBlockStore: (path) => new MemoryStore(new Uint8Array(readFileSync(path))),
  readFile: (path) => new Uint8Array(readFileSync(path)),
};

let machine: Machine | null = null;
afterEach(() => {
  machine?.dispose();
  machine = null;
});

async function waitFor(what: () => boolean, seconds: number): Promise<number> {
  const start = performance.now();
  while (!what()) {
    if (performance.now() - start > seconds * 1000) throw new Error('timed out');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return performance.now() - start;
}

it('boots the tour, reacts to the keyboard and to the serial line', { timeout: 30_000 }, async () => {
  const running = createMachine(machineConfigurationSchema.parse({ memoryMiB: 16, disks: [{ path: image }] }), host);
  machine = running;
  let serial = '';
  running.onSerialOutput(({ bytes }) => {
    serial += new TextDecoder('latin1').decode(bytes);
  });
  const screen = (): string => running.display.text()?.lines.join('\n') ?? '';
  running.start();
  await waitFor(() => screen().includes('chapter 1 of 7') && serial.includes('ready'), 10);
  // The guest's own time from power-on to its first page: under a second.
  expect(running.statistics().guestNs).toBeLessThan(1e9);
  running.keyboard([0x05, 0x85]);
  await waitFor(() => screen().includes('every x86 before 2005'), 10);
  expect(screen()).toMatch(/popf +switch interrupts off +SILENT 00000202h/);
  expect(screen()).toMatch(/str ax +which task\? +SILENT 00000028h/);
  running.serialInput(0, Uint8Array.of(0x33));
  await waitFor(() => screen().includes('good citizen'), 10);
  expect(screen()).toMatch(/cli +switch interrupts off +TRAP {3}#GP\(0\)/);
  expect(screen()).toMatch(/mov ds, ax +use a kernel segment +TRAP {3}#GP\(10h\)/);
  expect(serial).toMatch(/TRAP {3}#PF\(05h\)/);
});
