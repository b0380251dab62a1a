; Interrupts by the APICs as a kernel sees them, one line a topic. Multiboot 1, so that other emulators load it too.
bits 32
LAPIC equ 0xfee00000
IOAPIC equ 0xfec00000

section .multiboot align=4
  dd 0x1badb002, 0, -0x1badb002

section .text
global start
start:
  mov esp, stack_top
  lgdt [gdt_pointer]
  jmp 8:.flat
.flat:
  mov ax, 16
  mov ds, ax
  mov es, ax
  mov ss, ax
  ; every vector leads to a stub that logs it
  mov edi, idt
  mov eax, stubs
  xor ecx, ecx
.gate:
  mov edx, eax
  mov [edi], ax
  mov word [edi + 2], 8
  mov word [edi + 4], 0x8e00
  shr edx, 16
  mov [edi + 6], dx
  add edi, 8
  add eax, 16
  inc ecx
  cmp ecx, 256
  jb .gate
  lidt [idt_pointer]
  ; 8259s: base 20h, 28h, all masked
  mov al, 0x11
  out 0x20, al
  out 0xa0, al
  mov al, 0x20
  out 0x21, al
  mov al, 0x28
  out 0xa1, al
  mov al, 4
  out 0x21, al
  mov al, 2
  out 0xa1, al
  mov al, 1
  out 0x21, al
  out 0xa1, al
  mov al, 0xff
  out 0x21, al
  out 0xa1, al

; 1: identity
  mov ecx, 0x1b
  rdmsr
  call hex
  mov eax, [LAPIC + 0x20]
  call hex
  mov eax, [LAPIC + 0x30]
  call hex
  mov dword [LAPIC + 0xf0], 0x1ff
  mov eax, [LAPIC + 0xf0]
  call hex
  call line

; 2: self-IPI; in service in the handler, not behind it
  sti
  mov dword [LAPIC + 0x300], 0x40040
  call pause
  mov eax, [in_service]
  call hex
  mov eax, [LAPIC + 0x120]
  call hex
  call line

; 3: held back by the task priority
  mov dword [LAPIC + 0x80], 0x50
  mov dword [LAPIC + 0x300], 0x40045
  call pause
  mov eax, [LAPIC + 0x220]
  call hex
  mov eax, [LAPIC + 0xa0]
  call hex
  mov dword [LAPIC + 0x80], 0
  call pause
  call line

; 4: the higher vector first
  cli
  mov dword [LAPIC + 0x300], 0x40041
  mov dword [LAPIC + 0x300], 0x40061
  mov dword [LAPIC + 0x300], 0x40043
  sti
  call pause
  call line

; 5: timer, one-shot, and that it stays at zero
  mov dword [LAPIC + 0x3e0], 0x0b
  mov dword [LAPIC + 0x320], 0x50
  mov dword [LAPIC + 0x380], 100000
  hlt
  mov eax, [LAPIC + 0x390]
  call hex
  call line

; 6: timer, periodic
  mov dword [LAPIC + 0x320], 0x20051
  mov dword [LAPIC + 0x380], 1000000
  hlt
  hlt
  hlt
  mov dword [LAPIC + 0x320], 0x10051
  mov dword [LAPIC + 0x380], 0
  call line

; 7: the PIT through the I/O APIC, edge-triggered
  mov dword [IOAPIC], 1
  mov eax, [IOAPIC + 16]
  and eax, 0xff0000
  call hex
  mov dword [IOAPIC], 0x15
  mov dword [IOAPIC + 16], 0
  mov dword [IOAPIC], 0x14
  mov dword [IOAPIC + 16], 0x60
  mov al, 0x34
  out 0x43, al
  mov al, 0
  out 0x40, al
  mov al, 0x10
  out 0x40, al
  call ticks
  mov dword [IOAPIC + 16], 0x10060
  call line

; 8: the same through the 8259 and LINT0, virtual wire
  mov dword [LAPIC + 0x350], 0x700
  mov al, 0xfe
  out 0x21, al
.virtual_wire:             ; an edge from before may be waiting
  cmp dword [log_end], log
  je .virtual_wire
  mov al, 0xff
  out 0x21, al
  mov dword [LAPIC + 0x350], 0x10700
  call line

; 9: NMI to itself
  mov dword [LAPIC + 0x300], 0x40400
  mov dword [LAPIC + 0x310], 0
  mov dword [LAPIC + 0x300], 0x00400
  call pause
  call line

; 10 (ours): TSC deadline, masked by nothing, in the past and in the future
  mov al, 'D'
  call putchar
  mov eax, 1
  cpuid
  test ecx, 1 << 24
  jz .none
  mov dword [LAPIC + 0x320], 0x40052
  rdtsc
  add eax, 200000
  adc edx, 0
  mov ecx, 0x6e0
  wrmsr
  hlt
  rdmsr
  or eax, edx
  call hex
  mov eax, 1
  xor edx, edx
  wrmsr
  call pause
.none:
  call line

; 11 (ours): the APIC moved over RAM, which keeps its content
  mov al, 'M'
  call putchar
  mov dword [0x400030], 0x12345678
  mov ecx, 0x1b
  rdmsr
  push eax
  mov eax, 0x400900
  wrmsr
  mov eax, [0x400030]
  call hex
  pop eax
  wrmsr
  mov eax, [0x400030]
  call hex
  call line
  cli
  jmp finish

pause:                     ; long enough for what is pending
  push ecx
  mov ecx, 2000
.again:
  dec ecx
  jnz .again
  pop ecx
  ret

ticks:                     ; three interrupts
  hlt
  hlt
  hlt
  ret

line:                      ; the vectors since the last line
  mov esi, log
.next:
  cmp esi, [log_end]
  jae .end
  movzx eax, byte [esi]
  call hex
  inc esi
  jmp .next
.end:
  mov dword [log_end], log
  jmp newline

handle:                    ; the vector is on the stack
  pushad
  mov eax, [esp + 32]
  mov edi, [log_end]
  mov [edi], al
  inc dword [log_end]
  cmp al, 2
  je .done
  cmp al, 0x40
  jb .pic
  mov edx, [LAPIC + 0x120]
  mov [in_service], edx
  mov dword [LAPIC + 0xb0], 0
  jmp .done
.pic:
  mov al, 0x20
  out 0x20, al
.done:
  popad
  add esp, 4
  iretd

align 16
stubs:
%assign vector 0
%rep 256
  align 16
  push dword vector
  jmp near handle
%assign vector vector + 1
%endrep

%include "print.inc"

section .data
gdt: dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer: dw 23
  dd gdt
idt_pointer: dw 2047
  dd idt
log_end: dd log
in_service: dd 0

section .bss
align 16
idt: resb 2048
log: resb 4096
  resb 4096
stack_top:
