export type LogLevel = 'error' | 'warning' | 'info' | 'debug';

/** Where a machine reports what a person may want to read later. */
export interface Log {
  write(level: LogLevel, tag: string, message: string): void;
}
