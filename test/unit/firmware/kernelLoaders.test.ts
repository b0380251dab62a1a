import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KernelImageError } from '../../../core/firmware/kernel/kernelPlan.ts';
import type { KernelPlan } from '../../../core/firmware/kernel/kernelPlan.ts';
import { loadKernel } from '../../../core/firmware/kernel/loadKernel.ts';
import type { KernelFiles } from '../../../core/firmware/kernel/loadKernel.ts';

const mib = 0x10_0000;

function bzImage(change: (view: DataView, bytes: Uint8Array) => void = () => {}, bodyBytes = 4096): Uint8Array {
  const bytes = new Uint8Array(5 * 512 + bodyBytes);
  const view = new DataView(bytes.buffer);
  bytes[0x1f1] = 4;
  view.setUint32(0x1f4, bodyBytes / 16, true);
  view.setUint16(0x1fe, 0xaa55, true);
  bytes.set([0xeb, 0x66], 0x200);
  view.setUint32(0x202, 0x53726448, true);
  view.setUint16(0x206, 0x20f, true);
  bytes[0x211] = 1;
  view.setUint32(0x214, mib, true);
  view.setUint32(0x22c, 0x7fffffff, true);
  bytes[0x234] = 1;
  view.setUint32(0x238, 2047, true);
  view.setUint32(0x258, 16 * mib, true);
  view.setUint32(0x260, 2 * mib, true);
  bytes.fill(0x90, 5 * 512);
  change(view, bytes);
  return bytes;
}

function elfKernel(change: (view: DataView) => void = () => {}): Uint8Array {
  const bytes = new Uint8Array(0x1100);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x7f454c46);
  bytes.set([1, 1, 1], 4);
  view.setUint16(18, 3, true);
  view.setUint32(24, 0xc0100010, true);
  view.setUint32(28, 52, true);
  view.setUint16(42, 32, true);
  view.setUint16(44, 1, true);
  [1, 0x1000, 0xc0100000, mib, 0x100, 0x3000].forEach((value, index) => view.setUint32(52 + index * 4, value, true));
  [0x1badb002, 3, -(0x1badb002 + 3)].forEach((value, index) => view.setUint32(0x1000 + index * 4, value, true));
  change(view);
  return bytes;
}

function kludgeKernel(loadEnd: number): Uint8Array {
  const bytes = new Uint8Array(256);
  const view = new DataView(bytes.buffer);
  const flags = 0x10000;
  [0x1badb002, flags, -(0x1badb002 + flags), mib + 16, mib, loadEnd, mib + 0x200, mib + 64].forEach((value, index) =>
    view.setUint32(16 + index * 4, value, true),
  );
  return bytes;
}

/** Multiboot2: header with `tags` (type, flags, contents) behind 16 zero bytes, loaded by address tag unless `tags` are all. */
function multiboot2Kernel(tags: readonly (readonly [number, number, readonly number[]])[]): Uint8Array {
  const bytes = new Uint8Array(512);
  const view = new DataView(bytes.buffer);
  let at = 32;
  for (const [type, flags, contents] of [...tags, [0, 0, []] as const]) {
    view.setUint16(at, type, true);
    view.setUint16(at + 2, flags, true);
    view.setUint32(at + 4, 8 + contents.length * 4, true);
    contents.forEach((value, index) => view.setUint32(at + 8 + index * 4, value, true));
    at = (at + 8 + contents.length * 4 + 7) & ~7;
  }
  const length = at - 16;
  [0xe85250d6, 0, length, -(0xe85250d6 + length)].forEach((value, index) => view.setUint32(16 + index * 4, value, true));
  return bytes;
}
const placed: readonly (readonly [number, number, readonly number[]])[] = [
  [2, 0, [mib + 16, mib, 0, mib + 0x1000]], [3, 0, [mib + 0x100]],
];

