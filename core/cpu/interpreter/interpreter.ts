// The interpreter: one loop over decoded records with one br_table, generated from the semantics.
import {
  add, and, constant, eqz, extendS, extendU, geU, gtS, gtU, i32, i64, type I32, type I64, leS, leU, load16U, load32, load32Uto64, load64, load8U, select, shl, shrS, shrU,
  store32, store64, sub, wrap,
} from '../emit/expressions.ts';
import { callExpression, FunctionBuilder, type Label, type Local } from '../emit/functionBuilder.ts';
import { type FunctionReference, ModuleBuilder } from '../emit/wasmEncoder.ts';
import { type FusedHandler, handlerTable, PSEUDO, PSEUDO_COUNT } from '../decode/handlers.ts';
import type { HandlerSpecification } from '../decode/row.ts';
import type { Operand, SharedCall, SharedFunction, Size, Value } from '../semantics/context.ts';
import type { StringContext } from '../semantics/string.ts';
import { x87Exports } from '../semantics/x87/exports.ts';
import { CS, EXIT, FIELD, HELPER, RECORD, SEGMENT, SLOT, TLB } from '../state/layout.ts';
import type { MemoryMap } from '../state/memoryMap.ts';
import type { DynamicContext, HandlerExits, HandlerFrame } from './dynamicContext.ts';
import { DynamicVectorContext } from './vectorContext.ts';
import { defineMemoryFunctions, type MemoryFunctions, type MemoryImports } from './memoryFunctions.ts';

const CS_LIMIT = FIELD.segments + CS * SEGMENT.bytes + SEGMENT.limit;

/** What a warm function returns. */
const WARM = { next: 0, fault: 1, again: 2 } as const;

/** Translated code: (instructions left in the slice) -> where to go on: a record's address, or one of LEFT. */
export const REGION_TYPE = { parameters: ['i32'], results: ['i32'] } as const;

/**
 * Translated code goes on at `rip`. `branched`: there a slice may end, as behind any taken branch and at the start of a page.
 * `straight`: it may not; the program only runs on to what was never decoded.
 */
export const LEFT = { branched: 0, straight: 1 } as const;

interface Imports extends MemoryImports {
  /** (linear low, linear high) -> record to go on at, 0 after a fault (recorded). Translates, decodes, fills the TLB. */
  readonly enterCode: FunctionReference;
  /** (record) -> HELPER result. */
  readonly helper: FunctionReference;
}

function defineImports(module: ModuleBuilder): Imports {
  return {
    checkSegment: module.importFunction('checkSegment', ['i32', 'i32', 'i32', 'i32'], ['i32']),
    mmioRead: module.importFunction('mmioRead', ['i32', 'i32'], []),
    mmioWrite: module.importFunction('mmioWrite', ['i32', 'i32'], []),
    codeWritten: module.importFunction('codeWritten', ['i32'], []),
    checkBreakpoints: module.importFunction('checkBreakpoints', ['i32', 'i32', 'i32', 'i32'], []),
    watchedPage: module.importFunction('watchedPage', ['i32', 'i32', 'i32'], ['i32']),
    enterCode: module.importFunction('enterCode', ['i32', 'i32'], ['i32']),
    helper: module.importFunction('helper', ['i32'], ['i32']),
  };
}

/** String semantics on top of the dynamic context. */
class DynamicStringContext extends DynamicVectorContext implements StringContext {
  readonly #again: () => void;

  constructor(frame: HandlerFrame, size: Size, again: () => void) {
    super(frame, size);
    this.#again = again;
  }

