// The page tables as the CPU would walk them (SDM 3A chapter 4), read past it: no accessed bits, no TLB, no device.
// Addresses are numbers: linear ones have at most 48 bits (unsigned, not yet sign-extended), physical ones 52.
import type { Cpu } from '../cpu/cpu.ts';
import { CR4 } from '../cpu/state/cpuModels.ts';
import { FIELD } from '../cpu/state/layout.ts';
import type { PhysicalMap } from '../mmu/physicalMap.ts';

export const PTE = { P: 1, RW: 2, US: 4, PWT: 8, PCD: 0x10, A: 0x20, D: 0x40, PS: 0x80, G: 0x100 } as const;
const NX_HIGH = 0x80000000;
const CR0_PG = 0x80000000, CR0_WP = 0x10000;
const EFER_LMA = 0x400, EFER_NXE = 0x800;
const FOUR_GIB = 2 ** 32;
/** Tables that one walk of a whole space visits at most: hostile tables of a 48-bit space never end. */
const TABLE_LIMIT = 1 << 17;

export type LevelName = 'PML4E' | 'PDPTE' | 'PDE' | 'PTE';

export interface Level {
  readonly name: LevelName;
  /** Lowest bit of the linear address that selects the entry. */
  readonly shift: number;
  readonly entries: number;
  readonly entryBytes: 4 | 8;
  /** PS may make the entry a page of 2^shift bytes. */
  readonly large: boolean;
}

export interface Paging {
  readonly kind: 'off' | '32-bit' | 'PAE' | '4-level';
  /** From the root down; none without paging. */
  readonly levels: readonly Level[];
  /** Physical address of the root table. */
  readonly root: number;
  readonly noExecute: boolean;
  /** CR0.WP: supervisor writes obey R/W. */
  readonly writeProtect: boolean;
  readonly linearBits: 32 | 48;
}

export interface WalkStep {
  readonly level: Level;
  readonly index: number;
  /** Physical address of the entry. */
  readonly address: number;
  readonly low: number;
  readonly high: number;
  /** False: the table lies where there is no memory. */
  readonly readable: boolean;
  readonly isLeaf: boolean;
}

/** Combined rights of all levels. */
export interface PageRights {
  readonly user: boolean;
  readonly writable: boolean;
  readonly executable: boolean;
}

export interface Walk {
  readonly paging: Paging;
  readonly steps: readonly WalkStep[];
  /** Null: not mapped. */
  readonly physical: number | null;
  readonly pageBytes: number;
  readonly rights: PageRights;
}

/** A stretch of equal rights and contiguous physical addresses; `rights` are bits PTE.RW and PTE.US, and 1 for no execution. */
export interface MappedRun {
  readonly from: number;
  readonly length: number;
  readonly physical: number;
  readonly rights: number;
}

const LEGACY_DIRECTORY = { name: 'PDE', shift: 22, entries: 1024, entryBytes: 4 } as const;
const LEGACY_TABLE: Level = { name: 'PTE', shift: 12, entries: 1024, entryBytes: 4, large: false };
const WIDE_DIRECTORY: Level = { name: 'PDE', shift: 21, entries: 512, entryBytes: 8, large: true };
const WIDE_TABLE: Level = { name: 'PTE', shift: 12, entries: 512, entryBytes: 8, large: false };
const PAE_ROOT: Level = { name: 'PDPTE', shift: 30, entries: 4, entryBytes: 8, large: false };
const LONG_POINTERS: Level = { name: 'PDPTE', shift: 30, entries: 512, entryBytes: 8, large: true };
const LONG_ROOT: Level = { name: 'PML4E', shift: 39, entries: 512, entryBytes: 8, large: false };

export const NO_EXECUTE = 1;

export class PageTables {
  readonly #cpu: Cpu;
  readonly #physical: PhysicalMap;

  constructor(cpu: Cpu, physical: PhysicalMap) {
    this.#cpu = cpu;
    this.#physical = physical;
  }

