// One vCPU: its state in linear memory, the generated interpreter over it, and what the TypeScript helpers need.
import { CodeCache } from './codeCache.ts';
import { handlerTable, PSEUDO, PSEUDO_COUNT } from './decode/handlers.ts';
import { buildInterpreter } from './interpreter/interpreter.ts';
import { ACCESS, WATCHED } from './interpreter/memoryFunctions.ts';
import { CANONICAL, fromHalves, pageOf, upperHalf } from './state/addresses.ts';
import { CR4, cpuModels, hasFeature, type CpuModel } from './state/cpuModels.ts';
import {
  ARITHMETIC_FLAGS, ARMED, CODE_MODE, CS, DS, EFER, ES, EXIT, FIELD, FLAG, FLOATING_ERROR, FS, GS, HELPER, LDTR, RECORD, SEGMENT, SLOT, SS, STATE_BYTES, TLB,
  TLB_SUPERVISOR, TLB_SUPERVISOR_AC, TLB_USER, TLBS, TR,
} from './state/layout.ts';
import type { EngineName } from './state/engines.ts';
import type { ExitKind } from './state/exitClasses.ts';
import { layOutMemory, type MemoryMap } from './state/memoryMap.ts';
import { PHYSICAL_READ } from '../mmu/physicalMap.ts';
import { DebugAccess } from './system/debugAccess.ts';
import { stepsOnBranches } from './system/control.ts';
import { breakpointsChanged, checkDataBreakpoints, pageHasBreakpoints, reportDebug } from './system/debugRegisters.ts';
import { GuestFault, raise, raiseRecorded, VECTOR } from './system/faults.ts';
import { deliverFault } from './system/interrupts.ts';
import { createHelpers, type Helper } from './system/helpers.ts';
import { LastBranches } from './system/lastBranches.ts';
import { PerformanceCounters } from './system/performance.ts';
import { Translator } from './translator/translator.ts';
import type { X87Functions } from './x87/x87Functions.ts';

/** Exits to whoever drives the CPU: all that a guest cannot do alone. */
export interface CpuHost {
  portRead(port: number, size: 1 | 2 | 4): number;
  portWrite(port: number, value: number, size: 1 | 2 | 4): void;
  mmioRead(address: number, size: 1 | 2 | 4): number;
  mmioWrite(address: number, value: number, size: 1 | 2 | 4): void;
  /** The time-stamp counter's value, a non-negative integer below 2^53. */
  timestamp(): number;
  setTimestamp(value: number): void;
  /** Core clock cycles at 1 GHz, without the time in HLT. */
  cycles(): number;
  /** A performance counter that interrupts has overflowed. */
  performanceInterrupt(): void;
  /** FERR#: an x87 error waits to be reported with CR0.NE clear. */
  floatingError(level: boolean): void;
  /** INTA cycle. */
  acknowledgeInterrupt(): number;
  /** CR8: bits 7:4 of the local APIC's task priority; 0 without one. */
  readTaskPriority(): number;
  writeTaskPriority(value: number): void;
  /** Model-specific registers of the platform, as [low, high]; null: there is none. */
  readMsr(index: number): readonly [number, number] | null;
  /** False: no such register, or a value that it does not take. */
  writeMsr(index: number, low: number, high: number): boolean;
  /**
   * One exit of a class happened (counted by the hypervisor). What a to d say by class: port: port, value, size, write;
   * mmio: address, value, size, write; cpuid: leaf; msr: index, low, high, write; rdtsc: low, high; control- and
   * debug-register: number, value, -, write; descriptor-table: base or selector, limit, table (0: GDT, IDT, LDT, TR), write;
   * segment: selector, segment; far-transfer: selector and EIP behind it, IRET; tlb: linear address; exception, interrupt,
   * software-interrupt: vector, error code, address; page-fault: linear address, error code, address; flags: EFLAGS.
   */
  exit(kind: ExitKind, a?: number, b?: number, c?: number, d?: number): void;
  /** Work for an exit begins and ends, for the accounting of time. */
  exitBegins(): void;
  exitEnds(): void;
  guestError(what: string, detail: Readonly<Record<string, number | string>>): void;
}

export type { ExitKind } from './state/exitClasses.ts';

/** A debugger's data breakpoint: CPU accesses to [from, to) in linear or physical memory. */
export interface DataWatch {
  readonly id: number;
  readonly physical: boolean;
  readonly from: number;
  readonly to: number;
  readonly read: boolean;
  readonly write: boolean;
}

/** What an instruction is by its row of the decode tables. */
export const SENSITIVE = { sensitive: 1, privileged: 2 } as const;

/** Why the CPU does not run. `shutdown`: triple fault. */
export type Activity = 'running' | 'halted' | 'shutdown';

interface Interpreter extends X87Functions {
  /** For 16- and 32-bit code, and for 64-bit code. */
  run(cpu: number, record: number): number;
  run64(cpu: number, record: number): number;
  translate(cpu: number, linear: number, linearHigh: number, access: number): number;
  readLinear(cpu: number, linear: number, linearHigh: number, size: number, access: number): number;
  writeLinear(
    cpu: number, linear: number, linearHigh: number, size: number, access: number, value: number, valueHigh: number,
  ): number;
}



const CR0_AM = 1 << 18;

export class Cpu {
  readonly map: MemoryMap;
  readonly memory: WebAssembly.Memory;
  readonly view: DataView;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly model: CpuModel;
  readonly host: CpuHost;
  readonly code: CodeCache;
  readonly translator: Translator;
  /** For a debugger, between two instructions. */
  readonly debugAccess: DebugAccess = new DebugAccess(this);
  readonly performance: PerformanceCounters;
  readonly lastBranches: LastBranches;
  /** Base of the state, and the same as an index of 32-bit words. */
  readonly base: number;
  readonly word: number;

