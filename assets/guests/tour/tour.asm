; Tour of virtualization: a tiny operating system that shows why the x86 was hard to virtualize.
;
; Boots from a hard disk through the BIOS, enters protected mode with paging, and runs the classic sensitive
; instructions in ring 3. A privileged instruction traps, and a monitor could answer for it. A sensitive one that
; does not trap tells the program the truth about the real machine, or does nothing at all (Popek and Goldberg, 1974;
; Robin and Irvine, 2000). Everything appears on the screen and on COM1; both keyboards steer it.
;
; Disk: sector 0 boot sector, sectors 1-63 the program at 10000h. Layout in memory:
;   10000h program   30000h page directory, 31000h page table   40000h user stack's page   70000h kernel stack

        cpu 386
SECTORS       equ 63
LOAD          equ 10000h
PAGE_DIR      equ 30000h
PAGE_TABLE    equ 31000h
USER_PAGE     equ 40000h
KERNEL_STACK  equ 70000h
TRAP_STACK    equ 68000h                 ; for entries from ring 3
SCREEN        equ 0B8000h
COM1          equ 3F8h

KCODE   equ 08h
KDATA   equ 10h
UCODE   equ 18h | 3
UDATA   equ 20h | 3
TSS     equ 28h

; The same source makes the disk image (nasm -f bin) and, for debuggers, an ELF file with its symbols and lines at the
; addresses of the image (nasm -f elf32, linked by tour.ld).
%ifidn __?OUTPUT_FORMAT?__, elf32
section .boot progbits alloc exec write align=1
%else
section .boot vstart=7C00h
%endif
        bits 16
boot:
        jmp     short .start
        nop
        times 62 - ($ - $$) db 0        ; room for a BIOS parameter block
.start:
        cli
        xor     ax, ax
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     sp, 7C00h
        sti
        cld
        mov     [drive], dl
        mov     si, packet
        mov     ah, 42h
        mov     dl, [drive]
        int     13h
        jnc     .loaded
        mov     si, failed
.print: lodsb
        test    al, al
        jz      .stop
        mov     ah, 0Eh
        mov     bx, 7
        int     10h
        jmp     .print
.stop:  hlt
        jmp     .stop
.loaded:
        mov     ax, 3                   ; 80x25 text
        int     10h
        mov     ax, 1003h               ; sixteen backgrounds, no blinking
        xor     bx, bx
        int     10h
        in      al, 92h                 ; A20
        or      al, 2
        and     al, 0FEh
        out     92h, al
        cli
        lgdt    [gdtr]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     dword KCODE:LOAD

drive   db      0
failed  db      'The disk cannot be read.', 0
        align 4
packet  db      16, 0
        dw      SECTORS
        dw      0, LOAD >> 4
        dd      1, 0
        align 8
gdt     dq      0
        dq      00CF9A000000FFFFh       ; kernel code
        dq      00CF92000000FFFFh       ; kernel data
        dq      00CFFA000000FFFFh       ; user code
        dq      00CFF2000000FFFFh       ; user data
gdt_tss dq      0
gdtr    dw      6 * 8 - 1
        dd      gdt

        times 446 - ($ - $$) db 0
        db      80h, 0, 2, 0, 7Fh, 0Fh, 3Fh, 0    ; one active partition over the rest of the disk
        dd      1, SECTORS + 944
        times 510 - ($ - $$) db 0
        dw      0AA55h

%ifidn __?OUTPUT_FORMAT?__, elf32
section .text progbits alloc exec write align=1
%else
section .text vstart=LOAD align=1 follows=.boot
%endif
        bits 32
%include "kernel.inc"
%include "probes.inc"
%include "pages.inc"
        times SECTORS * 512 - ($ - $$) db 0

%ifidn __?OUTPUT_FORMAT?__, bin
; the rest of one 16-head, 63-sector cylinder
section .tail align=1 follows=.text
        times (1008 - 1 - SECTORS) * 512 db 0
%else
; NASM ends a section's line table where the next one begins: this one ends that of .text.
section .end progbits alloc exec align=1
        nop
%endif
