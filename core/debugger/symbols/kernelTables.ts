// A Linux kernel's own symbols, out of its memory: the compressed tables behind /proc/kallsyms (Linux, kernel/kallsyms.c and
// scripts/kallsyms.c). Nothing has to be known of where they are: the table of tokens holds the ten digits as consecutive
// one-character strings, since digits always stand for themselves; all else is found from there and checks itself.
//
//   before 6.4:  offsets, relative_base, num_syms, names, markers, [seqs_of_names], token_table, token_index
//   since 6.4:   num_syms, names, markers, token_table, token_index, offsets, relative_base, seqs_of_names
// Kernels without relative addresses have `addresses` for the first two.
import { GuestMemory, pointerIn, wordIn } from '../linux/guestMemory.ts';
import { findVmcoreInfo, type VmcoreInfo } from '../linux/vmcoreInfo.ts';
import { DebugError, type DebugTarget } from '../target.ts';
import { kindOfLetter, rankOf } from './textMap.ts';
import type { RawSymbol } from './symbolFile.ts';

export interface KernelTables {
  /** `6.1.0-50-686`; empty when the kernel does not say. */
  readonly release: string;
  readonly symbols: readonly RawSymbol[];
  readonly info: VmcoreInfo | null;
}

const TOKENS = 256;
const DIGITS = Uint8Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? 0x30 + index / 2 : 0));
const FIRST_DIGIT = 0x30;
const MAX_TOKEN = 128;
/** How far the names may begin before the tokens, and the offsets end behind them. */
const BEFORE = 16 << 20;
const BEHIND = 4 << 20;
const MIN_SYMBOLS = 500;
const MAX_SYMBOLS = 1 << 20;
const MARKED = 256;
const TYPE_LETTERS = /^[A-Za-z?]$/;
const CHECKED_NAMES = 64;
const MAX_CANDIDATES = 1000;

/** Throws a DebugError when there is no Linux kernel that has such tables. */
export function readKernelTables(target: DebugTarget, ramBytes: number): KernelTables {
  const memory = new GuestMemory(target, ramBytes);
  let candidates = 0;
  for (const digits of memory.find(DIGITS)) {
    if (++candidates > MAX_CANDIDATES) break;
    const symbols = readTables(memory, digits);
    if (symbols === null) continue;
    const info = findVmcoreInfo(memory);
    return { release: info?.release ?? '', symbols: withNote(symbols, info), info };
  }
  throw new DebugError(`no symbol tables of a Linux kernel were found in ${ramBytes / (1 << 20)} MiB of memory`);
}

/** Kernels without KALLSYMS_ALL list code only: the note adds what data it names. */
function withNote(symbols: RawSymbol[], info: VmcoreInfo | null): RawSymbol[] {
  if (info === null) return symbols;
  const known = new Set(symbols.map(({ name }) => name));
  for (const [name, address] of info.symbols) {
    if (!known.has(name)) symbols.push({ name, address, size: 0, kind: 'data', rank: 0 });
  }
  return symbols;
}

function readTables(memory: GuestMemory, digits: number): RawSymbol[] | null {
  // Windows begin at pages, so that what is aligned in memory is aligned in them.
  const page = Math.floor(digits / 4096) * 4096;
  const from = Math.max(0, page - BEFORE), nearFrom = Math.max(0, page - 4096);
  // First a small look: most of what holds ten digits is no such table.
  const tokens = readTokens(memory.physical(nearFrom, 8192 + MAX_TOKEN * TOKENS), digits - nearFrom);
  if (tokens === null) return null;
  const shift = nearFrom - from;
  const bytes = memory.physical(from, digits - from + BEHIND);
  const names = findNames(bytes, tokens.start + shift, tokens.texts);
  if (names === null) return null;
  const addresses = findAddresses(bytes, names, tokens.indexEnd + shift);
  if (addresses === null) return null;
  const symbols: RawSymbol[] = [];
  names.texts.forEach((text, index) => {
    const letter = text[0], name = text.slice(1), kind = kindOfLetter(letter);
    const { value, absolute } = addresses(index);
    if (kind === null || name === '') return;
    symbols.push({ name, address: value, size: 0, kind: absolute ? 'absolute' : kind, rank: rankOf(letter, name) });
  });
  return symbols;
}

