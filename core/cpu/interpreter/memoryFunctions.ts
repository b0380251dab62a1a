// Guest memory access beyond the TLB's fast path, in emitted WebAssembly: page walk, slow reads and writes, page-crossing
// and device accesses through a bounce buffer.
import {
  add, and, eq, eqz, extendU, geU, gtS, i32, i64, type I32, type I64, load32, load32Uto64, load64, load8U, ltU, ne, or, select,
  shl, shrS, shrU, store32, store64, store8, sub, wrap, xor,
} from '../emit/expressions.ts';
import { FunctionBuilder, type Label, type Local } from '../emit/functionBuilder.ts';
import type { FunctionReference, ModuleBuilder, ValueType } from '../emit/wasmEncoder.ts';
import { PHYSICAL_BITS } from '../state/cpuModels.ts';
import { ARMED, FIELD, SLOT, SS, TLB, TLB_USER } from '../state/layout.ts';
import type { MemoryMap } from '../state/memoryMap.ts';
import { PHYSICAL_CODE, PHYSICAL_READ, PHYSICAL_WRITE } from '../../mmu/physicalMap.ts';

/** Access bits of `translate`. */
export const ACCESS = { write: 1, user: 2, fetch: 4 } as const;

/** Accesses to a page that must take the slow path, where they are compared with data breakpoints. */
export const WATCHED = { reads: 1, writes: 2 } as const;

/** What `translate` returns when the address is not RAM (or is ROM and the access writes); 0 is a fault. */
export const NOT_RAM = 1;

export interface MemoryFunctions {
  /** (cpu, linear i64, access) -> host address, NOT_RAM or 0 with the fault recorded. Fills the TLB. */
  readonly translate: FunctionReference;
  /** (cpu, record, slot pointer, effective address i64, size in bytes) -> host address to read from, or 0 on a fault. */
  readonly slowRead: FunctionReference;
  /** As slowRead for a value that is going to be written back; what is not plain RAM must be committed. */
  readonly slowUpdate: FunctionReference;
  /** (cpu): stores a bounced read-modify-write value. */
  readonly commitUpdate: FunctionReference;
  /** (cpu, record, slot pointer, effective address i64, size, value i64) -> 1 on a fault. */
  readonly slowWrite: FunctionReference;
  /** (cpu, record, linear i32, size) as slowRead, slowUpdate and slowWrite (and value i64) in flat segments. */
  readonly flatRead: FunctionReference;
  readonly flatUpdate: FunctionReference;
  readonly flatWrite: FunctionReference;
  /** The same in 64-bit mode: (cpu, record, linear i64, size, through the stack segment). */
  readonly wideRead: FunctionReference;
  readonly wideUpdate: FunctionReference;
  readonly wideWrite: FunctionReference;
  /** (cpu, linear i64, size, access) -> host address, 0 on a fault: reads for helpers, segments already checked. */
  readonly readLinear: FunctionReference;
  /** (cpu, linear i64, size, access, value i64) -> 1 on a fault. */
  readonly writeLinear: FunctionReference;
}

export interface MemoryImports {
  /** (slot pointer, offset low 32 bits, size, write) -> 0 when allowed, 1 with the fault recorded. */
  readonly checkSegment: FunctionReference;
  /** (host address to fill, size): reads a device at `mmioAddress`. */
  readonly mmioRead: FunctionReference;
  /** (host address of the value, size): writes a device at `mmioAddress`. */
  readonly mmioWrite: FunctionReference;
  /** (frame): a write hit decoded code; drops it. */
  readonly codeWritten: FunctionReference;
  /** (linear low, linear high, size, write): an armed data breakpoint may match. */
  readonly checkBreakpoints: FunctionReference;
  /** (linear low, linear high, physical page number) -> WATCHED bits of a page, while data breakpoints are armed. */
  readonly watchedPage: FunctionReference;
}

const CR0_WP = 1 << 16;
const CR0_PG = 1 << 31;
const CR4_PAE = 1 << 5;
const CR4_SMEP = 1 << 20;
const CR4_SMAP = 1 << 21;
const EFER_LMA = 1 << 10;
const EFER_NXE = 1 << 11;
const EFLAGS_AC = 1 << 18;
const PTE = { P: 1, RW: 2, US: 4, A: 0x20, D: 0x40, PS: 0x80, G: 0x100 } as const;
const STACK_FAULT = 12, GENERAL_PROTECTION = 13, PAGE_FAULT = 14, ALIGNMENT_CHECK = 17;

/** Host address of guest-physical RAM that a page-table entry lies in, or 0: (cpu, physical i64) -> i32. */
function definePhysicalHost(module: ModuleBuilder, map: MemoryMap): FunctionReference {
  const reference = module.declare(['i64'], ['i32']);
  const f = new FunctionBuilder(reference.type);
  const physical = f.parameter<'i64'>(0);
  f.if(ne(shrU(physical, 32), i64(0)), () => f.return(i32(0)));
  const entry = f.let(load32(shl(wrap(shrU(physical, 12)), 2), map.physicalMap));
  f.if(eqz(and(entry, i32(PHYSICAL_READ))), () => f.return(i32(0)));
  f.return(add(and(entry, i32(~0xfff)), and(wrap(physical), i32(0xfff))));
  f.unreachable();
  reference.define(f.finish());
  return reference;
}

