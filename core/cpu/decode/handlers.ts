// From rows to handlers: every row at every operand size and ModRM form, shared where the meaning is the same.
import type { OperandKind, OperandSize, Size } from '../semantics/context.ts';
import type { Entry, Opcode, Prefixed, HandlerSpecification, OperandLetters, Row } from './row.ts';
import { repeatRows } from './stringRows.ts';
import {
  countedRows, exchangeR8, map38, map3A, moveWideImmediate, moveWord, oneByte, oneByte64, tooLongRow, twoByte, undefinedRow, vex38, vex3A,
  visibleCliRow, zeroShiftRows,
} from './tables.ts';

/** Records that are no instructions; never counted. */
export const PSEUDO = {
  /** Looks the record's own address up again: its page has changed. */
  relookup: 0,
  /** Goes on at the record in `imm`. */
  goto: 1,
  /** Ends a single step. */
  stop: 2,
  /** An instruction that reaches into the next page: decoded anew each time by a helper. */
  crossing: 3,
  /** Goes on at the start of the next page. */
  nextPage: 4,
  /** The debugger stops in front of the instruction here. */
  breakpoint: 5,
  /** Behind an instruction that reached into the next page: looks its own address up there. */
  crossed: 6,
  /** Goes on in translated code: the function with the number in `imm`. The instruction's own record is at `disp`. */
  region: 7,
} as const;
export const PSEUDO_COUNT = 8;

const BYTE_LETTERS: ReadonlySet<OperandLetters> = new Set([
  'Eb', 'Gb', 'Ed', 'Gd', 'Ib', 'Ob', 'Zb', 'Xb', 'aAL', 'bAL', '1', 'Bx', 'Mf', 'Ti', 'By', 'Iq', 'Vx', 'Vq', 'Vd', 'Wx', 'Wq', 'Wd', 'Ww',
  'Ux', 'Uq', 'Pq', 'Pd', 'Qq', 'Qd', 'Nq', 'Mx', 'Mq', 'Md', 'Mw', 'Mb', 'Edb', 'Edw', 'Ud',
] as const);

/** Whether a row means different things at different operand sizes. */
const isSized = (row: Row): boolean => row.operands.some((letters) => !BYTE_LETTERS.has(letters));
const hasModRmOperand = (row: Row): boolean => row.operands.some((letters) => 'EWQ'.includes(letters[0]));
const isMemoryOnly = (row: Row): boolean => row.operands.some((letters) => letters[0] === 'M');

function widthOf(letters: OperandLetters, size: Size): OperandSize {
  switch (letters.at(-1)) {
    case 'b':
    case 'L':
    case '1':
      return letters === 'Ib' || letters === '1' ? size : 8;
    case 'w':
      return 16;
    case 'd':
      return 32;
    case 'q':
      return 64;
    case 'x':
      return letters[0] === 'B' ? size : 128;
    default:
      return size;
  }
}

