// x87 instructions that are TypeScript helpers.
import type { HelperBody } from '../system/helpers.ts';
import { environmentHelpers } from './environment.ts';
import { remainderHelpers } from './remainders.ts';
import { transcendentalHelpers } from './transcendental.ts';

export const x87Helpers: Readonly<Record<string, HelperBody>> = {
  ...environmentHelpers, ...remainderHelpers, ...transcendentalHelpers,
};
