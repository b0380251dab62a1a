import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { buildFacs } from '../../../core/firmware/acpi/facs.ts';
import { trapPort } from '../../../core/firmware/board.ts';
import { services } from '../../../core/firmware/bios/services.ts';
import { buildRom } from '../../../core/firmware/rom/buildRom.ts';
import { romFonts } from '../../../core/firmware/rom/romLayout.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const rom = buildRom({
  memoryBytes: 256 * 0x100000,
  disks: [{ cylinders: 100, heads: 16, sectors: 63 }],
  cpuName: 'pentium3',
  apic: true,
  signature: 0x673,
  features: 0x387fbff,
});
const view = new DataView(rom.buffer);
const sum = (from: number, length: number): number => rom.subarray(from, from + length).reduce((a, b) => a + b, 0) & 0xff;
const ascii = (from: number, length: number): string => String.fromCharCode(...rom.subarray(from, from + length));
const has = (tool: string): boolean => spawnSync(tool, ['-v']).error === undefined;

describe('ROM', () => {
  it('starts at the reset vector with a far jump to POST', () => {
    expect([...rom.subarray(0xfff0, 0xfff5)]).toEqual([0xea, 0x5b, 0xe0, 0x00, 0xf0]);
    expect(rom[0xfffe]).toBe(0xfc);
  });

  it('keeps the compatible entry points as code, not padding', () => {
    for (const entry of [0xe05b, 0xe2c3, 0xe3fe, 0xe6f2, 0xe739, 0xe82e, 0xe987, 0xec59, 0xef57, 0xefd2, 0xf065, 0xf841, 0xf84d, 0xf859, 0xfe6e, 0xfea5, 0xff53, 0xff54]) {
      expect(rom[entry], entry.toString(16)).not.toBe(0);
    }
  });

  it('has exactly one stub for each service, by the same numbers as the assembly source', () => {
    const seen: number[] = [];
    for (let at = 0xe000; at < 0x10000 - 5; at++) {
      if (rom[at] === 0xe6 && rom[at + 1] === trapPort && rom[at + 2] === 0xeb && rom[at + 3] === 1) seen.push(rom[at + 4]);
    }
    expect(seen.sort((a, b) => a - b)).toEqual(Object.values(services).sort((a, b) => a - b));
    const source = readFileSync(path.join(root, 'assets/firmware/bios.asm'), 'utf8');
    const named = [...source.matchAll(/^SERVICE_(\w+)\s+equ ([0-9A-F]+)h/gm)].map(([, name, value]) => [name.toLowerCase(), parseInt(value, 16)]);
    expect(Object.fromEntries(named)).toEqual(services);
  });

  it('points the first 32 vectors at code in the ROM', () => {
    for (let index = 0; index < 0x1d; index++) expect(view.getUint16(0xfef3 + index * 2, true)).toBeGreaterThanOrEqual(0xe05b);
  });

  it('matches its sources', ({ skip }) => {
    if (!has('nasm')) skip('nasm is not installed');
    execFileSync(process.execPath, ['scripts/assembleAssets.mjs', '--check'], { cwd: root, stdio: 'pipe' });
  });
});

describe('fonts', () => {
  it('draw every character but the blank ones', () => {
    const blanks = [0x00, 0x20, 0xff];
    for (const [base, height] of [[romFonts.font16, 16], [romFonts.font14, 14], [romFonts.font8, 8]]) {
      const shapes = new Set<string>();
      for (let code = 0; code < 256; code++) {
        const glyph = rom.subarray(base + code * height, base + (code + 1) * height);
        expect(glyph.every((row) => row === 0), `${code.toString(16)} at height ${height}`).toBe(blanks.includes(code));
        shapes.add(glyph.join());
      }
      expect(shapes.size).toBeGreaterThan(height === 8 ? 225 : 245);
    }
  });

  it('joins line drawing at the cell borders', () => {
    const glyph = (code: number): Uint8Array => rom.subarray(romFonts.font16 + code * 16, romFonts.font16 + code * 16 + 16);
    expect(glyph(0xb3).every((row) => row === 0x18)).toBe(true);
    expect([...glyph(0xc4)].filter((row) => row === 0xff).length).toBe(1);
    expect(glyph(0xc5)[7]).toBe(0xff);
    expect(glyph(0xba).every((row) => row === glyph(0xba)[0])).toBe(true);
    expect(glyph(0xce)[0]).toBe(glyph(0xba)[0]);
    expect([...glyph(0xcd)].filter((row) => row === 0xff).length).toBe(2);
  });
});

