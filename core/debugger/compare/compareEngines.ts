// Finds the first instruction that two engines execute differently.
//
// Both machines run alike, the processors and guest time being compared again and again, memory and devices at checkpoints.
// Behind the last checkpoint at which they were equal a second pair runs in the smallest pieces that keep each engine's own ways (slices of
// one instruction, which end at the next branch), comparing the processor and what differed at the end. A third pair
// steps through the last pieces, instruction by instruction. Each pair is new: there is no going back in a machine.
import type { EngineName } from '../../cpu/state/engines.ts';
import { MEMORYLESS } from '../../cpu/state/engines.ts';
import type { Disassembler } from '../../host/disassembler.ts';
import type { HostClock } from '../../host/clock.ts';
import type { RecordedMachine } from '../../machine/createMachine.ts';
import type { Machine } from '../../machine/machine.ts';
import { ComparedMachine, type InstructionPlace } from './comparedMachine.ts';
import { differQuickly, type Difference, listDifferences, NO_SUSPECTS, type Suspects, suspectsOf } from './differences.ts';
import { ManualClock } from './manualClock.ts';

export interface CompareOptions {
  readonly engines: readonly [EngineName, EngineName];
  /** Instructions to run in all. */
  readonly instructions: number;
  /** Instructions that both run with the first engine before the second takes over and comparing begins. */
  readonly from: number;
  /** Instructions between two comparisons of the processors: what differs for a shorter time may be missed. */
  readonly every: number;
  /** Instructions between two comparisons of memory and devices too. */
  readonly checkpoint: number;
}

/** What the finder needs of its surroundings. */
export interface CompareHost {
  /** A new machine, off, with a virtual clock and a fixed date; `which` is 0 or 1. */
  createMachine(clock: HostClock, which: 0 | 1): Machine;
  readonly disassembler: Disassembler;
  progress(done: CompareProgress): void;
  /** Lets the process do other things; resolves to false to give up. */
  breathe(): Promise<boolean>;
}

export interface CompareProgress {
  /** `compare`: up to the first difference; `narrow` and `step`: behind the last equal checkpoint. */
  readonly phase: 'compare' | 'narrow' | 'step';
  readonly count: number;
  readonly until: number;
}

export interface Divergence {
  /** The instruction that differs first; with `until`, the first one of a piece in which one does. */
  readonly instruction: InstructionPlace;
  /** Null: `instruction` is the one. Otherwise single steps agree: only a run at full speed differs, behind this many. */
  readonly until: number | null;
  readonly differences: readonly Difference[];
  /** The instructions ahead of it, oldest first. */
  readonly before: readonly InstructionPlace[];
}

export type CompareResult =
  | { readonly kind: 'equal'; readonly instructions: number; readonly ended: string | null }
  | { readonly kind: 'differs'; readonly divergence: Divergence }
  | { readonly kind: 'cancelled'; readonly instructions: number };

type Pair = readonly [ComparedMachine, ComparedMachine];
/** Equal at the one, different at the other; `suspects` is what differs there. */
interface Interval {
  readonly equalAt: number;
  readonly differAt: number;
  readonly suspects: Suspects;
}

class Cancelled extends Error {}

/** Instructions between two looks at the surroundings. */
const BREATH = 200_000;
const STEPS_A_BREATH = 20_000;
const SHOWN_BEFORE = 8;
/** Attempts at an interval: a difference that heals again moves its end forward each time. */
const MOST_ATTEMPTS = 8;

export async function compareEngines(options: CompareOptions, host: CompareHost): Promise<CompareResult> {
  const finder = new Finder(options, host);
  try {
    return await finder.find();
  } catch (error) {
    if (error instanceof Cancelled) return { kind: 'cancelled', instructions: finder.reached };
    throw error;
  } finally {
    finder.dispose();
  }
}

class Finder {
  readonly #options: CompareOptions;
  readonly #host: CompareHost;
  #pair: Pair | null = null;
  reached = 0;

  constructor(options: CompareOptions, host: CompareHost) {
    this.#options = options;
    this.#host = host;
  }

  dispose(): void {
    for (const { machine } of this.#pair ?? []) machine.dispose();
    this.#pair = null;
  }

  async find(): Promise<CompareResult> {
    const { from, instructions, checkpoint } = this.#options;
    const pair = await this.#newPair(from, from);
    let equalAt = pair[0].count;
    let suspects = suspectsOf(...pair);
    while (suspects === null && !pair[0].ended && equalAt < instructions) {
      const differed = await this.#runTo(pair, Math.min(equalAt + checkpoint, instructions));
      suspects = suspectsOf(...pair) ?? (differed ? NO_SUSPECTS : null);
      if (suspects === null) this.reached = equalAt = pair[0].count;
    }
    if (suspects === null) return { kind: 'equal', instructions: equalAt, ended: endOf(pair[0]) };
    const differences = listDifferences(...pair);
    const differAt = Math.max(pair[0].count, pair[1].count);
    return { kind: 'differs', divergence: await this.#narrow({ equalAt, differAt, suspects }, differences) };
  }

  /** Shortens the interval to an instruction, or to the shortest piece that still differs. */
  async #narrow(interval: Interval, differences: readonly Difference[]): Promise<Divergence> {
    let known = interval, shown = differences;
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const piece = await this.#findPiece(known);
      if (piece === null) break;
      const { starts, differAt } = piece;
      shown = piece.differences;
      const result = await this.#stepThrough(known.equalAt, starts, differAt, piece.suspects);
      if (result.kind === 'found') return result.divergence;
      if (result.kind === 'same') return { ...result.piece, until: differAt, differences: shown };
      // Memory differed before, and nothing that was looked at: there.
      known = { equalAt: known.equalAt, differAt: result.at, suspects: result.suspects };
    }
    const pair = await this.#newPair(known.equalAt, known.equalAt);
    return { instruction: pair[0].place(), until: known.differAt, differences: shown, before: [] };
  }

