; 32-bit and PAE paging in protected mode (SDM 3A 4.3, 4.4).
%define TOPIC "pae"
%include "common.inc"
DIRECTORY equ 0x201000
TABLE equ 0x202000
POINTERS equ 0x203000
PAED equ 0x204000
PAET equ 0x205000
V equ 0x800000
EFER equ 0xc0000080

%macro reload 0
  mov eax, cr3
  mov cr3, eax
%endmacro
%macro cr4_bits 2
  mov eax, cr4
  or eax, %1
  and eax, ~(%2)
  mov cr4, eax
%endmacro
main:
  ; 32-bit paging: 4 MiB of identity by large pages, TABLE at V
  cr4_bits 0x10, 0
  mov dword [DIRECTORY], 0x87
  mov dword [DIRECTORY + 4], 0x400087
  mov dword [DIRECTORY + 8], TABLE | 7
  mov eax, DIRECTORY
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80010000
  mov cr0, eax
  mov edi, V
  attempt "missing-read", {mov al, [edi]}
  attempt "missing-fetch", jmp edi
  case "missing-directory-user-write"
  mov edx, V + 0x400000
  to_user
  point
  mov [edx], al
  done
  mov dword [TABLE], PAGES | 5
  attempt "read-only", {mov [edi], al}
  mov dword [TABLE + 4], PAGES | 0x1003
  case "supervisor-page"
  mov edx, V + 0x1000
  to_user
  point
  mov al, [edx]
  done
  case "accessed-and-dirty"
  mov dword [TABLE + 8], PAGES | 0x2007
  mov [V + 0x2000], al
  movzx eax, byte [TABLE + 8]
  emit eax
  movzx eax, byte [DIRECTORY + 8]
  emit eax
  movzx eax, byte [DIRECTORY]
  emit eax
  done
  case "4-mib-page"
  mov dword [PAGES], 0x1234
  mov dword [DIRECTORY + 16], 0x400087
  mov eax, [0x1000000 + PAGES - 0x400000]
  emit eax
  done
  case "4-mib-page-reserved-bit"
  mov dword [DIRECTORY + 20], 0x600087
  point
  mov al, [0x1400000]
  done
  case "without-pse-it-is-a-table"
  mov dword [DIRECTORY + 24], TABLE | 0x87
  mov dword [TABLE], PAGES | 7
  mov ecx, 1024
  mov edi, 0x206000
  mov eax, 7
.fill:
  stosd
  add eax, 0x1000
  loop .fill
  mov ecx, 1024
.fill2:
  stosd
  add eax, 0x1000
  loop .fill2
  mov dword [DIRECTORY], 0x206007
  mov dword [DIRECTORY + 4], 0x207007
  cr4_bits 0, 0x10
  mov eax, [0x1800000]
  emit eax
  done

; PAE
  mov eax, cr0
  and eax, 0x7fffffff
  mov cr0, eax
  mov dword [POINTERS], PAED | 1
  mov dword [PAED], 0x87
  mov dword [PAED + 8], 0x200087
  mov dword [PAED + 16], 0x400087
  mov dword [PAED + 24], 0x600087
  mov dword [PAED + 32], PAET | 7
  mov dword [PAET], PAGES | 7
  mov dword [PAET + 8], PAGES | 0x1007
  mov dword [PAET + 12], 0x80000000
  mov dword [PAET + 16], PAGES | 0x2007
  mov dword [PAET + 20], 0x00080000
  cr4_bits 0x20, 0
  mov eax, POINTERS
  mov cr3, eax
  mov ecx, EFER
  mov eax, 0x800
  xor edx, edx
  wrmsr
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  mov edi, V
  observe "page", {mov eax, [edi]}, eax
  attempt "missing", {mov al, [edi + 0x5000]}
  attempt "missing-pointer", {mov al, [0x40000000]}
  case "no-execute"
  mov eax, V + 0x1000
  point
  jmp eax
  done
  attempt "no-execute-reads", {mov al, [edi + 0x1000]}
  attempt "reserved-address-bit", {mov al, [edi + 0x2000]}
  case "2-mib-page-reserved-bit"
  mov dword [PAED + 40], 0x2087
  point
  mov al, [0xa00000]
  done
  case "upper-address-bits"
  mov dword [PAET + 24], PAGES | 7
  mov dword [PAET + 28], 1
  mov eax, [edi + 0x3000]
  cmp eax, [PAGES]
  setne al
  movzx eax, al
  emit eax
  done
  case "pointers-are-loaded-with-cr3"
  mov dword [POINTERS + 8], PAED | 1
  point
  mov al, [0x40000000]
  done
  case "pointers-after-cr3"
  reload
  mov eax, [0x40000000 + PAGES]
  emit eax
  done
  case "pointer-reserved-bit"
  mov dword [POINTERS + 16], PAED | 3
  mov eax, cr3
  point
  mov cr3, eax
  done
  case "pointer-reserved-bit-of-a-missing-one"
  mov dword [POINTERS + 16], PAED | 2
  reload
  done
  case "pointer-reserved-bit-by-cr4"
  mov dword [POINTERS + 16], PAED | 3
  mov eax, cr4
  or eax, 0x80
  point
  mov cr4, eax
  done
  mov dword [POINTERS + 16], 0
  case "no-execute-disabled-is-reserved"
  mov ecx, EFER
  xor eax, eax
  xor edx, edx
  wrmsr
  reload
  point
  mov al, [edi + 0x1000]
  done
  case "paging-without-protection"
  mov eax, cr0
  and eax, ~1
  point
  mov cr0, eax
  done
  jmp finish
