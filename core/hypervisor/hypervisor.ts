// The run loop: slices of guest execution, the exits that end them, guest time, interrupts, inputs and lifecycle.
import type { ResetKind, Timer } from '../bus/device.ts';
import { Emitter } from '../base/emitter.ts';
import { Cpu, type CpuHost, type ExitKind } from '../cpu/cpu.ts';
import { CS, EXIT } from '../cpu/state/layout.ts';
import { pageOf } from '../cpu/state/addresses.ts';
import type { CpuModel } from '../cpu/state/cpuModels.ts';
import type { EngineName } from '../cpu/state/engines.ts';
import { deliverExternal } from '../cpu/system/interrupts.ts';
import type { HostClock } from '../host/clock.ts';
import { PhysicalMap } from '../mmu/physicalMap.ts';
import { ExitStatistics } from './exitStatistics.ts';
import { GuestRam } from './guestRam.ts';
import type { MachineInput, ReplayLog, StampedInput } from './replayLog.ts';
import { RunMeter } from './runMeter.ts';
import { VirtualClock } from './virtualClock.ts';

/** The board as the hypervisor drives it. */
export interface BoardPort {
  ioRead(port: number, size: 1 | 2 | 4): number;
  ioWrite(port: number, value: number, size: 1 | 2 | 4): void;
  mmioRead(address: number, size: 1 | 2 | 4): number;
  mmioWrite(address: number, value: number, size: 1 | 2 | 4): void;
  acknowledgeInterrupt(): number;
  /** CR8. */
  taskPriority: number;
  /** The time-stamp counter was written. */
  timestampChanged(): void;
  /** A performance counter has overflowed. */
  performanceInterrupt(): void;
  /** FERR#. */
  floatingError(level: boolean): void;
  readMsr(index: number): readonly [number, number] | null;
  writeMsr(index: number, low: number, high: number): boolean;
  reset(kind: ResetKind): void;
  /** Applies an input from outside. */
  input(input: MachineInput): void;
}

export type RunState = 'stopped' | 'running' | 'paused' | 'halted';

export type HaltReason =
  | { kind: 'power-off' }
  | { kind: 'guest-power-off' }
  | { kind: 'debug-exit'; value: number }
  | { kind: 'triple-fault'; detail: string };

export interface HypervisorOptions {
  readonly ramBytes: number;
  /** Room for ROM images. */
  readonly romBytes?: number;
  readonly cpuModel: CpuModel;
  /** `real`: guest time is steered to follow the host's; `virtual`: it follows the instruction count alone. */
  readonly clock: 'real' | 'virtual';
  readonly host: HostClock;
  /** Inputs to apply instead of live ones. */
  readonly replay?: ReplayLog;
  readonly engine?: EngineName;
}

/**
 * A debugger at work. It hears of every exit while it is attached, and says where the guest stops. Without one nothing of
 * this costs anything.
 */
export interface RunControl {
  /** Instructions are run one at a time, with a question after each. */
  single: boolean;
  /** Something asks to stop as soon as the current instruction is done. */
  wanted: boolean;
  /** The details are those of CpuHost.exit. */
  exit(kind: ExitKind, a: number, b: number, c: number, d: number): void;
  exitBegins(): void;
  exitEnds(): void;
  /** Between runs; `ended` is how the last one did, null: what belongs between instructions was done. True: stop here. */
  stopsHere(ended: number | null): boolean;
}

/** Rate of guest time in `virtual` mode: 4 ns an instruction, a 250 MIPS machine. */
const VIRTUAL_RATE_NS = 4;
/** Host ms that a slice may take before host events are served. */
const SLICE_MS = 4;
/** Instructions between two looks at the host's clock. */
const RUN_LIMIT = 200_000;
/** The guest's clock is steered to meet the host's within this time. */
const STEER_MS = 25;
const SLOWEST_RATE_NS = 0.2;
const FASTEST_RATE_NS = 200;
/** Idle shorter than this is not worth a sleep. */
const MINIMUM_SLEEP_MS = 0.3;
/**
 * A quiet guest's timers may come late by this much, in groups: waking a process costs far more than a tick of an idle
 * kernel. Guest time does not notice, each timer still expires at its own instant of it; input wakes the guest at once.
 */
const QUIET_SLACK_MS = 60;
/** More instructions than this between two halts are work, not just a tick. */
const QUIET_INSTRUCTIONS = 50_000;
/** After work or input, timers stay exact for so long. */
const QUIET_AFTER_MS = 300;
const NMI = 2;
const PAGE_FAULT = 14;

