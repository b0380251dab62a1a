// The GDB stub: packets, commands, stops, and clients that behave badly.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodePacket, fromLittleEndianHex, littleEndianHex, PacketReader } from '../../../core/debugger/gdb/packets.ts';
import { GdbServer } from '../../../core/debugger/gdb/server.ts';
import type { GdbPorts } from '../../../core/debugger/gdb/session.ts';
import { gdbRegisters } from '../../../core/debugger/gdb/targetDescription.ts';
import { physicalRanges } from '../../../core/debugger/physicalMap.ts';
import { FakeConnection, fuzzGdb } from '../../support/gdbFuzz.ts';
import { flatMode, pagedMode, realMode, snapshot, type Fixture } from './cpuFixture.ts';
import { FakeBreakpoints, FakeController } from './fakeDebugger.ts';

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

function stage(fixture: Fixture = flatMode()) {
  const breakpoints = new FakeBreakpoints();
  const controller = new FakeController(fixture, breakpoints);
  const lines: string[] = [];
  const ports: GdbPorts = {
    target: fixture.target, controller, breakpoints,
    monitor: async (line) => {
      lines.push(line);
      return `ran ${line}`;
    },
    physicalRanges: () => physicalRanges(fixture.cpu, fixture.map, []),
  };
  const clients: (string | null)[] = [];
  const server = new GdbServer(ports, (peer) => clients.push(peer));
  return { ...fixture, breakpoints, controller, ports, server, lines, clients };
}

/** Plays GDB: sends packets and gathers what comes back. */
class Client {
  readonly connection: FakeConnection;
  readonly replies: string[] = [];
  readonly acks: boolean[] = [];
  readonly #reader: PacketReader;

  constructor(server: GdbServer, peer?: string) {
    this.connection = new FakeConnection(peer);
    this.#reader = new PacketReader({
      packet: (payload) => this.replies.push(payload), interrupt: () => {}, acknowledged: (ok) => this.acks.push(ok), damaged: () => this.replies.push('damaged'),
    });
    const send = this.connection.send.bind(this.connection);
    this.connection.send = (bytes) => {
      send(bytes);
      if (!this.connection.isClosed) this.#reader.feed(bytes);
    };
    server.accept(this.connection);
  }
  async ask(payload: string): Promise<string> {
    this.replies.length = 0;
    this.connection.receive(encodePacket(payload));
    await settle();
    return this.replies.at(-1) ?? '(nothing)';
  }
}

async function connected(fixture?: Fixture) {
  const all = stage(fixture);
  const client = new Client(all.server);
  expect(await client.ask('qSupported:swbreak+;hwbreak+;xmlRegisters=i386')).toContain('QStartNoAckMode+');
  expect(await client.ask('?')).toBe('T02thread:1;');
  expect(all.controller.log).toEqual(['pause gdb']);
  all.controller.log.length = 0;
  return { ...all, client };
}

test('packets: checksums, escapes, run lengths, halves, garbage', () => {
  const packets: string[] = [];
  let damaged = 0, interrupts = 0;
  const reader = new PacketReader({ packet: (payload) => packets.push(payload), interrupt: () => interrupts++, acknowledged: () => {}, damaged: () => damaged++ });
  const feed = (text: string): void => reader.feed(Uint8Array.from(text, (character) => character.charCodeAt(0)));
  feed('$OK#9a');
  feed('garbage\u0003$O');
  feed('K#');
  feed('9');
  feed('a$OK#00$}\u0003}]#');
  feed('60');
  expect(packets).toEqual(['OK', 'OK']);
  expect(damaged).toBe(2);
  expect(interrupts).toBe(1);
  packets.length = 0;
  const sum = (body: string): string => ([...body].reduce((total, character) => total + character.charCodeAt(0), 0) & 0xff).toString(16).padStart(2, '0');
  for (const body of ['0* ', 'X0,1:a*b', 'lost$m1', '*!', 'a}', 'a*']) feed(`$${body}#${sum(body.split('$').at(-1)!)}`);
  expect(packets).toEqual(['0000', 'X0,1:a*b', 'm1']);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 7 }), (bytes, step) => {
    packets.length = 0;
    const payload = `X${String.fromCharCode(...bytes)}`;
    const encoded = encodePacket(payload);
    for (let at = 0; at < encoded.length; at += step) reader.feed(encoded.subarray(at, at + step));
    expect(packets).toEqual([payload]);
  }), { seed: 3, numRuns: 300 });
  expect(fromLittleEndianHex(littleEndianHex(0x123456789abcdef0n, 8))).toBe(0x123456789abcdef0n);
});

