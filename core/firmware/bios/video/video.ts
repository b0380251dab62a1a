// INT 10h: video services (IBM PS/2 BIOS Interface Technical Reference, interrupt 10h).
import { romFonts } from '../../rom/romLayout.ts';
import { bda, ebda, vectorAddress } from '../biosData.ts';
import type { FirmwareContext } from '../context.ts';
import type { Registers } from '../registers.ts';
import { readCell, readPixel, scrollCells, writeCell, writePixel } from './characterCells.ts';
import type { CellScreen } from './characterCells.ts';
import { fontService } from './fonts.ts';
import { paletteService } from './palette.ts';
import { currentMode, loadTextFont } from './textFont.ts';
import { VgaPorts } from './vgaPorts.ts';
import { videoModes } from './videoModes.ts';
import type { VideoMode } from './videoModes.ts';

export function videoService(registers: Registers): void {
  const { context, al, bx } = registers;
  const page = registers.bh;
  switch (registers.ah) {
    case 0x00: return setMode(context, al);
    case 0x01: return setCursorShape(context, registers.ch, registers.cl);
    case 0x02: return setCursor(context, page, registers.dh, registers.dl);
    case 0x03: {
      const position = context.physical.read16(cursorAddress(page));
      const shape = context.physical.read16(bda.cursorShape);
      registers.dx = position;
      registers.cx = shape;
      return;
    }
    case 0x05: return selectPage(context, al);
    case 0x06:
    case 0x07: {
      const area = { top: registers.ch, left: registers.cl, bottom: registers.dh, right: registers.dl };
      const lines = registers.ah === 6 ? al : -al;
      return scrollCells(openScreen(context), area, lines, registers.bh);
    }
    case 0x08: {
      const { row, column } = getCursor(context, page);
      registers.ax = readCell(openScreen(context, page), row, column);
      return;
    }
    case 0x09: return writeRepeated(context, page, al, registers.bl, registers.cx);
    case 0x0a: {
      const screen = openScreen(context, page);
      return writeRepeated(context, page, al, screen.mode.kind === 'text' ? null : registers.bl, registers.cx);
    }
    case 0x0b: return setCgaPalette(context, bx);
    case 0x0c: return writePixel(openScreen(context, page), registers.cx, registers.dx, al);
    case 0x0d:
      registers.al = readPixel(openScreen(context, page), registers.cx, registers.dx);
      return;
    case 0x0e: return teletype(context, context.physical.read8(bda.videoPage), al, registers.bl);
    case 0x0f:
      registers.ax = (context.physical.read8(bda.videoColumns) << 8) | context.physical.read8(bda.videoMode) | (context.physical.read8(bda.videoControl) & 0x80);
      registers.bh = context.physical.read8(bda.videoPage);
      return;
    case 0x10: return paletteService(registers);
    case 0x11: return fontService(registers);
    case 0x12: return alternateSelect(registers);
    case 0x13: return writeString(registers);
    case 0x1a: return displayCombination(registers);
    case 0x1b: return functionalityState(registers);
  }
}

function openScreen(context: FirmwareContext, page = context.physical.read8(bda.videoPage)): CellScreen {
  const mode = currentMode(context);
  const memory = context.physical;
  const characterHeight = memory.read16(bda.characterHeight) || mode.characterHeight;
  const glyphs = fontPointers(context, mode);
  return {
    vga: new VgaPorts(context),
    memory,
    mode,
    columns: memory.read16(bda.videoColumns) || mode.columns,
    rows: memory.read8(bda.videoRows) + 1,
    pageAddress: mode.segment * 16 + (page & 7) * memory.read16(bda.videoPageBytes),
    characterHeight,
    glyph(character) {
      const bytes = new Uint8Array(characterHeight);
      memory.read(glyphs(character, characterHeight), bytes);
      return bytes;
    },
  };
}

