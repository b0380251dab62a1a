// The monitor's description (VESA E-EDID 1.4, block 0): a screen that shows every size up to 1920x1200, 1280x800 best.

const BYTES = 128;

/** Detailed timings with the reduced blanking of VESA CVT 1.2. */
const PREFERRED = { clock10kHz: 7100, width: 1280, hBlank: 160, hFront: 48, hSync: 32, height: 800, vBlank: 23, vFront: 3, vSync: 6 } as const;
/** Width and aspect ratio (0: 16:10, 1: 4:3, 2: 5:4, 3: 16:9), 60 Hz. */
const STANDARD = [[1920, 0], [1920, 3], [1680, 0], [1600, 1], [1440, 0], [1280, 2], [1280, 0], [1024, 1]] as const;

export function buildEdid(): Uint8Array {
  const bytes = new Uint8Array(BYTES);
  bytes.set([0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00]);
  // Maker TRZ, five bits a letter; product 1, week 1 of 2025, EDID 1.4.
  const maker = [...'TRZ'].reduce((word, letter) => (word << 5) | (letter.charCodeAt(0) - 0x40), 0);
  bytes.set([maker >> 8, maker & 0xff, 1, 0, 0, 0, 0, 0, 1, 35, 1, 4], 8);
  // Digital, 8 bits a colour; 30 x 19 cm; gamma 2.2; RGB, the first timing is preferred.
  bytes.set([0xa0, 30, 19, 120, 0x06], 20);
  // sRGB's chromaticities.
  bytes.set([0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54], 25);
  // 640x480, 800x600 and 1024x768 at 60 Hz.
  bytes.set([0x21, 0x08, 0x00], 35);
  STANDARD.forEach(([width, ratio], index) => bytes.set([width / 8 - 31, ratio << 6], 38 + index * 2));
  bytes.set(detailedTiming(), 54);
  bytes.set(textDescriptor(0xfc, 'Trapeze'), 72);
  // Range limits: 50-75 Hz, 30-80 kHz, 200 MHz.
  bytes.set([0, 0, 0, 0xfd, 0, 50, 75, 30, 80, 20, 1, 0x0a, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20], 90);
  bytes.set([0, 0, 0, 0x10], 108);
  bytes[127] = (256 - (bytes.reduce((sum, byte) => sum + byte, 0) & 0xff)) & 0xff;
  return bytes;
}

function detailedTiming(): number[] {
  const { clock10kHz, width, hBlank, hFront, hSync, height, vBlank, vFront, vSync } = PREFERRED;
  return [
    clock10kHz & 0xff, clock10kHz >> 8,
    width & 0xff, hBlank & 0xff, ((width >> 8) << 4) | (hBlank >> 8),
    height & 0xff, vBlank & 0xff, ((height >> 8) << 4) | (vBlank >> 8),
    hFront, hSync, (vFront << 4) | vSync, 0,
    0x2c, 0xbe, 0x10, 0, 0, 0x1a,
  ];
}

function textDescriptor(tag: number, text: string): number[] {
  const characters = [...text].map((character) => character.charCodeAt(0));
  return [0, 0, 0, tag, 0, ...[...characters, 0x0a, ...Array<number>(13).fill(0x20)].slice(0, 13)];
}
