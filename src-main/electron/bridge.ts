// The main process's end of the bridge: the contract over Electron's IPC.
import type { BrowserWindow, Dialog, IpcMain } from 'electron';
import { methods } from '../../core/api/contract.ts';
import { dispatch } from '../../core/api/dispatch.ts';
import { Failure, toFailureRecord } from '../../core/api/failure.ts';
import type { Application } from '../application/application.ts';
import { CHANNELS } from './channels.ts';
import { isTrustedSender } from './guards.ts';

export interface BridgeOptions {
  readonly ipcMain: IpcMain;
  readonly dialog: Dialog;
  readonly application: Application;
  windows(): readonly BrowserWindow[];
}

export function serveBridge({ ipcMain, dialog, application, windows }: BridgeOptions): void {
  ipcMain.handle(CHANNELS.call, async (event, method: unknown, request: unknown) => {
    try {
      if (!isTrustedSender(event, windows()))
        throw new Failure('bad-request', 'The call does not come from the interface.');
      return { response: await dispatch(methods, application.handlers, String(method), request) };
    } catch (error) {
      return { failure: toFailureRecord(error) };
    }
  });
  ipcMain.handle(CHANNELS.chooseFiles, async (event) => {
    if (!isTrustedSender(event, windows())) return [];
    const answer = await dialog.showOpenDialog({
      title: 'Open an image or a kernel',
      properties: ['openFile', 'multiSelections'],
    });
    return answer.canceled ? [] : answer.filePaths;
  });
  application.onEvent(({ name, data }) => {
    for (const window of windows()) if (!window.isDestroyed()) window.webContents.send(CHANNELS.event, name, data);
  });
}
