// Breakpoints of all kinds.
import type { Breakpoint, BreakpointSpecification, BreakpointWhere } from '../../api/debug.ts';
import { exitClasses } from '../../cpu/state/exitClasses.ts';
import { DebugError } from '../target.ts';
import { completeSymbol, evaluateNumber, oneOf, required, splitWords, unquote, type MonitorCommand, type MonitorContext } from './command.ts';
import { plural, table } from './format.ts';

const accesses = ['read', 'write', 'access'] as const;
const catches = [
  'interrupt', 'exception', 'exit', 'cr', 'msr', 'mode', 'privilege', 'address-space', 'instruction',
] as const;
const controlRegisters = ['cr0', 'cr2', 'cr3', 'cr4'] as const;
const instructionClasses = ['sensitive', 'privileged', 'sensitive-unprivileged'] as const;
const options = ['if', 'log', 'ignore', 'in'];

interface Options {
  /** What comes before the options. */
  readonly rest: string;
  readonly condition: string;
  readonly log: string;
  readonly ignoreHits: number;
  readonly addressSpace: string;
}

/** `... [ignore N] [in ROOT] [if CONDITION] [log "TEXT"]`, options at the end and in any order. */
async function readOptions(text: string, context: MonitorContext): Promise<Options> {
  const words = splitWords(text);
  const found: Record<string, string[]> = { '': [] };
  let current = '';
  for (const word of words) {
    if (options.includes(word)) {
      if (found[word] !== undefined) throw new DebugError(`${word} is there twice`);
      found[(current = word)] = [];
    } else found[current].push(word);
  }
  const valueOf = (name: string): string => {
    const parts = found[name];
    if (parts === undefined) return '';
    return required(parts.join(' '), name === 'if' ? 'a condition after "if"' : `a value after "${name}"`);
  };
  const ignore = valueOf('ignore');
  return {
    rest: found[''].join(' '),
    condition: valueOf('if'),
    log: unquote(valueOf('log')),
    ignoreHits: ignore === '' ? 0 : await evaluateNumber(context, ignore, 'the number of hits to ignore', 0, 1e9),
    addressSpace: valueOf('in'),
  };
}

async function set(
  context: MonitorContext, text: string, oneShot: boolean, where: (rest: string) => BreakpointWhere | Promise<BreakpointWhere>,
): Promise<string> {
  const { rest, ...given } = await readOptions(text, context);
  const breakpoint = { where: await where(rest), enabled: true, oneShot, ...given };
  return described(await context.handlers['debug.setBreakpoint']({ breakpoint }));
}

const described = (breakpoint: Omit<Breakpoint, keyof BreakpointSpecification> & { problem: string | null }): string =>
  `${breakpoint.id}: ${breakpoint.text}${breakpoint.problem === null ? '' : `\nbut: ${breakpoint.problem}`}`;

/** `[physical] ADDRESS [length N]`. */
async function dataPlace(rest: string, access: 'read' | 'write' | 'access', context: MonitorContext): Promise<BreakpointWhere> {
  const { space, text } = spaceOf(rest);
  const match = /^(.*?)\s+length\s+(\S.*)$/.exec(text);
  const length = match === null ? 4 : await evaluateNumber(context, match[2], 'the length', 1, 0x1000_0000);
  return { kind: 'data', at: required(match?.[1] ?? text, 'an address'), space, length, access };
}

function spaceOf(text: string): { space: 'linear' | 'physical'; text: string } {
  const match = /^(physical|linear)\s+(.*)$/.exec(text);
  return match === null ? { space: 'linear', text } : { space: match[1] as 'linear' | 'physical', text: match[2] };
}

function accessAtEnd(rest: string): { access: 'read' | 'write' | 'access'; text: string } {
  const match = /^(.*?)\s+(read|write|access)$/.exec(rest);
  return match === null ? { access: 'access', text: rest } : { access: match[2] as 'read', text: match[1] };
}

async function portPlace(rest: string, context: MonitorContext): Promise<BreakpointWhere> {
  const { access, text } = accessAtEnd(rest);
  const [first, last] = required(text, 'a port').split(/\s*-\s*/);
  const from = await evaluateNumber(context, first, 'a port', 0, 0xffff);
  const to = last === undefined ? from : await evaluateNumber(context, last, 'a port', from, 0xffff);
  return { kind: 'port', from, to, access };
}

