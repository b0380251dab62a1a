// The bundled tour on the real machine, from the first start of the program to its pages.
import fs from 'node:fs';
import path from 'node:path';
import { expect, expectScreen, root, test } from './fixtures.ts';

const images = path.join(root, 'docs/images');

test.use({
  vmEntry: path.join(root, 'src-main/vm-host/main.ts'),
  tour: path.join(root, 'assets/guests/tour/tour.img'),
  colorScheme: 'dark',
});

test('a new user starts the tour and turns its pages by real keys', async ({ app, shot }) => {
  await expect(app.getByRole('heading', { name: 'Tour of virtualization' })).toBeVisible();
  await shot('first-run');
  await app.getByRole('button', { name: 'Start the tour' }).click();
  await expectScreen(app, 'tour-of-virtualization', /This machine does not exist/);
  await app.getByRole('application').click();
  await app.keyboard.press('Enter');
  await expectScreen(app, 'tour-of-virtualization', /chapter 2 of 7/);
  await app.keyboard.press('3');
  await expectScreen(app, 'tour-of-virtualization', /chapter 3 of 7/);
  await app.waitForTimeout(1500);
  await shot('tour-console');
  await app.keyboard.press('ControlRight');
  await app.getByRole('link', { name: 'Serial' }).click();
  await expect(app.locator('.xterm-rows')).toContainText('Chapter 3 of 7');
  await app.locator('.xterm').click();
  await app.keyboard.type('6');
  await expect(app.locator('.xterm-rows')).toContainText('Chapter 6 of 7');
  await shot('tour-serial');
  await app.getByRole('link', { name: 'Overview' }).click();
  await app.waitForTimeout(8000);
  await shot('tour-overview');
  fs.mkdirSync(images, { recursive: true });
  // The picture in the README is what this test saw.
  await app.screenshot({ path: path.join(images, 'overview.png') });
  await app.getByRole('button', { name: 'Pause' }).click();
  await expect(app.locator('.machine-header .state')).toHaveText('Paused');
  await app.getByRole('button', { name: 'Continue' }).click();
  await expect(app.locator('.machine-header .state')).toHaveText('Running');
  await app.getByRole('button', { name: 'More ways to stop' }).click();
  await app.getByRole('menuitem', { name: 'Reset' }).click();
  await expectScreen(app, 'tour-of-virtualization', /chapter 1 of 7/);
  await app.getByRole('button', { name: 'More ways to stop' }).click();
  await app.getByRole('menuitem', { name: 'Power off…' }).click();
  await app.getByRole('dialog').getByRole('button', { name: 'Power off' }).click();
  await expect(app.locator('.machine-header .state')).toHaveText('Stopped');
  await app.getByRole('link', { name: 'Trapeze, start page' }).click();
  await expect(app.getByAltText('The tour as it was last seen')).toBeVisible();
  await shot('first-run-again');
});
