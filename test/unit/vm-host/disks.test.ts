import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { FileBlockStore } from '../../../src-main/vm-host/fileBlockStore.ts';
import { lockDisk } from '../../../src-main/vm-host/diskLock.ts';
import { encodePng, shrink } from '../../../src-main/vm-host/png.ts';
import { hostClock } from '../../../src-main/vm-host/hostClock.ts';
import { put, testFolder } from '../../support/folders.ts';

const folder = testFolder();
const lockFolder = path.join(folder, 'locks');
const openStore = (file: string, readOnly = false) =>
  new FileBlockStore(file, { readOnly, sectorBytes: 512, holder: 'test', lockFolder });

describe('a raw image as a disk', () => {
  it('reads what was written, also through another store', () => {
    const file = put(folder, 'disk', Buffer.alloc(4096));
    const store = openStore(file);
    store.write(1000, Uint8Array.of(1, 2, 3), (error) => expect(error).toBeUndefined());
    store.close();
    const bytes = new Uint8Array(5);
    openStore(file, true).read(999, bytes, (error) => expect(error).toBeUndefined());
    expect([...bytes]).toEqual([0, 1, 2, 3, 0]);
  });

  it('shows a last sector in part as padded with zeros', () => {
    const store = openStore(put(folder, 'odd', Buffer.alloc(700, 7)), true);
    expect(store.sizeBytes).toBe(1024);
    const bytes = new Uint8Array(512);
    store.read(512, bytes, () => undefined);
    expect([bytes[187], bytes[188], bytes[511]]).toEqual([7, 0, 0]);
  });

  it('answers a write to a read-only disk with an error and changes nothing', () => {
    const file = put(folder, 'ro', Buffer.alloc(512));
    openStore(file, true).write(0, Uint8Array.of(9), (error) => expect(error?.message).toContain(file));
    expect(fs.readFileSync(file)[0]).toBe(0);
  });

  it('flushes', async () => {
    const store = openStore(put(folder, 'flush', Buffer.alloc(512)));
    store.write(0, Uint8Array.of(1), () => undefined);
    await expect(new Promise((resolve) => store.flush(resolve))).resolves.toBeUndefined();
    store.close();
  });

  it('names what it cannot open', () => {
    expect(() => openStore(path.join(folder, 'none'))).toThrow(/none: there is no such file/);
    expect(() => openStore(folder)).toThrow(/it is a folder/);
    expect(() => openStore(put(folder, 'void', ''))).toThrow(/the file is empty/);
  });
});

describe('one writer per disk', () => {
  it('refuses a second writer under any name of the file, and lets readers be', () => {
    const file = put(folder, 'one', Buffer.alloc(512));
    const link = path.join(folder, 'one-link');
    fs.symlinkSync(file, link);
    const first = openStore(file);
    expect(() => openStore(link)).toThrow(`${link}: the disk is in use by "test"`);
    expect(() => openStore(file, true).close()).not.toThrow();
    first.close();
    openStore(link).close();
  });

  it('takes over from a holder that died', () => {
    const file = put(folder, 'stale', Buffer.alloc(512));
    const source = `import { lockDisk } from '${path.resolve('src-main/vm-host/diskLock.ts')}'; lockDisk('${file}', 'dead', '${lockFolder}'); process.kill(process.pid, 'SIGKILL');`;
    const { signal } = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', source]);
    expect(signal).toBe('SIGKILL');
    expect(fs.readdirSync(lockFolder)).toHaveLength(1);
    lockDisk(file, 'me', lockFolder).release();
    expect(fs.readdirSync(lockFolder)).toEqual([]);
  });

  it('takes over a lock file that holds nonsense', () => {
    const file = put(folder, 'nonsense', Buffer.alloc(512));
    lockDisk(file, 'me', lockFolder);
    const [name] = fs.readdirSync(lockFolder);
    put(lockFolder, name!, '{{{');
    expect(() => lockDisk(file, 'you', lockFolder).release()).not.toThrow();
  });
});

describe('pictures', () => {
  it('are PNG with the pixels in', () => {
    const pixels = new Uint8ClampedArray([1, 2, 3, 255, 4, 5, 6, 255]);
    const png = Buffer.from(encodePng({ width: 2, height: 1, pixels }));
    const at = png.indexOf('IDAT');
    const rows = zlib.inflateSync(png.subarray(at + 4, at + 4 + png.readUInt32BE(at - 4)));
    expect([...rows]).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(png.readUInt32BE(png.length - 4)).toBe(zlib.crc32('IEND'));
  });

  it('shrink by averaging', () => {
    const pixels = new Uint8ClampedArray(4 * 2 * 4).fill(100);
    pixels.fill(200, 0, 4);
    const small = shrink({ width: 4, height: 2, pixels }, 2);
    expect([small.width, small.height, small.pixels[0], small.pixels[4]]).toEqual([2, 1, 125, 100]);
  });
});

describe('the host clock', () => {
  it('never calls back early', async () => {
    for (const ms of [0.3, 1, 2.5, 7]) {
      const started = hostClock.nowMs();
      await new Promise<void>((resolve) => void hostClock.after(ms, resolve));
      expect(hostClock.nowMs() - started).toBeGreaterThanOrEqual(ms);
    }
  });

  it('can be cancelled', async () => {
    let called = false;
    hostClock.after(1, () => (called = true)).cancel();
    hostClock.after(0, () => (called = true)).cancel();
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(called).toBe(false);
  });
});
