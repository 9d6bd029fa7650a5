/* One letter asks for one thing: reset, RAM, button, register values, streams, stuck loops. */
#include "board.c"

#include "clocks.h"

static volatile uint32_t survivor __attribute__((section(".bss")));

static void stream(void) {
  for (;;) {
    put('x');
  }
}

static void ticks(void) { /* three times COUNTFLAG at 1 kHz */
  REG(0xE000E014) = 16000 - 1;
  REG(0xE000E018) = 0;
  REG(0xE000E010) = 1u << 2 | 1u << 0;
  for (int i = 0; i < 3; i++) {
    while (!(REG(0xE000E010) & 1u << 16)) {
    }
    put('t');
  }
  put(REG(0xE000E010) & 1u << 16 ? '1' : '0'); /* the read before has cleared it */
}

static uint32_t run_from_ram(uint8_t value) { /* movs r0, #value; bx lr */
  static volatile uint16_t room[2] __attribute__((section(".bss"), aligned(4)));
  room[0] = 0x2000u | value;
  room[1] = 0x4770;
  __asm volatile("dsb\n isb");
  return ((uint32_t(*)(void))((uintptr_t)room | 1u))();
}

int main(void) {
  for (;;) {
    switch (get()) {
    case 'w': survivor = get_word(); break;
    case 'r': put_word(survivor); break;
    case 'i': put_word(REG(0xE0042000)); break;
    case 'b': RCC_AHB1ENR |= 4; put((uint8_t)(REG(0x40020810) >> 13 & 1)); break;
    case 'R': put('!'); SCB_AIRCR = 0x05FA0004; for (;;) { }
    case 'k': SCB_AIRCR = 0x12340004; put('k'); break; /* a wrong key does nothing */
    case 's': stream(); break;
    case 'l': for (;;) { __asm volatile("nop"); }
    case 'W': __asm volatile("wfi"); put('W'); break;
    case 't': ticks(); break;
    case 'm': return 0;
    case 'x': put((uint8_t)run_from_ram('1')); put((uint8_t)run_from_ram('2')); break;
    case 'p': full_speed(); put('p'); break;
    default: put('?');
    }
  }
}
