// Cases and results of the silicon oracle as bytes: what harness.c reads and writes, the seeded state that a case starts from,
// and the compact form of fixtures.
//
// `expandState` is part of the fixtures' format: a fixture keeps only what differs from it. It must never change; a fixture's
// header holds a checksum of it.

/** The harness's `struct state`. */
export const STATE = {
  gpr: 0, rip: 128, flags: 136, mxcsr: 140, control: 144, status: 146, tags: 148, codeLength: 149, pieces: 150, code: 152,
  /** Physical x87 registers. */
  st: 168, xmm: 296, bytes: 552,
} as const;
export const PIECE = { offset: 0, length: 4, bytes: 8, size: 72 } as const;
export const CASE_BYTES = STATE.bytes + 2 * PIECE.size;
export const RESULT = { vector: 552, error: 556, cr2: 560, segments: 568, changes: 580, bytes: 584 } as const;

export const CODE_BASE = 0x10000000, CODE_BYTES = 0x2000;
/** Two pages that may be written, one that may not, none behind. */
export const DATA_BASE = 0x20000000, DATA_BYTES = 0x3000, READ_ONLY = 0x2000;
/** The same pages once more in 64-bit mode. */
export const HIGH_BASE = 0x412345678000;
export const FS_BASE = 0x100000, GS_BASE = 0x1234567000;
/** What the harness reports for a case that does not end. */
export const HANG = 0xff;
/** The local descriptor table, two words a descriptor, as Linux makes it of what harness.c asks for: accessed, DPL 3. */
export const LOCAL_TABLE: readonly (readonly [low: number, high: number])[] = [
  [0x0000ffff, 0x2000f300], [0x00000fff, 0x2040f100], [0x00001fff, 0x2040f700], [0x0000ffff, 0x209ff500], [0x0000ffff, 0x1000fb00],
  [0x0000bcde, 0x10caf900], [0x00002345, 0x10417f00], [0x0000ffff, 0x20cf7300], [0, 0], [0, 0x2050f300],
];
/** The global table ends here on the host; its first entries are the kernel's and unseen, some are a thread's own. */
const GLOBAL_END = 0x80;
/** Selectors whose descriptors are the same wherever Linux runs: null, flat user segments, the kernel's, none, local ones. */
export const SELECTORS: readonly number[] = [
  ...[0, 0x08, 0x10, 0x18, 0x20, 0x28, 0x30, GLOBAL_END, 0x100, 0x7ff8, 0xfff8, 0xf000].flatMap((selector) => [0, 1, 2, 3].map((level) => selector | level)),
  ...Array.from({ length: LOCAL_TABLE.length + 2 }, (_, index) => index * 8).flatMap((selector) => [4, 5, 6, 7].map((bits) => selector | bits)),
];
/** Code in user mode: flat, of 16 bits at CODE_BASE, of 32 bits there and not to be read; in 64-bit mode the last one too. */
export const CODE_SELECTORS = { flat: 0x23, narrow: 0x27, local: 0x2f, wide: 0x33 } as const;
export type Bitness = 32 | 64;

export const patternByte = (offset: number): number => (offset * 37 + (offset >> 8) * 11 + 5) & 0xff;

/** splitmix32. */
export class Stream {
  #state: number;
  constructor(seed: number) {
    this.#state = seed | 0;
  }
  next(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }
  below(limit: number): number {
    return this.next() % limit;
  }
  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)];
  }
}

/** High and low words of interesting integers. */
const INTEGERS: readonly (readonly [number, number])[] = [
  [0, 0], [0, 1], [0, 2], [0, 0x7f], [0, 0x80], [0, 0xff], [0, 0x100], [0, 0x7fff], [0, 0x8000], [0, 0xffff], [0, 0x10000],
  [0, 0x7fffffff], [0, 0x80000000], [0, 0x80000001], [0, 0xfffffffe], [0, 0xffffffff], [1, 0], [0x7fffffff, 0xffffffff],
  [0x80000000, 0], [0x80000000, 1], [0xffffffff, 0xffffffff], [0xffffffff, 0xfffffffe], [0xffffffff, 0x80000000],
  [0xffffffff, 0x7fffffff], [0xffffffff, 0], [0x55555555, 0x55555555], [0xaaaaaaaa, 0xaaaaaaaa], [0xffffffff, 0xffffff80],
  [0xffffffff, 0xffff8000], [0, 0x1f], [0, 0x20], [0, 0x3f], [0, 0x40], [0x80808080, 0x80808080], [0x7f7f7f7f, 0x7f7f7f7f],
];
const SINGLES = [
  0, 0x80000000, 1, 0x80000001, 0x007fffff, 0x00800000, 0x3f800000, 0xbf800000, 0x3f800001, 0x3f7fffff, 0x40000000, 0x3f000000,
  0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7f800001, 0x7fc00000, 0xffc00000, 0xff800001, 0x7fbfffff, 0x4effffff, 0x4f000000,
  0xcf000000, 0xcf000001, 0x5f000000, 0xdf000000, 0x4b000000, 0x4b800000, 0x3effffff, 0x3fc00000, 0xbfc00000, 0x33800000, 0x7e800000,
];
const DOUBLES: readonly (readonly [number, number])[] = [
  [0, 0], [0x80000000, 0], [0, 1], [0x80000000, 1], [0x000fffff, 0xffffffff], [0x00100000, 0], [0x3ff00000, 0], [0xbff00000, 0],
  [0x3ff00000, 1], [0x3fefffff, 0xffffffff], [0x40000000, 0], [0x3fe00000, 0], [0x7fefffff, 0xffffffff], [0xffefffff, 0xffffffff],
  [0x7ff00000, 0], [0xfff00000, 0], [0x7ff00000, 1], [0x7ff80000, 0], [0xfff80000, 0], [0xfff00000, 1], [0x41dfffff, 0xffc00000],
  [0x41e00000, 0], [0xc1e00000, 0], [0xc1e00000, 0x00200000], [0x43e00000, 0], [0xc3e00000, 0], [0x43300000, 0], [0x3ff80000, 0],
  [0xbff80000, 0], [0x36a00000, 0], [0x380fffff, 0xe0000000], [0x47efffff, 0xf0000000], [0x47f00000, 0], [0x3690000, 0],
];
/** Sign and exponent, then the significand's words. */
const EXTENDED: readonly (readonly [number, number, number])[] = [
  [0, 0, 0], [0x3fff, 0x80000000, 0], [0, 0, 1], [0, 0x7fffffff, 0xffffffff], [0, 0x80000000, 0], [1, 0x80000000, 0],
  [0x7ffe, 0xffffffff, 0xffffffff], [0x7fff, 0x80000000, 0], [0x7fff, 0x80000000, 1], [0x7fff, 0xc0000000, 0], [0x7fff, 0xc0000000, 1],
  [0x7fff, 0, 0], [0x4000, 0x7fffffff, 0xffffffff], [0x3fff, 0x80000000, 1], [0x3ffe, 0xffffffff, 0xffffffff], [0x3ffe, 0x80000000, 0],
  [0x4000, 0xc90fdaa2, 0x2168c235], [0x400e, 0x80000000, 0], [0x401e, 0x80000000, 0], [0x403d, 0xffffffff, 0xfffffffe],
  [0x403e, 0x80000000, 0], [0x3f81, 0x80000000, 0], [0x407e, 0xffffff80, 0], [0x3c01, 0x80000000, 0], [0x43fe, 0xffffffff, 0xfffffc00],
  [0x4000, 0xc0000000, 0], [0x4001, 0xa0000000, 0], [0x3ffe, 0xb504f333, 0xf9de6484], [0x3fff, 0xffffffff, 0xffffffff],
];

const SINGLE_EXPONENT = 0x7f800000;

/** One 16-byte vector in a style drawn from the stream, written at `at`. */
function vector(view: DataView, at: number, stream: Stream): void {
  const style = stream.below(8);
  for (let lane = 0; lane < 4; lane++) {
    const r = stream.next();
    if (style === 0) view.setUint32(at + lane * 4, SINGLES[r % SINGLES.length], true);
    else if (style === 1) view.setUint32(at + lane * 4, ((0x3f000000 + ((r % 24) - 12) * 0x800000) | (stream.next() & 0x807fffff)) >>> 0, true);
    else if (style === 2 || style === 3 || style === 4) {
      if ((lane & 1) !== 0) continue;
      const [high, low] =
        style === 2 ? DOUBLES[r % DOUBLES.length]
        : style === 3 ? ([((0x3fe00000 + ((r % 24) - 12) * 0x100000) | (stream.next() & 0x800fffff)) >>> 0, stream.next()] as const)
        : INTEGERS[r % INTEGERS.length];
      view.setUint32(at + lane * 4, low, true);
      view.setUint32(at + lane * 4 + 4, high, true);
    } else if (style === 5) view.setUint32(at + lane * 4, (r & ~SINGLE_EXPONENT) | (stream.below(2) === 0 ? SINGLE_EXPONENT : 0), true);
    else if (style === 6) {
      // Bytes at the edges of saturation.
      const bytes = [0, 1, 0x7f, 0x80, 0x81, 0xff, 0xfe, 0x55];
      for (let byte = 0; byte < 4; byte++) view.setUint8(at + lane * 4 + byte, bytes[(r >>> (byte * 3)) & 7]);
    } else view.setUint32(at + lane * 4, r, true);
  }
}

function extended(view: DataView, at: number, stream: Stream): void {
  const sign = stream.below(2) * 0x8000;
  if (stream.below(3) === 0) {
    const [exponent, high, low] = stream.pick(EXTENDED);
    view.setUint32(at, low, true);
    view.setUint32(at + 4, high, true);
    view.setUint16(at + 8, exponent | sign, true);
    return;
  }
  const precision = stream.below(4);
  view.setUint32(at, precision === 3 ? stream.next() : precision === 2 ? stream.next() & ~0x7ff : 0, true);
  view.setUint32(at + 4, ((precision === 0 ? stream.next() & 0xffffff00 : stream.next()) | 0x80000000) >>> 0, true);
  const range = stream.below(4);
  const exponent = range === 0 ? stream.below(0x7fff) : range === 1 ? 0x3fff + stream.below(66) : 0x3ff0 + stream.below(32);
  view.setUint16(at + 8, exponent | sign, true);
}

/** The state that a seed stands for; code, its length and its place stay zero. */
export function expandState(seed: number, out: Uint8Array): void {
  out.fill(0);
  const view = new DataView(out.buffer, out.byteOffset, out.byteLength);
  const stream = new Stream(seed);
  for (let register = 0; register < 16; register++) {
    const [high, low] = stream.below(4) !== 0 ? INTEGERS[stream.below(INTEGERS.length)] : [stream.next(), stream.next()];
    view.setUint32(STATE.gpr + register * 8, low, true);
    view.setUint32(STATE.gpr + register * 8 + 4, high, true);
  }
  view.setUint32(STATE.gpr + 4 * 8, DATA_BASE + 0x800 + stream.below(16) * 8, true);
  view.setUint32(STATE.gpr + 4 * 8 + 4, 0, true);
  view.setUint32(STATE.flags, (stream.next() & 0x8d5) | 0x202 | (stream.below(8) === 0 ? 0x400 : 0), true);
  const plain = stream.below(5) < 3;
  const mxcsr = plain ? 0x1f80 : stream.below(2) === 0 ? 0x1f80 | (stream.next() & 0xe07f) : stream.next() & 0xffff;
  view.setUint32(STATE.mxcsr, mxcsr, true);
  const control = 0x40 | (stream.below(4) !== 0 ? 0x3f : stream.below(64)) | (stream.below(4) << 10) | stream.pick([0x300, 0x300, 0x200, 0]);
  view.setUint16(STATE.control, control, true);
  let status = (stream.below(8) << 11) | (stream.next() & 0x4700);
  if (stream.below(3) === 0) status |= stream.below(128) & (stream.below(6) === 0 ? 0x7f : control | 0x40);
  if ((status & ~control & 0x3f) !== 0) status |= 0x8080;
  view.setUint16(STATE.status, status, true);
  const kind = stream.below(4);
  out[STATE.tags] = kind === 0 ? stream.next() & 0xff : kind === 1 ? 0 : kind === 2 ? 0xff : 0xff ^ (1 << (((status >> 11) + 7) & 7));
  for (let register = 0; register < 8; register++) extended(view, STATE.st + register * 16, stream);
  for (let register = 0; register < 16; register++) vector(view, STATE.xmm + register * 16, stream);
  for (let piece = 0; piece < 2; piece++) {
    const at = STATE.bytes + piece * PIECE.size;
    view.setUint32(at + PIECE.length, 64, true);
    for (let lane = 0; lane < 64; lane += 16) vector(view, at + PIECE.bytes + lane, stream);
    if (stream.below(2) === 0) extended(view, at + PIECE.bytes, stream);
  }
}

/** A case: its seed (the state it differs little from) and all its bytes. */
export interface OracleCase {
  readonly seed: number;
  readonly bytes: Uint8Array;
}
/** What happened: the harness's `struct result` and the data bytes that changed, as offset << 8 | value. */
export interface OracleResult {
  readonly bytes: Uint8Array;
  readonly changes: Uint32Array;
}

export function checksum(bytes: Uint8Array): number {
  let sum = 0x811c9dc5;
  for (const byte of bytes) sum = Math.imul(sum ^ byte, 0x01000193);
  return sum >>> 0;
}
/** Tells whether expandState is still what a fixture was made with. */
export function expansionChecksum(): number {
  const state = new Uint8Array(CASE_BYTES);
  let sum = 0;
  for (let seed = 1; seed <= 200; seed++) {
    expandState(seed * 77, state);
    sum = Math.imul(sum ^ checksum(state), 0x01000193) >>> 0;
  }
  return sum;
}

