// The Popek-Goldberg audit: every sensitive instruction of the decode tables, by the marks of its row.
// Popek and Goldberg, "Formal Requirements for Virtualizable Third Generation Architectures" (1974); Robin and Irvine,
// "Analysis of the Intel Pentium's Ability to Support a Secure Virtual Machine Monitor" (2000) for the classic ones.
import type { AuditRow } from '../../api/debug.ts';
import type { Cpu } from '../../cpu/cpu.ts';
import { handlerTable } from '../../cpu/decode/handlers.ts';
import type { Row } from '../../cpu/decode/row.ts';
import { FIELD } from '../../cpu/state/layout.ts';

interface Group {
  readonly instruction: string;
  /** Names of the rows' meanings. */
  readonly names: RegExp;
  readonly trapsWhen: string;
  readonly classic: boolean;
  readonly onBare386: string;
  readonly here: string;
}

const never = (instruction: string, names: RegExp, onBare386: string, here: string, classic = true): Group => ({
  instruction, names, trapsWhen: 'never', classic, onBare386, here,
});
const kernel = (instruction: string, names: RegExp, onBare386: string, here: string, trapsWhen = 'CPL above 0'): Group => ({
  instruction, names, trapsWhen, classic: false, onBare386, here,
});
const TRAPS = '#GP: the monitor sees it';
const NOT_THERE = '#UD: not on a 386';

/** In the order in which they are shown. The order of a row's match matters: first come, first served. */
const GROUPS: readonly Group[] = [
  never('SGDT', /^storeGdtr$/, "shows the host's table", "the guest's own GDTR"),
  never('SIDT', /^storeIdtr$/, "shows the host's table", "the guest's own IDTR"),
  never('SLDT', /^storeLdtr$/, "shows the host's selector", "the guest's own LDTR"),
  never('STR', /^storeTr$/, "shows the host's selector", "the guest's own TR"),
  never('SMSW', /^storeMachineStatus$/, "shows the host's CR0", "the guest's own CR0"),
  never('PUSHF', /^pushFlags$/, "shows the host's IF and IOPL", "the guest's own flags, inline"),
  never('POPF', /^popFlags$/, 'a change of IF is ignored without a trap', "the guest's virtual IF, inline"),
  never('LAR', /^loadAccessRights$/, "reads the host's descriptors", "the guest's own GDT and LDT"),
  never('LSL', /^loadSegmentLimit$/, "reads the host's descriptors", "the guest's own GDT and LDT"),
  never('VERR', /^verifyRead$/, "checks the host's descriptors", "the guest's own GDT and LDT"),
  never('VERW', /^verifyWrite$/, "checks the host's descriptors", "the guest's own GDT and LDT"),
  never('PUSH segment', /^pushSegment/, 'shows ring 3 in CS and SS', "the guest's own selectors"),
  never('POP segment', /^popSegment/, "loads from the host's tables, refuses ring 0", "the guest's own tables and CPL"),
  never('MOV r, segment', /^moveFromSegment$/, 'shows ring 3 in CS and SS', "the guest's own selectors"),
  never('MOV segment, r', /^moveToSegment$/, "loads from the host's tables, refuses ring 0", "the guest's own tables and CPL"),
  never('CALL far', /^callFar/, "goes through the host's gates", "the guest's own gates and TSS"),
  never('JMP far', /^jumpFar/, "goes through the host's gates", "the guest's own gates and TSS"),
  never('RET far', /^returnFar$/, 'stays in ring 3', 'returns to any ring of the guest'),
  never('INT n', /^softwareInterrupt$/, "enters the host's handler", "the guest's own IDT"),
  never('IRET', /^interruptReturn$/, 'stays in ring 3, ignores IF', 'returns to any ring of the guest', false),
  never('LDS, LES, LFS, LGS, LSS', /^loadFarPointer/, "loads from the host's tables", "the guest's own tables and CPL", false),
  never('ARPL', /^adjustRpl$/, 'compares with ring 3 instead of ring 0', "the guest's own CPL", false),
  never('CPUID', /^cpuid$/, NOT_THERE, 'answers from the CPU model', false),
  never('RDTSC, RDTSCP', /^readTimestamp/, NOT_THERE, 'guest time', false),
  never('RDPMC', /^readPerformanceCounter$/, NOT_THERE, 'counters that stand still', false),
  kernel('CLI, STI', /^(CLI|clearInterruptFlag|setInterruptFlag)$/, '#GP by IOPL', "the guest's virtual IF, inline", 'CPL above IOPL'),
  kernel('IN, INS', /^in(Immediate|Dx|String)/, '#GP by IOPL', 'exit to the device', 'CPL above IOPL'),
  kernel('OUT, OUTS', /^out(Immediate|Dx|String)/, '#GP by IOPL', 'exit to the device', 'CPL above IOPL'),
  kernel('HLT', /^halt$/, TRAPS, 'exit; the process sleeps'),
  kernel('MOV from CR', /^moveFromControl$/, TRAPS, "the guest's own register"),
  kernel('MOV to CR', /^moveToControl$/, TRAPS, "exit; the guest's mode and page tables change"),
  kernel('MOV from DR', /^moveFromDebug$/, TRAPS, "the guest's own register"),
  kernel('MOV to DR', /^moveToDebug$/, TRAPS, "exit; the guest's breakpoints are armed"),
  kernel('LMSW', /^loadMachineStatus$/, TRAPS, "exit; the guest's mode changes"),
  kernel('CLTS', /^clearTaskSwitched$/, TRAPS, "the guest's own CR0"),
  kernel('LGDT', /^loadGdtr$/, TRAPS, "exit; the guest's table"),
  kernel('LIDT', /^loadIdtr$/, TRAPS, "exit; the guest's table"),
  kernel('LLDT', /^loadLdtr$/, TRAPS, "exit; the guest's table"),
  kernel('LTR', /^loadTr$/, TRAPS, "exit; the guest's task"),
  kernel('INVLPG', /^invalidatePage$/, NOT_THERE, 'exit; one TLB entry goes'),
  kernel('INVPCID', /^invalidateContext$/, NOT_THERE, 'exit; all TLB entries go'),
  kernel('SWAPGS', /^swapGs$/, NOT_THERE, "the guest's own GS bases"),
  kernel('STAC, CLAC', /^(set|clear)AccessCheck$/, NOT_THERE, "the guest's own AC; another TLB under SMAP"),
  kernel('XSETBV', /^writeExtendedControl$/, NOT_THERE, "the guest's own XCR0"),
  kernel('INVD, WBINVD', /^invalidateCaches$/, NOT_THERE, 'nothing: memory is coherent'),
  kernel('RDMSR', /^readMsr$/, NOT_THERE, "exit; the guest's own register"),
  kernel('WRMSR', /^writeMsr$/, NOT_THERE, "exit; the guest's own register"),
];

