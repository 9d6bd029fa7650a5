/* The first byte from the host chooses what goes wrong. */
#include "board.c"

RULE(write_flash, REG(0x08000010) = 1)
RULE(read_nothing, put((uint8_t)REG(0x10000000)))
RULE(write_nothing, REG(0x60000000) = 1)
RULE(breakpoint, __asm volatile("bkpt #0"))
RULE(undefined, __asm volatile("udf #0"))
RULE(supervisor_call, __asm volatile("svc #0"))
RULE(unknown_peripheral, REG(0x40000000) = 1)
RULE(neighbor_peripheral, REG(0x40004804) = 1)
RULE(interrupts, REG(0xE000E010) = 7)

KEEP static void jump_nowhere(void) {
  ((void (*)(void))0x30000001)(); /* line: jump_nowhere */
  __asm volatile("");
}

KEEP static void call_null(void) {
  void (*volatile handler)(void) = 0;
  handler(); /* line: call_null */
  __asm volatile("");
}

KEEP static void overflow(void) {
  volatile int local[64];
  local[0] = 1; /* line: overflow */
  overflow();
  local[1] = local[0];
}

static inline __attribute__((always_inline)) void inlined(void) {
  REG(0x08000020) = 1; /* line: inlined */
}

RULE(around, inlined())

static void (*const rules[])(void) = {
    write_flash,     read_nothing,       write_nothing,       jump_nowhere, breakpoint, undefined,
    supervisor_call, unknown_peripheral, neighbor_peripheral, interrupts,   overflow,   around,
    call_null,
};

int main(void) {
  for (;;) {
    uint8_t chosen = get();
    if (chosen < sizeof rules / sizeof rules[0]) {
      rules[chosen]();
    } else {
      put('?');
    }
  }
}
