// Where things lie in a machine's linear memory.
import { VCPU_BYTES } from './layout.ts';

const MEBIBYTE = 1 << 20;
const WASM_PAGE = 65536;

export interface MemoryMap {
  readonly cpu: number;
  /** One u32 per physical page below 4 GiB: host address of the page | PHYSICAL_* bits. */
  readonly physicalMap: number;
  /** One u64 per physical page below 4 GiB: bit n set when 64-byte chunk n holds decoded code. */
  readonly codeChunks: number;
  /** Records and their page tables. */
  readonly arena: number;
  readonly arenaEnd: number;
  /** ROM images: 1 MiB unless a firmware needs more. */
  readonly rom: number;
  readonly romBytes: number;
  readonly ram: number;
  readonly ramBytes: number;
  readonly totalPages: number;
}

export const ARENA_BYTES = 64 * MEBIBYTE;

/** Lays out a machine with `ramBytes` of RAM (a multiple of 4 KiB, at most 3 GiB). */
export function layOutMemory(ramBytes: number, romBytes = MEBIBYTE): MemoryMap {
  const align = (address: number): number => Math.ceil(address / WASM_PAGE) * WASM_PAGE;
  const cpu = WASM_PAGE;
  const physicalMap = align(cpu + VCPU_BYTES);
  const codeChunks = physicalMap + 4 * MEBIBYTE;
  const arena = codeChunks + 8 * MEBIBYTE;
  const arenaEnd = arena + ARENA_BYTES;
  const rom = arenaEnd;
  const ram = align(rom + romBytes);
  return {
    cpu, physicalMap, codeChunks, arena, arenaEnd, rom, romBytes, ram, ramBytes,
    totalPages: align(ram + ramBytes) / WASM_PAGE,
  };
}
