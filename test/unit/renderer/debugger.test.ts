import { describe, expect, it } from 'vitest';
import type { BreakpointSpecification, DisassemblyLine, RegisterGroup, TrapSummary } from '../../../core/api/debug.ts';
import { breakpointSpecificationSchema } from '../../../core/api/debug.ts';
import {
  append,
  codeRows,
  endOf,
  lineText,
  moveCursor,
  prepend,
  rowOf,
} from '../../../src-renderer/debugger/codeRows.ts';
import { EXIT_GROUPS, RateHistory, groupOf, stacked } from '../../../src-renderer/debugger/exitGroups.ts';
import { addHex, compareHex, flipBit, manualHex, padHex } from '../../../src-renderer/debugger/hex.ts';
import { LineEditor } from '../../../src-renderer/debugger/lineEditor.ts';
import { cellBytes, cellText, changedBytes } from '../../../src-renderer/debugger/memoryFormat.ts';
import { PANES, companions, defaultPlan, layoutKey } from '../../../src-renderer/debugger/panes.ts';
import { ChangeTracker, mergedSegments } from '../../../src-renderer/debugger/registerChanges.ts';
import {
  costText,
  figuresOf,
  latencyLabel,
  shareText,
  timeShares,
} from '../../../src-renderer/debugger/trapFigures.ts';
import { formOf, specificationOf } from '../../../src-renderer/views/debugger/breakpointForm.ts';
import { exitClasses } from '../../../core/machine/exitPolicy.ts';

describe('addresses', () => {
  it('wrap and keep 64 bits', () => {
    expect(addHex('ffffffffffffffff', 1)).toBe('0');
    expect(addHex('0', -16)).toBe('fffffffffffffff0');
    expect(addHex('ffffffff8172c4a1', 0x61)).toBe('ffffffff8172c502');
    expect(padHex('1f', 32)).toBe('0000001f');
    expect(manualHex(0x3f8)).toBe('3F8h');
    expect(compareHex('ffffffff80000000', '80000000')).toBe(1);
    expect(flipBit('246', 0)).toBe('247');
    expect(flipBit('8000000000000000', 63)).toBe('0');
  });
});

const line = (address: string, bytes: number | null, extra: Partial<DisassemblyLine> = {}): DisassemblyLine => ({
  address,
  bytes: bytes === null ? null : new Uint8Array(bytes).fill(0x90),
  parts: [{ text: 'nop', kind: 'mnemonic' }],
  label: null,
  source: null,
  target: null,
  note: '',
  current: false,
  sensitive: null,
  privileged: false,
  breakpoint: null,
  ...extra,
});

describe('code rows', () => {
  const lines = [
    line('1000', 1, { label: 'main', source: { file: 'a/b.c', line: 3 } }),
    line('1001', 2, { source: { file: 'a/b.c', line: 3 } }),
    line('1003', 1, { source: { file: 'a/b.c', line: 4 } }),
    line('1004', null),
    line('1005', null),
  ];
  it('give labels a row and tell a source line once', () => {
    expect(codeRows(lines).map((row) => [row.kind, 'position' in row ? row.position : row.bytes])).toEqual([
      ['label', 'b.c:3'],
      ['line', ''],
      ['line', ''],
      ['line', 'b.c:4'],
      ['gap', 2],
    ]);
    expect(rowOf(codeRows(lines), '01001')).toBe(2);
    expect(rowOf(codeRows(lines), '1002')).toBe(-1);
  });
  it('the cursor steps over labels and gaps and stays at the ends', () => {
    const rows = codeRows([...lines, line('2000', 1, { label: 'next' }), line('2001', 1)]);
    expect(moveCursor(rows, 1, -1)).toBe(1);
    expect(rows[moveCursor(rows, 3, 1)]).toMatchObject({ key: '2000' });
    expect(moveCursor(rows, 1, 100)).toBe(rows.length - 1);
  });
  it('join without overlap', () => {
    expect(endOf(lines[1]!)).toBe('1003');
    expect(append(lines.slice(0, 2), lines.slice(1)).map(({ address }) => address)).toEqual(
      lines.map(({ address }) => address),
    );
    expect(prepend(lines.slice(2), lines.slice(0, 3)).map(({ address }) => address)).toEqual(
      lines.map(({ address }) => address),
    );
  });
  it('copy as text', () => {
    expect(lineText(line('10', 1, { note: 'x' }), 8)).toMatch(/^00000010 {2}90 +nop {2}; x$/);
  });
});

