// The virtual interrupt flag: virtual-8086 mode extensions and protected-mode virtual interrupts (SDM 3B 21.3, 21.4).
import type { SystemCase } from './systemCase.ts';

const VIF = 0x80000, VIP = 0x100000, VM = 0x20000, IF = 0x200, IOPL3 = 0x3000;

/** To virtual-8086 mode at a label, with the given EFLAGS; the stack ends at 20000h, `origin` is the label. */
const enter = (label: string, flags: number): string => `
      mov dword [origin], ${label}
      push dword 0
      push dword 0
      push dword 0
      push dword 0
      push dword 0x1800
      push dword 0x8000
      push dword ${VM | 2 | flags}
      push dword 0
      push dword ${label}
      iretd
    bits 16
    ${label}:`;

/** Turns a CR4 bit on; #GP then logs where it was, and the flags of virtualization; the program goes on at `resume`. */
const prepare = (cr4: number): string => `
      mov eax, cr4
      or eax, ${cr4}
      mov cr4, eax
      set_gate 13, protection, 0x8e`;
const PROTECTION = `
    bits 32
    protection:
      mov ax, DATA
      mov ds, ax
      mov es, ax
      mov eax, [ss:esp + 4]
      sub eax, [origin]
      call log
      mov eax, [ss:esp + 12]
      and eax, 0x1a3300
      call log
      mov esp, STACK
      jmp [resume]`;
/** The interrupt redirection bitmap in front of the I/O permission bitmap: all ones but for one vector. */
const redirect = (vector: number): string => `
      mov word [tss + 0x66], 0x88
      mov byte [tss + 0x68 + ${vector >>> 3}], ${0xff & ~(1 << (vector & 7))}
      mov word [${vector * 4}], service
      mov word [${vector * 4 + 2}], 0`;
const logWords = (...registers: readonly string[]): string =>
  registers.map((register) => `
      movzx eax, ${register}
      call log`).join('');

