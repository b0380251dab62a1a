// Decoded code: records in an arena, found through one table of 4096 pointers per physical page and mode.
import type { Cpu } from './cpu.ts';
import { Decoder } from './decode/decoder.ts';
import { fusedHandler, handlerTable, PSEUDO } from './decode/handlers.ts';
import { oneByte, tooLongRow, visibleCliRow } from './decode/tables.ts';
import type { Row } from './decode/row.ts';
import { ACCESS, NOT_RAM } from './interpreter/memoryFunctions.ts';
import { CANONICAL, pageOf, upperHalf } from './state/addresses.ts';
import { CS, FIELD, FLAG, RECORD, SEGMENT, TLB, TLBS } from './state/layout.ts';
import { PHYSICAL_CODE } from '../mmu/physicalMap.ts';
import { instructionBreakpoints, reportDebug } from './system/debugRegisters.ts';

const PAGE = 4096;
const TABLE_BYTES = PAGE * 4;
/** Longest run that one decoding makes; the rest follows when it is reached. */
const RUN_LIMIT = 64;
/** Space kept free so that a slice can always go on until the cache may be emptied. */
const RESERVE_BYTES = 4 << 20;
/** Bytes that a single step gathers: the longest instruction, and one more to see that it is too long. */
const STEP_BYTES = 16;

const DEBUG = 1;
const CLI = 0xfa;
const GENERAL_PROTECTION = 13;

const indexOf = (row: Row): number => handlerTable.byRow.get(row)![0].index;
const cliIndex = indexOf(oneByte[CLI] as Row), visibleCliIndex = indexOf(visibleCliRow);

export class CodeCache {
  readonly #cpu: Cpu;
  readonly #decoder: Decoder;
  /** Table address by physical page * 4 + mode. */
  readonly #tables = new Map<number, number>();
  readonly #stepBytes = new Uint8Array(STEP_BYTES);
  /** Offsets of the debugger's execution breakpoints, by linear and by physical page. */
  readonly #linearBreaks = new Map<number, Set<number>>();
  readonly #physicalBreaks = new Map<number, Set<number>>();
  /** Tables with breakpoints in them by physical page * 4 + mode, then by linear page: other views of a page stay clean. */
  readonly #brokenTables = new Map<number, Map<number, number>>();
  #fusing = true;
  #visibleFlags = false;
  #free: number;
  /** Pages whose code was written and dropped. */
  invalidations = 0;
  decoded = 0;

  constructor(cpu: Cpu) {
    this.#cpu = cpu;
    this.#decoder = new Decoder(cpu.model);
    this.#free = cpu.map.arena;
  }

  get isFull(): boolean {
    return this.#free > this.#cpu.map.arenaEnd - RESERVE_BYTES;
  }