interface Tokens {
  readonly texts: readonly string[];
  readonly start: number;
  /** Behind the index of 256 offsets, which proves that these are tokens. */
  readonly indexEnd: number;
}

/** Walks 48 tokens back from `0` to the first, then all 256 forward; the index behind them must agree. */
function readTokens(bytes: Uint8Array, digits: number): Tokens | null {
  let start = digits;
  for (let token = 0; token < FIRST_DIGIT; token++) {
    if (start < 1 || bytes[start - 1] !== 0) return null;
    let begin = start - 1;
    while (begin > 0 && bytes[begin - 1] !== 0 && start - begin < MAX_TOKEN) begin--;
    start = begin;
  }
  // The very first has no NUL of a token before it, but padding or the end of the markers: tried as it is and one on.
  for (const first of [start, ...laterStarts(bytes, start, digits)]) {
    const found = tokensFrom(bytes, first);
    if (found !== null) return found;
  }
  return null;
}

/** The first token swallowed bytes that are not its own. */
function laterStarts(bytes: Uint8Array, start: number, digits: number): number[] {
  const starts: number[] = [];
  for (let at = start + 1; at < digits && bytes[at - 1] !== 0; at++) starts.push(at);
  return starts;
}

function tokensFrom(bytes: Uint8Array, start: number): Tokens | null {
  const texts: string[] = [], offsets: number[] = [];
  let at = start;
  for (let token = 0; token < TOKENS; token++) {
    offsets.push(at - start);
    let text = '';
    for (; bytes[at] !== 0; at++) {
      if (bytes[at] === undefined || text.length > MAX_TOKEN) return null;
      text += String.fromCharCode(bytes[at]);
    }
    at++;
    texts.push(text);
  }
  for (const alignment of [4, 8, 2]) {
    const index = Math.ceil(at / alignment) * alignment;
    if (offsets.every((offset, token) => (bytes[index + token * 2] | (bytes[index + token * 2 + 1] << 8)) === offset)) {
      return { texts, start, indexEnd: index + TOKENS * 2 };
    }
  }
  return null;
}

interface Names {
  readonly texts: readonly string[];
  /** Place of num_syms. */
  readonly countAt: number;
}

/** Goes back from the tokens to a count that is followed by that many names and by markers that agree with them. */
function findNames(bytes: Uint8Array, tokensAt: number, tokens: readonly string[]): Names | null {
  for (let countAt = (tokensAt & ~3) - 8; countAt >= 0; countAt -= 4) {
    const count = wordIn(bytes, countAt);
    if (count < MIN_SYMBOLS || count > MAX_SYMBOLS || countAt + count * 2 > tokensAt) continue;
    // On 64 bits the count is followed by padding.
    for (const gap of [4, 8]) {
      if (gap === 8 && (countAt % 8 !== 0 || wordIn(bytes, countAt + 4) !== 0)) continue;
      const texts = namesAt(bytes, countAt + gap, count, tokens, tokensAt);
      if (texts !== null) return { texts, countAt };
    }
  }
  return null;
}

function namesAt(bytes: Uint8Array, start: number, count: number, tokens: readonly string[], limit: number): string[] | null {
  const texts: string[] = [];
  let at = start, marked = 0;
  for (let symbol = 0; symbol < count; symbol++) {
    if (symbol === MARKED) marked = at - start;
    let length = bytes[at++];
    // Since 6.1 lengths are ULEB128 of at most two bytes.
    if (length >= 0x80) length = (length & 0x7f) | (bytes[at++] << 7);
    if (length === 0 || at + length > limit) return null;
    let text = '';
    for (const end = at + length; at < end; at++) text += tokens[bytes[at]];
    if (symbol < CHECKED_NAMES && !isSymbolText(text)) return null;
    texts.push(text);
  }
  return markersFollow(bytes, at, marked) ? texts : null;
}

