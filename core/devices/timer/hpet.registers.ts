// High precision event timer registers (IA-PC HPET 1.0a, 2.3).

export const COMPARATORS = 3;
/** Main counter period: 10 ns, 100 MHz. */
export const PERIOD_FS = 10_000_000;
export const TICK_NS = 10;

export const REGISTER = { CAPABILITIES: 0x000, CONFIGURATION: 0x010, STATUS: 0x020, COUNTER: 0x0f0, TIMERS: 0x100 } as const;
/** Within the 20h bytes of a timer. */
export const TIMER = { CONFIGURATION: 0x00, COMPARATOR: 0x08 } as const;

/** Low word of GCAP_ID: Intel, legacy replacement, 64-bit counter, three timers, revision 1. */
export const CAPABILITIES = (0x8086 << 16) | (1 << 15) | (1 << 13) | ((COMPARATORS - 1) << 8) | 1;

export const CONFIGURATION = { ENABLE: 1, LEGACY: 2 } as const;

/** Low word of TIMn_CONF. */
export const TIMER_CONFIGURATION = {
  LEVEL: 1 << 1,
  ENABLE: 1 << 2,
  PERIODIC: 1 << 3,
  SET_VALUE: 1 << 6,
  WIDTH_32: 1 << 8,
  ROUTE_SHIFT: 9,
  /** LEVEL, ENABLE, PERIODIC, SET_VALUE, WIDTH_32, route. */
  WRITABLE: 0x3f4e,
  /** Can be periodic, 64 bits wide. */
  CAPABILITIES: 0x30,
} as const;

/** I/O APIC inputs that a timer can be routed to. */
export const ROUTES = 0x00f00000;
