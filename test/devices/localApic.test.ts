import { beforeEach, describe, expect, it } from 'vitest';
import { SnapshotError } from '../../core/bus/device.ts';
import { LocalApic } from '../../core/devices/interrupt/localApic.ts';
import { TestWiring } from './testWiring.ts';

const BASE = 0xfee00000;
const R = { ID: 0x20, VERSION: 0x30, TPR: 0x80, APR: 0x90, PPR: 0xa0, EOI: 0xb0, LDR: 0xd0, DFR: 0xe0, SVR: 0xf0, ISR: 0x100, TMR: 0x180, IRR: 0x200, ESR: 0x280, ICR: 0x300, ICR2: 0x310, TIMER: 0x320, LINT0: 0x350, LINT1: 0x360, ERROR: 0x370, INITIAL: 0x380, CURRENT: 0x390, DIVIDE: 0x3e0 };
const PERFORMANCE = 0x340;
const FIXED = 0, NMI = 4, INIT = 5;

describe('local APIC', () => {
  let wiring: TestWiring;
  let apic: LocalApic;
  let ended: number[];
  let inits: number;
  let offset: number;
  const read = (register: number): number => wiring.mmioMap.read(BASE + register, 4);
  const write = (register: number, value: number): void => wiring.mmioMap.write(BASE + register, value >>> 0, 4);
  const intr = (): boolean => wiring.irq('intr').level;
  const send = (vector: number, level = false): boolean =>
    apic.deliver({ vector, mode: FIXED, level, destination: 0, logical: false });

  beforeEach(() => {
    wiring = new TestWiring();
    ended = [];
    inits = offset = 0;
    apic = new LocalApic(wiring, { onEoi: (vector) => ended.push(vector), onInit: () => inits++, timestampOffset: () => offset, tscDeadline: true });
    write(R.SVR, 0x1ff);
  });

  it('starts as SDM 3A 10.4.7.1 says', () => {
    apic.reset('hard');
    expect([R.ID, R.TPR, R.LDR, R.DFR, R.SVR, R.ICR, R.TIMER, R.LINT0, R.LINT1, R.ERROR].map(read)).toEqual([
      0, 0, 0, 0xffffffff, 0xff, 0, 0x10000, 0x10000, 0x10000, 0x10000,
    ]);
    expect(read(R.VERSION)).toBe(0x50014);
    expect(apic.readMsr(0x1b)).toEqual([0xfee00900, 0]);
    // Masks cannot be cleared while it is software-disabled.
    write(R.LINT0, 0x700);
    expect(read(R.LINT0)).toBe(0x10700);
  });

  it('serves the highest vector first, nests by priority class and ends the highest in service', () => {
    expect(send(0x31)).toBe(true);
    send(0x45);
    expect(intr()).toBe(true);
    expect(apic.acknowledge()).toBe(0x45);
    expect([intr(), read(R.PPR)]).toEqual([false, 0x40]);
    send(0x4f); // same class: waits
    expect(intr()).toBe(false);
    send(0x50);
    expect(apic.acknowledge()).toBe(0x50);
    expect([read(R.ISR + 0x20), read(R.IRR + 0x20), read(R.IRR + 0x10)]).toEqual([(1 << 5) | (1 << 16), 1 << 15, 1 << 17]);
    write(R.EOI, 0);
    expect(intr()).toBe(false);
    write(R.EOI, 0);
    expect(apic.acknowledge()).toBe(0x4f);
    write(R.EOI, 0);
    expect(apic.acknowledge()).toBe(0x31);
    write(R.EOI, 0);
    expect([read(R.ISR + 0x10), read(R.ISR + 0x20), intr()]).toEqual([0, 0, false]);
    expect(ended).toEqual([]);
  });

  it('holds back by task priority, by CR8 too', () => {
    apic.taskPriority = 4;
    expect(read(R.TPR)).toBe(0x40);
    send(0x41);
    expect(intr()).toBe(false);
    // With its request taken back by the priority, the processor gets the spurious vector and no bit in service.
    expect(apic.acknowledge()).toBe(0xff);
    expect(read(R.ISR + 0x20)).toBe(0);
    write(R.TPR, 0x3f);
    expect(apic.taskPriority).toBe(3);
    expect([intr(), read(R.PPR)]).toEqual([true, 0x3f]);
    expect(apic.acknowledge()).toBe(0x41);
  });

  it('broadcasts the EOI of level-triggered interrupts only', () => {
    send(0x60, true);
    expect(read(R.TMR + 0x30)).toBe(1);
    apic.acknowledge();
    write(R.EOI, 0);
    send(0x60);
    expect(read(R.TMR + 0x30)).toBe(0);
    apic.acknowledge();
    write(R.EOI, 0);
    expect(ended).toEqual([0x60]);
  });

  it('matches physical, flat and cluster destinations', () => {
    const to = (destination: number, logical: boolean): boolean =>
      apic.deliver({ vector: 0x40, mode: FIXED, level: false, destination, logical });
    expect([to(0, false), to(1, false), to(0xff, false)]).toEqual([true, false, true]);
    write(R.LDR, 0x04000000);
    expect([to(0x0c, true), to(0x03, true)]).toEqual([true, false]);
    write(R.DFR, 0);
    write(R.LDR, 0x21000000);
    expect([to(0x23, true), to(0x22, true), to(0x31, true), to(0xf1, true)]).toEqual([true, false, false, true]);
    write(R.ID, 0x05000000);
    expect([to(5, false), to(0, false)]).toEqual([true, false]);
  });

  it('sends itself interrupts; other processors are not there', () => {
    write(R.ICR, 0x40000 | 0x55);
    expect(apic.acknowledge()).toBe(0x55);
    write(R.ICR, 0x80000 | 0x66);
    expect(apic.acknowledge()).toBe(0x66);
    write(R.ICR, 0xc0000 | 0x77);
    write(R.ICR2, 0x03000000);
    write(R.ICR, 0x500 | 0x4000); // INIT and SIPI to processor 3
    write(R.ICR, 0x600 | 0x10);
    expect([intr(), inits]).toEqual([false, 0]);
    write(R.ICR2, 0);
    write(R.ICR, 0x400);
    expect(wiring.irq('nmi').rises).toBe(1);
    write(R.ICR, 0x8500); // level de-assert
    expect(inits).toBe(0);
    write(R.ICR, 0xc500);
    expect(inits).toBe(1);
    expect(read(R.ICR)).toBe(0xc500);
  });

  it('reports illegal vectors and registers through the ESR and the error interrupt', () => {
    write(R.ERROR, 0xfe);
    write(R.ICR, 0x40000 | 0x0f);
    expect(read(R.ESR)).toBe(0);
    write(R.ESR, 0);
    expect(read(R.ESR)).toBe(0x20);
    expect(apic.acknowledge()).toBe(0xfe);
    write(R.EOI, 0);
    expect(send(3)).toBe(false);
    read(0x40);
    write(R.ESR, 0);
    expect(read(R.ESR)).toBe(0xc0);
    write(R.ESR, 0);
    expect(read(R.ESR)).toBe(0);
  });

  it('takes nothing but what is not fixed while software-disabled', () => {
    write(R.SVR, 0xff);
    expect(read(R.LINT0)).toBe(0x10000);
    expect(send(0x40)).toBe(false);
    apic.deliver({ vector: 0, mode: NMI, level: false, destination: 0, logical: false });
    apic.deliver({ vector: 0, mode: INIT, level: false, destination: 0, logical: false });
    expect([wiring.irq('nmi').rises, inits]).toEqual([1, 1]);
  });

  it('lets the 8259s through LINT0 as ExtINT, and is not there when switched off', () => {
    apic.lint0.set(true);
    expect(intr()).toBe(false);
    write(R.LINT0, 0x700);
    expect([intr(), apic.takesExternal]).toEqual([true, true]);
    write(R.LINT0, 0x10700);
    expect(intr()).toBe(false);
    expect(apic.writeMsr(0x1b, 0xfee00100, 0)).toBe(true);
    expect([intr(), apic.takesExternal]).toEqual([true, true]);
    expect(wiring.mmioMap.ownerOf(BASE)).toBe(null);
    apic.lint1.set(true);
    expect(wiring.irq('nmi').level).toBe(true);
  });

  it('makes NMIs and fixed interrupts of LINT pins, with remote IRR for levels', () => {
    write(R.LINT1, 0x400);
    apic.lint1.set(true);
    expect(wiring.irq('nmi').rises).toBe(1);
    write(R.LINT0, 0x8000 | 0x42);
    apic.lint0.set(true);
    expect(read(R.LINT0)).toBe(0xc042);
    expect(apic.acknowledge()).toBe(0x42);
    write(R.EOI, 0); // still up: again
    expect([intr(), read(R.LINT0)]).toEqual([true, 0xc042]);
    apic.acknowledge();
    apic.lint0.set(false);
    write(R.EOI, 0);
    expect([intr(), read(R.LINT0)]).toEqual([false, 0x8042]);
  });

  it('moves with IA32_APIC_BASE and refuses reserved bits', () => {
    expect(apic.writeMsr(0x1b, 0x00200900, 0)).toBe(true);
    expect(wiring.mmioMap.ownerOf(BASE)).toBe(null);
    expect(wiring.mmioMap.read(0x00200030, 4)).toBe(0x50014);
    for (const low of [0xfee00901, 0xfee00d00, 0xfee00a00]) expect(apic.writeMsr(0x1b, low, 0), low.toString(16)).toBe(false);
    expect(apic.readMsr(0x1b)).toEqual([0x00200900, 0]);
    expect(apic.readMsr(0x1c)).toBe(null);
  });

  it('counts once and down to zero', () => {
    write(R.DIVIDE, 0x0b); // by 1
    write(R.TIMER, 0x40);
    write(R.INITIAL, 1000);
    wiring.clock.advance(400);
    expect([read(R.CURRENT), intr()]).toEqual([600, false]);
    wiring.clock.advance(599);
    expect(intr()).toBe(false);
    wiring.clock.advance(1);
    expect([read(R.CURRENT), apic.acknowledge()]).toEqual([0, 0x40]);
    wiring.clock.advance(10_000);
    expect(intr()).toBe(false);
    expect(wiring.clock.armed).toBe(0);
  });

  it('divides by 2 to 128', () => {
    const divisors = [[0, 2], [1, 4], [2, 8], [3, 16], [8, 32], [9, 64], [10, 128], [11, 1]];
    for (const [value, divisor] of divisors) {
      write(R.DIVIDE, value!);
      write(R.INITIAL, 100_000);
      wiring.clock.advance(128_000);
      expect(read(R.CURRENT), String(divisor)).toBe(Math.max(0, 100_000 - 128_000 / divisor!));
    }
  });

  it('repeats without drift, and catches up as one interrupt', () => {
    write(R.DIVIDE, 0x0b);
    write(R.TIMER, 0x20000 | 0x40);
    write(R.INITIAL, 10_000);
    for (let tick = 0; tick < 5; tick++) {
      wiring.clock.advance(10_000);
      expect(apic.acknowledge()).toBe(0x40);
      write(R.EOI, 0);
      expect(intr()).toBe(false);
    }
    wiring.clock.advance(4_000);
    expect(read(R.CURRENT)).toBe(6_000);
    wiring.clock.advance(36_000);
    apic.acknowledge();
    write(R.EOI, 0);
    expect(intr()).toBe(false);
    write(R.INITIAL, 0);
    wiring.clock.advance(100_000);
    expect([intr(), wiring.clock.armed]).toEqual([false, 0]);
  });

  it('cannot be made to stand still in its own ticks', () => {
    write(R.DIVIDE, 0x0b);
    write(R.TIMER, 0x20000 | 0x40);
    write(R.INITIAL, 1);
    wiring.clock.advance(1_000_000);
    expect(wiring.clock.ns).toBe(1_000_000);
  });

  it('fires at a TSC deadline, on the counter that the guest sees', () => {
    wiring.clock.advance(500);
    write(R.TIMER, 0x40000 | 0x41);
    offset = 10_000;
    expect(apic.writeMsr(0x6e0, 11_000, 0)).toBe(true);
    expect(apic.readMsr(0x6e0)).toEqual([11_000, 0]);
    wiring.clock.advance(499);
    expect(intr()).toBe(false);
    offset = 9_000; // the guest turned its counter back
    apic.timestampChanged();
    wiring.clock.advance(1);
    expect(intr()).toBe(false);
    wiring.clock.advance(1_000);
    expect([apic.acknowledge(), apic.readMsr(0x6e0)]).toEqual([0x41, [0, 0]]);
    apic.writeMsr(0x6e0, 0xffffffff, 0xffffffff);
    expect(wiring.clock.armed).toBe(0);
    write(R.TIMER, 0x41); // one-shot: the deadline register does nothing
    apic.writeMsr(0x6e0, 1, 0);
    expect(apic.readMsr(0x6e0)).toEqual([0, 0]);
  });

  it('knows no TSC deadline unless the model has it', () => {
    const plain = new TestWiring();
    const other = new LocalApic(plain, { onEoi: () => {}, onInit: () => {}, timestampOffset: () => 0, tscDeadline: false });
    plain.mmioMap.write(BASE + R.SVR, 0x1ff, 4);
    plain.mmioMap.write(BASE + R.TIMER, 0x40041, 4);
    expect(plain.mmioMap.read(BASE + R.TIMER, 4)).toBe(0x41);
    expect([other.readMsr(0x6e0), other.writeMsr(0x6e0, 1, 0)]).toEqual([null, false]);
  });

  it('saves and restores everything, and refuses what does not fit', () => {
    write(R.LINT0, 0x700);
    apic.lint0.set(true);
    send(0x99, true);
    apic.acknowledge();
    write(R.DIVIDE, 0x0b);
    write(R.TIMER, 0x20000 | 0x40);
    write(R.INITIAL, 10_000);
    wiring.clock.advance(3_000);
    const saved = apic.state.save();
    const other = new TestWiring();
    other.clock.ns = wiring.clock.ns;
    const copy = new LocalApic(other, { onEoi: () => {}, onInit: () => {}, timestampOffset: () => 0, tscDeadline: true });
    copy.state.restore(saved, 1);
    expect(copy.state.save()).toEqual(saved);
    expect(other.irq('intr').level).toBe(true);
    expect(other.mmioMap.read(BASE + R.CURRENT, 4)).toBe(7_000);
    expect(() => copy.state.restore({ ...saved, isr: [1, 2] }, 1)).toThrow(SnapshotError);
    expect(copy.state.save()).toEqual(saved);
  });

  it('takes the interrupt of a performance counter and masks its entry', () => {
    write(PERFORMANCE, 0x55);
    apic.performanceInterrupt();
    expect([apic.acknowledge(), read(PERFORMANCE)]).toEqual([0x55, 0x10055]);
    write(R.EOI, 0);
    apic.performanceInterrupt();
    expect(intr()).toBe(false);
    write(PERFORMANCE, NMI << 8);
    apic.performanceInterrupt();
    expect([wiring.irq('nmi').rises, intr()]).toEqual([1, false]);
  });
});
