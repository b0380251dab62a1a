// What came into a machine from outside, stamped by instruction count: enough to run it again exactly.

/** An input: plain data, so that a log can be written down. */
export type MachineInput =
  | { readonly kind: 'keyboard'; readonly scanCodes: readonly number[] }
  | { readonly kind: 'mouse'; readonly dx: number; readonly dy: number; readonly wheel: number; readonly buttons: number }
  | { readonly kind: 'serial'; readonly port: number; readonly bytes: readonly number[] }
  | { readonly kind: 'power-button' }
  | { readonly kind: 'reset' }
  /** Guest time runs at another rate from here. */
  | { readonly kind: 'rate'; readonly nsPerInstruction: number };

export interface StampedInput {
  /** Instructions retired since power-on when it took effect. */
  readonly count: number;
  /** Guest time then: tells moments of one halt apart. Between inputs a halted guest's time goes from timer to timer. */
  readonly ns: number;
  readonly input: MachineInput;
}

export type ReplayLog = readonly StampedInput[];
