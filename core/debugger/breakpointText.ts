// A breakpoint in words.
import type { BreakpointWhere } from '../api/debug.ts';
import { hexText } from './numberText.ts';

const ACCESS = { read: 'read', write: 'write', access: 'access' } as const;

export function breakpointText(where: BreakpointWhere): string {
  switch (where.kind) {
    case 'execute':
      return where.space === 'physical' ? `physical ${where.at}` : where.at;
    case 'data':
      return `${ACCESS[where.access]} of ${where.space === 'physical' ? 'physical ' : ''}${where.at}, ${where.length} byte${where.length === 1 ? '' : 's'}`;
    case 'port':
      return `port ${hexText(where.from)}${where.to === where.from ? '' : `..${hexText(where.to)}`}, ${ACCESS[where.access]}`;
    case 'mmio':
      return `MMIO ${where.from}, ${where.length} bytes, ${ACCESS[where.access]}`;
    case 'interrupt':
      return where.vector === null ? 'any interrupt' : `interrupt ${hexText(where.vector)}`;
    case 'exception':
      return where.vector === null ? 'any exception' : `exception ${where.vector}`;
    case 'control-register':
      return `write to ${where.register.toUpperCase()}`;
    case 'msr':
      return where.index === null ? 'write to any MSR' : `write to MSR ${hexText(where.index)}`;
    case 'mode-change':
      return 'change of mode';
    case 'privilege-change':
      return 'change of privilege level';
    case 'address-space':
      return 'change of address space';
    case 'exit':
      return `exit: ${where.exitClass}`;
    case 'instruction':
      return `${where.class === 'sensitive-unprivileged' ? 'sensitive, unprivileged' : where.class} instruction`;
  }
}
