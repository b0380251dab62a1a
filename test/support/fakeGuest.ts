// A guest of fifty instructions that is interpreted for real, so that steps, breakpoints and traps of the fake
// debugger follow from each other. It prints a message on COM1, asks who it runs on, sleeps until the timer, again.
import type { ExitKind } from '../../core/machine/exitPolicy.ts';

export const REGISTERS = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'] as const;
export type Register = (typeof REGISTERS)[number];

export const SYMBOLS: readonly { name: string; address: number; kind: string; size: number }[] = [
  { name: '_start', address: 0x80100000, kind: 'function', size: 27 },
  { name: 'kmain', address: 0x80100040, kind: 'function', size: 42 },
  { name: 'put_char', address: 0x80100080, kind: 'function', size: 28 },
  { name: 'show_identity', address: 0x801000c0, kind: 'function', size: 22 },
  { name: 'on_timer', address: 0x80100100, kind: 'function', size: 13 },
  { name: 'panic', address: 0x80100140, kind: 'function', size: 4 },
  { name: 'message', address: 0x80103000, kind: 'object', size: 20 },
  { name: 'rounds', address: 0x80104000, kind: 'object', size: 4 },
  { name: 'ticks', address: 0x80104004, kind: 'object', size: 4 },
  { name: 'saved_idtr', address: 0x80104020, kind: 'object', size: 6 },
];

export const SOURCE_FILE = 'guest/kernel.c';
export const SOURCE_LINES = `// Prints a line on COM1, asks who it runs on, sleeps until the timer.
#include "kernel.h"

unsigned rounds, ticks;
static const char message[] = "hello from ring 0\\r\\n";

static void put_char(int letter)
{
	while ((in8(COM1 + LINE_STATUS) & 0x20) == 0)
		;
	out8(COM1, letter);
}

static void show_identity(void)
{
	cpuid(0);
	read_flags();
	store_idt(&saved_idtr);
	set_cr3(get_cr3());
}

void on_timer(void)
{
	ticks++;
	out8(PIC_COMMAND, END_OF_INTERRUPT);
}

void kmain(void)
{
	for (;;) {
		for (const char *p = message; *p; p++)
			put_char(*p);
		show_identity();
		rounds++;
		halt();
	}
}`.split('\n');

/** What the guest gave to the hypervisor. */
export interface FakeTrap {
  sequence: number;
  instructions: number;
  address: number;
  code: string;
  privilege: number;
  exitClass: ExitKind;
  cause: string;
  hypervisor: string;
  answer: string;
  costNs: number;
}

export interface Instruction {
  readonly address: number;
  readonly bytes: readonly number[];
  readonly text: string;
  readonly line: number | null;
  readonly sensitive: 'control' | 'behaviour' | null;
  readonly privileged: boolean;
  run(guest: FakeGuest): unknown;
}

const ZF = 0x40;
const PF = 0x04;
const IF = 0x200;
const hex = (value: number): string => `${value.toString(16).toUpperCase()}h`;

type Row = [bytes: string, text: string, run: (guest: FakeGuest) => unknown, line?: number];
const at = new Map<number, Instruction>();

/** One function: its instructions with their encodings and what they do. */
function define(start: number, ...rows: Row[]): void {
  let address = start;
  for (const [encoding, text, run, line] of rows) {
    const bytes = encoding.split(' ').map((byte) => parseInt(byte, 16));
    const mnemonic = text.split(' ')[0]!;
    const control = /^(cli|hlt|lgdt|in|out|iretd)$/.test(mnemonic) || text.startsWith('mov cr');
    const behaviour = /^(pushfd|sidt|cpuid)$/.test(mnemonic) || /, cr\d$/.test(text);
    at.set(address, {
      address,
      bytes,
      text,
      line: line ?? null,
      sensitive: control ? 'control' : behaviour ? 'behaviour' : null,
      privileged: control && mnemonic !== 'iretd',
      run,
    });
    address += bytes.length;
  }
}

