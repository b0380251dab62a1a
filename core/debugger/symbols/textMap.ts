// Symbols as text: `System.map` as `nm` writes it, and /proc/kallsyms (address, type letter, name, [module]).
import { DebugError } from '../target.ts';
import { decodeText } from './byteReader.ts';
import type { RawSymbol, SymbolKind } from './symbolFile.ts';

const MAX_SYMBOLS = 4_000_000;
/** Broken lines that are still a map with a few broken lines. */
const MAX_BROKEN = 100;
const NEWLINE = 0x0a;
const MAX_LINE = 2048;
const LINE = /^([0-9a-fA-F]{1,16}) ([A-Za-z?-]) (\S{1,1024})(?:[ \t]+\[([^\]]{1,128})\])?$/;

export interface TextMap {
  readonly kind: string;
  readonly symbols: readonly RawSymbol[];
  readonly warnings: readonly string[];
}

/** nm(1): upper case is global; `A` is a constant; `U` and lines without an address are left out. */
function kindOf(letter: string): SymbolKind | null {
  switch (letter.toLowerCase()) {
    case 't': case 'w': case 'i':
      return 'function';
    case 'a':
      return 'absolute';
    case 'u': case '?': case '-':
      return letter === 'u' ? 'data' : null;
    default:
      return 'data';
  }
}

/** Looks at the beginning of a file only. */
export function isTextMap(bytes: Uint8Array): boolean {
  const end = bytes.subarray(0, MAX_LINE).indexOf(NEWLINE);
  const line = decodeText(bytes, 0, end < 0 ? Math.min(bytes.length, MAX_LINE) : end).trimEnd();
  return /^[0-9a-fA-F]{1,16} [A-Za-z?-] \S/.test(line);
}

/** Throws a DebugError that names the file, what was expected and what was found. */
export function parseTextMap(path: string, bytes: Uint8Array): TextMap {
  const symbols: RawSymbol[] = [];
  let broken = 0, firstBroken = '', number = 0, modules = false, nonZero = false;
  for (let at = 0; at < bytes.length; ) {
    let end = bytes.indexOf(NEWLINE, at);
    if (end < 0) end = bytes.length;
    number++;
    const line = decodeText(bytes, at, Math.min(end, at + MAX_LINE)).trimEnd();
    at = end + 1;
    if (line === '') continue;
    const match = LINE.exec(line);
    if (match === null) {
      if (broken++ === 0) firstBroken = `line ${number}: ${JSON.stringify(line.slice(0, 80))}`;
      if (broken > MAX_BROKEN) break;
      continue;
    }
    const symbol = symbolOf(match);
    if (symbol === null) continue;
    if (match[4] !== undefined) modules = true;
    if (symbol.address !== 0n) nonZero = true;
    if (symbols.length >= MAX_SYMBOLS) {
      throw new DebugError(`${path}: expected at most ${MAX_SYMBOLS} symbols, found more`);
    }
    symbols.push(symbol);
  }
  return checked(path, symbols, { broken, firstBroken, modules, nonZero });
}

function symbolOf(match: RegExpExecArray): RawSymbol | null {
  const [, address, letter, name, module] = match;
  const kind = kindOf(letter);
  if (kind === null) return null;
  // Per-CPU offsets of a 64-bit kernel are marked as constants, and so they are kept.
  const rank = (letter === letter.toLowerCase() ? 2 : 0) + (/^(__pfx_|[._$])/.test(name) ? 4 : 0) + (module === undefined ? 0 : 1);
  return { name, address: BigInt(`0x${address}`), size: 0, kind, rank };
}

function checked(
  path: string,
  symbols: RawSymbol[],
  found: { broken: number; firstBroken: string; modules: boolean; nonZero: boolean },
): TextMap {
  const { broken, firstBroken } = found;
  if (symbols.length === 0 || broken > Math.max(MAX_BROKEN, symbols.length)) {
    throw new DebugError(
      `${path}: expected lines of "address type name" as in System.map, found ${firstBroken === '' ? 'none' : firstBroken}`,
    );
  }
  const warnings: string[] = [];
  if (broken > 0) warnings.push(`${path}: ${broken} lines are no symbols, the first is ${firstBroken}`);
  if (!found.nonZero) warnings.push(`${path}: all addresses are zero: read /proc/kallsyms as root (kernel.kptr_restrict)`);
  if (symbols.length < 10 && /System\.map/.test(path)) {
    warnings.push(`${path}: it has ${symbols.length} symbols only: the distribution ships the real one elsewhere`);
  }
  return { kind: found.modules ? 'kallsyms' : 'System.map', symbols, warnings };
}
