; Trapeze BIOS: the top 8 KiB of the 64 KiB system ROM (F000:E000-F000:FFFF).
; Everything that needs thought is done by TypeScript services (core/firmware/bios). A stub calls its
; service by OUT to the trap port; the byte after the following short jump is the service's number.
; Entry points keep the addresses of the IBM PC/AT where old software calls them directly.
;
; A service answers in the CPU's own flags (the caller's flags wait in the interrupt frame):
;   CF = 0  done            CF = 1, ZF = 0  not done: call again
;                           CF = 1, ZF = 1  not done: sleep until the next interrupt, then call again

        cpu 386
        bits 16
        org 0E000h

TRAP_PORT equ 0EAh

SERVICE_POST   equ 01h
SERVICE_PCI32  equ 03h
SERVICE_KEY    equ 09h
SERVICE_VIDEO  equ 10h
SERVICE_EQUIP  equ 11h
SERVICE_MEMORY equ 12h
SERVICE_DISK   equ 13h
SERVICE_SERIAL equ 14h
SERVICE_SYSTEM equ 15h
SERVICE_KEYS   equ 16h
SERVICE_PRINT  equ 17h
SERVICE_NOBOOT equ 18h
SERVICE_BOOT   equ 19h
SERVICE_TIME   equ 1Ah
SERVICE_RTC    equ 70h
SERVICE_MOUSE  equ 74h

%macro trap 1
        out     TRAP_PORT, al
        jmp     short %%over
        db      %1
%%over:
%endmacro

%macro place 1
        times %1 - 0E000h - ($ - $$) db 0
%endmacro

        db      'Trapeze BIOS', 0

; ---------------------------------------------------------------- power-on, reset
        place     0E05Bh
post:
        cli
        cld
        xor     ax, ax
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     sp, 7C00h
        trap    SERVICE_POST
        jc      .resume
        sti
        int     19h
        jmp     short post
.resume:                                ; CMOS shutdown code 5 or Ah: back into a program
        jmp     far [467h]

; ---------------------------------------------------------------- waiting, shared
; Returns to the caller to try again.
wait_for_service:
        jz      .sleep
        sti
        nop
        cli
        ret
.sleep:
        sti
        hlt
        cli
        ret

; ---------------------------------------------------------------- IRQ 12, PS/2 mouse
int74:
        push    ds
        push    es
        pusha
        cld
        trap    SERVICE_MOUSE           ; CF: call DI:SI with AX status, BX X, CX Y
        jnc     .end
        push    ax
        push    bx
        push    cx
        push    word 0
        push    cs
        push    word .back
        push    di
        push    si
        retf
.back:
        add     sp, 8
.end:
        popa
        pop     es
        pop     ds
eoi_slave:
        push    ax
        mov     al, 20h
        out     0A0h, al
        out     20h, al
        pop     ax
        iret

; ---------------------------------------------------------------- IRQ 8, real-time clock
int70:
        push    ax
        trap    SERVICE_RTC             ; CF: the alarm rang
        jnc     .end
        int     4Ah
.end:
        pop     ax
        jmp     short eoi_slave

; ---------------------------------------------------------------- IRQs nobody asked for
irq_master:
        push    ax
        mov     al, 20h
        out     20h, al
        pop     ax
        iret
irq_slave:
        jmp     short eoi_slave

; ---------------------------------------------------------------- NMI
        place     0E2C3h
int02:
        iret

; ---------------------------------------------------------------- INT 13h
        place     0E3FEh
int13_disk:
        jmp     int13
        place     0E401h
disk_parameters:                        ; fixed disk table 0 (INT 41h), filled by the ROM builder
        times 16 db 0
disk_parameters2:                       ; fixed disk table 1 (INT 46h)
        times 16 db 0
int13:
        sti
        trap    SERVICE_DISK
        jc      .wait
        iret
.wait:
        call    wait_for_service
        jmp     short int13

; ---------------------------------------------------------------- INT 19h, INT 18h
boot:
        cli
        xor     ax, ax
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     sp, 7C00h
.again:
        trap    SERVICE_BOOT            ; done: AX:BX entry point, DL drive
        jc      .wait
        push    ax
        push    bx
        sti
        xor     bx, bx
        xor     cx, cx
        xor     si, si
        xor     di, di
        xor     bp, bp
        mov     ax, 0AA55h
        retf
.wait:
        call    wait_for_service
        jmp     short .again
int18:
        cli
        xor     ax, ax
        mov     ss, ax
        mov     sp, 7C00h
        trap    SERVICE_NOBOOT
        jmp     short boot

        place     0E6F2h
int19:
        jmp     boot

; ---------------------------------------------------------------- INT 15h AH=C0h table
        place     0E6F5h
        dw      8                       ; bytes that follow
        db      0FCh, 0, 1              ; AT, submodel, BIOS revision
        db      01110100b               ; second PIC, RTC, INT 15h AH=4Fh, extended BIOS data area
        db      01000000b               ; INT 16h AH=09h
        db      0, 0, 0

; ---------------------------------------------------------------- INT 14h
        place     0E739h
int14:
        trap    SERVICE_SERIAL
        iret

