; Virtual-8086 mode without extensions (SDM 3B 20).
%define TOPIC "v86"
%include "common.inc"
PARAGRAPH equ 0x800
PLACE equ PARAGRAPH * 16

; Virtual-8086 mode at the program's label %1, with flags %2 beside VM.
%macro enter_v86 2
  push 0x4444
  push 0x3333
  push 0x1111
  push 0x2222
  push 0x900
  push 0x1000
  push 0x20002 | (%2)
  push PARAGRAPH
  push %1 - code
  mov dword [mark], %1 - code
  iret
%endmacro
%macro v86 3
  case %1
  enter_v86 %2, %3
  done
%endmacro
IOPL3 equ 0x3000

main:
  mov esi, code
  mov edi, PLACE
  mov ecx, code_end - code
  rep movsb
  gate 3, stubs + 3 * 16, CODE, 0xee
  gate 4, stubs + 4 * 16, CODE, 0xee
  v86 "cli-iopl-0", code.cli, 0
  v86 "sti-iopl-0", code.sti, 0
  v86 "pushf-iopl-0", code.pushf, 0
  v86 "popf-iopl-0", code.popf, 0
  v86 "int-iopl-0", code.int, 0
  v86 "iret-iopl-0", code.iret, 0
  v86 "int3-iopl-0", code.int3, 0
  v86 "into-iopl-0", code.into, 0x800
  v86 "int-iopl-3", code.int, IOPL3
  v86 "cli-iopl-3", code.cli, IOPL3
  v86 "iret-iopl-3", code.iret, IOPL3
  v86 "hlt", code.hlt, IOPL3
  v86 "mov-cr0", code.cr0, IOPL3
  v86 "mov-dr0", code.dr0, IOPL3
  v86 "lgdt", code.lgdt, IOPL3
  v86 "clts", code.clts, IOPL3
  v86 "lmsw", code.lmsw, IOPL3
  v86 "invlpg", code.invlpg, IOPL3
  v86 "wrmsr", code.wrmsr, IOPL3
  v86 "sldt", code.sldt, IOPL3
  v86 "str", code.str, IOPL3
  v86 "lar", code.lar, IOPL3
  v86 "verr", code.verr, IOPL3
  v86 "arpl", code.arpl, IOPL3
  v86 "lldt", code.lldt, IOPL3
  v86 "smsw-sgdt-are-free", code.free, 0
  v86 "sysexit", code.sysexit, IOPL3
  v86 "data-limit", code.limit, 0
  v86 "data-limit-of-a-word", code.word, 0
  v86 "stack-limit", code.stack, 0
  v86 "undefined", code.undefined, 0
  case "frame"
  mov dword [resume], .frame
  enter_v86 code.int3, 0
.frame:
  mov eax, [rec_cs]
  emit eax
  mov eax, [rec_flags]
  emit eax
  mov eax, [rec_sp]
  emit eax
  mov eax, [rec_ss]
  emit eax
  mov eax, [rec_rest]
  emit eax
  mov eax, [rec_rest + 4]
  emit eax
  mov eax, [rec_rest + 8]
  emit eax
  mov eax, [rec_rest + 12]
  emit eax
  mov dword [rec_vector], -1
  done
  case "handler"
  mov dword [resume], .handler
  enter_v86 code.int3, 0
.handler:
  mov eax, [rec_live_ds]
  emit eax
  mov eax, [rec_live_ss]
  emit eax
  mov eax, [rec_live_cs]
  emit eax
  mov eax, [rec_live_flags]
  emit eax
  mov eax, RSP0
  sub eax, [rec_bottom]
  emit eax
  mov ax, fs
  movzx eax, ax
  emit eax
  mov dword [rec_vector], -1
  done
  mov ax, DATA
  mov fs, ax
  mov gs, ax
  case "port-forbidden-whatever-iopl"
  enter_v86 code.port, IOPL3
  done
  mov byte [tss + 0x68 + 0x10], 0xfe
  case "port-allowed"
  enter_v86 code.port, 0
  done
  case "gate-to-ring-3"
  gate 3, stubs + 3 * 16, USER32, 0xee
  enter_v86 code.int3, 0
  done
  case "conforming-gate"
  slot SLOT, 0xffff, 0xcf9f00
  gate 3, stubs + 3 * 16, SLOT, 0xee
  enter_v86 code.int3, 0
  done
  gate 3, stubs + 3 * 16, CODE, 0xee
  case "single-step"
  mov dword [resume], .single
  enter_v86 code.nops, 0x100
.single:
  mov eax, [rec_vector]
  emit eax
  mov eax, [rec_flags]
  emit eax
  mov dword [rec_vector], -1
  done
  case "pushf-hides-vm"
  mov dword [continue], .flags
  enter_v86 code.flags, IOPL3
.flags:
  emit eax
  done
  case "popf-cannot-change-iopl"
  mov dword [resume], .popped
  enter_v86 code.popped, IOPL3
.popped:
  mov eax, [rec_flags]
  emit eax
  mov dword [rec_vector], -1
  done
  case "segments-are-paragraphs"
  mov dword [0x12345], 0xabcdef
  mov dword [continue], .paragraph
  enter_v86 code.paragraph, IOPL3
.paragraph:
  emit ebx
  done
  case "far-jump-wraps-nothing"
  mov dword [continue], .jumped
  mov byte [0x9000], 0xcd
  mov byte [0x9001], 0x80
  enter_v86 code.jump, IOPL3
.jumped:
  emit 1
  done
  case "iret-with-vm-in-ring-3-stays"
  to_user
  push 0x20002
  push USER32
  push .still
  iret
.still:
  pushf
  pop ebx
  to_kernel
  emit ebx
  done
  jmp finish

bits 16
code:
.cli: cli
  int 0x42
.sti: sti
.pushf: pushf
.popf: popf
.int: int 0x42
.iret:
  pushf
  push PARAGRAPH
  push .int - code
  iret
.int3: int3
.into: into
.hlt: hlt
.cr0: mov eax, cr0
.dr0: mov eax, dr0
.lgdt: lgdt [0]
.clts: clts
.lmsw: lmsw ax
.invlpg: invlpg [0]
.wrmsr: wrmsr
.sldt: sldt ax
.str: str ax
.lar: lar ax, cx
.verr: verr ax
.arpl: arpl ax, cx
.lldt: lldt ax
.free:
  smsw ax
  sgdt [0x100]
  int3
.sysexit: sysexit
.limit:
  mov ebx, 0x10000
  mov al, [ebx]
.word:
  mov bx, 0xffff
  mov ax, [bx]
.stack:
  mov sp, 1
  push ax
.undefined: ud2
.port:
  in al, 0x80
  int3
.nops:
  nop
  nop
.flags:
  pushfd
  pop eax
  int 0x80
.popped:
  push 0
  popf
  int 0x42
.paragraph:
  mov ax, 0x1234
  mov es, ax
  mov ebx, [es:5]
  int 0x80
.jump:
  jmp 0x900:0
code_end:
