/* Hand-written stretches of code between two reads of CYCCNT. Each `case` says how many instructions
 * lie from the first read to the second: the first read itself counts, the second does not. */
#include "board.c"

#define MEASURE(code)                                                                              \
  __asm volatile("ldr r2, [%2]\n" code "\n ldr r3, [%2]\n mov %0, r2\n mov %1, r3\n"               \
                 : "=r"(first), "=r"(second)                                                       \
                 : "r"(0xE0001004u), "r"(scratch)                                                  \
                 : "r2", "r3", "r4", "r5", "r6", "lr", "s0", "cc", "memory")

static uint32_t scratch[4];

__attribute__((naked, noinline, used)) static void leaf(void) {
  __asm volatile("add r4, r4, #1\n nop\n bx lr\n"); /* 3 */
}

static uint32_t measure(uint8_t what) {
  uint32_t first = 0, second = 0;
  switch (what) {
  case 0: MEASURE(""); break;                                            /* 1 */
  case 1: MEASURE("nop\n nop\n nop"); break;                             /* 4 */
  case 2: MEASURE("add.w r4, r4, #256\n adds r4, #1\n add.w r4, r4, #256"); break; /* 4 */
  case 3: MEASURE("movs r4, #10\n 1: nop\n subs r4, #1\n bne 1b"); break; /* 1 + 1 + 30 = 32 */
  case 4: MEASURE("movs r4, #0\n cmp r4, #0\n ite eq\n moveq r5, #1\n movne r5, #2"); break; /* 6 */
  case 5: MEASURE("bl leaf\n bl leaf"); break;                           /* 1 + 2 * 4 = 9 */
  case 6: MEASURE("push {r4, r5}\n pop {r4, r5}\n str r4, [%3]\n ldr r4, [%3]"); break; /* 5 */
  case 7: MEASURE("vmov.f32 s0, #1.0\n vadd.f32 s0, s0, s0\n smlad r4, r5, r6, r4"); break; /* 4 */
  case 8: MEASURE(".rept 1500\n nop\n add.w r4, r4, #1\n .endr"); break; /* 3001, over pages */
  case 9: MEASURE("movw r4, #10000\n 1: subs r4, #1\n cbz r4, 2f\n b 1b\n 2:"); break; /* 30001 */
  case 10: MEASURE("movs r4, #0\n cmp r4, #0\n it eq\n ldreq r3, [%2]"); break; /* 5 */
  case 11: MEASURE("movw r4, #0x6000\n movt r4, #6\n 1: subs r4, #1\n bne 1b"); break; /* 835587 */
  case 12: /* a read in an IT block is as exact as any other */
    __asm volatile("ldr r2, [%2]\n movs r4, #0\n cmp r4, #0\n itt eq\n addeq r4, #1\n"
                   "ldreq r3, [%2]\n mov %0, r2\n mov %1, r3\n"
                   : "=r"(first), "=r"(second) : "r"(0xE0001004u) : "r2", "r3", "r4", "cc"); /* 5 */
    break;
  case 13: /* a store of zero: the next load reads what lies between */
    __asm volatile("movs r4, #0\n str r4, [%2]\n nop\n nop\n nop\n ldr %1, [%2]\n movs %0, #0"
                   : "=&r"(first), "=&r"(second) : "r"(0xE0001004u) : "r4", "cc"); /* 3 */
    break;
  case 14: /* switched on, from zero, by the store right before: 2 instructions between */
    DWT_CTRL = 0;
    __asm volatile("movs r4, #0\n str r4, [%2, #4]\n movs r4, #1\n str r4, [%2]\n nop\n nop\n"
                   "ldr %1, [%2, #4]\n movs %0, #0"
                   : "=&r"(first), "=&r"(second) : "r"(0xE0001000u) : "r4", "cc", "memory"); /* 2 */
    break;
  case 15: /* switched off, it stands still: on store, 3 nops, off store counts, reads equal */
    DWT_CTRL = 0;
    DWT_CYCCNT = 0;
    __asm volatile("movs r4, #1\n movs r5, #0\n str r4, [%2]\n nop\n nop\n nop\n str r5, [%2]\n"
                   "nop\n nop\n ldr %1, [%2, #4]\n movs %0, #0"
                   : "=&r"(first), "=&r"(second) : "r"(0xE0001000u) : "r4", "r5", "cc", "memory");
    DWT_CTRL = 1; /* 4 */
    break;
  case 16: /* polls the UART until the host has sent: 1 + 3 + 4 * polls, less the polls counted */
    __asm volatile("ldr r2, [%2]\n movs r4, #0\n movw r5, #0x4400\n movt r5, #0x4000\n"
                   "1: adds r4, #4\n ldr r6, [r5]\n lsls r6, r6, #26\n bpl 1b\n"
                   "ldr r3, [%2]\n add %0, r2, r4\n mov %1, r3\n"
                   : "=r"(first), "=r"(second)
                   : "r"(0xE0001004u)
                   : "r2", "r3", "r4", "r5", "r6", "cc");
    get(); /* 4 */
    break;
  default: break;
  }
  return second - first;
}

int main(void) {
  DEMCR |= 1u << 24;
  DWT_CYCCNT = 0;
  DWT_CTRL |= 1;
  for (;;) {
    put_word(measure(get()));
  }
}
