// Where things lie in the 64 KiB system ROM (offsets from F0000h).

export const romOffsets = {
  /** ACPI tables, then SMBIOS. */
  tables: 0x0000,
  smbiosTable: 0x6000,
  pirqTable: 0x7000,
  mpTable: 0x7200,
  /** The assembled part. */
  code: 0xe000,
  diskParameters: 0xe401,
  diskParameters2: 0xe411,
  biosConfiguration: 0xe6f5,
  disketteParameters: 0xefc7,
  smallFont: 0xfa6e,
  vectors: 0xfef3,
} as const;

export const romFonts = {
  font16: 0x8000,
  font14: 0x9000,
  font8: 0x9e00,
  /** Empty replacement list of 9-dot characters. */
  font14Alternate: 0xa600,
  staticFunctionality: 0xa610,
} as const;
