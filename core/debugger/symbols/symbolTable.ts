// All symbols that are loaded: several files, each with an offset that is added to its addresses.
import type { SymbolMatch } from '../../api/debug.ts';
import { DebugError, type SymbolSource } from '../target.ts';
import { maskAddress } from './addressList.ts';
import { CallFrames, type FrameRegisters, type UnwoundFrame } from './callFrames.ts';
import { isElf, parseElf, type ElfFile } from './elf.ts';
import type { FrameMemory } from './frameExpression.ts';
import { LineTable, parseLines } from './lineTable.ts';
import { SymbolSet, type RawSymbol, type StoredSymbol } from './symbolFile.ts';
import { orcTables, unwindOrc, type OrcTables } from './orc.ts';
import { isTextMap, parseTextMap } from './textMap.ts';
import { readUnitDirectories } from './unitDirectories.ts';

const MAX_FILES = 64;
/** Matches that are sorted before the limit counts. */
const MAX_PREFIXED = 5000;
const EMPTY = new Uint8Array(0);
const NO_LINES = new LineTable([], { high: new Uint32Array(), low: new Uint32Array(), file: new Uint32Array(), line: new Uint32Array() }, [], []);

export interface LoadedSymbols {
  readonly id: number;
  readonly path: string;
  /** `ELF32 executable`, `System.map`, `kallsyms`, `kernel memory`. */
  readonly kind: string;
  readonly symbols: number;
  readonly lines: number;
  readonly offset: bigint;
  readonly warnings: readonly string[];
}

/** Says how a caller is found; the unwinder asks it before it looks at frame pointers. */
export interface CallFrameSource {
  /** The caller of the frame whose code is at `address`; null: nothing is known of it. Throws nothing. */
  unwind(address: bigint, registers: FrameRegisters, memory: FrameMemory): UnwoundFrame | null;
  /** The same by a 64-bit Linux kernel's own tables; 'end': the stack begins here. */
  unwindKernel?(address: bigint, registers: FrameRegisters, memory: FrameMemory): UnwoundFrame | 'end' | null;
}

class LoadedFile {
  readonly id: number;
  readonly path: string;
  readonly kind: string;
  readonly offset: bigint;
  readonly symbols: SymbolSet;
  readonly warnings: readonly string[];
  readonly #elf: ElfFile | null;
  #lines: LineTable | null = null;
  #frames: readonly CallFrames[] | null = null;

  constructor(id: number, path: string, kind: string, offset: bigint, symbols: readonly RawSymbol[], warnings: readonly string[], elf: ElfFile | null) {
    this.id = id;
    this.path = path;
    this.kind = kind;
    this.offset = offset;
    this.symbols = new SymbolSet(symbols);
    this.warnings = warnings;
    this.#elf = elf;
  }

  /** Decoded when first asked for: a kernel has millions of rows. */
  get lines(): LineTable {
    this.#lines ??= this.#readLines();
    return this.#lines;
  }

  #content(name: string): Uint8Array {
    try {
      return this.#elf?.section(name)?.bytes ?? EMPTY;
    } catch (error) {
      // A section beyond the end of the file: as good as none.
      if (error instanceof DebugError) return EMPTY;
      throw error;
    }
  }

  #readLines(): LineTable {
    const line = this.#content('.debug_line');
    if (line.length === 0) return NO_LINES;
    const text = this.#content('.debug_str'), lineText = this.#content('.debug_line_str');
    const units = { info: this.#content('.debug_info'), abbreviations: this.#content('.debug_abbrev'), text, lineText };
    let directories: Map<number, string> | null = null;
    return parseLines(this.path, {
      line, text, lineText,
      directory: (offset) => (directories ??= readUnitDirectories(this.path, units)).get(offset) ?? null,
    });
  }

  get frames(): readonly CallFrames[] {
    this.#frames ??= this.#readFrames();
    return this.#frames;
  }

  #readFrames(): CallFrames[] {
    if (this.#elf === null) return [];
    const { bits, sections } = this.#elf, frames: CallFrames[] = [];
    for (const name of ['.debug_frame', '.eh_frame']) {
      const bytes = this.#content(name);
      if (bytes.length === 0) continue;
      const address = sections.find((section) => section.name === name)?.address ?? 0n;
      frames.push(new CallFrames(this.path, bytes, { eh: name === '.eh_frame', address, bits }));
    }
    return frames;
  }

  inFile(address: bigint): bigint {
    return maskAddress(address - this.offset);
  }
  /** Constants do not move with their file. */
  placed(symbol: StoredSymbol): bigint {
    return symbol.kind === 'absolute' ? symbol.address : maskAddress(symbol.address + this.offset);
  }
}

