/* Runs single user-mode instructions on the processor at hand: cases on standard input, results on standard output.
 *
 * A case is entered by returning from a signal whose saved context was replaced, and left by the fault of the HLT that
 * surrounds it (privileged: #GP) or by a fault of its own, so that registers, flags, floating-point state and fault are the
 * processor's own. The layout of a case and of a result is caseFormat.ts's. Built for 64-bit and, with -m32, for 32-bit code. */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <cpuid.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

enum { CODE = 0x10000000, CODE_BYTES = 0x2000, DATA = 0x20000000, DATA_BYTES = 0x3000, READ_ONLY = 0x2000, FS_BASE = 0x100000 };
#define HIGH 0x412345678000ull
#define GS_BASE 0x1234567000ull
enum { MAX_CHANGES = 1024, HANG = 0xff };

struct state {
  uint64_t gpr[16], rip;
  uint32_t flags, mxcsr;
  uint16_t control, status;
  uint8_t tags, code_length, pieces, unused;
  uint8_t code[16];
  uint8_t st[8][16];
  uint8_t xmm[16][16];
};
struct piece { uint32_t offset, length; uint8_t bytes[64]; };
struct test_case { struct state state; struct piece memory[2]; };
struct result { struct state state; uint32_t vector, error; uint64_t cr2; uint16_t segments[6]; uint32_t changes; };

static const struct test_case *next_case, *last_case;
static const struct test_case *current, *at_last_alarm;
static uint8_t *output, *output_start;
static uint8_t before[DATA_BYTES], pattern[DATA_BYTES];
static uint8_t *const code = (uint8_t *)CODE, *const data = (uint8_t *)DATA;

