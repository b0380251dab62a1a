; Addresses that are not canonical (SDM 1 3.3.7.1; SDM 3A 6.15: #GP, #SS).
%define LONG
%define TOPIC "canonical"
%include "common.inc"
HOLE equ 0x800000000000

main:
  ; a stack pointer that is outside cannot take the fault's frame
  gate 12, stubs + 12 * 16, CODE, 0x8e, 1
  gate 13, stubs + 13 * 16, CODE, 0x8e, 1
  gate 14, stubs + 14 * 16, CODE, 0x8e, 1
  mov r8, HOLE
  attempt "load", {mov al, [r8]}
  attempt "store", {mov [r8], al}
  attempt "upper-edge-of-the-hole", {mov al, [r8 - 1 + 0x7fffffff]}
  case "last-of-the-hole"
  mov rax, 0xffff7fffffffffff
  point
  mov al, [rax]
  done
  case "first-of-the-upper-half"
  mov rax, 0xffff800000000000
  point
  mov al, [rax]
  done
  case "last-of-the-lower-half"
  mov rax, 0x7fffffffffff
  point
  mov al, [rax]
  done
  case "across-the-edge"
  mov rax, 0x7ffffffffffc
  point
  mov rax, [rax]
  done
  case "by-rsp"
  mov rsp, r8
  point
  mov rax, [rsp + 8]
  done
  case "by-rbp"
  mov rbp, r8
  point
  mov rax, [rbp]
  done
  case "by-rbp-as-index"
  mov rbp, r8
  xor eax, eax
  point
  mov rax, [rax + rbp * 1]
  done
  case "push"
  mov rsp, r8
  point
  push rax
  done
  case "pop"
  mov rsp, r8
  point
  pop rax
  done
  case "call-pushes-outside"
  mov rsp, r8
  point
  call escape
  done
  case "enter"
  mov rsp, r8
  point
  enter 8, 0
  done
  case "leave"
  mov rbp, r8
  point
  leave
  done
  case "jump"
  point
  jmp r8
  done
  case "call"
  point
  call r8
  done
  case "call-leaves-the-stack-pointer"
  mov qword [resume], .pushes
  call r8
.pushes:
  mov rax, [saved_sp]
  sub rax, [rec_sp]
  emit rax
  mov qword [rec_vector], -1
  done
  case "return"
  push r8
  point
  ret
  done
  case "return-pops-nothing"
  push r8
  mov qword [resume], .pops
  ret
.pops:
  mov rax, [saved_sp]
  sub rax, [rec_sp]
  emit rax
  mov qword [rec_vector], -1
  done
  case "through-fs"
  mov ecx, 0xc0000100
  mov edx, 0x7fff
  mov eax, 0xfffffff0
  wrmsr
  mov eax, 0x20
  point
  mov al, [fs:rax]
  done
  case "fs-base-adds-into-the-upper-half"
  mov ecx, 0xc0000100
  mov edx, 0xffff7fff
  mov eax, 0xfffffff0
  point
  wrmsr
  done
  attempt "lea", {lea rax, [r8]}
  attempt "invlpg", {invlpg [r8]}
  attempt "prefetch", {prefetcht0 [r8]}
  attempt "clflush", {clflush [r8]}
  attempt "multi-byte-nop", {nop dword [r8]}
  case "rep-with-zero-count"
  xor ecx, ecx
  mov rdi, r8
  mov rsi, r8
  point
  rep movsb
  done
  case "string-source"
  mov rsi, r8
  point
  lodsb
  done
  case "string-destination"
  mov rdi, r8
  point
  stosb
  done
  case "bit-offset-reaches-out"
  mov rax, 1 << 62
  mov ebx, scratch
  point
  bt [rbx], rax
  done
  case "bit-offset-comes-back"
  mov rax, -8
  mov rbx, 0xffff800000000000
  point
  bt [rbx], rax
  done
  case "moffs"
  point
  mov al, [qword HOLE]
  done
  case "xlat"
  mov rbx, r8
  point
  xlatb
  done
  case "lgdt-base"
  mov word [scratch], 0xff
  mov [scratch + 2], r8
  point
  lgdt [scratch]
  done
  lgdt [gdt_pointer]
  case "lidt-base"
  point
  lidt [scratch]
  done
  lgdt [gdt_pointer]
  lidt [idt_pointer]
  case "far-pointer-load"
  point
  o64 lss rax, [r8]
  done
  case "fxsave"
  point
  fxsave [r8]
  done
  case "fxsave-unaligned-and-outside"
  point
  fxsave [r8 + 1]
  done
  case "user-load"
  to_user
  point
  mov al, [r8]
  done
  case "user-push"
  to_user
  mov rsp, r8
  point
  push rax
  done

; Running off the lower half's end: RIP of the fault is the first address outside.
  mov dword [PML4 + 255 * 8], TABLES | 7
  mov dword [TABLES + 511 * 8], (TABLES + 0x1000) | 7
  mov dword [TABLES + 0x1000 + 511 * 8], (TABLES + 0x2000) | 7
  mov dword [TABLES + 0x2000 + 511 * 8], PAGES | 7
  mov byte [PAGES + 0xffe], 0x90
  mov byte [PAGES + 0xfff], 0x90
  case "running-off-the-lower-half"
  mov rax, 0x7ffffffffffe
  jmp rax
  done
  mov byte [PAGES + 0xfff], 0xb8
  case "instruction-across-the-edge"
  mov rax, 0x7ffffffffffe
  jmp rax
  done
  mov word [PAGES + 0xffe], 0x7feb
  case "last-bytes-can-be-read"
  mov rax, 0x7ffffffffffe
  movzx ebx, word [rax]
  emit rbx
  done
  case "cmpxchg-memory"
  point
  lock cmpxchg [r8], rax
  done
  jmp finish
