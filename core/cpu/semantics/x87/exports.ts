// Shared functions that the TypeScript helpers of the x87 call.
import type { SharedFunction } from '../context.ts';
import { push, raiseFlags } from './state.ts';

export const x87Exports: readonly SharedFunction[] = [raiseFlags, push];
