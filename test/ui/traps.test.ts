// The trap inspector over the fake debugger.
import fs from 'node:fs';
import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { mbrDisk } from '../support/images.ts';
import { callApplication, drop, expect, test } from './fixtures.ts';

async function openTraps(app: Page): Promise<void> {
  await drop(app, [{ name: 'box', content: mbrDisk() }]);
  await app.getByRole('button', { name: 'Create and start' }).click();
  await expect(app.locator('.machine-header .state')).toHaveText('Running');
  await app.getByRole('link', { name: 'Traps', exact: true }).click();
  await expect(rows(app).nth(5)).toBeVisible();
}
const rows = (app: Page) => app.getByRole('grid', { name: 'Exits' }).locator('.grid-row');

async function check(page: Page): Promise<void> {
  const results = await new AxeBuilder({ page }).analyze();
  expect(
    results.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`),
  ).toEqual([]);
}

test('exits are listed, filtered, held and told in detail', async ({ app }) => {
  await openTraps(app);
  await app.getByRole('textbox', { name: 'Filter exits' }).fill('symbol:show cause:cpuid');
  await expect(rows(app).first()).toContainText('CPUID leaf 0');
  await expect(app.locator('.exits .caption').first()).toContainText(' of ');
  for (const text of await rows(app).allTextContents()) expect(text).toContain('cpuid');
  await app.getByRole('button', { name: 'Clear the filter' }).click();
  await app.getByRole('group', { name: 'Classes listed' }).getByRole('button', { name: 'HLT' }).click();
  await expect(rows(app).first()).toContainText('slept until the timer');
  for (const text of await rows(app).allTextContents()) expect(text).toContain('HLT');
  await rows(app).nth(2).click();
  const first = await rows(app).first().textContent();
  const detail = app.getByRole('region', { name: 'The chosen exit' });
  await expect(detail).toContainText('kmain+27h');
  await app.waitForTimeout(2500);
  expect(await rows(app).first().textContent()).toBe(first);
  await app.keyboard.press('ArrowDown');
  await detail.getByRole('button', { name: 'Break here' }).click();
  const { breakpoints } = (await callApplication(app, 'debug.breakpoints', { id: 'box' })) as {
    breakpoints: { text: string }[];
  };
  expect(breakpoints.map(({ text }) => text)).toEqual(['kmain+27h']);
  await expect(app.locator('.machine-header .state')).toHaveText('Paused');
  await detail.getByRole('button', { name: 'Code' }).click();
  await expect(app.getByRole('region', { name: 'Disassembly' }).locator('.line.cursor')).toHaveAttribute(
    'data-address',
    '80100067',
  );
});

test('the newest come first, older ones by scrolling', async ({ app }) => {
  await openTraps(app);
  const numbers = async (): Promise<number[]> =>
    (await rows(app).locator('> :first-child').allTextContents()).map((text) => Number(text.replaceAll(' ', '')));
  const listed = await numbers();
  expect(listed).toEqual([...listed].sort((a, b) => b - a));
  await expect
    .poll(async () => Number((await app.locator('.exits .caption').first().textContent())!.replace(/\D/g, '')))
    .toBeGreaterThan(1000);
  await app.getByRole('button', { name: 'Hold' }).click();
  const grid = app.getByRole('grid', { name: 'Exits' });
  await grid.evaluate((element) => (element.scrollTop = element.scrollHeight));
  await expect.poll(() => grid.getAttribute('aria-rowcount').then(Number)).toBeGreaterThan(300);
  await app.getByRole('button', { name: 'Newest' }).click();
  await expect(app.getByRole('button', { name: 'Hold' })).toBeVisible();
});

test('the view keeps the ring open and closes it behind itself', async ({ app }) => {
  await openTraps(app);
  const recording = async (): Promise<boolean> =>
    ((await callApplication(app, 'traps.summary', { id: 'box' })) as { recording: boolean }).recording;
  await app.waitForTimeout(6000);
  expect(await recording()).toBe(true);
  await app.getByRole('link', { name: 'Log', exact: true }).click();
  await expect.poll(recording).toBe(false);
});

test('exports are files', async ({ app }) => {
  await openTraps(app);
  for (const [choice, name, start] of [
    ['CSV table', 'traps.csv', 'sequence,'],
    ['JSON', 'traps.json', '[{'],
    ['Trace for Perfetto', 'traps.json', '{"traceEvents"'],
  ] as const) {
    await app.getByRole('button', { name: 'Export' }).click();
    const download = app.waitForEvent('download');
    await app.getByRole('menuitem', { name: choice }).click();
    const file = await download;
    expect(file.suggestedFilename()).toBe(name);
    expect(fs.readFileSync(await file.path(), 'utf8').startsWith(start)).toBe(true);
  }
});

test('figures have definitions, the chart a legend that hides classes', async ({ app }) => {
  await openTraps(app);
  await app.getByRole('button', { name: 'What this means: Efficiency' }).click();
  await expect(app.getByRole('dialog', { name: 'Efficiency' })).toContainText('innocuous instructions');
  await app.keyboard.press('Escape');
  const legend = app.getByRole('list', { name: 'Classes in the chart' });
  const port = legend.getByRole('button', { name: /^Port I\/O/ });
  await expect(port).toHaveAttribute('aria-pressed', 'true');
  await expect(port).toContainText(/[1-9]/);
  await port.click();
  await expect(port).toHaveAttribute('aria-pressed', 'false');
  await app.getByRole('button', { name: '10 s' }).click();
  await expect(app.getByRole('img', { name: /^Exits per second by class, now/ })).toBeVisible();
});

test('the audit counts what the guest ran and marks the seventeen', async ({ app }) => {
  await openTraps(app);
  const audit = app.getByRole('region', { name: 'Popek-Goldberg audit' });
  await expect(audit.locator('.classic')).toHaveCount(18);
  const sidt = audit.getByRole('row').filter({ hasText: 'SIDT' });
  await expect(sidt).toContainText('behaviour');
  await expect(sidt.getByRole('cell').nth(4)).toHaveText(/[1-9]/);
});

test('the policy changes at once; what cannot be says why', async ({ app }) => {
  await openTraps(app);
  const port = app.getByRole('group', { name: 'Policy of Port I/O' });
  await expect(port.getByRole('button', { name: 'Inline' })).toBeDisabled();
  await expect(port.getByRole('button', { name: 'Inline' })).toHaveAttribute('title', /Only CLI/);
  await port.getByRole('button', { name: 'Log' }).click();
  await expect(port.getByRole('button', { name: 'Log' })).toHaveAttribute('aria-pressed', 'true');
  const strict = app.getByRole('switch', { name: 'Strict user mode' });
  await strict.click();
  await expect(strict).toHaveAttribute('aria-checked', 'true');
  const policy = (await callApplication(app, 'traps.policy', { id: 'box' })) as {
    classes: Record<string, string>;
    strictUserMode: boolean;
  };
  expect(policy.classes['port']).toBe('log');
  expect(policy.strictUserMode).toBe(true);
});

test('vectors, hot places, page faults and guest errors', async ({ app }) => {
  await openTraps(app);
  await expect(app.getByRole('table', { name: 'Vectors' })).toContainText('IRQ 0 timer');
  await app.getByRole('button', { name: 'Hot places' }).click();
  await expect(app.getByRole('table', { name: 'Hot places' })).toContainText('put_char');
  await app.getByRole('button', { name: 'Page', exact: true }).click();
  await expect(app.getByRole('table', { name: 'Hot places' }).getByRole('row')).toHaveCount(2);
  await app.getByRole('button', { name: 'Page faults' }).last().click();
  await expect(app.getByText('Walks of the page tables')).toBeVisible();
  await app.getByRole('button', { name: 'Guest errors' }).click();
  await expect(app.getByRole('table', { name: 'Guest errors' })).toContainText('unknown mode');
  await expect(app.getByRole('table', { name: 'Accesses that no device answered' })).toContainText('2E8h');
});

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });

    test('passes axe at 1440, 1024 and 4K', async ({ app, shot }) => {
      test.slow();
      await openTraps(app);
      await app.waitForTimeout(5000);
      await rows(app).nth(3).click();
      for (const [width, height] of [
        [1440, 900],
        [3840, 2160],
        [1024, 700],
      ] as const) {
        await app.setViewportSize({ width, height });
        await app.waitForTimeout(400);
        await check(app);
        const overflow = await app.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        expect(overflow).toBe(0);
        await shot(`traps-${width}-${colorScheme}`);
      }
      for (const part of ['Audit', 'Policy', 'Vectors, hot places, errors']) {
        await app.getByRole('button', { name: part, exact: true }).click();
        await check(app);
        await shot(`traps-1024-${part.split(',')[0]!.toLowerCase()}-${colorScheme}`);
      }
      await callApplication(app, 'machines.powerOff', { id: 'box' });
      await expect(app.getByText('The machine is off')).toBeVisible();
      await check(app);
    });
  });
}