/** Graphics fonts are found through INT 43h; CGA modes take characters 128-255 from INT 1Fh. */
function fontPointers(context: FirmwareContext, mode: VideoMode): (character: number, height: number) => number {
  const far = (vector: number): number => {
    const pointer = context.physical.read32(vectorAddress(vector));
    return (pointer >>> 16) * 16 + (pointer & 0xffff);
  };
  const split = mode.kind === 'cga4' || mode.kind === 'cga2';
  return (character, height) =>
    split && character >= 128 ? far(0x1f) + (character - 128) * height : far(0x43) + character * height;
}

/** AH=00h. AL bit 7 keeps display memory. */
export function setMode(context: FirmwareContext, request: number): void {
  const mode = videoModes.get(request & 0x7f);
  if (!mode) return;
  const vga = new VgaPorts(context);
  const keep = (request & 0x80) !== 0;
  const memory = context.physical;
  vga.loadMode(mode);
  if ((memory.read8(bda.videoFlags) & 0x08) === 0) {
    vga.setPelMask(0xff);
    vga.loadPalette(mode.palette);
  }
  if (!keep) clearMemory(context, mode, vga);
  if (mode.kind === 'text') loadTextFont(context, vga, 16);
  writeModeData(context, mode, keep);
  for (let page = 0; page < 8; page++) memory.write16(cursorAddress(page), 0);
  const fontOffset = mode.characterHeight === 16 ? romFonts.font16 : mode.characterHeight === 14 ? romFonts.font14 : romFonts.font8;
  memory.write32(vectorAddress(0x43), ((0xf000 << 16) | fontOffset) >>> 0);
  memory.write32(vectorAddress(0x1f), ((0xf000 << 16) | (romFonts.font8 + 1024)) >>> 0);
  setCursorShape(context, 6, 7);
  setCursor(context, 0, 0, 0);
}

function writeModeData(context: FirmwareContext, mode: VideoMode, keep: boolean): void {
  const memory = context.physical;
  memory.write8(bda.videoMode, mode.number);
  memory.write16(bda.videoColumns, mode.columns);
  memory.write16(bda.videoPageBytes, mode.pageBytes & 0xffff);
  memory.write16(bda.videoPageStart, 0);
  memory.write8(bda.videoPage, 0);
  memory.write16(bda.crtcPort, mode.miscellaneous & 1 ? 0x3d4 : 0x3b4);
  memory.write8(bda.videoRows, mode.rows - 1);
  memory.write16(bda.characterHeight, mode.characterHeight);
  memory.write8(bda.videoControl, 0x60 | (keep ? 0x80 : 0));
  memory.write8(bda.videoSwitches, 0xf9);
  memory.write8(bda.videoFlags, memory.read8(bda.videoFlags) | 0x11);
  memory.write8(bda.displayCombination, 0x08);
  memory.write8(bda.cgaMode, [0x2c, 0x28, 0x2d, 0x29, 0x2a, 0x2e, 0x1e, 0x29][mode.number] ?? 0x29);
  memory.write8(bda.cgaPalette, mode.number === 6 ? 0x3f : 0x30);
}

function clearMemory(context: FirmwareContext, mode: VideoMode, vga: VgaPorts): void {
  const bytes = new Uint8Array(mode.segment === 0xa000 ? 0x10000 : 0x8000);
  if (mode.kind === 'text') for (let at = 0; at < bytes.length; at += 2) bytes.set([0x20, 0x07], at);
  if (mode.kind === 'planar') vga.setSequencer(2, 0x0f);
  context.physical.write(mode.segment * 16, bytes);
}

const cursorAddress = (page: number): number => bda.cursorPositions + (page & 7) * 2;

function getCursor(context: FirmwareContext, page: number): { row: number; column: number } {
  const position = context.physical.read16(cursorAddress(page));
  return { row: position >> 8, column: position & 0xff };
}

function setCursor(context: FirmwareContext, page: number, row: number, column: number): void {
  const memory = context.physical;
  memory.write16(cursorAddress(page), (row << 8) | column);
  if (page !== memory.read8(bda.videoPage)) return;
  const position = (memory.read16(bda.videoPageStart) >> 1) + row * memory.read16(bda.videoColumns) + column;
  const vga = new VgaPorts(context);
  vga.setCrtc(0x0e, (position >> 8) & 0xff);
  vga.setCrtc(0x0f, position & 0xff);
}

