// Calls to one VM process and what it reports.
import { Failure } from '../../core/api/failure.ts';
import { vmMessageSchema, vmMethods } from '../../core/api/vmProcess.ts';
import type { VmMessage } from '../../core/api/vmProcess.ts';
import type { RequestOf, ResponseOf } from '../../core/api/definition.ts';
import type { VmChild } from '../vm-host/spawn.ts';

type VmMethod = keyof typeof vmMethods;
interface Pending {
  resolve(value: unknown): void;
  reject(error: Failure): void;
}

export interface VmConnectionEvents {
  report(message: Exclude<VmMessage, { kind: 'ready' | 'response' | 'failure' }>): void;
  /** The process ended; `lastWords` is the end of its error output. */
  exit(how: string, lastWords: string): void;
}

const LAST_WORDS = 4000;

export class VmConnection {
  readonly processId: number | null;
  readonly #child: VmChild;
  readonly #pending = new Map<number, Pending>();
  readonly #ready: Promise<void>;
  #nextId = 1;
  #lastWords = '';
  #lost: Failure | null = null;

  constructor(child: VmChild, events: VmConnectionEvents) {
    this.#child = child;
    this.processId = child.processId;
    let ready: Pending;
    this.#ready = new Promise<void>((resolve, reject) => (ready = { resolve: () => resolve(), reject }));
    this.#ready.catch(() => undefined);
    child.onErrorOutput((text) => (this.#lastWords = (this.#lastWords + text).slice(-LAST_WORDS)));
    child.onMessage((raw) => {
      const parsed = vmMessageSchema.safeParse(raw);
      if (!parsed.success) return;
      if (parsed.data.kind === 'ready') ready.resolve(undefined);
      else if (parsed.data.kind === 'response' || parsed.data.kind === 'failure') this.#settle(parsed.data);
      else events.report(parsed.data);
    });
    child.onExit(({ how }) => {
      this.#lost = new Failure('process-lost', `The VM process ended (${how}).`, { details: this.#lastWords });
      ready.reject(this.#lost);
      for (const { reject } of this.#pending.values()) reject(this.#lost);
      this.#pending.clear();
      events.exit(how, this.#lastWords);
    });
  }

  async call<M extends VmMethod>(
    method: M,
    request: RequestOf<(typeof vmMethods)[M]>,
  ): Promise<ResponseOf<(typeof vmMethods)[M]>> {
    await this.#ready;
    if (this.#lost !== null) throw this.#lost;
    const id = this.#nextId++;
    const answer = new Promise<unknown>((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    this.#child.send({ kind: 'request', id, method, request });
    return vmMethods[method].response.parse(await answer) as ResponseOf<(typeof vmMethods)[M]>;
  }

  kill(): void {
    this.#child.kill();
  }

  #settle(message: Extract<VmMessage, { kind: 'response' | 'failure' }>): void {
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if (message.kind === 'response') pending?.resolve(message.response);
    else pending?.reject(new Failure(message.failure.code, message.failure.message, message.failure));
  }
}
