import { describe, expect, it } from 'vitest';
import { bda } from '../../../core/firmware/bios/biosData.ts';
import { defaultPalette } from '../../../core/firmware/bios/video/videoModes.ts';
import { diskGeometry } from '../../../core/firmware/bios/disk/drives.ts';
import { services } from '../../../core/firmware/bios/services.ts';
import { FakeMachine, MemoryStore, mib } from './fakeMachine.ts';

function bootDisk(bytes = 4 * mib, fill = 0x90): Uint8Array {
  const disk = new Uint8Array(bytes);
  disk.fill(fill, 0, 510);
  disk.set([0x55, 0xaa], 510);
  for (let sector = 1; sector < bytes / 512; sector++) disk[sector * 512] = sector & 0xff;
  return disk;
}

/** An ISO with an El Torito catalog at block 20 and an image at block 21. */
function isoImage(mediaType = 0, sectors = 4): Uint8Array {
  const iso = new Uint8Array(2048 * 800);
  const view = new DataView(iso.buffer);
  const put = (at: number, text: string): void => iso.set([...text].map((c) => c.charCodeAt(0)), at);
  put(17 * 2048 + 1, 'CD001');
  put(17 * 2048 + 7, 'EL TORITO SPECIFICATION');
  view.setUint32(17 * 2048 + 0x47, 20, true);
  const catalog = 20 * 2048;
  iso[catalog] = 1;
  iso.set([0x55, 0xaa], catalog + 30);
  view.setUint16(catalog + 28, -(1 + 0xaa55) & 0xffff, true);
  iso.set([0x88, mediaType], catalog + 32);
  view.setUint16(catalog + 38, sectors, true);
  view.setUint32(catalog + 40, 21, true);
  iso.fill(0xcc, 21 * 2048, 21 * 2048 + sectors * 512);
  return iso;
}

const booted = (options: ConstructorParameters<typeof FakeMachine>[0] = {}): FakeMachine => {
  const machine = new FakeMachine(options);
  machine.call(services.post);
  return machine;
};

describe('trap', () => {
  it('ignores an OUT that is not in the ROM or not a stub', () => {
    const machine = new FakeMachine();
    expect(machine.bios.trap(machine.context, 0x7c00)).toBe(false);
    expect(machine.bios.trap(machine.context, 0xf0000)).toBe(false);
    expect(machine.bios.trap(machine.context, 0xffffffff)).toBe(false);
    machine.call(services.post);
    const alias = machine.stub(services.memory) + 0xfff00000;
    expect(machine.bios.trap(machine.context, alias)).toBe(true);
    expect(machine.registers.ax).toBe(639);
  });
});

describe('POST', () => {
  it('sets vectors, data areas and the interrupt controllers', () => {
    const machine = booted();
    expect(machine.memory.read32(0x10 * 4)).toBe(0xf000f065);
    expect(machine.memory.read32(0x19 * 4)).toBe(0xf000e6f2);
    expect(machine.memory.read16(bda.memoryKb)).toBe(639);
    expect(machine.memory.read8(bda.videoMode)).toBe(3);
    const master = machine.writes.filter(({ port }) => port === 0x21).map(({ value }) => value);
    expect(master.slice(0, 4)).toEqual([0x08, 0x04, 0x01, 0xf8]);
    expect(machine.screen(0)).toMatch(/^Trapeze BIOS 0\.1 {3}8 MB memory$/);
    expect(machine.carry).toBe(false);
  });

  it('gives PCI functions aligned ranges that do not overlap, and interrupt lines', () => {
    const machine = new FakeMachine();
    machine.addPci(0x08, 0x8086, 0x7000);
    machine.addPci(0x09, 0x8086, 0x7010, [16], true);
    machine.addPci(0x10, 0x1234, 0x1111, [0x1000, 16 * mib]);
    machine.addPci(0x18, 0x8086, 0x100e, [0x20000]);
    machine.pci.get(0x18)![0x3d] = 1;
    machine.call(services.post);
    const bar = (devfn: number, index: number): number => new DataView(machine.pci.get(devfn)!.buffer).getUint32(0x10 + index * 4, true);
    expect(bar(0x09, 0)).toBe(0xc001);
    expect(bar(0x10, 0)).toBe(0xe0000000);
    expect(bar(0x10, 1) % (16 * mib)).toBe(0);
    expect(bar(0x18, 0)).toBeGreaterThanOrEqual(bar(0x10, 1) + 16 * mib);
    expect(machine.pci.get(0x18)![0x3c]).toBe(10);
    expect(machine.pci.get(0x09)![4] & 7).toBe(7);
    expect([...machine.pci.get(0x08)!.subarray(0x60, 0x64)]).toEqual([10, 11, 10, 11]);
  });

  it('resumes a program by CMOS shutdown code', () => {
    const machine = new FakeMachine();
    machine.cmos[0x0f] = 0x0a;
    machine.call(services.post);
    expect([machine.carry, machine.zero, machine.cmos[0x0f]]).toEqual([true, false, 0]);
  });
});

