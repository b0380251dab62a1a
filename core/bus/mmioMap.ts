// Memory-mapped I/O dispatch over the 4 GiB physical space.
import type { Mapping, MmioHandler } from './device.ts';
import { allOnes, type AccessSize } from './portMap.ts';

export interface MmioRange {
  readonly base: number;
  readonly length: number;
}

export type UnclaimedMmio = (kind: 'read' | 'write', address: number, size: AccessSize, value: number) => void;

interface Claim extends MmioRange {
  readonly name: string;
  readonly handler: MmioHandler;
}

/** A stretch of addresses with one owner. */
interface Segment {
  readonly start: number;
  readonly end: number;
  readonly origin: number;
  readonly handler: MmioHandler;
}

const SPACE = 2 ** 32;

export class MmioMap {
  #claims: Claim[] = [];
  /** Sorted, disjoint. */
  #segments: Segment[] = [];
  #last: Segment | null = null;
  readonly #unclaimed: UnclaimedMmio;
  readonly #onChange: () => void;

  constructor(unclaimed: UnclaimedMmio = () => {}, onChange: () => void = () => {}) {
    this.#unclaimed = unclaimed;
    this.#onChange = onChange;
  }

  /** A later claim wins until it is unmapped. */
  claim(name: string, base: number, length: number, handler: MmioHandler): Mapping {
    const claim: Claim = { name, base, length: Math.min(length, SPACE - base), handler };
    this.#claims.push(claim);
    this.#rebuild();
    return {
      unmap: () => {
        if (!this.#claims.includes(claim)) return;
        this.#claims = this.#claims.filter((other) => other !== claim);
        this.#rebuild();
      },
    };
  }

  /** Claimed stretches, ascending, neighbours joined. */
  ranges(): MmioRange[] {
    const ranges: { base: number; length: number }[] = [];
    for (const { start, end } of this.#segments) {
      const last = ranges.at(-1);
      if (last && last.base + last.length === start) last.length = end - last.base;
      else ranges.push({ base: start, length: end - start });
    }
    return ranges;
  }

  /** Name of the owner of an address, for people; null: nobody. */
  ownerOf(address: number): string | null {
    return this.#claims.findLast((claim) => address >= claim.base && address < claim.base + claim.length)?.name ?? null;
  }

  /** Every claim as it was made; later ones lie over earlier ones. */
  claims(): readonly { readonly base: number; readonly length: number; readonly name: string }[] {
    return this.#claims.map(({ base, length, name }) => ({ base, length, name }));
  }

  read(address: number, size: AccessSize): number {
    const segment = this.#find(address);
    if (segment !== null && address + size <= segment.end) return segment.handler.read(address - segment.origin, size);
    if (size === 1 || (segment === null && this.#find(address + size - 1) === null)) {
      this.#unclaimed('read', address, size, 0);
      return allOnes(size);
    }
    let value = 0;
    for (let index = size - 1; index >= 0; index--) value = value * 256 + this.read((address + index) % SPACE, 1);
    return value;
  }

  write(address: number, value: number, size: AccessSize): void {
    const segment = this.#find(address);
    if (segment !== null && address + size <= segment.end) {
      segment.handler.write(address - segment.origin, value, size);
    } else if (size === 1 || (segment === null && this.#find(address + size - 1) === null)) {
      this.#unclaimed('write', address, size, value);
    } else {
      for (let index = 0; index < size; index++) this.write((address + index) % SPACE, (value >>> (8 * index)) & 0xff, 1);
    }
  }

  #find(address: number): Segment | null {
    const last = this.#last;
    if (last !== null && address >= last.start && address < last.end) return last;
    let low = 0;
    let high = this.#segments.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const segment = this.#segments[middle]!;
      if (address < segment.start) high = middle - 1;
      else if (address >= segment.end) low = middle + 1;
      else return (this.#last = segment);
    }
    return null;
  }

  #rebuild(): void {
    const edges = new Set<number>();
    for (const claim of this.#claims) edges.add(claim.base).add(claim.base + claim.length);
    const sorted = [...edges].sort((a, b) => a - b);
    this.#segments = [];
    for (let index = 0; index + 1 < sorted.length; index++) {
      const start = sorted[index]!;
      const end = sorted[index + 1]!;
      const owner = this.#claims.findLast((claim) => start >= claim.base && start < claim.base + claim.length);
      if (owner) this.#segments.push({ start, end, origin: owner.base, handler: owner.handler });
    }
    this.#joinSameOwner();
    this.#last = null;
    this.#onChange();
  }

  #joinSameOwner(): void {
    const joined: Segment[] = [];
    for (const segment of this.#segments) {
      const last = joined.at(-1);
      if (last && last.end === segment.start && last.handler === segment.handler && last.origin === segment.origin)
        joined[joined.length - 1] = { ...last, end: segment.end };
      else joined.push(segment);
    }
    this.#segments = joined;
  }
}