/** A 64-bit ELF kernel with a PVH note. */
function pvhKernel(change: (view: DataView) => void = () => {}): Uint8Array {
  const bytes = new Uint8Array(0x1100);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x7f454c46);
  bytes.set([2, 1, 1], 4);
  view.setUint16(18, 62, true);
  view.setUint32(24, mib, true);
  view.setUint32(32, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 2, true);
  const segment = (at: number, type: number, fields: readonly number[]): void => {
    view.setUint32(at, type, true);
    fields.forEach((value, index) => view.setUint32(at + 8 + index * 8, value, true));
  };
  segment(64, 1, [0x1000, mib, mib, 0x100, 0x3000]);
  segment(120, 4, [0x800, 0, 0, 20, 20]);
  [4, 4, 18, 0x006e6558, mib + 0x40].forEach((value, index) => view.setUint32(0x800 + index * 4, value, true));
  change(view);
  return bytes;
}

const files = (kernel: Uint8Array, rest: Partial<KernelFiles> = {}): KernelFiles => ({
  kernel,
  initrd: null,
  modules: [],
  commandLine: 'console=ttyS0',
  memoryBytes: 64 * mib,
  longMode: false,
  ...rest,
});

/** Memory as the plan leaves it. */
function apply(plan: KernelPlan, memoryBytes = 64 * mib): DataView {
  const memory = new Uint8Array(memoryBytes);
  for (const { address, bytes } of plan.writes) memory.set(bytes, address);
  return new DataView(memory.buffer);
}

const text = (memory: DataView, address: number): string => {
  let result = '';
  while (memory.getUint8(address) !== 0) result += String.fromCharCode(memory.getUint8(address++));
  return result;
};

