// The trap inspector as text.
import type { ExitPolicySettings } from '../../api/debug.ts';
import { exitClasses, type ExitKind } from '../../cpu/state/exitClasses.ts';
import { DebugError } from '../target.ts';
import { evaluateNumber, oneOf, splitWords, unquote, type MonitorCommand, type MonitorContext } from './command.ts';
import { grouped, plural, table } from './format.ts';

const policies = ['inline', 'count', 'log', 'stop'] as const;

async function exits(context: MonitorContext): Promise<string> {
  const summary = await context.handlers['traps.summary']({});
  const { timeMs } = summary;
  const spent = timeMs.engine + timeMs.hypervisor + timeMs.devices + timeMs.idle;
  const share = (ms: number): string => `${spent === 0 ? 0 : Math.round((ms / spent) * 100)}%`;
  const total = summary.classes.reduce((sum, { count }) => sum + count, 0);
  const rows = summary.classes.filter(({ count }) => count > 0).sort((a, b) => b.count - a.count)
    .map((row) => [row.exitClass, grouped(row.count), `${row.ms.toFixed(1)} ms`, row.policy, row.title]);
  return [
    `${grouped(summary.instructions)} instructions, ${summary.mips.toFixed(1)} MIPS, ${grouped(total)} exits` +
      `${total === 0 ? '' : `, ${grouped(summary.instructions / total)} instructions between two`}`,
    `host time: engine ${share(timeMs.engine)}, hypervisor ${share(timeMs.hypervisor)}, devices ${share(timeMs.devices)}, idle ${share(timeMs.idle)}`,
    ...(rows.length === 0 ? [] : [table([['class', 'exits', 'time', 'policy', ''], ...rows], [1, 2])]),
    `TLB fills ${grouped(summary.tlbFills)}, page faults of the guest ${grouped(summary.pageFaults)}, guest errors ${grouped(summary.guestErrors)}`,
    ...summary.errors.map((error) => `  ${error.source}: ${error.what} ${error.detail} (${plural(error.count, 'time')})`),
  ].join('\n');
}

async function traps(text: string, context: MonitorContext): Promise<string> {
  const { handlers } = context;
  const words = splitWords(text);
  if (words[0] === 'record') {
    const on = oneOf(words[1] ?? '', ['on', 'off'], 'recording') === 'on';
    await handlers['traps.record']({ on, keep: on });
    return on ? 'recording traps' : 'not recording traps any more';
  }
  const limit = /^\d+$/.test(words[0] ?? '') ? await evaluateNumber(context, words.shift()!, 'the count', 1, 2000) : 20;
  const result = await handlers['traps.list']({ filter: { classes: null, text: words.map(unquote).join(' ') }, before: null, limit });
  const rows = [...result.traps].reverse().map((trap) => [
    grouped(trap.instructions), trap.address, trap.symbol ?? '', trap.code, trap.cause, trap.hypervisor, trap.answer, `${(trap.costNs / 1000).toFixed(1)} us`,
  ]);
  const tail = `${grouped(result.matched)} of ${grouped(result.recorded)} recorded traps match (room for ${grouped(result.capacity)})`;
  return rows.length === 0 ? `${tail}; "traps record on" begins` : `${table(rows, [0, 7])}\n${tail}`;
}

async function policy(text: string, context: MonitorContext): Promise<string> {
  const { handlers } = context;
  const current = await handlers['traps.policy']({});
  const [first = '', second = ''] = splitWords(text);
  if (first !== '') {
    const next: ExitPolicySettings = first === 'strict'
      ? { ...current, strictUserMode: oneOf(second, ['on', 'off'], 'strict user mode') === 'on' }
      : { ...current, classes: { ...current.classes, [oneOf(first, exitClasses, 'the class')]: oneOf(second, policies, 'the policy') } };
    return shownPolicy(await handlers['traps.setPolicy']({ policy: next }));
  }
  return shownPolicy(current);
}

function shownPolicy(settings: ExitPolicySettings): string {
  const classes = Object.entries(settings.classes) as [ExitKind, string][];
  return `${table(classes.map(([name, value]) => [name, value]))}\nstrict user mode (as CR4.UMIP): ${settings.strictUserMode ? 'on' : 'off'}`;
}

export const trapCommands: readonly MonitorCommand[] = [
  { names: ['exits'], group: 'Traps', arguments: '', help: 'how this guest is virtualized: exits by class, time, errors', run: (_text, context) => exits(context) },
  {
    names: ['traps'], group: 'Traps', arguments: '[COUNT] [FILTER] | record on|off', help: 'lists recorded traps',
    details: 'FILTER: words that the row holds; symbol:, cause:, code:, cost:>1us, ring:3 restrict one to a column.',
    complete: (before) => (before.length === 0 ? ['record'] : before[0] === 'record' ? ['on', 'off'] : []),
    run: traps,
  },
  {
    names: ['audit'], group: 'Traps', arguments: '[all]', help: 'sensitive instructions by Popek and Goldberg, and how often this guest used them',
    complete: () => ['all'],
    run: async (text, context) => {
      if (text !== '' && text !== 'all') throw new DebugError('audit shows what was executed, audit all every instruction');
      const { rows } = await context.handlers['traps.audit']({});
      const shown = rows.filter((row) => text === 'all' || row.user + row.kernel > 0);
      if (shown.length === 0) return 'no sensitive instruction has been executed; "audit all" lists them';
      return table([
        ['instruction', 'sensitive', 'traps', 'user', 'kernel', 'here'],
        ...shown.map((row) => [`${row.instruction}${row.classic ? ' *' : ''}`, row.sensitivity, row.trapsWhen, grouped(row.user), grouped(row.kernel), row.here]),
      ], [3, 4]);
    },
  },
  {
    names: ['policy'], group: 'Traps', arguments: '[CLASS inline|count|log|stop | strict on|off]', help: 'what happens at each class of exits',
    complete: (before) => (before.length === 0 ? ['strict', ...exitClasses] : before[0] === 'strict' ? ['on', 'off'] : policies),
    run: policy,
  },
  {
    names: ['vectors'], group: 'Traps', arguments: '', help: 'counts interrupts and exceptions by vector',
    run: async (_text, context) => {
      const { vectors } = await context.handlers['traps.vectors']({});
      if (vectors.length === 0) return 'no interrupts or exceptions yet';
      return table(vectors.map((row) => [row.vector.toString(16).padStart(2, '0'), row.kind, grouped(row.count), row.name]), [2]);
    },
  },
  {
    names: ['hot'], group: 'Traps', arguments: '[page|symbol]', help: 'where the guest spends its time',
    complete: () => ['page', 'symbol'],
    run: async (text, context) => {
      const by = text === '' ? 'symbol' : oneOf(text, ['page', 'symbol'] as const, 'the unit');
      const { places, samples } = await context.handlers['traps.hot']({ by, limit: 30 });
      if (places.length === 0) return 'no samples yet';
      const rows = places.map((place) => [`${(place.share * 100).toFixed(1)}%`, place.address, place.symbol ?? '', plural(place.exits, 'exit')]);
      return `${table(rows, [0])}\n${plural(samples, 'sample')}`;
    },
  },
];
