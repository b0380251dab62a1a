// Makes cases for every encoding that user mode can run: each opcode of the four maps under each mandatory prefix, operand
// size, ModRM.reg and form; what an encoding is, and where its memory operand lies, is iced-x86's word.
import * as iced from 'iced-x86';
import {
  type Bitness, CASE_BYTES, CODE_BASE, CODE_BYTES, CODE_SELECTORS, DATA_BASE, expandState, FS_BASE, GS_BASE, HIGH_BASE, type OracleCase, PIECE, READ_ONLY,
  SELECTORS, STATE, Stream,
} from './caseFormat.ts';
import { isComparable, isFar, loadsSegment } from './policy.ts';

const { CpuidFeature, Decoder, DecoderOptions, FlowControl, Mnemonic, OpKind, Register, RegisterExt, MemorySizeExt } = iced;

export const mnemonicNames = new Map<number, string>(
  Object.entries(Mnemonic).flatMap(([name, value]) => (typeof value === 'number' ? [[value, name] as const] : [])),
);

/** Opcode, its prefixes, and what may stand in ModRM.reg: one thing to be tested. */
interface Slot {
  readonly map: number;
  readonly opcode: number;
  readonly prefix: 0 | 0x66 | 0xf2 | 0xf3;
  readonly wide: boolean;
  readonly vex: boolean;
}
interface Target {
  readonly slot: Slot;
  readonly name: string;
  readonly modRms: number[];
  readonly isUndefined: boolean;
}

const MAP_BYTES: readonly (readonly number[])[] = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];
const PREFIXES = [0, 0x66, 0xf3, 0xf2] as const;
const DEFAULT_RIP = CODE_BASE + 0x800;
const RAX = 0, RCX = 1, RDX = 2, RBX = 3, RSP = 4, RBP = 5, RSI = 6, RDI = 7;
const BYTES = [0, 1, 2, 3, 7, 8, 0x0f, 0x10, 0x1f, 0x20, 0x3f, 0x40, 0x7f, 0x80, 0xff];
const IS_PREFIX = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x0f]);

export interface Decoded {
  readonly mnemonic: string;
  readonly length: number;
  readonly valid: boolean;
  readonly instruction: iced.Instruction;
  readonly displacementAt: number;
  readonly displacementSize: number;
  free(): void;
}

export function decode(bytes: Uint8Array, bitness: Bitness, rip: number): Decoded {
  const decoder = new Decoder(bitness, bytes, DecoderOptions.None);
  decoder.ip = BigInt(rip);
  const instruction = decoder.decode();
  const constants = decoder.getConstantOffsets(instruction);
  const displacementAt = constants.hasDisplacement ? constants.displacementOffset : constants.hasImmediate ? constants.immediateOffset : -1;
  const displacementSize = constants.hasDisplacement ? constants.displacementSize : constants.hasImmediate ? constants.immediateSize : 0;
  constants.free();
  decoder.free();
  return {
    mnemonic: mnemonicNames.get(instruction.mnemonic) ?? '?', length: instruction.length, valid: !instruction.isInvalid, instruction,
    displacementAt, displacementSize, free: () => instruction.free(),
  };
}

/** The memory operand's size in bytes; -1: there is none. */
function memorySize(instruction: iced.Instruction): number {
  for (let operand = 0; operand < instruction.opCount; operand++) {
    if (instruction.opKind(operand) === OpKind.Memory) return MemorySizeExt.size(instruction.memorySize);
  }
  return -1;
}

function* slotsOf(bitness: Bitness): Iterable<Slot> {
  const widths = bitness === 64 ? [false, true] : [false];
  for (let map = 0; map < 4; map++) {
    for (let opcode = 0; opcode < 256; opcode++) {
      if (map === 0 && (IS_PREFIX.has(opcode) || (bitness === 64 && ((opcode & 0xf0) === 0x40 || opcode === 0x62 || opcode === 0xc4 || opcode === 0xc5)))) continue;
      if (map === 0 && (opcode === 0x62 || opcode === 0xc4 || opcode === 0xc5)) {
        yield { map, opcode, prefix: 0, wide: false, vex: false };
        continue;
      }
      if (map === 1 && (opcode === 0x38 || opcode === 0x3a || opcode === 0x0f)) continue;
      for (const prefix of PREFIXES) for (const wide of widths) yield { map, opcode, prefix, wide, vex: false };
      const bitManipulation = (map === 2 && opcode >= 0xf2 && opcode <= 0xf7) || (map === 3 && opcode === 0xf0);
      if (bitManipulation) for (const prefix of PREFIXES) for (const wide of widths) yield { map, opcode, prefix, wide, vex: true };
    }
  }
}

