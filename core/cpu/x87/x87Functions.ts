// The shared functions of the x87's semantics that helpers call; see semantics/x87.
export interface X87Functions {
  /** Sets status bits, C1 as given, ES and B; returns the exceptions among them that are not masked. */
  x87RaiseFlags(cpu: number, flags: number): number;
  /** Pushes unless the stack overflows or IE in `flags` is not masked; returns whether it did. */
  x87Push(cpu: number, word: number, significand: bigint, flags: number): number;
  /** Stores a value unless an exception in `flags` is not masked; returns whether it did. */
  x87Give(cpu: number, register: number, word: number, significand: bigint, flags: number): number;
  /** Rounds {significand with bit 63 set, fraction below it} at full precision, stores, raises. */
  x87RoundStoreFull(
    cpu: number, register: number, sign: number, exponent: number, significand: bigint, fraction: bigint, flags: number,
  ): number;
  /** 2: no NaN among the operands; else a NaN was given: 1 stored, 0 kept out. */
  x87SortNans(cpu: number, register: number, aWord: number, a: bigint, bWord: number, b: bigint): number;
  /** Integer of so many bits; flags in the scratch. */
  x87ToInteger(cpu: number, word: number, significand: bigint, bits: number): bigint;
}
