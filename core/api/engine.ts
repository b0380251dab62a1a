// The machine itself, for processes that hold one. No view may import this file.
export { createMachine } from '../machine/createMachine.ts';
