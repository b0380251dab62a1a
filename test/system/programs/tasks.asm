; Hardware tasks, task gates, call gates with parameters, SYSENTER, ARPL in 32-bit protected mode (SDM 3A 5.8, 7; SDM 2A ARPL).
%define TOPIC "tasks"
%include "common.inc"
OTHER equ 0x300000
TASKGATE equ SLOT + 8
CALLGATE equ SLOT + 16
SPARE equ SLOT + 24

; The other task begins at %1.
%macro prepare 1
  mov dword [OTHER], 0
  mov dword [OTHER + 0x1c], 0
  mov dword [OTHER + 0x20], %1
  mov dword [OTHER + 0x24], 2
  mov dword [OTHER + 0x38], 0x310000
  mov dword [OTHER + 0x48], DATA
  mov dword [OTHER + 0x4c], CODE
  mov dword [OTHER + 0x50], DATA
  mov dword [OTHER + 0x54], DATA
  mov dword [OTHER + 0x58], DATA
  mov dword [OTHER + 0x5c], DATA
  mov dword [OTHER + 0x60], 0
  mov dword [OTHER + 0x64], 0x680000
  slot SLOT, 0x67, 0x8930
%endmacro
; Whatever task runs: the first one again.
%macro home 0
  and byte [gdt + SLOT + 5], 0xfd
  and byte [gdt + TSS + 5], 0xfd
  mov ax, TSS
  ltr ax
  clts
%endmacro
%macro types 0
  movzx eax, byte [gdt + TSS + 5]
  emit eax
  movzx eax, byte [gdt + SLOT + 5]
  emit eax
%endmacro

main:
  slot TASKGATE, SLOT << 16, 0xe500
  case "call"
  prepare .callee
  clts
  call SLOT:0
  jmp .called
.callee:
  pushf
  pop ebx
  emit ebx
  str ax
  movzx eax, ax
  emit eax
  mov eax, [OTHER]
  emit eax
  mov eax, cr0
  and eax, 8
  emit eax
  types
  iret
.called:
  types
  pushf
  pop ebx
  emit ebx
  home
  done
  case "jump"
  prepare .jumped
  jmp SLOT:0
.back:
  types
  jmp .end_of_jump
.jumped:
  pushf
  pop ebx
  emit ebx
  mov eax, [OTHER]
  emit eax
  types
  jmp TSS:0
.end_of_jump:
  jmp .over
.over:
  home
  done
  case "second-call-goes-on-behind-iret"
  prepare .first
  call SLOT:0
  call SLOT:0
  jmp .both
.first:
  emit 1
  iret
  emit 2
  iret
.both:
  home
  done
  case "call-by-a-gate"
  prepare .gated
  call TASKGATE:0
  jmp .gate_done
.gated:
  emit 7
  iret
.gate_done:
  home
  done
  case "call-by-a-gate-from-ring-3"
  prepare .gated3
  to_user
  call TASKGATE:0
  mov ebx, cs
  to_kernel
  emit ebx
  home
  jmp .done3
.gated3:
  mov eax, cs
  emit eax
  iret
.done3:
  done
  gate 0x44, 0, SLOT, 0x85
  case "interrupt-by-a-gate"
  prepare .interrupted
  int 0x44
  jmp .int_done
.interrupted:
  pushf
  pop ebx
  emit ebx
  iret
.int_done:
  home
  done
  case "fault-by-a-gate-pushes-its-code"
  prepare .faulted
  gate 13, 0, SLOT, 0x85
  mov ax, 0x200
  mov ds, ax
  jmp .fault_done
.faulted:
  mov eax, esp
  emit eax
  pop eax
  emit eax
  mov eax, [tss + 0x20]
  add dword [tss + 0x20], 2
  iret
.fault_done:
  restore_gate 13
  home
  done
  case "busy"
  point
  call TSS:0
  done
  case "not-present"
  prepare escape
  slot SLOT, 0x67, 0x0930
  point
  call SLOT:0
  done
  case "limit"
  prepare escape
  slot SLOT, 0x66, 0x8930
  point
  call SLOT:0
  done
  case "limit-by-an-interrupt"
  point
  int 0x44
  done
  case "privilege"
  prepare escape
  to_user
  point
  call SLOT:0
  done
  case "return-to-what-is-not-busy"
  prepare escape
  mov dword [tss], SLOT
  push 0x4002
  popf
  point
  iret
  done
  case "return-to-no-task"
  mov dword [tss], DATA
  push 0x4002
  popf
  point
  iret
  done
  case "bad-data-segment"
  prepare escape
  mov dword [OTHER + 0x54], 0x200
  mov dword [resume], .bad_data
  jmp SLOT:0
.bad_data:
  home
  mov eax, [rec_vector]
  emit eax
  mov eax, [rec_error]
  emit eax
  mov eax, [rec_ip]
  sub eax, escape
  emit eax
  mov dword [rec_vector], -1
  done
  case "code-not-present"
  prepare escape
  slot SPARE, 0xffff, 0xcf1b00
  mov dword [OTHER + 0x4c], SPARE
  mov dword [resume], .bad_code
  jmp SLOT:0
.bad_code:
  home
  mov eax, [rec_vector]
  emit eax
  mov eax, [rec_error]
  emit eax
  mov dword [rec_vector], -1
  done
  case "trap-bit"
  prepare escape
  mov dword [OTHER + 0x64], 0x680001
  mov dword [resume], .trap
  jmp SLOT:0
