; Integer load for the benchmark: bitwise CRC-32 over a buffer, a sieve of Eratosthenes, and a recursive Fibonacci.
; Multiboot 1, flat 32-bit, no paging. Prints S when it starts and E when it ends on COM1, then leaves through F4h.
        bits 32
        org 0x100000
MAGIC   equ 0x1badb002
FLAGS   equ 0x10000
header: dd MAGIC, FLAGS, -(MAGIC + FLAGS)
        dd header, header, end, end + 0x20000, start

%ifndef ROUNDS
%define ROUNDS 4
%endif

start:  cli
        mov esp, stack
        mov al, 'S'
        call put
        mov ebp, ROUNDS
.round: call crc
        call sieve
        mov eax, 22
        call fibonacci
        add [result], eax
        dec ebp
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
crc:    mov esi, 0x100000
        mov edi, 65536
        mov eax, -1
.byte:  movzx edx, byte [esi]
        inc esi
        xor eax, edx
        mov ecx, 8
.bit:   mov edx, eax
        and edx, 1
        neg edx
        and edx, 0xedb88320
        shr eax, 1
        xor eax, edx
        dec ecx
        jnz .bit
        dec edi
        jnz .byte
        add [result], eax
        ret

; Primes below 300000, one byte a number, at 2 MiB.
LIMIT   equ 300000
sieve:  mov edi, 0x200000
        mov ecx, LIMIT / 4
        xor eax, eax
        cld
        rep stosd
        mov ecx, 2
.next:  cmp byte [0x200000 + ecx], 0
        jne .skip
        mov eax, ecx
        imul eax, ecx
        cmp eax, LIMIT
        jae .skip
.mark:  mov byte [0x200000 + eax], 1
        add eax, ecx
        cmp eax, LIMIT
        jb .mark
.skip:  inc ecx
        cmp ecx, 548
        jb .next
        ret

fibonacci:
        cmp eax, 2
        jb .done
        push eax
        dec eax
        call fibonacci
        xchg eax, [esp]
        sub eax, 2
        call fibonacci
        pop edx
        add eax, edx
.done:  ret

        align 4
result: dd 0
end:
stack   equ end + 0x10000
