import http from 'node:http';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { decodeMessage } from '../../../core/api/wire.ts';
import { Application } from '../../../src-main/application/application.ts';
import { startServer } from '../../../src-main/server/server.ts';
import type { RunningServer } from '../../../src-main/server/server.ts';
import { nodeSpawner } from '../../../src-main/vm-host/spawn.ts';
import { put, testFolder } from '../../support/folders.ts';

const folder = testFolder();
const TOKEN = 'a-token-for-tests';
let server: RunningServer;
let application: Application;
let cookie: string;

beforeAll(async () => {
  put(folder, 'index.html', '<p>the page</p>');
  put(folder, 'secret.key', 'not for the web');
  application = new Application({
    libraryFolder: path.join(folder, 'library'),
    spawner: nodeSpawner('none'),
    version: '9',
    shell: 'server',
    tourImage: null,
  });
  await application.open();
  server = await startServer({ application, rendererFolder: folder, host: '127.0.0.1', port: 0, token: TOKEN });
  cookie = `trapeze-${server.port}=${TOKEN}`;
});
afterAll(() => server.close());

interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: string;
}
function request(url: string, options: http.RequestOptions = {}, body?: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = http.request({ host: '127.0.0.1', port: server.port, path: url, ...options }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body: text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
const origin = () => `http://127.0.0.1:${server.port}`;

function openSocket(headers: Record<string, string>): Promise<string> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/api`, { headers });
    socket.on('open', () => socket.send(JSON.stringify({ id: 7, method: 'system.information', request: {} })));
    socket.on('message', (data: Buffer) => {
      resolve(JSON.stringify(decodeMessage(data.toString())));
      socket.close();
    });
    socket.on('error', (error) => resolve(error.message));
  });
}

describe('who may come in', () => {
  it('gives a cookie for the token and the page for the cookie', async () => {
    const entered = await request(`/?token=${TOKEN}`);
    expect(entered).toMatchObject({ status: 303, headers: { location: '/' } });
    expect(entered.headers['set-cookie']![0]).toMatch(/HttpOnly; SameSite=Strict/);
    const page = await request('/', { headers: { cookie } });
    expect(page).toMatchObject({ status: 200, body: '<p>the page</p>' });
    expect(page.headers['content-security-policy']).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
  });

  it('refuses without token, with a wrong one, under a foreign name', async () => {
    expect((await request('/')).status).toBe(403);
    expect((await request('/?token=wrong')).status).toBe(403);
    expect((await request('/', { headers: { cookie, host: `evil.example:${server.port}` } })).status).toBe(403);
  });

  it('never leaves its folder, and serves only what a page is made of', async () => {
    for (const url of ['/../secret.key', '/%2e%2e/package.json', '/secret.key', '/..%2f..%2fetc%2fpasswd', '/%00']) {
      expect((await request(url, { headers: { cookie } })).status).toBe(404);
    }
  });
});

describe('the socket', () => {
  it('answers with the cookie from its own page', async () => {
    const answer = await openSocket({ cookie, origin: origin() });
    expect(JSON.parse(answer)).toMatchObject({ id: 7, response: { version: '9', shell: 'server' } });
  });

  it('refuses foreign pages and strangers', async () => {
    expect(await openSocket({ cookie, origin: 'http://evil.example' })).toMatch(/403/);
    expect(await openSocket({ cookie })).toMatch(/403/);
    expect(await openSocket({ origin: origin() })).toMatch(/403/);
  });

  it('survives nonsense', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/api`, { headers: { cookie, origin: origin() } });
    await new Promise((resolve) => socket.on('open', resolve));
    for (const text of ['', '{', '[]', '{"id":"x"}', 'null']) socket.send(text);
    socket.send(Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 2, 3]));
    socket.send(JSON.stringify({ id: 1, method: '__proto__', request: {} }));
    const data = await new Promise<Buffer>((resolve) => socket.on('message', (bytes: Buffer) => resolve(bytes)));
    expect(JSON.parse(data.toString())).toMatchObject({ id: 1, failure: { code: 'bad-request' } });
    socket.close();
  });
});

describe('uploads', () => {
  it('take a file from the page and refuse others', async () => {
    const body = Buffer.from('content');
    const headers = { cookie, origin: origin(), 'content-length': body.length };
    const sent = await request('/upload?name=x.img', { method: 'POST', headers }, body);
    expect(JSON.parse(sent.body)).toEqual({ path: path.join(application.library.mediaFolder, 'x.img') });
    expect(
      (
        await request(
          '/upload?name=x',
          { method: 'POST', headers: { ...headers, origin: 'http://evil.example' } },
          body,
        )
      ).status,
    ).toBe(403);
    expect(
      (
        await request(
          '/upload?name=x',
          { method: 'POST', headers: { cookie, origin: origin(), 'transfer-encoding': 'chunked' } },
          body,
        )
      ).body,
    ).toMatch(/must say its length/);
  });
});

it('says why it cannot listen', async () => {
  const second = startServer({ application, rendererFolder: folder, host: '127.0.0.1', port: server.port });
  await expect(second).rejects.toThrow(`cannot listen on 127.0.0.1:${server.port}`);
});
