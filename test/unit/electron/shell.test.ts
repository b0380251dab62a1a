// The desktop shell over a stand-in for Electron: what it forbids, what it carries.
import { EventEmitter } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import type { BrowserWindow, IpcMain, IpcMainInvokeEvent, Session, WebContents, utilityProcess } from 'electron';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { menuTemplate } from '../../../src-main/electron/appMenu.ts';
import { serveApp } from '../../../src-main/electron/appProtocol.ts';
import { serveBridge } from '../../../src-main/electron/bridge.ts';
import { CHANNELS } from '../../../src-main/electron/channels.ts';
import { guardContents, guardSession, isOwnPage, isTrustedSender } from '../../../src-main/electron/guards.ts';
import { windowOptions } from '../../../src-main/electron/mainWindow.ts';
import { filesOfArguments } from '../../../src-main/electron/openFiles.ts';
import { utilitySpawner } from '../../../src-main/electron/utilitySpawner.ts';
import { put, testFolder } from '../../support/folders.ts';

const folder = testFolder();
const electron = vi.hoisted(() => ({
  exposed: {} as Record<string, unknown>,
  invoked: [] as unknown[][],
  renderer: null as EventEmitter | null,
}));
vi.mock('electron', () => ({
  contextBridge: { exposeInMainWorld: (name: string, api: unknown) => (electron.exposed[name] = api) },
  ipcRenderer: {
    invoke: (...args: unknown[]) => electron.invoked.push(args),
    on: (name: string, listener: (...args: unknown[]) => void) => electron.renderer!.on(name, listener),
    off: (name: string, listener: (...args: unknown[]) => void) => electron.renderer!.off(name, listener),
  },
  webUtils: { getPathForFile: (file: { name: string }) => `/real/${file.name}` },
}));

describe('what a window may not do', () => {
  it('is isolated and sandboxed', () => {
    expect(windowOptions('p').webPreferences).toMatchObject({
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      webSecurity: true,
      webviewTag: false,
    });
  });

  it('navigates nowhere else and opens nothing', () => {
    const contents = Object.assign(new EventEmitter(), {
      handler: null as (() => { action: string }) | null,
      setWindowOpenHandler(handler: () => { action: string }) {
        this.handler = handler;
      },
    });
    guardContents(contents as unknown as WebContents);
    const prevented = (name: string, address?: string): boolean => {
      let result = false;
      contents.emit(name, { preventDefault: () => (result = true) }, address);
      return result;
    };
    expect(prevented('will-navigate', 'https://example.org/')).toBe(true);
    expect(prevented('will-navigate', 'app://trapeze/index.html')).toBe(false);
    expect(prevented('will-redirect', 'app://other/')).toBe(true);
    expect(prevented('will-attach-webview')).toBe(true);
    expect(contents.handler!()).toEqual({ action: 'deny' });
  });

  it('is granted only what a console needs, and only on its own pages', () => {
    const handlers: Record<string, (...args: never[]) => unknown> = {};
    const session = new Proxy(
      {},
      { get: (_target, name) => (handler: (...args: never[]) => unknown) => (handlers[String(name)] = handler) },
    );
    guardSession(session as Session);
    const ask = (address: string, permission: string): boolean => {
      let answer = false;
      const request = handlers['setPermissionRequestHandler'] as unknown as (
        contents: object,
        permission: string,
        decide: (granted: boolean) => void,
      ) => void;
      request({ getURL: () => address }, permission, (granted) => (answer = granted));
      return answer;
    };
    expect(ask('app://trapeze/', 'pointerLock')).toBe(true);
    expect(ask('app://trapeze/', 'media')).toBe(false);
    expect(ask('https://example.org/', 'pointerLock')).toBe(false);
    expect((handlers['setDevicePermissionHandler'] as () => boolean)()).toBe(false);
  });

  it('tells its own pages from look-alikes', () => {
    expect(['app://trapeze/', 'app://trapeze/#/x'].every(isOwnPage)).toBe(true);
    expect(['app://trapeze.evil/', 'https://trapeze/', 'file:///x', 'nonsense'].some(isOwnPage)).toBe(false);
  });
});

describe('the bridge', () => {
  const contents = { send: vi.fn() };
  const window = { webContents: contents, isDestroyed: () => false } as unknown as BrowserWindow;
  const sender = (url: string, extra: object = {}) =>
    ({ sender: contents, senderFrame: { url, parent: null }, ...extra }) as unknown as IpcMainInvokeEvent;
  const handlers: Record<string, (event: IpcMainInvokeEvent, ...args: unknown[]) => Promise<unknown>> = {};
  let fire: (event: { name: string; data: unknown }) => void = () => undefined;
  beforeEach(() => {
    serveBridge({
      ipcMain: { handle: (name: string, handler: never) => (handlers[name] = handler) } as unknown as IpcMain,
      dialog: { showOpenDialog: async () => ({ canceled: false, filePaths: ['/a'] }) } as never,
      application: {
        handlers: { 'console.text': () => ({ lines: ['hello'], cursor: null }) },
        onEvent: (listener: typeof fire) => ((fire = listener), { dispose: () => undefined }),
      } as never,
      windows: () => [window],
    });
  });

  it('answers its own page with validated answers', async () => {
    expect(await handlers[CHANNELS.call]!(sender('app://trapeze/'), 'console.text', { id: 'm' })).toEqual({
      response: { lines: ['hello'], cursor: null },
    });
    expect(await handlers[CHANNELS.call]!(sender('app://trapeze/'), 'console.text', { id: '../..' })).toMatchObject({
      failure: { code: 'bad-request' },
    });
    expect(await handlers[CHANNELS.chooseFiles]!(sender('app://trapeze/'))).toEqual(['/a']);
  });

  it('refuses foreign pages, frames and windows', async () => {
    for (const event of [
      sender('https://evil/'),
      sender('app://trapeze/', { senderFrame: { url: 'app://trapeze/', parent: {} } }),
      sender('app://trapeze/', { sender: {} }),
      sender('', { senderFrame: null }),
    ]) {
      expect(isTrustedSender(event, [window])).toBe(false);
      expect(await handlers[CHANNELS.call]!(event, 'console.text', { id: 'm' })).toMatchObject({
        failure: { code: 'bad-request' },
      });
      expect(await handlers[CHANNELS.chooseFiles]!(event)).toEqual([]);
    }
  });

  it('sends events to the windows', () => {
    fire({ name: 'machines.removed', data: { id: 'm' } });
    expect(contents.send).toHaveBeenLastCalledWith(CHANNELS.event, 'machines.removed', { id: 'm' });
  });
});

