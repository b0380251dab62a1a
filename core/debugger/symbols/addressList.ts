// Sorted 64-bit addresses as two arrays of 32-bit halves: a binary search over them needs no bigint.

export class AddressList {
  readonly high: Uint32Array;
  readonly low: Uint32Array;
  readonly length: number;

  constructor(high: Uint32Array, low: Uint32Array) {
    this.high = high;
    this.low = low;
    this.length = high.length;
  }

  at(index: number): bigint {
    return (BigInt(this.high[index]) << 32n) | BigInt(this.low[index]);
  }

  /** Index of the last entry at or below an address, or -1. */
  floor(address: bigint): number {
    const high = Number((address >> 32n) & 0xffffffffn), low = Number(address & 0xffffffffn);
    let from = 0, to = this.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      const h = this.high[middle];
      if (h < high || (h === high && this.low[middle] <= low)) from = middle + 1;
      else to = middle;
    }
    return from - 1;
  }
}

/** Numbers that grow in number; 64-bit addresses go in as halves. */
export class GrowingWords {
  #words = new Uint32Array(1024);
  length = 0;

  push(value: number): void {
    if (this.length === this.#words.length) {
      const larger = new Uint32Array(this.length * 2);
      larger.set(this.#words);
      this.#words = larger;
    }
    this.#words[this.length++] = value;
  }
  get(index: number): number {
    return this.#words[index];
  }
  finish(): Uint32Array {
    return this.#words.slice(0, this.length);
  }
}

export const maskAddress = (value: bigint): bigint => BigInt.asUintN(64, value);
