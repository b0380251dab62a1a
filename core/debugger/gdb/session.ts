// One GDB over one connection (GDB manual, appendix E). It stops the guest no earlier than its client asks for it, and
// leaves the guest as if it had not been there when the client goes, however it goes.
import type { Disposable } from '../../base/disposable.ts';
import type { BreakpointSpecification, BreakpointWhere, PhysicalRange } from '../../api/debug.ts';
import type { ByteConnection } from '../../host/debugHost.ts';
import { DebugError, type BreakpointList, type DebugController, type DebugTarget, type StopReport } from '../target.ts';
import {
  ACK_BYTES, bytesToHex, encodePacket, hexToBytes, MAX_PACKET_BYTES, NAK_BYTES, PacketReader, parseHex, textToPayload,
} from './packets.ts';
import { type GdbRegister, memoryMap, readRegister, registersFor, targetDescription, writeRegister } from './targetDescription.ts';

/** What a session works on. */
export interface GdbPorts {
  readonly target: DebugTarget;
  readonly controller: DebugController;
  readonly breakpoints: BreakpointList;
  /** Runs a line of the monitor; never rejects. */
  monitor(line: string): Promise<string>;
  physicalRanges(): readonly PhysicalRange[];
}

const SIGNAL = { INT: 2, TRAP: 5, ABRT: 6 } as const;
const FAULT = 'E0e', INVALID = 'E16';
const OK = 'OK', UNKNOWN = '';
/** The only thread: the vCPU. */
const THREAD = '1';
const MAX_READ_BYTES = MAX_PACKET_BYTES / 2 - 16;
/** Packets that may wait while a monitor command runs. */
const QUEUE_LIMIT = 64;

const WATCH = { 2: ['write', 'watch'], 3: ['read', 'rwatch'], 4: ['access', 'awatch'] } as const;

interface GdbBreakpoint {
  readonly id: number;
  readonly type: number;
  readonly address: bigint;
  readonly length: number;
}

export class GdbSession implements Disposable {
  /** It has sent a whole packet: it is no port scanner. */
  isGreeted = false;
  readonly #connection: ByteConnection;
  readonly #ports: GdbPorts;
  readonly #onEnd: () => void;
  readonly #reader: PacketReader;
  readonly #subscription: Disposable;
  readonly #breakpoints = new Map<string, GdbBreakpoint>();
  readonly #queue: string[] = [];
  #isBusy = false;
  #hasEnded = false;
  #acknowledges = true;
  #lastPacket: Uint8Array | null = null;
  #namesBreaks = false;
  /** GDB waits for a stop reply. */
  #waits = false;
  /** Goes on stepping while the program counter is in here. */
  #range: { from: bigint; to: bigint } | null = null;
  #inStep = false;
  #stepAgain = false;
  /** The guest stands because of this session, and ran before or was let run by it. */
  #ownsStop = false;
  /** All breakpoints that this client ever set: one may be hit just before it is removed. */
  readonly #ownIds = new Set<number>();
  #letRun = false;
  /** A pause or step that this session asked for is under way. */
  #stopsSoon = false;

  /** As GDB was told. */
  #registers: readonly GdbRegister[];

  constructor(connection: ByteConnection, ports: GdbPorts, onEnd: () => void) {
    this.#connection = connection;
    this.#ports = ports;
    this.#registers = registersFor(ports.target);
    this.#onEnd = onEnd;
    this.#reader = new PacketReader({
      packet: (payload) => this.#packet(payload),
      interrupt: () => this.#interrupt(),
      acknowledged: (ok) => {
        if (!ok && this.#lastPacket !== null && this.#acknowledges) this.#connection.send(this.#lastPacket);
      },
      damaged: () => {
        if (this.#acknowledges) this.#connection.send(NAK_BYTES);
      },
    });
    this.#subscription = ports.controller.onStop((stop) => this.#stopped(stop));
    connection.onData((bytes) => {
      if (!this.#hasEnded) this.#reader.feed(bytes);
    });
    connection.onClose(() => this.dispose());
  }

  get peer(): string {
    return this.#connection.peer;
  }

  /** Ends the session from either side; the guest goes on if it stands on this session's account. */
  dispose(): void {
    this.#end(this.#ownsStop && this.#letRun);
  }

  #end(resume: boolean): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#subscription.dispose();
    this.#queue.length = 0;
    for (const { id } of this.#breakpoints.values()) this.#forget(id);
    this.#breakpoints.clear();
    const { controller } = this.#ports;
    if (resume && controller.state === 'paused') controller.resume();
    else if (this.#stopsSoon && (resume || this.#letRun)) this.#resumeAtStop();
    this.#connection.close();
    this.#onEnd();
  }

  /** The pause or step under way ends after the client has gone: the guest goes on from there. */
  #resumeAtStop(): void {
    const { controller } = this.#ports;
    const subscription = controller.onStop((stop) => {
      subscription.dispose();
      if (stop.kind === 'gdb' || stop.kind === 'step') controller.resume();
    });
  }

  /** Someone else may have removed it already. */
  #forget(id: number): void {
    if (this.#ports.breakpoints.list().some((breakpoint) => breakpoint.id === id)) this.#ports.breakpoints.remove(id);
  }

  #pause(): void {
    this.#letRun = true;
    this.#stopsSoon = true;
    this.#ports.controller.pause('gdb');
  }