describe('tables', () => {
  it('SMBIOS: entry point and structure chain are consistent', () => {
    const at = 0x6000;
    expect(ascii(at, 4)).toBe('_SM_');
    expect(sum(at, 31)).toBe(0);
    expect(sum(at + 16, 15)).toBe(0);
    let structure = view.getUint32(at + 24, true) - 0xf0000;
    const end = structure + view.getUint16(at + 22, true);
    let count = 0;
    for (;;) {
      const type = rom[structure];
      let text = structure + rom[structure + 1];
      while (rom[text] !== 0 || rom[text + 1] !== 0) text++;
      structure = text + 2;
      count++;
      if (type === 127) break;
    }
    expect(structure).toBe(end);
    expect(count).toBe(view.getUint16(at + 28, true));
  });

  it('$PIR and _32_ add up to zero', () => {
    expect(ascii(0x7000, 4)).toBe('$PIR');
    expect(sum(0x7000, view.getUint16(0x7006, true))).toBe(0);
    let directory = 0;
    while (ascii(directory, 4) !== '_32_') directory += 16;
    expect(sum(directory, 16)).toBe(0);
    expect(view.getUint32(directory + 4, true) >>> 16).toBe(0xf);
  });

  it('ACPI: RSDP leads to tables with right sums', () => {
    expect(ascii(0, 8)).toBe('RSD PTR ');
    expect(sum(0, 20)).toBe(0);
    const rsdt = view.getUint32(16, true) - 0xf0000;
    expect(ascii(rsdt, 4)).toBe('RSDT');
    const fadt = view.getUint32(rsdt + 36, true) - 0xf0000;
    expect(ascii(fadt, 4)).toBe('FACP');
    const dsdt = view.getUint32(fadt + 40, true) - 0xf0000;
    expect(ascii(dsdt, 4)).toBe('DSDT');
    const [madt, hpet] = [40, 44].map((at) => view.getUint32(rsdt + at, true) - 0xf0000);
    expect(ascii(madt, 4)).toBe('APIC');
    expect(ascii(hpet, 4)).toBe('HPET');
    for (const table of [rsdt, fadt, dsdt, madt, hpet]) expect(sum(table, view.getUint32(table + 4, true))).toBe(0);
    expect(dsdt + view.getUint32(dsdt + 4, true)).toBeLessThan(0x6000);
    expect(view.getUint16(fadt + 46, true)).toBe(9);
    expect([view.getUint32(fadt + 120, true), rom[fadt + 128]]).toEqual([0xcf9, 6]);
  });

  it('MP: the pointer leads to a table with the processor, the buses, the I/O APIC and every interrupt', () => {
    let pointer = 0;
    while (ascii(pointer, 4) !== '_MP_') pointer += 16;
    expect(sum(pointer, 16)).toBe(0);
    const table = view.getUint32(pointer + 4, true) - 0xf0000;
    const length = view.getUint16(table + 4, true);
    expect(ascii(table, 4)).toBe('PCMP');
    expect(sum(table, length)).toBe(0);
    expect(table + length).toBeLessThan(romFonts.font16);
    const kinds: number[] = [];
    let at = table + 44;
    while (at < table + length) {
      kinds.push(rom[at]);
      at += rom[at] === 0 ? 20 : 8;
    }
    expect(at).toBe(table + length);
    expect(kinds.length).toBe(view.getUint16(table + 34, true));
    const counts = [0, 1, 2, 3, 4].map((kind) => kinds.filter((other) => other === kind).length);
    expect(counts).toEqual([1, 2, 1, 16 + 31 * 4, 2]);
  });

  it('has neither APICs nor HPET for a processor without', () => {
    const plain = buildRom({ memoryBytes: 16 << 20, disks: [], cpuName: '486', apic: false, signature: 0x480, features: 1 });
    const text = Buffer.from(plain).toString('latin1');
    for (const name of ['APIC', 'HPET', '_MP_', 'PCMP', 'PICF']) expect(text).not.toContain(name);
  });

  it('ACPI: iasl takes them apart and compiles the result without errors', ({ skip }) => {
    if (!has('iasl')) skip('iasl (acpica-tools) is not installed');
    const folder = mkdtempSync(path.join(tmpdir(), 'trapeze-acpi-'));
    try {
      const fadt = view.getUint32(32 + 36, true) - 0xf0000;
      const dsdt = view.getUint32(fadt + 40, true) - 0xf0000;
      const dump = (name: string, at: number): void =>
        writeFileSync(path.join(folder, name), rom.subarray(at, at + view.getUint32(at + 4, true)));
      dump('facp.dat', fadt);
      dump('dsdt.dat', dsdt);
      writeFileSync(path.join(folder, 'facs.dat'), buildFacs());
      dump('apic.dat', view.getUint32(32 + 40, true) - 0xf0000);
      dump('hpet.dat', view.getUint32(32 + 44, true) - 0xf0000);
      for (const table of ['facp', 'dsdt', 'facs', 'apic', 'hpet']) {
        const text = execFileSync('iasl', ['-d', `${table}.dat`], { cwd: folder, stdio: 'pipe' }).toString();
        expect(text).not.toMatch(/error|warning/i);
      }
      const listing = readFileSync(path.join(folder, 'dsdt.dsl'), 'utf8');
      expect(listing).toMatch(/Name \(PRTP, Package \(0x7C\)[^]*Name \(PRTA, Package \(0x7C\)[^]*Method \(_PRT/);
      expect(listing).toMatch(/Method \(\\?_PIC, 1/);
      expect(listing).toMatch(/EisaId \("PNP0303"\)/);
      const compiled = spawnSync('iasl', ['-vw', '3168', 'dsdt.dsl'], { cwd: folder, encoding: 'utf8' });
      expect(`${compiled.stdout}${compiled.stderr}`).toMatch(/ 0 Errors, 0 Warnings/);
      expect(readFileSync(path.join(folder, 'facp.dsl'), 'utf8')).not.toMatch(/Invalid|Unknown/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
