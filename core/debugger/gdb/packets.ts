// Packets of GDB's remote protocol (GDB manual, appendix E.1): framing, checksums, escapes, run lengths, acknowledgements.
// Payloads are strings of bytes: each character is one of 0..255.

const START = 0x24, END = 0x23, ESCAPE = 0x7d, REPEAT = 0x2a, ACK = 0x2b, NAK = 0x2d, INTERRUPT = 0x03;
const ESCAPE_MASK = 0x20;
/** A repeat count is sent with 29 added. */
const REPEAT_BIAS = 29;

/** Longest packet that is understood, in bytes on the wire. */
export const MAX_PACKET_BYTES = 0x4000;

export interface PacketEvents {
  packet(payload: string): void;
  /** Ctrl-C outside a packet. */
  interrupt(): void;
  acknowledged(ok: boolean): void;
  /** A packet whose checksum is wrong, or that is too long. */
  damaged(): void;
}

/** Takes bytes as they come and finds the packets in them. Whatever comes, it never throws and holds at most one packet. */
export class PacketReader {
  readonly #events: PacketEvents;
  readonly #body: number[] = [];
  #state: 'idle' | 'body' | 'checksum-high' | 'checksum-low' = 'idle';
  #sum = 0;
  #high = 0;
  #isTooLong = false;

  constructor(events: PacketEvents) {
    this.#events = events;
  }

  feed(bytes: Uint8Array): void {
    for (const byte of bytes) this.#take(byte);
  }

  #take(byte: number): void {
    switch (this.#state) {
      case 'idle':
        this.#outside(byte);
        return;
      case 'body':
        this.#inside(byte);
        return;
      case 'checksum-high':
        this.#high = hexDigit(byte);
        this.#state = 'checksum-low';
        return;
      case 'checksum-low':
        this.#state = 'idle';
        this.#finish(this.#high, hexDigit(byte));
        return;
    }
  }

  #outside(byte: number): void {
    if (byte === START) this.#begin();
    else if (byte === INTERRUPT) this.#events.interrupt();
    else if (byte === ACK || byte === NAK) this.#events.acknowledged(byte === ACK);
  }

  #begin(): void {
    this.#state = 'body';
    this.#body.length = 0;
    this.#sum = 0;
    this.#isTooLong = false;
  }

  #inside(byte: number): void {
    if (byte === END) {
      this.#state = 'checksum-high';
      return;
    }
    // A new packet begins: the end of the last one was lost.
    if (byte === START) {
      this.#begin();
      return;
    }
    this.#sum = (this.#sum + byte) & 0xff;
    if (this.#body.length < MAX_PACKET_BYTES) this.#body.push(byte);
    else this.#isTooLong = true;
  }

  #finish(high: number, low: number): void {
    const fits = high >= 0 && low >= 0 && high * 16 + low === this.#sum && !this.#isTooLong;
    const payload = fits ? expand(this.#body) : null;
    this.#body.length = 0;
    if (payload === null) this.#events.damaged();
    else this.#events.packet(payload);
  }
}

function hexDigit(byte: number): number {
  const digit = parseInt(String.fromCharCode(byte), 16);
  return Number.isNaN(digit) ? -1 : digit;
}

/** Undoes escapes, and run lengths where they can be: binary data of X may hold a plain asterisk. Null: it makes no sense. */
function expand(body: readonly number[]): string | null {
  const runs = body[0] !== 0x58;
  const parts: string[] = [];
  let length = 0;
  for (let index = 0; index < body.length; index++) {
    const byte = body[index];
    if (byte === ESCAPE) {
      if (++index >= body.length) return null;
      parts.push(String.fromCharCode(body[index] ^ ESCAPE_MASK));
    } else if (byte === REPEAT && runs) {
      const count = (body[++index] ?? 0) - REPEAT_BIAS;
      const last = parts.at(-1)?.at(-1);
      if (count < 0 || last === undefined || length + count > MAX_PACKET_BYTES * 4) return null;
      parts.push(last.repeat(count));
      length += count;
      continue;
    } else parts.push(String.fromCharCode(byte));
    length++;
  }
  return parts.join('');
}

/** The bytes of a packet. */
export function encodePacket(payload: string): Uint8Array {
  const bytes: number[] = [START];
  let sum = 0;
  const put = (byte: number): void => {
    bytes.push(byte);
    sum = (sum + byte) & 0xff;
  };
  for (let index = 0; index < payload.length; index++) {
    const byte = payload.charCodeAt(index) & 0xff;
    if (byte === START || byte === END || byte === ESCAPE || byte === REPEAT) {
      put(ESCAPE);
      put(byte ^ ESCAPE_MASK);
    } else put(byte);
  }
  bytes.push(END, ...[sum >> 4, sum & 15].map((digit) => digit.toString(16).charCodeAt(0)));
  return Uint8Array.from(bytes);
}

export const ACK_BYTES = Uint8Array.of(ACK);
export const NAK_BYTES = Uint8Array.of(NAK);

// --- payload pieces ---------------------------------------------------------------------------------------------------

export function bytesToHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}

/** Null: not whole bytes in hexadecimal. */
export function hexToBytes(text: string): Uint8Array | null {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return null;
  return Uint8Array.from({ length: text.length / 2 }, (_, index) => parseInt(text.slice(index * 2, index * 2 + 2), 16));
}

/** UTF-8 text as a payload. */
export const textToPayload = (text: string): string => Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join('');

/** A register's value as its bytes in memory order. */
export function littleEndianHex(value: bigint, bytes: number): string {
  let text = '';
  for (let index = 0; index < bytes; index++) text += Number((value >> BigInt(index * 8)) & 0xffn).toString(16).padStart(2, '0');
  return text;
}

export function fromLittleEndianHex(text: string): bigint | null {
  const bytes = hexToBytes(text);
  if (bytes === null || bytes.length === 0) return null;
  return BigInt(`0x${bytesToHex(bytes.reverse())}`);
}

/** An address or length in hexadecimal; null: none. */
export const parseHex = (text: string): bigint | null => (/^[0-9a-fA-F]{1,16}$/.test(text) ? BigInt(`0x${text}`) : null);
