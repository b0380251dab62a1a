// The fake guest's state as the debugger shows it.
import type {
  DescriptorTable,
  PageWalk,
  RegisterGroup,
  RegisterRecord,
  SegmentRecord,
  StateNode,
  TextPart,
} from '../../core/api/debug.ts';
import { REGISTERS, symbolOf } from './fakeGuest.ts';
import type { FakeGuest } from './fakeGuest.ts';

const hex = (value: number): string => (value >>> 0).toString(16);
const KNOWN = new Set<string>([...REGISTERS, 'al', 'bl', 'dx', 'cr0', 'cr3', 'cr4']);

export function partsOf(text: string): TextPart[] {
  const [mnemonic, ...rest] = text.split(' ');
  const operands = rest.join(' ').match(/\w+|[^\w]/g) ?? [];
  return [
    { text: mnemonic!, kind: 'mnemonic' },
    ...(rest.length > 0 ? [{ text: ' ', kind: 'text' as const }] : []),
    ...operands.map((word): TextPart => {
      if (KNOWN.has(word)) return { text: word, kind: 'register' };
      if (/^8010[0-9A-F]{4}h$/.test(word)) return { text: word, kind: 'address' };
      if (/^[0-9A-F]+h?$/.test(word)) return { text: word, kind: 'number' };
      if (word === 'dword') return { text: word, kind: 'keyword' };
      return { text: word, kind: /\w/.test(word) ? 'symbol' : 'punctuation' };
    }),
  ];
}

const plain = (name: string, value: number, note = '', width = 32): RegisterRecord => ({
  name,
  value: hex(value),
  width,
  editable: true,
  note,
  fields: [],
});

/** Fields from `NAME:bit` or `NAME:high-low` words. */
function fields(value: number, words: string): RegisterRecord['fields'] {
  return words.split(' ').map((word) => {
    const [name, bits] = word.split(':') as [string, string];
    const [high, low] = bits.includes('-')
      ? (bits.split('-').map(Number) as [number, number])
      : [Number(bits), Number(bits)];
    const part = (value >>> low) & (2 ** (high - low + 1) - 1);
    return {
      name,
      bits: high === low ? String(high) : `${high}:${low}`,
      value: hex(part),
      meaning: name === 'IOPL' ? `ring ${part}` : (MEANINGS[name] ?? ''),
    };
  });
}
const MEANINGS: Readonly<Record<string, string>> = {
  PE: 'Protection Enable',
  PG: 'Paging',
  WP: 'Write Protect',
  ET: 'Extension Type',
  IF: 'Interrupt Enable',
  ZF: 'Zero',
  PF: 'Parity',
  CF: 'Carry',
  SF: 'Sign',
  OF: 'Overflow',
  DF: 'Direction',
  TF: 'Trap',
  AF: 'Auxiliary Carry',
  PSE: 'Page Size Extensions',
};

function noteOf(guest: FakeGuest, value: number): string {
  const symbol = symbolOf(value);
  if (symbol !== null) return symbol;
  if (Math.abs((value | 0) - guest.registers.esp) < 4096 || value === guest.registers.esp) return 'stack';
  return String(value | 0);
}

