// Registers, memory, code and stack.
import type { MemoryPattern, RegisterGroup, RegisterRecord } from '../../api/debug.ts';
import { littleEndian } from '../littleEndian.ts';
import { DebugError } from '../target.ts';
import {
  completeSymbol, evaluate, evaluateNumber, required, splitWords, unquote, type ExamineState, type MonitorCommand, type MonitorContext,
} from './command.ts';
import { disassemblyText, dump, placeText, plural, table } from './format.ts';

const groups = ['general', 'flags', 'control', 'segments', 'tables', 'debug', 'x87', 'sse', 'msr', 'interrupts'] as const;
/** Groups that `registers` alone shows, without fields. */
const overview = ['general', 'flags', 'segments', 'control'];
const SEARCH_LIMIT = 100;
const EXAMINE_LIMIT = 65536;

/** Rows of `columns` registers each. */
function compact(registers: readonly RegisterRecord[], columns: number): string {
  const rows: string[][] = [];
  registers.forEach((register, index) => {
    if (index % columns === 0) rows.push([]);
    const note = register.note === '' || columns > 2 ? '' : `  ${register.note}`;
    rows.at(-1)!.push(`${register.name.padEnd(4)} ${register.value}${note}`);
  });
  return table(rows);
}

function detailed(group: RegisterGroup): string {
  const rows = group.registers.flatMap((register) => [
    [register.name, register.value, register.note],
    ...register.fields.map((field) => [`  ${field.name}`, field.value, `${field.meaning} (${field.bits})`]),
  ]);
  return `${group.title}\n${table(rows)}`;
}

async function registers(text: string, context: MonitorContext): Promise<string> {
  const { groups: all } = await context.handlers['debug.registers']({});
  if (text === 'all') return all.map(detailed).join('\n\n');
  if (text !== '') {
    const wanted = all.find(({ id }) => id === text);
    if (wanted !== undefined) return detailed(wanted);
    const named = all.flatMap((group) => group.registers).find(({ name }) => name === text.toLowerCase());
    if (named === undefined) throw new DebugError(`there is no register or group ${text}; groups are ${all.map(({ id }) => id).join(', ')}`);
    return detailed({ id: text, title: named.name, registers: [named] }).split('\n').slice(1).join('\n');
  }
  const shown = all.filter(({ id }) => overview.includes(id));
  return shown.map((group) => compact(group.registers, group.id === 'general' || group.id === 'control' ? 4 : 1)).join('\n');
}

// --- examine ----------------------------------------------------------------------------------------------------------

const sizes = { b: 1, h: 2, w: 4, g: 8 } as const;

/** `/16xw`: count, format letter, size letter, in any order. */
function readFormat(text: string, state: ExamineState): { count: number; format: string; size: 1 | 2 | 4 | 8 } {
  const match = /^(\d*)([a-z]*)$/.exec(text);
  if (match === null) throw new DebugError(`/${text}: a count, a format (x d u o t a c f s i) and a size (b h w g)`);
  let { format, size } = state;
  let sized = false;
  for (const letter of match[2]) {
    if (letter in sizes) {
      size = sizes[letter as keyof typeof sizes];
      sized = true;
    } else if ('xduotacfsi'.includes(letter)) format = letter;
    else throw new DebugError(`there is no format ${letter}: x d u o t a c f s i, sizes b h w g`);
  }
  if (!sized && format === 'c') size = 1;
  if (!sized && format === 'f' && size < 4) size = 8;
  if (!sized && format === 'a') size = 4;
  const count = match[1] === '' ? 1 : Number(match[1]);
  if (count < 1 || count > EXAMINE_LIMIT) throw new DebugError(`the count is from 1 to ${EXAMINE_LIMIT}`);
  return { count, format, size };
}

async function examine(text: string, byPhysical: boolean, context: MonitorContext): Promise<string> {
  const { examine: state } = context.last;
  const slash = text.startsWith('/');
  const [head = '', ...rest] = slash ? splitWords(text.slice(1)) : ['', text];
  const { count, format, size } = readFormat(head, state);
  const expression = rest.join(' ').trim();
  if (expression === '' && state.next === null) throw new DebugError('an address is needed');
  const address = expression === '' ? state.next! : await evaluate(context, expression);
  const physical = expression === '' ? state.physical : byPhysical;
  Object.assign(state, { format, size, next: address, physical });
  if (format === 'i') return examineCode(address, count, context);
  if (format === 's') return examineText(address, count, context);
  return examineValues(address, count, context);
}

