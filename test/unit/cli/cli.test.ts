import fs from 'node:fs';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { runCli } from '../../../src-main/cli/program.ts';
import {
  parseBootOrder,
  parseDisk,
  parseListen,
  parseMemory,
  parseRunOptions,
} from '../../../src-main/cli/runOptions.ts';
import { openSerialConsole } from '../../../src-main/cli/serialConsole.ts';
import type { Engine } from '../../../src-main/cli/runMachine.ts';
import { createFakeDebugService } from '../../support/fakeDebugService.ts';
import { FakeMachine } from '../../support/fakeMachine.ts';
import { put, testFolder } from '../../support/folders.ts';
import { isoImage, linuxKernel, mbrDisk } from '../../support/images.ts';

const folder = testFolder();

function terminal(typed = '') {
  const texts = { output: '', errors: '' };
  const sink = (name: 'output' | 'errors') =>
    new PassThrough().setEncoding('utf8').on('data', (text: string) => (texts[name] += text));
  const input = new PassThrough();
  if (typed !== '') setTimeout(() => input.write(typed), 50);
  return { texts, streams: { input, output: sink('output'), errors: sink('errors') } };
}

async function cli(args: readonly string[], typed = '') {
  const { texts, streams } = terminal(typed);
  const loadEngine = async (): Promise<Engine> => ({
    createMachine: (configuration, host) => new FakeMachine(configuration, host),
    createDebugService: createFakeDebugService,
    compareEngines: () => Promise.resolve({ kind: 'equal', instructions: 0, ended: null }),
  });
  const status = await runCli(args, { ...streams, loadEngine });
  return { status, ...texts };
}

describe('options', () => {
  it('reads sizes, orders and disks', () => {
    expect([parseMemory('256'), parseMemory('64M'), parseMemory('1G'), parseMemory('2GiB')]).toEqual([
      256, 64, 1024, 2048,
    ]);
    expect(parseBootOrder('dca')).toEqual(['cdrom', 'disk', 'floppy']);
    expect(parseBootOrder('cd,hd')).toEqual(['cdrom', 'disk']);
    expect([parseListen('1234'), parseListen('localhost:1'), parseListen('[::1]:65535')]).toEqual([
      { host: '127.0.0.1', port: 1234 },
      { host: 'localhost', port: 1 },
      { host: '::1', port: 65535 },
    ]);
    for (const wrong of ['', 'x', '1:2:3', '65536', 'host:']) expect(() => parseListen(wrong)).toThrow(/--gdb/);
    expect(parseDisk('a,b.img,readonly')).toEqual({ path: 'a,b.img', readOnly: true });
  });

  it('tells images by content and lets options win', () => {
    const iso = put(folder, 'x', isoImage('X'));
    const { configuration } = parseRunOptions([iso], { memory: '32M', cpu: '486', boot: 'floppy', disk: ['d.img,ro'] });
    expect(configuration).toMatchObject({
      cdrom: iso,
      memoryMiB: 32,
      cpu: { model: '486' },
      bootOrder: ['floppy'],
      disks: [{ path: 'd.img', readOnly: true }],
    });
    const kernel = put(folder, 'k', linuxKernel('6.1'));
    expect(parseRunOptions([kernel], { append: 'quiet' }).configuration.kernel).toMatchObject({
      path: kernel,
      commandLine: 'quiet',
    });
  });
});

describe('bad arguments end with status 2 and one line', () => {
  const disk = put(folder, 'disk.img', mbrDisk());
  const cases: readonly (readonly [string[], RegExp])[] = [
    [['run'], /nothing to start/],
    [['run', disk, '--memory', 'lots'], /--memory lots: expected a size/],
    [['run', disk, '--memory', '9G'], /--memory 9G: a machine takes 1 MiB to 3072 MiB; this computer has \d+ MiB/],
    [['run', disk, '--cpu', 'z80'], /--cpu z80: expected one of/],
    [['run', disk, '--engine', 'magic'], /--engine magic/],
    [['run', disk, '--boot', 'x'], /--boot x/],
    [['run', disk, '--timeout', 'soon'], /--timeout soon/],
    [['run', disk, '--serial', 'x'], /--serial x/],
    [['run', disk, '--frobnicate'], /unknown option '--frobnicate'/],
    [['run', '/no/such/file'], /\/no\/such\/file: there is no such file/],
    [['run', folder], /it is a folder/],
    [['run', '--disk', put(folder, 'empty', '')], /the file is empty/],
    [['run', '--cdrom', disk], /this is not a CD image/],
    [['run', '--initrd', disk], /need --kernel/],
    [['frob'], /unknown command 'frob'/],
    [['serve', '--port', 'x'], /--port x/],
  ];
  it.each(cases)('%j', async (args, message) => {
    const { status, errors } = await cli(args);
    expect(status).toBe(2);
    expect(errors).toMatch(message);
    expect(errors.trim().split('\n')).toHaveLength(1);
    expect(errors).toMatch(/^trapeze: /);
  });
});

