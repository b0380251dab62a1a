// The current mode and the character generator's memory, for the services above them.
import { romFonts } from '../../rom/romLayout.ts';
import { bda } from '../biosData.ts';
import type { FirmwareContext } from '../context.ts';
import type { VgaPorts } from './vgaPorts.ts';
import { videoModes } from './videoModes.ts';
import type { VideoMode } from './videoModes.ts';

export function currentMode(context: FirmwareContext): VideoMode {
  return videoModes.get(context.physical.read8(bda.videoMode) & 0x7f) ?? videoModes.get(3)!;
}

/** Copies a ROM font into character map 0 (32 bytes a character in plane 2). */
export function loadTextFont(context: FirmwareContext, vga: VgaPorts, height: 8 | 14 | 16, block = 0): void {
  const offset = height === 16 ? romFonts.font16 : height === 14 ? romFonts.font14 : romFonts.font8;
  const glyph = new Uint8Array(height);
  const slot = new Uint8Array(32);
  const close = vga.openFontMemory();
  for (let character = 0; character < 256; character++) {
    context.physical.read(0xf0000 + offset + character * height, glyph);
    slot.set(glyph);
    context.physical.write(0xa0000 + fontBlock(block) + character * 32, slot);
  }
  close();
}

/** Character maps 0-3 lie 16 KiB apart, 4-7 between them. */
export const fontBlock = (block: number): number => (block & 3) * 0x4000 + (block & 4 ? 0x2000 : 0);
