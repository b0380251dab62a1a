import fs from 'node:fs';
import path from 'node:path';
import { cpioArchive, isoImage, linuxKernel, mbrDisk } from '../support/images.ts';
import { drop, expect, expectScreen, test } from './fixtures.ts';

test('an ISO is dropped and one click starts it', async ({ app, shot }) => {
  await drop(app, [{ name: 'some-system.iso', content: isoImage('DEBIAN_12_I386') }]);
  const card = app.getByRole('dialog');
  await expect(card.getByRole('heading', { name: 'DEBIAN 12 I386 (CD)' })).toBeVisible();
  await expect(card.getByText('ISO 9660, volume label "DEBIAN_12_I386", El Torito boot record')).toBeVisible();
  await shot('drop-card');
  await card.getByRole('button', { name: 'Create and start' }).click();
  await expect(app.locator('.machine-header .state')).toHaveText('Running');
  await expect(app).toHaveURL(/machines\/debian-12-i386\/console/);
  await expectScreen(app, 'debian-12-i386', /fake machine, 512 MiB\ndisk of 49152 bytes/);
});

test('Enter on the card creates and starts', async ({ app }) => {
  await drop(app, [{ name: 'disk', content: mbrDisk() }]);
  await expect(app.getByRole('heading', { name: 'disk (disk)' })).toBeVisible();
  await app.keyboard.press('Enter');
  await expect(app.locator('.machine-header .state')).toHaveText('Running');
});

test('kernel and initial RAM disk are dropped together', async ({ app, shot }) => {
  await drop(app, [
    { name: 'initrd.bin', content: cpioArchive() },
    { name: 'vmlinuz', content: linuxKernel('6.1.0-37-amd64', { sixtyFourBit: true }) },
  ]);
  const card = app.getByRole('dialog');
  await expect(card.getByRole('heading', { name: 'Linux 6.1.0-37-amd64' })).toBeVisible();
  await expect(card.getByText('This system is for 64-bit processors.')).toBeVisible();
  await shot('drop-card-linux');
  await card.getByRole('button', { name: 'Create', exact: true }).click();
  await expect(app.getByText('kernel, directly')).toBeVisible();
});

test('a cancelled card leaves nothing behind', async ({ app, server }) => {
  await drop(app, [{ name: 'a.iso', content: isoImage('A_SYSTEM') }]);
  await expect(app.getByRole('heading', { name: 'A SYSTEM (CD)' })).toBeVisible();
  expect(fs.readdirSync(path.join(server.library, 'media'))).toEqual(['a.iso']);
  await app.keyboard.press('Escape');
  await expect(app.getByRole('dialog')).toBeHidden();
  await expect.poll(() => fs.readdirSync(path.join(server.library, 'media'))).toEqual([]);
  expect(fs.readdirSync(path.join(server.library, 'machines'))).toEqual([]);
});

test('an upload shows its progress and can be cancelled', async ({ app, server, page, shot }) => {
  const session = await page.context().newCDPSession(page);
  await session.send('Network.emulateNetworkConditions', {
    offline: false,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: 400_000,
  });
  const input = app.locator('input[type="file"]');
  await app.getByRole('button', { name: 'Open…' }).click();
  const big = path.join(server.files, 'big.iso');
  fs.writeFileSync(big, isoImage('BIG', { sectors: 4096 }));
  await input.setInputFiles(big);
  await expect(app.getByRole('heading', { name: 'Copying into the library' })).toBeVisible();
  await expect(app.getByRole('progressbar', { name: 'Upload' })).toBeVisible();
  await expect
    .poll(async () => Number(await app.getByRole('progressbar').getAttribute('aria-valuenow')))
    .toBeGreaterThan(3);
  await shot('upload');
  await app.getByRole('button', { name: 'Cancel' }).click();
  await expect.poll(() => fs.readdirSync(path.join(server.library, 'media'))).toEqual([]);
});

test('machines, their disks and notes persist', async ({ app, server, page, shot }) => {
  await app.getByRole('button', { name: 'New', exact: true }).click();
  await app.getByRole('textbox', { name: 'Name' }).fill('persistent');
  await shot('new-machine');
  await app.getByRole('button', { name: 'Create', exact: true }).click();
  await expect(app.getByRole('heading', { name: 'persistent' })).toBeVisible();
  const disk = path.join(server.library, 'machines/persistent/persistent.img');
  expect(fs.statSync(disk).size).toBe(8 * 1024 ** 3);
  expect(fs.statSync(disk).blocks).toBe(0);
  await app.getByRole('textbox', { name: 'Notes' }).fill('remember me');
  await app.getByRole('textbox', { name: 'Notes' }).blur();
  const record = path.join(server.library, 'machines/persistent/machine.json');
  await expect.poll(() => fs.readFileSync(record, 'utf8')).toContain('remember me');
  await server.restart();
  await page.goto(server.address);
  await page.getByRole('option', { name: /persistent/ }).click();
  await expect(page.getByRole('textbox', { name: 'Notes' })).toHaveValue('remember me');
});

