; 4-level paging: error codes, sizes, rights, reserved bits, accessed and dirty bits (SDM 3A 4.5 to 4.8).
%define LONG
%define TOPIC "paging"
%include "common.inc"
NX equ 1 << 63
EFER equ 0xc0000080
P equ VIRTUAL

; Page %1 of PT gets the entry %2.
%macro map 2
  mov rax, %2
  mov [PT + (%1) * 8], rax
  invlpg [P + (%1) * 0x1000]
%endmacro

main:
  gate 14, stubs + 14 * 16, CODE, 0x8e, 1
  mov r8d, P
  attempt "missing-read", {mov al, [r8]}
  attempt "missing-write", {mov [r8], al}
  attempt "missing-read-modify-write", {add [r8], al}
  attempt "missing-fetch", jmp r8
  case "missing-user-read"
  to_user
  point
  mov al, [r8]
  done
  case "missing-user-write"
  to_user
  point
  mov [r8], al
  done
  case "missing-user-fetch"
  to_user
  point
  jmp r8
  done

  map 0, PAGES | 5
  attempt "read-only-write", {mov [r8], al}
  attempt "read-only-compare-exchange", {cmpxchg [r8], al}
  case "read-only-user-write"
  to_user
  point
  mov [r8], al
  done
  mov rax, cr0
  mov rbx, rax
  and eax, ~0x10000
  mov cr0, rax
  attempt "read-only-write-without-wp", {mov [r8], al}
  case "read-only-user-write-without-wp"
  to_user
  point
  mov [r8], al
  done
  mov cr0, rbx
  map 0, PAGES | 3
  case "supervisor-page-user-read"
  to_user
  point
  mov al, [r8]
  done
  case "supervisor-page-user-write"
  to_user
  point
  mov [r8], al
  done
  case "supervisor-page-user-fetch"
  to_user
  point
  jmp r8
  done

  mov byte [PAGES], 0xc3
  map 0, PAGES | 7
  attempt "fetch", call r8
  map 0, PAGES | 7 | NX
  attempt "no-execute", jmp r8
  case "no-execute-user"
  to_user
  point
  jmp r8
  done
  observe "no-execute-reads", {movzx eax, byte [r8]}, rax
  set_msr EFER, 0x100
  case "no-execute-disabled-is-reserved"
  mov r9, cr3
  mov cr3, r9
  point
  mov al, [r8]
  done
  map 0, 0
  attempt "missing-fetch-without-nxe", jmp r8
  set_msr EFER, 0x900

  map 0, PAGES | 7 | (1 << 51)
  attempt "reserved-address-bit", {mov al, [r8]}
  attempt "reserved-address-bit-write", {mov [r8], al}
  case "reserved-address-bit-user"
  to_user
  point
  mov al, [r8]
  done
  map 0, PAGES | 7 | (0x7f << 52) | 0xe00
  attempt "ignored-bits", {mov al, [r8]}

; Rights of all levels count.
  map 0, PAGES | 7
%macro directory 1
  mov rax, %1
  mov [PD1], rax
  mov rax, cr3
  mov cr3, rax
%endmacro
  directory PT | 5
  attempt "read-only-directory", {mov [r8], al}
  directory PT | 3
  case "supervisor-directory"
  to_user
  point
  mov al, [r8]
  done
  directory PT | 7 | NX
  attempt "no-execute-directory", jmp r8
  directory PT | 7
  mov rax, NX
  or [PDPT + 8], rax
  mov rax, cr3
  mov cr3, rax
  attempt "no-execute-pointer", jmp r8
  mov dword [PDPT + 8], PD1 | 7
  mov dword [PDPT + 12], 0
  mov rax, cr3
  mov cr3, rax

; Accessed and dirty.
%macro fresh 0
  mov qword [PT], PAGES | 7
  mov qword [PD1], PT | 7
  mov qword [PDPT + 8], PD1 | 7
  mov rax, cr3
  mov cr3, rax
%endmacro
  case "accessed-by-a-read"
  fresh
  mov al, [r8]
  mov rax, [PT]
  and eax, 0xfff
  emit rax
  movzx eax, byte [PD1]
  emit rax
  movzx eax, byte [PDPT + 8]
  emit rax
  done
  case "dirty-by-a-write"
  fresh
  mov [r8], al
  movzx eax, byte [PT]
  emit rax
  movzx eax, byte [PD1]
  emit rax
  done
  case "dirty-by-a-write-after-a-read"
  fresh
  mov al, [r8]
  mov [r8], al
  movzx eax, byte [PT]
  emit rax
  done
  case "not-dirty-by-a-refused-write"
  fresh
  mov qword [PT], PAGES | 5
  mov qword [resume], .refused
  mov [r8], al
