// What a machine does at each class of exits.
import { z } from 'zod';
import { exitClasses } from '../cpu/state/exitClasses.ts';

export { exitClasses, type ExitKind } from '../cpu/state/exitClasses.ts';

/**
 * `inline`: emulated in the engine, no exit (CLI, STI, PUSHF and POPF only); `count`: an exit, counted; `log`: each is
 * written to the trap list and the machine's log; `stop`: the guest stops behind it.
 */
export const exitPolicies = ['inline', 'count', 'log', 'stop'] as const;
export type ExitPolicy = (typeof exitPolicies)[number];

export const exitPolicySchema = z.object({
  /** Classes that differ from the default: `inline` for `flags`, `count` for all others. */
  classes: z.partialRecord(z.enum(exitClasses), z.enum(exitPolicies)).default({}),
  /** SGDT, SIDT, SLDT, STR and SMSW fault in user mode, as with CR4.UMIP. */
  strictUserMode: z.boolean().default(false),
});
export type ExitPolicyConfiguration = z.output<typeof exitPolicySchema>;
