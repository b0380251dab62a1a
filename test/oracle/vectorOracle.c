// Runs single instructions on vector registers in 64-bit user mode and records what the processor does. Cases come on stdin
// and results go to stdout, packed as test/instructions/vectorCases.ts describes. A case is entered by returning from a
// signal with a forged context and ends with the fault of the HLT behind it, or with its own.
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#pragma pack(push, 1)
struct state {
  uint32_t mxcsr, flags;
  uint64_t general[8];  // RAX RCX RDX RBX R8 R9 R10 R11
  uint16_t control, status, tags, reserved;
  uint8_t st[8][16], xmm[16][16], data[64];
};
struct input {
  uint8_t length, code[15];
  struct state state;
};
struct output {
  int32_t vector;  // -1: none
  struct state state;
};
#pragma pack(pop)

static const int GENERAL[8] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_R8, REG_R9, REG_R10, REG_R11};
static struct input in;
static struct output out;
static gregset_t before;
static uint8_t *const code = (uint8_t *)0x30000, *const data = (uint8_t *)0x20000;

static void enter(int signal, siginfo_t *info, void *context) {
  ucontext_t *u = context;
  greg_t *g = u->uc_mcontext.gregs;
  uint8_t *image = (uint8_t *)u->uc_mcontext.fpregs;
  memcpy(before, g, sizeof before);
  for (int i = 0; i < 8; i++) g[GENERAL[i]] = in.state.general[i];
  g[REG_RSI] = g[REG_RDI] = (long)data;
  g[REG_RIP] = (long)code;
  g[REG_EFL] = in.state.flags | 0x202;
  memset(image, 0, 24);
  memcpy(image, &in.state.control, 2);
  memcpy(image + 2, &in.state.status, 2);
  memcpy(image + 4, &in.state.tags, 2);
  memcpy(image + 24, &in.state.mxcsr, 4);
  memcpy(image + 32, in.state.st, 128);
  memcpy(image + 160, in.state.xmm, 256);
  *(uint64_t *)(image + 512) |= 3;
}

static void leave(int signal, siginfo_t *info, void *context) {
  ucontext_t *u = context;
  greg_t *g = u->uc_mcontext.gregs;
  uint8_t *image = (uint8_t *)u->uc_mcontext.fpregs;
  int ended = g[REG_TRAPNO] == 13 && g[REG_RIP] == (long)code + in.length;
  uint64_t present = *(uint64_t *)(image + 512);
  memset(&out, 0, sizeof out);
  out.vector = ended ? -1 : (int)g[REG_TRAPNO];
  for (int i = 0; i < 8; i++) out.state.general[i] = g[GENERAL[i]];
  out.state.flags = g[REG_EFL] & 0x8d5;
  memcpy(&out.state.mxcsr, image + 24, 4);
  out.state.control = 0x37f;
  if (present & 1) {
    memcpy(&out.state.control, image, 2);
    memcpy(&out.state.status, image + 2, 2);
    memcpy(&out.state.tags, image + 4, 2);
    memcpy(out.state.st, image + 32, 128);
  }
  if (present & 2) memcpy(out.state.xmm, image + 160, 256);
  memcpy(out.state.data, data, 64);
  memcpy(g, before, sizeof before);
  memset(image, 0, 24);
  *(uint16_t *)image = 0x37f;
  *(uint32_t *)(image + 24) = 0x1f80;
}

int main(void) {
  static char stack[65536];
  static const int faults[] = {SIGSEGV, SIGILL, SIGFPE, SIGBUS, SIGTRAP};
  stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
  struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  if (mmap(code, 4096, 7, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != code) return 1;
  if (mmap(data, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != data) return 1;
  sigaltstack(&alternate, 0);
  action.sa_sigaction = enter;
  sigaction(SIGUSR1, &action, 0);
  action.sa_sigaction = leave;
  for (int i = 0; i < 5; i++) sigaction(faults[i], &action, 0);
  while (fread(&in, sizeof in, 1, stdin) == 1) {
    memset(data, 0, 4096);
    memcpy(data, in.state.data, 64);
    memcpy(code, in.code, in.length);
    code[in.length] = 0xf4;
    raise(SIGUSR1);
    fwrite(&out, sizeof out, 1, stdout);
  }
  return 0;
}
