// A bare CPU with all instruction sets in 32- or 64-bit mode that runs one vector instruction at a time.
import { FIELD } from '../../core/cpu/state/layout.ts';
import { X87Machine } from './x87Machine.ts';

const CS = 1;
const PML4 = 0x10000, PDPT = 0x11000, DIRECTORY = 0x12000;
export const CR4 = { PAE: 0x20, OSFXSR: 0x200, OSXMMEXCPT: 0x400, OSXSAVE: 0x40000 } as const;

export class VectorMachine extends X87Machine {
  readonly cr4: number;

  constructor(wide: boolean) {
    super('max');
    const { cpu } = this;
    this.cr4 = CR4.OSFXSR | CR4.OSXMMEXCPT | CR4.OSXSAVE | (wide ? CR4.PAE : 0);
    cpu.set32(FIELD.cr4, this.cr4);
    cpu.set32(FIELD.xcr0, 3);
    if (wide) this.#enterLong();
  }

  /** Identity-mapped 2 MiB pages, gates of 16 bytes at the places of the narrow ones. */
  #enterLong(): void {
    const { cpu } = this;
    this.write32(PML4, PDPT | 3);
    this.write32(PDPT, DIRECTORY | 3);
    this.write32(DIRECTORY, 0x83);
    for (let vector = 0; vector < 32; vector++) {
      this.write32(0x4000 + vector * 16, 0x00080000 | (0x2000 + vector));
      this.write32(0x4004 + vector * 16, 0x8e00);
      this.write32(0x4008 + vector * 16, 0);
      this.write32(0x400c + vector * 16, 0);
    }
    this.write32(0x500c, 0x00af9b00);
    cpu.set32(FIELD.idtrLimit, 0x1ff);
    cpu.setWide(FIELD.cr3, PML4);
    cpu.set32(FIELD.efer, 0x500);
    cpu.set32(FIELD.cr0, 0x80000031);
    cpu.setSegment(CS, 8, 0, 0xffffffff, 0xa09b);
    for (const segment of [0, 2, 3, 4, 5]) cpu.setSegment(segment, 0x10, 0, 0xffffffff, 0xc093);
    cpu.flushTlb(false);
  }
}
