; A disk that starts a Multiboot program where no loader does (-dSECTORS: its length; the program follows as %include'd bytes).
bits 16
org 0x7c00
%define BUFFER 0x10000
start:
  jmp 0:.loaded
.loaded:
  xor ax, ax
  mov ds, ax
  mov ss, ax
  mov sp, 0x7c00
  mov cx, (SECTORS + 63) / 64
.read:
  push cx
  mov si, packet
  mov ah, 0x42
  int 0x13
  pop cx
  jc .failed
  add dword [packet.sector], 64
  add word [packet.segment], 64 * 32
  loop .read
  mov ax, 0x2401
  int 0x15
  cli
  lgdt [pointer]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp 8:.flat
.failed:
  hlt
  jmp .failed
bits 32
.flat:
  mov ax, 16
  mov ds, ax
  mov es, ax
  mov ss, ax
  ; the address fields of the header, which is at the image's beginning
  mov edi, [BUFFER + 16]
  mov esi, BUFFER
  mov ecx, SECTORS * 128
  rep movsd
  mov ecx, [BUFFER + 28]
  mov eax, 0x2badb002
  jmp ecx
  align 4
packet:
  db 16, 0
  dw 64
  dw 0
.segment: dw BUFFER / 16
.sector: dq 1
gdt:
  dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
pointer:
  dw 23
  dd gdt
  times 510 - ($ - $$) db 0
  dw 0xaa55
