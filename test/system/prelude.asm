; Common part of the system-mode tests: a bootable image at 7C00h that enters protected mode, logs faults and goes on.
; A test's own text follows as %include "test.asm" and starts at `test` in ring 0, 32-bit, interrupts off.
bits 16
org 0x7c00

start:
  jmp 0:.loaded
.loaded:
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 0x7c00
%ifdef BOOT
  ; As a boot disk (for another emulator): fetch the rest, then the A20 gate.
  mov [drive], dl
  mov cx, 2
.sector:
  mov ax, 0x0201
  mov bx, [where]
  mov dh, 0
  mov dl, [drive]
  push cx
  ; LBA in cx - 1: 18 sectors a track, 2 heads
  mov ax, cx
  dec ax
  mov bl, 18
  div bl
  mov cl, ah
  inc cl
  mov dh, al
  and dh, 1
  shr al, 1
  mov ch, al
  mov ax, 0x0201
  mov bx, [where]
  int 0x13
  pop cx
  add word [where], 512
  inc cx
  cmp cx, 50
  jb .sector
  mov ax, 0x2401
  int 0x15
  ; No interrupt of the board comes between: the BIOS left its timer on.
  cli
  mov al, 0xff
  out 0x21, al
  out 0xa1, al
%endif
  cli
%ifdef REAL
  jmp 0:test
%else
  lgdt [gdt_pointer]
  lidt [idt_pointer]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp CODE:enter
%endif
drive: db 0
where: dw 0x7e00
gdt_pointer:
  dw gdt_end - gdt - 1
  dd gdt
idt_pointer:
  dw 256 * 8 - 1
  dd idt
real_idt_pointer:
  dw 0x3ff
  dd 0
  times 510 - ($ - $$) db 0
  dw 0xaa55

; Descriptor: base, limit, access byte, flags nibble.
%macro descriptor 4
  dw (%2) & 0xffff, (%1) & 0xffff
  db ((%1) >> 16) & 0xff, %3, (((%2) >> 16) & 15) | ((%4) << 4), ((%1) >> 24) & 0xff
%endmacro
; Gate: selector, offset, type byte, parameter count. Offsets are below 64 KiB.
%macro gate 4
  dw %2, %1
  db %4, %3
  dw 0
%endmacro
%define ABSOLUTE(label) (0x7c00 + ((label) - $$))

align 16
gdt:
  dq 0
CODE equ $ - gdt
  descriptor 0, 0xfffff, 0x9a, 0xc
DATA equ $ - gdt
  descriptor 0, 0xfffff, 0x92, 0xc
CODE3 equ ($ - gdt) | 3
  descriptor 0, 0xfffff, 0xfa, 0xc
DATA3 equ ($ - gdt) | 3
  descriptor 0, 0xfffff, 0xf2, 0xc
TSS equ $ - gdt
  descriptor ABSOLUTE(tss), 0x67 + 0x20 + 1, 0x89, 0
CODE16 equ $ - gdt
  descriptor 0, 0xffff, 0x9a, 0
DATA16 equ $ - gdt
  descriptor 0, 0xffff, 0x92, 0
LDT equ $ - gdt
  descriptor ABSOLUTE(ldt), 15, 0x82, 0
DOWN equ $ - gdt
  descriptor 0, 0xffff, 0x96, 4
READONLY equ $ - gdt
  descriptor 0, 0xfffff, 0x90, 0xc
ABSENT equ $ - gdt
  descriptor 0, 0xfffff, 0x12, 0xc
CONFORMING equ $ - gdt
  descriptor 0, 0xfffff, 0x9e, 0xc
CALLGATE equ ($ - gdt) | 3
  gate CODE, ABSOLUTE(gate_target), 0xec, 2
TSS2 equ $ - gdt
  descriptor ABSOLUTE(tss2), 0x67, 0x89, 0
TASKGATE equ ($ - gdt) | 3
  gate TSS2, 0, 0xe5, 0
EXECONLY equ $ - gdt
  descriptor 0, 0xfffff, 0x98, 0xc
SMALL equ $ - gdt
  descriptor 0x20000, 0xfff, 0x92, 4
CALLGATE16 equ ($ - gdt) | 3
  gate CODE, ABSOLUTE(gate_target16), 0xe4, 1
