// The debugger and the trap inspector as a shell sees them. Addresses and register values are hexadecimal strings without
// a prefix, since 64-bit values do not fit a number; where a person types, the request takes an expression.
import { z } from 'zod';
import { exitClasses, exitPolicies } from '../machine/exitPolicy.ts';
import { method } from './definition.ts';
import type { MethodDefinition } from './definition.ts';
import { machineIdSchema } from './machines.ts';

const none = z.object({});
const bytesSchema = z.instanceof(Uint8Array);
export const hexSchema = z.string().regex(/^[0-9a-f]{1,32}$/, 'a hexadecimal value');
export const expressionSchema = z.string().trim().min(1, 'an expression is needed').max(1000);
export const spaceSchema = z.enum(['linear', 'physical']);

// --- where the guest stands ------------------------------------------------------------------------------------------

export const placeSchema = z.object({
  /** Linear address. */
  address: hexSchema,
  /** `symbol+12h`, or null. */
  symbol: z.string().nullable(),
  /** Source position, if line tables know it. */
  source: z.object({ file: z.string(), line: z.number().int() }).nullable(),
});

export const stopSchema = z.object({
  kind: z.enum([
    'pause',
    'step',
    'breakpoint',
    'watchpoint',
    'run-to',
    'event',
    'exit',
    'condition',
    'gdb',
    'reset',
    'shutdown',
  ]),
  /** A sentence for people: `Breakpoint 2 at trap+12h, hit 14`. */
  text: z.string(),
  breakpointId: z.number().int().nullable(),
});

export const debugStatusSchema = z.object({
  state: z.enum(['stopped', 'running', 'paused', 'halted']),
  /** Why it does not run; null while it does. */
  stop: stopSchema.nullable(),
  /** Grows by one whenever something that views show may have changed: a stop, an edit, loaded symbols. */
  revision: z.number().int(),
  instructions: z.number(),
  guestNs: z.number(),
  place: placeSchema,
  mode: z.object({
    /** `real mode`, `virtual-8086 mode`, `32-bit protected mode`... */
    name: z.string(),
    bits: z.union([z.literal(16), z.literal(32), z.literal(64)]),
    privilege: z.number().int(),
    paging: z.boolean(),
  }),
  symbols: z.array(
    z.object({
      id: z.number().int(),
      path: z.string(),
      kind: z.string(),
      symbols: z.number().int(),
      lines: z.number().int(),
      offset: hexSchema,
    }),
  ),
  gdb: z.object({ address: z.string(), client: z.string().nullable() }).nullable(),
});

export const eventKinds = [
  'interrupt',
  'exception',
  'iret',
  'mode-change',
  'privilege-change',
  'address-space',
  'exit',
] as const;

export const controlSchema = z.discriminatedUnion('action', [
  z.object({ action: z.literal('pause') }),
  z.object({ action: z.literal('continue') }),
  z.object({ action: z.literal('step-into'), count: z.number().int().min(1).max(1_000_000).default(1) }),
  z.object({ action: z.literal('step-over') }),
  z.object({ action: z.literal('step-out') }),
  /** One source line where line tables know it, else one instruction. */
  z.object({ action: z.literal('step-line') }),
  z.object({ action: z.literal('run-to'), target: expressionSchema }),
  z.object({ action: z.literal('run-to-event'), event: z.enum(eventKinds) }),
  /** Steps until the expression is not zero. */
  z.object({ action: z.literal('run-until'), condition: expressionSchema }),
]);

// --- state -----------------------------------------------------------------------------------------------------------

export const registerFieldSchema = z.object({
  name: z.string(),
  /** Bit numbers, for example `13:12`. */
  bits: z.string(),
  value: hexSchema,
  /** What the value means: `ring 3`, `Protection Enable`. */
  meaning: z.string(),
});
export const registerSchema = z.object({
  name: z.string(),
  value: hexSchema,
  /** Size in bits. */
  width: z.number().int(),
  editable: z.boolean(),
  /** What it points at or stands for: `stack`, `tf+12h`, `3.14159`. */
  note: z.string(),
  fields: z.array(registerFieldSchema),
});
export const registerGroupSchema = z.object({
  /** general, flags, control, segments, tables, debug, x87, sse, msr, interrupts. */
  id: z.string(),
  title: z.string(),
  registers: z.array(registerSchema),
});
export const segmentSchema = z.object({
  name: z.string(),
  selector: hexSchema,
  base: hexSchema,
  limit: hexSchema,
  type: z.string(),
  privilege: z.number().int(),
  present: z.boolean(),
});

