// A host clock that stands still: a machine on it runs when it is told to, and only what the guest does decides how far.
import type { HostClock } from '../../host/clock.ts';

interface Entry {
  readonly ms: number;
  readonly callback: () => void;
}

export class ManualClock implements HostClock {
  readonly #wallMs: number;
  #pending: Entry[] = [];

  constructor(wallMs = 0) {
    this.#wallMs = wallMs;
  }

  nowMs(): number {
    return 0;
  }
  wallMs(): number {
    return this.#wallMs;
  }

  after(ms: number, callback: () => void): { cancel(): void } {
    const entry: Entry = { ms, callback };
    this.#pending.push(entry);
    return { cancel: () => void (this.#pending = this.#pending.filter((other) => other !== entry)) };
  }

  /** Serves what waits for no time; false: nothing does. */
  serve(): boolean {
    const due = this.#pending.filter(({ ms }) => ms <= 0);
    this.#pending = this.#pending.filter(({ ms }) => ms > 0);
    for (const { callback } of due) callback();
    return due.length > 0;
  }
}