export function registersOf(guest: FakeGuest): RegisterGroup[] {
  const order = ['eax', 'ebx', 'ecx', 'edx', 'esi', 'edi', 'ebp', 'esp'] as const;
  const float = (index: number): RegisterRecord => ({
    ...plain(`ST${index}`, 0, index === 0 ? '3.14159' : 'empty', 80),
    value: index === 0 ? '4000c90fdaa22168c235' : '0',
  });
  return [
    {
      id: 'general',
      title: 'General',
      registers: [
        ...order.map((name) => plain(name.toUpperCase(), guest.registers[name], noteOf(guest, guest.registers[name]))),
        plain('EIP', guest.eip, symbolOf(guest.eip) ?? ''),
      ],
    },
    {
      id: 'flags',
      title: 'Flags',
      registers: [
        {
          ...plain('EFLAGS', guest.eflags),
          fields: fields(
            guest.eflags,
            'ID:21 AC:18 VM:17 NT:14 IOPL:13-12 OF:11 DF:10 IF:9 TF:8 SF:7 ZF:6 AF:4 PF:2 CF:0',
          ),
        },
      ],
    },
    {
      id: 'control',
      title: 'Control',
      registers: [
        {
          ...plain('CR0', 0x80010011),
          fields: fields(0x80010011, 'PG:31 CD:30 NW:29 AM:18 WP:16 NE:5 ET:4 TS:3 EM:2 MP:1 PE:0'),
        },
        { ...plain('CR4', 0x10), fields: fields(0x10, 'OSFXSR:9 PGE:7 PAE:5 PSE:4 DE:3 TSD:2 PVI:1 VME:0') },
        plain('CR2', 0x3ffc, 'last page fault'),
        plain('CR3', guest.cr3, 'page directory'),
      ],
    },
    {
      id: 'tables',
      title: 'Tables',
      registers: [
        plain('GDTR', 0x80102d50, 'limit 2Fh, 6 descriptors', 48),
        plain('IDTR', 0x80104ca0, 'limit 7FFh, 256 gates', 48),
      ],
    },
    {
      id: 'debug',
      title: 'Debug',
      registers: [0, 1, 2, 3, 6, 7].map((index) =>
        plain(`DR${index}`, index === 6 ? 0xffff0ff0 : index === 7 ? 0x400 : 0),
      ),
    },
    {
      id: 'x87',
      title: 'x87',
      registers: [
        plain('FCW', 0x37f, 'round to nearest', 16),
        plain('FSW', 0, 'top 0', 16),
        plain('FTW', 0xffff, '', 16),
        ...[0, 1, 2, 3, 4, 5, 6, 7].map(float),
      ],
    },
    {
      id: 'sse',
      title: 'SSE',
      registers: [
        {
          ...plain('MXCSR', 0x1f80, 'all masked'),
          fields: fields(0x1f80, 'FZ:15 RC:14-13 PM:12 UM:11 OM:10 ZM:9 DM:8 IM:7'),
        },
        ...[0, 1, 2, 3].map((index) => ({ ...plain(`XMM${index}`, 0, '0.0 0.0 0.0 0.0', 128), value: '0' })),
      ],
    },
    {
      id: 'msr',
      title: 'MSR',
      registers: [
        plain('TSC', guest.instructions * 3, 'time stamp', 64),
        plain('SYSENTER_CS', 8, '', 64),
        { ...plain('EFER', 0, 'long mode off', 64), editable: false },
      ],
    },
    {
      id: 'interrupts',
      title: 'Interrupt controllers',
      registers: [
        plain('PIC0 IMR', 0xfe, 'IRQ 0 open', 8),
        plain('PIC0 ISR', 0, 'none in service', 8),
        plain('PIC0 IRR', 0, 'none asked', 8),
        plain('PIC1 IMR', 0xff, 'all masked', 8),
      ],
    },
  ];
}

export function segmentsOf(_guest: FakeGuest): SegmentRecord[] {
  const flat = (name: string, selector: string, type: string): SegmentRecord => ({
    name,
    selector,
    base: '0',
    limit: 'ffffffff',
    type,
    privilege: 0,
    present: true,
  });
  return [
    flat('CS', '8', 'code 32, DPL 0'),
    ...['SS', 'DS', 'ES'].map((name) => flat(name, '10', 'data, DPL 0')),
    ...['FS', 'GS'].map((name): SegmentRecord => ({
      name,
      selector: '0',
      base: '0',
      limit: '0',
      type: 'null',
      privilege: 0,
      present: false,
    })),
    { name: 'LDTR', selector: '0', base: '0', limit: '0', type: 'null', privilege: 0, present: false },
    { name: 'TR', selector: '28', base: '80102d94', limit: '67', type: 'TSS 32, busy', privilege: 0, present: true },
  ];
}

export function descriptorsOf(table: 'gdt' | 'ldt' | 'idt'): DescriptorTable {
  if (table === 'ldt') return { table, base: '0', limit: '0', entries: [], problem: 'LDTR holds the null selector.' };
  if (table === 'idt') {
    return {
      table,
      base: '80104ca0',
      limit: '7ff',
      problem: null,
      entries: Array.from({ length: 256 }, (_, index) => ({
        index,
        selector: '8',
        raw: index === 32 ? '80108e0000080100' : '80108e0000080140',
        type: '32-bit interrupt gate',
        present: true,
        privilege: 0,
        base: index === 32 ? '80100100' : '80100140',
        limit: null,
        target: index === 32 ? 'on_timer' : 'panic',
        flags: '',
      })),
    };
  }
  const entry = (index: number, raw: string, type: string, privilege: number, present = true) => ({
    index,
    selector: hex(index * 8),
    raw,
    type,
    present,
    privilege,
    base: present ? '0' : null,
    limit: present ? 'ffffffff' : null,
    target: null,
    flags: present ? '4 KiB units, 32-bit' : '',
  });
  return {
    table,
    base: '80102d50',
    limit: '2f',
    problem: null,
    entries: [
      entry(0, '0', 'null', 0, false),
      entry(1, 'cf9a000000ffff', 'code, readable, accessed', 0),
      entry(2, 'cf92000000ffff', 'data, writable, accessed', 0),
      entry(3, 'cffa000000ffff', 'code, readable', 3),
      entry(4, 'cff2000000ffff', 'data, writable', 3),
      { ...entry(5, '80008b102d940067', 'TSS 32, busy', 0), base: '80102d94', limit: '67', flags: 'bytes' },
    ],
  };
}

