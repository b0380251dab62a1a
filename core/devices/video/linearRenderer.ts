// From linear display memory to RGBA. Guests write it as they write memory, without a trap: what changed is found by comparing
// with what was drawn last, and only where somebody looks.
import { FrameBuffer } from './frameBuffer.ts';

export interface LinearPicture {
  readonly width: number;
  readonly height: number;
  readonly bits: 8 | 15 | 16 | 24 | 32;
  /** Bytes from one line to the next, and to the first. */
  readonly pitch: number;
  readonly start: number;
}

const BAND = 8;

export class LinearRenderer {
  readonly frame = new FrameBuffer();
  readonly #memory: Uint8Array;
  #picture: LinearPicture | null = null;
  /** What was drawn: each line's bytes, padded to words. */
  #drawn = new Uint8Array(0);
  #lineBytes = 0;
  #stale = true;

  constructor(memory: Uint8Array) {
    this.#memory = memory;
  }

  /** `colors`: RGBA of the 256 entries, for pictures of 8 bits; `recolored`: they changed. */
  refresh(picture: LinearPicture, colors: Uint32Array, recolored: boolean): void {
    const old = this.#picture;
    if (old === null || old.width !== picture.width || old.height !== picture.height) {
      this.frame.resize({ width: picture.width, height: picture.height }, BAND);
    }
    if (old === null || old.width !== picture.width || old.height !== picture.height || old.bits !== picture.bits) {
      this.#lineBytes = picture.width * Math.ceil(picture.bits / 8);
      this.#drawn = new Uint8Array(this.#lineBytes * picture.height);
      this.#stale = true;
    }
    if (recolored && picture.bits === 8) this.#stale = true;
    this.#picture = picture;
    this.frame.begin();
    for (let y = 0; y < picture.height; y++) this.#line(picture, y, colors);
    this.#stale = false;
  }

  /** The next picture is drawn whole. */
  forget(): void {
    this.#picture = null;
  }

  #line(picture: LinearPicture, y: number, colors: Uint32Array): void {
    const from = picture.start + y * picture.pitch, length = this.#lineBytes;
    const now = this.#memory.subarray(from, from + length), drawn = this.#drawn.subarray(y * length, (y + 1) * length);
    const pixelBytes = Math.ceil(picture.bits / 8);
    let left = 0, right = picture.width;
    if (!this.#stale) {
      const first = firstDifference(now, drawn);
      if (first < 0) return;
      left = Math.floor(first / pixelBytes);
      right = Math.floor(lastDifference(now, drawn) / pixelBytes) + 1;
    }
    drawn.set(now);
    draw(picture, now, left, right, this.frame.pixels, y * picture.width, colors);
    this.frame.touch(Math.floor(y / BAND), left, right);
  }
}

const isAligned = (bytes: Uint8Array): boolean => (bytes.byteOffset & 3) === 0;
const wordsOf = (bytes: Uint8Array): Uint32Array => new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  let at = 0;
  if (isAligned(a) && isAligned(b)) {
    const wide = wordsOf(a), other = wordsOf(b);
    let word = 0;
    while (word < wide.length && wide[word] === other[word]) word++;
    at = word * 4;
  }
  while (at < a.length && a[at] === b[at]) at++;
  return at === a.length ? -1 : at;
}

function lastDifference(a: Uint8Array, b: Uint8Array): number {
  let at = a.length - 1;
  while (at >= 0 && a[at] === b[at]) at--;
  return at;
}

const OPAQUE = 0xff000000;
/** Five or six bits as eight. */
const five = (value: number): number => (value << 3) | (value >> 2);
const six = (value: number): number => (value << 2) | (value >> 4);

/** Pixels [left, right) of one line (VBE 3.0, direct colour: blue lowest). */
function draw(
  { bits }: LinearPicture, bytes: Uint8Array, left: number, right: number, pixels: Uint32Array, to: number, colors: Uint32Array,
): void {
  switch (bits) {
    case 8:
      for (let x = left; x < right; x++) pixels[to + x] = colors[bytes[x]!]!;
      return;
    case 15:
    case 16:
      for (let x = left; x < right; x++) {
        const value = bytes[2 * x]! | (bytes[2 * x + 1]! << 8);
        const red = bits === 15 ? five((value >> 10) & 31) : five(value >> 11);
        const green = bits === 15 ? five((value >> 5) & 31) : six((value >> 5) & 63);
        pixels[to + x] = OPAQUE | (five(value & 31) << 16) | (green << 8) | red;
      }
      return;
    case 24:
      for (let x = left; x < right; x++) pixels[to + x] = OPAQUE | (bytes[3 * x]! << 16) | (bytes[3 * x + 1]! << 8) | bytes[3 * x + 2]!;
      return;
    case 32:
      for (let x = left; x < right; x++) pixels[to + x] = OPAQUE | (bytes[4 * x]! << 16) | (bytes[4 * x + 1]! << 8) | bytes[4 * x + 2]!;
  }
}
