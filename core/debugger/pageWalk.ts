// Page tables for people: one address level by level, the whole space as folded ranges, and what the TLB holds.
import type { AddressRange, PageWalk, TlbEntry } from '../api/debug.ts';
import { TLB, TLB_SUPERVISOR, TLB_SUPERVISOR_AC, TLB_USER, TLBS } from '../cpu/state/layout.ts';
import type { CpuTarget } from './cpuTarget.ts';
import { hexOf, sizeText } from './numberText.ts';
import { NO_EXECUTE, PTE, type PageRights, type Paging, type Walk, type WalkStep } from './paging.ts';
import { physicalName, type DeviceRange } from './physicalMap.ts';
import type { AddressNamer } from './registerView.ts';

const FOUR_GIB = 2 ** 32;
const PAGE = 4096;

const pagingNames: Readonly<Record<Paging['kind'], string>> = {
  off: 'no paging',
  '32-bit': '32-bit paging, two levels',
  PAE: 'PAE paging, three levels',
  '4-level': '4-level paging',
};
export const pagingText = (paging: Paging): string => pagingNames[paging.kind];

/** `user rwx`, `supervisor r-x`. */
const rightsText = (user: boolean, writable: boolean, executable: boolean): string =>
  `${user ? 'user' : 'supervisor'} r${writable ? 'w' : '-'}${executable ? 'x' : '-'}`;

interface BitRow {
  readonly name: string;
  readonly low?: number;
  readonly high?: number;
  readonly set: string;
  readonly clear: string;
}

const PRESENT: BitRow = { name: 'P', low: PTE.P, set: 'present', clear: 'not present: every access faults' };
const CACHE: readonly BitRow[] = [
  { name: 'PWT', low: PTE.PWT, set: 'write-through', clear: 'write-back' },
  { name: 'PCD', low: PTE.PCD, set: 'cache disabled', clear: 'cached' },
];
const RIGHTS: readonly BitRow[] = [
  { name: 'R/W', low: PTE.RW, set: 'writable', clear: 'read-only' },
  { name: 'U/S', low: PTE.US, set: 'user', clear: 'supervisor only' },
];
const ACCESSED: BitRow = { name: 'A', low: PTE.A, set: 'has been accessed', clear: 'not accessed since it was cleared' };
const LARGE = (bytes: number): BitRow => ({ name: 'PS', low: PTE.PS, set: `a page of ${sizeText(bytes)}`, clear: 'names a table' });
const NO_EXECUTE_BIT: BitRow = { name: 'XD', high: 0x80000000, set: 'execution forbidden', clear: 'execution allowed' };

/** The bits that an entry of a level has (SDM 3A tables 4-4 to 4-6, 4-8 to 4-11, 4-14 to 4-19). */
function bitRows(paging: Paging, step: WalkStep): BitRow[] {
  const { level, isLeaf } = step;
  if (paging.kind === 'PAE' && level.name === 'PDPTE') return [PRESENT, ...CACHE];
  const rows = [PRESENT, ...RIGHTS, ...CACHE, ACCESSED];
  if (isLeaf) rows.push({ name: 'D', low: PTE.D, set: 'has been written', clear: 'not written since it was cleared' });
  if (level.large) rows.push(LARGE(2 ** level.shift));
  if (isLeaf) rows.push({ name: 'G', low: PTE.G, set: 'global: stays in the TLB over changes of CR3 (with CR4.PGE)', clear: 'not global' });
  if (isLeaf) rows.push({ name: 'PAT', low: level.shift === 12 ? 0x80 : 0x1000, set: 'page attribute table, upper half', clear: 'page attribute table, lower half' });
  rows.push({ name: 'AVL', low: 0xe00, set: 'used by the system', clear: 'free for the system' });
  if (level.entryBytes === 8) {
    rows.push(paging.noExecute ? NO_EXECUTE_BIT : { ...NO_EXECUTE_BIT, set: 'reserved: EFER.NXE is off', clear: 'EFER.NXE is off' });
  }
  return rows;
}

function stepProblem(step: WalkStep): string | null {
  const address = `${hexOf(step.address, 8)}h`;
  if (!step.readable) return `the table entry at physical ${address} is not in memory`;
  if ((step.low & PTE.P) === 0) return `${step.level.name} ${step.index} is not present`;
  return null;
}

function levelView(paging: Paging, step: WalkStep): PageWalk['levels'][number] {
  const bits = step.readable
    ? bitRows(paging, step).map((row) => {
        const set = ((row.low ?? 0) & step.low) !== 0 || ((row.high ?? 0) & step.high) !== 0;
        return { name: row.name, set, meaning: set ? row.set : row.clear };
      })
    : [];
  const high = step.level.entryBytes === 8 ? hexOf(step.high >>> 0, 8) : '';
  return {
    name: step.level.name, index: step.index, entryAddress: hexOf(step.address, 8),
    entry: `${high}${hexOf(step.low >>> 0, 8)}`, bits, problem: stepProblem(step),
  };
}