/**
 * The page walk (SDM 3A 4.3 to 4.5). Leaves the physical address in `mmioAddress`, sets accessed and dirty bits, and fills
 * the TLB of the access's privilege. Rights of both levels combine; supervisor writes obey CR0.WP.
 */
function defineTranslate(
  module: ModuleBuilder, map: MemoryMap, physicalHost: FunctionReference, watchedPage: FunctionReference,
): FunctionReference {
  const reference = module.declare(['i32', 'i64', 'i32'], ['i32']);
  const f = new FunctionBuilder(reference.type);
  const cpu = f.parameter<'i32'>(0), linear = f.parameter<'i64'>(1), access = f.parameter<'i32'>(2);
  const physical = f.local('i64'), rights = f.local('i32'), global = f.local('i32'), dirty = f.local('i32');
  const present = f.local('i32'), noExecute = f.local('i32');
  const cr0 = f.let(load32(cpu, FIELD.cr0)), cr4 = f.let(load32(cpu, FIELD.cr4));
  const isUser = f.let(and(shrU(access, 1), i32(1)));
  const isWrite = f.let(and(access, i32(ACCESS.write)));

  const long = f.let(and(load32(cpu, FIELD.efer), i32(EFER_LMA)));
  f.if(and(ne(shrS(shl(linear, 16), 16), linear), ne(long, i32(0))), () => {
    // Not canonical (SDM 1 3.3.7.1): through the stack segment #SS, else #GP.
    const vector = select(load32(cpu, FIELD.stackAccess), i32(STACK_FAULT), i32(GENERAL_PROTECTION));
    f.do(store32(cpu, vector, FIELD.faultVector));
    f.do(store32(cpu, i32(0), FIELD.faultError));
    f.return(i32(0));
  });
  f.set(dirty, i32(1));
  f.set(noExecute, i32(0));
  f.set(rights, i32(PTE.RW | PTE.US));
  f.block((mapped) => {
    f.if(eqz(and(cr0, i32(CR0_PG))), () => {
      f.set(physical, linear);
      f.br(mapped);
    });
    f.block((fault) => {
      f.set(present, i32(0));
      const permit = (): void => checkRights(f, { cpu, cr0, cr4, access, isUser, isWrite, rights, noExecute, present }, fault);
      const walk = { cpu, linear, isWrite, physical, rights, noExecute, global, dirty, present };
      f.if(
        and(cr4, i32(CR4_PAE)),
        () => walkPae(f, { ...walk, long }, physicalHost, fault, permit),
        () => walkLegacy(f, { ...walk, cr4 }, physicalHost, fault, permit),
      );
      f.br(mapped);
    });
    f.do(store32(cpu, i32(PAGE_FAULT), FIELD.faultVector));
    f.do(store64(cpu, linear, FIELD.cr2));
    const guarded = or(and(shrU(load32(cpu, FIELD.efer), 11), and(shrU(cr4, 5), i32(1))), and(shrU(cr4, 20), i32(1)));
    const fetch = select(and(guarded, i32(1)), shl(and(access, i32(ACCESS.fetch)), 2), i32(0));
    f.do(store32(cpu, or(or(present, shl(isWrite, 1)), or(shl(isUser, 2), fetch)), FIELD.faultError));
    f.return(i32(0));
  });
  f.set(physical, and(physical, or(i64(-(2n ** 32n)), load32Uto64(cpu, FIELD.a20Mask))));
  f.do(store64(cpu, physical, FIELD.mmioAddress));
  f.if(ne(shrU(physical, 32), i64(0)), () => f.return(i32(NOT_RAM)));
  const page = f.let(load32(shl(wrap(shrU(physical, 12)), 2), map.physicalMap));
  f.if(eqz(and(page, i32(PHYSICAL_READ))), () => f.return(i32(NOT_RAM)));
  const host = f.let(and(page, i32(~0xfff)));
  f.if(and(isWrite, eqz(and(page, i32(PHYSICAL_WRITE)))), () => f.return(i32(NOT_RAM)));
  const watched = f.local('i32');
  f.set(watched, i32(0));
  f.if(load32(cpu, FIELD.breakpointsArmed), () =>
    f.set(watched, f.call<'i32'>(watchedPage, wrap(linear), wrap(shrU(linear, 32)), wrap(shrU(physical, 12)))),
  );
  f.if(eqz(and(watched, i32(WATCHED.reads))), () =>
    fillTlb(f, { cpu, linear, physical, page, host, isUser, cr0, rights, dirty, global, watched }),
  );
  f.return(add(host, and(wrap(linear), i32(0xfff))));
  f.unreachable();
  reference.define(f.finish());
  return reference;
}

type Permit = () => void;
interface RightsLocals {
  cpu: I32;
  cr0: I32;
  cr4: I32;
  access: I32;
  isUser: I32;
  isWrite: I32;
  rights: I32;
  noExecute: I32;
  present: Local<'i32'>;
}

