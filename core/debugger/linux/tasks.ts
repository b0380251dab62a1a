// Processes: the list of `struct task_struct` that begins with init_task (Linux, include/linux/sched.h). Where its fields lie
// differs from kernel to kernel; here it is inferred from what can mean nothing else:
//   comm     the idle task's name, `swapper/0`
//   tasks    the links that lead through tasks with printable names back to init_task
//   pid      two equal numbers that are 0 for init_task, 1 for the next and 2 for the one behind it
//   parents  real_parent, parent and group_leader of init_task are itself: so its address is known
//   mm       the field that is null in kernel threads and equal to the next, active_mm, in processes
//   pgd      the page of page tables in it that maps the kernel as the current ones do
import type { z } from 'zod';
import type { linuxTaskSchema } from '../../api/debug.ts';
import { DebugError, type SymbolSource } from '../target.ts';
import { nameIn, pointerIn, wordIn, type GuestMemory } from './guestMemory.ts';

export type LinuxTask = z.output<typeof linuxTaskSchema>;

const IDLE = new TextEncoder().encode('swapper');
const IDLE_BOOT = new TextEncoder().encode('swapper/0\0\0\0\0\0\0\0');
const COMM_BYTES = 16;
/** How far before comm the structure may begin. */
const BEFORE = 12 << 10;
const MAX_TASKS = 32_768;
const MAX_HITS = 200;
const MM_BYTES = 0x200;
/** TASK_* of include/linux/sched.h without what only modifies them: wake-kill, no load, freezable. */
const STATES: Readonly<Record<number, string>> = {
  0: 'running', 1: 'sleeping', 2: 'disk sleep', 4: 'stopped', 8: 'traced', 0x10: 'dead', 0x20: 'zombie', 0x40: 'parked', 0x80: 'dead',
  0x200: 'waking', 0x800: 'new', 0x1000: 'lock wait', 0x8000: 'frozen',
};
const MODIFIERS = 0x6500;
const IDLE_STATE = 0x402;

function stateText(value: number): string | undefined {
  if (value < 0 || value > 0x1ffff) return undefined;
  return (value & IDLE_STATE) === IDLE_STATE ? 'idle' : STATES[value & 0xffff & ~MODIFIERS];
}
const isSleeping = (value: number): boolean => (value & 3) !== 0;

/** Offsets are relative to the link in `tasks`. */
export interface TaskLayout {
  /** Link of init_task. */
  readonly head: bigint;
  readonly comm: number;
  readonly pid: number | null;
  readonly base: number | null;
  readonly state: number | null;
  readonly stack: number | null;
  readonly mm: number | null;
  readonly pgd: number | null;
}

/** Throws a DebugError when no list of tasks is found. */
export function inferTaskLayout(memory: GuestMemory, symbols: SymbolSource): TaskLayout {
  const symbol = symbols.address('init_task');
  const found = symbol === undefined ? inMemory(memory) : atSymbol(memory, symbol);
  if (found === null) {
    throw new DebugError(
      symbol === undefined ? 'no idle task of a Linux kernel was found in memory' : `expected the list of tasks in init_task at ${symbol.toString(16)}h, found none`,
    );
  }
  return completed(memory, found);
}

/** The tasks that a layout leads to. Throws a DebugError when the list is broken. */
export function readTasks(memory: GuestMemory, layout: TaskLayout): LinuxTask[] {
  const links = linksFrom(memory, layout.head, layout.comm);
  if (links === null) throw new DebugError('the list of tasks is broken: it does not lead back to its beginning');
  const stackPointer = stackPointerOf(memory), root = pageRoot(memory);
  const tasks = links.map((link) => readTask(memory, layout, link));
  let current = tasks.findIndex(({ stack }) => stack !== null && stackPointer >= stack && stackPointer < stack + stackBytes(memory));
  if (current < 0) current = tasks.findIndex(({ task }) => task.addressSpace !== '0' && BigInt(`0x${task.addressSpace}`) === root);
  return tasks.map(({ task }, index) => ({ ...task, current: index === current }));
}

const stackBytes = (memory: GuestMemory): bigint => (memory.pointerBytes === 8 ? 0x4000n : 0x2000n);
const stackPointerOf = (memory: GuestMemory): bigint =>
  memory.target.registers.get(memory.pointerBytes === 8 ? 'rsp' : 'esp') ?? 0n;
const pageRoot = (memory: GuestMemory): bigint => (memory.target.registers.get('cr3') ?? 0n) & ~0xfffn;

