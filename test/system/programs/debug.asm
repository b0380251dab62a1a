; Debug registers, single-stepping, ICEBP (SDM 3B 17.2, 17.3).
%define LONG
%define TOPIC "debug"
%include "common.inc"

%macro breakpoint 3 ; number, address, R/W and length bits (LEN << 2 | RW)
  mov eax, %2
  mov dr%1, rax
  mov eax, ((%3) << (16 + %1 * 4)) | (1 << (%1 * 2))
  mov dr7, rax
%endmacro
; A case that ends by #DB: prints DR6 and how far behind the mark it came.
%macro trapped 0
%$trap:
  mov rax, dr6
  xor ebx, ebx
  mov dr7, rbx
  mov ebx, 0xffff0ff0
  mov dr6, rbx
  emit rax
  done
%endmacro
%macro traps 1
  case %1
  mov qword [resume], %$trap
%endmacro

main:
  case "reserved-bits"
  xor eax, eax
  mov dr7, rax
  mov rax, dr7
  emit rax
  xor eax, eax
  mov dr6, rax
  mov rax, dr6
  emit rax
  done
  case "dr7-upper-half"
  mov rax, 1 << 32
  point
  mov dr7, rax
  done
  case "dr6-upper-half"
  mov rax, 1 << 32
  point
  mov dr6, rax
  done
  case "dr0-takes-64-bits"
  mov rax, 0xffff800012345678
  mov dr0, rax
  mov rbx, dr0
  emit rbx
  done
  case "dr4-is-dr6"
  mov eax, 0xffff0ff1
  mov dr6, rax
  db 0x0f, 0x21, 0xe3
  emit rbx
  mov eax, 0xffff0ff0
  mov dr6, rax
  done
  mov rax, cr4
  or eax, 8
  mov cr4, rax
  attempt "dr4-with-de", {db 0x0f, 0x21, 0xe3}
  attempt "dr5-with-de", {db 0x0f, 0x23, 0xeb}
  attempt "dr8", {db 0x44, 0x0f, 0x21, 0xc3}
  case "ring-3"
  to_user
  point
  mov rax, dr0
  done

  traps "execute"
  breakpoint 0, .execute, 0
  mov dword [mark], .execute
  nop
.execute:
  nop
  trapped
  traps "execute-ring-3"
  breakpoint 3, .execute3, 0
  to_user
  mov dword [mark], .execute3
.execute3:
  nop
  trapped
  case "execute-resumes-by-rf"
  mov qword [hook], .hit
  xor r15d, r15d
  breakpoint 0, .resumed, 0
  nop
.resumed:
  inc r15d
  xor eax, eax
  mov dr7, rax
  mov eax, 0xffff0ff0
  mov dr6, rax
  emit r15
  emit r14
  mov qword [rec_vector], -1
  jmp .after
.hit:
  mov r14, [rsp + 32]
  or dword [rsp + 32], 0x10000
  add r15d, 0x100
  add rsp, 16
  iretq
.after:
  done
  traps "execute-behind-a-stack-load"
  breakpoint 0, .shadowed, 0
  mov eax, ss
  mov dword [mark], .shadowed
  mov ss, ax
.shadowed:
  nop
  mov rax, dr7
  jmp %$trap
  trapped

  traps "write"
  breakpoint 1, scratch + 4, 13
  point
  mov [scratch + 4], eax
  nop
  trapped
  traps "write-is-not-for-reads"
  breakpoint 1, scratch + 4, 13
  point
  mov eax, [scratch + 4]
  nop
  trapped
  traps "access"
  breakpoint 2, scratch + 4, 15
  point
  mov eax, [scratch + 4]
  nop
  trapped
  traps "overlap"
  breakpoint 0, scratch + 8, 15
  point
  mov ax, [scratch + 7]
  nop
  trapped
  traps "length-8"
  breakpoint 0, scratch + 8, 11
  point
  mov al, [scratch + 15]
  nop
  trapped
  traps "length-8-next"
  breakpoint 0, scratch + 8, 11
  point
  mov al, [scratch + 16]
  nop
  trapped
  traps "address-is-aligned-down"
  breakpoint 0, scratch + 11, 15
  point
  mov al, [scratch + 8]
  nop
  trapped
  traps "read-modify-write"
  breakpoint 0, scratch + 8, 15
  point
  inc dword [scratch + 8]
  nop
  trapped
  traps "push"
  breakpoint 0, KERNEL_STACK - 0x108, 13
  mov rsp, KERNEL_STACK - 0x100
  point
  push rax
  nop
  trapped
  case "repeated-store"
  mov qword [resume], .repeated
  breakpoint 0, scratch + 8, 1
  mov edi, scratch
  mov ecx, 16
  point
  rep stosb
.repeated:
  xor eax, eax
  mov dr7, rax
  mov eax, 0xffff0ff0
  mov dr6, rax
  mov rbx, [rec_ip]
  sub rbx, [mark]
  emit rcx
  emit rbx
  emit [rec_flags]
  mov qword [rec_vector], -1
  done
  traps "two-at-once"
  mov eax, scratch
  mov dr0, rax
  mov dr1, rax
  mov eax, 0x00ff0005
  mov dr7, rax
  point
  mov [scratch], eax
  nop
  trapped
  traps "port"
  breakpoint 0, 0x80, 2
  mov eax, 0
  point
  out 0x80, al
  nop
  trapped
  traps "general-detect"
  mov eax, 0x2400
  mov dr7, rax
  point
  mov rax, dr0
  trapped
  case "general-detect-is-off-in-the-handler"
  mov eax, 0x2400
  mov qword [resume], .detected
  mov dr7, rax
  mov rax, dr0
.detected:
  mov rbx, dr7
  emit rbx
  mov eax, 0x400
  mov dr7, rax
  mov eax, 0xffff0ff0
  mov dr6, rax
  mov qword [rec_vector], -1
  done

%macro step 0
  pushf
  or dword [rsp], 0x100
  popf
%endmacro
  traps "single-step"
  step
  nop
  nop
  trapped
  traps "single-step-behind-a-stack-load"
  mov eax, ss
  mov dword [mark], .load
  step
.load:
  mov ss, ax
  nop
  nop
  trapped
  case "single-step-flags"
  mov qword [resume], .flags
  step
  nop
.flags:
  emit [rec_flags]
  emit [rec_live_flags]
  mov eax, 0xffff0ff0
  mov dr6, rax
  mov qword [rec_vector], -1
  done
  traps "single-step-of-a-fault"
  mov dword [mark], .fault
  step
.fault:
  ud2
  trapped
  traps "single-step-and-data"
  breakpoint 0, scratch, 13
  mov dword [mark], .both
  step
.both:
  mov [scratch], eax
  nop
  trapped
  traps "icebp"
  point
  db 0xf1
  trapped
  traps "icebp-ring-3"
  to_user
  point
  db 0xf1
  trapped
  case "disabled-breakpoint"
  mov eax, scratch
  mov dr0, rax
  mov eax, 0x00030400
  mov dr7, rax
  mov [scratch], eax
  nop
  done
  traps "global-enable"
  mov eax, scratch
  mov dr0, rax
  mov eax, 0x00030402
  mov dr7, rax
  point
  mov [scratch], eax
  nop
  trapped
  jmp finish
