// The instructions under test: one family a fixture file, each encoding a line (forms.ts).
import { DATA_BASE, DEFAULT_AT, FLAG_MASK, REGION_BYTES, type InstructionCase, type InstructionResult } from '../instructions/fixture.ts';
import { type Adjust, casesOf, type Draft, type Options, Random } from './forms.ts';

export interface Family {
  readonly name: string;
  readonly cases: () => InstructionCase[];
  /** The instruction reads its own address. */
  readonly fixed?: boolean;
  readonly notes?: readonly string[];
  /** Whether a recorded case is of use; all are if absent. */
  readonly keep?: (result: InstructionResult) => boolean;
}

const CF = 1, PF = 4, AF = 0x10, ZF = 0x40, SF = 0x80, OF = 0x800;
const EAX = 0, ECX = 1, EDX = 2, EBX = 3, ESP = 4, EBP = 5, ESI = 6, EDI = 7;

const families: Family[] = [];
let seed = 0;

function family(name: string, forms: readonly string[], options: Options = {}, more: Partial<Family> = {}): void {
  const own = ++seed;
  families.push({ name, cases: () => casesOf(forms, own, options), ...more });
}

const hex = (value: number): string => value.toString(16).padStart(2, '0');

['ADD', 'OR', 'ADC', 'SBB', 'AND', 'SUB', 'XOR', 'CMP'].forEach((name, index) => {
  const op = (offset: number): string => hex(index * 8 + offset);
  family(name, [
    `${op(0)} /r b`, `${op(1)} /r v`, `${op(2)} /r b`, `${op(3)} /r v`, `${op(4)} ib b`, `${op(5)} iz v`,
    `80 /${index} ib b`, `81 /${index} iz v`, `83 /${index} is v`,
  ]);
});
family('TEST', ['84 /r b', '85 /r v', 'a8 ib b', 'a9 iz v', 'f6 /0 ib b', 'f7 /0 iz v', 'f6 /1 ib b']);
family('INC', ['fe /0 b', 'ff /0 v', '40 +r v']);
family('DEC', ['fe /1 b', 'ff /1 v', '48 +r v']);
family('NOT', ['f6 /2 b', 'f7 /2 v']);
family('NEG', ['f6 /3 b', 'f7 /3 v']);

/** Counts in CL and immediates: all of them. */
function shiftCount(draft: Draft, random: Random, form: { immediates: readonly string[]; opcode: readonly number[] }): void {
  const count = random.below(4) === 0 ? random.below(256) : random.below(34);
  if (form.immediates.length > 0) draft.code[draft.code.length - 1] = count;
  else draft.registers[ECX] = ((draft.registers[ECX] & ~0xff) | count) >>> 0;
}
function countOf(draft: Draft, form: { immediates: readonly string[]; opcode: readonly number[] }): number {
  if (form.immediates.length > 0) return draft.code.at(-1)! & 31;
  const last = form.opcode.at(-1)!;
  return last === 0xd0 || last === 0xd1 ? 1 : draft.registers[ECX] & 31;
}
['ROL', 'ROR', 'RCL', 'RCR', 'SHL', 'SHR', 'SAL', 'SAR'].forEach((name, digit) => {
  family(
    name,
    ['c0', 'c1', 'd0', 'd1', 'd2', 'd3'].map((opcode) => `${opcode} /${digit} ${opcode < 'd0' ? 'ib ' : ''}${/[02]$/.test(opcode) ? 'b' : 'v'}`),
    {
      count: 64, busy: [ECX],
      adjust: (draft, random, form) => {
        const last = form.opcode.at(-1)!;
        if (last !== 0xd0 && last !== 0xd1) shiftCount(draft, random, form);
      },
      undefinedFlags: (draft, form) => {
        const count = countOf(draft, form);
        if (count === 0) return 0;
        return count === 1 || digit === 7 ? 0 : OF;
      },
    },
    { notes: ['undefined: OF for counts other than 1; AF after shifts follows silicon (SDM 2B SAL/SAR/SHL/SHR, RCL/RCR/ROL/ROR)'] },
  );
});
for (const [name, opcode] of [['SHLD', 'a4'], ['SHRD', 'ac']] as const) {
  const withCl = hex(parseInt(opcode, 16) + 1);
  family(name, [`0f ${opcode} /r ib v`, `0f ${withCl} /r v`], {
    count: 120, busy: [ECX], adjust: shiftCount,
    undefinedFlags: (draft, form, operand16) => {
      const count = countOf(draft, form);
      if (count === 0) return 0;
      // Beyond the operand size everything is undefined; silicon's result is compared all the same.
      if (operand16 && count > 16) return CF | PF | AF | ZF | SF | OF;
      return count === 1 ? 0 : OF;
    },
  }, { notes: ['undefined: OF for counts other than 1 (AF follows silicon); all when the count exceeds the operand size (SDM 2B SHLD, SHRD)'] });
}

