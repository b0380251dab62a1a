// Call frame information: `.debug_frame` (DWARF 5 6.4) and `.eh_frame` (Linux Standard Base 5 core, 10.6).
import { DebugError } from '../target.ts';
import { AddressList, maskAddress } from './addressList.ts';
import { ByteReader } from './byteReader.ts';
import { evaluateFrameExpression, type FrameMemory } from './frameExpression.ts';

const MAX_ENTRIES = 2_000_000;
const MAX_INSTRUCTIONS = 100_000;
const MAX_STATES = 64;
const REGISTERS = 32;

/** Registers by their DWARF numbers (psABI i386 table 2.14, x86-64 figure 3.36); undefined: not known. */
export type FrameRegisters = readonly (bigint | undefined)[];

export interface UnwoundFrame {
  /** Canonical frame address: the stack pointer before the call. */
  readonly frame: bigint;
  readonly registers: FrameRegisters;
  readonly returnAddress: bigint;
  /** The frame below is a signal or interrupt frame: its return address is no call's. */
  readonly signal: boolean;
}

interface CommonEntry {
  readonly codeAlign: bigint;
  readonly dataAlign: bigint;
  readonly returnRegister: number;
  readonly pointerEncoding: number;
  readonly augmented: boolean;
  readonly signal: boolean;
  readonly instructions: ByteReader;
  readonly addressBytes: 4 | 8;
}

interface FrameEntry {
  readonly from: bigint;
  readonly to: bigint;
  readonly common: CommonEntry;
  /** Place of the instructions in the section. */
  readonly start: number;
  readonly end: number;
}

type Rule =
  | { readonly kind: 'undefined' }
  | { readonly kind: 'same' }
  | { readonly kind: 'offset'; readonly value: bigint }
  | { readonly kind: 'value-offset'; readonly value: bigint }
  | { readonly kind: 'register'; readonly register: number }
  | { readonly kind: 'expression'; readonly bytes: Uint8Array }
  | { readonly kind: 'value-expression'; readonly bytes: Uint8Array };

interface Row {
  frame: { register: number; offset: bigint } | Uint8Array;
  rules: (Rule | undefined)[];
}

const POINTER_OMIT = 0xff;

export class CallFrames {
  readonly #section: ByteReader;
  readonly #entries: FrameEntry[] = [];
  readonly #starts: AddressList;
  readonly #addressBytes: 4 | 8;
  readonly warnings: string[] = [];

