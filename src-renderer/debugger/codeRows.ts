// Disassembled lines as rows of equal height, and the window of them that is kept while one scrolls by address.
import type { DisassemblyLine } from '../../core/api/debug.ts';
import { addHex, compareHex, fromHex } from './hex.ts';

export type CodeRow =
  | { readonly kind: 'label'; readonly key: string; readonly label: string; readonly position: string }
  | { readonly kind: 'gap'; readonly key: string; readonly address: string; readonly bytes: number }
  | { readonly kind: 'line'; readonly key: string; readonly line: DisassemblyLine; readonly position: string };

export const positionText = (source: DisassemblyLine['source']): string =>
  source === null ? '' : `${source.file.split('/').pop()!}:${source.line}`;

/** A label gets a row of its own; memory that is not mapped becomes one row. */
export function codeRows(lines: readonly DisassemblyLine[]): CodeRow[] {
  const rows: CodeRow[] = [];
  let position = '';
  for (const line of lines) {
    const { address } = line;
    if (line.bytes === null) {
      const last = rows.at(-1);
      if (last?.kind === 'gap') rows[rows.length - 1] = { ...last, bytes: last.bytes + 1 };
      else rows.push({ kind: 'gap', key: `gap ${address}`, address, bytes: 1 });
      continue;
    }
    const here = positionText(line.source);
    if (line.label !== null) {
      rows.push({ kind: 'label', key: `label ${address}`, label: line.label, position: here });
      position = here;
    }
    rows.push({ kind: 'line', key: address, line, position: here === position ? '' : here });
    position = here;
  }
  return rows;
}

export function endOf(line: DisassemblyLine): string {
  return addHex(line.address, Math.max(1, line.bytes?.length ?? 1));
}

/** Lines in front of what is there; overlap is dropped. */
export function prepend(lines: readonly DisassemblyLine[], earlier: readonly DisassemblyLine[]): DisassemblyLine[] {
  const first = lines[0];
  if (first === undefined) return [...earlier];
  return [...earlier.filter((line) => compareHex(line.address, first.address) < 0), ...lines];
}

export function append(lines: readonly DisassemblyLine[], later: readonly DisassemblyLine[]): DisassemblyLine[] {
  const last = lines.at(-1);
  if (last === undefined) return [...later];
  return [...lines, ...later.filter((line) => compareHex(line.address, last.address) > 0)];
}

export function rowOf(rows: readonly CodeRow[], address: string): number {
  const wanted = fromHex(address);
  return rows.findIndex((row) => row.kind === 'line' && fromHex(row.line.address) === wanted);
}

/** The next or previous line that can carry the cursor. */
export function moveCursor(rows: readonly CodeRow[], from: number, step: number): number {
  const direction = Math.sign(step);
  let index = from;
  for (let left = Math.abs(step); left > 0; left--) {
    let next = index + direction;
    while (rows[next] !== undefined && rows[next]!.kind !== 'line') next += direction;
    if (rows[next] === undefined) break;
    index = next;
  }
  return index;
}

/** A line as text, for copying. */
export function lineText(line: DisassemblyLine, digits: number): string {
  const bytes =
    line.bytes === null ? '??' : [...line.bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  const code = line.parts.map(({ text }) => text).join('');
  return `${line.address.padStart(digits, '0')}  ${bytes.padEnd(24)} ${code}${line.note === '' ? '' : `  ; ${line.note}`}`;
}
