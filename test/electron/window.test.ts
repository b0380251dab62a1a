// The real desktop program, where Electron's binary is there.
import fs from 'node:fs';
import path from 'node:path';
import { _electron } from '@playwright/test';
import { describe, expect, it } from 'vitest';
import { testFolder } from '../support/folders.ts';

const root = path.resolve(import.meta.dirname, '../..');
const pathFile = path.join(root, 'node_modules/electron/path.txt');
const program = fs.existsSync(pathFile)
  ? path.join(root, 'node_modules/electron/dist', fs.readFileSync(pathFile, 'utf8').trim())
  : '';
const reason = !fs.existsSync(program)
  ? 'Electron’s binary is not installed'
  : process.platform === 'linux' && !process.env['DISPLAY'] && !process.env['WAYLAND_DISPLAY']
    ? 'there is no display'
    : '';
if (reason !== '') console.log(`The desktop window is not tested: ${reason}.`);
const folder = testFolder();

describe.skipIf(reason !== '')('the desktop window', () => {
  it('shows the library over app:// and carries calls', async () => {
    const { buildElectron, buildRenderer } = (await import('../../scripts/build.mjs' as string)) as {
      buildElectron(): Promise<void>;
      buildRenderer(): void;
    };
    buildRenderer();
    await buildElectron();
    const app = await _electron.launch({
      executablePath: program,
      args: [root, '--no-sandbox'],
      env: { ...process.env, TRAPEZE_LIBRARY: folder } as Record<string, string>,
    });
    const window = await app.firstWindow();
    await window.getByRole('button', { name: 'New', exact: true }).waitFor();
    expect(window.url()).toMatch(/^app:\/\/trapeze\//);
    expect(await window.evaluate(() => typeof (globalThis as { require?: unknown }).require)).toBe('undefined');
    await app.close();
  });
});
