import fs from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { createClient, localTransport } from '../../../core/api/client.ts';
import type { MachineSummary } from '../../../core/api/machines.ts';
import { Application } from '../../../src-main/application/application.ts';
import { checkMemory } from '../../../src-main/application/configurationCheck.ts';
import { nodeSpawner } from '../../../src-main/vm-host/spawn.ts';
import { put, testFolder } from '../../support/folders.ts';
import { mbrDisk } from '../../support/images.ts';

const folder = testFolder();
const entry = path.resolve(import.meta.dirname, '../../support/fakeVmProcess.ts');
const open: Application[] = [];
let count = 0;

async function openApplication(
  libraryFolder = path.join(folder, `library-${count++}`),
  tourImage: string | null = null,
) {
  const application = new Application({
    libraryFolder,
    spawner: nodeSpawner(entry),
    version: '1',
    shell: 'server',
    tourImage,
  });
  await application.open();
  open.push(application);
  const transport = localTransport(application.handlers, (listener) =>
    application.onEvent(({ name, data }) => listener(name, data)),
  );
  return { application, libraryFolder, client: createClient(transport) };
}
type Client = Awaited<ReturnType<typeof openApplication>>['client'];

async function reaches(client: Client, id: string, state: MachineSummary['state']): Promise<MachineSummary> {
  const current = (await client.call('machines.list', {})).machines.find((machine) => machine.id === id)!;
  if (current.state === state) return current;
  return new Promise((resolve) => {
    const subscription = client.on('machines.changed', (machine) => {
      if (machine.id !== id || machine.state !== state) return;
      subscription.dispose();
      resolve(machine);
    });
  });
}

afterEach(async () => {
  for (const application of open.splice(0)) await application.close();
});

