// How this guest is virtualized, live: recorded exits, figures, audit, policy, counters by vector, hot addresses.
import type { Trap, TrapFilter, TrapSummary, debugMethods } from '../../api/debug.ts';
import type { Handlers } from '../../api/definition.ts';
import { handlerTable, PSEUDO_COUNT } from '../../cpu/decode/handlers.ts';
import { exitClasses, type ExitKind } from '../../cpu/state/exitClasses.ts';
import { FIELD } from '../../cpu/state/layout.ts';
import type { DebugHost } from '../../host/debugHost.ts';
import type { Disassembler } from '../../host/disassembler.ts';
import { LATENCY_BINS } from '../../hypervisor/exitStatistics.ts';
import type { Hypervisor } from '../../hypervisor/hypervisor.ts';
import type { MachineInspection } from '../../machine/inspection.ts';
import type { Controller, ExitListener } from '../controller.ts';
import { exceptionNames } from '../descriptorTables.ts';
import { hexText, unsignedAddress } from '../numberText.ts';
import type { SymbolSource, TargetMemory } from '../target.ts';
import { audit, wide } from './audit.ts';
import type { ExitPolicies } from './exitPolicies.ts';
import { exportTraps } from './trapExport.ts';
import { textFilter } from './trapFilter.ts';
import { type RecordedTrap, TRAP_CAPACITY, TrapRecorder } from './trapRecorder.ts';
import { exitTitles, trapWords } from './trapText.ts';

export interface TrapInspectorParts {
  readonly hypervisor: Hypervisor;
  readonly inspection: MachineInspection;
  readonly controller: Controller;
  readonly policies: ExitPolicies;
  readonly memory: TargetMemory;
  readonly symbols: SymbolSource;
  readonly disassembler: () => Disassembler;
  readonly host: DebugHost;
  readonly onLog: (text: string) => void;
  readonly symbolText: (address: bigint) => string | null;
}

type TrapMethods = { readonly [Name in keyof typeof debugMethods as Name extends `traps.${string}` ? Name : never]: (typeof debugMethods)[Name] };

/** Nobody asked for the ring so long: it is closed. */
const LEASE_MS = 10_000;
const CACHED_TEXTS = 8192;
/** Log lines of the policy a second; more are counted. */
const LOGS_PER_SECOND = 200;
const ERRORS_KEPT = 200;
const DEVICE_CLASSES: readonly ExitKind[] = ['port', 'mmio'];
const INSTRUCTION_BYTES = 15;

export class TrapInspector implements ExitListener {
  readonly handlers: Handlers<TrapMethods>;
  readonly #parts: TrapInspectorParts;
  readonly #codes = new Map<string, string>();
  readonly #errors = new Map<string, { source: string; what: string; detail: string; count: number }>();
  #recorder: TrapRecorder | null = null;
  #askedMs = 0;
  #keep = false;
  #lease: { cancel(): void } | null = null;
  #logSecond = 0;
  #logged = 0;

