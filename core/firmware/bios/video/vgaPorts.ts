// Programming the VGA through its ports (IBM VGA Technical Reference, section 2).
import type { FirmwareContext } from '../context.ts';
import { defaultPalette } from './videoModes.ts';
import type { VideoMode } from './videoModes.ts';

const port = {
  attribute: 0x3c0,
  miscellaneous: 0x3c2,
  sequencer: 0x3c4,
  pelMask: 0x3c6,
  pelRead: 0x3c7,
  pelWrite: 0x3c8,
  pelData: 0x3c9,
  graphics: 0x3ce,
} as const;

export class VgaPorts {
  readonly context: FirmwareContext;

  constructor(context: FirmwareContext) {
    this.context = context;
  }

  out(address: number, value: number): void {
    this.context.writePort(address, value, 1);
  }

  in(address: number): number {
    return this.context.readPort(address, 1);
  }

  setSequencer(index: number, value: number): void {
    this.out(port.sequencer, index);
    this.out(port.sequencer + 1, value);
  }

  getSequencer(index: number): number {
    this.out(port.sequencer, index);
    return this.in(port.sequencer + 1);
  }

  setGraphics(index: number, value: number): void {
    this.out(port.graphics, index);
    this.out(port.graphics + 1, value);
  }

  getGraphics(index: number): number {
    this.out(port.graphics, index);
    return this.in(port.graphics + 1);
  }

  /** 3D4h, or 3B4h while the miscellaneous output register selects monochrome addresses. */
  get crtcPort(): number {
    return this.in(0x3cc) & 1 ? 0x3d4 : 0x3b4;
  }

  setCrtc(index: number, value: number): void {
    const base = this.crtcPort;
    this.out(base, index);
    this.out(base + 1, value);
  }

  getCrtc(index: number): number {
    const base = this.crtcPort;
    this.out(base, index);
    return this.in(base + 1);
  }

  /** Index bit 5 keeps the picture on. */
  setAttribute(index: number, value: number): void {
    this.in(this.crtcPort + 6);
    this.out(port.attribute, index);
    this.out(port.attribute, value);
    this.in(this.crtcPort + 6);
    this.out(port.attribute, 0x20);
  }

  getAttribute(index: number): number {
    this.in(this.crtcPort + 6);
    this.out(port.attribute, index);
    const value = this.in(port.attribute + 1);
    this.in(this.crtcPort + 6);
    this.out(port.attribute, 0x20);
    return value;
  }

  setColour(index: number, red: number, green: number, blue: number): void {
    this.out(port.pelWrite, index);
    for (const value of [red, green, blue]) this.out(port.pelData, value);
  }

  getColour(index: number): [red: number, green: number, blue: number] {
    this.out(port.pelRead, index);
    return [this.in(port.pelData), this.in(port.pelData), this.in(port.pelData)];
  }

  setPelMask(value: number): void {
    this.out(port.pelMask, value);
  }

  getPelMask(): number {
    return this.in(port.pelMask);
  }

  loadPalette(name: VideoMode['palette']): void {
    this.out(port.pelWrite, 0);
    for (const colour of defaultPalette(name)) for (const value of colour) this.out(port.pelData, value);
  }

  /** Programs every register of a mode; display memory and palette are the caller's. */
  loadMode(mode: VideoMode): void {
    this.setSequencer(0, 1);
    this.out(port.miscellaneous, mode.miscellaneous);
    mode.sequencer.forEach((value, index) => this.setSequencer(index + 1, value));
    this.setSequencer(0, 3);
    // CR0-CR7 are protected by CR11 bit 7.
    this.setCrtc(0x11, mode.crtc[0x11] & 0x7f);
    mode.crtc.forEach((value, index) => this.setCrtc(index, value));
    mode.graphics.forEach((value, index) => this.setGraphics(index, value));
    mode.attribute.forEach((value, index) => this.setAttribute(index, value));
    this.setAttribute(0x14, 0);
  }

  /** Plane 2 appears flat at A000h for font access; `done` restores the text layout. */
  openFontMemory(): () => void {
    const saved = [this.getSequencer(2), this.getSequencer(4), this.getGraphics(4), this.getGraphics(5), this.getGraphics(6)];
    this.setSequencer(2, 4);
    this.setSequencer(4, 7);
    this.setGraphics(4, 2);
    this.setGraphics(5, 0);
    this.setGraphics(6, 4);
    return () => {
      this.setSequencer(2, saved[0]);
      this.setSequencer(4, saved[1]);
      this.setGraphics(4, saved[2]);
      this.setGraphics(5, saved[3]);
      this.setGraphics(6, saved[4]);
    };
  }
}
