// What a board needs of the hypervisor that carries it.
import type { GuestMemory, Line, ResetKind, Timer } from '../bus/device.ts';

export type Backing = 'ram' | 'rom';

/** Where reads and writes of a stretch below 1 MiB go; a write to `rom` is dropped. */
export type RomMapping = (base: number, length: number, backing: { read: Backing; write: Backing }) => void;

export interface BoardHost {
  /** Guest time in ns since power-on. */
  now(): number;
  timer(onExpire: () => void): Timer;
  readonly memory: GuestMemory;
  /** `source` is the device's id. Rate-limiting is the receiver's. */
  guestError(source: string, what: string, detail?: Readonly<Record<string, number | string>>): void;
  /** An access that no device claims: reads gave all ones, writes were dropped. */
  unclaimedAccess(space: 'port' | 'memory', kind: 'read' | 'write', address: number, size: 1 | 2 | 4, value: number): void;
  readonly cpu: {
    readonly intr: Line;
    /** A rising edge is one NMI. */
    readonly nmi: Line;
    /** What the 1 GHz time-stamp counter is ahead of guest time, in ticks. */
    timestampOffset(): number;
    readonly a20: Line;
    readonly ignne: Line;
    /**
     * The guest asked for a reset. Called in the middle of an access: the hypervisor finishes the instruction, then
     * resets the CPU and calls `board.reset(kind)`.
     */
    reset(kind: ResetKind): void;
  };
  /** The guest switched the machine off. */
  powerOff(): void;
  debugExit(value: number): void;
  debugOutput(byte: number): void;
  serialOutput(port: number, byte: number): void;
  postCode(code: number): void;
  /** PAM registers: called for all stretches in the board's constructor, then at each change. */
  romMapping: RomMapping;
}
