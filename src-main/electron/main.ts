// Entry of Electron's main process; the build places preload and VM process beside it.
import path from 'node:path';
import { startShell } from './shell.ts';

const beside = (name: string): string => path.join(import.meta.dirname, name);
await startShell({ preload: beside('preload.cjs'), vmProcess: beside('vmProcess.mjs') });
