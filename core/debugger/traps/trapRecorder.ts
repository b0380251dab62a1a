// The ring of recorded exits: columns of typed arrays, so that an exit costs a few stores. Text is made when it is read.
import type { Cpu } from '../../cpu/cpu.ts';
import { exitClasses, type ExitKind } from '../../cpu/state/exitClasses.ts';
import { CS, FIELD, RECORD } from '../../cpu/state/layout.ts';
import type { ExitListener } from '../controller.ts';

export const TRAP_CAPACITY = 1 << 16;
const MASK = TRAP_CAPACITY - 1;
/** Exits within exits: a page fault while a device is read. */
/** By CODE_MODE: 16-bit, 32-bit, 64-bit, flat 32-bit code. */
const WIDTH_CODES = [0, 1, 2, 1];
const WIDTHS = [16, 32, 64] as const;
const DEPTH = 8;
/** Different addresses that samples are counted for. */
const SAMPLED_PAGES = 65536;

/** One exit as it was recorded; `a` to `d` as CpuHost.exit tells them. */
export interface RecordedTrap {
  readonly sequence: number;
  readonly instructions: number;
  readonly guestNs: number;
  /** Linear address and code size of the instruction; the row that it was decoded to, by handler (0: none). */
  readonly linear: number;
  readonly offset: number;
  readonly handler: number;
  readonly bits: 16 | 32 | 64;
  readonly privilege: number;
  readonly kind: ExitKind;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  readonly costNs: number;
}

const kindIndex = new Map(exitClasses.map((kind, index) => [kind, index]));

export class TrapRecorder implements ExitListener {
  readonly #cpu: Cpu;
  readonly #nowNs: () => number;
  readonly #nowMs: () => number;
  /** Exits recorded since the ring was opened. */
  recorded = 0;
  samples = 0;
  /** Samples of where the guest was, by linear address. */
  readonly places = new Map<number, number>();
  readonly #instructions = new Float64Array(TRAP_CAPACITY);
  readonly #guestNs = new Float64Array(TRAP_CAPACITY);
  readonly #linear = new Float64Array(TRAP_CAPACITY);
  readonly #offset = new Float64Array(TRAP_CAPACITY);
  /** handler | privilege << 16 | (32-bit code) << 18 | kind << 20. */
  readonly #what = new Uint32Array(TRAP_CAPACITY);
  readonly #a = new Float64Array(TRAP_CAPACITY);
  readonly #b = new Float64Array(TRAP_CAPACITY);
  readonly #c = new Float64Array(TRAP_CAPACITY);
  readonly #d = new Uint8Array(TRAP_CAPACITY);
  readonly #costMs = new Float32Array(TRAP_CAPACITY);
  readonly #starts = new Float64Array(DEPTH);
  #depth = 0;
  #open = false;
  /** Where the exit in progress began. */
  #beganLinear = 0;
  #beganOffset = 0;
  #beganWhat = 0;
  #beganCount = 0;

  constructor(cpu: Cpu, nowNs: () => number, nowMs: () => number) {
    this.#cpu = cpu;
    this.#nowNs = nowNs;
    this.#nowMs = nowMs;
  }

  begins(): void {
    if (this.#depth < DEPTH) this.#starts[this.#depth] = this.#nowMs();
    this.#depth++;
    const { u32, u16, word } = this.#cpu;
    const record = u32[word + (FIELD.record >>> 2)]!;
    const handler = record === 0 ? 0 : u16[record >>> 1]!;
    const cpu = this.#cpu;
    const offset = record === 0 ? cpu.rip : cpu.getWide(FIELD.pageRip) + (u16[(record + RECORD.place) >>> 1]! >>> 4);
    this.#beganOffset = cpu.wrapLinear(offset);
    this.#beganLinear = cpu.wrapLinear(offset + cpu.segmentBase(CS));
    this.#beganWhat = handler | (u32[word + (FIELD.cpl >>> 2)]! << 16) | (WIDTH_CODES[u32[word + (FIELD.codeMode >>> 2)]!]! << 18);
    this.#beganCount = this.#cpu.instructionCount;
  }

  exit(kind: ExitKind, a: number, b: number, c: number, d: number): void {
    if (this.#open) this.#close();
    const at = this.recorded & MASK;
    this.#instructions[at] = this.#beganCount;
    this.#guestNs[at] = this.#nowNs();
    this.#linear[at] = this.#beganLinear;
    this.#offset[at] = this.#beganOffset;
    this.#what[at] = this.#beganWhat | (kindIndex.get(kind)! << 20);
    this.#a[at] = a;
    this.#b[at] = b;
    this.#c[at] = c;
    this.#d[at] = d;
    this.#open = true;
  }

  ends(): void {
    if (this.#open) this.#close();
    if (this.#depth > 0) this.#depth--;
  }

  #close(): void {
    const began = this.#starts[Math.min(Math.max(this.#depth - 1, 0), DEPTH - 1)]!;
    this.#costMs[this.recorded & MASK] = this.#nowMs() - began;
    this.recorded++;
    this.#open = false;
  }

  sample(linear: number): void {
    this.samples++;
    const known = this.places.get(linear);
    if (known === undefined && this.places.size >= SAMPLED_PAGES) return;
    this.places.set(linear, (known ?? 0) + 1);
  }

  get oldest(): number {
    return Math.max(0, this.recorded - TRAP_CAPACITY);
  }

  /** An exit by its sequence number, which must still be in the ring. */
  at(sequence: number): RecordedTrap {
    const at = sequence & MASK;
    const what = this.#what[at]!;
    return {
      sequence,
      instructions: this.#instructions[at]!,
      guestNs: this.#guestNs[at]!,
      linear: this.#linear[at]!,
      offset: this.#offset[at]!,
      handler: what & 0xffff,
      bits: WIDTHS[(what >>> 18) & 3]!,
      privilege: (what >>> 16) & 3,
      kind: exitClasses[what >>> 20]!,
      a: this.#a[at]!,
      b: this.#b[at]!,
      c: this.#c[at]!,
      d: this.#d[at]!,
      costNs: this.#costMs[at]! * 1e6,
    };
  }

  /** Kinds of an exit without making its record. */
  kindAt(sequence: number): ExitKind {
    return exitClasses[this.#what[sequence & MASK]! >>> 20]!;
  }
}
