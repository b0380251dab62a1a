/*
 * Runs every x87 instruction on generated states on the processor it runs on and prints what it did: the source of
 * test/instructions/fixtures/x87*.txt (see x87Record.sh). Values at the edges of the formats come first, then seeded
 * random ones.
 *
 * One line per case, fields in hex: code (its memory operand is at 20000h), control word, status word, abridged tags,
 * ST(0), ST(1), EFLAGS, EAX, memory operand ("-" without one), ">", then afterwards: status word, control word, tags,
 * EFLAGS, EAX, memory, and each changed physical register as n=value. ST(2) to ST(7) start as 2.0 to 7.0.
 *
 * gcc -m32 -O1 -o x87Oracle x87Oracle.c && ./x87Oracle GROUP CASES SEED
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef struct { uint64_t significand; uint16_t exponent; } Real;

enum { CODE = 0x24000, MEMORY = 0x20000, IMAGE_IN = 0x21000, IMAGE_OUT = 0x21200, CELLS = 0x22000 };

static uint64_t seed = 1;
static uint64_t next64(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed * 0x2545f4914f6cdd1dULL;
}
static uint32_t below(uint32_t limit) { return (uint32_t)(next64() >> 33) % limit; }
static int chance(uint32_t percent) { return below(100) < percent; }

static const Real EDGES[] = {
  {0, 0}, {0x8000000000000000, 0x3fff}, {1, 0}, {0x7fffffffffffffff, 0}, {0x8000000000000000, 0}, {0xffffffffffffffff, 0},
  {0x8000000000000000, 1}, {0xffffffffffffffff, 1}, {0xffffffffffffffff, 0x7ffe}, {0x8000000000000000, 0x7ffe},
  {0x8000000000000000, 0x7fff}, {0x8000000000000001, 0x7fff}, {0xbfffffffffffffff, 0x7fff}, {0xc000000000000000, 0x7fff},
  {0xc000000000000001, 0x7fff}, {0xffffffffffffffff, 0x7fff}, {0, 0x7fff}, {0x4000000000000000, 0x7fff},
  {0x7fffffffffffffff, 0x4000}, {0, 0x3fff}, {0x8000000000000001, 0x3fff}, {0xffffffffffffffff, 0x3ffe},
  {0xffffffffffffffff, 0x3fff}, {0xc000000000000000, 0x3fff}, {0x8000000000000000, 0x3ffe}, {0x8000000000000001, 0x3ffe},
  {0xc90fdaa22168c235, 0x4000}, {0xc90fdaa22168c235, 0x3ffe}, {0xc90fdaa22168c234, 0x3fff}, {0xffff000000000000, 0x400d},
  {0xfffe000000000000, 0x400d}, {0xffff800000000000, 0x400d}, {0x8000000000000000, 0x400e}, {0x8000800000000000, 0x400e},
  {0xffffffff00000000, 0x401d}, {0xfffffffe00000000, 0x401d}, {0x8000000000000000, 0x401e}, {0xffffffffffffffff, 0x403d},
  {0xfffffffffffffffe, 0x403d}, {0x8000000000000000, 0x403e}, {0x8000000000000001, 0x403e}, {0xffffffffffffffff, 0x403e},
  {0x8000000000000000, 0x403f}, {0x8000000000000000, 0x3f81}, {0xffffff8000000000, 0x3f80}, {0xffffff0000000000, 0x407e},
  {0xffffff8000000000, 0x407e}, {0x8000000000000000, 0x3c01}, {0xfffffffffffffc00, 0x3c00}, {0xfffffffffffff800, 0x43fe},
  {0xfffffffffffffc00, 0x43fe}, {0x8000000000000000, 0x3f6a}, {0x8000000000000000, 0x3bcd}, {0xb504f333f9de6484, 0x3ffe},
  {0xb504f333f9de6485, 0x3ffd}, {0x95f619980c4336f7, 0x3ffd}, {0x8ac7230489e80000, 0x403a}, {0xde0b6b3a763ffff0, 0x403a},
};
enum { EDGE_COUNT = sizeof EDGES / sizeof *EDGES };

static uint64_t someSignificand(void) {
  uint64_t bits = next64() | 0x8000000000000000;
  switch (below(7)) {
    case 0: return bits & ~0xffffffffffULL;
    case 1: return (bits & ~0xffffffffffULL) | 0x8000000000ULL;
    case 2: return bits & ~0x7ffULL;
    case 3: return (bits & ~0x7ffULL) | 0x400;
    case 4: return 0x8000000000000000 | (below(2) ? 0 : 1ULL << below(64));
    case 5: return ~0ULL << below(64);
    default: return bits;
  }
}
static Real someReal(void) {
  Real r;
  if (chance(30)) {
    r = EDGES[below(EDGE_COUNT)];
  } else {
    r.significand = someSignificand();
    switch (below(8)) {
      case 0: r.exponent = below(0x8000); break;
      case 1: r.exponent = below(70); break;
      case 2: r.exponent = 0x7fff - below(70); break;
      case 3: r.exponent = 0x3fff + below(66); break;
      case 4: r.exponent = 0x3fff - 130 + below(260); break;
      case 5: r.exponent = 0; r.significand >>= 1 + below(63); break;
      default: r.exponent = 0x3ff0 + below(32); break;
    }
  }
  if (chance(50)) r.exponent ^= 0x8000;
  return r;
}
/** A finite number of moderate size. */
static Real moderate(int lowest, int highest) {
  Real r = {someSignificand(), 0x3fff + lowest + below(highest - lowest + 1)};
  if (chance(50)) r.exponent ^= 0x8000;
  return r;
}

