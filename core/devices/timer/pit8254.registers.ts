// 8254 control word and port 61h (Intel 8254 data sheet, order 231164; PIIX3 3.5).

export const CONTROL = {
  BCD: 0x01,
  /** Bits 5-4: 0 latches the count, 1 low byte, 2 high byte, 3 low then high. */
  ACCESS_SHIFT: 4,
  /** Channel field 3: read-back command. */
  READ_BACK: 3,
} as const;

/** Read-back command bits are active low (8254 fig. 12). */
export const READ_BACK = { NO_COUNT: 0x20, NO_STATUS: 0x10 } as const;

export const STATUS = { OUT: 0x80, NULL_COUNT: 0x40 } as const;

/** NMI status and control, port 61h. */
export const PORT61 = {
  GATE2: 0x01,
  SPEAKER: 0x02,
  PARITY_DISABLE: 0x04,
  IOCHK_DISABLE: 0x08,
  REFRESH: 0x10,
  OUT2: 0x20,
} as const;

/** 14.31818 MHz / 12. */
export const PIT_HERTZ = 1193182;

/** Bit 4 of port 61h toggles at each refresh request, about every 15 us: 18 ticks. */
export const REFRESH_TICKS = 18;
