; XSAVE, CMPXCHG16B, alignment checks, model-specific registers (SDM 1 13; SDM 2; SDM 3A 6.15; SDM 4).
%define LONG
%define TOPIC "state"
%include "common.inc"
AREA equ PAGES

%macro xcr0 1
  xor ecx, ecx
  mov eax, (%1) & 0xffffffff
  mov edx, (%1) >> 32
  point
  xsetbv
%endmacro
%macro bits_of 1
  mov eax, %1
  xor edx, edx
  point
%endmacro
main:
  attempt "xgetbv-off", xgetbv
  attempt "xsave-off", xsave [AREA]
  mov rax, cr4
  or eax, 1 << 18
  mov cr4, rax
  case "xcr0-without-x87"
  xcr0 2
  done
  case "xcr0-empty"
  xcr0 0
  done
  case "xcr0-avx-without-sse"
  xcr0 5
  done
  case "xcr0-bit-63"
  xcr0 0x8000000000000001
  done
  case "xsetbv-other-register"
  mov ecx, 1
  mov eax, 3
  xor edx, edx
  point
  xsetbv
  done
  case "xsetbv-ring-3"
  to_user
  point
  xsetbv
  done
  case "xgetbv-other-register"
  mov ecx, 0x100
  point
  xgetbv
  done
  case "xsetbv"
  xcr0 3
  xgetbv
  emit rax
  emit rdx
  done
  case "xgetbv-ring-3"
  to_user
  xor ecx, ecx
  xgetbv
  to_kernel
  emit rax
  done
  case "cpuid-tells-osxsave"
  mov eax, 1
  cpuid
  shr ecx, 27
  and ecx, 1
  emit rcx
  done
  case "xsave-unaligned"
  bits_of 3
  xsave [AREA + 16]
  done
  case "xsave"
  mov rax, 0x1122334455667788
  movq xmm0, rax
  bits_of 3
  xsave [AREA]
  mov rax, [AREA + 512]
  and eax, 2
  emit rax
  emit [AREA + 160]
  done
  case "xsave-leaves-what-is-not-asked-for"
  mov qword [AREA + 160], 5
  mov qword [AREA + 512], 2
  bits_of 1
  xsave [AREA]
  emit [AREA + 160]
  mov rax, [AREA + 512]
  and eax, 2
  emit rax
  done
  case "xrstor"
  mov qword [AREA + 512], 2
  mov qword [AREA + 160], 0x99
  bits_of 3
  xrstor [AREA]
  movq rax, xmm0
  emit rax
  done
  case "xrstor-initial-state"
  fldz
  mov qword [AREA + 512], 0
  bits_of 3
  xrstor [AREA]
  movq rax, xmm0
  emit rax
  fnstcw [scratch]
  movzx eax, word [scratch]
  emit rax
  fnstsw ax
  movzx eax, ax
  emit rax
  done
  case "xrstor-component-that-is-off"
  mov qword [AREA + 512], 4
  bits_of 3
  xrstor [AREA]
  done
  case "xrstor-compaction-bits"
  mov qword [AREA + 512], 1
  mov qword [AREA + 520], 1
  bits_of 3
  xrstor [AREA]
  done
  case "xrstor-reserved-header"
  mov qword [AREA + 520], 0
  mov qword [AREA + 528], 1
  bits_of 3
  xrstor [AREA]
  done
  mov qword [AREA + 528], 0
  case "xrstor-mxcsr-reserved"
  mov qword [AREA + 512], 2
  mov dword [AREA + 24], 0x10000
  bits_of 2
  xrstor [AREA]
  done
  mov dword [AREA + 24], 0x1f80
  case "xsave-task-switched"
  mov rbx, cr0
  mov rax, rbx
  or eax, 8
  mov cr0, rax
  mov qword [resume], .ts
  bits_of 3
  xsave [AREA]
.ts:
  mov cr0, rbx
  done
  attempt "fxsave-unaligned", fxsave [AREA + 8]
  attempt "movaps-unaligned", movaps xmm0, [AREA + 8]
  attempt "movups-unaligned", movups xmm0, [AREA + 8]
  attempt "movdqa-store-unaligned", movdqa [AREA + 8], xmm0
  mov dword [scratch], 0x10000
  attempt "ldmxcsr-reserved", ldmxcsr [scratch]

