// Debian's text installer for i386: its first menu on the screen, moved with keys.
import { expect, it } from 'vitest';
import { BootMachine, guestFile } from './bootMachine.ts';

it("Debian's text installer asks for the language and follows the keys", async () => {
  using guest = BootMachine.start({
    memoryMiB: 320,
    kernel: {
      path: guestFile('installerKernel'),
      initrd: guestFile('installerInitrd'),
      commandLine: 'vga=normal fb=false TERM=linux priority=low --- quiet',
    },
  });
  const started = performance.now();
  await guest.waitForScreen(/Choose language|Select a language|installer main menu/i, 240);
  console.log(`menu after ${((performance.now() - started) / 1000).toFixed(1)} s\n${guest.screenText()}`);
  const before = guest.screenText();
  guest.press('down');
  await guest.waitUntil(() => guest.screenText() !== before, 20, 'waiting for the menu to move');
  console.log(guest.screenText());
  expect(guest.screenText()).toMatch(/Choose language|Select a language|installer main menu/i);
});
