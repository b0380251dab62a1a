// VGA register values of the standard modes (IBM VGA Technical Reference, mode tables) and the default palettes.

export type VideoModeKind = 'text' | 'cga4' | 'cga2' | 'planar' | 'linear';

export interface VideoMode {
  readonly number: number;
  readonly kind: VideoModeKind;
  readonly columns: number;
  readonly rows: number;
  readonly characterHeight: 8 | 14 | 16;
  readonly segment: 0xa000 | 0xb000 | 0xb800;
  readonly pageBytes: number;
  readonly pages: number;
  readonly miscellaneous: number;
  /** SR1-SR4. */
  readonly sequencer: readonly number[];
  readonly crtc: readonly number[];
  readonly attribute: readonly number[];
  readonly graphics: readonly number[];
  readonly palette: 'ega' | 'cga' | 'mono' | 'vga256';
}

const hex = (text: string): number[] => text.split(' ').map((word) => parseInt(word, 16));

const ega16 = '00 01 02 03 04 05 14 07 38 39 3a 3b 3c 3d 3e 3f';
const cga16 = '00 01 02 03 04 05 06 07 10 11 12 13 14 15 16 17';
const attributes = {
  text: hex(`${ega16} 0c 00 0f 08 00`),
  mono: hex('00 08 08 08 08 08 08 08 10 18 18 18 18 18 18 18 0e 00 0f 08 00'),
  cga4: hex('00 13 15 17 02 04 06 07 10 11 12 13 14 15 16 17 01 00 03 00 00'),
  cga2: hex('00 17 17 17 17 17 17 17 17 17 17 17 17 17 17 17 01 00 01 00 00'),
  low: hex(`${cga16} 01 00 0f 00 00`),
  mono350: hex('00 08 00 00 18 18 00 00 00 08 00 00 00 18 00 00 0b 00 05 00 00'),
  high: hex(`${ega16} 01 00 0f 00 00`),
  mono480: hex('00 3f 3f 3f 3f 3f 3f 3f 3f 3f 3f 3f 3f 3f 3f 3f 01 00 01 00 00'),
  linear: hex('00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 41 00 0f 00 00'),
};
const crtcs = {
  text40: hex('2d 27 28 90 2b a0 bf 1f 00 4f 0d 0e 00 00 00 00 9c 8e 8f 14 1f 96 b9 a3 ff'),
  text80: hex('5f 4f 50 82 55 81 bf 1f 00 4f 0d 0e 00 00 00 00 9c 8e 8f 28 1f 96 b9 a3 ff'),
  mono80: hex('5f 4f 50 82 55 81 bf 1f 00 4f 0d 0e 00 00 00 00 9c 8e 8f 28 0f 96 b9 a3 ff'),
  cga320: hex('2d 27 28 90 2b 80 bf 1f 00 c1 00 00 00 00 00 00 9c 8e 8f 14 00 96 b9 a2 ff'),
  cga640: hex('5f 4f 50 82 54 80 bf 1f 00 c1 00 00 00 00 00 00 9c 8e 8f 28 00 96 b9 c2 ff'),
  ega320: hex('2d 27 28 90 2b 80 bf 1f 00 c0 00 00 00 00 00 00 9c 8e 8f 14 00 96 b9 e3 ff'),
  ega640: hex('5f 4f 50 82 54 80 bf 1f 00 c0 00 00 00 00 00 00 9c 8e 8f 28 00 96 b9 e3 ff'),
  ega350: hex('5f 4f 50 82 54 80 bf 1f 00 40 00 00 00 00 00 00 83 85 5d 28 0f 63 ba e3 ff'),
  vga480: hex('5f 4f 50 82 54 80 0b 3e 00 40 00 00 00 00 00 00 ea 8c df 28 00 e7 04 e3 ff'),
  vga256: hex('5f 4f 50 82 54 80 bf 1f 00 41 00 00 00 00 00 00 9c 8e 8f 28 40 96 b9 a3 ff'),
};
const graphics = {
  text: hex('00 00 00 00 00 10 0e 00 ff'),
  monoText: hex('00 00 00 00 00 10 0a 00 ff'),
  cga4: hex('00 00 00 00 00 30 0f 00 ff'),
  cga2: hex('00 00 00 00 00 00 0d 00 ff'),
  planar: hex('00 00 00 00 00 00 05 0f ff'),
  mono350: hex('00 00 00 00 00 10 07 0f ff'),
  mono480: hex('00 00 00 00 00 00 05 01 ff'),
  linear: hex('00 00 00 00 00 40 05 0f ff'),
};
const sequencers = {
  text40: hex('08 03 00 02'),
  text80: hex('00 03 00 02'),
  cga4: hex('09 03 00 02'),
  cga2: hex('01 01 00 06'),
  low: hex('09 0f 00 06'),
  high: hex('01 0f 00 06'),
  linear: hex('01 0f 00 0e'),
};