/** What the operands are good for. */
enum { ANY, F2XM1, FYL2X, FYL2XP1, TRIG, ATAN, SCALE, REM };
/** Memory operands. */
enum { NONE, F32, F64, F80, I16, I32, I64, BCD, W16, ENV16, ENV32, SAVE16, SAVE32 };
static const int LENGTH[] = {0, 4, 8, 10, 2, 4, 8, 10, 2, 14, 28, 94, 108};

typedef struct { const char *group; int bytes[3]; int memory; int kind; int load; } Instruction;

#define MEM(a, reg) {a, (reg) * 8 + 5, -1}
#define REG(a, b) {a, b, -1}
static const Instruction INSTRUCTIONS[] = {
  {"transfer", MEM(0xd9, 0), F32, ANY, 1}, {"transfer", MEM(0xdd, 0), F64, ANY, 1}, {"transfer", MEM(0xdb, 5), F80, ANY, 1},
  {"transfer", MEM(0xdf, 0), I16, ANY, 1}, {"transfer", MEM(0xdb, 0), I32, ANY, 1}, {"transfer", MEM(0xdf, 5), I64, ANY, 1},
  {"transfer", MEM(0xdf, 4), BCD, ANY, 1}, {"transfer", MEM(0xd9, 2), F32}, {"transfer", MEM(0xd9, 3), F32},
  {"transfer", MEM(0xdd, 2), F64}, {"transfer", MEM(0xdd, 3), F64}, {"transfer", MEM(0xdb, 7), F80},
  {"transfer", MEM(0xdf, 2), I16}, {"transfer", MEM(0xdf, 3), I16}, {"transfer", MEM(0xdb, 2), I32},
  {"transfer", MEM(0xdb, 3), I32}, {"transfer", MEM(0xdf, 7), I64}, {"transfer", MEM(0xdf, 6), BCD},
  {"transfer", REG(0xd9, 0xc1), NONE, ANY, 1}, {"transfer", REG(0xd9, 0xc0), NONE, ANY, 1}, {"transfer", REG(0xd9, 0xc9)},
  {"transfer", REG(0xdd, 0xc9)}, {"transfer", REG(0xdf, 0xc9)}, {"transfer", REG(0xdd, 0xd1)}, {"transfer", REG(0xdd, 0xd9)},
  {"transfer", REG(0xd9, 0xd9)}, {"transfer", REG(0xdf, 0xd1)}, {"transfer", REG(0xdf, 0xd9)}, {"transfer", REG(0xdd, 0xd8)},
  {"transfer", REG(0xda, 0xc1)}, {"transfer", REG(0xda, 0xc9)}, {"transfer", REG(0xda, 0xd1)}, {"transfer", REG(0xda, 0xd9)},
  {"transfer", REG(0xdb, 0xc1)}, {"transfer", REG(0xdb, 0xc9)}, {"transfer", REG(0xdb, 0xd1)}, {"transfer", REG(0xdb, 0xd9)},
  {"transfer", REG(0xd9, 0xe8), NONE, ANY, 1}, {"transfer", REG(0xd9, 0xe9), NONE, ANY, 1},
  {"transfer", REG(0xd9, 0xea), NONE, ANY, 1}, {"transfer", REG(0xd9, 0xeb), NONE, ANY, 1},
  {"transfer", REG(0xd9, 0xec), NONE, ANY, 1}, {"transfer", REG(0xd9, 0xed), NONE, ANY, 1},
  {"transfer", REG(0xd9, 0xee), NONE, ANY, 1}, {"transfer", REG(0xd9, 0xe0)}, {"transfer", REG(0xd9, 0xe1)},
  {"control", REG(0xd9, 0xd0)}, {"control", REG(0xd9, 0xf6)}, {"control", REG(0xd9, 0xf7)}, {"control", REG(0xdd, 0xc1)},
  {"control", REG(0xdf, 0xc1)}, {"control", REG(0xdb, 0xe2)}, {"control", REG(0xdb, 0xe3)}, {"control", REG(0xdb, 0xe0)},
  {"control", REG(0xdb, 0xe1)}, {"control", REG(0xdb, 0xe4)}, {"control", REG(0xdf, 0xe0)}, {"control", {0x9b, -1, -1}},
  {"control", MEM(0xd9, 5), W16}, {"control", MEM(0xd9, 7), W16}, {"control", MEM(0xdd, 7), W16},
  {"control", MEM(0xd9, 4), ENV32}, {"control", MEM(0xd9, 6), ENV32}, {"control", MEM(0xdd, 4), SAVE32},
  {"control", MEM(0xdd, 6), SAVE32}, {"control", {0x66, 0xd9, 4 * 8 + 5}, ENV16}, {"control", {0x66, 0xd9, 6 * 8 + 5}, ENV16},
  {"control", {0x66, 0xdd, 4 * 8 + 5}, SAVE16}, {"control", {0x66, 0xdd, 6 * 8 + 5}, SAVE16},
#define ARITHMETIC(reg) {"arithmetic", MEM(0xd8, reg), F32}, {"arithmetic", MEM(0xdc, reg), F64}, {"arithmetic", MEM(0xda, reg), I32}, \
  {"arithmetic", MEM(0xde, reg), I16}, {"arithmetic", REG(0xd8, 0xc1 + (reg) * 8)}, {"arithmetic", REG(0xdc, 0xc1 + (reg) * 8)}, \
  {"arithmetic", REG(0xde, 0xc1 + (reg) * 8)}
  ARITHMETIC(0), ARITHMETIC(1), ARITHMETIC(4), ARITHMETIC(5), ARITHMETIC(6), ARITHMETIC(7),
  {"arithmetic", REG(0xd8, 0xc0)}, {"arithmetic", REG(0xdc, 0xf0)}, {"arithmetic", REG(0xd9, 0xfa)}, {"arithmetic", REG(0xd9, 0xfc)},
  {"compare", MEM(0xd8, 2), F32}, {"compare", MEM(0xd8, 3), F32}, {"compare", MEM(0xdc, 2), F64}, {"compare", MEM(0xdc, 3), F64},
  {"compare", MEM(0xda, 2), I32}, {"compare", MEM(0xda, 3), I32}, {"compare", MEM(0xde, 2), I16}, {"compare", MEM(0xde, 3), I16},
  {"compare", REG(0xd8, 0xd1)}, {"compare", REG(0xd8, 0xd9)}, {"compare", REG(0xdc, 0xd1)}, {"compare", REG(0xdc, 0xd9)},
  {"compare", REG(0xde, 0xd1)}, {"compare", REG(0xde, 0xd9)}, {"compare", REG(0xdd, 0xe1)}, {"compare", REG(0xdd, 0xe9)},
  {"compare", REG(0xda, 0xe9)}, {"compare", REG(0xdb, 0xf1)}, {"compare", REG(0xdb, 0xe9)}, {"compare", REG(0xdf, 0xf1)},
  {"compare", REG(0xdf, 0xe9)}, {"compare", REG(0xd9, 0xe4)}, {"compare", REG(0xd9, 0xe5)},
  {"remainder", REG(0xd9, 0xf4), NONE, ANY, 1}, {"remainder", REG(0xd9, 0xf5), NONE, REM}, {"remainder", REG(0xd9, 0xf8), NONE, REM},
  {"remainder", REG(0xd9, 0xfd), NONE, SCALE},
  {"transcendental", REG(0xd9, 0xf0), NONE, F2XM1}, {"transcendental", REG(0xd9, 0xf1), NONE, FYL2X},
  {"transcendental", REG(0xd9, 0xf2), NONE, TRIG, 1}, {"transcendental", REG(0xd9, 0xf3), NONE, ATAN},
  {"transcendental", REG(0xd9, 0xf9), NONE, FYL2XP1}, {"transcendental", REG(0xd9, 0xfb), NONE, TRIG, 1},
  {"transcendental", REG(0xd9, 0xfe), NONE, TRIG}, {"transcendental", REG(0xd9, 0xff), NONE, TRIG},
};
enum { INSTRUCTION_COUNT = sizeof INSTRUCTIONS / sizeof *INSTRUCTIONS };

