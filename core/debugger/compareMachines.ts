// The divergence finder: two machines with the same configuration and inputs, each on its own engine, must be equal at every point
// that both reach. Where they are not, the first instruction after which they differ is found by running them again.
import type { Disposable } from '../base/disposable.ts';
import { EXIT } from '../cpu/state/layout.ts';
import type { Disassembler } from '../host/disassembler.ts';
import type { RunControl } from '../hypervisor/hypervisor.ts';
import type { RecordedMachine } from '../machine/createMachine.ts';
import { CpuTarget } from './cpuTarget.ts';
import { instructionAt, plainText } from './disassembly.ts';
import type { SymbolSource } from './target.ts';

/**
 * `interpreter`: decoded code is kept, pairs are fused, branches linked. `uncached`: every instruction is decoded anew and executed
 * by itself.
 */
export const compareEngines = ['interpreter', 'uncached'] as const;
export type CompareEngine = (typeof compareEngines)[number];

export interface ComparedMachine {
  readonly engine: CompareEngine;
  /** A fresh machine, stopped, whose guest time follows its instructions (`clock: virtual`), always the same. */
  create(): RecordedMachine;
}

export interface CompareOptions {
  readonly machines: readonly [ComparedMachine, ComparedMachine];
  /** Both run on their way to this count without being compared. */
  readonly from: number;
  /** Where to end, in instructions since power-on. */
  readonly until: number;
  /** Instructions between two comparisons. */
  readonly every: number;
  readonly disassembler: Disassembler;
  /** Instructions that are known to be equal; `narrowing` once a difference was found. */
  readonly onProgress: (instructions: number, narrowing: boolean) => void;
  readonly isCancelled: () => boolean;
}

export interface ExecutedInstruction {
  /** Linear address. */
  readonly address: bigint;
  /** Null: the page was not mapped. */
  readonly bytes: Uint8Array | null;
  readonly text: string;
}

/** One thing that the two hold differently. */
export interface Difference {
  /** Register, `memory ADDRESS` (physical) or `device ID`. */
  readonly what: string;
  readonly values: readonly [string, string];
}

export interface Divergence {
  /** Instructions that both executed alike. */
  readonly count: number;
  /** The instruction after which they differ; of several if they are only told apart behind the whole `run`. */
  readonly instruction: ExecutedInstruction | null;
  /** What led there since the last branch, oldest first. */
  readonly before: readonly ExecutedInstruction[];
  readonly differences: readonly Difference[];
}

export type CompareOutcome =
  | { readonly kind: 'equal'; readonly instructions: number; /** Both guests ended by themselves. */ readonly ended: boolean }
  | { readonly kind: 'differs'; readonly divergence: Divergence }
  /** The difference did not come again: what it depends on is not in the machines. */
  | { readonly kind: 'unrepeatable'; readonly from: number; readonly to: number }
  | { readonly kind: 'cancelled'; readonly instructions: number };

const POLL_MS = 20;
/** A stretch is cut into so many parts each time it is run again. */
const PARTS = 32;
const MEMORY_SHOWN = 16;
const TRACE_SHOWN = 8;
const noSymbols: SymbolSource = { address: () => undefined, nearest: () => null, line: () => null };

/** Thrown inside, to leave from any depth. */
class Cancelled extends Error {}

/** Compares two machines. Throws what creating one throws. */
export async function compareMachines(options: CompareOptions, delay: (ms: number) => Promise<void>): Promise<CompareOutcome> {
  let known = options.from;
  const check = (count: number, narrowing: boolean): void => {
    if (!narrowing) known = count;
    options.onProgress(count, narrowing);
    if (options.isCancelled()) throw new Cancelled();
  };
  const withPair: WithPair = async (use) => {
    const pair = new Pair(options, delay);
    try {
      return await use(pair);
    } finally {
      pair.dispose();
    }
  };
  try {
    const found = await withPair((pair) =>
      firstDifference(pair, { from: options.from, to: options.until }, options.every, (count) => check(count, false)),
    );
    if (found.kind === 'equal') return found;
    let stretch: Stretch = found;
    for (let parts = Infinity; parts > 1; ) {
      const { from, to } = stretch;
      const every = (parts = Math.max(1, Math.floor((to - from) / PARTS)));
      const narrower = await withPair((pair) => firstDifference(pair, { from, to }, every, (count) => check(count, true)));
      if (narrower.kind === 'equal') return { kind: 'unrepeatable', from, to };
      stretch = narrower;
    }
    const { from } = stretch;
    return { kind: 'differs', divergence: await withPair((pair) => findInstruction(pair, from, options)) };
  } catch (error) {
    if (error instanceof Cancelled) return { kind: 'cancelled', instructions: known };
    throw error;
  }
}