ABSENTCODE equ $ - gdt
  descriptor 0, 0xfffff, 0x1a, 0xc
TSS16 equ $ - gdt
  descriptor ABSOLUTE(tss16), 0x2b, 0x81, 0
CODE3_16 equ ($ - gdt) | 3
  descriptor 0, 0xffff, 0xfa, 0
; SYSENTER wants four in a row.
SYSCODE equ $ - gdt
  descriptor 0, 0xfffff, 0x9a, 0xc
  descriptor 0, 0xfffff, 0x92, 0xc
  descriptor 0, 0xfffff, 0xfa, 0xc
  descriptor 0, 0xfffff, 0xf2, 0xc
BADGATE equ ($ - gdt) | 3
  gate 0, 0, 0xec, 0
gdt_end:
align 8
ldt:
  dq 0
LDTDATA equ ($ - ldt) | 4
  descriptor 0x30000, 0xffff, 0x92, 4

align 8
idt:
%assign vector 0
%rep 256
%if vector < 32
  gate CODE, ABSOLUTE(handlers + vector * 10), 0x8e, 0
%elif vector == 0x30
  gate CODE, ABSOLUTE(hardware), 0x8e, 0
%elif vector == 0x31
  gate CODE, ABSOLUTE(handlers + 0x31 * 10), 0x8f, 0
%elif vector == 0x32
  gate CODE16, ABSOLUTE(gate16), 0x86, 0
%elif vector == 0x33
  gate TSS2, 0, 0xe5, 0
%elif vector == 0x34
  gate DATA, ABSOLUTE(handlers), 0x8e, 0
%elif vector == 0x35
  gate CODE, ABSOLUTE(handlers), 0x0e, 0
%elif vector == 0x36
  gate CODE, ABSOLUTE(returns), 0xee, 0
%elif vector == 0x37
  gate CONFORMING, ABSOLUTE(handlers + 0x37 * 10), 0xee, 0
%elif vector == 0x80
  gate CODE, ABSOLUTE(log_service), 0xee, 0
%else
  dq 0
%endif
%assign vector vector + 1
%endrep

bits 32
handlers:
%assign vector 0
%rep 64
%if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17
  nop
  nop
%else
  push byte 0
%endif
  push byte vector
  jmp near handle
  nop
%assign vector vector + 1
%endrep

%define DETAIL_EIP 1
%define DETAIL_CS 2
%define DETAIL_FLAGS 4
%define DETAIL_CR2 8
%define DETAIL_DR6 16
%define DETAIL_OUTER 32
%define DETAIL_RETURN 64
; Sets RF on the way back, as a handler of instruction breakpoints must.
%define DETAIL_PASS 128

; Stack: vector, error, EIP, CS, EFLAGS [, ESP, SS].
handle:
  push eax
  push ds
  mov ax, DATA
  mov ds, ax
  mov eax, [ss:esp + 8]
  call log
  mov eax, [ss:esp + 12]
  call log
  test byte [detail], DETAIL_EIP
  jz .cs
  mov eax, [ss:esp + 16]
  sub eax, [origin]
  call log
.cs:
  test byte [detail], DETAIL_CS
  jz .flags
  mov eax, [ss:esp + 20]
  call log
.flags:
  test byte [detail], DETAIL_FLAGS
  jz .cr2
  mov eax, [ss:esp + 24]
  call log
.cr2:
  test byte [detail], DETAIL_CR2
  jz .dr6
  mov eax, cr2
  call log
.dr6:
  test byte [detail], DETAIL_DR6
  jz .outer
  mov eax, dr6
  call log
  mov eax, 0xffff0ff0
  mov dr6, eax
.outer:
  test byte [detail], DETAIL_OUTER
  jz .done
  mov eax, [ss:esp + 28]
  call log
  mov eax, [ss:esp + 32]
  call log
.done:
  test byte [detail], DETAIL_RETURN
  jnz .return
  mov ax, DATA
  mov es, ax
  mov ss, ax
  mov esp, STACK
  jmp [resume]
.return:
  test byte [detail], DETAIL_PASS
  jz .back
  or dword [ss:esp + 24], 0x10000
.back:
  pop ds
  pop eax
  add esp, 8
  iretd

