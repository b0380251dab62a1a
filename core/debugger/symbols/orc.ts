// ORC: what a 64-bit Linux kernel keeps in memory about its own frames (Linux, Documentation/arch/x86/orc-unwinder.rst,
// arch/x86/include/asm/orc_types.h). Two tables in step: code addresses, each relative to its own place and sorted, and entries
// that say where the caller's stack begins. They are read out of the guest at each look-up, so nothing here grows old.
import type { FrameRegisters, UnwoundFrame } from './callFrames.ts';
import type { FrameMemory } from './frameExpression.ts';

const ENTRY_BYTES = 6n;
const MAX_ENTRIES = 1n << 24n;
/** Entries that tell which layout this kernel has. */
const SAMPLES = 64n;

/** ORC_REG_*. */
const REG = { undefined: 0, prevSp: 1, dx: 2, di: 3, bp: 4, sp: 5, r10: 6, r13: 7, bpIndirect: 8, spIndirect: 9 } as const;
/** DWARF numbers of the registers that hold a stack (psABI). */
const DWARF = { rdx: 1, rdi: 5, rbp: 6, rsp: 7, r10: 10, r13: 13 } as const;
/** struct pt_regs: the words that matter. */
const PT_REGS = { r15: 0n, r14: 8n, r13: 16n, r12: 24n, bp: 32n, bx: 40n, r11: 48n, r10: 56n, r9: 64n, r8: 72n, ax: 80n, cx: 88n, dx: 96n, si: 104n, di: 112n, ip: 128n, sp: 152n } as const;
const PT_REGS_DWARF: readonly (readonly [number, bigint])[] = [
  [0, PT_REGS.ax], [1, PT_REGS.dx], [2, PT_REGS.cx], [3, PT_REGS.bx], [4, PT_REGS.si], [5, PT_REGS.di], [6, PT_REGS.bp], [7, PT_REGS.sp],
  [8, PT_REGS.r8], [9, PT_REGS.r9], [10, PT_REGS.r10], [11, PT_REGS.r11], [12, PT_REGS.r12], [13, PT_REGS.r13], [14, PT_REGS.r14], [15, PT_REGS.r15],
];
/** struct iret: IP, CS, FLAGS, SP, SS. */
const IRET = { ip: 0n, sp: 24n, bytes: 40n } as const;
const PT_REGS_BYTES = 168n;

export interface OrcTables {
  readonly ips: bigint;
  readonly ipsEnd: bigint;
  readonly entries: bigint;
}

type Kind = 'undefined' | 'end' | 'call' | 'registers' | 'iret';

interface Entry {
  readonly kind: Kind;
  readonly spRegister: number;
  readonly spOffset: bigint;
  readonly bpRegister: number;
  readonly bpOffset: bigint;
}

/** Where a kernel's tables are, if its symbols say so. */
export function orcTables(address: (name: string) => bigint | undefined): OrcTables | null {
  const ips = address('__start_orc_unwind_ip'), ipsEnd = address('__stop_orc_unwind_ip'), entries = address('__start_orc_unwind');
  if (ips === undefined || ipsEnd === undefined || entries === undefined) return null;
  const count = (ipsEnd - ips) / 4n;
  return count > 0n && count < MAX_ENTRIES ? { ips, ipsEnd, entries } : null;
}

/** The caller of the frame whose code is at `address`; 'end': there is none; null: the tables do not know. Throws nothing. */
export function unwindOrc(tables: OrcTables, address: bigint, registers: FrameRegisters, memory: FrameMemory): UnwoundFrame | 'end' | null {
  const index = find(tables, address, memory);
  if (index === null) return null;
  const entry = entryAt(tables, index, memory);
  if (entry === null || entry.kind === 'undefined') return null;
  if (entry.kind === 'end') return 'end';
  const stack = callerStack(entry, registers, memory);
  if (stack === null) return null;
  if (entry.kind === 'registers') return fromRegisters(stack, memory);
  const callee = [...registers];
  const at = entry.kind === 'iret' ? stack + IRET.ip : stack - 8n;
  const returnAddress = memory(at, 8), sp = entry.kind === 'iret' ? memory(stack + IRET.sp, 8) : stack;
  if (returnAddress === null || sp === null) return null;
  callee[DWARF.rbp] = callerFramePointer(entry, stack, registers, memory);
  callee[DWARF.rsp] = sp;
  return { frame: entry.kind === 'iret' ? stack + IRET.bytes : stack, returnAddress, registers: callee, signal: entry.kind === 'iret' };
}

/** Index of the last address that is not above. */
function find(tables: OrcTables, address: bigint, memory: FrameMemory): bigint | null {
  let low = 0n, high = (tables.ipsEnd - tables.ips) / 4n - 1n;
  let found: bigint | null = null;
  while (low <= high) {
    const middle = (low + high) / 2n, place = tables.ips + middle * 4n;
    const offset = memory(place, 4);
    if (offset === null) return null;
    const ip = BigInt.asUintN(64, place + BigInt.asIntN(32, offset));
    if (ip <= address) {
      found = middle;
      low = middle + 1n;
    } else high = middle - 1n;
  }
  // Beyond the last address lies code that these tables do not speak of, a module's for example.
  return found === (tables.ipsEnd - tables.ips) / 4n - 1n ? null : found;
}