test('acknowledgements, and none on request', async () => {
  const { server } = stage();
  const client = new Client(server);
  await client.ask('qC');
  expect(client.acks).toEqual([true]);
  client.connection.receive(new TextEncoder().encode('$qC#00'));
  expect(client.acks).toEqual([true, false]);
  client.connection.receive(new TextEncoder().encode('-'));
  expect(client.replies).toEqual(['QC1', 'QC1']);
  expect(await client.ask('QStartNoAckMode')).toBe('OK');
  await client.ask('qC');
  expect(client.acks).toEqual([true, false, true]);
});

test('registers and memory are read and written', async () => {
  const { client, cpu, target, controller, write32 } = await connected();
  const number = (name: string): string => gdbRegisters.findIndex((register) => register.name === name).toString(16);
  cpu.setReg32(0, 0x11223344);
  const all = await client.ask('g');
  expect(all.slice(0, 8)).toBe('44332211');
  expect(all).toHaveLength(gdbRegisters.reduce((sum, { bits }) => sum + bits / 4, 0));
  expect(await client.ask(`p${number('real_eip')}`)).toBe('007c0000');
  expect(await client.ask(`P${number('ebx')}=78563412`)).toBe('OK');
  expect(cpu.reg32(3)).toBe(0x12345678);
  expect(await client.ask(`P${number('st0')}=35c26821a2da0fc90040`)).toBe('OK');
  expect(target.registers.get('st0')).toBe(0x4000c90fdaa22168c235n);
  expect(await client.ask(`P${number('cs')}=99000000`)).toBe('E16');
  expect(await client.ask('Pff=00')).toBe('E16');
  expect(await client.ask('P0')).toBe('E16');
  // All at once: what has not changed is not loaded again.
  expect(await client.ask(`G${'00000000'}${all.slice(8)}`)).toBe('OK');
  expect([cpu.reg32(0), cpu.reg32(3)]).toEqual([0, 0]);
  write32(0x3000, 0xddccbbaa);
  expect(await client.ask('m3000,4')).toBe('aabbccdd');
  expect(await client.ask('m3000,0')).toBe('');
  expect(await client.ask('mfffffff0,4')).toBe('E0e');
  expect((await client.ask('mfffffe,8'))).toBe('0000');
  expect(await client.ask('M3000,2:0102')).toBe('OK');
  expect(await client.ask('X3002,4:}\u0003#*')).toBe('OK');
  expect(await client.ask('m3000,6')).toBe('01027d03232a');
  expect(await client.ask('X3000,0:')).toBe('OK');
  expect(await client.ask('M3000,4:01')).toBe('E16');
  expect(await client.ask('Mf0000000,1:01')).toBe('E0e');
  expect(await client.ask('mzz,1')).toBe('E16');
  expect(controller.log.every((entry) => entry === 'changed')).toBe(true);
});

test('breakpoints of all types become those of the debugger and leave with the client', async () => {
  const { client, breakpoints, controller, bytes } = await connected();
  bytes(0x7c00, 0x90, 0x90, 0x90, 0xeb, 0xfe);
  for (const [type, where] of [
    ['0', { kind: 'execute', at: '0x7c02', space: 'linear' }], ['1', { kind: 'execute', at: '0x7c02', space: 'linear' }],
    ['2', { kind: 'data', at: '0x7c02', space: 'linear', length: 4, access: 'write' }], ['3', { kind: 'data', access: 'read' }], ['4', { kind: 'data', access: 'access' }],
  ] as const) {
    expect(await client.ask(`Z${type},7c02,4`)).toBe('OK');
    expect(breakpoints.list().at(-1)!.where).toMatchObject(where);
  }
  expect(await client.ask('Z0,7c02,4')).toBe('OK');
  expect(breakpoints.list()).toHaveLength(5);
  expect(await client.ask('Z0,dead,1')).toBe('E0e');
  expect(await client.ask('Z5,7c02,1')).toBe('');
  for (const type of [1, 2, 3, 4]) expect(await client.ask(`z${type},7c02,4`)).toBe('OK');
  expect(await client.ask('z4,7c02,4')).toBe('OK');
  expect(breakpoints.list()).toHaveLength(1);
  expect(await client.ask('vCont;c')).toBe('T05swbreak:;thread:1;');
  expect(await client.ask('Z2,9000,8')).toBe('OK');
  expect(await client.ask('c')).toBe('(nothing)');
  controller.hitData(breakpoints.list().at(-1)!.id, 0x9004n);
  expect(client.replies).toEqual(['T05watch:9004;thread:1;']);
  // Removed by someone else: no matter.
  breakpoints.all.clear();
  expect(await client.ask('z0,7c02,4')).toBe('OK');
  expect(await client.ask('D')).toBe('OK');
  expect(client.connection.isClosed).toBe(true);
  expect(controller.state).toBe('running');
});