describe('the library', () => {
  it('keeps machines over a restart, with a sparse disk', async () => {
    const { client, libraryFolder } = await openApplication();
    const machine = await client.call('machines.create', {
      name: 'Größe 1!',
      configuration: {},
      newDiskBytes: 2 ** 30,
    });
    expect(machine.id).toBe('gro-e-1');
    const disk = machine.configuration.disks[0]!.path;
    expect(fs.statSync(disk)).toMatchObject({ size: 2 ** 30, blocks: 0 });
    const again = await openApplication(libraryFolder);
    expect((await again.client.call('machines.list', {})).machines.map(({ name }) => name)).toEqual(['Größe 1!']);
  });

  it("copies the template of UEFI variables into the machine's folder", async () => {
    const { client, libraryFolder } = await openApplication();
    const bios = put(folder, 'code.fd', Buffer.alloc(4096, 1));
    const template = put(folder, 'vars.fd', Buffer.alloc(8192, 2)),
      second = put(folder, 'other.fd', Buffer.alloc(8192, 3));
    const firmware = { bios, variables: template };
    const made = await Promise.all(
      ['one', 'two'].map((name) => client.call('machines.create', { name, configuration: { firmware } })),
    );
    const own = made.map(({ configuration }) => configuration.firmware.variables!);
    expect(own).toEqual(['one', 'two'].map((id) => path.join(libraryFolder, 'machines', id, 'uefi-variables.fd')));
    // What the guest writes is the machine's, the template stays as it is.
    fs.writeFileSync(own[0]!, Buffer.alloc(8192, 9));
    expect(fs.readFileSync(own[1]!)[0]).toBe(2);
    expect(fs.readFileSync(template)[0]).toBe(2);
    const update = (variables: string | null, rom: string | null = bios) =>
      client.call('machines.update', { id: 'one', configuration: { firmware: { bios: rom, variables } } });
    // Its own file again is no change; another template replaces it.
    await update(own[0]!);
    expect(fs.readFileSync(own[0]!)[0]).toBe(9);
    await update(second);
    expect(fs.readFileSync(own[0]!)[0]).toBe(3);
    await expect(update(second, null)).rejects.toThrow(/belong to a UEFI firmware/);
    await expect(update(put(folder, 'odd.fd', 'abc'))).rejects.toThrow(/no UEFI variable store/);
    expect(fs.readFileSync(own[0]!)[0]).toBe(3);
    await update(null, null);
    expect(fs.existsSync(own[0]!)).toBe(false);
    await client.call('machines.delete', { id: 'two' });
    expect(fs.existsSync(own[1]!)).toBe(false);
    expect(fs.existsSync(template)).toBe(true);
  });

  it('refuses a processor whose features do not fit together', async () => {
    const { client } = await openApplication();
    const create = (cpu: object) => client.call('machines.create', { name: 'cpu', configuration: { cpu } });
    await expect(create({ model: 'pentium', enable: ['SSE2'] })).rejects.toThrow(/SSE2 needs FXSR and SSE/);
    await expect(create({ cpuid: [{ leaf: '1' }] })).rejects.toThrow(/No register is given/);
    await create({ model: 'pentium', enable: ['FXSR', 'SSE', 'SSE2'], cpuid: [{ leaf: '1', edx: 'ff' }] });
  });

  it('an uploaded template goes when it was copied', async () => {
    const { client, application } = await openApplication();
    const bios = put(folder, 'code.fd', Buffer.alloc(4096, 1));
    const upload = await application.receiveUpload(Readable.from([Buffer.alloc(4096, 5)]), 'vars.fd', 4096);
    const { configuration } = await client.call('machines.create', {
      name: 'efi',
      configuration: { firmware: { bios, variables: upload } },
    });
    expect(fs.existsSync(upload)).toBe(false);
    expect(fs.readFileSync(configuration.firmware.variables!)[0]).toBe(5);
  });

  it('reports what it cannot read and never deletes it', async () => {
    const { client, libraryFolder } = await openApplication();
    await client.call('machines.create', { name: 'good', configuration: {} });
    const bad = path.join(libraryFolder, 'machines/bad');
    fs.mkdirSync(bad);
    put(bad, 'machine.json', 'not json');
    fs.mkdirSync(path.join(libraryFolder, 'machines/alien'));
    put(path.join(libraryFolder, 'machines/alien'), 'machine.json', JSON.stringify({ version: 99 }));
    const { client: second } = await openApplication(libraryFolder);
    const { machines, problems } = await second.call('machines.list', {});
    expect(machines.map(({ name }) => name)).toEqual(['good']);
    expect(problems.map(({ file }) => path.basename(path.dirname(file))).toSorted()).toEqual(['alien', 'bad']);
    expect(fs.readFileSync(path.join(bad, 'machine.json'), 'utf8')).toBe('not json');
  });

  it('refuses a taken name and leaves nothing of a failed creation', async () => {
    const { client, libraryFolder } = await openApplication();
    await client.call('machines.create', { name: 'one', configuration: {} });
    await expect(client.call('machines.create', { name: 'one', configuration: {} })).rejects.toThrow(
      /named "one" already/,
    );
    const missing = path.join(folder, 'missing.img');
    await expect(
      client.call('machines.create', { name: 'two', configuration: { disks: [{ path: missing }] } }),
    ).rejects.toThrow(missing);
    expect(fs.readdirSync(path.join(libraryFolder, 'machines'))).toEqual(['one']);
  });

  it('deletes a machine with its uploads but no foreign file', async () => {
    const { client, application } = await openApplication();
    const foreign = put(folder, 'foreign.img', mbrDisk());
    const uploaded = await application.receiveUpload(Readable.from(mbrDisk()), 'up.img', mbrDisk().length);
    const { id } = await client.call('machines.create', {
      name: 'x',
      configuration: { disks: [{ path: foreign }, { path: uploaded }] },
    });
    await client.call('media.discard', { paths: [uploaded, foreign] });
    expect([fs.existsSync(uploaded), fs.existsSync(foreign)]).toEqual([true, true]);
    await client.call('machines.delete', { id });
    expect([fs.existsSync(uploaded), fs.existsSync(foreign)]).toEqual([false, true]);
  });

  it('offers the tour once, and not again after it was deleted', async () => {
    const tour = put(folder, 'tour.img', mbrDisk());
    const { client, libraryFolder } = await openApplication(undefined, tour);
    const [machine] = (await client.call('machines.list', {})).machines;
    expect(machine).toMatchObject({ bundled: 'tour', configuration: { disks: [{ path: tour, readOnly: true }] } });
    await client.call('machines.delete', { id: machine!.id });
    const again = await openApplication(libraryFolder, tour);
    expect((await again.client.call('machines.list', {})).machines).toEqual([]);
    expect(fs.existsSync(tour)).toBe(true);
  });
});

