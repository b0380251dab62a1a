// One of the two machines: runs as far as it is told and stands still, at once and always alike.
import type { EngineName } from '../../cpu/state/engines.ts';
import type { Disassembler } from '../../host/disassembler.ts';
import type { RunControl } from '../../hypervisor/hypervisor.ts';
import type { RecordedMachine } from '../../machine/createMachine.ts';
import { CpuTarget } from '../cpuTarget.ts';
import { instructionAt, plainText } from '../disassembly.ts';
import type { SymbolSource } from '../target.ts';
import type { ManualClock } from './manualClock.ts';

/** An instruction that is about to run. */
export interface InstructionPlace {
  /** Instructions retired before it. */
  readonly number: number;
  /** Linear. */
  readonly address: bigint;
  readonly bytes: Uint8Array;
  readonly text: string;
}

const NO_SYMBOLS: SymbolSource = { address: () => undefined, nearest: () => null, line: () => null };

/** Stops behind each instruction; what comes between two instructions is part of the second one's step. */
const STEPPING: RunControl = {
  single: true,
  wanted: false,
  exit: () => {},
  exitBegins: () => {},
  exitEnds: () => {},
  stopsHere: (ended) => ended !== null,
};

export class ComparedMachine {
  readonly machine: RecordedMachine;
  readonly target: CpuTarget;
  readonly #clock: ManualClock;
  readonly #disassembler: Disassembler;

  constructor(machine: RecordedMachine, clock: ManualClock, disassembler: Disassembler) {
    const { hypervisor } = machine.inspection;
    this.machine = machine;
    this.#clock = clock;
    this.#disassembler = disassembler;
    this.target = new CpuTarget(hypervisor.cpu, hypervisor.physical);
    machine.startPaused();
  }

  get count(): number {
    return this.target.cpu.instructionCount;
  }
  /** It stands for good: off, shut down, or asleep with nothing to wake it. */
  get ended(): boolean {
    return this.machine.state !== 'paused';
  }

  setEngine(engine: EngineName): void {
    this.target.cpu.setEngine(engine);
  }

  /** Runs to the first point at or after `count` where slices may end. */
  runTo(count: number): void {
    if (this.ended || this.count >= count) return;
    this.machine.runUntil(count);
    this.#settle();
  }

  /** One instruction, with the interrupts and timers that come before it. */
  step(): void {
    if (this.ended) return;
    const { hypervisor } = this.machine.inspection;
    hypervisor.setControl(STEPPING);
    this.machine.start();
    this.#settle();
    hypervisor.setControl(null);
  }

  #settle(): void {
    while (this.machine.state === 'running' && this.#clock.serve());
  }

  /** What is about to run. */
  place(): InstructionPlace {
    const { target, count: number } = this;
    const address = target.programCounter;
    const found = instructionAt({ target, symbols: NO_SYMBOLS, disassembler: this.#disassembler }, address);
    if (found === null) return { number, address, bytes: new Uint8Array(0), text: '(not mapped)' };
    return { number, address, bytes: target.memory.readPartly('linear', address, found.length).bytes, text: plainText(found) };
  }
}
