// What an exit was, what the hypervisor did and what the device answered, in words.
import type { ExitKind } from '../../cpu/state/exitClasses.ts';
import { exceptionNames } from '../descriptorTables.ts';
import { hexText } from '../numberText.ts';
import type { RecordedTrap } from './trapRecorder.ts';

export interface Owners {
  portOwner(port: number): string | null;
  mmioOwner(address: number): string | null;
}

export interface TrapWords {
  readonly cause: string;
  readonly hypervisor: string;
  readonly answer: string;
}

export const exitTitles: Readonly<Record<ExitKind, string>> = {
  port: 'Port I/O', mmio: 'MMIO', hlt: 'HLT', cpuid: 'CPUID', msr: 'MSR', rdtsc: 'RDTSC', 'control-register': 'Control register',
  'debug-register': 'Debug register', 'descriptor-table': 'Descriptor table', segment: 'Segment load', 'far-transfer': 'Far transfer',
  tlb: 'INVLPG', exception: 'Exception', 'page-fault': 'Page fault', interrupt: 'Interrupt', 'software-interrupt': 'Software interrupt',
  flags: 'Interrupt flag', other: 'Other',
};

const sized = (value: number, bytes: number): string => {
  const cut = bytes >= 4 ? value : value & (bytes === 2 ? 0xffff : 0xff);
  return hexText(cut >>> 0, Math.min(bytes, 4) * 2);
};
const bytesText = (bytes: number): string => `${bytes} byte${bytes === 1 ? '' : 's'}`;
const SEGMENTS = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'];
const TABLES = ['GDTR', 'IDTR', 'LDTR', 'TR'];

/** Page-fault error code (SDM 3A 4.7). */
function faultText(error: number): string {
  const who = (error & 4) !== 0 ? 'user' : 'kernel';
  const how = (error & 16) !== 0 ? 'fetch' : (error & 2) !== 0 ? 'write' : 'read';
  return `${who} ${how}, ${(error & 1) !== 0 ? 'protection' : 'not present'}`;
}

export function trapWords({ kind, a, b, c, d }: RecordedTrap, owners: Owners): TrapWords {
  const isWrite = d !== 0;
  switch (kind) {
    case 'port':
    case 'mmio': {
      const owner = (kind === 'port' ? owners.portOwner(a) : owners.mmioOwner(a)) ?? 'nobody';
      const where = kind === 'port' ? `Port ${hexText(a)}` : `MMIO ${hexText(a, 8)}`;
      return {
        cause: `${where} ${isWrite ? 'write' : 'read'}, ${bytesText(c)}`,
        hypervisor: isWrite ? `${sized(b, c)} to ${owner}` : `read of ${owner}`,
        answer: isWrite ? '' : sized(b, c),
      };
    }
    case 'hlt':
      return { cause: 'HLT', hypervisor: 'sleeps until an interrupt', answer: '' };
    case 'cpuid':
      return { cause: `CPUID leaf ${hexText(a)}`, hypervisor: 'answered from the CPU model', answer: '' };
    case 'msr':
      return {
        cause: `MSR ${hexText(a)} ${isWrite ? 'write' : 'read'}`,
        hypervisor: isWrite ? `set the guest's register to ${hexText(c, 8).slice(0, -1)}${hexText(b, 8)}` : "read the guest's register",
        answer: isWrite ? '' : `${hexText(c, 8).slice(0, -1)}${hexText(b, 8)}`,
      };
    case 'rdtsc':
      return { cause: 'Time-stamp counter', hypervisor: 'guest time at 1 GHz', answer: String(b * 2 ** 32 + a) };
    case 'control-register':
      return {
        cause: `CR${a} ${isWrite ? 'write' : 'read'}`,
        hypervisor: isWrite ? controlText(a) : "read the guest's register",
        answer: sized(b, 4),
      };
    case 'debug-register':
      return { cause: `DR${a} ${isWrite ? 'write' : 'read'}`, hypervisor: isWrite ? "armed the guest's breakpoints" : "read the guest's register", answer: sized(b, 4) };
    case 'descriptor-table': {
      const table = TABLES[c] ?? '?';
      const value = c < 2 ? `${hexText(a, 8)}, limit ${hexText(b, 4)}` : `selector ${hexText(a, 4)}`;
      return { cause: `${isWrite ? 'Load' : 'Store'} ${table}`, hypervisor: isWrite ? `the guest's ${table} is ${value}` : `showed the guest's ${table}`, answer: isWrite ? '' : value };
    }
    case 'segment':
      return { cause: `Load of ${SEGMENTS[b] ?? '?'}`, hypervisor: "read the guest's descriptor", answer: `selector ${hexText(a, 4)}` };
    case 'far-transfer':
      return { cause: c === 1 ? 'IRET' : 'Far transfer', hypervisor: "checked the guest's descriptors", answer: `to ${hexText(a, 4).slice(0, -1)}:${hexText(b, 8)}` };
    case 'tlb':
      return { cause: `INVLPG ${hexText(a, 8)}`, hypervisor: 'dropped the TLB entry', answer: '' };
    case 'page-fault':
      return { cause: `Touch of ${hexText(a, 8)}`, hypervisor: `#PF to the guest: ${faultText(b)}`, answer: `error ${hexText(b)}` };
    case 'exception':
      return { cause: exceptionNames[a] ?? `Exception ${a}`, hypervisor: "delivered through the guest's IDT", answer: b === 0 ? '' : `error ${hexText(b)}` };
    case 'interrupt':
      return { cause: `Interrupt, vector ${hexText(a)}`, hypervisor: 'injected with IF = 1', answer: 'in service' };
    case 'software-interrupt':
      return { cause: `INT ${hexText(a)}`, hypervisor: "delivered through the guest's IDT", answer: '' };
    case 'flags':
      return { cause: 'Interrupt flag', hypervisor: "the guest's virtual IF", answer: (a & 0x200) !== 0 ? 'IF = 1' : 'IF = 0' };
    case 'other':
      return { cause: 'Other', hypervisor: '', answer: '' };
  }
}

function controlText(register: number): string {
  if (register === 3) return "switched the guest's page tables, dropped its TLB";
  return register === 0 || register === 4 ? "set the guest's mode" : "set the guest's register";
}
