// The last-branch record stack of the Core 2 (SDM 3B 17.4.8, 17.7): four branches, by linear address.
//
// While DEBUGCTL.LBR is set the processor runs one instruction at a time, so that recording costs nothing otherwise.
// Where we depart from the manual: interrupts and exceptions are not recorded.
import type { Cpu } from '../cpu.ts';
import { fromHalves, upperHalf } from '../state/addresses.ts';
import { hasLastBranches } from '../state/cpuModels.ts';

const MSR = { TOS: 0x1c9, FROM: 0x40, TO: 0x60 } as const;
const DEPTH = 4;

export class LastBranches {
  readonly exists: boolean;
  /** DEBUGCTL.LBR. */
  active = false;
  #top = 0;
  #from: number[] = [];
  #to: number[] = [];

  constructor(cpu: Cpu) {
    this.exists = hasLastBranches(cpu.model);
    this.reset();
  }

  reset(): void {
    this.active = false;
    this.#top = 0;
    this.#from = new Array<number>(DEPTH).fill(0);
    this.#to = new Array<number>(DEPTH).fill(0);
  }

  get msrs(): readonly number[] {
    if (!this.exists) return [];
    return [MSR.TOS, ...this.#from.flatMap((_, index) => [MSR.FROM + index, MSR.TO + index])];
  }

  save(): readonly number[] {
    return [this.active ? 1 : 0, this.#top, ...this.#from, ...this.#to];
  }

  record(from: number, to: number): void {
    this.#top = (this.#top + 1) % DEPTH;
    this.#from[this.#top] = from;
    this.#to[this.#top] = to;
  }

  /** Null: no register of ours. */
  read(index: number): readonly [number, number] | null {
    if (!this.exists) return null;
    if (index === MSR.TOS) return [this.#top, 0];
    const value = this.#from[index - MSR.FROM] ?? this.#to[index - MSR.TO];
    return value === undefined ? null : [value >>> 0, upperHalf(value) >>> 0];
  }

  /** False: no register of ours, or one that cannot be written. */
  write(index: number, low: number, high: number): boolean {
    if (!this.exists) return false;
    for (const [values, first] of [[this.#from, MSR.FROM], [this.#to, MSR.TO]] as const) {
      if (index < first || index >= first + DEPTH) continue;
      values[index - first] = fromHalves(low, high);
      return true;
    }
    return false;
  }
}