describe('Linux', () => {
  it('starts at code32_start with flat segments and the zero page in ESI', () => {
    const plan = loadKernel(files(bzImage()));
    const memory = apply(plan);
    expect(plan.cpu).toMatchObject({ eip: mib, eflags: 2, cr0: 0x11, ebx: 0, ebp: 0, edi: 0 });
    expect(plan.cpu.cs).toMatchObject({ selector: 0x10, base: 0, limit: 0xffffffff });
    expect(plan.cpu.data.selector).toBe(0x18);
    expect(memory.getUint8(mib)).toBe(0x90);
    const page = plan.cpu.esi;
    expect(memory.getUint32(page + 0x202, true)).toBe(0x53726448);
    expect(memory.getUint8(page + 0x210)).toBe(0xff);
    expect(text(memory, memory.getUint32(page + 0x228, true))).toBe('console=ttyS0');
    expect([memory.getUint8(page + 7), memory.getUint8(page + 14), memory.getUint8(page + 15)]).toEqual([80, 25, 1]);
    const gdt = plan.cpu.gdtr.base;
    expect(memory.getBigUint64(gdt + 0x10, true)).toBe(0x00cf9b000000ffffn);
    expect(memory.getBigUint64(gdt + 0x18, true)).toBe(0x00cf93000000ffffn);
  });

  it('starts in 64-bit mode where kernel and processor know it', () => {
    const kernel = bzImage((view) => view.setUint16(0x236, 1, true));
    expect(loadKernel(files(kernel)).cpu).toMatchObject({ eip: mib, pageTables: null });
    expect(loadKernel(files(bzImage(), { longMode: true })).cpu.pageTables).toBe(null);
    const older = bzImage((view) => (view.setUint16(0x236, 1, true), view.setUint16(0x206, 0x20b, true)));
    expect(loadKernel(files(older, { longMode: true })).cpu.pageTables).toBe(null);
    const plan = loadKernel(files(kernel, { longMode: true }));
    const memory = apply(plan);
    expect(plan.cpu).toMatchObject({ eip: mib + 0x200, cr0: 0x80000011 });
    expect(plan.cpu.cs.access).toBe(0xa9b);
    expect(memory.getBigUint64(plan.cpu.gdtr.base + 0x10, true)).toBe(0x00af9b000000ffffn);
    // Walks the tables for addresses in each GiB.
    for (const address of [0, 0x1234567, 0x40000000, 0x9abcdef0, 0xffffffff]) {
      let table = plan.cpu.pageTables!;
      for (const shift of [39, 30]) table = memory.getUint32(table + Math.floor(address / 2 ** shift) % 512 * 8, true) & ~0xfff;
      const entry = memory.getUint32(table + Math.floor(address / 2 ** 21) % 512 * 8, true);
      expect([(entry & 0xffe00000) >>> 0, entry & 0x1fffff]).toEqual([Math.floor(address / 2 ** 21) * 2 ** 21, 0x83]);
    }
  });

  it('reports all RAM in the E820 table and none twice', () => {
    const plan = loadKernel(files(bzImage()));
    const memory = apply(plan);
    const page = plan.cpu.esi;
    let usable = 0;
    let end = 0;
    for (let index = 0; index < memory.getUint8(page + 0x1e8); index++) {
      const at = page + 0x2d0 + index * 20;
      const base = Number(memory.getBigUint64(at, true));
      expect(base).toBeGreaterThanOrEqual(end);
      end = base + Number(memory.getBigUint64(at + 8, true));
      if (memory.getUint32(at + 16, true) === 1) usable += end - base;
    }
    expect(usable).toBe(63 * mib + 639 * 1024);
  });

  it('places the initrd as high as the kernel allows', () => {
    const initrd = new Uint8Array(5000).fill(7);
    const plan = loadKernel(files(bzImage(), { initrd }));
    const memory = apply(plan);
    expect(memory.getUint32(plan.cpu.esi + 0x218, true)).toBe(64 * mib - 0x2000);
    expect(memory.getUint32(plan.cpu.esi + 0x21c, true)).toBe(5000);
    expect(memory.getUint8(64 * mib - 0x2000 + 4999)).toBe(7);
    const limited = bzImage((view) => view.setUint32(0x22c, 32 * mib - 1, true));
    const below = loadKernel(files(limited, { initrd }));
    expect(apply(below).getUint32(below.cpu.esi + 0x218, true)).toBe(32 * mib - 0x2000);
  });

  it.each<[string, Partial<KernelFiles> & { kernel: Uint8Array }, RegExp]>([
    ['empty', { kernel: new Uint8Array(0) }, /empty/],
    ['cut in the header', { kernel: bzImage().subarray(0, 0x230) }, /truncated/],
    ['cut in the body', { kernel: bzImage().subarray(0, 3000) }, /truncated: 6656 bytes expected, 3000 found/],
    ['too old', { kernel: bzImage((view) => view.setUint16(0x206, 0x203, true)) }, /2\.03; 2\.06/],
    ['zImage', { kernel: bzImage((_view, bytes) => (bytes[0x211] = 0)) }, /zImage/],
    ['low load address', { kernel: bzImage((view) => view.setUint32(0x214, 0x1000, true)) }, /below 1 MiB/],
    ['too little memory', { kernel: bzImage(), memoryBytes: 2 * mib }, /needs memory up to 18 MiB/],
    ['initrd too large', { kernel: bzImage(), initrd: new Uint8Array(62 * mib) }, /does not fit/],
    ['long command line', { kernel: bzImage(), commandLine: 'x'.repeat(3000) }, /3000 characters/],
    ['modules', { kernel: bzImage(), modules: [{ bytes: new Uint8Array(1), commandLine: 'a' }] }, /initrd/],
    ['no boot flag', { kernel: bzImage((view) => view.setUint16(0x1fe, 0, true)) }, /not a Linux bzImage/],
  ])('refuses: %s', (_name, { kernel, ...rest }, message) => {
    expect(() => loadKernel(files(kernel, rest))).toThrow(message);
  });
});

