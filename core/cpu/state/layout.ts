// One table of offsets for TypeScript, WebAssembly and snapshots. All fields are little-endian; offsets are relative to
// the vCPU's base in the machine's linear memory, so that a second vCPU is a second base.

/** General registers are 16 i64 in encoding order; 32-bit writes clear the upper half (SDM 1 3.4.1.1). */
export const REGISTER_BYTES = 8;

export const FIELD = {
  /** GPR[16]: RAX RCX RDX RBX RSP RBP RSI RDI R8..R15. */
  gpr: 0,
  /** Always zero: base or index of an address that has none. */
  zero: 128,
  /** Lazy flags (semantics/flags.ts): a result for ZF, SF and PF... */
  flagResult: 136,
  /** ...and carries: bit 31 is CF, bit 31 xor bit 30 is OF, bit 3 is AF. */
  flagCarry: 144,
  /** EFLAGS without CF, PF, AF, ZF, SF, OF; bit 1 set. */
  eflags: 152,
  /** Current privilege level. */
  cpl: 156,
  /** EIP/RIP where execution continues; valid outside `run` and in helpers (the instruction's own address there). */
  rip: 160,
  /** Instructions that may still run in this slice: valid outside `run` and while there is no current record. */
  budget: 168,
  /** Inside `run`: where records in a row would end with the budget. */
  runEnd: 172,
  /** The current record in helpers and slow paths; 0: none. */
  record: 176,
  /** Base of the TLB of the current privilege: supervisor or user. */
  tlbBase: 180,
  /** Linear addresses wrap here: FFFFFFFFh, or -1 in 64-bit mode. */
  linearMask: 184,
  /** Stack pointer width: FFFFh, FFFFFFFFh or -1. */
  stackMask: 192,
  /** Table of instruction-pointer masks by operand size: 16, 32, 64. */
  ipMasks: 200,
  /** EIP of offset 0 of the current code page. */
  pageRip: 224,
  /** Decoding mode, a CODE_MODE. */
  codeMode: 232,
  /** Physical address bit 20 is ANDed with this: FFFFFFFFh or FFEFFFFFh. */
  a20Mask: 236,
  faultVector: 240,
  faultError: 244,
  /** Physical address (low, high) of an access that leaves RAM. */
  mmioAddress: 248,

  /** 18 address slots: segment * 3 + address size (16, 32, 64). */
  slots: 256,
  /** 8 segment caches: ES CS SS DS FS GS LDTR TR. */
  segments: 832,
  gdtrBase: 1088,
  gdtrLimit: 1096,
  idtrBase: 1104,
  idtrLimit: 1112,
  cr0: 1120,
  cr2: 1128,
  cr3: 1136,
  cr4: 1144,
  efer: 1152,
  /** DR0..DR7, i64 each. */
  dr: 1160,
  /** Set while the interrupt line is asserted. */
  interruptPending: 1224,
  /** Debug traps (DR6 bits) that the current instruction raised. */
  pendingDebug: 1228,
  /** IA32_SYSENTER_CS, ESP, EIP: i64 each. */
  sysenterCs: 1232,
  sysenterEsp: 1240,
  sysenterEip: 1248,
  /** Four PDPTEs that CR3 loading caches in PAE mode (SDM 3A 4.4.1). */
  pdptes: 1256,
  /** Non-zero: pages with data breakpoints get no TLB tags for the accesses that must be looked at. */
  breakpointsArmed: 1288,
  /** Length of the value that a slow read-modify-write access must store back, and where. */
  pendingWriteSize: 1292,
  pendingWriteLinear: 1296,
  /** Bounce buffers for accesses that are not plain RAM: 64 bytes. */
  scratch: 1312,
  /** Two physical addresses (host pointers) of a page-crossing access. */
  crossHost: 1376,

  // x87 (SDM 1 8.1): eight physical registers of 16 bytes {significand i64, sign and exponent u16}, not stack-relative.
  fpr: 1408,
  fpControl: 1536,
  /** Status word with TOP in its place. */
  fpStatus: 1540,
  /** Abridged tags as FXSAVE: bit n set when physical register n is not empty. */
  fpTags: 1544,
  fpOpcode: 1548,
  fpInstruction: 1552,
  fpInstructionSelector: 1560,
  fpData: 1568,
  fpDataSelector: 1576,
  mxcsr: 1580,
  /** Scratch of the x87 functions: 64 bytes. */
  fpScratch: 1584,
  /** 32 vector registers of 64 bytes. */
  xmm: 1664,
  /** Two records {the instruction, stop}: single steps and instructions that cross a page. */
  stepRecords: 3712,
  /** How often CLI was executed: i64 in kernel mode, i64 in user mode. All other sensitive instructions are helpers. */
  cliCounts: 3744,
  /** Page walks that filled a TLB entry, i64. */
  tlbFills: 3760,
  /** Offset of the TLB that the kernel's accesses fill: with EFLAGS.AC under SMAP another one. */
  supervisorTlb: 3768,
  /** Whether the access on the slow path goes through the stack segment. */
  stackAccess: 3772,
  // Model-specific registers of long mode, i64 each (SDM 4).
  star: 3776,
  lstar: 3784,
  cstar: 3792,
  sfmask: 3800,
  kernelGsBase: 3808,
  tscAux: 3816,
  pat: 3824,
  xcr0: 3832,
  /** IGNNE#: x87 errors are ignored while CR0.NE is clear. */
  ignoreErrors: 4080,
  /** MXCSR bits that this model reserves beside the upper half: DAZ before SSE2. */
  mxcsrReserved: 4088,
} as const;

