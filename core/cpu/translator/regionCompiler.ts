// A region as one WebAssembly function (instructions left in the slice) -> where to go on (LEFT, or a record).
import { add, and, extendU, i32, type I32, i64, type I64, leS, load32, load64, store32, store64 } from '../emit/expressions.ts';
import { FunctionBuilder, type Label, type Local, callExpression } from '../emit/functionBuilder.ts';
import { type FunctionReference, ModuleBuilder } from '../emit/wasmEncoder.ts';
import { LEFT, REGION_TYPE } from '../interpreter/interpreter.ts';
import type { Operand, SharedCall, SharedFunction } from '../semantics/context.ts';
import { CODE_MODE, FIELD, REGISTER_BYTES } from '../state/layout.ts';
import type { MemoryMap } from '../state/memoryMap.ts';
import { type Block, type CodeSource, discover, type Edge, liveFlags, type Region } from './region.ts';
import {
  countDown, type Effects, type Instruction, noEffects, type PendingFlags, type RegionExits, type RegionFrame, SETTLED, settle, StaticContext,
} from './staticContext.ts';

const PAGE = 4096;
const GENERAL_REGISTERS = 16;

/** Where instructions of the page come from. */
export interface PageReader {
  instructionAt(offset: number): Instruction | null;
  /** Record at an offset where execution goes on outside; 0: to be looked up. */
  recordAt(offset: number): number;
}

export interface CompiledRegion {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly instructions: number;
  readonly blocks: number;
}

/** The module of the region at `entry`; its function is exported as `region`. Null: there is nothing to gain. */
export function compileRegion(map: MemoryMap, mode: number, page: PageReader, entry: number): CompiledRegion | null {
  const region = discover(
    {
      instructionAt: (offset) => page.instructionAt(offset),
      effectsOf: (instruction) => findEffects(map, mode, instruction),
      uncutFrom: mode === CODE_MODE.code16 || mode === CODE_MODE.code64 ? 0 : 8,
    } satisfies CodeSource,
    entry,
  );
  if (region === null) return null;
  const emitter = new RegionEmitter(map, mode, region, page);
  const instructions = region.blocks.reduce((sum, block) => sum + block.instructions.length, 0);
  return { bytes: emitter.build(), instructions, blocks: region.blocks.length };
}

/** Emits an instruction into nothing and sees what it does. */
export function findEffects(map: MemoryMap, mode: number, instruction: Instruction): Effects {
  const module = new ModuleBuilder({ initialPages: map.totalPages, maximumPages: map.totalPages });
  const frame = makeFrame(module, map, mode);
  const effects = noEffects();
  const noExits: RegionExits = { leave: () => {}, branchRelative: () => {}, branchTo: () => {} };
  emit(new StaticContext(frame, instruction, noExits, SETTLED, true, effects), instruction);
  return effects;
}

function emit(context: StaticContext, { specification }: Instruction): void {
  specification.row.semantics!(context, ...(specification.operands as readonly Operand[]));
}

interface Frame extends RegionFrame {
  readonly left: Local<'i32'>;
}

function makeFrame(module: ModuleBuilder, map: MemoryMap, mode: number): Frame {
  const isWide = mode === CODE_MODE.code64;
  const f = new FunctionBuilder(REGION_TYPE);
  const imported = new Map<string, FunctionReference>();
  const importOnce = (name: string, type: Pick<SharedFunction, 'parameters' | 'result'>): FunctionReference => {
    let reference = imported.get(name);
    if (reference === undefined) imported.set(name, (reference = module.importFunction(name, type.parameters, [type.result])));
    return reference;
  };
  const call: SharedCall = (callee, ...values) => callExpression(importOnce(callee.name, callee), values);
  const reach = { parameters: ['i64', 'i32'], result: 'i32' } as const;
  return {
    f, isWide, call,
    cpu: i32(map.cpu),
    left: f.parameter<'i32'>(0),
    registers: Array.from({ length: GENERAL_REGISTERS }, () => f.local(isWide ? 'i64' : 'i32')),
    flagResult: f.local('i64'),
    flagCarry: f.local('i32'),
    tlbBase: f.local('i32'),
    pageRip: f.local('i64'),
    reachRead: importOnce('reachRead', reach),
    reachWrite: importOnce('reachWrite', reach),
  };
}

