// Every register of the CPU decoded by field, and the interrupt controllers beside it.
import type { RegisterGroup, RegisterRecord, SegmentRecord } from '../api/debug.ts';
import type { Device } from '../bus/device.ts';
import { FIELD, SEGMENT } from '../cpu/state/layout.ts';
import { generalNames, msrNames, segmentIndexes, type SegmentName, wideNames } from './cpuRegisters.ts';
import type { CpuTarget } from './cpuTarget.ts';
import { attributesText, descriptorType } from './descriptorText.ts';
import { extendedText, hexOf } from './numberText.ts';
import {
  cr0Fields, cr3Fields, cr3PaeFields, cr4Fields, dr6Fields, dr7Fields, eferFields, eflagsFields, fpControlFields, fpStatusFields,
  fpTagFields, irqFields, mxcsrFields, selectorFields, type FieldRow,
} from './registerFields.ts';

/** `symbol+12h` of a linear address, or null. */
export type AddressNamer = (address: bigint) => string | null;

/** Addresses this far above the stack pointer still count as the stack. */
const STACK_BYTES = 0x4000n;
/** IA32_PLATFORM_ID, MTRRCAP, ARCH_CAPABILITIES, MCG_CAP, the last branch's index and the counters' overflow status. */
const READ_ONLY_MSRS: ReadonlySet<number> = new Set([0x17, 0xfe, 0x10a, 0x179, 0x1c9, 0x38e]);
const SMALLEST_POINTER = 0x1000n;

export function registerView(
  target: CpuTarget, devices: readonly Device[], symbol: AddressNamer,
): { groups: RegisterGroup[]; segments: SegmentRecord[] } {
  const view = new RegisterView(target, symbol);
  return { groups: [...view.groups(), interruptGroup(devices)], segments: view.segments() };
}

class RegisterView {
  readonly #target: CpuTarget;
  readonly #symbol: AddressNamer;

  constructor(target: CpuTarget, symbol: AddressNamer) {
    this.#target = target;
    this.#symbol = symbol;
  }

