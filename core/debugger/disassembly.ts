// Lines of disassembly: text by the host's disassembler, with labels, source positions, targets, marks and, at the current
// instruction, what its operands hold and whether it will branch.
import type { DisassemblyLine } from '../api/debug.ts';
import type { Disassembler, InstructionText } from '../host/disassembler.ts';
import { classifyInstruction } from './classifyInstruction.ts';
import { operandNote } from './operandNote.ts';
import type { DebugTarget, SymbolSource } from './target.ts';

export interface DisassemblyView {
  readonly target: DebugTarget;
  readonly symbols: SymbolSource;
  readonly disassembler: Disassembler;
  /** The execution breakpoint at a linear address. */
  readonly breakpoint: (address: bigint) => DisassemblyLine['breakpoint'];
  /** Decode as another code size than the current one. */
  readonly bits?: 16 | 32 | 64;
}

const MAX_LENGTH = 15;
const PAGE = 4096n;
/** Bytes ahead of an address in which a known start is looked for. */
const MAX_BEFORE_BYTES = 4096;
const BYTES_A_LINE = 8;

/** `before` instructions ahead of the linear address `at`, then `count` from there. */
export function disassemble(view: DisassemblyView, at: bigint, before: number, count: number): DisassemblyLine[] {
  const decoder = new LinearDecoder(view);
  const start = decoder.wrap(at);
  const lines: DisassemblyLine[] = [];
  for (const address of startsBefore(decoder, view.symbols, start, before)) lines.push(decoder.line(address).line);
  let address = start;
  for (let index = 0; index < count; index++) {
    const { line, next } = decoder.line(address);
    lines.push(line);
    if (next <= address) break;
    address = next;
  }
  return lines;
}

/** The instruction at a linear address; null: not mapped. */
export function instructionAt(view: Omit<DisassemblyView, 'breakpoint'>, address: bigint): InstructionText | null {
  return new LinearDecoder({ ...view, breakpoint: () => null }).decode(address);
}

/** One line of plain text: `mov eax,[ebp+8]`. */
export const plainText = (instruction: InstructionText): string => instruction.parts.map(({ text }) => text).join('');

/** Decodes by linear address although code knows offsets in its segment only. */
class LinearDecoder {
  readonly #view: DisassemblyView;
  readonly bits: 16 | 32 | 64;
  readonly #addressBits: number;
  readonly #codeBase: bigint;
  readonly #counter: bigint;

  constructor(view: DisassemblyView) {
    this.#view = view;
    const mode = view.target.mode();
    this.bits = view.bits ?? mode.bits;
    this.#addressBits = mode.addressBytes * 8;
    this.#codeBase = this.bits === 64 ? 0n : (view.target.registers.get('cs.base') ?? 0n);
    this.#counter = view.target.programCounter;
  }

  wrap(address: bigint): bigint {
    return BigInt.asUintN(this.#addressBits, address);
  }

  /** Code of 16 bits wraps at 64 KiB of its segment. What lies outside of the segment is decoded as if it were its own. */
  #offset(address: bigint): { offset: bigint; base: bigint } {
    const offset = this.wrap(address - this.#codeBase);
    if (this.bits !== 16 || offset <= 0xffffn) return { offset, base: this.#codeBase };
    return { offset: address & 0xffffn, base: this.wrap(address & ~0xffffn) };
  }

  #bytes(address: bigint): Uint8Array | null {
    const { bytes, unmapped } = this.#view.target.memory.readPartly('linear', address, MAX_LENGTH);
    const end = unmapped.length === 0 ? bytes.length : unmapped[0].from;
    return end === 0 ? null : bytes.subarray(0, end);
  }

  decode(address: bigint): InstructionText | null {
    const bytes = this.#bytes(address);
    return bytes === null ? null : this.#text(bytes, address);
  }

  #text(bytes: Uint8Array, address: bigint): InstructionText {
    const { offset, base } = this.#offset(address);
    const { symbols, disassembler } = this.#view;
    const text = disassembler.decode(bytes, offset, this.bits, (at) => {
      const found = symbols.nearest(this.wrap(base + at));
      return found === null ? null : { name: found.name, offset: found.offset };
    });
    return text.target === null ? text : { ...text, target: this.wrap(base + text.target) };
  }

  /** Length of what stands at an address; 0: not mapped. */
  length(address: bigint): number {
    return this.decode(address)?.length ?? 0;
  }

