// Descriptor tables, page tables, physical memory and devices.
import type { StateNode } from '../../api/debug.ts';
import { DebugError } from '../target.ts';
import { completeSymbol, required, type MonitorCommand, type MonitorContext } from './command.ts';
import { grouped, plural, table } from './format.ts';

function descriptors(name: 'gdt' | 'ldt' | 'idt', help: string): MonitorCommand {
  return {
    names: [name], group: 'Tables', arguments: '', help,
    run: async (_text, context) => {
      const result = await context.handlers['debug.descriptors']({ table: name });
      const head = `${result.table.toUpperCase()} at ${result.base}, limit ${result.limit}${result.problem === null ? '' : `\n${result.problem}`}`;
      const rows = result.entries.map((entry) => [
        name === 'idt' ? entry.index.toString(16).padStart(2, '0') : entry.selector,
        entry.type,
        entry.target ?? (entry.base === null ? '' : `base ${entry.base} limit ${entry.limit ?? ''}`),
        entry.flags,
      ]);
      return rows.length === 0 ? head : `${head}\n${table(rows)}`;
    },
  };
}

function tree(node: StateNode, depth: number, rows: string[]): void {
  rows.push(`${'  '.repeat(depth)}${node.name}${node.value === '' ? '' : `: ${node.value}`}`);
  for (const child of node.children) tree(child, depth + 1, rows);
}

async function walk(text: string, context: MonitorContext): Promise<string> {
  const result = await context.handlers['debug.pageWalk']({ at: required(text, 'an address') });
  const levels = result.levels.map((level) => {
    const set = level.bits.filter((bit) => bit.set).map((bit) => bit.name).join(' ');
    const meanings = level.bits.map((bit) => `    ${bit.name.padEnd(4)} ${bit.set ? '1' : '0'}  ${bit.meaning}`);
    const problem = level.problem === null ? [] : [`    ${level.problem}`];
    return [`  ${level.name} ${level.index} at physical ${level.entryAddress}: ${level.entry}  ${set}`, ...meanings, ...problem].join('\n');
  });
  const tlb = result.inTlb ? 'in the TLB' : 'not in the TLB';
  const problem = result.problem === null || result.summary.includes(result.problem) ? [] : [result.problem];
  return [result.paging, ...levels, `${result.summary}, ${tlb}`, ...problem].join('\n');
}

async function devices(text: string, context: MonitorContext): Promise<string> {
  const { devices: all } = await context.handlers['debug.devices']({});
  if (text === '') return table(all.map(({ id, title }) => [id, title]));
  const device = all.find(({ id }) => id === text);
  if (device === undefined) throw new DebugError(`there is no device ${text}: ${all.map(({ id }) => id).join(', ')}`);
  const rows = [device.title];
  // The schema of a tree is recursive, so its input is not typed.
  for (const child of (device.state as StateNode).children) tree(child, 1, rows);
  return rows.join('\n');
}

export const tableCommands: readonly MonitorCommand[] = [
  descriptors('gdt', 'lists the global descriptor table'),
  descriptors('ldt', 'lists the local descriptor table'),
  descriptors('idt', 'lists the interrupt table: gates, or vectors in real mode'),
  {
    names: ['tss'], group: 'Tables', arguments: '', help: "shows the task-state segment",
    run: async (_text, context) => {
      const result = await context.handlers['debug.taskState']({});
      const head = `TSS ${result.selector} at ${result.base}, limit ${result.limit}: ${result.type}${result.problem === null ? '' : `\n${result.problem}`}`;
      const rows = result.fields.map((field) => [field.offset.toString(16).padStart(2, '0'), field.name, field.value, field.note]);
      return rows.length === 0 ? head : `${head}\n${table(rows)}`;
    },
  },
  {
    names: ['walk'], group: 'Tables', arguments: 'ADDRESS', help: 'walks the page tables for an address, level by level',
    complete: (_before, word, context) => completeSymbol(word, context), run: walk,
  },
  {
    names: ['map', 'space'], group: 'Tables', arguments: '', help: 'lists all that the page tables map, folded',
    run: async (_text, context) => {
      const result = await context.handlers['debug.addressSpace']({});
      const rows = result.ranges.map((range) => [
        `${range.from}-${range.to}`, range.physical, range.rights, grouped(range.pages), range.symbol ?? '',
      ]);
      const head = `${result.paging}, root ${result.root}, ${plural(result.ranges.length, 'range')}${result.truncated ? ' (there are more)' : ''}`;
      return rows.length === 0 ? head : `${head}\n${table([['linear', 'physical', 'rights', 'pages', ''], ...rows], [3])}`;
    },
  },
  {
    names: ['tlb'], group: 'Tables', arguments: '', help: 'lists the translations that the TLBs hold',
    run: async (_text, context) => {
      const { entries } = await context.handlers['debug.tlb']({});
      const rows = entries.map((entry) => [
        entry.linear, entry.physical, entry.privilege,
        `${entry.readable ? 'r' : '-'}${entry.writable ? 'w' : '-'}${entry.code ? 'x' : '-'}`, entry.global ? 'global' : '',
      ]);
      return `${plural(entries.length, 'entry', 'entries')}${rows.length === 0 ? '' : `\n${table(rows)}`}`;
    },
  },
  {
    names: ['physical'], group: 'Tables', arguments: '', help: 'lists physical memory: RAM, ROM, devices',
    run: async (_text, context) => {
      const { ranges } = await context.handlers['debug.physicalMap']({});
      return table(ranges.map((range) => [`${range.from}-${range.to}`, range.kind, range.name === range.kind ? '' : range.name]));
    },
  },
  {
    names: ['devices', 'device'], group: 'Tables', arguments: '[ID]', help: "lists devices, or shows one's whole state",
    complete: async (before, _word, context) =>
      before.length > 0 ? [] : (await context.handlers['debug.devices']({})).devices.map(({ id }) => id),
    run: devices,
  },
];
