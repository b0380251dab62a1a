// Texts with {expressions}: log points. `{{` and `}}` are braces; `{eax:x}` chooses a format: x hexadecimal, d signed and
// u unsigned decimal, b binary, c character, s the C string at the address, a the address with its symbol.
import { compile, toUnsigned, type CompiledExpression, type ExpressionContext } from './expressions.ts';
import { DebugError } from './target.ts';

export interface TemplateContext extends ExpressionContext {
  /** `trap+12h`; null: no symbol is near. */
  readonly name?: (address: bigint) => string | null;
}

export interface CompiledTemplate {
  readonly text: string;
  /** Never throws: what cannot be evaluated says why in its place. */
  format(context: TemplateContext): string;
}

const MAX_STRING = 256;
const MAX_TEXT = 4000;
const FORMAT = /:\s*([xdubcsa])\s*$/;

type Part = string | { readonly expression: CompiledExpression; readonly format: string };

/** Throws a DebugError that says what is wrong with an expression in it. */
export function compileTemplate(text: string): CompiledTemplate {
  const parts: Part[] = [];
  let literal = '';
  for (let at = 0; at < text.length; ) {
    const character = text[at];
    if ((character === '{' || character === '}') && text[at + 1] === character) {
      literal += character;
      at += 2;
    } else if (character === '{') {
      const end = text.indexOf('}', at);
      if (end < 0) throw new DebugError(`{ at position ${at + 1} of ${JSON.stringify(text)} is not closed`);
      if (literal !== '') parts.push(literal);
      literal = '';
      parts.push(placeholder(text.slice(at + 1, end)));
      at = end + 1;
    } else {
      literal += character;
      at++;
    }
  }
  if (literal !== '') parts.push(literal);
  return { text, format: (context) => parts.map((part) => (typeof part === 'string' ? part : formatted(part, context))).join('').slice(0, MAX_TEXT) };
}

export const formatTemplate = (text: string, context: TemplateContext): string => compileTemplate(text).format(context);

function placeholder(inside: string): Part {
  const format = FORMAT.exec(inside);
  const expression = format === null ? inside : inside.slice(0, format.index);
  return { expression: compile(expression), format: format?.[1] ?? '' };
}

function formatted({ expression, format }: Exclude<Part, string>, context: TemplateContext): string {
  try {
    const value = expression.evaluate(context);
    switch (format) {
      case 'd': return signedText(expression.evaluateSigned(context), context);
      case 'u': return value.toString();
      case 'b': return `${value.toString(2)}b`;
      case 'c': return printable(Number(value & 0xffn));
      case 's': return stringAt(value, context);
      case 'a': return context.name?.(value) ?? `${value.toString(16)}h`;
      case 'x': return value.toString(16);
      default: return value < 10n ? value.toString() : `${value.toString(16)}h`;
    }
  } catch (error) {
    if (error instanceof DebugError) return `<${error.message}>`;
    throw error;
  }
}

/** A value that fits a register is read as that register's two's complement. */
function signedText(value: bigint, context: ExpressionContext): string {
  if (value < 0n) return value.toString();
  const unsigned = toUnsigned(value, context);
  return BigInt.asIntN(unsigned > 0xffff_ffffn ? 64 : 32, unsigned).toString();
}

const printable = (byte: number): string => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.');

function stringAt(address: bigint, context: ExpressionContext): string {
  let text = '';
  for (let offset = 0; offset < MAX_STRING; offset++) {
    const byte = context.memory('linear', address + BigInt(offset), 1);
    if (byte === null) return text === '' ? `<memory at ${address.toString(16)}h is not mapped>` : text;
    if (byte[0] === 0) return text;
    text += printable(byte[0]);
  }
  return `${text}...`;
}
