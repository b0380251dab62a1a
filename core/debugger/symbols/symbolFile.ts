// One set of symbols, sorted by address: what every kind of symbol file becomes.
import { AddressList } from './addressList.ts';

export type SymbolKind = 'function' | 'data' | 'label' | 'absolute';

/** Symbols as a reader of a file collects them. */
export interface RawSymbol {
  readonly name: string;
  readonly address: bigint;
  /** 0: not known. */
  readonly size: number;
  readonly kind: SymbolKind;
  /** Decides among several names of one address: the smallest wins. */
  readonly rank: number;
}

/** A symbol without a size reaches no further than this. */
const UNSIZED_REACH = 0x10_0000n;
/** How many symbols before the nearest may still enclose an address. */
const ENCLOSING = 8;

export interface StoredSymbol {
  readonly name: string;
  readonly address: bigint;
  readonly size: number;
  readonly kind: SymbolKind;
}

/** Immutable. Addresses are those of the file: who holds it adds an offset. */
export class SymbolSet {
  readonly #symbols: readonly RawSymbol[];
  readonly #addresses: AddressList;
  /** Symbols that are no addresses: constants. */
  readonly #constants: readonly RawSymbol[];
  #byName: Map<string, RawSymbol> | null = null;
  #lowerNames: string[] | null = null;

  constructor(symbols: readonly RawSymbol[]) {
    const placed = symbols.filter((symbol) => symbol.kind !== 'absolute');
    this.#constants = symbols.filter((symbol) => symbol.kind === 'absolute');
    const high = new Uint32Array(placed.length), low = new Uint32Array(placed.length);
    placed.forEach((symbol, index) => {
      high[index] = Number((symbol.address >> 32n) & 0xffffffffn);
      low[index] = Number(symbol.address & 0xffffffffn);
    });
    const order = sortedOrder(placed, high, low);
    this.#symbols = order === null ? placed : Array.from(order, (index) => placed[index]);
    this.#addresses = order === null
      ? new AddressList(high, low)
      : new AddressList(order.map((index) => high[index]), order.map((index) => low[index]));
  }

  get length(): number {
    return this.#symbols.length + this.#constants.length;
  }

  at(index: number): StoredSymbol {
    const count = this.#symbols.length;
    return index < count ? this.#symbols[index] : this.#constants[index - count];
  }

  named(name: string): StoredSymbol | undefined {
    if (this.#byName === null) {
      this.#byName = new Map();
      const all = [...this.#symbols, ...this.#constants];
      // A global name wins over static ones of other files.
      for (const symbol of all) {
        const known = this.#byName.get(symbol.name);
        if (known === undefined || symbol.rank < known.rank) this.#byName.set(symbol.name, symbol);
      }
    }
    return this.#byName.get(name);
  }

  nearest(address: bigint): StoredSymbol | null {
    let index = this.#addresses.floor(address);
    if (index < 0) return null;
    const start = this.#symbols[index].address;
    for (let tried = 0; index >= 0 && tried < ENCLOSING; index--, tried++) {
      const symbol = this.#symbols[index];
      const offset = address - symbol.address;
      // One without a size ends where the next begins.
      const reach = symbol.size > 0 ? BigInt(symbol.size) : symbol.address === start ? UNSIZED_REACH : 0n;
      if (offset < reach) return this.#best(index);
    }
    return null;
  }

  /** The best name of those that share an address and reach as far: they are sorted by rank. */
  #best(index: number): StoredSymbol {
    const { address, size } = this.#symbols[index];
    while (index > 0 && this.#symbols[index - 1].address === address && (size === 0 || this.#symbols[index - 1].size >= size)) {
      index--;
    }
    return this.#symbols[index];
  }

  /** Lower-case names, by index. */
  lowerNames(): readonly string[] {
    this.#lowerNames ??= [...this.#symbols, ...this.#constants].map((symbol) => symbol.name.toLowerCase());
    return this.#lowerNames;
  }
}

/** Null: they are sorted already, as in System.map. */
function sortedOrder(symbols: readonly RawSymbol[], high: Uint32Array, low: Uint32Array): Uint32Array | null {
  const compare = (a: number, b: number): number => high[a] - high[b] || low[a] - low[b] || symbols[a].rank - symbols[b].rank || a - b;
  let sorted = true;
  for (let index = 1; index < symbols.length && sorted; index++) sorted = compare(index - 1, index) <= 0;
  if (sorted) return null;
  return Uint32Array.from(symbols, (_, index) => index).sort(compare);
}