export class Hypervisor implements CpuHost {
  readonly cpu: Cpu;
  readonly clock: VirtualClock;
  readonly physical: PhysicalMap;
  readonly ram: GuestRam;
  readonly exits: ExitStatistics;
  readonly meter: RunMeter;
  /** Everything that came from outside so far. */
  readonly recording: StampedInput[] = [];
  guestErrors = 0;
  onGuestError: (what: string, detail: Readonly<Record<string, number | string>>) => void = () => {};

  readonly #options: HypervisorOptions;
  readonly #host: HostClock;
  readonly #stateChanged = new Emitter<RunState>();
  readonly #inputs: MachineInput[] = [];
  readonly #replay: StampedInput[] | null;
  #board!: BoardPort;
  #state: RunState = 'stopped';
  #reason: HaltReason | null = null;
  #pending: { cancel(): void } | null = null;
  #resetRequest: ResetKind | null = null;
  #stopRequest: HaltReason | null = null;
  /** Host ms that correspond to guest time zero, moved by pauses. */
  #originMs = 0;
  #pausedAtMs = 0;
  #timestampOffset = 0;
  #pauseAtCount = Infinity;
  /** Host time until which the guest counts as active, and the instruction count at its last halt. */
  #activeUntilMs = 0;
  #countAtHalt = 0;
  /** The last run ended where a replay can end it too. */
  #atBoundary = true;
  /** Instruction count up to which a run that the debugger interrupted goes on before anything else happens; null: none. */
  #interruptedUntil: number | null = null;
  /** The breakpoint at this linear address is passed. */
  #passAt = -1;
  #control: RunControl | null = null;
  /** Host ms that the guest was paused in all, and since when the machine is on. */
  #pausedMs = 0;
  #powerOnMs = 0;
  /** Guest time at which the interrupt line rose last. */
  lineRaisedNs = 0;

  readonly onState = this.#stateChanged.event;

