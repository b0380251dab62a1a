// AES-NI, SHA and PCLMULQDQ (SDM 2A AESxxx, PCLMULQDQ, SDM 2B SHAxxx; FIPS 197, FIPS 180-4).
import type { Cpu } from '../cpu.ts';
import { FIELD } from '../state/layout.ts';
import type { HelperBody } from '../system/helpers.ts';
import type { Operands } from '../system/operands.ts';
import { destination, readRegister, readSource, requireSse, type Words, writeRegister } from './operands.ts';

/** Multiplication in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1 (FIPS 197 4.2). */
function multiply(a: number, b: number): number {
  let product = 0;
  for (let bit = 0; bit < 8; bit++) {
    if ((b >> bit) & 1) product ^= a << bit;
  }
  for (let bit = 14; bit >= 8; bit--) if ((product >> bit) & 1) product ^= 0x11b << (bit - 8);
  return product;
}

/** FIPS 197 5.1.1: the inverse, then an affine map. */
function substitutionBox(): Uint8Array {
  const box = new Uint8Array(256);
  for (let value = 0; value < 256; value++) {
    let inverse = 0;
    for (let candidate = 1; candidate < 256 && inverse === 0; candidate++) if (multiply(value, candidate) === 1) inverse = candidate;
    let result = 0x63;
    for (let turn = 0; turn < 5; turn++) result ^= ((inverse << turn) | (inverse >> (8 - turn))) & 0xff;
    box[value] = result;
  }
  return box;
}
const BOX = substitutionBox();
const INVERSE_BOX = new Uint8Array(256);
BOX.forEach((substitute, value) => (INVERSE_BOX[substitute] = value));
const times = (factor: number): Uint8Array => Uint8Array.from({ length: 256 }, (_, value) => multiply(value, factor));
const BY = { 2: times(2), 3: times(3), 9: times(9), 11: times(11), 13: times(13), 14: times(14) } as const;

const bytesOf = (words: readonly number[]): Uint8Array => Uint8Array.from({ length: 16 }, (_, index) => words[index >> 2] >>> ((index & 3) * 8));
const wordsOf = (bytes: Uint8Array): number[] =>
  [0, 4, 8, 12].map((at) => (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0);

/** Substitutes bytes and shifts rows: column-major, row r moves r columns (FIPS 197 5.1.2, 5.3.1). */
function substitute(state: Uint8Array, isInverse: boolean): Uint8Array {
  const box = isInverse ? INVERSE_BOX : BOX;
  return Uint8Array.from({ length: 16 }, (_, index) => {
    const row = index & 3, column = index >> 2;
    const from = (isInverse ? column - row : column + row) & 3;
    return box[state[from * 4 + row]];
  });
}
type Factors = readonly [Uint8Array | null, Uint8Array | null, Uint8Array | null, Uint8Array | null];
const MIX: Factors = [BY[2], BY[3], null, null];
const INVERSE_MIX: Factors = [BY[14], BY[11], BY[13], BY[9]];
/** FIPS 197 5.1.3, 5.3.3. */
function mixColumns(state: Uint8Array, factors: Factors): Uint8Array {
  return state.map((_, index) => {
    const column = index & ~3, row = index & 3;
    let mixed = 0;
    for (let term = 0; term < 4; term++) {
      const value = state[column + ((row + term) & 3)];
      mixed ^= factors[term] === null ? value : factors[term]![value];
    }
    return mixed;
  });
}

type Transform = (a: Words, b: Words, o: Operands, cpu: Cpu) => readonly number[];
/** `a = transform(a, b)`. */
const transforming = (transform: Transform): HelperBody => (cpu, o) => {
  requireSse(cpu);
  const b = readSource(cpu, o), field = destination(o);
  writeRegister(cpu, field, transform(readRegister(cpu, field), b, o, cpu));
};
const keyed = (state: Uint8Array, key: Words): number[] => wordsOf(state).map((word, index) => (word ^ key[index]) >>> 0);
const rotateRight = (word: number, count: number): number => ((word >>> count) | (word << (32 - count))) >>> 0;
const rotateLeft = (word: number, count: number): number => rotateRight(word, 32 - count);
const substituteWord = (word: number): number =>
  (BOX[word & 0xff] | (BOX[(word >>> 8) & 0xff] << 8) | (BOX[(word >>> 16) & 0xff] << 16) | (BOX[word >>> 24] << 24)) >>> 0;

/** Carry-less product of two 64-bit values as four words. */
function carryless(a: bigint, b: bigint): number[] {
  let product = 0n;
  for (let bit = 0n; bit < 64n; bit++) if ((b >> bit) & 1n) product ^= a << bit;
  return [0n, 32n, 64n, 96n].map((at) => Number((product >> at) & 0xffffffffn));
}
const half = (words: Words, upper: number): bigint =>
  BigInt(words[upper ? 2 : 0]) | (BigInt(words[upper ? 3 : 1]) << 32n);

const SHA1_CONSTANTS = [0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6];
function sha1Function(round: number, b: number, c: number, d: number): number {
  if (round === 0) return (b & c) ^ (~b & d);
  return round === 2 ? (b & c) ^ (b & d) ^ (c & d) : b ^ c ^ d;
}
/** SDM 2B SHA1RNDS4: A to D are words 3 to 0; E and the message are in the source. */
function sha1Rounds(state: Words, message: Words, which: number): number[] {
  let [d, c, b, a] = state;
  let e = 0;
  for (let round = 0; round < 4; round++) {
    // The first word holds W + E already.
    const next = (sha1Function(which, b, c, d) + rotateLeft(a, 5) + message[3 - round] + (round === 0 ? 0 : e) + SHA1_CONSTANTS[which]) >>> 0;
    [e, d, c, b, a] = [d, c, rotateLeft(b, 30), a, next];
  }
  return [d, c, b, a];
}
const sigma = (word: number, x: number, y: number, z: number): number => rotateRight(word, x) ^ rotateRight(word, y) ^ rotateRight(word, z);
/** Small sigmas of the message schedule: the last term is shifted. */
const schedule = (word: number, x: number, y: number, z: number): number => rotateRight(word, x) ^ rotateRight(word, y) ^ (word >>> z);

/** SDM 2B SHA256RNDS2: two rounds with the words in XMM0. */
function sha256Rounds(destinationWords: Words, source: Words, keys: Words): number[] {
  let [h, g, d, c] = destinationWords;
  let [f, e, b, a] = source;
  for (let round = 0; round < 2; round++) {
    const choose = (e & f) ^ (~e & g), majority = (a & b) ^ (a & c) ^ (b & c);
    const first = (choose + sigma(e, 6, 11, 25) + keys[round] + h) >>> 0;
    const next = (first + majority + sigma(a, 2, 13, 22)) >>> 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (first + d) >>> 0, c, b, a, next];
  }
  return [f, e, b, a];
}