test('settings of a stopped machine are changed and applied', async ({ app, shot }) => {
  await drop(app, [{ name: 'disk', content: mbrDisk() }]);
  await app.getByRole('button', { name: 'Create', exact: true }).click();
  await app.getByRole('link', { name: 'Settings' }).click();
  await app.getByRole('textbox', { name: 'Memory' }).fill('4096');
  await expect(app.getByText('4096 MiB are more than Trapeze can give a guest: at most 3072 MiB.')).toBeVisible();
  await expect(app.getByRole('button', { name: 'Apply' })).toBeDisabled();
  await app.getByRole('textbox', { name: 'Memory' }).fill('64');
  await app.getByRole('combobox', { name: 'Processor' }).click();
  await app.getByRole('option', { name: '486' }).click();
  await app.getByRole('textbox', { name: 'Name' }).fill('renamed');
  await shot('settings');
  await app.getByRole('button', { name: 'Apply' }).click();
  await expect(app.getByRole('heading', { name: 'renamed' })).toBeVisible();
  await app.getByRole('link', { name: 'Overview' }).click();
  await expect(app.getByText('1 × 486')).toBeVisible();
});

test('deleting asks first and keeps files that lie outside the library', async ({ app, server }) => {
  const outside = path.join(server.files, 'outside.img');
  fs.writeFileSync(outside, mbrDisk());
  await app.getByRole('button', { name: 'Open…' }).click();
  await expect(app.getByRole('dialog')).toBeVisible();
  await app.keyboard.press('Escape');
  await app.getByRole('button', { name: 'New', exact: true }).click();
  await app.getByRole('textbox', { name: 'Name' }).fill('doomed');
  await app.getByRole('button', { name: 'Create', exact: true }).click();
  await app.getByRole('button', { name: 'More about this machine' }).click();
  await app.getByRole('menuitem', { name: 'Delete…' }).click();
  const dialog = app.getByRole('dialog');
  await expect(dialog.getByText('doomed.img')).toBeVisible();
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  expect(fs.existsSync(path.join(server.library, 'machines/doomed'))).toBe(true);
  await app.getByRole('button', { name: 'More about this machine' }).click();
  await app.getByRole('menuitem', { name: 'Delete…' }).click();
  await app.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expect.poll(() => fs.existsSync(path.join(server.library, 'machines/doomed'))).toBe(false);
  expect(fs.existsSync(outside)).toBe(true);
  await expect(app.getByText('No machines yet')).toBeVisible();
});

test('a file of the server is chosen and stays where it is', async ({ app, server, shot }) => {
  const file = path.join(server.files, 'chosen.iso');
  fs.writeFileSync(file, isoImage('CHOSEN'));
  fs.writeFileSync(path.join(server.library, 'settings.json'), JSON.stringify({ lastFolder: server.files }));
  await server.restart();
  await app.goto(server.address);
  await app.getByRole('button', { name: 'Open…' }).click();
  await app.getByRole('button', { name: /chosen\.iso/ }).click();
  await shot('file-chooser');
  await app.getByRole('button', { name: 'Open', exact: true }).click();
  await expect(app.getByRole('heading', { name: 'CHOSEN (CD)' })).toBeVisible();
  await app.getByRole('button', { name: 'Create', exact: true }).click();
  await expect(app.getByRole('heading', { name: 'CHOSEN', exact: true })).toBeVisible();
  const record = JSON.parse(fs.readFileSync(path.join(server.library, 'machines/chosen/machine.json'), 'utf8')) as {
    configuration: { cdrom: string };
  };
  expect(record.configuration.cdrom).toBe(file);
});

test('a corrupt machine file is reported and left as it is', async ({ app, server }) => {
  const folder = path.join(server.library, 'machines/broken');
  fs.mkdirSync(folder);
  fs.writeFileSync(path.join(folder, 'machine.json'), '{"id": "broken", ');
  await server.restart();
  await app.goto(server.address);
  await expect(app.getByText('A machine could not be read and was left as it is.')).toBeVisible();
  expect(fs.readFileSync(path.join(folder, 'machine.json'), 'utf8')).toBe('{"id": "broken", ');
});

test('the palette finds commands and machines', async ({ app, shot }) => {
  await drop(app, [{ name: 'disk', content: mbrDisk() }]);
  await app.getByRole('button', { name: 'Create', exact: true }).click();
  await expect(app.getByRole('heading', { name: 'disk', exact: true })).toBeVisible();
  await expect(app.getByRole('dialog')).toBeHidden();
  await app.keyboard.press('Control+k');
  await app.getByRole('combobox', { name: 'Search machines and commands' }).fill('sett');
  await shot('palette');
  await app.keyboard.press('Enter');
  await expect(app).toHaveURL(/settings/);
});

test('two thousand machines are a list like any other', async ({ app, server, shot }) => {
  for (let index = 0; index < 2000; index++) {
    const id = `machine-${index}`;
    const folder = path.join(server.library, 'machines', id);
    fs.mkdirSync(folder);
    const name =
      index === 1234 ? 'the one with a name that is much too long for any list to show it whole' : `Machine ${index}`;
    fs.writeFileSync(path.join(folder, 'machine.json'), JSON.stringify({ id, name, createdAt: 0, configuration: {} }));
  }
  await server.restart();
  await app.goto(server.address);
  await expect(app.getByRole('option').first()).toBeVisible();
  expect(await app.getByRole('option').count()).toBeLessThan(60);
  await app.getByRole('textbox', { name: 'Filter machines' }).fill('much too long');
  await expect(app.getByRole('option')).toHaveCount(1);
  await shot('long-name');
  await app.getByRole('option').click();
  await expect(app.getByRole('heading', { name: /the one with a name/ })).toBeVisible();
  await app.getByRole('textbox', { name: 'Filter machines' }).fill('nothing like this');
  await expect(app.getByText('No machine matches')).toBeVisible();
});
