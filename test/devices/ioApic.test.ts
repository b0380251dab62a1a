import { beforeEach, describe, expect, it } from 'vitest';
import { IoApic, type IoApicMessage } from '../../core/devices/interrupt/ioApic.ts';
import { testBoard } from './testWiring.ts';
import { TestWiring } from './testWiring.ts';

const BASE = 0xfec00000;
const MASKED = 0x10000, LEVEL = 0x8000, LOW = 0x2000, REMOTE = 0x4000;

describe('82093AA I/O APIC', () => {
  let wiring: TestWiring;
  let apic: IoApic;
  let sent: IoApicMessage[];
  let accepts: boolean;
  let external: boolean;
  const read = (index: number): number => {
    wiring.mmioMap.write(BASE, index, 4);
    return wiring.mmioMap.read(BASE + 0x10, 4);
  };
  const write = (index: number, value: number): void => {
    wiring.mmioMap.write(BASE, index, 4);
    wiring.mmioMap.write(BASE + 0x10, value >>> 0, 4);
  };
  const entry = (pin: number, low: number): void => write(0x10 + pin * 2, low);

  beforeEach(() => {
    wiring = new TestWiring();
    sent = [];
    accepts = true;
    external = false;
    apic = new IoApic(wiring, {
      base: BASE,
      restHigh: 0x0f0000,
      deliver: (message) => {
        if (accepts) sent.push(message);
        return accepts;
      },
      setExternalRequest: (level) => (external = level),
    });
  });

  it('has version 11h, 24 inputs, a writable ID, and starts masked', () => {
    expect(read(1)).toBe(0x00170011);
    write(0, 0xff000000);
    expect([read(0), read(2)]).toEqual([0x0f000000, 0x0f000000]);
    for (let pin = 0; pin < 24; pin++) expect(read(0x10 + pin * 2)).toBe(MASKED);
    write(0x11, 0xffffffff);
    expect(read(0x11)).toBe(0xff000000);
    entry(0, 0xffffffff);
    expect(read(0x10)).toBe(0x1afff);
    expect(read(0x40)).toBe(0);
  });

  it('sends an edge once; an edge at a masked input is lost', () => {
    apic.input(4).set(true);
    entry(4, 0x34);
    expect(sent).toEqual([]);
    apic.input(4).set(false);
    write(0x19, 0x03000000);
    apic.input(4).set(true);
    expect(sent).toEqual([{ vector: 0x34, mode: 0, level: false, destination: 3, logical: false }]);
    apic.endOfInterrupt(0x34);
    expect(sent.length).toBe(1);
  });

  it('asks again at EOI while a level is up, and holds one request at a time', () => {
    entry(9, LEVEL | 0x800 | 0x51);
    apic.input(9).set(true);
    expect(read(0x22)).toBe(LEVEL | REMOTE | 0x800 | 0x51);
    apic.input(9).set(false);
    apic.input(9).set(true);
    expect(sent.length).toBe(1);
    expect(sent[0]).toMatchObject({ level: true, logical: true });
    apic.endOfInterrupt(0x52);
    expect(sent.length).toBe(1);
    apic.endOfInterrupt(0x51);
    expect(sent.length).toBe(2);
    apic.input(9).set(false);
    apic.endOfInterrupt(0x51);
    expect([sent.length, read(0x22)]).toEqual([2, LEVEL | 0x800 | 0x51]);
  });

  it('sees a level that came while masked when it is unmasked', () => {
    entry(9, MASKED | LEVEL | 0x51);
    apic.input(9).set(true);
    expect(sent.length).toBe(0);
    entry(9, LEVEL | 0x51);
    expect(sent.length).toBe(1);
  });

  it('keeps a level for later when no processor takes it', () => {
    accepts = false;
    entry(9, LEVEL | 0x51);
    apic.input(9).set(true);
    expect(read(0x22)).toBe(LEVEL | 0x51);
    accepts = true;
    entry(9, LEVEL | 0x51);
    expect([sent.length, read(0x22)]).toEqual([1, LEVEL | REMOTE | 0x51]);
  });

  it('honours polarity: PCI inputs rest high', () => {
    entry(16, LEVEL | LOW | 0x60);
    expect(sent.length).toBe(0);
    apic.input(16).set(false);
    expect(sent.length).toBe(1);
    entry(17, LEVEL | 0x61); // wrong polarity: a storm, as on the real thing
    expect(sent.length).toBe(2);
  });

  it('forgets a stuck remote IRR when an entry turns edge-triggered', () => {
    entry(9, LEVEL | 0x51);
    apic.input(9).set(true);
    apic.input(9).set(false);
    entry(9, MASKED | 0x51);
    expect(read(0x22)).toBe(MASKED | 0x51);
    entry(9, MASKED | LEVEL | 0x51);
    expect(read(0x22)).toBe(MASKED | LEVEL | 0x51);
  });

  it('passes ExtINT on as a level', () => {
    entry(0, 0x700);
    apic.input(0).set(true);
    expect([external, sent.length]).toEqual([true, 0]);
    apic.input(0).set(false);
    expect(external).toBe(false);
    apic.input(0).set(true);
    entry(0, MASKED | 0x700);
    expect(external).toBe(false);
  });

  it('saves and restores', () => {
    entry(9, LEVEL | 0x51);
    apic.input(9).set(true);
    const saved = apic.state.save();
    const copy = new IoApic(new TestWiring(), { base: BASE, restHigh: 0, deliver: () => true, setExternalRequest: () => {} });
    copy.state.restore(saved, 1);
    expect(copy.state.save()).toEqual(saved);
  });
});

describe('interrupts of the board with APICs', () => {
  const LAPIC = 0xfee00000;
  const setup = () => {
    const { host, board } = testBoard({ apic: true });
    const out = (port: number, value: number): void => board.ioWrite(port, value, 1);
    const lapic = (register: number, value: number): void => board.mmioWrite(LAPIC + register, value >>> 0, 4);
    const redirect = (pin: number, value: number): void => {
      board.mmioWrite(BASE, 0x10 + pin * 2, 4);
      board.mmioWrite(BASE + 0x10, value, 4);
    };
    return { host, board, out, lapic, redirect };
  };
  const startPit = (out: (port: number, value: number) => void): void => {
    for (const [port, value] of [[0x43, 0x34], [0x40, 0x10], [0x40, 0x00]] as const) out(port, value);
  };

  it('brings the 8259s through LINT0 in virtual wire mode', () => {
    const { host, board, out, lapic } = setup();
    for (const [port, value] of [[0x20, 0x11], [0x21, 0x08], [0x21, 4], [0x21, 1], [0x21, 0xfe]] as const) out(port, value);
    startPit(out);
    host.clock.advance(100_000);
    expect(host.intr.level).toBe(false);
    lapic(0xf0, 0x1ff);
    lapic(0x350, 0x700);
    expect(host.intr.level).toBe(true);
    expect(board.acknowledgeInterrupt()).toBe(0x08);
  });

  it('brings the 8259s through input 0 as ExtINT', () => {
    const { host, board, out, lapic, redirect } = setup();
    for (const [port, value] of [[0x20, 0x11], [0x21, 0x08], [0x21, 4], [0x21, 1], [0x21, 0xfe]] as const) out(port, value);
    lapic(0xf0, 0x1ff);
    redirect(0, 0x700);
    startPit(out);
    host.clock.advance(100_000);
    expect(board.acknowledgeInterrupt()).toBe(0x08);
  });

  it('has the timer at input 2, and the HPET in its place in legacy mode', () => {
    const { host, board, out, lapic, redirect } = setup();
    lapic(0xf0, 0x1ff);
    redirect(2, 0x30);
    startPit(out);
    host.clock.advance(100_000);
    expect(board.acknowledgeInterrupt()).toBe(0x30);
    lapic(0xb0, 0);
    const hpet = (register: number, value: number): void => board.mmioWrite(0xfed00000 + register, value, 4);
    hpet(0x10, 3);
    host.clock.advance(1_000_000);
    expect(host.intr.level).toBe(false); // the PIT is cut off
    hpet(0x100, 0x4);
    hpet(0x10c, 0);
    hpet(0x108, board.mmioRead(0xfed000f0, 4) + 1000);
    host.clock.advance(9_990);
    expect(host.intr.level).toBe(false);
    host.clock.advance(20);
    expect(board.acknowledgeInterrupt()).toBe(0x30);
  });

  it('takes an NMI through LINT1', () => {
    const { host, board, lapic } = setup();
    lapic(0xf0, 0x1ff);
    board.nmi.set(true);
    board.nmi.set(false);
    expect((host.cpu.nmi as { rises?: number }).rises).toBe(0);
    lapic(0x360, 0x400);
    board.nmi.set(true);
    expect((host.cpu.nmi as { rises?: number }).rises).toBe(1);
  });

  it('is a machine without APICs when the processor has none', () => {
    const { board } = testBoard({ apic: false });
    expect([board.mmioOwner(LAPIC), board.mmioOwner(BASE), board.mmioOwner(0xfed00000)]).toEqual([null, null, null]);
    expect([board.readMsr(0x1b), board.writeMsr(0x1b, 0, 0)]).toEqual([null, false]);
  });
});
