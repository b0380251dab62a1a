// Guest memory access beyond the TLB's fast path, in emitted WebAssembly: page walk, slow reads and writes, page-crossing
// and device accesses through a bounce buffer.
import {
  add, and, eq, eqz, extendU, geU, gtS, i32, i64, type I32, type I64, load32, load32Uto64, load64, load8U, ltU, ne, or, select,
  shl, shrU, store32, store64, store8, sub, wrap, xor,
} from '../emit/expressions.ts';
import { FunctionBuilder, type Label, type Local } from '../emit/functionBuilder.ts';
import type { FunctionReference, ModuleBuilder, ValueType } from '../emit/wasmEncoder.ts';
import { FIELD, SLOT, TLB, TLB_SUPERVISOR, TLB_USER } from '../state/layout.ts';
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
  /** (linear low, physical page number) -> WATCHED bits of a page, while data breakpoints are armed. */
  readonly watchedPage: FunctionReference;
}

const CR0_WP = 1 << 16;
const CR0_PG = 1 << 31;
const CR4_PAE = 1 << 5;
const EFER_NXE = 1 << 11;
const PTE = { P: 1, RW: 2, US: 4, A: 0x20, D: 0x40, PS: 0x80, G: 0x100 } as const;
const PAGE_FAULT = 14;

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
 * The page walk (SDM 3A 4.3, 4.4). Leaves the physical address in `mmioAddress`, sets accessed and dirty bits, and fills
 * the TLB of the access's privilege. Rights of both levels combine; supervisor writes obey CR0.WP.
 */
function defineTranslate(
  module: ModuleBuilder, map: MemoryMap, physicalHost: FunctionReference, watchedPage: FunctionReference,
): FunctionReference {
  const reference = module.declare(['i32', 'i64', 'i32'], ['i32']);
  const f = new FunctionBuilder(reference.type);
  const cpu = f.parameter<'i32'>(0), linear = f.parameter<'i64'>(1), access = f.parameter<'i32'>(2);
  const physical = f.local('i64'), rights = f.local('i32'), global = f.local('i32'), dirty = f.local('i32');
  const present = f.local('i32');
  const cr0 = f.let(load32(cpu, FIELD.cr0)), cr4 = f.let(load32(cpu, FIELD.cr4));
  const isUser = f.let(and(shrU(access, 1), i32(1)));
  const isWrite = f.let(and(access, i32(ACCESS.write)));

  f.set(dirty, i32(1));
  f.set(rights, i32(PTE.RW | PTE.US));
  f.block((mapped) => {
    f.if(eqz(and(cr0, i32(CR0_PG))), () => {
      f.set(physical, linear);
      f.br(mapped);
    });
    f.block((fault) => {
      f.set(present, i32(0));
      const permit = (): void => checkRights(f, { cr0, isUser, isWrite, rights, present }, fault);
      f.if(
        and(cr4, i32(CR4_PAE)),
        () => walkPae(f, { cpu, linear, access, isWrite, physical, rights, global, dirty }, physicalHost, fault, permit),
        () => walkLegacy(f, { cpu, linear, access, isWrite, cr4, physical, rights, global, dirty }, physicalHost, fault, permit),
      );
      f.br(mapped);
    });
    f.do(store32(cpu, i32(PAGE_FAULT), FIELD.faultVector));
    f.do(store64(cpu, linear, FIELD.cr2));
    const noExecute = and(load32(cpu, FIELD.efer), i32(EFER_NXE));
    const fetch = select(and(noExecute, cr4), shl(and(access, i32(ACCESS.fetch)), 2), i32(0));
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
    f.set(watched, f.call<'i32'>(watchedPage, wrap(linear), wrap(shrU(physical, 12)))),
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
  cr0: I32;
  isUser: I32;
  isWrite: I32;
  rights: I32;
  present: Local<'i32'>;
}

/** Faults with P = 1 when the combined rights forbid the access. */
function checkRights(f: FunctionBuilder, l: RightsLocals, fault: Label): void {
  f.set(l.present, i32(1));
  f.brIf(fault, and(l.isUser, eqz(and(l.rights, i32(PTE.US)))));
  const readOnly = eqz(and(l.rights, i32(PTE.RW)));
  const obeyed = or(l.isUser, and(shrU(l.cr0, 16), i32(1)));
  f.brIf(fault, and(and(l.isWrite, readOnly), obeyed));
}

interface WalkLocals {
  cpu: I32;
  linear: I64;
  access: I32;
  isWrite: I32;
  physical: Local<'i64'>;
  rights: Local<'i32'>;
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

/** Physical address bits of a PAE entry: 51..12. */
const PAE_FRAME = 0x000ffffffffff000n;

/** Three levels of 64-bit entries from the cached PDPTEs; 2 MiB pages. */
function walkPae(
  f: FunctionBuilder,
  l: WalkLocals,
  physicalHost: FunctionReference,
  fault: Label,
  permit: Permit,
): void {
  const { rights, physical } = l;
  const linear = f.let(wrap(l.linear));
  const noExecute = f.local('i32');
  const pdpte = f.let(load64(add(l.cpu, shl(shrU(linear, 30), 3)), FIELD.pdptes));
  f.brIf(fault, eqz(and(wrap(pdpte), i32(PTE.P))));
  const pdeAddress = or(and(pdpte, i64(PAE_FRAME)), extendU(and(shrU(linear, 18), i32(0xff8))));
  const pdeHost = f.let(f.call<'i32'>(physicalHost, pdeAddress));
  f.brIf(fault, eqz(pdeHost));
  const pde = f.let(load64(pdeHost));
  f.brIf(fault, eqz(and(wrap(pde), i32(PTE.P))));
  f.set(rights, and(rights, wrap(pde)));
  f.set(noExecute, wrap(shrU(pde, 63)));
  const permitFetch = (): void => {
    permit();
    const guarded = and(shrU(load32(l.cpu, FIELD.efer), 11), i32(1));
    f.brIf(fault, and(and(noExecute, guarded), shrU(and(l.access, i32(ACCESS.fetch)), 2)));
  };
  f.if(
    and(wrap(pde), i32(PTE.PS)),
    () => {
      permitFetch();
      markLeaf(f, l, pdeHost, f.let(wrap(pde)));
      const frame = and(pde, i64(PAE_FRAME & ~0x1fffffn));
      f.set(physical, or(frame, extendU(and(linear, i32(0x1fffff)))));
    },
    () => {
      const pteAddress = or(and(pde, i64(PAE_FRAME)), extendU(and(shrU(linear, 9), i32(0xff8))));
      const pteHost = f.let(f.call<'i32'>(physicalHost, pteAddress));
      f.brIf(fault, eqz(pteHost));
      const pte = f.let(load64(pteHost));
      f.brIf(fault, eqz(and(wrap(pte), i32(PTE.P))));
      f.set(rights, and(rights, wrap(pte)));
      f.set(noExecute, or(noExecute, wrap(shrU(pte, 63))));
      permitFetch();
      markTable(f, pdeHost, f.let(wrap(pde)));
      markLeaf(f, l, pteHost, f.let(wrap(pte)));
      f.set(physical, or(and(pte, i64(PAE_FRAME)), extendU(and(linear, i32(0xfff)))));
    },
  );
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
  const entry = f.let(add(add(l.cpu, select(l.isUser, i32(TLB_USER), i32(TLB_SUPERVISOR))), index));
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

/** Exports a function for callers with 32-bit values: an i64 costs them a BigInt. */
function exportNarrow(module: ModuleBuilder, name: string, callee: FunctionReference, types: readonly ValueType[]): void {
  const reference = module.declare(types.map(() => 'i32'), ['i32'], name);
  const f = new FunctionBuilder(reference.type);
  const values = types.map((type, index) => {
    const value = f.parameter<'i32'>(index);
    return type === 'i64' ? extendU(value) : value;
  });
  f.return(f.call<'i32'>(callee, ...values));
  f.unreachable();
  reference.define(f.finish());
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
    const physical = f.let(load32(cpu, FIELD.mmioAddress));
    const frame = f.let(shrU(physical, 12));
    f.if(and(load32(shl(frame, 2), map.physicalMap), i32(PHYSICAL_CODE)), () => {
      const chunks = f.let(load64(shl(frame, 3), map.codeChunks));
      const chunk = (offset: I32): I64 => extendU(and(shrU(offset, 6), i32(63)));
      const last = add(physical, sub(size, i32(1)));
      const touched = or(shrU(chunks, chunk(physical)), shrU(chunks, chunk(last)));
      f.if(and(wrap(touched), i32(1)), () => f.callVoid(imports.codeWritten, frame));
    });
    f.return(host);
    f.unreachable();
    writableHost.define(f.finish());
  }

  const linearOf = (cpu: I32, slot: I32, address: I64): I64 =>
    and(add(address, load64(slot, FIELD.slots + SLOT.base)), load64(cpu, FIELD.linearMask));
  const userAccess = (cpu: I32): I32 => select(eq(load32(cpu, FIELD.cpl), i32(3)), i32(ACCESS.user), i32(0));
  const crosses = (linear: I64, size: I32): I32 =>
    geU(add(and(wrap(linear), i32(0xfff)), size), i32(0x1001));
  const nextPage = (cpu: I32, linear: I64): I64 =>
    and(and(add(linear, i64(0x1000)), i64(~0xfffn)), load64(cpu, FIELD.linearMask));

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

  const slowRead = module.declare(['i32', 'i32', 'i32', 'i64', 'i32'], ['i32']);
  {
    const f = new FunctionBuilder(slowRead.type);
    const cpu = f.parameter<'i32'>(0), slot = f.parameter<'i32'>(2), address = f.parameter<'i64'>(3), size = f.parameter<'i32'>(4);
    f.do(store32(cpu, f.parameter<'i32'>(1), FIELD.record));
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
    checkLimit(f, slot, address, size, true, () => f.return(i32(1)));
    f.return(
      f.call<'i32'>(writeLinear, cpu, linearOf(cpu, slot, address), size, userAccess(cpu), f.parameter<'i64'>(5)),
    );
    f.unreachable();
    slowWrite.define(f.finish());
  }

  exportNarrow(module, 'translate32', translate, ['i32', 'i64', 'i32']);
  exportNarrow(module, 'readLinear32', access, ['i32', 'i64', 'i32', 'i32']);
  exportNarrow(module, 'writeLinear32', writeLinear, ['i32', 'i64', 'i32', 'i32', 'i64']);

  return {
    translate, slowRead, slowUpdate, commitUpdate, slowWrite, flatRead, flatUpdate, flatWrite, readLinear: access, writeLinear,
  };
}