/** `debug.pageWalk`. */
export function pageWalk(target: CpuTarget, devices: readonly DeviceRange[], address: bigint): PageWalk {
  const paging = target.pages.paging();
  const linear = Number(BigInt.asUintN(paging.linearBits, address));
  const walk = target.pages.walk(linear, paging);
  const { physical, rights } = walk;
  const problem = physical === null ? (stepProblem(walk.steps.at(-1)!) ?? 'not mapped') : rootProblem(target, walk);
  const name = physical === null ? 'nothing' : physicalName(target.cpu, target.physicalMap, devices, physical);
  return {
    linear: hexOf(BigInt.asUintN(64, address), paging.linearBits === 48 ? 16 : 8),
    paging: pagingText(paging),
    levels: walk.steps.map((step) => levelView(paging, step)),
    physical: physical === null ? null : hexOf(physical, 8),
    pageBytes: walk.pageBytes,
    rights: physical === null ? 'none' : rightsText(rights.user, rights.writable, rights.executable),
    target: name,
    inTlb: inTlb(target, linear),
    summary: summaryOf(paging, walk, linear, name),
    problem,
  };
}

/** PAE: the CPU goes by the entries that it loaded with CR3, whatever memory says now (SDM 3A 4.4.1). */
function rootProblem(target: CpuTarget, walk: Walk): string | null {
  const first = walk.steps[0];
  if (walk.paging.kind !== 'PAE' || first === undefined) return null;
  const bytes = target.memory.read('physical', BigInt(first.address), 8);
  if (bytes === null) return null;
  const view = new DataView(bytes.buffer);
  if (view.getUint32(0, true) === first.low && view.getUint32(4, true) === first.high) return null;
  return 'the PDPTE in memory was changed after CR3 was loaded; the CPU still uses the old one';
}

function summaryOf(paging: Paging, walk: Walk, linear: number, name: string): string {
  if (walk.physical === null) {
    const last = walk.steps.at(-1)!;
    return `${hexOf(linear, 8)} is not mapped: ${stepProblem(last) ?? 'no page'}`;
  }
  const where = `${hexOf(linear, 8)} is physical ${hexOf(walk.physical, 8)} (${name})`;
  if (paging.kind === 'off') return `${where}: paging is off`;
  return `${where}, a ${sizeText(walk.pageBytes)} page: ${allowed(paging, walk.rights)}`;
}

function allowed(paging: Paging, rights: PageRights): string {
  const write = rights.writable ? 'read and write' : 'read';
  const kernelWrites = !rights.writable && !paging.writeProtect ? '; the kernel may write, CR0.WP being off' : '';
  const execute = rights.executable ? ', execute' : ', no execution';
  return `${rights.user ? 'user and kernel' : 'kernel only'}: ${write}${execute}${kernelWrites}`;
}

function inTlb(target: CpuTarget, linear: number): boolean {
  const { cpu } = target;
  const signed = linear >= 2 ** 47 ? linear - 2 ** 48 : linear;
  const low = (linear & ~0xfff) >>> 0, high = Math.floor(signed / FOUR_GIB) >>> 0;
  return TLBS.some((tlb) => {
    const entry = (cpu.base + tlb + ((linear >>> 12) % TLB.entries) * TLB.bytes) >>> 2;
    return cpu.u32[entry] === low && cpu.u32[entry + 1] === high;
  });
}

const canonical = (linear: number, bits: number): bigint => BigInt.asUintN(bits === 48 ? 64 : 32, BigInt.asIntN(bits, BigInt(linear)));

/** `debug.addressSpace`: `to` is the last address of a range. */
export function addressSpace(
  target: CpuTarget, symbol: AddressNamer, limit = 20_000,
): { paging: string; root: string; ranges: AddressRange[]; truncated: boolean } {
  const paging = target.pages.paging();
  const ranges: AddressRange[] = [];
  let more = false;
  const complete = target.pages.runs(0, 2 ** paging.linearBits, (run) => {
    if (ranges.length === limit) {
      more = true;
      return false;
    }
    const from = canonical(run.from, paging.linearBits);
    ranges.push({
      from: hexOf(from, 8),
      to: hexOf(from + BigInt(run.length - 1), 8),
      physical: hexOf(run.physical, 8),
      rights: rightsText((run.rights & PTE.US) !== 0, (run.rights & PTE.RW) !== 0, (run.rights & NO_EXECUTE) === 0),
      pages: Math.ceil(run.length / PAGE),
      symbol: symbol(from),
    });
    return true;
  });
  return { paging: pagingText(paging), root: hexOf(paging.root, 8), ranges, truncated: more || !complete };
}

/** `debug.tlb`: ascending by address, the supervisor's first. */
export function tlbEntries(target: CpuTarget): TlbEntry[] {
  const { cpu } = target;
  const entries: (TlbEntry & { order: bigint })[] = [];
  for (const [tlb, privilege] of [[TLB_SUPERVISOR, 'supervisor'], [TLB_SUPERVISOR_AC, 'supervisor'], [TLB_USER, 'user']] as const) {
    for (let index = 0; index < TLB.entries; index++) {
      const at = cpu.base + tlb + index * TLB.bytes;
      const read = cpu.view.getBigInt64(at + TLB.readTag, true), write = cpu.view.getBigInt64(at + TLB.writeTag, true);
      if (read === -1n && write === -1n) continue;
      const tag = BigInt.asUintN(64, read === -1n ? write : read);
      entries.push({
        linear: hexOf(tag, 8),
        physical: hexOf(cpu.view.getUint32(at + TLB.frame, true) * PAGE, 8),
        privilege,
        readable: read !== -1n,
        writable: write !== -1n,
        global: cpu.view.getUint32(at + TLB.frame + 4, true) !== 0,
        code: cpu.view.getUint32(at + TLB.codeTable, true) !== 0,
        order: tag,
      });
    }
  }
  entries.sort((a, b) => (a.privilege === b.privilege ? (a.order < b.order ? -1 : 1) : a.privilege < b.privilege ? -1 : 1));
  return entries.map(({ order: _order, ...entry }) => entry);
}
