// What a machine must look like when a directly loaded kernel executes its first instruction.

/** The image is not a kernel that can be loaded, and why. The caller prefixes the file's name. */
export class KernelImageError extends Error {
  override readonly name = 'KernelImageError';
}

export interface MemoryWrite {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** A segment register with its hidden part. `access` holds descriptor bits 40-47 in 0-7 and 52-55 in 8-11 (SDM 3A 3.4.5). */
export interface SegmentState {
  readonly selector: number;
  readonly base: number;
  readonly limit: number;
  readonly access: number;
}

export interface TableRegister {
  readonly base: number;
  readonly limit: number;
}

/** The protected-mode state in which a kernel starts; interrupts are off, paging too unless there are page tables. */
export interface KernelCpuState {
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
  readonly esi: number;
  readonly edi: number;
  readonly ebp: number;
  readonly esp: number;
  readonly eip: number;
  readonly eflags: number;
  readonly cr0: number;
  /** Physical address of the PML4: the kernel starts in 64-bit mode. Null: in 32 bits without paging. */
  readonly pageTables: number | null;
  readonly gdtr: TableRegister;
  readonly idtr: TableRegister;
  readonly cs: SegmentState;
  /** Loaded into SS, DS, ES, FS and GS. */
  readonly data: SegmentState;
}

export interface KernelPlan {
  /** One line for logs: what was recognized. */
  readonly description: string;
  /** To be written to physical memory in this order, after POST. */
  readonly writes: readonly MemoryWrite[];
  readonly cpu: KernelCpuState;
}

const flatCode = 0xc9b;
const flatData = 0xc93;

/** GDT with flat 4 GiB code and data segments at the given selectors. */
export function flatGdt(codeSelector: number, dataSelector: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(codeSelector, dataSelector) + 8);
  bytes.set([0xff, 0xff, 0, 0, 0, flatCode & 0xff, 0xcf, 0], codeSelector);
  bytes.set([0xff, 0xff, 0, 0, 0, flatData & 0xff, 0xcf, 0], dataSelector);
  return bytes;
}

/** A flat 32-bit state with every register that `registers` does not name at zero. */
export function flatCpuState(
  gdtr: TableRegister,
  codeSelector: number,
  dataSelector: number,
  registers: Partial<Pick<KernelCpuState, 'eax' | 'ebx' | 'esi' | 'esp' | 'eip'>>,
): KernelCpuState {
  return {
    eax: 0,
    ebx: 0,
    ecx: 0,
    edx: 0,
    esi: 0,
    edi: 0,
    ebp: 0,
    esp: 0,
    eip: 0,
    ...registers,
    eflags: 0x0000_0002,
    cr0: 0x0000_0011,
    pageTables: null,
    gdtr,
    idtr: { base: 0, limit: 0 },
    cs: { selector: codeSelector, base: 0, limit: 0xffff_ffff, access: flatCode },
    data: { selector: dataSelector, base: 0, limit: 0xffff_ffff, access: flatData },
  };
}

const longCode = 0xa9b;
const present = 0x03;
const largePage = 0x80;
const gibibyte = 0x4000_0000;
const tableBytes = 0x1000;

/** 4-level page tables for physical `address` that map the first 4 GiB onto themselves in 2 MiB pages (SDM 3A 4.5). */
export function identityPageTables(address: number): Uint8Array {
  const bytes = new Uint8Array(6 * tableBytes);
  const view = viewOf(bytes);
  const directories = address + 2 * tableBytes;
  view.setUint32(0, (address + tableBytes) | present, true);
  for (let index = 0; index < 4; index++) {
    view.setUint32(tableBytes + index * 8, (directories + index * tableBytes) | present, true);
    for (let page = 0; page < 512; page++) {
      view.setUint32((2 + index) * tableBytes + page * 8, index * gibibyte + page * 0x20_0000 + (present | largePage), true);
    }
  }
  return bytes;
}

/** GDT with flat 64-bit code and flat data. */
export function longGdt(codeSelector: number, dataSelector: number): Uint8Array {
  const bytes = flatGdt(codeSelector, dataSelector);
  bytes[codeSelector + 6] = 0xaf;
  return bytes;
}

/** As flatCpuState, in 64-bit mode over page tables at `pageTables`. */
export function longCpuState(pageTables: number, ...rest: Parameters<typeof flatCpuState>): KernelCpuState {
  const state = flatCpuState(...rest);
  return { ...state, cr0: 0x8000_0011, pageTables, cs: { ...state.cs, access: longCode } };
}

const gdtAddress = 0x1000;
/** Where Multiboot and PVH kernels find their information: conventional memory that none is linked to. The stack ends there. */
export const infoAddress = 0x9_0000;
export const infoLimit = 0x9_f000;

/** A kernel that starts in flat 32-bit mode with EBX at its information. */
export function informedPlan(
  description: string, writes: MemoryWrite[], information: Uint8Array, registers: { readonly eip: number; readonly eax?: number },
): KernelPlan {
  const gdt = flatGdt(0x08, 0x10);
  writes.push({ address: infoAddress, bytes: information }, { address: gdtAddress, bytes: gdt });
  const gdtr = { base: gdtAddress, limit: gdt.length - 1 };
  return { description, writes, cpu: flatCpuState(gdtr, 0x08, 0x10, { ebx: infoAddress, esp: infoAddress, ...registers }) };
}

/** A view of `bytes` for little-endian fields. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Command lines are bytes on the wire: characters above FFh become `?`. */
export function asciiZ(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length + 1);
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    bytes[index] = code > 0xff || code === 0 ? 0x3f : code;
  }
  return bytes;
}