  paging(): Paging {
    const cpu = this.#cpu;
    const cr0 = cpu.get32(FIELD.cr0), cr3 = cpu.get32(FIELD.cr3), cr4 = cpu.get32(FIELD.cr4), efer = cpu.get32(FIELD.efer);
    const writeProtect = (cr0 & CR0_WP) !== 0;
    const wide = (cr4 & CR4.PAE) !== 0;
    const noExecute = wide && (efer & EFER_NXE) !== 0;
    if ((cr0 & CR0_PG) === 0) return { kind: 'off', levels: [], root: 0, noExecute: false, writeProtect, linearBits: 32 };
    if (!wide) {
      const levels = [{ ...LEGACY_DIRECTORY, large: (cr4 & CR4.PSE) !== 0 }, LEGACY_TABLE];
      return { kind: '32-bit', levels, root: (cr3 & ~0xfff) >>> 0, noExecute, writeProtect, linearBits: 32 };
    }
    if ((efer & EFER_LMA) !== 0) {
      const levels = [LONG_ROOT, LONG_POINTERS, WIDE_DIRECTORY, WIDE_TABLE];
      const root = frameOf((cr3 & ~0xfff) >>> 0, cpu.get32(FIELD.cr3 + 4));
      return { kind: '4-level', levels, root, noExecute, writeProtect, linearBits: 48 };
    }
    const levels = [PAE_ROOT, WIDE_DIRECTORY, WIDE_TABLE];
    return { kind: 'PAE', levels, root: (cr3 & ~31) >>> 0, noExecute, writeProtect, linearBits: 32 };
  }

