// Debian's i386 kernel with a busybox initramfs, loaded directly: one boot, many questions.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BootMachine, guests, linuxKernel } from './bootMachine.ts';
import { extendedInitramfs, kernelModule } from './initramfs.ts';

const kernelLog = 'console=tty0 console=ttyS0 loglevel=7';

const SUSPICIOUS = /BUG|WARNING|Unable|error|unexpected|fail|invalid|bogus|buggy|disabled by/i;
/** Lines that match and are as they are on a machine of this kind. */
const EXPECTED = [
  // No MMCONFIG and no machine check: this board and this processor model have none.
  /fail to add MMCONFIG information/,
  /mce: Unable to init MCE device/,
  // Said on every machine.
  /Yama: disabled by default/,
  /PCI: Using host bridge windows from ACPI; if necessary, use "pci=nocrs" and report a bug/,
  /iommu: DMA domain TLB invalidation policy/,
  /PnPBIOS: Disabled by ACPI PNP/,
];

describe('Linux by direct load', () => {
  let guest: BootMachine;
  let initramfs: ReturnType<typeof extendedInitramfs>;
  beforeAll(async () => {
    initramfs = extendedInitramfs({ 'button.ko': kernelModule('button'), 'evdev.ko': kernelModule('evdev') });
    guest = BootMachine.start({ memoryMiB: 128, kernel: { ...linuxKernel(kernelLog), initrd: initramfs.path } });
    await guest.waitForShells(90);
  });
  afterAll(() => {
    guest?.dispose();
    initramfs?.remove();
  });

  it('answers a computed question on the serial line', async () => {
    expect(await guest.command('echo $((6*7))-$(uname -m)')).toBe('42-i686');
  });

  it('shows its shell on the screen and answers typed keys there', async () => {
    guest.type('echo "Sum: $((1000+337))" | tr a-z A-Z\n');
    await guest.waitForScreen('SUM: 1337', 20);
    expect(guest.screenText()).toContain(guests.prompt);
  });

  it('finds nothing wrong with the machine', async () => {
    const log = (await guest.command('dmesg', 60)).split('\n');
    expect(log.length).toBeGreaterThan(100);
    const found = log.filter((line) => SUSPICIOUS.test(line) && !EXPECTED.some((known) => known.test(line)));
    expect(found).toEqual([]);
  });

  it('sees the power button as an ACPI interrupt and a key event', async () => {
    const count = async (): Promise<number> => {
      const line = (await guest.command('grep acpi /proc/interrupts')).trim();
      expect(line).toMatch(/^9:/);
      return Number(line.split(/\s+/)[1]);
    };
    await guest.command('insmod /button.ko; insmod /evdev.ko');
    const device = await guest.command("grep -A4 'Power Button' /proc/bus/input/devices | grep -o 'event[0-9]*'");
    expect(device).toMatch(/^event\d+$/);
    await guest.command(`dd if=/dev/input/${device} of=/tmp/press bs=16 count=1 2>/dev/null & sleep 1`);
    const before = await count();
    guest.machine.pressPowerButton();
    // struct input_event: seconds, microseconds, type EV_KEY (1), code KEY_POWER (116), value 1 (pressed).
    expect(await guest.command("wait; hexdump -s 8 -v -e '8/1 \"%02x\"' /tmp/press; echo")).toMatch(/^0100740001000000\b/);
    expect(await count()).toBe(before + 1);
  });

  it('pauses and goes on', async () => {
    guest.machine.pause();
    const { instructions } = guest.machine.statistics();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(guest.machine.statistics().instructions).toBe(instructions);
    guest.machine.start();
    expect(await guest.command('echo still $((3*3))')).toBe('still 9');
  });

  it('powers off from inside', async () => {
    guest.send('poweroff -f\n');
    await guest.waitForState('stopped', 20);
    expect(guest.machine.stopReason).toEqual({ kind: 'guest-power-off' });
  });
});
