// Aligned text.
import type { DebugPlace, DebugStatus, DisassemblyLine } from '../../api/debug.ts';

/** Columns as wide as their longest cell; the last one is not padded. `right` names right-aligned columns. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, column) => (widths[column] = Math.max(widths[column] ?? 0, cell.length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          if (right.includes(column)) return cell.padStart(widths[column]);
          return column === row.length - 1 ? cell : cell.padEnd(widths[column]);
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export const grouped = (value: number): string => Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, ' ');

export const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

export function placeText(place: DebugPlace): string {
  const source = place.source === null ? '' : ` at ${place.source.file}:${place.source.line}`;
  return `${place.address}${place.symbol === null ? '' : ` <${place.symbol}>`}${source}`;
}

export function statusText(status: DebugStatus): string {
  const { mode, stop } = status;
  const state = stop === null ? status.state : `${status.state}: ${stop.text}`;
  const where = `${mode.name}, ${mode.bits}-bit code, ring ${mode.privilege}${mode.paging ? ', paging' : ''}`;
  return `${state}\n${placeText(status.place)}\n${where}, ${grouped(status.instructions)} instructions`;
}

export function disassemblyText(lines: readonly DisassemblyLine[]): string {
  const rows: string[] = [];
  for (const line of lines) {
    if (line.label !== null) rows.push(`${line.label}:`);
    const mark = `${line.current ? '=>' : '  '}${line.breakpoint === null ? ' ' : line.breakpoint.enabled ? '*' : 'o'}`;
    const bytes = line.bytes === null ? '' : [...line.bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = line.bytes === null ? '(not mapped)' : line.parts.map((part) => part.text).join('');
    const note = line.note === '' ? '' : `  ; ${line.note}`;
    rows.push(`${mark} ${line.address}  ${bytes.padEnd(23)}  ${text}${note}`.trimEnd());
  }
  return rows.join('\n');
}

/** 16 bytes a row with their text; unmapped bytes as `--`. */
export function dump(address: bigint, bytes: Uint8Array, unmapped: readonly { from: number; to: number }[]): string {
  const digits = (address + BigInt(bytes.length)).toString(16).length > 8 ? 16 : 8;
  const isMissing = (offset: number): boolean => unmapped.some(({ from, to }) => offset >= from && offset < to);
  const rows: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const part = Array.from(bytes.subarray(at, at + 16));
    const hex = part.map((byte, index) => (isMissing(at + index) ? '--' : byte.toString(16).padStart(2, '0')));
    const text = part.map((byte, index) => (!isMissing(at + index) && byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'));
    rows.push(`${(address + BigInt(at)).toString(16).padStart(digits, '0')}  ${hex.join(' ').padEnd(47)}  ${text.join('')}`);
  }
  return rows.join('\n');
}
