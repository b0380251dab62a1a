; A Multiboot2 kernel that prints what it was given: registers, then each tag of the boot information.
bits 32
section .multiboot align=8
header:
  dd 0xe85250d6, 0, header_end - header, -(0xe85250d6 + (header_end - header))
  dw 1, 0                  ; information request: command line, memory map, framebuffer
  dd 20
  dd 1, 6, 8
  align 8, db 0
  dw 6, 1                  ; modules on pages
  dd 8
  dw 0, 0
  dd 8
header_end:

section .text
global start
start:
  mov ebp, ebx
  call hex                 ; EAX: magic
  mov eax, cr0
  and eax, 0x80000001
  call hex
  call newline
  lea esi, [ebp + 8]
.tag:
  mov eax, [esi]
  test eax, eax
  jz .end
  cmp eax, 1
  je .string
  cmp eax, 2
  je .string
  cmp eax, 3
  je .module
  cmp eax, 4
  je .numbers
  cmp eax, 6
  je .map
  cmp eax, 8
  je .screen
  cmp eax, 9
  je .sections
  cmp eax, 14
  je .string
  jmp .next
.string:
  push esi
  mov al, 'S'
  call putchar
  mov eax, [esi]
  call hex
  add esi, 8
  call print
  call newline
  pop esi
  jmp .next
.module:                   ; its command line, then its bytes as text
  push esi
  mov al, 'M'
  call putchar
  push dword [esi + 8]
  add esi, 16
  call print
  mov al, ' '
  call putchar
  pop esi
  mov eax, esi
  call hex
  call print
  call newline
  pop esi
  jmp .next
.numbers:
  mov al, 'L'
  call putchar
  mov eax, [esi + 8]
  call hex
  mov eax, [esi + 12]
  call hex
  call newline
  jmp .next
.map:                      ; usable memory in KiB
  push esi
  mov edi, esi
  add edi, [esi + 4]
  add esi, 16
  xor edx, edx
.entry:
  cmp esi, edi
  jae .sum
  cmp dword [esi + 16], 1
  jne .skip
  add edx, [esi + 8]
.skip:
  add esi, 24
  jmp .entry
.sum:
  mov al, 'K'
  call putchar
  mov eax, edx
  shr eax, 10
  call hex
  call newline
  pop esi
  jmp .next
.screen:
  mov al, 'F'
  call putchar
  mov eax, [esi + 8]
  call hex
  mov eax, [esi + 20]
  call hex
  mov eax, [esi + 24]
  call hex
  mov edi, [esi + 8]
  mov dword [edi], 0x0f320f4d
  call newline
  jmp .next
.sections:                 ; how many, and the text of the section names that the loader put into memory
  mov al, 'E'
  call putchar
  mov eax, [esi + 8]
  call hex
  mov eax, [esi + 16]
  mul dword [esi + 12]
  mov eax, [esi + 20 + eax + 12]
  push esi
  lea esi, [eax + 1]
  call print
  pop esi
  call newline
.next:
  mov eax, [esi + 4]
  add eax, 7
  and eax, ~7
  add esi, eax
  jmp .tag
.end:
  jmp finish
%include "print.inc"
