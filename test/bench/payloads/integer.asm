; Integer load for the benchmark: bitwise CRC-32 over a buffer, a sieve of Eratosthenes, and a recursive Fibonacci.
; Multiboot 1, flat 32-bit, no paging; with -DWIDE the same loops in 64-bit mode, addresses and counters of 64 bits. Prints S when it starts and E when it ends on COM1, then leaves through F4h.
        bits 32
        org 0x100000
MAGIC   equ 0x1badb002
FLAGS   equ 0x10000
header: dd MAGIC, FLAGS, -(MAGIC + FLAGS)
        dd header, header, end, end + 0x20000, start

%ifndef ROUNDS
%define ROUNDS 4
%endif
; Rounds before it prints S, for the host's optimiser.
%ifndef WARM
%define WARM 0
%endif

%ifdef WIDE
  %define A rax
  %define B rbp
  %define C rcx
  %define D rdx
  %define S rsi
  %define T rdi
  %define SP rsp
TABLES  equ 0x400000
%else
  %define A eax
  %define B ebp
  %define C ecx
  %define D edx
  %define S esi
  %define T edi
  %define SP esp
%endif

start:  cli
%ifdef WIDE
        ; The first GiB at its own addresses, in pages of 2 MiB.
        mov edi, TABLES
        mov ecx, 0x3000 / 4
        xor eax, eax
        cld
        rep stosd
        mov dword [TABLES], TABLES + 0x1003
        mov dword [TABLES + 0x1000], TABLES + 0x2003
        mov edi, TABLES + 0x2000
        mov eax, 0x83
.page:  mov [edi], eax
        add edi, 8
        add eax, 0x200000
        cmp edi, TABLES + 0x3000
        jb .page
        mov eax, TABLES
        mov cr3, eax
        mov eax, cr4
        or eax, 0x20
        mov cr4, eax
        mov ecx, 0xc0000080
        rdmsr
        or eax, 0x100
        wrmsr
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        lgdt [gdtr]
        jmp 8:wide
        bits 64
wide:   mov eax, 16
        mov ds, eax
        mov es, eax
        mov ss, eax
%endif
        mov SP, stack
%if WARM > 0
        mov B, WARM
        call rounds
%endif
        mov al, 'S'
        call put
        mov B, ROUNDS
        call rounds
        mov al, 'E'
        call put
        mov al, 0
        out 0xf4, al
halt:   hlt
        jmp halt

rounds: call crc
        call sieve
        mov A, 22
        call fibonacci
        add [result], eax
        dec B
        jnz rounds
        ret

put:    mov dx, 0x3f8
        out dx, al
        ret

; CRC-32 of 64 KiB at 1 MiB, bit by bit.
crc:    mov S, 0x100000
        mov T, 65536
        mov eax, -1
.byte:  movzx edx, byte [S]
        inc S
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
        dec T
        jnz .byte
        add [result], eax
        ret

; Primes below 300000, one byte a number, at 2 MiB.
LIMIT   equ 300000
sieve:  mov T, 0x200000
        mov C, LIMIT / 4
        xor eax, eax
        cld
        rep stosd
        mov C, 2
.next:  cmp byte [0x200000 + C], 0
        jne .skip
        mov A, C
        imul A, C
        cmp A, LIMIT
        jae .skip
.mark:  mov byte [0x200000 + A], 1
        add A, C
        cmp A, LIMIT
        jb .mark
.skip:  inc C
        cmp C, 548
        jb .next
        ret

fibonacci:
        cmp A, 2
        jb .done
        push A
        dec A
        call fibonacci
        xchg A, [SP]
        sub A, 2
        call fibonacci
        pop D
        add A, D
.done:  ret

%ifdef WIDE
        align 8
gdt:    dq 0
        dq 0x00209a0000000000
        dq 0x0000920000000000
gdtr:   dw 23
        dd gdt
%endif
        align 4
result: dd 0
end:
stack   equ end + 0x10000
