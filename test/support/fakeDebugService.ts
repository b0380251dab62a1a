// A debugger without a machine, for tests of everything around one.
import type { DebugServiceFactory } from '../../core/api/debugService.ts';

export const createFakeDebugService: DebugServiceFactory = () => {
  throw new Error('the fake machine has no debugger');
};
