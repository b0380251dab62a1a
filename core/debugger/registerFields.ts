// The fields of the system's registers and what their values mean (SDM 1 3.4.3, 8.1, 10.2.3; SDM 3A 2.5; SDM 3B 17.2).

/** Name, highest bit, lowest bit, meaning: of the field, or by its value. */
export type FieldRow = readonly [name: string, high: number, low: number, meaning: string | ((value: number) => string)];

const either = (set: string, clear: string) => (value: number): string => (value === 0 ? clear : set);

export const eflagsFields: readonly FieldRow[] = [
  ['ID', 21, 21, 'Identification: CPUID can be told by whether it can be changed'],
  ['VIP', 20, 20, 'Virtual Interrupt Pending'],
  ['VIF', 19, 19, 'Virtual Interrupt Flag'],
  ['AC', 18, 18, either('Alignment Check on in ring 3 (with CR0.AM)', 'Alignment Check off')],
  ['VM', 17, 17, either('virtual-8086 mode', 'not in virtual-8086 mode')],
  ['RF', 16, 16, either('Resume: the next instruction breakpoint does not trap', 'Resume: instruction breakpoints trap')],
  ['NT', 14, 14, either('Nested Task: IRET switches back', 'Nested Task: IRET returns within the task')],
  ['IOPL', 13, 12, (value) => `I/O privilege: ring ${value === 0 ? '0' : `0 to ${value}`} may use I/O ports, CLI and STI`],
  ['OF', 11, 11, either('Overflow: the signed result did not fit', 'Overflow: none')],
  ['DF', 10, 10, either('Direction: string instructions go down', 'Direction: string instructions go up')],
  ['IF', 9, 9, either('Interrupts enabled', 'Interrupts disabled')],
  ['TF', 8, 8, either('Trap: single-steps', 'Trap: no single steps')],
  ['SF', 7, 7, either('Sign: negative', 'Sign: not negative')],
  ['ZF', 6, 6, either('Zero: the result was zero', 'Zero: the result was not zero')],
  ['AF', 4, 4, either('Adjust: carry out of bit 3', 'Adjust: no carry out of bit 3')],
  ['PF', 2, 2, either('Parity: even number of ones in the low byte', 'Parity: odd number of ones in the low byte')],
  ['CF', 0, 0, either('Carry: carry or borrow', 'Carry: none')],
];

export const cr0Fields: readonly FieldRow[] = [
  ['PG', 31, 31, either('Paging on', 'Paging off: linear addresses are physical ones')],
  ['CD', 30, 30, either('Cache Disable: caching restricted', 'Cache Disable: caches on')],
  ['NW', 29, 29, either('Not Write-through', 'write-back or write-through as the page says')],
  ['AM', 18, 18, either('Alignment Mask: EFLAGS.AC is obeyed', 'Alignment Mask: no alignment checks')],
  ['WP', 16, 16, either('Write Protect: the kernel obeys read-only pages', 'Write Protect off: the kernel may write read-only pages')],
  ['NE', 5, 5, either('Numeric Error: x87 errors raise #MF', 'Numeric Error: x87 errors come as an interrupt (PC/AT)')],
  ['ET', 4, 4, 'Extension Type: always 1'],
  ['TS', 3, 3, either('Task Switched: the next x87 or SSE instruction raises #NM', 'Task Switched: x87 and SSE run')],
  ['EM', 2, 2, either('Emulation: x87 instructions raise #NM', 'Emulation off: the x87 executes')],
  ['MP', 1, 1, either('Monitor Coprocessor: WAIT obeys TS', 'Monitor Coprocessor: WAIT ignores TS')],
  ['PE', 0, 0, either('Protection Enable: protected mode', 'Protection Enable: real-address mode')],
];

export const cr3Fields: readonly FieldRow[] = [
  ['base', 31, 12, (value) => `page directory at physical ${(value * 4096).toString(16)}h`],
  ['PCD', 4, 4, 'Page-level Cache Disable for the root table'],
  ['PWT', 3, 3, 'Page-level Write-Through for the root table'],
];

export const cr3PaeFields: readonly FieldRow[] = [
  ['base', 31, 5, (value) => `page-directory pointers at physical ${(value * 32).toString(16)}h`],
];

