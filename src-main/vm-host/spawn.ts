// Starting a VM process: one interface over Node's child processes and Electron's utility processes.
import { fork } from 'node:child_process';

/** V8 waits with its best compiler for 13 million calls' worth of work by default; a guest needs it at once. */
export const VM_PROCESS_FLAGS: readonly string[] = ['--wasm-tiering-budget=300000'];

export interface VmChild {
  readonly processId: number | null;
  send(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  /** `how` says what is known, for example `exit status 1` or `killed by SIGKILL`. */
  onExit(listener: (exit: { how: string }) => void): void;
  /** What the process wrote to its error output, for reports. */
  onErrorOutput(listener: (text: string) => void): void;
  kill(): void;
}

export interface VmSpawner {
  spawn(): VmChild;
}

/** VM processes as children of a plain Node process. */
export function nodeSpawner(entry: string, nodePath = process.execPath): VmSpawner {
  return {
    spawn() {
      const child = fork(entry, [], {
        execPath: nodePath,
        execArgv: [...VM_PROCESS_FLAGS, '--disable-warning=ExperimentalWarning'],
        serialization: 'advanced',
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      });
      let ended = false;
      const exitListeners: ((exit: { how: string }) => void)[] = [];
      const finish = (how: string): void => {
        if (ended) return;
        ended = true;
        for (const listener of exitListeners) listener({ how });
      };
      child.on('exit', (code, signal) => finish(signal === null ? `exit status ${code}` : `killed by ${signal}`));
      child.on('error', (error) => finish(error.message));
      return {
        processId: child.pid ?? null,
        // A message to a process that is just ending is lost: its exit is reported anyway.
        send: (message) => void (child.connected && child.send(message as object, () => undefined)),
        onMessage: (listener) => void child.on('message', listener),
        onExit: (listener) => void exitListeners.push(listener),
        onErrorOutput: (listener) => void child.stderr?.setEncoding('utf8').on('data', listener),
        kill: () => void child.kill('SIGKILL'),
      };
    },
  };
}
