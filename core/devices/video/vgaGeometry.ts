// What the CRT controller's registers say about picture and timing (IBM VGA reference 2-44 ff.).
import { AR, AR_MODE, CLOCKING, CR, CR_MODE, DOT_CLOCK_HERTZ, GC, GC_MODE, MAX_SCAN, MISC, SEQ, UNDERLINE_DWORD } from './vga.registers.ts';

export interface VgaRegisters {
  misc: number;
  seq: Uint8Array;
  gc: Uint8Array;
  crtc: Uint8Array;
  attribute: Uint8Array;
}

export interface VgaGeometry {
  readonly text: boolean;
  readonly width: number;
  readonly height: number;
  /** Text: cells. */
  readonly columns: number;
  readonly rows: number;
  readonly cellWidth: number;
  readonly cellHeight: number;
  /** Graphics: scan lines of the CRT for each line of the picture. */
  readonly repeat: number;
  /** Graphics: picture lines that share an address row because the row scan selects a bank (CGA modes). */
  readonly banks: number;
  readonly pixels: 'planar' | 'interleaved' | 'packed';
  readonly start: number;
  /** Address counter steps from one row to the next. */
  readonly pitch: number;
  /** CRT scan line after which the address counter restarts at zero. */
  readonly lineCompare: number;
  readonly addressing: 'byte' | 'word' | 'dword';
  readonly wrapBit: number;
  readonly cgaBank: boolean;
  readonly herculesBank: boolean;
}

const bit = (value: number, from: number, to: number): number => ((value >> from) & 1) << to;

const verticalDisplayEnd = (crtc: Uint8Array): number =>
  (crtc[CR.V_DISPLAY_END]! | bit(crtc[CR.OVERFLOW]!, 1, 8) | bit(crtc[CR.OVERFLOW]!, 6, 9)) + 1;

export function geometryOf(r: VgaRegisters): VgaGeometry {
  const { crtc, seq, gc, attribute } = r;
  const text = (attribute[AR.MODE]! & AR_MODE.GRAPHICS) === 0;
  const columns = crtc[CR.H_DISPLAY_END]! + 1;
  const scanLines = Math.max(2, verticalDisplayEnd(crtc));
  const rowScans = (crtc[CR.MAX_SCAN]! & MAX_SCAN.ROWS) + 1;
  const double = crtc[CR.MAX_SCAN]! & MAX_SCAN.DOUBLE ? 2 : 1;
  const common = {
    text,
    columns,
    start: (crtc[CR.START_HIGH]! << 8) | crtc[CR.START_LOW]!,
    pitch: crtc[CR.OFFSET]! * 2,
    lineCompare: crtc[CR.LINE_COMPARE]! | bit(crtc[CR.OVERFLOW]!, 4, 8) | bit(crtc[CR.MAX_SCAN]!, 6, 9),
    addressing: crtc[CR.UNDERLINE]! & UNDERLINE_DWORD ? 'dword' : crtc[CR.MODE]! & CR_MODE.BYTE ? 'byte' : 'word',
    wrapBit: crtc[CR.MODE]! & CR_MODE.WRAP_15 ? 15 : 13,
    cgaBank: (crtc[CR.MODE]! & CR_MODE.NO_CGA_BANK) === 0,
    herculesBank: (crtc[CR.MODE]! & CR_MODE.NO_HERCULES_BANK) === 0,
  } as const;
  if (text) {
    const cellWidth = seq[SEQ.CLOCKING]! & CLOCKING.EIGHT_DOTS ? 8 : 9;
    const rows = Math.max(1, Math.floor(scanLines / double / rowScans));
    return {
      ...common,
      width: columns * cellWidth,
      height: rows * rowScans,
      rows,
      cellWidth,
      cellHeight: rowScans,
      repeat: double,
      banks: 1,
      pixels: 'planar',
    };
  }
  const packed = (gc[GC.MODE]! & GC_MODE.COLOR_256) !== 0;
  const banked = (common.cgaBank || common.herculesBank) && rowScans > 1;
  const repeat = banked ? double : double * rowScans;
  return {
    ...common,
    width: columns * (packed ? 4 : 8),
    height: Math.max(1, Math.floor(scanLines / repeat)),
    rows: 0,
    cellWidth: 8,
    cellHeight: 1,
    repeat,
    banks: banked ? rowScans : 1,
    pixels: packed ? 'packed' : gc[GC.MODE]! & GC_MODE.INTERLEAVED ? 'interleaved' : 'planar',
  };
}

/** Where the address counter's value lies in the planes. */
export function planeOffset(g: VgaGeometry, counter: number, rowScan: number): number {
  let offset: number;
  if (g.addressing === 'word') offset = (counter << 1) | ((counter >> g.wrapBit) & 1);
  else if (g.addressing === 'dword') offset = (counter << 2) | ((counter >> 14) & 3);
  else offset = counter;
  if (g.cgaBank) offset = (offset & ~0x2000) | ((rowScan & 1) << 13);
  if (g.herculesBank) offset = (offset & ~0x4000) | ((rowScan & 2) << 13);
  return offset & 0xffff;
}

export interface VgaTiming {
  readonly lineNs: number;
  readonly frameNs: number;
  readonly displayNs: number;
  readonly displayLines: number;
  readonly retraceStart: number;
  readonly retraceEnd: number;
}

/** Beam timing; registers that make no picture give that of 640x480 at 60 Hz. */
export function timingOf(r: VgaRegisters): VgaTiming {
  const { crtc, seq, misc } = r;
  const dots = seq[SEQ.CLOCKING]! & CLOCKING.EIGHT_DOTS ? 8 : 9;
  const clock = DOT_CLOCK_HERTZ[((misc >> MISC.CLOCK_SHIFT) & 3) as 0 | 1 | 2 | 3] / (seq[SEQ.CLOCKING]! & CLOCKING.HALF_CLOCK ? 2 : 1);
  const overflow = crtc[CR.OVERFLOW]!;
  const total = (crtc[CR.V_TOTAL]! | bit(overflow, 0, 8) | bit(overflow, 5, 9)) + 2;
  const lineNs = ((crtc[CR.H_TOTAL]! + 5) * dots * 1e9) / clock;
  const frameNs = lineNs * total;
  if (frameNs < 2e6 || frameNs > 1e8)
    return { lineNs: 31778, frameNs: 31778 * 525, displayNs: 25422, displayLines: 480, retraceStart: 490, retraceEnd: 492 };
  const displayLines = verticalDisplayEnd(crtc);
  const retraceStart = Math.min(crtc[CR.V_RETRACE_START]! | bit(overflow, 2, 8) | bit(overflow, 7, 9), total - 2);
  const length = ((crtc[CR.V_RETRACE_END]! - retraceStart) & 15) || 16;
  return {
    lineNs,
    frameNs,
    displayNs: ((crtc[CR.H_DISPLAY_END]! + 1) * dots * 1e9) / clock,
    displayLines,
    retraceStart,
    retraceEnd: Math.min(retraceStart + length, total),
  };
}
