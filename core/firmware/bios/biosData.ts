// The BIOS data area at 40:00 and the extended one, by the IBM PC/AT Technical Reference, section 5.
import { ebdaBase } from '../memoryMap.ts';

export const bda = {
  serialPorts: 0x400,
  parallelPorts: 0x408,
  ebdaSegment: 0x40e,
  equipment: 0x410,
  memoryKb: 0x413,
  shift: 0x417,
  shift2: 0x418,
  altNumber: 0x419,
  keyHead: 0x41a,
  keyTail: 0x41c,
  keyBuffer: 0x41e,
  videoMode: 0x449,
  videoColumns: 0x44a,
  videoPageBytes: 0x44c,
  videoPageStart: 0x44e,
  cursorPositions: 0x450,
  cursorShape: 0x460,
  videoPage: 0x462,
  crtcPort: 0x463,
  cgaMode: 0x465,
  cgaPalette: 0x466,
  resumeVector: 0x467,
  ticks: 0x46c,
  midnight: 0x470,
  breakFlag: 0x471,
  resetFlag: 0x472,
  diskStatus: 0x474,
  diskCount: 0x475,
  parallelTimeouts: 0x478,
  serialTimeouts: 0x47c,
  keyBufferStart: 0x480,
  keyBufferEnd: 0x482,
  videoRows: 0x484,
  characterHeight: 0x485,
  videoControl: 0x487,
  videoSwitches: 0x488,
  videoFlags: 0x489,
  displayCombination: 0x48a,
  keyFlags3: 0x496,
  keyFlags4: 0x497,
  videoSavePointer: 0x4a8,
} as const;

/** Extended area; the first word is its length in KiB. The mouse fields are where the AT's BIOS keeps them. */
export const ebda = {
  mouseHandler: ebdaBase + 0x22,
  /** Bits 0-2: bytes of the current packet so far. */
  mouseFlags1: ebdaBase + 0x26,
  /** Bit 7: a handler is installed; bits 0-2: packet bytes minus one. */
  mouseFlags2: ebdaBase + 0x27,
  mousePacket: ebdaBase + 0x28,
  /** ACPI FACS, 64 bytes. */
  facs: ebdaBase + 0x100,
  /** VGA static functionality, dynamic save areas. */
  videoSaveTable: ebdaBase + 0x180,
} as const;

/** Far pointer in the interrupt vector table. */
export const vectorAddress = (vector: number): number => vector * 4;
