// Calling the application: one typed client over any transport.
import type { Disposable } from '../base/disposable.ts';
import { events, methods } from './contract.ts';
import type { ApplicationHandlers, EventName, EventOf, MethodName, Request, Response } from './contract.ts';
import { dispatch } from './dispatch.ts';
import { Failure, toFailureRecord } from './failure.ts';

export interface Client {
  call<M extends MethodName>(method: M, request: Request<M>): Promise<Response<M>>;
  on<E extends EventName>(event: E, listener: (event: EventOf<E>) => void): Disposable;
}

/** What carries a client: a socket, the preload bridge, a test. Rejects with `Failure`. */
export interface Transport {
  call(method: string, request: unknown): Promise<unknown>;
  /** Every event, not yet validated. */
  onEvent(listener: (name: string, event: unknown) => void): Disposable;
}

/** Derives the client from the contract: answers and events are checked, so views may trust their types. */
export function createClient(transport: Transport): Client {
  const listeners = new Map<string, Set<(event: never) => void>>();
  transport.onEvent((name, event) => {
    const registered = listeners.get(name);
    if (registered === undefined || !Object.hasOwn(events, name)) return;
    const parsed = events[name as EventName].safeParse(event);
    if (parsed.success) for (const listener of [...registered]) listener(parsed.data as never);
  });
  return {
    async call(method, request) {
      const parsed = methods[method].response.safeParse(await transport.call(method, request));
      if (!parsed.success) throw new Failure('internal', `${method} answered outside the contract.`);
      return parsed.data as Response<typeof method>;
    },
    on(event, listener) {
      const registered = listeners.get(event) ?? new Set();
      listeners.set(event, registered.add(listener as (event: never) => void));
      return { dispose: () => void registered.delete(listener as (event: never) => void) };
    },
  };
}

/** A transport without a wire: the handlers stand on the same side. For the CLI and for tests. */
export function localTransport(handlers: ApplicationHandlers, onEvent: Transport['onEvent']): Transport {
  return {
    async call(method, request) {
      try {
        return await dispatch(methods, handlers, method, request);
      } catch (error) {
        throw Failure.from(toFailureRecord(error));
      }
    },
    onEvent,
  };
}
