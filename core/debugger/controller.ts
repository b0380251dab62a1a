// Running, stepping and stopping: the one place that decides where the guest stands, for views, monitor and GDB alike.
import type { Disposable } from '../base/disposable.ts';
import { Emitter } from '../base/emitter.ts';
import type { DebugEventKind, DebugStop } from '../api/debug.ts';
import type { DataWatch } from '../cpu/cpu.ts';
import type { ExitKind } from '../cpu/state/exitClasses.ts';
import { EXIT, FIELD } from '../cpu/state/layout.ts';
import type { Disassembler, InstructionText } from '../host/disassembler.ts';
import type { Hypervisor, RunControl } from '../hypervisor/hypervisor.ts';
import type { Breakpoints, DataAccess, Evaluator, HitResult } from './breakpoints.ts';
import { littleEndian } from './littleEndian.ts';
import { hexText, unsignedAddress } from './numberText.ts';
import { type DebugController, DebugError, type DebugTarget, type StopReport } from './target.ts';

/** Everything that happens to the guest, for the trap inspector; only while it is open. */
export interface ExitListener {
  begins(): void;
  exit(kind: ExitKind, a: number, b: number, c: number, d: number): void;
  ends(): void;
  /** A run ended at this linear address: a sample of where the guest is. */
  sample(linear: number): void;
}

/** What stepping needs beside the machine. */
export interface ControllerParts {
  readonly hypervisor: Hypervisor;
  readonly target: DebugTarget;
  readonly breakpoints: Breakpoints;
  readonly evaluator: Evaluator;
  readonly disassembler: () => Disassembler;
  /** Return address and stack pointer behind the return of the current function, or null. */
  readonly caller: () => { readonly address: bigint; readonly frame: bigint } | null;
  /** The exit policy's word on a class. */
  readonly policyStops: (kind: ExitKind) => boolean;
}

/** What the guest runs for, until it is reached. */
type Goal =
  | { readonly kind: 'steps'; left: number }
  | { readonly kind: 'range'; readonly from: bigint; readonly to: bigint; readonly stack: bigint }
  /** Stops at the temporary breakpoint once the stack is at or above `stack`; `next` goes on from there. */
  | { readonly kind: 'temporary'; readonly stack: bigint | null; readonly stop: DebugStop['kind']; readonly next: Goal | null }
  /** Steps behind the return that leaves the frame above `stack`. */
  | { readonly kind: 'return'; readonly stack: bigint; depth: number; returning: boolean }
  | { readonly kind: 'event'; readonly event: DebugEventKind }
  | { readonly kind: 'until'; readonly condition: string };

const SINGLE_GOALS: readonly Goal['kind'][] = ['steps', 'range', 'return', 'until'];
const EVENT_NAMES: Readonly<Record<DebugEventKind, string>> = {
  interrupt: 'interrupt', exception: 'exception', iret: 'IRET', 'mode-change': 'change of mode', 'privilege-change': 'change of privilege level',
  'address-space': 'change of address space', exit: 'exit',
};
/** Longest instruction. */
const INSTRUCTION_BYTES = 15;

export class Controller implements DebugController, RunControl {
  single = false;
  wanted = false;

  readonly #parts: ControllerParts;
  readonly #hypervisor: Hypervisor;
  readonly #stops = new Emitter<StopReport>();
  readonly #resumes = new Emitter<void>();
  readonly #changes = new Emitter<void>();
  readonly #subscription: Disposable;
  #goal: Goal | null = null;
  #stop: StopReport | null = null;
  /** The next pause is for this reason. */
  #reason: StopReport | null = null;
  /** Reason found while the instruction was still running. */
  #pending: StopReport | null = null;
  #accesses: { readonly watch: DataWatch; readonly access: DataAccess }[] = [];
  #mode = '';
  #privilege = -1;
  #listener: ExitListener | null = null;
  #policyArmed = false;
  #attached = false;

  readonly onStop = this.#stops.event;
  readonly onResume = this.#resumes.event;
  readonly onChange = this.#changes.event;

  constructor(parts: ControllerParts) {
    this.#parts = parts;
    this.#hypervisor = parts.hypervisor;
    const { cpu } = parts.hypervisor;
    cpu.onWatch = (watch, linear, size, write) => this.#watched(watch, { address: unsignedAddress(linear), size, write });
    this.#subscription = parts.hypervisor.onState((state) => this.#stateChanged(state));
    if (this.state === 'paused') this.#stop = report('pause', 'Paused');
  }

  get state(): DebugController['state'] {
    return this.#hypervisor.state;
  }
  get stop(): StopReport | null {
    return this.#stop;
  }

