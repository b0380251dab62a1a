// Breakpoints of every kind: kept in one list, told to the CPU and to the run control, matched when something happens.
import type { Breakpoint, BreakpointSpecification, BreakpointWhere } from '../api/debug.ts';
import type { Cpu, DataWatch } from '../cpu/cpu.ts';
import type { ExitKind } from '../cpu/state/exitClasses.ts';
import { breakpointText } from './breakpointText.ts';
import { type BreakpointList, DebugError } from './target.ts';

/** What conditions and addresses are written in. Throws a DebugError on what it does not understand. */
export interface Evaluator {
  evaluate(expression: string): bigint;
  format(template: string): string;
  /** Throws if the text can never be evaluated. */
  check(expression: string): void;
  checkFormat(template: string): void;
}

/** Something that happened and that a breakpoint may be about, as CpuHost.exit tells it. */
export interface ExitEvent {
  readonly kind: ExitKind;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

interface Entry {
  readonly id: number;
  specification: BreakpointSpecification;
  hits: number;
  /** Address of an execution, data or MMIO breakpoint; null: it has none or cannot be found now. */
  address: bigint | null;
  problem: string | null;
}

export interface DataAccess {
  readonly address: bigint;
  readonly size: number;
  readonly write: boolean;
}

/** What a hit asks for: stop, or go on after maybe logging. */
export interface HitResult {
  readonly id: number;
  readonly text: string;
  readonly kind: 'breakpoint' | 'watchpoint' | 'event' | 'exit';
}

const MAXIMUM = 1000;

export class Breakpoints implements BreakpointList {
  readonly #cpu: Cpu;
  readonly #evaluator: Evaluator;
  readonly #entries = new Map<number, Entry>();
  readonly #onChange: () => void;
  readonly #onLog: (text: string) => void;
  #nextId = 1;
  /** Linear address of a stop that step over, step out and run-to wait for; null: none. */
  #temporary: bigint | null = null;
  #execution = '';
  #data = '';

  constructor(cpu: Cpu, evaluator: Evaluator, events: { onChange(): void; onLog(text: string): void }) {
    this.#cpu = cpu;
    this.#evaluator = evaluator;
    this.#onChange = () => events.onChange();
    this.#onLog = (text) => events.onLog(text);
  }

