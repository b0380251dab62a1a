// Puts the debugger's parts together over one machine.
import type { DebugService, DebugServiceFactory } from '../api/debugService.ts';

export const createDebugService: DebugServiceFactory = (): DebugService => {
  throw new Error('the debugger is not there yet');
};
