import fs from 'node:fs';
import path from 'node:path';
import type { Page } from '@playwright/test';
import { mbrDisk } from '../support/images.ts';
import { callApplication, drop, expect, expectScreen, screenText, test } from './fixtures.ts';

async function startMachine(app: Page): Promise<void> {
  await drop(app, [{ name: 'box', content: mbrDisk() }]);
  await app.getByRole('button', { name: 'Create and start' }).click();
  await expect(app.locator('.machine-header .state')).toHaveText('Running');
  await expectScreen(app, 'box', /# $|#$/m);
}
const state = (app: Page) => app.locator('.machine-header .state');

test('keys and mouse reach the guest, the release key gives them back', async ({ app, shot }) => {
  await startMachine(app);
  const canvas = app.getByRole('application');
  await canvas.click();
  await expect(app.getByText('Keyboard and mouse belong to the guest.')).toBeVisible();
  await expect(app.locator('.statusbar').getByText('Right Ctrl')).toBeVisible();
  await app.keyboard.type('echo hello from keys\n');
  await expectScreen(app, 'box', /^hello from keys$/m);
  await app.mouse.move(700, 500);
  await app.mouse.move(712, 507);
  await shot('console-captured');
  // Shortcuts are dead while captured.
  await app.keyboard.press('Control+k');
  await expect(app.getByRole('dialog')).toBeHidden();
  await app.keyboard.press('ControlRight');
  await expect(app.getByText('Keyboard and mouse belong to the guest.')).toBeHidden();
  await app.keyboard.press('Control+k');
  await expect(app.getByRole('dialog')).toBeVisible();
});

test('the canvas shows what the guest draws', async ({ app }) => {
  await startMachine(app);
  const picture = (): Promise<string> =>
    app.getByRole('application').evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
  const before = await picture();
  await app.getByRole('application').click();
  await app.keyboard.type('echo drawn\n');
  await expectScreen(app, 'box', /^drawn$/m);
  await expect.poll(picture).not.toBe(before);
});

test('pause, continue, reset, shut down, power off', async ({ app }) => {
  await startMachine(app);
  await app.getByRole('button', { name: 'Pause' }).click();
  await expect(state(app)).toHaveText('Paused');
  await app.locator('.machine-header').getByRole('button', { name: 'Continue' }).click();
  await expect(state(app)).toHaveText('Running');
  await app.getByRole('application').click();
  await app.keyboard.type('echo before reset\n');
  await expectScreen(app, 'box', /^before reset$/m);
  await app.keyboard.press('ControlRight');
  await app.getByRole('button', { name: 'More ways to stop' }).click();
  await app.getByRole('menuitem', { name: 'Reset' }).click();
  await expect.poll(() => screenText(app, 'box')).not.toContain('before reset');
  await app.getByRole('button', { name: 'Shut down' }).click();
  await expect(state(app)).toHaveText('Stopped');
  await app.locator('.machine-header').getByRole('button', { name: 'Start' }).click();
  await expect(state(app)).toHaveText('Running');
  await app.getByRole('button', { name: 'More ways to stop' }).click();
  await app.getByRole('menuitem', { name: 'Power off…' }).click();
  await app.getByRole('dialog').getByRole('button', { name: 'Power off' }).click();
  await expect(state(app)).toHaveText('Stopped');
});

test('the serial console answers', async ({ app, shot }) => {
  await startMachine(app);
  await app.getByRole('link', { name: 'Serial' }).click();
  await expect(app.locator('.xterm-rows')).toContainText('fake machine');
  await app.locator('.xterm').click();
  await app.keyboard.type('add 20 22\n');
  await expect(app.locator('.xterm-rows')).toContainText('sum 42');
  await shot('serial');
});

test('a killed VM process shows as crashed and starts again', async ({ app, shot }) => {
  await startMachine(app);
  const { machines } = (await callApplication(app, 'machines.list', {})) as { machines: { processId: number }[] };
  process.kill(machines[0]!.processId, 'SIGKILL');
  await expect(state(app)).toHaveText('Crashed');
  await expect(app.getByText('The machine crashed: its process ended.')).toBeVisible();
  await expect(app.getByText(/killed by SIGKILL/)).toBeVisible();
  await shot('crashed');
  await app.locator('.machine-header').getByRole('button', { name: 'Start again' }).click();
  await expect(state(app)).toHaveText('Running');
});

test('a triple fault halts the machine and a reset revives it', async ({ app, shot }) => {
  await startMachine(app);
  await app.getByRole('application').click();
  await app.keyboard.type('triple\n');
  await expect(state(app)).toHaveText('Halted');
  await expect(app.getByText(/#GP while delivering #DF/)).toBeVisible();
  await shot('halted');
  await app.locator('.notice').getByRole('button', { name: 'Reset' }).click();
  await expect(state(app)).toHaveText('Running');
});

test('a guest that powers off leaves its picture', async ({ app }) => {
  await startMachine(app);
  await app.getByRole('application').click();
  await app.keyboard.type('poweroff\n');
  await expect(state(app)).toHaveText('Stopped');
  await app.getByRole('link', { name: 'Overview' }).click();
  await expect(app.getByAltText("The guest's screen as it was last seen")).toBeVisible();
});

test('guest errors and life cycle are in the log', async ({ app, shot }) => {
  await startMachine(app);
  await app.getByRole('application').click();
  await app.keyboard.type('complain\n');
  await app.keyboard.press('ControlRight');
  await app.getByRole('link', { name: 'Log' }).click();
  await expect(app.getByRole('cell', { name: 'unknown mode (mode=7)' })).toBeVisible();
  await expect(app.getByRole('cell', { name: 'fake debug line' })).toBeVisible();
  await expect(app.getByRole('cell', { name: 'Started' })).toBeVisible();
  await shot('log');
});

test('a screenshot is saved as PNG', async ({ app }) => {
  await startMachine(app);
  const [download] = await Promise.all([
    app.waitForEvent('download'),
    app.getByRole('button', { name: 'Screenshot' }).click(),
  ]);
  const bytes = fs.readFileSync((await download.path())!);
  expect(bytes.subarray(1, 4).toString('latin1')).toBe('PNG');
  expect(bytes.readUInt32BE(16)).toBe(720);
});

test('a second start of the same disk is refused', async ({ app, server }) => {
  const file = path.join(server.files, 'shared.img');
  fs.writeFileSync(file, mbrDisk());
  const create = (name: string) =>
    callApplication(app, 'machines.create', { name, configuration: { disks: [{ path: file }] } });
  await create('first');
  await create('second');
  await callApplication(app, 'machines.start', { id: 'first' });
  await app.getByRole('option', { name: /second/ }).click();
  await app.locator('.machine-header').getByRole('button', { name: 'Start' }).click();
  const alert = app.getByRole('alert');
  await expect(alert).toContainText(`${file}: the disk is in use by "first"`);
  await expect(state(app)).toHaveText('Stopped');
});