.trap:
  home
  mov eax, dr6
  emit eax
  mov eax, [rec_ip]
  sub eax, escape
  emit eax
  mov dword [rec_vector], -1
  mov eax, 0xffff0ff0
  mov dr6, eax
  done

; Call gates.
%macro call_gate 3
  mov eax, %1
  mov [gdt + CALLGATE], ax
  mov word [gdt + CALLGATE + 2], %2
  mov word [gdt + CALLGATE + 4], %3
  shr eax, 16
  mov [gdt + CALLGATE + 6], ax
%endmacro
  case "call-gate-copies-parameters"
  call_gate parameters, CODE, 0xec03
  to_user
  push 0x11
  push 0x22
  push 0x33
  call CALLGATE | 3:0
  mov edi, esp
  to_kernel
  emit ebx
  emit ecx
  emit edx
  emit esi
  emit edi
  done
  case "call-gate-same-ring-copies-nothing"
  mov ebx, esp
  call_gate .same, CODE, 0xec03
  call CALLGATE:0
  jmp .same_done
.same:
  sub ebx, esp
  retf
.same_done:
  emit ebx
  done
  case "call-gate-16-bit"
  call_gate .narrow, CODE, 0xe402
  mov word [gdt + CALLGATE + 6], 0
  mov eax, .narrow
  sub eax, 0x100000
  mov [gdt + CALLGATE], ax
  slot SPARE, 0x0000ffff, 0xcf9b10
  mov word [gdt + CALLGATE + 2], SPARE
  to_user
  push 0x11112222
  call CALLGATE | 3:0
.narrow:
  mov ebx, [esp]
  mov ecx, [esp + 4]
  mov edx, [esp + 8]
  mov eax, RSP0
  sub eax, esp
  jmp CODE:.wide
.wide:
  mov esp, [saved_sp]
  and ebx, 0xffff0000
  emit eax
  emit ebx
  emit ecx
  emit edx
  done
  case "call-gate-limit"
  slot SPARE, 0x00000fff, 0x409b00
  call_gate escape, SPARE, 0xec00
  point
  call CALLGATE:0
  done
  case "call-gate-privilege"
  call_gate escape, CODE, 0x8c00
  to_user
  point
  call CALLGATE:0
  done
  case "jump-by-a-gate-to-an-inner-ring"
  call_gate escape, CODE, 0xec00
  to_user
  point
  jmp CALLGATE | 3:0
  done
  case "conforming-gate-keeps-the-ring"
  slot SPARE, 0xffff, 0xcf9f00
  call_gate .conforming, SPARE, 0xec00
  to_user
  call CALLGATE | 3:0
.conforming:
  mov ebx, cs
  to_kernel
  emit ebx
  done
  case "far-return-releases-both-stacks"
  mov ax, USERDATA
  mov ds, ax
  mov ax, DATA
  mov es, ax
  push USERDATA
  push USER_STACK
  push 1
  push 2
  push USER32
  push .released
  retf 8
.released:
  mov ebx, esp
  mov ecx, es
  to_kernel
  emit ebx
  emit ecx
  done

; SYSENTER and SYSEXIT.
%macro msr 2
  mov ecx, %1
  mov eax, %2
  xor edx, edx
  wrmsr
%endmacro
  msr 0x174, 0
  attempt "sysenter-null", sysenter
  msr 0x174, CODE
  msr 0x175, KERNEL_STACK - 0x3000
  msr 0x176, .entered
  case "sysenter"
  to_user
  sysenter
.entered:
  mov ebx, cs
  mov ecx, ss
  mov edx, esp
  mov esp, [saved_sp]
  emit ebx
  emit ecx
  emit edx
  done
  case "sysexit"
  mov edx, .left
  mov ecx, USER_STACK - 8
  sysexit
.left:
  mov ebx, cs
  mov ecx, ss
  mov edx, esp
  to_kernel
  emit ebx
  emit ecx
  emit edx
  done
  case "sysexit-ring-3"
  to_user
  point
  sysexit
  done

; ARPL and the surveys of protected mode.
%macro adjust 3
  case %1
  mov eax, %2
  mov ecx, %3
  arpl ax, cx
  setz bl
  movzx ebx, bl
  emit eax
  emit ebx
  done
%endmacro
  adjust "arpl-raises", 0x50, 0x13
  adjust "arpl-leaves", 0x53, 0x12
  adjust "arpl-equal", 0x52, 0x12
%macro survey 2
  case %1
  mov dword [counted], 0
  xor ebx, ebx
%%next:
  mov dword [gdt + SPARE], 0x1234
  mov eax, ebx
  or eax, 0x80
  shl eax, 8
  mov [gdt + SPARE + 4], eax
  mov ecx, SPARE
  %2
  setz al
  movzx eax, al
  mov ecx, ebx
  shl eax, cl
  or [counted], eax
  inc ebx
  cmp ebx, 32
  jb %%next
  mov eax, [counted]
  emit eax
  done
%endmacro
  survey "lar-types", {lar eax, ecx}
  survey "lsl-types", {lsl eax, ecx}
  survey "verr-types", {verr cx}
  survey "verw-types", {verw cx}
  jmp finish

parameters:
  mov ebx, [esp + 8]
  mov ecx, [esp + 12]
  mov edx, [esp + 16]
  mov esi, [esp + 20]
  retf 12
  align 4
counted: dd 0
