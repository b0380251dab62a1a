// SSE4.2 string comparisons (SDM 2B 4.1, PCMPESTRI and its kin).
import type { Cpu } from '../cpu.ts';
import { FIELD, FLAG, RAX, RCX, RDX } from '../state/layout.ts';
import type { HelperBody } from '../system/helpers.ts';
import type { Operands } from '../system/operands.ts';
import { destination, readRegister, readSource, requireSse, type Words, writeRegister } from './operands.ts';

/** Elements of 16 bytes by imm8 bits 0 and 1: unsigned or signed, bytes or words. */
function elements(words: Words, control: number): number[] {
  const isWord = (control & 1) !== 0, isSigned = (control & 2) !== 0;
  const bits = isWord ? 16 : 8, count = isWord ? 8 : 16, mask = isWord ? 0xffff : 0xff;
  return Array.from({ length: count }, (_, index) => {
    const value = (words[(index * bits) >> 5] >>> ((index * bits) & 31)) & mask;
    return isSigned ? (value << (32 - bits)) >> (32 - bits) : value;
  });
}
/** Up to the first element that is zero. */
const implicitLength = (list: readonly number[]): number => {
  const end = list.indexOf(0);
  return end < 0 ? list.length : end;
};
/** EAX or EDX, RAX or RDX with REX.W: its magnitude, at most all elements. */
function explicitLength(cpu: Cpu, register: number, isWide: boolean, most: number): number {
  const low = cpu.get32(register * 8) | 0, high = cpu.get32(register * 8 + 4) | 0;
  const value = isWide ? high * 2 ** 32 + (low >>> 0) : low;
  return Math.min(Math.abs(value), most);
}

/** SDM 2B table 4-7: what a comparison counts as when an element lies behind the end of its string. */
function overridden(equal: boolean, aValid: boolean, bValid: boolean, aggregation: number): boolean {
  if (aValid && bValid) return equal;
  if (aggregation === 2) return !aValid && !bValid;
  if (aggregation === 3) return !aValid;
  return false;
}

/** The intermediate result 1: bit i for element i of the second string. */
function aggregate(a: readonly number[], b: readonly number[], aLength: number, bLength: number, aggregation: number): number {
  const count = a.length;
  let result = 0;
  for (let j = 0; j < count; j++) {
    let holds = aggregation >= 2;
    if (aggregation === 0) {
      for (let i = 0; i < count; i++) holds ||= i < aLength && j < bLength && a[i] === b[j];
    } else if (aggregation === 1) {
      for (let i = 0; i + 1 < count; i += 2) holds ||= i + 1 < aLength && j < bLength && b[j] >= a[i] && b[j] <= a[i + 1];
    } else if (aggregation === 2) holds = overridden(a[j] === b[j], j < aLength, j < bLength, 2);
    else {
      for (let i = 0; i < count - j; i++) holds &&= overridden(a[i] === b[i + j], i < aLength, i + j < bLength, 3);
    }
    if (holds) result |= 1 << j;
  }
  return result;
}

/** imm8 bits 4 and 5: negate, all or where the second string is valid. */
function polarised(result: number, control: number, bLength: number, count: number): number {
  const all = (1 << count) - 1;
  if ((control & 0x10) === 0) return result;
  return result ^ ((control & 0x20) === 0 ? all : (1 << bLength) - 1);
}

function comparing(isExplicit: boolean, give: (cpu: Cpu, o: Operands, result: number, control: number, count: number) => void): HelperBody {
  return (cpu, o) => {
    requireSse(cpu);
    const second = readSource(cpu, o, false);
    const control = o.imm & 0xff;
    const a = elements(readRegister(cpu, destination(o)), control), b = elements(second, control), count = a.length;
    const isWide = o.specification.size === 64;
    const aLength = isExplicit ? explicitLength(cpu, RAX, isWide, count) : implicitLength(a);
    const bLength = isExplicit ? explicitLength(cpu, RDX, isWide, count) : implicitLength(b);
    const result = polarised(aggregate(a, b, aLength, bLength, (control >> 2) & 3), control, bLength, count);
    give(cpu, o, result, control, count);
    cpu.setArithmeticFlags(
      (result !== 0 ? FLAG.CF : 0) | (bLength < count ? FLAG.ZF : 0) | (aLength < count ? FLAG.SF : 0) | (result & 1 ? FLAG.OF : 0),
    );
  };
}

/** The index of the lowest or highest bit, or the number of elements. */
function giveIndex(cpu: Cpu, _o: Operands, result: number, control: number, count: number): void {
  const index = result === 0 ? count : (control & 0x40) !== 0 ? 31 - Math.clz32(result) : 31 - Math.clz32(result & -result);
  cpu.setReg32(RCX, index);
}
/** The bits themselves, or an element of ones for each, in XMM0. */
function giveMask(cpu: Cpu, _o: Operands, result: number, control: number, count: number): void {
  if ((control & 0x40) === 0) {
    writeRegister(cpu, FIELD.xmm, [result, 0, 0, 0]);
    return;
  }
  const words = [0, 0, 0, 0], bits = 128 / count, ones = bits === 16 ? 0xffff : 0xff;
  for (let index = 0; index < count; index++) if ((result >> index) & 1) words[(index * bits) >> 5] |= ones << ((index * bits) & 31);
  writeRegister(cpu, FIELD.xmm, words);
}

export const stringHelpers: Readonly<Record<string, HelperBody>> = {
  pcmpestri: comparing(true, giveIndex),
  pcmpestrm: comparing(true, giveMask),
  pcmpistri: comparing(false, giveIndex),
  pcmpistrm: comparing(false, giveMask),
};