class Writer {
  bytes = new Uint8Array(1 << 16);
  length = 0;
  byte(value: number): void {
    if (this.length === this.bytes.length) {
      const grown = new Uint8Array(this.bytes.length * 2);
      grown.set(this.bytes);
      this.bytes = grown;
    }
    this.bytes[this.length++] = value;
  }
  number(value: number): void {
    let rest = value >>> 0;
    for (; rest > 0x7f; rest >>>= 7) this.byte((rest & 0x7f) | 0x80);
    this.byte(rest);
  }
  all(values: Uint8Array): void {
    for (const value of values) this.byte(value);
  }
}
class Reader {
  at = 0;
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
  byte(): number {
    return this.bytes[this.at++];
  }
  number(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  }
}

/** Differences in 4-byte words: count, then for each the distance to the last one's place and the word. */
function writeDifference(writer: Writer, values: Writer, base: Uint8Array, bytes: Uint8Array): void {
  const words: number[] = [];
  for (let at = 0; at < bytes.length; at += 4) {
    if (base[at] !== bytes[at] || base[at + 1] !== bytes[at + 1] || base[at + 2] !== bytes[at + 2] || base[at + 3] !== bytes[at + 3]) words.push(at);
  }
  writer.byte(words.length);
  let last = 0;
  for (const at of words) {
    writer.byte((at - last) >> 2);
    values.all(bytes.subarray(at, at + 4));
    last = at;
  }
}
function readDifference(reader: Reader, values: Reader, bytes: Uint8Array): void {
  let at = 0;
  for (let count = reader.byte(); count > 0; count--) {
    at += reader.byte() * 4;
    for (let byte = 0; byte < 4; byte++) bytes[at + byte] = values.byte();
  }
}

/** The result that most instructions come close to: the state as it was, the next instruction, no fault but the HLT's. */
function likelyResult(input: Uint8Array): Uint8Array {
  const likely = new Uint8Array(RESULT.bytes);
  likely.set(input.subarray(0, STATE.bytes));
  const view = new DataView(likely.buffer);
  view.setUint32(STATE.rip, view.getUint32(STATE.rip, true) + likely[STATE.codeLength], true);
  view.setUint32(RESULT.vector, 13, true);
  return likely;
}

export interface FixtureHeader {
  readonly bitness: Bitness;
  readonly processor: string;
  readonly generatorSeed: number;
  readonly count: number;
  readonly expansion: number;
}
export interface RecordedCase {
  readonly input: OracleCase;
  readonly result: OracleResult;
}

/** Five columns behind a header in JSON; to be compressed. */
export function packFixture(header: FixtureHeader, cases: readonly RecordedCase[]): Uint8Array {
  const columns = Array.from({ length: 5 }, () => new Writer());
  const [seeds, places, values, resultPlaces, resultValues] = columns;
  const base = new Uint8Array(CASE_BYTES);
  let lastSeed = 0;
  for (const { input, result } of cases) {
    seeds.number(input.seed - lastSeed);
    lastSeed = input.seed;
    expandState(input.seed, base);
    writeDifference(places, values, base, input.bytes);
    writeDifference(resultPlaces, resultValues, likelyResult(input.bytes), result.bytes);
    let last = 0;
    for (const change of result.changes) {
      resultPlaces.number((change >>> 8) - last);
      resultValues.byte(change & 0xff);
      last = change >>> 8;
    }
  }
  const text = new TextEncoder().encode(JSON.stringify({ ...header, columns: columns.map(({ length }) => length) }));
  const out = new Writer();
  out.number(text.length);
  out.all(text);
  for (const column of columns) out.all(column.bytes.subarray(0, column.length));
  return out.bytes.subarray(0, out.length);
}

export function readFixtureHeader(bytes: Uint8Array): FixtureHeader & { readonly columns: readonly number[]; readonly start: number } {
  const reader = new Reader(bytes);
  const length = reader.number();
  return { ...JSON.parse(new TextDecoder().decode(bytes.subarray(reader.at, reader.at + length))), start: reader.at + length };
}

/** The cases of a fixture, one at a time; what is yielded is overwritten by the next. */
export function* unpackFixture(bytes: Uint8Array): Iterable<RecordedCase> {
  const header = readFixtureHeader(bytes);
  let at = header.start;
  const [seeds, places, values, resultPlaces, resultValues] = header.columns.map((length) => {
    at += length;
    return new Reader(bytes.subarray(at - length, at));
  });
  const input = new Uint8Array(CASE_BYTES);
  for (let done = 0, seed = 0; done < header.count; done++) {
    seed = (seed + seeds.number()) >>> 0;
    expandState(seed, input);
    readDifference(places, values, input);
    const result = likelyResult(input);
    readDifference(resultPlaces, resultValues, result);
    const changes = new Uint32Array(new DataView(result.buffer).getUint32(RESULT.changes, true));
    for (let index = 0, last = 0; index < changes.length; index++) {
      last += resultPlaces.number();
      changes[index] = (last << 8) | resultValues.byte();
    }
    yield { input: { seed, bytes: input }, result: { bytes: result, changes } };
  }
}
