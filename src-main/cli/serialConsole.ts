// COM1 on this terminal: raw, with one key combination that stays here.
import type { Readable, Writable } from 'node:stream';

/** Ctrl ], as telnet has it. */
export const ESCAPE_BYTE = 0x1d;

interface TerminalInput extends Readable {
  isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
}

export interface SerialConsole {
  write(bytes: Uint8Array): void;
  close(): void;
}

/** Bytes of `input` go to `send` until the escape key; `escape` is called then. */
export function openSerialConsole(options: {
  input: TerminalInput;
  output: Writable;
  hint: Writable;
  send(bytes: Uint8Array): void;
  escape(): void;
}): SerialConsole {
  const { input, output, send, escape } = options;
  const interactive = input.isTTY === true;
  const receive = (chunk: Buffer): void => {
    const at = interactive ? chunk.indexOf(ESCAPE_BYTE) : -1;
    const bytes = at === -1 ? chunk : chunk.subarray(0, at);
    if (bytes.length > 0) send(new Uint8Array(bytes));
    if (at !== -1) escape();
  };
  if (interactive) {
    input.setRawMode?.(true);
    options.hint.write('COM1 is on this terminal; Ctrl ] ends the machine.\r\n');
  }
  input.on('data', receive);
  return {
    write: (bytes) => void output.write(bytes),
    close() {
      input.off('data', receive);
      if (interactive) input.setRawMode?.(false);
      input.pause();
    },
  };
}
