import fs from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Failure, failureText } from '../../../core/api/failure.ts';
import { checkAttachment, detectMedia } from '../../../src-main/application/mediaDetection.ts';
import { put, testFolder } from '../../support/folders.ts';
import {
  cpioArchive,
  floppyImage,
  gptDisk,
  isoImage,
  linuxKernel,
  mbrDisk,
  multibootKernel,
  pvhKernel,
} from '../../support/images.ts';

const folder = testFolder();

function refusal(...files: string[]): string {
  try {
    detectMedia(files);
  } catch (error) {
    if (error instanceof Failure) return failureText({ ...error.record, details: '' });
    throw error;
  }
  return 'accepted';
}

describe('what a file is', () => {
  it('tells a bootable CD by its volume and El Torito record, whatever its name', () => {
    const found = detectMedia([put(folder, 'no-extension', isoImage('Debian 12.11.0 i386 n'))]);
    expect(found).toMatchObject({ kind: 'iso', title: 'Debian 12.11.0 i386 n (CD)', warnings: [] });
    expect(found.proposal).toMatchObject({ name: 'Debian 12.11.0 i386 n', newDiskBytes: null });
    expect(found.proposal.configuration.cdrom).toBe(path.join(folder, 'no-extension'));
    expect(found.proposal.configuration.bootOrder[0]).toBe('cdrom');
  });

  it('proposes a disk for a CD of the size of an installer', () => {
    const file = put(folder, 'installer.iso', isoImage('INSTALLER', { sectors: 52_000 }));
    const { proposal } = detectMedia([file]);
    expect(proposal.newDiskBytes).toBe(8 * 1024 ** 3);
    expect(proposal.configuration.bootOrder).toEqual(['disk', 'cdrom', 'floppy']);
    fs.rmSync(file);
  });

  it('falls back to the file name where the label says nothing', () => {
    expect(detectMedia([put(folder, 'memtest.iso', isoImage('CDROM'))]).proposal.name).toBe('memtest');
  });

  it('warns of CDs that cannot start here', () => {
    expect(detectMedia([put(folder, 'data.iso', isoImage('DATA_CD', { boot: false }))]).warnings[0]).toMatch(
      /no boot record/,
    );
    expect(detectMedia([put(folder, 'uefi.iso', isoImage('NEW', { platform: 0xef }))]).warnings[0]).toMatch(/UEFI/);
    expect(detectMedia([put(folder, 'deb-amd64.iso', isoImage('DEBIAN amd64'))]).warnings[0]).toMatch(/64-bit/);
  });

  it('tells partitioned disks, MBR and GPT', () => {
    expect(detectMedia([put(folder, 'mbr', mbrDisk())])).toMatchObject({
      kind: 'disk',
      evidence: 'MBR with 1 partition',
    });
    expect(detectMedia([put(folder, 'gpt', gptDisk())])).toMatchObject({
      kind: 'disk',
      evidence: 'GPT partition table',
    });
  });

  it('tells a floppy by size and boot sector', () => {
    const { proposal, evidence } = detectMedia([put(folder, 'boot.img', floppyImage())]);
    expect(evidence).toBe('1.44 MB floppy with a boot sector');
    expect(proposal.configuration).toMatchObject({
      floppy: { path: path.join(folder, 'boot.img') },
      bootOrder: ['floppy', 'disk', 'cdrom'],
    });
  });

  it('pairs a kernel with its initial RAM disk in any order, compressed or not', () => {
    const kernel = put(folder, 'vmlinuz', linuxKernel('6.1.0-37-686'));
    for (const [name, content] of [
      ['initrd', cpioArchive()],
      ['initrd.gz', gzipSync(cpioArchive())],
      ['initrd.xz', Buffer.from('\xfd7zXZ\0.....', 'latin1')],
    ] as const) {
      const found = detectMedia([put(folder, name, content), kernel]);
      expect(found).toMatchObject({ kind: 'linux', title: 'Linux 6.1.0-37-686', warnings: [] });
      expect(found.proposal.configuration.kernel).toMatchObject({ path: kernel, initrd: path.join(folder, name) });
    }
  });

  it('warns of a 64-bit kernel and of one without a RAM disk', () => {
    const { warnings } = detectMedia([put(folder, 'vmlinuz64', linuxKernel('6.1.0-amd64', { sixtyFourBit: true }))]);
    expect(warnings.join()).toMatch(/64-bit.*Without an initial RAM disk/);
  });

  it('knows a Multiboot 2 kernel by its header in the first 32 KiB', () => {
    const image = Buffer.alloc(40_000);
    [0xe85250d6, 0, 16, (-(0xe85250d6 + 16) & 0xffffffff) >>> 0].forEach((value, index) =>
      image.writeUInt32LE(value, 0x7000 + index * 4),
    );
    expect(detectMedia([put(folder, 'kernel2', image)]).evidence).toBe('Multiboot 2 header at offset 28672');
  });

  it('knows a PVH kernel by its note, and takes any file as a module of it', () => {
    const kernel = put(folder, 'pvh.elf', pvhKernel()),
      initrd = put(folder, 'pvh-initrd', 'anything');
    const found = detectMedia([initrd, kernel]);
    expect(found).toMatchObject({
      kind: 'pvh',
      title: 'PVH kernel pvh.elf',
      evidence: 'ELF with a PVH entry at 100000h',
    });
    expect(found.proposal.configuration.kernel).toMatchObject({ path: kernel, modules: [initrd] });
    expect(() => checkAttachment(kernel, 'kernel')).not.toThrow();
    for (const other of [
      pvhKernel(17),
      pvhKernel(18, 'Zen\0'),
      pvhKernel().subarray(0, 560),
      pvhKernel().fill(255, 120),
    ])
      expect(refusal(put(folder, 'other.elf', other))).toMatch(
        /ELF file for 64-bit without a Multiboot header or a PVH note/,
      );
  });

  it('takes any file as a module of a Multiboot kernel', () => {
    const kernel = put(folder, 'kernel.elf', multibootKernel());
    const module = put(folder, 'module.txt', 'anything at all');
    const found = detectMedia([module, kernel]);
    expect(found.evidence).toBe('ELF with a Multiboot 1 header at offset 4096');
    expect(found.proposal.configuration.kernel).toMatchObject({ path: kernel, modules: [module] });
  });

  it('attaches a CD and a disk together', () => {
    const found = detectMedia([put(folder, 'cd', isoImage('SYSTEM')), put(folder, 'hd', mbrDisk())]);
    expect(found.files.map(({ role }) => role)).toEqual(['cdrom', 'disk']);
    expect(found.proposal.newDiskBytes).toBeNull();
  });
});

