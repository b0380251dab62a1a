// A bare CPU in flat 32-bit protected mode that runs one instruction at a time, for x87 tests.
import { Cpu, type CpuHost } from '../../core/cpu/cpu.ts';
import type { cpuModels } from '../../core/cpu/state/cpuModels.ts';
import { FIELD } from '../../core/cpu/state/layout.ts';
import { PhysicalMap } from '../../core/mmu/physicalMap.ts';

export const CODE = 0x30000, DATA = 0x20000, RAM_BYTES = 1 << 20;

const host: CpuHost = {
  portRead: () => 0xff,
  portWrite: () => undefined,
  mmioRead: () => 0xffffffff,
  mmioWrite: () => undefined,
  timestamp: () => 0,
  setTimestamp: () => undefined,
  acknowledgeInterrupt: () => 0,
  cycles: () => 0,
  performanceInterrupt: () => {},
  floatingError: () => {},
  readTaskPriority: () => 0,
  writeTaskPriority: () => {},
  readMsr: () => null,
  writeMsr: () => false,
  exit: () => undefined,
  exitBegins: () => undefined,
  exitEnds: () => undefined,
  guestError: () => undefined,
};

export class X87Machine {
  readonly cpu: Cpu;

  constructor(model: keyof typeof cpuModels = 'pentium3') {
    this.cpu = new Cpu(RAM_BYTES, model, host);
    const { cpu } = this;
    const words = cpu.u32.subarray(cpu.map.physicalMap >>> 2, (cpu.map.physicalMap >>> 2) + (1 << 20));
    new PhysicalMap(words).map(0, RAM_BYTES, cpu.map.ram, true);
    cpu.set32(FIELD.cr0, 0x31);
    cpu.setSegment(1, 0x08, 0, 0xffffffff, 0xc09b);
    for (const segment of [0, 2, 3, 4, 5]) cpu.setSegment(segment, 0x10, 0, 0xffffffff, 0xc093);
    // Interrupt gates: vector n leads to 0x2000 + n, where the test finds EIP.
    for (let vector = 0; vector < 32; vector++) {
      this.write32(0x4000 + vector * 8, 0x00080000 | (0x2000 + vector));
      this.write32(0x4004 + vector * 8, 0x8e00);
    }
    this.write32(0x5008, 0x0000ffff);
    this.write32(0x500c, 0x00cf9b00);
    this.write32(0x5010, 0x0000ffff);
    this.write32(0x5014, 0x00cf9300);
    cpu.set32(FIELD.gdtrBase, 0x5000);
    cpu.set32(FIELD.gdtrLimit, 0x17);
    cpu.set32(FIELD.idtrBase, 0x4000);
    cpu.set32(FIELD.idtrLimit, 0xff);
    cpu.setReg32(4, 0x7000);
  }

  get ram(): Uint8Array {
    return this.cpu.u8.subarray(this.cpu.map.ram, this.cpu.map.ram + RAM_BYTES);
  }
  write32(address: number, value: number): void {
    this.cpu.view.setUint32(this.cpu.map.ram + address, value, true);
  }
  read32(address: number): number {
    return this.cpu.view.getUint32(this.cpu.map.ram + address, true);
  }

  readonly #places = new Map<string, number>();
  #nextPlace = CODE + 0x1000;

  /** Puts code into memory for `runAt`; the same code only once. */
  place(code: string): number {
    let address = this.#places.get(code);
    if (address === undefined) {
      address = this.#nextPlace;
      this.#nextPlace += 32;
      this.ram.set([...Buffer.from(code, 'hex'), 0xf4], address);
      this.#places.set(code, address);
      this.cpu.code.flush();
    }
    return address;
  }

  /** Executes code that ends with HLT or in an exception; returns the vector, or -1. */
  run(code: readonly number[]): number {
    const { cpu } = this;
    this.ram.set([...code, 0xf4], CODE);
    cpu.code.flush();
    return this.runAt(CODE);
  }
  runAt(address: number): number {
    const { cpu } = this;
    cpu.rip = address;
    cpu.setReg32(4, 0x7000);
    cpu.activity = 'running';
    for (let turn = 0; turn < 1000 && cpu.activity === 'running'; turn++) {
      cpu.run(100);
      if (cpu.rip >= 0x2000 && cpu.rip < 0x2020) return cpu.rip - 0x2000;
    }
    return -1;
  }
}
