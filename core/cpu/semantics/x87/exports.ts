// Shared functions that the TypeScript helpers of the x87 call.
import type { SharedFunction } from '../context.ts';
import { sortNans } from './arithmetic.ts';
import { toInteger } from './convert.ts';
import { give, roundStoreFull } from './round.ts';
import { push, raiseFlags } from './state.ts';

export const x87Exports: readonly SharedFunction[] = [raiseFlags, push, give, roundStoreFull, sortNans, toInteger];
