// Line number tables: `.debug_line` of DWARF 2 to 5 (DWARF 5 6.2; DWARF 4 6.2 for versions 2..4).
import { DebugError } from '../target.ts';
import { AddressList, GrowingWords } from './addressList.ts';
import { ByteReader, textAt } from './byteReader.ts';

const MAX_ROWS = 16_000_000;
const MAX_FILES = 200_000;
const MAX_DIRECTORIES = 100_000;
/** Instructions of all programs together: what a hostile table may cost. */
const MAX_STEPS = 64_000_000;
const MAX_FORMATS = 32;

const OPCODE = {
  extended: 0, copy: 1, advancePc: 2, advanceLine: 3, setFile: 4, setColumn: 5, negateStatement: 6, basicBlock: 7,
  constAddPc: 8, fixedAdvancePc: 9, prologueEnd: 10, epilogueBegin: 11, setIsa: 12,
} as const;
const EXTENDED = { endSequence: 1, setAddress: 2, defineFile: 3 } as const;
const CONTENT = { path: 1, directory: 2 } as const;

export interface LineSections {
  readonly line: Uint8Array;
  /** `.debug_line_str` and `.debug_str`, empty if there is none. */
  readonly lineText: Uint8Array;
  readonly text: Uint8Array;
  /** Compilation directory of the unit whose line table lies at an offset; null: not known. */
  readonly directory: (offset: number) => string | null;
}

interface Sequence {
  readonly first: number;
  readonly end: number;
  readonly from: bigint;
  /** End of the last row. */
  readonly to: bigint;
}

/** Rows are {address, file, line | not a statement << 31}, sorted within a sequence. */
export class LineTable {
  readonly files: readonly string[];
  readonly warnings: readonly string[];
  readonly #high: Uint32Array;
  readonly #low: Uint32Array;
  readonly #file: Uint32Array;
  readonly #line: Uint32Array;
  readonly #sequences: readonly Sequence[];
  readonly #starts: AddressList;