static uint8_t *at(uint32_t address) { return (uint8_t *)(uintptr_t)address; }
static void put16(uint32_t address, uint16_t value) { memcpy(at(address), &value, 2); }
static void put32(uint32_t address, uint32_t value) { memcpy(at(address), &value, 4); }
static uint16_t get16(uint32_t address) { uint16_t v; memcpy(&v, at(address), 2); return v; }
static uint32_t get32(uint32_t address) { uint32_t v; memcpy(&v, at(address), 4); return v; }
static void putReal(uint32_t address, Real r) { memcpy(at(address), &r.significand, 8); put16(address + 8, r.exponent); }

static void fillMemory(const Instruction *in) {
  const int length = LENGTH[in->memory];
  for (int i = 0; i < length; i++) *at(MEMORY + i) = next64() >> 40;
  Real r = someReal();
  switch (in->memory) {
    case F32: {
      uint32_t e = chance(30) ? (uint32_t[]){0, 1, 254, 255}[below(4)] : chance(50) ? 120 + below(16) : below(256);
      uint32_t f = chance(30) ? (uint32_t[]){0, 1, 0x400000, 0x7fffff}[below(4)] : (uint32_t)next64() & 0x7fffff;
      put32(MEMORY, below(2) << 31 | e << 23 | f);
      break;
    }
    case F64: {
      uint64_t e = chance(30) ? (uint64_t[]){0, 1, 2046, 2047}[below(4)] : chance(50) ? 1010 + below(30) : below(2048);
      uint64_t f = chance(30) ? (uint64_t[]){0, 1, 1ULL << 51, (1ULL << 52) - 1}[below(4)] : next64() & ((1ULL << 52) - 1);
      uint64_t v = (uint64_t)below(2) << 63 | e << 52 | f;
      memcpy(at(MEMORY), &v, 8);
      break;
    }
    case F80: putReal(MEMORY, r); break;
    case I16: if (chance(25)) put16(MEMORY, (uint16_t[]){0, 1, 0xffff, 0x7fff, 0x8000}[below(5)]); break;
    case I32: if (chance(25)) put32(MEMORY, (uint32_t[]){0, 1, 0xffffffff, 0x7fffffff, 0x80000000}[below(5)]); break;
    case I64:
      if (chance(25)) { uint64_t v = (uint64_t[]){0, 1, ~0ULL, ~0ULL >> 1, 1ULL << 63}[below(5)]; memcpy(at(MEMORY), &v, 8); }
      break;
    case BCD:
      if (chance(90)) for (int i = 0; i < 9; i++) *at(MEMORY + i) = below(10) << 4 | below(10);
      break;
    case W16: put16(MEMORY, chance(70) ? (uint16_t)next64() : 0x37f); break;
    case ENV16: case SAVE16: memset(at(MEMORY + 6), 0, 8); break;
    case ENV32: case SAVE32: memset(at(MEMORY + 12), 0, 16); break;
  }
  if (in->memory >= SAVE16) {
    for (int i = 0; i < 8; i++) putReal(MEMORY + (in->memory == SAVE16 ? 14 : 28) + i * 10, someReal());
  }
}

