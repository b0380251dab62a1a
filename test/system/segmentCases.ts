// Segments, descriptors and limits (SDM 3A chapters 3 and 5).
import type { SystemCase } from './systemCase.ts';

export const segmentCases: readonly SystemCase[] = [
  {
    name: 'null selectors load but cannot be used; SS cannot be null',
    text: `test:
      xor ax, ax
      mov es, ax
      faults mov eax, [es:0]
      xor ax, ax
      mov es, ax
      faults mov [es:0], eax
      xor ax, ax
      faults mov ss, ax
      mov ax, 3
      mov fs, ax
      logs 1
      finish`,
    log: [13, 0, 13, 0, 13, 0, 1],
  },
  {
    name: 'limits of byte granularity, to the byte',
    text: `test:
      mov ax, SMALL
      mov fs, ax
      mov al, [fs:0xfff]
      faults mov al, [fs:0x1000]
      mov ax, [fs:0xffe]
      faults mov ax, [fs:0xfff]
      mov eax, [fs:0xffc]
      faults mov eax, [fs:0xffd]
      faults mov [fs:0xffe], eax
      faults add [fs:0xffe], eax
      faults mov al, [fs:0xffffffff]
      logs 1
      finish`,
    log: [13, 0, 13, 0, 13, 0, 13, 0, 13, 0, 13, 0, 1],
  },
  {
    name: 'expand-down: only above the limit',
    text: `test:
      mov ax, DOWN
      mov fs, ax
      faults mov al, [fs:0xffff]
      faults mov ax, [fs:0xffff]
      faults mov eax, [fs:0]
      mov dword [fs:0x20000], 0x1234
      logs [fs:0x20000]
      logs [0x20000]
      inc dword [fs:0x20000]
      logs [0x20000]
      finish`,
    log: [13, 0, 13, 0, 13, 0, 0x1234, 0x1234, 0x1235],
  },
  {
    name: 'the stack segment faults with #SS',
    text: `test:
      mov ax, SMALL
      mov ss, ax
      mov esp, 0x800
      mov ebp, 0x1000
      faults mov eax, [ebp]
      mov ss, ax
      mov ax, SMALL
      mov ss, ax
      mov esp, 0x800
      mov ebp, 0xffe
      faults mov [ebp], eax
      finish`,
    log: [12, 0, 12, 0],
  },
  {
    name: 'a stack of 64 KiB wraps',
    text: `test:
      mov ax, DATA16
      mov ss, ax
      mov esp, 0x12340000
      push word 0x5678
      mov eax, esp
      mov bx, DATA
      mov ss, bx
      mov esp, STACK
      call log
      movzx eax, word [0xfffe]
      call log
      finish`,
    log: [0x1234fffe, 0x5678],
  },
  {
    name: 'types and privileges of data segments',
    text: `test:
      mov ax, READONLY
      mov fs, ax
      mov eax, [fs:0]
      faults mov [fs:0x20000], eax
      faults xor [fs:0x20000], eax
      mov ax, ABSENT
      faults mov fs, ax
      mov ax, EXECONLY
      faults mov fs, ax
      mov ax, TSS
      faults mov fs, ax
      mov ax, DATA3
      faults mov ss, ax
      mov ax, READONLY
      faults mov ss, ax
      mov ax, ABSENT
      faults mov ss, ax
      mov ax, 0x1000
      faults mov gs, ax
      mov ax, CODE
      mov fs, ax
      mov eax, [fs:0]
      faults mov [fs:0x20000], eax
      resume_at second
      ring3 user, 2
    user:
      mov ax, DATA
      mov ds, ax
    second:
      resume_at third
      ring3 user2, 2
    user2:
      mov ax, CONFORMING
      mov ds, ax
      mov eax, ds
      int 0x80
      hlt
    third:
      finish`,
    log: [
      13, 0, 13, 0, 11, 0x58, 13, 0x80, 13, 0x28, 13, 0x20, 13, 0x50, 12, 0x58, 13, 0x1000, 13, 0, 13, 0x10, 0x60, 13, 0,
    ],
  },
  {
    name: 'loading marks a descriptor accessed',
    text: `test:
      mov ax, SMALL
      mov fs, ax
      movzx eax, byte [gdt + SMALL + 5]
      call log
      finish`,
    log: [0x93],
  },
  {
    name: 'the local table',
    text: `test:
      mov ax, LDTDATA
      faults mov fs, ax
      mov ax, LDT
      lldt ax
      mov ax, LDTDATA
      mov fs, ax
      mov dword [0x30010], 0x99
      logs [fs:0x10]
      mov ax, 0x14
      faults mov fs, ax
      mov ax, DATA
      faults lldt ax
      mov ax, TSS
      faults ltr ax
      finish`,
    log: [13, 0xc, 0x99, 13, 0x14, 13, 0x10, 13, 0x28],
  },
  {
    name: 'LAR, LSL, VERR, VERW and ARPL',
    text: `test:
      mov bx, CODE
      lar eax, bx
      jnz bad
      call log
      mov bx, SMALL
      lsl eax, bx
      jnz bad
      call log
      mov bx, DATA
      lsl eax, bx
      call log
      mov bx, 0x1000
      lar eax, bx
      jz bad
      mov bx, EXECONLY
      verr bx
      jz bad
      mov bx, READONLY
      verr bx
      jnz bad
      verw bx
      jz bad
      mov bx, DATA
      verw bx
      jnz bad
      mov bx, CALLGATE
      lsl eax, bx
      jz bad
      lar eax, bx
      jnz bad
      mov ax, 0x10
      mov bx, 0x13
      arpl ax, bx
      jnz bad
      movzx eax, ax
      call log
      arpl ax, bx
      jz bad
      finish
    bad:
      logs 0xbad
      finish`,
    log: [0xcf9b00, 0xfff, 0xffffffff, 0x13],
  },
  {
    name: 'far pointers and far returns of both sizes',
    text: `test:
      push dword 0x1234
      push word DATA3
      push dword 0x55
      lfs ebx, [esp]
      logs ebx
      mov eax, fs
      call log
      push dword CODE
      push dword there
      retf
    there:
      o16 push word CODE
      o16 push word near16
      o16 retf
    near16:
      logs 2
      finish`,
    log: [0x55, 0x23, 2],
  },
  {
    name: 'code limits: running off the end of a segment faults',
    text: `test:
      mov byte [detail], DETAIL_EIP
      mov dword [origin], 0
      mov dword [gdt + SMALL], 0x0000ffff & 0x1000
      mov word [gdt + SMALL], 0xfff
      mov byte [gdt + SMALL + 5], 0x9a
      mov dword [0x20ffe], 0x90909090
      resume_at second
      jmp SMALL:0xffe
    second:
      mov word [0x20ffe], 0xb890
      resume_at third
      jmp SMALL:0xffe
    third:
      faults jmp SMALL:0x1000
      finish`,
    log: [13, 0, 0x1000, 13, 0, 0xfff, 13, 0, 0],
  },
  {
    name: 'code limits hold on a page that another segment has run',
    text: `test:
      mov byte [0x20800], 0xc3
      mov byte [0x207ff], 0x90
      mov eax, 0x20800
      call eax
      mov eax, 0x207ff
      call eax
      mov word [gdt + SMALL], 0x7ff
      mov byte [gdt + SMALL + 5], 0x9a
      mov byte [detail], DETAIL_EIP
      mov dword [origin], 0
      resume_at second
      jmp SMALL:0x7ff
    second:
      finish`,
    log: [13, 0, 0x800],
  },
  {
    name: 'control registers: LMSW, reserved combinations, undefined registers',
    text: `test:
      smsw ax
      and ax, 0xfffe
      lmsw ax
      smsw ax
      and eax, 1
      call log
      mov eax, cr0
      and eax, 0x7ffffffe
      or eax, 0x80000000
      faults mov cr0, eax
      mov eax, 0xffffffff
      faults mov cr4, eax
      faults db 0x0f, 0x20, 0xc8
      mov ecx, 0x12345
      faults rdmsr
      faults wrmsr
      resume_at second
      ring3 user, 2
    user:
      mov eax, cr0
    second:
      resume_at third
      ring3 user2, 2
    user2:
      lgdt [ss:gdt_pointer]
    third:
      resume_at fourth
      ring3 user3, 2
    user3:
      rdmsr
    fourth:
      finish`,
    log: [1, 13, 0, 13, 0, 6, 0, 13, 0, 13, 0, 13, 0, 13, 0, 13, 0],
  },
  {
    name: 'opcodes that are none, LOCK where it may not be, too long an instruction',
    text: `test:
      faults ud2
      faults db 0xf0, 0x90
      faults db 0xf0, 0x01, 0xc0
      faults db 0x8e, 0xc8
      faults db 0x0f, 0x04
      faults db 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90
      db 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90
      logs 1
      finish`,
    log: [6, 0, 6, 0, 6, 0, 6, 0, 6, 0, 13, 0, 1],
  },
];
