// Cases for every row of the decode tables on vectors and bit manipulation: forms from the rows' operand letters, states from
// boundary values first.
import type { Entry, Opcode, Prefixed, Row } from '../../core/cpu/decode/row.ts';
import { map38, map3A, oneByte, twoByte, vex38, vex3A } from '../../core/cpu/decode/tables.ts';
import { CASE_BYTES, CODE_BYTES, STATE } from '../instructions/vectorCases.ts';

export interface VectorCase {
  readonly mnemonic: string;
  readonly portable: boolean;
  readonly input: Buffer;
}
interface Form {
  readonly row: Row;
  readonly prefix: keyof Prefixed;
  readonly map: readonly number[] | 'vex2' | 'vex3';
  readonly opcode: number;
  /** ModRM.reg and mod, where they belong to the opcode. */
  readonly reg?: number;
  readonly memory?: boolean;
}

/** SplitMix32. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  };
}

/** Other state than an oracle's case holds, or none of its business. */
const LEFT_OUT = /INVPCID|XSAVE|XRSTOR|FXRSTOR|FXSAVE|^(RD|WR)[FG]S|CLFLUSH|^BS[FR]$/;
const isRow = (opcode: Opcode): opcode is Row => opcode !== null && 'mnemonic' in opcode;

function* formsOf(entry: Opcode, at: Omit<Form, 'row'>): Iterable<Form> {
  if (entry === null) return;
  if (Array.isArray(entry)) {
    for (const [reg, row] of (entry as readonly (Row | null)[]).entries()) if (row) yield { ...at, row, reg };
  } else if (isRow(entry)) yield { ...at, row: entry };
  else if ('byModRm' in entry) {
    for (let reg = 0; reg < 8; reg++) {
      for (const memory of [true, false]) {
        const row = entry.byModRm((reg << 3) | (memory ? 6 : 0xc1));
        if (row) yield { ...at, row, reg, memory };
      }
    }
  }
}

export function* vectorForms(): Iterable<Form> {
  const maps: readonly (readonly [Form['map'], readonly Entry[]])[] = [
    [[0x0f], twoByte], [[0x0f, 0x38], map38], [[0x0f, 0x3a], map3A], ['vex2', vex38], ['vex3', vex3A],
  ];
  for (const [map, entries] of maps) {
    for (const [opcode, entry] of entries.entries()) {
      if (entry === null || !('none' in entry || 'p66' in entry || 'f3' in entry || 'f2' in entry)) continue;
      for (const prefix of ['none', 'p66', 'f3', 'f2'] as const) {
        for (const form of formsOf((entry as Prefixed)[prefix] ?? null, { prefix, map, opcode })) {
          if (!form.row.privileged && !LEFT_OUT.test(form.row.mnemonic)) yield form;
        }
      }
    }
  }
  for (const opcode of [0xdb, 0xdd, 0xdf]) {
    for (const form of formsOf(oneByte[opcode] as Opcode, { prefix: 'none', map: [], opcode })) {
      if (form.row.mnemonic === 'FISTTP') yield form;
    }
  }
}