/** AH=01h. CGA's eight lines are scaled to the character's height unless emulation is off (40:87 bit 0). */
function setCursorShape(context: FirmwareContext, start: number, end: number): void {
  const memory = context.physical;
  memory.write16(bda.cursorShape, (start << 8) | end);
  const height = memory.read16(bda.characterHeight);
  let [first, last] = [start & 0x3f, end & 0x1f];
  if ((memory.read8(bda.videoControl) & 1) === 0 && height > 8 && first <= 8 && last <= 8 && first <= last) {
    const tail = last === 7 || last === 6;
    [first, last] = tail && first >= 5
      ? [height - (8 - first), height - (8 - last)]
      : [Math.floor(((first + 1) * height) / 8) - 1, Math.floor(((last + 1) * height) / 8) - 1];
  }
  const vga = new VgaPorts(context);
  vga.setCrtc(0x0a, first);
  vga.setCrtc(0x0b, last);
}

/** AH=05h. */
function selectPage(context: FirmwareContext, page: number): void {
  const mode = currentMode(context);
  if (page >= mode.pages) return;
  const memory = context.physical;
  const start = page * memory.read16(bda.videoPageBytes);
  memory.write8(bda.videoPage, page);
  memory.write16(bda.videoPageStart, start);
  const vga = new VgaPorts(context);
  const address = mode.kind === 'text' ? start >> 1 : start;
  vga.setCrtc(0x0c, (address >> 8) & 0xff);
  vga.setCrtc(0x0d, address & 0xff);
  const { row, column } = getCursor(context, page);
  setCursor(context, page, row, column);
}

function writeRepeated(context: FirmwareContext, page: number, character: number, attribute: number | null, count: number): void {
  const screen = openScreen(context, page);
  const { row, column } = getCursor(context, page);
  const first = row * screen.columns + column;
  const total = Math.min(count, screen.rows * screen.columns - first);
  for (let index = 0; index < total; index++) {
    const cell = first + index;
    writeCell(screen, Math.floor(cell / screen.columns), cell % screen.columns, character, attribute);
  }
}

/** AH=0Eh. `attribute` colours pixels in graphics modes; text keeps each cell's attribute unless `paint`. */
export function teletype(context: FirmwareContext, page: number, character: number, attribute: number, paint = false): void {
  const screen = openScreen(context, page);
  let { row, column } = getCursor(context, page);
  if (character === 7) return;
  if (character === 8) column = Math.max(0, column - 1);
  else if (character === 13) column = 0;
  else if (character === 10) row++;
  else {
    writeCell(screen, row, column, character, screen.mode.kind === 'text' && !paint ? null : attribute);
    if (++column >= screen.columns) [row, column] = [row + 1, 0];
  }
  if (row >= screen.rows) {
    row = screen.rows - 1;
    const fill = screen.mode.kind === 'text' ? readCell(screen, row, Math.min(column, screen.columns - 1)) >> 8 : 0;
    scrollCells(screen, { top: 0, left: 0, bottom: row, right: screen.columns - 1 }, 1, fill);
  }
  setCursor(context, page, row, column);
}

/** AH=13h. AL bit 0: move the cursor; bit 1: attributes follow each character. */
function writeString(registers: Registers): void {
  const { context, al } = registers;
  const page = registers.bh;
  const before = getCursor(context, page);
  let address = registers.esBase + registers.bp;
  setCursor(context, page, registers.dh, registers.dl);
  for (let count = registers.cx; count > 0; count--) {
    const character = context.linear.read8(address++);
    const attribute = al & 2 ? context.linear.read8(address++) : registers.bl;
    teletype(context, page, character, attribute, true);
  }
  if ((al & 1) === 0) setCursor(context, page, before.row, before.column);
}

