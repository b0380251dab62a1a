// OVMF, the UEFI firmware of QEMU's PCs, from flash memory: its shell on COM1, its variables in a file of the machine's own.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { BootMachine, guestFile, guests } from './bootMachine.ts';

const CODE = '/usr/share/OVMF/OVMF_CODE.fd', VARIABLES = '/usr/share/OVMF/OVMF_VARS.fd';
const PROMPT = 'Shell> ';
const ANSI = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*[A-Za-z]`, 'g');

async function shellOf(guest: BootMachine): Promise<(line: string) => Promise<string>> {
  guest.machine.start();
  await guest.waitForSerial('ESC', 60);
  guest.send('\x1b');
  await guest.waitForSerial(PROMPT, 30);
  return async (line) => {
    const from = guest.serial.length;
    guest.send(`${line}\r`);
    await guest.waitUntil(() => guest.serial.slice(from).replaceAll(ANSI, '').includes(PROMPT), 30, `the answer to ${line}`);
    return guest.serial.slice(from).replaceAll(ANSI, '').replaceAll('\r', '');
  };
}

it.skipIf(!existsSync(CODE))('reaches its shell and keeps variables over a power cycle', { timeout: 180_000 }, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'trapeze-uefi-'));
  const variables = path.join(folder, 'variables.fd');
  copyFileSync(VARIABLES, variables);
  const configuration = { memoryMiB: 256, cpu: { model: 'x86-64-v2' as const }, firmware: { bios: CODE, variables } };
  const variable = 'setvar TrapezeTest -guid 5d3a7c12-0b6e-4f7a-9a51-2c8f1e6b7d90';
  try {
    {
      using guest = new BootMachine(configuration);
      const shell = await shellOf(guest);
      expect(await shell('ver')).toMatch(/UEFI Interactive Shell v2[^]*UEFI v2\./);
      expect(await shell('memmap')).toMatch(/Total Memory:\s+2\d\d MB/);
      expect(await shell(variable)).not.toContain('4B 65 70 74');
      await shell(`${variable} -nv -bs =H4B657074`);
    }
    expect(readFileSync(variables).equals(readFileSync(VARIABLES))).toBe(false);
    using guest = new BootMachine(configuration);
    const shell = await shellOf(guest);
    expect(await shell(variable)).toContain('4B 65 70 74');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

it.skipIf(!existsSync(CODE))('starts an amd64 Linux from a FAT disk', { timeout: 240_000 }, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'trapeze-uefi-'));
  const variables = path.join(folder, 'variables.fd'), disk = path.join(folder, 'disk.img'), script = path.join(folder, 'startup.nsh');
  try {
    copyFileSync(VARIABLES, variables);
    writeFileSync(disk, new Uint8Array(64 << 20));
    writeFileSync(script, 'fs0:\r\nlinux.efi initrd=\\initrd.gz console=ttyS0 loglevel=7\r\n');
    execFileSync('mformat', ['-i', disk, '-F', '::'], { stdio: 'pipe' });
    for (const [file, name] of [[guestFile('kernel64'), 'linux.efi'], [guestFile('initramfs64'), 'initrd.gz'], [script, 'startup.nsh']]) {
      execFileSync('mcopy', ['-i', disk, file!, `::${name}`], { stdio: 'pipe' });
    }
    using guest = BootMachine.start({
      memoryMiB: 512, cpu: { model: 'x86-64-v2' }, firmware: { bios: CODE, variables }, disks: [{ path: disk, readOnly: true }],
    });
    await guest.waitForSerial('efi: EFI v2.', 120);
    await guest.waitForSerial(new RegExp(`${guests.banner}[^]*${guests.prompt.trim()}`), 120);
    const log = await guest.command('dmesg | grep -E "ACPI: (RSDP|XSDT|FACP|DSDT|APIC|HPET)|Using IOAPIC"');
    for (const name of ['RSDP', 'XSDT', 'FACP', 'DSDT', 'APIC', 'HPET']) expect(log).toContain(`ACPI: ${name}`);
    expect(log).toContain('ACPI: Using IOAPIC for interrupt routing');
    expect(await guest.command('dmesg | grep -iE "ACPI.*(error|warn)|BUG:|WARNING|irq.*nobody"')).toBe('');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
