; 64-bit gates: stacks, IST, checks of the gate and of its code segment, IRET (SDM 3A 6.14).
%define LONG
%define TOPIC "gates"
%include "common.inc"

main:
  gate 0x41, stubs + 0x410, CODE, 0xee, 0

  case "frame-is-aligned"
  sub rsp, 5
  int 0x41
  done
  case "frame-values"
  mov rbx, rsp
  sub rsp, 5
  mov qword [resume], .frame
  int 0x41
.frame:
  sub rbx, [rec_sp]
  emit rbx
  mov rax, [rec_bottom]
  and eax, 15
  emit rax
  emit [rec_cs]
  emit [rec_ss]
  mov qword [rec_vector], -1
  done
  case "frame-with-code-is-aligned"
  sub rsp, 5
  mov qword [resume], .with_code
  mov ax, 0x200
  mov ds, ax
.with_code:
  mov rax, [rec_bottom]
  and eax, 15
  emit rax
  emit [rec_error]
  mov qword [rec_vector], -1
  done

; Emits where the frame of an interrupt from ring 3 or 0 ended, below %1, and the handler's SS and CS.
%macro emit_stack 1
  mov eax, %1
  sub rax, [rec_bottom]
  emit rax
  emit [rec_live_ss]
  emit [rec_live_cs]
  mov qword [rec_vector], -1
%endmacro
  case "ist"
  gate 0x41, stubs + 0x410, CODE, 0xee, 1
  mov qword [resume], .ist
  int 0x41
.ist:
  emit_stack IST1
  done
  case "ist-unaligned"
  sub dword [tss + 0x24], 3
  mov qword [resume], .ist_unaligned
  int 0x41
.ist_unaligned:
  add dword [tss + 0x24], 3
  emit_stack IST1
  done
  case "ist-from-user"
  mov qword [resume], .ist_user
  to_user
  int 0x41
.ist_user:
  emit_stack IST1
  emit [rec_cs]
  emit [rec_ss]
  done
  gate 0x41, stubs + 0x410, CODE, 0xee, 0
  case "rsp0"
  mov qword [resume], .rsp0
  to_user
  int 0x41
.rsp0:
  emit_stack RSP0
  done
  case "rsp0-unaligned"
  sub dword [tss + 4], 9
  mov qword [resume], .rsp0_unaligned
  to_user
  int 0x41
.rsp0_unaligned:
  add dword [tss + 4], 9
  emit_stack RSP0
  done
  case "rsp0-not-canonical"
  gate 12, stubs + 12 * 16, CODE, 0x8e, 1
  mov dword [tss + 8], 0x8000
  to_user
  int 0x41
  done
  mov dword [tss + 8], 0
  restore_gate 12
  case "rsp0-not-present"
  gate 14, stubs + 14 * 16, CODE, 0x8e, 1
  mov dword [tss + 4], VIRTUAL + 0x1000
  to_user
  int 0x41
  done
  case "rsp0-not-present-for-a-fault"
  to_user
  hlt
  done
  mov dword [tss + 4], RSP0
  restore_gate 14
  case "ist-beyond-the-tss"
  slot SLOT, 0x3f, 0x8900
  mov eax, tss
  mov [gdt + SLOT + 2], ax
  shr eax, 16
  mov [gdt + SLOT + 4], al
  mov ax, SLOT
  ltr ax
  gate 0x42, stubs + 0x420, CODE, 0xee, 4
  point
  int 0x42
  done
  mov byte [gdt + TSS + 5], 0x89
  mov ax, TSS
  ltr ax

  gate 0x42, stubs + 0x420, CODE, 0x8c, 0
  attempt "type-call-gate", int 0x42
  gate 0x42, stubs + 0x420, CODE, 0x85, 0
  attempt "type-task-gate", int 0x42
  gate 0x42, stubs + 0x420, CODE, 0x86, 0
  attempt "type-16-bit", int 0x42
  gate 0x42, stubs + 0x420, CODE, 0x0e, 0
  attempt "not-present", int 0x42
  gate 0x42, stubs + 0x420, 0, 0x8e, 0
  attempt "null-code", int 0x42
  gate 0x42, stubs + 0x420, CODE32, 0x8e, 0
  attempt "compatibility-code", int 0x42
  gate 0x42, stubs + 0x420, DATA, 0x8e, 0
  attempt "data-as-code", int 0x42
  gate 0x42, stubs + 0x420, 0x1000, 0x8e, 0
  attempt "code-beyond-the-table", int 0x42
  gate 0x42, stubs + 0x420, USER64, 0x8e, 0
  attempt "outer-code", int 0x42
  slot SLOT, 0xffff, 0xaf1b00
  gate 0x42, stubs + 0x420, SLOT, 0x8e, 0
  attempt "code-not-present", int 0x42
  slot SLOT, 0xffff, 0xef9b00
  attempt "code-long-and-32-bit", int 0x42
  gate 0x42, 0x800000000000, CODE, 0x8e, 0
  attempt "offset-not-canonical", int 0x42
  lidt [short_idt]
  attempt "beyond-the-table", int 0x42
  lidt [idt_pointer]
  restore_gate 0x42
  case "privilege"
  to_user
  int 0x42
  done
  case "int3-privilege"
  to_user
  int3
  done
  case "icebp-has-no-privilege"
  to_user
  db 0xf1
  done
  case "conforming-code-keeps-the-ring"
  slot SLOT, 0xffff, 0xaf9f00
  gate 0x43, .conforming, SLOT, 0xee, 0
  to_user
  int 0x43