const jump = (target: number) => (guest: FakeGuest) => void (guest.eip = target);
const jumpZero = (target: number) => (guest: FakeGuest) => {
  if ((guest.eflags & ZF) !== 0) guest.eip = target;
};
const call = (target: number) => (guest: FakeGuest) => {
  guest.push(guest.eip);
  guest.eip = target;
};
const push = (name: Register) => (guest: FakeGuest) => guest.push(guest.registers[name]);
const pop = (name: Register) => (guest: FakeGuest) => void (guest.registers[name] = guest.pop());
const set = (name: Register, value: (guest: FakeGuest) => number) => (guest: FakeGuest) =>
  void (guest.registers[name] = value(guest) >>> 0);
const low = (guest: FakeGuest, value: number): void =>
  void (guest.registers.eax = ((guest.registers.eax & ~0xff) | (value & 0xff)) >>> 0);

define(
  0x80100000,
  ['fa', 'cli', (g) => void (g.eflags &= ~IF)],
  [
    '0f 01 15 40 20 10 80',
    'lgdt [80102040h]',
    (g) => g.trap('descriptor-table', 'LGDT', 'table checked', '6 descriptors', 300),
  ],
  ['0f 20 c0', 'mov eax, cr0', set('eax', () => 0x80010011)],
  ['0d 00 00 01 80', 'or eax, 80010000h', () => undefined],
  ['0f 22 c0', 'mov cr0, eax', (g) => g.trap('control-register', 'CR0 write', 'nothing changed', '-', 410)],
  ['e8 28 00 00 00', 'call kmain', call(0x80100040)],
  ['f4', 'hlt', (g) => g.halt()],
  ['eb fd', 'jmp 80100018h', jump(0x80100018)],
);
define(
  0x80100040,
  ['55', 'push ebp', push('ebp'), 29],
  ['89 e5', 'mov ebp, esp', set('ebp', (g) => g.registers.esp), 29],
  ['be 00 30 10 80', 'mov esi, message', set('esi', () => 0x80103000), 31],
  ['8a 06', 'mov al, [esi]', (g) => low(g, g.read8(g.registers.esi)), 31],
  ['84 c0', 'test al, al', (g) => g.flagsOf(g.registers.eax & 0xff), 31],
  ['74 0e', 'je 8010005Ch', jumpZero(0x8010005c), 31],
  ['0f b6 c0', 'movzx eax, al', set('eax', (g) => g.registers.eax & 0xff), 32],
  ['50', 'push eax', push('eax'), 32],
  ['e8 29 00 00 00', 'call put_char', call(0x80100080), 32],
  ['59', 'pop ecx', pop('ecx'), 32],
  ['46', 'inc esi', set('esi', (g) => g.registers.esi + 1), 31],
  ['eb ed', 'jmp 80100048h', jump(0x80100048), 31],
  ['90', 'nop', () => undefined],
  ['e8 5f 00 00 00', 'call show_identity', call(0x801000c0), 33],
  ['ff 05 00 40 10 80', 'inc dword [rounds]', (g) => g.write32(0x80104000, g.read32(0x80104000) + 1), 34],
  ['f4', 'hlt', (g) => g.halt(), 35],
  ['eb d9', 'jmp 80100043h', jump(0x80100043), 30],
);
define(
  0x80100080,
  ['55', 'push ebp', push('ebp'), 7],
  ['89 e5', 'mov ebp, esp', set('ebp', (g) => g.registers.esp), 7],
  ['53', 'push ebx', push('ebx'), 7],
  ['8b 5d 08', 'mov ebx, [ebp+8]', set('ebx', (g) => g.read32(g.registers.ebp + 8)), 7],
  ['ba fd 03 00 00', 'mov edx, 3FDh', set('edx', () => 0x3fd), 9],
  ['ec', 'in al, dx', (g) => g.portIn(0x60), 9],
  ['a8 20', 'test al, 20h', (g) => g.flagsOf(g.registers.eax & 0x20), 9],
  ['74 fb', 'je 8010008Ch', jumpZero(0x8010008c), 9],
  ['ba f8 03 00 00', 'mov edx, 3F8h', set('edx', () => 0x3f8), 11],
  ['88 d8', 'mov al, bl', (g) => low(g, g.registers.ebx), 11],
  ['ee', 'out dx, al', (g) => g.portOut(g.registers.edx), 11],
  ['5b', 'pop ebx', pop('ebx'), 12],
  ['5d', 'pop ebp', pop('ebp'), 12],
  ['c3', 'ret', (g) => void (g.eip = g.pop()), 12],
);
define(
  0x801000c0,
  ['31 c0', 'xor eax, eax', set('eax', () => 0), 16],
  ['53', 'push ebx', push('ebx'), 16],
  ['0f a2', 'cpuid', (g) => g.cpuid(), 16],
  ['5b', 'pop ebx', pop('ebx'), 16],
  ['9c', 'pushfd', (g) => g.push(g.eflags), 17],
  ['58', 'pop eax', pop('eax'), 17],
  ['0f 01 0d 20 40 10 80', 'sidt [saved_idtr]', (g) => g.write32(0x80104020, 0x4ca007ff), 18],
  ['0f 20 d8', 'mov eax, cr3', set('eax', (g) => g.cr3), 19],
  ['0f 22 d8', 'mov cr3, eax', (g) => g.trap('control-register', 'CR3 write', 'TLB: 37 dropped', '-', 470), 19],
  ['c3', 'ret', (g) => void (g.eip = g.pop()), 20],
);
define(
  0x80100100,
  ['60', 'pushad', (g) => REGISTERS.forEach((name) => g.push(g.registers[name])), 23],
  ['ff 05 04 40 10 80', 'inc dword [ticks]', (g) => g.write32(0x80104004, g.read32(0x80104004) + 1), 24],
  ['b0 20', 'mov al, 20h', (g) => low(g, 0x20), 25],
  ['e6 20', 'out 20h, al', (g) => g.portOut(0x20), 25],
  ['61', 'popad', (g) => [...REGISTERS].reverse().forEach((name) => (g.registers[name] = g.pop())), 26],
  ['cf', 'iretd', (g) => g.interruptReturn(), 26],
);
define(
  0x80100140,
  ['fa', 'cli', (g) => void (g.eflags &= ~IF)],
  ['f4', 'hlt', (g) => g.halt()],
  ['eb fd', 'jmp 80100141h', jump(0x80100141)],
);

