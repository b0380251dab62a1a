import type { SystemCase } from './systemCase.ts';
export const debugCases: readonly SystemCase[] = [];