export function taskStateOf() {
  const field = (name: string, offset: number, value: string, note = '') => ({ name, offset, value, note });
  return {
    selector: '28',
    base: '80102d94',
    limit: '67',
    type: 'TSS 32, busy',
    problem: null,
    fields: [
      field('ESP0', 4, '80107000', 'stack of ring 0'),
      field('SS0', 8, '10'),
      field('CR3', 28, '105000'),
      field('EIP', 32, '0'),
      field('I/O map', 102, '68', 'beyond the limit: no ports'),
    ],
  };
}

export function pageWalkOf(
  guest: FakeGuest,
  linear: number,
  mapped: (space: string, address: number) => boolean,
): PageWalk {
  const present = mapped('linear', linear);
  const code = linear < 0x80102000;
  const physical = linear & 0x7fffffff;
  const bits = (p: boolean, w: boolean, a: boolean, d: boolean | null) => [
    { name: 'P', set: p, meaning: p ? 'present' : 'not present: page fault' },
    { name: 'W', set: w, meaning: w ? 'writable' : 'read-only' },
    { name: 'U', set: false, meaning: 'supervisor only' },
    { name: 'A', set: a, meaning: a ? 'accessed' : 'not accessed' },
    ...(d === null ? [] : [{ name: 'D', set: d, meaning: d ? 'written to' : 'not written to' }]),
  ];
  const directory = linear >>> 22;
  const table = (linear >>> 12) & 0x3ff;
  return {
    linear: hex(linear),
    paging: '32-bit, 4 KiB pages',
    levels: [
      {
        name: 'PDE',
        index: directory,
        entryAddress: hex(guest.cr3 + directory * 4),
        entry: linear >= 0x80000000 ? '106023' : '0',
        bits: bits(linear >= 0x80000000, true, true, null),
        problem: linear >= 0x80000000 ? null : 'not present',
      },
      ...(linear >= 0x80000000
        ? [
            {
              name: 'PTE',
              index: table,
              entryAddress: hex(0x106000 + table * 4),
              entry: present ? hex((physical & ~0xfff) | (code ? 0x21 : 0x63)) : '0',
              bits: bits(present, present && !code, present, present && !code),
              problem: present ? null : 'not present',
            },
          ]
        : []),
    ],
    physical: present ? hex(physical) : null,
    pageBytes: 4096,
    rights: present ? (code ? 'supervisor, read-only' : 'supervisor, writable') : 'none',
    target: present ? 'RAM' : 'nothing',
    inTlb: present && code,
    summary: present ? `mapped, ${code ? 'read-only' : 'writable'}` : 'not mapped',
    problem: present ? null : `${linear >= 0x80000000 ? 'PTE' : 'PDE'} is not present: an access raises a page fault.`,
  };
}

export function devicesOf(guest: FakeGuest): { id: string; title: string; state: StateNode }[] {
  const leaf = (name: string, value: string): StateNode => ({ name, value, children: [] });
  return [
    {
      id: 'pic0',
      title: '8259A interrupt controllers',
      state: { name: 'pic0', value: '', children: [leaf('imr', 'feh'), leaf('isr', '0h'), leaf('irr', '0h')] },
    },
    {
      id: 'pit0',
      title: '8254 timer',
      state: {
        name: 'pit0',
        value: '',
        children: [0, 1, 2].map((index) => ({
          name: `counter ${index}`,
          value: '',
          children: [
            leaf('mode', '2'),
            leaf('reload', '11932'),
            leaf('now', String(11932 - (guest.instructions % 11932))),
          ],
        })),
      },
    },
    {
      id: 'uart0',
      title: '16550A serial port COM1',
      state: { name: 'uart0', value: '', children: [leaf('lcr', '3h'), leaf('ier', '0h'), leaf('lsr', '60h')] },
    },
  ];
}
