// VM processes as Electron utility processes.
import type { utilityProcess } from 'electron';
import { VM_PROCESS_FLAGS } from '../vm-host/spawn.ts';
import type { VmSpawner } from '../vm-host/spawn.ts';

export function utilitySpawner(utility: typeof utilityProcess, entry: string): VmSpawner {
  return {
    spawn() {
      const child = utility.fork(entry, [], {
        execArgv: [...VM_PROCESS_FLAGS],
        serviceName: 'Trapeze VM',
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let processId: number | null = child.pid ?? null;
      child.on('spawn', () => (processId = child.pid ?? null));
      return {
        get processId() {
          return processId;
        },
        send: (message) => child.postMessage(message),
        onMessage: (listener) => void child.on('message', listener),
        onExit: (listener) => void child.on('exit', (code) => listener({ how: `exit status ${code}` })),
        onErrorOutput: (listener) => void child.stderr?.on('data', (chunk: Buffer) => listener(chunk.toString('utf8'))),
        kill: () => void child.kill(),
      };
    },
  };
}