describe('INT 19h', () => {
  it('boots a hard disk', () => {
    const machine = booted({ bay: { disks: [new MemoryStore(bootDisk())], cdrom: null, floppy: null } });
    machine.call(services.boot);
    expect(machine.carry).toBe(false);
    expect([machine.registers.ax, machine.registers.bx, machine.registers.dl]).toEqual([0, 0x7c00, 0x80]);
    expect(machine.memory.read8(0x7c00)).toBe(0x90);
  });

  it('waits for a late store and then boots', () => {
    const store = new MemoryStore(bootDisk(), { late: true });
    const machine = booted({ bay: { disks: [store], cdrom: null, floppy: null } });
    machine.call(services.boot);
    machine.call(services.boot);
    expect([machine.carry, machine.zero, store.pending.length]).toEqual([true, false, 1]);
    store.pending.shift()!();
    machine.call(services.boot);
    expect(machine.carry).toBe(false);
  });

  it.each([
    [0, 0xe0, 0],
    [2, 0x00, 2],
  ])('boots a CD with media type %i as drive %i', (mediaType, drive, media) => {
    const machine = booted({ bay: { disks: [], cdrom: new MemoryStore(isoImage(mediaType)), floppy: null } });
    machine.call(services.boot);
    expect([machine.registers.ax, machine.registers.bx, machine.registers.dl]).toEqual([0, 0x7c00, drive]);
    expect(machine.memory.read8(0x7c00 + 2047)).toBe(0xcc);
    machine.registers.ax = 0x4b01;
    machine.registers.si = 0x2000;
    machine.call(services.disk);
    expect(machine.registers.ah).toBe(0);
    expect([machine.memory.read8(0x2000), machine.memory.read8(0x2001), machine.memory.read32(0x2004)]).toEqual([0x13, media, 21]);
    if (mediaType === 0) {
      machine.memory.write16(0x500, 0x10);
      machine.memory.write16(0x502, 1);
      machine.memory.write32(0x504, 0x0000_6000);
      machine.memory.write32(0x508, 17);
      Object.assign(machine.registers, { ax: 0x4200, dx: 0xe0, si: 0x500 });
      machine.call(services.disk);
      expect([machine.registers.ah, machine.memory.read8(0x6001)]).toEqual([0, 0x43]);
      Object.assign(machine.registers, { ax: 0x0800, dx: 0x80 });
      machine.call(services.disk);
      expect(machine.frameFlags & 1).toBe(1);
    }
    if (mediaType === 2) {
      Object.assign(machine.registers, { ax: 0x0201, cx: 0x0002, dx: 0, bx: 0x3000, es: 0 });
      machine.call(services.disk);
      expect([machine.registers.ah, machine.memory.read8(0x3000)]).toEqual([0, 0xcc]);
    }
  });

  it('names everything it tried when nothing boots, and tries again after a key', () => {
    const disks = [new MemoryStore(new Uint8Array(mib))];
    const machine = booted({ bay: { disks, cdrom: new MemoryStore(new Uint8Array(2048 * 100)), floppy: null } });
    machine.call(services.boot);
    const text = Array.from({ length: 12 }, (_, row) => machine.screen(row)).join('\n');
    expect(text).toMatch(/No bootable medium found/);
    expect(text).toMatch(/Hard disk +empty: the first sector is blank/);
    expect(text).toMatch(/CD-ROM +not an ISO 9660 disc/);
    expect(text).toMatch(/Floppy +no image inserted/);
    const target = machine.registers.ax * 16 + machine.registers.bx;
    expect(machine.memory.read8(target)).toBe(0xfa);
    machine.call(services.boot);
    expect([machine.carry, machine.zero]).toEqual([true, true]);
    disks[0].bytes.set(bootDisk(mib));
    machine.registers.al = 0x1c;
    machine.call(services.key);
    machine.call(services.boot);
    expect([machine.carry, machine.registers.dl]).toEqual([false, 0x80]);
  });

  it('starts a directly loaded kernel instead', () => {
    const cpu = { eip: 0x100000 } as never;
    const machine = booted({ kernel: { description: '', writes: [{ address: mib, bytes: Uint8Array.of(1, 2) }], cpu } });
    machine.call(services.boot);
    expect(machine.startedKernel).toBe(cpu);
    expect(machine.memory.read16(mib)).toBe(0x0201);
  });
});

