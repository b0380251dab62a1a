// What GDB learns about the target: its registers (GDB manual G.5.5) and memory.
//
// GDB knows no segments: its program counter is a linear address. `eip` is therefore CS.base + EIP here, which is EIP itself
// in every flat system and makes breakpoints, steps and `x/i $pc` work in real mode too; `real_eip` is the register as the
// manual has it. The stack pointer stays as it is: `$ss_base + $sp` is its linear address.
import type { PhysicalRange } from '../../api/debug.ts';
import type { DebugTarget } from '../target.ts';
import { fromLittleEndianHex, littleEndianHex } from './packets.ts';

export interface GdbRegister {
  readonly name: string;
  readonly bits: 16 | 32 | 64 | 80 | 128;
  readonly type: string;
  /** Name in the debugger's own terms. */
  readonly source: string;
  readonly group?: string;
}

const row = (name: string, bits: GdbRegister['bits'], type: string, source = name, group?: string): GdbRegister => ({
  name, bits, type, source, ...(group === undefined ? {} : { group }),
});
const many = (names: string, make: (name: string) => GdbRegister): GdbRegister[] => names.split(' ').map(make);
const numbered = (name: string, make: (name: string) => GdbRegister): GdbRegister[] =>
  [0, 1, 2, 3, 4, 5, 6, 7].map((number) => make(`${name}${number}`));

const core: readonly GdbRegister[] = [
  ...many('eax ecx edx ebx', (name) => row(name, 32, 'int32')),
  ...many('esp ebp', (name) => row(name, 32, 'data_ptr')),
  ...many('esi edi', (name) => row(name, 32, 'int32')),
  row('eip', 32, 'code_ptr', 'pc'),
  row('eflags', 32, 'i386_eflags'),
  ...many('cs ss ds es fs gs', (name) => row(name, 32, 'int32')),
  ...numbered('st', (name) => row(name, 80, 'i387_ext')),
  ...many('fctrl fstat ftag fiseg fioff foseg fooff fop', (name) => row(name, 32, 'int32', name, 'float')),
];
const sse: readonly GdbRegister[] = [
  ...numbered('xmm', (name) => row(name, 128, 'vec128')),
  row('mxcsr', 32, 'i386_mxcsr', 'mxcsr', 'vector'),
];
const system: readonly GdbRegister[] = [
  row('cr0', 32, 'i386_cr0'), row('cr2', 32, 'data_ptr'), row('cr3', 32, 'uint32'), row('cr4', 32, 'i386_cr4'),
  row('efer', 64, 'i386_efer'),
  ...many('es cs ss ds fs gs', (name) => row(`${name}_base`, 32, 'uint32', `${name}.base`)),
  ...many('es cs ss ds fs gs', (name) => row(`${name}_limit`, 32, 'uint32', `${name}.limit`)),
  row('gdtr_base', 32, 'uint32', 'gdtr.base'), row('gdtr_limit', 32, 'uint32', 'gdtr.limit'),
  row('idtr_base', 32, 'uint32', 'idtr.base'), row('idtr_limit', 32, 'uint32', 'idtr.limit'),
  ...many('ldtr tr', (name) => row(name, 32, 'uint32')),
  ...many('ldtr tr', (name) => row(`${name}_base`, 32, 'uint32', `${name}.base`)),
  ...many('dr0 dr1 dr2 dr3 dr6 dr7', (name) => row(name, 32, 'uint32')),
  row('real_eip', 32, 'uint32', 'eip'),
].map((register) => ({ ...register, group: 'system' }));