.conforming:
  mov ecx, cs
  mov rbx, rsp
  to_kernel
  emit rcx
  mov eax, USER_STACK
  sub rax, rbx
  emit rax
  done
  attempt "into", {db 0xce}
  observe "int3-traps", int3, 0
  case "divide-error-faults"
  xor ecx, ecx
  point
  div ecx
  done
  case "undefined"
  ud2
  done

; Flags in the handler: IF and TF, NT.
  case "interrupt-gate-flags"
  mov qword [resume], .flags1
  push 0x4602
  popf
  int 0x41
.flags1:
  emit [rec_flags]
  emit [rec_live_flags]
  mov qword [rec_vector], -1
  done
  case "trap-gate-flags"
  gate 0x41, stubs + 0x410, CODE, 0xef, 0
  mov qword [resume], .flags2
  push 0x4602
  popf
  int 0x41
.flags2:
  emit [rec_flags]
  emit [rec_live_flags]
  mov qword [rec_vector], -1
  done
  restore_gate 0x41

  case "gate-of-a-fault-not-present"
  gate 13, stubs + 13 * 16, CODE, 0x0e, 0
  mov ax, 0x200
  point
  mov ds, ax
  done
  restore_gate 13
  case "page-fault-with-a-bad-gate"
  gate 14, stubs + 14 * 16, CODE, 0x0e, 0
  mov eax, VIRTUAL
  point
  mov eax, [rax]
  done
  restore_gate 14

; IRET: SS, RSP, flags, CS, RIP.
%macro frame 5
  push %1
  push %2
  push %3
  push %4
  mov rax, %5
  push rax
  point
%endmacro
  case "iret-same-ring"
  frame DATA, KERNEL_STACK - 0x100, 2, CODE, .iret1
  iretq
.iret1:
  mov rbx, rsp
  emit rbx
  mov ecx, ss
  emit rcx
  done
  case "iret-null-stack"
  frame 0, KERNEL_STACK - 0x100, 2, CODE, .iret2
  iretq
.iret2:
  mov ecx, ss
  emit rcx
  mov ax, DATA
  mov ss, ax
  done
  case "iret-32-bit-operands"
  sub rsp, 24
  mov dword [rsp], .iret3
  mov dword [rsp + 4], CODE
  mov dword [rsp + 8], 2
  mov dword [rsp + 12], KERNEL_STACK - 0x100
  mov dword [rsp + 16], DATA
  iretd
.iret3:
  mov rbx, rsp
  emit rbx
  done
  case "iret-nested-task"
  push 0x4002
  popf
  point
  iretq
  done
  case "iret-not-canonical"
  frame DATA, KERNEL_STACK - 0x100, 2, CODE, 0x800000000000
  iretq
  done
  case "iret-null-code"
  frame DATA, KERNEL_STACK - 0x100, 2, 3, escape
  iretq
  done
  case "iret-user-null-stack"
  frame 3, USER_STACK, 2, USER64, escape
  iretq
  done
  case "iret-compatibility-null-stack"
  frame 0, USER_STACK, 2, CODE32, escape
  iretq
  done
  case "iret-stack-privilege"
  frame DATA, USER_STACK, 2, USER64, escape
  iretq
  done
  case "iret-code-not-present"
  slot SLOT, 0xffff, 0xaf1b00
  frame DATA, USER_STACK, 2, SLOT, escape
  iretq
  done
  case "iret-code-privilege"
  frame DATA, USER_STACK, 2, USER64 & ~3, escape
  iretq
  done
  case "iret-inner-ring"
  to_user
  push DATA
  push KERNEL_STACK
  push 2
  push CODE
  push escape
  point
  iretq
  done
  case "iret-user-cannot-raise-iopl"
  to_user
  push USERDATA
  push USER_STACK
  push 0x3202
  push USER64
  push .iret4
  iretq
.iret4:
  pushf
  pop rbx
  to_kernel
  emit rbx
  done
  case "iret-loads-user-null-data"
  push USERDATA
  push USER_STACK
  push 2
  push USER64
  push .iret5
  mov ax, DATA
  mov es, ax
  mov ax, USERDATA
  mov ds, ax
  iretq
.iret5:
  mov ebx, es
  mov ecx, ds
  to_kernel
  emit rbx
  emit rcx
  done
  case "iret-clears-nmi-and-keeps-rf"
  frame DATA, KERNEL_STACK - 0x100, 0x10202, CODE, .iret6
  iretq
.iret6:
  cli
  pushf
  pop rbx
  emit rbx
  done

; RETF
  case "retf-64-bit"
  push CODE
  push .retf1
  o64 retf
.retf1:
  done
  case "retf-not-canonical"
  push CODE
  mov rax, 0x800000000000
  push rax
  point
  o64 retf
  done
  case "retf-user-null-stack"
  push 3
  push USER_STACK
  push USER64
  push escape
  point
  o64 retf
  done
  case "retf-long-and-32-bit"
  slot SLOT, 0xffff, 0xef9b00
  push SLOT
  push escape
  point
  o64 retf
  done
  case "retf-releases-parameters"
  push USERDATA
  push USER_STACK
  push 0
  push 0
  push USER64
  push .retf2
  o64 retf 16
.retf2:
  mov rbx, rsp
  to_kernel
  emit rbx
  done
  jmp finish

short_idt:
  dw 0x42 * 16 + 14
  dq IDT