; CMPXCHG16B
  case "cmpxchg16b-unaligned"
  point
  cmpxchg16b [AREA + 8]
  done
  case "cmpxchg16b-equal"
  mov qword [AREA], 1
  mov qword [AREA + 8], 2
  mov eax, 1
  mov edx, 2
  mov ebx, 3
  mov ecx, 4
  lock cmpxchg16b [AREA]
  setz al
  movzx eax, al
  emit rax
  emit [AREA]
  emit [AREA + 8]
  done
  case "cmpxchg16b-different"
  mov eax, 1
  mov edx, 2
  cmpxchg16b [AREA]
  setz bl
  movzx ebx, bl
  emit rax
  emit rdx
  emit rbx
  done
  case "cmpxchg16b-writes-when-different"
  mov qword [PT], PAGES | 5
  mov ebx, VIRTUAL
  point
  cmpxchg16b [rbx]
  done

; Alignment checks: ring 3, CR0.AM and EFLAGS.AC.
%macro checked 1
  mov rax, cr0
  or eax, 0x40000
  mov cr0, rax
  push USERDATA
  push USER_STACK
  push %1
  push USER64
  push %%user
  iretq
%%user:
%endmacro
  case "alignment-dword"
  checked 0x40002
  mov eax, [scratch + 2]
  to_kernel
  done
  case "alignment-word"
  checked 0x40002
  mov ax, [scratch + 1]
  to_kernel
  done
  case "alignment-word-at-two"
  checked 0x40002
  mov ax, [scratch + 2]
  to_kernel
  done
  case "alignment-qword-at-four"
  checked 0x40002
  mov rax, [scratch + 4]
  to_kernel
  done
  case "alignment-byte"
  checked 0x40002
  mov al, [scratch + 1]
  to_kernel
  done
  case "alignment-push"
  checked 0x40002
  mov rsp, USER_STACK - 4
  push rax
  to_kernel
  done
  case "alignment-x87"
  checked 0x40002
  fld qword [scratch + 4]
  to_kernel
  done
  case "alignment-without-ac"
  checked 2
  mov eax, [scratch + 2]
  to_kernel
  done
  case "alignment-ring-0"
  push 0x40002
  popf
  mov eax, [scratch + 2]
  done
  mov rax, cr0
  and eax, ~0x40000
  mov cr0, rax
  case "alignment-without-am"
  push USERDATA
  push USER_STACK
  push 0x40002
  push USER64
  push .noam
  iretq
.noam:
  mov eax, [scratch + 2]
  to_kernel
  done

; Model-specific registers.
%macro refused 3
  case %1
  mov ecx, %2
  mov rax, %3
  mov rdx, rax
  shr rdx, 32
  point
  wrmsr
  done
%endmacro
  case "rdmsr-unknown"
  mov ecx, 0x12345
  point
  rdmsr
  done
  refused "wrmsr-unknown", 0x12345, 0
  case "rdmsr-ring-3"
  to_user
  mov ecx, 0xc0000080
  point
  rdmsr
  done
  case "wrmsr-ring-3"
  to_user
  point
  wrmsr
  done
  refused "pat-reserved-type", 0x277, 0x0007040600070402
  refused "pat-reserved-bits", 0x277, 0x0007040600070486
  refused "tsc-aux-upper-half", 0xc0000103, 1 << 32
  refused "mtrr-default-reserved-type", 0x2ff, 2
  refused "mtrr-default-reserved-bits", 0x2ff, 0x1000
  refused "mtrr-fixed-reserved-type", 0x250, 2
  refused "mtrr-capabilities-are-read-only", 0xfe, 0
  refused "apic-base-reserved-bits", 0x1b, 0xfee00001
  case "tsc-aux"
  set_msr 0xc0000103, 0x77
  rdtscp
  emit rcx
  done
  case "tsc-is-written"
  mov rax, 0x1000000000
  set_msr 0x10, rax
  rdtsc
  emit rdx
  done
  case "pat"
  set_msr 0x277, 0x0007040600070106
  get_msr 0x277
  emit rax
  done
  case "rdtsc-ring-3-disabled"
  mov rax, cr4
  or eax, 4
  mov cr4, rax
  to_user
  point
  rdtsc
  done
  case "rdtscp-ring-3-disabled"
  to_user
  point
  rdtscp
  done
  observe "rdtsc-ring-0-disabled", rdtsc, 0
  case "rdpmc-ring-3-disabled"
  to_user
  xor ecx, ecx
  point
  rdpmc
  done
  case "hlt-ring-3"
  to_user
  hlt
  done
  case "wbinvd-ring-3"
  to_user
  wbinvd
  done
  case "clts-ring-3"
  to_user
  clts
  done
  case "lock-of-what-cannot-be-locked"
  point
  db 0xf0, 0x90
  done
  case "longer-than-15-bytes"
  point
  times 15 db 0x66
  nop
  done
  jmp finish
