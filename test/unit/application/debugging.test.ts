// The debugger through the application, over a real VM process with the tour, and the monitor of the command line.
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, expect, it } from 'vitest';
import { createClient, localTransport } from '../../../core/api/client.ts';
import { Application } from '../../../src-main/application/application.ts';
import { runCli } from '../../../src-main/cli/program.ts';
import { nodeSpawner } from '../../../src-main/vm-host/spawn.ts';
import { put, testFolder } from '../../support/folders.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const folder = testFolder();
const open: Application[] = [];
let count = 0;

async function runningTour(paused = false) {
  const libraryFolder = path.join(folder, `library-${count++}`);
  const application = new Application({
    libraryFolder,
    spawner: nodeSpawner(path.join(root, 'src-main/vm-host/main.ts')),
    version: '1',
    shell: 'server',
    tourImage: path.join(root, 'assets/guests/tour/tour.img'),
  });
  await application.open();
  open.push(application);
  const transport = localTransport(application.handlers, (listener) =>
    application.onEvent(({ name, data }) => listener(name, data)),
  );
  const client = createClient(transport);
  const [machine] = (await client.call('machines.list', {})).machines;
  const id = machine!.id;
  await client.call('machines.start', { id, paused });
  return { client, id, libraryFolder, application };
}

afterEach(async () => {
  for (const application of open.splice(0)) await application.close();
});

it('starts a machine before its first instruction', async () => {
  const { client, id } = await runningTour(true);
  const status = await client.call('debug.status', { id });
  expect(status).toMatchObject({ state: 'paused', instructions: 0, mode: { name: 'real mode' } });
  expect(status.place.address).toBe('fffffff0');
  expect(status.symbols).toMatchObject([{ kind: 'ELF32 executable' }]);
});

it('keeps exit policy and symbol files with the machine', async () => {
  const { client, id, application } = await runningTour(true);
  const policy = await client.call('traps.policy', { id });
  expect(policy.classes).toMatchObject({ flags: 'inline', port: 'count' });
  await client.call('traps.setPolicy', {
    id,
    policy: { classes: { ...policy.classes, cpuid: 'log' }, strictUserMode: true },
  });
  expect(application.library.get(id).configuration.exitPolicy).toEqual({
    classes: { cpuid: 'log' },
    strictUserMode: true,
  });
  const map = put(folder, 'more.map', new TextEncoder().encode('00012345 T somewhere\n00012350 T elsewhere\n'));
  const { id: number, symbols } = await client.call('debug.loadSymbols', { id, path: map });
  expect(symbols).toBe(2);
  expect(application.library.get(id).configuration.symbols.map((file) => file.path)).toContain(map);
  expect((await client.call('debug.evaluate', { id, expression: 'somewhere' })).value).toBe('12345');
  await client.call('debug.unloadSymbols', { id, number });
  expect(application.library.get(id).configuration.symbols.map((file) => file.path)).not.toContain(map);
});

it('says what is wrong with files and expressions, and leaves the guest alone', async () => {
  const { client, id } = await runningTour(true);
  const broken = put(folder, 'broken.elf', Uint8Array.from([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1, 0, 9, 9]));
  await expect(client.call('debug.loadSymbols', { id, path: broken })).rejects.toThrow(/broken\.elf/);
  await expect(client.call('debug.loadSymbols', { id, path: `${broken}.gone` })).rejects.toThrow(/no such file/);
  await expect(client.call('debug.evaluate', { id, expression: 'eax +' })).rejects.toThrow();
  await expect(client.call('debug.evaluate', { id, expression: '[0fe000000]' })).rejects.toThrow();
  const where = { kind: 'execute', at: 'timer', space: 'linear' } as const;
  await expect(
    client.call('debug.setBreakpoint', { id, breakpoint: { where, condition: 'eax ==' } }),
  ).rejects.toThrow();
  const unknown = await client.call('debug.setBreakpoint', {
    id,
    breakpoint: { where: { kind: 'execute', at: 'nowhere' } },
  });
  expect(unknown.problem).toMatch(/nowhere/);
  expect(await client.call('debug.status', { id })).toMatchObject({ state: 'paused', instructions: 0 });
});

it('listens for GDB on loopback, and warns where it does not', async () => {
  const { client, id } = await runningTour(true);
  const local = await client.call('debug.gdb', { id, listen: { port: 0 } });
  expect(local).toMatchObject({ address: expect.stringMatching(/^127\.0\.0\.1:\d+$/), warning: null });
  expect((await client.call('debug.status', { id })).gdb).toEqual({ address: local.address, client: null });
  const open = await client.call('debug.gdb', { id, listen: { host: '0.0.0.0', port: 0 } });
  expect(open.warning).toMatch(/other computers/);
  await expect(client.call('debug.gdb', { id, listen: { host: '203.0.113.1', port: 1 } })).rejects.toThrow(
    /203\.0\.113\.1:1/,
  );
  expect(await client.call('debug.gdb', { id, listen: null })).toEqual({ address: null, warning: null });
  expect((await client.call('debug.status', { id })).gdb).toBeNull();
});

it('answers trapeze monitor', async () => {
  const { client, id, libraryFolder } = await runningTour(true);
  const [input, output, errors] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const texts = { output: '', errors: '' };
  output.setEncoding('utf8').on('data', (text: string) => (texts.output += text));
  errors.setEncoding('utf8').on('data', (text: string) => (texts.errors += text));
  const loadEngine = () => Promise.reject(new Error('not needed'));
  const ended = runCli(['monitor', 'Tour of virtualization', '--library', libraryFolder], {
    input,
    output,
    errors,
    loadEngine,
  });
  input.write('print timer\nstep 3\nregisters eip\nnonsense\n');
  input.end();
  expect(await ended).toBe(0);
  expect(texts.output).toMatch(/timer/);
  expect(texts.output).toMatch(/nonsense/);
  expect((await client.call('debug.status', { id })).instructions).toBe(3);
});

it('tells that a machine is off', async () => {
  const { client, id, libraryFolder } = await runningTour(true);
  await client.call('machines.powerOff', { id });
  const errors = new PassThrough();
  let text = '';
  errors.setEncoding('utf8').on('data', (part: string) => (text += part));
  const streams = { input: new PassThrough(), output: new PassThrough(), errors };
  const loadEngine = () => Promise.reject(new Error('not needed'));
  expect(
    await runCli(['monitor', 'Tour of virtualization', '--library', libraryFolder], { ...streams, loadEngine }),
  ).toBe(2);
  expect(text).toMatch(/off/);
});