const isSymbolText = (text: string): boolean => TYPE_LETTERS.test(text[0] ?? '') && /^[\x21-\x7e]+$/.test(text);

/** The first marker is 0, the second the offset of name 256; they are of 4 bytes, once of 8. */
function markersFollow(bytes: Uint8Array, at: number, marked: number): boolean {
  for (const alignment of [4, 8]) {
    const markers = Math.ceil(at / alignment) * alignment;
    if (wordIn(bytes, markers) !== 0) continue;
    if (wordIn(bytes, markers + 4) === marked) return true;
    if (wordIn(bytes, markers + 4) === 0 && wordIn(bytes, markers + 8) === marked) return true;
  }
  return false;
}

type Addresses = (index: number) => { value: bigint; absolute: boolean };

function findAddresses(bytes: Uint8Array, names: Names, behindIndex: number): Addresses | null {
  const { countAt } = names, count = names.texts.length;
  // The lower half of a wide base looks like a narrow one, so wide ones come first.
  for (const size of [8, 4] as const) {
    const align = (at: number): number => Math.ceil(at / size) * size;
    // Since 6.4 behind the tokens.
    const late = align(behindIndex);
    const lateFound = relativeAddresses(bytes, late, align(late + count * 4), count, size);
    if (lateFound !== null) return lateFound;
    const base = (countAt & ~(size - 1)) - size;
    for (const from of [base - count * 4, (base - count * 4) & ~(size - 1)]) {
      const early = relativeAddresses(bytes, from, base, count, size);
      if (early !== null) return early;
    }
    const absolute = absoluteAddresses(bytes, (countAt & ~(size - 1)) - count * size, count, size);
    if (absolute !== null) return absolute;
  }
  return null;
}

const isBase = (value: bigint, size: 4 | 8): boolean =>
  size === 8 ? value >= 0xffff_8000_0000_0000n : value >= 0x4000_0000n && value < 0xffff_f000n;

/** Offsets from a base; where per-CPU symbols are absolute, positive ones are those and the others are -1 - offset. */
function relativeAddresses(bytes: Uint8Array, from: number, baseAt: number, count: number, size: 4 | 8): Addresses | null {
  if (from < 0 || baseAt + size > bytes.length) return null;
  const base = pointerIn(bytes, baseAt, size);
  if (!isBase(base, size)) return null;
  const raw = (index: number): number => wordIn(bytes, from + index * 4);
  let negative = 0;
  for (let index = 0; index < count; index++) if (raw(index) >= 0x8000_0000) negative++;
  const perCpu = negative > count / 2;
  const offsetOf = (index: number): number => (perCpu ? -1 - (raw(index) | 0) : raw(index));
  // Symbols are sorted by address: that is what makes these numbers offsets.
  let last = -1, down = 0;
  for (let index = 0; index < count; index++) {
    if (perCpu && raw(index) < 0x8000_0000) continue;
    const offset = offsetOf(index);
    if (offset < last) down++;
    last = offset;
  }
  if (down > 0 || last <= 0) return null;
  return (index) => {
    const absolute = perCpu && raw(index) < 0x8000_0000;
    return { absolute, value: absolute ? BigInt(raw(index)) : BigInt.asUintN(size * 8, base + BigInt(offsetOf(index))) };
  };
}

function absoluteAddresses(bytes: Uint8Array, from: number, count: number, size: 4 | 8): Addresses | null {
  if (from < 0) return null;
  const value = (index: number): bigint => pointerIn(bytes, from + index * size, size);
  for (let index = 1; index < count; index++) if (value(index) < value(index - 1)) return null;
  if (!isBase(value(count - 1), size)) return null;
  return (index) => ({ value: value(index), absolute: !isBase(value(index), size) });
}