  groups(): RegisterGroup[] {
    const pae = (this.#value('cr4') & 0x20n) !== 0n;
    const groups: RegisterGroup[] = [
      { id: 'general', title: 'General', registers: this.#general() },
      { id: 'flags', title: 'Flags', registers: [this.#register('eflags', this.#flagsNote(), eflagsFields)] },
      {
        id: 'control', title: 'Control', registers: [
          this.#register('cr0', '', cr0Fields),
          this.#register('cr2', 'address of the last page fault'),
          this.#register('cr3', 'address space', this.#target.cpu.isLong ? cr3Fields : pae ? cr3PaeFields : cr3Fields),
          this.#register('cr4', '', cr4Fields),
          { ...this.#register('efer', '', eferFields), editable: this.#target.cpu.debugAccess.msrs.includes(0xc0000080) },
        ],
      },
      { id: 'segments', title: 'Segments', registers: this.#segmentRegisters() },
      { id: 'tables', title: 'Descriptor tables', registers: this.#tables() },
      { id: 'debug', title: 'Debug', registers: this.#debug() },
      { id: 'x87', title: 'x87', registers: this.#x87() },
      { id: 'sse', title: 'SSE', registers: this.#sse() },
      { id: 'msr', title: 'Model-specific', registers: this.#msrs() },
    ];
    return groups;
  }

  segments(): SegmentRecord[] {
    const { cpu } = this.#target;
    return (Object.keys(segmentIndexes) as SegmentName[]).map((name) => {
      const segment = segmentIndexes[name];
      const attributes = cpu.segmentField(segment, SEGMENT.attributes);
      return {
        name,
        selector: hexOf(cpu.selector(segment) & 0xffff, 4),
        base: hexOf(cpu.segmentBase(segment), 8),
        limit: hexOf(cpu.segmentField(segment, SEGMENT.limit), 8),
        type: attributes === 0 ? 'unusable' : descriptorType(attributes),
        privilege: (attributes >>> 5) & 3,
        present: (attributes & 0x80) !== 0,
      };
    });
  }

  #value(name: string): bigint {
    return this.#target.registers.get(name) ?? 0n;
  }

  #register(name: string, note = '', rows: readonly FieldRow[] = []): RegisterRecord {
    const value = this.#value(name), width = this.#target.registers.width(name);
    return { name, value: hexOf(value, Math.ceil(width / 4)), width, editable: true, note, fields: fieldsOf(value, rows) };
  }

  #general(): RegisterRecord[] {
    const { cpu } = this.#target;
    if (cpu.isLong) return this.#generalWide();
    const registers = generalNames.map((name, index) => {
      const isStack = name === 'esp' || name === 'ebp';
      const base = cpu.segmentBase(isStack ? segmentIndexes.ss : segmentIndexes.ds);
      return this.#register(name, name === 'esp' ? 'stack' : this.#pointerNote((base + cpu.reg32(index)) >>> 0));
    });
    const place = this.#symbol(this.#target.programCounter);
    const linear = hexOf(this.#target.programCounter, 8);
    const moved = cpu.segmentBase(segmentIndexes.cs) !== 0 ? `linear ${linear}h` : '';
    registers.push(this.#register('eip', place ?? moved));
    return registers;
  }

  /** In long mode all sixteen, whatever code runs. */
  #generalWide(): RegisterRecord[] {
    const registers = wideNames.map((name) =>
      this.#register(name, name === 'rsp' ? 'stack' : this.#wideNote(this.#value(name))),
    );
    return [...registers, this.#register('rip', this.#symbol(this.#target.programCounter) ?? '')];
  }

  #wideNote(value: bigint): string {
    if (value < SMALLEST_POINTER) return '';
    const top = this.#value('rsp');
    if (value >= top && value < top + STACK_BYTES) return 'stack';
    return this.#symbol(value) ?? '';
  }

  #pointerNote(address: number): string {
    const { cpu } = this.#target;
    const value = BigInt(address);
    if (value < SMALLEST_POINTER) return '';
    const wide = cpu.get32(FIELD.stackMask) !== 0xffff;
    const top = BigInt((cpu.segmentBase(segmentIndexes.ss) + (wide ? cpu.reg32(4) : cpu.reg16(4))) >>> 0);
    if (value >= top && value < top + STACK_BYTES) return 'stack';
    return this.#symbol(value) ?? '';
  }

  #flagsNote(): string {
    const flags = this.#value('eflags');
    const set = eflagsFields.filter(([, high, low]) => high === low && ((flags >> BigInt(low)) & 1n) !== 0n);
    return set.map(([name]) => name).reverse().join(' ');
  }

  #segmentRegisters(): RegisterRecord[] {
    const { cpu } = this.#target;
    const rows = cpu.usesDescriptors ? selectorFields : [];
    return (Object.keys(segmentIndexes) as SegmentName[]).map((name) => {
      const segment = segmentIndexes[name];
      const attributes = cpu.segmentField(segment, SEGMENT.attributes);
      const limit = cpu.segmentField(segment, SEGMENT.limit);
      const base = cpu.segmentBase(segment);
      const note = attributes === 0 ? 'unusable' : `${descriptorType(attributes)}, base ${hexOf(base, 8)}, limit ${hexOf(limit, 8)}`;
      const register = this.#register(name, note, rows);
      const cache = [
        { name: 'base', bits: 'cache', value: hexOf(base, 8), meaning: 'first linear address' },
        { name: 'limit', bits: 'cache', value: hexOf(limit, 8), meaning: 'last offset' },
        { name: 'attributes', bits: 'cache', value: hexOf(attributes, 4), meaning: attributesText(attributes) },
      ];
      return { ...register, fields: [...register.fields, ...cache] };
    });
  }

  #tables(): RegisterRecord[] {
    return ['gdtr', 'idtr'].flatMap((name) => {
      const limit = Number(this.#value(`${name}.limit`));
      const wide = name === 'gdtr' || this.#target.cpu.isProtected;
      const entries = Math.floor((limit + 1) / (wide ? 8 : 4));
      return [this.#register(`${name}.base`, this.#symbol(this.#value(`${name}.base`)) ?? ''), this.#register(`${name}.limit`, `${entries} entries`)];
    });
  }

  #debug(): RegisterRecord[] {
    const dr7 = Number(this.#value('dr7'));
    const addresses = [0, 1, 2, 3].map((n) => {
      const enabled = ((dr7 >>> (n * 2)) & 3) !== 0;
      return this.#register(`dr${n}`, enabled ? (this.#symbol(this.#value(`dr${n}`)) ?? 'enabled') : 'not enabled');
    });
    return [...addresses, this.#register('dr6', '', dr6Fields), this.#register('dr7', '', dr7Fields)];
  }

  #x87(): RegisterRecord[] {
    const { cpu } = this.#target;
    const top = (cpu.get32(FIELD.fpStatus) >>> 11) & 7, full = cpu.get32(FIELD.fpTags);
    const stack = Array.from({ length: 8 }, (_, n) => {
      const isFull = ((full >>> ((top + n) & 7)) & 1) !== 0;
      const text = extendedText(this.#value(`st${n}`));
      return this.#register(`st${n}`, isFull ? text : `empty (${text})`);
    });
    return [
      ...stack,
      this.#register('fctrl', '', fpControlFields),
      this.#register('fstat', '', fpStatusFields),
      this.#register('ftag', '', fpTagFields),
      this.#register('fop', 'opcode of the last instruction'),
      this.#register('fiseg', 'its code segment'),
      this.#register('fioff', 'its offset'),
      this.#register('foseg', "segment of its operand"),
      this.#register('fooff', "offset of its operand"),
    ];
  }

  #sse(): RegisterRecord[] {
    const floats = new DataView(new ArrayBuffer(16));
    const vectors = Array.from({ length: this.#target.cpu.isLong ? 16 : 8 }, (_, n) => {
      const value = this.#value(`xmm${n}`);
      floats.setBigUint64(0, value & 0xffffffffffffffffn, true);
      floats.setBigUint64(8, value >> 64n, true);
      const texts = [0, 4, 8, 12].map((at) => String(Number(floats.getFloat32(at, true).toPrecision(7))));
      return this.#register(`xmm${n}`, value === 0n ? '' : `as 4 floats: ${texts.join(', ')}`);
    });
    return [...vectors, this.#register('mxcsr', '', mxcsrFields)];
  }

  #msrs(): RegisterRecord[] {
    const notes: Readonly<Record<string, string>> = {
      tsc: 'time-stamp counter', sysenter_cs: 'code segment of SYSENTER', sysenter_esp: 'stack of SYSENTER',
      sysenter_eip: 'entry of SYSENTER', debugctl: 'last-branch recording', ebl_cr_poweron: 'bus configuration',
    };
    return this.#target.cpu.debugAccess.msrs.filter((index) => index !== 0xc0000080).map((index) => {
      const known = msrNames[index];
      const name = known ?? `msr.${hexOf(index)}`;
      const value = this.#target.registers.get(`msr.${hexOf(index)}`) ?? 0n;
      const target = known?.startsWith('sysenter_e') === true && value !== 0n ? this.#symbol(value) : null;
      return {
        name, value: hexOf(value, 16), width: 64, editable: !READ_ONLY_MSRS.has(index), fields: [],
        note: [`MSR ${hexOf(index)}h`, notes[name] ?? '', target ?? ''].filter((part) => part !== '').join(', '),
      };
    });
  }
}

export function fieldsOf(value: bigint, rows: readonly FieldRow[]): RegisterRecord['fields'] {
  return rows.map(([name, high, low, meaning]) => {
    const field = Number((value >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n));
    return {
      name,
      bits: high === low ? String(low) : `${high}:${low}`,
      value: hexOf(field),
      meaning: typeof meaning === 'string' ? meaning : meaning(field),
    };
  });
}

/** The 8259s, known by the shape of their state; the first by its id has IRQ 0 to 7. */
function interruptGroup(devices: readonly Device[]): RegisterGroup {
  const registers: RegisterRecord[] = [];
  let firstIrq = 0;
  for (const device of devices.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
    const state = device.state.save() as Record<string, unknown> | null;
    if (state === null || typeof state !== 'object') continue;
    const { imr, isr, elcr, edges, lines, base } = state;
    if (![imr, isr, elcr, edges, lines, base].every((value) => typeof value === 'number')) continue;
    registers.push(...controllerRegisters(device.id, state as Record<string, number>, firstIrq));
    firstIrq += 8;
  }
  return { id: 'interrupts', title: 'Interrupt controllers', registers };
}

function controllerRegisters(id: string, state: Record<string, number>, firstIrq: number): RegisterRecord[] {
  const requests = (state.edges & ~state.elcr) | (state.lines & state.elcr);
  const make = (name: string, value: number, what: string, note: string): RegisterRecord => ({
    name: `${id}.${name}`, value: hexOf(value, 2), width: 8, editable: false, note,
    fields: what === '' ? [] : fieldsOf(BigInt(value), irqFields(firstIrq, what)),
  });
  const names = (bits: number): string => {
    const set = [0, 1, 2, 3, 4, 5, 6, 7].filter((n) => ((bits >>> n) & 1) !== 0);
    return set.map((n) => `IRQ${firstIrq + n}`).join(' ');
  };
  return [
    make('irr', requests, 'requested', names(requests) || 'no requests'),
    make('isr', state.isr, 'in service', names(state.isr) || 'none in service'),
    make('imr', state.imr, 'masked', names(~state.imr & 0xff) === '' ? 'all masked' : `open: ${names(~state.imr & 0xff)}`),
    make('elcr', state.elcr, 'level-triggered', names(state.elcr)),
    make('base', state.base, '', `vectors ${hexOf(state.base)}h to ${hexOf(state.base + 7)}h`),
  ];
}
