// What two machines differ in: everything that the guest can see, and guest time.
import type { Device } from '../../bus/device.ts';
import type { Cpu } from '../../cpu/cpu.ts';
import { HOST_FIELDS } from '../../cpu/state/hostFields.ts';
import { FIELD, STATE_BYTES } from '../../cpu/state/layout.ts';
import type { ComparedMachine } from './comparedMachine.ts';

export interface Difference {
  /** `eax`, `memory 00012345h`, `device pit`, `guest time`... */
  readonly name: string;
  readonly values: readonly [string, string];
}

/** Where to look again and again: parts that are known to differ later. */
export interface Suspects {
  readonly pages: readonly number[];
  readonly devices: readonly string[];
}

export const NO_SUSPECTS: Suspects = { pages: [], devices: [] };

const PAGE = 4096;
const PAGE_WORDS = PAGE / 4;
/** Pages that are looked at after every piece. */
const MOST_SUSPECTS = 64;
/** Bytes of memory that are listed. */
const MOST_BYTES = 16;

/** Indexes of the words of the vCPU's state that the guest can see. */
const GUEST_WORDS = guestWords();

function guestWords(): Uint16Array {
  const words: number[] = [];
  for (let word = 0; word < STATE_BYTES / 4; word++) {
    const at = word * 4;
    if (!HOST_FIELDS.some(([offset, length]) => at >= offset && at < offset + length)) words.push(word);
  }
  return Uint16Array.from(words);
}

/** Whether processors, guest time, run states or one of the suspects differ: quick enough for every instruction. */
export function differQuickly(a: ComparedMachine, b: ComparedMachine, suspects: Suspects): boolean {
  const first = a.target.cpu, second = b.target.cpu;
  if (first.instructionCount !== second.instructionCount || first.activity !== second.activity) return true;
  if (a.machine.state !== b.machine.state) return true;
  if (a.machine.inspection.hypervisor.now() !== b.machine.inspection.hypervisor.now()) return true;
  if (first.eflags !== second.eflags) return true;
  for (const word of GUEST_WORDS) if (first.u32[first.word + word] !== second.u32[second.word + word]) return true;
  for (const page of suspects.pages) if (!samePage(first, second, page)) return true;
  return suspects.devices.length > 0 && differingDevices(a, b, suspects.devices).length > 0;
}

/** All that differs and is to be looked at; null: nothing does. */
export function suspectsOf(a: ComparedMachine, b: ComparedMachine): Suspects | null {
  const pages = differingPages(a.target.cpu, b.target.cpu), devices = differingDevices(a, b);
  const others = differQuickly(a, b, NO_SUSPECTS) || stateOutside(a) !== stateOutside(b);
  return pages.length === 0 && devices.length === 0 && !others ? null : { pages: pages.slice(0, MOST_SUSPECTS), devices };
}

const stateOutside = ({ target }: ComparedMachine): string => target.cpu.stateOutside;

const firstWord = (cpu: Cpu, page: number): number => (cpu.map.ram >>> 2) + page * PAGE_WORDS;

function samePage(a: Cpu, b: Cpu, page: number): boolean {
  const first = a.u32, second = b.u32, from = firstWord(a, page), offset = firstWord(b, page) - from;
  for (let word = from; word < from + PAGE_WORDS; word++) if (first[word] !== second[word + offset]) return false;
  return true;
}

function differingPages(a: Cpu, b: Cpu): number[] {
  const pages: number[] = [];
  for (let page = 0; page < a.map.ramBytes / PAGE; page++) if (!samePage(a, b, page)) pages.push(page);
  return pages;
}

function differingDevices(a: ComparedMachine, b: ComparedMachine, only?: readonly string[]): string[] {
  const wanted = ({ id }: Device): boolean => only === undefined || only.includes(id);
  const text = ({ machine }: ComparedMachine): Map<string, string> =>
    new Map(machine.inspection.devices.filter(wanted).map((device) => [device.id, machine.inspection.deviceText(device)]));
  const first = text(a), second = text(b);
  return [...first].filter(([id, state]) => second.get(id) !== state).map(([id]) => id);
}

/** Every difference by name, for people. */
export function listDifferences(a: ComparedMachine, b: ComparedMachine): Difference[] {
  return [...runDifferences(a, b), ...registerDifferences(a, b), ...memoryDifferences(a, b), ...deviceDifferences(a, b)];
}