export class SymbolTable implements SymbolSource, CallFrameSource {
  #files: LoadedFile[] = [];
  #nextId = 1;
  /** Looked for again when the files change. */
  #orc: OrcTables | null | undefined;

  /** Throws a DebugError that names the file, what was expected and what was found. */
  load(path: string, bytes: Uint8Array, offset: bigint): LoadedSymbols {
    if (isElf(bytes)) {
      const elf = parseElf(path, bytes);
      return this.#add(path, elf.kind, offset, elf.symbols, elf.warnings, elf);
    }
    if (isTextMap(bytes)) {
      const map = parseTextMap(path, bytes);
      return this.#add(path, map.kind, offset, map.symbols, map.warnings, null);
    }
    const found = bytes.length === 0 ? 'an empty file' : `bytes ${[...bytes.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')}`;
    throw new DebugError(`${path}: expected an ELF file, System.map or kallsyms text, found ${found}`);
  }

  /** Symbols that come from elsewhere, for example out of a kernel's memory. */
  add(path: string, kind: string, symbols: readonly RawSymbol[], offset = 0n): LoadedSymbols {
    return this.#add(path, kind, offset, symbols, [], null);
  }

  #add(path: string, kind: string, offset: bigint, symbols: readonly RawSymbol[], warnings: readonly string[], elf: ElfFile | null): LoadedSymbols {
    if (this.#files.length >= MAX_FILES) throw new DebugError(`${path}: at most ${MAX_FILES} symbol files can be loaded; unload one first`);
    const file = new LoadedFile(this.#nextId++, path, kind, maskAddress(offset), symbols, warnings, elf);
    // Newest first: a file that is loaded again wins.
    this.#files.unshift(file);
    this.#orc = undefined;
    return describe(file);
  }

  /** False: there is no such file. */
  unload(id: number): boolean {
    const before = this.#files.length;
    this.#files = this.#files.filter((file) => file.id !== id);
    this.#orc = undefined;
    return this.#files.length < before;
  }

  list(): LoadedSymbols[] {
    return this.#files.map(describe).sort((a, b) => a.id - b.id);
  }

  address(name: string): bigint | undefined {
    for (const file of this.#files) {
      const symbol = file.symbols.named(name);
      if (symbol !== undefined) return file.placed(symbol);
    }
    return undefined;
  }

  nearest(address: bigint): { name: string; address: bigint; offset: bigint } | null {
    const found = this.#nearest(address);
    if (found === null) return null;
    const start = found.file.placed(found.symbol);
    return { name: found.symbol.name, address: start, offset: maskAddress(address - start) };
  }

  /** The symbol that holds an address with its end, if that is known. */
  enclosing(address: bigint): { name: string; address: bigint; size: number; kind: string } | null {
    const found = this.#nearest(address);
    if (found === null) return null;
    const { name, size, kind } = found.symbol;
    return { name, address: found.file.placed(found.symbol), size, kind };
  }

  #nearest(address: bigint): { file: LoadedFile; symbol: StoredSymbol } | null {
    let best: { file: LoadedFile; symbol: StoredSymbol } | null = null, distance = 0n;
    for (const file of this.#files) {
      const symbol = file.symbols.nearest(file.inFile(address));
      if (symbol === null) continue;
      const offset = maskAddress(address - file.placed(symbol));
      if (best === null || offset < distance) {
        best = { file, symbol };
        distance = offset;
      }
    }
    return best;
  }

