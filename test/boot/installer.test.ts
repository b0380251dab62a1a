// Debian's text installer for i386 and amd64: its first menu on the screen, moved with keys.
import { expect, it } from 'vitest';
import { BootMachine, guestFile } from './bootMachine.ts';

/** Less makes the installer stop at a warning first ("Entering low memory mode"). */
const MEMORY_MIB = { '': 512, '64': 1024 } as const;

it.each([['i386', ''], ['amd64', '64']] as const)("Debian's text installer for %s shows its menu and follows the keys", async (_name, suffix) => {
  using guest = BootMachine.start({
    memoryMiB: MEMORY_MIB[suffix],
    kernel: {
      path: guestFile(`installerKernel${suffix}`),
      initrd: guestFile(`installerInitrd${suffix}`),
      commandLine: 'vga=normal fb=false priority=low --- quiet',
    },
  });
  await guest.waitForScreen(/Debian installer main menu[^]*<Tab> moves/, 540);
  const menu = guest.screen();
  const lineOf = (text: string): number => menu.findIndex((line) => line.includes(text));
  const selected = (): number | undefined => guest.machine.display.text()?.cursor?.row;
  expect(lineOf('Choose language')).toBeGreaterThan(0);
  await guest.waitUntil(() => selected() === lineOf('Choose language'), 10, 'waiting for the first line to be selected');
  guest.press('down');
  await guest.waitUntil(() => selected() === lineOf('Access software'), 10, 'waiting for the selection to move down');
  guest.press('down');
  await guest.waitUntil(() => selected() === lineOf('Configure the keyboard'), 10, 'waiting for the next line');
  guest.press('up');
  guest.press('up');
  await guest.waitUntil(() => selected() === lineOf('Choose language'), 10, 'waiting for the selection to move up');
  guest.press('enter');
  await guest.waitForScreen(/Select a language/, 60);
}, 600_000);