describe('run', () => {
  const disk = put(folder, 'run.img', mbrDisk());

  it('ends with 0 when the guest powers off, and writes what was asked for', async () => {
    const [text, picture, statistics, debug] = ['s.txt', 's.png', 's.json', 'd.txt'].map((name) =>
      path.join(folder, name),
    ) as [string, string, string, string];
    const { status, output } = await cli(
      ['run', disk, '--screen-text', text, '--screenshot', picture, '--stats', statistics, '--debugcon', debug],
      'add 1 2\rpoweroff\r',
    );
    expect(status).toBe(0);
    expect(output).toContain('sum 3');
    expect(fs.readFileSync(text, 'utf8')).toMatch(/^fake machine/);
    expect(fs.readFileSync(picture).subarray(1, 4).toString()).toBe('PNG');
    expect(JSON.parse(fs.readFileSync(statistics, 'utf8'))).toMatchObject({
      state: 'stopped',
      stopReason: { kind: 'guest-power-off' },
    });
    expect(fs.readFileSync(debug, 'utf8')).toBe('fake debug line\n');
  });

  it('ends with (value << 1) | 1 through the debug exit', async () => {
    expect((await cli(['run', disk], 'exit 0\r')).status).toBe(1);
    expect((await cli(['run', disk], 'exit 16\r')).status).toBe(33);
  });

  it('ends with 124 when the time is up', async () => {
    expect((await cli(['run', disk, '--timeout', '0.2', '--serial', 'none'])).status).toBe(124);
  });

  it('ends with 4 and the reason on a triple fault', async () => {
    expect(await cli(['run', disk], 'triple\r')).toMatchObject({
      status: 4,
      errors: expect.stringMatching(/triple fault.*#GP/) as string,
    });
  });

  it('writes COM1 to a file', async () => {
    const file = path.join(folder, 'serial.txt');
    await cli(['run', disk, '--serial', `file:${file}`, '--timeout', '0.2']);
    expect(fs.readFileSync(file, 'utf8')).toMatch(/fake machine/);
  });

  it('gives the disk back', async () => {
    for (let run = 0; run < 2; run++)
      expect((await cli(['run', disk, '--timeout', '0.05', '--serial', 'none'])).status).toBe(124);
  });
});

it('the escape key ends a raw terminal and everything else goes to the guest', () => {
  const input = Object.assign(new PassThrough(), {
    isTTY: true,
    raw: false,
    setRawMode(raw: boolean) {
      this.raw = raw;
    },
  });
  const sent: number[] = [];
  let escaped = 0;
  const console = openSerialConsole({
    input,
    output: new PassThrough(),
    hint: new PassThrough(),
    send: (bytes) => sent.push(...bytes),
    escape: () => escaped++,
  });
  expect(input.raw).toBe(true);
  input.emit('data', Buffer.from('a\x03'));
  input.emit('data', Buffer.from('b\x1d'));
  expect([sent, escaped]).toEqual([[97, 3, 98], 1]);
  console.close();
  expect(input.raw).toBe(false);
});

it('creates and lists machines of a library', async () => {
  const library = path.join(folder, 'library');
  const iso = put(folder, 'cd.iso', isoImage('A_CD'));
  expect((await cli(['create', iso, '--library', library, '--name', 'mine', '--disk-size', '1G'])).output).toContain(
    'mine',
  );
  expect((await cli(['list', '--library', library])).output).toBe('mine\t512 MiB\tA CD\n');
  expect((await cli(['start', 'mine', '--library', library, '--timeout', '0.2'])).status).toBe(124);
  expect(await cli(['start', 'yours', '--library', library])).toMatchObject({
    status: 2,
    errors: expect.stringContaining('no machine "yours"') as string,
  });
});