  /** `eh`: the format of `.eh_frame`; `address` is where the section is loaded. */
  constructor(path: string, bytes: Uint8Array, options: { eh: boolean; address: bigint; bits: 32 | 64 }) {
    this.#addressBytes = options.bits === 64 ? 8 : 4;
    this.#section = new ByteReader(bytes, `${path}: section ${options.eh ? '.eh_frame' : '.debug_frame'}`);
    try {
      this.#read(options);
    } catch (error) {
      if (!(error instanceof DebugError)) throw error;
      this.warnings.push(error.message);
    }
    this.#entries.sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0));
    const high = Uint32Array.from(this.#entries, ({ from }) => Number(from >> 32n));
    this.#starts = new AddressList(high, Uint32Array.from(this.#entries, ({ from }) => Number(from & 0xffffffffn)));
  }

  get length(): number {
    return this.#entries.length;
  }

  #read(options: { eh: boolean; address: bigint }): void {
    const section = this.#section;
    const commons = new Map<number, CommonEntry | null>();
    section.position = 0;
    while (section.position + 4 <= section.end) {
      const start = section.position;
      let length = section.u32(), offsetBytes: 4 | 8 = 4;
      if (length === 0) {
        if (options.eh) break;
        continue;
      }
      if (length === 0xffffffff) {
        offsetBytes = 8;
        length = section.size64('length of an entry');
      }
      const entry = section.part(length);
      const idAt = entry.position;
      const id = offsetBytes === 8 ? entry.u64() : BigInt(entry.u32());
      const isCommon = options.eh ? id === 0n : id === (offsetBytes === 8 ? 0xffff_ffff_ffff_ffffn : 0xffff_ffffn);
      if (isCommon) {
        commons.set(start, this.#common(entry, options.eh));
        continue;
      }
      const commonAt = options.eh ? idAt - Number(id) : Number(id);
      let common = commons.get(commonAt);
      if (common === undefined) common = this.#commonAt(commonAt, options.eh);
      commons.set(commonAt, common);
      if (common !== null) this.#frame(entry, common, options);
      if (this.#entries.length > MAX_ENTRIES) section.fail(`at most ${MAX_ENTRIES} entries`, 'more');
    }
  }

  /** A common entry that stands behind its user. */
  #commonAt(offset: number, eh: boolean): CommonEntry | null {
    if (offset < 0 || offset >= this.#section.end) return null;
    const reader = new ByteReader(this.#section.bytes, this.#section.what, offset);
    const length = reader.u32();
    if (length === 0 || length === 0xffffffff) return null;
    const entry = reader.part(length);
    const id = entry.u32();
    return id === (eh ? 0 : 0xffffffff) ? this.#common(entry, eh) : null;
  }

  /** Null: an augmentation that nobody knows, so its frames cannot be read. */
  #common(entry: ByteReader, eh: boolean): CommonEntry | null {
    const version = entry.u8();
    if (version !== 1 && version !== 3 && version !== 4) return null;
    const augmentation = entry.text();
    let addressBytes = this.#addressBytes;
    if (version === 4) {
      addressBytes = entry.u8() === 8 ? 8 : 4;
      entry.skip(1);
    }
    const codeAlign = entry.uleb(), dataAlign = entry.sleb();
    const returnRegister = version === 1 ? entry.u8() : entry.ulebNumber();
    let pointerEncoding = 0, signal = false;
    const augmented = augmentation.startsWith('z');
    if (augmented) {
      const data = entry.part(entry.ulebNumber());
      for (const letter of augmentation.slice(1)) {
        if (letter === 'R') pointerEncoding = data.u8();
        else if (letter === 'S') signal = true;
        else if (letter === 'L') data.skip(1);
        else if (letter === 'P') this.#pointer(data, data.u8(), 0n);
        else break;
      }
    } else if (augmentation !== '') return null;
    if (!eh) pointerEncoding = 0;
    return { codeAlign, dataAlign, returnRegister, pointerEncoding, augmented, signal, instructions: entry, addressBytes };
  }

  #frame(entry: ByteReader, common: CommonEntry, options: { eh: boolean; address: bigint }): void {
    const from = this.#pointer(entry, common.pointerEncoding, options.address, common.addressBytes);
    // The length has the format of the pointer without what it is relative to.
    const length = this.#pointer(entry, common.pointerEncoding & 0x0f, options.address, common.addressBytes);
    if (common.augmented) entry.skip(entry.ulebNumber());
    if (length <= 0n) return;
    this.#entries.push({ from, to: maskAddress(from + length), common, start: entry.position, end: entry.end });
  }

  /** DW_EH_PE_* (LSB 5 core 10.5). */
  #pointer(reader: ByteReader, encoding: number, section: bigint, addressBytes: 4 | 8 = this.#addressBytes): bigint {
    if (encoding === POINTER_OMIT) return 0n;
    const at = section + BigInt(reader.position);
    let value: bigint;
    switch (encoding & 0x0f) {
      case 0x00: value = reader.word(addressBytes); break;
      case 0x01: value = reader.uleb(); break;
      case 0x02: value = BigInt(reader.u16()); break;
      case 0x03: value = BigInt(reader.u32()); break;
      case 0x04: value = reader.u64(); break;
      case 0x09: value = reader.sleb(); break;
      case 0x0a: value = BigInt.asIntN(16, BigInt(reader.u16())); break;
      case 0x0b: value = BigInt.asIntN(32, BigInt(reader.u32())); break;
      case 0x0c: value = BigInt.asIntN(64, reader.u64()); break;
      default: return reader.fail('a pointer encoding', `${encoding.toString(16)}h`);
    }
    if ((encoding & 0x70) === 0x10 && value !== 0n) value += at;
    return BigInt.asUintN(addressBytes * 8, value);
  }