it('the preload script exposes the contract and nothing else', async () => {
  electron.renderer = new EventEmitter();
  await import('../../../src-main/electron/preload.ts');
  const bridge = electron.exposed['trapeze'] as {
    call(method: string, request: unknown): unknown;
    onEvent(listener: (name: string) => void): () => void;
    pathOf(file: unknown): string;
  };
  expect(Object.keys(bridge).toSorted()).toEqual(['call', 'chooseFiles', 'onEvent', 'pathOf']);
  bridge.call('machines.list', {});
  expect(electron.invoked).toEqual([[CHANNELS.call, 'machines.list', {}]]);
  expect(() => bridge.call('shell.openExternal', {})).toThrow(/no such method/);
  const seen: string[] = [];
  const dispose = bridge.onEvent((name) => seen.push(name));
  electron.renderer.emit(CHANNELS.event, {}, 'machines.removed', {});
  electron.renderer.emit(CHANNELS.event, {}, 'made.up', {});
  dispose();
  electron.renderer.emit(CHANNELS.event, {}, 'machines.removed', {});
  expect(seen).toEqual(['machines.removed']);
  expect(bridge.pathOf({ name: 'x.iso' })).toBe('/real/x.iso');
});

it('app:// serves the interface with its policy and nothing outside', async () => {
  put(folder, 'index.html', 'page');
  let handler: (request: Request) => Promise<Response> = () => Promise.reject(new Error('not registered'));
  serveApp({ handle: (_scheme: string, given: typeof handler) => (handler = given) } as never, folder);
  const get = (url: string, method = 'GET') => handler({ url, method } as Request);
  const page = await get('app://trapeze/');
  expect(await page.text()).toBe('page');
  expect(page.headers.get('Content-Security-Policy')).toMatch(/default-src 'none'/);
  for (const url of ['app://other/', 'app://trapeze/..%2f..%2fetc/passwd', 'app://trapeze/none.js'])
    expect((await get(url)).status).toBe(404);
  expect((await get('app://trapeze/', 'POST')).status).toBe(404);
});

it('files of a command line are those that exist', () => {
  put(folder, 'a.iso', 'x');
  expect(filesOfArguments(['trapeze', '--flag', 'a.iso', 'none.iso', '.'], folder)).toEqual([
    path.join(folder, 'a.iso'),
  ]);
  fs.mkdirSync(path.join(folder, 'sub'));
  expect(filesOfArguments(['trapeze', 'sub'], folder)).toEqual([]);
});

it('a VM is a utility process whose end is reported', () => {
  const child = Object.assign(new EventEmitter(), {
    pid: 7,
    stderr: new EventEmitter(),
    postMessage: vi.fn(),
    kill: vi.fn(),
  });
  const fork = vi.fn(() => child);
  const vm = utilitySpawner({ fork } as unknown as typeof utilityProcess, 'vm.mjs').spawn();
  expect(fork).toHaveBeenCalledWith(
    'vm.mjs',
    [],
    expect.objectContaining({ execArgv: ['--wasm-tiering-budget=300000'] }),
  );
  const seen: unknown[] = [];
  vm.onMessage((message) => seen.push(message));
  vm.onErrorOutput((text) => seen.push(text));
  vm.onExit(({ how }) => seen.push(how));
  child.emit('message', { kind: 'ready' });
  child.stderr.emit('data', Buffer.from('oh'));
  child.emit('exit', 9);
  vm.send({ x: 1 });
  vm.kill();
  expect(seen).toEqual([{ kind: 'ready' }, 'oh', 'exit status 9']);
  expect([child.postMessage.mock.calls, child.kill.mock.calls.length]).toEqual([[[{ x: 1 }]], 1]);
});

it('the menu opens files and leaves the shortcut to the interface', () => {
  const open = vi.fn();
  const [file] = menuTemplate('linux', open);
  const [item] = file!.submenu as { registerAccelerator: boolean; click(): void }[];
  item!.click();
  expect(open).toHaveBeenCalledOnce();
  expect(item!.registerAccelerator).toBe(false);
  expect(menuTemplate('darwin', open)[0]).toEqual({ role: 'appMenu' });
});