export const textPartSchema = z.object({
  text: z.string(),
  kind: z.enum(['mnemonic', 'prefix', 'register', 'number', 'address', 'symbol', 'keyword', 'punctuation', 'text']),
});
export const disassemblyLineSchema = z.object({
  address: hexSchema,
  /** Null: the memory is not mapped. */
  bytes: bytesSchema.nullable(),
  parts: z.array(textPartSchema),
  /** A symbol that begins here. */
  label: z.string().nullable(),
  source: z.object({ file: z.string(), line: z.number().int() }).nullable(),
  /** Target of a direct branch or call. */
  target: placeSchema.nullable(),
  /** Values of operands and of the condition, at the current instruction: `ZF=1: taken`, `[80105d52] = 40h`. */
  note: z.string(),
  current: z.boolean(),
  /** Popek and Goldberg; null: innocuous. */
  sensitive: z.enum(['control', 'behaviour']).nullable(),
  privileged: z.boolean(),
  breakpoint: z.object({ id: z.number().int(), enabled: z.boolean(), conditional: z.boolean() }).nullable(),
});

export const frameSchema = z.object({
  index: z.number().int(),
  place: placeSchema,
  /** Canonical frame address. */
  frame: hexSchema,
  function: z.string(),
  /** How the caller was found: `registers`, `call frame information`, `frame pointer`, `interrupt frame`, `scan`. */
  how: z.string(),
});

export const descriptorSchema = z.object({
  index: z.number().int(),
  selector: hexSchema,
  raw: hexSchema,
  type: z.string(),
  present: z.boolean(),
  privilege: z.number().int(),
  base: hexSchema.nullable(),
  limit: hexSchema.nullable(),
  target: z.string().nullable(),
  flags: z.string(),
});
export const descriptorTableSchema = z.object({
  table: z.enum(['gdt', 'ldt', 'idt', 'ivt']),
  base: hexSchema,
  limit: hexSchema,
  entries: z.array(descriptorSchema),
  problem: z.string().nullable(),
});

export const pageBitSchema = z.object({ name: z.string(), set: z.boolean(), meaning: z.string() });
export const pageLevelSchema = z.object({
  /** PML4E, PDPTE, PDE, PTE. */
  name: z.string(),
  index: z.number().int(),
  entryAddress: hexSchema,
  entry: hexSchema,
  bits: z.array(pageBitSchema),
  problem: z.string().nullable(),
});
export const pageWalkSchema = z.object({
  linear: hexSchema,
  paging: z.string(),
  levels: z.array(pageLevelSchema),
  physical: hexSchema.nullable(),
  pageBytes: z.number(),
  rights: z.string(),
  /** RAM, ROM, a device's name, nothing. */
  target: z.string(),
  inTlb: z.boolean(),
  summary: z.string(),
  problem: z.string().nullable(),
});
export const addressRangeSchema = z.object({
  from: hexSchema,
  to: hexSchema,
  physical: hexSchema,
  rights: z.string(),
  pages: z.number().int(),
  symbol: z.string().nullable(),
});
export const tlbEntrySchema = z.object({
  linear: hexSchema,
  physical: hexSchema,
  privilege: z.enum(['supervisor', 'user']),
  readable: z.boolean(),
  writable: z.boolean(),
  global: z.boolean(),
  code: z.boolean(),
});
export const physicalRangeSchema = z.object({ from: hexSchema, to: hexSchema, kind: z.string(), name: z.string() });

/** A device's state as a tree of readable values. */
export interface StateNode {
  name: string;
  value: string;
  children: StateNode[];
}
export const stateNodeSchema: z.ZodType<StateNode> = z.lazy(() =>
  z.object({ name: z.string(), value: z.string(), children: z.array(stateNodeSchema) }),
);

// --- breakpoints -----------------------------------------------------------------------------------------------------

