/** The last bytes of an endless stream, and how many there ever were. */
export class ByteHistory {
  readonly #limit: number;
  #parts: Uint8Array[] = [];
  #kept = 0;
  #end = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get end(): number {
    return this.#end;
  }

  append(bytes: Uint8Array): void {
    this.#parts.push(bytes);
    this.#kept += bytes.length;
    this.#end += bytes.length;
    while (this.#parts.length > 1 && this.#kept - this.#parts[0]!.length >= this.#limit) {
      this.#kept -= this.#parts.shift()!.length;
    }
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(this.#kept);
    let offset = 0;
    for (const part of this.#parts) {
      all.set(part, offset);
      offset += part.length;
    }
    return all.slice(-this.#limit);
  }

  clear(): void {
    this.#parts = [];
    this.#kept = 0;
    this.#end = 0;
  }
}
