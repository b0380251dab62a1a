// The instruction decoder (SDM 2A chapter 2): from bytes to the fields of a record.
//
// Where we depart from the manual: redundant prefixes of one group are accepted and the last one counts, as on silicon.
import { hasFeature, type CpuModel } from '../state/cpuModels.ts';
import { CODE_MODE, DS, ES, FIELD, RBX, RECORD, REGISTER_BYTES, SS } from '../state/layout.ts';
import { handlerTable } from './handlers.ts';
import type { HandlerSpecification, Row } from './row.ts';
import { underRepeat } from './stringRows.ts';
import { narrowCounter, oneByte, twoByte, undefinedRow, zeroShift, type Entry } from './tables.ts';

/** Longest instruction in bytes (SDM 2A 2.3.11). */
export const MAX_LENGTH = 15;

/** Operands that need a ModRM byte. */
const MOD_RM_LETTERS: ReadonlySet<string> = new Set(['E', 'G', 'M', 'S', 'R', 'T']);
const ZERO_REGISTER = FIELD.zero;
const SEGMENT_PREFIX: Readonly<Record<number, number>> = { 0x26: 0, 0x2e: 1, 0x36: 2, 0x3e: 3, 0x64: 4, 0x65: 5 };
/** Base and index of the eight 16-bit address forms (SDM 2A table 2-1). */
const BASES_16 = [3, 3, 5, 5, 6, 7, 5, 3];
const INDEXES_16 = [6, 7, 6, 7, -1, -1, -1, -1];

/** The decoder ran into the end of the bytes it may read. */
const OUT_OF_BYTES = -1;
const TOO_LONG = -2;

export type DecodeResult = 'ok' | 'out of bytes' | 'too long';

/** Decodes one instruction at a time; its fields are valid until the next call. One per machine: it holds no guest state. */
export class Decoder {
  readonly #model: CpuModel;
  specification: HandlerSpecification = handlerTable.byRow.get(undefinedRow)![0];
  length = 0;
  a = 0;
  b = 0;
  index = 0;
  slot = 0;
  disp = 0;
  imm = 0;

  #bytes: Uint8Array = new Uint8Array(0);
  #position = 0;
  #start = 0;
  #end = 0;
  #failed = 0;
  #operand32 = false;
  #address32 = false;
  #segment = -1;
  #repeat: 0 | 0xf2 | 0xf3 = 0;
  #lock = false;
  #modRm = 0;
  /** ES, SS and DS are flat: their accesses need no segment. */
  #flat = false;

  constructor(model: CpuModel) {
    this.#model = model;
  }

