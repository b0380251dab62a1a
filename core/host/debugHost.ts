// What the debugger needs of the process that holds the machine.
import type { Disassembler } from './disassembler.ts';

/** A byte stream to one peer. */
export interface ByteConnection {
  readonly peer: string;
  send(bytes: Uint8Array): void;
  close(): void;
  onData(listener: (bytes: Uint8Array) => void): void;
  onClose(listener: () => void): void;
}

export interface DebugHost {
  /** Loaded when it is first needed. */
  loadDisassembler(): Promise<Disassembler>;
  /** Whole content of a file. Throws an Error that names the file, what was expected and what was found. */
  readFile(path: string, limitBytes: number): Uint8Array;
  /** Throws an Error that says why it cannot listen. Port 0: any free one. */
  listen(host: string, port: number, onConnection: (connection: ByteConnection) => void): Promise<{ readonly address: string; close(): void }>;
  /** Host time in ms, monotonic. */
  nowMs(): number;
  /** Runs `action` later, so that others have their turn; for long work in pieces. */
  after(ms: number, action: () => void): { cancel(): void };
}
