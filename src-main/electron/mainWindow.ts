// The window: isolated, sandboxed, shown when it has something to show.
import type { BrowserWindow, BrowserWindowConstructorOptions } from 'electron';
import { START_PAGE, guardContents } from './guards.ts';

export function windowOptions(preload: string): BrowserWindowConstructorOptions {
  return {
    width: 1440,
    height: 900,
    minWidth: 800,
    minHeight: 560,
    show: false,
    title: 'Trapeze',
    autoHideMenuBar: true,
    webPreferences: {
      preload,
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      webSecurity: true,
      webviewTag: false,
      spellcheck: false,
    },
  };
}

export function openMainWindow(
  create: (options: BrowserWindowConstructorOptions) => BrowserWindow,
  preload: string,
): BrowserWindow {
  const window = create(windowOptions(preload));
  guardContents(window.webContents);
  window.once('ready-to-show', () => window.show());
  void window.loadURL(START_PAGE);
  return window;
}
