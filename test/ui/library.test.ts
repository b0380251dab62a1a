import fs from 'node:fs';
import path from 'node:path';
import { isoImage, mbrDisk } from '../support/images.ts';
import { drop, expect, expectScreen, test } from './fixtures.ts';

test('an ISO is dropped and one click starts it', async ({ app, shot }) => {
  await shot('first-run-no-tour');
  await drop(app, [{ name: 'some-system.iso', content: isoImage('DEBIAN_12_I386') }]);
  const card = app.getByRole('dialog');
  await expect(card.getByRole('heading', { name: 'DEBIAN 12 I386 (CD)' })).toBeVisible();
  await shot('drop-card');
  await app.keyboard.press('Enter');
  await expect(app.locator('.machine-header .state')).toHaveText('Running');
  await expect(app).toHaveURL(/machines\/debian-12-i386\/console/);
  await expectScreen(app, 'debian-12-i386', /fake machine, 512 MiB/);
  await app.waitForTimeout(3000);
  await shot('console-fake');
  await app.getByRole('link', { name: 'Overview' }).click();
  await app.waitForTimeout(2500);
  await shot('overview-fake');
});

test('machines, their disks and notes persist', async ({ app, server, page }) => {
  const file = path.join(server.files, 'disk.img');
  fs.writeFileSync(file, mbrDisk());
  await app.getByRole('button', { name: 'New', exact: true }).click();
  await app.getByLabel('Name').fill('persistent');
  await app.getByRole('button', { name: 'Create', exact: true }).click();
  await expect(app.getByRole('heading', { name: 'persistent' })).toBeVisible();
  await app.getByLabel('Notes').fill('remember me');
  await app.getByLabel('Notes').blur();
  await server.restart();
  await page.goto(server.address);
  await page.getByRole('option', { name: /persistent/ }).click();
  await expect(page.getByLabel('Notes')).toHaveValue('remember me');
});
