// This process's wire to its parent: Node's IPC channel or Electron's parent port.
import type { VmMessage } from '../../core/api/vmProcess.ts';
import type { VmPort } from './vmProcess.ts';

/** `process.parentPort` of an Electron utility process. */
interface ParentPort {
  postMessage(message: unknown): void;
  on(event: 'message', listener: (event: { data: unknown }) => void): void;
}

export function processPort(): VmPort {
  const parent = (process as unknown as { parentPort?: ParentPort }).parentPort;
  if (parent !== undefined) {
    return {
      send: (message: VmMessage) => parent.postMessage(message),
      onMessage: (listener) => parent.on('message', ({ data }) => listener(data)),
      exit: () => process.exit(0),
    };
  }
  if (process.send === undefined) {
    console.error('This is the entry of a VM process; it is started by the application.');
    process.exit(2);
  }
  // Without its manager a machine could neither be seen nor stopped.
  process.on('disconnect', () => process.exit(0));
  return {
    send: (message: VmMessage) => void process.send?.(message),
    onMessage: (listener) => void process.on('message', listener),
    exit: () => {
      process.disconnect();
      process.exit(0);
    },
  };
}
