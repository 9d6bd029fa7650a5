/* The NUCLEO-F446RE: the chip on its internal 16 MHz oscillator, the ST-LINK's serial port on
 * USART2 (PA2, PA3), LED LD2 on PA5, button B1 on PC13 (UM1724, section 6). */
#include "board.h"
#include "stm32f446.h"

#define CORE_HZ 16000000U /* HSI, and all buses undivided: the state after reset */
#define WAIT_LIMIT 1000000U
#define SHORTEST_BIT 16U /* clock cycles: each bit is sampled 16 times */
#define LINE_ERRORS (USART2_SR_FE | USART2_SR_NF | USART2_SR_ORE)
#define LED_PIN 5U
#define BUTTON_PIN 13U

/* Two bits a pin in MODER: 0 input, 1 output, 2 alternate function. */
static void pin_mode(uint32_t pin, uint32_t mode)
{
    GPIOA_MODER = (GPIOA_MODER & ~(3U << (2 * pin))) | (mode << (2 * pin));
}

static void clock_setup(void)
{
    RCC_AHB1ENR |= RCC_AHB1ENR_GPIOAEN | RCC_AHB1ENR_GPIOCEN;
    RCC_APB1ENR |= RCC_APB1ENR_USART2EN;
    (void)RCC_APB1ENR; /* the read waits until the clocks are on (STM32F446 errata, 2.2.7) */
}

static void serial_setup(void)
{
    GPIOA_AFRL = (GPIOA_AFRL & ~0xFF00U) | 0x7700U; /* PA2 and PA3: AF7 is USART2 */
    pin_mode(2, 2);
    pin_mode(3, 2);
    USART2_BRR = (CORE_HZ + BOARD_BAUD / 2) / BOARD_BAUD;
    USART2_CR1 = USART2_CR1_UE | USART2_CR1_TE | USART2_CR1_RE;
}

static void heartbeat_setup(void)
{
    SYSTICK_LOAD = CORE_HZ / 2 - 1;
    SYSTICK_VAL = 0;
    SYSTICK_CTRL = SYSTICK_CTRL_CLKSOURCE | SYSTICK_CTRL_ENABLE;
}

void board_start(void)
{
    clock_setup();
    pin_mode(LED_PIN, 1);
    serial_setup();
    heartbeat_setup();
}

const char board_mcu[] = "stm32f446re";

static uint32_t overruns, line_errors;

board_status board_describe(void)
{
    return (board_status){
        .device_id = DBGMCU_IDCODE,
        .clock_source = BOARD_CLOCK_HSI,
        .core_hz = CORE_HZ,
        .apb1_hz = CORE_HZ,
        .baud = (CORE_HZ + USART2_BRR / 2) / USART2_BRR,
        .overruns = overruns,
        .line_errors = line_errors,
    };
}

extern const uint8_t image_start[], image_end[]; /* from the linker script */

const uint8_t *board_image(uint32_t *length)
{
    *length = (uint32_t)(image_end - image_start);
    return image_start;
}

void board_reset(void)
{
    __asm volatile("dsb");
    SCB_AIRCR = SCB_AIRCR_VECTKEY | SCB_AIRCR_SYSRESETREQ;
    for (;;) { /* the reset takes a few cycles to come */
    }
}

/* RM0390 section 25.6.1: reading SR and then DR clears the flags. */
bool board_receive(uint8_t *byte)
{
    const uint32_t status = USART2_SR;
    if (!(status & (USART2_SR_RXNE | LINE_ERRORS))) {
        return false;
    }
    *byte = (uint8_t)USART2_DR;
    if (status & LINE_ERRORS) {
        overruns += (status & USART2_SR_ORE) != 0;
        line_errors += (status & (USART2_SR_FE | USART2_SR_NF)) != 0;
        board_set_baud(BOARD_BAUD);
    }
    return status & USART2_SR_RXNE;
}

uint32_t board_baud_possible(uint32_t wanted)
{
    const uint32_t divider = wanted == 0 ? 0 : (CORE_HZ + wanted / 2) / wanted;
    if (divider < SHORTEST_BIT || divider > UINT16_MAX) {
        return 0;
    }
    const uint32_t actual = (CORE_HZ + divider / 2) / divider;
    const uint32_t error = actual > wanted ? actual - wanted : wanted - actual;
    return error <= wanted / 50 ? actual : 0;
}

void board_set_baud(uint32_t baud)
{
    const uint32_t divider = (CORE_HZ + baud / 2) / baud;
    if (divider != USART2_BRR) {
        board_flush();
        USART2_BRR = divider;
    }
}

static void wait_for(uint32_t status)
{
    for (uint32_t i = 0; i < WAIT_LIMIT && !(USART2_SR & status); i++) {
    }
}

void board_send(uint8_t byte)
{
    wait_for(USART2_SR_TXE);
    USART2_DR = byte;
}

void board_flush(void)
{
    wait_for(USART2_SR_TC);
}

void board_led(bool on)
{
    GPIOA_BSRR = 1U << (on ? LED_PIN : LED_PIN + 16); /* the upper half clears */
}

bool board_button(void)
{
    return !(GPIOC_IDR & (1U << BUTTON_PIN)); /* pulled up, low while held */
}

bool board_heartbeat(void)
{
    return SYSTICK_CTRL & SYSTICK_CTRL_COUNTFLAG; /* reading clears it */
}

void board_cycles_start(void)
{
    COREDEBUG_DEMCR |= COREDEBUG_DEMCR_TRCENA;
    DWT_CYCCNT = 0;
    DWT_CTRL |= DWT_CTRL_CYCCNTENA;
}

uint32_t board_cycles(void)
{
    return DWT_CYCCNT;
}

void board_cycles_stop(void)
{
    DWT_CTRL &= ~DWT_CTRL_CYCCNTENA;
}
