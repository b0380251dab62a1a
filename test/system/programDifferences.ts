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
const NO_ALIGNMENT = 'TCG makes no alignment checks (SDM 3A 6.15 #AC).';
const NO_MSR_CHECK = 'TCG ignores unknown registers and stores reserved values (SDM 2B RDMSR, WRMSR: #GP).';
const NO_GENERAL_DETECT = 'TCG has no general detect (SDM 3B 17.2.4: #DB with DR6.BD, and GD is cleared).';
const NO_ICEBP = 'TCG raises #UD for ICEBP (SDM 2A INT1: #DB).';
const NO_V86_LIMITS = 'TCG checks no segment limits and runs on (SDM 3A 5.3: #GP, #SS).';
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
  ['apic', 'qemu', NO_CR_CHECK, { 'cr8-reserved-bits': 'ok' }],
  ['apic', 'qemu', 'QEMU delivers illegal vectors (SDM 3A 10.5.3: ESR bit 5, and no IRR bit below 16).', { 'illegal-vector': '0 0' }],
  ['apic', 'bochs', 'Bochs reports the receipt only (SDM 3A 10.5.3: a write of the ICR with an illegal vector sets bit 5).', { 'illegal-vector': '0 0' }],
  ['debug', 'qemu', 'TCG ignores what a stack load holds off (SDM 3B 17.3.1.1: as if RF were set).', { 'execute-behind-a-stack-load': 'ffff0ff1 #DB' }],
  ['debug', 'qemu', "TCG does not ignore the address's low bits (SDM 3B 17.2.5: masked by the length).", { 'address-is-aligned-down': 'ffff0ff0' }],
  ['debug', 'qemu', 'TCG reports one data breakpoint of several (SDM 3B 17.2.3: B0 to B3 of all that match).', { 'two-at-once': 'ffff0ff1 #DB+7' }],
  ['debug', 'qemu', NO_GENERAL_DETECT, { 'general-detect': 'ffff0ff0', 'general-detect-is-off-in-the-handler': '2400' }],
  ['debug', 'qemu', 'TCG delivers the data breakpoint and then the step in its handler (SDM 3B 17.3.1.4: TF is cleared first).', {
    'single-step-and-data': 'ffff4ff1 #DB at 100450',
  }],
  ['debug', 'qemu', NO_ICEBP, { icebp: 'ffff0ff0 #UD', 'icebp-ring-3': 'ffff0ff0 #UD' }],
  ['state', 'qemu', 'TCG stores reserved MXCSR bits (SDM 2A LDMXCSR, SDM 1 13.8: #GP).', { 'xrstor-mxcsr-reserved': 'ok', 'ldmxcsr-reserved': 'ok' }],
  ['state', 'qemu', 'TCG does not look at CR0.TS (SDM 2D XSAVE: #NM).', { 'xsave-task-switched': 'ok' }],
  ['state', 'qemu', NO_ALIGNMENT, {
    'alignment-dword': 'ok', 'alignment-word': 'ok', 'alignment-qword-at-four': 'ok', 'alignment-push': 'ok', 'alignment-x87': 'ok',
  }],
  ['state', 'qemu', NO_MSR_CHECK, {
    'rdmsr-unknown': 'ok', 'wrmsr-unknown': 'ok', 'pat-reserved-type': 'ok', 'pat-reserved-bits': 'ok', 'tsc-aux-upper-half': 'ok',
    'mtrr-default-reserved-type': 'ok', 'mtrr-default-reserved-bits': 'ok', 'mtrr-fixed-reserved-type': 'ok',
    'mtrr-capabilities-are-read-only': 'ok', 'apic-base-reserved-bits': 'ok',
  }],
  ['state', 'qemu', 'TCG ignores writes of the time-stamp counter (SDM 3B 17.17.3).', { 'tsc-is-written': '0' }],
  ['state', 'bochs', 'Bochs drops the upper half (SDM 4 table 2-2, C0000103H: bits 63 to 32 are reserved, SDM 2B WRMSR: #GP).', { 'tsc-aux-upper-half': 'ok' }],
  ['segments', 'qemu', LATE, { 'gate-not-canonical': '#GP(0) at 800000000000' }],
  ['segments', 'qemu', 'TCG pushes with the new RIP loaded already (SDM 3A 6.5: a fault names the instruction).', { 'gate-stack-not-canonical': '#SS(0) at 1028e7' }],
  ['segments', 'bochs', "Bochs names the old stack's selector (SDM 2A CALL: the new SS is null).", { 'gate-stack-not-canonical': '#SS(20)' }],
  ['segments', 'qemu', "TCG knows the types of protected mode (SDM 2A LAR, LSL: tables of IA-32e mode).", { 'lar-types': 'ffff1a3e', 'lsl-types': 'ffff0a0e' }],
  ['segments', 'qemu', 'TCG does not look at the upper half of an LDT descriptor (SDM 2A LLDT: #GP).', { 'lldt-upper-type': 'ok' }],
  ['segments', 'qemu', 'TCG loads 16-bit and null task registers (SDM 2A LTR: #GP).', { 'ltr-16-bit': 'ok', 'ltr-null': 'ok' }],
  ['tasks', 'qemu', "TCG faults before EIP is that of the new task (SDM 3A 7.3: in the context of the new task).", { 'bad-data-segment': 'a 200 5bb' }],
  ['tasks', 'qemu', 'TCG does not check that code of a new task is present (SDM 3A table 7-1: #NP).', { 'code-not-present': '0 0' }],
  ['tasks', 'qemu', 'TCG ignores the T bit of a TSS (SDM 3B 17.3.1.5: #DB with DR6.BT).', { 'trap-bit': 'ffff0ff0 2' }],
  ['tasks', 'qemu', 'TCG does not check the limit of code (SDM 2A CALL: #GP).', { 'call-gate-limit': 'escaped' }],
  ['tasks', 'qemu', "TCG leaves the gate's RPL in CS (SDM 2A CALL: CS's RPL is CPL).", { 'conforming-gate-keeps-the-ring': '60' }],
  ['v86', 'qemu', NO_V86_LIMITS, { 'data-limit': '#UD+12', 'data-limit-of-a-word': '#UD+9', 'stack-limit': '#UD+4' }],
  ['v86', 'qemu', 'TCG does not set RF in the flags that faults push (SDM 3B 17.3.1.1).', { 'popf-cannot-change-iopl': '23002' }],
  ['v86', 'qemu', 'TCG obeys VM in what ring 3 pops (SDM 2A IRET: from ring 0 only).', { 'iret-with-vm-in-ring-3-stays': '#GP(0) at 6590' }],
  ['pae', 'qemu', RESERVED, {
    '4-mib-page-reserved-bit': '#PF(8)@1400000', 'reserved-address-bit': '#PF(8)@802000', '2-mib-page-reserved-bit': '#PF(8)@a00000',
    'no-execute-disabled-is-reserved': '#PF(8)@801000',
  }],
  ['pae', 'qemu', 'TCG reads the pointers at every walk (SDM 3A 4.4.1: when CR3 is loaded, with #GP for reserved bits).', {
    'pointers-are-loaded-with-cr3': 'ok', 'pointer-reserved-bit': 'ok', 'pointer-reserved-bit-by-cr4': 'ok',
  }],
  ['pae', 'qemu', NO_CR_CHECK, { 'paging-without-protection': 'ok' }],
];

export const differences: readonly Difference[] = GROUPS.flatMap(([program, emulator, why, values]) =>
  Object.entries(values).map(([name, value]) => ({ program, case: name, emulator, value, why })),
);
