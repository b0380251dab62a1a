// A foreign BIOS drives the same board: Debian's SeaBIOS starts the tour from disk.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { BootMachine, guestFile, guests } from './bootMachine.ts';

const BIOS = '/usr/share/seabios/bios.bin';
const BIOS_256K = '/usr/share/seabios/bios-256k.bin';
const VGA_BIOS = '/usr/share/seabios/vgabios-isavga.bin';
const tour = fileURLToPath(new URL('../../assets/guests/tour/tour.img', import.meta.url));

it.skipIf(!existsSync(BIOS))('starts the tour through SeaBIOS', { timeout: 60_000 }, async () => {
  using guest = BootMachine.start({
    memoryMiB: 64,
    firmware: { bios: BIOS, vgaBios: null },
    disks: [{ path: tour, readOnly: true }],
  });
  await guest.waitForSerial('Press Enter to begin', 30);
});

/** SeaBIOS as QEMU has it, with its video BIOS: it reads memory map, boot order and ACPI tables through fw_cfg. */
const seaBios = { memoryMiB: 128, firmware: { bios: BIOS_256K, vgaBios: VGA_BIOS } };

it.skipIf(!existsSync(BIOS_256K) || !existsSync(VGA_BIOS))('boots Linux from disk by GRUB, on the screen', { timeout: 120_000 }, async () => {
  using guest = BootMachine.start({ ...seaBios, disks: [{ path: guestFile('grubDisk'), readOnly: true }] });
  let log = '';
  guest.machine.onDebugOutput((bytes) => (log += Buffer.from(bytes).toString('latin1')));
  await guest.waitForScreen('GRUB', 30);
  expect(log).toMatch(/SeaBIOS \(version[^]*Found \d+ cpu[^]*Booting from Hard Disk/);
  await guest.waitForShells(90);
  const tables = await guest.command('dmesg | grep -E "ACPI: (RSDP|FACP|DSDT|APIC|HPET)|IOAPIC\\[0\\]|Using IOAPIC"');
  for (const name of ['RSDP', 'FACP', 'DSDT', 'APIC', 'HPET']) expect(tables).toContain(`ACPI: ${name}`);
  expect(tables).toContain('ACPI: Using IOAPIC for interrupt routing');
  expect(await guest.command('dmesg | grep -iE "ACPI.*(error|warn)|BUG:|irq.*nobody"')).toBe('');
  await guest.command('poweroff -f', 5).catch(() => {});
  await guest.waitForState('stopped', 20).catch(() => {});
  expect(guest.machine.stopReason).toEqual({ kind: 'guest-power-off' });
});

it.skipIf(!existsSync(BIOS_256K) || !existsSync(VGA_BIOS))('boots an ISO by El Torito to its menu on the screen', { timeout: 90_000 }, async () => {
  using guest = BootMachine.start({ ...seaBios, cdrom: guestFile('isolinuxIso'), bootOrder: ['cdrom'] });
  await guest.waitForScreen('ISOLINUX', 40);
  await guest.waitForScreen(guests.banner, 80);
});
