// INT 10h AH=10h: attribute controller palette and DAC.
import type { Registers } from '../registers.ts';
import { VgaPorts } from './vgaPorts.ts';

export function paletteService(registers: Registers): void {
  const vga = new VgaPorts(registers.context);
  const memory = registers.context.linear;
  const buffer = (registers.esBase + registers.dx) >>> 0;
  switch (registers.al) {
    case 0x00: return vga.setAttribute(registers.bl & 0x1f, registers.bh);
    case 0x01: return vga.setAttribute(0x11, registers.bh);
    case 0x02:
      for (let index = 0; index < 16; index++) vga.setAttribute(index, memory.read8(buffer + index));
      return vga.setAttribute(0x11, memory.read8(buffer + 16));
    case 0x03: return vga.setAttribute(0x10, (vga.getAttribute(0x10) & ~8) | (registers.bl & 1 ? 8 : 0));
    case 0x07: registers.bh = vga.getAttribute(registers.bl & 0x1f); return;
    case 0x08: registers.bh = vga.getAttribute(0x11); return;
    case 0x09:
      for (let index = 0; index < 16; index++) memory.write8(buffer + index, vga.getAttribute(index));
      return memory.write8(buffer + 16, vga.getAttribute(0x11));
    case 0x10: return vga.setColour(registers.bx & 0xff, registers.dh, registers.ch, registers.cl);
    case 0x12:
      for (let index = 0; index < Math.min(registers.cx, 256); index++) {
        const at = buffer + index * 3;
        vga.setColour((registers.bx + index) & 0xff, memory.read8(at), memory.read8(at + 1), memory.read8(at + 2));
      }
      return;
    case 0x13: return selectColourPage(registers, vga);
    case 0x15: {
      const [red, green, blue] = vga.getColour(registers.bx & 0xff);
      registers.dh = red;
      registers.cx = (green << 8) | blue;
      return;
    }
    case 0x17:
      for (let index = 0; index < Math.min(registers.cx, 256); index++) {
        vga.getColour((registers.bx + index) & 0xff).forEach((value, gun) => memory.write8(buffer + index * 3 + gun, value));
      }
      return;
    case 0x18: return vga.setPelMask(registers.bl);
    case 0x19: registers.bl = vga.getPelMask(); return;
    case 0x1a: {
      const mode = vga.getAttribute(0x10) >> 7;
      const select = vga.getAttribute(0x14);
      registers.bx = ((mode ? select : select >> 2) << 8) | mode;
      return;
    }
    case 0x1b:
      for (let index = 0; index < Math.min(registers.cx, 256); index++) {
        const colour = (registers.bx + index) & 0xff;
        const [red, green, blue] = vga.getColour(colour);
        const grey = Math.round(red * 0.3 + green * 0.59 + blue * 0.11);
        vga.setColour(colour, grey, grey, grey);
      }
      return;
  }
}

function selectColourPage(registers: Registers, vga: VgaPorts): void {
  const mode = vga.getAttribute(0x10);
  if (registers.bl === 0) vga.setAttribute(0x10, (mode & 0x7f) | ((registers.bh & 1) << 7));
  else if (registers.bl === 1) vga.setAttribute(0x14, mode & 0x80 ? registers.bh & 0x0f : (registers.bh & 3) << 2);
}
