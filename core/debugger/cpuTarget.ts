// A CPU and its memory as the debugger's parts see them. Reading changes nothing: page tables are walked past the TLB
// and no device is ever touched.
import type { Cpu } from '../cpu/cpu.ts';
import { CODE_MODE, CS, FIELD, SEGMENT } from '../cpu/state/layout.ts';
import type { PhysicalMap } from '../mmu/physicalMap.ts';
import { CpuRegisters } from './cpuRegisters.ts';
import { PageTables } from './paging.ts';
import type { DebugTarget, Space, TargetMemory, TargetMode } from './target.ts';

const PAGE = 4096;
const FOUR_GIB = 2 ** 32;
const CR0_PG = 0x80000000;

export class CpuTarget implements DebugTarget {
  readonly cpu: Cpu;
  readonly physicalMap: PhysicalMap;
  readonly pages: PageTables;
  readonly memory: CpuMemory;
  readonly registers: CpuRegisters;

  constructor(cpu: Cpu, physicalMap: PhysicalMap) {
    this.cpu = cpu;
    this.physicalMap = physicalMap;
    this.pages = new PageTables(cpu, physicalMap);
    this.memory = new CpuMemory(cpu, physicalMap, this.pages);
    this.registers = new CpuRegisters(cpu, (linear) => {
      const bytes = this.memory.read('linear', linear, 8);
      if (bytes === null) return null;
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      return { low: view.getUint32(0, true), high: view.getUint32(4, true) };
    });
  }

  get programCounter(): bigint {
    const { cpu } = this;
    return BigInt.asUintN(64, BigInt(cpu.wrapLinear(cpu.segmentBase(CS) + cpu.rip)));
  }

  mode(): TargetMode {
    const { cpu } = this;
    const protectedMode = cpu.isProtected, virtual8086 = protectedMode && cpu.isVirtual8086;
    const codeMode = cpu.get32(FIELD.codeMode);
    const wide = (cpu.segmentField(CS, SEGMENT.attributes) & 0x4000) !== 0;
    const bits = codeMode === CODE_MODE.code64 ? 64 : wide ? 32 : 16;
    const name = virtual8086 ? 'virtual-8086 mode'
      : bits === 64 ? '64-bit mode'
      : cpu.isLong ? `${bits}-bit compatibility mode`
      : protectedMode ? `${bits}-bit protected mode`
      : bits === 32 ? 'real mode with 32-bit code' : 'real mode';
    return {
      name, bits, privilege: cpu.cpl, protectedMode, virtual8086,
      paging: (cpu.get32(FIELD.cr0) & CR0_PG) !== 0,
      addressBytes: cpu.isLong ? 8 : 4,
    };
  }
}

export class CpuMemory implements TargetMemory {
  readonly #cpu: Cpu;
  readonly #map: PhysicalMap;
  readonly #pages: PageTables;

  constructor(cpu: Cpu, map: PhysicalMap, pages: PageTables) {
    this.#cpu = cpu;
    this.#map = map;
    this.#pages = pages;
  }

  translate(linear: bigint): bigint | null {
    const physical = this.#toPhysical('linear', linear);
    return physical < 0 ? null : BigInt(physical);
  }

  read(space: Space, address: bigint, length: number): Uint8Array | null {
    const bytes = new Uint8Array(length);
    const complete = this.#eachPage(space, address, length, (physical, offset, take) => this.#copy(physical, bytes, offset, take));
    return complete ? bytes : null;
  }

  readPartly(space: Space, address: bigint, length: number): { bytes: Uint8Array; unmapped: { from: number; to: number }[] } {
    const bytes = new Uint8Array(length);
    const unmapped: { from: number; to: number }[] = [];
    this.#eachPage(space, address, length, (physical, offset, take) => {
      if (this.#copy(physical, bytes, offset, take)) return true;
      const last = unmapped.at(-1);
      if (last?.to === offset) last.to = offset + take;
      else unmapped.push({ from: offset, to: offset + take });
      return true;
    });
    return { bytes, unmapped };
  }

  write(space: Space, address: bigint, bytes: Uint8Array): boolean {
    const { length } = bytes;
    if (!this.#eachPage(space, address, length, (physical) => this.#ramHost(physical) >= 0)) return false;
    return this.#eachPage(space, address, length, (physical, offset, take) => {
      this.#cpu.code.written(physical, take);
      this.#cpu.u8.set(bytes.subarray(offset, offset + take), this.#ramHost(physical));
      return true;
    });
  }

  /** Calls `visit` with the pieces of a range, page by page; physical is -1 where nothing is mapped. False: one refused. */
  #eachPage(
    space: Space, address: bigint, length: number, visit: (physical: number, offset: number, take: number) => boolean,
  ): boolean {
    for (let offset = 0; offset < length; ) {
      const at = address + BigInt(offset);
      const take = Math.min(length - offset, PAGE - Number(at & 0xfffn));
      if (!visit(this.#toPhysical(space, at), offset, take)) return false;
      offset += take;
    }
    return true;
  }

  /** -1: there is no such address. */
  #toPhysical(space: Space, address: bigint): number {
    if (space === 'physical') return address >= 0n && address < 1n << 52n ? Number(address) : -1;
    const bits = this.#pages.paging().linearBits;
    if (bits === 32) return address >= 0n && address < 1n << 32n ? this.#pages.translate(Number(address)) : -1;
    const canonical = BigInt.asUintN(64, BigInt.asIntN(bits, address)) === BigInt.asUintN(64, address);
    return canonical ? this.#pages.translate(Number(BigInt.asUintN(bits, address))) : -1;
  }

  #copy(physical: number, into: Uint8Array, offset: number, take: number): boolean {
    const host = physical >= 0 && physical < FOUR_GIB ? this.#map.host(physical, false) : -1;
    if (host < 0) return false;
    into.set(this.#cpu.u8.subarray(host, host + take), offset);
    return true;
  }

  /** Host address of RAM, also of RAM that the guest cannot write (shadowed ROM); -1 for all else. */
  #ramHost(physical: number): number {
    if (physical < 0 || physical >= FOUR_GIB) return -1;
    const host = this.#map.host(physical, false);
    const { ram, ramBytes } = this.#cpu.map;
    return host >= ram && host < ram + ramBytes ? host : -1;
  }
}
