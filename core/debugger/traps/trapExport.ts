// The list of exits as a file: CSV, JSON, and trace events that Perfetto and about:tracing open.
import type { Trap } from '../../api/debug.ts';

const COLUMNS = ['sequence', 'instructions', 'guestNs', 'address', 'symbol', 'code', 'privilege', 'exitClass', 'cause', 'hypervisor', 'answer', 'costNs'] as const;

/** RFC 4180. */
function csvField(value: string | number | null): string {
  const text = value === null ? '' : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const csv = (traps: readonly Trap[]): string =>
  [COLUMNS.join(), ...traps.map((trap) => COLUMNS.map((column) => csvField(trap[column])).join())].join('\r\n') + '\r\n';

/** Complete events ("ph": "X"), microseconds: guest time, lasting as long as the host took. One track a class. */
function perfetto(traps: readonly Trap[]): string {
  const classes = [...new Set(traps.map((trap) => trap.exitClass))];
  const names = classes.map((name, index) => ({ ph: 'M', pid: 1, tid: index + 1, name: 'thread_name', args: { name } }));
  const events = traps.map((trap) => ({
    ph: 'X', pid: 1, tid: classes.indexOf(trap.exitClass) + 1, ts: trap.guestNs / 1000, dur: trap.costNs / 1000, name: trap.cause, cat: trap.exitClass,
    args: { instructions: trap.instructions, address: trap.address, symbol: trap.symbol, code: trap.code, hypervisor: trap.hypervisor, answer: trap.answer },
  }));
  const process = { ph: 'M', pid: 1, name: 'process_name', args: { name: 'Guest' } };
  return JSON.stringify({ displayTimeUnit: 'ns', traceEvents: [process, ...names, ...events] });
}

/** Oldest first. */
export function exportTraps(traps: readonly Trap[], format: 'csv' | 'json' | 'perfetto'): { name: string; content: Uint8Array<ArrayBuffer> } {
  const text = format === 'csv' ? csv(traps) : format === 'json' ? JSON.stringify(traps, null, 1) : perfetto(traps);
  const name = format === 'perfetto' ? 'exits.perfetto.json' : `exits.${format}`;
  return { name, content: new TextEncoder().encode(text) };
}