const product = { count: 48 };
const productNote = { notes: ['SF ZF AF PF, undefined in the manual, follow silicon (SDM 2B MUL, SDM 2A IMUL)'] };
family('MUL', ['f6 /4 b', 'f7 /4 v'], product, productNote);
family('IMUL', ['f6 /5 b', 'f7 /5 v', '0f af /r v', '69 /r iz v', '6b /r is v'], product, productNote);
const divisible = {
  count: 100, busy: [EAX, EDX],
  adjust: (draft: Draft, random: Random): void => {
    // Small upper halves, so that most quotients fit.
    if (random.below(3) === 0) draft.registers[EDX] = random.pick([0, 1, 0xffffffff, 0x7f]);
    if (random.below(4) === 0) draft.registers[EAX] = random.pick([0x80000000, 0x8000, 0xff80, 0x80, 0]);
    if (random.below(4) === 0) draft.registers[EDX] = (draft.registers[EAX] & 0x80008000) !== 0 ? 0xffffffff : 0;
  },
};
const divideNote = { notes: ['all flags, undefined in the manual, follow silicon (SDM 2A DIV, IDIV)'] };
family('DIV', ['f6 /6 b', 'f7 /6 v'], divisible, divideNote);
family('IDIV', ['f6 /7 b', 'f7 /7 v'], divisible, divideNote);

[['BT', 'a3', 4], ['BTS', 'ab', 5], ['BTR', 'b3', 6], ['BTC', 'bb', 7]].forEach(([name, opcode, digit]) =>
  family(name as string, [`0f ${opcode} /r v`, `0f ba /${digit} ib v`], {
    count: 60,
    adjust: (draft, random, form, operand16) => {
      // A bit string in memory: keep most offsets within the data region.
      const at = draft.memory?.at;
      if (at === undefined || form.digit !== -1 || random.below(8) === 0) return;
      const reg = (draft.code[(operand16 ? 1 : 0) + 2] >> 3) & 7;
      if (reg !== ESP) draft.registers[reg] = (random.below(0x2000) - 0x1000) >>> 0;
    },
  }, { notes: ['OF SF AF PF, undefined in the manual, follow silicon (SDM 2A BT)'] }),
);
const scan = { count: 60 };
family('BSF', ['0f bc /r v'], scan, { notes: ['CF OF SF AF PF and the destination for a zero source, undefined in the manual, follow silicon (SDM 2A BSF)'] });
family('BSR', ['0f bd /r v'], scan, { notes: ['CF OF SF AF PF and the destination for a zero source, undefined in the manual, follow silicon (SDM 2A BSR)'] });

