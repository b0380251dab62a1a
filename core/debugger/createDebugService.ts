// Puts the debugger's parts together over one machine and answers the contract.
import type { Disposable } from '../base/disposable.ts';
import { Emitter } from '../base/emitter.ts';
import type { DebugControl, DebugPlace, DebugStatus, DisassemblyLine, debugMethods } from '../api/debug.ts';
import type { DebugService } from '../api/debugService.ts';
import type { Handlers } from '../api/definition.ts';
import type { ByteConnection, DebugHost } from '../host/debugHost.ts';
import type { Disassembler } from '../host/disassembler.ts';
import type { InspectableMachine } from '../machine/inspection.ts';
import { Breakpoints, type Evaluator } from './breakpoints.ts';
import { Controller } from './controller.ts';
import { CpuTarget } from './cpuTarget.ts';
import { descriptorTable, taskState } from './descriptorTables.ts';
import { deviceStates } from './deviceState.ts';
import { disassemble, placeOf, symbolText } from './disassembly.ts';
import { compile, contextOf, type ExpressionContext } from './expressions.ts';
import { GdbServer } from './gdb/server.ts';
import { compileTemplate } from './logTemplate.ts';
import { LinuxAwareness } from './linux.ts';
import { compilePattern, MemorySearch } from './memorySearch.ts';
import { Monitor } from './monitor/monitor.ts';
import { hexText } from './numberText.ts';
import { addressSpace, pageWalk, tlbEntries } from './pageWalk.ts';
import { physicalRanges } from './physicalMap.ts';
import { registerView } from './registerView.ts';
import { readKernelTables } from './symbols/kernelTables.ts';
import { SymbolTable } from './symbols/symbolTable.ts';
import { DebugError } from './target.ts';
import { ExitPolicies } from './traps/exitPolicies.ts';
import { TrapInspector } from './traps/trapInspector.ts';
import { callerOf, unwindStack } from './unwind.ts';

type AllHandlers = Handlers<typeof debugMethods>;
type DebugHandlers = { [Name in keyof AllHandlers as Name extends `debug.${string}` ? Name : never]: AllHandlers[Name] };

const SYMBOL_FILE_BYTES = 2 ** 31;
const SOURCE_FILE_BYTES = 16 * 2 ** 20;
const COMPILED_KEPT = 256;
/** Changes are told together after this long. */
const TELL_MS = 12;
/** Stands for a path: the symbols that the guest's kernel holds in its memory. */
const KERNEL_MEMORY = 'kernel:';

export function createDebugService(machine: InspectableMachine, host: DebugHost): DebugService {
  return new Service(machine, host);
}

class Service implements DebugService {
  readonly handlers: AllHandlers;
  readonly #machine: InspectableMachine;
  readonly #host: DebugHost;
  readonly #target: CpuTarget;
  readonly #symbols = new SymbolTable();
  readonly #evaluator: Evaluator;
  readonly #breakpoints: Breakpoints;
  readonly #controller: Controller;
  readonly #inspector: TrapInspector;
  readonly #monitor: Monitor;
  readonly #search: MemorySearch;
  readonly #linux: LinuxAwareness;
  readonly #gdb: GdbServer;
  readonly #changes = new Emitter<DebugStatus>();
  readonly #logs = new Emitter<string>();
  readonly #subscriptions: Disposable[];
  readonly #ready: Promise<void>;
  #disassembler: Disassembler | null = null;
  #listener: { readonly address: string; close(): void } | null = null;
  #revision = 1;
  #telling: { cancel(): void } | null = null;
  readonly #waiting = new Set<() => void>();

  readonly onChanged = this.#changes.event;
  readonly onLogged = this.#logs.event;

