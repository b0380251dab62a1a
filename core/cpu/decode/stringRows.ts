// String instructions: which row a REP prefix selects (SDM 2B REP).
import type { Semantics } from '../semantics/context.ts';
import * as string from '../semantics/string.ts';
import { helper, row, type Row } from './row.ts';

const WARM = { warm: true } as const;
const asRow = (name: string, operands: string, semantics: string.StringSemantics): Row =>
  row(name, operands, name, semantics as unknown as Semantics, WARM);

/** The three rows of a string instruction: plain, REP/REPE, REPNE. */
const repeats = new Map<Row, readonly [Row, Row]>();

function define(
  name: string,
  operands: string,
  make: (repeat: string.Repeat) => string.StringSemantics,
  compares: boolean,
): Row {
  const plain = asRow(name, operands, make('none'));
  const equal = asRow(`REP_${name}`, operands, make('while-equal'));
  const notEqual = compares ? asRow(`REPNE_${name}`, operands, make('while-not-equal')) : equal;
  repeats.set(plain, [equal, notEqual]);
  return plain;
}

/** The row under an F3 (`equal`) or F2 prefix; the same row where the prefix means nothing. */
export function underRepeat(plain: Row, prefix: 0xf2 | 0xf3): Row {
  return repeats.get(plain)?.[prefix === 0xf3 ? 0 : 1] ?? plain;
}

export const repeatRows = (): Row[] => [...repeats.values()].flat();

function io(mnemonic: string, operands: string, name: string): Row {
  const attributes = { sensitive: 'control', privileged: true } as const;
  const plain = helper(mnemonic, operands, name, attributes);
  const again = helper(`REP ${mnemonic}`, operands, `${name}Repeated`, attributes);
  repeats.set(plain, [again, again]);
  return plain;
}

/** Xb and Xv: no operand in the record, only the element's size. */
export const stringRows: readonly [number, Row][] = [
  [0x6c, io('INS', 'Xb', 'inString')],
  [0x6d, io('INS', 'Xv', 'inString')],
  [0x6e, io('OUTS', 'Xb', 'outString')],
  [0x6f, io('OUTS', 'Xv', 'outString')],
  [0xa4, define('MOVS', 'Xb', string.moveString, false)],
  [0xa5, define('MOVS', 'Xv', string.moveString, false)],
  [0xa6, define('CMPS', 'Xb', string.compareString, true)],
  [0xa7, define('CMPS', 'Xv', string.compareString, true)],
  [0xaa, define('STOS', 'Xb', string.storeString, false)],
  [0xab, define('STOS', 'Xv', string.storeString, false)],
  [0xac, define('LODS', 'Xb', string.loadString, false)],
  [0xad, define('LODS', 'Xv', string.loadString, false)],
  [0xae, define('SCAS', 'Xb', string.scanString, true)],
  [0xaf, define('SCAS', 'Xv', string.scanString, true)],
];
