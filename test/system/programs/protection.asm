; SMEP, SMAP, UMIP, FSGSBASE, PCID and INVPCID (SDM 3A 2.5, 4.6, 4.10; SDM 2A INVPCID).
%define LONG
%define TOPIC "protection"
%include "common.inc"
USER_CODE equ PAGES
USER_DATA equ PAGES + 0x1000

%macro cr4_set 1
  mov rax, cr4
  or rax, %1
  mov cr4, rax
%endmacro
%macro cr4_clear 1
  mov rax, cr4
  and rax, ~(%1)
  mov cr4, rax
%endmacro
; Ring 3 at %1 of the user page, with flags %2; it comes back by INT 80h.
%macro visit 2
  mov dword [continue], %%back
  mov dword [mark], USER_CODE + %1 - user_code
  push USERDATA
  push USER_DATA + 0x800
  push %2
  push USER64
  push USER_CODE + %1 - user_code
  iretq
%%back:
%endmacro

main:
  ; the kernel's own memory is no user's
  mov byte [PD0], 0x83
  mov byte [PD0 + 8], 0x83
  mov rax, cr3
  mov cr3, rax
  mov esi, user_code
  mov edi, USER_CODE
  mov ecx, user_end - user_code
  rep movsb
  mov r8d, USER_DATA
  mov r9d, USER_CODE

  attempt "smep-off", call r9
  cr4_set 1 << 20
  attempt "smep", jmp r9
  case "smep-lets-users-run"
  visit user_code.nothing, 2
  done
  set_msr 0xc0000080, 0x100
  attempt "smep-without-nxe", jmp r9
  attempt "smep-reads", {mov al, [r9]}
  set_msr 0xc0000080, 0x900
  case "smep-missing-page"
  mov eax, VIRTUAL
  point
  jmp rax
  done
  cr4_clear 1 << 20

  attempt "smap-off", {mov al, [r8]}
  cr4_set 1 << 21
  attempt "smap-read", {mov al, [r8]}
  attempt "smap-write", {mov [r8], al}
  attempt "smap-does-not-hold-fetches", call r9
  case "smap-stac"
  stac
  mov byte [r8], 0x33
  movzx ebx, byte [r8]
  clac
  emit rbx
  done
  case "smap-clac"
  stac
  clac
  point
  mov al, [r8]
  done
  case "smap-stac-sets-ac"
  stac
  pushf
  pop rbx
  clac
  pushf
  pop rcx
  emit rbx
  emit rcx
  done
  case "smap-popf-sets-ac"
  push 0x40002
  popf
  mov al, [r8]
  clac
  done
  case "smap-user"
  visit user_code.load, 2
  done
  case "smap-wp-off"
  mov rbx, cr0
  mov rax, rbx
  and eax, ~0x10000
  mov cr0, rax
  mov qword [resume], .wp
  point
  mov [r8], al
.wp:
  mov cr0, rbx
  done
  case "smap-supervisor-page"
  mov al, [scratch]
  done
  slot SLOT, 0x10000fff, 0x00008260
  mov rax, 0x00cff3000000ffff
  stac
  mov [r8 + 8], rax
  clac
  mov ax, SLOT
  lldt ax
  case "smap-implicit-access"
  visit user_code.segment, 2
  done
  case "smap-implicit-access-whatever-ac"
  visit user_code.segment, 0x40002
  done
  case "interrupt-leaves-ac"
  mov qword [resume], .ac
  visit user_code.halt, 0x40002
