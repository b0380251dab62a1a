// Runs oracle cases on our CPU: user mode with paging as the host has it, in protected, compatibility and 64-bit mode.
import { Cpu, type CpuHost } from '../../core/cpu/cpu.ts';
import { CS, DS, EFER, ES, FIELD, FS, GS, LDTR, SEGMENT, SS, TR } from '../../core/cpu/state/layout.ts';
import { CR4, XCR0_MASK } from '../../core/cpu/state/cpuModels.ts';
import { writeControl } from '../../core/cpu/system/control.ts';
import { PhysicalMap } from '../../core/mmu/physicalMap.ts';
import {
  CODE_BASE, CODE_BYTES, DATA_BASE, DATA_BYTES, FS_BASE, GS_BASE, HIGH_BASE, LOCAL_TABLE, patternByte, PIECE, READ_ONLY, RESULT, STATE,
} from './caseFormat.ts';

export type Mode = 'protected' | 'compatibility' | '64-bit';

const MEBIBYTE = 1 << 20;
const CODE_FRAME = 0x100000, DATA_FRAME = 0x110000;
/** Physical places of the tables; all but the page tables are seen at SYSTEM + their place. */
const GDT = 0x1000, IDT = 0x2000, LDT = 0x3000, TSS = 0x4000, STACK_TOP = 0x6f00, HANDLERS = 0x8000;
const TABLES = 0x20000;
/** Where cases do not look. */
const SYSTEM = 0xe7a00000;
const HANDLER_BYTES = 16;
const USER_CODE = 0x23, USER_DATA = 0x2b, USER_CODE_64 = 0x33, USER_FS = 0x6b, KERNEL_CODE = 0x08, KERNEL_CODE_64 = 0x10;
const HLT = 0xf4;
const WITH_ERROR: ReadonlySet<number> = new Set([8, 10, 11, 12, 13, 14, 17, 21]);
/** Runs until a case is given up: it does not end. */
const TURNS = 40;

export const quietHost: CpuHost = {
  portRead: () => 0xffffffff, portWrite: () => {}, mmioRead: () => 0xffffffff, mmioWrite: () => {}, timestamp: () => 0,
  setTimestamp: () => {}, acknowledgeInterrupt: () => 0, cycles: () => 0, performanceInterrupt: () => {}, floatingError: () => {}, exit: () => {}, exitBegins: () => {}, exitEnds: () => {}, guestError: () => {},
} as unknown as CpuHost;

const pattern = Uint8Array.from({ length: DATA_BYTES }, (_, offset) => patternByte(offset));

export class OracleEngine {
  readonly cpu: Cpu;
  readonly mode: Mode;
  readonly #long: boolean;
  readonly #wide: boolean;
  #nextTable = TABLES;
  #codeAt = 0;
  #codeLength = 0;
  /** What the last case left, in the harness's layout. */
  readonly result = new Uint8Array(RESULT.bytes);
  readonly #resultView = new DataView(this.result.buffer);
  /** The data as it was in front of the case. */
  readonly before = new Uint8Array(READ_ONLY);

  constructor(mode: Mode) {
    this.mode = mode;
    this.#long = mode !== 'protected';
    this.#wide = mode === '64-bit';
    this.cpu = new Cpu(4 * MEBIBYTE, 'max', quietHost);
    const { cpu } = this;
    const { physicalMap, ram } = cpu.map;
    new PhysicalMap(cpu.u32.subarray(physicalMap >>> 2, (physicalMap >>> 2) + (1 << 20))).map(0, 4 * MEBIBYTE, ram, true);
    cpu.u8.fill(HLT, ram + CODE_FRAME, ram + CODE_FRAME + CODE_BYTES);
    cpu.u8.fill(HLT, ram + HANDLERS, ram + HANDLERS + 256 * HANDLER_BYTES);
    cpu.u8.set(pattern, ram + DATA_FRAME);
    this.#writeDescriptors();
    this.#writePages();
    this.#enter();
  }

