/* The first byte from the host chooses what goes wrong. */
#include "board.c"

#define KEEP __attribute__((noinline))
#define RULE(name, ...) KEEP static void name(void) { __VA_ARGS__; }

RULE(write_flash, REG(0x08000010) = 1)
RULE(write_nothing, REG(0x60000000) = 1)
RULE(breakpoint, __asm volatile("bkpt #0"))
RULE(undefined, __asm volatile("udf #0"))
RULE(supervisor_call, __asm volatile("svc #0"))
RULE(unknown_peripheral, REG(0x40000000) = 1)
RULE(neighbor_peripheral, REG(0x40004804) = 1)
RULE(interrupts, REG(0xE000E010) = 7)

KEEP static uint32_t read_nothing(void) {
  return REG(0x10000000); /* line: read_nothing */
}

KEEP static void jump_nowhere(void) {
  ((void (*)(void))0x30000001)(); /* line: jump_nowhere */
  __asm volatile("");
}

KEEP static void call_null(void) {
  void (*volatile handler)(void) = 0;
  handler(); /* line: call_null */
  __asm volatile("");
}

KEEP static int overflow(volatile int *parent) {
  volatile int local[64];
  local[0] = parent ? parent[0] + 1 : 0; /* line: overflow */
  return overflow(local) + local[0];
}

static inline __attribute__((always_inline)) void inlined(void) {
  REG(0x08000020) = 1; /* line: inlined */
}

int main(void) {
  for (;;) {
    switch (get()) {
    case 0: write_flash(); break;
    case 1: put((uint8_t)read_nothing()); break;
    case 2: write_nothing(); break;
    case 3: jump_nowhere(); break;
    case 4: breakpoint(); break;
    case 5: undefined(); break;
    case 6: supervisor_call(); break;
    case 7: unknown_peripheral(); break;
    case 8: neighbor_peripheral(); break;
    case 9: interrupts(); break;
    case 10: put((uint8_t)overflow(0)); break;
    case 11: inlined(); break;
    case 12: call_null(); break;
    default: put('?');
    }
  }
}