  dispose(): void {
    this.#subscription.dispose();
    this.#goal = null;
    this.#listener = null;
    this.#policyArmed = false;
    this.#parts.breakpoints.removeAll();
    this.rearm();
    this.#hypervisor.cpu.onWatch = () => {};
  }

  changed(): void {
    this.#changes.fire();
  }

  // --- commands -------------------------------------------------------------------------------------------------------

  pause(kind: DebugStop['kind'] = 'pause'): void {
    if (this.state !== 'running') return;
    this.#finish(report(kind, kind === 'gdb' ? 'Interrupted by GDB' : 'Paused'));
    this.#hypervisor.pause();
  }

  resume(): void {
    if (this.state !== 'running') this.#run(null);
  }

  stepInto(count: number): void {
    this.#run({ kind: 'steps', left: count });
  }

  stepOver(): void {
    const instruction = this.#instruction();
    if (instruction === null || !passesThrough(instruction)) {
      this.stepInto(1);
      return;
    }
    const { target } = this.#parts;
    this.#runToAddress(target.programCounter + BigInt(instruction.length), { stack: this.#stackPointer(), stop: 'step', next: null });
  }

  stepOut(): void {
    const caller = this.#parts.caller();
    if (caller !== null) this.#runToAddress(caller.address, { stack: caller.frame, stop: 'step', next: null });
    else this.#run({ kind: 'return', stack: this.#stackPointer(), depth: 0, returning: false });
  }

  stepRange(from: bigint, to: bigint): void {
    this.#run({ kind: 'range', from, to, stack: this.#stackPointer() });
  }

  runTo(address: bigint): void {
    this.#runToAddress(address, { stack: null, stop: 'run-to', next: null });
  }

  runToEvent(event: DebugEventKind): void {
    this.#run({ kind: 'event', event });
  }

  runUntil(condition: string): void {
    this.#parts.evaluator.check(condition);
    this.#run({ kind: 'until', condition });
  }

  reset(): void {
    this.#hypervisor.reset();
  }

  /** Who hears of every exit; null: nobody. */
  listen(listener: ExitListener | null): void {
    this.#listener = listener;
    this.rearm();
  }

  /** The exit policy has classes at which the guest stops or that are logged. */
  setPolicyArmed(armed: boolean): void {
    this.#policyArmed = armed;
    this.rearm();
  }