type Row = readonly [
  number: number,
  kind: VideoModeKind,
  columns: number,
  rows: number,
  height: 8 | 14 | 16,
  segment: 0xa000 | 0xb000 | 0xb800,
  pageBytes: number,
  pages: number,
  misc: number,
  sequencer: keyof typeof sequencers,
  crtc: keyof typeof crtcs,
  attribute: keyof typeof attributes,
  graphics: keyof typeof graphics,
  palette: VideoMode['palette'],
];

const table: readonly Row[] = [
  [0x00, 'text', 40, 25, 16, 0xb800, 0x0800, 8, 0x67, 'text40', 'text40', 'text', 'text', 'ega'],
  [0x01, 'text', 40, 25, 16, 0xb800, 0x0800, 8, 0x67, 'text40', 'text40', 'text', 'text', 'ega'],
  [0x02, 'text', 80, 25, 16, 0xb800, 0x1000, 8, 0x67, 'text80', 'text80', 'text', 'text', 'ega'],
  [0x03, 'text', 80, 25, 16, 0xb800, 0x1000, 8, 0x67, 'text80', 'text80', 'text', 'text', 'ega'],
  [0x04, 'cga4', 40, 25, 8, 0xb800, 0x4000, 1, 0x63, 'cga4', 'cga320', 'cga4', 'cga4', 'cga'],
  [0x05, 'cga4', 40, 25, 8, 0xb800, 0x4000, 1, 0x63, 'cga4', 'cga320', 'cga4', 'cga4', 'cga'],
  [0x06, 'cga2', 80, 25, 8, 0xb800, 0x4000, 1, 0x63, 'cga2', 'cga640', 'cga2', 'cga2', 'cga'],
  [0x07, 'text', 80, 25, 16, 0xb000, 0x1000, 8, 0x66, 'text80', 'mono80', 'mono', 'monoText', 'mono'],
  [0x0d, 'planar', 40, 25, 8, 0xa000, 0x2000, 8, 0x63, 'low', 'ega320', 'low', 'planar', 'cga'],
  [0x0e, 'planar', 80, 25, 8, 0xa000, 0x4000, 4, 0x63, 'high', 'ega640', 'low', 'planar', 'cga'],
  [0x0f, 'planar', 80, 25, 14, 0xa000, 0x8000, 2, 0xa2, 'high', 'ega350', 'mono350', 'planar', 'mono'],
  [0x10, 'planar', 80, 25, 14, 0xa000, 0x8000, 2, 0xa3, 'high', 'ega350', 'high', 'planar', 'ega'],
  [0x11, 'planar', 80, 30, 16, 0xa000, 0xa000, 1, 0xe3, 'high', 'vga480', 'mono480', 'mono480', 'ega'],
  [0x12, 'planar', 80, 30, 16, 0xa000, 0xa000, 1, 0xe3, 'high', 'vga480', 'high', 'planar', 'ega'],
  [0x13, 'linear', 40, 25, 8, 0xa000, 0x10000, 1, 0x63, 'linear', 'vga256', 'linear', 'linear', 'vga256'],
];