export const breakpointWhereSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('execute'), at: expressionSchema, space: spaceSchema.default('linear') }),
  z.object({
    kind: z.literal('data'),
    at: expressionSchema,
    space: spaceSchema.default('linear'),
    length: z.number().int().min(1).max(0x1000_0000).default(4),
    access: z.enum(['read', 'write', 'access']).default('write'),
  }),
  z.object({
    kind: z.literal('port'),
    from: z.number().int().min(0).max(0xffff),
    to: z.number().int().min(0).max(0xffff),
    access: z.enum(['read', 'write', 'access']).default('access'),
  }),
  z.object({
    kind: z.literal('mmio'),
    from: expressionSchema,
    length: z.number().int().min(1).max(0x1000_0000),
    access: z.enum(['read', 'write', 'access']).default('access'),
  }),
  /** Vector; null: any. */
  z.object({ kind: z.literal('interrupt'), vector: z.number().int().min(0).max(255).nullable().default(null) }),
  z.object({ kind: z.literal('exception'), vector: z.number().int().min(0).max(31).nullable().default(null) }),
  z.object({ kind: z.literal('control-register'), register: z.enum(['cr0', 'cr2', 'cr3', 'cr4']) }),
  z.object({ kind: z.literal('msr'), index: z.number().int().min(0).max(0xffffffff).nullable().default(null) }),
  z.object({ kind: z.literal('mode-change') }),
  z.object({ kind: z.literal('privilege-change') }),
  z.object({ kind: z.literal('address-space') }),
  z.object({ kind: z.literal('exit'), exitClass: z.enum(exitClasses) }),
  z.object({ kind: z.literal('instruction'), class: z.enum(['sensitive', 'privileged', 'sensitive-unprivileged']) }),
]);

export const breakpointSpecificationSchema = z.object({
  where: breakpointWhereSchema,
  enabled: z.boolean().default(true),
  /** Stops only where it is not zero; empty: always. */
  condition: z.string().max(1000).default(''),
  /** Stops from this hit on. */
  ignoreHits: z.number().int().min(0).default(0),
  /** Text with {expressions} to log instead of stopping; empty: stop. */
  log: z.string().max(1000).default(''),
  oneShot: z.boolean().default(false),
  /** Value of CR3's page frame to which it is limited; empty: any address space. */
  addressSpace: z.string().max(1000).default(''),
});
export const breakpointSchema = breakpointSpecificationSchema.extend({
  id: z.number().int(),
  hits: z.number().int(),
  /** One line for people: `trap+12h`, `port 3F8h, write`. */
  text: z.string(),
  /** Linear address of an execution or data breakpoint. */
  address: hexSchema.nullable(),
  /** Why it cannot work now, for example an unknown symbol. */
  problem: z.string().nullable(),
});

// --- symbols, source, Linux ------------------------------------------------------------------------------------------

export const symbolMatchSchema = z.object({ name: z.string(), address: hexSchema, kind: z.string(), size: z.number() });
export const memoryPatternSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('bytes'), value: z.string().max(3000) }),
  z.object({ kind: z.literal('text'), value: z.string().min(1).max(1000), ignoreCase: z.boolean().default(false) }),
  /** Little-endian pointers to a value, or into a range of it. */
  z.object({
    kind: z.literal('pointer'),
    value: expressionSchema,
    slack: z.number().int().min(0).max(0x100000).default(0),
  }),
]);
export const linuxTaskSchema = z.object({
  pid: z.number().int(),
  name: z.string(),
  state: z.string(),
  address: hexSchema,
  addressSpace: hexSchema,
  current: z.boolean(),
});
export const linuxModuleSchema = z.object({ name: z.string(), base: hexSchema, size: z.number(), state: z.string() });

// --- trap inspector --------------------------------------------------------------------------------------------------

export const exitClassSchema = z.enum(exitClasses);
export const exitPolicySchema = z.enum(exitPolicies);
export { defaultExitPolicy, exitClasses } from '../machine/exitPolicy.ts';

export const trapSchema = z.object({
  sequence: z.number(),
  /** Instructions retired before it. */
  instructions: z.number(),
  guestNs: z.number(),
  address: hexSchema,
  symbol: z.string().nullable(),
  /** Text of the instruction; `interrupt` for what comes from outside. */
  code: z.string(),
  privilege: z.number().int(),
  exitClass: exitClassSchema,
  /** `Port 3F8h write, 1 byte`. */
  cause: z.string(),
  /** `byte 68h to COM1`. */
  hypervisor: z.string(),
  /** `60h`. */
  answer: z.string(),
  /** Host time in ns. */
  costNs: z.number(),
});

export const trapFilterSchema = z.object({
  classes: z.array(exitClassSchema).nullable().default(null),
  /** Words that the row must hold; `symbol:`, `cause:`, `code:`, `cost:>1us`, `ring:3` restrict one to a column. */
  text: z.string().max(300).default(''),
});