/** Faults with P = 1 when the combined rights forbid the access. */
function checkRights(f: FunctionBuilder, l: RightsLocals, fault: Label): void {
  f.set(l.present, i32(1));
  f.brIf(fault, and(l.isUser, eqz(and(l.rights, i32(PTE.US)))));
  const readOnly = eqz(and(l.rights, i32(PTE.RW)));
  const obeyed = or(l.isUser, and(shrU(l.cr0, 16), i32(1)));
  f.brIf(fault, and(and(l.isWrite, readOnly), obeyed));
  const isFetch = and(shrU(l.access, 2), i32(1));
  f.brIf(fault, and(l.noExecute, isFetch));
  // The kernel on a user page (SDM 3A 4.6): no execution under SMEP; no data under SMAP but with EFLAGS.AC, which does
  // not count for what user mode makes the processor look at.
  f.if(and(ne(and(l.cr4, i32(CR4_SMEP | CR4_SMAP)), i32(0)), and(eqz(l.isUser), ne(and(l.rights, i32(PTE.US)), i32(0)))), () => {
    f.if(
      isFetch,
      () => f.brIf(fault, and(l.cr4, i32(CR4_SMEP))),
      () => {
        const allowed = and(ne(and(load32(l.cpu, FIELD.eflags), i32(EFLAGS_AC)), i32(0)), ne(load32(l.cpu, FIELD.cpl), i32(3)));
        f.brIf(fault, and(ne(and(l.cr4, i32(CR4_SMAP)), i32(0)), eqz(allowed)));
      },
    );
  });
}

interface WalkLocals {
  cpu: I32;
  linear: I64;
  isWrite: I32;
  physical: Local<'i64'>;
  rights: Local<'i32'>;
  noExecute: Local<'i32'>;
  present: Local<'i32'>;
  global: Local<'i32'>;
  dirty: Local<'i32'>;
}

/** Sets A (and D on a write) in a leaf entry once the access is permitted; notes whether D is set now. */
function markLeaf(f: FunctionBuilder, l: WalkLocals, host: I32, entry: I32): void {
  const marked = f.let(or(entry, select(l.isWrite, i32(PTE.A | PTE.D), i32(PTE.A))));
  f.if(ne(marked, entry), () => f.do(store32(host, marked)));
  f.set(l.dirty, and(shrU(marked, 6), i32(1)));
  f.set(l.global, and(shrU(marked, 8), i32(1)));
}

function markTable(f: FunctionBuilder, host: I32, entry: I32): void {
  f.if(eqz(and(entry, i32(PTE.A))), () => f.do(store32(host, or(entry, i32(PTE.A)))));
}

/** Two levels of 32-bit entries; 4 MiB pages with CR4.PSE (PSE-36 bits 13..20 extend them). */
function walkLegacy(
  f: FunctionBuilder,
  l: WalkLocals & { cr4: I32 },
  physicalHost: FunctionReference,
  fault: Label,
  permit: Permit,
): void {
  const { rights, physical } = l;
  const linear = f.let(wrap(l.linear));
  const directory = and(load32(l.cpu, FIELD.cr3), i32(~0xfff));
  const pdeHost = f.let(f.call<'i32'>(physicalHost, extendU(add(directory, shl(shrU(linear, 22), 2)))));
  f.brIf(fault, eqz(pdeHost));
  const pde = f.let(load32(pdeHost));
  f.brIf(fault, eqz(and(pde, i32(PTE.P))));
  f.set(rights, and(rights, pde));
  f.if(
    and(and(shrU(pde, 7), i32(1)), and(shrU(l.cr4, 4), i32(1))),
    () => {
      // Bits 20..13 are address bits, bit 21 is reserved (SDM 3A table 4-4).
      f.if(and(pde, i32(1 << 21)), () => {
        f.set(l.present, i32(RESERVED_FAULT));
        f.br(fault);
      });
      permit();
      markLeaf(f, l, pdeHost, pde);
      const high = shl(extendU(and(shrU(pde, 13), i32(0xff))), 32);
      const low = extendU(or(and(pde, i32(0xffc00000 | 0)), and(linear, i32(0x3fffff))));
      f.set(physical, or(high, low));
    },
    () => {
      const table = and(pde, i32(~0xfff));
      const pteHost = f.let(f.call<'i32'>(physicalHost, extendU(add(table, and(shrU(linear, 10), i32(0xffc))))));
      f.brIf(fault, eqz(pteHost));
      const pte = f.let(load32(pteHost));
      f.brIf(fault, eqz(and(pte, i32(PTE.P))));
      f.set(rights, and(rights, pte));
      permit();
      markTable(f, pdeHost, pde);
      markLeaf(f, l, pteHost, pte);
      f.set(physical, extendU(or(and(pte, i32(~0xfff)), and(linear, i32(0xfff)))));
    },
  );
}

/** Physical address bits of a 64-bit entry: 51..12. */
const FRAME = 0x000ffffffffff000n;
/** Reserved bits of 64-bit entries: physical address bits that there are not, and bit 63 without EFER.NXE. */
const BEYOND = FRAME & ~(2n ** BigInt(PHYSICAL_BITS) - 1n);
const NX = 2n ** 63n;
const RESERVED_FAULT = 9;

