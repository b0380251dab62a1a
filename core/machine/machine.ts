// The machine as its host process sees it.
import type { Disposable } from '../base/disposable.ts';
import type { BlockStore } from '../host/blockStore.ts';
import type { HostClock } from '../host/clock.ts';
import type { DisplaySource } from '../host/display.ts';
import type { Log } from '../host/log.ts';
import type { StateFile } from '../host/stateFile.ts';

/**
 * `stopped`: never started or powered off; `halted`: the CPU shut down (triple fault) and waits for a reset.
 */
export type MachineState = 'stopped' | 'running' | 'paused' | 'halted';

/** Why a machine stopped or halted. */
export type StopReason =
  | { kind: 'power-off' }
  | { kind: 'guest-power-off' }
  | { kind: 'debug-exit'; value: number }
  | { kind: 'triple-fault'; detail: string };

/** What a machine needs of the process that holds it. */
export interface MachineHost {
  readonly clock: HostClock;
  readonly log: Log;
  /** Opens the file behind a disk. Throws an Error that names the file, what was expected and what was found. */
  openBlockStore(path: string, options: { readOnly: boolean; sectorBytes: 512 | 2048 }): BlockStore;
  /** Opens a file that the machine keeps for itself. Throws an Error as above. */
  openStateFile(path: string, limitBytes: number): StateFile;
  /** Whole content of a small file (kernel, initrd, ROM). Throws an Error as above. */
  readFile(path: string, limitBytes: number): Uint8Array<ArrayBuffer>;
}

/** Counters since power-on; all monotonic but `mips`. */
export interface MachineStatistics {
  readonly instructions: number;
  /** Guest time in ns. */
  readonly guestNs: number;
  /** Million instructions per host second while running, over about the last second. */
  readonly mips: number;
  /** Share of host time spent executing (not sleeping) over about the last second, 0..1. */
  readonly busy: number;
  /** Exits by class: how many and the host time they took, in ms. */
  readonly exits: Readonly<Record<string, { count: number; ms: number }>>;
  readonly diskReadBytes: number;
  readonly diskWrittenBytes: number;
  readonly guestErrors: number;
}

export interface Machine {
  readonly state: MachineState;
  readonly stopReason: StopReason | null;
  readonly display: DisplaySource;

  /** Powers on (from `stopped`) or continues (from `paused`). Returns at once; the run loop yields to the host's clock. */
  start(): void;
  /** Powers on without running: for debugging from the first instruction. */
  startPaused(): void;
  pause(): void;
  /** Hard reset; leaves `halted` and `paused` for `running`. */
  reset(): void;
  powerOff(): void;
  /** The ACPI power button: the guest decides. */
  pressPowerButton(): void;
  dispose(): void;

  /** Keys as scan-code set 1 bytes, breaks and E0/E1 prefixes included; queued and fed as fast as the guest takes them. */
  keyboard(scanCodes: readonly number[]): void;
  /** Relative movement in counts (positive: right, down), wheel, buttons as bit 0 left, 1 right, 2 middle. */
  mouse(dx: number, dy: number, wheel: number, buttons: number): void;
  /** Bytes that arrive on a serial port, 0 for COM1. */
  serialInput(port: number, bytes: Uint8Array): void;

  readonly onState: (listener: (state: MachineState) => void) => Disposable;
  readonly onSerialOutput: (listener: (event: { port: number; bytes: Uint8Array }) => void) => Disposable;
  /** Bytes written to the debug port E9h. */
  readonly onDebugOutput: (listener: (bytes: Uint8Array) => void) => Disposable;
  readonly onGuestError: (listener: (event: { source: string; what: string; detail: string }) => void) => Disposable;
  statistics(): MachineStatistics;
  /** SHA-like digest (hex) of CPU, RAM and device state: equal digests mean equal machines. */
  stateHash(): string;
}
