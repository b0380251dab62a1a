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

const files = (kernel: Uint8Array, rest: Partial<KernelFiles> = {}): KernelFiles => ({
  kernel,
  initrd: null,
  modules: [],
  commandLine: 'console=ttyS0',
  memoryBytes: 64 * mib,
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

it('answers any damaged image with a plan inside RAM or a KernelImageError', () => {
  const originals = [bzImage(), elfKernel(), kludgeKernel(mib + 0x80)];
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