  activity: Activity = 'running';
  /** STI or MOV SS holds interrupts off for one instruction. */
  interruptShadow = false;
  /** The instruction that is being stepped is followed by no single-step trap: it loaded SS or entered a handler. */
  trapSuppressed = false;
  /** SS was loaded with breakpoints armed: debug exceptions wait until the next instruction is done (SDM 3A 6.8.3). */
  debugShadow = false;
  /** The recorded #DB is a trap of the instruction before. */
  trapBeforeFetch = false;
  /** Where the shadow of the last STI or MOV SS ends its slice, if it does; -1: nowhere. */
  shadowAt = -1;
  nmiPending = false;
  nmiBlocked = false;
  /** A device asks the run loop to look after this instruction (reset, power off, a stopped clock). */
  leaveRequested = false;
  /** A firmware service has set the whole state: execution continues at `rip`, not behind the instruction. */
  jumpRequested = false;
  /** Detail of the last shutdown, for people. */
  shutdownDetail = '';
  /** Instructions retired before the current slice, plus the slice's budget: see instructionCount. */
  #sliceEnd = 0;
  readonly #wasm: Interpreter;
  readonly #helpers: readonly (Helper | undefined)[];
  msrs = new Map<number, readonly [number, number]>();
  /** Executions of each handler that is a helper, in kernel mode and in user mode alternately: sensitive ones are among them. */
  readonly helperCounts: Float64Array;
  /** PUSHF, POPF, CLI and STI are exits that are reported. */
  visibleFlags = false;
  /** SGDT, SIDT, SLDT, STR and SMSW fault in user mode, as with CR4.UMIP (SDM 3A 2.5). */
  strictUserMode = false;
  /** A debugger's data breakpoints, and what they caught. */
  #watches: readonly DataWatch[] = [];
  onWatch: (watch: DataWatch, linear: number, size: number, write: boolean) => void = () => {};
  /** Called when the mode, the privilege level or the address space changed; null: nobody looks. */
  onModeChange: (() => void) | null = null;
  /** Called with SENSITIVE bits for each sensitive or privileged instruction that is about to run; null: nobody looks. */
  onSensitive: ((bits: number) => void) | null = null;
  readonly #sensitiveBits: Uint8Array;
  readonly #exits: Uint8Array;
  #stopWanted = false;
  #inHelper = false;
  /** The record behind the current one, whose handler a stop replaced. */
  #patched = 0;
  #patchedHandler = 0;

