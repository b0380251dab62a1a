// Two machines in one process: no state is shared, whatever they run.
import { expect, it } from 'vitest';
import { BootMachine, guestFile, guests, linuxKernel } from './bootMachine.ts';

it('an i386 and an amd64 Linux boot side by side and answer each for itself', async () => {
  using narrow = BootMachine.start({ memoryMiB: 128, cpu: { model: 'pentium3' }, kernel: linuxKernel() });
  using wide = BootMachine.start({
    memoryMiB: 256,
    kernel: { path: guestFile('kernel64'), initrd: guestFile('initramfs64'), commandLine: guests.commandLine },
  });
  await Promise.all([narrow.waitForShells(250), wide.waitForShells(250)]);
  const [first, second] = await Promise.all([narrow.command('uname -m; echo one > /tmp/x; cat /tmp/x'), wide.command('uname -m; cat /tmp/x')]);
  expect(first).toBe('i686\none');
  expect(second).toMatch(/^x86_64\n.*No such file/);
});
