/* The first byte from the host chooses which rule of the core, of the RAM or of the serial port is
 * broken. */
#include "board.c"

static _Alignas(8) uint8_t data[64] __attribute__((section(".bss")));
static volatile uint32_t never_set __attribute__((section(".bss")));
__attribute__((section(".bss"), used)) static uint32_t many[2048]; /* for leap() to fall into */

#define ASM(code, offset) __asm volatile(code : : "r"(data + offset) : "r2", "r3", "s0", "memory")

RULE(load_pair, ASM("ldrd r2, r3, [%0]", 2))
RULE(store_pair, ASM("strd r2, r3, [%0, #8]", 1))
RULE(load_many, ASM("ldmia %0, {r2, r3}", 2))
RULE(store_many, ASM("stmia %0, {r2, r3}", 3))
RULE(load_float, ASM("vldr s0, [%0]", 2))
RULE(load_exclusive, ASM("ldrex r2, [%0]", 1))
RULE(overwrite, for (int i = 0; i < 3; i++) USART_DR = 'x')
RULE(read_never_set, put((uint8_t)never_set))

KEEP static void load_in_loop(void) { /* aligned at first, then no more */
  const uint8_t *from = data;
  for (int i = 0; i < 4; i++) {
    __asm volatile("ldmia %0!, {r2, r3}\n add %0, %0, %1" /* line: load_in_loop */
                   : "+r"(from) : "r"(i / 2) : "r2", "r3");
  }
}

KEEP static void jump_to_peripheral(void) {
  ((void (*)(void))0x40020001)(); /* line: jump_to_peripheral */
  __asm volatile("");
}

KEEP static void overflow(void) {
  volatile int local[16];
  local[0] = 1; /* line: overflow */
  overflow();
  local[1] = local[0];
}

KEEP static void leap(void) { /* frames of 1.6 KB: it comes from far above */
  volatile int local[400];
  local[0] = 1; /* line: leap */
  leap();
  local[1] = local[0];
}

static void unaligned_words(void) { /* allowed */
  uint32_t sum = *(volatile uint32_t *)(data + 1) + *(volatile uint16_t *)(data + 3);
  put((uint8_t)(sum >> 31 | 'a'));
}

static void be_slow(void) { /* some milliseconds, in which nobody reads what comes in */
  for (volatile int i = 0; i < 10000; i++) {
  }
  put(get());
}

static void paint_stack(void) { /* a program may fill the free RAM, from the variables on */
  for (volatile uint32_t *word = (uint32_t *)(data + 1024); word < (uint32_t *)0x2001F000; word++) {
    *word = 0xA5A5A5A5;
  }
  put('p');
}

static void (*const rules[])(void) = {
    load_pair,    store_pair, load_many,          store_many,     load_float, load_exclusive,
    load_in_loop, overwrite,  jump_to_peripheral, read_never_set, overflow,   leap,
};

int main(void) {
  for (;;) {
    uint8_t chosen = get();
    switch (chosen) {
    case 'a': unaligned_words(); break;
    case 's': be_slow(); break;
    case 'p': paint_stack(); break;
    case 'w': never_set = 'w'; read_never_set(); break;
    case 'r': put_word(*(volatile uint32_t *)0x2000F000); break; /* power-on content */
    default: rules[chosen]();
    }
  }
}
