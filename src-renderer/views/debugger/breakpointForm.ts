// The dialog's fields and the contract's breakpoints, there and back.
import type { BreakpointSpecification, BreakpointWhere } from '../../../core/api/debug.ts';
import type { ExitClass } from '../../debugger/exitGroups.ts';
import { manualHex } from '../../debugger/hex.ts';

export type BreakpointKind = BreakpointWhere['kind'];
export const BREAKPOINT_KINDS: readonly { value: BreakpointKind; label: string; word: string }[] = [
  { value: 'execute', label: 'Execution of an address', word: 'exec' },
  { value: 'data', label: 'Access to memory', word: 'data' },
  { value: 'port', label: 'I/O port', word: 'port' },
  { value: 'mmio', label: 'Device memory (MMIO)', word: 'mmio' },
  { value: 'interrupt', label: 'Interrupt', word: 'irq' },
  { value: 'exception', label: 'Exception', word: 'fault' },
  { value: 'control-register', label: 'Write to a control register', word: 'CR' },
  { value: 'msr', label: 'Write to an MSR', word: 'MSR' },
  { value: 'mode-change', label: 'Change of processor mode', word: 'mode' },
  { value: 'privilege-change', label: 'Change of privilege', word: 'ring' },
  { value: 'address-space', label: 'Switch of address space', word: 'space' },
  { value: 'exit', label: 'Exit of a class', word: 'exit' },
  { value: 'instruction', label: 'Instruction of a class', word: 'instr' },
];

export function kindWord(where: BreakpointWhere): string {
  if (where.kind === 'data') return where.access;
  return BREAKPOINT_KINDS.find(({ value }) => value === where.kind)!.word;
}

export type Access = 'read' | 'write' | 'access';
/** All fields of all kinds as text, so that switching the kind loses nothing. */
export interface BreakpointForm {
  kind: BreakpointKind;
  at: string;
  space: 'linear' | 'physical';
  length: string;
  access: Access;
  fromPort: string;
  toPort: string;
  vector: string;
  register: 'cr0' | 'cr2' | 'cr3' | 'cr4';
  msr: string;
  exitClass: ExitClass;
  instructionClass: 'sensitive' | 'privileged' | 'sensitive-unprivileged';
  condition: string;
  ignoreHits: string;
  log: string;
  oneShot: boolean;
  enabled: boolean;
  addressSpace: string;
}

export function formOf(specification: BreakpointSpecification | null): BreakpointForm {
  const form: BreakpointForm = {
    kind: 'execute',
    at: '',
    space: 'linear',
    length: '4',
    access: 'write',
    fromPort: '',
    toPort: '',
    vector: '',
    register: 'cr3',
    msr: '',
    exitClass: 'port',
    instructionClass: 'sensitive',
    condition: specification?.condition ?? '',
    ignoreHits: String(specification?.ignoreHits ?? 0),
    log: specification?.log ?? '',
    oneShot: specification?.oneShot ?? false,
    enabled: specification?.enabled ?? true,
    addressSpace: specification?.addressSpace ?? '',
  };
  const where = specification?.where;
  if (where === undefined) return form;
  form.kind = where.kind;
  switch (where.kind) {
    case 'execute':
      return { ...form, at: where.at, space: where.space };
    case 'data':
      return { ...form, at: where.at, space: where.space, length: String(where.length), access: where.access };
    case 'port':
      return { ...form, fromPort: manualHex(where.from), toPort: manualHex(where.to), access: where.access };
    case 'mmio':
      return { ...form, at: where.from, length: String(where.length), access: where.access };
    case 'interrupt':
    case 'exception':
      return { ...form, vector: where.vector === null ? '' : manualHex(where.vector) };
    case 'control-register':
      return { ...form, register: where.register };
    case 'msr':
      return { ...form, msr: where.index === null ? '' : manualHex(where.index) };
    case 'exit':
      return { ...form, exitClass: where.exitClass };
    case 'instruction':
      return { ...form, instructionClass: where.class };
    default:
      return form;
  }
}

/** What the form says, or field and reason of what is wrong with it. */
export type FormResult =
  | { readonly specification: BreakpointSpecification }
  | { readonly field: keyof BreakpointForm; readonly problem: string };

export function specificationOf(form: BreakpointForm): FormResult {
  const where = whereOf(form);
  if ('field' in where) return where;
  const ignoreHits = Number(form.ignoreHits.trim() || '0');
  if (!Number.isInteger(ignoreHits) || ignoreHits < 0)
    return { field: 'ignoreHits', problem: 'A whole number from 0 on.' };
  return {
    specification: {
      where,
      enabled: form.enabled,
      condition: form.condition.trim(),
      ignoreHits,
      log: form.log.trim(),
      oneShot: form.oneShot,
      addressSpace: form.addressSpace.trim(),
    },
  };
}

type Wrong = Extract<FormResult, { problem: string }>;

/** Ports, vectors and MSRs are written in hexadecimal, with or without `h` or `0x`. */
function parse(form: BreakpointForm, field: 'fromPort' | 'toPort' | 'vector' | 'msr', most: number): number | Wrong {
  const digits = form[field].trim().replace(/^0x|h$/gi, '');
  const value = /^[0-9a-f]+$/i.test(digits) ? parseInt(digits, 16) : NaN;
  if (Number.isNaN(value) || value > most) return { field, problem: `A hexadecimal number up to ${manualHex(most)}.` };
  return value;
}

function whereOf(form: BreakpointForm): BreakpointWhere | Wrong {
  const needsPlace = form.kind === 'execute' || form.kind === 'data' || form.kind === 'mmio';
  const at = form.at.trim();
  if (needsPlace && at === '') return { field: 'at', problem: 'An address or symbol is needed.' };
  const length = Number(form.length);
  if (
    (form.kind === 'data' || form.kind === 'mmio') &&
    (!Number.isInteger(length) || length < 1 || length > 0x1000_0000)
  ) {
    return { field: 'length', problem: 'Bytes, at least 1.' };
  }
  switch (form.kind) {
    case 'execute':
      return { kind: 'execute', at, space: form.space };
    case 'data':
      return { kind: 'data', at, space: form.space, length, access: form.access };
    case 'mmio':
      return { kind: 'mmio', from: at, length, access: form.access };
    case 'port': {
      const from = parse(form, 'fromPort', 0xffff);
      if (typeof from !== 'number') return from;
      const to = form.toPort.trim() === '' ? from : parse(form, 'toPort', 0xffff);
      if (typeof to !== 'number') return to;
      if (to < from) return { field: 'toPort', problem: 'The last port lies before the first.' };
      return { kind: 'port', from, to, access: form.access };
    }
    case 'interrupt':
    case 'exception': {
      const vector = form.vector.trim() === '' ? null : parse(form, 'vector', form.kind === 'interrupt' ? 255 : 31);
      return vector !== null && typeof vector !== 'number' ? vector : { kind: form.kind, vector };
    }
    case 'control-register':
      return { kind: 'control-register', register: form.register };
    case 'msr': {
      const index = form.msr.trim() === '' ? null : parse(form, 'msr', 0xffffffff);
      return index !== null && typeof index !== 'number' ? index : { kind: 'msr', index };
    }
    case 'exit':
      return { kind: 'exit', exitClass: form.exitClass };
    case 'instruction':
      return { kind: 'instruction', class: form.instructionClass };
    default:
      return { kind: form.kind };
  }
}