function readTask(memory: GuestMemory, layout: TaskLayout, link: bigint): { task: LinuxTask; stack: bigint | null } {
  const at = (offset: number | null): bigint => link + BigInt(offset ?? 0);
  const name = memory.bytes(at(layout.comm), COMM_BYTES);
  const state = layout.state === null ? null : memory.u32(at(layout.state));
  const space = layout.mm === null || layout.pgd === null ? 0n : addressSpace(memory, memory.pointer(at(layout.mm)), layout.pgd);
  return {
    stack: layout.stack === null ? null : memory.pointer(at(layout.stack)),
    task: {
      pid: layout.pid === null ? -1 : (memory.u32(at(layout.pid)) ?? -1) | 0,
      name: (name === null ? null : nameIn(name, 0, COMM_BYTES)) ?? '?',
      state: state === null ? '' : (stateText(state) ?? `${state.toString(16)}h`),
      address: memory.mask(at(layout.base)).toString(16),
      addressSpace: space.toString(16),
      current: false,
    },
  };
}

function addressSpace(memory: GuestMemory, mm: bigint | null, pgd: number): bigint {
  if (mm === null || mm === 0n) return 0n;
  const table = memory.pointer(mm + BigInt(pgd));
  return table === null ? 0n : (memory.translate(table) ?? 0n);
}

// --- finding init_task -----------------------------------------------------------------------------------------------

interface Found {
  readonly head: bigint;
  readonly comm: number;
}

function atSymbol(memory: GuestMemory, address: bigint): Found | null {
  const bytes = memory.bytes(address, BEFORE);
  if (bytes === null) return null;
  for (let at = 0; at + COMM_BYTES < bytes.length; at += 4) {
    if (!IDLE.every((byte, index) => bytes[at + index] === byte) || nameIn(bytes, at, COMM_BYTES) === null) continue;
    const physical = memory.translate(address + BigInt(at));
    if (physical === null) continue;
    const found = listBefore(memory, Number(physical));
    if (found !== null) return found;
  }
  return null;
}

function inMemory(memory: GuestMemory): Found | null {
  let hits = 0;
  for (const comm of memory.find(IDLE_BOOT)) {
    if (comm % 4 !== 0) continue;
    if (++hits > MAX_HITS) break;
    const found = listBefore(memory, comm);
    if (found !== null) return found;
  }
  return null;
}

/** The longest list of named things whose links lie before the idle task's name, at a physical address. */
function listBefore(memory: GuestMemory, comm: number): Found | null {
  const p = memory.pointerBytes;
  const from = Math.max(0, comm - BEFORE), window = memory.physical(from, comm - from);
  let best: Found | null = null, bestLength = 1;
  for (let at = window.length - 2 * p; at >= 0; at -= p) {
    const next = pointerIn(window, at, p);
    if (!memory.isKernelPointer(next) || !memory.isKernelPointer(pointerIn(window, at + p, p))) continue;
    const own = memory.pointer(next + BigInt(p));
    // Empty lists lead to themselves at once; others must lead back here.
    if (own === null || own === next || memory.translate(own) !== BigInt(from + at)) continue;
    const offset = comm - (from + at);
    const links = linksFrom(memory, own, offset);
    if (links === null || links.length <= bestLength) continue;
    best = { head: own, comm: offset };
    bestLength = links.length;
  }
  return best;
}

/** Links from the first around to it; null: that is no list of tasks. */
function linksFrom(memory: GuestMemory, head: bigint, comm: number): bigint[] | null {
  const links: bigint[] = [];
  let link = head;
  do {
    const name = memory.bytes(link + BigInt(comm), COMM_BYTES);
    if (name === null || nameIn(name, 0, COMM_BYTES) === null) return null;
    links.push(link);
    const next = memory.pointer(link);
    if (next === null || !memory.isKernelPointer(next) || links.length > MAX_TASKS) return null;
    if (memory.pointer(next + BigInt(memory.pointerBytes)) !== link) return null;
    link = next;
  } while (link !== head);
  return links;
}

// --- the other fields ------------------------------------------------------------------------------------------------

function completed(memory: GuestMemory, found: Found): TaskLayout {
  const links = linksFrom(memory, found.head, found.comm) ?? [found.head];
  const base = baseOffset(memory, found);
  const state = base === null ? null : stateOffset(memory, links, base);
  const mm = mmOffset(memory, links);
  return {
    ...found,
    pid: pidOffset(memory, links, found.comm),
    base,
    state,
    stack: state === null ? null : stackOffset(memory, links, state),
    mm,
    pgd: mm === null ? null : pgdOffset(memory, links, mm),
  };
}

