// From one line per encoding to test cases: registers, flags and memory with boundary values first, then seeded random.
import { DATA_BASE, DEFAULT_AT, FLAG_MASK, patternByte, type InstructionCase } from '../instructions/fixture.ts';

/** A seeded generator (xorshift32): the same cases each time. */
export class Random {
  #state: number;
  constructor(seed: number) {
    this.#state = seed | 1;
  }
  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }
  below(limit: number): number {
    return this.next() % limit;
  }
  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)];
  }
}

const BOUNDARIES = [
  0, 1, 2, 3, 7, 8, 9, 0xf, 0x10, 0x1f, 0x20, 0x7f, 0x80, 0x81, 0x99, 0x9a, 0xfe, 0xff, 0x100, 0x101, 0x7ffe, 0x7fff, 0x8000, 0x8001,
  0xfffe, 0xffff, 0x10000, 0x10001, 0x55555555, 0xaaaaaaaa, 0x7ffffffe, 0x7fffffff, 0x80000000, 0x80000001, 0xffff8000, 0xffffff7f,
  0xffffff80, 0xfffffffe, 0xffffffff,
];

/**
 * One encoding: `0f a4 /r ib v`. Hexadecimal bytes; /r or /digit; ib, iw, iz (by operand size), is (sign-extended byte);
 * jb and jz (branch displacements to HLTs); +r (register in the opcode); b, w, v (operand size); mem or reg (that form only);
 * far (two operands in memory).
 */
export interface Form {
  readonly opcode: readonly number[];
  /** -2: none, -1: /r, else the digit. */
  readonly digit: number;
  readonly immediates: readonly string[];
  readonly opcodeRegister: boolean;
  readonly size: 'b' | 'w' | 'v';
  readonly only: 'mem' | 'reg' | null;
}

export function parseForm(text: string): Form {
  const words = text.split(' ');
  const modRm = words.find((word) => word.startsWith('/'));
  return {
    opcode: words.filter((word) => /^[0-9a-f]{2}$/.test(word)).map((word) => parseInt(word, 16)),
    digit: modRm === undefined ? -2 : modRm === '/r' ? -1 : Number(modRm[1]),
    immediates: words.filter((word) => /^(i[bwzs]|j[bz])$/.test(word)),
    opcodeRegister: words.includes('+r'),
    size: words.includes('v') ? 'v' : words.includes('w') ? 'w' : 'b',
    only: words.includes('mem') ? 'mem' : words.includes('reg') ? 'reg' : null,
  };
}

const EAX = 0, ECX = 1, EBX = 3, ESP = 4, EBP = 5, ESI = 6, EDI = 7;

export interface Draft {
  code: number[];
  at: number;
  registers: number[];
  flags: number;
  memory: { at: number; bytes: Uint8Array } | null;
}

export type Adjust = (draft: Draft, random: Random, form: Form, operand16: boolean) => void;

export interface Options {
  /** Cases per encoding, operand size and operand form. */
  readonly count?: number;
  /** Changes a drafted case: for operands with needs of their own. */
  readonly adjust?: Adjust;
  readonly undefinedFlags?: (draft: Draft, form: Form, operand16: boolean) => number;
  /** Registers that an address must not use. */
  readonly busy?: readonly number[];
  readonly prefixes?: readonly number[];
}

const littleEndian = (value: number, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, index) => (value >>> (index * 8)) & 0xff);

/** A value: boundaries first, then any. */
function value(random: Random, round: number): number {
  return round < 16 || random.below(4) !== 0 ? random.pick(BOUNDARIES) : random.next();
}

/** ModRM, SIB and displacement that name `target`, with a base (and index) register set to fit. */
function address(draft: Draft, random: Random, reg: number, target: number, busy: readonly number[]): number[] {
  const free = [EBX, EBP, ESI, EDI, ECX, EAX].filter((register) => register !== reg && !busy.includes(register));
  const base = random.pick(free);
  const modRm = (mod: number, rm: number): number => (mod << 6) | (reg << 3) | rm;
  switch (random.below(6)) {
    case 0:
      return [modRm(0, 5), ...littleEndian(target, 4)];
    case 1:
      if (base === EBP) break;
      draft.registers[base] = target;
      return [modRm(0, base)];
    case 2: {
      const displacement = random.below(256);
      draft.registers[base] = (target - ((displacement << 24) >> 24)) >>> 0;
      return [modRm(1, base), displacement];
    }
    case 3: {
      const index = random.pick(free.filter((register) => register !== base));
      if (index === undefined) break;
      const scale = random.below(4), displacement = random.next();
      draft.registers[index] = random.below(2) === 0 ? random.below(16) : random.next();
      draft.registers[base] = (target - (displacement | 0) - (draft.registers[index] << scale)) >>> 0;
      return [modRm(2, 4), (scale << 6) | (index << 3) | base, ...littleEndian(displacement, 4)];
    }
    case 4: {
      const index = random.pick(free);
      const scale = random.below(4);
      draft.registers[index] = random.next();
      return [modRm(0, 4), (scale << 6) | (index << 3) | 5, ...littleEndian((target - (draft.registers[index] << scale)) >>> 0, 4)];
    }
    default:
      break;
  }
  draft.registers[base] = (target - 0x1234) >>> 0;
  return [modRm(2, base), ...littleEndian(0x1234, 4)];
}