/** The bytes of an encoding, longer than need be: the decoder tells where it ends. */
function bytesOf(slot: Slot, modRm: number, stream: Stream, bitness: Bitness, plain: boolean): Uint8Array {
  const bytes: number[] = [];
  if (!plain) {
    if (stream.below(24) === 0) bytes.push(stream.pick([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x64, 0x65]));
    if (stream.below(32) === 0) bytes.push(0x67);
    if (stream.below(40) === 0) bytes.push(0xf0);
  }
  if (slot.vex) {
    const register = plain ? 0xf : stream.below(bitness === 64 ? 16 : 8) ^ 0xf;
    const high = bitness === 32 ? 0xe0 : plain ? 0xe0 : stream.below(8) << 5;
    bytes.push(0xc4, high | slot.map, (slot.wide ? 0x80 : 0) | (register << 3) | [0, 0x66, 0xf3, 0xf2].indexOf(slot.prefix), slot.opcode);
  } else {
    if (slot.prefix !== 0) bytes.push(slot.prefix);
    const extension = plain ? 0 : stream.below(2) === 0 ? stream.below(8) : 0;
    if (bitness === 64 && (slot.wide || extension !== 0 || (!plain && stream.below(6) === 0))) bytes.push(0x40 | (slot.wide ? 8 : 0) | extension);
    bytes.push(...MAP_BYTES[slot.map], slot.opcode);
  }
  bytes.push(modRm);
  while (bytes.length < 15) bytes.push(stream.below(3) === 0 ? stream.below(256) : stream.pick(BYTES));
  return Uint8Array.from(bytes.slice(0, 15));
}

/** Finds out what there is: for each instruction and form a target. */
function targetsOf(bitness: Bitness, skip: GenerateOptions['skip']): Target[] {
  const missing = new Set<number>([...skip].map((name) => CpuidFeature[name] as number));
  const targets = new Map<string, Target>();
  const stream = new Stream(1);
  for (const slot of slotsOf(bitness)) {
    for (let reg = 0; reg < 8; reg++) {
      for (const form of [0x00, 0x05, 0x40, 0x84, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7]) {
        const modRm = form | (reg << 3);
        const found = decode(bytesOf(slot, modRm, stream, bitness, true), bitness, DEFAULT_RIP);
        const { instruction } = found;
        const size = memorySize(instruction);
        const comparable = isComparable(instruction, found.mnemonic, bitness, found.valid, [slot.map, slot.opcode, modRm, slot.prefix]);
        if (comparable && !(found.valid && instruction.cpuidFeatures().some((feature) => missing.has(feature)))) {
          const name = found.valid ? found.mnemonic : 'undefined';
          const what = found.valid ? `${instruction.code}|${size >= 0}|${slot.prefix}|${slot.wide}` : `${slot.map}|${slot.opcode}|${slot.prefix}`;
          const key = `${slot.vex}|${what}`;
          const known = targets.get(key);
          if (known === undefined) targets.set(key, { slot, name, modRms: [modRm], isUndefined: !found.valid });
          else known.modRms.push(modRm);
        }
        found.free();
      }
    }
  }
  return [...targets.values()];
}

/** Where a memory operand lies: mostly well, some across pages, in the read-only page or beyond. */
function operandPlace(stream: Stream, size: number): number {
  const chance = stream.below(32), span = Math.max(1, size);
  if (chance < 20) return DATA_BASE + 0x200 + stream.below(24) * 16;
  if (chance < 26) return DATA_BASE + 0x200 + stream.below(384);
  if (chance === 26) return DATA_BASE + 0x1000 - 1 - stream.below(span);
  if (chance === 27) return DATA_BASE + READ_ONLY - 1 - stream.below(span);
  if (chance === 28) return DATA_BASE + READ_ONLY + 64;
  if (chance === 29) return DATA_BASE + 0x3000 - 1 - stream.below(span);
  if (chance === 30) return DATA_BASE + 0x3000 + stream.below(64);
  return DATA_BASE - 1 - stream.below(span);
}

