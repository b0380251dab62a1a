// Where other emulators disagree with us and with the manual: case, emulator, and why the manual (or silicon) is on our side.
// The expected values of the cases are the manual's.
import type { Emulator } from './secondOpinion.ts';

const QEMU = ['qemu'] as const, BOCHS = ['bochs'] as const, BOTH = ['qemu', 'bochs'] as const;

/** What an emulator leaves out altogether, and what that explains. */
const NO_LIMITS = 'TCG checks no segment limits or types on data and code accesses (SDM 3A 5.3, 5.5: #GP, #SS).';
const NO_RF = 'TCG does not set RF in the flags that faults push (SDM 3B 17.3.1.1: 1 for faults other than instruction breakpoints).';
const NO_VME = 'TCG has neither VME nor PVI: CPUID.1:EDX.VME is clear there (SDM 3B 21.3, 21.4).';
const NO_COUNTERS = 'TCG has no performance counters: RDPMC is undefined there, their registers are zero (SDM 3B 19.2, 19.6.3).';
const LAX = 'It ignores writes and reads that the manual refuses (SDM 2B RDMSR, WRMSR: #GP).';
const VECTORS = 'LDTR is usable after reset (SDM 3A table 9-1): the descriptor is read from the interrupt vectors, which a BIOS fills.';

