// The classes of exits: everything that the guest cannot do alone.
export const exitClasses = [
  'port', 'mmio', 'hlt', 'cpuid', 'msr', 'rdtsc', 'control-register', 'debug-register', 'descriptor-table', 'segment', 'far-transfer',
  'tlb', 'exception', 'page-fault', 'interrupt', 'software-interrupt', 'flags', 'other',
] as const;
export type ExitKind = (typeof exitClasses)[number];

/**
 * `inline`: emulated in the engine, no exit (CLI, STI, PUSHF and POPF only); `count`: an exit, counted; `log`: each is
 * written to the trap list and the machine's log; `stop`: the guest stops behind it.
 */
export const exitPolicies = ['inline', 'count', 'log', 'stop'] as const;
export type ExitPolicy = (typeof exitPolicies)[number];

/** What is done where nobody chose. */
export const defaultExitPolicy = (kind: ExitKind): ExitPolicy => (kind === 'flags' ? 'inline' : 'count');