  // --- in and out ---------------------------------------------------------------------------------------------------

  #packet(payload: string): void {
    if (this.#hasEnded) return;
    this.isGreeted = true;
    if (this.#acknowledges) this.#connection.send(ACK_BYTES);
    if (this.#queue.length < QUEUE_LIMIT) this.#queue.push(payload);
    this.#work();
  }

  #work(): void {
    while (!this.#isBusy && !this.#hasEnded) {
      const payload = this.#queue.shift();
      if (payload === undefined) return;
      const reply = this.#attempt(payload);
      if (reply !== null) this.#send(reply);
    }
  }

  #send(payload: string): void {
    if (this.#hasEnded) return;
    this.#lastPacket = encodePacket(payload);
    this.#connection.send(this.#lastPacket);
  }

  /** Whatever a client asks for, it gets an answer: a refusal of the debugger is one. */
  #attempt(payload: string): string | null {
    try {
      return this.#command(payload);
    } catch (error) {
      if (!(error instanceof DebugError)) throw error;
      this.#waits = false;
      return INVALID;
    }
  }

  /** The reply, or null: none, or later. */
  #command(payload: string): string | null {
    const rest = payload.slice(1);
    switch (payload[0]) {
      case '?': return this.#whyStopped();
      case 'g': return this.#registers.map((register) => readRegister(this.#ports.target, register)).join('');
      case 'G': return this.#writeAll(rest);
      case 'p': return this.#readOne(rest);
      case 'P': return this.#writeOne(rest);
      case 'm': return this.#readMemory(rest);
      case 'M': return this.#writeMemory(rest, true);
      case 'X': return this.#writeMemory(rest, false);
      case 'Z': return this.#insert(rest);
      case 'z': return this.#remove(rest);
      case 'c': return this.#go('continue', rest);
      case 'C': return this.#go('continue', rest.split(';')[1] ?? '');
      case 's': return this.#go('step', rest);
      case 'S': return this.#go('step', rest.split(';')[1] ?? '');
      case 'v': return this.#long(payload);
      case 'q': return this.#query(payload);
      case 'Q': return this.#setting(payload);
      case 'H': return ['0', '-1', THREAD].includes(rest.slice(1)) ? OK : INVALID;
      case 'T': return rest === THREAD ? OK : INVALID;
      case 'D': return this.#detach();
      // Killing means leaving: a guest is switched off in Trapeze.
      case 'k':
        this.#end(true);
        return null;
      default: return UNKNOWN;
    }
  }

  #detach(): null {
    this.#send(OK);
    this.#end(true);
    return null;
  }

  // --- stops --------------------------------------------------------------------------------------------------------

  #interrupt(): void {
    if (this.#hasEnded) return;
    const { controller } = this.#ports;
    this.#range = null;
    this.#stepAgain = false;
    if (this.#waits && controller.state === 'running') this.#pause();
  }

  /** `?` is where a session begins: GDB wants a guest that stands. */
  #whyStopped(): string | null {
    const { controller } = this.#ports;
    if (controller.state !== 'running') return this.#stopReply(controller.stop);
    this.#waits = true;
    this.#pause();
    return null;
  }

  #stopped(stop: StopReport): void {
    this.#stopsSoon = false;
    if (!this.#waits) {
      // A client that did not wait for it, and may vanish: the guest goes on then.
      if (stop.breakpointId !== null && this.#ownIds.has(stop.breakpointId)) this.#ownsStop = this.#letRun = true;
      return;
    }
    const range = this.#range;
    if (range !== null && stop.kind === 'step') {
      const pc = this.#ports.target.programCounter;
      if (pc >= range.from && pc < range.to) {
        this.#stepAgain = true;
        if (!this.#inStep) this.#stepRange();
        return;
      }
    }
    this.#range = null;
    this.#waits = false;
    this.#ownsStop = this.#isOwn(stop);
    this.#send(this.#stopReply(stop));
  }

  /** Whether the guest stands because this client wanted it: not so if someone else paused it meanwhile. */
  #isOwn(stop: StopReport): boolean {
    if (stop.kind === 'gdb' || stop.kind === 'step') return true;
    return this.#stopReason(stop) !== '' || (stop.breakpointId !== null && this.#ownIds.has(stop.breakpointId));
  }

  /** Steps one by one, calls included: GDB wants to see where they lead. Stops may come at once or later. */
  #stepRange(): void {
    this.#inStep = true;
    do {
      this.#stepAgain = false;
      this.#stopsSoon = true;
      this.#ports.controller.stepInto(1);
    } while (this.#stepAgain && !this.#hasEnded);
    this.#inStep = false;
  }

  #stopReply(stop: StopReport | null): string {
    const { controller } = this.#ports;
    if (controller.state === 'stopped' && stop?.kind === 'shutdown') return 'W00';
    const crashed = controller.state === 'halted';
    const signal = crashed ? SIGNAL.ABRT : stop === null || stop.kind === 'pause' || stop.kind === 'gdb' ? SIGNAL.INT : SIGNAL.TRAP;
    return `T${signal.toString(16).padStart(2, '0')}${this.#stopReason(stop)}thread:${THREAD};`;
  }

  #stopReason(stop: StopReport | null): string {
    if (stop === null || stop.breakpointId === null) return '';
    const all = [...this.#breakpoints.values()];
    const pc = this.#ports.target.programCounter;
    // Where someone else has a breakpoint too, theirs may be the one that was hit.
    const own = all.find(({ id }) => id === stop.breakpointId) ?? all.find(({ type, address }) => type < 2 && address === pc);
    if (own === undefined) return '';
    if (own.type < 2) return this.#namesBreaks ? `${own.type === 0 ? 'swbreak' : 'hwbreak'}:;` : '';
    const [, name] = WATCH[own.type as keyof typeof WATCH];
    const at = stop.access?.address ?? own.address;
    const inside = at >= own.address && at < own.address + BigInt(own.length);
    return `${name}:${(inside ? at : own.address).toString(16)};`;
  }

  // --- running ------------------------------------------------------------------------------------------------------

  #go(how: 'continue' | 'step', address: string): string | null {
    const { controller, target } = this.#ports;
    if (address !== '') {
      const at = parseHex(address);
      if (at === null || !this.#jump(at)) return INVALID;
    }
    this.#ownsStop = false;
    this.#waits = true;
    // Someone else let it run: GDB waits with them.
    if (controller.state === 'running') return null;
    if (controller.state !== 'paused') {
      this.#waits = false;
      return this.#stopReply(controller.stop);
    }
    if (how === 'continue') {
      this.#letRun = true;
      controller.resume();
    } else if (this.#range !== null && target.programCounter < this.#range.to) this.#stepRange();
    else {
      this.#stopsSoon = true;
      controller.stepInto(1);
    }
    return null;
  }

  #jump(address: bigint): boolean {
    const register = this.#registers.find(({ source }) => source === 'pc')!;
    const hex = bytesToHex(Uint8Array.from({ length: register.bits / 8 }, (_, index) => Number((address >> BigInt(index * 8)) & 0xffn)));
    const done = writeRegister(this.#ports.target, register, hex);
    if (done) this.#ports.controller.changed();
    return done;
  }

  #long(payload: string): string | null {
    if (payload === 'vCont?') return 'vCont;c;C;s;S;r';
    if (payload.startsWith('vCont;')) return this.#vCont(payload.slice(6));
    if (payload === 'vMustReplyEmpty') return UNKNOWN;
    if (payload.startsWith('vKill')) return this.#detach();
    return UNKNOWN;
  }

  /** The first action that names the thread, or none and so all. */
  #vCont(text: string): string | null {
    for (const action of text.split(';')) {
      const [what, thread] = action.split(':');
      if (thread !== undefined && thread !== THREAD && thread !== '-1' && thread !== '0') continue;
      this.#range = null;
      switch (what[0]) {
        case 'c': case 'C': return this.#go('continue', '');
        case 's': case 'S': return this.#go('step', '');
        case 'r': {
          const [from, to] = what.slice(1).split(',').map(parseHex);
          if (from == null || to == null) return INVALID;
          this.#range = { from, to };
          return this.#go('step', '');
        }
        default: return INVALID;
      }
    }
    return INVALID;
  }

  // --- registers and memory -----------------------------------------------------------------------------------------

  #writeAll(hex: string): string {
    let at = 0, done = true;
    for (const register of this.#registers) {
      const part = hex.slice(at, at + register.bits / 4);
      if (part === '') break;
      at += part.length;
      done = writeRegister(this.#ports.target, register, part) && done;
    }
    this.#ports.controller.changed();
    return done ? OK : INVALID;
  }

  #readOne(text: string): string {
    const register = this.#registers[Number(parseHex(text) ?? -1n)];
    return register === undefined ? INVALID : readRegister(this.#ports.target, register);
  }

  #writeOne(text: string): string {
    const [number, hex] = text.split('=');
    const register = this.#registers[Number(parseHex(number) ?? -1n)];
    if (register === undefined || hex === undefined) return INVALID;
    if (!writeRegister(this.#ports.target, register, hex)) return INVALID;
    this.#ports.controller.changed();
    return OK;
  }

  #range2(text: string): { address: bigint; length: number } | null {
    const [first, second] = text.split(',');
    const address = parseHex(first), length = parseHex(second ?? '');
    if (address === null || length === null || length > BigInt(MAX_PACKET_BYTES)) return null;
    return { address, length: Number(length) };
  }

  /** As many bytes as there are from the start; GDB asks again for the rest. */
  #readMemory(text: string): string {
    const range = this.#range2(text);
    if (range === null) return INVALID;
    const length = Math.min(range.length, MAX_READ_BYTES);
    if (length === 0) return '';
    const { bytes, unmapped } = this.#ports.target.memory.readPartly('linear', range.address, length);
    const end = unmapped[0]?.from ?? length;
    return end === 0 ? FAULT : bytesToHex(bytes.subarray(0, end));
  }

  #writeMemory(text: string, isHex: boolean): string {
    const colon = text.indexOf(':');
    const range = colon < 0 ? null : this.#range2(text.slice(0, colon));
    if (range === null) return INVALID;
    const data = text.slice(colon + 1);
    const bytes = isHex ? hexToBytes(data) : Uint8Array.from(data, (character) => character.charCodeAt(0));
    if (bytes === null || bytes.length !== range.length) return INVALID;
    if (bytes.length === 0) return OK;
    if (!this.#ports.target.memory.write('linear', range.address, bytes)) return FAULT;
    this.#ports.controller.changed();
    return OK;
  }

  // --- breakpoints --------------------------------------------------------------------------------------------------

  #insert(text: string): string {
    const [typeText, addressText, lengthText] = text.split(';')[0].split(',');
    const type = Number(typeText), address = parseHex(addressText ?? ''), length = parseHex(lengthText ?? '');
    if (!/^[0-4]$/.test(typeText)) return UNKNOWN;
    if (address === null || length === null) return INVALID;
    const key = `${type},${address},${length}`;
    if (this.#breakpoints.has(key)) return OK;
    const bytes = Math.max(1, Math.min(Number(length), 0x1000_0000));
    try {
      const { id } = this.#ports.breakpoints.set(specificationOf(placeOf(type, address, bytes)));
      this.#ownIds.add(id);
      this.#breakpoints.set(key, { id, type, address, length: bytes });
      return OK;
    } catch {
      return FAULT;
    }
  }

  #remove(text: string): string {
    const [typeText, addressText, lengthText] = text.split(';')[0].split(',');
    if (!/^[0-4]$/.test(typeText)) return UNKNOWN;
    const address = parseHex(addressText ?? ''), length = parseHex(lengthText ?? '');
    if (address === null || length === null) return INVALID;
    const key = `${Number(typeText)},${address},${length}`;
    const known = this.#breakpoints.get(key);
    if (known === undefined) return OK;
    this.#breakpoints.delete(key);
    this.#forget(known.id);
    return OK;
  }

  // --- queries ------------------------------------------------------------------------------------------------------

  #query(payload: string): string | null {
    if (payload.startsWith('qSupported')) return this.#supported(payload.slice('qSupported:'.length).split(';'));
    if (payload.startsWith('qXfer:')) return this.#transfer(payload.slice(6));
    if (payload.startsWith('qRcmd,')) return this.#monitor(payload.slice(6));
    if (payload === 'qC') return `QC${THREAD}`;
    if (payload === 'qfThreadInfo') return `m${THREAD}`;
    if (payload === 'qsThreadInfo') return 'l';
    if (payload.startsWith('qThreadExtraInfo')) return bytesToHex(new TextEncoder().encode(this.#threadText()));
    if (payload.startsWith('qAttached')) return '1';
    if (payload.startsWith('qSymbol')) return OK;
    return UNKNOWN;
  }

  #threadText(): string {
    const { name, privilege } = this.#ports.target.mode();
    return `vCPU 0: ${name}, ring ${privilege}`;
  }

  #supported(features: readonly string[]): string {
    this.#namesBreaks = features.includes('swbreak+') || features.includes('hwbreak+');
    return [
      `PacketSize=${MAX_PACKET_BYTES.toString(16)}`, 'QStartNoAckMode+', 'qXfer:features:read+', 'qXfer:memory-map:read+',
      'vContSupported+', 'swbreak+', 'hwbreak+',
    ].join(';');
  }

  #setting(payload: string): string {
    if (payload !== 'QStartNoAckMode') return UNKNOWN;
    // This packet was acknowledged already; the acknowledgement of its reply is read over.
    this.#acknowledges = false;
    return OK;
  }

  #transfer(text: string): string {
    const match = /^(features|memory-map):read:([^:]*):([0-9a-fA-F]{1,8}),([0-9a-fA-F]{1,8})$/.exec(text);
    if (match === null) return UNKNOWN;
    const [, object, annex, offsetText, lengthText] = match;
    const { target } = this.#ports;
    if (object === 'features' ? annex !== 'target.xml' : annex !== '') return 'E00';
    if (object === 'features') this.#registers = registersFor(target);
    const document = textToPayload(object === 'features' ? targetDescription(target) : memoryMap(target, this.#ports.physicalRanges()));
    const offset = parseInt(offsetText, 16), length = Math.min(parseInt(lengthText, 16), MAX_READ_BYTES);
    if (offset > document.length) return 'E01';
    const part = document.slice(offset, offset + length);
    return `${offset + part.length < document.length ? 'm' : 'l'}${part}`;
  }

  /** GDB's `monitor`: the output comes in pieces, then OK. */
  #monitor(hex: string): string | null {
    const bytes = hexToBytes(hex);
    if (bytes === null) return INVALID;
    const { target, controller } = this.#ports;
    const before = target.programCounter;
    this.#isBusy = true;
    void this.#ports.monitor(new TextDecoder().decode(bytes)).then((output) => {
      this.#isBusy = false;
      if (this.#hasEnded) return;
      let text = output === '' || output.endsWith('\n') ? output : `${output}\n`;
      if (controller.state === 'running') text += '(The guest runs, which GDB does not know: use "continue" to wait for it.)\n';
      else if (target.programCounter !== before) text += '(The guest moved: use "maintenance flush register-cache".)\n';
      const encoded = new TextEncoder().encode(text);
      for (let at = 0; at < encoded.length; at += MAX_READ_BYTES) this.#send(`O${bytesToHex(encoded.subarray(at, at + MAX_READ_BYTES))}`);
      this.#send(OK);
      this.#work();
    });
    return null;
  }
}

function placeOf(type: number, address: bigint, length: number): BreakpointWhere {
  const at = `0x${address.toString(16)}`;
  if (type < 2) return { kind: 'execute', at, space: 'linear' };
  const [access] = WATCH[type as keyof typeof WATCH];
  return { kind: 'data', at, space: 'linear', length, access };
}

const specificationOf = (where: BreakpointWhere): BreakpointSpecification => ({
  where, enabled: true, condition: '', ignoreHits: 0, log: '', oneShot: false, addressSpace: '',
});
