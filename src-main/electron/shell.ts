// The life of the desktop program.
import { BrowserWindow, Menu, app, dialog, ipcMain, protocol, session, utilityProcess } from 'electron';
import { failureText, toFailureRecord } from '../../core/api/failure.ts';
import { Application } from '../application/application.ts';
import { defaultLibraryFolder, productVersion, rendererFolder, tourImage } from '../application/productPaths.ts';
import { menuTemplate } from './appMenu.ts';
import { registerScheme, serveApp } from './appProtocol.ts';
import { serveBridge } from './bridge.ts';
import { guardContents, guardSession } from './guards.ts';
import { openMainWindow } from './mainWindow.ts';
import { filesOfArguments } from './openFiles.ts';
import { utilitySpawner } from './utilitySpawner.ts';

export interface ShellFiles {
  readonly preload: string;
  readonly vmProcess: string;
}

export async function startShell(files: ShellFiles): Promise<void> {
  if (!app.requestSingleInstanceLock()) {
    app.quit();
    return;
  }
  registerScheme(protocol);
  app.enableSandbox();
  const pending: string[] = filesOfArguments(process.argv, process.cwd());
  let window: BrowserWindow | null = null;
  let application: Application | null = null;
  const hand = (paths: string[]): void => {
    if (application === null || window === null) pending.push(...paths);
    else if (paths.length > 0) application.openFiles(paths);
  };
  app.on('open-file', (event, file) => {
    event.preventDefault();
    hand([file]);
  });
  app.on('second-instance', (_event, args, folder) => {
    if (window?.isMinimized() === true) window.restore();
    window?.focus();
    hand(filesOfArguments(args, folder));
  });
  app.on('web-contents-created', (_event, contents) => guardContents(contents));
  await app.whenReady();

  application = new Application({
    libraryFolder: defaultLibraryFolder(),
    spawner: utilitySpawner(utilityProcess, files.vmProcess),
    version: productVersion(),
    shell: 'electron',
    tourImage: tourImage(),
  });
  try {
    await application.open();
  } catch (error) {
    dialog.showErrorBox('Trapeze cannot open its library', failureText(toFailureRecord(error)));
    app.exit(1);
    return;
  }
  serveApp(protocol, rendererFolder);
  guardSession(session.defaultSession);
  serveBridge({ ipcMain, dialog, application, windows: () => BrowserWindow.getAllWindows() });
  const chooseAndOpen = async (): Promise<void> => {
    const answer = await dialog.showOpenDialog({ properties: ['openFile', 'multiSelections'] });
    if (!answer.canceled) hand(answer.filePaths);
  };
  Menu.setApplicationMenu(Menu.buildFromTemplate(menuTemplate(process.platform, () => void chooseAndOpen())));
  const open = (): void => {
    window = openMainWindow((options) => new BrowserWindow(options), files.preload);
    window.on('closed', () => (window = null));
    window.webContents.once('did-finish-load', () => hand(pending.splice(0)));
  };
  open();
  app.on('activate', () => window ?? open());
  endWithMachines(application);
}

/** Machines are ended before the program is. */
function endWithMachines(application: Application): void {
  let ended = false;
  app.on('window-all-closed', () => app.quit());
  app.on('before-quit', (event) => {
    if (ended) return;
    event.preventDefault();
    void application.close().finally(() => {
      ended = true;
      app.quit();
    });
  });
}
