import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { AtomicFile } from '../../../src-main/vm-host/atomicFile.ts';
import { put, testFolder } from '../../support/folders.ts';

const folder = testFolder();
let count = 0;
const place = (): string => {
  const own = path.join(folder, String(count++));
  fs.mkdirSync(own);
  return own;
};
const open = (file: string, limitBytes = 1 << 20): AtomicFile =>
  new AtomicFile(file, { limitBytes, holder: 'test', lockFolder: path.join(folder, 'locks') });
const filled = (byte: number): Uint8Array => new Uint8Array(300_000).fill(byte);

describe('a file that is replaced as a whole', () => {
  it('holds the last of several contents, and nothing else lies beside it', async () => {
    const own = place(),
      file = put(own, 'vars.fd', 'old');
    const atomic = open(file);
    expect(Buffer.from(atomic.content).toString()).toBe('old');
    const results = await Promise.all(
      [1, 2, 3, 4].map((byte) => new Promise((resolve) => atomic.replace(filled(byte), resolve))),
    );
    expect(results).toEqual([undefined, undefined, undefined, undefined]);
    expect(fs.readFileSync(file).equals(Buffer.from(filled(4)))).toBe(true);
    expect(fs.readdirSync(own)).toEqual(['vars.fd']);
    atomic.close();
  });

  it('is never seen half written', async () => {
    const own = place(),
      file = put(own, 'vars.fd', Buffer.from(filled(0)));
    const atomic = open(file);
    let last = Promise.resolve();
    for (let byte = 1; byte < 60; byte++) {
      last = new Promise((resolve) => atomic.replace(filled(byte), () => resolve()));
      for (let look = 0; look < 5; look++) {
        const content = fs.readFileSync(file);
        expect(content.length).toBe(300_000);
        expect(content.equals(Buffer.alloc(300_000, content[0]))).toBe(true);
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    await last;
    expect(fs.readFileSync(file)[0]).toBe(59);
    atomic.close();
  });

  it('closing writes what waits, and what was on its way does not come later', async () => {
    const own = place(),
      file = put(own, 'vars.fd', 'old');
    const atomic = open(file);
    const told: unknown[] = [];
    atomic.replace(filled(1), (error) => told.push(error));
    atomic.replace(filled(2), (error) => told.push(error));
    atomic.close();
    expect(told).toEqual([undefined, undefined]);
    expect(fs.readFileSync(file)[0]).toBe(2);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(fs.readFileSync(file)[0]).toBe(2);
    expect(fs.readdirSync(own)).toEqual(['vars.fd']);
    atomic.replace(filled(3), (error) => told.push(error?.message));
    expect(told.at(-1)).toMatch(/closed/);
  });

  it('keeps links, refuses a second writer and what is too large', () => {
    const own = place(),
      file = put(own, 'vars.fd', 'old'),
      link = path.join(own, 'link.fd');
    fs.symlinkSync(file, link);
    const atomic = open(link);
    expect(() => open(file)).toThrow(/in use by "test"/);
    atomic.replace(filled(1), () => {});
    atomic.close();
    expect(fs.lstatSync(link).isSymbolicLink()).toBe(true);
    expect(fs.readFileSync(file)[0]).toBe(1);
    expect(() => open(file, 100)).toThrow(/too many/);
    open(file).close();
  });

  it('says when it cannot be written, and the old content stays', async () => {
    const own = place(),
      file = put(own, 'vars.fd', 'old');
    const atomic = open(file);
    // A folder of this name cannot be replaced by a file.
    fs.rmSync(file);
    fs.mkdirSync(file);
    put(file, 'inside', 'x');
    const error = await new Promise<Error | undefined>((resolve) => atomic.replace(filled(1), resolve));
    expect(error?.message).toContain(file);
    expect(fs.readdirSync(own)).toEqual(['vars.fd']);
    atomic.close();
  });
});
