// The processor and firmware in a machine's settings: by keyboard, with what is wrong said at the field.
import fs from 'node:fs';
import path from 'node:path';
import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { features } from '../../core/machine/processor.ts';
import { callApplication, expect, test } from './fixtures.ts';

interface Machines {
  machines: {
    id: string;
    configuration: { cpu: object; firmware: { bios: string | null; variables: string | null } };
  }[];
}
const configuration = async (app: Page) =>
  ((await callApplication(app, 'machines.list', {})) as Machines).machines[0]!.configuration;

async function openSettings(app: Page): Promise<void> {
  await callApplication(app, 'machines.create', { name: 'box', configuration: { cpu: { model: 'pentium3' } } });
  await app.getByRole('option', { name: /box/ }).click();
  await app.getByRole('link', { name: 'Settings' }).click();
}

async function passesAxe(app: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page: app }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`)).toEqual(
    [],
  );
}

for (const colorScheme of ['dark', 'light'] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });

    test('features are searched, chosen by keyboard, and say what they need', async ({ app, shot }) => {
      await openSettings(app);
      await app.getByRole('button', { name: 'Features…' }).click();
      const dialog = app.getByRole('dialog', { name: 'Processor features' });
      await expect(dialog.getByRole('radiogroup')).toHaveCount(features.length);
      await app.keyboard.type('sse');
      const row = (name: string) => dialog.getByRole('radiogroup', { name: new RegExp(`^${name},`) });
      await expect(row('SSE2')).toBeVisible();
      await expect(row('PAE')).toBeHidden();
      await row('SSSE3').getByRole('radio', { name: 'Model' }).focus();
      await app.keyboard.press('ArrowRight');
      await expect(row('SSSE3').getByRole('radio', { name: 'On' })).toBeFocused();
      await expect(dialog.getByText('SSSE3 needs SSE2 and SSE3.')).toBeVisible();
      await shot(`settings-features-${colorScheme}`);
      await passesAxe(app);
      await dialog.getByRole('button', { name: 'Turn them on' }).click();
      await expect(dialog.getByText('needs')).toBeHidden();
      await expect(row('SSE2').getByRole('radio', { name: 'On' })).toBeChecked();
      // Up and down go from row to row.
      await row('SSE2').getByRole('radio', { name: 'On' }).focus();
      await app.keyboard.press('ArrowDown');
      await expect(row('SSE3').getByRole('radio', { name: 'On' })).toBeFocused();
      await dialog.getByRole('textbox').or(dialog.getByRole('searchbox')).fill('pae');
      await row('PAE').getByRole('radio', { name: 'Off' }).click();
      await app.keyboard.press('Escape');
      await expect(app.locator('.pending')).toContainText('+SSSE3 +SSE2 +SSE3 −PAE');
      await app.getByRole('button', { name: 'Apply' }).click();
      await expect(app.getByText('No changes')).toBeVisible();
      expect((await configuration(app)).cpu).toMatchObject({ enable: ['SSSE3', 'SSE2', 'SSE3'], disable: ['PAE'] });
    });

    test('CPUID answers show the model in their place and are checked where they are typed', async ({ app, shot }) => {
      await openSettings(app);
      await app.getByRole('button', { name: 'Add a leaf…' }).click();
      await app.keyboard.type('0');
      await expect(app.getByRole('textbox', { name: 'EBX, answer 1' })).toHaveAttribute('placeholder', '756e6547');
      await expect(app.getByText('No register is given: this changes nothing.').first()).toBeVisible();
      await app.getByRole('textbox', { name: 'EBX, answer 1' }).fill('0x6874754Gh');
      await expect(app.getByText('EBX must be one to eight hexadecimal digits, or empty.').first()).toBeVisible();
      await expect(app.getByRole('button', { name: 'Apply' })).toBeDisabled();
      await app.getByRole('button', { name: 'Add a leaf…' }).click();
      await app.getByRole('textbox', { name: 'Leaf, answer 2', exact: true }).fill('1');
      await app.getByRole('textbox', { name: 'EDX, answer 2' }).fill('0183fbff');
      await shot(`settings-cpuid-${colorScheme}`);
      await passesAxe(app);
      await app.getByRole('textbox', { name: 'EBX, answer 1' }).fill('0x68747541');
      await app.getByRole('button', { name: 'Apply' }).click();
      await expect(app.getByText('No changes')).toBeVisible();
      expect((await configuration(app)).cpu).toMatchObject({
        cpuid: [
          { leaf: '0', subLeaf: '0', ebx: '68747541' },
          { leaf: '1', edx: '0183fbff' },
        ],
      });
      await app.getByRole('button', { name: 'Remove answer 1' }).click();
      await expect(app.getByRole('textbox', { name: 'Leaf, answer 1', exact: true })).toHaveValue('1');
    });

    test('a foreign firmware and its variables are chosen, and the variables become the machine’s', async ({
      app,
      server,
      shot,
    }) => {
      const code = path.join(server.files, 'OVMF_CODE.fd'),
        variables = path.join(server.files, 'OVMF_VARS.fd');
      fs.writeFileSync(code, Buffer.alloc(65_536, 1));
      fs.writeFileSync(variables, Buffer.alloc(8192, 2));
      fs.writeFileSync(path.join(server.library, 'settings.json'), JSON.stringify({ lastFolder: server.files }));
      await callApplication(app, 'system.saveSettings', { lastFolder: server.files });
      await openSettings(app);
      const choose = async (label: string, name: string): Promise<void> => {
        await app.getByRole('button', { name: `Choose a file for: ${label}` }).click();
        await app.getByRole('dialog').getByText(name).dblclick();
        await expect(app.getByRole('dialog')).toBeHidden();
      };
      await choose('Firmware', 'OVMF_CODE.fd');
      await choose('UEFI variables', 'OVMF_VARS.fd');
      await app.getByRole('button', { name: 'Remove from: Firmware' }).click();
      await expect(
        app.getByText('UEFI variables belong to a UEFI firmware: choose one, or remove them.'),
      ).toBeVisible();
      await expect(app.getByRole('button', { name: 'Apply' })).toBeDisabled();
      await choose('Firmware', 'OVMF_CODE.fd');
      await app.getByText('SeaBIOS needs one').scrollIntoViewIfNeeded();
      await shot(`settings-firmware-${colorScheme}`);
      await passesAxe(app);
      await app.getByRole('button', { name: 'Apply' }).click();
      await expect(app.getByText('No changes')).toBeVisible();
      const { firmware } = await configuration(app);
      expect(firmware).toMatchObject({
        bios: code,
        variables: path.join(server.library, 'machines/box/uefi-variables.fd'),
      });
      expect(fs.readFileSync(firmware.variables!)[0]).toBe(2);
    });
  });
}
