// Text of an expression to a tree. The language is described in expressions.ts.
import { DebugError } from './target.ts';

export type Node =
  | { readonly kind: 'number'; readonly value: bigint }
  | { readonly kind: 'name'; readonly name: string; readonly only: 'register' | 'symbol' | null; readonly position: number }
  | { readonly kind: 'memory'; readonly address: Node; readonly bytes: 0 | 1 | 2 | 4 | 8; readonly signed: boolean; readonly physical: boolean }
  | { readonly kind: 'far'; readonly segment: Node; readonly offset: Node; readonly position: number }
  | { readonly kind: 'unary'; readonly operator: string; readonly operand: Node }
  | { readonly kind: 'binary'; readonly operator: string; readonly left: Node; readonly right: Node; readonly position: number }
  | { readonly kind: 'choice'; readonly condition: Node; readonly whenTrue: Node; readonly whenFalse: Node };

interface Token {
  readonly kind: 'number' | 'name' | 'register' | 'quoted' | 'operator' | 'end';
  readonly text: string;
  readonly position: number;
  /** No space before it. */
  readonly tight: boolean;
}

const MAX_LENGTH = 4000;
const MAX_DEPTH = 100;
const OPERATORS = ['<<', '>>', '<=', '>=', '==', '!=', '&&', '||', '+', '-', '*', '/', '%', '&', '^', '|', '~', '!', '<', '>', '?', ':', '(', ')', '[', ']', ','];
const LEVELS: readonly (readonly string[])[] = [
  ['||'], ['&&'], ['==', '!='], ['<', '<=', '>', '>='], ['|'], ['^'], ['&'], ['<<', '>>'], ['+', '-'], ['*', '/', '%'],
];
const SIZES: Readonly<Record<string, 1 | 2 | 4 | 8>> = { byte: 1, word: 2, dword: 4, qword: 8 };
const ACCESSOR = /^([us])(8|16|32|64)$/i;
const NUMBER = /[0-9][0-9A-Za-z]*/y;
const NAME = /[A-Za-z_.@][\w.$@]*/y;
const SPACE = /\s*/y;
const SEGMENT = /^[ecsdfg]s$/i;
const BARE_HEX = /^[0-9a-f]{1,4}$/i;

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let position = 0;
  const fail = (what: string): never => {
    throw new DebugError(`${what} at position ${position + 1} of ${JSON.stringify(text)}`);
  };
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = position;
    return pattern.exec(text)?.[0] ?? null;
  };
  for (;;) {
    const space = match(SPACE) ?? '';
    position += space.length;
    const tight = space === '' && tokens.length > 0;
    if (position >= text.length) {
      tokens.push({ kind: 'end', text: '', position, tight });
      return tokens;
    }
    const start = position;
    const push = (kind: Token['kind'], content: string, length: number): void => {
      tokens.push({ kind, text: content, position: start, tight });
      position += length;
    };
    const number = match(NUMBER);
    if (number !== null) {
      push('number', number, number.length);
      continue;
    }
    const name = match(NAME);
    if (name !== null) {
      push('name', name, name.length);
      continue;
    }
    const character = text[position];
    if (character === '$') {
      position++;
      const register = match(NAME) ?? fail('a register name is expected behind $');
      position--;
      push('register', register, register.length + 1);
    } else if (character === "'" || character === '"') {
      const end = text.indexOf(character, position + 1);
      if (end < 0) fail('a quoted name that does not end');
      push('quoted', text.slice(position + 1, end), end + 1 - position);
    } else {
      const operator = OPERATORS.find((known) => text.startsWith(known, position)) ?? fail(`${JSON.stringify(character)} is not understood`);
      push('operator', operator, operator.length);
    }
  }
}

/** Undefined: it is no number. */
function numberOf(text: string): bigint | undefined {
  const lower = text.toLowerCase();
  if (/^0x[0-9a-f]+$/.test(lower)) return BigInt(lower);
  if (/^0n[0-9]+$/.test(lower)) return BigInt(lower.slice(2));
  if (/^[0-9][0-9a-f]*h$/.test(lower)) return BigInt(`0x${lower.slice(0, -1)}`);
  if (!/^[0-9a-f]+$/.test(lower)) return undefined;
  const decimal = /^[0-9]+$/.test(lower) && lower.length !== 8 && lower.length !== 16 && (lower === '0' || lower[0] !== '0');
  return BigInt(decimal ? lower : `0x${lower}`);
}

