// Where QEMU's TCG and Bochs differ from the manual's answers in programResults.ts, and the manual's section that says so.
import type { Emulator } from './secondOpinion.ts';

export interface Difference {
  readonly program: string;
  readonly case: string;
  readonly emulator: Emulator;
  /** What it says there; null: it goes astray in this case, and the rest of the program is not to be had. */
  readonly value: string | null;
  readonly why: string;
}

const LATE = 'TCG loads the address and faults on the fetch (SDM 3A 6.15 #GP, SDM 2A JMP, CALL, RET, IRET: the instruction faults).';
const STACK = 'TCG knows #SS only in PUSH and what pushes (SDM 3A 6.15 #SS: any access by RSP or RBP).';
const WRITES = 'TCG does not check that a base is canonical (SDM 2B WRMSR, WRFSBASE; SDM 3A 5.8.8; SDM 2A LGDT: #GP).';
const IDT_INDEX = "TCG's error code has the gate's offset in the table (SDM 3A 6.13: its vector, times eight).";
const NO_LONG_CHECK = 'TCG does not check that L and D exclude each other (SDM 3A 5.2.1, SDM 2A JMP, RET: #GP).';
const NO_CR_CHECK = 'TCG stores control registers unchecked (SDM 2B MOV CRn: #GP for reserved bits and combinations).';
const NO_ENTRY_CHECK = 'TCG enters IA-32e mode whatever the state (SDM 3A 4.1.2, 9.8.5: #GP).';
const NO_LIMITS = 'TCG checks neither limits nor null selectors of data segments (SDM 3A 5.3, 5.4.1: #GP).';
const RESERVED = "TCG's error code lacks P when a reserved bit is set (SDM 3A 4.7: RSVD implies P).";
const NO_PCID = 'TCG has neither PCIDs nor INVPCID, and says so in CPUID (SDM 2A INVPCID: #UD then; SDM 3A 4.10.1).';