  constructor(options: HypervisorOptions) {
    this.#options = options;
    this.#host = options.host;
    this.#replay = options.replay ? [...options.replay] : null;
    this.exits = new ExitStatistics(() => this.#host.nowMs());
    this.meter = new RunMeter(() => this.#host.nowMs());
    this.cpu = new Cpu(options.ramBytes, options.cpuModel, this, options.romBytes);
    const { cpu } = this;
    if (options.engine !== undefined) cpu.setEngine(options.engine);
    const first = cpu.map.physicalMap >>> 2;
    this.physical = new PhysicalMap(cpu.u32.subarray(first, first + (1 << 20)));
    this.ram = new GuestRam(cpu, this.physical);
    this.clock = new VirtualClock(() => cpu.instructionCount, VIRTUAL_RATE_NS);
    this.clock.onEarlier = () => cpu.endSlice();
  }

  attach(board: BoardPort): void {
    this.#board = board;
  }

  get state(): RunState {
    return this.#state;
  }
  get haltReason(): HaltReason | null {
    return this.#reason;
  }

  // --- lifecycle ----------------------------------------------------------------------------------------------------

  start(): void {
    if (this.#state === 'running') return;
    if (this.#state === 'halted') return;
    const nowMs = this.#host.nowMs();
    if (this.#state === 'stopped') this.#originMs = this.#powerOnMs = nowMs;
    else this.#wasPaused(nowMs - this.#pausedAtMs);
    if (this.cpu.code.breakpointAt(this.cpu.rip)) this.#passAt = this.linearPc;
    this.#reason = null;
    this.#setState('running');
    this.#schedule(0);
  }

  pause(): void {
    if (this.#state !== 'running') return;
    this.#pausedAtMs = this.#host.nowMs();
    this.#cancel();
    this.#setState('paused');
  }

  #wasPaused(ms: number): void {
    this.#originMs += ms;
    this.#pausedMs += ms;
  }

  /** Ready to run, not yet running: guest time stands at zero. */
  startPaused(): void {
    if (this.#state !== 'stopped') return;
    this.#originMs = this.#powerOnMs = this.#pausedAtMs = this.#host.nowMs();
    this.#reason = null;
    this.#setState('paused');
  }

  /** Runs on and pauses at the first point at or after `count` instructions that every run with these inputs reaches. */
  runUntil(count: number): void {
    this.#pauseAtCount = count;
    this.cpu.endSlice();
    this.start();
  }

  /** Hard reset from outside. */
  reset(): void {
    if (this.#state === 'stopped') return;
    // A guest that stands in the middle of a slice starts over at once; only a recording needs a point that it can name.
    if (this.#interruptedUntil !== null && !this.recordInputs) {
      this.#interruptedUntil = null;
      this.#atBoundary = true;
    }
    if (this.#state !== 'running') {
      if (this.#state === 'paused') this.#wasPaused(this.#host.nowMs() - this.#pausedAtMs);
      this.#reason = null;
      this.#setState('running');
    }
    this.inject({ kind: 'reset' });
  }

  stop(reason: HaltReason): void {
    this.#cancel();
    if (this.#state === 'stopped') return;
    this.#reason = reason;
    this.#setState('stopped');
  }

  /** An input from outside: takes effect at the next point that a replay can find again. */
  inject(input: MachineInput): void {
    if (this.#replay !== null || this.#state === 'stopped') return;
    this.#inputs.push(input);
    this.#activeUntilMs = this.#host.nowMs() + QUIET_AFTER_MS;
    this.cpu.endSlice();
    if (this.#state === 'running') this.#schedule(0);
  }

  // --- for a debugger ---------------------------------------------------------------------------------------------------

  /** Attaches or (null) detaches a debugger; it must have stopped wanting anything. */
  setControl(control: RunControl | null): void {
    this.#control = control;
  }
  /** Linear address of the next instruction. */
  get linearPc(): number {
    return this.cpu.wrapLinear(this.cpu.segmentBase(CS) + this.cpu.rip);
  }
  /** The guest was moved by hand: it continues here, and a breakpoint here is passed. */
  placeChanged(): void {
    this.cpu.activity = 'running';
  }
  /** Ends the current run behind the instruction in progress. */
  interruptRun(): void {
    this.cpu.stopAfterInstruction();
  }
  /** Host time in ms since power-on without pauses, and of that the part that was spent executing. */
  get hostTime(): { readonly totalMs: number; readonly executingMs: number } {
    if (this.#state === 'stopped') return { totalMs: this.meter.totalMs, executingMs: this.meter.totalMs };
    const until = this.#state === 'running' ? this.#host.nowMs() : this.#pausedAtMs;
    return { totalMs: until - this.#powerOnMs - this.#pausedMs, executingMs: this.meter.totalMs };
  }

  // --- services for the board ---------------------------------------------------------------------------------------

  now(): number {
    return this.clock.now();
  }
  timer(onExpire: () => void): Timer {
    return this.clock.timer(onExpire);
  }
  setInterruptLine(level: boolean): void {
    if (level) this.lineRaisedNs = this.clock.now();
    this.cpu.setInterruptLine(level);
  }
  raiseNmi(): void {
    this.cpu.nmiPending = true;
    this.cpu.leaveRequested = true;
    this.cpu.endSlice();
  }
  setIgnoreErrors(level: boolean): void {
    this.cpu.setIgnoreErrors(level);
  }
  setA20(enabled: boolean): void {
    this.cpu.setA20(enabled);
  }
  /** Takes effect when the instruction that asked is done. */
  requestReset(kind: ResetKind): void {
    this.#resetRequest = kind;
    this.cpu.leaveRequested = true;
    this.cpu.endSlice();
  }
  requestStop(reason: HaltReason): void {
    this.#stopRequest = reason;
    this.cpu.leaveRequested = true;
    this.cpu.endSlice();
  }

  // --- CpuHost ------------------------------------------------------------------------------------------------------

  portRead(port: number, size: 1 | 2 | 4): number {
    return this.#board.ioRead(port, size);
  }
  portWrite(port: number, value: number, size: 1 | 2 | 4): void {
    this.#board.ioWrite(port, value, size);
  }
  mmioRead(address: number, size: 1 | 2 | 4): number {
    return this.#board.mmioRead(address, size);
  }
  mmioWrite(address: number, value: number, size: 1 | 2 | 4): void {
    this.#board.mmioWrite(address, value, size);
  }
  /** 1 GHz. */
  timestamp(): number {
    return Math.max(0, Math.floor(this.clock.now()) + this.#timestampOffset);
  }
  setTimestamp(value: number): void {
    this.#timestampOffset = value - Math.floor(this.clock.now());
    this.#board.timestampChanged();
  }
  cycles(): number {
    return this.clock.running();
  }
  performanceInterrupt(): void {
    this.#board.performanceInterrupt();
  }
  floatingError(level: boolean): void {
    this.#board.floatingError(level);
  }
  /** What the time-stamp counter is ahead of guest time. */
  get timestampOffset(): number {
    return this.#timestampOffset;
  }
  acknowledgeInterrupt(): number {
    return this.#board.acknowledgeInterrupt();
  }
  readTaskPriority(): number {
    return this.#board.taskPriority;
  }
  writeTaskPriority(value: number): void {
    this.#board.taskPriority = value;
  }
  readMsr(index: number): readonly [number, number] | null {
    return this.#board.readMsr(index);
  }
  writeMsr(index: number, low: number, high: number): boolean {
    return this.#board.writeMsr(index, low, high);
  }
  exit(kind: ExitKind, a = 0, b = 0, c = 0, d = 0): void {
    this.exits.count(kind);
    if (kind === 'exception' || kind === 'software-interrupt') this.exits.vector(kind, a);
    else if (kind === 'page-fault') this.exits.vector('exception', PAGE_FAULT);
    else if (kind === 'interrupt') {
      this.exits.vector(kind, a);
      this.exits.latency(a, this.clock.now() - this.lineRaisedNs);
    }
    if (this.#control !== null) this.#control.exit(kind, a, b, c, d);
  }
  exitBegins(): void {
    this.exits.begin();
    if (this.#control !== null) this.#control.exitBegins();
  }
  exitEnds(): void {
    this.exits.end();
    if (this.#control !== null) this.#control.exitEnds();
  }
  guestError(what: string, detail: Readonly<Record<string, number | string>>): void {
    this.guestErrors++;
    this.onGuestError(what, detail);
  }

  // --- run loop -----------------------------------------------------------------------------------------------------

  #setState(state: RunState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#stateChanged.fire(state);
  }

  #schedule(ms: number): void {
    this.#cancel();
    this.#pending = this.#host.after(ms, () => {
      this.#pending = null;
      this.#slice();
    });
  }

  #cancel(): void {
    this.#pending?.cancel();
    this.#pending = null;
  }

  #slice(): void {
    const startMs = this.#host.nowMs();
    const startCount = this.cpu.instructionCount;
    let sleepMs: number | null = null;
    const stepping = this.#control?.single ?? false;
    if (!stepping) this.#steer(startMs);
    do {
      sleepMs = this.#turn();
    } while (sleepMs === null && this.#state === 'running' && this.#host.nowMs() - startMs < SLICE_MS);
    if (!stepping) this.meter.add(this.cpu.instructionCount - startCount, this.#host.nowMs() - startMs);
    if (this.#state === 'running') this.#schedule(sleepMs ?? 0);
  }

  /** One run between two looks around. Returns how long to sleep in ms, or null to go on. */
  #turn(): number | null {
    const { cpu, clock } = this;
    if (this.#interruptedUntil !== null) {
      // Nothing may come in between: without a debugger there would have been no stop here.
      this.#run(this.#interruptedUntil - cpu.instructionCount);
      return null;
    }
    if (cpu.instructionCount >= this.#pauseAtCount) {
      this.#pauseAtCount = Infinity;
      this.pause();
      return null;
    }
    cpu.leaveRequested = false;
    clock.runDue();
    this.#applyInputs();
    if (this.#serveRequests()) return null;
    if (cpu.activity !== 'shutdown') this.#deliverInterrupts();
    // By an instruction, or by an interrupt that could not be delivered.
    if (cpu.activity === 'shutdown') {
      this.#halt({ kind: 'triple-fault', detail: cpu.shutdownDetail });
      return null;
    }
    if (cpu.activity === 'halted') return this.#idle();
    if (this.#control?.stopsHere(null)) {
      this.pause();
      return null;
    }
    const overflow = cpu.performance.countAtOverflow(clock.nsPerInstruction);
    const until = Math.min(clock.countAtNextDeadline(), this.#replay?.[0]?.count ?? Infinity, this.#pauseAtCount, overflow);
    const budget = Math.max(1, Math.min(RUN_LIMIT, until - cpu.instructionCount));
    this.#run(budget);
    return null;
  }

  #deliverInterrupts(): void {
    const { cpu } = this;
    if (cpu.nmiPending && !cpu.nmiBlocked) {
      cpu.nmiPending = false;
      cpu.nmiBlocked = true;
      deliverExternal(cpu, NMI);
    } else if (cpu.canTakeInterrupt) deliverExternal(cpu, this.#board.acknowledgeInterrupt());
  }

  /** One run of the CPU, or one instruction if the debugger steps or a breakpoint must be passed. */
  #run(budget: number): void {
    const { cpu } = this;
    const until = cpu.instructionCount + budget;
    const pc = this.linearPc;
    const single = (this.#control?.single ?? false) || this.#passAt === pc;
    this.#passAt = -1;
    const exit = cpu.run(single ? 1 : budget, single);
    this.#atBoundary = exit === EXIT.budget;
    const straight = exit === EXIT.breakpoint || exit === EXIT.interrupted;
    // Running on into another page is a point where slices may end.
    const samePage = pageOf(pc) === pageOf(this.linearPc);
    this.#interruptedUntil = straight && (samePage || exit === EXIT.breakpoint) ? until : null;
    if (this.#control?.stopsHere(exit)) this.pause();
    else if (exit === EXIT.breakpoint) this.#passAt = this.linearPc;
  }

  /** Resets and stops that devices asked for; whether the run loop must start over. */
  #serveRequests(): boolean {
    if (this.#stopRequest !== null) {
      const reason = this.#stopRequest;
      this.#stopRequest = null;
      this.stop(reason);
      return true;
    }
    if (this.#resetRequest === null) return false;
    const kind = this.#resetRequest;
    this.#resetRequest = null;
    this.cpu.reset();
    this.#board.reset(kind);
    return true;
  }

  #halt(reason: HaltReason): void {
    this.#reason = reason;
    this.#pausedAtMs = this.#host.nowMs();
    this.#setState('halted');
  }

  /** HLT: time passes until the next timer, or until something comes from outside. */
  #idle(): number | null {
    const { clock } = this;
    const next = clock.nextDeadlineNs;
    if (this.#replay !== null) return this.#idleReplayed(next);
    if (this.#options.clock === 'virtual') {
      if (next === Infinity) return 1000;
      clock.advanceTo(next);
      return null;
    }
    const nowMs = this.#host.nowMs();
    const quiet = this.#isQuiet(nowMs);
    const real = Math.floor(this.#realNs(nowMs));
    if (next > real) {
      clock.advanceTo(real);
      const sleep = (next - real) / 1e6;
      if (sleep >= MINIMUM_SLEEP_MS) return Math.min(quiet ? Math.max(sleep, QUIET_SLACK_MS) : sleep, 1000);
    }
    clock.advanceTo(next);
    return null;
  }

  /** Whether the guest, which just halted, does no more than keep its clock. Chooses host sleeps only, never guest time. */
  #isQuiet(nowMs: number): boolean {
    const { instructionCount } = this.cpu;
    if (instructionCount - this.#countAtHalt > QUIET_INSTRUCTIONS) this.#activeUntilMs = nowMs + QUIET_AFTER_MS;
    this.#countAtHalt = instructionCount;
    return nowMs >= this.#activeUntilMs;
  }

  #idleReplayed(next: number): number | null {
    const stamped = this.#replay![0];
    const inputNs = stamped !== undefined && stamped.count <= this.cpu.instructionCount ? stamped.ns : Infinity;
    const ns = Math.min(next, inputNs);
    if (ns === Infinity) return 1000;
    this.clock.advanceTo(ns);
    return null;
  }

  #realNs(nowMs: number): number {
    return (nowMs - this.#originMs) * 1e6;
  }

  /** Chooses the rate at which guest time meets the host's soon. */
  #steer(nowMs: number): void {
    if (this.#options.clock !== 'real' || this.#replay !== null || !this.#atBoundary) return;
    const ahead = this.#realNs(nowMs) - this.clock.now();
    const wantedNs = STEER_MS * 1e6 + ahead;
    const instructions = this.meter.instructionsPerMs * STEER_MS;
    const rate = Math.min(FASTEST_RATE_NS, Math.max(SLOWEST_RATE_NS, wantedNs / instructions));
    const old = this.clock.nsPerInstruction;
    if (Math.abs(rate - old) < old * 0.02) return;
    this.clock.setRate(rate);
    this.#record({ kind: 'rate', nsPerInstruction: rate });
  }

  #record(input: MachineInput): void {
    // Steering alone would fill memory in a long run; a replay needs it, so it is kept while recording is wanted.
    if (this.recordInputs) this.recording.push({ count: this.cpu.instructionCount, ns: this.clock.now(), input });
  }
  /** Keep what comes from outside, so that the run can be replayed. */
  recordInputs = false;

  #applyInputs(): void {
    if (this.#replay !== null) {
      while (this.#isDue(this.#replay[0])) this.#apply(this.#replay.shift()!.input);
      return;
    }
    if (this.#inputs.length === 0 || !(this.#atBoundary || this.cpu.activity !== 'running')) return;
    for (const input of this.#inputs.splice(0)) {
      this.#record(input);
      this.#apply(input);
    }
  }

  #isDue(stamped: StampedInput | undefined): boolean {
    if (stamped === undefined || stamped.count > this.cpu.instructionCount) return false;
    return this.cpu.activity === 'running' || stamped.ns <= this.clock.now();
  }

  #apply(input: MachineInput): void {
    switch (input.kind) {
      case 'rate':
        this.clock.setRate(input.nsPerInstruction);
        return;
      case 'reset':
        this.#resetRequest = 'hard';
        return;
      default:
        this.#board.input(input);
    }
  }
}
