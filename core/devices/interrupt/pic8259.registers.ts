// 8259A command words (Intel 8259A data sheet, order 231468).

export const ICW1 = {
  /** ICW4 follows. */
  IC4: 0x01,
  /** Single: no ICW3. */
  SNGL: 0x02,
  /** Marks the word as ICW1. */
  SELECT: 0x10,
} as const;

export const ICW4 = {
  /** Automatic end of interrupt. */
  AEOI: 0x02,
  /** Special fully nested mode: a master lets higher requests of an in-service slave through. */
  SFNM: 0x10,
} as const;

/** OCW2 bits 7-5 (8259A fig. 8). */
export const OCW2 = {
  ROTATE_AEOI_CLEAR: 0,
  EOI: 1,
  NOP: 2,
  SPECIFIC_EOI: 3,
  ROTATE_AEOI_SET: 4,
  ROTATE_EOI: 5,
  SET_PRIORITY: 6,
  ROTATE_SPECIFIC_EOI: 7,
} as const;

export const OCW3 = {
  /** With SELECT: marks the word as OCW3. */
  SELECT: 0x08,
  /** Read register command: 2 IRR, 3 ISR. */
  RR: 0x02,
  RIS: 0x01,
  POLL: 0x04,
  /** Enable special mask mode: SMM counts. */
  ESMM: 0x40,
  SMM: 0x20,
} as const;

/** A poll word with a request in bits 2-0. */
export const POLL_REQUEST = 0x80;
