// MC146818A registers as the PC uses them (Motorola MC146818A data sheet; PIIX3 3.6).

export const RTC = {
  SECONDS: 0x00,
  SECONDS_ALARM: 0x01,
  MINUTES: 0x02,
  MINUTES_ALARM: 0x03,
  HOURS: 0x04,
  HOURS_ALARM: 0x05,
  WEEKDAY: 0x06,
  DAY: 0x07,
  MONTH: 0x08,
  YEAR: 0x09,
  A: 0x0a,
  B: 0x0b,
  C: 0x0c,
  D: 0x0d,
  /** PC convention: the century in BCD. */
  CENTURY: 0x32,
} as const;

export const A = { UIP: 0x80, DIVIDER: 0x70, DIVIDER_RUN: 0x20, RATE: 0x0f } as const;
export const B = { SET: 0x80, PIE: 0x40, AIE: 0x20, UIE: 0x10, SQWE: 0x08, BINARY: 0x04, HOURS_24: 0x02, DSE: 0x01 } as const;
export const C = { IRQF: 0x80, PF: 0x40, AF: 0x20, UF: 0x10 } as const;
/** Register D: RAM and time are valid. */
export const D_VRT = 0x80;

/** An alarm byte of C0h-FFh matches anything (MC146818A p.12). */
export const ALARM_ANY = 0xc0;

/** UIP rises 244 us before the update (MC146818A p.13). */
export const UIP_NS = 244_000;