const SINGLES = [
  0, 0x80000000, 1, 0x80000001, 0x7fffff, 0x807fffff, 0x800000, 0x80800000, 0x800001, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000,
  0xffc00000, 0x7fc12345, 0x7f812345, 0xffa00001, 0x7f7fffff, 0xff7fffff, 0x4f000000, 0xcf000000, 0x4effffff, 0xcf000001, 0x3effffff, 0x3f000000,
  0x3fc00000, 0xc0200000, 0x5f000000, 0xdf000000, 0x40490fdb, 0x00ffffff, 0x3f7fffff, 0x3f800001, 0x4b000001, 0x4a800001,
];
const DOUBLES = [
  0n, 0x8000000000000000n, 1n, 0x8000000000000001n, 0xfffffffffffffn, 0x800fffffffffffffn, 0x10000000000000n, 0x8010000000000000n,
  0x10000000000001n, 0x3ff0000000000000n, 0xbff0000000000000n, 0x7ff0000000000000n, 0xfff0000000000000n, 0x7ff8000000000000n,
  0xfff8000000000000n, 0x7ff8123456789abcn, 0x7ff4123456789abcn, 0xfff0000000000001n, 0x7fefffffffffffffn, 0xffefffffffffffffn,
  0x41e0000000000000n, 0xc1e0000000000000n, 0x41dfffffffc00000n, 0xc1e0000000200000n, 0xc1e00000001fffffn, 0x43e0000000000000n,
  0xc3e0000000000000n, 0x3fe0000000000000n, 0x3fdfffffffffffffn, 0x3ff8000000000000n, 0xc004000000000000n, 0x400921fb54442d18n,
  0x3810000000000000n, 0x380fffffffffffffn, 0x3690000000000000n, 0x368fffffffffffffn, 0x47efffffe0000000n, 0x47effffff0000000n,
  0x1fffffffffffffn, 0x3fefffffffffffffn, 0x3ff0000000000001n, 0x4330000000000001n, 0x36a0000000000000n, 0x3800000000000001n,
];
const INTEGERS = [
  0, 0xff, 0x80, 0x7f, 0x8000, 0x7fff, 0xffff, 0x80000000, 0x7fffffff, 0xffffffff, 1, 0x01010101, 0x80808080, 0x7f7f7f7f, 0x80008000, 0x7fff7fff,
  0x00010001, 0xfffe0001,
];
type Kind = 'single' | 'double' | 'integer' | 'text' | 'count';

function kindOf(mnemonic: string): Kind {
  if (/^PCMP.STR/.test(mnemonic)) return 'text';
  if (/^PS(RL|RA|LL)/.test(mnemonic)) return 'count';
  if (/(PS|SS)$|^CVTT?[PS]S/.test(mnemonic)) return 'single';
  return /([PS]D)$|^CVTT?[PS]D/.test(mnemonic) && !mnemonic.startsWith('P') ? 'double' : 'integer';
}

