// Symbols, source and what is known of Linux.
import { DebugError } from '../target.ts';
import { completeSymbol, oneOf, required, splitWords, unquote, type MonitorCommand, type MonitorContext } from './command.ts';
import { plural, table } from './format.ts';

const actions = ['load', 'unload', 'list', 'find'] as const;
const SOURCE_LINES = 11;

async function symbols(text: string, context: MonitorContext): Promise<string> {
  const [word = 'list', ...rest] = splitWords(text);
  const { handlers } = context;
  switch (oneOf(word, actions, 'the action')) {
    case 'load': {
      const path = unquote(required(rest[0] ?? '', 'a file'));
      const result = await handlers['debug.loadSymbols']({ path, offset: rest.slice(1).join(' ') || '0' });
      const lines = [`${result.id}: ${plural(result.symbols, 'symbol')}, ${plural(result.lines, 'line')}`];
      return [...lines, ...result.warnings.map((warning) => `warning: ${warning}`)].join('\n');
    }
    case 'unload': {
      const id = Number(required(rest[0] ?? '', 'a number'));
      if (!Number.isInteger(id)) throw new DebugError(`${rest[0]} is no number of a symbol file`);
      await handlers['debug.unloadSymbols']({ id });
      return 'unloaded';
    }
    case 'find': {
      const { symbols: found } = await handlers['debug.findSymbols']({ text: rest.join(' '), limit: 50 });
      if (found.length === 0) return 'no symbols';
      return table(found.map((symbol) => [symbol.address, symbol.kind, String(symbol.size), symbol.name]), [2]);
    }
    case 'list': {
      const { symbols: files } = await handlers['debug.status']({});
      if (files.length === 0) return 'no symbols are loaded';
      return table(files.map((file) => [
        String(file.id), file.kind, plural(file.symbols, 'symbol'), plural(file.lines, 'line'), `offset ${file.offset}`, file.path,
      ]));
    }
  }
}

/** `source`, `source FILE`, `source FILE:LINE`: some lines around the place. */
async function source(text: string, context: MonitorContext): Promise<string> {
  const { place } = await context.handlers['debug.status']({});
  const match = /^(.*?)(?::(\d+))?$/.exec(unquote(text))!;
  const file = match[1] === '' ? place.source?.file : match[1];
  if (file === undefined) throw new DebugError('no source line is known for this place');
  const current = file === place.source?.file ? place.source.line : null;
  const middle = match[2] === undefined ? (current ?? 1) : Number(match[2]);
  const result = await context.handlers['debug.source']({ file });
  if (result.path === null) return `${file}:${middle}\n(the file is not here)`;
  const first = Math.max(1, middle - Math.floor(SOURCE_LINES / 2));
  const rows = result.lines.slice(first - 1, first - 1 + SOURCE_LINES).map((line, index) => {
    const number = first + index;
    return `${number === current ? '=>' : '  '} ${String(number).padStart(5)}  ${line}`;
  });
  return `${result.path}\n${rows.join('\n')}`;
}

export const symbolCommands: readonly MonitorCommand[] = [
  {
    names: ['symbols', 'sym'], group: 'Symbols', arguments: 'load FILE [OFFSET] | unload ID | list | find TEXT', help: 'symbol files and symbols',
    complete: (before, word, context) => (before.length === 0 ? actions : before[0] === 'find' ? completeSymbol(word, context) : []),
    run: symbols,
  },
  { names: ['source', 'list'], group: 'Symbols', arguments: '[FILE[:LINE]]', help: 'shows source lines', run: source },
  {
    names: ['tasks', 'ps'], group: 'Symbols', arguments: '', help: "lists Linux's tasks",
    run: async (_text, context) => {
      const { tasks, problem } = await context.handlers['debug.linuxTasks']({});
      const rows = tasks.map((task) => [task.current ? '*' : '', String(task.pid), task.name, task.state, task.address, task.addressSpace]);
      return withProblem(problem, rows.length === 0 ? '' : table([['', 'pid', 'name', 'state', 'task', 'CR3'], ...rows], [1]));
    },
  },
  {
    names: ['modules', 'lsmod'], group: 'Symbols', arguments: '', help: "lists Linux's modules",
    run: async (_text, context) => {
      const { modules, problem } = await context.handlers['debug.linuxModules']({});
      const rows = modules.map((module) => [module.name, module.base, String(module.size), module.state]);
      return withProblem(problem, rows.length === 0 ? 'no modules' : table(rows, [2]));
    },
  },
  {
    names: ['dmesg'], group: 'Symbols', arguments: '', help: "shows Linux's messages from memory",
    run: async (_text, context) => {
      const { text, problem } = await context.handlers['debug.linuxLog']({});
      return withProblem(problem, text.trimEnd());
    },
  },
];

const withProblem = (problem: string | null, text: string): string => (problem === null ? text : [problem, text].filter((part) => part !== '' && part !== 'no modules').join('\n'));
