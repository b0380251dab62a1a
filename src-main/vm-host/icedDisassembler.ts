// Instruction text by iced-x86, in NASM's way: `mov eax,[ebp+8]`, numbers as `12h`.
import * as iced from 'iced-x86';
import type { Disassembler, InstructionText, TextKind } from '../../core/host/disassembler.ts';

type Symbolize = Parameters<Disassembler['decode']>[3];
type Part = InstructionText['parts'][number];

const {
  Code,
  Decoder,
  DecoderOptions,
  FlowControl,
  Formatter,
  FormatterSyntax,
  FormatMnemonicOptions,
  Instruction,
  InstructionInfoFactory,
  MemorySizeExt,
  Mnemonic,
  OpAccess,
  OpKind,
  Register,
  RegisterExt,
} = iced;

const MAX_LENGTH = 15;
/** Numbers below this are sizes and counts, not addresses. */
const SMALLEST_ADDRESS = 0x1000n;
const WORDS = /[0-9][0-9A-Fa-f]*h\b|[0-9]+\b|[A-Za-z_][A-Za-z0-9_]*|\s+|[^A-Za-z0-9_\s]/g;
const KEYWORDS = new Set(
  'byte word dword fword qword tbyte tword oword yword zword ptr short near far rel abs to nosplit bnd strict'.split(
    ' ',
  ),
);
const ARITHMETIC: ReadonlySet<iced.Mnemonic> = new Set([
  Mnemonic.Add,
  Mnemonic.Adc,
  Mnemonic.Sub,
  Mnemonic.Sbb,
  Mnemonic.Cmp,
  Mnemonic.Imul,
  Mnemonic.Push,
]);
const FLOWS: Readonly<Record<number, InstructionText['flow']>> = {
  [FlowControl.Next]: 'next',
  [FlowControl.UnconditionalBranch]: 'branch',
  [FlowControl.IndirectBranch]: 'indirect',
  [FlowControl.ConditionalBranch]: 'conditional',
  [FlowControl.Return]: 'return',
  [FlowControl.Call]: 'call',
  [FlowControl.IndirectCall]: 'indirect-call',
  [FlowControl.Interrupt]: 'interrupt',
  [FlowControl.XbeginXabortXend]: 'next',
  [FlowControl.Exception]: 'next',
};

/** Register numbers to names in lower case, read off the enumeration once. */
const registerNames = new Map<number, string>(
  Object.entries(Register).flatMap(([name, value]) =>
    typeof value === 'number' && name !== 'None' ? [[value, name.toLowerCase()] as const] : [],
  ),
);
const registerWords = new Set(registerNames.values());
const nameOf = (register: iced.Register): string | null =>
  register === Register.None ? null : (registerNames.get(register) ?? null);

const reads = (access: iced.OpAccess): boolean =>
  access === OpAccess.Read ||
  access === OpAccess.CondRead ||
  access === OpAccess.ReadWrite ||
  access === OpAccess.ReadCondWrite;
const writes = (access: iced.OpAccess): boolean =>
  access === OpAccess.Write ||
  access === OpAccess.CondWrite ||
  access === OpAccess.ReadWrite ||
  access === OpAccess.ReadCondWrite;

/** What WebAssembly memory holds is given back when the block ends. */
function using<T extends { free(): void }, R>(object: T, use: (object: T) => R): R {
  try {
    return use(object);
  } finally {
    object.free();
  }
}

export function createIcedDisassembler(): Disassembler {
  const formatter = new Formatter(FormatterSyntax.Nasm);
  formatter.hexSuffix = 'h';
  formatter.hexPrefix = '';
  formatter.uppercaseHex = false;
  formatter.spaceAfterOperandSeparator = false;
  formatter.spaceBetweenMemoryAddOperators = false;
  formatter.showBranchSize = false;
  formatter.branchLeadingZeros = false;
  formatter.ripRelativeAddresses = false;
  const information = new InstructionInfoFactory();
  const instruction = new Instruction();

  return {
    decode(bytes, address, bits, symbol) {
      const available = bytes.subarray(0, MAX_LENGTH);
      if (available.length === 0) return invalid(1);
      return using(new Decoder(bits, available, DecoderOptions.None), (decoder) => {
        decoder.ip = BigInt.asUintN(bits, address);
        decoder.decodeOut(instruction);
        if (instruction.code === Code.INVALID) return invalid(1);
        return describe(instruction, formatter, information, bits, symbol);
      });
    },
  };
}

function invalid(length: number): InstructionText {
  return {
    length,
    mnemonic: '(bad)',
    parts: [{ text: '(bad)', kind: 'text' }],
    flow: 'invalid',
    target: null,
    registersRead: [],
    registersWritten: [],
    memory: [],
  };
}

function describe(
  instruction: iced.Instruction,
  formatter: iced.Formatter,
  information: iced.InstructionInfoFactory,
  bits: 16 | 32 | 64,
  symbol: Symbolize,
): InstructionText {
  const mnemonic = formatter.formatMnemonicOptions(instruction, FormatMnemonicOptions.NoPrefixes).toLowerCase();
  const target = directTarget(instruction);
  const used = using(information.info(instruction), (info) => usedBy(info, instruction, bits));
  return {
    length: instruction.length,
    mnemonic,
    parts: partsOf(instruction, formatter, bits, symbol),
    flow: FLOWS[instruction.flowControl] ?? 'next',
    target,
    ...used,
  };
}

const isNearBranch = (kind: iced.OpKind): boolean =>
  kind === OpKind.NearBranch16 || kind === OpKind.NearBranch32 || kind === OpKind.NearBranch64;
const isFarBranch = (kind: iced.OpKind): boolean => kind === OpKind.FarBranch16 || kind === OpKind.FarBranch32;

/** A far target lies in another segment: nobody can say where. */
function directTarget(instruction: iced.Instruction): bigint | null {
  return instruction.opCount > 0 && isNearBranch(instruction.opKind(0)) ? instruction.nearBranchTarget : null;
}

function usedBy(
  info: iced.InstructionInfo,
  instruction: iced.Instruction,
  bits: 16 | 32 | 64,
): Pick<InstructionText, 'registersRead' | 'registersWritten' | 'memory'> {
  const registersRead = new Set<string>(),
    registersWritten = new Set<string>();
  for (const used of info.usedRegisters() as iced.UsedRegister[]) {
    const { register, access } = used;
    used.free();
    const name = nameOf(register);
    if (name === null) continue;
    if (reads(access)) registersRead.add(name);
    if (writes(access)) registersWritten.add(name);
  }
  const memory: InstructionText['memory'][number][] = [];
  for (const used of info.usedMemory() as iced.UsedMemory[]) {
    const { access, memorySize } = used;
    const base = nameOf(used.base),
      index = nameOf(used.index);
    const width = used.base === Register.None ? used.index : used.base;
    memory.push({
      segment: nameOf(used.segment) ?? 'ds',
      base,
      index,
      scale: used.scale,
      displacement: displacementOf(used.displacement, width, bits),
      // Strings under REP are of unknown length: what counts is the next element.
      size: MemorySizeExt.size(memorySize) || MemorySizeExt.size(instruction.memorySize),
      write: writes(access),
    });
    used.free();
  }
  if (instruction.mnemonic === Mnemonic.Lea) memory.push(loadedAddress(instruction, bits));
  return { registersRead: [...registersRead], registersWritten: [...registersWritten], memory };
}

/** LEA reads no memory; its operand is shown all the same. */
function loadedAddress(instruction: iced.Instruction, bits: 16 | 32 | 64): InstructionText['memory'][number] {
  const ipRelative = instruction.isIpRelMemoryOperand;
  const width = instruction.memoryBase === Register.None ? instruction.memoryIndex : instruction.memoryBase;
  return {
    segment: nameOf(instruction.memorySegment) ?? 'ds',
    base: ipRelative ? null : nameOf(instruction.memoryBase),
    index: nameOf(instruction.memoryIndex),
    scale: instruction.memoryIndexScale,
    displacement: ipRelative
      ? instruction.ipRelMemoryAddress
      : displacementOf(instruction.memoryDisplacement, width, bits),
    size: 0,
    write: false,
  };
}

/** Displacements come modulo the address size; beside a register they are signed. */
function displacementOf(displacement: bigint, register: iced.Register, bits: 16 | 32 | 64): bigint {
  if (register === Register.None) return BigInt.asUintN(bits, displacement);
  return BigInt.asIntN(RegisterExt.size(register) * 8, displacement);
}

function partsOf(
  instruction: iced.Instruction,
  formatter: iced.Formatter,
  bits: 16 | 32 | 64,
  symbol: Symbolize,
): Part[] {
  const parts: Part[] = [];
  const prefixes = formatter.formatMnemonicOptions(instruction, FormatMnemonicOptions.NoMnemonic).trim();
  for (const prefix of prefixes.split(/\s+/))
    if (prefix !== '') parts.push({ text: prefix, kind: 'prefix' }, { text: ' ', kind: 'text' });
  parts.push({
    text: formatter.formatMnemonicOptions(instruction, FormatMnemonicOptions.NoPrefixes),
    kind: 'mnemonic',
  });
  const count = formatter.operandCount(instruction);
  for (let operand = 0; operand < count; operand++) {
    parts.push(operand === 0 ? { text: ' ', kind: 'text' } : { text: ',', kind: 'punctuation' });
    parts.push(...operandParts(instruction, formatter, operand, bits, symbol));
  }
  return parts;
}