describe('INT 13h', () => {
  const withDisk = (options = {}): [FakeMachine, MemoryStore] => {
    const store = new MemoryStore(bootDisk(), options);
    return [booted({ bay: { disks: [store], cdrom: null, floppy: null } }), store];
  };

  it('reads and writes by cylinder, head and sector', () => {
    const [machine, store] = withDisk();
    Object.assign(machine.registers, { ax: 0x0202, cx: 0x0003, dx: 0x0180, bx: 0x4000, es: 0 });
    machine.call(services.disk);
    expect([machine.registers.ax, machine.frameFlags & 1]).toEqual([0x0002, 0]);
    expect([machine.memory.read8(0x4000), machine.memory.read8(0x4200)]).toEqual([65, 66]);
    machine.memory.write8(0x4000, 0x99);
    Object.assign(machine.registers, { ax: 0x0301, cx: 0x0003, dx: 0x0180, bx: 0x4000 });
    machine.call(services.disk);
    expect(store.bytes[65 * 512]).toBe(0x99);
  });

  it('reads by packet and reports errors in AH and CF', () => {
    const [machine, store] = withDisk();
    const packet = (count: number, block: number): void => {
      machine.memory.write16(0x500, 0x10);
      machine.memory.write16(0x502, count);
      machine.memory.write32(0x504, 0x0000_6000);
      machine.memory.write32(0x508, block);
      Object.assign(machine.registers, { ax: 0x4200, dx: 0x80, si: 0x500 });
      machine.call(services.disk);
    };
    packet(3, 7);
    expect([machine.registers.ah, machine.memory.read8(0x6400)]).toEqual([0, 9]);
    packet(1, 8192);
    expect([machine.registers.ah, machine.frameFlags & 1]).toEqual([4, 1]);
    store.broken = true;
    packet(1, 1);
    expect([machine.registers.ah, machine.frameFlags & 1]).toEqual([0x20, 1]);
  });

  it('refuses writes to a read-only disk and drives that are not there', () => {
    const [machine] = withDisk({ readOnly: true });
    Object.assign(machine.registers, { ax: 0x0301, cx: 1, dx: 0x80, bx: 0 });
    machine.call(services.disk);
    expect(machine.registers.ah).toBe(3);
    Object.assign(machine.registers, { ax: 0x0201, cx: 1, dx: 0x81 });
    machine.call(services.disk);
    expect([machine.registers.ah, machine.frameFlags & 1]).toEqual([1, 1]);
  });

  it('translates geometry so that all of a small disk is reachable', () => {
    expect(diskGeometry(4 * mib)).toEqual({ cylinders: 8, heads: 16, sectors: 63 });
    expect(diskGeometry(8 * 1024 * mib)).toEqual({ cylinders: 1024, heads: 255, sectors: 63 });
    const [machine] = withDisk();
    Object.assign(machine.registers, { ax: 0x0800, dx: 0x80 });
    machine.call(services.disk);
    expect([machine.registers.ch, machine.registers.cl, machine.registers.dx]).toEqual([7, 63, 0x0f01]);
  });
});

