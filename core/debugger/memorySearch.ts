// Search through guest memory in pieces: bytes with wildcards, text, pointers. Page tables are walked once a piece, and
// memory is searched where it lies.
import type { MemoryPattern } from '../api/debug.ts';
import type { CpuTarget } from './cpuTarget.ts';
import { littleEndian } from './littleEndian.ts';
import { DebugError, type Space } from './target.ts';

/** Bytes that one piece looks through, and candidates that it compares at most. */
const PIECE_BYTES = 32 << 20;
const PIECE_CANDIDATES = 2_000_000;
/** Bytes of a stretch that are looked at to choose what to look for. */
const SAMPLES = 1024;
const FOUR_GIB = 2 ** 32;
const PAGE = 4096;

/** Pattern of bytes: position i fits if wild[i], or the byte is one of the two. */
interface BytePattern {
  readonly kind: 'bytes';
  readonly values: Uint8Array;
  readonly others: Uint8Array;
  readonly wild: Uint8Array;
}
/** Little-endian values in [low, low + slack], at any address. */
interface PointerPattern {
  readonly kind: 'pointer';
  readonly low: bigint;
  readonly slack: number;
  readonly bytes: 4 | 8;
}
type Pattern = BytePattern | PointerPattern;

export interface SearchRequest {
  readonly space: Space;
  /** Both inclusive. */
  readonly from: bigint;
  readonly to: bigint;
  readonly patterns: readonly Pattern[];
  readonly limit: number;
  /** Where the last piece ended; null: begin. */
  readonly next: bigint | null;
}
export interface SearchPiece {
  readonly matches: bigint[];
  readonly next: bigint | null;
  readonly done: number;
}

/** What to look for. `value` is the pointer's value, evaluated. Throws a DebugError that says what is wrong. */
export function compilePattern(pattern: MemoryPattern, value: bigint | null, addressBytes: 4 | 8): readonly Pattern[] {
  if (pattern.kind === 'bytes') return [parseBytes(pattern.value)];
  if (pattern.kind === 'text') return textPatterns(pattern.value, pattern.ignoreCase);
  const low = BigInt.asUintN(addressBytes * 8, value ?? 0n);
  if (pattern.slack > 0) return [{ kind: 'pointer', low, slack: pattern.slack, bytes: addressBytes }];
  const bytes = Uint8Array.from({ length: addressBytes }, (_, index) => Number((low >> BigInt(index * 8)) & 0xffn));
  return [bytePattern(bytes, bytes, new Uint8Array(addressBytes))];
}

/** `90 ?? c3`, `90??c3`, `9?`: a question mark stands for a digit. */
function parseBytes(text: string): BytePattern {
  const digits = text.replace(/0x/gi, '').replace(/[\s,]/g, '').toLowerCase();
  if (digits === '') throw new DebugError('no bytes to search for');
  if (!/^[0-9a-f?]*$/.test(digits)) throw new DebugError('bytes are written in hexadecimal, ?? for any: 55 8b ?? c3');
  if (digits.length % 2 !== 0) throw new DebugError('a byte has two digits');
  const pairs = digits.match(/../g)!;
  for (const pair of pairs) {
    if (pair !== '??' && pair.includes('?')) throw new DebugError(`${pair} is no byte: ?? stands for any`);
  }
  const values = Uint8Array.from(pairs, (pair) => (pair === '??' ? 0 : parseInt(pair, 16)));
  const wild = Uint8Array.from(pairs, (pair) => (pair === '??' ? 1 : 0));
  if (wild.every((any) => any === 1)) throw new DebugError('at least one byte must be known');
  return bytePattern(values, values, wild);
}

