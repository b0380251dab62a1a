// Real-address mode, virtual-8086 mode, and what older models lack.
import type { SystemCase } from './systemCase.ts';

/** Enters virtual-8086 mode at \`v86\` with the given EFLAGS. */
const enterV86 = (flags: number): string => `
      mov esp, STACK
      push dword 0x1111
      push dword 0x2222
      push dword 0x3333
      push dword 0x4444
      push dword 0x1000
      push dword 0x8000
      push dword ${0x20000 | flags}
      push dword 0
      push dword v86
      iretd
    bits 16
    v86:`;

export const modeCases: readonly SystemCase[] = [
  {
    name: 'real mode: INT pushes 16-bit flags, CS and IP; IRET restores them',
    real: true,
    text: `test:
      mov word [0x40 * 4], handler
      mov word [0x40 * 4 + 2], 0
      sti
      stc
      int 0x40
    back:
      pushf
      pop ax
      movzx eax, ax
      and eax, 0x201
      call rlog
      movzx eax, sp
      call rlog
      cli
      hlt
    handler:
      mov bp, sp
      mov ax, [bp]
      sub ax, back
      movzx eax, ax
      call rlog
      mov ax, [bp + 4]
      and eax, 0x201
      call rlog
      pushf
      pop ax
      and eax, 0x201
      call rlog
      iret`,
    log: [0, 0x201, 0, 0x201, 0x7c00],
  },
  {
    name: 'real mode: faults have no error code and name the instruction',
    real: true,
    text: `test:
      mov word [0], handler
      mov word [0 + 2], 0
      mov word [13 * 4], handler13
      mov word [13 * 4 + 2], 0
      mov word [12 * 4], handler12
      mov word [12 * 4 + 2], 0
      mov word [6 * 4], handler6
      mov word [6 * 4 + 2], 0
      xor cx, cx
    first:
      div cx
    handler:
      pop ax
      sub ax, first
      movzx eax, ax
      call rlog
      real_logs esp
      mov sp, 0x7c00
    second:
      mov ax, [0xffff]
    handler13:
      pop ax
      sub ax, second
      movzx eax, ax
      call rlog
      mov sp, 0x7c00
      mov bp, 0xffff
      mov ax, [bp]
    handler12:
      real_logs 12
      mov sp, 0x7c00
      db 0x0f, 0x00, 0xd0
    handler6:
      real_logs 6
      cli
      hlt`,
    log: [0, 0x7c00 - 4 - 4, 0, 12, 6],
  },
  {
    name: 'real mode: the stack pointer wraps',
    real: true,
    text: `test:
      mov ax, 0x2000
      mov ss, ax
      mov esp, 0x12340000
      push word 0x5678
      mov ebx, esp
      mov ax, 0
      mov ss, ax
      mov sp, 0x7c00
      real_logs ebx
      mov ax, 0x2000
      mov es, ax
      movzx eax, word [es:0xfffe]
      call rlog
      hlt`,
    log: [0x1234fffe, 0x5678],
  },
  {
    name: 'real mode: frames on a 16-bit stack that wraps',
    real: true,
    text: `test:
      mov ax, 0x2000
      mov ss, ax
      mov esp, 0x56780008
      mov ebp, 0x9abc0100
      mov bx, 0x4321
      pushaw
      mov bx, 0
      popaw
      call save
      pushad
      popad
      enter 8, 0
      mov ecx, ebp
      leave
      push dword 0x11223344
      pop dword [0x500]
      call save
      mov sp, 0x1000
      mov eax, ebx
      call rlog
      mov eax, ecx
      call rlog
      mov eax, [0x500]
      call rlog
      hlt
    save:
      mov eax, esp
      call rlog
      ret`,
    // The frame of PUSHA lies at FFF8h..0007h.
    log: [0x56780006, 0x56780006, 0x4321, 0x9abc0006, 0x11223344],
  },
  {
    name: 'real mode: a vector beyond the table ends in a shutdown',
    real: true,
    text: `test:
      mov word [real_idt_pointer], 3
      lidt [real_idt_pointer]
      int 0x40`,
    log: [], activity: 'shutdown',
  },
  {
    name: 'unreal mode keeps the limits of protected mode',
    real: true,
    text: `test:
      lgdt [gdt_pointer]
      mov eax, cr0
      or al, 1
      mov cr0, eax
      mov bx, DATA
      mov es, bx
      and al, 0xfe
      mov cr0, eax
      xor bx, bx
      mov es, bx
      mov edi, 0x200000
      mov dword [es:edi], 0x1234
      mov eax, [es:edi]
      call rlog
      hlt`,
    log: [0x1234],
  },
  {
    name: 'real mode: far calls, 32-bit operands, loops with 16-bit counters',
    real: true,
    text: `test:
      call 0x0000:far_target
      mov ecx, 0x10003
      xor eax, eax
    again:
      inc eax
      loop again
      call rlog
      mov eax, ecx
      call rlog
      push dword 0x12345678
      pop ax
      pop bx
      movzx eax, bx
      call rlog
      call 0x07c0:(far_target2 - 0x7c00)
      hlt
    far_target2:
      mov eax, 0x66
      call other
      retf
    other:
      real_logs eax
      mov ax, cs
      movzx eax, ax
      real_logs eax
      ret
    far_target:
      real_logs 0x55
      retf`,
    log: [0x55, 3, 0x10000, 0x1234, 0x66, 0x7c0],
  },
  {
    name: 'virtual-8086 mode: sensitive instructions with IOPL 0',
    text: `test:
      mov byte [detail], DETAIL_FLAGS | DETAIL_OUTER
      resume_at second${enterV86(2)}
      mov ax, ds
      cli
    bits 32
    second:
      mov byte [detail], 0
      resume_at third
      mov word [v86], 0x36cd
      push dword 0
      push dword 0
      push dword 0
      push dword 0
      push dword 0
      push dword 0x8000
      push dword 0x20002
      push dword 0
      push dword v86
      iretd
    third:
      resume_at fourth
      mov word [v86], 0x9c90
      push dword 0
      push dword 0
      push dword 0
      push dword 0
      push dword 0
      push dword 0x8000
      push dword 0x20002
      push dword 0
      push dword v86
      iretd
    fourth:
      resume_at fifth
      mov word [v86], 0x03cd
      push dword 0
      push dword 0
      push dword 0
      push dword 0
      push dword 0
      push dword 0x8000
      push dword 0x20002
      push dword 0
      push dword v86
      iretd
    fifth:
      finish`,
    log: [13, 0, 0x30002, 0x8000, 0x1000, 13, 0, 13, 0, 13, 0],
  },
  {
    name: 'virtual-8086 mode: an interrupt saves the segments and clears them; IRET goes back',
    text: `test:
      set_gate 0x40, handler, 0xee${enterV86(0x3202)}
      mov ax, 0x2000
      mov ds, ax
      mov word [0x10], 0x77
      int 0x40
      mov ax, gs
      int 0x40
      hlt
    bits 32
    handler:
      movzx eax, ax
      call log
      mov eax, esp
      call log
      mov eax, ds
      call log
      mov eax, [ss:esp + 8]
      and eax, 0x23000
      call log
      movzx eax, word [ss:esp + 12]
      call log
      mov eax, [ss:esp + 20]
      call log
      mov eax, [ss:esp + 24]
      call log
      mov eax, [ss:esp + 32]
      call log
      movzx eax, word [ss:0x20010]
      call log
      inc dword [ss:marker]
      cmp dword [ss:marker], 2
      je over
      iretd
    over:
      mov ax, DATA
      mov ds, ax
      finish`,
    log: [
      0x2000, 0x1c000 - 36, 0, 0x23000, 0x8000, 0x4444, 0x2000, 0x1111, 0x77,
      0x1111, 0x1c000 - 36, 0, 0x23000, 0x8000, 0x4444, 0x2000, 0x1111, 0x77,
    ],
  },
  {
    name: 'virtual-8086 mode: limits are 64 KiB, HLT is privileged, segments are paragraphs',
    text: `test:
      resume_at second${enterV86(0x3002)}
      mov ax, 0x2000
      mov es, ax
      mov dword [es:4], 0x1234
      mov eax, 0x10000
      mov eax, [eax]
    bits 32
    second:
      logs [0x20004]
      resume_at third
      mov byte [v86], 0xf4
      push dword 0
      push dword 0
      push dword 0
      push dword 0
      push dword 0
      push dword 0x8000
      push dword 0x23002
      push dword 0
      push dword v86
      iretd
    third:
      finish`,
    log: [13, 0, 0x1234, 13, 0],
  },
  {
    // SDM 3B 19.6.3: 40 bits of a counter, of which 32 are written and extended; a third counter does not exist.
    name: 'RDPMC reads the two performance counters',
    text: `test:
      mov ecx, 0xc2
      mov eax, 0x92345678
      mov edx, 0
      wrmsr
      mov ecx, 1
      rdpmc
      logs eax
      logs edx
      mov ecx, 2
      faults rdpmc
      finish`,
    log: [0x92345678, 0xff, 13, 0],
  },
  {
    name: 'the 486 lacks CMOV, CMPXCHG8B, RDTSC and RDMSR',
    model: '486',
    text: `test:
      faults cmove eax, ebx
      faults cmpxchg8b [0x20000]
      faults rdtsc
      faults rdmsr
      faults sysenter
      faults db 0x0f, 0x1f, 0xc0
      mov eax, 1
      cpuid
      logs eax
      logs edx
      bswap eax
      xadd eax, ebx
      cmpxchg [0x20000], ebx
      finish`,
    log: [6, 0, 6, 0, 6, 0, 6, 0, 6, 0, 6, 0, 0x480, 1],
  },
  {
    name: 'the Pentium has CMPXCHG8B and RDTSC but neither CMOV nor SYSENTER',
    model: 'pentium',
    text: `test:
      cmpxchg8b [0x20000]
      rdtsc
      faults cmove eax, ebx
      faults sysenter
      mov eax, cr4
      or eax, 0x20
      faults mov cr4, eax
      xor eax, eax
      cpuid
      logs ebx
      finish`,
    log: [6, 0, 6, 0, 13, 0, 0x756e6547],
  },
  {
    name: 'the Pentium III has CMOV and tells so',
    text: `test:
      mov eax, 5
      mov ebx, 6
      cmp eax, eax
      cmove eax, ebx
      call log
      mov eax, 1
      cpuid
      and edx, 0x8000
      logs edx
      finish`,
    log: [6, 0x8000],
  },
];