const DIFFERENCES: readonly (readonly [name: string, emulators: readonly Emulator[], why: string])[] = [
  ['faults push EFLAGS with RF, INT n without', QEMU, NO_RF],
  ['a contributory fault while delivering another is a double fault', QEMU, NO_LIMITS],
  ['a fault while delivering a double fault shuts down', QEMU, NO_LIMITS],
  ['the T bit of a TSS traps when its task begins', QEMU, 'TCG ignores the T bit (SDM 3B 17.3.1.5: #DB with DR6.BT).'],
  ["a bad segment in the new task faults there, with the new task's registers", QEMU,
    'TCG faults before EIP is that of the new task (SDM 3A 7.3: the fault occurs in the context of the new task).'],
  ['INT3 and INTO trap behind the instruction, ICEBP is a debug trap', QEMU, 'TCG raises #UD for ICEBP (SDM 2A INT1: #DB).'],
  ['null selectors load but cannot be used; SS cannot be null', QEMU, NO_LIMITS],
  ['limits of byte granularity, to the byte', QEMU, NO_LIMITS],
  ['expand-down: only above the limit', QEMU, NO_LIMITS],
  ['the stack segment faults with #SS', QEMU, NO_LIMITS],
  ['types and privileges of data segments', QEMU, NO_LIMITS],
  ['the local table', BOTH, VECTORS],
  ['LAR, LSL, VERR, VERW and ARPL', QEMU, 'TCG leaves the accessed bit clear where CS was loaded (SDM 3A 3.4.5.1).'],
  ['code limits: running off the end of a segment faults', QEMU, NO_LIMITS],
  ['code limits hold on a page that another segment has run', QEMU, NO_LIMITS],
  ['code limits hold on a page that another segment has run', BOCHS,
    "Bochs names an address inside the limit; EIP of a fault is the instruction's that cannot be fetched (SDM 3A 6.5)."],
  ['control registers: LMSW, reserved combinations, undefined registers', QEMU,
    'TCG accepts CR0.PG without PE and goes astray (SDM 2B MOV CRn: #GP).'],
  ['control registers: LMSW, reserved combinations, undefined registers', BOCHS, 'Bochs ignores accesses to unknown MSRs by default (SDM 2B RDMSR: #GP).'],
  ['page-fault error codes and CR2 from ring 0', QEMU, 'TCG reads first in a read-modify-write (SDM 3A 4.7: W/R tells of a write; silicon probes for it).'],
  ['a write that crosses into a missing page changes nothing', QEMU, 'As above: the error code of the read.'],
  ['PAE: 4 KiB and 2 MiB pages, entries above 4 GiB', QEMU, 'What nobody answers reads as ones on the PCI bus, as zero in QEMU.'],
  ['PAE: reserved bits of a pointer entry fault when CR3 is loaded', QEMU, 'TCG walks from memory and does not load the pointers (SDM 3A 4.4.1: #GP).'],
  ['INVLPG, CR3 and global pages', QEMU, "TCG drops more than it must; the manual lets it (SDM 3A 4.10.4): the stale value is ours and silicon's."],
  ['DR7.GD guards the debug registers', QEMU, 'TCG has no general detect (SDM 3B 17.2.4: #DB with DR6.BD).'],
  ['breakpoints and single steps together', BOTH,
    "Both report the breakpoint of the next instruction with the step's trap; it is a fault of lower priority (SDM 3A table 6-2)."],
  ['real mode: faults have no error code and name the instruction', QEMU, NO_LIMITS],
  ['virtual-8086 mode: sensitive instructions with IOPL 0', QEMU, NO_RF],
  ['virtual-8086 mode: limits are 64 KiB, HLT is privileged, segments are paragraphs', QEMU, NO_LIMITS],
  ['RDPMC reads the two performance counters', QEMU, 'TCG has no performance counters: RDPMC is undefined there (SDM 2B RDPMC).'],
  ['RDPMC reads the two performance counters', BOCHS, "Bochs's counters cannot be written (SDM 3B 18.6.4: PerfCtr0 and 1 of the P6 family)."],
  ['the 486 lacks CMOV, CMPXCHG8B, RDTSC and RDMSR', QEMU, 'QEMU does not take away what its model lacks.'],
  ['the Pentium has CMPXCHG8B and RDTSC but neither CMOV nor SYSENTER', QEMU, 'QEMU does not take away what its model lacks.'],
  ['VME: CLI, STI, PUSHF and POPF act on VIF, whatever IF is', QEMU, NO_VME],
  ['VME: a pending virtual interrupt makes STI, POPF and IRET fault when they would enable it, not CLI', QEMU, NO_VME],
  ['VME: POPF and IRET fault on TF, and with operands of 32 bits; PUSHFD too', QEMU, NO_VME],
  ['VME: INT n through the redirection bitmap, with VIF in the place of IF', QEMU, NO_VME],
  ['VME with IOPL 3: INT n redirected clears IF itself; a set bit leads to the gate', QEMU, NO_VME],
  ['VME: INT3 is not redirected; without VME no INT n is', QEMU, NO_VME],
  ['PVI: CLI and STI of ring 3 act on VIF; PUSHF and POPF do not see it', QEMU, NO_VME],
  ['PVI leaves rings 1 and 2 and INT n alone; without PVI CLI and STI of ring 3 fault', QEMU, NO_VME],
  ['VIF and VIP come from a 32-bit IRET of ring 0 only', QEMU, NO_VME],
  ['the 486 has neither VME nor PVI', QEMU, 'QEMU does not take away what its model lacks.'],
  ['the 486 has neither VME nor PVI', BOCHS, 'Bochs as Debian builds it has no 486.'],
  ['DR6 keeps what only software clears but for B0 to B3; its fixed bits and those of DR7', QEMU,
    'TCG keeps B0 to B3 at a single step and stores reserved bits (SDM 3B 17.2.3, 17.2.4).'],
  ['ICEBP sets nothing in DR6; INT3 and INTO are no debug exceptions', QEMU, 'TCG raises #UD for ICEBP (SDM 2A INT1: #DB).'],
  ['DEBUGCTL.BTF: single steps on taken branches, until a debug exception ends it', BOTH, 'Neither knows BTF (SDM 3B 17.4.3).'],
  ['a data breakpoint on the operand of MOV SS traps behind the next instruction', QEMU, 'TCG does not hold debug exceptions off (SDM 3A 6.8.3).'],
  ['an instruction breakpoint right behind MOV SS is passed, behind STI it is not', QEMU, 'As above.'],
  ['P6 performance counters count instructions and cycles, and nothing else', QEMU, NO_COUNTERS],
  ['RDPMC: the index, and user mode by CR4.PCE', QEMU, NO_COUNTERS],
  ['architectural performance monitoring: what CPUID tells, and reserved bits', QEMU, NO_COUNTERS],
  ['counters of the kernel, of user mode and of both add up', QEMU, NO_COUNTERS],
  ['a counter that overflows says so and interrupts, if it may', QEMU, NO_COUNTERS],
  ['P6 performance counters count instructions and cycles, and nothing else', BOCHS, 'Bochs counts nothing.'],
  ['architectural performance monitoring: what CPUID tells, and reserved bits', BOCHS, "Another processor's leaf, and nothing is counted."],
  ['counters of the kernel, of user mode and of both add up', BOCHS, 'Bochs counts nothing.'],
  ['a counter that overflows says so and interrupts, if it may', BOCHS, 'Bochs counts nothing.'],
  ['the Core 2 records its last four branches, until a debug exception', BOTH, 'Neither records branches (SDM 3B 17.4.8).'],
  ['IA32_DEBUGCTL keeps BTF alone; reserved bits fault', BOTH, LAX],
  ['machine-check registers: four banks that report nothing', BOTH, LAX],
];

export const explanationOf = (name: string, emulator: Emulator): string | null =>
  DIFFERENCES.find(([one, emulators]) => one === name && emulators.includes(emulator))?.[2] ?? null;
