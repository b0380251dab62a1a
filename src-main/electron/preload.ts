// The isolated world between the interface and the main process: the contract's names and nothing else.
import { contextBridge, ipcRenderer, webUtils } from 'electron';
import { eventNames, isMethodName } from '../../core/api/contract.ts';
import { CHANNELS } from './channels.ts';

contextBridge.exposeInMainWorld('trapeze', {
  call(method: unknown, request: unknown) {
    if (!isMethodName(method)) throw new Error('There is no such method.');
    return ipcRenderer.invoke(CHANNELS.call, method, request);
  },
  onEvent(listener: (name: string, data: unknown) => void) {
    const forward = (_event: unknown, name: string, data: unknown): void => {
      if ((eventNames as readonly string[]).includes(name)) listener(name, data);
    };
    ipcRenderer.on(CHANNELS.event, forward);
    return () => ipcRenderer.off(CHANNELS.event, forward);
  },
  pathOf: (file: File) => webUtils.getPathForFile(file),
  chooseFiles: () => ipcRenderer.invoke(CHANNELS.chooseFiles),
});