export const cr4Fields: readonly FieldRow[] = [
  ['SMAP', 21, 21, either('Supervisor Mode Access Prevention: the kernel touches user pages with EFLAGS.AC only', 'the kernel may touch user pages')],
  ['SMEP', 20, 20, either('Supervisor Mode Execution Prevention: the kernel executes no user pages', 'the kernel may execute user pages')],
  ['OSXSAVE', 18, 18, 'the system saves extended state with XSAVE'],
  ['PCIDE', 17, 17, either('Process-Context Identifiers on', 'Process-Context Identifiers off')],
  ['FSGSBASE', 16, 16, either('RDFSBASE and its like in any ring', 'RDFSBASE and its like undefined')],
  ['UMIP', 11, 11, either('User Mode Instruction Prevention: SGDT, SIDT, SLDT, STR, SMSW in ring 0 only', 'SGDT and its like in any ring')],
  ['OSXMMEXCPT', 10, 10, 'the system handles SIMD floating-point exceptions (#XM)'],
  ['OSFXSR', 9, 9, 'the system saves SSE state with FXSAVE'],
  ['PCE', 8, 8, either('RDPMC in any ring', 'RDPMC in ring 0 only')],
  ['PGE', 7, 7, either('Global pages stay in the TLB over changes of CR3', 'Global pages off')],
  ['MCE', 6, 6, 'Machine-Check Enable'],
  ['PAE', 5, 5, either('Physical Address Extension: 64-bit page-table entries', '32-bit page-table entries')],
  ['PSE', 4, 4, either('Page Size Extension: 4 MiB pages', 'no 4 MiB pages')],
  ['DE', 3, 3, either('Debugging Extensions: I/O breakpoints, DR4 and DR5 undefined', 'DR4 and DR5 stand for DR6 and DR7')],
  ['TSD', 2, 2, either('Time-Stamp Disable: RDTSC in ring 0 only', 'RDTSC in any ring')],
  ['PVI', 1, 1, 'Protected-mode Virtual Interrupts'],
  ['VME', 0, 0, 'Virtual-8086 Mode Extensions'],
];

export const eferFields: readonly FieldRow[] = [
  ['NXE', 11, 11, either('No-Execute pages', 'every mapped page may be executed')],
  ['LMA', 10, 10, either('Long Mode Active', 'Long Mode not active')],
  ['LME', 8, 8, either('Long Mode Enable', 'Long Mode not enabled')],
  ['SCE', 0, 0, either('SYSCALL and SYSRET enabled', 'SYSCALL and SYSRET undefined')],
];

export const dr6Fields: readonly FieldRow[] = [
  ['BT', 15, 15, 'the trap came with a task switch'],
  ['BS', 14, 14, 'the trap came from a single step'],
  ['BD', 13, 13, 'the next instruction accesses a debug register'],
  ...[3, 2, 1, 0].map((n): FieldRow => [`B${n}`, n, n, either(`breakpoint ${n} was hit`, `breakpoint ${n} was not hit`)]),
];

const breakKinds = ['on execution', 'on writing', 'on I/O', 'on reading or writing'];
const breakLengths = [1, 2, 8, 4];

export const dr7Fields: readonly FieldRow[] = [
  ...[3, 2, 1, 0].flatMap((n): FieldRow[] => [
    [`LEN${n}`, 19 + n * 4, 18 + n * 4, (value) => `breakpoint ${n}: ${breakLengths[value]} byte${value === 0 ? '' : 's'}`],
    [`R/W${n}`, 17 + n * 4, 16 + n * 4, (value) => `breakpoint ${n}: ${breakKinds[value]}`],
  ]),
  ['GD', 13, 13, either('General Detect: access to debug registers traps', 'General Detect off')],
  ['GE', 9, 9, 'Global Exact (no effect)'],
  ['LE', 8, 8, 'Local Exact (no effect)'],
  ...[3, 2, 1, 0].flatMap((n): FieldRow[] => [
    [`G${n}`, n * 2 + 1, n * 2 + 1, either(`breakpoint ${n} enabled for all tasks`, `breakpoint ${n} not enabled globally`)],
    [`L${n}`, n * 2, n * 2, either(`breakpoint ${n} enabled for this task`, `breakpoint ${n} not enabled for this task`)],
  ]),
];

