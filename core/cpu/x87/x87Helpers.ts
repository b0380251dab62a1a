// x87 instructions that are TypeScript helpers.
import { type HelperBody } from '../system/helpers.ts';
import { raise, VECTOR } from '../system/faults.ts';

export const x87Helpers: Readonly<Record<string, HelperBody>> = {
  wait: () => {},
  fxsave: () => raise(VECTOR.UD),
  fxrstor: () => raise(VECTOR.UD),
};
