// Single steps and breakpoints (SDM 3B chapter 17).
import type { SystemCase } from './systemCase.ts';

/** Counts traps; their frame's EFLAGS keep TF. */
const COUNTER = `
    handler:
      inc dword [ss:marker]
      iretd`;
const STEP = `
      set_gate 1, handler, 0x8e
      push dword 0x102
      popfd`;
const STOP = `
      push dword 2
      popfd
      logs [marker]`;
/** Logs EIP from \`origin\` and DR6, clears DR6 and goes on. */
const BREAK_HANDLER = `
    handler:
      push eax
      mov eax, [ss:esp + 4]
      sub eax, [ss:origin]
      call log
      mov eax, dr6
      and eax, 0xe00f
      call log
      test al, 15
      jz .stepped
      or dword [ss:esp + 12], 0x10000
    .stepped:
      mov eax, 0xffff0ff0
      mov dr6, eax
      pop eax
      iretd`;
const arm = (register: number, address: string, dr7: number): string => `
      set_gate 1, handler, 0x8e
      mov eax, ${address}
      mov dr${register}, eax
      mov eax, ${dr7}
      mov dr7, eax`;
const WRITE_4 = 0x000d0001, ACCESS_2 = 0x00070001, EXECUTE = 1;

export const debugCases: readonly SystemCase[] = [
  {
    name: 'TF traps once after each instruction',
    text: `test:${STEP}
      nop
      nop
      nop${STOP}
      finish${COUNTER}`,
    log: [5],
  },
  {
    name: 'TF: taken branches, calls and the crossing of a page',
    text: `test:
      mov dword [0x30ffd], 0x11b89090
      mov word [0x31001], 0x0000
      mov word [0x31003], 0xc300
      mov word [0x31004], 0x00c3
      mov ebx, 0x30ffd${STEP}
      jmp there
      nop
    there:
      call ebx${STOP}
      finish${COUNTER}`,
    // jmp, call, two NOPs, MOV, RET, push, POPF
    log: [8],
  },
  {
    name: 'TF traps after each iteration of a repeated string instruction',
    text: `test:
      mov esi, 0x20000
      mov edi, 0x30000
      mov ecx, 3${STEP}
      rep movsb
      mov ecx, 4
      rep stosb${STOP}
      logs ecx
      logs edi
      finish${COUNTER}`,
    log: [10, 0, 0x30007],
  },
  {
    name: 'a repeated instruction traps at itself until it is done',
    text: `test:
      mov edi, 0x30000
      mov ecx, 2
      mov dword [origin], here${STEP}
    here:
      rep stosb
      push dword 2
      popfd
      finish${BREAK_HANDLER}`,
    log: [0, 0x4000, 2, 0x4000, 4, 0x4000, 5, 0x4000],
  },
  {
    name: 'loading SS puts the trap off by one instruction',
    text: `test:
      mov ax, ss${STEP}
      mov ss, ax
      nop${STOP}
      finish${COUNTER}`,
    log: [3],
  },
  {
    name: 'INT n enters its handler without a trap',
    text: `test:${STEP}
      int 0x36
      nop${STOP}
      finish${COUNTER}`,
    log: [3],
  },
  {
    name: 'a single step sets DR6.BS and names the next instruction',
    text: `test:
      mov dword [origin], here${STEP}
    here:
      nop
      push dword 2
      popfd
      finish${BREAK_HANDLER}`,
    log: [1, 0x4000, 3, 0x4000, 4, 0x4000],
  },
  {
    name: 'an instruction breakpoint is a fault and the RF of its handler lets it pass',
    text: `test:
      mov dword [origin], here${arm(0, 'here', EXECUTE)}
      mov ecx, 2
    again:
      nop
    here:
      inc ebx
      loop again
      xor eax, eax
      mov dr7, eax
      finish${BREAK_HANDLER}`,
    log: [0, 1, 0, 1],
  },
  {
    name: 'neither the fault of an instruction breakpoint nor the trap of a data breakpoint pushes RF',
    text: `test:
      mov byte [detail], DETAIL_FLAGS | DETAIL_RETURN | DETAIL_PASS
      mov eax, here
      mov dr0, eax
      mov eax, 0x20000
      mov dr1, eax
      mov eax, 0x00d00005
      mov dr7, eax
      push dword 2
      popfd
    here:
      mov dword [0x20000], 5
      push dword 2
      popfd
      finish`,
    log: [1, 0, 2, 1, 0, 2],
  },
  {
    name: 'a data breakpoint traps behind the write, not on reads or neighbours',
    text: `test:
      mov dword [origin], here${arm(1, '0x20004', (WRITE_4 & 0xffff0000) << 4 | 4)}
      mov eax, [0x20004]
      mov [0x20000], eax
      mov [0x20008], eax
    here:
      mov [0x20004], eax
      mov [0x20001], eax
      mov byte [0x20007], 1
      inc dword [0x20003]
      push dword [0x20004]
      xor eax, eax
      mov dr7, eax
      finish${BREAK_HANDLER}`,
    log: [5, 2, 10, 2, 17, 2, 23, 2],
  },
  {
    name: 'an access breakpoint sees reads, across a page too',
    text: `test:
      mov dword [origin], here${arm(0, '0x21000', ACCESS_2)}
    here:
      mov eax, [0x20ffe]
      mov [0x20fff], ax
      jmp there
    there:
      cmp byte [0x21001], 0
      mov al, [0x21002]
      xor eax, eax
      mov dr7, eax
      finish${BREAK_HANDLER}`,
    log: [5, 1, 11, 1, 20, 1],
  },
  {
    name: 'a data breakpoint within a repeated string instruction traps after the iteration',
    text: `test:
      mov dword [origin], here${arm(0, '0x20008', WRITE_4)}
      mov edi, 0x20000
      mov ecx, 4
      cld
    here:
      rep stosd
      xor eax, eax
      mov dr7, eax
      logs edi
      finish
    handler:
      logs ecx
      mov eax, [ss:esp]
      sub eax, [ss:origin]
      call log
      iretd`,
    log: [1, 0, 0x20010],
  },
  {
    name: 'DR7.GD guards the debug registers',
    text: `test:
      mov dword [origin], here
      set_gate 1, handler, 0x8e
      mov eax, 0x2000
      mov dr7, eax
    here:
      mov eax, dr0
      mov eax, dr7
      call log
      finish${BREAK_HANDLER}`,
    log: [0, 0x2000, 0x400],
  },
  {
    name: 'breakpoints of ports need CR4.DE',
    text: `test:
      mov dword [origin], here
      mov eax, cr4
      or eax, 8
      mov cr4, eax${arm(0, '0x80', 0x00020001)}
    here:
      in al, 0x81
      in al, 0x80
      xor eax, eax
      mov dr7, eax
      faults mov eax, dr4
      finish${BREAK_HANDLER}`,
    log: [4, 1, 6, 0],
  },
  {
    name: 'breakpoints and single steps together',
    text: `test:
      mov dword [origin], here${arm(0, 'here', EXECUTE)}
      push dword 0x102
      popfd
      nop
    here:
      nop
      push dword 2
      popfd
      finish${BREAK_HANDLER}`,
    // The step's trap comes first, then the breakpoint's fault (SDM 3A table 6-2).
    log: [0, 0x4000, 0, 1, 1, 0x4000, 3, 0x4000, 4, 0x4000],
  },
  {
    name: 'DR6 keeps what only software clears but for B0 to B3; its fixed bits and those of DR7',
    text: `test:
      set_gate 1, handler, 0x8e
      mov eax, 0x20000
      mov dr0, eax
      mov eax, 0x20010
      mov dr3, eax
      mov eax, 0xd00d0081
      mov dr7, eax
      mov dword [0x20000], 1
      mov dword [0x20010], 1
      push dword 0x102
      popfd
      nop
      push dword 2
      popfd
      xor eax, eax
      mov dr7, eax
      mov dr6, eax
      mov eax, dr6
      call log
      mov eax, -1
      mov dr6, eax
      mov eax, dr6
      call log
      mov eax, 0xffffdf00
      mov dr7, eax
      mov eax, dr7
      call log
      finish
    handler:
      push eax
      mov eax, dr6
      call log
      pop eax
      iretd`,
    log: [0xffff0ff1, 0xffff0ff8, 0xffff4ff0, 0xffff4ff0, 0xffff4ff0, 0xffff0ff0, 0xffffefff, 0xffff0f00],
  },
  {
    name: 'ICEBP sets nothing in DR6; INT3 and INTO are no debug exceptions',
    text: `test:
      mov byte [detail], DETAIL_DR6 | DETAIL_RETURN
      db 0xf1
      int3
      finish`,
    log: [1, 0, 0xffff0ff0, 3, 0, 0xffff0ff0],
  },
  {
    name: 'DEBUGCTL.BTF: single steps on taken branches, until a debug exception ends it',
    text: `test:
      mov dword [origin], here
      set_gate 1, handler, 0x8e
      mov ecx, 0x1d9
      mov eax, 2
      xor edx, edx
      wrmsr
      push dword 0x102
      popfd
    here:
      nop
      xor ecx, ecx
      jnz there
      mov edi, 0x30000
      mov ecx, 3
      rep stosb
      jmp there
      nop
    there:
      nop
      push dword 2
      popfd
      mov ecx, 0x1d9
      rdmsr
      logs eax
      finish${BREAK_HANDLER}`,
    log: [0x14, 0x4000, 0x15, 0x4000, 0x17, 0x4000, 0x18, 0x4000, 0],
  },
  {
    name: 'a data breakpoint on the operand of MOV SS traps behind the next instruction',
    text: `test:
      mov dword [origin], here
      mov [0x20000], ss${arm(0, '0x20000', ACCESS_2)}
    here:
      mov ss, [0x20000]
      nop
      nop
      xor eax, eax
      mov dr7, eax
      finish${BREAK_HANDLER}`,
    log: [7, 1],
  },
  {
    name: 'an instruction breakpoint right behind MOV SS is passed, behind STI it is not',
    text: `test:
      mov dword [origin], here${arm(0, 'here', EXECUTE)}
      mov ax, ss
      mov ss, ax
    here:
      nop
      mov eax, there
      mov dr0, eax
      mov dword [origin], there
      sti
    there:
      nop
      cli
      xor eax, eax
      mov dr7, eax
      finish${BREAK_HANDLER}`,
    log: [0, 1],
  },
  {
    name: 'a port breakpoint sees string output, wider accesses and the port only',
    text: `test:
      mov dword [origin], here
      mov eax, cr4
      or eax, 8
      mov cr4, eax${arm(2, '0x82', 0x06000010 | 0x20)}
      mov esi, 0x20000
      mov ecx, 2
    here:
      in ax, 0x81
      in al, 0x84
      mov dx, 0x83
      in al, dx
      cmp byte [0x82], 0
      mov dx, 0x80
      outsd
      xor eax, eax
      mov dr7, eax
      finish${BREAK_HANDLER}`,
    log: [3, 4, 10, 4, 0x16, 4],
  },
];