export const cryptoHelpers: Readonly<Record<string, HelperBody>> = {
  aesenc: transforming((a, b) => keyed(mixColumns(substitute(bytesOf(a), false), MIX), b)),
  aesenclast: transforming((a, b) => keyed(substitute(bytesOf(a), false), b)),
  aesdec: transforming((a, b) => keyed(mixColumns(substitute(bytesOf(a), true), INVERSE_MIX), b)),
  aesdeclast: transforming((a, b) => keyed(substitute(bytesOf(a), true), b)),
  aesimc: transforming((_a, b) => wordsOf(mixColumns(bytesOf(b), INVERSE_MIX))),
  aeskeygenassist: transforming((_a, b, o) => {
    const low = substituteWord(b[1]), high = substituteWord(b[3]), constant = o.imm & 0xff;
    return [low, (rotateRight(low, 8) ^ constant) >>> 0, high, (rotateRight(high, 8) ^ constant) >>> 0];
  }),
  pclmulqdq: transforming((a, b, o) => carryless(half(a, o.imm & 1), half(b, (o.imm >> 4) & 1))),
  sha1rnds4: transforming((a, b, o) => sha1Rounds(a, b, o.imm & 3)),
  sha1nexte: transforming((a, b) => [b[0], b[1], b[2], (b[3] + rotateLeft(a[3], 30)) >>> 0]),
  sha1msg1: transforming((a, b) => [a[0] ^ b[2], a[1] ^ b[3], a[2] ^ a[0], a[3] ^ a[1]]),
  sha1msg2: transforming((a, b) => {
    const w16 = rotateLeft(a[3] ^ b[2], 1), w17 = rotateLeft(a[2] ^ b[1], 1), w18 = rotateLeft(a[1] ^ b[0], 1);
    return [rotateLeft(a[0] ^ w16, 1), w18, w17, w16];
  }),
  sha256rnds2: transforming((a, b, _o, cpu) => sha256Rounds(a, b, readRegister(cpu, FIELD.xmm))),
  sha256msg1: transforming((a, b) =>
    a.map((word, index) => (word + schedule(index < 3 ? a[index + 1] : b[0], 7, 18, 3)) >>> 0)),
  sha256msg2: transforming((a, b) => {
    const w16 = (a[0] + schedule(b[2], 17, 19, 10)) >>> 0, w17 = (a[1] + schedule(b[3], 17, 19, 10)) >>> 0;
    const w18 = (a[2] + schedule(w16, 17, 19, 10)) >>> 0, w19 = (a[3] + schedule(w17, 17, 19, 10)) >>> 0;
    return [w16, w17, w18, w19];
  }),
};
