; Control registers and EFER in IA-32e mode: bits that cannot be set (SDM 2B MOV CRn; SDM 3A 2.5).
; What switches modes comes last: an emulator that lets it through does not come back.
%define LONG
%define TOPIC "control"
%include "common.inc"
EFER equ 0xc0000080

; CR%1 gets its value with bits %2 set and %3 cleared.
%macro change 3
  mov rax, cr%1
  mov rbx, %2
  or rax, rbx
  mov rbx, ~(%3)
  and rax, rbx
  point
  mov cr%1, rax
%endmacro

main:
  mov r12, cr0
  mov r13, cr4
  case "nw-without-cd"
  change 0, 0x20000000, 0
  done
  mov cr0, r12
  mov cr4, r13
  case "cd-and-nw"
  change 0, 0x60000000, 0
  change 0, 0, 0x60000000
  done
  mov cr0, r12
  mov cr4, r13
  case "cr0-upper-half"
  change 0, 1 << 32, 0
  done
  mov cr0, r12
  mov cr4, r13
  case "cr0-ignored-bits"
  change 0, 0x10000040, 0
  mov rax, cr0
  emit rax
  done
  mov cr0, r12
  mov cr4, r13
  case "cr8-reserved-bit"
  mov eax, 16
  point
  mov cr8, rax
  done
  attempt "cr1", {db 0x0f, 0x20, 0xc8}
  attempt "cr5", {db 0x0f, 0x22, 0xe8}
  attempt "cr9", {db 0x44, 0x0f, 0x20, 0xc8}
  case "lmsw-cannot-leave-protected-mode"
  mov rbx, cr0
  mov eax, 0
  lmsw ax
  mov rax, cr0
  emit rax
  mov cr0, rbx
  done
  case "lme-under-paging"
  mov ecx, EFER
  mov eax, 0x800
  xor edx, edx
  point
  wrmsr
  done
  case "efer-reserved-bit"
  mov ecx, EFER
  mov eax, 0x80000d00
  xor edx, edx
  point
  wrmsr
  done
  case "efer"
  get_msr EFER
  emit rax
  done

  case "cr4-upper-half"
  change 4, 1 << 32, 0
  done
  mov cr0, r12
  mov cr4, r13
  case "cr4-reserved-bit"
  change 4, 1 << 31, 0
  done
  mov cr0, r12
  mov cr4, r13
  case "cr3-reserved-bit"
  change 3, 1 << 52, 0
  done
  mov cr0, r12
  mov cr4, r13
  case "paging-off-in-64-bit-code"
  change 0, 0, 0x80000000
  done
  mov cr0, r12
  mov cr4, r13
  case "pae-off"
  change 4, 0, 0x20
  done
  mov cr0, r12
  mov cr4, r13
  case "protection-off-under-paging"
  change 0, 0, 1
  done
  mov cr0, r12
  mov cr4, r13
  jmp finish