#ifdef __x86_64__
static const int ORDER[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
  REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
enum { REGISTERS = 16, IP = REG_RIP, LEGACY_IMAGE = 0 };
uint64_t own_fs;
#else
static const int ORDER[8] = {REG_EAX, REG_ECX, REG_EDX, REG_EBX, REG_UESP, REG_EBP, REG_ESI, REG_EDI};
enum { REGISTERS = 8, IP = REG_EIP, LEGACY_IMAGE = 112 };
uint32_t own_gs, case_fs;
#endif

static uint8_t *image_of(ucontext_t *context) { return (uint8_t *)context->uc_mcontext.fpregs + LEGACY_IMAGE; }

static void finish(ucontext_t *context, int hangs) {
  struct result *r = (struct result *)output;
  const greg_t *g = context->uc_mcontext.gregs;
  memset(r, 0, sizeof *r);
  struct state *s = &r->state;
  for (int i = 0; i < REGISTERS; i++) s->gpr[i] = sizeof(greg_t) == 4 ? (uint32_t)g[ORDER[i]] : (uint64_t)g[ORDER[i]];
  s->rip = sizeof(greg_t) == 4 ? (uint32_t)g[IP] : (uint64_t)g[IP];
  s->flags = g[REG_EFL];
  const uint8_t *image = image_of(context);
  memcpy(&s->control, image, 2);
  memcpy(&s->status, image + 2, 2);
  s->tags = image[4];
  memcpy(&s->mxcsr, image + 24, 4);
  const int top = s->status >> 11 & 7;
  for (int i = 0; i < 8; i++) memcpy(s->st[(top + i) & 7], image + 32 + i * 16, 10);
  memcpy(s->xmm, image + 160, REGISTERS * 16);
  s->code_length = current->state.code_length;
  s->pieces = current->state.pieces;
  memcpy(s->code, current->state.code, 16);
  r->vector = hangs ? HANG : (uint32_t)g[REG_TRAPNO];
  r->error = (uint32_t)g[REG_ERR];
#ifdef __x86_64__
  r->cr2 = r->vector == 14 ? (uint64_t)g[REG_CR2] : 0;
#else
  r->cr2 = r->vector == 14 ? context->uc_mcontext.cr2 : 0;
  const int segments[6] = {REG_ES, REG_CS, REG_SS, REG_DS, REG_FS, REG_GS};
  for (int i = 0; i < 6; i++) r->segments[i] = g[segments[i]];
#endif
  uint32_t *changes = (uint32_t *)(output + sizeof *r);
  for (uint32_t from = 0; from < READ_ONLY; from += 64) {
    if (memcmp(data + from, before + from, 64) == 0) continue;
    for (uint32_t i = from; i < from + 64 && r->changes < MAX_CHANGES; i++)
      if (data[i] != before[i]) changes[r->changes++] = i << 8 | data[i];
  }
  output += (sizeof *r + r->changes * 4 + 7) & ~7u;
}

static void leave(void) {
  for (uint8_t *p = output_start; p < output;) {
    ssize_t n = write(1, p, output - p);
    if (n <= 0) _exit(2);
    p += n;
  }
  _exit(0);
}

static void start(ucontext_t *context) {
  if (current) memset(code + (current->state.rip - CODE), 0xf4, current->state.code_length);
  if (next_case == last_case) leave();
  current = next_case++;
  const struct state *s = &current->state;
  memcpy(code + (s->rip - CODE), s->code, s->code_length);
  memcpy(before, pattern, DATA_BYTES);
  for (int i = 0; i < s->pieces; i++) {
    const struct piece *m = &current->memory[i];
    if (m->offset < READ_ONLY) memcpy(before + m->offset, m->bytes, m->offset + m->length > READ_ONLY ? READ_ONLY - m->offset : m->length);
  }
  memcpy(data, before, READ_ONLY);
  greg_t *g = context->uc_mcontext.gregs;
  for (int i = 0; i < REGISTERS; i++) g[ORDER[i]] = s->gpr[i];
#ifndef __x86_64__
  g[REG_ESP] = s->gpr[4];
  g[REG_FS] = case_fs;
  g[REG_GS] = 0;
  g[REG_DS] = g[REG_ES] = g[REG_SS] = 0x2b;
  g[REG_CS] = 0x23;
#else
  g[REG_CSGSFS] = (g[REG_CSGSFS] & ~0xffffll) | 0x33;
#endif
  g[IP] = s->rip;
  g[REG_EFL] = 0x202 | (s->flags & 0x50cd5);
  uint8_t *image = image_of(context);
  const int top = s->status >> 11 & 7;
  memcpy(image, &s->control, 2);
  memcpy(image + 2, &s->status, 2);
  image[4] = s->tags;
  memcpy(image + 24, &s->mxcsr, 4);
  for (int i = 0; i < 8; i++) {
    memset(image + 32 + i * 16, 0, 16);
    memcpy(image + 32 + i * 16, s->st[(top + i) & 7], 10);
  }
  memcpy(image + 160, s->xmm, REGISTERS * 16);
  memset(image + 5, 0, 19);
  image[512] |= 3;
#ifndef __x86_64__
  /* The kernel takes the x87 part of a 32-bit frame from the image of FSAVE in front. */
  uint8_t *legacy = (uint8_t *)context->uc_mcontext.fpregs;
  uint32_t words[7] = {s->control | 0xffff0000u, s->status | 0xffff0000u, 0xffff0000u, 0, 0, 0, 0};
  for (int i = 0; i < 8; i++) words[2] |= (s->tags >> i & 1 ? 0u : 3u) << (i * 2);
  memcpy(legacy, words, 28);
  for (int i = 0; i < 8; i++) memcpy(legacy + 28 + i * 10, s->st[(top + i) & 7], 10);
#endif
}

__attribute__((used)) void on_signal(int number, siginfo_t *info, ucontext_t *context) {
  (void)info;
  if (number == SIGALRM) {
    if (current != at_last_alarm) {
      at_last_alarm = current;
      return;
    }
    finish(context, 1);
  } else if (current) finish(context, 0);
  start(context);
}

/* The case may have left AC set, other bases or null segments: undone before any C. */
void entry(int number, siginfo_t *info, void *context);
#ifdef __x86_64__
__asm__("entry:\n cld\n pushfq\n andl $~0x244000, (%rsp)\n popfq\n mov own_fs(%rip), %rax\n wrfsbase %rax\n"
  " sub $8, %rsp\n call on_signal\n add $8, %rsp\n mov $0x100000, %eax\n wrfsbase %rax\n"
  " mov $0x1234567000, %rax\n wrgsbase %rax\n ret\n");
#else
__asm__("entry:\n cld\n pushfl\n andl $~0x244000, (%esp)\n popfl\n mov own_gs, %eax\n mov %eax, %gs\n jmp on_signal\n");
#endif

static void *must_map(uintptr_t at, size_t bytes, int protection, int flags, int file, off_t offset) {
  void *p = mmap((void *)at, bytes, protection, flags | (at ? MAP_FIXED_NOREPLACE : 0), file, offset);
  if (p == MAP_FAILED || (at && p != (void *)at)) {
    perror("mmap");
    _exit(1);
  }
  return p;
}

/* Descriptors of the local table, as SEGMENTS in caseFormat.ts has them; conforming code may not be present (Linux). */
static const struct user_desc LOCAL[] = {
  {.entry_number = 0, .base_addr = DATA, .limit = 0xffff, .contents = 0},
  {.entry_number = 1, .base_addr = DATA, .limit = 0xfff, .seg_32bit = 1, .contents = 0, .read_exec_only = 1},
  {.entry_number = 2, .base_addr = DATA, .limit = 0x1fff, .seg_32bit = 1, .contents = 1},
  {.entry_number = 3, .base_addr = DATA, .limit = 0xfffff, .contents = 1, .read_exec_only = 1, .limit_in_pages = 1, .useable = 1},
  {.entry_number = 4, .base_addr = CODE, .limit = 0xffff, .contents = 2},
  {.entry_number = 5, .base_addr = CODE, .limit = 0xabcde, .seg_32bit = 1, .contents = 2, .read_exec_only = 1, .limit_in_pages = 1},
  {.entry_number = 6, .base_addr = CODE, .limit = 0x12345, .seg_32bit = 1, .contents = 3, .seg_not_present = 1},
  {.entry_number = 7, .base_addr = DATA, .limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1, .seg_not_present = 1},
  {.entry_number = 9, .base_addr = DATA, .limit = 0, .seg_32bit = 1, .useable = 1},
};

static int install_local(void) {
  for (unsigned i = 0; i < sizeof LOCAL / sizeof *LOCAL; i++) {
    struct user_desc one = LOCAL[i];
    if ((int)syscall(SYS_modify_ldt, 0x11, &one, sizeof one) != 0) return -1;
  }
  return 0;
}

static void print_cpuid(void) {
  static const unsigned leaves[][2] = {{1, 0}, {7, 0}, {0x80000001, 0}};
  for (unsigned i = 0; i < 3; i++) {
    unsigned a = 0, b = 0, c = 0, d = 0;
    __get_cpuid_count(leaves[i][0], leaves[i][1], &a, &b, &c, &d);
    printf("%u %u %u %u\n", a, b, c, d);
  }
}

int main(int count, char **arguments) {
  if (count > 1) {
    print_cpuid();
    return 0;
  }
  const uint32_t cases = strtoul(getenv("CASES"), NULL, 10);
  const size_t bytes = (size_t)cases * sizeof(struct test_case);
  struct test_case *input = must_map(0, bytes + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (size_t done = 0; done < bytes;) {
    ssize_t n = read(0, (uint8_t *)input + done, bytes - done);
    if (n <= 0) return 3;
    done += n;
  }
  next_case = input;
  last_case = input + cases;
  output = output_start = must_map(0, (size_t)cases * 1600 + (1 << 20), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

  const int file = memfd_create("data", 0);
  if (ftruncate(file, DATA_BYTES)) return 4;
  must_map(CODE, CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  must_map(DATA, DATA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  memset(code, 0xf4, CODE_BYTES);
  for (uint32_t i = 0; i < DATA_BYTES; i++) data[i] = pattern[i] = i * 37 + (i >> 8) * 11 + 5;
  mprotect(data + READ_ONLY, DATA_BYTES - READ_ONLY, PROT_READ);
#ifdef __x86_64__
  must_map(HIGH, DATA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  mprotect((void *)(HIGH + READ_ONLY), DATA_BYTES - READ_ONLY, PROT_READ);
  for (uint32_t i = 0; i < DATA_BYTES; i += 4096) (void)*(volatile uint8_t *)(HIGH + i);
  for (uint32_t i = 0; i < READ_ONLY; i += 4096) *(volatile uint8_t *)(HIGH + i) = pattern[i];
  __asm__("rdfsbase %0" : "=r"(own_fs));
#else
  struct user_desc fs = {.entry_number = -1, .base_addr = FS_BASE, .limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1, .useable = 1};
  if (syscall(SYS_set_thread_area, &fs)) return 5;
  case_fs = fs.entry_number * 8 + 3;
  __asm__("mov %%gs, %0" : "=r"(own_gs));
#endif
  if (install_local()) return 6;
  stack_t alternate = {.ss_sp = malloc(1 << 18), .ss_size = 1 << 18};
  sigaltstack(&alternate, NULL);
  struct sigaction action = {.sa_sigaction = entry, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  const int signals[] = {SIGSEGV, SIGFPE, SIGILL, SIGBUS, SIGTRAP, SIGUSR1, SIGALRM};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, NULL);
  const struct itimerval every = {{0, 300000}, {0, 300000}};
  setitimer(ITIMER_REAL, &every, NULL);
  (void)arguments;
  raise(SIGUSR1);
  return 1;
}
