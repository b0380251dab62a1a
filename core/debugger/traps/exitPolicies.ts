// What is done at each class of exits: live, over what the machine was configured with.
import type { ExitPolicySettings } from '../../api/debug.ts';
import type { Cpu } from '../../cpu/cpu.ts';
import { defaultExitPolicy, exitClasses, type ExitKind, type ExitPolicy } from '../../cpu/state/exitClasses.ts';
import { DebugError } from '../target.ts';

export class ExitPolicies {
  readonly #cpu: Cpu;
  readonly #classes = new Map<ExitKind, ExitPolicy>(exitClasses.map((kind) => [kind, defaultExitPolicy(kind)]));
  readonly stops = new Map<ExitKind, number>();
  #strict = false;

  constructor(cpu: Cpu, configured: { readonly classes: Partial<Record<ExitKind, ExitPolicy>>; readonly strictUserMode: boolean }) {
    this.#cpu = cpu;
    this.set({ classes: { ...this.get().classes, ...configured.classes }, strictUserMode: configured.strictUserMode });
  }

  get(): ExitPolicySettings {
    return { classes: Object.fromEntries(this.#classes) as ExitPolicySettings['classes'], strictUserMode: this.#strict };
  }

  /** The controller must be rearmed behind it: what it looks at may have changed. */
  set({ classes, strictUserMode }: ExitPolicySettings): void {
    for (const [kind, policy] of Object.entries(classes)) {
      if (policy === 'inline' && kind !== 'flags') throw new DebugError(`${kind}: only the interrupt-flag instructions can be emulated inline`);
    }
    for (const kind of exitClasses) this.#classes.set(kind, classes[kind]);
    this.#strict = this.#cpu.strictUserMode = strictUserMode;
    this.#cpu.visibleFlags = classes.flags !== 'inline';
  }

  of(kind: ExitKind): ExitPolicy {
    return this.#classes.get(kind)!;
  }
  has(policy: ExitPolicy): boolean {
    return [...this.#classes.values()].includes(policy);
  }

  /** Whether the guest stops at an exit; counted. */
  stopsAt(kind: ExitKind): boolean {
    if (this.#classes.get(kind) !== 'stop') return false;
    this.stops.set(kind, (this.stops.get(kind) ?? 0) + 1);
    return true;
  }
}
