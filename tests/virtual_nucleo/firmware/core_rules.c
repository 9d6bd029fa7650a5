/* The first byte from the host chooses which rule of the core, of the RAM or of the serial port is
 * broken. */
#include "board.c"

#define KEEP __attribute__((noinline))

static _Alignas(8) uint8_t data[64] __attribute__((section(".bss")));
static volatile uint32_t never_set __attribute__((section(".bss")));
__attribute__((section(".bss"), used)) static uint32_t many[2048]; /* for leap() to fall into */

#define RULE(name, argument, ...) KEEP static void name(argument) { __VA_ARGS__; }

RULE(store_pair, uint8_t *to, __asm volatile("strd r2, r3, [%0, #8]" ::"r"(to) : "memory"))
RULE(load_many, const uint8_t *from, __asm volatile("ldmia %0!, {r2, r3}" : "+r"(from)::"r2", "r3"))
RULE(store_many, uint8_t *to, __asm volatile("stmia %0!, {r2, r3}" : "+r"(to)::"memory"))
RULE(load_float, const uint8_t *from, __asm volatile("vldr s0, [%0]" ::"r"(from) : "s0"))
RULE(load_exclusive, const uint8_t *from, __asm volatile("ldrex r2, [%0]" ::"r"(from) : "r2"))

KEEP static uint32_t load_pair(const uint8_t *from) {
  uint32_t low, high;
  __asm volatile("ldrd %0, %1, [%2]" : "=r"(low), "=r"(high) : "r"(from)); /* line: load_pair */
  return low + high;
}

KEEP static void load_in_loop(const uint8_t *from) { /* aligned at first, then no more */
  for (int i = 0; i < 4; i++) {
    __asm volatile("ldmia %0!, {r2, r3}\n add %0, %0, %1" /* line: load_in_loop */
                   : "+r"(from) : "r"(i / 2) : "r2", "r3");
  }
}

KEEP static uint32_t unaligned_words(const uint8_t *from) { /* allowed */
  return *(const volatile uint32_t *)(from + 1) + *(const volatile uint16_t *)(from + 3);
}

KEEP static void overwrite(void) {
  for (int i = 0; i < 3; i++) {
    USART_DR = 'x'; /* line: overwrite */
  }
}

KEEP static void jump_to_peripheral(void) {
  ((void (*)(void))0x40020001)(); /* line: jump_to_peripheral */
  __asm volatile("");
}

KEEP static uint32_t read_never_set(void) {
  return never_set; /* line: read_never_set */
}

KEEP static int overflow(volatile int *parent) {
  volatile int local[16];
  local[0] = parent ? parent[0] + 1 : 0; /* line: overflow */
  return overflow(local) + local[0];
}

KEEP static int leap(volatile int *parent) { /* frames of 1.6 KB: it comes from far above */
  volatile int local[400];
  local[0] = parent ? parent[0] + 1 : 0; /* line: leap */
  return leap(local) + local[0];
}

KEEP static void be_slow(void) { /* some milliseconds, in which nobody reads what comes in */
  for (volatile int i = 0; i < 10000; i++) {
  }
}

static void paint_stack(void) { /* a program may fill the free RAM, from the variables on */
  for (volatile uint32_t *word = (uint32_t *)(data + 1024); word < (uint32_t *)0x2001F000; word++) {
    *word = 0xA5A5A5A5;
  }
}

int main(void) {
  for (;;) {
    switch (get()) {
    case 0: put((uint8_t)load_pair(data + 2)); break;
    case 1: store_pair(data + 1); break;
    case 2: load_many(data + 2); break;
    case 3: store_many(data + 3); break;
    case 4: load_float(data + 2); break;
    case 5: load_exclusive(data + 1); break;
    case 6: load_in_loop(data); break;
    case 7: overwrite(); break;
    case 8: jump_to_peripheral(); break;
    case 9: put((uint8_t)read_never_set()); break;
    case 10: put((uint8_t)overflow(0)); break;
    case 11: put((uint8_t)leap(0)); break;
    case 'a': put((uint8_t)(unaligned_words(data) >> 31 | 'a')); break;
    case 's': be_slow(); put(get()); break;
    case 'p': paint_stack(); put('p'); break;
    case 'e': put((uint8_t)USART_SR); break; /* the errors there, before DR is read */
    case 'w': never_set = 'w'; put((uint8_t)read_never_set()); break;
    case 'r': put_word(*(volatile uint32_t *)0x2000F000); break; /* power-on content */
    default: put('?');
    }
  }
}
