import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { isoImage, mbrDisk } from '../support/images.ts';
import { drop, expect, test } from './fixtures.ts';

async function check(page: Page): Promise<void> {
  const results = await new AxeBuilder({ page }).exclude('.xterm').analyze();
  expect(
    results.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`),
  ).toEqual([]);
}

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });

    test('every view passes axe', async ({ app, shot }) => {
      await check(app);
      await shot(`home-${colorScheme}`);
      await drop(app, [{ name: 'cd.iso', content: isoImage('SYSTEM') }]);
      await expect(app.getByRole('heading', { name: 'SYSTEM (CD)' })).toBeVisible();
      await check(app);
      await shot(`drop-card-${colorScheme}`);
      await app.keyboard.press('Escape');
      await drop(app, [{ name: 'box', content: mbrDisk() }]);
      await app.getByRole('button', { name: 'Create and start' }).click();
      await expect(app.locator('.machine-header .state')).toHaveText('Running');
      await app.waitForTimeout(2500);
      await check(app);
      await shot(`console-${colorScheme}`);
      for (const tab of ['Overview', 'Serial', 'Log', 'Settings']) {
        await app.getByRole('link', { name: tab, exact: true }).click();
        await app.waitForTimeout(300);
        await check(app);
        await shot(`${tab.toLowerCase()}-${colorScheme}`);
      }
      await app.getByRole('button', { name: 'New', exact: true }).click();
      await check(app);
      await shot(`new-machine-${colorScheme}`);
      await app.keyboard.press('Control+k');
      await expect(app.getByRole('dialog')).toBeVisible();
      await check(app);
    });

    test('a window of 1024 x 700 shows everything', async ({ app, shot }) => {
      await app.setViewportSize({ width: 1024, height: 700 });
      await drop(app, [{ name: 'box', content: mbrDisk() }]);
      await app.getByRole('button', { name: 'Create and start' }).click();
      await expect(app.locator('.machine-header .state')).toHaveText('Running');
      await shot(`console-1024-${colorScheme}`);
      for (const tab of ['Overview', 'Settings']) {
        await app.getByRole('link', { name: tab, exact: true }).click();
        const overflow = await app.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        expect(overflow).toBe(0);
        await shot(`${tab.toLowerCase()}-1024-${colorScheme}`);
      }
    });
  });
}
