// The CPU and the board as the BIOS's services see them.
import type { GuestMemory } from '../bus/device.ts';
import type { Cpu } from '../cpu/cpu.ts';
import { loadCr0, loadCr3, loadCr4 } from '../cpu/system/control.ts';
import { GuestFault } from '../cpu/system/faults.ts';
import { CR4 } from '../cpu/state/cpuModels.ts';
import { CS, DS, EFER, ES, FIELD, FLAG, SS } from '../cpu/state/layout.ts';
import type { FirmwareContext, SegmentName } from '../firmware/bios/context.ts';
import type { KernelCpuState } from '../firmware/kernel/kernelPlan.ts';
import type { Hypervisor } from '../hypervisor/hypervisor.ts';

const SEGMENT_INDEX: Readonly<Record<SegmentName, number>> = { es: ES, cs: CS, ss: SS, ds: DS };

type Size = 1 | 2 | 4;

/** GuestMemory over single accesses. */
function memoryOver(read: (address: number, size: Size) => number, write: (a: number, v: number, s: Size) => void): GuestMemory {
  return {
    read8: (address) => read(address, 1),
    read16: (address) => read(address, 2),
    read32: (address) => read(address, 4) >>> 0,
    write8: (address, value) => write(address, value, 1),
    write16: (address, value) => write(address, value, 2),
    write32: (address, value) => write(address, value, 4),
    read: (address, into) => {
      for (let index = 0; index < into.length; index++) into[index] = read(address + index, 1);
    },
    write: (address, from) => {
      for (let index = 0; index < from.length; index++) write(address + index, from[index], 1);
    },
  };
}

/** Physical memory with devices; RAM in bulk where there is RAM. */
function physicalMemory(hypervisor: Hypervisor): GuestMemory {
  const { cpu, physical, ram } = hypervisor;
  const write = (address: number, value: number, size: Size): void => {
    if (physical.host(address, true) < 0) hypervisor.mmioWrite(address, value, size);
    else if (size === 4) ram.write32(address, value);
    else if (size === 2) ram.write16(address, value);
    else ram.write8(address, value);
  };
  const single = memoryOver((address, size) => cpu.readPhysical(address, size), write);
  const isRam = (address: number, length: number, forWrite: boolean): boolean =>
    physical.host(address, forWrite) >= 0 && physical.host(address + Math.max(0, length - 1), forWrite) >= 0;
  return {
    ...single,
    read: (address, into) => (isRam(address, into.length, false) ? ram : single).read(address, into),
    write: (address, from) => (isRam(address, from.length, true) ? ram : single).write(address, from),
  };
}

/** Linear accesses never fault the service: what is not mapped reads FFh and swallows writes. */
function linearMemory(cpu: Cpu): GuestMemory {
  const guarded = <T>(access: () => T, otherwise: T): T => {
    try {
      return access();
    } catch (error) {
      if (!(error instanceof GuestFault)) throw error;
      return otherwise;
    }
  };
  return memoryOver(
    (address, size) => guarded(() => cpu.readLinear(address >>> 0, size), 0xffffffff),
    (address, value, size) => guarded(() => cpu.writeLinear(address >>> 0, value, size), undefined),
  );
}

export function createFirmwareContext(hypervisor: Hypervisor): FirmwareContext {
  const { cpu } = hypervisor;
  const setFlag = (flag: number, value: boolean): void =>
    cpu.setArithmeticFlags(value ? cpu.eflags | flag : cpu.eflags & ~flag);
  return {
    readGpr: (index) => cpu.reg32(index),
    writeGpr: (index, value) => cpu.setReg32(index, value >>> 0),
    segmentSelector: (name) => cpu.selector(SEGMENT_INDEX[name]),
    segmentBase: (name) => cpu.segmentBase(SEGMENT_INDEX[name]),
    loadRealSegment: (name, selector) => cpu.setSegment(SEGMENT_INDEX[name], selector, selector << 4, 0xffff, 0x93),
    get protectedMode() {
      return cpu.usesDescriptors;
    },
    setCarry: (value) => setFlag(FLAG.CF, value),
    setZero: (value) => setFlag(FLAG.ZF, value),
    linear: linearMemory(cpu),
    physical: physicalMemory(hypervisor),
    readPort: (port, size) => hypervisor.portRead(port, size),
    writePort: (port, value, size) => hypervisor.portWrite(port, value, size),
    now: () => hypervisor.now(),
    writeMsr: (index, low, high) => void cpu.debugAccess.writeMsr(index, low, high),
    startKernel: (state) => startKernel(cpu, state),
  };
}

/** Puts the CPU where a directly loaded kernel starts. */
function startKernel(cpu: Cpu, state: KernelCpuState): void {
  const attributes = (access: number): number => (access & 0xff) | ((access & 0xf00) << 4);
  if (state.pageTables !== null) {
    loadCr4(cpu, CR4.PAE);
    cpu.set32(FIELD.efer, EFER.LME);
    loadCr3(cpu, state.pageTables);
  }
  loadCr0(cpu, state.cr0);
  cpu.set32(FIELD.gdtrLimit, state.gdtr.limit);
  cpu.setWide(FIELD.gdtrBase, state.gdtr.base);
  cpu.set32(FIELD.idtrLimit, state.idtr.limit);
  cpu.setWide(FIELD.idtrBase, state.idtr.base);
  cpu.setSegment(CS, state.cs.selector, state.cs.base, state.cs.limit, attributes(state.cs.access));
  for (const segment of [ES, SS, DS, 4, 5]) {
    const { selector, base, limit, access } = state.data;
    cpu.setSegment(segment, selector, base, limit, attributes(access));
  }
  const registers = [state.eax, state.ecx, state.edx, state.ebx, state.esp, state.ebp, state.esi, state.edi];
  registers.forEach((value, index) => cpu.setReg32(index, value >>> 0));
  cpu.eflags = state.eflags;
  cpu.rip = state.eip;
  cpu.jumpRequested = true;
}