  /**
   * The frame that called the one at `address` (an address of the file), or null if nothing is known of it.
   * Throws nothing: broken information is no information.
   */
  unwind(address: bigint, registers: FrameRegisters, memory: FrameMemory): UnwoundFrame | null {
    const index = this.#starts.floor(address);
    const entry = this.#entries[index];
    if (entry === undefined || address >= entry.to) return null;
    try {
      const row = this.#row(entry, address);
      return row === null ? null : this.#apply(entry, row, registers, memory);
    } catch (error) {
      if (error instanceof DebugError) return null;
      throw error;
    }
  }

  #apply(entry: FrameEntry, row: Row, registers: FrameRegisters, memory: FrameMemory): UnwoundFrame | null {
    const { addressBytes, returnRegister, signal } = entry.common;
    const mask = (value: bigint): bigint => BigInt.asUintN(addressBytes * 8, value);
    let frame: bigint;
    if (row.frame instanceof Uint8Array) frame = evaluateFrameExpression(row.frame, registers, memory, addressBytes, null);
    else {
      const base = registers[row.frame.register];
      if (base === undefined) return null;
      frame = mask(base + row.frame.offset);
    }
    const read = (address: bigint): bigint | undefined => memory(mask(address), addressBytes) ?? undefined;
    const caller: (bigint | undefined)[] = [];
    const count = Math.max(row.rules.length, registers.length);
    for (let register = 0; register < count; register++) {
      const rule = row.rules[register];
      caller[register] = rule === undefined ? registers[register] : this.#value(rule, register, frame, registers, memory, read, addressBytes);
    }
    const returnAddress = caller[returnRegister];
    if (returnAddress === undefined || row.rules[returnRegister] === undefined) return null;
    // The stack pointer is the frame's address unless a rule says otherwise (psABI).
    const stackRegister = addressBytes === 8 ? 7 : 4;
    if (row.rules[stackRegister] === undefined) caller[stackRegister] = frame;
    return { frame, registers: caller, returnAddress, signal };
  }

  #value(
    rule: Rule,
    register: number,
    frame: bigint,
    registers: FrameRegisters,
    memory: FrameMemory,
    read: (address: bigint) => bigint | undefined,
    addressBytes: 4 | 8,
  ): bigint | undefined {
    switch (rule.kind) {
      case 'undefined': return undefined;
      case 'same': return registers[register];
      case 'offset': return read(frame + rule.value);
      case 'value-offset': return BigInt.asUintN(addressBytes * 8, frame + rule.value);
      case 'register': return registers[rule.register];
      case 'expression': return read(evaluateFrameExpression(rule.bytes, registers, memory, addressBytes, frame));
      case 'value-expression': return evaluateFrameExpression(rule.bytes, registers, memory, addressBytes, frame);
    }
  }

  /** The row of the table at an address: both programs run up to it. */
  #row(entry: FrameEntry, address: bigint): Row | null {
    const { common } = entry;
    const row: Row = { frame: { register: -1, offset: 0n }, rules: [] };
    const state = { location: entry.from, budget: MAX_INSTRUCTIONS };
    const initial = new ByteReader(this.#section.bytes, this.#section.what, common.instructions.position, common.instructions.end);
    runInstructions(initial, common, row, [], address, state, true);
    const first = [...row.rules];
    const program = new ByteReader(this.#section.bytes, this.#section.what, entry.start, entry.end);
    runInstructions(program, common, row, first, address, state, false);
    return row.frame instanceof Uint8Array || row.frame.register >= 0 ? row : null;
  }
}