  constructor(ramBytes: number, model: keyof typeof cpuModels | CpuModel, host: CpuHost, romBytes?: number) {
    this.map = layOutMemory(ramBytes, romBytes);
    this.model = typeof model === 'string' ? cpuModels[model] : model;
    this.host = host;
    this.memory = new WebAssembly.Memory({ initial: this.map.totalPages, maximum: this.map.totalPages, shared: true });
    const buffer = this.memory.buffer;
    this.view = new DataView(buffer);
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.base = this.map.cpu;
    this.word = this.base >>> 2;
    this.code = new CodeCache(this);
    this.performance = new PerformanceCounters(this);
    this.lastBranches = new LastBranches(this);
    this.#helpers = createHelpers(this);
    this.#sensitiveBits = sensitiveBits();
    this.#exits = exitingHandlers();
    this.helperCounts = new Float64Array(this.#helpers.length * 2);
    const module = new WebAssembly.Module(buildInterpreter(this.map));
    const { exports } = new WebAssembly.Instance(module, { env: this.#imports() });
    this.#wasm = exports as unknown as Interpreter;
    this.translator = new Translator(this, exports);
    this.code.onRegionDropped = (slot) => this.translator.drop(slot);
    this.code.onFlush = () => this.translator.flush();
    this.reset();
  }

  /** The x87's shared functions, for its helpers. */
  get x87(): X87Functions {
    return this.#wasm;
  }

  // --- state access -------------------------------------------------------------------------------------------------

  get32(field: number): number {
    return this.u32[this.word + (field >>> 2)];
  }
  set32(field: number, value: number): void {
    this.u32[this.word + (field >>> 2)] = value;
  }
  /** Sets a 64-bit field to an unsigned 32-bit value. */
  setWide(field: number, value: number): void {
    this.u32[this.word + (field >>> 2)] = value;
    this.u32[this.word + (field >>> 2) + 1] = 0;
  }
  /** Sets a 64-bit field to a signed value below 2^53. */
  setWideSigned(field: number, value: number): void {
    this.u32[this.word + (field >>> 2)] = value >>> 0;
    this.u32[this.word + (field >>> 2) + 1] = Math.floor(value / 2 ** 32) >>> 0;
  }

  reg32(index: number): number {
    return this.u32[this.word + index * 2];
  }
  setReg32(index: number, value: number): void {
    this.u32[this.word + index * 2] = value;
    this.u32[this.word + index * 2 + 1] = 0;
  }
  reg16(index: number): number {
    return this.u16[(this.base >>> 1) + index * 4];
  }
  setReg16(index: number, value: number): void {
    this.u16[(this.base >>> 1) + index * 4] = value;
  }
  /** A byte register by its state offset (record operands hold that). */
  byteAt(offset: number): number {
    return this.u8[this.base + offset];
  }

  /** A 64-bit field as a signed number: exact for addresses, which have 48 bits, sign-extended. */
  getWide(field: number): number {
    return this.i32[this.word + (field >>> 2) + 1] * 2 ** 32 + this.u32[this.word + (field >>> 2)];
  }
  /** A general register as a signed number (exact for canonical addresses), or as 32 bits outside 64-bit mode. */
  registerWide(index: number): number {
    return this.is64 ? this.getWide(FIELD.gpr + index * 8) : this.reg32(index);
  }
  setRegisterWide(index: number, value: number): void {
    if (this.is64) this.setWideSigned(FIELD.gpr + index * 8, value);
    else this.setReg32(index, value);
  }

  /** Code is 64-bit code. */
  get is64(): boolean {
    return this.get32(FIELD.codeMode) === CODE_MODE.code64;
  }
  /** IA-32e mode is active, in either sub-mode (EFER.LMA). */
  get isLong(): boolean {
    return (this.get32(FIELD.efer) & EFER.LMA) !== 0;
  }
  /** A linear address in the current mode's width. */
  wrapLinear(linear: number): number {
    return this.is64 ? linear : linear >>> 0;
  }

  get rip(): number {
    return this.getWide(FIELD.rip);
  }
  set rip(value: number) {
    this.setWideSigned(FIELD.rip, this.is64 ? value : value >>> 0);
  }
  /** Physical address of the instruction in progress, below 4 GiB. */
  get codeAddress(): number {
    const linear = this.wrapLinear(this.segmentBase(CS) + this.rip);
    return this.translate(linear, ACCESS.fetch | this.userAccess) === 0 ? -1 : this.get32(FIELD.mmioAddress);
  }
  get cpl(): number {
    return this.get32(FIELD.cpl);
  }
  get cr0(): number {
    return this.get32(FIELD.cr0);
  }
  get cr4(): number {
    return this.get32(FIELD.cr4);
  }
  get isProtected(): boolean {
    return (this.get32(FIELD.cr0) & 1) !== 0;
  }
  get isVirtual8086(): boolean {
    return (this.get32(FIELD.eflags) & FLAG.VM) !== 0;
  }
  /** Protected mode proper: selectors name descriptors. */
  get usesDescriptors(): boolean {
    return (this.get32(FIELD.cr0) & 1) !== 0 && (this.get32(FIELD.eflags) & FLAG.VM) === 0;
  }
  get iopl(): number {
    return (this.get32(FIELD.eflags) >>> 12) & 3;
  }

  /** EFLAGS with the lazy flags computed. */
  get eflags(): number {
    const carry = this.get32(FIELD.flagCarry);
    const low = this.get32(FIELD.flagResult), high = this.get32(FIELD.flagResult + 4);
    let parity = low & 0xff;
    parity ^= parity >> 4;
    const odd = (0x6996 >> (parity & 15)) & 1;
    let flags = this.get32(FIELD.eflags);
    flags |= carry >>> 31;
    flags |= (odd ^ 1 ^ ((high ^ (high << 1)) >>> 31)) << 2;
    flags |= ((carry >>> 3) & 1) << 4;
    if (low === 0) flags |= FLAG.ZF;
    flags |= (high >>> 31) << 7;
    flags |= ((carry ^ (carry << 1)) >>> 31) << 11;
    return flags;
  }
  set eflags(value: number) {
    const wasOpen = this.get32(FIELD.eflags) & FLAG.AC;
    this.set32(FIELD.eflags, (value & ~ARITHMETIC_FLAGS & 0x3f7fd7) | 2);
    this.setArithmeticFlags(value);
    if ((value & FLAG.AC) !== wasOpen) this.refreshTlbBase();
  }
  /** Sets CF, PF, AF, ZF, SF, OF from EFLAGS bits. */
  setArithmeticFlags(flags: number): void {
    const carry = flags & 1, overflow = (flags >>> 11) & 1, zero = (flags >>> 6) & 1;
    const parity = (flags >>> 2) & 1, sign = (flags >>> 7) & 1, aux = (flags >>> 4) & 1;
    this.set32(FIELD.flagCarry, (carry << 31) | ((carry ^ overflow) << 30) | (aux << 3));
    this.set32(FIELD.flagResult, zero ? 0 : 0x300);
    this.set32(FIELD.flagResult + 4, (sign << 31) | ((sign ^ parity ^ 1) << 30));
  }

  // --- segments -----------------------------------------------------------------------------------------------------

  segmentField(segment: number, field: number): number {
    return this.get32(FIELD.segments + segment * SEGMENT.bytes + field);
  }
  selector(segment: number): number {
    return this.segmentField(segment, SEGMENT.selector);
  }
  /** In 64-bit mode only FS and GS (and the system segments) have one. */
  segmentBase(segment: number): number {
    if (segment < FS && this.is64) return 0;
    return this.getWide(FIELD.segments + segment * SEGMENT.bytes + SEGMENT.base);
  }

  /** Fills a segment cache and what follows from it. `attributes` are descriptor bits 8..23 of the upper half. */
  setSegment(segment: number, selector: number, base: number, limit: number, attributes: number): void {
    const at = FIELD.segments + segment * SEGMENT.bytes;
    this.setWideSigned(at + SEGMENT.base, segment < FS ? base >>> 0 : base);
    this.set32(at + SEGMENT.limit, limit);
    this.set32(at + SEGMENT.attributes, attributes);
    this.set32(at + SEGMENT.selector, selector);
    if (segment >= LDTR) return;
    if (segment === SS) this.#refreshStackMask();
    this.refreshSlots(segment);
  }
  #refreshStackMask(): void {
    const wide = (this.segmentField(SS, SEGMENT.attributes) & 0x4000) !== 0;
    this.setWideSigned(FIELD.stackMask, this.is64 ? -1 : wide ? 0xffffffff : 0xffff);
  }

  /** Recomputes the fast-path limits of a segment from its cache. */
  refreshSlots(segment: number): void {
    const attributes = this.segmentField(segment, SEGMENT.attributes);
    const limit = this.segmentField(segment, SEGMENT.limit);
    if (segment === CS) this.#switchWidth((attributes & 0x2000) !== 0 && this.isLong);
    if (this.is64) {
      this.#refreshWideSlots(segment);
      return;
    }
    const base = this.segmentBase(segment);
    const present = (attributes & 0x80) !== 0;
    const isCode = (attributes & 8) !== 0;
    const checksType = this.usesDescriptors;
    const expandDown = !isCode && (attributes & 4) !== 0;
    const readable = present && !expandDown && (!checksType || !isCode || (attributes & 2) !== 0);
    const writable = present && !expandDown && (!checksType || (!isCode && (attributes & 2) !== 0));
    for (let size = 0; size < 2; size++) {
      const slot = FIELD.slots + (segment * 3 + size) * SLOT.bytes;
      this.setWide(slot + SLOT.base, base >>> 0);
      this.setWideSigned(slot + SLOT.readLimit, readable ? limit : -1);
      this.setWideSigned(slot + SLOT.writeLimit, writable ? limit : -1);
      this.setWide(slot + SLOT.mask, size === 0 ? 0xffff : 0xffffffff);
    }
    if (segment <= DS) this.#codeModeChanged();
  }

  /** In 64-bit mode there are no limits, and no bases but those of FS and GS (SDM 3A 3.4.4). */
  #refreshWideSlots(segment: number): void {
    const base = segment < FS ? 0 : this.segmentBase(segment);
    for (let size = 0; size < 3; size++) {
      const slot = FIELD.slots + (segment * 3 + size) * SLOT.bytes;
      this.setWideSigned(slot + SLOT.base, base);
      for (const limit of [slot + SLOT.readLimit, slot + SLOT.writeLimit]) {
        this.set32(limit, 0xffffffff);
        this.set32(limit + 4, 0x7fffffff);
      }
      this.setWideSigned(slot + SLOT.mask, size === 2 ? -1 : size === 1 ? 0xffffffff : 0xffff);
    }
  }

  /** Enters or leaves 64-bit code: all segments change their meaning. */
  #switchWidth(to64: boolean): void {
    if (to64 === this.is64) return;
    this.set32(FIELD.codeMode, to64 ? CODE_MODE.code64 : CODE_MODE.code16);
    this.setWideSigned(FIELD.linearMask, to64 ? -1 : 0xffffffff);
    this.#refreshStackMask();
    this.#keepTagsApart(to64);
    for (const segment of [ES, SS, DS, FS, GS, CS]) this.refreshSlots(segment);
    this.onModeChange?.();
    this.forgetCodeTables();
  }
  /** 64-bit code has run in user mode since the user's TLB was emptied for 32-bit code. */
  #userTagsWide = false;
  /** The instruction count at which user mode was entered: what follows it in the same instruction is still the kernel's. */
  #userSince = -1;
  /** 32-bit code compares the lower halves of tags only: tags of 64-bit addresses must be gone before it runs. */
  #keepTagsApart(to64: boolean): void {
    if (to64) return;
    const userRan = this.#userTagsWide || this.instructionCount !== this.#userSince;
    if (this.cpl === 3 && !userRan) return;
    this.flushTlb(false);
    this.#userTagsWide = false;
  }

  setCpl(cpl: number): void {
    if (this.onModeChange !== null && cpl !== this.cpl) this.onModeChange();
    const before = this.cpl;
    const counts = this.performance.active && (before === 0) !== (cpl === 0);
    if (counts) this.performance.update();
    this.set32(FIELD.cpl, cpl);
    if (counts) this.performance.levelChanged();
    if (cpl === 3 && before !== 3) this.#userSince = this.instructionCount;
    else if (cpl !== 3 && before === 3 && this.is64) this.#userTagsWide = true;
    this.refreshTlbBase();
  }
  /** To be called when the privilege level, CR4.SMAP or EFLAGS.AC under it has changed. */
  refreshTlbBase(): void {
    const open = (this.get32(FIELD.cr4) & CR4.SMAP) !== 0 && (this.get32(FIELD.eflags) & FLAG.AC) !== 0 && this.cpl !== 3;
    const supervisor = open ? TLB_SUPERVISOR_AC : TLB_SUPERVISOR;
    this.set32(FIELD.supervisorTlb, supervisor);
    this.set32(FIELD.tlbBase, this.base + (this.cpl === 3 ? TLB_USER : supervisor));
    const checks = this.cpl === 3 && (this.get32(FIELD.eflags) & FLAG.AC) !== 0 && (this.get32(FIELD.cr0) & CR0_AM) !== 0;
    if (checks !== ((this.get32(FIELD.breakpointsArmed) & ARMED.alignment) !== 0)) this.#toggleAlignmentChecks();
  }
  /** User mode's alignment checks (SDM 3A 6.15): while they are on, no access of its own finds a tag in the TLB. */
  #toggleAlignmentChecks(): void {
    this.set32(FIELD.breakpointsArmed, this.get32(FIELD.breakpointsArmed) ^ ARMED.alignment);
    this.flushTlb(false);
  }

  /** Records depend on the code's size and on whether data and stack are flat. */
  #codeModeChanged(): void {
    if (this.is64) return;
    const wide = (this.segmentField(CS, SEGMENT.attributes) & 0x4000) !== 0;
    const flat = wide && this.#isFlat(DS) && this.#isFlat(SS) && this.#isFlat(ES) && this.get32(FIELD.stackMask) !== 0xffff;
    const mode = !wide ? CODE_MODE.code16 : flat ? CODE_MODE.flat32 : CODE_MODE.code32;
    if (mode === this.get32(FIELD.codeMode)) return;
    this.set32(FIELD.codeMode, mode);
    this.onModeChange?.();
    this.forgetCodeTables();
  }

  /** A writable 4 GiB segment at zero. */
  #isFlat(segment: number): boolean {
    const slot = FIELD.slots + segment * 3 * SLOT.bytes;
    return (
      this.get32(slot + SLOT.base) === 0 &&
      this.get32(slot + SLOT.writeLimit) === 0xffffffff && this.get32(slot + SLOT.writeLimit + 4) === 0
    );
  }

  /** The slow path of segment limits: 0 when the access is allowed, else the fault is recorded. */
  #checkSegment(slot: number, offset: number, size: number, write: number): number {
    const segment = Math.floor((slot - this.base) / SLOT.bytes / 3);
    const attributes = this.segmentField(segment, SEGMENT.attributes);
    const limit = this.segmentField(segment, SEGMENT.limit);
    const start = offset >>> 0;
    if (this.segmentAllows(attributes, limit, start, size, write !== 0)) return 0;
    this.set32(FIELD.faultVector, segment === SS ? VECTOR.SS : VECTOR.GP);
    this.set32(FIELD.faultError, 0);
    return 1;
  }

  /** Type and limit check of an access (SDM 3A 5.3, 5.5). */
  segmentAllows(attributes: number, limit: number, start: number, size: number, write: boolean): boolean {
    if ((attributes & 0x80) === 0) return false;
    const isCode = (attributes & 8) !== 0;
    if (this.usesDescriptors) {
      if (write && (isCode || (attributes & 2) === 0)) return false;
      if (!write && isCode && (attributes & 2) === 0) return false;
    }
    const end = start + size - 1;
    if (!isCode && (attributes & 4) !== 0) return start > limit && end <= ((attributes & 0x4000) !== 0 ? 0xffffffff : 0xffff);
    // A limit of 4 GiB lets accesses wrap.
    return end <= limit || limit === 0xffffffff;
  }

  // --- memory -------------------------------------------------------------------------------------------------------

  get userAccess(): number {
    return this.get32(FIELD.cpl) === 3 ? ACCESS.user : 0;
  }

  /** Host address of a linear address, NOT_RAM or 0 with the fault recorded. */
  translate(linear: number, access: number): number {
    return this.#wasm.translate(this.base, linear, upperHalf(linear), access) >>> 0;
  }

  /** Reads memory by linear address with supervisor rights unless `access` says otherwise; faults by throwing. */
  readLinear(linear: number, size: 1 | 2 | 4, access = 0): number {
    const host = this.#hostToRead(linear, size, access);
    if (size === 4) return this.view.getUint32(host, true);
    return size === 2 ? this.view.getUint16(host, true) : this.u8[host];
  }
  writeLinear(linear: number, value: number, size: 1 | 2 | 4, access = 0): void {
    this.writeWords(linear, size, value, 0, access);
  }
  /** Eight bytes as [low, high]. */
  readWide(linear: number, access = 0): readonly [number, number] {
    const host = this.#hostToRead(linear, 8, access);
    return [this.view.getUint32(host, true), this.view.getUint32(host + 4, true)];
  }
  /** Up to eight bytes at once. */
  writeWords(linear: number, size: 1 | 2 | 4 | 8, low: number, high: number, access = 0): void {
    const failed = this.#wasm.writeLinear(this.base, linear, upperHalf(linear), size, access, low, high);
    if (failed !== 0) raiseRecorded(this);
  }
  #hostToRead(linear: number, size: number, access: number): number {
    const host = this.#wasm.readLinear(this.base, linear, upperHalf(linear), size, access) >>> 0;
    if (host === 0) raiseRecorded(this);
    return host;
  }

  /** Faults as a write to these bytes would, and changes nothing. */
  probeWrite(linear: number, size: number): void {
    const access = ACCESS.write | this.userAccess;
    if (this.translate(linear, access) === 0) raiseRecorded(this);
    const last = this.wrapLinear(linear + size - 1);
    // CR2 names the second page's first byte.
    if (pageOf(linear) !== pageOf(last) && this.translate(pageOf(last) * 4096, access) === 0) raiseRecorded(this);
  }

  /** Checked linear address of `segment:offset`. */
  linearAddress(segment: number, offset: number, size: number, write: boolean): number {
    if (this.is64) return this.canonical(this.segmentBase(segment) + offset, size, segment === SS);
    const attributes = this.segmentField(segment, SEGMENT.attributes);
    const limit = this.segmentField(segment, SEGMENT.limit);
    if (!this.segmentAllows(attributes, limit, offset >>> 0, size, write)) {
      raise(segment === SS ? VECTOR.SS : VECTOR.GP, 0);
    }
    return (this.segmentField(segment, SEGMENT.base) + offset) >>> 0;
  }
  /** In 64-bit mode: faults unless the whole access is at canonical addresses. */
  canonical(linear: number, size: number, isStack: boolean): number {
    if (linear >= -CANONICAL && linear + size <= CANONICAL) return linear;
    return raise(isStack ? VECTOR.SS : VECTOR.GP, 0);
  }
  readSegment(segment: number, offset: number, size: 1 | 2 | 4): number {
    return this.readLinear(this.linearAddress(segment, offset, size, false), size, this.userAccess);
  }
  writeSegment(segment: number, offset: number, value: number, size: 1 | 2 | 4): void {
    this.writeLinear(this.linearAddress(segment, offset, size, true), value, size, this.userAccess);
  }

  /** Physical memory as the CPU's bus shows it, device memory included; addresses below 4 GiB. */
  readPhysical(address: number, size: 1 | 2 | 4): number {
    const entry = this.u32[(this.map.physicalMap >>> 2) + (address >>> 12)];
    if ((entry & PHYSICAL_READ) === 0) return this.host.mmioRead(address, size);
    const host = ((entry & ~0xfff) >>> 0) + (address & 0xfff);
    if (size === 4) return this.view.getUint32(host, true);
    return size === 2 ? this.view.getUint16(host, true) : this.u8[host];
  }

  #mmioRead(target: number, size: number): void {
    const address = this.get32(FIELD.mmioAddress), high = this.get32(FIELD.mmioAddress + 4);
    for (let done = 0; done < size; ) {
      const step = transferSize(address + done, size - done);
      const value = high !== 0 ? 0xffffffff : this.readPhysical(address + done, step);
      if (step === 4) this.view.setUint32(target + done, value, true);
      else if (step === 2) this.view.setUint16(target + done, value, true);
      else this.u8[target + done] = value;
      done += step;
    }
    if (high === 0) this.host.exit('mmio', address, this.view.getUint32(target, true), size, 0);
  }

  #mmioWrite(source: number, size: number): void {
    const address = this.get32(FIELD.mmioAddress), high = this.get32(FIELD.mmioAddress + 4);
    if (high !== 0) return;
    for (let done = 0; done < size; ) {
      const step = transferSize(address + done, size - done);
      const value =
        step === 4 ? this.view.getUint32(source + done, true)
        : step === 2 ? this.view.getUint16(source + done, true)
        : this.u8[source + done];
      this.host.mmioWrite(address + done, value, step);
      done += step;
    }
    this.host.exit('mmio', address, this.view.getUint32(source, true), size, 1);
  }

  // --- TLB ----------------------------------------------------------------------------------------------------------

  /** Drops translations: all, or those that are not global. */
  flushTlb(keepGlobal: boolean): void {
    const { i32 } = this;
    for (const tlb of TLBS) {
      let entry = (this.base + tlb) >>> 2;
      for (let count = 0; count < TLB.entries; count++, entry += TLB.bytes >>> 2) {
        if (keepGlobal && i32[entry + 7] !== 0) continue;
        i32[entry] = i32[entry + 1] = i32[entry + 2] = i32[entry + 3] = -1;
        i32[entry + 5] = 0;
      }
    }
  }

  /** INVLPG. A large page is cached in 4 KiB parts: all of its 4 MiB go. */
  flushPage(linear: number): void {
    const { i32, u32 } = this;
    for (const tlb of TLBS) {
      let entry = (this.base + tlb) >>> 2;
      for (let count = 0; count < TLB.entries; count++, entry += TLB.bytes >>> 2) {
        if (((u32[entry] ^ linear) >>> 22) !== 0) continue;
        i32[entry] = i32[entry + 1] = i32[entry + 2] = i32[entry + 3] = -1;
        i32[entry + 5] = 0;
      }
    }
  }

  /** Forgets which records belong to the cached pages: after a change of the code's size. */
  forgetCodeTables(): void {
    for (const tlb of TLBS) {
      let entry = (this.base + tlb + TLB.codeTable) >>> 2;
      for (let count = 0; count < TLB.entries; count++, entry += TLB.bytes >>> 2) this.i32[entry] = 0;
    }
  }

  // --- execution ----------------------------------------------------------------------------------------------------

  /** Instructions retired since power-on; exact in helpers and device accesses too. */
  get instructionCount(): number {
    return this.#sliceEnd - this.#budgetLeft;
  }
  #inRun = false;
  #sliceEnded = false;
  /** Varies how long parts are. */
  #sampleState = 1;
  /** Instructions between two samples of where the program is, at least; some more, by chance. */
  sampleDistance = 4096;
  #engine: EngineName = 'interpreter';

  /** What executes instructions. */
  get engine(): EngineName {
    return this.#engine;
  }
  /**
   * Another engine takes over, between two runs. `interpreter-uncached` decodes each instruction anew, alone, and walks the page
   * tables at each access: nothing that it does depends on what was before.
   */
  setEngine(engine: EngineName): void {
    if (engine === this.#engine) return;
    this.#engine = engine;
    this.code.flush();
    this.refreshBreakpoints();
  }

  /** Instructions left in the slice before the current one. */
  get #budgetLeft(): number {
    const record = this.get32(FIELD.record);
    return record === 0 ? this.get32(FIELD.budget) | 0 : (this.get32(FIELD.runEnd) - record) >> 4;
  }

  /** Ends the slice at the next taken branch, for example to let an interrupt in. */
  endSlice(): void {
    this.#sliceEnded = true;
    const left = this.#budgetLeft;
    if (left <= 0) return;
    this.#sliceEnd -= left;
    const record = this.get32(FIELD.record);
    if (record === 0) this.set32(FIELD.budget, 0);
    else this.set32(FIELD.runEnd, record);
  }

  /** Sets or clears the processor's INTR input. */
  setInterruptLine(level: boolean): void {
    this.set32(FIELD.interruptPending, level ? 1 : 0);
    if (level && this.#inRun && (this.get32(FIELD.eflags) & FLAG.IF) !== 0) this.endSlice();
  }

  /** The A20 gate: closed, physical addresses wrap at 1 MiB as on an 8086. */
  setA20(enabled: boolean): void {
    const mask = enabled ? 0xffffffff : 0xffefffff;
    if (this.get32(FIELD.a20Mask) === mask) return;
    this.set32(FIELD.a20Mask, mask);
    this.flushTlb(false);
    this.endSlice();
  }

  get canTakeInterrupt(): boolean {
    return this.get32(FIELD.interruptPending) !== 0 && (this.get32(FIELD.eflags) & FLAG.IF) !== 0 && !this.interruptShadow;
  }

  /**
   * Runs about `budget` instructions, until the budget is used, a fault was delivered, a helper asks, or the debugger
   * stops it. Returns an EXIT. `single`: exactly one instruction, past a breakpoint in front of it. A run that ended with
   * `breakpoint` or `interrupted` goes on with the rest of its budget, which may be negative, without a look around.
   */
  run(budget: number, single = false): number {
    if (this.code.isFull) this.code.flush();
    this.#sliceEnd += budget;
    this.set32(FIELD.budget, budget);
    const alone = this.interruptShadow || this.lastBranches.active || (this.get32(FIELD.eflags) & FLAG.TF) !== 0;
    if (alone && !single && this.code.breakpointAt(this.rip)) {
      this.#settle();
      return EXIT.breakpoint;
    }
    const passes = this.debugShadow;
    this.interruptShadow = this.debugShadow = false;
    this.#stopWanted = false;
    const byOne = alone || single || this.#engine === 'interpreter-uncached';
    let exit = byOne ? this.#step(passes) : this.#engine === 'translator' ? this.#runSampled(budget) : this.#enter(0);
    if (this.#patched !== 0) this.#unpatch();
    // A slice ends behind an instruction only if the guest itself runs one at a time.
    if (exit === EXIT.step && !alone && (this.get32(FIELD.dr + 7 * 8) & 0xff) === 0) exit = EXIT.interrupted;
    if (exit === EXIT.fault) this.#deliverFault();
    else if (this.shadowAt >= 0 && this.rip === this.shadowAt && exit < EXIT.breakpoint) this.interruptShadow = true;
    this.shadowAt = -1;
    if (!this.debugShadow) this.#afterInstruction();
    this.#settle();
    if (this.performance.active) this.performance.update();
    return exit;
  }

  /** A slice in parts, where the program's own ends of slices fall: each shows where it spends its time. */
  #runSampled(budget: number): number {
    this.#sliceEnded = false;
    let later = budget;
    for (let before = 0; ; ) {
      // No two parts alike, so that no loop keeps step with them.
      this.#sampleState = (Math.imul(this.#sampleState, 1664525) + 1013904223) | 0;
      const part = Math.min(later, this.sampleDistance + ((this.#sampleState >>> 12) % this.sampleDistance));
      later -= part;
      this.#sliceEnd -= later;
      this.set32(FIELD.budget, before + part);
      const exit = this.#enter(0);
      this.#sliceEnd += later;
      if (exit === EXIT.budget) this.translator.sample();
      before = this.get32(FIELD.budget) | 0;
      if (exit !== EXIT.budget || this.#sliceEnded || before > 0 || later <= -before) {
        this.set32(FIELD.budget, before + later);
        return exit;
      }
    }
  }

  #deliverFault(): void {
    const vector = this.get32(FIELD.faultVector), error = this.get32(FIELD.faultError);
    if (vector === FLOATING_ERROR) {
      this.#awaitReport();
      return;
    }
    this.host.exitBegins();
    if (vector === VECTOR.PF) this.host.exit('page-fault', this.get32(FIELD.cr2), error, this.rip);
    else this.host.exit('exception', vector, error, this.rip);
    // What the instruction touched before it faulted is not reported.
    if (vector !== VECTOR.DB) this.set32(FIELD.pendingDebug, 0);
    deliverFault(this, vector, error, this.trapBeforeFetch);
    this.trapBeforeFetch = false;
    this.host.exitEnds();
  }

  /** The instruction stands still until an interrupt comes: that of FERR#, if all is well (SDM 1 D.2.1.3). */
  #awaitReport(): void {
    this.set32(FIELD.pendingDebug, 0);
    this.activity = 'halted';
    this.setFloatingError(true);
  }
  #floatingError = false;
  /** FERR# stays up until no x87 exception is pending. */
  setFloatingError(level: boolean): void {
    if (level === this.#floatingError) return;
    this.#floatingError = level;
    this.host.floatingError(level);
  }
  /** What the guest sees of this processor that is not in its fixed state, as text: equal texts mean equal processors. */
  get stateOutside(): string {
    const msrs = [...this.msrs].sort(([a], [b]) => a - b);
    return JSON.stringify([this.performance.save(), this.lastBranches.save(), msrs]);
  }
  /** IGNNE#. */
  setIgnoreErrors(level: boolean): void {
    this.set32(FIELD.ignoreErrors, level ? 1 : 0);
  }

  // --- stopping for a debugger ------------------------------------------------------------------------------------------

  /** The run ends behind the current instruction (of a string instruction: behind the turn in progress). */
  stopAfterInstruction(): void {
    if (this.#stopWanted || !this.#inRun) return;
    this.#stopWanted = true;
    if (this.#inHelper) return;
    // A taken branch finds its budget used; straight code runs into a stop.
    const record = this.get32(FIELD.record);
    this.endSlice();
    const next = (record + RECORD.bytes) >>> 1;
    if (record === 0 || this.u16[next] === PSEUDO.nextPage || this.#patched !== 0) return;
    this.#patched = next;
    this.#patchedHandler = this.u16[next];
    this.u16[next] = PSEUDO.stop;
  }

  #unpatch(): void {
    if (this.u16[this.#patched] === PSEUDO.stop) this.u16[this.#patched] = this.#patchedHandler;
    this.#patched = 0;
  }

  /** Replaces the debugger's data breakpoints. Between runs only. */
  setWatches(watches: readonly DataWatch[]): void {
    this.#watches = watches;
    this.refreshBreakpoints();
  }
  get hasWatches(): boolean {
    return this.#watches.length > 0;
  }
  /** To be called when something that data breakpoints depend on has changed. */
  refreshBreakpoints(): void {
    breakpointsChanged(this);
  }

  /** WATCHED bits of a page. */
  #watchedPage(linear: number, frame: number): number {
    const all = (this.get32(FIELD.breakpointsArmed) & (ARMED.alignment | ARMED.uncached)) !== 0 || pageHasBreakpoints(this, pageOf(linear));
    let bits = all ? WATCHED.reads | WATCHED.writes : 0;
    for (const watch of this.#watches) {
      const page = watch.physical ? frame : pageOf(linear);
      if (page < Math.floor(watch.from / 4096) || page > Math.floor((watch.to - 1) / 4096)) continue;
      bits |= (watch.read ? WATCHED.reads : 0) | (watch.write ? WATCHED.writes : 0);
    }
    return bits;
  }

  #checkWatches(linear: number, size: number, write: boolean): void {
    for (const watch of this.#watches) {
      if (!(write ? watch.write : watch.read)) continue;
      let at = linear;
      if (watch.physical) {
        if (this.translate(linear, this.userAccess | (write ? ACCESS.write : 0)) === 0) return;
        at = this.get32(FIELD.mmioAddress);
      }
      if (at < watch.to && watch.from < at + size) this.onWatch(watch, linear, size, write);
    }
  }

  #enter(record: number): number {
    this.#inRun = true;
    const exit = this.is64 ? this.#wasm.run64(this.base, record) : this.#wasm.run(this.base, record);
    this.#inRun = false;
    return exit;
  }

  /** Takes what is left of the budget back, so that instructionCount stands on its own. */
  #settle(): void {
    this.#sliceEnd -= this.get32(FIELD.budget) | 0;
    this.set32(FIELD.budget, 0);
  }

  /** Executes exactly one instruction. `passes`: whatever instruction breakpoint it has. */
  #step(passes: boolean): number {
    const trap = (this.get32(FIELD.eflags) & FLAG.TF) !== 0, before = this.rip;
    this.trapSuppressed = false;
    if (!passes && this.code.breaksAt(this.rip)) return EXIT.fault;
    if (!this.code.prepareStep(this.rip, PSEUDO.stop)) return EXIT.fault;
    // A budget of one makes a taken branch end the slice; straight code runs into the stop record.
    const left = this.get32(FIELD.budget) | 0;
    this.#sliceEnd -= left - 1;
    this.set32(FIELD.budget, 1);
    const from = this.lastBranches.active ? this.#linearRip : 0;
    const exit = this.#enter(this.base + FIELD.stepRecords);
    if (this.lastBranches.active && exit !== EXIT.fault && this.#branched(before, exit)) this.lastBranches.record(from, this.#linearRip);
    if (trap && exit !== EXIT.fault && !this.trapSuppressed && (!stepsOnBranches(this) || this.#branched(before, exit))) this.set32(FIELD.pendingDebug, this.get32(FIELD.pendingDebug) | 0x4000);
    return exit;
  }

  get #linearRip(): number {
    return this.wrapLinear(this.segmentBase(CS) + this.rip);
  }
  /** The instruction that was stepped at `rip` was a taken branch. */
  #branched(rip: number, exit: number): boolean {
    const record = (this.base + FIELD.stepRecords) >>> 1, handler = this.u16[record + RECORD.handler / 2];
    if (this.rip === rip) return !isRepeated(handler);
    if (this.rip !== rip + (this.u16[record + RECORD.place / 2] & 15)) return true;
    // To the next instruction: a branch used the budget up, straight code ran into the stop.
    return exit === EXIT.budget && handler < handlerTable.helperBase;
  }

  /** Debug traps follow the instruction that caused them (SDM 3B 17.3.1). */
  #afterInstruction(): void {
    const pending = this.get32(FIELD.pendingDebug);
    if (pending === 0) return;
    this.set32(FIELD.pendingDebug, 0);
    reportDebug(this, pending);
    this.host.exitBegins();
    this.host.exit('exception', VECTOR.DB, 0, this.rip);
    deliverFault(this, VECTOR.DB, 0, true);
    this.host.exitEnds();
  }

  /** The RESET# pin, INIT alike (SDM 3A table 9-1). */
  reset(): void {
    const a20Mask = this.get32(FIELD.a20Mask) || 0xffffffff;
    const counters = this.u8.slice(this.base + FIELD.cliCounts, this.base + FIELD.tlbFills + 8);
    this.u8.fill(0, this.base, this.base + STATE_BYTES);
    this.u8.set(counters, this.base + FIELD.cliCounts);
    this.flushTlb(false);
    this.activity = 'running';
    this.interruptShadow = this.debugShadow = this.nmiPending = this.nmiBlocked = this.trapBeforeFetch = false;
    this.shadowAt = -1;
    this.msrs.clear();
    this.performance.reset();
    this.lastBranches.reset();
    this.#floatingError = false;
    this.set32(FIELD.cr0, 0x60000010);
    this.set32(FIELD.a20Mask, a20Mask);
    this.setWide(FIELD.linearMask, 0xffffffff);
    this.setWide(FIELD.ipMasks, 0xffff);
    this.setWide(FIELD.ipMasks + 8, 0xffffffff);
    this.setWideSigned(FIELD.ipMasks + 16, -1);
    this.set32(FIELD.pat, 0x00070406);
    this.set32(FIELD.pat + 4, 0x00070406);
    this.set32(FIELD.xcr0, 1);
    this.set32(FIELD.codeMode, 0);
    this.setCpl(0);
    this.eflags = 2;
    for (let segment = 0; segment < 6; segment++) this.setSegment(segment, 0, 0, 0xffff, 0x93);
    this.setSegment(CS, 0xf000, 0xffff0000, 0xffff, 0x9b);
    this.setSegment(LDTR, 0, 0, 0xffff, 0x82);
    this.setSegment(TR, 0, 0, 0xffff, 0x8b);
    this.set32(FIELD.gdtrLimit, 0xffff);
    this.set32(FIELD.idtrLimit, 0xffff);
    this.rip = 0xfff0;
    this.setReg32(2, this.model.signature);
    this.setWide(FIELD.dr + 6 * 8, 0xffff0ff0);
    this.setWide(FIELD.dr + 7 * 8, 0x400);
    this.set32(FIELD.fpControl, 0x40);
    this.set32(FIELD.fpTags, 0xff);
    this.set32(FIELD.mxcsr, 0x1f80);
    this.set32(FIELD.mxcsrReserved, hasFeature(this.model, 'SSE2') ? 0 : 0x40);
    this.refreshBreakpoints();
  }

  #imports(): Record<string, WebAssembly.Memory | ((...values: never[]) => unknown)> {
    return {
      memory: this.memory,
      checkSegment: (slot: number, offset: number, size: number, write: number) =>
        this.#checkSegment(slot, offset, size, write),
      mmioRead: (target: number, size: number) => {
        this.host.exitBegins();
        this.#mmioRead(target, size);
        this.host.exitEnds();
      },
      mmioWrite: (source: number, size: number) => {
        this.host.exitBegins();
        this.#mmioWrite(source, size);
        this.host.exitEnds();
      },
      codeWritten: (frame: number) => this.code.invalidate(frame),
      checkBreakpoints: (low: number, high: number, size: number, write: number) => {
        const linear = fromHalves(low, high);
        checkDataBreakpoints(this, linear, size, write !== 0);
        if (this.#watches.length > 0 && this.#inRun) this.#checkWatches(linear, size, write !== 0);
      },
      watchedPage: (low: number, high: number, frame: number) =>
        this.#watchedPage(fromHalves(low, high), frame >>> 0),
      enterCode: (low: number, high: number) => this.code.enter(fromHalves(low, high)),
      helper: (record: number) => this.#helper(record),
    };
  }

  #helper(record: number): number {
    const handler = this.u16[record >>> 1];
    const isExit = this.#exits[handler] !== 0 || this.visibleFlags;
    if (isExit) this.host.exitBegins();
    try {
      if (handler === PSEUDO.crossing) {
        return this.code.prepareStep(this.rip, PSEUDO.crossed) ? HELPER.step : HELPER.fault;
      }
      this.helperCounts[handler * 2 + (this.get32(FIELD.cpl) === 3 ? 1 : 0)]++;
      this.#inHelper = true;
      if (this.onSensitive !== null && this.#sensitiveBits[handler] !== 0) this.onSensitive(this.#sensitiveBits[handler]);
      const mode = this.get32(FIELD.codeMode);
      const result = this.#helpers[handler]!(record);
      const now = this.get32(FIELD.codeMode);
      const changed = now !== mode;
      // The loops for 64-bit code and for other code are two.
      const otherLoop = changed && (now === CODE_MODE.code64 || mode === CODE_MODE.code64);
      if ((this.#stopWanted || otherLoop) && result === HELPER.jump) return HELPER.exit;
      if (result !== HELPER.next || !(changed || this.#stopWanted)) return result;
      // The records that follow were decoded for other segments, or the debugger stops here.
      const next = this.rip + (this.u16[(record + RECORD.place) >>> 1] & 15);
      this.rip = mode === CODE_MODE.code16 ? next & 0xffff : next;
      if (otherLoop) return HELPER.exit;
      if (this.#stopWanted) return changed ? HELPER.exit : HELPER.stop;
      return HELPER.jump;
    } catch (error) {
      if (!(error instanceof GuestFault)) throw error;
      this.set32(FIELD.faultVector, error.vector);
      this.set32(FIELD.faultError, error.errorCode);
      return HELPER.fault;
    } finally {
      this.#inHelper = false;
      if (isExit) this.host.exitEnds();
    }
  }
}

/** Helpers that leave to the hypervisor although they are not sensitive. */
const EXITING = new Set(['sysenter', 'sysexit', 'breakpoint', 'interruptOnOverflow', 'icebp']);
/** Sensitive ones that are emulated inline unless a policy wants to see them. */
const INLINE = new Set(['pushFlags', 'popFlags', 'setInterruptFlag', 'clearInterruptFlag']);

/** Which handlers are exits, by index: the others are parts of the engine in TypeScript. */
function exitingHandlers(): Uint8Array {
  const exits = new Uint8Array(handlerTable.handlers.at(-1)!.index + 1);
  for (const { index, row } of handlerTable.handlers) {
    const leaves = row.sensitive !== undefined || row.privileged === true || EXITING.has(row.name);
    exits[index] = leaves && !INLINE.has(row.name) ? 1 : 0;
  }
  return exits;
}

/** A repeated string instruction: it stays where it is until its count is used up. */
const isRepeated = (handler: number): boolean => handlerTable.handlers[handler - PSEUDO_COUNT]?.row.mnemonic.startsWith('REP') === true;

/** SENSITIVE bits by handler index. */
function sensitiveBits(): Uint8Array {
  const last = handlerTable.handlers.at(-1)!.index;
  const bits = new Uint8Array(last + 1);
  for (const { index, row } of handlerTable.handlers) {
    bits[index] = (row.sensitive ? SENSITIVE.sensitive : 0) | (row.privileged ? SENSITIVE.privileged : 0);
  }
  return bits;
}

/** Largest naturally aligned bus transfer. */
function transferSize(address: number, bytes: number): 1 | 2 | 4 {
  if (bytes >= 4 && (address & 3) === 0) return 4;
  return bytes >= 2 && (address & 1) === 0 ? 2 : 1;
}