function runDifferences(a: ComparedMachine, b: ComparedMachine): Difference[] {
  const pair = (name: string, read: (of: ComparedMachine) => string): Difference[] =>
    read(a) === read(b) ? [] : [{ name, values: [read(a), read(b)] }];
  return [
    ...pair('machine', ({ machine }) => `${machine.state} ${machine.stopReason?.kind ?? ''}`.trim()),
    ...pair('processor', ({ target }) => target.cpu.activity),
    ...pair('instructions', ({ count }) => String(count)),
    ...pair('guest time', ({ machine }) => `${machine.inspection.hypervisor.now()} ns`),
    ...pair('counters, last branches and other MSRs', stateOutside),
  ];
}

function registerDifferences(a: ComparedMachine, b: ComparedMachine): Difference[] {
  const found: Difference[] = [];
  const { registers } = a.target;
  // Widest first: a part of a register that is listed already says nothing new.
  const names = [...registers.names].sort((one, other) => registers.width(other) - registers.width(one));
  for (const name of names) {
    const first = registers.get(name), second = b.target.registers.get(name);
    if (first === undefined || second === undefined || first === second) continue;
    if (found.some((other) => partOf(name, other.name))) continue;
    const digits = Math.ceil(registers.width(name) / 4);
    found.push({ name, values: [hex(first, digits), hex(second, digits)] });
  }
  return [...found, ...unnamedDifferences(a.target.cpu, b.target.cpu, found.length)];
}

/** `al`, `ax` and `eax` are parts of `rax`; `r8d` of `r8`; `ip` of `rip`; `sp` of `rsp`. */
function partOf(name: string, whole: string): boolean {
  const core = (text: string): string =>
    text.replace(/^[re](?=[a-z])/, '').replace(/^([abcd])[xlh]$/, '$1').replace(/^(r\d+)[dwb]$/, '$1').replace(/^(sp|bp|si|di)l$/, '$1');
  return core(name) === core(whole);
}

/** State that has no name of its own, if nothing that has one differs: vector registers and the like. */
function unnamedDifferences(a: Cpu, b: Cpu, named: number): Difference[] {
  const found: Difference[] = [];
  for (const word of GUEST_WORDS) {
    const first = a.u32[a.word + word], second = b.u32[b.word + word];
    if (first === second) continue;
    const name = vectorName(word * 4) ?? (named === 0 ? `vCPU state ${hex(BigInt(word * 4), 4)}` : null);
    if (name !== null) found.push({ name, values: [hex(BigInt(first), 8), hex(BigInt(second), 8)] });
  }
  return found.slice(0, MOST_BYTES);
}

function vectorName(offset: number): string | null {
  if (offset === FIELD.mxcsr) return 'mxcsr';
  if (offset < FIELD.xmm || offset >= FIELD.xmm + 16 * 64) return null;
  const register = (offset - FIELD.xmm) >>> 6, word = (offset & 63) >>> 2;
  return `xmm${register}[${word * 32 + 31}:${word * 32}]`;
}

function memoryDifferences(a: ComparedMachine, b: ComparedMachine): Difference[] {
  const first = a.target.cpu, second = b.target.cpu;
  const found: Difference[] = [];
  let bytes = 0;
  for (const page of differingPages(first, second)) {
    for (let at = page * PAGE; at < (page + 1) * PAGE; at++) {
      const values = [first.u8[first.map.ram + at], second.u8[second.map.ram + at]] as const;
      if (values[0] === values[1]) continue;
      bytes++;
      if (found.length < MOST_BYTES) found.push({ name: `memory ${hex(BigInt(at), 8)}`, values: [hex(BigInt(values[0]), 2), hex(BigInt(values[1]), 2)] });
    }
  }
  if (bytes > found.length) found.push({ name: 'memory', values: [`${bytes} bytes`, 'differ in all'] });
  return found;
}

function deviceDifferences(a: ComparedMachine, b: ComparedMachine): Difference[] {
  return differingDevices(a, b).map((id) => {
    const state = ({ machine }: ComparedMachine): Record<string, unknown> => {
      const device = machine.inspection.devices.find((candidate) => candidate.id === id)!;
      return JSON.parse(machine.inspection.deviceText(device).slice(id.length + 1)) as Record<string, unknown>;
    };
    const first = state(a), second = state(b);
    const keys = Object.keys(first).filter((key) => JSON.stringify(first[key]) !== JSON.stringify(second[key]));
    const text = (of: Record<string, unknown>): string => shorten(keys.map((key) => `${key} ${JSON.stringify(of[key])}`).join(', '));
    return { name: `device ${id}`, values: [text(first), text(second)] };
  });
}

const MOST_CHARACTERS = 120;
const shorten = (text: string): string => (text.length <= MOST_CHARACTERS ? text : `${text.slice(0, MOST_CHARACTERS)}...`);
const hex = (value: bigint, digits: number): string => `${value.toString(16).padStart(digits, '0')}h`;