async function examineCode(address: bigint, count: number, context: MonitorContext): Promise<string> {
  const { lines } = await context.handlers['debug.disassemble']({ at: `0x${address.toString(16)}`, before: 0, count: Math.min(count, 1000) });
  const last = lines.at(-1);
  if (last !== undefined) context.last.examine.next = BigInt(`0x${last.address}`) + BigInt(last.bytes?.length || 1);
  return disassemblyText(lines);
}

async function read(address: bigint, length: number, context: MonitorContext): Promise<{ bytes: Uint8Array; unmapped: { from: number; to: number }[] }> {
  const space = context.last.examine.physical ? 'physical' : 'linear';
  return context.handlers['debug.readMemory']({ space, at: `0x${address.toString(16)}`, length });
}

async function examineText(address: bigint, count: number, context: MonitorContext): Promise<string> {
  const rows: string[] = [];
  let at = address;
  for (let index = 0; index < count; index++) {
    const { bytes, unmapped } = await read(at, 512, context);
    const known = bytes.subarray(0, unmapped[0]?.from ?? bytes.length);
    if (known.length === 0) {
      rows.push(`${hex(at)}  not mapped`);
      break;
    }
    const end = known.indexOf(0);
    const text = Array.from(end < 0 ? known : known.subarray(0, end), escapeByte).join('');
    rows.push(`${hex(at)}  "${text}"${end < 0 ? '...' : ''}`);
    at += BigInt(end < 0 ? known.length : end + 1);
  }
  context.last.examine.next = at;
  return rows.join('\n');
}

const hex = (value: bigint, digits = 8): string => value.toString(16).padStart(digits, '0');

function escapeByte(byte: number): string {
  if (byte === 0x22 || byte === 0x5c) return `\\${String.fromCharCode(byte)}`;
  if (byte === 10) return '\\n';
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
}

async function examineValues(address: bigint, count: number, context: MonitorContext): Promise<string> {
  const { format, size } = context.last.examine;
  const length = Math.min(count * size, 1 << 20);
  const { bytes, unmapped } = await read(address, length, context);
  context.last.examine.next = address + BigInt(length);
  if (format === 'x' && size === 1) return dump(address, bytes, unmapped);
  const perRow = format === 'a' ? 1 : Math.max(1, Math.min(8, 16 / size));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const rows: string[][] = [];
  for (let index = 0; index < Math.floor(length / size); index++) {
    const at = index * size;
    if (index % perRow === 0) rows.push([`${hex(address + BigInt(at))}:`]);
    const isMissing = unmapped.some(({ from, to }) => at < to && at + size > from);
    rows.at(-1)!.push(isMissing ? '-'.repeat(size * 2) : await valueText(view, at, context));
  }
  return table(rows, rows[0]?.map((_cell, column) => column).slice(1) ?? []);
}

async function valueText(view: DataView, at: number, context: MonitorContext): Promise<string> {
  const { format, size } = context.last.examine;
  const value = littleEndian(new Uint8Array(view.buffer, view.byteOffset + at, size));
  const bits = size * 8;
  switch (format) {
    case 'd': return BigInt.asIntN(bits, value).toString();
    case 'u': return value.toString();
    case 'o': return `0${value.toString(8)}`;
    case 't': return value.toString(2).padStart(bits, '0');
    case 'c': return `${BigInt.asIntN(8, value)} '${escapeByte(Number(value & 0xffn))}'`;
    case 'f': return String(size === 4 ? Number(view.getFloat32(at, true).toPrecision(9)) : size === 8 ? view.getFloat64(at, true) : value);
    case 'a': {
      const { place } = await context.handlers['debug.evaluate']({ expression: `0x${value.toString(16)}` });
      return `${hex(value, size * 2)}${place?.symbol == null ? '' : ` <${place.symbol}>`}`;
    }
    default: return hex(value, size * 2);
  }
}

// --- writing and searching --------------------------------------------------------------------------------------------

