// Instruction text, supplied by the process that holds the machine.

export type TextKind =
  | 'mnemonic' | 'prefix' | 'register' | 'number' | 'address' | 'symbol' | 'keyword' | 'punctuation' | 'text';

export interface InstructionText {
  /** Bytes; at least 1, also for what is no instruction. */
  readonly length: number;
  readonly mnemonic: string;
  readonly parts: readonly { readonly text: string; readonly kind: TextKind }[];
  /** `branch`: to `target`, maybe conditional; `call`; `return`; `interrupt`: INT n; `other`. */
  readonly flow: 'next' | 'branch' | 'conditional' | 'indirect' | 'call' | 'indirect-call' | 'return' | 'interrupt' | 'invalid';
  /** Linear address of a direct branch or call. */
  readonly target: bigint | null;
  /** Registers read and written by their full names in lower case (`eax`). */
  readonly registersRead: readonly string[];
  readonly registersWritten: readonly string[];
  readonly memory: readonly {
    readonly segment: string;
    readonly base: string | null;
    readonly index: string | null;
    readonly scale: number;
    readonly displacement: bigint;
    /** Bytes; 0: no data access (LEA). */
    readonly size: number;
    readonly write: boolean;
  }[];
}

export interface Disassembler {
  /**
   * The instruction at `bytes[0]`, which lies at `address` (EIP/RIP) in code of so many `bits`. `symbol` names addresses.
   * Never throws: bytes that are no instruction give `(bad)`.
   */
  decode(
    bytes: Uint8Array,
    address: bigint,
    bits: 16 | 32 | 64,
    symbol: (address: bigint) => { readonly name: string; readonly offset: bigint } | null,
  ): InstructionText;
}