/** Three or four levels of 64-bit entries: from the cached PDPTEs, or from CR3 in long mode; 2 MiB and 1 GiB pages. */
function walkPae(
  f: FunctionBuilder,
  l: WalkLocals & { long: I32 },
  physicalHost: FunctionReference,
  fault: Label,
  permit: Permit,
): void {
  const { rights, physical, noExecute, linear } = l;
  const table = f.local('i64'), pml4Host = f.local('i32'), pdptHost = f.local('i32'), pml4e = f.local('i32'), pdpte = f.local('i32');
  const executable = select(and(load32(l.cpu, FIELD.efer), i32(EFER_NXE)), i64(0), i64(NX));
  // Bits 62..52 are free in long mode only.
  const executes = f.let(or(executable, select(l.long, i64(0), i64(0x7ff0000000000000n))));
  /** Reads an entry at the table's index; not present, or with reserved bits set, it faults. */
  const entryAt = (host: I32, reserved: bigint): I64 => {
    f.brIf(fault, eqz(host));
    const entry = f.let(load64(host));
    f.brIf(fault, eqz(and(wrap(entry), i32(PTE.P))));
    f.if(ne(and(entry, or(executes, i64(reserved))), i64(0)), () => {
      f.set(l.present, i32(RESERVED_FAULT));
      f.br(fault);
    });
    f.set(rights, and(rights, wrap(entry)));
    f.set(noExecute, or(noExecute, wrap(shrU(entry, 63))));
    return entry;
  };
  const hostOf = (shift: number): I32 =>
    f.call<'i32'>(physicalHost, or(table, and(shrU(linear, shift - 3), i64(0xff8))));
  f.set(pml4Host, i32(0));
  f.set(pdptHost, i32(0));
  f.block((directory) => {
    f.if(eqz(l.long), () => {
      // 32-bit PAE: the PDPTEs are registers without rights of their own.
      const cached = f.let(load64(add(l.cpu, shl(and(wrap(shrU(linear, 30)), i32(3)), 3)), FIELD.pdptes));
      f.brIf(fault, eqz(and(wrap(cached), i32(PTE.P))));
      f.set(table, and(cached, i64(FRAME)));
      f.br(directory);
    });
    f.set(table, and(load64(l.cpu, FIELD.cr3), i64(FRAME)));
    f.set(pml4Host, hostOf(39));
    const first = entryAt(pml4Host, BEYOND | BigInt(PTE.PS));
    f.set(pml4e, wrap(first));
    f.set(table, and(first, i64(FRAME)));
    f.set(pdptHost, hostOf(30));
    const second = entryAt(pdptHost, BEYOND);
    f.set(pdpte, wrap(second));
    f.if(and(pdpte, i32(PTE.PS)), () => {
      f.if(ne(and(second, i64(0x3fffe000)), i64(0)), () => {
        f.set(l.present, i32(RESERVED_FAULT));
        f.br(fault);
      });
      permit();
      markTable(f, pml4Host, pml4e);
      markLeaf(f, l, pdptHost, pdpte);
      f.set(physical, or(and(second, i64(FRAME & ~0x3fffffffn)), and(linear, i64(0x3fffffff))));
    }, () => {
      f.set(table, and(second, i64(FRAME)));
      f.br(directory);
    });
    f.set(table, i64(-1));
  });
  const markUpper = (): void =>
    f.if(pml4Host, () => {
      markTable(f, pml4Host, pml4e);
      markTable(f, pdptHost, pdpte);
    });
  f.if(ne(table, i64(-1)), () => {
    const pdeHost = f.let(hostOf(21));
    const pde = entryAt(pdeHost, BEYOND);
    const pdeLow = f.let(wrap(pde));
    f.if(
      and(pdeLow, i32(PTE.PS)),
      () => {
        f.if(ne(and(pde, i64(0x1fe000)), i64(0)), () => {
          f.set(l.present, i32(RESERVED_FAULT));
          f.br(fault);
        });
        permit();
        markUpper();
        markLeaf(f, l, pdeHost, pdeLow);
        f.set(physical, or(and(pde, i64(FRAME & ~0x1fffffn)), and(linear, i64(0x1fffff))));
      },
      () => {
        f.set(table, and(pde, i64(FRAME)));
        const pteHost = f.let(hostOf(12));
        const pte = entryAt(pteHost, BEYOND);
        permit();
        markUpper();
        markTable(f, pdeHost, pdeLow);
        markLeaf(f, l, pteHost, f.let(wrap(pte)));
        f.set(physical, or(and(pte, i64(FRAME)), and(linear, i64(0xfff))));
      },
    );
  });
}

interface FillLocals {
  cpu: I32;
  linear: I64;
  physical: I64;
  page: I32;
  host: I32;
  isUser: I32;
  cr0: I32;
  rights: I32;
  dirty: I32;
  global: I32;
  watched: I32;
}

