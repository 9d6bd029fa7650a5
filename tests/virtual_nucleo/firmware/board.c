/* What every test program shares: vector table, start-up, and USART2 at BAUD from the 16 MHz HSI.
 * Each test program includes this file and defines main(). */
#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(address))
#define RCC_AHB1ENR REG(0x40023830)
#define RCC_APB1ENR REG(0x40023840)
#define GPIOA_MODER REG(0x40020000)
#define GPIOA_AFRL REG(0x40020020)
#define GPIOA_BSRR REG(0x40020018)
#define USART_SR REG(0x40004400)
#define USART_DR REG(0x40004404)
#define USART_BRR REG(0x40004408)
#define USART_CR1 REG(0x4000440C)
#define SCB_AIRCR REG(0xE000ED0C)
#define SCB_CPACR REG(0xE000ED88)
#define DEMCR REG(0xE000EDFC)
#define DWT_CTRL REG(0xE0001000)
#define DWT_CYCCNT REG(0xE0001004)

#define KEEP __attribute__((noinline))
/* A rule is broken on the line of its name, or on the one that is marked. */
#define RULE(name, ...) KEEP static void name(void) { __VA_ARGS__; }

#ifndef BAUD
#define BAUD 115200
#endif
#ifndef STACK_TOP
#define STACK_TOP 0x20020000
#endif

#ifdef MCU /* the chip that the program says it is for */
#define TEXT(name) #name
#define TEXT_OF(name) TEXT(name)
__attribute__((used)) const char board_mcu[] = TEXT_OF(MCU);
#endif

int main(void);
void Reset_Handler(void);

__attribute__((noinline)) void give_up(void) {
  for (;;) {
    __asm volatile("");
  }
}

#ifndef FAULT_HANDLER
#define FAULT_HANDLER give_up
#endif
void FAULT_HANDLER(void);

__attribute__((section(".vectors"), used)) static const void *const vectors[] = {
    (void *)STACK_TOP, (void *)Reset_Handler, 0, (void *)FAULT_HANDLER};

static void uart_start(void) {
#ifndef FORGET_PORT_CLOCK
  RCC_AHB1ENR |= 1u << 0; /* GPIOA */
#endif
#ifndef FORGET_UART_CLOCK
  RCC_APB1ENR |= 1u << 17; /* USART2 */
#endif
  GPIOA_MODER = (GPIOA_MODER & ~(0xFu << 4)) | 0xAu << 4; /* PA2, PA3: alternate function */
#ifndef FORGET_FUNCTION
  GPIOA_AFRL = (GPIOA_AFRL & ~(0xFFu << 8)) | 0x77u << 8; /* AF7: USART2 */
#endif
  USART_BRR = (16000000u + BAUD / 2) / BAUD;
  USART_CR1 = 1u << 13 | 1u << 3 | 1u << 2; /* UE, TE, RE */
}

static inline void put(uint8_t byte) {
  while (!(USART_SR & 1u << 7)) {
  }
  USART_DR = byte;
}

static inline uint8_t get(void) {
  while (!(USART_SR & 1u << 5)) {
  }
  return (uint8_t)USART_DR;
}

static inline void put_word(uint32_t word) {
  for (int i = 0; i < 4; i++) {
    put((uint8_t)(word >> 8 * i));
  }
}

static inline uint32_t get_word(void) {
  uint32_t word = 0;
  for (int i = 0; i < 4; i++) {
    word |= (uint32_t)get() << 8 * i;
  }
  return word;
}

void Reset_Handler(void) {
#ifndef FPU_STAYS_OFF
  SCB_CPACR |= 0xFu << 20; /* the FPU is off out of reset */
#endif
  uart_start();
  main();
  give_up();
}
