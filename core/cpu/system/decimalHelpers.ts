// Decimal adjustment (SDM 2A AAA, AAD, AAM, AAS, DAA, DAS) and SALC.
//
// Where we depart from the manual: flags it leaves undefined follow silicon (OF is cleared but by AAD).
import type { Cpu } from '../cpu.ts';
import { raise, VECTOR } from './faults.ts';
import { FLAG, RAX } from '../state/layout.ts';
import type { HelperBody } from './helpers.ts';

const setAl = (cpu: Cpu, value: number): void => cpu.setReg16(RAX, (cpu.reg16(RAX) & 0xff00) | (value & 0xff));

/** Sets SF, ZF, PF from a byte, and the other flags as given. */
function setByteFlags(cpu: Cpu, value: number, others: number): void {
  const byte = value & 0xff;
  let parity = byte ^ (byte >> 4);
  parity = (0x6996 >> (parity & 15)) & 1;
  let flags = (cpu.eflags & ~(FLAG.CF | FLAG.PF | FLAG.AF | FLAG.ZF | FLAG.SF | FLAG.OF)) | others;
  if (byte === 0) flags |= FLAG.ZF;
  if (parity === 0) flags |= FLAG.PF;
  flags |= byte & 0x80;
  cpu.setArithmeticFlags(flags);
}

function adjustDecimal(cpu: Cpu, sign: 1 | -1): void {
  const before = cpu.reg16(RAX) & 0xff, flags = cpu.eflags;
  let al = before, out = 0;
  if ((al & 15) > 9 || (flags & FLAG.AF) !== 0) {
    al += 6 * sign;
    out |= FLAG.AF | (flags & FLAG.CF) | (al < 0 || al > 0xff ? FLAG.CF : 0);
  }
  if (before > 0x99 || (flags & FLAG.CF) !== 0) {
    al += 0x60 * sign;
    out |= FLAG.CF;
  } else if (sign === 1) out &= ~FLAG.CF;
  setAl(cpu, al);
  setByteFlags(cpu, al, out);
}

function adjustAscii(cpu: Cpu, sign: 1 | -1): void {
  const adjust = (cpu.reg16(RAX) & 15) > 9 || (cpu.eflags & FLAG.AF) !== 0;
  let ax = cpu.reg16(RAX);
  if (adjust) ax = (ax + sign * 0x106) & 0xffff;
  cpu.setReg16(RAX, ax & 0xff0f);
  setByteFlags(cpu, ax & 0x0f, adjust ? FLAG.CF | FLAG.AF : 0);
}

export const decimalHelpers: Readonly<Record<string, HelperBody>> = {
  decimalAdjustAdd: (cpu) => adjustDecimal(cpu, 1),
  decimalAdjustSubtract: (cpu) => adjustDecimal(cpu, -1),
  asciiAdjustAdd: (cpu) => adjustAscii(cpu, 1),
  asciiAdjustSubtract: (cpu) => adjustAscii(cpu, -1),
  asciiAdjustMultiply: (cpu, o) => {
    const base = o.imm & 0xff;
    if (base === 0) raise(VECTOR.DE);
    const al = cpu.reg16(RAX) & 0xff;
    cpu.setReg16(RAX, (Math.floor(al / base) << 8) | (al % base));
    setByteFlags(cpu, al % base, 0);
  },
  asciiAdjustDivide: (cpu, o) => {
    const ax = cpu.reg16(RAX);
    const addend = ((ax >>> 8) * (o.imm & 0xff)) & 0xff, before = ax & 0xff;
    const sum = before + addend;
    cpu.setReg16(RAX, sum & 0xff);
    // The flags are those of the byte addition.
    const carries = (sum > 0xff ? FLAG.CF : 0) | ((before ^ addend ^ sum) & FLAG.AF);
    const overflow = (~(before ^ addend) & (before ^ sum) & 0x80) !== 0 ? FLAG.OF : 0;
    setByteFlags(cpu, sum, carries | overflow);
  },
  setAlFromCarry: (cpu) => setAl(cpu, (cpu.eflags & FLAG.CF) !== 0 ? 0xff : 0),
};
