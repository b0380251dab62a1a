// The application, as views see it.
import type { Client } from '../../core/api/client.ts';
import type { Disposable } from '../../core/base/disposable.ts';

export interface Connection extends Client {
  /** Where the person's files are: dropped files are used in place or must be uploaded first. */
  readonly files: FileAccess;
  readonly isDesktop: boolean;
  onConnected(listener: (connected: boolean) => void): Disposable;
}

export type FileAccess =
  | {
      readonly kind: 'in-place';
      pathOf(file: File): string;
      /** The system's own dialog; empty if it was cancelled. */
      choose(): Promise<string[]>;
    }
  | {
      readonly kind: 'upload';
      upload(file: File, options: { signal: AbortSignal; progress(sentBytes: number): void }): Promise<string>;
    };

let current: Connection | undefined;

export function setClient(connection: Connection): void {
  current = connection;
}

export function useClient(): Connection {
  if (current === undefined) throw new Error('The client is not connected yet.');
  return current;
}
