// Cases recorded by test/oracle/x87Oracle.c, and running one on our CPU.
import { FIELD } from '../../core/cpu/state/layout.ts';
import { DATA, type X87Machine } from './x87Machine.ts';

/** What an instruction leaves behind, as text for comparison. */
export interface Outcome {
  readonly status: string;
  readonly control: string;
  readonly tags: string;
  readonly flags: string;
  readonly eax: string;
  readonly memory: string;
  /** Physical registers 0 to 7. */
  readonly registers: readonly string[];
}

export interface X87Case {
  readonly line: string;
  readonly code: string;
  readonly input: readonly string[];
  readonly expected: Outcome;
}

const INITIAL = [0, 0, 2, 3, 4, 5, 6, 7].map((i) => {
  const significand = BigInt(i) << (i < 4 ? 62n : 61n);
  return (i < 4 ? '4000' : '4001') + significand.toString(16).padStart(16, '0');
});

export function parseCase(line: string): X87Case {
  const [before, after] = line.split(' > ');
  const [code, ...input] = before.split(' ');
  const [status, control, tags, flags, eax, memory, ...changes] = after.split(' ');
  const registers = initialRegisters(input);
  for (const change of changes) {
    const [number, value] = change.split('=');
    registers[Number(number)] = value;
  }
  return { line, code, input, expected: { status, control, tags, flags, eax, memory, registers } };
}

function initialRegisters(input: readonly string[]): string[] {
  const top = (Number.parseInt(input[1], 16) >> 11) & 7;
  const stack = [input[3], input[4], ...INITIAL.slice(2)];
  const registers: string[] = [];
  stack.forEach((value, i) => (registers[(top + i) & 7] = value));
  return registers;
}

export function runCase(machine: X87Machine, { code, input }: X87Case): Outcome {
  const { cpu } = machine;
  const number = (index: number): number => Number.parseInt(input[index], 16);
  cpu.set32(FIELD.fpControl, number(0));
  cpu.set32(FIELD.fpStatus, number(1));
  cpu.set32(FIELD.fpTags, number(2));
  cpu.eflags = number(5);
  cpu.setReg32(0, number(6));
  initialRegisters(input).forEach((value, physical) => {
    const at = cpu.base + FIELD.fpr + physical * 16;
    cpu.view.setBigUint64(at, BigInt('0x' + value.slice(4)), true);
    cpu.view.setUint16(at + 8, Number.parseInt(value.slice(0, 4), 16), true);
  });
  const memory = input[7] === '-' ? Buffer.alloc(0) : Buffer.from(input[7], 'hex');
  machine.ram.set(memory, DATA);
  const vector = machine.runAt(machine.place(code));
  const length = memory.length;
  // Pointers differ between processors.
  if (length === 14 || length === 94) machine.ram.fill(0, DATA + 6, DATA + 14);
  if (length === 28 || length === 108) machine.ram.fill(0, DATA + 12, DATA + 28);
  const hex = (value: number): string => value.toString(16);
  return {
    status: vector >= 0 ? `vector ${vector}` : hex(cpu.get32(FIELD.fpStatus)),
    control: hex(cpu.get32(FIELD.fpControl)),
    tags: hex(cpu.get32(FIELD.fpTags)),
    flags: hex(cpu.eflags & 0x8d5),
    eax: hex(cpu.reg32(0)),
    memory: length === 0 ? '-' : Buffer.from(machine.ram.subarray(DATA, DATA + length)).toString('hex'),
    registers: Array.from({ length: 8 }, (_, physical) => {
      const at = cpu.base + FIELD.fpr + physical * 16;
      const exponent = cpu.view.getUint16(at + 8, true).toString(16).padStart(4, '0');
      return exponent + cpu.view.getBigUint64(at, true).toString(16).padStart(16, '0');
    }),
  };
}

/** What differs, for people; empty when nothing does. */
export function differences(actual: Outcome, expected: Outcome): string {
  const parts: string[] = [];
  for (const key of ['status', 'control', 'tags', 'flags', 'eax', 'memory'] as const) {
    if (actual[key] !== expected[key]) parts.push(`${key} ${actual[key]} instead of ${expected[key]}`);
  }
  actual.registers.forEach((value, n) => {
    if (value !== expected.registers[n]) parts.push(`R${n} ${value} instead of ${expected.registers[n]}`);
  });
  return parts.join('; ');
}