  /**
   * Decodes at `position`, reading no further than `end`. `mode` is a CODE_MODE.
   * `pageOffset` is what branch targets in `disp` are relative to.
   */
  decode(bytes: Uint8Array, position: number, end: number, mode: number, pageOffset: number): DecodeResult {
    this.#bytes = bytes;
    this.#start = this.#position = position;
    this.#end = end;
    this.#failed = 0;
    this.#operand32 = this.#address32 = mode !== CODE_MODE.code16;
    this.#flat = mode === CODE_MODE.flat32;
    this.#segment = -1;
    this.#repeat = 0;
    this.#lock = false;
    this.a = this.b = this.index = ZERO_REGISTER;
    this.disp = this.imm = 0;
    this.slot = 3 * 3 + (this.#address32 ? 1 : 0);
    const row = this.#opcode(mode);
    const specification = this.#operands(row, pageOffset);
    if (this.#failed !== 0) return this.#failed === OUT_OF_BYTES ? 'out of bytes' : 'too long';
    this.specification = specification;
    this.length = this.#position - this.#start;
    return 'ok';
  }

  /** Writes the decoded fields as a record. `offset` is the instruction's place relative to its page. */
  writeRecord(memory: DataView, address: number, offset: number): void {
    memory.setUint16(address + RECORD.handler, this.specification.index, true);
    memory.setUint16(address + RECORD.place, (offset << 4) | this.length, true);
    memory.setUint8(address + RECORD.a, this.a);
    memory.setUint8(address + RECORD.b, this.b);
    memory.setUint8(address + RECORD.index, this.index);
    memory.setUint8(address + RECORD.slot, this.slot);
    memory.setInt32(address + RECORD.disp, this.disp, true);
    memory.setInt32(address + RECORD.imm, this.imm, true);
  }

  #opcode(mode: number): Row {
    for (;;) {
      const byte = this.#next8();
      if (this.#failed !== 0) return undefinedRow;
      switch (byte) {
        case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65:
          this.#segment = SEGMENT_PREFIX[byte];
          continue;
        case 0x66:
          this.#operand32 = mode === CODE_MODE.code16;
          continue;
        case 0x67:
          this.#address32 = mode === CODE_MODE.code16;
          this.slot = 3 * 3 + (this.#address32 ? 1 : 0);
          continue;
        case 0xf0:
          this.#lock = true;
          continue;
        case 0xf2: case 0xf3:
          this.#repeat = byte;
          continue;
        default:
          return this.#entry(byte === 0x0f ? twoByte[this.#next8()] : oneByte[byte]);
      }
    }
  }

  #entry(entry: Entry): Row {
    if (entry === null || entry === undefined) return undefinedRow;
    let row: Row | null;
    if (typeof entry === 'function') row = entry(this.#peek8());
    else if (Array.isArray(entry)) row = (entry as readonly (Row | null)[])[(this.#peek8() >> 3) & 7];
    else row = entry as Row;
    if (row === null || (row.feature !== undefined && !hasFeature(this.#model, row.feature))) {
      this.#skipModRm();
      return undefinedRow;
    }
    if (this.#repeat !== 0) row = underRepeat(row, this.#repeat);
    if (!this.#address32) row = narrowCounter(row);
    return row;
  }

  #operands(row: Row, pageOffset: number): HandlerSpecification {
    const hasModRm = row.operands.some((letters) => MOD_RM_LETTERS.has(letters[0]));
    let memory = false;
    const opcodeRegister = this.#bytes[this.#position - 1] & 7;
    if (hasModRm) memory = this.#decodeModRm(row);
    else {
      if (this.#segment >= 0) this.slot = (this.slot % 3) + this.#segment * 3;
      memory = row.operands.some((letters) => letters[0] === 'O');
    }
    for (const letters of row.operands) this.#operand(letters, row, opcodeRegister);
    // Branch targets are known once the whole length is.
    const jumps = row.operands[0]?.[0] === 'J';
    if (jumps) this.disp += pageOffset + (this.#position - this.#start);
    if (this.#lock && !(row.lock && memory)) return this.#handlers(undefinedRow, false);
    if (!memory && row.operands.some((letters) => letters[0] === 'M')) return this.#handlers(undefinedRow, false);
    return this.#handlers((this.imm & 31) === 0 ? zeroShift(row) : row, memory);
  }

  #handlers(row: Row, memory: boolean): HandlerSpecification {
    let form = (this.#operand32 ? 2 : 0) + (memory ? 1 : 0);
    if (this.#flat && (!memory || this.#flatOperand())) form += 4;
    return handlerTable.byRow.get(row)![form];
  }

  /** Whether the memory operand lies in a flat segment and is addressed with 32 bits. */
  #flatOperand(): boolean {
    const segment = Math.floor((this.slot & 63) / 3);
    return this.#address32 && (segment === ES || segment === SS || segment === DS);
  }

  #operand(letters: string, row: Row, opcodeRegister: number): void {
    switch (letters) {
      case 'Gb':
        this.a = byteRegister((this.#modRm >> 3) & 7);
        return;
      case 'Zb':
        this.b = byteRegister(opcodeRegister);
        return;
      case 'Zv':
        this.b = opcodeRegister * REGISTER_BYTES;
        return;
      case 'Eb':
        if (this.#modRm >= 0xc0) this.b = byteRegister(this.#modRm & 7);
        return;
      case 'aAX':
      case 'aAL':
        this.a = 0;
        return;
      case 'bAX':
      case 'bAL':
        this.b = 0;
        return;
      case 'Bx':
        this.b = RBX * REGISTER_BYTES;
        return;
      case 'Ob':
      case 'Ov':
        this.b = ZERO_REGISTER;
        this.disp = this.#address32 ? this.#next32() : this.#next16();
        return;
      case 'Ib':
      case 'Is':
        this.imm = (this.#next8() << 24) >> 24;
        return;
      case 'Ti':
      case 'Mf':
        this.imm = this.#modRm;
        return;
      case '1':
        this.imm = 1;
        return;
      case 'Iw':
        this.imm = this.#next16();
        // ENTER has a second immediate, its nesting level.
        if (row.name === 'enter') this.disp = this.#next8();
        return;
      case 'Iz':
        this.imm = this.#operand32 ? this.#next32() : (this.#next16() << 16) >> 16;
        return;
      case 'Jb':
        this.disp = (this.#next8() << 24) >> 24;
        this.a = this.#operand32 ? 8 : 0;
        return;
      case 'Jz':
        this.disp = this.#operand32 ? this.#next32() : (this.#next16() << 16) >> 16;
        this.a = this.#operand32 ? 8 : 0;
        return;
      case 'Ap':
        this.disp = this.#operand32 ? this.#next32() : this.#next16();
        this.imm = this.#next16();
        return;
      default:
        return;
    }
  }

  /** ModRM, SIB and displacement; returns whether it names memory. */
  #decodeModRm(row: Row): boolean {
    const modRm = this.#next8();
    this.#modRm = modRm;
    const mod = modRm >> 6, rm = modRm & 7;
    this.a = ((modRm >> 3) & 7) * REGISTER_BYTES;
    if (mod === 3 || row.operands[0] === 'Rd') {
      this.b = rm * REGISTER_BYTES;
      return false;
    }
    let segment = 3;
    if (this.#address32) segment = this.#address32Bit(mod, rm);
    else segment = this.#address16Bit(mod, rm);
    if (this.#segment >= 0) segment = this.#segment;
    this.slot = (this.slot & 0xc0) | (segment * 3 + (this.#address32 ? 1 : 0));
    return true;
  }

  #address16Bit(mod: number, rm: number): number {
    this.slot = 0;
    if (mod === 0 && rm === 6) {
      this.b = ZERO_REGISTER;
      this.disp = this.#next16();
      return 3;
    }
    this.b = BASES_16[rm] * REGISTER_BYTES;
    if (INDEXES_16[rm] >= 0) this.index = INDEXES_16[rm] * REGISTER_BYTES;
    if (mod === 1) this.disp = (this.#next8() << 24) >> 24;
    else if (mod === 2) this.disp = (this.#next16() << 16) >> 16;
    return rm === 2 || rm === 3 || rm === 6 ? 2 : 3;
  }

  #address32Bit(mod: number, rm: number): number {
    let base = rm;
    let scale = 0;
    this.b = rm * REGISTER_BYTES;
    if (rm === 4) {
      const sib = this.#next8();
      base = sib & 7;
      this.b = base * REGISTER_BYTES;
      const index = (sib >> 3) & 7;
      if (index !== 4) {
        this.index = index * REGISTER_BYTES;
        scale = sib >> 6;
      }
    }
    this.slot = scale << 6;
    if (mod === 0 && base === 5) {
      this.b = ZERO_REGISTER;
      this.disp = this.#next32();
      return 3;
    }
    if (mod === 1) this.disp = (this.#next8() << 24) >> 24;
    else if (mod === 2) this.disp = this.#next32();
    return base === 4 || base === 5 ? 2 : 3;
  }

  /** An undefined instruction still has its ModRM fetched, which may fault. */
  #skipModRm(): void {
    this.#next8();
  }

  #peek8(): number {
    return this.#position < this.#end ? this.#bytes[this.#position] : this.#fail();
  }

  #next8(): number {
    if (this.#position >= this.#end) return this.#fail();
    const byte = this.#bytes[this.#position++];
    if (this.#position - this.#start > MAX_LENGTH && this.#failed === 0) this.#failed = TOO_LONG;
    return byte;
  }

  #fail(): number {
    if (this.#failed === 0) this.#failed = OUT_OF_BYTES;
    return 0;
  }

  #next16(): number {
    const low = this.#next8();
    return low | (this.#next8() << 8);
  }
  #next32(): number {
    const low = this.#next16();
    return low | (this.#next16() << 16);
  }
}

/** State offset of a byte register: AL CL DL BL AH CH DH BH. */
function byteRegister(code: number): number {
  return code < 4 ? code * REGISTER_BYTES : (code - 4) * REGISTER_BYTES + 1;
}