static void choose(const Instruction *in, Real *a, Real *b, int index) {
  *a = index < EDGE_COUNT ? EDGES[index] : someReal();
  if (index < EDGE_COUNT && chance(50)) a->exponent ^= 0x8000;
  *b = someReal();
  if (chance(25)) {
    *b = *a;
    b->exponent ^= below(2) << 15;
    b->significand ^= below(4);
    if ((b->exponent & 0x7fff) < 0x7f00 && (b->exponent & 0x7fff) > 100) b->exponent += below(132) - 66;
  }
  if (chance(in->kind == ANY ? 0 : 75)) {
    switch (in->kind) {
      case F2XM1: *a = moderate(-70, -1); break;
      case FYL2X: *a = moderate(-20, 20); a->exponent &= 0x7fff; *b = moderate(-20, 20);
        if (chance(30)) { a->exponent = 0x3fff - below(2); a->significand = a->exponent == 0x3fff ? (a->significand >> (1 + below(60))) | 0x8000000000000000 : ~(a->significand >> (1 + below(60))); }
        break;
      case FYL2XP1: *a = moderate(-70, -3); *b = moderate(-20, 20); break;
      case TRIG: *a = moderate(-40, chance(50) ? 3 : 62); break;
      case ATAN: *a = moderate(-20, 20); *b = moderate(-20, 20); break;
      case SCALE: *b = moderate(-30, 20); *a = moderate(-2, chance(50) ? 6 : 17); { Real t = *a; *a = *b; *b = t; } break;
      case REM: *b = moderate(-5, 5); *a = moderate(-5, chance(50) ? 10 : 70); break;
    }
  }
}

