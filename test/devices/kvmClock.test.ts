import { describe, expect, it } from 'vitest';
import { KvmClock } from '../../core/devices/timer/kvmClock.ts';
import { TestWiring } from './testWiring.ts';

const SYSTEM = 0x4b564d01, WALL = 0x4b564d00;

/** Guest time as a guest computes it from the structure (msr.rst). */
function timeOf(wiring: TestWiring, at: number, counter: number): number {
  const { memory } = wiring;
  const wide = (address: number): bigint => (BigInt(memory.read32(address + 4)) << 32n) | BigInt(memory.read32(address));
  const shift = BigInt((memory.read8(at + 28) << 24) >> 24);
  const delta = (BigInt(counter) - wide(at + 8)) << shift;
  return Number(wide(at + 16) + ((delta * BigInt(memory.read32(at + 24))) >> 32n));
}

describe('KVM clock', () => {
  it('lets a guest compute guest time exactly, also after it wrote its counter', () => {
    const wiring = new TestWiring();
    let offset = 5_000_000_000_000;
    const clock = new KvmClock(wiring, () => offset, 1_700_000_000);
    wiring.clock.advance(123_456_789);
    expect(clock.writeMsr(SYSTEM, 0x1001, 0)).toBe(true);
    expect(wiring.memory.read8(0x1000 + 29)).toBe(1);
    const first = wiring.memory.read32(0x1000);
    expect(first & 1).toBe(0);
    wiring.clock.advance(9_876_543_211);
    expect(timeOf(wiring, 0x1000, wiring.clock.ns + offset)).toBe(10_000_000_000);
    offset = 77 - wiring.clock.ns;
    clock.timestampChanged();
    expect(wiring.memory.read32(0x1000)).not.toBe(first);
    wiring.clock.advance(1_000);
    expect(timeOf(wiring, 0x1000, wiring.clock.ns + offset)).toBe(10_000_001_000);
  });

  it('gives the time of day at power-on', () => {
    const wiring = new TestWiring();
    const clock = new KvmClock(wiring, () => 0, 1_700_000_000);
    wiring.clock.advance(5e9);
    clock.writeMsr(WALL, 0x2000, 0);
    expect([wiring.memory.read32(0x2004), wiring.memory.read32(0x2008), wiring.memory.read32(0x2000) & 1]).toEqual([1_700_000_000, 0, 0]);
  });

  it('answers the old register numbers, refuses what is not offered, and forgets at reset', () => {
    const wiring = new TestWiring();
    const clock = new KvmClock(wiring, () => 0, 0);
    clock.writeMsr(0x12, 0x3001, 0);
    expect([clock.readMsr(SYSTEM), clock.readMsr(0x12)]).toEqual([[0x3001, 0], [0x3001, 0]]);
    expect([clock.writeMsr(0x4b564d02, 1, 0), clock.writeMsr(0x4b564d03, 0, 0), clock.readMsr(0x4b564d05)]).toEqual([false, true, null]);
    const saved = clock.state.save();
    clock.reset('hard');
    expect(clock.readMsr(SYSTEM)).toEqual([0, 0]);
    clock.state.restore(saved, 1);
    expect(clock.readMsr(SYSTEM)).toEqual([0x3001, 0]);
  });
});