async function mmioPlace(rest: string, context: MonitorContext): Promise<BreakpointWhere> {
  const { access, text } = accessAtEnd(rest);
  const match = /^(.*?)\s+length\s+(\S.*)$/.exec(text);
  const length = match === null ? 4 : await evaluateNumber(context, match[2], 'the length', 1, 0x1000_0000);
  return { kind: 'mmio', from: required(match?.[1] ?? text, 'a physical address'), length, access };
}

async function caught(rest: string, context: MonitorContext): Promise<BreakpointWhere> {
  const [word = '', ...others] = splitWords(rest);
  const value = others.join(' ');
  const vector = (highest: number): Promise<number | null> =>
    value === '' ? Promise.resolve(null) : evaluateNumber(context, value, 'the vector', 0, highest);
  switch (oneOf(word, catches, 'what to catch')) {
    case 'interrupt': return { kind: 'interrupt', vector: await vector(255) };
    case 'exception': return { kind: 'exception', vector: await vector(31) };
    case 'exit': return { kind: 'exit', exitClass: oneOf(value, exitClasses, 'the class of exits') };
    case 'cr': return { kind: 'control-register', register: oneOf(/^\d$/.test(value) ? `cr${value}` : value, controlRegisters, 'the control register') };
    case 'msr': return { kind: 'msr', index: value === '' ? null : await evaluateNumber(context, value, 'the MSR', 0, 0xffffffff) };
    case 'mode': return { kind: 'mode-change' };
    case 'privilege': return { kind: 'privilege-change' };
    case 'address-space': return { kind: 'address-space' };
    case 'instruction': return { kind: 'instruction', class: oneOf(value, instructionClasses, 'the class of instructions') };
  }
}

function completeCatch(before: readonly string[]): readonly string[] {
  if (before.length === 0) return catches;
  if (before.length > 1) return options;
  if (before[0] === 'exit') return exitClasses;
  if (before[0] === 'cr') return controlRegisters;
  return before[0] === 'instruction' ? instructionClasses : options;
}

async function find(context: MonitorContext, text: string): Promise<Breakpoint[]> {
  const breakpoints = await listed(context);
  if (text === 'all') return breakpoints;
  return splitWords(required(text, 'a number or "all"')).map((word) => {
    const found = breakpoints.find(({ id }) => String(id) === word);
    if (found === undefined) throw new DebugError(`there is no breakpoint ${word}`);
    return found;
  });
}

async function listed(context: MonitorContext): Promise<Breakpoint[]> {
  const { breakpoints } = await context.handlers['debug.breakpoints']({});
  // Handlers give what the schema takes; all fields are there.
  return breakpoints as Breakpoint[];
}

function specificationOf(breakpoint: Breakpoint): BreakpointSpecification {
  const { id: _id, hits: _hits, text: _text, address: _address, problem: _problem, ...specification } = breakpoint;
  return specification;
}

const numbers = async (_before: readonly string[], _word: string, context: MonitorContext): Promise<readonly string[]> =>
  ['all', ...(await listed(context)).map(({ id }) => String(id))];

async function list(context: MonitorContext): Promise<string> {
  const breakpoints = await listed(context);
  if (breakpoints.length === 0) return 'no breakpoints';
  const rows = breakpoints.map((b) => {
    const notes = [
      b.oneShot ? 'once' : '', b.condition === '' ? '' : `if ${b.condition}`, b.ignoreHits === 0 ? '' : `from hit ${b.ignoreHits + 1} on`,
      b.addressSpace === '' ? '' : `in ${b.addressSpace}`, b.log === '' ? '' : `log "${b.log}"`, b.problem === null ? '' : `(${b.problem})`,
    ];
    return [String(b.id), b.enabled ? 'on' : 'off', String(b.hits), b.where.kind, b.text, notes.filter((note) => note !== '').join(' ')];
  });
  return table([['id', '', 'hits', 'kind', 'where', ''], ...rows], [0, 2]);
}