function kindOf(letters: OperandLetters, memory: boolean | null): OperandKind | null {
  switch (letters[0]) {
    case 'E':
    case 'W':
    case 'Q':
      return memory ? 'memory' : 'b';
    case 'M':
    case 'O':
      return 'memory';
    case 'G':
    case 'V':
    case 'P':
    case 'a':
      return 'a';
    case 'U':
    case 'N':
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

/** Rows that reach the stack without naming memory. */
const STACK_ROWS: ReadonlySet<string> = new Set(['PUSH', 'POP', 'CALL', 'CALLI', 'RET', 'RETI', 'LEAVE']);
const usesMemory = (row: Row, memory: boolean | null): boolean => memory === true || STACK_ROWS.has(row.name);

function tierOf(row: Row, size: Size, memory: boolean | null, flat: boolean): HandlerSpecification['tier'] {
  if (row.semantics === null) return 'helper';
  if (row.cold) return 'cold';
  if (row.warm) return 'warm';
  const branches = row.operands.some((letters) => letters.startsWith('J')) || row.name.startsWith('RET');
  if (branches || row.name === 'CALLI' || row.name === 'JMPI') return 'hot';
  // Segments with a base or a limit are for old code and for thread-local data.
  if (usesMemory(row, memory) && !flat && row.name !== 'LEA') return 'warm';
  // The loop holds what 32-bit code is made of; 16-bit operands in memory are rare everywhere else.
  const arithmetic16 = size === 16 && row.name !== 'MOV' && row.name !== 'CMP';
  if (arithmetic16) return 'warm';
  const rare = ['ADC', 'SBB', 'XCHG', 'IMUL3', 'NOT', 'NEG', 'MUL', 'DIV', 'IDIV', 'CMPXCHG'].includes(row.name);
  return memory && (rare || row.name.startsWith('CMOV') || row.name.startsWith('SET')) ? 'warm' : 'hot';
}

/** Every row that an entry of an opcode map may lead to. */
export function* rowsOf(entry: Entry): Iterable<Row> {
  if (entry === null) return;
  if (Array.isArray(entry)) for (const inner of entry as readonly (Row | null)[]) yield* inner ? [inner] : [];
  else if ('byModRm' in entry) yield* entry.rows;
  else if ('operands' in entry) yield entry;
  else for (const under of Object.values(entry as Prefixed)) yield* rowsOf(under as Opcode);
}

function* allRows(): Iterable<Row> {
  for (const map of [oneByte, oneByte64, twoByte, map38, map3A, vex38, vex3A]) for (const entry of map) yield* rowsOf(entry);
  yield* countedRows();
  yield* zeroShiftRows();
  yield* repeatRows();
  yield moveWideImmediate;
  yield exchangeR8;
  yield moveWord;
  yield undefinedRow;
  yield visibleCliRow;
  yield tooLongRow;
}

interface Draft extends Omit<HandlerSpecification, 'index'> {
  readonly key: string;
}

function draft(row: Row, size: Size, memory: boolean | null, wantFlat: boolean): Draft {
  const operands = row.operands.flatMap((letters) => {
    const kind = kindOf(letters, memory);
    return kind === null ? [] : [{ kind, size: widthOf(letters, size) }];
  });
  const flat = wantFlat && row.semantics !== null && row.warm !== true && row.cold !== true && usesMemory(row, memory);
  const tier = tierOf(row, size, memory, flat);
  const shape = tier === 'helper' ? row.operands.join() : operands.map((o) => o.kind + o.size).join();
  return { row, size, memory, operands, flat, tier, key: [row.name, size, memory, flat, shape].join('|') };
}

/** Place of the handlers for flat segments behind those for others. */
export const FLAT_FORM = 6;
/**
 * A row's handlers by operand size (16, 32 and 64 bits: 0, 2, 4) + form (register: 0, memory: 1) + segments (flat: 6); unused
 * places repeat others.
 */
type RowHandlers = readonly HandlerSpecification[];

/** Two instructions in a row that are done in one dispatch: a compare and its branch, or two frequent ones. */
export interface FusedHandler {
  readonly index: number;
  readonly first: HandlerSpecification;
  readonly second: HandlerSpecification;
}

export interface HandlerTable {
  /** By index from PSEUDO_COUNT on: hot ones, then warm ones, cold ones, helpers. */
  readonly handlers: readonly HandlerSpecification[];
  /** Behind the helpers: the last indexes. */
  readonly fused: readonly FusedHandler[];
  readonly warmBase: number;
  readonly coldBase: number;
  readonly helperBase: number;
  readonly byRow: ReadonlyMap<Row, RowHandlers>;
}

/** A row's meaning at operand sizes of 16, 32 and 64 bits. */
function sizesOf(row: Row): readonly Size[] {
  if (row.operands.includes('Iq')) return [64, 64, 64];
  if (row.operands.some((letters) => letters.endsWith('y'))) return [32, 32, 64];
  if (!isSized(row)) return row.operands.length > 0 ? [8, 8, 8] : [32, 32, 32];
  return row.in64 === 'undefined' ? [16, 32, 32] : [16, 32, 64];
}

function build(): HandlerTable {
  const drafts = new Map<string, Draft>();
  const keys = new Map<Row, readonly string[]>();
  for (const row of allRows()) {
    const sizes: readonly Size[] = sizesOf(row);
    const forms: readonly [boolean | null, boolean | null] = hasModRmOperand(row)
      ? [false, true]
      : isMemoryOnly(row) || row.operands.some((letters) => letters.startsWith('O'))
        ? [true, true]
        : [null, null];
    const rowKeys = [false, true].flatMap((flat) =>
      sizes.flatMap((size) =>
        forms.map((memory) => {
          const made = draft(row, size, memory, flat);
          if (!drafts.has(made.key)) drafts.set(made.key, made);
          return made.key;
        }),
      ),
    );
    keys.set(row, rowKeys);
  }
  const order = { hot: 0, warm: 1, cold: 2, helper: 3 } as const;
  const sorted = [...drafts.values()].sort((a, b) => order[a.tier] - order[b.tier]);
  const handlers = sorted.map((d, position): HandlerSpecification => ({ ...d, index: PSEUDO_COUNT + position }));
  const byKey = new Map(sorted.map((d, position) => [d.key, handlers[position]]));
  const byRow = new Map<Row, RowHandlers>();
  for (const [row, rowKeys] of keys) byRow.set(row, rowKeys.map((key) => byKey.get(key)!));
  const firstOf = (tier: string): number => {
    const found = handlers.findIndex((h) => order[h.tier] >= order[tier as 'hot']);
    return PSEUDO_COUNT + (found < 0 ? handlers.length : found);
  };
  const fused = fusedPairs(handlers);
  return { handlers, fused, warmBase: firstOf('warm'), coldBase: firstOf('cold'), helperBase: firstOf('helper'), byRow };
}

/** Conditions worth fusing after each kind of instruction. */
const FUSED_CONDITIONS: Readonly<Record<string, readonly string[]>> = {
  CMP: ['JB', 'JAE', 'JE', 'JNE', 'JBE', 'JA', 'JL', 'JGE', 'JLE', 'JG'],
  TEST: ['JE', 'JNE', 'JS', 'JNS', 'JLE', 'JG'],
  DEC: ['JE', 'JNE', 'JS', 'JNS'],
  INC: ['JE', 'JNE'],
  SUB: ['JE', 'JNE', 'JB', 'JAE'],
  ADD: ['JE', 'JNE', 'JB', 'JAE'],
  AND: ['JE', 'JNE'],
  OR: ['JE', 'JNE'],
};

/**
 * Instructions of 32 and 64 bits by name and operand kinds that are frequent in a row (measured over a Linux boot): the first of a
 * pair may not store, since a store could change the instruction behind it.
 */
const FREQUENT_FIRST = [
  'MOV a memory', 'MOV b a', 'ADD b a', 'ADD b immediate', 'SUB b a', 'IMUL2 a b', 'SHR b immediate', 'SHL b immediate',
  'LEA a memory', 'MOVZX a b', 'XOR b a', 'POP b',
];
const FREQUENT_SECOND = [
  'MOV a memory', 'MOV b a', 'MOV memory a', 'ADD b a', 'ADD b immediate', 'SUB b a', 'IMUL2 a b', 'SHR b immediate',
  'SHL b immediate', 'LEA a memory', 'XOR b a', 'PUSH b', 'POP b',
];

/** Name and operand kinds of a handler for 32- or 64-bit operands in flat segments, else null. */
function frequentName(handler: HandlerSpecification): string | null {
  if (handler.size < 32 || handler.tier !== 'hot') return null;
  if (handler.operands.length === 0 || (usesMemory(handler.row, handler.memory) && !handler.flat)) return null;
  if (handler.row.name === 'MOVZX' && handler.operands[1].size !== 8) return null;
  return [handler.row.name, ...handler.operands.map((operand) => operand.kind)].join(' ');
}

function* frequentPairs(
  handlers: readonly HandlerSpecification[],
): Iterable<readonly [HandlerSpecification, HandlerSpecification]> {
  const named = (names: readonly string[]): HandlerSpecification[] =>
    handlers.filter((handler) => names.includes(frequentName(handler) ?? ''));
  const seconds = named(FREQUENT_SECOND);
  for (const first of named(FREQUENT_FIRST)) {
    for (const second of seconds) if (first.size === second.size) yield [first, second];
  }
}

function fusedPairs(handlers: readonly HandlerSpecification[]): FusedHandler[] {
  const branches = handlers.filter((h) => h.size >= 32 && h.row.operands[0]?.startsWith('J') && h.tier === 'hot');
  const pairs: FusedHandler[] = [];
  for (const first of handlers) {
    const conditions = FUSED_CONDITIONS[first.row.name];
    const only = first.row.name === 'CMP' || first.row.name === 'TEST';
    if (conditions === undefined || first.tier !== 'hot' || first.size === 16) continue;
    // Stores could change the branch behind them: only what writes registers or flags is fused.
    if (first.memory === true && !only) continue;
    if (first.size === 8 && !only) continue;
    for (const second of branches) {
      if (!conditions.includes(second.row.name)) continue;
      if (first.size === 64 && second.size !== 64) continue;
      pairs.push({ index: PSEUDO_COUNT + handlers.length + pairs.length, first, second });
    }
  }
  for (const [first, second] of frequentPairs(handlers)) {
    pairs.push({ index: PSEUDO_COUNT + handlers.length + pairs.length, first, second });
  }
  return pairs;
}

export const handlerTable: HandlerTable = build();

const fusedIndexes = new Map(handlerTable.fused.map((pair) => [pair.first.index * 65536 + pair.second.index, pair.index]));

/** The handler for two instructions in a row, or null. */
export const fusedHandler = (first: number, second: number): number | null =>
  fusedIndexes.get(first * 65536 + second) ?? null;
