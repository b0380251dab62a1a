// What of a vCPU's state is the engine's own: caches, host addresses and scratch, no state of the guest.
import { FIELD } from './layout.ts';

/** Offset and length. The lazy flags are among them: EFLAGS is what the guest sees. */
export const HOST_FIELDS: readonly (readonly [number, number])[] = [
  [FIELD.flagResult, 16], [FIELD.budget, 20], [FIELD.pageRip, 8], [FIELD.faultVector, 16], [FIELD.pendingWriteSize, 12],
  [FIELD.scratch, 80], [FIELD.fpScratch, 64], [FIELD.stepRecords, 64],
  [FIELD.breakpointsArmed, 4], // Follows from DR7 and the debugger.
];
