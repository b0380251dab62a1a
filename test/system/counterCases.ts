// Performance counters, machine-check registers and IA32_DEBUGCTL (SDM 3B 15.3, 17.4.1, 19.2, 19.6.3).
import type { SystemCase } from './systemCase.ts';

const write = (index: number, low: number, high = 0): string => `
      mov ecx, ${index}
      mov eax, ${low >>> 0}
      mov edx, ${high}
      wrmsr`;
const refuses = (index: number, low: number, high = 0): string => `
      mov ecx, ${index}
      mov eax, ${low >>> 0}
      mov edx, ${high}
      faults wrmsr`;
const logRegister = (index: number): string => `
      mov ecx, ${index}
      rdmsr
      logs eax
      logs edx`;
const counter = (index: number): string => `
      mov ecx, ${index}
      rdpmc
      logs eax
      logs edx`;

const PMC = 0xc1, SELECT = 0x186, FIXED = 0x309, FIXED_CONTROL = 0x38d, STATUS = 0x38e, CONTROL = 0x38f, CLEAR = 0x390;
const OS = 0x20000, USR = 0x10000, INT = 0x100000, EN = 0x400000;
const RETIRED = 0xc0, CYCLES = 0x3c;

export const counterCases: readonly SystemCase[] = [
  {
    // The first select's EN is that of both counters; high bits follow bit 31 of what is written.
    name: 'P6 performance counters count instructions and cycles, and nothing else',
    text: `test:${write(PMC + 1, 0x80000000, 0x12)}${write(SELECT + 1, OS | 0x79)}${write(SELECT, OS | EN | RETIRED)}
      nop
      nop
      mov ecx, 0
      rdpmc
      mov ebx, eax${write(SELECT, 0)}
      logs ebx${counter(1)}${write(SELECT + 1, OS | CYCLES)}${write(SELECT, EN | USR | RETIRED)}
      nop${write(SELECT, 0)}${logRegister(PMC)}${counter(1)}${refuses(0x38f, 0)}
      finish`,
    // WRMSR itself, two NOPs, MOV; up to the second WRMSR: RDPMC, four MOVs.
    log: [4, 0x80000009, 0xff, 9, 0, 0x80000009, 0xff, 13, 0],
  },
  {
    name: 'RDPMC: the index, and user mode by CR4.PCE',
    text: `test:
      mov ecx, 2
      faults rdpmc
      mov ecx, 0x40000000
      faults rdpmc
      resume_at second
      mov dword [origin], user
      ring3 user, 2
    user:
      mov ecx, 0
      rdpmc
    second:
      mov eax, cr4
      or eax, 0x100
      mov cr4, eax
      resume_at third
      ring3 allowed, 2
    allowed:
      mov ecx, 1
      rdpmc
      mov ebx, eax
      hlt
    third:
      logs ebx
      finish`,
    log: [13, 0, 13, 0, 13, 0, 13, 0, 0],
  },
  {
    name: 'architectural performance monitoring: what CPUID tells, and reserved bits',
    model: 'x86-64-v2',
    text: `test:
      mov eax, 10
      cpuid
      logs eax
      logs ebx
      logs edx${logRegister(CONTROL)}${refuses(CONTROL, 0x10)}${refuses(CONTROL, 0, 8)}${refuses(SELECT, 0x200000)}${refuses(SELECT, 0, 1)}${refuses(FIXED_CONTROL, 4)}${refuses(STATUS, 0)}${refuses(FIXED, 0, 0x10000)}${write(FIXED, 5, 0xffff)}${logRegister(FIXED)}${refuses(SELECT + 4, 0)}${logRegister(CLEAR)}
      finish`,
    log: [
      0x07300402, 0x78, 0x603, 15, 0, 13, 0, 13, 0, 13, 0, 13, 0, 13, 0, 13, 0, 13, 0, 5, 0xffff, 13, 0, 0, 0,
    ],
  },
  {
    name: 'counters of the kernel, of user mode and of both add up',
    model: 'core2',
    text: `test:${write(CONTROL, 0)}${write(SELECT, OS | EN | RETIRED)}${write(SELECT + 1, USR | EN | RETIRED)}${write(FIXED_CONTROL, 0x333)}${write(PMC, 0)}${write(PMC + 1, 0)}${write(FIXED, 0)}
      resume_at back
      mov ecx, ${CONTROL}
      mov eax, 3
      mov edx, 7
      push dword DATA3
      push dword STACK3
      push dword 2
      push dword CODE3
      push dword user
      wrmsr
      iretd
    user:
      nop
      nop
      int 0x36
      nop
      hlt
    back:${write(CONTROL, 0, 0)}
      mov ecx, ${PMC}
      rdmsr
      mov ebx, eax
      inc ecx
      rdmsr
      add ebx, eax
      logs eax
      mov ecx, ${FIXED}
      rdmsr
      sub eax, ebx
      logs eax
      mov ecx, 0x40000001
      rdpmc
      mov ebx, eax
      mov ecx, 0x40000002
      rdpmc
      sub eax, ebx
      logs eax
      finish`,
    // IRETD to user mode counts there, INT with its handler: IRETD, NOP, NOP, IRETD, NOP.
    log: [13, 0, 5, 0, 0],
  },
  {
    name: 'a counter that overflows says so and interrupts, if it may',
    model: 'x86-64-v2',
    text: `test:${write(CONTROL, 0)}${write(SELECT, OS | EN | INT | RETIRED)}${write(PMC, -10)}${write(SELECT + 1, OS | EN | CYCLES)}${write(PMC + 1, -20)}
      sti${write(CONTROL, 3)}
      mov ecx, 100
    again:
      loop again${logRegister(STATUS)}${write(CLEAR, 1)}${logRegister(STATUS)}${write(CLEAR, 2)}${logRegister(STATUS)}
      finish`,
    log: [0x30, 3, 0, 2, 0, 0, 0],
  },
  {
    name: 'IA32_DEBUGCTL keeps BTF alone; reserved bits fault',
    text: `test:${write(0x1d9, 1)}${logRegister(0x1d9)}${write(0x1d9, 3)}${logRegister(0x1d9)}${refuses(0x1d9, 0x10000)}${refuses(0x1d9, 0, 1)}
      finish`,
    log: [0, 0, 2, 0, 13, 0, 13, 0],
  },
  {
    name: 'machine-check registers: four banks that report nothing',
    model: 'core2',
    text: `test:${logRegister(0x179)}
      mov ecx, 0x17b
      faults rdmsr${write(0x17a, 7)}${logRegister(0x17a)}${refuses(0x17a, 8)}${write(0x400, -1, -1)}${logRegister(0x400)}${write(0x401, 0)}${refuses(0x401, 1)}${refuses(0x402, 1)}${refuses(0x403, 0, 1)}${logRegister(0x40d)}
      mov ecx, 0x410
      faults rdmsr
      mov eax, cr4
      or eax, 0x40
      mov cr4, eax
      mov eax, cr4
      and eax, 0x40
      call log
      finish`,
    log: [4, 0, 13, 0, 7, 0, 13, 0, 0xffffffff, 0xffffffff, 13, 0, 13, 0, 13, 0, 0, 0, 13, 0, 0x40],
  },
  {
    name: 'the Core 2 records its last four branches, until a debug exception',
    model: 'core2',
    text: `test:${logRegister(0x1c9)}${write(0x1d9, 1)}
      jmp first
    first:
      xor ecx, ecx
      jnz first
    second:
      jz third
      nop
    third:
      call fourth
    fourth:
      pop eax
      mov ecx, 2
    last:
      loop last
      mov ecx, 0x1d9
      rdmsr
      mov ebx, eax
      xor eax, eax
      wrmsr
      logs ebx${logRegister(0x1c9)}
      mov ecx, 0x40
      mov esi, 4
    next:
      rdmsr
      sub eax, first
      call log
      add ecx, 0x20
      rdmsr
      sub eax, first
      call log
      sub ecx, 0x1f
      dec esi
      jnz next${refuses(0x1c9, 0)}${write(0x1d9, 1)}
      set_gate 1, debug, 0x8e
      db 0xf1
      finish
    debug:${logRegister(0x1d9)}
      iretd`,
    // JMP at 1, JZ, CALL and the newest, LOOP, at 0.
    log: [0, 0, 1, 0, 0, 0x12, 0x12, -2, 0, 4, 7, 7, 0xc, 13, 0, 0, 0].map((value) => value >>> 0),
  },
];