/** Where memory operands lie: mostly aligned, some across the page, some that run into the missing page behind. */
function operandPlace(random: Random): number {
  const chance = random.below(16);
  if (chance === 0) return DATA_BASE + 0x1000 - 1 - random.below(3);
  if (chance === 1) return DATA_BASE + 0x2000 - 1 - random.below(8);
  return DATA_BASE + 0x200 + random.below(0x40);
}

function immediate(random: Random, kind: string, operand16: boolean, round: number): number[] {
  if (kind === 'jb') return littleEndian(random.pick([5, 0x20, 0x70, 0x7f, 0x80, 0xb0, 0xe0]), 1);
  if (kind === 'jz') return littleEndian(random.pick([0x20, 0x345, 0x7f, -0x80, -0x90, 0x1000]), operand16 ? 2 : 4);
  const bytes = kind === 'iw' ? 2 : kind === 'iz' ? (operand16 ? 2 : 4) : 1;
  return littleEndian(value(random, round), bytes);
}

function draftCase(form: Form, operand16: boolean, memory: boolean, random: Random, round: number, options: Options): Draft {
  const registers = Array.from({ length: 8 }, () => value(random, round));
  registers[ESP] = DATA_BASE + 0x800 + random.below(16) * 4;
  const draft: Draft = { code: [], at: DEFAULT_AT, registers, flags: random.next() & FLAG_MASK & ~0x400, memory: null };
  const code = [...(options.prefixes ?? []), ...(operand16 ? [0x66] : []), ...form.opcode];
  if (form.opcodeRegister) code[code.length - 1] += random.below(8);
  if (form.digit !== -2) {
    // ESP as an operand would leave the stack, which is fine, but rarely.
    const reg = form.digit >= 0 ? form.digit : random.below(8);
    if (memory) {
      const target = operandPlace(random);
      const bytes = Uint8Array.from([...littleEndian(value(random, round), 4), ...littleEndian(value(random, round), 4)]);
      const room = DATA_BASE + 0x2000 - target;
      draft.memory = { at: target, bytes: bytes.subarray(0, Math.min(8, room)) };
      code.push(...address(draft, random, form.digit >= 0 ? -1 & 7 : reg, target, options.busy ?? []).map((byte, index) =>
        index === 0 ? (byte & 0xc7) | (reg << 3) : byte,
      ));
    } else code.push(0xc0 | (reg << 3) | random.below(8));
  }
  for (const kind of form.immediates) code.push(...immediate(random, kind, operand16, round));
  draft.code = code;
  options.adjust?.(draft, random, form, operand16);
  return draft;
}

/** All cases of some encodings. */
export function casesOf(forms: readonly string[], seed: number, options: Options = {}): InstructionCase[] {
  const random = new Random(seed * 0x9e3779b1);
  for (let warmUp = 0; warmUp < 8; warmUp++) random.next();
  const cases: InstructionCase[] = [];
  for (const form of forms.map(parseForm)) {
    const sizes = form.size === 'v' ? [false, true] : [false];
    const kinds = form.digit === -2 ? [false] : form.only === 'mem' ? [true] : form.only === 'reg' ? [false] : [false, true];
    for (const operand16 of sizes) {
      for (const memory of kinds) {
        for (let round = 0; round < (options.count ?? 24); round++) {
          const draft = draftCase(form, operand16, memory, random, round, options);
          cases.push({
            ...draft,
            code: Uint8Array.from(draft.code),
            undefinedFlags: options.undefinedFlags?.(draft, form, operand16) ?? 0,
          });
        }
      }
    }
  }
  return cases;
}

/** The byte that a case finds at an address. */
export function initialByte(draft: Draft, at: number): number {
  const { memory } = draft;
  if (memory && at >= memory.at && at < memory.at + memory.bytes.length) return memory.bytes[at - memory.at];
  return patternByte(at - DATA_BASE);
}