class Parser {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;
  /** Inside `a ? b`: a colon is the choice's. */
  #choices = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokenize(text);
  }

  parse(): Node {
    const node = this.#expression();
    if (this.#peek.kind !== 'end') this.#fail('an operator or the end');
    return node;
  }

  get #peek(): Token {
    return this.#tokens[this.#at];
  }
  #next(): Token {
    return this.#tokens[this.#at++];
  }
  #is(operator: string): boolean {
    return this.#peek.kind === 'operator' && this.#peek.text === operator;
  }
  #fail(expected: string): never {
    const { kind, text, position } = this.#peek;
    const found = kind === 'end' ? 'the end' : JSON.stringify(text);
    throw new DebugError(`expected ${expected} at position ${position + 1} of ${JSON.stringify(this.#text)}, found ${found}`);
  }
  #expect(operator: string): void {
    if (!this.#is(operator)) this.#fail(JSON.stringify(operator));
    this.#at++;
  }

  #expression(): Node {
    if (++this.#depth > MAX_DEPTH) throw new DebugError(`the expression is nested more than ${MAX_DEPTH} levels deep`);
    const condition = this.#binary(0);
    let node = condition;
    if (this.#is('?')) {
      this.#at++;
      this.#choices++;
      const whenTrue = this.#expression();
      this.#choices--;
      this.#expect(':');
      node = { kind: 'choice', condition, whenTrue, whenFalse: this.#expression() };
    }
    this.#depth--;
    return node;
  }

  #binary(level: number): Node {
    if (level === LEVELS.length) return this.#unary();
    let left = this.#binary(level + 1);
    while (this.#peek.kind === 'operator' && LEVELS[level].includes(this.#peek.text)) {
      const { text: operator, position } = this.#next();
      left = { kind: 'binary', operator, left, right: this.#binary(level + 1), position };
    }
    return left;
  }

  #unary(): Node {
    const { kind, text } = this.#peek;
    if (kind === 'operator' && ['-', '+', '~', '!'].includes(text)) {
      if (++this.#depth > MAX_DEPTH) throw new DebugError(`the expression is nested more than ${MAX_DEPTH} levels deep`);
      this.#at++;
      const operand = this.#unary();
      this.#depth--;
      return { kind: 'unary', operator: text, operand };
    }
    return this.#far(this.#primary());
  }

  /** `es:edi` and `f000:fff0`, written without spaces. */
  #far(segment: Node): Node {
    const colon = this.#peek;
    if (this.#choices > 0 || !this.#is(':') || !colon.tight || !this.#tokens[this.#at + 1].tight) return segment;
    this.#at++;
    return { kind: 'far', segment: this.#asSegment(segment), offset: this.#asOffset(this.#primary()), position: colon.position };
  }
  /** Parts of a far address are hexadecimal, with or without letters. */
  #asSegment(node: Node): Node {
    const { text } = this.#tokens[this.#at - 2];
    if (node.kind === 'name' && SEGMENT.test(node.name)) return node;
    return node.kind === 'number' && BARE_HEX.test(text) ? { kind: 'number', value: BigInt(`0x${text}`) } : node;
  }
  #asOffset(node: Node): Node {
    const { text } = this.#tokens[this.#at - 1];
    return node.kind === 'number' && BARE_HEX.test(text) ? { kind: 'number', value: BigInt(`0x${text}`) } : node;
  }

  #primary(): Node {
    const { kind, text, position } = this.#peek;
    if (kind === 'number') {
      this.#at++;
      const value = numberOf(text);
      if (value === undefined) throw new DebugError(`${JSON.stringify(text)} at position ${position + 1} of ${JSON.stringify(this.#text)} is no number`);
      return { kind: 'number', value };
    }
    if (kind === 'register' || kind === 'quoted') {
      this.#at++;
      return { kind: 'name', name: text, only: kind === 'register' ? 'register' : 'symbol', position };
    }
    if (kind === 'name') return this.#name();
    if (this.#is('(')) {
      this.#at++;
      const node = this.#inBrackets(')');
      return node;
    }
    if (this.#is('[')) return this.#memory(0, false, false);
    return this.#fail('a value');
  }

  #name(): Node {
    const { text, position } = this.#next();
    const lower = text.toLowerCase();
    const follows = this.#peek;
    const opens = follows.kind === 'operator' && (follows.text === '[' || follows.text === '(');
    if (lower === 'phys' && (opens || (follows.kind === 'name' && SIZES[follows.text.toLowerCase()] !== undefined))) {
      return opens ? this.#memory(0, false, true) : this.#sized(SIZES[this.#next().text.toLowerCase()], true);
    }
    if (SIZES[lower] !== undefined && (opens || (follows.kind === 'name' && ['phys', 'ptr'].includes(follows.text.toLowerCase())))) {
      return this.#sized(SIZES[lower], false);
    }
    const accessor = opens ? ACCESSOR.exec(text) : null;
    if (accessor !== null) {
      return this.#memory((Number(accessor[2]) / 8) as 1 | 2 | 4 | 8, accessor[1].toLowerCase() === 's', false);
    }
    return { kind: 'name', name: text, only: null, position };
  }

  #sized(bytes: 1 | 2 | 4 | 8, physical: boolean): Node {
    while (this.#peek.kind === 'name' && ['phys', 'ptr'].includes(this.#peek.text.toLowerCase())) {
      physical ||= this.#next().text.toLowerCase() === 'phys';
    }
    return this.#memory(bytes, false, physical);
  }

  #memory(bytes: 0 | 1 | 2 | 4 | 8, signed: boolean, physical: boolean): Node {
    if (!this.#is('[') && !this.#is('(')) this.#fail('"["');
    const close = this.#next().text === '[' ? ']' : ')';
    return { kind: 'memory', address: this.#inBrackets(close), bytes, signed, physical };
  }

  #inBrackets(close: string): Node {
    const choices = this.#choices;
    this.#choices = 0;
    const node = this.#expression();
    this.#choices = choices;
    this.#expect(close);
    return node;
  }
}

export function parseExpression(text: string): Node {
  if (text.length > MAX_LENGTH) throw new DebugError(`an expression has at most ${MAX_LENGTH} characters, this one has ${text.length}`);
  return new Parser(text).parse();
}