export const PROGRAM: ReadonlyMap<number, Instruction> = at;
const MEMORY_BYTES = 0x200000;
export const RING = 65536;

export class FakeGuest {
  readonly memory = new Uint8Array(MEMORY_BYTES);
  readonly #view = new DataView(this.memory.buffer);
  registers: Record<Register, number> = { eax: 0, ecx: 0, edx: 0, ebx: 0, esp: 0, ebp: 0, esi: 0, edi: 0 };
  eip = 0x80100000;
  eflags = 0x02;
  readonly cr3 = 0x00105000;
  instructions = 0;
  /** How often each instruction was executed. */
  readonly executed = new Map<number, number>();
  readonly counts = new Map<ExitKind, { count: number; ns: number }>();
  readonly vectors = new Map<number, number>();
  traps: FakeTrap[] = [];
  recordingUntil = 0;
  /** Last instruction's happenings, for breakpoints of other kinds. */
  happened: { exit: ExitKind | null; port: number | null; written: number | null; interrupt: boolean; iret: boolean } =
    {
      exit: null,
      port: null,
      written: null,
      interrupt: false,
      iret: false,
    };
  #sequence = 0;
  #current: Instruction | null = null;

  constructor() {
    for (const { address, bytes } of PROGRAM.values()) this.memory.set(bytes, address & 0x7fffffff);
    this.memory.set(new TextEncoder().encode('hello from ring 0\r\n'), 0x103000);
    this.memory.set(
      [0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0x9a, 0xcf, 0, 0xff, 0xff, 0, 0, 0, 0x92, 0xcf, 0],
      0x102d50,
    );
    this.registers.esp = 0x80107000;
    this.registers.edi = 0xb8000;
    this.eflags |= IF;
  }

