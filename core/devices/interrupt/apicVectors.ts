// The 256-bit registers of a local APIC: ISR, TMR and IRR (SDM 3A 10.8.4).
import { list, u32 } from '../../bus/savedState.ts';

export const vectorsShape = list(u32, 8, 8);

export const newVectors = (): number[] => new Array<number>(8).fill(0);

export function setVector(words: number[], vector: number, value: boolean): void {
  const bit = 1 << (vector & 31);
  const word = words[vector >> 5]!;
  words[vector >> 5] = (value ? word | bit : word & ~bit) >>> 0;
}

/** The highest vector that is set, -1: none. */
export function highestOf(words: readonly number[]): number {
  for (let index = 7; index >= 0; index--) {
    const word = words[index]!;
    if (word !== 0) return index * 32 + 31 - Math.clz32(word);
  }
  return -1;
}

/** Clears the highest vector; -1: there was none. */
export function endOf(words: number[]): number {
  const vector = highestOf(words);
  if (vector >= 0) setVector(words, vector, false);
  return vector;
}
