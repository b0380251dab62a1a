// From rows to handlers: every row at every operand size and ModRM form, shared where the meaning is the same.
import type { OperandKind, Size } from '../semantics/context.ts';
import type { HandlerSpecification, OperandLetters, Row } from './row.ts';
import { repeatRows } from './stringRows.ts';
import { narrowCounterRows, oneByte, tooLongRow, twoByte, undefinedRow, type Entry } from './tables.ts';
import { x87Rows } from './x87Rows.ts';

/** Records that are no instructions; never counted. */
export const PSEUDO = {
  /** Looks the record's own address up again: its page has changed, or it follows the page's end. */
  relookup: 0,
  /** Goes on at the record in `imm`. */
  goto: 1,
  /** Ends a single step. */
  stop: 2,
  /** An instruction that reaches into the next page: decoded anew each time by a helper. */
  crossing: 3,
  /** Goes on at the start of the next page. */
  nextPage: 4,
} as const;
export const PSEUDO_COUNT = 5;

const BYTE_LETTERS: ReadonlySet<OperandLetters> = new Set([
  'Eb', 'Gb', 'Ib', 'Ob', 'Zb', 'Xb', 'aAL', 'bAL', '1', 'Bx', 'Mf', 'Ti',
] as const);

/** Whether a row means different things at different operand sizes. */
const isSized = (row: Row): boolean => row.operands.some((letters) => !BYTE_LETTERS.has(letters));
const hasModRmOperand = (row: Row): boolean => row.operands.some((letters) => letters.startsWith('E'));
const isMemoryOnly = (row: Row): boolean => row.operands.some((letters) => letters[0] === 'M');

function widthOf(letters: OperandLetters, size: Size): Size {
  switch (letters.at(-1)) {
    case 'b':
    case 'L':
    case '1':
      return letters === 'Ib' || letters === '1' ? size : 8;
    case 'w':
      return 16;
    case 'd':
      return 32;
    default:
      return size;
  }
}

function kindOf(letters: OperandLetters, memory: boolean | null): OperandKind | null {
  switch (letters[0]) {
    case 'E':
      return memory ? 'memory' : 'b';
    case 'M':
    case 'O':
      return 'memory';
    case 'G':
    case 'a':
      return 'a';
    case 'Z':
    case 'b':
      return 'b';
    case 'I':
    case '1':
      return 'immediate';
    default:
      return null;
  }
}

function tierOf(row: Row, size: Size, memory: boolean | null): HandlerSpecification['tier'] {
  if (row.semantics === null) return 'helper';
  if (row.warm) return 'warm';
  const branches = row.operands.some((letters) => letters.startsWith('J')) || row.name.startsWith('RET');
  if (branches || row.name === 'CALLI' || row.name === 'JMPI') return 'hot';
  // The loop holds what 32-bit code is made of; 16-bit operands in memory are rare everywhere else.
  const arithmetic16 = size === 16 && row.name !== 'MOV' && row.name !== 'CMP';
  if (arithmetic16) return 'warm';
  const rare = ['ADC', 'SBB', 'XCHG', 'IMUL3', 'NOT', 'NEG', 'MUL', 'DIV', 'IDIV', 'CMPXCHG'].includes(row.name);
  return memory && (rare || row.name.startsWith('CMOV') || row.name.startsWith('SET')) ? 'warm' : 'hot';
}

function* allRows(): Iterable<Row> {
  const fromEntry = function* (entry: Entry): Iterable<Row> {
    if (entry === null || typeof entry === 'function') return;
    if (!Array.isArray(entry)) yield entry as Row;
    else for (const inner of entry as readonly (Row | null)[]) if (inner) yield inner;
  };
  for (const entry of oneByte) yield* fromEntry(entry);
  for (const entry of twoByte) yield* fromEntry(entry);
  yield* narrowCounterRows();
  yield* repeatRows();
  yield* x87Rows();
  yield undefinedRow;
  yield tooLongRow;
}

interface Draft extends Omit<HandlerSpecification, 'index'> {
  readonly key: string;
}

function draft(row: Row, size: Size, memory: boolean | null): Draft {
  const operands = row.operands.flatMap((letters) => {
    const kind = kindOf(letters, memory);
    return kind === null ? [] : [{ kind, size: widthOf(letters, size) }];
  });
  const tier = tierOf(row, size, memory);
  const shape = tier === 'helper' ? row.operands.join() : operands.map((o) => o.kind + o.size).join();
  return { row, size, memory, operands, tier, key: [row.name, size, memory, shape].join('|') };
}

/** A row's handlers: [16-bit register, 16-bit memory, 32-bit register, 32-bit memory]; unused places repeat others. */
type RowHandlers = readonly [HandlerSpecification, HandlerSpecification, HandlerSpecification, HandlerSpecification];

export interface HandlerTable {
  /** By index from PSEUDO_COUNT on: hot ones, then warm ones, then helpers. */
  readonly handlers: readonly HandlerSpecification[];
  readonly warmBase: number;
  readonly helperBase: number;
  readonly byRow: ReadonlyMap<Row, RowHandlers>;
}

function build(): HandlerTable {
  const drafts = new Map<string, Draft>();
  const keys = new Map<Row, readonly string[]>();
  for (const row of allRows()) {
    const sizes: readonly [Size, Size] = isSized(row) ? [16, 32] : row.operands.length > 0 ? [8, 8] : [32, 32];
    const forms: readonly [boolean | null, boolean | null] = hasModRmOperand(row)
      ? [false, true]
      : isMemoryOnly(row) || row.operands.some((letters) => letters.startsWith('O'))
        ? [true, true]
        : [null, null];
    const rowKeys = sizes.flatMap((size) =>
      forms.map((memory) => {
        const made = draft(row, size, memory);
        if (!drafts.has(made.key)) drafts.set(made.key, made);
        return made.key;
      }),
    );
    keys.set(row, rowKeys);
  }
  const order = { hot: 0, warm: 1, helper: 2 } as const;
  const sorted = [...drafts.values()].sort((a, b) => order[a.tier] - order[b.tier]);
  const handlers = sorted.map((d, position): HandlerSpecification => ({ ...d, index: PSEUDO_COUNT + position }));
  const byKey = new Map(sorted.map((d, position) => [d.key, handlers[position]]));
  const byRow = new Map<Row, RowHandlers>();
  for (const [row, rowKeys] of keys) byRow.set(row, rowKeys.map((key) => byKey.get(key)!) as unknown as RowHandlers);
  const firstOf = (tier: string): number => {
    const found = handlers.findIndex((h) => order[h.tier] >= order[tier as 'hot']);
    return PSEUDO_COUNT + (found < 0 ? handlers.length : found);
  };
  return { handlers, warmBase: firstOf('warm'), helperBase: firstOf('helper'), byRow };
}

export const handlerTable: HandlerTable = build();
