// What a Linux guest is doing, for views and the monitor. Works without any symbol file: what is not named is found.
import { GuestMemory, orProblem } from './linux/guestMemory.ts';
import { readKernelLog } from './linux/log.ts';
import { readModules, type LinuxModule } from './linux/modules.ts';
import { inferTaskLayout, readTasks, type LinuxTask, type TaskLayout } from './linux/tasks.ts';
import { findVmcoreInfo, readVmcoreInfo, type VmcoreInfo } from './linux/vmcoreInfo.ts';
import { DebugError, type DebugTarget, type SymbolSource } from './target.ts';

export interface LinuxOptions {
  /** End of RAM as a physical address. */
  readonly ramBytes: number;
  /** Grows while the guest runs (instructions): what was not found is looked for again after a while. */
  readonly instructions: () => number;
}

/** Memory is not searched again for what was not there so few instructions ago. */
const PATIENCE = 50_000_000;

export class LinuxAwareness {
  readonly #target: DebugTarget;
  readonly #symbols: SymbolSource;
  readonly #options: LinuxOptions;
  #layout: TaskLayout | null = null;
  #info: VmcoreInfo | null = null;
  readonly #failures = new Map<string, { at: number; error: DebugError }>();

  constructor(target: DebugTarget, symbols: SymbolSource, options: LinuxOptions) {
    this.#target = target;
    this.#symbols = symbols;
    this.#options = options;
  }

  /** Looks everything up anew: after a reset or when symbols were loaded. */
  forget(): void {
    this.#layout = null;
    this.#info = null;
    this.#failures.clear();
  }

  tasks(): { tasks: LinuxTask[]; problem: string | null } {
    const memory = this.#memory();
    const { value, problem } = orProblem<LinuxTask[]>([], () =>
      this.#patiently('tasks', () => {
        if (this.#layout !== null) {
          const known = this.#layout;
          const again = orProblem<LinuxTask[]>([], () => readTasks(memory, known));
          if (again.problem === null) return again.value;
        }
        this.#layout = inferTaskLayout(memory, this.#symbols);
        return readTasks(memory, this.#layout);
      }),
    );
    return { tasks: value, problem };
  }

  modules(): { modules: LinuxModule[]; problem: string | null } {
    const memory = this.#memory();
    const { value, problem } = orProblem<LinuxModule[]>([], () => this.#patiently('modules', () => readModules(memory, this.#symbols)));
    return { modules: value, problem };
  }

  /** The kernel's log as dmesg prints it. */
  log(): { text: string; problem: string | null } {
    const memory = this.#memory();
    const { value, problem } = orProblem('', () => this.#patiently('log', () => readKernelLog(memory, this.#symbols, this.#note(memory))));
    return { text: value, problem };
  }

  #memory(): GuestMemory {
    return new GuestMemory(this.#target, this.#options.ramBytes);
  }

  #note(memory: GuestMemory): VmcoreInfo | null {
    this.#info = (this.#info === null ? null : readVmcoreInfo(memory, this.#info.address)) ?? findVmcoreInfo(memory);
    return this.#info;
  }

  /** Gives the last failure again until the guest has got on. */
  #patiently<T>(what: string, read: () => T): T {
    const now = this.#options.instructions();
    const last = this.#failures.get(what);
    if (last !== undefined && now >= last.at && now - last.at < PATIENCE && last.at > 0) throw last.error;
    try {
      const value = read();
      this.#failures.delete(what);
      return value;
    } catch (error) {
      if (error instanceof DebugError) this.#failures.set(what, { at: now, error });
      throw error;
    }
  }
}
