; The local APIC: self-interrupts, priorities, CR8, the timer, errors (SDM 3A 10.4 to 10.8).
%define LONG
%define TOPIC "apic"
%include "common.inc"
APIC equ 0xfee00000

%macro wr 2
  mov ebx, APIC + %1
  mov dword [rbx], %2
%endmacro
%macro rd 1
  mov ebx, APIC + %1
  mov eax, [rbx]
%endmacro
; Lets interrupts in for a while; the handler collects vectors in `taken`.
%macro let_in 0
  sti
  mov ecx, 200
%%wait:
  nop
  loop %%wait
  cli
%endmacro
%macro collect 1
  case %1
  mov qword [hook], handler
  mov qword [taken], 0
%endmacro
%macro self 1
  wr 0x300, 0x40000 | (%1)
  mov ecx, 100
%%sent:
  loop %%sent
%endmacro

main:
  case "base"
  mov ecx, 0x1b
  rdmsr
  emit rax
  done
  case "software-disabled-masks"
  wr 0x320, 0x40
  rd 0x320
  emit rax
  wr 0x320, 0x10040
  done
  wr 0xf0, 0x1ff
  collect "self"
  self 0x41
  let_in
  emit [taken]
  done
  collect "waits-for-if"
  self 0x41
  rd 0x220
  emit rax
  let_in
  rd 0x220
  emit rax
  emit [taken]
  done
  collect "highest-first"
  self 0x51
  self 0x71
  self 0x61
  let_in
  emit [taken]
  done
  collect "task-priority-holds-back"
  wr 0x80, 0x50
  self 0x5f
  let_in
  emit [taken]
  rd 0xa0
  emit rax
  wr 0x80, 0x40
  let_in
  emit [taken]
  wr 0x80, 0
  done
  collect "cr8-is-the-task-priority"
  mov eax, 7
  mov cr8, rax
  rd 0x80
  emit rax
  wr 0x80, 0x3f
  mov rax, cr8
  emit rax
  xor eax, eax
  mov cr8, rax
  rd 0x80
  emit rax
  done
  collect "cr8-lets-in"
  mov eax, 8
  mov cr8, rax
  self 0x82
  let_in
  emit [taken]
  mov eax, 7
  mov cr8, rax
  let_in
  emit [taken]
  xor eax, eax
  mov cr8, rax
  done
  case "cr8-reserved-bits"
  mov eax, 0x10
  point
  mov cr8, rax
  done
  case "cr8-ring-3"
  to_user
  point
  mov rax, cr8
  done
  case "in-service"
  mov qword [hook], keeper
  mov qword [taken], 0
  self 0x91
  let_in
  rd 0x140
  emit rax
  rd 0xa0
  emit rax
  self 0x8f
  let_in
  emit [taken]
  self 0xa1
  let_in
  emit [taken]
  wr 0xb0, 0
  rd 0xa0
  emit rax
  wr 0xb0, 0
  let_in
  emit [taken]
  wr 0xb0, 0
  done
  collect "illegal-vector"
  wr 0x280, 0
  self 5
  wr 0x280, 0
  rd 0x280
  and eax, 0x20
  emit rax
  wr 0x280, 0
  wr 0x280, 0
  rd 0x280
  emit rax
  ; one that was accepted all the same goes now, not in front of the timer
  let_in
  done
  collect "timer-once"
  wr 0x3e0, 0xb
  wr 0x320, 0x45
  wr 0x380, 1000
  sti
.once:
  cmp byte [taken], 0
  je .once
  cli
  rd 0x390
  emit rax
  emit [taken]
  done
  collect "timer-periodic"
  wr 0x320, 0x20046
  ; long beside the handler, which would otherwise be all that runs on a slow computer
  wr 0x380, 1000000
  sti
.twice:
  cmp byte [taken + 1], 0
  je .twice
  cli
  wr 0x320, 0x10046
  wr 0x380, 0
  movzx eax, word [taken]
  emit rax
  done
  collect "timer-masked"
  wr 0x320, 0x10047
  wr 0x380, 100
.masked:
  rd 0x390
  test eax, eax
  jnz .masked
  let_in
  emit [taken]
  rd 0x320
  emit rax
  done
  case "timer-mode-survives"
  wr 0x3e0, 0xffffffff
  rd 0x3e0
  emit rax
  done
  collect "halt-wakes"
  wr 0x3e0, 0xb
  wr 0x320, 0x48
  wr 0x380, 2000
  sti
  hlt
  cli
  emit [taken]
  done
  collect "sti-shadow"
  self 0x49
  sti
  mov rax, [taken]
  cli
  emit rax
  let_in
  emit [taken]
  done
  jmp finish

handler:
  mov qword [rec_vector], -1
  push rax
  push rbx
  mov rax, [taken]
  shl rax, 8
  mov al, [rsp + 16]
  mov [taken], rax
  mov ebx, APIC + 0xb0
  mov dword [rbx], 0
  pop rbx
  pop rax
  add rsp, 16
  iretq
; Leaves the interrupt in service.
keeper:
  mov qword [rec_vector], -1
  push rax
  mov rax, [taken]
  shl rax, 8
  mov al, [rsp + 8]
  mov [taken], rax
  pop rax
  add rsp, 16
  iretq
  align 8
taken: dq 0
