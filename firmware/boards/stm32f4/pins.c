/* The pins of a Nucleo-64 board: LED LD2 on PA5, button B1 on PC13, and the serial port to the
 * ST-LINK on PA2 and PA3 (UM1724, section 6). */
#include "parts.h"
#include "stm32f4.h"

#define LED_PIN 5U
#define BUTTON_PIN 13U

/* Two bits a pin in MODER: 0 input, 1 output, 2 alternate function. */
static void pin_mode(uint32_t pin, uint32_t mode)
{
    GPIOA_MODER = (GPIOA_MODER & ~(3U << (2 * pin))) | (mode << (2 * pin));
}

void pins_start(void)
{
    RCC_AHB1ENR |= RCC_AHB1ENR_GPIOAEN | RCC_AHB1ENR_GPIOCEN;
    (void)RCC_AHB1ENR; /* the read waits until the clocks are on (STM32F446 errata, 2.2.7) */
    pin_mode(LED_PIN, 1);
    GPIOA_AFRL = (GPIOA_AFRL & ~0xFF00U) | 0x7700U; /* PA2 and PA3: AF7 is USART2 */
    pin_mode(2, 2);
    pin_mode(3, 2);
}

void board_led(bool on)
{
    GPIOA_BSRR = 1U << (on ? LED_PIN : LED_PIN + 16); /* the upper half clears */
}

bool board_button(void)
{
    return !(GPIOC_IDR & (1U << BUTTON_PIN)); /* pulled up, low while held */
}