describe('changed registers', () => {
  const state = (eax: string, zf: string) => ({
    groups: [
      {
        id: 'general',
        title: '',
        registers: [
          { name: 'EAX', value: eax, width: 32, editable: true, note: '', fields: [] },
          {
            name: 'EFLAGS',
            value: '2',
            width: 32,
            editable: true,
            note: '',
            fields: [{ name: 'ZF', bits: '6', value: zf, meaning: '' }],
          },
        ],
      },
    ] satisfies RegisterGroup[],
    segments: [],
  });
  it('are those that differ from the stop before, edits included', () => {
    const tracker = new ChangeTracker();
    expect(tracker.update(state('1', '0'), 10).size).toBe(0);
    expect([...tracker.update(state('1', '1'), 11)]).toEqual(['EFLAGS.ZF']);
    expect([...tracker.update(state('5', '1'), 11)]).toEqual(['EAX', 'EFLAGS.ZF']);
    expect([...tracker.update(state('5', '1'), 11)]).toEqual(['EAX', 'EFLAGS.ZF']);
  });
  it('stay when a status comes later than its registers', () => {
    const tracker = new ChangeTracker();
    tracker.update(state('1', '0'), 10);
    expect([...tracker.update(state('2', '0'), 10)]).toEqual(['EAX']);
    expect([...tracker.update(state('2', '0'), 11)]).toEqual(['EAX']);
    expect([...tracker.update(state('3', '0'), 12)]).toEqual(['EAX']);
  });
  it('equal neighbours share a row until one changes', () => {
    const segment = (name: string) => ({
      name,
      selector: '10',
      base: '0',
      limit: 'f',
      type: 'data',
      privilege: 0,
      present: true,
    });
    const all = ['CS', 'SS', 'DS', 'ES', 'TR'].map(segment);
    expect(mergedSegments(all, new Set()).map(({ names }) => names)).toEqual(['CS', 'SS DS ES', 'TR']);
    expect(mergedSegments(all, new Set(['DS.selector'])).map(({ names }) => names)).toEqual([
      'CS',
      'SS',
      'DS',
      'ES',
      'TR',
    ]);
  });
});

describe('memory cells', () => {
  const bytes = new Uint8Array([0xdb, 0x0f, 0x49, 0x40, 0x18, 0x2d, 0x44, 0x54, 0xfb, 0x21, 0x09, 0x40]);
  it.each([
    ['u8', 0, 'db'],
    ['u16', 0, '0fdb'],
    ['u32', 0, '40490fdb'],
    ['u64', 4, '400921fb54442d18'],
    ['f32', 0, '3.141593'],
    ['f64', 4, '3.14159265358979'],
    ['text', 2, 'I'],
  ] as const)('%s at %d is %s', (format, at, text) => expect(cellText(bytes, at, format)).toBe(text));
  it('typed text becomes bytes or a reason', () => {
    expect(cellBytes('0x12345678', 'u32')).toEqual(Uint8Array.of(0x78, 0x56, 0x34, 0x12));
    expect(cellBytes('ffh', 'u16')).toEqual(Uint8Array.of(0xff, 0));
    expect(cellBytes('100', 'u8')).toBe('100h does not fit 8 bits.');
    expect(cellBytes('zz', 'u8')).toContain('not a hexadecimal value');
    expect(cellBytes('-1.5', 'f32')).toEqual(Uint8Array.of(0, 0, 0xc0, 0xbf));
    expect(cellBytes('', 'f64')).toContain('not a number');
    expect(cellBytes('hé', 'text')).toEqual(Uint8Array.of(0x68, 0xc3, 0xa9));
  });
  it('changes are found where two reads overlap', () => {
    const now = { address: 0x110n, bytes: Uint8Array.of(1, 2, 3) };
    expect([...changedBytes({ address: 0x10fn, bytes: Uint8Array.of(9, 1, 7) }, now)]).toEqual([1]);
    expect(changedBytes(null, now).size).toBe(0);
  });
});