const CONDITIONS = Array.from({ length: 16 }, (_, code) => code);
family('CMOVcc', CONDITIONS.map((code) => `0f ${hex(0x40 + code)} /r v`), { count: 12 });
family('SETcc', CONDITIONS.map((code) => `0f ${hex(0x90 + code)} /r b`), { count: 16 });
family('Jcc', CONDITIONS.flatMap((code) => [`${hex(0x70 + code)} jb v`, `0f ${hex(0x80 + code)} jz v`]), { count: 16 }, { fixed: true });
family('JMP', ['e9 jz v', 'eb jb v', 'ff /4 v'], { count: 24, adjust: branchTarget }, { fixed: true });
family('CALL', ['e8 jz v', 'ff /2 v'], { count: 24, adjust: branchTarget }, { fixed: true });
family('RET', ['c3 v', 'c2 iw v'], { count: 16, adjust: (draft, random) => setMemory(draft, draft.registers[ESP], target(random)) }, { fixed: true });
for (const [name, opcode] of [['LOOPNE', 'e0'], ['LOOPE', 'e1'], ['LOOP', 'e2'], ['JCXZ', 'e3']] as const) {
  const narrow: Options = { prefixes: [0x67], count: 24, adjust: smallCount };
  const cases = (own: number): InstructionCase[] => [
    ...casesOf([`${opcode} jb v`], own, { count: 24, adjust: smallCount }),
    ...casesOf([`${opcode} jb v`], own + 500, narrow),
  ];
  const own = ++seed;
  families.push({ name, cases: () => cases(own), fixed: true });
}
function smallCount(draft: Draft, random: Random): void {
  draft.registers[ECX] = random.pick([0, 1, 2, 0x10000, 0x10001, 0xffff0000, 0xffff, 0xffffffff]);
}
const target = (random: Random): number => 0x10000000 + random.pick([0x40, 0x200, 0x1000, 0x1fff]);
function setMemory(draft: Draft, at: number, ...words: number[]): void {
  const bytes = Uint8Array.from(words.flatMap((word) => [0, 8, 16, 24].map((shift) => (word >>> shift) & 0xff)));
  draft.memory = { at, bytes };
}
function branchTarget(draft: Draft, random: Random, form: { digit: number }): void {
  if (form.digit < 0) return;
  const at = draft.code[0] === 0x66 ? 2 : 1;
  // Not through ESP: the stack must stay in the data.
  if ((draft.code[at] & 0xc7) === 0xc4) draft.code[at] ^= 7;
  const modRm = draft.code[at];
  if (modRm >= 0xc0) draft.registers[modRm & 7] = target(random);
  else if (draft.memory && draft.memory.at < DATA_BASE + 0x1ff0) setMemory(draft, draft.memory.at, target(random));
}

