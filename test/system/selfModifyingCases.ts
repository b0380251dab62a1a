// Code that changes: the next fetch sees it (SDM 3A 8.1.3).
import type { SystemCase } from './systemCase.ts';

export const selfModifyingCases: readonly SystemCase[] = [
  {
    name: 'an instruction of the running block, just ahead',
    text: `test:
      mov ecx, 3
    again:
      mov [patched + 1], cl
    patched:
      mov al, 0
      movzx eax, al
      call log
      dec ecx
      jnz again
      finish`,
    log: [3, 2, 1],
  },
  {
    name: 'a function on another page',
    text: `test:
      mov edi, 0x30000
      mov byte [edi], 0xb8
      mov dword [edi + 1], 0x1111
      mov byte [edi + 5], 0xc3
      call edi
      call log
      mov dword [edi + 1], 0x2222
      call edi
      call log
      mov byte [edi], 0x90
      mov byte [edi + 1], 0x90
      mov byte [edi + 2], 0x40
      mov byte [edi + 3], 0xc3
      call edi
      call log
      finish`,
    log: [0x1111, 0x2222, 0x2223],
  },
  {
    name: 'across an alias of the page',
    text: `test:
      identity_paging
      mov dword [PTE(0x300000)], 0x200007
      reload_cr3
      mov dword [0x200000], 0x000005b8
      mov word [0x200004], 0xc300
      mov eax, 0x200000
      call eax
      call log
      mov byte [0x300001], 6
      mov eax, 0x200000
      call eax
      call log
      mov eax, 0x300000
      call eax
      call log
      mov byte [0x200001], 7
      mov eax, 0x300000
      call eax
      call log
      finish`,
    log: [5, 6, 6, 7],
  },
  {
    name: 'an instruction across two pages, its second half changed',
    text: `test:
      mov byte [0x30ffe], 0xb8
      mov dword [0x30fff], 0x1111
      mov byte [0x31003], 0xc3
      mov ebx, 0x30ffe
      call ebx
      call log
      mov byte [0x31001], 0x22
      call ebx
      call log
      mov byte [0x30fff], 0x33
      call ebx
      call log
      finish`,
    log: [0x1111, 0x221111, 0x221133],
  },
  {
    name: 'a string instruction that overwrites what follows it',
    text: `test:
      mov edi, target
      mov ecx, 8
      mov al, 0x40
      xor ebx, ebx
      jmp go
    go:
      rep stosb
    target:
      times 8 nop
      movzx eax, al
      call log
      finish`,
    log: [0x48],
  },
  {
    name: 'a branch target changed while it is linked',
    text: `test:
      mov ecx, 4
    again:
      jmp near there
    back:
      call log
      mov eax, [constant + 1]
      add eax, 0x10
      mov [constant + 1], eax
      dec ecx
      jnz again
      finish
    there:
    constant:
      mov eax, 1
      jmp near back`,
    log: [1, 0x11, 0x21, 0x31],
  },
  {
    name: 'data beside code stays fast and right',
    text: `test:
      mov ecx, 1000
    again:
      inc dword [counter]
      add dword [counter + 4], ecx
      dec ecx
      jnz again
      logs [counter]
      logs [counter + 4]
      finish
    counter:
      dd 0, 0`,
    log: [1000, 500500],
  },
  {
    name: 'remapping a page shows the other frame\'s code',
    text: `test:
      identity_paging
      mov dword [0x200000], 0x000005b8
      mov word [0x200004], 0xc300
      mov dword [0x201000], 0x000006b8
      mov word [0x201004], 0xc300
      mov ebx, 0x300000
      mov dword [PTE(0x300000)], 0x200007
      invlpg [ebx]
      call ebx
      call log
      mov dword [PTE(0x300000)], 0x201007
      invlpg [ebx]
      call ebx
      call log
      finish`,
    log: [5, 6],
  },
];
