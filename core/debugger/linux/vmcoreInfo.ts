// VMCOREINFO: the note that every kernel with kexec keeps about itself in memory for crash dumps (Linux,
// Documentation/admin-guide/kdump/vmcoreinfo.rst): addresses of some symbols, offsets and sizes of some structures.
import { decodeText } from '../symbols/byteReader.ts';
import type { GuestMemory } from './guestMemory.ts';

const MAGIC = new TextEncoder().encode('OSRELEASE=');
const PAGE = 4096;
const SYMBOL = /^SYMBOL\((\w+)\)=([0-9a-f]{1,16})$/;
const NUMBER = /^(OFFSET|SIZE|LENGTH|NUMBER)\(([\w.]+)\)=(-?\d{1,20})$/;

export class VmcoreInfo {
  readonly release: string;
  /** Physical address of the text. */
  readonly address: number;
  readonly symbols: ReadonlyMap<string, bigint>;
  readonly #numbers: ReadonlyMap<string, number>;

  constructor(address: number, text: string) {
    const symbols = new Map<string, bigint>(), numbers = new Map<string, number>();
    for (const line of text.split('\n')) {
      const symbol = SYMBOL.exec(line);
      if (symbol !== null) symbols.set(symbol[1], BigInt(`0x${symbol[2]}`));
      const number = NUMBER.exec(line);
      if (number !== null) numbers.set(`${number[1]} ${number[2]}`, Number(number[3]));
    }
    this.address = address;
    this.release = /^OSRELEASE=(.*)$/m.exec(text)?.[1] ?? '';
    this.symbols = symbols;
    this.#numbers = numbers;
  }

  offset(field: string): number | undefined {
    return this.#sensible(`OFFSET ${field}`);
  }
  size(structure: string): number | undefined {
    return this.#sensible(`SIZE ${structure}`);
  }
  #sensible(name: string): number | undefined {
    const value = this.#numbers.get(name);
    return value !== undefined && value >= 0 && value < 0x10000 ? value : undefined;
  }
}

/** Null: no kernel, one without kexec, or none that has come so far. */
export function findVmcoreInfo(memory: GuestMemory): VmcoreInfo | null {
  for (const { bytes, address, own } of memory.pieces()) {
    for (let at = 0; at < own; at += PAGE) {
      if (!MAGIC.every((byte, index) => bytes[at + index] === byte)) continue;
      const info = readVmcoreInfo(memory, address + at);
      if (info !== null) return info;
    }
  }
  return null;
}

/** The note at a physical address, if it is still there. */
export function readVmcoreInfo(memory: GuestMemory, address: number): VmcoreInfo | null {
  const page = memory.physical(address, PAGE);
  if (!MAGIC.every((byte, index) => page[index] === byte)) return null;
  const end = page.indexOf(0);
  const info = new VmcoreInfo(address, decodeText(page, 0, end < 0 ? page.length : end));
  return info.symbols.size >= 3 ? info : null;
}