  constructor(parts: TrapInspectorParts) {
    this.#parts = parts;
    this.handlers = {
      'traps.summary': () => this.#summary(),
      'traps.record': ({ on, keep }) => this.#record(on, keep),
      'traps.list': ({ filter, before, limit }) => this.#list(filter, before, limit),
      'traps.export': ({ format, filter }) => exportTraps(this.#select(filter, null, TRAP_CAPACITY).traps.reverse(), format),
      'traps.audit': () => ({ rows: audit(this.#cpu) }),
      'traps.vectors': () => ({ vectors: this.#vectors() }),
      'traps.hot': ({ by, limit }) => this.#hot(by, limit),
      'traps.policy': () => parts.policies.get(),
      'traps.setPolicy': ({ policy }) => {
        parts.policies.set(policy);
        this.policyChanged();
        return parts.policies.get();
      },
    };
    this.policyChanged();
  }

  get #cpu() {
    return this.#parts.hypervisor.cpu;
  }

  policyChanged(): void {
    const { controller, policies } = this.#parts;
    controller.setPolicyArmed(policies.has('stop'));
    this.#attach();
  }

  noteError(source: string, what: string, detail: string): void {
    const key = `${source} ${what}`;
    const known = this.#errors.get(key);
    if (known !== undefined) {
      known.count++;
      known.detail = detail;
    } else if (this.#errors.size < ERRORS_KEPT) this.#errors.set(key, { source, what, detail, count: 1 });
  }

  dispose(): void {
    this.#lease?.cancel();
    this.#recorder = null;
  }

  // --- hearing --------------------------------------------------------------------------------------------------------

  begins(): void {
    this.#recorder?.begins();
  }
  ends(): void {
    this.#recorder?.ends();
  }
  sample(linear: number): void {
    this.#recorder?.sample(linear);
  }
  exit(kind: ExitKind, a: number, b: number, c: number, d: number): void {
    this.#recorder?.exit(kind, a, b, c, d);
    if (this.#parts.policies.of(kind) === 'log') this.#logExit(kind, a, b, c, d);
  }

  #logExit(kind: ExitKind, a: number, b: number, c: number, d: number): void {
    const { hypervisor, inspection, symbolText, host, onLog } = this.#parts;
    const second = Math.floor(host.nowMs() / 1000);
    if (second !== this.#logSecond) {
      if (this.#logged > LOGS_PER_SECOND) onLog(`${this.#logged - LOGS_PER_SECOND} more exits were not logged`);
      this.#logSecond = second;
      this.#logged = 0;
    }
    if (++this.#logged > LOGS_PER_SECOND) return;
    const linear = hypervisor.linearPc;
    const trap = { ...EMPTY_TRAP, linear, kind, a, b, c, d };
    const { cause, hypervisor: did, answer } = trapWords(trap, inspection);
    const where = symbolText(unsignedAddress(linear)) ?? hexText(linear, 8);
    onLog(`${cause} at ${where}: ${did}${answer === '' ? '' : `, ${answer}`}`);
  }

  #attach(): void {
    const wanted = this.#recorder !== null || this.#parts.policies.has('log');
    this.#parts.controller.listen(wanted ? this : null);
  }

  #record(on: boolean, keep: boolean): null {
    const { hypervisor, host } = this.#parts;
    this.#askedMs = host.nowMs();
    this.#keep = keep;
    if (on === (this.#recorder !== null)) return null;
    this.#recorder = on ? new TrapRecorder(this.#cpu, () => hypervisor.now(), () => host.nowMs()) : null;
    this.#lease?.cancel();
    this.#lease = null;
    if (on) this.#watchLease();
    this.#attach();
    return null;
  }

  #watchLease(): void {
    this.#lease = this.#parts.host.after(LEASE_MS / 4, () => {
      if (!this.#keep && this.#parts.host.nowMs() - this.#askedMs > LEASE_MS) this.#record(false, false);
      else if (this.#recorder !== null) this.#watchLease();
    });
  }

  // --- list -----------------------------------------------------------------------------------------------------------

  #list(filter: TrapFilter, before: number | null, limit: number) {
    const recorded = this.#recorder?.recorded ?? 0;
    return { ...this.#select(filter, before, limit), recorded, capacity: TRAP_CAPACITY };
  }

  /** Newest first. */
  #select(filter: TrapFilter, before: number | null, limit: number): { traps: Trap[]; matched: number } {
    const recorder = this.#recorder;
    if (recorder === null) return { traps: [], matched: 0 };
    const passes = textFilter(filter);
    const traps: Trap[] = [];
    let matched = 0;
    for (let sequence = recorder.recorded - 1; sequence >= recorder.oldest; sequence--) {
      if (filter.classes !== null && !filter.classes.includes(recorder.kindAt(sequence))) continue;
      const wanted = traps.length < limit && (before === null || sequence < before);
      if (passes === null && !wanted) {
        matched++;
        continue;
      }
      const trap = this.#trap(recorder.at(sequence));
      if (passes !== null && !passes(trap)) continue;
      matched++;
      if (wanted) traps.push(trap);
    }
    return { traps, matched };
  }

  #trap(recorded: RecordedTrap): Trap {
    const words = trapWords(recorded, this.#parts.inspection);
    return {
      sequence: recorded.sequence,
      instructions: recorded.instructions,
      guestNs: recorded.guestNs,
      address: recorded.linear.toString(16).padStart(8, '0'),
      symbol: this.#parts.symbolText(unsignedAddress(recorded.linear)),
      code: this.#code(recorded),
      privilege: recorded.privilege,
      exitClass: recorded.kind,
      ...words,
      costNs: Math.round(recorded.costNs),
    };
  }

  /** The instruction's text: from memory as it is now, if that still holds what was executed. */
  #code({ kind, linear, offset, handler, bits }: RecordedTrap): string {
    if (kind === 'interrupt') return 'interrupt';
    const key = `${linear} ${handler}`;
    const known = this.#codes.get(key);
    if (known !== undefined) return known;
    const { bytes, unmapped } = this.#parts.memory.readPartly('linear', unsignedAddress(linear), INSTRUCTION_BYTES);
    const row = handler >= PSEUDO_COUNT ? handlerTable.handlers[handler - PSEUDO_COUNT]?.row : undefined;
    let text = row === undefined ? '' : row.mnemonic.toLowerCase();
    if (unmapped[0]?.from !== 0) {
      const decoded = this.#parts.disassembler().decode(bytes, unsignedAddress(offset), bits, () => null);
      text = decoded.parts.map((part) => part.text).join('');
    }
    if (this.#codes.size >= CACHED_TEXTS) this.#codes.clear();
    this.#codes.set(key, text);
    return text;
  }

  // --- figures --------------------------------------------------------------------------------------------------------

  #summary(): TrapSummary {
    const { hypervisor, inspection, policies } = this.#parts;
    const counted = hypervisor.exits.get();
    const classes = exitClasses.map((exitClass) => ({
      exitClass,
      title: exitTitles[exitClass],
      count: counted[exitClass]?.count ?? 0,
      ms: counted[exitClass]?.ms ?? 0,
      policy: policies.of(exitClass),
      stops: policies.stops.get(exitClass) ?? 0,
    }));
    const { totalMs, executingMs } = hypervisor.hostTime;
    const devices = classes.filter(({ exitClass }) => DEVICE_CLASSES.includes(exitClass)).reduce((sum, { ms }) => sum + ms, 0);
    const other = classes.reduce((sum, { ms }) => sum + ms, 0) - devices;
    return {
      instructions: hypervisor.cpu.instructionCount,
      guestNs: hypervisor.now(),
      hostMs: totalMs,
      timeMs: { engine: Math.max(0, executingMs - devices - other), hypervisor: other, devices, idle: Math.max(0, totalMs - executingMs) },
      mips: hypervisor.meter.mips,
      classes,
      tlbFills: wide(hypervisor.cpu, FIELD.tlbFills),
      pageFaults: counted['page-fault']?.count ?? 0,
      guestErrors: hypervisor.guestErrors,
      errors: [...this.#errors.values()],
      unclaimedAccesses: inspection.unclaimed().map(({ kind, address, reads, writes }) => ({ kind, address: address.toString(16), reads, writes })),
      cpuModel: inspection.cpuModel,
      sensitiveTrapped: audit(hypervisor.cpu).reduce((sum, { user, kernel }) => sum + user + kernel, 0),
      recording: this.#recorder !== null,
      recorded: this.#recorder?.recorded ?? 0,
    };
  }

  #vectors() {
    const { exits } = this.#parts.hypervisor;
    const vectors = [];
    for (let vector = 0; vector < 256; vector++) {
      const name = exceptionNames[vector] ?? `vector ${hexText(vector, 2)}`;
      if (exits.exceptions[vector]! > 0) vectors.push({ vector, name, kind: 'exception' as const, count: exits.exceptions[vector]!, latency: [] });
      if (exits.softwareInterrupts[vector]! > 0) {
        vectors.push({ vector, name: `INT ${hexText(vector, 2)}`, kind: 'software' as const, count: exits.softwareInterrupts[vector]!, latency: [] });
      }
      if (exits.interrupts[vector]! > 0) {
        const latency = [...exits.latencies.subarray(vector * LATENCY_BINS, (vector + 1) * LATENCY_BINS)];
        vectors.push({ vector, name: `vector ${hexText(vector, 2)}`, kind: 'interrupt' as const, count: exits.interrupts[vector]!, latency });
      }
    }
    return vectors;
  }

  #hot(by: 'page' | 'symbol', limit: number) {
    const recorder = this.#recorder;
    const places = new Map<string, { address: bigint; symbol: string | null; samples: number; exits: number }>();
    const note = (linear: number, samples: number, exits: number): void => {
      const nearest = by === 'symbol' ? this.#parts.symbols.nearest(unsignedAddress(linear)) : null;
      const address = nearest?.address ?? unsignedAddress(Math.floor(linear / 4096) * 4096);
      const key = nearest?.name ?? address.toString(16);
      const known = places.get(key);
      if (known !== undefined) {
        known.samples += samples;
        known.exits += exits;
      } else places.set(key, { address, symbol: nearest?.name ?? this.#parts.symbolText(address), samples, exits });
    };
    if (recorder !== null) {
      for (const [linear, samples] of recorder.places) note(linear, samples, 0);
      for (let sequence = recorder.oldest; sequence < recorder.recorded; sequence++) note(recorder.at(sequence).linear, 0, 1);
    }
    const total = Math.max(1, recorder?.samples ?? 0);
    const sorted = [...places.values()].sort((x, y) => y.samples - x.samples || y.exits - x.exits).slice(0, limit);
    return {
      places: sorted.map(({ address, symbol, samples, exits }) => ({ address: address.toString(16), symbol, samples, share: samples / total, exits })),
      samples: recorder?.samples ?? 0,
    };
  }
}

const EMPTY_TRAP: RecordedTrap = {
  sequence: 0, instructions: 0, guestNs: 0, linear: 0, offset: 0, handler: 0, bits: 32, privilege: 0, kind: 'other', a: 0, b: 0, c: 0, d: 0, costNs: 0,
};
