// The busybox guest from media through our BIOS: isolinux CD, GRUB CD, GRUB hard disk, and the boot order.
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BootMachine, guestFile, guests } from './bootMachine.ts';
import type { Configuration } from './bootMachine.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'trapeze-boot-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A copy that a guest may write to. */
function diskCopy(): string {
  const copy = path.join(folder, 'disk.img');
  copyFileSync(guestFile('grubDisk'), copy);
  return copy;
}

/** Boots to both shells, computes on the screen with typed keys and on the serial line, powers off. */
async function useShells(configuration: Configuration, loader: RegExp): Promise<void> {
  using guest = BootMachine.start({ memoryMiB: 128, ...configuration });
  await guest.waitForScreen(loader, 20);
  await guest.waitForShells(90);
  expect(guest.screen().at(-1) === '' || guest.screenText().includes(guests.prompt.trim())).toBe(true);
  guest.type('echo "Sum: $((1000+337))" | tr a-z A-Z\n');
  await guest.waitForScreen(/^SUM: 1337$/m, 20);
  expect(await guest.command('echo $((6*7))-$(uname -m)')).toBe('42-i686');
  guest.type('poweroff -f\n');
  await guest.waitForState('stopped', 20);
  expect(guest.machine.stopReason).toEqual({ kind: 'guest-power-off' });
}

describe('Linux from media', () => {
  it('boots from a CD made with isolinux', () => useShells({ cdrom: guestFile('isolinuxIso') }, /isolinux/i));
  it('boots from a CD made with GRUB', () => useShells({ cdrom: guestFile('grubIso') }, /GRUB/));
  it('boots from a hard disk made with GRUB', () => useShells({ disks: [{ path: diskCopy() }] }, /GRUB/));
});

describe('boot order', () => {
  const tour = path.resolve(import.meta.dirname, '../../assets/guests/tour/tour.img');
  const both: Configuration = { memoryMiB: 64, disks: [{ path: tour, readOnly: true }], cdrom: guestFile('isolinuxIso') };

  it('takes the disk first when it stands first', async () => {
    using guest = BootMachine.start({ ...both, bootOrder: ['disk', 'cdrom'] });
    await guest.waitForScreen('chapter 1 of 7', 20);
  });

  it('takes the CD first when it stands first', async () => {
    using guest = BootMachine.start({ ...both, bootOrder: ['cdrom', 'disk'] });
    await guest.waitForScreen(/isolinux/i, 20);
  });

  it('goes on to the next medium when the first does not boot', async () => {
    const blank = path.join(folder, 'blank.img');
    writeFileSync(blank, Buffer.alloc(1 << 20));
    using guest = BootMachine.start({ ...both, disks: [{ path: blank }], bootOrder: ['disk', 'cdrom'] });
    await guest.waitForScreen(/isolinux/i, 20);
  });

  it('says so when nothing boots', async () => {
    using guest = BootMachine.start({ memoryMiB: 16 });
    await guest.waitForScreen(/no .*boot|nothing .*boot|not .*boot/i, 20);
  });
});