/** A write tag only where a write needs no look: writable, dirty already, and no decoded code on the page. */
function fillTlb(f: FunctionBuilder, l: FillLocals): void {
  const index = and(shrU(wrap(l.linear), 7), i32((TLB.entries - 1) * TLB.bytes));
  const entry = f.let(add(add(l.cpu, select(l.isUser, i32(TLB_USER), load32(l.cpu, FIELD.supervisorTlb))), index));
  const tag = f.let(and(l.linear, i64(~0xfffn)));
  const writable = or(
    and(shrU(l.rights, 1), i32(1)),
    and(xor(l.isUser, i32(1)), eqz(and(l.cr0, i32(CR0_WP)))),
  );
  const plain = eq(and(l.page, i32(PHYSICAL_WRITE | PHYSICAL_CODE)), i32(PHYSICAL_WRITE));
  const free = and(plain, eqz(l.watched));
  // A refill of the same page and frame keeps its table of records.
  const moved = or(ne(load64(entry, TLB.readTag), tag), ne(load32(entry, TLB.frame), wrap(shrU(l.physical, 12))));
  f.if(moved, () => f.do(store32(entry, i32(0), TLB.codeTable)));
  f.do(store64(entry, tag, TLB.readTag));
  f.do(store64(entry, select(and(and(writable, l.dirty), free), tag, i64(-1)), TLB.writeTag));
  f.do(store32(entry, sub(l.host, wrap(tag)), TLB.addend));
  f.do(store32(entry, wrap(shrU(l.physical, 12)), TLB.frame));
  f.do(store32(entry, l.global, TLB.frame + 4));
  f.do(store64(l.cpu, add(load64(l.cpu, FIELD.tlbFills), i64(1)), FIELD.tlbFills));
}

/** Copies `size` bytes between two host addresses, byte by byte. */
function copyBytes(f: FunctionBuilder, target: (i: I32) => I32, source: (i: I32) => I32, size: I32): void {
  const index = f.local('i32');
  f.set(index, i32(0));
  f.loop((again) => {
    f.do(store8(target(index), load8U(source(index))));
    f.set(index, add(index, i32(1)));
    f.brIf(again, ltU(index, size));
  });
}

/** Exports a function for TypeScript with each i64 as two i32, the low half first: an i64 would be a BigInt. */
function exportHalves(module: ModuleBuilder, name: string, callee: FunctionReference): void {
  const types = callee.type.parameters;
  const reference = module.declare(types.flatMap((type): ValueType[] => (type === 'i64' ? ['i32', 'i32'] : ['i32'])), ['i32'], name);
  const f = new FunctionBuilder(reference.type);
  let next = 0;
  const values = types.map((type) => {
    const low = f.parameter<'i32'>(next++);
    return type === 'i64' ? or(extendU(low), shl(extendU(f.parameter<'i32'>(next++)), 32)) : low;
  });
  f.return(f.call<'i32'>(callee, ...values));
  f.unreachable();
  reference.define(f.finish());
}

/** Does something where a write of `size` bytes at the physical address that was just translated hits decoded code. */
function onCodeHit(f: FunctionBuilder, map: MemoryMap, cpu: I32, size: I32, then: (frame: I32) => void): void {
  const physical = f.let(load32(cpu, FIELD.mmioAddress));
  const frame = f.let(shrU(physical, 12));
  f.if(and(load32(shl(frame, 2), map.physicalMap), i32(PHYSICAL_CODE)), () => {
    const chunks = f.let(load64(shl(frame, 3), map.codeChunks));
    const chunk = (offset: I32): I64 => extendU(and(shrU(offset, 6), i32(63)));
    const last = add(physical, sub(size, i32(1)));
    const touched = or(shrU(chunks, chunk(physical)), shrU(chunks, chunk(last)));
    f.if(and(wrap(touched), i32(1)), () => then(frame));
  });
}

/**
 * For translated code, after a miss in the TLB: (linear i64, size) -> host address, 0 where it cannot go on by itself: a fault, a
 * device, two pages, a debugger that looks, or a write to decoded code. Such an instruction is left to the interpreter.
 */
function defineReach(module: ModuleBuilder, map: MemoryMap, translate: FunctionReference): void {
  for (const [name, write] of [['reachRead', false], ['reachWrite', true]] as const) {
    const reference = module.declare(['i64', 'i32'], ['i32'], name);
    const f = new FunctionBuilder(reference.type);
    const cpu = i32(map.cpu), linear = f.parameter<'i64'>(0), size = f.parameter<'i32'>(1);
    const refuse = (condition: I32): void => f.if(condition, () => f.return(i32(0)));
    refuse(load32(cpu, FIELD.breakpointsArmed));
    refuse(geU(add(and(wrap(linear), i32(0xfff)), size), i32(0x1001)));
    const user = select(eq(load32(cpu, FIELD.cpl), i32(3)), i32(ACCESS.user), i32(0));
    const host = f.let(f.call<'i32'>(translate, cpu, linear, or(user, i32(write ? ACCESS.write : 0))));
    refuse(ltU(host, i32(2)));
    if (write) onCodeHit(f, map, cpu, size, () => f.return(i32(0)));
    f.return(host);
    f.unreachable();
    reference.define(f.finish());
  }
}