.ac:
  emit [rec_flags]
  emit [rec_live_flags]
  clac
  mov qword [rec_vector], -1
  done
  case "stac-ring-3"
  visit user_code.stac, 2
  done
  case "clac-ring-3"
  visit user_code.clac, 2
  done
  cr4_clear 1 << 21

  case "umip-off"
  visit user_code.sldt, 2
  done
  cr4_set 1 << 11
  case "umip-sgdt"
  visit user_code.sgdt, 2
  done
  case "umip-sidt"
  visit user_code.sidt, 2
  done
  case "umip-sldt"
  visit user_code.sldt, 2
  done
  case "umip-str"
  visit user_code.str, 2
  done
  case "umip-smsw"
  visit user_code.smsw, 2
  done
  attempt "umip-ring-0", sgdt [scratch]
  cr4_clear 1 << 11

  attempt "rdfsbase-off", rdfsbase rax
  attempt "wrgsbase-off", wrgsbase rax
  cr4_set 1 << 16
  case "wrfsbase"
  mov rax, 0xffff800012345678
  wrfsbase rax
  mov ecx, 0xc0000100
  rdmsr
  emit rax
  emit rdx
  rdfsbase rbx
  emit rbx
  rdfsbase ebx
  emit rbx
  done
  case "wrgsbase-32-bit"
  mov rax, 0xffffffff89abcdef
  wrgsbase eax
  rdgsbase rbx
  emit rbx
  done
  case "wrgsbase-not-canonical"
  mov rax, 0x800000000000
  point
  wrgsbase rax
  done
  case "wrfsbase-ring-3"
  mov eax, 0x1234
  visit user_code.base, 2
  emit rbx
  done
  case "rdfsbase-in-compatibility-mode"
  to_compat 0
  point
  db 0xf3, 0x0f, 0xae, 0xc0
  bits 64
  done
  cr4_clear 1 << 16

; PCID
  case "pcid-with-a-current-one"
  mov rbx, cr3
  lea rax, [rbx + 0x18]
  mov cr3, rax
  mov qword [resume], .pcid
  mov rax, cr4
  or rax, 0x20000
  point
  mov cr4, rax
.pcid:
  mov cr3, rbx
  done
  case "invpcid-other-context-without-pcid"
  mov qword [scratch], 5
  mov qword [scratch + 8], 0
  mov eax, 1
  point
  invpcid rax, [scratch]
  done
  case "invpcid-kind"
  mov eax, 4
  point
  invpcid rax, [scratch]
  done
  case "invpcid-reserved-bits"
  mov qword [scratch], 0x1000
  mov eax, 2
  point
  invpcid rax, [scratch]
  done
  case "invpcid-address-not-canonical"
  mov qword [scratch], 0
  mov rax, 0x800000000000
  mov [scratch + 8], rax
  xor eax, eax
  point
  invpcid rax, [scratch]
  done
  case "invpcid-address-unused"
  mov eax, 2
  point
  invpcid rax, [scratch]
  done
  case "invpcid-ring-3"
  visit user_code.invpcid, 2
  done
  case "invpcid-drops-a-page"
  mov qword [PT], PAGES + 0x2007
  mov dword [PAGES + 0x2000], 1
  mov dword [PAGES + 0x3000], 2
  mov eax, [VIRTUAL]
  mov qword [PT], PAGES + 0x3007
  mov qword [scratch], 0
  mov qword [scratch + 8], VIRTUAL
  xor eax, eax
  point
  invpcid rax, [scratch]
  mov eax, [VIRTUAL]
  emit rax
  mov qword [PT], PAGES + 0x2007
  mov eax, 2
  invpcid rax, [scratch]
  mov eax, [VIRTUAL]
  emit rax
  done
  case "pcid"
  mov rax, cr4
  or rax, 0x20000
  mov cr4, rax
  mov rbx, cr3
  mov rax, rbx
  or rax, 5
  bts rax, 63
  mov cr3, rax
  mov rax, cr3
  sub rax, rbx
  emit rax
  mov cr3, rbx
  done
  case "pcid-paging-off"
  to_compat 0
  mov eax, cr0
  and eax, 0x7fffffff
  point
  mov cr0, eax
  bits 64
  done
  cr4_clear 0x20000
  case "cr3-bit-63-without-pcid"
  mov rax, cr3
  bts rax, 63
  point
  mov cr3, rax
  done
  jmp finish

user_code:
  ret
.nothing:
  int 0x80
.load:
  mov al, [r8]
  int 0x80
.segment:
  mov bx, 8 | 4 | 3
.segment_load:
  mov ds, bx
  int 0x80
.halt:
  hlt
.stac:
  stac
  int 0x80
.clac:
  clac
  int 0x80
.sgdt:
  sgdt [r8]
  int 0x80
.sidt:
  sidt [r8]
  int 0x80
.sldt:
  sldt eax
  int 0x80
.str:
  str eax
  int 0x80
.smsw:
  smsw eax
  int 0x80
.base:
  wrfsbase rax
  rdfsbase rbx
  int 0x80
.invpcid:
  invpcid rax, [r8]
  int 0x80
user_end:
