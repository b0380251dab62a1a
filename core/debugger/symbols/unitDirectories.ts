// Compilation directories by line table: the first entry of each unit of `.debug_info` (DWARF 5 7.5, 3.1.1). The line
// tables of DWARF 2 to 4 name files relative to them without naming them.
import { DebugError } from '../target.ts';
import { ByteReader, textAt } from './byteReader.ts';

const AT_STMT_LIST = 0x10;
const AT_COMP_DIR = 0x1b;
const MAX_UNITS = 100_000;
const MAX_ATTRIBUTES = 1000;

interface DirectorySections {
  readonly info: Uint8Array;
  readonly abbreviations: Uint8Array;
  readonly text: Uint8Array;
  readonly lineText: Uint8Array;
}

/** By the offset of the unit's line table. What cannot be read is left out. */
export function readUnitDirectories(path: string, sections: DirectorySections): Map<number, string> {
  const directories = new Map<number, string>();
  const reader = new ByteReader(sections.info, `${path}: section .debug_info`);
  try {
    for (let count = 0; !reader.atEnd && count < MAX_UNITS; count++) {
      let length = reader.u32(), offsetBytes: 4 | 8 = 4;
      if (length === 0xffffffff) {
        offsetBytes = 8;
        length = reader.size64('length of a unit');
      }
      readUnit(reader.part(length), sections, offsetBytes, directories);
    }
  } catch (error) {
    if (!(error instanceof DebugError)) throw error;
  }
  return directories;
}

function readUnit(unit: ByteReader, sections: DirectorySections, offsetBytes: 4 | 8, directories: Map<number, string>): void {
  const version = unit.u16();
  if (version < 2 || version > 5) return;
  const offset = (): number => (offsetBytes === 8 ? unit.size64('offset') : unit.u32());
  let addressBytes: number, abbreviations: number;
  if (version >= 5) {
    const type = unit.u8();
    addressBytes = unit.u8();
    abbreviations = offset();
    if (type !== 1 && type !== 3) return;
  } else {
    abbreviations = offset();
    addressBytes = unit.u8();
  }
  const code = unit.ulebNumber();
  const attributes = readAbbreviation(sections.abbreviations, abbreviations, code, unit.what);
  let table: number | null = null, directory: string | null = null;
  for (const { name, form, constant } of attributes) {
    const value = readForm(unit, form, constant, { sections, offsetBytes, addressBytes, version });
    if (name === AT_STMT_LIST && typeof value === 'number') table = value;
    else if (name === AT_COMP_DIR && typeof value === 'string') directory = value;
  }
  if (table !== null && directory !== null) directories.set(table, directory);
}

interface Attribute {
  readonly name: number;
  readonly form: number;
  readonly constant: bigint;
}

/** Most producers give the unit's entry the first abbreviation of its table. */
function readAbbreviation(table: Uint8Array, offset: number, wanted: number, what: string): Attribute[] {
  const reader = new ByteReader(table, `${what}, abbreviations`, offset);
  for (let tried = 0; tried < MAX_ATTRIBUTES; tried++) {
    const code = reader.ulebNumber();
    if (code === 0) break;
    reader.ulebNumber();
    reader.skip(1);
    const attributes: Attribute[] = [];
    for (;;) {
      const name = reader.ulebNumber(), form = reader.ulebNumber();
      const constant = form === 0x21 ? reader.sleb() : 0n;
      if (name === 0 && form === 0) break;
      if (attributes.length >= MAX_ATTRIBUTES) reader.fail(`at most ${MAX_ATTRIBUTES} attributes`, 'more');
      attributes.push({ name, form, constant });
    }
    if (code === wanted) return attributes;
  }
  return [];
}

interface FormContext {
  readonly sections: DirectorySections;
  readonly offsetBytes: 4 | 8;
  readonly addressBytes: number;
  readonly version: number;
}

/** DWARF 5 7.5.6. Values that nobody asks for are null. */
function readForm(unit: ByteReader, form: number, constant: bigint, context: FormContext): string | number | null {
  const offset = (): number => (context.offsetBytes === 8 ? unit.size64('offset') : unit.u32());
  const skip = (bytes: number): null => {
    unit.skip(bytes);
    return null;
  };
  switch (form) {
    case 0x01: return skip(context.addressBytes);
    case 0x03: return skip(unit.u16());
    case 0x04: return skip(unit.u32());
    case 0x05: case 0x12: return unit.u16();
    case 0x06: case 0x13: return unit.u32();
    case 0x07: case 0x14: case 0x20: return Number(unit.u64());
    case 0x08: return unit.text();
    case 0x09: case 0x18: return skip(unit.ulebNumber());
    case 0x0a: return skip(unit.u8());
    case 0x0b: case 0x0c: case 0x11: case 0x25: case 0x29: return unit.u8();
    case 0x0d: return Number(unit.sleb());
    case 0x0e: return textAt(context.sections.text, offset());
    case 0x1f: return textAt(context.sections.lineText, offset());
    case 0x0f: case 0x15: case 0x1a: case 0x1b: case 0x22: case 0x23: return unit.ulebNumber();
    case 0x10: return context.version <= 2 ? skip(context.addressBytes) : offset();
    case 0x17: case 0x1d: return offset();
    case 0x19: return 1;
    case 0x1e: return skip(16);
    case 0x21: return Number(constant);
    case 0x26: case 0x2a: return unit.u16();
    case 0x27: case 0x2b: return skip(3);
    case 0x28: case 0x2c: return unit.u32();
    default: return unit.fail('a known form', `${form.toString(16)}h`);
  }
}
