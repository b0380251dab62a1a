// The interface under app://trapeze: no file:// and no server.
import { readFile } from 'node:fs/promises';
import type { Protocol } from 'electron';
import { contentPolicy } from '../application/contentPolicy.ts';
import { findStaticFile } from '../application/staticFiles.ts';
import { APP_SCHEME, isOwnPage } from './guards.ts';

/** Must run before the app is ready. */
export function registerScheme(protocol: Protocol): void {
  protocol.registerSchemesAsPrivileged([
    { scheme: APP_SCHEME, privileges: { standard: true, secure: true, supportFetchAPI: true, codeCache: true } },
  ]);
}

export function serveApp(protocol: Protocol, rendererFolder: string): void {
  protocol.handle(APP_SCHEME, async (request) => {
    const file = isOwnPage(request.url) ? findStaticFile(rendererFolder, new URL(request.url).pathname) : null;
    if (file === null || request.method !== 'GET') return new Response('Not found', { status: 404 });
    return new Response(await readFile(file.path), {
      headers: {
        'Content-Type': file.type,
        'Content-Security-Policy': contentPolicy([]),
        'X-Content-Type-Options': 'nosniff',
      },
    });
  });
}
