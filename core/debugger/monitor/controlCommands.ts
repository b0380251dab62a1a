// Running and stopping.
import type { DebugControl, DebugEventKind } from '../../api/debug.ts';
import { DebugError } from '../target.ts';
import { completeSymbol, evaluateNumber, oneOf, required, splitWords, type MonitorCommand, type MonitorContext } from './command.ts';
import { disassemblyText, statusText } from './format.ts';

const events: readonly DebugEventKind[] = ['interrupt', 'exception', 'iret', 'mode-change', 'privilege-change', 'address-space', 'exit'];
const WAIT_MS = 2000;

/** Does it, waits a moment, and tells where the guest stands. */
async function control(context: MonitorContext, request: DebugControl, waitMs: number): Promise<string> {
  const status = await context.handlers['debug.control']({ control: request, waitMs });
  if (status.state === 'running') return waitMs === 0 ? 'running' : 'running: "pause" stops it, "status" tells where it is';
  return `${statusText(status)}\n${await currentLine(context)}`.trimEnd();
}

async function currentLine(context: MonitorContext): Promise<string> {
  const { place } = await context.handlers['debug.status']({});
  const { lines } = await context.handlers['debug.disassemble']({ at: `0x${place.address}`, before: 0, count: 1 });
  return disassemblyText(lines);
}

export const controlCommands: readonly MonitorCommand[] = [
  {
    names: ['status', 'info'], group: 'Running', arguments: '', help: 'where the guest stands and why',
    run: async (_text, context) => {
      const status = await context.handlers['debug.status']({});
      const line = status.state === 'stopped' ? '' : `\n${await currentLine(context)}`;
      const gdb = status.gdb === null ? '' : `\nGDB: ${status.gdb.address}, ${status.gdb.client ?? 'no client'}`;
      return `${statusText(status)}${line}${gdb}`;
    },
  },
  {
    names: ['continue', 'c'], group: 'Running', arguments: '', help: 'lets the guest run',
    run: (_text, context) => control(context, { action: 'continue' }, 0),
  },
  {
    names: ['pause', 'stop', 'interrupt'], group: 'Running', arguments: '', help: 'stops the guest where it is',
    run: (_text, context) => control(context, { action: 'pause' }, WAIT_MS),
  },
  {
    names: ['step', 's', 'si', 'stepi'], group: 'Running', arguments: '[COUNT]', help: 'executes instructions, into calls',
    run: async (text, context) => {
      const count = text === '' ? 1 : await evaluateNumber(context, text, 'the count', 1, 1_000_000);
      return control(context, { action: 'step-into', count }, WAIT_MS);
    },
  },
  {
    names: ['next', 'n', 'ni', 'nexti'], group: 'Running', arguments: '', help: 'executes an instruction, over calls',
    run: (_text, context) => control(context, { action: 'step-over' }, WAIT_MS),
  },
  {
    names: ['line', 'sl'], group: 'Running', arguments: '', help: 'executes a source line',
    run: (_text, context) => control(context, { action: 'step-line' }, WAIT_MS),
  },
  {
    names: ['finish', 'fin'], group: 'Running', arguments: '', help: 'runs until the function returns',
    run: (_text, context) => control(context, { action: 'step-out' }, WAIT_MS),
  },
  {
    names: ['until', 'advance', 'u'], group: 'Running', arguments: 'ADDRESS | if CONDITION', help: 'runs to an address, or steps until a condition holds',
    complete: (_before, word, context) => completeSymbol(word, context),
    run: (text, context) => {
      const condition = /^if\s+(.+)$/.exec(text)?.[1];
      if (condition !== undefined) return control(context, { action: 'run-until', condition }, WAIT_MS);
      return control(context, { action: 'run-to', target: required(text, 'an address') }, WAIT_MS);
    },
  },
  {
    names: ['run-to-event', 'event'], group: 'Running', arguments: events.join('|'), help: 'runs to the next event of a kind',
    complete: (before) => (before.length === 0 ? events : []),
    run: (text, context) => control(context, { action: 'run-to-event', event: oneOf(text, events, 'the event') }, WAIT_MS),
  },
  {
    names: ['reset'], group: 'Running', arguments: '', help: 'resets the machine as its button does',
    run: async (_text, context) => {
      if (context.reset === null) throw new DebugError('the machine cannot be reset from here');
      context.reset();
      return 'reset';
    },
  },
  {
    names: ['gdb'], group: 'Other', arguments: '[[HOST:]PORT | off]', help: 'listens for GDB, or tells whether it does',
    complete: (before) => (before.length === 0 ? ['off', '1234'] : []),
    run: async (text, context) => {
      const { handlers } = context;
      const [word = ''] = splitWords(text);
      if (word === '') {
        const { gdb } = await handlers['debug.status']({});
        return gdb === null ? 'not listening for GDB' : `listening on ${gdb.address}, ${gdb.client === null ? 'no client' : `client ${gdb.client}`}`;
      }
      if (word === 'off') {
        await handlers['debug.gdb']({ listen: null });
        return 'not listening for GDB any more';
      }
      const match = /^(?:(.+):)?(\d{1,5})$/.exec(word);
      if (match === null || Number(match[2]) > 65535) throw new DebugError('gdb [HOST:]PORT: the port is from 0 to 65535');
      const { address, warning } = await handlers['debug.gdb']({ listen: { host: match[1] ?? '127.0.0.1', port: Number(match[2]) } });
      return `listening on ${address ?? word}${warning === null ? '' : `\nwarning: ${warning}`}`;
    },
  },
];
