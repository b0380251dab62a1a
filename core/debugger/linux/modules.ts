// Loaded modules: the list of `struct module` (Linux, include/linux/module.h), which begins with the state, the list's links
// and the name. Without the symbol `modules` one of them is found in memory by that and by the links that must close.
import type { z } from 'zod';
import type { linuxModuleSchema } from '../../api/debug.ts';
import { DebugError, type SymbolSource } from '../target.ts';
import { nameIn, pointerIn, wordIn, type GuestMemory } from './guestMemory.ts';

export type LinuxModule = z.output<typeof linuxModuleSchema>;

const STATES = ['live', 'loading', 'unloading', 'unformed'];
const MAX_MODULES = 4096;
/** Structures are aligned to a cache line. */
const STEP = 32;
const NAME = /^[A-Za-z0-9_.-]+$/;
/** Of the structure, where its place is looked for. */
const STRUCTURE_BYTES = 1024;
const PAGE = 4096n;
const MAX_SIZE = 64 << 20;

/** Throws a DebugError when no module can be found. */
export function readModules(memory: GuestMemory, symbols: SymbolSource): LinuxModule[] {
  const head = symbols.address('modules');
  const start = head ?? findLink(memory);
  if (start === null) throw new DebugError('no loaded module was found in memory, and the symbols do not name the list of modules');
  const links = walk(memory, start, head !== undefined);
  const place = placeOffset(memory, links);
  return links.map((link) => describe(memory, link, place));
}

const linkOffset = (memory: GuestMemory): number => memory.pointerBytes;
const nameOffset = (memory: GuestMemory): number => memory.pointerBytes * 3;
const nameBytes = (memory: GuestMemory): number => 64 - memory.pointerBytes;

/** Links of all modules. `start` is the list's head, or the link of any module: then the head is what is no module. */
function walk(memory: GuestMemory, start: bigint, isHead: boolean): bigint[] {
  const links: bigint[] = [];
  const seen = new Set<bigint>();
  let link: bigint | null = start;
  while (link !== null && !seen.has(link) && links.length < MAX_MODULES) {
    seen.add(link);
    if (!(isHead && link === start) && moduleName(memory, link) !== null) links.push(link);
    link = memory.pointer(link);
  }
  if (link === null) throw new DebugError('the list of modules is broken: it leads to memory that is not mapped');
  return links;
}

function moduleName(memory: GuestMemory, link: bigint): string | null {
  const structure = memory.bytes(link - BigInt(linkOffset(memory)), nameOffset(memory) + nameBytes(memory));
  return structure === null ? null : nameOf(memory, structure, 0);
}

/** The name, if state, links and name are those of a module. */
function nameOf(memory: GuestMemory, bytes: Uint8Array, at: number): string | null {
  const p = memory.pointerBytes;
  if (wordIn(bytes, at) > 3) return null;
  if (!memory.isKernelPointer(pointerIn(bytes, at + p, p)) || !memory.isKernelPointer(pointerIn(bytes, at + 2 * p, p))) return null;
  const name = nameIn(bytes, at + nameOffset(memory), nameBytes(memory));
  if (name === null || !NAME.test(name)) return null;
  // The rest of the name is empty.
  for (let index = name.length; index < nameBytes(memory); index++) if (bytes[at + nameOffset(memory) + index] !== 0) return null;
  return name;
}

/** The link of some module: what follows it must lead back to it. */
function findLink(memory: GuestMemory): bigint | null {
  const p = memory.pointerBytes;
  const skipped = p === 8 ? 4 : 0;
  for (const { bytes, address, own } of memory.pieces()) {
    for (let at = 0; at < own; at += STEP) {
      // Nearly everything ends here: a live module's state is 0, its name begins with a character.
      if (bytes[at] !== 0 || bytes[at + 3 * p] < 0x2d || wordIn(bytes, at) !== 0) continue;
      if (skipped !== 0 && wordIn(bytes, at + 4) !== 0) continue;
      if (nameOf(memory, bytes, at) === null) continue;
      const back = memory.pointer(pointerIn(bytes, at + p, p) + BigInt(p));
      if (back !== null && memory.translate(back) === BigInt(address + at + p)) return back;
    }
  }
  return null;
}

/** Offset of the pair of base and size that encloses the structure itself: it is a part of what the module has loaded. */
function placeOffset(memory: GuestMemory, links: readonly bigint[]): number | null {
  const p = memory.pointerBytes;
  const structures = links.map((link) => link - BigInt(linkOffset(memory)));
  for (let offset = nameOffset(memory) + nameBytes(memory); offset < STRUCTURE_BYTES; offset += p) {
    if (structures.length > 0 && structures.every((structure) => placeAt(memory, structure, offset) !== null)) return offset;
  }
  return null;
}

function placeAt(memory: GuestMemory, structure: bigint, offset: number): { base: bigint; size: number } | null {
  const base = memory.pointer(structure + BigInt(offset)), size = memory.u32(structure + BigInt(offset + memory.pointerBytes));
  if (base === null || size === null || base % PAGE !== 0n || size === 0 || size > MAX_SIZE) return null;
  return structure >= base && structure < base + BigInt(size) ? { base, size } : null;
}

function describe(memory: GuestMemory, link: bigint, offset: number | null): LinuxModule {
  const structure = link - BigInt(linkOffset(memory));
  const place = offset === null ? null : placeAt(memory, structure, offset);
  return {
    name: moduleName(memory, link) ?? '',
    base: (place?.base ?? structure).toString(16),
    size: place?.size ?? 0,
    state: STATES[memory.u32(structure) ?? 3] ?? 'unknown',
  };
}
