// ATA/ATAPI registers and commands (ATA/ATAPI-6, T13 1410D; SFF-8020i; bus master: SFF-8038i).

export const STATUS = { BSY: 0x80, DRDY: 0x40, DF: 0x20, DSC: 0x10, DRQ: 0x08, ERR: 0x01 } as const;
export const ERROR = { UNC: 0x40, IDNF: 0x10, ABRT: 0x04 } as const;
export const DEVICE = { LBA: 0x40, DEV: 0x10 } as const;
export const CONTROL = { NIEN: 0x02, SRST: 0x04, HOB: 0x80 } as const;

/** Offsets in the command block. */
export const REG = { DATA: 0, ERROR_FEATURES: 1, COUNT: 2, LBA_LOW: 3, LBA_MID: 4, LBA_HIGH: 5, DEVICE: 6, STATUS_COMMAND: 7 } as const;

export const COMMAND = {
  DEVICE_RESET: 0x08,
  RECALIBRATE: 0x10,
  READ: 0x20,
  READ_NO_RETRY: 0x21,
  READ_EXT: 0x24,
  READ_DMA_EXT: 0x25,
  READ_NATIVE_MAX_EXT: 0x27,
  READ_MULTIPLE_EXT: 0x29,
  WRITE: 0x30,
  WRITE_NO_RETRY: 0x31,
  WRITE_EXT: 0x34,
  WRITE_DMA_EXT: 0x35,
  WRITE_MULTIPLE_EXT: 0x39,
  VERIFY: 0x40,
  VERIFY_NO_RETRY: 0x41,
  VERIFY_EXT: 0x42,
  SEEK: 0x70,
  DIAGNOSTIC: 0x90,
  INITIALIZE_PARAMETERS: 0x91,
  PACKET: 0xa0,
  IDENTIFY_PACKET: 0xa1,
  READ_MULTIPLE: 0xc4,
  WRITE_MULTIPLE: 0xc5,
  SET_MULTIPLE: 0xc6,
  READ_DMA: 0xc8,
  READ_DMA_NO_RETRY: 0xc9,
  WRITE_DMA: 0xca,
  WRITE_DMA_NO_RETRY: 0xcb,
  STANDBY_IMMEDIATE: 0xe0,
  IDLE_IMMEDIATE: 0xe1,
  STANDBY: 0xe2,
  IDLE: 0xe3,
  CHECK_POWER: 0xe5,
  SLEEP: 0xe6,
  FLUSH: 0xe7,
  FLUSH_EXT: 0xea,
  IDENTIFY: 0xec,
  SET_FEATURES: 0xef,
  READ_NATIVE_MAX: 0xf8,
} as const;

/** Interrupt reason of an ATAPI device, in the count register (SFF-8020i table 7). */
export const REASON = { COMMAND: 0x01, TO_HOST: 0x02 } as const;

/** Bus master registers of a channel (SFF-8038i 3). */
export const BM = { COMMAND: 0, STATUS: 2, TABLE: 4 } as const;
export const BM_COMMAND = { START: 0x01, TO_MEMORY: 0x08 } as const;
export const BM_STATUS = { ACTIVE: 0x01, ERROR: 0x02, INTERRUPT: 0x04, CAPABLE: 0x60 } as const;
export const PRD_END = 0x80000000;