function pidOffset(memory: GuestMemory, links: readonly bigint[], comm: number): number | null {
  if (links.length < 3) return null;
  const windows = links.slice(0, 3).map((link) => memory.bytes(link, comm));
  if (windows.some((window) => window === null)) return null;
  for (let at = 2 * memory.pointerBytes; at + 8 <= comm; at += 4) {
    if (windows.every((window, task) => wordIn(window!, at) === task && wordIn(window!, at + 4) === task)) return at;
  }
  return null;
}

/** Offset of the structure's beginning: a negative number. */
function baseOffset(memory: GuestMemory, { head, comm }: Found): number | null {
  const p = memory.pointerBytes;
  const window = memory.bytes(head, comm);
  if (window === null) return null;
  for (let at = 2 * p; at + 7 * p <= window.length; at += p) {
    const parent = pointerIn(window, at, p);
    // real_parent, parent, children (2), sibling (2), group_leader.
    if (parent !== pointerIn(window, at + p, p) || parent !== pointerIn(window, at + 6 * p, p)) continue;
    const distance = head - parent;
    if (memory.isKernelPointer(parent) && distance > 0n && distance < BigInt(BEFORE)) return -Number(distance);
  }
  return null;
}

/** Every state is one of a few numbers, the idle task always runs, and of the others many sleep. */
function stateOffset(memory: GuestMemory, links: readonly bigint[], base: number): number | null {
  for (let offset = 0; offset <= 48; offset += 4) {
    const values = links.map((link) => memory.u32(link + BigInt(base + offset)) ?? -1);
    if (values[0] !== 0 || !values.every((value) => stateText(value) !== undefined)) continue;
    if (values.filter(isSleeping).length > links.length / 3) return base + offset;
  }
  return null;
}

/** The kernel stack: the pointer behind the state, to whole pages, different in each task. */
function stackOffset(memory: GuestMemory, links: readonly bigint[], state: number): number | null {
  const p = memory.pointerBytes;
  for (let offset = state + 4; offset <= state + 4 + 4 * p; offset += 4) {
    const values = links.map((link) => memory.pointer(link + BigInt(offset)) ?? 0n);
    const pages = values.every((value) => value % 0x1000n === 0n && (value === 0n || memory.isKernelPointer(value)));
    if (pages && new Set(values).size > values.length * 0.9 && values[0] !== 0n) return offset;
  }
  return null;
}

function mmOffset(memory: GuestMemory, links: readonly bigint[]): number | null {
  const p = memory.pointerBytes;
  for (let offset = 2 * p; offset <= 24 * p; offset += p) {
    let processes = 0, threads = 0;
    for (const link of links) {
      const mm = memory.pointer(link + BigInt(offset)), active = memory.pointer(link + BigInt(offset + p));
      if (mm === 0n) threads++;
      else if (mm !== null && mm === active && memory.isKernelPointer(mm)) processes++;
    }
    if (processes > 0 && threads > 0 && processes + threads === links.length) return offset;
  }
  return null;
}

/** The kernel's part of every process's page tables is the same: an entry of it must be the current one. */
function pgdOffset(memory: GuestMemory, links: readonly bigint[], mm: number): number | null {
  const p = memory.pointerBytes;
  const entry = rootEntry(memory, links[0]);
  if (entry === null) return null;
  const owner = links.map((link) => memory.pointer(link + BigInt(mm))).find((value) => value !== null && value !== 0n);
  if (owner === undefined || owner === null) return null;
  for (let offset = 0; offset < MM_BYTES; offset += p) {
    const table = memory.pointer(owner + BigInt(offset));
    if (table === null || table % 32n !== 0n || !memory.isKernelPointer(table)) continue;
    const physical = memory.translate(table);
    if (physical !== null && sameEntry(memory.physical(Number(physical) + entry.at, entry.bytes.length), entry.bytes)) return offset;
  }
  return null;
}

/** The entry of the current top table through which the kernel's data is reached (SDM 3A 4.3 to 4.5). */
function rootEntry(memory: GuestMemory, address: bigint): { at: number; bytes: Uint8Array } | null {
  const wide = memory.pointerBytes === 8;
  const extended = wide || ((memory.target.registers.get('cr4') ?? 0n) & 0x20n) !== 0n;
  const index = wide ? (address >> 39n) & 511n : extended ? (address >> 30n) & 3n : address >> 22n;
  const size = extended ? 8 : 4, at = Number(index) * size;
  const root = memory.target.registers.get('cr3') ?? 0n;
  const bytes = memory.physical(Number(extended && !wide ? root & ~31n : root & 0xf_ffff_ffff_f000n) + at, size);
  return bytes.length === size && (bytes[0] & 1) === 1 ? { at, bytes } : null;
}

/** Equal but for the bits that the processor sets (accessed, dirty). */
function sameEntry(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => ((byte ^ b[index]) & (index === 0 ? 0x9f : 0xff)) === 0);
}
