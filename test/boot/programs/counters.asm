; Architectural performance monitoring in a whole machine (SDM 3B 19.2): interrupts of the local APIC's table, HLT, NMI.
LAPIC equ 0xfee00000
%include "interrupts.inc"

; vector, LVT entry, how far the counter is, its status bit
handle:
  pushad
  mov eax, [esp + 32]
  call hex
  mov eax, [LAPIC + 0x340]
  call hex
  mov ecx, 0x38e
  rdmsr
  call hex
  mov eax, edx
  call hex
  mov ecx, 0x390
  mov eax, 3
  mov edx, 7
  wrmsr
  mov dword [LAPIC + 0xb0], 0
  inc dword [seen]
  popad
  add esp, 4
  iretd

; ECX: register, EAX: low half; the high half is zero
%macro write 2
  mov ecx, %1
  mov eax, %2
  xor edx, edx
  wrmsr
%endmacro

begin:
  prepare_interrupts
  mov dword [LAPIC + 0xf0], 0x1ff
  write 0x38f, 0
; 1: 100,000 instructions to go, by vector 40h; 200,000 are run
  mov dword [LAPIC + 0x340], 0x40
  write 0xc1, -100000
  write 0x186, 0x5300c0
  write 0x38f, 1
  sti
  mov ecx, 200000
.first:
  loop .first
  write 0x38f, 0
  call newline
; how far behind the overflow it stands: its own count again, without the interrupt's skid
  mov ecx, 0
  rdpmc
  sub eax, 100000
  cmp eax, 1000
  sbb eax, eax
  call hex
; 2: as NMI, with interrupts off, by fixed counter 0
  cli
  mov dword [LAPIC + 0x340], 0x400
  mov ecx, 0x309
  mov eax, -1000
  mov edx, 0xffff
  wrmsr
  write 0x38d, 9
  mov ecx, 0x38f
  xor eax, eax
  mov edx, 1
  wrmsr
  mov ecx, 2000
.second:
  loop .second
  write 0x38f, 0
  call newline
; 3: cycles stand still in HLT (1 ms of the local APIC's timer), the time-stamp counter does not
  write 0x38d, 0x330
  write 0x30a, 0
  mov dword [LAPIC + 0x3e0], 0xb
  mov dword [LAPIC + 0x320], 0x50
  rdtsc
  mov ebx, eax
  mov ecx, 0x38f
  xor eax, eax
  mov edx, 6
  wrmsr
  mov dword [LAPIC + 0x380], 1000000
  mov dword [halting], 1
  sti
  hlt
  cli
  write 0x38f, 0
  rdtsc
  sub eax, ebx
  cmp eax, 1000000
  sbb eax, eax
  call hex
  mov ecx, 0x40000001
  rdpmc
  cmp eax, 500000
  sbb eax, eax
  call hex
  call newline
  jmp finish

section .data
seen: dd 0
halting: dd 0
