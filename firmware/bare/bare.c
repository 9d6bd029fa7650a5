/* The smallest program around a network: takes the bytes of an input from the serial port, runs the
 * network, sends those of its (first) output, and so on. 115200 baud, no protocol, nothing else.
 *
 * The clock stays as it is after a reset. When a byte was lost, the black button puts the board in
 * step with the host again. */
#include "chip.h"
#include "engine.h"
#include "registers.h"

#include <stddef.h>

#include "network.c" /* so that the compiler sees that nobody observes its run */

#define BAUD 115200U
#define PA2_AND_PA3(bits) ((bits) << 4 | (bits) << 6)       /* of MODER */
#define PA2_AND_PA3_AFRL(bits) ((bits) << 8 | (bits) << 12) /* of AFRL */
#define ALTERNATE_FUNCTION 2U
#define USART2_FUNCTION 7U

extern uint32_t stack_top[], bss_start[], bss_end[]; /* from bare.ld */

__attribute__((used, section(".chip"))) const char board_mcu[] = CHIP_NAME;

static void start_serial(void)
{
    GPIO_ENR |= GPIO_ENR_GPIOAEN;
    USART2_ENR |= USART2_ENR_USART2EN;
    (void)USART2_ENR; /* the read waits until both clocks are on (STM32F446 errata, 2.2.7) */
    set_field(&GPIOA_AFRL, PA2_AND_PA3_AFRL(15U), PA2_AND_PA3_AFRL(USART2_FUNCTION) >> 8);
    set_field(&GPIOA_MODER, PA2_AND_PA3(3U), PA2_AND_PA3(ALTERNATE_FUNCTION) >> 4);
    USART2_BRR = (RESET_HZ + BAUD / 2) / BAUD;
    USART2_CR1 = USART2_CR1_UE | USART2_CR1_TE | USART2_CR1_RE;
}

static void receive(uint8_t *to, uint32_t count)
{
    for (const uint8_t *end = to + count; to < end;) {
        while (!(USART2_STATUS & USART2_STATUS_RXNE)) {
        }
        *to++ = (uint8_t)USART2_RECEIVED;
    }
}

static void send(const uint8_t *from, uint32_t count)
{
    for (const uint8_t *end = from + count; from < end;) {
        while (!(USART2_STATUS & USART2_STATUS_TXE)) {
        }
        USART2_TO_SEND = *from++;
    }
}

__attribute__((noreturn, flatten)) void Reset_Handler(void) /* all of this file in one function */
{
    SCB_CPACR |= SCB_CPACR_CP10_CP11_FULL; /* before any floating-point instruction */
    __asm volatile("dsb\n\tisb");
    for (uint32_t *word = bss_start; word < bss_end; word++) {
        *word = 0;
    }
    start_serial();
    engine_start();
    for (;;) {
        receive(engine_input(), ENGINE_INPUT_BYTES);
        engine_run(NULL);
        send(engine_output(0), ENGINE_OUTPUT_BYTES);
    }
}

/* A fault ends here, and so does a non-maskable interrupt. */
static void stop(void)
{
    for (;;) {
    }
}

/* The exceptions that cannot be switched off, PM0214 table 17; the others are off after a reset. */
typedef union {
    uint32_t *stack;
    void (*handler)(void);
} vector;

__attribute__((section(".vectors"), used)) static const vector vectors[] = {
    {.stack = stack_top}, {.handler = Reset_Handler}, {.handler = stop}, {.handler = stop}};