class RegionEmitter {
  readonly #module: ModuleBuilder;
  readonly #frame: Frame;
  readonly #mode: number;
  readonly #region: Region;
  readonly #page: PageReader;
  readonly #live: readonly boolean[];
  readonly #record: Local<'i32'>;
  readonly #target: Local<'i64'>;
  readonly #labels = new Map<number, Label>();
  readonly #headers = new Map<number, Label>();
  #out!: Label;

  constructor(map: MemoryMap, mode: number, region: Region, page: PageReader) {
    this.#module = new ModuleBuilder({ initialPages: map.totalPages, maximumPages: map.totalPages });
    this.#frame = makeFrame(this.#module, map, mode);
    this.#mode = mode;
    this.#region = region;
    this.#page = page;
    this.#live = liveFlags(region);
    this.#record = this.#frame.f.local('i32');
    this.#target = this.#frame.f.local('i64');
  }

  build(): Uint8Array<ArrayBuffer> {
    const { f, cpu } = this.#frame;
    const used = new Set<number>(), written = new Set<number>();
    let setsFlags = false;
    for (const block of this.#region.blocks) {
      for (const instruction of block.instructions) {
        const effect = this.#region.effects.get(instruction)!;
        for (const index of effect.registers) used.add(index);
        for (const index of effect.written) written.add(index);
        setsFlags ||= effect.setsResult || effect.setsCarry || effect.setsSometimes;
      }
    }
    const { isWide, registers } = this.#frame;
    for (const index of used) {
      const offset = FIELD.gpr + index * REGISTER_BYTES;
      f.set(registers[index], isWide ? load64(cpu, offset) : load32(cpu, offset));
    }
    f.set(this.#frame.flagResult, load64(cpu, FIELD.flagResult));
    f.set(this.#frame.flagCarry, load32(cpu, FIELD.flagCarry));
    f.set(this.#frame.tlbBase as Local<'i32'>, load32(cpu, FIELD.tlbBase));
    f.set(this.#frame.pageRip as Local<'i64'>, load64(cpu, FIELD.pageRip));
    f.block((out) => {
      this.#out = out;
      this.#tree(0);
      f.unreachable();
    });
    for (const index of written) {
      const value = registers[index];
      f.do(store64(cpu, isWide ? (value as unknown as I64) : extendU(value as unknown as I32), FIELD.gpr + index * REGISTER_BYTES));
    }
    if (setsFlags) {
      f.do(store64(cpu, this.#frame.flagResult, FIELD.flagResult));
      f.do(store32(cpu, this.#frame.flagCarry, FIELD.flagCarry));
    }
    f.do(store64(cpu, this.#target, FIELD.rip));
    f.do(store32(cpu, this.#frame.left, FIELD.budget));
    f.return(this.#record);
    f.unreachable();
    this.#module.declare(REGION_TYPE.parameters, REGION_TYPE.results, 'region').define(f.finish());
    return this.#module.finish();
  }

  // --- structured control flow ----------------------------------------------------------------------------------------

  /** A block with all that it dominates. */
  #tree(block: number): void {
    const { f } = this.#frame;
    const { structure } = this.#region;
    const merges = structure.children[block].filter((child) => structure.isMerge[child]);
    merges.sort((a, b) => structure.order[b] - structure.order[a]);
    if (!structure.isHeader[block]) {
      this.#within(block, merges);
      return;
    }
    f.loop((again) => {
      this.#headers.set(block, again);
      this.#within(block, merges);
    });
    f.unreachable();
  }

  /** The last merge lies behind the outermost block. */
  #within(block: number, merges: readonly number[]): void {
    if (merges.length === 0) {
      this.#block(block);
      return;
    }
    const { f } = this.#frame;
    const [last, ...rest] = merges;
    f.block((label) => {
      this.#labels.set(last, label);
      this.#within(block, rest);
    });
    this.#tree(last);
  }

  #goTo(from: number, to: number): void {
    const { f } = this.#frame;
    const { order, isMerge } = this.#region.structure;
    if (order[to] <= order[from]) f.br(this.#headers.get(to)!);
    else if (isMerge[to]) f.br(this.#labels.get(to)!);
    else this.#tree(to);
  }

  // --- blocks ---------------------------------------------------------------------------------------------------------

  #block(number: number): void {
    const { f } = this.#frame;
    const block = this.#region.blocks[number];
    f.scope(() => {
      let flags = SETTLED;
      block.instructions.forEach((instruction, position) => {
        const effect = this.#region.effects.get(instruction)!;
        if (effect.setsSometimes) flags = settle(this.#frame, flags);
        const context = new StaticContext(
          this.#frame, instruction, this.#exits(number, block, instruction, position), flags, effect.setsSometimes, noEffects(),
        );
        emit(context, instruction);
        flags = context.flags;
      });
      if (block.next !== null) this.#follow(number, block.next, block.instructions.length, flags);
    });
  }

  #exits(number: number, block: Block, instruction: Instruction, position: number): RegionExits {
    const { f, left } = this.#frame;
    return {
      leave: (flags) => {
        settle(this.#frame, flags);
        countDown(f, left, position);
        this.#leaveAt(i32(instruction.record));
      },
      branchRelative: (condition, flags) => {
        const take = (): void => {
          countDown(f, left, position + 1);
          if (block.taken !== null && block.taken.block >= 0) this.#branch(number, block.taken, flags);
          else {
            settle(this.#frame, flags);
            this.#leaveTo(this.#targetOf(instruction));
          }
        };
        if (condition === undefined) take();
        else f.if(condition, take);
      },
      branchTo: (rip, flags) => {
        f.set(this.#target, rip);
        settle(this.#frame, flags);
        countDown(f, left, position + 1);
        this.#leaveTo(this.#target);
      },
    };
  }

  /** A taken branch within the region: a place where slices end. */
  #branch(from: number, edge: Edge, flags: PendingFlags): void {
    const { f, left, pageRip } = this.#frame;
    const isLive = this.#live[edge.block];
    if (isLive) settle(this.#frame, flags);
    f.if(leS(left, i32(0)), () => {
      if (!isLive) settle(this.#frame, flags);
      this.#leaveTo(this.#masked(add(pageRip, i64(edge.offset))));
    });
    this.#goTo(from, edge.block);
  }

  /** Straight on: no place where slices end, but for the next page. */
  #follow(from: number, edge: Edge, count: number, flags: PendingFlags): void {
    const { f, left, pageRip } = this.#frame;
    countDown(f, left, count);
    if (edge.block >= 0) {
      if (this.#live[edge.block]) settle(this.#frame, flags);
      this.#goTo(from, edge.block);
      return;
    }
    settle(this.#frame, flags);
    const record = edge.offset < PAGE ? this.#page.recordAt(edge.offset) : 0;
    if (record !== 0) {
      this.#leaveAt(i32(record));
      return;
    }
    f.set(this.#target, this.#masked(add(pageRip, i64(edge.offset))));
    this.#leaveAt(i32(edge.offset < PAGE ? LEFT.straight : LEFT.branched));
  }

  #masked(rip: I64): I64 {
    return this.#mode === CODE_MODE.code64 ? rip : and(rip, i64(0xffffffffn));
  }

  /** Where a relative branch leads, cut to its operand size. */
  #targetOf({ a, disp }: Instruction): I64 {
    const mask = a === 0 ? 0xffffn : a === 8 ? 0xffffffffn : -1n;
    return and(add(this.#frame.pageRip, i64(disp)), i64(mask));
  }

  #leaveTo(rip: I64): void {
    const { f } = this.#frame;
    f.set(this.#target, rip);
    f.set(this.#record, i32(LEFT.branched));
    f.br(this.#out);
  }
  #leaveAt(record: I32): void {
    const { f } = this.#frame;
    f.set(this.#record, record);
    f.br(this.#out);
  }
}