describe('the breakpoint form', () => {
  const base = { enabled: true, condition: 'eax == 1', ignoreHits: 3, log: '', oneShot: true, addressSpace: '105000' };
  const kinds: BreakpointSpecification['where'][] = [
    { kind: 'execute', at: 'main', space: 'physical' },
    { kind: 'data', at: 'ticks', space: 'linear', length: 8, access: 'access' },
    { kind: 'port', from: 0x3f8, to: 0x3ff, access: 'read' },
    { kind: 'mmio', from: '0xfee00000', length: 16, access: 'write' },
    { kind: 'interrupt', vector: 0x20 },
    { kind: 'exception', vector: null },
    { kind: 'control-register', register: 'cr0' },
    { kind: 'msr', index: 0xc0000080 },
    { kind: 'mode-change' },
    { kind: 'privilege-change' },
    { kind: 'address-space' },
    { kind: 'exit', exitClass: 'cpuid' },
    { kind: 'instruction', class: 'sensitive-unprivileged' },
  ];
  it.each(kinds)('keeps %o', (where) => {
    const specification = { ...base, where };
    const result = specificationOf(formOf(specification));
    expect(result).toEqual({ specification });
    expect(breakpointSpecificationSchema.parse(specification)).toEqual(specification);
  });
  it('tells the field that is wrong', () => {
    expect(specificationOf(formOf(null))).toMatchObject({ field: 'at' });
    expect(specificationOf({ ...formOf(null), kind: 'port', fromPort: '10000' })).toMatchObject({ field: 'fromPort' });
    expect(specificationOf({ ...formOf(null), kind: 'port', fromPort: '20', toPort: '10' })).toMatchObject({
      field: 'toPort',
    });
    expect(specificationOf({ ...formOf(null), kind: 'exception', vector: '20' })).toMatchObject({ field: 'vector' });
    expect(specificationOf({ ...formOf(null), kind: 'data', at: 'x', length: '0' })).toMatchObject({ field: 'length' });
    expect(specificationOf({ ...formOf(null), at: 'x', ignoreHits: '-1' })).toMatchObject({ field: 'ignoreHits' });
  });
});

describe('panes', () => {
  it('are all in both default layouts, once', () => {
    for (const width of [1024, 1440]) {
      const planned = defaultPlan(width).flatMap(({ panes }) => panes);
      expect([...planned].sort()).toEqual(PANES.map(({ id }) => id).sort());
      for (const { beside } of defaultPlan(width)) if (beside) expect(planned).toContain(beside.pane);
    }
    expect(companions('tlb', 1440)).toContain('walk');
    expect(layoutKey('a', 1299)).not.toBe(layoutKey('a', 1300));
  });
});

const summary = (counts: Partial<Record<(typeof exitClasses)[number], number>>, instructions: number): TrapSummary => ({
  instructions,
  guestNs: 0,
  hostMs: 1000,
  timeMs: { engine: 600, hypervisor: 100, devices: 100, idle: 200 },
  mips: 10,
  classes: exitClasses.map((exitClass) => ({
    exitClass,
    title: '',
    count: counts[exitClass] ?? 0,
    ms: 0,
    policy: 'count',
    stops: 0,
  })),
  tlbFills: 0,
  pageFaults: 0,
  guestErrors: 2,
  errors: [],
  unclaimedAccesses: [{ kind: 'port', address: '2e8', reads: 3, writes: 1 }],
  cpuModel: 'i686',
  sensitiveTrapped: 1234,
  recording: true,
  recorded: 0,
});

describe('exit rates', () => {
  it('every class has its group', () => {
    const grouped = EXIT_GROUPS.flatMap(({ classes }) => classes);
    expect([...grouped].sort()).toEqual([...exitClasses].sort());
    expect(groupOf('cpuid').id).toBe('system');
  });
  it('come from counters, per second, and begin again with the machine', () => {
    const history = new RateHistory();
    history.add(0, summary({ port: 10 }, 100));
    history.add(2000, summary({ port: 30, hlt: 4 }, 200));
    expect(history.samples(10)).toEqual([{ at: 2000, rates: [10, 0, 0, 0, 0, 2] }]);
    history.add(3000, summary({ port: 1 }, 5));
    expect(history.samples(10)).toEqual([]);
    history.add(4000, summary({ port: 6 }, 50));
    expect(history.samples(10).at(-1)?.rates[0]).toBe(5);
  });
  it('keep five minutes in full and the whole time coarsely', () => {
    const history = new RateHistory();
    for (let second = 0; second <= 2000; second++) history.add(second * 1000, summary({ mmio: second * 7 }, second));
    expect(history.samples(300).length).toBe(300);
    expect(history.samples(10).length).toBe(10);
    const whole = history.samples(null);
    expect(whole.length).toBeLessThanOrEqual(600);
    expect(whole[0]!.at).toBeLessThan(10_000);
    for (const { rates } of whole) expect(rates[1]).toBeCloseTo(7);
  });
  it('stack without the hidden', () => {
    const samples = [{ at: 0, rates: [1, 2, 3, 4, 5, 6] }];
    expect(stacked(samples, new Set()).map((series) => series[0])).toEqual([1, 3, 6, 10, 15, 21]);
    expect(stacked(samples, new Set(['mmio'])).map((series) => series[0])).toEqual([1, 1, 4, 8, 13, 19]);
  });
});

