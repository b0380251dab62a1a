import type { SystemCase } from './systemCase.ts';
export const pagingCases: readonly SystemCase[] = [];
