// Throws garbage, half packets and mad commands at the GDB stub for a while.
import fc from 'fast-check';
import type { ByteConnection } from '../../core/host/debugHost.ts';
import { encodePacket } from '../../core/debugger/gdb/packets.ts';
import { GdbServer } from '../../core/debugger/gdb/server.ts';
import type { GdbPorts } from '../../core/debugger/gdb/session.ts';

/** A connection whose other end is in the test's hands. */
export class FakeConnection implements ByteConnection {
  readonly peer: string;
  readonly sent: Uint8Array[] = [];
  isClosed = false;
  #onData: (bytes: Uint8Array) => void = () => {};
  #onClose: () => void = () => {};

  constructor(peer = '127.0.0.1:5555') {
    this.peer = peer;
  }
  send(bytes: Uint8Array): void {
    if (this.isClosed) return;
    this.sent.push(bytes);
    if (this.sent.length > 1000) this.sent.splice(0, 500);
  }
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#onClose();
  }
  onData(listener: (bytes: Uint8Array) => void): void {
    this.#onData = listener;
  }
  onClose(listener: () => void): void {
    this.#onClose = listener;
  }
  receive(bytes: Uint8Array): void {
    if (!this.isClosed) this.#onData(bytes);
  }
}

const verbs = [
  '?',
  'g',
  'G',
  'p',
  'P',
  'm',
  'M',
  'X',
  'Z0,',
  'Z1,',
  'Z2,',
  'Z3,',
  'Z4,',
  'Z9,',
  'z0,',
  'z2,',
  'c',
  's',
  'C05',
  'S05',
  'vCont;',
  'vCont?',
  'vCont;r',
  'vCont;c:1',
  'vMustReplyEmpty',
  'qSupported:',
  'qXfer:features:read:',
  'qXfer:memory-map:read::',
  'qRcmd,',
  'qC',
  'qfThreadInfo',
  'QStartNoAckMode',
  'Hg',
  'Hc',
  'T',
  'D',
  'k',
  'vKill;',
  'R',
  '!',
  'b',
  '',
  'qThreadExtraInfo,1',
];
const hex = fc.integer({ min: 0, max: 0xffffffff }).map((value) => value.toString(16));
const tail = fc.oneof(
  fc.constant(''),
  hex,
  fc.tuple(hex, hex).map(([a, b]) => `${a},${b}`),
  fc.tuple(hex, hex, hex).map(([a, b, c]) => `${a},${b}:${c}`),
  fc.tuple(fc.integer({ min: 0, max: 90 }), hex).map(([n, value]) => `${n.toString(16)}=${value.padStart(8, '0')}`),
  fc.string({ maxLength: 60 }),
  hex.map((value) => value.repeat(300)),
  hex.map((value) => `target.xml:${value},fff`),
  fc.constant('0,4:\u0001\u0002}\u0003'),
);
const packet = fc.tuple(fc.constantFrom(...verbs), tail).map(([verb, rest]) => encodePacket(verb + rest));
const piece = fc.oneof(
  { weight: 6, arbitrary: packet },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 200 }) },
  {
    weight: 2,
    arbitrary: fc.tuple(packet, fc.nat(40)).map(([bytes, cut]) => bytes.subarray(0, Math.max(0, bytes.length - cut))),
  },
  { weight: 1, arbitrary: fc.constant(Uint8Array.of(3)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      Uint8Array.of(0x2b),
      Uint8Array.of(0x2d),
      Uint8Array.of(0x24),
      Uint8Array.of(0x24, 0x24, 0x23),
    ),
  },
  { weight: 1, arbitrary: fc.nat(20000).map((length) => new Uint8Array(length).fill(0x24 + (length & 1))) },
);

export const gdbConversation = fc.array(piece, { minLength: 1, maxLength: 30 });

/** Fuzzes for `ms`; `check` sees each conversation's end and throws where something is wrong. Returns how many there were. */
export async function fuzzGdb(
  ports: GdbPorts,
  ms: number,
  seed: number,
  check: () => void = () => {},
): Promise<number> {
  const server = new GdbServer(ports);
  const end = performance.now() + ms;
  let conversations = 0;
  for (let round = 0; performance.now() < end; round++) {
    for (const pieces of fc.sample(gdbConversation, { numRuns: 20, seed: seed + round })) {
      const connection = new FakeConnection();
      server.accept(connection);
      for (const bytes of pieces) {
        connection.receive(bytes);
        await Promise.resolve();
      }
      connection.close();
      await new Promise((resolve) => setTimeout(resolve, 0));
      if (server.client !== null) throw new Error('a client that has gone is still served');
      check();
      conversations++;
    }
  }
  server.dispose();
  return conversations;
}