/** Gives fresh machines to `use` and takes them back. */
type WithPair = <T>(use: (pair: Pair) => Promise<T>) => Promise<T>;

interface Stretch {
  /** The last point where both were equal, and the first where they were not. */
  readonly from: number;
  readonly to: number;
}

async function firstDifference(
  pair: Pair, { from, to }: Stretch, every: number, check: (count: number) => void,
): Promise<({ readonly kind: 'differs' } & Stretch) | { readonly kind: 'equal'; readonly instructions: number; readonly ended: boolean }> {
  await pair.approach(from);
  let equal = pair.count;
  if (!pair.isEqual) return { kind: 'differs', from: 0, to: pair.count };
  while (pair.isRunning && equal < to) {
    check(equal);
    await pair.runTo(Math.min(to, equal + every));
    if (!pair.isEqual) return { kind: 'differs', from: equal, to: pair.count };
    equal = pair.count;
  }
  return { kind: 'equal', instructions: equal, ended: !pair.isRunning };
}

/** Goes through the straight run behind `from` instruction by instruction. */
async function findInstruction(pair: Pair, from: number, { disassembler }: CompareOptions): Promise<Divergence> {
  await pair.approach(from);
  const [first, second] = pair.sides;
  const before: ExecutedInstruction[] = [];
  for (;;) {
    const instruction = second.instruction(disassembler);
    const count = second.count;
    await second.step();
    // The first one is held up in front of the next instruction, on its own engine up to there.
    await first.runToAddress(second.address, second.count);
    if (!pair.isEqual) return { count, instruction, before: before.slice(-TRACE_SHOWN), differences: pair.differences() };
    before.push(instruction);
    if (!pair.isRunning) return { count, instruction: null, before: before.slice(-TRACE_SHOWN), differences: [] };
  }
}

/** Both machines, at the same point. */
class Pair {
  readonly sides: readonly [Side, Side];

  constructor({ machines, isCancelled }: CompareOptions, delay: (ms: number) => Promise<void>) {
    const first = new Side(machines[0], isCancelled, delay);
    try {
      this.sides = [first, new Side(machines[1], isCancelled, delay)];
    } catch (error) {
      first.dispose();
      throw error;
    }
  }

  get count(): number {
    return Math.max(this.sides[0].count, this.sides[1].count);
  }
  get isRunning(): boolean {
    return this.sides[0].isRunning && this.sides[1].isRunning;
  }
  get isEqual(): boolean {
    const [first, second] = this.sides;
    return first.count === second.count && first.isRunning === second.isRunning && first.hash === second.hash;
  }

  /** Runs both to a point that is known, at full speed. */
  async approach(count: number): Promise<void> {
    for (const side of this.sides) {
      side.setSingle(false);
      if (count > 0) await side.runTo(count);
      else side.powerOn();
      side.setSingle(true);
    }
  }
  async runTo(count: number): Promise<void> {
    for (const side of this.sides) await side.runTo(count);
  }

  differences(): Difference[] {
    const [a, b] = this.sides;
    const found: Difference[] = [];
    const compare = (what: string, first: string, second: string): void => {
      if (first !== second) found.push({ what, values: [first, second] });
    };
    compare('instructions', `${a.count}`, `${b.count}`);
    for (const name of a.target.registers.names) compare(name, a.register(name), b.register(name));
    const { ram, ramBytes } = a.cpu.map;
    const bytes = a.cpu.u8.subarray(ram, ram + ramBytes), others = b.cpu.u8.subarray(ram, ram + ramBytes);
    for (let at = 0, shown = 0; at < ramBytes && shown < MEMORY_SHOWN; at++) {
      if (bytes[at] === others[at]) continue;
      compare(`memory ${at.toString(16)}`, hexByte(bytes[at]), hexByte(others[at]));
      shown++;
    }
    const devices = b.machine.inspection.devices;
    a.machine.inspection.devices.forEach((device, index) => {
      const save = (state: unknown): string => JSON.stringify(state, (_key, value: unknown) => (value instanceof Uint8Array ? [...value] : value)) ?? '';
      const first = save(device.state.save()), second = save(devices[index].state.save());
      if (first !== second) found.push({ what: `device ${device.id}`, values: around(first, second) });
    });
    return found;
  }

