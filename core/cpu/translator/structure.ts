// Control flow of a region: reverse postorder, dominators, and which blocks are loop headers or merges. Pure graph work.

export interface FlowGraph {
  /** Successors by block; block 0 is the entry. */
  readonly successors: readonly (readonly number[])[];
}

export interface Structure {
  /** Place in reverse postorder by block; -1: not reachable. */
  readonly order: readonly number[];
  readonly sequence: readonly number[];
  /** Blocks that a block dominates directly, in reverse postorder. */
  readonly children: readonly (readonly number[])[];
  readonly isHeader: readonly boolean[];
  /** More than one forward edge leads here. */
  readonly isMerge: readonly boolean[];
  /** Edges into the middle of a loop, which no nesting of blocks and loops can express. */
  readonly irreducible: readonly (readonly [number, number])[];
}

/** Cooper, Harvey and Kennedy's dominators; retreating edges whose target dominates their source make loops. */
export function structureOf({ successors }: FlowGraph): Structure {
  const count = successors.length;
  const sequence = reversePostorder(successors);
  const order = new Array<number>(count).fill(-1);
  sequence.forEach((block, place) => (order[block] = place));
  const predecessors = Array.from({ length: count }, (): number[] => []);
  for (const block of sequence) for (const next of successors[block]) predecessors[next].push(block);
  const dominator = dominators(sequence, order, predecessors);
  const dominates = (a: number, b: number): boolean => {
    for (let at = b; ; at = dominator[at]) {
      if (at === a) return true;
      if (at === 0) return false;
    }
  };
  const children = Array.from({ length: count }, (): number[] => []);
  for (const block of sequence) if (block !== 0) children[dominator[block]].push(block);
  const isHeader = new Array<boolean>(count).fill(false), isMerge = new Array<boolean>(count).fill(false);
  const irreducible: [number, number][] = [];
  for (const block of sequence) {
    let forward = 0;
    for (const from of predecessors[block]) {
      if (order[from] < order[block]) forward++;
      else if (dominates(block, from)) isHeader[block] = true;
      else irreducible.push([from, block]);
    }
    isMerge[block] = forward > 1;
  }
  return { order, sequence, children, isHeader, isMerge, irreducible };
}

function reversePostorder(successors: FlowGraph['successors']): number[] {
  const seen = new Set<number>([0]), finished: number[] = [];
  const stack: { block: number; next: number }[] = [{ block: 0, next: 0 }];
  while (stack.length > 0) {
    const top = stack[stack.length - 1];
    const targets = successors[top.block];
    if (top.next === targets.length) {
      finished.push(top.block);
      stack.pop();
      continue;
    }
    const target = targets[top.next++];
    if (seen.has(target)) continue;
    seen.add(target);
    stack.push({ block: target, next: 0 });
  }
  return finished.reverse();
}

function dominators(sequence: readonly number[], order: readonly number[], predecessors: readonly (readonly number[])[]): number[] {
  const dominator = new Array<number>(order.length).fill(-1);
  dominator[0] = 0;
  const meet = (a: number, b: number): number => {
    while (a !== b) {
      while (order[a] > order[b]) a = dominator[a];
      while (order[b] > order[a]) b = dominator[b];
    }
    return a;
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (const block of sequence) {
      if (block === 0) continue;
      const known = predecessors[block].filter((from) => dominator[from] >= 0);
      const found = known.reduce(meet);
      if (found !== dominator[block]) {
        dominator[block] = found;
        changed = true;
      }
    }
  }
  return dominator;
}