export const trapSummarySchema = z.object({
  instructions: z.number(),
  guestNs: z.number(),
  /** Host time since power-on, and how it was spent, in ms: `engine`, `hypervisor`, `devices`, `idle`. */
  hostMs: z.number(),
  timeMs: z.object({ engine: z.number(), hypervisor: z.number(), devices: z.number(), idle: z.number() }),
  mips: z.number(),
  classes: z.array(
    z.object({
      exitClass: exitClassSchema,
      title: z.string(),
      count: z.number(),
      ms: z.number(),
      policy: exitPolicySchema,
      stops: z.number(),
    }),
  ),
  /** Walks of the page tables that filled a TLB entry: no exits, shown beside the guest's own page faults. */
  tlbFills: z.number(),
  pageFaults: z.number(),
  guestErrors: z.number(),
  /** The last different guest errors with how often each came. */
  errors: z.array(z.object({ source: z.string(), what: z.string(), detail: z.string(), count: z.number() })),
  unclaimedAccesses: z.array(z.object({ kind: z.string(), address: hexSchema, reads: z.number(), writes: z.number() })),
  cpuModel: z.string(),
  sensitiveTrapped: z.number(),
  recording: z.boolean(),
  recorded: z.number(),
});

export const auditRowSchema = z.object({
  instruction: z.string(),
  sensitivity: z.enum(['control', 'behaviour']),
  privileged: z.boolean(),
  /** Condition under which it traps: `IOPL`, `CPL 0`, `never`. */
  trapsWhen: z.string(),
  /** One of the seventeen of Robin and Irvine (2000). */
  classic: z.boolean(),
  user: z.number(),
  kernel: z.number(),
  /** What trap-and-emulate on a bare 386 would have got wrong. */
  onBare386: z.string(),
  /** How it is handled here. */
  here: z.string(),
});

export const vectorSchema = z.object({
  vector: z.number().int(),
  name: z.string(),
  kind: z.enum(['exception', 'interrupt', 'software']),
  count: z.number(),
  /** From the request to the first instruction of the handler, in guest ns: counts for < 1 us, 2, 4, ... */
  latency: z.array(z.number()),
});
export const hotPlaceSchema = z.object({
  address: hexSchema,
  symbol: z.string().nullable(),
  samples: z.number(),
  share: z.number(),
  exits: z.number(),
});

export const policySchema = z.object({
  classes: z.record(exitClassSchema, exitPolicySchema),
  /** SGDT, SIDT, SLDT, STR and SMSW fault in user mode, as with CR4.UMIP. */
  strictUserMode: z.boolean(),
});

// --- methods ---------------------------------------------------------------------------------------------------------

