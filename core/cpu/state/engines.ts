// The engines that can execute a guest. All of them give the same run, instruction by instruction.

/**
 * `translator`: hot code becomes WebAssembly of its own, the rest is interpreted. `interpreter`: decoded records, fused pairs, a TLB. `interpreter-uncached`: the same semantics without any of these, slow;
 * for comparisons.
 */
export const ENGINES = ['translator', 'interpreter', 'interpreter-uncached'] as const;
export type EngineName = (typeof ENGINES)[number];

/** Engines that keep nothing from one instruction to the next: any other may have run up to where they begin. */
export const MEMORYLESS: ReadonlySet<EngineName> = new Set<EngineName>(['interpreter-uncached']);
