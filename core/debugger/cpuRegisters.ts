// All registers of a CPU by name, and what setting one entails.
import type { Cpu } from '../cpu/cpu.ts';
import { hasFeature } from '../cpu/state/cpuModels.ts';
import { CS, ES, FIELD, FLAG, LDTR, SEGMENT, SS, DS, FS, GS, TR } from '../cpu/state/layout.ts';
import type { TargetRegisters } from './target.ts';

export const generalNames = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'] as const;
/** Of a CPU with long mode, in encoding order. */
export const wideNames = [
  'rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15',
] as const;
export const segmentIndexes = { es: ES, cs: CS, ss: SS, ds: DS, fs: FS, gs: GS, ldtr: LDTR, tr: TR } as const;
export type SegmentName = keyof typeof segmentIndexes;

/** EFLAGS bits by name; IOPL is the only field. */
export const flagBits = {
  cf: 0, pf: 2, af: 4, zf: 6, sf: 7, tf: 8, if: 9, df: 10, of: 11, nt: 14, rf: 16, vm: 17, ac: 18, vif: 19, vip: 20, id: 21,
} as const;
const SETTABLE_FLAGS = 0x3f7fd7;

export const msrNames: Readonly<Record<number, string>> = {
  0x0: 'p5_mc_addr', 0x1: 'p5_mc_type', 0x10: 'tsc', 0x17: 'platform_id', 0x1b: 'apic_base', 0x2a: 'ebl_cr_poweron',
  0x79: 'bios_updt_trig', 0x8b: 'bios_sign_id', 0xc1: 'perfctr0', 0xc2: 'perfctr1', 0xc3: 'perfctr2', 0xc4: 'perfctr3',
  0x188: 'evntsel2', 0x189: 'evntsel3', 0x309: 'fixed_ctr0', 0x30a: 'fixed_ctr1', 0x30b: 'fixed_ctr2', 0x38d: 'fixed_ctr_ctrl',
  0x38e: 'perf_global_status', 0x38f: 'perf_global_ctrl', 0x390: 'perf_global_ovf_ctrl', 0x1c9: 'lastbranch_tos', 0x11e: 'bbl_cr_ctl3',
  0x174: 'sysenter_cs', 0x175: 'sysenter_esp', 0x176: 'sysenter_eip', 0x186: 'evntsel0', 0x187: 'evntsel1', 0x1d9: 'debugctl',
  0xc0000080: 'efer', 0xc0000081: 'star', 0xc0000082: 'lstar', 0xc0000083: 'cstar', 0xc0000084: 'fmask',
  0xc0000100: 'fs_base', 0xc0000101: 'gs_base', 0xc0000102: 'kernel_gs_base', 0xc0000103: 'tsc_aux', 0xfe: 'mtrrcap', 0x10a: 'arch_capabilities',
  0x179: 'mcg_cap', 0x17a: 'mcg_status', 0x1a0: 'misc_enable', 0x277: 'pat', 0x2ff: 'mtrr_def_type', 0x6e0: 'tsc_deadline',
};
const EFER = 0xc0000080;

/** Reads 8 bytes of a descriptor table past the guest, or null where there is no memory. */
export type DescriptorReader = (linear: bigint) => { readonly low: number; readonly high: number } | null;

interface Access {
  readonly width: number;
  get(): bigint;
  /** `value` fits the width. False: refused. */
  set(value: bigint): boolean;
}

export class CpuRegisters implements TargetRegisters {
  readonly #cpu: Cpu;
  readonly #descriptor: DescriptorReader;
  readonly #table = new Map<string, Access>();

  constructor(cpu: Cpu, descriptor: DescriptorReader) {
    this.#cpu = cpu;
    this.#descriptor = descriptor;
    this.#addGeneral();
    this.#addFlags();
    this.#addSegments();
    this.#addControl();
    this.#addX87();
  }

