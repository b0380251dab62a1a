// Kernels made by hand: their tables in both orders and both widths, their log, lists of modules and tasks; and noise.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LinuxAwareness } from '../../../core/debugger/linux.ts';
import { readKernelTables } from '../../../core/debugger/symbols/kernelTables.ts';
import { SymbolTable } from '../../../core/debugger/symbols/symbolTable.ts';
import { DebugError, type DebugTarget, type Space } from '../../../core/debugger/target.ts';

const RAM = 1 << 20;

/** RAM that the kernel sees at `base` plus the physical address. */
class Ram {
  readonly bytes = new Uint8Array(RAM);
  readonly view = new DataView(this.bytes.buffer);
  readonly base: bigint;
  readonly p: 4 | 8;

  constructor(p: 4 | 8) {
    this.p = p;
    this.base = p === 8 ? 0xffff_8880_0000_0000n : 0xc000_0000n;
  }

  linear(physical: number): bigint {
    return this.base + BigInt(physical);
  }
  pointer(at: number, value: bigint): void {
    if (this.p === 8) this.view.setBigUint64(at, BigInt.asUintN(64, value), true);
    else this.view.setUint32(at, Number(BigInt.asUintN(32, value)), true);
  }
  text(at: number, text: string): void {
    this.bytes.set(new TextEncoder().encode(text), at);
  }

  target(registers: Readonly<Record<string, bigint>> = {}): DebugTarget {
    const translate = (linear: bigint): bigint | null => (linear >= this.base && linear < this.base + BigInt(RAM) ? linear - this.base : null);
    const read = (space: Space, address: bigint, length: number): Uint8Array | null => {
      const from = space === 'physical' ? address : translate(address);
      if (from === null || from < 0n || from + BigInt(length) > BigInt(RAM)) return null;
      return this.bytes.slice(Number(from), Number(from) + length);
    };
    return {
      memory: {
        read, translate, write: () => false,
        readPartly: (space, address, length) => ({ bytes: read(space, address, length) ?? new Uint8Array(length), unmapped: [] }),
      },
      registers: { get: (name) => registers[name], set: () => false },
      mode: () => ({ name: '', bits: this.p === 8 ? 64 : 32, privilege: 0, protectedMode: true, virtual8086: false, paging: true, addressBytes: this.p }),
      programCounter: 0n,
    };
  }
}

interface TableOptions {
  readonly p: 4 | 8;
  readonly late: boolean;
  readonly perCpu: boolean;
}
const COUNT = 700;
const NAMES = Array.from({ length: COUNT }, (_, index) => `${index % 3 === 0 ? 't' : 'T'}function_${index}_${'x'.repeat(index === 400 ? 200 : index % 7)}`);
const TEXT = (p: 4 | 8): bigint => (p === 8 ? 0xffff_ffff_8100_0000n : 0xc100_0000n);

/** Tables as scripts/kallsyms.c lays them out: tokens stand for themselves or for `function_` and `xx`. */
function putTables(ram: Ram, { p, late, perCpu }: TableOptions, start = 0x5000): void {
  const tokens = Array.from({ length: 256 }, (_, code) => (code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : `unused${code}`));
  tokens[200] = 'function_';
  tokens[201] = 'xx';
  const compressed = NAMES.map((name) => {
    const codes: number[] = [];
    for (let at = 0; at < name.length; ) {
      const code = name.startsWith('function_', at) ? 200 : name.startsWith('xx', at) ? 201 : name.charCodeAt(at);
      codes.push(code);
      at += tokens[code].length;
    }
    return codes;
  });
  let at = start;
  const align = (): void => {
    at = Math.ceil(at / p) * p;
  };
  const offsets = (): void => {
    align();
    NAMES.forEach((_, index) => {
      const offset = index * 64;
      ram.view.setInt32(at, perCpu ? (index < 5 ? index * 8 : -1 - offset) : offset, true);
      at += 4;
    });
    align();
    ram.pointer(at, TEXT(p));
    at += p;
  };
  if (!late) offsets();
  align();
  ram.view.setUint32(at, COUNT, true);
  at += 4;
  align();
  const first = at, markers: number[] = [];
  compressed.forEach((codes, index) => {
    if (index % 256 === 0) markers.push(at - first);
    if (codes.length >= 0x80) ram.bytes.set([(codes.length & 0x7f) | 0x80, codes.length >> 7], at);
    else ram.bytes[at] = codes.length;
    at += codes.length >= 0x80 ? 2 : 1;
    ram.bytes.set(codes, at);
    at += codes.length;
  });
  align();
  for (const marker of markers) {
    ram.view.setUint32(at, marker, true);
    at += 4;
  }
  align();
  const table = at, index: number[] = [];
  for (const token of tokens) {
    index.push(at - table);
    ram.text(at, `${token}\0`);
    at += token.length + 1;
  }
  align();
  for (const offset of index) {
    ram.view.setUint16(at, offset, true);
    at += 2;
  }
  if (late) offsets();
}

