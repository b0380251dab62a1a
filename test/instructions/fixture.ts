// The text form of instruction tests: a header and one case a line (README.md).

/** Where cases run, in the harness and in the interpreter alike. */
export const CODE_BASE = 0x10000000;
export const DATA_BASE = 0x20000000;
export const REGION_BYTES = 0x2000;
export const REGISTERS = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'] as const;
/** CF PF AF ZF SF DF OF. */
export const FLAG_MASK = 0xcd5;

/** What the data region holds before a case's own bytes. */
export const patternByte = (offset: number): number => (offset * 37 + (offset >>> 8) * 11 + 5) & 0xff;

export interface InstructionCase {
  readonly code: Uint8Array;
  /** Address of the code. */
  readonly at: number;
  readonly registers: readonly number[];
  readonly flags: number;
  readonly memory: { readonly at: number; readonly bytes: Uint8Array } | null;
  /** Flags that the manual leaves undefined for this case. */
  readonly undefinedFlags: number;
}

export interface InstructionResult {
  readonly registers: readonly number[];
  readonly flags: number;
  readonly eip: number;
  /** The fault's vector; -1 when the instruction ended well. */
  readonly vector: number;
  readonly error: number;
  readonly cr2: number;
  /** Changed bytes: address -> value, ascending. */
  readonly changes: readonly (readonly [number, number])[];
}

export interface FixtureHeader {
  readonly instruction: string;
  /** Engines that must pass it. */
  readonly engines: readonly string[];
  /** Where the expected values come from. */
  readonly expected: string;
  /** The instruction reads its own address: it may not be moved. */
  readonly fixed: boolean;
  readonly notes: readonly string[];
}

export interface Fixture {
  readonly header: FixtureHeader;
  readonly cases: readonly { readonly input: InstructionCase; readonly result: InstructionResult }[];
}

const hex = (value: number): string => (value >>> 0).toString(16);
const hexBytes = (bytes: Iterable<number>): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
const bytesOf = (text: string): Uint8Array =>
  Uint8Array.from({ length: text.length / 2 }, (_, index) => parseInt(text.slice(index * 2, index * 2 + 2), 16));

/** Runs of adjacent changed bytes as `address:bytes`. */
function changeRuns(changes: InstructionResult['changes']): string[] {
  const runs: { at: number; bytes: number[] }[] = [];
  for (const [address, value] of changes) {
    const last = runs.at(-1);
    if (last && last.at + last.bytes.length === address) last.bytes.push(value);
    else runs.push({ at: address, bytes: [value] });
  }
  return runs.map((run) => `${hex(run.at)}:${hexBytes(run.bytes)}`);
}

export function formatResult(input: InstructionCase, result: InstructionResult): string {
  const words: string[] = [];
  if (result.vector >= 0) words.push(`#${result.vector}`, `err=${hex(result.error)}`);
  if (result.vector === 14) words.push(`cr2=${hex(result.cr2)}`);
  words.push(`ip=${hex(result.eip)}`);
  REGISTERS.forEach((name, index) => {
    if (result.registers[index] !== input.registers[index]) words.push(`${name}=${hex(result.registers[index])}`);
  });
  if (result.flags !== input.flags) words.push(`fl=${hex(result.flags)}`);
  for (const run of changeRuns(result.changes)) words.push(`m=${run}`);
  return words.join(' ');
}

export function formatCase(input: InstructionCase, result: InstructionResult): string {
  const words = [hexBytes(input.code), input.registers.map(hex).join(','), hex(input.flags)];
  if (input.at !== DEFAULT_AT) words.push(`at=${hex(input.at)}`);
  if (input.memory) words.push(`m=${hex(input.memory.at)}:${hexBytes(input.memory.bytes)}`);
  if (input.undefinedFlags !== 0) words.push(`undefined=${hex(input.undefinedFlags)}`);
  return `${words.join(' ')} > ${formatResult(input, result)}`;
}

/** Where code lies unless a case says otherwise. */
export const DEFAULT_AT = CODE_BASE + 0x100;

export function formatFixture(fixture: Fixture): string {
  const { header } = fixture;
  const lines = [
    `# instruction: ${header.instruction}`,
    `# engines: ${header.engines.join(' ')}`,
    `# expected: ${header.expected}`,
    ...(header.fixed ? ['# position: fixed'] : []),
    ...header.notes.map((note) => `# note: ${note}`),
    '# code eax,ecx,edx,ebx,esp,ebp,esi,edi flags > what changed',
  ];
  return [...lines, ...fixture.cases.map(({ input, result }) => formatCase(input, result)), ''].join('\n');
}

function parseCase(line: string): { input: InstructionCase; result: InstructionResult } {
  const [before, after] = line.split(' > ');
  const [code, registerText, flagText, ...options] = before.split(' ');
  const option = (words: readonly string[], name: string): string | undefined =>
    words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
  const number = (text: string | undefined, otherwise: number): number => (text === undefined ? otherwise : parseInt(text, 16));
  const memoryText = option(options, 'm');
  const [memoryAt, memoryBytes] = memoryText?.split(':') ?? [];
  const input: InstructionCase = {
    code: bytesOf(code),
    at: number(option(options, 'at'), DEFAULT_AT),
    registers: registerText.split(',').map((text) => parseInt(text, 16)),
    flags: parseInt(flagText, 16),
    memory: memoryText === undefined ? null : { at: parseInt(memoryAt, 16), bytes: bytesOf(memoryBytes) },
    undefinedFlags: number(option(options, 'undefined'), 0),
  };
  const words = after.split(' ');
  const vectorText = words.find((word) => word.startsWith('#'));
  const changes = words
    .filter((word) => word.startsWith('m='))
    .flatMap((word) => {
      const [at, bytes] = word.slice(2).split(':');
      return [...bytesOf(bytes)].map((value, index) => [parseInt(at, 16) + index, value] as const);
    });
  return {
    input,
    result: {
      registers: REGISTERS.map((name, index) => number(option(words, name), input.registers[index])),
      flags: number(option(words, 'fl'), input.flags),
      eip: number(option(words, 'ip'), 0),
      vector: vectorText === undefined ? -1 : Number(vectorText.slice(1)),
      error: number(option(words, 'err'), 0),
      cr2: number(option(words, 'cr2'), 0),
      changes,
    },
  };
}

export function parseFixture(text: string): Fixture {
  const lines = text.split('\n').filter((line) => line !== '');
  const comments = lines.filter((line) => line.startsWith('# ')).map((line) => line.slice(2));
  const values = (name: string): string[] =>
    comments.filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2));
  return {
    header: {
      instruction: values('instruction')[0],
      engines: values('engines')[0].split(' '),
      expected: values('expected')[0],
      fixed: values('position')[0] === 'fixed',
      notes: values('note'),
    },
    cases: lines.filter((line) => !line.startsWith('#')).map(parseCase),
  };
}
