/** A small file that a machine keeps for itself, for example its UEFI variables: always replaced as a whole. */
export interface StateFile {
  readonly content: Uint8Array;
  /**
   * The file holds `content` when `done` is called; a crash at any moment leaves what it held before or this, never a mixture.
   * Of several calls in a row the last one counts.
   */
  replace(content: Uint8Array, done: (error?: Error) => void): void;
  /** Waits for what is being written. */
  close(): void;
}
