// PCI configuration space as a function sees it (PCI Local Bus Specification 2.1, chapter 6).

/** One PCI function's configuration space, 256 bytes, accessed through CF8h/CFCh. */
export interface PciFunction {
  /** Device (0..31) and function (0..7) number on bus 0. */
  readonly device: number;
  readonly function: number;
  configRead(register: number, size: 1 | 2 | 4): number;
  configWrite(register: number, value: number, size: 1 | 2 | 4): void;
}