test('steps, ranges and Ctrl-C', async () => {
  const { client, cpu, controller, bytes } = await connected();
  // nop; nop; call 7c10; nop; jmp $ ... 7c10: ret
  bytes(0x7c00, 0x90, 0x90, 0xe8, 0x09, 0, 0, 0, 0x90, 0xeb, 0xfe);
  bytes(0x7c10, 0xc3);
  expect(await client.ask('s')).toBe('T05thread:1;');
  expect(cpu.rip).toBe(0x7c01);
  expect(await client.ask('vCont;s:1')).toBe('T05thread:1;');
  expect(cpu.rip).toBe(0x7c02);
  expect(await client.ask('s7c00')).toBe('T05thread:1;');
  expect(cpu.rip).toBe(0x7c01);
  // A range ends where a call leads out of it.
  expect(await client.ask('vCont;r7c00,7c08:1;c')).toBe('T05thread:1;');
  expect(cpu.rip).toBe(0x7c10);
  expect(controller.log.filter((entry) => entry === 'step 1')).toHaveLength(5);
  expect(await client.ask('C05')).toBe('(nothing)');
  expect(controller.state).toBe('running');
  client.connection.receive(Uint8Array.of(3));
  await settle();
  expect(client.replies).toEqual(['T02thread:1;']);
  expect(await client.ask('vCont;x')).toBe('E16');
  expect(await client.ask('vCont;rzz,1')).toBe('E16');
});

test('real mode: GDB sees linear addresses and the 8086', async () => {
  const fixture = realMode();
  fixture.cpu.setSegment(1, 0x1000, 0x10000, 0xffff, 0x9b);
  fixture.cpu.rip = 0x20;
  const { client, cpu } = await connected(fixture);
  expect(await client.ask('p8')).toBe('20000100');
  expect(await client.ask('P8=30000100')).toBe('OK');
  expect(cpu.rip).toBe(0x30);
  const xml = await client.ask('qXfer:features:read:target.xml:0,ffff');
  expect(xml).toContain('<architecture>i8086</architecture>');
  expect(xml[0]).toBe('l');
});

test('descriptions are served in pieces', async () => {
  const { client, map, cpu } = await connected();
  map.map(0xf0000, 0x10000, cpu.map.rom, false);
  let xml = '', part: string;
  do {
    part = await client.ask(`qXfer:features:read:target.xml:${xml.length.toString(16)},100`);
    xml += part.slice(1);
  } while (part[0] === 'm');
  expect(xml).toContain('org.gnu.gdb.i386.core');
  expect(xml.match(/<reg /g)).toHaveLength(gdbRegisters.length);
  expect(xml.endsWith('</target>')).toBe(true);
  const memory = await client.ask('qXfer:memory-map:read::0,3ff0');
  expect(memory).toContain('<memory type="rom" start="0xf0000" length="0x10000"/>');
  expect(memory).toContain('<memory type="ram" start="0x100000" length="0xfff00000"/>');
  expect(await client.ask('qXfer:features:read:other.xml:0,ff')).toBe('E00');
  expect(await client.ask('qXfer:features:read:target.xml:fffff,ff')).toBe('E01');
  expect(await client.ask('qXfer:auxv:read::0,ff')).toBe('');
});

test('threads, unknown packets, the monitor', async () => {
  const { client, lines, controller, breakpoints } = await connected();
  for (const [packet, reply] of [
    ['qfThreadInfo', 'm1'], ['qsThreadInfo', 'l'], ['qC', 'QC1'], ['Hg1', 'OK'], ['Hc-1', 'OK'], ['Hg7', 'E16'], ['T1', 'OK'], ['T2', 'E16'],
    ['qAttached', '1'], ['qSymbol::', 'OK'], ['vMustReplyEmpty', ''], ['vCont?', 'vCont;c;C;s;S;r'], ['unheard-of', ''], ['!', ''],
  ]) expect(await client.ask(packet), packet).toBe(reply);
  expect(Buffer.from(await client.ask('qThreadExtraInfo,1'), 'hex').toString()).toBe('vCPU 0: 32-bit protected mode, ring 0');
  expect(await client.ask(`qRcmd,${Buffer.from('info tlb').toString('hex')}`)).toBe('OK');
  expect(lines).toEqual(['info tlb']);
  expect(Buffer.from(client.replies[0].slice(1), 'hex').toString()).toBe('ran info tlb\n');
  expect(await client.ask('qRcmd,zz')).toBe('E16');
  // What comes while a monitor command runs waits for its turn.
  client.replies.length = 0;
  client.connection.receive(encodePacket('qRcmd,61'));
  client.connection.receive(encodePacket('qC'));
  await settle();
  expect(client.replies.slice(-2)).toEqual(['OK', 'QC1']);
  controller.shutdown();
  expect(await client.ask('?')).toBe('W00');
  expect(breakpoints.list()).toEqual([]);
});

