// A small debugger over a bare CPU: enough of the controller and the breakpoint list for the GDB stub's tests.
import { Emitter } from '../../../core/base/emitter.ts';
import type { Breakpoint, BreakpointSpecification, DebugStop } from '../../../core/api/debug.ts';
import { DebugError, type BreakpointList, type DebugController, type StopReport } from '../../../core/debugger/target.ts';
import { FLAG } from '../../../core/cpu/state/layout.ts';
import type { Fixture } from './cpuFixture.ts';

export class FakeBreakpoints implements BreakpointList {
  readonly all = new Map<number, Breakpoint>();
  #next = 1;

  list(): readonly Breakpoint[] {
    return [...this.all.values()];
  }
  set(specification: BreakpointSpecification): Breakpoint {
    const at = 'at' in specification.where ? BigInt(specification.where.at) : null;
    if (at === 0xdeadn) throw new DebugError('nothing is there');
    const breakpoint = { ...specification, id: this.#next++, hits: 0, text: '', address: at === null ? null : at.toString(16), problem: null };
    this.all.set(breakpoint.id, breakpoint);
    return breakpoint;
  }
  update(): Breakpoint {
    throw new DebugError('not here');
  }
  remove(id: number): void {
    if (!this.all.delete(id)) throw new DebugError(`there is no breakpoint ${id}`);
  }
}

/** Runs instruction by instruction: slow, but it looks at every breakpoint. Stops come later, as in a real machine. */
export class FakeController implements DebugController {
  state: 'stopped' | 'running' | 'paused' | 'halted' = 'running';
  stop: StopReport | null = null;
  /** What clients did, in order. */
  readonly log: string[] = [];
  readonly #fixture: Fixture;
  readonly #breakpoints: FakeBreakpoints;
  readonly #stops = new Emitter<StopReport>();
  readonly #resumes = new Emitter<void>();
  readonly onStop = this.#stops.event;
  readonly onResume = this.#resumes.event;

  constructor(fixture: Fixture, breakpoints: FakeBreakpoints) {
    this.#fixture = fixture;
    this.#breakpoints = breakpoints;
  }

  #halt(kind: DebugStop['kind'], extra: Partial<StopReport> = {}): void {
    this.state = 'paused';
    this.stop = { kind, text: kind, breakpointId: null, access: null, ...extra };
    this.#stops.fire(this.stop);
  }

  pause(kind: DebugStop['kind'] = 'pause'): void {
    this.log.push(`pause ${kind}`);
    if (this.state === 'running') queueMicrotask(() => this.state === 'running' && this.#halt(kind));
  }
  resume(): void {
    this.log.push('resume');
    if (this.state !== 'paused') return;
    this.state = 'running';
    this.stop = null;
    this.#resumes.fire();
    queueMicrotask(() => this.#run());
  }
  stepInto(count: number): void {
    this.log.push(`step ${count}`);
    this.state = 'running';
    queueMicrotask(() => {
      for (let index = 0; index < count; index++) this.#one();
      this.#halt('step');
    });
  }
  #one(): void {
    const { cpu } = this.#fixture;
    // Single steps by hand: a shadow makes the CPU run exactly one instruction.
    cpu.interruptShadow = true;
    cpu.run(1);
  }
  /** Some hundred instructions, then it is busy until someone pauses it. */
  #run(): void {
    const { cpu, target } = this.#fixture;
    for (let count = 0; count < 300 && this.state === 'running' && cpu.activity === 'running'; count++) {
      const before = cpu.eflags & FLAG.TF;
      this.#one();
      if (before !== 0) break;
      const hit = this.#breakpoints.list().find((one) => one.where.kind === 'execute' && one.enabled && BigInt(`0x${one.address}`) === target.programCounter);
      if (hit !== undefined) {
        this.#halt('breakpoint', { breakpointId: hit.id });
        return;
      }
    }
  }
  /** A data breakpoint was hit. */
  hitData(id: number, address: bigint): void {
    this.#halt('watchpoint', { breakpointId: id, access: { address, size: 4, write: true } });
  }
  /** Someone in the interface pauses. */
  pauseFromOutside(): void {
    this.#halt('pause');
  }
  shutdown(): void {
    this.state = 'stopped';
    this.stop = { kind: 'shutdown', text: 'off', breakpointId: null, access: null };
    this.#stops.fire(this.stop);
  }

  stepOver(): void {}
  stepOut(): void {}
  stepRange(): void {}
  runTo(): void {}
  runToEvent(): void {}
  runUntil(): void {}
  reset(): void {}
  changed(): void {
    this.log.push('changed');
  }
}
