; Errors of the x87 with CR0.NE clear: FERR#, IRQ13 and port F0h (SDM 1 8.7.2, D.2).
; What differs between processors is not looked at: when FERR# rises, before the next waiting instruction is done.
%include "interrupts.inc"

handle:
  pushad
  mov eax, [esp + 32]
  call hex
  fnstsw ax
  movzx eax, ax
  and eax, 0x80ff
  call hex
  cmp byte [acknowledges], 0
  je .cleared
  mov al, 0
  out 0xf0, al
.cleared:
  cmp byte [clears], 0
  je .end
  fnclex
.end:
  mov al, 0x20
  out 0xa0, al
  out 0x20, al
  popad
  add esp, 4
  iretd

begin:
  prepare_interrupts
  mov al, 0xfb
  out 0x21, al
  mov al, 0xdf
  out 0xa1, al
  mov eax, cr0
  and eax, ~0x2c
  or eax, 2
  mov cr0, eax
  fninit
  fldcw [control]
  sti
; 1: a division by zero, reported before WAIT is done
  fld1
  fldz
  fdivp st1
  fwait
  call newline
; 2: port F0h asserts IGNNE#: the error stays, and the unit computes on
  fninit
  fldcw [control]
  mov byte [clears], 0
  fld1
  fldz
  fdivp st1
  fwait
  fld1
  fld1
  faddp st1
  fistp dword [result]
  mov eax, [result]
  call hex
  fnstsw ax
  movzx eax, ax
  and eax, 0x80ff
  call hex
  call newline
; 3: without an error IGNNE# is gone, and the next one is reported
  fnclex
  mov byte [clears], 1
  fninit
  fldcw [control]
  fld1
  fldz
  fdivp st1
  fwait
  call newline
; 4: with CR0.NE vector 16 reports
  mov eax, cr0
  or eax, 0x20
  mov cr0, eax
  fninit
  fldcw [control]
  fld1
  fldz
  fdivp st1
  fwait
  call newline
  jmp finish

section .data
control: dw 0x37b
acknowledges: db 1
clears: db 1
result: dd 0
