// The debug workspace in a 64-bit guest: registers, page walk, descriptor tables, call stack and tasks of an amd64 Linux.
import fs from 'node:fs';
import path from 'node:path';
import type { Page } from '@playwright/test';
import { callApplication, expect, root, screenText, test } from './fixtures.ts';

const guests = path.join(root, '.cache/guests');
const id = 'linux';
test.use({ vmEntry: path.join(root, 'src-main/vm-host/main.ts') });

const pane = (app: Page, name: string) => app.getByRole('region', { name, exact: true }).first();
const showPane = (app: Page, title: string) => app.getByRole('tab', { name: title, exact: true }).click();

/** No value is cut off: what an element shows is all that it has. */
async function isWhole(app: Page, selector: string): Promise<void> {
  const cut = await app
    .locator(selector)
    .evaluateAll((elements) =>
      elements.filter((element) => element.scrollWidth > element.clientWidth + 1).map((element) => element.textContent),
    );
  expect(cut).toEqual([]);
}

test('shows 64-bit registers, page walks, tables, stacks and tasks whole', async ({ app, shot }) => {
  test.setTimeout(200_000);
  const { files, commandLine, prompt } = JSON.parse(fs.readFileSync(path.join(guests, 'guests.json'), 'utf8')) as {
    files: Record<string, string>;
    commandLine: string;
    prompt: string;
  };
  const kernel = {
    path: path.join(guests, files['kernel64']!),
    initrd: path.join(guests, files['initramfs64']!),
    commandLine: `${commandLine} nokaslr`,
  };
  await callApplication(app, 'machines.create', { name: 'Linux', configuration: { memoryMiB: 256, kernel } });
  await callApplication(app, 'machines.start', { id });
  await app.getByRole('option', { name: /Linux/ }).click();
  await expect.poll(() => screenText(app, id), { timeout: 90_000, intervals: [1000] }).toContain(prompt.trim());
  await app.getByRole('link', { name: 'Debug', exact: true }).click();
  await callApplication(app, 'debug.control', { id, control: { action: 'pause' } });
  await callApplication(app, 'debug.loadSymbols', { id, path: 'kernel:' });
  await callApplication(app, 'debug.control', {
    id,
    control: { action: 'run-to', target: 'update_process_times' },
    waitMs: 10_000,
  });
  const rip = app.getByRole('textbox', { name: /^RIP / });
  await expect(rip).toHaveText(/^ffffffff[0-9a-f]{8}$/);
  await expect(app.getByRole('textbox', { name: /^R15 / })).toBeVisible();
  await isWhole(app, '.registers [role=textbox]');

  const address = app.getByRole('combobox', { name: 'Address to walk' });
  await address.fill('update_process_times');
  await address.press('Enter');
  const walk = pane(app, 'Page walk');
  await expect(walk.getByRole('listitem').filter({ hasText: /^PML4E/ })).toBeVisible();
  await expect(walk.getByRole('listitem').filter({ hasText: /^Physical/ })).toBeVisible();

  await showPane(app, 'Call stack');
  await expect(pane(app, 'Call stack')).toContainText('asm_sysvec_apic_timer_interrupt');
  for (const colorScheme of ['dark', 'light'] as const) {
    await app.emulateMedia({ colorScheme });
    await shot(`debugger64-${colorScheme}`);
  }
  await showPane(app, 'Descriptors');
  const tables = pane(app, 'Descriptors');
  await tables.getByRole('button', { name: 'IDT' }).click();
  await expect(tables.getByRole('row').filter({ hasText: /asm_exc_page_fault/ })).toBeVisible();
  await shot('debugger64-idt');
  await tables.getByRole('button', { name: 'GDT' }).click();
  await shot('debugger64-gdt');
  await showPane(app, 'Linux');
  await expect(pane(app, 'Linux')).toContainText('swapper/0');
  await shot('debugger64-linux');
  await app.setViewportSize({ width: 1180, height: 800 });
  await showPane(app, 'Call stack');
  await shot('debugger64-narrow');
  await isWhole(app, '.registers [role=textbox]');
});
