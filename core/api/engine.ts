// The machine itself, for processes that hold one. No view may import this file.
export { createDebugService } from '../debugger/createDebugService.ts';
export { createMachine } from '../machine/createMachine.ts';