type Group = readonly [program: string, emulator: Emulator, why: string, values: Readonly<Record<string, string | null>>];
const GROUPS: readonly Group[] = [
  ['canonical', 'qemu', LATE, {
    jump: '#GP(0) at 800000000000', call: '#GP(0) at 800000000000', 'call-leaves-the-stack-pointer': '8', return: '#GP(0) at 800000000000',
    'return-pops-nothing': '0',
  }],
  ['canonical', 'qemu', 'TCG checks the first byte only (SDM 1 3.3.7.1: every address must be canonical).', { 'across-the-edge': '#PF(0)@7ffffffffffc' }],
  ['canonical', 'qemu', STACK, { 'by-rsp': '#GP(0)', 'by-rbp': '#GP(0)', pop: '#GP(0)', leave: '#GP(0)' }],
  ['canonical', 'qemu', WRITES, { 'fs-base-adds-into-the-upper-half': 'ok', 'lgdt-base': 'ok', 'lidt-base': 'ok' }],
  ['canonical', 'qemu', 'CLFLUSH does nothing in TCG (SDM 2A CLFLUSH: faults as a load of a byte).', { clflush: 'ok' }],
  ['control', 'qemu', NO_CR_CHECK, {
    'nw-without-cd': 'ok', 'cr0-upper-half': 'ok', 'cr0-ignored-bits': '90010073', 'cr8-reserved-bit': 'ok', 'lme-under-paging': 'ok',
    'efer-reserved-bit': 'ok', 'cr4-upper-half': null,
  }],
  ['gates', 'qemu', 'TCG loads a null SS with every IST (SDM 3A 6.14.4: at a change of privilege).', { ist: '28 0 8', 'ist-unaligned': '38 0 8' }],
  ['gates', 'qemu', IDT_INDEX, {
    'type-call-gate': '#GP(422)', 'type-task-gate': '#GP(422)', 'type-16-bit': '#GP(422)', 'not-present': '#NP(422)',
    'beyond-the-table': '#GP(422)', privilege: '#GP(422)', 'int3-privilege': '#GP(32)',
  }],
  ['gates', 'qemu', LATE, {
    'offset-not-canonical': '#GP(0) at 800000000000', 'iret-not-canonical': '#GP(0) at 800000000000', 'retf-not-canonical': '#GP(0) at 800000000000',
  }],
  ['gates', 'qemu', 'TCG raises #UD for ICEBP (SDM 2A INT1: #DB).', { 'icebp-has-no-privilege': '#UD' }],
  ['gates', 'qemu', 'TCG lets compatibility code have a null SS (SDM 2A IRET: #GP(0)).', { 'iret-compatibility-null-stack': 'escaped' }],
  ['gates', 'qemu', NO_LONG_CHECK, { 'retf-long-and-32-bit': 'escaped' }],
  ['gates', 'bochs', "Bochs names the old stack's selector (SDM 2A INT n: #SS(EXT) when the new pointer is not canonical).", { 'rsp0-not-canonical': '#SS(20)' }],
  ['gates', 'bochs', 'Bochs takes the 12 bytes of a narrow frame off the popped RSP (SDM 2A IRET: RSP is what was popped).', { 'iret-32-bit-operands': '23fef4' }],
  ['modes', 'qemu', 'TCG obeys a REX prefix in front of another prefix (SDM 2A 2.2.1: it is ignored).', { 'rex-is-ignored-before-a-prefix': '#GP(0)+14' }],
  ['modes', 'qemu', NO_LIMITS, { 'compatibility-null-data-segment': 'ok', 'compatibility-limits': 'ok' }],
  ['modes', 'qemu', NO_LONG_CHECK, { 'far-jump-long-and-32-bit': 'escaped' }],
  ['modes', 'qemu', LATE, { 'far-jump-not-canonical': '#GP(0) at 800000000000' }],
  ['modes', 'qemu', NO_ENTRY_CHECK, { 'entering-without-pae': '0', 'entering-with-long-code': '0', 'entering-with-a-16-bit-task': '0' }],
  ['modes', 'qemu', NO_CR_CHECK, { 'pcid-needs-long-mode': '0' }],
  ['paging', 'qemu', 'TCG reads first in a read-modify-write (SDM 3A 4.7: W/R tells of a write).', { 'missing-read-modify-write': '#PF(0)@40000000' }],
  ['paging', 'qemu', RESERVED, {
    'no-execute-disabled-is-reserved': '#PF(8)@40000000', 'reserved-address-bit': '#PF(8)@40000000', 'reserved-address-bit-write': '#PF(a)@40000000',
    'reserved-address-bit-user': '#PF(c)@40000000', '2-mib-page-reserved-bit': '#PF(8)@40400000', '1-gib-page-reserved-bit': '#PF(8)@100000000',
    'top-level-page-size-bit': '#PF(8)@8000000000',
  }],
  ['paging', 'qemu', NO_CR_CHECK, { 'cr3-reserved-bit': null }],
  ['protection', 'qemu', 'TCG does not set RF in the flags that faults push (SDM 3B 17.3.1.1).', { 'interrupt-leaves-ac': '40002 40002' }],
  ['protection', 'qemu', WRITES, { 'wrgsbase-not-canonical': 'ok' }],
  ['protection', 'bochs', 'Bochs lets AC open user pages to implicit accesses (SDM 3A 4.6.1: whatever AC).', { 'smap-implicit-access-whatever-ac': 'ok' }],
  ['syscalls', 'qemu', 'TCG clears the arithmetic flags (SDM 2B SYSCALL: RFLAGS and not IA32_FMASK).', { 'syscall-flags': '4ed7 202' }],
  ['syscalls', 'qemu', "TCG does as AMD's processors do (SDM 2B SYSCALL, SYSRET: #UD in compatibility mode).", {
    'syscall-in-compatibility-mode': '8', 'sysret-in-compatibility-mode': '#DE at 28',
  }],
  ['syscalls', 'qemu', 'TCG faults on the fetch, in ring 3 (SDM 2B SYSRET, SYSEXIT: #GP of the instruction).', {
    'sysret-not-canonical': '#GP(0) at 800000000000', 'sysexit-rip-not-canonical': '#GP(0) at 800000000000', 'sysexit-rsp-not-canonical': 'escaped',
  }],
  ['syscalls', 'qemu', WRITES, {
    'lstar-not-canonical': 'ok', 'cstar-not-canonical': 'ok', 'gs-base-not-canonical': 'ok', 'kernel-gs-base-not-canonical': 'ok',
    'sysenter-eip-not-canonical': 'ok', 'sysenter-esp-not-canonical': 'ok',
  }],
  ['protection', 'qemu', NO_PCID, {
    'pcid-with-a-current-one': 'ok', 'invpcid-other-context-without-pcid': '#UD', 'invpcid-kind': '#UD', 'invpcid-reserved-bits': '#UD',
    'invpcid-address-not-canonical': '#UD', 'invpcid-address-unused': '#UD', 'invpcid-ring-3': '#UD', 'invpcid-drops-a-page': '#UD', pcid: null,
  }],
];

export const differences: readonly Difference[] = GROUPS.flatMap(([program, emulator, why, values]) =>
  Object.entries(values).map(([name, value]) => ({ program, case: name, emulator, value, why })),
);