/** Emits the set of functions into the module. */
export function defineMemoryFunctions(module: ModuleBuilder, map: MemoryMap, imports: MemoryImports): MemoryFunctions {
  const physicalHost = definePhysicalHost(module, map);
  const translate = defineTranslate(module, map, physicalHost, imports.watchedPage);

  /** (cpu, linear, size, access) -> host address for a write, code on the page dropped if it is hit. */
  const writableHost = module.declare(['i32', 'i64', 'i32', 'i32'], ['i32']);
  {
    const f = new FunctionBuilder(writableHost.type);
    const cpu = f.parameter<'i32'>(0), linear = f.parameter<'i64'>(1), size = f.parameter<'i32'>(2);
    const host = f.let(f.call<'i32'>(translate, cpu, linear, or(f.parameter<'i32'>(3), i32(ACCESS.write))));
    f.if(ltU(host, i32(2)), () => f.return(host));
    onCodeHit(f, map, cpu, size, (frame) => f.callVoid(imports.codeWritten, frame));
    f.return(host);
    f.unreachable();
    writableHost.define(f.finish());
  }

  defineReach(module, map, translate);

  const linearOf = (cpu: I32, slot: I32, address: I64): I64 =>
    and(add(address, load64(slot, FIELD.slots + SLOT.base)), load64(cpu, FIELD.linearMask));
  const userAccess = (cpu: I32): I32 => select(eq(load32(cpu, FIELD.cpl), i32(3)), i32(ACCESS.user), i32(0));
  const crosses = (linear: I64, size: I32): I32 =>
    geU(add(and(wrap(linear), i32(0xfff)), size), i32(0x1001));
  const nextPage = (cpu: I32, linear: I64): I64 =>
    and(and(add(linear, i64(0x1000)), i64(~0xfffn)), load64(cpu, FIELD.linearMask));

  /** #AC(0) where user mode has asked for it (SDM 3A 6.15): operands of up to 8 bytes at addresses that are no multiple. */
  const checkAlignment = (f: FunctionBuilder, cpu: I32, linear: I64, size: I32, mode: I32, fault: number): void =>
    f.if(and(load32(cpu, FIELD.breakpointsArmed), i32(ARMED.alignment)), () => {
      const whole = and(eqz(and(size, sub(size, i32(1)))), ltU(size, i32(9)));
      const misaligned = ne(and(wrap(linear), sub(size, i32(1))), i32(0));
      const canonical = eq(shrS(shl(linear, 16), 16), linear);
      f.if(and(and(and(whole, misaligned), canonical), shrU(and(mode, i32(ACCESS.user)), 1)), () => {
        f.do(store32(cpu, i32(ALIGNMENT_CHECK), FIELD.faultVector));
        f.do(store32(cpu, i32(0), FIELD.faultError));
        f.return(i32(fault));
      });
    });

  /** An access across the end of the lower half is not canonical, whatever its first page is. */
  const checkCanonicalEnd = (f: FunctionBuilder, cpu: I32, second: I64, mode: I32, fault: number): void =>
    f.if(eq(second, i64(0x800000000000n)), () => {
      f.if(eqz(f.call<'i32'>(translate, cpu, second, mode)), () => f.return(i32(fault)));
    });

  /** Reads `size` bytes at a host pointer or device into `target`. */
  const fetchInto = (f: FunctionBuilder, host: I32, target: I32, size: I32): void =>
    f.if(
      eq(host, i32(NOT_RAM)),
      () => f.callVoid(imports.mmioRead, target, size),
      () => copyBytes(f, (i) => add(target, i), (i) => add(host, i), size),
    );

  /** (cpu, linear, size, access, forWrite) -> host address; bounced values lie in `scratch`. */
  const access = module.declare(['i32', 'i64', 'i32', 'i32'], ['i32']);
  {
    const f = new FunctionBuilder(access.type);
    const cpu = f.parameter<'i32'>(0), linear = f.parameter<'i64'>(1), size = f.parameter<'i32'>(2), mode = f.parameter<'i32'>(3);
    const scratch = f.let(add(cpu, i32(FIELD.scratch)));
    checkAlignment(f, cpu, linear, size, mode, 0);
    f.if(load32(cpu, FIELD.breakpointsArmed), () =>
      f.callVoid(imports.checkBreakpoints, wrap(linear), wrap(shrU(linear, 32)), size, i32(0)),
    );
    f.if(eqz(crosses(linear, size)), () => {
      const host = f.let(f.call<'i32'>(translate, cpu, linear, mode));
      f.if(eq(host, i32(NOT_RAM)), () => {
        f.callVoid(imports.mmioRead, scratch, size);
        f.return(scratch);
      });
      f.return(host);
    });
    const second = f.let(nextPage(cpu, linear));
    const head = f.let(sub(i32(0x1000), and(wrap(linear), i32(0xfff))));
    checkCanonicalEnd(f, cpu, second, mode, 0);
    // Both pages are checked before a device is read.
    f.if(eqz(f.call<'i32'>(translate, cpu, linear, mode)), () => f.return(i32(0)));
    const hostSecond = f.let(f.call<'i32'>(translate, cpu, second, mode));
    f.if(eqz(hostSecond), () => f.return(i32(0)));
    fetchInto(f, hostSecond, f.let(add(scratch, head)), f.let(sub(size, head)));
    const hostFirst = f.let(f.call<'i32'>(translate, cpu, linear, mode));
    fetchInto(f, hostFirst, scratch, head);
    f.return(scratch);
    f.unreachable();
    access.define(f.finish());
  }

  /** (cpu, linear, size, access, source host address): stores, both pages checked first; 1 on a fault. */
  const storeFrom = module.declare(['i32', 'i64', 'i32', 'i32', 'i32'], ['i32']);
  {
    const f = new FunctionBuilder(storeFrom.type);
    const cpu = f.parameter<'i32'>(0), linear = f.parameter<'i64'>(1), size = f.parameter<'i32'>(2);
    const mode = f.parameter<'i32'>(3), source = f.parameter<'i32'>(4);
    checkAlignment(f, cpu, linear, size, mode, 1);
    f.if(load32(cpu, FIELD.breakpointsArmed), () =>
      f.callVoid(imports.checkBreakpoints, wrap(linear), wrap(shrU(linear, 32)), size, i32(1)),
    );
    const put = (host: I32, from: I32, bytes: I32): void =>
      f.if(
        eq(host, i32(NOT_RAM)),
        () => f.callVoid(imports.mmioWrite, from, bytes),
        () => copyBytes(f, (i) => add(host, i), (i) => add(from, i), bytes),
      );
    f.if(eqz(crosses(linear, size)), () => {
      const host = f.let(f.call<'i32'>(writableHost, cpu, linear, size, mode));
      f.if(eqz(host), () => f.return(i32(1)));
      put(host, source, size);
      f.return(i32(0));
    });
    const second = f.let(nextPage(cpu, linear));
    const head = f.let(sub(i32(0x1000), and(wrap(linear), i32(0xfff))));
    const tail = f.let(sub(size, head));
    checkCanonicalEnd(f, cpu, second, mode, 1);
    f.if(eqz(f.call<'i32'>(translate, cpu, linear, or(mode, i32(ACCESS.write)))), () => f.return(i32(1)));
    const hostSecond = f.let(f.call<'i32'>(writableHost, cpu, second, tail, mode));
    f.if(eqz(hostSecond), () => f.return(i32(1)));
    put(hostSecond, f.let(add(source, head)), tail);
    const hostFirst = f.let(f.call<'i32'>(writableHost, cpu, linear, head, mode));
    put(hostFirst, source, head);
    f.return(i32(0));
    f.unreachable();
    storeFrom.define(f.finish());
  }

  const writeLinear = module.declare(['i32', 'i64', 'i32', 'i32', 'i64'], ['i32']);
  {
    const f = new FunctionBuilder(writeLinear.type);
    const cpu = f.parameter<'i32'>(0);
    // Behind the bounce buffer of reads, whose value may be the one that is stored.
    const source = f.let(add(cpu, i32(FIELD.scratch + 32)));
    f.do(store64(source, f.parameter<'i64'>(4)));
    f.return(f.call<'i32'>(storeFrom, cpu, f.parameter<'i64'>(1), f.parameter<'i32'>(2), f.parameter<'i32'>(3), source));
    f.unreachable();
    writeLinear.define(f.finish());
  }

  /** Segment check shared by the slow paths; returns from `f` with `onFault` when it fails. */
  const checkLimit = (f: FunctionBuilder, slot: I32, address: I64, size: I32, write: boolean, onFault: () => void): void => {
    const limit = load64(slot, FIELD.slots + (write ? SLOT.writeLimit : SLOT.readLimit));
    f.if(gtS(add(address, extendU(sub(size, i32(1)))), limit), () =>
      f.if(f.call<'i32'>(imports.checkSegment, slot, wrap(address), size, i32(write ? 1 : 0)), onFault),
    );
  };

  const noteStack = (f: FunctionBuilder, cpu: I32, slot: I32): void => {
    const number = f.let(sub(slot, add(cpu, i32(SS * 3 * SLOT.bytes))));
    f.do(store32(cpu, ltU(number, i32(3 * SLOT.bytes)), FIELD.stackAccess));
  };

  const slowRead = module.declare(['i32', 'i32', 'i32', 'i64', 'i32'], ['i32']);
  {
    const f = new FunctionBuilder(slowRead.type);
    const cpu = f.parameter<'i32'>(0), slot = f.parameter<'i32'>(2), address = f.parameter<'i64'>(3), size = f.parameter<'i32'>(4);
    f.do(store32(cpu, f.parameter<'i32'>(1), FIELD.record));
    noteStack(f, cpu, slot);
    checkLimit(f, slot, address, size, false, () => f.return(i32(0)));
    f.return(f.call<'i32'>(access, cpu, linearOf(cpu, slot, address), size, userAccess(cpu)));
    f.unreachable();
    slowRead.define(f.finish());
  }

  /** (cpu, linear i64, size): a read-modify-write access whose segment is checked. */
  const updateLinear = module.declare(['i32', 'i64', 'i32'], ['i32']);
  {
    const f = new FunctionBuilder(updateLinear.type);
    const cpu = f.parameter<'i32'>(0), linear = f.parameter<'i64'>(1), size = f.parameter<'i32'>(2);
    const mode = f.let(or(userAccess(cpu), i32(ACCESS.write)));
    f.if(and(eqz(crosses(linear, size)), eqz(load32(cpu, FIELD.breakpointsArmed))), () => {
      const host = f.let(f.call<'i32'>(writableHost, cpu, linear, size, mode));
      f.if(ne(host, i32(NOT_RAM)), () => f.return(host));
    });
    const host = f.let(f.call<'i32'>(access, cpu, linear, size, mode));
    f.if(eqz(host), () => f.return(i32(0)));
    const scratch = f.let(add(cpu, i32(FIELD.scratch)));
    // Plain RAM under an armed breakpoint is bounced as well, so that the write is looked at.
    f.if(ne(host, scratch), () => f.do(store64(scratch, load64(host))));
    f.do(store32(cpu, size, FIELD.pendingWriteSize));
    f.do(store64(cpu, linear, FIELD.pendingWriteLinear));
    f.return(scratch);
    f.unreachable();
    updateLinear.define(f.finish());
  }

  const slowUpdate = module.declare(['i32', 'i32', 'i32', 'i64', 'i32'], ['i32']);
  {
    const f = new FunctionBuilder(slowUpdate.type);
    const cpu = f.parameter<'i32'>(0), slot = f.parameter<'i32'>(2), address = f.parameter<'i64'>(3), size = f.parameter<'i32'>(4);
    f.do(store32(cpu, f.parameter<'i32'>(1), FIELD.record));
    noteStack(f, cpu, slot);
    checkLimit(f, slot, address, size, true, () => f.return(i32(0)));
    f.return(f.call<'i32'>(updateLinear, cpu, linearOf(cpu, slot, address), size));
    f.unreachable();
    slowUpdate.define(f.finish());
  }

  /** The same for a linear address in a flat segment. */
  const flat = (results: (f: FunctionBuilder, cpu: I32, linear: I64, size: I32) => I32, withValue: boolean): FunctionReference => {
    const reference = module.declare(['i32', 'i32', 'i32', 'i32', ...(withValue ? (['i64'] as const) : [])], ['i32']);
    const f = new FunctionBuilder(reference.type);
    const cpu = f.parameter<'i32'>(0);
    f.do(store32(cpu, f.parameter<'i32'>(1), FIELD.record));
    f.return(results(f, cpu, extendU(f.parameter<'i32'>(2)), f.parameter<'i32'>(3)));
    f.unreachable();
    reference.define(f.finish());
    return reference;
  };
  const flatRead = flat((f, cpu, linear, size) => f.call(access, cpu, linear, size, userAccess(cpu)), false);
  const flatUpdate = flat((f, cpu, linear, size) => f.call(updateLinear, cpu, linear, size), false);
  const flatWrite = flat(
    (f, cpu, linear, size) => f.call(writeLinear, cpu, linear, size, userAccess(cpu), f.parameter<'i64'>(4)),
    true,
  );

  /** The same in 64-bit mode; the stack segment matters for the exception of a non-canonical address. */
  const wide = (results: (f: FunctionBuilder, cpu: I32, linear: I64, size: I32) => I32, withValue: boolean): FunctionReference => {
    const reference = module.declare(['i32', 'i32', 'i64', 'i32', 'i32', ...(withValue ? (['i64'] as const) : [])], ['i32']);
    const f = new FunctionBuilder(reference.type);
    const cpu = f.parameter<'i32'>(0);
    f.do(store32(cpu, f.parameter<'i32'>(1), FIELD.record));
    f.do(store32(cpu, f.parameter<'i32'>(4), FIELD.stackAccess));
    f.return(results(f, cpu, f.parameter<'i64'>(2), f.parameter<'i32'>(3)));
    f.unreachable();
    reference.define(f.finish());
    return reference;
  };
  const wideRead = wide((f, cpu, linear, size) => f.call(access, cpu, linear, size, userAccess(cpu)), false);
  const wideUpdate = wide((f, cpu, linear, size) => f.call(updateLinear, cpu, linear, size), false);
  const wideWrite = wide(
    (f, cpu, linear, size) => f.call(writeLinear, cpu, linear, size, userAccess(cpu), f.parameter<'i64'>(5)),
    true,
  );

  const commitUpdate = module.declare(['i32'], []);
  {
    const f = new FunctionBuilder(commitUpdate.type);
    const cpu = f.parameter<'i32'>(0);
    f.drop(
      f.call<'i32'>(
        storeFrom, cpu, load64(cpu, FIELD.pendingWriteLinear), load32(cpu, FIELD.pendingWriteSize), userAccess(cpu),
        add(cpu, i32(FIELD.scratch)),
      ),
    );
    commitUpdate.define(f.finish());
  }

  const slowWrite = module.declare(['i32', 'i32', 'i32', 'i64', 'i32', 'i64'], ['i32']);
  {
    const f = new FunctionBuilder(slowWrite.type);
    const cpu = f.parameter<'i32'>(0), slot = f.parameter<'i32'>(2), address = f.parameter<'i64'>(3), size = f.parameter<'i32'>(4);
    f.do(store32(cpu, f.parameter<'i32'>(1), FIELD.record));
    noteStack(f, cpu, slot);
    checkLimit(f, slot, address, size, true, () => f.return(i32(1)));
    f.return(
      f.call<'i32'>(writeLinear, cpu, linearOf(cpu, slot, address), size, userAccess(cpu), f.parameter<'i64'>(5)),
    );
    f.unreachable();
    slowWrite.define(f.finish());
  }

  exportHalves(module, 'translate', translate);
  exportHalves(module, 'readLinear', access);
  exportHalves(module, 'writeLinear', writeLinear);

  return {
    translate, slowRead, slowUpdate, commitUpdate, slowWrite, flatRead, flatUpdate, flatWrite, wideRead, wideUpdate, wideWrite, readLinear: access,
    writeLinear,
  };
}

