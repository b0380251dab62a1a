// The machine itself and its debugger, for processes that hold one. No view may import this file.
import { createDebugService as create } from '../debugger/createDebugService.ts';
import { DebugError } from '../debugger/target.ts';
import { isInspectable } from '../machine/inspection.ts';
import type { DebugServiceFactory } from './debugService.ts';
import { Failure } from './failure.ts';

export { createMachine } from '../machine/createMachine.ts';
export { compareEngines } from '../debugger/compare/compareEngines.ts';

/** What a person did wrong is a failure that says so. */
export const createDebugService: DebugServiceFactory = (machine, host) => {
  if (!isInspectable(machine)) throw new Failure('internal', 'This machine has no debugger.');
  const service = create(machine, host);
  const handlers = Object.entries(service.handlers).map(([name, handler]) => [
    name,
    async (request: never) => {
      try {
        return await handler(request);
      } catch (error) {
        throw error instanceof DebugError ? new Failure('bad-request', sentence(error.message)) : error;
      }
    },
  ]);
  return {
    handlers: Object.fromEntries(handlers) as typeof service.handlers,
    onChanged: service.onChanged,
    onLogged: service.onLogged,
    dispose: () => service.dispose(),
  };
};

const sentence = (text: string): string =>
  `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
