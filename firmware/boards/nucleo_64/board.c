/* The board as a whole: starting it, describing it, restarting it. */
#include "chip.h"
#include "registers.h"
#include "parts.h"

extern const uint8_t image_start[], image_end[]; /* from sections.ld */

const char board_mcu[] = CHIP_NAME;
static uint32_t reset_cause;

void board_start(void)
{
    clock_start(); /* first: entering over-drive wants the peripherals off */
    reset_cause = RCC_CSR >> 24;
    RCC_CSR |= RCC_CSR_RMVF; /* else the flags add up over resets (RM0390 section 6.3.21) */
    pins_start();
    serial_start();
    time_start();
}

board_status board_describe(void)
{
    board_status status; /* all of it is written */
    status.device_id = DEVICE_ID;
    status.reset_cause = reset_cause;
    clock_describe(&status);
    serial_describe(&status);
    stack_describe(&status);
    return status;
}

void board_crc_start(void)
{
    RCC_AHB1ENR |= RCC_AHB1ENR_CRCEN;
    (void)RCC_AHB1ENR; /* the read waits until the clock is on (STM32F446 errata, 2.2.7) */
}

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
