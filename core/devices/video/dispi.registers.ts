// Registers of the Bochs display interface (Bochs VBE_DISPI 0.B0C5), as QEMU's standard VGA has them too.

/** Indices; the same numbers, doubled, are offsets of the 16-bit registers in device memory. */
export const DISPI = {
  /** B0C0h-B0C5h: a driver writes the newest that it knows. */
  ID: 0,
  /** Pixels of a line and lines. */
  XRES: 1,
  YRES: 2,
  /** Bits of a pixel: 8, 15, 16, 24 or 32. */
  BPP: 3,
  ENABLE: 4,
  /** 64 KiB piece of display memory at A0000h. */
  BANK: 5,
  /** Pixels of a line in display memory. */
  VIRT_WIDTH: 6,
  /** Lines that display memory holds; read only. */
  VIRT_HEIGHT: 7,
  X_OFFSET: 8,
  Y_OFFSET: 9,
  /** Size of display memory in 64 KiB; read only. */
  MEMORY_64K: 10,
} as const;
export const DISPI_REGISTERS = 11;

export const DISPI_ID = { OLDEST: 0xb0c0, NEWEST: 0xb0c5 } as const;

export const DISPI_ENABLE = {
  ENABLED: 0x01,
  /** XRES, YRES and BPP read as the largest. */
  CAPABILITIES: 0x02,
  DAC_8BIT: 0x20,
  LINEAR: 0x40,
  /** Switching on does not clear display memory. */
  KEEP_MEMORY: 0x80,
} as const;
