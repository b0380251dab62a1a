// The preload script's bridge as a transport.
import type { Transport } from '../../core/api/client.ts';
import { Failure, failureSchema } from '../../core/api/failure.ts';

/** What `src-main/electron/preload.ts` exposes as `window.trapeze`. */
export interface Bridge {
  call(method: string, request: unknown): Promise<{ response: unknown } | { failure: unknown }>;
  onEvent(listener: (name: string, data: unknown) => void): () => void;
  pathOf(file: File): string;
  chooseFiles(): Promise<string[]>;
}

export function findBridge(): Bridge | null {
  return (window as unknown as { trapeze?: Bridge }).trapeze ?? null;
}

export function bridgeTransport(bridge: Bridge): Transport {
  return {
    async call(method, request) {
      const answer = await bridge.call(method, request);
      if ('failure' in answer) throw Failure.from(failureSchema.parse(answer.failure));
      return answer.response;
    },
    onEvent(listener) {
      const dispose = bridge.onEvent(listener);
      return { dispose };
    },
  };
}
