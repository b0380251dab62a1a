// The one registry: everything that crosses between a shell and the application.
import { consoleMethods } from './console.ts';
import { debugEvents, machineDebugMethods } from './debug.ts';
import type { Handlers, RequestOf, ResponseOf } from './definition.ts';
import { machineEvents, machineMethods } from './machines.ts';
import { mediaMethods } from './media.ts';
import { serialEvents, serialMethods } from './serial.ts';
import { systemEvents, systemMethods } from './system.ts';
import type { z } from 'zod';

export const methods = {
  ...systemMethods,
  ...machineMethods,
  ...mediaMethods,
  ...consoleMethods,
  ...serialMethods,
  ...machineDebugMethods,
} as const;
export const events = { ...systemEvents, ...machineEvents, ...serialEvents, ...debugEvents } as const;

export type MethodName = keyof typeof methods;
export type EventName = keyof typeof events;
export type Request<M extends MethodName> = RequestOf<(typeof methods)[M]>;
export type Response<M extends MethodName> = ResponseOf<(typeof methods)[M]>;
export type EventOf<E extends EventName> = z.output<(typeof events)[E]>;
export type ApplicationHandlers = Handlers<typeof methods>;

export const methodNames = Object.keys(methods) as readonly MethodName[];
export const eventNames = Object.keys(events) as readonly EventName[];

export function isMethodName(name: unknown): name is MethodName {
  return typeof name === 'string' && Object.hasOwn(methods, name);
}