/** Served by the VM process; the application offers the same with the machine's `id`. */
export const debugMethods = {
  'debug.status': method(none, debugStatusSchema),
  /** Answers when the guest stands again, or after `waitMs` while it still runs. */
  'debug.control': method(
    z.object({ control: controlSchema, waitMs: z.number().min(0).max(10_000).default(1000) }),
    debugStatusSchema,
  ),
  /** Answers when the revision is not `revision` any more, or after `waitMs`. */
  'debug.wait': method(
    z.object({ revision: z.number().int(), waitMs: z.number().min(0).max(10_000).default(5000) }),
    debugStatusSchema,
  ),
  'debug.registers': method(none, z.object({ groups: z.array(registerGroupSchema), segments: z.array(segmentSchema) })),
  'debug.setRegister': method(z.object({ name: z.string().max(40), value: expressionSchema }), z.null()),
  'debug.evaluate': method(
    z.object({ expression: expressionSchema }),
    z.object({ value: hexSchema, signed: z.string(), place: placeSchema.nullable(), text: z.string() }),
  ),
  /** `before` counts instructions ahead of the address, found by decoding from a known start. */
  'debug.disassemble': method(
    z.object({
      at: expressionSchema,
      before: z.number().int().min(0).max(500).default(0),
      count: z.number().int().min(1).max(1000).default(50),
    }),
    z.object({ lines: z.array(disassemblyLineSchema) }),
  ),
  'debug.readMemory': method(
    z.object({
      space: spaceSchema,
      at: expressionSchema,
      length: z
        .number()
        .int()
        .min(1)
        .max(1 << 20),
    }),
    z.object({
      address: hexSchema,
      bytes: bytesSchema,
      unmapped: z.array(z.object({ from: z.number(), to: z.number() })),
    }),
  ),
  'debug.writeMemory': method(z.object({ space: spaceSchema, at: expressionSchema, bytes: bytesSchema }), z.null()),
  /** One piece of a search: `next` goes on, null: the end is reached. `done` is a share 0..1. */
  'debug.searchMemory': method(
    z.object({
      space: spaceSchema,
      from: expressionSchema,
      to: expressionSchema,
      pattern: memoryPatternSchema,
      limit: z.number().int().min(1).max(10_000).default(1000),
      next: hexSchema.nullable().default(null),
    }),
    z.object({ matches: z.array(hexSchema), next: hexSchema.nullable(), done: z.number() }),
  ),
  'debug.stack': method(
    z.object({ limit: z.number().int().min(1).max(1000).default(64) }),
    z.object({ frames: z.array(frameSchema) }),
  ),
  'debug.descriptors': method(z.object({ table: z.enum(['gdt', 'ldt', 'idt']) }), descriptorTableSchema),
  'debug.taskState': method(
    none,
    z.object({
      selector: hexSchema,
      base: hexSchema,
      limit: hexSchema,
      type: z.string(),
      fields: z.array(z.object({ name: z.string(), offset: z.number(), value: hexSchema, note: z.string() })),
      problem: z.string().nullable(),
    }),
  ),
  'debug.pageWalk': method(z.object({ at: expressionSchema }), pageWalkSchema),
  'debug.addressSpace': method(
    none,
    z.object({ paging: z.string(), root: hexSchema, ranges: z.array(addressRangeSchema), truncated: z.boolean() }),
  ),
  'debug.tlb': method(none, z.object({ entries: z.array(tlbEntrySchema) })),
  'debug.physicalMap': method(none, z.object({ ranges: z.array(physicalRangeSchema) })),
  'debug.devices': method(
    none,
    z.object({ devices: z.array(z.object({ id: z.string(), title: z.string(), state: stateNodeSchema })) }),
  ),

  'debug.breakpoints': method(none, z.object({ breakpoints: z.array(breakpointSchema) })),
  'debug.setBreakpoint': method(z.object({ breakpoint: breakpointSpecificationSchema }), breakpointSchema),
  'debug.updateBreakpoint': method(
    z.object({ id: z.number().int(), breakpoint: breakpointSpecificationSchema }),
    breakpointSchema,
  ),
  'debug.removeBreakpoint': method(z.object({ id: z.number().int() }), z.null()),

  /** `offset` is added to every address (a relocated kernel). */
  'debug.loadSymbols': method(
    z.object({ path: z.string().min(1).max(4096), offset: expressionSchema.default('0') }),
    z.object({ id: z.number().int(), symbols: z.number(), lines: z.number(), warnings: z.array(z.string()) }),
  ),
  'debug.unloadSymbols': method(z.object({ id: z.number().int() }), z.null()),
  'debug.findSymbols': method(
    z.object({ text: z.string().max(200), limit: z.number().int().min(1).max(1000).default(50) }),
    z.object({ symbols: z.array(symbolMatchSchema) }),
  ),
  /** Lines of a source file that line tables name, if the host has it. */
  'debug.source': method(
    z.object({ file: z.string().max(4096) }),
    z.object({
      path: z.string().nullable(),
      lines: z.array(z.string()),
      code: z.array(z.object({ line: z.number(), address: hexSchema })),
    }),
  ),
  'debug.linuxTasks': method(none, z.object({ tasks: z.array(linuxTaskSchema), problem: z.string().nullable() })),
  'debug.linuxModules': method(none, z.object({ modules: z.array(linuxModuleSchema), problem: z.string().nullable() })),
  'debug.linuxLog': method(none, z.object({ text: z.string(), problem: z.string().nullable() })),

  'debug.monitor': method(z.object({ line: z.string().max(4000) }), z.object({ output: z.string() })),
  'debug.complete': method(
    z.object({ line: z.string().max(4000) }),
    z.object({ candidates: z.array(z.string()), start: z.number().int() }),
  ),
  /** Listens for GDB; null: no more. A host other than loopback is warned of. */
  'debug.gdb': method(
    z.object({
      listen: z
        .object({ host: z.string().max(255).default('127.0.0.1'), port: z.number().int().min(0).max(65535) })
        .nullable(),
    }),
    z.object({ address: z.string().nullable(), warning: z.string().nullable() }),
  ),

  'traps.summary': method(none, trapSummarySchema),
  /** Starts the ring, or keeps it going: it closes itself when nobody asked for 10 s, unless `keep` is set. */
  'traps.record': method(z.object({ on: z.boolean(), keep: z.boolean().default(false) }), z.null()),
  /** Newest first, below `before` (null: the newest). */
  'traps.list': method(
    z.object({
      filter: trapFilterSchema.prefault({}),
      before: z.number().nullable().default(null),
      limit: z.number().int().min(1).max(2000).default(200),
    }),
    z.object({ traps: z.array(trapSchema), matched: z.number(), recorded: z.number(), capacity: z.number() }),
  ),
  'traps.export': method(
    z.object({ format: z.enum(['csv', 'json', 'perfetto']), filter: trapFilterSchema.prefault({}) }),
    z.object({ name: z.string(), content: bytesSchema }),
  ),
  'traps.audit': method(none, z.object({ rows: z.array(auditRowSchema) })),
  'traps.vectors': method(none, z.object({ vectors: z.array(vectorSchema) })),
  'traps.hot': method(
    z.object({ by: z.enum(['page', 'symbol']), limit: z.number().int().min(1).max(500).default(50) }),
    z.object({ places: z.array(hotPlaceSchema), samples: z.number() }),
  ),
  'traps.policy': method(none, policySchema),
  'traps.setPolicy': method(z.object({ policy: policySchema }), policySchema),
} as const;

