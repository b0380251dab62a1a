// Small real programs for the tests, built by gcc and nasm, and what binutils say of them.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const C_SOURCE = `
static volatile int counter;
int table[40];
__attribute__((noinline)) static int inner(int a, int b) {
  counter += a;
  return a * b + counter;
}
__attribute__((noinline)) int middle(int n, int *out) {
  int sum = 0;
  for (int i = 0; i < n; i++) {
    sum += inner(i, n);
    out[i] = sum;
  }
  return sum;
}
__attribute__((noinline)) int outer(int n) {
  int values[8];
  int result = middle(n & 7, values);
  return result + values[n & 7];
}
void _start(void) {
  for (;;)
    table[counter & 7] = outer(counter);
}
`;

const ASSEMBLY_SOURCE = `
bits 32
section .text
global _start
CONSTANT equ 1234h
_start:
  mov ebx, 5
.again:
  call work
  dec ebx
  jnz .again
  hlt
work:
  push ebp
  mov ebp, esp
  mov eax, [message]
  leave
  ret
section .data
message: dd 12345678h
`;

export interface Program {
  readonly path: string;
  readonly bytes: Uint8Array;
}

export class ProgramFolder {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'trapeze-symbols-'));

  constructor() {
    writeFileSync(path.join(this.folder, 'program.c'), C_SOURCE);
    writeFileSync(path.join(this.folder, 'program.asm'), ASSEMBLY_SOURCE);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  run(tool: string, ...args: string[]): string {
    return execFileSync(tool, args, { cwd: this.folder, encoding: 'utf8', maxBuffer: 1 << 26 });
  }

  #read(name: string): Program {
    const file = path.join(this.folder, name);
    return { path: file, bytes: new Uint8Array(readFileSync(file)) };
  }

  compile(name: string, ...options: string[]): Program {
    this.run('gcc', '-ffreestanding', '-nostdlib', '-static', '-fno-pie', '-no-pie', '-fno-stack-protector', '-Wl,-Ttext=0x100000', '-Wl,--build-id=none', ...options, '-o', name, 'program.c');
    return this.#read(name);
  }

  object(name: string, ...options: string[]): Program {
    this.run('gcc', '-ffreestanding', '-fno-pie', '-c', ...options, '-o', name, 'program.c');
    return this.#read(name);
  }

  assemble(name: string): Program {
    this.run('nasm', '-f', 'elf32', '-g', '-F', 'dwarf', '-o', `${name}.o`, 'program.asm');
    this.run('ld', '-m', 'elf_i386', '-Ttext=0x8000', '-Tdata=0xa000', '-o', name, `${name}.o`);
    return this.#read(name);
  }
}
