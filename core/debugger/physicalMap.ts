// What lies where in physical memory: RAM, ROM, devices, nothing.
import type { Cpu } from '../cpu/cpu.ts';
import type { PhysicalMap } from '../mmu/physicalMap.ts';
import type { PhysicalRange } from '../api/debug.ts';
import { hexOf } from './numberText.ts';

/** A stretch of addresses that a device answers. */
export interface DeviceRange {
  readonly from: number;
  readonly length: number;
  readonly name: string;
}

const PAGE = 4096;
const FOUR_GIB = 2 ** 32;

interface Stretch {
  from: number;
  to: number;
  readonly kind: string;
  readonly name: string;
}

const kindOfPage = (cpu: Cpu, map: PhysicalMap, page: number): { kind: string; name: string } | null => {
  const host = map.host(page, false);
  if (host < 0) return null;
  const { ram, ramBytes } = cpu.map;
  const inRam = host >= ram && host < ram + ramBytes;
  if (map.host(page, true) >= 0) return inRam ? { kind: 'RAM', name: 'RAM' } : { kind: 'device', name: 'display memory' };
  return inRam ? { kind: 'RAM', name: 'RAM, write-protected' } : { kind: 'ROM', name: 'ROM' };
};

/** The whole space below 4 GiB, in order; stretches where nothing answers are left out. `to` is the last address. */
export function physicalRanges(cpu: Cpu, map: PhysicalMap, devices: readonly DeviceRange[]): PhysicalRange[] {
  const stretches: Stretch[] = [];
  for (let page = 0; page < FOUR_GIB; page += PAGE) {
    const found = kindOfPage(cpu, map, page);
    if (found === null) continue;
    const last = stretches.at(-1);
    if (last !== undefined && last.to === page && last.name === found.name) last.to = page + PAGE;
    else stretches.push({ from: page, to: page + PAGE, ...found });
  }
  const memory = [...stretches];
  for (const device of devices) {
    for (const gap of gapsIn(device.from, Math.min(device.from + device.length, FOUR_GIB), memory)) {
      stretches.push({ ...gap, kind: 'device', name: device.name });
    }
  }
  stretches.sort((a, b) => a.from - b.from);
  return stretches.map(({ from, to, kind, name }) => ({ from: hexOf(from, 8), to: hexOf(to - 1, 8), kind, name }));
}

/** Parts of [from, to) that no stretch covers: memory hides devices. */
function gapsIn(from: number, to: number, stretches: readonly Stretch[]): { from: number; to: number }[] {
  const gaps: { from: number; to: number }[] = [];
  let at = from;
  for (const stretch of stretches) {
    if (stretch.to <= at || stretch.from >= to) continue;
    if (stretch.from > at) gaps.push({ from: at, to: stretch.from });
    at = Math.max(at, stretch.to);
  }
  if (at < to) gaps.push({ from: at, to });
  return gaps;
}

/** `RAM`, `ROM`, a device's name, or `nothing`. */
export function physicalName(cpu: Cpu, map: PhysicalMap, devices: readonly DeviceRange[], address: number): string {
  if (address >= FOUR_GIB) return 'nothing';
  const found = kindOfPage(cpu, map, Math.floor(address / PAGE) * PAGE);
  if (found !== null) return found.name;
  return devices.findLast(({ from, length }) => address >= from && address < from + length)?.name ?? 'nothing';
}