; ---------------------------------------------------------------- INT 16h
        place     0E82Eh
int16:
        sti                             ; callers poll with interrupts off and count on this
        trap    SERVICE_KEYS
        jc      .wait
        iret
.wait:
        call    wait_for_service
        jmp     short int16

; ---------------------------------------------------------------- IRQ 1, INT 09h
        place     0E987h
int09:
        push    ax
        in      al, 60h
        mov     ah, 4Fh                 ; programs may translate or swallow the key
        stc
        int     15h
        jnc     .end
        trap    SERVICE_KEY             ; AL scan code; CF: Ctrl-Break, ZF with it: Print Screen
        jnc     .end
        jz      .print
        int     1Bh
        jmp     short .end
.print:
        int     5
.end:
        cli
        mov     al, 20h
        out     20h, al
        pop     ax
        iret

; ---------------------------------------------------------------- floppy
        place     0EC59h
        jmp     int13
        place     0EF57h
int0e:
        jmp     irq_master
        place     0EFC7h
diskette_parameters:
        db      0AFh, 02h, 25h, 2, 18, 1Bh, 0FFh, 6Ch, 0F6h, 15, 8

; ---------------------------------------------------------------- INT 17h
        place     0EFD2h
int17:
        trap    SERVICE_PRINT
        iret

; ---------------------------------------------------------------- INT 10h
        place     0F065h
int10:
        trap    SERVICE_VIDEO
        iret

; ---------------------------------------------------------------- INT 12h, 11h, 15h
        place     0F841h
int12:
        trap    SERVICE_MEMORY
        iret
        place     0F84Dh
int11:
        trap    SERVICE_EQUIP
        iret
        place     0F859h
int15:
        trap    SERVICE_SYSTEM
        jc      .wait
        iret
.wait:
        call    wait_for_service
        jmp     short int15

; ---------------------------------------------------------------- BIOS32 service directory, PCI BIOS 2.1
        align   16
bios32_directory:
        db      '_32_'
        dd      0F0000h + bios32_entry
        db      0, 1                    ; revision, length in paragraphs
        db      0                       ; checksum, filled by the ROM builder
        times 5 db 0

        bits 32
bios32_entry:
        cmp     eax, '$PCI'
        jne     .unknown
        mov     ebx, 0F0000h
        mov     ecx, 10000h
        mov     edx, pci_entry
        mov     al, 0
        retf
.unknown:
        mov     al, 80h
        retf
pci_entry:
        trap    SERVICE_PCI32
        retf
        bits 16

; ---------------------------------------------------------------- 8x8 font, characters 0-127: filled by the ROM builder
        place     0FA6Eh
        times 1024 db 0

; ---------------------------------------------------------------- INT 1Ah
        place     0FE6Eh
int1a:
        trap    SERVICE_TIME
        iret

; ---------------------------------------------------------------- IRQ 0, INT 08h
        place     0FEA5h
int08:
        push    ax
        push    ds
        mov     ax, 40h
        mov     ds, ax
        add     word [6Ch], 1
        adc     word [6Eh], 0
        cmp     dword [6Ch], 1800B0h    ; ticks in a day
        jb      .day
        mov     dword [6Ch], 0
        inc     byte [70h]
.day:
        int     1Ch
        cli
        mov     al, 20h
        out     20h, al
        pop     ds
        pop     ax
        iret

; ---------------------------------------------------------------- vector table, offsets of INT 00h-1Fh and 70h-77h
        place     0FEF3h
        dw      dummy, dummy, int02, dummy, dummy, int05, dummy, dummy
        dw      int08, int09, irq_master, irq_master, irq_master, irq_master, int0e, irq_master
        dw      int10, int11, int12, int13_disk, int14, int15, int16, int17
        dw      int18, int19, int1a, dummy, dummy, video_parameters, diskette_parameters, 0
        dw      int70, irq_slave, irq_slave, irq_slave, int74, int75, irq_slave, irq_slave

; ---------------------------------------------------------------- nothing to do, INT 05h
        place     0FF53h
dummy:
        iret
int05:
        iret

int75:                                  ; IRQ 13, the coprocessor's error: as on the AT, INT 02h
        push    ax
        xor     al, al
        out     0F0h, al
        mov     al, 20h
        out     0A0h, al
        out     20h, al
        pop     ax
        int     2
        iret

video_parameters:                       ; INT 1Dh: CGA CRTC tables, kept for programs that read them
        db      38h, 28h, 2Dh, 0Ah, 1Fh, 6, 19h, 1Ch, 2, 7, 6, 7, 0, 0, 0, 0
        db      71h, 50h, 5Ah, 0Ah, 1Fh, 6, 19h, 1Ch, 2, 7, 6, 7, 0, 0, 0, 0
        db      38h, 28h, 2Dh, 0Ah, 7Fh, 6, 64h, 70h, 2, 1, 6, 7, 0, 0, 0, 0

; ---------------------------------------------------------------- reset vector
        place     0FFF0h
        jmp     0F000h:post
        db      '11/23/26'
        db      0
        db      0FCh                    ; PC/AT
        db      0
