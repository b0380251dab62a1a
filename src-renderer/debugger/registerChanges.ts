// Which values differ from those at the stop before.
import type { RegisterGroup, SegmentRecord } from '../../core/api/debug.ts';

export interface RegisterState {
  readonly groups: readonly RegisterGroup[];
  readonly segments: readonly SegmentRecord[];
}

/** Values under `EAX`, `EFLAGS.ZF`, `CS.base`. */
export function valuesOf({ groups, segments }: RegisterState): Map<string, string> {
  const values = new Map<string, string>();
  for (const { registers } of groups) {
    for (const register of registers) {
      values.set(register.name, register.value);
      for (const field of register.fields) values.set(`${register.name}.${field.name}`, field.value);
    }
  }
  for (const { name, selector, base, limit } of segments) {
    values.set(`${name}.selector`, selector);
    values.set(`${name}.base`, base);
    values.set(`${name}.limit`, limit);
  }
  return values;
}

/**
 * Keeps the values of two stops. An edit changes the newer ones only, so that what a person changed is marked too.
 */
export class ChangeTracker {
  #before = new Map<string, string>();
  #now = new Map<string, string>();
  #instructions = -1;

  update(state: RegisterState, instructions: number): Set<string> {
    const next = valuesOf(state);
    // A read may be newer than the status it was asked for; the same values once more are no new stop.
    const same = next.size === this.#now.size && [...next].every(([name, value]) => this.#now.get(name) === value);
    if (instructions !== this.#instructions && !same) this.#before = this.#now;
    this.#now = next;
    if (this.#before.size === 0) this.#before = next;
    this.#instructions = instructions;
    const changed = new Set<string>();
    for (const [name, value] of this.#now) {
      const before = this.#before.get(name);
      if (before !== undefined && before !== value) changed.add(name);
    }
    return changed;
  }

  clear(): void {
    this.#before.clear();
    this.#now.clear();
    this.#instructions = -1;
  }
}

export interface SegmentRow extends SegmentRecord {
  /** `SS DS ES`. */
  readonly names: string;
}

/** Neighbours with the same contents as one row, unless one of them changed and another did not. */
export function mergedSegments(segments: readonly SegmentRecord[], changed: ReadonlySet<string>): SegmentRow[] {
  const rows: SegmentRow[] = [];
  const contents = ({ name, selector, base, limit, type, privilege, present }: SegmentRecord): string =>
    JSON.stringify([selector, base, limit, type, privilege, present, changed.has(`${name}.selector`)]);
  for (const segment of segments) {
    const last = rows.at(-1);
    const special = segment.name.length > 2 || segment.name === 'TR' || segment.name === 'CS';
    if (last !== undefined && !special && last.name !== 'CS' && contents(last) === contents(segment)) {
      rows[rows.length - 1] = { ...last, names: `${last.names} ${segment.name}` };
    } else rows.push({ ...segment, names: segment.name });
  }
  return rows;
}