  list(): readonly Breakpoint[] {
    return [...this.#entries.values()].map((entry) => this.#record(entry));
  }

  set(specification: BreakpointSpecification): Breakpoint {
    if (this.#entries.size >= MAXIMUM) throw new DebugError(`there are ${MAXIMUM} breakpoints already`);
    this.#check(specification);
    const entry: Entry = { id: this.#nextId++, specification, hits: 0, address: null, problem: null };
    this.#resolve(entry);
    this.#entries.set(entry.id, entry);
    this.#changed();
    return this.#record(entry);
  }

  update(id: number, specification: BreakpointSpecification): Breakpoint {
    const entry = this.#entry(id);
    this.#check(specification);
    entry.specification = specification;
    this.#resolve(entry);
    this.#changed();
    return this.#record(entry);
  }

  remove(id: number): void {
    this.#entry(id);
    this.#entries.delete(id);
    this.#changed();
  }

  /** Symbols came or went: addresses are found anew. */
  resolveAll(): void {
    for (const entry of this.#entries.values()) this.#resolve(entry);
    this.#changed();
  }

  removeAll(): void {
    this.#entries.clear();
    this.#temporary = null;
    this.#changed();
  }

  set temporary(address: bigint | null) {
    if (this.#temporary === address) return;
    this.#temporary = address;
    this.#apply();
  }
  get temporary(): bigint | null {
    return this.#temporary;
  }

  /** Enabled breakpoints of these kinds exist. */
  has(...kinds: readonly BreakpointWhere['kind'][]): boolean {
    for (const { specification } of this.#entries.values()) {
      if (specification.enabled && kinds.includes(specification.where.kind)) return true;
    }
    return false;
  }

  get isEmpty(): boolean {
    return this.#temporary === null && [...this.#entries.values()].every((entry) => !entry.specification.enabled);
  }

  // --- hits -----------------------------------------------------------------------------------------------------------

  /** The guest stands in front of a linear address. */
  hitExecution(linear: bigint, physical: bigint | null): HitResult | null {
    return this.#hit('breakpoint', ({ specification: { where }, address }) => {
      if (where.kind !== 'execute') return false;
      return address === (where.space === 'physical' ? physical : linear);
    });
  }

  hitData(id: number, access: DataAccess): HitResult | null {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.specification.where.kind !== 'data') return null;
    const what = `${access.write ? 'write' : 'read'} of ${access.size} byte${access.size === 1 ? '' : 's'} at ${access.address.toString(16)}`;
    return this.#meets(entry, 'watchpoint', what);
  }

  hitExit(event: ExitEvent): HitResult | null {
    return this.#hit('event', ({ specification: { where }, address }) => matchesExit(where, address, event));
  }

  hitChange(kind: 'mode-change' | 'privilege-change' | 'address-space'): HitResult | null {
    return this.#hit('event', ({ specification }) => specification.where.kind === kind);
  }

  hitInstruction(kinds: readonly string[]): HitResult | null {
    return this.#hit('event', ({ specification: { where } }) => where.kind === 'instruction' && kinds.includes(where.class));
  }

  #hit(kind: HitResult['kind'], matches: (entry: Entry) => boolean): HitResult | null {
    let result: HitResult | null = null;
    for (const entry of [...this.#entries.values()]) {
      if (!entry.specification.enabled || !matches(entry)) continue;
      result = this.#meets(entry, kind, null) ?? result;
    }
    return result;
  }

  /** Scope, condition and counts of a breakpoint that matched; null: the guest goes on. */
  #meets(entry: Entry, kind: HitResult['kind'], detail: string | null): HitResult | null {
    const { specification } = entry;
    try {
      if (specification.addressSpace !== '') {
        const wanted = this.#evaluator.evaluate(specification.addressSpace);
        if (wanted >> 12n !== this.#evaluator.evaluate('cr3') >> 12n) return null;
      }
      if (specification.condition !== '' && this.#evaluator.evaluate(specification.condition) === 0n) return null;
      entry.problem = null;
    } catch (error) {
      if (!(error instanceof DebugError)) throw error;
      // A condition that cannot be evaluated stops: silence would hide what it was set for.
      entry.problem = error.message;
    }
    entry.hits++;
    if (entry.hits <= specification.ignoreHits) return null;
    if (specification.log !== '') {
      this.#onLog(this.#format(specification.log));
      return null;
    }
    if (specification.oneShot) {
      this.#entries.delete(entry.id);
      this.#changed();
    }
    const condition = entry.problem !== null ? `, its condition failed: ${entry.problem}` : specification.condition === '' ? '' : ', condition true';
    const text = `Breakpoint ${entry.id}: ${breakpointText(specification.where)}${detail === null ? '' : `, ${detail}`}${condition}, hit ${entry.hits}`;
    return { id: entry.id, text, kind };
  }

  #format(template: string): string {
    try {
      return this.#evaluator.format(template);
    } catch (error) {
      if (!(error instanceof DebugError)) throw error;
      return `${template} (${error.message})`;
    }
  }

  // --- the CPU's share ------------------------------------------------------------------------------------------------

  #changed(): void {
    this.#apply();
    this.#onChange();
  }

  /** Tells the CPU what it must look for. Between runs only. */
  #apply(): void {
    const linear: number[] = [], physical: number[] = [];
    const watches: DataWatch[] = [];
    if (this.#temporary !== null && isAddress(this.#temporary)) linear.push(signedAddress(this.#temporary));
    for (const { id, specification, address } of this.#entries.values()) {
      if (!specification.enabled || address === null || !isAddress(address)) continue;
      const { where } = specification, from = signedAddress(address);
      if (where.kind === 'execute') (where.space === 'physical' ? physical : linear).push(from);
      else if (where.kind === 'data') {
        const to = from + where.length;
        watches.push({ id, physical: where.space === 'physical', from, to, read: where.access !== 'write', write: where.access !== 'read' });
      }
    }
    const execution = `${linear.sort().join()}/${physical.sort().join()}`, data = JSON.stringify(watches);
    if (execution !== this.#execution) this.#cpu.code.setBreakpoints(linear, physical);
    if (data !== this.#data) this.#cpu.setWatches(watches);
    this.#execution = execution;
    this.#data = data;
    // An access by the first of a fused pair could not be stopped behind.
    this.#cpu.code.setFusing(watches.length === 0 && !this.has('mmio'));
  }

  #check({ where, condition, log, addressSpace }: BreakpointSpecification): void {
    if (condition !== '') this.#evaluator.check(condition);
    if (addressSpace !== '') this.#evaluator.check(addressSpace);
    if (log !== '') this.#evaluator.checkFormat(log);
    if (where.kind === 'execute' || where.kind === 'data') this.#evaluator.check(where.at);
    if (where.kind === 'mmio') this.#evaluator.check(where.from);
    if (where.kind === 'port' && where.to < where.from) throw new DebugError(`ports ${where.from.toString(16)}h..${where.to.toString(16)}h: the last comes before the first`);
  }

  #resolve(entry: Entry): void {
    const { where } = entry.specification;
    const text = where.kind === 'execute' || where.kind === 'data' ? where.at : where.kind === 'mmio' ? where.from : null;
    entry.address = entry.problem = null;
    if (text === null) return;
    try {
      entry.address = this.#evaluator.evaluate(text);
    } catch (error) {
      if (!(error instanceof DebugError)) throw error;
      entry.problem = error.message;
    }
  }

  #entry(id: number): Entry {
    const entry = this.#entries.get(id);
    if (entry === undefined) throw new DebugError(`there is no breakpoint ${id}`);
    return entry;
  }