const coreWide: readonly GdbRegister[] = [
  ...many('rax rbx rcx rdx rsi rdi', (name) => row(name, 64, 'int64')),
  ...many('rbp rsp', (name) => row(name, 64, 'data_ptr')),
  ...many('r8 r9 r10 r11 r12 r13 r14 r15', (name) => row(name, 64, 'int64')),
  row('rip', 64, 'code_ptr', 'pc'),
  ...core.filter(({ name }) => name === 'eflags'),
  ...core.slice(core.findIndex(({ name }) => name === 'cs')),
];
const sseWide: readonly GdbRegister[] = [
  ...Array.from({ length: 16 }, (_, number) => row(`xmm${number}`, 128, 'vec128')),
  row('mxcsr', 32, 'i386_mxcsr', 'mxcsr', 'vector'),
];
const segmentsWide: readonly GdbRegister[] = many('fs gs', (name) => row(`${name}_base`, 64, 'int64', `${name}.base`));
/** Wider in long mode; what has its own feature there is left out. */
const systemWide: readonly GdbRegister[] = [
  ...system.flatMap((register): GdbRegister[] => {
    const { name } = register;
    if (name === 'real_eip' || name === 'fs_base' || name === 'gs_base') return [];
    const isWide = /^(cr2|cr3|dr[0-3]|[gil]dtr_base|tr_base)$/.test(name);
    return [isWide ? { ...register, bits: 64, type: name === 'cr2' ? 'data_ptr' : 'uint64' } : register];
  }),
  ...many('cr8', (name) => row(name, 32, 'uint32', name, 'system')),
  ...many('kernel_gs_base lstar star', (name) => row(name, 64, 'uint64', name, 'system')),
];

type Features = readonly (readonly [name: string, registers: readonly GdbRegister[]])[];
const features: Features = [
  ['org.gnu.gdb.i386.core', core],
  ['org.gnu.gdb.i386.sse', sse],
  ['org.trapeze.i386.system', system],
];
const featuresWide: Features = [
  ['org.gnu.gdb.i386.core', coreWide],
  ['org.gnu.gdb.i386.sse', sseWide],
  ['org.gnu.gdb.i386.segments', segmentsWide],
  ['org.trapeze.i386.system', systemWide],
];

/** In the order of their numbers: of 32 bits, and of long mode. */
export const gdbRegisters: readonly GdbRegister[] = features.flatMap(([, registers]) => registers);
const gdbRegistersWide: readonly GdbRegister[] = featuresWide.flatMap(([, registers]) => registers);
/** What GDB is told when it asks; a later change of the mode does not change it. */
export const registersFor = (target: DebugTarget): readonly GdbRegister[] =>
  target.mode().addressBytes === 8 ? gdbRegistersWide : gdbRegisters;

export function readRegister(target: DebugTarget, { source, bits }: GdbRegister): string {
  const value = source === 'pc' ? target.programCounter : target.registers.get(source);
  return value === undefined ? 'x'.repeat(bits / 4) : littleEndianHex(value, bits / 8);
}

/** False: it cannot hold that. A value that it holds already is left alone, so that no segment is loaded again. */
export function writeRegister(target: DebugTarget, register: GdbRegister, hex: string): boolean {
  if (hex.length !== register.bits / 4) return false;
  if (/^x+$/.test(hex) || readRegister(target, register) === hex.toLowerCase()) return true;
  const value = fromLittleEndianHex(hex);
  if (value === null) return false;
  if (register.source !== 'pc') return target.registers.set(register.source, value);
  if (register.bits === 64) return target.registers.set('pc', value);
  const base = target.registers.get('cs.base') ?? 0n;
  return target.registers.set('eip', BigInt.asUintN(32, value - base));
}

const flags = (id: string, bytes: number, bits: Readonly<Record<string, number>>): string =>
  `<flags id="${id}" size="${bytes}">` +
  Object.entries(bits).map(([name, bit]) => `<field name="${name}" start="${bit}" end="${bit}"/>`).join('') +
  '</flags>';

