; SYSCALL, SYSRET, SWAPGS, SYSENTER, SYSEXIT in IA-32e mode (SDM 3A 5.8.7, 5.8.8; SDM 2B).
%define LONG
%define TOPIC "syscalls"
%include "common.inc"
EFER equ 0xc0000080
STAR equ 0xc0000081
LSTAR equ 0xc0000082
CSTAR equ 0xc0000083
SFMASK equ 0xc0000084
FS_BASE equ 0xc0000100
GS_BASE equ 0xc0000101
KERNEL_GS equ 0xc0000102

main:
  attempt "syscall-disabled", syscall
  attempt "sysret-disabled", o64 sysret
  set_msr EFER, 0x901
  set_msr STAR, 0x001b000800000000
  set_msr LSTAR, landed
  set_msr CSTAR, landed
  set_msr SFMASK, 0x200
  case "syscall"
  mov dword [continue], .landed1
  to_user
  point
  syscall
.landed1:
  sub rcx, [mark]
  emit rcx
  emit rbx
  emit rdx
  done
  case "syscall-flags"
  set_msr SFMASK, 0x4501
  mov dword [continue], .landed2
  push USERDATA
  push USER_STACK
  push 0x4ed7
  push USER64
  push .user2
  iretq
.user2:
  syscall
.landed2:
  emit r11
  emit r9
  done
  set_msr SFMASK, 0x200
  case "syscall-from-ring-0"
  mov dword [continue], .landed3
  syscall
.landed3:
  emit rbx
  emit rdx
  done
  case "syscall-in-compatibility-mode"
  mov dword [continue], .landed4
  to_compat 3
  point
  syscall
.landed4:
  bits 64
  emit rbx
  done

  case "sysret-to-64-bit"
  mov rcx, .user5
  mov r11, 0x10ed7
  o64 sysret
.user5:
  pushf
  pop rdi
  mov ebx, cs
  mov ecx, ss
  to_kernel
  emit rbx
  emit rcx
  emit rdi
  done
  case "sysret-to-compatibility-mode"
  mov ecx, .user6
  mov r11, 0x2
  sysret
  bits 32
.user6:
  mov ebx, cs
  mov ecx, ss
  from_compat
  emit rbx
  emit rcx
  done
  case "sysret-ring-3"
  to_user
  point
  o64 sysret
  done
  case "sysret-not-canonical"
  mov rcx, 0x800000000000
  mov r11d, 2
  point
  o64 sysret
  done
  case "sysret-in-compatibility-mode"
  to_compat 0
  point
  sysret
  bits 64
  done
  case "sysret-does-not-check-rsp"
  mov rcx, .user7
  mov r11d, 2
  mov rbx, rsp
  mov rsp, 0x800000000000
  o64 sysret
.user7:
  mov rdx, rsp
  to_kernel
  emit rdx
  done
  case "lstar-not-canonical"
  mov ecx, LSTAR
  mov edx, 0x8000
  xor eax, eax
  point
  wrmsr
  done
  case "cstar-not-canonical"
  mov ecx, CSTAR
  mov edx, 0x8000
  xor eax, eax
  point
  wrmsr
  done

; SWAPGS
  set_msr GS_BASE, 0x11223344
  set_msr KERNEL_GS, 0xffff800055667788
  case "swapgs"
  swapgs
  get_msr GS_BASE
  emit rax
  get_msr KERNEL_GS
  emit rax
  done
  case "swapgs-addresses-move"
  set_msr KERNEL_GS, scratch
  mov dword [scratch], 0x5a
  swapgs
  emit [gs:0]
  done
  case "swapgs-ring-3"
  to_user
  point
  swapgs
  done
  case "swapgs-in-compatibility-mode"
  to_compat 0
  point
  db 0x0f, 0x01, 0xf8
  bits 64
  done
  case "gs-base-not-canonical"
  mov ecx, GS_BASE
  mov edx, 0x8000
  xor eax, eax
  point
  wrmsr
  done
  case "kernel-gs-base-not-canonical"
  mov ecx, KERNEL_GS
  mov edx, 0xffff0000
  xor eax, eax
  point
  wrmsr
  done

; SYSENTER, SYSEXIT
  set_msr 0x174, 0
  attempt "sysenter-null-code", sysenter
  attempt "sysexit-null-code", sysexit
  set_msr 0x174, CODE
  set_msr 0x175, KERNEL_STACK - 0x2000
  set_msr 0x176, landed
  case "sysenter"
  mov dword [continue], .landed8
  to_user
  sysenter
.landed8:
  emit rbx
  emit rdx
  emit rdi
  done
  case "sysenter-from-compatibility-mode"
  mov dword [continue], .landed9
  to_compat 3
  sysenter
.landed9:
  bits 64
  emit rbx
  emit rdx
  emit rdi
  done
  case "sysenter-clears-if-only"
  mov dword [continue], .landed10
  push USERDATA
  push USER_STACK
  push 0x4ed7
  push USER64
  push .user10
  iretq
.user10:
  sysenter
.landed10:
  emit r9
  done
  case "sysexit-to-64-bit"
  mov rdx, .user11
  mov rcx, USER_STACK - 16
  o64 sysexit
.user11:
  mov rdi, rsp
  mov ebx, cs
  mov ecx, ss
  to_kernel
  emit rbx
  emit rcx
  emit rdi
  done
  case "sysexit-to-compatibility-mode"
  mov edx, .user12
  mov ecx, USER_STACK - 16
  sysexit
  bits 32
.user12:
  mov ebx, cs
  mov ecx, ss
  from_compat
  emit rbx
  emit rcx
  done
  case "sysexit-ring-3"
  to_user
  point
  sysexit
  done
  case "sysexit-rip-not-canonical"
  mov rdx, 0x800000000000
  mov ecx, USER_STACK
  point
  o64 sysexit
  done
  case "sysexit-rsp-not-canonical"
  mov rdx, escape
  mov rcx, 0x800000000000
  point
  o64 sysexit
  done
  case "sysenter-eip-not-canonical"
  mov ecx, 0x176
  mov edx, 0x8000
  xor eax, eax
  point
  wrmsr
  done
  case "sysenter-esp-not-canonical"
  mov ecx, 0x175
  mov edx, 0x8000
  xor eax, eax
  point
  wrmsr
  done
  jmp finish

; Ring 0: RBX CS, RDX SS, RDI RSP, R9 flags; goes on at `continue` with the case's stack.
landed:
  mov ebx, cs
  mov edx, ss
  mov rdi, rsp
  mov rsp, [saved_sp]
  pushf
  pop r9
  push 2
  popf
  jmp [continue]
