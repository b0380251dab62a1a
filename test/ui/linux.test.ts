// A person drops Debian's kernel on a CD, clicks once, and works in its shell on VGA and on the serial port.
import fs from 'node:fs';
import path from 'node:path';
import { dropFile, expect, expectScreen, root, screenText, test, typeOnKeys } from './fixtures.ts';

const guests = path.join(root, '.cache/guests');
const BOOT_MS = 240_000;

test.use({ vmEntry: path.join(root, 'src-main/vm-host/main.ts'), colorScheme: 'dark' });

test('from a dropped ISO to a computed answer in the shell', async ({ app, shot }) => {
  test.setTimeout(BOOT_MS + 60_000);
  const { files, prompt } = JSON.parse(fs.readFileSync(path.join(guests, 'guests.json'), 'utf8')) as {
    files: Record<string, string>;
    prompt: string;
  };
  await dropFile(app, path.join(guests, files['isolinuxIso']!));
  const card = app.getByRole('dialog');
  await expect(card.getByText('El Torito boot record')).toBeVisible();
  await shot('linux-drop-card');
  await card.getByRole('button', { name: 'Create and start' }).click();
  await expect(app.locator('.machine-header .state')).toHaveText('Running');
  const id = /machines\/([^/]+)\//.exec(app.url())![1]!;
  await expect.poll(() => screenText(app, id), { timeout: BOOT_MS, intervals: [1000] }).toContain(prompt.trim());
  await shot('linux-shell');
  await app.getByRole('application').click();
  await typeOnKeys(app, 'echo $((6*7))-on-vga\n');
  await expectScreen(app, id, /^42-on-vga$/m);
  await shot('linux-answer');
  await app.keyboard.press('ControlRight');
  await app.getByRole('link', { name: 'Serial' }).click();
  await expect(app.locator('.xterm-rows')).toContainText(prompt.trim());
  await app.locator('.xterm').click();
  await app.keyboard.type('echo $((6*8))-on-serial\n', { delay: 20 });
  await expect(app.locator('.xterm-rows')).toContainText('48-on-serial', { timeout: 20_000 });
  await shot('linux-serial');

  const state = app.locator('.machine-header .state');
  await app.getByRole('button', { name: 'Pause' }).click();
  await expect(state).toHaveText('Paused');
  await app.getByRole('button', { name: 'Continue' }).click();
  await expect(state).toHaveText('Running');
  await app.locator('.xterm').click();
  await app.keyboard.type('echo still-$((2+3))-here\n', { delay: 20 });
  await expect(app.locator('.xterm-rows')).toContainText('still-5-here', { timeout: 20_000 });
  await app.getByRole('button', { name: 'More ways to stop' }).click();
  await app.getByRole('menuitem', { name: 'Reset' }).click();
  await expect.poll(() => screenText(app, id)).not.toContain('42-on-vga');
  await expectScreen(app, id, /ISOLINUX/);
  await app.getByRole('button', { name: 'More ways to stop' }).click();
  await app.getByRole('menuitem', { name: 'Power off…' }).click();
  await app.getByRole('dialog').getByRole('button', { name: 'Power off' }).click();
  await expect(state).toHaveText('Stopped');
});