describe('what is refused', () => {
  const cases: readonly (readonly [string, Uint8Array | string, RegExp])[] = [
    ['empty', '', /empty: the file is empty/],
    ['text', 'words and words\n'.repeat(99), /Found text/],
    ['document.pdf', '%PDF-1.7 ...', /Found a PDF document/],
    ['elf', multibootKernel().fill(0, 4096, 8192), /ELF file without a Multiboot header or a PVH note/],
    [
      'noise',
      Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 73 + 11) & 0xff)),
      /Found the bytes 0b 54/,
    ],
    ['zeros', Buffer.alloc(4096), /only zeros/],
    [
      'short.iso',
      isoImage('SHORT').subarray(0, 20 * 2048),
      /truncated\nIts volume has 49152 bytes, the file only 40960/,
    ],
    ['short.img', mbrDisk(4096).subarray(0, 512 * 100), /truncated\nIts partitions reach to byte 2097152/],
    ['short-gpt', gptDisk(4096).subarray(0, 512 * 100), /truncated/],
    ['short-kernel', linuxKernel('6.1').subarray(0, 2600), /Linux kernel \(bzImage\), but it is truncated/],
    [
      'a.qcow2',
      Buffer.concat([Buffer.from('QFI\xfb', 'latin1'), Buffer.alloc(600)]),
      /qcow2 disk \(QEMU\), which is not supported yet/,
    ],
    ['a.vmdk', Buffer.concat([Buffer.from('KDMV'), Buffer.alloc(600)]), /VMDK/],
    ['a.vhdx', Buffer.concat([Buffer.from('vhdxfile'), Buffer.alloc(600)]), /VHDX/],
    ['a.vhd', Buffer.concat([Buffer.alloc(1024), Buffer.from('conectix'), Buffer.alloc(504)]), /fixed VHD/],
    [
      'a.vdi',
      (() => {
        const head = Buffer.alloc(512);
        head.writeUInt32LE(0xbeda107f, 0x40);
        return head;
      })(),
      /VDI/,
    ],
    ['a.img.gz', gzipSync(mbrDisk()), /compressed with gzip/],
    ['a.img.xz', Buffer.from('\xfd7zXZ\0.....', 'latin1'), /compressed with xz/],
    ['initrd-alone', cpioArchive(), /initial RAM disk .* without its kernel/],
  ];
  it.each(cases)('%s', (name, content, message) => {
    const file = put(folder, name, content);
    const text = refusal(file);
    expect(text).toMatch(message);
    expect(text).toContain(file);
  });

  it('a folder, a missing file', () => {
    expect(refusal(folder)).toMatch(/it is a folder/);
    expect(refusal(path.join(folder, 'nowhere'))).toMatch(/there is no such file/);
  });

  it.skipIf(process.getuid?.() === 0)('an unreadable file', () => {
    const file = put(folder, 'secret', mbrDisk());
    fs.chmodSync(file, 0);
    expect(refusal(file)).toMatch(/may not be read/);
  });

  it('two kernels, three disks', () => {
    expect(refusal(put(folder, 'k1', linuxKernel('1')), put(folder, 'k2', multibootKernel()))).toMatch(/both kernels/);
    const disks = ['d1', 'd2', 'd3'].map((name) => put(folder, name, mbrDisk()));
    expect(refusal(...disks)).toMatch(/d3: there is no drive left/);
  });

  it('an attachment of the wrong kind', () => {
    expect(() => checkAttachment(put(folder, 'cd2', isoImage('CD')), 'kernel')).toThrow(
      /not a Linux, Multiboot or PVH kernel/,
    );
    expect(() => checkAttachment(put(folder, 'hd2', mbrDisk()), 'cdrom')).toThrow(/not a CD image/);
    expect(() => checkAttachment(put(folder, 'blank', Buffer.alloc(512 * 64)), 'disk')).not.toThrow();
  });
});
