// Packet commands, sense keys and codes of a CD-ROM drive (SFF-8020i; MMC-3; SPC-2).

export const PACKET = {
  TEST_UNIT_READY: 0x00,
  REQUEST_SENSE: 0x03,
  INQUIRY: 0x12,
  MODE_SENSE_6: 0x1a,
  START_STOP: 0x1b,
  PREVENT_ALLOW: 0x1e,
  READ_CAPACITY: 0x25,
  READ_10: 0x28,
  SEEK_10: 0x2b,
  READ_SUBCHANNEL: 0x42,
  READ_TOC: 0x43,
  GET_CONFIGURATION: 0x46,
  GET_EVENT_STATUS: 0x4a,
  READ_DISC_INFORMATION: 0x51,
  READ_TRACK_INFORMATION: 0x52,
  MODE_SENSE_10: 0x5a,
  READ_12: 0xa8,
  SET_CD_SPEED: 0xbb,
  MECHANISM_STATUS: 0xbd,
  READ_CD: 0xbe,
} as const;

/** Sense key, additional code and qualifier. */
export type Sense = readonly [key: number, code: number, qualifier: number];

export const SENSE = {
  NONE: [0, 0x00, 0],
  NO_MEDIUM: [2, 0x3a, 0],
  READ_ERROR: [3, 0x11, 0],
  INVALID_COMMAND: [5, 0x20, 0],
  OUT_OF_RANGE: [5, 0x21, 0],
  INVALID_FIELD: [5, 0x24, 0],
  SAVING_NOT_SUPPORTED: [5, 0x39, 0],
  REMOVAL_PREVENTED: [5, 0x53, 2],
  POWER_ON: [6, 0x29, 0],
  MEDIUM_CHANGED: [6, 0x28, 0],
} as const satisfies Record<string, Sense>;

export const CD_SECTOR = 2048;
/** Frames before logical block 0: 2 seconds. */
export const MSF_OFFSET = 150;
export const LEAD_OUT = 0xaa;