.refused:
  mov rax, [PT]
  and eax, 0x40
  emit rax
  mov qword [rec_vector], -1
  done
  case "dirty-by-a-compare-exchange-that-fails"
  fresh
  mov byte [r8], 1
  fresh
  xor eax, eax
  lock cmpxchg [r8], al
  movzx eax, byte [PT]
  emit rax
  done
  case "large-page-accessed-and-dirty"
  mov qword [PD1 + 8], PAGES | 0x87
  mov al, [P + 0x200000]
  movzx eax, byte [PD1 + 8]
  emit rax
  mov [P + 0x200000], al
  movzx eax, byte [PD1 + 8]
  emit rax
  done

; Sizes.
  mov dword [PAGES + 0x1234], 0x5a5a
  observe "2-mib-page", {mov eax, [P + 0x201234]}, rax
  mov rax, (PAGES | 0x2087)
  mov [PD1 + 16], rax
  attempt "2-mib-page-reserved-bit", {mov al, [P + 0x400000]}
  mov qword [PDPT + 16], 0x87
  case "1-gib-page-by-a-full-address"
  mov rbx, 0x80000000 + PAGES + 0x1234
  mov eax, [rbx]
  emit rax
  done
  mov qword [PDPT + 4 * 8], 0x2087
  case "1-gib-page-reserved-bit"
  mov rbx, 0x100000000
  point
  mov al, [rbx]
  done
  mov qword [PML4 + 8], PDPT | 0x87
  case "top-level-page-size-bit"
  mov rbx, 0x8000000000
  point
  mov al, [rbx]
  done
  mov qword [PML4 + 16], PDPT | 7
  case "second-top-level-entry"
  mov rbx, 0x10000000000 + PAGES + 0x1234
  mov eax, [rbx]
  emit rax
  done

; Accesses over a border, and what a fault leaves.
  fresh
  map 1, 0
  case "write-across-a-border"
  mov dword [PAGES + 0xffc], 0x11223344
  mov rax, -1
  point
  mov [P + 0xffd], rax
  done
  case "write-across-a-border-changes-nothing"
  mov eax, [PAGES + 0xffc]
  emit rax
  done
  case "push-to-a-missing-page"
  mov rsp, P + 0x1000 + 8
  mov qword [resume], .pushed
  push rax
  push rax
.pushed:
  mov eax, P + 0x1000
  sub rax, [rec_sp]
  emit rax
  mov qword [rec_vector], -1
  done
  case "repeated-store-stops-at-the-border"
  mov rdi, P + 0xff8
  mov ecx, 16
  mov qword [resume], .stored
  point
  rep stosb
.stored:
  mov eax, P + 0x1000
  sub rax, rdi
  emit rax
  emit rcx
  mov qword [rec_vector], -1
  done
  case "fetch-across-a-border"
  mov byte [P + 0xfff], 0xb8
  mov eax, P + 0xfff
  mov [mark], rax
  jmp rax
  done
  case "page-appears-without-invlpg"
  mov qword [PT + 8], PAGES + 0x1007
  mov dword [PAGES + 0x1000], 0x99
  mov eax, [P + 0x1000]
  emit rax
  done
  case "invlpg-drops-the-old-page"
  mov dword [PAGES + 0x2000], 0xaa
  mov qword [PT + 8], PAGES + 0x2007
  invlpg [P + 0x1000]
  mov eax, [P + 0x1000]
  emit rax
  done
  case "cr3-drops-the-old-page"
  mov qword [PT + 8], PAGES + 0x1007
  mov rax, cr3
  mov cr3, rax
  mov eax, [P + 0x1000]
  emit rax
  done
  case "cr4-pge-drops-global-pages"
  mov rbx, cr4
  mov rcx, rbx
  or ecx, 0x80
  mov cr4, rcx
  map 1, PAGES + 0x1107
  mov eax, [P + 0x1000]
  mov qword [PT + 8], PAGES + 0x2107
  mov cr4, rbx
  mov eax, [P + 0x1000]
  emit rax
  done
  case "invlpg-ring-3"
  to_user
  point
  invlpg [r8]
  done

; Descriptor tables are read as supervisor whatever the ring.
  slot SLOT, 0x00005fff, 0x40008200
  case "user-reads-a-table-on-a-supervisor-page"
  mov qword [PT + 5 * 8], PAGES + 0x5003
  mov rax, 0x00cff3000000ffff
  mov [PAGES + 0x5008], rax
  mov word [gdt + SLOT + 2], 0x5000
  mov ax, SLOT
  lldt ax
  to_user
  mov ax, 8 | 4 | 3
  mov ds, ax
  mov ebx, ds
  to_kernel
  emit rbx
  done
  case "user-reads-a-table-on-a-missing-page"
  map 5, 0
  to_user
  mov ax, 8 | 4 | 3
  point
  mov ds, ax
  done
  case "cr3-reserved-bit"
  mov rax, cr3
  mov rbx, 1 << 51
  or rax, rbx
  point
  mov cr3, rax
  done
  jmp finish
