// The contract over a WebSocket that comes back by itself.
import type { Transport } from '../../core/api/client.ts';
import { Emitter } from '../../core/base/emitter.ts';
import { Failure } from '../../core/api/failure.ts';
import { decodeMessage, encodeMessage, wireMessageSchema } from '../../core/api/wire.ts';
import type { Disposable } from '../../core/base/disposable.ts';

const RETRY_MS = 1000;

export interface WebSocketTransport extends Transport {
  onConnected(listener: (connected: boolean) => void): Disposable;
}

export function webSocketTransport(address: string): WebSocketTransport {
  const events = new Emitter<{ name: string; data: unknown }>();
  const connected = new Emitter<boolean>();
  const pending = new Map<number, { resolve(value: unknown): void; reject(error: Failure): void }>();
  let socket: WebSocket;
  let open: Promise<void>;
  let isOpen = false;
  let nextId = 1;

  const receive = (data: string | ArrayBuffer): void => {
    const parsed = wireMessageSchema.safeParse(decodeMessage(typeof data === 'string' ? data : new Uint8Array(data)));
    if (!parsed.success) return;
    const message = parsed.data;
    if ('event' in message) {
      events.fire({ name: message.event, data: message.data });
      return;
    }
    const caller = pending.get(message.id);
    pending.delete(message.id);
    if ('failure' in message) caller?.reject(Failure.from(message.failure));
    else caller?.resolve(message.response);
  };

  const connect = (): void => {
    socket = new WebSocket(address);
    socket.binaryType = 'arraybuffer';
    open = new Promise((resolve) => {
      socket.onopen = () => {
        isOpen = true;
        connected.fire(true);
        resolve();
      };
    });
    socket.onmessage = ({ data }) => receive(data as string | ArrayBuffer);
    socket.onclose = () => {
      isOpen = false;
      const lost = new Failure('process-lost', 'The connection to Trapeze was lost.', {
        action: 'It is tried again by itself.',
      });
      for (const caller of pending.values()) caller.reject(lost);
      pending.clear();
      connected.fire(false);
      setTimeout(connect, RETRY_MS);
    };
  };
  connect();

  return {
    async call(method, request) {
      await open;
      const id = nextId++;
      const answer = new Promise<unknown>((resolve, reject) => pending.set(id, { resolve, reject }));
      socket.send(encodeMessage({ id, method, request }));
      return answer;
    },
    onEvent: (listener) => events.event(({ name, data }) => listener(name, data)),
    onConnected(listener) {
      if (isOpen) listener(true);
      return connected.event(listener);
    },
  };
}
