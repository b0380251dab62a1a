// The trap inspector over the fake guest.
import type { AuditRow, ExitPolicySettings, Trap, TrapFilter } from '../../core/api/debug.ts';
import type { DebugService } from '../../core/api/debugService.ts';
import { defaultExitPolicy, exitClasses } from '../../core/machine/exitPolicy.ts';
import type { MachineState } from '../../core/machine/machine.ts';
import { PROGRAM, RING, symbolOf } from './fakeGuest.ts';
import type { FakeGuest } from './fakeGuest.ts';

const hex = (value: number): string => (value >>> 0).toString(16);
const TITLES: Readonly<Record<string, string>> = {
  port: 'Port I/O',
  mmio: 'MMIO',
  hlt: 'HLT',
  cpuid: 'CPUID',
  msr: 'MSR',
  rdtsc: 'RDTSC',
  'control-register': 'Control registers',
  'debug-register': 'Debug registers',
  'descriptor-table': 'Descriptor tables',
  segment: 'Segment loads',
  'far-transfer': 'Far transfers',
  tlb: 'INVLPG',
  exception: 'Exceptions',
  'page-fault': 'Page faults',
  interrupt: 'Interrupts',
  'software-interrupt': 'INT n',
  flags: 'CLI, STI, PUSHF, POPF',
  other: 'Other',
};

type Names = Extract<keyof DebugService['handlers'], `traps.${string}`>;

export function fakeTrapHandlers(guest: FakeGuest, state: () => MachineState): Pick<DebugService['handlers'], Names> {
  const policy: ExitPolicySettings = {
    classes: Object.fromEntries(
      exitClasses.map((name) => [name, defaultExitPolicy(name)]),
    ) as ExitPolicySettings['classes'],
    strictUserMode: false,
  };
  const started = performance.now();
  const visible = (filter: TrapFilter) => guest.traps.slice(-RING).filter((trap) => matches(trap, filter));
  return {
    'traps.summary': () => {
      const hostMs = performance.now() - started;
      const ns = [...guest.counts.values()].reduce((sum, { ns: part }) => sum + part, 0) / 100;
      return {
        instructions: guest.instructions * 100,
        guestNs: guest.instructions * 300,
        hostMs,
        timeMs: {
          engine: hostMs * 0.62,
          hypervisor: Math.min(hostMs * 0.1, ns / 1e6),
          devices: hostMs * 0.05,
          idle: hostMs * 0.23,
        },
        mips: state() === 'running' ? 38.4 : 0,
        classes: exitClasses.map((exitClass) => ({
          exitClass,
          title: TITLES[exitClass]!,
          count: guest.counts.get(exitClass)?.count ?? 0,
          ms: (guest.counts.get(exitClass)?.ns ?? 0) / 1e8,
          policy: policy.classes[exitClass],
          stops: 0,
        })),
        tlbFills: Math.floor(guest.instructions / 900),
        pageFaults: 3,
        guestErrors: 2,
        errors: [{ source: 'pit0', what: 'unknown mode', detail: 'mode=7', count: 2 }],
        unclaimedAccesses: [{ kind: 'port', address: '2e8', reads: 4, writes: 1 }],
        cpuModel: 'Pentium II class (i686), no SSE2',
        sensitiveTrapped: [...guest.counts.values()].reduce((sum, { count }) => sum + count, 0),
        recording: performance.now() < guest.recordingUntil,
        recorded: Math.min(RING, guest.traps.length),
      };
    },
    'traps.record': ({ on, keep }) => {
      guest.recordingUntil = on ? performance.now() + (keep ? 1e9 : 10_000) : 0;
      return null;
    },
    'traps.list': ({ filter, before, limit }) => {
      const all = visible(filter);
      const older = before === null ? all : all.filter(({ sequence }) => sequence < before);
      return {
        traps: older.slice(-limit).reverse().map(toTrap),
        matched: all.length,
        recorded: Math.min(RING, guest.traps.length),
        capacity: RING,
      };
    },
    'traps.export': ({ format, filter }) => {
      const rows = visible(filter).map(toTrap);
      const text =
        format === 'csv'
          ? ['sequence,address,cause', ...rows.map((row) => `${row.sequence},${row.address},"${row.cause}"`)].join('\n')
          : JSON.stringify(format === 'json' ? rows : { traceEvents: rows });
      return { name: `traps.${format === 'csv' ? 'csv' : 'json'}`, content: new TextEncoder().encode(text) };
    },
    'traps.audit': () => ({ rows: auditRows(guest) }),
    'traps.vectors': () => ({
      vectors: [
        {
          vector: 0x0e,
          name: '#PF page fault',
          kind: 'exception' as const,
          count: 3,
          latency: [3, 0, 0, 0, 0, 0, 0, 0],
        },
        {
          vector: 0x20,
          name: 'IRQ 0 timer',
          kind: 'interrupt' as const,
          count: guest.vectors.get(0x20) ?? 0,
          latency: [2, 14, 33, 21, 9, 3, 1, 0],
        },
        { vector: 0x24, name: 'IRQ 4 COM1', kind: 'interrupt' as const, count: 0, latency: [0, 0, 0, 0, 0, 0, 0, 0] },
        { vector: 0x40, name: 'INT 40h', kind: 'software' as const, count: 12, latency: [12, 0, 0, 0, 0, 0, 0, 0] },
      ],
    }),
    'traps.hot': ({ by, limit }) => {
      const samples = new Map<number, { samples: number; exits: number }>();
      for (const [address, count] of guest.executed) {
        const place = by === 'page' ? address & ~0xfff : address - offsetOf(address);
        const known = samples.get(place) ?? { samples: 0, exits: 0 };
        const exits = PROGRAM.get(address)?.sensitive == null ? 0 : count;
        samples.set(place, { samples: known.samples + count, exits: known.exits + exits });
      }
      const total = [...samples.values()].reduce((sum, one) => sum + one.samples, 0);
      return {
        samples: total,
        places: [...samples]
          .sort((a, b) => b[1].samples - a[1].samples)
          .slice(0, limit)
          .map(([address, one]) => ({
            address: hex(address),
            symbol: symbolOf(address),
            samples: one.samples,
            share: one.samples / Math.max(1, total),
            exits: one.exits,
          })),
      };
    },
    'traps.policy': () => policy,
    'traps.setPolicy': ({ policy: next }) => Object.assign(policy, next),
  };
}