function textPatterns(text: string, ignoreCase: boolean): BytePattern[] {
  const narrow = new TextEncoder().encode(text);
  const wide = new Uint8Array(text.length * 2);
  for (let index = 0; index < text.length; index++) {
    wide[index * 2] = text.charCodeAt(index) & 0xff;
    wide[index * 2 + 1] = text.charCodeAt(index) >> 8;
  }
  const swapCase = (bytes: Uint8Array, isWide: boolean): Uint8Array =>
    bytes.map((byte, index) => {
      const isLetter = (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
      const isText = isWide ? index % 2 === 0 && bytes[index + 1] === 0 : true;
      return isLetter && isText ? byte ^ 0x20 : byte;
    });
  return [[narrow, false] as const, [wide, true] as const].map(([bytes, isWide]) =>
    bytePattern(bytes, ignoreCase ? swapCase(bytes, isWide) : bytes, new Uint8Array(bytes.length)),
  );
}

const bytePattern = (values: Uint8Array, others: Uint8Array, wild: Uint8Array): BytePattern => ({ kind: 'bytes', values, others, wild });

/** The position of a pattern to look for first: the byte that is rarest in a sample of the memory. */
function anchorOf(bytes: Uint8Array, { values, others, wild }: BytePattern): number {
  const counts = new Uint16Array(256);
  const stride = Math.max(1, Math.floor(bytes.length / SAMPLES)) | 1;
  for (let at = 0; at < bytes.length; at += stride) counts[bytes[at]]++;
  let anchor = 0, best = Infinity;
  for (let index = 0; index < values.length; index++) {
    const value = values[index], other = others[index];
    // Zeros come in long runs that a sample may miss; looking for two bytes costs twice.
    const cost = counts[value] + (value === 0 ? 2 : 0) + (other === value ? 0 : counts[other] + 1);
    if (wild[index] === 0 && cost < best) {
      best = cost;
      anchor = index;
    }
  }
  return anchor;
}

const lengthOf = (pattern: Pattern): number => (pattern.kind === 'bytes' ? pattern.values.length : pattern.bytes);

/** Memory that lies in one piece in the host too. */
interface Stretch {
  readonly address: bigint;
  readonly bytes: Uint8Array;
}

export class MemorySearch {
  readonly #target: CpuTarget;

  constructor(target: CpuTarget) {
    this.#target = target;
  }

  /** One piece of a search; matches ascend. */
  piece(request: SearchRequest): SearchPiece {
    const { from, to, patterns, limit } = request;
    if (to < from) throw new DebugError('the end of the search lies before its beginning');
    const start = request.next !== null && request.next > from ? request.next : from;
    const longest = Math.max(...patterns.map(lengthOf));
    const found = new Matches(limit);
    const end = this.#stretches(request.space, start, to, (stretch, before) => {
      // What straddles the border of two stretches is compared in a copy of its surroundings.
      if (before !== null && longest > 1) this.#border(before, stretch, longest, patterns, start, found);
      for (const pattern of patterns) scan(stretch.bytes, stretch.address, pattern, found);
      return !found.isFull;
    });
    // A match may begin in this piece and end in the next: the next one begins a little earlier then.
    const earlier = end === null ? null : end - BigInt(longest - 1);
    const { matches, next } = found.finish(earlier !== null && earlier <= start ? end : earlier);
    const span = to - from + 1n;
    const done = next === null ? 1 : Number(((next - from) * 10_000n) / span) / 10_000;
    return { matches: matches.filter((match) => match >= start && match <= to), next, done };
  }

  #border(before: Stretch, after: Stretch, longest: number, patterns: readonly Pattern[], start: bigint, found: Matches): void {
    const left = Math.min(longest - 1, before.bytes.length), right = Math.min(longest - 1, after.bytes.length);
    const joint = new Uint8Array(left + right);
    joint.set(before.bytes.subarray(before.bytes.length - left));
    joint.set(after.bytes.subarray(0, right), left);
    const address = after.address - BigInt(left);
    if (address + BigInt(joint.length) <= start) return;
    for (const pattern of patterns) {
      // Only what begins before the border and ends behind it.
      const length = lengthOf(pattern);
      const first = Math.max(0, left - length + 1);
      scan(joint.subarray(first, Math.min(joint.length, left + length - 1)), address + BigInt(first), pattern, found);
    }
  }

  /**
   * Tells stretches of memory in [from, to] up to a piece's size, each with the one that ends where it begins. Returns where
   * to go on, or null at the end.
   */
  #stretches(space: Space, from: bigint, to: bigint, visit: (stretch: Stretch, before: Stretch | null) => boolean): bigint | null {
    let budget = PIECE_BYTES;
    let before: Stretch | null = null;
    let stopped: bigint | null = null;
    const give = (address: bigint, host: number, length: number): boolean => {
      const take = Math.min(length, budget);
      const stretch = { address, bytes: this.#target.cpu.u8.subarray(host, host + take) };
      const joined = before !== null && before.address + BigInt(before.bytes.length) === address ? before : null;
      budget -= take;
      const goOn = visit(stretch, joined);
      before = stretch;
      if (goOn && budget > 0) return true;
      stopped = address + BigInt(take);
      return false;
    };
    if (space === 'physical') {
      const last = Number(to < BigInt(FOUR_GIB) ? to : BigInt(FOUR_GIB - 1));
      if (from < BigInt(FOUR_GIB)) this.#hostRuns(Number(from), last + 1, 0n, give);
    } else this.#linearRuns(from, to, give);
    if (stopped === null || stopped > to) return null;
    return stopped;
  }

  /** Splits a physical range into stretches that are contiguous in the host; `shift` makes addresses of them. */
  #hostRuns(from: number, end: number, shift: bigint, give: (address: bigint, host: number, length: number) => boolean): boolean {
    const map = this.#target.physicalMap;
    const stop = Math.min(end, FOUR_GIB);
    let runAt = 0, runHost = -1, runLength = 0;
    const flush = (): boolean => {
      const goOn = runLength === 0 || give(BigInt(runAt) + shift, runHost, runLength);
      runLength = 0;
      return goOn;
    };
    for (let at = from; at < stop; ) {
      const take = Math.min(PAGE - (at % PAGE), stop - at);
      const host = map.host(at, false);
      const joins = host >= 0 && runLength > 0 && host === runHost + runLength && at === runAt + runLength && runLength < PIECE_BYTES;
      if (joins) runLength += take;
      else {
        if (!flush()) return false;
        if (host >= 0) [runAt, runHost, runLength] = [at, host, take];
      }
      at += take;
    }
    return flush();
  }

  #linearRuns(from: bigint, to: bigint, give: (address: bigint, host: number, length: number) => boolean): void {
    const { linearBits } = this.#target.pages.paging();
    const top = 1n << BigInt(linearBits);
    const half = top >> 1n;
    // Canonical upper halves of a 64-bit space are its top as the tables count.
    const parts: { from: bigint; to: bigint; lift: bigint }[] = [];
    const lowEnd = linearBits === 32 ? top - 1n : half - 1n;
    if (from <= lowEnd) parts.push({ from, to: to < lowEnd ? to : lowEnd, lift: 0n });
    if (linearBits !== 32) {
      const lift = (1n << 64n) - top, highFrom = half + lift;
      const begin = from > highFrom ? from : highFrom;
      if (to >= highFrom) parts.push({ from: begin - lift, to: to - lift, lift });
    }
    for (const part of parts) {
      const complete = this.#target.pages.runs(Number(part.from), Number(part.to) + 1, (run) => {
        if (run.physical >= FOUR_GIB) return true;
        const shift = BigInt(run.from) + part.lift - BigInt(run.physical);
        return this.#hostRuns(run.physical, run.physical + run.length, shift, give);
      });
      if (!complete) return;
    }
  }
}