export const virtualFlagCases: readonly SystemCase[] = [
  {
    name: 'VME: CLI, STI, PUSHF and POPF act on VIF, whatever IF is',
    text: `test:${prepare(1)}
      resume_at second${enter('first', 0)}
      sti
      pushf
      pop bx
      cli
      pushf
      pop cx
      push word 0x0203
      popf
      pushf
      pop dx
      hlt
    bits 32
    second:${logWords('bx', 'cx', 'dx')}
      resume_at third${enter('again', IF | VIF)}
      push word 0x0002
      popf
      pushf
      pop bx
      hlt
    bits 32
    third:${logWords('bx')}
      finish${PROTECTION}`,
    log: [12, VM | VIF, 0x3202, 0x3002, 0x3203, 5, VM | IF, 0x3002],
  },
  {
    name: 'VME: a pending virtual interrupt makes STI, POPF and IRET fault when they would enable it, not CLI',
    text: `test:${prepare(1)}
      resume_at second${enter('first', VIP)}
      cli
      sti
    bits 32
    second:
      resume_at third${enter('popping', VIP)}
      push word 2
      popf
      push word 0x202
      popf
    bits 32
    third:
      resume_at fourth${enter('returning', VIP)}
      push word 0x202
      push word 0
      push word returning
      iret
    bits 32
    fourth:
      finish${PROTECTION}`,
    log: [1, VM | VIP, 6, VM | VIP, 8, VM | VIP],
  },
  {
    name: 'VME: POPF and IRET fault on TF, and with operands of 32 bits; PUSHFD too',
    text: `test:${prepare(1)}
      resume_at second${enter('first', 0)}
      push word 0x102
      mov bp, sp
      popf
    bits 32
    second:${logWords('sp', 'bp')}
      resume_at third${enter('trapping', 0)}
      push word 0x102
      push word 0
      push word first
      iret
    bits 32
    third:
      resume_at fourth${enter('widePush', 0)}
      pushfd
    bits 32
    fourth:
      resume_at fifth${enter('widePop', 0)}
      push dword 2
      popfd
    bits 32
    fifth:
      resume_at sixth${enter('wideReturn', 0)}
      iretd
    bits 32
    sixth:
      finish${PROTECTION}`,
    log: [5, VM, 0x8000, 0x7ffe, 8, VM, 0, VM, 3, VM, 0, VM],
  },
  {
    name: 'VME: INT n through the redirection bitmap, with VIF in the place of IF',
    text: `test:${prepare(1)}${redirect(0x61)}
      resume_at second${enter('first', VIF)}
      stc
      int 0x61
    behind:
      pushf
      pop dx
      hlt
    service:
      mov bp, sp
      mov bx, [bp + 4]
      mov si, [bp]
      sub si, behind
      pushf
      pop cx
      iret
    bits 32
    second:${logWords('bx', 'cx', 'dx', 'si', 'bp')}
      resume_at third${enter('closed', VIF)}
      int 0x62
    bits 32
    third:
      finish${PROTECTION}`,
    // SUB leaves ZF and PF.
    log: [5, VM | VIF, 0x3203, 0x3046, 0x3203, 0, 0x7ffa, 0, VM | VIF],
  },
  {
    name: 'VME with IOPL 3: INT n redirected clears IF itself; a set bit leads to the gate',
    text: `test:${prepare(1)}${redirect(0x61)}
      set_gate 0x62, gated, 0xee
      resume_at second${enter('first', IOPL3 | IF)}
      int 0x61
      pushf
      pop dx
      int 0x62
    service:
      mov bp, sp
      mov bx, [bp + 4]
      pushf
      pop cx
      iret
    bits 32
    gated:
      mov ax, DATA
      mov ds, ax
      logs 0x62
      mov eax, [ss:esp + 8]
      and eax, 0x1a3300
      call log
      mov esp, STACK
      jmp [resume]
    second:${logWords('bx', 'cx', 'dx')}
      finish${PROTECTION}`,
    log: [0x62, VM | IOPL3 | IF, 0x3202, 0x3002, 0x3202],
  },
  {
    name: 'VME: INT3 is not redirected; without VME no INT n is',
    text: `test:${prepare(1)}${redirect(3)}
      set_gate 3, gated, 0xee
      resume_at second${enter('first', 0)}
      int3
    service:
      mov dword [cs:origin], service
      hlt
    bits 32
    gated:
      mov ax, DATA
      mov ds, ax
      logs 3
      mov esp, STACK
      jmp [resume]
    second:
      resume_at third${enter('explicit', VIF)}
      db 0xcd, 3
      nop
    bits 32
    third:
      mov eax, cr4
      and al, 0xfe
      mov cr4, eax
      resume_at fourth${enter('plain', 0)}
      db 0xcd, 3
    bits 32
    fourth:
      finish${PROTECTION}`,
    // Redirected, INT 3 (CD 03) ends at the HLT of `service`, behind an instruction of 10 bytes.
    log: [3, 10, VM, 0, VM],
  },
  {
    name: 'PVI: CLI and STI of ring 3 act on VIF; PUSHF and POPF do not see it',
    text: `test:${prepare(2)}
      resume_at second
      mov dword [origin], user
      ring3 user, 0x002
    user:
      sti
      pushfd
      pop ebx
      cli
      pushfd
      pop ecx
      sti
      push dword 2
      popfd
      pushfd
      pop edx
      hlt
    second:
      mov eax, ebx
      and eax, 0x1a3200
      call log
      mov eax, ecx
      and eax, 0x1a3200
      call log
      mov eax, edx
      and eax, 0x1a3200
      call log
      resume_at third
      mov dword [origin], pending
      ring3 pending, ${VIP | 2}
    pending:
      cli
      sti
    third:
      finish${PROTECTION}`,
    log: [12, VIF, VIF, 0, VIF, 1, VIP],
  },
  {
    name: 'PVI leaves rings 1 and 2 and INT n alone; without PVI CLI and STI of ring 3 fault',
    text: `test:${prepare(0)}
      resume_at second
      mov dword [origin], user
      ring3 user, 0x002
    user:
      cli
    second:
      mov eax, cr4
      or al, 2
      mov cr4, eax
      resume_at third
      mov dword [origin], other
      ring3 other, 0x202
    other:
      cli
      pushfd
      pop ebx
      int 0x30
    third:
      mov eax, ebx
      and eax, 0x1a3200
      call log
      finish${PROTECTION}`,
    log: [0, 0, 3, IF, IF],
  },
  {
    name: 'VIF and VIP come from a 32-bit IRET of ring 0 only',
    text: `test:
      push dword ${VIF | VIP | 2}
      push dword CODE
      push dword there
      iretd
    there:
      pushfd
      pop ebx
      mov eax, ebx
      and eax, 0x1a3200
      call log
      pushfd
      push dword CODE
      push dword back
      iretd
    back:
      push dword 2
      push dword CODE
      push dword clear
      iretd
    clear:
      pushfd
      pop eax
      and eax, 0x1a3200
      call log
      mov eax, cr4
      or al, 3
      faults mov cr4, eax
      mov eax, 1
      cpuid
      and edx, 2
      logs edx
      finish`,
    log: [VIF | VIP, 0, 0xbad, 2],
  },
  {
    name: 'the 486 has neither VME nor PVI',
    model: '486',
    text: `test:
      mov eax, 3
      faults mov cr4, eax
      mov eax, 1
      cpuid
      and edx, 2
      logs edx
      finish`,
    log: [13, 0, 0],
  },
];
