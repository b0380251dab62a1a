// The debugger of one machine as the VM process holds it.
import type { Disposable } from '../base/disposable.ts';
import type { DebugHost } from '../host/debugHost.ts';
import type { Machine } from '../machine/machine.ts';
import type { DebugStatus, debugMethods } from './debug.ts';
import type { Handlers } from './definition.ts';

export interface DebugService {
  readonly handlers: Handlers<typeof debugMethods>;
  readonly onChanged: (listener: (status: DebugStatus) => void) => Disposable;
  readonly onLogged: (listener: (text: string) => void) => Disposable;
  /** Leaves the machine as if there had been no debugger. */
  dispose(): void;
}

/** Builds it when a client first asks for it. */
export type DebugServiceFactory = (machine: Machine, host: DebugHost) => DebugService;
