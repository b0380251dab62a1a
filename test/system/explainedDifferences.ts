// Where other emulators disagree with us and with the manual: case, emulator, and why the manual (or silicon) is on our side.
import type { Emulator } from './secondOpinion.ts';

interface Difference {
  readonly name: string;
  readonly emulators: readonly Emulator[];
  readonly why: string;
}

const DIFFERENCES: readonly Difference[] = [];

export const explanationOf = (name: string, emulator: Emulator): string | null =>
  DIFFERENCES.find((one) => one.name === name && one.emulators.includes(emulator))?.why ?? null;
