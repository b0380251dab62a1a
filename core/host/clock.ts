/** The host's monotonic clock, and sleeping. */
export interface HostClock {
  /** Monotonic, in ms with fractions. */
  nowMs(): number;
  /** Wall-clock time, ms since 1970-01-01 UTC. */
  wallMs(): number;
  /** Calls back once, not before `ms` have passed; 0 means as soon as pending host events were served. */
  after(ms: number, callback: () => void): { cancel(): void };
}
