// OVMF, the UEFI firmware of QEMU's PCs, from flash memory: its shell on COM1, its variables in a file of the machine's own.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { BootMachine, guestFile, guests } from './bootMachine.ts';
import { extendedInitramfs, kernelModule } from './initramfs.ts';
import { GlyphReader, saveScreen } from './glyphScreen.ts';

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

/** Narrow glyphs of UEFI 2.10, 34.3. */
const GLYPH = { width: 8, height: 19 };
const LETTERS = 'the quick brown fox jumps over a lazy dog THE QUICK BROWN FOX JUMPS OVER A LAZY DOG 0123456789';
const SIGNS = '.,:;-_=()[]/';

it.skipIf(!existsSync(CODE))('shows its shell on the screen, as COM1 has it', { timeout: 180_000 }, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'trapeze-uefi-'));
  const variables = path.join(folder, 'variables.fd');
  copyFileSync(VARIABLES, variables);
  try {
    using guest = new BootMachine({ memoryMiB: 256, cpu: { model: 'x86-64-v2' as const }, firmware: { bios: CODE, variables } });
    const shell = await shellOf(guest);
    expect(guest.machine.display.text()).toBeNull();
    const mode = guest.machine.display.mode();
    expect(mode.width).toBeGreaterThanOrEqual(640);
    await shell('cls');
    await shell(`echo "${LETTERS}"`);
    await shell(`echo "x${SIGNS}x"`);
    const reader = GlyphReader.find(guest.machine.display, GLYPH, LETTERS);
    reader.learn(`x${SIGNS}x`);
    await shell('cls');
    const seen = (await shell('memmap')).split('\n').map((line) => line.trimEnd());
    const total = seen.find((line) => line.includes('Total Memory'))!;
    await guest.waitUntil(() => reader.lines().some((line) => line.trim() === total.trim()), 10, `${total} on the screen`);
    // Keys arrive as well.
    guest.type('ver\n');
    await guest.waitUntil(() => reader.lines().some((line) => line.trim().startsWith('UEFI Interactive Shell v2')), 20, 'the answer on the screen');
    saveScreen(guest.machine.display, 'uefi-shell');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** In the order of their loading. */
const DISPLAY_MODULES = ['drm', 'drm_kms_helper', 'ttm', 'drm_ttm_helper', 'drm_vram_helper', 'bochs'];

/** What is written to the console stands on the screen. */
async function isReadable(guest: BootMachine, name: string): Promise<void> {
  await guest.command(`printf '\\033[2J\\033[H%s\\n' '${LETTERS}' > /dev/tty0`);
  const reader = GlyphReader.find(guest.machine.display, { width: 8, height: 16 }, LETTERS);
  await guest.command(`echo 'seen through ${name.replaceAll('-', ' ')}' > /dev/tty0`);
  await guest.waitUntil(() => reader.lines().some((line) => line.includes(`seen through ${name.replaceAll('-', ' ')}`)), 10, `${name} on the screen`);
}

it.skipIf(!existsSync(CODE))('starts an amd64 Linux from a FAT disk, with a console in the frame buffer', { timeout: 300_000 }, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'trapeze-uefi-'));
  const variables = path.join(folder, 'variables.fd'), disk = path.join(folder, 'disk.img'), script = path.join(folder, 'startup.nsh');
  const initramfs = extendedInitramfs(Object.fromEntries(DISPLAY_MODULES.map((name) => [`${name}.ko`, kernelModule(name, 'amd64')])), 'amd64');
  try {
    copyFileSync(VARIABLES, variables);
    writeFileSync(disk, new Uint8Array(64 << 20));
    writeFileSync(script, 'fs0:\r\nlinux.efi initrd=\\initrd.gz console=tty0 console=ttyS0 loglevel=7\r\n');
    execFileSync('mformat', ['-i', disk, '-F', '::'], { stdio: 'pipe' });
    for (const [file, name] of [[guestFile('kernel64'), 'linux.efi'], [initramfs.path, 'initrd.gz'], [script, 'startup.nsh']]) {
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
    // First in what the firmware set up, then through a driver of the device.
    expect(await guest.command('cat /proc/fb')).toMatch(/^0 EFI VGA/);
    await isReadable(guest, 'efifb');
    await guest.command(`for module in ${DISPLAY_MODULES.join(' ')}; do insmod /$module.ko; done`, 60);
    expect(await guest.command('cat /proc/fb')).toMatch(/^0 bochs-drm/);
    await isReadable(guest, 'bochs-drm');
    saveScreen(guest.machine.display, 'linux-bochs-drm');
  } finally {
    initramfs.remove();
    rmSync(folder, { recursive: true, force: true });
  }
});
