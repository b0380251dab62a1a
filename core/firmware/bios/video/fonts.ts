// INT 10h AH=11h: character generator.
import { romFonts } from '../../rom/romLayout.ts';
import { bda, vectorAddress } from '../biosData.ts';
import type { Registers } from '../registers.ts';
import { VgaPorts } from './vgaPorts.ts';
import { currentMode, fontBlock, loadTextFont } from './textFont.ts';

const romHeights: Readonly<Record<number, 8 | 14 | 16>> = { 1: 14, 2: 8, 4: 16 };

export function fontService(registers: Registers): void {
  const { context, al } = registers;
  const vga = new VgaPorts(context);
  const low = al & 0x0f;
  switch (al) {
    case 0x00:
    case 0x10:
      loadUserFont(registers, vga);
      if (al & 0x10) setTextHeight(registers, vga, registers.bh);
      return;
    case 0x01: case 0x02: case 0x04:
    case 0x11: case 0x12: case 0x14:
      loadTextFont(context, vga, romHeights[low], registers.bl);
      if (al & 0x10) setTextHeight(registers, vga, romHeights[low]);
      return;
    case 0x03: return vga.setSequencer(3, registers.bl);
    case 0x20:
      return context.physical.write32(vectorAddress(0x1f), ((registers.es << 16) | registers.bp) >>> 0);
    case 0x21:
      return setGraphicsFont(registers, (registers.es << 16) | registers.bp, registers.cx);
    case 0x22: return setGraphicsFont(registers, (0xf000 << 16) | romFonts.font14, 14);
    case 0x23: return setGraphicsFont(registers, (0xf000 << 16) | romFonts.font8, 8);
    case 0x24: return setGraphicsFont(registers, (0xf000 << 16) | romFonts.font16, 16);
    case 0x30: return fontInformation(registers);
  }
}

function loadUserFont(registers: Registers, vga: VgaPorts): void {
  const { context } = registers;
  const height = Math.min(registers.bh, 32);
  const glyph = new Uint8Array(height);
  const close = vga.openFontMemory();
  for (let index = 0; index < Math.min(registers.cx, 256); index++) {
    context.linear.read((registers.esBase + registers.bp + index * height) >>> 0, glyph);
    context.physical.write(0xa0000 + fontBlock(registers.bl) + ((registers.dx + index) & 0xff) * 32, glyph);
  }
  close();
}

/** Recomputes rows, cursor and page length for another character height. */
function setTextHeight(registers: Registers, vga: VgaPorts, height: number): void {
  if (height === 0 || height > 32) return;
  const memory = registers.context.physical;
  const mode = currentMode(registers.context);
  const rows = Math.floor(400 / height);
  vga.setCrtc(0x09, (vga.getCrtc(0x09) & 0xe0) | (height - 1));
  vga.setCrtc(0x0a, height - 2);
  vga.setCrtc(0x0b, height - 1);
  vga.setCrtc(0x12, (rows * height - 1) & 0xff);
  memory.write16(bda.characterHeight, height);
  memory.write8(bda.videoRows, rows - 1);
  memory.write16(bda.videoPageBytes, rows * mode.columns * 2 + 0x100);
}

function setGraphicsFont(registers: Registers, pointer: number, height: number): void {
  const memory = registers.context.physical;
  memory.write32(vectorAddress(0x43), pointer >>> 0);
  memory.write16(bda.characterHeight, height);
  const rows = [registers.dl, 14, 25, 43][registers.bl] ?? 25;
  memory.write8(bda.videoRows, Math.max(1, rows) - 1);
}

function fontInformation(registers: Registers): void {
  const memory = registers.context.physical;
  const fromVector = (vector: number): number => memory.read32(vectorAddress(vector));
  const rom = (offset: number): number => ((0xf000 << 16) | offset) >>> 0;
  const pointers = [
    fromVector(0x1f), fromVector(0x43), rom(romFonts.font14), rom(romFonts.font8),
    rom(romFonts.font8 + 1024), rom(romFonts.font14Alternate), rom(romFonts.font16), rom(romFonts.font14Alternate),
  ];
  const pointer = pointers[registers.bh];
  if (pointer === undefined) return;
  registers.cx = memory.read16(bda.characterHeight);
  registers.dl = memory.read8(bda.videoRows);
  registers.bp = pointer & 0xffff;
  registers.es = pointer >>> 16;
}
