// The monitor on a local socket: one JSON object a line, `{id, line}` or `{id, complete}`, answered by `{id, ...}`.
import fs from 'node:fs';
import net from 'node:net';
import { z } from 'zod';
import type { DebugService } from '../../core/api/debugService.ts';
import { toFailureRecord } from '../../core/api/failure.ts';

export const monitorRequestSchema = z.union([
  z.object({ id: z.number(), line: z.string().max(4000) }).strict(),
  z.object({ id: z.number(), complete: z.string().max(4000) }).strict(),
]);
export const monitorAnswerSchema = z.object({
  id: z.number(),
  output: z.string().optional(),
  candidates: z.array(z.string()).optional(),
  start: z.number().optional(),
  problem: z.string().optional(),
});

const LONGEST_LINE = 16384;

/** Listens until closed. A stale socket of a process that is gone is taken over. */
export function serveMonitor(socketPath: string, service: () => DebugService): { close(): void } {
  if (process.platform !== 'win32') fs.rmSync(socketPath, { force: true });
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    let rest = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > LONGEST_LINE) socket.destroy();
      for (const line of lines) void answer(line, service).then((answered) => socket.write(`${answered}\n`));
    });
  });
  // Without its socket a machine runs as well: only `trapeze monitor` cannot reach it.
  server.on('error', () => undefined);
  server.listen(socketPath);
  return {
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function answer(line: string, service: () => DebugService): Promise<string> {
  let id = 0;
  try {
    const request = monitorRequestSchema.parse(JSON.parse(line));
    id = request.id;
    const { handlers } = service();
    const result =
      'line' in request
        ? await handlers['debug.monitor']({ line: request.line })
        : await handlers['debug.complete']({ line: request.complete });
    return JSON.stringify({ id, ...result });
  } catch (error) {
    const { message, reason } = toFailureRecord(error);
    return JSON.stringify({ id, problem: [message, reason].filter(Boolean).join(' ') });
  }
}
