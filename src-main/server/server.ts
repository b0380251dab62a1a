// The loopback server.
import fs from 'node:fs';
import http from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { Failure, toFailureRecord } from '../../core/api/failure.ts';
import type { Application } from '../application/application.ts';
import { contentPolicy } from '../application/contentPolicy.ts';
import { findStaticFile } from '../application/staticFiles.ts';
import { Access } from './access.ts';
import { serveSocket } from './socket.ts';

export interface ServerOptions {
  readonly application: Application;
  /** The built interface. */
  readonly rendererFolder: string;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly token?: string;
}

export interface RunningServer {
  /** With the token: opens the interface. */
  readonly address: string;
  readonly port: number;
  close(): Promise<void>;
}

const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const server = http.createServer();
  await listen(server, options);
  const { port } = server.address() as AddressInfo;
  const access = new Access(options.host, port, options.token);
  server.on('request', (request, response) => {
    handle(request, response, access, options).catch((error: unknown) => sendFailure(response, 500, error));
  });
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES });
  server.on('upgrade', (request, socket, head) => {
    const allowed = access.isOwnHost(request) && access.isOwnOrigin(request) && access.hasCookie(request);
    if (!allowed || request.url !== '/api') {
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => serveSocket(webSocket, options.application));
  });
  return {
    address: `http://${options.host}:${port}/?token=${access.token}`,
    port,
    async close() {
      for (const client of sockets.clients) client.terminate();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function listen(server: http.Server, { host, port }: ServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reason = error.code === 'EADDRINUSE' ? 'another program uses this port' : error.message;
      reject(
        new Failure('host-limit', `The server cannot listen on ${host}:${port}.`, {
          reason,
          action: 'Choose another port.',
        }),
      );
    });
    server.listen(port, host, resolve);
  });
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  access: Access,
  options: ServerOptions,
): Promise<void> {
  const { port } = request.socket.localPort === undefined ? { port: 0 } : { port: request.socket.localPort };
  response.setHeader('Content-Security-Policy', contentPolicy([`ws://${request.headers.host ?? `127.0.0.1:${port}`}`]));
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Referrer-Policy', 'no-referrer');
  response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
  response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
  if (!access.isOwnHost(request)) return refuse(response, 'This server answers only under its own address.');
  const url = new URL(request.url ?? '/', 'http://localhost');
  if (request.method === 'POST' && url.pathname === '/upload') return upload(request, response, url, access, options);
  if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, 'Method not allowed.', 405);
  const token = url.searchParams.get('token');
  if (url.pathname === '/' && token !== null) {
    if (!access.matches(token)) return refuse(response, 'The token is not valid.');
    response.writeHead(303, { Location: '/', 'Set-Cookie': access.cookieHeader() }).end();
    return;
  }
  if (!access.hasCookie(request)) {
    return refuse(response, 'Open the address that "trapeze serve" printed: it carries the token.');
  }
  sendFile(request, response, options.rendererFolder, url.pathname);
}

function sendFile(request: IncomingMessage, response: ServerResponse, folder: string, urlPath: string): void {
  const file = findStaticFile(folder, urlPath);
  if (file === null) {
    refuse(response, 'Not found.', 404);
    return;
  }
  const immutable = urlPath.startsWith('/assets/');
  response.writeHead(200, {
    'Content-Type': file.type,
    'Content-Length': fs.statSync(file.path).size,
    'Cache-Control': immutable ? 'max-age=31536000, immutable' : 'no-cache',
  });
  if (request.method === 'HEAD') response.end();
  else fs.createReadStream(file.path).pipe(response);
}

async function upload(
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
  access: Access,
  { application }: ServerOptions,
): Promise<void> {
  if (!access.isOwnOrigin(request) || !access.hasCookie(request)) return refuse(response, 'Not allowed.');
  const size = Number(request.headers['content-length'] ?? 'NaN');
  try {
    if (!Number.isSafeInteger(size)) throw new Failure('bad-request', 'An upload must say its length.');
    const path = await application.receiveUpload(request, url.searchParams.get('name') ?? 'upload', size);
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify({ path }));
  } catch (error) {
    sendFailure(response, 400, error);
  }
}

function sendFailure(response: ServerResponse, status: number, error: unknown): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  // The rest of an upload is not wanted.
  response.writeHead(status, { 'Content-Type': 'application/json', Connection: 'close' });
  response.end(JSON.stringify(toFailureRecord(error)));
}

function refuse(response: ServerResponse, text: string, status = 403): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
}
