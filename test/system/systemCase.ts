// A system-mode test: a program for prelude.asm and what it must log.
import type { ProgramOptions } from './systemHarness.ts';

export interface SystemCase extends ProgramOptions {
  readonly name: string;
  readonly text: string;
  /** Fault handlers log vector, error code and what `detail` asks for; `logs` a value. */
  readonly log: readonly number[];
  /** `halted` unless it says otherwise. */
  readonly activity?: 'halted' | 'shutdown';
}
