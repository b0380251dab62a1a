// memtest86+ (32 and 64 bits) tests memory and shows it moving.
import { expect, it } from 'vitest';
import { BootMachine, guestFile } from './bootMachine.ts';

interface Progress {
  readonly pass: number;
  readonly testPercent: number;
  readonly test: string;
  readonly time: string;
  readonly errors: string;
}

function readProgress(guest: BootMachine): Progress {
  const text = guest.screenText();
  return {
    pass: Number(/Pass\s*(\d+)%/.exec(text)?.[1] ?? NaN),
    testPercent: Number(/Test\s*(\d+)%/.exec(text)?.[1] ?? NaN),
    test: /Test\s*#\s*(\d+)/.exec(text)?.[1] ?? '',
    time: /Time:?\s*([\d:]+)/.exec(text)?.[1] ?? '',
    errors: /Errors:?\s*(\d+)/.exec(text)?.[1] ?? '',
  };
}

const KINDS = [
  ['32-bit', 'memtest', 'pentium3'],
  ['64-bit', 'memtest64', 'x86-64-v2'],
] as const;

it.each(KINDS)('memtest86+ %s runs its tests without errors', async (_kind, file, model) => {
  using guest = BootMachine.start({ memoryMiB: 32, cpu: { model }, kernel: { path: guestFile(file) } });
  await guest.waitForScreen(/Test\s*#\s*\d/, 40);
  await guest.waitUntil(() => readProgress(guest).pass >= 1, 60, 'waiting for the first per cent of a pass');
  const first = readProgress(guest);
  await guest.waitUntil(() => readProgress(guest).pass >= first.pass + 3 && readProgress(guest).time > first.time, 60, 'waiting for more per cents');
  const second = readProgress(guest);
  expect(second.time > first.time).toBe(true);
  expect(second.errors).toBe('0');
  expect(guest.screenText()).toMatch(/Memtest86\+/);
});
