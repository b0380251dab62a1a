// Which instructions make a region: what control flow reaches from an entry within its page.
import type { HandlerSpecification } from '../decode/row.ts';
import { structureOf, type Structure } from './structure.ts';
import { type Effects, type Instruction } from './staticContext.ts';

const PAGE = 4096;
export const MAX_INSTRUCTIONS = 400;
export const MAX_BLOCKS = 64;

/** Where a block goes on: a block of the region, or out of it. */
export interface Edge {
  /** Number of the block; -1: it leaves the region. */
  block: number;
  /** Offset in the page where a fall-through edge leads; 4096: the next page. */
  readonly offset: number;
}

export interface Block {
  readonly offset: number;
  readonly instructions: readonly Instruction[];
  /** The branch at the end leads within the page. */
  readonly taken: Edge | null;
  /** Null: nothing follows but the branch. */
  readonly next: Edge | null;
}

export interface Region {
  readonly blocks: readonly Block[];
  readonly structure: Structure;
  readonly effects: ReadonlyMap<Instruction, Effects>;
}

/** What a region is cut from. */
export interface CodeSource {
  /** The instruction at an offset of the page; null: the interpreter only knows it as it comes. */
  instructionAt(offset: number): Instruction | null;
  effectsOf(instruction: Instruction): Effects;
  /** 16-, 32- or 64-bit code: state offset of the mask that a branch's target must not be cut by more. */
  readonly uncutFrom: number;
}

/** String instructions, and those that name a register in ways of their own. */
const LEFT_TO_INTERPRETER = /^(REP|MOVS|STOS|LODS|SCAS|CMPS|INS|OUTS)/;

/** Whether an instruction can be part of a region. */
export function isTranslatable({ row }: HandlerSpecification): boolean {
  if (row.semantics === null) return false;
  if (row.operands.some((letters) => letters === 'By')) return false;
  return !row.operands.some((letters) => letters[0] === 'X') && !LEFT_TO_INTERPRETER.test(row.name);
}

/** Null: nothing here is worth it. */
export function discover(source: CodeSource, entry: number): Region | null {
  const found = new Map<number, Instruction>(), leaders = new Set<number>([entry]), targets = new Map<Instruction, number>();
  const effects = new Map<Instruction, Effects>();
  const queue = [entry];
  while (queue.length > 0) {
    for (let at = queue.shift()!; at < PAGE && !found.has(at) && found.size < MAX_INSTRUCTIONS; ) {
      const instruction = source.instructionAt(at);
      if (instruction === null || !isTranslatable(instruction.specification)) break;
      const effect = source.effectsOf(instruction);
      if (effect.leavesLate) break;
      found.set(at, instruction);
      effects.set(instruction, effect);
      at += instruction.length;
      if (effect.branches === 'no') continue;
      const target = targetOf(instruction, source.uncutFrom);
      if (target !== null) targets.set(instruction, target);
      const reached = [...(target === null ? [] : [target]), ...(effect.branches === 'conditional' && at < PAGE ? [at] : [])];
      for (const leader of reached) {
        if (leaders.has(leader) || leaders.size >= MAX_BLOCKS) continue;
        leaders.add(leader);
        queue.push(leader);
      }
      break;
    }
  }
  return found.has(entry) ? assemble(found, effects, leaders, targets, entry) : null;
}

/** Offset in the page that a relative branch leads to, if it stays in the page and is not cut. */
function targetOf({ specification, a, disp }: Instruction, uncutFrom: number): number | null {
  // CALL pushes and leaves: its callee is another region's entry.
  if (specification.row.operands[0]?.[0] !== 'J' || specification.row.name === 'CALL') return null;
  return disp >= 0 && disp < PAGE && a >= uncutFrom ? disp : null;
}

function assemble(
  found: ReadonlyMap<number, Instruction>, effects: Map<Instruction, Effects>, leaders: ReadonlySet<number>,
  targets: ReadonlyMap<Instruction, number>, entry: number,
): Region {
  const starts = [entry, ...[...leaders].filter((offset) => offset !== entry && found.has(offset))];
  const numbers = new Map(starts.map((offset, number) => [offset, number]));
  const edge = (offset: number): Edge => ({ block: numbers.get(offset) ?? -1, offset });
  const blocks = starts.map((offset): Block => {
    const instructions: Instruction[] = [];
    let at = offset;
    for (;;) {
      const instruction = found.get(at);
      if (instruction === undefined || (at !== offset && numbers.has(at))) return { offset, instructions, taken: null, next: edge(at) };
      instructions.push(instruction);
      at += instruction.length;
      const { branches } = effects.get(instruction)!;
      if (branches === 'no') continue;
      const target = targets.get(instruction);
      return {
        offset, instructions, taken: target === undefined ? null : edge(target), next: branches === 'always' ? null : edge(at),
      };
    }
  });
  return { blocks, effects, structure: cutIrreducible(blocks) };
}

/** Edges into the middle of a loop leave the region, so that what is left nests. */
function cutIrreducible(blocks: readonly Block[]): Structure {
  const edgesOf = ({ taken, next }: Block): Edge[] => [taken, next].filter((edge) => edge !== null && edge.block >= 0) as Edge[];
  for (;;) {
    const structure = structureOf({ successors: blocks.map((block) => edgesOf(block).map((edge) => edge.block)) });
    if (structure.irreducible.length === 0) return structure;
    const [from, to] = structure.irreducible[0];
    for (const edge of edgesOf(blocks[from])) if (edge.block === to) edge.block = -1;
  }
}

/** Whether a block's flags are needed at its start: somebody reads them or may leave before they are set. */
export function liveFlags({ blocks, effects }: Region): boolean[] {
  const live = new Array<boolean>(blocks.length).fill(true);
  blocks.forEach(({ instructions }, number) => {
    let hasResult = false, hasCarry = false;
    for (const instruction of instructions) {
      const effect = effects.get(instruction)!;
      if (effect.readsFlags || effect.mayLeave || effect.branches !== 'no' || effect.setsSometimes) return;
      hasResult ||= effect.setsResult;
      hasCarry ||= effect.setsCarry;
      if (hasResult && hasCarry) {
        live[number] = false;
        return;
      }
    }
  });
  return live;
}
