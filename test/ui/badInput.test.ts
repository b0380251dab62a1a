import fs from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { cpioArchive, isoImage, mbrDisk } from '../support/images.ts';
import { callApplication, drop, expect, test } from './fixtures.ts';

const refused: readonly [string, string, Buffer, RegExp][] = [
  ['an empty file', 'empty.iso', Buffer.alloc(0), /empty\.iso: the file is empty/],
  ['a truncated CD', 'short.iso', isoImage('SHORT').subarray(0, 21 * 2048), /it is truncated/],
  ['a truncated disk', 'short.img', mbrDisk().subarray(0, 512 * 1000), /its partitions reach to byte|it is truncated/],
  ['text', 'notes.iso', Buffer.from('just some words\n'.repeat(100)), /Found text/],
  [
    'a qcow2 disk',
    'disk.img',
    Buffer.concat([Buffer.from('QFI\xfb', 'latin1'), Buffer.alloc(1020)]),
    /qcow2 disk \(QEMU\), which is not supported yet/,
  ],
  ['a compressed image', 'disk.iso', gzipSync(mbrDisk()), /compressed with gzip/],
  ['a lone initial RAM disk', 'initrd', cpioArchive(), /without its kernel/],
];

for (const [what, name, content, message] of refused) {
  test(`${what} is refused with a reason, and nothing is created`, async ({ app, server, shot }) => {
    await drop(app, [{ name, content }]);
    const card = app.getByRole('dialog');
    await expect(card.getByRole('heading', { name: 'This cannot be started' })).toBeVisible();
    await expect(card.getByRole('alert')).toContainText(message);
    await expect(card.getByRole('alert')).toContainText(name.replace(/\..*/, ''));
    if (what === 'text') await shot('refused');
    await card.getByRole('button', { name: 'Close' }).click();
    await expect.poll(() => fs.readdirSync(path.join(server.library, 'media'))).toEqual([]);
    expect(fs.readdirSync(path.join(server.library, 'machines'))).toEqual([]);
  });
}

test('a disk that disappeared is named when the machine starts', async ({ app, server }) => {
  const file = path.join(server.files, 'gone.img');
  fs.writeFileSync(file, mbrDisk());
  await callApplication(app, 'machines.create', { name: 'widow', configuration: { disks: [{ path: file }] } });
  fs.rmSync(file);
  await app.getByRole('option', { name: /widow/ }).click();
  await expect(app.locator('.storage')).toContainText('there is no such file');
  await app.locator('.machine-header').getByRole('button', { name: 'Start' }).click();
  await expect(app.getByRole('alert')).toContainText(`${file}: there is no such file`);
  await expect(app.locator('.machine-header .state')).toHaveText('Stopped');
});

test('more memory than the host has is refused', async ({ app }) => {
  const create = callApplication(app, 'machines.create', { name: 'giant', configuration: { memoryMiB: 4096 } });
  await expect(create).rejects.toThrow(/refused/);
});
