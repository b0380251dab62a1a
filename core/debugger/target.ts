// What the parts of the debugger need of a machine: memory, registers and where it stands. All values are bigint, so that
// 64-bit guests are no special case. Nothing here changes the guest unless it says so: no accessed bits, no TLB entries.
import type { Disposable } from '../base/disposable.ts';
import type { Breakpoint, BreakpointSpecification, DebugEventKind, DebugStop } from '../api/debug.ts';

export type Space = 'linear' | 'physical';

/** Reads and writes guest memory as the current address space shows it. */
export interface TargetMemory {
  /** All `length` bytes, or null if a part of them is not mapped or not memory (a device is never touched). */
  read(space: Space, address: bigint, length: number): Uint8Array | null;
  /** As far as there is memory: unmapped bytes are zero and named by `unmapped` as offsets [from, to). */
  readPartly(space: Space, address: bigint, length: number): { bytes: Uint8Array; unmapped: { from: number; to: number }[] };
  /** Writes all bytes past the guest's protection, or changes nothing and returns false. */
  write(space: Space, address: bigint, bytes: Uint8Array): boolean;
  /** Physical address behind a linear one, or null. */
  translate(linear: bigint): bigint | null;
}

/** Registers by the manual's names in lower case: `eax`, `ax`, `al`, `eip`, `eflags`, `cs`, `cs.base`, `cr0`, `gdtr.base`, `st0`. */
export interface TargetRegisters {
  get(name: string): bigint | undefined;
  /** False: there is no such register or it cannot hold the value. */
  set(name: string, value: bigint): boolean;
}

export interface TargetMode {
  readonly name: string;
  readonly bits: 16 | 32 | 64;
  readonly privilege: number;
  readonly protectedMode: boolean;
  readonly virtual8086: boolean;
  readonly paging: boolean;
  /** Bytes of a linear address. */
  readonly addressBytes: 4 | 8;
}

export interface DebugTarget {
  readonly memory: TargetMemory;
  readonly registers: TargetRegisters;
  mode(): TargetMode;
  /** Linear address of the next instruction. */
  readonly programCounter: bigint;
}

/** A failure that a person caused and can understand: a wrong expression, unmapped memory, a broken symbol file. */
export class DebugError extends Error {}

/** Names and positions of code, whatever file they came from. Addresses are linear. */
export interface SymbolSource {
  /** Address of an exact name; undefined: unknown. */
  address(name: string): bigint | undefined;
  /** The nearest symbol at or below an address (within its size, if it has one). */
  nearest(address: bigint): { name: string; address: bigint; offset: bigint } | null;
  line(address: bigint): { file: string; line: number } | null;
}

/** Why the guest stands now; `place` is where. */
export interface StopReport extends DebugStop {
  /** Breakpoint that was hit; for data breakpoints with the access that hit it. */
  readonly access: { readonly address: bigint; readonly size: number; readonly write: boolean } | null;
}

/** Running and stopping: one for all clients (views, monitor, GDB). */
export interface DebugController {
  readonly state: 'stopped' | 'running' | 'paused' | 'halted';
  /** Null while it runs. */
  readonly stop: StopReport | null;
  pause(kind?: DebugStop['kind']): void;
  resume(): void;
  /** Steps instructions; stops earlier at a breakpoint. */
  stepInto(count: number): void;
  /** As stepInto(1), but runs through calls, software interrupts and repeated string instructions. */
  stepOver(): void;
  stepOut(): void;
  /** Steps until the program counter leaves [from, to), through calls. */
  stepRange(from: bigint, to: bigint): void;
  runTo(address: bigint): void;
  runToEvent(event: DebugEventKind): void;
  runUntil(condition: string): void;
  reset(): void;
  /** The guest stood still: also after a step. */
  onStop(listener: (stop: StopReport) => void): Disposable;
  onResume(listener: () => void): Disposable;
  /** A client changed registers or memory: others look again. */
  changed(): void;
}

export interface BreakpointList {
  list(): readonly Breakpoint[];
  /** Throws a DebugError if it cannot be understood; a symbol that is unknown yet is no error. */
  set(specification: BreakpointSpecification): Breakpoint;
  update(id: number, specification: BreakpointSpecification): Breakpoint;
  remove(id: number): void;
}
