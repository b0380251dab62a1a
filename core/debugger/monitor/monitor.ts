// The monitor: a line in, aligned text out. The same for the pane, `trapeze monitor` and GDB's `monitor`.
import { DebugError } from '../target.ts';
import { breakpointCommands } from './breakpointCommands.ts';
import { splitWords, usage, type DebugHandlers, type MonitorCommand, type MonitorContext } from './command.ts';
import { controlCommands } from './controlCommands.ts';
import { table } from './format.ts';
import { stateCommands } from './stateCommands.ts';
import { symbolCommands } from './symbolCommands.ts';
import { tableCommands } from './tableCommands.ts';
import { trapCommands } from './trapCommands.ts';

export interface Completion {
  readonly candidates: string[];
  /** Where in the line they replace what is there. */
  readonly start: number;
}

const help: MonitorCommand = {
  names: ['help', 'h'], group: 'Other', arguments: '[COMMAND]', help: 'lists the commands, or explains one',
  complete: (before) => (before.length === 0 ? monitorCommands.map(({ names }) => names[0]) : []),
  run: async (text) => (text === '' ? helpAll() : helpOne(find(text))),
};

/** All commands, in the order of help. */
export const monitorCommands: readonly MonitorCommand[] = [
  help, ...controlCommands, ...breakpointCommands, ...stateCommands, ...tableCommands, ...symbolCommands, ...trapCommands,
];

function helpAll(): string {
  const groups = [...new Set(monitorCommands.map(({ group }) => group))];
  const parts = groups.map((group) => {
    const rows = monitorCommands.filter((command) => command.group === group).map((command) => [`  ${usage(command)}`, command.help]);
    return `${group}\n${table(rows)}`;
  });
  return `${parts.join('\n')}\nCommands may be cut short as long as they stay clear. "help COMMAND" says more.`;
}

function helpOne(command: MonitorCommand): string {
  const others = command.names.slice(1);
  return [usage(command), command.help, ...(others.length === 0 ? [] : [`also: ${others.join(', ')}`]), ...(command.details === undefined ? [] : [command.details])].join('\n');
}

function find(name: string): MonitorCommand {
  const exact = monitorCommands.find(({ names }) => names.includes(name));
  if (exact !== undefined) return exact;
  const starts = monitorCommands.filter(({ names }) => names.some((known) => known.startsWith(name)));
  if (starts.length === 1) return starts[0];
  if (starts.length === 0) throw new DebugError(`there is no command ${name}: "help" lists them`);
  throw new DebugError(`${name} may be ${starts.map(({ names }) => names[0]).join(', ')}`);
}

/** Name and arguments; what follows a slash belongs to the arguments: `x/4i eip`. */
function splitLine(line: string): { name: string; rest: string } {
  const match = /^\s*(\?|[^\s/]+)(.*)$/s.exec(line);
  return match === null ? { name: '', rest: '' } : { name: match[1], rest: match[2].trim() };
}

export class Monitor {
  readonly #context: MonitorContext;
  #lastLine = '';

  /** `extra.reset` resets the machine, which no handler does. */
  constructor(handlers: DebugHandlers, extra: { readonly reset?: () => void } = {}) {
    this.#context = {
      handlers,
      reset: extra.reset ?? null,
      last: { examine: { format: 'x', size: 4, next: null, physical: false }, disassemble: null },
    };
  }

  /** Runs a line; an empty one repeats steps and listings. Never rejects: a failure is told in the text. */
  async run(line: string): Promise<string> {
    try {
      const text = line.trim() === '' ? this.#lastLine : line;
      const { name, rest } = splitLine(text);
      if (name === '') return '';
      const command = find(name);
      this.#lastLine = repeated(command, rest);
      // Whatever else runs, the next listing begins where the guest is.
      if (command.group === 'Running') this.#context.last.disassemble = null;
      return await command.run(rest, this.#context);
    } catch (error) {
      return `error: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  /** Candidates for the word that ends the line. */
  async complete(line: string): Promise<Completion> {
    try {
      const { name, rest } = splitLine(line);
      const isName = rest === '' && !/\s$/.test(line);
      const start = line.length - (/\S*$/.exec(line)?.[0].length ?? 0);
      if (isName) {
        const names = monitorCommands.flatMap(({ names: all }) => all).filter((known) => known.startsWith(name) && (known.length > 2 || known === name));
        return { candidates: [...new Set(names)].sort(), start };
      }
      const command = find(name);
      const words = splitWords(rest);
      const word = /\s$/.test(line) ? '' : (words.pop() ?? '');
      const all = (await command.complete?.(words, word, this.#context)) ?? [];
      return { candidates: [...new Set(all)].filter((candidate) => candidate.startsWith(word)).sort(), start: line.length - word.length };
    } catch {
      return { candidates: [], start: line.length };
    }
  }
}

/** What an empty line does after a command: steps again, lists on, or nothing. */
function repeated(command: MonitorCommand, rest: string): string {
  const [name] = command.names;
  if (['step', 'next', 'line', 'finish'].includes(name)) return `${name} ${rest}`;
  if (name === 'disassemble') return name;
  if (name === 'x' || name === 'xp') return rest.startsWith('/') ? `x ${rest.split(/\s/)[0]}` : 'x';
  return '';
}
