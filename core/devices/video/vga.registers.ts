// VGA registers (IBM VGA Technical Reference, 1992; names as there).

export const SEQ = { RESET: 0, CLOCKING: 1, MAP_MASK: 2, CHARACTER_MAP: 3, MEMORY_MODE: 4 } as const;
export const CLOCKING = { EIGHT_DOTS: 0x01, HALF_CLOCK: 0x08, SCREEN_OFF: 0x20 } as const;
export const MEMORY_MODE = { SEQUENTIAL: 0x04, CHAIN4: 0x08 } as const;

export const GC = {
  SET_RESET: 0,
  ENABLE_SET_RESET: 1,
  COLOR_COMPARE: 2,
  ROTATE: 3,
  READ_MAP: 4,
  MODE: 5,
  MISC: 6,
  COLOR_DONT_CARE: 7,
  BIT_MASK: 8,
} as const;
export const GC_MODE = { WRITE: 0x03, READ_COMPARE: 0x08, ODD_EVEN: 0x10, INTERLEAVED: 0x20, COLOR_256: 0x40 } as const;

export const CR = {
  H_TOTAL: 0x00,
  H_DISPLAY_END: 0x01,
  V_TOTAL: 0x06,
  OVERFLOW: 0x07,
  PRESET_ROW: 0x08,
  MAX_SCAN: 0x09,
  CURSOR_START: 0x0a,
  CURSOR_END: 0x0b,
  START_HIGH: 0x0c,
  START_LOW: 0x0d,
  CURSOR_HIGH: 0x0e,
  CURSOR_LOW: 0x0f,
  V_RETRACE_START: 0x10,
  V_RETRACE_END: 0x11,
  V_DISPLAY_END: 0x12,
  OFFSET: 0x13,
  UNDERLINE: 0x14,
  MODE: 0x17,
  LINE_COMPARE: 0x18,
} as const;
export const MAX_SCAN = { DOUBLE: 0x80, LINE_COMPARE_9: 0x40, ROWS: 0x1f } as const;
export const UNDERLINE_DWORD = 0x40;
export const CR_MODE = { NO_CGA_BANK: 0x01, NO_HERCULES_BANK: 0x02, WRAP_15: 0x20, BYTE: 0x40 } as const;
/** Vertical retrace end: CR0-CR7 are write-protected. */
export const PROTECT = 0x80;
export const CURSOR_OFF = 0x20;

export const AR = { MODE: 0x10, OVERSCAN: 0x11, PLANE_ENABLE: 0x12, PAN: 0x13, COLOR_SELECT: 0x14 } as const;
export const AR_MODE = { GRAPHICS: 0x01, MONO: 0x02, LINE_GRAPHICS: 0x04, BLINK: 0x08, COLOR_256: 0x40, P54_SELECT: 0x80 } as const;
/** Attribute index: the palette belongs to the display, not to the CPU. */
export const PALETTE_SOURCE = 0x20;

/** Miscellaneous output register. */
export const MISC = { COLOR_IO: 0x01, RAM_ENABLE: 0x02, CLOCK_SHIFT: 2 } as const;

/** Input status 1. */
export const STATUS1 = { DISPLAY_DISABLED: 0x01, V_RETRACE: 0x08 } as const;

export const DOT_CLOCK_HERTZ = [25_175_000, 28_322_000, 25_175_000, 25_175_000] as const;

/** Readable and kept bits of each register; what is not listed is FFh. */
export const SEQ_MASK = [0x03, 0x3d, 0x0f, 0x3f, 0x0e] as const;
export const GC_MASK = [0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff] as const;
