// The physical address map below 4 GiB: one word per 4 KiB page, read by the page walk in emitted WebAssembly.

/** RAM or ROM that can be read. */
export const PHYSICAL_READ = 1;
/** RAM that can be written. */
export const PHYSICAL_WRITE = 2;
/** Holds decoded code: writes must look. */
export const PHYSICAL_CODE = 4;

const PAGE = 4096;

/** Pages that are in no range are devices or nothing: every access leaves the CPU. */
export class PhysicalMap {
  readonly #words: Uint32Array;

  /** `words` has 2^20 entries, host address of the page | PHYSICAL_* bits. */
  constructor(words: Uint32Array) {
    this.#words = words;
  }

  /** Maps `length` bytes from physical `base` to host memory; both multiples of 4 KiB. */
  map(base: number, length: number, host: number, writable: boolean): void {
    const bits = PHYSICAL_READ | (writable ? PHYSICAL_WRITE : 0);
    for (let offset = 0; offset < length; offset += PAGE) this.#words[(base + offset) / PAGE] = (host + offset) | bits;
  }

  unmap(base: number, length: number): void {
    this.#words.fill(0, base / PAGE, (base + length) / PAGE);
  }

  /** Host address of a physical address, or -1 outside RAM and ROM. */
  host(address: number, write: boolean): number {
    const word = this.#words[address >>> 12];
    if ((word & (write ? PHYSICAL_WRITE : PHYSICAL_READ)) === 0) return -1;
    return ((word & ~0xfff) >>> 0) + (address & 0xfff);
  }
}