/** AH=0Bh, the CGA palette: border/background (BH=0) or colour set (BH=1). */
function setCgaPalette(context: FirmwareContext, bx: number): void {
  const vga = new VgaPorts(context);
  const value = bx & 0xff;
  const memory = context.physical;
  let saved = memory.read8(bda.cgaPalette);
  if (bx >> 8 === 0) {
    saved = (saved & 0xe0) | (value & 0x1f);
    const colour = (value & 7) | ((value & 8) << 1);
    vga.setAttribute(0x11, colour);
    if (currentMode(context).kind !== 'text') vga.setAttribute(0, colour);
  } else {
    saved = (saved & 0xdf) | ((value & 1) << 5);
  }
  memory.write8(bda.cgaPalette, saved);
  if (currentMode(context).kind !== 'cga4') return;
  const bright = saved & 0x10;
  const set = saved & 0x20 ? [3, 5, 7] : [2, 4, 6];
  set.forEach((colour, index) => vga.setAttribute(index + 1, colour | bright));
}

/** AH=12h. */
function alternateSelect(registers: Registers): void {
  const { context } = registers;
  switch (registers.bl) {
    case 0x10:
      registers.bx = currentMode(context).miscellaneous & 1 ? 0x0003 : 0x0103;
      registers.cx = 0x0009;
      return;
    case 0x30: {
      const lines = registers.al;
      const flags = context.physical.read8(bda.videoFlags) & ~0x90;
      context.physical.write8(bda.videoFlags, flags | (lines === 0 ? 0x80 : lines === 2 ? 0x10 : 0));
      registers.al = 0x12;
      return;
    }
    case 0x31: {
      const flags = context.physical.read8(bda.videoFlags);
      context.physical.write8(bda.videoFlags, registers.al ? flags | 0x08 : flags & ~0x08);
      registers.al = 0x12;
      return;
    }
    case 0x34: {
      const control = context.physical.read8(bda.videoControl);
      context.physical.write8(bda.videoControl, (control & ~1) | (registers.al & 1));
      registers.al = 0x12;
      return;
    }
    case 0x32:
    case 0x33:
      registers.al = 0x12;
      return;
    case 0x36: {
      const vga = new VgaPorts(context);
      vga.setSequencer(1, (vga.getSequencer(1) & ~0x20) | (registers.al & 1 ? 0x20 : 0));
      registers.al = 0x12;
      return;
    }
  }
}

/** AH=1Ah: VGA with an analogue colour display. */
function displayCombination(registers: Registers): void {
  if (registers.al === 0) registers.bx = registers.context.physical.read8(bda.displayCombination);
  else if (registers.al === 1) registers.context.physical.write8(bda.displayCombination, registers.bl);
  else return;
  registers.al = 0x1a;
}

/** AH=1Bh: 64 bytes at ES:DI. */
function functionalityState(registers: Registers): void {
  if (registers.bx !== 0) return;
  const { context } = registers;
  const mode = currentMode(context);
  const state = new Uint8Array(64);
  const view = new DataView(state.buffer);
  view.setUint32(0, ((0xf000 << 16) | romFonts.staticFunctionality) >>> 0, true);
  const area = new Uint8Array(30);
  context.physical.read(bda.videoMode, area);
  state.set(area, 4);
  state[0x22] = context.physical.read8(bda.videoRows) + 1;
  view.setUint16(0x23, context.physical.read16(bda.characterHeight), true);
  state[0x25] = 0x08;
  view.setUint16(0x27, mode.kind === 'linear' ? 256 : mode.kind === 'cga4' ? 4 : mode.kind === 'cga2' ? 2 : 16, true);
  state[0x29] = mode.pages;
  state[0x2a] = mode.crtc[0x12] === 0xdf ? 3 : mode.crtc[0x12] === 0x5d ? 1 : mode.kind === 'text' ? 2 : 0;
  state[0x2d] = 0x21;
  state[0x31] = 3;
  context.linear.write((registers.esBase + registers.di) >>> 0, state);
  registers.al = 0x1b;
}

/** Prepares the tables other software finds through 40:A8. */
export function installVideoTables(context: FirmwareContext): void {
  context.physical.write32(bda.videoSavePointer, (((ebda.videoSaveTable >> 4) << 16) | (ebda.videoSaveTable & 15)) >>> 0);
}