  #put(at: number, low: number, high: number): void {
    this.cpu.view.setUint32(this.cpu.map.ram + at, low >>> 0, true);
    this.cpu.view.setUint32(this.cpu.map.ram + at + 4, high >>> 0, true);
  }

  #writeDescriptors(): void {
    const segment = (selector: number, high: number): void => this.#put(GDT + (selector & ~7), 0x0000ffff, high);
    segment(KERNEL_CODE, 0x00cf9b00);
    segment(KERNEL_CODE_64, 0x00af9b00);
    segment(0x18, 0x00cf9300);
    segment(USER_CODE, 0x00cffb00);
    segment(USER_DATA, 0x00cff300);
    segment(USER_CODE_64, 0x00affb00);
    this.#put(GDT + (USER_FS & ~7), ((FS_BASE & 0xffff) << 16) | 0xffff, 0x00cff300 | (FS_BASE >>> 16));
    LOCAL_TABLE.forEach(([low, high], index) => this.#put(LDT + index * 8, low, high));
    const view = this.cpu.view, tss = this.cpu.map.ram + TSS;
    if (this.#long) view.setUint32(tss + 4, SYSTEM + STACK_TOP, true);
    else {
      view.setUint32(tss + 4, SYSTEM + STACK_TOP, true);
      view.setUint32(tss + 8, 0x18, true);
    }
    // No I/O permission bitmap.
    view.setUint16(tss + 0x66, 0x68, true);
    for (let vector = 0; vector < 256; vector++) {
      const offset = SYSTEM + HANDLERS + vector * HANDLER_BYTES, rights = vector === 3 || vector === 4 ? 0xee00 : 0x8e00;
      const selector = this.#long ? KERNEL_CODE_64 : KERNEL_CODE;
      this.#put(IDT + vector * (this.#long ? 16 : 8), (selector << 16) | (offset & 0xffff), (offset & 0xffff0000) | rights);
    }
  }

  /** Page tables of PAE or of 4 levels, made as needed. */
  #writePages(): void {
    const { ram } = this.cpu.map;
    this.#nextTable = TABLES + 0x1000;
    const table = (parent: number, index: number, rights: number): number => {
      const at = ram + parent + index * 8;
      if (this.cpu.view.getUint32(at, true) === 0) {
        this.#put(parent + index * 8, this.#nextTable | rights, 0);
        this.#nextTable += 0x1000;
      }
      return this.cpu.view.getUint32(at, true) & ~0xfff;
    };
    const map = (linear: number, frame: number, rights: number): void => {
      const index = (shift: number): number => Math.floor(linear / 2 ** shift) & 511;
      const pointers = this.#long ? table(TABLES, index(39), 7) : TABLES;
      const directory = table(pointers, index(30), this.#long ? 7 : 1);
      this.#put(table(directory, index(21), 7) + index(12) * 8, frame | rights, 0);
    };
    for (let at = 0; at < CODE_BYTES; at += 4096) map(CODE_BASE + at, CODE_FRAME + at, 7);
    for (let at = 0; at < DATA_BYTES; at += 4096) {
      map(DATA_BASE + at, DATA_FRAME + at, at < READ_ONLY ? 7 : 5);
      if (this.#wide) map(HIGH_BASE + at, DATA_FRAME + at, at < READ_ONLY ? 7 : 5);
    }
    for (let at = 0; at < 0x10000; at += 4096) map(SYSTEM + at, at, 3);
  }

  #enter(): void {
    const { cpu } = this;
    cpu.setWide(FIELD.gdtrBase, SYSTEM + GDT);
    cpu.set32(FIELD.gdtrLimit, 0x7f);
    cpu.setWide(FIELD.idtrBase, SYSTEM + IDT);
    cpu.set32(FIELD.idtrLimit, this.#long ? 0xfff : 0x7ff);
    cpu.setSegment(LDTR, 0x50, SYSTEM + LDT, LOCAL_TABLE.length * 8 - 1, 0x82);
    cpu.setSegment(TR, 0x40, SYSTEM + TSS, 0x67, 0x8b);
    cpu.set32(FIELD.cr4, CR4.PAE | CR4.PGE | CR4.OSFXSR | CR4.OSXMMEXCPT | CR4.FSGSBASE | CR4.DE | CR4.OSXSAVE);
    cpu.set32(FIELD.xcr0, XCR0_MASK);
    cpu.set32(FIELD.efer, EFER.NXE | (this.#long ? EFER.LME | EFER.LMA : 0));
    cpu.set32(FIELD.cr0, 0x80050033);
    writeControl(cpu, 3, TABLES);
    cpu.flushTlb(false);
    this.#user();
  }

  #user(): void {
    const { cpu } = this;
    cpu.set32(FIELD.eflags, 0x202);
    cpu.setCpl(3);
    if (this.#wide) cpu.setSegment(CS, USER_CODE_64, 0, 0xffffffff, 0xa0fb);
    else cpu.setSegment(CS, USER_CODE, 0, 0xffffffff, 0xc0fb);
    cpu.setSegment(SS, USER_DATA, 0, 0xffffffff, 0xc0f3);
    for (const segment of [ES, DS]) cpu.setSegment(segment, this.#wide ? 0 : USER_DATA, 0, 0xffffffff, 0xc0f3);
    cpu.setSegment(FS, this.#wide ? 0 : USER_FS, FS_BASE, 0xffffffff, 0xc0f3);
    cpu.setSegment(GS, 0, 0, 0, 0);
    if (this.#wide) {
      cpu.setSegment(GS, 0, 0, 0xffffffff, 0xc0f3);
      cpu.setWideSigned(FIELD.segments + GS * SEGMENT.bytes + SEGMENT.base, GS_BASE);
      cpu.refreshSlots(GS);
    }
  }

  /**
   * Runs a case; what happened is in `result`, `data` and `before`. `translated`: a second time, in a region made from what the
   * first time decoded.
   */
  run(input: Uint8Array, translated = false): void {
    const { cpu } = this;
    const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
    const rip = view.getUint32(STATE.rip, true);
    this.#placeCode(input, rip);
    if (translated) {
      this.#execute(input, view, rip);
      this.#user();
      cpu.rip = rip;
      cpu.translator.translateHere();
    }
    this.#execute(input, view, rip);
  }

  #execute(input: Uint8Array, view: DataView, rip: number): void {
    const { cpu } = this;
    this.#placeData(input, view);
    this.#user();
    this.#load(input, view);
    cpu.rip = rip;
    cpu.setWide(FIELD.cr2, 0);
    let turn = 0;
    for (; turn < TURNS && cpu.activity === 'running' && cpu.cpl === 3; turn++) cpu.run(100);
    this.#store(input, turn === TURNS);
    cpu.activity = 'running';
  }

  #placeCode(input: Uint8Array, rip: number): void {
    const { cpu } = this;
    const first = cpu.map.ram + CODE_FRAME - CODE_BASE;
    const length = input[STATE.codeLength];
    if (this.#codeLength > 0) {
      cpu.u8.fill(HLT, first + this.#codeAt, first + this.#codeAt + this.#codeLength);
      cpu.code.written(CODE_FRAME + this.#codeAt - CODE_BASE, this.#codeLength);
    }
    for (let index = 0; index < length; index++) cpu.u8[first + rip + index] = input[STATE.code + index];
    cpu.code.written(CODE_FRAME + rip - CODE_BASE, length);
    this.#codeAt = rip;
    this.#codeLength = length;
  }

  #placeData(input: Uint8Array, view: DataView): void {
    const { before } = this;
    before.set(pattern.subarray(0, READ_ONLY));
    for (let piece = 0; piece < input[STATE.pieces]; piece++) {
      const at = STATE.bytes + piece * PIECE.size;
      const offset = view.getUint32(at, true), length = Math.min(view.getUint32(at + PIECE.length, true), READ_ONLY - offset);
      for (let index = 0; index < length; index++) before[offset + index] = input[at + PIECE.bytes + index];
    }
    this.cpu.u8.set(before, this.cpu.map.ram + DATA_FRAME);
  }

  /** The two writable pages as the case left them. */
  get data(): Uint8Array {
    return this.cpu.u8.subarray(this.cpu.map.ram + DATA_FRAME, this.cpu.map.ram + DATA_FRAME + READ_ONLY);
  }

  #load(input: Uint8Array, view: DataView): void {
    const { cpu } = this;
    cpu.u8.set(input.subarray(STATE.gpr, STATE.gpr + 128), cpu.base + FIELD.gpr);
    cpu.eflags = (view.getUint32(STATE.flags, true) & 0x40cd5) | 0x202;
    cpu.set32(FIELD.mxcsr, view.getUint32(STATE.mxcsr, true));
    cpu.set32(FIELD.fpControl, view.getUint16(STATE.control, true));
    cpu.set32(FIELD.fpStatus, view.getUint16(STATE.status, true));
    cpu.set32(FIELD.fpTags, input[STATE.tags]);
    for (const field of [FIELD.fpOpcode, FIELD.fpInstruction, FIELD.fpInstruction + 4, FIELD.fpInstructionSelector, FIELD.fpData, FIELD.fpData + 4, FIELD.fpDataSelector]) {
      cpu.set32(field, 0);
    }
    cpu.u8.set(input.subarray(STATE.st, STATE.st + 128), cpu.base + FIELD.fpr);
    for (let register = 0; register < 16; register++) {
      cpu.u8.set(input.subarray(STATE.xmm + register * 16, STATE.xmm + register * 16 + 16), cpu.base + FIELD.xmm + register * 64);
    }
  }

  #store(input: Uint8Array, hangs: boolean): void {
    const { cpu, result } = this;
    const view = this.#resultView;
    result.fill(0);
    result.set(cpu.u8.subarray(cpu.base + FIELD.gpr, cpu.base + FIELD.gpr + 128), STATE.gpr);
    view.setUint32(STATE.mxcsr, cpu.get32(FIELD.mxcsr), true);
    view.setUint16(STATE.control, cpu.get32(FIELD.fpControl), true);
    view.setUint16(STATE.status, cpu.get32(FIELD.fpStatus), true);
    result[STATE.tags] = cpu.get32(FIELD.fpTags);
    result.set(input.subarray(STATE.codeLength, STATE.st), STATE.codeLength);
    for (let register = 0; register < 8; register++) {
      const at = cpu.base + FIELD.fpr + register * 16;
      result.set(cpu.u8.subarray(at, at + 10), STATE.st + register * 16);
    }
    for (let register = 0; register < (this.#wide ? 16 : 8); register++) {
      const at = cpu.base + FIELD.xmm + register * 64;
      result.set(cpu.u8.subarray(at, at + 16), STATE.xmm + register * 16);
    }
    for (let segment = 0; segment < 6; segment++) view.setUint16(RESULT.segments + segment * 2, cpu.selector(segment), true);
    if (hangs || cpu.cpl === 3 || cpu.activity === 'shutdown') {
      view.setUint32(RESULT.vector, hangs ? 0xff : 0xfe, true);
      return;
    }
    this.#readFrame(view);
  }

  /** The fault's frame on the inner stack, and the vector by the handler. */
  #readFrame(view: DataView): void {
    const { cpu } = this;
    const vector = Math.floor((cpu.rip - SYSTEM - HANDLERS) / HANDLER_BYTES);
    view.setUint32(RESULT.vector, vector, true);
    const word = this.#long ? 8 : 4, words = WITH_ERROR.has(vector) ? 6 : 5;
    const frame = cpu.map.ram + STACK_TOP - words * word;
    const field = (index: number): number => frame + (words - 5 + index) * word;
    if (words === 6) view.setUint32(RESULT.error, cpu.view.getUint32(frame, true), true);
    const copy = (to: number, from: number, bytes: number): void => this.result.set(cpu.u8.subarray(from, from + bytes), to);
    copy(STATE.rip, field(0), word);
    view.setUint16(RESULT.segments + CS * 2, cpu.view.getUint16(field(1), true), true);
    view.setUint32(STATE.flags, cpu.view.getUint32(field(2), true), true);
    copy(STATE.gpr + 4 * 8, field(3), word);
    view.setUint16(RESULT.segments + SS * 2, cpu.view.getUint16(field(4), true), true);
    if (vector === 14) copy(RESULT.cr2, cpu.base + FIELD.cr2, word);
  }
}
