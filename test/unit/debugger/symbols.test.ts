// Symbols, lines and frames of real programs against what binutils read there; and damaged files.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CallFrames } from '../../../core/debugger/symbols/callFrames.ts';
import { parseElf } from '../../../core/debugger/symbols/elf.ts';
import { SymbolTable } from '../../../core/debugger/symbols/symbolTable.ts';
import { DebugError } from '../../../core/debugger/target.ts';
import { ProgramFolder, type Program } from './buildPrograms.ts';

let programs: ProgramFolder;
const built = new Map<string, Program>();
const VARIANTS: readonly (readonly [string, readonly string[]])[] = [
  ['dwarf2', ['-m32', '-O1', '-gdwarf-2', '-gstrict-dwarf']],
  ['dwarf3', ['-m32', '-O0', '-gdwarf-3', '-gstrict-dwarf']],
  ['dwarf4', ['-m32', '-O2', '-gdwarf-4']],
  ['dwarf5', ['-m32', '-O2', '-gdwarf-5']],
  ['wide4', ['-m64', '-O2', '-gdwarf-4']],
  ['wide5', ['-m64', '-O1', '-gdwarf-5']],
];

beforeAll(() => {
  programs = new ProgramFolder();
  for (const [name, options] of VARIANTS) built.set(name, programs.compile(name, ...options));
  built.set('nasm', programs.assemble('nasm'));
});
afterAll(() => programs.remove());

const program = (name: string): Program => built.get(name)!;
const loaded = (name: string, offset = 0n): SymbolTable => {
  const table = new SymbolTable();
  table.load(program(name).path, program(name).bytes, offset);
  return table;
};

describe.each([...VARIANTS.map(([name]) => name), 'nasm'])('%s', (name) => {
  it('knows the symbols that nm lists', () => {
    const table = loaded(name);
    let checked = 0;
    for (const line of programs.run('nm', '--defined-only', name).trim().split('\n')) {
      const [address, letter, symbol] = line.split(' ');
      expect(table.address(symbol), symbol).toBe(BigInt(`0x${address}`));
      if (/[tT]/.test(letter)) expect(table.nearest(BigInt(`0x${address}`))?.address).toBe(BigInt(`0x${address}`));
      checked++;
    }
    expect(checked).toBeGreaterThan(4);
  });

  it('knows the line of every address as addr2line does', () => {
    const table = loaded(name);
    const elf = parseElf(name, program(name).bytes);
    const text = elf.sections.find((section) => section.name === '.text')!;
    const addresses = Array.from({ length: text.size }, (_, index) => text.address + BigInt(index));
    const answers = programs.run('addr2line', '-e', name, ...addresses.map((address) => address.toString(16))).trim().split('\n');
    let known = 0;
    addresses.forEach((address, index) => {
      const [, file, line] = /^(.*):(\d+|\?)/.exec(answers[index])!;
      const mine = table.line(address);
      // addr2line gives up on an address behind the last line; where it knows one, so must we.
      if (line === '?' || line === '0') return;
      known++;
      expect(mine?.line, address.toString(16)).toBe(Number(line));
      expect(mine!.file.split('/').at(-1)).toBe(file.split('/').at(-1));
      const range = table.lineRange(address)!;
      expect(range.from <= address && address < range.to).toBe(true);
    });
    expect(known).toBeGreaterThan(10);
  });
});

describe('line tables', () => {
  it('name the source with its folder', () => {
    for (const name of ['dwarf2', 'dwarf4', 'dwarf5']) {
      const table = loaded(name);
      expect(table.line(table.address('middle')!)?.file).toBe(`${programs.folder}/program.c`);
    }
  });

  it('find the addresses of lines, by full path or its end, with the offset', () => {
    const table = loaded('dwarf5', 0x1000000n);
    const middle = table.address('middle')!;
    expect(middle).toBe(loaded('dwarf5').address('middle')! + 0x1000000n);
    const lines = table.source('program.c');
    expect(lines.length).toBeGreaterThan(8);
    expect(lines).toEqual(table.source(`${programs.folder}/program.c`));
    expect(lines.map(({ line }) => line)).toEqual(lines.map(({ line }) => line).toSorted((a, b) => a - b));
    const inMiddle = lines.find(({ line }) => line === 8)!;
    expect(inMiddle.address).toBe(middle);
    expect(table.lineAddress('program.c', 8)).toBe(middle);
    expect(table.source('other.c')).toEqual([]);
  });

  it('relocate an object file', () => {
    const object = programs.object('program.o', '-m32', '-O1', '-g');
    const table = new SymbolTable();
    table.load(object.path, object.bytes, 0xc8000000n);
    const middle = table.address('middle')!;
    expect(middle >= 0xc8000000n).toBe(true);
    expect(table.line(middle)).toEqual({ file: `${programs.folder}/program.c`, line: 8 });
  });
});

