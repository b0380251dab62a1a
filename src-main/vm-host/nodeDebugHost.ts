// The debugger's ports to the host, on Node: files, a TCP listener, the disassembler.
import fs from 'node:fs';
import net from 'node:net';
import type { ByteConnection, DebugHost } from '../../core/host/debugHost.ts';

export function createNodeDebugHost(): DebugHost {
  return {
    loadDisassembler: async () => (await import('./icedDisassembler.ts')).createIcedDisassembler(),
    readFile: (path, limitBytes) => readWhole(path, limitBytes),
    listen,
    nowMs: () => performance.now(),
    after(ms, action) {
      const timer = setTimeout(action, ms);
      return { cancel: () => clearTimeout(timer) };
    },
  };
}

function readWhole(path: string, limitBytes: number): Uint8Array {
  const status = fs.statSync(path, { throwIfNoEntry: false });
  if (status === undefined) throw new Error(`${path}: there is no such file`);
  if (!status.isFile()) throw new Error(`${path}: a file was expected, this is none`);
  if (status.size > limitBytes)
    throw new Error(`${path}: at most ${limitBytes} bytes were expected, it has ${status.size}`);
  return fs.readFileSync(path);
}

function listen(
  host: string,
  port: number,
  onConnection: (connection: ByteConnection) => void,
): Promise<{ readonly address: string; close(): void }> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    // A peer that vanishes is an end like any other.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    onConnection({
      peer: `${socket.remoteAddress ?? '?'}:${socket.remotePort ?? '?'}`,
      send: (bytes) => void socket.write(bytes),
      close: () => socket.destroy(),
      onData: (listener) => void socket.on('data', (data) => listener(data as Uint8Array)),
      onClose: (listener) => void socket.on('close', () => listener()),
    });
  });
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new Error(`${host}:${port}: cannot listen here: ${error.message}`)));
    server.listen(port, host, () => {
      const address = server.address() as net.AddressInfo;
      const text =
        address.family === 'IPv6' ? `[${address.address}]:${address.port}` : `${address.address}:${address.port}`;
      resolve({
        address: text,
        close() {
          server.close();
          for (const socket of sockets) socket.destroy();
        },
      });
    });
  });
}
