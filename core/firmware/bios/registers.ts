// The caller's registers and interrupt frame as INT services name them.
import { gpr } from './context.ts';
import type { FirmwareContext, GprIndex } from './context.ts';

const carryBit = 1 << 0;
const zeroBit = 1 << 6;

export class Registers {
  readonly context: FirmwareContext;

  constructor(context: FirmwareContext) {
    this.context = context;
  }

  get eax(): number { return this.context.readGpr(gpr.eax); }
  set eax(value: number) { this.context.writeGpr(gpr.eax, value >>> 0); }
  get ebx(): number { return this.context.readGpr(gpr.ebx); }
  set ebx(value: number) { this.context.writeGpr(gpr.ebx, value >>> 0); }
  get ecx(): number { return this.context.readGpr(gpr.ecx); }
  set ecx(value: number) { this.context.writeGpr(gpr.ecx, value >>> 0); }
  get edx(): number { return this.context.readGpr(gpr.edx); }
  set edx(value: number) { this.context.writeGpr(gpr.edx, value >>> 0); }
  get edi(): number { return this.context.readGpr(gpr.edi); }
  set edi(value: number) { this.context.writeGpr(gpr.edi, value >>> 0); }

  get ax(): number { return this.#word(gpr.eax); }
  set ax(value: number) { this.#setWord(gpr.eax, value); }
  get bx(): number { return this.#word(gpr.ebx); }
  set bx(value: number) { this.#setWord(gpr.ebx, value); }
  get cx(): number { return this.#word(gpr.ecx); }
  set cx(value: number) { this.#setWord(gpr.ecx, value); }
  get dx(): number { return this.#word(gpr.edx); }
  set dx(value: number) { this.#setWord(gpr.edx, value); }
  get si(): number { return this.#word(gpr.esi); }
  set si(value: number) { this.#setWord(gpr.esi, value); }
  get di(): number { return this.#word(gpr.edi); }
  set di(value: number) { this.#setWord(gpr.edi, value); }
  get bp(): number { return this.#word(gpr.ebp); }
  set bp(value: number) { this.#setWord(gpr.ebp, value); }

  get al(): number { return this.ax & 0xff; }
  set al(value: number) { this.ax = (this.ax & 0xff00) | (value & 0xff); }
  get ah(): number { return this.ax >> 8; }
  set ah(value: number) { this.ax = (this.ax & 0xff) | ((value & 0xff) << 8); }
  get bl(): number { return this.bx & 0xff; }
  set bl(value: number) { this.bx = (this.bx & 0xff00) | (value & 0xff); }
  get bh(): number { return this.bx >> 8; }
  set bh(value: number) { this.bx = (this.bx & 0xff) | ((value & 0xff) << 8); }
  get cl(): number { return this.cx & 0xff; }
  set cl(value: number) { this.cx = (this.cx & 0xff00) | (value & 0xff); }
  get ch(): number { return this.cx >> 8; }
  set ch(value: number) { this.cx = (this.cx & 0xff) | ((value & 0xff) << 8); }
  get dl(): number { return this.dx & 0xff; }
  set dl(value: number) { this.dx = (this.dx & 0xff00) | (value & 0xff); }
  get dh(): number { return this.dx >> 8; }
  set dh(value: number) { this.dx = (this.dx & 0xff) | ((value & 0xff) << 8); }

  get es(): number { return this.context.segmentSelector('es'); }
  set es(selector: number) { this.context.loadRealSegment('es', selector); }
  get esBase(): number { return this.context.segmentBase('es'); }
  get dsBase(): number { return this.context.segmentBase('ds'); }

  /** CF as the caller of INT sees it after IRET. */
  set carry(value: boolean) { this.#setFrameFlag(carryBit, value); }
  get carry(): boolean { return (this.context.linear.read16(this.#frameFlags) & carryBit) !== 0; }
  set zero(value: boolean) { this.#setFrameFlag(zeroBit, value); }

  /** FLAGS above IP and CS on the 16-bit stack. */
  get #frameFlags(): number {
    return this.context.segmentBase('ss') + ((this.context.readGpr(gpr.esp) + 4) & 0xffff);
  }

  #setFrameFlag(bit: number, value: boolean): void {
    const address = this.#frameFlags;
    const flags = this.context.linear.read16(address);
    this.context.linear.write16(address, value ? flags | bit : flags & ~bit);
  }

  #word(index: GprIndex): number {
    return this.context.readGpr(index) & 0xffff;
  }

  #setWord(index: GprIndex, value: number): void {
    this.context.writeGpr(index, ((this.context.readGpr(index) & 0xffff_0000) | (value & 0xffff)) >>> 0);
  }
}