; Logs EAX as eight digits and a line end; keeps all registers.
log:
  pushfd
  push eax
  push ecx
  push edx
  push ebx
  mov ebx, eax
  mov ecx, 8
.digit:
  rol ebx, 4
  mov al, bl
  and al, 15
  cmp al, 10
  jb .decimal
  add al, 'a' - '0' - 10
.decimal:
  add al, '0'
  mov dx, 0xe9
  out dx, al
  loop .digit
  mov al, 10
  out dx, al
  pop ebx
  pop edx
  pop ecx
  pop eax
  popfd
  ret

log_service:
  call log
  iretd
returns:
  iretd
hardware:
  push eax
  mov eax, 0x30
  call log
  pop eax
  iretd
bits 16
gate16:
  mov [dword marker], esp
  iret
bits 32

%macro logs 1
  push eax
  mov eax, %1
  call log
  pop eax
%endmacro
%macro resume_at 1
  mov dword [resume], %1
%endmacro
; Expects the next instruction to fault: logs, then goes on behind the text.
%macro faults 1+
  mov dword [resume], %%after
  mov dword [origin], %%here
%%here:
  %1
  logs 0xbad
%%after:
%endmacro
; To ring 3 at a label, with IOPL and IF of the given flags.
%macro ring3 2
  push dword DATA3
  push dword STACK3
  push dword %2
  push dword CODE3
  push dword %1
  iretd
%endmacro
%macro finish 0
  jmp done
%endmacro

; vector, label, type byte
%macro set_gate 3
  mov word [idt + (%1) * 8], %2
  mov word [idt + (%1) * 8 + 2], CODE
  mov word [idt + (%1) * 8 + 4], (%3) << 8
  mov word [idt + (%1) * 8 + 6], 0
%endmacro
; Pages 0..3FFh one to one at table 101000h, directory 100000h, all user and writable; paging on.
%macro identity_paging 0
  mov edi, 0x100000
  xor eax, eax
  mov ecx, 0x3000 / 4
  rep stosd
  mov edi, 0x101000
  mov eax, 7
%%page:
  stosd
  add eax, 0x1000
  cmp eax, 0x400000
  jb %%page
  mov dword [0x100000], 0x101007
  mov eax, 0x100000
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  jmp %%on
%%on:
%endmacro
%define PTE(address) (0x101000 + ((address) >> 12) * 4)
%macro reload_cr3 0
  mov eax, cr3
  mov cr3, eax
%endmacro

marker: dd 0
STACK equ 0x18000
STACK3 equ 0x1a000
STACK_INNER equ 0x1c000
resume: dd 0
origin: dd 0
detail: db 0
align 4
tss:
  dd 0, STACK_INNER, DATA
  times 25 - 3 dd 0
  dw 0, 0x68
  ; ports 0..FFh are closed but E9h and F4h
  times 29 db 0xff
  db 0xfd
  db 0xef
  db 0xff
  db 0xff
tss2: times 26 dd 0
tss16: times 22 dw 0

enter:
  mov ax, DATA
  mov ds, ax
  mov es, ax
  mov ss, ax
  xor ax, ax
  mov fs, ax
  mov gs, ax
  mov esp, STACK
  mov ax, TSS
  ltr ax
  mov byte [tss2 + 0x66], 0x68
  jmp test
done:
%ifdef BOOT
  mov dx, 0xf4
  mov al, 0
  out dx, al
%endif
  cli
  hlt

%ifdef REAL
bits 16
; Logs EAX in real mode; keeps all registers.
rlog:
  pushfd
  pushad
  mov ebx, eax
  mov cx, 8
.digit:
  rol ebx, 4
  mov al, bl
  and al, 15
  cmp al, 10
  jb .decimal
  add al, 'a' - '0' - 10
.decimal:
  add al, '0'
  mov dx, 0xe9
  out dx, al
  loop .digit
  mov al, 10
  out dx, al
  popad
  popfd
  ret
%macro real_logs 1
  push eax
  mov eax, %1
  call rlog
  pop eax
%endmacro
%endif
%include "test.asm"
%ifndef HAS_GATE_TARGETS
gate_target:
gate_target16:
%endif
%ifdef BOOT
  times 25088 - ($ - $$) db 0
%endif
