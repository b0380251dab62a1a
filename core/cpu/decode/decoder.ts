// The instruction decoder (SDM 2A chapter 2): from bytes to the fields of a record.
//
// Where we depart from the manual: redundant prefixes of one group are accepted and the last one counts, as on silicon.
import { hasFeature, type CpuModel } from '../state/cpuModels.ts';
import { CODE_MODE, DS, ES, FIELD, RBP, RBX, RECORD, REGISTER_BYTES, RSP, SS } from '../state/layout.ts';
import { FLAT_FORM, handlerTable } from './handlers.ts';
import type { Choice, Entry, HandlerSpecification, Opcode, Prefixed, Row } from './row.ts';
import { underRepeat } from './stringRows.ts';
import {
  countedBy, exchangeR8, map38, map3A, moveWideImmediate, moveWord, oneByte, oneByte64, twoByte, undefinedRow, vex38, vex3A, zeroShift,
} from './tables.ts';

/** Longest instruction in bytes (SDM 2A 2.3.11). */
export const MAX_LENGTH = 15;

/** Operands that need a ModRM byte. */
const MOD_RM_LETTERS: ReadonlySet<string> = new Set(['E', 'G', 'M', 'S', 'R', 'T', 'V', 'W', 'U', 'P', 'Q', 'N']);
const ZERO_REGISTER = FIELD.zero;
const SEGMENT_PREFIX: Readonly<Record<number, number>> = { 0x26: 0, 0x2e: 1, 0x36: 2, 0x3e: 3, 0x64: 4, 0x65: 5 };
/** Base and index of the eight 16-bit address forms (SDM 2A table 2-1). */
const BASES_16 = [3, 3, 5, 5, 6, 7, 5, 3];
const INDEXES_16 = [6, 7, 6, 7, -1, -1, -1, -1];
/** REX bits (SDM 2A 2.2.1). */
const REX = { B: 1, X: 2, R: 4, W: 8 } as const;
/** Greatest displacement that stays positive when an instruction's end, relative to its page, is added. */
const MOST_DISPLACEMENT = 0x7fffffff - 0x2000;

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
  #is64 = false;
  #operandSize: 16 | 32 | 64 = 32;
  #addressSize: 16 | 32 | 64 = 32;
  /** Whether the operand-size prefix was there, and the REX or VEX bits. */
  #prefix66 = false;
  #rex = 0;
  #hasRex = false;
  /** VEX.vvvv, as the state offset of a general register. */
  #vexRegister = 0;
  #ripRelative = false;
  /** The row was chosen by the whole ModRM byte, which is a part of the opcode then. */
  #wholeModRm = false;
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
    this.#is64 = mode === CODE_MODE.code64;
    this.#operandSize = mode === CODE_MODE.code16 ? 16 : 32;
    this.#addressSize = mode === CODE_MODE.code16 ? 16 : this.#is64 ? 64 : 32;
    this.#prefix66 = this.#hasRex = this.#ripRelative = this.#wholeModRm = false;
    this.#rex = 0;
    this.#flat = mode === CODE_MODE.flat32;
    this.#segment = -1;
    this.#repeat = 0;
    this.#lock = false;
    this.a = this.b = this.index = ZERO_REGISTER;
    this.disp = this.imm = 0;
    this.slot = DS * 3 + this.#addressIndex;
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

  /** 0, 1, 2 for 16, 32 and 64 bits. */
  get #addressIndex(): number {
    return this.#addressSize >> 5;
  }

  #opcode(mode: number): Row {
    for (;;) {
      const byte = this.#next8();
      if (this.#failed !== 0) return undefinedRow;
      switch (byte) {
        case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65:
          // In 64-bit mode only FS and GS count (SDM 2A 2.1.1).
          if (!this.#is64 || byte >= 0x64) this.#segment = SEGMENT_PREFIX[byte];
          continue;
        case 0x66:
          this.#prefix66 = true;
          this.#operandSize = mode === CODE_MODE.code16 ? 32 : 16;
          continue;
        case 0x67:
          this.#addressSize = mode === CODE_MODE.code32 || mode === CODE_MODE.flat32 ? 16 : 32;
          this.slot = DS * 3 + this.#addressIndex;
          continue;
        case 0xf0:
          this.#lock = true;
          continue;
        case 0xf2: case 0xf3:
          this.#repeat = byte;
          continue;
        default:
          return this.#behindPrefixes(byte);
      }
    }
  }

  #behindPrefixes(first: number): Row {
    let byte = first;
    if (this.#is64 && (byte & 0xf0) === 0x40) {
      // Only the last byte before the opcode is a REX prefix: one further ahead is without effect.
      while ((byte & 0xf0) === 0x40) {
        this.#rex = byte & 15;
        this.#hasRex = true;
        byte = this.#next8();
        if (this.#failed !== 0) return undefinedRow;
      }
      if (isLegacyPrefix(byte)) return this.#forgetRex();
      if ((this.#rex & REX.W) !== 0) this.#operandSize = 64;
    }
    if (byte === 0xc5 || byte === 0xc4) {
      if (this.#is64 || this.#peek8() >= 0xc0) return this.#vex(byte);
    }
    if (byte !== 0x0f) return this.#entry((this.#is64 ? oneByte64 : oneByte)[byte]);
    const second = this.#next8();
    if (second === 0x38) return this.#entry(map38[this.#next8()]);
    if (second === 0x3a) return this.#entry(map3A[this.#next8()]);
    return this.#entry(twoByte[second]);
  }

  /** A legacy prefix behind REX: REX is void, prefixes go on. */
  #forgetRex(): Row {
    this.#rex = 0;
    this.#hasRex = false;
    this.#position--;
    return this.#opcode(CODE_MODE.code64);
  }

  /** SDM 2A 2.3. Of the VEX-encoded instructions those on general registers exist. */
  #vex(byte: number): Row {
    const forbidden = this.#hasRex || this.#lock || this.#prefix66 || this.#repeat !== 0;
    const second = this.#next8();
    let map = 1, last = second, inverted = second & 0x80;
    if (byte === 0xc4) {
      last = this.#next8();
      map = second & 31;
      inverted = second & 0xe0;
      this.#rex = ((inverted >> 5) ^ 7) | ((last & 0x80) >> 4);
    } else this.#rex = ((inverted >> 5) ^ 4) & 4;
    // Outside 64-bit mode the extension bits are without effect.
    if (!this.#is64) this.#rex &= REX.W;
    if ((this.#rex & REX.W) !== 0 && !this.#is64) this.#rex = 0;
    this.#operandSize = (this.#rex & REX.W) !== 0 ? 64 : 32;
    this.#vexRegister = ((~last >> 3) & (this.#is64 ? 15 : 7)) * REGISTER_BYTES;
    const opcode = this.#next8();
    const prefix = last & 3;
    this.#prefix66 = prefix === 1;
    this.#repeat = prefix === 2 ? 0xf3 : prefix === 3 ? 0xf2 : 0;
    const maps = map === 2 ? vex38 : map === 3 ? vex3A : null;
    if (forbidden || maps === null || (last & 4) !== 0) return this.#undefined();
    const row = this.#entry(maps[opcode]);
    // Without an operand in it, VEX.vvvv is all ones.
    return (last & 0x78) === 0x78 || row.operands.includes('By') ? row : undefinedRow;
  }

  #undefined(): Row {
    this.#skipModRm();
    return undefinedRow;
  }

  #entry(entry: Entry | undefined): Row {
    if (entry === null || entry === undefined) return undefinedRow;
    let row: Row | null;
    if (isPrefixed(entry)) {
      row = this.#chosen(this.#byPrefix(entry));
    } else row = this.#chosen(entry);
    if (row === null || !this.#exists(row)) return this.#undefined();
    if (this.#is64) row = this.#in64(row);
    if (this.#repeat !== 0) row = underRepeat(row, this.#repeat);
    return countedBy(row, this.#addressSize);
  }

  /** A mandatory prefix chooses the row and is no operand-size prefix then (SDM 2A 2.1.2). */
  #byPrefix(entry: Prefixed): Opcode {
    if (this.#repeat === 0xf3 && entry.f3 !== undefined) {
      return this.#isUnknown(entry.f3) ? (entry.none ?? null) : entry.f3;
    }
    if (this.#repeat === 0xf2 && entry.f2 !== undefined) return entry.f2;
    if (this.#repeat !== 0 && (entry.f3 !== undefined || entry.f2 !== undefined)) return null;
    if (!this.#prefix66) return entry.none ?? null;
    if (entry.p66 === undefined) return entry.none ?? null;
    return entry.p66;
  }

  /** Of a model that does not know it, its prefix has no meaning: LZCNT is BSR. */
  #isUnknown(opcode: Opcode): boolean {
    if (opcode === null || !('fallsBack' in opcode)) return false;
    return opcode.fallsBack === true && !this.#exists(opcode);
  }

  #chosen(opcode: Opcode): Row | null {
    if (opcode === null) return null;
    if (Array.isArray(opcode)) return (opcode as readonly (Row | null)[])[(this.#peek8() >> 3) & 7];
    if ('byModRm' in opcode) {
      this.#wholeModRm = true;
      return (opcode as Choice).byModRm(this.#peek8());
    }
    return opcode as Row;
  }

  #exists(row: Row): boolean {
    if (row.feature !== undefined && !hasFeature(this.#model, row.feature)) return false;
    if (this.#is64) return row.in64 !== 'undefined';
    return row.name !== 'swapGs';
  }

  /** What 64-bit mode makes of a row's operand size, and the rows that REX.W and REX.B change. */
  #in64(row: Row): Row {
    if (row.in64 === 'always64') this.#operandSize = 64;
    else if (row.in64 === 'default64' && this.#operandSize === 32) this.#operandSize = 64;
    if (row.name === 'MOV' && row.operands[0] === 'Zv' && row.operands[1] === 'Iz' && this.#operandSize === 64) return moveWideImmediate;
    if (row.mnemonic === 'MOVSXD' && this.#operandSize === 16) return moveWord;
    if (row.name === 'NOP' && row.operands.length === 0 && (this.#rex & REX.B) !== 0 && this.#repeat !== 0xf3) return exchangeR8;
    return row;
  }

  #operands(row: Row, pageOffset: number): HandlerSpecification {
    const hasModRm = row.operands.some((letters) => MOD_RM_LETTERS.has(letters[0]));
    let memory = false;
    const opcodeRegister = (this.#bytes[this.#position - 1] & 7) | ((this.#rex & REX.B) << 3);
    if (row.operands.includes('Ey') || row.operands.includes('Gy') || row.operands.includes('My')) {
      this.#operandSize = (this.#rex & REX.W) !== 0 ? 64 : 32;
    }
    if (hasModRm) memory = this.#decodeModRm(row);
    else {
      if (this.#wholeModRm && row !== undefinedRow) this.#next8();
      if (this.#segment >= 0) this.slot = (this.slot % 3) + this.#segment * 3;
      memory = row.operands.some((letters) => letters[0] === 'O');
    }
    for (const letters of row.operands) this.#operand(letters, row, opcodeRegister);
    // Branch targets and addresses relative to RIP are known once the whole length is.
    const jumps = row.operands[0]?.[0] === 'J';
    if (jumps) this.disp += pageOffset + (this.#position - this.#start);
    if (this.#ripRelative) this.#addInstructionEnd(pageOffset + (this.#position - this.#start));
    if (this.#lock && !(row.lock && memory)) return this.#handlers(undefinedRow, false);
    if (!memory && row.operands.some((letters) => letters[0] === 'M')) return this.#handlers(undefinedRow, false);
    if (memory && row.operands.some((letters) => letters[0] === 'U' || letters[0] === 'N')) return this.#handlers(undefinedRow, false);
    const count = this.imm & (this.#operandSize === 64 && row.operands[0] === 'Ev' ? 63 : 31);
    return this.#handlers(count === 0 ? zeroShift(row) : row, memory);
  }

  /** The base is the page's address; a displacement that would not fit takes a known index along (ipMasks holds FFFFh). */
  #addInstructionEnd(end: number): void {
    if (this.disp > MOST_DISPLACEMENT) {
      this.index = FIELD.ipMasks;
      this.disp -= 0xffff;
    }
    this.disp += end;
  }

  #handlers(row: Row, memory: boolean): HandlerSpecification {
    const form = (this.#operandSize >> 5) * 2 + (memory ? 1 : 0);
    const flat = (this.#flat || this.#is64) && (!memory || this.#flatOperand());
    return handlerTable.byRow.get(row)![form + (flat ? FLAT_FORM : 0)];
  }

  /** Whether the memory operand lies in a flat segment and is addressed with the mode's own width. */
  #flatOperand(): boolean {
    const segment = Math.floor((this.slot & 63) / 3);
    if (this.#is64) return this.#addressSize === 64 && segment < 4;
    return this.#addressSize === 32 && (segment === ES || segment === SS || segment === DS);
  }

  #operand(letters: string, row: Row, opcodeRegister: number): void {
    switch (letters) {
      case 'Gb':
        this.a = this.#byteRegister(((this.#modRm >> 3) & 7) | ((this.#rex & REX.R) << 1));
        return;
      case 'Zb':
        this.b = this.#byteRegister(opcodeRegister);
        return;
      case 'Zv':
        this.b = opcodeRegister * REGISTER_BYTES;
        return;
      case 'Eb':
        if (this.#modRm >= 0xc0) this.b = this.#byteRegister((this.#modRm & 7) | ((this.#rex & REX.B) << 3));
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
        this.disp = this.#addressSize === 16 ? this.#next16() : this.#next32();
        if (this.#addressSize === 64) this.imm = this.#next32();
        return;
      case 'By':
        this.imm = this.#vexRegister;
        return;
      case 'Iq':
        this.disp = this.#next32();
        this.imm = this.#next32();
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
        this.imm = this.#operandSize === 16 ? (this.#next16() << 16) >> 16 : this.#next32();
        return;
      case 'Jb':
        this.disp = (this.#next8() << 24) >> 24;
        this.a = (this.#operandSize >> 5) * 8;
        return;
      case 'Jz':
        this.disp = this.#operandSize === 16 ? (this.#next16() << 16) >> 16 : this.#next32();
        this.a = (this.#operandSize >> 5) * 8;
        return;
      case 'Ap':
        this.disp = this.#operandSize === 16 ? this.#next16() : this.#next32();
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
    this.a = (((modRm >> 3) & 7) | ((this.#rex & REX.R) << 1)) * REGISTER_BYTES;
    if (mod === 3 || row.operands[0] === 'Rd') {
      this.b = (rm | ((this.#rex & REX.B) << 3)) * REGISTER_BYTES;
      this.#narrowRegisters(row);
      // MASKMOVDQU names its memory otherwise.
      if (this.#segment >= 0) this.slot = (this.slot % 3) + this.#segment * 3;
      return false;
    }
    this.#narrowRegisters(row);
    let segment = this.#addressSize === 16 ? this.#address16Bit(mod, rm) : this.#addressWide(mod, rm);
    if (this.#segment >= 0) segment = this.#segment;
    this.slot = (this.slot & 0xc0) | (segment * 3 + this.#addressIndex);
    return true;
  }

  /** MMX and segment registers know no REX bits (SDM 2A 2.2.1.2). */
  #narrowRegisters(row: Row): void {
    for (const letters of row.operands) {
      if (letters[0] === 'P' || letters[0] === 'S') this.a &= 7 * REGISTER_BYTES;
      if (letters[0] === 'Q' || letters[0] === 'N') this.b &= 7 * REGISTER_BYTES;
    }
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

  /** 32- and 64-bit forms (SDM 2A tables 2-2, 2-3); without a base, disp32 is relative to RIP in 64-bit mode. */
  #addressWide(mod: number, rm: number): number {
    let base = rm;
    let scale = 0;
    if (rm === 4) {
      const sib = this.#next8();
      base = sib & 7;
      const index = ((sib >> 3) & 7) | ((this.#rex & REX.X) << 2);
      if (index !== 4) {
        this.index = index * REGISTER_BYTES;
        scale = sib >> 6;
      }
    }
    this.b = (base | ((this.#rex & REX.B) << 3)) * REGISTER_BYTES;
    this.slot = scale << 6;
    if (mod === 0 && base === 5) {
      this.#ripRelative = this.#is64 && rm === 5;
      this.b = this.#ripRelative ? FIELD.pageRip : ZERO_REGISTER;
      this.disp = this.#next32();
      return DS;
    }
    if (mod === 1) this.disp = (this.#next8() << 24) >> 24;
    else if (mod === 2) this.disp = this.#next32();
    // RSP and RBP name the stack; R12 and R13 do not.
    return this.b === RSP * REGISTER_BYTES || this.b === RBP * REGISTER_BYTES ? SS : DS;
  }

  /** An undefined instruction still has its ModRM fetched, which may fault. */
  #skipModRm(): void {
    this.#next8();
  }

  /** Under REX the upper four are SPL, BPL, SIL and DIL. */
  #byteRegister(code: number): number {
    return this.#hasRex ? code * REGISTER_BYTES : byteRegister(code);
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

/** State offset of a byte register without REX: AL CL DL BL AH CH DH BH. */
function byteRegister(code: number): number {
  return code < 4 ? code * REGISTER_BYTES : (code - 4) * REGISTER_BYTES + 1;
}

const isLegacyPrefix = (byte: number): boolean =>
  (byte & 0xe7) === 0x26 || (byte >= 0x64 && byte <= 0x67) || byte === 0xf0 || byte === 0xf2 || byte === 0xf3;

const isPrefixed = (entry: NonNullable<Entry>): entry is Prefixed =>
  'none' in entry || 'p66' in entry || 'f3' in entry || 'f2' in entry;