family('MOV', [
  '88 /r b', '89 /r v', '8a /r b', '8b /r v', 'c6 /0 ib b', 'c7 /0 iz v', 'b0 +r ib b', 'b8 +r iz v',
]);
const offsets: Options = {
  count: 24,
  adjust: (draft, random) => {
    const at = DATA_BASE + random.pick([0x200, 0xffd, 0xffe, 0xfff, 0x1ffc, 0x1ffe]);
    draft.code.push(...[0, 8, 16, 24].map((shift) => (at >>> shift) & 0xff));
  },
};
family('MOV-offset', ['a0 b', 'a1 v', 'a2 b', 'a3 v'], offsets);
family('MOVZX', ['0f b6 /r v', '0f b7 /r v']);
family('MOVSX', ['0f be /r v', '0f bf /r v']);
family('XCHG', ['86 /r b', '87 /r v', '90 +r v']);
family('XADD', ['0f c0 /r b', '0f c1 /r v'], { count: 48 });
const exchange: Options = {
  count: 64, busy: [EAX],
  adjust: (draft, random) => {
    const { memory } = draft;
    if (random.below(2) === 0 && memory && memory.bytes.length >= 4) {
      draft.registers[EAX] = new DataView(memory.bytes.buffer, memory.bytes.byteOffset).getUint32(0, true);
    } else if (random.below(2) === 0) draft.registers[EAX] = draft.registers[random.below(8)];
  },
};
family('CMPXCHG', ['0f b0 /r b', '0f b1 /r v'], exchange);
family('CMPXCHG8B', ['0f c7 /1 mem v'], {
  count: 64, busy: [EAX, EDX, ECX, EBX],
  adjust: (draft, random) => {
    const { memory } = draft;
    if (random.below(2) !== 0 || !memory || memory.bytes.length < 8) return;
    const view = new DataView(memory.bytes.buffer, memory.bytes.byteOffset);
    draft.registers[EAX] = view.getUint32(0, true);
    draft.registers[EDX] = view.getUint32(4, true);
  },
});
family('BSWAP', ['0f c8 +r v'], { count: 32 }, { notes: ['16-bit operands are undefined in the manual; silicon clears them (SDM 2A BSWAP)'] });
family('XLAT', ['d7 b'], {
  count: 32,
  adjust: (draft, random) => {
    draft.registers[EBX] = DATA_BASE + random.pick([0x100, 0xf80, 0x1f01, 0x1f80]);
  },
});
family('LEA', ['8d /r mem v'], { count: 100 });
/** Every ModRM of 16-bit addresses; as memory they fault, and CR2 tells the address. */
const narrowAddress: Options = {
  prefixes: [0x67], count: 96,
  adjust: (draft, random, form, operand16) => {
    const modRm = (random.below(3) << 6) | (random.below(8) << 3) | random.below(8);
    const at = 1 + (operand16 ? 1 : 0) + form.opcode.length;
    const mod = modRm >> 6;
    const bytes = mod === 1 ? 1 : mod === 2 || (modRm & 7) === 6 ? 2 : 0;
    draft.memory = null;
    draft.code = [...draft.code.slice(0, at), modRm, ...Array.from({ length: bytes }, () => random.below(256))];
  },
};
family('address-16', ['8d /r mem v', '8b /r mem v'], narrowAddress);
const wideAddress: Options = {
  count: 96,
  adjust: (draft, random, form, operand16) => {
    // Any ModRM and SIB: mostly faults, whose CR2 shows the address.
    const at = (operand16 ? 1 : 0) + form.opcode.length;
    const mod = random.below(3), rm = random.below(3) === 0 ? 4 : random.below(8);
    const tail: number[] = [(mod << 6) | (random.below(8) << 3) | rm];
    const sib = random.below(256);
    if (rm === 4) tail.push(sib);
    const wide = mod === 2 || (mod === 0 && (rm === 5 || (rm === 4 && (sib & 7) === 5)));
    const bytes = mod === 1 ? 1 : wide ? 4 : 0;
    for (let index = 0; index < bytes; index++) tail.push(random.below(256));
    draft.memory = null;
    draft.registers = draft.registers.map((old, index) => (index === ESP ? old : random.next()));
    draft.code = [...draft.code.slice(0, at), ...tail];
  },
};
family('address-32', ['8d /r mem v', '8a /r mem b'], wideAddress);
family('CBW', ['98 v', '99 v'], { count: 40 });
family('flags', ['9e b', '9f b', 'f5 b', 'f8 b', 'f9 b', 'fc b', 'fd b', 'd6 b'], {
  count: 24, adjust: (draft, random) => { if (random.below(2) === 0) draft.flags |= 0x400; },
});
const decimal: Options = { count: 200 };
const decimalNote = (flags: string, name: string): { notes: string[] } => ({
  notes: [`${flags}, undefined in the manual, follow silicon (SDM 2A ${name})`],
});
family('DAA', ['27 b'], decimal, decimalNote('OF', 'DAA'));
family('DAS', ['2f b'], decimal, decimalNote('OF', 'DAS'));
family('AAA', ['37 b'], decimal, decimalNote('OF SF ZF PF', 'AAA'));
family('AAS', ['3f b'], decimal, decimalNote('OF SF ZF PF', 'AAS'));
family('AAM', ['d4 ib b'], decimal, decimalNote('OF AF CF', 'AAM'));
family('AAD', ['d5 ib b'], decimal, decimalNote('OF AF CF', 'AAD'));
family('BOUND', ['62 /r mem v'], {
  count: 48,
  adjust: (draft, random, _form, operand16) => {
    const reg = (draft.code[operand16 ? 2 : 1] >> 3) & 7;
    if (draft.memory && reg !== ESP && random.below(2) === 0 && draft.memory.bytes.length === 8) {
      const view = new DataView(draft.memory.bytes.buffer, draft.memory.bytes.byteOffset);
      draft.registers[reg] = operand16 ? view.getUint16(0, true) : view.getUint32(random.below(2) * 4, true);
    }
  },
});