  /** Walks for one address. */
  walk(linear: number, paging = this.paging()): Walk {
    const steps: WalkStep[] = [];
    if (paging.levels.length === 0) {
      const rights = { user: true, writable: true, executable: true };
      return { paging, steps, physical: this.#a20(linear), pageBytes: 0, rights };
    }
    let table = paging.root, bits = PTE.RW | PTE.US, noExecute = false;
    let physical: number | null = null, pageBytes = 0;
    for (const level of paging.levels) {
      const step = this.#step(paging, level, table, linear);
      steps.push(step);
      if (!step.readable || (step.low & PTE.P) === 0) break;
      const isPointer = paging.kind === 'PAE' && level === PAE_ROOT;
      // PDPTEs of PAE paging carry no rights (SDM 3A table 4-8).
      if (!isPointer) bits &= step.low;
      if (!isPointer && step.high >>> 31 !== 0) noExecute = true;
      if (step.isLeaf) {
        pageBytes = 2 ** level.shift;
        physical = this.#a20(leafFrame(level, step.low, step.high) + (linear % pageBytes));
        break;
      }
      table = frameOf(step.low, step.high);
    }
    const rights = {
      user: (bits & PTE.US) !== 0, writable: (bits & PTE.RW) !== 0, executable: !(noExecute && paging.noExecute),
    };
    return { paging, steps, physical, pageBytes, rights };
  }

  /** Physical address behind a linear one; -1: not mapped. */
  translate(linear: number): number {
    return this.walk(linear).physical ?? -1;
  }

  /**
   * Tells all that is mapped in [from, to) as folded runs, ascending, until `visit` returns false. Returns false if it was
   * stopped or the tables have no end.
   */
  runs(from: number, to: number, visit: (run: MappedRun) => boolean): boolean {
    const paging = this.paging();
    const fold = new Fold(visit, this.#cpu.get32(FIELD.a20Mask) === 0xffffffff ? Infinity : 1 << 20);
    if (paging.levels.length === 0) {
      fold.add(from, Math.min(to, FOUR_GIB) - from, from, PTE.RW | PTE.US, (address) => this.#a20(address));
    } else {
      const walk = { paging, from, to, fold, tables: 0 };
      this.#visit(walk, 0, paging.root, 0, PTE.RW | PTE.US);
    }
    return fold.flush();
  }

  #visit(walk: SpaceWalk, depth: number, table: number, base: number, rights: number): void {
    if (++walk.tables > TABLE_LIMIT) walk.fold.stopped = true;
    const { paging, fold } = walk;
    const level = paging.levels[depth];
    const bytes = 2 ** level.shift;
    const isPointer = paging.kind === 'PAE' && depth === 0;
    const words = isPointer ? (this.#cpu.base + FIELD.pdptes) >>> 2 : this.#words(table);
    if (words < 0) return;
    const { u32 } = this.#cpu;
    const stride = level.entryBytes >>> 2;
    const first = Math.max(0, Math.floor((walk.from - base) / bytes));
    const last = Math.min(level.entries, Math.ceil((walk.to - base) / bytes));
    for (let index = first; index < last && !fold.stopped; index++) {
      const low = u32[words + index * stride];
      if ((low & PTE.P) === 0) continue;
      const high = stride === 2 ? u32[words + index * 2 + 1] : 0;
      let own = isPointer ? rights : (rights & low & (PTE.RW | PTE.US)) | (rights & NO_EXECUTE);
      if (!isPointer && paging.noExecute && (high & NX_HIGH) !== 0) own |= NO_EXECUTE;
      const start = base + index * bytes;
      const isLeaf = level.name === 'PTE' || (level.large && (low & PTE.PS) !== 0);
      if (!isLeaf) {
        this.#visit(walk, depth + 1, frameOf(low, high), start, own);
        continue;
      }
      const begin = Math.max(start, walk.from), end = Math.min(start + bytes, walk.to);
      fold.add(begin, end - begin, leafFrame(level, low, high) + (begin - start), own, (address) => this.#a20(address));
    }
  }

  /** Index of a table's first word, or -1 where there is no memory. */
  #words(table: number): number {
    if (table >= FOUR_GIB) return -1;
    const host = this.#physical.host(table, false);
    return host < 0 ? -1 : host >>> 2;
  }

  #step(paging: Paging, level: Level, table: number, linear: number): WalkStep {
    const index = Math.floor(linear / 2 ** level.shift) % level.entries;
    const address = table + index * level.entryBytes;
    const isPointer = paging.kind === 'PAE' && level === PAE_ROOT;
    const word = isPointer ? (this.#cpu.base + FIELD.pdptes + index * 8) >>> 2 : this.#words(address);
    const readable = word >= 0;
    const low = readable ? this.#cpu.u32[word] : 0;
    const high = readable && level.entryBytes === 8 ? this.#cpu.u32[word + 1] : 0;
    const isLeaf = level.name === 'PTE' || (level.large && (low & PTE.PS) !== 0);
    return { level, index, address, low, high, readable, isLeaf };
  }

  #a20(address: number): number {
    const mask = this.#cpu.get32(FIELD.a20Mask);
    if (mask === 0xffffffff || address >= FOUR_GIB) return address;
    return (address & mask) >>> 0;
  }
}

interface SpaceWalk {
  readonly paging: Paging;
  readonly from: number;
  readonly to: number;
  readonly fold: Fold;
  tables: number;
}

/** Joins pages to runs. */
class Fold {
  stopped = false;
  readonly #visit: (run: MappedRun) => boolean;
  /** Pieces larger than this may not be contiguous (A20 closed). */
  readonly #piece: number;
  #from = 0;
  #length = 0;
  #physical = 0;
  #rights = 0;

  constructor(visit: (run: MappedRun) => boolean, piece: number) {
    this.#visit = visit;
    this.#piece = piece;
  }

  add(from: number, length: number, physical: number, rights: number, a20: (address: number) => number): void {
    if (this.#piece === Infinity) {
      this.#append(from, length, physical, rights);
      return;
    }
    for (let done = 0; done < length && !this.stopped; ) {
      const at = physical + done;
      const take = Math.min(length - done, this.#piece - (at % this.#piece));
      this.#append(from + done, take, a20(at), rights);
      done += take;
    }
  }

  #append(from: number, length: number, physical: number, rights: number): void {
    const joins = this.#length > 0 && from === this.#from + this.#length &&
      physical === this.#physical + this.#length && rights === this.#rights;
    if (joins) {
      this.#length += length;
      return;
    }
    this.flush();
    this.#from = from;
    this.#length = length;
    this.#physical = physical;
    this.#rights = rights;
  }

  /** Tells the last run; false: the visitor has enough. */
  flush(): boolean {
    const length = this.#length;
    this.#length = 0;
    if (this.stopped) return false;
    if (length > 0 && !this.#visit({ from: this.#from, length, physical: this.#physical, rights: this.#rights })) this.stopped = true;
    return !this.stopped;
  }
}

/** Physical address in an entry: bits 51..12. */
export const frameOf = (low: number, high: number): number => ((low & ~0xfff) >>> 0) + (high & 0xfffff) * FOUR_GIB;

/** Physical address of the page that a leaf names; 4 MiB pages take bits 39..32 from 20..13 (PSE-36). */
function leafFrame(level: Level, low: number, high: number): number {
  if (level.shift === 12) return frameOf(low, high);
  if (level.shift === 22) return ((low & 0xffc00000) >>> 0) + ((low >>> 13) & 0xff) * FOUR_GIB;
  const bytes = 2 ** level.shift;
  return Math.floor(frameOf(low, high) / bytes) * bytes;
}