  get names(): readonly string[] {
    return [...this.#table.keys()];
  }

  /** Size in bits; 0: there is no such register. */
  width(name: string): number {
    return this.#find(name)?.width ?? 0;
  }

  get(name: string): bigint | undefined {
    return this.#find(name)?.get();
  }

  set(name: string, value: bigint): boolean {
    const access = this.#find(name);
    if (access === undefined) return false;
    // Negative values stand for their two's complement if they fit as signed.
    const size = 1n << BigInt(access.width);
    if (value < -(size >> 1n) || value >= size) return false;
    return access.set(BigInt.asUintN(access.width, value));
  }

  #find(name: string): Access | undefined {
    const key = name.toLowerCase();
    return this.#table.get(key) ?? (key.startsWith('msr.') ? this.#msr(key.slice(4)) : undefined);
  }

  #add(name: string, width: number, get: () => number, set: (value: number) => boolean | void): void {
    this.#table.set(name, {
      width,
      get: () => BigInt(get() >>> 0),
      set: (value) => set(Number(value)) !== false,
    });
  }

  #addGeneral(): void {
    const cpu = this.#cpu;
    generalNames.forEach((name, index) => {
      this.#add(name, 32, () => cpu.reg32(index), (value) => cpu.setReg32(index, value));
      this.#add(name.slice(1), 16, () => cpu.reg16(index), (value) => cpu.setReg16(index, value));
    });
    ['al', 'cl', 'dl', 'bl', 'ah', 'ch', 'dh', 'bh'].forEach((name, index) => {
      this.#addByte(name, cpu.base + (index & 3) * 8 + (index >> 2));
    });
    if (hasFeature(cpu.model, 'LM')) this.#addWideGeneral();
    this.#add('eip', 32, () => cpu.rip, (value) => this.#jump(value));
    this.#add('ip', 16, () => cpu.rip & 0xffff, (value) => this.#jump((cpu.rip & ~0xffff) | value));
    // The linear address of the next instruction.
    if (hasFeature(cpu.model, 'LM')) this.#addPointer('rip', () => cpu.rip, (value) => this.#jump(value));
    this.#addPointer('pc', () => cpu.wrapLinear(cpu.segmentBase(CS) + cpu.rip), (value) => this.#jump(value - cpu.segmentBase(CS)));
    this.#add('cpl', 2, () => cpu.cpl, () => false);
  }

  #addWideGeneral(): void {
    const { view, base } = this.#cpu;
    wideNames.forEach((name, index) => {
      const at = base + index * 8;
      this.#table.set(name, {
        width: 64,
        get: () => view.getBigUint64(at, true),
        set: (value) => {
          view.setBigUint64(at, value, true);
          return true;
        },
      });
      if (index < 8) return;
      const cpu = this.#cpu;
      this.#add(`${name}d`, 32, () => cpu.reg32(index), (value) => cpu.setReg32(index, value));
      this.#add(`${name}w`, 16, () => cpu.reg16(index), (value) => cpu.setReg16(index, value));
      this.#addByte(`${name}b`, at);
    });
    ['spl', 'bpl', 'sil', 'dil'].forEach((name, index) => this.#addByte(name, base + (4 + index) * 8));
  }

  #addByte(name: string, at: number): void {
    const { u8 } = this.#cpu;
    this.#add(name, 8, () => u8[at], (value) => {
      u8[at] = value;
    });
  }

  /** An address: of 32 bits, or with long mode of 64 that must be canonical; a signed number to the CPU. */
  #addPointer(name: string, get: () => number, set: (value: number) => boolean | void): void {
    if (!hasFeature(this.#cpu.model, 'LM')) {
      this.#add(name, 32, get, set);
      return;
    }
    this.#table.set(name, {
      width: 64,
      get: () => BigInt.asUintN(64, BigInt(get())),
      set: (value) => {
        const signed = BigInt.asIntN(64, value);
        return BigInt.asIntN(48, signed) === signed && set(Number(signed)) !== false;
      },
    });
  }

  /** Execution goes on elsewhere: a shadow of STI or MOV SS is over, and HLT with it. */
  #jump(rip: number): void {
    const cpu = this.#cpu;
    if (cpu.rip === cpu.wrapLinear(rip)) return;
    cpu.rip = rip;
    cpu.interruptShadow = false;
    cpu.shadowAt = -1;
    if (cpu.activity === 'halted') cpu.activity = 'running';
  }

  #addFlags(): void {
    const cpu = this.#cpu;
    // A change of VM changes the meaning of all segments: only IRET and task switches can do that.
    const set = (value: number): boolean => {
      if (((value ^ cpu.eflags) & FLAG.VM) !== 0) return false;
      cpu.eflags = value & SETTABLE_FLAGS;
      return true;
    };
    this.#add('eflags', 32, () => cpu.eflags, set);
    this.#add('flags', 16, () => cpu.eflags & 0xffff, (value) => set((cpu.eflags & ~0xffff) | value));
    for (const [name, bit] of Object.entries(flagBits)) {
      this.#add(`eflags.${name}`, 1, () => (cpu.eflags >>> bit) & 1, (value) => set((cpu.eflags & ~(1 << bit)) | (value << bit)));
    }
    this.#add('eflags.iopl', 2, () => cpu.iopl, (value) => set((cpu.eflags & ~FLAG.IOPL) | (value << 12)));
  }

  #addSegments(): void {
    const cpu = this.#cpu;
    for (const [name, segment] of Object.entries(segmentIndexes)) {
      const field = (offset: number) => (): number => cpu.segmentField(segment, offset);
      const cache = (change: { base?: number; limit?: number; attributes?: number }): void =>
        cpu.setSegment(
          segment, cpu.selector(segment), change.base ?? cpu.segmentBase(segment),
          change.limit ?? cpu.segmentField(segment, SEGMENT.limit),
          change.attributes ?? cpu.segmentField(segment, SEGMENT.attributes),
        );
      this.#add(name, 16, () => cpu.selector(segment) & 0xffff, (value) => this.loadSegment(segment, value));
      if (segment >= FS) this.#addPointer(`${name}.base`, () => cpu.segmentBase(segment), (base) => cache({ base }));
      else this.#add(`${name}.base`, 32, field(SEGMENT.base), (base) => cache({ base }));
      this.#add(`${name}.limit`, 32, field(SEGMENT.limit), (limit) => cache({ limit }));
      this.#add(`${name}.attributes`, 16, field(SEGMENT.attributes), (value) => cache({ attributes: value & 0xf0ff }));
    }
    for (const [name, base, limit] of [['gdtr', FIELD.gdtrBase, FIELD.gdtrLimit], ['idtr', FIELD.idtrBase, FIELD.idtrLimit]] as const) {
      for (const alias of [name, `${name}.base`]) {
        this.#addPointer(alias, () => cpu.getWide(base), (value) => cpu.setWideSigned(base, value));
      }
      this.#add(`${name}.limit`, 16, () => cpu.get32(limit) & 0xffff, (value) => cpu.set32(limit, value));
    }
  }

  /**
   * Loads a selector by the rules of the current mode, but with the rights of nobody in particular: privilege is not
   * checked, the accessed and busy bits in memory stay. CS takes the privilege level with it.
   */
  loadSegment(segment: number, selector: number): boolean {
    const cpu = this.#cpu;
    if (!cpu.usesDescriptors) {
      if (segment >= LDTR) return false;
      cpu.debugAccess.loadRealSegment(segment, selector);
      return true;
    }
    if ((selector & 0xfffc) === 0) {
      if (segment === CS || segment === SS || segment === TR) return false;
      cpu.setSegment(segment, selector, 0, 0, 0);
      return true;
    }
    const found = this.#findDescriptor(selector, segment >= LDTR);
    if (found === null || !fits(segment, found.high)) return false;
    const { low, high } = found;
    const base = ((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000)) >>> 0;
    const raw = (low & 0xffff) | (high & 0xf0000);
    const limit = (high & 0x800000) !== 0 ? ((raw << 12) | 0xfff) >>> 0 : raw;
    const mark = segment === TR ? 2 : segment === LDTR ? 0 : 1;
    cpu.setSegment(segment, selector, base, limit, ((high >>> 8) & 0xf0ff) | mark);
    if (segment === CS) cpu.setCpl(selector & 3);
    return true;
  }

  #findDescriptor(selector: number, systemOnly: boolean): { low: number; high: number } | null {
    const cpu = this.#cpu;
    const offset = selector & 0xfff8;
    let base = cpu.getWide(FIELD.gdtrBase), limit = cpu.get32(FIELD.gdtrLimit);
    if ((selector & 4) !== 0) {
      const isMissing = (cpu.selector(LDTR) & 0xfffc) === 0 || (cpu.segmentField(LDTR, SEGMENT.attributes) & 0x80) === 0;
      if (systemOnly || isMissing) return null;
      base = cpu.segmentBase(LDTR);
      limit = cpu.segmentField(LDTR, SEGMENT.limit);
    }
    if (offset + 7 > limit) return null;
    const linear = base + offset;
    return this.#descriptor(cpu.isLong ? BigInt.asUintN(64, BigInt(linear)) : BigInt(linear >>> 0));
  }

  #addControl(): void {
    const cpu = this.#cpu, access = cpu.debugAccess;
    for (const [number, field] of [[0, FIELD.cr0], [2, FIELD.cr2], [3, FIELD.cr3], [4, FIELD.cr4]] as const) {
      if (number === 2 || number === 3) this.#addPointer(`cr${number}`, () => cpu.getWide(field), (value) => access.setControl(number, value));
      else this.#add(`cr${number}`, 32, () => cpu.get32(field), (value) => access.setControl(number, value));
    }
    if (hasFeature(cpu.model, 'LM')) this.#add('cr8', 4, () => cpu.host.readTaskPriority(), (value) => cpu.host.writeTaskPriority(value));
    this.#table.set('efer', {
      width: 64,
      get: () => this.#wide(FIELD.efer),
      set: (value) => access.writeMsr(EFER, Number(value & 0xffffffffn), Number(value >> 32n)),
    });
    for (const number of [0, 1, 2, 3, 6, 7]) {
      const at = FIELD.dr + number * 8;
      if (number < 4) this.#addPointer(`dr${number}`, () => cpu.getWide(at), (value) => access.setDebug(number, value));
      else this.#add(`dr${number}`, 32, () => cpu.get32(FIELD.dr + number * 8), (value) => access.setDebug(number, value));
    }
    for (const index of access.msrs) {
      const name = msrNames[index];
      if (name !== undefined && !this.#table.has(name)) this.#table.set(name, this.#msr(index.toString(16))!);
    }
  }

  #msr(text: string): Access | undefined {
    const index = /^[0-9a-f]{1,8}$/.test(text) ? parseInt(text, 16) : NaN;
    const access = this.#cpu.debugAccess;
    if (!access.msrs.includes(index)) return undefined;
    return {
      width: 64,
      get: () => {
        const [low, high] = access.readMsr(index) ?? [0, 0];
        return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
      },
      set: (value) => access.writeMsr(index, Number(value & 0xffffffffn), Number(value >> 32n)),
    };
  }

  #wide(field: number): bigint {
    return this.#cpu.view.getBigUint64(this.#cpu.base + field, true);
  }

  #addX87(): void {
    const cpu = this.#cpu, access = cpu.debugAccess;
    this.#add('fctrl', 16, () => cpu.get32(FIELD.fpControl) & 0xffff, (value) => access.setFpControl(value));
    this.#add('fstat', 16, () => cpu.get32(FIELD.fpStatus) & 0xffff, (value) => access.setFpStatus(value));
    this.#add('ftag', 16, () => access.fpTags, (value) => {
      access.fpTags = value;
    });
    this.#add('fiseg', 16, () => cpu.get32(FIELD.fpInstructionSelector) & 0xffff, (value) => cpu.set32(FIELD.fpInstructionSelector, value));
    this.#add('fioff', 32, () => cpu.get32(FIELD.fpInstruction), (value) => cpu.setWide(FIELD.fpInstruction, value));
    this.#add('foseg', 16, () => cpu.get32(FIELD.fpDataSelector) & 0xffff, (value) => cpu.set32(FIELD.fpDataSelector, value));
    this.#add('fooff', 32, () => cpu.get32(FIELD.fpData), (value) => cpu.setWide(FIELD.fpData, value));
    this.#add('fop', 11, () => cpu.get32(FIELD.fpOpcode) & 0x7ff, (value) => cpu.set32(FIELD.fpOpcode, value));
    this.#add('mxcsr', 32, () => cpu.get32(FIELD.mxcsr), (value) => access.setMxcsr(value));
    for (let number = 0; number < 8; number++) {
      this.#table.set(`st${number}`, this.#stackRegister(number));
      this.#table.set(`mm${number}`, this.#vectorOfX87(number));
    }
    const vectors = hasFeature(cpu.model, 'LM') ? 16 : 8;
    for (let number = 0; number < vectors; number++) this.#table.set(`xmm${number}`, this.#xmm(number));
  }

  /** ST(i), 80 bits; setting it makes it full. */
  #stackRegister(number: number): Access {
    const cpu = this.#cpu;
    const physical = (): number => ((cpu.get32(FIELD.fpStatus) >>> 11) + number) & 7;
    const at = (): number => cpu.base + FIELD.fpr + physical() * 16;
    return {
      width: 80,
      get: () => (BigInt(cpu.view.getUint16(at() + 8, true)) << 64n) | cpu.view.getBigUint64(at(), true),
      set: (value) => {
        cpu.view.setBigUint64(at(), value & 0xffffffffffffffffn, true);
        cpu.view.setUint16(at() + 8, Number(value >> 64n), true);
        cpu.set32(FIELD.fpTags, cpu.get32(FIELD.fpTags) | (1 << physical()));
        return true;
      },
    };
  }

  /** MMX registers are the significands of the physical registers; writing one sets the exponent to ones (SDM 1 9.2). */
  #vectorOfX87(number: number): Access {
    const cpu = this.#cpu, at = cpu.base + FIELD.fpr + number * 16;
    return {
      width: 64,
      get: () => cpu.view.getBigUint64(at, true),
      set: (value) => {
        cpu.view.setBigUint64(at, value, true);
        cpu.view.setUint16(at + 8, 0xffff, true);
        return true;
      },
    };
  }

  #xmm(number: number): Access {
    const { view, base } = this.#cpu, at = base + FIELD.xmm + number * 64;
    return {
      width: 128,
      get: () => (view.getBigUint64(at + 8, true) << 64n) | view.getBigUint64(at, true),
      set: (value) => {
        view.setBigUint64(at, value & 0xffffffffffffffffn, true);
        view.setBigUint64(at + 8, value >> 64n, true);
        return true;
      },
    };
  }
}

/** Whether a descriptor (its upper half) may stand in a segment register at all. */
function fits(segment: number, high: number): boolean {
  if ((high & 0x8000) === 0) return false;
  const type = (high >>> 8) & 15;
  if ((high & 0x1000) === 0) return segment === LDTR ? type === 2 : segment === TR && [1, 3, 9, 11].includes(type);
  const isCode = (type & 8) !== 0;
  if (segment === CS) return isCode;
  if (segment === SS) return !isCode && (type & 2) !== 0;
  return segment < LDTR && (!isCode || (type & 2) !== 0);
}