test('a client that vanishes leaves the guest as it was', async () => {
  for (const act of [async () => {}, async (client: Client) => void (await client.ask('s')), async (client: Client) => void client.connection.receive(encodePacket('s'))]) {
    const { client, controller, breakpoints, server } = await connected();
    await client.ask('Z0,9000,1');
    await act(client);
    client.connection.close();
    await settle();
    expect(breakpoints.list()).toEqual([]);
    expect(controller.state).toBe('running');
    expect(server.client).toBeNull();
  }
  // Before the pause has taken effect.
  const early = stage();
  const hasty = new Client(early.server);
  hasty.connection.receive(encodePacket('?'));
  hasty.connection.close();
  await settle();
  expect(early.controller.state).toBe('running');
  // Someone else paused it meanwhile: it stays.
  const { client, controller } = await connected();
  await client.ask('c');
  controller.pauseFromOutside();
  client.connection.close();
  expect(controller.state).toBe('paused');
  // It stood before the client came: it stands after it.
  const still = stage();
  still.controller.state = 'paused';
  const visitor = new Client(still.server);
  expect(await visitor.ask('?')).toBe('T02thread:1;');
  visitor.connection.close();
  await settle();
  expect(still.controller.state).toBe('paused');
  expect(still.controller.log).toEqual([]);
});

test('a client that vanishes after a breakpoint of its own leaves the guest running', async () => {
  // Someone else let the guest run: the client waits for nothing when its watchpoint is hit.
  const unawaited = stage();
  unawaited.controller.state = 'paused';
  const client = new Client(unawaited.server);
  await client.ask('?');
  await client.ask('Z2,9000,4');
  unawaited.controller.resume();
  await settle();
  unawaited.controller.hitData(unawaited.breakpoints.list()[0]!.id, 0x9000n);
  client.connection.close();
  await settle();
  expect(unawaited.controller.state).toBe('running');
  // Hit just before it was removed.
  const late = await connected();
  await late.client.ask('Z2,9000,4');
  const { id } = late.breakpoints.list()[0]!;
  await late.client.ask('z2,9000,4');
  await late.client.ask('c');
  late.controller.hitData(id, 0x9000n);
  late.client.connection.close();
  await settle();
  expect(late.controller.state).toBe('running');
});

test('one client at a time; who says nothing makes room', async () => {
  const { server, clients } = stage();
  const silent = new Client(server, 'scanner');
  const first = new Client(server, 'first');
  expect(silent.connection.isClosed).toBe(true);
  expect(await first.ask('qC')).toBe('QC1');
  const second = new Client(server, 'second');
  expect(second.replies).toEqual([]);
  expect(await second.ask('qSupported')).toBe('E.another GDB (first) is connected to this machine');
  expect(second.connection.isClosed).toBe(true);
  expect(await first.ask('qC')).toBe('QC1');
  first.connection.close();
  expect(server.client).toBeNull();
  expect(clients).toEqual(['scanner', null, 'first', null]);
});

test('garbage leaves the guest alone', async () => {
  const all = stage(pagedMode());
  const before = snapshot(all);
  await fc.assert(fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 8 }), async (pieces) => {
    const client = new FakeConnection();
    all.server.accept(client);
    for (const bytes of pieces) client.receive(bytes);
    client.close();
    await settle();
    expect(all.controller.state).toBe('running');
  }), { seed: 11, numRuns: 200 });
  expect(snapshot(all)).toBe(before);
  expect(all.breakpoints.list()).toEqual([]);
});

test('fuzzed conversations end with the guest running and no breakpoints', async () => {
  const all = stage(pagedMode());
  const conversations = await fuzzGdb(all.ports, 1500, 42, () => {
    expect(all.breakpoints.list()).toEqual([]);
    expect(['running', 'paused']).toContain(all.controller.state);
    if (all.controller.state === 'paused') throw new Error(`left paused: ${all.controller.log.slice(-5).join(', ')}`);
  });
  expect(conversations).toBeGreaterThan(20);
});
