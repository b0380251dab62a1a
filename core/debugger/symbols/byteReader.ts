// Reads little-endian fields of a file and names what is wrong when it ends too early.
import { DebugError } from '../target.ts';

const decoder = new TextDecoder('utf-8', { fatal: false });
/** Longest name or path that a table may hold. */
const MAX_TEXT = 4096;
const MAX_LEB_BYTES = 10;

export class ByteReader {
  readonly bytes: Uint8Array;
  /** File and part of it, for messages. */
  readonly what: string;
  position: number;
  readonly end: number;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, what: string, position = 0, end = bytes.length) {
    this.bytes = bytes;
    this.what = what;
    this.position = position;
    this.end = Math.min(end, bytes.length);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  fail(expected: string, found: string): never {
    throw new DebugError(`${this.what}: expected ${expected}, found ${found}`);
  }

  get atEnd(): boolean {
    return this.position >= this.end;
  }

  #take(length: number): number {
    const at = this.position;
    if (length < 0 || at < 0 || at + length > this.end) {
      this.fail(`${length} more bytes at offset ${at}`, `the end at ${this.end}`);
    }
    this.position = at + length;
    return at;
  }

  skip(length: number): void {
    this.#take(length);
  }
  u8(): number {
    return this.bytes[this.#take(1)];
  }
  i8(): number {
    return this.#view.getInt8(this.#take(1));
  }
  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }
  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }
  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }
  /** A 64-bit offset or count that must be usable as a number. */
  size64(what: string): number {
    const value = this.u64();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) this.fail(`a sensible ${what}`, `${value.toString(16)}h`);
    return Number(value);
  }
  word(bytes: 4 | 8): bigint {
    return bytes === 8 ? this.u64() : BigInt(this.u32());
  }
  /** An unsigned value of 1 to 8 bytes. */
  unsigned(bytes: number): bigint {
    switch (bytes) {
      case 1: return BigInt(this.u8());
      case 2: return BigInt(this.u16());
      case 4: return BigInt(this.u32());
      case 8: return this.u64();
      default: return this.fail('a value of 1, 2, 4 or 8 bytes', `${bytes}`);
    }
  }

  uleb(): bigint {
    let value = 0n, shift = 0n;
    for (let count = 0; count < MAX_LEB_BYTES; count++) {
      const byte = this.u8();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
      shift += 7n;
    }
    return this.fail('a LEB128 number of at most 10 bytes', 'a longer one');
  }
  sleb(): bigint {
    let value = 0n, shift = 0n;
    for (let count = 0; count < MAX_LEB_BYTES; count++) {
      const byte = this.u8();
      value |= BigInt(byte & 0x7f) << shift;
      shift += 7n;
      if (byte < 0x80) return (byte & 0x40) !== 0 ? value - (1n << shift) : value;
    }
    return this.fail('a LEB128 number of at most 10 bytes', 'a longer one');
  }
  /** The common case of ULEB128: below 2^32 for sure, larger ones as they come. */
  ulebNumber(): number {
    const first = this.u8();
    if (first < 0x80) return first;
    this.position--;
    const value = this.uleb();
    return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value);
  }

  /** A string up to its NUL. */
  text(): string {
    const at = this.position;
    const limit = Math.min(this.end, at + MAX_TEXT);
    const zero = this.bytes.indexOf(0, at);
    if (zero < 0 || zero >= limit) this.fail(`a string that ends within ${MAX_TEXT} bytes at offset ${at}`, 'none');
    this.position = zero + 1;
    return decodeText(this.bytes, at, zero);
  }

  /** A part of the same bytes with its own end. */
  part(length: number, what = this.what): ByteReader {
    const at = this.#take(length);
    return new ByteReader(this.bytes, what, at, at + length);
  }
}

/** Names are ASCII nearly always: that is quicker by hand for short ones. */
export function decodeText(bytes: Uint8Array, from: number, to: number): string {
  if (to - from < 24) {
    let text = '';
    for (let at = from; at < to; at++) {
      const byte = bytes[at];
      if (byte >= 0x80) return decoder.decode(bytes.subarray(from, to));
      text += String.fromCharCode(byte);
    }
    return text;
  }
  return decoder.decode(bytes.subarray(from, to));
}

/** The string at an offset of a string table; empty when there is none. */
export function textAt(table: Uint8Array, offset: number): string {
  if (offset < 0 || offset >= table.length) return '';
  const limit = Math.min(table.length, offset + MAX_TEXT);
  let end = table.indexOf(0, offset);
  if (end < 0 || end > limit) end = limit;
  return decodeText(table, offset, end);
}