  line(address: bigint): { file: string; line: number } | null {
    for (const file of this.#files) {
      const line = file.lines.line(file.inFile(address));
      if (line !== null) return line;
    }
    return null;
  }

  /** [from, to) of the line at an address. */
  lineRange(address: bigint): { from: bigint; to: bigint } | null {
    for (const file of this.#files) {
      const range = file.lines.lineRange(file.inFile(address));
      if (range !== null) return { from: maskAddress(range.from + file.offset), to: maskAddress(range.to + file.offset) };
    }
    return null;
  }

  /** Lines of a source file that have code, ascending. `file` is a path as line tables have it, or its last parts. */
  source(file: string): { line: number; address: bigint }[] {
    const wanted = normalised(file);
    const matches = (path: string): boolean => {
      const known = normalised(path);
      return known === wanted || known.endsWith(`/${wanted}`);
    };
    const lines = new Map<number, bigint>();
    for (const loaded of this.#files) {
      for (const [line, address] of loaded.lines.source(matches)) {
        if (!lines.has(line)) lines.set(line, maskAddress(address + loaded.offset));
      }
    }
    return [...lines].map(([line, address]) => ({ line, address })).sort((a, b) => a.line - b.line);
  }

  /** Address of a line that has code, or of the next one below it. */
  lineAddress(file: string, line: number): bigint | undefined {
    return this.source(file).find((entry) => entry.line >= line)?.address;
  }

  /** All source files that line tables name. */
  sourceFiles(): string[] {
    return [...new Set(this.#files.flatMap((file) => file.lines.files))].filter((name) => name !== '?' && !name.endsWith('/')).sort();
  }

  /** Names that begin with a text, then those that hold it; case does not matter. */
  find(text: string, limit: number): SymbolMatch[] {
    const wanted = text.toLowerCase();
    const prefixed: SymbolMatch[] = [], holding: SymbolMatch[] = [];
    const seen = new Set<string>();
    for (const file of this.#files) {
      const names = file.symbols.lowerNames();
      for (let index = 0; index < names.length; index++) {
        const at = names[index].indexOf(wanted);
        if (at < 0) continue;
        const list = at === 0 ? prefixed : holding;
        if (at !== 0 ? holding.length >= limit : prefixed.length >= MAX_PREFIXED) continue;
        const match = matchOf(file, file.symbols.at(index));
        const key = `${match.name} ${match.address}`;
        if (seen.has(key)) continue;
        seen.add(key);
        list.push(match);
      }
    }
    // Short names first: what was typed is nearly the whole of them.
    prefixed.sort((a, b) => a.name.length - b.name.length || (a.name < b.name ? -1 : 1));
    return [...prefixed, ...holding].slice(0, limit);
  }

  unwind(address: bigint, registers: FrameRegisters, memory: FrameMemory): UnwoundFrame | null {
    for (const file of this.#files) {
      for (const frames of file.frames) {
        const found = frames.unwind(file.inFile(address), registers, memory);
        if (found !== null) return found;
      }
    }
    return null;
  }

  unwindKernel(address: bigint, registers: FrameRegisters, memory: FrameMemory): UnwoundFrame | 'end' | null {
    if (this.#orc === undefined) this.#orc = orcTables((name) => this.address(name));
    return this.#orc === null ? null : unwindOrc(this.#orc, address, registers, memory);
  }
}

function describe(file: LoadedFile): LoadedSymbols {
  const { id, path, kind, offset, symbols, lines } = file;
  return { id, path, kind, symbols: symbols.length, lines: lines.rows, offset, warnings: [...file.warnings, ...lines.warnings] };
}

function matchOf(file: LoadedFile, symbol: StoredSymbol): SymbolMatch {
  return { name: symbol.name, address: file.placed(symbol).toString(16), kind: symbol.kind, size: symbol.size };
}

/** `a/./b/../c` is `a/c`. */
function normalised(path: string): string {
  const parts: string[] = [];
  for (const part of path.replaceAll('\\', '/').split('/')) {
    if (part === '.') continue;
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '' && parts.at(-1) !== '..') parts.pop();
    else parts.push(part);
  }
  return parts.join('/');
}