  #record({ id, specification, hits, address, problem }: Entry): Breakpoint {
    return { ...specification, id, hits, problem, text: breakpointText(specification.where), address: address === null ? null : address.toString(16) };
  }
}

/** The CPU holds addresses as signed numbers. */
const signedAddress = (address: bigint): number => Number(BigInt.asIntN(64, address));
/** Canonical addresses only are ever reached. */
const isAddress = (address: bigint): boolean => BigInt.asUintN(64, BigInt.asIntN(48, address)) === BigInt.asUintN(64, address);

const wanted = (access: 'read' | 'write' | 'access', write: number): boolean => access === 'access' || (access === 'write') === (write !== 0);

function matchesExit(where: BreakpointWhere, address: bigint | null, { kind, a, c, d }: ExitEvent): boolean {
  switch (where.kind) {
    case 'port':
      return kind === 'port' && a <= where.to && a + c > where.from && wanted(where.access, d);
    case 'mmio':
      if (kind !== 'mmio' || address === null) return false;
      return a < Number(address) + where.length && a + c > Number(address) && wanted(where.access, d);
    case 'interrupt':
      return (kind === 'interrupt' || kind === 'software-interrupt') && (where.vector === null || where.vector === a);
    case 'exception':
      if (kind === 'page-fault') return where.vector === null || where.vector === 14;
      return kind === 'exception' && (where.vector === null || where.vector === a);
    case 'control-register':
      return kind === 'control-register' && d !== 0 && a === Number(where.register.slice(2));
    case 'msr':
      return kind === 'msr' && d !== 0 && (where.index === null || where.index === a);
    case 'address-space':
      return kind === 'control-register' && d !== 0 && a === 3;
    case 'exit':
      return kind === where.exitClass;
    default:
      return false;
  }
}