  dispose(): void {
    for (const side of this.sides) side.dispose();
  }
}

const hexByte = (value: number): string => value.toString(16).padStart(2, '0');

/** Two long texts from shortly before they part. */
function around(first: string, second: string): readonly [string, string] {
  let at = 0;
  while (first[at] === second[at]) at++;
  const cut = (text: string): string => text.slice(Math.max(0, at - 24), at + 24);
  return [cut(first), cut(second)];
}

class Side {
  readonly machine: RecordedMachine;
  readonly target: CpuTarget;
  readonly #isStepped: boolean;
  readonly #isCancelled: () => boolean;
  readonly #delay: (ms: number) => Promise<void>;
  readonly #control: RunControl;
  #stopsHere: (exit: number | null) => boolean = () => false;

  constructor({ engine, create }: ComparedMachine, isCancelled: () => boolean, delay: (ms: number) => Promise<void>) {
    this.machine = create();
    const { hypervisor } = this.machine.inspection;
    this.target = new CpuTarget(hypervisor.cpu, hypervisor.physical);
    this.#isStepped = engine === 'uncached';
    this.#isCancelled = isCancelled;
    this.#delay = delay;
    this.#control = {
      single: false, wanted: false,
      exit: () => {}, exitBegins: () => {}, exitEnds: () => {},
      stopsHere: (exit) => this.#stopsHere(exit),
    };
    hypervisor.setControl(this.#control);
  }

  get cpu() {
    return this.machine.inspection.hypervisor.cpu;
  }
  get count(): number {
    return this.cpu.instructionCount;
  }
  get hash(): string {
    return this.machine.stateHash();
  }
  get address(): bigint {
    return this.target.programCounter;
  }
  /** Not powered off, shut down or asleep for good. */
  get isRunning(): boolean {
    return (this.machine.state === 'running' || this.machine.state === 'paused') && !this.#sleepsForGood;
  }
  get #sleepsForGood(): boolean {
    return this.cpu.activity === 'halted' && this.machine.inspection.hypervisor.clock.nextDeadlineNs === Infinity;
  }

  register(name: string): string {
    return this.target.registers.get(name)?.toString(16) ?? '';
  }

  instruction(disassembler: Disassembler): ExecutedInstruction {
    const { address, target } = this;
    const found = instructionAt({ target, symbols: noSymbols, disassembler }, address);
    if (found === null) return { address, bytes: null, text: '(not mapped)' };
    return { address, bytes: target.memory.read('linear', address, found.length), text: plainText(found) };
  }

  powerOn(): void {
    this.machine.startPaused();
  }
  /** From here on this machine's own engine; before, both are interpreters at full speed. */
  setSingle(own: boolean): void {
    this.#control.single = own && this.#isStepped;
  }

  /** To the first point at or behind `count` that every run of these machines reaches. */
  async runTo(count: number): Promise<void> {
    this.machine.runUntil(count);
    await this.#settled();
  }

  /** One instruction, or what happens instead of it. */
  async step(): Promise<void> {
    const { count } = this;
    this.#control.single = true;
    this.#stopsHere = (exit) => exit !== null && this.count > count;
    this.machine.start();
    await this.#settled();
    this.#stopsHere = () => false;
    this.#control.single = this.#isStepped;
  }

  /** Stops in front of the instruction at a linear address, or at the first point at or behind `count`. */
  async runToAddress(address: bigint, count: number): Promise<void> {
    const linear = Number(BigInt.asIntN(64, address));
    this.cpu.code.setBreakpoints([linear], []);
    this.#stopsHere = (exit) => exit === EXIT.breakpoint;
    this.machine.runUntil(count);
    await this.#settled();
    this.#stopsHere = () => false;
    this.cpu.code.setBreakpoints([], []);
  }

  async #settled(): Promise<void> {
    let listener: Disposable | undefined;
    const ended = new Promise<void>((resolve) => {
      listener = this.machine.onState((state) => {
        if (state !== 'running') resolve();
      });
    });
    try {
      while (this.machine.state === 'running') {
        await Promise.race([ended, this.#delay(POLL_MS)]);
        if (this.#isCancelled()) throw new Cancelled();
        if (this.#sleepsForGood) this.machine.pause();
      }
    } finally {
      listener?.dispose();
    }
  }

  dispose(): void {
    this.machine.inspection.hypervisor.setControl(null);
    this.machine.dispose();
  }
}
