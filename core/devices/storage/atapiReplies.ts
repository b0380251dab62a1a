// Data that a CD-ROM drive answers with: pure functions of medium and request (MMC-3 clause 6).
import { CD_SECTOR, LEAD_OUT, MSF_OFFSET } from './scsi.registers.ts';

export const be16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!;
export const be32 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;

const putBe16 = (bytes: number[], at: number, value: number): void => {
  bytes[at] = (value >> 8) & 0xff;
  bytes[at + 1] = value & 0xff;
};

const word32 = (value: number): number[] => [(value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];

const ascii = (text: string, length: number): number[] => Array.from({ length }, (_, index) => text.charCodeAt(index) || 0x20);

/** SPC-2 7.3. */
export const inquiry = (): number[] => [0x05, 0x80, 0x00, 0x21, 31, 0, 0, 0, ...ascii('TRAPEZE', 8), ...ascii('CD-ROM', 16), ...ascii('1.0', 4)];

export const requestSense = (key: number, code: number, qualifier: number): number[] => {
  const reply = new Array<number>(18).fill(0);
  reply[0] = 0x70;
  reply[2] = key;
  reply[7] = 10;
  reply[12] = code;
  reply[13] = qualifier;
  return reply;
};

export const capacity = (sectors: number): number[] => [...word32(sectors - 1), ...word32(CD_SECTOR)];

const position = (block: number, msf: boolean): number[] => {
  if (!msf) return word32(block);
  const frame = block + MSF_OFFSET;
  return [0, Math.floor(frame / 4500) & 0xff, Math.floor(frame / 75) % 60, frame % 75];
};

/** READ TOC formats 0 (tracks), 1 (sessions), 2 (full); null: a format that does not exist (MMC-3 6.25). */
export function tableOfContents(format: number, msf: boolean, start: number, sectors: number): number[] | null {
  if (format === 0) {
    if (start > 1 && start !== LEAD_OUT) return null;
    const reply = [0, 0, 1, 1];
    if (start <= 1) reply.push(0, 0x14, 1, 0, ...position(0, msf));
    reply.push(0, 0x14, LEAD_OUT, 0, ...position(sectors, msf));
    putBe16(reply, 0, reply.length - 2);
    return reply;
  }
  if (format === 1) return [0, 10, 1, 1, 0, 0x14, 1, 0, ...position(0, msf)];
  if (format !== 2) return null;
  const full = (point: number, block: readonly number[]): number[] => [1, 0x14, 0, point, 0, 0, 0, 0, ...block.slice(1)];
  const reply = [
    0,
    0,
    1,
    1,
    ...full(0xa0, [0, 1, 0, 0]),
    ...full(0xa1, [0, 1, 0, 0]),
    ...full(0xa2, position(sectors, true)),
    ...full(1, position(0, true)),
  ];
  putBe16(reply, 0, reply.length - 2);
  return reply;
}

const PROFILE_CD_ROM = 0x0008;
const PROFILE_DVD_ROM = 0x0010;
/** Larger images cannot be a CD (80 minutes). */
const CD_SECTORS = 80 * 60 * 75;

/** GET CONFIGURATION: profile list, core, removable medium, random readable (MMC-3 5.3). */
export function configuration(type: number, firstFeature: number, sectors: number): number[] {
  const current = sectors === 0 ? 0 : sectors > CD_SECTORS ? PROFILE_DVD_ROM : PROFILE_CD_ROM;
  const profile = (number: number): number[] => [0, number, number === current ? 1 : 0, 0];
  const present = sectors > 0 ? 1 : 0;
  const features: [code: number, descriptor: number[]][] = [
    [0x0000, [0, 0, 0x03, 8, ...profile(PROFILE_DVD_ROM), ...profile(PROFILE_CD_ROM)]],
    [0x0001, [0, 1, 0x07, 8, 0, 0, 0, 2, 0, 0, 0, 0]],
    [0x0003, [0, 3, 0x03, 4, 0x29, 0, 0, 0]],
    [0x0010, [0, 0x10, present, 8, 0, 0, 8, 0, 0, 1, 0, 0]],
    [0x001e, [0, 0x1e, current === PROFILE_CD_ROM ? 1 : 0, 4, 0, 0, 0, 0]],
  ];
  const chosen = features.filter(([code, descriptor]) =>
    type === 2 ? code === firstFeature : code >= firstFeature && (type === 0 || (descriptor[2]! & 1) !== 0),
  );
  const body = chosen.flatMap(([, descriptor]) => descriptor);
  return [...word32(body.length + 4), 0, 0, current >> 8, current & 0xff, ...body];
}

/** GET EVENT STATUS NOTIFICATION, polled, media class (MMC-3 6.6). */
export const mediaEvent = (wantsMedia: boolean, event: number, present: boolean): number[] =>
  wantsMedia ? [0, 6, 0x04, 0x10, event, present ? 0x02 : 0x00, 0, 0] : [0, 2, 0x80, 0x10];

/** READ DISC INFORMATION of a closed single-session disc (MMC-3 6.20). */
export const discInformation = (): number[] => {
  const reply = new Array<number>(34).fill(0);
  reply[1] = 32;
  reply[2] = 0x0e; // complete, last session complete
  reply[3] = reply[4] = reply[5] = reply[6] = 1;
  reply[7] = 0x20; // unrestricted use
  return reply;
};

/** MECHANISM STATUS (MMC-3 6.9). */
export const mechanismStatus = (): number[] => [0, 0, 0, 0, 0, 1, 0, 0];

/** Mode pages without their header: 01h error recovery, 2Ah capabilities; null: a page that does not exist. */
export function modePages(page: number, locked: boolean): number[] | null {
  const recovery = [0x01, 6, 0, 5, 0, 0, 0, 0];
  const capabilities = [0x2a, 18, 0x03, 0x00, 0x71, 0x60, 0x29 | (locked ? 0x02 : 0), 0x00, 0x02, 0xc2, 0, 2, 2, 0, 0x02, 0xc2, 0, 0, 0, 0];
  if (page === 0x01) return recovery;
  if (page === 0x2a) return capabilities;
  return page === 0x3f ? [...recovery, ...capabilities] : null;
}

/** MODE SENSE reply; medium type 01h data CD, 70h closed and empty. */
export function modeSense(ten: boolean, present: boolean, pages: number[]): number[] {
  const medium = present ? 0x01 : 0x70;
  if (!ten) return [pages.length + 3, medium, 0, 0, ...pages];
  const length = pages.length + 6;
  return [length >> 8, length & 0xff, medium, 0, 0, 0, 0, 0, ...pages];
}
