// The classes of exits: everything that the guest cannot do alone.
export const exitClasses = [
  'port', 'mmio', 'hlt', 'cpuid', 'msr', 'rdtsc', 'control-register', 'debug-register', 'descriptor-table', 'segment', 'far-transfer',
  'tlb', 'exception', 'page-fault', 'interrupt', 'software-interrupt', 'flags', 'other',
] as const;
export type ExitKind = (typeof exitClasses)[number];