const isAudited = (row: Row): boolean => row.sensitive !== undefined;

/** Group of a sensitive row; null: the audit does not know it (a test makes sure that there is none). */
export function auditGroup(row: Row): string | null {
  return GROUPS.find(({ names }) => names.test(row.name))?.instruction ?? null;
}

/** Rows of the audit with the counts of one CPU; without one, all counts are zero. */
export function audit(cpu: Cpu | null): AuditRow[] {
  return GROUPS.map((group) => {
    const specifications = handlerTable.handlers.filter(({ row }) => isAudited(row) && group.names.test(row.name));
    let user = 0, inKernel = 0;
    for (const { index, row } of specifications) {
      if (cpu === null || row.semantics !== null) continue;
      inKernel += cpu.helperCounts[index * 2]!;
      user += cpu.helperCounts[index * 2 + 1]!;
    }
    // CLI is the one that is no helper.
    if (cpu !== null && group.instruction === 'CLI, STI') {
      inKernel += wide(cpu, FIELD.cliCounts);
      user += wide(cpu, FIELD.cliCounts + 8);
    }
    const row = specifications[0]!.row;
    return {
      instruction: group.instruction, sensitivity: row.sensitive!, privileged: row.privileged === true, trapsWhen: group.trapsWhen,
      classic: group.classic, user, kernel: inKernel, onBare386: group.onBare386, here: group.here,
    };
  });
}

export const wide = (cpu: Cpu, field: number): number => cpu.get32(field) + cpu.get32(field + 4) * 2 ** 32;