/** A breakpoint's or a symbol file's own `id` becomes `number`, since `id` names the machine. */
type ForMachine<T> = string extends keyof T
  ? { id: string }
  : Omit<T, 'id'> & { id: string } & (T extends { id: number } ? { number: number } : unknown);
type MachineDebugMethods = {
  readonly [Name in keyof typeof debugMethods]: MethodDefinition<
    z.ZodType<
      ForMachine<z.output<(typeof debugMethods)[Name]['request']>>,
      ForMachine<z.input<(typeof debugMethods)[Name]['request']>>
    >,
    (typeof debugMethods)[Name]['response']
  >;
};

function forMachine(request: z.ZodObject): z.ZodObject {
  const number = request.shape['id'];
  return request.extend({ ...(number === undefined ? {} : { number }), id: machineIdSchema });
}

/** What the VM process is asked, from what a shell asked for one machine. */
export function withoutMachine({ id: _, number, ...request }: { id: string; number?: number }): object {
  return number === undefined ? request : { ...request, id: number };
}

/** The same for shells: `id` names the machine. */
export const machineDebugMethods = Object.fromEntries(
  Object.entries(debugMethods).map(([name, { request, response }]) => [name, method(forMachine(request), response)]),
) as unknown as MachineDebugMethods;

export const debugMethodNames = Object.keys(debugMethods) as readonly (keyof typeof debugMethods)[];

export const debugEvents = {
  /** The guest stopped, went on, or was changed: the new status. */
  'debug.changed': z.object({ id: machineIdSchema, status: debugStatusSchema }),
  /** Log points, policy logs, warnings of the GDB stub. */
  'debug.logged': z.object({ id: machineIdSchema, text: z.string() }),
} as const;

export type DebugStatus = z.output<typeof debugStatusSchema>;
export type DebugPlace = z.output<typeof placeSchema>;
export type DebugControl = z.output<typeof controlSchema>;
export type DebugEventKind = (typeof eventKinds)[number];
export type DebugStop = z.output<typeof stopSchema>;
export type RegisterGroup = z.output<typeof registerGroupSchema>;
export type RegisterRecord = z.output<typeof registerSchema>;
export type SegmentRecord = z.output<typeof segmentSchema>;
export type DisassemblyLine = z.output<typeof disassemblyLineSchema>;
export type TextPart = z.output<typeof textPartSchema>;
export type StackFrame = z.output<typeof frameSchema>;
export type DescriptorTable = z.output<typeof descriptorTableSchema>;
export type PageWalk = z.output<typeof pageWalkSchema>;
export type AddressRange = z.output<typeof addressRangeSchema>;
export type TlbEntry = z.output<typeof tlbEntrySchema>;
export type PhysicalRange = z.output<typeof physicalRangeSchema>;
export type BreakpointWhere = z.output<typeof breakpointWhereSchema>;
export type BreakpointSpecification = z.output<typeof breakpointSpecificationSchema>;
export type Breakpoint = z.output<typeof breakpointSchema>;
export type SymbolMatch = z.output<typeof symbolMatchSchema>;
export type MemoryPattern = z.output<typeof memoryPatternSchema>;
export type Trap = z.output<typeof trapSchema>;
export type TrapFilter = z.output<typeof trapFilterSchema>;
export type TrapSummary = z.output<typeof trapSummarySchema>;
export type AuditRow = z.output<typeof auditRowSchema>;
export type ExitPolicySettings = z.output<typeof policySchema>;
