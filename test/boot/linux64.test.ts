// Debian's amd64 kernel and userlands: to a shell in each way of booting, its log without complaints about the machine, and
// programs of a glibc system with the results that they have anywhere.
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { BootMachine, guestFile, guests, type Configuration } from './bootMachine.ts';

const kernel = (initrd: string, commandLine: string): NonNullable<Configuration['kernel']> => ({
  path: guestFile('kernel64'), initrd: guestFile(initrd), commandLine,
});

/** Lines of the log that speak of trouble without there being any. */
const HARMLESS = [
  /Using host bridge windows from ACPI/, /fail to add MMCONFIG information/, /This is not a bug/,
  // The mitigations of a kernel are no complaints.
  /Spectre|ITS:|MDS|Mitigation/,
];
const COMPLAINT = /\b(warn(ing)?|bug|error|fail(ed|ure)?|unexpected|lockup|oops|call trace|unable|invalid|bogus|firmware bug)\b/i;

/** The kernel's log, which must not complain. */
async function quietLog(guest: BootMachine): Promise<string> {
  const log = await guest.command('dmesg');
  expect(log.split('\n').filter((line) => COMPLAINT.test(line) && !HARMLESS.some((pattern) => pattern.test(line)))).toEqual([]);
  return log;
}

describe('the amd64 kernel', () => {
  it('boots by direct load; its processor, interrupts and log are in order', async () => {
    using guest = BootMachine.start({ memoryMiB: 256, kernel: kernel('initramfs64', guests.commandLine) });
    await guest.waitForShells(150);
    expect(await guest.command('uname -m')).toBe('x86_64');
    const processor = await guest.command('cat /proc/cpuinfo');
    for (const flag of ['lm', 'nx', 'sse2', 'ssse3', 'sse4_1', 'sse4_2', 'popcnt', 'cx16', 'pcid', 'smep', 'smap', 'umip', 'fsgsbase', 'rdtscp', 'pdpe1gb']) {
      expect(processor).toMatch(new RegExp(`^flags.* ${flag}( |$)`, 'm'));
    }
    expect(processor).not.toMatch(/^flags.* (avx|aes|sha_ni)( |$)/m);
    const interrupts = await guest.command('cat /proc/interrupts');
    expect(interrupts).toMatch(/ 4: +\d+ +IO-APIC +4-edge +ttyS0/);
    expect(Number(/LOC: +(\d+)/.exec(interrupts)?.[1])).toBeGreaterThan(10);
    expect(interrupts).toMatch(/ERR: +0/);
    const log = await quietLog(guest);
    expect(log).toMatch(/kvm-clock: Using msrs/);
    expect(log).toMatch(/Performance Events: Nehalem events, Intel PMU driver/);
    expect(log).toMatch(/NX \(Execute Disable\) protection: active/);
  });

  it('boots from a GRUB ISO', async () => {
    using guest = BootMachine.start({ memoryMiB: 256, cdrom: guestFile('grubIso64'), bootOrder: ['cdrom'] });
    await guest.waitForShells(200);
    expect(await guest.command('uname -m')).toBe('x86_64');
  });

  it('boots on a Core 2', async () => {
    using guest = BootMachine.start({ memoryMiB: 256, cpu: { model: 'core2' }, kernel: kernel('initramfs64', guests.commandLine) });
    await guest.waitForShells(150);
    expect(await guest.command("grep -c 'sse4_1' /proc/cpuinfo")).toBe('0');
    expect(await quietLog(guest)).toMatch(/Performance Events: Core2 events, 4-deep LBR, Intel PMU driver/);
    // Its watchdog counts cycles, and interrupts by NMI.
    await guest.command('sleep 12', 60);
    const [, interrupts] = /NMI: +(\d+)/.exec(await guest.command('cat /proc/interrupts'))!;
    expect(Number(interrupts)).toBeLessThan(20);
  });
});

const PROGRAM = [
  '#include <stdio.h>', '#include <string.h>', 'int main(void) {', '  double sum = 0; unsigned long hash = 5381;',
  '  for (int i = 1; i < 1000; i++) { sum += 1.0 / i / i; hash = hash * 33 + i; }',
  '  printf("%.15f %lu %d\\n", sum, hash, (int)sizeof(void *));', '  return 0;', '}',
];

function expectedProgram(bits: 32 | 64): string {
  let sum = 0, hash = 5381n;
  for (let i = 1; i < 1000; i++) {
    sum += 1 / i / i;
    hash = BigInt.asUintN(bits, hash * 33n + BigInt(i));
  }
  // The x87 of 32-bit programs keeps more bits: the sum as a real processor gives it.
  return `${bits === 32 ? '1.643933566681560' : sum.toFixed(15)} ${hash} ${bits / 8}`;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

describe.each([['amd64', 'userland64', 64], ['i386', 'userland32', 32]] as const)('a glibc userland for %s', (_name, initrd, bits) => {
  it('runs perl, python, a compiler, and digests as they are anywhere', async () => {
    using guest = BootMachine.start({ memoryMiB: 1536, kernel: kernel(initrd, 'console=ttyS0 quiet rdinit=/init') });
    await guest.waitForSerial(guests.prompt, 240);
    // The shell of the image echoes what is typed in pieces: answers are taken from files.
    const run = async (line: string, seconds = 120): Promise<string> => {
      await guest.command(`(${line}) > /tmp/answer 2>&1`, seconds);
      return guest.command('cat /tmp/answer; echo');
    };
    const numbers = Array.from({ length: 20_000 }, (_, index) => `${index + 1}\n`).join('');
    expect(await run('seq 1 20000 | sha256sum')).toContain(sha256(numbers));
    expect(await run('seq 1 20000 | openssl dgst -sha256')).toContain(sha256(numbers));
    expect(await run("perl -e 'print join(q(,), map { $_ ** 2 } 1..10), scalar reverse(q( abc))'")).toContain('1,4,9,16,25,36,49,64,81,100cba');
    expect(await run("python3 -c 'import math; print(round(math.pi ** 20, 3), sum(i * i for i in range(10000)), 7 ** 77)'")).toContain(
      `8769956796.083 ${(9999 * 10000 * 19999) / 6} ${7n ** 77n}`,
    );
    for (const line of PROGRAM) await guest.command(`echo '${line}' >> /tmp/a.c`);
    expect(await run('gcc -O2 -o /tmp/a /tmp/a.c && /tmp/a', 200)).toContain(expectedProgram(bits));
    expect(await run('openssl speed -seconds 1 -bytes 1024 sha256', 60)).toMatch(/sha256 +[\d.]+k/);
  });
});