/** Matches of a piece. Patterns are scanned one after the other, so they are sorted at the end. */
class Matches {
  readonly limit: number;
  readonly #list: bigint[] = [];
  readonly #candidates = new Map<Pattern, number>();
  /** Earliest address from which a pattern was not looked for any more. */
  #resume: bigint | null = null;

  constructor(limit: number) {
    this.limit = limit;
  }

  get isFull(): boolean {
    return this.#list.length >= this.limit || this.#resume !== null;
  }
  add(address: bigint): void {
    this.#list.push(address);
  }
  /** Counts comparisons of a pattern; true: enough for one piece. */
  tires(pattern: Pattern): boolean {
    const count = (this.#candidates.get(pattern) ?? 0) + 1;
    this.#candidates.set(pattern, count);
    return count >= PIECE_CANDIDATES;
  }
  stopAt(address: bigint): void {
    if (this.#resume === null || address < this.#resume) this.#resume = address;
  }

  /** The first matches in order, and where to go on: by what was found, else at `end`. */
  finish(end: bigint | null): { matches: bigint[]; next: bigint | null } {
    const next = this.#resume ?? end;
    const complete = [...new Set(this.#list)].filter((match) => next === null || match < next).sort((a, b) => (a < b ? -1 : 1));
    if (complete.length < this.limit) return { matches: complete, next };
    const matches = complete.slice(0, this.limit);
    return { matches, next: matches.at(-1)! + 1n };
  }
}

function scan(bytes: Uint8Array, address: bigint, pattern: Pattern, found: Matches): void {
  if (bytes.length < lengthOf(pattern)) return;
  if (pattern.kind === 'pointer') {
    scanPointers(bytes, address, pattern, found);
    return;
  }
  const anchor = anchorOf(bytes, pattern);
  if (pattern.values[anchor] === pattern.others[anchor]) scanBytes(bytes, address, pattern, anchor, found);
  else scanEitherCase(bytes, address, pattern, anchor, found);
}

function fits(bytes: Uint8Array, at: number, pattern: BytePattern): boolean {
  const { values, others, wild } = pattern;
  for (let index = 0; index < values.length; index++) {
    const byte = bytes[at + index];
    if (byte !== values[index] && byte !== others[index] && wild[index] === 0) return false;
  }
  return true;
}

function scanBytes(bytes: Uint8Array, address: bigint, pattern: BytePattern, anchor: number, found: Matches): void {
  const { values } = pattern;
  const byte = values[anchor];
  const last = bytes.length - values.length + anchor;
  let count = 0;
  for (let at = bytes.indexOf(byte, anchor); at >= 0 && at <= last; at = bytes.indexOf(byte, at + 1)) {
    if (fits(bytes, at - anchor, pattern)) {
      found.add(address + BigInt(at - anchor));
      count++;
    }
    if (count < found.limit && !found.tires(pattern)) continue;
    found.stopAt(address + BigInt(at - anchor + 1));
    return;
  }
}

/** As scanBytes where the anchor is a letter in either case. */
function scanEitherCase(bytes: Uint8Array, address: bigint, pattern: BytePattern, anchor: number, found: Matches): void {
  const { values, others } = pattern;
  const last = bytes.length - values.length + anchor;
  const seek = (byte: number, from: number): number => {
    const at = bytes.indexOf(byte, from);
    return at < 0 ? Infinity : at;
  };
  let lower = seek(values[anchor], anchor), upper = seek(others[anchor], anchor);
  let count = 0;
  for (let at = Math.min(lower, upper); at <= last; at = Math.min(lower, upper)) {
    if (fits(bytes, at - anchor, pattern)) {
      found.add(address + BigInt(at - anchor));
      count++;
    }
    if (count >= found.limit || found.tires(pattern)) {
      found.stopAt(address + BigInt(at - anchor + 1));
      return;
    }
    if (at === lower) lower = seek(values[anchor], at + 1);
    else upper = seek(others[anchor], at + 1);
  }
}

/** Values in a range at any address, odd ones too: four windows to a word of memory. */
function scanPointers(bytes: Uint8Array, address: bigint, pattern: PointerPattern, found: Matches): void {
  const low = Number(pattern.low & 0xffffffffn) | 0;
  // Signed numbers with the sign turned compare as unsigned ones would, and stay small integers.
  const slack = pattern.slack ^ -0x80000000;
  const verify = pointerVerifier(bytes, address, pattern, found);
  const head = Math.min((4 - (bytes.byteOffset & 3)) & 3, bytes.length);
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + head, (bytes.length - head) >>> 2);
  for (let at = 0; at < head; at++) if (!verify(at)) return;
  for (let index = 0, last = words.length - 1; index < last; index++) {
    const word = words[index], next = words[index + 1];
    const hits =
      ((word - low) ^ -0x80000000) <= slack ||
      ((((word >>> 8) | (next << 24)) - low) ^ -0x80000000) <= slack ||
      ((((word >>> 16) | (next << 16)) - low) ^ -0x80000000) <= slack ||
      ((((word >>> 24) | (next << 8)) - low) ^ -0x80000000) <= slack;
    if (!hits) continue;
    const at = head + index * 4;
    if (!verify(at) || !verify(at + 1) || !verify(at + 2) || !verify(at + 3)) return;
  }
  for (let at = Math.max(head, head + (words.length - 1) * 4); at < bytes.length; at++) if (!verify(at)) return;
}

/** Looks at one place as a whole; false: enough was found. */
function pointerVerifier(bytes: Uint8Array, address: bigint, pattern: PointerPattern, found: Matches): (at: number) => boolean {
  const last = pattern.low + BigInt(pattern.slack);
  let count = 0;
  return (at) => {
    if (at + pattern.bytes > bytes.length) return true;
    const value = littleEndian(bytes, at, pattern.bytes);
    if (value < pattern.low || value > last) return true;
    found.add(address + BigInt(at));
    if (++count < found.limit) return true;
    found.stopAt(address + BigInt(at + 1));
    return false;
  };
}