/** DWARF 5 6.4.2. Stops behind the last row at or below `address`. */
function runInstructions(
  reader: ByteReader,
  common: CommonEntry,
  row: Row,
  first: readonly (Rule | undefined)[],
  address: bigint,
  state: { location: bigint; budget: number },
  initial: boolean,
): void {
  const saved: Row[] = [];
  const set = (register: number, rule: Rule): void => {
    // Vector registers are nobody's concern here.
    if (register < REGISTERS) row.rules[register] = rule;
  };
  const restore = (register: number): void => {
    if (register < REGISTERS) row.rules[register] = first[register];
  };
  const advanceTo = (location: bigint): boolean => {
    if (!initial && location > address) return false;
    state.location = location;
    return true;
  };
  const scaled = (value: bigint): bigint => value * common.dataAlign;
  const block = (): Uint8Array => {
    const part = reader.part(reader.ulebNumber());
    return part.bytes.subarray(part.position, part.end);
  };
  const changeFrame = (register: number | null, offset: bigint | null): void => {
    const old = row.frame instanceof Uint8Array ? { register: -1, offset: 0n } : row.frame;
    row.frame = { register: register ?? old.register, offset: offset ?? old.offset };
  };
  while (!reader.atEnd) {
    if (state.budget-- <= 0) reader.fail(`at most ${MAX_INSTRUCTIONS} frame instructions`, 'more');
    const opcode = reader.u8(), low = opcode & 0x3f;
    if (opcode >> 6 === 1) {
      if (!advanceTo(state.location + BigInt(low) * common.codeAlign)) return;
      continue;
    }
    if (opcode >> 6 === 2) {
      set(low, { kind: 'offset', value: scaled(reader.uleb()) });
      continue;
    }
    if (opcode >> 6 === 3) {
      restore(low);
      continue;
    }
    switch (opcode) {
      case 0x00: break;
      case 0x01: if (!advanceTo(reader.word(common.addressBytes))) return; break;
      case 0x02: if (!advanceTo(state.location + BigInt(reader.u8()) * common.codeAlign)) return; break;
      case 0x03: if (!advanceTo(state.location + BigInt(reader.u16()) * common.codeAlign)) return; break;
      case 0x04: if (!advanceTo(state.location + BigInt(reader.u32()) * common.codeAlign)) return; break;
      case 0x05: set(reader.ulebNumber(), { kind: 'offset', value: scaled(reader.uleb()) }); break;
      case 0x06: restore(reader.ulebNumber()); break;
      case 0x07: set(reader.ulebNumber(), { kind: 'undefined' }); break;
      case 0x08: set(reader.ulebNumber(), { kind: 'same' }); break;
      case 0x09: set(reader.ulebNumber(), { kind: 'register', register: reader.ulebNumber() }); break;
      case 0x0a:
        if (saved.length >= MAX_STATES) reader.fail(`at most ${MAX_STATES} remembered states`, 'more');
        saved.push({ frame: row.frame, rules: [...row.rules] });
        break;
      case 0x0b: {
        const old = saved.pop();
        if (old === undefined) reader.fail('a remembered state', 'none');
        row.frame = old.frame;
        row.rules = old.rules;
        break;
      }
      case 0x0c: {
        const register = reader.ulebNumber();
        changeFrame(register, reader.uleb());
        break;
      }
      case 0x0d: changeFrame(reader.ulebNumber(), null); break;
      case 0x0e: changeFrame(null, reader.uleb()); break;
      case 0x0f: row.frame = block(); break;
      case 0x10: set(reader.ulebNumber(), { kind: 'expression', bytes: block() }); break;
      case 0x11: set(reader.ulebNumber(), { kind: 'offset', value: scaled(reader.sleb()) }); break;
      case 0x12: {
        const register = reader.ulebNumber();
        changeFrame(register, scaled(reader.sleb()));
        break;
      }
      case 0x13: changeFrame(null, scaled(reader.sleb())); break;
      case 0x14: set(reader.ulebNumber(), { kind: 'value-offset', value: scaled(reader.uleb()) }); break;
      case 0x15: set(reader.ulebNumber(), { kind: 'value-offset', value: scaled(reader.sleb()) }); break;
      case 0x16: set(reader.ulebNumber(), { kind: 'value-expression', bytes: block() }); break;
      // DW_CFA_GNU_args_size and DW_CFA_GNU_negative_offset_extended.
      case 0x2e: reader.ulebNumber(); break;
      case 0x2f: set(reader.ulebNumber(), { kind: 'offset', value: -scaled(reader.uleb()) }); break;
      default: reader.fail('a frame instruction', `${opcode.toString(16)}h`);
    }
  }
}
