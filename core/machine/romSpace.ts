// The physical address space: RAM, the ROMs below 1 MiB and below 4 GiB, and the shadowing that the host bridge's PAM
// registers choose (82441FX 3.2.13).
import type { Backing } from '../chipset/boardHost.ts';
import type { Hypervisor } from '../hypervisor/hypervisor.ts';

const LOW_ROM = 0xc0000;
const LOW_ROM_BYTES = 0x40000;
const VIDEO_MEMORY = 0xa0000;
const MEBIBYTE = 1 << 20;
const PAGE = 4096;
const FOUR_GIB = 2 ** 32;

/** Where the chipset's own ranges begin: nothing else is placed from here on. */
const PCI_END = 0xfec00000;
export const DISPLAY_BYTES = 16 * MEBIBYTE;

/** Room that images below 4 GiB of these lengths need, the ROM area below 1 MiB included. */
export function romBytesFor(...lengths: readonly number[]): number {
  return lengths.reduce((sum, length) => sum + Math.ceil(length / PAGE) * PAGE, LOW_ROM_BYTES);
}

interface Shadow {
  readonly base: number;
  readonly length: number;
  readonly read: Backing;
  readonly write: Backing;
}

export class RomSpace {
  readonly #hypervisor: Hypervisor;
  /** Stretches below 1 MiB whose writes reach RAM while reads see ROM. */
  readonly #shadows = new Map<number, Shadow>();

  /** Pages of RAM above 1 MiB under device memory. */
  #covered: ReadonlySet<number> = new Set();
  readonly #memoryBytes: number;
  /** Bytes of the area for images below 4 GiB that are taken. */
  #highUsed = 0;

  constructor(hypervisor: Hypervisor, memoryBytes: number) {
    this.#hypervisor = hypervisor;
    this.#memoryBytes = memoryBytes;
    const { physical, cpu } = hypervisor;
    physical.map(0, Math.min(memoryBytes, VIDEO_MEMORY), cpu.map.ram, true);
    if (memoryBytes > MEBIBYTE) physical.map(MEBIBYTE, memoryBytes - MEBIBYTE, cpu.map.ram + MEBIBYTE, true);
    // The ROM area holds C0000h..FFFFFh first, then the image below 4 GiB; empty sockets read FFh.
    cpu.u8.fill(0xff, cpu.map.rom, cpu.map.rom + cpu.map.romBytes);
  }

  /** The system BIOS: ends at 1 MiB (its last 128 KiB) and at 4 GiB (all of it). Returns where it begins. */
  installBios(image: Uint8Array): number {
    const { physical, cpu } = this.#hypervisor;
    const low = image.subarray(Math.max(0, image.length - 0x20000));
    this.#putLow(0x100000 - low.length, low);
    const padded = Math.ceil(image.length / PAGE) * PAGE;
    const high = cpu.map.rom + LOW_ROM_BYTES;
    cpu.u8.set(image, high + padded - image.length);
    physical.map(FOUR_GIB - padded, padded, high, false);
    this.#highUsed = padded;
    return FOUR_GIB - padded;
  }

  /** Flash memory that ends at `end`, below the system BIOS: its base, its array, and a switch for reads past the array. */
  installFlash(end: number, image: Uint8Array): { base: number; content: Uint8Array; direct(array: boolean): void; changed(offset: number, length: number): void } {
    const { physical, cpu } = this.#hypervisor;
    const base = end - image.length, host = cpu.map.rom + LOW_ROM_BYTES + this.#highUsed;
    const content = cpu.u8.subarray(host, host + image.length);
    content.set(image);
    physical.map(base, image.length, host, false);
    let isDirect = true;
    return {
      base,
      content,
      direct: (array) => {
        if (array === isDirect) return;
        isDirect = array;
        if (array) physical.map(base, image.length, host, false);
        else physical.unmap(base, image.length);
        cpu.flushTlb(false);
      },
      changed: (offset, length) => cpu.code.written(base + offset, length),
    };
  }

  /** Display memory, which a display function places where neither RAM nor ROM is (82441FX 4.1: PCI memory begins above RAM). */
  installDisplay(): { memory: Uint8Array; onPlacement(base: number | null): void; onWritten(offset: number, length: number): void } {
    const { physical, cpu } = this.#hypervisor;
    const host = cpu.map.rom + cpu.map.romBytes - DISPLAY_BYTES;
    const memory = cpu.u8.subarray(host, host + DISPLAY_BYTES).fill(0);
    let placed: number | null = null;
    return {
      memory,
      onPlacement: (base) => {
        if (placed !== null) {
          cpu.code.written(placed, DISPLAY_BYTES);
          physical.unmap(placed, DISPLAY_BYTES);
        }
        placed = base !== null && base >= this.#memoryBytes && base + DISPLAY_BYTES <= PCI_END ? base : null;
        if (placed !== null) physical.map(placed, DISPLAY_BYTES, host, true);
        cpu.flushTlb(false);
      },
      onWritten: (offset, length) => {
        if (placed !== null) cpu.code.written(placed + offset, length);
      },
    };
  }

  installOption(base: number, image: Uint8Array): void {
    this.#putLow(base, image.subarray(0, 0x100000 - base));
  }

  /** PAM: where reads and writes of a stretch go. */
  map(base: number, length: number, backing: { read: Backing; write: Backing }): void {
    const { physical, cpu } = this.#hypervisor;
    const ram = cpu.map.ram + base, rom = cpu.map.rom + base - LOW_ROM;
    cpu.code.written(base, length);
    physical.map(base, length, backing.read === 'ram' ? ram : rom, backing.read === 'ram' && backing.write === 'ram');
    this.#shadows.set(base, { base, length, ...backing });
    cpu.flushTlb(false);
  }

  /** A write that left the CPU because reads see ROM: true if it belongs below 1 MiB and is done. */
  writeBehindRom(address: number, value: number, size: 1 | 2 | 4): boolean {
    if (address < LOW_ROM || address >= LOW_ROM + LOW_ROM_BYTES) return false;
    const { cpu } = this.#hypervisor;
    for (const shadow of this.#shadows.values()) {
      if (address < shadow.base || address >= shadow.base + shadow.length) continue;
      if (shadow.write !== 'ram') return true;
      const host = cpu.map.ram + address;
      if (size === 4) cpu.view.setUint32(host, value, true);
      else if (size === 2) cpu.view.setUint16(host, value, true);
      else cpu.u8[host] = value;
      return true;
    }
    return true;
  }

  /** Device memory lies over RAM, for example a local APIC that was moved there. */
  overlay(ranges: readonly { readonly base: number; readonly length: number }[]): void {
    const covered = new Set<number>();
    for (const { base, length } of ranges) {
      for (let page = Math.floor(Math.max(base, MEBIBYTE) / PAGE) * PAGE; page < Math.min(base + length, this.#memoryBytes); page += PAGE) covered.add(page);
    }
    if (covered.size === 0 && this.#covered.size === 0) return;
    const { physical, cpu } = this.#hypervisor;
    for (const page of this.#covered) if (!covered.has(page)) physical.map(page, PAGE, cpu.map.ram + page, true);
    for (const page of covered) {
      if (this.#covered.has(page)) continue;
      cpu.code.written(page, PAGE);
      physical.unmap(page, PAGE);
    }
    this.#covered = covered;
    cpu.flushTlb(false);
  }

  #putLow(base: number, image: Uint8Array): void {
    const { cpu } = this.#hypervisor;
    cpu.u8.set(image, cpu.map.rom + base - LOW_ROM);
  }
}
