// Guest memory as the Linux parts read it: words by linear address, and searches through all of RAM.
import { DebugError, type DebugTarget } from '../target.ts';

const CHUNK = 1 << 20;
const OVERLAP = 4096;

/** A kernel's view: pointers of 4 or 8 bytes. Reads give null for what is not mapped. */
export class GuestMemory {
  readonly target: DebugTarget;
  /** End of RAM as a physical address. */
  readonly ramBytes: number;
  readonly pointerBytes: 4 | 8;

  constructor(target: DebugTarget, ramBytes: number) {
    this.target = target;
    this.ramBytes = ramBytes;
    this.pointerBytes = target.mode().addressBytes;
  }

  bytes(address: bigint, length: number): Uint8Array | null {
    return this.target.memory.read('linear', this.mask(address), length);
  }
  mask(address: bigint): bigint {
    return BigInt.asUintN(this.pointerBytes * 8, address);
  }

  u32(address: bigint): number | null {
    const bytes = this.bytes(address, 4);
    return bytes === null ? null : wordIn(bytes, 0);
  }
  pointer(address: bigint): bigint | null {
    const bytes = this.bytes(address, this.pointerBytes);
    return bytes === null ? null : pointerIn(bytes, 0, this.pointerBytes);
  }
  translate(address: bigint): bigint | null {
    return this.target.memory.translate(this.mask(address));
  }

  /** An address in the kernel's part: the upper half, of 32-bit kernels all that any split leaves to the kernel. */
  isKernelPointer(value: bigint): boolean {
    return this.pointerBytes === 8 ? value >= 0xffff_8000_0000_0000n : value >= 0x4000_0000n && value < 0xffff_f000n;
  }

  /** Physical memory as far as there is any; what is none is zero. */
  physical(address: number, length: number): Uint8Array {
    const from = Math.max(0, address), to = Math.min(this.ramBytes, address + length);
    if (to <= from) return new Uint8Array(0);
    return this.target.memory.readPartly('physical', BigInt(from), to - from).bytes;
  }

  /** Pieces of RAM from low to high, each followed by the beginning of the next. */
  *pieces(): Generator<{ readonly bytes: Uint8Array; readonly address: number; readonly own: number }> {
    for (let address = 0; address < this.ramBytes; address += CHUNK) {
      yield { bytes: this.physical(address, CHUNK + OVERLAP), address, own: Math.min(CHUNK, this.ramBytes - address) };
    }
  }

  /** Physical addresses at which a pattern of at most 4 KiB stands, from low to high. */
  *find(pattern: Uint8Array): Generator<number> {
    const skips = skipTable(pattern);
    for (const { bytes, address, own } of this.pieces()) {
      for (let at = findBytes(bytes, pattern, 0, skips); at >= 0 && at < own; at = findBytes(bytes, pattern, at + 1, skips)) yield address + at;
    }
  }
}

/** Horspool: how far a byte under the pattern's end lets it move on. */
function skipTable(pattern: Uint8Array): Uint16Array {
  const skips = new Uint16Array(256).fill(pattern.length);
  for (let index = 0; index < pattern.length - 1; index++) skips[pattern[index]] = pattern.length - 1 - index;
  return skips;
}

function findBytes(bytes: Uint8Array, pattern: Uint8Array, from: number, skips: Uint16Array): number {
  const last = pattern.length - 1;
  for (let at = from; at + last < bytes.length; at += skips[bytes[at + last]]) {
    let index = last;
    while (index >= 0 && bytes[at + index] === pattern[index]) index--;
    if (index < 0) return at;
  }
  return -1;
}

export const wordIn = (bytes: Uint8Array, at: number): number =>
  (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;

export function pointerIn(bytes: Uint8Array, at: number, size: 4 | 8): bigint {
  const low = BigInt(wordIn(bytes, at));
  return size === 4 ? low : low | (BigInt(wordIn(bytes, at + 4)) << 32n);
}

/** Printable ASCII up to a NUL within `length` bytes; null: something else stands there. */
export function nameIn(bytes: Uint8Array, at: number, length: number): string | null {
  let name = '';
  for (let index = at; index < at + length; index++) {
    const byte = bytes[index];
    if (byte === undefined) return null;
    if (byte === 0) return name === '' ? null : name;
    if (byte < 0x20 || byte > 0x7e) return null;
    name += String.fromCharCode(byte);
  }
  return null;
}

/** Runs what may find nothing: its DebugError is a sentence for people. */
export function orProblem<T>(empty: T, read: () => T): { readonly value: T; readonly problem: string | null } {
  try {
    return { value: read(), problem: null };
  } catch (error) {
    if (error instanceof DebugError) return { value: empty, problem: error.message };
    throw error;
  }
}