  again(): void {
    this.#again();
  }
  addressMask(): I64 {
    return load64(this.#sourceSlot(), FIELD.slots + SLOT.mask);
  }
  readSource(address: I64, size: Size): Value {
    return this.readMemory({ effective: address, slot: this.#sourceSlot() }, size);
  }
  readTarget(address: I64, size: Size): Value {
    return this.readMemory({ effective: address, slot: this.#targetSlot() }, size);
  }
  writeTarget(address: I64, size: Size, value: Value): void {
    this.writeMemory({ effective: address, slot: this.#targetSlot() }, size, value);
  }

  hostRun(which: 'source' | 'target', address: I64, bytes: I32): I32 {
    const { f, cpu } = this;
    const write = which === 'target';
    const slot = write ? this.#targetSlot() : this.#sourceSlot();
    const linear = f.let(
      and(add(address, load64(slot, FIELD.slots + SLOT.base)), load64(cpu, FIELD.linearMask)),
    );
    const index = and(shrU(wrap(linear), 7), i32((TLB.entries - 1) * TLB.bytes));
    const entry = f.let(add(load32(cpu, FIELD.tlbBase), index));
    const last = f.let(sub(extendU(bytes), i64(1)));
    const inLimit = leS(add(address, last), load64(slot, FIELD.slots + (write ? SLOT.writeLimit : SLOT.readLimit)));
    const tag = load64(entry, write ? TLB.writeTag : TLB.readTag);
    // First and last byte on the tagged page.
    const firstTag = and(linear, i64(~0xfffn)), lastTag = and(add(linear, last), i64(~0xfffn));
    const hit = and(inLimit, and(eqz(sub(firstTag, tag)), eqz(sub(lastTag, tag))));
    return f.let(select(hit, add(wrap(linear), load32(entry, TLB.addend)), i32(0)));
  }

  #sourceSlot(): I32 {
    return this.f.let(add(this.cpu, shl(and(load8U(this.record, RECORD.slot), i32(63)), 5)));
  }
  /** ES with the same address size: slot number modulo 3. */
  #targetSlot(): I32 {
    const number = and(load8U(this.record, RECORD.slot), i32(63));
    return this.f.let(add(this.cpu, shl(sub(number, mulByThree(shrU(mulByThird(number), 8))), 5)));
  }
}

/** n / 3 for n < 64 is n * 86 >> 8. */
const mulByThird = (n: I32): I32 => add(shl(n, 6), add(shl(n, 4), add(shl(n, 2), shl(n, 1))));
const mulByThree = (n: I32): I32 => add(n, shl(n, 1));

function emitSemantics(context: DynamicContext, specification: HandlerSpecification): void {
  // Only vector semantics have operands of 128 bits, and those take sizes from their rows.
  specification.row.semantics!(context, ...(specification.operands as readonly Operand[]));
}

/** A function (cpu, record) -> WARM result for a handler that is not in the loop. */
function defineWarm(
  module: ModuleBuilder,
  specification: HandlerSpecification,
  memory: MemoryFunctions,
  call: SharedCall,
  map: MemoryMap,
): FunctionReference {
  const reference = module.declare(['i32', 'i32'], ['i32']);
  const f = new FunctionBuilder(reference.type);
  const refuse = (): never => {
    throw new Error(`${specification.row.mnemonic} branches: it must be in the loop`);
  };
  const exits: HandlerExits = {
    fault: () => f.return(i32(WARM.fault)),
    branchRelative: refuse,
    branchTo: refuse,
  };
  const frame: HandlerFrame = {
    f, cpu: f.parameter<'i32'>(0), record: f.parameter<'i32'>(1), memory, firstRamAddress: map.rom, call, exits,
  };
  emitSemantics(new DynamicStringContext(frame, specification.size, () => f.return(i32(WARM.again))), specification);
  f.return(i32(WARM.next));
  f.unreachable();
  reference.define(f.finish());
  return reference;
}

/** Calls of shared functions; each is declared and defined when it is first called. */
function sharedFunctions(module: ModuleBuilder): SharedCall {
  const known = new Map<SharedFunction, FunctionReference>();
  const reference = (shared: SharedFunction): FunctionReference => {
    let found = known.get(shared);
    if (found === undefined) {
      const made = module.declare(shared.parameters, [shared.result], shared.name);
      known.set(shared, (found = made));
      const f = new FunctionBuilder(made.type);
      shared.emit(f, call);
      f.unreachable();
      made.define(f.finish());
    }
    return found;
  };
  const call: SharedCall = (callee, ...values) => callExpression(reference(callee), values);
  return call;
}

interface LoopLabels {
  readonly next: Label;
  readonly fault: Label;
  readonly jump: Label;
}

/** The loops: 16- and 32-bit code, and 64-bit code, whose flat addresses are as wide. */
type Width = 32 | 64;

/** Whether a handler in the loop belongs to this one: operands of 64 bits are for the wide one. */
const belongs = ({ size, row }: HandlerSpecification, width: Width): boolean =>
  width === 64 ? row.in64 !== 'undefined' && !(row.in64 === 'always64' && size !== 64) : size !== 64;

/** Builds `run(cpu, firstRecord) -> EXIT`. firstRecord 0: look `rip` up. */
class LoopBuilder {
  readonly #f: FunctionBuilder;
  readonly #cpu: I32;
  readonly #record: Local<'i32'>;
  /** Where a taken branch leads, and the branch whose record learns of it (0: none). */
  readonly #target: Local<'i64'>;
  readonly #linkFrom: Local<'i32'>;
  readonly #result: Local<'i32'>;
  /** Instructions left in the slice times the record size; known at branches and exits only. */
  readonly #left: Local<'i32'>;
  readonly #memory: MemoryFunctions;
  readonly #imports: Imports;
  readonly #warm: ReadonlyMap<number, FunctionReference>;
  readonly #map: MemoryMap;
  readonly #call: SharedCall;
  readonly #width: Width;
  readonly #coldType: number;
  readonly #regionType: number;

  constructor(
    width: Width,
    reference: FunctionReference,
    memory: MemoryFunctions,
    call: SharedCall,
    imports: Imports,
    warm: ReadonlyMap<number, FunctionReference>,
    map: MemoryMap,
    types: { readonly cold: number; readonly region: number },
  ) {
    this.#width = width;
    this.#coldType = types.cold;
    this.#regionType = types.region;
    this.#f = new FunctionBuilder(reference.type);
    this.#cpu = this.#f.parameter<'i32'>(0);
    this.#record = this.#f.parameter<'i32'>(1);
    this.#target = this.#f.local('i64');
    this.#linkFrom = this.#f.local('i32');
    this.#result = this.#f.local('i32');
    this.#left = this.#f.local('i32');
    this.#memory = memory;
    this.#call = call;
    this.#imports = imports;
    this.#warm = warm;
    this.#map = map;
  }

  build(): number[] {
    const f = this.#f, cpu = this.#cpu;
    f.set(this.#linkFrom, i32(0));
    f.set(this.#target, load64(cpu, FIELD.rip));
    f.set(this.#left, shl(load32(cpu, FIELD.budget), 4));
    f.block((fault) => {
      f.block((outOfBudget) => {
        f.loop((jump) => {
          // A record is known on entry only: a branch clears it.
          f.block((start) => {
            f.brIf(start, this.#record);
            this.#lookUp();
          });
          this.#startRun();
          f.loop((next) => this.#dispatch({ next, fault, jump }, outOfBudget));
        });
      });
      f.do(store64(cpu, this.#target, FIELD.rip));
      this.#leave(EXIT.budget);
    });
    // A fault: what ran before it counts, it does not.
    this.#settle(0);
    f.do(store64(cpu, this.#ownRip(), FIELD.rip));
    this.#leave(EXIT.fault);
    f.unreachable();
    return f.finish();
  }

  get size(): number {
    return this.#f.size;
  }

  /** EIP of the current record. */
  #ownRip(): I64 {
    const place = shrU(load16U(this.#record, RECORD.place), 4);
    return and(add(load64(this.#cpu, FIELD.pageRip), extendU(place)), load64(this.#cpu, FIELD.linearMask));
  }

  /**
   * Counting costs nothing between branches: `runEnd` is the address that a record would have when the budget is used up.
   * Leaves in `left` what remains before the current record, or behind it, times the record size.
   */
  #settle(counted: 0 | 1): void {
    const ran = add(this.#record, i32(counted * RECORD.bytes));
    this.#f.set(this.#left, sub(load32(this.#cpu, FIELD.runEnd), ran));
  }

  /** A straight run begins at the current record with `left` to go. */
  #startRun(): void {
    this.#f.do(store32(this.#cpu, add(this.#left, this.#record), FIELD.runEnd));
  }

  /** Leaves the budget where TypeScript finds it: there is no current record. */
  #storeBudget(): void {
    this.#f.do(store32(this.#cpu, shrS(this.#left, 4), FIELD.budget));
    this.#f.do(store32(this.#cpu, i32(0), FIELD.record));
  }

  #leave(exit: number): void {
    this.#storeBudget();
    this.#f.return(i32(exit));
  }

  /** Finds the record of `target`; sets pageRip. */
  #lookUp(): void {
    const f = this.#f, cpu = this.#cpu;
    f.scope(() => {
      const csBase = load64(cpu, FIELD.slots + 3 * SLOT.bytes + SLOT.base);
      const linear = this.#width === 64 ? this.#target : f.let(and(add(this.#target, csBase), load64(cpu, FIELD.linearMask)));
      const offset = f.let(and(wrap(linear), i32(0xfff)));
      const index = and(shrU(wrap(linear), 7), i32((TLB.entries - 1) * TLB.bytes));
      const entry = f.let(add(load32(cpu, FIELD.tlbBase), index));
      f.set(this.#record, i32(0));
      f.do(store64(cpu, sub(this.#target, extendU(offset)), FIELD.pageRip));
      const known = eqz(sub(load64(entry, TLB.readTag), and(linear, i64(~0xfffn))));
      // A page that reaches beyond the segment's limit is not run from its table.
      const whole = this.#width === 64 ? i32(1) : leS(add(load64(cpu, FIELD.pageRip), i64(0xfff)), load32Uto64(cpu, CS_LIMIT));
      f.if(this.#width === 64 ? known : and(known, whole), () => {
        const table = f.let(load32(entry, TLB.codeTable));
        f.if(table, () => f.set(this.#record, load32(add(table, shl(offset, 2)))));
      });
      f.if(eqz(this.#record), () => {
        f.do(store64(cpu, this.#target, FIELD.rip));
        this.#storeBudget();
        f.set(this.#record, f.call<'i32'>(this.#imports.enterCode, wrap(linear), wrap(shrU(linear, 32))));
        f.if(eqz(this.#record), () => f.return(i32(EXIT.fault)));
        // The look-up may have ended the slice.
        f.set(this.#left, shl(load32(cpu, FIELD.budget), 4));
      });
      // Single steps neither link nor are linked to: their records change.
      const arena = i32(this.#map.arena | 0);
      f.if(and(geU(this.#linkFrom, arena), geU(this.#record, arena)), () =>
        f.do(store32(this.#linkFrom, this.#record, RECORD.imm)),
      );
      f.set(this.#linkFrom, i32(0));
    });
  }

  #dispatch(labels: LoopLabels, outOfBudget: Label): void {
    const f = this.#f;
    // Blocks by place: pseudo-records, hot and warm handlers, then fused pairs; the table maps indexes to them. The helper
    // block is outermost, so that it is the table's default and comes last.
    // The wide loop has more of them, and the optimiser's time grows faster than their number: its warm handlers are called as
    // the cold ones are.
    const tableBase = this.#width === 64 ? handlerTable.warmBase : handlerTable.coldBase;
    const inLoop = ({ index }: HandlerSpecification): boolean => index < tableBase;
    const singles = handlerTable.handlers.filter((found) => inLoop(found) && belongs(found, this.#width));
    const pairs = handlerTable.fused.filter((pair) => belongs(pair.first, this.#width) && belongs(pair.second, this.#width));
    const count = PSEUDO_COUNT + singles.length + pairs.length + 1;
    const opened: Label[] = [];
    for (let index = 0; index <= count; index++) opened.push(f.open());
    const blockOf = (place: number): Label => opened[count - place];
    const byIndex = new Array<Label>(PSEUDO_COUNT + handlerTable.handlers.length + handlerTable.fused.length).fill(opened[0]);
    for (let index = 0; index < PSEUDO_COUNT; index++) if (index !== PSEUDO.crossing) byIndex[index] = blockOf(index);
    [...singles, ...pairs].forEach(({ index }, position) => (byIndex[index] = blockOf(PSEUDO_COUNT + position)));
    // Those that are called through the table share the last block.
    for (let index = tableBase; index < handlerTable.helperBase; index++) byIndex[index] = blockOf(count - 1);
    f.brTable(load16U(this.#record, RECORD.handler), byIndex, opened[0]);
    for (let place = 0; place < count; place++) {
      f.close();
      if (place < PSEUDO_COUNT) this.#pseudo(place, labels, outOfBudget);
      else if (place < PSEUDO_COUNT + singles.length) this.#handler(singles[place - PSEUDO_COUNT], labels, outOfBudget);
      else if (place < count - 1) this.#fused(pairs[place - PSEUDO_COUNT - singles.length], labels, outOfBudget);
      else this.#callCold(labels, outOfBudget);
    }
    f.close();
    this.#callHelper(labels, outOfBudget);
  }

  #pseudo(index: number, labels: LoopLabels, outOfBudget: Label): void {
    if (index === PSEUDO.relookup) this.#relookup(labels);
    else if (index === PSEUDO.nextPage) this.#enterPage(this.#nextPageRip(), labels, outOfBudget);
    else if (index === PSEUDO.crossed) this.#enterPage(this.#ownRip(), labels, outOfBudget);
    else if (index === PSEUDO.goto) this.#goto(labels);
    else if (index === PSEUDO.stop) this.#stop(EXIT.step);
    else if (index === PSEUDO.breakpoint) this.#stop(EXIT.breakpoint);
    else if (index === PSEUDO.region) this.#region(labels, outOfBudget);
    else this.#f.unreachable();
  }

  #jump(labels: LoopLabels): void {
    this.#f.set(this.#record, i32(0));
    this.#f.br(labels.jump);
  }

  #goOn(labels: LoopLabels): void {
    this.#f.set(this.#record, add(this.#record, i32(RECORD.bytes)));
    this.#f.br(labels.next);
  }

  #nextPageRip(): I64 {
    return and(add(load64(this.#cpu, FIELD.pageRip), i64(0x1000)), load64(this.#cpu, FIELD.linearMask));
  }

  /**
   * Where slices may end is a matter of the program alone, never of how it was decoded: at taken branches and where
   * execution runs on into another page. So a run under a debugger is the same run.
   */
  #enterPage(rip: I64, labels: LoopLabels, outOfBudget: Label): void {
    this.#f.set(this.#target, rip);
    this.#settle(0);
    this.#f.brIf(outOfBudget, leS(this.#left, i32(0)));
    this.#jump(labels);
  }

  #relookup(labels: LoopLabels): void {
    this.#f.set(this.#target, this.#ownRip());
    this.#settle(0);
    this.#jump(labels);
  }

  #goto(labels: LoopLabels): void {
    const f = this.#f;
    this.#settle(0);
    f.set(this.#target, this.#ownRip());
    const linked = load32(this.#record, RECORD.imm);
    f.if(
      linked,
      () => {
        f.set(this.#record, linked);
        this.#startRun();
        f.br(labels.next);
      },
      () => {
        f.set(this.#linkFrom, this.#record);
        this.#jump(labels);
      },
    );
    f.unreachable();
  }

  /** Goes through translated code, which leaves the budget in its field; then on at the record it names, or at `rip`. */
  #region(labels: LoopLabels, outOfBudget: Label): void {
    const f = this.#f, cpu = this.#cpu;
    this.#settle(0);
    f.set(this.#result, f.callIndirect(this.#regionType, 'i32', load32(this.#record, RECORD.imm), shrS(this.#left, 4)));
    f.set(this.#left, shl(load32(cpu, FIELD.budget), 4));
    f.if(gtU(this.#result, i32(LEFT.straight)), () => {
      f.set(this.#record, this.#result);
      this.#startRun();
      f.br(labels.next);
    });
    f.set(this.#target, load64(cpu, FIELD.rip));
    f.brIf(outOfBudget, and(eqz(this.#result), leS(this.#left, i32(0))));
    this.#jump(labels);
    f.unreachable();
  }

  #stop(exit: number): void {
    this.#settle(0);
    this.#f.do(store64(this.#cpu, this.#ownRip(), FIELD.rip));
    this.#leave(exit);
  }

  #handler(specification: HandlerSpecification, labels: LoopLabels, outOfBudget: Label): void {
    const f = this.#f;
    const warm = this.#warm.get(specification.index);
    if (warm) {
      this.#callWarm(warm, labels, outOfBudget);
      return;
    }
    f.scope(() => {
      const context = new DynamicVectorContext(this.#frame(labels, outOfBudget), specification.size, this.#flat(specification));
      emitSemantics(context, specification);
    });
    this.#goOn(labels);
  }

  #flat(specification: HandlerSpecification): 0 | Width {
    return specification.flat ? this.#width : 0;
  }

  /** Two instructions in one dispatch; each keeps its record, so that counting and faults stay exact. */
  #fused(pair: FusedHandler, labels: LoopLabels, outOfBudget: Label): void {
    const f = this.#f;
    f.scope(() => {
      const frame = this.#frame(labels, outOfBudget);
      const first = new DynamicVectorContext(frame, pair.first.size, this.#flat(pair.first));
      emitSemantics(first, pair.first);
      f.set(this.#record, add(this.#record, i32(RECORD.bytes)));
      const second = new DynamicVectorContext(frame, pair.second.size, this.#flat(pair.second));
      second.continueFrom(first);
      emitSemantics(second, pair.second);
    });
    this.#goOn(labels);
  }

  #frame(labels: LoopLabels, outOfBudget: Label): HandlerFrame {
    const f = this.#f;
    const exits: HandlerExits = {
      fault: () => f.br(labels.fault),
      branchRelative: (condition) => this.#branchRelative(condition, labels, outOfBudget),
      branchTo: (rip) => {
        f.set(this.#target, rip);
        this.#settle(1);
        f.brIf(outOfBudget, leS(this.#left, i32(0)));
        this.#jump(labels);
      },
    };
    return {
      f, cpu: this.#cpu, record: this.#record, memory: this.#memory, call: this.#call, firstRamAddress: this.#map.rom, exits,
    };
  }

  #callCold(labels: LoopLabels, outOfBudget: Label): void {
    const number = sub(load16U(this.#record, RECORD.handler), i32(handlerTable.warmBase));
    this.#afterWarm(this.#f.callIndirect(this.#coldType, 'i32', number, this.#cpu, this.#record), labels, outOfBudget);
  }

  #callWarm(warm: FunctionReference, labels: LoopLabels, outOfBudget: Label): void {
    this.#afterWarm(this.#f.call<'i32'>(warm, this.#cpu, this.#record), labels, outOfBudget);
  }

  #afterWarm(result: I32, labels: LoopLabels, outOfBudget: Label): void {
    const f = this.#f;
    f.set(this.#result, result);
    f.if(this.#result, () => {
      f.brIf(labels.fault, eqz(sub(this.#result, i32(WARM.fault))));
      // Again: the turn counts as an instruction, and interrupts may come in between.
      f.set(this.#target, this.#ownRip());
      this.#settle(1);
      this.#startRun();
      f.brIf(labels.next, and(gtS(this.#left, i32(0)), eqz(load32(this.#cpu, FIELD.pendingDebug))));
      f.br(outOfBudget);
    });
    this.#goOn(labels);
  }

  #branchRelative(condition: I32 | undefined, labels: LoopLabels, outOfBudget: Label): void {
    const f = this.#f, cpu = this.#cpu;
    const take = (): void => {
      this.#settle(1);
      const link = f.let(load32(this.#record, RECORD.imm));
      f.if(link, () => {
        f.if(gtS(this.#left, i32(0)), () => {
          f.set(this.#record, link);
          this.#startRun();
          f.br(labels.next);
        });
      });
      const masks = load64(add(cpu, load8U(this.#record, RECORD.a)), FIELD.ipMasks);
      const displacement = extendS(load32(this.#record, RECORD.disp));
      f.set(this.#target, and(add(load64(cpu, FIELD.pageRip), displacement), masks));
      f.brIf(outOfBudget, leS(this.#left, i32(0)));
      // A branch within its page is linked to the record that the look-up finds, unless it cuts EIP to 16 bits in 32-bit code.
      const inPage = leU(load32(this.#record, RECORD.disp), i32(0xfff));
      const uncut = this.#width === 64 ? i32(1) : geU(load8U(this.#record, RECORD.a), select(load32(cpu, FIELD.codeMode), i32(8), i32(0)));
      f.if(this.#width === 64 ? inPage : and(inPage, uncut), () => f.set(this.#linkFrom, this.#record));
      this.#jump(labels);
    };
    if (condition) f.if(condition, take);
    else take();
  }

  #callHelper(labels: LoopLabels, outOfBudget: Label): void {
    const f = this.#f, cpu = this.#cpu;
    f.do(store32(cpu, this.#record, FIELD.record));
    f.do(store64(cpu, this.#ownRip(), FIELD.rip));
    f.set(this.#result, f.call<'i32'>(this.#imports.helper, this.#record));
    f.if(eqz(this.#result), () => this.#goOn(labels));
    this.#settle(0);
    f.if(eqz(sub(this.#result, i32(HELPER.fault))), () => this.#leave(EXIT.fault));
    f.if(eqz(sub(this.#result, i32(HELPER.step))), () => {
      // The records in stepRecords were made for this instruction.
      f.set(this.#record, add(cpu, i32(FIELD.stepRecords)));
      this.#startRun();
      f.br(labels.next);
    });
    this.#settle(1);
    f.set(this.#target, load64(cpu, FIELD.rip));
    f.if(eqz(sub(this.#result, i32(HELPER.exit))), () => this.#leave(EXIT.helper));
    f.if(eqz(sub(this.#result, i32(HELPER.stop))), () => this.#leave(EXIT.step));
    f.brIf(outOfBudget, leS(this.#left, i32(0)));
    this.#jump(labels);
    f.unreachable();
  }
}

/** The interpreter's module for a machine whose memory is laid out by `map`. */
export function buildInterpreter(map: MemoryMap): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder({ initialPages: map.totalPages, maximumPages: map.totalPages });
  const imports = defineImports(module);
  const memory = defineMemoryFunctions(module, map, imports);
  const call = sharedFunctions(module);
  for (const shared of x87Exports) call(shared, ...shared.parameters.map((type) => constant(type, 0)));
  const warm = new Map<number, FunctionReference>();
  for (const specification of handlerTable.handlers) {
    if (specification.tier === 'warm') warm.set(specification.index, defineWarm(module, specification, memory, call, map));
  }
  const cold = handlerTable.handlers.filter(({ tier }) => tier === 'cold').map((found) => defineWarm(module, found, memory, call, map));
  const types = {
    // By handler number from the first warm one on.
    cold: module.setTable([...warm.values(), ...cold], { parameters: ['i32', 'i32'], results: ['i32'] }, 'functions'),
    region: module.typeOf(REGION_TYPE),
  };
  for (const [width, name] of [[32, 'run'], [64, 'run64']] as const) {
    const run = module.declare(['i32', 'i32'], ['i32'], name);
    run.define(new LoopBuilder(width, run, memory, call, imports, warm, map, types).build());
  }
  return module.finish();
}
