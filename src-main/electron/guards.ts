// What a window may not do: leave the interface, open others, be granted a device, call from a foreign frame.
import type { BrowserWindow, IpcMainInvokeEvent, Session, WebContents } from 'electron';

export const APP_SCHEME = 'app';
export const APP_ORIGIN = `${APP_SCHEME}://trapeze`;
export const START_PAGE = `${APP_ORIGIN}/`;

/** Full screen and pointer lock are what a console needs; everything else is denied. */
const GRANTED: ReadonlySet<string> = new Set([
  'fullscreen',
  'pointerLock',
  'keyboardLock',
  'clipboard-sanitized-write',
]);

export function isOwnPage(address: string): boolean {
  try {
    const { protocol, host } = new URL(address);
    return `${protocol}//${host}` === APP_ORIGIN;
  } catch {
    return false;
  }
}

export function guardSession(session: Session): void {
  session.setPermissionRequestHandler((contents, permission, decide) => {
    decide(isOwnPage(contents.getURL()) && GRANTED.has(permission));
  });
  session.setPermissionCheckHandler((contents, permission) => {
    return contents !== null && isOwnPage(contents.getURL()) && GRANTED.has(permission);
  });
  session.setDevicePermissionHandler(() => false);
}

export function guardContents(contents: WebContents): void {
  contents.on('will-navigate', (event, address) => {
    if (!isOwnPage(address)) event.preventDefault();
  });
  contents.on('will-redirect', (event, address) => {
    if (!isOwnPage(address)) event.preventDefault();
  });
  contents.on('will-attach-webview', (event) => event.preventDefault());
  contents.setWindowOpenHandler(() => ({ action: 'deny' }));
}

/** Only the top frame of one of our windows, on one of our pages, may call. */
export function isTrustedSender(event: IpcMainInvokeEvent, windows: readonly BrowserWindow[]): boolean {
  const frame = event.senderFrame;
  if (frame === null || frame.parent !== null || !isOwnPage(frame.url)) return false;
  return windows.some((window) => !window.isDestroyed() && window.webContents === event.sender);
}