const precisions = ['24 bits (single)', 'reserved', '53 bits (double)', '64 bits (extended)'];
const roundings = ['to nearest', 'down', 'up', 'toward zero'];
const mask = (name: string) => either(`${name} masked`, `${name} raises an exception`);
const flag = (name: string) => either(`${name} happened`, `no ${name[0].toLowerCase()}${name.slice(1)}`);

export const fpControlFields: readonly FieldRow[] = [
  ['X', 12, 12, 'Infinity control of the 80287 (no effect)'],
  ['RC', 11, 10, (value) => `Rounding ${roundings[value]}`],
  ['PC', 9, 8, (value) => `Precision ${precisions[value]}`],
  ['PM', 5, 5, mask('Inexact result')],
  ['UM', 4, 4, mask('Underflow')],
  ['OM', 3, 3, mask('Overflow')],
  ['ZM', 2, 2, mask('Division by zero')],
  ['DM', 1, 1, mask('Denormal operand')],
  ['IM', 0, 0, mask('Invalid operation')],
];

export const fpStatusFields: readonly FieldRow[] = [
  ['B', 15, 15, 'Busy: same as ES'],
  ['C3', 14, 14, 'Condition 3: zero or equal after a comparison'],
  ['TOP', 13, 11, (value) => `ST(0) is physical register ${value}`],
  ['C2', 10, 10, 'Condition 2: unordered after a comparison, incomplete reduction'],
  ['C1', 9, 9, 'Condition 1: rounded up, or overflow of the stack'],
  ['C0', 8, 8, 'Condition 0: less after a comparison'],
  ['ES', 7, 7, either('Error Summary: an exception waits', 'Error Summary: no exception waits')],
  ['SF', 6, 6, flag('Stack fault')],
  ['PE', 5, 5, flag('Inexact result')],
  ['UE', 4, 4, flag('Underflow')],
  ['OE', 3, 3, flag('Overflow')],
  ['ZE', 2, 2, flag('Division by zero')],
  ['DE', 1, 1, flag('Denormal operand')],
  ['IE', 0, 0, flag('Invalid operation')],
];

const tagNames = ['valid', 'zero', 'special (infinity, NaN, denormal)', 'empty'];
export const fpTagFields: readonly FieldRow[] = [7, 6, 5, 4, 3, 2, 1, 0].map(
  (n): FieldRow => [`R${n}`, n * 2 + 1, n * 2, (value) => `physical register ${n}: ${tagNames[value]}`],
);

export const mxcsrFields: readonly FieldRow[] = [
  ['FZ', 15, 15, either('Flush to Zero: denormal results become 0', 'Flush to Zero off')],
  ['RC', 14, 13, (value) => `Rounding ${roundings[value]}`],
  ['PM', 12, 12, mask('Inexact result')],
  ['UM', 11, 11, mask('Underflow')],
  ['OM', 10, 10, mask('Overflow')],
  ['ZM', 9, 9, mask('Division by zero')],
  ['DM', 8, 8, mask('Denormal operand')],
  ['IM', 7, 7, mask('Invalid operation')],
  ['DAZ', 6, 6, either('Denormals are zeros', 'denormal operands count')],
  ['PE', 5, 5, flag('Inexact result')],
  ['UE', 4, 4, flag('Underflow')],
  ['OE', 3, 3, flag('Overflow')],
  ['ZE', 2, 2, flag('Division by zero')],
  ['DE', 1, 1, flag('Denormal operand')],
  ['IE', 0, 0, flag('Invalid operation')],
];

export const selectorFields: readonly FieldRow[] = [
  ['index', 15, 3, (value) => `descriptor ${value}`],
  ['TI', 2, 2, either('of the LDT', 'of the GDT')],
  ['RPL', 1, 0, (value) => `Requested Privilege Level: ring ${value}`],
];

/** IRQ lines of an interrupt controller. */
export const irqFields = (firstIrq: number, what: string): readonly FieldRow[] =>
  [7, 6, 5, 4, 3, 2, 1, 0].map((n): FieldRow => [`IRQ${firstIrq + n}`, n, n, either(what, `not ${what}`)]);