  constructor(
    files: readonly string[],
    rows: { high: Uint32Array; low: Uint32Array; file: Uint32Array; line: Uint32Array },
    sequences: readonly Sequence[],
    warnings: readonly string[],
  ) {
    this.files = files;
    this.warnings = warnings;
    this.#high = rows.high;
    this.#low = rows.low;
    this.#file = rows.file;
    this.#line = rows.line;
    this.#sequences = [...sequences].sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0));
    const high = Uint32Array.from(this.#sequences, ({ from }) => Number(from >> 32n));
    this.#starts = new AddressList(high, Uint32Array.from(this.#sequences, ({ from }) => Number(from & 0xffffffffn)));
  }

  get rows(): number {
    return this.#line.length;
  }

  #address(row: number): bigint {
    return (BigInt(this.#high[row]) << 32n) | BigInt(this.#low[row]);
  }

  /** The row that covers an address, and the sequence it is in. */
  #find(address: bigint): { row: number; sequence: Sequence } | null {
    // Sequences may overlap in broken or garbage-collected code only: a few are tried.
    let index = this.#starts.floor(address);
    for (let tried = 0; index >= 0 && tried < 4; index--, tried++) {
      const sequence = this.#sequences[index];
      if (address >= sequence.to) continue;
      let from = sequence.first, to = sequence.end;
      while (from < to) {
        const middle = (from + to) >>> 1;
        if (this.#address(middle) <= address) from = middle + 1;
        else to = middle;
      }
      if (from > sequence.first) return { row: from - 1, sequence };
    }
    return null;
  }

  line(address: bigint): { file: string; line: number } | null {
    const found = this.#find(address);
    if (found === null) return null;
    const line = this.#line[found.row] & 0x7fffffff;
    return line === 0 ? null : { file: this.files[this.#file[found.row]], line };
  }

  /** [from, to) of the code around an address that belongs to its line. */
  lineRange(address: bigint): { from: bigint; to: bigint } | null {
    const found = this.#find(address);
    if (found === null) return null;
    const { row, sequence } = found;
    const same = (other: number): boolean =>
      this.#file[other] === this.#file[row] && ((this.#line[other] ^ this.#line[row]) & 0x7fffffff) === 0;
    let first = row, after = row + 1;
    while (first > sequence.first && same(first - 1)) first--;
    while (after < sequence.end && same(after)) after++;
    return { from: this.#address(first), to: after < sequence.end ? this.#address(after) : sequence.to };
  }

  /** Where the lines of a file begin: the lowest address of each, by line. */
  source(matches: (file: string) => boolean): Map<number, bigint> {
    const wanted = new Set<number>();
    this.files.forEach((file, index) => {
      if (matches(file)) wanted.add(index);
    });
    const lines = new Map<number, bigint>();
    if (wanted.size === 0) return lines;
    for (let row = 0; row < this.#line.length; row++) {
      const line = this.#line[row];
      if (line === 0 || line >= 0x80000000 || !wanted.has(this.#file[row])) continue;
      const address = this.#address(row), known = lines.get(line);
      if (known === undefined || address < known) lines.set(line, address);
    }
    return lines;
  }
}

interface ProgramHeader {
  readonly version: number;
  readonly minimum: number;
  readonly defaultIsStatement: boolean;
  readonly lineBase: number;
  readonly lineRange: number;
  readonly opcodeBase: number;
  readonly lengths: readonly number[];
  readonly addressBytes: number;
  /** Index of the table's file list, by the program's file number. */
  readonly files: number[];
  readonly directories: readonly string[];
}

/** Throws a DebugError when the section as a whole is broken; a broken unit is a warning. */
export function parseLines(path: string, sections: LineSections): LineTable {
  return new LineParser(path, sections).parse();
}

class LineParser {
  readonly #path: string;
  readonly #sections: LineSections;
  readonly #files: string[] = [];
  readonly #fileIndex = new Map<string, number>();
  readonly #high = new GrowingWords();
  readonly #low = new GrowingWords();
  readonly #file = new GrowingWords();
  readonly #line = new GrowingWords();
  readonly #sequences: Sequence[] = [];
  readonly #warnings: string[] = [];
  #steps = 0;

  constructor(path: string, sections: LineSections) {
    this.#path = path;
    this.#sections = sections;
  }

  parse(): LineTable {
    const reader = new ByteReader(this.#sections.line, `${this.#path}: section .debug_line`);
    while (!reader.atEnd && this.#warnings.length < 20) {
      const offset = reader.position;
      try {
        this.#unit(reader, offset);
      } catch (error) {
        if (!(error instanceof DebugError)) throw error;
        this.#warnings.push(error.message);
        if (reader.position <= offset) break;
      }
    }
    const rows = { high: this.#high.finish(), low: this.#low.finish(), file: this.#file.finish(), line: this.#line.finish() };
    return new LineTable(this.#files, rows, this.#sequences, this.#warnings);
  }

  #unit(reader: ByteReader, offset: number): void {
    let length = reader.u32(), offsetBytes: 4 | 8 = 4;
    if (length === 0xffffffff) {
      offsetBytes = 8;
      length = reader.size64('length of a unit');
    } else if (length >= 0xfffffff0) reader.fail('the length of a unit', `${length.toString(16)}h`);
    // From here on the next unit can be found, whatever is wrong with this one.
    const unit = reader.part(length, `${reader.what}, unit at ${offset}`);
    const { header, program } = this.#header(unit, offset, offsetBytes);
    this.#run(unit, program, header);
  }

  #header(unit: ByteReader, offset: number, offsetBytes: 4 | 8): { header: ProgramHeader; program: number } {
    const version = unit.u16();
    if (version < 2 || version > 5) unit.fail('version 2 to 5', `${version}`);
    let addressBytes = 0;
    if (version >= 5) {
      addressBytes = unit.u8();
      unit.skip(1);
    }
    const headerLength = offsetBytes === 8 ? unit.size64('length of a header') : unit.u32();
    const program = unit.position + headerLength;
    if (program > unit.end) unit.fail('a header inside its unit', `one of ${headerLength} bytes`);
    const minimum = unit.u8();
    if (version >= 4) unit.skip(1);
    const defaultIsStatement = unit.u8() !== 0;
    const lineBase = unit.i8(), lineRange = unit.u8(), opcodeBase = unit.u8();
    if (lineRange === 0) unit.fail('a line range above 0', '0');
    if (opcodeBase === 0) unit.fail('an opcode base above 0', '0');
    const lengths = [0];
    for (let opcode = 1; opcode < opcodeBase; opcode++) lengths.push(unit.u8());
    const compilation = this.#sections.directory(offset) ?? '';
    const lists = version >= 5 ? this.#lists5(unit, offsetBytes) : this.#lists4(unit, compilation);
    return {
      header: { version, minimum, defaultIsStatement, lineBase, lineRange, opcodeBase, lengths, addressBytes, ...lists },
      program,
    };
  }

  /** DWARF 4 6.2.4 items 11 and 12. */
  #lists4(unit: ByteReader, compilation: string): { files: number[]; directories: string[] } {
    const directories = [compilation];
    for (let name = unit.text(); name !== ''; name = unit.text()) {
      if (directories.length >= MAX_DIRECTORIES) unit.fail(`at most ${MAX_DIRECTORIES} directories`, 'more');
      directories.push(joined(compilation, name));
    }
    const files = [this.#addFile(compilation === '' ? '?' : compilation)];
    for (let name = unit.text(); name !== ''; name = unit.text()) {
      if (files.length >= MAX_FILES) unit.fail(`at most ${MAX_FILES} files`, 'more');
      const directory = unit.ulebNumber();
      unit.ulebNumber();
      unit.ulebNumber();
      files.push(this.#addFile(joined(directories[directory] ?? '', name)));
    }
    return { files, directories };
  }

  /** DWARF 5 6.2.4.1. */
  #lists5(unit: ByteReader, offsetBytes: 4 | 8): { files: number[]; directories: string[] } {
    const directories = this.#entries(unit, offsetBytes, MAX_DIRECTORIES).map(({ path }) => path);
    const compilation = directories[0] ?? '';
    const absolute = directories.map((name) => joined(compilation, name));
    const files = this.#entries(unit, offsetBytes, MAX_FILES);
    return {
      directories: absolute,
      files: files.map(({ path, directory }) => this.#addFile(joined(absolute[directory] ?? '', path))),
    };
  }

  #entries(unit: ByteReader, offsetBytes: 4 | 8, limit: number): { path: string; directory: number }[] {
    const formats: { content: number; form: number }[] = [];
    const formatCount = unit.u8();
    if (formatCount > MAX_FORMATS) unit.fail(`at most ${MAX_FORMATS} fields of an entry`, `${formatCount}`);
    for (let index = 0; index < formatCount; index++) formats.push({ content: unit.ulebNumber(), form: unit.ulebNumber() });
    const count = unit.ulebNumber();
    if (count > limit || (formatCount === 0 && count > 0)) unit.fail(`at most ${limit} entries with fields`, `${count}`);
    const entries: { path: string; directory: number }[] = [];
    for (let index = 0; index < count; index++) {
      let path = '', directory = 0;
      for (const { content, form } of formats) {
        const value = this.#form(unit, form, offsetBytes);
        if (content === CONTENT.path && typeof value === 'string') path = value;
        else if (content === CONTENT.directory && typeof value === 'number') directory = value;
      }
      entries.push({ path, directory });
    }
    return entries;
  }

  /** DWARF 5 7.5.6, those that line tables may use. */
  #form(unit: ByteReader, form: number, offsetBytes: 4 | 8): string | number | null {
    const offset = (): number => (offsetBytes === 8 ? unit.size64('offset') : unit.u32());
    switch (form) {
      case 0x08: return unit.text();
      case 0x0e: return textAt(this.#sections.text, offset());
      case 0x1f: return textAt(this.#sections.lineText, offset());
      case 0x0b: return unit.u8();
      case 0x05: return unit.u16();
      case 0x06: return unit.u32();
      case 0x07: unit.skip(8); return null;
      case 0x0f: return unit.ulebNumber();
      case 0x1e: unit.skip(16); return null;
      case 0x09: unit.skip(unit.ulebNumber()); return null;
      default: return unit.fail('a form of a line table', `${form.toString(16)}h`);
    }
  }

  #addFile(path: string): number {
    const known = this.#fileIndex.get(path);
    if (known !== undefined) return known;
    if (this.#files.length >= MAX_FILES) throw new DebugError(`${this.#path}: expected at most ${MAX_FILES} source files, found more`);
    this.#files.push(path);
    this.#fileIndex.set(path, this.#files.length - 1);
    return this.#files.length - 1;
  }

  /** The state machine of DWARF 5 6.2.5. */
  #run(unit: ByteReader, program: number, header: ProgramHeader): void {
    const { minimum, lineBase, lineRange, opcodeBase } = header;
    unit.position = program;
    let address = 0n, file = 1, line = 1, statement = header.defaultIsStatement, first = this.#line.length;
    const emit = (): void => {
      if (this.#line.length >= MAX_ROWS) unit.fail(`at most ${MAX_ROWS} rows`, 'more');
      const rows = this.#line.length;
      const high = Number(address >> 32n), low = Number(address & 0xffffffffn);
      // Rows of a sequence must not go down: such a row is left out.
      if (rows > first) {
        const lastHigh = this.#high.get(rows - 1);
        if (high < lastHigh || (high === lastHigh && low < this.#low.get(rows - 1))) return;
      }
      this.#high.push(high);
      this.#low.push(low);
      this.#file.push(header.files[file] ?? this.#addFile('?'));
      this.#line.push((line < 0 || line > 0x7ffffffe ? 0 : line) + (statement ? 0 : 0x80000000));
    };
    const advance = (count: number): void => {
      if (count > 0) address = BigInt.asUintN(64, address + BigInt(count) * BigInt(minimum));
    };
    while (!unit.atEnd) {
      if (++this.#steps > MAX_STEPS) unit.fail(`line programs of at most ${MAX_STEPS} steps`, 'longer ones');
      const opcode = unit.u8();
      if (opcode >= opcodeBase) {
        const special = opcode - opcodeBase;
        advance(Math.floor(special / lineRange));
        line += lineBase + (special % lineRange);
        emit();
        continue;
      }
      switch (opcode) {
        case OPCODE.extended: {
          const extended = unit.part(unit.ulebNumber());
          if (extended.atEnd) break;
          const kind = extended.u8();
          if (kind === EXTENDED.endSequence) {
            this.#endSequence(first, address);
            first = this.#line.length;
            address = 0n;
            file = line = 1;
            statement = header.defaultIsStatement;
          } else if (kind === EXTENDED.setAddress) {
            const size = extended.end - extended.position;
            address = extended.unsigned(size);
          } else if (kind === EXTENDED.defineFile && header.version < 5) {
            const name = extended.text();
            if (header.files.length >= MAX_FILES) unit.fail(`at most ${MAX_FILES} files`, 'more');
            header.files.push(this.#addFile(joined(header.directories[extended.ulebNumber()] ?? '', name)));
          }
          break;
        }
        case OPCODE.copy: emit(); break;
        case OPCODE.advancePc: advance(unit.ulebNumber()); break;
        case OPCODE.advanceLine: line += Number(BigInt.asIntN(32, unit.sleb())); break;
        case OPCODE.setFile: file = unit.ulebNumber(); break;
        case OPCODE.setColumn: unit.ulebNumber(); break;
        case OPCODE.negateStatement: statement = !statement; break;
        case OPCODE.basicBlock: case OPCODE.prologueEnd: case OPCODE.epilogueBegin: break;
        case OPCODE.constAddPc: advance(Math.floor((255 - opcodeBase) / lineRange)); break;
        case OPCODE.fixedAdvancePc: address = BigInt.asUintN(64, address + BigInt(unit.u16())); break;
        case OPCODE.setIsa: unit.ulebNumber(); break;
        default: for (let count = header.lengths[opcode]; count > 0; count--) unit.ulebNumber();
      }
    }
    // NASM leaves the last sequence open.
    this.#endSequence(first, address + 1n);
  }

  /** Sequences at 0 belong to code that the linker dropped, unless the file is at 0 itself: those are short and harmless. */
  #endSequence(first: number, to: bigint): void {
    const end = this.#line.length;
    if (end === first) return;
    const from = (BigInt(this.#high.get(first)) << 32n) | BigInt(this.#low.get(first));
    if (to > from) this.#sequences.push({ first, end, from, to });
  }
}

function joined(directory: string, name: string): string {
  const whole = directory === '' || name.startsWith('/') || /^[A-Za-z]:[\\/]/.test(name) ? name : `${directory}/${name}`;
  return whole.replace(/^(?:\.\/+)+/, '');
}