const offsetOf = (address: number): number => parseInt(symbolOf(address)?.split('+')[1] ?? '0', 16);

const toTrap = (trap: FakeGuest['traps'][number]): Trap => ({
  ...trap,
  guestNs: trap.instructions * 3,
  address: hex(trap.address),
  symbol: symbolOf(trap.address),
});

function matches(trap: FakeGuest['traps'][number], { classes, text }: TrapFilter): boolean {
  if (classes !== null && !classes.includes(trap.exitClass)) return false;
  return text
    .toLowerCase()
    .split(/\s+/)
    .filter(Boolean)
    .every((word) => {
      const [, column, value] = /^(\w+):(.*)$/.exec(word) ?? [null, null, word];
      const symbol = symbolOf(trap.address) ?? '';
      if (column === 'symbol') return symbol.toLowerCase().includes(value!);
      if (column === 'cause') return `${trap.exitClass} ${trap.cause}`.toLowerCase().includes(value!);
      if (column === 'code') return trap.code.toLowerCase().includes(value!);
      if (column === 'ring') return trap.privilege === Number(value);
      if (column === 'cost') return trap.costNs > parseFloat(value!.slice(1)) * (value!.includes('us') ? 1000 : 1);
      return `${symbol} ${trap.code} ${trap.cause} ${trap.hypervisor} ${trap.answer}`.toLowerCase().includes(value!);
    });
}

function auditRows(guest: FakeGuest): AuditRow[] {
  const executed = (text: RegExp): number => {
    let sum = 0;
    for (const [address, count] of guest.executed) if (text.test(PROGRAM.get(address)!.text)) sum += count;
    return sum;
  };
  const row = (
    instruction: string,
    sensitivity: 'control' | 'behaviour',
    trapsWhen: string,
    classic: boolean,
    kernel: number,
    user: number,
    onBare386: string,
    here: string,
  ): AuditRow => ({
    instruction,
    sensitivity,
    privileged: trapsWhen !== 'never',
    trapsWhen,
    classic,
    user,
    kernel,
    onBare386,
    here,
  });
  return [
    row('POPF', 'control', 'never', true, 0, 4, 'a change of IF is lost', 'guest flags, inline'),
    row(
      'PUSHF',
      'behaviour',
      'never',
      true,
      executed(/^pushfd/),
      2,
      'shows the host’s IF and IOPL',
      'guest flags, inline',
    ),
    row('SGDT', 'behaviour', 'never', true, 0, 0, 'shows the host’s table', 'guest’s table'),
    row('SIDT', 'behaviour', 'never', true, executed(/^sidt/), 0, 'shows the host’s table', 'guest’s table'),
    row('SLDT', 'behaviour', 'never', true, 0, 0, 'shows the host’s value', 'guest’s value'),
    row('SMSW', 'behaviour', 'never', true, 0, 0, 'shows the host’s CR0', 'guest’s CR0'),
    row('STR', 'behaviour', 'never', true, 0, 0, 'shows the host’s value', 'guest’s value'),
    ...['LAR', 'LSL', 'VERR', 'VERW'].map((name) =>
      row(name, 'behaviour', 'never', true, 0, 0, 'looks into the host’s tables', 'guest’s tables'),
    ),
    ...['POP sreg', 'PUSH sreg', 'CALL far', 'JMP far', 'INT n', 'RET far', 'MOV sreg'].map((name) =>
      row(name, 'behaviour', 'never', true, 0, name === 'INT n' ? 12 : 0, 'shows or checks ring 3', 'guest’s CPL'),
    ),
    row('IRET', 'control', 'never', false, executed(/^iretd/), 0, 'stays in ring 3', 'in the engine'),
    row('MOV CR', 'control', 'CPL 0', false, executed(/cr\d/), 0, '#GP, emulated', 'exit'),
    row('HLT', 'control', 'CPL 0', false, executed(/^hlt/), 0, '#GP, emulated', 'exit, sleep'),
    row('LGDT', 'control', 'CPL 0', false, executed(/^lgdt/), 0, '#GP, emulated', 'exit'),
    row('IN, OUT', 'control', 'IOPL', false, executed(/^(in|out) /), 0, '#GP by IOPL', 'exit to the device'),
    row('CLI, STI', 'control', 'IOPL', false, executed(/^(cli|sti)/), 0, '#GP by IOPL', 'guest flags, inline'),
  ];
}