describe('kernel tables', () => {
  it.each([
    { p: 4, late: false, perCpu: false }, { p: 8, late: false, perCpu: true }, { p: 8, late: true, perCpu: true }, { p: 4, late: true, perCpu: false },
    { p: 8, late: true, perCpu: false },
  ] as const)('are found and read: %j', (options) => {
    const ram = new Ram(options.p);
    // Digits that are no table of tokens.
    ram.text(0x1000, Array.from({ length: 10 }, (_, digit) => `${digit}\0`).join(''));
    putTables(ram, options);
    const { symbols, info, release } = readKernelTables(ram.target(), RAM);
    expect(info).toBeNull();
    expect(release).toBe('');
    expect(symbols.map(({ name }) => name)).toEqual(NAMES.map((name) => name.slice(1)));
    symbols.forEach((symbol, index) => {
      const absolute = options.perCpu && index < 5;
      expect(symbol.kind).toBe(absolute ? 'absolute' : 'function');
      expect(symbol.address).toBe(absolute ? BigInt(index * 8) : TEXT(options.p) + BigInt(index * 64));
    });
  });

  it('takes data symbols from the kernel\'s note', () => {
    const ram = new Ram(4);
    putTables(ram, { p: 4, late: false, perCpu: false });
    ram.text(0x80000, 'OSRELEASE=6.1.0-test\nSYMBOL(prb)=c0012340\nSYMBOL(mem_map)=c0012344\nSYMBOL(function_1_x)=1\nOFFSET(a.b)=12\n');
    const { symbols, release, info } = readKernelTables(ram.target(), RAM);
    expect(release).toBe('6.1.0-test');
    expect(info?.offset('a.b')).toBe(12);
    expect(symbols.slice(COUNT).map(({ name }) => name)).toEqual(['prb', 'mem_map']);
  });

  it('says so when there are none, and survives damage', () => {
    expect(() => readKernelTables(new Ram(4).target(), RAM)).toThrow('no symbol tables of a Linux kernel were found in 1 MiB of memory');
    fc.assert(
      fc.property(fc.boolean(), fc.array(fc.tuple(fc.integer({ min: 0x5000, max: 0xa000 }), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 10 }), (late, changes) => {
        const ram = new Ram(8);
        putTables(ram, { p: 8, late, perCpu: true });
        for (const [at, value] of changes) ram.bytes[at] = value;
        try {
          expect(readKernelTables(ram.target(), RAM).symbols.length).toBeLessThanOrEqual(COUNT);
        } catch (error) {
          expect(error).toBeInstanceOf(DebugError);
        }
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});

const linuxOf = (ram: Ram, names: Readonly<Record<string, bigint>> = {}, registers: Readonly<Record<string, bigint>> = {}): LinuxAwareness => {
  const table = new SymbolTable();
  table.add('test', 'test', Object.entries(names).map(([name, address]) => ({ name, address, size: 0, kind: 'data', rank: 0 })));
  return new LinuxAwareness(ram.target(registers), table, { ramBytes: RAM, instructions: () => 0 });
};

describe('the log', () => {
  /** A ring of 8 descriptors and 256 bytes; `extra` is the word that later kernels have behind the tail. */
  function putLog(ram: Ram, texts: readonly string[], extra: boolean): void {
    const { p } = ram, ring = 0x10000, descs = 0x11000, infos = 0x12000, data = 0x13000;
    ram.pointer(0xf000, ram.linear(ring));
    const stateShift = BigInt(p * 8 - 2);
    let begin = 200n, id = 100n;
    const size = 256n, wraps = (lpos: bigint): bigint => lpos >> 8n;
    texts.forEach((text, index) => {
      const need = BigInt(Math.ceil((text.length + p) / p) * p);
      let start = begin, next = begin + need;
      if (wraps(begin) !== wraps(next) && next % size !== 0n) {
        next = wraps(next) * size + need;
        start = wraps(next) * size;
      }
      const slot = Number(id % 8n);
      ram.pointer(descs + slot * 3 * p, id | (2n << stateShift));
      ram.pointer(descs + slot * 3 * p + p, text === '' ? 1n : begin);
      ram.pointer(descs + slot * 3 * p + 2 * p, text === '' ? 1n : next);
      ram.view.setBigUint64(infos + slot * 88 + 8, BigInt(index) * 1_500_000_000n, true);
      ram.view.setUint16(infos + slot * 88 + 16, text.length, true);
      ram.text(data + Number(start % size) + p, text);
      if (text !== '') begin = next;
      id++;
    });
    ram.view.setUint32(ring, 3, true);
    ram.pointer(ring + p, ram.linear(descs));
    ram.pointer(ring + 2 * p, ram.linear(infos));
    ram.pointer(ring + 3 * p, id - 1n);
    ram.pointer(ring + 4 * p, 100n);
    const text = ring + 5 * p + (extra ? p : 0);
    ram.view.setUint32(text, 8, true);
    ram.pointer(text + p, ram.linear(data));
  }

  it.each([[4, false], [4, true], [8, false], [8, true]] as const)('is read with %i-byte words (%s)', (p, extra) => {
    const ram = new Ram(p);
    putLog(ram, ['first message', 'two\nlines', '', 'wraps around the end of the ring', 'last'], extra);
    const { text, problem } = linuxOf(ram, { prb: ram.linear(0xf000) }).log();
    expect(problem).toBeNull();
    expect(text.split('\n')).toEqual([
      '[    0.000000] first message', '[    1.500000] two', '[    1.500000] lines', '[    3.000000] ', '[    4.500000] wraps around the end of the ring', '[    6.000000] last',
    ]);
  });

  it('says what is missing', () => {
    expect(linuxOf(new Ram(4)).log().problem).toMatch(/prb/);
    expect(linuxOf(new Ram(4), { prb: 0xc0001000n }).log().problem).toMatch(/expected the log's ring at 0h, found something else/);
    expect(linuxOf(new Ram(4), { prb: 0x1000n }).log().problem).toMatch(/not mapped/);
  });
});

describe('modules', () => {
  const put = (ram: Ram, at: number, next: bigint, previous: bigint, name: string, size: number): void => {
    const { p } = ram;
    ram.pointer(at + p, next);
    ram.pointer(at + 2 * p, previous);
    ram.text(at + 3 * p, name);
    ram.pointer(at + 200, ram.linear(at & ~0xfff));
    ram.view.setUint32(at + 200 + p, size, true);
  };

  it.each([4, 8] as const)('are found without their list\'s name (%i-byte words)', (p) => {
    const ram = new Ram(p);
    const head = 0x9000, one = 0x20040, two = 0x30080;
    put(ram, one, ram.linear(two + p), ram.linear(head), 'button', 0x5000);
    put(ram, two, ram.linear(head), ram.linear(one + p), 'ext4', 0x80000);
    ram.pointer(head, ram.linear(one + p));
    ram.pointer(head + p, ram.linear(two + p));
    const expected = [
      { name: 'button', base: ram.linear(0x20000).toString(16), size: 0x5000, state: 'live' }, { name: 'ext4', base: ram.linear(0x30000).toString(16), size: 0x80000, state: 'live' },
    ];
    expect(linuxOf(ram).modules()).toEqual({ modules: expected, problem: null });
    expect(linuxOf(ram, { modules: ram.linear(head) }).modules()).toEqual({ modules: expected, problem: null });
  });

  it('are none or a broken list', () => {
    expect(linuxOf(new Ram(4)).modules().problem).toMatch(/no loaded module/);
    const ram = new Ram(4);
    ram.pointer(0x9000, 0xd0000000n);
    expect(linuxOf(ram, { modules: 0xc0009000n }).modules().problem).toMatch(/broken/);
  });
});

describe('tasks', () => {
  /** A structure that no kernel has, with the fields in their order but at places of its own. */
  function putTasks(ram: Ram, rows: readonly { pid: number; name: string; state: number; mm: number }[]): void {
    const { p } = ram;
    const at = (index: number): number => 0x40000 + index * 0x1000;
    const tasks = 0x180, mm = tasks + 5 * p, pid = tasks + 12 * p, parents = pid + 8, comm = parents + 20 * p;
    rows.forEach((row, index) => {
      const next = (index + 1) % rows.length, previous = (index + rows.length - 1) % rows.length;
      ram.view.setUint32(at(index) + 24, row.state, true);
      ram.pointer(at(index) + 32, ram.linear(0x60000 + index * 0x4000));
      ram.pointer(at(index) + tasks, ram.linear(at(next) + tasks));
      ram.pointer(at(index) + tasks + p, ram.linear(at(previous) + tasks));
      if (row.mm !== 0) {
        ram.pointer(at(index) + mm, ram.linear(row.mm));
        ram.pointer(row.mm + 0x48, ram.linear(row.mm + 0x1000));
        ram.bytes.set([0x67, 0x40, 0x20], row.mm + 0x1000 + Number(p === 8 ? ((ram.base >> 39n) & 511n) * 8n : (ram.base >> 22n) * 4n));
      }
      ram.pointer(at(index) + mm + p, ram.linear(row.mm === 0 ? 0xe0000 : row.mm));
      ram.view.setUint32(at(index) + pid, row.pid, true);
      ram.view.setUint32(at(index) + pid + 4, row.pid, true);
      for (const place of [0, 1, 6]) ram.pointer(at(index) + parents + place * p, ram.linear(at(0)));
      ram.text(at(index) + comm, row.name);
    });
  }
  const ROWS = [
    { pid: 0, name: 'swapper/0', state: 0, mm: 0 }, { pid: 1, name: 'init', state: 1, mm: 0xa0000 }, { pid: 2, name: 'kthreadd', state: 1, mm: 0 },
    { pid: 3, name: 'rcu_gp', state: 0x402, mm: 0 }, { pid: 77, name: 'sh', state: 0x2001, mm: 0xb0000 }, { pid: 78, name: 'cat', state: 0, mm: 0xc0000 },
  ];

  it.each([[4, true], [4, false], [8, true], [8, false]] as const)('are inferred with %i-byte words, named: %s', (p, named) => {
    const ram = new Ram(p);
    putTasks(ram, ROWS);
    const registers = { cr3: 0xc1000n, cr4: 0n, esp: 0x1000n, rsp: 0x1000n };
    const { tasks, problem } = linuxOf(ram, named ? { init_task: ram.linear(0x40000) } : {}, registers).tasks();
    expect(problem).toBeNull();
    const state = ['running', 'sleeping', 'sleeping', 'idle', 'sleeping', 'running'];
    expect(tasks).toEqual(
      ROWS.map(({ pid, name, mm }, index) => ({
        pid, name, state: state[index], address: ram.linear(0x40000 + index * 0x1000).toString(16), addressSpace: (mm === 0 ? 0 : mm + 0x1000).toString(16), current: pid === 78,
      })),
    );
    const inKernel = { ...registers, esp: ram.linear(0x60000 + 2 * 0x4000 + 0x100), rsp: ram.linear(0x60000 + 2 * 0x4000 + 0x100) };
    expect(linuxOf(ram, {}, inKernel).tasks().tasks.find(({ current }) => current)?.name).toBe('kthreadd');
  });

  it('are none in noise', () => {
    expect(linuxOf(new Ram(4)).tasks().problem).toMatch(/no idle task/);
    fc.assert(
      fc.property(fc.constantFrom<4 | 8>(4, 8), fc.array(fc.tuple(fc.integer({ min: 0x40000, max: 0x46000 }), fc.integer({ min: 0, max: 255 })), { maxLength: 40 }), (p, changes) => {
        const ram = new Ram(p);
        putTasks(ram, ROWS);
        for (const [at, value] of changes) ram.bytes[at] = value;
        const { tasks } = linuxOf(ram).tasks();
        expect(tasks.length).toBeLessThanOrEqual(ROWS.length);
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});
