// A command of the monitor: one entry says what it is called, what it takes, what it does, how it is completed and run.
import type { debugMethods } from '../../api/debug.ts';
import type { Handlers } from '../../api/definition.ts';
import { DebugError } from '../target.ts';

export type DebugHandlers = Handlers<typeof debugMethods>;

export interface MonitorContext {
  readonly handlers: DebugHandlers;
  /** Resets the machine; absent: it cannot be done from here. */
  readonly reset: (() => void) | null;
  /** Where `x` and `disassemble` go on without an address. */
  readonly last: { examine: ExamineState; disassemble: string | null };
}

export interface ExamineState {
  format: string;
  size: 1 | 2 | 4 | 8;
  next: bigint | null;
  physical: boolean;
}

export interface MonitorCommand {
  readonly names: readonly [string, ...string[]];
  readonly group: 'Running' | 'Breakpoints' | 'State' | 'Tables' | 'Symbols' | 'Traps' | 'Other';
  /** As shown in help: `ADDRESS [COUNT]`. */
  readonly arguments: string;
  /** One line; `details` has the rest. */
  readonly help: string;
  readonly details?: string;
  /** Candidates for the argument being typed; `before` are the finished words. */
  complete?(before: readonly string[], word: string, context: MonitorContext): Promise<readonly string[]> | readonly string[];
  run(text: string, context: MonitorContext): Promise<string>;
}

export const usage = (command: Pick<MonitorCommand, 'names' | 'arguments'>): string =>
  `${command.names[0]}${command.arguments === '' ? '' : ` ${command.arguments}`}`;

/** Words of a line: separated by blanks outside of quotes and brackets. Quotes stay. */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  let word = '', depth = 0, quote = false;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (quote && character === '\\' && index + 1 < text.length) {
      word += character + text[++index];
      continue;
    }
    if (character === '"') quote = !quote;
    else if (!quote && '([{'.includes(character)) depth++;
    else if (!quote && ')]}'.includes(character)) depth = Math.max(0, depth - 1);
    if (/\s/.test(character) && !quote && depth === 0) {
      if (word !== '') words.push(word);
      word = '';
    } else word += character;
  }
  if (word !== '') words.push(word);
  return words;
}

/** The text within quotes, escapes undone; a word without quotes as it is. */
export function unquote(word: string): string {
  if (!word.startsWith('"')) return word;
  const inner = word.slice(1, word.endsWith('"') && word.length > 1 ? -1 : undefined);
  return inner.replace(/\\(.)/g, (_match, character: string) => ({ n: '\n', t: '\t' })[character] ?? character);
}

export const required = (text: string, what: string): string => {
  if (text.trim() === '') throw new DebugError(`${what} is needed`);
  return text.trim();
};

/** A value by the rules of expressions, so that the radix is the same everywhere. */
export async function evaluate(context: MonitorContext, expression: string): Promise<bigint> {
  const { value } = await context.handlers['debug.evaluate']({ expression });
  return BigInt(`0x${value}`);
}

/** As evaluate, within limits; plain digits are decimal. */
export async function evaluateNumber(context: MonitorContext, expression: string, what: string, low: number, high: number): Promise<number> {
  const value = /^\d+$/.test(expression) ? BigInt(expression) : await evaluate(context, expression);
  if (value < BigInt(low) || value > BigInt(high)) throw new DebugError(`${what} must be from ${low} to ${high}: ${expression} is ${value}`);
  return Number(value);
}

export function oneOf<T extends string>(word: string, allowed: readonly T[], what: string): T {
  const exact = allowed.find((name) => name === word);
  if (exact !== undefined) return exact;
  const starts = allowed.filter((name) => name.startsWith(word) && word !== '');
  if (starts.length === 1) return starts[0];
  throw new DebugError(`${what} is one of ${allowed.join(', ')}${word === '' ? '' : `; not ${word}`}`);
}

/** Names of symbols that begin with a word. */
export async function completeSymbol(word: string, context: MonitorContext): Promise<readonly string[]> {
  const name = /[A-Za-z_.$][\w.$]*$/.exec(word)?.[0] ?? '';
  if (name.length < 2) return [];
  const { symbols } = await context.handlers['debug.findSymbols']({ text: name, limit: 200 });
  const head = word.slice(0, word.length - name.length);
  return symbols.filter((symbol) => symbol.name.startsWith(name)).map((symbol) => head + symbol.name);
}