/** Pushes and pops near the ends of the data and across the page. */
const stackPlace: Options = {
  count: 24,
  adjust: (draft, random) => {
    draft.registers[ESP] = DATA_BASE + random.pick([0x800, 0x804, 0x801, 0x1002, 0x1001, 0x1003, 0xffe, 0xfff, 0x1ffc, 0x1ffe, 2, 0, 8, 0x1000, 0x1010, 0x1ff0]);
  },
};
family('PUSH', ['50 +r v', '68 iz v', '6a is v', 'ff /6 mem v', 'ff /6 reg v'], stackPlace);
family('POP', ['58 +r v', '8f /0 v'], stackPlace);
family('PUSHA', ['60 v'], { ...stackPlace, count: 48 });
family('POPA', ['61 v'], {
  count: 48,
  adjust: (draft, random) => {
    draft.registers[ESP] = DATA_BASE + random.pick([0x800, 0x801, 0xffe, 0xff0, 0xfff, 0x1fe0, 0]);
  },
}, { notes: ['cases that fault half-way are left out: silicon has loaded some registers by then'] });
family('PUSHF', ['9c v'], { ...stackPlace, count: 32 });
family('POPF', ['9d v'], {
  count: 48,
  adjust: (draft, random, form, operand16) => {
    stackPlace.adjust!(draft, random, form, operand16);
    // Neither TF nor AC, NT, ID: they would show up in the harness itself.
    if (draft.registers[ESP] <= DATA_BASE + 0x1ff0) setMemory(draft, draft.registers[ESP], random.next() & 0x3ed5);
  },
});
family('ENTER', ['c8 iw ib v'], {
  count: 64,
  adjust: (draft, random) => {
    draft.registers[ESP] = DATA_BASE + random.pick([0x800, 0x1002, 0x1010, 0x1ff0, 0x30]);
    draft.registers[EBP] = DATA_BASE + random.pick([0x900, 0x1006, 0x400, 0x1012]);
    draft.code.splice(-3, 3, random.below(64), random.pick([0, 0, 1]), random.pick([0, 1, 2, 3, 5, 31, 0x42]));
  },
});
family('LEAVE', ['c9 v'], {
  count: 48,
  adjust: (draft, random) => {
    draft.registers[EBP] = DATA_BASE + random.pick([0x900, 0xffe, 0xfff, 0x1ffd, 0x1ffc, 0x400]);
  },
});

/** Pointers into the data, both directions, counts that cross the page and run into the missing one. */
function stringPlace(repeats: boolean): Adjust {
  return (draft, random) => {
    const places = [0x200, 0x240, 0x248, 0xff0, 0xff8, 0xffd, 0x1002, 0x1008, 0x1fe0, 0x10, 3];
    draft.registers[ESI] = DATA_BASE + random.pick(places);
    draft.registers[EDI] = random.below(3) === 0 ? draft.registers[ESI] + random.pick([-8, -4, -1, 1, 2, 4, 8, 0]) : DATA_BASE + random.pick(places);
    if (random.below(3) === 0) draft.flags |= 0x400;
    if (repeats) draft.registers[ECX] = random.pick([0, 1, 2, 3, 5, 8, 16, 24, 33]);
    if (random.below(3) === 0) {
      // Equal runs for the comparisons, equal bytes for fills.
      const byte = random.below(256);
      draft.registers[EAX] = random.below(2) === 0 ? byte * 0x01010101 : draft.registers[EAX];
      const at = Math.max(DATA_BASE, draft.registers[random.pick([ESI, EDI])] - 16);
      draft.memory = { at, bytes: new Uint8Array(Math.min(32, DATA_BASE + 0x2000 - at)).fill(byte) };
    }
  };
}
for (const [name, opcode, compares] of [
  ['MOVS', 'a4', false], ['CMPS', 'a6', true], ['STOS', 'aa', false], ['LODS', 'ac', false], ['SCAS', 'ae', true],
] as const) {
  const wide = hex(parseInt(opcode, 16) + 1);
  family(name, [`${opcode} b`, `${wide} v`], { count: 24, adjust: stringPlace(false) });
  family(`REP-${name}`, [`${opcode} b`, `${wide} v`], { count: 64, adjust: stringPlace(true), prefixes: [0xf3] });
  if (compares) family(`REPNE-${name}`, [`${opcode} b`, `${wide} v`], { count: 64, adjust: stringPlace(true), prefixes: [0xf2] });
}
family('LOCK', ['f0 01 /r mem v', 'f0 0f b1 /r mem v', 'f0 89 /r mem v', 'f0 0f ba /5 mem ib v', 'f0 ff /0 mem v', 'f0 39 /r mem v', 'f0 01 /r reg v'], { count: 12 },
  { notes: ['LOCK before what cannot be locked is #UD (SDM 2A LOCK)'] });