/** How code is decoded: its default size, and whether ES, SS and DS are flat 4 GiB segments. */
export const CODE_MODE = { code16: 0, code32: 1, code64: 2, flat32: 3 } as const;

/** Size of one vCPU's fixed state; the TLBs follow. */
export const STATE_BYTES = 4096;

export const SLOT = {
  bytes: 32,
  base: 0,
  /** Highest offset that may be read, signed; -1 sends every access to the slow path. */
  readLimit: 8,
  writeLimit: 16,
  /** Effective addresses wrap here. */
  mask: 24,
} as const;

export const SEGMENT = {
  bytes: 32,
  base: 0,
  limit: 8,
  /** Descriptor bits 8..23 of its upper half: type, S, DPL, P, AVL, L, D/B, G. Zero: null or unusable. */
  attributes: 12,
  selector: 16,
} as const;

/** Bits of `breakpointsArmed`: data breakpoints, alignment checks of user mode, and an engine without a TLB. */
export const ARMED = { breakpoints: 1, alignment: 2, uncached: 4 } as const;

/** "Fault" of an x87 instruction that waits for an error to be reported through FERR# (SDM 1 8.7.2): no vector. */
export const FLOATING_ERROR = 0x100;

export const ES = 0, CS = 1, SS = 2, DS = 3, FS = 4, GS = 5, LDTR = 6, TR = 7;
export const RAX = 0, RCX = 1, RDX = 2, RBX = 3, RSP = 4, RBP = 5, RSI = 6, RDI = 7;

export const TLB = {
  entries: 1024,
  bytes: 32,
  /** Linear page, or -1: no match. */
  readTag: 0,
  writeTag: 8,
  /** Host address = low 32 bits of the linear address + this. */
  addend: 16,
  /** Address of the page's table of records for the current mode; 0: look it up. */
  codeTable: 20,
  /** Physical page number. */
  frame: 24,
} as const;

export const TLB_SUPERVISOR = STATE_BYTES;
export const TLB_USER = TLB_SUPERVISOR + TLB.entries * TLB.bytes;
/** The kernel's with EFLAGS.AC set under SMAP: the one in which user pages may stand. */
export const TLB_SUPERVISOR_AC = TLB_USER + TLB.entries * TLB.bytes;
export const TLBS = [TLB_SUPERVISOR, TLB_USER, TLB_SUPERVISOR_AC] as const;
export const VCPU_BYTES = TLB_SUPERVISOR_AC + TLB.entries * TLB.bytes;

/** A decoded instruction. */
export const RECORD = {
  bytes: 16,
  /** u16: index of the handler. */
  handler: 0,
  /** u16: offset in the page << 4 | length. */
  place: 2,
  /** u8: byte offset in the state of register operand A (ModRM.reg, or a fixed one). */
  a: 4,
  /** u8: register operand B (ModRM.rm), or the base of the address. */
  b: 5,
  /** u8: index of the address. */
  index: 6,
  /** u8: address slot | scale << 6. */
  slot: 7,
  /** i32: displacement; target offset of a branch relative to its page. */
  disp: 8,
  /** i32: immediate; record that a branch leads to, once known. */
  imm: 12,
} as const;

export const FLAG = {
  CF: 1 << 0, PF: 1 << 2, AF: 1 << 4, ZF: 1 << 6, SF: 1 << 7, TF: 1 << 8, IF: 1 << 9, DF: 1 << 10, OF: 1 << 11,
  IOPL: 3 << 12, NT: 1 << 14, RF: 1 << 16, VM: 1 << 17, AC: 1 << 18, VIF: 1 << 19, VIP: 1 << 20, ID: 1 << 21,
} as const;
/** IA32_EFER (SDM 3A 2.2.1). */
export const EFER = { SCE: 1 << 0, LME: 1 << 8, LMA: 1 << 10, NXE: 1 << 11 } as const;
export const ARITHMETIC_FLAGS = FLAG.CF | FLAG.PF | FLAG.AF | FLAG.ZF | FLAG.SF | FLAG.OF;

/** What `run` returns. */
export const EXIT = {
  /** The slice's budget is used up. */
  budget: 0,
  /** The instruction at `rip` raised `faultVector`. */
  fault: 1,
  /** A helper asks to leave; `rip` is where execution continues. */
  helper: 2,
  /** A single step is done. */
  step: 3,
  /** In front of an instruction with a debugger's breakpoint. */
  breakpoint: 4,
  /** The debugger asked to stop behind an instruction where the slice would have gone on. */
  interrupted: 5,
} as const;

/** What a helper returns. */
export const HELPER = {
  /** Done; go on behind the instruction. */
  next: 0,
  /** Done; go on at `rip`. */
  jump: 1,
  /** The instruction faults; nothing has changed. */
  fault: 2,
  /** Done; go on at `rip` after the run loop has looked around. */
  exit: 3,
  /** Go on at `stepRecords`, which were filled for this instruction. */
  step: 4,
  /** Done; the debugger stops at `rip`. */
  stop: 5,
} as const;
