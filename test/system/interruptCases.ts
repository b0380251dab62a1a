// Interrupts, exceptions, ring transitions and tasks (SDM 3A chapters 5, 6, 7).
import type { SystemCase } from './systemCase.ts';

export const interruptCases: readonly SystemCase[] = [
  {
    name: 'an interrupt gate clears IF, a trap gate keeps it',
    text: `test:
      set_gate 0x40, handler, 0x8e
      set_gate 0x41, handler, 0x8f
      sti
      int 0x40
      int 0x41
      finish
    handler:
      pushfd
      pop eax
      and eax, 0x200
      call log
      iretd`,
    log: [0, 0x200],
  },
  {
    name: 'a 16-bit gate pushes words and clears the upper half of EIP',
    text: `test:
      int 0x32
      logs [marker]
      logs esp
      finish`,
    log: [0x18000 - 6, 0x18000 - 4],
  },
  {
    name: 'INT n obeys the gate: DPL, presence, selector, IDT limit',
    text: `test:
      faults int 0x35
      faults int 0x34
      faults int 0x60
      ring3 user, 2
    user:
      mov dword [ss:resume], second
      int 0x31
    second:
      mov word [idt_pointer], 0x30 * 8 - 1
      lidt [idt_pointer]
      faults int 0x36
      finish`,
    log: [11, 0x1aa, 13, 0x10, 13, 0x302, 13, 0x18a, 13, 0x1b2],
  },
  {
    name: 'a fault in ring 3 takes the stack of the TSS and saves the outer one',
    text: `test:
      mov byte [detail], DETAIL_EIP | DETAIL_CS | DETAIL_OUTER
      resume_at after
      mov dword [origin], user
      ring3 user, 2
    user:
      nop
      hlt
    after:
      finish`,
    log: [13, 0, 1, 0x1b, 0x1a000, 0x23],
  },
  {
    name: 'the inner stack begins where the TSS says',
    text: `test:
      set_gate 0x40, handler, 0xee
      ring3 user, 2
    user:
      int 0x40
    handler:
      mov eax, esp
      mov bx, DATA
      mov ds, bx
      call log
      finish`,
    log: [0x1c000 - 20],
  },
  {
    name: 'IRET to ring 3 and back restores everything; inner data segments become null',
    text: `test:
      mov ax, DATA
      mov ds, ax
      mov ax, DATA3
      mov es, ax
      ring3 user, 2
    user:
      mov eax, ds
      int 0x80
      mov eax, es
      int 0x80
      mov eax, esp
      int 0x80
      mov eax, cs
      int 0x80
      mov dword [ss:resume], after
      hlt
    after:
      finish`,
    log: [0, 0x23, 0x1a000, 0x1b, 13, 0],
  },
  {
    name: 'a conforming handler keeps the privilege level',
    text: `test:
      set_gate 0x40, handler, 0xee
      mov word [idt + 0x40 * 8 + 2], CONFORMING
      resume_at after
      ring3 user, 2
    user:
      int 0x40
      hlt
    handler:
      mov eax, cs
      int 0x80
      iretd
    after:
      finish`,
    log: [0x63, 13, 0],
  },
  {
    name: 'faults push EFLAGS with RF, INT n without',
    text: `test:
      mov byte [detail], DETAIL_FLAGS
      push dword 2
      popfd
      faults ud2
      push dword 2
      popfd
      resume_at after
      int 0x31
    after:
      finish`,
    log: [6, 0, 0x10002, 0x31, 0, 2],
  },
  {
    name: 'a contributory fault while delivering another is a double fault',
    text: `test:
      mov byte [idt + 13 * 8 + 5], 0x0e
      faults mov ax, [fs:0]
      finish`,
    log: [8, 0],
  },
  {
    name: 'a fault while delivering a double fault shuts down',
    text: `test:
      mov byte [idt + 13 * 8 + 5], 0x0e
      mov byte [idt + 8 * 8 + 5], 0x0e
      mov ax, [fs:0]`,
    log: [], activity: 'shutdown',
  },
  {
    name: 'an invalid ring 0 stack: #TS through a task gate, with the error code on the new stack',
    text: `test:
      mov dword [tss + 8], ABSENT
      mov word [idt + 10 * 8 + 2], TSS2
      mov byte [idt + 10 * 8 + 5], 0x85
      mov dword [tss2 + 0x20], task
      mov dword [tss2 + 0x24], 2
      mov dword [tss2 + 0x38], 0x14000
      mov word [tss2 + 0x48], DATA
      mov word [tss2 + 0x4c], CODE
      mov word [tss2 + 0x50], DATA
      mov word [tss2 + 0x54], DATA
      mov byte [gdt + ABSENT + 5], 0x92
      and byte [gdt + ABSENT + 5], 0x7f
      or dword [tss + 8], 0
      mov dword [tss + 8], READONLY
      ring3 user, 2
    user:
      int 0x36
    task:
      pop eax
      call log
      mov eax, esp
      call log
      finish`,
    log: [0x50, 0x14000],
  },
  {
    name: 'STI holds an interrupt off for one instruction',
    text: `test:
      set_gate 0x30, handler, 0x8e
      mov dx, 0xea
      out dx, al
      sti
      mov dword [marker], 1
      mov dword [marker], 2
      finish
    handler:
      logs [marker]
      iretd`,
    log: [1],
  },
  {
    name: 'STI then CLI lets nothing in',
    text: `test:
      mov dx, 0xea
      out dx, al
      sti
      cli
      nop
      logs 1
      finish`,
    log: [1],
  },
  {
    name: 'loading SS holds an interrupt off for one instruction',
    text: `test:
      set_gate 0x30, handler, 0x8e
      mov ax, DATA
      mov dx, 0xea
      out dx, al
      sti
      mov ss, ax
      mov dword [marker], 1
      mov dword [marker], 2
      finish
    handler:
      logs [marker]
      iretd`,
    log: [1],
  },
  {
    name: 'STI and HLT: the interrupt wakes the processor behind HLT, wherever a slice ends',
    text: `test:
      set_gate 0x30, handler, 0x8e
      mov ecx, 40
    again:
      mov dx, 0xea
      out dx, al
      sti
      hlt
    back:
      cli
      dec ecx
      jnz again
      logs [marker]
      finish
    handler:
      cmp dword [esp], back
      jne .wrong
      inc dword [marker]
    .wrong:
      iretd`,
    log: [40], slice: 7,
  },
  {
    name: 'POPF in ring 3 changes neither IF nor IOPL; CLI and STI need IOPL',
    text: `test:
      resume_at second
      ring3 user, 0x202
    user:
      push dword 0x3002
      popfd
      pushfd
      pop eax
      int 0x80
      cli
    second:
      resume_at third
      ring3 user2, 0x3202
    user2:
      cli
      pushfd
      pop eax
      int 0x80
      hlt
    third:
      finish`,
    log: [0x202, 13, 0, 0x3002, 13, 0],
  },
  {
    name: 'ports obey the permission bitmap',
    text: `test:
      resume_at second
      ring3 user, 2
    user:
      mov dx, 0xe9
      mov al, '1'
      out dx, al
      mov al, 10
      out dx, al
      in al, 0xe8
    second:
      resume_at third
      ring3 user2, 2
    user2:
      mov dx, 0xe9
      out dx, ax
    third:
      resume_at fourth
      ring3 user3, 2
    user3:
      mov dx, 0x3f8
      in al, dx
    fourth:
      finish`,
    log: [1, 13, 0, 13, 0, 13, 0],
  },
  {
    name: 'a call gate copies parameters and RETF n releases them on both stacks',
    text: `%define HAS_GATE_TARGETS
    test:
      resume_at after
      ring3 user, 2
    user:
      push dword 0x1111
      push dword 0x2222
      call CALLGATE:0
      mov eax, esp
      int 0x80
      hlt
    gate_target:
      mov eax, [esp + 8]
      mov bx, DATA
      mov ds, bx
      call log
      logs [esp + 16]
      logs [esp + 20]
      logs [esp + 8]
      mov eax, cs
      call log
      mov eax, esp
      call log
      retf 8
    gate_target16:
      hlt
    after:
      finish`,
    log: [0x2222, 0x1111, 0x1a000 - 8, 0x1b, 8, 0x1c000 - 24, 0x1a000, 13, 0],
  },
  {
    name: 'a 16-bit call gate pushes words',
    text: `%define HAS_GATE_TARGETS
    test:
      ring3 user, 2
    user:
      push word 0x7777
      call CALLGATE16:0
    gate_target16:
      mov bx, DATA
      mov ds, bx
      mov eax, esp
      call log
      movzx eax, word [esp + 4]
      call log
      movzx eax, word [esp + 6]
      call log
      finish
    gate_target:
      hlt`,
    log: [0x1c000 - 10, 0x7777, 0x9ffe],
  },
  {
    name: 'gates and far jumps refuse what they must',
    text: `test:
      faults call BADGATE:0
      faults jmp 0:0
      faults jmp ABSENTCODE:0
      faults jmp DATA:0
      faults jmp CODE3:0
      faults jmp 0x1000:0
      faults jmp 0x1004:0
      resume_at second
      ring3 user, 2
    user:
      jmp CODE:0
    second:
      resume_at third
      ring3 user2, 2
    user2:
      jmp CALLGATE:0
    third:
      resume_at fourth
      ring3 user3, 2
    user3:
      jmp TSS:0
    fourth:
      finish`,
    log: [13, 0, 13, 0, 11, 0x98, 13, 0x10, 13, 0x18, 13, 0x1000, 13, 0x1004, 13, 8, 13, 8, 13, 0x28],
  },
  {
    name: 'JMP to a TSS switches tasks: registers, busy bits, TS',
    text: `test:
      mov dword [tss2 + 0x20], task
      mov dword [tss2 + 0x24], 2
      mov dword [tss2 + 0x28], 0x11223344
      mov dword [tss2 + 0x38], 0x14000
      mov word [tss2 + 0x48], DATA
      mov word [tss2 + 0x4c], CODE
      mov word [tss2 + 0x50], DATA
      mov word [tss2 + 0x54], DATA
      mov ebx, 0x55667788
      jmp TSS2:0
    back:
      logs ebx
      movzx eax, byte [gdt + TSS2 + 5]
      call log
      finish
    task:
      call log
      logs esp
      movzx eax, byte [gdt + TSS + 5]
      call log
      movzx eax, byte [gdt + TSS2 + 5]
      call log
      str ax
      movzx eax, ax
      call log
      mov eax, cr0
      and eax, 8
      call log
      logs [tss + 0x34]
      clts
      jmp TSS:0`,
    log: [0x11223344, 0x14000 - 4, 0x89, 0x8b, 0x70, 8, 0x55667788, 0x55667788, 0x89],
  },
  {
    name: 'the T bit of a TSS traps when its task begins',
    text: `test:
      mov dword [tss2 + 0x20], task
      mov dword [tss2 + 0x24], 2
      mov dword [tss2 + 0x38], 0x14000
      mov word [tss2 + 0x48], DATA
      mov word [tss2 + 0x4c], CODE
      mov word [tss2 + 0x50], DATA
      mov word [tss2 + 0x54], DATA
      mov byte [tss2 + 0x64], 1
      mov byte [detail], DETAIL_EIP | DETAIL_DR6
      mov dword [origin], task
      resume_at after
      jmp TSS2:0
    task:
      nop
    after:
      finish`,
    log: [1, 0, 0, 0xffff8ff0],
  },
  {
    name: 'a bad segment in the new task faults there, with the new task\'s registers',
    text: `test:
      mov dword [tss2 + 0x20], task
      mov dword [tss2 + 0x24], 2
      mov dword [tss2 + 0x38], 0x14000
      mov word [tss2 + 0x48], DATA
      mov word [tss2 + 0x4c], CODE
      mov word [tss2 + 0x50], DATA
      mov word [tss2 + 0x54], 0x1000
      mov byte [detail], DETAIL_EIP
      mov dword [origin], task
      resume_at after
      jmp TSS2:0
    task:
      nop
    after:
      str ax
      movzx eax, ax
      call log
      faults jmp TSS2:0
      finish`,
    log: [10, 0x1000, 0, 0x70, 13, 0x70, 0],
  },
  {
    name: 'CALL to a task gate nests and IRET returns',
    text: `test:
      mov dword [tss2 + 0x20], task
      mov dword [tss2 + 0x24], 2
      mov dword [tss2 + 0x38], 0x14000
      mov word [tss2 + 0x48], DATA
      mov word [tss2 + 0x4c], CODE
      mov word [tss2 + 0x50], DATA
      mov word [tss2 + 0x54], DATA
      call TASKGATE:0
      logs 0x77
      int 0x33
      logs 0x78
      finish
    task:
      pushfd
      pop eax
      and eax, 0x4000
      call log
      movzx eax, word [tss2]
      call log
      movzx eax, byte [gdt + TSS + 5]
      call log
      iretd
      logs 0x79
      iretd`,
    log: [0x4000, 0x28, 0x8b, 0x77, 0x79, 0x78],
  },
  {
    name: 'a 16-bit TSS',
    text: `test:
      mov word [tss16 + 14], task
      mov word [tss16 + 16], 2
      mov word [tss16 + 26], 0x4000
      mov word [tss16 + 34], DATA
      mov word [tss16 + 36], CODE
      mov word [tss16 + 38], DATA
      mov word [tss16 + 40], DATA
      mov word [tss16 + 18], 0x1234
      jmp TSS16:0
      logs 0x5a
      finish
    task:
      mov esp, 0x14000
      movzx eax, ax
      call log
      jmp TSS:0`,
    log: [0x1234, 0x5a],
  },
  {
    name: 'SYSENTER and SYSEXIT',
    text: `test:
      mov ecx, 0x174
      mov eax, SYSCODE
      xor edx, edx
      wrmsr
      mov ecx, 0x175
      mov eax, 0x16000
      wrmsr
      mov ecx, 0x176
      mov eax, entry
      wrmsr
      ring3 user, 0x3202
    user:
      sysenter
    entry:
      logs esp
      mov eax, cs
      call log
      mov eax, ss
      call log
      pushfd
      pop eax
      and eax, 0x200
      call log
      mov ecx, 0x19000
      mov edx, out3
      mov dword [ss:resume], after
      sysexit
    out3:
      mov eax, cs
      int 0x80
      mov eax, ss
      int 0x80
      mov eax, esp
      int 0x80
      hlt
    after:
      mov ecx, 0x174
      xor eax, eax
      wrmsr
      faults sysenter
      finish`,
    log: [0x16000 - 4, 0xb0, 0xb8, 0, 0xc3, 0xcb, 0x19000, 13, 0, 13, 0],
  },
  {
    name: 'INT3 and INTO trap behind the instruction, ICEBP is a debug trap',
    text: `test:
      mov byte [detail], DETAIL_EIP
      faults int3
      mov al, 0x7f
      add al, 1
      faults into
      faults db 0xf1
      finish`,
    log: [3, 0, 1, 4, 0, 1, 1, 0, 1],
  },
  {
    name: 'hardware interrupts between the turns of a repeated string instruction',
    text: `test:
      set_gate 0x30, handler, 0x8e
      mov dx, 0xea
      out dx, al
      sti
      mov esi, 0x20000
      mov edi, 0x30001
      mov ecx, 5000
      rep movsb
      cli
      logs esi
      logs edi
      logs ecx
      finish
    handler:
      iretd`,
    log: [0x20000 + 5000, 0x30001 + 5000, 0],
  },
  {
    name: 'a fault of IRET or of a task switch before it is made names the instruction',
    text: `test:
      mov byte [detail], DETAIL_EIP
      push dword 2
      push dword DATA
      push dword 0
      faults iretd
      mov word [gdt + TSS2], 0x10
      faults jmp TSS2:0
      faults call TSS2:0
      faults int 0x33
      finish`,
    log: [13, 0x10, 0, 10, 0x70, 0, 10, 0x70, 0, 10, 0x70, 0],
  },
];