  step(): void {
    this.happened = { exit: null, port: null, written: null, interrupt: false, iret: false };
    const instruction = PROGRAM.get(this.eip);
    if (instruction === undefined) {
      this.instructions++;
      this.eip = 0x80100140;
      return;
    }
    this.#current = instruction;
    this.eip = (this.eip + instruction.bytes.length) >>> 0;
    this.instructions++;
    this.executed.set(instruction.address, (this.executed.get(instruction.address) ?? 0) + 1);
    instruction.run(this);
  }

  trap(exitClass: ExitKind, cause: string, hypervisor: string, answer: string, ns: number, code?: string): void {
    const costNs = ns + ((this.instructions * 37) % 90);
    const known = this.counts.get(exitClass) ?? { count: 0, ns: 0 };
    this.counts.set(exitClass, { count: known.count + 1, ns: known.ns + costNs });
    this.happened.exit = exitClass;
    this.#sequence++;
    if (performance.now() > this.recordingUntil) return;
    this.traps.push({
      sequence: this.#sequence,
      instructions: this.instructions,
      address: this.#current!.address,
      code: code ?? this.#current!.text,
      privilege: 0,
      exitClass,
      cause,
      hypervisor,
      answer,
      costNs,
    });
    if (this.traps.length > RING * 1.5) this.traps = this.traps.slice(-RING);
  }

  halt(): void {
    this.trap('hlt', 'HLT', 'slept until the timer', 'vector 20h', 3_000_000);
    this.happened.interrupt = true;
    this.vectors.set(0x20, (this.vectors.get(0x20) ?? 0) + 1);
    this.push(this.eflags);
    this.push(0x08);
    this.push(this.eip);
    this.eip = 0x80100100;
    this.trap('interrupt', 'IRQ 0, vector 20h', 'injected at IF=1', 'in service', 330, 'interrupt');
  }

  interruptReturn(): void {
    this.eip = this.pop();
    this.pop();
    this.eflags = this.pop();
    this.happened.iret = true;
  }

  cpuid(): void {
    Object.assign(this.registers, { eax: 2, ebx: 0x70617254, edx: 0x20657a65, ecx: 0x21216d76 });
    this.trap('cpuid', 'CPUID leaf 0', 'from the CPU model', '"Trapeze vm!!"', 150);
  }

  portIn(value: number): void {
    const port = this.registers.edx;
    this.registers.eax = ((this.registers.eax & ~0xff) | value) >>> 0;
    this.happened.port = port;
    this.trap('port', `Port ${hex(port)} read, 1 byte`, 'COM1 line status', hex(value), 180);
  }

  portOut(port: number): void {
    const value = this.registers.eax & 0xff;
    this.happened.port = port;
    if (port === 0x20) this.trap('port', 'Port 20h write, 1 byte', 'end of interrupt', 'IRQ 0 clear', 120);
    else this.trap('port', `Port ${hex(port)} write, 1 byte`, `byte ${hex(value)} to COM1`, 'THR empty', 210);
  }

  flagsOf(value: number): void {
    const ones = (value & 0xff).toString(2).replaceAll('0', '').length;
    this.eflags = (this.eflags & ~(ZF | PF)) | (value === 0 ? ZF : 0) | (ones % 2 === 0 ? PF : 0);
  }

  push(value: number): void {
    this.registers.esp = (this.registers.esp - 4) >>> 0;
    this.#view.setUint32(this.registers.esp & 0x1fffff, value, true);
  }

  pop(): number {
    const value = this.#view.getUint32(this.registers.esp & 0x1fffff, true);
    this.registers.esp = (this.registers.esp + 4) >>> 0;
    return value;
  }

  read8(linear: number): number {
    return this.memory[linear & 0x1fffff]!;
  }

  read32(linear: number): number {
    return this.#view.getUint32(linear & 0x1fffff, true);
  }

  write32(linear: number, value: number): void {
    this.happened.written = linear;
    this.#view.setUint32(linear & 0x1fffff, value, true);
  }
}

export function symbolOf(address: number): string | null {
  const found = SYMBOLS.findLast((symbol) => symbol.address <= address && address < symbol.address + symbol.size);
  if (found === undefined) return null;
  return found.address === address ? found.name : `${found.name}+${hex(address - found.address)}`;
}