static void hexReal(const uint8_t *p) { for (int i = 9; i >= 0; i--) printf("%02x", p[i]); }
static void hexMemory(int length) {
  if (length == 0) printf("-");
  for (int i = 0; i < length; i++) printf("%02x", *at(MEMORY + i));
}
/** The instruction and data pointers differ between processors. */
static void hidePointers(int memory) {
  if (memory == ENV16 || memory == SAVE16) memset(at(MEMORY + 6), 0, 8);
  if (memory == ENV32 || memory == SAVE32) memset(at(MEMORY + 12), 0, 16);
}

static void runCase(const Instruction *in, int index) {
  Real a, b;
  choose(in, &a, &b, index);
  uint16_t control = 0x40 | (chance(75) ? 0x3f : below(64)) | below(4) << 10 | (uint16_t[]){0x300, 0x300, 0x200, 0, 0x300}[below(5)];
  uint16_t status = below(8) << 11 | ((uint16_t)next64() & 0x4700);
  if (chance(30)) status |= below(128) & (control | 0x40);
  const int top = status >> 11 & 7;
  uint8_t tags = next64() >> 20 | 1 << top | 1 << ((top + 1) & 7);
  uint32_t choice = below(100);
  if (in->load ? choice < 85 : choice < 50) tags &= ~(1 << ((top + 7) & 7));
  if (choice >= 94) tags &= ~(1 << top);
  if (choice >= 88 && choice < 96) tags &= ~(1 << ((top + 1) & 7));
  const uint32_t flags = 0x202 | ((uint32_t)next64() & 0x8d5), eax = (uint32_t)next64();
  fillMemory(in);

  memset(at(IMAGE_IN), 0, 512);
  put16(IMAGE_IN, control);
  put16(IMAGE_IN + 2, status);
  *at(IMAGE_IN + 4) = tags;
  put32(IMAGE_IN + 24, 0x1f80);
  for (int i = 2; i < 8; i++) {
    Real r = {(uint64_t)i << (i < 4 ? 62 : 61), i < 4 ? 0x4000 : 0x4001};
    putReal(IMAGE_IN + 32 + i * 16, r);
  }
  putReal(IMAGE_IN + 32, a);
  putReal(IMAGE_IN + 48, b);
  put32(CELLS, flags);
  put32(CELLS + 4, eax);

  uint8_t *code = at(CODE);
  const uint8_t head[] = {0x0f, 0xae, 0x0d, 0, 0x10, 2, 0, 0xff, 0x35, 0, 0x20, 2, 0, 0x9d, 0xa1, 4, 0x20, 2, 0};
  const uint8_t tail[] = {0xa3, 8, 0x20, 2, 0, 0x9c, 0x8f, 5, 12, 0x20, 2, 0, 0x0f, 0xae, 5, 0, 0x12, 2, 0, 0xdb, 0xe3, 0xc3};
  memcpy(code, head, sizeof head);
  uint8_t *p = code + sizeof head;
  for (int i = 0; i < 3 && in->bytes[i] >= 0; i++) { *p++ = in->bytes[i]; printf("%02x", in->bytes[i]); }
  if (in->memory != NONE) { const uint32_t address = MEMORY; memcpy(p, &address, 4); p += 4; printf("00000200"); }
  memcpy(p, tail, sizeof tail);

  printf(" %x %x %x ", control, status, tags);
  hexReal(at(IMAGE_IN + 32));
  printf(" ");
  hexReal(at(IMAGE_IN + 48));
  printf(" %x %x ", flags, eax);
  hexMemory(LENGTH[in->memory]);
  ((void (*)(void))(uintptr_t)CODE)();
  hidePointers(in->memory);
  printf(" > %x %x %x %x %x ", get16(IMAGE_OUT + 2), get16(IMAGE_OUT), *at(IMAGE_OUT + 4), get32(CELLS + 12) & 0x8d5, get32(CELLS + 8));
  hexMemory(LENGTH[in->memory]);
  const int newTop = get16(IMAGE_OUT + 2) >> 11 & 7;
  for (int n = 0; n < 8; n++) {
    const uint8_t *before = at(IMAGE_IN + 32 + ((n - top) & 7) * 16), *after = at(IMAGE_OUT + 32 + ((n - newTop) & 7) * 16);
    if (memcmp(before, after, 10) == 0) continue;
    printf(" %d=", n);
    hexReal(after);
  }
  printf("\n");
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  seed = strtoull(argv[3], 0, 0) * 0x9e3779b97f4a7c15ULL + 1;
  void *area = mmap((void *)MEMORY, 0x8000, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (area != (void *)MEMORY) return 1;
  for (int i = 0; i < INSTRUCTION_COUNT; i++) {
    if (strcmp(INSTRUCTIONS[i].group, argv[1]) != 0) continue;
    for (int n = 0; n < atoi(argv[2]); n++) runCase(&INSTRUCTIONS[i], n);
  }
  return 0;
}
