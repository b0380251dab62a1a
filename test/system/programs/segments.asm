; Descriptors in IA-32e mode: call gates, LAR, LSL, VERR, VERW, LTR, LLDT, segment loads, I/O rights (SDM 3A 5.8.3, 3.5; SDM 1 19.5).
%define LONG
%define TOPIC "segments"
%include "common.inc"
OTHER equ SLOT + 0x40

; 64-bit call gate at SLOT: address, selector, type byte.
%macro call_gate 3
  mov rax, %1
  mov [gdt + SLOT], ax
  mov word [gdt + SLOT + 2], %2
  mov word [gdt + SLOT + 4], (%3) << 8
  shr rax, 16
  mov [gdt + SLOT + 6], ax
  shr rax, 16
  mov [gdt + SLOT + 8], eax
  mov dword [gdt + SLOT + 12], 0
%endmacro
pointer equ scratch + 0x40
%macro far_call 0
  mov dword [pointer], 0
  mov word [pointer + 4], SLOT | 3
  point
  call far dword [pointer]
%endmacro
%macro gate_case 1
  case %1
  far_call
  done
%endmacro

main:
  call_gate target, CODE, 0xec
  case "gate-same-ring"
  mov dword [continue], .same
  far_call
.same:
  sub rbx, [mark]
  emit rbx
  emit rdx
  mov rax, [saved_sp]
  sub rax, rcx
  emit rax
  done
  case "gate-inner-ring"
  mov dword [continue], .inner
  to_user
  far_call
.inner:
  sub rbx, [mark]
  emit rbx
  emit rdx
  mov eax, RSP0
  sub rax, rcx
  emit rax
  emit rsi
  emit rdi
  emit rbp
  done
  case "gate-ignores-the-parameter-count"
  mov byte [gdt + SLOT + 4], 5
  mov dword [continue], .count
  to_user
  far_call
.count:
  mov eax, RSP0
  sub rax, rcx
  emit rax
  done
  case "gate-and-far-return"
  call_gate returning, CODE, 0xec
  to_user
  far_call
  mov ebx, cs
  mov rcx, rsp
  to_kernel
  emit rbx
  emit rcx
  done
  call_gate target, CODE, 0x8c
  case "gate-privilege"
  to_user
  far_call
  done
  call_gate target, CODE, 0x6c
  gate_case "gate-not-present"
  call_gate target, 0, 0xec
  gate_case "gate-null-code"
  call_gate target, CODE32, 0xec
  gate_case "gate-to-compatibility-code"
  call_gate target, DATA, 0xec
  gate_case "gate-to-data"
  call_gate target, USER64, 0xec
  gate_case "gate-to-an-outer-ring"
  call_gate 0x800000000000, CODE, 0xec
  gate_case "gate-not-canonical"
  call_gate target, CODE, 0xec
  mov byte [gdt + SLOT + 13], 1
  gate_case "gate-upper-type"
  call_gate target, CODE, 0xe4
  gate_case "gate-16-bit"
  call_gate target, CODE, 0xe5
  gate_case "gate-task"
  slot SLOT, 0x67, 0x8900
  gate_case "task-state-segment"
  call_gate target, CODE, 0xec
  case "jump-through-a-gate-stays"
  to_user
  mov dword [pointer], 0
  mov word [pointer + 4], SLOT | 3
  point
  jmp far dword [pointer]
  done
  case "gate-stack-not-canonical"
  gate 12, stubs + 12 * 16, CODE, 0x8e, 1
  mov dword [tss + 8], 0x8000
  to_user
  far_call
  done
  mov dword [tss + 8], 0
  restore_gate 12
  case "gate-in-the-last-eight-bytes"
  lgdt [short_gdt]
  far_call
  done
  lgdt [gdt_pointer]

; LAR and LSL by type: a bit for every type that they know.
%macro survey 2
  case %1
  xor r15d, r15d
  xor r14d, r14d
%%next:
  mov dword [gdt + OTHER], 0x1234
  mov eax, r14d
  or eax, 0x80
  shl eax, 8
  mov [gdt + OTHER + 4], eax
  mov qword [gdt + OTHER + 8], 0
  mov ecx, OTHER
  mov eax, -1
  %2
  setz al
  movzx eax, al
  mov ecx, r14d
  shl eax, cl
  or r15d, eax
  inc r14d
  cmp r14d, 32
  jb %%next
  emit r15
  done
%endmacro
  survey "lar-types", {lar eax, ecx}
  survey "lsl-types", {lsl eax, ecx}
  survey "verr-types", {verr cx}
  survey "verw-types", {verw cx}
  case "lar-value"
  slot OTHER, 0x1234, 0x00cff312
  mov ecx, OTHER
  lar eax, ecx
  and eax, 0xf0ff00
  emit rax
  done
  case "lsl-value"
  lsl eax, ecx
  emit rax
  slot OTHER, 0x1234, 0x00c0f300
  mov ecx, OTHER
  lsl eax, ecx
  emit rax
  done
  case "lar-privilege"
  slot OTHER, 0xffff, 0x00cf9300
  to_user
  mov ecx, OTHER
  mov eax, 0x55
  lar eax, ecx
  setz bl
  movzx ebx, bl
  to_kernel
  emit rax
  emit rbx
  done
  case "lar-null"
  xor ecx, ecx
  mov eax, 0x55
  lar eax, ecx
  setz bl
  movzx ebx, bl
  emit rax
  emit rbx
  done
  case "verr-conforming-ring-3"
  slot OTHER, 0xffff, 0x00af9f00
  to_user
  mov ecx, OTHER
  verr cx
  setz bl
  movzx ebx, bl
  to_kernel
  emit rbx
  done