describe('uploads', () => {
  it('leave nothing when they are cut short, and never replace a file', async () => {
    const { application, libraryFolder } = await openApplication();
    const media = path.join(libraryFolder, 'media');
    await expect(application.receiveUpload(Readable.from(Buffer.alloc(10)), 'a.img', 20)).rejects.toThrow(/cut short/);
    expect(fs.readdirSync(media)).toEqual([]);
    const first = await application.receiveUpload(Readable.from(Buffer.alloc(10, 1)), '../../a.img', 10);
    const second = await application.receiveUpload(Readable.from(Buffer.alloc(10, 2)), 'a.img', 10);
    expect([first, second]).toEqual([path.join(media, 'a.img'), path.join(media, 'a-2.img')]);
    expect(fs.readFileSync(first)[0]).toBe(1);
  });

  it('are refused when they cannot fit', async () => {
    const { application } = await openApplication();
    await expect(application.receiveUpload(Readable.from(Buffer.alloc(1)), 'huge', 2 ** 50)).rejects.toThrow(
      /do not fit/,
    );
  });
});

describe('life of a machine', () => {
  it('runs in its own process, pauses, goes on and powers off', async () => {
    const { client } = await openApplication();
    await client.call('machines.create', { name: 'm', configuration: {} });
    const running = await client.call('machines.start', { id: 'm' });
    expect(running.processId).not.toBe(process.pid);
    await reaches(client, 'm', 'running');
    await client.call('machines.pause', { id: 'm' });
    await reaches(client, 'm', 'paused');
    await expect(client.call('machines.pause', { id: 'm' })).rejects.toThrow(/it is paused/);
    await client.call('machines.resume', { id: 'm' });
    await reaches(client, 'm', 'running');
    expect((await client.call('machines.powerOff', { id: 'm' })).state).toBe('stopped');
    expect(() => process.kill(running.processId!, 0)).toThrow();
  });

  it('shows a killed process as crashed and starts it again', async () => {
    const { client } = await openApplication();
    const disk = put(folder, 'crash.img', mbrDisk());
    await client.call('machines.create', { name: 'm', configuration: { disks: [{ path: disk }] } });
    const { processId } = await client.call('machines.start', { id: 'm' });
    process.kill(processId!, 'SIGKILL');
    const crashed = await reaches(client, 'm', 'crashed');
    expect(crashed.failure?.reason).toMatch(/killed by SIGKILL/);
    // The dead holder's lock does not stand in the way.
    await client.call('machines.start', { id: 'm' });
    await reaches(client, 'm', 'running');
  });

  it('refuses a second writer of one disk and names the holder', async () => {
    const { client } = await openApplication();
    const disk = put(folder, 'shared.img', mbrDisk());
    for (const name of ['a', 'b'])
      await client.call('machines.create', { name, configuration: { disks: [{ path: disk }] } });
    await client.call('machines.start', { id: 'a' });
    await expect(client.call('machines.start', { id: 'b' })).rejects.toThrow(`${disk}: the disk is in use by "a"`);
    await client.call('machines.powerOff', { id: 'a' });
    await client.call('machines.start', { id: 'b' });
  });

  it('reports a triple fault and goes on after a reset', async () => {
    const { client } = await openApplication();
    await client.call('machines.create', { name: 'm', configuration: {} });
    await client.call('machines.start', { id: 'm' });
    const bytes = new TextEncoder().encode('triple\r');
    await client.call('serial.input', { id: 'm', bytes });
    const halted = await reaches(client, 'm', 'halted');
    expect(halted.failure?.reason).toContain('#GP while delivering #DF');
    await client.call('machines.reset', { id: 'm' });
    await reaches(client, 'm', 'running');
  });

  it('gives the screen as frames, text and PNG, and keeps serial history', async () => {
    const { client } = await openApplication();
    await client.call('machines.create', { name: 'm', configuration: {} });
    await expect(client.call('console.text', { id: 'm' })).rejects.toThrow(/is off/);
    await client.call('machines.start', { id: 'm' });
    const first = await client.call('console.frame', { id: 'm', viewer: 'v', full: true });
    expect(first.rectangles[0]!.pixels.length).toBe(720 * 400 * 4);
    const idle = await client.call('console.frame', { id: 'm', viewer: 'v', waitMs: 50 });
    expect(idle.rectangles).toEqual([]);
    expect((await client.call('console.text', { id: 'm' }))!.lines[0]).toMatch(/fake machine/);
    const picture = await client.call('console.screenshot', { id: 'm', maxWidth: 100 });
    expect(picture).toMatchObject({ width: 100, height: 56 });
    await expect
      .poll(async () => new TextDecoder().decode((await client.call('serial.history', { id: 'm' })).bytes))
      .toMatch(/fake machine/);
  });
});

describe('limits of this computer', () => {
  it('refuses more memory than there is', () => {
    expect(() => checkMemory(2048, 1024 * 2 ** 20)).toThrow('2048 MiB of memory are more than this computer has');
    expect(() => checkMemory(1024, 1024 * 2 ** 20)).not.toThrow();
  });
});
