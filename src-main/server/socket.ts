// The contract over one WebSocket.
import type { WebSocket } from 'ws';
import { methods } from '../../core/api/contract.ts';
import { dispatch } from '../../core/api/dispatch.ts';
import { toFailureRecord } from '../../core/api/failure.ts';
import { decodeMessage, encodeMessage, wireRequestSchema } from '../../core/api/wire.ts';
import type { Application } from '../application/application.ts';

/** Events are dropped for a client that does not read: it would hold them all in memory. */
const MAX_BUFFERED_BYTES = 32 * 1024 * 1024;

export function serveSocket(socket: WebSocket, application: Application): void {
  const send = (message: unknown): void => {
    if (socket.readyState === socket.OPEN) socket.send(encodeMessage(message));
  };
  const subscription = application.onEvent(({ name, data }) => {
    if (socket.bufferedAmount < MAX_BUFFERED_BYTES) send({ event: name, data });
  });
  socket.on('close', () => subscription.dispose());
  socket.on('error', () => socket.terminate());
  socket.on('message', (data, isBinary) => void answer(toMessage(data as Buffer, isBinary), application, send));
}

function toMessage(data: Buffer, isBinary: boolean): unknown {
  try {
    return decodeMessage(isBinary ? new Uint8Array(data) : data.toString('utf8'));
  } catch {
    return null;
  }
}

async function answer(message: unknown, application: Application, send: (message: unknown) => void): Promise<void> {
  const parsed = wireRequestSchema.safeParse(message);
  // Without an id there is nobody to answer.
  if (!parsed.success) return;
  const { id, method, request } = parsed.data;
  try {
    send({ id, response: await dispatch(methods, application.handlers, method, request) });
  } catch (error) {
    send({ id, failure: toFailureRecord(error) });
  }
}