family('segment-push', ['06 v', '0e v', '16 v', '1e v', '8c /1 v', '8c /3 v', '8c /2 v'], stackPlace,
  { notes: ['CS is 23h, the data segments 2Bh, as the host has them'] });
family('undefined', ['0f 0b b', 'ff /7 v', 'fe /2 b', '8f /1 v', 'c6 /1 ib b', '0f c7 /1 reg v', 'c4 c0 b', '62 c0 b'], { count: 4 });
family('NOP', ['90 b', 'f3 90 b', '0f 1f /0 v', '0f 18 /1 v'], { count: 6 });

/** Instructions on registers that leave every flag as silicon does: what sequences are made of. */
const IN_SEQUENCES = new Set([
  'ADD', 'OR', 'ADC', 'SBB', 'AND', 'SUB', 'XOR', 'CMP', 'TEST', 'INC', 'DEC', 'NOT', 'NEG', 'ROL', 'ROR', 'RCL', 'RCR', 'SHL', 'SHR',
  'SAR', 'SHLD', 'SHRD', 'MUL', 'IMUL', 'DIV', 'IDIV', 'BT', 'BTS', 'BTR', 'BTC', 'BSF', 'BSR', 'CMOVcc', 'SETcc', 'MOVZX', 'MOVSX', 'XCHG',
  'XADD', 'CMPXCHG', 'BSWAP', 'CBW', 'flags', 'DAA', 'DAS', 'AAA', 'AAS', 'AAM', 'AAD', 'PUSHF', 'PUSH',
]);
/** Shifts by CL: whether OF is defined depends on the register. */
const byCl = (code: Uint8Array): boolean => /^(66)?(d2|d3|0fa5|0fad)/.test([...code].map((byte) => hex(byte)).join(''));
const CONSUMERS = ['flags', 'CMOVcc', 'SETcc', 'ADC', 'SBB', 'RCL', 'RCR', 'PUSHF', 'INC', 'DEC', 'DAA', 'DAS'];

/** Short programs: the flags that one instruction leaves are what the next one reads. */
function sequences(): InstructionCase[] {
  const random = new Random(0x5e900001);
  const pools = new Map<string, Uint8Array[]>();
  for (const { name, cases } of families) {
    if (!IN_SEQUENCES.has(name)) continue;
    const usable = cases().filter((one) => one.memory === null && one.undefinedFlags === 0 && !byCl(one.code));
    pools.set(name, usable.map((one) => one.code));
  }
  const names = [...pools.keys()];
  const values = families[0].cases();
  return Array.from({ length: 3000 }, (): InstructionCase => {
    const code: number[] = [];
    const wanted = 3 + random.below(6);
    for (let index = 0; index < wanted; index++) {
      const next = random.pick(pools.get(random.pick(index % 2 === 0 ? names : CONSUMERS))!);
      if (code.length + next.length + 2 > 60) break;
      if (random.below(4) === 0) code.push(0x70 + random.below(16), next.length);
      code.push(...next);
    }
    const registers = random.pick(values).registers.map((value, index) => (index === ESP ? DATA_BASE + 0x800 : value));
    return {
      code: Uint8Array.from(code), at: DEFAULT_AT, registers, flags: random.next() & FLAG_MASK & ~0x400, memory: null, undefinedFlags: 0,
    };
  });
}
families.push({
  name: 'sequences', cases: sequences,
  // The stack must stay in the data.
  keep: ({ registers }) => registers[ESP] > DATA_BASE && registers[ESP] < DATA_BASE + REGION_BYTES,
  notes: ['short programs: the flags that one instruction leaves are what the next one reads'],
});

export const allFamilies: readonly Family[] = families;
