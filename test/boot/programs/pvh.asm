; A PVH kernel that prints its start information: magic, version, command line, modules, memory and the RSDP's signature.
bits 32
section .note.Xen note align=4
  dd 4, 4, 18
  db 'Xen', 0
  dd start

section .text
global start
start:
  mov ebp, ebx
  mov eax, [ebp]
  call hex
  mov eax, [ebp + 4]
  call hex
  mov eax, cr0
  and eax, 0x80000001
  call hex
  call newline
  mov esi, [ebp + 24]
  call print
  call newline
  mov eax, [ebp + 12]
  call hex
  mov edi, [ebp + 16]
  mov esi, [edi]
  call print               ; the first module's bytes
  mov al, ' '
  call putchar
  mov eax, [edi + 8]
  call hex
  call newline
  mov esi, [ebp + 40]
  mov ecx, [ebp + 48]
  xor edx, edx
.range:
  cmp dword [esi + 16], 1
  jne .skip
  add edx, [esi + 8]
.skip:
  add esi, 24
  loop .range
  mov eax, edx
  shr eax, 10
  call hex
  call newline
  mov esi, [ebp + 32]
  mov ecx, 8
.signature:
  lodsb
  call putchar
  loop .signature
  call newline
  jmp finish
%include "print.inc"