describe('Multiboot', () => {
  it('loads ELF segments at physical addresses and describes the machine', () => {
    const modules = [
      { bytes: new Uint8Array(10).fill(1), commandLine: 'one' },
      { bytes: new Uint8Array(4097).fill(2), commandLine: 'two x=y' },
    ];
    const plan = loadKernel(files(elfKernel(), { modules, commandLine: 'kernel debug' }));
    const memory = apply(plan);
    expect(plan.cpu.eax >>> 0).toBe(0x2badb002);
    expect(plan.cpu.eip).toBe(mib + 0x10);
    expect(memory.getUint32(mib, true)).toBe(0x1badb002);
    const information = plan.cpu.ebx;
    expect(memory.getUint32(information, true) & 0x24d).toBe(0x24d);
    expect(memory.getUint32(information + 8, true)).toBe(63 * 1024);
    expect(text(memory, memory.getUint32(information + 16, true))).toBe('kernel debug');
    expect(text(memory, memory.getUint32(information + 64, true))).toBe('Trapeze');
    expect(memory.getUint32(information + 20, true)).toBe(2);
    const second = memory.getUint32(information + 24, true) + 16;
    const start = memory.getUint32(second, true);
    expect(start % 4096).toBe(0);
    expect(start).toBeGreaterThanOrEqual(mib + 0x3000);
    expect(memory.getUint32(second + 4, true) - start).toBe(4097);
    expect(memory.getUint8(start + 4096)).toBe(2);
    expect(text(memory, memory.getUint32(second + 8, true))).toBe('two x=y');
    expect(memory.getUint32(memory.getUint32(information + 48, true), true)).toBe(20);
  });

  it('loads by the a.out kludge', () => {
    const plan = loadKernel(files(kludgeKernel(mib + 0x80)));
    const memory = apply(plan);
    expect(plan.cpu.eip).toBe(mib + 64);
    expect(memory.getUint32(mib + 16, true)).toBe(0x1badb002);
    const blank = plan.writes.find((write) => write.address === mib + 0x80);
    expect(blank?.bytes.length).toBe(0x180);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['neither kind', new Uint8Array(9000), /neither/],
    ['truncated kludge', kludgeKernel(mib + 0x1000), /truncated: 4096/],
    ['segment outside the file', elfKernel((view) => view.setUint32(52 + 16, 0x200, true)), /segment 0/],
    ['table outside the file', elfKernel((view) => view.setUint32(28, 0xfffffff0, true)), /program headers/],
    ['64-bit ELF', elfKernel((view) => view.setUint8(4, 2)), /32-bit/],
    ['segment over the ROM', elfKernel((view) => view.setUint32(52 + 12, 0xf0000, true)), /no free memory/],
    ['segment above RAM', elfKernel((view) => view.setUint32(52 + 12, 0xf0000000, true)), /no free memory/],
    ['no segment', elfKernel((view) => view.setUint32(52, 2, true)), /no loadable/],
    [
      'unknown requirement',
      elfKernel((view) => {
        view.setUint32(0x1004, 0x83, true);
        view.setUint32(0x1008, -(0x1badb002 + 0x83), true);
      }),
      /requires/,
    ],
  ])('refuses: %s', (_name, kernel, message) => {
    expect(() => loadKernel(files(kernel))).toThrow(message);
  });
});

