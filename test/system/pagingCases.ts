// Paging (SDM 3A chapter 4).
import type { SystemCase } from './systemCase.ts';

export const pagingCases: readonly SystemCase[] = [
  {
    name: 'page-fault error codes and CR2 from ring 0',
    text: `test:
      identity_paging
      mov byte [detail], DETAIL_CR2
      mov dword [PTE(0x200000)], 0
      reload_cr3
      faults mov eax, [0x200123]
      faults mov [0x200456], eax
      faults add [0x200abc], eax
      faults mov eax, [0x1ffffe]
      faults mov [0x1ffffd], eax
      faults jmp CODE:0x200010
      finish`,
    log: [14, 0, 0x200123, 14, 2, 0x200456, 14, 2, 0x200abc, 14, 0, 0x200000, 14, 2, 0x200000, 14, 0, 0x200010],
  },
  {
    name: 'user and supervisor, read-only, from ring 3',
    text: `test:
      identity_paging
      mov byte [detail], DETAIL_CR2
      mov dword [PTE(0x200000)], 0x200003
      mov dword [PTE(0x201000)], 0x201005
      mov dword [PTE(0x202000)], 0
      reload_cr3
      resume_at second
      ring3 user, 2
    user:
      mov eax, [ss:0x200000]
    second:
      resume_at third
      ring3 user2, 2
    user2:
      mov eax, [ss:0x201000]
      mov [ss:0x201004], eax
    third:
      resume_at fourth
      ring3 user3, 2
    user3:
      mov [ss:0x202000], eax
    fourth:
      resume_at fifth
      ring3 user4, 2
    user4:
      mov [ss:0x200008], eax
    fifth:
      resume_at sixth
      ring3 0x200020, 2
    sixth:
      mov dword [0x201004], 0x77
      logs [0x201004]
      finish`,
    log: [
      14, 5, 0x200000, 14, 7, 0x201004, 14, 6, 0x202000, 14, 7, 0x200008, 14, 5, 0x200020, 0x77,
    ],
  },
  {
    name: 'CR0.WP makes ring 0 obey read-only pages',
    text: `test:
      identity_paging
      mov byte [detail], DETAIL_CR2
      mov dword [PTE(0x201000)], 0x201005
      reload_cr3
      mov [0x201000], eax
      mov eax, cr0
      or eax, 0x10000
      mov cr0, eax
      faults mov [0x201000], eax
      faults inc dword [0x201010]
      mov edi, 0x200ffe
      mov ecx, 8
      faults rep stosb
      logs edi
      logs ecx
      mov eax, cr0
      and eax, 0xfffeffff
      mov cr0, eax
      mov [0x201000], eax
      finish`,
    log: [14, 3, 0x201000, 14, 3, 0x201010, 14, 3, 0x201000, 0x201000, 6],
  },
  {
    name: 'rights of directory and table combine',
    text: `test:
      identity_paging
      mov dword [0x100000], 0x101003
      mov dword [0x100004], 0x101005
      mov eax, cr0
      or eax, 0x10000
      mov cr0, eax
      mov eax, [0x600000]
      faults mov [0x600000], eax
      mov [0x200000], eax
      resume_at after
      ring3 user, 2
    user:
      nop
    after:
      finish`,
    log: [14, 3, 14, 5],
  },
  {
    name: 'accessed and dirty bits',
    text: `test:
      identity_paging
      mov eax, [0x200000]
      logs [PTE(0x200000)]
      mov [0x200000], eax
      logs [PTE(0x200000)]
      logs [PTE(0x201000)]
      add dword [0x201000], 1
      logs [PTE(0x201000)]
      mov eax, [0x100000]
      and eax, 0x20
      call log
      cmp dword [0x202000], 0
      logs [PTE(0x202000)]
      finish`,
    log: [0x200027, 0x200067, 0x201007, 0x201067, 0x20, 0x202027],
  },
  {
    name: 'a write that crosses into a missing page changes nothing',
    text: `test:
      identity_paging
      mov dword [PTE(0x201000)], 0
      mov dword [0x200ffc], 0x11111111
      reload_cr3
      mov eax, 0x22222222
      faults mov [0x200ffe], eax
      faults add [0x200ffd], eax
      logs [0x200ffc]
      logs [PTE(0x200000)]
      finish`,
    log: [14, 2, 14, 2, 0x11111111, 0x200067],
  },
  {
    name: '4 MiB pages',
    text: `test:
      identity_paging
      mov eax, cr4
      or eax, 0x10
      mov cr4, eax
      mov dword [0x100004], 0x00000087
      mov dword [0x212344], 0x5a5a5a5a
      logs [0x612344]
      mov dword [0x612348], 0x66
      logs [0x212348]
      logs [0x100004]
      mov dword [0x100008], 0x400081
      mov byte [detail], DETAIL_CR2
      resume_at second
      ring3 user, 2
    user:
      mov eax, [ss:0x812344]
    second:
      finish`,
    log: [0x5a5a5a5a, 0x66, 0xe7, 14, 5, 0x812344],
  },
  {
    name: 'PAE: 4 KiB and 2 MiB pages, entries above 4 GiB',
    text: `test:
      mov edi, 0x100000
      xor eax, eax
      mov ecx, 0x4000 / 4
      rep stosd
      mov dword [0x100000], 0x101001
      mov dword [0x101000], 0x000083 | 4
      mov dword [0x101008], 0x102007
      mov dword [0x101010], 0x200087
      mov dword [0x102000], 0x200007
      mov dword [0x102008], 0x200007
      mov dword [0x10200c], 1
      mov eax, cr4
      or eax, 0x20
      mov cr4, eax
      mov eax, 0x100000
      mov cr3, eax
      mov eax, cr0
      or eax, 0x80000000
      mov cr0, eax
      jmp on
    on:
      mov byte [detail], DETAIL_CR2
      mov dword [0x200010], 0x1234
      logs [0x400010]
      logs [0x201010]
      mov dword [0x201010], 5
      logs [0x400010]
      faults mov eax, [0x202000]
      faults mov eax, [0x40000000]
      mov eax, [0x102000]
      call log
      finish`,
    log: [0x1234, 0xffffffff, 0x1234, 14, 0, 0x202000, 14, 0, 0x40000000, 0x200067],
  },
  {
    name: 'PAE: reserved bits of a pointer entry fault when CR3 is loaded',
    text: `test:
      mov edi, 0x100000
      xor eax, eax
      mov ecx, 0x4000 / 4
      rep stosd
      mov dword [0x100000], 0x101001
      mov dword [0x101000], 0x87
      mov dword [0x103000], 0x101007
      mov eax, cr4
      or eax, 0x20
      mov cr4, eax
      mov eax, 0x100000
      mov cr3, eax
      mov eax, cr0
      or eax, 0x80000000
      mov cr0, eax
      mov eax, 0x103000
      faults mov cr3, eax
      mov eax, cr3
      call log
      finish`,
    log: [13, 0, 0x100000],
  },
  {
    name: 'INVLPG, CR3 and global pages',
    text: `test:
      identity_paging
      mov eax, cr4
      or eax, 0x80
      mov cr4, eax
      mov dword [0x200000], 1
      mov dword [0x201000], 2
      mov dword [PTE(0x300000)], 0x200107
      mov dword [PTE(0x302000)], 0x200007
      invlpg [0x300000]
      invlpg [0x302000]
      logs [0x300000]
      logs [0x302000]
      mov dword [PTE(0x300000)], 0x201107
      mov dword [PTE(0x302000)], 0x201007
      reload_cr3
      logs [0x300000]
      logs [0x302000]
      invlpg [0x300000]
      logs [0x300000]
      mov dword [PTE(0x300000)], 0x200107
      mov eax, cr4
      and eax, ~0x80
      mov cr4, eax
      logs [0x300000]
      finish`,
    log: [1, 1, 1, 2, 2, 1],
  },
  {
    name: 'an instruction that reaches into a missing page faults with that page in CR2',
    text: `test:
      identity_paging
      mov byte [detail], DETAIL_CR2 | DETAIL_EIP
      mov dword [0x200ffe], 0x90b89090
      mov byte [0x200fff], 0xb8
      mov dword [PTE(0x201000)], 0
      reload_cr3
      resume_at second
      mov dword [origin], 0
      jmp CODE:0x200ffe
    second:
      mov dword [PTE(0x201000)], 0x201007
      mov dword [0x201000], 0x1234
      mov byte [0x201004], 0xc3
      mov eax, 0x200fff
      call eax
      call log
      mov dword [PTE(0x201000)], 0
      reload_cr3
      mov byte [0x200fff], 0x90
      resume_at third
      jmp CODE:0x200fff
    third:
      finish`,
    log: [14, 0, 0x200fff, 0x201000, 0x1234, 14, 0, 0x201000, 0x201000],
  },
  {
    name: 'aliases of one frame see each other',
    text: `test:
      identity_paging
      mov dword [PTE(0x300000)], 0x200007
      reload_cr3
      mov dword [0x300010], 7
      logs [0x200010]
      mov dword [0x200ffe], 0x12345678
      logs [0x300ffc]
      finish`,
    log: [7, 0x56780000],
  },
  {
    name: 'string instructions stop exactly at a missing page',
    text: `test:
      identity_paging
      mov dword [PTE(0x202000)], 0
      reload_cr3
      mov esi, 0x210000
      mov edi, 0x200f00
      mov ecx, 0x1000
      faults rep movsd
      logs esi
      logs edi
      logs ecx
      mov edi, 0x200f01
      mov ecx, 0x3000
      faults rep stosb
      logs edi
      logs ecx
      mov esi, 0x201ff8
      mov ecx, 4
      faults rep lodsd
      logs esi
      logs ecx
      finish`,
    log: [14, 2, 0x211100, 0x202000, 0x1000 - 0x440, 14, 2, 0x202000, 0x3000 - 0x10ff, 14, 0, 0x202000, 2],
  },
  {
    name: 'a page fault while delivering another is a double fault',
    text: `test:
      identity_paging
      mov dword [idt + 14 * 8], 0x00080000
      mov word [idt + 14 * 8 + 2], CODE
      mov dword [PTE(0x200000)], 0
      ; the handler's stack page is missing: through ring 3, double fault by a task
      mov word [idt + 8 * 8 + 2], TSS2
      mov byte [idt + 8 * 8 + 5], 0x85
      mov dword [tss2 + 0x1c], 0x100000
      mov dword [tss2 + 0x20], task
      mov dword [tss2 + 0x24], 2
      mov dword [tss2 + 0x38], 0x14000
      mov word [tss2 + 0x48], DATA
      mov word [tss2 + 0x4c], CODE
      mov word [tss2 + 0x50], DATA
      mov word [tss2 + 0x54], DATA
      mov dword [tss + 4], 0x200000 + 0x800
      reload_cr3
      ring3 user, 2
    user:
      mov eax, [ss:0x200000]
    task:
      pop eax
      call log
      mov eax, cr2
      call log
      finish`,
    log: [0, 0x200800 - 4],
  },
];
