; IA-32e mode: entering and leaving it, its two sub-modes, combinations that fault (SDM 3A 2.2.1, 4.1.2, 9.8.5).
%define LONG
%define TOPIC "modes"
%include "common.inc"
EFER equ 0xc0000080

main:
; What 64-bit mode takes away.
  attempt "push-es", {db 0x06}
  attempt "pop-ds", {db 0x1f}
  attempt "pusha", {db 0x60}
  attempt "popa", {db 0x61}
  attempt "daa", {db 0x27}
  attempt "aam", {db 0xd4, 10}
  attempt "aad", {db 0xd5, 10}
  attempt "salc", {db 0xd6}
  attempt "group-82", {db 0x82, 0xc0, 1}
  attempt "jump-far-direct", {db 0xea, 0, 0, 0, 0, 8, 0}
  attempt "call-far-direct", {db 0x9a, 0, 0, 0, 0, 8, 0}
  case "rex-is-ignored-before-a-prefix"
  mov rax, -1
  db 0x48, 0x66, 0xb8, 0x34, 0x12
  emit rax
  done
  case "32-bit-results-clear-the-upper-half"
  mov rax, -1
  mov ecx, 5
  mov eax, ecx
  emit rax
  done
  case "null-data-segments"
  xor eax, eax
  mov ds, ax
  mov es, ax
  mov eax, [scratch]
  done
  case "limits-are-ignored"
  slot SLOT, 0x00000010, 0x00409300
  mov ax, SLOT
  mov ds, ax
  mov eax, [scratch]
  done
  case "user-null-stack-segment"
  to_user
  xor eax, eax
  point
  mov ss, ax
  done
  case "null-stack-segment"
  xor eax, eax
  mov ss, ax
  push rax
  pop rbx
  done

; Compatibility mode.
  case "compatibility-rex-is-inc"
  mov eax, 5
  to_compat 0
  db 0x40, 0x40, 0x48
  from_compat
  emit rax
  done
  case "compatibility-stack-is-32-bit"
  to_compat 0
  mov ecx, esp
  push eax
  sub ecx, esp
  from_compat
  emit rcx
  done
  case "compatibility-null-data-segment"
  to_compat 0
  xor eax, eax
  mov ds, ax
  point_cs
  mov eax, [0]
  bits 64
  done
  case "compatibility-limits"
  to_compat 0
  mov ax, SLOT
  mov ds, ax
  mov al, [0x10]
  point_cs
  mov al, [0x11]
  bits 64
  done
  case "compatibility-addresses-wrap"
  mov dword [scratch], 0x77
  to_compat 0
  mov ebx, 0xfffffff0
  mov ecx, [ebx + scratch + 16]
  from_compat
  emit rcx
  done
  case "compatibility-syscall-gates-push-64-bit"
  mov qword [resume], .pushed
  to_compat 0
  int 0x42
  bits 64
.pushed:
  emit [rec_cs]
  emit [rec_ss]
  mov qword [rec_vector], -1
  done
  case "compatibility-jumps-to-64-bit-code"
  to_compat 0
  jmp CODE:.sixtyfour
  bits 64
.sixtyfour:
  mov rax, 0x123456789
  emit rax
  done
  case "far-jump-from-64-bit-code"
  mov dword [scratch], .thirtytwo
  mov word [scratch + 4], CODE32
  jmp far dword [scratch]
  bits 32
.thirtytwo:
  mov ebx, cs
  from_compat
  emit rbx
  done
  case "far-jump-long-and-32-bit"
  slot SLOT, 0xffff, 0xef9b00
  mov dword [scratch], escape
  mov word [scratch + 4], SLOT
  point
  jmp far dword [scratch]
  done
  case "far-jump-with-64-bit-offset"
  mov qword [scratch], .wide
  mov word [scratch + 8], CODE
  o64 jmp far [scratch]
