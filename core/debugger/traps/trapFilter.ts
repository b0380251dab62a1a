// The filter of the list of exits: classes, and words that may name a column.
import type { Trap, TrapFilter } from '../../api/debug.ts';

type Test = (trap: Trap) => boolean;

const COLUMNS: Readonly<Record<string, (trap: Trap) => string>> = {
  symbol: (trap) => trap.symbol ?? '', cause: (trap) => trap.cause, code: (trap) => trap.code, address: (trap) => trap.address,
  class: (trap) => trap.exitClass, hypervisor: (trap) => trap.hypervisor, answer: (trap) => trap.answer, ring: (trap) => String(trap.privilege),
};
const UNITS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, 'µs': 1e3, ms: 1e6 };

function costTest(text: string): Test | null {
  const match = /^([<>])(\d+(?:\.\d+)?)(ns|us|µs|ms)?$/.exec(text);
  if (match === null) return null;
  const limit = Number(match[2]) * (UNITS[match[3] ?? 'ns'] ?? 1);
  return match[1] === '>' ? (trap) => trap.costNs > limit : (trap) => trap.costNs < limit;
}

/** Null: everything passes. */
export function textFilter({ text }: TrapFilter): Test | null {
  const tests = text.trim().toLowerCase().split(/\s+/).filter((word) => word !== '').map((word): Test => {
    const colon = word.indexOf(':');
    const column = colon > 0 ? word.slice(0, colon) : '', rest = word.slice(colon + 1);
    const cost = column === 'cost' ? costTest(rest) : null;
    if (cost !== null) return cost;
    const read = COLUMNS[column];
    if (read !== undefined) return (trap) => read(trap).toLowerCase().includes(rest);
    return (trap) => Object.values(COLUMNS).some((value) => value(trap).toLowerCase().includes(word));
  });
  return tests.length === 0 ? null : (trap) => tests.every((test) => test(trap));
}
