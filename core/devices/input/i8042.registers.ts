// 8042 keyboard controller (IBM PS/2 Hardware Interface Technical Reference, keyboard and auxiliary device controller).

export const STATUS = { OBF: 0x01, SYSTEM: 0x04, COMMAND: 0x08, UNLOCKED: 0x10, AUX: 0x20 } as const;

/** Controller command byte, RAM location 0. */
export const CCB = { KEY_INT: 0x01, AUX_INT: 0x02, SYSTEM: 0x04, KEY_OFF: 0x10, AUX_OFF: 0x20, TRANSLATE: 0x40 } as const;

/** Output port P2. */
export const OUTPUT = { RESET: 0x01, A20: 0x02, AUX_CLOCK: 0x08, KEY_INT: 0x10, AUX_INT: 0x20, ALWAYS: 0xc0 } as const;

export const COMMAND = {
  READ_RAM: 0x20,
  WRITE_RAM: 0x60,
  AUX_DISABLE: 0xa7,
  AUX_ENABLE: 0xa8,
  AUX_TEST: 0xa9,
  SELF_TEST: 0xaa,
  KEY_TEST: 0xab,
  KEY_DISABLE: 0xad,
  KEY_ENABLE: 0xae,
  READ_INPUT: 0xc0,
  READ_OUTPUT: 0xd0,
  WRITE_OUTPUT: 0xd1,
  WRITE_KEY_BUFFER: 0xd2,
  WRITE_AUX_BUFFER: 0xd3,
  WRITE_AUX: 0xd4,
  A20_OFF: 0xdd,
  A20_ON: 0xdf,
  PULSE: 0xf0,
} as const;

/** Commands that wait for a data byte at port 60h; 60h-7Fh do too. */
export const WITH_DATA: ReadonlySet<number> = new Set([0xd1, 0xd2, 0xd3, 0xd4]);

export const SELF_TEST_PASSED = 0x55;
export const INPUT_PORT = 0x80;

/**
 * Pause between two bytes of keys or motion: handlers that read port 60h twice must see the same byte, as they do on a
 * wire that takes a millisecond.
 */
export const BYTE_GAP_NS = 250_000;
