// CPUs in known states for the debugger's tests.
import { CpuTarget } from '../../../core/debugger/cpuTarget.ts';
import type { Cpu, CpuHost } from '../../../core/cpu/cpu.ts';
import type { cpuModels } from '../../../core/cpu/state/cpuModels.ts';
import { CS, DS, ES, FIELD, FS, GS, SS } from '../../../core/cpu/state/layout.ts';
import { PhysicalMap } from '../../../core/mmu/physicalMap.ts';
import { bareCpu } from '../../system/systemHarness.ts';

export const DIRECTORY = 0x1000, TABLE = 0x2000, GDT = 0x4000, IDT = 0x5000;
export const CODE = 0x08, DATA = 0x10;

export interface Fixture {
  readonly cpu: Cpu;
  readonly map: PhysicalMap;
  readonly target: CpuTarget;
  readonly mmio: number[];
  read32(address: number): number;
  write32(address: number, value: number): void;
  bytes(address: number, ...values: number[]): void;
}

/** A CPU in real mode with 16 MiB of RAM; `mmio` lists the addresses at which it left RAM. */
export function realMode(model: keyof typeof cpuModels = 'pentium3', host: Partial<CpuHost> = {}): Fixture {
  const mmio: number[] = [];
  const cpu = bareCpu(model, {
    mmioRead: (address) => {
      mmio.push(address);
      return 0xffffffff;
    },
    ...host,
  });
  const { physicalMap, ram } = cpu.map;
  const map = new PhysicalMap(cpu.u32.subarray(physicalMap >>> 2, (physicalMap >>> 2) + (1 << 20)));
  cpu.setSegment(CS, 0, 0, 0xffff, 0x93);
  cpu.rip = 0x7c00;
  return {
    cpu, map, mmio, target: new CpuTarget(cpu, map),
    read32: (address) => cpu.view.getUint32(ram + address, true),
    write32: (address, value) => cpu.view.setUint32(ram + address, value, true),
    bytes: (address, ...values) => cpu.u8.set(values, ram + address),
  };
}

/** Flat 32-bit protected mode, ring 0, a GDT with code at 8 and data at 10h; no paging. */
export function flatMode(model: keyof typeof cpuModels = 'pentium3', host: Partial<CpuHost> = {}): Fixture {
  const fixture = realMode(model, host);
  const { cpu, write32 } = fixture;
  write32(GDT + CODE, 0x0000ffff);
  write32(GDT + CODE + 4, 0x00cf9b00);
  write32(GDT + DATA, 0x0000ffff);
  write32(GDT + DATA + 4, 0x00cf9300);
  cpu.setWide(FIELD.gdtrBase, GDT);
  cpu.set32(FIELD.gdtrLimit, 0x3f);
  cpu.setWide(FIELD.idtrBase, IDT);
  cpu.set32(FIELD.idtrLimit, 0x7ff);
  cpu.debugAccess.setControl(0, 0x11);
  cpu.setSegment(CS, CODE, 0, 0xffffffff, 0xc09b);
  for (const segment of [DS, ES, SS, FS, GS]) cpu.setSegment(segment, DATA, 0, 0xffffffff, 0xc093);
  cpu.setReg32(4, 0x7000);
  return fixture;
}

/** As flatMode with 32-bit paging: the first 4 MiB are mapped one to one, by 4 KiB pages. */
export function pagedMode(model: keyof typeof cpuModels = 'pentium3', host: Partial<CpuHost> = {}): Fixture {
  const fixture = flatMode(model, host);
  fixture.write32(DIRECTORY, TABLE | 7);
  for (let page = 0; page < 1024; page++) fixture.write32(TABLE + page * 4, (page << 12) | 7);
  fixture.cpu.debugAccess.setControl(3, DIRECTORY);
  fixture.cpu.debugAccess.setControl(0, 0x80010011);
  return fixture;
}

/** A copy of the CPU's whole state and the first MiB of RAM, to see that nothing has changed. */
export function snapshot({ cpu }: Fixture): string {
  const parts = [cpu.u8.slice(cpu.base, cpu.base + 4096 + 2 * 32768), cpu.u8.slice(cpu.map.ram, cpu.map.ram + (1 << 20))];
  let hash = 0x811c9dc5;
  for (const part of parts) for (const byte of part) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16);
}
