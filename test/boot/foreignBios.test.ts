// A foreign BIOS drives the same board: Debian's SeaBIOS starts the tour from disk.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { it } from 'vitest';
import { BootMachine } from './bootMachine.ts';

const BIOS = '/usr/share/seabios/bios.bin';
const tour = fileURLToPath(new URL('../../assets/guests/tour/tour.img', import.meta.url));

it.skipIf(!existsSync(BIOS))('starts the tour through SeaBIOS', { timeout: 60_000 }, async () => {
  using guest = BootMachine.start({
    memoryMiB: 64,
    firmware: { bios: BIOS, vgaBios: null },
    disks: [{ path: tour, readOnly: true }],
  });
  await guest.waitForSerial('Press Enter to begin', 30);
});