  line(address: bigint): { line: DisassemblyLine; next: bigint } {
    const { symbols, breakpoint, target } = this.#view;
    const nearest = symbols.nearest(address);
    const common = {
      address: address.toString(16),
      label: nearest !== null && nearest.offset === 0n ? nearest.name : null,
      source: symbols.line(address),
      current: address === this.#counter,
      breakpoint: breakpoint(address),
    };
    const available = this.#bytes(address);
    if (available === null) {
      const line: DisassemblyLine = {
        ...common, bytes: null, parts: [{ text: '(not mapped)', kind: 'text' }], target: null, note: '', sensitive: null, privileged: false,
      };
      return { line, next: this.wrap((address / PAGE + 1n) * PAGE) };
    }
    const text = this.#text(available, address);
    const marks = text.flow === 'invalid' ? null : classifyInstruction(available, this.bits);
    const line: DisassemblyLine = {
      ...common,
      bytes: available.slice(0, text.length),
      parts: text.parts.map((part) => ({ ...part })),
      target: text.target === null ? null : placeOf(symbols, text.target),
      note: common.current ? operandNote(text, target, symbols, this.bits) : '',
      sensitive: marks?.sensitive ?? null,
      privileged: marks?.privileged ?? false,
    };
    return { line, next: this.wrap(address + BigInt(text.length)) };
  }
}

/** A place by its address, with symbol and source position. */
export function placeOf(symbols: SymbolSource, address: bigint): { address: string; symbol: string | null; source: { file: string; line: number } | null } {
  return { address: address.toString(16), symbol: symbolText(symbols, address), source: symbols.line(address) };
}

/** `trap+12h`, or null. */
export function symbolText(symbols: SymbolSource, address: bigint): string | null {
  const nearest = symbols.nearest(address);
  if (nearest === null) return null;
  return nearest.offset === 0n ? nearest.name : `${nearest.name}+${nearest.offset.toString(16)}h`;
}

/** Addresses of the instructions ahead of `at`, ascending. */
function startsBefore(decoder: LinearDecoder, symbols: SymbolSource, at: bigint, before: number): bigint[] {
  const starts: bigint[] = [];
  const lengths = new Map<bigint, number>();
  const lengthAt = (address: bigint): number => {
    let length = lengths.get(address);
    if (length === undefined) {
      length = decoder.length(address);
      lengths.set(address, length);
    }
    return length;
  };
  let end = at;
  while (starts.length < before && end > 0n) {
    const run = runFromSymbol(lengthAt, symbols, end) ?? runByTrying(lengthAt, end, before - starts.length);
    if (run.length === 0) break;
    starts.unshift(...run);
    end = run[0];
  }
  return starts.slice(-before || starts.length);
}

/** Instructions from the nearest symbol ahead up to `end`; null: there is none near, or they do not meet. */
function runFromSymbol(lengthAt: (address: bigint) => number, symbols: SymbolSource, end: bigint): bigint[] | null {
  const nearest = symbols.nearest(end - 1n);
  if (nearest === null || end - nearest.address > BigInt(MAX_BEFORE_BYTES)) return null;
  const run: bigint[] = [];
  let address = nearest.address;
  while (address < end) {
    const length = lengthAt(address);
    if (length === 0) return null;
    run.push(address);
    address += BigInt(length);
  }
  return address === end ? run : null;
}

/**
 * Decodes from every address of a window: chains of instructions soon run together, so that most of them meet at `end`.
 * The chain that the most of the earlier starting points run into is taken.
 */
function runByTrying(lengthAt: (address: bigint) => number, end: bigint, wanted: number): bigint[] {
  const window = BigInt(Math.min(MAX_BEFORE_BYTES, wanted * BYTES_A_LINE + 4 * MAX_LENGTH));
  let from = end > window ? end - window : 0n;
  while (from < end && lengthAt(from) === 0) from = (from / PAGE + 1n) * PAGE;
  const votes = new Map<bigint, number>();
  const meets = (start: bigint): bigint[] | null => {
    const run: bigint[] = [];
    let address = start;
    while (address < end) {
      const length = lengthAt(address);
      if (length === 0) return null;
      run.push(address);
      address += BigInt(length);
      if (run.length > 2 * wanted + 16) run.shift();
    }
    return address === end ? run : null;
  };
  let best: bigint[] = [], bestVotes = 0;
  for (let start = from; start < from + BigInt(2 * MAX_LENGTH) && start < end; start++) {
    const run = meets(start);
    if (run === null) continue;
    const last = run.at(-Math.min(wanted, run.length))!;
    const count = (votes.get(last) ?? 0) + 1;
    votes.set(last, count);
    if (count > bestVotes) {
      best = run;
      bestVotes = count;
    }
  }
  return best.slice(-wanted);
}