const types: Readonly<Record<string, string>> = {
  'org.gnu.gdb.i386.core': flags('i386_eflags', 4, {
    CF: 0, PF: 2, AF: 4, ZF: 6, SF: 7, TF: 8, IF: 9, DF: 10, OF: 11, NT: 14, RF: 16, VM: 17, AC: 18, VIF: 19, VIP: 20, ID: 21,
  }),
  'org.gnu.gdb.i386.sse':
    '<vector id="v4f" type="ieee_single" count="4"/><vector id="v2d" type="ieee_double" count="2"/>' +
    '<vector id="v16i8" type="int8" count="16"/><vector id="v8i16" type="int16" count="8"/>' +
    '<vector id="v4i32" type="int32" count="4"/><vector id="v2i64" type="int64" count="2"/>' +
    '<union id="vec128"><field name="v4_float" type="v4f"/><field name="v2_double" type="v2d"/>' +
    '<field name="v16_int8" type="v16i8"/><field name="v8_int16" type="v8i16"/><field name="v4_int32" type="v4i32"/>' +
    '<field name="v2_int64" type="v2i64"/><field name="uint128" type="uint128"/></union>' +
    flags('i386_mxcsr', 4, { IE: 0, DE: 1, ZE: 2, OE: 3, UE: 4, PE: 5, DAZ: 6, IM: 7, DM: 8, ZM: 9, OM: 10, UM: 11, PM: 12, FZ: 15 }),
  'org.trapeze.i386.system':
    flags('i386_cr0', 4, { PE: 0, MP: 1, EM: 2, TS: 3, ET: 4, NE: 5, WP: 16, AM: 18, NW: 29, CD: 30, PG: 31 }) +
    flags('i386_cr4', 4, { VME: 0, PVI: 1, TSD: 2, DE: 3, PSE: 4, PAE: 5, MCE: 6, PGE: 7, PCE: 8, OSFXSR: 9, OSXMMEXCPT: 10 }) +
    flags('i386_efer', 8, { SCE: 0, LME: 8, LMA: 10, NXE: 11 }),
};

/** target.xml. GDB asks once: in 16-bit code it starts with `i8086`, later `set architecture i386` changes that. */
export function targetDescription(target: DebugTarget): string {
  // GDB's default, Linux, does not exist for the 8086: it would warn.
  const wide = target.mode().addressBytes === 8;
  if (wide) return describe('<architecture>i386:x86-64</architecture>', featuresWide);
  const architecture = target.mode().bits === 16 ? '<architecture>i8086</architecture><osabi>none</osabi>' : '<architecture>i386</architecture>';
  return describe(architecture, features);
}

function describe(architecture: string, from: Features): string {
  const parts = from.map(([name, registers]) => {
    const rows = registers.map(({ name: register, bits, type, group }) =>
      `<reg name="${register}" bitsize="${bits}" type="${type}"${group === undefined ? '' : ` group="${group}"`}/>`,
    );
    return `<feature name="${name}">${types[name] ?? ''}${rows.join('')}</feature>`;
  });
  return `<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd"><target version="1.0">${architecture}${parts.join('')}</target>`;
}

/** In long mode all linear addresses count as RAM. */
const wholeSpace = `<?xml version="1.0"?><!DOCTYPE memory-map PUBLIC "+//IDN gnu.org//DTD GDB Memory Map V1.0//EN" "http://sourceware.org/gdb/gdb-memory-map.dtd"><memory-map><memory type="ram" start="0x0" length="0xffffffffffffffff"/></memory-map>`;

/**
 * The memory map. GDB refuses addresses outside of it and takes them for linear ones, so all that is no ROM counts as RAM,
 * and with paging everything does.
 */
export function memoryMap(target: DebugTarget, physical: readonly PhysicalRange[]): string {
  const roms = target.mode().paging ? [] : physical.filter(({ kind }) => kind === 'ROM');
  const rows: string[] = [];
  const add = (type: string, from: number, to: number): void => {
    if (to > from) rows.push(`<memory type="${type}" start="0x${from.toString(16)}" length="0x${(to - from).toString(16)}"/>`);
  };
  let at = 0;
  for (const rom of roms) {
    const from = parseInt(rom.from, 16), to = parseInt(rom.to, 16) + 1;
    add('ram', at, from);
    add('rom', from, to);
    at = to;
  }
  if (target.mode().addressBytes === 8) return wholeSpace;
  add('ram', at, 2 ** 32);
  return `<?xml version="1.0"?><!DOCTYPE memory-map PUBLIC "+//IDN gnu.org//DTD GDB Memory Map V1.0//EN" "http://sourceware.org/gdb/gdb-memory-map.dtd"><memory-map>${rows.join('')}</memory-map>`;
}
