// What a machine does at each class of exits.
import { z } from 'zod';
import { exitClasses, exitPolicies } from '../cpu/state/exitClasses.ts';

export { defaultExitPolicy, exitClasses, exitPolicies, type ExitKind, type ExitPolicy } from '../cpu/state/exitClasses.ts';

export const exitPolicySchema = z.object({
  /** Classes that differ from the default. */
  classes: z.partialRecord(z.enum(exitClasses), z.enum(exitPolicies)).default({}),
  /** SGDT, SIDT, SLDT, STR and SMSW fault in user mode, as with CR4.UMIP. */
  strictUserMode: z.boolean().default(false),
});
export type ExitPolicyConfiguration = z.output<typeof exitPolicySchema>;