; LTR, LLDT
%macro other_task 2
  slot OTHER, 0x67, %1
  mov dword [gdt + OTHER + 8], 0
  mov dword [gdt + OTHER + 12], %2
  mov ax, OTHER
  point
  ltr ax
%endmacro
  case "ltr-busy"
  other_task 0x8b00, 0
  done
  case "ltr-not-present"
  other_task 0x0900, 0
  done
  case "ltr-16-bit"
  other_task 0x8100, 0
  done
  mov byte [gdt + TSS + 5], 0x89
  mov ax, TSS
  ltr ax
  case "ltr-null"
  xor eax, eax
  point
  ltr ax
  done
  mov byte [gdt + TSS + 5], 0x89
  mov ax, TSS
  ltr ax
  case "ltr-upper-type"
  other_task 0x8900, 0x100
  done
  case "ltr-ring-3"
  to_user
  point
  ltr ax
  done
  case "ltr-sets-busy"
  mov rbx, [gdt + TSS]
  shr rbx, 40
  and ebx, 0xff
  emit rbx
  done
  case "lldt-type"
  slot OTHER, 0x67, 0x8900
  mov ax, OTHER
  point
  lldt ax
  done
  case "lldt-upper-type"
  slot OTHER, 0x67, 0x8200
  mov ax, OTHER
  point
  lldt ax
  done
  mov dword [gdt + OTHER + 12], 0
  case "lldt-not-present"
  slot OTHER, 0x67, 0x0200
  mov ax, OTHER
  point
  lldt ax
  done
  case "lldt-null-then-use"
  xor eax, eax
  lldt ax
  mov eax, 0x0c
  point
  mov ds, ax
  done
  case "ss-privilege"
  mov eax, USERDATA
  point
  mov ss, ax
  done
  case "ss-not-present"
  slot OTHER, 0xffff, 0x00cf1300
  mov eax, OTHER
  point
  mov ss, ax
  done
  case "ds-not-present"
  point
  mov ds, ax
  done
  case "ss-read-only"
  slot OTHER, 0xffff, 0x00cf9100
  mov eax, OTHER
  point
  mov ss, ax
  done
  case "ds-execute-only"
  slot OTHER, 0xffff, 0x00cf9900
  point
  mov ds, ax
  done
  case "ds-system"
  mov eax, TSS
  point
  mov ds, ax
  done
  case "fs-load-sets-a-32-bit-base"
  slot OTHER, 0x5678ffff, 0x89cf9334
  mov eax, OTHER
  mov fs, ax
  get_msr 0xc0000100
  emit rax
  done
  case "accessed-is-set"
  movzx eax, byte [gdt + OTHER + 5]
  emit rax
  done

; The I/O permission bitmap: TSS limit 87h, bitmap at 68h for ports 0 to FFh.
  case "port-forbidden"
  to_user
  mov edx, 0x80
  point
  in al, dx
  done
  case "port-allowed"
  mov byte [tss + 0x68 + 0x10], 0xfe
  to_user
  mov edx, 0x80
  point
  in al, dx
  to_kernel
  done
  case "port-word-half-allowed"
  to_user
  mov edx, 0x80
  point
  in ax, dx
  done
  case "port-word-allowed"
  mov byte [tss + 0x68 + 0x10], 0xfc
  to_user
  mov edx, 0x80
  point
  in ax, dx
  to_kernel
  done
  case "port-beyond-the-limit"
  to_user
  mov edx, 0x100
  point
  in al, dx
  done
  case "port-needs-the-byte-behind"
  mov byte [tss + 0x68 + 0x1f], 0
  to_user
  mov edx, 0xf8
  point
  in al, dx
  done
  case "port-iopl-3"
  push USERDATA
  push USER_STACK
  push 0x3002
  push USER64
  push .iopl
  iretq
.iopl:
  mov edx, 0x80
  in eax, dx
  cli
  sti
  cli
  to_kernel
  done
  case "cli-ring-3"
  to_user
  point
  cli
  done
  jmp finish

; Ring 0, through a gate: RBX return address, RDX return CS, RCX RSP, RSI old RSP, RDI old SS, EBP SS.
target:
  mov rbx, [rsp]
  mov rdx, [rsp + 8]
  mov rsi, [rsp + 16]
  mov rdi, [rsp + 24]
  mov ebp, ss
  mov rcx, rsp
  mov ax, DATA
  mov ss, ax
  mov rsp, [saved_sp]
  jmp [continue]
returning:
  o64 retf
short_gdt:
  dw SLOT + 7
  dq gdt
