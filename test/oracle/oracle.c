/* Runs single user-mode instructions on the host's processor: cases on standard input, results on standard output.
 *
 * Each case is entered by returning from a signal whose saved context was replaced, and left by the fault of the HLT that
 * surrounds it (privileged, #GP) or by a fault of its own. See README.md. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define CODE 0x10000000u
#define DATA 0x20000000u
#define BYTES 0x2000u
#define MAX_CHANGES 512

struct test_case {
  uint32_t registers[8], flags, at, code_length, memory_at, memory_length;
  uint8_t code[64], memory[32];
};
struct result {
  uint32_t registers[8], flags, eip, vector, error, cr2, changes;
};

static const int ORDER[8] = {REG_EAX, REG_ECX, REG_EDX, REG_EBX, REG_ESP, REG_EBP, REG_ESI, REG_EDI};
static struct test_case current;
static int running;
static uint8_t before[BYTES], pattern[BYTES];
static uint8_t *const code = (uint8_t *)CODE, *const data = (uint8_t *)DATA;

static void finish(ucontext_t *context) {
  struct result result;
  memset(&result, 0, sizeof result);
  greg_t *g = context->uc_mcontext.gregs;
  for (int i = 0; i < 8; i++) result.registers[i] = g[ORDER[i]];
  result.registers[4] = g[REG_UESP];
  result.flags = g[REG_EFL];
  result.eip = g[REG_EIP];
  result.vector = g[REG_TRAPNO];
  result.error = g[REG_ERR];
  result.cr2 = result.vector == 14 ? context->uc_mcontext.cr2 : 0;
  uint32_t changes[MAX_CHANGES];
  for (uint32_t i = 0; i < BYTES && result.changes < MAX_CHANGES; i++)
    if (data[i] != before[i]) changes[result.changes++] = i << 8 | data[i];
  fwrite(&result, sizeof result, 1, stdout);
  fwrite(changes, 4, result.changes, stdout);
}

static void start(ucontext_t *context) {
  if (running) memset(code + (current.at - CODE), 0xf4, current.code_length);
  if (fread(&current, sizeof current, 1, stdin) != 1) {
    fflush(stdout);
    _exit(0);
  }
  running = 1;
  memcpy(code + (current.at - CODE), current.code, current.code_length);
  memcpy(data, pattern, BYTES);
  if (current.memory_length) memcpy(data + (current.memory_at - DATA), current.memory, current.memory_length);
  memcpy(before, data, BYTES);
  greg_t *g = context->uc_mcontext.gregs;
  for (int i = 0; i < 8; i++) g[ORDER[i]] = current.registers[i];
  g[REG_UESP] = current.registers[4];
  g[REG_EFL] = (g[REG_EFL] & ~0xdd5) | (current.flags & 0xcd5);
  g[REG_EIP] = current.at;
}

static void on_signal(int number, siginfo_t *info, void *context) {
  (void)number;
  (void)info;
  if (running) finish(context);
  start(context);
}

static void *map(uint32_t at, int protection) {
  void *p = mmap((void *)at, BYTES, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (p != (void *)at) {
    perror("mmap");
    exit(1);
  }
  return p;
}

int main(void) {
  map(CODE, PROT_READ | PROT_WRITE | PROT_EXEC);
  map(DATA, PROT_READ | PROT_WRITE);
  memset(code, 0xf4, BYTES);
  for (uint32_t i = 0; i < BYTES; i++) pattern[i] = i * 37 + (i >> 8) * 11 + 5;
  stack_t alternate = {.ss_sp = malloc(1 << 18), .ss_size = 1 << 18};
  sigaltstack(&alternate, NULL);
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  const int signals[] = {SIGSEGV, SIGFPE, SIGILL, SIGBUS, SIGTRAP, SIGUSR1};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, NULL);
  raise(SIGUSR1);
  return 1;
}
