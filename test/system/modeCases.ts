import type { SystemCase } from './systemCase.ts';
export const modeCases: readonly SystemCase[] = [];