function operandParts(
  instruction: iced.Instruction,
  formatter: iced.Formatter,
  operand: number,
  bits: 16 | 32 | 64,
  symbol: Symbolize,
): Part[] {
  const index = formatter.getInstructionOperand(instruction, operand);
  formatter.signedImmediateOperands = index !== undefined && isSignedByte(instruction, index);
  const text = formatter.formatOperand(instruction, operand);
  if (index === undefined) return wordsOf(text, null, null);
  const kind = instruction.opKind(index);
  if (isNearBranch(kind)) {
    const address = instruction.nearBranchTarget;
    const name = symbolPart(symbol, address, true);
    return name === null ? [{ text: `${address.toString(16)}h`, kind: 'address' }] : [name];
  }
  if (isFarBranch(kind)) return wordsOf(text, null, null);
  const address = namedAddress(instruction, index, kind, bits);
  const name = address === null ? null : symbolPart(symbol, address, kind === OpKind.Memory);
  return wordsOf(text, address, name, bits);
}

/** `add esp,-10h`, but `and esp,0fffffff0h`. */
function isSignedByte(instruction: iced.Instruction, operand: number): boolean {
  const kind = instruction.opKind(operand);
  const extended = kind === OpKind.Immediate8to16 || kind === OpKind.Immediate8to32 || kind === OpKind.Immediate8to64;
  return extended && ARITHMETIC.has(instruction.mnemonic);
}

/** A displacement without a base, or an immediate that may be an address. */
function namedAddress(
  instruction: iced.Instruction,
  operand: number,
  kind: iced.OpKind,
  bits: 16 | 32 | 64,
): bigint | null {
  if (kind === OpKind.Memory) {
    if (instruction.isIpRelMemoryOperand) return instruction.ipRelMemoryAddress;
    const { memoryDisplacement: displacement } = instruction;
    if (instruction.memoryBase !== Register.None && displacement < 0x10000n) return null;
    return displacement >= SMALLEST_ADDRESS ? BigInt.asUintN(bits, displacement) : null;
  }
  const wide = kind === OpKind.Immediate32 || kind === OpKind.Immediate64 || kind === OpKind.Immediate32to64;
  if (!wide) return null;
  const value = BigInt.asUintN(64, instruction.immediate(operand));
  return value >= 0x10000n ? value : null;
}

/** `within`: an address inside of what the symbol names counts too. */
function symbolPart(symbol: Symbolize, address: bigint, within: boolean): Part | null {
  const found = symbol(address);
  if (found === null || (!within && found.offset !== 0n)) return null;
  return { text: found.offset === 0n ? found.name : `${found.name}+${found.offset.toString(16)}h`, kind: 'symbol' };
}

/** Splits an operand's text into its kinds; the number that is `address` becomes `name`. */
function wordsOf(text: string, address: bigint | null, name: Part | null, bits = 32): Part[] {
  const parts: Part[] = [];
  for (const [word] of text.matchAll(WORDS)) {
    const kind = kindOf(word);
    const value = kind === 'number' && address !== null ? valueOf(word) : null;
    if (value !== null && value === address) parts.push(name ?? { text: word, kind: 'address' });
    else if (
      name !== null &&
      value !== null &&
      parts.at(-1)?.text === '-' &&
      BigInt.asUintN(bits, -value) === address
    ) {
      // `edx*4-7fefb000h` is meant as `edx*4+80105000h`.
      parts.pop();
      parts.push({ text: '+', kind: 'punctuation' }, name);
    } else parts.push({ text: word, kind });
  }
  return parts;
}

const valueOf = (word: string): bigint => (/h$/i.test(word) ? BigInt(`0x${word.slice(0, -1)}`) : BigInt(word));

function kindOf(word: string): TextKind {
  if (/^[0-9]/.test(word)) return 'number';
  if (/^\s/.test(word)) return 'text';
  const lower = word.toLowerCase();
  if (registerWords.has(lower) || /^st[0-7]?$/.test(lower)) return 'register';
  if (KEYWORDS.has(lower)) return 'keyword';
  return /^[A-Za-z_]/.test(word) ? 'text' : 'punctuation';
}