export const videoModes: ReadonlyMap<number, VideoMode> = new Map(
  table.map((row): [number, VideoMode] => {
    const [number, kind, columns, rows, characterHeight, segment, pageBytes, pages, miscellaneous, ...names] = row;
    const [sequencer, crtc, attribute, controller, palette] = names;
    const mode: VideoMode = {
      number,
      kind,
      columns,
      rows,
      characterHeight,
      segment,
      pageBytes,
      pages,
      miscellaneous,
      sequencer: sequencers[sequencer],
      crtc: crtcs[crtc],
      attribute: attributes[attribute],
      graphics: graphics[controller],
      palette,
    };
    return [number, mode];
  }),
);

type Rgb = readonly [number, number, number];

/** EGA's 64 colours: two bits a gun, RGBrgb (6 bits of DAC a gun). */
function egaColour(index: number): Rgb {
  const gun = (high: number, low: number): number => (index & high ? 0x2a : 0) + (index & low ? 0x15 : 0);
  return [gun(4, 0x20), gun(2, 0x10), gun(1, 0x08)];
}

/** CGA's 16 colours: bit 4 (or 3) of the DAC index adds intensity; dark yellow is brown. */
function cgaColour(index: number): Rgb {
  const bright = index & 0x10 ? 0x15 : 0;
  const base: Rgb = [index & 4 ? 0x2a : 0, index & 2 ? 0x2a : 0, index & 1 ? 0x2a : 0];
  if ((index & 0x17) === 6) return [0x2a, 0x15, 0];
  return [base[0] + bright, base[1] + bright, base[2] + bright];
}

const greys = [0, 5, 8, 11, 14, 17, 20, 24, 28, 32, 36, 40, 45, 50, 56, 63];
/** Gun levels from least to most, by brightness (rows) and saturation (columns). */
const hueLevels: readonly (readonly number[])[] = [
  [0, 16, 31, 47, 63], [31, 39, 47, 55, 63], [45, 49, 54, 58, 63],
  [0, 7, 14, 21, 28], [14, 17, 21, 24, 28], [20, 22, 24, 26, 28],
  [0, 4, 8, 12, 16], [8, 10, 12, 14, 16], [11, 12, 13, 15, 16],
];

/** 24 hues from blue over red and green back to blue: one gun moves at a time. */
function hue(levels: readonly number[], step: number): Rgb {
  const up = levels[step & 3];
  const down = levels[4 - (step & 3)];
  const least = levels[0];
  const most = levels[4];
  const sectors: readonly Rgb[] = [
    [up, least, most], [most, least, down], [most, up, least],
    [down, most, least], [least, most, up], [least, down, most],
  ];
  return sectors[step >> 2];
}

/** The DAC's 256 entries (64 for all but mode 13h; the rest stays black), 6 bits a gun. */
export function defaultPalette(name: VideoMode['palette']): Rgb[] {
  const entries: Rgb[] = [];
  for (let index = 0; index < 256; index++) {
    if (name === 'vga256') entries.push(linearColour(index));
    else if (index >= 64) entries.push([0, 0, 0]);
    else if (name === 'ega') entries.push(egaColour(index));
    else if (name === 'cga') entries.push(cgaColour(index));
    else entries.push(monoColour(index));
  }
  return entries;
}

function linearColour(index: number): Rgb {
  if (index < 16) return cgaColour(index < 8 ? index : index + 8);
  if (index < 32) return [greys[index - 16], greys[index - 16], greys[index - 16]];
  if (index < 248) return hue(hueLevels[Math.floor((index - 32) / 24)], (index - 32) % 24);
  return [0, 0, 0];
}

function monoColour(index: number): Rgb {
  const level = [0, 0x2a, 0x15, 0x3f][((index >> 3) & 1) | ((index >> 3) & 2)];
  return [level, level, level];
}