describe('INT 10h', () => {
  it('scrolls when the last line is full', () => {
    const machine = booted();
    machine.memory.write16(bda.cursorPositions, 24 << 8);
    for (const character of 'last\r\nnew') {
      machine.registers.ax = 0x0e00 | character.charCodeAt(0);
      machine.call(services.video);
    }
    expect([machine.screen(23), machine.screen(24)]).toEqual(['last', 'new']);
    const cursor = (machine.indexed.get(`${0x3d4}:14`)! << 8) | machine.indexed.get(`${0x3d4}:15`)!;
    expect(cursor).toBe(24 * 80 + 3);
  });

  it('scrolls a window both ways and clears with an attribute', () => {
    const machine = booted();
    for (let row = 5; row < 10; row++) machine.memory.write8(0xb8000 + (row * 80 + 10) * 2, 0x30 + row);
    Object.assign(machine.registers, { ax: 0x0602, bx: 0x1f00, cx: 0x0505, dx: 0x090f });
    machine.call(services.video);
    expect(machine.screen(5)[10]).toBe('7');
    expect(machine.memory.read16(0xb8000 + (9 * 80 + 10) * 2)).toBe(0x1f20);
    Object.assign(machine.registers, { ax: 0x0701, bx: 0x0700, cx: 0x0505, dx: 0x090f });
    machine.call(services.video);
    expect(machine.screen(6)[10]).toBe('7');
  });

  it('draws characters in mode 13h from the ROM font', () => {
    const machine = booted();
    machine.registers.ax = 0x0013;
    machine.call(services.video);
    Object.assign(machine.registers, { ax: 0x0941, bx: 0x000c, cx: 1 });
    machine.call(services.video);
    const line = [...machine.memory.bytes.subarray(0xa0000, 0xa0008)];
    expect(line).toEqual([0, 0, 12, 12, 12, 12, 0, 0]);
    machine.registers.ax = 0x0800;
    machine.call(services.video);
    expect(machine.registers.al).toBe(0x41);
  });

  it('has the standard palette', () => {
    const palette = defaultPalette('vga256');
    expect([palette[6], palette[15], palette[16], palette[32], palette[36], palette[40]]).toEqual([
      [42, 21, 0], [63, 63, 63], [0, 0, 0], [0, 0, 63], [63, 0, 63], [63, 0, 0],
    ]);
    expect(defaultPalette('ega')[0x14]).toEqual([42, 21, 0]);
    expect(palette[247]).toEqual([11, 12, 16]);
  });

  it('answers the VGA detection calls', () => {
    const machine = booted();
    machine.registers.ax = 0x1a00;
    machine.call(services.video);
    expect([machine.registers.al, machine.registers.bx]).toEqual([0x1a, 8]);
    Object.assign(machine.registers, { ax: 0x1130, bx: 0x0600 });
    machine.call(services.video);
    expect([machine.registers.cx, machine.registers.dl, machine.registers.es]).toEqual([16, 24, 0xf000]);
    expect(machine.memory.read8(0xf0000 + machine.registers.bp + 0x41 * 16 + 2)).toBe(0x3c);
  });
});

describe('keyboard', () => {
  const type = (machine: FakeMachine, ...codes: number[]): void => {
    for (const code of codes) {
      machine.registers.al = code;
      machine.call(services.key);
    }
  };
  const key = (machine: FakeMachine, ah = 0x10): number | null => {
    machine.registers.ax = ah << 8;
    machine.call(services.keys);
    return machine.carry ? null : machine.registers.ax;
  };

  it.each<[string, number[], number]>([
    ['a', [0x1e, 0x9e], 0x1e61],
    ['Shift-a', [0x2a, 0x1e], 0x1e41],
    ['Caps a', [0x3a, 0xba, 0x1e], 0x1e41],
    ['Ctrl-c', [0x1d, 0x2e], 0x2e03],
    ['Alt-x', [0x38, 0x2d], 0x2d00],
    ['F1', [0x3b], 0x3b00],
    ['arrow up', [0xe0, 0x48], 0x48e0],
    ['pad 8', [0x45, 0xc5, 0x48], 0x4838],
    ['Enter', [0x1c], 0x1c0d],
    ['F12', [0x58], 0x8600],
    ['Alt-65', [0x38, 0x4d, 0x4c, 0xb8], 0x0041],
  ])('%s', (_name, codes, expected) => {
    const machine = booted();
    type(machine, ...codes);
    expect(key(machine)).toBe(expected);
    expect(key(machine)).toBeNull();
  });

  it('INT 16h AH=00h hides the second prefix of grey keys and skips keys of bigger keyboards', () => {
    const machine = booted();
    type(machine, 0x58, 0xd8, 0xe0, 0x48);
    expect(key(machine, 0)).toBe(0x4800);
  });

  it('keeps shift state and stops at a full buffer', () => {
    const machine = booted();
    type(machine, 0x2a, 0x1d);
    expect(machine.memory.read8(bda.shift)).toBe(6);
    type(machine, 0xaa, 0x9d);
    expect(machine.memory.read8(bda.shift)).toBe(0);
    for (let count = 0; count < 40; count++) type(machine, 0x1e);
    let stored = 0;
    while (key(machine) !== null) stored++;
    expect(stored).toBe(15);
  });
});

describe('INT 15h and INT 1Ah', () => {
  it('lists memory by E820h', () => {
    const machine = booted({ memoryBytes: 64 * mib });
    let usable = 0;
    let continuation = 0;
    do {
      Object.assign(machine.registers, { eax: 0xe820, ebx: continuation, ecx: 20, edx: 0x534d4150, es: 0, di: 0x3000 });
      machine.call(services.system);
      expect([machine.frameFlags & 1, machine.registers.eax]).toEqual([0, 0x534d4150]);
      if (machine.memory.read32(0x3010) === 1) usable += machine.memory.read32(0x3008);
      continuation = machine.registers.ebx;
    } while (continuation !== 0);
    expect(usable).toBe(63 * mib + 639 * 1024);
    machine.registers.ax = 0xe801;
    machine.call(services.system);
    expect([machine.registers.ax, machine.registers.bx]).toEqual([15 * 1024, 48 * 16]);
  });

  it('moves blocks above 1 MiB', () => {
    const machine = booted();
    machine.memory.bytes.set([1, 2, 3, 4], 0x5000);
    machine.memory.bytes.set([0xff, 0xff, 0x00, 0x50, 0x00, 0x93, 0, 0], 0x3010);
    machine.memory.bytes.set([0xff, 0xff, 0x00, 0x00, 0x20, 0x93, 0, 0], 0x3018);
    Object.assign(machine.registers, { ax: 0x8700, cx: 2, es: 0, si: 0x3000 });
    machine.call(services.system);
    expect([...machine.memory.bytes.subarray(0x200000, 0x200004)]).toEqual([1, 2, 3, 4]);
  });

  it('waits by guest time', () => {
    const machine = booted();
    Object.assign(machine.registers, { ax: 0x8600, cx: 1, dx: 0 });
    machine.call(services.system);
    expect([machine.carry, machine.zero]).toEqual([true, true]);
    machine.now = 65_536_000;
    machine.call(services.system);
    expect(machine.carry).toBe(false);
  });

  it('finds PCI functions and refuses unaligned registers', () => {
    const machine = booted();
    machine.addPci(0x08, 0x8086, 0x7000);
    machine.addPci(0x09, 0x8086, 0x7010);
    Object.assign(machine.registers, { ax: 0xb102, cx: 0x7010, dx: 0x8086, si: 0 });
    machine.call(services.time);
    expect([machine.registers.ah, machine.registers.bx]).toEqual([0, 9]);
    Object.assign(machine.registers, { ax: 0xb10a, bx: 9, di: 0 });
    machine.call(services.time);
    expect(machine.registers.ecx).toBe(0x70108086);
    Object.assign(machine.registers, { ax: 0xb10a, bx: 9, di: 2 });
    machine.call(services.time);
    expect([machine.registers.ah, machine.frameFlags & 1]).toEqual([0x87, 1]);
  });
});

it('saves and restores, and refuses damaged state', () => {
  const machine = booted({ bay: { disks: [], cdrom: new MemoryStore(isoImage(2)), floppy: null } });
  machine.call(services.boot);
  const saved = machine.bios.state.save();
  const other = new FakeMachine();
  other.bios.state.restore(JSON.parse(JSON.stringify(saved)), 1);
  expect(other.bios.state.save()).toEqual(saved);
  expect(() => other.bios.state.restore({ emulation: 3 }, 1)).toThrow(/damaged/);
  expect(() => other.bios.state.restore(saved, 2)).toThrow(/version/);
});
