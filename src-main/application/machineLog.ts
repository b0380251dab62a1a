// What a machine did and said, newest last. Life-cycle entries survive a restart of the program.
import fs from 'node:fs';
import path from 'node:path';
import { logEntrySchema } from '../../core/api/machines.ts';
import type { LogEntry } from '../../core/api/machines.ts';

const KEPT_ENTRIES = 2000;
const KEPT_ON_DISK = 200;
/** A guest may report errors without end: beyond this many a second they are only counted. */
const ENTRIES_PER_SECOND = 50;
export const MACHINE_TAG = 'machine';

export class MachineLog {
  readonly #file: string;
  readonly #onEntry: (entry: LogEntry) => void;
  #entries: LogEntry[];
  #sequence = 0;
  #second = 0;
  #inSecond = 0;
  #suppressed = 0;

  constructor(folder: string, onEntry: (entry: LogEntry) => void) {
    this.#file = path.join(folder, 'log.jsonl');
    this.#onEntry = onEntry;
    this.#entries = this.#load();
  }

  get entries(): readonly LogEntry[] {
    return this.#entries;
  }

  write(level: LogEntry['level'], tag: string, message: string): void {
    const now = Date.now();
    if (tag !== MACHINE_TAG && this.#isFlood(now)) return;
    this.#append({ level, tag: tag.slice(0, 40), message: message.slice(0, 2000), at: now });
  }

  #isFlood(now: number): boolean {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      const suppressed = this.#suppressed;
      this.#second = second;
      this.#inSecond = 0;
      this.#suppressed = 0;
      if (suppressed > 0) {
        this.#append({ level: 'warning', tag: 'log', message: `${suppressed} more entries were left out`, at: now });
      }
    }
    if (++this.#inSecond <= ENTRIES_PER_SECOND) return false;
    this.#suppressed++;
    return true;
  }

  #append(fields: Omit<LogEntry, 'sequence'>): void {
    const entry: LogEntry = { sequence: ++this.#sequence, ...fields };
    this.#entries.push(entry);
    if (this.#entries.length > KEPT_ENTRIES) this.#entries = this.#entries.slice(-KEPT_ENTRIES / 2);
    if (entry.tag === MACHINE_TAG) this.#persist(entry);
    this.#onEntry(entry);
  }

  #persist(entry: LogEntry): void {
    try {
      fs.appendFileSync(this.#file, `${JSON.stringify(entry)}\n`);
    } catch {
      // The log never stands in the way of the machine.
    }
  }

  #load(): LogEntry[] {
    let text: string;
    try {
      text = fs.readFileSync(this.#file, 'utf8');
    } catch {
      return [];
    }
    const lines = text.split('\n').filter((line) => line !== '');
    const entries = lines.slice(-KEPT_ON_DISK).flatMap((line) => {
      try {
        return [logEntrySchema.parse(JSON.parse(line))];
      } catch {
        return [];
      }
    });
    if (lines.length > KEPT_ON_DISK * 2) {
      fs.writeFileSync(this.#file, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
    }
    return entries.map((entry) => ({ ...entry, sequence: ++this.#sequence }));
  }
}