  /** The first piece that ends differently, and the ends of some pieces before it; null: none does. */
  async #findPiece(
    { equalAt, differAt, suspects }: Interval,
  ): Promise<{ starts: number[]; differAt: number; suspects: Suspects; differences: Difference[] } | null> {
    const pair = await this.#newPair(equalAt, equalAt);
    const starts = [pair[0].count];
    for (let pieces = 1; !differQuickly(...pair, suspects); pieces++) {
      if (pair[0].ended || pair[0].count > differAt) return null;
      if (pieces % STEPS_A_BREATH === 0) await this.#breathe('narrow', pair[0].count, differAt);
      starts.push(pair[0].count);
      if (starts.length > SHOWN_BEFORE + 1) starts.shift();
      for (const machine of pair) machine.runTo(machine.count + 1);
    }
    if (starts.length > 1 && starts.at(-1) === pair[0].count) starts.pop();
    const found = suspectsOf(...pair) ?? suspects;
    return { starts, differAt: pair[0].count, suspects: found, differences: listDifferences(...pair) };
  }

  async #stepThrough(proven: number, starts: readonly number[], differAt: number, suspects: Suspects): Promise<
    | { kind: 'found'; divergence: Divergence }
    | { kind: 'same'; piece: Pick<Divergence, 'instruction' | 'before'> }
    | { kind: 'earlier'; at: number; suspects: Suspects }
  > {
    const equalAt = starts.at(-1)!;
    const pair = await this.#newPair(starts[0], proven);
    const [a] = pair;
    const before: InstructionPlace[] = [];
    let piece: Pick<Divergence, 'instruction' | 'before'> | null = null;
    for (let steps = 1; a.count < differAt && !a.ended; steps++) {
      if (steps % STEPS_A_BREATH === 0) await this.#breathe('step', a.count, differAt);
      const instruction = a.place();
      if (piece === null && a.count >= equalAt) {
        piece = { instruction, before: [...before] };
        const already = suspectsOf(...pair);
        if (already !== null) return { kind: 'earlier', at: a.count, suspects: already };
      }
      for (const machine of pair) machine.step();
      if (differQuickly(...pair, suspects)) {
        const differences = listDifferences(...pair);
        return { kind: 'found', divergence: { instruction, until: null, differences, before } };
      }
      before.push(instruction);
      if (before.length > SHOWN_BEFORE) before.shift();
    }
    return { kind: 'same', piece: piece ?? { instruction: a.place(), before } };
  }

  /** New machines at an instruction count; up to `proven` everything about them is known to be equal. */
  async #newPair(count: number, proven: number): Promise<Pair> {
    this.dispose();
    const { engines, from } = this.#options;
    // An engine that remembers nothing need not have run so far itself.
    const until = engines.map((engine) => (MEMORYLESS.has(engine) ? proven : Math.min(from, proven)));
    const make = (which: 0 | 1): ComparedMachine => {
      const clock = new ManualClock();
      const machine = this.#host.createMachine(clock, which);
      if (!isRecorded(machine)) throw new Error('this machine cannot be compared');
      return new ComparedMachine(machine, clock, this.#host.disassembler);
    };
    const pair: Pair = (this.#pair = [make(0), make(1)]);
    for (const which of [0, 1] as const) {
      await this.#runOne(pair[which], until[which], count);
      pair[which].setEngine(engines[which]);
      await this.#runOne(pair[which], count, count);
    }
    return pair;
  }

  /** Runs both; true: the processors differ, here. */
  async #runTo(pair: Pair, count: number): Promise<boolean> {
    const { every, instructions } = this.#options;
    for (let at = pair[0].count, breath = at; at < count && !pair[0].ended; at = pair[0].count) {
      for (const machine of pair) machine.runTo(Math.min(at + every, count));
      if (differQuickly(...pair, NO_SUSPECTS)) return true;
      if (at - breath < BREATH) continue;
      breath = at;
      await this.#breathe('compare', at, instructions);
    }
    await this.#breathe('compare', pair[0].count, instructions);
    return false;
  }

  async #runOne(machine: ComparedMachine, count: number, until: number): Promise<void> {
    while (machine.count < count && !machine.ended) {
      machine.runTo(Math.min(count, machine.count + BREATH * 100));
      await this.#breathe(this.reached === 0 ? 'compare' : 'narrow', machine.count, until);
    }
  }

  async #breathe(phase: CompareProgress['phase'], count: number, until: number): Promise<void> {
    this.#host.progress({ phase, count, until });
    if (!(await this.#host.breathe())) throw new Cancelled();
  }
}

const isRecorded = (machine: Machine): machine is RecordedMachine => 'inspection' in machine && 'runUntil' in machine;

function endOf({ machine, ended }: ComparedMachine): string | null {
  if (!ended) return null;
  if (machine.state === 'running') return 'the guest sleeps, and nothing will wake it';
  if (machine.stopReason?.kind === 'debug-exit') return 'the guest left through its debug port';
  return machine.state === 'halted' ? 'the processor shut down' : 'the guest powered the machine off';
}
