// `trapeze monitor`: a line editor over a running machine's monitor.
import fs from 'node:fs';
import net from 'node:net';
import readline from 'node:readline';
import type { z } from 'zod';
import { Failure } from '../../core/api/failure.ts';
import { monitorAnswerSchema } from '../vm-host/monitorServer.ts';
import type { Streams } from './runMachine.ts';

type Answer = z.output<typeof monitorAnswerSchema>;

const HISTORY_LINES = 1000;

class MonitorConnection {
  readonly #socket: net.Socket;
  readonly #pending = new Map<number, { resolve(answer: Answer): void; reject(error: Failure): void }>();
  readonly closed: Promise<void>;
  #nextId = 1;
  #rest = '';

  constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8').on('data', (text: string) => this.#receive(text));
    this.closed = new Promise((resolve) => {
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        for (const { reject } of this.#pending.values()) reject(new Failure('process-lost', 'The machine ended.'));
        resolve();
      });
    });
  }

  ask(request: { line: string } | { complete: string }): Promise<Answer> {
    const id = this.#nextId++;
    const answer = new Promise<Answer>((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    this.#socket.write(`${JSON.stringify({ id, ...request })}\n`);
    return answer;
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const answer = monitorAnswerSchema.parse(JSON.parse(line));
      this.#pending.get(answer.id)?.resolve(answer);
      this.#pending.delete(answer.id);
    }
  }
}

function connect(socketPath: string, name: string): Promise<MonitorConnection> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(socketPath);
    socket.once('connect', () => resolve(new MonitorConnection(socket)));
    socket.once('error', () =>
      reject(new Failure('wrong-state', `The machine "${name}" is off.`, { action: 'Start it first.' })),
    );
  });
}

/** Reads lines until the input or the machine ends. On a terminal with history and completion. */
export async function runMonitor(
  socketPath: string,
  name: string,
  historyFile: string,
  streams: Streams,
): Promise<number> {
  const connection = await connect(socketPath, name);
  const isTerminal = (streams.input as NodeJS.ReadStream).isTTY === true;
  const editor = readline.createInterface({
    input: streams.input as NodeJS.ReadableStream,
    output: isTerminal ? streams.output : undefined,
    terminal: isTerminal,
    prompt: 'trapeze> ',
    history: isTerminal ? readHistory(historyFile) : [],
    historySize: HISTORY_LINES,
    completer: (line: string, done: (error: null, result: [string[], string]) => void) => {
      connection.ask({ complete: line }).then(
        ({ candidates = [], start = 0 }) => done(null, [candidates, line.slice(start)]),
        () => done(null, [[], line]),
      );
    },
  });
  editor.on('history', (history: string[]) => writeHistory(historyFile, history));
  void connection.closed.then(() => editor.close());
  if (isTerminal) editor.prompt();
  try {
    for await (const line of editor) {
      const { output, problem } = await connection.ask({ line });
      if (problem !== undefined) streams.errors.write(`${problem}\n`);
      else if (output !== undefined && output !== '')
        streams.output.write(output.endsWith('\n') ? output : `${output}\n`);
      if (isTerminal) editor.prompt();
    }
  } finally {
    connection.close();
  }
  return 0;
}

function readHistory(file: string): string[] {
  try {
    return fs.readFileSync(file, 'utf8').split('\n').filter(Boolean).slice(0, HISTORY_LINES);
  } catch {
    return [];
  }
}

function writeHistory(file: string, history: readonly string[]): void {
  try {
    fs.writeFileSync(file, history.join('\n'), { mode: 0o600 });
  } catch {
    // A history that cannot be kept is no reason to stop.
  }
}
