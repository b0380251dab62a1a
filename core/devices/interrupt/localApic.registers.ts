// Local APIC registers (SDM 3A 10.4.1, table 10-1): offsets from IA32_APIC_BASE.

export const REGISTER = {
  ID: 0x020,
  VERSION: 0x030,
  TPR: 0x080,
  APR: 0x090,
  PPR: 0x0a0,
  EOI: 0x0b0,
  RRD: 0x0c0,
  LDR: 0x0d0,
  DFR: 0x0e0,
  SVR: 0x0f0,
  ISR: 0x100,
  TMR: 0x180,
  IRR: 0x200,
  ESR: 0x280,
  ICR_LOW: 0x300,
  ICR_HIGH: 0x310,
  LVT_TIMER: 0x320,
  LVT_THERMAL: 0x330,
  LVT_PERFORMANCE: 0x340,
  LVT_LINT0: 0x350,
  LVT_LINT1: 0x360,
  LVT_ERROR: 0x370,
  INITIAL_COUNT: 0x380,
  CURRENT_COUNT: 0x390,
  DIVIDE: 0x3e0,
} as const;

/** Integrated APIC, six LVT entries (10.4.8). */
export const VERSION = 0x00050014;

/** Index of an LVT entry in the order of its register. */
export const LVT = { TIMER: 0, THERMAL: 1, PERFORMANCE: 2, LINT0: 3, LINT1: 4, ERROR: 5 } as const;
/** Bits that software may write, by entry (10.5.1, figure 10-8). */
export const LVT_WRITABLE = [0x700ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff] as const;
export const LVT_MASKED = 1 << 16;
/** A level-triggered fixed interrupt from a LINT pin was accepted and has had no EOI. */
export const LVT_REMOTE_IRR = 1 << 14;
export const LVT_LEVEL = 1 << 15;
export const LVT_ACTIVE_LOW = 1 << 13;
/** Timer mode, bits 18:17. */
export const TIMER_MODE = { ONE_SHOT: 0, PERIODIC: 1, TSC_DEADLINE: 2 } as const;

export const TIMER_DEADLINE_MODE = 1 << 18;

/** Delivery modes, bits 10:8 of LVT entries, ICR and redirection entries. */
export const DELIVERY = { FIXED: 0, LOWEST: 1, SMI: 2, NMI: 4, INIT: 5, STARTUP: 6, EXTINT: 7 } as const;

/** Spurious-interrupt vector register: the APIC is software-enabled. */
export const SVR_ENABLE = 1 << 8;
export const SVR_WRITABLE = 0x3ff;

/** Error status register (10.5.3). */
export const ERROR = { SEND_ILLEGAL: 1 << 5, RECEIVE_ILLEGAL: 1 << 6, ILLEGAL_REGISTER: 1 << 7 } as const;

/** Interrupt command register, low half (10.6.1). */
export const ICR = { LOGICAL: 1 << 11, ASSERT: 1 << 14, LEVEL: 1 << 15, WRITABLE: 0x000ccfff } as const;
export const SHORTHAND = { NONE: 0, SELF: 1, ALL: 2, OTHERS: 3 } as const;

/** IA32_APIC_BASE (10.4.4). */
export const APIC_BASE = { BSP: 1 << 8, X2APIC: 1 << 10, ENABLE: 1 << 11, DEFAULT: 0xfee00000 } as const;

export const MSR = { APIC_BASE: 0x1b, TSC_DEADLINE: 0x6e0 } as const;
