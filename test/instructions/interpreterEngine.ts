// Runs instruction cases on the interpreter: one CPU, reset between cases, in 32-bit user mode with paging as the host had.
import { Cpu, type CpuHost } from '../../core/cpu/cpu.ts';
import { CS, DS, ES, FIELD, FS, GS, SS } from '../../core/cpu/state/layout.ts';
import { PhysicalMap } from '../../core/mmu/physicalMap.ts';
import {
  CODE_BASE, DATA_BASE, FLAG_MASK, patternByte, REGION_BYTES, type InstructionCase, type InstructionResult,
} from './fixture.ts';

const MEBIBYTE = 1 << 20;
const DIRECTORY = 0x1000, CODE_TABLE = 0x2000, DATA_TABLE = 0x3000;
const CODE_FRAME = 0x10000, DATA_FRAME = 0x20000;
const PRESENT_WRITABLE_USER = 7;
const HLT = 0xf4;
const CODE_RIGHTS = 0xc0fb, DATA_RIGHTS = 0xc0f3, EXPAND_DOWN_RIGHTS = 0xc0f7;

/**
 * `straight`: as recorded; `page-crossing`: the instruction lies across two pages; `slow-segments`: expand-down segments, so
 * that every access takes the slow path; `at-limit`: the segments end where the data does; `stepped`: one at a time; `translated`:
 * a second time, in a region made from what the first time decoded.
 */
export const VARIANTS = ['straight', 'page-crossing', 'slow-segments', 'at-limit', 'stepped', 'translated'] as const;
export type Variant = (typeof VARIANTS)[number];

export const quietHost: CpuHost = {
  portRead: () => 0xffffffff,
  portWrite: () => {},
  mmioRead: () => 0xffffffff,
  mmioWrite: () => {},
  timestamp: () => 0,
  setTimestamp: () => {},
  acknowledgeInterrupt: () => 0,
  cycles: () => 0,
  performanceInterrupt: () => {},
  floatingError: () => {},
  readTaskPriority: () => 0,
  writeTaskPriority: () => {},
  readMsr: () => null,
  writeMsr: () => false,
  exit: () => {},
  exitBegins: () => {},
  exitEnds: () => {},
  guestError: () => {},
};

const pattern = Uint8Array.from({ length: REGION_BYTES }, (_, offset) => patternByte(offset));

export class InterpreterEngine {
  readonly cpu: Cpu;
  #codeAt = 0;
  #codeLength = 0;

  constructor() {
    this.cpu = new Cpu(4 * MEBIBYTE, 'pentium3', quietHost);
    const { cpu } = this;
    const { physicalMap, ram } = cpu.map;
    new PhysicalMap(cpu.u32.subarray(physicalMap >>> 2, (physicalMap >>> 2) + (1 << 20))).map(0, 4 * MEBIBYTE, ram, true);
    const entry = (address: number, value: number): void => cpu.view.setUint32(ram + address, value, true);
    entry(DIRECTORY + (CODE_BASE >>> 22) * 4, CODE_TABLE | PRESENT_WRITABLE_USER);
    entry(DIRECTORY + (DATA_BASE >>> 22) * 4, DATA_TABLE | PRESENT_WRITABLE_USER);
    for (let page = 0; page < REGION_BYTES / 4096; page++) {
      entry(CODE_TABLE + page * 4, (CODE_FRAME + page * 4096) | PRESENT_WRITABLE_USER);
      entry(DATA_TABLE + page * 4, (DATA_FRAME + page * 4096) | PRESENT_WRITABLE_USER);
    }
    cpu.u8.fill(HLT, ram + CODE_FRAME, ram + CODE_FRAME + REGION_BYTES);
    cpu.set32(FIELD.cr0, 0x80010011);
    cpu.setWide(FIELD.cr3, DIRECTORY);
    cpu.eflags = 0x202;
    cpu.setCpl(3);
    cpu.setSegment(CS, 0x23, 0, 0xffffffff, CODE_RIGHTS);
    cpu.set32(FIELD.idtrLimit, 0);
  }

  run(input: InstructionCase, variant: Variant): InstructionResult {
    const { cpu } = this;
    const at = variant === 'page-crossing' ? CODE_BASE + 0x1000 - Math.max(1, input.code.length >> 1) : input.at;
    this.#place(input.code, at);
    if (variant === 'translated') {
      this.#execute(input, at, variant);
      cpu.rip = at;
      cpu.translator.translateHere();
    }
    this.#execute(input, at, variant);
    const stopped = cpu.activity === 'shutdown';
    cpu.activity = 'running';
    const eip = cpu.rip, vector = stopped ? cpu.get32(FIELD.faultVector) : -2;
    const halted = vector === 13 && (eip < at || eip >= at + input.code.length);
    const moved = at - input.at;
    return {
      registers: Array.from({ length: 8 }, (_, index) => cpu.reg32(index)),
      flags: cpu.eflags & FLAG_MASK,
      eip: (eip - moved) >>> 0,
      vector: halted ? -1 : vector,
      error: halted || vector < 8 ? 0 : cpu.get32(FIELD.faultError),
      cr2: vector === 14 ? cpu.get32(FIELD.cr2) : 0,
      changes: [],
    };
  }

  #execute(input: InstructionCase, at: number, variant: Variant): void {
    const { cpu } = this;
    const { ram } = cpu.map;
    cpu.activity = 'running';
    cpu.u8.set(pattern, ram + DATA_FRAME);
    if (input.memory) cpu.u8.set(input.memory.bytes, ram + DATA_FRAME + input.memory.at - DATA_BASE);
    this.#segments(variant);
    input.registers.forEach((value, index) => cpu.setReg32(index, value));
    cpu.eflags = input.flags | 0x202;
    cpu.rip = at;
    cpu.setWide(FIELD.cr2, 0);
    for (let turn = 0; turn < 1000 && cpu.activity === 'running'; turn++) {
      cpu.interruptShadow = variant === 'stepped';
      cpu.run(variant === 'stepped' ? 1 : 100);
    }
  }

  /** The data region as the last case left it. */
  get data(): Uint8Array {
    const start = this.cpu.map.ram + DATA_FRAME;
    return this.cpu.u8.subarray(start, start + REGION_BYTES);
  }

  #place(code: Uint8Array, at: number): void {
    const { cpu } = this;
    const first = cpu.map.ram + CODE_FRAME - CODE_BASE;
    cpu.u8.fill(HLT, first + this.#codeAt, first + this.#codeAt + this.#codeLength);
    if (this.#codeLength > 0) cpu.code.written(CODE_FRAME + this.#codeAt - CODE_BASE, this.#codeLength);
    cpu.u8.set(code, first + at);
    cpu.code.written(CODE_FRAME + at - CODE_BASE, code.length);
    this.#codeAt = at;
    this.#codeLength = code.length;
  }

  #segments(variant: Variant): void {
    const slow = variant === 'slow-segments';
    const limit = slow ? DATA_BASE - 1 : variant === 'at-limit' ? DATA_BASE + REGION_BYTES - 1 : 0xffffffff;
    const rights = slow ? EXPAND_DOWN_RIGHTS : DATA_RIGHTS;
    for (const segment of [ES, SS, DS, FS, GS]) this.cpu.setSegment(segment, 0x2b, 0, limit, rights);
  }
}

/** The data region that a case must leave. */
export function expectedData(input: InstructionCase, result: InstructionResult): Uint8Array {
  const data = pattern.slice();
  if (input.memory) data.set(input.memory.bytes, input.memory.at - DATA_BASE);
  for (const [address, value] of result.changes) data[address - DATA_BASE] = value;
  return data;
}
