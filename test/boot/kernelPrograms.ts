// Builds the small kernels of test/boot/programs as ELF files.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface Built {
  readonly path: string;
  readonly folder: string;
  remove(): void;
}

/** `bits`: class of the ELF file; the code is 32-bit either way. */
export function buildKernel(name: string, bits: 32 | 64 = 32): Built {
  const folder = mkdtempSync(path.join(tmpdir(), 'trapeze-kernel-'));
  const sources = path.join(import.meta.dirname, 'programs');
  const object = path.join(folder, 'kernel.o'), file = path.join(folder, 'kernel.elf');
  execFileSync('nasm', [`-felf${bits}`, `-i${sources}/`, '-o', object, path.join(sources, `${name}.asm`)], { stdio: 'pipe' });
  const format = bits === 32 ? 'elf_i386' : 'elf_x86_64';
  execFileSync('ld', ['-m', format, '-n', '-Ttext-segment=0x100000', '-e', 'start', '-o', file, object], { stdio: 'pipe' });
  return { path: file, folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
