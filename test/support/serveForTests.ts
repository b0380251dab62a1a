// The real server and application over VM processes of a test's choice. Prints its address.
// serveForTests.ts LIBRARY [VM_ENTRY [TOUR_IMAGE]]
import path from 'node:path';
import { Application } from '../../src-main/application/application.ts';
import { rendererFolder } from '../../src-main/application/productPaths.ts';
import { startServer } from '../../src-main/server/server.ts';
import { nodeSpawner } from '../../src-main/vm-host/spawn.ts';

const [libraryFolder, vmEntry, tour] = process.argv.slice(2);
const application = new Application({
  libraryFolder: libraryFolder!,
  spawner: nodeSpawner(
    vmEntry === undefined || vmEntry === '' ? path.join(import.meta.dirname, 'fakeVmProcess.ts') : vmEntry,
  ),
  version: '0.0.0-test',
  shell: 'server',
  tourImage: tour ?? null,
});
await application.open();
const server = await startServer({ application, rendererFolder, host: '127.0.0.1', port: 0 });
console.log(server.address);
const end = (): void => void application.close().then(() => process.exit(0));
process.on('SIGTERM', end);
process.on('disconnect', end);