.wide:
  done
  case "far-jump-not-canonical"
  mov rax, 0x800000000000
  mov [scratch], rax
  point
  o64 jmp far [scratch]
  done
  case "far-jump-beyond-compatibility-limit"
  slot SLOT, 0x00000fff, 0x00409b00
  mov dword [scratch], 0x1000
  mov word [scratch + 4], SLOT
  point
  jmp far dword [scratch]
  done
  case "sysenter-width-of-str"
  mov rax, -1
  str rax
  emit rax
  done
  case "sldt-32-bit"
  mov rax, -1
  sldt eax
  emit rax
  done
  case "sgdt-stores-ten-bytes"
  mov rax, -1
  mov [scratch], rax
  mov [scratch + 8], rax
  sgdt [scratch]
  emit [scratch + 6]
  done

; Leaving IA-32e mode and what entering it needs. The parts without paging have an IDT of their own: #GP counts in `refused`.
  mov edi, scratch + 0x100
  mov rax, refuse
  mov [rdi + 13 * 8], ax
  mov word [rdi + 13 * 8 + 2], CODE32
  mov word [rdi + 13 * 8 + 4], 0x8e00
  shr rax, 16
  mov [rdi + 13 * 8 + 6], ax
%macro leave_long 0
  to_compat 0
  mov eax, cr0
  and eax, 0x7fffffff
  mov cr0, eax
  lidt [narrow_idt]
%endmacro
%macro enter_long 0
  mov ecx, EFER
  mov eax, 0x900
  xor edx, edx
  wrmsr
  mov eax, PML4
  mov cr3, eax
  mov eax, cr4
  or eax, 0x20
  mov cr4, eax
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  jmp CODE:%%in
  bits 64
%%in:
  mov rsp, [saved_sp]
  lidt [idt_pointer]
%endmacro
  case "leaving"
  leave_long
  mov ecx, EFER
  rdmsr
  mov ebx, eax
  mov esi, cs
  enter_long
  emit rbx
  get_msr EFER
  emit rax
  done
  case "entering-without-pae"
  leave_long
  mov eax, cr4
  and eax, ~0x20
  mov cr4, eax
  mov dword [refused], 0
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  enter_long
  mov eax, [refused]
  emit rax
  done
  case "entering-with-long-code"
  slot SLOT, 0xffff, 0xaf9b00
  leave_long
  mov dword [refused], 0
  mov eax, cr0
  or eax, 0x80000000
  jmp SLOT:.sixteen
  bits 16
.sixteen:
  mov cr0, eax
  jmp dword CODE32:.again
  bits 32
.again:
  enter_long
  mov eax, [refused]
  emit rax
  done
  case "entering-with-a-16-bit-task"
  slot SLOT, 0x0000002b, 0x00008100
  leave_long
  mov ax, SLOT
  ltr ax
  mov dword [refused], 0
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  jmp .next
.next:
  mov eax, cr0
  and eax, 0x7fffffff
  mov cr0, eax
  and byte [gdt + TSS + 5], 0xfd
  mov ax, TSS
  ltr ax
  enter_long
  mov eax, [refused]
  emit rax
  done
  case "pcid-needs-long-mode"
  leave_long
  mov dword [refused], 0
  mov eax, cr4
  or eax, 0x20000
  mov cr4, eax
  mov eax, cr4
  and eax, ~0x20000
  mov cr4, eax
  enter_long
  mov eax, [refused]
  emit rax
  done
  case "32-bit-paging-then-back"
  leave_long
  mov ecx, EFER
  xor eax, eax
  xor edx, edx
  wrmsr
  mov eax, cr4
  and eax, ~0x20
  or eax, 0x10
  mov cr4, eax
  mov dword [TABLES], 0x83
  mov eax, TABLES
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  jmp .paged
.paged:
  mov ebx, [saved_sp]
  mov eax, cr0
  and eax, 0x7fffffff
  mov cr0, eax
  enter_long
  sub rbx, rsp
  emit rbx
  done
  jmp finish

bits 32
; #GP at a MOV to a control register, which has three bytes.
refuse:
  add esp, 4
  add dword [esp], 3
  inc dword [refused]
  iretd
bits 64
  align 8
refused: dd 0
narrow_idt:
  dw 0x7ff
  dd scratch + 0x100
  dd 0
