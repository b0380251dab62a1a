// WebAssembly as core uses it, for programs without DOM types (Node's own do not declare it).

declare namespace WebAssembly {
  interface MemoryDescriptor {
    initial: number;
    maximum?: number;
    shared?: boolean;
  }
  class Memory {
    constructor(descriptor: MemoryDescriptor);
    readonly buffer: ArrayBuffer | SharedArrayBuffer;
    grow(delta: number): number;
  }
  /** Of functions. */
  class Table {
    readonly length: number;
    get(index: number): ((...args: never[]) => unknown) | null;
    set(index: number, value: ((...args: never[]) => unknown) | null): void;
    /** Returns the length before. */
    grow(delta: number): number;
  }
  type Imports = Record<string, Record<string, unknown>>;
  type ExportValue = ((...args: never[]) => unknown) | Memory | Table;
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Instance {
    constructor(module: Module, imports?: Imports);
    readonly exports: Record<string, ExportValue>;
  }
}