describe('figures', () => {
  it('never round to a perfect share', () => {
    expect(shareText(0, 100)).toBe('100 %');
    expect(shareText(8, 1_000_000)).toBe('99.9992 %');
    expect(shareText(1, 4)).toBe('75.0 %');
    expect(shareText(1, 0)).toBe('no figure yet');
  });
  it('say what the summary says', () => {
    const [efficiency, safety, fidelity] = figuresOf(summary({ port: 8 }, 1_000_000), 3);
    expect(efficiency!.value).toBe('99.9992 %');
    expect(safety!.value).toBe('1.2k trapped');
    expect(fidelity!.value).toBe('2 guest errors');
    expect(fidelity!.text).toContain('4 accesses');
    expect(timeShares(summary({}, 1)).map(({ share }) => share)).toEqual([0.6, 0.1, 0.1, 0.2]);
  });
  it('costs and latencies have units', () => {
    expect([180, 1900, 3_700_000].map(costText)).toEqual(['180 ns', '1.90 µs', '3.70 ms']);
    expect([0, 1, 7].map((index) => latencyLabel(index, 8))).toEqual(['under 1 µs', '1 to 2 µs', '64 µs and more']);
  });
});

describe('the monitor line', () => {
  const make = (history: string[] = []) => {
    let written = '';
    const ran: string[] = [];
    const editor = new LineEditor(
      {
        write: (text) => (written += text),
        run: async (text) => (ran.push(text), `${text} done`),
        complete: async (text) => {
          const start = text.search(/\S*$/);
          return {
            candidates: ['print', 'printer', 'step'].filter((word) => word.startsWith(text.slice(start))),
            start,
          };
        },
      },
      history,
    );
    return { editor, ran, written: () => written };
  };
  const type = async (editor: LineEditor, ...keys: string[]): Promise<void> => {
    for (const key of keys) await editor.input(key);
  };

  it('edits anywhere in the line', async () => {
    const { editor, ran } = make();
    await type(editor, 'a', 'c', '\x1b[D', 'b', '\x1b[H', '0', '\x1b[F', '\x7f', '\r');
    expect(ran).toEqual(['0ab']);
  });
  it('completes what is common, then lists', async () => {
    const { editor, written } = make();
    await type(editor, 'pr', '\t');
    expect(editor.line).toBe('print');
    await type(editor, '\t');
    expect(written()).toContain('print  printer');
    await type(editor, '\x15', 'st', '\t');
    expect(editor.line).toBe('step ');
  });
  it('recalls earlier lines and the draft', async () => {
    const { editor, ran } = make(['one', 'two']);
    await type(editor, 'dra', '\x1b[A');
    expect(editor.line).toBe('two');
    await type(editor, '\x1b[A', '\x1b[B', '\x1b[B');
    expect(editor.line).toBe('dra');
    await type(editor, '\x1b[A', '\x1b[A', '\r');
    expect(ran).toEqual(['one']);
    expect(editor.history).toEqual(['one', 'two', 'one']);
  });
  it('runs pasted lines one after the other and keeps what is typed meanwhile', async () => {
    const { editor, ran } = make();
    void editor.input('first\rsecond\nthi');
    await editor.input('rd\r');
    expect(ran).toEqual(['first', 'second', 'third']);
  });
  it('Ctrl C drops the line', async () => {
    const { editor, ran } = make();
    await type(editor, 'abc', '\x03', '\r');
    expect(ran).toEqual([]);
  });
});