  constructor(machine: InspectableMachine, host: DebugHost) {
    const { hypervisor } = machine.inspection;
    this.#machine = machine;
    this.#host = host;
    const target = (this.#target = new CpuTarget(hypervisor.cpu, hypervisor.physical));
    const evaluator = (this.#evaluator = createEvaluator(target, this.#symbols));
    const policies = new ExitPolicies(hypervisor.cpu, machine.inspection.policy);
    this.#breakpoints = new Breakpoints(hypervisor.cpu, evaluator, {
      onChange: () => {
        this.#controller.rearm();
        this.#changed();
      },
      onLog: (text) => this.#logs.fire(text),
    });
    this.#controller = new Controller({
      hypervisor, target, evaluator,
      breakpoints: this.#breakpoints,
      disassembler: () => this.#text(),
      caller: () => callerOf(target, this.#symbols),
      policyStops: (kind) => policies.stopsAt(kind),
    });
    this.#inspector = new TrapInspector({
      hypervisor, policies, host,
      inspection: machine.inspection,
      controller: this.#controller,
      memory: target.memory,
      symbols: this.#symbols,
      disassembler: () => this.#text(),
      onLog: (text) => this.#logs.fire(text),
      symbolText: (address) => symbolText(this.#symbols, address),
    });
    this.#search = new MemorySearch(target);
    this.#linux = new LinuxAwareness(target, this.#symbols, {
      ramBytes: hypervisor.cpu.map.ramBytes,
      instructions: () => hypervisor.cpu.instructionCount,
    });
    this.#ready = host.loadDisassembler().then((disassembler) => void (this.#disassembler = disassembler));
    // Who calls meets the failure.
    this.#ready.catch(() => undefined);
    this.handlers = this.#whenReady({ ...this.#controlHandlers(), ...this.#stateHandlers(), ...this.#symbolHandlers(), ...this.#inspector.handlers });
    this.#monitor = new Monitor(this.handlers, { reset: () => this.#controller.reset() });
    this.#gdb = new GdbServer(
      {
        target,
        controller: this.#controller,
        breakpoints: this.#breakpoints,
        monitor: (line) => this.#monitor.run(line),
        physicalRanges: () => this.#physicalRanges(),
      },
      (peer) => {
        this.#logs.fire(peer === null ? 'GDB has gone' : `GDB connected from ${peer}`);
        this.#changed();
      },
    );
    for (const { path, offset } of machine.inspection.symbols) this.#loadConfigured(path, offset);
    this.#subscriptions = [
      this.#controller.onStop(() => this.#changed()),
      this.#controller.onResume(() => this.#changed()),
      this.#controller.onChange(() => this.#changed()),
      machine.inspection.onReset(() => {
        this.#linux.forget();
        this.#changed();
      }),
      machine.onGuestError(({ source, what, detail }) => this.#inspector.noteError(source, what, detail)),
    ];
  }

  /** What the machine names is loaded if it can be; a missing file does not keep the debugger away. */
  #loadConfigured(path: string, offset: string): void {
    try {
      this.#loadSymbols(path, offset);
    } catch (error) {
      if (!(error instanceof DebugError)) throw error;
      this.#logs.fire(`Symbols not loaded: ${error.message}`);
    }
  }

  #loadSymbols(path: string, offset: string) {
    const loaded = path === KERNEL_MEMORY ? this.#kernelSymbols() : this.#symbolFile(path, offset);
    this.#linux.forget();
    this.#breakpoints.resolveAll();
    return { id: loaded.id, symbols: loaded.symbols, lines: loaded.lines, warnings: [...loaded.warnings] };
  }

  #symbolFile(path: string, offset: string) {
    const bytes = understandably(() => this.#host.readFile(path, SYMBOL_FILE_BYTES));
    return this.#symbols.load(path, bytes, this.#evaluator.evaluate(offset));
  }

  /** A running Linux holds its own symbols: no file is needed, and its relocation is already in them. */
  #kernelSymbols() {
    const { release, symbols } = readKernelTables(this.#target, this.#target.cpu.map.ramBytes);
    return this.#symbols.add(`Linux ${release}`, 'kernel memory', symbols);
  }

  dispose(): void {
    this.#telling?.cancel();
    this.#listener?.close();
    this.#gdb.dispose();
    this.#inspector.dispose();
    this.#controller.dispose();
    for (const subscription of this.#subscriptions) subscription.dispose();
    for (const wake of [...this.#waiting]) wake();
  }

  /** The disassembler is loaded with the first call. */
  #whenReady(handlers: AllHandlers): AllHandlers {
    const wrapped = Object.entries(handlers).map(([name, handler]) => [
      name,
      async (request: never) => {
        await this.#ready;
        return (handler as (request: never) => unknown)(request);
      },
    ]);
    return Object.fromEntries(wrapped) as AllHandlers;
  }

  #text(): Disassembler {
    if (this.#disassembler === null) throw new DebugError('the disassembler is still being loaded');
    return this.#disassembler;
  }

  // --- status ---------------------------------------------------------------------------------------------------------

  #changed(): void {
    this.#revision++;
    for (const wake of [...this.#waiting]) wake();
    // Who asked has the answer; others hear of a burst of steps once.
    if (this.#telling !== null || !this.#changes.hasListeners) return;
    this.#telling = this.#host.after(TELL_MS, () => {
      this.#telling = null;
      this.#changes.fire(this.#status());
    });
  }

  #place(address: bigint): DebugPlace {
    return placeOf(this.#symbols, address);
  }

  #status(): DebugStatus {
    const { hypervisor } = this.#machine.inspection;
    const { name, bits, privilege, paging } = this.#target.mode();
    const stop = this.#controller.stop;
    return {
      state: this.#controller.state,
      stop: stop === null ? null : { kind: stop.kind, text: stop.text, breakpointId: stop.breakpointId },
      revision: this.#revision,
      instructions: hypervisor.cpu.instructionCount,
      guestNs: hypervisor.now(),
      place: this.#place(this.#target.programCounter),
      mode: { name, bits, privilege, paging },
      symbols: this.#symbols.list().map(({ id, path, kind, symbols, lines, offset }) => ({ id, path, kind, symbols, lines, offset: offset.toString(16) })),
      gdb: this.#listener === null ? null : { address: this.#listener.address, client: this.#gdb.client },
    };
  }

  /** Waits until `done`, a change or the end of the time. */
  #until(done: () => boolean, waitMs: number): Promise<DebugStatus> {
    if (done() || waitMs === 0) return Promise.resolve(this.#status());
    return new Promise((resolve) => {
      const finish = (): void => {
        timer.cancel();
        this.#waiting.delete(look);
        resolve(this.#status());
      };
      const look = (): void => {
        if (done()) finish();
      };
      const timer = this.#host.after(waitMs, finish);
      this.#waiting.add(look);
    });
  }

  // --- handlers -------------------------------------------------------------------------------------------------------

  #controlHandlers() {
    const breakpoints = this.#breakpoints;
    return {
      'debug.status': () => this.#status(),
      'debug.control': ({ control, waitMs }) => {
        this.#control(control);
        const goesOn = control.action === 'continue';
        return this.#until(() => goesOn || this.#controller.state !== 'running', waitMs);
      },
      'debug.wait': ({ revision, waitMs }) => this.#until(() => this.#revision !== revision, waitMs),
      'debug.breakpoints': () => ({ breakpoints: [...breakpoints.list()] }),
      'debug.setBreakpoint': ({ breakpoint }) => breakpoints.set(breakpoint),
      'debug.updateBreakpoint': ({ id, breakpoint }) => breakpoints.update(id, breakpoint),
      'debug.removeBreakpoint': ({ id }) => {
        breakpoints.remove(id);
        return null;
      },
      'debug.monitor': async ({ line }) => ({ output: await this.#monitor.run(line) }),
      'debug.complete': async ({ line }) => {
        const { candidates, start } = await this.#monitor.complete(line);
        return { candidates: [...candidates], start };
      },
      'debug.gdb': ({ listen }) => this.#listen(listen),
    } satisfies Partial<DebugHandlers>;
  }

  #control(control: DebugControl): void {
    const controller = this.#controller;
    switch (control.action) {
      case 'pause':
        controller.pause();
        return;
      case 'continue':
        controller.resume();
        return;
      case 'step-into':
        controller.stepInto(control.count);
        return;
      case 'step-over':
        controller.stepOver();
        return;
      case 'step-out':
        controller.stepOut();
        return;
      case 'step-line': {
        const range = this.#symbols.lineRange(this.#target.programCounter);
        if (range === null) controller.stepOver();
        else controller.stepRange(range.from, range.to);
        return;
      }
      case 'run-to':
        controller.runTo(this.#evaluator.evaluate(control.target));
        return;
      case 'run-to-event':
        controller.runToEvent(control.event);
        return;
      case 'run-until':
        controller.runUntil(control.condition);
    }
  }

  #stateHandlers() {
    const target = this.#target;
    const evaluate = (expression: string): bigint => this.#evaluator.evaluate(expression);
    const symbol = (address: bigint): string | null => symbolText(this.#symbols, address);
    return {
      'debug.registers': () => registerView(target, this.#machine.inspection.devices, symbol),
      'debug.setRegister': ({ name, value }) => this.#setRegister(name, value),
      'debug.evaluate': ({ expression }) => this.#evaluate(expression),
      'debug.disassemble': ({ at, before, count }) => ({
        lines: disassemble(
          { target, symbols: this.#symbols, disassembler: this.#text(), breakpoint: (address) => this.#breakpointAt(address) }, evaluate(at), before, count,
        ),
      }),
      'debug.readMemory': ({ space, at, length }) => {
        const address = evaluate(at);
        const { bytes, unmapped } = target.memory.readPartly(space, address, length);
        return { address: address.toString(16), bytes: bytes as Uint8Array<ArrayBuffer>, unmapped };
      },
      'debug.writeMemory': ({ space, at, bytes }) => {
        const address = evaluate(at);
        if (!target.memory.write(space, address, bytes)) {
          throw new DebugError(`${bytes.length} bytes at ${address.toString(16)}: not all of them are memory that can be written`);
        }
        this.#changed();
        return null;
      },
      'debug.searchMemory': ({ space, from, to, pattern, limit, next }) => {
        const value = pattern.kind === 'pointer' ? evaluate(pattern.value) : null;
        const patterns = compilePattern(pattern, value, target.mode().addressBytes);
        const piece = this.#search.piece({
          space, from: evaluate(from), to: evaluate(to), patterns, limit, next: next === null ? null : BigInt(`0x${next}`),
        });
        return { matches: piece.matches.map((match) => match.toString(16)), next: piece.next?.toString(16) ?? null, done: piece.done };
      },
      'debug.stack': ({ limit }) => ({ frames: unwindStack(target, this.#symbols, limit) }),
      'debug.descriptors': ({ table }) => descriptorTable(target, table, symbol),
      'debug.taskState': () => taskState(target, symbol),
      'debug.pageWalk': ({ at }) => pageWalk(target, this.#deviceRanges(), evaluate(at)),
      'debug.addressSpace': () => addressSpace(target, symbol),
      'debug.tlb': () => ({ entries: tlbEntries(target) }),
      'debug.physicalMap': () => ({ ranges: [...this.#physicalRanges()] }),
      'debug.devices': () => ({ devices: deviceStates(this.#machine.inspection.devices) }),
    } satisfies Partial<DebugHandlers>;
  }

  #symbolHandlers() {
    const symbols = this.#symbols;
    return {
      'debug.loadSymbols': ({ path, offset }) => this.#loadSymbols(path, offset),
      'debug.unloadSymbols': ({ id }) => {
        if (!symbols.unload(id)) throw new DebugError(`there is no symbol file ${id}`);
        this.#breakpoints.resolveAll();
        return null;
      },
      'debug.findSymbols': ({ text, limit }) => ({ symbols: symbols.find(text, limit) }),
      'debug.source': ({ file }) => this.#source(file),
      'debug.linuxTasks': () => this.#linux.tasks(),
      'debug.linuxModules': () => this.#linux.modules(),
      'debug.linuxLog': () => this.#linux.log(),
    } satisfies Partial<DebugHandlers>;
  }

  #setRegister(name: string, expression: string): null {
    if (this.#controller.state !== 'paused') throw new DebugError('the guest is running: pause it first');
    const value = this.#evaluator.evaluate(expression);
    const lower = name.toLowerCase();
    if (this.#target.registers.get(lower) === undefined) throw new DebugError(`there is no register ${name}`);
    if (!this.#target.registers.set(lower, value)) throw new DebugError(`${name} cannot be set to ${value.toString(16)}`);
    if (lower === 'eip' || lower === 'rip') this.#machine.inspection.hypervisor.placeChanged();
    this.#changed();
    return null;
  }

  #evaluate(expression: string) {
    const value = this.#evaluator.evaluate(expression);
    const { addressBytes } = this.#target.mode();
    const cut = BigInt.asUintN(addressBytes * 8, value);
    const signed = BigInt.asIntN(addressBytes * 8, value);
    const place = this.#place(cut);
    const decimal = signed < 0n ? `${cut}, ${signed}` : String(cut);
    return {
      value: value.toString(16),
      signed: String(signed),
      place: place.symbol === null ? null : place,
      text: `${hexText(value)} (${decimal})${place.symbol === null ? '' : ` ${place.symbol}`}`,
    };
  }

  #breakpointAt(address: bigint): DisassemblyLine['breakpoint'] {
    const text = address.toString(16);
    const found = this.#breakpoints.list().find(({ where, address: at }) => where.kind === 'execute' && where.space === 'linear' && at === text);
    if (found === undefined) return null;
    return { id: found.id, enabled: found.enabled, conditional: found.condition !== '' || found.ignoreHits > 0 || found.log !== '' };
  }

  #deviceRanges() {
    return this.#machine.inspection.mmioRanges().map(({ base, length, name }) => ({ from: base, length, name }));
  }
  #physicalRanges() {
    const { cpu, physical } = this.#machine.inspection.hypervisor;
    return physicalRanges(cpu, physical, this.#deviceRanges());
  }

  /** Only files that line tables name are read. */
  #source(file: string) {
    const code = this.#symbols.source(file).map(({ line, address }) => ({ line, address: address.toString(16) }));
    if (code.length === 0) return { path: null, lines: [], code };
    for (const path of this.#sourcePaths(file)) {
      try {
        const lines = new TextDecoder().decode(this.#host.readFile(path, SOURCE_FILE_BYTES)).split(/\r?\n/);
        return { path, lines, code };
      } catch {
        // The next place may have it.
      }
    }
    return { path: null, lines: [], code };
  }

  /** As line tables name it, else beside a symbol file: programs move after they are built. */
  #sourcePaths(file: string): string[] {
    const folders = this.#symbols.list().map(({ path }) => path.replace(/[^/\\]*$/, ''));
    const parts = file.replace(/^(\.\/)+/, '').split(/[/\\]/);
    return [file, ...folders.flatMap((folder) => [folder + parts.join('/'), folder + parts.at(-1)!])];
  }

  async #listen(listen: { host: string; port: number } | null) {
    this.#listener?.close();
    this.#listener = null;
    if (listen !== null) {
      const accept = (connection: ByteConnection): void => this.#gdb.accept(connection);
      this.#listener = await this.#host.listen(listen.host, listen.port, accept).catch((error: unknown) => {
        throw new DebugError(error instanceof Error ? error.message : String(error));
      });
    }
    this.#changed();
    const isLoopback = listen === null || /^(127\.|localhost$|::1$)/.test(listen.host);
    const warning = isLoopback ? null : `${listen.host}:${listen.port} can be reached from other computers: whoever connects controls this machine`;
    if (warning !== null) this.#logs.fire(warning);
    return { address: this.#listener?.address ?? null, warning };
  }
}

/** What the host refuses is a failure that a person can understand. */
function understandably<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw error instanceof DebugError ? error : new DebugError(error instanceof Error ? error.message : String(error));
  }
}

/** Expressions over the machine; texts are compiled once. */
function createEvaluator(target: CpuTarget, symbols: SymbolTable): Evaluator {
  const compiled = new Map<string, ReturnType<typeof compile>>();
  const templates = new Map<string, ReturnType<typeof compileTemplate>>();
  const context = (): ExpressionContext => contextOf(target, symbols);
  const remember = <T>(known: Map<string, T>, text: string, make: (text: string) => T): T => {
    let found = known.get(text);
    if (found === undefined) {
      if (known.size >= COMPILED_KEPT) known.clear();
      known.set(text, (found = make(text)));
    }
    return found;
  };
  return {
    evaluate: (text) => remember(compiled, text, compile).evaluate(context()),
    format: (text) => remember(templates, text, compileTemplate).format({ ...context(), name: (address) => symbolText(symbols, address) }),
    checkFormat: (text) => void remember(templates, text, compileTemplate),
    check: (text) => void remember(compiled, text, compile),
  };
}
