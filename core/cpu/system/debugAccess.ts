// What a debugger may do to a CPU that stands between two instructions. Nothing here faults, reaches a device or leaves
// the state half changed; what an instruction would have refused is refused.
import { PHYSICAL_READ } from '../../mmu/physicalMap.ts';
import type { Cpu } from '../cpu.ts';
import { CR4 } from '../state/cpuModels.ts';
import { FIELD } from '../state/layout.ts';
import { controlReserved, fullTags, setControl, setFullTags, setStatus } from '../x87/environment.ts';
import { CR0, knownMsrs, readMsr, storeDebug, writeControl, writeMsr } from './control.ts';
import { loadRealSegment } from './descriptors.ts';
import { GuestFault } from './faults.ts';

export class DebugAccess {
  readonly #cpu: Cpu;

  constructor(cpu: Cpu) {
    this.#cpu = cpu;
  }

  /** MOV to CR0, CR2, CR3 or CR4 with all that follows; false: it would have faulted. */
  setControl(register: number, value: number): boolean {
    const cpu = this.#cpu;
    const cr0 = register === 0 ? value : cpu.cr0, cr4 = register === 4 ? value : cpu.cr4;
    const cr3 = register === 3 ? value : cpu.get32(FIELD.cr3);
    // PAE paging reads four entries at once: never from a device.
    if (!cpu.isLong && (cr0 & CR0.PG) !== 0 && (cr4 & CR4.PAE) !== 0 && !this.#isMemory(cr3)) return false;
    return this.#succeeds(() => writeControl(cpu, register, register === 2 || register === 3 ? value : value >>> 0));
  }

  /** DR0..DR3, DR6 and DR7; DR7.GD does not guard against a debugger. */
  setDebug(register: number, value: number): boolean {
    if (register === 4 || register === 5) return false;
    storeDebug(this.#cpu, register, value);
    return true;
  }

  /** Model-specific registers that this model has. */
  get msrs(): readonly number[] {
    return knownMsrs(this.#cpu);
  }
  /** Null: there is no such register. */
  readMsr(index: number): readonly [number, number] | null {
    return this.msrs.includes(index) ? readMsr(this.#cpu, index) : null;
  }
  writeMsr(index: number, low: number, high: number): boolean {
    return this.msrs.includes(index) && this.#succeeds(() => writeMsr(this.#cpu, index, low, high));
  }

  /** A segment register outside protected mode proper: its base follows the selector. */
  loadRealSegment(segment: number, selector: number): void {
    loadRealSegment(this.#cpu, segment, selector);
  }

  /** The x87's tag word, two bits a physical register. */
  get fpTags(): number {
    return fullTags(this.#cpu);
  }
  set fpTags(tags: number) {
    setFullTags(this.#cpu, tags);
  }
  setFpControl(value: number): void {
    setControl(this.#cpu, value);
    setStatus(this.#cpu, this.#cpu.get32(FIELD.fpStatus));
  }
  setFpStatus(value: number): void {
    setStatus(this.#cpu, value);
  }
  setMxcsr(value: number): boolean {
    if ((value & controlReserved(this.#cpu)) !== 0) return false;
    this.#cpu.set32(FIELD.mxcsr, value);
    return true;
  }

  #isMemory(address: number): boolean {
    const { u32, map } = this.#cpu;
    return (u32[(map.physicalMap >>> 2) + (address >>> 12)] & PHYSICAL_READ) !== 0;
  }

  #succeeds(action: () => void): boolean {
    try {
      action();
      return true;
    } catch (error) {
      if (error instanceof GuestFault) return false;
      throw error;
    }
  }
}