/** `write[/bhwg] [physical] ADDRESS VALUE...`; a value in quotes is text. */
async function write(text: string, context: MonitorContext): Promise<string> {
  const words = splitWords(text);
  let size = 1;
  if (words[0]?.startsWith('/')) {
    const letter = words.shift()!.slice(1);
    if (!(letter in sizes)) throw new DebugError('sizes are /b, /h, /w and /g');
    size = sizes[letter as keyof typeof sizes];
  }
  const space = words[0] === 'physical' ? 'physical' : 'linear';
  if (words[0] === 'physical' || words[0] === 'linear') words.shift();
  const [at, ...values] = words;
  if (at === undefined || values.length === 0) throw new DebugError('an address and values are needed: write/w ADDRESS VALUE...');
  const bytes: number[] = [];
  for (const word of values) {
    if (word.startsWith('"')) {
      bytes.push(...new TextEncoder().encode(unquote(word)));
      continue;
    }
    const value = await evaluate(context, word);
    // What comes back is unsigned in the width of an address: a small negative number shows as ones above.
    const narrow = BigInt.asUintN(size * 8, value);
    if (narrow !== value && BigInt.asIntN(size * 8, narrow) !== BigInt.asIntN(64, value) && BigInt.asIntN(size * 8, narrow) !== BigInt.asIntN(32, value)) {
      throw new DebugError(`${word} does not fit ${plural(size, 'byte')}`);
    }
    for (let index = 0; index < size; index++) bytes.push(Number((narrow >> BigInt(index * 8)) & 0xffn));
  }
  await context.handlers['debug.writeMemory']({ space, at, bytes: Uint8Array.from(bytes) });
  return `${plural(bytes.length, 'byte')} written`;
}

interface SearchWords {
  readonly pattern: MemoryPattern;
  readonly space: 'linear' | 'physical';
  readonly from: string;
  readonly to: string;
}

async function readSearch(text: string, context: MonitorContext): Promise<SearchWords> {
  const words = splitWords(text);
  const space = words[0] === 'physical' ? 'physical' : 'linear';
  if (words[0] === 'physical' || words[0] === 'linear') words.shift();
  const kind = words.shift() ?? '';
  const take = (name: string, otherwise: string): string => {
    const at = words.lastIndexOf(name);
    if (at < 0) return otherwise;
    const [, ...value] = words.splice(at);
    return required(value.join(' '), `an address after "${name}"`);
  };
  const to = take('to', '0xffffffff'), from = take('from', '0');
  const rest = words.join(' ');
  if (kind === 'bytes') return { pattern: { kind, value: required(rest, 'bytes') }, space, from, to };
  if (kind === 'text') {
    const ignoreCase = words.at(-1) === 'nocase';
    const value = unquote(required(ignoreCase ? words.slice(0, -1).join(' ') : rest, 'a text'));
    return { pattern: { kind, value, ignoreCase }, space, from, to };
  }
  if (kind === 'pointer') {
    const at = words.indexOf('slack');
    const slack = at < 0 ? 0 : await evaluateNumber(context, words.slice(at + 1).join(' '), 'the slack', 0, 0x100000);
    return { pattern: { kind, value: required((at < 0 ? words : words.slice(0, at)).join(' '), 'a value'), slack }, space, from, to };
  }
  throw new DebugError('search bytes 55 8b ?? c3, search text "Linux", or search pointer VALUE');
}

async function search(text: string, context: MonitorContext): Promise<string> {
  const request = await readSearch(text, context);
  const matches: string[] = [];
  let next: string | null = null;
  do {
    const piece = await context.handlers['debug.searchMemory']({ ...request, limit: SEARCH_LIMIT - matches.length, next });
    matches.push(...piece.matches);
    next = piece.next;
  } while (next !== null && matches.length < SEARCH_LIMIT);
  if (matches.length === 0) return 'not found';
  const rows: string[] = [];
  for (const match of matches) {
    const { bytes, unmapped } = await context.handlers['debug.readMemory']({ space: request.space, at: `0x${match}`, length: 16 });
    rows.push(dump(BigInt(`0x${match}`), bytes, unmapped));
  }
  return `${rows.join('\n')}\n${plural(matches.length, 'match', 'matches')}${next === null ? '' : ', and maybe more'}`;
}

// --- the commands -----------------------------------------------------------------------------------------------------

const registerNames = (context: MonitorContext): Promise<readonly string[]> =>
  Promise.resolve(context.handlers['debug.registers']({})).then(({ groups: all }) => all.flatMap((group) => group.registers.map(({ name }) => name)));
const symbolCompletion = (_before: readonly string[], word: string, context: MonitorContext): Promise<readonly string[]> => completeSymbol(word, context);