const optionHelp =
  'Options: if CONDITION stops only where the expression is not zero; log "TEXT" logs, with {expressions}, instead of stopping;\n' +
  'ignore N passes the first N hits; in ROOT limits it to the address space with that CR3.';

function watchCommand(name: string, access: 'read' | 'write' | 'access', help: string): MonitorCommand {
  return {
    names: [name], group: 'Breakpoints', arguments: '[physical] ADDRESS [length N] [OPTIONS]', help, details: optionHelp,
    complete: (_before, word, context) => completeSymbol(word, context),
    run: (text, context) => set(context, text, false, (rest) => dataPlace(rest, access, context)),
  };
}

function breakCommand(names: readonly [string, ...string[]], oneShot: boolean, help: string): MonitorCommand {
  return {
    names, group: 'Breakpoints', arguments: '[physical] ADDRESS [OPTIONS]', help, details: optionHelp,
    complete: (_before, word, context) => completeSymbol(word, context),
    run: (text, context) => {
      const place = (rest: string): BreakpointWhere => {
        const { space, text: at } = spaceOf(rest);
        return { kind: 'execute', at: required(at, 'an address'), space };
      };
      return text === '' && !oneShot ? list(context) : set(context, text, oneShot, place);
    },
  };
}

function switchCommand(name: string, enabled: boolean): MonitorCommand {
  return {
    names: [name], group: 'Breakpoints', arguments: 'ID... | all', help: `${name}s breakpoints`, complete: numbers,
    run: async (text, context) => {
      const found = await find(context, text);
      for (const breakpoint of found) {
        await context.handlers['debug.updateBreakpoint']({ id: breakpoint.id, breakpoint: { ...specificationOf(breakpoint), enabled } });
      }
      return `${plural(found.length, 'breakpoint')} ${name}d`;
    },
  };
}

export const breakpointCommands: readonly MonitorCommand[] = [
  breakCommand(['break', 'b'], false, 'stops before the instruction at an address or symbol'),
  breakCommand(['tbreak', 'tb'], true, 'as break, once'),
  watchCommand('watch', 'write', 'stops behind a write to memory'),
  watchCommand('rwatch', 'read', 'stops behind a read of memory'),
  watchCommand('awatch', 'access', 'stops behind a read or write of memory'),
  {
    names: ['io'], group: 'Breakpoints', arguments: 'PORT[-PORT] [read|write|access] [OPTIONS]', help: 'stops at an access to I/O ports', details: optionHelp,
    complete: (before) => (before.length === 1 ? [...accesses, ...options] : []),
    run: (text, context) => set(context, text, false, (rest) => portPlace(rest, context)),
  },
  {
    names: ['mmio'], group: 'Breakpoints', arguments: 'ADDRESS [length N] [read|write|access] [OPTIONS]', help: "stops at an access to a device's memory", details: optionHelp,
    complete: (before) => (before.length >= 1 ? ['length', ...accesses, ...options] : []),
    run: (text, context) => set(context, text, false, (rest) => mmioPlace(rest, context)),
  },
  {
    names: ['catch'], group: 'Breakpoints', arguments: 'WHAT [VALUE] [OPTIONS]', help: 'stops at an event of the processor',
    details:
      'catch interrupt [VECTOR] | exception [VECTOR] | exit CLASS | cr 0|2|3|4 | msr [INDEX] | mode | privilege | address-space |\n' +
      `instruction sensitive|privileged|sensitive-unprivileged\nClasses of exits: ${exitClasses.join(' ')}\n${optionHelp}`,
    complete: completeCatch,
    run: (text, context) => set(context, text, false, (rest) => caught(rest, context)),
  },
  {
    names: ['breakpoints', 'bl'], group: 'Breakpoints', arguments: '', help: 'lists breakpoints',
    run: (_text, context) => list(context),
  },
  {
    names: ['delete', 'd'], group: 'Breakpoints', arguments: 'ID... | all', help: 'deletes breakpoints', complete: numbers,
    run: async (text, context) => {
      const found = await find(context, text);
      for (const { id } of found) await context.handlers['debug.removeBreakpoint']({ id });
      return `${plural(found.length, 'breakpoint')} deleted`;
    },
  },
  switchCommand('enable', true),
  switchCommand('disable', false),
];