  /** Empties the cache. Only between runs: a running loop holds pointers into it. */
  flush(): void {
    const { cpu, map } = { cpu: this.#cpu, map: this.#cpu.map };
    for (const tables of [this.#tables, this.#brokenTables]) {
      for (const key of tables.keys()) {
        const frame = key >>> 2;
        cpu.u32[(map.physicalMap >>> 2) + frame] &= ~PHYSICAL_CODE;
        this.#setChunks(frame, 0, 0);
      }
      tables.clear();
    }
    this.#free = map.arena;
    cpu.forgetCodeTables();
    this.onFlush();
  }

  // --- for the translator -----------------------------------------------------------------------------------------------

  /** Called with the number of a region whose record is dropped, and when all records are. */
  onRegionDropped: (slot: number) => void = () => {};
  onFlush: () => void = () => {};

  /** The table and the offset in it of code at `rip`, as the loop has found it; table 0: it is not to be translated. */
  placeOf(rip: number): { readonly table: number; readonly offset: number } {
    const cpu = this.#cpu;
    const linear = cpu.wrapLinear(cpu.segmentBase(CS) + rip), offset = linear & 0xfff;
    const entry = this.#tlbEntry(linear);
    const known = this.#isTagged(entry, linear) && rip - offset + 0xfff <= this.#limit;
    if (!known || this.#breaksOn(pageOf(linear), cpu.u32[entry + (TLB.frame >>> 2)]) !== null) return { table: 0, offset };
    return { table: cpu.u32[entry + (TLB.codeTable >>> 2)], offset };
  }

  /** Space in the arena, in bytes. */
  allocate(bytes: number): number {
    const at = this.#free;
    this.#free += bytes;
    if (this.isFull) this.#cpu.endSlice();
    return at;
  }

  /** The record at a linear address in the current code segment and mode; 0 with the fault recorded. */
  enter(linear: number): number {
    const cpu = this.#cpu;
    const limit = this.#limit;
    const rip = cpu.rip;
    if (cpu.get32(FIELD.pendingDebug) !== 0) {
      cpu.trapBeforeFetch = true;
      return this.#debugTrap();
    }
    if (rip > limit || (cpu.is64 && (rip < -CANONICAL || rip >= CANONICAL))) return this.#fault(GENERAL_PROTECTION);
    const armed = (cpu.get32(FIELD.dr + 7 * 8) & 0xff) !== 0;
    if (armed && this.#instructionBreakpoint(linear)) return this.#debugTrap();
    const host = cpu.translate(linear, ACCESS.fetch | cpu.userAccess);
    if (host === 0) return 0;
    const frame = cpu.get32(FIELD.mmioAddress) >>> 12;
    const breaks = this.#breaksOn(pageOf(linear), frame);
    if (breaks !== null && breaks.has(linear & 0xfff)) return this.#breakpointHere(rip);
    if (host === NOT_RAM) return this.prepareStep(rip, PSEUDO.relookup) ? cpu.base + FIELD.stepRecords : 0;
    const offset = linear & 0xfff;
    if (armed) return this.prepareStep(rip, PSEUDO.stop) ? cpu.base + FIELD.stepRecords : 0;
    if (rip - offset + 0xfff > limit) {
      // Part of the page is beyond the limit: one instruction at a time.
      return this.prepareStep(rip, PSEUDO.relookup) ? cpu.base + FIELD.stepRecords : 0;
    }
    const table = breaks === null ? this.#table(frame) : this.#brokenTable(frame, pageOf(linear));
    this.#rememberTable(linear, table);
    const known = cpu.u32[(table >>> 2) + offset];
    return known !== 0 ? known : this.#decodeRun(frame, table, host - offset, offset, breaks);
  }

  // --- for the debugger: all of it between runs only ------------------------------------------------------------------

  /**
   * Replaces the execution breakpoints, given as linear and as physical addresses. Pages that have none are not touched:
   * a page's own table of records holds the breakpoints, the TLB leads to it.
   */
  setBreakpoints(linear: Iterable<number>, physical: Iterable<number>): void {
    this.#linearBreaks.clear();
    this.#physicalBreaks.clear();
    const note = (pages: Map<number, Set<number>>, address: number): void => {
      const offsets = pages.get(pageOf(address));
      if (offsets) offsets.add(address & 0xfff);
      else pages.set(pageOf(address), new Set([address & 0xfff]));
    };
    for (const address of linear) note(this.#linearBreaks, address);
    for (const address of physical) note(this.#physicalBreaks, address);
    for (const tables of this.#brokenTables.values()) for (const table of tables.values()) this.#poison(table);
    this.#brokenTables.clear();
    this.#cpu.forgetCodeTables();
  }

  /** Whether an execution breakpoint stands at `rip`. */
  breakpointAt(rip: number): boolean {
    if (this.#linearBreaks.size === 0 && this.#physicalBreaks.size === 0) return false;
    const cpu = this.#cpu;
    const linear = cpu.wrapLinear(cpu.segmentBase(CS) + rip);
    if (this.#linearBreaks.get(pageOf(linear))?.has(linear & 0xfff)) return true;
    if (this.#physicalBreaks.size === 0 || this.#fetchHost(linear) === 0) return false;
    return this.#physicalBreaks.get(cpu.get32(FIELD.mmioAddress) >>> 12)?.has(linear & 0xfff) ?? false;
  }

  /** Fused pairs cannot be stopped between: off while accesses are watched. */
  setFusing(fusing: boolean): void {
    if (this.#fusing === fusing) return;
    this.#fusing = fusing;
    this.flush();
  }

  /** CLI becomes a helper like STI, POPF and PUSHF, so that each is an exit. */
  setVisibleFlags(visible: boolean): void {
    if (this.#visibleFlags === visible) return;
    this.#visibleFlags = visible;
    this.flush();
  }

  #breaksOn(linearPage: number, frame: number): ReadonlySet<number> | null {
    if (this.#linearBreaks.size === 0 && this.#physicalBreaks.size === 0) return null;
    const linear = this.#linearBreaks.get(linearPage), physical = this.#physicalBreaks.get(frame);
    if (linear === undefined || physical === undefined) return linear ?? physical ?? null;
    return new Set([...linear, ...physical]);
  }

  /** A record that stops in front of the instruction at `rip`. */
  #breakpointHere(rip: number): number {
    const record = this.#cpu.base + FIELD.stepRecords;
    this.writePseudo(record, PSEUDO.breakpoint, 0);
    this.#cpu.setWideSigned(FIELD.pageRip, rip);
    return record;
  }

  /** Drops all records of a physical page: they send the loop to look again. */
  invalidate(frame: number): void {
    const { u32, map } = this.#cpu;
    this.invalidations++;
    for (let mode = 0; mode < 4; mode++) {
      const table = this.#tables.get(frame * 4 + mode);
      if (table !== undefined) this.#poison(table);
      const broken = this.#brokenTables.get(frame * 4 + mode);
      if (broken !== undefined) for (const other of broken.values()) this.#poison(other);
    }
    this.#setChunks(frame, 0, 0);
    u32[(map.physicalMap >>> 2) + frame] &= ~PHYSICAL_CODE;
  }

  /** Sends all records of a table to look again. */
  #poison(table: number): void {
    const { u32, u16 } = this.#cpu;
    for (let at = table >>> 2, end = at + PAGE; at < end; at++) {
      const record = u32[at];
      if (record === 0) continue;
      if (u16[record >>> 1] === PSEUDO.region) {
        this.onRegionDropped(u32[(record + RECORD.imm) >>> 2]);
        u16[u32[(record + RECORD.disp) >>> 2] >>> 1] = PSEUDO.relookup;
      }
      u16[record >>> 1] = PSEUDO.relookup;
      u32[at] = 0;
    }
  }

  /** A bus master or a helper wrote `length` bytes at a physical address. */
  written(address: number, length: number): void {
    const { u32, map } = this.#cpu;
    for (let frame = address >>> 12; frame <= (address + length - 1) >>> 12; frame++) {
      if ((u32[(map.physicalMap >>> 2) + frame] & PHYSICAL_CODE) !== 0) this.invalidate(frame);
    }
  }

  /**
   * Fills stepRecords with the instruction at `rip` and a pseudo-record behind it. Works across pages, limits and
   * breakpoints. False with the fault recorded.
   */
  prepareStep(rip: number, behind: number): boolean {
    const cpu = this.#cpu;
    const base = cpu.segmentBase(CS), limit = this.#limit;
    const bytes = this.#stepBytes;
    const mode = cpu.get32(FIELD.codeMode);
    let available = 0;
    for (;;) {
      const result = this.#decoder.decode(bytes, 0, available, mode, 0);
      if (result === 'ok') break;
      if (result === 'too long' || available === STEP_BYTES || rip + available > limit) {
        this.#fault(GENERAL_PROTECTION);
        return false;
      }
      const linear = cpu.wrapLinear(base + rip + available);
      const host = this.#fetchHost(linear);
      if (host === 0) return false;
      if (host === NOT_RAM) {
        bytes[available++] = cpu.readPhysical(cpu.get32(FIELD.mmioAddress), 1);
        continue;
      }
      // To the end of this page at most.
      const take = Math.min(STEP_BYTES - available, PAGE - (linear & 0xfff), limit - rip - available + 1);
      for (let index = 0; index < take; index++) bytes[available + index] = cpu.u8[host + index];
      available += take;
    }
    const record = cpu.base + FIELD.stepRecords;
    this.#decoder.writeRecord(cpu.view, record, 0);
    this.#showFlags(record);
    this.writePseudo(record + RECORD.bytes, behind, this.#decoder.length);
    cpu.setWideSigned(FIELD.pageRip, rip);
    return true;
  }

  /** Host address of code as a run would find it: through the TLB, so that a step leaves no other marks than a run. */
  #fetchHost(linear: number): number {
    const cpu = this.#cpu;
    const entry = this.#tlbEntry(linear);
    // Without a table of records the page was never one to execute: the page walk knows.
    if (!this.#isTagged(entry, linear) || cpu.u32[entry + (TLB.codeTable >>> 2)] === 0) {
      return cpu.translate(linear, ACCESS.fetch | cpu.userAccess);
    }
    cpu.setWide(FIELD.mmioAddress, cpu.u32[entry + (TLB.frame >>> 2)] * PAGE + (linear & 0xfff));
    return (linear + cpu.u32[entry + (TLB.addend >>> 2)]) >>> 0;
  }

  /** Whether an instruction breakpoint stops at `rip`, the fault being recorded: for single steps, which do not enter. */
  breaksAt(rip: number): boolean {
    const cpu = this.#cpu;
    if ((cpu.get32(FIELD.dr + 7 * 8) & 0xff) === 0) return false;
    if (!this.#instructionBreakpoint(cpu.wrapLinear(cpu.segmentBase(CS) + rip))) return false;
    this.#debugTrap();
    return true;
  }

  /** Whether an instruction breakpoint stops here; RF lets one instruction pass. */
  #instructionBreakpoint(linear: number): boolean {
    const cpu = this.#cpu;
    const hits = instructionBreakpoints(cpu, linear);
    const resume = (cpu.get32(FIELD.eflags) & FLAG.RF) !== 0;
    cpu.set32(FIELD.eflags, cpu.get32(FIELD.eflags) & ~FLAG.RF);
    if (hits === 0 || resume) return false;
    cpu.set32(FIELD.pendingDebug, hits);
    return true;
  }

  /** #DB with the pending causes in DR6. */
  #debugTrap(): 0 {
    const cpu = this.#cpu;
    reportDebug(cpu, cpu.get32(FIELD.pendingDebug));
    cpu.set32(FIELD.pendingDebug, 0);
    return this.#fault(DEBUG);
  }

  /** Index of the TLB entry that a linear address belongs to, in 32-bit words. */
  #tlbEntry(linear: number): number {
    return (this.#cpu.get32(FIELD.tlbBase) + ((linear >>> 12) % TLB.entries) * TLB.bytes) >>> 2;
  }
  #isTagged(entry: number, linear: number): boolean {
    const { u32, i32 } = this.#cpu;
    return u32[entry] === (linear & ~0xfff) >>> 0 && i32[entry + 1] === upperHalf(linear);
  }
  /** Highest offset of the code segment; 64-bit code has none. */
  get #limit(): number {
    return this.#cpu.is64 ? Infinity : this.#cpu.segmentField(CS, SEGMENT.limit);
  }

  #fault(vector: number): 0 {
    this.#cpu.set32(FIELD.faultVector, vector);
    this.#cpu.set32(FIELD.faultError, 0);
    return 0;
  }

  #table(frame: number): number {
    const key = frame * 4 + this.#cpu.get32(FIELD.codeMode);
    let table = this.#tables.get(key);
    if (table === undefined) this.#tables.set(key, (table = this.#newTable()));
    this.#markCode(frame);
    return table;
  }

  /** The table of a page with breakpoints, seen at one linear page. */
  #brokenTable(frame: number, linearPage: number): number {
    const key = frame * 4 + this.#cpu.get32(FIELD.codeMode);
    let tables = this.#brokenTables.get(key);
    if (tables === undefined) this.#brokenTables.set(key, (tables = new Map()));
    let table = tables.get(linearPage);
    if (table === undefined) tables.set(linearPage, (table = this.#newTable()));
    this.#markCode(frame);
    return table;
  }

  #newTable(): number {
    const cpu = this.#cpu;
    const table = this.#free;
    this.#free += TABLE_BYTES;
    cpu.u32.fill(0, table >>> 2, (table + TABLE_BYTES) >>> 2);
    if (this.isFull) cpu.endSlice();
    return table;
  }

  /** Writes to the page must look from now on. */
  #markCode(frame: number): void {
    const { u32, i32, base, map } = this.#cpu;
    const entry = (map.physicalMap >>> 2) + frame;
    if ((u32[entry] & PHYSICAL_CODE) !== 0) return;
    u32[entry] |= PHYSICAL_CODE;
    for (const tlb of TLBS) {
      let at = (base + tlb) >>> 2;
      for (let count = 0; count < TLB.entries; count++, at += TLB.bytes >>> 2) {
        if (u32[at + (TLB.frame >>> 2)] === frame) i32[at + 2] = i32[at + 3] = -1;
      }
    }
  }

  /** Puts the table in the TLB entry that the fetch has just filled. */
  #rememberTable(linear: number, table: number): void {
    const cpu = this.#cpu;
    const entry = this.#tlbEntry(linear);
    if (this.#isTagged(entry, linear)) {
      cpu.u32[entry + (TLB.codeTable >>> 2)] = table;
    }
  }

  #decodeRun(frame: number, table: number, page: number, offset: number, breaks: ReadonlySet<number> | null): number {
    const cpu = this.#cpu;
    const mode = cpu.get32(FIELD.codeMode);
    const first = this.#free;
    let record = first, at = offset;
    let ended = false;
    for (let count = 0; count < RUN_LIMIT && at < PAGE && !ended; count++) {
      const known = cpu.u32[(table >>> 2) + at];
      if (known !== 0) break;
      if (breaks !== null && breaks.has(at)) {
        this.writePseudo(record, PSEUDO.breakpoint, at);
        cpu.u32[(table >>> 2) + at] = record;
        this.#markChunks(frame, at, at);
        record += RECORD.bytes;
        ended = true;
        break;
      }
      ended = this.#decodeOne(table, page, at, record, mode);
      if (record > first) this.#fuse(record - RECORD.bytes, record);
      const length = this.#decoder.length;
      this.#markChunks(frame, at, Math.min(at + length, PAGE) - 1);
      at += length;
      record += RECORD.bytes;
    }
    if (!ended) {
      if (at >= PAGE) this.writePseudo(record, PSEUDO.nextPage, 0);
      else this.writePseudo(record, PSEUDO.goto, at, cpu.u32[(table >>> 2) + at]);
      record += RECORD.bytes;
    }
    this.decoded += (record - first) / RECORD.bytes;
    this.#free = record;
    if (this.isFull) cpu.endSlice();
    return first;
  }

  /** Decodes one instruction into a record; whether the run ends with it. */
  #decodeOne(table: number, page: number, at: number, record: number, mode: number): boolean {
    const cpu = this.#cpu, decoder = this.#decoder;
    const result = decoder.decode(cpu.u8, page + at, page + PAGE, mode, at);
    cpu.u32[(table >>> 2) + at] = record;
    if (result === 'out of bytes') {
      decoder.length = PAGE - at;
      this.writePseudo(record, PSEUDO.crossing, at);
      return true;
    }
    if (result === 'too long') {
      decoder.length = 1;
      this.writePseudo(record, handlerTable.byRow.get(tooLongRow)![0].index, at);
      return true;
    }
    decoder.writeRecord(cpu.view, record, at);
    this.#showFlags(record);
    const { row } = decoder.specification;
    if (row.operands[0]?.[0] === 'J') {
      // A branch's immediate is its link: known already when its target on this page is decoded.
      const target = decoder.disp >>> 0;
      const cut = mode !== 0 && decoder.a === 0;
      cpu.view.setInt32(record + RECORD.imm, target < PAGE && !cut ? cpu.u32[(table >>> 2) + target] : 0, true);
    }
    return row.ends === true;
  }

  #showFlags(record: number): void {
    if (this.#visibleFlags && this.#cpu.u16[record >>> 1] === cliIndex) this.#cpu.u16[record >>> 1] = visibleCliIndex;
  }

  /** Lets a compare do the branch behind it in the same dispatch. */
  #fuse(first: number, second: number): void {
    if (!this.#fusing) return;
    const { u16 } = this.#cpu;
    const fused = fusedHandler(u16[first >>> 1], u16[second >>> 1]);
    if (fused !== null) u16[first >>> 1] = fused;
  }

  writePseudo(record: number, handler: number, offset: number, imm = 0): void {
    const { view } = this.#cpu;
    view.setUint16(record + RECORD.handler, handler, true);
    view.setUint16(record + RECORD.place, offset << 4, true);
    view.setInt32(record + RECORD.a, 0, true);
    view.setInt32(record + RECORD.disp, 0, true);
    view.setInt32(record + RECORD.imm, imm, true);
  }

  #markChunks(frame: number, first: number, last: number): void {
    const { u32, map } = this.#cpu;
    const at = (map.codeChunks >>> 2) + frame * 2;
    for (let chunk = first >>> 6; chunk <= last >>> 6; chunk++) u32[at + (chunk >>> 5)] |= 1 << (chunk & 31);
  }

  #setChunks(frame: number, low: number, high: number): void {
    const { u32, map } = this.#cpu;
    const at = (map.codeChunks >>> 2) + frame * 2;
    u32[at] = low;
    u32[at + 1] = high;
  }
}