class Generator {
  readonly #next: () => number;
  constructor(seed: number) {
    this.#next = randomNumbers(seed);
  }
  below(limit: number): number {
    return this.#next() % limit;
  }
  #one<T>(of: readonly T[]): T {
    return of[this.below(of.length)];
  }

  #fill(kind: Kind, to: Buffer, at: number): void {
    const wide = (): bigint => (BigInt(this.#next()) << 32n) | BigInt(this.#next());
    const near32 = (): number => ((this.#next() & 0x807fffff) | ((120 + this.below(16)) << 23)) >>> 0;
    const near64 = (): bigint => (wide() & 0x800fffffffffffffn) | (BigInt(1010 + this.below(60)) << 52n);
    const isText = kind === 'text' && this.below(3) > 0, isCount = kind === 'count' && this.below(2) > 0;
    if (isCount) to.writeBigUInt64LE(BigInt(this.below(72)), at);
    else if (isText) for (let i = 0; i < 16; i++) to[at + i] = this.below(6) === 0 ? 0 : 0x61 + this.below(4);
    else if (kind === 'double') {
      for (let i = 0; i < 16; i += 8) to.writeBigUInt64LE(this.below(3) > 0 ? this.#one(DOUBLES) : this.below(2) > 0 ? wide() : near64(), at + i);
    } else {
      const pool = kind === 'single' ? SINGLES : INTEGERS;
      const other = (): number => (kind === 'single' && this.below(2) > 0 ? near32() : this.#next());
      for (let i = 0; i < 16; i += 4) to.writeUInt32LE(this.below(3) > 0 ? this.#one(pool) : other(), at + i);
    }
  }

  make(form: Form): VectorCase {
    const { row } = form, { operands: letters, mnemonic } = row;
    const kind = kindOf(mnemonic);
    const input = Buffer.alloc(CASE_BYTES);
    const portable = this.#encode(form, input);
    const state = input.subarray(CODE_BYTES);
    const control = this.#one([0x1f80, 0x1fa0, 0x1fa0, 0x1f80 | (this.below(4) << 13), 0x1f80 | (this.#next() & 0xe040), this.#next() & 0xffff, this.#next() & 0xff80]);
    state.writeUInt32LE(control, STATE.mxcsr);
    state.writeUInt32LE(this.#next() & 0x8d5, STATE.flags);
    for (let i = 0; i < 8; i++) {
      state.writeUInt32LE(this.below(2) > 0 ? this.#one(INTEGERS) : this.below(3) > 0 ? this.#next() : this.below(24), STATE.general + i * 8);
      if (this.below(2) > 0) state.writeUInt32LE(this.below(2) > 0 ? this.#one(INTEGERS) : this.#next(), STATE.general + i * 8 + 4);
    }
    const isX87 = letters[0] === 'Mf';
    state.writeUInt16LE(isX87 ? 0x37f | (this.below(4) << 10) : 0x37f, STATE.control);
    state.writeUInt16LE(this.below(8) << 11, STATE.status);
    state.writeUInt16LE(this.#next() & 0xff, STATE.tags);
    for (let i = 0; i < 4; i++) {
      const at = STATE.st + i * 16;
      this.#fill(kind, state, at);
      state.fill(0, at + 8, at + 16);
      state.writeUInt16LE(isX87 ? (this.#next() & 0x8000) | (this.below(8) > 0 ? 0x3ff0 + this.below(90) : 0x7fff) : this.#next() & 0xffff, at + 8);
      if (isX87 && this.below(8) > 0) state[at + 7] |= 0x80;
    }
    for (const i of [0, 1, 2, 3, 8, 9, 10, 11]) this.#fill(kind, state, STATE.xmm + i * 16);
    for (let i = 0; i < 4; i++) this.#fill(kind, state, STATE.data + i * 16);
    return { mnemonic, portable, input };
  }

  /** Writes length and code; returns whether 32-bit mode reads the same. */
  #encode({ row, prefix, map, opcode, reg, memory }: Form, input: Buffer): boolean {
    const { operands: letters } = row;
    const memoryOnly = letters.some((l) => l[0] === 'M'), mayBeMemory = memoryOnly || letters.some((l) => 'EWQ'.includes(l[0]));
    const isMemory = memory ?? (mayBeMemory && (memoryOnly || this.below(3) === 0));
    const rex = map.length === 0 || this.below(2) > 0 ? 0 : this.below(2) * 8 + this.below(2) * 4 + (isMemory ? 0 : this.below(2));
    const ripRelative = isMemory && memory === undefined && this.below(4) === 0;
    const rm = ripRelative ? 5 : isMemory ? 6 : memory === undefined ? this.below(4) : 1;
    const modRm = (isMemory ? 0 : 0xc0) | ((reg ?? this.below(4)) << 3) | rm;
    const mandatory = { none: 0, p66: 1, f3: 2, f2: 3 }[prefix];
    const code: number[] = [];
    if (typeof map === 'string') {
      const third = letters.includes('By') ? this.below(4) | ((rex & 4) << 1) : 0;
      code.push(0xc4, (0xe0 ^ ((rex & 4) << 5) ^ ((rex & 1) << 5)) | Number(map[3]), ((rex & 8) << 4) | ((~third & 15) << 3) | mandatory, opcode);
    } else {
      if (prefix === 'p66' || (letters.some((l) => /^[EGM]v$/.test(l)) && this.below(2) > 0)) code.push(0x66);
      if (mandatory > 1) code.push(mandatory === 2 ? 0xf3 : 0xf2);
      if (rex !== 0) code.push(0x40 | rex);
      code.push(...map, opcode);
    }
    if (letters.length > 0) code.push(modRm);
    const place = code.length;
    if (ripRelative) code.push(0, 0, 0, 0);
    if (letters.includes('Ib')) code.push(this.below(256));
    input[0] = code.length;
    input.set(code, 1);
    // Data lies 64 KiB below the code.
    if (ripRelative) input.writeInt32LE(-0x10000 - code.length, 1 + place);
    return rex === 0 && !ripRelative;
  }
}

/** So many cases of each row. */
export function vectorCases(seed: number, count: number): VectorCase[] {
  const generator = new Generator(seed);
  return [...vectorForms()].flatMap((form) => Array.from({ length: count }, () => generator.make(form)));
}
