// Follows docs/tutorials/find-the-crash.md step by step; writes its pictures when TRAPEZE_WRITE_SCREENSHOTS=1.
import fs from 'node:fs';
import path from 'node:path';
import type { Page } from '@playwright/test';
import { callApplication, drop, expect, root, test } from './fixtures.ts';

const images = path.join(root, 'docs/tutorials/images');
const guest = path.join(root, 'assets/guests/tour');

test.use({
  vmEntry: path.join(root, 'src-main/vm-host/main.ts'),
  colorScheme: 'light',
  viewport: { width: 1280, height: 800 },
});

const pane = (app: Page, name: string) => app.getByRole('region', { name, exact: true }).first();
const state = (app: Page) => app.locator('.machine-header .state');
const showPane = (app: Page, title: string) => app.getByRole('tab', { name: title, exact: true }).click();

async function picture(app: Page, name: string): Promise<void> {
  await app.waitForTimeout(400);
  const png = await app.screenshot({ animations: 'disabled' });
  expect(png.length).toBeLessThan(256 * 1024);
  if (process.env['TRAPEZE_WRITE_SCREENSHOTS'] !== '1') return;
  fs.mkdirSync(images, { recursive: true });
  fs.writeFileSync(path.join(images, `${name}.png`), png);
}

test('find the crash of the buggy tour', async ({ app }) => {
  test.setTimeout(120_000);
  // 1. It crashes.
  await drop(app, [{ name: 'tourBuggy.img', content: fs.readFileSync(path.join(guest, 'tourBuggy.img')) }]);
  await app.getByRole('button', { name: 'Create and start' }).click();
  await expect(state(app)).toHaveText(/Crashed|Halted/, { timeout: 20_000 });
  await expect(app.getByText(/triple fault/).first()).toBeVisible();
  const id = /machines\/([^/]+)\//.exec(app.url())![1]!;
  await picture(app, 'crash-1-halted');

  // 2. What is left of it: no gate at the interrupt's place.
  await app.getByRole('link', { name: 'Debug', exact: true }).click();
  await showPane(app, 'Descriptors');
  await app.getByRole('button', { name: 'IDT', exact: true }).click();
  const idt = app.getByRole('grid', { name: 'Entries of the IDT' });
  await expect(idt).toContainText('no gate, its use faults');
  await picture(app, 'crash-2-gates');

  // 3. Names for the addresses.
  await showPane(app, 'Symbols');
  if ((await pane(app, 'Symbols').getByText('ELF32').count()) === 0) {
    await callApplication(app, 'debug.loadSymbols', { id, path: path.join(guest, 'tourBuggy.elf') });
  }
  await expect(pane(app, 'Symbols')).toContainText('ELF32 executable');
  await app.getByRole('textbox', { name: 'Filter symbols' }).fill('trace');
  await expect(app.getByRole('grid', { name: 'Symbols' })).toContainText('trace_next');
  await picture(app, 'crash-3-symbols');

  // 4. Again, from the first instruction on.
  await callApplication(app, 'machines.powerOff', { id });
  await app.getByRole('button', { name: 'Start paused' }).click();
  await expect(state(app)).toHaveText('Paused');
  await callApplication(app, 'debug.loadSymbols', { id, path: path.join(guest, 'tourBuggy.elf') });
  await app.keyboard.press('Control+g');
  await app.getByRole('combobox', { name: 'Address or symbol', exact: true }).fill('tour');
  await app.keyboard.press('Enter');
  await expect(app.getByRole('dialog')).toHaveCount(0);
  const tour = (await callApplication(app, 'debug.evaluate', { id, expression: 'tour' })) as { value: string };
  await expect(pane(app, 'Disassembly').locator('.line.cursor')).toHaveAttribute('data-address', tour.value);
  await app.keyboard.press('Control+F10');
  await expect(app.locator('.stop-reason')).toContainText('Reached');

  // 5. Who writes to the table?
  await app.keyboard.press('Control+k');
  await app.keyboard.type('add a breakpoint');
  await app.keyboard.press('Enter');
  const dialog = app.getByRole('dialog');
  await dialog.getByRole('combobox', { name: 'Stop at' }).click();
  await app.getByRole('option', { name: 'Access to memory' }).click();
  await dialog.getByRole('combobox', { name: 'Address of the breakpoint' }).fill('idt');
  await dialog.getByRole('textbox', { name: 'Length' }).fill('392');
  await picture(app, 'crash-4-watch');
  await dialog.getByRole('button', { name: 'Add', exact: true }).click();
  await expect(dialog).toHaveCount(0);
  await app.keyboard.press('F5');
  await expect(app.locator('.stop-reason')).toContainText('write of idt', { timeout: 20_000 });

  // 6. The culprit, its index and its limit.
  await showPane(app, 'Source');
  await expect(pane(app, 'Source').locator('[aria-current]')).toContainText(/inc {5}ebx|trace \+ ebx/);
  await expect(pane(app, 'Source')).toContainText('cmp     ebx, TRACE_ENTRIES * 4');
  await showPane(app, 'Registers');
  await expect(app.getByRole('textbox', { name: /^EBX / })).toHaveText('00000043');
  await picture(app, 'crash-5-culprit');
});