export const stateCommands: readonly MonitorCommand[] = [
  {
    names: ['registers', 'r', 'regs'], group: 'State', arguments: '[GROUP | REGISTER | all]', help: 'shows registers, by field if one is named',
    details: `Groups: ${groups.join(' ')}`,
    complete: async (before, _word, context) => (before.length === 0 ? ['all', ...groups, ...(await registerNames(context))] : []),
    run: registers,
  },
  {
    names: ['set'], group: 'State', arguments: 'REGISTER [=] EXPRESSION', help: 'changes a register',
    complete: async (before, word, context) => (before.length === 0 ? registerNames(context) : completeSymbol(word, context)),
    run: async (text, context) => {
      const match = /^(\$?[\w.]+)\s*=?\s*(\S.*)$/.exec(text);
      if (match === null) throw new DebugError('set REGISTER EXPRESSION');
      const name = match[1].replace(/^\$/, '').toLowerCase();
      await context.handlers['debug.setRegister']({ name, value: match[2] });
      return `${name} set`;
    },
  },
  {
    names: ['print', 'p', 'evaluate', '?'], group: 'State', arguments: 'EXPRESSION', help: 'evaluates an expression over registers, memory and symbols',
    complete: symbolCompletion,
    run: async (text, context) => {
      const result = await context.handlers['debug.evaluate']({ expression: required(text, 'an expression') });
      const shown = result.text === '' ? `0x${result.value.replace(/^0+(?=.)/, '')}  ${result.signed}` : result.text;
      const symbol = result.place?.symbol ?? '';
      return symbol === '' || shown.includes(symbol) ? shown : `${shown}  <${symbol}>`;
    },
  },
  {
    names: ['x'], group: 'State', arguments: '[/COUNT FORMAT SIZE] [ADDRESS]', help: 'examines memory as GDB does; without an address it goes on',
    details: 'Formats: x hexadecimal, d decimal, u unsigned, o octal, t binary, a address, c character, f floating point, s text,\ni instructions. Sizes: b 1, h 2, w 4, g 8 bytes. x/8xw $esp, x/4i eip, x/s banner',
    complete: symbolCompletion, run: (text, context) => examine(text, false, context),
  },
  {
    names: ['xp'], group: 'State', arguments: '[/COUNT FORMAT SIZE] ADDRESS', help: 'as x, by physical address',
    run: (text, context) => examine(text, true, context),
  },
  {
    names: ['write'], group: 'State', arguments: '[/SIZE] [physical] ADDRESS VALUE...', help: 'writes values or "text" to memory, past its protection',
    details: 'Sizes: /b (the default), /h, /w, /g. An address with blanks stands in brackets.',
    run: write,
  },
  {
    names: ['search', 'find'], group: 'State', arguments: '[physical] bytes|text|pointer WHAT [from A] [to B]', help: 'searches memory',
    details: 'search bytes 55 8b ?? c3; search text "Linux" nocase; search pointer EXPRESSION slack 64',
    complete: (before) => (before.length === 0 ? ['bytes', 'text', 'pointer', 'physical'] : []),
    run: search,
  },
  {
    names: ['disassemble', 'dis', 'l'], group: 'State', arguments: '[ADDRESS] [COUNT]', help: 'shows instructions; without an address those that follow',
    details: 'Marks: => the next instruction, * a breakpoint, o a disabled one.',
    complete: symbolCompletion,
    run: async (text, context) => {
      const words = splitWords(text);
      const count = words.length > 1 ? await evaluateNumber(context, words.pop()!, 'the count', 1, 1000) : 16;
      const at = words.length === 0 ? (context.last.disassemble ?? 'eip') : words.join(' ');
      const start = words.length === 0 && context.last.disassemble === null ? await here(context) : at;
      const { lines } = await context.handlers['debug.disassemble']({ at: start, before: 0, count });
      const last = lines.at(-1);
      if (last !== undefined) context.last.disassemble = `0x${(BigInt(`0x${last.address}`) + BigInt(last.bytes?.length || 1)).toString(16)}`;
      return disassemblyText(lines);
    },
  },
  {
    names: ['backtrace', 'bt', 'where'], group: 'State', arguments: '[COUNT]', help: 'shows the calls that led here',
    run: async (text, context) => {
      const limit = text === '' ? 64 : await evaluateNumber(context, text, 'the count', 1, 1000);
      const { frames } = await context.handlers['debug.stack']({ limit });
      if (frames.length === 0) return 'no frames';
      return table(frames.map((frame) => [`#${frame.index}`, placeText(frame.place), `frame ${frame.frame}`, `(${frame.how})`]));
    },
  },
];

const here = async (context: MonitorContext): Promise<string> => `0x${(await context.handlers['debug.status']({})).place.address}`;