describe('call frame information', () => {
  /** Rows as readelf computes them: address, what the frame is, where the return address is. */
  const rows = (name: string, section: string): { address: bigint; register: string; offset: bigint; returnAt: bigint }[] => {
    const output = programs.run('readelf', '--debug-dump=frames-interp', name);
    const part = output.slice(output.indexOf(`Contents of the ${section} section`));
    return part.split('\n').flatMap((line) => {
      const match = /^([0-9a-f]{8,16}) (\w+)([+-]\d+) .*c-(\d+)\s*$/.exec(line);
      // The row at 0 is the common entry's.
      return match === null || /^0+$/.test(match[1]) ? [] : [{ address: BigInt(`0x${match[1]}`), register: match[2], offset: BigInt(match[3]), returnAt: BigInt(match[4]) }];
    });
  };

  it.each(['dwarf4', 'dwarf5', 'wide4', 'wide5'])('%s: agrees with readelf at every row', (name) => {
    const wide = name.startsWith('wide');
    const elf = parseElf(name, program(name).bytes);
    const section = elf.section('.eh_frame')!;
    const frames = new CallFrames(name, section.bytes, { eh: true, address: section.address, bits: elf.bits });
    const numbers: Readonly<Record<string, number>> = wide ? { rsp: 7, rbp: 6 } : { esp: 4, ebp: 5 };
    const expected = rows(name, '.eh_frame');
    expect(expected.length).toBeGreaterThan(4);
    for (const { address, register, offset, returnAt } of expected) {
      const registers = Array.from({ length: wide ? 16 : 8 }, (_, index) => 0x10000n + BigInt(index) * 0x1000n);
      const reads: bigint[] = [];
      const found = frames.unwind(address, registers, (at) => {
        reads.push(at);
        return at ^ 0x5555n;
      });
      const frame = registers[numbers[register]] + offset;
      expect(found?.frame, address.toString(16)).toBe(frame);
      expect(found!.returnAddress).toBe((frame - returnAt) ^ 0x5555n);
      expect(found!.registers[wide ? 7 : 4]).toBe(frame);
      expect(reads).toContain(frame - returnAt);
    }
  });

  it('reads .debug_frame as well', () => {
    const bare = programs.compile('debugFrame', '-m32', '-O1', '-g', '-fno-asynchronous-unwind-tables');
    const elf = parseElf(bare.path, bare.bytes);
    expect(elf.section('.eh_frame')).toBeNull();
    const table = new SymbolTable();
    table.load(bare.path, bare.bytes, 0x500n);
    const registers = Array.from({ length: 8 }, () => 0x9000n);
    const found = table.unwind(table.address('outer')!, registers, (at) => at);
    expect(found).toMatchObject({ frame: 0x9004n, returnAddress: 0x9000n });
  });
});

describe('symbol table', () => {
  it('answers by name, nearest and search over several files', () => {
    const table = new SymbolTable();
    const one = table.load(program('dwarf5').path, program('dwarf5').bytes, 0n);
    const map = table.load('System.map', new TextEncoder().encode('c0100000 T startup\nc0100010 t early.part.0\nc0200000 D Middle_data\n00000042 A a_constant\n'), 0n);
    expect(one.kind).toBe('ELF32 executable');
    expect(map).toMatchObject({ kind: 'System.map', symbols: 4, lines: 0 });
    expect(table.address('a_constant')).toBe(0x42n);
    expect(table.nearest(0x42n)).toBeNull();
    expect(table.nearest(0xc0100012n)).toEqual({ name: 'early.part.0', address: 0xc0100010n, offset: 2n });
    expect(table.nearest(0xc0300000n)).toBeNull();
    expect(table.nearest(0xc00fffffn)).toBeNull();
    expect(table.find('mid', 10).map(({ name }) => name)).toEqual(['middle', 'Middle_data']);
    expect(table.find('PART', 10)).toEqual([{ name: 'early.part.0', address: 'c0100010', kind: 'function', size: 0 }]);
    expect(table.find('', 3)).toHaveLength(3);
    expect(table.unload(map.id)).toBe(true);
    expect(table.unload(map.id)).toBe(false);
    expect(table.address('startup')).toBeUndefined();
    expect(table.list()).toHaveLength(1);
  });

  it('reads kallsyms with modules and warns of hidden addresses', () => {
    const table = new SymbolTable();
    const text = 'c1000000 T _stext\nc8800000 t button_probe\t[button]\n';
    expect(table.load('kallsyms', new TextEncoder().encode(text), 0n)).toMatchObject({ kind: 'kallsyms', symbols: 2, warnings: [] });
    expect(table.address('button_probe')).toBe(0xc8800000n);
    expect(table.load('k', new TextEncoder().encode('00000000 T a\n00000000 T b\n'), 0n).warnings.join()).toContain('kptr_restrict');
  });

  it('stays fast with as many symbols as a kernel has', () => {
    const count = 120_000;
    const lines = Array.from({ length: count }, (_, index) => `${(0xc1000000 + index * 48).toString(16)} T function_number_${index}`);
    const bytes = new TextEncoder().encode(lines.join('\n'));
    const table = new SymbolTable();
    const started = performance.now();
    table.load('System.map', bytes, 0n);
    expect(table.address('function_number_77777')).toBe(BigInt(0xc1000000 + 77777 * 48));
    for (let index = 0; index < count; index++) table.nearest(BigInt(0xc1000000 + index * 48 + 5));
    expect(performance.now() - started).toBeLessThan(3000);
    expect(table.nearest(BigInt(0xc1000000 + 500 * 48 + 5))).toMatchObject({ name: 'function_number_500', offset: 5n });
  });
});

