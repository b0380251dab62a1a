// Guest memory as bus masters see it: RAM below 4 GiB, with a look at decoded code on every write.
import type { GuestMemory } from '../bus/device.ts';
import type { Cpu } from '../cpu/cpu.ts';
import type { PhysicalMap } from '../mmu/physicalMap.ts';

const PAGE = 4096;

export class GuestRam implements GuestMemory {
  readonly #cpu: Cpu;
  readonly #map: PhysicalMap;
  readonly #one = new Uint8Array(4);
  readonly #view = new DataView(this.#one.buffer);

  constructor(cpu: Cpu, map: PhysicalMap) {
    this.#cpu = cpu;
    this.#map = map;
  }

  read(address: number, into: Uint8Array): void {
    for (let done = 0; done < into.length; ) {
      const at = (address + done) >>> 0;
      const take = Math.min(into.length - done, PAGE - (at & (PAGE - 1)));
      const host = this.#map.host(at, false);
      if (host < 0) into.fill(0xff, done, done + take);
      else into.set(this.#cpu.u8.subarray(host, host + take), done);
      done += take;
    }
  }

  write(address: number, from: Uint8Array): void {
    for (let done = 0; done < from.length; ) {
      const at = (address + done) >>> 0;
      const take = Math.min(from.length - done, PAGE - (at & (PAGE - 1)));
      const host = this.#map.host(at, true);
      if (host >= 0) {
        this.#cpu.code.written(at, take);
        this.#cpu.u8.set(from.subarray(done, done + take), host);
      }
      done += take;
    }
  }

  read8(address: number): number {
    this.read(address, this.#one.subarray(0, 1));
    return this.#one[0];
  }
  read16(address: number): number {
    this.read(address, this.#one.subarray(0, 2));
    return this.#view.getUint16(0, true);
  }
  read32(address: number): number {
    this.read(address, this.#one);
    return this.#view.getUint32(0, true);
  }
  write8(address: number, value: number): void {
    this.#view.setUint8(0, value);
    this.write(address, this.#one.subarray(0, 1));
  }
  write16(address: number, value: number): void {
    this.#view.setUint16(0, value, true);
    this.write(address, this.#one.subarray(0, 2));
  }
  write32(address: number, value: number): void {
    this.#view.setUint32(0, value, true);
    this.write(address, this.#one);
  }
}
