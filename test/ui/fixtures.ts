// A real server and application for each test, over VM processes that hold a fake machine unless told otherwise.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test as base, expect } from '@playwright/test';
import type { Page } from '@playwright/test';

export const root = path.resolve(import.meta.dirname, '../..');
const screenshots = path.join(root, 'test-results/screenshots');

export interface Server {
  readonly address: string;
  readonly library: string;
  /** A folder for the test's own files. */
  readonly files: string;
  restart(): Promise<void>;
}

interface Options {
  /** Entry of the VM processes; empty: the fake machine. */
  vmEntry: string;
  tour: string;
}

export const test = base.extend<Options & { server: Server; app: Page; shot: (name: string) => Promise<void> }>({
  vmEntry: ['', { option: true }],
  tour: ['', { option: true }],
  server: async ({ vmEntry, tour }, use) => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'trapeze-ui-'));
    const library = path.join(folder, 'library');
    const files = path.join(folder, 'files');
    fs.mkdirSync(files);
    const make = (): Promise<[ChildProcess, string]> => startServer([library, vmEntry, ...(tour === '' ? [] : [tour])]);
    let [child, address] = await make();
    await use({
      get address() {
        return address;
      },
      library,
      files,
      async restart() {
        await stop(child);
        [child, address] = await make();
      },
    });
    await stop(child);
    fs.rmSync(folder, { recursive: true, force: true });
  },
  app: async ({ page, server }, use) => {
    const problems: string[] = [];
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
    page.on('pageerror', (error) => problems.push(String(error)));
    await page.goto(server.address);
    await page.locator('.titlebar').waitFor();
    await use(page);
    // A refused request is answered with a status that the browser logs by itself.
    expect(problems.filter((text) => !/Failed to load resource|WebSocket/.test(text))).toEqual([]);
  },
  shot: async ({ page }, use) => {
    fs.mkdirSync(screenshots, { recursive: true });
    await use(async (name) => void (await page.screenshot({ path: path.join(screenshots, `${name}.png`) })));
  },
});
export { expect };

function startServer(args: string[]): Promise<[ChildProcess, string]> {
  const child = spawn(process.execPath, [path.join(root, 'test/support/serveForTests.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  return new Promise((resolve, reject) => {
    child.stdout!.setEncoding('utf8').once('data', (text: string) => resolve([child, text.trim()]));
    child.once('exit', (code) => reject(new Error(`the test server ended with ${code}`)));
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

/** Drops files of this computer on the window, as a person's file manager does. */
export async function drop(page: Page, files: readonly { name: string; content: Buffer }[]): Promise<void> {
  const data = files.map(({ name, content }) => ({ name, base64: content.toString('base64') }));
  const transfer = await page.evaluateHandle((items) => {
    const dataTransfer = new DataTransfer();
    for (const { name, base64 } of items) {
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      dataTransfer.items.add(new File([bytes], name));
    }
    return dataTransfer;
  }, data);
  await page.dispatchEvent('.window', 'dragenter', { dataTransfer: transfer });
  await page.dispatchEvent('.window', 'dragover', { dataTransfer: transfer });
  await page.dispatchEvent('.window', 'drop', { dataTransfer: transfer });
}

/** Waits until the guest's text screen holds `text`, read through the application rather than from pixels. */
export async function expectScreen(page: Page, id: string, text: string | RegExp): Promise<void> {
  await expect.poll(() => screenText(page, id), { timeout: 30_000 }).toMatch(text);
}

export async function screenText(page: Page, id: string): Promise<string> {
  const answer = (await callApplication(page, 'console.text', { id })) as { lines: string[] } | null;
  return answer === null ? '' : answer.lines.map((line) => line.trimEnd()).join('\n');
}

/** One call over a socket of its own, with the page's cookie. */
export function callApplication(page: Page, method: string, request: unknown): Promise<unknown> {
  return page.evaluate(
    ([name, body]) =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(`ws://${location.host}/api`);
        socket.onopen = () => socket.send(JSON.stringify({ id: 1, method: name, request: body }));
        socket.onerror = () => reject(new Error('no connection'));
        socket.onmessage = ({ data }) => {
          if (typeof data !== 'string') return;
          const message = JSON.parse(data) as { id?: number; response?: unknown; failure?: { message: string } };
          if (message.id !== 1) return;
          socket.close();
          if (message.failure) reject(new Error(message.failure.message));
          else resolve(message.response ?? null);
        };
      }),
    [method, request] as const,
  );
}

/** As `drop`, for a file that is too large to pass by value. */
export async function dropFile(page: Page, file: string): Promise<void> {
  await page.evaluate(() =>
    document.body.append(Object.assign(document.createElement('input'), { type: 'file', id: 'dropped' })),
  );
  await page.locator('#dropped').setInputFiles(file);
  const transfer = await page.evaluateHandle(() => {
    const input = document.querySelector<HTMLInputElement>('#dropped')!;
    const dataTransfer = new DataTransfer();
    for (const item of input.files ?? []) dataTransfer.items.add(item);
    return dataTransfer;
  });
  for (const event of ['dragenter', 'dragover', 'drop'])
    await page.dispatchEvent('.window', event, { dataTransfer: transfer });
  await page.evaluate(() => document.querySelector('#dropped')?.remove());
}

const SHIFTED = '~!@#$%^&*()_+{}|:"<>?';
const UNSHIFTED = "`1234567890-=[]\\;',./";

/** Presses keys as fingers do: `keyboard.type` names a shifted key but does not hold Shift. */
export async function typeOnKeys(page: Page, text: string): Promise<void> {
  for (const character of text) {
    const index = SHIFTED.indexOf(character);
    const upper = /[A-Z]/.test(character);
    if (character === '\n') await page.keyboard.press('Enter');
    else if (index !== -1) await page.keyboard.press(`Shift+${UNSHIFTED[index]!}`);
    else if (upper) await page.keyboard.press(`Shift+${character}`);
    else await page.keyboard.press(character === ' ' ? 'Space' : character);
  }
}