  #runToAddress(address: bigint, goal: Omit<Extract<Goal, { kind: 'temporary' }>, 'kind'>): void {
    this.#expectPaused();
    this.#parts.breakpoints.temporary = address;
    this.#run({ kind: 'temporary', ...goal });
  }

  #expectPaused(): void {
    if (this.state === 'paused') return;
    throw new DebugError(this.state === 'running' ? 'the guest is running: pause it first' : `the guest is ${this.state}`);
  }

  #run(goal: Goal | null): void {
    this.#expectPaused();
    this.#goal = goal;
    this.#reason = this.#pending = null;
    this.#noteMode();
    this.rearm();
    this.#hypervisor.start();
  }

  // --- being told -----------------------------------------------------------------------------------------------------

  /** Attaches to the hypervisor what is needed now, and nothing else. */
  rearm(): void {
    const { breakpoints } = this.#parts;
    const { cpu } = this.#hypervisor;
    const goal = this.#goal;
    this.single = goal !== null && SINGLE_GOALS.includes(goal.kind);
    const event = goal?.kind === 'event' ? goal.event : null;
    const modes = event === 'mode-change' || event === 'privilege-change' || breakpoints.has('mode-change', 'privilege-change');
    cpu.onModeChange = modes ? () => this.#want() : null;
    const instructions = breakpoints.has('instruction');
    cpu.onSensitive = instructions ? (bits) => this.#sensitive(bits) : null;
    cpu.code.setVisibleFlags(instructions || cpu.visibleFlags);
    const needed = goal !== null || !breakpoints.isEmpty || this.#listener !== null || this.#policyArmed;
    if (needed === this.#attached) return;
    this.#attached = needed;
    this.#hypervisor.setControl(needed ? this : null);
  }

  exitBegins(): void {
    this.#listener?.begins();
  }
  exitEnds(): void {
    this.#listener?.ends();
  }

  exit(kind: ExitKind, a: number, b: number, c: number, d: number): void {
    this.#listener?.exit(kind, a, b, c, d);
    if (this.#pending !== null) return;
    if (this.#goal?.kind === 'event') this.#goalEvent(this.#goal.event, kind, a, c, d);
    if (kind === 'control-register' && d !== 0 && a === 0 && this.#hypervisor.cpu.onModeChange !== null) this.#want();
    if (this.#parts.policyStops(kind)) this.#settle(report('exit', `Exit policy: ${kind}`));
    if (this.#parts.breakpoints.isEmpty) return;
    const hit = this.#parts.breakpoints.hitExit({ kind, a, b, c, d });
    if (hit !== null) this.#settle(hitReport(hit));
  }

  #goalEvent(event: DebugEventKind, kind: ExitKind, a: number, c: number, d: number): void {
    const happened =
      event === 'exit' ||
      (event === 'interrupt' && (kind === 'interrupt' || kind === 'software-interrupt')) ||
      (event === 'exception' && (kind === 'exception' || kind === 'page-fault')) ||
      (event === 'iret' && kind === 'far-transfer' && c === 1) ||
      (event === 'address-space' && kind === 'control-register' && a === 3 && d !== 0);
    if (happened) this.#settle(report('event', `Next ${EVENT_NAMES[event]}${kind === 'interrupt' || kind === 'exception' ? `, vector ${hexText(a)}` : ''}`));
  }

  #sensitive(bits: number): void {
    const kinds = [
      ...((bits & 1) !== 0 ? ['sensitive'] : []), ...((bits & 2) !== 0 ? ['privileged'] : []), ...(bits === 1 ? ['sensitive-unprivileged'] : []),
    ];
    if (this.#pending !== null) return;
    const hit = this.#parts.breakpoints.hitInstruction(kinds);
    if (hit !== null) this.#settle(hitReport(hit));
  }

  /** A data breakpoint was touched: whether it holds is asked once the instruction is done. */
  #watched(watch: DataWatch, access: DataAccess): void {
    // A read-modify-write touches twice: the write says more.
    const last = this.#accesses.at(-1);
    if (last?.watch.id === watch.id && !last.access.write && access.write) this.#accesses.pop();
    this.#accesses.push({ watch, access });
    this.#want();
  }

  #settle(stop: StopReport): void {
    this.#pending = stop;
    this.#want();
  }

  #want(): void {
    this.wanted = true;
    this.#hypervisor.interruptRun();
  }

  // --- between runs ---------------------------------------------------------------------------------------------------

  stopsHere(ended: number | null): boolean {
    if (ended !== null && !this.single) this.#listener?.sample(this.#hypervisor.linearPc);
    const stop = this.#stopReason(ended);
    this.wanted = false;
    this.#accesses.length = 0;
    if (stop === null) return false;
    this.#finish(stop);
    return true;
  }

  #stopReason(ended: number | null): StopReport | null {
    // An instruction that faulted touched nothing: it will be done again.
    const accesses = ended === EXIT.fault ? [] : this.#accesses;
    if (this.wanted) {
      for (const { watch, access } of accesses) {
        const hit = this.#parts.breakpoints.hitData(watch.id, access);
        if (hit !== null) return { ...hitReport(hit), access };
      }
      const changed = this.#modeStop();
      const pending = this.#pending ?? changed;
      this.#pending = null;
      if (pending !== null) return pending;
    }
    if (ended === null) return null;
    const atBreakpoint = ended === EXIT.breakpoint || (this.single && this.#hypervisor.cpu.code.breakpointAt(this.#hypervisor.cpu.rip));
    if (atBreakpoint) {
      const pc = this.#parts.target.programCounter;
      const hit = this.#parts.breakpoints.hitExecution(pc, this.#parts.target.memory.translate(pc));
      if (hit !== null) return hitReport(hit);
    }
    return this.#goalReached();
  }

  #modeStop(): StopReport | null {
    const { mode, privilege } = this.#currentMode();
    const goal = this.#goal?.kind === 'event' ? this.#goal.event : null;
    const modeChanged = mode !== this.#mode, privilegeChanged = privilege !== this.#privilege;
    this.#mode = mode;
    this.#privilege = privilege;
    if (modeChanged) {
      const hit = this.#parts.breakpoints.hitChange('mode-change');
      if (hit !== null) return hitReport(hit);
      if (goal === 'mode-change') return report('event', `Change of mode: now ${mode}`);
    }
    if (privilegeChanged) {
      const hit = this.#parts.breakpoints.hitChange('privilege-change');
      if (hit !== null) return hitReport(hit);
      if (goal === 'privilege-change') return report('event', `Change of privilege level: now ring ${privilege}`);
    }
    return null;
  }

  #noteMode(): void {
    const { mode, privilege } = this.#currentMode();
    this.#mode = mode;
    this.#privilege = privilege;
  }

  #currentMode(): { mode: string; privilege: number } {
    const { name, paging, privilege } = this.#parts.target.mode();
    return { mode: `${name}${paging ? ', paging' : ''}`, privilege };
  }

  #goalReached(): StopReport | null {
    const goal = this.#goal;
    const { target, breakpoints, evaluator } = this.#parts;
    switch (goal?.kind) {
      case 'steps':
        return --goal.left <= 0 ? report('step', 'Step') : null;
      case 'temporary': {
        if (target.programCounter !== breakpoints.temporary) return null;
        if (goal.stack !== null && this.#stackPointer() < goal.stack) return null;
        if (goal.next === null) return report(goal.stop, goal.stop === 'step' ? 'Step' : 'Reached the address');
        breakpoints.temporary = null;
        this.#goal = goal.next;
        this.rearm();
        return this.#goalReached();
      }
      case 'range':
        return this.#rangeLeft(goal);
      case 'return':
        return this.#returned(goal);
      case 'until':
        try {
          return evaluator.evaluate(goal.condition) === 0n ? null : report('condition', `Reached: ${goal.condition}`);
        } catch (error) {
          if (!(error instanceof DebugError)) throw error;
          return report('condition', `${goal.condition}: ${error.message}`);
        }
      default:
        return null;
    }
  }

  /** A step by source line: calls out of the range are run through. */
  #rangeLeft(goal: Extract<Goal, { kind: 'range' }>): StopReport | null {
    const { target, breakpoints } = this.#parts;
    const pc = target.programCounter;
    if (pc >= goal.from && pc < goal.to) return null;
    const stack = this.#stackPointer();
    const bytes = target.mode().bits === 16 ? 2 : target.mode().bits === 32 ? 4 : 8;
    const top = target.memory.read('linear', this.#linearStack(stack), bytes);
    const from = top === null ? -1n : littleEndian(top) + this.#codeBase();
    if (stack < goal.stack && from >= goal.from && from < goal.to) {
      breakpoints.temporary = from;
      this.#goal = { kind: 'temporary', stack: stack + BigInt(bytes), stop: 'step', next: goal };
      this.rearm();
      return null;
    }
    return report('step', 'Step');
  }

  /** Without a known caller: steps until a return leaves the frame that it began in. */
  #returned(goal: Extract<Goal, { kind: 'return' }>): StopReport | null {
    if (goal.returning && this.#stackPointer() > goal.stack) return report('step', 'Step out');
    const instruction = this.#instruction();
    goal.returning = instruction?.flow === 'return';
    return null;
  }

  #finish(stop: StopReport): void {
    this.#reason = stop;
    this.#goal = null;
    this.#pending = null;
    this.#parts.breakpoints.temporary = null;
    this.rearm();
  }

  #stateChanged(state: DebugController['state']): void {
    if (state === 'running') {
      this.#stop = null;
      this.#resumes.fire();
      return;
    }
    const halted = this.#hypervisor.haltReason;
    this.#stop =
      state === 'halted' && halted?.kind === 'triple-fault' ? report('shutdown', `The processor shut down: ${halted.detail}`)
      : state === 'stopped' ? report('shutdown', 'The machine is off')
      : (this.#reason ?? report('pause', 'Paused'));
    this.#reason = null;
    if (this.#goal !== null) this.#finish(this.#stop);
    this.#reason = null;
    this.#stops.fire(this.#stop);
  }

  // --- where it stands ------------------------------------------------------------------------------------------------

  #stackPointer(): bigint {
    const { cpu } = this.#hypervisor;
    if (cpu.is64) return unsignedAddress(cpu.registerWide(4));
    return BigInt((cpu.reg32(4) & cpu.get32(FIELD.stackMask)) >>> 0);
  }
  #linearStack(pointer: bigint): bigint {
    return pointer + BigInt(this.#hypervisor.cpu.segmentBase(2));
  }
  #codeBase(): bigint {
    return BigInt(this.#hypervisor.cpu.segmentBase(1));
  }

  #instruction(): InstructionText | null {
    const { target, disassembler } = this.#parts;
    const { bytes, unmapped } = target.memory.readPartly('linear', target.programCounter, INSTRUCTION_BYTES);
    if (unmapped[0]?.from === 0) return null;
    return disassembler().decode(bytes, unsignedAddress(this.#hypervisor.cpu.rip), target.mode().bits, () => null);
  }
}

/** Whether a step over runs through it: calls, software interrupts, repeated string instructions. */
function passesThrough({ flow, parts }: InstructionText): boolean {
  return flow === 'call' || flow === 'indirect-call' || flow === 'interrupt' || parts.some(({ kind, text }) => kind === 'prefix' && text.startsWith('rep'));
}

const report = (kind: DebugStop['kind'], text: string): StopReport => ({ kind, text, breakpointId: null, access: null });
const hitReport = ({ id, text, kind }: HitResult): StopReport => ({ kind, text, breakpointId: id, access: null });