describe('broken files', () => {
  it('says what was expected and what was found', () => {
    const table = new SymbolTable();
    const { bytes } = program('dwarf5');
    expect(() => table.load('a.elf', new Uint8Array(0), 0n)).toThrow(/a\.elf: expected an ELF file, System\.map or kallsyms text, found an empty file/);
    expect(() => table.load('b.elf', bytes.subarray(0, 30), 0n)).toThrow(/b\.elf: ELF header: expected .* found the end at 30/);
    const other = bytes.slice();
    other[18] = 40;
    expect(() => table.load('arm.elf', other, 0n)).toThrow(/machine 3 \(i386\) or 62 \(x86-64\), found 40/);
    const big = bytes.slice();
    big[5] = 2;
    expect(() => table.load('big.elf', big, 0n)).toThrow(DebugError);
    expect(() => table.load('x.map', new TextEncoder().encode('hello world\n'), 0n)).toThrow(DebugError);
    expect(table.list()).toEqual([]);
  });

  /** Everything that can be asked of a file; only a DebugError may come out. */
  const exercise = (bytes: Uint8Array): void => {
    const table = new SymbolTable();
    try {
      table.load('damaged', bytes, 0x1000n);
    } catch (error) {
      expect(error).toBeInstanceOf(DebugError);
      return;
    }
    const registers = Array.from({ length: 16 }, () => 0x8000n);
    for (let address = 0x101000n; address < 0x101200n; address += 5n) {
      table.nearest(address);
      table.line(address);
      table.lineRange(address);
      table.unwind(address, registers, (at) => (at & 8n ? null : at));
    }
    table.source('program.c');
    table.find('m', 20);
  };

  it('survives truncation', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(fc.constantFrom('dwarf3', 'dwarf5', 'wide4', 'nasm'), fc.double({ min: 0, max: 1, noNaN: true }), (name, share) => {
        const { bytes } = program(name);
        exercise(bytes.slice(0, Math.floor(bytes.length * share)));
      }),
      { numRuns: 150 },
    );
  });

  it('survives flipped bytes everywhere', { timeout: 60_000 }, () => {
    const flips = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(fc.constantFrom('dwarf2', 'dwarf5', 'wide5', 'nasm'), flips, (name, changes) => {
        const bytes = program(name).bytes.slice();
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        exercise(bytes);
      }),
      { numRuns: 400 },
    );
  });

  it('survives damage in the debug sections', { timeout: 60_000 }, () => {
    const sections = ['.debug_line', '.debug_line_str', '.eh_frame', '.debug_info', '.debug_abbrev', '.symtab', '.strtab'];
    const flips = fc.array(fc.tuple(fc.constantFrom(...sections), fc.nat(), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff)), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(fc.constantFrom('dwarf4', 'dwarf5', 'wide4'), flips, (name, changes) => {
        const bytes = program(name).bytes.slice();
        const elf = parseElf(name, bytes);
        for (const [section, at, value] of changes) {
          const place = elf.sections.find((entry) => entry.name === section);
          if (place !== undefined && place.size > 0) bytes[place.offset + (at % place.size)] = value;
        }
        exercise(bytes);
      }),
      { numRuns: 400 },
    );
  });

  it('survives text that is nearly a map', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.string({ maxLength: 100 }), (noise, text) => {
        const head = new TextEncoder().encode(`c0100000 T start\n${text}\n`);
        exercise(Uint8Array.from([...head, ...noise]));
      }),
      { numRuns: 300 },
    );
  });
});
