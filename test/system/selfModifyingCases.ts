import type { SystemCase } from './systemCase.ts';
export const selfModifyingCases: readonly SystemCase[] = [];