class CaseMaker {
  readonly bytes = new Uint8Array(CASE_BYTES);
  readonly view = new DataView(this.bytes.buffer);
  readonly #stream: Stream;
  readonly #bitness: Bitness;
  #pieces = 0;

  constructor(seed: number, stream: Stream, bitness: Bitness) {
    expandState(seed, this.bytes);
    this.#stream = stream;
    this.#bitness = bitness;
    // What 32-bit code does not have stays zero.
    if (bitness === 64) return;
    for (let register = 0; register < 8; register++) this.view.setUint32(STATE.gpr + register * 8 + 4, 0, true);
    this.bytes.fill(0, STATE.gpr + 64, STATE.gpr + 128);
    this.bytes.fill(0, STATE.xmm + 128, STATE.xmm + 256);
  }

  register(index: number): bigint {
    return this.view.getBigUint64(STATE.gpr + index * 8, true);
  }
  setRegister(index: number, value: bigint): void {
    this.view.setBigUint64(STATE.gpr + index * 8, BigInt.asUintN(this.#bitness, value), true);
  }
  /** The seed's bytes at an address of the data. */
  place(address: number): void {
    const offset = address - DATA_BASE;
    if (offset < 0 || offset >= READ_ONLY || this.#pieces === 2) return;
    this.view.setUint32(STATE.bytes + this.#pieces++ * PIECE.size, offset, true);
    this.bytes[STATE.pieces] = this.#pieces;
  }
  get pieceAt(): number {
    return this.#pieces === 0 ? -1 : STATE.bytes + (this.#pieces - 1) * PIECE.size + PIECE.bytes;
  }
  /** A word at an address of the data. */
  poke(address: number, value: number): void {
    this.place(address);
    if (this.pieceAt >= 0) this.view.setBigUint64(this.pieceAt, BigInt(value), true);
  }

  /** Sets registers or the displacement so that the operand lies at `target`. */
  point(found: Decoded, code: Uint8Array, target: bigint): boolean {
    const { instruction } = found;
    const { memoryBase: base, memoryIndex: index, memorySegment: segment } = instruction;
    let offset = target;
    if (segment === Register.FS) offset -= BigInt(FS_BASE);
    if (segment === Register.GS && this.#bitness === 64) offset -= BigInt(GS_BASE);
    /** False: out of reach. */
    const patch = (value: bigint): boolean => {
      const view = new DataView(code.buffer);
      if (found.displacementSize === 8) view.setBigUint64(found.displacementAt, BigInt.asUintN(64, value), true);
      else if (this.#bitness === 64 && BigInt.asIntN(32, value) !== value) return false;
      else if (found.displacementSize === 4) view.setInt32(found.displacementAt, Number(BigInt.asIntN(32, value)), true);
      return true;
    };
    if (base === Register.RIP || base === Register.EIP) return patch(offset - BigInt(DEFAULT_RIP) - BigInt(found.length));
    if (base === Register.None && index === Register.None) return patch(offset);
    {
      if (RegisterExt.size(base === Register.None ? index : base) === 2) return true;
      const scale = BigInt(instruction.memoryIndexScale);
      const displacement = BigInt.asIntN(64, instruction.memoryDisplacement);
      const indexed = index === Register.None ? 0n : this.register(RegisterExt.number(index)) * scale;
      if (base === Register.None) return patch(offset - indexed);
      if (base === index) {
        // It would lie anywhere.
        if (scale !== 1n) return false;
        this.setRegister(RegisterExt.number(base), (offset - displacement) >> 1n);
      } else this.setRegister(RegisterExt.number(base), offset - displacement - indexed);
    }
    return true;
  }

  checkAlignment(): void {
    this.view.setUint32(STATE.flags, this.view.getUint32(STATE.flags, true) | 0x40000, true);
  }

  finish(seed: number, code: Uint8Array, length: number, rip: number): OracleCase {
    this.view.setUint32(STATE.rip, rip, true);
    this.bytes[STATE.codeLength] = length;
    this.bytes.set(code.subarray(0, length), STATE.code);
    return { seed, bytes: this.bytes };
  }

  stack(): void {
    const { below } = { below: (limit: number) => this.#stream.below(limit) };
    const chance = below(24);
    if (chance === 0) this.setRegister(RSP, BigInt(DATA_BASE + below(12)));
    else if (chance === 1) this.setRegister(RSP, BigInt(DATA_BASE + 0x3000 - below(12)));
    else if (chance === 2) this.setRegister(RSP, BigInt(DATA_BASE + 0x1000 - 6 + below(12)));
    else if (chance === 3) this.setRegister(RSP, BigInt(DATA_BASE + READ_ONLY + below(12)));
    else if (chance === 4 && this.#bitness === 64) this.setRegister(RSP, below(2) === 0 ? 0x8000000000000004n : 0x800000000000n + BigInt(below(12)));
    else if (chance === 5) this.setRegister(RSP, this.register(RSP) + BigInt(below(8)));
  }
}

const codeTarget = (stream: Stream, bitness: Bitness): number =>
  stream.below(12) === 0 ? stream.pick([0, 0x1000, 0x30000000, 0x7fffffff, 0x80000000, 0xffffffff, ...(bitness === 64 ? [0x800000000000] : [])])
  : CODE_BASE + stream.pick([0x40, 0x200, 0x1000, 0x1fff, 0xfff, 0x900]);

const STRINGS = /^(Movs|Cmps|Stos|Lods|Scas)[bwdq]$/;
const STACK = /^(Push|Pop|Call|Ret|Enter|Leave)/;
/** What they find depends on the tables: they get selectors whose descriptors are known. */
const SELECTOR_READERS: ReadonlySet<string> = new Set(['Lar', 'Lsl', 'Verr', 'Verw']);
const CODE_READERS: ReadonlySet<string> = new Set(['Jmp', 'Call', 'Ret']);

/** A known selector in the register, the memory or on the stack. False: it would be another. */
function segmentLoad(maker: CaseMaker, { instruction, mnemonic }: Decoded, stream: Stream, operand: number): boolean {
  const selector = stream.pick(SELECTORS);
  if (mnemonic === 'Pop') {
    const top = Number(maker.register(RSP));
    if (top >= DATA_BASE + READ_ONLY - 4) return top >= DATA_BASE + 0x3000;
    maker.poke(top, selector | (stream.next() & 0x7fff0000));
    return true;
  }
  if (operand < 0) {
    const register = RegisterExt.number(instruction.op1Register);
    maker.setRegister(register, (maker.register(register) & ~0xffffn) | BigInt(selector));
    return true;
  }
  const offset = mnemonic === 'Mov' ? 0 : MemorySizeExt.size(instruction.memorySize) - 2;
  if (maker.pieceAt < 0 || operand + offset + 2 > DATA_BASE + READ_ONLY) return operand >= DATA_BASE + 0x3000;
  maker.view.setUint16(maker.pieceAt + offset, selector, true);
  return true;
}

/** A target in one of the code segments, mostly. False: it would be another. */
function farTransfer(maker: CaseMaker, found: Decoded, code: Uint8Array, stream: Stream, bitness: Bitness, operand: number): boolean {
  const { instruction, mnemonic } = found, { flat, narrow, local, wide } = CODE_SELECTORS;
  const known = bitness === 64 ? [flat, narrow, local, wide] : [flat, narrow, local];
  const selector = stream.below(4) !== 0 ? stream.pick(known) : stream.pick(SELECTORS);
  // Outside IA-32e mode the 64-bit segment is one of 16 bits.
  if (bitness === 32 && selector >> 3 === wide >> 3) return false;
  const target = codeTarget(stream, 32);
  const isBased = selector >> 2 === narrow >> 2 || selector >> 2 === local >> 2;
  const offset = BigInt(isBased && target >= CODE_BASE ? target - CODE_BASE : target);
  const store = (view: DataView, at: number, size: number): void => {
    if (size === 2) view.setUint16(at, Number(offset & 0xffffn), true);
    else if (size === 4) view.setUint32(at, Number(offset), true);
    else view.setBigUint64(at, offset, true);
    view.setUint16(at + size, selector, true);
  };
  if (mnemonic === 'Jmp' || mnemonic === 'Call') {
    const size = operand < 0 ? found.displacementSize : MemorySizeExt.size(instruction.memorySize) - 2;
    if (operand < 0) store(new DataView(code.buffer), found.displacementAt, size);
    else if (maker.pieceAt >= 0 && operand + size + 2 <= DATA_BASE + READ_ONLY) store(maker.view, maker.pieceAt, size);
    else return operand >= DATA_BASE + 0x3000;
    return true;
  }
  const top = Number(maker.register(RSP)), size = instruction.stackPointerIncrement - (instruction.opCount === 0 ? 0 : instruction.immediate16);
  const word = mnemonic === 'Retf' ? size / 2 : size / 3;
  if (top < DATA_BASE || top + size > DATA_BASE + READ_ONLY) return top >= DATA_BASE + 0x3000;
  maker.place(top);
  if (maker.pieceAt < 0 || ![2, 4, 8].includes(word)) return false;
  store(maker.view, maker.pieceAt, word);
  // The selector's place and the flags' (no TF, AC or NT).
  if (word === 2) maker.view.setUint16(maker.pieceAt + word, selector, true);
  else maker.view.setUint32(maker.pieceAt + word, selector | (stream.next() & 0x7fff0000), true);
  if (mnemonic !== 'Retf') {
    const flags = (stream.next() & 0x208ed5) | 2;
    if (word === 2) maker.view.setUint16(maker.pieceAt + 4, flags & 0xffff, true);
    else maker.view.setUint32(maker.pieceAt + 8, flags, true);
  }
  return true;
}

/** Components that every processor has, x87 and SSE, and a header that is valid, mostly. False: EAX is needed for the address. */
function extendedState(maker: CaseMaker, { instruction }: Decoded, stream: Stream, operand: number): boolean {
  const busy = [instruction.memoryBase, instruction.memoryIndex].map((register) => (register === Register.None ? -1 : RegisterExt.number(register)));
  // With other components in EAX the image would be the host's own.
  if (busy.includes(RAX)) return false;
  maker.setRegister(RAX, BigInt(stream.below(4)));
  if (maker.pieceAt >= 0) maker.view.setUint32(maker.pieceAt + 24, stream.below(8) === 0 ? stream.next() : stream.below(0x10000), true);
  maker.place(operand + 512);
  if (maker.pieceAt < 0) return true;
  const wrong = stream.below(10) === 0 ? stream.below(24) : -1;
  for (let at = 0; at < 64; at++) maker.view.setUint8(maker.pieceAt + at, at === 0 ? stream.below(4) : at === wrong ? 0x40 : 0);
  return true;
}

/** False: the operand would lie anywhere. Values that make an instruction do something: quotients that fit, counts that end, equal comparands, targets in code. */
function adjust(maker: CaseMaker, found: Decoded, code: Uint8Array, stream: Stream, bitness: Bitness, operand: number): boolean {
  const { mnemonic, instruction } = found;
  const isRegisterForm = operand < 0;
  if (STACK.test(mnemonic)) maker.stack();
  const { memoryBase: base } = instruction;
  if (/^(I?div|Cmpxchg.*)$/i.test(mnemonic)) {
    const busy = [base, instruction.memoryIndex].map((register) => (register === Register.None ? -1 : RegisterExt.number(register)));
    if (!isRegisterForm && (busy.includes(RAX) || busy.includes(RDX))) return true;
  }
  if (/^I?div$/i.test(mnemonic)) {
    if (stream.below(3) === 0) maker.setRegister(RDX, stream.pick([0n, 1n, -1n]));
    if (stream.below(3) === 0) maker.setRegister(RDX, BigInt.asIntN(bitness, maker.register(RAX)) < 0n ? -1n : 0n);
    if (stream.below(4) === 0) maker.setRegister(RAX, BigInt(stream.below(0x8000)));
  } else if (/^(Rol|Ror|Rcl|Rcr|Shl|Shr|Sal|Sar|Shld|Shrd|Bextr|Bzhi|Shlx|Shrx|Sarx)$/.test(mnemonic)) {
    if (stream.below(2) === 0) maker.setRegister(RCX, (maker.register(RCX) & ~0xffn) | BigInt(stream.below(70)));
  } else if (/^(Loop|Loope|Loopne|Jcxz|Jecxz|Jrcxz)$/.test(mnemonic)) {
    maker.setRegister(RCX, stream.pick([0n, 1n, 2n, 0x10000n, 0xffffn, 0xffffffffn, 0x100000000n, 0x100000001n, -1n]));
  } else if (mnemonic.startsWith('Cmpxchg') && !isRegisterForm && maker.pieceAt >= 0 && stream.below(2) === 0) {
    const wide = mnemonic === 'Cmpxchg16b', at = maker.pieceAt;
    const part = (offset: number): bigint => (wide || mnemonic === 'Cmpxchg' ? maker.view.getBigUint64(at + offset, true) : BigInt(maker.view.getUint32(at + offset, true)));
    maker.setRegister(RAX, part(0));
    if (mnemonic !== 'Cmpxchg') maker.setRegister(RDX, part(wide ? 8 : 4));
  } else if (/^Bt[csr]?$/.test(mnemonic) && !isRegisterForm && instruction.op1Kind === OpKind.Register) {
    const register = instruction.op1Register;
    if (RegisterExt.fullRegister(register) !== RegisterExt.fullRegister(instruction.memoryBase) && RegisterExt.fullRegister(register) !== RegisterExt.fullRegister(instruction.memoryIndex)) {
      maker.setRegister(RegisterExt.number(register), BigInt(stream.below(8) === 0 ? stream.below(0x40000) - 0x20000 : stream.below(0x2000) - 0x1000));
    } else return false;
  } else if (STRINGS.test(mnemonic) && instruction.isStringInstruction) {
    maker.setRegister(RSI, BigInt(operandPlace(stream, 8)));
    maker.setRegister(RDI, BigInt(operandPlace(stream, 8)));
    if (instruction.hasRepPrefix || instruction.hasRepnePrefix) maker.setRegister(RCX, BigInt(stream.below(stream.below(4) === 0 ? 40 : 6)));
    maker.place(Number(maker.register(RDI)));
    maker.place(Number(maker.register(RSI)));
  } else if (mnemonic === 'Xlatb') maker.setRegister(RBX, BigInt(DATA_BASE + 0x200));
  else if (mnemonic.startsWith('Maskmov')) maker.setRegister(RDI, BigInt(DATA_BASE + stream.pick([0x200, 0x211, 0x300, READ_ONLY + 64, 0x4000])));
  else if (mnemonic === 'Leave' || mnemonic === 'Enter') maker.setRegister(RBP, BigInt(operandPlace(stream, 8)));
  else if (mnemonic === 'Fxrstor' || mnemonic === 'Fxrstor64') {
    if (maker.pieceAt >= 0 && stream.below(8) !== 0) maker.view.setUint32(maker.pieceAt + 24, stream.below(0x10000), true);
  }
  else if (/^X(save|rstor)(64)?$/.test(mnemonic)) {
    if (!extendedState(maker, found, stream, operand)) return false;
  }
  else if (mnemonic === 'Popfd' || mnemonic === 'Popfq' || mnemonic === 'Popf') {
    // AC and TF would reach into the next instruction.
    const top = Number(maker.register(RSP));
    maker.poke(top, stream.next() & 0x200ed5);
  }
  if (SELECTOR_READERS.has(mnemonic)) {
    const selector = stream.pick(SELECTORS), operandIndex = mnemonic.startsWith('V') ? 0 : 1;
    if (isRegisterForm) {
      const register = RegisterExt.number(instruction.opRegister(operandIndex));
      maker.setRegister(register, (maker.register(register) & ~0xffffn) | BigInt(selector));
    } else if (maker.pieceAt >= 0) maker.view.setUint16(maker.pieceAt, selector, true);
    // What stands in the read-only page is no selector of these.
    else if (operand >= DATA_BASE + READ_ONLY && operand < DATA_BASE + 0x3000) return false;
  }
  if (loadsSegment(instruction, mnemonic) && !segmentLoad(maker, found, stream, operand)) return false;
  if (isFar(instruction, mnemonic)) return farTransfer(maker, found, code, stream, bitness, operand);
  if (CODE_READERS.has(mnemonic)) {
    const target = codeTarget(stream, bitness);
    if (mnemonic === 'Ret') maker.poke(Number(maker.register(RSP)), target);
    else if (instruction.flowControl === FlowControl.IndirectBranch || instruction.flowControl === FlowControl.IndirectCall) {
      if (isRegisterForm) maker.setRegister(RegisterExt.number(instruction.op0Register), BigInt(target));
      else if (maker.pieceAt >= 0) maker.view.setBigUint64(maker.pieceAt, BigInt(target), true);
    }
  }
  const near = instruction.flowControl === FlowControl.ConditionalBranch || instruction.flowControl === FlowControl.UnconditionalBranch || instruction.flowControl === FlowControl.Call;
  if (near && found.displacementAt >= 0 && found.displacementSize === 4) {
    // Into the code, or forward to where nothing is mapped.
    const by = stream.below(6) !== 0 ? stream.pick([0x20, 0x345, 0x7f, -0x90, -0x200, 0x6ff]) : stream.next() & 0x7ffffff;
    new DataView(code.buffer).setInt32(found.displacementAt, by, true);
  }
  return true;
}

function makeCase(target: Target, seed: number, stream: Stream, bitness: Bitness, options: GenerateOptions): OracleCase | null {
  const modRm = stream.pick(target.modRms);
  // Keep the form, choose base and index registers anew.
  const rm = modRm >= 0xc0 || stream.below(2) === 0 ? modRm : (modRm & 0x38) | stream.pick([0, 0x40, 0x80]) | stream.below(8);
  const isX87 = target.slot.map === 0 && (target.slot.opcode & 0xf8) === 0xd8;
  const shown = modRm >= 0xc0 && !isX87 && !target.isUndefined && stream.below(2) === 0 ? (modRm & 0xf8) | stream.below(8) : rm;
  const code = bytesOf(target.slot, shown, stream, bitness, target.isUndefined);
  let found = decode(code, bitness, DEFAULT_RIP);
  try {
    const { slot } = target;
    if (!isComparable(found.instruction, found.mnemonic, bitness, found.valid, [slot.map, slot.opcode, shown, slot.prefix])) return null;
    const maker = new CaseMaker(seed, stream, bitness);
    const size = memorySize(found.instruction);
    let operand = -1;
    if (found.valid && size >= 0) {
      operand = operandPlace(stream, size);
      maker.place(operand);
      const high = bitness === 64 && stream.below(4) === 0;
      const strange = bitness === 64 && stream.below(40) === 0;
      const linear = strange ? stream.pick([0x6fff00000ff8n, 0x800000000000n, -0x900000000004n, 0x4000000000000000n]) : BigInt(operand) + (high ? BigInt(HIGH_BASE - DATA_BASE) : 0n);
      if (!maker.point(found, code, linear)) return null;
    }
    // Alignment checks: the host's kernel has CR0.AM set.
    if (found.valid && options.alignment && stream.below(8) === 0) maker.checkAlignment();
    if (found.valid && !adjust(maker, found, code, stream, bitness, operand)) return null;
    const length = found.valid ? found.length : 15;
    found.free();
    found = decode(code, bitness, DEFAULT_RIP);
    let rip = DEFAULT_RIP;
    const moves = found.instruction.flowControl === FlowControl.Next && !found.instruction.isIpRelMemoryOperand;
    if (found.valid && moves && stream.below(24) === 0) rip = CODE_BASE + (stream.below(3) === 0 ? CODE_BYTES : 0x1000) - 1 - stream.below(length);
    const branches = found.instruction.flowControl;
    if (branches === FlowControl.ConditionalBranch || branches === FlowControl.UnconditionalBranch || branches === FlowControl.Call) {
      const to = Number(found.instruction.nearBranchTarget);
      if ((to >= rip - 1 && to < rip + length) || to >= 2 ** 47) return null;
    }
    // Bytes beyond the code's end are not there.
    if (rip + length > CODE_BASE + CODE_BYTES) return maker.finish(seed, code, CODE_BASE + CODE_BYTES - rip, rip);
    return maker.finish(seed, code, length, rip);
  } finally {
    found.free();
  }
}

export interface GenerateOptions {
  readonly seed: number;
  readonly count: number;
  readonly bitness: Bitness;
  /** Set EFLAGS.AC in some. */
  readonly alignment?: boolean;
  /** Only instructions whose mnemonic matches. */
  readonly only?: RegExp;
  /** Features that the processor lacks. */
  readonly skip: ReadonlySet<keyof typeof CpuidFeature>;
}

/** At least `count` cases, the same for the same seed: every target in turn. */
export function generate(options: GenerateOptions): OracleCase[] {
  const { bitness, only } = options;
  const targets = targetsOf(bitness, options.skip).filter(({ name }) => only === undefined || only.test(name));
  if (targets.length === 0) return [];
  const stream = new Stream(options.seed * 0x9e3779b1 + bitness);
  const cases: OracleCase[] = [];
  let seed = (options.seed * 0x01000193) >>> 1 & 0x3fffffff;
  for (let round = 0; cases.length < options.count && round < options.count; round++) {
    for (const target of targets) {
      if (target.isUndefined && (round & 15) !== 0) continue;
      const made = makeCase(target, seed + 1, stream, bitness, options);
      if (made === null) continue;
      seed++;
      cases.push(made);
    }
  }
  return cases;
}
