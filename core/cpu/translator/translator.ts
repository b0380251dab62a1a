// Finds hot code by sampling, compiles it and puts it in the place of the records that it begins at.
import type { Cpu } from '../cpu.ts';
import { handlerTable, PSEUDO, PSEUDO_COUNT } from '../decode/handlers.ts';
import type { HandlerSpecification } from '../decode/row.ts';
import { FIELD, RECORD } from '../state/layout.ts';
import { compileRegion, type PageReader } from './regionCompiler.ts';
import type { Instruction } from './staticContext.ts';

export interface TranslatorCounts {
  samples: number;
  compiled: number;
  /** Places that gave no region. */
  refused: number;
  dropped: number;
  instructions: number;
  bytes: number;
  milliseconds: number;
}

export class Translator {
  readonly counts: TranslatorCounts = { samples: 0, compiled: 0, refused: 0, dropped: 0, instructions: 0, bytes: 0, milliseconds: 0 };
  /** Samples at one place before it is compiled. */
  threshold = 8;
  readonly #cpu: Cpu;
  readonly #table: WebAssembly.Table;
  readonly #imports: WebAssembly.Imports;
  /** Samples by record; those that are compiled or refused stay, as -Infinity. */
  readonly #heat = new Map<number, number>();
  readonly #freeSlots: number[] = [];
  /** The table's entries from here on are regions. */
  readonly #firstSlot: number;

  constructor(cpu: Cpu, interpreter: WebAssembly.Instance['exports']) {
    this.#cpu = cpu;
    this.#table = interpreter.functions as WebAssembly.Table;
    this.#firstSlot = this.#table.length;
    this.#imports = { env: { ...interpreter, memory: cpu.memory } } as WebAssembly.Imports;
  }

  /** Execution is at `rip`, behind a taken branch: what is often found here is hot. */
  sample(): void {
    const cpu = this.#cpu;
    this.counts.samples++;
    const { table, offset } = cpu.code.placeOf(cpu.rip);
    if (table === 0) return;
    const record = cpu.u32[(table >>> 2) + offset];
    if (record === 0) return;
    const heat = (this.#heat.get(record) ?? 0) + 1;
    if (heat <= 0) return;
    if (heat < this.threshold) {
      this.#heat.set(record, heat);
      return;
    }
    this.#heat.set(record, -Infinity);
    const begun = Date.now();
    this.#compile(table, offset, record);
    this.counts.milliseconds += Date.now() - begun;
  }

  /** Makes a region of what was executed from `rip` on, hot or not. Between runs only. */
  translateHere(): void {
    const { table, offset } = this.#cpu.code.placeOf(this.#cpu.rip);
    const record = table === 0 ? 0 : this.#cpu.u32[(table >>> 2) + offset];
    if (record !== 0) this.#compile(table, offset, record);
  }

  /** The code of a region has changed: its records are gone. */
  drop(slot: number): void {
    this.counts.dropped++;
    this.#table.set(slot, null);
    this.#freeSlots.push(slot);
  }

  /** All records are gone, and the regions with them. */
  flush(): void {
    this.#heat.clear();
    this.#freeSlots.length = 0;
    for (let slot = this.#firstSlot; slot < this.#table.length; slot++) {
      this.#table.set(slot, null);
      this.#freeSlots.push(slot);
    }
  }

  #compile(table: number, offset: number, record: number): void {
    const cpu = this.#cpu;
    const { u16 } = cpu;
    if (u16[record >>> 1] < PSEUDO_COUNT) return;
    // What the region leaves to the interpreter at its own entry must not lead back to the region.
    const copy = cpu.code.allocate(2 * RECORD.bytes);
    const compiled = compileRegion(cpu.map, cpu.get32(FIELD.codeMode), pageReader(cpu, table, record, copy), offset);
    if (compiled === null) {
      this.counts.refused++;
      return;
    }
    const instance = new WebAssembly.Instance(new WebAssembly.Module(compiled.bytes), this.#imports);
    this.#install(table, offset, record, copy, instance.exports.region as never);
    this.counts.compiled++;
    this.counts.instructions += compiled.instructions;
    this.counts.bytes += compiled.bytes.length;
  }

  /** The record becomes the region's; a copy of it stays for what the region leaves to the interpreter. */
  #install(table: number, offset: number, record: number, copy: number, code: never): void {
    const cpu = this.#cpu;
    const { u16, u32, u8 } = cpu;
    const before = record - RECORD.bytes;
    const place = u16[(before + RECORD.place) >>> 1] >>> 4;
    if (u32[(table >>> 2) + place] === before) {
      const fused = firstOfPair(u16[before >>> 1]);
      if (fused !== null) u16[before >>> 1] = fused.index;
    }
    const length = u16[(record + RECORD.place) >>> 1] & 15;
    u8.copyWithin(copy, record, record + RECORD.bytes);
    const own = firstOfPair(u16[record >>> 1]);
    if (own !== null) u16[copy >>> 1] = own.index;
    cpu.code.writePseudo(copy + RECORD.bytes, PSEUDO.goto, offset + length, record + RECORD.bytes);
    const slot = this.#freeSlots.pop() ?? this.#table.grow(1);
    this.#table.set(slot, code);
    u16[record >>> 1] = PSEUDO.region;
    cpu.view.setInt32(record + RECORD.imm, slot, true);
    cpu.view.setInt32(record + RECORD.disp, copy, true);
  }
}

const fusedFrom = PSEUDO_COUNT + handlerTable.handlers.length;
/** The first of a fused pair; null: no pair. */
function firstOfPair(handler: number): HandlerSpecification | null {
  return handlerTable.fused[handler - fusedFrom]?.first ?? null;
}

/** The decoded instructions of a page; the record at the entry is going to stand at `copy`. */
function pageReader(cpu: Cpu, table: number, entry: number, copy: number): PageReader {
  const { u8, u16, u32, i32 } = cpu;
  const recordAt = (offset: number): number => {
    const record = u32[(table >>> 2) + offset];
    if (record === entry) return copy;
    return record !== 0 && u16[record >>> 1] === PSEUDO.region ? u32[(record + RECORD.disp) >>> 2] : record;
  };
  const instructionAt = (offset: number): Instruction | null => {
    const resumed = recordAt(offset);
    if (resumed === 0) return null;
    const record = resumed === copy ? entry : resumed;
    const handler = u16[record >>> 1];
    const specification = firstOfPair(handler) ?? handlerTable.handlers[handler - PSEUDO_COUNT];
    if (specification === undefined) return null;
    return {
      record: resumed, offset, specification,
      length: u16[(record + RECORD.place) >>> 1] & 15,
      a: u8[record + RECORD.a],
      b: u8[record + RECORD.b],
      index: u8[record + RECORD.index],
      slot: u8[record + RECORD.slot],
      disp: i32[(record + RECORD.disp) >>> 2],
      imm: i32[(record + RECORD.imm) >>> 2],
    };
  };
  return { instructionAt, recordAt };
}