interface Word {
  readonly spOffset: number;
  readonly bpOffset: number;
  readonly flags: number;
}

function wordAt(tables: OrcTables, index: bigint, memory: FrameMemory): Word | null {
  const at = tables.entries + index * ENTRY_BYTES;
  // Six bytes: four, and two of the four from its third on.
  const offsets = memory(at, 4), rest = memory(at + 2n, 4);
  if (offsets === null || rest === null) return null;
  const signed = (value: number): number => (value << 16) >> 16;
  return { spOffset: signed(Number(offsets & 0xffffn)), bpOffset: signed(Number(offsets >> 16n)), flags: Number(rest >> 16n) & 0xffff };
}

function entryAt(tables: OrcTables, index: bigint, memory: FrameMemory): Entry | null {
  const word = wordAt(tables, index, memory);
  if (word === null) return null;
  return {
    kind: isNewLayout(tables, memory) ? newKind(word.flags) : oldKind(word.flags),
    spRegister: word.flags & 15,
    spOffset: BigInt(word.spOffset),
    bpRegister: (word.flags >> 4) & 15,
    bpOffset: BigInt(word.bpOffset),
  };
}

/** Since 6.4 three bits of type: undefined, end, call, registers, partial registers. */
const newKind = (flags: number): Kind => (['undefined', 'end', 'call', 'registers', 'iret'] as const)[(flags >> 8) & 7] ?? 'undefined';

/** Before: two bits of type (call, registers, partial registers, function), then bits of which `end` is the last. */
function oldKind(flags: number): Kind {
  if ((flags & 15) === REG.undefined) return ((flags >> 10) & 3) === 0 ? 'undefined' : 'end';
  return (['call', 'registers', 'iret', 'call'] as const)[(flags >> 8) & 3]!;
}

/** Nearly all entries are of calls: that is type 0 of old kernels and 2 of new ones. */
function isNewLayout(tables: OrcTables, memory: FrameMemory): boolean {
  const count = (tables.ipsEnd - tables.ips) / 4n, step = count / SAMPLES || 1n;
  let calls = 0, others = 0;
  for (let index = 0n; index < count; index += step) {
    const word = wordAt(tables, index, memory);
    if (word === null || (word.flags & 15) === REG.undefined) continue;
    const type = (word.flags >> 8) & 7;
    if (type === 2) calls++;
    else if (type === 0) others++;
  }
  return calls > others;
}

/** The stack as it was before the call, or where the registers were saved. */
function callerStack(entry: Entry, registers: FrameRegisters, memory: FrameMemory): bigint | null {
  const from = (register: number, offset: bigint): bigint | null => {
    const value = registers[register];
    return value === undefined ? null : BigInt.asUintN(64, value + offset);
  };
  const through = (place: bigint | null): bigint | null => (place === null ? null : memory(place, 8));
  switch (entry.spRegister) {
    case REG.sp: return from(DWARF.rsp, entry.spOffset);
    case REG.bp: return from(DWARF.rbp, entry.spOffset);
    case REG.spIndirect: {
      const value = through(from(DWARF.rsp, 0n));
      return value === null ? null : BigInt.asUintN(64, value + entry.spOffset);
    }
    case REG.bpIndirect: return through(from(DWARF.rbp, entry.spOffset));
    case REG.r10: return from(DWARF.r10, 0n);
    case REG.r13: return from(DWARF.r13, 0n);
    case REG.di: return from(DWARF.rdi, 0n);
    case REG.dx: return from(DWARF.rdx, 0n);
    default: return null;
  }
}

function callerFramePointer(entry: Entry, stack: bigint, registers: FrameRegisters, memory: FrameMemory): bigint | undefined {
  const own = registers[DWARF.rbp];
  if (entry.bpRegister === REG.prevSp) return memory(BigInt.asUintN(64, stack + entry.bpOffset), 8) ?? undefined;
  if (entry.bpRegister === REG.bp && own !== undefined) return memory(BigInt.asUintN(64, own + entry.bpOffset), 8) ?? undefined;
  return own;
}

/** struct pt_regs: an interrupt, an exception or a system call saved everything. */
function fromRegisters(at: bigint, memory: FrameMemory): UnwoundFrame | null {
  const returnAddress = memory(at + PT_REGS.ip, 8);
  if (returnAddress === null || memory(at + PT_REGS.sp, 8) === null) return null;
  const registers: (bigint | undefined)[] = [];
  for (const [number, offset] of PT_REGS_DWARF) registers[number] = memory(at + offset, 8) ?? undefined;
  return { frame: at + PT_REGS_BYTES, returnAddress, registers, signal: true };
}
