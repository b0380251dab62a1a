; Integer load for the benchmark: bitwise CRC-32 over a buffer, a sieve of Eratosthenes, and a recursive Fibonacci.
; Multiboot 1, flat 32-bit, no paging; with WIDE the same loops in 64-bit code, with pointers, counters and the stack of
; 64 bits. Prints S when it starts and E when it ends on COM1, then leaves through F4h.
        bits 32
        org 0x100000
MAGIC   equ 0x1badb002
FLAGS   equ 0x10000
header: dd MAGIC, FLAGS, -(MAGIC + FLAGS)
        dd header, header, end, end + 0x20000, start

%ifndef ROUNDS
%define ROUNDS 4
%endif

%ifdef WIDE
%define xax rax
%define xcx rcx
%define xdx rdx
%define xsp rsp
%define xbp rbp
%define xsi rsi
%define xdi rdi
%else
%define xax eax
%define xcx ecx
%define xdx edx
%define xsp esp
%define xbp ebp
%define xsi esi
%define xdi edi
%endif

start:  cli
%ifdef WIDE
; Long mode over the first GiB in pages of 2 MiB (SDM 3A 10.8.5).
PML4    equ 0x400000
PDPT    equ 0x401000
PD      equ 0x402000
        mov edi, PML4
        xor eax, eax
        mov ecx, 3 * 1024
        cld
        rep stosd
        mov dword [PML4], PDPT + 3
        mov dword [PDPT], PD + 3
        mov edi, PD
        mov eax, 0x83
.page:  mov [edi], eax
        add edi, 8
        add eax, 0x200000
        cmp eax, 0x40000083
        jne .page
        mov eax, PML4
        mov cr3, eax
        mov eax, cr4
        or al, 0x20
        mov cr4, eax
        mov ecx, 0xc0000080
        rdmsr
        or ah, 1
        wrmsr
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        lgdt [gdtr]
        jmp 8:wide
gdtr:   dw 15
        dd gdt
        align 8
gdt:    dq 0, 0x00209a0000000000
        bits 64
wide:
%endif
        mov xsp, stack
        mov al, 'S'
        call put
        mov xbp, ROUNDS
.round: call crc
        call sieve
        mov xax, 22
        call fibonacci
        add [result], eax
        dec xbp
        jnz .round
        mov al, 'E'
        call put
        mov al, 0
        out 0xf4, al
.halt:  hlt
        jmp .halt

put:    mov dx, 0x3f8
        out dx, al
        ret

; CRC-32 of 64 KiB at 1 MiB, bit by bit.
crc:    mov xsi, 0x100000
        mov xdi, 65536
        mov eax, -1
.byte:  movzx edx, byte [xsi]
        inc xsi
        xor eax, edx
        mov xcx, 8
.bit:   mov edx, eax
        and edx, 1
        neg edx
        and edx, 0xedb88320
        shr eax, 1
        xor eax, edx
        dec xcx
        jnz .bit
        dec xdi
        jnz .byte
        add [result], eax
        ret

; Primes below 300000, one byte a number, at 2 MiB.
LIMIT   equ 300000
sieve:  mov xdi, 0x200000
        mov xcx, LIMIT / 4
        xor eax, eax
        cld
        rep stosd
        mov xcx, 2
.next:  cmp byte [0x200000 + xcx], 0
        jne .skip
        mov xax, xcx
        imul xax, xcx
        cmp xax, LIMIT
        jae .skip
.mark:  mov byte [0x200000 + xax], 1
        add xax, xcx
        cmp xax, LIMIT
        jb .mark
.skip:  inc xcx
        cmp xcx, 548
        jb .next
        ret

fibonacci:
        cmp xax, 2
        jb .done
        push xax
        dec xax
        call fibonacci
        xchg xax, [xsp]
        sub xax, 2
        call fibonacci
        pop xdx
        add xax, xdx
.done:  ret

        align 4
result: dd 0
end:
stack   equ end + 0x10000