describe('Multiboot 2', () => {
  it('loads by address tags, with the information on 8-byte boundaries', () => {
    const plan = loadKernel(files(multiboot2Kernel(placed), { modules: [{ bytes: new Uint8Array(3), commandLine: 'm' }] }));
    const memory = apply(plan);
    expect(plan.description).toBe('Multiboot2 kernel');
    expect([plan.cpu.eax >>> 0, plan.cpu.eip]).toEqual([0x36d76289, mib + 0x100]);
    expect(memory.getUint32(mib + 16, true)).toBe(0xe85250d6);
    const seen: number[] = [];
    const end = plan.cpu.ebx + memory.getUint32(plan.cpu.ebx, true);
    let at = plan.cpu.ebx + 8;
    while (at < end) {
      expect(at % 8).toBe(0);
      seen.push(memory.getUint32(at, true));
      at = (at + memory.getUint32(at + 4, true) + 7) & ~7;
    }
    expect(seen).toEqual([1, 2, 3, 4, 6, 8, 14, 21, 0]);
    expect(at).toBe(end);
  });

  it('takes an optional feature that is not there, and FFFFFFFFh for the beginning of the file', () => {
    const plan = loadKernel(files(multiboot2Kernel([[99, 1, []], [1, 1, [77]], [2, 0, [mib + 16, 0xffffffff, 0, 0]], [3, 0, [mib]]])));
    expect(apply(plan).getUint32(mib + 16, true)).toBe(0xe85250d6);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['a required feature', multiboot2Kernel([[99, 0, []], ...placed]), /header tag 99/],
    ['required information', multiboot2Kernel([[1, 0, [1, 12, 77]], ...placed]), /type 12, 77/],
    ['no addresses and no ELF', multiboot2Kernel([]), /neither an ELF file/],
    ['no entry', multiboot2Kernel([placed[0]!]), /no entry address/],
    ['a short tag', multiboot2Kernel([[2, 0, [1]], ...placed]), /tag 2 has 12 bytes/],
    ['load address behind the header', multiboot2Kernel([[2, 0, [mib, mib + 64, 0, 0]], [3, 0, [mib]]]), /after the header/],
    ['load end outside the file', multiboot2Kernel([[2, 0, [mib + 16, mib, mib + 0x1000, 0]], [3, 0, [mib]]]), /truncated: 4096/],
    ['address above RAM', multiboot2Kernel([[2, 0, [0xf0000010, 0xf0000000, 0, 0]], [3, 0, [mib]]]), /no free memory/],
  ])('refuses: %s', (_name, kernel, message) => {
    expect(() => loadKernel(files(kernel))).toThrow(message);
  });

  it('refuses other architectures, a missing end and an initrd', () => {
    const mips = multiboot2Kernel(placed);
    const view = new DataView(mips.buffer);
    view.setUint32(20, 4, true);
    view.setInt32(28, view.getInt32(28, true) - 4, true);
    expect(() => loadKernel(files(mips))).toThrow(/another processor/);
    const endless = multiboot2Kernel(placed);
    const other = new DataView(endless.buffer);
    other.setUint32(24, other.getUint32(24, true) - 8, true);
    other.setInt32(28, other.getInt32(28, true) + 8, true);
    expect(() => loadKernel(files(endless))).toThrow(/end tag is missing/);
    expect(() => loadKernel(files(multiboot2Kernel(placed), { initrd: new Uint8Array(1) }))).toThrow(/not an initrd/);
  });
});

describe('PVH', () => {
  it('starts at the entry of the note with the start information in EBX', () => {
    const plan = loadKernel(files(pvhKernel(), { initrd: new Uint8Array(10), commandLine: 'a b' }));
    const memory = apply(plan);
    expect(plan.cpu).toMatchObject({ eip: mib + 0x40, cr0: 0x11, pageTables: null });
    const info = plan.cpu.ebx;
    expect([memory.getUint32(info, true), memory.getUint32(info + 4, true), memory.getUint32(info + 12, true)]).toEqual([0x336ec578, 1, 1]);
    expect(text(memory, memory.getUint32(info + 24, true))).toBe('a b');
    expect(memory.getUint32(memory.getUint32(info + 16, true) + 8, true)).toBe(10);
  });

  it('is not what has no note', () => {
    expect(() => loadKernel(files(pvhKernel((view) => view.setUint32(0x808, 17, true))))).toThrow(/neither/);
    expect(() => loadKernel(files(pvhKernel((view) => view.setUint32(0x80c, 0, true))))).toThrow(/neither/);
  });
});

it('answers any damaged image with a plan inside RAM or a KernelImageError', () => {
  const originals = [bzImage(), elfKernel(), kludgeKernel(mib + 0x80), multiboot2Kernel(placed), pvhKernel()];
  fc.assert(
    fc.property(
      fc.constantFrom(...originals),
      fc.array(fc.tuple(fc.nat(0x1100), fc.nat(255)), { maxLength: 12 }),
      fc.nat(0x1400),
      (original, damage, length) => {
        const kernel = Uint8Array.from(original.subarray(0, length));
        for (const [at, value] of damage) if (at < kernel.length) kernel[at] = value;
        let plan: KernelPlan;
        try {
          plan = loadKernel(files(kernel));
        } catch (error) {
          expect(error).toBeInstanceOf(KernelImageError);
          return;
        }
        for (const { address, bytes } of plan.writes) expect(address + bytes.length).toBeLessThanOrEqual(64 * mib);
      },
    ),
    { numRuns: 500 },
  );
});
